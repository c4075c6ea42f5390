/* Quantities as people write them: "2 KiB", "1.5 us", "400 Gbps", "14 GB/s". The unit is required.
 * Sizes: B KB MB GB TB PB KiB MiB GiB TiB PiB. Times: ns us ms s min h d. Rates: bps Kbps Mbps Gbps
 * Tbps, and any size with "/s". */
#ifndef FB_BASE_UNITS_H
#define FB_BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

enum { FB_UNITS_DIGITS_MAX = 18 }; /* of a number, zeros in front aside */

/* A size in bytes, rounded to the nearest. Errors, of all three: false: the text is not such a
 * quantity, or more than 64 bits hold; *value is then unchanged. */
bool fb_parse_bytes(const char *text, uint64_t *value);
/* A time in nanoseconds, rounded to the nearest. */
bool fb_parse_ns(const char *text, uint64_t *value);
/* A rate in bytes a second; bits are divided by 8. */
bool fb_parse_rate(const char *text, uint64_t *bytes_per_s);

/* For people, three digits: "1.50 GiB", "2.30 ms", "48.2 GB/s". text holds at least 32 bytes.
 * Returns text. */
const char *fb_format_bytes(char *text, double bytes);
/* As fb_format_bytes, of nanoseconds, in units up to days. */
const char *fb_format_ns(char *text, double ns);
/* As fb_format_bytes, of bytes a second, in powers of 1000. */
const char *fb_format_rate(char *text, double bytes_per_s);

/* Edit distance (Levenshtein) for "did you mean"; names up to 63 characters count. */
uint32_t fb_edit_distance(const char *a, const char *b);

#endif
