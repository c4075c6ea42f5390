/* See meta.h: chooses the backend and hands its tasks to threads. */
#include "hw/meta.h"

#include "core/panic.h"
#include "hw/container.h"

#include <errno.h>

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
    task->status = task->store->run(task->store, task);
}

static void task_done(struct fb_offload_task *offload)
{
    struct fb_meta_task *task = FB_CONTAINER(offload, struct fb_meta_task, offload);
    task->done(task, task->status);
}

void fb_meta_start(struct fb_meta_store *store, struct fb_meta_task *task)
{
    FB_ASSERT(store->internal != NULL);
    task->store = store;
    task->offload = (struct fb_offload_task){.run = task_run, .done = task_done};
    fb_offload_start(&store->calls, &task->offload, false);
}

enum fb_status fb_meta_probe(const struct fb_settings *settings, struct fb_error *error)
{
    struct fb_meta_store store = {.internal = NULL};
    struct fb_meta_task task = {.verb = FB_META_VERB_GET};
    errno = 0;
    backend_open(&store, settings, error);
    bool is_taken = errno == EWOULDBLOCK; /* by the daemon that runs */
    enum fb_status status = !fb_error_is_set(error) ? store.run(&store, &task)
                            : is_taken              ? FB_BUSY
                                                    : FB_IO;
    if (store.close != NULL)
        store.close(&store);
    return status;
}
