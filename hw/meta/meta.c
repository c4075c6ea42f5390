/* See meta.h: chooses the backend and hands its tasks to threads. */
#include "hw/meta/meta_backend.h"

#include "client/protocol/local_protocol.h"
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

static const uint64_t look_pause_ns = 500000000;

struct fb_key fb_name_key(const char *name, uint32_t length)
{
    XXH128_hash_t hash = XXH3_128bits(name, length);
    return (struct fb_key){.high = hash.high64, .low = hash.low64};
}

uint32_t fb_meta_text_write(const struct fb_meta_name *name,
                            const struct fb_meta_attributes *attributes,
                            char text[FB_META_TEXT_MAX])
{
    uint32_t length = name->length;
    FB_ASSERT(length <= FB_OBJECT_NAME_MAX && attributes->length <= FB_META_ATTRIBUTES_MAX);
    memcpy(text, name->text, length);
    if (attributes->length == 0)
        return length;
    text[length] = '\0';
    memcpy(text + length + 1, attributes->bytes, attributes->length);
    return length + 1 + attributes->length;
}

void fb_meta_text_read(const char *text, uint32_t length, struct fb_meta_attributes *attributes)
{
    const char *end = memchr(text, '\0', length);
    uint32_t rest = end != NULL ? length - (uint32_t)(end - text) - 1 : 0;
    attributes->length = rest <= FB_META_ATTRIBUTES_MAX ? rest : 0;
    memcpy(attributes->bytes, text + length - rest, attributes->length);
}

bool fb_meta_has_part(const struct fb_meta_name *name)
{
    const char *slash = memrchr(name->text, '/', name->length);
    const char *part = slash != NULL ? slash + 1 : name->text;
    return name->length - (uint32_t)(part - name->text) <= FB_META_PART_MAX;
}

struct fb_key fb_meta_folder(const struct fb_meta_name *name, const char **part)
{
    const char *slash = memrchr(name->text, '/', name->length);
    *part = slash != NULL ? slash + 1 : name->text;
    FB_ASSERT(name->length - (uint32_t)(*part - name->text) <= FB_META_PART_MAX);
    return fb_name_key(name->text, slash != NULL ? (uint32_t)(slash - name->text) : 0);
}

bool fb_meta_entry_is_fine(const struct fb_meta_name *entry)
{
    mode_t type = entry->type;
    bool is_type = type == S_IFDIR || type == S_IFLNK || type == S_IFIFO || type == S_IFSOCK ||
                   type == S_IFCHR || type == S_IFBLK;
    return is_type && entry->length <= FB_META_PART_MAX &&
           memchr(entry->text, '/', entry->length) == NULL &&
           fb_object_name_is_fine(entry->text, entry->length) &&
           !fb_local_name_is_own(entry->text, entry->length);
}

void fb_meta_name_read(struct fb_meta_name *name, const char *text, uint32_t length)
{
    const char *end = memchr(text, '\0', length);
    uint32_t found = end != NULL ? (uint32_t)(end - text) : length;
    name->is_bad =
        !fb_object_name_is_fine(text, found) || !fb_key_equal(fb_name_key(text, found), name->key);
    name->length = found < FB_OBJECT_NAME_MAX ? found : FB_OBJECT_NAME_MAX;
    memcpy(name->text, text, name->length);
    name->text[name->length] = '\0';
}

static void backend_open(struct fb_meta_store *store, const struct fb_settings *settings,
                         struct fb_error *error)
{
    switch (settings->metadata.kind) {
    case FB_METADATA_NONE:
        return;
    case FB_METADATA_LMDB:
        fb_meta_lmdb_open(store, settings, error);
        return;
    case FB_METADATA_ETCD:
        fb_meta_etcd_open(store, settings, error);
        return;
    }
}

void fb_meta_open(struct fb_meta_store *store, struct fb_uring *uring,
                  const struct fb_settings *settings, struct fb_error *error)
{
    *store = (struct fb_meta_store){.internal = NULL};
    if (settings->metadata.kind == FB_METADATA_NONE)
        return;
    backend_open(store, settings, error);
    if (fb_error_is_set(error))
        return;
    bool is_etcd = settings->metadata.kind == FB_METADATA_ETCD;
    uint32_t threads = is_etcd ? FB_META_ETCD_THREADS : FB_META_LMDB_THREADS;
    if (fb_offload_open(&store->calls, uring, threads) != 0)
        fb_error_set(error, "metadata: cannot start %u threads", threads);
}

