/* What others may ask of a node. Changes nothing, and is no part of a step. */
#include "core/key.h"
#include "core/name/name_flows.h"
#include "core/node/node.h"
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"

bool fb_node_is_idle(const struct fb_node *node)
{
    FB_ASSERT(node->fills_used <= node->config.fills_max);
    FB_ASSERT(node->lends_used <= node->config.lends_max);
    return node->fills_used == 0 && node->waiters_used == 0 && node->lends_used == 0 &&
           node->writes_used == 0 && node->matches_used == 0 && node->puts_used == 0 &&
           node->dirty_used == 0 && node->drains_used == 0 && node->pins_used == 0 &&
           node->ranges_used == 0 && node->metas_used == 0 && node->mends_used == 0 &&
           node->names_used == 0 && node->name_ops == 0 && !node_is_recovering(node);
}

uint64_t fb_node_undrained_bytes(const struct fb_node *node)
{
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->dirty_used > 0 || node->dirty_bytes == 0);
    return node->dirty_bytes;
}

uint64_t fb_node_pinned_bytes(const struct fb_node *node)
{
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->pins_used > 0 || node->pinned_bytes == 0);
    return node->pinned_bytes;
}

uint64_t fb_node_memory_used_bytes(const struct fb_node *node)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    uint64_t used_bytes = fb_extents_used_units(node_extents(state)) * node->memory_unit_bytes;
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->memory_unit_bytes > 0);
    return used_bytes;
}

uint64_t fb_node_device_used_bytes(const struct fb_node *node)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->memory_unit_bytes > 0);
    return node->device_entries_max > 0
               ? fb_extents_used_units(node_device_extents(state)) * node->memory_unit_bytes
               : 0;
}

bool fb_node_suspects(const struct fb_node *node, uint32_t peer)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(peer != FB_NONE);
    return suspect_is(state, peer);
}

uint64_t fb_node_tenant_bytes(const struct fb_node *node, uint32_t tenant)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->tenants_limited <= node->config.tenants_max);
    return tenant < node->config.tenants_max ? node_tenants(state)[tenant].used_bytes : 0;
}

bool fb_node_holds(const struct fb_node *node, struct fb_key key)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(node->size_bytes > 0);
    uint32_t slot = fb_cache_find(node_cache(state), key);
    bool is_resident = slot != FB_NONE && node_entries(state)[slot].state == ENTRY_RESIDENT;
    return is_resident || device_find(state, key) != FB_NONE;
}

void fb_node_find(const struct fb_node *node, struct fb_key key, struct fb_found *found)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(node->size_bytes > 0);
    uint32_t slot = fb_cache_find(node_cache(state), key);
    *found =
        (struct fb_found){.is_on_device = device_find(state, key) != FB_NONE, .owner = FB_NONE};
    if (node->view != NULL)
        found->owner = fb_view_owner(node->view, key, 0);
    if (slot == FB_NONE)
        return;
    const struct entry *entry = &node_entries(state)[slot];
    FB_ASSERT(entry->holder_count <= FB_HOLDERS_MAX);
    found->is_in_memory = entry->state == ENTRY_RESIDENT;
    found->is_coming = entry->state == ENTRY_FILLING;
    found->is_owed = (entry->flags & ENTRY_DIRTY) != 0;
    for (uint32_t i = 0; i < entry->holder_count; i++) {
        if (entry->holder_ready >> i & 1u)
            found->holders[found->holder_count++] = entry->holders[i];
    }
    FB_ASSERT(found->holder_count <= entry->holder_count);
}

uint32_t fb_node_owed_blocks(const struct fb_node *node)
{
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->dirty_used <= node->config.dirty_max);
    return node->dirty_used;
}

uint64_t fb_node_owed_next(struct fb_node *node, uint32_t *cursor, uint32_t *size_bytes)
{
    uint32_t index = *cursor == FB_NONE ? node->dirty_oldest : node_dirty(node)[*cursor].newer;
    FB_ASSERT(node->size_bytes > 0);
    *cursor = index;
    *size_bytes = 0;
    if (index == FB_NONE)
        return FB_OBJECT_NONE;
    FB_ASSERT(node_dirty(node)[index].slot != FB_NONE);
    *size_bytes = node_entries(node)[node_dirty(node)[index].slot].size_bytes;
    return node_dirty(node)[index].object;
}

