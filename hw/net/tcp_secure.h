/* A connection's bytes under TLS: what lies between its frames and bodies and its socket. Without
 * TLS (session NULL) they are the same bytes, and the socket reads and writes them in place. */
#ifndef FB_HW_NET_TCP_SECURE_H
#define FB_HW_NET_TCP_SECURE_H

#include "hw/net/tls.h"

struct fb_tcp_connection;

enum { FB_TCP_SECURE_BYTES = 128 * 1024 };

struct fb_tcp_secure {
    struct fb_tls_session *session;
    unsigned char *in, *out; /* ciphertext, FB_TCP_SECURE_BYTES each */
    uint32_t out_size, out_sent;
};

/* Errors: false: out of memory. peer: as for fb_tls_session_open. */
bool secure_open(struct fb_tcp_secure *secure, struct fb_tls *tls, uint32_t peer);
void secure_close(struct fb_tcp_secure *secure);

/* Starts the next receive or send of ciphertext. */
void secure_receive(struct fb_tcp_connection *connection);
void secure_flush(struct fb_tcp_connection *connection);

/* So many bytes of ciphertext came, or went; plaintext goes to connection_received. */
void secure_received(struct fb_tcp_connection *connection, uint32_t size);
void secure_sent(struct fb_tcp_connection *connection, uint32_t size);

#endif
