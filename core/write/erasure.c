/* The writer's side of a durable write under Reed-Solomon k + m (erasure_data, erasure_parity).
 *
 *   put_begin --> EXTENT --memory for m parity fragments--> CHECK --> ENCODE --> DIGEST, one after
 *                   ^                                         |         |          |     another
 *                   '--------------- error, after backoff ----'---------'----------'--all--> READY
 *   HOLD goes out for a fragment as soon as its digest is known; as in put.c it is sent again every
 *   hold_ns. Answered when so many are held that write_quorum - 1 deaths leave k, whoever has
 *   several (k + write_quorum - 1 with a node for each); the record ends when all are. DEGRADED at
 *   once where there are too few members for that.
 *   drained --> DRAINED to the holders. Those that do not hear it ask (drain.c, mend.c).
 *
 * Digests. Each holder digests what it pulls and refuses a fragment whose digest the writer has
 * wrong. Nobody but the writer has the whole block, and a block that is made of fragments must have
 * its digest: therefore it is digested a second time (CHECK) before any holder hears of it, and
 * again where the two differ, until two agree. What was checked once is trusted.
 *
 * Fragments are blocks of their own for their holders: key fragment_key(key, i), which has the
 * block's partition; i is spread as spread.c says. The writer keeps the whole block until it is
 * drained, and drains it: a fragment that would be its own counts as held by that. Data fragments
 * that lie past the end of a short block are nowhere, and count as held.
 *
 * What is survivable. With k + m nodes or more, an answered REPLICATED or DEVICE write survives the
 * death of any write_quorum - 1 nodes at once, the writer among them or not; once all fragments
 * are held, of any m nodes. As long as the writer lives, of all others. With fewer nodes a node
 * holds several fragments, and its death takes them all, which is counted. After a death that
 * leaves the writer alive it spreads again to the new targets (put_repair); after its own the drain
 * has priority: fragments are not rebuilt, the first rank makes the block whole and drains it.
 *
 * All nodes must have the same k and m. Does not: keep a fragment from being stored twice at two
 * nodes after a change of members; both are released. */
#include "core/tier/tier.h"
#include "core/write/write.h"

#include "core/key.h"
#include "core/place/spread.h"

bool code_is_wanted(const struct fb_node *node, uint32_t level)
{
    FB_ASSERT(level < FB_LEVEL_COUNT);
    return node->config.erasure_data > 0 && level != FB_LEVEL_VOLATILE && node->view != NULL &&
           !node->config.place_local && node->config.use_peers;
}

static uint32_t code_all(const struct code *code)
{
    FB_ASSERT(code->count > 0);
    FB_ASSERT(code->count <= FB_FRAGMENTS_MAX);
    return (1u << code->count) - 1;
}

static uint32_t block_bytes(struct fb_node *node, uint32_t index)
{
    const struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(node_entries(node)[put->slot].size_bytes > 0);
    return node_entries(node)[put->slot].size_bytes;
}

/* Fragment's bytes in this node's memory. */
static struct fb_span code_span(struct fb_node *node, uint32_t index, uint32_t fragment)
{
    const struct code *code = &node_codes(node)[index];
    const struct entry *entry = &node_entries(node)[node_puts(node)[index].slot];
    uint32_t bytes = fragment_bytes(&node->config, entry->size_bytes, fragment);
    bool is_data = fragment < code->plan.data_count;
    FB_ASSERT(bytes > 0);
    FB_ASSERT(is_data || code->parity_unit != FB_NONE);
    struct fb_span span = memory_span(node, is_data ? entry->first_unit : code->parity_unit, bytes);
    span.offset +=
        (uint64_t)code->plan.size * (is_data ? fragment : fragment - code->plan.data_count);
    return span;
}

/* Whom to ask, under the view as it is now. */
void code_targets(struct fb_node *node, uint32_t index)
{
    struct code *code = &node_codes(node)[index];
    struct fb_key key = fb_cache_key(node_cache(node), node_puts(node)[index].slot);
    FB_ASSERT(node->view != NULL);
    fb_spread(node->view, key, code->count, code->targets);
    code->held = 0;
    code->asked = 0;
    for (uint32_t i = 0; i < code->count; i++) {
        if (fragment_bytes(&node->config, block_bytes(node, index), i) == 0)
            code->held |= 1u << i;
    }
}

