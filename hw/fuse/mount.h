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
};

/* Of an inode: a file, or a folder. */
struct mount_facts {
    uint64_t size, version;
    bool is_folder;
};

/* An open file: what is needed to find it again after the daemon has restarted. */
struct mount_file {
    uint64_t handle, size;
    char *text; /* a file of the mount itself; NULL: of the origin */
    char name[FB_OBJECT_NAME_MAX + 1];
};

/* Calls that meet a daemon that has gone connect again for some seconds. All return -errno. */
int mount_facts_find(struct mount *mount, const char *name, struct mount_facts *facts);
int mount_list(struct mount *mount, const char *folder, forebay_entry_call *call, void *context);
int mount_status(struct mount *mount, char **text);
int mount_file_open(struct mount *mount, const char *name, struct mount_file *file);

/* Views bytes of an open file; client: to give it back to. */
int mount_file_view(struct mount *mount, const struct mount_file *file, const uint64_t span[2],
                    struct forebay_view *view, struct forebay_client **client);

void mount_client_free(void *client);

#endif
