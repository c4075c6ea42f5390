/* Two queues of links: by the date of their first finish, and dirty ones by level.
 *
 * Dates are kept lazily: one that has become too early stays until it comes first. A level moves by
 * a percent at a time, so most changes move a date later or by little, and cost nothing here.
 *
 * Dirty links come lowest level first, because a level only depends on lower ones: taken in that
 * order most links are relaxed once for each change. Buckets of a 64th of an octave are enough. */
#include "sim/fluid/fluid_internal.h"

#include "core/panic.h"

#include <math.h>
#include <string.h>

enum {
    DATES_ARITY = 4,
    PREFETCH_BYTES_MAX = 4096,
    PREFETCH_BYTES_DIRTY = 1024,
    BUCKET_STEP_BITS = 6,
    MANTISSA_BITS = 23,
    BUCKET_EXPONENT_MIN = 127 - 40, /* 2^-40 bytes per ns, a thousandth of a byte a second */
};

/* So that the clock's rounding does not part flows that end together. */
static const double ROUNDING_NS = 1e-3;

/* The date at which a link's clock reaches a mark at its present level. */
uint64_t fb_fluid_mark_date(const struct fluid_link *link, double mark)
{
    double left = mark - link->clock;
    if (left <= 0)
        return link->clock_ns;
    FB_ASSERT(link->level > 0);
    double wait_ns = ceil(left / link->level - ROUNDING_NS);
    /* Beyond 2^62 ns (146 years) the exact date does not matter. */
    return link->clock_ns + (wait_ns < 0x1p62 ? (uint64_t)wait_ns : (uint64_t)1 << 62);
}

static void date_put(struct fb_fluid *fluid, uint32_t place, struct fluid_date date)
{
    fluid->dates[place] = date;
    fluid->links[date.link].date_place = place;
}

static void date_sift(struct fb_fluid *fluid, uint32_t place, struct fluid_date date)
{
    while (place > 0 && fluid->dates[(place - 1) / DATES_ARITY].date_ns > date.date_ns) {
        date_put(fluid, place, fluid->dates[(place - 1) / DATES_ARITY]);
        place = (place - 1) / DATES_ARITY;
    }
    for (;;) {
        uint32_t child = DATES_ARITY * place + 1;
        uint32_t end = child + DATES_ARITY;
        if (end > fluid->date_count)
            end = fluid->date_count;
        if (child >= end)
            break;
        uint32_t first = child;
        for (uint32_t i = child + 1; i < end; i++)
            if (fluid->dates[i].date_ns < fluid->dates[first].date_ns)
                first = i;
        if (fluid->dates[first].date_ns >= date.date_ns)
            break;
        date_put(fluid, place, fluid->dates[first]);
        place = first;
    }
    date_put(fluid, place, date);
}

/* Makes a link's date no later than its first finish. */
void fb_fluid_date_update(struct fb_fluid *fluid, uint32_t index)
{
    const struct fluid_link *link = &fluid->links[index];
    if (link->held_count == 0)
        return;
    struct fluid_date date = {
        .date_ns = fb_fluid_mark_date(link, link->first_mark),
        .link = index,
    };
    if (link->date_place == FLUID_NONE)
        date_sift(fluid, fluid->date_count++, date);
    else if (date.date_ns < fluid->dates[link->date_place].date_ns)
        date_sift(fluid, link->date_place, date);
}

/* The first finish of all, on the link of dates[0]; UINT64_MAX: none. */
uint64_t fb_fluid_date_first(struct fb_fluid *fluid)
{
    while (fluid->date_count > 0) {
        struct fluid_date date = fluid->dates[0];
        struct fluid_link *link = &fluid->links[date.link];
        uint32_t flow;
        if (!fb_fluid_first_finish(fluid, link, &flow)) {
            link->date_place = FLUID_NONE;
            fluid->date_count--;
            if (fluid->date_count > 0)
                date_sift(fluid, 0, fluid->dates[fluid->date_count]);
            continue;
        }
        uint64_t date_ns = fb_fluid_mark_date(link, link->first_mark);
        if (date_ns <= date.date_ns)
            return date.date_ns;
        date.date_ns = date_ns;
        date_sift(fluid, 0, date);
    }
    return UINT64_MAX;
}

