/* name.c, name_finish.c, name_collect.c: what names mean, and who finishes what. An acked version
 * is never given up for one that another clock calls later; a removed name stays away; of two
 * writers one wins; what a dead node began is finished by another, once; a name that cannot be
 * finished stops no other. How: scripted nodes (script.h), its metadata store and its origin of
 * names. */
#include "tests/support/name_write.h"

static const uint64_t HOUR = UINT64_C(3600000000000);

/* What a driver has begun already is not begun again, though the count has come round. */
static void begin_is_later_than_what_is_begun(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    uint64_t version = write_name(script, 0, 1, 3600 * S) + 5 * S;
    struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 9, 5 * S);
    begin.replaced = version;
    assert_true(run(script, 0, &begin)->version > version);
    script_close(script);
}

static void commit_is_seen_at_once_and_finished(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(2, &config, 1);
    assert_int_equal(look(script, 1, 1)->status, FB_ABSENT);
    uint64_t version = write_name(script, 0, 2, 5 * S);
    assert_int_equal(look(script, 1, 4)->version, version);
    rest(script, S);
    assert_int_equal(state_of(script, NAME), FB_NAME_ORIGIN);
    assert_int_equal(script_shown(script, NAME)->version, version);
    assert_int_equal(look(script, 1, 5)->version, version);
    assert_int_equal(fb_node_unfinished_names(script_node(script, 0)), 0);
    script_close(script);
}

static void begin_is_later_than_every_clock(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(2, &config, 1);
    *script_shown(script, NAME) = (struct script_shown){.version = HOUR, .size = 3};
    uint64_t version = write_name(script, 0, 1, 5 * S); /* the origin's clock is ahead */
    assert_true(version > HOUR);
    rest(script, S);
    assert_int_equal(script_shown(script, NAME)->blocks, version);
    uint64_t next = write_name(script, 1, 3, 0); /* before 1970 */
    assert_true(next > version);
    rest(script, S);
    assert_int_equal(script_shown(script, NAME)->blocks, next);
    script_close(script);
}

static void commit_overtakes_a_later_object_that_came_between(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 1, 5 * S);
    const struct fb_reply reply = *run(script, 0, &begin);
    *script_shown(script, NAME) = (struct script_shown){.version = HOUR, .size = 3};
    struct fb_request commit = commit_of(&reply, 2, 0, NAME);
    assert_int_equal(run(script, 0, &commit)->status, FB_OK);
    rest(script, S);
    assert_int_equal(script_shown(script, NAME)->blocks, reply.version);
    assert_true(script_shown(script, NAME)->version > HOUR);
    assert_int_equal(state_of(script, NAME), FB_NAME_ORIGIN);
    assert_true(look(script, 0, 3)->version > HOUR);
    assert_int_equal(fb_node_stats(script_node(script, 0))->names_overtaken, 1);
    script_close(script);
}

/* What node 1 does at the origin takes long. */
static struct script_fault slow_keeper(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    bool is_slow = op->kind == FB_OP_ORIGIN_COMMIT || op->kind == FB_OP_ORIGIN_REMOVE;
    return (struct script_fault){.status = FB_OK, .delay_ns = is_slow && node == 1 ? S : 0};
}

/* A commit that is overtaken while the origin is slow meets the later version there, and is raised
 * past it before it hears that it is none any more. What comes next, right after that version, is
 * another's, and stays when the first is undone. */
static void commit_raised_in_vain_undoes_no_other(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(2, &config, 1);
    write_name(script, 0, 1, 50 * S);
    rest(script, S);
    struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 3, 5 * S);
    const struct fb_reply reply = *run(script, 1, &begin);
    script_set_fault(script, slow_keeper, NULL);
    struct fb_request commit = commit_of(&reply, 4, 1, NAME);
    assert_int_equal(run(script, 1, &commit)->status, FB_OK);
    write_name(script, 0, 5, 5 * S);
    rest(script, S + 100 * MS); /* it is being undone now */
    assert_int_equal(fb_node_stats(script_node(script, 1))->names_overtaken, 1);
    uint64_t last = write_name(script, 0, 7, 5 * S);
    rest(script, 100 * S);
    assert_int_equal(script_shown(script, NAME)->version, last);
    assert_int_equal(look(script, 0, 9)->status, FB_OK);
    script_close(script);
}

