/* Extended attributes of a file: the mount's own (version, state, and where its blocks are on this
 * machine), and those that the origin keeps. Its own are told when they are asked for, and not
 * listed: what copies a file with all its attributes would take them along, or fail to set them. */
#define FUSE_USE_VERSION 312
#include "client/fuse/operations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 160 };

static const char version_key[] = "user.forebay.version", state_key[] = "user.forebay.state",
                  blocks_key[] = "user.forebay.blocks";

/* The value's length is asked for when size is 0. */
static void reply_sized(fuse_req_t request, const char *value, size_t length, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(request, length);
    else if (size < length)
        fuse_reply_err(request, ERANGE);
    else
        fuse_reply_buf(request, value, length);
}

static int block_count(void *context, const struct forebay_block *block)
{
    struct mount_tiers *tiers = context;
    tiers->blocks++;
    tiers->memory += block->is_in_memory != 0;
    tiers->device += block->is_on_device != 0;
    tiers->neither += !block->is_in_memory && !block->is_on_device;
    tiers->owed += block->is_owed != 0;
    return 0;
}

static int blocks_format(struct mount *mount, const char *name, char value[VALUE_MAX])
{
    struct mount_tiers tiers = {.blocks = 0};
    int code = mount_explain(mount, name, block_count, &tiers);
    int length = snprintf(value, VALUE_MAX,
                          "blocks=%" PRIu64 " memory=%" PRIu64 " device=%" PRIu64
                          " neither=%" PRIu64 " owed=%" PRIu64,
                          tiers.blocks, tiers.memory, tiers.device, tiers.neither, tiers.owed);
    FB_ASSERT(length > 0);
    FB_ASSERT(length < VALUE_MAX); /* five of 20 digits */
    return code;
}

static bool is_own_key(const char *key)
{
    return strcmp(key, version_key) == 0 || strcmp(key, state_key) == 0 ||
           strcmp(key, blocks_key) == 0;
}

/* The value of a key of the mount's own; -ENODATA: this has none. */
static int value_find(struct mount *mount, const char *name, const char *key, char value[VALUE_MAX])
{
    static const char *const levels[] = {"memory", "replicated", "device", "origin"};
    static_assert(sizeof(levels) / sizeof(levels[0]) == (size_t)FOREBAY_ORIGIN + 1,
                  "each level has its word");
    struct client_look look;
    int code = name[0] != '\0' && !is_own(name) ? mount_look(mount, name, &look) : -ENODATA;
    if (code == 0 && look.attributes.mode != 0 && !S_ISREG(look.attributes.mode))
        code = -ENODATA;
    if (code != 0)
        return code == -ENOENT ? -ENODATA : code;
    if (strcmp(key, blocks_key) == 0)
        return blocks_format(mount, name, value);
    if (strcmp(key, version_key) == 0)
        snprintf(value, VALUE_MAX, "%016" PRIx64, look.facts.version);
    else
        snprintf(value, VALUE_MAX, "version=%016" PRIx64 " state=%s level=%s", look.facts.version,
                 look.facts.is_at_origin ? "origin" : "cache", levels[look.facts.level]);
    return 0;
}

/* Asks the origin for a value or for keys; text: the caller's to free. */
static int extra_ask(fuse_req_t request, fuse_ino_t inode, enum fb_change_kind kind,
                     const char *key, struct mount_text *text)
{
    char name[NAME_MAX_BYTES];
    const struct client_change change = {
        .kind = kind, .text = key, .text_size = (uint32_t)strlen(key)};
    int code = name_of(request, inode, NULL, name);
    if (code == 0)
        code = is_own(name) ? -ENODATA : mount_change(mount_of(request), name, &change, 0, text);
    return code == -EOPNOTSUPP || code == -ENOENT ? -ENODATA : code;
}

void do_getxattr(fuse_req_t request, fuse_ino_t inode, const char *key, size_t size)
{
    char name[NAME_MAX_BYTES], value[VALUE_MAX];
    struct mount_text text = {.bytes = NULL};
    int code = 0;
    if (is_own_key(key)) {
        code = name_of(request, inode, NULL, name);
        if (code == 0)
            code = value_find(mount_of(request), name, key, value);
    } else {
        code = extra_ask(request, inode, FB_CHANGE_GET_EXTRA, key, &text);
    }
    if (code != 0)
        fuse_reply_err(request, -code);
    else if (text.bytes != NULL)
        reply_sized(request, text.bytes, text.size, size);
    else
        reply_sized(request, value, strlen(value), size);
    free(text.bytes);
}

void do_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size)
{
    struct mount_text text = {.bytes = NULL};
    int code = extra_ask(request, inode, FB_CHANGE_LIST_EXTRA, "", &text);
    if (code != 0 && code != -ENODATA)
        fuse_reply_err(request, -code);
    else
        reply_sized(request, text.bytes, text.size, size);
    free(text.bytes);
}

/* Sets, or removes, one that the origin keeps. */
static int extra_change(fuse_req_t request, fuse_ino_t inode, struct client_change *change)
{
    char name[NAME_MAX_BYTES];
    int code = name_to_change(request, inode, NULL, name);
    struct mount *mount = mount_of(request);
    struct fuse_node *node = node_of(request, inode);
    if (code == 0 && is_own_key(change->text))
        code = -EPERM;
    struct mount_writer *writer =
        code == 0 && mount->is_keeping ? writer_acquire(mount, node, false) : NULL;
    if (writer != NULL) {
        code = writer_commit_new(writer);
        writer_release(writer);
    }
    attributes_seen(node, change);
    return code == 0 ? attributes_set(mount, name, change) : code;
}

void do_setxattr(fuse_req_t request, fuse_ino_t inode, const char *key, const char *value,
                 size_t size, int flags)
{
    size_t length = strlen(key) + 1;
    char *text = malloc(length + size);
    struct client_change change = {.kind = FB_CHANGE_SET_EXTRA,
                                   .flags = (uint32_t)flags,
                                   .text = text,
                                   .text_size = (uint32_t)(length + size)};
    if (text == NULL) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    memcpy(text, key, length);
    memcpy(text + length, value, size);
    fuse_reply_err(request, -extra_change(request, inode, &change));
    free(text);
}

void do_removexattr(fuse_req_t request, fuse_ino_t inode, const char *key)
{
    struct client_change change = {
        .kind = FB_CHANGE_REMOVE_EXTRA, .text = key, .text_size = (uint32_t)strlen(key)};
    fuse_reply_err(request, -extra_change(request, inode, &change));
}
