/* The fluid network against SimGrid's CM02, both behind sim/engine/engine.h: random scripts (open
 * loop: flows start at given dates) with hosts that die and come back, ports that change capacity
 * and caps of a host's flows. What fails must be the same, and completion times must agree.
 *
 * SimGrid 3.32 never lets a flow go faster than the slowest link of its path was when it started,
 * even when that link recovers. So no bytes are sent from or to a port while it is slow; flows that
 * were on their way see it slow down and recover.
 *
 * How: each script is played by SimGrid in a child process, since it allows one engine a process,
 * and by the plain engine here. "large" as argument: up to 2,048 hosts, which takes minutes.
 * Ends with 77 when this build has no SimGrid. */
#include "tests/support/unit.h"

#include "sim/engine/engine.h"
#include "tests/sim/fluid_script.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMER = 1u << 31 }; /* cookies: a flow, or a timer of an event */

static bool is_large;

enum host_event_kind { HOST_DOWN, HOST_UP, HOST_SLOW, HOST_FAST };

struct host_event {
    uint64_t date_ns;
    uint32_t host;
    enum host_event_kind kind;
};

struct play {
    const struct script *script;
    const struct host_event *host_events;
    uint32_t host_event_count;
    uint32_t host_count;
    struct fb_engine *engine;
    bool *is_slow;     /* by host */
    uint64_t *done_ns; /* by flow; 0: it failed */
    uint32_t ended_count;
};

static void host_event_apply(struct play *play, const struct host_event *event)
{
    play->is_slow[event->host] = event->kind == HOST_SLOW;
    switch (event->kind) {
    case HOST_DOWN:
    case HOST_UP:
        fb_engine_set_up(play->engine, event->host, event->kind == HOST_UP);
        break;
    case HOST_SLOW:
        fb_engine_set_capacity(play->engine, event->host, SCRIPT_HOST_BYTES_PER_S / 4,
                               SCRIPT_HOST_BYTES_PER_S / 8);
        break;
    case HOST_FAST:
        fb_engine_set_capacity(play->engine, event->host, SCRIPT_HOST_BYTES_PER_S,
                               SCRIPT_HOST_BYTES_PER_S);
        break;
    }
}

static void on_due(void *context, uint64_t cookie, enum fb_status status)
{
    struct play *play = context;
    if (cookie < TIMER) {
        play->ended_count++;
        if (status == FB_OK)
            play->done_ns[cookie] = fb_engine_now_ns(play->engine);
        return;
    }
    uint32_t index = (uint32_t)(cookie - TIMER);
    if (index >= play->script->event_count) {
        host_event_apply(play, &play->host_events[index - play->script->event_count]);
        return;
    }
    uint32_t flow = play->script->events[index].target;
    const struct script_flow *path = &play->script->flows[flow];
    uint32_t source = path->links[0] / 2;
    uint32_t target = path->links[path->link_count - 1] / 2;
    bool is_slow = play->is_slow[source] || play->is_slow[target];
    fb_engine_transfer(play->engine, source, target, is_slow ? 0 : path->size_bytes, flow);
}

static void play_run(struct play *play, enum fb_engine_kind kind, enum fb_engine_flows flows,
                     bool has_caps)
{
    const struct script *script = play->script;
    uint32_t leaf_count = (play->host_count + SCRIPT_RACK - 1) / SCRIPT_RACK;
    struct fb_engine_host *hosts = calloc(play->host_count, sizeof(*hosts));
    struct fb_engine_leaf *leaves = calloc(leaf_count, sizeof(*leaves));
    for (uint32_t i = 0; i < play->host_count; i++)
        hosts[i] = (struct fb_engine_host){
            .leaf = i / SCRIPT_RACK,
            .up_bytes_per_s = script->link_bytes_per_s[2 * i],
            .down_bytes_per_s = script->link_bytes_per_s[2 * i + 1],
            .flow_bytes_per_s = has_caps && i % 4 == 0 ? SCRIPT_HOST_BYTES_PER_S / 9 : 0,
        };
    for (uint32_t i = 0; i < leaf_count; i++)
        leaves[i] = (struct fb_engine_leaf){
            .up_bytes_per_s = script->link_bytes_per_s[2 * play->host_count],
            .down_bytes_per_s = script->link_bytes_per_s[2 * play->host_count],
        };
    const struct fb_engine_network network = {
        .hosts = hosts, .leaves = leaves, .host_count = play->host_count, .leaf_count = leaf_count};
    char error[128] = "";
    play->engine = fb_engine_open(kind, flows, &network, on_due, play, error, sizeof(error));
    if (play->engine == NULL) {
        fprintf(stderr, "%s\n", error);
        _exit(1);
    }
    play->is_slow = calloc(play->host_count, sizeof(*play->is_slow));
    for (uint32_t i = 0; i < script->event_count; i++)
        fb_engine_timer(play->engine, script->events[i].date_ns, (uint64_t)TIMER + i);
    for (uint32_t i = 0; i < play->host_event_count; i++)
        fb_engine_timer(play->engine, play->host_events[i].date_ns,
                        (uint64_t)TIMER + script->event_count + i);
    fb_engine_run(play->engine);
    fb_engine_close(play->engine);
    free(hosts);
    free(leaves);
    free(play->is_slow);
}

