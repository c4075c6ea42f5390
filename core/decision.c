/* The list of a step's decisions; see decision.h. */
#include "core/decision.h"

#include "core/panic.h"

static void decision_add(struct fb_decisions *decisions, const struct fb_decision *decision)
{
    FB_ASSERT(decision->why < FB_WHY_COUNT);
    FB_ASSERT(decisions->count <= FB_DECISIONS_MAX);
    if (decisions->count == FB_DECISIONS_MAX) {
        decisions->left_out++;
        return;
    }
    struct fb_decision *added = &decisions->list[decisions->count++];
    *added = *decision;
    added->op = 0;
    while (added->op < FB_STEP_OPS_MAX && decisions->ops[added->op].kind != FB_OP_COUNT)
        added->op++;
}

void fb_decide_count(struct fb_decisions *decisions, enum fb_why why, uint32_t peer, uint64_t count,
                     uint64_t of)
{
    decision_add(decisions,
                 &(struct fb_decision){
                     .why = why, .peer = peer, .count = (uint32_t)count, .of = (uint32_t)of});
    FB_ASSERT(decisions->count > 0);
}

void fb_decide_at(struct fb_decisions *decisions, enum fb_why why, uint32_t peer, uint64_t at_ns,
                  uint64_t count)
{
    decision_add(
        decisions,
        &(struct fb_decision){.why = why, .peer = peer, .count = (uint32_t)count, .at_ns = at_ns});
    FB_ASSERT(decisions->count > 0);
}

void fb_decide_block(struct fb_decisions *decisions, enum fb_why why, struct fb_key key,
                     uint32_t peer)
{
    decision_add(decisions, &(struct fb_decision){.why = why, .key = key, .peer = peer});
    FB_ASSERT(decisions->count > 0);
}
