/* The driver's side of names: their text, which the core knows by its hash alone, what the store
 * said of them last, and the ops that change the origin's objects. What a name means, who finishes
 * a commit and which version a removal removes is the core's: core/name/name.c.
 *
 *  1. The text of a name is kept as long as the core does something about its key.
 *  2. A store that does not answer: names that this node has looked up before mean what they meant
 *     then, and are whose and of the mode that they were; others are an error.
 *  3. An object stays known while its commit is to be finished: its blocks are still to be drained.
 */
#ifndef FB_HW_META_NAMES_H
#define FB_HW_META_NAMES_H

#include "core/name/name.h"
#include "hw/base/feed.h"
#include "hw/meta/meta.h"

struct fb_names;
struct fb_name_task;
struct name_known;
struct name_text;
struct name_hold;

/* Requests about names at once, and how their ids are told from those of clients. */
enum {
    FB_NAME_TASKS_MAX = 256, /* at once; more: BUSY */
    FB_NAME_LIST_MAX = 256,  /* unfinished ones that are read from the store at once */
    FB_NAME_SESSION = 0xffff /* of the core's request ids: above those of clients */
};

/* The request has been answered; on the loop's thread. */
typedef void fb_name_done(struct fb_name_task *task, enum fb_status status);

/* A request to the core; the caller's until done, which may be called before start returns. */
struct fb_name_task {
    fb_name_done *done;
    struct fb_names *names;
    enum fb_request_kind kind; /* NAME_* */
    uint32_t name_length;
    const char *name;                            /* the caller's, until done */
    const struct fb_meta_attributes *attributes; /* COMMIT: the caller's; NULL: as they are */
    const struct fb_meta_gone *gone;  /* COMMIT: the caller's: goes with it; NULL: nothing does */
    struct fb_meta_attributes *found; /* those beside the record of found_version; NULL: not asked
                                         for */
    uint64_t found_version;
    enum fb_status origin; /* BEGIN, LOOK: what it said; BUSY: nothing, or it was not asked */
    struct fb_meta record; /* COMMIT: what it shall be; then, of all: as it is in the store */
    char *leads_to;        /* LOOK: room for a name; ABSENT: it leads there by links, if it is not
                              empty, and that name is to be looked at; NULL: links are followed */
    uint64_t version;      /* ASK; BEGIN, COMMIT, LOOK: then of the object */
    uint64_t replaced;     /* COMMIT; BEGIN: later than this, and then what is there */
    uint64_t size;         /* LOOK: then, bytes */
    bool is_old;           /* LOOK: the store is silent; this is what it said before */
    uint64_t request_id;
};

/* What names work with; the caller's, as long as they are open. */
struct fb_names_context {
    const struct fb_settings *settings;
    struct fb_objects *objects;
    struct fb_feed *feed;
};

/* What is known of names, and what is asked about them. */
struct fb_names {
    struct fb_names_context context;
    bool is_on; /* there is a store */
    struct fb_cache *index;
    struct name_known *known; /* records as last seen, LRU by key */
    struct fb_cache *text_index;
    struct name_text *texts;
    struct fb_name_task *tasks[FB_NAME_TASKS_MAX];
    uint32_t generation;
    struct name_hold *holds; /* as many as core.names_max */
    uint32_t hold_next;
    uint64_t bad_seen;  /* names given up, when that was last logged */
    uint64_t *bad_said; /* of each place of the core's list: what was logged; 0: nothing */
    struct fb_meta_task list;
    bool has_page;
};

/* Errors: error set. */
void fb_names_open(struct fb_names *names, const struct fb_names_context *context,
                   struct fb_error *error);
/* Frees what it keeps; requests under way are forgotten. */
void fb_names_close(struct fb_names *names);
/* What it keeps takes so much. */
uint64_t fb_names_bytes(const struct fb_settings *settings);

/* Done: as the core says. COMMIT: TIMEOUT: it may or may not have taken effect; ABSENT: what should
 * go with it is not as expected. */
void fb_name_start(struct fb_name_task *task);

/* The core's answer to one of them. */
void fb_names_reply(struct fb_names *names, const struct fb_reply *reply);

/* Nobody will commit the object, which was being written: what is owed of it goes (R21). */
void fb_names_abandon(struct fb_names *names, const struct fb_object *object);

/* Blocks of the object have been at the origin for long: if no record says that they are needed,
 * and no client here writes them, they go. */
void fb_names_collect(struct fb_names *names, const struct fb_object *object);

/* The object's commit is to be finished: it stays known until then. */
void fb_names_hold(struct fb_names *names, const struct fb_object *object);

/* Lets go of what is finished; says what cannot be. */
void fb_names_sweep(struct fb_names *names);

struct fb_page;

/* A line "lost STATUS NAME" for each name that cannot be finished. */
void fb_names_lost_print(const struct fb_names *names, struct fb_page *page);

/* The text of a key that the core does something about; NULL: not known. length: of it. */
const char *fb_names_text(struct fb_names *names, struct fb_key key, uint32_t *length);

/* Remembers a text, or a record as it was last seen, with what was beside it (NULL: as before). */
void fb_names_text_put(struct fb_names *names, struct fb_key key, const char *text,
                       uint32_t length);
/* A record as it was last seen; attributes NULL: as before. */
void fb_names_known_put(struct fb_names *names, struct fb_key key, const struct fb_meta *record,
                        const struct fb_meta_attributes *attributes);

#endif
