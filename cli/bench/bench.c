/* `forebay bench NAME`: finds the benchmark and hands it its arguments. */
#include "cli/bench/bench.h"

#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fb_bench_file(char path[FB_BENCH_PATH_BYTES], const char *ending)
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(path, FB_BENCH_PATH_BYTES, "%s/forebay-bench-XXXXXX%s",
                          base == NULL ? "/tmp" : base, ending);
    return length < FB_BENCH_PATH_BYTES ? mkstemps(path, (int)strlen(ending)) : -1;
}

int fb_command_bench(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } benches[] = {
        {"step", fb_bench_step},   {"cache", fb_bench_cache}, {"fluid", fb_bench_fluid},
        {"scale", fb_bench_scale}, {"place", fb_bench_place},
    };
    for (size_t i = 0; argc > 1 && i < sizeof(benches) / sizeof(benches[0]); i++) {
        if (strcmp(argv[1], benches[i].name) == 0)
            return benches[i].run(argc - 1, argv + 1);
    }
    if (argc > 1)
        fprintf(stderr, "forebay bench: unknown benchmark '%s': ", argv[1]);
    else
        fprintf(stderr, "forebay bench: which one? ");
    fprintf(stderr, "it is one of step, cache, fluid, scale, place\n");
    return FB_EXIT_USAGE;
}
