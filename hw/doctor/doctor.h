/* Looks at this machine with the eyes of a daemon that is to run here: one line a thing, with what
 * to do about it. Changes nothing; connects to the members and to the origin. */
#ifndef FB_HW_DOCTOR_DOCTOR_H
#define FB_HW_DOCTOR_DOCTOR_H

#include "hw/base/settings.h"

#include <stdio.h>

/* settings: NULL: only what needs no config. Returns how many lines are faults. */
uint32_t fb_doctor_run(const struct fb_settings *settings, FILE *out);

/* Prints what of this machine would refuse a start with these settings, and nothing else. */
void fb_doctor_start(const struct fb_settings *settings, FILE *out);

#endif
