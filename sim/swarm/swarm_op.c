/* Ops from READ on: when they end, what they move, and what goes wrong with them.
 *
 * The target is poisoned when an op is issued. Half of it arrives at one moment (SWARM_HALF), the
 * rest at another (SWARM_DONE), and only then the node hears of it (R3). Until then target and
 * source belong to the op: nobody else may write them (R4), but for the memory of a peer, which is
 * only lent (R5). */
#include "sim/swarm/swarm_internal.h"
#include "sim/swarm/swarm_store.h"

static_assert(FB_READ_ONLY == FB_DENIED + 1 && FB_REFUSED == FB_DENIED + 2 &&
                  FB_TOO_LARGE == FB_DENIED + 3,
              "drawn as one of four");

/* What an op reads and writes of its own node's memory. */
static bool op_writes_memory(uint32_t kind)
{
    return kind == FB_OP_READ || kind == FB_OP_PULL || kind == FB_OP_FETCH ||
           kind == FB_OP_ENCODE || kind == FB_OP_DECODE;
}

static void op_claim(struct swarm *swarm, uint32_t node, const struct fb_op *op, uint32_t first)
{
    struct swarm_node *host = &swarm->nodes[node];
    uint32_t count = swarm_units(swarm, op->span.size);
    bool does_write = op_writes_memory(op->kind);
    for (uint32_t i = first; i < first + count; i++) {
        bool is_free = host->writers[i] == 0 && (!does_write || host->readers[i] == 0);
        if (!swarm_judge(swarm, FB_SWARM_CHECK_span_unshared, is_free,
                         "node %u: op %u of kind %u uses unit %u, which %u ops write and %u ops "
                         "or leases read",
                         node, (uint32_t)op->op_id, op->kind, i, host->writers[i],
                         host->readers[i]))
            return;
        if (does_write)
            host->writers[i]++;
        else
            host->readers[i]++;
    }
    if (!does_write)
        return;
    swarm_check_write(swarm, node, first, count);
    swarm_poison(swarm, node, host->memory + first, count);
}

static void op_unclaim(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    struct swarm_node *host = &swarm->nodes[node];
    uint32_t first = (uint32_t)(op->span.offset / swarm->unit_bytes);
    uint32_t count = swarm_units(swarm, op->span.size);
    for (uint32_t i = first; i < first + count; i++) {
        FB_ASSERT((op_writes_memory(op->kind) ? host->writers[i] : host->readers[i]) > 0);
        if (op_writes_memory(op->kind))
            host->writers[i]--;
        else
            host->readers[i]--;
    }
}

static uint64_t device_delay_ns(struct swarm *swarm, uint32_t node)
{
    uint64_t delay_ns = swarm_spread(swarm, node, swarm->plan->device_ns);
    const struct fb_swarm_fault *slow =
        swarm_fault(swarm, FB_SWARM_FAULT_device_slow, node, FB_NONE);
    return slow != NULL ? delay_ns + swarm_draw(swarm, node, slow->extra_ns + 1) : delay_ns;
}

static void device_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns)
{
    uint32_t node = event->node, first;
    *delay_ns = device_delay_ns(swarm, node);
    if (!swarm_place(swarm, node, &event->op.source, FB_REGION_DEVICE, &first))
        return;
    bool is_read = event->op.kind == FB_OP_READ;
    if (is_read && swarm_fault(swarm, FB_SWARM_FAULT_read_error, node, FB_NONE)) {
        event->status = FB_IO;
        swarm_copy_unread(swarm, node, &event->op.block);
    }
    if (!is_read && swarm_fault(swarm, FB_SWARM_FAULT_write_error, node, FB_NONE))
        event->status = FB_IO;
    if (!is_read && swarm_fault(swarm, FB_SWARM_FAULT_device_full, node, FB_NONE))
        event->status = FB_FULL;
}

static void origin_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns)
{
    uint32_t node = event->node;
    *delay_ns = swarm_spread(swarm, node, swarm->plan->origin_ns);
    const struct fb_swarm_fault *slow =
        swarm_fault(swarm, FB_SWARM_FAULT_origin_slow, node, FB_NONE);
    if (slow != NULL)
        *delay_ns += swarm_draw(swarm, node, slow->extra_ns + 1);
    if (swarm_fault(swarm, FB_SWARM_FAULT_origin_error, node, FB_NONE))
        event->status = FB_IO;
    if (swarm_fault(swarm, FB_SWARM_FAULT_origin_throttle, node, FB_NONE))
        event->status = FB_THROTTLED;
    if (swarm_fault(swarm, FB_SWARM_FAULT_origin_refusal, node, FB_NONE))
        event->status = (enum fb_status)(FB_DENIED + swarm_draw(swarm, node, 4));
}

