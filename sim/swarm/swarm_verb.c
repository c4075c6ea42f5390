/* The clients: what each operation asks, what it may be answered, and when it is tried again.
 *
 *     FUTURE --send--> OPEN --reply, a lease--> HELD --release--> ENDED
 *       ^               |
 *       '---refused-----+--refused for good, or done without a lease--> ENDED
 *
 * A client whose node crashes has lost what it asked and what it held. */
#include "sim/swarm/swarm_internal.h"
#include "sim/swarm/swarm_store.h"

#include <stdlib.h>

enum { TRY_SHIFT = 32 };

/* What a verb is made of. */
struct verb_row {
    const char *name;
    void (*ask)(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
    bool (*is_served)(const struct swarm *swarm,
                      const struct fb_reply *reply); /* nothing is left to be tried again */
    void (*judge)(struct swarm *swarm, struct swarm_request *request, const struct fb_reply *reply);
};

static uint32_t chain_base(uint32_t chain, uint32_t index)
{
    return index < SWARM_CHAINS_FORK ? chain & ~1u : chain;
}

struct fb_key swarm_chain_key(uint32_t chain, uint32_t index)
{
    uint32_t base = chain_base(chain, index);
    uint64_t group = swarm_content(base, index / SWARM_GROUP_KEYS);
    return (struct fb_key){.high = group, .low = swarm_content(UINT64_C(1) << 41 | base, index)};
}

static struct fb_block chain_block(const struct fb_swarm_request *what)
{
    return (struct fb_block){.key = swarm_chain_key(what->object, what->index),
                             .object = FB_OBJECT_NONE,
                             .size = what->size};
}

static void ask_get(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    const struct fb_swarm_request *what = &request->what;
    uint64_t offset = what->index * swarm->plan->config.block_size_bytes;
    out->kind = FB_REQUEST_GET;
    request->content = swarm_content(what->object, offset);
    request->block = (struct fb_block){.key = {.high = fb_mix(request->content), .low = 1},
                                       .object = what->object,
                                       .offset = offset,
                                       .size = what->size,
                                       .tenant = swarm_tenant_of(swarm->plan, what->object)};
}

static void ask_get_volatile(struct swarm *swarm, struct swarm_request *request,
                             struct fb_request *out)
{
    const struct fb_swarm_request *what = &request->what;
    out->kind = FB_REQUEST_GET;
    request->block = chain_block(what);
    request->content = request->block.key.low;
    (void)swarm;
}

static void ask_get_invalid(struct swarm *swarm, struct swarm_request *request,
                            struct fb_request *out)
{
    ask_get(swarm, request, out);
    request->block.key.low = 2;
    request->block.size = (uint32_t)swarm->plan->config.block_size_bytes + 1;
    if (request->what.index % 2 == 0)
        request->block.size = 0;
}

static void ask_put(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    const struct fb_swarm_request *what = &request->what;
    uint32_t base = chain_base(what->object, what->index);
    out->kind = FB_REQUEST_PUT;
    request->block = chain_block(what);
    request->content = request->block.key.low;
    swarm->brought[base % SWARM_CHAINS_MAX] |= 1u << what->index;
    out->span = (struct fb_span){.region = FB_REGION_CLIENT,
                                 .peer = what->node,
                                 .offset = (uint64_t)(request - swarm->requests),
                                 .size = what->size};
}

static void ask_match(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    out->kind = FB_REQUEST_MATCH;
    out->key_count = request->what.count;
    for (uint32_t i = 0; i < request->what.count; i++)
        swarm->keys[i] = swarm_chain_key(request->what.object, i);
    out->keys = swarm->keys;
}

/* Of a block that is read or written, when it is asked for. */
enum { KNOWN_NOT, KNOWN_KEPT, KNOWN_STORED, KNOWN_GIVEN_UP };

static void ask_write(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    request->known = swarm_durable_ask(swarm, request)->is_forgotten ? KNOWN_GIVEN_UP : KNOWN_NOT;
    out->kind = FB_REQUEST_WRITE;
    out->level = swarm_level_of(&request->what);
    out->span = (struct fb_span){.region = FB_REGION_CLIENT,
                                 .peer = request->what.node,
                                 .offset = swarm_index(swarm, request),
                                 .size = request->block.size};
}

static void ask_get_written(struct swarm *swarm, struct swarm_request *request,
                            struct fb_request *out)
{
    const struct swarm_durable *durable = swarm_durable_ask(swarm, request);
    request->known = swarm_is_kept(swarm, durable, UINT32_MAX) ? KNOWN_KEPT : KNOWN_NOT;
    if (durable->is_stored)
        request->known = KNOWN_STORED;
    out->kind = FB_REQUEST_GET;
}

static void ask_forget(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    swarm_durable_ask(swarm, request)->is_forgotten = true;
    out->kind = FB_REQUEST_FORGET;
}

/* All blocks of the version, those that are still to be written included. */
static void ask_abandon(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    (void)swarm_durable_ask(swarm, request);
    if (swarm->plan->config.names_max > 0)
        swarm_durable_abandon(swarm, &request->what);
    out->kind = FB_REQUEST_NAME_ABANDON;
}

static bool served_ok(const struct swarm *swarm, const struct fb_reply *reply)
{
    (void)swarm;
    return reply->status == FB_OK;
}

/* A dead node that the view still names may be the only one that has what is asked for. */
static bool hides_with_dead(const struct swarm *swarm)
{
    bool does_hide = swarm_has_dead_member(swarm);
    if (does_hide)
        swarm->result->softened[FB_SWARM_SOFTENING_hidden_with_dead] = 1;
    return does_hide;
}

/* With patience shorter than a message's way there and back, peers can not be read from at all. */
static bool served_or_absent(const struct swarm *swarm, const struct fb_reply *reply)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    bool is_hasty = plan->config.hedge_ns < 40 * plan->message_ns + 20 * plan->step_ns;
    return reply->status == FB_OK || reply->status == FB_ABSENT ||
           (reply->status == FB_TIMEOUT && (is_hasty || hides_with_dead(swarm)));
}

