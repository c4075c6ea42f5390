/* Who is killed while the daemon, or the origin behind it, is silent waits no minute for it:
 *
 *  1. The kernel lets a killed process end only when its call is answered, and tells of no signal
 *     that comes while the process ends. So it is looked at: a call that lasts has its caller's
 *     /proc entry read, four times a second.
 *  2. A call of one that is killed is answered EINTR; its thread goes on with what it does, and
 *     holds all that it needs for it. At most UNSEEN_MAX do so: the next wait.
 *  3. What only looks, and waits for a client of the daemon, gets none any more. One that has a
 *     client keeps it: the daemon keeps a session as long as a read is under way in it, and has few
 *     for one process. A page that is read ahead for one that went, and that another waits for, is
 *     asked for again by that.
 *  4. A process that goes on sees no signal in this: its call is done, or has failed, for what it
 *     hears.
 *  5. A mount that was told to end ends all connections after a while. */
#define FUSE_USE_VERSION 312
#include "client/fuse/wait.h"

#include "client/fuse/mount.h"
#include "client/fuse/process.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

enum { UNSEEN_MAX = 64 };

static const uint64_t look_ns = 250000000;      /* between two looks */
static const uint64_t grace_ns = 1000000000;    /* for what a killed process has under way */
static const uint64_t ending_ns = 30000000000u; /* for what a mount has that ends */

static _Thread_local struct mount_wait *current;

void watch_open(struct mount_watch *watch)
{
    pthread_mutex_init(&watch->mutex, NULL);
    pthread_cond_init(&watch->changed, NULL);
    pthread_cond_init(&watch->looked, NULL);
}

/* The calls of a wait to the daemon end. With the mutex held. */
static void wait_cut(struct mount_wait *wait)
{
    wait->is_ended = true;
    wait->is_cut = true;
    for (uint32_t i = 0; i < CLIENTS_OF_WAIT; i++) {
        if (wait->clients[i] != NULL)
            (void)shutdown(wait->clients[i]->socket, SHUT_RDWR);
    }
}

/* Looks at a caller; with the mutex held, but not meanwhile. Returns whether it is to wait for no
 * client any more. */
static bool wait_look(struct mount_watch *watch, struct mount_wait *wait, uint64_t now_ns)
{
    wait->is_looked = true;
    pthread_mutex_unlock(&watch->mutex);
    if (wait->process == 0)
        wait->process = process_of(wait->thread);
    bool is_killed = process_is_killed(wait->thread);
    /* Nobody waits in the kernel for what is read ahead: its thread may be gone. */
    bool is_gone = !is_killed && wait->is_look && wait->process != 0 &&
                   (!process_exists(wait->process) || process_is_killed(wait->process));
    pthread_mutex_lock(&watch->mutex);
    wait->is_looked = false;
    pthread_cond_broadcast(&watch->looked);
    if (now_ns - wait->began_ns < grace_ns)
        return false;
    if (is_killed && watch->unseen < UNSEEN_MAX) {
        fuse_reply_err(wait->request, EINTR);
        wait->is_answered = true;
        watch->unseen++;
    }
    wait->is_ended = wait->is_ended || (wait->is_look && (is_killed || is_gone));
    return wait->is_ended;
}

/* Those that wait for a client look again whether they shall. */
static void pool_wake(struct mount_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->mutex);
}

/* With the mutex held. */
static void waits_look(struct mount *mount)
{
    struct mount_watch *watch = &mount->watch;
    uint64_t now_ns = fuse_clock_ns();
    bool is_any = false;
    if (watch->ending_ns == 0 && fuse_session_exited(mount->session))
        watch->ending_ns = now_ns;
    bool is_late = watch->ending_ns != 0 && now_ns - watch->ending_ns >= ending_ns;
    for (struct mount_wait *wait = watch->waits; wait != NULL; wait = wait->next) {
        if (is_late && !wait->is_cut) {
            wait_cut(wait);
            is_any = true;
        }
        bool is_long = now_ns - wait->began_ns >= look_ns;
        if (is_long && wait->thread != 0 && !wait->is_answered)
            is_any = wait_look(watch, wait, now_ns) || is_any;
    }
    pthread_mutex_unlock(&watch->mutex);
    if (is_any)
        pool_wake(&mount->pool);
    pthread_mutex_lock(&watch->mutex);
}

