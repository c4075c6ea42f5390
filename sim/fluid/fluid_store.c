/* Memory of the fluid network: flow records, links, and the pool of lists whose pieces are powers
 * of two, each size with its own free list, so that lists grow and shrink without the heap.
 * Does not know rates. Running out of memory is the end of a simulation. */
#include "sim/fluid/fluid_internal.h"

#include "base/memory.h"
#include "core/panic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PIECE_CLASS_MIN = 2, LINE_BYTES = 64, PAGE_HUGE_BYTES = 2 << 20 };

void *fb_fluid_grow(void *items, uint64_t count_before, uint64_t count, uint64_t item_size_bytes)
{
    FB_ASSERT(count > 0);
    FB_ASSERT(count_before <= count);
    uint64_t size_bytes = count * item_size_bytes;
    uint64_t alignment = size_bytes < PAGE_HUGE_BYTES ? LINE_BYTES : PAGE_HUGE_BYTES;
    size_bytes = (size_bytes + alignment - 1) / alignment * alignment;
    void *grown = aligned_alloc(alignment, size_bytes);
    if (grown == NULL)
        fb_out_of_memory(count, item_size_bytes, "the network", NULL);
#ifdef MADV_HUGEPAGE
    /* Access is random: with small pages most of the time goes into address translation. */
    if (alignment == PAGE_HUGE_BYTES)
        madvise(grown, size_bytes, MADV_HUGEPAGE);
#endif
    if (count_before > 0)
        memcpy(grown, items, count_before * item_size_bytes);
    free(items);
    return grown;
}

void fb_fluid_pool_open(struct fluid_pool *pool, uint32_t item_size_bytes)
{
    *pool = (struct fluid_pool){.item_size_bytes = item_size_bytes};
    for (uint32_t i = 0; i < FLUID_CLASSES; i++)
        pool->free[i] = FLUID_NONE;
    pool->count_max = 1u << PIECE_CLASS_MIN;
    pool->items = fb_fluid_grow(NULL, 0, pool->count_max, item_size_bytes);
}

static uint32_t piece_acquire(struct fluid_pool *pool, uint32_t size_class)
{
    FB_ASSERT(size_class < FLUID_CLASSES);
    uint32_t offset = pool->free[size_class];
    if (offset != FLUID_NONE) {
        memcpy(&pool->free[size_class], pool->items + (uint64_t)offset * pool->item_size_bytes,
               sizeof(uint32_t));
        return offset;
    }
    uint32_t size = 1u << size_class;
    FB_ASSERT(pool->count <= FLUID_NONE - size);
    offset = pool->count;
    uint32_t count_before = offset;
    pool->count += size;
    if (pool->count > pool->count_max) {
        uint64_t wanted = (uint64_t)pool->count + pool->count / 2 + 1024;
        pool->count_max = wanted < FLUID_NONE ? (uint32_t)wanted : FLUID_NONE;
        pool->items =
            fb_fluid_grow(pool->items, count_before, pool->count_max, pool->item_size_bytes);
    }
    return offset;
}

static void piece_release(struct fluid_pool *pool, uint32_t offset, uint32_t size_class)
{
    FB_ASSERT(size_class < FLUID_CLASSES);
    memcpy(pool->items + (uint64_t)offset * pool->item_size_bytes, &pool->free[size_class],
           sizeof(uint32_t));
    pool->free[size_class] = offset;
}

/* Makes room for one more item at the end; the caller writes it and counts it. */
void fb_fluid_pool_append(struct fluid_pool *pool, struct fluid_piece *piece)
{
    if (piece->size_class != FLUID_NONE && piece->count < 1u << piece->size_class)
        return;
    uint32_t size_class = piece->size_class == FLUID_NONE ? PIECE_CLASS_MIN : piece->size_class + 1;
    uint32_t offset = piece_acquire(pool, size_class);
    if (piece->size_class != FLUID_NONE) {
        memcpy(pool->items + (uint64_t)offset * pool->item_size_bytes,
               pool->items + (uint64_t)piece->offset * pool->item_size_bytes,
               (uint64_t)piece->count * pool->item_size_bytes);
        piece_release(pool, piece->offset, piece->size_class);
    }
    piece->offset = offset;
    piece->size_class = size_class;
}

uint32_t fb_fluid_link_add(struct fb_fluid *fluid, double capacity)
{
    if (fluid->link_count_all == fluid->link_count_max) {
        uint32_t before = fluid->link_count_all;
        uint64_t count = (uint64_t)fluid->link_count_max + fluid->link_count_max / 2 + 64;
        fluid->faces = fb_fluid_grow(fluid->faces, before, count, sizeof(*fluid->faces));
        fluid->told = fb_fluid_grow(fluid->told, before, count, sizeof(*fluid->told));
        fluid->links = fb_fluid_grow(fluid->links, before, count, sizeof(*fluid->links));
        fluid->dates = fb_fluid_grow(fluid->dates, before, count, sizeof(*fluid->dates));
        fluid->fill_links =
            fb_fluid_grow(fluid->fill_links, before, count, sizeof(*fluid->fill_links));
        fluid->fill_rooms =
            fb_fluid_grow(fluid->fill_rooms, before, count, sizeof(*fluid->fill_rooms));
        fluid->fill_heap =
            fb_fluid_grow(fluid->fill_heap, before, count, sizeof(*fluid->fill_heap));
        fluid->link_count_max = (uint32_t)count;
    }
    fluid->links[fluid->link_count_all] = (struct fluid_link){
        .level = INFINITY,
        .capacity = capacity,
        .clock_ns = fluid->now_ns,
        .members = {.size_class = FLUID_NONE},
        .finishes = {.size_class = FLUID_NONE},
        .date_place = FLUID_NONE,
    };
    fluid->faces[fluid->link_count_all] = (struct fluid_face){.low = -INFINITY, .high = INFINITY};
    fluid->told[fluid->link_count_all] = INFINITY;
    return fluid->link_count_all++;
}

