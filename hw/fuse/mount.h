/* What the files of the mount share: names over a client of the thread's own. */
#ifndef FB_HW_FUSE_MOUNT_H
#define FB_HW_FUSE_MOUNT_H

#include "hw/client_internal.h"
#include "hw/fuse/access.h"
#include "hw/fuse/fuse.h"
#include "hw/fuse/node.h"

struct mount {
    const struct fb_fuse_options *options;
    struct fuse_nodes nodes;
    struct fuse_access access;
    pthread_key_t clients; /* of each thread */
    pthread_mutex_t writers_mutex;
    struct mount_writer *writers; /* files that are open for writing */
    pthread_mutex_t folders_mutex;
    char **folders; /* made here, and known to the origin once a file is in them */
    uint32_t folder_count;
};

/* Of an inode: a file, or a folder. */
struct mount_facts {
    uint64_t size, version;
    bool is_folder, is_at_origin;
    enum forebay_level level;
};

/* Where the blocks of a file are on this machine: how many of each. */
struct mount_tiers {
    uint64_t blocks, memory, device, neither, owed;
};

/* An open file: what is needed to find it again after the daemon has restarted. */
struct mount_file {
    uint64_t handle, size;
    struct mount_writer *writer; /* NULL: open for reading */
    char *text;                  /* a file of the mount itself; NULL: of the origin */
    char name[FB_OBJECT_NAME_MAX + 1];
};

/* Calls that meet a daemon that has gone connect again for some seconds. All return -errno. */
int mount_facts_find(struct mount *mount, const char *name, struct mount_facts *facts);
int mount_list(struct mount *mount, const char *folder, forebay_entry_call *call, void *context);
int mount_remove(struct mount *mount, const char *name);
/* A client beside the threads' own, for the caller to close. */
int mount_client_open(struct mount *mount, struct forebay_client **client);
int mount_explain(struct mount *mount, const char *name, forebay_block_call *call, void *context);
int mount_status(struct mount *mount, char **text);
int mount_file_open(struct mount *mount, const char *name, struct mount_file *file);

/* Views bytes of an open file; client: to give it back to. */
int mount_file_view(struct mount *mount, const struct mount_file *file, const uint64_t span[2],
                    struct forebay_view *view, struct forebay_client **client);

/* Folders that were made here. folder_list: those in a folder, but for
 * folders in them. */
int folder_add(struct mount *mount, const char *name);
bool folder_remove(struct mount *mount, const char *name);
bool folder_exists(struct mount *mount, const char *name);
int folder_list(struct mount *mount, const char *folder, forebay_entry_call *call, void *context);

void mount_client_free(void *client);

#endif
