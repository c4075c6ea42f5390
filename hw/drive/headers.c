/* See headers.h. */
#include "hw/drive/headers_internal.h"

#include "core/panic.h"
#include "hw/drive/drive_io.h"
#include "hw/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { SECTOR_BYTES = 512, NAME_PART_BYTES = 480, NAME_PARTS = 3 };

/* A sector of a name. */
struct name_part {
    uint64_t checksum; /* of what follows */
    uint64_t handle, version;
    uint32_t length, part; /* length: of the whole name */
    char text[NAME_PART_BYTES];
};

static_assert(sizeof(struct name_part) == SECTOR_BYTES, "it arrives whole or not at all");
static_assert(NAME_PARTS * SECTOR_BYTES == FB_DRIVE_NAME_BYTES, "a unit's room for a name");
static_assert(NAME_PARTS * NAME_PART_BYTES >= FB_OBJECT_NAME_MAX, "every name fits");
static_assert(sizeof(struct fb_header_page) == FB_DRIVE_PAGE_BYTES, "a page of the drive");

/* Good at one place of these tables only. */
static uint64_t place_seed(const struct fb_headers *headers, uint64_t chunk, uint32_t unit)
{
    return headers->head.identity + chunk * FB_UNITS_PER_CHUNK + unit;
}

static uint64_t header_checksum(const struct fb_headers *headers, uint64_t chunk, uint32_t unit,
                                const struct fb_header *header)
{
    return XXH3_64bits_withSeed(header, offsetof(struct fb_header, checksum),
                                place_seed(headers, chunk, unit));
}

/* Is it what this daemon wrote there? */
static bool header_is_fine(const struct fb_headers *headers, uint64_t chunk, uint32_t unit,
                           const struct fb_header *header)
{
    const struct fb_drive_layout *layout = &headers->layout;
    uint64_t room = (FB_UNITS_PER_CHUNK - unit) * layout->unit_bytes;
    if (header->checksum != header_checksum(headers, chunk, unit, header) ||
        header->state > FB_HEADER_OWED)
        return false;
    return header->state == FB_HEADER_NONE ||
           (header->size > 0 && header->size <= room &&
            header->position == chunk * layout->block_bytes + unit * layout->unit_bytes);
}

static uint64_t page_fine(const struct fb_headers *headers, uint64_t chunk,
                          const struct fb_header_page *page)
{
    uint64_t fine = 0;
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++)
        fine |= (uint64_t)header_is_fine(headers, chunk, unit, &page->headers[unit]) << unit;
    return fine;
}

uint64_t headers_join(const struct fb_headers *headers, uint64_t chunk, struct fb_header_page *page,
                      const struct fb_header_page *second, uint64_t *faults)
{
    uint64_t fine = page_fine(headers, chunk, page), second_fine = fine;
    if (memcmp(page, second, sizeof(*page)) != 0)
        second_fine = page_fine(headers, chunk, second);
    *faults += (uint64_t)__builtin_popcountll(fine ^ second_fine);
    return fb_header_join(page, fine, second, second_fine);
}

void headers_seal(const struct fb_headers *headers, uint64_t chunk, struct fb_header_page *page)
{
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        struct fb_header *header = &page->headers[unit];
        header->checksum = header_checksum(headers, chunk, unit, header);
    }
}

static uint64_t page_offset(const struct fb_headers *headers, uint32_t table, uint64_t chunk)
{
    FB_ASSERT(table < FB_DRIVE_TABLES);
    FB_ASSERT(chunk < headers->layout.chunks);
    return headers->layout.tables[table] + chunk * FB_DRIVE_PAGE_BYTES;
}

