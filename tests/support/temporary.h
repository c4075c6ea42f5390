/* Files that a test writes: a folder of its own under TMPDIR, removed at the end. */
#ifndef FB_TESTS_SUPPORT_TEMPORARY_H
#define FB_TESTS_SUPPORT_TEMPORARY_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { TEMPORARY_FILES_MAX = 64 };

struct temporary {
    char folder[128];
    char paths[TEMPORARY_FILES_MAX][256];
    unsigned count;
};

static inline void temporary_begin(struct temporary *temporary)
{
    const char *base = getenv("TMPDIR");
    memset(temporary, 0, sizeof(*temporary));
    snprintf(temporary->folder, sizeof(temporary->folder), "%.64s/forebay-test-XXXXXX",
             base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(temporary->folder));
}

/* Writes a file in the folder and returns its path. */
static inline const char *temporary_write(struct temporary *temporary, const char *name,
                                          const char *text)
{
    assert_true(temporary->count < TEMPORARY_FILES_MAX);
    char path[sizeof(temporary->paths[0])];
    snprintf(path, sizeof(path), "%s/%.100s", temporary->folder, name);
    unsigned i = 0;
    while (i < temporary->count && strcmp(temporary->paths[i], path) != 0)
        i++;
    memcpy(temporary->paths[i], path, sizeof(path));
    temporary->count += i == temporary->count;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return temporary->paths[i];
}

static inline void temporary_end(struct temporary *temporary)
{
    for (unsigned i = 0; i < temporary->count; i++)
        unlink(temporary->paths[i]);
    assert_int_equal(rmdir(temporary->folder), 0);
}

/* Asserts that `text` is one line that holds `part`; prints both when it does not. */
static inline void assert_line_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        print_error("line:     %s\nexpected: ... %s ...\n", text, part);
    assert_non_null(strstr(text, part));
    assert_null(strchr(text, '\n'));
}

#endif
