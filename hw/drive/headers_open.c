/* What is done with the drive that a daemon is started with: its heads are read, its tables looked
 * through from end to end, and core/tier/head.h judges. */
#include "hw/drive/headers_internal.h"

#include "base/process.h"
#include "core/panic.h"
#include "hw/drive/drive_io.h"
#include "hw/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What is to be done while the tables are looked through. */
enum walk { WALK_LOOK, WALK_MEND };

static uint64_t batch_of(const struct fb_headers *headers, uint64_t chunk)
{
    uint64_t left = headers->layout.chunks - chunk;
    return left < HEADERS_SCAN_PAGES ? left : HEADERS_SCAN_PAGES;
}

/* The owed headers of a page and their names. With another object's name it was settled, and that
 * was lost with the power. Returns a bit map of those whose names cannot be read; such a block is a
 * cached one, if the start goes on. *is_changed: some are settled. */
static uint64_t names_walk(const struct fb_headers *headers, struct fb_header_page *page,
                           struct headers_found *found, bool *is_changed)
{
    uint64_t nameless = 0;
    struct fb_object object;
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        struct fb_header *header = &page->headers[unit];
        if (header->state != FB_HEADER_OWED)
            continue;
        enum fb_header_name judged = fb_headers_name(headers, header, &object);
        if (judged == FB_HEADER_NAME_FINE)
            continue;
        if (judged == FB_HEADER_NAME_DAMAGED) {
            nameless |= UINT64_C(1) << unit;
            found->nameless_bytes += header->size;
        }
        fb_header_settle(page, headers->layout.unit_bytes, header->position);
        *is_changed = true;
    }
    return nameless;
}

/* One page of both tables. True: they are to be written again. */
static bool page_walk(const struct fb_headers *headers, uint64_t chunk, struct fb_header_page *page,
                      struct fb_header_page *second, struct headers_found *found)
{
    uint32_t owed_blocks;
    bool is_changed = memcmp(page, second, sizeof(*page)) != 0;
    uint64_t unknown = headers_join(headers, chunk, page, second, &found->faults);
    uint64_t nameless = names_walk(headers, page, found, &is_changed);
    is_changed = is_changed || unknown != 0;
    found->owed_bytes += fb_header_owed_bytes(page, &owed_blocks);
    found->owed_blocks += owed_blocks;
    found->unknown += (uint64_t)__builtin_popcountll(unknown | nameless);
    found->changed += is_changed;
    return is_changed;
}

/* All of both tables; MEND: what differs is made alike, and what is unknown is empty. Errors:
 * -errno. */
static int tables_walk(const struct fb_headers *headers, enum walk walk,
                       struct headers_found *found)
{
    int code = 0;
    *found = (struct headers_found){.owed_blocks = 0};
    for (uint64_t chunk = 0; chunk < headers->layout.chunks && code == 0;) {
        uint64_t count = batch_of(headers, chunk);
        bool is_changed = false;
        headers_read(headers, 0, chunk, count, headers->scan);
        headers_read(headers, 1, chunk, count, headers->scan_other);
        for (uint64_t i = 0; i < count; i++) {
            struct fb_header_page *page = &headers->scan[i];
            if (!page_walk(headers, chunk + i, page, &headers->scan_other[i], found))
                continue;
            headers_seal(headers, chunk + i, page);
            is_changed = true;
        }
        for (uint32_t table = 0; table < FB_DRIVE_TABLES && is_changed && walk == WALK_MEND;
             table++)
            code = code == 0 ? headers_write(headers, table, chunk, count, headers->scan) : code;
        chunk += count;
    }
    return code;
}

/* Every page empty, and known to be. Errors: -errno. */
static int tables_clear(const struct fb_headers *headers)
{
    int code = 0;
    for (uint64_t chunk = 0; chunk < headers->layout.chunks && code == 0;) {
        uint64_t count = batch_of(headers, chunk);
        memset(headers->scan, 0, count * sizeof(*headers->scan));
        for (uint64_t i = 0; i < count; i++)
            headers_seal(headers, chunk + i, &headers->scan[i]);
        for (uint32_t table = 0; table < FB_DRIVE_TABLES && code == 0; table++)
            code = headers_write(headers, table, chunk, count, headers->scan);
        chunk += count;
    }
    return code;
}

