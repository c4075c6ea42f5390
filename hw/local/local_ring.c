/* What clients ask over their rings. Requests of all clients are taken in batches, so that the
 * core's look-ups are fetched for a whole batch at once. The id that the core sees is session, slot
 * and the slot's generation. */
#include "core/panic.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"
#include "hw/local/share.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SESSION_SHIFT = 48, SLOT_SHIFT = 32, ARENA_SHIFT = 40, BATCH_MAX = 32 };
static_assert((int)FB_LOCAL_SESSIONS_MAX <= (int)FB_NAME_SESSION, "names' ids are no session's");
static_assert((int)FB_RING_ENTRIES <= 1 << (SESSION_SHIFT - SLOT_SHIFT), "an id holds a slot");

struct batch {
    struct fb_event events[BATCH_MAX];
    uint32_t count;
    uint32_t pin; /* the record of the PIN that is being begun */
};

static uint32_t session_index(const struct local_session *session)
{
    return (uint32_t)(session - session->local->sessions);
}

/* The slot that a request's id names. */
static struct local_slot *slot_of(struct fb_local *local, uint64_t request_id)
{
    uint32_t index = (uint32_t)(request_id >> SLOT_SHIFT) & 0xffff;
    FB_ASSERT(index < FB_RING_ENTRIES);
    return &local->sessions[request_id >> SESSION_SHIFT].slots[index];
}

static enum local_use use_of(uint32_t kind)
{
    switch ((enum fb_ring_kind)kind) {
    case FB_RING_GET:
    case FB_RING_GET_KEY:
    case FB_RING_PUT:
    case FB_RING_PIN:
        return LOCAL_READS;
    case FB_RING_WRITE:
        return LOCAL_WRITES;
    case FB_RING_MATCH:
        return LOCAL_MATCHES;
    case FB_RING_RELEASE:
    case FB_RING_UNPIN:
    case FB_RING_FORGET:
        break;
    }
    return LOCAL_USES;
}

void local_ring_init(struct local_session *session)
{
    /* Generations go on, so that a lease of an earlier client is known as such. */
    for (uint32_t i = 0; i < FB_RING_ENTRIES; i++)
        session->slots[i].next = i + 1 < FB_RING_ENTRIES ? i + 1 : FB_NONE;
    for (uint32_t i = 0; i < FB_LOCAL_LEASES_MAX; i++)
        session->leases[i].next = i + 1 < FB_LOCAL_LEASES_MAX ? i + 1 : FB_NONE;
    session->slot_free = 0;
    session->lease_free = 0;
    session->slots_used = 0;
    session->leases_used = 0;
    session->ring_head = 0;
    session->ring_tail = 0;
    session->must_wake = false;
}

/* The lease is the client's no more; returns the core's. */
static uint64_t lease_free(struct local_session *session, struct local_lease *lease)
{
    FB_ASSERT(lease->is_used && session->leases_used > 0 && session->lent_bytes >= lease->size);
    session->lent_bytes -= lease->size;
    lease->is_used = 0;
    lease->generation++;
    lease->next = session->lease_free;
    session->lease_free = (uint32_t)(lease - session->leases);
    session->leases_used--;
    return lease->core_lease;
}

static struct fb_event release_event(uint64_t core_lease)
{
    return (struct fb_event){.kind = FB_EVENT_REQUEST,
                             .request = {.kind = FB_REQUEST_RELEASE, .lease = core_lease}};
}

void local_ring_end(struct local_session *session)
{
    for (uint32_t i = 0; i < FB_LOCAL_LEASES_MAX; i++) {
        if (!session->leases[i].is_used)
            continue;
        const struct fb_event event = release_event(lease_free(session, &session->leases[i]));
        fb_feed_event(session->local->context.feed, &event);
    }
}

