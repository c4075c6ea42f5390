/* Proves that a write needs its copies and not these very members, on scripted clusters in which
 * the dead never leave the view: others stand in for silent owners at once, their copies are found,
 * drained and handed off; and that no level is lowered in silence: what too few members can hold is
 * refused by its name, or answered with the copies there are. */
#include "tests/support/unit.h"

#include "tests/support/flow.h"

#include "core/node/node.h"

#include <stdlib.h>

enum { MS = 1000000, SECOND = 1000 * MS };

static struct fb_config standin_config(void)
{
    struct fb_config config = flow_config();
    config.replicas = 2;
    config.write_quorum = 2;
    config.puts_max = 8;
    config.dirty_max = 16;
    config.hold_ns = 20 * MS;
    config.drain_delay_ns = MS / 2;
    config.drain_check_ns = 50 * MS;
    config.suspect_ns = 100 * MS;
    return config;
}

static struct fb_block written_block(uint64_t number)
{
    return script_block(SCRIPT_WRITTEN + 1, number, FLOW_BLOCK_BYTES, 1);
}

static uint32_t owed_copies(struct script *script, uint32_t nodes, uint32_t dead,
                            const struct fb_block *block)
{
    uint32_t copies = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        struct fb_found found;
        fb_node_find(script_node(script, i), block->key, &found);
        copies += i != dead && found.is_owed;
    }
    return copies;
}

static uint64_t sum_of(struct script *script, uint32_t nodes, uint64_t offset)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        const struct fb_stats *stats = fb_node_stats(script_node(script, i));
        sum += *(const uint64_t *)(const void *)((const unsigned char *)stats + offset);
    }
    return sum;
}

static void assert_answer(struct script *script, uint64_t request_id, enum fb_status status,
                          uint32_t copies)
{
    const struct fb_reply *reply = script_reply(script, request_id);
    assert_non_null(reply);
    assert_int_equal(reply->status, status);
    assert_int_equal(reply->copies, copies);
}

static struct script_fault no_stores(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    const bool *is_away = script_context(script);
    bool fails = op->kind == FB_OP_STORE && *is_away;
    return (struct script_fault){.status = fails ? FB_IO : FB_OK};
}

/* Every node writes with each of the others dead; the copies are there when it is answered. */
static void write_when_an_owner_is_dead_is_held_by_a_standin(void **state)
{
    (void)state;
    bool is_away = true;
    const struct fb_config config = standin_config();
    for (uint32_t i = 0; i < 24; i++) {
        struct script *script = script_open(4, &config, 1 + i);
        const struct fb_block block = written_block(i);
        uint32_t dead = script_owner(script, &block, i % 2), writer = (dead + 1 + i % 3) % 4;
        script_set_fault(script, no_stores, &is_away);
        script_run(script, MS);
        script_kill(script, dead);
        script_write(script, 2 * MS, writer, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, 2 * MS + config.hold_ns);
        assert_answer(script, 1, FB_OK, 2);
        assert_true(owed_copies(script, 4, dead, &block) >= 2);
        assert_true(sum_of(script, 4, offsetof(struct fb_stats, standins)) >= 1);
        is_away = false;
        script_run(script, FB_NEVER_NS - 1);
        assert_true(script_stores(script, &block) >= 1);
        assert_int_equal(owed_copies(script, 4, dead, &block), 0);
        is_away = true;
        script_close(script);
    }
}