/* What a drive shall hold a node without one can not take. */
static bool served_write(const struct swarm *swarm, const struct fb_reply *reply)
{
    const struct swarm_request *request = &swarm->requests[(uint32_t)reply->request_id];
    bool is_impossible =
        swarm_level_of(&request->what) == FB_LEVEL_DEVICE &&
        (swarm->plan->config.device_size_bytes == 0 || swarm->plan->config.device_writes_max == 0);
    bool is_given_up = reply->status == FB_GONE && request->known == KNOWN_GIVEN_UP;
    return reply->status == FB_OK || is_impossible || is_given_up;
}

static bool served_written(const struct swarm *swarm, const struct fb_reply *reply)
{
    const struct swarm_request *request = &swarm->requests[(uint32_t)reply->request_id];
    bool is_late = reply->status == FB_TIMEOUT || reply->status == FB_BUSY;
    bool is_nowhere = reply->status == FB_LOST || (is_late && hides_with_dead(swarm));
    return reply->status == FB_OK || (is_nowhere && request->known == KNOWN_NOT);
}

static bool served_lookup(const struct swarm *swarm, const struct fb_reply *reply)
{
    (void)swarm;
    return reply->status == FB_OK || reply->status == FB_ABSENT ||
           swarm->plan->config.metas_max == 0;
}

static bool served_pin(const struct swarm *swarm, const struct fb_reply *reply)
{
    /* FULL: others have the part of the memory that pins may take, for as long as they like. */
    return reply->status == FB_OK || reply->status == FB_FULL || swarm->plan->config.pins_max == 0;
}

/* Whoever hears TIMEOUT looks up: another commit would be another. */
static bool served_commit(const struct swarm *swarm, const struct fb_reply *reply)
{
    return reply->status == FB_OK || reply->status == FB_CONFLICT || reply->status == FB_TIMEOUT ||
           swarm->plan->config.metas_max == 0;
}

static bool served_removal(const struct swarm *swarm, const struct fb_reply *reply)
{
    return served_commit(swarm, reply) || reply->status == FB_ABSENT;
}

static bool served_invalid(const struct swarm *swarm, const struct fb_reply *reply)
{
    (void)swarm;
    return reply->status == FB_INVALID;
}

/* The origin had it when it was asked for, or it was promised then and a member has it still: those
 * that are no members are not asked. */