void headers_read(const struct fb_headers *headers, uint32_t table, uint64_t chunk, uint64_t count,
                  struct fb_header_page *pages)
{
    FB_ASSERT(count <= HEADERS_SCAN_PAGES && chunk + count <= headers->layout.chunks);
    if (fb_drive_io_read(headers->file, pages, count * sizeof(*pages),
                         page_offset(headers, table, chunk)) == 0)
        return;
    for (uint64_t i = 0; i < count; i++) {
        if (fb_drive_io_read(headers->file, &pages[i], sizeof(pages[i]),
                             page_offset(headers, table, chunk + i)) != 0)
            memset(&pages[i], 0, sizeof(pages[i])); /* no header: even an empty one has a sum */
    }
}

int headers_write(const struct fb_headers *headers, uint32_t table, uint64_t chunk, uint64_t count,
                  const struct fb_header_page *pages)
{
    FB_ASSERT(count > 0 && chunk + count <= headers->layout.chunks);
    return fb_drive_io_write(headers->file, pages, count * sizeof(*pages),
                             page_offset(headers, table, chunk));
}

static enum fb_status log_failure(const char *what, int code)
{
    if (code != 0)
        fb_log(FB_LOG_WARNING, "headers_error", "op=%s reason=\"%s\"", what, strerror(-code));
    return code == 0 ? FB_OK : FB_IO;
}

static uint64_t name_offset(const struct fb_headers *headers, uint64_t position)
{
    return headers->layout.names + position / headers->layout.unit_bytes * FB_DRIVE_NAME_BYTES;
}

static uint64_t name_checksum(const struct fb_headers *headers, uint64_t position,
                              const struct name_part *part)
{
    const struct fb_drive_layout *layout = &headers->layout;
    const char *from = (const char *)part + sizeof(part->checksum);
    uint32_t unit = (uint32_t)(position / layout->unit_bytes % FB_UNITS_PER_CHUNK);
    return XXH3_64bits_withSeed(from, sizeof(*part) - sizeof(part->checksum),
                                place_seed(headers, position / layout->block_bytes, unit));
}

static uint32_t name_parts(uint32_t length)
{
    return (length + NAME_PART_BYTES - 1) / NAME_PART_BYTES;
}

static uint32_t name_part_bytes(uint32_t length, uint32_t part)
{
    uint32_t left = length - part * NAME_PART_BYTES;
    return left < NAME_PART_BYTES ? left : NAME_PART_BYTES;
}

/* Before the first block is owed the head says that some may be. Errors: -errno. */
static int use_begin(struct fb_headers *headers)
{
    if (headers->head.state == FB_HEAD_IN_USE)
        return 0;
    struct fb_head head = headers->head;
    head.state = FB_HEAD_IN_USE;
    int code = fb_heads_write(headers->file, &head, headers->settings->cluster);
    headers->head.sequence = head.sequence; /* some copies may have it */
    headers->head.state = code == 0 ? FB_HEAD_IN_USE : headers->head.state;
    return code;
}

enum fb_status fb_headers_name_put(struct fb_headers *headers, uint64_t position,
                                   const struct fb_object *object)
{
    struct name_part parts[NAME_PARTS];
    uint32_t count = name_parts(object->name_length);
    FB_ASSERT(count > 0 && count <= NAME_PARTS);
    memset(parts, 0, sizeof(parts));
    for (uint32_t i = 0; i < count; i++) {
        parts[i].handle = object->handle;
        parts[i].version = object->version;
        parts[i].length = object->name_length;
        parts[i].part = i;
        memcpy(parts[i].text, object->name + i * NAME_PART_BYTES,
               name_part_bytes(object->name_length, i));
        parts[i].checksum = name_checksum(headers, position, &parts[i]);
    }
    int code = use_begin(headers);
    if (code == 0)
        code = fb_drive_io_write(headers->file, parts, count * sizeof(parts[0]),
                                 name_offset(headers, position));
    return log_failure("name", code);
}

