/* See run.h. */
#include "sim/run.h"

#include <stdlib.h>
#include <string.h>

void fb_run_free(struct fb_run *run)
{
    free(run->metrics);
    free(run->series);
    free(run->entities);
    free(run->latencies);
    memset(run, 0, sizeof(*run));
}
