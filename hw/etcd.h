/* A little of etcd's HTTP API: leases, one's own key under a lease, and all keys of a prefix.
 * Calls wait, each for some seconds at most. */
#ifndef FB_HW_ETCD_H
#define FB_HW_ETCD_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <jansson.h>

struct fb_etcd {
    CURL *easy;
    char endpoint[1024];
    char *body;
    uint64_t body_size;
    char fault[CURL_ERROR_SIZE]; /* of the last call */
};

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

/* All keys that begin with the prefix; calls call for each. revision: of the whole store. */
typedef void fb_etcd_call(void *context, const char *key, const char *value);
enum fb_etcd_code fb_etcd_list(struct fb_etcd *etcd, const char *prefix, fb_etcd_call *call,
                               void *context);

#endif
