/* See budget.h. Sizes are of the structs that are allocated, so that they cannot grow apart. */
#include "hw/loop/budget.h"

#include "base/process.h"
#include "core/panic.h"
#include "hw/local/session.h"
#include "hw/loop/loop_internal.h"
#include "hw/origin/http_request.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The program's own data, libraries, stacks and heap.
 * guess: 8 to 32 MiB; an idle daemon has 4 to 10 MiB beside its parts, by VmRSS. */
static const uint64_t program_bytes = UINT64_C(32) << 20;
/* libcurl's and TLS's buffers of one request. guess: 64 to 192 KiB; heaptrack would tell. */
static const uint64_t transfer_bytes = UINT64_C(128) << 10;

static void part_add(struct fb_budget *budget, const char *name, uint64_t bytes)
{
    FB_ASSERT(budget->part_count < FB_BUDGET_PARTS_MAX);
    if (bytes == 0)
        return;
    budget->parts[budget->part_count++] = (struct fb_budget_part){.name = name, .bytes = bytes};
    budget->fixed_bytes += bytes;
}

static uint64_t names_bytes(const struct fb_settings *settings)
{
    return fb_objects_bytes(settings->objects_max) + fb_names_bytes(settings) +
           fb_seen_bytes(settings->names_valid_ns, settings->objects_max);
}

static uint64_t origin_bytes(const struct fb_origin_settings *origin)
{
    bool is_http = origin->kind == FB_ORIGIN_S3 || origin->kind == FB_ORIGIN_AZURE;
    return is_http ? origin->requests_max *
                         (sizeof(struct http_request) + transfer_bytes + HTTP_LISTING_BYTES)
                   : 0;
}

/* Beside clients: what is open once, peers, those who have not greeted, requests to the
 * origin. Opening more at an origin than is counted here may fail, and is tried again. */
static uint64_t files_fixed(const struct fb_settings *settings)
{
    /* Memory, io_uring, eventfds, listeners, drive, store, log, standard files.
     * guess: 24 to 40; /proc/PID/fd of a daemon with all of these has 20 while nothing goes on. */
    enum { PROGRAM_FILES = 48, ORIGIN_FILES = 64 };
    const struct fb_origin_settings *origin = &settings->origin;
    bool is_http = origin->kind == FB_ORIGIN_S3 || origin->kind == FB_ORIGIN_AZURE;
    uint64_t requests = is_http && origin->requests_max > ORIGIN_FILES ? origin->requests_max
                        : origin->kind != FB_ORIGIN_NONE               ? ORIGIN_FILES
                                                                       : 0;
    return PROGRAM_FILES + requests + fb_tcp_connections_max(settings) +
           (settings->socket_path[0] != '\0' ? FB_LOCAL_GUESTS_MAX : 0) +
           (settings->http[0] != '\0' ? FB_HTTP_CONNECTIONS_MAX : 0);
}

/* What coders work in: a block and its parity for each thread. */
static uint64_t code_bytes(const struct fb_settings *settings)
{
    const struct fb_config *core = &settings->core;
    return core->erasure_data > 0 ? 3 * core->block_size_bytes * (settings->workers + 1) : 0;
}

