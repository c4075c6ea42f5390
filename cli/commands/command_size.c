/* `forebay size --state`: what the core's state of one node takes in memory. The cached bytes
 * themselves are not part of it: the driver holds them. */
#include "cli/command.h"

#include "core/config.h"
#include "core/node/node.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BUDGET_BYTES = 64 * 1024, FLEET_NODES = 100000 };

static void print_state(const char *name, uint64_t size_bytes)
{
    char fleet[32];
    printf("%-16s %12" PRIu64 " bytes a node %12s for %d nodes\n", name, size_bytes,
           fb_format_bytes(fleet, (double)size_bytes * FLEET_NODES), FLEET_NODES);
}

int fb_command_size(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], "--state") != 0) {
        fprintf(stderr, "forebay size: what size? forebay size --state\n");
        return FB_EXIT_USAGE;
    }
    struct fb_config config;
    fb_config_init(&config);
    uint64_t scale_bytes = fb_node_scale_size_bytes();
    print_state("scale preset", scale_bytes);
    print_state("budget", BUDGET_BYTES);
    print_state("default config", fb_node_size_bytes(&config));
    if (scale_bytes <= BUDGET_BYTES)
        return FB_EXIT_FINE;
    fprintf(stderr, "forebay size: the scale preset is over its budget\n");
    return FB_EXIT_FAILED;
}
