/* name.c, name_version: nobody else's, whatever clocks say. How: scripted nodes (script.h), whose
 * origin shows an object from the future. */
#include "core/name/name.h"

#include "tests/support/flow.h"
#include "tests/support/unit.h"

static const uint64_t MS = 1000000, S = 1000000000, HOUR = UINT64_C(3600000000000);
static const struct fb_key NAME = {.high = 0x6e, .low = 1};

static uint64_t begin(struct script *script, uint64_t request_id, uint64_t wall_ns)
{
    const struct fb_request request = {.kind = FB_REQUEST_NAME_BEGIN,
                                       .request_id = request_id,
                                       .block = {.key = NAME, .object = FB_OBJECT_NONE},
                                       .wall_ns = wall_ns};
    script_request(script, request_id * 100 * MS, 0, &request);
    script_run(script, request_id * 100 * MS + 99 * MS);
    assert_non_null(script_reply(script, request_id));
    return script_reply(script, request_id)->version;
}

/* Over one record from the future, in two lives of a node: what was begun before must not have the
 * blocks of what is begun after. */
static void versions_begun_with_a_clock_behind_are_apart_also_after_a_restart(void **state)
{
    enum { BEGINS = 1500 };
    static uint64_t versions[2 * BEGINS];
    uint32_t same = 0;
    (void)state;
    for (uint64_t life = 0; life < 2; life++) {
        struct fb_config config = flow_config();
        config.names_max = 8;
        config.records = 2;
        config.metas_max = 8;
        struct script *script = script_open(1, &config, 1 + life);
        script_shown(script, NAME)->version = HOUR;
        for (uint64_t i = 0; i < BEGINS; i++)
            versions[life * BEGINS + i] = begin(script, 1 + i, S);
        script_close(script);
    }
    for (uint32_t i = 0; i < 2 * BEGINS; i++) {
        assert_true(versions[i] > HOUR && versions[i] < HOUR + 10 * S);
        for (uint32_t k = 0; k < i; k++)
            same += versions[i] == versions[k];
    }
    assert_true(same < 10); /* by chance: 4.5 million pairs, and 4 million versions */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_begun_with_a_clock_behind_are_apart_also_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
