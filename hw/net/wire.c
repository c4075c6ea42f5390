/* See wire.h. Fields are written one by one at fixed places, so that no compiler's padding is sent;
 * the host is little-endian. */
#include "hw/net/wire.h"

#include "core/panic.h"

#include <string.h>
#include <xxhash.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire's byte order is the host's");

/* Of an object, beside the length of its name. */
#define WIRE_IS_CACHED (UINT64_C(1) << 32)

/* Writes or reads fields one after the other. */
struct cursor {
    unsigned char *at;
};

static void put(struct cursor *cursor, const void *value, uint32_t size)
{
    memcpy(cursor->at, value, size);
    cursor->at += size;
}

static void take(struct cursor *cursor, void *value, uint32_t size)
{
    memcpy(value, cursor->at, size);
    cursor->at += size;
}

#define PLACE(place, bytes) +(bytes)
static_assert((0 FB_MESSAGE_PLACES(PLACE)) == FB_WIRE_MESSAGE_BYTES, "as announced");
#undef PLACE

static void message_put(struct cursor *cursor, const struct fb_message_flat *flat)
{
#define PLACE(place, bytes) \
    static_assert(sizeof(flat->place) == (bytes), "as sent"); \
    put(cursor, &flat->place, bytes);
    FB_MESSAGE_PLACES(PLACE)
#undef PLACE
}

static void message_take(struct cursor *cursor, struct fb_message_flat *flat)
{
#define PLACE(place, bytes) take(cursor, &flat->place, bytes);
    FB_MESSAGE_PLACES(PLACE)
#undef PLACE
}

/* Of the header with checksum 0, then of the payload that stands behind it. */
static uint64_t frame_checksum(struct fb_wire_header header, const unsigned char *payload)
{
    header.checksum = 0;
    return XXH3_64bits_withSeed(payload, header.payload_size, XXH3_64bits(&header, sizeof(header)));
}

/* Puts the header before a payload that stands in its place already. */
static uint32_t frame_close(unsigned char *bytes, struct fb_wire_header header)
{
    header.magic = FB_WIRE_MAGIC;
    header.version = header.kind == FB_WIRE_SUMMARY ? 3 : FB_WIRE_VERSION_MIN;
    FB_ASSERT(header.payload_size <= FB_WIRE_PAYLOAD_MAX);
    header.checksum = frame_checksum(header, bytes + FB_WIRE_HEADER_BYTES);
    memcpy(bytes, &header, sizeof(header));
    return (uint32_t)sizeof(header) + header.payload_size;
}

uint32_t fb_wire_put_hello(unsigned char *bytes, uint32_t source, const struct fb_wire_hello *hello)
{
    memcpy(bytes + FB_WIRE_HEADER_BYTES, hello, sizeof(*hello));
    return frame_close(bytes, (struct fb_wire_header){.kind = FB_WIRE_HELLO,
                                                      .source = source,
                                                      .payload_size = sizeof(*hello),
                                                      .value = FB_WIRE_VERSION});
}

uint32_t fb_wire_put_summary(unsigned char *bytes, uint32_t source,
                             const struct fb_wire_summary *summary, bool wants_answer)
{
    static_assert(sizeof(*summary) <= FB_WIRE_PAYLOAD_MAX, "it fits a frame");
    memcpy(bytes + FB_WIRE_HEADER_BYTES, summary, sizeof(*summary));
    return frame_close(bytes, (struct fb_wire_header){.kind = FB_WIRE_SUMMARY,
                                                      .source = source,
                                                      .payload_size = sizeof(*summary),
                                                      .value = wants_answer});
}

uint8_t fb_wire_version(const struct fb_wire_header *hello)
{
    FB_ASSERT(hello->kind == FB_WIRE_HELLO);
    return hello->value < FB_WIRE_VERSION_MIN ? FB_WIRE_VERSION_MIN
           : hello->value < FB_WIRE_VERSION   ? (uint8_t)hello->value
                                              : FB_WIRE_VERSION;
}

