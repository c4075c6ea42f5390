/* The promise as a table (sim/swarm/promise.h), the page that shows it, and the core.
 * How: docs/promise.md has what fb_promise_print prints (FB_PROMISE_UPDATE=1 writes it anew), and
 * README names the page. For each level, quorum and number of members a cluster whose origin is
 * away takes a write; at its answer as many nodes owe the block as the table says. */
#include "tests/support/unit.h"

#include "sim/swarm/promise.h"
#include "tests/support/flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000, PAGE_BYTES = 32768 };

static const char begin_mark[] = "<!-- printed -->\n", end_mark[] = "<!-- end -->";

static char *read_page(const char *path)
{
    char *text = calloc(1, PAGE_BYTES * 8);
    FILE *stream = fopen(path, "r");
    assert_non_null(text);
    assert_non_null(stream);
    assert_true(fread(text, 1, PAGE_BYTES * 8 - 1, stream) > 0);
    fclose(stream);
    return text;
}

static void write_page(const char *page, const char *printed)
{
    char *before = read_page(page);
    const char *begin = strstr(before, begin_mark), *end = strstr(before, end_mark);
    assert_true(begin != NULL && end != NULL);
    FILE *stream = fopen(page, "w");
    assert_non_null(stream);
    fprintf(stream, "%.*s%s%s", (int)(begin - before + (long)strlen(begin_mark)), before, printed,
            end);
    fclose(stream);
    free(before);
}

static void promise_page_has_the_printed_tables(void **state)
{
    (void)state;
    static char printed[PAGE_BYTES];
    FILE *stream = fmemopen(printed, sizeof(printed), "w");
    assert_non_null(stream);
    fb_promise_print(stream);
    fclose(stream);
    if (getenv("FB_PROMISE_UPDATE") != NULL)
        write_page("docs/promise.md", printed);
    char *page = read_page("docs/promise.md"), *readme = read_page("README.md");
    if (strstr(page, printed) == NULL)
        fail_msg("docs/promise.md is not what sim/swarm/promise.h says; FB_PROMISE_UPDATE=1 "
                 "writes it");
    assert_non_null(strstr(readme, "docs/promise.md"));
    free(page);
    free(readme);
}

static void promise_of_a_level_with_a_stronger_one_is_no_weaker(void **state)
{
    (void)state;
    for (uint32_t members = 1; members <= FB_RANKS_MAX; members++) {
        for (uint32_t quorum = 1; quorum <= FB_RANKS_MAX; quorum++) {
            uint32_t memory = fb_promise_copies(FB_LEVEL_MEMORY, quorum, members);
            uint32_t replicated = fb_promise_copies(FB_LEVEL_REPLICATED, quorum, members);
            assert_true(memory <= replicated);
            assert_int_equal(replicated, fb_promise_copies(FB_LEVEL_DEVICE, quorum, members));
            assert_true(replicated <= members);
        }
    }
    for (uint32_t fault = 0; fault < FB_PROMISE_FAULT_COUNT; fault++)
        assert_false(fb_promise_outlasts((enum fb_promise_fault)fault, FB_MEDIUM_NONE));
}

/* The origin is away. */
static struct script_fault away(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_origin = op->kind == FB_OP_STORE || op->kind == FB_OP_FETCH;
    return (struct script_fault){.status = is_origin ? FB_THROTTLED : FB_OK};
}

static void expect_copies(uint32_t level, uint32_t quorum, uint32_t members)
{
    struct fb_config config = flow_config();
    config.device_size_bytes = 8 * FLOW_BLOCK_BYTES;
    config.replicas = quorum;
    config.write_quorum = quorum;
    config.degraded = members < quorum;
    config.hold_ns = 2 * MS;
    config.puts_max = 4;
    config.dirty_max = 8;
    struct script *script = script_open(members, &config, 1);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, away, NULL);
    script_write(script, 1000, 0, 1, &block, level);
    for (uint64_t now_ns = 1000; script_reply(script, 1) == NULL && now_ns < 50 * MS;
         now_ns += 1000)
        script_run(script, now_ns);
    const struct fb_reply *reply = script_reply(script, 1);
    bool is_possible = fb_promise_medium((enum fb_level)level) != FB_MEDIUM_ORIGIN;
    if (!is_possible) {
        assert_true(reply == NULL || reply->status != FB_OK);
        script_close(script);
        return;
    }
    assert_non_null(reply);
    assert_int_equal(reply->status, FB_OK);
    uint32_t holders = 0;
    for (uint32_t node = 0; node < members; node++)
        holders += fb_node_undrained_bytes(script_node(script, node)) > 0;
    assert_true(holders >= fb_promise_copies((enum fb_level)level, quorum, members));
    script_close(script);
}

static void core_answers_when_as_many_hold_it_as_the_table_says(void **state)
{
    (void)state;
    for (uint32_t level = 0; level < FB_LEVEL_VOLATILE; level++) {
        for (uint32_t quorum = 1; quorum <= 3; quorum++) {
            for (uint32_t members = 1; members <= 4; members++)
                expect_copies(level, quorum, members);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promise_page_has_the_printed_tables),
        cmocka_unit_test(promise_of_a_level_with_a_stronger_one_is_no_weaker),
        cmocka_unit_test(core_answers_when_as_many_hold_it_as_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