static void judge_lost(struct swarm *swarm, const struct swarm_request *request)
{
    const struct swarm_durable *durable = swarm_durable_find(swarm, &request->block);
    uint32_t members = swarm_members_of(swarm, request->what.node);
    bool is_kept =
        request->known == KNOWN_STORED ||
        (request->known == KNOWN_KEPT && durable != NULL && swarm_is_kept(swarm, durable, members));
    swarm_judge(swarm, FB_SWARM_CHECK_lost_is_lost, !is_kept,
                "request %u is told that object %llu, offset %llu is lost",
                swarm_index(swarm, request), (unsigned long long)request->block.object,
                (unsigned long long)request->block.offset);
}

/* A read's reply: sane, of the right length, with the right bytes under it. */
static void judge_get(struct swarm *swarm, struct swarm_request *request,
                      const struct fb_reply *reply)
{
    uint32_t id = (uint32_t)reply->request_id, first;
    bool is_refused = reply->reason == FB_REASON_REFUSED || reply->reason == FB_REASON_ABSENT ||
                      reply->reason == FB_REASON_LOST;
    bool is_written = request->what.verb == FB_SWARM_VERB_get_written;
    bool is_sane = (reply->status == FB_OK) != is_refused && reply->reason < FB_REASON_COUNT &&
                   (reply->status == FB_ABSENT) == (reply->reason == FB_REASON_ABSENT) &&
                   (reply->status == FB_LOST) == (reply->reason == FB_REASON_LOST) &&
                   (reply->status != FB_ABSENT || request->block.object == FB_OBJECT_NONE) &&
                   (reply->status != FB_LOST || is_written);
    if (reply->reason == FB_REASON_MEMORY)
        is_sane = is_sane && reply->source == request->what.node;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_sane_reply, is_sane,
                     "request %u: status %s with reason %s from node %u", id,
                     fb_status_name((enum fb_status)reply->status),
                     fb_reason_name((enum fb_reason)reply->reason), reply->source))
        return;
    if (reply->status == FB_LOST)
        judge_lost(swarm, request);
    if (reply->status != FB_OK)
        return;
    if (!swarm_place(swarm, request->what.node, &reply->span, FB_REGION_MEMORY, &first))
        return;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_right_length, reply->span.size == request->block.size,
                     "request %u for %u bytes got %llu", id, request->block.size,
                     (unsigned long long)reply->span.size))
        return;
    if (request->what.verb == FB_SWARM_VERB_get_written)
        swarm_durable_read(swarm, request, &reply->span);
    swarm_judge(
        swarm, FB_SWARM_CHECK_right_bytes, swarm_holds(swarm, &reply->span, request->content),
        "request %u for block %u of object %u got other bytes (reason %s)", id, request->what.index,
        request->what.object, fb_reason_name((enum fb_reason)reply->reason));
    if (swarm->plan->config.memory_size_bytes < 2 * swarm->plan->config.block_size_bytes)
        swarm_saw(swarm, FB_SWARM_SIGHT_one_block_cache);
    if (request->block.size == 1)
        swarm_saw(swarm, FB_SWARM_SIGHT_one_byte_read);
}

static void judge_invalid(struct swarm *swarm, struct swarm_request *request,
                          const struct fb_reply *reply)
{
    swarm_judge(swarm, FB_SWARM_CHECK_sane_reply, reply->status == FB_INVALID,
                "request %u for %u bytes was answered %s", (uint32_t)reply->request_id,
                request->block.size, fb_status_name((enum fb_status)reply->status));
}

static void judge_put(struct swarm *swarm, struct swarm_request *request,
                      const struct fb_reply *reply)
{
    bool is_known = reply->status < FB_STATUS_COUNT && reply->status != FB_INVALID;
    swarm_judge(swarm, FB_SWARM_CHECK_sane_reply, is_known, "put %u of %u bytes was answered %s",
                (uint32_t)reply->request_id, request->block.size,
                fb_status_name((enum fb_status)reply->status));
}

static void judge_match(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply)
{
    uint32_t known = 0;
    while (
        known < request->what.count &&
        (swarm->brought[chain_base(request->what.object, known) % SWARM_CHAINS_MAX] >> known & 1))
        known++;
    swarm_judge(swarm, FB_SWARM_CHECK_match_of_known, reply->match_count <= known,
                "match %u of chain %u counts %u keys, and only the first %u were ever put",
                (uint32_t)reply->request_id, request->what.object, reply->match_count, known);
}

