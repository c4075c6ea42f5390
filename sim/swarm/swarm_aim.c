/* Plans aimed at what chance alone hardly ever brings together: an origin that is away for long,
 * and what is promised meanwhile has to live through one thing after another.
 *
 *     siege    replicas; deaths and crashes so far apart that copies are made again in between,
 *              which is judged (copies_restored)
 *     mending  an erasure code; writers die and blocks are made from fragments
 *     power    writes to drives; power cuts, damaged headers, other settings at a restart
 *     loans    one loan at a time of a memory of few blocks; messages late and doubled
 *
 * Cluster, pools and seeds' other settings stay as they were drawn wherever the aim allows. */
#include "sim/swarm/swarm_draw.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { AIM_CHUNKS = 64, AIM_BLOCKS = 24, AIM_REQUESTS = 120 };

static struct fb_swarm_fault *fault_add(struct fb_swarm_plan *plan, uint32_t kind, uint32_t nodes,
                                        uint64_t from_ns, uint64_t until_ns)
{
    FB_ASSERT(plan->fault_count < FB_SWARM_FAULTS_MAX);
    struct fb_swarm_fault *fault = &plan->faults[plan->fault_count++];
    *fault = (struct fb_swarm_fault){.kind = kind,
                                     .nodes = nodes,
                                     .peers = UINT32_MAX,
                                     .permille = 1000,
                                     .from_ns = from_ns,
                                     .until_ns = until_ns};
    return fault;
}

static uint32_t all_nodes(const struct fb_swarm_plan *plan)
{
    return plan->nodes < 32 ? (1u << plan->nodes) - 1 : UINT32_MAX;
}

/* Room for all that is written: nothing is refused for want of it. */
static void aim_room(struct fb_random *random, struct fb_swarm_plan *plan)
{
    struct fb_config *config = &plan->config;
    config->block_size_bytes = 1024;
    config->memory_size_bytes = AIM_CHUNKS * config->block_size_bytes;
    config->memory_entries_max = 0;
    config->device_size_bytes = AIM_CHUNKS * config->block_size_bytes;
    config->device_entries_max = 0;
    config->device_writes_max = 64;
    config->dirty_max = 1024;
    config->puts_max = 256;
    config->fills_max = 64;
    config->waiters_max = 256;
    config->lends_max = 64;
    config->retries_max = 8;
    config->mends_max = 16;
    config->place_local = 0;
    config->use_peers = 1;
    config->check_digest = 1;
    config->recover = 1;
    config->backoff_ns = log_between(random, 100 * US, 5 * MS);
    config->hold_ns = log_between(random, 2 * MS, 20 * MS);
    config->hedge_ns = log_between(random, 10 * MS, 50 * MS);
    config->wait_ns = config->hedge_ns;
    config->fetch_ns = (uint64_t)200 * MS;
    config->drain_delay_ns = MS;
    config->drain_check_ns = log_between(random, 5 * MS, 100 * MS);
    config->drain_bytes_per_s = 0;
    plan->tenant_quota_bytes = 0;
    plan->tenant_ttl_ns = 0;
    plan->message_ns = log_between(random, 10 * US, 100 * US);
    plan->pull_ns = log_between(random, 10 * US, 200 * US);
    plan->device_ns = log_between(random, 10 * US, 200 * US);
    plan->origin_ns = log_between(random, MS, 10 * MS);
    plan->step_ns = 200;
    plan->heal_ns = (uint64_t)(1000 + below(random, 2000)) * MS;
    plan->fault_count = 0;
    memset(plan->faults, 0, sizeof(plan->faults));
    plan->softened = 0;
}

/* Writes in the first eighth, of some levels; then reads. A read of what is not written yet looks
 * for it as long as the origin is away, and whoever shall hold it then waits for that. */
