/* Draws a plan from a seed: a cluster, settings from usual to silly, requests, faults.
 *
 * Everything is drawn in two steps, first which kinds there are at all, then how much of each:
 * a mixture of everything is never extreme in anything. Source: Groce, Zhang, Eide, Chen, Regehr,
 * "Swarm testing", ISSTA 2012.
 *
 * The atlas: a setting without digests is given benign faults only and loans that outlast every
 * delay, and wrong digests are given to settings that try every source of a block, unless the plan
 * is to be beyond the atlas. */
#include "sim/swarm/swarm_draw.h"

#include "base/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { REQUESTS_MAX = 600, REQUESTS_LONG = 3000, BLOCKS_MAX = 200, ABANDONS_ONE_IN = 3 };

/* Settings that the lines below do not name: usually the default, at times small, at times the
 * least, so that a setting that is new to the core is varied as well. */
static void draw_field(struct fb_random *random, const struct fb_config_entry *entry,
                       uint64_t *value)
{
    uint64_t most = entry->max;
    bool is_set = entry->unit == FB_UNIT_PLACEMENT || /* the swarm's views are by rendezvous */
                  entry->offset == offsetof(struct fb_config, orphan_ns); /* keep_possible */
    if (is_set)
        return;
    uint64_t choice = below(random, 4);
    switch (entry->unit) {
    case FB_UNIT_COUNT:
        if (entry->max > 4096)
            most = 4096;
        *value = entry->initial < most ? entry->initial : most;
        if (choice > 0)
            *value = log_between(random, entry->min > 0 ? entry->min : 1, most);
        if (choice == 1)
            *value = entry->min + below(random, 4);
        if (*value > most)
            *value = most;
        return;
    case FB_UNIT_NS:
        if (choice > 0)
            *value = log_between(random, 20 * US, (uint64_t)2000 * MS);
        return;
    case FB_UNIT_FLAG:
    case FB_UNIT_CONSENT:
        if (choice == 0)
            *value = below(random, 2);
        return;
    case FB_UNIT_POLICY:
        *value = below(random, FB_POLICY_COUNT);
        return;
    case FB_UNIT_RATE:
        if (choice == 0)
            *value = log_between(random, 1000, UINT64_C(1) << 40);
        return;
    case FB_UNIT_BYTES:
    case FB_UNIT_PLACEMENT:
        return;
    }
}

static void draw_sizes(struct fb_random *random, struct fb_config *config)
{
    config->block_size_bytes =
        pick(random, 8, (const uint64_t[]){512, 576, 1024, 4096, 4096, 65536, 1048576, 16777216});
    uint64_t chunks = pick(random, 8, (const uint64_t[]){1, 1, 2, 3, 4, 8, 16, 32});
    config->memory_size_bytes = chunks * config->block_size_bytes;
    config->memory_entries_max =
        pick(random, 6, (const uint64_t[]){0, 0, 1, 2, chunks, 4 * chunks});
    config->device_size_bytes =
        pick(random, 6, (const uint64_t[]){0, 0, 1, 2, 8, 64}) * config->block_size_bytes;
    config->device_entries_max = pick(random, 5, (const uint64_t[]){0, 0, 0, 1, 4});
    config->matches_max = 1 + below(random, 16);
    config->lends_max = log_between(random, 1, SWARM_LOANS_MAX);
    config->fills_max = log_between(random, 1, 64);
    config->waiters_max = log_between(random, 1, 256);
    config->retries_max = pick(random, 8, (const uint64_t[]){0, 1, 2, 3, 8, 8, 8, 16});
    config->replicas = 1 + below(random, FB_RANKS_MAX);
    if (config->drain_bytes_per_s > 0 && config->drain_bytes_per_s < 50 * config->block_size_bytes)
        config->drain_bytes_per_s = 50 * config->block_size_bytes;
    if (config->drain_check_ns < MS)
        config->drain_check_ns = MS;
}

