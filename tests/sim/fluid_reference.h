/* A naive max-min network to hold sim/fluid/fluid.c against, and the scripts that both of them
 * play. Rates: progressive filling in its textbook form, over all flows and links, at every change.
 * Shares no code and no data structure with what it checks. Slow: for some hundred flows. */
#ifndef FB_TESTS_SIM_FLUID_REFERENCE_H
#define FB_TESTS_SIM_FLUID_REFERENCE_H

#include "sim/fluid/fluid.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum script_kind { SCRIPT_START, SCRIPT_CANCEL, SCRIPT_CAPACITY };

struct script_flow {
    uint32_t links[FB_FLUID_LINKS_MAX];
    uint32_t link_count;
    uint64_t size_bytes;
    uint64_t rate_max_bytes_per_s;
    uint32_t weight;
};

struct script_event {
    uint64_t date_ns;
    enum script_kind kind;
    uint32_t target; /* flow, or link for a capacity */
    uint64_t bytes_per_s;
};

struct script {
    uint64_t *link_bytes_per_s;
    uint32_t link_count;
    struct script_flow *flows;
    uint32_t flow_count;
    struct script_event *events; /* sorted by date */
    uint32_t event_count;
};

/* Completion dates by flow; 0: cancelled. */
struct reference {
    const struct script *script;
    double *capacity; /* bytes per ns */
    double *left;     /* bytes, of open flows */
    double *rate;     /* bytes per ns, of open flows */
    bool *is_open;
    bool *is_fixed;
    double *room;
    double *weight;
};

static inline double reference_share(const struct reference *reference, uint32_t flow)
{
    const struct script_flow *path = &reference->script->flows[flow];
    double share = INFINITY;
    for (uint32_t i = 0; i < path->link_count; i++) {
        uint32_t link = path->links[i];
        share = fmin(share, reference->room[link] / reference->weight[link]);
    }
    if (path->rate_max_bytes_per_s > 0)
        share = fmin(share, (double)path->rate_max_bytes_per_s / 1e9 / path->weight);
    return share;
}

/* Raises all rates together; fixes the flows that meet the lowest share; again with the rest. */
static inline void reference_fill(struct reference *reference)
{
    const struct script *script = reference->script;
    for (uint32_t i = 0; i < script->link_count; i++) {
        reference->room[i] = reference->capacity[i];
        reference->weight[i] = 0;
    }
    uint32_t left = 0;
    for (uint32_t i = 0; i < script->flow_count; i++) {
        reference->is_fixed[i] = !reference->is_open[i];
        left += reference->is_open[i];
        for (uint32_t j = 0; reference->is_open[i] && j < script->flows[i].link_count; j++)
            reference->weight[script->flows[i].links[j]] += script->flows[i].weight;
    }
    while (left > 0) {
        double lowest = INFINITY;
        for (uint32_t i = 0; i < script->flow_count; i++)
            if (!reference->is_fixed[i])
                lowest = fmin(lowest, reference_share(reference, i));
        for (uint32_t i = 0; i < script->flow_count; i++) {
            /* Shares change while flows are fixed, so they are marked by a negative rate first. */
            bool is_lowest =
                !reference->is_fixed[i] && reference_share(reference, i) <= lowest * (1 + 1e-12);
            if (is_lowest)
                reference->rate[i] = -1;
        }
        for (uint32_t i = 0; i < script->flow_count; i++) {
            if (reference->is_fixed[i] || reference->rate[i] >= 0)
                continue;
            const struct script_flow *path = &script->flows[i];
            reference->rate[i] = lowest * path->weight;
            reference->is_fixed[i] = true;
            left--;
            for (uint32_t j = 0; j < path->link_count; j++) {
                reference->room[path->links[j]] -= reference->rate[i];
                reference->weight[path->links[j]] -= path->weight;
            }
        }
    }
}

static inline void reference_apply(struct reference *reference, const struct script_event *event)
{
    switch (event->kind) {
    case SCRIPT_START:
        reference->is_open[event->target] = true;
        reference->left[event->target] = (double)reference->script->flows[event->target].size_bytes;
        break;
    case SCRIPT_CANCEL:
        reference->is_open[event->target] = false;
        break;
    case SCRIPT_CAPACITY:
        reference->capacity[event->target] = (double)event->bytes_per_s / 1e9;
        break;
    }
}

static inline void reference_play(const struct script *script, uint64_t *done_ns)
{
    struct reference reference = {
        .script = script,
        .capacity = calloc(script->link_count, sizeof(double)),
        .left = calloc(script->flow_count, sizeof(double)),
        .rate = calloc(script->flow_count, sizeof(double)),
        .is_open = calloc(script->flow_count, sizeof(bool)),
        .is_fixed = calloc(script->flow_count, sizeof(bool)),
        .room = calloc(script->link_count, sizeof(double)),
        .weight = calloc(script->link_count, sizeof(double)),
    };
    for (uint32_t i = 0; i < script->link_count; i++)
        reference.capacity[i] = (double)script->link_bytes_per_s[i] / 1e9;
    memset(done_ns, 0, script->flow_count * sizeof(*done_ns));
    double now = 0;
    for (uint32_t at = 0;;) {
        double next = at < script->event_count ? (double)script->events[at].date_ns : INFINITY;
        for (uint32_t i = 0; i < script->flow_count; i++)
            if (reference.is_open[i])
                next = fmin(next, now + reference.left[i] / reference.rate[i]);
        if (isinf(next))
            break;
        for (uint32_t i = 0; i < script->flow_count; i++) {
            if (!reference.is_open[i])
                continue;
            reference.left[i] -= reference.rate[i] * (next - now);
            if (reference.left[i] > reference.rate[i] * 1e-3)
                continue;
            reference.is_open[i] = false;
            done_ns[i] = (uint64_t)ceil(next - 1e-3);
        }
        now = next;
        while (at < script->event_count && (double)script->events[at].date_ns <= now)
            reference_apply(&reference, &script->events[at++]);
        reference_fill(&reference);
    }
    free(reference.capacity);
    free(reference.left);
    free(reference.rate);
    free(reference.is_open);
    free(reference.is_fixed);
    free(reference.room);
    free(reference.weight);
}

static inline void script_free(struct script *script)
{
    free(script->link_bytes_per_s);
    free(script->flows);
    free(script->events);
}

#endif