static void aim_writes(struct fb_random *random, struct fb_swarm_plan *plan, uint32_t levels)
{
    plan->request_count = AIM_REQUESTS / 2 + (uint32_t)below(random, AIM_REQUESTS / 2);
    plan->requests =
        fb_grow(plan->requests, plan->request_count, sizeof(*plan->requests), "requests", NULL);
    uint64_t early_ns = plan->heal_ns / 8;
    for (uint32_t i = 0; i < plan->request_count; i++) {
        bool is_write = below(random, 3) > 0;
        uint32_t level = (uint32_t)below(random, FB_LEVEL_ORIGIN);
        while (!(levels >> level & 1u))
            level = (level + 1) % FB_LEVEL_ORIGIN;
        uint64_t block = below(random, AIM_BLOCKS);
        plan->requests[i] = (struct fb_swarm_request){
            .at_ns = is_write ? below(random, early_ns)
                              : early_ns + below(random, plan->heal_ns - early_ns),
            .hold_ns = below(random, MS),
            .verb = is_write ? FB_SWARM_VERB_write : FB_SWARM_VERB_get_written,
            .node = (uint32_t)below(random, plan->nodes),
            .object = (uint32_t)(block / 8),
            .index = (uint32_t)(block % 8),
            .size = swarm_block_size(plan, block ^ UINT64_C(1) << 32),
            .count = SWARM_VERSIONS * level};
    }
}

/* One node after another is struck, at even distances; some come back, a minority does not. */
static void aim_strikes(struct fb_random *random, struct fb_swarm_plan *plan)
{
    uint64_t pause_ns = plan->heal_ns / 8;
    uint32_t dead = 0, dead_max = (plan->nodes - 1) / 2;
    for (uint32_t i = 2; i < 8; i++) {
        uint32_t bit = 1u << below(random, plan->nodes);
        if (dead & bit)
            continue;
        bool is_death = one_in(random, 2) && (uint32_t)__builtin_popcount(dead) < dead_max;
        dead |= is_death ? bit : 0;
        fault_add(plan, is_death ? FB_SWARM_FAULT_death : FB_SWARM_FAULT_crash, bit, i * pause_ns,
                  i * pause_ns + 1 + below(random, pause_ns / 2));
    }
}

static void aim_origin_away(struct fb_swarm_plan *plan)
{
    fault_add(plan, FB_SWARM_FAULT_origin_throttle, all_nodes(plan), 0, plan->heal_ns);
}

static void aim_siege(struct fb_random *random, struct fb_swarm_plan *plan)
{
    aim_room(random, plan);
    plan->nodes = 4 + (uint32_t)below(random, 5);
    plan->domains = FB_SWARM_NODES_MAX;
    plan->config.erasure_data = 0;
    plan->config.replicas = 2 + below(random, 2);
    plan->config.write_quorum = 2 + below(random, plan->config.replicas - 1);
    plan->detect_ns = (uint64_t)(1 + below(random, 10)) * MS;
    plan->repair_ns = plan->heal_ns / 16;
    aim_writes(random, plan,
               1u << FB_LEVEL_MEMORY | 1u << FB_LEVEL_REPLICATED | 1u << FB_LEVEL_DEVICE);
    aim_origin_away(plan);
    aim_strikes(random, plan);
}

static void aim_mending(struct fb_random *random, struct fb_swarm_plan *plan)
{
    struct fb_config *config = &plan->config;
    aim_room(random, plan);
    config->erasure_data = 2 + below(random, 3);
    config->erasure_parity = 1 + below(random, 2);
    config->write_quorum = 1 + below(random, config->erasure_parity + 1);
    config->replicas = 1 + below(random, 3);
    if (config->write_quorum > config->replicas)
        config->replicas = config->write_quorum;
    plan->nodes = (uint32_t)(config->erasure_data + config->erasure_parity + 1 + below(random, 3));
    plan->domains = FB_SWARM_NODES_MAX;
    plan->detect_ns = (uint64_t)(1 + below(random, 10)) * MS;
    aim_writes(random, plan, 1u << FB_LEVEL_MEMORY | 1u << FB_LEVEL_REPLICATED);
    aim_origin_away(plan);
    aim_strikes(random, plan);
}