static void write_when_a_dead_owner_is_known_does_not_wait_for_it(void **state)
{
    (void)state;
    const struct fb_config config = standin_config();
    struct script *script = script_open(4, &config, 2);
    const struct fb_block block = written_block(3);
    uint32_t dead = script_owner(script, &block, 0), writer = stranger_of(script, &block);
    struct fb_block next = block;
    for (uint64_t i = 4; next.key.high == block.key.high; i++) {
        const struct fb_block other = written_block(i);
        if (script_owner(script, &other, 0) == dead)
            next = other;
    }
    script_run(script, MS);
    script_kill(script, dead);
    assert_false(fb_node_suspects(script_node(script, writer), dead));
    script_write(script, 2 * MS, writer, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 2 * MS + config.hold_ns);
    assert_true(fb_node_suspects(script_node(script, writer), dead));
    assert_true(fb_node_memory_used_bytes(script_node(script, writer)) >= block.size);
    assert_int_equal(fb_node_device_used_bytes(script_node(script, writer)), 0);
    script_write(script, 2 * MS + config.hold_ns, writer, 2, &next, FB_LEVEL_REPLICATED);
    script_run(script, SECOND);
    assert_answer(script, 1, FB_OK, 2);
    assert_answer(script, 2, FB_OK, 2);
    assert_true(script_reply_ns(script, 2) - 2 * MS - config.hold_ns < MS);
    script_close(script);
}

/* The owner that has a copy forgets it, the other is dead: only the stand-in is left. */
static void read_when_only_a_standin_holds_it_finds_it(void **state)
{
    (void)state;
    bool is_away = true;
    struct fb_config config = standin_config();
    config.drain_delay_ns = 10 * (uint64_t)SECOND;
    config.drain_check_ns = 10 * (uint64_t)SECOND;
    struct script *script = script_open(5, &config, 3);
    const struct fb_block block = written_block(5);
    uint32_t dead = script_owner(script, &block, 0), other = script_owner(script, &block, 1);
    uint32_t writer = stranger_of(script, &block);
    script_set_fault(script, no_stores, &is_away);
    script_run(script, MS);
    script_kill(script, dead);
    script_write(script, 2 * MS, writer, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 100 * MS);
    assert_answer(script, 1, FB_OK, 2);
    script_kill(script, other);
    script_restart(script, 110 * MS, other, false);
    uint32_t reader = 0;
    struct fb_found found = {.is_in_memory = true};
    while (reader == dead || reader == other || found.is_in_memory) {
        reader++;
        assert_true(reader < 5);
        fb_node_find(script_node(script, reader), block.key, &found);
    }
    script_get(script, 200 * MS, reader, 2, &block);
    script_run(script, SECOND);
    assert_int_equal(script_reply(script, 2)->status, FB_OK);
    assert_int_equal(script_wrong_reads(script), 0);
    assert_true(sum_of(script, 5, offsetof(struct fb_stats, searches)) > 0);
    script_close(script);
}

/* Nobody has it: the search ends, and says so. */
static void read_of_what_nobody_has_is_lost(void **state)
{
    (void)state;
    const struct fb_config config = standin_config();
    struct script *script = script_open(5, &config, 4);
    const struct fb_block block = written_block(6);
    script_get(script, MS, stranger_of(script, &block), 1, &block);
    script_get(script, MS, script_owner(script, &block, 0), 2, &block);
    script_run(script, SECOND);
    assert_int_equal(script_reply(script, 1)->status, FB_LOST);
    assert_int_equal(script_reply(script, 2)->status, FB_LOST);
    script_close(script);
}

static void standin_when_its_owner_is_back_hands_off(void **state)
{
    (void)state;
    bool is_away = true;
    const struct fb_config config = standin_config();
    struct script *script = script_open(4, &config, 5);
    const struct fb_block block = written_block(7);
    uint32_t dead = script_owner(script, &block, 1);
    script_set_fault(script, no_stores, &is_away);
    script_run(script, MS);
    script_kill(script, dead);
    script_write(script, 2 * MS, script_owner(script, &block, 0), 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 400 * MS);
    assert_answer(script, 1, FB_OK, 2);
    script_restart(script, 500 * MS, dead, false);
    script_run(script, 60 * (uint64_t)SECOND);
    struct fb_found found;
    fb_node_find(script_node(script, dead), block.key, &found);
    assert_true(found.is_owed);
    assert_int_equal(owed_copies(script, 4, FB_NONE, &block), 2);
    assert_int_equal(sum_of(script, 4, offsetof(struct fb_stats, handoffs)), 1);
    is_away = false;
    script_run(script, FB_NEVER_NS - 1);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(fb_node_is_idle(script_node(script, i)));
    script_close(script);
}

