/* The one memory budget of a daemon: what its parts take at most, from its settings alone. All is
 * anonymous or shared memory of its own; files that are mapped (the program, LMDB's) are the
 * kernel's to take back and not counted.
 *
 *  1. What is fixed is made at the start. A client costs a ring, an arena and its session; as many
 *     are let in as the budget has room for, the others are refused.
 *  2. memory_budget is the bound that the operator sets; without it as many clients are let in as
 *     the machine, or the cgroup, has memory for.
 *  3. A limit of the machine or of the cgroup that cannot hold the cache and one client is a fault
 *     at the start, not a kill by the kernel later.
 *  4. Open files are bound by the process' limit in the same way: where it has no room for a few
 *     clients the start is refused, else as many are let in as it has room for. */
#ifndef FB_HW_LOOP_BUDGET_H
#define FB_HW_LOOP_BUDGET_H

#include "hw/base/settings.h"

/* Parts that a budget has at most. */
enum { FB_BUDGET_PARTS_MAX = 12 };

/* What one part of the daemon takes. */
struct fb_budget_part {
    const char *name;
    uint64_t bytes;
};

/* What all of them take, and how many clients that leaves room for. */
struct fb_budget {
    struct fb_budget_part parts[FB_BUDGET_PARTS_MAX];
    uint32_t part_count;
    uint32_t clients_max;  /* that are let in */
    const char *bound;     /* what bounds them; for people */
    uint64_t files_fixed;  /* open at once beside those of clients, at most */
    uint64_t fixed_bytes;  /* of all parts */
    uint64_t client_bytes; /* each */
    uint64_t core_bytes;   /* cache memory and state: touched for certain */
};

/* Errors: error set: memory_budget does not hold what is fixed and one client. */
void fb_budget_make(const struct fb_settings *settings, struct fb_budget *budget,
                    struct fb_error *error);

/* Files that a client has open here: its socket, its ring, its doorbell. */
enum { FB_BUDGET_CLIENT_FILES = 3, FB_BUDGET_CLIENTS_MIN = 4 };

/* Files that this process may have open, the most that it can ask for. */
uint64_t fb_budget_files_limit(void);

/* Is there a limit on the size of files (RLIMIT_FSIZE) below what the settings may write? text:
 * which of them, and what to do. */
enum { FB_BUDGET_FILES_TEXT = 256 };
/* false: there is none. */
bool fb_budget_file_size(const struct fb_settings *settings, char text[FB_BUDGET_FILES_TEXT]);

/* Lowers clients_max to what the limits on open files and, without a memory_budget, on memory have
 * room for. Errors: error set: that on open files has none for FB_BUDGET_CLIENTS_MIN. */
void fb_budget_bound(struct fb_budget *budget, const struct fb_settings *settings,
                     struct fb_error *error);

/* At most that with all clients. */
uint64_t fb_budget_bytes(const struct fb_budget *budget);

/* Bytes that this process may have, by the machine and its cgroup. source: which of them. */
uint64_t fb_budget_limit(const char **source);

/* Can the machine hold it? Bounds clients, and warns of that. Errors: error set. */
void fb_budget_check(struct fb_budget *budget, const struct fb_settings *settings,
                     struct fb_error *error);

#endif
