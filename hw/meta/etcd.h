/* A little of etcd's HTTP API: leases, one's own key under a lease, and all keys of a prefix.
 * Calls wait, each for timeout_ms at most. */
#ifndef FB_HW_META_ETCD_H
#define FB_HW_META_ETCD_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <jansson.h>

struct fb_etcd {
    CURL *easy;
    char endpoint[1024];
    uint32_t timeout_ms; /* of a call; 0: five seconds */
    char *body;
    uint64_t body_size;
    /* Of the last call: */
    char fault[CURL_ERROR_SIZE];
    CURLcode code;
    long status; /* of HTTP; 0: there was no answer */
};

enum { FB_ETCD_ENCODED_MAX = 8192 };

enum fb_etcd_code { FB_ETCD_FINE, FB_ETCD_TAKEN, FB_ETCD_GONE, FB_ETCD_AWAY };

bool fb_etcd_open(struct fb_etcd *etcd, const char *endpoint);
void fb_etcd_close(struct fb_etcd *etcd);

/* A new lease. AWAY: no answer. */
enum fb_etcd_code fb_etcd_lease(struct fb_etcd *etcd, uint32_t seconds, uint64_t *lease);
/* GONE: it has run out. */
enum fb_etcd_code fb_etcd_keep_alive(struct fb_etcd *etcd, uint64_t lease);
enum fb_etcd_code fb_etcd_revoke(struct fb_etcd *etcd, uint64_t lease);

/* Makes a key that is not there, or puts one that has this very value under the lease. TAKEN: it is
 * there with another value. */
enum fb_etcd_code fb_etcd_create(struct fb_etcd *etcd, const char *key, const char *value,
                                 uint64_t lease);

/* All keys that begin with the prefix, in their order; calls call for each. A key or value that is
 * empty or too long to be read is given as "". lease: that the key is under; 0: none. */
typedef void fb_etcd_call(void *context, const char *key, const char *value, uint64_t lease);
enum fb_etcd_code fb_etcd_list(struct fb_etcd *etcd, const char *prefix, fb_etcd_call *call,
                               void *context);

/* What the calls above, and others of the API, are made of. Posts JSON, which it takes over; the
 * answer is the caller's; NULL: fault, code and status say why. */
json_t *fb_etcd_post(struct fb_etcd *etcd, const char *path, json_t *request);
/* Did it refuse the last call since its database is at its quota (alarm NOSPACE)? It stays so until
 * somebody compacts it and disarms the alarm. Source: etcd's ErrNoSpace, api/v3rpc/rpctypes. */
bool fb_etcd_is_full(const struct fb_etcd *etcd);
/* Base64 of up to 3068 bytes. decode: false: it is no base64, or too long. */
const char *fb_etcd_encode(const char *text, char encoded[FB_ETCD_ENCODED_MAX]);
const char *fb_etcd_encode_bytes(const char *bytes, size_t size, char encoded[FB_ETCD_ENCODED_MAX]);
/* The same of bytes, zeros among them; a zero follows them. Returns how many; -1: as above. */
int fb_etcd_decode_bytes(const char *encoded, char bytes[FB_ETCD_ENCODED_MAX]);
bool fb_etcd_decode(const char *encoded, char text[FB_ETCD_ENCODED_MAX]);
/* A 64-bit number, which the API writes as a string; 0: there is none. */
uint64_t fb_etcd_number(const json_t *object, const char *key);

#endif