void fb_meta_close(struct fb_meta_store *store)
{
    fb_offload_close(&store->calls);
    if (store->close != NULL)
        store->close(store);
    store->close = NULL;
    store->internal = NULL;
}

static void task_run(struct fb_offload_task *offload)
{
    struct fb_meta_task *task = FB_CONTAINER(offload, struct fb_meta_task, offload);
    struct fb_meta_store *store = task->store;
    bool is_put = task->verb == FB_META_VERB_PUT;
    int fault = is_put ? fb_anchor_look(&store->anchor) : fb_anchor_fault(&store->anchor);
    task->status = fault == 0 ? store->run(store, task) : FB_REFUSED;
    if (is_put && fault == 0 && fb_anchor_look(&store->anchor) != 0)
        task->status = FB_IO; /* it may have been done where nobody finds it */
}

static void task_done(struct fb_offload_task *offload)
{
    struct fb_meta_task *task = FB_CONTAINER(offload, struct fb_meta_task, offload);
    struct fb_meta_store *store = task->store;
    bool is_told = task->verb == FB_META_VERB_PUT;
    if (is_told && task->status == FB_FULL && store->full_ns == 0)
        store->full_ns = fb_clock_ns();
    else if (is_told && task->status == FB_OK)
        store->full_ns = 0;
    task->done(task, task->status);
}

void fb_meta_start(struct fb_meta_store *store, struct fb_meta_task *task)
{
    FB_ASSERT(store->internal != NULL);
    FB_ASSERT(task->done != NULL);
    task->store = store;
    task->offload = (struct fb_offload_task){.run = task_run, .done = task_done};
    if (!store->is_held || task->passes_hold) {
        fb_offload_start(&store->calls, &task->offload, false);
        return;
    }
    task->next = NULL;
    if (store->held_tail != NULL)
        store->held_tail->next = task;
    else
        store->held_head = task;
    store->held_tail = task;
}

static struct fb_meta_task *held_take(struct fb_meta_store *store)
{
    struct fb_meta_task *first = store->held_head;
    store->held_head = store->held_tail = NULL;
    return first;
}

void fb_meta_release(struct fb_meta_store *store)
{
    store->is_held = false;
    for (struct fb_meta_task *task = held_take(store), *next; task != NULL; task = next) {
        next = task->next;
        fb_offload_start(&store->calls, &task->offload, false);
    }
}

void fb_meta_held_end(struct fb_meta_store *store, enum fb_status status)
{
    for (struct fb_meta_task *task = held_take(store), *next; task != NULL; task = next) {
        next = task->next;
        task->done(task, status);
    }
}

static void look_run(struct fb_offload_task *offload)
{
    (void)fb_anchor_look(&FB_CONTAINER(offload, struct fb_meta_store, look)->anchor);
}

static void look_done(struct fb_offload_task *offload)
{
    FB_CONTAINER(offload, struct fb_meta_store, look)->is_looking = false;
}

void fb_meta_sweep(struct fb_meta_store *store, uint64_t now_ns)
{
    if (store->anchor.setting == NULL || store->is_looking || now_ns < store->look_ns)
        return;
    store->is_looking = true;
    store->look_ns = now_ns + look_pause_ns;
    store->look = (struct fb_offload_task){.run = look_run, .done = look_done};
    fb_offload_start(&store->calls, &store->look, false);
}

enum fb_status fb_meta_probe(const struct fb_settings *settings, struct fb_meta_task *task,
                             struct fb_error *error)
{
    struct fb_meta_store store = {.internal = NULL};
    errno = 0;
    backend_open(&store, settings, error);
    bool is_taken = errno == EWOULDBLOCK; /* by the daemon that runs */
    enum fb_status status = !fb_error_is_set(error) ? store.run(&store, task)
                            : is_taken              ? FB_BUSY
                                                    : FB_IO;
    if (store.close != NULL)
        store.close(&store);
    return status;
}
