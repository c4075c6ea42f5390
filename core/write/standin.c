/* Stand-ins: members that hold an undrained block where one of its owners does not answer, or can
 * not. A write needs its copies, not these very members; nor does it need a new view, which never
 * comes where the members are a list.
 *
 * The writer's side, for each target of a put (put.c sends and hears):
 *
 *     OWNER --silent when asked twice, or has no drive--> STAND-IN: the first free one
 *       ^                                                  |  '--the same--> the next one
 *       '--- a round is over, nobody holds it here --------'
 *     whoever says HELD counts, be it the owner or one that stands in for it: each member once
 *
 * The holder's side (dirty.instead is the owner that it holds the block for):
 *
 *     HOLDING --its owner is the first rank: drained in its place--> stored: released
 *        |  ^----------- the owner was silent again ------------.
 *        '--a later look of the drain finds it trusted--> HANDING OFF (a put to the owners)
 *                          in vain: it is stored at the next look <--'--they hold it--> released
 *
 * Those who may stand in are a sequence that the view and the key give, the same for all, whoever
 * is silent: the first owners of keys derived from the block's, then any members. A reader that
 * finds a block neither at its owners nor at the origin asks all members (search.c). A stand-in is
 * of a failure domain that no other target has, where the sequence has one.
 *
 * Does not: stand in for the holders of fragments, of which a code has more than it needs. */
#include "core/write/standin.h"
#include "core/read/read.h"
#include "core/write/write.h"

#include "core/key.h"

enum { WALK_MAX = 24, MEMBERS_MAX = 256, HANDINGS_MAX = 6 };

static bool list_has(const uint32_t *nodes, uint32_t count, uint32_t peer)
{
    FB_ASSERT(count <= FB_STANDINS_MAX + FB_RANKS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i] == peer)
            return true;
    }
    FB_ASSERT(peer != FB_NONE);
    return false;
}

/* Those who may stand in, in their order. Returns how many. */
static uint32_t standin_list(const struct fb_node *node, struct fb_key key,
                             uint32_t nodes[FB_STANDINS_MAX])
{
    uint32_t owners[FB_RANKS_MAX], owner_count = 0, count = 0;
    if (node->view == NULL || node->config.place_local)
        return 0;
    for (uint32_t rank = 0; rank < node->config.replicas; rank++) {
        uint32_t owner = fb_view_owner(node->view, key, rank);
        if (owner != FB_NONE)
            owners[owner_count++] = owner;
    }
    FB_ASSERT(owner_count > 0);
    struct fb_key walked = key;
    for (uint32_t i = 0; i < WALK_MAX && count < FB_STANDINS_MAX; i++) {
        walked.high = fb_mix(walked.high + i + 1);
        uint32_t peer = fb_view_owner(node->view, walked, 0);
        if (!list_has(owners, owner_count, peer) && !list_has(nodes, count, peer))
            nodes[count++] = peer;
    }
    uint32_t members = fb_view_member_count(node->view);
    uint32_t first = (uint32_t)(fb_mix(key.high) % members);
    for (uint32_t i = 0; i < members && i < MEMBERS_MAX && count < FB_STANDINS_MAX; i++) {
        const struct fb_member *member = fb_view_member(node->view, (first + i) % members);
        bool is_owner = member->is_up && member->weight > 0;
        if (is_owner && !list_has(owners, owner_count, member->node) &&
            !list_has(nodes, count, member->node))
            nodes[count++] = member->node;
    }
    FB_ASSERT(count <= FB_STANDINS_MAX);
    return count;
}

static struct fb_key put_key(struct fb_node *node, const struct put *put)
{
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(put->target_count <= FB_RANKS_MAX);
    return fb_cache_key(node_cache(node), put->slot);
}

static bool is_trusted(struct fb_node *node, uint32_t peer)
{
    FB_ASSERT(peer != FB_NONE);
    return peer == node->config.node || !suspect_is(node, peer);
}

/* May it take a copy of this put, as far as this node knows? */
static bool is_fit(struct fb_node *node, const struct put *put, uint32_t peer)
{
    bool is_self = peer == node->config.node;
    FB_ASSERT(put->target_count <= FB_RANKS_MAX);
    if (is_self && put->level == FB_LEVEL_DEVICE && node->device_entries_max == 0)
        return false;
    return is_trusted(node, peer) && !list_has(put->targets, put->target_count, peer);
}

