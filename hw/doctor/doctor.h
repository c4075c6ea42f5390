/* Looks at this machine with the eyes of a daemon that is to run here: one line a thing, with what
 * to do about it. Connects to the
 * members, and asks origin and metadata store, where it leaves nothing behind. */
#ifndef FB_HW_DOCTOR_DOCTOR_H
#define FB_HW_DOCTOR_DOCTOR_H

#include "hw/base/settings.h"

/* A line: grade is fine, warning (it costs speed) or fault (no daemon runs so, or not for long). */
typedef void fb_doctor_say(void *context, const char *grade, const char *what, const char *text);

/* Prints it; stream: a FILE *. */
void fb_doctor_print(void *stream, const char *grade, const char *what, const char *text);

/* settings: NULL: only what needs no config. Returns how many lines are faults. */
uint32_t fb_doctor_run(const struct fb_settings *settings, fb_doctor_say *say, void *context);

/* Says what of this machine would refuse a start with these settings, and nothing else. */
void fb_doctor_start(const struct fb_settings *settings, fb_doctor_say *say, void *context);

#endif