static uint64_t steps_of(struct script *script, uint32_t node)
{
    return fb_node_stats(script_node(script, node))->steps;
}

enum { HELD_BLOCKS = 8 };

/* Two of four hold blocks for the other two, which are dead, while the origin is away. Returns one
 * of those that hold them. */
static uint32_t held_by_standins(struct script *script, struct fb_block blocks[HELD_BLOCKS])
{
    blocks[0] = written_block(13);
    uint32_t first = script_owner(script, &blocks[0], 0), count = 1;
    uint32_t second = script_owner(script, &blocks[0], 1), holder = stranger_of(script, &blocks[0]);
    for (uint64_t i = 14; count < HELD_BLOCKS; i++) {
        blocks[count] = written_block(i);
        uint32_t a = script_owner(script, &blocks[count], 0);
        uint32_t b = script_owner(script, &blocks[count], 1);
        count += (a == first && b == second) || (a == second && b == first);
    }
    script_run(script, MS);
    script_kill(script, first);
    script_kill(script, second);
    for (uint32_t i = 0; i < HELD_BLOCKS; i++)
        script_write(script, (2 + 50 * i) * (uint64_t)MS, holder, 1 + i, &blocks[i],
                     FB_LEVEL_REPLICATED);
    script_run(script, 50 * (uint64_t)MS * HELD_BLOCKS);
    for (uint32_t i = 0; i < HELD_BLOCKS; i++)
        assert_answer(script, 1 + i, FB_OK, 2);
    return holder;
}

struct relied {
    uint32_t owner, slow;
    bool is_away;
};

/* One owner takes long to pull and is not heard by the other. */
static struct script_fault slow_and_unheard(struct script *script, uint32_t node,
                                            const struct fb_op *op)
{
    const struct relied *relied = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    if (op->kind == FB_OP_STORE && relied->is_away)
        fault.status = FB_IO;
    if (op->kind == FB_OP_PULL && node == relied->slow)
        fault.delay_ns = 15 * MS;
    fault.is_lost = op->kind == FB_OP_SEND && node == relied->slow && op->target == relied->owner;
    return fault;
}

/* An owner counts on the writer's copy, since it does not hear the other owner. That one says to
 * the writer that it has the block, and dies: the copy that was counted on is still there. */
static void copy_that_another_counts_on_outlasts_what_was_heard_before(void **state)
{
    (void)state;
    for (uint64_t number = 40; number < 48; number++) {
        const struct fb_config config = standin_config();
        struct script *script = script_open(3, &config, number);
        const struct fb_block block = written_block(number);
        uint32_t writer = stranger_of(script, &block);
        struct relied relied = {.owner = script_owner(script, &block, number % 2),
                                .slow = script_owner(script, &block, 1 - number % 2),
                                .is_away = true};
        script_set_fault(script, slow_and_unheard, &relied);
        script_write(script, MS, writer, 1, &block, FB_LEVEL_MEMORY);
        script_write(script, 2 * MS, relied.owner, 2, &block, FB_LEVEL_REPLICATED);
        script_run(script, 15 * MS);
        assert_answer(script, 2, FB_OK, 2);
        assert_int_equal(owed_copies(script, 3, FB_NONE, &block), 2);
        script_run(script, 20 * MS);
        assert_true(owed_copies(script, 3, FB_NONE, &block) >= 2);
        script_kill(script, relied.slow);
        script_run(script, SECOND);
        assert_int_equal(owed_copies(script, 3, relied.slow, &block), 2);
        relied.is_away = false;
        script_run(script, FB_NEVER_NS - 1);
        assert_true(script_stores(script, &block) >= 1);
        assert_int_equal(owed_copies(script, 3, relied.slow, &block), 0);
        script_close(script);
    }
}

/* A view of one member: who stands in is the only owner, and the blocks its own. It does not begin
 * with them again and again. */