static void *watch_run(void *context)
{
    struct mount *mount = context;
    struct mount_watch *watch = &mount->watch;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->is_over) {
        struct timespec until;
        watch->is_asleep = watch->waits == NULL;
        if (watch->is_asleep) {
            pthread_cond_wait(&watch->changed, &watch->mutex);
            watch->is_asleep = false;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)look_ns;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!watch->is_over)
            pthread_cond_clockwait(&watch->changed, &watch->mutex, CLOCK_MONOTONIC, &until);
        waits_look(mount);
    }
    pthread_mutex_unlock(&watch->mutex);
    return NULL;
}

int watch_begin(struct mount *mount)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are for the thread that waits for them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = -pthread_create(&mount->watch.thread, NULL, watch_run, mount);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    mount->watch.is_begun = code == 0;
    return code;
}

void watch_ending(struct mount *mount)
{
    pthread_mutex_lock(&mount->watch.mutex);
    if (mount->watch.ending_ns == 0)
        mount->watch.ending_ns = fuse_clock_ns();
    pthread_mutex_unlock(&mount->watch.mutex);
}

void watch_end(struct mount *mount)
{
    struct mount_watch *watch = &mount->watch;
    if (!watch->is_begun)
        return;
    pthread_mutex_lock(&watch->mutex);
    watch->is_over = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    (void)pthread_join(watch->thread, NULL);
}

/* Who was killed, and answered so, has its next calls answered at once. With the mutex held. */
static bool is_known_killed(const struct mount_watch *watch, const struct mount_wait *wait)
{
    const struct mount_wait *other = watch->unseen > 0 ? watch->waits : NULL;
    while (other != NULL && !(other->is_answered && other->thread == wait->thread))
        other = other->next;
    return other != NULL;
}

void wait_begin(struct mount *mount, struct mount_wait *wait, struct fuse_req *request, int thread)
{
    struct mount_watch *watch = &mount->watch;
    *wait = (struct mount_wait){.request = request,
                                .thread = request != NULL ? thread : 0,
                                .is_look = wait->is_look,
                                .began_ns = fuse_clock_ns()};
    pthread_mutex_lock(&watch->mutex);
    bool is_known = is_known_killed(watch, wait);
    if (is_known)
        wait->began_ns -= grace_ns;
    wait->next = watch->waits;
    if (wait->next != NULL)
        wait->next->before = wait;
    watch->waits = wait;
    if (watch->is_asleep || is_known)
        pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    current = wait;
}

bool wait_end(struct mount *mount, struct mount_wait *wait)
{
    struct mount_watch *watch = &mount->watch;
    current = NULL;
    pthread_mutex_lock(&watch->mutex);
    while (wait->is_looked)
        pthread_cond_wait(&watch->looked, &watch->mutex);
    if (wait->next != NULL)
        wait->next->before = wait->before;
    if (wait->before != NULL)
        wait->before->next = wait->next;
    else
        watch->waits = wait->next;
    watch->unseen -= wait->is_answered;
    pthread_mutex_unlock(&watch->mutex);
    return !wait->is_answered;
}

void wait_enter(struct mount *mount, struct forebay_client *client)
{
    struct mount_wait *wait = current;
    if (wait == NULL)
        return;
    wait_leave(mount, client); /* it is in one place */
    pthread_mutex_lock(&mount->watch.mutex);
    uint32_t i = 0;
    while (i < CLIENTS_OF_WAIT && wait->clients[i] != NULL)
        i++;
    if (i < CLIENTS_OF_WAIT)
        wait->clients[i] = client;
    if (wait->is_cut)
        (void)shutdown(client->socket, SHUT_RDWR);
    pthread_mutex_unlock(&mount->watch.mutex);
}

void wait_leave(struct mount *mount, const struct forebay_client *client)
{
    struct mount_wait *wait = current;
    if (wait == NULL)
        return;
    pthread_mutex_lock(&mount->watch.mutex);
    for (uint32_t i = 0; i < CLIENTS_OF_WAIT; i++) {
        if (wait->clients[i] == client)
            wait->clients[i] = NULL;
    }
    pthread_mutex_unlock(&mount->watch.mutex);
}

bool wait_is_ended(void)
{
    return current != NULL && current->is_ended;
}

bool wait_is_cut(void)
{
    return current != NULL && current->is_cut;
}
