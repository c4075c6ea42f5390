/* What a client asks about where blocks are and how their last reads went. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"

static void refuse(struct local_request *request, enum fb_status status)
{
    const struct fb_local_reply reply = {.status = status};
    local_request_end(request, &reply);
}

/* An open object's blocks from index on, as many as a page holds. */
static void object_explain(struct local_request *request, const struct fb_object *object,
                           uint64_t index)
{
    struct fb_local *local = request->session->local;
    struct fb_local_block *blocks = (struct fb_local_block *)(void *)request->session->page;
    const uint32_t room = FB_LOCAL_PAGE_BYTES / sizeof(*blocks);
    uint64_t block_size = local->context.settings->core.block_size_bytes;
    uint64_t all = fb_object_blocks(object, block_size);
    uint32_t count = all - index < room ? (uint32_t)(all - index) : room;
    FB_ASSERT(index < all && count > 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_block block = fb_object_block(object, block_size, index + i);
        blocks[i] = (struct fb_local_block){.index = index + i};
        fb_node_find(local->context.feed->node, block.key, &blocks[i].found);
    }
    fb_reads_of_object(&local->reads, object->handle, fb_clock_ns(), blocks, count);
    const struct fb_local_reply reply = {.page_size = count * (uint32_t)sizeof(*blocks),
                                         .index = index + count < all ? index + count : 0};
    request->session->is_page_used = true;
    local_request_end(request, &reply);
}

static void key_explain(struct local_request *request, struct fb_key key)
{
    struct fb_local *local = request->session->local;
    struct fb_local_block *block = (struct fb_local_block *)(void *)request->session->page;
    *block = (struct fb_local_block){.index = 0};
    key = fb_object_kv_key(key);
    fb_node_find(local->context.feed->node, key, &block->found);
    fb_reads_of_key(&local->reads, key, fb_clock_ns(), block);
    const struct fb_local_reply reply = {.page_size = sizeof(*block)};
    request->session->is_page_used = true;
    local_request_end(request, &reply);
}

void local_explain_start(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_local *local = request->session->local;
    if (request->session->is_page_used) {
        refuse(request, FB_BUSY);
        return;
    }
    if (from->kind == FB_LOCAL_EXPLAIN_KEY) {
        key_explain(request, (struct fb_key){.high = from->object, .low = from->index});
        return;
    }
    const struct fb_object *object = fb_objects_find(local->context.objects, from->object);
    bool is_fine =
        object != NULL && !object->is_written &&
        from->index < fb_object_blocks(object, local->context.settings->core.block_size_bytes);
    if (is_fine)
        object_explain(request, object, from->index);
    else
        refuse(request, object == NULL || object->is_written ? FB_INVALID : FB_ABSENT);
}
