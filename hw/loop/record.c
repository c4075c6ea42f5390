/* See record.h. Two buffers: one is filled while the other is written. A disk that is too slow
 * makes the loop wait, since a recording with holes is of no use; one that fails ends the
 * recording, not the daemon. */
#include "hw/loop/record.h"

#include "core/panic.h"
#include "core/trace.h"
#include "hw/base/container.h"
#include "hw/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { EVENTS_PER_CHECK = 1024 };

static void recorder_fail(struct fb_recorder *recorder, int code)
{
    if (!recorder->has_failed)
        fb_log(FB_LOG_ERROR, "record_ended", "reason=\"%s\"", strerror(code));
    recorder->has_failed = true;
}

/* Writes bytes at their place, waiting. */
static void write_now(struct fb_recorder *recorder, struct fb_bytes bytes, uint64_t offset)
{
    while (bytes.size > 0 && !recorder->has_failed) {
        ssize_t written = pwrite(recorder->file, bytes.at, bytes.size, (off_t)offset);
        if (written < 0 && errno != EINTR)
            recorder_fail(recorder, errno);
        if (written <= 0)
            continue;
        bytes.at += written;
        bytes.size -= (uint64_t)written;
        offset += (uint64_t)written;
    }
}

static void write_done(struct fb_io *io, int32_t result)
{
    struct fb_recorder *recorder = FB_CONTAINER(io, struct fb_recorder, io);
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
        recorder_fail(recorder, -result);
        return;
    }
    uint64_t written = result > 0 ? (uint64_t)result : 0;
    const struct fb_bytes rest = {.at = recorder->writing.at + written,
                                  .size = recorder->writing.size - written};
    write_now(recorder, rest, recorder->writing_offset + written);
}

/* Begins to write the buffer that is being filled. */
static void buffer_write(struct fb_recorder *recorder)
{
    FB_ASSERT(recorder->used <= FB_RECORD_BUFFER_BYTES);
    FB_ASSERT(recorder->index < 2);
    if (recorder->used == 0)
        return;
    const struct fb_bytes bytes = {.at = recorder->buffers[recorder->index],
                                   .size = recorder->used};
    if (recorder->io.is_pending) {
        write_now(recorder, bytes, recorder->offset);
    } else if (!recorder->has_failed) {
        recorder->writing = bytes;
        recorder->writing_offset = recorder->offset;
        recorder->index ^= 1;
        fb_uring_write(recorder->uring, &recorder->io, recorder->file, bytes, recorder->offset);
    }
    recorder->offset += recorder->used;
    recorder->used = 0;
}

static void put(struct fb_recorder *recorder, const void *bytes, uint64_t size)
{
    FB_ASSERT(recorder->file >= 0);
    FB_ASSERT(size <= FB_RECORD_BUFFER_BYTES);
    if (recorder->used + size > FB_RECORD_BUFFER_BYTES)
        buffer_write(recorder);
    memcpy(recorder->buffers[recorder->index] + recorder->used, bytes, size);
    recorder->used += size;
}

static_assert(sizeof(struct fb_record_view) + FB_MEMBERS_MAX * sizeof(struct fb_member) <=
                  FB_RECORD_PAYLOAD_MAX,
              "the largest cluster is a record");

static void record_put(struct fb_recorder *recorder, uint64_t now_ns, uint32_t kind, uint64_t size)
{
    const struct fb_record record = {.time_ns = now_ns, .size = (uint32_t)size, .kind = kind};
    FB_ASSERT(size <= FB_RECORD_PAYLOAD_MAX);
    put(recorder, &record, sizeof(record));
}

static void check_put(struct fb_recorder *recorder, uint64_t now_ns)
{
    FB_ASSERT(recorder->events >= recorder->checked_events);
    const struct fb_record_check check = {.events = recorder->events,
                                          .digest = XXH3_64bits_digest(recorder->hash)};
    record_put(recorder, now_ns, FB_RECORD_CHECK, sizeof(check));
    put(recorder, &check, sizeof(check));
    recorder->checked_events = recorder->events;
}

void fb_recorder_flush(struct fb_recorder *recorder, uint64_t now_ns)
{
    if (recorder->file < 0)
        return;
    if (recorder->events > recorder->checked_events)
        check_put(recorder, now_ns);
    buffer_write(recorder);
}

static void open_fault(const char *path, int code, struct fb_error *error)
{
    fb_error_set(error, "record %s: %s: check the folder and its permissions", path,
                 strerror(code));
}

/* What stands where the recording goes: one of an earlier run is put aside, anything else stays. A
 * pipe or device is written to. */
static bool earlier_put_aside(const char *path, bool is_trial, struct fb_error *error)
{
    char magic[sizeof(((struct fb_record_header *)0)->magic)] = "", aside[FB_SETTINGS_PATH_MAX + 8];
    struct stat facts;
    if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size == 0)
        return true; /* opening it says what is wrong */
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool is_read = file >= 0 && read(file, magic, sizeof(magic)) == sizeof(magic);
    if (file >= 0)
        close(file);
    snprintf(aside, sizeof(aside), "%s.before", path);
    if (!is_read || memcmp(magic, FB_RECORD_MAGIC, sizeof(magic)) != 0)
        fb_error_set(error,
                     "record %s: the file is no recording, and would be overwritten: name "
                     "another one",
                     path);
    else if (!is_trial && rename(path, aside) != 0)
        fb_error_set(error, "record %s: cannot put the last recording aside as %s: %s", path, aside,
                     strerror(errno));
    return !fb_error_is_set(error);
}