static struct script_fault slow_stat(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    uint64_t delay_ns = op->kind == FB_OP_ORIGIN_STAT ? 60 * S : 0;
    return (struct script_fault){.status = FB_OK, .delay_ns = delay_ns};
}

static void begin_does_not_wait_for_a_silent_origin(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, slow_stat, NULL);
    *script_shown(script, NAME) = (struct script_shown){.version = HOUR, .size = 3};
    uint64_t version = write_name(script, 0, 1, 5 * S);
    assert_true(clock_ns < 2 * S);
    rest(script, 100 * S); /* its answer comes late, and the later object was overtaken */
    assert_int_equal(script_shown(script, NAME)->blocks, version);
    script_close(script);
}

static void commit_of_two_is_won_by_one(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(2, &config, 1);
    struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 1, 5 * S);
    const struct fb_reply first = *run(script, 0, &begin);
    begin.request_id = 2;
    begin.wall_ns = 6 * S;
    const struct fb_reply second = *run(script, 1, &begin);
    struct fb_request commit = commit_of(&second, 3, 1, NAME);
    assert_int_equal(run(script, 1, &commit)->status, FB_OK);
    commit = commit_of(&first, 4, 0, NAME);
    assert_int_equal(run(script, 0, &commit)->status, FB_CONFLICT);
    rest(script, S);
    assert_int_equal(script_shown(script, NAME)->blocks, second.version);
    script_close(script);
}

static void overwrite_begun_before_the_finish_is_no_conflict(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(2, &config, 1);
    write_name(script, 0, 1, 5 * S);
    struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 3, 6 * S);
    const struct fb_reply reply = *run(script, 1, &begin);
    rest(script, S);
    assert_int_equal(state_of(script, NAME), FB_NAME_ORIGIN);
    struct fb_request commit = commit_of(&reply, 4, 1, NAME);
    assert_int_equal(run(script, 1, &commit)->status, FB_OK);
    script_close(script);
}

static void removed_while_it_is_composed_stays_away(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    for (uint32_t remover = 0; remover < 2; remover++) {
        struct script *script = script_open(2, &config, 1);
        clock_ns = 0;
        write_name(script, 0, 1, 5 * S); /* its compose is under way now */
        struct fb_request request = ask(FB_REQUEST_NAME_REMOVE, 3, 6 * S);
        assert_int_equal(run(script, remover, &request)->status, FB_OK);
        for (uint32_t i = 0; i < 100; i++) {
            assert_int_equal(look(script, i % 2, 10 + i)->status, FB_ABSENT);
            rest(script, 50 * MS);
        }
        assert_int_equal(state_of(script, NAME), FB_NAME_ORIGIN);
        assert_int_equal(script_shown(script, NAME)->version, 0);
        script_close(script);
    }
}

/* The origin's times are not told to who removes; the second composing breaks off, and is carried
 * out all the same. */
static struct script_fault blind(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    bool is_raised = op->kind == FB_OP_ORIGIN_COMMIT && op->change.limit == HOUR;
    bool is_broken = is_raised && *(const bool *)script_context(script);
    bool is_stat = op->kind == FB_OP_ORIGIN_STAT && clock_ns > 0 && clock_ns < 100 * MS;
    return (struct script_fault){.status = is_broken || is_stat ? FB_IO : FB_OK,
                                 .is_applied = is_broken};
}

