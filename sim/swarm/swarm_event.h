/* What is due: the events of a run, from a request to the end of a phase. */
#ifndef FB_SIM_SWARM_SWARM_EVENT_H
#define FB_SIM_SWARM_SWARM_EVENT_H

#include "core/io.h"
#include "sim/swarm/swarm_member.h"

enum { SWARM_KEYS_MAX = 32 }; /* of a match */

/* What is due, and which fields of the event it uses. */
enum swarm_event_kind {
    SWARM_REQUEST, /* index: of the request */
    SWARM_RELEASE, /* index: of the request; detail: its try */
    SWARM_ITEM,    /* detail: lease of a gather's range */
    SWARM_MESSAGE,
    SWARM_HALF, /* op: its first half moves */
    SWARM_DONE, /* op: its second half moved */
    SWARM_TICK,
    SWARM_VIEW,  /* index: of the view's place */
    SWARM_FAULT, /* index: of a fault that strikes once */
    SWARM_LATE,  /* op: a META_PUT takes effect after its answer */
    SWARM_RESTART,
    SWARM_COPIES, /* detail: changes of members when it was queued */
    SWARM_DETECT,
    SWARM_MEMBER, /* ask: see swarm_store.c */
    SWARM_PHASE
};

/* An event in the queue, or taken off it. */
struct swarm_event {
    uint32_t kind; /* enum swarm_event_kind */
    uint32_t node;
    uint32_t life; /* of the node when this was queued */
    uint32_t index;
    uint64_t detail;
    uint32_t next; /* free list */
    uint8_t is_moved, is_queued;
    union {
        struct fb_message message;
        struct fb_op op;
        struct swarm_ask ask;
    };
    enum fb_status status;
    uint32_t source_life; /* PULL: of the peer when it was issued */
    uint64_t offered;     /* PULL: what the source's first unit held then */
    struct fb_key keys[SWARM_KEYS_MAX];
    struct fb_fragments fragments; /* ENCODE, DECODE */
    struct fb_meta record;         /* META_GET, META_PUT: what was found */
    struct fb_done said;           /* of ops about names */
};

#endif
