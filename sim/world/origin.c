/* The origin as nodes use it: a block is as many requests as it has parts, a node has so many under
 * way, what is refused is tried again: by base/origin_client.h, as forebayd does.
 *
 *     op --> queue of the node --> request: way --> limits of the store --503--> pause, again
 *                                                      |
 *         FETCH: first-byte latency, flow, way      <--'--> STORE: flow, latency, way
 *     The node's threads that speak to the origin work on each request: on one that is refused or
 *     carries nothing, too (transport.c). It ends when flow and work have.
 *     All requests of a move have ended --> DONE. A STORE in parts: one request before them and
 *     one after them. The last block of an object is stored --> its commit: one request after the
 *     other, its parts' copies among them.
 *
 *  1. A request's flow has the stream rate at most; its first byte its own latency.
 *  2. 503 is answered after the latency: too many requests at once, or a second, of the account,
 *     of the object, of the prefix (gate.h). A prefix above its rate is split after a while: twice
 *     the rate from then on.
 *  3. Of what waits, FETCHes come last, as with forebayd. A request that is tried again keeps its
 *     place among the node's; when a move fails, all its requests end.
 *  4. A store counts only when all of it has arrived: nothing half-written is ever found. */
#include "base/memory.h"
#include "core/panic.h"
#include "sim/world/origin.h"
#include "sim/world/transport.h"
#include "sim/world/world_clients.h"
#include "sim/world/world_internal.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>

static const struct fb_origin_model *model_of(const struct world *world)
{
    return &world->scenario->origin;
}

void world_origin_open(struct world *world)
{
    uint32_t nodes = world->scenario->nodes;
    struct world_origin *origin = fb_allocate(1, sizeof(*origin), "the origin", world->error);
    world->origin = origin;
    if (origin == NULL)
        return;
    origin->move_free = FB_NONE;
    origin->queues =
        fb_allocate(nodes, sizeof(*origin->queues), "queues to the origin", world->error);
    for (uint32_t i = 0; origin->queues != NULL && i < nodes; i++)
        origin->queues[i] = (struct move_queue){.head = FB_NONE, .tail = FB_NONE};
}

void world_origin_close(struct world *world)
{
    if (world->origin == NULL)
        return;
    fb_gate_objects_close(&world->origin->objects);
    free(world->origin->moves);
    free(world->origin->queues);
    free(world->origin);
}

uint32_t world_origin_requests_max(const struct world *world)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        if (world->origin->queues[i].requests_max > most)
            most = world->origin->queues[i].requests_max;
    }
    return most;
}

static uint32_t move_new(struct world_origin *origin)
{
    uint32_t index = origin->move_free;
    if (index == FB_NONE && origin->move_used == origin->move_count) {
        origin->move_count = origin->move_count > 0 ? origin->move_count * 2 : 256;
        origin->moves = fb_grow(origin->moves, origin->move_count, sizeof(*origin->moves),
                                "what moves to and from the origin", NULL);
        for (uint32_t i = origin->move_used; i < origin->move_count; i++)
            origin->moves[i] = (struct move){.turn = 0};
    }
    if (index == FB_NONE)
        index = origin->move_used++;
    else
        origin->move_free = origin->moves[index].next;
    uint32_t turn = origin->moves[index].turn;
    origin->moves[index] = (struct move){.turn = turn, .is_used = true, .next = FB_NONE};
    return index;
}

static void move_drop(struct world_origin *origin, uint32_t index)
{
    struct move *move = &origin->moves[index];
    move->is_used = false;
    move->turn++;
    move->next = origin->move_free;
    origin->move_free = index;
}

static void queue_add(struct world_origin *origin, uint32_t index, bool is_first)
{
    struct move *move = &origin->moves[index];
    struct move_queue *queue = &origin->queues[move->node];
    FB_ASSERT(!move->is_queued);
    uint32_t before = is_first ? FB_NONE : queue->tail, at = queue->head;
    if (move->kind != MOVE_FETCH && !is_first)
        for (before = FB_NONE; at != FB_NONE && origin->moves[at].kind != MOVE_FETCH;
             at = origin->moves[at].next)
            before = at;
    uint32_t *link = before == FB_NONE ? &queue->head : &origin->moves[before].next;
    move->is_queued = true;
    move->next = *link;
    *link = index;
    if (move->next == FB_NONE)
        queue->tail = index;
}