static void removed_after_it_was_raised_past_its_removal_stays_away(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    for (uint32_t i = 0; i < 4; i++) {
        bool is_broken = i >= 2;
        struct script *script = script_open(2, &config, 1);
        clock_ns = 0;
        struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 1, 5 * S);
        const struct fb_reply reply = *run(script, 0, &begin);
        script_set_fault(script, blind, &is_broken);
        *script_shown(script, NAME) = (struct script_shown){.version = HOUR, .size = 3};
        struct fb_request commit = commit_of(&reply, 2, 0, NAME);
        assert_int_equal(run(script, 0, &commit)->status, FB_OK);
        rest(script, 5 * MS); /* it meets the other object, and is raised */
        struct fb_request removal = ask(FB_REQUEST_NAME_REMOVE, 3, 6 * S);
        assert_int_equal(run(script, i % 2, &removal)->status, FB_OK);
        assert_true(script_reply(script, 3)->version < HOUR);
        for (uint32_t j = 0; j < 100; j++) {
            assert_int_equal(look(script, j % 2, 10 + j)->status == FB_OK, false);
            rest(script, 50 * MS);
        }
        assert_int_equal(fb_node_stats(script_node(script, 0))->names_overtaken, 1);
        assert_int_equal(state_of(script, NAME), FB_NAME_ORIGIN);
        assert_int_equal(script_shown(script, NAME)->version, 0);
        script_close(script);
    }
}

struct unrecorded {
    bool is_committed, is_blind;
};

/* The raised version is at the origin, and the record never says so: its keeper's PUTs are lost.
 * The origin does not answer who removes it. */
static struct script_fault unrecorded(struct script *script, uint32_t node, const struct fb_op *op)
{
    const struct unrecorded *what = script_context(script);
    bool is_put = op->kind == FB_OP_META_PUT && node == 0 && what->is_committed;
    bool is_stat = op->kind == FB_OP_ORIGIN_STAT && what->is_blind;
    return (struct script_fault){.status = is_put || is_stat ? FB_TIMEOUT : FB_OK};
}

static void removed_blindly_after_its_keeper_raised_it_and_died_stays_away(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(3, &config, 1);
    struct unrecorded what = {.is_blind = false};
    script_set_fault(script, unrecorded, &what);
    script_shown(script, NAME)->is_missing = true;
    uint64_t version = write_name(script, 0, 1, 5 * S);
    *script_shown(script, NAME) = (struct script_shown){.version = HOUR, .size = 3};
    what.is_committed = true;
    rest(script, 500 * MS);
    assert_true(script_shown(script, NAME)->version > HOUR);
    assert_int_equal(script_shown(script, NAME)->blocks, version);
    assert_int_equal(state_of(script, NAME), FB_NAME_CACHED);
    script_bury(script, clock_ns + 1, 0);
    what.is_blind = true;
    struct fb_request request = ask(FB_REQUEST_NAME_REMOVE, 3, 6 * S);
    assert_int_equal(run(script, 1, &request)->status, FB_OK);
    what.is_blind = false;
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(look(script, 1 + i % 2, 10 + i)->status, FB_ABSENT);
        rest(script, 500 * MS);
    }
    assert_int_equal(state_of(script, NAME), FB_NAME_ORIGIN);
    assert_int_equal(script_shown(script, NAME)->version, 0);
    /* A stranger's object of as late a time is another, and stays. */
    *script_shown(script, NAME) = (struct script_shown){.version = HOUR + 12345, .size = 3};
    assert_int_equal(look(script, 1, 90)->status, FB_OK);
    script_close(script);
}

static void removed_version_that_a_stranger_shows_stays_hidden(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    uint64_t version = write_name(script, 0, 1, 5 * S);
    rest(script, S);
    struct fb_request request = ask(FB_REQUEST_NAME_REMOVE, 3, 6 * S);
    assert_int_equal(run(script, 0, &request)->status, FB_OK);
    rest(script, S);
    *script_shown(script, NAME) = (struct script_shown){.version = version, .size = 10};
    assert_int_equal(look(script, 0, 4)->status, FB_ABSENT);
    *script_shown(script, NAME) = (struct script_shown){.version = version + 1, .size = 10};
    assert_int_equal(look(script, 0, 5)->status, FB_OK); /* that is somebody's new object */
    script_close(script);
}

