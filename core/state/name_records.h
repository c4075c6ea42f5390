/* The records of names, private to core/; see name.c. */
#ifndef FB_CORE_STATE_NAME_RECORDS_H
#define FB_CORE_STATE_NAME_RECORDS_H

#include "core/io.h"

/* What is done about a name: for whom. */
enum name_kind {
    NAME_FREE,
    NAME_READ,
    NAME_LOOK,
    NAME_BEGIN,
    NAME_COMMIT,
    NAME_REMOVE,
    NAME_ASK,
    NAME_FINISH,
    NAME_ABANDON
};

/* What it waits for now. */
enum name_state {
    NAME_WAIT, /* FINISH: a pause */
    NAME_RECORD,
    NAME_STAT,
    NAME_PUT,
    NAME_CLAIM,
    NAME_COMPOSE,
    NAME_ERASE,
    NAME_UNDO,
    NAME_PARTS,
    NAME_TELL, /* members, of an object given up; see name_abandon.c */
    NAME_SEEK  /* of a block that a commit misses; see name_seek.c */
};

struct name { /* what is done about a name; see name.c */
    uint64_t request_id;
    struct fb_key key;
    struct fb_meta record; /* as it is in the store; of a LOOK before: as it was */
    struct fb_meta change; /* what it shall be */
    uint64_t wall_ns;
    /* COMMIT; ASK, ABANDON: the version; REMOVE, and FINISH of one: bytes of what was removed */
    uint64_t replaced;
    uint64_t limit, shown; /* FINISH; R17 */
    uint32_t generation;   /* of its ops */
    uint32_t tries;
    uint32_t refusals; /* that will not pass, in a row */
    uint8_t kind, state;
    uint8_t is_claimed : 1; /* FINISH: taken on from another, who has tried */
    uint8_t is_found : 1;   /* FINISH: in the store's list; it may be another node's */
    uint8_t is_old;
    uint8_t is_composed; /* FINISH: the origin shows it; ABANDON: it has answered */
    /* FINISH of a removal: what this node has raised past it has gone; the origin was looked at. */
    uint8_t is_undone, is_looked;
    uint8_t is_unsure;     /* SEEK: somebody may have it later; ABANDON: it may be committed */
    uint8_t seek_next;     /* whom to ask next */
    uint8_t seeks;         /* in vain, one after the other */
    uint8_t rounds;        /* ABANDON: members that were told, as often */
    uint8_t is_abandoned;  /* FINISH: of what was overtaken or removed, too */
    uint32_t fragments;    /* bitmap of those that somebody has */
    uint32_t missing_size; /* of the block */
    struct fb_key missing; /* SEEK: the block; COMMIT: the name that it removes, 0, 0: none */
    uint64_t waiting;      /* bitmap of who has not answered */
    uint64_t view_version;
    uint64_t object;  /* ABANDON; 0: not known yet */
    uint32_t told;    /* members in this round */
    uint32_t refusal; /* FINISH: enum fb_status: the origin's, until somebody helps; FB_OK: none */
};

struct bad_name { /* cannot be finished; see name_collect.c. status FB_OK: free */
    struct fb_key key;
    uint64_t version;   /* of the object */
    uint32_t status;    /* enum fb_status: why */
    uint8_t is_seen;    /* in this pass through the list */
    uint8_t is_doubted; /* LOST: members have changed since, it is looked at again */
    uint8_t reserved[2];
};

struct meta { /* a lookup or a commit; see meta.c */
    uint64_t request_id;
    struct fb_key key;
    struct fb_meta record; /* COMMIT: what shall be */
    uint32_t generation;
    uint32_t failures;
    uint8_t state;
    uint8_t is_commit;
    uint8_t is_unsure; /* a PUT was not answered */
    uint8_t reserved;
    uint32_t name; /* for whom, see name.c; FB_NONE: for a client */
};

#endif
