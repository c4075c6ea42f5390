/* The namespace: what a name means now. A name's record, in the metadata store, says which version
 * of the object is current and where its bytes are; it changes by compare-and-swap only.
 *
 *                    commit                          composed
 *     ORIGIN --------------------------> CACHED -----------------------> ORIGIN
 *       |  ^      commit (overwrite)      |  ^ \___ commit (overwrite) ___^
 *       |  '--- removed at the origin --. |  |
 *       '------------- rm ------------> REMOVED
 *
 *  ORIGIN   the origin says what the name means, as for names without a record
 *  CACHED   this version is committed and current; its blocks are in the cache, at their level, or
 *           stored at the origin one by one; the origin does not show it under its name yet
 *  REMOVED  the name means nothing, whatever the origin still shows
 *
 *  1. Visible at the commit: every open looks the record up first (R15: sees every commit that was
 *     answered). After an overwrite's answer no open gives the version before; a file that was open
 *     stays the version that it is.
 *  2. A writer's commit expects the record that it saw when it began. Of two writers of one name
 *     one wins; the other hears CONFLICT. That a record went on to ORIGIN meanwhile is no conflict.
 *  3. Versions of a name rise: the time, or one more than the last where clocks differ.
 *  4. CACHED and REMOVED are unfinished. The daemon that made the change finishes it
 *     (names_finish.c): origin first, then the record. Both can be done twice. When that daemon is
 *     gone, another, or itself once it runs again, finds the record in the store's list of
 *     unfinished ones: at once when it is its own or the node is no member any more, else after
 *     some rounds in vain.
 *  5. A store that does not answer: names that this node has looked up before mean what they meant
 *     then, others are an error. No commit succeeds meanwhile anywhere, unless only this node is
 *     cut off: then what it says may be old until it is heard again.
 *
 * Requests go through the core (LOOKUP, COMMIT), which owns retries and what an answer that did not
 * come means. */
#ifndef FB_HW_NAMES_H
#define FB_HW_NAMES_H

#include "hw/meta.h"
#include "hw/origin.h"

struct fb_loop;
struct fb_name_task;
struct name_job;

enum fb_name_state { FB_NAME_ORIGIN, FB_NAME_CACHED, FB_NAME_REMOVED };

enum {
    FB_NAME_TASKS_MAX = 256, /* at once; more: BUSY */
    FB_NAME_JOBS_MAX = 1024, /* unfinished ones at once; those past it are found in the store */
    FB_NAME_LIST_MAX = 256,  /* unfinished ones of others that a round looks at */
    FB_NAME_SESSION = 0xffff /* of the core's request ids: above those of clients */
};

/* What a record's 128-bit value holds beside the object's version and size. */
struct fb_name_facts {
    enum fb_name_state state;
    uint32_t level; /* enum fb_level that held at the commit; FB_LEVEL_COUNT: of a removal */
    uint32_t node;  /* that made the change */
    uint64_t block_size_bytes;
    uint64_t version; /* of the object; REMOVED: this one and those before are to go */
    uint64_t size;    /* bytes */
};

struct fb_meta fb_name_record(const struct fb_name_facts *facts, uint64_t expected_version);
struct fb_name_facts fb_name_read(const struct fb_meta *record);

/* The key of a name's record. */
struct fb_key fb_name_key(const char *name, uint32_t length);

typedef void fb_name_done(struct fb_name_task *task, enum fb_status status);

/* A LOOKUP or COMMIT; the caller's until done, which may be called before start returns. */
struct fb_name_task {
    fb_name_done *done;
    struct fb_loop *loop;
    bool is_commit;
    bool is_old; /* LOOKUP: the store is silent; this is what it said before */
    uint32_t name_length;
    const char *name;                            /* the caller's, until done */
    const struct fb_meta_attributes *attributes; /* COMMIT: the caller's; NULL: as they are */
    struct fb_meta_attributes *found; /* those that are there then; NULL: not asked for */
    struct fb_meta record;            /* COMMIT: expected version, new value; then: as it is now */
    uint64_t request_id;
};

struct fb_names {
    bool is_on; /* there is a store */
    struct fb_cache *index;
    struct fb_meta *known; /* records as last seen, LRU by key */
    struct fb_name_task *tasks[FB_NAME_TASKS_MAX];
    uint32_t generation;
    struct name_job *jobs;
    uint32_t jobs_used;
    uint64_t list_ns; /* when to look for unfinished ones of others */
    struct fb_meta_task list;
    bool is_listing;
    uint32_t list_next; /* name that is looked at */
    struct fb_name_task look;
};

/* Errors: error set. */
void fb_names_open(struct fb_names *names, struct fb_loop *loop, struct fb_error *error);
void fb_names_close(struct fb_names *names);

/* Done: OK with a record, or ABSENT with version 0; else what the core says of the store. */
void fb_name_look_up(struct fb_name_task *task);
/* Done: OK, CONFLICT: record is another's; TIMEOUT: it may or may not have taken effect. */
void fb_name_commit(struct fb_name_task *task);

/* The core's answer to one of them. */
void fb_names_reply(struct fb_loop *loop, const struct fb_reply *reply);

/* The store's answer, before the core hears of it. */
void fb_names_meta_done(struct fb_loop *loop, const struct fb_meta_task *meta);

/* The name of a commit that is under way with this key; NULL: none. */
const struct fb_name_task *fb_names_task_of(const struct fb_loop *loop, struct fb_key key);

/* names_finish.c: takes on what a record leaves to do. object: of the record's name and version. */
void fb_name_finish(struct fb_loop *loop, const struct fb_object *object,
                    const struct fb_meta *record);
/* Is it still to be done here? Tries at once. */
bool fb_name_is_unfinished(struct fb_loop *loop, uint64_t handle);
/* Goes on with what is due. */
void fb_names_sweep(struct fb_loop *loop);
bool names_jobs_open(struct fb_names *names);
uint64_t names_jobs_bytes(void);
void names_jobs_close(struct fb_names *names);

#endif