void fb_recorder_try(const struct fb_settings *settings, struct fb_error *error)
{
    char folder[FB_SETTINGS_PATH_MAX];
    const char *path = settings->record_path;
    if (path[0] == '\0' || !earlier_put_aside(path, true, error))
        return;
    memcpy(folder, path, strlen(path) + 1);
    const char *place = access(path, F_OK) == 0 ? path : dirname(folder);
    if (access(place, W_OK) != 0)
        open_fault(path, errno, error);
}

void fb_recorder_open(struct fb_recorder *recorder, struct fb_uring *uring,
                      const struct fb_settings *settings, uint64_t seed, struct fb_error *error)
{
    enum { OWNER_ONLY = 0600 };
    *recorder = (struct fb_recorder){.file = -1, .uring = uring};
    if (settings->record_path[0] == '\0')
        return;
    if (!earlier_put_aside(settings->record_path, false, error))
        return;
    recorder->file =
        open(settings->record_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, OWNER_ONLY);
    if (recorder->file < 0) {
        open_fault(settings->record_path, errno, error);
        return;
    }
    recorder->hash = XXH3_createState();
    for (uint32_t i = 0; i < 2; i++)
        recorder->buffers[i] = malloc(FB_RECORD_BUFFER_BYTES);
    if (recorder->hash == NULL || recorder->buffers[0] == NULL || recorder->buffers[1] == NULL) {
        fb_error_set(error, "out of memory for the recording");
        return;
    }
    struct fb_record_header header = {.config_size = sizeof(settings->core),
                                      .request_size = sizeof(struct fb_request),
                                      .message_size = sizeof(struct fb_message_flat),
                                      .done_size = sizeof(struct fb_done),
                                      .seed = seed};
    memcpy(header.magic, FB_RECORD_MAGIC, sizeof(header.magic));
    XXH3_64bits_reset(recorder->hash);
    fb_io_init(&recorder->io, write_done);
    put(recorder, &header, sizeof(header));
    put(recorder, &settings->core, sizeof(settings->core));
}

void fb_recorder_close(struct fb_recorder *recorder)
{
    if (recorder->file < 0)
        return;
    if (recorder->hash != NULL && recorder->buffers[1] != NULL) {
        check_put(recorder, UINT64_MAX);
        while (recorder->io.is_pending && fb_uring_wait(recorder->uring, UINT64_MAX) == 0)
            continue;
        const struct fb_bytes rest = {.at = recorder->buffers[recorder->index],
                                      .size = recorder->used};
        write_now(recorder, rest, recorder->offset);
    }
    close(recorder->file);
    XXH3_freeState(recorder->hash);
    free(recorder->buffers[0]);
    free(recorder->buffers[1]);
    recorder->file = -1;
}

void fb_recorder_event(struct fb_recorder *recorder, uint64_t now_ns, const struct fb_event *event)
{
    if (recorder->file < 0 || event->kind == FB_EVENT_VIEW)
        return;
    const void *list = NULL; /* what the event borrows */
    uint64_t list_size = 0;
    if (event->kind == FB_EVENT_REQUEST && event->request.keys != NULL) {
        list = event->request.keys;
        list_size = event->request.key_count * sizeof(struct fb_key);
    }
    if (event->kind == FB_EVENT_REQUEST && event->request.ranges != NULL) {
        list = event->request.ranges;
        list_size = event->request.range_count * sizeof(struct fb_range);
    }
    struct fb_message_flat flat;
    const void *payload = &event->request; /* that of a DONE begins there, too */
    if (event->kind == FB_EVENT_MESSAGE) {
        fb_message_pack(&flat, &event->message);
        payload = &flat;
        list = flat.keys;
        list_size = list != NULL ? flat.count * sizeof(struct fb_key) : 0;
    }
    uint64_t size = event->kind == FB_EVENT_REQUEST   ? sizeof(event->request)
                    : event->kind == FB_EVENT_MESSAGE ? sizeof(flat)
                    : event->kind == FB_EVENT_DONE    ? sizeof(event->done)
                                                      : 0;
    record_put(recorder, now_ns, event->kind, size + list_size);
    if (size > 0)
        put(recorder, payload, size);
    if (list_size > 0)
        put(recorder, list, list_size);
}

void fb_recorder_view(struct fb_recorder *recorder, uint64_t now_ns,
                      const struct fb_record_view *view, const struct fb_member *members)
{
    if (recorder->file < 0)
        return;
    uint64_t size = view->member_count * sizeof(*members);
    record_put(recorder, now_ns, FB_EVENT_VIEW, sizeof(*view) + size);
    put(recorder, view, sizeof(*view));
    put(recorder, members, size);
}

void fb_recorder_ops(struct fb_recorder *recorder, uint64_t now_ns, const struct fb_op *ops,
                     uint32_t count)
{
    struct fb_trace_record record;
    if (recorder->file < 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        fb_trace_op(&record, now_ns, 0, &ops[i]);
        XXH3_64bits_update(recorder->hash, &record, sizeof(record));
    }
    if (++recorder->events % EVENTS_PER_CHECK == 0)
        check_put(recorder, now_ns);
}
