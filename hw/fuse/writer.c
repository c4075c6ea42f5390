/* Files that are being written through the mount, over libforebay's create, write and commit.
 *
 *  1. A version is seen by others, whole, from its commit on. fsync commits, as does the close of a
 *     file by the process that wrote last, also when that is killed; so fsync means: as safe as the
 *     mount's --level says, under this name.
 *  2. Bytes go out in order. The last ones (TAIL_BYTES at least) stay in a window, where they may
 *     be written again; a change of earlier ones is EOPNOTSUPP, and a gap is filled with zeros.
 *  3. A change after a commit begins a new version with a copy of the old one out of the cache. A
 *     program that appends and calls fsync in turns pays for that.
 *  4. Rename commits, copies to a new version of the target's name and commits that: a reader of
 *     the target sees the old content or the new one. The source is removed last; a crash between
 *     leaves both.
 *
 *     writer: CLEAN (file NULL) --change--> CHANGED --commit--> CLEAN
 * Locks: writers_mutex for the list, then a writer's own for the rest; names change with both. */
#include "hw/fuse/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_BYTES = 16 << 20, TAIL_BYTES = 8 << 20, COPY_BYTES = 1 << 20, PATIENCE_S = 60 };

static const unsigned char zeros[64 * 1024];

static int fail(struct mount_writer *writer, int code)
{
    if (code == -ECONNRESET || code == -EPIPE)
        code = -EIO; /* the daemon went, and the version with it */
    if (code != 0 && writer->error == 0)
        writer->error = code;
    return writer->error;
}

/* Hands all but the last `keep` bytes of the window to the library. */
static int window_send(struct mount_writer *writer, uint64_t keep)
{
    uint64_t part = writer->held > keep ? writer->held - keep : 0;
    int code = part > 0 ? forebay_file_write(writer->file, writer->window, part) : 0;
    if (code != 0)
        return fail(writer, code);
    memmove(writer->window, writer->window + part, writer->held - part);
    writer->sent += part;
    writer->held -= part;
    return 0;
}

static int append(struct mount_writer *writer, const unsigned char *bytes, uint64_t size)
{
    while (size > 0) {
        if (writer->held == WINDOW_BYTES && window_send(writer, TAIL_BYTES) != 0)
            return writer->error;
        uint64_t room = WINDOW_BYTES - writer->held;
        uint64_t part = size < room ? size : room;
        memcpy(writer->window + writer->held, bytes, part);
        writer->held += part;
        bytes += part;
        size -= part;
    }
    writer->size = writer->sent + writer->held;
    return 0;
}

static int append_zeros(struct mount_writer *writer, uint64_t end)
{
    int code = 0;
    while (code == 0 && writer->sent + writer->held < end) {
        uint64_t gap = end - writer->sent - writer->held;
        code = append(writer, zeros, gap < sizeof(zeros) ? gap : sizeof(zeros));
    }
    return code;
}

static int begin(struct mount_writer *writer)
{
    int code = forebay_file_create(writer->client, writer->name, writer->level, &writer->file);
    writer->sent = 0;
    writer->held = 0;
    writer->size = 0;
    return fail(writer, code);
}

/* Appends the first `size` bytes, or all, of a committed file. */
static int copy(struct mount_writer *writer, const char *source, uint64_t size)
{
    struct forebay_file *file;
    unsigned char *part = malloc(COPY_BYTES);
    int code = part == NULL ? -ENOMEM : forebay_file_open(writer->client, source, &file);
    if (code != 0) {
        free(part);
        return fail(writer, code);
    }
    uint64_t end = forebay_file_size_bytes(file) < size ? forebay_file_size_bytes(file) : size;
    for (uint64_t at = 0; at < end && code == 0;) {
        uint64_t wanted = end - at < COPY_BYTES ? end - at : COPY_BYTES;
        int64_t got = forebay_file_read(file, at, part, wanted);
        code = got > 0 ? append(writer, part, (uint64_t)got) : got < 0 ? (int)got : -EIO;
        at += got > 0 ? (uint64_t)got : 0;
    }
    forebay_file_close(file);
    free(part);
    return fail(writer, code);
}