/* An erasure code, now and then: no more fragments than nodes, cut where words end. */
static void draw_code(struct fb_random *random, uint32_t nodes, struct fb_config *config)
{
    uint64_t data = 1 + below(random, 4), parity = below(random, 3);
    uint64_t block = pick(random, 3, (const uint64_t[]){512, 1024, 4096});
    uint64_t chunks = config->memory_size_bytes / config->block_size_bytes;
    uint64_t device_chunks = config->device_size_bytes / config->block_size_bytes;
    bool is_wanted = one_in(random, 4) && chunks > 1;
    config->erasure_data = 0;
    config->erasure_parity = 2;
    if (!is_wanted || data + parity > nodes || parity > data)
        return;
    if (chunks < 4)
        chunks = 4; /* the least for a code */
    if (config->memory_entries_max < 16)
        config->memory_entries_max = 0;
    if (config->dirty_max < 2)
        config->dirty_max = 2;
    config->block_size_bytes = block;
    config->memory_size_bytes = chunks * block;
    config->device_size_bytes = device_chunks * block;
    config->erasure_data = data;
    config->erasure_parity = parity;
    config->write_quorum = 1 + below(random, parity + 1);
    if (fb_config_fault(config) != NULL)
        config->erasure_data = 0;
}

/* What a config check refuses: copies that there cannot be, a code that is never used. */
static void keep_consistent(struct fb_config *config)
{
    uint64_t most = config->place_local ? 1 : config->replicas;
    if (config->place_local || !config->use_peers)
        config->erasure_data = 0;
    if (config->erasure_data == 0 && config->write_quorum > most)
        config->write_quorum = most;
}

static void draw_config(struct fb_random *random, bool is_beyond, uint32_t nodes,
                        struct fb_config *config)
{
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    fb_config_init(config);
    for (uint32_t i = 0; i < count; i++) {
        unsigned char *field = (unsigned char *)config + table[i].offset;
        if (strncmp(table[i].name, "name", 4) != 0 && strcmp(table[i].name, "records") != 0)
            draw_field(random, &table[i], (uint64_t *)(void *)field);
    }
    draw_sizes(random, config);
    draw_code(random, nodes, config);
    config->check_digest = is_beyond ? one_in(random, 2) : !one_in(random, 8);
    config->use_peers = !one_in(random, 32);
    keep_consistent(config);
    config->keep_peer_blocks = !one_in(random, 4);
    FB_ASSERT(fb_config_fault(config) == NULL);
}

static void draw_cluster(struct fb_random *random, struct fb_swarm_plan *plan)
{
    plan->nodes = (uint32_t)pick(random, 11, (const uint64_t[]){3, 3, 3, 4, 4, 5, 5, 8, 8, 16, 32});
    plan->domains = (uint32_t)pick(random, 4, (const uint64_t[]){32, 32, 3, 2});
    plan->is_weighted = one_in(random, 4);
    plan->is_one_sided = one_in(random, 2);
    plan->tries = (uint32_t)pick(random, 4, (const uint64_t[]){1, 1, 2, 5});
    plan->after = (uint32_t)pick(random, 3, (const uint64_t[]){1, 2, 4});
    plan->check_every = (uint32_t)pick(random, 4, (const uint64_t[]){1, 7, 31, 101});
    plan->message_ns = log_between(random, 2 * US, 200 * US);
    plan->pull_ns = log_between(random, 5 * US, 2 * MS);
    plan->device_ns = log_between(random, 10 * US, 2 * MS);
    plan->origin_ns = log_between(random, 500 * US, 50 * MS);
    plan->step_ns = pick(random, 4, (const uint64_t[]){0, 200, 1000, 20000});
    plan->detect_ns = pick(random, 3, (const uint64_t[]){FB_NEVER_NS, MS, 100 * MS});
    plan->heal_ns = log_between(random, 20 * MS, (uint64_t)4000 * MS);
}

/* A block's size is a function of its place, as it must be for one key. */
uint32_t swarm_block_size(const struct fb_swarm_plan *plan, uint64_t place)
{
    uint64_t block = plan->config.block_size_bytes;
    uint64_t unit = (block + FB_UNITS_PER_CHUNK - 1) / FB_UNITS_PER_CHUNK;
    uint64_t word = fb_mix(plan->seed ^ fb_mix(place));
    const uint64_t sizes[] = {block, block, block - 1, block / 2 + 1, unit, unit + 1, 1, 3};
    uint32_t spread = 1 + (uint32_t)(fb_mix(plan->seed) % 8); /* some plans have one size only */
    return (uint32_t)sizes[word % spread];
}

