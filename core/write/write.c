/* A client's durable write: its bytes into memory, as a fill, then to those who shall hold them.
 *
 *     write_request --not here--> fill pulls the client's bytes --> write_spread --> put.c
 *         |---------here, its digest known------------------------------^
 *         '---------on its way otherwise, no room, no record----------> BUSY, or the refusal */
#include "core/write/write.h"

#include "core/read/read.h"
#include "core/tier/tier.h"

/* A copy that was read without a digest can't be promised: it goes, and the client's bytes are
 * pulled. False: it is none, or in use still. */
static bool write_forgets(struct fb_node *node, uint32_t slot)
{
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state != ENTRY_FREE);
    bool is_unknown = entry->state == ENTRY_RESIDENT && entry->digest == 0;
    FB_ASSERT(!is_unknown || !(entry->flags & ENTRY_DIRTY));
    if (!is_unknown || memory_drop(node, slot))
        return is_unknown;
    entry->flags |= ENTRY_TRANSIENT;
    return false;
}

/* The bytes are in memory: mark them and spread them, or say why not. */
static void write_spread(struct step *step, const struct waiter *waiter, uint32_t slot,
                         const struct fb_block *block)
{
    struct fb_node *node = step->node;
    FB_ASSERT(waiter->kind == WAITER_WRITE);
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    bool is_kept = (node_entries(node)[slot].flags & ENTRY_DIRTY) != 0;
    bool is_spreading = put_of_slot(node, slot);
    bool has_room = node->put_free != FB_NONE && (is_kept || memory_may_keep(node, block->size));
    if (!is_spreading && has_room && dirty_mark(node, slot, block) &&
        put_begin(node, slot, waiter->level, waiter->id, true))
        return;
    enum fb_status status = is_spreading ? FB_BUSY : refused_verdict(node);
    tell_status(node, is_spreading ? FB_WHY_VERSIONS : FB_WHY_NO_PUT, FB_NONE, status);
    get_refuse(step, waiter->id, status);
}

/* A durable write: the client's bytes into memory first, then to those who shall hold them. A block
 * that is being acquired otherwise is BUSY: versions are never mixed. */
void write_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    FB_ASSERT(request->kind == FB_REQUEST_WRITE);
    const struct waiter waiter = {.id = request->request_id,
                                  .since_ns = node->now_ns,
                                  .next = FB_NONE,
                                  .peer = FB_NONE,
                                  .kind = WAITER_WRITE,
                                  .level = (uint8_t)request->level};
    uint32_t slot = fb_cache_find(node_cache(node), request->block.key);
    if (!get_is_sane(node, &request->block) || request->level >= FB_LEVEL_VOLATILE ||
        request->block.object == FB_OBJECT_NONE || request->span.size != request->block.size) {
        get_refuse(step, request->request_id, FB_INVALID);
        return;
    }
    if (slot != FB_NONE && write_forgets(node, slot))
        slot = FB_NONE;
    if (node_is_recovering(node)) {
        tell_why(node, FB_WHY_NOT_SETTLED);
        get_refuse(step, request->request_id, FB_BUSY);
    } else if (!put_may_hold(node, request->level)) {
        tell_why(node, FB_WHY_TOO_FEW);
        get_refuse(step, request->request_id, FB_DEGRADED);
    } else if (slot == FB_NONE) {
        bool has_room = memory_may_keep(node, request->block.size);
        bool has_records = node->waiter_free != FB_NONE && node->fill_free != FB_NONE;
        enum fb_status status = !has_room || has_records ? refused_verdict(node) : FB_BUSY;
        if (has_room && get_fill(step, request, slot, &waiter))
            return;
        tell_status(node, FB_WHY_NO_PUT, FB_NONE, status);
        get_refuse(step, request->request_id, status);
    } else if (node_entries(node)[slot].state == ENTRY_RESIDENT) {
        write_spread(step, &waiter, slot, &request->block);
    } else {
        tell_why(node, FB_WHY_VERSIONS);
        get_refuse(step, request->request_id, FB_BUSY);
    }
}

void write_filled(struct step *step, const struct waiter *waiter, const struct fill *fill)
{
    FB_ASSERT(waiter->kind == WAITER_WRITE);
    FB_ASSERT(fill->state == FILL_ANSWERING || fill->state == FILL_FAILING);
    if (fill->state == FILL_ANSWERING) {
        write_spread(step, waiter, fill->slot, &fill->block);
        return;
    }
    enum fb_status status = fill_status(fill);
    get_refuse(step, waiter->id, status == FB_BUSY ? refused_verdict(step->node) : status);
}