static void standin_when_its_owners_left_the_view_rests_and_stores(void **state)
{
    (void)state;
    const uint64_t delays_ns[] = {0, MS / 2};
    for (uint32_t d = 0; d < 2; d++) {
        bool is_away = true;
        struct fb_config config = standin_config();
        struct fb_block blocks[HELD_BLOCKS];
        config.drain_delay_ns = delays_ns[d];
        struct script *script = script_open(4, &config, 12);
        script_set_fault(script, no_stores, &is_away);
        uint32_t last = held_by_standins(script, blocks), other = 0;
        while (other == last || other == script_owner(script, &blocks[0], 0) ||
               other == script_owner(script, &blocks[0], 1))
            other++;
        script_bury(script, 500 * MS, other);
        uint64_t steps = steps_of(script, last);
        script_run(script, 60 * (uint64_t)SECOND);
        assert_true(steps_of(script, last) - steps < 100000);
        is_away = false;
        script_run(script, FB_NEVER_NS - 1);
        for (uint32_t i = 0; i < HELD_BLOCKS; i++)
            assert_true(script_stores(script, &blocks[i]) >= 1);
        assert_true(fb_node_is_idle(script_node(script, last)));
        script_close(script);
    }
}

/* The dead owner begins again and the other one dies: by the new view the one that stood in is an
 * owner, too. Once both have the block nobody asks for more. */
static void standin_when_it_becomes_an_owner_keeps_the_copy_as_its_own(void **state)
{
    (void)state;
    for (uint64_t number = 20; number < 30; number++) {
        bool is_away = true;
        const struct fb_config config = standin_config();
        struct script *script = script_open(3, &config, number);
        script_set_fault(script, no_stores, &is_away);
        const struct fb_block block = written_block(number);
        uint32_t first = script_owner(script, &block, 0), second = script_owner(script, &block, 1);
        script_run(script, MS);
        script_kill(script, first);
        script_write(script, 2 * MS, second, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, 60 * MS);
        assert_answer(script, 1, FB_OK, 2);
        script_restart(script, 61 * MS, first, false);
        script_run(script, 62 * MS);
        script_bury(script, 63 * MS, second);
        script_run(script, SECOND);
        uint64_t sent = sum_of(script, 3, offsetof(struct fb_stats, holds_sent));
        assert_int_equal(owed_copies(script, 3, second, &block), 2);
        script_run(script, 60 * (uint64_t)SECOND);
        assert_int_equal(sum_of(script, 3, offsetof(struct fb_stats, holds_sent)), sent);
        assert_int_equal(owed_copies(script, 3, second, &block), 2);
        is_away = false;
        script_run(script, FB_NEVER_NS - 1);
        assert_true(script_stores(script, &block) >= 1);
        for (uint32_t i = 0; i < 3; i++)
            assert_true(i == second || fb_node_is_idle(script_node(script, i)));
        script_close(script);
    }
}

/* The owner that is to drain it is dead, nobody can stand in, and the writer asks on and on, more
 * often than drain_delay: each asking in vain makes the drain look, and none puts that off. */
static void write_when_the_first_rank_is_dead_for_good_is_drained_in_time(void **state)
{
    (void)state;
    struct fb_config config = standin_config();
    config.drain_delay_ns = 3 * (uint64_t)SECOND; /* an asking takes 64 * hold_ns at most */
    struct script *script = script_open(2, &config, 13);
    const struct fb_block block = written_block(50);
    uint32_t dead = script_owner(script, &block, 0);
    script_run(script, MS);
    script_kill(script, dead);
    script_write(script, 2 * MS, 1 - dead, 1, &block, FB_LEVEL_MEMORY);
    script_run(script, 60 * (uint64_t)SECOND);
    assert_answer(script, 1, FB_OK, 1);
    assert_int_equal(script_stores(script, &block), 1);
    assert_true(fb_node_is_idle(script_node(script, 1 - dead)));
    script_close(script);
}

/* What a stand-in has on its drive goes to its owner's drive: no loss of power finds it in memory
 * alone. One whose owners have no drive keeps it. */
