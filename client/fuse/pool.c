/* Clients of the daemon, which a thread has for a call; see mount.h.
 *
 *  1. As many as are wanted at once are opened, up to a bound below what a daemon lets in, or to
 *     what it let in.
 *  2. A daemon that went is waited for: patience_ns from when it was first found away, for all
 *     calls together, so that a call ends in bounded time and those after it at once. Each tries.
 */
#include "client/fuse/mount.h"

#include <errno.h>
#include <time.h>

static const uint64_t patience_ns = 10000000000; /* for a daemon that restarts */
static const uint64_t answer_ns = 60000000000;   /* for one that is there, and says nothing */
static const uint64_t wait_ns = 60000000000;     /* for a client that others have */
static const long nap_ns = 50000000;

static_assert((int)CLIENTS_OF_NAMES < (int)CLIENTS_MAX / 2, "most are for bytes");
static_assert((int)CLIENTS_OF_WRITERS < (int)CLIENTS_MAX - (int)CLIENTS_OF_NAMES,
              "writers leave some to those that read");

bool mount_is_lost(int code)
{
    return code == -ECONNRESET || code == -ECONNREFUSED || code == -EPIPE || code == -ENOTCONN ||
           code == -EBADF || code == -EPROTO || code == -EHOSTUNREACH;
}

int mount_error(int code)
{
    return mount_is_lost(code) ? -EHOSTDOWN : code;
}

bool mount_may_retry(struct mount *mount, int code, uint64_t began_ns)
{
    struct mount_pool *pool = &mount->pool;
    if (!mount_is_lost(code) || wait_is_ended())
        return false;
    uint64_t now_ns = fuse_clock_ns();
    pthread_mutex_lock(&pool->mutex);
    if (pool->away_since == 0)
        pool->away_since = now_ns;
    bool is_over = now_ns - pool->away_since > patience_ns || now_ns - began_ns > patience_ns;
    pthread_mutex_unlock(&pool->mutex);
    if (is_over)
        return false;
    const struct timespec nap = {.tv_nsec = nap_ns};
    nanosleep(&nap, NULL);
    return true;
}

/* May one more be in use? With the mutex held. */
static bool has_room(const struct mount_pool *pool, enum mount_use use, const uint32_t *of_file)
{
    FB_ASSERT(pool->count_max <= CLIENTS_MAX);
    FB_ASSERT(pool->idle_count <= pool->count);
    uint32_t kept = pool->count_max / 2 < CLIENTS_OF_NAMES ? pool->count_max / 2 : CLIENTS_OF_NAMES;
    uint32_t room = pool->count_max - (use == MOUNT_BYTES ? kept : 0);
    bool is_crowded = pool->bytes_count > room / 2;
    uint32_t most = is_crowded ? 1 : CLIENTS_OF_FILE;
    if (pool->idle_count == 0 && pool->count >= pool->count_max)
        return false;
    return use == MOUNT_NAMES || (pool->bytes_count < room && (of_file == NULL || *of_file < most));
}

/* A new connection. What fails here is the way to the daemon, not what is asked of it. */
static int client_connect(struct mount *mount, struct forebay_client **client)
{
    int code = forebay_client_open(mount->options->socket, client);
    if (code == 0) {
        client_patience_set(*client, answer_ns);
        mount->is_keeping = (*client)->is_keeping;
        mount->can_move = (*client)->can_move;
    }
    bool is_ours = code == -ENOMEM || code == -EMFILE || code == -EACCES;
    return code == 0 || is_ours ? code : -EHOSTUNREACH;
}

static void uncount(struct mount_pool *pool, enum mount_use use, uint32_t *of_file)
{
    FB_ASSERT(use != MOUNT_BYTES || pool->bytes_count > 0);
    FB_ASSERT(of_file == NULL || *of_file > 0);
    pool->bytes_count -= use == MOUNT_BYTES;
    if (of_file != NULL)
        (*of_file)--;
    pthread_cond_broadcast(&pool->freed);
}

/* -EAGAIN: the daemon lets no more in than there are. */
static int client_take(struct mount *mount, enum mount_use use, uint32_t *of_file,
                       struct forebay_client **client)
{
    struct mount_pool *pool = &mount->pool;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until); /* a time of day that is set ends no wait */
    until.tv_sec += (time_t)(wait_ns / 1000000000);
    int waited = 0;
    *client = NULL;
    pthread_mutex_lock(&pool->mutex);
    while (!has_room(pool, use, of_file) && waited == 0 && !wait_is_ended())
        waited = pthread_cond_clockwait(&pool->freed, &pool->mutex, CLOCK_MONOTONIC, &until);
    bool is_free = has_room(pool, use, of_file) && !wait_is_ended();
    if (is_free) {
        pool->bytes_count += use == MOUNT_BYTES;
        if (of_file != NULL)
            (*of_file)++;
        if (pool->idle_count > 0)
            *client = pool->idle[--pool->idle_count];
        else
            pool->count++;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (!is_free)
        return -EBUSY;
    int code = *client == NULL ? client_connect(mount, client) : 0;
    if (code == 0)
        return 0;
    pthread_mutex_lock(&pool->mutex);
    FB_ASSERT(pool->count > 0);
    pool->count--;
    /* Refused, but others were let in: there are as many as the daemon lets in. */
    bool is_full = code == -EACCES && pool->count > 0;
    if (is_full)
        pool->count_max = pool->count;
    uncount(pool, use, of_file);
    pthread_mutex_unlock(&pool->mutex);
    return is_full ? -EAGAIN : code == -EACCES ? -EHOSTUNREACH : code;
}

int mount_client_take(struct mount *mount, enum mount_use use, uint32_t *of_file,
                      struct forebay_client **client)
{
    int code;
    do {
        code = client_take(mount, use, of_file, client);
    } while (code == -EAGAIN);
    if (code == 0)
        wait_enter(mount, *client);
    return code;
}

bool mount_file_leave(struct mount *mount, uint32_t *of_file, struct forebay_client *client)
{
    struct mount_pool *pool = &mount->pool;
    wait_leave(mount, client);
    pthread_mutex_lock(&pool->mutex);
    FB_ASSERT(*of_file > 0);
    (*of_file)--;
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->mutex);
    return !wait_is_cut();
}

void mount_client_give(struct mount *mount, enum mount_use use, uint32_t *of_file,
                       struct forebay_client *client, int code)
{
    struct mount_pool *pool = &mount->pool;
    struct forebay_client *dropped[CLIENTS_MAX];
    uint32_t dropped_count = 0;
    FB_ASSERT(client != NULL);
    wait_leave(mount, client);
    bool is_cut = wait_is_cut(); /* by this mount, which says nothing of the daemon */
    bool is_lost = mount_is_lost(code) || code == -ETIMEDOUT || is_cut;
    pthread_mutex_lock(&pool->mutex);
    FB_ASSERT(pool->idle_count < CLIENTS_MAX); /* it is not among them */
    if (is_lost)
        dropped[dropped_count++] = client;
    else
        pool->idle[pool->idle_count++] = client;
    while (mount_is_lost(code) && !is_cut && pool->idle_count > 0) /* theirs went, too */
        dropped[dropped_count++] = pool->idle[--pool->idle_count];
    FB_ASSERT(pool->count >= dropped_count);
    pool->count -= dropped_count;
    if (!is_lost)
        pool->away_since = 0;
    uncount(pool, use, of_file);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < dropped_count; i++)
        forebay_client_close(dropped[i]);
}
