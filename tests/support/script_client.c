/* The clients of a scripted cluster: what they ask, and what they heard. See script.h. */
#include "tests/support/script_internal.h"

#include "core/key.h"

#include <stdlib.h>
#include <string.h>

void script_write(struct script *script, uint64_t at_ns, uint32_t node, uint64_t request_id,
                  const struct fb_block *block, uint32_t level)
{
    const struct fb_request request = {
        .kind = FB_REQUEST_WRITE,
        .request_id = request_id,
        .level = level,
        .block = *block,
        .span = {.region = FB_REGION_CLIENT, .peer = node, .size = block->size}};
    script_request(script, at_ns, node, &request);
}

void script_request(struct script *script, uint64_t at_ns, uint32_t node,
                    const struct fb_request *request)
{
    struct script_event *event = script_push(script, at_ns, node);
    event->event = (struct fb_event){.kind = FB_EVENT_REQUEST, .request = *request};
    if (request->keys != NULL)
        memcpy(event->keys, request->keys, request->key_count * sizeof(*request->keys));
    if (request->kind == FB_REQUEST_GATHER) {
        memcpy(event->ranges, request->ranges, request->range_count * sizeof(*request->ranges));
        for (uint32_t i = 0; i < request->range_count; i++)
            script->asked[request->request_id + i] = request->ranges[i].block;
    } else if (request->kind != FB_REQUEST_RELEASE)
        script->asked[request->request_id] = request->block;
}

void script_get(struct script *script, uint64_t at_ns, uint32_t node, uint64_t request_id,
                const struct fb_block *block)
{
    const struct fb_request request = {
        .kind = FB_REQUEST_GET, .request_id = request_id, .block = *block};
    script_request(script, at_ns, node, &request);
}

void script_gather(struct script *script, uint64_t at_ns, uint32_t node, uint64_t request_id,
                   const struct fb_range *ranges, uint32_t count)
{
    const struct fb_request request = {.kind = FB_REQUEST_GATHER,
                                       .request_id = request_id,
                                       .range_count = count,
                                       .ranges = ranges};
    script_request(script, at_ns, node, &request);
}

void script_reply_take(struct script *script, uint32_t node, const struct fb_reply *reply)
{
    uint64_t id = reply->request_id + (reply->item != FB_NONE ? reply->item : 0);
    script->replies[id] = *reply;
    script->reply_ns[id] = script->now_ns;
    script->reply_turn[id] = script->turns++;
    if (reply->status != FB_OK || reply->span.size == 0)
        return;
    if (*script_tag_at(script, &reply->span) != script_tag_of(&script->asked[id]))
        script->wrong_reads++;
    if (script->hold_ns == FB_NEVER_NS)
        return;
    const struct fb_request release = {.kind = FB_REQUEST_RELEASE, .lease = reply->lease};
    script_request(script, script->now_ns + script->hold_ns, node, &release);
}

const struct fb_reply *script_reply(const struct script *script, uint64_t request_id)
{
    return script->reply_ns[request_id] > 0 ? &script->replies[request_id] : NULL;
}

uint32_t script_reply_turn(const struct script *script, uint64_t request_id)
{
    return script->reply_turn[request_id];
}

uint64_t script_reply_ns(const struct script *script, uint64_t request_id)
{
    return script->reply_ns[request_id];
}

struct fb_node *script_node(struct script *script, uint32_t node)
{
    return script->node[node];
}

uint64_t script_now_ns(const struct script *script)
{
    return script->now_ns;
}

void script_trace(struct script *script)
{
    script->trace = open_memstream(&script->text, &script->text_size);
    if (script->trace == NULL)
        abort();
    script->printer = fb_trace_printer_open(script->trace, script->config.block_size_bytes, false);
}

void script_name(struct script *script, uint64_t object, const char *name)
{
    fb_trace_print_object(script->printer, object, name);
}

const char *script_text(struct script *script)
{
    fflush(script->trace);
    return script->text;
}

uint32_t script_wrong_reads(const struct script *script)
{
    return script->wrong_reads;
}

struct fb_block script_block(uint64_t object, uint64_t number, uint32_t size, uint64_t version)
{
    return (struct fb_block){.key = {.high = fb_mix(object * 1000 + number + 1), .low = version},
                             .object = object,
                             .offset = number * size,
                             .size = size};
}

uint32_t script_owner(const struct script *script, const struct fb_block *block, uint32_t rank)
{
    return fb_view_owner(script->view, block->key, rank);
}
