/* The nodes' drives: bytes, headers beside each chunk (R16), and what goes wrong with them.
 *
 * Only the WRITE of an OWED block is flushed when it is done. Of others a loss of power takes what
 * it likes: the bytes, the header, both or neither. A crash tears what is under way: half of its
 * bytes are there, and its header is not. While a node is down headers and bytes may be damaged:
 * the driver tells a damaged header and gives none; bytes it can not tell. */
#include "sim/swarm_internal.h"

#include <string.h>

/* Writes go to the device in one piece at the end, if at all. */
void swarm_drive_write(struct swarm *swarm, struct swarm_event *event)
{
    struct swarm_node *host = &swarm->nodes[event->node];
    uint32_t node = event->node;
    uint32_t count = swarm_units(swarm, event->op.span.size);
    uint32_t at = (uint32_t)(event->op.source.offset / swarm->unit_bytes);
    const uint64_t *source = host->memory + event->op.span.offset / swarm->unit_bytes;
    if (event->kind == SWARM_HALF || swarm_fault(swarm, FB_SWARM_FAULT_lost_write, node, FB_NONE))
        return;
    if (swarm_fault(swarm, FB_SWARM_FAULT_torn_write, node, FB_NONE))
        count /= 2;
    if (swarm_fault(swarm, FB_SWARM_FAULT_misdirected_write, node, FB_NONE))
        at = (uint32_t)swarm_draw(swarm, node, host->device_units - count + 1);
    memcpy(host->device + at, source, count * sizeof(*source));
    memset(host->unflushed + at, 1, count);
}

/* A write is done: its header is kept, and what is owed has been flushed. */
void swarm_drive_written(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    struct swarm_node *host = &swarm->nodes[node];
    const struct fb_header header = fb_header_of_write(op);
    uint64_t first = header.position / swarm->unit_bytes;
    fb_header_put(host->pages[first / FB_UNITS_PER_CHUNK], swarm->unit_bytes, &header);
    if (header.state == FB_HEADER_OWED)
        memset(host->unflushed + first, 0, swarm_units(swarm, header.size));
    swarm_copy_written(swarm, node, op);
}

/* MARK: one in 16 is lost, as in a crash (R16). */
void swarm_drive_mark(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    uint32_t first;
    if (!swarm_place(swarm, node, &op->source, FB_REGION_DEVICE, &first))
        return;
    if (swarm_draw(swarm, node, 16) > 0)
        fb_header_settle(swarm->nodes[node].pages[first / FB_UNITS_PER_CHUNK], swarm->unit_bytes,
                         op->source.offset);
}

/* SCAN, when it is done. */
void swarm_drive_scan(struct swarm *swarm, const struct swarm_event *event, struct fb_done *done)
{
    struct swarm_node *host = &swarm->nodes[event->node];
    done->next = event->op.source.offset;
    if (done->status != FB_OK)
        return;
    if (!fb_header_scan(host->pages, host->chunks, &done->next, &done->header))
        *done = (struct fb_done){.op_id = done->op_id, .status = FB_ABSENT};
}

/* What was being written is there by half, without its header. */
static void drive_tear(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    for (uint32_t i = 0; i < swarm->event_max; i++) {
        const struct swarm_event *event = &swarm->events[i];
        bool is_write = event->is_queued && event->op.kind == FB_OP_WRITE &&
                        (event->kind == SWARM_HALF || event->kind == SWARM_DONE);
        if (!is_write || event->node != node || event->life != host->life || event->is_moved ||
            swarm_draw(swarm, node, 2) == 0)
            continue;
        uint64_t at = event->op.source.offset / swarm->unit_bytes;
        uint64_t from = event->op.span.offset / swarm->unit_bytes;
        uint32_t count = (swarm_units(swarm, event->op.span.size) + 1) / 2;
        memcpy(host->device + at, host->memory + from, count * sizeof(*host->device));
        swarm_saw(swarm, FB_SWARM_SIGHT_write_torn);
    }
}

/* The power is gone before a flush. */
static void drive_drop_unflushed(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    for (uint32_t chunk = 0; chunk < host->chunks; chunk++) {
        uint64_t first = (uint64_t)chunk * FB_UNITS_PER_CHUNK;
        for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
            struct fb_header *header = &host->pages[chunk]->headers[unit];
            if (header->state != FB_HEADER_CLEAN || !host->unflushed[first + unit])
                continue;
            if (swarm_draw(swarm, node, 2) == 0)
                swarm_poison(swarm, node, host->device + first + unit,
                             swarm_units(swarm, header->size));
            if (swarm_draw(swarm, node, 4) == 0)
                *header = (struct fb_header){.state = FB_HEADER_NONE};
            swarm_saw(swarm, FB_SWARM_SIGHT_unflushed_lost);
        }
    }
    memset(host->unflushed, 0, host->device_units);
}

/* The node stops; host->life is still that of what was under way. */
void swarm_drive_crash(struct swarm *swarm, uint32_t node, bool is_power_cut)
{
    drive_tear(swarm, node);
    if (is_power_cut)
        drive_drop_unflushed(swarm, node);
}

static void header_damage(struct swarm *swarm, uint32_t node, struct fb_header *header)
{
    struct swarm_node *host = &swarm->nodes[node];
    uint64_t first = header->position / swarm->unit_bytes;
    if (swarm_fault(swarm, FB_SWARM_FAULT_block_damaged, node, FB_NONE)) {
        swarm_copy_damaged(swarm, node, header->key, FB_PROMISE_block_damaged);
        host->device[first + swarm_draw(swarm, node, swarm_units(swarm, header->size))] ^= 1u << 5;
    }
    if (swarm_fault(swarm, FB_SWARM_FAULT_header_damaged, node, FB_NONE)) {
        swarm_copy_damaged(swarm, node, header->key, FB_PROMISE_header_damaged);
        *header = (struct fb_header){.state = FB_HEADER_NONE};
    }
}

/* The node is about to start again: what happened to its drive meanwhile. */
void swarm_drive_restart(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    bool is_lost = !host->is_drive_safe && swarm_draw(swarm, node, 4) == 0;
    if (is_lost)
        swarm_copies_strike(swarm, node, FB_PROMISE_drive_lost);
    for (uint32_t chunk = 0; chunk < host->chunks; chunk++) {
        struct fb_header_page *page = host->pages[chunk];
        if (is_lost)
            memset(page, 0, sizeof(*page));
        for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
            if (page->headers[unit].state != FB_HEADER_NONE)
                header_damage(swarm, node, &page->headers[unit]);
        }
    }
}
