/* See seen.h. */
#include "hw/origin/seen.h"

#include "core/panic.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A STAT's answer is of what a link leads to, a LOOK's of the link: two entries. */
struct fb_seen_name {
    uint64_t seen_ns;
    uint64_t size, version, order, written;
    struct fb_attributes attributes;
};

static struct fb_key key_of(const char *name, uint32_t length, bool is_look)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(name, length, is_look);
    return (struct fb_key){.high = hash.high64, .low = hash.low64};
}

static struct fb_key object_key(const struct fb_object *object, bool is_look)
{
    return key_of(object->name, object->name_length, is_look);
}

bool fb_seen_open(struct fb_seen *seen, uint64_t valid_ns, uint32_t names_max)
{
    *seen = (struct fb_seen){.valid_ns = valid_ns, .room = names_max};
    if (valid_ns == 0)
        return true;
    seen->index = calloc(1, FB_CACHE_SIZE_BYTES(names_max));
    seen->names = calloc(names_max, sizeof(*seen->names));
    if (seen->index == NULL || seen->names == NULL)
        return false;
    fb_cache_init(seen->index, names_max, FB_POLICY_LRU);
    return true;
}

void fb_seen_close(struct fb_seen *seen)
{
    free(seen->index);
    free(seen->names);
    *seen = (struct fb_seen){.valid_ns = 0};
}

uint64_t fb_seen_bytes(uint64_t valid_ns, uint32_t names_max)
{
    return valid_ns > 0 ? FB_CACHE_SIZE_BYTES(names_max) + names_max * sizeof(struct fb_seen_name)
                        : 0;
}

bool fb_seen_find(struct fb_seen *seen, struct fb_object *object, struct fb_attributes *attributes,
                  bool is_look, uint64_t now_ns)
{
    uint32_t slot =
        seen->valid_ns > 0 ? fb_cache_find(seen->index, object_key(object, is_look)) : FB_NONE;
    if (slot == FB_NONE)
        return false;
    const struct fb_seen_name *name = &seen->names[slot];
    FB_ASSERT(slot < seen->room);
    if (now_ns - name->seen_ns > seen->valid_ns)
        return false;
    fb_cache_touch(seen->index, slot);
    object->size = name->size;
    object->version = name->version;
    object->order = name->order;
    object->written = name->written;
    *attributes = name->attributes;
    return true;
}

void fb_seen_put(struct fb_seen *seen, const struct fb_object *object,
                 const struct fb_attributes *attributes, bool is_look, uint64_t now_ns)
{
    if (seen->valid_ns == 0)
        return;
    struct fb_key key = object_key(object, is_look);
    uint32_t slot = fb_cache_find(seen->index, key);
    if (slot == FB_NONE && fb_cache_count(seen->index) == fb_cache_slots_max(seen->index))
        fb_cache_evict(seen->index, fb_cache_victim(seen->index));
    if (slot == FB_NONE)
        slot = fb_cache_insert(seen->index, key);
    FB_ASSERT(slot != FB_NONE);
    fb_cache_touch(seen->index, slot);
    seen->names[slot] = (struct fb_seen_name){.seen_ns = now_ns,
                                              .size = object->size,
                                              .version = object->version,
                                              .order = object->order,
                                              .written = object->written,
                                              .attributes = *attributes};
}

void fb_seen_forget(struct fb_seen *seen, const char *name, uint32_t length)
{
    for (uint32_t i = 0; i < 2 && seen->valid_ns > 0; i++) {
        uint32_t slot = fb_cache_find(seen->index, key_of(name, length, i == 1));
        if (slot != FB_NONE)
            fb_cache_remove(seen->index, slot);
    }
}

void fb_seen_forget_all(struct fb_seen *seen)
{
    if (seen->valid_ns > 0)
        fb_cache_init(seen->index, seen->room, FB_POLICY_LRU);
}
