/* A client's session, and those who are not one yet; see local.h. */
#ifndef FB_HW_LOCAL_SESSION_H
#define FB_HW_LOCAL_SESSION_H

#include "client/protocol/local_protocol.h"
#include "client/protocol/ring.h"
#include "core/index/share.h"
#include "hw/base/mapping.h"
#include "hw/base/uring.h"
#include "hw/local/use.h"
#include "hw/meta/names.h"
#include "hw/origin/origin_task.h"

enum { FB_LOCAL_WRITES_MAX = 256 }; /* of one client's open objects, those it writes; more: BUSY */

struct fb_local;

enum local_state { LOCAL_FREE, LOCAL_OPEN, LOCAL_CLOSING }; /* Of a record of a session. */

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
    struct local_move *move;         /* COMMIT: local_move.c's; NULL: none */
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

struct local_lease { /* Bytes that a client was lent. */
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

struct local_session { /* A client that has greeted. */
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

#endif
