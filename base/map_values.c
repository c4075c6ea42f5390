/* Typed values of a map's keys: text, counts, numbers, flags, sizes, times, rates, choices.
 *
 * Each getter checks form, then range. When the value is wrong the error says what was read and
 * what to write; the getter then returns its least allowed value, so that callers need no checks
 * between. */
#include "base/document.h"
#include "base/document_internal.h"

#include "base/units.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fb_map_scalar(struct fb_map *map, const char *name)
{
    struct fy_node_pair *pair = fb_map_pair(map, name);
    if (pair == NULL)
        return NULL;
    struct fy_node *value = fy_node_pair_value(pair);
    if (fb_node_is_empty(value))
        fb_map_fault(map, name, "is empty: give a value or remove the key");
    else if (fy_node_is_alias(value))
        fb_map_fault(map, name, "is an alias: write the value out");
    else if (!fy_node_is_scalar(value))
        fb_map_fault(map, name, "is a %s: write one plain value",
                     fy_node_is_mapping(value) ? "map" : "list");
    else
        return fy_node_get_scalar0(value);
    return NULL;
}

static const char *scalar_require(struct fb_map *map, const char *name)
{
    const char *text = fb_map_scalar(map, name);
    if (text == NULL)
        fb_map_fault(map, name, "the key is missing: add it");
    return text;
}

const char *fb_map_text(struct fb_map *map, const char *name)
{
    const char *text = scalar_require(map, name);
    return text == NULL ? "" : text;
}

const char *fb_map_text_or(struct fb_map *map, const char *name, const char *fallback)
{
    const char *text = fb_map_scalar(map, name);
    return text == NULL ? fallback : text;
}

/* What a quantity is made of, for parsing and for error texts. */
struct quantity {
    bool (*parse)(const char *text, uint64_t *value);
    const char *what;
    const char *example;
    const char *units;
    uint64_t scale; /* base units in the unit that bounds are shown in */
};

static bool count_parse(const char *text, uint64_t *value)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *value = parsed;
    return true;
}

static const struct quantity count_quantity = {
    .parse = count_parse, .what = "a whole number", .example = "8", .units = ""};
static const struct quantity bytes_quantity = {.parse = fb_parse_bytes,
                                               .what = "a size",
                                               .example = "64 GiB",
                                               .units = "B KB MB GB TB PB KiB MiB GiB TiB PiB"};
static const struct quantity ns_quantity = {
    .parse = fb_parse_ns, .what = "a time", .example = "1.5 us", .units = "ns us ms s min h d"};
static const struct quantity rate_quantity = {.parse = fb_parse_rate,
                                              .what = "a rate",
                                              .example = "400 Gbps",
                                              .units =
                                                  "bps Kbps Mbps Gbps Tbps, or a size with /s"};

/* Writes a bound exactly where it is a round number of some unit, as people would write it. */
static const char *bound_format(const struct quantity *quantity, uint64_t value, char *text)
{
    if (quantity == &bytes_quantity)
        return fb_format_bytes(text, (double)value);
    if (quantity == &ns_quantity)
        return fb_format_ns(text, (double)value);
    if (quantity == &rate_quantity)
        return fb_format_rate(text, (double)value);
    snprintf(text, 32, "%llu", (unsigned long long)value);
    return text;
}

static bool is_bare_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return end != text && *end == '\0';
}

/* A number and a unit, of which the number is what does not fit: says so. */
static bool number_fault(struct fb_map *map, const char *name, const struct quantity *quantity,
                         uint64_t max)
{
    const char *text = fb_map_scalar(map, name);
    size_t length = strspn(text, "0123456789.");
    size_t whole = strspn(text, "0123456789");
    size_t decimals = whole < length ? strspn(text + whole + 1, "0123456789") : 0;
    bool is_number = whole > 0 && length == whole + (decimals > 0) + decimals;
    char one[64], bound[32];
    uint64_t value;
    snprintf(one, sizeof(one), "1%.60s", text + length);
    if (quantity->units[0] == '\0' || !is_number || !quantity->parse(one, &value))
        return false;
    if (whole + decimals > FB_UNITS_DIGITS_MAX)
        fb_map_fault(map, name, "\"%.64s\" has more than %d digits: write it with a larger unit",
                     text, FB_UNITS_DIGITS_MAX);
    else
        fb_map_fault(map, name, "\"%.64s\" is too large: write at most %s", text,
                     bound_format(quantity, max, bound));
    return true;
}

static uint64_t quantity_check(struct fb_map *map, const char *name,
                               const struct quantity *quantity, uint64_t min, uint64_t max)
{
    const char *text = fb_map_scalar(map, name);
    if (text == NULL)
        return min;
    uint64_t value = min;
    char bound[32];
    if (!quantity->parse(text, &value)) {
        if (number_fault(map, name, quantity, max))
            return min;
        if (quantity->units[0] == '\0')
            fb_map_fault(map, name, "\"%.64s\" is not a whole number: write e.g. %s", text,
                         quantity->example);
        else if (is_bare_number(text))
            fb_map_fault(map, name, "\"%.64s\" needs a unit, e.g. %s", text, quantity->example);
        else
            fb_map_fault(map, name, "\"%.64s\" is not %s: write a number and a unit (%s), e.g. %s",
                         text, quantity->what, quantity->units, quantity->example);
        return min;
    }
    if (value >= min && value <= max)
        return value;
    bool is_low = value < min;
    fb_map_fault(map, name, "\"%.64s\" is too %s: write %s %s", text, is_low ? "small" : "large",
                 is_low ? "at least" : "at most",
                 bound_format(quantity, is_low ? min : max, bound));
    return min;
}

