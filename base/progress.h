/* Progress of long work on stderr. */
#ifndef FB_BASE_PROGRESS_H
#define FB_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* Progress on stderr: a bar with ETA on a terminal, a line per 10% otherwise; quiet: nothing.
 * share: 0..1 of all the work. Call as often as you like; it limits itself to 10 draws a second. */
void fb_progress_begin(const char *title, bool is_quiet);

/* From now on updates write to *slot (shared memory of a parent) and draw nothing. */
void fb_progress_redirect(volatile double *slot);

/* The bar as text, for the terminal; exported for its test. */
void fb_progress_text(char *text, size_t size, double share, double elapsed_s);
/* So much of the work is done, 0..1. Without a begin it draws nothing. */
void fb_progress_update(double share);
/* Takes the bar off the terminal; nothing is drawn from then on. */
void fb_progress_end(void);

#endif
