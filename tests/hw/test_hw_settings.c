/* hw/base/settings.c: the shipped configs load, and each mistake gives one line that names its
 * place. How: one good text, changed in one place at a time. */
#include "hw/base/settings.h"

#include "tests/support/temporary.h"

static const char good[] = "schema_version: 1\n"
                           "cluster: c\n"
                           "node: 1\n"
                           "members:\n"
                           "  - {id: 0, address: \"127.0.0.1:7700\"}\n"
                           "  - {id: 1, address: \"[::1]:7701\", domain: 9}\n"
                           "origin: {kind: posix, path: /data}\n"
                           "client: {socket: /tmp/socket}\n"
                           "core: {memory_size: 1 GiB, block_size: 1 MiB, policy: lru}\n";

static void load(const char *text, struct fb_settings *settings, struct fb_error *error)
{
    struct temporary temporary;
    temporary_begin(&temporary);
    const char *path = temporary_write(&temporary, "config.yaml", text);
    fb_settings_load(path, NULL, 0, settings, error);
    temporary_end(&temporary);
}

/* The good text with `from` replaced by `to`. */
static void assert_fault(const char *from, const char *to, const char *part)
{
    char text[2048];
    struct fb_settings settings;
    struct fb_error error = {.text = ""};
    const char *at = strstr(good, from);
    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    load(text, &settings, &error);
    assert_line_holds(error.text, part);
    assert_non_null(strstr(error.text, "config.yaml"));
    assert_null(settings.members);
}

static void load_good_text_gives_its_values(void **state)
{
    (void)state;
    struct fb_settings settings;
    struct fb_error error = {.text = ""};
    load(good, &settings, &error);
    assert_string_equal(error.text, "");
    assert_string_equal(settings.cluster, "c");
    assert_int_equal(settings.node, 1);
    assert_int_equal(settings.core.node, 1);
    assert_int_equal(settings.member_count, 2);
    assert_int_equal(settings.members[1].member.domain, 9);
    assert_string_equal(settings.listen, "[::1]:7701");
    assert_int_equal(settings.core.block_size_bytes, 1 << 20);
    assert_int_equal(settings.core.policy, FB_POLICY_LRU);
    assert_int_equal(settings.origin.kind, FB_ORIGIN_POSIX);
    fb_settings_free(&settings);
}

static void load_mistakes_give_their_lines(void **state)
{
    (void)state;
    assert_fault("node: 1", "node: 7", "members: this node, 7, is not among them");
    assert_fault("id: 1", "id: 0", "there twice");
    assert_fault("[::1]:7701", "127.0.0.1:7700", "has the same");
    assert_fault("127.0.0.1:7700", "127.0.0.1", "is no address");
    assert_fault("127.0.0.1:7700", "127.0.0.1:99999", "is no address");
    assert_fault("cluster: c", "clutser: c", "cluster: the key is missing");
    assert_fault("origin: {", "orgin: {", "did you mean");
    assert_fault("kind: posix", "kind: posx", "did you mean posix");
    assert_fault("path: /data", "pfad: /data", "path: the key is missing");
    assert_fault("schema_version: 1", "schema_version: 2", "version 1 only");
    assert_fault("1 GiB", "1", "needs a unit");
    assert_fault("memory_size", "memory_sice", "did you mean");
    assert_fault("block_size: 1 MiB", "block_size: 2 GiB", "too large");
    assert_fault("block_size: 1 MiB", "block_size: 1 GiB, memory_size: 1 MiB", "memory_size");
    assert_fault("core: {", "device: {path: /d}\ncore: {", "device_size");
    assert_fault("policy: lru", "device_size: 1 GiB", "device.path is missing");
}

/* Copies: those of a list that is shorter than the default are fewer, and nothing that is written
 * is lowered. */
static void load_copies_that_cannot_be_refuses(void **state)
{
    (void)state;
    static const char *const lone = "schema_version: 1\ncluster: c\nnode: 0\ncore: {%s}\n";
    static const struct {
        const char *core, *fault;
        uint32_t replicas, quorum;
    } cases[] = {
        {"policy: lru", "", 1, 1},
        {"replicas: 1, write_quorum: all", "", 1, 1},
        {"replicas: 2", "core.replicas: 2 owners of a block are more than the 1 members", 0, 0},
        {"write_quorum: 2", "core.write_quorum: 2 copies are waited for, and there are never", 0,
         0},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        struct fb_settings settings;
        struct fb_error error = {.text = ""};
        snprintf(text, sizeof(text), lone, cases[i].core);
        load(text, &settings, &error);
        if (cases[i].replicas == 0) {
            assert_line_holds(error.text, cases[i].fault);
            continue;
        }
        assert_string_equal(error.text, "");
        assert_int_equal(settings.core.replicas, cases[i].replicas);
        assert_int_equal(settings.core.write_quorum, cases[i].quorum);
        fb_settings_free(&settings);
    }
    assert_fault("policy: lru", "replicas: 3", "more than the 2 members of the cluster");
    assert_fault("policy: lru", "write_quorum: 3", "never more than 2");
    assert_fault("policy: lru", "erasure_data: 2, erasure_parity: 1", "on 2 members");
}

