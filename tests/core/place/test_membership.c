/* membership.c: a node acts as a member no longer than its lease can last at the store, comes back
 * under a new one, and is told what changed.
 * How: a store of one node's record, as simple as can be, which is asked at moments that each test
 * chooses; what the others could see of it is compared with what the node takes itself for. The
 * last test draws delays, lost asks and lost answers from a seed. */
#include "core/index/random.h"
#include "core/io.h"
#include "core/place/membership.h"
#include "tests/support/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEASE = 6000, MS_BEGIN = 1000000 };

static uint64_t first_seed = 20261130;

/* A lease that lives and a record under it. */
struct store {
    uint64_t lease_end_ns;  /* of the newest lease; 0: none */
    uint64_t record_end_ns; /* of the record's */
    uint32_t creates, leases;
    bool is_foreign; /* another's record stands there */
    bool is_removed; /* somebody removes the record each time */
    bool is_touched; /* by others than time and this node: it can't know at once */
    uint64_t others; /* digest of the rest of the list */
};

struct world {
    struct fb_membership node;
    struct fb_membership_update update;
    struct store store;
    uint64_t now_ns;
    uint32_t told;
};

static struct fb_membership_answer store_ask(struct store *store, enum fb_membership_ask ask,
                                             uint64_t at_ns)
{
    struct fb_membership_answer answer = {.code = FB_MEMBERSHIP_FINE};
    bool is_alive = store->lease_end_ns > at_ns, is_there = store->record_end_ns > at_ns;
    switch (ask) {
    case FB_MEMBERSHIP_NONE:
        fail();
        break;
    case FB_MEMBERSHIP_LEASE:
        store->lease_end_ns = at_ns + LEASE;
        store->leases++;
        break;
    case FB_MEMBERSHIP_CREATE:
        store->creates++;
        if (store->is_foreign)
            answer.code = FB_MEMBERSHIP_TAKEN;
        else if (!is_alive)
            answer.code = FB_MEMBERSHIP_GONE;
        else
            store->record_end_ns = store->is_removed ? 0 : store->lease_end_ns;
        break;
    case FB_MEMBERSHIP_KEEP:
        if (!is_alive)
            answer.code = FB_MEMBERSHIP_GONE;
        else if (store->record_end_ns == store->lease_end_ns)
            store->record_end_ns = store->lease_end_ns = at_ns + LEASE;
        else
            store->lease_end_ns = at_ns + LEASE;
        break;
    case FB_MEMBERSHIP_LOOK:
        answer.is_own_seen = is_there && !store->is_foreign;
        answer.digest = 2 * store->others + answer.is_own_seen;
        break;
    }
    return answer;
}

static void world_step(struct world *world, const struct fb_membership_answer *answer)
{
    fb_membership_step(&world->node, world->now_ns, answer, &world->update);
    world->told += world->update.is_news;
}

static void world_open(struct world *world, uint64_t now_ns)
{
    *world = (struct world){.now_ns = now_ns};
    fb_membership_init(&world->node, now_ns, LEASE);
    world_step(world, NULL);
}

static bool is_member(const struct world *world)
{
    return world->now_ns < fb_membership_until_ns(&world->node);
}

/* Others see the record as long as its lease lives: then the node must know that it is none. */
static void expect_fenced_first(const struct world *world)
{
    if (is_member(world))
        assert_true(world->store.record_end_ns > world->now_ns || world->store.is_touched);
}

/* Until a moment: each ask is answered a nanosecond later; away: it is not, for a third of a
 * lease. */
static void world_run(struct world *world, uint64_t until_ns, bool is_away)
{
    while (world->now_ns < until_ns) {
        if (world->update.ask != FB_MEMBERSHIP_NONE) {
            struct fb_membership_answer answer = {.code = FB_MEMBERSHIP_AWAY};
            if (!is_away)
                answer = store_ask(&world->store, world->update.ask, world->now_ns);
            world->now_ns += is_away ? LEASE / 3 : 1;
            expect_fenced_first(world);
            world_step(world, &answer);
        } else {
            assert_true(world->update.due_ns > world->now_ns);
            world->now_ns = world->update.due_ns < until_ns ? world->update.due_ns : until_ns;
            world_step(world, NULL);
        }
        expect_fenced_first(world);
    }
}

