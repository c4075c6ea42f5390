/* The node: layout of its state, the step that dispatches events to the flows, and its deadline.
 * A step handles one event, then answers waiters with the room that is left (R2). */
#include "flows.h"

#include <string.h>

/* Sizes of the parts, in the order in which they follow the header; all multiples of 8. */
#define NODE_SIZE_BYTES(memory_chunks, memory_entries, device_chunks, device_entries, fills, \
                        waiters, lends, writes, matches, puts, undrained, gathers, ranges, metas) \
    (sizeof(struct fb_node) + FB_CACHE_SIZE_BYTES(memory_entries) + \
     FB_EXTENTS_SIZE_BYTES(memory_chunks) + (uint64_t)(memory_entries) * sizeof(struct entry) + \
     ((device_entries) > 0 \
          ? FB_CACHE_SIZE_BYTES(device_entries) + FB_EXTENTS_SIZE_BYTES(device_chunks) + \
                (uint64_t)(device_entries) * sizeof(struct device_entry) \
          : 0) + \
     (uint64_t)(fills) * (sizeof(struct fill) + FB_ATTEMPTS_MAX * sizeof(struct attempt)) + \
     (uint64_t)(waiters) * sizeof(struct waiter) + (uint64_t)(lends) * sizeof(struct lend) + \
     (uint64_t)(writes) * sizeof(struct device_write) + \
     (uint64_t)(matches) * sizeof(struct match) + (uint64_t)(puts) * sizeof(struct put) + \
     (uint64_t)(undrained) * sizeof(struct dirty) + (uint64_t)(gathers) * sizeof(struct gather) + \
     (uint64_t)(ranges) * sizeof(struct gather_range) + (uint64_t)(metas) * sizeof(struct meta) + \
     FB_TIMER_SIZE_BYTES((uint64_t)(fills)*FB_ATTEMPTS_MAX + (matches) + (puts) + 2 + (gathers) + \
                         (metas)))

/* The scale preset (fb_config_init_scale): 64 chunks and 128 blocks a tier. */
enum {
    SCALE_CHUNKS = 64,
    SCALE_ENTRIES = 128,
    SCALE_FILLS = 48,
    SCALE_WAITERS = 192,
    SCALE_LENDS = 96,
    SCALE_WRITES = 16,
    SCALE_MATCHES = 8,
    SCALE_PUTS = 8,
    SCALE_DIRTY = 24,
    SCALE_METAS = 2,
    SCALE_SIZE_BYTES_MAX = 64 * 1024
};
static_assert(NODE_SIZE_BYTES(SCALE_CHUNKS, SCALE_ENTRIES, SCALE_CHUNKS, SCALE_ENTRIES, SCALE_FILLS,
                              SCALE_WAITERS, SCALE_LENDS, SCALE_WRITES, SCALE_MATCHES, SCALE_PUTS,
                              SCALE_DIRTY, 0, 0, SCALE_METAS) <= SCALE_SIZE_BYTES_MAX,
              "an idle node of the scale preset fits 64 KiB");
static_assert(sizeof(struct fb_node) % 8 == 0 && sizeof(struct entry) % 8 == 0 &&
                  sizeof(struct device_entry) % 8 == 0 && sizeof(struct fill) % 8 == 0 &&
                  sizeof(struct attempt) % 8 == 0 && sizeof(struct waiter) % 8 == 0 &&
                  sizeof(struct lend) % 8 == 0 && sizeof(struct device_write) % 8 == 0 &&
                  sizeof(struct match) % 8 == 0 && sizeof(struct put) % 8 == 0 &&
                  sizeof(struct dirty) % 8 == 0 && sizeof(struct gather) % 8 == 0 &&
                  sizeof(struct gather_range) % 8 == 0 && sizeof(struct meta) % 8 == 0,
              "parts follow each other 8-aligned");

struct node_shape {
    uint32_t memory_chunks, memory_entries, device_chunks, device_entries;
};

static uint32_t shape_entries(uint64_t given, uint64_t chunks, uint64_t least)
{
    FB_ASSERT(chunks < UINT32_MAX / 2);
    uint64_t entries = given > 0 ? given : 2 * chunks;
    if (given == 0 && entries < least)
        entries = least;
    FB_ASSERT(entries < UINT32_MAX);
    return (uint32_t)entries;
}

