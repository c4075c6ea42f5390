/* Makes a failing plan small: delta debugging over the lists of requests and faults, then fewer
 * nodes, then settings and figures back to the usual, as long as the judge still sees the failure.
 * Source: Zeller, Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 2002;
 * of its two halves only the complements are tried, which is what pays here. */
#include "sim/swarm/swarm_internal.h"

#include <string.h>

struct search {
    struct fb_swarm_plan *plan; /* the smallest that failed so far */
    fb_swarm_judge *judge;
    void *context;
    uint32_t runs, runs_max;
};

/* Tries a candidate; it becomes the plan when it fails as well. Takes it over. */
static bool search_try(struct search *search, struct fb_swarm_plan *candidate)
{
    bool is_failing = false;
    if (search->runs < search->runs_max) {
        search->runs++;
        is_failing = search->judge(search->context, candidate);
    }
    if (is_failing) {
        struct fb_swarm_plan old = *search->plan;
        *search->plan = *candidate;
        *candidate = old;
    }
    fb_swarm_plan_free(candidate);
    return is_failing;
}

static void requests_cut(struct fb_swarm_plan *plan, uint32_t from, uint32_t count)
{
    FB_ASSERT(from + count <= plan->request_count);
    uint32_t after = plan->request_count - from - count;
    memmove(&plan->requests[from], &plan->requests[from + count], after * sizeof(*plan->requests));
    plan->request_count -= count;
}

static void faults_cut(struct fb_swarm_plan *plan, uint32_t from, uint32_t count)
{
    FB_ASSERT(from + count <= plan->fault_count);
    uint32_t after = plan->fault_count - from - count;
    memmove(&plan->faults[from], &plan->faults[from + count], after * sizeof(*plan->faults));
    plan->fault_count -= count;
}

/* Leaves out pieces of a list, large ones first. */
static bool search_list(struct search *search, bool is_faults)
{
    bool is_smaller = false;
    uint32_t size = is_faults ? search->plan->fault_count : search->plan->request_count;
    for (uint32_t piece = size; piece > 0; piece /= 2) {
        for (uint32_t from = 0; from < size && search->runs < search->runs_max;) {
            struct fb_swarm_plan *candidate = fb_swarm_plan_copy(search->plan);
            uint32_t count = from + piece <= size ? piece : size - from;
            if (is_faults)
                faults_cut(candidate, from, count);
            else
                requests_cut(candidate, from, count);
            if (search_try(search, candidate)) {
                is_smaller = true;
                size -= count;
            } else {
                from += count;
            }
        }
    }
    return is_smaller;
}

/* The last node goes; its requests go to the others. */
static bool search_nodes(struct search *search)
{
    bool is_smaller = false;
    for (uint32_t nodes = 1; nodes < search->plan->nodes; nodes++) {
        struct fb_swarm_plan *candidate = fb_swarm_plan_copy(search->plan);
        candidate->nodes = nodes;
        for (uint32_t i = 0; i < candidate->request_count; i++)
            candidate->requests[i].node %= nodes;
        is_smaller = search_try(search, candidate) || is_smaller;
    }
    return is_smaller;
}

static bool search_settings(struct search *search)
{
    bool is_smaller = false;
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    for (uint32_t i = 0; i < count; i++) {
        struct fb_swarm_plan *candidate = fb_swarm_plan_copy(search->plan);
        uint64_t *value =
            (uint64_t *)(void *)((unsigned char *)&candidate->config + table[i].offset);
        bool is_size = table[i].unit == FB_UNIT_BYTES;
        if (*value == table[i].initial || is_size) {
            fb_swarm_plan_free(candidate);
            continue;
        }
        *value = table[i].initial;
        is_smaller = search_try(search, candidate) || is_smaller;
    }
    return is_smaller;
}

/* Short holds, one domain each, no sizes, no liveness requests: whatever is not needed. */
static void search_figures(struct search *search)
{
    enum { PLAIN_WEIGHTS, PLAIN_DOMAINS, NO_AFTER, NO_TRIES, NO_STEP, NO_HOLD, STEPS };
    for (uint32_t step = 0; step < STEPS; step++) {
        struct fb_swarm_plan *candidate = fb_swarm_plan_copy(search->plan);
        if (step == PLAIN_WEIGHTS)
            candidate->is_weighted = 0;
        if (step == PLAIN_DOMAINS)
            candidate->domains = FB_SWARM_NODES_MAX;
        if (step == NO_AFTER)
            candidate->after = 0;
        if (step == NO_TRIES)
            candidate->tries = 1;
        if (step == NO_STEP)
            candidate->step_ns = 0;
        for (uint32_t i = 0; step == NO_HOLD && i < candidate->request_count; i++)
            candidate->requests[i].hold_ns = 0;
        search_try(search, candidate);
    }
}

uint32_t fb_swarm_minimise(struct fb_swarm_plan *plan, fb_swarm_judge *judge, void *context,
                           uint32_t runs_max)
{
    struct search search = {.plan = plan, .judge = judge, .context = context, .runs_max = runs_max};
    bool is_smaller = true;
    while (is_smaller && search.runs < runs_max) {
        is_smaller = search_list(&search, false);
        is_smaller = search_list(&search, true) || is_smaller;
        is_smaller = search_nodes(&search) || is_smaller;
        is_smaller = search_settings(&search) || is_smaller;
    }
    search_figures(&search);
    return search.runs;
}
