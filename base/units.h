/* Quantities as people write them: "2 KiB", "1.5 us", "400 Gbps", "14 GB/s". The unit is required.
 * Sizes: B KB MB GB TB PB KiB MiB GiB TiB PiB. Times: ns us ms s min h d. Rates: bps Kbps Mbps Gbps
 * Tbps, and any size with "/s". */
#ifndef FB_BASE_UNITS_H
#define FB_BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

enum { FB_UNITS_DIGITS_MAX = 18 }; /* of a number, zeros in front aside */

/* Each returns false when the text is not such a quantity; *value is then unchanged. */
bool fb_parse_bytes(const char *text, uint64_t *value);
bool fb_parse_ns(const char *text, uint64_t *value);
bool fb_parse_rate(const char *text, uint64_t *bytes_per_s);

/* For people: "1.50 GiB", "2.3 ms", "48.2 GB/s". text holds at least 32 bytes. Returns text. */
const char *fb_format_bytes(char *text, double bytes);
const char *fb_format_ns(char *text, double ns);
const char *fb_format_rate(char *text, double bytes_per_s);

/* Edit distance (Levenshtein) for "did you mean"; names up to 63 characters count. */
uint32_t fb_edit_distance(const char *a, const char *b);

#endif
