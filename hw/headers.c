/* See headers.h. */
#include "hw/headers.h"

#include "core/panic.h"
#include "hw/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define HEADERS_MAGIC "FBHDR01\n"

enum { PAGE_BYTES = 4096, NAME_BYTES = 2048, SCAN_PAGES = 64 };

struct superblock {
    char magic[8];
    uint64_t device_size_bytes, block_size_bytes;
    uint64_t cluster; /* XXH3 of its name */
    uint64_t checksum;
};

struct name_record {
    uint64_t checksum; /* XXH3 of what follows */
    uint64_t sequence; /* 0: none */
    uint64_t handle, version;
    uint32_t length, reserved;
    char name[FB_OBJECT_NAME_MAX];
};

static_assert(sizeof(struct name_record) <= NAME_BYTES, "a slot of the names");

static uint64_t names_offset(const struct fb_headers *headers)
{
    return headers->base + PAGE_BYTES;
}

static uint64_t page_offset(const struct fb_headers *headers, uint64_t chunk)
{
    FB_ASSERT(chunk < headers->chunks);
    uint64_t first = names_offset(headers) + (uint64_t)FB_HEADER_NAMES_MAX * NAME_BYTES;
    return first + chunk * PAGE_BYTES;
}

uint64_t fb_headers_size_bytes(uint64_t device_size_bytes, uint64_t block_size_bytes)
{
    if (device_size_bytes == 0)
        return 0;
    return PAGE_BYTES + (uint64_t)FB_HEADER_NAMES_MAX * NAME_BYTES +
           device_size_bytes / block_size_bytes * PAGE_BYTES;
}

/* 0, or -errno; a file that ends too early is EIO. */
static int read_all(int file, void *bytes, uint64_t size, uint64_t offset)
{
    for (uint64_t at = 0; at < size;) {
        ssize_t part = pread(file, (char *)bytes + at, size - at, (off_t)(offset + at));
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return part < 0 ? -errno : -EIO;
        at += (uint64_t)part;
    }
    return 0;
}

static int write_all(int file, const void *bytes, uint64_t size, uint64_t offset)
{
    for (uint64_t at = 0; at < size;) {
        ssize_t part = pwrite(file, (const char *)bytes + at, size - at, (off_t)(offset + at));
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return -errno;
        at += (uint64_t)part;
    }
    return 0;
}

static uint64_t header_checksum(const struct fb_header *header)
{
    return XXH3_64bits(header, offsetof(struct fb_header, checksum));
}

/* Is it what this daemon wrote there? */
static bool header_is_fine(const struct fb_headers *headers, uint64_t chunk, uint32_t unit,
                           const struct fb_header *header)
{
    uint64_t room = (FB_UNITS_PER_CHUNK - unit) * headers->unit_bytes;
    return header->checksum == header_checksum(header) && header->size > 0 &&
           header->size <= room &&
           header->position == chunk * headers->block_bytes + unit * headers->unit_bytes;
}

static void page_clean(const struct fb_headers *headers, uint64_t chunk,
                       struct fb_header_page *page)
{
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        struct fb_header *header = &page->headers[unit];
        if (header->state != FB_HEADER_NONE && !header_is_fine(headers, chunk, unit, header))
            *header = (struct fb_header){.state = FB_HEADER_NONE};
    }
}

static int page_read(const struct fb_headers *headers, uint64_t chunk, struct fb_header_page *page)
{
    int code = read_all(headers->file, page, sizeof(*page), page_offset(headers, chunk));
    if (code == 0)
        page_clean(headers, chunk, page);
    return code;
}

static int page_write(const struct fb_headers *headers, uint64_t chunk,
                      const struct fb_header_page *page)
{
    return write_all(headers->file, page, sizeof(*page), page_offset(headers, chunk));
}

static enum fb_status log_failure(const char *what, int code)
{
    if (code != 0)
        fb_log(FB_LOG_WARNING, "headers_error", "op=%s reason=\"%s\"", what, strerror(-code));
    return code == 0 ? FB_OK : FB_IO;
}

