/* The nodes' drives: bytes, headers beside each chunk (R15), and what goes wrong with them.
 *
 * Only the WRITE of an OWED block is flushed when it is done. Of others a loss of power takes what
 * it likes: the bytes, the header, both or neither. A crash tears what is under way: half of its
 * bytes are there, and its header is not. While a node is down heads, headers and bytes may be
 * damaged: the driver tells a damaged head or header, takes it from a copy, or is refused by the
 * core; bytes it can not tell. */
#include "base/memory.h"
#include "core/tier/head.h"
#include "sim/swarm/swarm_internal.h"

#include <stdlib.h>
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
    FB_ASSERT(at + count <= host->device_units);
    memcpy(host->device + at, source, count * sizeof(*source));
    memset(host->unflushed + at, 1, count);
}

/* A write is done: its header is kept, and what is owed has been flushed. */
void swarm_drive_written(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    struct swarm_node *host = &swarm->nodes[node];
    const struct fb_header header = fb_header_of_write(op);
    uint64_t first = header.position / swarm->unit_bytes;
    FB_ASSERT(first / FB_UNITS_PER_CHUNK < host->chunks);
    fb_header_put(host->pages[first / FB_UNITS_PER_CHUNK], swarm->unit_bytes, &header);
    if (header.state == FB_HEADER_OWED)
        memset(host->unflushed + first, 0, swarm_units(swarm, header.size));
    swarm_copy_written(swarm, node, op);
}

/* MARK: one in 16 is lost, as in a crash (R15). */
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

static void block_damage(struct swarm *swarm, uint32_t node, const struct fb_header *header)
{
    struct swarm_node *host = &swarm->nodes[node];
    uint64_t first = header->position / swarm->unit_bytes;
    FB_ASSERT(first + swarm_units(swarm, header->size) <= host->device_units);
    if (!swarm_fault(swarm, FB_SWARM_FAULT_block_damaged, node, FB_NONE))
        return;
    swarm_copy_damaged(swarm, node, header->key, FB_PROMISE_block_damaged);
    host->device[first + swarm_draw(swarm, node, swarm_units(swarm, header->size))] ^= 1u << 5;
}

/* Which headers of a page can be read in each of its two copies. */
struct page_state {
    uint64_t fine[2];
};

static struct page_state page_damage(struct swarm *swarm, uint32_t node, uint32_t chunk)
{
    struct page_state state = {.fine = {UINT64_MAX, UINT64_MAX}};
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        const struct fb_header *header = &swarm->nodes[node].pages[chunk]->headers[unit];
        if (header->state == FB_HEADER_NONE)
            continue;
        block_damage(swarm, node, header);
        if (!swarm_fault(swarm, FB_SWARM_FAULT_header_damaged, node, FB_NONE))
            continue;
        uint64_t which = swarm_draw(swarm, node, 3); /* one, the other, both */
        for (uint64_t copy = 0; copy < 2; copy++)
            state.fine[copy] &= ~((uint64_t)(which == copy || which == 2) << unit);
    }
    return state;
}

static void heads_damage(struct swarm *swarm, uint32_t node, struct fb_head_copy *copies)
{
    const struct fb_head head = {.sequence = 1, .state = FB_HEAD_IN_USE};
    bool is_damaged = swarm_fault(swarm, FB_SWARM_FAULT_header_damaged, node, FB_NONE) != NULL;
    uint64_t which = is_damaged ? swarm_draw(swarm, node, 1u << FB_HEAD_COPIES) : 0;
    for (uint32_t i = 0; i < FB_HEAD_COPIES; i++)
        copies[i] = (struct fb_head_copy){
            .head = head, .state = which >> i & 1 ? FB_HEAD_COPY_DAMAGED : FB_HEAD_COPY_FINE};
}

/* Takes the page as its copies tell it. What neither does is lost, on the operator's word. */
static void page_take(struct swarm *swarm, uint32_t node, uint32_t chunk, bool is_given_up,
                      const struct page_state *state)
{
    struct fb_header_page *page = swarm->nodes[node].pages[chunk];
    const struct fb_header_page second = *page;
    uint64_t damaged = ~(state->fine[0] & state->fine[1]);
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        if (!(state->fine[0] >> unit & 1))
            page->headers[unit].key.high ^= 1u << 3;
    }
    uint64_t unknown = fb_header_join(page, state->fine[0], &second, state->fine[1]);
    if (damaged & ~unknown)
        swarm_saw(swarm, FB_SWARM_SIGHT_header_mended);
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        bool is_lost = is_given_up && unknown >> unit & 1;
        if (is_lost && second.headers[unit].state != FB_HEADER_NONE)
            swarm_copy_damaged(swarm, node, second.headers[unit].key, FB_PROMISE_header_damaged);
    }
}

/* The driver's start: it asks the core what to do with the drive. A start that is refused is tried
 * again by the operator, who gives up what is owed and cannot be read. */
static void drive_start(struct swarm *swarm, uint32_t node, const struct page_state *states)
{
    struct swarm_node *host = &swarm->nodes[node];
    struct fb_head_copy copies[FB_HEAD_COPIES];
    struct fb_drive_facts facts = {
        .copies = copies, .copy_count = FB_HEAD_COPIES, .is_recovered = true};
    heads_damage(swarm, node, copies);
    for (uint32_t chunk = 0; chunk < host->chunks; chunk++) {
        uint32_t count;
        uint64_t lost = ~(states[chunk].fine[0] | states[chunk].fine[1]);
        facts.unknown_headers += (uint64_t)__builtin_popcountll(lost);
        facts.owed_bytes += fb_header_owed_bytes(host->pages[chunk], &count);
    }
    enum fb_drive_answer answer = fb_drive_judge(&facts);
    bool is_refused = answer != FB_DRIVE_USE && answer != FB_DRIVE_FORM;
    if (is_refused) {
        swarm_saw(swarm, FB_SWARM_SIGHT_drive_refused);
        facts.may_discard = true;
        answer = fb_drive_judge(&facts);
    }
    FB_ASSERT(answer == FB_DRIVE_USE || answer == FB_DRIVE_FORM);
    if (answer == FB_DRIVE_FORM && is_refused)
        swarm_copies_strike(swarm, node, FB_PROMISE_drive_lost);
    for (uint32_t chunk = 0; chunk < host->chunks; chunk++) {
        if (answer == FB_DRIVE_FORM)
            memset(host->pages[chunk], 0, sizeof(*host->pages[chunk]));
        else
            page_take(swarm, node, chunk, is_refused, &states[chunk]);
    }
}

/* The node is about to start again: what happened to its drive meanwhile. */
void swarm_drive_restart(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    FB_ASSERT(!host->is_up);
    bool is_lost = !host->is_drive_safe && swarm_draw(swarm, node, 4) == 0;
    struct page_state *states = fb_allocate(host->chunks + 1, sizeof(*states), "a drive", NULL);
    if (is_lost)
        swarm_copies_strike(swarm, node, FB_PROMISE_drive_lost);
    for (uint32_t chunk = 0; chunk < host->chunks; chunk++) {
        if (is_lost)
            memset(host->pages[chunk], 0, sizeof(*host->pages[chunk]));
        states[chunk] = page_damage(swarm, node, chunk);
    }
    drive_start(swarm, node, states);
    free(states);
}
