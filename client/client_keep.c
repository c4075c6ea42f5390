/* What a client may say about keeping: pins, which end by themselves, and blocks that nobody wants.
 * Names of KV spaces. */
#include "client/client_internal.h"

#include "core/key.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t block_count(const struct forebay_file *file)
{
    uint64_t size = file->client->block_size;
    FB_ASSERT(size > 0);
    return file->size / size + (file->size % size > 0);
}

int forebay_file_pin(struct forebay_file *file, uint32_t ttl_s, struct forebay_pin **pin)
{
    uint64_t count = block_count(file);
    int code = ttl_s > 0 ? 0 : -EINVAL;
    struct forebay_pin *made = calloc(1, sizeof(*made) + count * sizeof(made->leases[0]));
    if (made == NULL)
        return -ENOMEM;
    made->client = file->client;
    for (uint64_t i = 0; i < count && code == 0; i++) {
        struct fb_ring_reply reply;
        code = client_call_ring(file->client,
                                (struct fb_ring_request){.kind = FB_RING_PIN,
                                                         .object = file->handle,
                                                         .index = i,
                                                         .offset = ttl_s * UINT64_C(1000000000)},
                                &reply);
        if (code == 0)
            made->leases[made->count++] = reply.lease;
    }
    if (code != 0) {
        forebay_pin_end(made);
        return code;
    }
    FB_ASSERT(made->count == count);
    *pin = made;
    return 0;
}

void forebay_pin_end(struct forebay_pin *pin)
{
    if (pin == NULL)
        return;
    for (uint64_t i = 0; i < pin->count; i++) {
        struct fb_ring_reply reply;
        /* A daemon that went has ended it. */
        (void)client_call_ring(
            pin->client, (struct fb_ring_request){.kind = FB_RING_UNPIN, .object = pin->leases[i]},
            &reply);
    }
    free(pin);
}

void forebay_pin_leave(struct forebay_pin *pin)
{
    free(pin);
}

int forebay_file_invalidate(struct forebay_file *file)
{
    int first = 0;
    for (uint64_t i = 0; i < block_count(file); i++) {
        struct fb_ring_reply reply;
        int code = client_call_ring(
            file->client,
            (struct fb_ring_request){.kind = FB_RING_FORGET, .object = file->handle, .index = i},
            &reply);
        if (code != 0 && first == 0)
            first = code;
    }
    return first;
}

struct forebay_key forebay_kv_key(const char *space, struct forebay_key key)
{
    uint64_t hash = 0;
    for (const char *at = space; *at != '\0'; at++)
        hash = fb_mix(hash ^ (unsigned char)*at);
    if (*space == '\0')
        return key;
    return (struct forebay_key){.high = fb_mix(key.high ^ hash), .low = key.low ^ fb_mix(~hash)};
}
