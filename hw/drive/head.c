/* See head.h. */
#include "hw/drive/head.h"

#include "core/panic.h"
#include "hw/drive/drive_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define HEAD_MAGIC "FBDRIVE2"
#define HEAD_MAGIC_ANY "FBDRIVE"  /* of every version from 2 on */
#define HEADERS_MAGIC "FBHDR01\n" /* version 1: a table behind the cache space, and no head */

enum { AREA_BYTES = 1 << 20, SECTOR_BYTES = 512, HEAD_BYTES = 48, HEAD_COPIES_AT_START = 2 };

/* What it knows came later: a page without it, of zeros, knows nothing yet. */
struct head_page {
    char magic[8];
    unsigned char head[HEAD_BYTES];
    char cluster[FB_CLUSTER_NAME_MAX];
    struct fb_identities knows;
    unsigned char room[SECTOR_BYTES - 8 - HEAD_BYTES - FB_CLUSTER_NAME_MAX -
                       sizeof(struct fb_identities) - 8];
    uint64_t checksum; /* XXH3 of what comes before */
    unsigned char zeros[FB_DRIVE_PAGE_BYTES - SECTOR_BYTES];
};

static_assert(offsetof(struct fb_head, knows) == HEAD_BYTES, "stored");
static_assert(sizeof(struct fb_identities) == 32, "stored");
static_assert(sizeof(struct head_page) == FB_DRIVE_PAGE_BYTES, "stored");

struct fb_drive_layout fb_drive_layout_of(uint64_t device_size_bytes, uint64_t block_size_bytes)
{
    uint64_t page = FB_DRIVE_PAGE_BYTES, units = FB_UNITS_PER_CHUNK;
    FB_ASSERT(block_size_bytes >= units);
    struct fb_drive_layout layout = {.chunks = device_size_bytes / block_size_bytes,
                                     .block_bytes = block_size_bytes,
                                     .unit_bytes = block_size_bytes / units,
                                     .space = AREA_BYTES};
    layout.tables[0] = AREA_BYTES + (device_size_bytes + page - 1) / page * page;
    layout.tables[1] = layout.tables[0] + layout.chunks * page;
    layout.names = layout.tables[1] + layout.chunks * page;
    layout.tail = layout.names + layout.chunks * units * FB_DRIVE_NAME_BYTES;
    layout.total_bytes = layout.tail + (FB_HEAD_COPIES - HEAD_COPIES_AT_START) * page;
    FB_ASSERT(layout.tail % page == 0);
    return layout;
}

uint64_t fb_head_offset(const struct fb_drive_layout *layout, uint32_t copy)
{
    uint64_t page = FB_DRIVE_PAGE_BYTES;
    FB_ASSERT(copy < FB_HEAD_COPIES);
    return copy < HEAD_COPIES_AT_START ? copy * page
                                       : layout->tail + (copy - HEAD_COPIES_AT_START) * page;
}

struct fb_head fb_head_wanted(const struct fb_settings *settings)
{
    return (struct fb_head){.cluster = XXH3_64bits(settings->cluster, strlen(settings->cluster)),
                            .device_size_bytes = settings->core.device_size_bytes,
                            .block_size_bytes = settings->core.block_size_bytes,
                            .node = settings->node};
}

static bool is_zeros(const void *bytes, uint64_t size)
{
    const unsigned char *at = bytes;
    return at[0] == 0 && memcmp(at, at + 1, size - 1) == 0;
}

static struct fb_head head_take(const struct head_page *page)
{
    struct fb_head head;
    memcpy(&head, page->head, HEAD_BYTES);
    head.knows = page->knows;
    return head;
}

