/* A drive in memory in place of hw/drive/drive_io.c's: it remembers each write and each sync, so
 * that a loss of power can be played at every moment, with what was not synced lost, torn or kept.
 * */
#ifndef FB_TESTS_HW_FAKE_DRIVE_H
#define FB_TESTS_HW_FAKE_DRIVE_H

#include "hw/drive/drive_io.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAKE_FILE = 77,
    FAKE_BYTES_MAX = 8 << 20,
    FAKE_PAGE = 4096,
    FAKE_SECTOR = 512,
    FAKE_EVENTS_MAX = 4096,
    FAKE_STORE_BYTES = 48 << 20
};

enum fake_kind { FAKE_WRITE, FAKE_SYNC, FAKE_NOTE };

/* NOTE: the test's own, at that moment. */
struct fake_event {
    enum fake_kind kind;
    uint64_t offset, size;
    uint32_t at; /* of the bytes in the store */
    uint32_t note, detail;
};

struct fake_drive {
    unsigned char bytes[FAKE_BYTES_MAX];
    uint64_t size;
    bool is_used[FAKE_BYTES_MAX / FAKE_PAGE]; /* pages that were ever written */
    struct fake_event events[FAKE_EVENTS_MAX];
    uint32_t event_count, stored;
    unsigned char store[FAKE_STORE_BYTES];
    uint64_t writes; /* of all time */
};

static struct fake_drive fake;

static inline struct fake_event *fake_event(enum fake_kind kind)
{
    assert_true(fake.event_count < FAKE_EVENTS_MAX);
    struct fake_event *event = &fake.events[fake.event_count++];
    *event = (struct fake_event){.kind = kind};
    return event;
}

static inline void fake_note(uint32_t note, uint32_t detail)
{
    struct fake_event *event = fake_event(FAKE_NOTE);
    event->note = note;
    event->detail = detail;
}

/* Bytes arrive on the drive. */
static inline void fake_put(const void *bytes, uint64_t size, uint64_t offset)
{
    assert_true(offset + size <= FAKE_BYTES_MAX);
    memcpy(fake.bytes + offset, bytes, size);
    for (uint64_t page = offset / FAKE_PAGE; page <= (offset + size - 1) / FAKE_PAGE; page++)
        fake.is_used[page] = true;
}

/* Every page that was ever written is zeros again. */
static inline void fake_clear(void)
{
    for (uint32_t page = 0; page < FAKE_BYTES_MAX / FAKE_PAGE; page++) {
        if (fake.is_used[page])
            memset(fake.bytes + page * FAKE_PAGE, 0, FAKE_PAGE);
    }
}

/* Forgets all that was. */
static inline void fake_begin(void)
{
    fake_clear();
    memset(fake.is_used, 0, sizeof(fake.is_used));
    fake.event_count = fake.stored = 0;
    fake.size = 0;
}

/* A copy of the pages that are used, to come back to. */
struct fake_image {
    unsigned char *bytes;
    uint64_t size;
};

static inline struct fake_image fake_save(void)
{
    struct fake_image image = {.bytes = malloc(FAKE_BYTES_MAX), .size = fake.size};
    assert_non_null(image.bytes);
    memcpy(image.bytes, fake.bytes, FAKE_BYTES_MAX);
    return image;
}

static inline void fake_load(const struct fake_image *image)
{
    for (uint32_t page = 0; page < FAKE_BYTES_MAX / FAKE_PAGE; page++) {
        if (fake.is_used[page])
            memcpy(fake.bytes + page * FAKE_PAGE, image->bytes + page * FAKE_PAGE, FAKE_PAGE);
    }
    fake.size = image->size;
    fake.event_count = fake.stored = 0;
}

int fb_drive_io_open(const char *path)
{
    return path[0] != '\0' ? FAKE_FILE : -ENOENT;
}

void fb_drive_io_close(int file)
{
    assert_int_equal(file, FAKE_FILE);
}

int fb_drive_io_read(int file, void *bytes, uint64_t size_bytes, uint64_t offset)
{
    assert_int_equal(file, FAKE_FILE);
    if (offset + size_bytes > fake.size)
        return -EIO;
    memcpy(bytes, fake.bytes + offset, size_bytes);
    return 0;
}

int fb_drive_io_write(int file, const void *bytes, uint64_t size_bytes, uint64_t offset)
{
    assert_int_equal(file, FAKE_FILE);
    struct fake_event *event = fake_event(FAKE_WRITE);
    assert_true(fake.stored + size_bytes <= FAKE_STORE_BYTES);
    event->offset = offset;
    event->size = size_bytes;
    event->at = fake.stored;
    memcpy(fake.store + fake.stored, bytes, size_bytes);
    fake.stored += (uint32_t)size_bytes;
    fake.writes++;
    fake_put(bytes, size_bytes, offset);
    if (fake.size < offset + size_bytes)
        fake.size = offset + size_bytes;
    return 0;
}

int fb_drive_io_sync(int file)
{
    assert_int_equal(file, FAKE_FILE);
    (void)fake_event(FAKE_SYNC);
    return 0;
}

int fb_drive_io_size(int file, uint64_t *size_bytes)
{
    assert_int_equal(file, FAKE_FILE);
    *size_bytes = fake.size;
    return 0;
}

int fb_drive_io_grow(int file, uint64_t size_bytes, uint64_t *have_bytes)
{
    assert_int_equal(file, FAKE_FILE);
    *have_bytes = FAKE_BYTES_MAX;
    if (size_bytes > FAKE_BYTES_MAX)
        return -ENOSPC;
    if (fake.size < size_bytes)
        fake.size = size_bytes;
    return 0;
}

#endif
