/* The lines of a trace; see trace_print.h. */
#include "sim/trace/trace_print.h"

#include "base/memory.h"
#include "core/panic.h"
#include "core/stats.h"
#include "core/node/node.h"
#include "sim/trace/trace_line.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TIME_WIDTH = 14, RANGES_SHOWN = 8 };

static const char *const op_names[FB_OP_COUNT] = {
    "reply",  "send",  "mark",      "read",        "write",         "flush",        "discard",
    "pull",   "fetch", "store",     "meta_get",    "meta_put",      "digest",       "encode",
    "decode", "scan",  "meta_list", "origin_stat", "origin_commit", "origin_remove"};

static const char *const request_names[] = {
    "get",      "release",      "put",       "write",      "match",       "gather",
    "prefetch", "lookup",       "commit",    "tenant",     "pin",         "unpin",
    "forget",   "name_read",    "name_look", "name_begin", "name_commit", "name_remove",
    "name_ask", "name_abandon", "drain"};

struct fb_trace_printer *fb_trace_printer_open(FILE *stream, uint64_t block_size_bytes,
                                               _Bool has_keys)
{
    struct fb_trace_printer *printer = fb_allocate(1, sizeof(*printer), "a trace", NULL);
    printer->stream = stream;
    printer->names.block_size_bytes = block_size_bytes;
    printer->has_keys = has_keys;
    return printer;
}

void fb_trace_printer_close(struct fb_trace_printer *printer)
{
    trace_names_free(&printer->names);
    free(printer);
}

void fb_trace_print_object(struct fb_trace_printer *printer, uint64_t object, const char *name)
{
    trace_names_object(&printer->names, object, name);
}

static void line_begin(struct fb_trace_printer *printer, char sign)
{
    fprintf(printer->stream, "%*s n%u %c ", TIME_WIDTH, "", printer->node, sign);
    printer->has_part = false;
}

static void line_end(struct fb_trace_printer *printer)
{
    fputc('\n', printer->stream);
    for (uint32_t i = 0; i < printer->new_count; i++) {
        struct fb_key key = printer->new_keys[i];
        fprintf(printer->stream, "%*s %s is key %" PRIx64 ".%" PRIx64 "\n", TIME_WIDTH, "#",
                trace_name_key(&printer->names, key), key.high, key.low);
    }
    printer->new_count = 0;
}

static void ranges_show(struct fb_trace_printer *printer, const struct fb_range *ranges,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count && i < RANGES_SHOWN && ranges != NULL; i++) {
        struct fb_block block = ranges[i].block;
        block.size = ranges[i].size;
        line_block(printer, &block);
        fputs(" at ", printer->stream);
        line_bytes(printer, ranges[i].offset);
    }
    if (count > RANGES_SHOWN)
        line_number(printer, "ranges in all", count);
}

static void request_show(struct fb_trace_printer *printer, const struct fb_request *request)
{
    bool is_known = request->kind < sizeof(request_names) / sizeof(request_names[0]);
    fputs(is_known ? request_names[request->kind] : "?", printer->stream);
    bool is_loan = request->kind == FB_REQUEST_RELEASE || request->kind == FB_REQUEST_UNPIN;
    if (request->block.key.high != 0 || request->block.key.low != 0)
        line_block(printer, &request->block);
    if (request->kind == FB_REQUEST_MATCH)
        line_keys(printer, request->keys, request->key_count);
    if (request->kind == FB_REQUEST_GATHER)
        ranges_show(printer, request->ranges, request->range_count);
    if (request->kind == FB_REQUEST_WRITE)
        line_level(printer, request->level);
    if (request->record.version != 0 || request->record.value.high != 0 ||
        request->record.value.low != 0)
        line_record(printer, "over record", &request->record);
    if (request->version != 0)
        line_version(printer, "version", request->version);
    if (request->replaced != 0)
        line_version(printer, "replaces", request->replaced);
    if (is_loan)
        line_id(printer, printer->node, "lease", request->lease);
    else if (request->request_id != 0)
        line_number(printer, "request", request->request_id);
}

static void header_show(struct fb_trace_printer *printer, const struct fb_header *header)
{
    const struct fb_block block = {.key = header->key,
                                   .object = header->state == FB_HEADER_OWED ? header->object
                                                                             : FB_OBJECT_NONE,
                                   .offset = header->offset,
                                   .size = header->size};
    line_block(printer, &block);
    line_part(printer);
    fputs(header->state == FB_HEADER_OWED ? "owed" : "clean", printer->stream);
}