static int room_make(struct fb_headers *headers, const struct fb_settings *settings,
                     struct fb_error *error)
{
    uint64_t want = headers->layout.total_bytes, have = 0;
    int code = fb_drive_io_grow(headers->file, want, &have);
    if (code == -ENOSPC)
        fb_error_set(error,
                     "device.path %s holds %" PRIu64 " bytes, and %" PRIu64
                     " are needed with the headers: lower core.device_size or make room",
                     settings->device_path, have, want);
    else if (code == -EFBIG)
        fb_error_set(error,
                     "device.path %s: %" PRIu64
                     " bytes are needed with the headers, and a file may "
                     "have %" PRIu64 ": raise that limit (LimitFSIZE, ulimit -f), or lower "
                     "core.device_size",
                     settings->device_path, want, fb_process_file_limit());
    else if (code != 0)
        fb_error_set(error, "device.path %s: no room for %" PRIu64 " bytes: %s",
                     settings->device_path, want, strerror(-code));
    return code;
}

/* New tables, in which nothing is owed. old: the head before; NULL: there was none. */
static int drive_form(struct fb_headers *headers, const struct fb_settings *settings,
                      const struct fb_head *old)
{
    uint64_t identity = 0;
    if (getrandom(&identity, sizeof(identity), 0) != sizeof(identity))
        return -EIO;
    headers->head = fb_head_wanted(settings);
    headers->head.identity = identity;
    headers->head.sequence = old != NULL ? old->sequence : 0;
    if (old != NULL && old->cluster == headers->head.cluster && old->node == headers->head.node)
        headers->head.knows = old->knows;
    headers->head.state = FB_HEAD_FORMING;
    headers->is_new = true;
    int code = fb_heads_write(headers->file, &headers->head, settings->cluster);
    if (code == 0 && old != NULL)
        code = fb_heads_wipe_tail(headers->file, old, &headers->head);
    if (code == 0)
        code = tables_clear(headers);
    return code == 0 ? fb_drive_io_sync(headers->file) : code;
}

/* As it is, with what is damaged made again. */
static int drive_take(struct fb_headers *headers, const struct fb_heads *heads,
                      const struct headers_found *found)
{
    struct headers_found mended;
    bool is_owed = headers->head.state == FB_HEAD_IN_USE;
    int code = 0;
    FB_ASSERT(heads->chosen != FB_NONE);
    headers->owed_blocks = found->owed_blocks;
    headers->owed_bytes = found->owed_bytes;
    headers->faults = found->faults;
    headers->cleared = found->unknown;
    headers->head_faults = fb_head_faults(heads->copies, FB_HEAD_COPIES, heads->chosen);
    if (found->changed > 0)
        code = tables_walk(headers, WALK_MEND, &mended);
    if (code == 0)
        code = fb_drive_io_sync(headers->file);
    if (code == 0 && is_owed && found->unknown > 0) {
        headers->discarded_blocks = found->unknown;
        headers->discarded_bytes = found->nameless_bytes;
    }
    return code;
}

