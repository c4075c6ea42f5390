/* DLIO / MLPerf Storage workload files, read as they are: keys that mean nothing here are left
 * alone, keys that mean something must be right. */
#ifndef FB_MODELS_SCENARIO_DLIO_H
#define FB_MODELS_SCENARIO_DLIO_H

#include "models/scenario/workload.h"

/* Errors: the file describes no training reads, a needed key is missing, a value is wrong. */
void fb_dlio_load(const char *path, struct fb_training *training, struct fb_error *error);

#endif
