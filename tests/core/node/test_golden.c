/* Golden traces: scripts of 3 to 5 nodes whose every event and op is compared with a file in
 * tests/golden. A difference means that the core behaves differently: the commit that changes a
 * golden file explains why. FB_GOLDEN_UPDATE=1 writes the files anew. */
#include "core/name/name.h"
#include "tests/support/flow.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000 };

static struct script *golden_open(uint32_t nodes, const struct fb_config *config)
{
    struct script *script = script_open(nodes, config, 1);
    script_trace(script);
    script_name(script, 7, "weights");
    script_name(script, 9, "tokens");
    script_name(script, SCRIPT_WRITTEN, "shard");
    return script;
}

static void expect_golden(struct script *script, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "tests/golden/%s.txt", name);
    const char *text = script_text(script);
    if (getenv("FB_GOLDEN_UPDATE") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is missing; FB_GOLDEN_UPDATE=1 writes it", path);
    char line[512];
    uint32_t number = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        size_t length = strlen(line);
        number++;
        if (strncmp(text, line, length) != 0)
            fail_msg("%s:%u: expected \"%.*s\", got \"%.*s\"", path, number, (int)length - 1, line,
                     (int)strcspn(text, "\n"), text);
        text += length;
    }
    fclose(file);
    assert_true(number > 0);
    if (*text != 0)
        fail_msg("%s: the run goes on after line %u: %.100s", path, number, text);
}

static void golden_cold_read_by_all(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = golden_open(5, &config);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    for (uint32_t i = 0; i < 5; i++)
        script_get(script, 1000 + 500 * i, i, 1 + i, &block);
    script_run(script, FB_NEVER_NS);
    expect_golden(script, "cold_read_by_all");
    script_close(script);
}

static struct script_fault silent_owner(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)node;
    uint32_t silent = *(uint32_t *)script_context(script);
    bool is_lost = op->kind == FB_OP_SEND && op->target == silent;
    return (struct script_fault){.status = FB_OK, .is_lost = is_lost};
}

static void golden_hedge_past_a_silent_owner(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = golden_open(4, &config);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0), second = script_owner(script, &block, 1);
    uint32_t reader = 0;
    while (reader == owner || reader == second)
        reader++;
    script_set_fault(script, silent_owner, &owner);
    script_get(script, 1000, reader, 1, &block);
    script_run(script, FB_NEVER_NS);
    expect_golden(script, "hedge_past_a_silent_owner");
    script_close(script);
}

static struct script_fault throttled_origin(struct script *script, uint32_t node,
                                            const struct fb_op *op)
{
    (void)node;
    uint32_t *left = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    if (op->kind == FB_OP_FETCH && *left > 0) {
        (*left)--;
        fault.status = FB_THROTTLED;
    }
    return fault;
}

static void golden_throttled_origin(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = golden_open(3, &config);
    struct fb_block block = script_block(9, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t left = 2;
    script_set_fault(script, throttled_origin, &left);
    for (uint32_t i = 0; i < 3; i++)
        script_get(script, 1000 + 500 * i, i, 1 + i, &block);
    script_run(script, FB_NEVER_NS);
    expect_golden(script, "throttled_origin");
    script_close(script);
}

static void golden_match_then_read(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = golden_open(3, &config);
    struct fb_key keys[4];
    for (uint32_t i = 0; i < 4; i++) {
        struct fb_block block = script_block(20 + i / 2, 0, FLOW_BLOCK_BYTES, i);
        block.object = FB_OBJECT_NONE;
        keys[i] = block.key;
        uint32_t owner = script_owner(script, &block, 0);
        const struct fb_request put = {
            .kind = FB_REQUEST_PUT,
            .request_id = 10 + i,
            .block = block,
            .span = {.region = FB_REGION_CLIENT, .peer = owner, .size = FLOW_BLOCK_BYTES}};
        if (i != 3)
            script_request(script, 1000 + i, owner, &put);
    }
    const struct fb_request match = {
        .kind = FB_REQUEST_MATCH, .request_id = 1, .keys = keys, .key_count = 4};
    script_request(script, 2 * MS, 0, &match);
    struct fb_block first = {.key = keys[0], .object = FB_OBJECT_NONE, .size = FLOW_BLOCK_BYTES};
    script_get(script, 3 * MS, 0, 2, &first);
    script_run(script, FB_NEVER_NS);
    expect_golden(script, "match_then_read");
    script_close(script);
}

static void golden_write_and_drain(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.replicas = 2;
    struct script *script = golden_open(4, &config);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 3, FLOW_BLOCK_BYTES, 1);
    script_write(script, 1000, 0, 1, &block, FB_LEVEL_REPLICATED);
    script_get(script, 50 * MS, 1, 2, &block);
    script_run(script, FB_NEVER_NS - 1);
    expect_golden(script, "write_and_drain");
    script_close(script);
}

