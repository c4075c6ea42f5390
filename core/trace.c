/* Trace records; see trace.h. */
#include "core/trace.h"

#include "core/panic.h"

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
