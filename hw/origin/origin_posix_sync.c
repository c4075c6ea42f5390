/* What makes names of a folder as origin last: a file that is synced is lost with its name when the
 * power goes, until the folder that the name is in is synced, and each folder above it.
 *
 *  1. Nothing is answered as stored, committed, made, moved or removed before that.
 *  2. A folder that is there need not last yet: who made it may not have come to it. So whoever
 *     makes names in it syncs the one above, once as long as it is known by path, inode and time of
 *     birth; where there is none, or inodes do not last, each time. */
#include "hw/origin/origin_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

int posix_folder_sync(int folder)
{
    return fsync(folder) == 0 ? 0 : -errno;
}

/* 0: it can't be known again. */
static uint64_t folder_key(const struct posix_origin *posix, int folder, const char *path)
{
    struct statx facts;
    bool is_known = posix->has_inodes &&
                    statx(folder, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &facts) == 0 &&
                    (facts.stx_mask & STATX_BTIME) != 0;
    if (!is_known)
        return 0;
    const uint64_t words[] = {XXH3_64bits(path, strlen(path)),
                              facts.stx_ino,
                              facts.stx_dev_major,
                              facts.stx_dev_minor,
                              (uint64_t)facts.stx_btime.tv_sec,
                              facts.stx_btime.tv_nsec};
    return XXH3_64bits(words, sizeof(words)) | 1;
}

int posix_entry_sync(struct posix_origin *posix, int parent, int folder, const char *path)
{
    uint64_t key = folder_key(posix, folder, path);
    _Atomic uint64_t *slot = &posix->synced[key / 2 % POSIX_SYNCED_MAX];
    if (key != 0 && atomic_load(slot) == key)
        return 0;
    int code = posix_folder_sync(parent);
    if (code == 0 && key != 0)
        atomic_store(slot, key);
    return code;
}

void posix_entries_forget(struct posix_origin *posix)
{
    for (uint32_t i = 0; i < POSIX_SYNCED_MAX; i++)
        atomic_store(&posix->synced[i], 0);
}

int posix_name_sync(struct posix_origin *posix, const char *name)
{
    int folder = posix_folders_open(posix, name, false);
    int code = folder < 0 ? folder : posix_folder_sync(folder);
    if (folder >= 0)
        close(folder);
    return code;
}
