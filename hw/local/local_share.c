/* What clients hold of tables that all share, and whether one may have more: names, pins, lent
 * memory, requests under way, bytes that are owed (core/index/share.h says by which rule); and what
 * each has written, since a client commits only that. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"
#include "hw/local/share.h"

#include <stdlib.h>
#include <string.h>

enum {
    PEERS_PART = 2,  /* of the names, one in so many is kept for messages of peers */
    SOON_TIMES = 4,  /* what comes back soon: share.h. guess: 2 to 8 */
    OWED_TIMES = 2,  /* the same of bytes that are owed, which the drain gives back */
    PINS_TIMES = 8,  /* the same of pins, which end by themselves */
    OWED_REST = 8,   /* of memory, one in so many is never owed: core/tier/memory.c */
    RUNS_MAX = 4096, /* parts of a file that are written apart from each other; more: FULL */
};

static const uint64_t owed_count_ns = 50000000;

static uint32_t session_index(const struct local_session *session)
{
    return (uint32_t)(session - session->local->sessions);
}

static uint64_t use_total(const struct fb_config *core, enum local_use use)
{
    switch (use) {
    case LOCAL_READS: /* not by the memory: most may be of what is there */
        return core->fills_max < core->waiters_max ? core->fills_max : core->waiters_max;
    case LOCAL_WRITES:
        return core->puts_max;
    case LOCAL_MATCHES:
        return core->matches_max;
    case LOCAL_ASKS:
        return FB_NAME_TASKS_MAX;
    case LOCAL_USES:
        break;
    }
    return UINT64_MAX;
}

/* While half of them is free nobody is asked. */
bool local_may_fly(const struct local_session *session, enum local_use use)
{
    const struct fb_local *local = session->local;
    uint64_t total = use_total(&session->local->context.settings->core, use);
    if (use >= LOCAL_USES || local->flying[use] < total / 2)
        return true;
    struct fb_share share = {.total = total,
                             .used = local->flying[use],
                             .used_by_one = session->flying[use],
                             .times = SOON_TIMES};
    for (uint32_t i = 0; i < local->session_count; i++) {
        const struct local_session *other = &local->sessions[local->active[i]];
        if (other->user == session->user)
            share.used_by_owner += other->flying[use];
    }
    return fb_share_has_room(&share, 1);
}

void local_fly(struct local_session *session, enum local_use use)
{
    if (use >= LOCAL_USES)
        return;
    session->flying[use]++;
    session->local->flying[use]++;
}

void local_land(struct local_session *session, enum local_use use)
{
    if (use >= LOCAL_USES)
        return;
    FB_ASSERT(session->flying[use] > 0 && session->local->flying[use] > 0);
    session->flying[use]--;
    session->local->flying[use]--;
}

static void owed_add(struct local_owed *owed, uint64_t bytes, bool is_own, bool is_users)
{
    owed->blocks.used++;
    owed->bytes.used += bytes;
    owed->blocks.used_by_one += is_own;
    owed->bytes.used_by_one += is_own ? bytes : 0;
    owed->blocks.used_by_owner += is_users;
    owed->bytes.used_by_owner += is_users ? bytes : 0;
}

/* Whose is what is owed? */
static void owed_count(struct local_session *session)
{
    struct fb_local *local = session->local;
    const struct fb_config *core = &local->context.settings->core;
    struct local_owed *owed = &session->owed;
    uint64_t memory = local->context.memory->bytes.size, entries = core->memory_entries_max;
    entries -= entries / OWED_REST;
    *owed = (struct local_owed){
        .counted_ns = fb_clock_ns(),
        .blocks = {.total = core->dirty_max < entries ? core->dirty_max : entries,
                   .times = OWED_TIMES},
        .bytes = {.total = memory - memory / OWED_REST, .times = OWED_TIMES}};
    uint32_t cursor = FB_NONE, size;
    for (uint64_t handle = fb_node_owed_next(local->context.feed->node, &cursor, &size);
         cursor != FB_NONE; handle = fb_node_owed_next(local->context.feed->node, &cursor, &size)) {
        const struct fb_object *object = fb_objects_find(local->context.objects, handle);
        bool is_known = object != NULL && object->writer != 0;
        bool is_users = is_known && object->user == session->user;
        owed_add(owed, size, is_users && object->writer == session->number, is_users);
    }
}

/* What is owed leaves with the drain. It is counted anew now and then, and only while much is. */
bool local_may_owe(struct local_session *session, uint32_t size_bytes)
{
    struct fb_local *local = session->local;
    struct local_owed *owed = &session->owed;
    bool is_plenty =
        fb_node_owed_blocks(local->context.feed->node) <
            local->context.settings->core.dirty_max / 2 &&
        fb_node_undrained_bytes(local->context.feed->node) < local->context.memory->bytes.size / 2;
    if (is_plenty)
        return true;
    if (fb_clock_ns() - owed->counted_ns > owed_count_ns)
        owed_count(session);
    if (!fb_share_has_room(&owed->blocks, 1) || !fb_share_has_room(&owed->bytes, size_bytes))
        return false;
    owed_add(owed, size_bytes, true, true);
    return true;
}