static void pull_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns)
{
    uint32_t node = event->node, peer = event->op.source.peer, first;
    *delay_ns = swarm_spread(swarm, node, swarm->plan->pull_ns);
    if (event->op.source.region == FB_REGION_CLIENT)
        return;
    bool is_known = peer < swarm->plan->nodes && peer != node;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_known_target, is_known, "node %u pulls from node %u",
                     node, peer))
        return;
    if (!swarm_place(swarm, peer, &event->op.source, FB_REGION_MEMORY, &first))
        return;
    event->source_life = swarm->nodes[peer].life;
    event->offered = swarm->nodes[peer].memory[first];
    const struct fb_swarm_fault *slow = swarm_fault(swarm, FB_SWARM_FAULT_pull_slow, node, FB_NONE);
    if (slow != NULL)
        *delay_ns += swarm_draw(swarm, node, slow->extra_ns + 1);
    uint64_t clog_ns = swarm_clog_ns(swarm, peer, node);
    if (clog_ns > swarm->now_ns)
        *delay_ns += clog_ns - swarm->now_ns;
    if (!swarm->plan->is_one_sided && swarm->nodes[peer].ready_ns > swarm->now_ns)
        *delay_ns += swarm->nodes[peer].ready_ns - swarm->now_ns;
    if (swarm_fault(swarm, FB_SWARM_FAULT_pull_error, node, FB_NONE))
        event->status = FB_GONE;
}

static void compute_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns)
{
    *delay_ns = 1 + swarm_draw(swarm, event->node, 20000);
    if (swarm_fault(swarm, FB_SWARM_FAULT_digest_error, event->node, FB_NONE)) {
        event->status = FB_IO;
        swarm_copy_unread(swarm, event->node, &event->op.block);
    }
}

static void scan_begin(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    struct swarm_event event = {.kind = SWARM_DONE,
                                .node = node,
                                .life = swarm->nodes[node].life,
                                .op = *op,
                                .is_moved = true};
    if (swarm_fault(swarm, FB_SWARM_FAULT_read_error, node, FB_NONE)) {
        event.status = FB_IO;
        swarm_copies_unscanned(swarm, node);
    }
    swarm_push_again(swarm, &event, swarm->now_ns + device_delay_ns(swarm, node));
    swarm->nodes[node].ops_open++;
}

/* An op on no memory. */
static void meta_begin(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    struct swarm_event event = {
        .kind = SWARM_HALF, .node = node, .life = swarm->nodes[node].life, .op = *op};
    uint64_t delay_ns = 1;
    if (fb_membership_guards_op(op->kind) && swarm_member_is_fenced(swarm, node)) {
        event.kind = SWARM_DONE;
        event.status = event.said.status = FB_GONE;
    } else if (op->kind >= FB_OP_META_LIST)
        swarm_name_begin(swarm, &event, &delay_ns);
    else
        swarm_meta_begin(swarm, &event, &delay_ns);
    event.detail = swarm->now_ns + delay_ns;
    swarm_push_again(swarm, &event, swarm->now_ns + swarm_draw(swarm, node, delay_ns + 1));
    swarm->nodes[node].ops_open++;
}

/* ENCODE: what it reads of its own node's memory beside its span. */
static void encode_claim(struct swarm *swarm, uint32_t node, const struct fb_op *op, uint32_t by)
{
    uint32_t first;
    if (op->kind != FB_OP_ENCODE ||
        !swarm_place(swarm, node, &op->source, FB_REGION_MEMORY, &first))
        return;
    for (uint32_t i = first; i < first + swarm_units(swarm, op->source.size); i++)
        swarm->nodes[node].readers[i] = (uint16_t)(swarm->nodes[node].readers[i] + by);
}

