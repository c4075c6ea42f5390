/* What two nodes say to each other over TCP: frames of a 48-byte header and a payload, all integers
 * little-endian.
 *
 *  HELLO      first frame of every connection, from the side that connected: who it is, whom it
 *             means, and what both must agree on
 *  MESSAGE    one fb_message of the core, its keys, and the object that its block belongs to;
 *             `value` bytes follow the frame: those that a small OFFER is about, which spares
 *             the PULL
 *  PULL       read `size` bytes at `offset` of your cache memory
 *  BYTES      answer to a PULL: `value` bytes of body follow the frame
 *  FAIL       answer to a PULL that cannot be served; value: enum fb_status
 *  SUMMARY    how the sender is, for people who ask another member; value 1: tell me yours. Fields
 *             that a later release adds stand behind those that are known
 *
 *  1. The checksum (XXH3, 64 bits) covers header and payload. What follows a frame is covered by
 *     the block's own digest, which the core checks.
 *  2. Every size that comes from the network has a limit here and is checked before it is used.
 *  3. A frame that breaks a rule ends the connection.
 *  4. A frame's version is the oldest that has it as it is. A greeting tells the newest one that
 *     its sender speaks (`value`; 0: 2), and nobody is sent what is newer than he has said; so
 *     members are upgraded one after the other. A release speaks the versions of the release
 *     before. */
#ifndef FB_HW_NET_WIRE_H
#define FB_HW_NET_WIRE_H

#include "core/io.h"
#include "hw/origin/object.h"

/* Versions, and sizes in bytes. */
enum {
    FB_WIRE_MAGIC = 0x79616265, /* "ebay" */
    FB_WIRE_VERSION = 3,        /* newest that is spoken; what came with 3: SUMMARY */
    FB_WIRE_VERSION_MIN = 2,    /* oldest */
    FB_WIRE_HEADER_BYTES = 48,
    FB_WIRE_MESSAGE_BYTES = 104, /* of a message without keys and object */
    FB_WIRE_OBJECT_BYTES = 24,   /* of an object without its name */
    FB_WIRE_PAYLOAD_MAX =
        FB_WIRE_MESSAGE_BYTES + 16 * FB_MATCH_KEYS_MAX + FB_WIRE_OBJECT_BYTES + FB_OBJECT_NAME_MAX,
    FB_WIRE_FRAME_MAX = FB_WIRE_HEADER_BYTES + FB_WIRE_PAYLOAD_MAX,
    FB_WIRE_OFFERED_MAX = 8192, /* bytes that an OFFER brings along */
};

/* Of a frame; see above. */
enum fb_wire_kind {
    FB_WIRE_HELLO = 1,
    FB_WIRE_MESSAGE,
    FB_WIRE_PULL,
    FB_WIRE_BYTES,
    FB_WIRE_FAIL,
    FB_WIRE_SUMMARY
};

struct fb_wire_header { /* A frame's first bytes. */
    uint32_t magic;
    uint8_t version;
    uint8_t kind; /* enum fb_wire_kind */
    uint16_t reserved;
    uint32_t source;       /* node */
    uint32_t payload_size; /* bytes after the header, without what follows the frame */
    uint64_t id;           /* PULL: the asker's; its answer carries it back */
    uint64_t value;
    uint64_t reserved_value;
    uint64_t checksum;
};

static_assert(sizeof(struct fb_wire_header) == FB_WIRE_HEADER_BYTES, "the header is sent");

struct fb_wire_hello { /* The payload of a HELLO. */
    uint64_t cluster;  /* hash of its name */
    uint64_t block_size_bytes;
    uint32_t target; /* the node that is meant */
    uint32_t is_for_pulls;
};

struct fb_wire_pull { /* The payload of a PULL. */
    uint64_t offset;  /* in the target's cache memory */
    uint64_t size;
};

static_assert(sizeof(struct fb_wire_hello) == 24 && sizeof(struct fb_wire_pull) == 16, "sent");

/* X(field): what a member says of itself. New ones at the end. */
#define FB_WIRE_SUMMARY_FIELDS(X) \
    X(ready) \
    X(fenced) \
    X(draining) \
    X(device_failing) \
    X(uptime_ns) \
    X(memory_size_bytes) \
    X(memory_used_bytes) \
    X(device_size_bytes) \
    X(device_used_bytes) \
    X(reads) \
    X(hits) \
    X(read_bytes) \
    X(writes) \
    X(write_bytes) \
    X(undrained_bytes) \
    X(undrained_oldest_ns) \
    X(unfinished_names) \
    X(peers_away)

struct fb_wire_summary { /* The payload of a SUMMARY. */
#define FIELD(name) uint64_t name;
    FB_WIRE_SUMMARY_FIELDS(FIELD)
#undef FIELD
};

/* A decoded frame. Pointers are into the bytes given, except keys, which are copied. */
struct fb_wire_frame {
    struct fb_wire_header header;
    struct fb_wire_hello hello;
    struct fb_wire_pull pull;
    struct fb_wire_summary summary;
    struct fb_message message;
    struct fb_key keys[FB_MATCH_KEYS_MAX];
    struct fb_object object; /* MESSAGE: name_length 0: none */
};

/* Each writes a frame to bytes, which hold FB_WIRE_FRAME_MAX, and returns its size. */
uint32_t fb_wire_put_hello(unsigned char *bytes, uint32_t source,
                           const struct fb_wire_hello *hello);
/* object: NULL: none. A MATCH_ASK has FB_MATCH_KEYS_MAX keys at most. offered_bytes: those of an
 * OFFER that the caller sends behind the frame, all or none. */
uint32_t fb_wire_put_message(unsigned char *bytes, const struct fb_message *message,
                             const struct fb_object *object, uint32_t offered_bytes);
/* A PULL; id: its answer's, too. */
uint32_t fb_wire_put_pull(unsigned char *bytes, uint32_t source, uint64_t id,
                          const struct fb_wire_pull *pull);
/* BYTES (value: bytes that follow) or FAIL (value: status). */
uint32_t fb_wire_put_answer(unsigned char *bytes, enum fb_wire_kind kind, uint32_t source,
                            uint64_t id, uint64_t value);

/* wants_answer: the other's is wanted. For peers that speak version 3. */
uint32_t fb_wire_put_summary(unsigned char *bytes, uint32_t source,
                             const struct fb_wire_summary *summary, bool wants_answer);

/* Of a greeting: the newest version that both sides speak. */
uint8_t fb_wire_version(const struct fb_wire_header *hello);

/* Decodes the frame at the beginning of bytes. Returns its size, without what follows it; 0: more
 * bytes are needed. Errors: -1 and *fault says what is wrong: the connection cannot be trusted any
 * more. */
int32_t fb_wire_take(const unsigned char *bytes, uint32_t size, struct fb_wire_frame *frame,
                     const char **fault);

#endif