static void member_keeps_its_lease_and_is_told_what_changes(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    assert_int_equal(world.update.ask, FB_MEMBERSHIP_LEASE);
    world_run(&world, MS_BEGIN + 10, false);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_MEMBER);
    assert_int_equal(world.node.revision, 1);
    world_run(&world, MS_BEGIN + 20 * LEASE, false);
    assert_true(is_member(&world));
    assert_int_equal(world.told, 1); /* nothing has changed */
    world.store.others = 7;
    world_run(&world, world.now_ns + LEASE / 3 + 10, false);
    assert_int_equal(world.told, 2);
    assert_int_equal(world.node.revision, 2);
    assert_int_equal(world.store.leases, 1);
}

static void lease_that_is_lost_silently_fences_and_the_node_comes_back(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    world_run(&world, MS_BEGIN + LEASE, false);
    world.store.is_touched = true;
    world.store.lease_end_ns = 0; /* the record stands a while longer: its node learns late */
    while (world.node.state == FB_MEMBERSHIP_MEMBER)
        world_run(&world, world.now_ns + 1, false);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_FENCED);
    assert_int_equal(fb_membership_until_ns(&world.node), 0);
    assert_int_equal(world.update.ask, FB_MEMBERSHIP_LEASE); /* at once, a new one */
    assert_true(world.now_ns < MS_BEGIN + LEASE + LEASE / 3 + 10);
    uint64_t revision = world.node.revision;
    world_run(&world, world.now_ns + 10, false);
    assert_true(is_member(&world));
    assert_int_equal(world.store.leases, 2);
    assert_int_equal(world.node.revision, revision + 1); /* of the same members */
}

static void store_away_for_less_than_half_a_lease_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t from = 0; from < LEASE; from += 50) {
        struct world world;
        world_open(&world, MS_BEGIN);
        world_run(&world, MS_BEGIN + LEASE + from, false);
        uint64_t back_ns = world.now_ns + LEASE / 2 - 10;
        while (world.now_ns < back_ns) { /* refused at once, not silent */
            struct fb_membership_answer away = {.code = FB_MEMBERSHIP_AWAY};
            bool is_asked = world.update.ask != FB_MEMBERSHIP_NONE;
            if (!is_asked)
                world.now_ns = world.update.due_ns < back_ns ? world.update.due_ns : back_ns;
            world_step(&world, is_asked ? &away : NULL);
            assert_int_equal(world.node.state, FB_MEMBERSHIP_MEMBER);
        }
        world_run(&world, world.now_ns + 3 * LEASE, false);
        assert_int_equal(world.told, 1);
        assert_int_equal(world.store.leases, 1);
    }
}

static void store_away_for_longer_than_the_lease_fences_before_it_ends(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    world_run(&world, MS_BEGIN + 4 * LEASE, false);
    uint64_t end_ns = world.store.record_end_ns;
    assert_true(fb_membership_until_ns(&world.node) <= end_ns);
    world_run(&world, end_ns, true);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_FENCED);
    world_run(&world, end_ns + 5 * LEASE, true);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_FENCED);
    assert_int_equal(world.told, 1);
    world_run(&world, world.now_ns + LEASE / 3, false);
    assert_true(is_member(&world));
    assert_int_equal(world.told, 2);
}

static void answer_after_the_lease_has_ended_changes_nothing(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    world_run(&world, MS_BEGIN + 10, false);
    while (world.update.ask != FB_MEMBERSHIP_KEEP) {
        world.now_ns = world.update.due_ns;
        world_step(&world, NULL);
    }
    uint64_t until_ns = fb_membership_until_ns(&world.node);
    struct fb_membership_answer answer = store_ask(&world.store, FB_MEMBERSHIP_KEEP, world.now_ns);
    assert_int_equal(world.update.due_ns, until_ns); /* it is to be woken then */
    world.now_ns = until_ns;
    assert_false(is_member(&world)); /* also before it is woken */
    world_step(&world, NULL);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_FENCED);
    assert_int_equal(world.update.ask, FB_MEMBERSHIP_NONE); /* one at a time */
    world.now_ns += 10;
    world_step(&world, &answer);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_FENCED);
    assert_int_equal(world.update.ask, FB_MEMBERSHIP_LEASE);
    world_run(&world, world.now_ns + 10, false);
    assert_true(is_member(&world));
}

