/* Names that are overwritten while they are read. Every node has a writer and a reader; each takes
 * a name at random, again and again, a reader until all writers have done their rounds:
 *
 *     WRITER  look up -> write all blocks of a new version -> commit over what was looked up
 *             -> acked, or another was first: its blocks are of no use
 *     READER  look up -> get all blocks of the version that it names
 *
 * Refused and unanswered requests are asked again. What a look-up returns and each block's bytes
 * are judged (overwrite_history.h); a wrong one ends the run as failed. A node's death ends its
 * clients; a commit that was under way with it may still be seen, or never. */
#include "base/memory.h"
#include "sim/clients/overwrite_history.h"
#include "sim/clients/kinds.h"

#include "core/key.h"
#include "core/index/random.h"
#include "core/panic.h"

#include <stdlib.h>

enum { WRITER, READER, ROLES };

/* What a client waits for: the upper half of a request's id and of a timer's word. The lower is a
 * block, or at START a role. */
enum step { START, LOOK_UP_TO_WRITE, LOOK_UP_TO_READ, WRITE, COMMIT, READ };

struct client {
    struct fb_random random;
    uint32_t name;
    uint32_t rounds;       /* WRITER: ended */
    uint32_t asked, done;  /* blocks */
    uint64_t write;        /* whose blocks are written or read */
    uint64_t version;      /* WRITER: that it commits over */
    uint64_t acked_before; /* when it looked up */
    uint64_t begun_ns;
    bool has_ended;
};

struct overwrite {
    struct fb_history *history;
    struct client *clients; /* ROLES a node */
    uint32_t blocks;
    uint64_t rounds; /* of all writers; those of a dead one have ended */
    uint64_t commits, conflicts, reads, absent_blocks;
    uint64_t write_ns, read_ns; /* of all commits and reads */
    uint64_t write_ns_max;
};

static const struct fb_overwrite *spec(const struct world *world)
{
    return &world->scenario->workload.overwrite;
}

static struct client *client_of(const struct world *world, uint32_t node, uint32_t role)
{
    FB_ASSERT(node < world->scenario->nodes);
    FB_ASSERT(role < ROLES);
    return &world->overwrite->clients[(size_t)node * ROLES + role];
}

void overwrite_check(const struct fb_scenario *scenario, struct fb_error *error)
{
    workload_check_blocks(scenario, scenario->workload.overwrite.object_size_bytes, "client",
                          error);
}

void overwrite_open(struct world *world)
{
    struct overwrite *state = fb_allocate(1, sizeof(*state), "overwriting clients", world->error);
    uint64_t block_bytes = world->scenario->core.block_size_bytes;
    uint32_t nodes = world->scenario->nodes;
    world->overwrite = state;
    if (state == NULL)
        return;
    state->blocks = (uint32_t)((spec(world)->object_size_bytes + block_bytes - 1) / block_bytes);
    state->history = fb_history_open(spec(world)->names, nodes * spec(world)->rounds, world->error);
    state->clients = fb_allocate((uint64_t)nodes * ROLES, sizeof(*state->clients),
                                 "overwriting clients", world->error);
}

void overwrite_close(struct world *world)
{
    if (world->overwrite == NULL)
        return;
    fb_history_close(world->overwrite->history);
    free(world->overwrite->clients);
    free(world->overwrite);
}

static uint32_t role_of(enum step step)
{
    return step == LOOK_UP_TO_READ || step == READ ? READER : WRITER;
}

static uint64_t step_word(enum step step, uint32_t block)
{
    return (uint64_t)step << 32 | block;
}

static struct fb_key name_key(uint32_t name)
{
    return (struct fb_key){.high = UINT64_C(0x6e616d65), .low = name + UINT64_C(1)};
}

static struct fb_block overwrite_block(const struct world *world, uint64_t write, uint32_t number)
{
    FB_ASSERT(write > 0);
    FB_ASSERT(number < world->overwrite->blocks);
    uint64_t block_bytes = world->scenario->core.block_size_bytes;
    uint64_t offset = number * block_bytes, left = spec(world)->object_size_bytes - offset;
    return (struct fb_block){
        .key = {.high = fb_mix(fb_mix(WORLD_WRITTEN + write) + number), .low = number + 1},
        .object = WORLD_WRITTEN + write,
        .offset = offset,
        .size = (uint32_t)(left < block_bytes ? left : block_bytes)};
}