static void judge_write(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply)
{
    swarm_judge(swarm, FB_SWARM_CHECK_sane_reply,
                reply->status < FB_STATUS_COUNT && reply->status != FB_ABSENT,
                "write %u is answered with status %u", swarm_index(swarm, request), reply->status);
    request->copies = reply->copies;
    if (reply->status == FB_OK)
        swarm_acked(swarm, request);
}

static void judge_forget(struct swarm *swarm, struct swarm_request *request,
                         const struct fb_reply *reply)
{
    bool is_sane = reply->status == FB_OK || reply->status == FB_BUSY;
    swarm_judge(swarm, FB_SWARM_CHECK_sane_reply, is_sane, "forget %u is answered %s",
                swarm_index(swarm, request), fb_status_name((enum fb_status)reply->status));
}

/* In the order of FB_SWARM_VERBS. */
static const struct verb_row rows[] = {
    {"get", ask_get, served_ok, judge_get},
    {"get_volatile", ask_get_volatile, served_or_absent, judge_get},
    {"get_invalid", ask_get_invalid, served_invalid, judge_invalid},
    {"put", ask_put, served_ok, judge_put},
    {"match", ask_match, served_ok, judge_match},
    {"gather", swarm_ask_gather, served_ok, swarm_judge_gather},
    {"pin", swarm_ask_pin, served_pin, swarm_judge_pin},
    {"prefetch", swarm_ask_prefetch, served_ok, judge_put},
    {"write", ask_write, served_write, judge_write},
    {"get_written", ask_get_written, served_written, judge_get},
    {"forget", ask_forget, served_ok, judge_forget},
    {"lookup", swarm_ask_lookup, served_lookup, swarm_judge_lookup},
    {"commit", swarm_ask_commit, served_commit, swarm_judge_commit},
    {"name_look", swarm_ask_name_look, served_lookup, swarm_judge_name_look},
    {"name_write", swarm_ask_name_write, served_commit, swarm_judge_name_write},
    {"name_remove", swarm_ask_name_remove, served_removal, swarm_judge_name_remove},
    {"abandon", ask_abandon, served_ok, judge_put},
};
static_assert(sizeof(rows) / sizeof(rows[0]) == FB_SWARM_VERB_COUNT, "a row a verb");

const char *fb_swarm_verb_name(uint32_t verb)
{
    return rows[verb].name;
}

static void request_set(struct swarm *swarm, struct swarm_request *request,
                        enum swarm_request_state state)
{
    FB_ASSERT(request->state != REQUEST_ENDED);
    FB_ASSERT(swarm->requests_open > 0);
    request->state = state;
    if (state == REQUEST_ENDED)
        swarm->requests_open--;
}

void swarm_request_add(struct swarm *swarm, const struct fb_swarm_request *what, bool must_succeed)
{
    FB_ASSERT(swarm->request_count < swarm->request_max);
    uint32_t index = swarm->request_count++;
    swarm->requests[index] = (struct swarm_request){
        .what = *what, .state = REQUEST_FUTURE, .must_succeed = must_succeed};
    swarm->requests_open++;
    struct swarm_event *event = swarm_push(swarm, what->at_ns, SWARM_REQUEST, what->node);
    event->index = index;
}

/* Refused, or its node is down: try again after a while, or give up. */
static void request_again(struct swarm *swarm, uint32_t index)
{
    struct swarm_request *request = &swarm->requests[index];
    if (!request->must_succeed && request->tries >= swarm->plan->tries) {
        request_set(swarm, request, REQUEST_ENDED);
        return;
    }
    request_set(swarm, request, REQUEST_FUTURE);
    uint64_t base_ns = swarm->plan->config.backoff_ns + swarm->plan->origin_ns;
    uint64_t pause_ns = base_ns << (request->tries < 4 ? request->tries : 4);
    uint64_t at_ns = swarm->now_ns + swarm_spread(swarm, request->what.node, pause_ns);
    struct swarm_event *event = swarm_push(swarm, at_ns, SWARM_REQUEST, request->what.node);
    event->index = index;
}

/* What the node's driver looks at before the core hears of a request. */
static uint32_t kind_of(uint32_t verb)
{
    return verb == FB_SWARM_VERB_write         ? FB_REQUEST_WRITE
           : verb == FB_SWARM_VERB_commit      ? FB_REQUEST_COMMIT
           : verb == FB_SWARM_VERB_name_write  ? FB_REQUEST_NAME_BEGIN
           : verb == FB_SWARM_VERB_name_remove ? FB_REQUEST_NAME_REMOVE
                                               : FB_REQUEST_GET;
}

