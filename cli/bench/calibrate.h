/* The parts of `forebay calibrate`: what the origin gives through two daemons, and the files. */
#ifndef FB_CLI_BENCH_CALIBRATE_H
#define FB_CLI_BENCH_CALIBRATE_H

#include "hw/measure/calibrate.h"

/* What the origin gave through the daemons, as measured. */
struct fb_origin_path {
    uint64_t latency_ns;         /* a read of 4 KiB that nobody has cached; median */
    double latency_sigma;        /* of ln(latency): ln(p84 / p50) */
    uint64_t requests_per_s;     /* such reads, 16 at once */
    uint64_t stream_bytes_per_s; /* a block, one at a time, after the latency */
    uint64_t read_bytes_per_s;   /* blocks, 16 at once */
    uint64_t write_bytes_per_s;  /* of one file */
    uint64_t block_size_bytes;
};

/* Writes probes through one daemon, reads them through another that has not got them, and removes
 * them. Errors: error set. */
void fb_calibrate_origin(const char *writer, const char *reader, struct fb_origin_path *path,
                         struct fb_error *error);

/* All that was measured of this machine, and by which command line. */
struct fb_calibration {
    const char *command; /* for the sources */
    uint64_t core_step_ns;
    struct fb_offload_rates offload;
    struct fb_drive_curve drive;
    struct fb_network_path network;
    struct fb_origin_path origin;
    bool has_origin;
};

/* Writes hardware.yaml, nic.yaml, drive.yaml, network.yaml, transport.yaml and, if it was measured,
 * origin.yaml
 * into a folder, which is made. Errors: error set. */
void fb_calibration_write(const struct fb_calibration *calibration, const char *folder,
                          struct fb_error *error);

#endif
