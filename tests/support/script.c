/* See script.h. Bytes are 8-byte tags per extent, as in the simulated world, so that a stale or
 * foreign read shows. */
#include "tests/support/script_internal.h"

#include "core/tier/header.h"
#include "core/key.h"
#include "core/name/name.h"
#include "sim/trace/trace_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t script_tag_of(const struct fb_block *block)
{
    return fb_mix(block->key.high ^ fb_mix(block->key.low)) | 1;
}

uint64_t *script_tag_at(struct script *script, const struct fb_span *span)
{
    uint64_t unit = script->config.block_size_bytes / FB_UNITS_PER_CHUNK;
    uint32_t region = span->region == FB_REGION_DEVICE ? 1 : 0;
    return &script->tags[span->peer][region][span->offset / unit];
}

/* Every unit, so that a part of a block that is read shows what it is of. */
static void tag_set(struct script *script, const struct fb_span *span, uint64_t tag)
{
    uint64_t unit = script->config.block_size_bytes / FB_UNITS_PER_CHUNK;
    uint64_t *tags = script_tag_at(script, span);
    for (uint64_t i = 0; i < (span->size + unit - 1) / unit; i++)
        tags[i] = tag;
}

/* A fragment has the tag of its block; those of different blocks make nonsense. */
static void script_code(struct script *script, const struct fb_op *op)
{
    const struct fb_fragments *plan = &script->plans[op->span.peer];
    struct fb_span part = {.region = FB_REGION_MEMORY, .peer = op->span.peer};
    if (op->kind == FB_OP_ENCODE) {
        tag_set(script, &op->span, *script_tag_at(script, &op->source));
        return;
    }
    uint64_t tag = 0;
    uint32_t found = 0;
    for (uint32_t i = 0; i < plan->data_count + plan->parity_count; i++) {
        bool is_empty = i < plan->data_count && (uint64_t)i * plan->size >= op->span.size;
        found += is_empty || (plan->present >> i & 1u);
        if (!(plan->present >> i & 1u))
            continue;
        part.offset = plan->offset[i];
        tag = tag == 0 || tag == *script_tag_at(script, &part) ? *script_tag_at(script, &part) : 1;
    }
    if (found < plan->data_count)
        script->wrong_reads++;
    tag_set(script, &op->span, tag);
}

struct script_event *script_push(struct script *script, uint64_t at_ns, uint32_t node)
{
    if (script->queued == script->queue_max) {
        script->queue_max = script->queue_max * 2 + 64;
        script->queue = realloc(script->queue, script->queue_max * sizeof(*script->queue));
    }
    struct script_event *event = &script->queue[script->queued++];
    memset(event, 0, sizeof(*event));
    event->at_ns = at_ns;
    event->order = script->order++;
    event->node = node;
    event->life = script->life[node];
    return event;
}

/* Views that were built last, the newest first: a view is most of what a short script costs, and
 * many scripts of a test have the same. */
enum { VIEWS_KEPT = 4 };
static struct kept_view {
    struct fb_member members[SCRIPT_NODES_MAX];
    uint32_t count, ranks;
    struct fb_view *view;
} views_kept[VIEWS_KEPT];

static bool is_alike(const struct kept_view *a, const struct kept_view *b)
{
    return a->count == b->count && a->ranks == b->ranks &&
           memcmp(a->members, b->members, a->count * sizeof(a->members[0])) == 0;
}

