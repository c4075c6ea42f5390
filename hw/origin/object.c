/* See object.h. The index is the core's own cache of keys with the policy LRU. */
#include "hw/origin/object.h"

#include "core/index/cache.h"
#include "core/key.h"
#include "core/panic.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Of a name so many versions are kept though nobody needs them: readers elsewhere may still ask for
 * blocks of those that were just replaced. Older ones are looked for among so many slots. */
enum { TRIES_MAX = 64, VERSIONS_KEPT = 4, VERSIONS_AMONG = 16 };

/* Slots whose names hash alike, the one named last first. */
struct fb_object_link {
    uint32_t newer, older;
};

static struct fb_key index_key(uint64_t handle)
{
    return (struct fb_key){.high = handle, .low = 0};
}

bool fb_objects_open(struct fb_objects *objects, uint32_t objects_max)
{
    objects->client_open_count = 0;
    objects->index = calloc(1, FB_CACHE_SIZE_BYTES(objects_max));
    objects->slots = calloc(objects_max, sizeof(*objects->slots));
    objects->links = calloc(objects_max, sizeof(*objects->links));
    objects->newest = calloc(objects_max, sizeof(*objects->newest));
    if (objects->index == NULL || objects->slots == NULL || objects->links == NULL ||
        objects->newest == NULL) {
        fb_objects_close(objects);
        return false;
    }
    fb_cache_init(objects->index, objects_max, FB_POLICY_LRU);
    memset(objects->newest, 0xff, objects_max * sizeof(*objects->newest));
    return true;
}

uint64_t fb_objects_bytes(uint32_t objects_max)
{
    uint64_t slot = sizeof(struct fb_object) + sizeof(struct fb_object_link) + sizeof(uint32_t);
    return objects_max * slot + FB_CACHE_SIZE_BYTES(objects_max);
}

void fb_objects_close(struct fb_objects *objects)
{
    free(objects->index);
    free(objects->slots);
    free(objects->links);
    free(objects->newest);
    *objects = (struct fb_objects){.index = NULL};
}

void fb_object_identify(struct fb_object *object)
{
    FB_ASSERT(object->name_length <= FB_OBJECT_NAME_MAX);
    object->name_hash = XXH3_64bits(object->name, object->name_length);
    object->handle = fb_mix(object->name_hash ^ fb_mix(object->version)) & ~UINT64_C(1);
}

/* Mixed first: keys that differ in the last bit alone stay apart. */
struct fb_key fb_object_kv_key(struct fb_key key)
{
    return (struct fb_key){.high = key.high, .low = fb_mix(key.low ^ fb_mix(key.high)) | 1};
}

struct fb_object *fb_objects_find(struct fb_objects *objects, uint64_t handle)
{
    uint32_t slot = fb_cache_find(objects->index, index_key(handle));
    if (slot == FB_NONE)
        return NULL;
    fb_cache_touch(objects->index, slot);
    FB_ASSERT(objects->slots[slot].handle == handle);
    return &objects->slots[slot];
}

const struct fb_object *fb_objects_look(const struct fb_objects *objects, uint64_t handle)
{
    uint32_t slot = fb_cache_find(objects->index, index_key(handle));
    return slot != FB_NONE ? &objects->slots[slot] : NULL;
}

void fb_objects_owe(struct fb_objects *objects, uint64_t handle, uint64_t now_ns)
{
    struct fb_object *known = fb_objects_find(objects, handle);
    if (known == NULL)
        return;
    if (!known->is_written_here)
        known->owed_ns = now_ns;
    known->is_written_here = true;
}

const struct fb_object *fb_objects_owed_oldest(const struct fb_objects *objects)
{
    const struct fb_object *oldest = NULL;
    uint32_t cursor = FB_NONE, size_bytes;
    if (objects->node == NULL)
        return NULL;
    for (uint64_t handle = fb_node_owed_next(objects->node, &cursor, &size_bytes);
         cursor != FB_NONE; handle = fb_node_owed_next(objects->node, &cursor, &size_bytes)) {
        const struct fb_object *object = fb_objects_look(objects, handle);
        if (object != NULL && (oldest == NULL || object->owed_ns < oldest->owed_ns))
            oldest = object;
    }
    return oldest;
}

static bool object_must_stay(const struct fb_objects *objects, struct fb_object *object)
{
    if (object->is_written_here)
        object->is_written_here =
            objects->node != NULL && fb_node_owes(objects->node, object->handle);
    return object->opens > 0 || object->commits > 0 || object->is_written_here;
}

static uint32_t *newest_of(struct fb_objects *objects, uint64_t name_hash)
{
    return &objects->newest[name_hash % fb_cache_slots_max(objects->index)];
}

static void object_link(struct fb_objects *objects, uint32_t slot)
{
    uint32_t *newest = newest_of(objects, objects->slots[slot].name_hash);
    objects->links[slot] = (struct fb_object_link){.newer = FB_NONE, .older = *newest};
    if (*newest != FB_NONE)
        objects->links[*newest].newer = slot;
    *newest = slot;
}

static void object_unlink(struct fb_objects *objects, uint32_t slot)
{
    uint32_t *newest = newest_of(objects, objects->slots[slot].name_hash);
    const struct fb_object_link link = objects->links[slot];
    FB_ASSERT((*newest == slot) == (link.newer == FB_NONE));
    if (link.newer == FB_NONE)
        *newest = link.older;
    else
        objects->links[link.newer].older = link.older;
    if (link.older != FB_NONE)
        objects->links[link.older].newer = link.newer;
}

