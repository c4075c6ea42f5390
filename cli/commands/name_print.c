/* Names as a terminal may see them, and as JSON may. A name is any bytes: a newline would be a line
 * of its own, and an escape code an order to the terminal, in the form of one byte or of UTF-8's
 * U+0080 to U+009F. Source: ECMA-48, section 5.3. */
#include "base/character.h"
#include "cli/command.h"

#include <stdbool.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fb_name_print(FILE *stream, const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    for (size_t left = strlen(name); left > 0;) {
        size_t bytes = fb_character_bytes(at, left);
        bool is_control = at[0] < ' ' || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
        size_t size = bytes > 0 ? bytes : 1;
        for (size_t i = 0; i < size; i++) {
            if (is_control || bytes == 0)
                fprintf(stream, "\\x%02x", at[i]);
            else
                putc(at[i], stream);
        }
        at += size;
        left -= size;
    }
}

struct json_t *fb_json_name(const char *name)
{
    json_t *text = json_string(name);
    char *escaped = NULL;
    size_t size;
    FILE *stream = text == NULL ? open_memstream(&escaped, &size) : NULL;
    if (stream == NULL)
        return text;
    fb_name_print(stream, name);
    if (fclose(stream) == 0)
        text = json_string(escaped);
    free(escaped);
    return text;
}

int fb_json_print(struct json_t *root)
{
    bool is_fine = root != NULL && json_dumpf(root, stdout, JSON_INDENT(2)) == 0;
    if (!is_fine)
        fprintf(stderr, "forebay: out of memory for the JSON\n");
    printf("\n");
    json_decref(root);
    return is_fine ? FB_EXIT_FINE : FB_EXIT_FAILED;
}

int fb_fail_print(const char *command, const char *name, const char *reason)
{
    fprintf(stderr, "forebay %s: ", command);
    fb_name_print(stderr, name);
    fprintf(stderr, ": %s\n", reason);
    return FB_EXIT_FAILED;
}