/* A view of its own, which the caller frees. */
static struct fb_view *view_of(uint64_t version, const struct fb_member *members, uint32_t count,
                               uint32_t ranks)
{
    struct kept_view kept = {.count = count, .ranks = ranks};
    uint64_t view_bytes = fb_view_size_bytes(count);
    memcpy(kept.members, members, count * sizeof(members[0]));
    uint32_t at = 0;
    while (at < VIEWS_KEPT - 1 && !is_alike(&views_kept[at], &kept))
        at++;
    kept.view = views_kept[at].view;
    if (!is_alike(&views_kept[at], &kept)) {
        free(kept.view);
        kept.view = calloc(1, view_bytes);
        if (fb_view_build(kept.view, view_bytes, 1, members, count, ranks) != FB_OK)
            abort();
    }
    memmove(&views_kept[1], views_kept, at * sizeof(views_kept[0]));
    views_kept[0] = kept;
    struct fb_view *view = calloc(1, view_bytes);
    fb_view_copy(view, kept.view, version);
    return view;
}

struct script *script_open(uint32_t nodes, const struct fb_config *config, uint64_t seed)
{
    struct script *script = calloc(1, sizeof(*script));
    struct fb_member members[SCRIPT_NODES_MAX] = {{.node = 0}};
    script->nodes = nodes;
    script->config = *config;
    script->seed = seed;
    script->chunks = config->device_size_bytes / config->block_size_bytes;
    for (uint32_t i = 0; i < nodes; i++)
        members[i] = (struct fb_member){.node = i, .domain = i, .weight = 1, .is_up = 1};
    uint32_t ranks = nodes < config->replicas ? nodes : (uint32_t)config->replicas;
    script->view = view_of(1, members, nodes, ranks);
    for (uint32_t i = 0; i < nodes; i++) {
        struct fb_config own = *config;
        own.node = i;
        uint64_t size_bytes = fb_node_size_bytes(&own);
        script->node[i] = calloc(1, size_bytes);
        if (size_bytes == 0 || fb_node_init(script->node[i], size_bytes, &own, seed + i) != FB_OK)
            abort();
        uint64_t units = FB_UNITS_PER_CHUNK / config->block_size_bytes + 1;
        units = config->memory_size_bytes / config->block_size_bytes * FB_UNITS_PER_CHUNK;
        script->tags[i][0] = calloc(units, 8);
        units = config->device_size_bytes / config->block_size_bytes * FB_UNITS_PER_CHUNK;
        script->tags[i][1] = calloc(units + 1, 8);
        script->pages[i] = calloc(script->chunks + 1, sizeof(*script->pages[i]));
        struct script_event *event = script_push(script, 0, i);
        event->event = (struct fb_event){.kind = FB_EVENT_VIEW, .view = script->view};
    }
    return script;
}

void script_close(struct script *script)
{
    for (uint32_t i = 0; i < script->nodes; i++) {
        free(script->node[i]);
        free(script->tags[i][0]);
        free(script->tags[i][1]);
        for (uint64_t chunk = 0; chunk < script->chunks; chunk++)
            free(script->pages[i][chunk]);
        free(script->pages[i]);
    }
    free(script->view);
    free(script->old_view);
    free(script->queue);
    if (script->printer != NULL) {
        fb_trace_printer_close(script->printer);
        fclose(script->trace);
    }
    free(script->text);
    free(script);
}

void script_set_fault(struct script *script, script_fault_function *fault, void *context)
{
    script->fault = fault;
    script->context = context;
}

void *script_context(struct script *script)
{
    return script->context;
}

void script_kill(struct script *script, uint32_t node)
{
    script->is_dead[node] = true;
}

void script_restart(struct script *script, uint64_t at_ns, uint32_t node, bool is_drive_kept)
{
    struct fb_config own = script->config;
    own.node = node;
    script->is_dead[node] = false;
    script->life[node]++;
    uint64_t size_bytes = fb_node_size_bytes(&own), seed = script->seed + node;
    if (fb_node_init(script->node[node], size_bytes, &own, seed + 1000 * script->life[node]) !=
        FB_OK)
        abort();
    for (uint64_t chunk = 0; !is_drive_kept && chunk < script->chunks; chunk++) {
        free(script->pages[node][chunk]);
        script->pages[node][chunk] = NULL;
    }
    script->now_ns = at_ns > script->now_ns ? at_ns : script->now_ns;
    script_push(script, at_ns, node)->event =
        (struct fb_event){.kind = FB_EVENT_VIEW, .view = script->view};
}