enum fb_status local_owed_refusal(const struct fb_local *local)
{
    struct fb_refused refused;
    fb_node_refused(local->context.feed->node, &refused);
    FB_ASSERT(refused.verdict != FB_OK);
    return (enum fb_status)refused.verdict;
}

/* Names: an object's place in the table is its first opener's until the last client closes it. */
static bool has_open_room(const struct local_session *session)
{
    const struct fb_local *local = session->local;
    const struct fb_objects *objects = session->local->context.objects;
    uint64_t total = fb_cache_slots_max(objects->index);
    struct fb_share share = {.total = total,
                             .reserved = total / PEERS_PART,
                             .used = objects->client_open_count,
                             .used_by_one = session->charged};
    for (uint32_t i = 0; i < local->session_count; i++) {
        const struct local_session *other = &local->sessions[local->active[i]];
        if (other->user == session->user)
            share.used_by_owner += other->charged;
    }
    return fb_share_has_room(&share, 1);
}

enum fb_status local_object_open(struct local_session *session, const struct fb_object *object)
{
    struct fb_objects *objects = session->local->context.objects;
    struct fb_local *local = session->local;
    struct fb_object *known = fb_objects_find(objects, object->handle);
    bool is_new = known == NULL || known->client_opens == 0;
    bool is_full = session->open_count == FB_LOCAL_OPENS_MAX ||
                   (is_new && !has_open_room(session)) ||
                   (object->is_written && !local_write_begin(session, object->handle));
    if (!is_full)
        known = fb_objects_add(objects, object);
    if (is_full || known == NULL) {
        if (!is_full && object->is_written)
            local_write_end(session, object->handle);
        local->opens_refused++;
        return FB_BUSY;
    }
    FB_ASSERT(session->open_count < FB_LOCAL_OPENS_MAX);
    known->opens++;
    if (object->is_written) {
        known->writer = session->number;
        known->user = session->user;
    }
    if (known->client_opens++ == 0) {
        known->opener = session_index(session);
        objects->client_open_count++;
        session->charged++;
    }
    session->opens[session->open_count++] = object->handle;
    return FB_OK;
}

bool local_write_is_over(const struct fb_object *object)
{
    return object->is_written && object->client_opens == 0 && object->commits == 0;
}

void local_object_close(struct local_session *session, uint64_t handle)
{
    struct fb_objects *objects = session->local->context.objects;
    struct fb_object *object = fb_objects_find(objects, handle);
    FB_ASSERT(object != NULL && object->opens > 0 && object->client_opens > 0);
    object->opens--;
    if (--object->client_opens == 0) {
        struct local_session *opener = &session->local->sessions[object->opener];
        FB_ASSERT(opener->charged > 0 && objects->client_open_count > 0);
        opener->charged--;
        objects->client_open_count--;
    }
    local_write_end(session, handle);
    if (local_write_is_over(object))
        fb_names_abandon(session->local->context.names, object);
}

/* As with shares: no more than is left. One block lent many times takes nothing more from anybody,
 * and is counted each time: so nobody is asked while half of the memory is left. */
bool local_has_memory(const struct local_session *session, uint64_t size_bytes)
{
    const struct fb_local *local = session->local;
    uint64_t total = local->context.memory->bytes.size,
             pinned = fb_node_pinned_bytes(local->context.feed->node);
    uint64_t left = total > pinned ? total - pinned : 0;
    return session->lent_bytes == 0 || left > total / 2 || session->lent_bytes + size_bytes <= left;
}

/* Pins: a record each, which a pin may outlive its session in. How much memory all may take is the
 * core's, and one may have all of that; but here it is known whose each record is. */
bool local_pin_begin(struct local_session *session, uint64_t ttl_ns, uint32_t *pin)
{
    struct fb_local *local = session->local;
    uint64_t now_ns = fb_clock_ns(), pins_max = session->local->context.settings->core.pins_max;
    struct fb_share share = {.total = pins_max, .times = PINS_TIMES};
    uint32_t free = FB_NONE;
    for (uint32_t i = 0; i < pins_max; i++) {
        const struct local_pin *other = &local->pins[i];
        bool is_held = other->end_ns > now_ns;
        share.used += is_held;
        share.used_by_one += is_held && other->session == session->number;
        share.used_by_owner += is_held && other->user == session->user;
        if (!is_held && free == FB_NONE)
            free = i;
    }
    if (free == FB_NONE || !fb_share_has_room(&share, 1)) {
        local->pins_refused++;
        return false;
    }
    local->pins[free] =
        (struct local_pin){.session = session->number,
                           .user = session->user,
                           .generation = local->pins[free].generation + 1,
                           .end_ns = ttl_ns < UINT64_MAX - now_ns ? now_ns + ttl_ns : UINT64_MAX};
    *pin = free;
    return true;
}