static struct node_shape shape_of(const struct fb_config *config)
{
    FB_ASSERT(config->block_size_bytes > 0);
    uint64_t memory_chunks = config->memory_size_bytes / config->block_size_bytes;
    uint64_t device_chunks = config->device_size_bytes / config->block_size_bytes;
    struct node_shape shape = {
        .memory_chunks = (uint32_t)memory_chunks,
        .memory_entries = shape_entries(config->memory_entries_max, memory_chunks, 64),
        .device_chunks = (uint32_t)device_chunks,
        .device_entries = 0,
    };
    if (device_chunks > 0)
        shape.device_entries = shape_entries(config->device_entries_max, device_chunks, 64);
    FB_ASSERT(shape.memory_entries > 0);
    return shape;
}

uint64_t fb_node_size_bytes(const struct fb_config *config)
{
    if (fb_config_fault(config) != NULL)
        return 0;
    struct node_shape shape = shape_of(config);
    FB_ASSERT(shape.memory_chunks > 0);
    FB_ASSERT(config->fills_max > 0);
    return NODE_SIZE_BYTES(shape.memory_chunks, shape.memory_entries, shape.device_chunks,
                           shape.device_entries, config->fills_max, config->waiters_max,
                           config->lends_max, config->device_writes_max, config->matches_max,
                           config->puts_max, config->dirty_max, config->gathers_max,
                           config->gather_ranges_max, config->metas_max);
}

uint64_t fb_node_scale_size_bytes(void)
{
    struct fb_config config;
    fb_config_init_scale(&config);
    FB_ASSERT(fb_config_fault(&config) == NULL);
    uint64_t size_bytes = fb_node_size_bytes(&config);
    FB_ASSERT(size_bytes <= SCALE_SIZE_BYTES_MAX);
    return size_bytes;
}

static uint64_t part_take(uint64_t *offset, uint64_t size_bytes)
{
    uint64_t part = *offset;
    FB_ASSERT(part % 8 == 0);
    *offset += size_bytes;
    FB_ASSERT(*offset >= part);
    return part;
}

static void node_lay_out(struct fb_node *node, const struct node_shape *shape)
{
    const struct fb_config *config = &node->config;
    uint64_t offset = sizeof(struct fb_node);
    uint64_t fills = config->fills_max;
    node->memory_entries_max = shape->memory_entries;
    node->device_entries_max = shape->device_entries;
    node->cache_offset = part_take(&offset, FB_CACHE_SIZE_BYTES(shape->memory_entries));
    node->extents_offset = part_take(&offset, FB_EXTENTS_SIZE_BYTES(shape->memory_chunks));
    node->entries_offset = part_take(&offset, shape->memory_entries * sizeof(struct entry));
    if (shape->device_entries > 0) {
        node->device_cache_offset = part_take(&offset, FB_CACHE_SIZE_BYTES(shape->device_entries));
        node->device_extents_offset =
            part_take(&offset, FB_EXTENTS_SIZE_BYTES(shape->device_chunks));
        node->device_entries_offset =
            part_take(&offset, shape->device_entries * sizeof(struct device_entry));
    }
    node->fills_offset = part_take(&offset, fills * sizeof(struct fill));
    node->attempts_offset = part_take(&offset, fills * FB_ATTEMPTS_MAX * sizeof(struct attempt));
    node->waiters_offset = part_take(&offset, config->waiters_max * sizeof(struct waiter));
    node->lends_offset = part_take(&offset, config->lends_max * sizeof(struct lend));
    node->writes_offset =
        part_take(&offset, config->device_writes_max * sizeof(struct device_write));
    node->matches_offset = part_take(&offset, config->matches_max * sizeof(struct match));
    node->puts_offset = part_take(&offset, config->puts_max * sizeof(struct put));
    node->dirty_offset = part_take(&offset, config->dirty_max * sizeof(struct dirty));
    node->gathers_offset = part_take(&offset, config->gathers_max * sizeof(struct gather));
    node->ranges_offset =
        part_take(&offset, config->gather_ranges_max * sizeof(struct gather_range));
    node->metas_offset = part_take(&offset, config->metas_max * sizeof(struct meta));
    node->timer_offset = part_take(&offset, FB_TIMER_SIZE_BYTES(timer_count(node)));
    FB_ASSERT(offset == node->size_bytes);
}

/* Where a slot's generations begin: anywhere, so that an answer to what this node asked before it
 * lost its memory meets no id of this life (R10). */