/* Node 1 is stopped in its commit, and shows it when others have written and removed the name. */
static void overwritten_version_that_is_shown_after_a_removal_stays_hidden(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(2, &config, 1);
    script_set_fault(script, slow_keeper, NULL);
    uint64_t late = write_name(script, 1, 1, 5 * S);
    assert_true(write_name(script, 0, 3, 5 * S) > late);
    struct fb_request request = ask(FB_REQUEST_NAME_REMOVE, 5, 6 * S);
    assert_int_equal(run(script, 0, &request)->status, FB_OK);
    uint32_t shown = 0;
    for (uint64_t i = 0; i < 400; i++) {
        shown += script_shown(script, NAME)->blocks == late;
        assert_int_equal(look(script, i % 2, 10 + i)->status, FB_ABSENT);
        rest(script, 10 * MS);
    }
    assert_true(shown > 10);
    assert_int_equal(script_shown(script, NAME)->version, 0); /* undone */
    /* A stranger's object of as early a time is none that a member has made. */
    *script_shown(script, NAME) = (struct script_shown){.version = late | 77 << 10, .size = 3};
    assert_int_equal(look(script, 0, 600)->status, FB_OK);
    script_close(script);
}

static void removal_takes_what_another_committed_meanwhile(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(2, &config, 1);
    write_name(script, 0, 1, 5 * S);
    rest(script, S);
    struct fb_request request = ask(FB_REQUEST_NAME_REMOVE, 3, 6 * S);
    script_request(script, clock_ns + 9 * MS, 1, &request);
    write_name(script, 0, 4, 7 * S);
    rest(script, 10 * S);
    assert_int_equal(script_reply(script, 3)->status, FB_OK);
    script_close(script);
}

static void commit_of_a_dead_node_is_finished_by_another(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(3, &config, 1);
    script_shown(script, NAME)->is_missing = true;
    uint64_t version = write_name(script, 0, 1, 5 * S);
    rest(script, 100 * MS);
    script_bury(script, clock_ns + 1, 0);
    rest(script, S);
    assert_int_equal(state_of(script, NAME), FB_NAME_CACHED);
    script_shown(script, NAME)->is_missing = false;
    rest(script, 20 * S);
    assert_int_equal(state_of(script, NAME), FB_NAME_ORIGIN);
    assert_int_equal(script_shown(script, NAME)->blocks, version);
    script_close(script);
}

static struct fb_key key_of(uint64_t i)
{
    return (struct fb_key){.high = 100 + i, .low = i};
}

/* Writes names that the origin is to be stuck at, and others, more than there are slots. */
static void unfinishable_names_stop_no_other(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    enum { STUCK = 24, ALL = 32 };
    for (uint64_t i = 0; i < ALL; i++) {
        script_shown(script, key_of(i))->is_missing = i < STUCK;
        struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 10 * i + 1, 5 * S);
        begin.block.key = key_of(i);
        const struct fb_reply reply = *run(script, 0, &begin);
        struct fb_request commit = commit_of(&reply, 10 * i + 2, 0, key_of(i));
        assert_int_equal(run(script, 0, &commit)->status, FB_OK);
    }
    assert_in_range(fb_node_unfinished_names(script_node(script, 0)), STUCK,
                    ALL); /* none is lost */
    rest(script, 20 * S);
    for (uint64_t i = STUCK; i < ALL; i++)
        assert_int_equal(state_of(script, key_of(i)), FB_NAME_ORIGIN);
    for (uint64_t i = 0; i < STUCK; i++)
        script_shown(script, key_of(i))->is_missing = false;
    rest(script, 120 * S);
    for (uint64_t i = 0; i < ALL; i++)
        assert_int_equal(state_of(script, key_of(i)), FB_NAME_ORIGIN);
    rest(script, 10 * S);
    assert_int_equal(fb_node_unfinished_names(script_node(script, 0)), 0);
    script_close(script);
}