/* A node that is no member refuses what changes anything. */
static bool request_refused(struct swarm *swarm, struct swarm_request *request)
{
    if (!fb_membership_guards_request(kind_of(request->what.verb)) ||
        !swarm_member_is_fenced(swarm, request->what.node))
        return false;
    swarm_saw(swarm, FB_SWARM_SIGHT_fenced_refused);
    request->status = FB_GONE;
    request->was_refused = true;
    return true;
}

/* When the node serves clients: not while it stands still, or has not joined. */
static uint64_t served_ns(const struct swarm *swarm, uint32_t node)
{
    const struct swarm_node *host = &swarm->nodes[node];
    if (host->is_up && swarm_member_is_joining(swarm, node))
        return swarm->now_ns + swarm->plan->lease_ns / 8;
    return host->is_up ? host->ready_ns : swarm->now_ns;
}

void swarm_request_send(struct swarm *swarm, uint32_t index)
{
    struct swarm_request *request = &swarm->requests[index];
    uint32_t node = request->what.node;
    struct swarm_node *host = &swarm->nodes[node];
    FB_ASSERT(request->state == REQUEST_FUTURE);
    if (served_ns(swarm, node) > swarm->now_ns) {
        struct swarm_event *event = swarm_push(swarm, served_ns(swarm, node), SWARM_REQUEST, node);
        event->index = index;
        return;
    }
    request->tries++;
    if (!host->is_up || request_refused(swarm, request)) {
        request_again(swarm, index);
        return;
    }
    struct fb_event event = {.kind = FB_EVENT_REQUEST};
    event.request =
        (struct fb_request){.request_id = index | (uint64_t)request->tries << TRY_SHIFT};
    request->life = host->life;
    request->state = REQUEST_OPEN;
    rows[request->what.verb].ask(swarm, request, &event.request);
    event.request.block = request->block;
    bool is_answered =
        request->what.verb != FB_SWARM_VERB_prefetch && request->what.verb != FB_SWARM_VERB_abandon;
    if (!is_answered)
        request_set(swarm, request, REQUEST_ENDED);
    swarm->result->verbs[request->what.verb]++;
    swarm->result->requests++;
    swarm_node_step(swarm, node, &event);
}

/* A lease's units are read by the client from the reply to the release. */
void swarm_lease(struct swarm *swarm, uint32_t index, bool is_taken)
{
    const struct swarm_request *request = &swarm->requests[index];
    struct swarm_node *host = &swarm->nodes[request->what.node];
    uint32_t first = (uint32_t)(request->span.offset / swarm->unit_bytes);
    uint32_t count = swarm_units(swarm, request->span.size);
    for (uint32_t i = first; i < first + count; i++) {
        FB_ASSERT(is_taken || host->readers[i] > 0);
        if (is_taken)
            host->readers[i]++;
        else
            host->readers[i]--;
    }
}

static void request_held(struct swarm *swarm, uint32_t index, const struct fb_reply *reply)
{
    struct swarm_request *request = &swarm->requests[index];
    request->lease = reply->lease;
    request->span = reply->span;
    request_set(swarm, request, REQUEST_HELD);
    if (request->what.verb != FB_SWARM_VERB_pin)
        swarm_lease(swarm, index, true);
    if (request->what.hold_ns == FB_NEVER_NS)
        return;
    struct swarm_event *event =
        swarm_push(swarm, swarm->now_ns + request->what.hold_ns, SWARM_RELEASE, request->what.node);
    event->index = index;
    event->detail = request->tries;
}

static void saw_pinned(struct swarm *swarm, uint32_t node)
{
    const struct swarm_node *host = &swarm->nodes[node];
    uint32_t chunk_count =
        (uint32_t)(swarm->plan->config.memory_size_bytes / swarm->plan->config.block_size_bytes);
    for (uint32_t chunk = 0; chunk < chunk_count; chunk++) {
        uint32_t readers = 0;
        for (uint32_t i = 0; i < FB_UNITS_PER_CHUNK; i++)
            readers += host->readers[chunk * FB_UNITS_PER_CHUNK + i];
        if (readers == 0)
            return;
    }
    swarm_saw(swarm, FB_SWARM_SIGHT_all_pinned);
}