static void load_device_with_odd_blocks_refuses(void **state)
{
    (void)state;
    assert_fault("core: {memory_size: 1 GiB, block_size: 1 MiB",
                 "device: {path: /d}\ncore: {device_size: 1 GiB, block_size: 1000 KB",
                 "a multiple of 256 KiB");
}

static void load_arena_without_room_for_a_block_refuses(void **state)
{
    (void)state;
    assert_fault("client: {", "client: {arena: 64 KiB, ",
                 "client.arena: is 64.0 KiB: at least core.block_size, 1.00 MiB");
}

/* In which no holder can answer, so that every write would be degraded. */
static void load_hold_shorter_than_an_answer_refuses(void **state)
{
    (void)state;
    assert_fault("core: {", "core: {hold: 1 us, ", "core.hold: ");
    assert_fault("core: {", "core: {hold: 1 us, ", "1.00 ms");
}

static void load_words_of_an_origin_at_their_longest_and_beyond(void **state)
{
    (void)state;
    static const char *const keys[] = {"bucket", "region", "account", "container"};
    for (uint32_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        for (int length = FB_ORIGIN_WORD_MAX - 1; length <= FB_ORIGIN_WORD_MAX; length++) {
            bool is_s3 = i < 2;
            char text[2048], word[FB_ORIGIN_WORD_MAX + 1], fault[96];
            struct fb_settings settings;
            struct fb_error error = {.text = ""};
            snprintf(fault, sizeof(fault), "origin.%s: is longer than 255 bytes", keys[i]);
            memset(word, 'w', (size_t)length);
            word[length] = '\0';
            snprintf(text, sizeof(text),
                     "schema_version: 1\ncluster: c\nnode: 0\ncore: {}\n"
                     "origin: {kind: %s, endpoint: \"http://h\"%s, %s: %s}\n",
                     is_s3 ? "s3" : "azure",
                     i == 0   ? ""
                     : i == 1 ? ", bucket: b"
                     : i == 2 ? ", container: c"
                              : ", account: a",
                     keys[i], word);
            load(text, &settings, &error);
            if (length == FB_ORIGIN_WORD_MAX)
                assert_line_holds(error.text, fault);
            else
                assert_string_equal(error.text, "");
            if (length < FB_ORIGIN_WORD_MAX)
                fb_settings_free(&settings);
        }
    }
}

static void load_part_size_of_none_and_of_less_than_a_request_is_worth(void **state)
{
    (void)state;
    static const char *const sizes[] = {"0 B", "4 KiB", "4095 B"};
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char text[512];
        struct fb_settings settings;
        struct fb_error error = {.text = ""};
        snprintf(text, sizeof(text),
                 "schema_version: 1\ncluster: c\nnode: 0\ncore: {}\n"
                 "origin: {kind: s3, endpoint: \"http://h\", bucket: b, part_size: %s}\n",
                 sizes[i]);
        load(text, &settings, &error);
        if (i == 2) {
            assert_line_holds(error.text, "origin.part_size: is less than 4 KiB: raise it");
            continue;
        }
        assert_string_equal(error.text, "");
        assert_int_equal(settings.origin.part_bytes, i * 4096);
        fb_settings_free(&settings);
    }
}

static void load_shipped_examples_is_fine(void **state)
{
    (void)state;
    static const char *const paths[] = {"hw/examples/single.yaml", "hw/examples/cluster.yaml",
                                        "hw/examples/s3.yaml", "hw/examples/azure.yaml",
                                        "hw/examples/etcd.yaml"};
    for (uint32_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct fb_settings settings;
        struct fb_error error = {.text = ""};
        fb_settings_load(paths[i], NULL, 0, &settings, &error);
        assert_string_equal(error.text, "");
        fb_settings_free(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_good_text_gives_its_values),
        cmocka_unit_test(load_mistakes_give_their_lines),
        cmocka_unit_test(load_copies_that_cannot_be_refuses),
        cmocka_unit_test(load_device_with_odd_blocks_refuses),
        cmocka_unit_test(load_hold_shorter_than_an_answer_refuses),
        cmocka_unit_test(load_arena_without_room_for_a_block_refuses),
        cmocka_unit_test(load_words_of_an_origin_at_their_longest_and_beyond),
        cmocka_unit_test(load_part_size_of_none_and_of_less_than_a_request_is_worth),
        cmocka_unit_test(load_shipped_examples_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
