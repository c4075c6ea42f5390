/* Trace records and their text. One line a record:
 *     "     12345 n2 < message offer key=1f.3 id=100000005 size=4096 peer=n1 detail=0"
 * "<" is an event that came in, ">" an op that went out. No stdio: digits are written by hand. */
#include "core/trace.h"

#include "core/panic.h"
#include "core/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The fields of a message by their places: whatever it is, what stands there is shown. */
static void trace_message(struct fb_trace_record *record, const struct fb_message *message,
                          uint32_t peer)
{
    struct fb_message_flat flat;
    fb_message_pack(&flat, message);
    record->subkind = flat.kind;
    record->status = flat.status;
    record->key_high = flat.block.key.high;
    record->key_low = flat.block.key.low;
    record->id = flat.kind == FB_MESSAGE_RETURN ? flat.lend_id : flat.ask_id;
    record->size = flat.block.size;
    record->peer = peer;
    record->digest = flat.digest;
    record->detail = flat.node != FB_NONE ? flat.node : flat.count;
    FB_ASSERT(record->subkind == message->kind);
}

void fb_trace_event(struct fb_trace_record *record, uint64_t now_ns, uint32_t node,
                    const struct fb_event *event)
{
    memset(record, 0, sizeof(*record)); /* padding is hashed too */
    record->time_ns = now_ns;
    record->node = node;
    record->kind = (uint8_t)event->kind;
    record->peer = FB_NONE;
    FB_ASSERT(event->kind <= FB_EVENT_TICK);
    if (event->kind == FB_EVENT_REQUEST) {
        record->subkind = (uint8_t)event->request.kind;
        record->key_high = event->request.block.key.high;
        record->key_low = event->request.block.key.low;
        record->id = event->request.kind == FB_REQUEST_RELEASE ? event->request.lease
                                                               : event->request.request_id;
        record->size = event->request.block.size;
        record->detail = event->request.kind == FB_REQUEST_GATHER ? event->request.range_count
                                                                  : event->request.key_count;
    } else if (event->kind == FB_EVENT_MESSAGE) {
        trace_message(record, &event->message, event->message.source);
    } else if (event->kind == FB_EVENT_DONE) {
        record->status = (uint8_t)event->done.status;
        record->id = event->done.op_id;
        record->digest = event->done.digest;
        record->size = event->done.record.version; /* of META ops; else 0 */
        if (event->done.next > 0) {                /* SCAN */
            record->key_high = event->done.header.key.high;
            record->key_low = event->done.header.key.low;
            record->size = event->done.header.size;
            record->detail = event->done.header.state;
        }
    }
    FB_ASSERT(record->direction == 0);
}

void fb_trace_op(struct fb_trace_record *record, uint64_t now_ns, uint32_t node,
                 const struct fb_op *op)
{
    FB_ASSERT(op->kind < FB_OP_COUNT);
    memset(record, 0, sizeof(*record));
    record->time_ns = now_ns;
    record->node = node;
    record->direction = 1;
    record->kind = (uint8_t)op->kind;
    record->peer = FB_NONE;
    if (op->kind == FB_OP_REPLY) {
        record->subkind = (uint8_t)op->reply.reason;
        record->status = (uint8_t)op->reply.status;
        record->id = op->reply.request_id;
        record->size = op->reply.span.size;
        record->peer = op->reply.source;
        record->digest = op->reply.version;
        record->detail = op->reply.match_count > 0 ? op->reply.match_count : op->reply.item;
    } else if (op->kind == FB_OP_SEND) {
        trace_message(record, &op->message, op->target);
    } else {
        record->key_high = op->block.key.high;
        record->key_low = op->block.key.low;
        record->id = op->op_id;
        record->size = op->span.size;
        record->peer = op->source.peer;
        record->detail = (uint32_t)(op->span.offset >> 9);
        if (op->kind == FB_OP_META_GET || op->kind == FB_OP_META_PUT) {
            record->detail = (uint32_t)op->record.version;
            record->digest = op->record.value.low;
        }
        if (op->kind == FB_OP_ORIGIN_COMMIT || op->kind == FB_OP_ORIGIN_REMOVE) {
            record->digest = op->change.version;
            record->size = op->change.limit;
        }
        if (op->kind == FB_OP_WRITE && op->header_state == FB_HEADER_OWED)
            record->subkind = 1;
        if (op->kind == FB_OP_MARK || op->kind == FB_OP_SCAN)
            record->detail = (uint32_t)(op->source.offset >> 9);
    }
    FB_ASSERT(record->time_ns == now_ns);
}

struct text {
    char *at;
    uint32_t size;
};

