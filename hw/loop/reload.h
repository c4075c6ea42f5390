/* SIGHUP: the config file is read again, with the same --set. */
#ifndef FB_HW_LOOP_RELOAD_H
#define FB_HW_LOOP_RELOAD_H

#include "hw/base/settings.h"

/* What is read again, and what it is compared with. */
struct fb_reload {
    const char *config;
    const char *const *assignments;
    uint32_t assignment_count;
    struct fb_settings *settings; /* the daemon's, in which what can change is changed */
};

/* What to read again from now on; the caller's, until the end. */
void fb_reload_open(const struct fb_reload *reload);

/* Takes over log and stop_patience; a line of the log names each other part that differs, and
 * stays as it was until a restart. A config with a fault changes nothing. */
void fb_reload_run(void);

#endif