void code_begin(struct fb_node *node, uint32_t index)
{
    struct code *code = &node_codes(node)[index];
    FB_ASSERT(code->state == CODE_OFF);
    FB_ASSERT(code->parity_unit == FB_NONE);
    node_puts(node)[index].is_coded = 1;
    code->state = CODE_EXTENT;
    code->ready = 0;
    code->digests[0] = 0;
    code->count = (uint8_t)(node->config.erasure_data + node->config.erasure_parity);
    code->plan = (struct fb_fragments){
        .data_count = (uint32_t)node->config.erasure_data,
        .parity_count = (uint32_t)node->config.erasure_parity,
        .size = fb_fragment_bytes(&node->config, block_bytes(node, index)),
    };
    code_targets(node, index);
    node->stats.codes++;
}

static uint32_t parity_bytes(const struct code *code)
{
    FB_ASSERT(code->plan.size > 0);
    return code->plan.size * code->plan.parity_count;
}

static struct fb_op *code_op(struct step *step, uint32_t index, enum fb_op_kind kind)
{
    struct fb_node *node = step->node;
    struct code *code = &node_codes(node)[index];
    FB_ASSERT(kind == FB_OP_ENCODE || kind == FB_OP_DIGEST);
    struct fb_op *op = step_op(step, kind);
    code->generation++;
    op->op_id = id_make(ID_CODE, index, code->generation);
    op->source = (struct fb_span){.peer = FB_NONE};
    op->block = dirty_block(node, node_entries(node)[node_puts(node)[index].slot].fill);
    FB_ASSERT(code->count > 0);
    return op;
}

/* The next fragment that is not empty, or READY. */
static void code_digest(struct step *step, uint32_t index, uint32_t fragment)
{
    struct fb_node *node = step->node;
    struct code *code = &node_codes(node)[index];
    while (fragment < code->count &&
           fragment_bytes(&node->config, block_bytes(node, index), fragment) == 0)
        fragment++;
    FB_ASSERT(code->state == CODE_ENCODE || code->state == CODE_DIGEST);
    if (fragment == code->count) {
        code->state = CODE_READY;
        node->drain_next = node->dirty_oldest; /* it was passed by */
        fb_timer_hurry(node_timer(node), timer_of_drain(node),
                       node->now_ns + node->config.drain_delay_ns);
        return;
    }
    code->state = CODE_DIGEST;
    code->digest = (uint8_t)fragment;
    struct fb_op *op = code_op(step, index, FB_OP_DIGEST);
    op->span = code_span(node, index, fragment);
}

static void code_encode(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct code *code = &node_codes(node)[index];
    const struct entry *entry = &node_entries(node)[node_puts(node)[index].slot];
    FB_ASSERT(code->state == CODE_EXTENT || code->state == CODE_CHECK);
    FB_ASSERT(entry->flags & ENTRY_CHECKED);
    code->state = CODE_ENCODE;
    if (parity_bytes(code) == 0) {
        code_digest(step, index, 0);
        return;
    }
    struct fb_op *op = code_op(step, index, FB_OP_ENCODE);
    op->span = memory_span(node, code->parity_unit, parity_bytes(code));
    op->source = memory_span(node, entry->first_unit, entry->size_bytes);
    op->fragments = &code->plan;
}

/* Digests the whole block, unless that was done. */
static void code_check_block(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct code *code = &node_codes(node)[index];
    const struct entry *entry = &node_entries(node)[node_puts(node)[index].slot];
    FB_ASSERT(code->state == CODE_EXTENT);
    FB_ASSERT(code->ready == 0);
    if (entry->flags & ENTRY_CHECKED) {
        code_encode(step, index);
        return;
    }
    code->state = CODE_CHECK;
    struct fb_op *op = code_op(step, index, FB_OP_DIGEST);
    op->span = memory_span(node, entry->first_unit, entry->size_bytes);
}

/* False: no memory for the parity. */
static bool code_start(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct code *code = &node_codes(node)[index];
    FB_ASSERT(code->state == CODE_EXTENT);
    if (code->parity_unit == FB_NONE && parity_bytes(code) > 0) {
        code->parity_unit = memory_allocate(node, parity_bytes(code));
        if (code->parity_unit == FB_NONE)
            return false;
    }
    code_check_block(step, index);
    return true;
}