bool fb_node_owes(struct fb_node *node, uint64_t object)
{
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(object != FB_OBJECT_NONE);
    for (uint32_t i = node->dirty_oldest; i != FB_NONE; i = node_dirty(node)[i].newer) {
        if (node_dirty(node)[i].object == object)
            return true;
    }
    for (uint32_t i = 0; i < node->config.fills_max; i++) { /* a holder's, or one found again */
        const struct fill *fill = &node_fills(node)[i];
        if (fill->state != FILL_FREE && fill->block.object == object)
            return true;
    }
    return false;
}

void fb_node_refused(const struct fb_node *node, struct fb_refused *refused)
{
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->refused_used <= node->dirty_used);
    *refused = (struct fb_refused){.blocks = node->refused_used, .verdict = refused_verdict(node)};
    if (node->refused_used == 0)
        return;
    refused->status = node->refused_status;
    refused->since_ns = node->refused_ns;
}

bool fb_node_is_recovering(const struct fb_node *node)
{
    return node_is_recovering(node);
}

uint32_t fb_node_unfinished_names(const struct fb_node *node)
{
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->jobs_used <= node->names_used);
    return node->jobs_used + node->left_used + node->bad_used;
}

bool fb_node_has_name(const struct fb_node *node, struct fb_key key)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(node->names_used <= node->config.names_max);
    for (uint32_t i = 0; i < node->config.names_max && node->names_used > 0; i++) {
        const struct name *name = &node_names(state)[i];
        if (name->kind != NAME_FREE && fb_key_equal(name->key, key))
            return true;
    }
    return bad_find(state, key) != NULL;
}

bool fb_node_finishes_name(const struct fb_node *node, struct fb_key key, uint64_t version)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(version > 0);
    return finish_find(state, key, version) != FB_NONE;
}

bool fb_node_bad_name(const struct fb_node *node, uint32_t index, struct fb_bad_name *bad)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(index < node->config.names_max);
    const struct bad_name *found = &node_bad_names(state)[index];
    *bad =
        (struct fb_bad_name){.key = found->key, .version = found->version, .status = found->status};
    FB_ASSERT(found->status < FB_STATUS_COUNT);
    return found->status != FB_OK;
}

uint32_t fb_node_bad_names(const struct fb_node *node)
{
    FB_ASSERT(node->size_bytes > 0);
    FB_ASSERT(node->bad_used <= node->config.names_max);
    return node->bad_used;
}

bool fb_node_refused_name(const struct fb_node *node, uint32_t index, struct fb_bad_name *refused)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(index < node->config.names_max);
    const struct name *name = &node_names(state)[index];
    *refused = (struct fb_bad_name){
        .key = name->key, .version = name->record.value.high, .status = name->refusal};
    FB_ASSERT(state->size_bytes > 0);
    return finish_is_refused(name);
}

const char *fb_node_id_name(uint64_t id)
{
    static const char *const names[] = {
        [ID_ATTEMPT] = "attempt", [ID_WRITE] = "write",   [ID_MATCH] = "match", [ID_PUT] = "put",
        [ID_DRAIN] = "store",     [ID_GATHER] = "gather", [ID_META] = "record", [ID_PIN] = "pin",
        [ID_CODE] = "code",       [ID_SCAN] = "scan",     [ID_NAME] = "name",   [ID_LIST] = "list",
        [ID_MEND] = "mend"};
    uint32_t class = id_class(id);
    bool is_known = class < sizeof(names) / sizeof(names[0]) && names[class] != NULL;
    FB_ASSERT(names[ID_MEND] != NULL);
    return is_known ? names[class] : "id";
}

_Bool fb_node_id_follows(uint64_t earlier, uint64_t id)
{
    bool is_attempt = id_class(id) == ID_ATTEMPT && id_class(earlier) == ID_ATTEMPT;
    FB_ASSERT(id_index(id) <= 0xffffffu);
    return is_attempt && id_index(earlier) == id_index(id) &&
           id_generation(id) == id_generation(earlier) + 1;
}
