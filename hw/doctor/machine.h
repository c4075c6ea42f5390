/* What of this machine costs a daemon speed, or its records their order, without keeping it from
 * running: RDMA devices, clock, memory that others have, the network's MTU and speed, NUMA, the
 * drive's speed. */
#ifndef FB_HW_DOCTOR_MACHINE_H
#define FB_HW_DOCTOR_MACHINE_H

#include "hw/base/settings.h"

/* is_fine: else something should be done, which the text says. */
typedef void fb_machine_say(void *context, bool is_fine, const char *what, const char *text);

/* settings: NULL: only what needs none. The drive is measured in its folder by a file of 64 MiB
 * that goes again. */
void fb_machine_look(const struct fb_settings *settings, fb_machine_say *say, void *context);

#endif
