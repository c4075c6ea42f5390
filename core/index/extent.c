/* Best-fit extents in chunks of 64 units. See extent.h for the invariants. */
#include "core/index/extent.h"

#include "core/panic.h"

enum { LISTS = FB_UNITS_PER_CHUNK + 1 };

struct fb_extents {
    uint64_t used_units;
    uint64_t lists_used; /* bit i - 1: list i is not empty, i = 1..64 */
    uint32_t chunks;
    uint32_t reserved;
    uint32_t heads[LISTS]; /* chunks by longest free run */
    uint32_t padding;
};

struct chunk {
    uint64_t free; /* bit set: unit is free */
    uint32_t next, previous;
    uint32_t run; /* longest free run: the list it hangs in */
    uint32_t reserved;
};

static_assert(sizeof(struct chunk) == 24, "FB_EXTENTS_SIZE_BYTES counts it");
static_assert(sizeof(struct fb_extents) <= 320, "FB_EXTENTS_SIZE_BYTES counts it");

static struct chunk *chunk_at(const struct fb_extents *extents, uint32_t index)
{
    FB_ASSERT(index < extents->chunks);
    unsigned char *base = (unsigned char *)(uintptr_t)extents;
    return (struct chunk *)(void *)(base + 320) + index;
}

/* Length of the longest run of set bits: each round shortens every run by one. */
static uint32_t longest_run(uint64_t word)
{
    uint32_t length = 0;
    if (word == UINT64_MAX)
        return 64;
    for (; word != 0; length++)
        word &= word << 1;
    FB_ASSERT(length < 64);
    return length;
}

/* Bits that begin a run of at least `units` set bits. */
static uint64_t run_starts(uint64_t word, uint32_t units)
{
    uint32_t have = 1;
    FB_ASSERT(units >= 1);
    FB_ASSERT(units <= 64);
    while (have < units) {
        uint32_t step = units - have < have ? units - have : have;
        word &= word >> step;
        have += step;
    }
    return word;
}

static uint64_t mask_of(uint32_t first, uint32_t units)
{
    FB_ASSERT(units >= 1);
    FB_ASSERT(first + units <= 64);
    return (units == 64 ? UINT64_MAX : (UINT64_C(1) << units) - 1) << first;
}

static void list_add(struct fb_extents *extents, uint32_t index)
{
    struct chunk *chunk = chunk_at(extents, index);
    chunk->run = longest_run(chunk->free);
    FB_ASSERT(chunk->run < LISTS);
    uint32_t head = extents->heads[chunk->run];
    chunk->previous = FB_NONE;
    chunk->next = head;
    if (head != FB_NONE)
        chunk_at(extents, head)->previous = index;
    extents->heads[chunk->run] = index;
    if (chunk->run > 0)
        extents->lists_used |= UINT64_C(1) << (chunk->run - 1);
}

static void list_remove(struct fb_extents *extents, uint32_t index)
{
    struct chunk *chunk = chunk_at(extents, index);
    FB_ASSERT(chunk->run < LISTS);
    if (chunk->next != FB_NONE)
        chunk_at(extents, chunk->next)->previous = chunk->previous;
    if (chunk->previous != FB_NONE)
        chunk_at(extents, chunk->previous)->next = chunk->next;
    else
        extents->heads[chunk->run] = chunk->next;
    if (chunk->run > 0 && extents->heads[chunk->run] == FB_NONE)
        extents->lists_used &= ~(UINT64_C(1) << (chunk->run - 1));
}

void fb_extents_init(struct fb_extents *extents, uint32_t chunks)
{
    FB_ASSERT(chunks > 0);
    FB_ASSERT(chunks < FB_NONE / FB_UNITS_PER_CHUNK);
    *extents = (struct fb_extents){.chunks = chunks};
    for (uint32_t i = 0; i < LISTS; i++)
        extents->heads[i] = FB_NONE;
    for (uint32_t i = chunks; i-- > 0;) { /* so that chunk 0 is at the head */
        *chunk_at(extents, i) = (struct chunk){.free = UINT64_MAX};
        list_add(extents, i);
    }
}