/* The record that a CREATE makes lives as long as the lease, which it does not prolong. */
static void record_made_late_lives_no_longer_than_its_lease(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    struct fb_membership_answer answer = store_ask(&world.store, FB_MEMBERSHIP_LEASE, world.now_ns);
    world.now_ns += LEASE / 4;
    world_step(&world, &answer);
    assert_int_equal(world.update.ask, FB_MEMBERSHIP_CREATE);
    world.now_ns += LEASE / 4;
    answer = store_ask(&world.store, FB_MEMBERSHIP_CREATE, world.now_ns);
    world_step(&world, &answer);
    answer = store_ask(&world.store, FB_MEMBERSHIP_LOOK, world.now_ns);
    world_step(&world, &answer);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_MEMBER);
    assert_int_equal(fb_membership_until_ns(&world.node), MS_BEGIN + LEASE);
    assert_int_equal(world.update.ask, FB_MEMBERSHIP_KEEP); /* a third of it is over */
}

static void join_where_another_has_the_id_is_refused(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    world.store.is_foreign = true;
    world_run(&world, MS_BEGIN + 3 * LEASE - 10, false);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_JOINING);
    assert_int_equal(world.store.leases, 1); /* it is kept meanwhile */
    while (world.node.state == FB_MEMBERSHIP_JOINING)
        world_run(&world, world.now_ns + 1, false);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_REFUSED);
    assert_true(world.node.is_taken);
    assert_true(world.now_ns < MS_BEGIN + 4 * LEASE);
    assert_int_equal(world.update.due_ns, UINT64_MAX);
}

static void join_waits_for_the_lease_of_who_had_the_id(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    world.store.is_foreign = true;
    world_run(&world, MS_BEGIN + LEASE, false);
    assert_true(world.node.is_taken);
    world.store.is_foreign = false; /* it has run out */
    world_run(&world, world.now_ns + LEASE / 6 + 10, false);
    assert_true(is_member(&world));
    assert_false(world.node.is_taken);
}

static void join_within_the_old_lease_takes_the_own_record_over(void **state)
{
    struct world world, again;
    (void)state;
    world_open(&world, MS_BEGIN);
    world_run(&world, MS_BEGIN + 2 * LEASE, false);
    world_open(&again, world.now_ns + 1);
    again.store = world.store;
    world_run(&again, again.now_ns + 10, false);
    assert_true(is_member(&again));
    assert_int_equal(again.store.leases, 2);
    world_run(&again, again.now_ns + 3 * LEASE, false);
    assert_int_equal(again.told, 1);
}

static void record_that_is_removed_is_made_again_once_a_round(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    world_run(&world, MS_BEGIN + LEASE, false);
    world.store.is_touched = true;
    world.store.record_end_ns = 0;
    world_run(&world, world.now_ns + LEASE / 3 + 10, false);
    assert_int_equal(world.store.creates, 2);
    assert_int_equal(world.told, 3); /* without it, and with it again */
    world.store.is_removed = true;
    world.store.record_end_ns = 0;
    world_run(&world, world.now_ns + 2 * LEASE, false);
    assert_in_range(world.store.creates, 2 + 5, 2 + 7);
    assert_true(is_member(&world)); /* its lease lives */
}

static void record_that_is_overwritten_is_said_to_be_taken(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    world_run(&world, MS_BEGIN + LEASE, false);
    world.store.is_foreign = true;
    while (!world.node.is_taken && world.now_ns < MS_BEGIN + 2 * LEASE)
        world_run(&world, world.now_ns + 1, false);
    assert_true(world.node.is_taken);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_MEMBER);
    world.store.is_foreign = false;
    world_run(&world, world.now_ns + LEASE / 3 + 10, false);
    assert_false(world.node.is_taken);
}

/* What the clock shows does not matter: the same, only later by as much. */
static void asks_do_not_depend_on_what_the_clock_shows(void **state)
{
    const uint64_t begins[] = {0, 1, MS_BEGIN, UINT64_C(1) << 62};
    (void)state;
    for (uint32_t i = 1; i < sizeof(begins) / sizeof(begins[0]); i++) {
        struct world first, other;
        world_open(&first, begins[0]);
        world_open(&other, begins[i]);
        for (uint32_t step = 1; step < 40; step++) {
            world_run(&first, begins[0] + step * LEASE / 7, step > 20 && step < 30);
            world_run(&other, begins[i] + step * LEASE / 7, step > 20 && step < 30);
            assert_int_equal(first.update.ask, other.update.ask);
            assert_int_equal(first.node.state, other.node.state);
            assert_int_equal(first.now_ns, other.now_ns - begins[i]);
        }
        assert_true(first.told > 1);
    }
}