void swarm_op(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    uint32_t first;
    if (op->kind == FB_OP_META_GET || op->kind == FB_OP_META_PUT || op->kind >= FB_OP_META_LIST) {
        meta_begin(swarm, node, op);
        return;
    }
    if (op->kind == FB_OP_MARK) {
        swarm_drive_mark(swarm, node, op);
        return;
    }
    if (op->kind == FB_OP_SCAN) {
        scan_begin(swarm, node, op);
        return;
    }
    if (!swarm_place(swarm, node, &op->span, FB_REGION_MEMORY, &first))
        return;
    op_claim(swarm, node, op, first);
    encode_claim(swarm, node, op, 1);
    struct swarm_event event = {.kind = SWARM_HALF,
                                .node = node,
                                .life = swarm->nodes[node].life,
                                .op = *op,
                                .status = FB_OK};
    if (op->kind == FB_OP_ENCODE || op->kind == FB_OP_DECODE)
        event.fragments = *op->fragments;
    uint64_t delay_ns = 1;
    if (op->kind == FB_OP_READ || op->kind == FB_OP_WRITE)
        device_begin(swarm, &event, &delay_ns);
    else if (op->kind == FB_OP_PULL)
        pull_begin(swarm, &event, &delay_ns);
    else if (op->kind == FB_OP_FETCH || op->kind == FB_OP_STORE)
        origin_begin(swarm, &event, &delay_ns);
    else
        compute_begin(swarm, &event, &delay_ns);
    event.detail = swarm->now_ns + delay_ns;
    swarm_push_again(swarm, &event, swarm->now_ns + swarm_draw(swarm, node, delay_ns + 1));
    swarm->nodes[node].ops_open++;
}

/* Copies a half of the op; the words come from `source`, or are of `content`. */
static void move_words(struct swarm *swarm, const struct swarm_event *event, const uint64_t *source,
                       uint64_t content)
{
    uint32_t count = swarm_units(swarm, event->op.span.size), half = count / 2;
    uint64_t *target = swarm->nodes[event->node].memory + event->op.span.offset / swarm->unit_bytes;
    uint32_t from = event->kind == SWARM_HALF ? 0 : half;
    uint32_t to = event->kind == SWARM_HALF ? half : count;
    for (uint32_t i = from; i < to; i++)
        target[i] = source != NULL ? source[i] : swarm_word(content, i);
}

static void pull_move(struct swarm *swarm, struct swarm_event *event)
{
    const struct fb_span *source = &event->op.source;
    if (source->region == FB_REGION_CLIENT) {
        FB_ASSERT(source->offset < swarm->request_count);
        const struct swarm_request *request = &swarm->requests[source->offset];
        bool is_open = request->state == REQUEST_OPEN;
        swarm_judge(swarm, FB_SWARM_CHECK_client_span, is_open,
                    "node %u reads the bytes of request %u after its reply", event->node,
                    (uint32_t)source->offset);
        move_words(swarm, event, NULL, request->content);
        return;
    }
    struct swarm_node *peer = &swarm->nodes[source->peer];
    bool is_restarted = peer->life != event->source_life;
    bool is_cut = swarm_is_cut(swarm, source->peer, event->node) ||
                  swarm_is_cut(swarm, event->node, source->peer);
    /* A transport that knows of lives breaks off; one that does not reads what is there now. */
    if (!peer->is_up || is_cut || (is_restarted && swarm_draw(swarm, event->node, 2) == 0)) {
        event->status = FB_GONE;
        return;
    }
    const uint64_t *words = peer->memory + source->offset / swarm->unit_bytes;
    if (is_restarted)
        swarm_saw(swarm, FB_SWARM_SIGHT_restarted_memory_pulled);
    else if (words[0] != event->offered)
        swarm_saw(swarm, FB_SWARM_SIGHT_old_memory_pulled);
    move_words(swarm, event, words, 0);
}

static void read_move(struct swarm *swarm, struct swarm_event *event)
{
    struct swarm_node *host = &swarm->nodes[event->node];
    uint64_t *words = host->device + event->op.source.offset / swarm->unit_bytes;
    move_words(swarm, event, words, 0);
    if (event->kind == SWARM_HALF ||
        !swarm_fault(swarm, FB_SWARM_FAULT_corrupt_read, event->node, FB_NONE))
        return;
    uint32_t count = swarm_units(swarm, event->op.span.size);
    uint32_t unit = (uint32_t)swarm_draw(swarm, event->node, count);
    swarm_copy_unread(swarm, event->node, &event->op.block);
    host->memory[event->op.span.offset / swarm->unit_bytes + unit] ^= 1u << 7;
}

/* What nobody has stored there the origin does not have. An object is read as it was at first. */
static void fetch_move(struct swarm *swarm, struct swarm_event *event)
{
    const struct fb_block *block = &event->op.block;
    const struct swarm_durable *durable = swarm_durable_find(swarm, block);
    bool is_written = block->object >= SWARM_WRITTEN_FIRST;
    if (is_written && (durable == NULL || !durable->is_stored)) {
        event->status = FB_ABSENT;
        return;
    }
    if (event->kind == SWARM_HALF)
        event->offered = is_written ? durable->stored : swarm_content(block->object, block->offset);
    move_words(swarm, event, NULL, event->offered);
}