/* Checked through and through: what it says is used to find the tables. */
static bool head_is_fine(const struct head_page *page)
{
    const struct fb_head whole = head_take(page), *head = &whole;
    uint64_t alignment = (uint64_t)FB_UNITS_PER_CHUNK * FB_DRIVE_PAGE_BYTES;
    return memcmp(page->magic, HEAD_MAGIC, sizeof(page->magic)) == 0 &&
           page->checksum == XXH3_64bits(page, offsetof(struct head_page, checksum)) &&
           is_zeros(page->zeros, sizeof(page->zeros)) && head->sequence > 0 &&
           head->state >= FB_HEAD_FORMING && head->state <= FB_HEAD_IN_USE &&
           head->block_size_bytes >= alignment && head->block_size_bytes % alignment == 0 &&
           head->block_size_bytes <= UINT32_MAX &&
           head->device_size_bytes >= head->block_size_bytes &&
           head->device_size_bytes <= UINT64_C(1) << 52 &&
           memchr(page->cluster, '\0', sizeof(page->cluster)) != NULL;
}

/* cluster: of the newest one so far. */
static void copy_take(struct fb_heads *heads, uint32_t copy, const struct head_page *page)
{
    struct fb_head_copy *into = &heads->copies[copy];
    if (is_zeros(page, sizeof(*page))) {
        into->state = FB_HEAD_COPY_EMPTY;
    } else if (head_is_fine(page)) {
        *into = (struct fb_head_copy){.head = head_take(page), .state = FB_HEAD_COPY_FINE};
        heads->chosen = fb_head_choose(heads->copies, FB_HEAD_COPIES);
        if (heads->chosen == copy)
            memcpy(heads->cluster, page->cluster, sizeof(heads->cluster));
    } else {
        bool is_strange = memcmp(page->magic, HEAD_MAGIC_ANY, sizeof(HEAD_MAGIC_ANY) - 1) == 0 &&
                          memcmp(page->magic, HEAD_MAGIC, sizeof(page->magic)) != 0;
        into->state = is_strange ? FB_HEAD_COPY_STRANGE : FB_HEAD_COPY_DAMAGED;
    }
}

/* A copy past the file's end is as empty as one that nobody has written. */
static void copy_read(struct fb_heads *heads, int file, uint32_t copy, uint64_t offset)
{
    struct head_page page;
    uint64_t size_bytes = 0;
    int code = fb_drive_io_size(file, &size_bytes);
    heads->copies[copy] = (struct fb_head_copy){.state = FB_HEAD_COPY_EMPTY};
    if (code == 0 && offset + sizeof(page) > size_bytes)
        return;
    if (code == 0)
        code = fb_drive_io_read(file, &page, sizeof(page), offset);
    if (code == 0) {
        copy_take(heads, copy, &page);
        return;
    }
    heads->copies[copy].state = FB_HEAD_COPY_DAMAGED;
    heads->error = -code;
}

/* Nothing tells of a head: was something else there? A file system, or a cache of version 1. */
static void strangers_look(struct fb_heads *heads, int file, const struct fb_settings *settings)
{
    const struct fb_config *core = &settings->core;
    const struct fb_drive_layout layout =
        fb_drive_layout_of(core->device_size_bytes, core->block_size_bytes);
    char magic[8] = "", table[FB_DRIVE_PAGE_BYTES];
    uint64_t size_bytes = 0;
    if (fb_drive_io_size(file, &size_bytes) != 0)
        return;
    uint64_t area = size_bytes < AREA_BYTES ? size_bytes : AREA_BYTES;
    unsigned char *bytes = area > 0 ? malloc(area) : NULL;
    bool is_used = area > 0 && (bytes == NULL || fb_drive_io_read(file, bytes, area, 0) != 0 ||
                                !is_zeros(bytes, area));
    free(bytes);
    if (fb_drive_io_read(file, table, sizeof(table), layout.tables[0]) == 0)
        is_used = is_used || !is_zeros(table, sizeof(table));
    if (is_used && heads->copies[0].state == FB_HEAD_COPY_EMPTY)
        heads->copies[0].state = FB_HEAD_COPY_DAMAGED;
    if (fb_drive_io_read(file, magic, sizeof(magic), core->device_size_bytes) == 0 &&
        memcmp(magic, HEADERS_MAGIC, sizeof(magic)) == 0)
        heads->copies[0].state = FB_HEAD_COPY_STRANGE;
}

