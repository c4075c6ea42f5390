/* Ops become operations: one op, one of these, one DONE. See io.h for what each means. */
#include "core/panic.h"
#include "hw/base/code.h"
#include "hw/loop/loop_internal.h"

#include <errno.h>
#include <string.h>

/* Up to this a digest or copy is done by the loop's own thread: waking another takes longer.
 * guess: 32 KiB to 512 KiB; `forebay calibrate` would measure it. */
enum { SMALL_BYTES = 128 * 1024 };

void work_free(struct work *work)
{
    struct fb_loop *loop = work->loop;
    FB_ASSERT(work >= loop->works);
    FB_ASSERT(work < loop->works + loop->work_count);
    work->next = loop->work_free;
    loop->work_free = work;
}

void work_event(struct work *work, const struct fb_event *event)
{
    struct fb_loop *loop = work->loop;
    work_free(work);
    loop_event(loop, event);
}

void work_end(struct work *work, enum fb_status status, uint64_t digest)
{
    const struct fb_event event = {
        .kind = FB_EVENT_DONE,
        .done = {.op_id = work->op.op_id, .status = status, .digest = digest}};
    work_event(work, &event);
}

/* A FETCH or STORE has ended. What the origin refuses is remembered with the object: a commit whose
 * blocks cannot come says so. */
static void origin_end(struct work *work, enum fb_status status)
{
    struct fb_loop *loop = work->loop;
    const struct fb_origin_task *task = &work->origin;
    FB_ASSERT(task->verb == FB_ORIGIN_FETCH || task->verb == FB_ORIGIN_STORE);
    struct fb_object *object = fb_objects_find(&loop->objects, task->object.handle);
    bool is_gone = status == FB_CONFLICT && !task->object.is_cached; /* it does not come back */
    const struct fb_event event = {
        .kind = FB_EVENT_DONE,
        .done = {.op_id = work->op.op_id, .status = status, .is_final = task->is_final || is_gone}};
    if (object != NULL && task->verb == FB_ORIGIN_STORE)
        object->refusal = fb_origin_refuses(status) ? status : FB_OK;
    work_free(work);
    loop_event(loop, &event);
}

static void later_done(struct fb_io *io, int32_t result)
{
    struct work *work = FB_CONTAINER(io, struct work, io);
    if (result != -ECANCELED)
        work_end(work, work->status, 0);
}

void work_end_later(struct work *work, enum fb_status status)
{
    work->status = status;
    fb_io_init(&work->io, later_done);
    fb_uring_nothing(&work->loop->uring, &work->io);
}

static void origin_done(struct fb_origin_task *task, enum fb_status status)
{
    struct work *work = FB_CONTAINER(task, struct work, origin);
    bool is_coming = status == FB_ABSENT && task->verb == FB_ORIGIN_FETCH && task->object.is_cached;
    if (status != FB_OK && !is_coming) {
        char name[FB_LOG_QUOTE_MAX];
        fb_log(FB_LOG_WARNING, "origin_error", "status=%s object=%s offset=%llu",
               fb_status_name(status), fb_log_quote(task->object.name, name),
               (unsigned long long)task->offset);
    }
    origin_end(work, status);
}

static void origin_fetch(struct work *work)
{
    struct fb_loop *loop = work->loop;
    const struct fb_object *object = fb_objects_find(&loop->objects, work->op.block.object);
    if (object == NULL) { /* named too long ago */
        work_end_later(work, FB_CONFLICT);
        return;
    }
    work->origin.verb = FB_ORIGIN_FETCH;
    work->origin.done = origin_done;
    work->origin.object = *object;
    work->origin.offset = work->op.block.offset;
    work->origin.bytes = work->bytes;
    fb_origin_start(&loop->origin, &work->origin);
}

static void origin_store(struct work *work)
{
    struct fb_loop *loop = work->loop;
    struct fb_object *object = fb_objects_find(&loop->objects, work->op.block.object);
    if (object == NULL) { /* named too long ago */
        work_end_later(work, FB_CONFLICT);
        return;
    }
    if (work->op.block.offset + work->bytes.size > loop->origin.object_max) {
        char name[FB_LOG_QUOTE_MAX];
        fb_log(FB_LOG_WARNING, "object_too_large",
               "object=%s limit=%llu remedy=\"a larger core.block_size\"",
               fb_log_quote(object->name, name), (unsigned long long)loop->origin.object_max);
        object->refusal = FB_TOO_LARGE;
        work_end_later(work, FB_TOO_LARGE);
        return;
    }
    work->origin.verb = FB_ORIGIN_STORE;
    work->origin.done = origin_done;
    work->origin.object = *object;
    work->origin.offset = work->op.block.offset;
    work->origin.bytes = work->bytes;
    fb_origin_start(&loop->origin, &work->origin);
}

static void offload_done(struct fb_offload_task *task)
{
    struct work *work = FB_CONTAINER(task, struct work, offload);
    work_end(work, FB_OK, task->digest);
}

static void offload_start(struct work *work, fb_offload_call *run, const unsigned char *source)
{
    work->offload = (struct fb_offload_task){
        .run = run, .done = offload_done, .bytes = work->bytes, .source = source};
    fb_offload_start(&work->loop->offload, &work->offload, work->bytes.size <= SMALL_BYTES);
}

static void encode_run(struct fb_offload_task *task)
{
    const struct work *work = FB_CONTAINER(task, struct work, offload);
    const struct fb_bytes block = {.at = (unsigned char *)(uintptr_t)task->source,
                                   .size = work->op.source.size};
    task->digest = fb_code_encode(&work->fragments, block, task->bytes);
}

