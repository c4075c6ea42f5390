/* A trace that is being read: what its readers, a file a form, share. */
#ifndef FB_MODELS_TRACE_TRACE_INTERNAL_H
#define FB_MODELS_TRACE_TRACE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fb_error;
struct fb_trace_file;
struct fb_trace_request;

struct trace_loader {
    const char *path;
    uint64_t line; /* or record */
    struct fb_trace_file *trace;
    uint64_t request_room, block_room;
    struct fb_error *error;
};

/* Names the file and the line. */
__attribute__((format(printf, 2, 3))) void trace_fault(struct trace_loader *loader,
                                                       const char *format, ...);

/* False: no memory; error set. */
bool trace_block_add(struct trace_loader *loader, uint64_t block);
bool trace_request_add(struct trace_loader *loader, const struct fb_trace_request *request);

/* A request of one block. A key of digits is its number; another one is hashed. */
void trace_key_add(struct trace_loader *loader, const char *key, size_t length,
                   uint64_t arrival_ns);

/* One line each, without blanks around it. */
void trace_json_line(struct trace_loader *loader, const char *text, size_t length);
/* columns: of the line's parts, which are the object's id and its time; time may be UINT32_MAX. */
struct trace_columns {
    uint32_t object, time;
};
void trace_csv_head(struct trace_loader *loader, const char *text, size_t length,
                    struct trace_columns *columns);
void trace_csv_line(struct trace_loader *loader, const char *text, size_t length,
                    const struct trace_columns *columns);

/* libCacheSim's oracleGeneral: records of 24 bytes to the end of the stream. */
void trace_binary_read(struct trace_loader *loader, FILE *stream);

#endif
