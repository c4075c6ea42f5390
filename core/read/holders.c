/* Whom a block was lent to: the readers to which its lender refers others.
 *
 *     (unknown) --add--> pulling --ready--> ready        oldest forgotten when full
 *         ^----------- remove: it did not keep the block, or is said to be silent ---------'
 *
 * A ready holder can lend at once; one that is still pulling lets its own askers wait, so ready
 * ones are named first, in turn. Invariant: bits of holder_ready are below holder_count. */
#include "core/read/read.h"

void fb_holder_add(struct entry *entry, uint32_t peer)
{
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(entry->holder_count <= FB_HOLDERS_MAX);
    for (uint32_t i = 0; i < entry->holder_count; i++) {
        if (entry->holders[i] == peer)
            return;
    }
    if (entry->holder_count == FB_HOLDERS_MAX)
        fb_holder_remove(entry, entry->holders[0]);
    entry->holders[entry->holder_count++] = peer;
}

void fb_holder_ready(struct entry *entry, uint32_t peer)
{
    FB_ASSERT(peer != FB_NONE);
    FB_ASSERT(entry->holder_count <= FB_HOLDERS_MAX);
    for (uint32_t i = 0; i < entry->holder_count; i++) {
        if (entry->holders[i] == peer)
            entry->holder_ready |= (uint8_t)(1u << i);
    }
}

void fb_holder_remove(struct entry *entry, uint32_t peer)
{
    FB_ASSERT(entry->holder_count <= FB_HOLDERS_MAX);
    uint32_t kept = 0, ready = 0, before = entry->holder_ready;
    for (uint32_t i = 0; i < entry->holder_count; i++) {
        if (entry->holders[i] == peer)
            continue;
        ready |= (before >> i & 1u) << kept;
        entry->holders[kept++] = entry->holders[i];
    }
    entry->holder_count = kept & 15u;
    entry->holder_ready = (uint8_t)ready;
    FB_ASSERT(kept <= FB_HOLDERS_MAX);
}

/* The next of the holders in `mask` that is not the asker; FB_NONE: there is none. */
static uint32_t holder_next_of(struct entry *entry, uint32_t asker, uint32_t mask)
{
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(entry->holder_count <= FB_HOLDERS_MAX);
    for (uint32_t i = 0; i < entry->holder_count; i++) {
        uint32_t next = (entry->holder_next + 1u) % entry->holder_count;
        entry->holder_next = next & 15u;
        if ((mask >> next & 1u) && entry->holders[next] != asker)
            return entry->holders[next];
    }
    return FB_NONE;
}

uint32_t fb_holder_next(struct entry *entry, uint32_t asker)
{
    uint32_t ready = entry->holder_ready;
    FB_ASSERT(ready >> entry->holder_count == 0);
    FB_ASSERT(asker != FB_NONE);
    uint32_t holder = holder_next_of(entry, asker, ready);
    return holder != FB_NONE ? holder : holder_next_of(entry, asker, ~ready);
}
