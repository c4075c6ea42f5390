/* place_*.c: whatever the algorithm, tables follow weights and failure domains, do not depend on
 * the members' order, and a change of the cluster moves little more than it must.
 * How: tables of made clusters compared cell by cell, a cell being a partition at a rank. The least
 * that can move is what members hold more than before, summed. The rendezvous table is held to a
 * digest, since stored data is found by it. */
#include "core/place/view.h"
#include "tests/support/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MAX = 1100 };

static const struct fb_key *partition_keys(void)
{
    static struct fb_key keys[FB_PARTITIONS];
    static bool is_found[FB_PARTITIONS];
    static uint32_t found;
    for (uint64_t high = 0; found < FB_PARTITIONS; high++) {
        struct fb_key key = {.high = high};
        uint32_t partition = fb_view_partition(key);
        found += !is_found[partition];
        is_found[partition] = true;
        keys[partition] = key;
    }
    return keys;
}

static uint32_t owner_of(const struct fb_view *view, uint32_t partition, uint32_t rank)
{
    return fb_view_owner(view, partition_keys()[partition], rank);
}

static struct fb_view *view_open(enum fb_placement placement, const struct fb_member *members,
                                 uint32_t count, uint32_t ranks)
{
    uint64_t size_bytes = fb_view_size_bytes(count);
    struct fb_view *view = test_malloc(size_bytes);
    const struct fb_view_plan plan = {.version = 3,
                                      .members = members,
                                      .member_count = count,
                                      .ranks_count = ranks,
                                      .placement = placement};
    memset(view, 0xa5, size_bytes);
    assert_int_equal(fb_view_build_plan(view, size_bytes, &plan), FB_OK);
    return view;
}

static void members_make(struct fb_member *members, uint32_t count, uint32_t per_domain)
{
    for (uint32_t i = 0; i < count; i++)
        members[i] =
            (struct fb_member){.node = i, .domain = i / per_domain, .weight = 1, .is_up = 1};
}

struct change {
    uint32_t moved, minimum; /* cells */
};

/* What happened between two tables of nodes below MEMBERS_MAX. */
static struct change change_of(const struct fb_view *before, const struct fb_view *after,
                               uint32_t ranks)
{
    static uint32_t loads_before[MEMBERS_MAX], loads_after[MEMBERS_MAX];
    struct change change = {.moved = 0};
    memset(loads_before, 0, sizeof(loads_before));
    memset(loads_after, 0, sizeof(loads_after));
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        for (uint32_t rank = 0; rank < ranks; rank++) {
            uint32_t owner = owner_of(after, partition, rank);
            bool was_there = false;
            for (uint32_t i = 0; i < ranks; i++)
                was_there = was_there || owner_of(before, partition, i) == owner;
            change.moved += !was_there;
            loads_after[owner]++;
            loads_before[owner_of(before, partition, rank)]++;
        }
    for (uint32_t i = 0; i < MEMBERS_MAX; i++)
        if (loads_after[i] > loads_before[i])
            change.minimum += loads_after[i] - loads_before[i];
    return change;
}

static void expect_little_moved(const struct fb_view *before, struct fb_view *after, uint32_t ranks)
{
    struct change change = change_of(before, after, ranks);
    assert_true(change.minimum > 0);
    assert_true(change.moved >= change.minimum);
    if (change.moved * UINT64_C(100) > change.minimum * UINT64_C(105))
        fail_msg("moved %u cells, the minimum is %u", change.moved, change.minimum);
    test_free(after);
}

static void placement_of_permuted_members_gives_the_same_table(void **state)
{
    (void)state;
    struct fb_member members[90], reversed[90];
    members_make(members, 90, 7);
    for (uint32_t i = 0; i < 90; i++) {
        members[i].weight = 1 + i % 4;
        members[i].is_up = i != 40;
        reversed[89 - i] = members[i];
    }
    for (uint32_t p = 0; p < FB_PLACEMENT_COUNT; p++) {
        struct fb_view *a = view_open((enum fb_placement)p, members, 90, 3);
        struct fb_view *b = view_open((enum fb_placement)p, reversed, 90, 3);
        for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
            for (uint32_t rank = 0; rank < 3; rank++)
                assert_int_equal(owner_of(a, partition, rank), owner_of(b, partition, rank));
        assert_int_equal(fb_view_operations(a), fb_view_operations(b));
        test_free(a);
        test_free(b);
    }
}