void script_set_config(struct script *script, const struct fb_config *config)
{
    if (fb_node_size_bytes(config) > fb_node_size_bytes(&script->config))
        abort();
    script->config = *config;
}

struct fb_header *script_header(struct script *script, uint32_t node, uint32_t n)
{
    struct fb_header header;
    uint64_t cursor = 0;
    for (uint32_t i = 0; i <= n; i++) {
        if (!fb_header_scan(script->pages[node], script->chunks, &cursor, &header))
            return NULL;
    }
    return &script->pages[node][(cursor - 1) / FB_UNITS_PER_CHUNK]
                ->headers[(cursor - 1) % FB_UNITS_PER_CHUNK];
}

void script_bury(struct script *script, uint64_t at_ns, uint32_t node)
{
    struct fb_member members[SCRIPT_NODES_MAX];
    uint32_t ranks = fb_view_ranks(script->view), alive = 0;
    if (node != FB_NONE)
        script_kill(script, node);
    if (script->old_view != NULL)
        abort(); /* one burial a script */
    script->old_view = script->view;
    for (uint32_t i = 0; i < script->nodes; i++) {
        members[i] =
            (struct fb_member){.node = i, .domain = i, .weight = 1, .is_up = !script->is_dead[i]};
        alive += !script->is_dead[i];
    }
    ranks = alive < ranks ? alive : ranks;
    script->view = view_of(2, members, script->nodes, ranks);
    for (uint32_t i = 0; i < script->nodes; i++)
        script_push(script, at_ns, i)->event =
            (struct fb_event){.kind = FB_EVENT_VIEW, .view = script->view};
}

uint32_t script_stores(const struct script *script, const struct fb_block *block)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < script->stored_count; i++)
        count += fb_key_equal(script->stored[i], block->key);
    return count;
}

void script_set_hold(struct script *script, uint64_t hold_ns)
{
    script->hold_ns = hold_ns;
}

static void script_send(struct script *script, const struct fb_op *op, uint64_t delay_ns)
{
    struct script_event *event = script_push(script, script->now_ns + 10000 + delay_ns, op->target);
    event->event = (struct fb_event){.kind = FB_EVENT_MESSAGE, .message = op->message};
    const struct fb_message_match_ask *ask = &op->message.match_ask;
    if (op->message.kind == FB_MESSAGE_MATCH_ASK)
        memcpy(event->keys, ask->keys, ask->key_count * sizeof(*event->keys));
}

static uint64_t op_delay_ns(enum fb_op_kind kind)
{
    bool is_origin =
        kind == FB_OP_ORIGIN_STAT || kind == FB_OP_ORIGIN_COMMIT || kind == FB_OP_ORIGIN_REMOVE;
    if (kind == FB_OP_FETCH || kind == FB_OP_STORE || is_origin)
        return 10000000;
    if (kind == FB_OP_PULL || kind == FB_OP_READ)
        return 100000;
    if (kind == FB_OP_SCAN)
        return 10;
    return kind == FB_OP_WRITE ? 50000 : 5000;
}

static uint64_t unit_bytes_of(const struct script *script)
{
    return script->config.block_size_bytes / FB_UNITS_PER_CHUNK;
}

static struct fb_header_page *page_of(struct script *script, uint32_t node, uint64_t position)
{
    struct fb_header_page **page = &script->pages[node][position / script->config.block_size_bytes];
    if (*page == NULL)
        *page = calloc(1, sizeof(**page));
    return *page;
}

/* The drive's headers (R15). */
static void script_scan(struct script *script, uint32_t node, struct fb_done *done, uint64_t cursor)
{
    done->next = cursor;
    if (!fb_header_scan(script->pages[node], script->chunks, &done->next, &done->header))
        *done = (struct fb_done){.op_id = done->op_id, .status = FB_ABSENT};
}