/* One host in 16 dies and comes back, another gets slow and fast again. */
static uint32_t host_events_make(const struct script *script, uint64_t seed, uint32_t host_count,
                                 struct host_event *events)
{
    uint64_t span_ns = script->events[script->event_count - 1].date_ns;
    uint32_t count = 0;
    for (uint32_t host = 3; host < host_count; host += 16) {
        uint64_t date_ns = script_below(&seed, span_ns);
        uint64_t back_ns = date_ns + 1 + script_below(&seed, span_ns);
        events[count++] = (struct host_event){date_ns, host, HOST_DOWN};
        events[count++] = (struct host_event){back_ns, host, HOST_UP};
        date_ns = script_below(&seed, span_ns);
        back_ns = date_ns + 1 + script_below(&seed, span_ns);
        events[count++] = (struct host_event){date_ns, host + 5, HOST_SLOW};
        events[count++] = (struct host_event){back_ns, host + 5, HOST_FAST};
    }
    return count;
}

/* Plays a script on both. Failures and caps are of hosts here: an engine does not know links. */
static struct script_errors both_play(const struct script_options *options)
{
    struct script script;
    struct script_options plain = *options;
    plain.has_failures = false;
    plain.has_caps = false;
    script_make(&plain, &script);
    uint64_t dates_bytes = script.flow_count * sizeof(uint64_t);
    uint64_t *expected =
        mmap(NULL, dates_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t *found = calloc(script.flow_count, sizeof(*found));
    struct host_event *host_events = calloc(options->host_count, sizeof(*host_events));
    assert_true(expected != MAP_FAILED);
    struct play play = {
        .script = &script,
        .host_events = host_events,
        .host_count = options->host_count,
        .done_ns = expected,
    };
    if (options->has_failures)
        play.host_event_count =
            host_events_make(&script, options->seed, options->host_count, host_events);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        play_run(&play, FB_ENGINE_SIMGRID, FB_FLOWS_LMM, options->has_caps);
        _exit(play.ended_count == script.flow_count ? 0 : 1);
    }
    play.done_ns = found;
    play_run(&play, FB_ENGINE_PLAIN, FB_FLOWS_FLUID, options->has_caps);
    assert_int_equal(play.ended_count, script.flow_count);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    uint32_t parted = 0;
    for (uint32_t i = 0; i < script.flow_count; i++)
        parted += (expected[i] == 0) != (found[i] == 0);
    assert_true(parted <= 1 + script.flow_count / 500);
    struct script_errors errors = script_compare(&script, expected, found);
    munmap(expected, dates_bytes);
    free(found);
    free(host_events);
    script_free(&script);
    return errors;
}

/* The worst of a test's scripts, for docs/fluid.md. */
static double worst_mean;
static double worst_p99;

static void errors_print(const char *what)
{
    printf("%s: mean error at most %.4f%%, 99th percentile %.4f%%\n", what, worst_mean * 100,
           worst_p99 * 100);
    worst_mean = 0;
    worst_p99 = 0;
}

static void options_check(const struct script_options *options, double mean_max, double p99_max)
{
    struct script_errors errors = both_play(options);
    worst_mean = errors.mean > worst_mean ? errors.mean : worst_mean;
    worst_p99 = errors.p99 > worst_p99 ? errors.p99 : worst_p99;
    if (errors.mean > mean_max || errors.p99 > p99_max)
        fail_msg("seed %llu: %u hosts, %u flows a host: mean error %.6f, 99th percentile %.6f",
                 (unsigned long long)options->seed, options->host_count, options->flows_per_host,
                 errors.mean, errors.p99);
}

/* What the model promises is 1% and 5%; it does better, and a loss should be seen early. */
static void fluid_random_and_gateway_flows_end_when_simgrid_says(void **state)
{
    (void)state;
    uint32_t case_count = is_large ? 6 : 24;
    for (uint32_t i = 0; i < case_count; i++) {
        struct script_options options = {
            .seed = 1 + i,
            .host_count = is_large ? 512u << i % 3 : 64u << i % 2,
            .flows_per_host = is_large ? 4096u / (512u << i % 3) : 1 + (i * 3 + i / 8) % 8,
            .oversubscription = 1u << (i + i / 3) % 3,
            .pattern = i % 3 == 1 ? SCRIPT_GATEWAYS : SCRIPT_RANDOM,
            .has_failures = i % 4 >= 2,
            .has_caps = i % 2 == 1,
        };
        options_check(&options, 0.001, 0.01);
    }
    errors_print("random peers and gateways");
}

static void fluid_flows_at_one_link_end_when_simgrid_says(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        struct script_options options = {
            .seed = 100 + i,
            .host_count = is_large ? 1024 : 64,
            .flows_per_host = is_large ? 1 : 1 + i,
            .oversubscription = 1u << i % 3,
            .pattern = i % 2 == 0 ? SCRIPT_INCAST : SCRIPT_OUTCAST,
        };
        options_check(&options, 0.001, 0.001);
    }
    errors_print("incast and outcast");
}

int main(int argc, char **argv)
{
    if (!fb_engine_kind_is_built(FB_ENGINE_SIMGRID)) {
        printf("skipped: this build has no SimGrid\n");
        return 77;
    }
    is_large = argc > 1 && strcmp(argv[1], "large") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fluid_random_and_gateway_flows_end_when_simgrid_says),
        cmocka_unit_test(fluid_flows_at_one_link_end_when_simgrid_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
