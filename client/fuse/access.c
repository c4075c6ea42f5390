/* See access.h. */
#include "client/fuse/access.h"

#include "core/panic.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void fuse_access_open(struct fuse_access *access)
{
    pthread_mutex_init(&access->mutex, NULL);
    access->written = 0;
}

uint64_t fuse_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void fuse_access_add(struct fuse_access *access, const char *operation, const char *name,
                     const uint64_t span[2], int64_t result, uint64_t began_ns)
{
    char line[1600];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int length = snprintf(line, sizeof(line),
                          "%lld.%06ld %s %.1100s offset=%" PRIu64 " size=%" PRIu64
                          " result=%" PRId64 " us=%" PRIu64 "\n",
                          (long long)now.tv_sec, now.tv_nsec / 1000, operation, name, span[0],
                          span[1], result, (fuse_clock_ns() - began_ns) / 1000);
    FB_ASSERT(length > 0);
    FB_ASSERT((size_t)length < sizeof(line)); /* the name is cut, the rest is short */
    pthread_mutex_lock(&access->mutex);
    for (int i = 0; i < length; i++) { /* a name makes no lines of its own */
        bool is_control = i < length - 1 && (unsigned char)line[i] < ' ';
        access->text[access->written++ % FUSE_ACCESS_BYTES] = is_control ? '?' : line[i];
    }
    pthread_mutex_unlock(&access->mutex);
}

char *fuse_access_text(struct fuse_access *access, uint64_t *size)
{
    pthread_mutex_lock(&access->mutex);
    uint64_t kept = access->written < FUSE_ACCESS_BYTES ? access->written : FUSE_ACCESS_BYTES;
    uint64_t from = access->written - kept;
    while (from > 0 && from < access->written &&
           access->text[(from - 1) % FUSE_ACCESS_BYTES] != '\n')
        from++;
    char *text = malloc(kept + 1);
    for (uint64_t i = from; text != NULL && i < access->written; i++)
        text[i - from] = access->text[i % FUSE_ACCESS_BYTES];
    *size = access->written - from;
    FB_ASSERT(*size <= kept);
    pthread_mutex_unlock(&access->mutex);
    return text;
}
