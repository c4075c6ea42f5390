/* The last accesses through a mount as text, for .accesslog: a ring of whole lines. */
#ifndef FB_CLIENT_FUSE_ACCESS_H
#define FB_CLIENT_FUSE_ACCESS_H

#include <pthread.h>
#include <stdint.h>

enum { FUSE_ACCESS_BYTES = 256 * 1024 };

struct fuse_access {
    pthread_mutex_t mutex;
    uint64_t written; /* bytes in all; the last FUSE_ACCESS_BYTES of them are kept */
    char text[FUSE_ACCESS_BYTES];
};

void fuse_access_open(struct fuse_access *access);

/* Adds "time operation name offset size -> result duration". */
void fuse_access_add(struct fuse_access *access, const char *operation, const char *name,
                     const uint64_t span[2], int64_t result, uint64_t began_ns);

/* A copy of what is there, from the first whole line on; the caller frees it. NULL: no memory. */
char *fuse_access_text(struct fuse_access *access, uint64_t *size);

uint64_t fuse_clock_ns(void);

#endif