static void queue_take(struct world_origin *origin, uint32_t index)
{
    struct move *move = &origin->moves[index];
    struct move_queue *queue = &origin->queues[move->node];
    uint32_t before = FB_NONE;
    for (uint32_t at = queue->head; at != index; at = origin->moves[at].next)
        before = at;
    if (before == FB_NONE)
        queue->head = move->next;
    else
        origin->moves[before].next = move->next;
    if (queue->tail == index)
        queue->tail = before;
    move->is_queued = false;
}

static void request_send(struct world *world, uint32_t index, uint64_t at_ns)
{
    struct pending *pending = &world->pending[index];
    pending->kind = PENDING_REQUEST_ARRIVE;
    world_timer(world, at_ns + world_far_way_ns(world, pending->node, true), index);
}

static void request_begin(struct world *world, uint32_t move_index, uint64_t bytes)
{
    const struct move *move = &world->origin->moves[move_index];
    uint64_t now_ns = world_now_ns(world);
    uint32_t index = world_pending(world, PENDING_REQUEST_ARRIVE, move->node);
    world->pending[index].account = move->account;
    world->pending[index].detail = 0;
    world->pending[index].request = (struct move_request){
        .move = move_index, .turn = move->turn, .tries = move->failed + 1, .bytes = bytes};
    request_send(world, index, now_ns > move->begin_ns ? now_ns : move->begin_ns);
}

/* Begins what the node has room for. */
static void queue_run(struct world *world, uint32_t node)
{
    struct world_origin *origin = world->origin;
    struct move_queue *queue = &origin->queues[node];
    while (queue->head != FB_NONE &&
           queue->requests < world->scenario->origin_client.requests_max) {
        uint32_t index = queue->head;
        struct move *move = &origin->moves[index];
        bool is_part = move->stage == STAGE_PARTS && move->kind != MOVE_COMMIT;
        uint64_t size = move->op.span.size;
        uint64_t bytes = is_part ? fb_origin_part(move->part_bytes, size, move->begun) : 0;
        move->begun += bytes;
        move->count++;
        queue->requests++;
        if (queue->requests > queue->requests_max)
            queue->requests_max = queue->requests;
        if (!is_part || move->begun == size)
            queue_take(origin, index);
        request_begin(world, index, bytes);
    }
}

void world_origin_begin(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    const struct fb_origin_model *model = model_of(world);
    uint32_t index = move_new(world->origin);
    struct move *move = &world->origin->moves[index];
    bool is_store = op->kind == FB_OP_STORE;
    move->op = *op;
    move->kind = is_store ? MOVE_STORE : MOVE_FETCH;
    move->node = node;
    move->object = op->block.object;
    move->account = (uint32_t)(op->block.object % model->accounts);
    move->begin_ns = at_ns;
    move->part_bytes = world->scenario->origin_client.part_bytes;
    if (is_store)
        move->part_bytes = fb_origin_store_part(move->part_bytes, model->store_part_bytes_min);
    move->parts = fb_origin_parts(move->part_bytes, op->span.size);
    move->stage = is_store && move->parts > 1 ? STAGE_BEFORE : STAGE_PARTS;
    queue_add(world->origin, index, false);
    queue_run(world, node);
}

/* The object has all its blocks. */
static void commit_begin(struct world *world, uint32_t node, uint64_t object, uint64_t blocks)
{
    const struct fb_origin_model *model = model_of(world);
    uint64_t requests = model->commit_requests + blocks * model->commit_block_requests;
    if (requests == 0)
        return;
    uint32_t index = move_new(world->origin);
    struct move *move = &world->origin->moves[index];
    move->kind = MOVE_COMMIT;
    move->node = node;
    move->object = object;
    move->account = (uint32_t)(object % model->accounts);
    move->stage = STAGE_PARTS;
    move->left = requests;
    queue_add(world->origin, index, false);
    queue_run(world, node);
}

