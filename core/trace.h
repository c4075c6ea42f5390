/* Trace records: what a step was given and what it asked for, 64 bytes each. The worlds hash them
 * (determinism), and so does `record`; whoever prints a trace looks at events and ops themselves
 * (sim/trace). */
#ifndef FB_CORE_TRACE_H
#define FB_CORE_TRACE_H

#include "core/io.h"

/* An event or an op, whose fields are shared by all kinds. */
struct fb_trace_record {
    uint64_t time_ns;
    uint32_t node;
    uint8_t direction; /* 0: event in, 1: op out */
    uint8_t kind;      /* enum fb_event_kind or enum fb_op_kind */
    uint8_t subkind;   /* request kind, message kind, or 0 */
    uint8_t status;    /* enum fb_status; for replies and read answers */
    uint64_t key_high, key_low;
    uint64_t id;     /* request id, op id or ask id */
    uint64_t size;   /* bytes of the block or span */
    uint32_t peer;   /* other node; FB_NONE: none */
    uint32_t detail; /* reason, hops, target: by kind, see trace.c */
    uint64_t digest; /* DONE of a DIGEST; OFFER: what the puller must find */
};

static_assert(sizeof(struct fb_trace_record) == 64, "the record is stored");

/* The record of an event that a node is given; all other fields are 0, peer FB_NONE. */
void fb_trace_event(struct fb_trace_record *record, uint64_t now_ns, uint32_t node,
                    const struct fb_event *event);
/* The same of an op that it gives. */
void fb_trace_op(struct fb_trace_record *record, uint64_t now_ns, uint32_t node,
                 const struct fb_op *op);

#endif
