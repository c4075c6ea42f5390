/* See mapped.h. The line is made beforehand: in a signal's handler only write(2) may be called. The
 * handler is gone when it has run, so that the same access ends the process. */
#include "hw/base/mapped.h"

#include "hw/base/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char line[FB_LOG_LINE_MAX];
static size_t line_size;

static void say(int signal)
{
    (void)signal;
    ssize_t written = write(STDERR_FILENO, line, line_size);
    (void)written;
}

void fb_mapped_watch(const char *path, const char *text)
{
    char quoted[FB_LOG_QUOTE_MAX];
    struct sigaction action = {.sa_handler = say, .sa_flags = (int)SA_RESETHAND};
    snprintf(line, sizeof(line), "level=error event=mapped_file_cut file=%s %s\n",
             fb_log_quote(path, quoted), text);
    line_size = strlen(line);
    sigaction(SIGBUS, &action, NULL);
}
