/* The daemon's log: one line an event on stderr, fields as key=value. Never give it a secret, and
 * quote what others wrote with fb_log_quote. */
#ifndef FB_HW_BASE_LOG_H
#define FB_HW_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum { FB_LOG_QUOTE_MAX = 256, FB_LOG_LINE_MAX = 2048 }; /* bytes of a value, and of a line */

/* How much is logged: each level and those before it. */
enum fb_log_level { FB_LOG_ERROR, FB_LOG_WARNING, FB_LOG_INFO, FB_LOG_DEBUG, FB_LOG_COUNT };

/* Lines above `level` are left out from now on. node is shown in each line. */
void fb_log_open(enum fb_log_level level, uint32_t node);

/* "time=... level=info node=0 event=peer_connected peer=1". event: a word; format: the further
 * fields, printf-like. A longer line is cut, and ends in "...". */
void fb_log(enum fb_log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of lines that anybody can cause: some a second are written, the others counted. */
struct fb_log_pace {
    uint64_t since_ns; /* of this second */
    uint32_t lines;    /* in it */
    uint64_t held;     /* not written since the last one that was */
};

/* May a line of this kind be written now? *held: how many were not, since the last one. */
bool fb_log_may(struct fb_log_pace *pace, uint64_t now_ns, uint64_t *held);

/* Text of any bytes as one quoted value, cut where it is longer, with "..." at the end; what is no
 * UTF-8, or a control character, is written as \xff. Returns quoted. */
const char *fb_log_quote(const char *text, char quoted[FB_LOG_QUOTE_MAX]);

/* Names as in the config: error, warning, info, debug. */
const char *const *fb_log_level_names(void);

#endif
