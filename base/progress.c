/* Progress of long work on stderr: a bar with the time left on a terminal, a line per 10%
 * otherwise. A child process can be told to write its share to a shared slot instead
 * (fb_progress_redirect). */
#include "base/clock.h"
#include "base/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 32 };

static struct {
    const char *title;
    bool is_quiet, is_terminal, is_begun;
    double begun_s, drawn_s;
    int tenths;
    volatile double *slot;
} progress;

void fb_progress_redirect(volatile double *slot)
{
    progress.slot = slot;
    progress.is_begun = false;
}

void fb_progress_begin(const char *title, bool is_quiet)
{
    progress.title = title;
    progress.is_quiet = is_quiet;
    progress.is_terminal = isatty(STDERR_FILENO);
    progress.is_begun = true;
    progress.begun_s = fb_clock_s();
    progress.drawn_s = 0;
    progress.tenths = 0;
}

void fb_progress_text(char *text, size_t size, double share, double elapsed_s)
{
    char bar[BAR_WIDTH + 1];
    int full = (int)(share * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    if (share < 0.01 || elapsed_s < 0.5) {
        snprintf(text, size, "[%s] %3.0f%%", bar, share * 100);
        return;
    }
    double left_s = elapsed_s * (1 - share) / share;
    snprintf(text, size, "[%s] %3.0f%%  %d:%02d left", bar, share * 100, (int)left_s / 60,
             (int)left_s % 60);
}

void fb_progress_update(double share)
{
    if (progress.slot != NULL) {
        *progress.slot = share;
        return;
    }
    double now = fb_clock_s();
    if (!progress.is_begun || progress.is_quiet)
        return;
    if (!progress.is_terminal) {
        int tenths = (int)(share * 10 + 1e-9);
        if (tenths > progress.tenths && tenths < 10)
            fprintf(stderr, "%s: %d%%\n", progress.title, tenths * 10);
        if (tenths > progress.tenths)
            progress.tenths = tenths;
        return;
    }
    if (now - progress.drawn_s < 0.1)
        return;
    progress.drawn_s = now;
    char text[128];
    fb_progress_text(text, sizeof(text), share, now - progress.begun_s);
    fprintf(stderr, "\r%s %s\033[K", progress.title, text);
}

void fb_progress_end(void)
{
    if (progress.is_begun && progress.is_terminal && !progress.is_quiet)
        fprintf(stderr, "\r\033[K");
    progress.is_begun = false;
}