static uint32_t generation_first(struct fb_node *node)
{
    uint32_t generation = (uint32_t)fb_random_below(&node->random, UINT32_MAX);
    FB_ASSERT(generation < UINT32_MAX);
    return generation;
}

static void node_init_pools(struct fb_node *node)
{
    const struct fb_config *config = &node->config;
    for (uint32_t i = 0; i < config->fills_max; i++)
        node_fills(node)[i].next = i + 1 < config->fills_max ? i + 1 : FB_NONE;
    for (uint32_t i = 0; i < config->fills_max * FB_ATTEMPTS_MAX; i++)
        node_attempts(node)[i] = (struct attempt){.generation = generation_first(node),
                                                  .peer = FB_NONE,
                                                  .first_unit = FB_NONE,
                                                  .device_slot = FB_NONE};
    for (uint32_t i = 0; i < config->waiters_max; i++)
        node_waiters(node)[i].next = i + 1 < config->waiters_max ? i + 1 : FB_NONE;
    for (uint32_t i = 0; i < config->lends_max; i++)
        node_lends(node)[i] = (struct lend){.generation = generation_first(node),
                                            .slot = FB_NONE,
                                            .newer = i + 1 < config->lends_max ? i + 1 : FB_NONE};
    for (uint32_t i = 0; i < config->device_writes_max; i++)
        node_writes(node)[i].next = i + 1 < config->device_writes_max ? i + 1 : FB_NONE;
    for (uint32_t i = 0; i < config->puts_max; i++)
        node_puts(node)[i] = (struct put){.generation = generation_first(node),
                                          .slot = FB_NONE,
                                          .next = i + 1 < config->puts_max ? i + 1 : FB_NONE};
    for (uint32_t i = 0; i < config->dirty_max; i++)
        node_dirty(node)[i] =
            (struct dirty){.slot = FB_NONE, .newer = i + 1 < config->dirty_max ? i + 1 : FB_NONE};
    for (uint32_t i = 0; i < config->matches_max; i++)
        node_matches(node)[i].generation = generation_first(node);
    for (uint32_t i = 0; i < config->gathers_max; i++)
        node_gathers(node)[i].head = FB_NONE;
    for (uint32_t i = 0; i < config->gather_ranges_max; i++)
        node_ranges(node)[i].next = i + 1 < config->gather_ranges_max ? i + 1 : FB_NONE;
    node->range_free = config->gather_ranges_max > 0 ? 0 : FB_NONE;
    node->put_free = 0;
    node->dirty_free = 0;
    node->dirty_oldest = FB_NONE;
    node->dirty_newest = FB_NONE;
    node->drain_next = FB_NONE;
    node->repair_next = FB_NONE;
    node->fill_free = 0;
    node->waiter_free = 0;
    node->lend_free = 0;
    node->write_free = config->device_writes_max > 0 ? 0 : FB_NONE;
    node->work_head = FB_NONE;
    node->work_tail = FB_NONE;
    node->lend_oldest = FB_NONE;
    node->lend_newest = FB_NONE;
    node->fetch_oldest = FB_NONE;
    node->fetch_newest = FB_NONE;
    FB_ASSERT(node->fills_used == 0);
    FB_ASSERT(node->pins_used == 0);
}

enum fb_status fb_node_init(struct fb_node *node, uint64_t size_bytes,
                            const struct fb_config *config, uint64_t seed)
{
    uint64_t needed_bytes = fb_node_size_bytes(config);
    if (needed_bytes == 0 || size_bytes < needed_bytes)
        return FB_INVALID;
    FB_ASSERT((uintptr_t)node % 8 == 0);
    struct node_shape shape = shape_of(config);
    memset(node, 0, needed_bytes);
    node->config = *config;
    node->size_bytes = needed_bytes;
    node->memory_unit_bytes =
        (config->block_size_bytes + FB_UNITS_PER_CHUNK - 1) / FB_UNITS_PER_CHUNK;
    node_lay_out(node, &shape);
    fb_random_init(&node->random, seed);
    fb_cache_init(node_cache(node), shape.memory_entries, (enum fb_policy)config->policy);
    fb_extents_init(node_extents(node), shape.memory_chunks);
    for (uint32_t i = 0; i < shape.memory_entries; i++)
        node_entries(node)[i] = (struct entry){.first_unit = FB_NONE, .fill = FB_NONE};
    if (shape.device_entries > 0) {
        fb_cache_init(node_device_cache(node), shape.device_entries,
                      (enum fb_policy)config->device_policy);
        fb_extents_init(node_device_extents(node), shape.device_chunks);
        for (uint32_t i = 0; i < shape.device_entries; i++)
            node_device_entries(node)[i] = (struct device_entry){.first_unit = FB_NONE};
    }
    fb_timer_init(node_timer(node), timer_count(node));
    node_init_pools(node);
    FB_ASSERT(fb_node_deadline_ns(node) == 0);
    return FB_OK;
}

