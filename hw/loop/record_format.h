/* A recording: every event that a node was given, in order, and from time to time the digest of all
 * ops that it gave. Whoever feeds the events to a fresh node with the same config and seed must get
 * the same digests (`forebay replay --events`).
 *
 *     header | fb_config | record payload | record payload | ...
 *
 * Structs are stored as they are in memory, messages as an fb_message_flat, so a recording is read
 * by the build that wrote it; the header's sizes tell when it is another. A recording whose daemon
 * was killed ends anywhere; all records before that are good. */
#ifndef FB_HW_LOOP_RECORD_FORMAT_H
#define FB_HW_LOOP_RECORD_FORMAT_H

#include "core/config.h"
#include "core/place/view.h"

#define FB_RECORD_MAGIC "FBREC01\n"

enum { FB_RECORD_CHECK = 100 }; /* a kind beside those of enum fb_event_kind */

/* The beginning: which build wrote it, and the node's seed. */
struct fb_record_header {
    char magic[8];
    uint32_t config_size, request_size, message_size, done_size;
    uint64_t seed;
};

/* What stands before each payload. */
struct fb_record {
    uint64_t time_ns;
    uint32_t size; /* of the payload */
    uint32_t kind; /* enum fb_event_kind, or FB_RECORD_CHECK */
};

/* Payloads: REQUEST and MESSAGE: the struct, then its keys; DONE: the struct; TICK: nothing; VIEW:
 * this, then the members; CHECK: fb_record_check. */
struct fb_record_view {
    uint64_t version;
    uint32_t ranks_count;
    uint32_t member_count;
};

/* The payload of a CHECK. */
struct fb_record_check {
    uint64_t events; /* so far */
    uint64_t digest; /* XXH3 of the trace records of all ops so far */
};

/* Bytes of a payload. */
enum { FB_RECORD_PAYLOAD_MAX = 1 << 20 };

static_assert(sizeof(struct fb_record_header) == 32 && sizeof(struct fb_record) == 16 &&
                  sizeof(struct fb_record_check) == 16,
              "stored");

#endif
