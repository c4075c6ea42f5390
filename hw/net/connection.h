/* One TCP connection to a peer, what is kept of it; see tcp.h. */
#ifndef FB_HW_NET_CONNECTION_H
#define FB_HW_NET_CONNECTION_H

#include "hw/base/uring.h"
#include "hw/net/wire.h"

enum {
    FB_TCP_PULLS_MAX = 64, /* of one connection in flight; more wait */
    FB_TCP_IN_BYTES = 32 * 1024,
    FB_TCP_OUT_BYTES = 128 * 1024,
    FB_TCP_OFFERED_BYTES = 96 * 1024, /* of them, for offers that bring their bytes */
    FB_TCP_SECURE_BYTES = 128 * 1024,
    FB_TCP_ANSWERS_AT_ONCE = 16, /* small ones, that leave together */
};

static_assert((int)FB_TCP_IN_BYTES >= (int)FB_WIRE_FRAME_MAX + (int)FB_WIRE_OFFERED_MAX,
              "a frame and what follows it fit the buffer they are received in");

struct fb_tcp;
struct fb_tcp_pull;

enum fb_tcp_role { FB_TCP_MESSAGES, FB_TCP_PULLS, FB_TCP_ACCEPTED };
enum fb_tcp_state { FB_TCP_FREE, FB_TCP_CONNECTING, FB_TCP_OPEN, FB_TCP_CLOSING };

/* A connection's bytes under TLS: what lies between its frames and bodies and its socket. Without
 * TLS (session NULL) they are the same bytes, and the socket reads and writes them in place. */
struct fb_tcp_secure {
    struct fb_tls_session *session;
    unsigned char *in, *out; /* ciphertext, FB_TCP_SECURE_BYTES each */
    uint32_t out_size, out_sent;
};

/* A peer's pull that this node has to answer. */
struct fb_tcp_answer {
    struct fb_wire_pull pull;
    uint32_t is_refused;
    unsigned char header[FB_WIRE_HEADER_BYTES];
};

struct fb_tcp_connection {
    struct fb_tcp *tcp;
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
    struct fb_tcp_pull *pull_head, *pull_tail; /* PULLS: asked for, in this order */
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

#endif
