/* cache.c and the policies: the index finds what is in it, and every policy evicts what its rules
 * say. How: random operations on the cache and on a naive model (cache_model.h) side by side, with
 * sizes from one slot up, tiers that are full before their slots are used, refused victims and
 * removals; every victim must be the model's, and fb_cache_check walks all invariants after every
 * step. policy_wtinylfu.c is included, since its estimates are what the model cannot have. */
#include "core/index/policy_wtinylfu.c"
#include "core/index/random.h"
#include "tests/core/index/cache_model.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 3000 };

static uint64_t first_seed = 20261123;

static struct fb_key key_of(uint32_t number)
{
    return (struct fb_key){.high = fb_mix(number), .low = number};
}

static uint32_t estimate_of(void *context, uint32_t key)
{
    return sketch_estimate(context, key_of(key));
}

static struct fb_cache *cache_open(uint32_t slots_max, enum fb_policy policy)
{
    struct fb_cache *cache = test_malloc(FB_CACHE_SIZE_BYTES(slots_max));
    memset(cache, 0xa5, FB_CACHE_SIZE_BYTES(slots_max));
    fb_cache_init(cache, slots_max, policy);
    return cache;
}

/* The cache and its model, driven by the same choices. */
struct pair {
    struct fb_cache *cache;
    struct model model;
    struct fb_random random;
    uint32_t keys, capacity;
    uint32_t evictions, skips, removals, hits;
};

static void pair_expect_same(struct pair *pair)
{
    fb_cache_check(pair->cache);
    assert_int_equal(fb_cache_count(pair->cache), model_count(&pair->model));
}

static uint32_t pair_victim(struct pair *pair)
{
    uint32_t slot = fb_cache_victim(pair->cache), key = model_victim(&pair->model);
    assert_int_not_equal(slot, FB_NONE);
    assert_int_equal(fb_cache_key(pair->cache, slot).low, key);
    assert_true(fb_cache_is_used(pair->cache, slot));
    return slot;
}

static void pair_evict(struct pair *pair)
{
    uint32_t slot = pair_victim(pair);
    while (fb_random_below(&pair->random, 5) == 0) {
        model_skip(&pair->model, (uint32_t)fb_cache_key(pair->cache, slot).low);
        fb_cache_skip(pair->cache, slot);
        pair->skips++;
        pair_expect_same(pair);
        slot = pair_victim(pair);
    }
    model_remove(&pair->model, (uint32_t)fb_cache_key(pair->cache, slot).low, true);
    fb_cache_evict(pair->cache, slot);
    pair->evictions++;
    pair_expect_same(pair);
}

static void pair_reference(struct pair *pair, uint32_t key)
{
    uint32_t slot = fb_cache_find(pair->cache, key_of(key));
    assert_int_equal(slot != FB_NONE, model_list_of(&pair->model, key) != MODEL_NONE);
    if (slot != FB_NONE) {
        assert_int_equal(fb_cache_key(pair->cache, slot).low, key);
        fb_cache_touch(pair->cache, slot);
        model_touch(&pair->model, key);
        pair->hits++;
        return;
    }
    while (fb_cache_count(pair->cache) >= pair->capacity)
        pair_evict(pair);
    slot = fb_cache_insert(pair->cache, key_of(key));
    assert_in_range(slot, 0, fb_cache_slots_max(pair->cache) - 1);
    model_insert(&pair->model, key);
    assert_int_equal(fb_cache_find(pair->cache, key_of(key)), slot);
}

static void pair_remove(struct pair *pair, uint32_t key)
{
    uint32_t slot = fb_cache_find(pair->cache, key_of(key));
    if (slot == FB_NONE)
        return;
    model_remove(&pair->model, key, false);
    fb_cache_remove(pair->cache, slot);
    pair->removals++;
    assert_false(fb_cache_is_used(pair->cache, slot));
}

/* Keys with low numbers come more often. */
static uint32_t pair_key(struct pair *pair)
{
    uint32_t key = (uint32_t)fb_random_below(&pair->random, pair->keys);
    for (uint32_t i = fb_random_next(&pair->random) & 3; i > 0; i--)
        key = (uint32_t)fb_random_below(&pair->random, key + 1);
    return key;
}

