/* The step that is being made, and how it is written to. */
#ifndef FB_CORE_STATE_STEP_H
#define FB_CORE_STATE_STEP_H

#include "core/bits.h"
#include "core/state/ids.h"
#include "core/state/tell.h"

/* What a step has written so far. */
struct step {
    struct fb_node *node;
    struct fb_op *ops;
    uint32_t count;
};

/* Ops that this step may still give. */
static inline uint32_t step_room(const struct step *step)
{
    return FB_STEP_OPS_MAX - step->count;
}

/* Adds an op; the caller made sure that there is room (R2). */
static inline struct fb_op *step_op(struct step *step, enum fb_op_kind kind)
{
    FB_ASSERT(step->count < FB_STEP_OPS_MAX);
    struct fb_op *op = &step->ops[step->count++];
    op->kind = kind;
    op->target = FB_NONE;
    op->op_id = 0;
    return op;
}

/* Most ops that one timer or one waiter may cause; the tick stops when less room is left. */
enum { STEP_ITEM_OPS_MAX = 5 };

#endif