/* A digest of the whole block, taken again. True: it is the block's. */
static bool code_checked(struct fb_node *node, uint32_t index, uint64_t digest)
{
    struct code *code = &node_codes(node)[index];
    struct entry *entry = &node_entries(node)[node_puts(node)[index].slot];
    FB_ASSERT(code->state == CODE_CHECK);
    FB_ASSERT(!(entry->flags & ENTRY_CHECKED));
    bool is_same = digest == entry->digest;
    bool is_other = digest == code->digests[0] && digest != 0;
    if (is_other)
        entry->digest = digest; /* the first one was wrong */
    if (is_same || is_other)
        entry->flags |= ENTRY_CHECKED;
    else
        node->stats.digest_errors++;
    code->digests[0] = digest;
    return is_same || is_other;
}

/* Nodes that may die at once before too few fragments are left of those of a bitmap. */
static uint32_t code_outlasts(struct fb_node *node, uint32_t index, uint32_t held)
{
    const struct code *code = &node_codes(node)[index];
    uint32_t left = bits_count(held), deaths = 0;
    FB_ASSERT((held & ~code_all(code)) == 0);
    for (uint32_t i = 0; i < code->count; i++) {
        if (fragment_bytes(&node->config, block_bytes(node, index), i) == 0)
            held &= ~(1u << i); /* nowhere, so it cannot be lost */
    }
    while (held != 0 && left >= code->plan.data_count) {
        uint32_t worst = 0;
        for (uint32_t i = 0; i < code->count; i++) {
            uint32_t own = 0;
            for (uint32_t k = 0; k < code->count; k++)
                own |= code->targets[k] == code->targets[i] ? held & 1u << k : 0;
            worst = bits_count(own) > bits_count(worst) ? own : worst;
        }
        held &= ~worst;
        left -= bits_count(worst);
        deaths += left >= code->plan.data_count;
    }
    FB_ASSERT(deaths <= FB_FRAGMENTS_MAX);
    return deaths;
}

/* Is what is held as safe as the level wants, or can it never be? write_quorum copies are a block
 * that outlasts one death less. */
static void code_answer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    const struct code *code = &node_codes(node)[index];
    uint32_t copies = (uint32_t)node->config.write_quorum, all = code_all(code);
    FB_ASSERT(!put->is_answered);
    if (put->level == FB_LEVEL_ORIGIN)
        return;
    uint32_t wanted = code->plan.data_count + copies - 1;
    bool is_enough = bits_count(code->held) >= wanted;
    bool is_all = code->held == all; /* fewer members than fragments: one may have several */
    uint32_t held = is_enough || is_all ? 1 + code_outlasts(node, index, code->held) : 0;
    tell_count(node, held >= copies ? FB_WHY_FRAGMENTS : FB_WHY_FEW_FRAGMENTS, FB_NONE,
               bits_count(code->held), wanted);
    if (put->level == FB_LEVEL_MEMORY || held >= copies)
        put_reply(step, put, FB_OK, held > 0 ? held : 1);
    else if (node->config.degraded && is_all)
        put_reply(step, put, FB_OK, held);
    else if (!node->config.degraded && 1 + code_outlasts(node, index, all) < copies)
        put_reply(step, put, FB_DEGRADED, 0);
}

/* Has the quorum been reached, and have all? */
static void code_settle(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    const struct code *code = &node_codes(node)[index];
    FB_ASSERT(put->is_coded);
    FB_ASSERT(code->count > 0);
    if (!put->is_answered)
        code_answer(step, index);
    if (code->held == code_all(code) && code->state == CODE_READY && put->is_answered)
        put_end(node, index);
}

static void code_ask(struct step *step, uint32_t index, uint32_t fragment)
{
    struct fb_node *node = step->node;
    const struct put *put = &node_puts(node)[index];
    const struct code *code = &node_codes(node)[index];
    const struct entry *entry = &node_entries(node)[put->slot];
    FB_ASSERT(code->ready >> fragment & 1u);
    struct fb_block block = dirty_block(node, entry->fill);
    struct fb_span span = code_span(node, index, fragment);
    block.key = fragment_key(block.key, fragment);
    block.size = (uint32_t)span.size;
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = code->targets[fragment];
    op->message = (struct fb_message){
        .kind = FB_MESSAGE_HOLD,
        .source = (uint32_t)node->config.node,
        .hold = {.ask_id = id_make(ID_PUT, index | fragment << 16, put->generation),
                 .digest = code->digests[fragment],
                 .block_digest = entry->digest,
                 .block = block,
                 .span = span,
                 .number = fragment + 1,
                 .part = {.block_size = entry->size_bytes},
                 .level = put->level}};
    FB_ASSERT(op->target != node->config.node);
    node->stats.holds_sent++;
}