/* What the op brought, by what it was. */
static void done_show(struct fb_trace_printer *printer, const struct fb_done *done)
{
    const char *block;
    uint32_t kind = trace_names_op_of(&printer->names, printer->node, done->op_id, &block);
    bool is_fine = done->status == FB_OK;
    fprintf(printer->stream, "done %s", kind < FB_OP_COUNT ? op_names[kind] : "?");
    if (block != NULL) {
        line_part(printer);
        fputs(block, printer->stream);
    }
    if (kind == FB_OP_SCAN && is_fine)
        header_show(printer, &done->header);
    else if (kind == FB_OP_META_LIST && is_fine)
        line_key_part(printer, done->listed.key);
    bool is_meta = kind == FB_OP_META_GET || kind == FB_OP_META_PUT;
    bool is_origin = kind >= FB_OP_ORIGIN_STAT && kind < FB_OP_COUNT;
    line_status(printer, done->status);
    if (is_meta && done->record.version != 0)
        line_record(printer, "record", &done->record);
    if (is_origin && (is_fine || done->status == FB_CONFLICT) && done->origin.version != 0)
        line_version(printer, "version", done->origin.version);
    if (kind == FB_OP_DIGEST && is_fine)
        line_digest(printer, "digest", done->digest);
    line_id(printer, printer->node, fb_node_id_name(done->op_id), done->op_id);
}

/* To the nanosecond, or the microsecond if that is exact. */
static void time_show(struct fb_trace_printer *printer, uint64_t now_ns)
{
    bool is_round = now_ns % 1000 == 0;
    char text[40];
    snprintf(text, sizeof(text),
             is_round ? "%" PRIu64 ".%03" PRIu64 " ms" : "%" PRIu64 ".%06" PRIu64 " ms",
             now_ns / 1000000, is_round ? now_ns / 1000 % 1000 : now_ns % 1000000);
    fprintf(printer->stream, "%*s n%u < ", TIME_WIDTH, text, printer->node);
    printer->has_part = false;
}

void fb_trace_print_event(struct fb_trace_printer *printer, uint64_t now_ns, uint32_t node,
                          const struct fb_event *event)
{
    printer->node = node;
    time_show(printer, now_ns);
    switch ((enum fb_event_kind)event->kind) {
    case FB_EVENT_REQUEST:
        request_show(printer, &event->request);
        break;
    case FB_EVENT_MESSAGE:
        fprintf(printer->stream, "%s from n%u", line_message_name(event->message.kind),
                event->message.source);
        line_message(printer, &event->message, event->message.source, node);
        break;
    case FB_EVENT_DONE:
        done_show(printer, &event->done);
        break;
    case FB_EVENT_VIEW:
        fprintf(printer->stream, "view");
        break;
    case FB_EVENT_TICK:
        fprintf(printer->stream, "tick");
        break;
    }
    line_end(printer);
}

static void reply_show(struct fb_trace_printer *printer, const struct fb_reply *reply)
{
    fprintf(printer->stream, "reply to request %" PRIu64, reply->request_id);
    if (reply->item != 0 && reply->item != FB_NONE)
        line_number(printer, "item", reply->item);
    line_status(printer, reply->status);
    if (reply->status == FB_OK) {
        line_part(printer);
        fputs(fb_reason_name((enum fb_reason)reply->reason), printer->stream);
    }
    if (reply->span.size != 0)
        line_size(printer, "", reply->span.size);
    if (reply->source != FB_NONE && reply->status == FB_OK)
        line_node(printer, "from", reply->source);
    if (reply->match_count != 0)
        line_number(printer, "keys", reply->match_count);
    if (reply->copies != 0)
        line_number(printer, "copies", reply->copies);
    if (reply->record.version != 0)
        line_record(printer, "record", &reply->record);
    if (reply->version != 0)
        line_version(printer, "version", reply->version);
    if (reply->span.size != 0 || reply->lease != 0)
        line_id(printer, printer->node, "lease", reply->lease);
}

