/* See trace_stream.h. Unpacking is zlib's and libzstd's; each is a stream over another one, made
 * with fopencookie, so that readers see no difference and pipes will do. */
#include "models/trace/trace_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { GZIP_WINDOW_BITS = 15 + 16, ROOM_BYTES = 1 << 17 };

/* A stream whose first bytes were read already. */
struct again {
    FILE *inner;
    size_t at, size;
    unsigned char head[FB_TRACE_HEAD_BYTES];
};

/* A packed stream. Of the two unpackers one is used. */
struct packed {
    FILE *inner;
    z_stream gzip;
    ZSTD_DStream *zstd;
    ZSTD_inBuffer input;
    bool is_inside; /* a member or frame has begun and not ended */
    unsigned char bytes[ROOM_BYTES];
};

static ssize_t again_read(void *cookie, char *buffer, size_t size)
{
    struct again *again = cookie;
    size_t count = again->size - again->at < size ? again->size - again->at : size;
    if (count > 0) {
        memcpy(buffer, again->head + again->at, count);
        again->at += count;
        return (ssize_t)count;
    }
    count = fread(buffer, 1, size, again->inner);
    return count == 0 && ferror(again->inner) ? -1 : (ssize_t)count;
}

static int again_close(void *cookie)
{
    struct again *again = cookie;
    int code = fclose(again->inner);
    free(again);
    return code;
}

/* Reads the first bytes and gives a stream that begins with them; takes over the file. NULL: it can
 * not be read, errno says why. */
static FILE *look(FILE *file, unsigned char *head, size_t *size)
{
    const cookie_io_functions_t calls = {.read = again_read, .close = again_close};
    struct again *again = calloc(1, sizeof(*again));
    FILE *stream = NULL;
    errno = 0;
    if (again != NULL) {
        again->inner = file;
        again->size = fread(again->head, 1, sizeof(again->head), file);
        *size = again->size;
        memcpy(head, again->head, again->size);
        if (!ferror(file))
            stream = fopencookie(again, "r", calls);
    }
    if (stream != NULL)
        return stream;
    int reason = errno != 0 ? errno : ENOMEM;
    fclose(file);
    free(again);
    errno = reason;
    return NULL;
}

/* False: there is no more input. */
static bool packed_fill(struct packed *packed)
{
    if (packed->input.pos < packed->input.size)
        return true;
    packed->input.pos = 0;
    packed->input.size = fread(packed->bytes, 1, sizeof(packed->bytes), packed->inner);
    return packed->input.size > 0;
}

static bool gzip_step(struct packed *packed, ZSTD_outBuffer *output)
{
    z_stream *gzip = &packed->gzip;
    gzip->next_in = packed->bytes + packed->input.pos;
    gzip->avail_in = (uInt)(packed->input.size - packed->input.pos);
    gzip->next_out = (Bytef *)output->dst + output->pos;
    gzip->avail_out = (uInt)(output->size - output->pos);
    int code = inflate(gzip, Z_NO_FLUSH);
    packed->input.pos = packed->input.size - gzip->avail_in;
    output->pos = output->size - gzip->avail_out;
    packed->is_inside = code != Z_STREAM_END;
    if (code == Z_STREAM_END)
        code = inflateReset(gzip); /* another member may follow */
    return code == Z_OK;
}

static bool zstd_step(struct packed *packed, ZSTD_outBuffer *output)
{
    size_t left = ZSTD_decompressStream(packed->zstd, output, &packed->input);
    packed->is_inside = left != 0;
    return !ZSTD_isError(left);
}

static ssize_t packed_read(void *cookie, char *buffer, size_t size)
{
    struct packed *packed = cookie;
    ZSTD_outBuffer output = {.dst = buffer, .size = size < ROOM_BYTES ? size : ROOM_BYTES};
    bool is_fine = true;
    while (is_fine && output.pos == 0) {
        if (packed_fill(packed))
            is_fine =
                packed->zstd != NULL ? zstd_step(packed, &output) : gzip_step(packed, &output);
        else if (!packed->is_inside && !ferror(packed->inner))
            return 0;
        else
            is_fine = false;
    }
    errno = EBADMSG;
    return is_fine ? (ssize_t)output.pos : -1;
}

static int packed_close(void *cookie)
{
    struct packed *packed = cookie;
    if (packed->zstd != NULL)
        ZSTD_freeDStream(packed->zstd);
    else
        inflateEnd(&packed->gzip);
    int code = fclose(packed->inner);
    free(packed);
    return code;
}

/* Takes over the file; NULL: no memory. */
static FILE *unpack(FILE *inner, bool is_zstd)
{
    const cookie_io_functions_t calls = {.read = packed_read, .close = packed_close};
    struct packed *packed = calloc(1, sizeof(*packed));
    bool is_fine = packed != NULL;
    if (is_fine) {
        packed->inner = inner;
        packed->input.src = packed->bytes;
        packed->zstd = is_zstd ? ZSTD_createDStream() : NULL;
        is_fine =
            is_zstd ? packed->zstd != NULL : inflateInit2(&packed->gzip, GZIP_WINDOW_BITS) == Z_OK;
    }
    FILE *stream = is_fine ? fopencookie(packed, "r", calls) : NULL;
    if (stream == NULL) {
        fclose(inner);
        free(packed);
        errno = ENOMEM;
    }
    return stream;
}

static const char *reason_text(void)
{
    return errno == EBADMSG ? "what is packed in it is damaged or cut off" : strerror(errno);
}

void fb_trace_stream_open(struct fb_trace_stream *stream, const char *path, struct fb_error *error)
{
    static const unsigned char gzip_magic[] = {0x1f, 0x8b}, zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    *stream = (struct fb_trace_stream){.packing = ""};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fb_error_set(error, "%s: cannot open: %s: check the path", path, strerror(errno));
        return;
    }
    file = look(file, stream->head, &stream->head_size);
    bool is_gzip = file != NULL && memcmp(stream->head, gzip_magic, sizeof(gzip_magic)) == 0;
    bool is_zstd = file != NULL && memcmp(stream->head, zstd_magic, sizeof(zstd_magic)) == 0;
    if (is_gzip || is_zstd) {
        stream->packing = is_gzip ? "gzip" : "zstd";
        file = unpack(file, is_zstd);
        if (file != NULL)
            file = look(file, stream->head, &stream->head_size);
    }
    stream->file = file;
    if (file == NULL)
        fb_error_set(error, "%s: cannot read: %s", path, reason_text());
}

void fb_trace_stream_close(struct fb_trace_stream *stream, const char *path, struct fb_error *error)
{
    if (stream->file == NULL)
        return;
    if (ferror(stream->file) && !fb_error_is_set(error)) {
        errno = *stream->packing != '\0' ? EBADMSG : EIO;
        fb_error_set(error, "%s: cannot read: %s", path, reason_text());
    }
    fclose(stream->file);
    stream->file = NULL;
}