static bool is_apart(const struct fb_node *node, const struct put *put, uint32_t place,
                     uint32_t peer)
{
    const struct fb_member *member = fb_view_find(node->view, peer);
    FB_ASSERT(member != NULL);
    for (uint32_t i = 0; i < put->target_count; i++) {
        const struct fb_member *other = fb_view_find(node->view, put->targets[i]);
        if (i != place && other != NULL && other->domain == member->domain)
            return false;
    }
    FB_ASSERT(place < put->target_count);
    return true;
}

bool standin_take(struct fb_node *node, struct put *put, uint32_t place)
{
    uint32_t nodes[FB_STANDINS_MAX], found = FB_NONE;
    uint32_t count = standin_list(node, put_key(node, put), nodes);
    FB_ASSERT(place < put->target_count);
    for (uint32_t i = 0; i < count; i++) {
        if (bits_has(put->tried, i) || !is_fit(node, put, nodes[i]))
            continue;
        bool is_best = is_apart(node, put, place, nodes[i]);
        if (found == FB_NONE || is_best)
            found = i;
        if (is_best)
            break;
    }
    tell_count(node, found == FB_NONE ? FB_WHY_NO_STAND_IN : FB_WHY_STAND_IN,
               found == FB_NONE ? FB_NONE : nodes[found], place + 1, 0);
    if (found == FB_NONE)
        return false;
    static_assert(FB_STANDINS_MAX <= 8, "put.tried has a bit for each");
    put->tried |= (uint8_t)(1u << found);
    put->targets[place] = nodes[found];
    put->quiet |= (uint8_t)(1u << place);
    put->unable &= (uint8_t) ~(1u << place);
    node->stats.standins++;
    FB_ASSERT(put->targets[place] != FB_NONE);
    return true;
}

/* A round begins: the owners are asked that nobody stands in for yet, unless they are suspected. */
void standin_round(struct fb_node *node, struct put *put)
{
    struct fb_key key = put_key(node, put);
    put->tried = 0;
    put->unable = 0;
    for (uint32_t i = 0; i < put->target_count; i++) {
        uint32_t owner = put_owner(node, key, i);
        FB_ASSERT(owner != FB_NONE);
        if (bits_has(put->held, i))
            continue;
        if (!list_has(put->targets, put->target_count, owner))
            put->targets[i] = owner;
        if (!is_trusted(node, put->targets[i]))
            standin_take(node, put, i); /* none: it is asked all the same */
    }
}

/* Those not heard of since they were asked twice are suspected and replaced. Returns a bitmap of
 * the places that somebody else is in now. */
uint32_t standin_judge(struct fb_node *node, struct put *put)
{
    uint32_t silent = put->quiet & ~(uint32_t)put->held, changed = 0;
    FB_ASSERT(silent < 1u << FB_RANKS_MAX);
    for (uint32_t i = 0; i < put->target_count; i++) {
        if (!(silent >> i & 1u))
            continue;
        if (put->targets[i] != node->config.node)
            peer_suspect(node, put->targets[i]);
        if (standin_take(node, put, i))
            changed |= 1u << i;
        else if (i == 0) /* who is to drain it is gone */
            dirty_renew(node, node_entries(node)[put->slot].fill);
    }
    FB_ASSERT((changed & ~silent) == 0);
    return changed;
}

/* The place of a member that says that it holds the block, though it is not asked now: its own as
 * an owner, or of one that it may stand in for. FB_NONE: there is none. */
static uint32_t place_of(struct fb_node *node, const struct put *put, uint32_t source)
{
    uint32_t nodes[FB_STANDINS_MAX], count = standin_list(node, put_key(node, put), nodes);
    bool may = list_has(nodes, count, source);
    uint32_t place = FB_NONE;
    FB_ASSERT(count <= FB_STANDINS_MAX);
    for (uint32_t i = 0; i < put->target_count; i++) {
        if (bits_has(put->held, i))
            continue;
        if (put_owner(node, put_key(node, put), i) == source)
            return i;
        if (place == FB_NONE && may)
            place = i;
    }
    return place;
}

void standin_held(struct fb_node *node, struct put *put, uint32_t source)
{
    uint32_t place = FB_NONE;
    FB_ASSERT(source != FB_NONE);
    for (uint32_t i = 0; i < put->target_count; i++) {
        if (put->targets[i] == source)
            place = i;
    }
    if (place == FB_NONE)
        place = place_of(node, put, source);
    if (place == FB_NONE)
        return;
    FB_ASSERT(place < FB_RANKS_MAX);
    put->targets[place] = source;
    put->held |= (uint8_t)(1u << place);
}

