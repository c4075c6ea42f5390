/* Requests about one name, for tests of names: a clock that goes on while nothing happens. */
#ifndef FB_TESTS_SUPPORT_NAME_H
#define FB_TESTS_SUPPORT_NAME_H

#include "tests/support/flow.h"
#include "tests/support/unit.h"

static const uint64_t MS = 1000000, S = 1000000000;
static const struct fb_key NAME = {.high = 0x6e, .low = 1};

static uint64_t clock_ns; /* the script's own stands still while nothing happens */

static inline struct fb_config name_config(void)
{
    clock_ns = 0;
    struct fb_config config = flow_config();
    config.names_max = 8;
    config.records = 2;
    config.metas_max = 8;
    return config;
}

static inline void rest(struct script *script, uint64_t time_ns)
{
    clock_ns += time_ns;
    script_run(script, clock_ns);
}

/* Asks, and waits for the reply; which there must be within 4 s. */
static inline const struct fb_reply *run(struct script *script, uint32_t node,
                                         const struct fb_request *request)
{
    script_request(script, clock_ns + 1000, node, request);
    for (uint32_t i = 0; i < 4000 && script_reply(script, request->request_id) == NULL; i++)
        rest(script, MS);
    const struct fb_reply *reply = script_reply(script, request->request_id);
    assert_non_null(reply);
    return reply;
}

#endif
