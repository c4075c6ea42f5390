/* How what was written gets to the cache, and becomes a version of its name; see writer.c. */
#define FUSE_USE_VERSION 312
#include "client/fuse/operations.h"
#include "client/fuse/writer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_BYTES = 1 << 20, PATIENCE_S = 60 };

static const unsigned char zeros[64 * 1024];

/* What was sent is lost: nobody is told otherwise from now on. */
static int fail(struct mount_writer *writer, int code)
{
    code = mount_error(code);
    if (code == -EHOSTDOWN)
        code = -EIO; /* the daemon went, and the version with it */
    if (code != 0 && writer->error == 0)
        writer->error = code;
    return writer->error;
}

static void client_drop(struct mount_writer *writer, int code)
{
    struct mount_pool *pool = &writer->mount->pool;
    pthread_mutex_lock(&pool->mutex);
    FB_ASSERT(pool->writer_count > 0);
    pool->writer_count--;
    pthread_mutex_unlock(&pool->mutex);
    mount_client_give(writer->mount, MOUNT_BYTES, NULL, writer->client, code);
    writer->client = NULL;
}

void writer_stream_end(struct mount_writer *writer, int code)
{
    if (writer->file != NULL)
        forebay_file_close(writer->file);
    writer->file = NULL;
    if (writer->client != NULL)
        client_drop(writer, code);
}

/* A place among those that send. */
static bool place_take(struct mount_pool *pool, bool is_polite)
{
    pthread_mutex_lock(&pool->mutex);
    uint32_t most =
        pool->count_max / 4 < CLIENTS_OF_WRITERS ? pool->count_max / 4 : CLIENTS_OF_WRITERS;
    bool is_free = !is_polite || pool->writer_count < most;
    pool->writer_count += is_free;
    pthread_mutex_unlock(&pool->mutex);
    return is_free;
}

/* A file of several names is one file at the origin alone: what is written by one name is there
 * before another is opened, or that would be written over what it was before. */
static enum forebay_level level_of(const struct mount_writer *writer)
{
    pthread_mutex_lock(&writer->node->mutex);
    bool is_linked = writer->node->attributes.links > 1;
    pthread_mutex_unlock(&writer->node->mutex);
    return is_linked ? FOREBAY_ORIGIN : writer->mount->options->level;
}

/* Is what the name means what the writer began with? Another's version that came since would be
 * lost under what is made of the one before. Where its origin has times of change a file may come
 * to have another version by reaching it, or by what is said of it; where it has none only what is
 * not there yet is told apart. A name that went took the file with it: what is committed now would
 * bring it back. One that is new has no name before its first commit. */
static int base_check(const struct mount_writer *writer, const char *name)
{
    struct fuse_found found;
    bool has_base = writer->base.handle != 0;
    int code = found_find(writer->mount, name, &found);
    if (code == -ENOENT)
        return has_base ? -ESTALE : 0;
    if (code != 0)
        return code;
    bool is_same = found.object.version == writer->base.version ||
                   found.object.handle == writer->base.handle ||
                   (!found.is_ahead && !found.is_told) ||
                   (found.object.size == writer->base.size &&
                    found.attributes.modified_ns == writer->base_modified_ns);
    return is_same || !has_base ? 0 : -ESTALE;
}

static int stream_try(struct mount_writer *writer, const char *name, bool is_polite)
{
    FB_ASSERT(writer->file == NULL);
    FB_ASSERT(writer->client == NULL);
    struct mount *mount = writer->mount;
    if (!place_take(&mount->pool, is_polite))
        return -EBUSY;
    int code = mount_client_take(mount, MOUNT_BYTES, NULL, &writer->client);
    if (code != 0) {
        pthread_mutex_lock(&mount->pool.mutex);
        mount->pool.writer_count--;
        pthread_mutex_unlock(&mount->pool.mutex);
        return code;
    }
    code = forebay_file_create(writer->client, name, level_of(writer), &writer->file);
    if (code == -ENOENT && writer->base.handle != 0)
        code = -ESTALE; /* the folder went, and the name with it */
    if (code == 0)
        code = base_check(writer, name);
    if (code != 0)
        writer_stream_end(writer, code);
    return code;
}

int writer_stream_begin(struct mount_writer *writer, bool is_polite)
{
    char name[NAME_MAX_BYTES];
    uint64_t began_ns = fuse_clock_ns();
    int code = fuse_nodes_name(&writer->mount->nodes, writer->node, NULL, name, sizeof(name));
    if (code != 0)
        return code;
    do {
        code = stream_try(writer, name, is_polite);
    } while (mount_may_retry(writer->mount, code, began_ns));
    return mount_error(code);
}

/* A stream's client stays its own from call to call: the one that asks it waits for it. */
static void client_enter(struct mount_writer *writer)
{
    if (writer->client != NULL)
        wait_enter(writer->mount, writer->client);
}

