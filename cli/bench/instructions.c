/* Counts instructions by single-stepping a child with ptrace: exact, and there where a virtual
 * machine hides the processor's counters; slow (microseconds an instruction), so a few thousand
 * instructions are what it is for. What the stops themselves take is measured once with an empty
 * function and taken off. */
#include "cli/bench/instructions.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child: stops before and after the function. */
static void child_run(void (*function)(void *argument), void *argument)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(1);
    raise(SIGSTOP);
    function(argument);
    raise(SIGSTOP);
    _exit(0);
}

/* Steps from the first stop to the second; 0 when the child ends before. */
static uint64_t child_step(pid_t child)
{
    uint64_t count = 0;
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
        return 0;
    for (;;) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0)
            return 0;
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            return 0;
        if (WSTOPSIG(status) == SIGSTOP)
            return count;
        count++;
    }
}

static uint64_t stops_and_function(void (*function)(void *argument), void *argument)
{
    pid_t child = fork();
    if (child < 0)
        return 0;
    if (child == 0)
        child_run(function, argument);
    uint64_t count = child_step(child);
    int status;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return count;
}

static void nothing(void *argument)
{
    (void)argument;
}

uint64_t fb_instructions_count(void (*function)(void *argument), void *argument)
{
    uint64_t stops = stops_and_function(nothing, NULL);
    uint64_t count = stops_and_function(function, argument);
    return count > stops ? count - stops : 0;
}
