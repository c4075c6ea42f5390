/* config.c: defaults are usable, every limit of the table holds, contradictions are named.
 * How: each field of the table is put to its edges and one beyond. */
#include "core/config.h"
#include "tests/support/unit.h"

#include <string.h>

static uint64_t *field_of(struct fb_config *config, const struct fb_config_entry *entry)
{
    return (uint64_t *)(void *)((char *)config + entry->offset);
}

static void config_init_gives_the_defaults_of_the_table(void **state)
{
    (void)state;
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    struct fb_config config;
    memset(&config, 0xff, sizeof(config));
    fb_config_init(&config);
    assert_null(fb_config_fault(&config));
    assert_int_equal(config.node, 0);
    for (uint32_t i = 0; i < count; i++)
        assert_true(*field_of(&config, &table[i]) == table[i].initial);
    assert_int_equal(config.block_size_bytes, 16 << 20);
    assert_int_equal(config.policy, FB_POLICY_S3FIFO);
}

static void config_table_describes_every_field_once(void **state)
{
    (void)state;
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    assert_int_equal(sizeof(struct fb_config), (count + 1) * sizeof(uint64_t)); /* and `node` */
    for (uint32_t i = 0; i < count; i++) {
        assert_true(table[i].min <= table[i].initial);
        assert_true(table[i].initial <= table[i].max);
        assert_in_range(strlen(table[i].help), 5, 200);
        for (uint32_t j = 0; j < i; j++) {
            assert_string_not_equal(table[i].name, table[j].name);
            assert_int_not_equal(table[i].offset, table[j].offset);
        }
    }
}

static void config_fault_outside_a_range_names_the_field(void **state)
{
    (void)state;
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    for (uint32_t i = 0; i < count; i++) {
        struct fb_config config;
        fb_config_init(&config);
        *field_of(&config, &table[i]) = table[i].max + 1;
        assert_string_equal(fb_config_fault(&config), table[i].name);
        if (table[i].min == 0)
            continue;
        *field_of(&config, &table[i]) = table[i].min - 1;
        assert_string_equal(fb_config_fault(&config), table[i].name);
    }
}

static void config_fault_of_contradictions_names_the_field(void **state)
{
    (void)state;
    struct fb_config config;
    fb_config_init(&config);
    config.memory_size_bytes = config.block_size_bytes - 1;
    assert_string_equal(fb_config_fault(&config), "memory_size_bytes");
    config.memory_size_bytes = config.block_size_bytes;
    assert_null(fb_config_fault(&config));

    config.device_size_bytes = config.block_size_bytes - 1;
    assert_string_equal(fb_config_fault(&config), "device_size_bytes");
    config.device_size_bytes = config.block_size_bytes;
    assert_null(fb_config_fault(&config));

    config.erasure_data = 4;
    assert_string_equal(fb_config_fault(&config), "memory_size_bytes"); /* no room to mend */
    config.memory_size_bytes = 4 * config.block_size_bytes;
    assert_null(fb_config_fault(&config));
    config.memory_entries_max = 13;
    assert_string_equal(fb_config_fault(&config), "memory_entries_max");
    config.memory_entries_max = 0;
    config.dirty_max = 1;
    assert_string_equal(fb_config_fault(&config), "dirty_max");
    config.dirty_max = 2;
    assert_null(fb_config_fault(&config));

    config.node = UINT32_MAX; /* FB_NONE */
    assert_string_equal(fb_config_fault(&config), "node");
    config.node = UINT32_MAX - 1;
    assert_null(fb_config_fault(&config));
}

/* What no cluster can hold is refused before anybody is promised it. */
static void config_fault_of_copies_that_cannot_be_names_the_field(void **state)
{
    (void)state;
    struct fb_config config;
    fb_config_init(&config);
    config.write_quorum = config.replicas + 1;
    assert_string_equal(fb_config_fault(&config), "write_quorum");
    config.replicas = config.write_quorum;
    assert_null(fb_config_fault(&config));
    config.place_local = 1;
    assert_string_equal(fb_config_fault(&config), "write_quorum");
    config.write_quorum = 1;
    assert_null(fb_config_fault(&config));
    config.erasure_data = 2;
    assert_string_equal(fb_config_fault(&config), "erasure_data");
    config.place_local = 0;
    assert_null(fb_config_fault(&config));
    config.use_peers = 0;
    assert_string_equal(fb_config_fault(&config), "erasure_data");
    config.use_peers = 1;
    config.erasure_parity = 1;
    config.write_quorum = 3;
    config.memory_size_bytes = 8 * config.block_size_bytes;
    assert_string_equal(fb_config_fault(&config), "erasure_parity");
}

static void config_fault_of_more_chunks_than_an_index_can_name(void **state)
{
    (void)state;
    struct fb_config config;
    fb_config_init(&config);
    config.block_size_bytes = 512;
    config.memory_size_bytes = UINT64_C(1) << 48;
    assert_string_equal(fb_config_fault(&config), "memory_size_bytes");
    config.memory_size_bytes = UINT64_C(1) << 30;
    config.device_size_bytes = UINT64_C(1) << 52;
    assert_string_equal(fb_config_fault(&config), "device_size_bytes");
}

static void config_init_scale_is_small_and_usable(void **state)
{
    (void)state;
    struct fb_config config, ordinary;
    fb_config_init_scale(&config);
    fb_config_init(&ordinary);
    assert_null(fb_config_fault(&config));
    assert_in_range(config.memory_entries_max, 64, 256);
    assert_in_range(config.device_entries_max, 64, 256);
    assert_in_range(config.fills_max, 16, ordinary.fills_max);
    assert_in_range(config.waiters_max, 64, ordinary.waiters_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_init_gives_the_defaults_of_the_table),
        cmocka_unit_test(config_table_describes_every_field_once),
        cmocka_unit_test(config_fault_outside_a_range_names_the_field),
        cmocka_unit_test(config_fault_of_contradictions_names_the_field),
        cmocka_unit_test(config_fault_of_copies_that_cannot_be_names_the_field),
        cmocka_unit_test(config_fault_of_more_chunks_than_an_index_can_name),
        cmocka_unit_test(config_init_scale_is_small_and_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