static void node_request(struct step *step, const struct fb_request *request)
{
    switch ((enum fb_request_kind)request->kind) {
    case FB_REQUEST_GET:
        get_request(step, request);
        return;
    case FB_REQUEST_RELEASE:
        get_release(step, request);
        return;
    case FB_REQUEST_PUT:
        put_request(step, request);
        return;
    case FB_REQUEST_WRITE:
        write_request(step, request);
        return;
    case FB_REQUEST_MATCH:
        match_request(step, request);
        return;
    case FB_REQUEST_GATHER:
        gather_request(step, request);
        return;
    case FB_REQUEST_PREFETCH:
        prefetch_request(step, request);
        return;
    case FB_REQUEST_LOOKUP:
        lookup_request(step, request);
        return;
    case FB_REQUEST_COMMIT:
        commit_request(step, request);
        return;
    }
    get_refuse(step, request->request_id, FB_INVALID);
}

static void node_message(struct step *step, const struct fb_message *message)
{
    switch ((enum fb_message_kind)message->kind) {
    case FB_MESSAGE_ASK:
        serve_ask(step, message);
        return;
    case FB_MESSAGE_OFFER:
    case FB_MESSAGE_REFER:
    case FB_MESSAGE_WAIT:
    case FB_MESSAGE_DENY:
        ask_answer(step, message);
        return;
    case FB_MESSAGE_RETURN:
        serve_return(step, message);
        return;
    case FB_MESSAGE_MATCH_ASK:
        match_ask(step, message);
        return;
    case FB_MESSAGE_MATCH_TELL:
        match_tell(step, message);
        return;
    case FB_MESSAGE_HOLD:
        hold_message(step, message);
        return;
    case FB_MESSAGE_HELD:
        put_held(step, message->ask_id, message->source,
                 message->status < FB_STATUS_COUNT ? (enum fb_status)message->status : FB_INVALID);
        return;
    case FB_MESSAGE_DRAINED:
        drain_told(step, message);
        return;
    case FB_MESSAGE_DRAIN_ASK:
        drain_asked(step, message);
        return;
    case FB_MESSAGE_DRAIN_LOST:
        drain_lost(step, message);
        return;
    }
    step->node->stats.late_messages++; /* a kind of a later version */
}

static void node_done(struct step *step, const struct fb_done *done)
{
    uint32_t class = id_class(done->op_id);
    FB_ASSERT(class == ID_ATTEMPT || class == ID_WRITE || class == ID_DRAIN || class == ID_META);
    FB_ASSERT(done->status < FB_STATUS_COUNT);
    if (class == ID_ATTEMPT)
        attempt_done(step, id_index(done->op_id), done);
    else if (class == ID_DRAIN)
        drain_done(step, id_index(done->op_id), done);
    else if (class == ID_META)
        meta_done(step, id_index(done->op_id), done);
    else
        device_write_done(step, id_index(done->op_id), id_generation(done->op_id),
                          (enum fb_status)done->status);
}

static void node_tick(struct step *step)
{
    struct fb_node *node = step->node;
    uint32_t attempts = (uint32_t)node->config.fills_max * FB_ATTEMPTS_MAX;
    while (step_room(step) >= STEP_ITEM_OPS_MAX) {
        uint32_t id = fb_timer_pop(node_timer(node), node->now_ns);
        if (id == FB_NONE)
            return;
        FB_ASSERT(id < timer_count(node));
        if (id < attempts)
            attempt_timer(step, id);
        else if (id < timer_of_lends(node))
            match_timer(step, id - attempts);
        else if (id == timer_of_lends(node))
            serve_expire(node);
        else if (id < timer_of_drain(node))
            put_timer(step, id - timer_of_put(node, 0));
        else if (id == timer_of_drain(node))
            drain_tick(step);
        else if (id < timer_of_meta(node, 0))
            gather_timer(step, id - timer_of_gather(node, 0));
        else
            meta_timer(step, id - timer_of_meta(node, 0));
    }
}