void world_origin_forget(struct world *world, uint32_t node)
{
    struct world_origin *origin = world->origin;
    for (uint32_t i = 0; i < origin->move_used; i++) {
        if (origin->moves[i].is_used && origin->moves[i].node == node)
            move_drop(origin, i);
    }
    struct move_queue *queue = &origin->queues[node];
    *queue =
        (struct move_queue){.head = FB_NONE, .tail = FB_NONE, .requests_max = queue->requests_max};
}

/* The request's move; NULL: who wanted it has died, or does not want it any more. */
static struct move *move_of(const struct world *world, const struct pending *pending)
{
    const struct host *host = &world->hosts[pending->node];
    struct move *move = &world->origin->moves[pending->request.move];
    bool is_wanted = host->is_up && pending->life == host->life && move->is_used &&
                     move->turn == pending->request.turn;
    return is_wanted ? move : NULL;
}

/* First-byte latency: log-normal around its median (latency_ns). */
static uint64_t latency_ns(struct world *world)
{
    const struct fb_origin_model *model = model_of(world);
    if (model->latency_sigma <= 0)
        return model->latency_ns;
    double factor = gsl_ran_lognormal(world->random, 0.0, model->latency_sigma);
    return (uint64_t)llround((double)model->latency_ns * factor);
}

/* A prefix that has been above its rate for so long is two. */
static bool prefix_is_open(struct account *account, const struct fb_origin_model *model,
                           const struct fb_gate *gate, uint64_t now_ns)
{
    if (fb_gate_is_open(gate, now_ns, model->rate_window_ns))
        return true;
    if (account->split_ns == 0)
        account->split_ns = now_ns + model->prefix_split_ns;
    if (now_ns < account->split_ns)
        return false;
    account->prefixes *= 2;
    account->split_ns = 0;
    return true;
}

/* Takes the request in, or refuses it. */
static bool request_admit(struct world *world, struct account *account, const struct move *move,
                          uint64_t bytes)
{
    const struct fb_origin_model *model = model_of(world);
    uint64_t now_ns = world_now_ns(world), window_ns = model->rate_window_ns;
    bool is_read = move->kind == MOVE_FETCH;
    struct fb_gate *prefix = is_read ? &account->prefix_reads : &account->prefix_writes;
    struct fb_gate *object = &fb_gate_object(&world->origin->objects, move->object, now_ns)->gate;
    uint64_t prefix_per_s = is_read ? model->prefix_reads_per_s : model->prefix_writes_per_s;
    bool is_taken = account->in_flight < model->requests_max &&
                    fb_gate_is_open(&account->gate, now_ns, window_ns) &&
                    fb_gate_is_open(object, now_ns, window_ns) &&
                    prefix_is_open(account, model, prefix, now_ns);
    if (!is_taken) {
        account->throttled++;
        return false;
    }
    fb_gate_take(&account->gate, now_ns, model->requests_per_s);
    fb_gate_take(object, now_ns, model->object_requests_per_s);
    fb_gate_take(prefix, now_ns, prefix_per_s * account->prefixes);
    account->in_flight++;
    account->reads += is_read;
    account->writes += !is_read;
    uint64_t *largest = is_read ? &account->read_bytes_max : &account->write_bytes_max;
    *largest = bytes > *largest ? bytes : *largest;
    return true;
}

