/* The metadata store (R14) and its judge: names whose records change by compare-and-swap.
 *
 * The store keeps every version that it ever had; each commit's value is its own, so a reply can be
 * held against the history:
 *     commit OK        that version is this commit's
 *     commit CONFLICT  the record is one that was; none of this commit's is there
 *     commit BUSY, THROTTLED   it was not applied, and never will be
 *     commit TIMEOUT   nothing is known
 *     lookup           the record is one that was, and no older than when it was asked
 * A PUT takes effect between its op and its DONE; one that breaks off has taken effect, or has not,
 * or will later. */
#include "sim/swarm/swarm_internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static struct swarm_name *name_of(struct swarm *swarm, struct fb_key key)
{
    FB_ASSERT(key.high < SWARM_NAMES);
    return &swarm->names[key.high];
}

static const struct fb_meta *name_version(const struct swarm_name *name, uint64_t version)
{
    return version > 0 && version <= name->count ? &name->history[version - 1] : NULL;
}

static bool meta_equal(const struct fb_meta *a, const struct fb_meta *b)
{
    return a->version == b->version && fb_key_equal(a->value, b->value) && a->size == b->size;
}

/* Is a version of this value there? */
static bool name_has(const struct swarm_name *name, struct fb_key value)
{
    for (uint32_t i = 0; i < name->count; i++) {
        if (fb_key_equal(name->history[i].value, value))
            return true;
    }
    return false;
}

/* The compare-and-swap itself; false: another version is there. */
static bool name_put(struct swarm_name *name, const struct fb_meta *record)
{
    if (record->version != name->count)
        return false;
    name->history =
        fb_grow(name->history, name->count + 1, sizeof(*name->history), "versions", NULL);
    struct fb_meta *made = &name->history[name->count++];
    *made = *record;
    made->version = name->count;
    return true;
}

static struct fb_meta name_record(const struct swarm_name *name)
{
    return name->count > 0 ? name->history[name->count - 1] : (struct fb_meta){.version = 0};
}

void swarm_meta_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns)
{
    uint32_t node = event->node;
    *delay_ns = swarm_spread(swarm, node, swarm->plan->message_ns * 4);
    const struct fb_swarm_fault *slow = swarm_fault(swarm, FB_SWARM_FAULT_meta_slow, node, FB_NONE);
    if (slow != NULL)
        *delay_ns += swarm_draw(swarm, node, slow->extra_ns + 1);
    if (swarm_fault(swarm, FB_SWARM_FAULT_meta_throttle, node, FB_NONE))
        event->status = FB_THROTTLED;
    else if (swarm_fault(swarm, FB_SWARM_FAULT_meta_error, node, FB_NONE))
        event->status = swarm_draw(swarm, node, 2) == 0 ? FB_IO : FB_TIMEOUT;
}

/* The op is at the store; also one whose node is no more. What broke off arrives or not. */
void swarm_meta_effect(struct swarm *swarm, struct swarm_event *event)
{
    struct swarm_name *name = name_of(swarm, event->op.block.key);
    bool is_put = event->op.kind == FB_OP_META_PUT;
    uint64_t most = 32 * swarm->plan->message_ns + 2 * swarm->plan->config.backoff_ns;
    if (event->status == FB_THROTTLED)
        return;
    if (event->status != FB_OK) {
        uint64_t fate = is_put ? swarm_draw(swarm, event->node, 3) : 0;
        if (fate == 1 && name_put(name, &event->op.record))
            swarm_saw(swarm, FB_SWARM_SIGHT_commit_unanswered);
        struct swarm_event late = *event;
        late.kind = SWARM_LATE;
        if (fate == 2)
            swarm_push_again(swarm, &late,
                             event->detail + 1 + swarm_draw(swarm, event->node, most));
        return;
    }
    if (is_put && !name_put(name, &event->op.record))
        event->status = FB_CONFLICT;
    if (!is_put && name->count == 0)
        event->status = FB_ABSENT;
    event->record = name_record(name);
}

/* Comes once more, after its answer: a PUT that was long under way. */
void swarm_meta_late(struct swarm *swarm, const struct swarm_event *event)
{
    if (event->op.kind >= FB_OP_META_LIST) {
        swarm_name_late(swarm, event);
        return;
    }
    if (name_put(name_of(swarm, event->op.block.key), &event->op.record))
        swarm_saw(swarm, FB_SWARM_SIGHT_commit_late);
}

