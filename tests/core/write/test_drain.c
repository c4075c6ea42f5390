/* Proves the write-back against origins that fail, on scripted clusters: a dead origin is asked
 * less and less and drained to at once when it is back; a block that it refuses keeps no other
 * waiting, and is not thrown at it again and again; one that throttles keeps its pace. And what is
 * at the origin is not owed to it once more, when another asks for it to be held. When what is owed
 * fills the node and the origin refuses it, writers hear that, and nobody does before; and what
 * fills it yields to no reads. */
#include "tests/support/unit.h"

#include "tests/support/flow.h"

enum { WRITES = 8 };

static const uint64_t SECOND_NS = UINT64_C(1000000000);

static struct fb_config drain_config(void)
{
    struct fb_config config = flow_config();
    config.replicas = 1;
    config.write_quorum = 1;
    config.puts_max = WRITES;
    config.dirty_max = 2 * WRITES;
    config.drains_max = 4;
    config.drain_delay_ns = 50000;
    config.drain_check_ns = SECOND_NS;
    config.backoff_ns = 2000000;
    return config;
}

static struct fb_block drain_block(uint64_t number)
{
    return script_block(SCRIPT_WRITTEN + 1, number, FLOW_BLOCK_BYTES, 1);
}

struct origin {
    uint64_t back_ns;      /* STOREs fail until then */
    enum fb_status status; /* with this */
    uint64_t bad_offset;   /* of a block that is refused for ever; else UINT64_MAX */
    uint32_t tries, bad_tries;
};

static struct script_fault store_to(struct script *script, uint32_t node, const struct fb_op *op)
{
    struct origin *origin = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    (void)node;
    if (op->kind != FB_OP_STORE)
        return fault;
    bool is_bad = op->block.offset == origin->bad_offset;
    origin->tries++;
    origin->bad_tries += is_bad;
    if (script_now_ns(script) < origin->back_ns)
        fault.status = origin->status;
    else if (is_bad)
        fault.status = FB_IO;
    return fault;
}

static struct script *drain_open(struct origin *origin, const struct fb_config *config)
{
    struct script *script = script_open(1, config, 1);
    script_set_fault(script, store_to, origin);
    for (uint64_t i = 0; i < WRITES; i++) {
        const struct fb_block block = drain_block(i);
        script_write(script, 1000 + i * 1000000, 0, i, &block, FB_LEVEL_MEMORY);
    }
    return script;
}

