/* Who has a copy of what was promised, as seen from outside: by the messages and ops of nodes, by
 * what lies in their memory and on their drives, and never by what they say of themselves.
 *
 *     a node's copy in memory   begins when it sends HELD, or its own write is answered, or, of a
 *                               rank, it asks the others to hold what was answered
 *                               ends with its crash
 *     its copy on a drive       begins with the DONE of a WRITE whose header is OWED
 *                               ends when the drive is lost, or the fault that strikes it says so
 *     both end                  when the block is at the origin or forgotten, or when the node, of
 *                               no rank for it, has heard from as many others as are promised, and
 *                               if it is on its drive, that they have it on theirs; heard since it
 *                               was last told of its members: others may have lost theirs before;
 *                               and unless it has said HELD itself since it asked them: two that
 *                               are of no rank would each let go for the other
 *     a fragment                as a copy in memory; as many as make the block count as one
 *
 * What a core does to a copy otherwise (drops it, marks it clean, writes over it) ends nothing: the
 * promise stands, and is missed at the end. */
#include "sim/swarm/swarm_internal.h"

enum { RECOVER_ROUNDS = 4 }; /* see core/write/recover.c */

static bool words_are(const uint64_t *words, uint64_t content, uint32_t count)
{
    uint32_t i = 0;
    while (i < count && words[i] == swarm_word(content, i))
        i++;
    return i == count;
}

/* Do these units of memory or a drive hold the block, as somebody wrote it? */
static bool words_hold(const struct swarm *swarm, const uint64_t *words,
                       const struct swarm_durable *durable)
{
    uint32_t count = swarm_units(swarm, durable->block.size);
    for (uint32_t variant = 0; variant < SWARM_VARIANTS; variant++) {
        if (durable->attempted >> variant & 1u &&
            words_are(words, durable->contents[variant], count))
            return true;
    }
    return false;
}

bool swarm_memory_has(const struct swarm *swarm, uint32_t node, const struct swarm_durable *durable)
{
    const struct swarm_node *host = &swarm->nodes[node];
    uint32_t count = swarm_units(swarm, durable->block.size);
    for (uint32_t i = 0; i + count <= host->memory_units; i++) {
        if (words_hold(swarm, host->memory + i, durable))
            return true;
    }
    return false;
}

/* Does the node's drive have the block, as an OWED header says and its words show? */
bool swarm_drive_has(const struct swarm *swarm, uint32_t node, const struct swarm_durable *durable)
{
    const struct swarm_node *host = &swarm->nodes[node];
    uint64_t cursor = 0;
    struct fb_header header;
    while (fb_header_scan(host->pages, host->chunks, &cursor, &header)) {
        bool is_it = fb_key_equal(header.key, durable->block.key) &&
                     header.size == durable->block.size && header.state == FB_HEADER_OWED;
        if (is_it && words_hold(swarm, host->device + header.position / swarm->unit_bytes, durable))
            return true;
    }
    return false;
}

bool swarm_is_coded(const struct swarm *swarm, uint32_t node)
{
    const struct fb_config *config = &swarm->plan->config;
    return config->erasure_data > 0 && swarm->nodes[node].view != NULL && !config->place_local &&
           config->use_peers;
}

/* Members that a write of this node may use: its ranks. */
static uint32_t ranks_of(const struct swarm *swarm, uint32_t node, struct fb_key key, bool *is_rank)
{
    const struct fb_config *config = &swarm->plan->config;
    const struct fb_view *view = swarm->nodes[node].view;
    uint32_t count = 0;
    *is_rank = config->place_local || view == NULL;
    for (uint32_t rank = 0; !*is_rank && rank < config->replicas; rank++)
        count += fb_view_owner(view, key, rank) != FB_NONE;
    if (*is_rank)
        return 1;
    for (uint32_t rank = 0; rank < config->replicas; rank++)
        *is_rank = *is_rank || fb_view_owner(view, key, rank) == node;
    return count;
}

/* Nodes that must have it before a write of this level is answered by this node; told: what the
 * answer says. Fewer members are no excuse, but where the config allows it and the answer tells. */
uint32_t swarm_promised(const struct swarm *swarm, uint32_t level, uint32_t told)
{
    const struct fb_config *config = &swarm->plan->config;
    uint32_t quorum = (uint32_t)config->write_quorum;
    FB_ASSERT(quorum > 0);
    uint32_t members = config->degraded && told < quorum ? told : quorum;
    return fb_promise_copies((enum fb_level)level, quorum, members);
}

/* A node of no rank is only the first holder: it may let go when enough others have it, of a copy
 * on its drive when they have it on theirs. */
