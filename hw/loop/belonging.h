/* Are origin and metadata store those that the node's bytes belong to? Asked at the start, and
 * until both have answered; core/tier/identity.h judges.
 *
 *     STORE --> ORIGIN --judged--> MAKE --> KEEP --> DONE
 *       ^                    '-----none wanted--^ |
 *       '--another node has changed what it knows-'
 *
 *  1. Until then both are held: whoever asks them hears what he would of one that is away. A start
 *     waits for them for some time, so that a wrong one is refused before anybody was let in.
 *  2. Nothing is written at either before all that is known was read.
 *  3. The store keeps its identity, and the origin's, as attributes of a record of a name that no
 *     client can have; a change of it is a PUT of the version that was read. */
#ifndef FB_HW_LOOP_BELONGING_H
#define FB_HW_LOOP_BELONGING_H

#include "hw/meta/meta.h"
#include "hw/origin/identity.h"

/* How far it has come: see belonging.c. */
enum fb_belonging_step {
    FB_BELONGING_STORE,
    FB_BELONGING_ORIGIN,
    FB_BELONGING_MAKE,
    FB_BELONGING_KEEP,
    FB_BELONGING_DONE
};

/* The loop's: what is known of whom drive, store and origin belong to, and the ask under way. */
struct fb_belonging {
    enum fb_belonging_step step;
    bool is_asking, has_failed;
    bool may_make;      /* an identity at the origin */
    bool forgets;       /* what the drive caches */
    bool has_begun;     /* the node runs */
    uint32_t conflicts; /* in a row, with others who change what the store knows */
    uint64_t again_ns;
    /* The failure that was logged last, of which the next differs; OK: none. */
    struct {
        enum fb_status status;
        int code;
        bool is_store;
    } told;
    struct fb_identities store; /* as it keeps them */
    uint64_t store_version;     /* of that record; 0: there is none */
    struct fb_identities found; /* as they are to be kept */
    struct fb_meta_task meta;
    struct fb_identity_question question;
    struct fb_error error; /* it is refused */
};

struct fb_loop;

/* Makes the task that asks a store of records for what it keeps of this. */
void fb_belonging_record_ask(struct fb_meta_task *task);
/* What it keeps, by the record that such a task brought; all 0: nothing of ours. */
struct fb_identities fb_belonging_record_read(const struct fb_meta_task *task);

/* Errors: error set: they are others. An origin or store that is away is none. */
void fb_belonging_open(struct fb_loop *loop, struct fb_error *error);
/* Asks again what has not answered; ends the loop when it is refused. */
void fb_belonging_sweep(struct fb_loop *loop);
/* Why the loop ended, if it was that. */
void fb_belonging_end(const struct fb_loop *loop, struct fb_error *error);

#endif
