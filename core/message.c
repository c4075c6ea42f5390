/* Messages to and from the form in which they are sent and recorded: see message.h. */
#include "core/message.h"

#include "core/panic.h"

#include <stdbool.h>
#include <string.h>

#define PLACE(place, bytes) +(bytes)
enum { PLACES_BYTES = 0 FB_MESSAGE_PLACES(PLACE) };
static_assert(PLACES_BYTES + sizeof(void *) == sizeof(struct fb_message_flat),
              "no place is forgotten");
#undef PLACE

#define FIELD(kind, type, name, place, range) \
    static_assert(sizeof(((struct fb_message_##kind *)0)->name) == \
                      sizeof(((struct fb_message_flat *)0)->place), \
                  "as wide as its place");
#define KIND(NAME, kind, text) FB_MESSAGE_##NAME##_FIELDS(FIELD, kind)
FB_MESSAGE_KINDS(KIND)
#undef KIND
#undef FIELD

/* FIELD moves one field of the message's kind. */
#define KIND(NAME, kind, text) \
    case FB_MESSAGE_##NAME: \
        FB_MESSAGE_##NAME##_FIELDS(FIELD, kind) return;

void fb_message_pack(struct fb_message_flat *flat, const struct fb_message *message)
{
    FB_ASSERT(flat != NULL && message != NULL);
    *flat = (struct fb_message_flat){.kind = message->kind,
                                     .source = message->source,
                                     .node = FB_NONE,
                                     .block = {.object = FB_OBJECT_NONE}};
    switch ((enum fb_message_kind)message->kind) {
#define FIELD(kind, type, name, place, range) \
    memcpy(&flat->place, &message->kind.name, sizeof(flat->place));
        FB_MESSAGE_KINDS(KIND)
#undef FIELD
    }
}

uint64_t fb_message_size_bytes(const struct fb_message *message)
{
    FB_ASSERT(message != NULL);
    bool has_keys = message->kind == FB_MESSAGE_MATCH_ASK;
    uint64_t keys = has_keys ? message->match_ask.key_count : 0;
    FB_ASSERT(keys <= FB_MATCH_KEYS_MAX);
    return PLACES_BYTES + keys * sizeof(struct fb_key);
}

void fb_message_unpack(struct fb_message *message, const struct fb_message_flat *flat)
{
    FB_ASSERT(flat != NULL && message != NULL);
    memset(message, 0, sizeof(*message));
    message->kind = flat->kind;
    message->source = flat->source;
    switch ((enum fb_message_kind)message->kind) {
#define FIELD(kind, type, name, place, range) \
    memcpy(&message->kind.name, &flat->place, sizeof(flat->place));
        FB_MESSAGE_KINDS(KIND)
#undef FIELD
    }
}

#undef KIND
