/* See tags.h. */
#include "sim/world/tags.h"

#include "base/memory.h"
#include "core/limits.h"
#include "core/panic.h"

#include <stdlib.h>

void fb_tags_open(struct fb_tags *tags, uint64_t chunks, struct fb_error *error)
{
    tags->chunks = fb_allocate(chunks, sizeof(*tags->chunks), "blocks of nodes", error);
    tags->count = tags->chunks != NULL ? chunks : 0;
}

void fb_tags_close(struct fb_tags *tags)
{
    for (uint64_t i = 0; i < tags->count; i++)
        free(tags->chunks[i].rest);
    free(tags->chunks);
    *tags = (struct fb_tags){.chunks = NULL};
}

uint64_t *fb_tags_at(struct fb_tags *tags, uint64_t unit)
{
    FB_ASSERT(unit / FB_UNITS_PER_CHUNK < tags->count);
    struct fb_tags_chunk *chunk = &tags->chunks[unit / FB_UNITS_PER_CHUNK];
    uint64_t in_chunk = unit % FB_UNITS_PER_CHUNK;
    if (in_chunk == 0)
        return &chunk->first;
    if (chunk->rest == NULL)
        chunk->rest = fb_allocate(FB_UNITS_PER_CHUNK - 1, sizeof(*chunk->rest), "extents", NULL);
    return &chunk->rest[in_chunk - 1];
}
