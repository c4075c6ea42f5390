/* A peer: where it is, how it is, and the connections to it; see tcp.h. */
#ifndef FB_HW_NET_PEER_H
#define FB_HW_NET_PEER_H

#include "hw/base/settings.h"
#include "hw/net/wire.h"

#include <sys/socket.h>

/* Connections for pulls to one peer; bytes of why the last one ended, with its end. */
enum { FB_TCP_PULL_CONNECTIONS_MAX = 16, FB_PEER_FAULT_BYTES = 96 };

struct fb_tcp_connection;
struct fb_tcp_pull;

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

/* A member that is not this node. */
struct fb_tcp_peer {
    uint32_t node;
    uint32_t failures;               /* in a row */
    uint64_t retry_ns;               /* not connected again before then */
    char text[FB_ADDRESS_MAX];       /* HOST:PORT */
    struct sockaddr_storage address; /* family 0: not known yet */
    bool is_asked, is_lost;          /* a name that is being looked up; whose last look-up failed */
    uint32_t accepted;               /* connections that it has made; of the last sweep */
    enum fb_peer_state state;        /* at the last sweep */
    uint64_t since_ns;               /* it is so; away: since there was a whole connection last */
    uint64_t whole_ns;               /* when a look found one: that has lasted, or greeted */
    char fault[FB_PEER_FAULT_BYTES]; /* why a connection to it ended last, since; empty: none did */
    uint8_t version;                 /* newest of the wire that both speak; 0: not told yet */
    struct fb_wire_summary summary;  /* what it said last of itself */
    uint64_t summary_ns;             /* when; 0: not yet */
    struct fb_tcp_connection *messages;
    struct fb_tcp_connection *pulls[FB_TCP_PULL_CONNECTIONS_MAX];
    struct fb_tcp_pull *waiting_head, *waiting_tail; /* pulls that found all connections full */
};

#endif