/* Says why the drive is not taken, what is owed on it, and what to do. */
static void refuse(const struct fb_settings *settings, enum fb_drive_answer answer,
                   const struct fb_heads *heads, const struct headers_found *found,
                   struct fb_error *error)
{
    static const char discard[] = "or give up what is owed: forebayd --discard-owed";
    const struct fb_head *head =
        heads->chosen != FB_NONE ? &heads->copies[heads->chosen].head : NULL;
    uint64_t owed_bytes = found->owed_bytes;
    const char *path = settings->device_path;
    switch (answer) {
    case FB_DRIVE_USE:
    case FB_DRIVE_FORM:
        return;
    case FB_DRIVE_REFUSE_STRANGE:
        fb_error_set(error,
                     "device.path %s was written by another version of forebayd, and what it owes "
                     "is not known: drain it with that version, %s",
                     path, discard);
        return;
    case FB_DRIVE_REFUSE_DAMAGED:
        fb_error_set(error,
                     "device.path %s holds something, and none of the %d copies of a cache's head "
                     "can be read%s%s: what it owes is not known: name another file, %s",
                     path, FB_HEAD_COPIES, heads->error != 0 ? ": " : "",
                     heads->error != 0 ? strerror(heads->error) : "", discard);
        return;
    case FB_DRIVE_REFUSE_FOREIGN:
        fb_error_set(error,
                     "device.path %s is the drive of node %" PRIu32 " of cluster %s, %" PRIu64
                     " bytes are owed on it: name this node's own, %s",
                     path, head->node, heads->cluster, owed_bytes, discard);
        return;
    case FB_DRIVE_REFUSE_RESIZED:
        fb_error_set(error,
                     "device.path %s: %" PRIu64
                     " bytes are owed on it under core.device_size %" PRIu64
                     " B and core.block_size %" PRIu64 " B: set these again and run forebayd "
                     "--drain, %s",
                     path, owed_bytes, head->device_size_bytes, head->block_size_bytes, discard);
        return;
    case FB_DRIVE_REFUSE_UNKNOWN:
        fb_error_set(error,
                     "device.path %s: %" PRIu64
                     " headers are damaged in both copies, and may be of "
                     "owed blocks; %" PRIu64 " bytes more are owed: restore it, %s",
                     path, found->unknown, owed_bytes, discard);
        return;
    case FB_DRIVE_REFUSE_IGNORED:
        fb_error_set(error,
                     "device.path %s: %" PRIu64 " bytes are owed on it, and core.recover is off: "
                     "turn it on, %s",
                     path, owed_bytes, discard);
        return;
    }
}

/* What a forming gives up, and why it may. */
static void form_log(struct fb_headers *headers, const struct fb_heads *heads,
                     const struct headers_found *found, const struct fb_settings *settings)
{
    const struct fb_head *old =
        heads->chosen != FB_NONE ? &heads->copies[heads->chosen].head : NULL;
    if (old != NULL)
        fb_log(FB_LOG_INFO, "device_formed",
               "path=%s device_size=%" PRIu64 " before=%" PRIu64 " block_size=%" PRIu64
               " before=%" PRIu64 " owed_bytes=%" PRIu64,
               settings->device_path, settings->core.device_size_bytes, old->device_size_bytes,
               settings->core.block_size_bytes, old->block_size_bytes, found->owed_bytes);
    if (old != NULL && old->state == FB_HEAD_IN_USE) {
        headers->discarded_blocks = found->owed_blocks + found->unknown;
        headers->discarded_bytes = found->owed_bytes + found->nameless_bytes;
    }
}

/* Of every page what is cached goes; what is owed stays. Errors: -errno. */
static int cached_clear(const struct fb_headers *headers)
{
    struct fb_header_page page, second;
    uint64_t faults = 0;
    int code = 0;
    for (uint64_t chunk = 0; chunk < headers->layout.chunks && code == 0; chunk++) {
        headers_read(headers, 0, chunk, 1, &page);
        headers_read(headers, 1, chunk, 1, &second);
        (void)headers_join(headers, chunk, &page, &second, &faults);
        if (!fb_header_forget(&page))
            continue;
        headers_seal(headers, chunk, &page);
        for (uint32_t table = 0; table < FB_DRIVE_TABLES && code == 0; table++)
            code = headers_write(headers, table, chunk, 1, &page);
    }
    return code == 0 ? fb_drive_io_sync(headers->file) : code;
}

void fb_headers_know(struct fb_headers *headers, const struct fb_identities *knows, bool forgets,
                     struct fb_error *error)
{
    struct fb_head *head = &headers->head;
    bool is_known = fb_key_equal(head->knows.origin, knows->origin) &&
                    fb_key_equal(head->knows.store, knows->store);
    if (headers->file < 0 || (is_known && !forgets))
        return;
    int code = forgets ? cached_clear(headers) : 0;
    head->knows = *knows;
    if (code == 0)
        code = fb_heads_write(headers->file, head, headers->settings->cluster);
    if (code != 0)
        fb_error_set(error, "device.path %s: its head and headers: %s",
                     headers->settings->device_path, strerror(-code));
}

/* Reads what is there, with the tables of the head that was found. */
static struct headers_found look(struct fb_headers *headers, const struct fb_heads *heads)
{
    struct headers_found found = {.owed_blocks = 0};
    if (heads->chosen == FB_NONE)
        return found;
    headers->head = heads->copies[heads->chosen].head;
    headers->layout =
        fb_drive_layout_of(headers->head.device_size_bytes, headers->head.block_size_bytes);
    if (headers->head.state == FB_HEAD_FORMING)
        return found;
    (void)tables_walk(headers, WALK_LOOK, &found);
    return found;
}

