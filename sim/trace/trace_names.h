/* Short names for what a trace is about, given as it appears, and the same to its end:
 *   weights/3     block 3 of an object that was given this name; else o7/3 of object 7, and O1/3
 *                 where the object's number says nothing (it is long); weights/3.2: another key of
 *                 that block: a later version, or a fragment
 *   A, B ...      what has a key and no object: a KV block, a name's record
 *   attempt 0.1   the first attempt of node 0; so are stores, puts, loans and the rest counted
 *   d1, v1        digests and versions, which are only ever compared */
#ifndef FB_SIM_TRACE_TRACE_NAMES_H
#define FB_SIM_TRACE_TRACE_NAMES_H

#include "core/block.h"
#include "sim/trace/trace_map.h"

enum { TRACE_NAME_MAX = 64 };

struct trace_names {
    struct trace_map map;
    char (*texts)[TRACE_NAME_MAX]; /* of keys and objects, by what the map says - 1 */
    uint64_t text_count, text_max;
    uint64_t letters, objects, digests, versions, values;
    uint64_t block_size_bytes;
};

void trace_names_free(struct trace_names *names);

/* From now on the object is called this. At most 32 characters. */
void trace_names_object(struct trace_names *names, uint64_t object, const char *name);

/* The name of a key; of the block that it belongs to, when that is known. */
const char *trace_name_key(struct trace_names *names, struct fb_key key);
const char *trace_name_block(struct trace_names *names, const struct fb_block *block);
/* Is the name of this key still to be given? */
_Bool trace_name_is_new(struct trace_names *names, struct fb_key key);

const char *trace_name_object(struct trace_names *names, uint64_t object);

/* Which of the node's ids of this word it is ("attempt"), from 1. */
uint64_t trace_name_id(struct trace_names *names, uint32_t node, const char *word, uint64_t id);

uint64_t trace_name_digest(struct trace_names *names, uint64_t digest);
uint64_t trace_name_version(struct trace_names *names, uint64_t version);

/* Which of the values of records it is, from 1. */
uint64_t trace_name_value(struct trace_names *names, struct fb_key value);

/* Remembers an op of a node, and what it was, with its block's name; NULL: there is none. Returns
 * FB_NONE for an op that nobody has begun. */
void trace_names_op_begin(struct trace_names *names, uint32_t node, uint64_t id, uint32_t kind,
                          struct fb_key key);
uint32_t trace_names_op_of(struct trace_names *names, uint32_t node, uint64_t id,
                           const char **block);

#endif