static void pair_run(enum fb_policy policy, uint32_t slots_max, uint64_t seed)
{
    struct pair pair = {.cache = cache_open(slots_max, policy)};
    fb_random_init(&pair.random, seed);
    pair.model = (struct model){.policy = policy,
                                .slots_max = slots_max,
                                .hand = MODEL_NONE,
                                .estimate = estimate_of,
                                .context = pair.cache};
    pair.keys = slots_max + 1 + (uint32_t)fb_random_below(&pair.random, 3 * slots_max);
    pair.capacity = slots_max;
    if (seed % 3 == 0)
        pair.capacity -= (uint32_t)fb_random_below(&pair.random, slots_max);
    for (uint32_t i = 0; i < STEPS; i++) {
        uint64_t choice = fb_random_below(&pair.random, 100);
        if (choice < 94)
            pair_reference(&pair, pair_key(&pair));
        else if (choice < 98)
            pair_remove(&pair, pair_key(&pair));
        else if (fb_cache_count(pair.cache) > 0)
            pair_evict(&pair);
        pair_expect_same(&pair);
    }
    assert_true(pair.hits > 0 && pair.evictions > 0 && pair.skips > 0 && pair.removals > 0);
    while (fb_cache_count(pair.cache) > 0)
        pair_evict(&pair);
    assert_int_equal(fb_cache_victim(pair.cache), FB_NONE);
    test_free(pair.cache);
}

static void pair_run_sizes(enum fb_policy policy)
{
    static const uint32_t sizes[] = {1, 2, 3, 9, 10, 11, 64, 100, 230};
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (uint32_t round = 0; round < 3; round++)
            pair_run(policy, sizes[i], first_seed + round);
}

static void cache_with_fifo_evicts_what_the_model_does(void **state)
{
    (void)state;
    printf("first seed %llu (argument)\n", (unsigned long long)first_seed);
    pair_run_sizes(FB_POLICY_FIFO);
}

static void cache_with_lru_evicts_what_the_model_does(void **state)
{
    (void)state;
    pair_run_sizes(FB_POLICY_LRU);
}

static void cache_with_clock_evicts_what_the_model_does(void **state)
{
    (void)state;
    pair_run_sizes(FB_POLICY_CLOCK);
}

static void cache_with_sieve_evicts_what_the_model_does(void **state)
{
    (void)state;
    pair_run_sizes(FB_POLICY_SIEVE);
}

static void cache_with_s3fifo_evicts_what_the_model_does(void **state)
{
    (void)state;
    pair_run_sizes(FB_POLICY_S3FIFO);
}

static void cache_with_wtinylfu_evicts_what_the_model_does(void **state)
{
    (void)state;
    pair_run_sizes(FB_POLICY_WTINYLFU);
}

static void cache_insert_when_full_returns_none(void **state)
{
    (void)state;
    for (uint32_t policy = 0; policy < FB_POLICY_COUNT; policy++) {
        struct fb_cache *cache = cache_open(3, (enum fb_policy)policy);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_not_equal(fb_cache_insert(cache, key_of(i)), FB_NONE);
        assert_int_equal(fb_cache_insert(cache, key_of(3)), FB_NONE);
        assert_int_equal(fb_cache_count(cache), 3);
        assert_int_equal(fb_cache_find(cache, key_of(3)), FB_NONE);
        test_free(cache);
    }
}

static void cache_find_tells_keys_apart_by_both_halves(void **state)
{
    (void)state;
    struct fb_cache *cache = cache_open(8, FB_POLICY_LRU);
    const struct fb_key a = {.high = 1, .low = 2}, b = {.high = 1, .low = 3},
                        c = {.high = 2, .low = 2};
    uint32_t slot_a = fb_cache_insert(cache, a), slot_b = fb_cache_insert(cache, b);
    assert_int_equal(fb_cache_find(cache, a), slot_a);
    assert_int_equal(fb_cache_find(cache, b), slot_b);
    assert_int_equal(fb_cache_find(cache, c), FB_NONE);
    test_free(cache);
}

/* One slot may go, all others are refused: it must be offered, whatever queue it is in. S3-FIFO
 * looks at main every second time and passes a slot there up to three times. */
