/* Clients that ask for more than a block, or for less than its bytes: gathers, pins, hints.
 *
 * A gather is answered range by range, in order; each range is held for a while and released by
 * itself, and the request is over with its last range. A pin keeps a block in memory until it is
 * taken back or its time is over, whichever is first. */
#include "sim/swarm/swarm_internal.h"

static struct fb_block origin_block(const struct swarm *swarm, uint32_t object, uint32_t index,
                                    uint64_t *content)
{
    uint64_t offset = (uint64_t)index * swarm->plan->config.block_size_bytes;
    *content = swarm_content(object, offset);
    return (struct fb_block){.key = {.high = fb_mix(*content), .low = 1},
                             .object = object,
                             .offset = offset,
                             .size = swarm_block_size(swarm->plan, 8 * (uint64_t)object + index),
                             .tenant = swarm_tenant_of(swarm->plan, object)};
}

static uint32_t range_count(const struct swarm_request *request)
{
    return 1 + request->what.count % SWARM_RANGES_MAX;
}

/* The item-th range: a whole block, or all but its first units. */
static struct fb_range range_of(const struct swarm *swarm, const struct swarm_request *request,
                                uint32_t item, uint64_t *content)
{
    const struct fb_swarm_request *what = &request->what;
    struct fb_range range = {
        .block =
            origin_block(swarm, what->object, (what->index + item) % SWARM_RANGES_MAX, content)};
    uint64_t skipped = (what->count + item) % 3 * swarm->unit_bytes;
    range.offset = skipped < range.block.size ? (uint32_t)skipped : 0;
    range.size = range.block.size - range.offset;
    return range;
}

void swarm_ask_gather(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    uint64_t content;
    out->kind = FB_REQUEST_GATHER;
    out->range_count = range_count(request);
    for (uint32_t i = 0; i < out->range_count; i++)
        swarm->ranges[i] = range_of(swarm, request, i, &content);
    out->ranges = swarm->ranges;
    request->block = swarm->ranges[0].block;
    request->known = 0; /* answered so far */
    request->is_partial = false;
}

/* Is the block kept on this node by a pin, or among what a gather still waits for? A gather's
 * ranges are answered in order, so a later one may be in memory for as long as an earlier takes. */
bool swarm_keeps(const struct swarm *swarm, uint32_t node, const struct fb_block *block)
{
    for (uint32_t i = 0; i < swarm->request_count; i++) {
        const struct swarm_request *request = &swarm->requests[i];
        bool is_open = request->state == REQUEST_OPEN || request->state == REQUEST_HELD;
        if (request->what.node != node || !is_open)
            continue;
        if (request->what.verb == FB_SWARM_VERB_pin && fb_key_equal(request->block.key, block->key))
            return true;
        if (request->what.verb != FB_SWARM_VERB_gather || request->state != REQUEST_OPEN)
            continue;
        for (uint32_t item = (uint32_t)request->known; item < range_count(request); item++) {
            uint64_t content;
            if (fb_key_equal(range_of(swarm, request, item, &content).block.key, block->key))
                return true;
        }
    }
    return false;
}

static bool range_holds(const struct swarm *swarm, const struct fb_span *span, uint64_t content,
                        uint32_t first)
{
    const uint64_t *words = swarm->nodes[span->peer].memory + span->offset / swarm->unit_bytes;
    for (uint32_t i = 0; i < swarm_units(swarm, span->size); i++) {
        if (words[i] != swarm_word(content, first + i))
            return false;
    }
    return true;
}

static void range_read(struct swarm *swarm, uint32_t node, const struct fb_span *span, uint32_t by)
{
    uint32_t first = (uint32_t)(span->offset / swarm->unit_bytes);
    for (uint32_t i = first; i < first + swarm_units(swarm, span->size); i++)
        swarm->nodes[node].readers[i] = (uint16_t)(swarm->nodes[node].readers[i] + by);
}