/* A name that is overwritten again and again has places for its last versions, not the whole table:
 * what nobody has open, and of which no block is owed or on its way, goes. */
static void versions_trim(struct fb_objects *objects, uint64_t name_hash)
{
    uint32_t slot = *newest_of(objects, name_hash), versions = 0;
    for (uint32_t i = 0; i < VERSIONS_AMONG && slot != FB_NONE; i++) {
        const struct fb_object *object = &objects->slots[slot];
        uint32_t older = objects->links[slot].older;
        versions += object->name_hash == name_hash;
        bool is_old = object->name_hash == name_hash && versions > VERSIONS_KEPT;
        if (is_old && object->opens == 0 && object->commits == 0 &&
            (objects->node == NULL || !fb_node_owes(objects->node, object->handle))) {
            object_unlink(objects, slot);
            fb_cache_remove(objects->index, slot);
        }
        slot = older;
    }
}

static bool objects_make_room(struct fb_objects *objects)
{
    struct fb_cache *index = objects->index;
    if (fb_cache_count(index) < fb_cache_slots_max(index))
        return true;
    /* Those that are open are passed by once, and then stand behind the others. */
    for (uint32_t i = 0; i < TRIES_MAX + objects->client_open_count; i++) {
        uint32_t slot = fb_cache_victim(index);
        if (!object_must_stay(objects, &objects->slots[slot])) {
            object_unlink(objects, slot);
            fb_cache_evict(index, slot);
            return true;
        }
        fb_cache_skip(index, slot);
    }
    objects->refusals++;
    return false;
}

struct fb_object *fb_objects_add(struct fb_objects *objects, const struct fb_object *object)
{
    struct fb_object *known = fb_objects_find(objects, object->handle);
    if (known != NULL) {
        bool is_same = known->name_length == object->name_length &&
                       known->version == object->version &&
                       memcmp(known->name, object->name, object->name_length) == 0;
        if (is_same && object->size > 0) { /* committed by now */
            known->size = object->size;
            known->is_written = false;
        }
        if (is_same && object->is_cached)
            known->is_cached = true;
        if (is_same && object->shown != 0)
            known->shown = object->shown;
        return is_same ? known : NULL;
    }
    if (!objects_make_room(objects))
        return NULL;
    uint32_t slot = fb_cache_insert(objects->index, index_key(object->handle));
    FB_ASSERT(slot != FB_NONE);
    objects->slots[slot] = *object;
    objects->slots[slot].opens = 0;
    objects->slots[slot].client_opens = 0;
    objects->slots[slot].commits = 0;
    objects->slots[slot].written_bytes = 0;
    objects->slots[slot].unsure = (struct fb_meta){.version = 0};
    object_link(objects, slot);
    versions_trim(objects, object->name_hash);
    return &objects->slots[slot];
}

void fb_objects_recognise(struct fb_objects *objects, struct fb_object *object)
{
    if (object->written == 0)
        return;
    struct fb_object commit = *object;
    commit.version = object->written;
    fb_object_identify(&commit);
    struct fb_object *known = fb_objects_find(objects, commit.handle);
    if (known == NULL || known->is_written || known->size != object->size ||
        known->name_length != object->name_length ||
        memcmp(known->name, object->name, object->name_length) != 0)
        return;
    if (known->shown == 0)
        known->shown = object->version;
    if (known->shown == object->version) {
        object->shown = object->version;
        object->version = object->written;
    }
}

bool fb_object_name_is_fine(const char *name, uint32_t length)
{
    static const char parts[] = FB_OBJECT_PARTS;
    size_t parts_length = sizeof(parts) - 1;
    if (length == 0 || length > FB_OBJECT_NAME_MAX || memchr(name, '\0', length) != NULL)
        return false;
    if (length >= parts_length && memcmp(name, parts, parts_length) == 0 &&
        (length == parts_length || name[parts_length] == '/'))
        return false;
    for (uint32_t from = 0; from <= length;) {
        const char *slash = memchr(name + from, '/', length - from);
        uint32_t part = slash != NULL ? (uint32_t)(slash - name) - from : length - from;
        bool is_made = part > parts_length && memcmp(name + from, parts, parts_length) == 0 &&
                       name[from + parts_length] == '.'; /* by a commit, see origin_posix_write.c */
        if (is_made || part == 0 || (part == 1 && name[from] == '.') ||
            (part == 2 && name[from] == '.' && name[from + 1] == '.'))
            return false;
        from += part + 1;
    }
    return true;
}

uint64_t fb_object_blocks(const struct fb_object *object, uint64_t block_size_bytes)
{
    FB_ASSERT(block_size_bytes > 0);
    return object->size / block_size_bytes + (object->size % block_size_bytes > 0);
}

struct fb_block fb_object_block(const struct fb_object *object, uint64_t block_size_bytes,
                                uint64_t index)
{
    FB_ASSERT(index < fb_object_blocks(object, block_size_bytes));
    uint64_t left = object->size - index * block_size_bytes;
    return fb_object_new_block(object, block_size_bytes, index,
                               (uint32_t)(left < block_size_bytes ? left : block_size_bytes));
}

struct fb_block fb_object_new_block(const struct fb_object *object, uint64_t block_size_bytes,
                                    uint64_t index, uint32_t size)
{
    return (struct fb_block){
        .key = {.high = fb_mix(object->name_hash ^ fb_mix(index)), .low = object->handle},
        .object = object->handle,
        .offset = index * block_size_bytes,
        .size = size};
}
