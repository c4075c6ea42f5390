/* A small cluster's config, shared by the tests of the flows. */
#ifndef FB_TESTS_SUPPORT_FLOW_H
#define FB_TESTS_SUPPORT_FLOW_H

#include "tests/support/script.h"

enum { FLOW_BLOCK_BYTES = 4096, FLOW_BLOCKS = 16 };

static inline struct fb_config flow_config(void)
{
    struct fb_config config;
    fb_config_init(&config);
    config.block_size_bytes = FLOW_BLOCK_BYTES;
    config.memory_size_bytes = (uint64_t)FLOW_BLOCKS * FLOW_BLOCK_BYTES;
    config.memory_entries_max = FLOW_BLOCKS;
    config.device_size_bytes = 0;
    config.policy = FB_POLICY_LRU;
    config.fills_max = 8;
    config.waiters_max = 16;
    config.lends_max = 8;
    config.matches_max = 2;
    config.hedge_ns = 1000000;
    config.wait_ns = 50000000;
    config.fetch_ns = 100000000;
    config.lend_ns = 20000000;
    config.backoff_ns = 100000;
    config.retries_max = 4;
    return config;
}

/* A node that is none of the block's owners. */
static inline uint32_t stranger_of(const struct script *script, const struct fb_block *block)
{
    uint32_t node = 0;
    while (node == script_owner(script, block, 0) || node == script_owner(script, block, 1))
        node++;
    return node;
}

#endif
