/* The store of records that the core's META_GET and META_PUT go to (R15 of core/io.h): LMDB on this
 * machine, or etcd. Its calls wait, so threads of the store's own make them.
 *
 *  1. A record's version is counted by the store: 0: there is none, the first is 1.
 *  2. A key is a hash of a name; the name is kept beside the record, so that whoever finds an
 *     unfinished one (see names.h) knows what it is about. PENDING lists their names.
 *  3. GONE, TIMEOUT and IO of a PUT say nothing about whether it took effect. */
#ifndef FB_HW_META_H
#define FB_HW_META_H

#include "hw/object.h"
#include "hw/offload.h"
#include "hw/settings.h"

struct fb_meta_store;
struct fb_meta_task;

enum fb_meta_verb {
    FB_META_VERB_GET,     /* key: record; ABSENT: there is none */
    FB_META_VERB_PUT,     /* key, record of the expected version, name: CONFLICT: the other's */
    FB_META_VERB_PENDING, /* fills names with those of unfinished records, the first ones by key */
};

typedef void fb_meta_done(struct fb_meta_task *task, enum fb_status status);

struct fb_meta_name {
    struct fb_meta record; /* PENDING: the name's; its version is not the record's own, but not 0 */
    uint32_t length;
    char text[FB_OBJECT_NAME_MAX + 1];
};

/* The caller's, who keeps it until done, which is called once, on the loop's thread. */
struct fb_meta_task {
    enum fb_meta_verb verb;
    fb_meta_done *done;
    struct fb_key key;
    struct fb_meta record;
    struct fb_meta_name name;
    bool is_pending;            /* PUT: the record is unfinished */
    struct fb_meta_name *names; /* PENDING: room for names_max */
    uint32_t name_count, names_max;
    bool is_cut; /* PENDING: there are more */
    /* The store's from here on. */
    struct fb_meta_store *store;
    struct fb_offload_task offload;
    enum fb_status status;
};

struct fb_meta_store {
    /* On a thread of the store's; waits. */
    enum fb_status (*run)(struct fb_meta_store *store, struct fb_meta_task *task);
    void (*close)(struct fb_meta_store *store);
    void *internal; /* the backend's; NULL: there is no store */
    struct fb_offload calls;
};

/* Without one configured, tasks end in INVALID. Errors: error set: LMDB's folder cannot be used. An
 * etcd that cannot be reached is no error here: tasks fail until it can. */
void fb_meta_open(struct fb_meta_store *store, struct fb_uring *uring,
                  const struct fb_settings *settings, struct fb_error *error);
void fb_meta_close(struct fb_meta_store *store);

void fb_meta_start(struct fb_meta_store *store, struct fb_meta_task *task);

/* Runs a task on the caller's thread, waiting; uring is not needed. For `forebay doctor`.
 * BUSY: LMDB's folder is a running daemon's. */
enum fb_status fb_meta_probe(const struct fb_settings *settings, struct fb_error *error);

/* Backends: fill in run, close and internal. */
void fb_meta_lmdb_open(struct fb_meta_store *store, const struct fb_settings *settings,
                       struct fb_error *error);
void fb_meta_etcd_open(struct fb_meta_store *store, const struct fb_settings *settings,
                       struct fb_error *error);

/* Threads that make calls: those of etcd wait for the network, those of LMDB for each other. */
enum { FB_META_ETCD_THREADS = 8, FB_META_LMDB_THREADS = 2 };

#endif