/* Copies that there are or may yet be: targets that hold it, or are neither unable nor silent, or
 * can be replaced. */
uint32_t standin_reach(struct fb_node *node, const struct put *put)
{
    uint32_t nodes[FB_STANDINS_MAX], count = standin_list(node, put_key(node, put), nodes);
    uint32_t reach = 0;
    for (uint32_t i = 0; i < put->target_count; i++) {
        bool is_out = bits_has(put->unable, i) || !is_trusted(node, put->targets[i]);
        reach += bits_has(put->held, i) || !is_out;
    }
    for (uint32_t i = 0; i < count; i++)
        reach += !(bits_has(put->tried, i)) && is_fit(node, put, nodes[i]);
    FB_ASSERT(reach <= FB_RANKS_MAX + FB_STANDINS_MAX);
    return reach < put->target_count ? reach : put->target_count;
}

/* A dirty record is held for an owner: it may be this node's to drain now. FB_NONE: for nobody
 * else. */
void standin_hold(struct fb_node *node, uint32_t index, uint32_t owner)
{
    struct dirty *dirty = &node_dirty(node)[index];
    FB_ASSERT(dirty->slot != FB_NONE);
    if (owner == node->config.node || owner == dirty->instead)
        return;
    node->standins_held += dirty->instead == FB_NONE;
    node->standins_held -= owner == FB_NONE;
    dirty->instead = owner;
    dirty->handings = 0;
    if (owner != FB_NONE && !dirty->is_storing)
        dirty_renew(node, index);
    FB_ASSERT(node->standins_held <= node->dirty_used);
}

/* All of a put's targets hold the block, this node among them. The record is its own once the owner
 * that it was held for has it, too, or is none in the present view. */
void standin_keep(struct fb_node *node, const struct put *put, uint32_t index)
{
    const struct dirty *dirty = &node_dirty(node)[index];
    bool is_owner = false;
    FB_ASSERT(dirty->instead != FB_NONE);
    FB_ASSERT(put->slot == dirty->slot);
    for (uint32_t i = 0; i < FB_RANKS_MAX; i++)
        is_owner = is_owner || put_owner(node, put_key(node, put), i) == dirty->instead;
    if (!is_owner || list_has(put->targets, put->target_count, dirty->instead))
        standin_hold(node, index, FB_NONE);
    else
        dirty_renew(node, index); /* it is still away: the store waits no longer */
}

/* The drain looks at a record, which waits for nothing the first time. Later: is its owner there?
 * Then a put hands the block to it, and the store waits for that, once: a record that is still here
 * after the put is stored by this node. An owner that refuses it, and an origin that does, too, are
 * tried again after more and more looks. Half of the puts are left to writers. */
bool standin_is_handing(struct fb_node *node, uint32_t index)
{
    struct dirty *dirty = &node_dirty(node)[index];
    FB_ASSERT(dirty->slot != FB_NONE);
    if (dirty->instead == FB_NONE)
        return false;
    bool was_handed = dirty->is_handed, is_busy = put_of_slot(node, dirty->slot);
    bool is_due = dirty->looks >= (dirty->handings > 0 ? 1u << (dirty->handings - 1u) : 1u);
    dirty->looks = (uint8_t)(dirty->looks + (dirty->looks < UINT8_MAX));
    if (was_handed && is_busy) /* a put that all have heard may itself wait for the store */
        return !put_is_stuck(node, dirty->slot) && !put_is_spread(node, dirty->slot);
    bool may = is_due && !was_handed && !is_busy && 2 * node->puts_used < node->config.puts_max &&
               is_trusted(node, dirty->instead);
    dirty->is_handed = (may && put_repeat(node, dirty->slot)) & 1u;
    FB_ASSERT(!dirty->is_handed || !is_busy);
    if (!dirty->is_handed)
        return false;
    tell_block(node, FB_WHY_HAND_OFF, fb_cache_key(node_cache(node), dirty->slot), dirty->instead);
    if (dirty->handings < HANDINGS_MAX)
        dirty->handings = (dirty->handings + 1u) & 7u;
    dirty->looks = 0;
    return true;
}