/* A fragment whose node is this one: the whole block is here. */
static bool code_hold_here(struct step *step, uint32_t index, uint32_t fragment)
{
    struct fb_node *node = step->node;
    const struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(put->is_coded);
    return hold_settle(step, put->slot, put->level, (uint32_t)node->config.node,
                       id_make(ID_PUT, index | fragment << 16, put->generation)) == FB_OK;
}

/* Sends HOLD for what is ready. True: some is left for want of room. */
static bool code_send(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct code *code = &node_codes(node)[index];
    FB_ASSERT(code->state != CODE_OFF);
    if (!(node_entries(node)[node_puts(node)[index].slot].flags & ENTRY_CHECKED))
        return false;
    for (uint32_t i = 0; i < code->count; i++) {
        uint32_t bit = 1u << i;
        if ((code->held | code->asked) & bit)
            continue;
        bool is_here = code->targets[i] == node->config.node;
        if (!is_here && !(code->ready & bit))
            continue;
        if (step_room(step) < 3) /* one for the reply, one for a device write */
            return true;
        code->asked |= bit;
        if (!is_here)
            code_ask(step, index, i);
        else if (code_hold_here(step, index, i))
            code->held |= bit;
    }
    return false;
}

void code_timer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    struct code *code = &node_codes(node)[index];
    FB_ASSERT(code->state != CODE_OFF);
    if (node->now_ns < put->due_ns) { /* for those that were busy */
        put->busy = 0;
        bool is_cut = code_send(step, index);
        put->busy = is_cut;
        put_wait(node, index);
        code_settle(step, index);
        return;
    }
    bool is_stuck = code->state == CODE_EXTENT && !code_start(step, index);
    bool is_round = code->state == CODE_READY &&
                    ((code->held | code->asked) == code_all(code) || put->busy) &&
                    code->held != code_all(code);
    put->busy = 0;
    if (is_stuck || is_round)
        put->failures = (uint16_t)(put->failures + (put->failures < UINT16_MAX));
    if (is_round)
        code->asked = 0;
    enum fb_status vain = put_vain(node, put, false);
    if (!put->is_answered && vain != FB_OK)
        put_reply(step, put, vain, 0);
    bool is_whole = code->state == CODE_READY && code->held == code_all(code);
    uint64_t again_ns = is_whole ? put_rest_ns(node) : put_pause_ns(node, put);
    if (is_stuck)
        again_ns = node->config.backoff_ns << (put->failures < 6 ? put->failures : 6);
    if (code_send(step, index))
        again_ns = 0;
    put_due(node, index, again_ns);
    code_settle(step, index);
}

/* An op failed, or is doubted: all of it again. */
static void code_again(struct fb_node *node, uint32_t index)
{
    struct put *put = &node_puts(node)[index];
    struct code *code = &node_codes(node)[index];
    FB_ASSERT(code->state != CODE_OFF && code->state != CODE_READY);
    code->state = CODE_EXTENT;
    code->ready = 0;
    put->failures = (uint16_t)(put->failures + (put->failures < UINT16_MAX));
    uint32_t doublings = put->failures < 6 ? put->failures - 1u : 5;
    put_due(node, index, node->config.backoff_ns << doublings);
}

void code_done(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    struct code *code = &node_codes(node)[index];
    bool is_check = code->state == CODE_CHECK;
    FB_ASSERT(is_check || code->state == CODE_ENCODE || code->state == CODE_DIGEST);
    FB_ASSERT(code->generation == id_generation(done->op_id));
    if (done->status != FB_OK || (is_check && !code_checked(node, index, done->digest))) {
        code_again(node, index);
        return;
    }
    if (is_check) {
        code_encode(step, index);
        return;
    }
    uint32_t next = 0;
    if (code->state == CODE_DIGEST) {
        code->digests[code->digest] = done->digest;
        code->ready |= 1u << code->digest;
        next = code->digest + 1u;
    }
    code_digest(step, index, next);
    bool is_cut = code_send(step, index);
    put_due(node, index, is_cut ? 0 : node->config.hold_ns);
    code_settle(step, index);
}

