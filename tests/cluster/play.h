/* What the parts of play.c share. */
#ifndef FB_TESTS_CLUSTER_PLAY_H
#define FB_TESTS_CLUSTER_PLAY_H

#include "core/key.h"
#include "client/forebay.h"
#include "models/scenario/scenario.h"

#include <stdio.h>
#include <stdlib.h>

enum { PLAY_PART_BYTES = 1 << 20, PLAY_PATIENCE_S = 300 };

struct play {
    const struct fb_scenario *scenario;
    struct forebay_client *client;
    const char *socket;
    uint64_t start_ns;
    uint32_t node;
};

uint64_t play_now_ns(void);
/* Says what failed and ends the program. code: negative errno value. */
void play_fail(const char *what, int64_t code);
/* Zeroes; the caller frees them. */
void *play_allocate(uint64_t size);

/* Content whose every word tells its place; size and offset: multiples of 8. salt: which one. */
void play_fill(void *bytes, uint64_t size, uint64_t salt, uint64_t offset);
void play_check(const void *bytes, uint64_t size, uint64_t salt, uint64_t offset);

/* Each ends the program when something is wrong, else prints its line. */
void play_read(struct play *play);
void play_write(struct play *play);
void play_restore(struct play *play);
void play_kv(struct play *play);

#endif
