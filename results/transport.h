/* A run's figures from a child process to its parent: written to a stream, read back, lengths
 * checked. */
#ifndef FB_RESULTS_TRANSPORT_H
#define FB_RESULTS_TRANSPORT_H

#include "results/results.h"

#include <stdio.h>

/* Writes the run, or the error when one is set. */
void fb_transport_write(FILE *stream, const struct fb_run *run, const struct fb_error *error);

/* Reads what fb_transport_write wrote. Names become strings of the parent's own, kept until it
 * exits. Returns false when the stream is cut or not ours. */
bool fb_transport_read(FILE *stream, struct fb_run *run, struct fb_error *error);

#endif
