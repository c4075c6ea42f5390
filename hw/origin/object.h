/* Origin objects that this node knows by name. The core knows them by a 64-bit handle, which is
 * made of name and version and so is the same on every node; a node that asks a peer for a block
 * sends the name along, so that the peer can fetch it.
 *
 *  1. A handle stands for one name and version; a changed object is another one.
 *  2. The table holds the objects that were named last; those that clients have open stay, and
 *     those of which a block is owed: without its name it could be stored nowhere. When all that
 *     are looked at must stay, another is refused, and counted.
 *  3. A block's key: high = hash(name, index), low = the handle: both together are 127 bits of
 *     identity: the last bit of a handle is 0, that of a client's KV key 1 (fb_object_kv_key), so
 *     that whoever puts KV blocks never says what others read of a file.
 *  4. The size of an object that is being written is not known, and 0, until it is committed. */
#ifndef FB_HW_ORIGIN_OBJECT_H
#define FB_HW_ORIGIN_OBJECT_H

#include "client/protocol/attributes.h"
#include "core/node/node.h"

#include <stdbool.h>

/* An object: who it is, what is known of it, and what this node does with it. */
struct fb_object {
    uint64_t handle;
    uint64_t name_hash;
    uint64_t size;    /* bytes */
    uint64_t version; /* a commit's, or the origin's word for what it shows */
    /* STAT: when it was changed: orders it among commits, whose versions are times; 0: not known.
     * written: the version of the commit that it may be; shown: the origin's word for that
     * commit's object, once it was seen there; 0: not yet. */
    uint64_t order, written, shown;
    enum fb_status refusal; /* of its last store, when the origin refused it for good; else OK */
    uint32_t name_length;
    uint32_t opens;                /* by clients, and by names that are not finished */
    uint32_t client_opens, opener; /* of them, clients'; the session that was the first of these */
    uint32_t user;                 /* of its writer */
    uint64_t writer;               /* its number as a session; 0: it was written elsewhere */
    uint64_t owed_ns;              /* is_written_here: since when */
    bool is_written;               /* by one of them: not committed yet */
    bool is_new;                   /* nothing had its name when that began */
    bool is_committed;             /* by this node: its name's record says so */
    bool is_cached;                /* committed; the origin may not show it yet (see names.h) */
    bool is_degraded;              /* a block of it has fewer copies than its writer asked for */
    bool is_degraded_told;         /* in the log */
    bool is_written_here;          /* a block of it was owed by this node once: ask whether it is */
    /* Of one that is being written: the record of its name when that began. */
    uint64_t record_version, replaced_version;
    uint64_t written_bytes; /* of it, as far as its end was written */
    struct fb_meta unsure;  /* of its commit whose end is not known; value 0: there is none */
    uint32_t commits;       /* under way */
    char name[FB_OBJECT_NAME_MAX + 1];
};

/* The table of objects. */
struct fb_objects {
    struct fb_cache *index; /* handle -> slot, LRU */
    struct fb_object *slots;
    struct fb_object_link *links; /* of slots */
    uint32_t *newest;             /* of those whose names hash alike: the one named last */
    struct fb_node *node;         /* that knows what is owed; NULL: nothing is */
    uint32_t client_open_count;   /* objects that clients have open */
    uint64_t refusals;
};

/* Errors: false: out of memory. */
bool fb_objects_open(struct fb_objects *objects, uint32_t objects_max);
/* Frees the table. */
void fb_objects_close(struct fb_objects *objects);

/* What a table takes. */
uint64_t fb_objects_bytes(uint32_t objects_max);

/* Fills in name_hash and handle from name and version. */
void fb_object_identify(struct fb_object *object);

/* A client's KV key among those of blocks. */
struct fb_key fb_object_kv_key(struct fb_key key);

/* The known object; NULL: never named, or forgotten. Valid until the next fb_objects_add. */
struct fb_object *fb_objects_find(struct fb_objects *objects, uint64_t handle);

/* Remembers a copy of the object, whose handle is filled in. NULL when the slots that were looked
 * at are all of open or owed objects, or when another object has this handle. */
struct fb_object *fb_objects_add(struct fb_objects *objects, const struct fb_object *object);

/* What STAT found at the origin may be what a commit has made that this node knows of: then it is
 * of that version, and its blocks are those that the cache has. Whoever changes it in place and
 * keeps its time of change makes another one of it, since `shown` tells. */
void fb_objects_recognise(struct fb_objects *objects, struct fb_object *object);

/* The same for those who only look: it stays as near to being forgotten as it was. */
const struct fb_object *fb_objects_look(const struct fb_objects *objects, uint64_t handle);

/* A block of it is going to be owed: its name stays until the block is stored. */
void fb_objects_owe(struct fb_objects *objects, uint64_t handle, uint64_t now_ns);

/* Of what is owed now, the object that has been longest; NULL: nothing is, or no name is known. */
const struct fb_object *fb_objects_owed_oldest(const struct fb_objects *objects);

/* Where an origin that cannot write into the middle of an object keeps the blocks of one that is
 * not committed yet; no object's name begins so. */
#define FB_OBJECT_PARTS ".forebay-parts"

/* Is this a name that may be sent to an origin? Relative, without "." and ".." and empty parts,
 * 1 to FB_OBJECT_NAME_MAX bytes, no zero byte, not among FB_OBJECT_PARTS, no part of it that begins
 * with that and a dot. */
bool fb_object_name_is_fine(const char *name, uint32_t length);

/* Blocks of the object: count, and the one at index < count. */
uint64_t fb_object_blocks(const struct fb_object *object, uint64_t block_size_bytes);
/* The block at an index below that count. */
struct fb_block fb_object_block(const struct fb_object *object, uint64_t block_size_bytes,
                                uint64_t index);

/* The block at any index of an object that is being written. size: 1 to block_size_bytes. */
struct fb_block fb_object_new_block(const struct fb_object *object, uint64_t block_size_bytes,
                                    uint64_t index, uint32_t size);

#endif