static void copy_relieve(struct swarm *swarm, struct swarm_durable *durable, uint32_t node)
{
    bool is_rank;
    uint32_t members = ranks_of(swarm, node, durable->block.key, &is_rank);
    uint32_t promised =
        fb_promise_copies(FB_LEVEL_REPLICATED, (uint32_t)swarm->plan->config.write_quorum, members);
    uint32_t bit = 1u << node;
    uint32_t told = (uint32_t)__builtin_popcount(durable->told[node] & ~bit);
    uint32_t told_on_drive = (uint32_t)__builtin_popcount(durable->told_on_drive[node] & ~bit);
    if (is_rank || swarm_is_coded(swarm, node) || told < promised || (durable->relied_on & bit))
        return;
    if ((durable->on_drive & bit) && told_on_drive < promised)
        return;
    durable->in_memory &= ~bit;
    durable->on_drive &= ~bit;
}

/* A node is told of its members: who had copies before does not say who has them now. */
void swarm_copies_viewed(struct swarm *swarm, uint32_t node)
{
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX; i++) {
        swarm->durables[i].told[node] = 0;
        swarm->durables[i].told_on_drive[node] = 0;
    }
}

/* A HOLD reaches a node: which block an answer to it will be of. */
static void hold_arrives(struct swarm *swarm, uint32_t node, const struct fb_message *message)
{
    struct swarm_node *host = &swarm->nodes[node];
    const struct fb_message_hold *hold = &message->hold;
    struct swarm_durable *durable = swarm_durable_at(swarm, &hold->block);
    if (durable == NULL || hold->level == FB_LEVEL_VOLATILE)
        return;
    host->holds[host->hold_count++ % SWARM_HOLDS_MAX] =
        (struct swarm_hold){.ask_id = hold->ask_id,
                            .writer = message->source,
                            .level = hold->level,
                            .durable = (uint32_t)(durable - swarm->durables),
                            .fragment = hold->number};
}

static const struct swarm_hold *hold_of(const struct swarm_node *host, uint32_t writer,
                                        uint64_t ask_id)
{
    uint32_t count = host->hold_count < SWARM_HOLDS_MAX ? host->hold_count : SWARM_HOLDS_MAX;
    for (uint32_t i = 1; i <= count; i++) {
        const struct swarm_hold *hold = &host->holds[(host->hold_count - i) % SWARM_HOLDS_MAX];
        if (hold->writer == writer && hold->ask_id == ask_id)
            return hold;
    }
    return NULL;
}

/* A node says that it holds something: it does, and does so until it crashes. */
void swarm_copy_told(struct swarm *swarm, uint32_t node, uint32_t writer,
                     const struct fb_message_held *held)
{
    const struct swarm_hold *hold = hold_of(&swarm->nodes[node], writer, held->ask_id);
    if (held->status != FB_OK || hold == NULL)
        return;
    struct swarm_durable *durable = &swarm->durables[hold->durable];
    if (hold->fragment > 0) {
        durable->fragments[node] |= (uint16_t)(1u << (hold->fragment - 1));
        return;
    }
    durable->in_memory |= 1u << node;
    durable->relied_on |= 1u << node;
    if (durable->is_stored || durable->is_forgotten || swarm->plan->is_beyond)
        return; /* it may be let go at once */
    swarm_judge(swarm, FB_SWARM_CHECK_held_is_true, swarm_memory_has(swarm, node, durable),
                "node %u says that it holds object %llu, offset %llu, which is not in its memory",
                node, (unsigned long long)durable->block.object,
                (unsigned long long)durable->block.offset);
    bool is_bound = hold->level == FB_LEVEL_DEVICE && swarm_drives_are_true(swarm->plan);
    swarm_judge(
        swarm, FB_SWARM_CHECK_held_is_true, !is_bound || swarm_drive_has(swarm, node, durable),
        "node %u says that its drive owes object %llu, offset %llu, and it does not", node,
        (unsigned long long)durable->block.object, (unsigned long long)durable->block.offset);
}

/* A node asks another to hold it. One that is of a rank by now keeps it itself, also what it might
 * have let go of before. */
void swarm_copy_asked(struct swarm *swarm, uint32_t node, const struct fb_message_hold *hold)
{
    bool is_rank;
    struct swarm_durable *durable = swarm_durable_at(swarm, &hold->block);
    if (durable == NULL)
        return;
    durable->relied_on &= ~(1u << node);
    (void)ranks_of(swarm, node, durable->block.key, &is_rank);
    bool is_kept = is_rank && durable->is_acked && hold->level != FB_LEVEL_VOLATILE &&
                   !swarm_is_coded(swarm, node) && swarm_memory_has(swarm, node, durable);
    if (is_kept)
        durable->in_memory |= 1u << node;
}

