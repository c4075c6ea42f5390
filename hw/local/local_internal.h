/* What the files about clients call of each other: local.c (socket, life), local_request.c and
 * local_name.c (what is asked over the socket), local_ring.c (what is asked over the ring). */
#ifndef FB_HW_LOCAL_LOCAL_INTERNAL_H
#define FB_HW_LOCAL_LOCAL_INTERNAL_H

#include "hw/local/session.h"

/* local_door.c */
int local_door_open(struct fb_local *local); /* Errors: -errno; -EEXIST: a file is there */
int local_door_try(const char *path);        /* the same, but binds nothing */
void local_door_close(struct fb_local *local, const char *path);
void local_door_sweep(struct fb_local *local);
void local_inbox_receive(struct fb_uring *uring, struct fb_io *io, int socket,
                         struct local_inbox *inbox);
/* What is wrong with a packet of so many bytes; NULL: nothing. */
const char *local_inbox_fault(struct fb_uring *uring, struct local_inbox *inbox, uint32_t size);

/* local.c */
/* The guest, whose greeting is answered, becomes a session, which has its socket. false: no memory.
 */
bool local_session_open(const struct local_guest *guest);
void local_session_end(struct local_session *session, const char *reason);
void local_session_settle(struct local_session *session);
void local_request_end(struct local_request *request, const struct fb_local_reply *reply);

/* local_request.c */
void local_request_start(struct local_request *request, const struct fb_local_request *from);
void local_close_object(struct local_session *session, uint64_t handle);

/* local_name.c */
void local_open_start(struct local_request *request, const struct fb_local_request *from);
/* CREATE and REMOVE. */
void local_write_start(struct local_request *request, const struct fb_local_request *from);
void local_commit_start(struct local_request *request, const struct fb_local_request *from);

enum fb_status
local_write_status(const struct fb_local *local); /* may this node change anything? */

/* local_change.c */
void local_look_start(struct local_request *request, const struct fb_local_request *from);
void local_change_start(struct local_request *request, const struct fb_local_request *from);
/* Reads the change behind a name; false: it is none. */
bool local_change_read(const struct fb_local_request *from, struct fb_origin_change *change);

/* local_kept.c */
/* Does the metadata store keep what is said of names beside their bytes? */
bool local_is_kept(const struct fb_local *local);
/* CHANGE, where it does, of the request's object; has_page: the request has the session's. */
void local_kept_start(struct local_request *request, bool has_page);

/* local_entries.c */
void local_entries_start(struct local_request *request, const struct fb_local_request *from);

/* local_pending.c */
void local_pending_start(struct local_request *request, const struct fb_local_request *from);
/* Calls `then` once no name below the folder is ahead of the origin; else the request is answered
 * BUSY, and the first of them hurried. */
void local_pending_settle(struct local_request *request, const char *folder, uint32_t length,
                          void (*then)(struct local_request *request));

/* local_explain.c */
void local_explain_start(struct local_request *request, const struct fb_local_request *from);

/* local_ring.c */
void local_ring_init(struct local_session *session);
/* Gives all leases back. */
void local_ring_end(struct local_session *session);

#endif