void fb_budget_make(const struct fb_settings *settings, struct fb_budget *budget,
                    struct fb_error *error)
{
    const struct fb_config *core = &settings->core;
    char want[32], least[32];
    uint64_t block = core->block_size_bytes, cache = core->memory_size_bytes / block * block;
    uint64_t state = fb_node_size_bytes(core) + 2 * fb_view_size_bytes(settings->members_max);
    *budget = (struct fb_budget){.core_bytes = cache + state,
                                 .client_bytes = sizeof(struct local_session) + FB_RING_BYTES +
                                                 settings->arena_bytes +
                                                 FB_LOCAL_OPENS_MAX * sizeof(uint64_t)};
    part_add(budget, "cache memory (core.memory_size)", cache);
    part_add(budget, "the core's state", state);
    part_add(budget, "names (objects_max)", names_bytes(settings));
    part_add(budget, "connections to other nodes", fb_tcp_size_bytes(settings));
    part_add(budget, "operations in flight", loop_works_count(core) * sizeof(struct work));
    part_add(budget, "requests to the origin (origin.requests_max)",
             origin_bytes(&settings->origin));
    part_add(budget, "erasure code", code_bytes(settings));
    part_add(budget, "recording",
             settings->record_path[0] != '\0' ? 2 * (uint64_t)FB_RECORD_BUFFER_BYTES : 0);
    part_add(budget, "clients that have not greeted",
             settings->socket_path[0] != '\0' ? FB_LOCAL_GUESTS_MAX * sizeof(struct local_guest)
                                              : 0);
    part_add(budget, "pages over http",
             settings->http[0] != '\0' ? FB_HTTP_CONNECTIONS_MAX * sizeof(struct fb_http_connection)
                                       : 0);
    part_add(budget, "the program", program_bytes + sizeof(struct fb_loop));
    budget->files_fixed = files_fixed(settings);
    budget->bound = "the daemon";
    budget->clients_max = settings->socket_path[0] != '\0' ? FB_LOCAL_SESSIONS_MAX : 0;
    uint64_t bound = settings->memory_budget_bytes;
    uint64_t one = budget->fixed_bytes + (budget->clients_max > 0 ? budget->client_bytes : 0);
    if (bound == 0)
        return;
    if (bound < one) {
        fb_error_set(error,
                     "memory_budget is %s, and at least %s are needed: raise it, or lower "
                     "core.memory_size (forebayd --check without memory_budget prints the parts)",
                     fb_format_bytes(want, (double)bound), fb_format_bytes(least, (double)one));
        return;
    }
    uint64_t room = (bound - budget->fixed_bytes) / budget->client_bytes;
    if (room >= budget->clients_max)
        return;
    budget->clients_max = (uint32_t)room;
    budget->bound = "memory_budget";
}

uint64_t fb_budget_files_limit(void)
{
    struct rlimit limit = {.rlim_max = 0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max;
}

uint64_t fb_budget_bytes(const struct fb_budget *budget)
{
    return budget->fixed_bytes + budget->clients_max * budget->client_bytes;
}

/* A number in a file; UINT64_MAX: there is none ("max", or no file). */
static uint64_t number_read(const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return UINT64_MAX;
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    return length > 0 && text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10) : UINT64_MAX;
}

/* The least limit of a cgroup and those above it. */
static uint64_t cgroup_walk(const char *root, char *path, const char *name)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char file[2048];
        snprintf(file, sizeof(file), "%s%s/%s", root, path, name);
        uint64_t limit = number_read(file);
        least = limit < least ? limit : least;
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

/* Lines of /proc/self/cgroup: "0::PATH" is the second version's, "N:memory:PATH" the first's. */
static uint64_t cgroup_limit(void)
{
    char line[1024];
    uint64_t least = UINT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *path = strchr(line, '/');
        if (path == NULL)
            continue;
        uint64_t limit = UINT64_MAX;
        if (strncmp(line, "0::", 3) == 0)
            limit = cgroup_walk("/sys/fs/cgroup", path, "memory.max");
        else if (strstr(line, ":memory:") != NULL)
            limit = cgroup_walk("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    if (file != NULL)
        fclose(file);
    return least;
}

uint64_t fb_budget_limit(const char **source)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t group = cgroup_limit();
    *source = group < machine ? "the cgroup allows" : "the machine has";
    return group < machine ? group : machine;
}

static void clients_bound(struct fb_budget *budget, uint64_t room, const char *bound)
{
    FB_ASSERT(budget->client_bytes > 0);
    FB_ASSERT(budget->clients_max <= FB_LOCAL_SESSIONS_MAX);
    if (room >= budget->clients_max)
        return;
    budget->clients_max = (uint32_t)room;
    budget->bound = bound;
}

