/* hw/drive/headers.c on a file: what was put is found by the next open, in its order and with its
 * names, however many and however long they are; what is not a drive of ours is refused by name.
 * What damage and losses of power do: test_hw_drive_matrix.c.
 * How: a small file, opened anew after each change. */
#include "hw/drive/headers.h"

#include "tests/support/temporary.h"
#include "tests/support/unit.h"

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
    settings.core.recover = 1;
    strcpy(settings.device_path, temporary_write(temporary, "image", ""));
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

/* It is refused for this reason. */
static void open_refused(const struct fb_settings *settings, const char *part)
{
    struct fb_headers headers;
    struct fb_error error = {.text = ""};
    fb_headers_open(&headers, settings, &error);
    fb_headers_close(&headers);
    assert_line_holds(error.text, part);
    assert_line_holds(error.text, "--discard-owed");
}

static struct fb_object object_make(uint64_t number, uint32_t length)
{
    struct fb_object object = {.version = number, .name_length = length};
    memset(object.name, 'n', length);
    object.name[0] = (char)('a' + number % 26);
    fb_object_identify(&object);
    return object;
}

static void owed_put(struct fb_headers *headers, struct fb_header *header,
                     const struct fb_object *object)
{
    header->object = object->handle;
    assert_int_equal(fb_headers_name_put(headers, header->position, object), FB_OK);
    assert_int_equal(fb_headers_put(headers, header), FB_OK);
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
    const struct fb_object object = object_make(7, 40);
    uint64_t last = 0, owed = 0;
    assert_true(headers.is_new);
    assert_int_equal(scan_count(&headers, &last), 0);
    for (uint64_t chunk = 0; chunk < CHUNKS; chunk += 7) {
        struct fb_header header = header_make(chunk, chunk * 64 + 3, 20);
        struct fb_header other = header_make(chunk + 1000, chunk * 64 + 40, 24);
        owed_put(&headers, &header, &object);
        owed_put(&headers, &other, &object);
        owed += 2;
        assert_int_equal(headers.owed_blocks, owed);
    }
    fb_headers_settle(&headers, 40 * UNIT);
    assert_int_equal(headers.owed_blocks, owed - 1);
    fb_headers_close(&headers);
    headers = headers_open(&settings);
    assert_false(headers.is_new);
    assert_int_equal(headers.owed_blocks, owed - 1);
    assert_int_equal(headers.faults + headers.head_faults, 0);
    struct fb_done done = {.status = FB_OK};
    fb_headers_scan(&headers, 0, &done);
    struct fb_header first = header_make(0, 3, 20);
    first.object = object.handle;
    assert_memory_equal(&done.header, &first, offsetof(struct fb_header, checksum));
    fb_headers_scan(&headers, done.next, &done);
    assert_int_equal(done.header.digest, 1001);
    assert_int_equal(done.header.state, FB_HEADER_CLEAN);
    assert_int_equal(scan_count(&headers, &last), 2 * ((CHUNKS + 6) / 7));
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

static void names_of_any_number_and_length_are_known_again(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1,   2,   479, 480,  481,
                                       959, 960, 961, 1023, FB_OBJECT_NAME_MAX};
    enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]), OBJECTS = CHUNKS * 64 };
    struct temporary temporary;
    temporary_begin(&temporary);
    const struct fb_settings settings = settings_make(&temporary, CHUNKS);
    struct fb_headers headers = headers_open(&settings);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const struct fb_object object = object_make(i, lengths[i % LENGTHS]);
        struct fb_header header = header_make(i, i, 1);
        owed_put(&headers, &header, &object);
    }
    fb_headers_close(&headers);
    headers = headers_open(&settings);
    assert_int_equal(headers.owed_blocks, OBJECTS);
    struct fb_done done = {.status = FB_OK};
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const struct fb_object right = object_make(i, lengths[i % LENGTHS]);
        struct fb_object object;
        fb_headers_scan(&headers, done.next, &done);
        assert_int_equal(done.status, FB_OK);
        assert_int_equal(fb_headers_name(&headers, &done.header, &object), FB_HEADER_NAME_FINE);
        assert_string_equal(object.name, right.name);
        assert_true(object.handle == right.handle && object.version == i);
    }
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