/* One that broke off has stored its bytes, or has not. */
static void store_move(struct swarm *swarm, struct swarm_event *event)
{
    bool is_done = event->status == FB_OK ||
                   (event->status == FB_IO && swarm_draw(swarm, event->node, 2) == 0);
    if (event->kind == SWARM_DONE && is_done)
        swarm_stored(swarm, event);
}

static void code_move(struct swarm *swarm, struct swarm_event *event)
{
    if (event->kind == SWARM_HALF)
        return;
    if (event->op.kind == FB_OP_ENCODE)
        swarm_encode(swarm, event);
    else if (!swarm_decode(swarm, event))
        event->status = FB_INVALID;
}

static void op_move(struct swarm *swarm, struct swarm_event *event)
{
    if (event->op.kind == FB_OP_STORE)
        store_move(swarm, event);
    if (event->status != FB_OK)
        return;
    if (event->op.kind == FB_OP_FETCH)
        fetch_move(swarm, event);
    else if (event->op.kind == FB_OP_ENCODE || event->op.kind == FB_OP_DECODE)
        code_move(swarm, event);
    else if (event->op.kind == FB_OP_PULL)
        pull_move(swarm, event);
    else if (event->op.kind == FB_OP_READ)
        read_move(swarm, event);
    else if (event->op.kind == FB_OP_WRITE)
        swarm_drive_write(swarm, event);
}

static bool is_meta(const struct swarm_event *event)
{
    return event->op.kind == FB_OP_META_GET || event->op.kind == FB_OP_META_PUT ||
           event->op.kind >= FB_OP_META_LIST;
}

void swarm_op_half(struct swarm *swarm, struct swarm_event *event)
{
    FB_ASSERT(event->kind == SWARM_HALF);
    if (event->op.kind >= FB_OP_META_LIST)
        swarm_name_effect(swarm, event);
    else if (is_meta(event))
        swarm_meta_effect(swarm, event);
    if (event->life != swarm->nodes[event->node].life)
        return;
    struct swarm_event rest = *event;
    if (!is_meta(event))
        op_move(swarm, &rest);
    rest.kind = SWARM_DONE;
    swarm_push_again(swarm, &rest, rest.detail);
}

static uint64_t op_digest(struct swarm *swarm, const struct swarm_event *event)
{
    const struct swarm_node *host = &swarm->nodes[event->node];
    const struct fb_span *span = &event->op.span;
    uint64_t digest = swarm_digest(host->memory + span->offset / swarm->unit_bytes,
                                   swarm_units(swarm, span->size), span->size);
    if (!swarm_fault(swarm, FB_SWARM_FAULT_digest_wrong, event->node, FB_NONE))
        return digest;
    swarm_copy_unread(swarm, event->node, &event->op.block);
    return digest ^ swarm_draw(swarm, event->node, UINT64_MAX);
}

void swarm_op_done(struct swarm *swarm, struct swarm_event *event)
{
    struct swarm_node *host = &swarm->nodes[event->node];
    if (event->life != host->life)
        return; /* the node that wanted it is no more */
    if (!event->is_moved && !is_meta(event))
        op_move(swarm, event);
    event->is_moved = true;
    if (host->ready_ns > swarm->now_ns) {
        swarm_push_again(swarm, event, host->ready_ns);
        return;
    }
    if (event->op.kind != FB_OP_SCAN && !is_meta(event)) {
        op_unclaim(swarm, event->node, &event->op);
        encode_claim(swarm, event->node, &event->op, UINT16_MAX);
    }
    FB_ASSERT(host->ops_open > 0);
    host->ops_open--;
    if (op_writes_memory(event->op.kind))
        swarm_filled(swarm, event->node, &event->op.block);
    struct fb_event done = {
        .kind = FB_EVENT_DONE,
        .done = {.op_id = event->op.op_id, .status = event->status},
    };
    if (event->op.kind == FB_OP_DIGEST && event->status == FB_OK)
        done.done.digest = op_digest(swarm, event);
    if (event->op.kind == FB_OP_SCAN)
        swarm_drive_scan(swarm, event, &done.done);
    if (event->op.kind >= FB_OP_META_LIST) {
        done.done = event->said;
        done.done.op_id = event->op.op_id;
    } else if (is_meta(event)) {
        done.done.record = event->record;
    }
    if (event->op.kind == FB_OP_WRITE && event->status == FB_OK)
        swarm_drive_written(swarm, event->node, &event->op);
    uint64_t lost = fb_node_stats(host->core)->names_lost;
    swarm_node_step(swarm, event->node, &done);
    if (fb_node_stats(host->core)->names_lost > lost)
        swarm_name_lost(swarm, event);
}
