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
#include "hw/base/log.h"
#include "hw/base/offload.h"
#include "hw/base/settings.h"
#include "hw/net/tcp_secure.h"
#include "hw/base/uring.h"
#include "hw/net/wire.h"

enum {
    FB_TCP_PULLS_MAX = 64, /* of one connection in flight; more wait */
    FB_TCP_IN_BYTES = 32 * 1024,
    FB_TCP_OUT_BYTES = 128 * 1024,
    FB_TCP_OFFERED_BYTES = 96 * 1024, /* of them, for offers that bring their bytes */
    FB_TCP_PULL_CONNECTIONS_MAX = 16,
    FB_TCP_STRANGERS_MAX = 64,   /* connected, and not greeted yet; more: the oldest leaves */
    FB_TCP_ANSWERS_AT_ONCE = 16, /* small ones, that leave together */
    FB_TCP_LOOKUPS_MAX = 16,     /* names looked up at once; more: when they are wanted again */
};

static_assert((int)FB_TCP_IN_BYTES >= (int)FB_WIRE_FRAME_MAX + (int)FB_WIRE_OFFERED_MAX,
              "a frame and what follows it fit the buffer they are received in");

struct fb_loop;
struct work;

enum fb_tcp_role { FB_TCP_MESSAGES, FB_TCP_PULLS, FB_TCP_ACCEPTED };
enum fb_tcp_state { FB_TCP_FREE, FB_TCP_CONNECTING, FB_TCP_OPEN, FB_TCP_CLOSING };

/* What came with the offer that is being handled; size 0: nothing. */
struct fb_tcp_offered {
    uint32_t peer;
    uint64_t offset; /* in the peer's memory */
    struct fb_bytes bytes;
};

/* A peer's pull that this node has to answer. */
struct fb_tcp_answer {
    struct fb_wire_pull pull;
    uint32_t is_refused;
    unsigned char header[FB_WIRE_HEADER_BYTES];
};

struct fb_tcp_connection {
    struct fb_loop *loop;
    struct fb_tcp_connection *next;     /* free list */
    struct fb_tcp_connection *next_due; /* has something to send, perhaps; see is_due */
    struct fb_io receive, send;         /* send also connects */
    struct fb_tcp_secure secure;        /* session NULL: plaintext */
    enum fb_tcp_state state;
    enum fb_tcp_role role;
    int socket;
    uint32_t peer;      /* node; FB_NONE: has not greeted yet */
    uint32_t stranger;  /* its place among them; FB_NONE: it is none */
    uint64_t opened_ns; /* 0: not yet */
    uint64_t alive_ns;  /* something arrived */
    uint32_t is_due;
    uint32_t is_direct; /* what is being received goes to the pull's memory */
    uint32_t in_size;
    uint32_t out_size[2]; /* bytes in the buffer being filled, and in the one being sent */
    uint32_t out_index;   /* the one being filled */
    uint32_t out_sent;    /* of the other one */
    struct work *pull_head, *pull_tail; /* PULLS: asked for, in this order */
    uint32_t pull_count;
    uint32_t is_body; /* PULLS: the head's body is arriving */
    struct fb_tcp_answer answers[FB_TCP_PULLS_MAX];
    uint32_t answer_first, answer_count;
    uint64_t answer_sent; /* bytes of header and body of the first answer */
    uint32_t is_full;     /* the kernel takes no more now; send waits until it does */
    struct iovec answer_parts[2 * FB_TCP_ANSWERS_AT_ONCE];
    struct msghdr answer_message;
    unsigned char in[FB_TCP_IN_BYTES];
    unsigned char out[2][FB_TCP_OUT_BYTES];
};

/* How a peer is, as far as connections tell. */
enum fb_peer_state {
    FB_PEER_IDLE, /* nothing was to be said yet */
    FB_PEER_CONNECTED,
    FB_PEER_CONNECTING,
    FB_PEER_AWAY, /* the last try failed; another follows */
    FB_PEER_STATES
};

/* idle, connected, connecting, away. */
const char *fb_peer_state_name(enum fb_peer_state state);

struct fb_tcp_peer {
    uint32_t node;
    uint32_t failures;               /* in a row */
    uint64_t retry_ns;               /* not connected again before then */
    char text[FB_ADDRESS_MAX];       /* HOST:PORT */
    struct sockaddr_storage address; /* family 0: not known yet */
    bool is_asked, is_lost;          /* a name that is being looked up; whose last look-up failed */
    uint32_t accepted;               /* connections that it has made; of the last sweep */
    enum fb_peer_state state;        /* at the last sweep */
    uint64_t since_ns;               /* it is so */
    uint8_t version;                 /* newest of the wire that both speak; 0: not told yet */
    struct fb_wire_summary summary;  /* what it said last of itself */
    uint64_t summary_ns;             /* when; 0: not yet */
    struct fb_tcp_connection *messages;
    struct fb_tcp_connection *pulls[FB_TCP_PULL_CONNECTIONS_MAX];
    struct work *waiting_head, *waiting_tail; /* pulls that found all connections full */
};

struct fb_tcp {
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
void fb_tcp_open(struct fb_tcp *tcp, struct fb_loop *loop, struct fb_error *error);
void fb_tcp_close(struct fb_tcp *tcp);

/* Sends, or drops. object: the one that the message's block belongs to; NULL: none. */
void fb_tcp_send(struct fb_loop *loop, uint32_t target, const struct fb_message *message,
                 const struct fb_object *object);

/* Begins a pull; work_end follows, never from within. */
void fb_tcp_pull(struct fb_loop *loop, struct work *work);

/* Sends what the round has made. To be called at its end. */
void fb_tcp_flush(struct fb_loop *loop);

/* Sends this node's summary to a peer, if there is a connection and it understands; tries to
 * connect if there is none. */
void fb_tcp_summary_send(struct fb_loop *loop, struct fb_tcp_peer *peer,
                         const struct fb_wire_summary *summary, bool wants_answer);

/* Ends connections that show no life, looks how peers are, and tries those again that are away, so
 * that one that comes back is known before it is needed. To be called a few times per
 * peer_timeout. */
void fb_tcp_sweep(struct fb_loop *loop);

/* Peers to which a connection for messages is open now. */
uint32_t fb_tcp_connected(const struct fb_tcp *tcp);

#endif
