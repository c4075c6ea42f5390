/* Reads values as fast as they come from a daemon, memcached, Redis or a file, always with the same
 * number in flight and in the same order, and prints one line of JSON. bench_real.py compares.
 *
 *     load KIND TARGET [--name OBJECT] [--count N] [--size BYTES] [--depth N] [--connections N]
 *          [--seconds S] [--seed N] [--from SOURCE] [--level N] [--lent]
 *
 * KIND: daemon, put, memcached, memcached-fill, redis, redis-fill, file-make, file-read,
 * file-write; see load.h. Exit code 1: a call failed or a value was wrong. */
#include "tests/bench/load.h"

#include "core/key.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

uint64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t processor_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

void load_fail(const char *what, int64_t code)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror((int)-code));
    exit(1);
}

void *load_allocate(uint64_t size)
{
    enum { PAGE_BYTES = 4096 };
    void *memory = aligned_alloc(PAGE_BYTES, (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
    if (memory == NULL)
        load_fail("memory", -ENOMEM);
    memset(memory, 0, size);
    return memory;
}

void load_fill(void *bytes, uint64_t size, uint64_t value)
{
    uint64_t *words = bytes;
    words[0] = value;
    for (uint64_t i = 1; i < size / 8; i++)
        words[i] = fb_mix(value) + i;
}

void load_check(const void *bytes, uint64_t size, uint64_t value)
{
    const uint64_t *words = bytes;
    uint64_t last = size / 8 - 1;
    if (words[0] == value && words[last] == fb_mix(value) + last)
        return;
    fprintf(stderr, "load: value %" PRIu64 " has other bytes\n", value);
    exit(1);
}

uint64_t load_next(struct load *load)
{
    load->seed = fb_mix(load->seed + 1);
    return load->seed % load->count;
}

void load_begin(struct load *load)
{
    load->begun_ns = load_now_ns();
    load->processor_ns = processor_ns();
}

void load_end(struct load *load)
{
    load->ended_ns = load_now_ns();
    load->processor_ns = processor_ns() - load->processor_ns;
}

void load_count(struct load *load)
{
    enum { READS_A_LOOK = 16 };
    if (load_is_over(load))
        return;
    load->reads++;
    bool is_looked = load->reads % READS_A_LOOK == 0 || load->size_bytes > 65536;
    if (is_looked && load_now_ns() - load->begun_ns >= load->duration_ns)
        load_end(load);
}

static void load_print(const struct load *load)
{
    double seconds = (double)(load->ended_ns - load->begun_ns) * 1e-9;
    printf("{\"seconds\": %.6f, \"reads\": %" PRIu64 ", \"bytes\": %" PRIu64
           ", \"begun_ns\": %" PRIu64 ", \"ended_ns\": %" PRIu64
           ", \"processor_s\": %.6f, \"expected\": %" PRIu64 "}\n",
           seconds, load->reads, load->reads * load->size_bytes, load->begun_ns, load->ended_ns,
           (double)load->processor_ns * 1e-9, load->expected);
}

static int load_run(const char *kind, struct load *load)
{
    static const struct {
        const char *name;
        void (*run)(struct load *load);
    } kinds[] = {{"daemon", load_daemon},       {"put", load_put},
                 {"memcached", load_memcached}, {"redis", load_redis},
                 {"file-read", load_file_read}, {"file-write", load_file_write},
                 {"file-make", load_file_make}};
    bool is_redis = strcmp(kind, "redis-fill") == 0;
    if (is_redis || strcmp(kind, "memcached-fill") == 0) {
        load_store_fill(load, is_redis);
        return 0;
    }
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i].name) != 0)
            continue;
        kinds[i].run(load);
        load_print(load);
        return 0;
    }
    fprintf(stderr, "load: %s: no such kind\n", kind);
    return 2;
}

static void option_take(struct load *load, int option, const char *value)
{
    switch (option) {
    case 'n':
        load->name = value;
        break;
    case 'c':
        load->count = strtoull(value, NULL, 10);
        break;
    case 'b':
        load->size_bytes = strtoull(value, NULL, 10);
        break;
    case 'd':
        load->depth = (uint32_t)strtoul(value, NULL, 10);
        break;
    case 'k':
        load->connections = (uint32_t)strtoul(value, NULL, 10);
        break;
    case 's':
        load->duration_ns = (uint64_t)(strtod(value, NULL) * 1e9);
        break;
    case 'r':
        load->seed = strtoull(value, NULL, 10);
        break;
    case 'f':
        load->from = value;
        break;
    case 't':
        load->is_lent = true;
        break;
    default:
        load->level = (uint32_t)strtoul(value, NULL, 10);
        break;
    }
}

int main(int argc, char **argv)
{
    static const struct option table[] = {{"name", required_argument, NULL, 'n'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"size", required_argument, NULL, 'b'},
                                          {"depth", required_argument, NULL, 'd'},
                                          {"connections", required_argument, NULL, 'k'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"seed", required_argument, NULL, 'r'},
                                          {"from", required_argument, NULL, 'f'},
                                          {"level", required_argument, NULL, 'l'},
                                          {"lent", no_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    struct load load = {.count = 1,
                        .size_bytes = 4096,
                        .depth = 1,
                        .connections = 1,
                        .duration_ns = 1000000000,
                        .seed = 1};
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (option == '?')
            return 2; /* it was said why */
        option_take(&load, option, optarg);
    }
    bool is_fine = argc - optind == 2 && load.count > 0 && load.size_bytes >= 16 &&
                   load.size_bytes % 8 == 0 && load.depth > 0 && load.depth <= LOAD_DEPTH_MAX &&
                   load.connections > 0 && load.connections <= load.depth &&
                   load.connections <= LOAD_CONNECTIONS_MAX;
    if (!is_fine) {
        fprintf(stderr, "load: KIND TARGET [OPTION...]; see load.c\n");
        return 2;
    }
    load.target = argv[optind + 1];
    return load_run(argv[optind], &load);
}