static void standin_hands_what_is_on_its_drive_to_drives(void **state)
{
    (void)state;
    bool is_away = true;
    struct fb_config config = standin_config();
    config.device_size_bytes = (uint64_t)FLOW_BLOCKS * FLOW_BLOCK_BYTES;
    config.device_writes_max = 8;
    for (uint32_t has_drive = 0; has_drive < 2; has_drive++) {
        struct script *script = script_open(4, &config, 5);
        const struct fb_block block = written_block(7);
        uint32_t dead = script_owner(script, &block, 1), owed = 0;
        script_set_fault(script, no_stores, &is_away);
        script_run(script, MS);
        script_kill(script, dead);
        script_write(script, 2 * MS, script_owner(script, &block, 0), 1, &block, FB_LEVEL_DEVICE);
        script_run(script, 400 * MS);
        assert_answer(script, 1, FB_OK, 2);
        struct fb_config other = config;
        other.device_size_bytes = has_drive ? config.device_size_bytes : 0;
        script_set_config(script, &other);
        script_restart(script, 500 * MS, dead, false);
        script_run(script, 60 * (uint64_t)SECOND);
        for (uint32_t node = 0; node < 4; node++) {
            const struct fb_header *header = script_header(script, node, 0);
            owed += header != NULL && header->state == FB_HEADER_OWED;
        }
        assert_int_equal(owed, 2);
        assert_int_equal(sum_of(script, 4, offsetof(struct fb_stats, handoffs)), has_drive);
        struct fb_found found;
        fb_node_find(script_node(script, dead), block.key, &found);
        assert_int_equal(found.is_owed, has_drive);
        script_close(script);
    }
}

static void write_when_too_few_members_answer_is_degraded_or_answered_aloud(void **state)
{
    (void)state;
    for (uint32_t degraded = 0; degraded < 2; degraded++) {
        struct fb_config config = standin_config();
        bool is_away = true;
        config.degraded = degraded;
        struct script *script = script_open(2, &config, 6);
        const struct fb_block block = written_block(8);
        script_set_fault(script, no_stores, &is_away);
        script_run(script, MS);
        script_kill(script, 1);
        script_write(script, 2 * MS, 0, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, SECOND);
        is_away = false;
        script_run(script, FB_NEVER_NS - 1);
        assert_answer(script, 1, degraded ? FB_OK : FB_DEGRADED, degraded);
        assert_int_equal(fb_node_stats(script_node(script, 0))->degraded, degraded);
        assert_int_equal(script_stores(script, &block), 1); /* whatever was said, it is drained */
        script_close(script);
    }
}

static struct script_fault full(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = op->kind == FB_OP_STORE ? FB_FULL : FB_OK};
}

/* The origin is full, too: what the write lacks is members all the same. */
static void write_when_members_go_and_the_origin_is_full_is_degraded(void **state)
{
    (void)state;
    const struct fb_config config = standin_config();
    const struct fb_block block = written_block(9), other = written_block(10);
    for (uint64_t after = 30; after < 200; after += 10) {
        struct script *script = script_open(2, &config, 7);
        script_set_fault(script, full, NULL);
        script_write(script, MS, 0, 2, &other, FB_LEVEL_MEMORY);
        script_run(script, 400 * MS);
        script_kill(script, 1);
        script_write(script, 401 * MS, 0, 1, &block, FB_LEVEL_REPLICATED);
        script_bury(script, (401 + after) * MS, 1);
        script_run(script, 3 * (uint64_t)SECOND);
        assert_answer(script, 1, FB_DEGRADED, 0);
        script_close(script);
    }
}

static void write_when_the_view_has_too_few_members_is_degraded_at_once(void **state)
{
    (void)state;
    for (uint32_t degraded = 0; degraded < 2; degraded++) {
        struct fb_config config = standin_config();
        config.degraded = degraded;
        struct script *script = script_open(2, &config, 7);
        const struct fb_block block = written_block(9), other = written_block(10);
        script_bury(script, MS, 1);
        script_write(script, 2 * MS, 0, 1, &block, FB_LEVEL_REPLICATED);
        script_write(script, 2 * MS, 0, 2, &other, FB_LEVEL_MEMORY);
        script_run(script, 3 * MS);
        assert_answer(script, 1, degraded ? FB_OK : FB_DEGRADED, degraded);
        assert_answer(script, 2, FB_OK, 1);
        script_close(script);
    }
}

