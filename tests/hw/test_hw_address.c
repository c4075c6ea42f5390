/* address.h: texts that anybody may have written become addresses, or are refused. */
#include "tests/support/unit.h"

#include "hw/base/address.h"

#include <string.h>

static void address_is_fine_when_host_and_port_are_whole(void **state)
{
    (void)state;
    static const char *const fine[] = {"10.0.0.1:7700", "node-3.cluster.local:1", "[::1]:65535",
                                       "[fe80::1%eth0]:7700", "a:07700"};
    for (uint32_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        assert_true(fb_address_is_fine(fine[i]));
}

static void address_is_fine_when_a_part_is_missing_or_odd_says_no(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "bogus",
                                      ":7700",     "host:",
                                      "host:0",    "host:65536",
                                      "host:http", "host:-1",
                                      "host: 80",  "host:80x",
                                      "[::1:80",   "::1]:80",
                                      "[]:80",     "a b:80",
                                      "user@h:80", "http://host:80",
                                      "[",         "[:80",
                                      "]:80",      "host:80:",
                                      "h\t:80",    "host:99999999999999999999",
                                      ":"};
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sockaddr_storage address;
        struct fb_error error = {.text = ""};
        assert_false(fb_address_is_fine(bad[i]));
        if (bad[i][0] == ':') /* to listen on every address */
            continue;
        assert_false(fb_address_parse(bad[i], &address));
        fb_address_resolve(bad[i], false, &address, &error);
        assert_true(fb_error_is_set(&error));
    }
    char huge[4096];
    memset(huge, 'a', sizeof(huge));
    memcpy(huge + sizeof(huge) - 4, ":80", 4);
    assert_false(fb_address_is_fine(huge));
}

static void address_parse_when_host_is_a_name_asks_nobody(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    assert_false(fb_address_parse("localhost:80", &address));
    assert_true(fb_address_parse("127.0.0.1:80", &address));
    assert_int_equal(address.ss_family, AF_INET);
    assert_true(fb_address_parse("[::1]:80", &address));
    assert_int_equal(address.ss_family, AF_INET6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_is_fine_when_host_and_port_are_whole),
        cmocka_unit_test(address_is_fine_when_a_part_is_missing_or_odd_says_no),
        cmocka_unit_test(address_parse_when_host_is_a_name_asks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
