/* The daemon's side of its clients on this machine; see local_protocol.h and ring.h.
 *
 *  1. A client that goes, however it goes, gives back its leases and open objects.
 *  2. What one client can hold is bounded: requests, leases, open objects, pins, arena; and where
 *     all draw from one table, something is left for the next client and for peers (local_share.c).
 *     It writes and commits what it has created itself.
 *  3. Clients see the cache memory read-only. Who may connect is decided by the socket's mode, and
 *     by a token where the config asks for one. */
#ifndef FB_HW_LOCAL_LOCAL_H
#define FB_HW_LOCAL_LOCAL_H

#include "core/index/share.h"
#include "client/protocol/local_protocol.h"
#include "hw/base/feed.h"
#include "hw/base/log.h"
#include "hw/base/mapping.h"
#include "hw/base/standing.h"
#include "hw/local/reads.h"
#include "hw/local/use.h"
#include "hw/meta/names.h"
#include "hw/origin/origin.h"
#include "client/protocol/ring.h"
#include "hw/base/settings.h"
#include "client/protocol/token.h"
#include "hw/base/uring.h"

/* Clients and guests at once, and what one client may have open. */
enum {
    FB_LOCAL_SESSIONS_MAX = 128,
    FB_LOCAL_GUESTS_MAX = 32,   /* connected, and not greeted yet; more: the oldest leaves */
    FB_LOCAL_OPENS_MAX = 16384, /* objects of one client at once; more: BUSY */
};

/* A core entry counts its pins in 16 bits. */
static_assert((int)FB_LOCAL_SESSIONS_MAX * (int)FB_LOCAL_LEASES_MAX < 60000,
              "no client can overflow them");

/* What this machine's clients had under a tenant's number. */
struct fb_local_tenant {
    uint64_t reads, read_bytes; /* blocks that were served */
    uint64_t hits;              /* of them, without the origin */
    uint64_t writes, write_bytes;
};

struct fb_local;
struct local_guest;
struct local_pin;
struct local_session;

/* What the clients' side works with, and whom it tells; the caller's, as long as it is open. */
struct fb_local_context {
    const struct fb_settings *settings;
    struct fb_uring *uring;
    const struct fb_mapping *memory; /* of the cache: what clients read */
    struct fb_objects *objects;
    struct fb_feed *feed;
    const struct fb_standing *standing;
    struct fb_origin *origin;
    struct fb_meta_store *meta;
    struct fb_names *names;
    uint32_t sessions_max;
    const char *bound; /* what sessions_max comes from */
    /* Guests wait outside until one of those inside has had his time: a sweep sees to it. */
    void (*sweep_soon)(struct fb_local *local);
    /* Writes the daemon's state to text; asks_others: whose own are in the next one. Returns its
     * bytes. */
    uint32_t (*status)(struct fb_local *local, bool asks_others, char *text, uint32_t size);
    /* An operator's wish. */
    void (*drain)(struct fb_local *local, enum fb_local_drain wish);
};

/* The socket, and all clients behind it. */
struct fb_local {
    struct fb_local_context context;
    struct fb_reads reads;
    struct local_session *sessions;
    int listener; /* -1: no socket */
    struct fb_io accept;
    struct local_guest *guests;
    struct fb_stranger strangers[FB_LOCAL_GUESTS_MAX]; /* the guests who may be told to leave */
    uint32_t guest_count;
    uint32_t session_count;
    uint32_t active[FB_LOCAL_SESSIONS_MAX]; /* sessions that are not free */
    char token[FB_TOKEN_MAX];
    uint32_t token_length; /* 0: none is wanted */
    bool is_bound;         /* the socket is this daemon's, to be removed: the file of */
    uint64_t file_device, file_number;
    struct local_pin *pins;          /* as many as the core has */
    uint32_t pins_of_one;            /* of them, that one client may have at most */
    struct fb_local_tenant *tenants; /* as many as the core knows, at least one */
    uint32_t tenant_count;
    uint64_t sessions_begun;         /* the last one's number */
    uint64_t refused, guests_pushed; /* clients that were; guests that made room */
    uint32_t flying[LOCAL_USES];     /* requests without an answer, of all */
    uint64_t opens_refused, pins_refused, loans_refused; /* for what others must find */
    uint64_t flights_refused, writes_refused;            /* the same */
    struct fb_log_pace refused_pace;
    bool is_asleep; /* the flags in the rings say so */
};

/* Errors: error set. */
void fb_local_open(struct fb_local *local, const struct fb_local_context *context,
                   struct fb_error *error);
/* Would the socket or the token be refused? Only looks. is_busy: a daemon listens there. Errors:
 * error set: they would. */
void fb_local_try(const struct fb_settings *settings, bool *is_busy, struct fb_error *error);
/* Ends all clients, and removes the socket if it is this daemon's. */
void fb_local_close(struct fb_local *local, const struct fb_settings *settings);

/* Files that clients have not committed. */
uint32_t fb_local_writing(const struct fb_local *local);

/* Accepts again when that failed. */
void fb_local_sweep(struct fb_local *local);

/* The core's answer to a client's request. */
void fb_local_reply(struct fb_local *local, const struct fb_reply *reply);

/* The bytes of a span in a client's arena; size 0: there is no such client. */
struct fb_bytes fb_local_arena(struct fb_local *local, const struct fb_span *span);

/* Takes what clients have written to their rings and wakes those that wait for replies; returns
 * how many requests there were. */
uint32_t fb_local_work(struct fb_local *local);

/* Before waiting for completions: true when the loop may sleep. After: fb_local_awake. */
bool fb_local_may_sleep(struct fb_local *local);
/* The loop is awake: clients need not ring. */
void fb_local_awake(struct fb_local *local);

#endif
