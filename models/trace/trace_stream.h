/* A trace's bytes, whatever they are packed in. */
#ifndef FB_MODELS_TRACE_TRACE_STREAM_H
#define FB_MODELS_TRACE_TRACE_STREAM_H

#include "base/document.h"

#include <stdio.h>

enum { FB_TRACE_HEAD_BYTES = 256 };

struct fb_trace_stream {
    FILE *file;                              /* unpacked, from its first byte on; NULL: error */
    const char *packing;                     /* "", "gzip" or "zstd" */
    unsigned char head[FB_TRACE_HEAD_BYTES]; /* its first bytes, to be looked at */
    size_t head_size;
};

/* Opens a file or pipe, plain or as gzip or zstd have packed it: told from its first bytes.
 * Errors: error set: it can not be opened or read, or is damaged at its beginning. */
void fb_trace_stream_open(struct fb_trace_stream *stream, const char *path, struct fb_error *error);

/* Errors: error set, when what was read last did not end well: cut off, damaged, no file. */
void fb_trace_stream_close(struct fb_trace_stream *stream, const char *path,
                           struct fb_error *error);

#endif