static void aim_power(struct fb_random *random, struct fb_swarm_plan *plan)
{
    uint64_t step_ns;
    aim_room(random, plan);
    plan->nodes = 3 + (uint32_t)below(random, 4);
    plan->config.erasure_data = 0;
    plan->config.replicas = 1 + below(random, 3);
    plan->config.write_quorum = 1 + below(random, plan->config.replicas);
    aim_writes(random, plan, 1u << FB_LEVEL_MEMORY | 1u << FB_LEVEL_DEVICE);
    aim_origin_away(plan);
    step_ns = plan->heal_ns / 8;
    for (uint32_t i = 2; i < 8; i += 1 + (uint32_t)below(random, 3)) {
        bool is_all = one_in(random, 2);
        uint32_t nodes = is_all ? all_nodes(plan) : 1u << below(random, plan->nodes);
        fault_add(plan, FB_SWARM_FAULT_power_cut, nodes, i * step_ns,
                  i * step_ns + 1 + below(random, step_ns / 2));
    }
    if (one_in(random, 2))
        fault_add(plan, FB_SWARM_FAULT_header_damaged, all_nodes(plan), 0, plan->heal_ns)
            ->permille = 50;
    if (one_in(random, 2))
        fault_add(plan, FB_SWARM_FAULT_block_damaged, all_nodes(plan), 0, plan->heal_ns)->permille =
            50;
    if (one_in(random, 2))
        fault_add(plan, FB_SWARM_FAULT_settings, all_nodes(plan), 0, plan->heal_ns);
}

static void aim_loans(struct fb_random *random, struct fb_swarm_plan *plan)
{
    struct fb_config *config = &plan->config;
    aim_room(random, plan);
    plan->nodes = 3;
    config->erasure_data = 0;
    config->replicas = 1;
    config->write_quorum = 1;
    config->memory_size_bytes = (2 + below(random, 4)) * config->block_size_bytes;
    config->device_size_bytes = 0;
    config->lends_max = 1 + below(random, 2);
    config->lend_ns = (uint64_t)1000 * MS;
    config->keep_peer_blocks = 0;
    plan->origin_ns = log_between(random, 500 * US, 2 * MS);
    plan->pull_ns = log_between(random, MS, 5 * MS);
    for (uint32_t i = 0; i < plan->request_count; i++) {
        struct fb_swarm_request *request = &plan->requests[i];
        *request = (struct fb_swarm_request){.at_ns = below(random, plan->heal_ns),
                                             .verb = FB_SWARM_VERB_get,
                                             .node = (uint32_t)below(random, plan->nodes),
                                             .object = (uint32_t)below(random, 4),
                                             .index = (uint32_t)below(random, 8)};
        request->size = (uint32_t)config->block_size_bytes;
    }
    fault_add(plan, FB_SWARM_FAULT_duplicate, all_nodes(plan), 0, plan->heal_ns)->permille = 500;
    fault_add(plan, FB_SWARM_FAULT_delay, all_nodes(plan), 0, plan->heal_ns)->extra_ns = 5 * MS;
}

void swarm_plan_aim(struct fb_random *random, struct fb_swarm_plan *plan)
{
    static void (*const aims[])(struct fb_random *, struct fb_swarm_plan *) = {
        aim_siege, aim_siege, aim_mending, aim_mending, aim_power, aim_power, aim_loans};
    uint64_t aim = below(random, sizeof(aims) / sizeof(aims[0]));
    if (plan->is_beyond)
        return;
    aims[aim](random, plan);
    plan->config.orphan_ns = swarm_limit_ns(plan);
    FB_ASSERT(fb_config_fault(&plan->config) == NULL);
}
