/* Files that are open for writing, over libforebay's create, write and commit. A file has one
 * writer in a mount, whoever has it open; reads through the mount see what it holds.
 *
 *  1. A version is seen by other nodes, whole, from its commit on. fsync commits, as does the close
 *     of an open file by a process that wrote through it (close.c), also when that is killed; so
 *     fsync means: as safe as the mount's --level says, under this name.
 *  2. A file that is written from its beginning goes to the cache while it is written: all but its
 *     last bytes (the window), which may be written again.
 *  3. What is changed elsewhere goes to a local file (spill.c) beside the version that is changed;
 *     the commit makes a new version of both. A stream that turns out to be such a file is
 *     committed first.
 *  4. What a commit could not do for want of a daemon is kept and tried again by the next one,
 *     unless bytes had been sent to that daemon: they are lost, and everybody who writes on, syncs
 *     or closes hears EIO. So does who lost against another writer: ESTALE.
 *
 *     CLEAN --write, truncate--> STREAM --elsewhere--> SPILL
 *       ^----------------------commit----'----------------'
 * Locks: writers_mutex for the list, then none; a writer's own for its content. */
#include "client/fuse/writer.h"

#include "client/fuse/writer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    WINDOW_BYTES = 16 << 20,
    TAIL_BYTES = 8 << 20,
    WINDOW_FIRST_BYTES = 256 << 10,
    HOLE_GIB_MAX = 64
};

static_assert((int)TAIL_BYTES < (int)WINDOW_BYTES, "sending all but the tail makes room");
static_assert((int)WINDOW_FIRST_BYTES <= (int)WINDOW_BYTES, "the first window is one");

static const uint64_t windows_bytes_max = UINT64_C(512) << 20; /* of all files of a mount */

int64_t writer_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

struct mount_writer *writer_acquire(struct mount *mount, struct fuse_node *node, bool is_new)
{
    pthread_mutex_lock(&mount->writers_mutex);
    struct mount_writer *writer = node->writer;
    if (writer == NULL && is_new && (writer = calloc(1, sizeof(*writer))) != NULL) {
        pthread_mutex_init(&writer->mutex, NULL);
        pthread_mutex_lock(&node->mutex);
        writer->mount = mount;
        writer->node = node;
        writer->base = node->object;
        writer->base_modified_ns = node->attributes.modified_ns;
        writer->size = node->object.size;
        node->writer = writer;
        pthread_mutex_unlock(&node->mutex);
        fuse_nodes_hold(&mount->nodes, node);
        writer->next = mount->writers;
        mount->writers = writer;
    }
    FB_ASSERT(writer == NULL || writer->node == node);
    if (writer != NULL)
        writer->users++;
    pthread_mutex_unlock(&mount->writers_mutex);
    return writer;
}

struct mount_writer *writer_hold(struct mount_writer *writer)
{
    pthread_mutex_lock(&writer->mount->writers_mutex);
    writer->users++;
    pthread_mutex_unlock(&writer->mount->writers_mutex);
    return writer;
}

void writer_window_free(struct mount_writer *writer)
{
    FB_ASSERT(writer->mount->window_bytes >= writer->window_room);
    FB_ASSERT((writer->window == NULL) == (writer->window_room == 0));
    writer->mount->window_bytes -= writer->window_room;
    free(writer->window);
    writer->window = NULL;
    writer->window_room = 0;
    writer->held = 0;
    writer->sent = 0;
}

/* Nothing is left of what was not committed. */
static void content_drop(struct mount_writer *writer)
{
    writer_stream_end(writer, 0);
    writer_window_free(writer);
    spill_close(writer->spill);
    writer->spill = NULL;
    writer->state = WRITER_CLEAN;
}

/* One user less; false: it is the last one, and stays. */
static bool user_leave(struct mount_writer *writer)
{
    struct mount *mount = writer->mount;
    pthread_mutex_lock(&mount->writers_mutex);
    FB_ASSERT(writer->users > 0);
    bool is_last = writer->users == 1;
    writer->users -= !is_last;
    pthread_mutex_unlock(&mount->writers_mutex);
    return !is_last;
}