static struct superblock superblock_of(const struct fb_settings *settings)
{
    struct superblock block = {.device_size_bytes = settings->core.device_size_bytes,
                               .block_size_bytes = settings->core.block_size_bytes,
                               .cluster =
                                   XXH3_64bits(settings->cluster, strlen(settings->cluster))};
    memcpy(block.magic, HEADERS_MAGIC, sizeof(block.magic));
    block.checksum = XXH3_64bits(&block, offsetof(struct superblock, checksum));
    return block;
}

/* Nothing of an older table may be found in the new one. */
static int table_clear(const struct fb_headers *headers, uint64_t size_bytes)
{
    if (fallocate(headers->file, FALLOC_FL_ZERO_RANGE, (off_t)headers->base, (off_t)size_bytes) ==
        0)
        return 0;
    void *zeros = calloc(SCAN_PAGES, PAGE_BYTES);
    int code = zeros == NULL ? -ENOMEM : 0;
    for (uint64_t at = 0; at < size_bytes && code == 0; at += SCAN_PAGES * PAGE_BYTES) {
        uint64_t left = size_bytes - at;
        uint64_t part = left < SCAN_PAGES * PAGE_BYTES ? left : SCAN_PAGES * PAGE_BYTES;
        code = write_all(headers->file, zeros, part, headers->base + at);
    }
    free(zeros);
    return code;
}

void fb_headers_open(struct fb_headers *headers, const struct fb_settings *settings,
                     struct fb_error *error)
{
    const struct fb_config *core = &settings->core;
    *headers = (struct fb_headers){.file = -1,
                                   .base = core->device_size_bytes,
                                   .chunks = core->device_size_bytes / core->block_size_bytes,
                                   .block_bytes = core->block_size_bytes,
                                   .unit_bytes = core->block_size_bytes / FB_UNITS_PER_CHUNK};
    if (settings->device_path[0] == '\0')
        return;
    uint64_t size_bytes = fb_headers_size_bytes(core->device_size_bytes, core->block_size_bytes);
    const struct superblock ours = superblock_of(settings);
    struct superblock found;
    headers->file = open(settings->device_path, O_RDWR | O_CLOEXEC);
    int code = headers->file < 0 ? -errno : 0;
    if (code == 0)
        code = read_all(headers->file, &found, sizeof(found), headers->base);
    headers->is_new = code == 0 && memcmp(&found, &ours, sizeof(ours)) != 0;
    if (headers->is_new)
        code = table_clear(headers, size_bytes);
    if (headers->is_new && code == 0)
        code = write_all(headers->file, &ours, sizeof(ours), headers->base);
    if (code != 0)
        fb_error_set(error, "device.path %s: its table of headers: %s", settings->device_path,
                     strerror(-code));
}

void fb_headers_close(struct fb_headers *headers)
{
    if (headers->file >= 0)
        close(headers->file);
    free(headers->scan);
    headers->scan = NULL;
    headers->file = -1;
}

enum fb_status fb_headers_put(struct fb_headers *headers, const struct fb_header *header)
{
    struct fb_header_page page;
    struct fb_header own = *header;
    uint64_t chunk = header->position / headers->block_bytes;
    own.checksum = header_checksum(&own);
    int code = page_read(headers, chunk, &page);
    if (code == 0) {
        fb_header_put(&page, headers->unit_bytes, &own);
        code = page_write(headers, chunk, &page);
    }
    return log_failure("put", code);
}

void fb_headers_settle(struct fb_headers *headers, uint64_t position)
{
    struct fb_header_page page;
    uint64_t chunk = position / headers->block_bytes;
    uint64_t unit = position / headers->unit_bytes % FB_UNITS_PER_CHUNK;
    int code = page_read(headers, chunk, &page);
    if (code == 0 && page.headers[unit].state == FB_HEADER_OWED) {
        fb_header_settle(&page, headers->unit_bytes, position);
        page.headers[unit].checksum = header_checksum(&page.headers[unit]);
        code = page_write(headers, chunk, &page);
    }
    (void)log_failure("settle", code);
}

