/* Asks the daemon where blocks are and how their last reads went. */
#include "client/client_internal.h"
#include "client/protocol/page.h"

#include <errno.h>
#include <string.h>

static_assert((int)FOREBAY_HOLDERS == (int)FB_HOLDERS_MAX, "every holder has a place");
static_assert(sizeof(((struct forebay_block *)NULL)->holders) ==
                  sizeof(((struct fb_found *)NULL)->holders),
              "holders are copied as they are");
static_assert((int)FB_LOCAL_PAGE_BYTES >= (int)sizeof(struct fb_local_block), "a page has one");

static struct forebay_block block_of(const struct forebay_client *client,
                                     const struct fb_local_block *from)
{
    struct forebay_block block = {.index = from->index,
                                  .is_in_memory = from->found.is_in_memory,
                                  .is_on_device = from->found.is_on_device,
                                  .is_coming = from->found.is_coming,
                                  .is_owed = from->found.is_owed,
                                  .node = client->node,
                                  .owner = from->found.owner,
                                  .is_read = from->is_read,
                                  .result = from->is_read ? client_status_code(from->status) : 0,
                                  .reason = from->reason,
                                  .source = from->source,
                                  .latency_ns = from->latency_ns,
                                  .age_ns = from->age_ns};
    block.holder_count =
        from->found.holder_count < FOREBAY_HOLDERS ? from->found.holder_count : FOREBAY_HOLDERS;
    memcpy(block.holders, from->found.holders, sizeof(block.holders));
    return block;
}

/* One page; *count: its blocks. */
static int page_ask(struct forebay_client *client, struct fb_local_request *request,
                    struct fb_local_reply *reply, uint32_t *count)
{
    int code = client_call(client, request, NULL, reply);
    *count = code == 0 ? reply->page_size / (uint32_t)sizeof(struct fb_local_block) : 0;
    bool is_sane =
        code != 0 || (*count > 0 && reply->page_size % sizeof(struct fb_local_block) == 0);
    return is_sane ? code : -EPROTO;
}

int forebay_file_explain(struct forebay_file *file, forebay_block_call *block_call, void *context)
{
    struct forebay_client *client = file->client;
    struct fb_local_request request = {.kind = FB_LOCAL_EXPLAIN, .object = file->handle};
    if (file->writer != NULL)
        return -EINVAL;
    int result = 0;
    for (bool is_more = file->size > 0; is_more && result == 0; is_more = request.index != 0) {
        struct fb_local_reply reply;
        uint32_t count;
        int code = page_ask(client, &request, &reply, &count);
        if (code != 0)
            return code;
        for (uint32_t i = 0; i < count && result == 0; i++) {
            struct fb_local_block from;
            memcpy(&from, client->page + i * sizeof(from), sizeof(from));
            const struct forebay_block block = block_of(client, &from);
            result = block_call(context, &block);
        }
        request.index = reply.index;
    }
    return result;
}

int forebay_kv_explain(struct forebay_client *client, struct forebay_key key,
                       struct forebay_block *block)
{
    struct fb_local_request request = {
        .kind = FB_LOCAL_EXPLAIN_KEY, .object = key.high, .index = key.low};
    struct fb_local_reply reply;
    struct fb_local_block from;
    uint32_t count;
    int code = page_ask(client, &request, &reply, &count);
    if (code != 0)
        return code;
    memcpy(&from, client->page, sizeof(from));
    *block = block_of(client, &from);
    return 0;
}
