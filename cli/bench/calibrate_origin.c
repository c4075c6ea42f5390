/* The origin as a daemon sees it: small files for latency and requests, one large for rates. The
 * reader has a name for itself in the cluster, or is no member of the writer's, so that each first
 * read of a block goes to the origin. */
#include "cli/bench/calibrate.h"
#include "client/forebay.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALL_BYTES = 4096,
    SMALL_FILES = 64,
    ONE_BY_ONE = 32, /* of the small; the others are read at once */
    WINDOW = 16,
    BLOCKS = 24,
    BLOCKS_ONE_BY_ONE = 8,
    PATIENCE_S = 120,
};

struct origin_probe {
    struct forebay_client *writer, *reader;
    unsigned char *bytes; /* WINDOW blocks, or all the small files */
    struct fb_origin_path *path;
};

static void small_name(uint32_t i, char name[64])
{
    snprintf(name, 64, "forebay-calibrate/small-%u", i);
}

static const char large[] = "forebay-calibrate/large";

static int file_put(struct origin_probe *probe, const char *name, uint64_t size)
{
    struct forebay_file *file;
    int code = forebay_file_create(probe->writer, name, FOREBAY_ORIGIN, &file);
    if (code != 0)
        return code;
    uint64_t part = probe->path->block_size_bytes;
    for (uint64_t at = 0; at < size && code == 0; at += part)
        code = forebay_file_write(file, probe->bytes, size - at < part ? size - at : part);
    if (code == 0)
        code = forebay_file_commit(file, PATIENCE_S);
    forebay_file_close(file);
    return code;
}

/* Opens before the clock starts: a look-up of a name is another request. */
static int small_measure(struct origin_probe *probe)
{
    struct forebay_file *files[SMALL_FILES] = {NULL};
    struct forebay_read reads[SMALL_FILES];
    uint64_t times[ONE_BY_ONE];
    char name[64];
    int code = 0;
    memset(reads, 0, sizeof(reads));
    for (uint32_t i = 0; i < SMALL_FILES && code == 0; i++) {
        small_name(i, name);
        code = file_put(probe, name, SMALL_BYTES);
        code = code == 0 ? forebay_file_open(probe->reader, name, &files[i]) : code;
    }
    for (uint32_t i = 0; i < ONE_BY_ONE && code == 0; i++) {
        uint64_t begun_ns = fb_calibrate_now_ns();
        int64_t result = forebay_file_read(files[i], 0, probe->bytes, SMALL_BYTES);
        times[i] = fb_calibrate_now_ns() - begun_ns;
        code = result < 0 ? (int)result : 0;
    }
    uint64_t begun_ns = fb_calibrate_now_ns();
    for (uint32_t i = ONE_BY_ONE; i < SMALL_FILES && code == 0; i++) {
        reads[i].file = files[i];
        reads[i].bytes = probe->bytes + (uint64_t)i * SMALL_BYTES;
        reads[i].size = SMALL_BYTES;
        forebay_read_start(&reads[i]);
    }
    for (uint32_t i = ONE_BY_ONE; i < SMALL_FILES && code == 0; i++) {
        const struct forebay_read *read = forebay_client_wait(probe->reader, 1);
        code = read->result < 0 ? (int)read->result : 0;
    }
    if (code == 0) {
        probe->path->requests_per_s =
            fb_calibrate_rate(SMALL_FILES - ONE_BY_ONE, fb_calibrate_now_ns() - begun_ns);
        probe->path->latency_ns = fb_calibrate_quantile(times, ONE_BY_ONE, 0.5);
        probe->path->latency_sigma = log((double)fb_calibrate_quantile(times, ONE_BY_ONE, 0.84) /
                                         (double)probe->path->latency_ns);
    }
    for (uint32_t i = 0; i < SMALL_FILES; i++) {
        forebay_file_close(files[i]);
        small_name(i, name);
        (void)forebay_client_remove(probe->writer, name);
    }
    return code;
}

