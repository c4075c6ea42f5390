/* KV blocks and views over the ring: one call at a time, waited for; reads in progress go on
 * meanwhile. The arena holds the bytes or keys of the call. */
#include "client/client_internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Sends one request and waits for its reply. */
static int call(struct forebay_client *client, struct fb_ring_request request,
                struct fb_ring_reply *reply)
{
    uint32_t slot = client_slot_take(client);
    int code = 0;
    while (slot == FB_NONE && code == 0) {
        code = client_step(client, true);
        slot = client_slot_take(client);
    }
    if (code != 0)
        return code;
    client->slots[slot].is_call = true;
    client_ring_put(client, request, slot);
    while (!client->slots[slot].is_done && code == 0)
        code = client_step(client, true);
    *reply = client->slots[slot].reply;
    bool is_done = client->slots[slot].is_done;
    client_slot_free(client, slot);
    return is_done ? client_status_code(reply->status) : code;
}

/* A call that a busy daemon is asked again for some times. */
int client_call_ring(struct forebay_client *client, struct fb_ring_request request,
                     struct fb_ring_reply *reply)
{
    enum { TRIES_MAX = 200, PAUSE_DOUBLINGS_MAX = 9 };
    static_assert((200000L << PAUSE_DOUBLINGS_MAX) < 1000000000, "less than a second");
    int code = call(client, request, reply);
    for (uint32_t tries = 0; code == -EBUSY && tries < TRIES_MAX; tries++) {
        uint32_t doublings = tries < PAUSE_DOUBLINGS_MAX ? tries : PAUSE_DOUBLINGS_MAX;
        const struct timespec pause = {.tv_nsec = 200000L << doublings};
        nanosleep(&pause, NULL);
        code = call(client, request, reply);
    }
    return code;
}

int forebay_file_view(struct forebay_file *file, uint64_t offset, uint64_t size,
                      struct forebay_view *view)
{
    struct forebay_client *client = file->client;
    struct fb_ring_reply reply;
    *view = (struct forebay_view){.bytes = NULL};
    if (offset >= file->size || size == 0)
        return 0;
    int code = client_call_ring(client,
                                (struct fb_ring_request){.kind = FB_RING_GET,
                                                         .object = file->handle,
                                                         .index = offset / client->block_size},
                                &reply);
    if (code != 0)
        return code;
    uint64_t from = offset % client->block_size;
    bool is_sane = reply.offset <= client->memory_size &&
                   reply.size <= client->memory_size - reply.offset && from < reply.size;
    if (!is_sane) {
        client_release(client, reply.lease);
        return -EPROTO;
    }
    uint64_t left = reply.size - from;
    if (reply.reason < FB_REASON_COUNT)
        file->blocks[reply.reason]++;
    *view = (struct forebay_view){.bytes = client->memory + reply.offset + from,
                                  .size = size < left ? size : left,
                                  .lease = reply.lease};
    return 0;
}

void forebay_view_return(struct forebay_client *client, const struct forebay_view *view)
{
    if (view->bytes != NULL)
        client_release(client, view->lease);
}

int forebay_kv_put(struct forebay_client *client, struct forebay_key key, const void *bytes,
                   uint32_t size)
{
    struct fb_ring_reply reply;
    if (size == 0 || size > client->block_size || size > client->arena_size)
        return -EINVAL;
    if (!client_is_ours(client))
        return -ECHILD;
    memcpy(client->arena, bytes, size);
    return call(client,
                (struct fb_ring_request){
                    .kind = FB_RING_PUT, .key = {.high = key.high, .low = key.low}, .size = size},
                &reply);
}

int forebay_kv_get(struct forebay_client *client, struct forebay_key key, void *bytes,
                   uint32_t size)
{
    struct fb_ring_reply reply;
    int code =
        call(client,
             (struct fb_ring_request){
                 .kind = FB_RING_GET_KEY, .key = {.high = key.high, .low = key.low}, .size = size},
             &reply);
    if (code != 0)
        return code;
    bool is_sane = reply.size == size && reply.offset <= client->memory_size &&
                   size <= client->memory_size - reply.offset;
    if (is_sane)
        memcpy(bytes, client->memory + reply.offset, size);
    client_release(client, reply.lease);
    return is_sane ? 0 : -EPROTO;
}

int forebay_kv_match(struct forebay_client *client, const struct forebay_key *keys, uint32_t count)
{
    struct fb_ring_reply reply;
    static_assert(sizeof(*keys) == sizeof(struct fb_key), "keys are copied as they are");
    if (count > FB_MATCH_KEYS_MAX)
        return -EINVAL;
    if (!client_is_ours(client))
        return -ECHILD;
    memcpy(client->arena, keys, count * sizeof(*keys));
    int code = call(client, (struct fb_ring_request){.kind = FB_RING_MATCH, .size = count}, &reply);
    return code != 0 ? code : (int)reply.count;
}
