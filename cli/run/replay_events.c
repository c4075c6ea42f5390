/* `forebay replay --events`: feeds what a daemon recorded to a fresh node and compares the digests
 * of all its ops. Equal digests prove that the core did on the cluster what it does here, event for
 * event; with --print the events, ops and reasons are shown as they go. */
#include "cli/run/replay_events.h"

#include "base/memory.h"
#include "cli/command.h"
#include "core/node/node.h"
#include "core/panic.h"
#include "core/trace.h"
#include "hw/loop/record_format.h"
#include "base/document.h"
#include "sim/trace/trace_print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct events_replay {
    const char *path;
    FILE *file;
    bool is_printing;
    struct fb_trace_printer *printer; /* NULL: not printed */
    struct fb_node *node;
    struct fb_view *view;
    struct fb_config config;
    XXH3_state_t *hash;
    uint64_t events, checks, checked_events, ops;
    struct fb_error *error;
    _Alignas(8) unsigned char payload[FB_RECORD_PAYLOAD_MAX];
};

static void fault(struct events_replay *replay, const char *what)
{
    fb_error_set(replay->error, "%s: event %" PRIu64 ": %s", replay->path, replay->events, what);
}

static void header_read(struct events_replay *replay)
{
    struct fb_record_header header;
    bool is_read = fread(&header, sizeof(header), 1, replay->file) == 1 &&
                   memcmp(header.magic, FB_RECORD_MAGIC, sizeof(header.magic)) == 0;
    if (!is_read) {
        fb_error_set(replay->error, "%s: no recording: is it what the daemon's `record` names?",
                     replay->path);
        return;
    }
    bool is_ours = header.config_size == sizeof(replay->config) &&
                   header.request_size == sizeof(struct fb_request) &&
                   header.message_size == sizeof(struct fb_message_flat) &&
                   header.done_size == sizeof(struct fb_done);
    if (!is_ours || fread(&replay->config, sizeof(replay->config), 1, replay->file) != 1) {
        fb_error_set(replay->error,
                     "%s: of another build: replay it with the version that wrote it",
                     replay->path);
        return;
    }
    uint64_t size_bytes = fb_node_size_bytes(&replay->config);
    replay->node = aligned_alloc(64, (size_bytes + 63) / 64 * 64);
    if (replay->node == NULL)
        fb_out_of_memory(1, size_bytes, "the node", replay->error);
    else if (size_bytes == 0 ||
             fb_node_init(replay->node, size_bytes, &replay->config, header.seed) != FB_OK)
        fault(replay, "its config makes no node");
    else if (replay->is_printing)
        replay->printer = fb_trace_printer_open(stdout, replay->config.block_size_bytes, true);
}

/* The event of a record; false: it is damaged. */
static bool event_read(struct events_replay *replay, const struct fb_record *record,
                       struct fb_event *event)
{
    const unsigned char *payload = replay->payload;
    static const size_t sizes[] = {[FB_EVENT_REQUEST] = sizeof(struct fb_request),
                                   [FB_EVENT_MESSAGE] = sizeof(struct fb_message_flat),
                                   [FB_EVENT_DONE] = sizeof(struct fb_done),
                                   [FB_EVENT_TICK] = 0};
    memset(event, 0, sizeof(*event));
    event->kind = record->kind;
    if (record->kind > FB_EVENT_TICK || record->size < sizes[record->kind])
        return false;
    struct fb_message_flat flat = {.keys = NULL};
    bool is_message = record->kind == FB_EVENT_MESSAGE;
    memcpy(is_message ? (void *)&flat : &event->request, payload, sizes[record->kind]);
    const unsigned char *list = payload + sizes[record->kind];
    uint64_t list_size = record->size - sizes[record->kind];
    uint64_t expected_size = 0;
    if (record->kind == FB_EVENT_REQUEST) {
        bool is_gather = event->request.kind == FB_REQUEST_GATHER;
        event->request.ranges = is_gather && list_size > 0 ? (const void *)list : NULL;
        event->request.keys = !is_gather && list_size > 0 ? (const void *)list : NULL;
        expected_size = is_gather ? event->request.range_count * sizeof(struct fb_range)
                                  : event->request.key_count * sizeof(struct fb_key);
    }
    if (is_message) {
        flat.keys = list_size > 0 ? (const void *)list : NULL;
        expected_size = flat.count * sizeof(struct fb_key);
        fb_message_unpack(&event->message, &flat);
    }
    return list_size == 0 || list_size == expected_size;
}

static bool view_read(struct events_replay *replay, const struct fb_record *record)
{
    struct fb_record_view view;
    if (record->size < sizeof(view))
        return false;
    memcpy(&view, replay->payload, sizeof(view));
    const struct fb_member *members = (const void *)(replay->payload + sizeof(view));
    if (record->size != sizeof(view) + view.member_count * sizeof(*members))
        return false;
    uint64_t size_bytes = fb_view_size_bytes(view.member_count);
    struct fb_view *built = fb_allocate(1, size_bytes, "a view", NULL);
    const struct fb_view_plan plan = {.version = view.version,
                                      .members = members,
                                      .member_count = view.member_count,
                                      .ranks_count = view.ranks_count,
                                      .placement = (enum fb_placement)replay->config.placement};
    if (fb_view_build_plan(built, size_bytes, &plan) != FB_OK) {
        free(built);
        return false;
    }
    free(replay->view); /* the node gets the new one in this step */
    replay->view = built;
    return true;
}