static uint32_t cap_slot(const struct fb_fluid *fluid, double level)
{
    uint64_t bits;
    memcpy(&bits, &level, sizeof(bits));
    uint32_t mask = fluid->cap_table_size - 1;
    uint32_t slot = (uint32_t)((bits * 0x9e3779b97f4a7c15u) >> 32) & mask;
    while (fluid->cap_table[slot] != 0) {
        /* Equal caps were computed alike, so they are equal bit for bit. */
        if (memcmp(&fluid->links[fluid->cap_table[slot]].level, &level, sizeof(level)) == 0)
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

static void cap_table_grow(struct fb_fluid *fluid)
{
    uint32_t size = fluid->cap_table_size == 0 ? 64 : fluid->cap_table_size * 2;
    free(fluid->cap_table);
    fluid->cap_table = fb_fluid_grow(NULL, 0, size, sizeof(*fluid->cap_table));
    memset(fluid->cap_table, 0, size * sizeof(*fluid->cap_table));
    fluid->cap_table_size = size;
    for (uint32_t i = fluid->link_count + 1; i < fluid->link_count_all; i++)
        fluid->cap_table[cap_slot(fluid, fluid->links[i].level)] = i;
}

/* The link that stands for all flows capped to `level`. */
uint32_t fb_fluid_cap_class(struct fb_fluid *fluid, double level)
{
    FB_ASSERT(level > 0);
    uint32_t classes = fluid->link_count_all - fluid->link_count;
    if (2 * classes >= fluid->cap_table_size)
        cap_table_grow(fluid);
    uint32_t slot = cap_slot(fluid, level);
    if (fluid->cap_table[slot] == 0) {
        uint32_t link = fb_fluid_link_add(fluid, INFINITY);
        fluid->links[link].level = level;
        fluid->told[link] = (float)level;
        fluid->links[link].is_cap = true;
        fluid->cap_table[slot] = link;
    }
    return fluid->cap_table[slot];
}

/* Lays the records out anew, for more of them or for longer paths. */
static void flows_lay_out(struct fb_fluid *fluid, uint32_t count_max, uint32_t hop_count_max)
{
    uint64_t size = sizeof(struct fluid_flow) + hop_count_max * sizeof(struct fluid_hop);
    unsigned char *flows = fb_fluid_grow(NULL, 0, count_max, size);
    for (uint32_t i = 0; i < fluid->flow_count; i++)
        memcpy(flows + i * size, fluid_flow_at(fluid, i), fluid->flow_size_bytes);
    free(fluid->flows);
    fluid->flows = flows;
    fluid->flow_size_bytes = (uint32_t)size;
    fluid->hop_count_max = hop_count_max;
}

void fb_fluid_flows_reserve(struct fb_fluid *fluid, uint32_t count)
{
    FB_ASSERT(count >= fluid->flow_count);
    FB_ASSERT(count < FLUID_FLOWS_MAX);
    uint32_t before = fluid->flow_count;
    flows_lay_out(fluid, count, fluid->hop_count_max);
    fluid->fill_visits =
        fb_fluid_grow(fluid->fill_visits, before, count, sizeof(*fluid->fill_visits));
    fluid->fill_flows = fb_fluid_grow(fluid->fill_flows, 0, count, sizeof(*fluid->fill_flows));
    fluid->flow_count_max = count;
}

uint32_t fb_fluid_flow_acquire(struct fb_fluid *fluid, uint32_t hop_count)
{
    FB_ASSERT(hop_count <= FLUID_HOPS_MAX);
    if (hop_count > fluid->hop_count_max)
        flows_lay_out(fluid, fluid->flow_count_max + 1, hop_count);
    uint32_t flow = fluid->flow_free;
    if (flow != FLUID_NONE) {
        fluid->flow_free = fluid_flow_at(fluid, flow)->weight;
        return flow;
    }
    if (fluid->flow_count == fluid->flow_count_max)
        fb_fluid_flows_reserve(fluid, fluid->flow_count_max + fluid->flow_count_max / 2 + 64);
    flow = fluid->flow_count++;
    memset(fluid_flow_at(fluid, flow), 0, fluid->flow_size_bytes);
    fluid->fill_visits[flow] = 0;
    return flow;
}

/* The list of free ones goes through their weights. */
void fb_fluid_flow_release(struct fb_fluid *fluid, uint32_t flow)
{
    FB_ASSERT(flow < fluid->flow_count);
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    record->state = FLUID_FREE;
    record->weight = fluid->flow_free;
    fluid->flow_free = flow;
}
