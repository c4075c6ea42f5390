/* LLM request traces: Mooncake's JSON lines (timestamp in ms, input_length, output_length,
 * hash_ids) and the plain form, one key a line. Loaded whole into memory: all hash ids in one
 * array. */
#ifndef FB_MODELS_TRACE_FILE_H
#define FB_MODELS_TRACE_FILE_H

#include "models/document.h"

struct fb_trace_request {
    uint64_t arrival_ns;
    uint64_t first; /* index of its first block in blocks[] */
    uint32_t block_count;
    uint32_t input_tokens, output_tokens;
};

struct fb_trace_file {
    struct fb_trace_request *requests;
    uint64_t request_count;
    uint64_t *blocks; /* block ids, as in the file; plain keys that are not numbers are hashed */
    uint64_t block_count;
};

/* The form is told from the first non-blank byte: '{' is JSON lines. Errors: file, line number,
 * what. */
void fb_trace_file_load(const char *path, struct fb_trace_file *trace, struct fb_error *error);
void fb_trace_file_free(struct fb_trace_file *trace);

#endif
