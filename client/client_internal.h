/* Shared by the files of libforebay. */
#ifndef FB_CLIENT_CLIENT_INTERNAL_H
#define FB_CLIENT_CLIENT_INTERNAL_H

#include "core/panic.h"
#include "core/stats.h"
#include "client/forebay.h"
#include "client/protocol/local_protocol.h"
#include "client/protocol/ring.h"

#include <stdbool.h>

enum { CLIENT_SLOTS = 128 }; /* requests in flight over the ring; each may hold a lease */

static_assert((int)FOREBAY_SOURCES == (int)FB_REASON_COUNT, "every reason has a count");
static_assert((int)CLIENT_SLOTS < (int)FB_LOCAL_LEASES_MAX &&
                  (int)CLIENT_SLOTS < (int)FB_RING_ENTRIES,
              "the library stays within what the daemon allows");

/* A block that is being read, or written; or a call that is waited for (both NULL). */
struct client_slot {
    struct forebay_read *read;
    struct client_writer *writer;
    uint64_t block;
    uint32_t next; /* free list, or those to be asked for again */
    bool is_used;
    bool is_call; /* somebody waits for it */
    bool is_done; /* a call's reply is here */
    struct fb_ring_reply reply;
};

/* Pinned blocks: the core's leases. */
struct forebay_pin {
    struct forebay_client *client;
    uint64_t count;
    uint64_t leases[];
};

/* A connection to a daemon, with all that is in flight over it. */
struct forebay_client {
    unsigned char *mark; /* 1; 0 in a process that has this client by fork; see client_is_ours */
    int socket;
    int doorbell;
    uint64_t next_id;
    uint32_t version;            /* of the protocol, that both speak; 0: not greeted yet */
    uint32_t node;               /* the daemon's */
    const unsigned char *memory; /* the daemon's cache */
    uint64_t memory_size;
    uint64_t block_size;
    struct fb_ring *ring;
    unsigned char *arena;
    uint64_t arena_size;
    uint32_t request_tail, reply_head;
    uint32_t looks; /* at the ring, before it sleeps */
    struct client_slot slots[CLIENT_SLOTS];
    uint32_t slot_free, again_head, again_tail; /* FB_NONE: none */
    uint32_t slots_used, window;                /* blocks that may be in flight */
    uint32_t busy_tries;
    uint64_t busy_until_ns;
    struct forebay_read *starting_head, *starting_tail; /* have blocks to ask for */
    struct forebay_read *ended_head, *ended_tail;
    struct client_writer *writing; /* has the arena; one at a time */
    uint64_t
        patience_ns; /* without any answer; 0: for ever. Then -ETIMEDOUT, and it is to be closed */
    uint64_t valid_ns; /* how long the daemon's answers about names may be kept */
    bool is_keeping;   /* it keeps what is said of objects beside their bytes */
    bool can_move;     /* a commit can take the name away that was copied */
    bool has_objects;  /* a listing told that the origin's names are those of objects */
    uint64_t reads;    /* in progress, or ended and not returned */
    unsigned char
        page[FB_LOCAL_PAGE_BYTES + FB_LOCAL_CURSOR_MAX]; /* of the last reply over the socket */
};

struct client_writer;

/* An object that is open for reading, or being written. */
struct forebay_file {
    struct forebay_client *client;
    uint64_t handle;
    uint64_t size, version;
    struct client_writer *writer; /* NULL: a file for reading */
    uint64_t blocks[FB_REASON_COUNT];
};

/* client.c */
/* The errno, negative, of an enum fb_status; 0: OK; -EPROTO: of one that is not known. */
int client_status_code(uint32_t status);
/* Where the daemon is looked for; given: NULL: nobody said. */
const char *client_socket_path(const char *given);

/* client_ring.c */
/* All slots are free; before the first request. */
void client_ring_init(struct forebay_client *client);
uint32_t client_slot_take(struct forebay_client *client); /* FB_NONE: none free */
/* A slot that was taken is free again; nothing waits for its reply. */
void client_slot_free(struct forebay_client *client, uint32_t slot);
/* Writes a request; id: the slot, or FB_NONE for one without reply. */
void client_ring_put(struct forebay_client *client, struct fb_ring_request request, uint32_t slot);
/* Gives a lease of cached bytes back; nobody answers. */
void client_release(struct forebay_client *client, uint64_t lease);
/* The next reply; false: none. Errors: *slot FB_NONE: the daemon broke the ring. */
bool client_ring_take(struct forebay_client *client, struct fb_ring_reply *reply, uint32_t *slot);
/* Waits until there is a reply, or until a time; -ECONNRESET: the daemon went. */
int client_ring_wait(struct forebay_client *client, uint64_t until_ns);
/* CLOCK_MONOTONIC, in which patience is counted. */
uint64_t client_clock_ns(void);

/* client.c */
/* Is this the process that opened it? One that was forked has the same ring and socket: a request
 * of its own there would take the other's replies. */
bool client_is_ours(const struct forebay_client *client);
/* A request about a name (NULL: none) over the socket, and its reply; what comes with it is in
 * client->page. Errors: -errno: of the socket, of the reply's status, or as the reply says;
 * -ECHILD; -EPROTO: no sane reply; -ETIMEDOUT: patience. */
int client_call(struct forebay_client *client, struct fb_local_request *request, const char *name,
                struct fb_local_reply *reply);

/* forebay_client_open, and -ETIMEDOUT after the patience. */
int client_open_within(const char *socket_path, uint64_t patience_ns,
                       struct forebay_client **client);

/* What the daemon owed whose greeting was -ESHUTDOWN, the last of this thread. */
uint64_t client_stopping_owed_bytes(void);

/* forebay_client_status; asks_members: the daemon asks the others for theirs, too. */
int client_status(struct forebay_client *client, bool asks_members, char **text);

/* client.c: how long calls wait for any answer, from now on. */
void client_patience_set(struct forebay_client *client, uint64_t patience_ns);

/* client_write.c */
/* A block's write is answered: its place is free, or sent again after a pause (BUSY). */
void client_written(struct forebay_client *client, uint32_t slot,
                    const struct fb_ring_reply *reply);
/* Gives the writer up; replies that are still to come are nobody's. */
void client_writer_free(struct client_writer *writer);

/* client_read.c */
/* A reply goes to whom its slot is for: a read, a writer, or who waits for a call. */
void client_reply_handle(struct forebay_client *client, uint32_t slot,
                         const struct fb_ring_reply *reply);
/* Makes progress with what is in flight; is_waiting: waits for at least one reply. */
int client_step(struct forebay_client *client, bool is_waiting);

/* client_call.c: a request over the ring, waited for; a busy daemon is asked again some times. */
int client_call_ring(struct forebay_client *client, struct fb_ring_request request,
                     struct fb_ring_reply *reply);

#endif