static void file_poke(const struct fb_settings *settings, uint64_t offset, const char *text)
{
    int file = open(settings->device_path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, text, strlen(text), (off_t)offset), (int)strlen(text));
    close(file);
}

static void file_of_others_is_refused_by_what_it_is(void **state)
{
    (void)state;
    struct temporary temporary;
    temporary_begin(&temporary);
    struct fb_settings settings = settings_make(&temporary, 8);
    file_poke(&settings, 1080, "some file system");
    open_refused(&settings, "holds something");
    strcpy(settings.device_path, temporary_write(&temporary, "version1", ""));
    file_poke(&settings, settings.core.device_size_bytes, "FBHDR01\n");
    open_refused(&settings, "another version");
    strcpy(settings.device_path, temporary_write(&temporary, "version3", "FBDRIVE3"));
    file_poke(&settings, 4095, "x");
    open_refused(&settings, "another version");
    settings.may_discard_owed = true;
    struct fb_headers headers = headers_open(&settings);
    assert_true(headers.is_new);
    fb_headers_close(&headers);
    settings.may_discard_owed = false;
    headers = headers_open(&settings);
    assert_false(headers.is_new);
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

static void file_cut_short_is_fine_if_the_last_stop_owed_nothing(void **state)
{
    (void)state;
    struct temporary temporary;
    temporary_begin(&temporary);
    const struct fb_settings settings = settings_make(&temporary, 8);
    const struct fb_object object = object_make(1, 5);
    struct fb_header header = header_make(5, 64, 64);
    for (uint32_t round = 0; round < 2; round++) {
        struct fb_headers headers = headers_open(&settings);
        owed_put(&headers, &header, &object);
        if (round == 0)
            fb_headers_settle(&headers, header.position);
        fb_headers_close(&headers);
        assert_int_equal(truncate(settings.device_path, 1 << 20), 0);
        if (round == 1)
            break;
        headers = headers_open(&settings);
        assert_int_equal(headers.cleared, 8 * 64);
        fb_headers_close(&headers);
    }
    open_refused(&settings, "512 headers are damaged in both copies");
    temporary_end(&temporary);
}

/* Nothing is promised with a page that has become unreadable; what was not owed at the stop is not
 * missed by the next start. */
static void page_that_is_damaged_meanwhile_takes_no_promise(void **state)
{
    (void)state;
    struct temporary temporary;
    temporary_begin(&temporary);
    const struct fb_settings settings = settings_make(&temporary, 8);
    const struct fb_object object = object_make(1, 5);
    struct fb_header owed = header_make(5, 64, 64), other = header_make(6, 128, 3);
    other.object = object.handle;
    struct fb_headers headers = headers_open(&settings);
    owed_put(&headers, &owed, &object);
    assert_int_equal(truncate(settings.device_path, (off_t)headers.layout.tables[0]), 0);
    assert_int_equal(fb_headers_name_put(&headers, other.position, &object), FB_OK);
    assert_int_equal(fb_headers_put(&headers, &other), FB_IO);
    assert_int_equal(headers.owed_blocks, 1);
    fb_headers_close(&headers);
    open_refused(&settings, "headers are damaged in both copies");
    struct fb_settings discarding = settings;
    discarding.may_discard_owed = true;
    headers = headers_open(&discarding);
    assert_int_equal(headers.discarded_blocks, 8 * 64);
    owed_put(&headers, &owed, &object);
    fb_headers_settle(&headers, owed.position);
    assert_int_equal(truncate(settings.device_path, (off_t)headers.layout.tables[0]), 0);
    assert_int_equal(fb_headers_put(&headers, &other), FB_IO);
    fb_headers_close(&headers);
    headers = headers_open(&settings);
    assert_int_equal(headers.cleared, 8 * 64);
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

static void identities_are_set(const struct fb_headers *headers, struct fb_identities knows)
{
    assert_true(fb_key_equal(headers->head.knows.origin, knows.origin));
    assert_true(fb_key_equal(headers->head.knows.store, knows.store));
}

/* A head that knows nothing is what the release before wrote: zeros up to its checksum. */
static void head_of_the_release_before_is_read_and_filled_in(void **state)
{
    (void)state;
    enum { KNOWN_AT = 8 + 48 + FB_CLUSTER_NAME_MAX, CHECKSUM_AT = 512 - 8 };
    struct temporary temporary;
    temporary_begin(&temporary);
    const struct fb_settings settings = settings_make(&temporary, CHUNKS);
    const struct fb_identities none = {.origin = {.high = 0}};
    const struct fb_identities knows = {.origin = {.high = 1, .low = 2}, .store = {.low = 3}};
    struct fb_error error = {.text = ""};
    unsigned char page[FB_DRIVE_PAGE_BYTES], zeros[CHECKSUM_AT - KNOWN_AT] = {0};
    struct fb_headers headers = headers_open(&settings);
    fb_headers_close(&headers);
    int file = open(settings.device_path, O_RDONLY);
    assert_int_equal(pread(file, page, sizeof(page), 0), sizeof(page));
    close(file);
    assert_memory_equal(page, "FBDRIVE2", 8);
    assert_memory_equal(page + KNOWN_AT, zeros, sizeof(zeros));
    headers = headers_open(&settings);
    identities_are_set(&headers, none);
    fb_headers_know(&headers, &knows, false, &error);
    assert_false(fb_error_is_set(&error));
    fb_headers_close(&headers);
    headers = headers_open(&settings);
    assert_int_equal(headers.head_faults, 0);
    identities_are_set(&headers, knows);
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

/* Another origin's: what is cached goes, what is owed stays; also when it is formed anew. */
static void drive_of_another_origin_forgets_what_it_caches(void **state)
{
    (void)state;
    struct temporary temporary;
    temporary_begin(&temporary);
    struct fb_settings settings = settings_make(&temporary, CHUNKS);
    const struct fb_identities knows = {.origin = {.high = 4}, .store = {.low = 5}};
    struct fb_error error = {.text = ""};
    struct fb_headers headers = headers_open(&settings);
    const struct fb_object object = object_make(7, 40);
    struct fb_header owed = header_make(1, 3, 20), cached = header_make(2, 64 + 3, 20);
    uint64_t last = 0;
    owed_put(&headers, &owed, &object);
    cached.state = FB_HEADER_CLEAN;
    assert_int_equal(fb_headers_put(&headers, &cached), FB_OK);
    assert_int_equal(scan_count(&headers, &last), 2);
    fb_headers_close(&headers);
    headers = headers_open(&settings);
    fb_headers_know(&headers, &knows, true, &error);
    assert_false(fb_error_is_set(&error));
    assert_int_equal(scan_count(&headers, &last), 1);
    assert_int_equal(last, owed.digest);
    assert_int_equal(headers.owed_bytes, owed.size);
    fb_headers_settle(&headers, owed.position);
    fb_headers_close(&headers);
    settings.core.device_size_bytes /= 2;
    headers = headers_open(&settings);
    assert_true(headers.is_new);
    identities_are_set(&headers, knows);
    fb_headers_close(&headers);
    temporary_end(&temporary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_found_by_the_next_open),
        cmocka_unit_test(names_of_any_number_and_length_are_known_again),
        cmocka_unit_test(file_of_others_is_refused_by_what_it_is),
        cmocka_unit_test(page_that_is_damaged_meanwhile_takes_no_promise),
        cmocka_unit_test(file_cut_short_is_fine_if_the_last_stop_owed_nothing),
        cmocka_unit_test(head_of_the_release_before_is_read_and_filled_in),
        cmocka_unit_test(drive_of_another_origin_forgets_what_it_caches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