static void write_before_any_view_is_degraded(void **state)
{
    (void)state;
    const struct fb_config config = standin_config();
    uint64_t size_bytes = fb_node_size_bytes(&config);
    struct fb_node *node = calloc(1, size_bytes);
    struct fb_op ops[FB_STEP_OPS_MAX];
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    struct fb_event write = {.kind = FB_EVENT_REQUEST,
                             .request = {.kind = FB_REQUEST_WRITE,
                                         .request_id = 1,
                                         .level = FB_LEVEL_REPLICATED,
                                         .block = written_block(1)}};
    write.request.span = (struct fb_span){.size = write.request.block.size};
    assert_int_equal(fb_node_init(node, size_bytes, &config, 1), FB_OK);
    fb_node_step(node, 0, &tick, ops);
    assert_int_equal(fb_node_step(node, 1, &write, ops), 1);
    assert_int_equal(ops[0].kind, FB_OP_REPLY);
    assert_int_equal(ops[0].reply.status, FB_DEGRADED);
    fb_node_check(node);
    free(node);
}

static void write_device_when_nobody_has_a_drive_is_degraded_at_once(void **state)
{
    (void)state;
    const struct fb_config config = standin_config();
    for (uint32_t writer = 0; writer < 5; writer++) {
        struct script *script = script_open(5, &config, 8);
        const struct fb_block block = written_block(11);
        script_write(script, MS, writer, 1, &block, FB_LEVEL_DEVICE);
        script_run(script, 5 * MS);
        assert_answer(script, 1, FB_DEGRADED, 0);
        script_run(script, FB_NEVER_NS - 1);
        script_close(script);
    }
}

/* 2 + 1 fragments on two nodes: the death of one takes two of them. */
static void write_coded_when_one_node_has_too_many_fragments_is_degraded(void **state)
{
    (void)state;
    for (uint32_t nodes = 2; nodes < 5; nodes++) {
        struct fb_config config = standin_config();
        config.erasure_data = 2;
        config.erasure_parity = 1;
        struct script *script = script_open(nodes, &config, 9);
        const struct fb_block block = written_block(12);
        script_write(script, MS, 0, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, 100 * MS);
        assert_answer(script, 1, nodes < 3 ? FB_DEGRADED : FB_OK, nodes < 3 ? 0 : 2);
        script_run(script, FB_NEVER_NS - 1);
        script_close(script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_when_an_owner_is_dead_is_held_by_a_standin),
        cmocka_unit_test(write_when_a_dead_owner_is_known_does_not_wait_for_it),
        cmocka_unit_test(read_when_only_a_standin_holds_it_finds_it),
        cmocka_unit_test(read_of_what_nobody_has_is_lost),
        cmocka_unit_test(standin_when_its_owner_is_back_hands_off),
        cmocka_unit_test(copy_that_another_counts_on_outlasts_what_was_heard_before),
        cmocka_unit_test(standin_when_its_owners_left_the_view_rests_and_stores),
        cmocka_unit_test(standin_when_it_becomes_an_owner_keeps_the_copy_as_its_own),
        cmocka_unit_test(write_when_the_first_rank_is_dead_for_good_is_drained_in_time),
        cmocka_unit_test(standin_hands_what_is_on_its_drive_to_drives),
        cmocka_unit_test(write_when_too_few_members_answer_is_degraded_or_answered_aloud),
        cmocka_unit_test(write_when_members_go_and_the_origin_is_full_is_degraded),
        cmocka_unit_test(write_when_the_view_has_too_few_members_is_degraded_at_once),
        cmocka_unit_test(write_before_any_view_is_degraded),
        cmocka_unit_test(write_device_when_nobody_has_a_drive_is_degraded_at_once),
        cmocka_unit_test(write_coded_when_one_node_has_too_many_fragments_is_degraded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