uint32_t fb_extents_allocate(struct fb_extents *extents, uint32_t units)
{
    FB_ASSERT(units >= 1);
    FB_ASSERT(units <= FB_UNITS_PER_CHUNK);
    uint64_t long_enough = extents->lists_used & ~((UINT64_C(1) << (units - 1)) - 1);
    if (long_enough == 0)
        return FB_NONE;
    uint32_t list = (uint32_t)__builtin_ctzll(long_enough) + 1;
    uint32_t index = extents->heads[list];
    struct chunk *chunk = chunk_at(extents, index);
    uint64_t starts = run_starts(chunk->free, units);
    FB_ASSERT(starts != 0);
    uint32_t first = (uint32_t)__builtin_ctzll(starts);
    list_remove(extents, index);
    chunk->free &= ~mask_of(first, units);
    list_add(extents, index);
    extents->used_units += units;
    return index * FB_UNITS_PER_CHUNK + first;
}

_Bool fb_extents_take(struct fb_extents *extents, uint64_t first_unit, uint32_t units)
{
    uint64_t index = first_unit / FB_UNITS_PER_CHUNK;
    uint32_t first = (uint32_t)(first_unit % FB_UNITS_PER_CHUNK);
    if (index >= extents->chunks || units == 0 || first + units > FB_UNITS_PER_CHUNK)
        return 0;
    struct chunk *chunk = chunk_at(extents, (uint32_t)index);
    uint64_t mask = mask_of(first, units);
    if ((chunk->free & mask) != mask)
        return 0;
    list_remove(extents, (uint32_t)index);
    chunk->free &= ~mask;
    list_add(extents, (uint32_t)index);
    extents->used_units += units;
    return 1;
}

void fb_extents_free(struct fb_extents *extents, uint32_t first_unit, uint32_t units)
{
    uint32_t index = first_unit / FB_UNITS_PER_CHUNK;
    struct chunk *chunk = chunk_at(extents, index);
    uint64_t mask = mask_of(first_unit % FB_UNITS_PER_CHUNK, units);
    FB_ASSERT((chunk->free & mask) == 0); /* never freed twice */
    FB_ASSERT(extents->used_units >= units);
    list_remove(extents, index);
    chunk->free |= mask;
    list_add(extents, index);
    extents->used_units -= units;
}

uint64_t fb_extents_used_units(const struct fb_extents *extents)
{
    FB_ASSERT(extents->used_units <= (uint64_t)extents->chunks * FB_UNITS_PER_CHUNK);
    return extents->used_units;
}

/* Not the compiler's builtin, which is a call into its library on a plain x86-64. */
static uint64_t bits_count(uint64_t bits)
{
    uint64_t count = 0;
    for (; bits != 0; bits &= bits - 1)
        count++;
    FB_ASSERT(count <= 64);
    return count;
}

void fb_extents_check(const struct fb_extents *extents)
{
    uint64_t used = 0, listed = 0;
    for (uint32_t i = 0; i < extents->chunks; i++) {
        FB_ASSERT(chunk_at(extents, i)->run == longest_run(chunk_at(extents, i)->free));
        used += 64 - bits_count(chunk_at(extents, i)->free);
    }
    for (uint32_t list = 0; list < LISTS; list++) {
        for (uint32_t i = extents->heads[list]; i != FB_NONE; i = chunk_at(extents, i)->next) {
            FB_ASSERT(chunk_at(extents, i)->run == list);
            FB_ASSERT(listed < extents->chunks);
            listed++;
        }
        if (list > 0)
            FB_ASSERT((extents->heads[list] != FB_NONE) ==
                      ((extents->lists_used >> (list - 1) & 1) != 0));
    }
    FB_ASSERT(used == extents->used_units);
    FB_ASSERT(listed == extents->chunks);
}