void swarm_judge_gather(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply)
{
    uint32_t id = swarm_index(swarm, request), node = request->what.node, unit;
    uint64_t content;
    bool is_refused = reply->item == FB_NONE && reply->status != FB_OK && request->known == 0;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_sane_reply, is_refused || reply->item == request->known,
                     "gather %u: item %u is answered after %llu", id, reply->item,
                     (unsigned long long)request->known) ||
        is_refused)
        return;
    struct fb_range range = range_of(swarm, request, reply->item, &content);
    request->known++;
    /* BUSY: what it holds itself and others may be all the memory there is. */
    bool is_failed = reply->status != FB_OK && reply->status != FB_BUSY;
    request->is_partial = request->is_partial || is_failed;
    if (reply->status != FB_OK || !swarm_place(swarm, node, &reply->span, FB_REGION_MEMORY, &unit))
        return;
    swarm_judge(swarm, FB_SWARM_CHECK_right_length, reply->span.size == range.size,
                "item %u of gather %u for %u bytes got %llu", reply->item, id, range.size,
                (unsigned long long)reply->span.size);
    uint32_t first = (uint32_t)(range.offset / swarm->unit_bytes);
    swarm_judge(swarm, FB_SWARM_CHECK_right_bytes, range_holds(swarm, &reply->span, content, first),
                "item %u of gather %u got other bytes", reply->item, id);
    if (swarm->is_over)
        return;
    range_read(swarm, node, &reply->span, 1);
    uint64_t hold_ns = request->what.hold_ns < swarm->limit_ns ? request->what.hold_ns : 0;
    struct swarm_event *event = swarm_push(swarm, swarm->now_ns + hold_ns, SWARM_ITEM, node);
    event->detail = reply->lease;
    event->op.span = reply->span;
    event->record = (struct fb_meta){.value = {.low = content}, .size = first};
}

/* What a reply leaves of the request. */
enum swarm_gather_rest swarm_gather_rest(const struct swarm_request *request,
                                         const struct fb_reply *reply)
{
    if (reply->item == FB_NONE)
        return GATHER_AGAIN;
    if (request->known < range_count(request))
        return GATHER_MORE;
    return request->is_partial ? GATHER_AGAIN : GATHER_OVER;
}

/* A range's lease ends. */
void swarm_item_release(struct swarm *swarm, struct swarm_event *event)
{
    struct swarm_node *host = &swarm->nodes[event->node];
    if (event->life != host->life)
        return;
    if (host->ready_ns > swarm->now_ns) {
        swarm_push_again(swarm, event, host->ready_ns);
        return;
    }
    bool is_steady =
        range_holds(swarm, &event->op.span, event->record.value.low, (uint32_t)event->record.size);
    if (!swarm_judge(swarm, FB_SWARM_CHECK_steady_lease, is_steady,
                     "the bytes of a gather's range changed before its release"))
        return;
    range_read(swarm, event->node, &event->op.span, UINT16_MAX);
    const struct fb_event release = {
        .kind = FB_EVENT_REQUEST, .request = {.kind = FB_REQUEST_RELEASE, .lease = event->detail}};
    swarm_node_step(swarm, event->node, &release);
}

/* Twice as long as it is held, or half. */
static uint64_t pin_ttl_ns(const struct swarm_request *request)
{
    uint64_t hold_ns = request->what.hold_ns;
    return request->what.count % 2 == 0 ? 2 * hold_ns + 1 : hold_ns / 2 + 1;
}

void swarm_ask_pin(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    request->block =
        origin_block(swarm, request->what.object, request->what.index % 8, &request->content);
    out->kind = FB_REQUEST_PIN;
    out->ttl_ns = pin_ttl_ns(request);
}

void swarm_ask_prefetch(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    request->block =
        origin_block(swarm, request->what.object, request->what.index % 8, &request->content);
    out->kind = FB_REQUEST_PREFETCH;
}

void swarm_judge_pin(struct swarm *swarm, struct swarm_request *request,
                     const struct fb_reply *reply)
{
    bool is_sane =
        reply->status != FB_ABSENT && reply->status != FB_LOST && reply->status != FB_INVALID;
    swarm_judge(swarm, FB_SWARM_CHECK_sane_reply, is_sane, "pin %u is answered %s",
                swarm_index(swarm, request), fb_status_name((enum fb_status)reply->status));
    request->known = swarm_node_now_ns(swarm, request->what.node) + pin_ttl_ns(request);
}

/* The pin is taken back; until then, or its end, the block was there. */
void swarm_unpin(struct swarm *swarm, const struct swarm_request *request)
{
    uint32_t node = request->what.node;
    const struct fb_node *core = swarm->nodes[node].core;
    bool is_over = swarm_node_now_ns(swarm, node) >= request->known;
    swarm_judge(swarm, FB_SWARM_CHECK_pin_kept, is_over || fb_node_holds(core, request->block.key),
                "node %u does not have the block that pin %u keeps there", node,
                swarm_index(swarm, request));
    const struct fb_event unpin = {.kind = FB_EVENT_REQUEST,
                                   .request = {.kind = FB_REQUEST_UNPIN, .lease = request->lease}};
    swarm_node_step(swarm, node, &unpin);
}