static void put_text(struct text *text, const char *word)
{
    FB_ASSERT(word != 0);
    for (; *word != 0; word++) {
        FB_ASSERT(text->size + 1 < FB_TRACE_TEXT_MAX);
        text->at[text->size++] = *word;
    }
}

static void put_number(struct text *text, uint64_t value, uint32_t base, uint32_t width)
{
    char digits[24];
    uint32_t count = 0;
    FB_ASSERT(base == 10 || base == 16);
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    for (uint32_t i = count; i < width; i++)
        put_text(text, " ");
    while (count > 0) {
        char word[2] = {digits[--count], 0};
        put_text(text, word);
    }
    FB_ASSERT(text->size < FB_TRACE_TEXT_MAX);
}

static void put_field(struct text *text, const char *name, uint64_t value, uint32_t base)
{
    FB_ASSERT(name != 0);
    put_text(text, " ");
    put_text(text, name);
    put_text(text, "=");
    put_number(text, value, base, 0);
    FB_ASSERT(text->size > 0);
}

static const char *event_name(const struct fb_trace_record *record)
{
    static const char *const events[] = {"request", "message", "done", "view", "tick"};
    FB_ASSERT(record->direction == 0);
    FB_ASSERT(record->kind < sizeof(events) / sizeof(events[0]));
    return events[record->kind];
}

static const char *op_name(const struct fb_trace_record *record)
{
    static const char *const ops[FB_OP_COUNT] = {
        "reply",  "send",  "mark",      "read",        "write",         "flush",        "discard",
        "pull",   "fetch", "store",     "meta_get",    "meta_put",      "digest",       "encode",
        "decode", "scan",  "meta_list", "origin_stat", "origin_commit", "origin_remove"};
    FB_ASSERT(record->direction == 1);
    FB_ASSERT(record->kind < FB_OP_COUNT);
    return ops[record->kind];
}

static const char *subkind_name(const struct fb_trace_record *record)
{
    static const char *const messages[] = {
#define KIND(NAME, kind, text) text,
        FB_MESSAGE_KINDS(KIND)
#undef KIND
    };
    static const char *const requests[] = {
        "get",      "release",      "put",       "write",      "match",       "gather",
        "prefetch", "lookup",       "commit",    "tenant",     "pin",         "unpin",
        "forget",   "name_read",    "name_look", "name_begin", "name_commit", "name_remove",
        "name_ask", "name_abandon", "drain"};
    bool is_message =
        record->direction == 1 ? record->kind == FB_OP_SEND : record->kind == FB_EVENT_MESSAGE;
    if (is_message)
        return record->subkind < sizeof(messages) / sizeof(messages[0]) ? messages[record->subkind]
                                                                        : "?";
    if (record->direction == 0 && record->kind == FB_EVENT_REQUEST)
        return record->subkind < sizeof(requests) / sizeof(requests[0]) ? requests[record->subkind]
                                                                        : "?";
    if (record->direction == 1 && record->kind == FB_OP_REPLY)
        return fb_reason_name((enum fb_reason)record->subkind);
    if (record->direction == 1 && record->kind == FB_OP_WRITE && record->subkind == 1)
        return "owed";
    FB_ASSERT(record->subkind == 0);
    return NULL;
}

uint32_t fb_trace_format(const struct fb_trace_record *record, char characters[FB_TRACE_TEXT_MAX])
{
    struct text text = {.at = characters, .size = 0};
    const char *subkind = subkind_name(record);
    FB_ASSERT(record->direction <= 1);
    put_number(&text, record->time_ns, 10, 12);
    put_text(&text, " n");
    put_number(&text, record->node, 10, 0);
    put_text(&text, record->direction == 0 ? " < " : " > ");
    put_text(&text, record->direction == 0 ? event_name(record) : op_name(record));
    if (subkind != NULL) {
        put_text(&text, " ");
        put_text(&text, subkind);
    }
    if (record->status != FB_OK) {
        put_text(&text, " ");
        put_text(&text, fb_status_name((enum fb_status)record->status));
    }
    if (record->key_high != 0 || record->key_low != 0) {
        put_field(&text, "key", record->key_high, 16);
        put_text(&text, ".");
        put_number(&text, record->key_low, 16, 0);
    }
    if (record->id != 0)
        put_field(&text, "id", record->id, 16);
    if (record->size != 0)
        put_field(&text, "size", record->size, 10);
    if (record->peer != FB_NONE)
        put_field(&text, "peer", record->peer, 10);
    if (record->detail != 0)
        put_field(&text, "detail", record->detail, 10);
    if (record->digest != 0)
        put_field(&text, "digest", record->digest, 16);
    FB_ASSERT(text.size < FB_TRACE_TEXT_MAX);
    characters[text.size] = 0;
    return text.size;
}
