/* How members are, for `forebay status --cluster`: a member that is asked by its own clients asks
 * the others, who answer each with a summary; the next status shows what has come. */
#ifndef FB_HW_OPS_SUMMARY_H
#define FB_HW_OPS_SUMMARY_H

#include "hw/net/wire.h"

struct fb_report;
struct fb_tcp;

/* This node's own. */
void fb_summary_make(const struct fb_report *report, struct fb_wire_summary *summary);

/* Asks all peers that can be reached and understand it. */
void fb_summaries_ask(struct fb_tcp *tcp, const struct fb_report *report);

/* A peer has told its own, and wants this one's if the frame says so. */
void fb_summary_heard(struct fb_tcp *tcp, const struct fb_report *report, uint32_t node,
                      const struct fb_wire_frame *frame);

#endif