static void draw_request(struct fb_random *random, const struct fb_swarm_plan *plan,
                         uint32_t blocks, struct fb_swarm_request *request)
{
    uint64_t block = below(random, blocks);
    if (!one_in(random, 3))
        block = below(random, block + 1); /* the first are hotter */
    request->object = (uint32_t)(block / 8);
    request->index = (uint32_t)(block % 8);
    request->size = swarm_block_size(plan, block);
    request->count = 0;
    if (request->verb == FB_SWARM_VERB_get || request->verb == FB_SWARM_VERB_get_invalid)
        return;
    if (request->verb == FB_SWARM_VERB_gather || request->verb == FB_SWARM_VERB_pin ||
        request->verb == FB_SWARM_VERB_prefetch) {
        request->count = (uint32_t)below(random, SWARM_KEYS_MAX);
        return;
    }
    if (request->verb == FB_SWARM_VERB_write || request->verb == FB_SWARM_VERB_get_written ||
        request->verb == FB_SWARM_VERB_forget) {
        request->object %= SWARM_WRITTEN_OBJECTS;
        request->size = swarm_block_size(plan, block ^ UINT64_C(1) << 32);
        uint32_t kinds = SWARM_VERSIONS * FB_LEVEL_VOLATILE;
        uint32_t variants = fb_mix(plan->seed + 1) % 4 == 0 ? SWARM_VARIANTS : 1;
        request->count = (uint32_t)below(random, (uint64_t)kinds * variants);
        bool is_all = request->verb == FB_SWARM_VERB_forget &&
                      fb_mix(plan->seed ^ request->count ^ request->at_ns) % ABANDONS_ONE_IN == 0;
        if (is_all)
            request->verb = FB_SWARM_VERB_abandon;
        return;
    }
    if (request->verb == FB_SWARM_VERB_lookup || request->verb == FB_SWARM_VERB_commit)
        return;
    request->object = (uint32_t)below(random, 1 + blocks / 16);
    request->index = (uint32_t)below(random, 8);
    struct fb_key key = swarm_chain_key(request->object, request->index);
    request->size = swarm_block_size(plan, key.low);
    request->count = (uint32_t)below(random, SWARM_KEYS_MAX + 1);
}

static void draw_requests(struct fb_random *random, struct fb_swarm_plan *plan)
{
    uint32_t blocks = (uint32_t)log_between(random, 1, BLOCKS_MAX);
    uint64_t hold_ns = log_between(random, 1, plan->heal_ns / 4);
    uint32_t burst = (uint32_t)pick(random, 4, (const uint64_t[]){1, 1, 4, plan->nodes});
    uint32_t shares[FB_SWARM_VERB_name_look], total = 0; /* names are drawn apart */
    for (uint32_t i = 0; i < FB_SWARM_VERB_name_look; i++) {
        shares[i] = one_in(random, 2) ? 1 + (uint32_t)below(random, 8) : 0;
        if (i == FB_SWARM_VERB_get)
            shares[i] += 8;
        total += shares[i];
    }
    uint64_t most = one_in(random, 16) ? REQUESTS_LONG : REQUESTS_MAX;
    plan->request_count = (uint32_t)log_between(random, 20, most);
    plan->requests = fb_allocate(plan->request_count, sizeof(*plan->requests), "requests", NULL);
    for (uint32_t i = 0; i < plan->request_count; i++) {
        struct fb_swarm_request *request = &plan->requests[i];
        uint64_t share = below(random, total);
        while (share >= shares[request->verb])
            share -= shares[request->verb++];
        request->node = (uint32_t)below(random, plan->nodes);
        request->at_ns = below(random, plan->heal_ns);
        request->hold_ns = below(random, hold_ns);
        draw_request(random, plan, blocks, request);
        if (i % burst == 0)
            continue;
        const struct fb_swarm_request first = plan->requests[i - i % burst];
        uint32_t node = request->node; /* all at once, each from some node */
        *request = first;
        request->node = node;
    }
}