static void script_op(struct script *script, uint32_t node, const struct fb_op *op)
{
    struct script_fault fault = {.status = FB_OK};
    if (op->kind == FB_OP_REPLY) {
        script_reply_take(script, node, &op->reply);
        return;
    }
    if (script->fault != NULL)
        fault = script->fault(script, node, op);
    if (op->kind == FB_OP_SEND) {
        if (!fault.is_lost)
            script_send(script, op, fault.delay_ns);
        if (fault.is_duplicated)
            script_send(script, op, fault.delay_ns + 1000);
        return;
    }
    if (op->kind == FB_OP_MARK) {
        if (!fault.is_lost)
            fb_header_settle(page_of(script, node, op->source.offset), unit_bytes_of(script),
                             op->source.offset);
        return;
    }
    uint64_t at_ns = script->now_ns + op_delay_ns((enum fb_op_kind)op->kind) + fault.delay_ns;
    struct script_event *event = script_push(script, at_ns, node);
    event->has_op = true;
    event->is_applied = fault.is_applied;
    event->is_garbled = fault.is_garbled;
    event->op = *op;
    if (op->kind == FB_OP_DECODE)
        script->plans[node] = *op->fragments;
    event->event = (struct fb_event){
        .kind = FB_EVENT_DONE,
        .done = {.op_id = op->op_id, .status = fault.status, .is_final = fault.is_final}};
}

static struct fb_meta *record_of(struct script *script, struct fb_key key)
{
    uint32_t i = 0;
    while (i < script->name_count && !fb_key_equal(script->names[i], key))
        i++;
    if (i == NAMES_MAX)
        abort();
    if (i == script->name_count) {
        script->names[i] = key;
        script->name_count++;
    }
    return &script->records[i];
}

struct fb_meta script_record(const struct script *script, struct fb_key key)
{
    return *record_of((struct script *)(uintptr_t)script, key);
}

void script_record_put(struct script *script, struct fb_key key, struct fb_meta record)
{
    *record_of(script, key) = record;
}

struct script_shown *script_shown(struct script *script, struct fb_key key)
{
    return &script->shown[record_of(script, key) - script->records];
}

/* The first unfinished record (R18). */
static void script_list(struct script *script, struct script_event *event)
{
    struct fb_done *done = &event->event.done;
    struct fb_key from = event->op.block.key, best = {.high = UINT64_MAX, .low = UINT64_MAX};
    if (done->status != FB_OK)
        return;
    done->status = FB_ABSENT;
    for (uint32_t i = 0; i < script->name_count; i++) {
        struct fb_key key = script->names[i];
        bool is_before = key.high < from.high || (key.high == from.high && key.low < from.low);
        bool is_best = key.high < best.high || (key.high == best.high && key.low < best.low);
        struct fb_name_facts facts = fb_name_read(&script->records[i]);
        if (is_before || !is_best || facts.state == FB_NAME_ORIGIN)
            continue;
        best = key;
        done->status = facts.state == FB_NAME_BAD ? FB_CORRUPT : FB_OK;
        done->listed.record = script->records[i];
        done->listed.key = key;
        done->listed.wall_ns = script->now_ns;
    }
}

