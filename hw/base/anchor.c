/* See anchor.h. */
#include "hw/base/anchor.h"

#include "core/panic.h"
#include "hw/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A block device is what it stands for: nodes for it are made anew at each boot. */
static void identity_take(struct fb_anchor *anchor, const struct stat *facts)
{
    bool is_block = S_ISBLK(facts->st_mode);
    anchor->special = is_block ? facts->st_rdev : 0;
    anchor->device = is_block ? 0 : facts->st_dev;
    anchor->number = is_block ? 0 : facts->st_ino;
}

void fb_anchor_set(struct fb_anchor *anchor, const char *setting, const char *path, int file)
{
    struct stat facts;
    FB_ASSERT(file >= 0);
    FB_ASSERT(path != NULL);
    anchor->setting = setting;
    anchor->path = path;
    anchor->file = file;
    atomic_store(&anchor->below, NULL);
    atomic_store(&anchor->fault, 0);
    if (fstat(file, &facts) == 0)
        identity_take(anchor, &facts);
    else
        anchor->setting = NULL;
}

void fb_anchor_keep(struct fb_anchor *anchor, const char *below)
{
    atomic_store(&anchor->below, below);
}

/* What others have put in the way is told by who goes there. */
static int below_look(struct fb_anchor *anchor)
{
    const char *below = atomic_load(&anchor->below);
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    if (below == NULL)
        return 0;
    int file = (int)syscall(SYS_openat2, anchor->file, below, &how, sizeof(how));
    if (file < 0)
        return errno == ENOENT ? ENODATA : errno == ELOOP || errno == ENOTDIR ? 0 : errno;
    close(file);
    return 0;
}

static int look(struct fb_anchor *anchor)
{
    struct fb_anchor now;
    struct stat facts;
    if (stat(anchor->path, &facts) != 0)
        return errno;
    identity_take(&now, &facts);
    bool is_same = now.device == anchor->device && now.number == anchor->number &&
                   now.special == anchor->special;
    return is_same ? below_look(anchor) : ESTALE;
}

/* This process could not look, which says nothing of what is there; EAGAIN: something was renamed
 * while the path was followed. */
static bool is_unlooked(int fault)
{
    return fault == EMFILE || fault == ENFILE || fault == ENOMEM || fault == EINTR ||
           fault == EAGAIN;
}

int fb_anchor_look(struct fb_anchor *anchor)
{
    if (anchor->setting == NULL)
        return 0;
    int fault = look(anchor);
    if (is_unlooked(fault))
        return atomic_load(&anchor->fault);
    int before = atomic_exchange(&anchor->fault, fault);
    char path[FB_LOG_QUOTE_MAX];
    if (fault != 0 && before != fault)
        fb_log(FB_LOG_ERROR, "path_moved",
               "setting=%s path=%s reason=\"%s\" effect=\"what would rest on it is refused\" "
               "remedy=\"put back what was there, or start the daemon again\"",
               anchor->setting, fb_log_quote(anchor->path, path), fb_anchor_reason(fault));
    if (fault == 0 && before != 0)
        fb_log(FB_LOG_INFO, "path_back", "setting=%s path=%s", anchor->setting,
               fb_log_quote(anchor->path, path));
    return fault;
}

int fb_anchor_fault(const struct fb_anchor *anchor)
{
    return anchor->setting != NULL ? atomic_load(&anchor->fault) : 0;
}

const char *fb_anchor_reason(int fault)
{
    return fault == ESTALE    ? "another one than was opened is there"
           : fault == ENODATA ? "its identity is not in it any more: it is another one, or emptied"
                              : strerror(fault);
}
