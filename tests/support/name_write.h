/* Names written, looked up and removed with a store of records; for tests of names. */
#ifndef FB_TESTS_SUPPORT_NAME_WRITE_H
#define FB_TESTS_SUPPORT_NAME_WRITE_H

#include "core/name/name.h"

#include "tests/support/name.h"

static inline struct fb_request ask(enum fb_request_kind kind, uint64_t request_id,
                                    uint64_t wall_ns)
{
    return (struct fb_request){.kind = kind,
                               .request_id = request_id,
                               .block = {.key = NAME, .object = FB_OBJECT_NONE},
                               .wall_ns = wall_ns};
}

/* What BEGIN told of a name, made into its COMMIT. */
static inline struct fb_request commit_of(const struct fb_reply *begin, uint64_t request_id,
                                          uint32_t node, struct fb_key key)
{
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                        .level = FB_LEVEL_DEVICE,
                                        .node = node,
                                        .block_size_bytes = FLOW_BLOCK_BYTES,
                                        .version = begin->version,
                                        .size = 10};
    return (struct fb_request){.kind = FB_REQUEST_NAME_COMMIT,
                               .request_id = request_id,
                               .block = {.key = key, .object = FB_OBJECT_NONE},
                               .record = fb_name_record(&facts, begin->record.version),
                               .replaced = begin->replaced};
}

/* Writes the name; its version. Request ids id and id + 1. */
static inline uint64_t write_name(struct script *script, uint32_t node, uint64_t id,
                                  uint64_t wall_ns)
{
    struct fb_request begin = ask(FB_REQUEST_NAME_BEGIN, id, wall_ns);
    const struct fb_reply reply = *run(script, node, &begin);
    assert_int_equal(reply.status, FB_OK);
    assert_true(reply.version + 2 * MS >= wall_ns);
    struct fb_request commit = commit_of(&reply, id + 1, node, NAME);
    assert_int_equal(run(script, node, &commit)->status, FB_OK);
    return reply.version;
}

static inline const struct fb_reply *look(struct script *script, uint32_t node, uint64_t id)
{
    struct fb_request request = ask(FB_REQUEST_NAME_LOOK, id, clock_ns);
    return run(script, node, &request);
}

static inline enum fb_name_state state_of(struct script *script, struct fb_key key)
{
    struct fb_meta record = script_record(script, key);
    return fb_name_read(&record).state;
}

#endif