void fb_budget_bound(struct fb_budget *budget, const struct fb_settings *settings,
                     struct fb_error *error)
{
    const char *source;
    uint64_t least = budget->clients_max, files = fb_budget_files_limit();
    if (least > FB_BUDGET_CLIENTS_MIN)
        least = FB_BUDGET_CLIENTS_MIN;
    uint64_t needed = budget->files_fixed + least * FB_BUDGET_CLIENT_FILES;
    if (files < needed) {
        fb_error_set(error,
                     "open files: %" PRIu64 " are needed with %" PRIu64
                     " clients, and the limit is %" PRIu64
                     ": raise it (LimitNOFILE, ulimit -n), or lower members_max",
                     needed, least, files);
        return;
    }
    FB_ASSERT(files >= budget->files_fixed);
    clients_bound(budget, (files - budget->files_fixed) / FB_BUDGET_CLIENT_FILES,
                  "the limit on open files");
    if (settings->memory_budget_bytes > 0)
        return;
    uint64_t memory = fb_budget_limit(&source), fixed = budget->fixed_bytes;
    uint64_t room = memory > fixed ? (memory - fixed) / budget->client_bytes : 0;
    clients_bound(budget, room > least ? room : least, "the machine's or the cgroup's memory");
}

bool fb_budget_file_size(const struct fb_settings *settings, char text[FB_BUDGET_FILES_TEXT])
{
    uint64_t limit = fb_process_file_limit();
    char size[32];
    bool is_folder = settings->origin.kind == FB_ORIGIN_POSIX;
    bool is_lmdb =
        settings->metadata.kind == FB_METADATA_LMDB && settings->metadata.size_bytes > limit;
    bool is_drive = settings->device_path[0] != '\0' && settings->core.device_size_bytes > limit;
    if (limit == UINT64_MAX || (!is_folder && !is_lmdb && !is_drive))
        return false;
    snprintf(text, FB_BUDGET_FILES_TEXT,
             "files that are written here may have %s%s%s%s: what is larger is refused as full; "
             "raise the limit (LimitFSIZE, ulimit -f)",
             fb_format_bytes(size, (double)limit), is_folder ? ", of origin.path, too" : "",
             is_lmdb ? ", and metadata.size is more" : "",
             is_drive ? ", and core.device_size is more" : "");
    return true;
}

void fb_budget_check(struct fb_budget *budget, const struct fb_settings *settings,
                     struct fb_error *error)
{
    const char *source;
    char want[32], have[32];
    uint64_t limit = fb_budget_limit(&source), all = fb_budget_bytes(budget);
    uint64_t least = budget->core_bytes + budget->client_bytes;
    uint32_t wanted = budget->clients_max;
    if (settings->memory_budget_bytes > 0)
        least = all;
    fb_format_bytes(have, (double)limit);
    if (least > limit) {
        fb_error_set(error,
                     "memory: %s are needed, and %s %s: lower core.memory_size or memory_budget, "
                     "or raise that limit (MemoryMax, the pod's memory limit)",
                     fb_format_bytes(want, (double)least), source, have);
        return;
    }
    uint64_t file = settings->core.memory_size_bytes, most = fb_process_file_limit();
    if (file < settings->arena_bytes)
        file = settings->arena_bytes;
    if (file > most) {
        fb_error_set(error,
                     "core.memory_size, client.arena: files in memory of %s are wanted, and a file "
                     "may have %s: raise that limit (LimitFSIZE, ulimit -f), or lower them",
                     fb_format_bytes(want, (double)file), fb_format_bytes(have, (double)most));
        return;
    }
    fb_budget_bound(budget, settings, error);
    char files[FB_BUDGET_FILES_TEXT];
    if (fb_budget_file_size(settings, files) && !fb_error_is_set(error))
        fb_log(FB_LOG_WARNING, "file_size_limit", "reason=\"%s\"", files);
    if (budget->clients_max < wanted && !fb_error_is_set(error))
        fb_log(FB_LOG_WARNING, "clients_bound",
               "clients=%u wanted=%u by=\"%s\" memory_wanted=\"%s\" memory=\"%s\" "
               "files_wanted=%" PRIu64 " files=%" PRIu64,
               budget->clients_max, wanted, budget->bound, fb_format_bytes(want, (double)all), have,
               budget->files_fixed + (uint64_t)wanted * FB_BUDGET_CLIENT_FILES,
               fb_budget_files_limit());
}
