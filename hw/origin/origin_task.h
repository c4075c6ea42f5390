/* What an origin is asked for: one task, which ends once. A fetch of another version than the task
 * names is answered FB_CONFLICT; of one that is committed and not there yet (object.is_cached)
 * FB_ABSENT, whatever is there before it. */
#ifndef FB_HW_ORIGIN_ORIGIN_TASK_H
#define FB_HW_ORIGIN_ORIGIN_TASK_H

#include "client/protocol/attributes.h"
#include "client/protocol/local_protocol.h"
#include "hw/base/offload.h"
#include "hw/base/uring.h"
#include "hw/origin/object.h"

struct fb_origin;
struct fb_origin_task;

/* What an origin is asked for, which fields say more, and how it ends. */
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

/* The task has ended; on the loop's thread. */
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

/* What a block's requests are about: it, whole or in parts; what is before and after these. */
enum fb_origin_stage {
    FB_STAGE_PLAIN,
    FB_STAGE_BEFORE,
    FB_STAGE_PARTS,
    FB_STAGE_AFTER,
    FB_STAGE_ABORT
};

struct fb_origin_upload;

/* FETCH and STORE at a store: the block's requests, each of a range of it. */
struct fb_origin_ranges {
    enum fb_origin_stage stage;
    struct fb_origin_upload *upload; /* STORE in parts; freed with free() */
    uint64_t begun;                  /* bytes whose requests have begun */
    uint32_t count;                  /* requests under way */
    uint32_t failed;                 /* tries */
    uint64_t retry_ns;               /* when the next begins */
    uint64_t etag;                   /* that the answers have, a hash; 0: none has come */
    bool is_whole;                   /* it must come in one request from now on */
};

/* The caller's, who keeps it until done. */
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
    bool passes_hold;                /* it is started while the origin is held, too */
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
    struct fb_origin *origin;
    uint64_t moved;
    int file;
    uint32_t stage;
    bool is_second;   /* try */
    uint64_t missing; /* COMMIT, BUSY: index of a block; UINT64_MAX: not known */
    bool is_final;    /* FETCH that failed: it was asked as often as it may be */
    struct fb_origin_ranges ranges;
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

#endif
