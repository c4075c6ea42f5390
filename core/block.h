/* What the seam is about: keys, spans of bytes, blocks, and what is kept of them. */
#ifndef FB_CORE_BLOCK_H
#define FB_CORE_BLOCK_H

#include "core/limits.h"

/* 128-bit block id. Placement uses `high` only: a data block has high = hash(object, block index)
 * and low = version; a KV block has high = chain hash at its group's start, so that a chain's
 * group has one owner, and low = its own chain hash. */
struct fb_key {
    uint64_t high, low;
};

/* What a span is of: a client's arena, a node's cache memory, a node's drive. */
enum fb_region { FB_REGION_CLIENT, FB_REGION_MEMORY, FB_REGION_DEVICE };

/* Bytes that the driver of node `peer` holds. */
struct fb_span {
    uint32_t region; /* enum fb_region */
    uint32_t peer;   /* node id */
    uint64_t offset; /* bytes from the region's start */
    uint64_t size;   /* bytes */
};

#define FB_OBJECT_NONE UINT64_MAX

/* A block, and where the origin holds it. */
struct fb_block {
    struct fb_key key;
    uint64_t object; /* the driver's handle of an origin object; FB_OBJECT_NONE: no origin copy */
    uint64_t offset; /* of the block in the object, bytes */
    uint32_t size;   /* bytes, 1..block_size_bytes */
    uint32_t tenant;
};

/* What a name means: a record of the metadata store, found by the key of the name. */
struct fb_meta {
    uint64_t version;    /* 0: there is none; the first is 1 */
    struct fb_key value; /* for example of a manifest's block */
    uint64_t size;       /* of what it names, bytes; the store does not look at it */
};

/* What the drive keeps a block for. */
enum fb_header_state {
    FB_HEADER_NONE,
    FB_HEADER_CLEAN, /* a cached block */
    FB_HEADER_OWED,  /* it was promised to somebody, and may not be at the origin */
};

/* Of a block on the device; see R15 and header.h. */
struct fb_header {
    struct fb_key key;
    uint64_t object, offset; /* OWED: where the block belongs at the origin; else unspecified */
    uint64_t digest;         /* 0: not known */
    uint64_t position;       /* of the block on the device, bytes */
    uint32_t size;           /* of the block, bytes */
    uint32_t state;          /* enum fb_header_state */
    uint64_t checksum;       /* the driver's */
};

/* Some of a block's bytes. */
struct fb_range {
    struct fb_block block;
    uint32_t offset, size; /* within the block */
};

/* What must be true of a durable write when its client is answered. */
enum fb_level {
    FB_LEVEL_MEMORY,     /* in this node's memory; lost with it until others hold it */
    FB_LEVEL_REPLICATED, /* in the memory of write_quorum nodes */
    FB_LEVEL_DEVICE,     /* on a device of write_quorum nodes */
    FB_LEVEL_ORIGIN,     /* at the origin */
    FB_LEVEL_VOLATILE,   /* nothing is promised; between nodes only: a KV block for others to use */
    FB_LEVEL_COUNT
};

/* Of a block under an erasure code; see R13. */
struct fb_fragments {
    uint32_t data_count, parity_count;
    uint32_t size;    /* bytes of each */
    uint32_t present; /* DECODE: bitmap of those whose bytes are at hand */
    uint64_t offset[FB_FRAGMENTS_MAX];
};

/* To the origin's object of a name; see R17. */
struct fb_change {
    uint64_t version; /* whose blocks */
    uint64_t size;    /* of the object, bytes */
    uint64_t limit, shown;
};

#endif
