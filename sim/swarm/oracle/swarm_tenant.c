/* Tenants: in some plans objects of odd number are one tenant's, whose blocks have a quota and a
 * time to live on every node. Each life of a node is told at its beginning.
 *
 * Quota: when a node is idle, what the tenant has in its memory is within it. Time to live: a block
 * that is served from memory was brought in no longer ago, unless somebody else was using it; dates
 * are kept in ticks of 2^27 ns, so two of them do not count. */
#include "sim/swarm/swarm_internal.h"

enum { THE_TENANT = 1, TICK_SHIFT = 27, OBJECTS = 1000000 };

static bool tenant_is_on(const struct fb_swarm_plan *plan)
{
    return plan->config.tenants_max > THE_TENANT &&
           (plan->tenant_quota_bytes > 0 || plan->tenant_ttl_ns > 0);
}

uint32_t swarm_tenant_of(const struct fb_swarm_plan *plan, uint32_t object)
{
    return tenant_is_on(plan) && object < OBJECTS && object % 2 == 1 ? THE_TENANT : 0;
}

void swarm_tenant_begin(struct swarm *swarm, uint32_t node)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    if (!tenant_is_on(plan))
        return;
    const struct fb_event event = {.kind = FB_EVENT_REQUEST,
                                   .request = {.kind = FB_REQUEST_TENANT,
                                               .request_id = SWARM_TENANT_ID,
                                               .block = {.tenant = THE_TENANT},
                                               .quota_bytes = plan->tenant_quota_bytes,
                                               .ttl_ns = plan->tenant_ttl_ns}};
    swarm_node_step(swarm, node, &event);
}

void swarm_tenant_reply(struct swarm *swarm, uint32_t node, const struct fb_reply *reply)
{
    swarm_judge(swarm, FB_SWARM_CHECK_sane_reply, reply->status == FB_OK,
                "node %u answers the limits of a tenant with %s", node,
                fb_status_name((enum fb_status)reply->status));
}

/* All is quiet: everybody is within the quota. */
void swarm_check_quota(struct swarm *swarm)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    for (uint32_t node = 0; node < plan->nodes; node++) {
        if (!tenant_is_on(plan) || plan->tenant_quota_bytes == 0)
            return;
        if (swarm->nodes[node].is_dead)
            continue;
        uint64_t bytes = fb_node_tenant_bytes(swarm->nodes[node].core, THE_TENANT);
        swarm_judge(swarm, FB_SWARM_CHECK_quota_kept, bytes <= plan->tenant_quota_bytes,
                    "node %u has %llu bytes of a tenant that may have %llu", node,
                    (unsigned long long)bytes, (unsigned long long)plan->tenant_quota_bytes);
    }
}

static uint64_t *filled_ns(struct swarm *swarm, uint32_t node, const struct fb_block *block)
{
    uint64_t index = block->offset / swarm->plan->config.block_size_bytes;
    uint64_t place = block->object * SWARM_RANGES_MAX + index;
    return &swarm->nodes[node].filled_ns[place % SWARM_FILLED_MAX];
}

/* Bytes of a block have come into a node's memory. */
void swarm_filled(struct swarm *swarm, uint32_t node, const struct fb_block *block)
{
    if (block->tenant == THE_TENANT)
        *filled_ns(swarm, node, block) = swarm_node_now_ns(swarm, node);
}

static bool is_in_use(const struct swarm *swarm, uint32_t node, const struct fb_span *span)
{
    const struct swarm_node *host = &swarm->nodes[node];
    uint32_t first = (uint32_t)(span->offset / swarm->unit_bytes);
    return host->readers[first] > 0 || host->lent_ns[first] > swarm_node_now_ns(swarm, node);
}

/* A read was served from memory: it was not too old. */
void swarm_check_fresh(struct swarm *swarm, const struct swarm_request *request,
                       const struct fb_reply *reply)
{
    uint32_t node = request->what.node;
    uint64_t ttl_ns = swarm->plan->tenant_ttl_ns;
    bool is_limited = request->block.tenant == THE_TENANT && ttl_ns > 0;
    if (!is_limited || reply->status != FB_OK || reply->reason != FB_REASON_MEMORY ||
        is_in_use(swarm, node, &reply->span) || swarm_keeps(swarm, node, &request->block))
        return;
    uint64_t age_ns = swarm_node_now_ns(swarm, node) - *filled_ns(swarm, node, &request->block);
    swarm_judge(swarm, FB_SWARM_CHECK_fresh, age_ns <= ttl_ns + (UINT64_C(2) << TICK_SHIFT),
                "get %u is served a block that came %llu ms ago, and is good for %llu",
                swarm_index(swarm, request), (unsigned long long)age_ns / 1000000,
                (unsigned long long)ttl_ns / 1000000);
}
