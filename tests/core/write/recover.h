/* What the tests of recovery share: nodes with a drive, one that read some blocks and starts again,
 * and an origin that is closed. */
#ifndef FB_TESTS_CORE_WRITE_RECOVER_H
#define FB_TESTS_CORE_WRITE_RECOVER_H

#include "tests/support/unit.h"

#include "tests/support/flow.h"

enum { MS = 1000000, DRIVE_BLOCKS = 32 };

static inline struct fb_config recover_config(void)
{
    struct fb_config config = flow_config();
    config.device_size_bytes = (uint64_t)DRIVE_BLOCKS * FLOW_BLOCK_BYTES;
    config.device_writes_max = 8;
    config.puts_max = 4, config.dirty_max = 8, config.drains_max = 2;
    config.hold_ns = 2 * MS;
    config.drain_delay_ns = 50000;
    config.drain_check_ns = 5 * MS;
    return config;
}

static inline struct fb_config lone_config(void)
{
    struct fb_config config = recover_config();
    config.replicas = config.write_quorum = 1;
    return config;
}

static inline struct fb_block block_of(uint64_t number)
{
    return script_block(7, number, FLOW_BLOCK_BYTES, 1);
}

static inline const struct fb_stats *stats_of(struct script *script, uint32_t node)
{
    return fb_node_stats(script_node(script, node));
}

static inline void expect_read(struct script *script, uint64_t request_id, uint32_t reason)
{
    const struct fb_reply *reply = script_reply(script, request_id);
    assert_non_null(reply);
    assert_int_equal(reply->status, FB_OK);
    assert_int_equal(reply->reason, reason);
}

/* One node reads some blocks, dies, and starts again. */
static inline struct script *read_then_restart(const struct fb_config *config, uint32_t blocks,
                                               bool is_drive_kept)
{
    struct script *script = script_open(1, config, 1);
    for (uint32_t i = 0; i < blocks; i++) {
        const struct fb_block block = block_of(i);
        script_get(script, 1000 + i * 1000, 0, 1 + i, &block);
    }
    script_run(script, FB_NEVER_NS - 1);
    script_kill(script, 0);
    script_restart(script, script_now_ns(script) + MS, 0, is_drive_kept);
    return script;
}

/* The origin takes nothing until told. */
static inline struct script_fault closed_origin(struct script *script, uint32_t node,
                                                const struct fb_op *op)
{
    (void)node;
    const bool *is_closed = script_context(script);
    bool is_refused = *is_closed && op->kind == FB_OP_STORE;
    return (struct script_fault){.status = is_refused ? FB_THROTTLED : FB_OK};
}

#endif
