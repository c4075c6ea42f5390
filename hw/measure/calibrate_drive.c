/* A file through io_uring, as the daemon uses its drive: O_DIRECT where the file system has it.
 *
 *  1. The file is written whole first, so that no read meets a hole.
 *  2. Operations of a size go to scattered places of the file, `depth` of them in flight; latency
 *     is one at a time. */
#include "hw/measure/calibrate.h"
#include "hw/base/container.h"
#include "hw/base/uring.h"

#include "core/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    LATENCY_COUNT = 1001,
    OPERATIONS_MAX = 8192,
    DEPTH = 32,
    OPERATION_BYTES_MIN = 4096,
    OPERATION_BYTES_MAX = 1 << 20,
    ONE_NS_MAX = 2000000000, /* a measurement ends then, with what it has */
    PATH_BYTES = 1200,
};

static const uint64_t size_max = UINT64_C(4) << 30; /* more takes long to fill */

struct probe;

struct operation {
    struct fb_io io;
    struct probe *probe;
    struct fb_bytes bytes;
};

struct probe {
    struct fb_uring uring;
    int file, is_write;
    int32_t failed; /* -errno of the first */
    uint64_t file_bytes, operation_bytes, begun, ended, limit, until_ns;
    struct operation operations[DEPTH];
    unsigned char *memory;
};

static void operation_begin(struct operation *operation)
{
    struct probe *probe = operation->probe;
    uint64_t places = probe->file_bytes / probe->operation_bytes;
    uint64_t offset = fb_mix(probe->begun++) % places * probe->operation_bytes;
    operation->bytes.size = probe->operation_bytes;
    if (probe->is_write)
        fb_uring_write(&probe->uring, &operation->io, probe->file, operation->bytes, offset);
    else
        fb_uring_read(&probe->uring, &operation->io, probe->file, operation->bytes, offset);
}

static void operation_done(struct fb_io *io, int32_t result)
{
    struct operation *operation = FB_CONTAINER(io, struct operation, io);
    struct probe *probe = operation->probe;
    probe->ended++;
    if (result != (int32_t)probe->operation_bytes && probe->failed == 0)
        probe->failed = result < 0 ? result : -EIO;
    if (probe->begun < probe->limit && probe->failed == 0 &&
        fb_calibrate_now_ns() < probe->until_ns)
        operation_begin(operation);
}

/* Returns how long `limit` operations took; fewer are done when time is out. */
static uint64_t probe_run(struct probe *probe, uint32_t depth, uint64_t limit)
{
    uint64_t begun_ns = fb_calibrate_now_ns();
    probe->begun = 0;
    probe->ended = 0;
    probe->limit = limit;
    probe->until_ns = begun_ns + ONE_NS_MAX;
    for (uint32_t i = 0; i < depth && i < limit; i++)
        operation_begin(&probe->operations[i]);
    while (probe->ended < probe->begun && probe->failed == 0) {
        int code = fb_uring_wait(&probe->uring, UINT64_MAX);
        if (code < 0 && probe->failed == 0)
            probe->failed = code;
    }
    return fb_calibrate_now_ns() - begun_ns;
}

static void curve_measure(struct probe *probe, struct fb_drive_curve *curve)
{
    uint64_t times[LATENCY_COUNT];
    for (int is_write = 0; is_write < 2; is_write++) {
        probe->is_write = is_write;
        probe->operation_bytes = OPERATION_BYTES_MIN;
        uint32_t count = 0;
        uint64_t until_ns = fb_calibrate_now_ns() + ONE_NS_MAX;
        while (count < LATENCY_COUNT && fb_calibrate_now_ns() < until_ns)
            times[count++] = probe_run(probe, 1, 1);
        curve->latency_ns[is_write] = fb_calibrate_quantile(times, count, 0.5);
        for (uint32_t i = 0; i < FB_CALIBRATE_SIZES; i++) {
            probe->operation_bytes = (uint64_t)OPERATION_BYTES_MIN << 2 * i;
            uint64_t limit = probe->file_bytes / probe->operation_bytes;
            uint64_t ns = probe_run(probe, DEPTH, limit < OPERATIONS_MAX ? limit : OPERATIONS_MAX);
            curve->bytes_per_s[is_write][i] =
                fb_calibrate_rate(probe->ended * probe->operation_bytes, ns);
        }
    }
}

static int file_fill(struct probe *probe)
{
    for (uint64_t at = 0; at < probe->file_bytes; at += OPERATION_BYTES_MAX)
        if (pwrite(probe->file, probe->memory, OPERATION_BYTES_MAX, (off_t)at) !=
            OPERATION_BYTES_MAX)
            return errno > 0 ? -errno : -EIO;
    return fsync(probe->file) == 0 ? 0 : -errno;
}

static int file_open(const char *path, struct fb_drive_curve *curve)
{
    enum { OWNER_ONLY = 0600 };
    int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    int file = open(path, flags | O_DIRECT, OWNER_ONLY);
    curve->is_direct = file >= 0;
    if (file < 0 && errno == EINVAL) {
        unlink(path); /* made before O_DIRECT was refused */
        file = open(path, flags, OWNER_ONLY);
    }
    return file;
}

/* An eighth of what is free, within reason: what a drive has of memory is to be less. */
static uint64_t size_choose(const char *path)
{
    struct statvfs space;
    char folder[PATH_BYTES];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    uint64_t eighth = statvfs(slash != NULL ? folder : ".", &space) == 0
                          ? (uint64_t)space.f_bavail * space.f_frsize / 8
                          : 0;
    uint64_t size = eighth < FB_CALIBRATE_DRIVE_MIN ? FB_CALIBRATE_DRIVE_MIN : eighth;
    return size < size_max ? size / OPERATION_BYTES_MAX * OPERATION_BYTES_MAX : size_max;
}

void fb_calibrate_drive(const char *path, uint64_t size_bytes, struct fb_drive_curve *curve,
                        struct fb_error *error)
{
    struct probe *probe = calloc(1, sizeof(*probe));
    int code = -ENOMEM;
    size_bytes = size_bytes > 0 ? size_bytes : size_choose(path);
    *curve = (struct fb_drive_curve){.size_bytes = size_bytes, .depth = DEPTH};
    if (probe == NULL || posix_memalign((void **)&probe->memory, OPERATION_BYTES_MIN,
                                        (size_t)DEPTH * OPERATION_BYTES_MAX) != 0) {
        fb_error_set(error, "out of memory for %d operations of 1 MiB", (int)DEPTH);
        free(probe);
        return;
    }
    probe->file_bytes = size_bytes;
    memset(probe->memory, 1, (size_t)DEPTH * OPERATION_BYTES_MAX);
    for (uint32_t i = 0; i < DEPTH; i++) {
        struct operation *operation = &probe->operations[i];
        operation->probe = probe;
        operation->bytes.at = probe->memory + (size_t)i * OPERATION_BYTES_MAX;
        fb_io_init(&operation->io, operation_done);
    }
    probe->file = file_open(path, curve);
    if (probe->file < 0) {
        code = -errno;
    } else {
        code = fb_uring_open(&probe->uring, 2 * DEPTH);
        if (code == 0) {
            code = file_fill(probe);
            if (code == 0)
                curve_measure(probe, curve);
            fb_uring_close(&probe->uring);
        }
        code = code == 0 ? probe->failed : code;
        close(probe->file);
        unlink(path);
    }
    if (code != 0)
        fb_error_set(error, "%s: %s: name a file on the drive by --drive", path, strerror(-code));
    free(probe->memory);
    free(probe);
}
