/* libforebay: reads files, and keeps KV blocks, through the forebayd of this machine.
 *
 *     struct forebay_client *client;
 *     struct forebay_file *file;
 *     int code = forebay_client_open(NULL, &client);
 *     if (code == 0)
 *         code = forebay_file_open(client, "weights/layer-01.safetensors", &file);
 *     if (code == 0)
 *         count = forebay_file_read(file, 0, bytes, forebay_file_size_bytes(file));
 *
 * Every function that can fail returns a negative errno value. A client and its files belong to one
 * thread at a time; a process may have several clients. Names are relative paths as the origin
 * knows them.
 *
 * A process that has a client by fork() opens one of its own: every call with the other's, or with
 * its files, is -ECHILD there and changes nothing of the parent's; closing them gives back what the
 * child has of them, and no more. */
#ifndef FB_CLIENT_FOREBAY_H
#define FB_CLIENT_FOREBAY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct forebay_client; /* a connection to the daemon */
struct forebay_file;   /* one version of an object; a changed object must be opened again */

/* Connects. socket_path: NULL: $FOREBAY_SOCKET, else /run/forebay/forebay.sock. The file that
 * $FOREBAY_TOKEN_FILE names holds the token that a daemon may want. The client is the caller's,
 * until forebay_client_close.
 * Errors: -ECONNREFUSED, -ENOENT: no daemon there; -EACCES: this user may not connect, or it wants
 * another token; -ECONNRESET: it went away meanwhile; -EMSGSIZE: the token is shorter than 16 or
 * longer than 256 bytes; -EPROTO: a daemon of another version; -ETIMEDOUT: it has not answered for
 * a minute; -ESHUTDOWN: it is stopping, and stores what it owes before it goes. */
int forebay_client_open(const char *socket_path, struct forebay_client **client);

/* Closes the connection and gives back what it holds. Files must be closed before. NULL: nothing.
 */
void forebay_client_close(struct forebay_client *client);

/* How safe written bytes are when the daemon says so. */
enum forebay_level {
    FOREBAY_MEMORY,     /* in this machine's memory */
    FOREBAY_REPLICATED, /* in the memory of as many nodes as core.write_quorum says */
    FOREBAY_DEVICE,     /* on a device of as many nodes */
    FOREBAY_ORIGIN,     /* at the origin */
};

/* Facts about what a name means now. */
struct forebay_facts {
    uint64_t size_bytes;
    uint64_t version; /* changes when the object does */
    uint64_t block_size_bytes;
    int is_at_origin;         /* 0: committed, in the cache, and not shown by the origin yet */
    enum forebay_level level; /* that held when it was committed; at the origin: FOREBAY_ORIGIN */
};

/* Errors: -ENOENT; -EINVAL: no fine name; -EISDIR: it ends in a slash; -ENAMETOOLONG; -EIO: the
 * origin failed; -EHOSTDOWN, -ETIMEDOUT: the metadata store does not answer and this node has not
 * seen the name before; -EBUSY. */
int forebay_client_stat(struct forebay_client *client, const char *name,
                        struct forebay_facts *facts);

/* Removes a name: nobody opens it from the return on. The origin's object goes in the background,
 * without a metadata store before the return. Files that are open stay readable while their blocks
 * are cached. Errors: as forebay_client_stat; -ESTALE: somebody has changed the name meanwhile;
 * -EHOSTDOWN: this node is cut off from its cluster, and will be back. */
int forebay_client_remove(struct forebay_client *client, const char *name);

/* An entry of a folder; name: until the call returns. Returning other than 0 ends the listing. */
struct forebay_entry {
    const char *name;
    uint64_t size_bytes;
    int is_folder;
    int is_other; /* neither file nor folder; in listings of a mount only */
};
/* What is told of each entry; context: the caller's own. */
typedef int forebay_entry_call(void *context, const struct forebay_entry *entry);

/* Calls `call` for each entry of a folder, in the order of their bytes. folder: "" for the root.
 * Returns what the last call returned. Errors: as forebay_client_stat; -EFBIG: more names are on
 * their way to the origin than a listing can show, some 1,000 of a folder and 4,096 in all: list
 * again when they have got there. */
int forebay_client_list(struct forebay_client *client, const char *folder, forebay_entry_call *call,
                        void *context);

/* The daemon's state as lines "name value"; text is the caller's to free. Errors: -EBUSY. */
int forebay_client_status(struct forebay_client *client, char **text);

/* Opens the present version of an object. The file is the caller's, until forebay_file_close.
 * Errors: as forebay_client_stat; -EBUSY: too many open files. */
int forebay_file_open(struct forebay_client *client, const char *name, struct forebay_file **file);
/* Closes it; a new version that is not committed is given up. NULL: nothing. */
void forebay_file_close(struct forebay_file *file);

