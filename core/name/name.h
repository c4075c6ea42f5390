/* What a name's record says, as both sides of the seam read it. See name.c for what it means. */
#ifndef FB_CORE_NAME_NAME_H
#define FB_CORE_NAME_NAME_H

#include "core/block.h"

/* Where what a name means is: at the origin; in the cache, to be shown by the origin; nowhere, and
 * the origin is to forget it. */
enum fb_name_state {
    FB_NAME_ORIGIN,
    FB_NAME_CACHED,
    FB_NAME_REMOVED,
    FB_NAME_BAD /* no node has made such a record */
};

/* Of a record, state ORIGIN, that says nothing of an object: a driver made it for what it keeps
 * beside it. No object's version, which is a time. */
enum { FB_NAME_VERSION_NONE = 1 };

/* What a record's 128-bit value and its size hold. */
struct fb_name_facts {
    enum fb_name_state state;
    uint32_t level; /* enum fb_level that held at the commit; FB_LEVEL_COUNT: of a removal */
    uint32_t node;  /* the keeper: who may change the origin now */
    uint64_t block_size_bytes;
    uint64_t version; /* of the object; REMOVED: this one and those before are to go */
    uint64_t size;    /* bytes; of a removal: the version of the object that was removed */
};

/* The record that holds the facts, to take the place of one of the expected version. */
struct fb_meta fb_name_record(const struct fb_name_facts *facts, uint64_t expected_version);

/* What a removal makes of a record that says `facts`, whose bytes a keeper is to erase: the facts
 * of its record. written: the version that the origin shows, where the cache has no later one. */
struct fb_name_facts fb_name_removal(const struct fb_name_facts *facts, uint32_t keeper,
                                     uint64_t version, uint64_t written);

/* One that says nothing, in the place of what cannot be read: BAD. */
struct fb_meta fb_name_unread(uint64_t version);

/* What a record says; of version 0, there is none: ORIGIN. */
struct fb_name_facts fb_name_read(const struct fb_meta *record);

#endif