static void drain_to_a_dead_origin_asks_it_less_and_less(void **state)
{
    (void)state;
    const struct fb_config config = drain_config();
    const uint64_t hours_ns = 3 * 3600 * SECOND_NS;
    struct origin origin = {.back_ns = hours_ns, .status = FB_IO, .bad_offset = UINT64_MAX};
    struct script *script = drain_open(&origin, &config);
    script_run(script, 60 * SECOND_NS);
    assert_true(origin.tries > 10);
    assert_true(origin.tries < 200);
    script_run(script, hours_ns);
    assert_true(origin.tries < 3 * 3600 * 2);
    assert_true(fb_node_stats(script_node(script, 0))->steps < 3 * 3600 * 8);
    script_run(script, hours_ns + 4 * SECOND_NS);
    for (uint64_t i = 0; i < WRITES; i++) {
        const struct fb_block block = drain_block(i);
        assert_int_equal(script_stores(script, &block), 1);
    }
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static void drain_of_a_block_that_is_refused_keeps_no_other_waiting(void **state)
{
    (void)state;
    const struct fb_config config = drain_config();
    for (uint64_t bad = 0; bad < WRITES; bad++) {
        struct origin origin = {.bad_offset = drain_block(bad).offset};
        struct script *script = drain_open(&origin, &config);
        script_run(script, SECOND_NS);
        for (uint64_t i = 0; i < 200; i++) {
            const struct fb_block block = drain_block(WRITES + i);
            script_write(script, SECOND_NS + i * SECOND_NS / 20, 0, 100 + i, &block,
                         FB_LEVEL_ORIGIN);
        }
        script_run(script, 12 * SECOND_NS);
        for (uint64_t i = 0; i < 200; i++) {
            assert_non_null(script_reply(script, 100 + i));
            assert_int_equal(script_reply(script, 100 + i)->status, FB_OK);
        }
        assert_int_equal(fb_node_undrained_bytes(script_node(script, 0)), FLOW_BLOCK_BYTES);
        assert_true(origin.bad_tries > 5);
        assert_true(origin.bad_tries < 60);
        script_close(script);
    }
}

static void drain_to_an_origin_that_throttles_keeps_its_pace(void **state)
{
    (void)state;
    const struct fb_config config = drain_config();
    struct origin origin = {
        .back_ns = 10 * SECOND_NS, .status = FB_THROTTLED, .bad_offset = UINT64_MAX};
    struct script *script = drain_open(&origin, &config);
    script_run(script, 10 * SECOND_NS);
    assert_true(origin.tries > 300);
    script_run(script, 10 * SECOND_NS + 100000000);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static struct script_fault fails_at_one(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    const uint32_t *bad = script_context(script);
    bool is_refused = op->kind == FB_OP_STORE && node == *bad;
    return (struct script_fault){.status = is_refused ? FB_IO : FB_OK};
}

/* A holder that has asked in vain for long asks seldom; who is to stop has no time for that. */
static void holder_that_is_to_drain_now_asks_anew(void **state)
{
    (void)state;
    struct fb_config config = drain_config();
    config.replicas = 2;
    config.write_quorum = 2;
    config.drain_check_ns = SECOND_NS;
    const struct fb_block block = drain_block(0);
    struct script *script = script_open(3, &config, 1);
    uint32_t first = script_owner(script, &block, 0), second = script_owner(script, &block, 1);
    script_set_fault(script, fails_at_one, &first);
    script_write(script, 1000, first, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 200 * SECOND_NS);
    assert_int_equal(script_stores(script, &block), 0);
    assert_int_equal(fb_node_owed_blocks(script_node(script, second)), 1);
    script_kill(script, first);
    const struct fb_request drain = {.kind = FB_REQUEST_DRAIN, .request_id = 2};
    script_request(script, 201 * SECOND_NS, second, &drain);
    script_run(script, 212 * SECOND_NS);
    assert_int_equal(script_stores(script, &block), 1);
    script_close(script);
}

/* Two that are no owners of a block write it, one after the other: it is stored once. */
static void hold_of_what_is_at_the_origin_owes_nothing(void **state)
{
    enum { NODES = 6 };
    (void)state;
    struct origin origin = {.bad_offset = UINT64_MAX};
    struct fb_config config = drain_config();
    config.replicas = 2;
    config.write_quorum = 2;
    struct script *script = script_open(NODES, &config, 1);
    const struct fb_block block = drain_block(3);
    uint32_t writes = 0;
    script_set_fault(script, store_to, &origin);
    script_run(script, SECOND_NS); /* there is a view */
    for (uint32_t node = 0; node < NODES && writes < 2; node++) {
        if (node == script_owner(script, &block, 0) || node == script_owner(script, &block, 1))
            continue;
        writes++;
        script_write(script, writes * 10 * SECOND_NS, node, writes, &block, FB_LEVEL_REPLICATED);
        script_run(script, writes * 10 * SECOND_NS + 5 * SECOND_NS);
        assert_int_equal(script_reply(script, writes)->status, FB_OK);
        for (uint32_t i = 0; i < NODES; i++)
            assert_true(fb_node_is_idle(script_node(script, i)));
        assert_int_equal(origin.tries, 1);
    }
    assert_int_equal(writes, 2);
    script_close(script);
}

/* What a writer hears whom there is no room for is the refusal, soon, and BUSY until then; when the
 * origin takes it again, all that was taken is stored. */
static void write_without_room_hears_what_the_origin_refuses(void **state)
{
    (void)state;
    static const enum fb_status cases[] = {FB_FULL, FB_DENIED, FB_READ_ONLY, FB_INVALID, FB_IO};
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fb_config config = drain_config();
        config.memory_size_bytes *= 2; /* records are what there is too little of */
        config.memory_entries_max *= 2;
        bool is_for_good = cases[i] != FB_IO;
        struct origin origin = {
            .back_ns = 60 * SECOND_NS, .status = cases[i], .bad_offset = UINT64_MAX};
        struct script *script = drain_open(&origin, &config);
        struct fb_refused refused;
        for (uint64_t k = WRITES; k < 2 * WRITES + 2; k++) { /* two more than there are records */
            const struct fb_block block = drain_block(k);
            uint64_t at_ns = k < 2 * WRITES + 1 ? 100000000 + k * 1000000 : 4 * SECOND_NS;
            script_write(script, at_ns, 0, k, &block, FB_LEVEL_MEMORY);
        }
        script_run(script, 5 * SECOND_NS);
        for (uint64_t k = 0; k < 2 * WRITES; k++)
            assert_int_equal(script_reply(script, k)->status, FB_OK);
        assert_int_equal(script_reply(script, 2 * WRITES)->status, FB_BUSY);
        assert_int_equal(script_reply(script, 2 * WRITES + 1)->status,
                         is_for_good ? cases[i] : FB_BUSY);
        fb_node_refused(script_node(script, 0), &refused);
        assert_int_equal(refused.blocks, is_for_good ? 2 * WRITES : 0);
        assert_true(!is_for_good || (refused.status == cases[i] && refused.since_ns < SECOND_NS));
        script_run(script, FB_NEVER_NS - 1);
        fb_node_refused(script_node(script, 0), &refused);
        assert_int_equal(refused.blocks, 0);
        assert_true(fb_node_is_idle(script_node(script, 0)));
        script_close(script);
    }
}

static struct script_fault refuses_one_object(struct script *script, uint32_t node,
                                              const struct fb_op *op)
{
    const struct fb_block bad = drain_block(0);
    (void)script;
    (void)node;
    if (op->kind != FB_OP_STORE)
        return (struct script_fault){.status = FB_OK};
    return (struct script_fault){.status = op->block.object == bad.object ? FB_DENIED : FB_OK,
                                 .delay_ns = SECOND_NS};
}

/* Most of the room is an object's that the origin refuses, and it is slow with others': these wait
 * for each other, and are all taken. */
static void write_while_others_are_stored_is_busy_and_not_refused(void **state)
{
    enum { OTHERS = 40 };
    (void)state;
    struct fb_config config = drain_config();
    config.dirty_max = WRITES + 2;
    struct origin origin = {.bad_offset = UINT64_MAX};
    struct script *script = drain_open(&origin, &config);
    uint32_t taken = 0, busy = 0;
    script_set_fault(script, refuses_one_object, &origin);
    for (uint64_t i = 0; i < OTHERS; i++) {
        const struct fb_block block = script_block(SCRIPT_WRITTEN + 2, i, FLOW_BLOCK_BYTES, 1);
        script_write(script, 10 * SECOND_NS + i * SECOND_NS / 4, 0, 100 + i, &block,
                     FB_LEVEL_MEMORY);
    }
    script_run(script, 30 * SECOND_NS);
    for (uint64_t i = 0; i < OTHERS; i++) {
        enum fb_status status = (enum fb_status)script_reply(script, 100 + i)->status;
        taken += status == FB_OK;
        busy += status == FB_BUSY;
    }
    assert_int_equal(taken + busy, OTHERS);
    assert_true(taken > 10 && busy > 5);
    script_close(script);
}

/* The only block of memory is owed, and a read waits for its room: the drain does not yield. */
static void drain_yields_to_no_read_that_waits_for_its_room(void **state)
{
    (void)state;
    struct fb_config config = drain_config();
    config.memory_size_bytes = FLOW_BLOCK_BYTES;
    config.drain_yield_fills = 0;
    config.drains_min = 0;
    config.retries_max = 16;
    struct origin origin = {.bad_offset = UINT64_MAX};
    struct script *script = script_open(1, &config, 1);
    const struct fb_block owed = drain_block(0), read = script_block(3, 0, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, store_to, &origin);
    script_write(script, 1000, 0, 1, &owed, FB_LEVEL_MEMORY);
    script_get(script, 30000, 0, 2, &read);
    script_run(script, SECOND_NS / 2);
    assert_int_equal(script_stores(script, &owed), 1);
    assert_non_null(script_reply(script, 2));
    assert_int_equal(script_reply(script, 2)->status, FB_OK);
    script_close(script);
}

/* What a scripted origin refuses, and how: the first store of one block fails otherwise. */
struct refusing {
    uint64_t first_bad_offset; /* UINT64_MAX: none */
    enum fb_status status;
    uint32_t bad_tries;
};

static struct script_fault refuses_all(struct script *script, uint32_t node, const struct fb_op *op)
{
    struct refusing *refusing = script_context(script);
    (void)node;
    if (op->kind != FB_OP_STORE)
        return (struct script_fault){.status = FB_OK};
    bool is_bad = op->block.offset == refusing->first_bad_offset;
    refusing->bad_tries += is_bad;
    return (struct script_fault){.status =
                                     is_bad && refusing->bad_tries == 1 ? FB_IO : refusing->status};
}

static enum fb_status status_of(struct script *script, uint64_t request_id)
{
    assert_non_null(script_reply(script, request_id));
    return (enum fb_status)script_reply(script, request_id)->status;
}

/* One of the last blocks fails otherwise before it is refused, too: it has its turn before those
 * that are known to be refused, so that the writer does not wait for as many pauses as there are
 * blocks. */
static void write_hears_the_refusal_though_one_block_failed_otherwise(void **state)
{
    (void)state;
    for (uint64_t bad = 0; bad < 2 * WRITES; bad++) {
        const struct fb_config config = drain_config();
        struct refusing refusing = {.first_bad_offset = drain_block(bad).offset, .status = FB_FULL};
        struct script *script = script_open(1, &config, 1);
        script_set_fault(script, refuses_all, &refusing);
        for (uint64_t i = 0; i < 2 * WRITES - 2; i++) { /* the rest of memory is for reads */
            const struct fb_block block = drain_block(i);
            uint64_t at_ns = i == bad ? SECOND_NS * 3 : 1000 + i * 1000000;
            script_write(script, at_ns, 0, i, &block, FB_LEVEL_MEMORY);
        }
        const struct fb_block late = drain_block(100);
        script_write(script, 7 * SECOND_NS, 0, 100, &late, FB_LEVEL_MEMORY);
        script_run(script, 8 * SECOND_NS);
        assert_int_equal(status_of(script, 100), FB_FULL);
        script_close(script);
    }
}

/* Memory has room, but all records of writes are those of blocks that the origin's writers were
 * told of: the next one hears it, too. */
static void write_without_a_record_hears_what_the_origin_refuses(void **state)
{
    (void)state;
    struct fb_config config = drain_config();
    config.puts_max = 4;
    struct refusing refusing = {.first_bad_offset = UINT64_MAX, .status = FB_READ_ONLY};
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, refuses_all, &refusing);
    for (uint64_t i = 0; i < 6; i++) {
        const struct fb_block block = drain_block(i);
        uint64_t at_ns = i < 5 ? 1000 + i * 1000000 : 5 * SECOND_NS;
        script_write(script, at_ns, 0, i, &block, FB_LEVEL_ORIGIN);
    }
    script_run(script, 6 * SECOND_NS);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(status_of(script, i), FB_READ_ONLY);
    assert_int_equal(status_of(script, 4), FB_BUSY);
    assert_int_equal(status_of(script, 5), FB_READ_ONLY);
    script_close(script);
}

