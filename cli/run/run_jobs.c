/* See run_jobs.h. SimGrid allows one engine a process, so every job is a child; its figures come
 * back through a temporary file (pipes would have to be drained while others run), its progress
 * through shared memory. */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/run/run_jobs.h"

#include "cli/run/run_folder.h"
#include "results/transport.h"
#include "sim/engine/engine.h"
#include "sim/world/world.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { POLL_US = 20000 };

static volatile int stop_requests;
static pid_t parent_process; /* a child is interrupted, too, and says nothing */

static void on_interrupt(int signal_number)
{
    static const char text[] = "\nstopping: what runs is ended and written as partial; again: at "
                               "once\n";
    (void)signal_number;
    if (++stop_requests >= 2)
        _exit(130);
    if (getpid() == parent_process && write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        return; /* nobody hears it */
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
    pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0) {
        /* However the parent ends, nobody is left to read the figures. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        child_main(job, child->stream, share);
    }
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
static uint32_t children_poll(const struct fb_jobs *jobs, struct child *children,
                              struct fb_error *error)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < jobs->count; i++) {
        int status = 0;
        if (children[i].pid <= 0)
            continue;
        if (waitpid(children[i].pid, &status, WNOHANG) != children[i].pid) {
            running++;
            continue;
        }
        child_end(&jobs->list[i], &children[i], status, error);
        if (jobs->list[i].is_done && jobs->folder != NULL)
            fb_run_folder_keep(jobs->folder, &jobs->list[i]);
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

/* Waits for a child to end or for POLL_US, whichever is first. */
static void children_wait(void)
{
    const struct timespec pause = {.tv_nsec = POLL_US * 1000};
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    (void)sigtimedwait(&ended, NULL, &pause);
}

static void jobs_loop(const struct fb_jobs *jobs, struct child *children, volatile double *shares,
                      struct fb_error *error)
{
    uint32_t next = 0;
    for (;;) {
        uint32_t running = children_poll(jobs, children, error);
        bool may_start = stop_requests == 0 && !fb_error_is_set(error);
        for (; may_start && running < jobs->side_by_side && next < jobs->count; next++) {
            if (children[next].pid == -1)
                continue; /* done before */
            child_start(&jobs->list[next], &children[next], &shares[next], error);
            running += children[next].pid > 0;
        }
        if (running == 0 && (next == jobs->count || !may_start))
            return;
        if (fb_error_is_set(error)) {
            for (uint32_t i = 0; i < jobs->count; i++) {
                if (children[i].pid > 0)
                    kill(children[i].pid, SIGKILL);
            }
        }
        fb_progress_update(shares_mean(shares, children, jobs->count));
        children_wait();
    }
}

void fb_jobs_run(const struct fb_jobs *jobs, bool *is_stopped, struct fb_error *error)
{
    struct sigaction action = {.sa_handler = on_interrupt}, old_int, old_term;
    size_t bytes = jobs->count * sizeof(double);
    volatile double *shares =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct child *children = fb_allocate(jobs->count, sizeof(*children), "runs", error);
    sigset_t ended, old_mask;
    *is_stopped = false;
    if (shares == MAP_FAILED || children == NULL) {
        fb_out_of_memory(1, bytes, "runs", error);
        free(children);
        return;
    }
    for (uint32_t i = 0; i < jobs->count; i++) {
        children[i].pid = jobs->list[i].is_done ? -1 : 0;
        if (children[i].pid == 0) /* once here, not in each child, which says it if there is none */
            (void)fb_engine_kind_is_built(jobs->list[i].scenario->engine);
    }
    stop_requests = 0;
    parent_process = getpid();
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, &old_mask);
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    fb_progress_begin(jobs->title, jobs->is_quiet);
    jobs_loop(jobs, children, shares, error);
    fb_progress_end();
    *is_stopped = stop_requests > 0;
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    sigprocmask(SIG_SETMASK, &old_mask, NULL);
    munmap((void *)(uintptr_t)shares, bytes);
    free(children);
}