uint32_t local_pins_of_one(uint64_t pins_max)
{
    struct fb_share share = {.total = pins_max, .times = PINS_TIMES};
    while (fb_share_has_room(&share, 1))
        share.used = share.used_by_one = share.used_by_owner = share.used + 1;
    return (uint32_t)share.used;
}

uint64_t local_pin_made(struct local_session *session, uint32_t pin, const struct fb_reply *reply)
{
    FB_ASSERT(pin < session->local->context.settings->core.pins_max);
    struct local_pin *made = &session->local->pins[pin];
    if (reply->status != FB_OK) {
        made->end_ns = 0;
        return 0;
    }
    made->core_lease = reply->lease;
    return (uint64_t)pin << 32 | made->generation;
}

uint64_t local_pin_end(struct local_session *session, uint64_t lease)
{
    uint64_t index = lease >> 32;
    if (index >= session->local->context.settings->core.pins_max)
        return UINT64_MAX;
    struct local_pin *pin = &session->local->pins[index];
    bool is_own = pin->session == session->number && pin->generation == (uint32_t)lease &&
                  pin->end_ns > 0 && pin->core_lease != 0;
    if (!is_own)
        return UINT64_MAX;
    pin->end_ns = 0;
    return pin->core_lease;
}

static struct local_write *write_find(struct local_session *session, uint64_t handle)
{
    for (uint32_t i = 0; i < session->write_count; i++) {
        if (session->writes[i].handle == handle)
            return &session->writes[i];
    }
    return NULL;
}

bool local_write_begin(struct local_session *session, uint64_t handle)
{
    if (session->write_count == FB_LOCAL_WRITES_MAX)
        return false;
    session->writes[session->write_count++] = (struct local_write){.handle = handle};
    return true;
}

void local_write_end(struct local_session *session, uint64_t handle)
{
    struct local_write *write = write_find(session, handle);
    if (write == NULL)
        return;
    free(write->runs);
    *write = session->writes[--session->write_count];
}

bool local_write_is_own(struct local_session *session, uint64_t handle)
{
    return write_find(session, handle) != NULL;
}

/* Makes room for one more run at a place. */
static bool runs_grow(struct local_write *write, uint32_t at)
{
    if (write->run_count == RUNS_MAX)
        return false;
    if (write->run_count == write->run_room) {
        uint32_t room = write->run_room > 0 ? 2 * write->run_room : 4;
        struct local_run *longer = realloc(write->runs, room * sizeof(*longer));
        if (longer == NULL)
            return false;
        write->runs = longer;
        write->run_room = room;
    }
    memmove(&write->runs[at + 1], &write->runs[at],
            (write->run_count - at) * sizeof(write->runs[0]));
    write->run_count++;
    return true;
}

/* Adds a whole block to the runs, which are in order and apart from each other. */
static bool runs_add(struct local_write *write, uint64_t block)
{
    uint32_t at = write->run_count;
    FB_ASSERT(write->run_count <= write->run_room);
    while (at > 0 && write->runs[at - 1].first > block)
        at--;
    struct local_run *before = at > 0 ? &write->runs[at - 1] : NULL;
    struct local_run *after = at < write->run_count ? &write->runs[at] : NULL;
    if (before != NULL && block < before->end)
        return true;
    bool joins_before = before != NULL && before->end == block;
    bool joins_after = after != NULL && after->first == block + 1;
    if (joins_before && joins_after) {
        before->end = after->end;
        memmove(after, after + 1, (write->run_count - at - 1) * sizeof(*after));
        write->run_count--;
    } else if (joins_before) {
        before->end++;
    } else if (joins_after) {
        after->first--;
    } else {
        if (!runs_grow(write, at))
            return false;
        write->runs[at] = (struct local_run){.first = block, .end = block + 1};
    }
    return true;
}

bool local_write_note(struct local_session *session, uint64_t handle, uint64_t block,
                      uint32_t size_bytes)
{
    struct local_write *write = write_find(session, handle);
    if (write == NULL)
        return true; /* closed meanwhile */
    if (size_bytes == session->local->context.settings->core.block_size_bytes)
        return runs_add(write, block);
    write->last = block;
    write->last_bytes = size_bytes;
    return true;
}

bool local_write_covers(struct local_session *session, uint64_t handle, uint64_t size_bytes)
{
    uint64_t block_bytes = session->local->context.settings->core.block_size_bytes;
    uint64_t whole = size_bytes / block_bytes, rest = size_bytes % block_bytes;
    const struct local_write *write = write_find(session, handle);
    if (write == NULL)
        return false;
    bool has_whole = whole == 0 || (write->run_count > 0 && write->runs[0].first == 0 &&
                                    write->runs[0].end >= whole);
    return has_whole && (rest == 0 || (write->last == whole && write->last_bytes == rest));
}