/* The request is at the store. */
static bool request_arrive(struct world *world, uint32_t index)
{
    struct pending *pending = &world->pending[index];
    const struct move *move = move_of(world, pending);
    const struct fb_origin_model *model = model_of(world);
    uint64_t way_ns = world_far_way_ns(world, pending->node, false);
    if (move == NULL)
        return true;
    bool is_fetch = move->kind == MOVE_FETCH;
    bool is_there =
        !is_fetch || move->object < WORLD_WRITTEN || world_is_stored(world, &move->op.block);
    bool is_taken = is_there && request_admit(world, &world->accounts[pending->account], move,
                                              pending->request.bytes);
    if (!is_taken) {
        pending->kind = PENDING_REQUEST_ENDED;
        pending->request.status = is_there ? FB_THROTTLED : FB_ABSENT;
        pending->detail = world_origin_work(world, pending->node, 0, false);
        world_timer(world, world_now_ns(world) + model->latency_ns + way_ns, index);
        return false;
    }
    pending->request.status = FB_OK;
    if (!is_fetch)
        pending->detail = world_origin_work(world, pending->node, pending->request.bytes, true);
    pending->kind = PENDING_REQUEST_FLOW;
    if (is_fetch || pending->request.bytes == 0) {
        pending->kind = is_fetch ? PENDING_REQUEST_START : PENDING_REQUEST_FLOW;
        world_timer(world, world_now_ns(world) + latency_ns(world) + way_ns, index);
        return false;
    }
    fb_engine_transfer(world->engine, world_front(world, pending->node),
                       world->scenario->nodes + pending->account, pending->request.bytes,
                       (uint64_t)pending->node << 32 | index);
    return false;
}

/* The first byte has come to the node. */
static bool request_start(struct world *world, uint32_t index)
{
    struct pending *pending = &world->pending[index];
    pending->kind = PENDING_REQUEST_FLOW;
    if (move_of(world, pending) != NULL)
        pending->detail = world_origin_work(world, pending->node, pending->request.bytes, false);
    fb_engine_transfer(world->engine, world->scenario->nodes + pending->account,
                       world_front(world, pending->node), pending->request.bytes,
                       (uint64_t)pending->node << 32 | index);
    return false;
}

static void move_done(struct world *world, const struct move *move, enum fb_status status)
{
    const struct fb_event event = {
        .kind = FB_EVENT_DONE,
        .done = {.op_id = move->op.op_id, .status = status, .is_final = status == FB_THROTTLED}};
    world_event(world, move->node, &event);
}

/* All of it has been moved. */
static void move_end(struct world *world, uint32_t index)
{
    const struct move move = world->origin->moves[index];
    const struct fb_block *block = &move.op.block;
    move_drop(world->origin, index);
    if (move.kind != MOVE_FETCH)
        world->stored_ns = world_now_ns(world);
    if (move.kind == MOVE_COMMIT) {
        workload_committed(world);
        return;
    }
    if (move.kind == MOVE_FETCH) {
        world_tag_set(world, &move.op.span, world_tag_of(block));
    } else {
        if (!world_check_bytes(world, move.node, &move.op.span, block))
            return;
        if (world_store_add(world, block)) {
            struct fb_gate_object *object =
                fb_gate_object(&world->origin->objects, block->object, world_now_ns(world));
            if (++object->blocks == workload_object_blocks(world, block->object))
                commit_begin(world, move.node, block->object, object->blocks);
        }
        workload_stored(world);
    }
    move_done(world, &move, FB_OK);
}

static void move_fail(struct world *world, uint32_t index, enum fb_status status)
{
    struct world_origin *origin = world->origin;
    const struct move move = origin->moves[index];
    if (move.is_queued)
        queue_take(origin, index);
    origin->queues[move.node].requests -= move.count;
    move_drop(origin, index);
    if (move.kind != MOVE_COMMIT)
        move_done(world, &move, status);
    else /* it is tried again, from the first */
        commit_begin(world, move.node, move.object,
                     fb_gate_object(&origin->objects, move.object, world_now_ns(world))->blocks);
}

/* Its requests have ended well: are there more to come? */
static void move_advance(struct world *world, uint32_t index)
{
    struct move *move = &world->origin->moves[index];
    bool has_stages = move->kind == MOVE_STORE && move->parts > 1;
    move->left -= move->kind == MOVE_COMMIT;
    if (move->kind == MOVE_COMMIT ? move->left == 0 : !has_stages || move->stage == STAGE_AFTER) {
        move_end(world, index);
        return;
    }
    move->failed = 0;
    if (has_stages)
        move->stage = move->stage == STAGE_BEFORE ? STAGE_PARTS : STAGE_AFTER;
    queue_add(world->origin, index, true);
}

