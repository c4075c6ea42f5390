/* Changes of names. One whose connection is lost may have been done by a daemon that then died, and
 * is asked for again:
 *
 *  1. What is gone when it is asked for again is removed, as was wanted.
 *  2. A file that is not where it was, and is where it was to be, was moved: it is known by its
 *     number or version, or by the time of change that its commit gave it, a folder by its number.
 *     An exchange that was done is not done once more, which would undo it.
 *  3. What was to be made and is there may be another's, who made it between the two: that is
 *     EEXIST, so that of two who make a name one hears so at most. */
#include "client/fuse/mount.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* One change, until it is answered. */
struct again {
    const char *name;
    const struct client_change *change;
    struct fuse_node *node;    /* RENAME */
    struct mount_text *copied; /* what is asked for */
    bool is_unsure;            /* it was asked for before, and not answered */
};

static bool is_removal(const struct client_change *change)
{
    return change->kind == FB_CHANGE_REMOVE_FOLDER || change->kind == FB_CHANGE_REMOVE;
}

/* Is what the target names now what the node was before? */
static bool is_at_target(struct forebay_client *client, const struct again *again)
{
    struct client_look look;
    struct fuse_node *node = again->node;
    FB_ASSERT(again->change->kind == FB_CHANGE_RENAME);
    if (node == NULL || client_look(client, again->change->text, &look) != 0)
        return false;
    const struct fuse_found found = {
        .object = {look.handle, look.facts.size_bytes, look.facts.version},
        .attributes = look.attributes};
    pthread_mutex_lock(&node->mutex);
    bool is_commit = look.attributes.modified_ns > 0 &&
                     (uint64_t)look.attributes.modified_ns == node->object.version &&
                     look.facts.size_bytes == node->object.size;
    bool is_folder = S_ISDIR(look.attributes.mode) && node->type == S_IFDIR &&
                     look.attributes.number != 0 &&
                     look.attributes.number == node->attributes.number;
    bool is_it = is_folder || is_commit || fuse_node_has(node, &found);
    pthread_mutex_unlock(&node->mutex);
    return is_it;
}

/* Was a change that is asked for once more done the first time? */
static bool is_done(struct forebay_client *client, const struct again *again)
{
    struct client_look look;
    bool is_exchange = (again->change->flags & RENAME_EXCHANGE) != 0;
    if (again->change->kind != FB_CHANGE_RENAME || !is_at_target(client, again))
        return false;
    return is_exchange || client_look(client, again->name, &look) == -ENOENT;
}

static int change_once(struct forebay_client *client, struct again *again)
{
    struct client_page page;
    if (again->is_unsure && is_done(client, again))
        return 0;
    int code = client_change(client, again->name, again->change, &page);
    if (code == -ENOENT && again->is_unsure && is_removal(again->change))
        code = 0;
    again->is_unsure = again->is_unsure || mount_is_lost(code);
    struct mount_text *copied = again->copied;
    if (code != 0 || copied == NULL)
        return code;
    *copied = (struct mount_text){.bytes = malloc((size_t)page.size + 1), .size = page.size};
    if (copied->bytes == NULL)
        return -ENOMEM;
    memcpy(copied->bytes, page.at, page.size);
    copied->bytes[page.size] = '\0';
    return 0;
}

static int change(struct mount *mount, struct again *again, uint32_t patience_ms)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    uint64_t until_ns = fuse_clock_ns() + patience_ms * UINT64_C(1000000);
    int code;
    do {
        WITH_CLIENT(code, change_once(client, again));
        if (code != -EBUSY || again->name[0] == '\0')
            break;
        nanosleep(&nap, NULL);
    } while (fuse_clock_ns() < until_ns);
    return code;
}

int mount_change(struct mount *mount, const char *name, const struct client_change *asked,
                 uint32_t patience_ms, struct mount_text *page)
{
    struct again again = {.name = name, .change = asked, .copied = page};
    return change(mount, &again, patience_ms);
}

int mount_rename(struct mount *mount, const char *name, const struct client_change *asked,
                 uint32_t patience_ms, struct fuse_node *node)
{
    FB_ASSERT(asked->kind == FB_CHANGE_RENAME);
    FB_ASSERT(asked->text != NULL);
    struct again again = {.name = name, .change = asked, .node = node};
    return change(mount, &again, patience_ms);
}

static int remove_once(struct forebay_client *client, const char *name, bool *is_unsure)
{
    int code = forebay_client_remove(client, name);
    if (code == -ENOENT && *is_unsure)
        code = 0;
    *is_unsure = *is_unsure || mount_is_lost(code);
    return code;
}

int mount_remove(struct mount *mount, const char *name)
{
    bool is_unsure = false;
    int code;
    WITH_CLIENT(code, remove_once(client, name, &is_unsure));
    return code;
}
