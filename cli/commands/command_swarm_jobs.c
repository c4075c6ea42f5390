/* Children of `forebay swarm`. Each takes the next seed from a shared counter, runs it and adds
 * what it gave to a place of its own in shared memory. A child that ends by a signal (a false
 * assertion, a sanitizer, an endless loop that SIGALRM ends) leaves its seed there: the parent
 * notes the failure and starts another child. */
#include "base/clock.h"
#include "cli/commands/command_swarm.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEED_SECONDS_MAX = 300, TWICE_ONE_IN = 20, MINIMISE_RUNS_MAX = 1500 };

struct place {
    uint64_t seed;
    uint32_t is_running;
    struct swarm_totals totals;
};

struct shared {
    _Atomic uint64_t next;
    _Atomic uint32_t failed; /* seeds so far */
    struct place places[SWARM_JOBS_MAX];
};

struct child {
    pid_t pid;     /* 0: none */
    FILE *message; /* its stderr */
};

static void *share(size_t size_bytes)
{
    void *memory =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

static void add_all(uint64_t *sum, const uint64_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sum[i] += values[i];
}

static void result_add(struct fb_swarm_result *sum, const struct fb_swarm_result *result)
{
    sum->losses += result->losses;
    sum->events += result->events;
    sum->steps += result->steps;
    sum->requests += result->requests;
    sum->simulated_ns += result->simulated_ns;
    sum->strikes += result->strikes;
    sum->judged += result->judged;
    add_all(sum->softened, result->softened, FB_SWARM_SOFTENING_COUNT);
    add_all(sum->faults, result->faults, FB_SWARM_FAULT_COUNT);
    add_all(sum->checks, result->checks, FB_SWARM_CHECK_COUNT);
    add_all(sum->verbs, result->verbs, FB_SWARM_VERB_COUNT);
    add_all(sum->sometimes, result->sometimes, FB_SWARM_SOMETIMES_MAX);
}

static void totals_add_failure(struct swarm_totals *totals, const struct fb_swarm_result *result)
{
    if (totals->failure_count < SWARM_FAILURES_MAX)
        totals->failures[totals->failure_count] = *result;
    totals->failure_count++;
}

/* True: it failed. */
static bool child_seed(const struct swarm_options *options, struct place *place, uint64_t seed)
{
    static struct fb_swarm_result result, again;
    struct fb_swarm_plan *plan = fb_swarm_plan_make(seed, options->is_beyond);
    fb_swarm_run(plan, NULL, &result);
    if (seed % TWICE_ONE_IN == 0) {
        place->totals.twice++;
        fb_swarm_run(plan, NULL, &again);
        result.checks[FB_SWARM_CHECK_deterministic]++;
        if (again.digest != result.digest && !result.is_failed) {
            result.is_failed = 1;
            snprintf(result.check, sizeof(result.check), "deterministic");
            snprintf(result.text, sizeof(result.text), "two runs differ");
        }
    }
    fb_swarm_plan_free(plan);
    place->totals.seeds++;
    result_add(&place->totals.sum, &result);
    if (result.is_failed)
        totals_add_failure(&place->totals, &result);
    return result.is_failed;
}

static void child_main(const struct swarm_options *options, struct shared *shared,
                       struct place *place, double end_seconds)
{
    for (;;) {
        uint64_t index = atomic_fetch_add(&shared->next, 1);
        bool is_late = options->seconds > 0 && fb_clock_s() >= end_seconds;
        is_late = is_late || (options->stops_early && atomic_load(&shared->failed) > 0);
        if (index >= options->seeds || is_late)
            _exit(0);
        place->seed = options->first_seed + index;
        place->is_running = 1;
        alarm(SEED_SECONDS_MAX);
        if (child_seed(options, place, place->seed))
            atomic_fetch_add(&shared->failed, 1);
        alarm(0);
        place->is_running = 0;
    }
}

static bool child_start(struct child *child)
{
    if (child->message == NULL)
        child->message = tmpfile();
    if (child->message == NULL || ftruncate(fileno(child->message), 0) != 0)
        return false;
    rewind(child->message);
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (child->pid == 0)
        dup2(fileno(child->message), STDERR_FILENO);
    return child->pid >= 0;
}

/* What a child that ended badly said last: the line of the assertion, if there is one. */
static void child_failure(struct child *child, int status, struct fb_swarm_result *result)
{
    char line[FB_SWARM_TEXT_MAX] = "";
    result->is_failed = 1;
    snprintf(result->check, sizeof(result->check), "crash");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(result->text, sizeof(result->text), "no end in %d s", SEED_SECONDS_MAX);
    else
        snprintf(result->text, sizeof(result->text), "ended with status 0x%x", (unsigned)status);
    rewind(child->message);
    while (fgets(line, sizeof(line), child->message) != NULL) {
        const char *marks[][2] = {{"assertion failed", "assertion"},
                                  {"ERROR: AddressSanitizer", "sanitizer"},
                                  {"runtime error", "sanitizer"},
                                  {"out of memory for", "memory"}};
        for (uint32_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
            if (strstr(line, marks[i][0]) == NULL)
                continue;
            line[strcspn(line, "\n")] = 0;
            snprintf(result->check, sizeof(result->check), "%s", marks[i][1]);
            snprintf(result->text, sizeof(result->text), "%s", line);
            return;
        }
    }
}

static bool is_fine_end(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void totals_add(struct swarm_totals *totals, const struct swarm_totals *part)
{
    result_add(&totals->sum, &part->sum);
    uint64_t count =
        part->failure_count < SWARM_FAILURES_MAX ? part->failure_count : SWARM_FAILURES_MAX;
    for (uint64_t i = 0; i < count; i++)
        totals_add_failure(totals, &part->failures[i]);
    totals->failure_count += part->failure_count - count;
    totals->seeds += part->seeds;
    totals->twice += part->twice;
}

/* A child ended: by itself, or by what it ran. True when it must be started again. */
static bool place_end(struct place *place, struct child *child, int status)
{
    child->pid = 0;
    if (is_fine_end(status) || !place->is_running)
        return false;
    static struct fb_swarm_result result;
    memset(&result, 0, sizeof(result));
    result.seed = place->seed;
    child_failure(child, status, &result);
    place->is_running = 0;
    place->totals.seeds++;
    totals_add_failure(&place->totals, &result);
    return true;
}

bool swarm_jobs_run(const struct swarm_options *options, struct swarm_totals *totals)
{
    struct shared *shared = share(sizeof(*shared));
    static struct child children[SWARM_JOBS_MAX];
    double begin = fb_clock_s();
    if (shared == NULL)
        return false;
    bool is_fine = true;
    for (uint32_t i = 0; i < options->jobs && is_fine; i++) {
        is_fine = child_start(&children[i]);
        if (children[i].pid == 0)
            child_main(options, shared, &shared->places[i], begin + (double)options->seconds);
    }
    int status;
    for (pid_t pid = wait(&status); pid > 0 || errno == EINTR; pid = wait(&status)) {
        uint32_t i = 0;
        while (i < options->jobs && children[i].pid != pid)
            i++;
        if (pid <= 0 || i == options->jobs || !place_end(&shared->places[i], &children[i], status))
            continue;
        atomic_fetch_add(&shared->failed, 1);
        is_fine = child_start(&children[i]);
        if (children[i].pid == 0)
            child_main(options, shared, &shared->places[i], begin + (double)options->seconds);
    }
    for (uint32_t i = 0; i < options->jobs; i++) {
        totals_add(totals, &shared->places[i].totals);
        if (children[i].message != NULL)
            fclose(children[i].message);
        children[i].message = NULL;
    }
    totals->seconds = fb_clock_s() - begin;
    munmap(shared, sizeof(*shared));
    return is_fine;
}

bool swarm_child_run(const struct fb_swarm_plan *plan, FILE *trace, struct fb_swarm_result *result)
{
    static struct fb_swarm_result *shared;
    struct child child = {.pid = 0};
    int status = 0;
    if (shared == NULL)
        shared = share(sizeof(*shared));
    if (shared == NULL || !child_start(&child))
        return false;
    if (child.pid == 0) {
        alarm(SEED_SECONDS_MAX);
        fb_swarm_run(plan, trace, shared);
        fflush(NULL);
        _exit(0);
    }
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *result = *shared;
    result->seed = plan->seed;
    if (!is_fine_end(status))
        child_failure(&child, status, result);
    fclose(child.message);
    return true;
}

struct failure {
    const struct fb_swarm_result *first;
};

static bool is_same_failure(void *context, const struct fb_swarm_plan *plan)
{
    static struct fb_swarm_result result;
    const struct fb_swarm_result *first = context;
    if (!swarm_child_run(plan, NULL, &result) || !result.is_failed)
        return false;
    bool is_assertion = strcmp(first->check, "assertion") == 0;
    return strcmp(result.check, first->check) == 0 &&
           (!is_assertion || strcmp(result.text, first->text) == 0);
}

uint32_t swarm_child_minimise(struct fb_swarm_plan *plan, const struct fb_swarm_result *result)
{
    struct fb_swarm_result first = *result;
    return fb_swarm_minimise(plan, is_same_failure, &first, MINIMISE_RUNS_MAX);
}
