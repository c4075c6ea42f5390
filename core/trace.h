/* Trace records: what a step was given and what it asked for, 64 bytes each, and their text form.
 * The world hashes them (determinism), golden tests print them, `record` keeps them. */
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

/* Longest text form of a record, with its terminating zero. */
enum { FB_TRACE_TEXT_MAX = 240 };

/* The record of an event that a node is given; all other fields are 0, peer FB_NONE. */
void fb_trace_event(struct fb_trace_record *record, uint64_t now_ns, uint32_t node,
                    const struct fb_event *event);
/* The same of an op that it gives. */
void fb_trace_op(struct fb_trace_record *record, uint64_t now_ns, uint32_t node,
                 const struct fb_op *op);

/* One line without newline, e.g. "     1500 n2 < message offer key=1.2 size=4096 from=n1".
 * Returns its length. */
uint32_t fb_trace_format(const struct fb_trace_record *record, char text[FB_TRACE_TEXT_MAX]);

#endif