/* Messages that nodes hear. */
void swarm_copy_heard(struct swarm *swarm, uint32_t node, const struct fb_message *message)
{
    if (message->kind == FB_MESSAGE_HOLD)
        hold_arrives(swarm, node, message);
    if (message->kind != FB_MESSAGE_HELD || message->held.status != FB_OK ||
        message->source >= swarm->plan->nodes)
        return;
    const struct swarm_hold *hold =
        hold_of(&swarm->nodes[message->source], node, message->held.ask_id);
    if (hold == NULL || hold->fragment > 0)
        return;
    struct swarm_durable *durable = &swarm->durables[hold->durable];
    durable->told[node] |= 1u << message->source;
    if (hold->level == FB_LEVEL_DEVICE)
        durable->told_on_drive[node] |= 1u << message->source;
    copy_relieve(swarm, durable, node);
}

/* The writer's own copy, when its client is answered. Nodes that have it: those that said so, and
 * the writer, if it is of a rank, or stands in for one: others do not have it in its place. */
uint32_t swarm_copy_acked(struct swarm *swarm, struct swarm_durable *durable, uint32_t node)
{
    uint32_t bit = 1u << node, others = (durable->in_memory | durable->told[node]) & ~bit;
    bool is_here = swarm_memory_has(swarm, node, durable);
    if (is_here)
        durable->in_memory |= bit;
    copy_relieve(swarm, durable, node);
    return (uint32_t)__builtin_popcount(others) + ((durable->in_memory & bit) != 0);
}

/* A write to a drive is done; its header was kept. */
void swarm_copy_written(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    struct swarm_durable *durable = swarm_durable_find(swarm, &op->block);
    bool does_recover =
        fb_promise_outlasts(FB_PROMISE_crash, FB_MEDIUM_DRIVE) && swarm->plan->config.recover != 0;
    if (durable == NULL || op->header_state != FB_HEADER_OWED || !does_recover)
        return;
    const uint64_t *words = swarm->nodes[node].device + op->source.offset / swarm->unit_bytes;
    uint32_t count = swarm_units(swarm, op->block.size);
    bool is_trusted = op->digest == swarm_digest(words, count, op->block.size);
    if (!swarm_drive_has(swarm, node, durable))
        return;
    if (is_trusted)
        durable->on_drive |= 1u << node;
    else /* its digest was wrong from the first, and nobody will believe these bytes */
        swarm->result->softened[FB_SWARM_SOFTENING_doubted] = 1;
}

static uint32_t empty_fragments(const struct swarm *swarm, uint32_t size_bytes)
{
    const struct fb_config *config = &swarm->plan->config;
    uint32_t bytes = fb_fragment_bytes(config, size_bytes), empty = 0;
    for (uint32_t i = 0; i < config->erasure_data; i++)
        empty += i * bytes >= size_bytes;
    return empty;
}

/* Are there as many fragments, at those of the nodes that live, as make the block? */
static bool fragments_suffice(const struct swarm *swarm, const struct swarm_durable *durable,
                              uint32_t nodes)
{
    uint32_t held = 0;
    if (swarm->plan->config.erasure_data == 0)
        return false;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++)
        held |= nodes >> node & 1u ? durable->fragments[node] : 0;
    uint32_t count =
        (uint32_t)__builtin_popcount(held) + empty_fragments(swarm, durable->block.size);
    return count >= swarm->plan->config.erasure_data;
}

bool swarm_has_copy(const struct swarm *swarm, const struct swarm_durable *durable, uint32_t nodes)
{
    return ((durable->in_memory | durable->on_drive) & nodes) != 0 ||
           (!durable->is_torn && fragments_suffice(swarm, durable, nodes));
}

uint32_t swarm_members_of(const struct swarm *swarm, uint32_t node)
{
    const struct fb_view *view = swarm->nodes[node].view;
    uint32_t members = 1u << node;
    for (uint32_t i = 0; view != NULL && i < fb_view_member_count(view); i++) {
        const struct fb_member *member = fb_view_member(view, i);
        members |= (uint32_t)(member->is_up != 0) << member->node;
    }
    return members;
}

