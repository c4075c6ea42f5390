/* The one memory budget of a daemon: what its parts take at most, from its settings alone. All is
 * anonymous or shared memory of its own; files that are mapped (the program, LMDB's) are the
 * kernel's to take back and not counted.
 *
 *  1. What is fixed is made at the start. A client costs a ring, an arena and its session; as many
 *     are let in as the budget has room for, the others are refused.
 *  2. memory_budget is the bound that the operator sets; without it all clients are let in.
 *  3. A limit of the machine or of the cgroup that cannot hold the cache and one client is a fault
 *     at the start, not a kill by the kernel later. */
#ifndef FB_HW_BASE_BUDGET_H
#define FB_HW_BASE_BUDGET_H

#include "hw/base/settings.h"

enum { FB_BUDGET_PARTS_MAX = 12 };

struct fb_budget_part {
    const char *name;
    uint64_t bytes;
};

struct fb_budget {
    struct fb_budget_part parts[FB_BUDGET_PARTS_MAX];
    uint32_t part_count;
    uint32_t clients_max;  /* that are let in */
    uint64_t fixed_bytes;  /* of all parts */
    uint64_t client_bytes; /* each */
    uint64_t core_bytes;   /* cache memory and state: touched for certain */
};

/* Errors: error set: memory_budget does not hold what is fixed and one client. */
void fb_budget_make(const struct fb_settings *settings, struct fb_budget *budget,
                    struct fb_error *error);

/* At most that with all clients. */
uint64_t fb_budget_bytes(const struct fb_budget *budget);

/* Bytes that this process may have, by the machine and its cgroup. source: which of them. */
uint64_t fb_budget_limit(const char **source);

/* Can the machine hold it? Warns when it does only while few clients come. Errors: error set. */
void fb_budget_check(const struct fb_budget *budget, const struct fb_settings *settings,
                     struct fb_error *error);

#endif