/* The origin's answer about a name (R17). */
static void script_change(struct script *script, struct script_event *event)
{
    struct fb_done *done = &event->event.done;
    struct script_shown *shown = script_shown(script, event->op.block.key);
    const struct fb_change *change = &event->op.change;
    bool is_done = done->status == FB_OK || event->is_applied, is_later;
    const struct fb_block missing = shown->missing;
    bool is_missing =
        shown->is_missing || (missing.size > 0 && script_stores(script, &missing) == 0);
    is_later = shown->version > change->limit && shown->version != change->shown;
    if (event->op.kind == FB_OP_ORIGIN_COMMIT && is_done && !is_later && !is_missing)
        *shown = (struct script_shown){.version = change->shown,
                                       .size = change->size,
                                       .blocks = change->version,
                                       .missing = missing};
    else if (event->op.kind == FB_OP_ORIGIN_COMMIT && done->status == FB_OK)
        done->status = is_later ? FB_CONFLICT : FB_BUSY;
    if (event->op.kind == FB_OP_ORIGIN_COMMIT && done->status == FB_BUSY) {
        done->missing = missing;
        return;
    }
    bool is_it = shown->version <= change->limit && change->limit > 0 &&
                 (change->shown == 0 || change->shown == shown->version);
    if (event->op.kind == FB_OP_ORIGIN_REMOVE && is_done && is_it)
        *shown = (struct script_shown){.version = 0, .missing = missing};
    if (event->op.kind == FB_OP_ORIGIN_STAT && done->status == FB_OK && shown->version == 0)
        done->status = FB_ABSENT;
    done->origin.version = shown->version;
    done->origin.order = shown->version;
    done->origin.written = shown->version;
    done->origin.size = shown->size;
}

/* The metadata store's answer (R14). */
static void script_meta(struct script *script, struct script_event *event)
{
    struct fb_done *done = &event->event.done;
    struct fb_meta *record = record_of(script, event->op.block.key);
    bool is_expected = record->version == event->op.record.version;
    bool is_put = event->op.kind == FB_OP_META_PUT;
    if (is_put && is_expected && (done->status == FB_OK || event->is_applied)) {
        *record = event->op.record;
        record->version++;
    }
    if (done->status != FB_OK)
        return;
    done->record = *record;
    if (is_put && !is_expected)
        done->status = FB_CONFLICT;
    if (!is_put && record->version == 0)
        done->status = FB_ABSENT;
}

static void script_written(struct script *script, const struct fb_op *op)
{
    const struct fb_header header = fb_header_of_write(op);
    tag_set(script, &op->source, *script_tag_at(script, &op->span));
    fb_header_put(page_of(script, op->source.peer, op->source.offset), unit_bytes_of(script),
                  &header);
}

/* Moves the op's bytes at the moment of its DONE. */
static void script_move(struct script *script, struct script_event *event)
{
    const struct fb_op *op = &event->op;
    if (op->kind == FB_OP_META_GET || op->kind == FB_OP_META_PUT) {
        script_meta(script, event);
        return;
    }
    if (op->kind == FB_OP_META_LIST) {
        script_list(script, event);
        return;
    }
    if (op->kind > FB_OP_META_LIST) {
        script_change(script, event);
        return;
    }
    if (op->kind == FB_OP_PULL && op->source.region == FB_REGION_MEMORY &&
        script->is_dead[op->source.peer])
        event->event.done.status = FB_GONE;
    if (event->event.done.status != FB_OK)
        return;
    bool is_absent = op->kind == FB_OP_FETCH && op->block.object >= SCRIPT_WRITTEN &&
                     op->block.object != FB_OBJECT_NONE && script_stores(script, &op->block) == 0;
    if (is_absent) {
        event->event.done.status = FB_ABSENT;
        return;
    }
    if (op->kind == FB_OP_STORE) {
        if (script->stored_count == STORES_MAX)
            abort();
        if (*script_tag_at(script, &op->span) != script_tag_of(&op->block))
            script->wrong_reads++;
        script->stored[script->stored_count++] = op->block.key;
    }
    bool is_copy_in = op->kind == FB_OP_PULL && op->source.region == FB_REGION_CLIENT;
    if (op->kind == FB_OP_FETCH || is_copy_in)
        tag_set(script, &op->span, script_tag_of(&op->block));
    else if (op->kind == FB_OP_PULL || op->kind == FB_OP_READ)
        tag_set(script, &op->span, *script_tag_at(script, &op->source) ^ event->is_garbled);
    else if (op->kind == FB_OP_WRITE)
        script_written(script, op);
    else if (op->kind == FB_OP_SCAN)
        script_scan(script, event->node, &event->event.done, op->source.offset);
    else if (op->kind == FB_OP_ENCODE || op->kind == FB_OP_DECODE)
        script_code(script, op);
    if (op->kind == FB_OP_DIGEST)
        event->event.done.digest =
            fb_mix(*script_tag_at(script, &op->span)) ^ event->is_garbled * fb_mix(script->order);
}