static struct script_fault refuse(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_it = op->kind == FB_OP_ORIGIN_COMMIT;
    return (struct script_fault){.status = is_it ? FB_INVALID : FB_OK};
}

static void name_that_the_origin_refuses_for_good_is_bad_until_it_is_removed(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_bad_name bad;
    script_set_fault(script, refuse, NULL);
    uint64_t version = write_name(script, 0, 1, 5 * S);
    rest(script, 60 * S);
    assert_true(fb_node_bad_name(script_node(script, 0), 0, &bad));
    assert_int_equal(bad.status, FB_INVALID);
    assert_int_equal(bad.version, version);
    assert_int_equal(fb_node_unfinished_names(script_node(script, 0)), 1); /* not "clean" */
    struct fb_request request = ask(FB_REQUEST_NAME_ASK, 3, 0);
    request.version = version;
    assert_int_equal(run(script, 0, &request)->status, FB_INVALID);
    request = ask(FB_REQUEST_NAME_REMOVE, 4, 70 * S);
    assert_int_equal(run(script, 0, &request)->status, FB_OK);
    rest(script, 10 * S);
    assert_false(fb_node_bad_name(script_node(script, 0), 0, &bad));
    assert_int_equal(fb_node_unfinished_names(script_node(script, 0)), 0);
    script_close(script);
}

static struct script_fault deny(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = op->kind == FB_OP_ORIGIN_COMMIT ? FB_DENIED : FB_OK};
}

static void name_that_is_denied_is_listed_until_somebody_helps(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_bad_name bad;
    script_set_fault(script, deny, NULL);
    write_name(script, 0, 1, 5 * S);
    rest(script, 60 * S);
    assert_true(fb_node_refused_name(script_node(script, 0), 0, &bad));
    assert_int_equal(bad.status, FB_DENIED);
    script_set_fault(script, NULL, NULL);
    rest(script, 10 * S);
    assert_false(fb_node_refused_name(script_node(script, 0), 0, &bad));
    assert_int_equal(fb_node_unfinished_names(script_node(script, 0)), 0);
    script_close(script);
}

static void record_that_no_node_made_is_bad_and_stops_no_other(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_bad_name bad;
    for (uint64_t i = 0; i < 20; i++)
        script_record_put(script, key_of(i),
                          (struct fb_meta){.version = 1, .value = {i, (11 + i) << 60 | 7}});
    write_name(script, 0, 1, 5 * S);
    rest(script, 10 * S);
    assert_int_equal(state_of(script, NAME), FB_NAME_ORIGIN);
    assert_true(fb_node_bad_name(script_node(script, 0), 0, &bad));
    assert_int_equal(bad.status, FB_CORRUPT);
    struct fb_request request = ask(FB_REQUEST_NAME_LOOK, 3, 0);
    request.block.key = key_of(3);
    assert_int_equal(run(script, 0, &request)->status, FB_CORRUPT);
    script_close(script);
}

static struct script_fault silent_store(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)node;
    bool is_meta = op->kind == FB_OP_META_GET || op->kind == FB_OP_META_PUT;
    bool is_silent = *(bool *)script_context(script);
    return (struct script_fault){.status = is_meta && is_silent ? FB_TIMEOUT : FB_OK};
}

static void look_while_the_store_is_silent_says_what_was_known(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    bool is_silent = false;
    script_set_fault(script, silent_store, &is_silent);
    script_shown(script, NAME)->is_missing = true;
    uint64_t version = write_name(script, 0, 1, 5 * S);
    struct fb_meta known = look(script, 0, 3)->record;
    is_silent = true;
    struct fb_request request = ask(FB_REQUEST_NAME_LOOK, 4, 0);
    assert_int_equal(run(script, 0, &request)->status, FB_TIMEOUT);
    request.request_id = 5;
    request.record = known;
    assert_int_equal(run(script, 0, &request)->version, version);
    assert_true(script_reply(script, 5)->is_old);
    script_close(script);
}

