/* Tenants: how much of this node's memory each may take, and how long its blocks are good.
 *
 * A tenant with a quota keeps its blocks in a list of its own, least recently used first. When a
 * new block would take it over its quota, its own oldest blocks go, never another's. When none may
 * go the new block is served but not kept (TRANSIENT). A quota is this node's: a cluster's is the
 * sum.
 *
 * A tenant with a time to live: a block that was acquired longer ago is as good as absent. Dates
 * are kept in ticks of 2^27 ns (0.13 s). Such blocks are not written to the drive.
 *
 *     block:  (none) --fill--> counted, listed --evicted, expired, quota--> (none)
 *
 * Invariant: used_bytes is the sum over the tenant's entries, those being filled included. */
#include "core/tier/tier.h"

enum { TICK_SHIFT = 27 };

static bool tenants_are_on(const struct fb_node *node)
{
    return node->config.tenants_max > 0;
}

bool tenant_is_known(const struct fb_node *node, uint32_t tenant)
{
    return tenant == 0 || tenant < node->config.tenants_max;
}

enum fb_status tenant_set(struct fb_node *node, const struct fb_request *request)
{
    uint32_t tenant = request->block.tenant;
    FB_ASSERT(request->kind == FB_REQUEST_TENANT);
    FB_ASSERT(node->tenants_limited <= node->config.tenants_max);
    if (!tenants_are_on(node) || !tenant_is_known(node, tenant))
        return FB_INVALID;
    node_tenants(node)[tenant].quota_bytes = request->quota_bytes;
    node_tenants(node)[tenant].ttl_ns = request->ttl_ns;
    node->tenants_limited = 0;
    for (uint32_t i = 0; i < node->config.tenants_max; i++)
        node->tenants_limited +=
            node_tenants(node)[i].quota_bytes > 0 || node_tenants(node)[i].ttl_ns > 0;
    return FB_OK;
}

static void list_add(struct fb_node *node, uint32_t slot)
{
    struct tag *tags = node_tags(node);
    struct tenant *tenant = &node_tenants(node)[tags[slot].tenant];
    tags[slot].newer = FB_NONE;
    tags[slot].older = tenant->newest;
    if (tenant->newest != FB_NONE)
        tags[tenant->newest].newer = slot;
    else
        tenant->oldest = slot;
    tenant->newest = slot;
    FB_ASSERT(tenant->oldest != FB_NONE);
}

static void list_remove(struct fb_node *node, uint32_t slot)
{
    struct tag *tags = node_tags(node);
    struct tenant *tenant = &node_tenants(node)[tags[slot].tenant];
    FB_ASSERT(tenant->oldest != FB_NONE);
    if (tags[slot].newer != FB_NONE)
        tags[tags[slot].newer].older = tags[slot].older;
    else
        tenant->newest = tags[slot].older;
    if (tags[slot].older != FB_NONE)
        tags[tags[slot].older].newer = tags[slot].newer;
    else
        tenant->oldest = tags[slot].newer;
}

/* A new entry is the tenant's. */
void tenant_enter(struct fb_node *node, uint32_t slot, uint32_t tenant)
{
    if (!tenants_are_on(node))
        return;
    FB_ASSERT(tenant_is_known(node, tenant));
    node_tags(node)[slot] = (struct tag){.tenant = tenant};
    list_add(node, slot);
    node_tenants(node)[tenant].used_bytes += node_entries(node)[slot].size_bytes;
}

void tenant_leave(struct fb_node *node, uint32_t slot)
{
    if (!tenants_are_on(node))
        return;
    struct tenant *tenant = &node_tenants(node)[node_tags(node)[slot].tenant];
    list_remove(node, slot);
    FB_ASSERT(tenant->used_bytes >= node_entries(node)[slot].size_bytes);
    tenant->used_bytes -= node_entries(node)[slot].size_bytes;
}

/* A block was used. Only a tenant with a quota pays for the order. */
void tenant_touch(struct fb_node *node, uint32_t slot)
{
    const struct tenant *tenant = &node_tenants(node)[node_tags(node)[slot].tenant];
    FB_ASSERT(node->tenants_limited > 0);
    FB_ASSERT(tenant->newest != FB_NONE);
    if (tenant->quota_bytes == 0 || tenant->newest == slot)
        return;
    list_remove(node, slot);
    list_add(node, slot);
}

/* Makes room for size_bytes within the quota. False: there is none, do not keep the block. */
bool tenant_make_room(struct fb_node *node, uint32_t tenant_id, uint64_t size_bytes)
{
    if (!tenants_are_on(node) || node_tenants(node)[tenant_id].quota_bytes == 0)
        return true;
    struct tenant *tenant = &node_tenants(node)[tenant_id];
    FB_ASSERT(size_bytes > 0);
    uint32_t slot = tenant->oldest;
    for (uint32_t i = 0; i < FB_EVICT_TRIES_MAX; i++) {
        if (tenant->used_bytes + size_bytes <= tenant->quota_bytes)
            return true;
        if (slot == FB_NONE)
            break;
        FB_ASSERT(node_tags(node)[slot].tenant == tenant_id);
        uint32_t newer = node_tags(node)[slot].newer;
        const struct fb_key key = fb_cache_key(node_cache(node), slot);
        bool has_gone = memory_drop(node, slot);
        node->stats.tenant_evictions += has_gone;
        tell_key(node, has_gone ? FB_WHY_EVICT_OWN : FB_WHY_STAYS, key);
        slot = newer;
    }
    return tenant->used_bytes + size_bytes <= tenant->quota_bytes;
}

bool tenant_has_ttl(struct fb_node *node, uint32_t slot)
{
    return tenants_are_on(node) && node_tenants(node)[node_tags(node)[slot].tenant].ttl_ns > 0;
}

/* The bytes are here: from now on they age. */
void tenant_filled(struct fb_node *node, uint32_t slot)
{
    if (!tenant_has_ttl(node, slot))
        return;
    uint64_t ttl_ns = node_tenants(node)[node_tags(node)[slot].tenant].ttl_ns;
    uint64_t ticks = (node->now_ns + ttl_ns) >> TICK_SHIFT;
    FB_ASSERT(ttl_ns > 0);
    node_tags(node)[slot].expires_ticks = ticks < UINT32_MAX ? (uint32_t)ticks + 1 : UINT32_MAX;
}

bool tenant_is_expired(struct fb_node *node, uint32_t slot)
{
    uint32_t ticks = node_tags(node)[slot].expires_ticks;
    FB_ASSERT(slot < node->memory_entries_max);
    return ticks > 0 && (node->now_ns >> TICK_SHIFT) >= ticks;
}

void tenant_check(struct fb_node *node)
{
    for (uint32_t i = 0; i < node->config.tenants_max; i++) {
        const struct tenant *tenant = &node_tenants(node)[i];
        uint64_t bytes = 0;
        for (uint32_t s = tenant->oldest; s != FB_NONE; s = node_tags(node)[s].newer) {
            FB_ASSERT(node_entries(node)[s].state != ENTRY_FREE);
            FB_ASSERT(node_tags(node)[s].tenant == i);
            bytes += node_entries(node)[s].size_bytes;
        }
        FB_ASSERT(bytes == tenant->used_bytes);
    }
}
