/* One node of the real world, run by the calling thread. */
#ifndef FB_HW_LOOP_LOOP_H
#define FB_HW_LOOP_LOOP_H

#include "hw/base/settings.h"

struct fb_loop;

/* Opens everything that the settings name; they must outlive the loop. Errors: NULL, error set. */
struct fb_loop *fb_loop_open(const struct fb_settings *settings, struct fb_error *error);

/* Runs until SIGTERM or SIGINT, which the caller has blocked. Errors: error set. */
void fb_loop_run(struct fb_loop *loop, struct fb_error *error);
/* Waits for what is in flight, and frees it. */
void fb_loop_close(struct fb_loop *loop);

#endif
