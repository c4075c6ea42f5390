/* Measures what a machine can do, for the simulator's models. Times are CLOCK_MONOTONIC's; what is
 * answered is the median of single operations, or a mean rate over many. */
#ifndef FB_HW_MEASURE_CALIBRATE_H
#define FB_HW_MEASURE_CALIBRATE_H

#include "base/document.h"

#include <stdint.h>

/* CLOCK_MONOTONIC, as all times here. */
uint64_t fb_calibrate_now_ns(void);

/* Sorts the values and returns the one at `share` of them, 0 to 1. */
uint64_t fb_calibrate_quantile(uint64_t *values, uint32_t count, double share);

/* Bytes in so many ns as a rate; at least 1. */
uint64_t fb_calibrate_rate(uint64_t bytes, uint64_t ns);

/* What one core reaches. */
struct fb_offload_rates {
    uint64_t digest_bytes_per_s, copy_bytes_per_s;
    uint64_t encode_bytes_per_s; /* Reed-Solomon 4 + 2; 0: built without ISA-L */
};

/* Measures digest, copy and code on this thread. */
void fb_calibrate_offload(struct fb_offload_rates *rates);

enum { FB_CALIBRATE_SIZES = 5 }; /* 4 KiB, and four times as much each: to 1 MiB */

/* A drive or file system through io_uring. [0]: reads, [1]: writes. */
struct fb_drive_curve {
    uint64_t size_bytes;                         /* of the file that was measured */
    uint64_t latency_ns[2];                      /* 4 KiB, one at a time */
    uint64_t bytes_per_s[2][FB_CALIBRATE_SIZES]; /* by size of operation, `depth` in flight */
    uint32_t depth;
    int is_direct; /* 0: the file system has no O_DIRECT: this is its page cache */
};

enum { FB_CALIBRATE_DRIVE_MIN = 256 << 20 }; /* bytes of its file */

/* path: a file that is made, filled and removed. size_bytes: whole MiB, FB_CALIBRATE_DRIVE_MIN or
 * more; 0: by what is free, up to 4 GiB. Errors: error set. */
void fb_calibrate_drive(const char *path, uint64_t size_bytes, struct fb_drive_curve *curve,
                        struct fb_error *error);

/* Processor time of an answer over TCP, at both ends: [0] asks and receives, [1] sends. Of each
 * size the mean of many; and the line through them, message_ns + size * mebibyte_ns / 2^20. */
enum { FB_CALIBRATE_ANSWERS = 5 };
/* The sizes that are measured. */
extern const uint64_t fb_calibrate_answer_bytes[FB_CALIBRATE_ANSWERS];

/* What they cost. */
struct fb_answer_cost {
    uint64_t cpu_ns[2][FB_CALIBRATE_ANSWERS];
    uint64_t message_ns[2]; /* of the request and of the answer together */
    uint64_t mebibyte_ns[2];
};

/* The line whose errors, each as a share of what was measured, have the least squares; neither
 * part is below 0. Of the end `end`. */
void fb_calibrate_fit(struct fb_answer_cost *cost, uint32_t end);

/* TCP between two machines. */
struct fb_network_path {
    uint64_t round_trip_ns;  /* 64 bytes there and back */
    uint64_t bytes_per_s;    /* towards the caller */
    uint64_t messages_per_s; /* of 64 bytes, 16 in flight, answered */
    uint64_t message_cpu_ns; /* the caller's processor time for one message sent or received */
    struct fb_answer_cost answer;
    uint64_t queue_ns; /* added to a round trip by bulk towards the caller */
};

/* Answers one fb_calibrate_network at HOST:PORT and returns. Errors: error set. */
void fb_calibrate_listen(const char *address, struct fb_error *error);
/* Asks one who listens there, and measures. Errors: error set. */
void fb_calibrate_network(const char *address, struct fb_network_path *path,
                          struct fb_error *error);

#endif