/* The core lends bytes: to the client, under a lease of its session. */
static uint64_t lease_take(struct local_session *session, const struct fb_reply *reply)
{
    FB_ASSERT(session->lease_free != FB_NONE);
    uint32_t index = session->lease_free;
    struct local_lease *lease = &session->leases[index];
    FB_ASSERT(!lease->is_used);
    session->lease_free = lease->next;
    session->leases_used++;
    lease->core_lease = reply->lease;
    lease->size = (uint32_t)reply->span.size;
    lease->is_used = 1;
    session->lent_bytes += lease->size;
    return (uint64_t)index << 32 | lease->generation;
}

static void ring_reply(struct local_session *session, struct fb_ring_reply reply)
{
    struct fb_ring *ring = session->ring;
    ring->replies[session->ring_tail % FB_RING_ENTRIES] = reply;
    session->ring_tail++;
    atomic_store_explicit(&ring->reply_tail, session->ring_tail, memory_order_release);
    session->must_wake = true;
}

static void read_note(struct fb_local *local, const struct local_slot *slot,
                      const struct fb_reply *reply)
{
    uint64_t latency_us =
        slot->since_ns > 0 ? (local->context.feed->now_ns - slot->since_ns) / 1000 : 0;
    fb_reads_note(&local->reads, &(struct fb_read_note){.key = slot->key,
                                                        .replied_ns = local->context.feed->now_ns,
                                                        .latency_us = latency_us < UINT32_MAX
                                                                          ? (uint32_t)latency_us
                                                                          : UINT32_MAX,
                                                        .index = (uint32_t)slot->index,
                                                        .source = reply->source,
                                                        .status = (uint16_t)reply->status,
                                                        .reason = (uint16_t)reply->reason});
}

/* What was served is counted with its tenant. */
static void tenant_note(struct fb_local *local, const struct local_slot *slot,
                        const struct fb_reply *reply)
{
    bool is_get = slot->kind == FB_RING_GET || slot->kind == FB_RING_GET_KEY;
    bool is_write = slot->kind == FB_RING_WRITE || slot->kind == FB_RING_PUT;
    if (reply->status != FB_OK || slot->tenant >= local->tenant_count)
        return;
    struct fb_local_tenant *tenant = &local->tenants[slot->tenant];
    tenant->reads += is_get;
    tenant->read_bytes += is_get ? reply->span.size : 0;
    tenant->hits += is_get && !fb_reason_is_origin((enum fb_reason)reply->reason);
    tenant->writes += is_write;
    tenant->write_bytes += is_write ? slot->size : 0;
}

/* A file that the origin showed once and does not have any more was removed there: nobody promised
 * to keep its bytes. */
static uint32_t status_of(struct fb_local *local, const struct local_slot *slot,
                          const struct fb_reply *reply)
{
    const struct fb_object *object = NULL;
    if (reply->status == FB_LOST)
        object = fb_objects_find(local->context.objects, slot->key.low);
    bool is_removed = reply->status == FB_LOST && (object == NULL || !object->is_cached);
    return is_removed ? (uint32_t)FB_ABSENT : reply->status;
}

/* Is a write less safe than its level says? Then the name must not say more than is true, and the
 * operator hears of it: once an object. */
static void level_note(struct fb_local *local, const struct local_slot *slot,
                       const struct fb_reply *reply)
{
    bool wants = slot->level == FB_LEVEL_REPLICATED || slot->level == FB_LEVEL_DEVICE;
    uint64_t quorum = local->context.settings->core.write_quorum;
    bool is_lowered = reply->status == FB_OK && wants && reply->copies < quorum;
    struct fb_object *object = fb_objects_find(local->context.objects, slot->key.low);
    if ((!is_lowered && reply->status != FB_DEGRADED) || object == NULL)
        return;
    object->is_degraded = object->is_degraded || is_lowered;
    if (object->is_degraded_told)
        return;
    object->is_degraded_told = true;
    char quoted[FB_LOG_QUOTE_MAX];
    fb_log(FB_LOG_WARNING, "degraded", "name=%s copies=%u write_quorum=%llu answer=%s",
           fb_log_quote(object->name, quoted), reply->copies, (unsigned long long)quorum,
           is_lowered ? "allowed" : "refused");
}