/* The drive is full of what the origin refuses: a write to it hears that after two rounds, and not
 * that it took too long after all of them. */
static void write_to_a_full_drive_hears_what_the_origin_refuses(void **state)
{
    (void)state;
    struct fb_config config = drain_config();
    config.device_size_bytes = 4 * (uint64_t)FLOW_BLOCK_BYTES;
    config.device_entries_max = 4;
    config.hold_ns = SECOND_NS;
    struct refusing refusing = {.first_bad_offset = UINT64_MAX, .status = FB_DENIED};
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, refuses_all, &refusing);
    for (uint64_t i = 0; i < 5; i++) {
        const struct fb_block block = drain_block(i);
        script_write(script, 1000 + i * 1000000, 0, i, &block, FB_LEVEL_DEVICE);
    }
    script_run(script, 4 * SECOND_NS);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(status_of(script, i), FB_OK);
    assert_int_equal(status_of(script, 4), FB_DENIED);
    script_close(script);
}

/* What a writer gives up makes room, and is no sign of more: the next one without room hears the
 * refusal at once. */
static void write_after_one_that_gave_up_hears_the_refusal_at_once(void **state)
{
    enum { FITS = FLOW_BLOCKS - FLOW_BLOCKS / 8 };
    (void)state;
    struct fb_config config = drain_config();
    config.names_max = 4;
    struct refusing refusing = {.first_bad_offset = UINT64_MAX, .status = FB_FULL};
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, refuses_all, &refusing);
    for (uint64_t i = 0; i < FITS; i++) {
        const struct fb_block block =
            script_block(SCRIPT_WRITTEN + 1 + (i < 2), i, FLOW_BLOCK_BYTES, 1);
        script_write(script, 1000 + i * 1000000, 0, i, &block, FB_LEVEL_MEMORY);
    }
    const struct fb_request abandon = {.kind = FB_REQUEST_NAME_ABANDON,
                                       .request_id = 50,
                                       .block = {.key = {.low = 7}, .object = SCRIPT_WRITTEN + 2},
                                       .version = 1,
                                       .size = 10};
    script_request(script, 5 * SECOND_NS, 0, &abandon);
    for (uint64_t i = 0; i < 3; i++) { /* the room of two */
        const struct fb_block block = drain_block(100 + i);
        script_write(script, 5 * SECOND_NS + (i + 1) * 1000000, 0, 100 + i, &block,
                     FB_LEVEL_MEMORY);
    }
    const struct fb_block late = drain_block(200);
    script_write(script, 5 * SECOND_NS + 100000000, 0, 200, &late, FB_LEVEL_MEMORY);
    script_run(script, 6 * SECOND_NS);
    assert_int_equal(status_of(script, 100), FB_OK);
    assert_int_equal(status_of(script, 101), FB_OK);
    assert_int_not_equal(status_of(script, 102), FB_OK);
    assert_int_equal(status_of(script, 200), FB_FULL);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drain_to_a_dead_origin_asks_it_less_and_less),
        cmocka_unit_test(drain_of_a_block_that_is_refused_keeps_no_other_waiting),
        cmocka_unit_test(drain_to_an_origin_that_throttles_keeps_its_pace),
        cmocka_unit_test(holder_that_is_to_drain_now_asks_anew),
        cmocka_unit_test(hold_of_what_is_at_the_origin_owes_nothing),
        cmocka_unit_test(write_without_room_hears_what_the_origin_refuses),
        cmocka_unit_test(write_while_others_are_stored_is_busy_and_not_refused),
        cmocka_unit_test(write_hears_the_refusal_though_one_block_failed_otherwise),
        cmocka_unit_test(write_without_a_record_hears_what_the_origin_refuses),
        cmocka_unit_test(write_to_a_full_drive_hears_what_the_origin_refuses),
        cmocka_unit_test(write_after_one_that_gave_up_hears_the_refusal_at_once),
        cmocka_unit_test(drain_yields_to_no_read_that_waits_for_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
