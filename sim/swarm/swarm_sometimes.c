/* What must have been seen, sooner or later, in a run of many seeds: every counter of the core,
 * every reason and status of a reply, and the swarm's own sights. What never happened was not
 * tested.
 *
 * Places in a result's list: sights, counters, reasons, statuses. */
#include "sim/swarm/swarm_internal.h"

struct row {
    const char *name;
    const char *help;
};

static const struct row sights[] = {
#define SIGHT_ROW(name, help) {#name, help},
    FB_SWARM_SIGHTS(SIGHT_ROW)
#undef SIGHT_ROW
};

static const struct row softenings[] = {
#define SOFTENING_ROW(name, help) {#name, help},
    FB_SWARM_SOFTENINGS(SOFTENING_ROW)
#undef SOFTENING_ROW
};

static const struct row counters[] = {
#define COUNTER_ROW(name, unit, help) {#name, help},
    FB_COUNTERS(COUNTER_ROW)
#undef COUNTER_ROW
};

enum {
    COUNTER_COUNT = sizeof(counters) / sizeof(counters[0]),
    COUNTERS_AT = FB_SWARM_SIGHT_COUNT,
    REASONS_AT = COUNTERS_AT + COUNTER_COUNT,
    STATUSES_AT = REASONS_AT + FB_REASON_COUNT,
    SOMETIMES_COUNT = STATUSES_AT + FB_STATUS_COUNT
};
static_assert((uint32_t)SOMETIMES_COUNT <= FB_SWARM_SOMETIMES_MAX, "a result has room for all");

uint32_t fb_swarm_sometimes_count(void)
{
    return SOMETIMES_COUNT;
}

const char *fb_swarm_sometimes_name(uint32_t index)
{
    FB_ASSERT(index < SOMETIMES_COUNT);
    if (index < COUNTERS_AT)
        return sights[index].name;
    if (index < REASONS_AT)
        return counters[index - COUNTERS_AT].name;
    if (index < STATUSES_AT)
        return fb_reason_name((enum fb_reason)(index - REASONS_AT));
    return fb_status_name((enum fb_status)(index - STATUSES_AT));
}

const char *fb_swarm_sometimes_help(uint32_t index)
{
    FB_ASSERT(index < SOMETIMES_COUNT);
    if (index < COUNTERS_AT)
        return sights[index].help;
    if (index < REASONS_AT)
        return counters[index - COUNTERS_AT].help;
    return index < STATUSES_AT ? "reason of a read's reply" : "status of a reply";
}

const char *fb_swarm_softening_name(uint32_t softening)
{
    FB_ASSERT(softening < FB_SWARM_SOFTENING_COUNT);
    return softenings[softening].name;
}

const char *fb_swarm_softening_help(uint32_t softening)
{
    FB_ASSERT(softening < FB_SWARM_SOFTENING_COUNT);
    return softenings[softening].help;
}

void swarm_saw(struct swarm *swarm, enum fb_swarm_sight sight)
{
    swarm->result->sometimes[sight]++;
}

void swarm_saw_status(struct swarm *swarm, uint32_t status)
{
    FB_ASSERT(status < FB_STATUS_COUNT);
    swarm->result->sometimes[STATUSES_AT + status]++;
}

/* A life of a node is over: what it counted. */
void swarm_saw_stats(struct swarm *swarm, uint32_t node)
{
    const struct fb_stats *stats = fb_node_stats(swarm->nodes[node].core);
    uint64_t *sometimes = swarm->result->sometimes;
    uint32_t at = COUNTERS_AT;
#define COUNTER_ADD(name, unit, help) sometimes[at++] += stats->name;
    FB_COUNTERS(COUNTER_ADD)
#undef COUNTER_ADD
    for (uint32_t reason = 0; reason < FB_REASON_COUNT; reason++)
        sometimes[at++] += stats->replies[reason];
    sometimes[FB_SWARM_SIGHT_wrong_bytes_stopped] += stats->digest_errors;
    FB_ASSERT(at == STATUSES_AT);
}