static struct fb_request request_of(const struct world *world, uint32_t node, enum step step,
                                    uint32_t number)
{
    const struct client *client = client_of(world, node, role_of(step));
    struct fb_request request = {.request_id = step_word(step, number)};
    if (step == WRITE || step == READ) {
        request.kind = step == WRITE ? FB_REQUEST_WRITE : FB_REQUEST_GET;
        request.block = overwrite_block(world, client->write, number);
        request.level = spec(world)->level;
        if (step == WRITE)
            request.span = (struct fb_span){
                .region = FB_REGION_CLIENT, .peer = node, .size = request.block.size};
        return request;
    }
    request.kind = step == COMMIT ? FB_REQUEST_COMMIT : FB_REQUEST_LOOKUP;
    request.block = (struct fb_block){.key = name_key(client->name), .object = FB_OBJECT_NONE};
    if (step == COMMIT)
        request.record = (struct fb_meta){.version = client->version,
                                          .value = {.low = client->write},
                                          .size = spec(world)->object_size_bytes};
    return request;
}

static void ask(struct world *world, uint32_t node, enum step step, uint32_t number)
{
    const struct fb_request request = request_of(world, node, step, number);
    world_request(world, node, &request);
}

static uint64_t rounds_of_all(const struct world *world)
{
    return (uint64_t)spec(world)->rounds * world->scenario->nodes;
}

static void look_up(struct world *world, uint32_t node, uint32_t role)
{
    struct client *client = client_of(world, node, role);
    client->name = (uint32_t)fb_random_below(&client->random, spec(world)->names);
    client->begun_ns = world_now_ns(world);
    client->acked_before = fb_history_acked(world->overwrite->history, client->name);
    ask(world, node, role == WRITER ? LOOK_UP_TO_WRITE : LOOK_UP_TO_READ, 0);
}

static void round_end(struct world *world, uint32_t node, uint32_t role)
{
    struct client *client = client_of(world, node, role);
    FB_ASSERT(!client->has_ended);
    FB_ASSERT(world->overwrite->rounds <= rounds_of_all(world));
    world->end_ns = world_now_ns(world);
    if (role == WRITER) {
        client->rounds++;
        world->overwrite->rounds++;
        client->has_ended = client->rounds == spec(world)->rounds;
    } else {
        client->has_ended = world->overwrite->rounds == rounds_of_all(world);
    }
    if (!client->has_ended)
        look_up(world, node, role);
}

static void blocks_start(struct world *world, uint32_t node, enum step step)
{
    struct client *client = client_of(world, node, role_of(step));
    client->asked = 0;
    client->done = 0;
    while (client->asked < world->overwrite->blocks && client->asked < spec(world)->window)
        ask(world, node, step, client->asked++);
}

/* True: that was the last one. */
static bool block_end(struct world *world, uint32_t node, enum step step)
{
    struct client *client = client_of(world, node, role_of(step));
    FB_ASSERT(client->done < client->asked);
    client->done++;
    if (client->asked < world->overwrite->blocks)
        ask(world, node, step, client->asked++);
    return client->done == world->overwrite->blocks;
}

/* False: the run has failed. */
static bool judge(struct world *world, uint32_t node, enum fb_history_verdict verdict)
{
    static const char *const texts[] = {
        [FB_HISTORY_RIGHT] = "",
        [FB_HISTORY_STALE] = "a look-up returned what had been overwritten before it was asked",
        [FB_HISTORY_FOREIGN] = "a look-up returned what nobody had written under that name",
        [FB_HISTORY_TORN] = "a look-up returned a version that was not all written",
        [FB_HISTORY_LOST] = "a look-up returned a version whose commit was refused",
        [FB_HISTORY_FORKED] = "one version of a name is two writes"};
    world->oracle_checks++;
    if (verdict != FB_HISTORY_RIGHT)
        world_fault(world, texts[verdict], node);
    return verdict == FB_HISTORY_RIGHT;
}

static void looked_up(struct world *world, uint32_t node, uint32_t role,
                      const struct fb_meta *record)
{
    struct client *client = client_of(world, node, role);
    struct fb_history *history = world->overwrite->history;
    if (!judge(world, node, fb_history_judge(history, client->name, client->acked_before, record)))
        return;
    if (role == WRITER) {
        client->version = record->version;
        client->write = fb_history_begin(history, client->name);
        blocks_start(world, node, WRITE);
    } else if (record->version == 0) {
        round_end(world, node, READER);
    } else {
        client->write = record->value.low;
        blocks_start(world, node, READ);
    }
}

static void committed(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct overwrite *state = world->overwrite;
    const struct client *writer = client_of(world, node, WRITER);
    if (reply->status == FB_CONFLICT && reply->record.value.low != writer->write) {
        fb_history_lost(state->history, writer->write);
        state->conflicts++;
    } else {
        uint64_t version = reply->record.version;
        if (!judge(world, node, fb_history_won(state->history, writer->write, version)))
            return;
        state->commits++;
        uint64_t took_ns = world_now_ns(world) - writer->begun_ns;
        FB_ASSERT(writer->begun_ns <= world_now_ns(world));
        state->write_ns += took_ns;
        state->write_ns_max = took_ns > state->write_ns_max ? took_ns : state->write_ns_max;
    }
    round_end(world, node, WRITER);
}

