/* See run_jobs.h. SimGrid allows one engine a process, so every job is a child; its figures come
 * back through a temporary file (pipes would have to be drained while others run), its progress
 * through shared memory. */
#include "cli/run_jobs.h"

#include "results/transport.h"
#include "sim/world.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POLL_US = 20000 };

static volatile int stop_requests;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    if (++stop_requests >= 2)
        _exit(130);
}

struct child {
    pid_t pid; /* 0: not started, -1: ended */
    FILE *stream;
};

static void child_main(struct fb_job *job, FILE *stream, volatile double *share)
{
    struct fb_run run;
    struct fb_error error = {.text = ""};
    fb_progress_redirect(share);
    fb_world_run(job->scenario, job->seed, &stop_requests, 0, 1, &run, &error);
    fb_transport_write(stream, &run, &error);
    fflush(stream);
    _exit(ferror(stream) ? 1 : 0);
}

static void child_start(struct fb_job *job, struct child *child, volatile double *share,
                        struct fb_error *error)
{
    child->stream = tmpfile();
    if (child->stream == NULL) {
        fb_error_set(error, "cannot make a temporary file: %s", strerror(errno));
        return;
    }
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0)
        child_main(job, child->stream, share);
    if (child->pid < 0) {
        child->pid = 0;
        fb_error_set(error, "cannot start a process: %s", strerror(errno));
    }
}

static void child_end(struct fb_job *job, struct child *child, int status, struct fb_error *error)
{
    struct fb_error own = {.text = ""};
    rewind(child->stream);
    bool is_read = fb_transport_read(child->stream, job->run, &own);
    fclose(child->stream);
    child->pid = -1;
    if (is_read && fb_error_is_set(&own)) {
        fb_error_set(error, "%s", own.text);
        fb_run_free(job->run);
    } else if (!is_read && !(WIFSIGNALED(status) && stop_requests > 0)) {
        if (WIFSIGNALED(status))
            fb_error_set(error, "point %u, seed %llu: the run died of signal %d", job->point,
                         (unsigned long long)job->seed, WTERMSIG(status));
        else
            fb_error_set(error, "point %u, seed %llu: the run ended without figures (exit %d)",
                         job->point, (unsigned long long)job->seed, WEXITSTATUS(status));
    }
    job->is_done = is_read && !fb_error_is_set(&own);
}

/* Ends children that are done; returns how many still run. */
static uint32_t children_poll(struct fb_job *jobs, struct child *children, uint32_t count,
                              struct fb_error *error)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < count; i++) {
        int status = 0;
        if (children[i].pid <= 0)
            continue;
        if (waitpid(children[i].pid, &status, WNOHANG) == children[i].pid)
            child_end(&jobs[i], &children[i], status, error);
        else
            running++;
    }
    return running;
}

static double shares_mean(const volatile double *shares, const struct child *children,
                          uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += children[i].pid == -1 ? 1 : shares[i];
    return sum / count;
}

static void jobs_loop(struct fb_job *jobs, uint32_t count, uint32_t side_by_side,
                      struct child *children, volatile double *shares, struct fb_error *error)
{
    uint32_t next = 0;
    for (;;) {
        uint32_t running = children_poll(jobs, children, count, error);
        bool may_start = stop_requests == 0 && !fb_error_is_set(error);
        while (may_start && running < side_by_side && next < count) {
            child_start(&jobs[next], &children[next], &shares[next], error);
            running += children[next].pid > 0;
            next++;
        }
        if (running == 0 && (next == count || !may_start))
            return;
        if (fb_error_is_set(error)) {
            for (uint32_t i = 0; i < count; i++) {
                if (children[i].pid > 0)
                    kill(children[i].pid, SIGKILL);
            }
        }
        fb_progress_update(shares_mean(shares, children, count));
        usleep(POLL_US);
    }
}

void fb_jobs_run(struct fb_job *jobs, uint32_t count, uint32_t side_by_side, bool is_quiet,
                 const char *title, bool *is_stopped, struct fb_error *error)
{
    struct sigaction action = {.sa_handler = on_interrupt}, old_int, old_term;
    size_t bytes = count * sizeof(double);
    volatile double *shares =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct child *children = calloc(count, sizeof(*children));
    *is_stopped = false;
    if (shares == MAP_FAILED || children == NULL) {
        fb_error_set(error, "out of memory for %u runs", count);
        free(children);
        return;
    }
    stop_requests = 0;
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    fb_progress_begin(title, is_quiet);
    jobs_loop(jobs, count, side_by_side, children, shares, error);
    fb_progress_end();
    *is_stopped = stop_requests > 0;
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    munmap((void *)(uintptr_t)shares, bytes);
    free(children);
}