/* A part of the right name, of another, or of none. */
static enum fb_header_name part_judge(const struct fb_headers *headers,
                                      const struct fb_header *header, const struct name_part *part,
                                      uint32_t index)
{
    if (part->checksum != name_checksum(headers, header->position, part))
        return FB_HEADER_NAME_DAMAGED;
    bool is_right = part->handle == header->object && part->part == index && part->length > 0 &&
                    part->length <= FB_OBJECT_NAME_MAX;
    return is_right ? FB_HEADER_NAME_FINE : FB_HEADER_NAME_OTHERS;
}

enum fb_header_name fb_headers_name(const struct fb_headers *headers,
                                    const struct fb_header *header, struct fb_object *object)
{
    struct name_part parts[NAME_PARTS];
    enum fb_header_name worst = FB_HEADER_NAME_FINE;
    if (fb_drive_io_read(headers->file, parts, sizeof(parts),
                         name_offset(headers, header->position)) != 0)
        return FB_HEADER_NAME_DAMAGED;
    uint32_t count = NAME_PARTS; /* until the first part tells */
    *object = (struct fb_object){.name_length = 0};
    for (uint32_t i = 0; i < count; i++) {
        enum fb_header_name judged = part_judge(headers, header, &parts[i], i);
        if (judged == FB_HEADER_NAME_OTHERS)
            return judged;
        if (judged == FB_HEADER_NAME_DAMAGED)
            worst = judged;
        if (judged != FB_HEADER_NAME_FINE || worst != FB_HEADER_NAME_FINE)
            continue;
        count = name_parts(parts[0].length);
        object->version = parts[0].version;
        object->name_length = parts[0].length;
        memcpy(object->name + i * NAME_PART_BYTES, parts[i].text,
               name_part_bytes(parts[0].length, i));
    }
    if (worst != FB_HEADER_NAME_FINE)
        return worst;
    fb_object_identify(object);
    bool is_fine = object->handle == header->object &&
                   fb_object_name_is_fine(object->name, object->name_length);
    return is_fine ? FB_HEADER_NAME_FINE : FB_HEADER_NAME_DAMAGED;
}

/* A page of both tables for a change. */
struct page_change {
    struct fb_header_page page;
    uint64_t chunk, unknown, owed_bytes;
    uint32_t owed_blocks;
};

static void change_begin(struct fb_headers *headers, uint64_t chunk, struct page_change *change)
{
    struct fb_header_page second;
    uint64_t faults = 0;
    change->chunk = chunk;
    headers_read(headers, 0, chunk, 1, &change->page);
    headers_read(headers, 1, chunk, 1, &second);
    change->unknown = headers_join(headers, chunk, &change->page, &second, &faults);
    headers->faults += faults;
    change->owed_bytes = fb_header_owed_bytes(&change->page, &change->owed_blocks);
}

/* replaced: a bit map of the headers that the change is about. A page of which others have become
 * unreadable since the start is left as it is: nothing can be promised with it, and what it owed is
 * for the next start to refuse. Errors: -errno. */
static int change_end(struct fb_headers *headers, struct page_change *change, uint64_t replaced)
{
    uint32_t owed_blocks;
    uint64_t owed_bytes = fb_header_owed_bytes(&change->page, &owed_blocks);
    if (change->unknown & ~replaced)
        return -EIO;
    headers_seal(headers, change->chunk, &change->page);
    int code = headers_write(headers, 0, change->chunk, 1, &change->page);
    if (code == 0)
        code = headers_write(headers, 1, change->chunk, 1, &change->page);
    if (code == 0) {
        headers->owed_blocks += owed_blocks - (uint64_t)change->owed_blocks;
        headers->owed_bytes += owed_bytes - change->owed_bytes;
    }
    return code;
}

static uint64_t bits_of(uint32_t first, uint32_t count)
{
    FB_ASSERT(count > 0 && first + count <= FB_UNITS_PER_CHUNK);
    return UINT64_MAX >> (FB_UNITS_PER_CHUNK - count) << first;
}

