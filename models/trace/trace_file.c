/* Request traces into two arrays, by detection of what users have: each form has a reader of its
 * own. See trace_file.h for how they are told apart.
 *
 * Invariants of a loaded trace: requests are in file order, arrivals never go back and begin at 0,
 * each request's blocks are blocks[first .. first + block_count), and these ranges follow each
 * other without gaps. */
#include "models/trace/trace_file.h"

#include "base/memory.h"
#include "models/trace/trace_internal.h"
#include "models/trace/trace_stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum form { FORM_NONE, FORM_JSON, FORM_CSV, FORM_KEYS, FORM_BINARY };

void trace_fault(struct trace_loader *loader, const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    fb_error_set(loader->error, "%s:%llu: %s", loader->path, (unsigned long long)loader->line,
                 what);
}

/* Makes room for one more element in a doubling array. */
static bool room_make(struct trace_loader *loader, void **array, uint64_t *room, uint64_t count,
                      size_t element_size)
{
    if (count < *room)
        return true;
    uint64_t more = *room == 0 ? 4096 : *room * 2;
    void *grown = fb_grow(*array, more, element_size, loader->path, loader->error);
    if (grown == NULL)
        return false;
    *array = grown;
    *room = more;
    return true;
}

bool trace_block_add(struct trace_loader *loader, uint64_t block)
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

bool trace_request_add(struct trace_loader *loader, const struct fb_trace_request *request)
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

void trace_key_add(struct trace_loader *loader, const char *key, size_t length, uint64_t arrival_ns)
{
    struct fb_trace_request request = {
        .arrival_ns = arrival_ns, .first = loader->trace->block_count, .block_count = 1};
    if (trace_block_add(loader, key_number(key, length)))
        trace_request_add(loader, &request);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What a line without JSON is: its first decides. */
static enum form form_of(struct trace_loader *loader, const char *text, size_t length,
                         struct trace_columns *columns)
{
    if (*text == '{')
        return FORM_JSON;
    if (*text == '[')
        trace_fault(loader, "a JSON list: write one object a line, e.g. with jq -c '.[]'");
    else if (memchr(text, ',', length) != NULL) {
        trace_csv_head(loader, text, length, columns);
        return FORM_CSV;
    }
    return FORM_KEYS;
}

static void key_line(struct trace_loader *loader, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (is_space(text[i]) || text[i] == ',') {
            trace_fault(loader, "more than a key: expected are JSON lines with hash_ids, CSV whose "
                                "first line names obj_id, or one key a line");
            return;
        }
    }
    trace_key_add(loader, text, length, 0);
}

static void form_tell(struct fb_trace_file *trace, enum form form, const char *packing)
{
    static const char *const names[] = {[FORM_NONE] = "nothing",
                                        [FORM_JSON] = "JSON lines with hash_ids",
                                        [FORM_CSV] = "CSV with obj_id",
                                        [FORM_KEYS] = "one key a line",
                                        [FORM_BINARY] = "oracleGeneral"};
    snprintf(trace->form, sizeof(trace->form), "%s%s%s", names[form], *packing != 0 ? ", " : "",
             packing);
}

static enum form lines_read(struct trace_loader *loader, FILE *stream)
{
    char *text = NULL;
    size_t room = 0;
    enum form form = FORM_NONE;
    struct trace_columns columns = {.object = 0};
    ssize_t length;
    while (!fb_error_is_set(loader->error) && (length = getline(&text, &room, stream)) >= 0) {
        const char *start = text;
        bool is_first = form == FORM_NONE;
        if (ferror(stream))
            break; /* the end of the line is missing */
        loader->line++;
        if (loader->line == 1 && length >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) {
            start += 3; /* a byte order mark of UTF-8 */
            length -= 3;
        }
        while (length > 0 && is_space(start[length - 1]))
            length--;
        while (length > 0 && is_space(*start)) {
            start++;
            length--;
        }
        if (length == 0)
            continue;
        if (is_first)
            form = form_of(loader, start, (size_t)length, &columns);
        if (form == FORM_JSON)
            trace_json_line(loader, start, (size_t)length);
        else if (form == FORM_KEYS && !fb_error_is_set(loader->error))
            key_line(loader, start, (size_t)length);
        else if (form == FORM_CSV && !is_first)
            trace_csv_line(loader, start, (size_t)length, &columns);
    }
    free(text);
    return form;
}

/* Is this no text? UTF-16 is refused by its mark, or by the zeros of its ASCII. */
static bool is_binary(struct trace_loader *loader, const unsigned char *head, size_t size)
{
    bool is_wide =
        size >= 2 && ((head[0] == 0xff && head[1] == 0xfe) || (head[0] == 0xfe && head[1] == 0xff));
    if (is_wide)
        fb_error_set(loader->error, "%s: UTF-16: write it as UTF-8, e.g. with iconv -f UTF-16",
                     loader->path);
    for (size_t i = 0; i < size && !is_wide; i++) {
        bool is_text = head[i] >= ' ' || is_space((char)head[i]);
        if (!is_text || head[i] == 0x7f)
            return true;
    }
    return false;
}

/* Traces of a service's own clock begin when they begin. */
static void arrivals_shift(struct fb_trace_file *trace)
{
    uint64_t first_ns = trace->request_count > 0 ? trace->requests[0].arrival_ns : 0;
    for (uint64_t i = 0; i < trace->request_count; i++)
        trace->requests[i].arrival_ns -= first_ns;
}

void fb_trace_file_load(const char *path, struct fb_trace_file *trace, struct fb_error *error)
{
    struct fb_trace_stream stream;
    *trace = (struct fb_trace_file){.requests = NULL};
    if (fb_error_is_set(error))
        return;
    struct trace_loader loader = {.path = path, .trace = trace, .error = error};
    fb_trace_stream_open(&stream, path, error);
    bool is_other = stream.file != NULL && is_binary(&loader, stream.head, stream.head_size);
    enum form form = FORM_BINARY;
    if (stream.file != NULL && is_other)
        trace_binary_read(&loader, stream.file);
    else if (!fb_error_is_set(error))
        form = lines_read(&loader, stream.file);
    fb_trace_stream_close(&stream, path, error);
    form_tell(trace, form, stream.packing);
    if (trace->request_count == 0 && !fb_error_is_set(error))
        fb_error_set(error, "%s: no requests in it: is it the right file?", path);
    arrivals_shift(trace);
    if (fb_error_is_set(error))
        fb_trace_file_free(trace);
}

void fb_trace_file_free(struct fb_trace_file *trace)
{
    free(trace->requests);
    free(trace->blocks);
    *trace = (struct fb_trace_file){.requests = NULL};
}