static void placement_with_enough_domains_never_puts_two_ranks_in_one(void **state)
{
    (void)state;
    struct fb_member members[61];
    members_make(members, 61, 20); /* three domains of 20 and one of a single member */
    members[5].is_up = 0;
    members[30].weight = 0;
    for (uint32_t p = 0; p < FB_PLACEMENT_COUNT; p++) {
        struct fb_view *view = view_open((enum fb_placement)p, members, 61, 3);
        for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
            uint32_t owners[3];
            for (uint32_t rank = 0; rank < 3; rank++) {
                owners[rank] = owner_of(view, partition, rank);
                assert_true(owners[rank] < 61 && owners[rank] != 5 && owners[rank] != 30);
            }
            assert_true(owners[0] / 20 != owners[1] / 20);
            assert_true(owners[0] / 20 != owners[2] / 20);
            assert_true(owners[1] / 20 != owners[2] / 20);
        }
        test_free(view);
    }
}

/* Fewer domains than ranks: as many as there are, and never a member twice. */
static void placement_with_too_few_domains_lists_different_members_of_all(void **state)
{
    (void)state;
    struct fb_member members[9];
    members_make(members, 9, 8);
    for (uint32_t p = 0; p < FB_PLACEMENT_COUNT; p++) {
        struct fb_view *view = view_open((enum fb_placement)p, members, 9, 3);
        for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
            uint32_t a = owner_of(view, partition, 0), b = owner_of(view, partition, 1),
                     c = owner_of(view, partition, 2);
            assert_true(a != b && a != c && b != c);
            assert_true(a == 8 || b == 8 || c == 8); /* the only one of its domain */
        }
        test_free(view);
    }
}

static void placement_of_unequal_weights_follows_them(void **state)
{
    (void)state;
    enum { COUNT = 30 };
    struct fb_member members[COUNT];
    uint32_t weight = 0;
    members_make(members, COUNT, 1);
    for (uint32_t i = 0; i < COUNT; i++)
        weight += members[i].weight = i % 3 == 0 ? 2 : i % 3 == 1 ? 5 : 11;
    for (uint32_t p = 0; p < FB_PLACEMENT_COUNT; p++) {
        struct fb_view *view = view_open((enum fb_placement)p, members, COUNT, 2);
        uint32_t counts[COUNT] = {0};
        for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
            counts[owner_of(view, partition, 0)]++;
        for (uint32_t i = 0; i < COUNT; i++) {
            double due = (double)FB_PARTITIONS * members[i].weight / weight;
            double most = p == FB_PLACEMENT_RING ? 0.35 : p == FB_PLACEMENT_BALANCED ? 0.01 : 0.18;
            if (counts[i] > due * (1 + most) + 1 || counts[i] < due * (1 - most) - 1)
                fail_msg("%s: member %u has %u partitions, %.0f are due",
                         fb_placement_name((enum fb_placement)p), i, counts[i], due);
        }
        test_free(view);
    }
}

static void placement_of_extreme_weights_lists_every_rank(void **state)
{
    (void)state;
    const struct fb_member members[4] = {{.node = 5, .domain = 0, .weight = 1, .is_up = 1},
                                         {.node = 6, .domain = 1, .weight = 65535, .is_up = 1},
                                         {.node = 7, .domain = 2, .weight = 65535, .is_up = 1},
                                         {.node = 9, .domain = 2, .weight = 3, .is_up = 0}};
    for (uint32_t p = 0; p < FB_PLACEMENT_COUNT; p++) {
        struct fb_view *view = view_open((enum fb_placement)p, members, 4, 3);
        for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
            uint32_t sum = 0;
            for (uint32_t rank = 0; rank < 3; rank++)
                sum += owner_of(view, partition, rank);
            assert_int_equal(sum, 18);
        }
        test_free(view);
    }
}

static void placement_when_a_cluster_grows_moves_little_more_than_it_must(void **state)
{
    (void)state;
    static const struct {
        uint32_t from, to, per_domain;
    } steps[] = {{16, 17, 1}, {16, 17, 4}, {64, 72, 8}, {300, 301, 32}, {312, 300, 32}};
    static struct fb_member members[MEMBERS_MAX];
    for (uint32_t p = 0; p < FB_PLACEMENT_COUNT; p++)
        for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            members_make(members, MEMBERS_MAX, steps[i].per_domain);
            struct fb_view *before = view_open((enum fb_placement)p, members, steps[i].from, 2);
            expect_little_moved(before, view_open((enum fb_placement)p, members, steps[i].to, 2),
                                2);
            test_free(before);
        }
}

/* Members that are down but still listed, anywhere: one, then a whole domain. */
static void placement_when_members_go_down_moves_little_more_than_they_held(void **state)
{
    (void)state;
    static struct fb_member members[256], fewer[256];
    members_make(members, 256, 16);
    for (uint32_t p = 0; p < FB_PLACEMENT_COUNT; p++) {
        struct fb_view *before = view_open((enum fb_placement)p, members, 256, 3);
        for (uint32_t lost = 1; lost <= 16; lost += 15) {
            memcpy(fewer, members, sizeof(fewer));
            for (uint32_t i = 0; i < lost; i++)
                fewer[96 + i].is_up = 0;
            expect_little_moved(before, view_open((enum fb_placement)p, fewer, 256, 3), 3);
        }
        test_free(before);
    }
}

