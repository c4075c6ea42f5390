/* See offload.h. The workers share one list; on two cores there are one or two of them. */
#include "hw/base/offload.h"

#include "core/panic.h"
#include "hw/base/container.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xxhash.h>
#ifdef FB_HAVE_XXH_DISPATCH
#include <xxh_x86dispatch.h> /* from here on XXH3_64bits is the widest that this processor has */
#endif

uint64_t fb_digest(const unsigned char *bytes, uint64_t size)
{
    return XXH3_64bits(bytes, size);
}

static void list_append(struct fb_offload_list *list, struct fb_offload_task *task)
{
    task->next = NULL;
    if (list->tail != NULL)
        list->tail->next = task;
    else
        list->head = task;
    list->tail = task;
}

static struct fb_offload_task *list_take(struct fb_offload_list *list)
{
    struct fb_offload_task *task = list->head;
    if (task == NULL)
        return NULL;
    list->head = task->next;
    if (list->head == NULL)
        list->tail = NULL;
    return task;
}

void fb_offload_digest(struct fb_offload_task *task)
{
    task->digest = fb_digest(task->bytes.at, task->bytes.size);
}

void fb_offload_copy(struct fb_offload_task *task)
{
    memcpy(task->bytes.at, task->source, task->bytes.size);
}

/* Under the mutex: the task has ended, the loop is told. */
static void ended_append(struct fb_offload *offload, struct fb_offload_task *task)
{
    const uint64_t one = 1;
    bool is_first = offload->ended.head == NULL;
    list_append(&offload->ended, task);
    if (is_first && write(offload->event, &one, sizeof(one)) != sizeof(one))
        FB_ASSERT(errno == EAGAIN);
}

void fb_offload_post(struct fb_offload *offload, struct fb_offload_task *task)
{
    pthread_mutex_lock(&offload->mutex);
    ended_append(offload, task);
    pthread_mutex_unlock(&offload->mutex);
}

static void *worker_run(void *context)
{
    struct fb_offload *offload = context;
    pthread_mutex_lock(&offload->mutex);
    while (!offload->is_stopping) {
        struct fb_offload_task *task = list_take(&offload->todo);
        if (task == NULL) {
            pthread_cond_wait(&offload->has_work, &offload->mutex);
            continue;
        }
        pthread_mutex_unlock(&offload->mutex);
        task->run(task);
        pthread_mutex_lock(&offload->mutex);
        ended_append(offload, task);
    }
    pthread_mutex_unlock(&offload->mutex);
    return NULL;
}

/* Something ended on a worker. */
static void event_done(struct fb_io *io, int32_t result)
{
    struct fb_offload *offload = FB_CONTAINER(io, struct fb_offload, io);
    uint64_t count;
    if (result == -ECANCELED || offload->threads == NULL) /* closed since: nobody waits */
        return;
    if (read(offload->event, &count, sizeof(count)) < 0)
        FB_ASSERT(errno == EAGAIN);
    pthread_mutex_lock(&offload->mutex);
    struct fb_offload_list ended = offload->ended;
    offload->ended = (struct fb_offload_list){.head = NULL};
    pthread_mutex_unlock(&offload->mutex);
    fb_uring_poll(offload->uring, &offload->io, offload->event);
    for (struct fb_offload_task *task = list_take(&ended); task != NULL; task = list_take(&ended))
        task->done(task);
}

int fb_offload_open(struct fb_offload *offload, struct fb_uring *uring, uint32_t workers)
{
    *offload = (struct fb_offload){.uring = uring};
    pthread_mutex_init(&offload->mutex, NULL);
    pthread_cond_init(&offload->has_work, NULL);
    offload->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    offload->threads = calloc(workers > 0 ? workers : 1, sizeof(*offload->threads));
    if (offload->event < 0 || offload->threads == NULL)
        return -ENOMEM;
    for (; offload->thread_count < workers; offload->thread_count++) {
        pthread_t *thread = &offload->threads[offload->thread_count];
        if (pthread_create(thread, NULL, worker_run, offload) != 0)
            return -EAGAIN;
    }
    fb_io_init(&offload->io, event_done);
    fb_uring_poll(uring, &offload->io, offload->event);
    return 0;
}

void fb_offload_close(struct fb_offload *offload)
{
    if (offload->threads == NULL)
        return;
    pthread_mutex_lock(&offload->mutex);
    offload->is_stopping = true;
    pthread_cond_broadcast(&offload->has_work);
    pthread_mutex_unlock(&offload->mutex);
    for (uint32_t i = 0; i < offload->thread_count; i++)
        pthread_join(offload->threads[i], NULL);
    free(offload->threads);
    offload->threads = NULL;
    close(offload->event);
    pthread_cond_destroy(&offload->has_work);
    pthread_mutex_destroy(&offload->mutex);
}

void fb_offload_start(struct fb_offload *offload, struct fb_offload_task *task, bool is_small)
{
    if (offload->thread_count == 0 || is_small) {
        task->run(task);
        list_append(&offload->own, task);
        return;
    }
    pthread_mutex_lock(&offload->mutex);
    list_append(&offload->todo, task);
    pthread_cond_signal(&offload->has_work);
    pthread_mutex_unlock(&offload->mutex);
}

uint32_t fb_offload_finish(struct fb_offload *offload)
{
    uint32_t count = 0;
    struct fb_offload_list ended = offload->own;
    offload->own = (struct fb_offload_list){.head = NULL};
    for (struct fb_offload_task *task = list_take(&ended); task != NULL; task = list_take(&ended)) {
        task->done(task);
        count++;
    }
    return count;
}
