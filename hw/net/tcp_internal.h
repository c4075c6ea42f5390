/* What the files of TCP call of each other; see tcp.h and connection.h. */
#ifndef FB_HW_NET_TCP_INTERNAL_H
#define FB_HW_NET_TCP_INTERNAL_H

#include "hw/net/connection.h"

struct fb_tcp_peer;
struct fb_tls;

/* tcp_connection.c: one connection. */
/* peer: whom it is to be connected to; FB_NONE: it was accepted. NULL: there is no room. */
struct fb_tcp_connection *connection_take(struct fb_tcp *tcp, enum fb_tcp_role role, int socket,
                                          uint32_t peer);
void connection_fail(struct fb_tcp_connection *connection, const char *reason);
void connection_receive(struct fb_tcp_connection *connection);
/* Has perhaps something to send: at the end of the round, connection_flush. */
void connection_due(struct fb_tcp_connection *connection);
void connection_flush(struct fb_tcp_connection *connection);
/* Room for a frame to be sent; NULL: none. Then connection_put_end with its size. */
unsigned char *connection_put(struct fb_tcp_connection *connection);
void connection_put_end(struct fb_tcp_connection *connection, uint32_t size);
struct fb_bytes connection_room(struct fb_tcp_connection *connection); /* for what comes next */
void connection_received(struct fb_tcp_connection *connection, uint32_t size);
struct iovec connection_next(struct fb_tcp_connection *connection);
void connection_sent(struct fb_tcp_connection *connection, uint32_t size);
void connection_greet(struct fb_tcp_connection *connection);

/* tcp_secure.c */
/* Errors: false: out of memory. peer: as for fb_tls_session_open. */
bool secure_open(struct fb_tcp_secure *secure, struct fb_tls *tls, uint32_t peer);
void secure_close(struct fb_tcp_secure *secure);
/* Starts the next receive or send of ciphertext. */
void secure_receive(struct fb_tcp_connection *connection);
void secure_flush(struct fb_tcp_connection *connection);
/* So many bytes of ciphertext came, or went; plaintext goes to connection_received. */
void secure_received(struct fb_tcp_connection *connection, uint32_t size);
void secure_sent(struct fb_tcp_connection *connection, uint32_t size);

/* tcp_pull.c: both sides of a pull. */
/* Ends it in the next round of the loop. */
void pull_end_later(struct fb_tcp *tcp, struct fb_tcp_pull *pull, enum fb_status status);
void pull_ask(struct fb_tcp_connection *connection, struct fb_tcp_pull *pull);
const char *pull_answered(struct fb_tcp_connection *connection,
                          const struct fb_wire_header *header);
uint32_t pull_body(struct fb_tcp_connection *connection, const unsigned char *bytes, uint32_t size);
struct fb_bytes pull_room(const struct fb_tcp_connection *connection);
void pull_received(struct fb_tcp_connection *connection, uint32_t size);
void pull_lost(struct fb_tcp_connection *connection);
const char *pull_asked(struct fb_tcp_connection *connection, const struct fb_wire_frame *frame);
void pull_parts(struct fb_tcp_connection *connection, struct iovec parts[2]);
void pull_send(struct fb_tcp_connection *connection);
void pull_sent(struct fb_tcp_connection *connection, uint32_t size);

/* tcp_door.c */
void tcp_socket_set_up(int socket, uint64_t timeout_ns);
void tcp_accept_start(struct fb_tcp *tcp);
/* Its place is free, if it has one. */
void tcp_stranger_leaves(struct fb_tcp_connection *connection);
/* Sends those away who do not greet; accepts again when that failed. */
void tcp_strangers_sweep(struct fb_tcp *tcp);
/* The connection is a peer's from now on; one too many of them ends. */
void tcp_peer_greeted(struct fb_tcp_connection *connection);

/* tcp_lookup.c */
/* Finds out where it is, now or before long; nothing changes while that is not known. */
void tcp_peer_look_up(struct fb_tcp *tcp, struct fb_tcp_peer *peer);
void tcp_lookups_close(struct fb_tcp *tcp);

/* tcp.c */
void tcp_peer_speaks(struct fb_tcp *tcp, uint32_t node, uint8_t version);
void tcp_connection_ended(struct fb_tcp_connection *connection);
void tcp_pull_next(struct fb_tcp_connection *connection);

#endif
