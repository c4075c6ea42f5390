/* The set of what has been stored at the origin: blocks of objects from WORLD_WRITTEN on; others
 * are taken to be there. */
#include "base/memory.h"
#include "core/panic.h"
#include "sim/world/world_internal.h"

#include <stdlib.h>
#include <string.h>

struct stored { /* open addressing; 0: empty. Content tags are never 0 */
    uint64_t *tags;
    uint64_t mask, count;
};

static bool stored_find(const struct stored *stored, uint64_t tag, uint64_t *at)
{
    FB_ASSERT(tag != 0);
    for (*at = tag & stored->mask; stored->tags[*at] != 0; *at = (*at + 1) & stored->mask) {
        if (stored->tags[*at] == tag)
            return true;
    }
    return false;
}

static void stored_grow(struct world *world)
{
    struct stored *stored = world->stored;
    struct stored grown = {.mask = stored->mask * 2 + 1, .count = stored->count};
    grown.tags = fb_allocate(grown.mask + 1, sizeof(*grown.tags), "what the origin stores", NULL);
    for (uint64_t i = 0; i <= stored->mask; i++) {
        uint64_t at;
        if (stored->tags[i] != 0 && !stored_find(&grown, stored->tags[i], &at))
            grown.tags[at] = stored->tags[i];
    }
    FB_ASSERT(grown.count * 2 <= grown.mask);
    free(stored->tags);
    *stored = grown;
}

bool world_store_add(struct world *world, const struct fb_block *block)
{
    uint64_t at, tag = world_tag_of(block);
    if (world->stored == NULL) {
        world->stored = fb_allocate(1, sizeof(*world->stored), "what the origin stores", NULL);
        world->stored->mask = 1023;
        world->stored->tags =
            fb_allocate(1024, sizeof(*world->stored->tags), "what the origin stores", NULL);
    }
    if (world->stored->count * 2 > world->stored->mask)
        stored_grow(world);
    if (stored_find(world->stored, tag, &at))
        return false;
    world->stored->tags[at] = tag;
    world->stored->count++;
    return true;
}

bool world_is_stored(const struct world *world, const struct fb_block *block)
{
    uint64_t at;
    return world->stored != NULL && stored_find(world->stored, world_tag_of(block), &at);
}

void world_store_close(struct world *world)
{
    if (world->stored == NULL)
        return;
    free(world->stored->tags);
    free(world->stored);
}