void fb_local_reply(struct fb_local *local, const struct fb_reply *reply)
{
    struct local_session *session = &local->sessions[reply->request_id >> SESSION_SHIFT];
    uint32_t index = (uint32_t)(reply->request_id >> SLOT_SHIFT) & 0xffff;
    FB_ASSERT(index < FB_RING_ENTRIES);
    struct local_slot *slot = &session->slots[index];
    FB_ASSERT(slot->is_used && slot->generation == (uint32_t)reply->request_id);
    FB_ASSERT(session->slots_used > 0);
    bool is_get = slot->kind == FB_RING_GET || slot->kind == FB_RING_GET_KEY;
    bool is_lent = reply->status == FB_OK && is_get;
    struct fb_ring_reply answer = {.id = slot->client_id,
                                   .status = status_of(local, slot, reply),
                                   .reason = reply->reason,
                                   .source = reply->source,
                                   .count = reply->match_count,
                                   .offset = reply->span.offset,
                                   .size = reply->span.size};
    if (is_get)
        read_note(session->local, slot, reply);
    tenant_note(local, slot, reply);
    if (slot->kind == FB_RING_PIN)
        answer.lease = local_pin_made(session, (uint32_t)slot->index, reply);
    bool is_written = slot->kind == FB_RING_WRITE && reply->status == FB_OK;
    if (is_written && !local_write_note(session, slot->key.low, slot->index, slot->size))
        answer.status = FB_FULL;
    if (slot->kind == FB_RING_WRITE)
        level_note(session->local, slot, reply);
    slot->is_used = 0;
    slot->generation++;
    slot->next = session->slot_free;
    session->slot_free = index;
    session->slots_used--;
    local_land(session, use_of(slot->kind));
    if (session->state != LOCAL_CLOSING) {
        if (is_lent)
            answer.lease = lease_take(session, reply);
        ring_reply(session, answer);
        return;
    }
    if (is_lent) { /* the client went meanwhile */
        const struct fb_event event = release_event(reply->lease);
        fb_feed_event(local->context.feed, &event);
    }
    local_session_settle(session);
}

struct fb_bytes fb_local_arena(struct fb_local *local, const struct fb_span *span)
{
    uint64_t index = span->offset >> ARENA_SHIFT;
    uint64_t offset = span->offset & ((UINT64_C(1) << ARENA_SHIFT) - 1);
    const struct local_session *session =
        index < FB_LOCAL_SESSIONS_MAX ? &local->sessions[index] : NULL;
    bool is_there = session != NULL && session->ring != NULL && offset <= session->arena.size &&
                    span->size <= session->arena.size - offset;
    if (!is_there)
        return (struct fb_bytes){.size = 0};
    return (struct fb_bytes){.at = session->arena.at + offset, .size = span->size};
}

static bool arena_holds(const struct local_session *session, uint64_t offset, uint64_t size)
{
    return offset <= session->arena.size && size <= session->arena.size - offset;
}

/* A slot for a request; its id as the core sees it. */
static uint64_t slot_take(struct local_session *session, const struct fb_ring_request *from)
{
    FB_ASSERT(session->slot_free != FB_NONE);
    uint32_t index = session->slot_free;
    struct local_slot *slot = &session->slots[index];
    FB_ASSERT(!slot->is_used);
    session->slot_free = slot->next;
    session->slots_used++;
    slot->is_used = 1;
    slot->client_id = from->id;
    slot->kind = from->kind;
    local_fly(session, use_of(from->kind));
    return (uint64_t)session_index(session) << SESSION_SHIFT | (uint64_t)index << SLOT_SHIFT |
           slot->generation;
}

/* How far is an object written? Who gives it up has as much removed. */
static void object_reach(struct fb_object *object, uint64_t index, uint32_t size,
                         uint64_t block_size)
{
    uint64_t end = index < UINT64_MAX / block_size - 1 ? index * block_size + size : 0;
    if (object->written_bytes < end)
        object->written_bytes = end;
}

