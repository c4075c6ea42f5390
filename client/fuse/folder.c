/* Listing folders: a folder is as it was when it was opened. */
#define FUSE_USE_VERSION 312
#include "client/fuse/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listing {
    struct mount *mount;
    const char *folder; /* while it is filled */
    struct listing_entry {
        char *name;
        uint32_t type; /* S_IFMT; 0: to be looked at */
    } * entries;
    uint64_t count, room;
    bool is_read; /* a part of it; from its beginning once more: rewinddir */
};

static int listing_add(void *context, const struct forebay_entry *entry)
{
    struct listing *listing = context;
    char full[NAME_MAX_BYTES + FB_OBJECT_NAME_MAX];
    FB_ASSERT(listing->count <= listing->room);
    if (entry->is_folder && entry->size_bytes > 0) {
        const char *folder = listing->folder;
        snprintf(full, sizeof(full), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", entry->name);
        both_add(listing->mount, full);
    }
    if (listing->count == listing->room) {
        uint64_t room = listing->room > 0 ? 2 * listing->room : 64;
        void *entries = realloc(listing->entries, room * sizeof(*listing->entries));
        if (entries == NULL)
            return -ENOMEM;
        listing->entries = entries;
        listing->room = room;
    }
    char *name = strdup(entry->name);
    if (name == NULL)
        return -ENOMEM;
    listing->entries[listing->count++] =
        (struct listing_entry){.name = name,
                               .type = entry->is_folder  ? S_IFDIR
                                       : entry->is_other ? 0
                                                         : S_IFREG};
    return 0;
}

/* A folder that was made here, and may be at the origin by now. */
static int listing_unless_there(void *context, const struct forebay_entry *entry)
{
    const struct listing *listing = context;
    for (uint64_t i = 0; i < listing->count; i++) {
        if (strcmp(listing->entries[i].name, entry->name) == 0)
            return 0;
    }
    return listing_add(context, entry);
}

static void listing_free(struct listing *listing)
{
    for (uint64_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    free(listing);
}

static int listing_fill(struct mount *mount, const char *name, struct listing *listing)
{
    const struct forebay_entry dots[2] = {{.name = ".", .is_folder = 1},
                                          {.name = "..", .is_folder = 1}};
    int code = 0;
    listing->mount = mount;
    listing->folder = name;
    for (uint32_t i = 0; i < 2 && code == 0; i++)
        code = listing_add(listing, &dots[i]);
    if (code == 0)
        code = mount_list(mount, name, listing_add, listing);
    if (code == 0 || (code == -ENOENT && folder_exists(mount, name)))
        code = folder_list(mount, name, listing_unless_there, listing);
    return code;
}

void do_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    char name[NAME_MAX_BYTES];
    struct listing *listing = calloc(1, sizeof(*listing));
    struct mount *mount = mount_of(request);
    struct mount_wait wait = {.is_look = true};
    int code = listing != NULL ? name_of(request, inode, NULL, name) : -ENOMEM;
    struct fuse_node *node = wait_begin_holding(request, inode, &wait);
    if (code == 0)
        code = listing_fill(mount, name, listing);
    bool is_asked = wait_end_holding(mount, node, &wait);
    info->fh = (uint64_t)(uintptr_t)listing;
    if (is_asked && code == 0 && fuse_reply_open(request, info) == 0)
        return;
    if (is_asked && code != 0)
        fuse_reply_err(request, -code);
    if (listing != NULL)
        listing_free(listing);
}

/* rewinddir wants it as it is now; what cannot be had stays as it was. */
static void listing_again(fuse_req_t request, fuse_ino_t inode, struct listing *listing)
{
    char name[NAME_MAX_BYTES];
    struct listing *now = calloc(1, sizeof(*now));
    if (now != NULL && name_of(request, inode, NULL, name) == 0 &&
        listing_fill(mount_of(request), name, now) == 0) {
        const struct listing before = *listing;
        *listing = *now;
        *now = before;
    }
    if (now != NULL)
        listing_free(now);
}

void do_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                struct fuse_file_info *info)
{
    struct listing *listing = (struct listing *)(uintptr_t)info->fh;
    struct fuse_nodes *nodes = &mount_of(request)->nodes;
    const struct fuse_node *folder = node_of(request, inode);
    char *page = malloc(size);
    size_t used = 0;
    if (page == NULL) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    if (offset == 0 && listing->is_read)
        listing_again(request, inode, listing);
    listing->is_read = true;
    for (uint64_t i = (uint64_t)offset; i < listing->count; i++) {
        const char *name = listing->entries[i].name;
        const struct stat attributes = {.st_ino = fuse_nodes_number(nodes, folder, name),
                                        .st_mode = listing->entries[i].type};
        size_t entry =
            fuse_add_direntry(request, page + used, size - used, name, &attributes, (off_t)i + 1);
        if (entry > size - used)
            break;
        used += entry;
    }
    fuse_reply_buf(request, page, used);
    free(page);
}

void do_releasedir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)inode;
    listing_free((struct listing *)(uintptr_t)info->fh);
    fuse_reply_err(request, 0);
}

/* Names are where they are kept when the call that changed them returns. */
void do_fsyncdir(fuse_req_t request, fuse_ino_t inode, int is_data, struct fuse_file_info *info)
{
    (void)inode;
    (void)is_data;
    (void)info;
    fuse_reply_err(request, 0);
}
