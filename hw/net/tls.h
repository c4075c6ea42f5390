/* TLS 1.3 between nodes, on OpenSSL, without sockets: bytes from the wire go in, bytes for the wire
 * come out, whoever moves them.
 *
 *     ciphertext --feed--> session --read--> plaintext
 *     ciphertext <--take-- session <--write-- plaintext
 *
 *  1. Both sides show a certificate that the cluster's authority has signed (mutual TLS).
 *  2. The certificate of node N of cluster C has the DNS name "node-N.C": one node's key does not
 *     let its owner speak as another node.
 *  3. A session that has failed stays failed: its connection ends.
 *  4. A node looks at its own certificate as its peers will: who signed it, from when until when it
 *     is valid, its name, and that it is for both sides of a connection. */
#ifndef FB_HW_NET_TLS_H
#define FB_HW_NET_TLS_H

#include "hw/base/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_tls;         /* this node's key, certificate and authority */
struct fb_tls_session; /* one connection's */

/* Bytes of a node's name in a certificate, and of a sentence about one, each with its end. */
enum { FB_TLS_NAME_MAX = 16 + FB_CLUSTER_NAME_MAX, FB_TLS_TEXT = 192 };

/* NULL and no error: the settings want none. Errors: error set, naming file and remedy; so, too,
 * where the certificate is none that peers would let node `node` of the cluster in with. The caller
 * owns it, until fb_tls_close, which comes after all its sessions are closed. */
struct fb_tls *fb_tls_open(const struct fb_tls_settings *settings, const char *cluster,
                           uint32_t node, struct fb_error *error);
/* Frees them. NULL: nothing. */
void fb_tls_close(struct fb_tls *tls);

/* This node's certificate ends so soon that it is to be replaced; text: a sentence that says so. */
bool fb_tls_ends_soon(const struct fb_tls *tls, char text[FB_TLS_TEXT]);

/* peer: the node that this side has connected to; FB_NONE: this side was connected to, and asks
 * fb_tls_is_node later. NULL: out of memory. */
struct fb_tls_session *fb_tls_session_open(struct fb_tls *tls, uint32_t peer);
/* Frees the session, without a word to the peer. NULL: nothing. */
void fb_tls_session_close(struct fb_tls_session *session);

/* Bytes from the wire. False: out of memory. */
bool fb_tls_feed(struct fb_tls_session *session, const void *bytes, uint32_t size);

/* Plaintext of what was fed, at most `size` bytes; goes on with the handshake as well. 0: more must
 * be fed first; -1: the session has failed, or the peer has ended it: fb_tls_reason. */
int32_t fb_tls_read(struct fb_tls_session *session, void *bytes, uint32_t size);

/* May plaintext be written? Before that only the handshake's bytes are taken. */
bool fb_tls_is_ready(const struct fb_tls_session *session);

/* Encrypts all of it. False: the session has failed. */
bool fb_tls_write(struct fb_tls_session *session, const void *bytes, uint32_t size);

/* Bytes for the wire, at most `size`; returns how many. */
uint32_t fb_tls_take(struct fb_tls_session *session, void *bytes, uint32_t size);

/* Does the peer's certificate name that node? */
bool fb_tls_is_node(const struct fb_tls_session *session, uint32_t node);

/* Why the session has failed; static or the session's. */
const char *fb_tls_reason(const struct fb_tls_session *session);

#endif
