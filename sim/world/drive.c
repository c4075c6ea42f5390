/* A node's drives: reads and writes of blocks, and the headers beside them (R15).
 *
 *     READ, WRITE   queue and rate of the node's drives -> DONE
 *     SCAN          the first: a read of the whole table of headers, 4 KiB a chunk -> DONE at once
 *     MARK          nothing: a write of 64 bytes that nobody waits for
 *
 * Headers are kept only where a fault brings a node back with its drives; elsewhere nobody would
 * ever read them, and a scan finds nothing. */
#include "sim/world/world_internal.h"

#include "base/memory.h"
#include "core/panic.h"
#include "core/tier/header.h"

#include <stdlib.h>

static uint64_t chunk_count(const struct world *world)
{
    return world->scenario->core.device_size_bytes / world->scenario->core.block_size_bytes;
}

void world_drive_open(struct world *world, uint32_t node)
{
    const struct fb_scenario *scenario = world->scenario;
    bool is_kept = (scenario->workload.kinds >> FB_WORKLOAD_CHECKPOINT & 1u) &&
                   scenario->workload.checkpoint.restart_after_ns > 0;
    for (uint32_t i = 0; i < scenario->fault_count; i++)
        is_kept = is_kept ||
                  (scenario->faults[i].restart_after_ns > 0 && !scenario->faults[i].is_drive_lost);
    if (!is_kept || chunk_count(world) == 0)
        return;
    world->hosts[node].pages =
        fb_allocate(chunk_count(world), sizeof(*world->hosts[node].pages), "drives", world->error);
}

/* New drives: nothing is on them. */
void world_drive_empty(struct world *world, uint32_t node)
{
    struct host *host = &world->hosts[node];
    for (uint64_t i = 0; host->pages != NULL && i < chunk_count(world); i++) {
        free(host->pages[i]);
        host->pages[i] = NULL;
    }
}

void world_drive_close(struct world *world, uint32_t node)
{
    world_drive_empty(world, node);
    free(world->hosts[node].pages);
}

static struct fb_header_page *page_at(struct world *world, uint32_t node, uint64_t position)
{
    uint64_t chunk = position / world->scenario->core.block_size_bytes;
    FB_ASSERT(world->hosts[node].pages != NULL);
    FB_ASSERT(chunk < chunk_count(world));
    struct fb_header_page **page = &world->hosts[node].pages[chunk];
    if (*page == NULL)
        *page = fb_allocate(1, sizeof(**page), "a page of a drive", NULL);
    return *page;
}

static void drive_scan(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    enum { PAGE_BYTES = sizeof(struct fb_header_page) };
    struct host *host = &world->hosts[node];
    struct fb_event event = {.kind = FB_EVENT_DONE, .done = {.op_id = op->op_id}};
    uint64_t count = host->pages != NULL ? chunk_count(world) : 0;
    if (count > 0 && op->source.offset == 0)
        at_ns = fb_station_submit(host->drive, at_ns, FB_STATION_READ, count * PAGE_BYTES);
    event.done.next = op->source.offset;
    if (!fb_header_scan(host->pages, count, &event.done.next, &event.done.header))
        event.done = (struct fb_done){.op_id = op->op_id, .status = FB_ABSENT};
    uint32_t index = world_pending(world, PENDING_EVENT, node);
    world->pending[index].event = event;
    world_timer(world, at_ns, index);
}

static void drive_write(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    struct host *host = &world->hosts[node];
    uint64_t end_ns = fb_station_submit(host->drive, at_ns, FB_STATION_WRITE, op->span.size);
    world_copy_tag(world, &op->span, &op->source);
    if (host->pages != NULL) {
        const struct fb_header header = fb_header_of_write(op);
        struct fb_header_page *page = page_at(world, node, op->source.offset);
        if (page != NULL)
            fb_header_put(page, world_unit_bytes(world), &header);
    }
    world_done(world, node, end_ns, op->op_id, FB_OK, 0);
}

static void drive_read(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    struct host *host = &world->hosts[node];
    uint64_t end_ns = fb_station_submit(host->drive, at_ns, FB_STATION_READ, op->span.size);
    world_copy_tag(world, &op->source, &op->span);
    fb_series_add(&world->series, FB_SERIES_DEVICE, end_ns, (double)op->span.size);
    world_done(world, node, end_ns, op->op_id, FB_OK, 0);
}

void world_drive_op(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    FB_ASSERT(op->kind == FB_OP_READ || op->kind == FB_OP_WRITE || op->kind == FB_OP_SCAN ||
              op->kind == FB_OP_MARK);
    if (op->kind == FB_OP_READ)
        drive_read(world, node, at_ns, op);
    else if (op->kind == FB_OP_WRITE)
        drive_write(world, node, at_ns, op);
    else if (op->kind == FB_OP_SCAN)
        drive_scan(world, node, at_ns, op);
    else if (world->hosts[node].pages != NULL)
        fb_header_settle(page_at(world, node, op->source.offset), world_unit_bytes(world),
                         op->source.offset);
}
