/* Gives a fuzz target the files of its corpus, so that every compiler's build and every test run
 * sees what was found once. Does not look for more: that is libFuzzer's.
 * usage: fuzz_NAME [FILE|FOLDER]... (default: tests/fuzz/corpus/NAME) */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 1024, INPUT_BYTES_MAX = 1 << 20 };

static uint32_t inputs;

/* The bytes are given in memory of exactly their size, so that one byte too many shows. */
static void file_run(const char *path)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    uint8_t *exact = malloc(size + (size == 0));
    if (exact == NULL)
        exit(1);
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    inputs++;
}

static void path_run(const char *path)
{
    DIR *folder = opendir(path);
    char inner[PATH_BYTES];
    if (folder == NULL) {
        file_run(path);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof(inner), "%.700s/%s", path, entry->d_name);
        file_run(inner);
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        path_run(argv[i]);
    if (argc == 1)
        path_run(FUZZ_CORPUS);
    printf("%u inputs\n", inputs);
    return inputs == 0; /* a corpus that is not found proves nothing */
}