/* Refused: is it tried again? By the rules of hw/origin/origin_http_range.c. */
static bool request_again(struct world *world, uint32_t index, struct move *move)
{
    struct pending *pending = &world->pending[index];
    if (pending->request.status != FB_THROTTLED)
        return false;
    if (pending->request.tries > move->failed) {
        uint64_t random = (uint64_t)gsl_rng_get(world->random) << 32 | gsl_rng_get(world->random);
        move->failed = pending->request.tries;
        if (move->failed >= world->scenario->origin_client.tries_max)
            return false;
        move->retry_ns = world_now_ns(world) + fb_origin_pause_ns(move->failed, random);
    }
    uint64_t now_ns = world_now_ns(world);
    pending->kind = PENDING_REQUEST_AGAIN;
    world_timer(world, move->retry_ns > now_ns ? move->retry_ns : now_ns, index);
    return true;
}

/* The node has the answer, when its threads have done with it. */
static bool request_end(struct world *world, uint32_t index)
{
    if (world->pending[index].detail > world_now_ns(world)) {
        world_timer(world, world->pending[index].detail, index);
        return false;
    }
    const struct move_request request = world->pending[index].request;
    uint32_t node = world->pending[index].node;
    struct move *move = move_of(world, &world->pending[index]);
    if (move == NULL)
        return true;
    if (request_again(world, index, move))
        return false;
    if (request.status != FB_OK) {
        move_fail(world, request.move, (enum fb_status)request.status);
    } else {
        move->count--;
        world->origin->queues[node].requests--;
        bool is_part = move->stage == STAGE_PARTS && move->kind != MOVE_COMMIT;
        if (move->count == 0 && (!is_part || move->begun == move->op.span.size))
            move_advance(world, request.move);
    }
    queue_run(world, node);
    return true;
}

/* The last byte has arrived, at one end or the other: as soon as the node's threads have taken or
 * given it. Until then the connection is open at the store. */
static bool request_flown(struct world *world, uint32_t index, enum fb_status status)
{
    struct pending *pending = &world->pending[index];
    struct account *account = &world->accounts[pending->account];
    const struct move *move = move_of(world, pending);
    uint64_t now_ns = world_now_ns(world), bytes = pending->request.bytes;
    if (status == FB_OK && pending->detail > now_ns) {
        world_timer(world, pending->detail, index);
        return false;
    }
    FB_ASSERT(account->in_flight > 0);
    account->in_flight--;
    if (move == NULL || status != FB_OK) /* GONE: the node is */
        return true;
    if (move->kind == MOVE_FETCH) {
        account->fetched_bytes += bytes;
        world->hosts[pending->node].fetched_bytes += bytes;
        fb_series_add(&world->series, FB_SERIES_ORIGIN, now_ns, (double)bytes);
    }
    if (move->kind != MOVE_STORE || bytes == 0)
        return request_end(world, index);
    account->stored_bytes += bytes;
    pending->kind = PENDING_REQUEST_ENDED;
    world_timer(
        world, now_ns + model_of(world)->latency_ns + world_far_way_ns(world, pending->node, false),
        index);
    return false;
}

static bool request_retry(struct world *world, uint32_t index)
{
    struct pending *pending = &world->pending[index];
    const struct move *move = move_of(world, pending);
    if (move == NULL)
        return true;
    pending->request.tries = move->failed + 1;
    request_send(world, index, world_now_ns(world));
    return false;
}

bool world_origin_step(struct world *world, uint32_t index, enum fb_status status)
{
    enum pending_kind kind = (enum pending_kind)world->pending[index].kind;
    if (kind == PENDING_REQUEST_ARRIVE)
        return request_arrive(world, index);
    if (kind == PENDING_REQUEST_START)
        return request_start(world, index);
    if (kind == PENDING_REQUEST_FLOW)
        return request_flown(world, index, status);
    if (kind == PENDING_REQUEST_ENDED)
        return request_end(world, index);
    FB_ASSERT(kind == PENDING_REQUEST_AGAIN);
    return request_retry(world, index);
}