/* What is to be done with the drive; error set: it is refused. Nothing is written. */
static enum fb_drive_answer answer_find(struct fb_headers *headers, struct fb_heads *heads,
                                        struct headers_found *found, struct fb_error *error)
{
    const struct fb_settings *settings = headers->settings;
    fb_heads_read(heads, headers->file, settings);
    *found = look(headers, heads);
    const struct fb_drive_facts facts = {.copies = heads->copies,
                                         .copy_count = FB_HEAD_COPIES,
                                         .wanted = fb_head_wanted(settings),
                                         .owed_bytes = found->owed_bytes,
                                         .unknown_headers = found->unknown,
                                         .is_recovered = settings->core.recover,
                                         .may_discard = settings->may_discard_owed};
    enum fb_drive_answer answer = fb_drive_judge(&facts);
    refuse(settings, answer, heads, found, error);
    return answer;
}

static void answer_run(struct fb_headers *headers, const struct fb_settings *settings,
                       struct fb_error *error)
{
    const struct fb_config *core = &settings->core;
    struct fb_heads heads;
    struct headers_found found;
    enum fb_drive_answer answer = answer_find(headers, &heads, &found, error);
    if (fb_error_is_set(error))
        return;
    headers->layout = fb_drive_layout_of(core->device_size_bytes, core->block_size_bytes);
    if (room_make(headers, settings, error) != 0)
        return;
    int code;
    if (answer == FB_DRIVE_FORM) {
        form_log(headers, &heads, &found, settings);
        code = drive_form(headers, settings,
                          heads.chosen != FB_NONE ? &heads.copies[heads.chosen].head : NULL);
    } else {
        code = drive_take(headers, &heads, &found);
    }
    headers->head.state = headers->owed_blocks > 0 ? FB_HEAD_IN_USE : FB_HEAD_SETTLED;
    if (code == 0)
        code = fb_heads_write(headers->file, &headers->head, settings->cluster);
    headers->is_open = code == 0;
    if (code != 0)
        fb_error_set(error, "device.path %s: its head and headers: %s", settings->device_path,
                     strerror(-code));
}

/* A sync tells who opened it last of what an earlier life wrote in vain: that is heard here, not of
 * the heads. Whether those bytes are there digests say. */
static void stale_hear(const struct fb_headers *headers)
{
    int code = headers->file >= 0 ? fb_drive_io_sync(headers->file) : 0;
    if (code != 0)
        fb_log(FB_LOG_WARNING, "device_error", "op=sync of=\"an earlier start\" reason=\"%s\"",
               strerror(-code));
}

static void tables_open(struct fb_headers *headers, const struct fb_settings *settings,
                        struct fb_error *error)
{
    *headers = (struct fb_headers){.file = -1, .settings = settings};
    if (settings->device_path[0] == '\0')
        return;
    headers->scan = malloc(HEADERS_SCAN_PAGES * sizeof(*headers->scan));
    headers->scan_other = malloc(HEADERS_SCAN_PAGES * sizeof(*headers->scan));
    headers->file = fb_drive_io_open(settings->device_path);
    stale_hear(headers);
    if (headers->file < 0)
        fb_error_set(error, "device.path %s: %s", settings->device_path, strerror(-headers->file));
    else if (headers->scan == NULL || headers->scan_other == NULL)
        fb_error_set(error, "out of memory for the headers of device.path");
}

void fb_headers_open(struct fb_headers *headers, const struct fb_settings *settings,
                     struct fb_error *error)
{
    tables_open(headers, settings, error);
    if (headers->file >= 0 && !fb_error_is_set(error))
        answer_run(headers, settings, error);
}

void fb_headers_try(const struct fb_settings *settings, struct fb_error *error)
{
    struct fb_headers headers;
    struct fb_heads heads;
    struct headers_found found;
    tables_open(&headers, settings, error);
    if (headers.file >= 0 && !fb_error_is_set(error))
        (void)answer_find(&headers, &heads, &found, error);
    if (headers.file >= 0)
        fb_drive_io_close(headers.file);
    free(headers.scan);
    free(headers.scan_other);
}
