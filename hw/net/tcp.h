/* Talk with peers over TCP: messages that may get lost (R6), and pulls, each one request and one
 * response whose body is received straight into cache memory (R4, R5).
 *
 *  1. To each peer this node opens one connection for messages and a few for pulls, when they are
 *     first needed. A peer's connections to this node are others.
 *  2. A message that finds no connection and no room is dropped. A pull that finds none ends GONE.
 *  3. A connection that shows no life for peer_timeout ends; its pulls end GONE after the kernel
 *     has let go of their memory.
 *  4. What is to be sent leaves at the end of the loop's round, so that what was made in one round
 *     leaves together.
 *  5. The bytes of a small offer leave with it, as they are then; the pull that the core makes of
 *     the offer, in the step that hears of it, finds them here. Larger ones, those for which there
 *     is no room, and pulls that come later are asked for.
 *  6. A peer is who its greeting says; the greeting must fit this cluster, and under TLS the
 *     certificate must be that node's.
 *  7. Records of connections are set aside: each peer's, both ways, and a few for strangers, who
 *     have not greeted. The last of those taken makes the oldest stranger of the host that has most
 *     leave; a stranger that has not greeted in time goes however much he says. A peer that takes
 *     more than its share loses its longest silent one. */
#ifndef FB_HW_NET_TCP_H
#define FB_HW_NET_TCP_H

#include "core/index/share.h"
#include "hw/base/feed.h"
#include "hw/base/log.h"
#include "hw/base/mapping.h"
#include "hw/base/offload.h"
#include "hw/base/settings.h"
#include "hw/base/standing.h"
#include "hw/base/uring.h"
#include "hw/net/peer.h"

/* Who has not greeted yet, and look-ups, at once. */
enum {
    FB_TCP_STRANGERS_MAX = 64, /* connected, and not greeted yet; more: the oldest leaves */
    FB_TCP_LOOKUPS_MAX = 16,   /* names looked up at once; more: when they are wanted again */
};

struct fb_tcp;

/* What came with the offer that is being handled; size 0: nothing. */
struct fb_tcp_offered {
    uint32_t peer;
    uint64_t offset; /* in the peer's memory */
    struct fb_bytes bytes;
};

/* A pull; the caller's until done, which is called once, never from within its start. */
struct fb_tcp_pull {
    void (*done)(struct fb_tcp_pull *pull, enum fb_status status);
    uint64_t id;           /* of its answer */
    struct fb_span source; /* in the peer's memory */
    struct fb_bytes bytes; /* where they go */
    /* The connection's from here on. */
    struct fb_tcp_pull *next;
    uint64_t moved;        /* bytes */
    enum fb_status status; /* of one that ends in the next round */
    struct fb_io io;
};

/* What TCP works with, and whom it tells; the caller's, as long as it is open. */
struct fb_tcp_context {
    const struct fb_settings *settings;
    struct fb_uring *uring;
    const struct fb_mapping *memory; /* of the cache: what peers pull */
    struct fb_objects *objects;
    struct fb_feed *feed;
    const struct fb_standing *standing;
    /* Strangers wait outside until one of those inside has had his time: a sweep sees to it. */
    void (*sweep_soon)(struct fb_tcp *tcp);
    /* A SUMMARY has come. */
    void (*hear)(struct fb_tcp *tcp, uint32_t node, const struct fb_wire_frame *frame);
};

/* The listener, the peers, and the connections to them. */
struct fb_tcp {
    struct fb_tcp_context context;
    struct fb_tcp_peer *peers; /* by node id */
    uint32_t peer_count;
    struct fb_tcp_connection *connections;
    uint32_t connection_count;
    struct fb_tcp_connection *free;
    struct fb_stranger strangers[FB_TCP_STRANGERS_MAX];
    struct fb_tcp_connection *strange[FB_TCP_STRANGERS_MAX]; /* theirs; NULL: a free place */
    uint32_t stranger_count;
    uint64_t strangers_refused; /* with another greeting, or none in time, or for others */
    struct fb_log_pace lost_pace, refused_pace;
    struct fb_tcp_connection *due;
    bool has_no_splice; /* the kernel does not send the cache memory without copying it */
    struct fb_tls *tls; /* NULL: connections are not encrypted */
    int listener;       /* -1: a cluster of one */
    struct fb_io accept;
    struct fb_offload resolver; /* threads that look names up; none until there is a name */
    struct tcp_lookup *lookups;
    struct fb_wire_frame frame; /* the one being looked at */
    struct fb_tcp_offered offered;
    uint64_t messages_dropped;
    uint64_t connections_lost;
};

/* Connections that there are at most: both directions to each peer, and some of strangers. */
uint32_t fb_tcp_connections_max(const struct fb_settings *settings);

/* Bytes that connections take at most. */
uint64_t fb_tcp_size_bytes(const struct fb_settings *settings);

/* Listens. Errors: error set. */
void fb_tcp_open(struct fb_tcp *tcp, const struct fb_tcp_context *context, struct fb_error *error);
/* Closes all connections; pulls under way are forgotten. */
void fb_tcp_close(struct fb_tcp *tcp);

/* The members have changed. Errors: error set: there are more than members_max. */
void fb_tcp_peers_set(struct fb_tcp *tcp, const struct fb_member_settings *members, uint32_t count,
                      struct fb_error *error);
/* NULL: it is no member. */
struct fb_tcp_peer *fb_tcp_peer(struct fb_tcp *tcp, uint32_t node);

/* Sends, or drops. object: the one that the message's block belongs to; NULL: none. */
void fb_tcp_send(struct fb_tcp *tcp, uint32_t target, const struct fb_message *message,
                 const struct fb_object *object);

/* Begins a pull; it ends GONE where no connection has room for it. */
void fb_tcp_pull_start(struct fb_tcp *tcp, struct fb_tcp_pull *pull);

/* Sends what the round has made. To be called at its end. */
void fb_tcp_flush(struct fb_tcp *tcp);

/* Sends this node's summary to a peer, if there is a connection and it understands; tries to
 * connect if there is none. */
void fb_tcp_summary_send(struct fb_tcp *tcp, struct fb_tcp_peer *peer,
                         const struct fb_wire_summary *summary, bool wants_answer);

/* Ends connections that show no life, looks how peers are, and tries those again that are away, so
 * that one that comes back is known before it is needed. To be called a few times per
 * peer_timeout. */
void fb_tcp_sweep(struct fb_tcp *tcp);

/* Peers to which a connection for messages is open now. */
uint32_t fb_tcp_connected(const struct fb_tcp *tcp);

#endif
