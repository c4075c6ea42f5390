/* The results folder while a run works for it: nobody else's meanwhile, and with what is done so
 * far in it, so that a run that was killed goes on where it was.
 *
 *     FOLDER/running.json        what is being run; gone when manifest.json is there
 *     FOLDER/runs/KEY.run        the figures of a point and seed that has ended; likewise
 *
 * KEY is a hash of the program, the resolved config, the inputs' content and the seed: whatever
 * would give other figures has another key. */
#ifndef FB_CLI_RUN_RUN_FOLDER_H
#define FB_CLI_RUN_RUN_FOLDER_H

#include "base/file.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_job;

/* A results folder that a run has for itself. */
struct fb_run_folder {
    char path[FB_PATH_MAX];
    int lock; /* a descriptor of the folder; -1: not ours */
    bool had_results;
};

/* Makes the folder, sees that files can be made there, and keeps others out until close.
 * Errors: error set: it is no folder, can not be written, or another run has it. */
void fb_run_folder_open(struct fb_run_folder *folder, const char *path, struct fb_error *error);

/* Says in the folder what is about to run. Errors: error set. */
void fb_run_folder_begin(const struct fb_run_folder *folder, const char *experiment,
                         struct fb_error *error);

/* Takes the figures of jobs that an earlier run ended; returns how many. */
uint32_t fb_run_folder_resume(const struct fb_run_folder *folder, struct fb_job *jobs,
                              uint32_t count);

/* Keeps a job's figures; best effort: without room the run goes on without. */
void fb_run_folder_keep(const struct fb_run_folder *folder, const struct fb_job *job);

/* The results are written: what was kept on the way goes. */
void fb_run_folder_end(const struct fb_run_folder *folder);

/* Lets others have it again; what is in it stays. */
void fb_run_folder_close(struct fb_run_folder *folder);

#endif
