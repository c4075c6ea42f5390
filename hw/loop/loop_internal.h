/* The daemon's one node and everything that its thread owns; private to loop/.
 *
 * The loop waits for completions, each of which may become an event; a step of the core gives ops,
 * each of which becomes one operation here, whose completion is the event DONE. Nothing here
 * decides anything: that is the core's. */
#ifndef FB_HW_LOOP_LOOP_INTERNAL_H
#define FB_HW_LOOP_LOOP_INTERNAL_H

#include "core/node/node.h"
#include "hw/base/container.h"
#include "hw/base/feed.h"
#include "hw/base/standing.h"
#include "hw/drive/drive.h"
#include "hw/drive/headers.h"
#include "hw/ops/http.h"
#include "hw/local/local.h"
#include "hw/base/log.h"
#include "hw/origin/object.h"
#include "hw/base/offload.h"
#include "hw/origin/origin.h"
#include "hw/loop/record.h"
#include "hw/base/mapping.h"
#include "hw/meta/meta.h"
#include "hw/meta/members.h"
#include "hw/meta/names.h"
#include "hw/ops/ready.h"
#include "hw/loop/belonging.h"
#include "hw/loop/unnamed.h"
#include "hw/net/tcp.h"
#include "hw/base/uring.h"

/* An op from READ on, until its DONE. */
struct work {
    struct fb_loop *loop;
    struct work *next; /* free list */
    struct fb_op op;
    struct fb_bytes bytes; /* of op.span */
    uint64_t moved;        /* bytes */
    enum fb_status status; /* of one that has ended already, or of a part of it */
    uint32_t drive_open;   /* loop_drive.c: what a write waits for */
    struct fb_io io;
    struct fb_fragments fragments; /* ENCODE, DECODE (R13) */
    struct fb_offload_task offload;
    struct fb_origin_task origin;
    struct fb_meta_task meta;
    struct fb_tcp_pull pull;
};

struct fb_loop {
    const struct fb_settings *settings;
    struct fb_uring uring;
    struct fb_mapping memory;
    struct fb_feed feed;
    struct fb_standing standing;
    struct fb_view *view;
    struct fb_objects objects;
    struct fb_meta_store meta;
    struct fb_names names;
    struct work *listing;      /* META_LIST that waits for a page of names */
    struct fb_offload offload; /* digests and copies */
    struct fb_origin origin;
    struct fb_drive_file drive;
    struct fb_headers headers; /* of the drive */
    struct fb_io sync;         /* of the drive: one at a time */
    struct work *sync_flying, *sync_waiting;
    struct fb_tcp tcp;
    struct fb_local local;
    struct fb_http http;
    struct fb_ready ready;
    struct fb_belonging belonging;
    struct fb_unnamed unnamed;
    struct fb_recorder recorder;
    struct fb_members_context membership;
    struct fb_members *members; /* NULL: a list that does not change */
    uint32_t member_count, members_left_out;
    struct work *works;
    struct work *work_free;
    uint32_t work_count;
    uint64_t start_ns; /* the daemon's */
    uint64_t busy_ns;  /* clients' requests came then */
    uint64_t spin_ns;  /* after which the loop sleeps; at most that of the settings */
    uint64_t sweep_ns; /* when to look for dead connections again */
    struct fb_io signal;
    int signal_file;
    bool has_ring;
    uint64_t stop_ns; /* no later than that, while it drains */
    bool may_end;     /* this round began with nothing left to wait for: what it brings is */
    bool was_fenced;  /* as last logged */
};

/* loop.c */
/* One step, at loop->feed.now_ns. */
void loop_step(struct fb_loop *loop, const struct fb_event *event);
/* One step, now. */
void loop_event(struct fb_loop *loop, const struct fb_event *event);
/* Strangers wait outside until one of those inside has had his time: a sweep sees to it. */
void loop_sweep_soon(struct fb_loop *loop);

/* Told to end: what was acknowledged is drained first, stop_patience long; told twice: at once. */
void loop_stop(struct fb_loop *loop);

/* From then on SIGTERM and SIGINT stop it. */
void loop_signals_open(struct fb_loop *loop, struct fb_error *error);

/* loop_members.c */
void loop_members_open(struct fb_loop *loop, struct fb_error *error);

/* loop_open.c */
/* Operations that the core can have in flight. */
uint32_t loop_works_count(const struct fb_config *config);

/* loop_op.c */
void loop_op(struct fb_loop *loop, const struct fb_op *op);
void work_end(struct work *work, enum fb_status status, uint64_t digest);
/* Ends it with this DONE. */
void work_event(struct work *work, const struct fb_event *event);
/* Ends it in the next round of the loop. */
void work_end_later(struct work *work, enum fb_status status);

void work_free(struct work *work);

/* loop_names.c: the ops that are about names, from META_GET and META_LIST on. */
void names_start(struct work *work);

/* loop_drive.c */
void drive_start(struct work *work);
void drive_scan(struct work *work);
/* Now and then: is the file still where the next start looks for it? */
void drive_sweep(struct fb_loop *loop);

#endif
