/* Loads of coupled flows, each of a random size, 8 to 24 MiB:
 *     steady   to random peers; every host keeps so many flows open, one that ends is followed by
 *              another at once, so each completion is two events. As many as there are flows pass
 *              before time is taken, so that ends are spread evenly.
 *     burst    to random peers; every host opens so many at once; timed from the first start to the
 *              last end. Fewer and fewer are coupled: the kindest case for whoever resolves whole
 *              components.
 *     one link as steady, but all of it from host 0: one link holds every flow.
 *
 * SimGrid plays the first two through sim/engine/engine.h; of the steady load it times 512
 * completions from its 65th on. Each has a process of its own: its memory can be told, SimGrid
 * allows one engine a process, and one that takes too long is ended by an alarm wherever it is. */
#include "cli/bench/bench_fluid.h"

#include "base/memory.h"
#include "core/panic.h"
#include "core/index/random.h"
#include "sim/engine/engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SIZE_BYTES_MIN = 8 << 20,
    SIZE_BYTES_SPREAD = 16 << 20,
    TIMED_MIN = 100000,
    SIMGRID_WARM = 64,
    SIMGRID_TIMED = 512,
    SEED = 1,
};

/* Of processor time: a child is one thread that only computes; others may use the machine. */
static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Another port of the same number, on a random host. */
static uint32_t peer_of(const struct fb_fabric *fabric, struct fb_random *random, uint32_t port)
{
    uint32_t ports = fabric->ports_per_host;
    uint32_t host = (uint32_t)fb_random_below(random, fabric->host_count - 1);
    host += host >= port / ports;
    return host * ports + port % ports;
}

static uint64_t memory_now_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct fluid_loop {
    const struct fb_fluid_loop *loop;
    struct fb_fluid *fluid;
    struct fb_random random;
    uint64_t now_ns;
};

static void flow_start(struct fluid_loop *run, uint32_t port)
{
    const struct fb_fabric *fabric = &run->loop->fabric;
    uint32_t links[FB_FLUID_LINKS_MAX];
    bool is_one_link = run->loop->load == FB_LOAD_ONE_LINK;
    uint32_t source = is_one_link ? 0 : port;
    uint32_t peer = port;
    while (peer == source)
        peer = peer_of(fabric, &run->random, port);
    uint64_t hash = fb_random_next(&run->random);
    uint64_t size_bytes = SIZE_BYTES_MIN + fb_random_below(&run->random, SIZE_BYTES_SPREAD);
    uint32_t count = fb_fabric_path(fabric, source, peer, hash, links);
    fb_fluid_start(run->fluid, run->now_ns, links, count, size_bytes, 0, 1, port);
}

static void completions_pass(struct fluid_loop *run, uint64_t count)
{
    while (count > 0) {
        uint64_t cookie;
        run->now_ns = fb_fluid_next_ns(run->fluid);
        FB_ASSERT(run->now_ns < UINT64_MAX);
        for (; count > 0 && fb_fluid_take(run->fluid, run->now_ns, &cookie); count--)
            if (run->loop->load != FB_LOAD_BURST)
                flow_start(run, (uint32_t)cookie);
    }
}

static struct fb_fluid_counts counts_between(struct fb_fluid_counts before,
                                             struct fb_fluid_counts after)
{
    return (struct fb_fluid_counts){
        .resolves = after.resolves - before.resolves,
        .relaxations = after.relaxations - before.relaxations,
        .weighings = after.weighings - before.weighings,
        .tells = after.tells - before.tells,
        .moves = after.moves - before.moves,
        .fills = after.fills - before.fills,
    };
}

static void fluid_loop_play(struct fluid_loop *run, struct fb_fluid_loop_result *result)
{
    const struct fb_fabric *fabric = &run->loop->fabric;
    uint32_t ports = fabric->host_count * fabric->ports_per_host;
    uint32_t flow_count = fabric->host_count * run->loop->flows_per_host;
    double begin = clock_seconds();
    for (uint32_t i = 0; i < flow_count; i++)
        flow_start(run, i % ports);
    result->completions = flow_count;
    if (run->loop->load != FB_LOAD_BURST) {
        completions_pass(run, flow_count);
        result->completions = flow_count > TIMED_MIN ? flow_count : TIMED_MIN;
        begin = clock_seconds();
    }
    struct fb_fluid_counts before = fb_fluid_counts_get(run->fluid);
    completions_pass(run, result->completions);
    result->seconds = clock_seconds() - begin;
    result->counts = counts_between(before, fb_fluid_counts_get(run->fluid));
    result->is_complete = true;
}

static void fluid_loop_child(const struct fb_fluid_loop *loop, struct fb_fluid_loop_result *result)
{
    const struct fb_fabric *fabric = &loop->fabric;
    uint32_t link_count = fb_fabric_link_count(fabric);
    struct fluid_loop run = {.loop = loop};
    fb_random_init(&run.random, SEED);
    uint64_t *capacities = fb_allocate(link_count, sizeof(*capacities), "links", NULL);
    fb_fabric_capacities(fabric, capacities);
    uint64_t memory_before_bytes = memory_now_bytes();
    run.fluid = fb_fluid_open(capacities, link_count, fabric->host_count * loop->flows_per_host,
                              loop->tolerance);
    fluid_loop_play(&run, result);
    result->memory_bytes = memory_now_bytes() - memory_before_bytes;
    fb_fluid_close(run.fluid);
    free(capacities);
}

