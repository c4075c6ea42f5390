/* See spill.h. The local file is as long as the content, and sparse. It is cut into chunks, each of
 * which is whole here (its bit is set) or whole in the base; the first change of one brings it
 * here. Beyond the base a chunk is zeros, which a sparse file is anyway. */
#include "client/fuse/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024 };

struct mount_spill {
    int file;
    struct spill_base base; /* size: what of it counts still */
    unsigned char *is_here; /* a bit a chunk */
    uint64_t chunks;        /* that have one */
};

int spill_open(const char *folder, const struct spill_base *base, struct mount_spill **spill)
{
    FB_ASSERT(base->read != NULL || base->size == 0);
    struct mount_spill *opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return -ENOMEM;
    opened->base = *base;
    opened->file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (opened->file < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/forebay-XXXXXX", folder);
        opened->file = mkostemp(path, O_CLOEXEC);
        if (opened->file >= 0)
            unlink(path);
    }
    if (opened->file < 0) {
        int code = -errno;
        free(opened);
        return code;
    }
    *spill = opened;
    return 0;
}

void spill_close(struct mount_spill *spill)
{
    if (spill == NULL)
        return;
    close(spill->file);
    free(spill->is_here);
    free(spill);
}

static bool is_here(const struct mount_spill *spill, uint64_t chunk)
{
    return chunk < spill->chunks && (spill->is_here[chunk / 8] >> (chunk % 8) & 1) != 0;
}

static int mark(struct mount_spill *spill, uint64_t chunk)
{
    while (chunk >= spill->chunks) {
        uint64_t chunks = spill->chunks > 0 ? 2 * spill->chunks : 512;
        unsigned char *grown = realloc(spill->is_here, chunks / 8);
        if (grown == NULL)
            return -ENOMEM;
        memset(grown + spill->chunks / 8, 0, (chunks - spill->chunks) / 8);
        spill->is_here = grown;
        spill->chunks = chunks;
    }
    FB_ASSERT(chunk < spill->chunks);
    FB_ASSERT(spill->chunks % 8 == 0); /* each bit has its byte */
    spill->is_here[chunk / 8] |= (unsigned char)(1 << chunk % 8);
    return 0;
}

static int write_all(int file, const unsigned char *bytes, uint64_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t part = pwrite(file, bytes, size, (off_t)offset);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return part < 0 ? -errno : -EIO;
        bytes += part;
        size -= (uint64_t)part;
        offset += (uint64_t)part;
    }
    return 0;
}

/* Reads from here; zeros behind the file's end. */
static int here_read(const struct mount_spill *spill, unsigned char *bytes, uint64_t size,
                     uint64_t offset)
{
    while (size > 0) {
        ssize_t part = pread(spill->file, bytes, size, (off_t)offset);
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return -errno;
        if (part == 0) {
            memset(bytes, 0, size);
            return 0;
        }
        bytes += part;
        size -= (uint64_t)part;
        offset += (uint64_t)part;
    }
    return 0;
}

/* Reads from the base; zeros behind its end. */
static int base_read(const struct mount_spill *spill, unsigned char *bytes, uint64_t size,
                     uint64_t offset)
{
    uint64_t left = offset < spill->base.size ? spill->base.size - offset : 0;
    uint64_t wanted = size < left ? size : left;
    int64_t got = wanted > 0 ? spill->base.read(spill->base.context, bytes, wanted, offset) : 0;
    if (got < 0)
        return (int)got;
    FB_ASSERT((uint64_t)got <= wanted);
    if ((uint64_t)got < wanted)
        return -EIO;
    memset(bytes + wanted, 0, size - wanted);
    return 0;
}

/* Brings a chunk here, whole. */
static int chunk_take(struct mount_spill *spill, uint64_t chunk)
{
    unsigned char bytes[CHUNK_BYTES];
    uint64_t at = chunk * CHUNK_BYTES;
    int code = 0;
    if (is_here(spill, chunk))
        return 0;
    if (at < spill->base.size) {
        uint64_t left = spill->base.size - at;
        uint64_t size = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        code = base_read(spill, bytes, size, at);
        if (code == 0)
            code = write_all(spill->file, bytes, size, at);
    }
    return code == 0 ? mark(spill, chunk) : code;
}

int spill_write(struct mount_spill *spill, const void *bytes, uint64_t size, uint64_t offset)
{
    uint64_t first = offset / CHUNK_BYTES, end = offset + size;
    int code = 0;
    for (uint64_t chunk = first; code == 0 && chunk * CHUNK_BYTES < end; chunk++) {
        uint64_t at = chunk * CHUNK_BYTES;
        bool is_whole = offset <= at && at + CHUNK_BYTES <= end;
        code = is_whole ? mark(spill, chunk) : chunk_take(spill, chunk);
    }
    return code == 0 ? write_all(spill->file, bytes, size, offset) : code;
}

int spill_read(struct mount_spill *spill, void *bytes, uint64_t size, uint64_t offset)
{
    unsigned char *to = bytes;
    int code = 0;
    while (size > 0 && code == 0) {
        uint64_t chunk = offset / CHUNK_BYTES, part = CHUNK_BYTES - offset % CHUNK_BYTES;
        bool is_local = is_here(spill, chunk);
        /* As many of the same kind as there are. */
        while (part < size && is_here(spill, (offset + part) / CHUNK_BYTES) == is_local)
            part += CHUNK_BYTES;
        part = part < size ? part : size;
        code = is_local ? here_read(spill, to, part, offset) : base_read(spill, to, part, offset);
        to += part;
        offset += part;
        size -= part;
    }
    return code;
}

int spill_cut(struct mount_spill *spill, uint64_t size)
{
    uint64_t chunk = size / CHUNK_BYTES;
    struct stat facts;
    if (size < spill->base.size)
        spill->base.size = size;
    /* A chunk that is cut in two stays as it is; those behind it are zeros from now on. */
    for (uint64_t i = chunk + (size % CHUNK_BYTES > 0); i < spill->chunks; i++)
        spill->is_here[i / 8] &= (unsigned char)~(1 << i % 8);
    if (fstat(spill->file, &facts) != 0)
        return -errno;
    return (uint64_t)facts.st_size > size && ftruncate(spill->file, (off_t)size) != 0 ? -errno : 0;
}

int spill_fill(struct mount_spill *spill)
{
    int code = 0;
    for (uint64_t at = 0; at < spill->base.size && code == 0; at += CHUNK_BYTES)
        code = chunk_take(spill, at / CHUNK_BYTES);
    return code;
}