static void block_read(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct overwrite *state = world->overwrite;
    const struct client *reader = client_of(world, node, READER);
    if (reply->status == FB_LOST) {
        state->absent_blocks++;
    } else {
        const struct fb_block block =
            overwrite_block(world, reader->write, (uint32_t)reply->request_id);
        const struct fb_request release = {.kind = FB_REQUEST_RELEASE, .lease = reply->lease};
        if (!world_check_bytes(world, node, &reply->span, &block))
            return;
        metrics_read(world, block.size, false);
        world_request(world, node, &release);
    }
    if (!block_end(world, node, READ))
        return;
    state->reads++;
    state->read_ns += world_now_ns(world) - reader->begun_ns;
    round_end(world, node, READER);
}

static bool is_final(enum step step, uint32_t status)
{
    return status == FB_OK || (status == FB_ABSENT && step != WRITE && step != COMMIT) ||
           (status == FB_LOST && step == READ) || (status == FB_CONFLICT && step == COMMIT);
}

void overwrite_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    enum step step = (enum step)(reply->request_id >> 32);
    FB_ASSERT(step != START);
    if (!is_final(step, reply->status)) {
        world_client_timer(world, node, world_now_ns(world) + world_retry_ns(world),
                           reply->request_id);
        return;
    }
    switch (step) {
    case LOOK_UP_TO_WRITE:
        looked_up(world, node, WRITER, &reply->record);
        return;
    case LOOK_UP_TO_READ:
        looked_up(world, node, READER, &reply->record);
        return;
    case WRITE:
        if (!block_end(world, node, WRITE))
            return;
        fb_history_whole(world->overwrite->history, client_of(world, node, WRITER)->write);
        ask(world, node, COMMIT, 0);
        return;
    case COMMIT:
        committed(world, node, reply);
        return;
    case READ:
        block_read(world, node, reply);
        return;
    case START:
        break;
    }
}

void overwrite_timer(struct world *world, uint32_t node, uint64_t detail)
{
    enum step step = (enum step)(detail >> 32);
    if (step == START)
        look_up(world, node, (uint32_t)detail);
    else
        ask(world, node, step, (uint32_t)detail);
}

void overwrite_start(struct world *world)
{
    for (uint32_t node = 0; node < world->scenario->nodes; node++) {
        for (uint32_t role = 0; role < ROLES; role++) {
            uint64_t number = (uint64_t)node * ROLES + role;
            fb_random_init(&client_of(world, node, role)->random, fb_mix(world->seed) + number);
            world_client_timer(world, node, 0, step_word(START, role));
        }
    }
}

void overwrite_node_down(struct world *world, uint32_t node)
{
    struct client *writer = client_of(world, node, WRITER);
    FB_ASSERT(writer->rounds <= spec(world)->rounds);
    world->overwrite->rounds += spec(world)->rounds - writer->rounds;
    writer->rounds = spec(world)->rounds;
    writer->has_ended = true;
    client_of(world, node, READER)->has_ended = true;
}

uint64_t overwrite_object_blocks(const struct world *world, uint64_t object)
{
    (void)object; /* a write each */
    return world->overwrite->blocks;
}

double overwrite_progress(const struct world *world)
{
    return (double)world->overwrite->rounds / (double)rounds_of_all(world);
}

void overwrite_metrics(const struct world *world, struct fb_run *run)
{
    const struct overwrite *state = world->overwrite;
    uint32_t unfinished = 0;
    for (uint32_t i = 0; i < world->scenario->nodes * ROLES; i++)
        unfinished += !state->clients[i].has_ended;
    metrics_add(run, "overwrite_commits", "1", (double)state->commits);
    metrics_add(run, "overwrite_conflicts", "1", (double)state->conflicts);
    metrics_add(run, "overwrite_reads", "1", (double)state->reads);
    metrics_add(run, "overwrite_absent_blocks", "1", (double)state->absent_blocks);
    metrics_add(run, "overwrite_unfinished", "1", unfinished);
    if (state->commits > 0)
        metrics_add(run, "overwrite_commit_mean_s", "s",
                    (double)state->write_ns * 1e-9 / (double)state->commits);
    metrics_add(run, "overwrite_commit_max_s", "s", (double)state->write_ns_max * 1e-9);
    if (state->reads > 0)
        metrics_add(run, "overwrite_read_mean_s", "s",
                    (double)state->read_ns * 1e-9 / (double)state->reads);
    if (world->metadata != NULL)
        metrics_add(run, "metadata_operations", "1", (double)world_metadata_operations(world));
}
