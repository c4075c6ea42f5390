/* view.c: the partition table is balanced, follows weights and failure domains, does not depend on
 * the members' order, and a member that leaves or comes moves nothing but its own partitions.
 * How: tables of made clusters compared partition by partition; counts within five standard
 * deviations. Where domains matter, each list is compared with what the definition gives, on the
 * order of preference that views of two members show. */
#include "core/index/random.h"
#include "core/place/view.h"
#include "tests/support/unit.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MAX = 3000 };

static uint64_t first_seed = 20261123;

static struct fb_view *view_open(const struct fb_member *members, uint32_t count, uint32_t ranks)
{
    uint64_t size_bytes = fb_view_size_bytes(count);
    struct fb_view *view = test_malloc(size_bytes);
    memset(view, 0xa5, size_bytes);
    assert_int_equal(fb_view_build(view, size_bytes, 17, members, count, ranks), FB_OK);
    return view;
}

/* A key of each partition, found by trying. */
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

static void members_make(struct fb_member *members, uint32_t count, uint32_t per_domain)
{
    for (uint32_t i = 0; i < count; i++)
        members[i] =
            (struct fb_member){.node = i, .domain = i / per_domain, .weight = 1, .is_up = 1};
}

static void expect_same_table(const struct fb_view *a, const struct fb_view *b)
{
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        for (uint32_t rank = 0; rank < FB_RANKS_MAX; rank++)
            assert_int_equal(owner_of(a, partition, rank), owner_of(b, partition, rank));
}

/* Chi-square of counts against shares: its mean is count - 1, its deviation sqrt(2 mean). */
static void expect_shares(const uint32_t *counts, const double *shares, uint32_t count)
{
    double total = 0, chi = 0, share_sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += counts[i];
        share_sum += shares[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        double expected = total * shares[i] / share_sum;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    double freedom = count - 1;
    if (chi > freedom + 5 * sqrt(2 * freedom) + 5)
        fail_msg("chi-square %.1f for %u shares", chi, count);
}

static void view_build_of_permuted_members_gives_the_same_table(void **state)
{
    (void)state;
    struct fb_member members[40];
    struct fb_random random;
    printf("seed %llu (argument)\n", (unsigned long long)first_seed);
    fb_random_init(&random, first_seed);
    members_make(members, 40, 3);
    for (uint32_t i = 0; i < 40; i++)
        members[i].weight = 1 + i % 5;
    struct fb_view *first = view_open(members, 40, 3);
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 40; i-- > 1;) {
            uint32_t j = (uint32_t)fb_random_below(&random, i + 1);
            struct fb_member swapped = members[i];
            members[i] = members[j];
            members[j] = swapped;
        }
        struct fb_view *other = view_open(members, 40, 3);
        expect_same_table(first, other);
        test_free(other);
    }
    test_free(first);
}

static void view_of_equal_weights_is_balanced_at_every_rank(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 3, 16, 100, 1000};
    static struct fb_member members[MEMBERS_MAX];
    static double shares[MEMBERS_MAX];
    for (uint32_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++) {
        uint32_t count = sizes[size];
        members_make(members, count, 1);
        struct fb_view *view = view_open(members, count, count < 3 ? count : 3);
        for (uint32_t rank = 0; rank < fb_view_ranks(view); rank++) {
            static uint32_t counts[MEMBERS_MAX];
            memset(counts, 0, sizeof(counts));
            for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
                counts[owner_of(view, partition, rank)]++;
            for (uint32_t i = 0; i < count; i++)
                shares[i] = 1;
            expect_shares(counts, shares, count);
        }
        test_free(view);
    }
}

static void view_of_unequal_weights_follows_them(void **state)
{
    (void)state;
    struct fb_member members[60];
    double shares[60];
    uint32_t counts[60] = {0};
    members_make(members, 60, 1);
    for (uint32_t i = 0; i < 60; i++) {
        members[i].weight = i % 3 == 0 ? 1 : i % 3 == 1 ? 10 : 1000 + i;
        shares[i] = members[i].weight;
    }
    struct fb_view *view = view_open(members, 60, 1);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        counts[owner_of(view, partition, 0)]++;
    expect_shares(counts, shares, 60);
    test_free(view);
}

