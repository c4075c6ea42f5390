/* Traces for people: what came to a node, what it asked for, and why. One step:
 *
 *          0.001 ms n0 < get weights/0 4 KiB, request 1
 *                   n0 | it is not here, and n4 is its owner of rank 1 of 2 -> asked
 *                   n0 > ask to n4: weights/0 4 KiB, attempt 0.1
 *
 * "<" came in, ">" went out, "|" is the reason of what follows: the core's own (core/decision.h).
 * The time stands at the step's first line, exact to the nanosecond. Names: trace_names.h. */
#ifndef FB_SIM_TRACE_TRACE_PRINT_H
#define FB_SIM_TRACE_TRACE_PRINT_H

#include "core/decision.h"

#include <stdio.h>

struct fb_trace_printer;

/* Prints to a stream that stays the caller's. has_keys: a line says which key a new name is. */
struct fb_trace_printer *fb_trace_printer_open(FILE *stream, uint64_t block_size_bytes,
                                               _Bool has_keys);
/* Frees it; the stream stays open. */
void fb_trace_printer_close(struct fb_trace_printer *printer);

/* From now on the object is called this. At most 32 characters. */
void fb_trace_print_object(struct fb_trace_printer *printer, uint64_t object, const char *name);

/* What a step is given, and then what it made of it; decisions may be NULL. */
void fb_trace_print_event(struct fb_trace_printer *printer, uint64_t now_ns, uint32_t node,
                          const struct fb_event *event);
/* The ops of the step whose event was printed last, each after its reasons. */
void fb_trace_print_ops(struct fb_trace_printer *printer, const struct fb_op *ops, uint32_t count,
                        const struct fb_decisions *decisions);

#endif