/* A clock that leaps ahead, as after a long stop, fences at most too early. */
static void clock_that_leaps_ahead_fences(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, MS_BEGIN);
    world_run(&world, MS_BEGIN + LEASE, false);
    while (world.update.ask != FB_MEMBERSHIP_NONE)
        world_run(&world, world.now_ns + 1, false);
    world.now_ns += LEASE;
    assert_false(is_member(&world));
    world_step(&world, NULL);
    assert_int_equal(world.node.state, FB_MEMBERSHIP_FENCED);
    world_run(&world, world.now_ns + 10, false);
    assert_true(is_member(&world));
}

static void guards_are_what_changes_what_others_find(void **state)
{
    uint32_t requests = 0, ops = 0;
    (void)state;
    for (uint32_t kind = 0; kind <= FB_REQUEST_DRAIN; kind++)
        requests += fb_membership_guards_request(kind);
    for (uint32_t kind = 0; kind < FB_OP_COUNT; kind++)
        ops += fb_membership_guards_op(kind);
    assert_int_equal(requests, 5);
    assert_int_equal(ops, 3);
    assert_true(fb_membership_guards_request(FB_REQUEST_WRITE));
    assert_false(fb_membership_guards_request(FB_REQUEST_GET));
    assert_false(fb_membership_guards_op(FB_OP_STORE)); /* what it promised */
}

/* Any order of delays, lost asks and lost answers: never a member when the others see none. */
static void asks_under_random_losses_fence_first(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)first_seed);
    for (uint64_t seed = first_seed; seed < first_seed + 200; seed++) {
        struct fb_random random;
        struct world world;
        uint32_t fences = 0;
        fb_random_init(&random, seed);
        world_open(&world, fb_random_below(&random, MS_BEGIN));
        uint64_t loss = 2 + fb_random_below(&random, 8);
        for (uint32_t i = 0; i < 2000 && world.node.state != FB_MEMBERSHIP_REFUSED; i++) {
            struct fb_membership_answer answer = {.code = FB_MEMBERSHIP_AWAY};
            bool is_asked = world.update.ask != FB_MEMBERSHIP_NONE;
            uint64_t way_ns = fb_random_below(&random, LEASE / 3);
            bool is_lost = fb_random_below(&random, loss) == 0;
            uint64_t to_ns = is_asked ? world.now_ns + way_ns : world.update.due_ns;
            if (is_asked && !is_lost)
                answer = store_ask(&world.store, world.update.ask, to_ns);
            world.now_ns = to_ns;
            expect_fenced_first(&world);
            if (is_asked && fb_random_below(&random, loss) == 0)
                answer = (struct fb_membership_answer){.code = FB_MEMBERSHIP_AWAY};
            world.now_ns += is_asked ? fb_random_below(&random, LEASE) : 0;
            expect_fenced_first(&world);
            world_step(&world, is_asked ? &answer : NULL);
            fences += world.node.state == FB_MEMBERSHIP_FENCED;
            expect_fenced_first(&world);
        }
        assert_true(fences > 0 || world.node.state == FB_MEMBERSHIP_REFUSED);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_keeps_its_lease_and_is_told_what_changes),
        cmocka_unit_test(lease_that_is_lost_silently_fences_and_the_node_comes_back),
        cmocka_unit_test(store_away_for_less_than_half_a_lease_changes_nothing),
        cmocka_unit_test(store_away_for_longer_than_the_lease_fences_before_it_ends),
        cmocka_unit_test(answer_after_the_lease_has_ended_changes_nothing),
        cmocka_unit_test(record_made_late_lives_no_longer_than_its_lease),
        cmocka_unit_test(join_where_another_has_the_id_is_refused),
        cmocka_unit_test(join_waits_for_the_lease_of_who_had_the_id),
        cmocka_unit_test(join_within_the_old_lease_takes_the_own_record_over),
        cmocka_unit_test(record_that_is_removed_is_made_again_once_a_round),
        cmocka_unit_test(record_that_is_overwritten_is_said_to_be_taken),
        cmocka_unit_test(asks_do_not_depend_on_what_the_clock_shows),
        cmocka_unit_test(clock_that_leaps_ahead_fences),
        cmocka_unit_test(guards_are_what_changes_what_others_find),
        cmocka_unit_test(asks_under_random_losses_fence_first),
    };
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