static void view_of_extreme_weights_still_lists_every_rank(void **state)
{
    (void)state;
    const struct fb_member members[3] = {{.node = 5, .domain = 0, .weight = 1, .is_up = 1},
                                         {.node = 6, .domain = 1, .weight = 65535, .is_up = 1},
                                         {.node = 7, .domain = 2, .weight = 65535, .is_up = 1}};
    struct fb_view *view = view_open(members, 3, 3);
    uint32_t light = 0;
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
        assert_int_not_equal(owner_of(view, partition, 2), FB_NONE);
        light += owner_of(view, partition, 0) == 5;
    }
    assert_in_range(light, 0, 6); /* 0.5 expected */
    test_free(view);
}

/* What a failed member owned is taken over by all others alike, and nothing else moves. */
static void view_when_a_member_leaves_moves_only_its_partitions(void **state)
{
    (void)state;
    enum { COUNT = 50, LOST = 23 };
    struct fb_member members[COUNT];
    uint32_t heirs[COUNT] = {0};
    double shares[COUNT];
    members_make(members, COUNT, 1);
    for (uint32_t i = 0; i < COUNT; i++)
        shares[i] = members[i].weight = 1 + i % 2;
    struct fb_view *before = view_open(members, COUNT, 3);
    members[LOST].is_up = 0;
    struct fb_view *after = view_open(members, COUNT, 3);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
        uint32_t to = 0;
        for (uint32_t rank = 0; rank < 3; rank++) {
            uint32_t owner = owner_of(before, partition, rank);
            if (owner != LOST)
                assert_int_equal(owner_of(after, partition, to++), owner);
            else if (rank == 0)
                heirs[owner_of(after, partition, 0)]++;
        }
        assert_int_not_equal(owner_of(after, partition, 2), LOST);
    }
    heirs[LOST] = heirs[COUNT - 1];
    expect_shares(heirs, shares, COUNT - 1);
    test_free(before);
    test_free(after);
}

static void view_when_a_weight_grows_moves_only_towards_it(void **state)
{
    (void)state;
    struct fb_member members[20];
    uint32_t moved = 0;
    members_make(members, 20, 1);
    struct fb_view *before = view_open(members, 20, 1);
    members[4].weight = 2;
    struct fb_view *after = view_open(members, 20, 1);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
        if (owner_of(before, partition, 0) == owner_of(after, partition, 0))
            continue;
        assert_int_equal(owner_of(after, partition, 0), 4);
        moved++;
    }
    /* From 1/20 to 2/21 of all partitions: 2,965 expected. */
    assert_in_range(moved, 2965 - 270, 2965 + 270);
    test_free(before);
    test_free(after);
}

static void view_with_enough_domains_never_puts_two_ranks_in_one(void **state)
{
    (void)state;
    struct fb_member members[96];
    members_make(members, 96, 32);
    struct fb_view *view = view_open(members, 96, 3);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
        uint32_t a = owner_of(view, partition, 0) / 32, b = owner_of(view, partition, 1) / 32,
                 c = owner_of(view, partition, 2) / 32;
        assert_true(a != b && a != c && b != c);
    }
    test_free(view);
}

/* Does a partition prefer member a? Then a is first in the view of both. */
static bool is_preferred(struct fb_view *const *pairs, uint32_t count, uint32_t partition,
                         uint32_t a, uint32_t b)
{
    uint32_t low = a < b ? a : b, high = a < b ? b : a;
    return owner_of(pairs[low * count + high], partition, 0) == a;
}

/* Two domains, three ranks: the best of each domain by preference, then the best of the rest. */
static void view_with_too_few_domains_takes_the_best_of_each_first(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    const uint32_t domains[COUNT] = {0, 0, 1, 0, 1};
    struct fb_member members[COUNT];
    struct fb_view *pairs[COUNT * COUNT] = {NULL};
    members_make(members, COUNT, 1);
    for (uint32_t a = 0; a < COUNT; a++)
        for (uint32_t b = a + 1; b < COUNT; b++)
            pairs[a * COUNT + b] = view_open((struct fb_member[]){members[a], members[b]}, 2, 1);
    for (uint32_t i = 0; i < COUNT; i++)
        members[i].domain = domains[i];
    struct fb_view *view = view_open(members, COUNT, 3);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
        uint32_t best[2] = {FB_NONE, FB_NONE}, third = FB_NONE;
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t *first = &best[domains[i]];
            if (*first == FB_NONE || is_preferred(pairs, COUNT, partition, i, *first))
                *first = i;
        }
        for (uint32_t i = 0; i < COUNT; i++) {
            if (i == best[0] || i == best[1])
                continue;
            if (third == FB_NONE || is_preferred(pairs, COUNT, partition, i, third))
                third = i;
        }
        bool is_swapped = is_preferred(pairs, COUNT, partition, best[1], best[0]);
        assert_int_equal(owner_of(view, partition, 0), best[is_swapped]);
        assert_int_equal(owner_of(view, partition, 1), best[!is_swapped]);
        assert_int_equal(owner_of(view, partition, 2), third);
    }
    for (uint32_t i = 0; i < COUNT * COUNT; i++)
        if (pairs[i] != NULL)
            test_free(pairs[i]);
    test_free(view);
}

