/* Request traces, as users have them. Loaded whole into memory: all block ids in one array.
 *
 * Told apart by content, never by name: gzip and zstd are unpacked; then a first byte '{' is JSON
 * lines with hash_ids (trace_json.c), a first line with commas is CSV (trace_csv.c), other text is
 * one key a line, and what is no text must be oracleGeneral (trace_binary.c). Anything else is
 * refused with what was expected. */
#ifndef FB_MODELS_TRACE_TRACE_FILE_H
#define FB_MODELS_TRACE_TRACE_FILE_H

#include "base/document.h"

/* One request of a trace; tokens are 0 where its form has none. */
struct fb_trace_request {
    uint64_t arrival_ns; /* since the first one */
    uint64_t first;      /* index of its first block in blocks[] */
    uint32_t block_count;
    uint32_t input_tokens, output_tokens;
};

/* A trace in memory, in the file's order. */
struct fb_trace_file {
    struct fb_trace_request *requests;
    uint64_t request_count;
    uint64_t *blocks; /* block ids, as in the file; plain keys that are not numbers are hashed */
    uint64_t block_count;
    char form[64]; /* what it was taken for: "JSON lines with hash_ids, gzip" */
};

/* Errors: file, line number, what. */
void fb_trace_file_load(const char *path, struct fb_trace_file *trace, struct fb_error *error);
/* Frees its arrays; one that did not load is fine. */
void fb_trace_file_free(struct fb_trace_file *trace);

#endif