/* CLEAN to CHANGED: a new version with the first `size` bytes of the old one. */
static int change(struct mount_writer *writer, uint64_t size)
{
    if (writer->error != 0 || writer->file != NULL)
        return writer->error;
    bool has_old = writer->size > 0 && size > 0;
    int code = begin(writer);
    return code == 0 && has_old ? copy(writer, writer->name, size) : code;
}

static struct mount_writer *writer_new(struct mount *mount, const char *name)
{
    struct mount_writer *writer = calloc(1, sizeof(*writer));
    unsigned char *window = malloc(WINDOW_BYTES);
    if (writer == NULL || window == NULL) {
        free(writer);
        free(window);
        return NULL;
    }
    pthread_mutex_init(&writer->mutex, NULL);
    writer->window = window;
    writer->level = mount->options->level;
    snprintf(writer->name, sizeof(writer->name), "%s", name);
    return writer;
}

static void writer_free(struct mount_writer *writer)
{
    forebay_file_close(writer->file);
    forebay_client_close(writer->client);
    pthread_mutex_destroy(&writer->mutex);
    free(writer->window);
    free(writer);
}

int writer_open(struct mount *mount, const char *name, bool is_new, struct mount_writer **opened)
{
    struct mount_facts facts = {.size = 0};
    int code = is_new ? 0 : mount_facts_find(mount, name, &facts);
    if (code != 0 || (facts.is_folder && !is_new))
        return code != 0 ? code : -EISDIR;
    struct mount_writer *writer = writer_new(mount, name);
    if (writer == NULL)
        return -ENOMEM;
    code = mount_client_open(mount, &writer->client);
    if (code == 0 && is_new)
        code = begin(writer);
    if (code != 0) {
        writer_free(writer);
        return code;
    }
    writer->size = facts.size;
    writer->sent = facts.size;
    pthread_mutex_lock(&mount->writers_mutex);
    writer->next = mount->writers;
    mount->writers = writer;
    pthread_mutex_unlock(&mount->writers_mutex);
    *opened = writer;
    return 0;
}

int writer_write(struct mount_writer *writer, const void *bytes, uint64_t size, uint64_t offset)
{
    const unsigned char *from = bytes;
    pthread_mutex_lock(&writer->mutex);
    int code = size > 0 ? change(writer, UINT64_MAX) : writer->error;
    if (code == 0 && offset < writer->sent)
        code = -EOPNOTSUPP;
    if (code == 0)
        code = append_zeros(writer, offset);
    if (code == 0) {
        uint64_t at = offset - writer->sent;
        uint64_t again = writer->held - at < size ? writer->held - at : size;
        memcpy(writer->window + at, from, again);
        code = append(writer, from + again, size - again);
    }
    pthread_mutex_unlock(&writer->mutex);
    return code;
}

int writer_truncate(struct mount_writer *writer, uint64_t size)
{
    pthread_mutex_lock(&writer->mutex);
    int code = writer->error;
    if (code == 0 && size == 0 && writer->size > 0) {
        forebay_file_close(writer->file);
        writer->file = NULL;
        code = begin(writer);
    } else if (code == 0 && size != writer->size) {
        code = change(writer, size);
    }
    if (code == 0 && size < writer->sent)
        code = -EOPNOTSUPP;
    if (code == 0 && size < writer->sent + writer->held)
        writer->held = size - writer->sent;
    if (code == 0 && writer->file != NULL)
        code = append_zeros(writer, size);
    if (code == 0)
        writer->size = size;
    pthread_mutex_unlock(&writer->mutex);
    return code;
}

int64_t writer_read(struct mount_writer *writer, void *bytes, uint64_t size, uint64_t offset)
{
    pthread_mutex_lock(&writer->mutex);
    uint64_t left = offset < writer->size ? writer->size - offset : 0;
    int64_t count = (int64_t)(size < left ? size : left);
    if (count > 0 && writer->file == NULL) {
        struct forebay_file *file;
        int code = forebay_file_open(writer->client, writer->name, &file);
        count = code != 0 ? code : forebay_file_read(file, offset, bytes, (uint64_t)count);
        forebay_file_close(code == 0 ? file : NULL);
    } else if (count > 0 && offset < writer->sent) {
        count = -EOPNOTSUPP; /* not seen by anybody before the commit */
    } else if (count > 0) {
        memcpy(bytes, writer->window + (offset - writer->sent), (uint64_t)count);
    }
    pthread_mutex_unlock(&writer->mutex);
    return count;
}

