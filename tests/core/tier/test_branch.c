/* branch.c: of chained blocks the ends go first, whatever the policy names. How: one scripted node
 * (script.h) that is given chains of volatile blocks, and a random forest that is checked after
 * every step. */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

#include "core/key.h"

#include <stdio.h>
#include <stdlib.h>

enum { MS = 1000000 };

static struct fb_block link_of(uint64_t chain, uint64_t position)
{
    return (struct fb_block){.key = {.high = fb_mix(chain), .low = position + 1},
                             .object = FB_OBJECT_NONE,
                             .size = FLOW_BLOCK_BYTES};
}

static void put_link(struct script *script, uint64_t at_ns, uint64_t id, uint64_t chain,
                     uint64_t position)
{
    struct fb_request request = {.kind = FB_REQUEST_PUT,
                                 .request_id = id,
                                 .block = link_of(chain, position),
                                 .span = {.region = FB_REGION_CLIENT, .size = FLOW_BLOCK_BYTES}};
    if (position > 0)
        request.parent = link_of(chain, position - 1).key;
    script_request(script, at_ns, 0, &request);
}

/* Two chains of 10 into room for 16; how many blocks are of use: those with all before them. */
static uint64_t useful_after_eviction(uint64_t leaves_first, enum fb_policy policy)
{
    struct fb_config config = flow_config();
    config.leaves_first = leaves_first;
    config.policy = policy;
    struct script *script = script_open(1, &config, 1);
    for (uint64_t i = 0; i < 20; i++)
        put_link(script, 1000 + i * MS, i, i / 10, i % 10);
    script_run(script, FB_NEVER_NS);
    uint64_t useful = 0;
    for (uint64_t chain = 0; chain < 2; chain++) {
        uint64_t i = 0;
        while (i < 10 && fb_node_holds(script_node(script, 0), link_of(chain, i).key))
            i++;
        useful += i;
    }
    assert_int_equal(fb_node_stats(script_node(script, 0))->evictions, 4);
    script_close(script);
    return useful;
}

static void eviction_takes_the_ends_of_chains(void **state)
{
    (void)state;
    for (uint32_t policy = 0; policy < FB_POLICY_COUNT; policy++)
        assert_int_equal(useful_after_eviction(1, (enum fb_policy)policy), 16);
    assert_int_equal(useful_after_eviction(0, FB_POLICY_LRU), 10); /* the front went first */
}

static void link_to_itself_or_in_a_circle_is_not_made(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.leaves_first = 1;
    struct script *script = script_open(1, &config, 1);
    struct fb_request request = {.kind = FB_REQUEST_PUT,
                                 .request_id = 1,
                                 .block = link_of(0, 0),
                                 .span = {.region = FB_REGION_CLIENT, .size = FLOW_BLOCK_BYTES},
                                 .parent = link_of(0, 0).key};
    script_request(script, 1000, 0, &request);
    put_link(script, 2 * MS, 2, 0, 1);
    for (uint64_t i = 0; i < 30; i++)
        put_link(script, (10 + i) * MS, 10 + i, 1, i);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 39)->status, FB_OK);
    script_close(script);
}

static void random_trees_keep_their_links_whole(void **state)
{
    uint64_t seed = *state != NULL ? *(uint64_t *)*state : 1;
    struct fb_config config = flow_config();
    config.leaves_first = 1;
    config.policy = FB_POLICY_S3FIFO;
    struct script *script = script_open(1, &config, seed);
    srand((unsigned)seed);
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t number = (uint64_t)rand() % 60;
        struct fb_request request = {
            .kind = FB_REQUEST_PUT,
            .request_id = i,
            .block = link_of(0, number),
            .span = {.region = FB_REGION_CLIENT, .size = FLOW_BLOCK_BYTES}};
        if (number > 0) /* a tree: the parent is a lower number */
            request.parent = link_of(0, (uint64_t)rand() % number).key;
        script_request(script, 1000 + i * MS, 0, &request);
    }
    script_run(script, FB_NEVER_NS); /* fb_node_check walks the links after every step */
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(script_reply(script, i)->status, FB_OK);
    assert_true(fb_node_stats(script_node(script, 0))->evictions > 500);
    script_close(script);
}

int main(int argc, char **argv)
{
    static uint64_t seed = 1;
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eviction_takes_the_ends_of_chains),
        cmocka_unit_test(link_to_itself_or_in_a_circle_is_not_made),
        cmocka_unit_test_prestate(random_trees_keep_their_links_whole, &seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
