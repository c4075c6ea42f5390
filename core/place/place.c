/* Rows of candidates for a partition, shared by the algorithms of place_*.c. See place.h.
 *
 * Does not: choose candidates, or weigh domains against each other. */
#include "core/place/place.h"

#include <string.h>

static_assert(FB_PARTITIONS == 65536, "fb_place_permute() permutes 16-bit words");

/* Odd factors and shifted exclusive-ors. */
uint32_t fb_place_permute(uint64_t seed, uint32_t word)
{
    FB_ASSERT(word < FB_PARTITIONS);
    word = (word + (uint32_t)(seed >> 48)) * ((uint32_t)seed | 1) & 0xffff;
    word ^= word >> 8;
    word = word * ((uint32_t)(seed >> 16) | 1) & 0xffff;
    word ^= word >> 7;
    word = word * ((uint32_t)(seed >> 32) | 1) & 0xffff;
    word ^= word >> 9;
    FB_ASSERT(word < FB_PARTITIONS);
    return word;
}

void fb_place_rows_clear(struct fb_view *view)
{
    FB_ASSERT(view->ranks >= 1);
    FB_ASSERT(view->domains <= view->ranks);
    memset(view->choices, 0xff, sizeof(view->choices));
}

static bool choice_is_before(const struct fb_choice *a, const struct fb_choice *b)
{
    return a->cost < b->cost || (a->cost == b->cost && a->member < b->member);
}

/* Is row[index] the first of its domain? row[0] always is. */
static bool choice_is_first(const struct fb_choice *row, uint32_t index)
{
    FB_ASSERT(index <= FB_RANKS_MAX);
    FB_ASSERT(row[index].member != FB_NONE);
    for (uint32_t i = 0; i < index; i++)
        if (row[i].domain == row[index].domain)
            return false;
    return true;
}

/* What an overfull list loses: the costliest that is not the first of its domain, or else the
 * costliest. So a row always holds the best of the candidates so far. */
static uint32_t list_worst(const struct fb_choice *list, uint32_t count)
{
    uint32_t worst = count - 1;
    FB_ASSERT(count > 1);
    while (worst > 0 && choice_is_first(list, worst))
        worst--;
    FB_ASSERT(worst < count);
    return worst > 0 ? worst : count - 1;
}

/* Nearly all candidates end here: dearer than the last of a full row of different domains. */
static bool row_is_beyond(const struct fb_choice *row, uint32_t ranks_count,
                          const struct fb_choice *candidate)
{
    const struct fb_choice *last = &row[ranks_count - 1];
    FB_ASSERT(candidate->member != FB_NONE);
    if (last->member == FB_NONE || choice_is_before(candidate, last))
        return false;
    for (uint32_t i = 1; i < ranks_count; i++)
        if (!choice_is_first(row, i))
            return false;
    return true;
}

void fb_row_offer(struct fb_choice *row, uint32_t ranks_count, const struct fb_choice *candidate)
{
    FB_ASSERT(ranks_count >= 1);
    FB_ASSERT(ranks_count <= FB_RANKS_MAX);
    if (row_is_beyond(row, ranks_count, candidate))
        return;
    struct fb_choice list[FB_RANKS_MAX + 1];
    uint32_t count = 0;
    bool is_placed = false;
    for (uint32_t i = 0; i < ranks_count && row[i].member != FB_NONE; i++) {
        if (!is_placed && choice_is_before(candidate, &row[i])) {
            list[count++] = *candidate;
            is_placed = true;
        }
        list[count++] = row[i];
    }
    if (!is_placed)
        list[count++] = *candidate;
    uint32_t dropped = count > ranks_count ? list_worst(list, count) : count;
    for (uint32_t from = 0, to = 0; from < count; from++)
        if (from != dropped)
            row[to++] = list[from];
}

void fb_row_offer_again(struct fb_choice *row, uint32_t ranks_count,
                        const struct fb_choice *candidate)
{
    uint32_t at = 0;
    FB_ASSERT(ranks_count <= FB_RANKS_MAX);
    FB_ASSERT(candidate->member != FB_NONE);
    while (at < ranks_count && row[at].member != candidate->member)
        at++;
    if (at == ranks_count) {
        fb_row_offer(row, ranks_count, candidate);
        return;
    }
    if (row[at].cost <= candidate->cost)
        return;
    for (; at > 0 && choice_is_before(candidate, &row[at - 1]); at--)
        row[at] = row[at - 1];
    row[at] = *candidate;
}

bool fb_row_is_full(const struct fb_view *view, const struct fb_choice *row)
{
    uint32_t firsts = 0;
    FB_ASSERT(view->ranks >= 1);
    FB_ASSERT(view->domains <= view->ranks);
    if (row[view->ranks - 1].member == FB_NONE)
        return false;
    for (uint32_t i = 0; i < view->ranks; i++)
        firsts += choice_is_first(row, i);
    return firsts == view->domains;
}

bool fb_row_finish(struct fb_view *view, uint32_t partition, const struct fb_choice *row)
{
    uint32_t *owners = view->owners[partition];
    uint32_t count = 0;
    FB_ASSERT(view->domains <= view->ranks);
    FB_ASSERT(view->ranks <= FB_RANKS_MAX);
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < view->ranks && row[i].member != FB_NONE; i++)
            if (choice_is_first(row, i) == (pass == 0))
                owners[count++] = view->members[row[i].member].node;
    for (uint32_t i = count; i < FB_RANKS_MAX; i++)
        owners[i] = FB_NONE;
    return fb_row_is_full(view, row);
}