static void names_without_records_are_the_origins(void **state)
{
    (void)state;
    struct fb_config config = name_config();
    config.records = 0;
    struct script *script = script_open(1, &config, 1);
    *script_shown(script, NAME) = (struct script_shown){.version = HOUR, .size = 3};
    uint64_t version = write_name(script, 0, 1, 5 * S);
    assert_true(version > HOUR);
    assert_int_equal(look(script, 0, 3)->version, version);
    struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 4, 6 * S);
    const struct fb_reply reply = *run(script, 0, &begin);
    *script_shown(script, NAME) = (struct script_shown){.version = 2 * HOUR, .size = 3};
    struct fb_request commit = commit_of(&reply, 5, 0, NAME);
    assert_int_equal(run(script, 0, &commit)->status, FB_CONFLICT); /* and not stored */
    struct fb_request request = ask(FB_REQUEST_NAME_REMOVE, 6, 0);
    assert_int_equal(run(script, 0, &request)->status, FB_OK);
    assert_int_equal(look(script, 0, 7)->status, FB_ABSENT);
    script_close(script);
}

static void request_beyond_the_slots_is_busy_at_once(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    for (uint64_t i = 0; i < 9; i++) {
        struct fb_request request = ask(FB_REQUEST_NAME_LOOK, 1 + i, 0);
        script_request(script, 1000 + i, 0, &request);
    }
    script_run(script, 2000);
    assert_int_equal(script_reply(script, 9)->status, FB_BUSY); /* R9 */
    script_close(script);
}

static void versions_of_two_that_begin_at_once_differ(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(2, &config, 1);
    *script_shown(script, NAME) = (struct script_shown){.version = HOUR, .size = 3};
    uint64_t versions[4];
    for (uint32_t i = 0; i < 4; i++) {
        struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, 1 + i, 5 * S); /* behind the object */
        versions[i] = run(script, i / 2, &begin)->version;
        for (uint32_t k = 0; k < i; k++)
            assert_true(versions[k] != versions[i]);
    }
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin_is_later_than_what_is_begun),
        cmocka_unit_test(commit_is_seen_at_once_and_finished),
        cmocka_unit_test(begin_is_later_than_every_clock),
        cmocka_unit_test(versions_of_two_that_begin_at_once_differ),
        cmocka_unit_test(commit_overtakes_a_later_object_that_came_between),
        cmocka_unit_test(commit_raised_in_vain_undoes_no_other),
        cmocka_unit_test(begin_does_not_wait_for_a_silent_origin),
        cmocka_unit_test(commit_of_two_is_won_by_one),
        cmocka_unit_test(overwrite_begun_before_the_finish_is_no_conflict),
        cmocka_unit_test(removed_while_it_is_composed_stays_away),
        cmocka_unit_test(removed_after_it_was_raised_past_its_removal_stays_away),
        cmocka_unit_test(removed_blindly_after_its_keeper_raised_it_and_died_stays_away),
        cmocka_unit_test(removed_version_that_a_stranger_shows_stays_hidden),
        cmocka_unit_test(overwritten_version_that_is_shown_after_a_removal_stays_hidden),
        cmocka_unit_test(removal_takes_what_another_committed_meanwhile),
        cmocka_unit_test(commit_of_a_dead_node_is_finished_by_another),
        cmocka_unit_test(unfinishable_names_stop_no_other),
        cmocka_unit_test(name_that_the_origin_refuses_for_good_is_bad_until_it_is_removed),
        cmocka_unit_test(name_that_is_denied_is_listed_until_somebody_helps),
        cmocka_unit_test(record_that_no_node_made_is_bad_and_stops_no_other),
        cmocka_unit_test(look_while_the_store_is_silent_says_what_was_known),
        cmocka_unit_test(names_without_records_are_the_origins),
        cmocka_unit_test(request_beyond_the_slots_is_busy_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
