/* What a client on this machine and its daemon say over the daemon's Unix socket (SOCK_SEQPACKET:
 * one packet a request or reply). Both are of one machine, so the structs are sent as they are.
 *
 *     client: HELLO  ----------->  daemon: HELLO, with descriptors of the cache memory, which the
 *                                  client maps for reading, of the ring, and of its doorbell
 * HELLO is said in the oldest version that the client speaks, and tells the newest one; the reply's
 * version is the session's: the newest that both speak. So either may be upgraded first.
 *
 *     client: OPEN name  ------->  size, version, handle
 *     over the ring: GET handle, index, then RELEASE lease: see ring.h
 * Replies may come in another order than the requests. The connection's end is the session's. */
#ifndef FB_CLIENT_PROTOCOL_LOCAL_PROTOCOL_H
#define FB_CLIENT_PROTOCOL_LOCAL_PROTOCOL_H

#include "core/node/node.h"
#include "client/protocol/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Versions of the protocol, and what one client may have at once. */
enum {
    FB_LOCAL_VERSION = 4, /* newest that is spoken; what came with 3: DRAIN, STATUS of all;
                                   with 4: ENTRIES, what COMMIT says beside bytes */
    FB_LOCAL_VERSION_KEPT = 4,
    FB_LOCAL_VERSION_MIN = 2,   /* oldest */
    FB_LOCAL_REQUESTS_MAX = 16, /* of one client at once over the socket */
    FB_LOCAL_LEASES_MAX = 256,  /* of one client at once; more: BUSY */
    FB_LOCAL_PAGE_BYTES = 60 * 1024,
    FB_LOCAL_CURSOR_MAX = 8000, /* bytes of a listing's cursor, or of a change */
    FB_LOCAL_FILES = 3,         /* descriptors that come with HELLO */
};

#define FB_LOCAL_STATS ".stats"
#define FB_LOCAL_ACCESSLOG ".accesslog"

/* What is asked for: which fields of the request say more, and what the reply holds. */
enum fb_local_kind {
    FB_LOCAL_HELLO = 1,
    FB_LOCAL_OPEN,    /* name: the object is remembered until CLOSE */
    FB_LOCAL_CLOSE,   /* object; no reply */
    FB_LOCAL_STAT,    /* name */
    FB_LOCAL_LIST,    /* name: a folder, may be empty; index and cursor: of the last reply */
    FB_LOCAL_STATUS,  /* the daemon's state as text; index 1: other members are asked for theirs,
                         which a later STATUS shows */
    FB_LOCAL_CREATE,  /* name: a new version of it, to be written, until CLOSE */
    FB_LOCAL_COMMIT,  /* object, index: its size, level that holds; BUSY: try again; CONFLICT:
                        another writer was first; GONE: this node is fenced. cursor: none, or a
                        fb_local_change: MAKE: attributes of a new file; RENAME, text: a name: those
                        of it, and its times as it is seen; with FB_RENAME_TAKES that name goes, at
                        once: ABSENT: it is gone; REFUSED, EAGAIN: it is of another version than
                        attributes.number, which was copied; nothing is committed then */
    FB_LOCAL_REMOVE,  /* name */
    FB_LOCAL_PENDING, /* name: a folder: page of what the origin does not show of it yet, sorted, or
                         shows still (is_gone); FULL: they are too many. index 1: also folders in it
                         that have removed names (is_gone): they are there if they have others; a
                         name may come as a folder, and then as a file */
    FB_LOCAL_EXPLAIN, /* object, index: page of fb_local_block from that block on; the reply's
                         index: the next one, 0: there is none */
    FB_LOCAL_EXPLAIN_KEY, /* object: a key's high, index: its low: one fb_local_block */
    FB_LOCAL_LOOK,        /* name: STAT of whatever has it; page: fb_attributes */
    FB_LOCAL_CHANGE,      /* name; cursor: fb_local_change and its text; the reply's index: 0 or an
                             errno; its page: what is asked for; INVALID: this origin has none of
                             it; BUSY: what was committed or removed is not at the origin yet */
    FB_LOCAL_LIST_PLAIN,  /* LIST, in which links are entries, wherever they lead */
    FB_LOCAL_DRAIN,   /* index: enum fb_local_drain; DENIED: neither root nor the daemon's user */
    FB_LOCAL_ENTRIES, /* name: a folder: page of what the metadata store alone has in it, sorted;
                         cursor: of the last reply, which ends with that of the next one */
};

/* What an operator wishes; STATUS says how far it is. */
enum fb_local_drain {
    FB_LOCAL_DRAIN_END,   /* it takes writes again */
    FB_LOCAL_DRAIN_BEGIN, /* it begins no writes of clients, and stores what it owes */
    FB_LOCAL_DRAIN_LEAVE, /* it ends, as by SIGTERM */
    FB_LOCAL_DRAINS
};

/* What is changed beside bytes; its text follows. */
struct fb_local_change {
    uint32_t kind; /* enum fb_change_kind */
    uint32_t which, flags, reserved;
    struct fb_attributes attributes;
};

/* A packet of the client's; a kind uses the fields that it names. */
struct fb_local_request {
    uint32_t version;
    uint32_t kind; /* enum fb_local_kind */
    uint64_t id;   /* the client's; the reply carries it back */
    uint64_t object;
    uint64_t index;
    uint32_t level; /* COMMIT: enum fb_level */
    uint32_t name_length;
    uint32_t cursor_length;
    uint32_t speaks; /* HELLO: newest version; below .version: that one */
    char text[FB_OBJECT_NAME_MAX + FB_LOCAL_CURSOR_MAX]; /* name, then cursor; no more is sent */
};

/* The answer to the request with its id; page_size bytes follow. */
struct fb_local_reply {
    uint32_t version;
    uint32_t kind;
    uint64_t id;
    uint32_t status;            /* enum fb_status */
    uint32_t source;            /* HELLO: this node */
    uint32_t page_size;         /* LIST, STATUS: bytes that follow */
    uint32_t cursor_length;     /* LIST: the last ones of them */
    uint64_t object;            /* OPEN: handle */
    uint64_t version_of_object; /* HELLO: ns that what is said of names may be kept */
    uint64_t size;              /* OPEN, STAT: of the object; HELLO: of the cache memory */
    uint64_t block_size;        /* bytes */
    uint32_t state;             /* OPEN, STAT: 1: committed, and not shown by the origin yet. HELLO:
                                   1: CHANGE and COMMIT keep what is said of objects. COMMIT: 1:
                                   what it says beside bytes was taken. LIST: FB_LOCAL_LIST_... */
    uint32_t level;             /* OPEN, STAT: enum fb_level. HELLO: 1: COMMIT takes a name away */
    uint64_t index; /* LIST: for the next request; both 0: no more. HELLO: arena's bytes. REFUSED:
                       an errno, if it is known */
};

/* Names that a mount shows of itself, in its root: no file is made there under them, or below. */
static inline bool fb_local_name_is_own(const char *name, size_t length)
{
    static const char *const own[] = {FB_LOCAL_STATS, FB_LOCAL_ACCESSLOG};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        size_t size = strlen(own[i]);
        if (length >= size && memcmp(name, own[i], size) == 0 &&
            (length == size || name[size] == '/'))
            return true;
    }
    return false;
}

/* Bytes of a request before its text. */
enum { FB_LOCAL_REQUEST_BYTES = offsetof(struct fb_local_request, text) };

#endif
