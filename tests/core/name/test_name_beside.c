/* name.c, name_finish.c: a driver keeps more of a name beside its record than the core knows of
 * (hw/meta/kept.h), and changes the record's version with it. A commit that meets such a change is
 * no loser, one that meets a name made anew is; what is being finished is finished. It removes
 * another name with a commit (R14): that is erased at once, and a commit that is ABSENT is over.
 * How: scripted nodes (script.h), whose store is changed between a BEGIN and its COMMIT. */
#include "core/name/name.h"

#include "tests/support/name.h"

static struct script *beside_open_with(uint32_t retries_max)
{
    struct fb_config config = name_config();
    config.retries_max = retries_max;
    return script_open(1, &config, 1);
}

static struct script *beside_open(void)
{
    return beside_open_with(flow_config().retries_max);
}

static struct fb_reply begin(struct script *script, uint64_t request_id)
{
    const struct fb_request request = {.kind = FB_REQUEST_NAME_BEGIN,
                                       .request_id = request_id,
                                       .block = {.key = NAME, .object = FB_OBJECT_NONE},
                                       .wall_ns = 5 * S + clock_ns};
    const struct fb_reply reply = *run(script, 0, &request);
    assert_int_equal(reply.status, FB_OK);
    return reply;
}

static const struct fb_key MOVED = {.high = 0x6e, .low = 2};

static const struct fb_reply *commit_with(struct script *script, uint64_t request_id,
                                          const struct fb_reply *begun, struct fb_key moved)
{
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                        .level = FB_LEVEL_DEVICE,
                                        .block_size_bytes = FLOW_BLOCK_BYTES,
                                        .version = begun->version,
                                        .size = 10};
    const struct fb_request request = {.kind = FB_REQUEST_NAME_COMMIT,
                                       .request_id = request_id,
                                       .block = {.key = NAME, .object = FB_OBJECT_NONE},
                                       .record = fb_name_record(&facts, begun->record.version),
                                       .replaced = begun->replaced,
                                       .moved = moved};
    return run(script, 0, &request);
}

static enum fb_status commit(struct script *script, uint64_t request_id,
                             const struct fb_reply *begun)
{
    const struct fb_key none = {.high = 0, .low = 0};
    return (enum fb_status)commit_with(script, request_id, begun, none)->status;
}

/* The driver changes what is beside the record, which is counted there. */
static void change_beside(struct script *script)
{
    struct fb_meta record = script_record(script, NAME);
    if (record.version == 0) {
        const struct fb_name_facts facts = {
            .state = FB_NAME_ORIGIN, .level = FB_LEVEL_ORIGIN, .version = FB_NAME_VERSION_NONE};
        record = fb_name_record(&facts, 0);
    }
    record.version++;
    script_record_put(script, NAME, record);
}

static enum fb_name_state state_of(struct script *script)
{
    struct fb_meta record = script_record(script, NAME);
    return fb_name_read(&record).state;
}

static void commit_over_a_record_that_says_nothing_is_none_too_late(void **state)
{
    (void)state;
    struct script *script = beside_open();
    struct fb_reply begun = begin(script, 1);
    assert_int_equal(begun.replaced, 0);
    change_beside(script);
    assert_int_equal(commit(script, 2, &begun), FB_OK);
    rest(script, S);
    assert_int_equal(state_of(script), FB_NAME_ORIGIN);
    assert_int_equal(script_shown(script, NAME)->version, begun.version);
    script_close(script);
}

static void commit_over_a_change_beside_its_version_is_none_too_late(void **state)
{
    (void)state;
    struct script *script = beside_open();
    struct fb_reply first = begin(script, 1);
    assert_int_equal(commit(script, 2, &first), FB_OK);
    struct fb_reply second = begin(script, 3);
    for (uint32_t i = 0; i < 3; i++)
        change_beside(script);
    assert_int_equal(commit(script, 4, &second), FB_OK);
    rest(script, S);
    assert_int_equal(state_of(script), FB_NAME_ORIGIN);
    assert_int_equal(script_shown(script, NAME)->version, second.version);
    script_close(script);
}

static void change_beside_what_is_being_finished_lets_it_be_finished(void **state)
{
    (void)state;
    for (uint64_t after_ns = 0; after_ns < 200 * MS; after_ns += MS) {
        struct script *script = beside_open();
        struct fb_reply begun = begin(script, 1);
        assert_int_equal(commit(script, 2, &begun), FB_OK);
        rest(script, after_ns);
        change_beside(script);
        uint64_t version = script_record(script, NAME).version;
        rest(script, 20 * S);
        assert_int_equal(state_of(script), FB_NAME_ORIGIN);
        assert_true(script_record(script, NAME).version >= version);
        assert_int_equal(script_shown(script, NAME)->version, begun.version);
        assert_int_equal(fb_node_unfinished_names(script_node(script, 0)), 0);
        script_close(script);
    }
}

static void commit_over_a_name_made_anew_is_too_late(void **state)
{
    (void)state;
    struct script *script = beside_open();
    struct fb_reply begun = begin(script, 1);
    const struct fb_name_facts link = {
        .state = FB_NAME_ORIGIN, .level = FB_LEVEL_ORIGIN, .version = begun.version + S};
    struct fb_meta record = fb_name_record(&link, 1);
    script_record_put(script, NAME, record);
    assert_int_equal(commit(script, 2, &begun), FB_CONFLICT);
    script_close(script);
}