static void decode_run(struct fb_offload_task *task)
{
    const struct work *work = FB_CONTAINER(task, struct work, offload);
    task->digest = fb_code_decode(&work->fragments, task->source, task->bytes);
}

static void code_done(struct fb_offload_task *task)
{
    struct work *work = FB_CONTAINER(task, struct work, offload);
    FB_ASSERT(task->digest < FB_STATUS_COUNT); /* code_start's calls leave a status there */
    work_end(work, (enum fb_status)task->digest, 0);
}

/* ENCODE reads its block, DECODE fragments anywhere in memory. */
static void code_start(struct work *work)
{
    bool is_encode = work->op.kind == FB_OP_ENCODE;
    const unsigned char *memory = work->loop->memory.bytes.at;
    work->offload =
        (struct fb_offload_task){.run = is_encode ? encode_run : decode_run,
                                 .done = code_done,
                                 .bytes = work->bytes,
                                 .source = is_encode ? memory + work->op.source.offset : memory};
    fb_offload_start(&work->loop->offload, &work->offload, work->bytes.size <= SMALL_BYTES);
}

static void pull_done(struct fb_tcp_pull *pull, enum fb_status status)
{
    work_end(FB_CONTAINER(pull, struct work, pull), status, 0);
}

static void peer_pull(struct work *work)
{
    work->pull = (struct fb_tcp_pull){
        .done = pull_done, .id = work->op.op_id, .source = work->op.source, .bytes = work->bytes};
    fb_tcp_pull_start(&work->loop->tcp, &work->pull);
}

/* A put: the client's bytes are in its arena. */
static void client_pull(struct work *work)
{
    struct fb_bytes bytes = fb_local_arena(&work->loop->local, &work->op.source);
    if (bytes.size != work->bytes.size)
        work_end_later(work, FB_GONE); /* the client is not there any more */
    else
        offload_start(work, fb_offload_copy, bytes.at);
}

static void work_start(struct work *work)
{
    FB_ASSERT(work->op.kind < FB_OP_COUNT);
    switch ((enum fb_op_kind)work->op.kind) {
    case FB_OP_READ:
    case FB_OP_WRITE:
    case FB_OP_FLUSH:
    case FB_OP_DISCARD:
        drive_start(work);
        return;
    case FB_OP_PULL:
        if (work->op.source.region == FB_REGION_CLIENT)
            client_pull(work);
        else
            peer_pull(work);
        return;
    case FB_OP_FETCH:
        origin_fetch(work);
        return;
    case FB_OP_STORE:
        origin_store(work);
        return;
    case FB_OP_DIGEST:
        offload_start(work, fb_offload_digest, NULL);
        return;
    case FB_OP_ENCODE:
    case FB_OP_DECODE:
        code_start(work);
        return;
    case FB_OP_SCAN:
        drive_scan(work);
        return;
    case FB_OP_META_GET:
    case FB_OP_META_PUT:
    case FB_OP_META_LIST:
    case FB_OP_ORIGIN_STAT:
    case FB_OP_ORIGIN_COMMIT:
    case FB_OP_ORIGIN_REMOVE:
        names_start(work);
        return;
    case FB_OP_REPLY:
    case FB_OP_SEND:
    case FB_OP_MARK:
    case FB_OP_COUNT:
        break;
    }
    work_end_later(work, FB_INVALID);
}

static void op_send(struct fb_loop *loop, const struct fb_op *op)
{
    const struct fb_message *message = &op->message;
    const struct fb_object *object = NULL;
    const struct fb_block *block = message->kind == FB_MESSAGE_ASK        ? &message->ask.block
                                   : message->kind == FB_MESSAGE_HOLD     ? &message->hold.block
                                   : message->kind == FB_MESSAGE_FRAGMENT ? &message->fragment.block
                                                                          : NULL;
    if (block != NULL && block->object != FB_OBJECT_NONE)
        object = fb_objects_find(&loop->objects, block->object);
    fb_tcp_send(&loop->tcp, op->target, message, object);
}

void loop_op(struct fb_loop *loop, const struct fb_op *op)
{
    if (op->kind == FB_OP_REPLY) {
        if (op->reply.request_id >> 48 == FB_NAME_SESSION)
            fb_names_reply(&loop->names, &op->reply);
        else
            fb_local_reply(&loop->local, &op->reply);
        return;
    }
    if (op->kind == FB_OP_SEND) {
        op_send(loop, op);
        return;
    }
    if (op->kind == FB_OP_MARK) {
        fb_headers_settle(&loop->headers, op->source.offset);
        return;
    }
    struct work *work = loop->work_free;
    FB_ASSERT(work != NULL); /* as many as the core can have in flight */
    loop->work_free = work->next;
    work->next = NULL;
    work->op = *op;
    work->moved = 0;
    if (op->kind == FB_OP_ENCODE || op->kind == FB_OP_DECODE) {
        FB_ASSERT(op->fragments != NULL);
        work->fragments = *op->fragments;
    }
    work->bytes =
        (struct fb_bytes){.at = loop->memory.bytes.at + op->span.offset, .size = op->span.size};
    if (op->span.size > 0)
        FB_ASSERT(op->span.region == FB_REGION_MEMORY &&
                  op->span.offset + op->span.size <= loop->memory.bytes.size);
    work_start(work);
}