static void script_step(struct script *script, uint32_t node, const struct fb_event *event)
{
    struct fb_op ops[FB_STEP_OPS_MAX];
    struct fb_decisions decisions;
    uint32_t count;
    if (script->printer != NULL) {
        fb_trace_print_event(script->printer, script->now_ns, node, event);
        count = fb_node_step_told(script->node[node], script->now_ns, event, ops, &decisions);
        fb_trace_print_ops(script->printer, ops, count, &decisions);
    } else {
        count = fb_node_step(script->node[node], script->now_ns, event, ops);
    }
    for (uint32_t i = 0; i < count; i++)
        script_op(script, node, &ops[i]);
    fb_node_check(script->node[node]);
}

/* A node that wants ticks for ever at one time would end no test. */
static void script_tick(struct script *script, uint32_t node)
{
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    script->spins = script->tick_ns == script->now_ns ? script->spins + 1 : 0;
    script->tick_ns = script->now_ns;
    if (script->spins > SPINS_MAX) {
        fprintf(stderr, "node %u wants ticks for ever at %llu ns\n", node,
                (unsigned long long)script->now_ns);
        abort();
    }
    script_step(script, node, &tick);
}

/* The earliest queued event, or a node's deadline if that is earlier; false: nothing before
 * until. */
static bool script_next(struct script *script, uint64_t until_ns, uint32_t *best,
                        uint32_t *tick_node)
{
    uint64_t at_ns = FB_NEVER_NS;
    *best = FB_NONE;
    *tick_node = FB_NONE;
    for (uint32_t i = 0; i < script->queued; i++) {
        const struct script_event *event = &script->queue[i];
        bool is_earlier = *best == FB_NONE || event->at_ns < at_ns ||
                          (event->at_ns == at_ns && event->order < script->queue[*best].order);
        if (is_earlier) {
            at_ns = event->at_ns;
            *best = i;
        }
    }
    for (uint32_t i = 0; i < script->nodes; i++) {
        uint64_t deadline_ns = fb_node_deadline_ns(script->node[i]);
        if (!script->is_dead[i] && deadline_ns < at_ns) {
            at_ns = deadline_ns;
            *tick_node = i;
        }
    }
    if (at_ns == FB_NEVER_NS || at_ns > until_ns)
        return false;
    if (at_ns > script->now_ns)
        script->now_ns = at_ns;
    return true;
}

void script_run(struct script *script, uint64_t until_ns)
{
    uint32_t best, tick_node;
    while (script_next(script, until_ns, &best, &tick_node)) {
        if (tick_node != FB_NONE) {
            script_tick(script, tick_node);
            continue;
        }
        struct script_event event = script->queue[best];
        script->queue[best] = script->queue[--script->queued];
        if (script->is_dead[event.node] || (event.has_op && event.life != script->life[event.node]))
            continue;
        if (event.has_op)
            script_move(script, &event);
        if (event.event.kind == FB_EVENT_REQUEST)
            event.event.request.keys = event.keys;
        if (event.event.kind == FB_EVENT_REQUEST)
            event.event.request.ranges = event.ranges;
        if (event.event.kind == FB_EVENT_MESSAGE &&
            event.event.message.kind == FB_MESSAGE_MATCH_ASK)
            event.event.message.match_ask.keys = event.keys;
        script_step(script, event.node, &event.event);
    }
}