static void golden_holder_dies_and_is_replaced(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.replicas = 2;
    config.drain_delay_ns = 100 * MS;
    struct script *script = golden_open(4, &config);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 3, FLOW_BLOCK_BYTES, 1);
    uint32_t dead = script_owner(script, &block, 0);
    script_write(script, 1000, dead == 0 ? 1 : 0, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 20 * MS);
    script_bury(script, 30 * MS, dead);
    script_run(script, FB_NEVER_NS - 1);
    expect_golden(script, "holder_dies_and_is_replaced");
    script_close(script);
}

static struct script_fault origin_is_away(struct script *script, uint32_t node,
                                          const struct fb_op *op)
{
    (void)node;
    bool is_away = op->kind == FB_OP_STORE && script_now_ns(script) < 900 * (uint64_t)MS;
    return (struct script_fault){.status = is_away ? FB_IO : FB_OK};
}

/* No view tells of the death: another holds the block for the silent owner, and hands it over when
 * that is back. */
static void golden_standin_takes_over_and_hands_off(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.replicas = 2;
    config.hold_ns = 20 * MS;
    config.drain_check_ns = 100 * MS;
    config.suspect_ns = 50 * MS;
    config.backoff_ns = 50 * MS;
    struct script *script = golden_open(4, &config);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 3, FLOW_BLOCK_BYTES, 1);
    uint32_t dead = script_owner(script, &block, 0);
    script_set_fault(script, origin_is_away, NULL);
    script_run(script, MS);
    script_kill(script, dead);
    script_write(script, 2 * MS, script_owner(script, &block, 1), 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 100 * MS);
    script_restart(script, 300 * MS, dead, false);
    script_run(script, FB_NEVER_NS - 1);
    expect_golden(script, "standin_takes_over_and_hands_off");
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    script_close(script);
}

/* Parts of blocks in one list: answered in its order, each under a lease of its own. */
static void golden_gather_in_order(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.gather_window = 2;
    struct script *script = golden_open(3, &config);
    struct fb_range ranges[4];
    for (uint32_t i = 0; i < 4; i++)
        ranges[i] = (struct fb_range){.block = script_block(7, i / 2, FLOW_BLOCK_BYTES, 1),
                                      .offset = i % 2 * FLOW_BLOCK_BYTES / 2,
                                      .size = FLOW_BLOCK_BYTES / 2};
    ranges[3].block = script_block(7, 5, FLOW_BLOCK_BYTES, 1);
    const struct fb_request hint = {.kind = FB_REQUEST_PREFETCH, .block = ranges[3].block};
    script_request(script, 500, 0, &hint);
    script_gather(script, 1000, 0, 1, ranges, 4);
    script_run(script, FB_NEVER_NS);
    expect_golden(script, "gather_in_order");
    script_close(script);
}

/* Two commits of one name at once: one wins, the other is told of it; then it is looked up. */
static void golden_commit_and_look_up(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = golden_open(2, &config);
    struct fb_request request = {
        .kind = FB_REQUEST_COMMIT,
        .block = {.key = {.high = 0x6e616d65, .low = 1}, .object = FB_OBJECT_NONE}};
    for (uint32_t i = 0; i < 2; i++) {
        request.request_id = 1 + i;
        request.record = (struct fb_meta){.value = {0, 10 + i}, .size = 10};
        script_request(script, 1000 + i, i, &request);
    }
    request.kind = FB_REQUEST_LOOKUP;
    request.request_id = 3;
    script_request(script, 50 * MS, 1, &request);
    script_run(script, FB_NEVER_NS);
    expect_golden(script, "commit_and_look_up");
    script_close(script);
}