/* Bytes of the version that is open; of a new one: once it is committed. */
uint64_t forebay_file_size_bytes(const struct forebay_file *file);

/* Reads up to size bytes from offset; returns how many: fewer only at the end of the file.
 * Waits; reads several blocks at once.
 * Errors: -ESTALE: the object changed at the origin: open it again; -EIO, -ETIMEDOUT, -EBADMSG
 * (bytes that do not match their digest), -EBUSY (after many tries), -ECONNRESET: the daemon
 * went. Bytes before the error may have been written. */
int64_t forebay_file_read(struct forebay_file *file, uint64_t offset, void *bytes, uint64_t size);

/* Begins a new version of an object. It is written from the beginning to the end, in parts of any
 * size, and seen by nobody until it is committed; forebay_file_close before that gives it up.
 * level: what forebay_file_write and forebay_file_sync promise. The file is the caller's.
 * Errors: -EINVAL: no fine name, or an origin that cannot be written; -EBUSY; of a name that can be
 * no file's at the origin -EISDIR, -ENOTDIR, -ENAMETOOLONG, -EACCES: also .stats and .accesslog,
 * which a mount shows of its own; -ENOENT: below a link to nowhere; -EIO. */
int forebay_file_create(struct forebay_client *client, const char *name, enum forebay_level level,
                        struct forebay_file **file);

/* Appends bytes; returns when they have been taken over, not when they are safe. Errors: of this
 * write or an earlier one: -EBUSY, -ENOSPC: no room though tried for long; -ETIMEDOUT: the level
 * could not be reached; -ENETDOWN: degraded: fewer members than the level wants can hold it now;
 * -ECONNRESET: the daemon went. The file is then to be closed. */
int forebay_file_write(struct forebay_file *file, const void *bytes, uint64_t size);

/* Waits until all that was written is as safe as the level says; a last part of a block stays
 * behind until the commit. Errors: as forebay_file_write. */
int forebay_file_sync(struct forebay_file *file);

/* Writes the rest, waits for the level, and makes the object visible, whole, under its name on
 * every node; it reaches the origin in the background, also when this daemon goes. Level
 * FOREBAY_ORIGIN waits until it is there, as does every level when the daemon has no metadata
 * store. patience_s: seconds to wait for origin and store. May be called again after -ETIMEDOUT
 * and -EHOSTDOWN. Errors: as forebay_file_write; -ESTALE: another writer has committed this name
 * since forebay_file_create, and won; -ETIMEDOUT: patience, or another writer has committed and
 * the fate of this one is unknown; it may become visible yet, or have been for a while;
 * -EHOSTDOWN: this node is cut off from its cluster, or the store cannot be reached. */
int forebay_file_commit(struct forebay_file *file, uint32_t patience_s);

/* Bytes of a file where they stand in the cache, for reading without a copy. They stay until the
 * view is returned; a client that holds many leaves the daemon less to cache with. */
struct forebay_view {
    const void *bytes;
    uint64_t size;
    uint64_t lease; /* the library's */
};

/* Views the bytes from offset to the end of their block, at most `size`. Waits. At the end of the
 * file view->size is 0 and nothing is to be returned. Errors: as forebay_file_read. */
int forebay_file_view(struct forebay_file *file, uint64_t offset, uint64_t size,
                      struct forebay_view *view);
/* Gives a view back; one of no bytes is nothing to return. */
void forebay_view_return(struct forebay_client *client, const struct forebay_view *view);

struct forebay_pin; /* blocks that are kept */

/* Keeps all blocks of a file in this machine's memory for ttl_s seconds, 1 or more, reading those
 * that are not there. The pin is the
 * caller's, until one of: forebay_pin_end, which lets the blocks go, before the client is closed;
 * forebay_pin_leave, after which they stay pinned until the time is over.
 * Errors: as forebay_file_read; -EINVAL; -EFBIG: it has more blocks than one client may pin of
 * core.pins_max; -EBUSY: no more pins, or no memory now; -ENOSPC: pins have three quarters of the
 * memory. Then nothing is pinned. */
int forebay_file_pin(struct forebay_file *file, uint32_t ttl_s, struct forebay_pin **pin);
/* Ends the pin: its blocks may go. NULL: nothing. */
void forebay_pin_end(struct forebay_pin *pin);
/* Frees the struct; the blocks stay pinned until the time is over. */
void forebay_pin_leave(struct forebay_pin *pin);

/* Lets go of all cached blocks of the file, on this node and on those that hold them by their
 * keys. Only makes room: what is read next comes from the origin. Errors: the first one: -EINVAL:
 * the file is being written, or not at the origin yet; -EBUSY: a block is being read or stored. */