static uint32_t step_told(struct events_replay *replay, uint64_t now_ns,
                          const struct fb_event *event, struct fb_op ops[FB_STEP_OPS_MAX])
{
    struct fb_decisions decisions;
    uint32_t node = (uint32_t)replay->config.node;
    fb_trace_print_event(replay->printer, now_ns, node, event);
    uint32_t count = fb_node_step_told(replay->node, now_ns, event, ops, &decisions);
    fb_trace_print_ops(replay->printer, ops, count, &decisions);
    return count;
}

static void step(struct events_replay *replay, uint64_t now_ns, const struct fb_event *event)
{
    struct fb_op ops[FB_STEP_OPS_MAX];
    struct fb_trace_record record;
    uint32_t count = replay->printer != NULL ? step_told(replay, now_ns, event, ops)
                                             : fb_node_step(replay->node, now_ns, event, ops);
    for (uint32_t i = 0; i < count; i++) {
        fb_trace_op(&record, now_ns, 0, &ops[i]);
        XXH3_64bits_update(replay->hash, &record, sizeof(record));
    }
    replay->ops += count;
    replay->events++;
}

static void check(struct events_replay *replay)
{
    struct fb_record_check recorded;
    memcpy(&recorded, replay->payload, sizeof(recorded));
    if (recorded.events != replay->events)
        fault(replay, "the recording has lost events");
    else if (recorded.digest != XXH3_64bits_digest(replay->hash))
        fb_error_set(replay->error,
                     "%s: the ops of events %" PRIu64 " to %" PRIu64
                     " differ from those of the daemon",
                     replay->path, replay->checked_events, replay->events);
    replay->checks++;
    replay->checked_events = replay->events;
}

/* One record; false: the end. */
static bool record_replay(struct events_replay *replay)
{
    struct fb_record record;
    struct fb_event event;
    if (fread(&record, sizeof(record), 1, replay->file) != 1)
        return false;
    if (record.size > sizeof(replay->payload)) {
        fault(replay, "a record is damaged");
        return false;
    }
    if (fread(replay->payload, 1, record.size, replay->file) != record.size)
        return false; /* the daemon was killed here */
    if (record.kind == FB_RECORD_CHECK && record.size == sizeof(struct fb_record_check)) {
        check(replay);
        return true;
    }
    if (record.kind == FB_EVENT_VIEW && view_read(replay, &record)) {
        event = (struct fb_event){.kind = FB_EVENT_VIEW, .view = replay->view};
        step(replay, record.time_ns, &event);
        return true;
    }
    if (record.kind == FB_EVENT_VIEW || !event_read(replay, &record, &event)) {
        fault(replay, "a record is damaged");
        return false;
    }
    step(replay, record.time_ns, &event);
    return true;
}

static int finish(struct events_replay *replay)
{
    if (replay->checks == 0)
        fault(replay, "it ends before its first digest: nothing could be compared");
    if (fb_error_is_set(replay->error)) {
        fprintf(stderr, "forebay replay: %s\n", replay->error->text);
        return FB_EXIT_FAILED;
    }
    fprintf(stderr,
            "node %" PRIu64 ": %" PRIu64 " events, %" PRIu64 " ops: all %" PRIu64
            " digests equal, the last after event %" PRIu64 "\n",
            replay->config.node, replay->events, replay->ops, replay->checks,
            replay->checked_events);
    return FB_EXIT_FINE;
}

int fb_replay_events(int argc, char **argv)
{
    struct fb_error error = {.text = ""};
    bool is_printing = argc == 4 && strcmp(argv[3], "--print") == 0;
    if (argc < 3 || argc > 4 || (argc == 4 && !is_printing)) {
        fprintf(stderr,
                "forebay replay: which recording? forebay replay --events PATH [--print]\n");
        return FB_EXIT_USAGE;
    }
    struct events_replay *replay = fb_allocate(1, sizeof(*replay), "a replay", NULL);
    replay->path = argv[2];
    replay->is_printing = is_printing;
    replay->error = &error;
    replay->hash = XXH3_createState();
    XXH3_64bits_reset(replay->hash);
    replay->file = fopen(replay->path, "rb");
    if (replay->file == NULL)
        fb_error_set(&error, "%s: %s", replay->path, strerror(errno));
    else
        header_read(replay);
    while (!fb_error_is_set(&error) && record_replay(replay))
        continue;
    int code = finish(replay);
    if (replay->file != NULL)
        fclose(replay->file);
    if (replay->printer != NULL)
        fb_trace_printer_close(replay->printer);
    XXH3_freeState(replay->hash);
    free(replay->node);
    free(replay->view);
    free(replay);
    return code;
}