/* A write cut into 2 + 1 fragments; the writer dies before the drain, the block is put together
 * again from what is left. */
static void golden_fragments_are_mended(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.erasure_data = 2;
    config.erasure_parity = 1;
    config.replicas = 2;
    config.write_quorum = 2;
    config.drain_delay_ns = 20 * MS;
    struct script *script = golden_open(5, &config);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 3, FLOW_BLOCK_BYTES, 1);
    script_write(script, 1000, 0, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 10 * MS);
    script_bury(script, 11 * MS, 0);
    script_get(script, 12 * MS, 1, 2, &block);
    script_run(script, FB_NEVER_NS - 1);
    expect_golden(script, "fragments_are_mended");
    assert_int_equal(script_reply(script, 2)->status, FB_OK);
    script_close(script);
}

/* A read block and a promised one are on the drive when the node dies, and are there again. */
static void golden_drive_is_found_again(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.device_size_bytes = 16 * FLOW_BLOCK_BYTES;
    config.device_writes_max = 4;
    config.replicas = 1;
    config.write_quorum = 1;
    config.drain_delay_ns = 20 * MS;
    struct script *script = golden_open(1, &config);
    const struct fb_block read = script_block(9, 0, FLOW_BLOCK_BYTES, 1);
    const struct fb_block written = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, 1000, 0, 1, &read);
    script_write(script, 12 * MS, 0, 2, &written, FB_LEVEL_DEVICE);
    script_run(script, 20 * MS);
    script_kill(script, 0);
    script_restart(script, 40 * MS, 0, true);
    script_get(script, 45 * MS, 0, 3, &read);
    script_run(script, FB_NEVER_NS - 1);
    expect_golden(script, "drive_is_found_again");
    script_close(script);
}

/* A name is written over an object from the future that came meanwhile, then removed. */
static void golden_name_is_written_and_removed(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.names_max = 8;
    config.records = 2;
    const struct fb_key key = {.high = 0x6e616d65, .low = 1};
    struct script *script = golden_open(2, &config);
    struct fb_request request = {.kind = FB_REQUEST_NAME_BEGIN,
                                 .request_id = 1,
                                 .block = {.key = key, .object = FB_OBJECT_NONE},
                                 .wall_ns = 5000 * (uint64_t)MS};
    script_request(script, 1000, 0, &request);
    script_run(script, 20 * MS);
    const struct fb_reply *begun = script_reply(script, 1);
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED, .version = begun->version};
    script_shown(script, key)->version = 9000 * (uint64_t)MS;
    request.kind = FB_REQUEST_NAME_COMMIT;
    request.request_id = 2;
    request.record = fb_name_record(&facts, begun->record.version);
    script_request(script, 21 * MS, 0, &request);
    script_run(script, 100 * MS);
    request.kind = FB_REQUEST_NAME_REMOVE;
    request.request_id = 3;
    script_request(script, 101 * MS, 1, &request);
    script_run(script, 200 * MS);
    request.kind = FB_REQUEST_NAME_LOOK;
    request.request_id = 4;
    request.record = (struct fb_meta){.version = 0};
    script_request(script, 201 * MS, 0, &request);
    script_run(script, 300 * MS);
    expect_golden(script, "name_is_written_and_removed");
    assert_int_equal(script_reply(script, 4)->status, FB_ABSENT);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_cold_read_by_all),
        cmocka_unit_test(golden_hedge_past_a_silent_owner),
        cmocka_unit_test(golden_throttled_origin),
        cmocka_unit_test(golden_match_then_read),
        cmocka_unit_test(golden_write_and_drain),
        cmocka_unit_test(golden_holder_dies_and_is_replaced),
        cmocka_unit_test(golden_standin_takes_over_and_hands_off),
        cmocka_unit_test(golden_gather_in_order),
        cmocka_unit_test(golden_commit_and_look_up),
        cmocka_unit_test(golden_fragments_are_mended),
        cmocka_unit_test(golden_drive_is_found_again),
        cmocka_unit_test(golden_name_is_written_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