/* With the mutex held. */
static int commit(struct mount_writer *writer)
{
    if (writer->error != 0 || writer->file == NULL || writer->is_removed)
        return writer->error;
    int code = window_send(writer, 0);
    if (code == 0)
        code = forebay_file_commit(writer->file, PATIENCE_S);
    if (code != 0)
        return fail(writer, code);
    forebay_file_close(writer->file);
    writer->file = NULL;
    return 0;
}

int writer_commit(struct mount_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    int code = commit(writer);
    pthread_mutex_unlock(&writer->mutex);
    return code;
}

void writer_close(struct mount *mount, struct mount_writer *writer)
{
    (void)writer_commit(writer);
    pthread_mutex_lock(&mount->writers_mutex);
    struct mount_writer **at = &mount->writers;
    while (*at != writer)
        at = &(*at)->next;
    *at = writer->next;
    pthread_mutex_unlock(&mount->writers_mutex);
    pthread_mutex_lock(&writer->mutex); /* a rename that found it in the list goes first */
    pthread_mutex_unlock(&writer->mutex);
    writer_free(writer);
}

/* With writers_mutex held. */
static struct mount_writer *writer_find(struct mount *mount, const char *name)
{
    struct mount_writer *writer = mount->writers;
    while (writer != NULL && (writer->is_removed || strcmp(writer->name, name) != 0))
        writer = writer->next;
    return writer;
}

bool writer_size(struct mount *mount, const char *name, uint64_t *size)
{
    pthread_mutex_lock(&mount->writers_mutex);
    const struct mount_writer *writer = writer_find(mount, name);
    if (writer != NULL)
        *size = writer->size;
    pthread_mutex_unlock(&mount->writers_mutex);
    return writer != NULL;
}

int writer_remove(struct mount *mount, const char *name)
{
    bool is_written = false;
    pthread_mutex_lock(&mount->writers_mutex);
    for (struct mount_writer *writer; (writer = writer_find(mount, name)) != NULL;) {
        writer->is_removed = true;
        is_written = true;
    }
    pthread_mutex_unlock(&mount->writers_mutex);
    int code = mount_remove(mount, name);
    return code == -ENOENT && is_written ? 0 : code;
}

/* A new version of `to` with the content of `from`. */
static int copy_commit(struct mount *mount, const char *from, const char *to)
{
    struct mount_writer *writer = writer_new(mount, to);
    if (writer == NULL)
        return -ENOMEM;
    int code = mount_client_open(mount, &writer->client);
    if (code == 0)
        code = begin(writer);
    if (code == 0)
        code = copy(writer, from, UINT64_MAX);
    if (code == 0)
        code = commit(writer);
    writer_free(writer);
    return code;
}

int writer_rename(struct mount *mount, const char *from, const char *to)
{
    pthread_mutex_lock(&mount->writers_mutex);
    struct mount_writer *writer = writer_find(mount, from);
    if (writer != NULL)
        pthread_mutex_lock(&writer->mutex);
    pthread_mutex_unlock(&mount->writers_mutex);
    int code = writer != NULL ? commit(writer) : 0;
    if (code == 0)
        code = copy_commit(mount, from, to);
    if (code == 0)
        code = mount_remove(mount, from);
    if (writer == NULL)
        return code;
    pthread_mutex_unlock(&writer->mutex);
    pthread_mutex_lock(&mount->writers_mutex);
    if (code == 0 && writer_find(mount, from) == writer) {
        pthread_mutex_lock(&writer->mutex);
        snprintf(writer->name, sizeof(writer->name), "%s", to);
        pthread_mutex_unlock(&writer->mutex);
    }
    pthread_mutex_unlock(&mount->writers_mutex);
    return code;
}