static uint64_t quantity_require(struct fb_map *map, const char *name,
                                 const struct quantity *quantity, uint64_t min, uint64_t max)
{
    if (scalar_require(map, name) == NULL)
        return min;
    return quantity_check(map, name, quantity, min, max);
}

static uint64_t quantity_or(struct fb_map *map, const char *name, const struct quantity *quantity,
                            uint64_t fallback, const uint64_t bounds[2])
{
    if (!fb_map_has(map, name))
        return fallback;
    return quantity_check(map, name, quantity, bounds[0], bounds[1]);
}

uint64_t fb_map_count(struct fb_map *map, const char *name, uint64_t min, uint64_t max)
{
    return quantity_require(map, name, &count_quantity, min, max);
}

uint64_t fb_map_count_or(struct fb_map *map, const char *name, uint64_t fallback, uint64_t min,
                         uint64_t max)
{
    return quantity_or(map, name, &count_quantity, fallback, (uint64_t[2]){min, max});
}

uint64_t fb_map_bytes(struct fb_map *map, const char *name, uint64_t min, uint64_t max)
{
    return quantity_require(map, name, &bytes_quantity, min, max);
}

uint64_t fb_map_bytes_or(struct fb_map *map, const char *name, uint64_t fallback, uint64_t min,
                         uint64_t max)
{
    return quantity_or(map, name, &bytes_quantity, fallback, (uint64_t[2]){min, max});
}

uint64_t fb_map_ns(struct fb_map *map, const char *name, uint64_t min, uint64_t max)
{
    return quantity_require(map, name, &ns_quantity, min, max);
}

uint64_t fb_map_ns_or(struct fb_map *map, const char *name, uint64_t fallback, uint64_t min,
                      uint64_t max)
{
    return quantity_or(map, name, &ns_quantity, fallback, (uint64_t[2]){min, max});
}

uint64_t fb_map_rate(struct fb_map *map, const char *name, uint64_t min, uint64_t max)
{
    return quantity_require(map, name, &rate_quantity, min, max);
}

uint64_t fb_map_rate_or(struct fb_map *map, const char *name, uint64_t fallback, uint64_t min,
                        uint64_t max)
{
    return quantity_or(map, name, &rate_quantity, fallback, (uint64_t[2]){min, max});
}

static double number_check(struct fb_map *map, const char *name, double min, double max)
{
    const char *text = fb_map_scalar(map, name);
    if (text == NULL)
        return min;
    char *end;
    double value = strtod(text, &end);
    /* strtod also takes hexadecimal, infinity and NaN; none of them is meant here. */
    if (text[strspn(text, "0123456789.+-eE")] != '\0' || end == text || *end != '\0' ||
        !isfinite(value)) {
        fb_map_fault(map, name, "\"%.64s\" is not a number: write e.g. 0.5", text);
        return min;
    }
    if (value < min || value > max) {
        fb_map_fault(map, name, "\"%.64s\" is too %s: write at %s %g", text,
                     value < min ? "small" : "large", value < min ? "least" : "most",
                     value < min ? min : max);
        return min;
    }
    return value;
}

double fb_map_number(struct fb_map *map, const char *name, double min, double max)
{
    return scalar_require(map, name) == NULL ? min : number_check(map, name, min, max);
}

double fb_map_number_or(struct fb_map *map, const char *name, double fallback, double min,
                        double max)
{
    return fb_map_has(map, name) ? number_check(map, name, min, max) : fallback;
}

bool fb_map_flag_or(struct fb_map *map, const char *name, bool fallback)
{
    const char *text = fb_map_scalar(map, name);
    if (text == NULL)
        return fallback;
    if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0)
        return true;
    if (strcmp(text, "false") != 0 && strcmp(text, "False") != 0)
        fb_map_fault(map, name, "\"%.64s\" is not a flag: write true or false", text);
    return false;
}

uint32_t fb_map_choice(struct fb_map *map, const char *name, const char *const *names,
                       uint32_t count, uint32_t fallback)
{
    const char *text =
        fallback == UINT32_MAX ? scalar_require(map, name) : fb_map_scalar(map, name);
    if (text == NULL)
        return fallback == UINT32_MAX ? 0 : fallback;
    char list[256] = "";
    size_t length = 0;
    const char *nearest = NULL;
    uint32_t least = 3;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
        uint32_t distance = fb_edit_distance(text, names[i]);
        nearest = distance < least ? names[i] : nearest;
        least = distance < least ? distance : least;
        if (length < sizeof(list) - 64)
            length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%.60s",
                                       i == 0 ? "" : ", ", names[i]);
    }
    if (nearest != NULL)
        fb_map_fault(map, name, "\"%.64s\" is not known: did you mean %s? (one of %s)", text,
                     nearest, list);
    else
        fb_map_fault(map, name, "\"%.64s\" is not known: write one of %s", text, list);
    return 0;
}