/* After a range of a gather was answered, or all of them were refused. */
static void gather_rest(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply)
{
    const struct fb_config *config = &swarm->plan->config;
    bool is_possible = config->gathers_max > 0 && config->gather_ranges_max >= SWARM_RANGES_MAX;
    enum swarm_gather_rest rest = swarm_gather_rest(request, reply);
    if (rest == GATHER_MORE)
        return;
    request->was_refused = request->was_refused || rest == GATHER_AGAIN;
    if (rest == GATHER_AGAIN && is_possible)
        request_again(swarm, swarm_index(swarm, request));
    else
        request_set(swarm, request, REQUEST_ENDED);
}

void swarm_reply(struct swarm *swarm, uint32_t node, const struct fb_reply *reply)
{
    if (reply->request_id == SWARM_TENANT_ID) {
        swarm_tenant_reply(swarm, node, reply);
        return;
    }
    uint32_t index = (uint32_t)reply->request_id;
    uint32_t try = (uint32_t)(reply->request_id >> TRY_SHIFT);
    struct swarm_request *request = index < swarm->request_count ? &swarm->requests[index] : NULL;
    bool is_expected = request != NULL && request->state == REQUEST_OPEN && request->tries == try &&
                       request->what.node == node && request->life == swarm->nodes[node].life;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_answered_once, is_expected,
                     "node %u answers try %u of request %u, which is not open there", node, try,
                     index))
        return;
    const struct verb_row *verb = &rows[request->what.verb];
    verb->judge(swarm, request, reply);
    if (request->what.verb == FB_SWARM_VERB_get)
        swarm_check_fresh(swarm, request, reply);
    if (swarm->is_over)
        return;
    request->status = reply->status;
    swarm_saw_status(swarm, reply->status);
    if (reply->status == FB_BUSY)
        saw_pinned(swarm, node);
    if (request->what.verb == FB_SWARM_VERB_gather) {
        gather_rest(swarm, request, reply);
        return;
    }
    if (!verb->is_served(swarm, reply)) {
        request->was_refused = true;
        request_again(swarm, index);
        return;
    }
    if (request->was_refused)
        swarm_saw(swarm, FB_SWARM_SIGHT_retry_succeeded);
    bool is_lent = reply->span.size > 0 || request->what.verb == FB_SWARM_VERB_pin;
    if (reply->status == FB_OK && is_lent)
        request_held(swarm, index, reply);
    else
        request_set(swarm, request, REQUEST_ENDED);
}

void swarm_request_release(struct swarm *swarm, uint32_t index, uint64_t try)
{
    struct swarm_request *request = &swarm->requests[index];
    if (request->state != REQUEST_HELD || request->tries != try)
        return;
    uint32_t node = request->what.node;
    struct swarm_node *host = &swarm->nodes[node];
    if (host->ready_ns > swarm->now_ns) {
        struct swarm_event *event = swarm_push(swarm, host->ready_ns, SWARM_RELEASE, node);
        event->index = index;
        event->detail = try;
        return;
    }
    if (request->what.verb == FB_SWARM_VERB_pin) {
        request_set(swarm, request, REQUEST_ENDED);
        swarm_unpin(swarm, request);
        return;
    }
    bool is_steady = swarm_holds(swarm, &request->span, request->content);
    if (!swarm_judge(swarm, FB_SWARM_CHECK_steady_lease, is_steady,
                     "the bytes of request %u changed before its release", index))
        return;
    swarm_lease(swarm, index, false);
    request_set(swarm, request, REQUEST_ENDED);
    const struct fb_event release = {
        .kind = FB_EVENT_REQUEST, .request = {.kind = FB_REQUEST_RELEASE, .lease = request->lease}};
    swarm_node_step(swarm, node, &release);
}

void swarm_request_lost(struct swarm *swarm, uint32_t node)
{
    for (uint32_t i = 0; i < swarm->request_count; i++) {
        struct swarm_request *request = &swarm->requests[i];
        if (request->what.node != node)
            continue;
        if (request->state == REQUEST_OPEN) {
            request_again(swarm, i);
        } else if (request->state == REQUEST_HELD) {
            swarm_saw(swarm, FB_SWARM_SIGHT_held_across_crash);
            request_set(swarm, request, REQUEST_ENDED);
        }
    }
}
