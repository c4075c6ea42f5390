/* hw/headers.c: what was put is found by the next open, in its order; a header that is not whole is
 * none; a table of another geometry or cluster is empty; names come back whole.
 * How: a small file, opened anew after each change; bytes of it are flipped one at a time. */
#include "hw/headers.h"

#include "core/random.h"
#include "tests/temporary.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 18, UNIT = BLOCK / 64, CHUNKS = 200 };

static struct fb_settings settings_make(struct temporary *temporary, uint64_t chunks)
{
    struct fb_settings settings = {.cluster = "test"};
    settings.core.block_size_bytes = BLOCK;
    settings.core.device_size_bytes = chunks * BLOCK;
    strcpy(settings.device_path, temporary_write(temporary, "image", ""));
    int file = open(settings.device_path, O_RDWR);
    uint64_t size = chunks * BLOCK + fb_headers_size_bytes(chunks * BLOCK, BLOCK);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)size), 0);
    close(file);
    return settings;
}

static struct fb_headers headers_open(const struct fb_settings *settings)
{
    struct fb_headers headers;
    struct fb_error error = {.text = ""};
    fb_headers_open(&headers, settings, &error);
    if (fb_error_is_set(&error))
        fail_msg("%s", error.text);
    return headers;
}

static struct fb_header header_make(uint64_t number, uint64_t unit, uint32_t units)
{
    return (struct fb_header){.key = {.high = number, .low = 1},
                              .object = 7,
                              .offset = number * BLOCK,
                              .digest = number + 1,
                              .position = unit * UNIT,
                              .size = units * UNIT,
                              .state = FB_HEADER_OWED};
}

/* Counts what a scan gives; *last: the digest of the last. */
static uint32_t scan_count(struct fb_headers *headers, uint64_t *last)
{
    uint32_t count = 0;
    uint64_t cursor = 0;
    for (struct fb_done done = {.status = FB_OK}; done.status == FB_OK; count++) {
        fb_headers_scan(headers, cursor, &done);
        if (done.status != FB_OK)
            break;
        assert_true(done.next > cursor);
        cursor = done.next;
        *last = done.header.digest;
    }
    return count;
}

static void headers_are_found_by_the_next_open(void **state)
{
    (void)state;
    struct temporary temporary;
    temporary_begin(&temporary);
    const struct fb_settings settings = settings_make(&temporary, CHUNKS);
    struct fb_headers headers = headers_open(&settings);
    uint64_t last = 0;
    assert_true(headers.is_new);
    assert_int_equal(scan_count(&headers, &last), 0);
    for (uint64_t chunk = 0; chunk < CHUNKS; chunk += 7) {
        const struct fb_header header = header_make(chunk, chunk * 64 + 3, 20);
        const struct fb_header other = header_make(chunk + 1000, chunk * 64 + 40, 24);
        assert_int_equal(fb_headers_put(&headers, &header), FB_OK);
        assert_int_equal(fb_headers_put(&headers, &other), FB_OK);
    }
    fb_headers_settle(&headers, 40 * UNIT);
    fb_headers_close(&headers);
    headers = headers_open(&settings);
    assert_false(headers.is_new);
    struct fb_done done = {.status = FB_OK};
    fb_headers_scan(&headers, 0, &done);
    const struct fb_header first = header_make(0, 3, 20);
    assert_memory_equal(&done.header, &first, offsetof(struct fb_header, checksum));
    fb_headers_scan(&headers, done.next, &done);
    assert_int_equal(done.header.digest, 1001);
    assert_int_equal(done.header.state, FB_HEADER_CLEAN);
    assert_int_equal(scan_count(&headers, &last), 2 * ((CHUNKS + 6) / 7));
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

static void header_with_any_byte_changed_is_none(void **state)
{
    (void)state;
    struct temporary temporary;
    temporary_begin(&temporary);
    const struct fb_settings settings = settings_make(&temporary, 4);
    struct fb_headers headers = headers_open(&settings);
    const struct fb_header header = header_make(5, 64, 64);
    fb_headers_put(&headers, &header);
    uint64_t page = headers.base + 4096 + FB_HEADER_NAMES_MAX * UINT64_C(2048) + 4096, last;
    for (uint64_t at = 0; at < sizeof(header); at++) {
        unsigned char byte, changed;
        assert_int_equal(pread(headers.file, &byte, 1, (off_t)(page + at)), 1);
        changed = byte ^ 0x10;
        assert_int_equal(pwrite(headers.file, &changed, 1, (off_t)(page + at)), 1);
        assert_int_equal(scan_count(&headers, &last), 0);
        assert_int_equal(pwrite(headers.file, &byte, 1, (off_t)(page + at)), 1);
        assert_int_equal(scan_count(&headers, &last), 1);
    }
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

static void table_of_others_is_empty(void **state)
{
    (void)state;
    struct temporary temporary;
    temporary_begin(&temporary);
    struct fb_settings settings = settings_make(&temporary, 8);
    uint64_t last;
    for (uint32_t round = 0; round < 3; round++) {
        struct fb_headers headers = headers_open(&settings);
        const struct fb_header header = header_make(5, 64, 64);
        assert_true(headers.is_new);
        assert_int_equal(scan_count(&headers, &last), 0);
        fb_headers_put(&headers, &header);
        fb_headers_close(&headers);
        headers = headers_open(&settings);
        assert_false(headers.is_new);
        assert_int_equal(scan_count(&headers, &last), 1);
        fb_headers_close(&headers);
        if (round == 0)
            strcpy(settings.cluster, "other");
        else
            settings.core.device_size_bytes = 7 * (uint64_t)BLOCK;
    }
    temporary_end(&temporary);
}

static void newest_names_are_known_again(void **state)
{
    (void)state;
    enum { OBJECTS = FB_HEADER_NAMES_MAX + 10 };
    struct temporary temporary;
    temporary_begin(&temporary);
    const struct fb_settings settings = settings_make(&temporary, 4);
    struct fb_headers headers = headers_open(&settings);
    static struct fb_object objects[OBJECTS];
    for (uint32_t i = 0; i < OBJECTS; i++) {
        objects[i] = (struct fb_object){.version = 100 + i};
        objects[i].name_length = (uint32_t)snprintf(objects[i].name, 64, "folder/%u", i);
        fb_object_identify(&objects[i]);
        assert_int_equal(fb_headers_name_put(&headers, &objects[i]), FB_OK);
        assert_int_equal(fb_headers_name_put(&headers, &objects[i]), FB_OK); /* once is enough */
    }
    fb_headers_close(&headers);
    struct fb_objects known;
    headers = headers_open(&settings);
    assert_true(fb_objects_open(&known, 2 * OBJECTS));
    assert_int_equal(fb_headers_names_load(&headers, &known), FB_HEADER_NAMES_MAX);
    assert_int_equal(headers.name_sequence, OBJECTS);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const struct fb_object *object = fb_objects_find(&known, objects[i].handle);
        assert_int_equal(object != NULL, i >= OBJECTS - FB_HEADER_NAMES_MAX);
        if (object != NULL)
            assert_string_equal(object->name, objects[i].name);
    }
    fb_objects_close(&known);
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_found_by_the_next_open),
        cmocka_unit_test(header_with_any_byte_changed_is_none),
        cmocka_unit_test(table_of_others_is_empty),
        cmocka_unit_test(newest_names_are_known_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
