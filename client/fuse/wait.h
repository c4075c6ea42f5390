/* Calls of the kernel that last: who is killed is not kept waiting for a daemon; see watch.c. */
#ifndef FB_CLIENT_FUSE_WAIT_H
#define FB_CLIENT_FUSE_WAIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct forebay_client;
struct fuse_req;
struct fuse_session;
struct mount;

enum { CLIENTS_OF_WAIT = 2 }; /* a stream's, and one to read what it is made of */

/* One call, on its thread's stack. */
struct mount_wait {
    struct mount_wait *next, *before;
    struct fuse_req *request; /* NULL: nobody waits for an answer */
    int thread, process;      /* that called; 0: not known */
    uint64_t began_ns;
    bool is_looked;        /* at, without the mutex */
    bool is_answered;      /* EINTR; what it does goes on */
    bool is_look;          /* it changes nothing: nobody misses what it does; set before */
    _Atomic bool is_ended; /* it is to wait for no client, or daemon, any more */
    _Atomic bool is_cut;   /* and its connections are ended */
    struct forebay_client *clients[CLIENTS_OF_WAIT]; /* that it waits for */
};

struct mount_watch {
    pthread_mutex_t mutex;
    pthread_cond_t changed, looked;
    pthread_t thread;
    struct mount_wait *waits;
    uint32_t unseen; /* of them answered */
    bool is_begun, is_asleep, is_over;
    uint64_t ending_ns; /* the mount was told to end; 0: it was not */
};

void watch_open(struct mount_watch *watch);
/* Begins once the mount has the process that it stays in; 0 or -errno. */
int watch_begin(struct mount *mount);
/* Calls have some seconds from now on, then they are given up. */
void watch_ending(struct mount *mount);
void watch_end(struct mount *mount);

/* A call of this thread begins; request: to be answered EINTR when its caller, `thread`, is killed;
 * what it does goes on, and must need neither the request nor what the kernel may forget then. */
void wait_begin(struct mount *mount, struct mount_wait *wait, struct fuse_req *request, int thread);
/* Returns whether the request is still to be answered. */
bool wait_end(struct mount *mount, struct mount_wait *wait);

/* Of this thread's call: it waits for a client's daemon; no more. */
void wait_enter(struct mount *mount, struct forebay_client *client);
void wait_leave(struct mount *mount, const struct forebay_client *client);
bool wait_is_ended(void);
bool wait_is_cut(void);

#endif
