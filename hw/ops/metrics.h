/* The node's counters in Prometheus' text format, with the names of the core's own table, so that
 * what the simulator reports and what a cluster shows can be laid side by side. */
#ifndef FB_HW_OPS_METRICS_H
#define FB_HW_OPS_METRICS_H

#include <stdint.h>

struct fb_report;

/* Writes the page to text of size bytes; returns how many were written. What does not fit is left
 * out. */
uint32_t fb_metrics_print(const struct fb_report *report, char *text, uint32_t size);

#endif