/* Asks for the memory of the next completions: those near the heap's top soon come first. */
void fb_fluid_date_prefetch(const struct fb_fluid *fluid)
{
    uint32_t near = DATES_ARITY + 1;
    uint32_t far = near + DATES_ARITY * DATES_ARITY;
    for (uint32_t i = 0; i < far && i < fluid->date_count; i++) {
        const struct fluid_link *link = &fluid->links[fluid->dates[i].link];
        __builtin_prefetch(link, 1);
        if (i < near)
            __builtin_prefetch(fluid_flow_at(fluid, fluid_finishes(fluid, link)->flow), 1);
    }
}

static uint32_t bucket_of(float level)
{
    uint32_t bits;
    memcpy(&bits, &level, sizeof(bits));
    uint32_t step = bits >> (MANTISSA_BITS - BUCKET_STEP_BITS);
    uint32_t lowest = BUCKET_EXPONENT_MIN << BUCKET_STEP_BITS;
    if (step <= lowest)
        return 0;
    return step - lowest < FLUID_BUCKETS ? step - lowest : FLUID_BUCKETS - 1;
}

/* level: about where the link's level will end, > 0, for the order. */
void fb_fluid_dirty_add(struct fb_fluid *fluid, uint32_t index, float level)
{
    struct fluid_face *face = &fluid->faces[index];
    if (face->is_dirty || index == fluid->link_count)
        return;
    face->is_dirty = true;
    if (!face->is_slack) {
        /* Nobody need find again that it is dirty. */
        face->low = -INFINITY;
        face->high = INFINITY;
    }
    uint32_t bucket = bucket_of(fluid->told[index] < level ? fluid->told[index] : level);
    face->dirty_next = fluid->dirty_heads[bucket];
    fluid->dirty_heads[bucket] = index;
    fluid->dirty_bits[bucket / 64] |= (uint64_t)1 << bucket % 64;
    fluid->dirty_words |= (uint64_t)1 << bucket / 64;
    fluid->dirty_count++;
    __builtin_prefetch(&fluid->links[index], 1);
    __builtin_prefetch(&fluid->links[index].members);
    const struct fluid_member *members =
        (const struct fluid_member *)(const void *)fluid->members.items + face->members_offset;
    for (uint32_t at = 0; at < PREFETCH_BYTES_DIRTY; at += 64)
        __builtin_prefetch((const char *)members + at);
}

static uint32_t bucket_first(const struct fb_fluid *fluid)
{
    uint32_t word = (uint32_t)__builtin_ctzll(fluid->dirty_words);
    return word * 64 + (uint32_t)__builtin_ctzll(fluid->dirty_bits[word]);
}

/* Asks for the memory of the link that is likely next. */
static void members_prefetch(const struct fb_fluid *fluid, uint32_t index)
{
    const struct fluid_link *link = &fluid->links[index];
    const char *members = (const char *)fluid_members(fluid, link);
    uint64_t size = link->held_count * sizeof(struct fluid_member);
    for (uint64_t at = 0; at < size && at < PREFETCH_BYTES_MAX; at += 64)
        __builtin_prefetch(members + at);
}

uint32_t fb_fluid_dirty_take(struct fb_fluid *fluid)
{
    FB_ASSERT(fluid->dirty_count > 0);
    uint32_t bucket = bucket_first(fluid);
    uint32_t word = bucket / 64;
    uint32_t index = fluid->dirty_heads[bucket];
    struct fluid_face *face = &fluid->faces[index];
    fluid->dirty_heads[bucket] = face->dirty_next;
    if (face->dirty_next == FLUID_NONE) {
        fluid->dirty_bits[word] &= ~((uint64_t)1 << bucket % 64);
        if (fluid->dirty_bits[word] == 0)
            fluid->dirty_words &= ~((uint64_t)1 << word);
    }
    fluid->dirty_count--;
    face->is_dirty = false;
    if (fluid->dirty_words != 0)
        members_prefetch(fluid, fluid->dirty_heads[bucket_first(fluid)]);
    return index;
}
