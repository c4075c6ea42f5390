/* See header.h. */
#include "core/tier/header.h"

#include "core/panic.h"

#include <stdbool.h>

struct fb_header fb_header_of_write(const struct fb_op *op)
{
    FB_ASSERT(op->kind == FB_OP_WRITE);
    FB_ASSERT(op->header_state != FB_HEADER_NONE);
    return (struct fb_header){.key = op->block.key,
                              .object = op->block.object,
                              .offset = op->block.offset,
                              .digest = op->digest,
                              .position = op->source.offset,
                              .size = op->block.size,
                              .state = op->header_state};
}

static uint32_t units_of(uint64_t unit_bytes, uint32_t size_bytes)
{
    FB_ASSERT(unit_bytes > 0);
    FB_ASSERT(size_bytes > 0);
    return (uint32_t)((size_bytes + unit_bytes - 1) / unit_bytes);
}

void fb_header_put(struct fb_header_page *page, uint64_t unit_bytes, const struct fb_header *header)
{
    uint32_t first = (uint32_t)(header->position / unit_bytes % FB_UNITS_PER_CHUNK);
    uint32_t end = first + units_of(unit_bytes, header->size);
    FB_ASSERT(header->position % unit_bytes == 0);
    FB_ASSERT(end <= FB_UNITS_PER_CHUNK);
    for (uint32_t unit = 0; unit < end; unit++) {
        const struct fb_header *old = &page->headers[unit];
        if (old->state != FB_HEADER_NONE && unit + units_of(unit_bytes, old->size) > first)
            page->headers[unit] = (struct fb_header){.state = FB_HEADER_NONE};
    }
    page->headers[first] = *header;
}

void fb_header_settle(struct fb_header_page *page, uint64_t unit_bytes, uint64_t position)
{
    FB_ASSERT(unit_bytes > 0);
    FB_ASSERT(position % unit_bytes == 0);
    struct fb_header *header = &page->headers[position / unit_bytes % FB_UNITS_PER_CHUNK];
    if (header->state == FB_HEADER_OWED)
        header->state = FB_HEADER_CLEAN;
}

_Bool fb_header_forget(struct fb_header_page *page)
{
    _Bool is_changed = 0;
    FB_ASSERT(page != 0);
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        struct fb_header *header = &page->headers[unit];
        if (header->state != FB_HEADER_CLEAN)
            continue;
        *header = (struct fb_header){.state = FB_HEADER_NONE};
        is_changed = 1;
    }
    return is_changed;
}

uint32_t fb_header_next(const struct fb_header_page *page, uint32_t unit)
{
    FB_ASSERT(unit <= FB_UNITS_PER_CHUNK);
    while (unit < FB_UNITS_PER_CHUNK && page->headers[unit].state == FB_HEADER_NONE)
        unit++;
    return unit < FB_UNITS_PER_CHUNK ? unit : FB_NONE;
}

uint64_t fb_header_owed_bytes(const struct fb_header_page *page, uint32_t *count)
{
    uint64_t bytes = 0;
    FB_ASSERT(page != 0);
    *count = 0;
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        bool is_owed = page->headers[unit].state == FB_HEADER_OWED;
        bytes += is_owed ? page->headers[unit].size : 0;
        *count += is_owed;
    }
    FB_ASSERT(*count <= FB_UNITS_PER_CHUNK);
    return bytes;
}

uint64_t fb_header_join(struct fb_header_page *page, uint64_t page_fine,
                        const struct fb_header_page *second, uint64_t second_fine)
{
    static_assert(FB_UNITS_PER_CHUNK == 64, "a bit map of a page's headers");
    uint64_t unknown = ~(page_fine | second_fine);
    FB_ASSERT(page != second);
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        uint64_t bit = UINT64_C(1) << unit;
        if (unknown & bit)
            page->headers[unit] = (struct fb_header){.state = FB_HEADER_NONE};
        else if (!(page_fine & bit))
            page->headers[unit] = second->headers[unit];
        FB_ASSERT(page->headers[unit].state <= FB_HEADER_OWED);
    }
    return unknown;
}

_Bool fb_header_scan(struct fb_header_page *const *pages, uint64_t page_count, uint64_t *cursor,
                     struct fb_header *header)
{
    uint32_t from = (uint32_t)(*cursor % FB_UNITS_PER_CHUNK);
    FB_ASSERT(page_count == 0 || pages != 0);
    for (uint64_t i = *cursor / FB_UNITS_PER_CHUNK; i < page_count; i++) {
        uint32_t unit = pages[i] != 0 ? fb_header_next(pages[i], from) : FB_NONE;
        from = 0;
        if (unit == FB_NONE)
            continue;
        *header = pages[i]->headers[unit];
        *cursor = i * FB_UNITS_PER_CHUNK + unit + 1;
        return 1;
    }
    return 0;
}
