/* What the parts of load.c share. */
#ifndef FB_TESTS_BENCH_LOAD_H
#define FB_TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

enum { LOAD_DEPTH_MAX = 128, LOAD_CONNECTIONS_MAX = 64 };

/* What is to be measured, and what came of it. Values are numbered from 0; their content tells
 * which one it is. */
struct load {
    const char *target; /* socket, port or file */
    const char *name;   /* object of a daemon */
    uint64_t count;     /* values, or bytes of a file in parts of size_bytes */
    uint64_t size_bytes;
    uint32_t depth; /* in flight at once, over all connections */
    uint32_t connections;
    uint64_t duration_ns;
    uint64_t seed;
    uint64_t begun_ns, ended_ns; /* of the part that counts */
    uint64_t reads;
    uint64_t processor_ns; /* of this process, meanwhile */
    uint64_t expected;     /* of the reads of a daemon: answered from where --from says */
    const char *from;      /* NULL: anywhere */
    uint32_t level;
    bool is_lent; /* reads of a daemon: looked at where they stand in the cache */
};

uint64_t load_now_ns(void);
/* Says what failed and ends the program. code: negative errno value. */
void load_fail(const char *what, int64_t code);
/* Page-aligned zeroes, all touched; the caller frees them. */
void *load_allocate(uint64_t size);

/* A value's content: word 0 is its number, then words that follow from it. */
void load_fill(void *bytes, uint64_t size, uint64_t value);
/* Ends the program when it is another value's. Looks at the first and last word only, so that
 * what is measured is the reading. */
void load_check(const void *bytes, uint64_t size, uint64_t value);

/* The next value to be read; evenly distributed. */
uint64_t load_next(struct load *load);

/* Begins and ends what counts. */
void load_begin(struct load *load);
void load_end(struct load *load);
static inline bool load_is_over(const struct load *load)
{
    return load->ended_ns != 0;
}
/* Counts a read, and ends when the time is over. */
void load_count(struct load *load);

void load_daemon(struct load *load);     /* target: socket of the daemon */
void load_put(struct load *load);        /* writes the object `name`, count * size_bytes */
void load_memcached(struct load *load);  /* target: port */
void load_redis(struct load *load);      /* target: port */
void load_file_read(struct load *load);  /* target: path, from its beginning to its end */
void load_file_write(struct load *load); /* target: path; until fsync has returned */
void load_file_make(struct load *load);  /* target: path of a file with the values' content */
void load_store_fill(struct load *load, bool is_redis); /* sets all values */

#endif
