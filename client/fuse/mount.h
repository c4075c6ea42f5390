/* What the files of the mount share: the mount, and calls to the daemon. */
#ifndef FB_CLIENT_FUSE_MOUNT_H
#define FB_CLIENT_FUSE_MOUNT_H

#include "client/client_internal.h"
#include "client/client_names.h"
#include "client/fuse/access.h"
#include "client/fuse/node.h"
#include "client/fuse/options.h"
#include "client/fuse/wait.h"

#include <stdatomic.h>

enum { NAME_MAX_BYTES = FB_OBJECT_NAME_MAX + 1 };

/* Clients of the daemon at once. The last ones are for names alone, so that slow reads and writes
 * do not keep look-ups waiting; a file has a few, and one when most are taken, so that one file
 * does not keep others waiting. More wait, patience_ns at most: then EBUSY. */
enum { CLIENTS_MAX = 56, CLIENTS_OF_NAMES = 12, CLIENTS_OF_FILE = 4, CLIENTS_OF_WRITERS = 16 };

enum mount_use { MOUNT_NAMES, MOUNT_BYTES };

enum { MOUNT_BOTH_PLACES = 4096 };

struct mount_pool {
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    struct forebay_client *idle[CLIENTS_MAX];
    uint32_t idle_count, count, bytes_count, writer_count;
    uint32_t count_max;  /* lower, once the daemon has refused one */
    uint64_t away_since; /* 0: the daemon answered last */
};

struct mount {
    const struct fb_fuse_options *options;
    struct fuse_nodes nodes;
    struct fuse_access access;
    struct mount_pool pool;
    struct mount_watch watch;
    double keep_s;            /* the kernel keeps names and facts this long */
    _Atomic bool is_keeping;  /* the daemon keeps what is said of objects beside their bytes */
    _Atomic bool can_move;    /* a commit can take the name away that was copied */
    _Atomic bool has_objects; /* the origin has files alone; its listings tell */
    pthread_mutex_t writers_mutex;
    struct mount_writer *writers; /* files that are open for writing */
    _Atomic uint64_t window_bytes;
    pthread_mutex_t folders_mutex;
    char **folders; /* made here, where the origin knows none: until a file is in them */
    uint32_t folder_count;
    /* Hashes of names that are those of a file and of a folder: the folder counts. Each has one
     * place, which the next one of that place takes; what is forgotten is a file until it is listed
     * again. */
    _Atomic uint64_t both[MOUNT_BOTH_PLACES];
    struct fuse_session *session;
};

/* Where the blocks of a file are on this machine: how many of each. */
struct mount_tiers {
    uint64_t blocks, memory, device, neither, owed;
};

/* pool.c. A client for calls about names, or for bytes (of `node`, which counts them; NULL: of
 * none). Waits. Errors: -EBUSY: others have them all; -EHOSTDOWN: no daemon, for some seconds now.
 */
int mount_client_take(struct mount *mount, enum mount_use use, uint32_t *of_file,
                      struct forebay_client **client);
/* code: what the last call with it said; one that lost its daemon is closed. */
void mount_client_give(struct mount *mount, enum mount_use use, uint32_t *of_file,
                       struct forebay_client *client, int code);
/* Nothing is asked of the client any more, which stays taken; it counts no more for its file, which
 * may go. false: its connection was ended, and what it was told may not hold. */
bool mount_file_leave(struct mount *mount, uint32_t *of_file, struct forebay_client *client);
/* Does a call's code say that the daemon went, or stopped answering? */
bool mount_is_lost(int code);
/* A lost call: may it be tried again? Naps. `began_ns`: of the first try. */
bool mount_may_retry(struct mount *mount, int code, uint64_t began_ns);
/* -errno as a program is to hear it: a daemon that is away is no file that is absent. */
int mount_error(int code);

/* X: a call with `client`, whose -errno goes to code; again while the daemon is away. */
#define WITH_CLIENT(code, X) \
    do { \
        uint64_t began_ns = fuse_clock_ns(); \
        do { \
            struct forebay_client *client; \
            (code) = mount_client_take(mount, MOUNT_NAMES, NULL, &client); \
            if ((code) != 0) \
                continue; \
            (code) = (X); \
            mount_client_give(mount, MOUNT_NAMES, NULL, client, (int)(code)); \
        } while (mount_may_retry(mount, (int)(code), began_ns)); \
        (code) = mount_error((int)(code)); \
    } while (0)

/* calls.c. All return -errno. */
int mount_look(struct mount *mount, const char *name, struct client_look *look);
int mount_list(struct mount *mount, const char *folder, forebay_entry_call *call, void *context);
int mount_folder_find(struct mount *mount, const char *folder); /* client_folder_find */
int mount_explain(struct mount *mount, const char *name, forebay_block_call *call, void *context);
int mount_status(struct mount *mount, char **text);
int mount_object_open(struct mount *mount, const char *name, struct fuse_object *object);

/* again.c: what is done once, also when it is asked for again. */
int mount_remove(struct mount *mount, const char *name);

/* A change; page: a copy of what is asked for, the caller's to free; NULL: none is. patience_ms:
 * for what is committed and not at the origin yet; then -EBUSY. */
struct mount_text {
    char *bytes;
    uint32_t size;
};
int mount_change(struct mount *mount, const char *name, const struct client_change *change,
                 uint32_t patience_ms, struct mount_text *page);
/* A change that gives a file another name. node: the one that has it now; NULL: it is not known. */
int mount_rename(struct mount *mount, const char *name, const struct client_change *change,
                 uint32_t patience_ms, struct fuse_node *node);
enum { MOUNT_PATIENCE_MS = 60000 };

/* Copies bytes of a file's version; fewer at its end. A daemon that has forgotten the object is
 * told its name; -ESTALE: that means another by now, or nothing. */
int64_t mount_read(struct mount *mount, struct fuse_node *node, const struct fuse_object *object,
                   void *bytes, uint64_t size, uint64_t offset);

/* The same, lent: to be given back, also when its node is gone. Ends with its block. */
struct mount_lent {
    struct forebay_client *client;
    struct forebay_view view;
};
int mount_lend(struct mount *mount, struct fuse_node *node, const struct fuse_object *object,
               const uint64_t span[2], struct mount_lent *lent);
void mount_lent_give(struct mount *mount, struct mount_lent *lent);

/* Folders that were made where the origin has none, and those that these are in. folder_list: those
 * in a folder; one may come several times. */
int folder_add(struct mount *mount, const char *name);
bool folder_remove(struct mount *mount, const char *name);
bool folder_exists(struct mount *mount, const char *name);
int folder_list(struct mount *mount, const char *folder, forebay_entry_call *call, void *context);

/* A listing showed that a folder hides an object of its name. */
void both_add(struct mount *mount, const char *name);
bool both_is(struct mount *mount, const char *name);

#endif