static void placement_balanced_keeps_every_rank_within_a_partition_of_its_share(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {3, 16, 72, 500};
    static struct fb_member members[MEMBERS_MAX];
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t count = sizes[i];
        members_make(members, count, 1);
        struct fb_view *view = view_open(FB_PLACEMENT_BALANCED, members, count, 2);
        for (uint32_t rank = 0; rank < 2; rank++) {
            static uint32_t counts[MEMBERS_MAX];
            memset(counts, 0, sizeof(counts));
            for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
                counts[owner_of(view, partition, rank)]++;
            for (uint32_t j = 0; j < count; j++)
                assert_in_range(counts[j], FB_PARTITIONS / count - 1, FB_PARTITIONS / count + 1);
        }
        test_free(view);
    }
}

/* Ids like addresses: the places in their order stand for buckets. */
static void placement_jump_of_sparse_ids_places_all(void **state)
{
    (void)state;
    struct fb_member members[20];
    uint32_t counts[20] = {0};
    members_make(members, 20, 1);
    for (uint32_t i = 0; i < 20; i++)
        members[i].node = 1000000 + i * 100000000;
    struct fb_view *view = view_open(FB_PLACEMENT_JUMP, members, 20, 2);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        counts[(owner_of(view, partition, 0) - 1000000) / 100000000]++;
    for (uint32_t i = 0; i < 20; i++)
        assert_in_range(counts[i], 3277 - 280, 3277 + 280); /* five standard deviations */
    test_free(view);
}

/* An id that comes free within the others' moves only what it held. */
static void placement_jump_of_dense_ids_may_lose_any_from_the_list(void **state)
{
    (void)state;
    struct fb_member members[50];
    members_make(members, 50, 5);
    struct fb_view *before = view_open(FB_PLACEMENT_JUMP, members, 50, 2);
    memmove(&members[20], &members[21], 29 * sizeof(members[0]));
    expect_little_moved(before, view_open(FB_PLACEMENT_JUMP, members, 49, 2), 2);
    test_free(before);
}

static void placement_rendezvous_gives_the_table_that_data_is_stored_by(void **state)
{
    (void)state;
    struct fb_member members[100];
    uint64_t digest = 0;
    members_make(members, 100, 8);
    for (uint32_t i = 0; i < 100; i++)
        members[i].weight = 1 + i % 3;
    struct fb_view *view = view_open(FB_PLACEMENT_RENDEZVOUS, members, 100, 3);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        for (uint32_t rank = 0; rank < 3; rank++)
            digest = fb_mix(digest ^ owner_of(view, partition, rank));
    assert_int_equal(digest, UINT64_C(0xc3f697ed4a7cec52));
    test_free(view);
}

static void placement_balanced_of_too_many_members_is_invalid(void **state)
{
    (void)state;
    enum { COUNT = 262145 };
    struct fb_member *members = test_malloc(COUNT * sizeof(*members));
    uint64_t size_bytes = fb_view_size_bytes(COUNT);
    struct fb_view *view = test_malloc(size_bytes);
    members_make(members, COUNT, 32);
    const struct fb_view_plan plan = {.members = members,
                                      .member_count = COUNT,
                                      .ranks_count = 2,
                                      .placement = FB_PLACEMENT_BALANCED};
    assert_int_equal(fb_view_build_plan(view, size_bytes, &plan), FB_INVALID);
    test_free(view);
    test_free(members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placement_of_permuted_members_gives_the_same_table),
        cmocka_unit_test(placement_with_enough_domains_never_puts_two_ranks_in_one),
        cmocka_unit_test(placement_with_too_few_domains_lists_different_members_of_all),
        cmocka_unit_test(placement_of_unequal_weights_follows_them),
        cmocka_unit_test(placement_of_extreme_weights_lists_every_rank),
        cmocka_unit_test(placement_when_a_cluster_grows_moves_little_more_than_it_must),
        cmocka_unit_test(placement_when_members_go_down_moves_little_more_than_they_held),
        cmocka_unit_test(placement_balanced_keeps_every_rank_within_a_partition_of_its_share),
        cmocka_unit_test(placement_jump_of_sparse_ids_places_all),
        cmocka_unit_test(placement_jump_of_dense_ids_may_lose_any_from_the_list),
        cmocka_unit_test(placement_rendezvous_gives_the_table_that_data_is_stored_by),
        cmocka_unit_test(placement_balanced_of_too_many_members_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
