/* Names as a terminal may see them. A name is any bytes: a newline would be a line of its own, and
 * an escape code an order to the terminal, in the form of one byte or of UTF-8's U+0080 to U+009F.
 * Source: ECMA-48, section 5.3. */
#include "base/character.h"
#include "cli/command.h"

#include <stdbool.h>
#include <stdio.h>
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

int fb_fail_print(const char *command, const char *name, const char *reason)
{
    fprintf(stderr, "forebay %s: ", command);
    fb_name_print(stderr, name);
    fprintf(stderr, ": %s\n", reason);
    return FB_EXIT_FAILED;
}