/* The fault has struck a node: what was in its memory, or on its drive, is judged by the others. */
void swarm_copies_strike(struct swarm *swarm, uint32_t node, enum fb_promise_fault fault)
{
    uint32_t bit = 1u << node;
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX; i++) {
        struct swarm_durable *durable = &swarm->durables[i];
        bool had_memory = (durable->in_memory & bit) || durable->fragments[node] != 0;
        bool had_drive = durable->on_drive & bit;
        if (durable->block.size == 0 || (!had_memory && !had_drive && durable->told[node] == 0))
            continue;
        bool is_struck = false;
        if (!fb_promise_outlasts(fault, FB_MEDIUM_MEMORY)) {
            durable->in_memory &= ~bit;
            durable->fragments[node] = 0;
            durable->told[node] = 0;
            durable->told_on_drive[node] = 0;
            is_struck = had_memory;
        }
        if (!fb_promise_outlasts(fault, FB_MEDIUM_DRIVE)) {
            durable->on_drive &= ~bit;
            is_struck = is_struck || had_drive;
        }
        if (durable->in_memory == 0 && !fragments_suffice(swarm, durable, UINT32_MAX))
            durable->is_torn = true; /* fragments that come back are not counted on */
        if (!is_struck || !durable->is_acked || durable->is_stored || durable->is_forgotten)
            continue;
        durable->strikes++;
        swarm->result->strikes++;
    }
}

/* Something of a node's drive is damaged that is of the block with this key. */
void swarm_copy_damaged(struct swarm *swarm, uint32_t node, struct fb_key key,
                        enum fb_promise_fault fault)
{
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX; i++) {
        struct swarm_durable *durable = &swarm->durables[i];
        if (!(durable->on_drive >> node & 1u) || !fb_key_equal(durable->block.key, key) ||
            fb_promise_outlasts(fault, FB_MEDIUM_DRIVE))
            continue;
        durable->on_drive &= ~(1u << node);
        durable->strikes += durable->is_acked && !durable->is_stored;
    }
}

/* A read of what a node shall find again on its drive has failed, or lied. In every round it makes
 * the copy is tried once; when all fail it is as good as lost. */
void swarm_copy_unread(struct swarm *swarm, uint32_t node, const struct fb_block *block)
{
    struct swarm_durable *durable = swarm_durable_find(swarm, block);
    uint32_t bit = 1u << node;
    if (durable == NULL || !(durable->on_drive & bit) || (durable->in_memory & bit) ||
        ++durable->unread[node] < RECOVER_ROUNDS)
        return;
    durable->on_drive &= ~bit;
    swarm->result->softened[FB_SWARM_SOFTENING_unread] = 1;
}

/* The same of the headers: nothing of the drive is found again. */
void swarm_copies_unscanned(struct swarm *swarm, uint32_t node)
{
    uint32_t bit = 1u << node;
    if (++swarm->nodes[node].unscanned < RECOVER_ROUNDS)
        return;
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX; i++) {
        if (swarm->durables[i].on_drive & bit & ~swarm->durables[i].in_memory)
            swarm->result->softened[FB_SWARM_SOFTENING_unread] = 1;
        swarm->durables[i].on_drive &= ~bit | swarm->durables[i].in_memory;
    }
}

/* A node begins again: what of its promises its drive still has. Where drives lie it is looked at;
 * where they do not, what should be there is. */
void swarm_copies_restart(struct swarm *swarm, uint32_t node)
{
    uint32_t bit = 1u << node;
    bool is_true = swarm_drives_are_true(swarm->plan);
    swarm->nodes[node].unscanned = 0;
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX; i++) {
        struct swarm_durable *durable = &swarm->durables[i];
        durable->unread[node] = 0;
        if (!is_true && (durable->on_drive & bit) && !swarm_drive_has(swarm, node, durable))
            durable->on_drive &= ~bit;
    }
}

/* Members changed a while ago, and nothing has happened since: what is promised has as many copies
 * again as a write waits for, among those that are members. */
void swarm_check_copies(struct swarm *swarm)
{
    const struct fb_config *config = &swarm->plan->config;
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX; i++) {
        const struct swarm_durable *durable = &swarm->durables[i];
        uint32_t holders = (durable->in_memory | durable->on_drive) & swarm->view_mask;
        bool is_young = durable->acked_ns + swarm->plan->repair_ns / 2 > swarm->now_ns;
        if (!durable->is_acked || durable->is_stored || durable->is_forgotten || holders == 0 ||
            is_young) /* it is being spread for the first time */
            continue;
        uint32_t members = 0;
        for (uint32_t rank = 0; rank < config->replicas; rank++)
            members += fb_view_owner(swarm->view, durable->block.key, rank) != FB_NONE;
        uint32_t promised =
            fb_promise_copies(FB_LEVEL_REPLICATED, (uint32_t)config->write_quorum, members);
        uint32_t copies = (uint32_t)__builtin_popcount(holders);
        swarm_judge(swarm, FB_SWARM_CHECK_copies_restored, copies >= promised,
                    "object %llu (key %llx), offset %llu has %u copies, not %u, though members "
                    "changed long ago; at nodes %x",
                    (unsigned long long)durable->block.object,
                    (unsigned long long)durable->block.key.high,
                    (unsigned long long)durable->block.offset, copies, promised, holders);
    }
}