void writer_release(struct mount_writer *writer)
{
    struct mount *mount = writer->mount;
    if (user_leave(writer))
        return;
    (void)writer_commit(writer);
    pthread_mutex_lock(&mount->writers_mutex);
    bool is_last = --writer->users == 0; /* nobody came meanwhile */
    if (is_last) {
        struct mount_writer **at = &mount->writers;
        while (*at != writer) {
            FB_ASSERT(*at != NULL);
            at = &(*at)->next;
        }
        *at = writer->next;
        pthread_mutex_lock(&writer->node->mutex);
        FB_ASSERT(writer->node->writer == writer);
        writer->node->writer = NULL;
        pthread_mutex_unlock(&writer->node->mutex);
    }
    pthread_mutex_unlock(&mount->writers_mutex);
    if (!is_last)
        return;
    content_drop(writer);
    fuse_nodes_forget(&mount->nodes, writer->node, 1);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

static int spill_begin(struct mount_writer *writer, const struct fuse_object *base)
{
    FB_ASSERT(writer->spill == NULL);
    FB_ASSERT(writer->state != WRITER_SPILL);
    const struct spill_base from = {
        .read = writer_base_read, .context = writer, .size = base != NULL ? base->size : 0};
    int code = spill_open(writer->mount->options->spill, &from, &writer->spill);
    if (code == 0)
        writer->state = WRITER_SPILL;
    return code;
}

/* STREAM to SPILL. */
static int spill_turn(struct mount_writer *writer)
{
    FB_ASSERT(writer->state == WRITER_STREAM);
    int code = 0;
    uint64_t size = writer->size;
    if (writer->sent > 0 || writer->file != NULL) {
        code = writer->is_removed ? -ESTALE : writer_commit_locked(writer);
        return code == 0 ? spill_begin(writer, &writer->base) : code;
    }
    code = spill_begin(writer, NULL);
    if (code == 0 && writer->held > 0)
        code = spill_write(writer->spill, writer->window, writer->held, 0);
    if (code != 0) {
        spill_close(writer->spill);
        writer->spill = NULL;
        writer->state = WRITER_STREAM;
        return code;
    }
    writer_window_free(writer);
    writer->size = size;
    return 0;
}

/* CLEAN to what the first change wants. */
static int change_begin(struct mount_writer *writer, bool is_emptied)
{
    if (writer->base.size > 0 && !is_emptied)
        return spill_begin(writer, &writer->base);
    writer->state = WRITER_STREAM;
    writer->sent = 0;
    writer->held = 0;
    return 0;
}

/* Makes room in the window for a byte more; the stream may have turned. */
static int room_make(struct mount_writer *writer)
{
    FB_ASSERT(writer->held == writer->window_room);
    uint64_t room = writer->window_room > 0 ? 2 * writer->window_room : WINDOW_FIRST_BYTES;
    bool is_fine =
        writer->window_room == 0 || writer->mount->window_bytes + room <= windows_bytes_max;
    if (room <= WINDOW_BYTES && is_fine) {
        unsigned char *grown = realloc(writer->window, room);
        if (grown == NULL)
            return -ENOMEM;
        writer->mount->window_bytes += room - writer->window_room;
        writer->window = grown;
        writer->window_room = room;
        return 0;
    }
    if (writer->file == NULL && writer_stream_begin(writer, true) == -EBUSY)
        return spill_turn(writer);
    return writer_window_send(writer, room > WINDOW_BYTES ? TAIL_BYTES : writer->held / 2);
}

/* Takes the first of the bytes into the window: returns how many, 0: the stream turned, or gaps
 * were filled; or -errno. */
static int64_t stream_put(struct mount_writer *writer, const unsigned char *bytes, uint64_t size,
                          uint64_t offset)
{
    FB_ASSERT(writer->held <= writer->window_room);
    uint64_t end = writer->sent + writer->held;
    if (offset < writer->sent || offset > end + TAIL_BYTES)
        return spill_turn(writer);
    uint64_t at = offset - writer->sent;
    if (at < writer->held) {
        uint64_t again = writer->held - at < size ? writer->held - at : size;
        memcpy(writer->window + at, bytes, again);
        return (int64_t)again;
    }
    if (writer->held == writer->window_room)
        return room_make(writer);
    uint64_t room = writer->window_room - writer->held;
    if (offset > end) {
        uint64_t gap = offset - end < room ? offset - end : room;
        memset(writer->window + writer->held, 0, gap);
        writer->held += gap;
        return 0;
    }
    uint64_t part = size < room ? size : room;
    memcpy(writer->window + writer->held, bytes, part);
    writer->held += part;
    return (int64_t)part;
}

/* Some of the bytes; how many, or -errno. */
static int64_t put(struct mount_writer *writer, const unsigned char *bytes, uint64_t size,
                   uint64_t offset)
{
    int code = 0;
    switch (writer->state) {
    case WRITER_CLEAN:
        return change_begin(writer, false);
    case WRITER_STREAM:
        return stream_put(writer, bytes, size, offset);
    case WRITER_SPILL:
        writer->is_copied = false;
        code = spill_write(writer->spill, bytes, size, offset);
        return code == 0 ? (int64_t)size : code;
    }
    return -EIO;
}

/* A hole is sent as zeros: what would take hours, and fill the origin, is no file for a cache. */
static int hole_check(const struct mount_writer *writer, uint64_t end)
{
    bool is_fine = end <= writer->size || end - writer->size <= (uint64_t)HOLE_GIB_MAX << 30;
    return is_fine ? 0 : -EFBIG;
}

int writer_write(struct mount_writer *writer, const void *bytes, uint64_t size, uint64_t offset)
{
    const unsigned char *from = bytes;
    pthread_mutex_lock(&writer->mutex);
    int code = writer->error != 0 ? writer->error : hole_check(writer, offset);
    while (code == 0 && size > 0) {
        int64_t part = put(writer, from, size, offset);
        code = part < 0 ? (int)part : 0;
        uint64_t done = part > 0 ? (uint64_t)part : 0;
        FB_ASSERT(done <= size);
        from += done;
        offset += done;
        size -= done;
        if (done > 0 && offset > writer->size)
            writer->size = offset;
    }
    writer->modified_ns = writer_wall_ns();
    pthread_mutex_unlock(&writer->mutex);
    return code;
}

/* Of a stream: what is behind the window's end is zeros, and sent with the commit. */
static int stream_cut(struct mount_writer *writer, uint64_t size)
{
    FB_ASSERT(writer->state == WRITER_STREAM);
    if (size >= writer->sent + writer->held)
        return 0;
    if (size >= writer->sent) {
        writer->held = size - writer->sent;
        return 0;
    }
    if (size == 0) {
        writer_stream_end(writer, 0);
        writer->sent = 0;
        writer->held = 0;
        return 0;
    }
    int code = spill_turn(writer);
    return code == 0 ? spill_cut(writer->spill, size) : code;
}

int writer_truncate(struct mount_writer *writer, uint64_t size)
{
    pthread_mutex_lock(&writer->mutex);
    int code = writer->error != 0 ? writer->error : hole_check(writer, size);
    bool is_change = size != writer->size;
    if (code == 0 && is_change && writer->state == WRITER_CLEAN)
        code = change_begin(writer, size == 0);
    if (code == 0 && is_change && writer->state == WRITER_STREAM)
        code = stream_cut(writer, size);
    else if (code == 0 && is_change)
        code = spill_cut(writer->spill, size);
    if (code == 0) {
        writer->is_copied = writer->is_copied && !is_change;
        writer->size = size;
        writer->modified_ns = writer_wall_ns();
    }
    pthread_mutex_unlock(&writer->mutex);
    return code;
}

/* Of the window, and zeros behind it. */
static void window_read(const struct mount_writer *writer, unsigned char *bytes, uint64_t size,
                        uint64_t offset)
{
    FB_ASSERT(offset >= writer->sent);
    uint64_t at = offset - writer->sent;
    uint64_t left = at < writer->held ? writer->held - at : 0;
    uint64_t part = size < left ? size : left;
    if (part > 0)
        memcpy(bytes, writer->window + at, part);
    memset(bytes + part, 0, size - part);
}

int64_t writer_read(struct mount_writer *writer, void *bytes, uint64_t size, uint64_t offset)
{
    pthread_mutex_lock(&writer->mutex);
    uint64_t left = offset < writer->size ? writer->size - offset : 0;
    int64_t code = 0, count = (int64_t)(size < left ? size : left);
    if (count > 0 && writer->state == WRITER_STREAM && offset < writer->sent)
        code = writer->error != 0 ? writer->error : spill_turn(writer);
    const struct fuse_object base = writer->base;
    if (count > 0 && code == 0 && writer->state == WRITER_STREAM)
        window_read(writer, bytes, (uint64_t)count, offset);
    else if (count > 0 && code == 0 && writer->state == WRITER_SPILL)
        code = spill_read(writer->spill, bytes, (uint64_t)count, offset);
    bool is_clean = writer->state == WRITER_CLEAN;
    pthread_mutex_unlock(&writer->mutex);
    if (count > 0 && code == 0 && is_clean)
        return mount_read(writer->mount, writer->node, &base, bytes, (uint64_t)count, offset);
    return code == 0 ? count : code;
}

int writer_begin_empty(struct mount_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    int code = writer->state == WRITER_CLEAN ? change_begin(writer, true) : 0;
    writer->is_new = writer->base.handle == 0;
    pthread_mutex_unlock(&writer->mutex);
    return code;
}

int writer_commit_new(struct mount_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    int code = writer->is_new ? writer_commit_locked(writer) : 0;
    pthread_mutex_unlock(&writer->mutex);
    return code;
}

int writer_commit_empty(struct mount_writer *writer)
{
    int code = writer_begin_empty(writer);
    return code == 0 ? writer_commit(writer) : code;
}

void writer_rebase(struct mount_writer *writer, const struct fuse_object *object)
{
    pthread_mutex_lock(&writer->mutex);
    if (writer->state != WRITER_STREAM && writer->base.size == object->size)
        writer->base = *object;
    pthread_mutex_lock(&writer->node->mutex);
    writer->base_modified_ns = writer->node->attributes.modified_ns;
    pthread_mutex_unlock(&writer->node->mutex);
    pthread_mutex_unlock(&writer->mutex);
}

/* Copies the version that is open; one that cannot be copied is read while it is cached. */
static void base_copy(struct mount_writer *writer)
{
    FB_ASSERT(writer->state == WRITER_CLEAN);
    int code = spill_begin(writer, &writer->base);
    if (code == 0)
        code = spill_fill(writer->spill);
    writer->is_copied = code == 0;
    if (code == 0)
        return;
    spill_close(writer->spill);
    writer->spill = NULL;
    writer->state = WRITER_CLEAN;
}

/* The version that it began with is going: takes it over, unless that is more than it is worth. */
static void content_keep(struct mount_writer *writer)
{
    enum { KEEP_BYTES_MAX = 256 << 20 };
    int code = 0;
    bool is_small = writer->size <= KEEP_BYTES_MAX;
    if (writer->state == WRITER_STREAM && writer->sent > 0 && is_small)
        code = spill_turn(writer);
    if (writer->state == WRITER_CLEAN && writer->base.size > 0 && is_small)
        base_copy(writer);
    else if (code == 0 && writer->state == WRITER_SPILL && is_small)
        code = spill_fill(writer->spill);
    if (code != 0 && writer->error == 0)
        writer->error = code;
    writer->is_removed = true;
}

/* A removed file's content is here alone: it stays for those that have it open, if only to read. */
static void content_hold(struct mount *mount, struct mount_writer *writer)
{
    pthread_mutex_lock(&mount->writers_mutex);
    writer->users += !writer->is_kept && writer->node->opens > 0;
    writer->is_kept = writer->is_kept || writer->node->opens > 0;
    pthread_mutex_unlock(&mount->writers_mutex);
}

void writer_let_go(struct mount *mount, struct fuse_node *node)
{
    pthread_mutex_lock(&mount->writers_mutex);
    struct mount_writer *writer = node->writer;
    bool is_kept = writer != NULL && writer->is_kept;
    if (is_kept)
        writer->is_kept = false;
    pthread_mutex_unlock(&mount->writers_mutex);
    if (is_kept)
        writer_release(writer);
}

void writer_remove(struct mount *mount, struct fuse_node *parent, const char *child)
{
    struct fuse_node *node = fuse_nodes_find(&mount->nodes, parent, child);
    bool is_open = node != NULL && node->type == S_IFREG && node->opens > 0;
    struct mount_writer *writer = node != NULL ? writer_acquire(mount, node, is_open) : NULL;
    if (writer != NULL) {
        pthread_mutex_lock(&writer->mutex);
        content_keep(writer);
        pthread_mutex_unlock(&writer->mutex);
        content_hold(mount, writer);
        writer_release(writer);
    }
    if (node != NULL)
        fuse_nodes_forget(&mount->nodes, node, 1);
}

void writer_remain(struct mount *mount, struct fuse_node *parent, const char *child)
{
    struct fuse_node *node = fuse_nodes_find(&mount->nodes, parent, child);
    struct mount_writer *writer = node != NULL ? writer_acquire(mount, node, false) : NULL;
    if (writer != NULL) {
        pthread_mutex_lock(&writer->mutex);
        writer->is_removed = false;
        pthread_mutex_unlock(&writer->mutex);
        writer_let_go(mount, node);
        writer_release(writer);
    }
    if (node != NULL)
        fuse_nodes_forget(&mount->nodes, node, 1);
}

int writers_lock(struct mount *mount, struct fuse_node *node, struct writers_locked *locked)
{
    int code = 0;
    *locked = (struct writers_locked){.list = NULL};
    pthread_mutex_lock(&mount->writers_mutex);
    uint32_t room = 0;
    for (struct mount_writer *writer = mount->writers; writer != NULL; writer = writer->next)
        room++;
    locked->list = calloc(room + 1, sizeof(struct mount_writer *));
    for (struct mount_writer *writer = mount->writers; writer != NULL; writer = writer->next) {
        if (locked->list == NULL || !fuse_nodes_is_below(&mount->nodes, writer->node, node))
            continue;
        FB_ASSERT(locked->count < room);
        writer->users++;
        locked->list[locked->count++] = writer;
    }
    pthread_mutex_unlock(&mount->writers_mutex);
    for (uint32_t i = 0; i < locked->count; i++) {
        pthread_mutex_lock(&locked->list[i]->mutex);
        if (code == 0)
            code = writer_commit_locked(locked->list[i]);
    }
    return locked->list == NULL ? -ENOMEM : code;
}

void writers_unlock(struct writers_locked *locked)
{
    for (uint32_t i = locked->count; i-- > 0;) {
        pthread_mutex_unlock(&locked->list[i]->mutex);
        writer_release(locked->list[i]);
    }
    free(locked->list);
}
