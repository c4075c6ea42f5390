/* The records of names, private to core/; see name.c. */
#ifndef FB_CORE_NAME_NAME_RECORDS_H
#define FB_CORE_NAME_NAME_RECORDS_H

#include "core/io.h"

enum name_kind {
    NAME_FREE,
    NAME_READ,
    NAME_LOOK,
    NAME_BEGIN,
    NAME_COMMIT,
    NAME_REMOVE,
    NAME_ASK,
    NAME_FINISH
};

enum name_state {
    NAME_WAIT, /* FINISH: a pause */
    NAME_RECORD,
    NAME_STAT,
    NAME_PUT,
    NAME_CLAIM,
    NAME_COMPOSE,
    NAME_ERASE,
    NAME_UNDO,
    NAME_PARTS
};

struct name { /* what is done about a name; see name.c */
    uint64_t request_id;
    struct fb_key key;
    struct fb_meta record; /* as it is in the store; of a LOOK before: as it was */
    struct fb_meta change; /* what it shall be */
    uint64_t wall_ns;
    uint64_t replaced;     /* COMMIT; ASK: the version */
    uint64_t limit, shown; /* FINISH; R18 */
    uint32_t generation;   /* of its ops */
    uint32_t tries;
    uint32_t refusals; /* that will not pass, in a row */
    uint8_t kind, state;
    uint8_t is_found; /* FINISH: in the store's list; it may be another node's */
    uint8_t is_old;
    uint8_t is_composed; /* FINISH: the origin shows it */
    uint8_t is_undone;   /* FINISH of a removal: what was raised past it has gone */
    uint8_t reserved[6];
};

struct bad_name { /* cannot be finished; see name_collect.c. status FB_OK: free */
    struct fb_key key;
    uint64_t version; /* of the object */
    uint32_t status;  /* enum fb_status: why */
    uint32_t is_seen; /* in this pass through the list */
};

#endif