/* Whatever is put, the driver was there before. */
static struct script_fault changed_before(struct script *script, uint32_t node,
                                          const struct fb_op *op)
{
    (void)node;
    if (op->kind == FB_OP_META_PUT)
        change_beside(script);
    return (struct script_fault){.status = FB_OK};
}

static bool is_changed;

/* The first that is put finds another record than was read. */
static struct script_fault changed_once(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)node;
    if (op->kind == FB_OP_META_PUT && !is_changed) {
        is_changed = true;
        change_beside(script);
    }
    return (struct script_fault){.status = FB_OK};
}

/* Who never finds the record as it was is told to try again, not that another version came. */
static void commit_that_meets_a_change_each_time_is_busy(void **state)
{
    (void)state;
    struct script *script = beside_open();
    struct fb_reply begun = begin(script, 1);
    script_set_fault(script, changed_before, NULL);
    assert_int_equal(commit(script, 2, &begun), FB_BUSY);
    script_set_fault(script, NULL, NULL);
    assert_int_equal(commit(script, 3, &begun), FB_OK);
    rest(script, S);
    assert_int_equal(script_shown(script, NAME)->version, begun.version);
    script_close(script);
}

/* What was changed once since the BEGIN is no failure, so no setting of retries refuses it: the
 * client has nothing newer to say when it asks again. */
static void change_beside_is_no_failure(void **state)
{
    (void)state;
    struct script *script = beside_open_with(0);
    struct fb_reply first = begin(script, 1);
    assert_int_equal(commit(script, 2, &first), FB_OK);
    struct fb_reply second = begin(script, 3);
    change_beside(script);
    assert_int_equal(commit(script, 4, &second), FB_OK);
    rest(script, S);
    is_changed = false;
    script_set_fault(script, changed_once, NULL);
    const struct fb_request removal = {.kind = FB_REQUEST_NAME_REMOVE,
                                       .request_id = 5,
                                       .block = {.key = NAME, .object = FB_OBJECT_NONE},
                                       .wall_ns = 5 * S + clock_ns};
    assert_int_equal(run(script, 0, &removal)->status, FB_OK);
    assert_true(is_changed);
    script_close(script);
}

static struct script_fault absent(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = op->kind == FB_OP_META_PUT ? FB_ABSENT : FB_OK};
}

/* What should go with it does not: it is no use to try again, and its end is known. */
static void commit_whose_other_name_is_not_as_expected_is_absent(void **state)
{
    (void)state;
    struct script *script = beside_open();
    struct fb_reply begun = begin(script, 1);
    uint64_t puts = fb_node_stats(script_node(script, 0))->meta_puts;
    script_set_fault(script, absent, NULL);
    const struct fb_reply *reply = commit_with(script, 2, &begun, MOVED);
    assert_int_equal(reply->status, FB_ABSENT);
    assert_int_equal(reply->record.version, 0);
    assert_int_equal(fb_node_stats(script_node(script, 0))->meta_puts, puts + 1);
    script_set_fault(script, NULL, NULL);
    rest(script, S);
    assert_int_equal(fb_node_unfinished_names(script_node(script, 0)), 0);
    script_close(script);
}

/* The driver has changed both records; the core erases what went, without a look at the list. */
static void name_that_went_with_a_commit_is_erased_at_once(void **state)
{
    (void)state;
    struct script *script = beside_open();
    const struct fb_name_facts gone = {
        .state = FB_NAME_REMOVED, .level = FB_LEVEL_COUNT, .version = 6 * S, .size = 4 * S};
    rest(script, 10 * MS);
    *script_shown(script, MOVED) = (struct script_shown){.version = 4 * S, .size = 10};
    struct fb_reply begun = begin(script, 1);
    script_record_put(script, MOVED, fb_name_record(&gone, 1));
    assert_int_equal(commit_with(script, 2, &begun, MOVED)->status, FB_OK);
    rest(script, 100 * MS); /* the list is read each 3 s */
    struct fb_meta record = script_record(script, MOVED);
    assert_int_equal(fb_name_read(&record).state, FB_NAME_ORIGIN);
    assert_int_equal(script_shown(script, MOVED)->version, 0);
    assert_int_equal(state_of(script), FB_NAME_ORIGIN);
    assert_int_equal(fb_node_unfinished_names(script_node(script, 0)), 0);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_over_a_record_that_says_nothing_is_none_too_late),
        cmocka_unit_test(commit_over_a_change_beside_its_version_is_none_too_late),
        cmocka_unit_test(change_beside_what_is_being_finished_lets_it_be_finished),
        cmocka_unit_test(commit_over_a_name_made_anew_is_too_late),
        cmocka_unit_test(commit_that_meets_a_change_each_time_is_busy),
        cmocka_unit_test(change_beside_is_no_failure),
        cmocka_unit_test(commit_whose_other_name_is_not_as_expected_is_absent),
        cmocka_unit_test(name_that_went_with_a_commit_is_erased_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