static uint32_t draw_mask(struct fb_random *random, uint32_t nodes)
{
    uint32_t all = nodes < 32 ? (1u << nodes) - 1 : UINT32_MAX;
    uint32_t mask = all;
    if (one_in(random, 3))
        mask = 1u << below(random, nodes);
    else if (one_in(random, 2))
        mask = (uint32_t)fb_random_next(random) & all;
    return mask != 0 ? mask : all;
}

static void draw_fault(struct fb_random *random, const struct fb_swarm_plan *plan, uint32_t kind,
                       struct fb_swarm_fault *fault)
{
    uint64_t last_ns = plan->heal_ns - 1;
    fault->kind = kind;
    fault->nodes = draw_mask(random, plan->nodes);
    fault->peers = draw_mask(random, plan->nodes);
    fault->permille = (uint32_t)pick(random, 5, (const uint64_t[]){10, 50, 200, 500, 1000});
    fault->from_ns = below(random, last_ns);
    fault->until_ns = fault->from_ns + 1 + below(random, last_ns - fault->from_ns);
    fault->extra_ns = log_between(random, 10 * US, plan->heal_ns / 2);
    if (kind == FB_SWARM_FAULT_one_way || kind == FB_SWARM_FAULT_partition)
        fault->permille = 1000;
    if (kind == FB_SWARM_FAULT_partition)
        fault->peers = ~fault->nodes;
    if (kind == FB_SWARM_FAULT_slow_node)
        fault->extra_ns = log_between(random, US, MS);
    if (kind == FB_SWARM_FAULT_crash && fault->nodes != 1u << 0 && !one_in(random, 4))
        fault->nodes = 1u << below(random, plan->nodes);
    if (kind == FB_SWARM_FAULT_power_cut)
        fault->nodes = plan->nodes < 32 ? (1u << plan->nodes) - 1 : UINT32_MAX;
}

/* So few that the others are more than half. */
static uint32_t draw_minority(struct fb_random *random, uint32_t nodes)
{
    uint32_t mask = 0, count = nodes > 2 ? 1 + (uint32_t)below(random, (nodes - 1) / 2) : 0;
    while (count-- > 0)
        mask |= 1u << below(random, nodes);
    return mask;
}

static void draw_faults(struct fb_random *random, struct fb_swarm_plan *plan)
{
    bool is_trusting = !plan->config.check_digest && !plan->is_beyond;
    bool is_hasty = plan->config.retries_max <= FB_RANKS_MAX && !plan->is_beyond;
    uint64_t rarity = pick(random, 4, (const uint64_t[]){2, 3, 6, 12});
    uint64_t windows_max = one_in(random, 8) ? 9 : 3;
    if (one_in(random, 16))
        return; /* no faults at all: the settings alone must do */
    /* Those of the store of members are drawn apart. */
    for (uint32_t kind = 0; kind < FB_SWARM_FAULT_store_cut; kind++) {
        bool is_lying = fb_swarm_fault_class(kind) == FB_SWARM_LYING;
        bool is_lasting = kind == FB_SWARM_FAULT_digest_wrong;
        bool is_death = kind == FB_SWARM_FAULT_death;
        if (!one_in(random, is_death ? 8 : rarity))
            continue;
        if (is_trusting && is_lying)
            plan_soften(plan, FB_SWARM_SOFTENING_no_lies);
        else if (is_hasty && is_lasting)
            plan_soften(plan, FB_SWARM_SOFTENING_no_wrong_digests);
        if ((is_trusting && is_lying) || (is_hasty && is_lasting))
            continue;
        uint32_t windows = is_death ? 1 : 1 + (uint32_t)below(random, windows_max);
        for (uint32_t i = 0; i < windows && plan->fault_count < FB_SWARM_FAULTS_MAX; i++) {
            struct fb_swarm_fault *fault = &plan->faults[plan->fault_count++];
            draw_fault(random, plan, kind, fault);
            if (is_death)
                fault->nodes = draw_minority(random, plan->nodes);
        }
    }
}

static bool plan_has(const struct fb_swarm_plan *plan, enum fb_swarm_fault_kind kind)
{
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        if (plan->faults[i].kind == kind)
            return true;
    }
    return false;
}

/* At least so much; noted when it was less. */
static void raise_to(struct fb_swarm_plan *plan, uint64_t *value, uint64_t least,
                     enum fb_swarm_softening softening)
{
    if (*value >= least)
        return;
    *value = least;
    plan_soften(plan, softening);
}

