/* Is a text one that may be given to the YAML parser? It must be UTF-8 without control characters,
 * as YAML says, and without directives, which our files have no use for: libfyaml 0.7.12 loops for
 * ever over a directive of bytes that are no characters.
 *
 * Source of the forms of a character: RFC 3629, section 4. Lines and columns count from 1, columns
 * in bytes. */
#include "base/document_internal.h"

/* Bytes of the character that begins here; 0: it is none. */
static size_t character_bytes(const unsigned char *at, size_t left)
{
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */
    size_t size = at[0] < 0x80                    ? 1
                  : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                  : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                  : 0;
    if (size == 0 || size > left)
        return 0;
    if (size == 1) {
        bool is_blank = at[0] == '\t' || at[0] == '\n' || at[0] == '\r';
        return (at[0] >= ' ' && at[0] != 0x7f) || is_blank ? 1 : 0;
    }
    low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : low; /* no longer than need be */
    high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : high;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    }
    return size;
}

static void fault_set(struct fb_error *error, const char *place, const uint64_t *line_column,
                      const char *what)
{
    if (line_column != NULL)
        fb_error_set(error, "%s:%llu:%llu: not YAML: %s", place, (unsigned long long)line_column[0],
                     (unsigned long long)line_column[1], what);
    else
        fb_error_set(error, "%s: not YAML: %s", place, what);
}

void fb_text_check(const char *text, size_t size, const char *place, bool has_lines,
                   struct fb_error *error)
{
    uint64_t at_line[2] = {1, 1};
    for (size_t i = 0; i < size && !fb_error_is_set(error);) {
        size_t bytes = character_bytes((const unsigned char *)text + i, size - i);
        if (bytes == 0)
            fault_set(error, place, has_lines ? at_line : NULL,
                      "a byte that is no character of UTF-8: is it the right file?");
        else if (text[i] == '%' && at_line[1] == 1)
            fault_set(error, place, has_lines ? at_line : NULL,
                      "a directive has no use here: remove the line");
        at_line[1] += bytes;
        if (text[i] == '\n') {
            at_line[0]++;
            at_line[1] = 1;
        }
        i += bytes;
    }
}