static void view_with_fewer_members_than_ranks_lists_them_all(void **state)
{
    (void)state;
    const struct fb_member members[] = {{.node = 10, .domain = 0, .weight = 1, .is_up = 1},
                                        {.node = 11, .domain = 0, .weight = 3, .is_up = 1},
                                        {.node = 12, .domain = 1, .weight = 0, .is_up = 1},
                                        {.node = 13, .domain = 2, .weight = 5, .is_up = 0}};
    struct fb_view *view = view_open(members, 4, 3);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
        uint32_t first = owner_of(view, partition, 0), second = owner_of(view, partition, 1);
        assert_int_equal(first + second, 21);
        assert_int_equal(owner_of(view, partition, 2), FB_NONE);
    }
    assert_int_equal(fb_view_ranks(view), 3);
    assert_int_equal(fb_view_member_count(view), 4);
    assert_int_equal(fb_view_version(view), 17);
    test_free(view);
}

static void view_of_100000_members_fills_every_partition(void **state)
{
    (void)state;
    struct fb_member *members = test_malloc(100000 * sizeof(*members));
    members_make(members, 100000, 32);
    struct fb_view *view = view_open(members, 100000, 3);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
        uint32_t a = owner_of(view, partition, 0) / 32, b = owner_of(view, partition, 1) / 32,
                 c = owner_of(view, partition, 2) / 32;
        assert_in_range(c, 0, 100000 / 32);
        assert_true(a != b && a != c && b != c);
    }
    test_free(view);
    test_free(members);
}

static void view_build_with_bad_members_is_invalid(void **state)
{
    (void)state;
    struct fb_member members[2];
    uint64_t size_bytes = fb_view_size_bytes(2);
    struct fb_view *view = test_malloc(size_bytes);
    members_make(members, 2, 1);
    assert_int_equal(fb_view_build(view, size_bytes - 1, 1, members, 2, 1), FB_INVALID);
    assert_int_equal(fb_view_build(view, size_bytes, 1, members, 0, 1), FB_INVALID);
    members[1].node = 0;
    assert_int_equal(fb_view_build(view, size_bytes, 1, members, 2, 1), FB_INVALID);
    members[1].node = FB_NONE;
    assert_int_equal(fb_view_build(view, size_bytes, 1, members, 2, 1), FB_INVALID);
    members[1].node = 1;
    members[1].weight = 65536;
    assert_int_equal(fb_view_build(view, size_bytes, 1, members, 2, 1), FB_INVALID);
    members[0].is_up = 0;
    members[1].weight = 0;
    assert_int_equal(fb_view_build(view, size_bytes, 1, members, 2, 1), FB_INVALID);
    members[0].is_up = 1;
    assert_int_equal(fb_view_build(view, size_bytes, 1, members, 2, 1), FB_OK);
    test_free(view);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_build_of_permuted_members_gives_the_same_table),
        cmocka_unit_test(view_of_equal_weights_is_balanced_at_every_rank),
        cmocka_unit_test(view_of_unequal_weights_follows_them),
        cmocka_unit_test(view_of_extreme_weights_still_lists_every_rank),
        cmocka_unit_test(view_when_a_member_leaves_moves_only_its_partitions),
        cmocka_unit_test(view_when_a_weight_grows_moves_only_towards_it),
        cmocka_unit_test(view_with_enough_domains_never_puts_two_ranks_in_one),
        cmocka_unit_test(view_with_too_few_domains_takes_the_best_of_each_first),
        cmocka_unit_test(view_with_fewer_members_than_ranks_lists_them_all),
        cmocka_unit_test(view_of_100000_members_fills_every_partition),
        cmocka_unit_test(view_build_with_bad_members_is_invalid),
    };
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