/* A reader that gives up before any answer can reach it, and may not try again often enough to get
 * past its peers to the origin, can not read: no setting survives that. One that may, but takes
 * every peer for dead within a round trip, comes to its end only after hours. */
static void keep_possible(struct fb_swarm_plan *plan)
{
    struct fb_config *config = &plan->config;
    uint64_t answer_ns = 40 * plan->message_ns + 20 * plan->step_ns;
    bool is_patient = config->retries_max > FB_RANKS_MAX;
    if (!config->check_digest && !plan->is_beyond) {
        config->lend_ns += (uint64_t)60000 * MS;
        plan_soften(plan, FB_SWARM_SOFTENING_long_loans);
    }
    if (!plan->is_beyond)
        raise_to(plan, &config->hedge_ns, is_patient ? answer_ns / 10 : answer_ns,
                 FB_SWARM_SOFTENING_patient_reads);
    /* Asking an owner thousands of times, while its origin takes its time or it pauses after a
     * failure (64 times backoff_ns), shows nothing new, and a run has a limit of events. */
    raise_to(plan, &config->wait_ns, plan->origin_ns / 100 + 8 * config->backoff_ns,
             FB_SWARM_SOFTENING_patient_waits);
    /* The same of a writer whose holders have to pull the bytes, and to write them. */
    uint64_t hold_ns = answer_ns + 20 * (plan->pull_ns + plan->device_ns) + MS;
    uint64_t tries = config->retries_max + 1;
    if (!plan->is_beyond)
        raise_to(plan, &config->hold_ns, hold_ns / tries, FB_SWARM_SOFTENING_patient_holds);
    config->orphan_ns = swarm_limit_ns(plan); /* what can be mended is by then */
}

/* Whoever makes a block of fragments is named by the view: it must hear of deaths. */
static void keep_judged(struct fb_swarm_plan *plan)
{
    bool is_coded = plan->config.erasure_data > 0;
    if (!plan_has(plan, FB_SWARM_FAULT_death) || !is_coded || plan->detect_ns < FB_NEVER_NS)
        return;
    plan->detect_ns = (uint64_t)100 * MS;
    plan_soften(plan, FB_SWARM_SOFTENING_deaths_told);
}

static void draw_tenant(struct fb_random *random, struct fb_swarm_plan *plan)
{
    if (!one_in(random, 4))
        return;
    if (plan->config.tenants_max < 2)
        plan->config.tenants_max = 2;
    if (!one_in(random, 3))
        plan->tenant_quota_bytes = 1 + below(random, plan->config.memory_size_bytes);
    if (one_in(random, 2))
        plan->tenant_ttl_ns = log_between(random, MS, plan->heal_ns);
}

struct fb_swarm_plan *fb_swarm_plan_make(uint64_t seed, bool is_beyond)
{
    struct fb_random random;
    struct fb_swarm_plan *plan = fb_allocate(1, sizeof(*plan), "a plan", NULL);
    fb_random_init(&random, seed);
    plan->seed = seed;
    plan->is_beyond = is_beyond;
    draw_cluster(&random, plan);
    draw_config(&random, is_beyond, plan->nodes, &plan->config);
    keep_possible(plan);
    draw_tenant(&random, plan);
    draw_requests(&random, plan);
    draw_faults(&random, plan);
    if (one_in(&random, 4))
        swarm_plan_aim(&random, plan);
    keep_judged(plan);
    swarm_plan_names(plan);
    swarm_plan_members(plan);
    return plan;
}

struct fb_swarm_plan *fb_swarm_plan_copy(const struct fb_swarm_plan *plan)
{
    struct fb_swarm_plan *copy = fb_allocate(1, sizeof(*copy), "a plan", NULL);
    *copy = *plan;
    copy->requests = fb_allocate(plan->request_count, sizeof(*copy->requests), "requests", NULL);
    if (plan->request_count > 0)
        memcpy(copy->requests, plan->requests, plan->request_count * sizeof(*copy->requests));
    return copy;
}

void fb_swarm_plan_free(struct fb_swarm_plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->requests);
    free(plan);
}
