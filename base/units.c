/* Quantities with units, both ways, and the edit distance for "did you mean".
 *
 * Parsing is exact: the decimal digits become an integer mantissa and a count of decimals, the unit
 * is a ratio of integers, and the product is rounded once, half up. No floating point, no locale,
 * so that "0.1 GB" is the same number on every machine. Exponents, signs and digit separators are
 * not accepted. A value that does not fit 64 bits is not a quantity. */
#include "base/units.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 63 };

struct unit {
    const char *name;
    uint64_t scale;   /* base units in one */
    uint64_t divisor; /* value = number * scale / divisor */
};

static const struct unit sizes[] = {
    {"B", 1, 1},
    {"KB", UINT64_C(1000), 1},
    {"MB", UINT64_C(1000000), 1},
    {"GB", UINT64_C(1000000000), 1},
    {"TB", UINT64_C(1000000000000), 1},
    {"PB", UINT64_C(1000000000000000), 1},
    {"KiB", UINT64_C(1) << 10, 1},
    {"MiB", UINT64_C(1) << 20, 1},
    {"GiB", UINT64_C(1) << 30, 1},
    {"TiB", UINT64_C(1) << 40, 1},
    {"PiB", UINT64_C(1) << 50, 1},
};

static const struct unit times[] = {
    {"ns", 1, 1},
    {"us", UINT64_C(1000), 1},
    {"ms", UINT64_C(1000000), 1},
    {"s", UINT64_C(1000000000), 1},
    {"min", UINT64_C(60000000000), 1},
    {"h", UINT64_C(3600000000000), 1},
    {"d", UINT64_C(86400000000000), 1},
};

static const struct unit bit_rates[] = {
    {"bps", 1, 8},
    {"Kbps", UINT64_C(1000), 8},
    {"Mbps", UINT64_C(1000000), 8},
    {"Gbps", UINT64_C(1000000000), 8},
    {"Tbps", UINT64_C(1000000000000), 8},
};

enum {
    SIZE_COUNT = sizeof(sizes) / sizeof(sizes[0]),
    TIME_COUNT = sizeof(times) / sizeof(times[0]),
    BIT_RATE_COUNT = sizeof(bit_rates) / sizeof(bit_rates[0]),
};

struct number {
    uint64_t mantissa;
    uint64_t divisor; /* power of ten */
};

/* Reads digits with at most one point. Returns what follows, NULL when there is no number. */
static const char *number_read(const char *text, struct number *number)
{
    uint32_t digits = 0;
    bool has_point = false;
    *number = (struct number){.mantissa = 0, .divisor = 1};
    for (;; text++) {
        if (*text == '.' && !has_point && digits > 0) {
            has_point = true;
            continue;
        }
        if (*text < '0' || *text > '9')
            break;
        if (digits == FB_UNITS_DIGITS_MAX)
            return NULL;
        number->mantissa = number->mantissa * 10 + (uint64_t)(*text - '0');
        number->divisor *= has_point ? 10 : 1;
        digits += number->mantissa > 0 || has_point || digits == 0;
    }
    if (digits == 0 || text[-1] == '.')
        return NULL;
    return text;
}

static bool quantity_parse(const char *text, const char *suffix, const struct unit *units,
                           uint32_t count, uint64_t *value)
{
    struct number number;
    text = number_read(text, &number);
    if (text == NULL)
        return false;
    while (*text == ' ')
        text++;
    for (uint32_t i = 0; i < count; i++) {
        size_t length = strlen(units[i].name);
        if (strncmp(text, units[i].name, length) != 0 || strcmp(text + length, suffix) != 0)
            continue;
        unsigned __int128 product = (unsigned __int128)number.mantissa * units[i].scale;
        unsigned __int128 divisor = (unsigned __int128)number.divisor * units[i].divisor;
        unsigned __int128 rounded = (product + divisor / 2) / divisor;
        if (rounded > UINT64_MAX)
            return false;
        *value = (uint64_t)rounded;
        return true;
    }
    return false;
}

bool fb_parse_bytes(const char *text, uint64_t *value)
{
    return quantity_parse(text, "", sizes, SIZE_COUNT, value);
}

bool fb_parse_ns(const char *text, uint64_t *value)
{
    return quantity_parse(text, "", times, TIME_COUNT, value);
}

bool fb_parse_rate(const char *text, uint64_t *bytes_per_s)
{
    return quantity_parse(text, "", bit_rates, BIT_RATE_COUNT, bytes_per_s) ||
           quantity_parse(text, "/s", sizes, SIZE_COUNT, bytes_per_s);
}

/* Three significant digits in the largest unit that leaves at least one digit before the point. */
static const char *quantity_format(char *text, double value, const struct unit *units,
                                   uint32_t count, const char *suffix)
{
    uint32_t i = 0;
    /* 0.9995 of the next unit would round up to it. */
    while (i + 1 < count && fabs(value) >= 0.9995 * (double)units[i + 1].scale)
        i++;
    double shown = value / (double)units[i].scale;
    bool is_whole = i == 0 && value == floor(value);
    int decimals = is_whole || fabs(shown) >= 99.95 ? 0 : fabs(shown) >= 9.995 ? 1 : 2;
    if (fabs(shown) >= 1e12)
        snprintf(text, 32, "%.3g %s%s", shown, units[i].name, suffix);
    else
        snprintf(text, 32, "%.*f %s%s", decimals, shown, units[i].name, suffix);
    return text;
}

const char *fb_format_bytes(char *text, double bytes)
{
    static const struct unit shown[] = {
        {"B", 1, 1},
        {"KiB", UINT64_C(1) << 10, 1},
        {"MiB", UINT64_C(1) << 20, 1},
        {"GiB", UINT64_C(1) << 30, 1},
        {"TiB", UINT64_C(1) << 40, 1},
        {"PiB", UINT64_C(1) << 50, 1},
    };
    return quantity_format(text, bytes, shown, sizeof(shown) / sizeof(shown[0]), "");
}

const char *fb_format_ns(char *text, double ns)
{
    return quantity_format(text, ns, times, TIME_COUNT, "");
}

const char *fb_format_rate(char *text, double bytes_per_s)
{
    enum { DECIMAL_COUNT = 6 }; /* the decimal units stand first in the table */
    return quantity_format(text, bytes_per_s, sizes, DECIMAL_COUNT, "/s");
}

uint32_t fb_edit_distance(const char *a, const char *b)
{
    uint32_t row[NAME_MAX_LENGTH + 1];
    uint32_t columns = (uint32_t)strnlen(b, NAME_MAX_LENGTH);
    for (uint32_t j = 0; j <= columns; j++)
        row[j] = j;
    for (uint32_t i = 0; i < NAME_MAX_LENGTH && a[i] != '\0'; i++) {
        uint32_t diagonal = row[0];
        row[0] = i + 1;
        for (uint32_t j = 0; j < columns; j++) {
            uint32_t replaced = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            uint32_t least = (row[j] < diagonal ? row[j] : diagonal) + 1;
            row[j + 1] = replaced < least ? replaced : least;
        }
    }
    return row[columns];
}
