/* A client's session, shared by local.c (socket, life), local_request.c and
 * local_name.c (what is asked over the socket) and local_ring.c (what is asked over the ring). */
#ifndef FB_HW_LOCAL_LOCAL_INTERNAL_H
#define FB_HW_LOCAL_LOCAL_INTERNAL_H

#include "hw/local/local.h"
#include "hw/base/mapping.h"
#include "hw/meta/names.h"
#include "hw/base/offload.h"

enum local_state { LOCAL_FREE, LOCAL_OPEN, LOCAL_CLOSING };

enum { LOCAL_DESCRIPTORS_MAX = 253 }; /* that one packet can bring: SCM_MAX_FD of the kernel */

/* Where a packet of a client arrives, with what it should not bring. */
struct local_inbox {
    struct iovec part;
    struct msghdr message;
    _Alignas(8) unsigned char control[CMSG_SPACE(LOCAL_DESCRIPTORS_MAX * sizeof(int))];
    struct fb_local_request packet;
};

/* One who has connected and not greeted yet. */
struct local_guest {
    struct fb_local *local;
    struct fb_io receive;
    int socket; /* -1: a free place */
    uint32_t user, process;
    bool is_leaving;
    struct local_inbox inbox;
};

struct kept_change;
struct local_session;

/* A request over the socket that has no reply yet. */
struct local_request {
    struct local_session *session;
    uint64_t client_id;
    uint32_t kind; /* enum fb_local_kind */
    uint32_t next; /* free list */
    uint32_t is_used;
    uint32_t level;               /* COMMIT: enum fb_level */
    struct fb_origin_task origin; /* its object is the one that is named */
    struct fb_name_task name;     /* what the name means */
    struct fb_origin_change change;
    struct fb_meta_attributes kept;  /* beside the name's record; COMMIT: what is given */
    struct kept_change *kept_change; /* CHANGE: local_kept.c's; NULL: none */
};

/* A request over the ring that has no reply yet. */
struct local_slot {
    uint64_t client_id;
    uint32_t kind; /* enum fb_ring_kind */
    uint32_t generation;
    uint32_t next; /* free list */
    uint32_t is_used;
    uint32_t level; /* WRITE: enum fb_level */
    uint32_t tenant;
    uint32_t size;     /* WRITE: of the block */
    uint64_t index;    /* GET, WRITE: of the block in its object; PIN: of its record */
    struct fb_key key; /* the block's */
    uint64_t since_ns; /* GET: the core saw it then; 0: in the step that answers it */
};

struct local_lease {
    uint64_t core_lease;
    uint32_t generation;
    uint32_t next; /* free list */
    uint32_t is_used;
    uint32_t size; /* bytes lent */
};

/* Blocks from first to before end. */
struct local_run {
    uint64_t first, end;
};

/* A file that a session writes: the blocks whose writes were answered OK. */
struct local_write {
    uint64_t handle;
    struct local_run *runs; /* whole blocks */
    uint32_t run_count, run_room;
    uint64_t last; /* the block that is not whole */
    uint32_t last_bytes, reserved;
};

/* A pin that may still hold; it ends by itself. */
struct local_pin {
    uint64_t core_lease, session; /* the session's number */
    uint64_t end_ns;              /* 0: there is none */
    uint32_t generation, user;
};

/* Blocks that are owed to the origin, and their bytes; of the session, its user and all. */
struct local_owed {
    uint64_t counted_ns;
    struct fb_share blocks, bytes;
};

struct local_session {
    struct fb_local *local;
    struct fb_io receive, send, bell;
    enum local_state state;
    int socket;
    int doorbell;        /* eventfd, the client's alone: it has written while the daemon slept */
    uint64_t bell_count; /* what is read from it: nobody looks */
    uint32_t version;    /* of the protocol */
    uint32_t user, process;
    uint32_t request_free, slot_free, lease_free; /* FB_NONE: none */
    uint32_t requests_used, slots_used, leases_used;
    uint32_t flying[LOCAL_USES];       /* of them, by what they take */
    uint32_t reply_first, reply_count; /* over the socket */
    uint32_t ring_head, ring_tail;     /* requests taken; replies written */
    bool must_wake;
    bool is_page_used;
    struct fb_mapping shared; /* ring, then arena */
    struct fb_ring *ring;
    struct fb_bytes arena;
    uint64_t *opens; /* handles */
    uint32_t open_count;
    uint32_t charged;    /* objects that it was the first to open: also of who had this record */
    uint64_t number;     /* of the session, never again another's */
    uint64_t lent_bytes; /* under its leases */
    struct local_owed owed;
    struct local_write writes[FB_LOCAL_WRITES_MAX];
    uint32_t write_count;
    struct iovec parts[2];
    struct msghdr message;
    _Alignas(8) unsigned char control[64]; /* of descriptors */
    struct local_inbox inbox;
    struct fb_local_reply replies[FB_LOCAL_REQUESTS_MAX];
    struct local_slot slots[FB_RING_ENTRIES];
    struct local_lease leases[FB_LOCAL_LEASES_MAX];
    struct local_request requests[FB_LOCAL_REQUESTS_MAX];
    _Alignas(8) unsigned char page[FB_LOCAL_PAGE_BYTES + FB_LOCAL_CURSOR_MAX];
    char cursor[FB_LOCAL_CURSOR_MAX + 1]; /* of the listing that has the page */
};

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

/* local_share.c */
/* The session has the object open from now on. BUSY: too many are. */
enum fb_status local_object_open(struct local_session *session, const struct fb_object *object);
void local_object_close(struct local_session *session, uint64_t handle);
/* Was it being written, and is there nobody left who will commit it? */
bool local_write_is_over(const struct fb_object *object);
/* A request that takes something of the core: may it begin; it does, and has an answer. LOCAL_USES:
 * it takes nothing. */
bool local_may_fly(const struct local_session *session, enum local_use use);
void local_fly(struct local_session *session, enum local_use use);
void local_land(struct local_session *session, enum local_use use);
/* May it write so many bytes more, which are owed until the origin has them? */
bool local_may_owe(struct local_session *session, uint32_t size_bytes);
/* What a client hears that may not: BUSY, or what the origin refuses of all that is owed (R16). */
enum fb_status local_owed_refusal(const struct fb_local *local);
/* May so many bytes more be lent to it? */
bool local_has_memory(const struct local_session *session, uint64_t size_bytes);
/* A record for a pin; false: there are too many, or it has most of them. */
bool local_pin_begin(struct local_session *session, uint64_t ttl_ns, uint32_t *pin);
/* The core's answer; returns the client's lease. */
uint64_t local_pin_made(struct local_session *session, uint32_t pin, const struct fb_reply *reply);
/* Returns the core's lease; UINT64_MAX: it is none of this session's. */
uint64_t local_pin_end(struct local_session *session, uint64_t lease);
/* What a session writes of a file. begin: false: it writes too many. */
bool local_write_begin(struct local_session *session, uint64_t handle);
void local_write_end(struct local_session *session, uint64_t handle);
bool local_write_is_own(struct local_session *session, uint64_t handle);
/* A block is written. false: the file's parts are too many. */
bool local_write_note(struct local_session *session, uint64_t handle, uint64_t block,
                      uint32_t size_bytes);
/* Has all of a file of this size been written by this session? */
bool local_write_covers(struct local_session *session, uint64_t handle, uint64_t size_bytes);

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
