/* KV blocks over the ring: one call at a time, waited for; reads in progress go on meanwhile. The
 * arena holds the bytes or keys of the call. */
#include "hw/client_internal.h"

#include <errno.h>
#include <string.h>

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
    client_ring_put(client, request, slot);
    while (!client->slots[slot].is_done && code == 0)
        code = client_step(client, true);
    *reply = client->slots[slot].reply;
    bool is_done = client->slots[slot].is_done;
    client_slot_free(client, slot);
    return is_done ? client_status_code(reply->status) : code;
}

int forebay_kv_put(struct forebay_client *client, struct forebay_key key, const void *bytes,
                   uint32_t size)
{
    struct fb_ring_reply reply;
    if (size == 0 || size > client->block_size || size > client->arena_size)
        return -EINVAL;
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
    memcpy(client->arena, keys, count * sizeof(*keys));
    int code = call(client, (struct fb_ring_request){.kind = FB_RING_MATCH, .size = count}, &reply);
    return code != 0 ? code : (int)reply.count;
}