static int large_read(struct origin_probe *probe, struct forebay_file *file)
{
    struct fb_origin_path *path = probe->path;
    uint64_t block = path->block_size_bytes, times[BLOCKS_ONE_BY_ONE];
    struct forebay_read reads[WINDOW];
    memset(reads, 0, sizeof(reads));
    for (uint32_t i = 0; i < BLOCKS_ONE_BY_ONE; i++) {
        uint64_t begun_ns = fb_calibrate_now_ns();
        int64_t result = forebay_file_read(file, i * block, probe->bytes, block);
        times[i] = fb_calibrate_now_ns() - begun_ns;
        if (result < 0)
            return (int)result;
    }
    uint64_t block_ns = fb_calibrate_quantile(times, BLOCKS_ONE_BY_ONE, 0.5);
    path->stream_bytes_per_s = fb_calibrate_rate(
        block, block_ns > path->latency_ns ? block_ns - path->latency_ns : block_ns);
    uint64_t begun_ns = fb_calibrate_now_ns();
    for (uint32_t i = 0; i < WINDOW; i++) {
        reads[i].file = file;
        reads[i].offset = (BLOCKS_ONE_BY_ONE + i) * block;
        reads[i].bytes = probe->bytes + i * block;
        reads[i].size = block;
        forebay_read_start(&reads[i]);
    }
    for (uint32_t i = 0; i < WINDOW; i++) {
        const struct forebay_read *read = forebay_client_wait(probe->reader, 1);
        if (read->result < 0)
            return (int)read->result;
    }
    path->read_bytes_per_s = fb_calibrate_rate(WINDOW * block, fb_calibrate_now_ns() - begun_ns);
    return 0;
}

static int large_measure(struct origin_probe *probe)
{
    struct forebay_file *file = NULL;
    uint64_t size = BLOCKS * probe->path->block_size_bytes, begun_ns = fb_calibrate_now_ns();
    int code = file_put(probe, large, size);
    probe->path->write_bytes_per_s = fb_calibrate_rate(size, fb_calibrate_now_ns() - begun_ns);
    if (code == 0)
        code = forebay_file_open(probe->reader, large, &file);
    if (code == 0)
        code = large_read(probe, file);
    forebay_file_close(file);
    (void)forebay_client_remove(probe->writer, large);
    return code;
}

static int block_size_find(struct origin_probe *probe)
{
    struct forebay_facts facts = {.size_bytes = 0};
    probe->path->block_size_bytes = SMALL_BYTES;
    probe->bytes = calloc(1, SMALL_BYTES);
    int code = probe->bytes != NULL ? file_put(probe, large, SMALL_BYTES) : -ENOMEM;
    if (code == 0)
        code = forebay_client_stat(probe->writer, large, &facts);
    free(probe->bytes);
    uint64_t blocks = WINDOW * facts.block_size_bytes, small = SMALL_FILES * SMALL_BYTES;
    probe->path->block_size_bytes = facts.block_size_bytes;
    probe->bytes = code == 0 ? calloc(1, blocks > small ? blocks : small) : NULL;
    return code == 0 && probe->bytes == NULL ? -ENOMEM : code;
}

void fb_calibrate_origin(const char *writer, const char *reader, struct fb_origin_path *path,
                         struct fb_error *error)
{
    struct origin_probe probe = {.path = path};
    *path = (struct fb_origin_path){.latency_ns = 0};
    int code = forebay_client_open(writer, &probe.writer);
    if (code == 0)
        code = forebay_client_open(reader, &probe.reader);
    if (code == 0)
        code = block_size_find(&probe);
    if (code == 0)
        code = small_measure(&probe);
    if (code == 0)
        code = large_measure(&probe);
    if (code != 0)
        fb_error_set(error, "the origin through %s and %s: %s: see the daemons' logs", writer,
                     reader, strerror(-code));
    free(probe.bytes);
    forebay_client_close(probe.reader);
    forebay_client_close(probe.writer);
}
