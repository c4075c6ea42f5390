/* Names in a trace; see trace_names.h. */
#include "sim/trace/trace_names.h"

#include "base/memory.h"
#include "core/panic.h"
#include "core/node/node.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY, BASE, BASE_KEYS, OBJECT, ID, ID_LAST, ID_COUNT, DIGEST, VERSION, VALUE, OP };

static const uint64_t object_shown_max = 1000000;

void trace_names_free(struct trace_names *names)
{
    trace_map_free(&names->map);
    free(names->texts);
    *names = (struct trace_names){.texts = NULL};
}

/* Returns what is found as trace_text. */
static uint64_t text_add(struct trace_names *names, const char *text)
{
    if (names->text_count == names->text_max) {
        names->text_max = 2 * names->text_max + 64;
        names->texts =
            fb_grow(names->texts, names->text_max, sizeof(*names->texts), "names of a trace", NULL);
    }
    snprintf(names->texts[names->text_count], TRACE_NAME_MAX, "%s", text);
    return ++names->text_count;
}

static const char *text_of(const struct trace_names *names, uint64_t value)
{
    FB_ASSERT(value > 0 && value <= names->text_count);
    return names->texts[value - 1];
}

void trace_names_object(struct trace_names *names, uint64_t object, const char *name)
{
    uint64_t *value = trace_map_at(&names->map, OBJECT, object, 0);
    FB_ASSERT(*value == 0);
    FB_ASSERT(strlen(name) <= 32);
    *value = text_add(names, name);
}

const char *trace_name_object(struct trace_names *names, uint64_t object)
{
    uint64_t *value = trace_map_at(&names->map, OBJECT, object, 0);
    char text[TRACE_NAME_MAX];
    if (*value == 0) {
        if (object < object_shown_max)
            snprintf(text, sizeof(text), "o%" PRIu64, object);
        else
            snprintf(text, sizeof(text), "O%" PRIu64, ++names->objects);
        *value = text_add(names, text);
    }
    return text_of(names, *value);
}

/* A to Z, then A2 to Z2, and so on. */
static void letter_put(struct trace_names *names, char text[TRACE_NAME_MAX])
{
    uint64_t turn = names->letters / 26 + 1;
    char letter = (char)('A' + names->letters++ % 26);
    if (turn == 1)
        snprintf(text, TRACE_NAME_MAX, "%c", letter);
    else
        snprintf(text, TRACE_NAME_MAX, "%c%" PRIu64, letter, turn);
}

const char *trace_name_key(struct trace_names *names, struct fb_key key)
{
    uint64_t known = *trace_map_at(&names->map, KEY, key.high, key.low);
    char text[TRACE_NAME_MAX];
    if (known > 0)
        return text_of(names, known);
    uint64_t base = *trace_map_at(&names->map, BASE, key.high, 0);
    if (base > 0) {
        uint64_t keys = ++*trace_map_at(&names->map, BASE_KEYS, key.high, 0);
        snprintf(text, sizeof(text), "%.40s.%" PRIu64, text_of(names, base), keys);
    } else {
        letter_put(names, text);
    }
    known = text_add(names, text);
    *trace_map_at(&names->map, KEY, key.high, key.low) = known;
    return text_of(names, known);
}

const char *trace_name_block(struct trace_names *names, const struct fb_block *block)
{
    bool has_place = block->object != FB_OBJECT_NONE && names->block_size_bytes > 0;
    uint64_t base = *trace_map_at(&names->map, BASE, block->key.high, 0);
    if (has_place && base == 0 && trace_name_is_new(names, block->key)) {
        char text[TRACE_NAME_MAX];
        snprintf(text, sizeof(text), "%.40s/%" PRIu64, trace_name_object(names, block->object),
                 block->offset / names->block_size_bytes);
        base = text_add(names, text);
        *trace_map_at(&names->map, BASE, block->key.high, 0) = base;
        *trace_map_at(&names->map, BASE_KEYS, block->key.high, 0) = 1;
        *trace_map_at(&names->map, KEY, block->key.high, block->key.low) = base;
    }
    return trace_name_key(names, block->key);
}

_Bool trace_name_is_new(struct trace_names *names, struct fb_key key)
{
    return *trace_map_at(&names->map, KEY, key.high, key.low) == 0;
}

/* Words are few and short: their first letters tell them apart from one another. */
static uint64_t word_number(const char *word)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < 7 && word[i] != 0; i++)
        number = number << 8 | (unsigned char)word[i];
    return number;
}

uint64_t trace_name_id(struct trace_names *names, uint32_t node, const char *word, uint64_t id)
{
    uint64_t owner = word_number(word) ^ (uint64_t)node << 56;
    uint64_t *value = trace_map_at(&names->map, ID, owner, id);
    if (*value > 0)
        return *value;
    uint64_t place = id >> 32; /* what it is of has this place; the rest changes */
    uint64_t last = *trace_map_at(&names->map, ID_LAST, owner, place);
    bool is_next = last != 0 && fb_node_id_follows(last, id);
    uint64_t number = is_next ? *trace_map_at(&names->map, ID, owner, last)
                              : ++*trace_map_at(&names->map, ID_COUNT, owner, 0);
    *trace_map_at(&names->map, ID_LAST, owner, place) = id;
    *trace_map_at(&names->map, ID, owner, id) = number;
    return number;
}

static uint64_t ordinal(struct trace_names *names, uint32_t kind, uint64_t what, uint64_t *count)
{
    uint64_t *value = trace_map_at(&names->map, kind, what, 0);
    if (*value == 0)
        *value = ++*count;
    return *value;
}

uint64_t trace_name_digest(struct trace_names *names, uint64_t digest)
{
    return ordinal(names, DIGEST, digest, &names->digests);
}

uint64_t trace_name_version(struct trace_names *names, uint64_t version)
{
    return ordinal(names, VERSION, version, &names->versions);
}

uint64_t trace_name_value(struct trace_names *names, struct fb_key value)
{
    uint64_t *known = trace_map_at(&names->map, VALUE, value.high, value.low);
    if (*known == 0)
        *known = ++names->values;
    return *known;
}

void trace_names_op_begin(struct trace_names *names, uint32_t node, uint64_t id, uint32_t kind,
                          struct fb_key key)
{
    uint64_t text = *trace_map_at(&names->map, KEY, key.high, key.low);
    FB_ASSERT(kind < 255);
    *trace_map_at(&names->map, OP, node, id) = text << 8 | (kind + 1);
}

uint32_t trace_names_op_of(struct trace_names *names, uint32_t node, uint64_t id,
                           const char **block)
{
    uint64_t value = *trace_map_at(&names->map, OP, node, id);
    *block = value >> 8 != 0 ? text_of(names, value >> 8) : NULL;
    return value != 0 ? (uint32_t)(value & 255) - 1 : FB_NONE;
}