/* Makes the block that a GET or PUT is about; false: there is none. */
static bool block_make(struct local_session *session, const struct fb_ring_request *from,
                       struct fb_block *block)
{
    struct fb_local *local = session->local;
    uint64_t block_size = local->context.settings->core.block_size_bytes;
    if (from->kind == FB_RING_GET_KEY || from->kind == FB_RING_PUT) {
        *block = (struct fb_block){
            .key = fb_object_kv_key(from->key), .object = FB_OBJECT_NONE, .size = from->size};
        block->tenant = from->tenant;
        return from->kind == FB_RING_GET_KEY || arena_holds(session, from->offset, from->size);
    }
    struct fb_object *object = fb_objects_find(local->context.objects, from->object);
    if (object == NULL)
        return false;
    if (from->kind == FB_RING_WRITE) {
        if (!object->is_written || !local_write_is_own(session, from->object))
            return false;
        fb_objects_owe(local->context.objects, from->object, local->context.feed->now_ns);
        object_reach(object, from->index, from->size, block_size);
        *block = fb_object_new_block(object, block_size, from->index, from->size);
        block->tenant = from->tenant;
        return from->index < UINT64_MAX / block_size - 1 &&
               arena_holds(session, from->offset, from->size);
    }
    bool is_kept = from->kind == FB_RING_FORGET && (object->is_written || object->is_cached);
    if (is_kept || from->index >= fb_object_blocks(object, block_size))
        return false;
    *block = fb_object_block(object, block_size, from->index);
    block->tenant = from->tenant;
    return true;
}

/* The match is handed to the core at once: its keys are borrowed. */
static bool match_start(struct local_session *session, const struct fb_ring_request *from)
{
    static struct fb_key keys[FB_MATCH_KEYS_MAX];
    if (from->size > FB_MATCH_KEYS_MAX ||
        !arena_holds(session, from->offset, from->size * sizeof(keys[0])))
        return false;
    memcpy(keys, session->arena.at + from->offset, from->size * sizeof(keys[0]));
    for (uint32_t i = 0; i < from->size; i++)
        keys[i] = fb_object_kv_key(keys[i]);
    const struct fb_event event = {.kind = FB_EVENT_REQUEST,
                                   .request = {.kind = FB_REQUEST_MATCH,
                                               .key_count = from->size,
                                               .request_id = slot_take(session, from),
                                               .keys = keys}};
    fb_feed_event(session->local->context.feed, &event);
    return true;
}

static enum fb_request_kind request_kind(uint32_t kind)
{
    return kind == FB_RING_PUT      ? FB_REQUEST_PUT
           : kind == FB_RING_WRITE  ? FB_REQUEST_WRITE
           : kind == FB_RING_PIN    ? FB_REQUEST_PIN
           : kind == FB_RING_FORGET ? FB_REQUEST_FORGET
                                    : FB_REQUEST_GET;
}

/* Ends a pin; a lease that is none is no fault: the pin has ended by itself. */
static void unpin(struct local_session *session, const struct fb_ring_request *from)
{
    const struct fb_event event = {
        .kind = FB_EVENT_REQUEST,
        .request = {.kind = FB_REQUEST_UNPIN, .lease = local_pin_end(session, from->object)}};
    if (event.request.lease != UINT64_MAX)
        fb_feed_event(session->local->context.feed, &event);
    ring_reply(session, (struct fb_ring_reply){.id = from->id, .status = FB_OK});
}

static bool block_start(struct local_session *session, const struct fb_ring_request *from,
                        struct batch *batch)
{
    struct fb_block block;
    if (!block_make(session, from, &block))
        return false;
    bool is_copy = from->kind == FB_RING_PUT || from->kind == FB_RING_WRITE;
    FB_ASSERT(batch->count < BATCH_MAX);
    struct fb_event *event = &batch->events[batch->count++];
    *event = (struct fb_event){.kind = FB_EVENT_REQUEST,
                               .request = {.kind = request_kind(from->kind),
                                           .ttl_ns = from->kind == FB_RING_PIN ? from->offset : 0,
                                           .level = from->level,
                                           .request_id = slot_take(session, from),
                                           .block = block}};
    struct local_slot *slot = slot_of(session->local, event->request.request_id);
    slot->key = block.key;
    slot->index = from->kind == FB_RING_PIN ? batch->pin : from->index;
    slot->size = block.size;
    slot->level = from->level;
    slot->tenant = block.tenant;
    slot->since_ns = 0;
    if (is_copy)
        event->request.span = (struct fb_span){
            .region = FB_REGION_CLIENT,
            .peer = session->local->context.settings->node,
            .offset = (uint64_t)session_index(session) << ARENA_SHIFT | from->offset,
            .size = from->size};
    return true;
}

