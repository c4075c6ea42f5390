/* Work that takes CPU time away from the loop, or that waits: digests, copies, folder listings,
 * done by worker threads. A plug for other providers would stand here.
 *
 *  1. A task belongs to the workers from start until its done is called, on the loop's thread.
 *  2. Small ones, and all when there are no workers, are run by the loop's own thread, but their
 *     done is called later all the same. */
#ifndef FB_HW_BASE_OFFLOAD_H
#define FB_HW_BASE_OFFLOAD_H

#include "hw/base/uring.h"

#include <pthread.h>

struct fb_offload_task;

/* run: on a worker; done: on the loop's thread. */
typedef void fb_offload_call(struct fb_offload_task *task);

/* A piece of work; the caller's, who keeps it until done. */
struct fb_offload_task {
    struct fb_offload_task *next;
    fb_offload_call *run, *done;
    struct fb_bytes bytes;       /* digest of these; copy to these */
    const unsigned char *source; /* copy from here */
    uint64_t digest;             /* result */
};

/* Tasks in their order. */
struct fb_offload_list {
    struct fb_offload_task *head, *tail;
};

/* Workers, what they have to do, and what they have done. */
struct fb_offload {
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    struct fb_offload_list todo, ended; /* under the mutex */
    struct fb_offload_list own;         /* ended on the loop's thread */
    pthread_t *threads;
    uint32_t thread_count;
    bool is_stopping;
    int event; /* eventfd: something ended */
    struct fb_io io;
    struct fb_uring *uring;
};

/* The digest that the whole cluster uses: XXH3, 64 bits. */
uint64_t fb_digest(const unsigned char *bytes, uint64_t size);

/* For task->run. */
void fb_offload_digest(struct fb_offload_task *task);
/* Copies bytes.size bytes from `source`. */
void fb_offload_copy(struct fb_offload_task *task);

/* Starts so many workers; 0: none. Errors: -errno. */
int fb_offload_open(struct fb_offload *offload, struct fb_uring *uring, uint32_t workers);
/* Tasks that are not done by then are forgotten. */
void fb_offload_close(struct fb_offload *offload);

/* is_small: running it takes less time than waking another thread would. */
void fb_offload_start(struct fb_offload *offload, struct fb_offload_task *task, bool is_small);

/* From any thread: the task's done is to be called. For threads that are not offload's own. */
void fb_offload_post(struct fb_offload *offload, struct fb_offload_task *task);

/* Calls done of the tasks that the loop's own thread ran; returns how many. */
uint32_t fb_offload_finish(struct fb_offload *offload);

#endif
