/* Is a text one that may be given to the YAML parser? It must be UTF-8 without control characters,
 * as YAML says, and without directives, which our files have no use for: libfyaml 0.7.12 loops for
 * ever over a directive of bytes that are no characters. Lines and columns count from 1, columns in
 * bytes. */
#include "base/character.h"
#include "base/document.h"
#include "base/document_internal.h"

/* The same without control characters, which YAML has not. */
static size_t character_bytes(const unsigned char *at, size_t left)
{
    bool is_blank = at[0] == '\t' || at[0] == '\n' || at[0] == '\r';
    bool is_control = (at[0] < ' ' && !is_blank) || at[0] == 0x7f;
    return is_control ? 0 : fb_character_bytes(at, left);
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
