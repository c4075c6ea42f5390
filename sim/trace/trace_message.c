/* A message's fields in a trace, from the list that the message is made of (message_fields.h): what
 * it is about first, then the others by their names. A field that says nothing is left out. */
#include "sim/trace/trace_line.h"

#include <string.h>

struct fields {
    struct fb_trace_printer *printer;
    const struct fb_message *message;
    uint32_t source, target;
    bool is_subject; /* what it is about, or the rest */
};

const char *line_message_name(uint32_t kind)
{
    static const char *const names[] = {
#define KIND(NAME, kind, text) text,
        FB_MESSAGE_KINDS(KIND)
#undef KIND
    };
    return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

/* Answers carry the id of who asked. */
static bool is_answer(uint32_t kind)
{
    return kind == FB_MESSAGE_OFFER || kind == FB_MESSAGE_REFER || kind == FB_MESSAGE_WAIT ||
           kind == FB_MESSAGE_DENY || kind == FB_MESSAGE_MATCH_TELL || kind == FB_MESSAGE_HELD ||
           kind == FB_MESSAGE_SOUGHT;
}

static const char *id_word(uint32_t kind)
{
    if (kind == FB_MESSAGE_MATCH_ASK || kind == FB_MESSAGE_MATCH_TELL)
        return "match";
    if (kind == FB_MESSAGE_HOLD || kind == FB_MESSAGE_HELD)
        return "put";
    return kind == FB_MESSAGE_SEEK || kind == FB_MESSAGE_SOUGHT ? "search" : "attempt";
}

static void flags_show(struct fb_trace_printer *printer, uint32_t flags)
{
    static const char *const names[] = {"kept", "referred", "fetched", "now", "again", "final"};
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(flags >> i & 1u))
            continue;
        line_part(printer);
        fputs(names[i], printer->stream);
    }
}

static void number_show(const struct fields *fields, const char *name, uint64_t value)
{
    struct fb_trace_printer *printer = fields->printer;
    uint32_t kind = fields->message->kind;
    if (fields->is_subject)
        return;
    if (strcmp(name, "level") == 0)
        line_level(printer, (uint32_t)value);
    else if (strcmp(name, "lend_id") == 0)
        line_id(printer, kind == FB_MESSAGE_OFFER ? fields->source : fields->target, "loan", value);
    else if (strcmp(name, "complaint") == 0 || strcmp(name, "target") == 0) {
        if (value != FB_NONE)
            line_node(printer, name, (uint32_t)value);
    } else if (strcmp(name, "held") == 0)
        line_number(printer, name, value);
    else if (value == 0)
        return;
    else if (strcmp(name, "ask_id") == 0)
        line_id(printer, is_answer(kind) ? fields->target : fields->source, id_word(kind), value);
    else if (strcmp(name, "digest") == 0)
        line_digest(printer, "digest", value);
    else if (strcmp(name, "block_digest") == 0)
        line_digest(printer, "of a block of digest", value);
    else if (strcmp(name, "status") == 0)
        line_status(printer, (uint32_t)value);
    else if (strcmp(name, "flags") == 0)
        flags_show(printer, (uint32_t)value);
    else if (strcmp(name, "number") == 0)
        line_number(printer, "fragment", value - 1);
    else if (strcmp(name, "size") == 0)
        line_size(printer, "", value);
    else if (strcmp(name, "key_count") != 0) /* its keys were shown */
        line_number(printer, name, value);
}

static void show_u8(const struct fields *fields, const char *name, const void *value)
{
    number_show(fields, name, *(const uint8_t *)value);
}

static void show_u32(const struct fields *fields, const char *name, const void *value)
{
    number_show(fields, name, *(const uint32_t *)value);
}

static void show_u64(const struct fields *fields, const char *name, const void *value)
{
    if (strcmp(name, "object") != 0) {
        number_show(fields, name, *(const uint64_t *)value);
    } else if (fields->is_subject) {
        line_part(fields->printer);
        fputs(trace_name_object(&fields->printer->names, *(const uint64_t *)value),
              fields->printer->stream);
    }
}

static void show_key(const struct fields *fields, const char *name, const void *value)
{
    (void)name;
    if (fields->is_subject)
        line_key_part(fields->printer, *(const struct fb_key *)value);
}

static void show_block(const struct fields *fields, const char *name, const void *value)
{
    (void)name;
    if (fields->is_subject)
        line_block(fields->printer, value);
}

static void show_keys(const struct fields *fields, const char *name, const void *value)
{
    const struct fb_key *const *keys = value;
    (void)name;
    if (fields->is_subject)
        line_keys(fields->printer, *keys, fields->message->match_ask.key_count);
}

static void show_part(const struct fields *fields, const char *name, const void *value)
{
    const union fb_message_part *part = value;
    (void)name;
    if (fields->is_subject)
        return;
    if (fields->message->hold.number > 0)
        line_size(fields->printer, "of ", part->block_size);
    else if (part->instead != FB_NONE)
        line_node(fields->printer, "instead of", part->instead);
}

/* Where bytes lie says nothing to a reader. */
static void show_span(const struct fields *fields, const char *name, const void *value)
{
    (void)fields;
    (void)name;
    (void)value;
}

static void fields_show(const struct fields *fields)
{
    const struct fb_message *message = fields->message;
    switch ((enum fb_message_kind)message->kind) {
#define FIELD(kind, type, name, place, range) \
    _Generic(message->kind.name, \
        uint8_t: show_u8, \
        uint32_t: show_u32, \
        uint64_t: show_u64, \
        struct fb_key: show_key, \
        struct fb_block: show_block, \
        struct fb_span: show_span, \
        const struct fb_key *: show_keys, \
        union fb_message_part: show_part)(fields, #name, &message->kind.name);
#define KIND(NAME, kind, text) \
    case FB_MESSAGE_##NAME: \
        FB_MESSAGE_##NAME##_FIELDS(FIELD, kind) return;
        FB_MESSAGE_KINDS(KIND)
#undef KIND
#undef FIELD
    }
}

void line_message(struct fb_trace_printer *printer, const struct fb_message *message,
                  uint32_t source, uint32_t target)
{
    struct fields fields = {
        .printer = printer, .message = message, .source = source, .target = target};
    fields.is_subject = true;
    fields_show(&fields);
    fields.is_subject = false;
    fields_show(&fields);
}