uint32_t fb_wire_put_message(unsigned char *bytes, const struct fb_message *message,
                             const struct fb_object *object, uint32_t offered_bytes)
{
    struct cursor cursor = {.at = bytes + FB_WIRE_HEADER_BYTES};
    struct fb_message_flat flat;
    fb_message_pack(&flat, message);
    FB_ASSERT(offered_bytes == 0 || offered_bytes == flat.span.size);
    message_put(&cursor, &flat);
    if (flat.keys != NULL) {
        FB_ASSERT(flat.count <= FB_MATCH_KEYS_MAX);
        put(&cursor, flat.keys, flat.count * (uint32_t)sizeof(*flat.keys));
    }
    if (object != NULL) {
        FB_ASSERT(object->name_length <= FB_OBJECT_NAME_MAX);
        const uint64_t facts[3] = {object->size, object->version,
                                   object->name_length | (object->is_cached ? WIRE_IS_CACHED : 0)};
        put(&cursor, facts, FB_WIRE_OBJECT_BYTES);
        put(&cursor, object->name, object->name_length);
    }
    uint32_t size = (uint32_t)(cursor.at - bytes) - FB_WIRE_HEADER_BYTES;
    return frame_close(bytes, (struct fb_wire_header){.kind = FB_WIRE_MESSAGE,
                                                      .source = message->source,
                                                      .payload_size = size,
                                                      .value = offered_bytes});
}

uint32_t fb_wire_put_pull(unsigned char *bytes, uint32_t source, uint64_t id,
                          const struct fb_wire_pull *pull)
{
    memcpy(bytes + FB_WIRE_HEADER_BYTES, pull, sizeof(*pull));
    return frame_close(bytes, (struct fb_wire_header){.kind = FB_WIRE_PULL,
                                                      .source = source,
                                                      .payload_size = sizeof(*pull),
                                                      .id = id});
}

uint32_t fb_wire_put_answer(unsigned char *bytes, enum fb_wire_kind kind, uint32_t source,
                            uint64_t id, uint64_t value)
{
    FB_ASSERT(kind == FB_WIRE_BYTES || kind == FB_WIRE_FAIL);
    return frame_close(
        bytes,
        (struct fb_wire_header){.kind = (uint8_t)kind, .source = source, .id = id, .value = value});
}

static bool object_take(struct cursor *cursor, uint32_t left, struct fb_object *object)
{
    uint64_t facts[3];
    if (left < FB_WIRE_OBJECT_BYTES)
        return false;
    take(cursor, facts, FB_WIRE_OBJECT_BYTES);
    uint64_t length = facts[2] & ~WIRE_IS_CACHED;
    if (length != left - FB_WIRE_OBJECT_BYTES || length > FB_OBJECT_NAME_MAX)
        return false;
    object->size = facts[0];
    object->version = facts[1];
    object->name_length = (uint32_t)length;
    object->is_cached = facts[2] & WIRE_IS_CACHED;
    object->is_written = false;
    object->is_committed = false;
    take(cursor, object->name, object->name_length);
    object->name[object->name_length] = '\0';
    if (!fb_object_name_is_fine(object->name, object->name_length))
        return false;
    fb_object_identify(object);
    return true;
}