static void release_start(struct local_session *session, uint64_t id, struct batch *batch)
{
    uint32_t index = (uint32_t)(id >> 32);
    FB_ASSERT(batch->count < BATCH_MAX);
    struct local_lease *lease = index < FB_LOCAL_LEASES_MAX ? &session->leases[index] : NULL;
    if (lease != NULL && lease->is_used && lease->generation == (uint32_t)id)
        batch->events[batch->count++] = release_event(lease_free(session, lease));
}

static void batch_run(struct fb_local *local, struct batch *batch)
{
    fb_node_prefetch(local->context.feed->node, batch->events, batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        fb_feed_event(local->context.feed, &batch->events[i]);
        if (batch->events[i].request.kind == FB_REQUEST_GET)
            slot_of(local, batch->events[i].request.request_id)->since_ns =
                local->context.feed->now_ns;
    }
    batch->count = 0;
}

/* Why it may not begin now, for what others must find; OK: it may. */
static enum fb_status request_room(struct local_session *session,
                                   const struct fb_ring_request *from, struct batch *batch)
{
    struct fb_local *local = session->local;
    bool is_get = from->kind == FB_RING_GET || from->kind == FB_RING_GET_KEY;
    bool is_write = from->kind == FB_RING_WRITE;
    if (is_write && fb_standing_refuses(local->context.standing, FB_REQUEST_WRITE))
        return FB_GONE;
    if (is_get && session->leases_used + session->slots_used >= FB_LOCAL_LEASES_MAX)
        return FB_BUSY;
    bool may_fly = local_may_fly(session, use_of(from->kind));
    if (!may_fly && batch->count > 0) { /* some are answered at once */
        batch_run(local, batch);
        may_fly = local_may_fly(session, use_of(from->kind));
    }
    bool may_owe = !is_write || local_may_owe(session, from->size);
    bool may_lend =
        !is_get || local_has_memory(session, local->context.settings->core.block_size_bytes);
    local->flights_refused += !may_fly;
    local->writes_refused += !may_owe;
    local->loans_refused += !may_lend;
    return !may_owe ? local_owed_refusal(local) : may_fly && may_lend ? FB_OK : FB_BUSY;
}

/* A file is pinned whole: one of more blocks than a client may pin is refused at its first. */
static bool pins_fit(const struct fb_local *local, uint64_t handle)
{
    const struct fb_object *object = fb_objects_find(local->context.objects, handle);
    uint64_t block_size = local->context.settings->core.block_size_bytes;
    return object == NULL || fb_object_blocks(object, block_size) <= local->pins_of_one;
}

static bool pin_start(struct local_session *session, const struct fb_ring_request *from,
                      struct batch *batch, enum fb_status *refusal)
{
    struct local_pin *pins = session->local->pins;
    *refusal = FB_TOO_LARGE;
    if (!pins_fit(session->local, from->object))
        return false;
    *refusal = FB_BUSY;
    if (!local_pin_begin(session, from->offset, &batch->pin))
        return false;
    *refusal = FB_INVALID;
    bool is_started = block_start(session, from, batch);
    if (!is_started)
        pins[batch->pin].end_ns = 0;
    return is_started;
}

