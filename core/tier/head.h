/* The head of a node's drive: whose the drive is, how it is cut, and whether something on it is
 * owed. From it and from what the table of headers tells (header.h) follows what a start does.
 *
 *     (zeros) --> FORMING --tables made--> SETTLED --before the first block is owed--> IN_USE --.
 *                    ^                        ^                                                 |
 *                    |                        '-- the node starts or stops, nothing is owed ----'
 *                    '--other settings, and nothing is owed or the operator gives it up
 *
 *     FORMING: the tables are not whole, and nothing is owed
 *     SETTLED: nothing is owed, whatever the tables say
 *     IN_USE:  the tables say what is owed; where they cannot be read, something may be
 *
 * Invariants:
 *  1. A drive is taken for an empty one only when every copy of its head is zeros.
 *  2. A head is written in all its copies before what it says is relied on, with a sequence number
 *     above that of all before it: the newest that can be read is true.
 *  3. What is owed, or may be, is given up on the operator's word alone.
 * Plain data without pointers; drivers store it, and say which copies they could read. */
#ifndef FB_CORE_TIER_HEAD_H
#define FB_CORE_TIER_HEAD_H

#include "core/limits.h"
#include "core/tier/identity.h"

#include <stdbool.h>

/* Copies of the head on a drive. */
enum { FB_HEAD_COPIES = 4 };

/* How far a drive is; see above. Stored. */
enum fb_head_state { FB_HEAD_FORMING = 1, FB_HEAD_SETTLED, FB_HEAD_IN_USE };

/* What a copy says. Stored. */
struct fb_head {
    uint64_t sequence; /* from 1 on */
    uint64_t identity; /* of the tables that were made with it */
    uint64_t cluster;  /* digest of its name */
    uint64_t device_size_bytes, block_size_bytes;
    uint32_t node;
    uint32_t state;             /* enum fb_head_state */
    struct fb_identities knows; /* whose the bytes on it are */
};

/* What was found where a copy should be. */
enum fb_head_copy_state {
    FB_HEAD_COPY_EMPTY, /* zeros */
    FB_HEAD_COPY_FINE,
    FB_HEAD_COPY_DAMAGED, /* something else, or not to be read */
    FB_HEAD_COPY_STRANGE, /* of another version of the format */
};

/* A copy as it was read. */
struct fb_head_copy {
    struct fb_head head; /* of a FINE one */
    uint32_t state;      /* enum fb_head_copy_state */
};

/* The copy that says what is true; FB_NONE: none can be read. */
uint32_t fb_head_choose(const struct fb_head_copy *copies, uint32_t count);

/* How many copies do not say what the chosen one does. */
uint32_t fb_head_faults(const struct fb_head_copy *copies, uint32_t count, uint32_t chosen);

/* What is on a drive that a node is started with. */
struct fb_drive_facts {
    const struct fb_head_copy *copies;
    uint32_t copy_count;
    struct fb_head wanted;    /* by the settings: cluster, node and sizes */
    uint64_t owed_bytes;      /* of the headers that can be read */
    uint64_t unknown_headers; /* that cannot: each may be of an owed block */
    bool is_recovered;        /* the node looks for what is there */
    bool may_discard;         /* the operator says so */
};

/* What a start does with a drive. */
enum fb_drive_answer {
    FB_DRIVE_USE,            /* as it is; unknown headers are cleared */
    FB_DRIVE_FORM,           /* make it anew: nothing is owed there, or it is given up */
    FB_DRIVE_REFUSE_STRANGE, /* another version's */
    FB_DRIVE_REFUSE_DAMAGED, /* no copy of the head can be read */
    FB_DRIVE_REFUSE_FOREIGN, /* another cluster's or node's */
    FB_DRIVE_REFUSE_RESIZED, /* owed under other sizes */
    FB_DRIVE_REFUSE_UNKNOWN, /* headers that cannot be read */
    FB_DRIVE_REFUSE_IGNORED, /* owed, and the node would not look for it */
};

/* Decides it from the facts alone. Errors: none. */
enum fb_drive_answer fb_drive_judge(const struct fb_drive_facts *facts);

#endif