static const char *message_fault(struct cursor *cursor, struct fb_wire_frame *frame)
{
    struct fb_message_flat flat = {.keys = NULL};
    uint32_t left = frame->header.payload_size;
    frame->object.name_length = 0;
    if (left < FB_WIRE_MESSAGE_BYTES)
        return "a message is too short";
    message_take(cursor, &flat);
    left -= FB_WIRE_MESSAGE_BYTES;
    if (flat.source != frame->header.source)
        return "a message names another sender";
    uint64_t offered_bytes = frame->header.value;
    bool is_offered = flat.kind == FB_MESSAGE_OFFER && offered_bytes == flat.span.size &&
                      offered_bytes <= FB_WIRE_OFFERED_MAX;
    if (offered_bytes > 0 && !is_offered)
        return "the bytes behind a message are not what it offers";
    if (flat.kind == FB_MESSAGE_MATCH_ASK) {
        uint32_t keys_size = flat.count * (uint32_t)sizeof(*flat.keys);
        if (flat.count > FB_MATCH_KEYS_MAX || left < keys_size)
            return "a message has not the keys that it announces";
        take(cursor, frame->keys, keys_size);
        flat.keys = frame->keys;
        left -= keys_size;
    }
    fb_message_unpack(&frame->message, &flat);
    if (left == 0)
        return NULL;
    if (!object_take(cursor, left, &frame->object))
        return "a message's object has no fine name";
    if (frame->object.handle != flat.block.object)
        return "a message's object is not its block's";
    fb_message_pack(&flat, &frame->message);
    if (frame->object.handle != flat.block.object)
        frame->object.name_length = 0; /* its kind says nothing of an object */
    return NULL;
}

/* Fields that the sender does not know are 0; those that this release does not know are left. */
static const char *summary_fault(struct cursor *cursor, struct fb_wire_frame *frame)
{
    uint32_t size = frame->header.payload_size;
    if (size == 0 || size % sizeof(uint64_t) != 0 || frame->header.value > 1)
        return "a summary is not made of whole fields";
    if (frame->header.version < 3)
        return "a frame is older than its kind";
    frame->summary = (struct fb_wire_summary){.ready = 0};
    uint32_t known = (uint32_t)sizeof(frame->summary);
    take(cursor, &frame->summary, size < known ? size : known);
    return NULL;
}

static const char *payload_fault(const unsigned char *bytes, struct fb_wire_frame *frame)
{
    struct cursor cursor = {.at = (unsigned char *)(uintptr_t)bytes + FB_WIRE_HEADER_BYTES};
    uint32_t size = frame->header.payload_size;
    switch ((enum fb_wire_kind)frame->header.kind) {
    case FB_WIRE_HELLO:
        if (size != sizeof(frame->hello))
            return "a greeting has the wrong size";
        take(&cursor, &frame->hello, sizeof(frame->hello));
        return NULL;
    case FB_WIRE_MESSAGE:
        return message_fault(&cursor, frame);
    case FB_WIRE_PULL:
        if (size != sizeof(frame->pull))
            return "a pull has the wrong size";
        take(&cursor, &frame->pull, sizeof(frame->pull));
        return NULL;
    case FB_WIRE_BYTES:
    case FB_WIRE_FAIL:
        return size == 0 ? NULL : "an answer has a payload";
    case FB_WIRE_SUMMARY:
        return summary_fault(&cursor, frame);
    }
    return "a frame of unknown kind";
}

int32_t fb_wire_take(const unsigned char *bytes, uint32_t size, struct fb_wire_frame *frame,
                     const char **fault)
{
    struct fb_wire_header *header = &frame->header;
    if (size < FB_WIRE_HEADER_BYTES)
        return 0;
    memcpy(header, bytes, sizeof(*header));
    *fault = header->magic != FB_WIRE_MAGIC ? "the peer is no forebayd"
             : header->version < FB_WIRE_VERSION_MIN || header->version > FB_WIRE_VERSION
                 ? "the peer sends frames of another wire version: upgrade the older of the two"
             : header->payload_size > FB_WIRE_PAYLOAD_MAX ? "a frame is too long"
                                                          : NULL;
    if (*fault != NULL)
        return -1;
    uint32_t whole = FB_WIRE_HEADER_BYTES + header->payload_size;
    if (size < whole)
        return 0;
    *fault = frame_checksum(*header, bytes + FB_WIRE_HEADER_BYTES) != header->checksum
                 ? "a frame's checksum is wrong"
                 : payload_fault(bytes, frame);
    return *fault != NULL ? -1 : (int32_t)whole;
}
