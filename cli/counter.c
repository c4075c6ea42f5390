/* The clock and, through perf_event_open, the processor's count of instructions. The clock is read
 * inside of the instruction counter's system calls, so that their cost is not in the time. */
#include "cli/counter.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void fb_counter_open(struct fb_counter *counter)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof(attributes),
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    *counter = (struct fb_counter){.file = -1};
    counter->file = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

void fb_counter_close(struct fb_counter *counter)
{
    if (counter->file >= 0)
        close(counter->file);
    counter->file = -1;
}

bool fb_counter_has_instructions(const struct fb_counter *counter)
{
    return counter->file >= 0;
}

static uint64_t instructions_now(const struct fb_counter *counter)
{
    uint64_t count = 0;
    if (counter->file < 0 || read(counter->file, &count, sizeof(count)) != sizeof(count))
        return 0;
    return count;
}

static uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void fb_counter_begin(struct fb_counter *counter)
{
    counter->begin_instructions = instructions_now(counter);
    counter->begin_ns = clock_now_ns();
}

void fb_counter_end(struct fb_counter *counter)
{
    counter->ns = clock_now_ns() - counter->begin_ns;
    counter->instructions = instructions_now(counter) - counter->begin_instructions;
}