static void client_leave(struct mount_writer *writer)
{
    if (writer->client != NULL)
        wait_leave(writer->mount, writer->client);
}

static int window_send(struct mount_writer *writer, uint64_t keep)
{
    uint64_t part = writer->held > keep ? writer->held - keep : 0;
    int code = writer->file == NULL ? writer_stream_begin(writer, false) : 0;
    if (code != 0)
        return writer->sent > 0 ? fail(writer, code) : code;
    code = part > 0 ? forebay_file_write(writer->file, writer->window, part) : 0;
    if (code != 0) {
        writer_stream_end(writer, code);
        return fail(writer, code);
    }
    FB_ASSERT(part <= writer->held);
    memmove(writer->window, writer->window + part, writer->held - part);
    writer->sent += part;
    writer->held -= part;
    return 0;
}

int writer_window_send(struct mount_writer *writer, uint64_t keep)
{
    client_enter(writer);
    int code = window_send(writer, keep);
    client_leave(writer);
    return code;
}

int64_t writer_base_read(void *context, void *bytes, uint64_t size, uint64_t offset)
{
    struct mount_writer *writer = context;
    if (writer->client != NULL) {
        struct forebay_file file = {
            .client = writer->client, .handle = writer->base.handle, .size = writer->base.size};
        int64_t got = forebay_file_read(&file, offset, bytes, size);
        if (got >= 0)
            return got;
    }
    return mount_read(writer->mount, writer->node, &writer->base, bytes, size, offset);
}

static int zeros_send(struct mount_writer *writer, uint64_t size)
{
    int code = 0;
    while (code == 0 && size > 0) {
        uint64_t part = size < sizeof(zeros) ? size : sizeof(zeros);
        code = forebay_file_write(writer->file, zeros, part);
        size -= part;
    }
    return code;
}

/* The rest of a stream. */
static int stream_finish(struct mount_writer *writer)
{
    FB_ASSERT(writer->file != NULL);
    FB_ASSERT(writer->held <= writer->window_room);
    uint64_t end = writer->sent + writer->held;
    int code =
        writer->held > 0 ? forebay_file_write(writer->file, writer->window, writer->held) : 0;
    return code == 0 && writer->size > end ? zeros_send(writer, writer->size - end) : code;
}

static int spill_send(struct mount_writer *writer)
{
    FB_ASSERT(writer->spill != NULL);
    unsigned char *part = malloc(COPY_BYTES);
    int code = part == NULL ? -ENOMEM : 0;
    for (uint64_t at = 0; at < writer->size && code == 0;) {
        uint64_t left = writer->size - at, size = left < COPY_BYTES ? left : COPY_BYTES;
        code = spill_read(writer->spill, part, size, at);
        if (code == 0)
            code = forebay_file_write(writer->file, part, size);
        at += size;
    }
    free(part);
    return code;
}

/* What was committed is what its name means. */
static void base_learn(struct mount_writer *writer)
{
    FB_ASSERT(writer->file != NULL);
    struct fuse_node *node = writer->node;
    char name[NAME_MAX_BYTES];
    struct fuse_object now;
    writer->base = (struct fuse_object){
        .handle = writer->file->handle, .size = writer->size, .version = writer->file->version};
    writer->base_modified_ns = (int64_t)writer->file->version;
    writer_stream_end(writer, 0);
    int code = fuse_nodes_name(&writer->mount->nodes, node, NULL, name, sizeof(name));
    if (code == 0 && mount_object_open(writer->mount, name, &now) == 0 &&
        now.size == writer->base.size)
        writer->base = now;
    pthread_mutex_lock(&node->mutex);
    node->object = writer->base;
    node->pages_version = writer->base.version; /* the kernel's pages are what was written */
    pthread_mutex_unlock(&node->mutex);
}

/* Another has made the name meanwhile: it is of the version that is committed now, and as that
 * other made it; here it has been set otherwise, which was answered. */
static int attributes_say(struct mount_writer *writer, const struct client_change *made)
{
    struct client_change set = {.kind = FB_CHANGE_SET,
                                .which = FB_SET_MODE | FB_SET_OWNER | FB_SET_GROUP,
                                .attributes = made->attributes};
    char name[NAME_MAX_BYTES];
    int code = fuse_nodes_name(&writer->mount->nodes, writer->node, NULL, name, sizeof(name));
    return code == 0 ? attributes_set(writer->mount, name, &set) : code;
}

