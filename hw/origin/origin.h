/* Where the objects come from: a folder, an S3 bucket, an Azure container. A backend turns one task
 * into requests of its own kind and calls done exactly once, on the loop's thread, never from
 * within start.
 *
 * Names are relative paths with "/"; the version of an object is a 64-bit word that changes when
 * the object does; the time of its change orders it among commits. A fetch of another version than
 * the task names is answered FB_CONFLICT; of one that is committed and not there yet
 * (object.is_cached) FB_ABSENT, whatever is there before it.
 */
#ifndef FB_HW_ORIGIN_ORIGIN_H
#define FB_HW_ORIGIN_ORIGIN_H

#include "client/protocol/attributes.h"
#include "client/protocol/local_protocol.h"
#include "hw/origin/object.h"
#include "hw/base/anchor.h"
#include "hw/base/offload.h"
#include "hw/base/settings.h"
#include "hw/base/uring.h"

struct fb_loop;
struct fb_origin_task;

enum fb_origin_verb {
    FB_ORIGIN_FETCH,  /* object, offset, bytes: reads exactly bytes.size bytes */
    FB_ORIGIN_STAT,   /* object.name: fills in size, version, order, written */
    FB_ORIGIN_LOOK,   /* the same, and attributes, of whatever has the name, not led on by a link */
    FB_ORIGIN_LIST,   /* object.name: a folder; "": the root. From cursor on, which is {"", 0} at
                        first, fills bytes with fb_local_entry; then moved: bytes used; cursor:
                        where the next page begins, {"", 0}: there is none */
    FB_ORIGIN_STORE,  /* object, offset, bytes: one block of an object that is being written */
    FB_ORIGIN_COMMIT, /* object, of size: makes it visible, as `as_version`, and fills in shown;
                         BUSY: not all blocks are there yet, see missing; CONFLICT: what is there
                         is later than `limit`: fills in order. Its blocks go, but for another
                         as_version */
    FB_ORIGIN_REMOVE, /* object: up to `limit`, only `as_version` if that is not 0; and what is left
                         of its version's blocks; OK also when there is none (R17 of core/io.h) */
    FB_ORIGIN_CHANGE, /* object.name, change; done with OK: change->error says how it went. Only of
                         an origin that can_change, as the next; FB_REMOVE_MARKS: of one that has
                         objects and can_write */
    FB_ORIGIN_PLACE,  /* object.name: may a file be made under it? Done with OK: error says, 0 or an
                         errno; the name is then the one without links in the way to it */
};

typedef void fb_origin_done(struct fb_origin_task *task, enum fb_status status);

/* Where a listing goes on: a word of the backend's, and entries to skip from there. text: the
 * caller's, FB_LOCAL_CURSOR_MAX + 1 bytes. */
struct fb_origin_cursor {
    uint64_t skip;
    char *text;
};

/* What FB_ORIGIN_CHANGE changes; bytes of the task: room for a page, moved: what of it is used. */
struct fb_origin_change {
    enum fb_change_kind kind;
    uint32_t which, flags;
    int error; /* 0, or an errno */
    struct fb_attributes attributes;
    uint32_t text_length;
    char text[FB_LOCAL_CURSOR_MAX + 1];
};

struct fb_origin_task {
    enum fb_origin_verb verb;
    fb_origin_done *done;
    struct fb_object object;
    uint64_t limit, as_version; /* COMMIT, REMOVE */
    uint64_t offset;            /* in the object */
    struct fb_bytes bytes;
    struct fb_origin_cursor cursor;
    struct fb_attributes attributes; /* LOOK; mode 0: the origin has none */
    struct fb_origin_change *change; /* CHANGE: the caller's, until done */
    bool may_be_seen;                /* STAT, LOOK: names.valid holds for it */
    bool is_direct; /* STAT: a name that leads to another one through links is ABSENT, is_alias, and
                       replaced in object by that one */
    bool is_alias;
    int error;            /* PLACE */
    fb_origin_done *told; /* by done, when that is origin.c's own */
    bool is_plain;        /* LIST: links are entries, wherever they lead */
    bool stands;          /* LIST: FB_LOCAL_LIST_STANDS */
    /* The backend's from here on. */
    struct fb_io io;
    struct fb_loop *loop;
    uint64_t moved;
    int file;
    uint32_t stage;
    bool is_second;   /* try */
    uint64_t missing; /* COMMIT, BUSY: index of a block; UINT64_MAX: not known */
    bool is_final;    /* FETCH that failed: it was asked as often as it may be */
    uint64_t file_offset, seen;
    uint64_t untorn; /* posix: identity of a file of several names that nobody is replacing */
    uint32_t looks;  /* for that */
    struct __kernel_timespec pause;
    char part[64];
    char *resolved; /* the name without symbolic links */
    struct open_how how;
    struct statx facts;
    struct fb_offload_task offload;
    enum fb_status status; /* for offload's done */
    struct fb_origin_task *next;
};

struct fb_origin {
    void (*start)(struct fb_origin *origin, struct fb_origin_task *task);
    void (*close)(struct fb_origin *origin);
    void (*sweep)(struct fb_origin *origin); /* now and then; NULL: there is nothing to do */
    void (*reload)(
        struct fb_origin *origin); /* credentials may have changed; NULL: none are used */
    struct fb_loop *loop;
    bool can_write;
    uint64_t object_max;     /* bytes of the largest object that can be committed */
    bool can_change;         /* it has modes, owners, folders, links: CHANGE */
    bool wants_text;         /* names are UTF-8 */
    bool wants_no_controls;  /* and have no control characters */
    int folder;              /* posix */
    struct fb_anchor anchor; /* posix: while its path names another folder, all is REFUSED */
    void *internal;          /* the backend's */
};

/* Errors: error set when the origin's own settings are wrong. An origin that cannot be reached is
 * no error here: tasks fail until it can. */
void fb_origin_open(struct fb_origin *origin, struct fb_loop *loop,
                    const struct fb_settings *settings, struct fb_error *error);
void fb_origin_close(struct fb_origin *origin);
void fb_origin_sweep(struct fb_origin *origin);
void fb_origin_reload(struct fb_origin *origin);

/* The caller owns the task, which must live until done. */
void fb_origin_start(struct fb_origin *origin, struct fb_origin_task *task);

/* Can the origin have an object of that name? What it cannot is absent, and is not made. */
bool fb_origin_has_name(const struct fb_origin *origin, const char *name, uint32_t length);

/* Is it a change that is about the objects of a store that mark a folder? */
bool fb_origin_has_marks(const struct fb_origin *origin, const struct fb_origin_change *change);

/* Appends an entry to the task's page; false: it does not fit. */
bool fb_origin_entry(struct fb_origin_task *task, const char *name, uint64_t size, bool is_folder);

/* Backends. */
void fb_origin_posix_open(struct fb_origin *origin, const struct fb_settings *settings,
                          struct fb_error *error);
void fb_origin_http_open(struct fb_origin *origin, const struct fb_settings *settings,
                         struct fb_error *error);

/* Of a store or commit: asking again is of no use until somebody helps (core/io.h, R16)? */
bool fb_origin_refuses(enum fb_status status);

/* Status of a failed system call, from its -errno. */
enum fb_status fb_origin_status(int32_t result);

#endif
