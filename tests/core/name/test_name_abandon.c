/* name_abandon.c, abandon.c: what is owed of a version that nobody can commit is let go everywhere,
 * and never of one that may be committed. How: scripted nodes (script.h), their metadata store. */
#include "core/name/name.h"

#include "tests/support/flow.h"
#include "tests/support/unit.h"

enum { NODES = 4, VERSION = 1000 };

static const uint64_t MS = 1000000, S = 1000000000, OBJECT = SCRIPT_WRITTEN + 1;
static const struct fb_key NAME = {.high = 0x6e, .low = 1};

struct world {
    struct script *script;
    uint64_t now_ns;
    uint32_t writer, told_in_vain, removals;
};

static struct script_fault follow(struct script *script, uint32_t node, const struct fb_op *op)
{
    struct world *world = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    (void)node;
    world->removals += op->kind == FB_OP_ORIGIN_REMOVE && op->change.limit == 0 &&
                       op->change.version == VERSION && op->change.size == 10;
    if (op->kind == FB_OP_SEND && op->message.kind == FB_MESSAGE_ABANDON &&
        world->told_in_vain > 0) {
        world->told_in_vain--;
        fault.is_lost = true;
    }
    return fault;
}

static void rest(struct world *world, uint64_t time_ns)
{
    world->now_ns += time_ns;
    script_run(world->script, world->now_ns);
}

static uint32_t owed(struct world *world)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < NODES; node++)
        count += fb_node_owed_blocks(script_node(world->script, node));
    return count;
}

/* A block of the version is written at two nodes. */
static void begin(struct world *world, uint64_t drain_delay_ns)
{
    struct fb_config config = flow_config();
    const struct fb_block block = script_block(OBJECT, 3, FLOW_BLOCK_BYTES, 1);
    config.names_max = 8;
    config.records = 2;
    config.metas_max = 8;
    config.replicas = 2;
    config.write_quorum = 2;
    config.puts_max = 4;
    config.dirty_max = 16;
    config.drains_max = 2;
    config.hold_ns = 2 * MS;
    config.drain_delay_ns = drain_delay_ns;
    config.drain_check_ns = 5 * MS;
    *world = (struct world){.script = script_open(NODES, &config, 1)};
    script_set_fault(world->script, follow, world);
    world->writer = script_owner(world->script, &block, 0);
    script_write(world->script, 1000, world->writer, 1, &block, FB_LEVEL_REPLICATED);
    rest(world, 10 * MS);
    assert_int_equal(script_reply(world->script, 1)->status, FB_OK);
    assert_int_equal(owed(world), 2);
}

static void abandon(struct world *world, const struct fb_meta *unsure)
{
    const struct fb_request request = {.kind = FB_REQUEST_NAME_ABANDON,
                                       .request_id = 2,
                                       .block = {.key = NAME, .object = OBJECT},
                                       .record = *unsure,
                                       .version = VERSION,
                                       .size = 10};
    script_request(world->script, world->now_ns + 1000, world->writer, &request);
}

static void end(struct world *world, uint32_t stores)
{
    const struct fb_block block = script_block(OBJECT, 3, FLOW_BLOCK_BYTES, 1);
    assert_int_equal(script_stores(world->script, &block), stores);
    for (uint32_t node = 0; node < NODES; node++)
        assert_true(fb_node_is_idle(script_node(world->script, node)));
    script_close(world->script);
}

static const struct fb_meta sure = {.version = 0};

static void what_is_owed_of_it_goes_everywhere(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 100 * S);
    abandon(&world, &sure);
    rest(&world, 10 * MS);
    assert_int_equal(owed(&world), 0);
    rest(&world, 60 * S);
    assert_int_equal(world.removals, 5); /* stores may have been under way */
    end(&world, 0);
}

static void who_was_not_told_hears_it_when_it_asks(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 20 * MS);
    world.told_in_vain = NODES - 1; /* all of the first round */
    abandon(&world, &sure);
    rest(&world, 5 * MS);
    assert_int_equal(owed(&world), 1);
    rest(&world, 500 * MS); /* the second round is after a second */
    assert_int_equal(owed(&world), 0);
    rest(&world, 60 * S);
    end(&world, 0);
}

static struct fb_meta commit_of_version(uint64_t version)
{
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                        .level = FB_LEVEL_MEMORY,
                                        .node = 0,
                                        .block_size_bytes = FLOW_BLOCK_BYTES,
                                        .version = version,
                                        .size = 10};
    return fb_name_record(&facts, 0);
}

static void one_that_may_yet_be_committed_stays_until_it_can_not(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 100 * S);
    const struct fb_meta unsure = commit_of_version(VERSION);
    abandon(&world, &unsure);
    rest(&world, 20 * S);
    assert_int_equal(owed(&world), 2); /* the record is still the one that it expected: none */
    assert_int_equal(world.removals, 0);
    struct fb_meta other = commit_of_version(VERSION + 1);
    other.version = 1;
    script_record_put(world.script, NAME, other);
    rest(&world, 70 * S);
    assert_true(world.removals > 0);
    rest(&world, 70 * S);
    assert_int_equal(owed(&world), 0);
    script_close(world.script);
}

static void one_that_was_committed_stays(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 2 * S);
    struct fb_meta made = commit_of_version(VERSION);
    abandon(&world, &made);
    made.version = 1;
    script_record_put(world.script, NAME, made);
    rest(&world, 60 * S);
    assert_int_equal(world.removals, 0);
    end(&world, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_owed_of_it_goes_everywhere),
        cmocka_unit_test(who_was_not_told_hears_it_when_it_asks),
        cmocka_unit_test(one_that_may_yet_be_committed_stays_until_it_can_not),
        cmocka_unit_test(one_that_was_committed_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