/* The key that an event looks up first, or NULL. */
static const struct fb_key *event_key(const struct fb_event *event)
{
    if (event->kind == FB_EVENT_REQUEST && event->request.kind == FB_REQUEST_GET)
        return &event->request.block.key;
    if (event->kind == FB_EVENT_MESSAGE && event->message.kind == FB_MESSAGE_ASK)
        return &event->message.block.key;
    return NULL;
}

void fb_node_prefetch(const struct fb_node *node, const struct fb_event *events, uint32_t count)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(count == 0 || events != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_key *key = event_key(&events[i]);
        if (key != NULL)
            fb_cache_prefetch_bucket(node_cache(state), *key);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_key *key = event_key(&events[i]);
        uint32_t slot = key != NULL ? fb_cache_prefetch_slot(node_cache(state), *key) : FB_NONE;
        FB_ASSERT(slot == FB_NONE || slot < node->memory_entries_max);
        if (slot != FB_NONE)
            __builtin_prefetch(&node_entries(state)[slot], 1);
    }
}

uint32_t fb_node_step(struct fb_node *node, uint64_t now_ns, const struct fb_event *event,
                      struct fb_op ops[FB_STEP_OPS_MAX])
{
    FB_ASSERT(now_ns >= node->now_ns); /* R7 */
    struct step step = {.node = node, .ops = ops, .count = 0};
    node->now_ns = now_ns;
    node->stats.steps++;
    switch ((enum fb_event_kind)event->kind) {
    case FB_EVENT_REQUEST:
        node_request(&step, &event->request);
        break;
    case FB_EVENT_MESSAGE:
        node_message(&step, &event->message);
        break;
    case FB_EVENT_DONE:
        node_done(&step, &event->done);
        break;
    case FB_EVENT_VIEW:
        node->view = event->view;
        put_view_changed(node);
        break;
    case FB_EVENT_TICK:
        node->started_ns = node->is_started ? node->started_ns : now_ns;
        node->is_started = 1;
        node_tick(&step);
        break;
    }
    put_repair(node);
    fill_work(&step);
    FB_ASSERT(step.count <= FB_STEP_OPS_MAX);
    return step.count;
}

uint64_t fb_node_deadline_ns(const struct fb_node *node)
{
    if (!node->is_started || node->work_head != FB_NONE)
        return 0;
    const struct fb_timer *timer =
        (const struct fb_timer *)(const void *)((const unsigned char *)node + node->timer_offset);
    FB_ASSERT(node->timer_offset > 0);
    FB_ASSERT(node->timer_offset < node->size_bytes);
    return fb_timer_deadline_ns(timer);
}

const struct fb_stats *fb_node_stats(const struct fb_node *node)
{
    return &node->stats;
}

bool fb_node_is_idle(const struct fb_node *node)
{
    FB_ASSERT(node->fills_used <= node->config.fills_max);
    FB_ASSERT(node->lends_used <= node->config.lends_max);
    return node->fills_used == 0 && node->waiters_used == 0 && node->lends_used == 0 &&
           node->writes_used == 0 && node->matches_used == 0 && node->puts_used == 0 &&
           node->dirty_used == 0 && node->drains_used == 0 && node->pins_used == 0 &&
           node->ranges_used == 0 && node->metas_used == 0;
}

bool fb_node_holds(const struct fb_node *node, struct fb_key key)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(node->size_bytes > 0);
    uint32_t slot = fb_cache_find(node_cache(state), key);
    bool is_resident = slot != FB_NONE && node_entries(state)[slot].state == ENTRY_RESIDENT;
    return is_resident || device_find(state, key) != FB_NONE;
}

void fb_node_check(const struct fb_node *node)
{
    struct fb_node *state =
        (struct fb_node *)(uintptr_t)node; /* accessors are not const; it is only read */
    FB_ASSERT(fb_config_fault(&state->config) == NULL);
    memory_check(state);
    device_check(state);
    put_check(state);
    dirty_check(state);
    fill_check(state);
    attempt_check(state);
    origin_check(state);
    gather_check(state);
    meta_check(state);
    serve_check(state);
    fb_timer_check(node_timer(state));
}