/* Commits the file, and what the mount alone knows of it. */
static int file_commit(struct mount_writer *writer)
{
    struct client_change made = {.kind = FB_CHANGE_MAKE};
    pthread_mutex_lock(&writer->node->mutex);
    made.attributes = writer->node->attributes;
    pthread_mutex_unlock(&writer->node->mutex);
    if (writer->modified_ns > made.attributes.modified_ns) {
        made.attributes.modified_ns = writer->modified_ns;
        made.attributes.changed_ns = writer->modified_ns;
    }
    bool is_taken = false;
    int code = client_commit(writer->file, PATIENCE_S, writer->is_new ? &made : NULL, &is_taken);
    if (code == 0 && writer->is_set && !is_taken)
        (void)attributes_say(writer, &made);
    writer->is_set = writer->is_set && code != 0;
    writer->is_new = writer->is_new && code != 0;
    return code;
}

static int commit_try(struct mount_writer *writer)
{
    int code = writer->file == NULL ? writer_stream_begin(writer, false) : 0;
    if (code == 0)
        code = writer->state == WRITER_SPILL ? spill_send(writer) : stream_finish(writer);
    if (code == 0)
        code = file_commit(writer);
    if (code == 0)
        base_learn(writer);
    else
        writer_stream_end(writer, code);
    return code;
}

/* Is there a name in the mount that it can be committed under? */
static bool has_name(const struct mount_writer *writer)
{
    char name[NAME_MAX_BYTES];
    return fuse_nodes_name(&writer->mount->nodes, writer->node, NULL, name, sizeof(name)) == 0;
}

int writer_commit_locked(struct mount_writer *writer)
{
    uint64_t began_ns = fuse_clock_ns();
    bool is_changed = writer->state != WRITER_CLEAN && !writer->is_copied;
    if (writer->error != 0 || !is_changed || writer->is_removed)
        return writer->error;
    bool has_sent = writer->sent > 0;
    int code;
    client_enter(writer);
    do {
        code = commit_try(writer);
    } while (!has_sent && mount_may_retry(writer->mount, code, began_ns));
    if (code == -ENOENT && !has_sent && !has_name(writer)) /* this mount removed it meanwhile */
        return 0;
    if (code != 0 && (has_sent || code == -ESTALE))
        return fail(writer, code);
    if (code != 0)
        return mount_error(code);
    uint64_t size = writer->size;
    writer_window_free(writer);
    spill_close(writer->spill);
    writer->spill = NULL;
    writer->state = WRITER_CLEAN;
    writer->size = size;
    return 0;
}

int writer_commit(struct mount_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    int code = writer_commit_locked(writer);
    pthread_mutex_unlock(&writer->mutex);
    return code;
}

/* From one file to the other, with one client; version: of what was copied. */
static int copy(struct forebay_client *client, const char *from, struct forebay_file *to,
                uint64_t *version)
{
    struct forebay_file *file;
    unsigned char *part = malloc(COPY_BYTES);
    int code = part == NULL ? -ENOMEM : forebay_file_open(client, from, &file);
    if (code != 0) {
        free(part);
        return code;
    }
    uint64_t end = forebay_file_size_bytes(file);
    *version = file->version;
    for (uint64_t at = 0; at < end && code == 0;) {
        uint64_t wanted = end - at < COPY_BYTES ? end - at : COPY_BYTES;
        int64_t got = forebay_file_read(file, at, part, wanted);
        FB_ASSERT(got <= (int64_t)wanted);
        code = got > 0 ? forebay_file_write(to, part, (uint64_t)got) : got < 0 ? (int)got : -EIO;
        at += got > 0 ? (uint64_t)got : 0;
    }
    forebay_file_close(file);
    free(part);
    return code;
}

/* Without records nothing else can tell that the source went, or was written again, meanwhile. */
static int source_check(struct forebay_client *client, const char *from, uint64_t version)
{
    struct client_look look;
    int code = client_look(client, from, &look);
    return code == 0 && look.facts.version != version ? -EAGAIN : code;
}

int writer_copy(struct mount *mount, const char *from, const char *to,
                const struct fb_attributes *seen)
{
    struct client_change moved = {.kind = FB_CHANGE_RENAME,
                                  .flags = mount->can_move ? FB_RENAME_TAKES : 0,
                                  .attributes = *seen,
                                  .text = from,
                                  .text_size = (uint32_t)strlen(from)};
    struct forebay_client *client;
    struct forebay_file *file;
    int code = mount_client_take(mount, MOUNT_BYTES, NULL, &client);
    if (code != 0)
        return mount_error(code);
    code = forebay_file_create(client, to, mount->options->level, &file);
    if (code == 0) {
        code = copy(client, from, file, &moved.attributes.number);
        if (code == 0 && !mount->can_move)
            code = source_check(client, from, moved.attributes.number);
        if (code == 0)
            code = client_commit(file, PATIENCE_S, &moved, NULL);
        forebay_file_close(file);
    }
    mount_client_give(mount, MOUNT_BYTES, NULL, client, code);
    return mount_error(code);
}