enum fb_status fb_headers_put(struct fb_headers *headers, const struct fb_header *header)
{
    struct page_change change;
    const struct fb_drive_layout *layout = &headers->layout;
    uint32_t first = (uint32_t)(header->position / layout->unit_bytes % FB_UNITS_PER_CHUNK);
    uint64_t count = (header->size + layout->unit_bytes - 1) / layout->unit_bytes;
    change_begin(headers, header->position / layout->block_bytes, &change);
    fb_header_put(&change.page, layout->unit_bytes, header);
    return log_failure("put", change_end(headers, &change, bits_of(first, (uint32_t)count)));
}

void fb_headers_settle(struct fb_headers *headers, uint64_t position)
{
    struct page_change change;
    uint64_t unit = position / headers->layout.unit_bytes % FB_UNITS_PER_CHUNK;
    change_begin(headers, position / headers->layout.block_bytes, &change);
    if (change.page.headers[unit].state != FB_HEADER_OWED)
        return;
    fb_header_settle(&change.page, headers->layout.unit_bytes, position);
    (void)log_failure("settle", change_end(headers, &change, 0));
}

/* The page of a chunk, of those that were read together. What has become unreadable since the start
 * is said, and its bytes are as lost as their drive. */
static void scan_read(struct fb_headers *headers, uint64_t chunk)
{
    uint64_t unknown = 0;
    if (chunk >= headers->scan_first && chunk < headers->scan_first + headers->scan_count)
        return;
    FB_ASSERT(headers->scan != NULL && headers->scan_other != NULL);
    uint64_t left = headers->layout.chunks - chunk;
    headers->scan_first = chunk;
    headers->scan_count = left < HEADERS_SCAN_PAGES ? left : HEADERS_SCAN_PAGES;
    headers_read(headers, 0, chunk, headers->scan_count, headers->scan);
    headers_read(headers, 1, chunk, headers->scan_count, headers->scan_other);
    for (uint64_t i = 0; i < headers->scan_count; i++)
        unknown += (uint64_t)__builtin_popcountll(headers_join(
            headers, chunk + i, &headers->scan[i], &headers->scan_other[i], &headers->faults));
    if (unknown > 0)
        fb_log(FB_LOG_ERROR, "headers_unreadable", "count=%llu", (unsigned long long)unknown);
}

void fb_headers_scan(struct fb_headers *headers, uint64_t cursor, struct fb_done *done)
{
    uint32_t from = (uint32_t)(cursor % FB_UNITS_PER_CHUNK), unit = FB_NONE;
    uint64_t chunks = headers->file >= 0 ? headers->layout.chunks : 0;
    uint64_t chunk = cursor / FB_UNITS_PER_CHUNK;
    if (cursor == 0) /* once more: what was read before may have been settled since */
        headers->scan_count = 0;
    for (; chunk < chunks; chunk++, from = 0) {
        scan_read(headers, chunk);
        unit = fb_header_next(&headers->scan[chunk - headers->scan_first], from);
        if (unit != FB_NONE)
            break;
    }
    done->status = unit == FB_NONE ? FB_ABSENT : FB_OK;
    if (done->status != FB_OK)
        return;
    done->header = headers->scan[chunk - headers->scan_first].headers[unit];
    done->next = chunk * FB_UNITS_PER_CHUNK + unit + 1;
}

void fb_headers_close(struct fb_headers *headers)
{
    bool is_settled = headers->is_open && headers->owed_blocks == 0;
    free(headers->scan);
    free(headers->scan_other);
    headers->scan = headers->scan_other = NULL;
    if (headers->file < 0)
        return;
    bool was_settled = headers->head.state == FB_HEAD_SETTLED;
    headers->head.state = FB_HEAD_SETTLED;
    if (is_settled && !was_settled)
        (void)log_failure(
            "close", fb_heads_write(headers->file, &headers->head, headers->settings->cluster));
    fb_drive_io_close(headers->file);
    headers->file = -1;
}
