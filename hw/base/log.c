/* One write(2) a line, so that lines of several processes on one terminal do not mix. */
#include "hw/base/log.h"

#include "base/character.h"
#include "core/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES_A_SECOND = 10 };

static const uint64_t second_ns = 1000000000;

static const char *const level_names[FB_LOG_COUNT] = {"error", "warning", "info", "debug"};
static enum fb_log_level level_max = FB_LOG_INFO;
static uint32_t own_node;

const char *const *fb_log_level_names(void)
{
    return level_names;
}

void fb_log_open(enum fb_log_level level, uint32_t node)
{
    FB_ASSERT(level < FB_LOG_COUNT);
    level_max = level;
    own_node = node;
}

const char *fb_log_quote(const char *text, char quoted[FB_LOG_QUOTE_MAX])
{
    size_t size = 0;
    static const char more[] = "...";
    quoted[size++] = '"';
    size_t left = strlen(text);
    while (left > 0 && size + 5 + sizeof(more) < FB_LOG_QUOTE_MAX) {
        unsigned char byte = (unsigned char)*text;
        size_t bytes = fb_character_bytes((const unsigned char *)text, left);
        if (byte == '"' || byte == '\\')
            quoted[size++] = '\\';
        if (bytes == 0 || byte < ' ' || byte == 127) {
            size += (size_t)snprintf(quoted + size, 5, "\\x%02x", byte);
            bytes = 1;
        } else {
            memcpy(quoted + size, text, bytes);
            size += bytes;
        }
        text += bytes;
        left -= bytes;
    }
    for (const char *at = more; *text != '\0' && *at != '\0'; at++)
        quoted[size++] = *at;
    quoted[size++] = '"';
    FB_ASSERT(size < FB_LOG_QUOTE_MAX);
    quoted[size] = '\0';
    return quoted;
}

bool fb_log_may(struct fb_log_pace *pace, uint64_t now_ns, uint64_t *held)
{
    if (now_ns - pace->since_ns >= second_ns) {
        pace->since_ns = now_ns;
        pace->lines = 0;
    }
    if (pace->lines == LINES_A_SECOND) {
        pace->held++;
        return false;
    }
    pace->lines++;
    *held = pace->held;
    pace->held = 0;
    return true;
}

void fb_log(enum fb_log_level level, const char *event, const char *format, ...)
{
    if (level > level_max)
        return;
    char line[FB_LOG_LINE_MAX];
    struct timespec now;
    struct tm date;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &date);
    size_t size = strftime(line, sizeof(line), "time=%Y-%m-%dT%H:%M:%S", &date);
    size += (size_t)snprintf(line + size, sizeof(line) - size, ".%06ldZ level=%s node=%u event=%s ",
                             now.tv_nsec / 1000, level_names[level], own_node, event);
    FB_ASSERT(size + 5 < sizeof(line)); /* a newline, and dots where it is cut */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + size, sizeof(line) - size - 1, format, arguments);
    va_end(arguments);
    size_t room = sizeof(line) - size - 2;
    size += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room;
    if (length > 0 && (size_t)length > room)
        memcpy(line + size - 3, "...", 3);
    line[size++] = '\n';
    /* Nobody is left to be told when the log cannot be written. */
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written;
}