struct simgrid_loop {
    const struct fb_fluid_loop *loop;
    struct fb_fluid_loop_result *result;
    struct fb_engine *engine;
    struct fb_random random;
    uint64_t flow_count;
    uint64_t done;
    double begin;
};

static void simgrid_start(struct simgrid_loop *run, uint32_t host)
{
    uint32_t peer = peer_of(&run->loop->fabric, &run->random, host);
    uint64_t size_bytes = SIZE_BYTES_MIN + fb_random_below(&run->random, SIZE_BYTES_SPREAD);
    fb_engine_transfer(run->engine, host, peer, size_bytes, host);
}

static void simgrid_done(void *context, uint64_t cookie, enum fb_status status)
{
    struct simgrid_loop *run = context;
    FB_ASSERT(status == FB_OK);
    bool is_burst = run->loop->load == FB_LOAD_BURST;
    uint64_t warm = is_burst ? 0 : SIMGRID_WARM;
    uint64_t wanted = is_burst ? run->flow_count : SIMGRID_TIMED;
    run->done++;
    if (run->done == warm)
        run->begin = clock_seconds();
    if (run->done > warm) {
        run->result->completions = run->done - warm;
        run->result->seconds = clock_seconds() - run->begin;
    }
    if (run->result->completions == wanted) {
        run->result->is_complete = true;
        fb_engine_stop(run->engine);
    }
    if (!is_burst)
        simgrid_start(run, (uint32_t)cookie);
}

static void simgrid_loop_child(const struct fb_fluid_loop *loop,
                               struct fb_fluid_loop_result *result)
{
    const struct fb_fabric *fabric = &loop->fabric;
    struct simgrid_loop run = {
        .loop = loop,
        .result = result,
        .flow_count = (uint64_t)fabric->host_count * loop->flows_per_host,
    };
    fb_random_init(&run.random, SEED);
    uint32_t leaf_count = (fabric->host_count - 1) / fabric->hosts_per_leaf + 1;
    struct fb_engine_host *hosts = fb_allocate(fabric->host_count, sizeof(*hosts), "hosts", NULL);
    struct fb_engine_leaf *leaves = fb_allocate(leaf_count, sizeof(*leaves), "leaves", NULL);
    double uplink = (double)fabric->port_bytes_per_s * fabric->hosts_per_leaf;
    uint64_t leaf_bytes_per_s = (uint64_t)(uplink / fabric->leaf_oversubscription);
    for (uint32_t i = 0; i < fabric->host_count; i++)
        hosts[i] = (struct fb_engine_host){.leaf = i / fabric->hosts_per_leaf,
                                           .up_bytes_per_s = fabric->port_bytes_per_s,
                                           .down_bytes_per_s = fabric->port_bytes_per_s};
    for (uint32_t i = 0; i < leaf_count; i++)
        leaves[i] = (struct fb_engine_leaf){.up_bytes_per_s = leaf_bytes_per_s,
                                            .down_bytes_per_s = leaf_bytes_per_s};
    const struct fb_engine_network network = {.hosts = hosts,
                                              .leaves = leaves,
                                              .host_count = fabric->host_count,
                                              .leaf_count = leaf_count};
    char error[256];
    alarm(loop->seconds_max);
    run.engine = fb_engine_open(FB_ENGINE_SIMGRID, FB_FLOWS_LMM, &network, simgrid_done, &run,
                                error, sizeof(error));
    FB_ASSERT(run.engine != NULL);
    run.begin = clock_seconds();
    for (uint32_t i = 0; i < run.flow_count; i++)
        simgrid_start(&run, i % fabric->host_count);
    fb_engine_run(run.engine);
    fb_engine_close(run.engine);
    free(hosts);
    free(leaves);
}

/* Runs one of the two in a child that writes into shared memory. */
static bool child_run(const struct fb_fluid_loop *loop, struct fb_fluid_loop_result *result,
                      void (*child)(const struct fb_fluid_loop *, struct fb_fluid_loop_result *))
{
    *result = (struct fb_fluid_loop_result){.completions = 0};
    struct fb_fluid_loop_result *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return false;
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        child(loop, shared);
        _exit(0);
    }
    int status = 0;
    struct rusage usage = {.ru_maxrss = 0};
    bool is_over = process > 0 && wait4(process, &status, 0, &usage) == process;
    *result = *shared;
    result->rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    munmap(shared, sizeof(*shared));
    bool is_fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return is_over && (is_fine || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM));
}

bool fb_fluid_loop_run(const struct fb_fluid_loop *loop, struct fb_fluid_loop_result *result)
{
    return child_run(loop, result, fluid_loop_child);
}

bool fb_fluid_loop_run_simgrid(const struct fb_fluid_loop *loop,
                               struct fb_fluid_loop_result *result)
{
    return child_run(loop, result, simgrid_loop_child);
}
