/* The identity of a folder as origin; see identity.h. It is written beside its place, and then has
 * a second name there, which only the first who comes can make. */
#include "hw/origin/identity.h"
#include "hw/origin/origin_posix.h"
#include "hw/origin/posix_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PRIVATE_FILE = 0600, READ_BYTES = 4096 };

static const char *name_of(const char *path)
{
    return path + sizeof(FB_OBJECT_PARTS);
}

/* Errors: -errno; -ENOENT: there is none. */
static int identity_read(int parts, struct fb_key *identity)
{
    unsigned char text[READ_BYTES];
    int file =
        openat(parts, name_of(FB_IDENTITY_FILE), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t size = file >= 0 ? read(file, text, sizeof(text)) : -1;
    int code = size < 0 ? -errno : 0;
    if (file >= 0)
        close(file);
    if (code == 0)
        *identity = fb_identity_read(text, (size_t)size);
    return code;
}

static int identity_find(struct posix_origin *posix, struct fb_key *identity)
{
    int parts = posix_parts_open(posix, false);
    if (parts < 0)
        return parts;
    int code = identity_read(parts, identity);
    close(parts);
    return code;
}

/* Errors: -errno. */
static int file_put(int parts, const char *name, struct fb_key identity)
{
    char text[FB_IDENTITY_BYTES + 1];
    fb_identity_print(identity, text);
    text[FB_IDENTITY_DIGITS] = '\n';
    unlinkat(parts, name, 0);
    int file =
        openat(parts, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, PRIVATE_FILE);
    if (file < 0)
        return -errno;
    int code = posix_write(
        file, (struct fb_bytes){.at = (unsigned char *)text, .size = FB_IDENTITY_BYTES});
    if (code == 0 && fsync(file) != 0)
        code = -errno;
    close(file);
    return code;
}

/* -EEXIST: another was first. Not every file system has links, nor a renaming that replaces
 * nothing. */
static int name_give(int parts, const char *from, const char *name)
{
    if (linkat(parts, from, parts, name, 0) == 0)
        return 0;
    if (errno == EEXIST || errno == ENOSPC || errno == EDQUOT || errno == EROFS || errno == EIO)
        return -errno;
    return renameat2(parts, from, parts, name, RENAME_NOREPLACE) == 0 ? 0
           : errno == EEXIST                                          ? -EEXIST
                                                                      : -EPERM;
}

static int identity_put(const struct fb_origin *origin)
{
    char beside[POSIX_OWN_BYTES];
    struct fb_key made;
    int parts = posix_parts_open(posix_of(origin), true);
    if (parts < 0)
        return parts;
    snprintf(beside, sizeof(beside), ".identity.%u.%d", origin->context.settings->node, getpid());
    int code = fb_identity_make(&made) ? file_put(parts, beside, made) : -EIO;
    if (code == 0)
        code = name_give(parts, beside, name_of(FB_IDENTITY_FILE));
    if (code == 0 && fsync(parts) != 0)
        code = -errno;
    unlinkat(parts, beside, 0);
    close(parts);
    return code == -EEXIST ? 0 : code;
}

int fb_identity_posix(struct fb_origin *origin, bool is_making, struct fb_key *identity)
{
    struct posix_origin *posix = posix_of(origin);
    int code = identity_find(posix, identity);
    if (code == -ENOENT && is_making) {
        code = identity_put(origin);
        if (code == 0)
            code = identity_find(posix, identity);
    }
    return code;
}

bool fb_identity_posix_is_fine(int root, const char *path, struct fb_error *error)
{
    struct fb_key identity;
    int parts = posix_own_open(root, FB_OBJECT_PARTS);
    int code = parts < 0 ? -ENOENT : identity_read(parts, &identity);
    if (parts >= 0)
        close(parts);
    if (code == 0 || code == -ENOENT)
        return true;
    fb_error_set(error,
                 "origin.path %s: " FB_IDENTITY_FILE " in it, the origin's identity, cannot be "
                 "read: %s: " FB_IDENTITY_REMEDY,
                 path, strerror(-code));
    return false;
}