int forebay_file_invalidate(struct forebay_file *file);

/* A read that is not waited for. The caller fills in the first five and keeps the struct and bytes
 * until it is returned by forebay_client_wait. bytes NULL: nothing is copied: when the read has
 * ended, `lent` is where its bytes stand in the cache, until forebay_read_return. */
struct forebay_read {
    struct forebay_file *file;
    uint64_t offset;
    void *bytes;
    uint64_t size;
    void *context;        /* the caller's own */
    int64_t result;       /* as forebay_file_read; once it is returned */
    const void *lent;     /* NULL: nothing is lent */
    uint64_t internal[7]; /* the library's */
    struct forebay_read *next;
};

/* Begins a read. Any number may be in progress; they end in any order. Errors of one without bytes:
 * -EINVAL: it does not lie in one block; -EBUSY: the client holds more than 128 lent ones. */
void forebay_read_start(struct forebay_read *read);

/* Gives back what an ended read was lent, if anything, before its file is closed. */
void forebay_read_return(struct forebay_read *read);

/* The next read that has ended; NULL: none is in progress, or none has ended and is_waiting is 0.
 */
struct forebay_read *forebay_client_wait(struct forebay_client *client, int is_waiting);

/* Blocks that reads were answered with, by where they came from; source: below FOREBAY_SOURCES. */
enum { FOREBAY_SOURCES = 11 };
/* Word for a source: memory, peer, origin, ...; "?": it is none. */
const char *forebay_source_name(uint32_t source);
/* Blocks of the file's reads that came from it; 0: it is none. */
uint64_t forebay_file_source_blocks(const struct forebay_file *file, uint32_t source);

/* Where a block is, as this machine's daemon knows, and how its last read went. */
enum { FOREBAY_HOLDERS = 8 };
/* What the daemon knows of one block. */
struct forebay_block {
    uint64_t index;   /* in its file */
    int is_in_memory; /* of this machine */
    int is_on_device; /* of this machine */
    int is_coming;    /* on its way into this machine's memory */
    int is_owed;      /* acknowledged by this machine, and not known to be at the origin */
    uint32_t node;    /* this machine's */
    uint32_t owner;   /* node that others ask first; UINT32_MAX: none */
    uint32_t holder_count;
    uint32_t holders[FOREBAY_HOLDERS]; /* nodes that took it from here, and may have it still */
    int is_read;         /* its last read is among those that the daemon remembers, and was: */
    int result;          /* 0 or negative errno; -EBUSY: it was asked for again */
    uint32_t reason;     /* below FOREBAY_SOURCES */
    uint32_t source;     /* node that the bytes came from; UINT32_MAX: the origin */
    uint64_t latency_ns; /* within the daemon, whole microseconds */
    uint64_t age_ns;     /* since then */
};
/* What is told of each block; context: the caller's own. */
typedef int forebay_block_call(void *context, const struct forebay_block *block);

/* Calls `call` for each block of the file, in their order; returning other than 0 ends it. Changes
 * nothing of what is cached. Returns what the last call returned. Errors: -EINVAL: the file is
 * being written; -EBUSY; -ECONNRESET: the daemon went. */
int forebay_file_explain(struct forebay_file *file, forebay_block_call *call, void *context);

/* KV blocks: volatile, named by 128 bits. high: chain hash at the block's group, which decides
 * where it lives; low: its own chain hash. */
struct forebay_key {
    uint64_t high, low;
};

/* The key that stands for `key` in a space of its own, so that two models' equal keys do not meet.
 * space: any text; "": the key itself. Keys with the same high still live together. */
struct forebay_key forebay_kv_key(const char *space, struct forebay_key key);

/* Copies a block into the cache of this node. size: 1 to the daemon's block size.
 * Errors: -EINVAL: size; -EBUSY, -ENOSPC: no room now. */
int forebay_kv_put(struct forebay_client *client, struct forebay_key key, const void *bytes,
                   uint32_t size);

/* Copies a block of `size` bytes out of the cache, from wherever it is.
 * Errors: -ENOENT: evicted, or never there; -EINVAL: it has another size. */
int forebay_kv_get(struct forebay_client *client, struct forebay_key key, void *bytes,
                   uint32_t size);

/* The same of a KV block as forebay_file_explain; index is 0. Errors: -EBUSY, -ECONNRESET. */
int forebay_kv_explain(struct forebay_client *client, struct forebay_key key,
                       struct forebay_block *block);

/* How many of the keys, from the first on, are cached in the cluster: returns the number. count: 0
 * to 1,024. Errors: -EINVAL, -EBUSY. */
int forebay_kv_match(struct forebay_client *client, const struct forebay_key *keys, uint32_t count);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