static void cache_skip_of_all_but_one_finds_that_one(void **state)
{
    (void)state;
    struct fb_random random;
    fb_random_init(&random, first_seed);
    for (uint32_t round = 0; round < 60; round++) {
        struct fb_cache *cache = cache_open(50, (enum fb_policy)(round % FB_POLICY_COUNT));
        for (uint32_t i = 0; i < 400; i++) {
            struct fb_key key = key_of((uint32_t)fb_random_below(&random, 80));
            uint32_t slot = fb_cache_find(cache, key);
            if (slot != FB_NONE) {
                fb_cache_touch(cache, slot);
                continue;
            }
            if (fb_cache_count(cache) == 50)
                fb_cache_evict(cache, fb_cache_victim(cache));
            fb_cache_insert(cache, key);
        }
        uint32_t free_slot = (uint32_t)fb_random_below(&random, 50), tries = 0;
        while (!fb_cache_is_used(cache, free_slot))
            free_slot = (free_slot + 1) % 50;
        for (uint32_t slot; (slot = fb_cache_victim(cache)) != free_slot; tries++) {
            assert_in_range(tries, 0, 2 * 4 * 50);
            fb_cache_skip(cache, slot);
            fb_cache_check(cache);
        }
        test_free(cache);
    }
}

static void cache_copied_elsewhere_behaves_the_same(void **state)
{
    (void)state;
    for (uint32_t policy = 0; policy < FB_POLICY_COUNT; policy++) {
        struct fb_cache *cache = cache_open(20, (enum fb_policy)policy);
        struct fb_cache *copy = test_malloc(FB_CACHE_SIZE_BYTES(20));
        for (uint32_t i = 0; i < 20; i++)
            fb_cache_touch(cache, fb_cache_insert(cache, key_of(i)) / 2);
        memcpy(copy, cache, FB_CACHE_SIZE_BYTES(20));
        for (uint32_t i = 0; i < 20; i++) {
            uint32_t slot = fb_cache_victim(cache);
            assert_int_equal(fb_cache_victim(copy), slot);
            fb_cache_evict(cache, slot);
            fb_cache_evict(copy, slot);
        }
        assert_memory_equal(cache, copy, FB_CACHE_SIZE_BYTES(20));
        test_free(cache);
        test_free(copy);
    }
}

/* cmocka's test_free looks at the bytes behind the block. */
static void cache_of_any_size_fits_its_stated_bytes(void **state)
{
    (void)state;
    for (uint32_t policy = 0; policy < FB_POLICY_COUNT; policy++) {
        for (uint32_t slots = 1; slots <= 1100; slots = slots < 300 ? slots + 1 : slots * 3 / 2) {
            struct fb_cache *cache = cache_open(slots, (enum fb_policy)policy);
            for (uint32_t i = 0; i < slots * 3; i++) {
                if (fb_cache_count(cache) == slots)
                    fb_cache_evict(cache, fb_cache_victim(cache));
                fb_cache_insert(cache, key_of(i));
            }
            fb_cache_check(cache);
            test_free(cache);
        }
    }
}

static void policy_name_of_each_is_that_of_the_configs(void **state)
{
    (void)state;
    assert_string_equal(fb_policy_name(FB_POLICY_FIFO), "fifo");
    assert_string_equal(fb_policy_name(FB_POLICY_LRU), "lru");
    assert_string_equal(fb_policy_name(FB_POLICY_CLOCK), "clock");
    assert_string_equal(fb_policy_name(FB_POLICY_SIEVE), "sieve");
    assert_string_equal(fb_policy_name(FB_POLICY_S3FIFO), "s3fifo");
    assert_string_equal(fb_policy_name(FB_POLICY_WTINYLFU), "wtinylfu");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_with_fifo_evicts_what_the_model_does),
        cmocka_unit_test(cache_with_lru_evicts_what_the_model_does),
        cmocka_unit_test(cache_with_clock_evicts_what_the_model_does),
        cmocka_unit_test(cache_with_sieve_evicts_what_the_model_does),
        cmocka_unit_test(cache_with_s3fifo_evicts_what_the_model_does),
        cmocka_unit_test(cache_with_wtinylfu_evicts_what_the_model_does),
        cmocka_unit_test(cache_insert_when_full_returns_none),
        cmocka_unit_test(cache_find_tells_keys_apart_by_both_halves),
        cmocka_unit_test(cache_skip_of_all_but_one_finds_that_one),
        cmocka_unit_test(cache_copied_elsewhere_behaves_the_same),
        cmocka_unit_test(cache_of_any_size_fits_its_stated_bytes),
        cmocka_unit_test(policy_name_of_each_is_that_of_the_configs),
    };
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
