/* Writes a recording; see record_format.h. Costs a copy of each event and a hash of each op. */
#ifndef FB_HW_LOOP_RECORD_H
#define FB_HW_LOOP_RECORD_H

#include "core/io.h"
#include "hw/loop/record_format.h"
#include "hw/base/settings.h"
#include "hw/base/uring.h"

/* Of each of the two buffers. */
enum { FB_RECORD_BUFFER_BYTES = 1 << 20 };

/* A recording that is being written. */
struct fb_recorder {
    int file; /* -1: nothing is recorded */
    void *hash;
    uint64_t events, checked_events;
    uint64_t offset; /* of the buffer being filled, in the file */
    unsigned char *buffers[2];
    uint64_t used;  /* bytes of the buffer being filled */
    uint32_t index; /* of it */
    struct fb_io io;
    struct fb_uring *uring;
    struct fb_bytes writing; /* of the other buffer */
    uint64_t writing_offset;
    bool has_failed;
};

/* settings->record_path empty: no recording. Errors: error set. */
void fb_recorder_open(struct fb_recorder *recorder, struct fb_uring *uring,
                      const struct fb_settings *settings, uint64_t seed, struct fb_error *error);

/* Would the file be refused? Only looks. Errors: error set: it would. */
void fb_recorder_try(const struct fb_settings *settings, struct fb_error *error);

/* Before the loop's ring is closed: writes what is left, waiting for it. */
void fb_recorder_close(struct fb_recorder *recorder);

/* Before the step; a VIEW event has its own. */
void fb_recorder_event(struct fb_recorder *recorder, uint64_t now_ns, const struct fb_event *event);
/* A VIEW event and its members, before the step. */
void fb_recorder_view(struct fb_recorder *recorder, uint64_t now_ns,
                      const struct fb_record_view *view, const struct fb_member *members);
/* The ops of a step, after it. */
void fb_recorder_ops(struct fb_recorder *recorder, uint64_t now_ns, const struct fb_op *ops,
                     uint32_t count);

/* Begins to write what is there, with a digest at its end. */
void fb_recorder_flush(struct fb_recorder *recorder, uint64_t now_ns);

#endif