static void request_handle(struct local_session *session, const struct fb_ring_request *from,
                           struct batch *batch)
{
    enum fb_status refusal = request_room(session, from, batch);
    bool is_plain = from->kind == FB_RING_GET || from->kind == FB_RING_GET_KEY ||
                    from->kind == FB_RING_PUT || from->kind == FB_RING_WRITE ||
                    from->kind == FB_RING_FORGET;
    bool is_started = false;
    if (from->kind == FB_RING_RELEASE) {
        release_start(session, from->object, batch);
        return;
    }
    if (from->kind == FB_RING_UNPIN) {
        unpin(session, from);
        return;
    }
    if (refusal == FB_OK) {
        refusal = FB_INVALID;
        if (from->kind == FB_RING_MATCH)
            is_started = match_start(session, from);
        else if (from->kind == FB_RING_PIN)
            is_started = pin_start(session, from, batch, &refusal);
        else if (is_plain)
            is_started = block_start(session, from, batch);
    }
    if (!is_started)
        ring_reply(session, (struct fb_ring_reply){
                                .id = from->id, .status = refusal, .reason = FB_REASON_REFUSED});
}

/* Takes up to a batch of a session's requests; returns how many. */
static uint32_t session_work(struct local_session *session, struct batch *batch)
{
    struct fb_ring *ring = session->ring;
    uint32_t tail = atomic_load_explicit(&ring->request_tail, memory_order_acquire);
    uint32_t waiting = tail - session->ring_head, count = 0;
    if (waiting == 0)
        return 0;
    uint32_t unread = session->ring_tail - atomic_load(&ring->reply_head);
    if (waiting > FB_RING_ENTRIES || unread > FB_RING_ENTRIES) {
        local_session_end(session, "the client broke its ring");
        return 0;
    }
    while (count < waiting && count < BATCH_MAX && unread + session->slots_used < FB_RING_ENTRIES) {
        const struct fb_ring_request from = ring->requests[session->ring_head % FB_RING_ENTRIES];
        uint32_t written = session->ring_tail;
        session->ring_head++;
        count++;
        request_handle(session, &from, batch);
        unread += session->ring_tail - written;
    }
    atomic_store_explicit(&ring->request_head, session->ring_head, memory_order_release);
    batch_run(session->local, batch);
    return count;
}

static void session_wake(struct local_session *session)
{
    struct fb_ring *ring = session->ring;
    session->must_wake = false;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&ring->client_sleeps) == 0)
        return;
    atomic_store(&ring->client_sleeps, 0);
    (void)syscall(SYS_futex, &ring->reply_tail, FUTEX_WAKE, 1, NULL, NULL, 0);
}

uint32_t fb_local_work(struct fb_local *local)
{
    struct batch batch = {.count = 0};
    uint32_t count = 0;
    /* Backwards: a session that ends takes itself out of the list. */
    for (uint32_t i = local->session_count; i-- > 0;) {
        struct local_session *session = &local->sessions[local->active[i]];
        if (session->state == LOCAL_OPEN)
            count += session_work(session, &batch);
        if (session->state == LOCAL_OPEN && session->must_wake)
            session_wake(session);
    }
    return count;
}

bool fb_local_may_sleep(struct fb_local *local)
{
    bool is_idle = true;
    local->is_asleep = true;
    for (uint32_t i = 0; i < local->session_count; i++) {
        struct local_session *session = &local->sessions[local->active[i]];
        if (session->ring != NULL)
            atomic_store(&session->ring->daemon_sleeps, 1);
    }
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t i = 0; i < local->session_count && is_idle; i++) {
        const struct local_session *session = &local->sessions[local->active[i]];
        is_idle =
            session->state != LOCAL_OPEN ||
            atomic_load(&session->ring->request_tail) == session->ring_head ||
            session->ring_tail - atomic_load(&session->ring->reply_head) + session->slots_used >=
                FB_RING_ENTRIES;
    }
    return is_idle;
}

void fb_local_awake(struct fb_local *local)
{
    if (!local->is_asleep)
        return;
    local->is_asleep = false;
    for (uint32_t i = 0; i < local->session_count; i++) {
        struct local_session *session = &local->sessions[local->active[i]];
        if (session->ring != NULL)
            atomic_store(&session->ring->daemon_sleeps, 0);
    }
}
