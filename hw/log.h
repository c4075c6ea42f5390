/* The daemon's log: one line an event on stderr, fields as key=value. Never give it a secret, and
 * quote what others wrote with fb_log_quote. */
#ifndef FB_HW_LOG_H
#define FB_HW_LOG_H

#include <stdint.h>

enum fb_log_level { FB_LOG_ERROR, FB_LOG_WARNING, FB_LOG_INFO, FB_LOG_DEBUG, FB_LOG_COUNT };

/* Lines above `level` are left out from now on. node is shown in each line. */
void fb_log_open(enum fb_log_level level, uint32_t node);

/* "time=... level=info node=0 event=peer_connected peer=1". event: a word; format: the further
 * fields, printf-like. Lines longer than 2,000 bytes are cut. */
void fb_log(enum fb_log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum { FB_LOG_QUOTE_MAX = 256 };

/* Text of any bytes as one quoted value; returns quoted. */
const char *fb_log_quote(const char *text, char quoted[FB_LOG_QUOTE_MAX]);

/* Names as in the config: error, warning, info, debug. */
const char *const *fb_log_level_names(void);

#endif