static void work_show(struct fb_trace_printer *printer, const struct fb_op *op)
{
    bool is_meta = op->kind == FB_OP_META_GET || op->kind == FB_OP_META_PUT;
    bool is_change = op->kind == FB_OP_ORIGIN_COMMIT || op->kind == FB_OP_ORIGIN_REMOVE;
    struct fb_block block = op->block;
    fputs(op_names[op->kind], printer->stream);
    if (op->kind == FB_OP_PULL && op->source.region == FB_REGION_CLIENT)
        fputs(" from the client", printer->stream);
    else if (op->kind == FB_OP_PULL)
        fprintf(printer->stream, " from n%u", op->source.peer);
    bool has_key = block.key.high != 0 || block.key.low != 0;
    if (has_key && op->kind != FB_OP_MARK && op->kind != FB_OP_SCAN) {
        block.size = is_meta || is_change ? 0 : (uint32_t)op->span.size;
        line_block(printer, &block);
    }
    if (op->kind == FB_OP_WRITE && op->header_state == FB_HEADER_OWED) {
        line_part(printer);
        fputs("owed", printer->stream);
    }
    if (op->kind == FB_OP_META_PUT)
        line_record(printer, "over record", &op->record);
    if (is_change)
        line_version(printer, "blocks of", op->change.version);
    if (is_change && op->change.shown != 0)
        line_version(printer, "shown as", op->change.shown);
    if (is_change && op->change.limit != 0)
        line_version(printer, "limit", op->change.limit);
    if (op->kind == FB_OP_MARK)
        return; /* nothing will be heard of it */
    line_id(printer, printer->node, fb_node_id_name(op->op_id), op->op_id);
    trace_names_op_begin(&printer->names, printer->node, op->op_id, op->kind, op->block.key);
}

static void op_show(struct fb_trace_printer *printer, const struct fb_op *op)
{
    line_begin(printer, '>');
    FB_ASSERT(op->kind < FB_OP_COUNT);
    if (op->kind == FB_OP_REPLY) {
        reply_show(printer, &op->reply);
    } else if (op->kind == FB_OP_SEND) {
        fprintf(printer->stream, "%s to n%u", line_message_name(op->message.kind), op->target);
        line_message(printer, &op->message, printer->node, op->target);
    } else {
        work_show(printer, op);
    }
    line_end(printer);
}

/* Writes what a mark stands for. Returns the characters of the mark; 0: it is none. */
static size_t mark_show(struct fb_trace_printer *printer, const char *text,
                        const struct fb_decision *decision)
{
    static const char *const marks[] = {"{peer}", "{count}", "{of}", "{block}", "{status}", "{at}"};
    uint32_t mark = 0, count = sizeof(marks) / sizeof(marks[0]);
    while (mark < count && strncmp(text, marks[mark], strlen(marks[mark])) != 0)
        mark++;
    if (mark == count)
        return 0;
    bool is_status = decision->count < FB_STATUS_COUNT;
    if (mark == 0 && decision->peer == FB_NONE)
        fputs("nobody", printer->stream);
    else if (mark == 0)
        fprintf(printer->stream, "n%u", decision->peer);
    else if (mark <= 2)
        fprintf(printer->stream, "%u", mark == 1 ? decision->count : decision->of);
    else if (mark == 3)
        line_key(printer, decision->key);
    else if (mark == 4)
        fputs(is_status ? fb_status_name((enum fb_status)decision->count) : "?", printer->stream);
    else
        line_duration(printer,
                      decision->at_ns > printer->now_ns ? decision->at_ns - printer->now_ns : 0);
    return strlen(marks[mark]);
}

static void decision_show(struct fb_trace_printer *printer, const struct fb_decision *decision)
{
    static const char *const texts[FB_WHY_COUNT] = {
#define WHY(NAME, text) text,
        FB_WHYS(WHY)
#undef WHY
    };
    FB_ASSERT(decision->why < FB_WHY_COUNT);
    line_begin(printer, '|');
    for (const char *at = texts[decision->why]; *at != 0;) {
        size_t length = mark_show(printer, at, decision);
        if (length == 0)
            fputc(*at, printer->stream);
        at += length > 0 ? length : 1;
    }
    line_end(printer);
}

void fb_trace_print_ops(struct fb_trace_printer *printer, const struct fb_op *ops, uint32_t count,
                        const struct fb_decisions *decisions)
{
    uint32_t shown = 0, all = decisions != NULL ? decisions->count : 0;
    printer->now_ns = decisions != NULL ? decisions->now_ns : 0;
    for (uint32_t i = 0; i <= count; i++) {
        for (; shown < all && decisions->list[shown].op <= i; shown++)
            decision_show(printer, &decisions->list[shown]);
        if (i < count)
            op_show(printer, &ops[i]);
    }
    if (all > 0 && decisions->left_out > 0) {
        line_begin(printer, '|');
        fprintf(printer->stream, "%u reasons more", decisions->left_out);
        line_end(printer);
    }
}