void swarm_ask_lookup(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    out->kind = FB_REQUEST_LOOKUP;
    request->block = (struct fb_block){.key = {.high = request->what.object % SWARM_RECORDS},
                                       .object = FB_OBJECT_NONE};
    request->known = name_of(swarm, request->block.key)->count;
}

void swarm_ask_commit(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    uint32_t index = swarm_index(swarm, request);
    out->kind = FB_REQUEST_COMMIT;
    request->block = (struct fb_block){.key = {.high = request->what.object % SWARM_RECORDS},
                                       .object = FB_OBJECT_NONE};
    struct swarm_name *name = name_of(swarm, request->block.key);
    request->known = name->seen[request->what.node]; /* by this client */
    out->record = (struct fb_meta){.version = request->known,
                                   .value = {.high = (uint64_t)request->tries << 32 | (index + 1),
                                             .low = request->what.object % SWARM_WRITTEN_OBJECTS},
                                   .size = request->what.size};
    request->value = out->record.value;
}

static void judge_record(struct swarm *swarm, const struct swarm_request *request,
                         const struct fb_reply *reply, const char *what)
{
    const struct swarm_name *name = name_of(swarm, request->block.key);
    const struct fb_meta *there = name_version(name, reply->record.version);
    bool is_there = there != NULL && meta_equal(there, &reply->record);
    swarm_judge(swarm, FB_SWARM_CHECK_commit_is_linear, is_there,
                "%s %u of name %u is given version %llu, which never was so", what,
                swarm_index(swarm, request), (uint32_t)request->block.key.high,
                (unsigned long long)reply->record.version);
}

static void learn(struct swarm *swarm, const struct swarm_request *request,
                  const struct fb_reply *reply)
{
    name_of(swarm, request->block.key)->seen[request->what.node] = reply->record.version;
}

void swarm_judge_lookup(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply)
{
    bool is_absent = reply->status == FB_ABSENT;
    if (reply->status == FB_OK)
        judge_record(swarm, request, reply, "lookup");
    uint64_t version = is_absent ? 0 : reply->record.version;
    if (reply->status != FB_OK && !is_absent)
        return;
    learn(swarm, request, reply);
    swarm_judge(swarm, FB_SWARM_CHECK_commit_is_linear, version >= request->known,
                "lookup %u of name %u gives version %llu, and %llu was there when it was asked",
                swarm_index(swarm, request), (uint32_t)request->block.key.high,
                (unsigned long long)version, (unsigned long long)request->known);
}

void swarm_judge_commit(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply)
{
    const struct swarm_name *name = name_of(swarm, request->block.key);
    bool has = name_has(name, request->value);
    if (reply->status == FB_OK || reply->status == FB_CONFLICT) {
        if (reply->status == FB_OK || reply->record.version > 0)
            judge_record(swarm, request, reply, "commit");
        learn(swarm, request, reply);
        bool is_ours = reply->record.version == request->known + 1 &&
                       fb_key_equal(reply->record.value, request->value);
        swarm_judge(swarm, FB_SWARM_CHECK_commit_is_linear, is_ours == (reply->status == FB_OK),
                    "commit %u of name %u is answered %s with version %llu, over %llu",
                    swarm_index(swarm, request), (uint32_t)request->block.key.high,
                    fb_status_name((enum fb_status)reply->status),
                    (unsigned long long)reply->record.version, (unsigned long long)request->known);
    }
    if (reply->status != FB_OK && reply->status != FB_TIMEOUT)
        swarm_judge(swarm, FB_SWARM_CHECK_commit_is_linear, !has,
                    "commit %u of name %u is answered %s, and it was applied",
                    swarm_index(swarm, request), (uint32_t)request->block.key.high,
                    fb_status_name((enum fb_status)reply->status));
}

void swarm_names_free(struct swarm *swarm)
{
    for (uint32_t i = 0; i < SWARM_NAMES; i++) {
        free(swarm->names[i].history);
        free(swarm->names[i].past);
        free(swarm->names[i].gone);
    }
}
