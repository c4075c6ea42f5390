/* The daemon's state as text: what `forebay status` and `forebay stats` make their pages of. */
#ifndef FB_HW_OPS_STATUS_H
#define FB_HW_OPS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

/* Lines of lists that a status has at most. */
enum {
    FB_SHOWN_PEERS_MAX = 128,  /* more: only those with something wrong, then the lowest ids */
    FB_SHOWN_MEMBERS_MAX = 32, /* more: those with the lowest ids have a line with their summary */
    FB_SHOWN_TENANTS_MAX =
        64, /* more: those with the lowest numbers; how many are left out is said */
};

struct fb_report;

/* Writes "name value" lines to text of size bytes; returns how many were written. Lists follow the
 * single values: "tenant 3 reads=... ...", "peer 1 state=... ...", "lost ...". */
uint32_t fb_status_print(const struct fb_report *report, char *text, uint32_t size);

struct fb_tcp_peer;

/* is_suspected: the core does not ask it for a while. */
typedef void fb_peer_call(void *context, const struct fb_tcp_peer *peer, bool is_suspected);

/* Calls `then` for up to FB_SHOWN_PEERS_MAX peers, those that are away or suspected first; returns
 * how many were left out. */
uint32_t fb_status_peers(const struct fb_report *report, fb_peer_call *then, void *context);

#endif