/* The copies at the end of a drive that is cut like this. */
static void tail_read(struct fb_heads *heads, int file, const struct fb_drive_layout *layout)
{
    for (uint32_t i = HEAD_COPIES_AT_START; i < FB_HEAD_COPIES; i++)
        copy_read(heads, file, i, fb_head_offset(layout, i));
}

void fb_heads_read(struct fb_heads *heads, int file, const struct fb_settings *settings)
{
    const struct fb_config *core = &settings->core;
    struct fb_drive_layout layout =
        fb_drive_layout_of(core->device_size_bytes, core->block_size_bytes);
    uint64_t size_bytes = 0, tail_bytes = layout.total_bytes - layout.tail;
    *heads = (struct fb_heads){.chosen = FB_NONE};
    for (uint32_t i = 0; i < HEAD_COPIES_AT_START; i++)
        copy_read(heads, file, i, fb_head_offset(&layout, i));
    if (heads->chosen == FB_NONE)
        tail_read(heads, file, &layout);
    if (heads->chosen == FB_NONE && fb_drive_io_size(file, &size_bytes) == 0 &&
        size_bytes > layout.total_bytes) {
        struct fb_drive_layout other = layout;
        other.tail = size_bytes - tail_bytes;
        tail_read(heads, file, &other);
    }
    if (heads->chosen == FB_NONE) {
        strangers_look(heads, file, settings);
        return;
    }
    const struct fb_head *found = &heads->copies[heads->chosen].head;
    layout = fb_drive_layout_of(found->device_size_bytes, found->block_size_bytes);
    tail_read(heads, file, &layout);
    heads->chosen = fb_head_choose(heads->copies, FB_HEAD_COPIES);
}

int fb_heads_write(int file, struct fb_head *head, const char *cluster)
{
    struct head_page page = {.magic = {0}};
    const struct fb_drive_layout layout =
        fb_drive_layout_of(head->device_size_bytes, head->block_size_bytes);
    int code = 0;
    FB_ASSERT(head->state >= FB_HEAD_FORMING && head->state <= FB_HEAD_IN_USE);
    head->sequence++;
    memcpy(page.magic, HEAD_MAGIC, sizeof(page.magic));
    memcpy(page.head, head, HEAD_BYTES);
    page.knows = head->knows;
    memcpy(page.cluster, cluster, strlen(cluster) + 1);
    page.checksum = XXH3_64bits(&page, offsetof(struct head_page, checksum));
    FB_ASSERT(head_is_fine(&page));
    for (uint32_t i = 0; i < FB_HEAD_COPIES && code == 0; i++)
        code = fb_drive_io_write(file, &page, sizeof(page), fb_head_offset(&layout, i));
    return code == 0 ? fb_drive_io_sync(file) : code;
}

int fb_heads_wipe_tail(int file, const struct fb_head *old, const struct fb_head *head)
{
    static const unsigned char zeros[FB_DRIVE_PAGE_BYTES];
    const struct fb_drive_layout before =
        fb_drive_layout_of(old->device_size_bytes, old->block_size_bytes);
    const struct fb_drive_layout now =
        fb_drive_layout_of(head->device_size_bytes, head->block_size_bytes);
    uint64_t size_bytes = 0;
    int code = fb_drive_io_size(file, &size_bytes);
    for (uint32_t i = HEAD_COPIES_AT_START; i < FB_HEAD_COPIES && code == 0; i++) {
        uint64_t offset = fb_head_offset(&before, i);
        if (before.tail != now.tail && offset + sizeof(zeros) <= size_bytes)
            code = fb_drive_io_write(file, zeros, sizeof(zeros), offset);
    }
    return code;
}
