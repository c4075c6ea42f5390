/* Why a node does what it does: the reasons of a step's decisions, for those who read traces. A
 * step tells them to whoever asks (fb_node_step_told), and to nobody else: then they cost nothing
 * but a look whether somebody does. What they say stands in decision_texts.h; the core makes no
 * text of it. */
#ifndef FB_CORE_DECISION_H
#define FB_CORE_DECISION_H

#include "core/decision_texts.h"
#include "core/io.h"

/* The compiler keeps it away from what is called often. */
#define FB_SELDOM __attribute__((cold))

/* The reasons, in the order of their table. */
enum fb_why {
#define WHY(NAME, text) FB_WHY_##NAME,
    FB_WHYS(WHY)
#undef WHY
        FB_WHY_COUNT
};

/* What the text's marks stand for; see decision_texts.h. */
struct fb_decision {
    uint32_t why;       /* enum fb_why */
    uint32_t op;        /* ops that the step had asked for before */
    struct fb_key key;  /* {block}; 0, 0: of what the step is about */
    uint32_t peer;      /* {peer}; FB_NONE: none */
    uint32_t count, of; /* {count}, {of}; {status}: enum fb_status in count */
    uint64_t at_ns;     /* {at}: a date */
};

/* Those of one step, in their order. The reader owns it; the node knows it during the step only. */
struct fb_decisions {
    const struct fb_op *ops; /* of the step: FB_OP_COUNT marks those that are not written */
    uint64_t now_ns;         /* of the step, by the node's clock */
    uint32_t count;
    uint32_t left_out; /* there was no room for so many more */
    struct fb_decision list[FB_DECISIONS_MAX];
};

/* Each adds one, or counts it among those left out. FB_SELDOM: seldom called, out of the way of
 * those that do not call it. This one: a decision with numbers. */
FB_SELDOM void fb_decide_count(struct fb_decisions *decisions, enum fb_why why, uint32_t peer,
                               uint64_t count, uint64_t of);
/* The same with a date, on the clock of the node. */
FB_SELDOM void fb_decide_at(struct fb_decisions *decisions, enum fb_why why, uint32_t peer,
                            uint64_t at_ns, uint64_t count);
/* The same of another block than the step's. */
FB_SELDOM void fb_decide_block(struct fb_decisions *decisions, enum fb_why why, struct fb_key key,
                               uint32_t peer);

#endif
