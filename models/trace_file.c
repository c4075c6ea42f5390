/* Request traces into two arrays. JSON lines are parsed one by one by jansson, which checks the
 * form and keeps memory small; the other form has one key a line.
 *
 * Invariants of a loaded trace: requests are in file order, arrivals never go back, each request's
 * blocks are blocks[first .. first + block_count), and these ranges follow each other without gaps.
 */
#include "models/trace_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct loader {
    const char *path;
    uint64_t line;
    struct fb_trace_file *trace;
    uint64_t request_room, block_room;
    struct fb_error *error;
};

static const double timestamp_ms_max = 9e12; /* 285 years: ns stay below 2^63 */

/* Makes room for one more element in a doubling array. */
static bool room_make(struct loader *loader, void **array, uint64_t *room, uint64_t count,
                      size_t element_size)
{
    if (count < *room)
        return true;
    uint64_t more = *room == 0 ? 4096 : *room * 2;
    void *grown = realloc(*array, more * element_size);
    if (grown == NULL) {
        fb_error_set(loader->error, "%s: out of memory at line %llu", loader->path,
                     (unsigned long long)loader->line);
        return false;
    }
    *array = grown;
    *room = more;
    return true;
}

static bool block_add(struct loader *loader, uint64_t block)
{
    struct fb_trace_file *trace = loader->trace;
    void *blocks = trace->blocks;
    bool has_room =
        room_make(loader, &blocks, &loader->block_room, trace->block_count, sizeof(block));
    trace->blocks = blocks;
    if (has_room)
        trace->blocks[trace->block_count++] = block;
    return has_room;
}

static bool request_add(struct loader *loader, const struct fb_trace_request *request)
{
    struct fb_trace_file *trace = loader->trace;
    void *requests = trace->requests;
    bool has_room =
        room_make(loader, &requests, &loader->request_room, trace->request_count, sizeof(*request));
    trace->requests = requests;
    if (has_room)
        trace->requests[trace->request_count++] = *request;
    return has_room;
}

static void line_fault(struct loader *loader, const char *what)
{
    fb_error_set(loader->error, "%s:%llu: %s", loader->path, (unsigned long long)loader->line,
                 what);
}

/* A whole number >= 0 that fits 32 bits. */
static uint32_t tokens_read(struct loader *loader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value) && json_integer_value(value) >= 0 &&
        json_integer_value(value) <= UINT32_MAX)
        return (uint32_t)json_integer_value(value);
    char what[96];
    snprintf(what, sizeof(what), "\"%s\" %s: write a whole number of tokens", key,
             value == NULL ? "is missing" : "is no token count");
    line_fault(loader, what);
    return 0;
}

static uint64_t arrival_read(struct loader *loader, const json_t *object)
{
    const json_t *value = json_object_get(object, "timestamp");
    double ms = json_number_value(value);
    if (!json_is_number(value) || !(ms >= 0) || ms > timestamp_ms_max) {
        line_fault(loader, value == NULL ? "\"timestamp\" is missing: write milliseconds"
                                         : "\"timestamp\" is no time: write milliseconds >= 0");
        return 0;
    }
    uint64_t arrival_ns = json_is_integer(value)
                              ? (uint64_t)json_integer_value(value) * UINT64_C(1000000)
                              : (uint64_t)(ms * 1e6 + 0.5);
    const struct fb_trace_file *trace = loader->trace;
    if (trace->request_count > 0 &&
        arrival_ns < trace->requests[trace->request_count - 1].arrival_ns)
        line_fault(loader, "\"timestamp\" goes back: sort the file by timestamp");
    return arrival_ns;
}

static void blocks_read(struct loader *loader, const json_t *object,
                        struct fb_trace_request *request)
{
    const json_t *array = json_object_get(object, "hash_ids");
    request->first = loader->trace->block_count;
    if (!json_is_array(array)) {
        line_fault(loader, "\"hash_ids\" is missing or no list: write whole numbers");
        return;
    }
    size_t i;
    const json_t *value;
    json_array_foreach(array, i, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0) {
            line_fault(loader, "\"hash_ids\" holds what is no whole number >= 0");
            return;
        }
        if (!block_add(loader, (uint64_t)json_integer_value(value)))
            return;
    }
    request->block_count = (uint32_t)json_array_size(array);
}

static void json_line_read(struct loader *loader, const char *text, size_t length)
{
    json_error_t fault;
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (!json_is_object(object)) {
        fb_error_set(loader->error, "%s:%llu: no JSON object: %s: one object a line is expected",
                     loader->path, (unsigned long long)loader->line,
                     object == NULL ? fault.text : "another value");
        json_decref(object);
        return;
    }
    struct fb_trace_request request = {
        .arrival_ns = arrival_read(loader, object),
        .input_tokens = tokens_read(loader, object, "input_length"),
        .output_tokens = tokens_read(loader, object, "output_length"),
    };
    blocks_read(loader, object, &request);
    json_decref(object);
    if (!fb_error_is_set(loader->error))
        request_add(loader, &request);
}

/* A key of digits is its number; another one is hashed. */
static uint64_t key_number(const char *text, size_t length)
{
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return XXH3_64bits(text, length);
        number = number * 10 + digit;
    }
    return number;
}

static void key_line_read(struct loader *loader, const char *text, size_t length)
{
    struct fb_trace_request request = {.first = loader->trace->block_count, .block_count = 1};
    if (block_add(loader, key_number(text, length)))
        request_add(loader, &request);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void lines_read(struct loader *loader, FILE *file)
{
    char *text = NULL;
    size_t room = 0;
    bool is_json = false;
    ssize_t length;
    errno = 0;
    while (!fb_error_is_set(loader->error) && (length = getline(&text, &room, file)) >= 0) {
        const char *start = text;
        loader->line++;
        while (length > 0 && is_space(start[length - 1]))
            length--;
        while (length > 0 && is_space(*start)) {
            start++;
            length--;
        }
        if (length == 0)
            continue;
        if (loader->trace->request_count == 0)
            is_json = *start == '{';
        if (is_json)
            json_line_read(loader, start, (size_t)length);
        else
            key_line_read(loader, start, (size_t)length);
    }
    if (ferror(file))
        fb_error_set(loader->error, "%s: cannot read: %s", loader->path, strerror(errno));
    free(text);
}

void fb_trace_file_load(const char *path, struct fb_trace_file *trace, struct fb_error *error)
{
    *trace = (struct fb_trace_file){.requests = NULL};
    if (fb_error_is_set(error))
        return;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fb_error_set(error, "%s: cannot open: %s: check the path", path, strerror(errno));
        return;
    }
    struct loader loader = {.path = path, .trace = trace, .error = error};
    lines_read(&loader, file);
    fclose(file);
    if (trace->request_count == 0)
        fb_error_set(error, "%s: no requests in it: is it the right file?", path);
    if (fb_error_is_set(error))
        fb_trace_file_free(trace);
}

void fb_trace_file_free(struct fb_trace_file *trace)
{
    free(trace->requests);
    free(trace->blocks);
    *trace = (struct fb_trace_file){.requests = NULL};
}
