/* Plays one node's part of an experiment against a real daemon: the same YAML that `forebay run`
 * simulates, the same blocks in the same order with as many in flight, and the same names for what
 * is measured. cluster_test.py starts one a node and puts their lines together.
 *
 *     play EXPERIMENT describe                        the resolved experiment, as YAML
 *     play EXPERIMENT content                         the bytes of the fan-out's object
 *     play EXPERIMENT write|read|restore|kv NODE SOCKET START_NS    one line of JSON
 *
 * START_NS: CLOCK_MONOTONIC; all nodes begin then. Every byte that is read is compared with what
 * was written. Exit code 1: a call failed or a byte was wrong. */
#include "tests/cluster/play.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

uint64_t play_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void play_fail(const char *what, int64_t code)
{
    fprintf(stderr, "play: %s: %s\n", what, strerror((int)-code));
    exit(1);
}

void *play_allocate(uint64_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        play_fail("memory", -ENOMEM);
    return memory;
}

/* Word i of the content `salt` at byte 8 * i. */
void play_fill(void *bytes, uint64_t size, uint64_t salt, uint64_t offset)
{
    uint64_t *words = bytes;
    for (uint64_t i = 0; i < size / 8; i++)
        words[i] = fb_mix(fb_mix(salt + 1) + offset / 8 + i);
}

void play_check(const void *bytes, uint64_t size, uint64_t salt, uint64_t offset)
{
    const uint64_t *words = bytes;
    for (uint64_t i = 0; i < size / 8; i++) {
        if (words[i] == fb_mix(fb_mix(salt + 1) + offset / 8 + i))
            continue;
        fprintf(stderr, "play: wrong byte at %" PRIu64 "\n", offset + i * 8);
        exit(1);
    }
}

static void content_print(const struct fb_scenario *scenario)
{
    uint64_t size = scenario->workload.fanout.object_size_bytes, part = PLAY_PART_BYTES;
    void *bytes = play_allocate(part);
    for (uint64_t at = 0; at < size; at += part) {
        uint64_t left = size - at < part ? size - at : part;
        play_fill(bytes, left, 0, at);
        if (fwrite(bytes, 1, left, stdout) != left)
            play_fail("standard output", -errno);
    }
    free(bytes);
}

static void start_wait(uint64_t start_ns)
{
    const struct timespec start = {.tv_sec = (time_t)(start_ns / 1000000000),
                                   .tv_nsec = (long)(start_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, NULL) == EINTR)
        continue;
}

static int play_part(const char *part, struct play *play)
{
    static const struct {
        const char *name;
        void (*run)(struct play *play);
    } parts[] = {
        {"read", play_read}, {"write", play_write}, {"restore", play_restore}, {"kv", play_kv}};
    for (uint32_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(part, parts[i].name) != 0)
            continue;
        int code = forebay_client_open(play->socket, &play->client);
        if (code != 0)
            play_fail(play->socket, code);
        start_wait(play->start_ns);
        parts[i].run(play);
        forebay_client_close(play->client);
        return 0;
    }
    fprintf(stderr, "play: %s: no such part\n", part);
    return 2;
}

int main(int argc, char **argv)
{
    struct fb_scenario scenario;
    struct fb_error error = {.text = ""};
    if (argc != 3 && argc != 6) {
        fprintf(stderr,
                "play: EXPERIMENT describe|content, or EXPERIMENT PART NODE SOCKET START_NS\n");
        return 2;
    }
    fb_scenario_load(argv[1], NULL, 0, NULL, &scenario, &error);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "play: %s\n", error.text);
        return 2;
    }
    int code = 0;
    if (argc == 3 && strcmp(argv[2], "describe") == 0) {
        fputs(scenario.resolved, stdout);
    } else if (argc == 3) {
        content_print(&scenario);
    } else {
        struct play play = {.scenario = &scenario,
                            .node = (uint32_t)strtoul(argv[3], NULL, 10),
                            .socket = argv[4],
                            .start_ns = strtoull(argv[5], NULL, 10)};
        code = play_part(argv[2], &play);
    }
    fb_scenario_free(&scenario);
    return code;
}
