/* A line of a trace being written: its parts, each with the names that are known. */
#ifndef FB_SIM_TRACE_TRACE_LINE_H
#define FB_SIM_TRACE_TRACE_LINE_H

#include "core/io.h"
#include "sim/trace/trace_names.h"

#include <stdbool.h>
#include <stdio.h>

enum { LINE_NEW_MAX = 16 }; /* a line names fewer */

struct fb_trace_printer {
    FILE *stream;
    struct trace_names names;
    uint64_t now_ns; /* of the step, by the clock of its node */
    uint32_t node;   /* whose it is */
    bool has_keys;
    bool has_part; /* of this line: the next is set off by a comma */
    struct fb_key new_keys[LINE_NEW_MAX];
    uint32_t new_count;
};

/* Begins what follows on the line: after ": " the first time, then after ", ". */
void line_part(struct fb_trace_printer *printer);

void line_bytes(struct fb_trace_printer *printer, uint64_t bytes);
void line_duration(struct fb_trace_printer *printer, uint64_t ns);
void line_key(struct fb_trace_printer *printer, struct fb_key key);

/* Parts. */
void line_size(struct fb_trace_printer *printer, const char *before, uint64_t bytes);
void line_block(struct fb_trace_printer *printer, const struct fb_block *block);
void line_key_part(struct fb_trace_printer *printer, struct fb_key key);
void line_keys(struct fb_trace_printer *printer, const struct fb_key *keys, uint32_t count);
void line_id(struct fb_trace_printer *printer, uint32_t node, const char *word, uint64_t id);
void line_number(struct fb_trace_printer *printer, const char *word, uint64_t number);
void line_node(struct fb_trace_printer *printer, const char *word, uint32_t node);
void line_digest(struct fb_trace_printer *printer, const char *word, uint64_t digest);
void line_version(struct fb_trace_printer *printer, const char *word, uint64_t version);
void line_record(struct fb_trace_printer *printer, const char *word, const struct fb_meta *record);
void line_level(struct fb_trace_printer *printer, uint32_t level);
/* Nothing when it is OK. */
void line_status(struct fb_trace_printer *printer, uint32_t status);

/* The fields of a message from one node to another; see trace_message.c. */
void line_message(struct fb_trace_printer *printer, const struct fb_message *message,
                  uint32_t source, uint32_t target);
const char *line_message_name(uint32_t kind);

#endif
