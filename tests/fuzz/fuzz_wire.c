/* hw/net/wire.c and what a connection does with its frames: no bytes of a peer make it read beyond
 * them, and what it took is what it would send.
 * How: the input is a stream of frames, each with its checksum made right, since no mutation
 * would ever hit it; the first byte says whether magic, version and sizes are made right, too. */
#include "hw/net/wire.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <xxhash.h>

enum { OBJECTS_MAX = 4 };

/* As wire.c computes it. */
static void header_mend(unsigned char *bytes, size_t size, bool is_framed)
{
    struct fb_wire_header header;
    if (size < sizeof(header))
        return;
    memcpy(&header, bytes, sizeof(header));
    if (is_framed) {
        header.magic = FB_WIRE_MAGIC;
        header.version = FB_WIRE_VERSION;
        if (header.payload_size > size - sizeof(header))
            header.payload_size = (uint32_t)(size - sizeof(header));
        if (header.kind == FB_WIRE_BYTES || header.kind == FB_WIRE_FAIL)
            header.payload_size = 0;
    }
    header.checksum = 0;
    if (header.payload_size <= size - sizeof(header))
        header.checksum = XXH3_64bits_withSeed(bytes + sizeof(header), header.payload_size,
                                               XXH3_64bits(&header, sizeof(header)));
    memcpy(bytes, &header, sizeof(header));
}

/* Writes what was taken; returns its size. */
static uint32_t frame_put(unsigned char *bytes, const struct fb_wire_frame *frame)
{
    const struct fb_wire_header *header = &frame->header;
    bool has_object = frame->object.name_length > 0;
    switch ((enum fb_wire_kind)header->kind) {
    case FB_WIRE_HELLO:
        return fb_wire_put_hello(bytes, header->source, &frame->hello);
    case FB_WIRE_MESSAGE:
        return fb_wire_put_message(bytes, &frame->message, has_object ? &frame->object : NULL,
                                   (uint32_t)frame->header.value);
    case FB_WIRE_PULL:
        return fb_wire_put_pull(bytes, header->source, header->id, &frame->pull);
    case FB_WIRE_BYTES:
    case FB_WIRE_FAIL:
        return fb_wire_put_answer(bytes, (enum fb_wire_kind)header->kind, header->source,
                                  header->id, header->value);
    case FB_WIRE_SUMMARY:
        return fb_wire_put_summary(bytes, header->source, &frame->summary, header->value != 0);
    }
    abort();
}

/* What is written again and taken again is written the same a third time. */
static void frame_check(const struct fb_wire_frame *frame)
{
    static unsigned char first[FB_WIRE_FRAME_MAX], second[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame again;
    const char *fault = NULL;
    uint32_t size = frame_put(first, frame);
    if (fb_wire_take(first, size, &again, &fault) != (int32_t)size ||
        frame_put(second, &again) != size || memcmp(first, second, size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fb_wire_frame frame;
    struct fuzz_input input = {.at = data, .left = size};
    struct fb_objects objects;
    bool is_framed = fuzz_below(&input, 4) != 0;
    if (!fb_objects_open(&objects, OBJECTS_MAX))
        return 0;
    while (input.left > 0) {
        unsigned char *bytes = malloc(input.left);
        const char *fault = NULL;
        memcpy(bytes, input.at, input.left);
        header_mend(bytes, input.left, is_framed);
        int32_t taken = fb_wire_take(bytes, (uint32_t)input.left, &frame, &fault);
        if (taken > 0) {
            frame_check(&frame);
            if (frame.header.kind == FB_WIRE_MESSAGE && frame.object.name_length > 0)
                (void)fb_objects_add(&objects, &frame.object);
        }
        if (taken < 0 && fault == NULL)
            abort();
        free(bytes);
        if (taken <= 0)
            break;
        input.at += taken;
        input.left -= (size_t)taken;
    }
    fb_objects_close(&objects);
    return 0;
}
