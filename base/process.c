/* See process.h. */
#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

void fb_process_begin(void)
{
    bool is_open = true;
    for (int i = STDIN_FILENO; i <= STDERR_FILENO && is_open; i++) {
        if (fcntl(i, F_GETFD) < 0) /* the lowest that is free is what is opened */
            is_open = open("/dev/null", i == STDIN_FILENO ? O_WRONLY : O_RDONLY) >= 0;
    }
    (void)signal(SIGXFSZ, SIG_IGN);
}

uint64_t fb_process_file_limit(void)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}