/* The page of a chunk, of those that were read together. Errors: -errno. */
static int scan_read(struct fb_headers *headers, uint64_t chunk)
{
    if (headers->scan != NULL && chunk >= headers->scan_first &&
        chunk < headers->scan_first + headers->scan_count)
        return 0;
    if (headers->scan == NULL)
        headers->scan = malloc(SCAN_PAGES * sizeof(*headers->scan));
    if (headers->scan == NULL)
        return -ENOMEM;
    uint64_t left = headers->chunks - chunk;
    headers->scan_first = chunk;
    headers->scan_count = left < SCAN_PAGES ? left : SCAN_PAGES;
    int code = read_all(headers->file, headers->scan, headers->scan_count * PAGE_BYTES,
                        page_offset(headers, chunk));
    for (uint64_t i = 0; i < headers->scan_count && code == 0; i++)
        page_clean(headers, chunk + i, &headers->scan[i]);
    if (code != 0)
        headers->scan_count = 0;
    return code;
}

void fb_headers_scan(struct fb_headers *headers, uint64_t cursor, struct fb_done *done)
{
    uint32_t from = (uint32_t)(cursor % FB_UNITS_PER_CHUNK), unit = FB_NONE;
    uint64_t chunk = headers->file >= 0 ? cursor / FB_UNITS_PER_CHUNK : headers->chunks;
    int code = 0;
    for (; chunk < headers->chunks && code == 0; chunk++, from = 0) {
        code = scan_read(headers, chunk);
        if (code == 0)
            unit = fb_header_next(&headers->scan[chunk - headers->scan_first], from);
        if (unit != FB_NONE)
            break;
    }
    done->status = code != 0 ? log_failure("scan", code) : unit == FB_NONE ? FB_ABSENT : FB_OK;
    if (done->status == FB_OK) {
        done->header = headers->scan[chunk - headers->scan_first].headers[unit];
        done->next = chunk * FB_UNITS_PER_CHUNK + unit + 1;
        return;
    }
    free(headers->scan); /* it is over */
    headers->scan = NULL;
}

static uint64_t name_checksum(const struct name_record *record)
{
    const char *from = (const char *)record + sizeof(record->checksum);
    return XXH3_64bits(from, sizeof(*record) - sizeof(record->checksum));
}

enum fb_status fb_headers_name_put(struct fb_headers *headers, const struct fb_object *object)
{
    FB_ASSERT(object->name_length <= FB_OBJECT_NAME_MAX);
    for (uint32_t i = 0; i < FB_HEADER_NAMES_MAX; i++) {
        if (headers->name_sequence > 0 && headers->names[i] == object->handle)
            return FB_OK;
    }
    struct name_record record = {.sequence = headers->name_sequence + 1,
                                 .handle = object->handle,
                                 .version = object->version,
                                 .length = object->name_length};
    memcpy(record.name, object->name, object->name_length);
    record.checksum = name_checksum(&record);
    uint64_t slot = record.sequence % FB_HEADER_NAMES_MAX;
    int code = write_all(headers->file, &record, sizeof(record),
                         names_offset(headers) + slot * NAME_BYTES);
    if (code == 0) {
        headers->name_sequence = record.sequence;
        headers->names[slot] = object->handle;
    }
    return log_failure("name", code);
}

uint32_t fb_headers_names_load(struct fb_headers *headers, struct fb_objects *objects)
{
    uint32_t count = 0;
    for (uint64_t slot = 0; headers->file >= 0 && slot < FB_HEADER_NAMES_MAX; slot++) {
        struct name_record record;
        int code = read_all(headers->file, &record, sizeof(record),
                            names_offset(headers) + slot * NAME_BYTES);
        if (code != 0 || record.sequence == 0 || record.checksum != name_checksum(&record) ||
            !fb_object_name_is_fine(record.name, record.length))
            continue;
        struct fb_object object = {.version = record.version, .name_length = record.length};
        memcpy(object.name, record.name, record.length);
        fb_object_identify(&object);
        if (object.handle != record.handle || fb_objects_add(objects, &object) == NULL)
            continue;
        headers->names[slot] = record.handle;
        if (record.sequence > headers->name_sequence)
            headers->name_sequence = record.sequence;
        count++;
    }
    return count;
}
