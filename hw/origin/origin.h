/* Where the objects come from: a folder, an S3 bucket, an Azure container. A backend turns one task
 * into requests of its own kind and calls done exactly once, on the loop's thread, never from
 * within start.
 *
 * Names are relative paths with "/"; the version of an object is a 64-bit word that changes when
 * the object does; the time of its change orders it among commits. */
#ifndef FB_HW_ORIGIN_ORIGIN_H
#define FB_HW_ORIGIN_ORIGIN_H

#include "hw/base/anchor.h"
#include "hw/base/offload.h"
#include "hw/base/settings.h"
#include "hw/base/uring.h"
#include "hw/origin/origin_task.h"
#include "hw/origin/seen.h"

/* What an origin works with, and whom it tells; the caller's, as long as it is open. */
struct fb_origin_context {
    const struct fb_settings *settings;
    struct fb_uring *uring;
    struct fb_offload *offload; /* by which a thread of the origin's own comes back */
    /* Blocks of this object have been there for long, and nobody has committed it. */
    void (*collect)(struct fb_origin *origin, const struct fb_object *object);
};

/* An origin, whatever its backend. */
struct fb_origin {
    struct fb_origin_context context;
    struct fb_seen seen;     /* names, as the origin said */
    struct fb_offload calls; /* posix: calls that wait */
    void (*start)(struct fb_origin *origin, struct fb_origin_task *task);
    void (*close)(struct fb_origin *origin);
    void (*sweep)(struct fb_origin *origin); /* now and then; NULL: there is nothing to do */
    void (*reload)(
        struct fb_origin *origin); /* credentials may have changed; NULL: none are used */
    bool has_records;              /* of names, at the metadata store */
    bool can_write;
    uint64_t object_max;    /* bytes of the largest object that can be committed */
    bool can_change;        /* it has modes, owners, folders, links: CHANGE */
    bool wants_text;        /* names are UTF-8 */
    bool wants_no_controls; /* and have no control characters */
    int folder;             /* posix */
    bool is_held;           /* it is not known yet whether it is the right one */
    struct fb_origin_task *held_head, *held_tail; /* tasks that wait for that */
    struct fb_anchor anchor; /* posix: while its path names another folder, all is REFUSED */
    void *internal;          /* the backend's */
};

/* Errors: error set when the origin's own settings are wrong. An origin that cannot be reached is
 * no error here: tasks fail until it can. */
void fb_origin_open(struct fb_origin *origin, const struct fb_origin_context *context,
                    struct fb_error *error);
/* Ends its threads; tasks that are not done are forgotten. */
void fb_origin_close(struct fb_origin *origin);
/* What the backend does now and then. */
void fb_origin_sweep(struct fb_origin *origin);
/* Credentials may have changed (SIGHUP). */
void fb_origin_reload(struct fb_origin *origin);

/* The caller owns the task, which must live until done. */
void fb_origin_start(struct fb_origin *origin, struct fb_origin_task *task);

/* Tasks that are held go on, and none is held from now on; or those there are end so, as they would
 * of an origin that is away. */
void fb_origin_release(struct fb_origin *origin);
/* Ends those that are held: CHANGE by its errno, others so. */
void fb_origin_held_end(struct fb_origin *origin, enum fb_status status);

/* Can the origin have an object of that name? What it cannot is absent, and is not made. */
bool fb_origin_has_name(const struct fb_origin *origin, const char *name, uint32_t length);

/* Is it a change that is about the objects of a store that mark a folder? */
bool fb_origin_has_marks(const struct fb_origin *origin, const struct fb_origin_change *change);

/* Appends an entry to the task's page; false: it does not fit. */
bool fb_origin_entry(struct fb_origin_task *task, const char *name, uint64_t size, bool is_folder);

/* Backends. A folder: settings->origin.path. Errors: error set. */
void fb_origin_posix_open(struct fb_origin *origin, const struct fb_settings *settings,
                          struct fb_error *error);
/* S3 and Azure Blob, by settings->origin.kind. Errors: error set. */
void fb_origin_http_open(struct fb_origin *origin, const struct fb_settings *settings,
                         struct fb_error *error);

/* Of a store or commit: asking again is of no use until somebody helps (core/io.h, R16)? */
bool fb_origin_refuses(enum fb_status status);

/* Status of a failed system call, from its -errno. */
enum fb_status fb_origin_status(int32_t result);

#endif