void code_heard(struct step *step, uint32_t index, uint32_t fragment, uint32_t source,
                enum fb_status status)
{
    struct code *code = &node_codes(step->node)[index];
    bool is_target = fragment < code->count && code->targets[fragment] == source;
    FB_ASSERT(code->state != CODE_OFF);
    FB_ASSERT(source != FB_NONE);
    if (is_target && status == FB_OK)
        code->held |= 1u << fragment;
    bool is_asked = is_target && ((code->asked & ~code->held) >> fragment & 1u);
    if (is_asked && code->state == CODE_READY && put_is_room_wanted(status)) {
        code->asked &= ~(1u << fragment);
        put_without_room(step->node, index, 0); /* some target: `asked` tells which */
    }
    if (status == FB_OK)
        code_settle(step, index);
}

/* A fragment's bytes are not those of its digest, says its target: cut and digested again. */
void code_cut_again(struct fb_node *node, uint32_t index)
{
    struct code *code = &node_codes(node)[index];
    FB_ASSERT(code->state != CODE_OFF);
    FB_ASSERT(node_puts(node)[index].is_coded);
    if (code->state != CODE_READY)
        return;
    struct put *put = &node_puts(node)[index];
    put->failures = (uint16_t)(put->failures + (put->failures < UINT16_MAX));
    code->state = CODE_EXTENT;
    code->ready = 0;
    code->asked = 0;
    put_due(node, index, put_pause_ns(node, put));
}

/* The put ends: nothing of it is in flight. */
void code_end(struct fb_node *node, uint32_t index)
{
    struct code *code = &node_codes(node)[index];
    FB_ASSERT(code->state == CODE_READY || code->state == CODE_EXTENT);
    if (code->parity_unit != FB_NONE)
        memory_free(node, code->parity_unit, parity_bytes(code));
    code->parity_unit = FB_NONE;
    code->state = CODE_OFF;
    code->count = 0;
    FB_ASSERT(node_puts(node)[index].is_coded);
}

bool code_is_busy(struct fb_node *node, uint32_t slot)
{
    FB_ASSERT(slot < node->memory_entries_max);
    if (node->config.erasure_data == 0 || node->puts_used == 0)
        return false;
    for (uint32_t i = 0; i < node->config.puts_max; i++) {
        uint32_t state = node_codes(node)[i].state;
        bool has_op = state == CODE_CHECK || state == CODE_ENCODE || state == CODE_DIGEST;
        if (node_puts(node)[i].slot == slot && has_op)
            return true;
    }
    return false;
}

bool code_is_spread(struct fb_node *node, uint32_t index)
{
    const struct code *code = &node_codes(node)[index];
    FB_ASSERT(node_puts(node)[index].is_coded);
    return code->held == code_all(code);
}

/* Tells those who should hold fragments; as many as the step has room for: others ask. */
void code_notify(struct step *step, struct fb_key key, uint32_t kind, uint32_t size_bytes)
{
    struct fb_node *node = step->node;
    uint32_t targets[FB_FRAGMENTS_MAX];
    uint32_t count = (uint32_t)(node->config.erasure_data + node->config.erasure_parity);
    FB_ASSERT(kind == FB_MESSAGE_DRAINED || kind == FB_MESSAGE_FORGET);
    FB_ASSERT(size_bytes > 0);
    fb_spread(node->view, key, count, targets);
    for (uint32_t i = 0; i < count && step_room(step) > 0; i++) {
        bool is_empty = fragment_bytes(&node->config, size_bytes, i) == 0;
        if (is_empty || targets[i] == node->config.node)
            continue;
        struct fb_op *op = step_op(step, FB_OP_SEND);
        op->target = targets[i];
        op->message =
            (struct fb_message){.kind = (uint8_t)kind, .source = (uint32_t)node->config.node};
        if (kind == FB_MESSAGE_FORGET)
            op->message.forget = (struct fb_message_forget){.key = fragment_key(key, i)};
        else
            op->message.drained = (struct fb_message_drained){.key = fragment_key(key, i)};
    }
}

void code_check(struct fb_node *node)
{
    for (uint32_t i = 0; node->config.erasure_data > 0 && i < node->config.puts_max; i++) {
        const struct code *code = &node_codes(node)[i];
        const struct put *put = &node_puts(node)[i];
        bool is_used = put->slot != FB_NONE && put->is_coded;
        FB_ASSERT(is_used == (code->state != CODE_OFF));
        if (!is_used)
            FB_ASSERT(code->parity_unit == FB_NONE);
        if (code->state == CODE_READY)
            FB_ASSERT(code->parity_unit != FB_NONE || code->plan.parity_count == 0);
    }
}
