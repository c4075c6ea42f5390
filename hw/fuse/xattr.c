/* Extended attributes of a file: version, state, and where its blocks are on this machine. */
#define FUSE_USE_VERSION 312
#include "hw/fuse/operations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_MAX = 160 };

static const char keys[] = "user.forebay.version\0user.forebay.state\0user.forebay.blocks";
static const char version_key[] = "user.forebay.version", state_key[] = "user.forebay.state",
                  blocks_key[] = "user.forebay.blocks";

static struct mount *mount_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

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
    snprintf(value, VALUE_MAX,
             "blocks=%" PRIu64 " memory=%" PRIu64 " device=%" PRIu64 " neither=%" PRIu64
             " owed=%" PRIu64,
             tiers.blocks, tiers.memory, tiers.device, tiers.neither, tiers.owed);
    return code;
}

/* The value of a key; -ENODATA: there is no such key. */
static int value_find(struct mount *mount, const char *name, const char *key, char value[VALUE_MAX])
{
    static const char *const levels[] = {"memory", "replicated", "device", "origin"};
    struct mount_facts facts = {.size = 0};
    bool is_known = strcmp(key, version_key) == 0 || strcmp(key, state_key) == 0 ||
                    strcmp(key, blocks_key) == 0;
    int code = is_known && !is_own(name) ? mount_facts_find(mount, name, &facts) : -ENODATA;
    if (code == 0 && facts.is_folder)
        code = -ENODATA;
    if (code != 0)
        return code;
    if (strcmp(key, blocks_key) == 0)
        return blocks_format(mount, name, value);
    if (strcmp(key, version_key) == 0)
        snprintf(value, VALUE_MAX, "%016" PRIx64, facts.version);
    else
        snprintf(value, VALUE_MAX, "version=%016" PRIx64 " state=%s level=%s", facts.version,
                 facts.is_at_origin ? "origin" : "cache", levels[facts.level]);
    return 0;
}

void do_getxattr(fuse_req_t request, fuse_ino_t inode, const char *key, size_t size)
{
    struct mount *mount = mount_of(request);
    char name[NAME_MAX_BYTES], value[VALUE_MAX];
    int code = fuse_nodes_name(&mount->nodes, inode, NULL, name, sizeof(name))
                   ? value_find(mount, name, key, value)
                   : -ENOENT;
    if (code != 0)
        fuse_reply_err(request, -code);
    else
        reply_sized(request, value, strlen(value), size);
}

void do_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size)
{
    (void)inode;
    reply_sized(request, keys, sizeof(keys), size);
}
