/* The policies' worth, beyond their rules (test_cache.c): the sketch of W-TinyLFU counts, and the
 * scan-resistant policies keep what is used often while much passes by that is used once. How:
 * policy_wtinylfu.c is included to see its counters; hit ratios on made references have exact
 * seeds. */
#include "core/index/cache.h"
#include "core/index/policy_wtinylfu.c"
#include "core/index/random.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1000 };

static struct fb_key key_of(uint32_t number)
{
    return (struct fb_key){.high = fb_mix(number), .low = number};
}

static struct fb_cache *cache_open(enum fb_policy policy)
{
    struct fb_cache *cache = test_malloc(FB_CACHE_SIZE_BYTES(SLOTS));
    fb_cache_init(cache, SLOTS, policy);
    return cache;
}

static void sketch_estimate_before_ageing_is_never_too_low(void **state)
{
    (void)state;
    struct fb_cache *cache = cache_open(FB_POLICY_WTINYLFU);
    uint32_t counts[200] = {0}, exact = 0;
    struct fb_random random;
    fb_random_init(&random, 7);
    uint32_t additions_max = SLOTS * SAMPLES_PER_SLOT / (cache->sketch_mask + 1) - 1;
    for (uint32_t i = 0; i < additions_max; i++) {
        uint32_t key = (uint32_t)fb_random_below(&random, 1 + fb_random_below(&random, 200));
        sketch_add(cache, key_of(key));
        counts[key]++;
    }
    for (uint32_t key = 0; key < 200; key++) {
        uint32_t least = counts[key] < COUNTER_MAX ? counts[key] : COUNTER_MAX;
        assert_in_range(sketch_estimate(cache, key_of(key)), least, COUNTER_MAX);
        exact += sketch_estimate(cache, key_of(key)) == least;
    }
    assert_in_range(exact, 190, 200); /* four rows: collisions in all of them are rare */
    test_free(cache);
}

static void sketch_add_after_a_period_has_halved_every_counter(void **state)
{
    (void)state;
    struct fb_cache *cache = cache_open(FB_POLICY_WTINYLFU);
    for (uint32_t i = 0; i < 12; i++)
        sketch_add(cache, key_of(1));
    assert_int_equal(sketch_estimate(cache, key_of(1)), 12);
    uint32_t lines = cache->sketch_mask + 1, period = SLOTS * SAMPLES_PER_SLOT / lines * lines;
    for (uint32_t i = 0; i < period; i++)
        sketch_add(cache, key_of(2));
    assert_int_equal(sketch_estimate(cache, key_of(1)), 6);
    assert_in_range(sketch_estimate(cache, key_of(2)), 7, COUNTER_MAX);
    test_free(cache);
}

/* Half of the references go to 500 keys again and again, half to keys that never come back. */
static uint32_t hits_beside_a_scan(enum fb_policy policy)
{
    struct fb_cache *cache = cache_open(policy);
    struct fb_random random;
    uint32_t hits = 0, scanned = 1000000;
    fb_random_init(&random, 1);
    for (uint32_t i = 0; i < 40000; i++) {
        uint32_t number = i % 5 != 0 ? scanned++ : (uint32_t)fb_random_below(&random, 500);
        uint32_t slot = fb_cache_find(cache, key_of(number));
        if (slot != FB_NONE) {
            fb_cache_touch(cache, slot);
            hits++;
            continue;
        }
        if (fb_cache_count(cache) == SLOTS)
            fb_cache_evict(cache, fb_cache_victim(cache));
        fb_cache_insert(cache, key_of(number));
    }
    test_free(cache);
    return hits;
}

static void policy_beside_a_scan_keeps_what_is_used_again(void **state)
{
    (void)state;
    uint32_t lru = hits_beside_a_scan(FB_POLICY_LRU);
    assert_in_range(lru, 0, 8000 / 2);
    assert_in_range(hits_beside_a_scan(FB_POLICY_SIEVE), lru * 3 / 2, 8000);
    assert_in_range(hits_beside_a_scan(FB_POLICY_S3FIFO), lru * 3 / 2, 8000);
    assert_in_range(hits_beside_a_scan(FB_POLICY_WTINYLFU), lru * 3 / 2, 8000);
}

/* A tier that holds half as many blocks as it has slots, and a set in use that changes. Not SIEVE:
 * its hand stays as far behind the newest as the loop is short of coming round, which is its known
 * weakness. */
static void policy_of_half_full_tier_still_lets_new_keys_in(void **state)
{
    (void)state;
    for (uint32_t policy = 0; policy < FB_POLICY_COUNT; policy++) {
        if (policy == FB_POLICY_SIEVE)
            continue;
        struct fb_cache *cache = cache_open((enum fb_policy)policy);
        uint32_t hits = 0;
        for (uint32_t i = 0; i < 60000; i++) {
            uint32_t number = i / 20000 * 1000 + i % 300; /* the set changes twice */
            uint32_t slot = fb_cache_find(cache, key_of(number));
            if (slot != FB_NONE) {
                fb_cache_touch(cache, slot);
                hits++;
                continue;
            }
            if (fb_cache_count(cache) == SLOTS / 2)
                fb_cache_evict(cache, fb_cache_victim(cache));
            fb_cache_insert(cache, key_of(number));
        }
        assert_in_range(hits, 50000, 60000);
        test_free(cache);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sketch_estimate_before_ageing_is_never_too_low),
        cmocka_unit_test(sketch_add_after_a_period_has_halved_every_counter),
        cmocka_unit_test(policy_beside_a_scan_keeps_what_is_used_again),
        cmocka_unit_test(policy_of_half_full_tier_still_lets_new_keys_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
