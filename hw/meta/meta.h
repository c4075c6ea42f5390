/* The store of records that the core's META_GET and META_PUT go to (R14 of core/io.h): LMDB on this
 * machine, or etcd. Its calls wait, so threads of the store's own make them.
 *
 *  1. A record's version is counted by the store: 0: there is none, the first is 1.
 *  2. A key is a hash of a name; the name is kept beside the record, so that whoever finds an
 *     unfinished one (see names.h) knows what it is about. PENDING lists their names.
 *  3. GONE, TIMEOUT and IO of a PUT say nothing about whether it took effect.
 *  4. Attributes are bytes beside a record (kept.h); their first byte is the version of what
 *     follows. The store does not look at them.
 *  5. LMDB's file stays open, and its path is looked at, before and after a PUT and twice a
 *     second: while another one is there, or none, no record of it would outlast this process.
 *  6. What another hand than a daemon's has written is not believed: a record that cannot be read,
 *     a name that no client could make, or one that is not its key's, is listed as bad.
 *  7. What has no object is in its folder's list, ENTRIES, by a PUT that keeps list and record
 *     together. Of two who remove a folder and put something into its list one hears CONFLICT.
 *  8. A PUT may take another name away: both change at once or neither does. That name's attributes
 *     and its place in its folder's list go with it. CONFLICT before ABSENT: who hears the latter
 *     knows that no earlier try of the same PUT was done either. */
#ifndef FB_HW_META_META_H
#define FB_HW_META_META_H

#include "hw/origin/object.h"
#include "hw/base/anchor.h"
#include "hw/base/offload.h"
#include "hw/base/settings.h"

struct fb_meta_store;
struct fb_meta_task;

/* What the store is asked to do. */
enum fb_meta_verb {
    FB_META_VERB_GET,     /* key: record; ABSENT: there is none */
    FB_META_VERB_PUT,     /* key, record of the expected version, name: CONFLICT: the other's;
                             ABSENT: what goes with it is not as expected, and nothing was done */
    FB_META_VERB_PENDING, /* fills names with those of unfinished records, by key, from key on */
    FB_META_VERB_ENTRIES, /* key: a folder's; fills names with its list, by the bytes of their last
                             parts, which are their texts: those behind name.text */
};

/* Bytes of attributes. */
enum { FB_META_ATTRIBUTES_MAX = 4096 };

/* What is kept beside a record. */
struct fb_meta_attributes {
    uint32_t length; /* 0: there are none */
    unsigned char bytes[FB_META_ATTRIBUTES_MAX];
};

/* The task has ended; on the loop's thread. */
typedef void fb_meta_done(struct fb_meta_task *task, enum fb_status status);

/* A name and its record, or an entry of a folder's list. */
struct fb_meta_name {
    struct fb_key key;
    bool is_bad;           /* see 6; its text, if it has one, is what was found */
    uint32_t type;         /* ENTRIES: S_IFMT of what it is */
    struct fb_meta record; /* PENDING: the name's; its version is not the record's own, but not 0 */
    uint32_t length;
    char text[FB_OBJECT_NAME_MAX + 1];
};

/* What a PUT does to the list of the folder that the name is in. */
enum fb_meta_listing { FB_META_LIST_KEEP, FB_META_LIST_PUT, FB_META_LIST_TAKE };

/* A name that goes with a PUT. */
struct fb_meta_gone {
    struct fb_meta_name name; /* its record: of the expected version; length 0: none goes */
    bool is_pending;          /* its record is unfinished then */
    bool must_be_empty;       /* its own list; else ABSENT */
};

/* Bytes of a name's last part, for it to be in a list. */
enum { FB_META_PART_MAX = 255 };

/* The caller's, who keeps it until done, which is called once, on the loop's thread. */
struct fb_meta_task {
    enum fb_meta_verb verb;
    fb_meta_done *done;
    struct fb_key key;
    struct fb_meta record;
    struct fb_meta_name name;
    struct fb_meta_attributes attributes; /* GET, PUT */
    bool keeps_attributes;                /* PUT: those that are there stay */
    bool is_pending;                      /* PUT: the record is unfinished */
    bool passes_hold;                     /* it is started while the store is held, too */
    enum fb_meta_listing listing;         /* PUT; name.type: of what is put into the list */
    bool must_be_empty;                   /* PUT: the name's own list; else CONFLICT */
    struct fb_key folder;                 /* PUT: of a record that is of folder_version, else */
    uint64_t folder_version;              /* CONFLICT; 0: whatever there is */
    struct fb_meta_gone gone;             /* PUT */
    struct fb_meta_name *names;           /* PENDING, ENTRIES: room for names_max */
    uint32_t name_count, names_max;
    bool is_cut; /* PENDING, ENTRIES: there are more */
    /* The store's from here on. */
    struct fb_meta_store *store;
    struct fb_offload_task offload;
    enum fb_status status;
    struct fb_meta_task *next;
};

/* The store of records, or none. */
struct fb_meta_store {
    /* On a thread of the store's; waits. */
    enum fb_status (*run)(struct fb_meta_store *store, struct fb_meta_task *task);
    void (*close)(struct fb_meta_store *store);
    void *internal; /* the backend's; NULL: there is no store */
    struct fb_offload calls;
    struct fb_anchor anchor; /* LMDB: its file; while its path names another one all is REFUSED */
    bool is_held;            /* it is not known yet whether it is the right one */
    struct fb_meta_task *held_head, *held_tail; /* tasks that wait for that */
    bool is_looking;
    uint64_t look_ns; /* when the path is looked at again */
    uint64_t full_ns; /* since when PUTs find no room; 0: they do */
    struct fb_offload_task look;
};

/* The key of a name's record. */
struct fb_key fb_name_key(const char *name, uint32_t length);

/* Without one configured, tasks end in INVALID. Errors: error set: LMDB's folder cannot be used. An
 * etcd that cannot be reached is no error here: tasks fail until it can. */
void fb_meta_open(struct fb_meta_store *store, struct fb_uring *uring,
                  const struct fb_settings *settings, struct fb_error *error);
/* Ends its threads; tasks that are not done are forgotten. */
void fb_meta_close(struct fb_meta_store *store);

/* Begins a task of a store that there is; done is never called from within. */
void fb_meta_start(struct fb_meta_store *store, struct fb_meta_task *task);

/* As those of an origin (hw/origin/origin.h). */
void fb_meta_release(struct fb_meta_store *store);
/* Ends those that are held. */
void fb_meta_held_end(struct fb_meta_store *store, enum fb_status status);

/* Now and then. */
void fb_meta_sweep(struct fb_meta_store *store, uint64_t now_ns);

/* Runs a GET on the caller's thread, waiting; uring is not needed. For `forebay doctor`.
 * BUSY: LMDB's folder is a running daemon's. */
enum fb_status fb_meta_probe(const struct fb_settings *settings, struct fb_meta_task *task,
                             struct fb_error *error);

#endif
