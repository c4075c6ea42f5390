/* CSV traces of an object a line: libCacheSim's own (time, obj_id, obj_size) and those with columns
 * of like names. The first line names the columns; quoting is not used by any of them.
 *
 * Traces of LLM services that have token counts and no block ids (Azure's, BurstGPT's) tell when
 * and how much was asked for, not what could be shared: they are refused by name.
 * Source: libCacheSim, doc/quickstart_cachesim.md; Azure public dataset, AzureLLMInferenceDataset;
 * BurstGPT, README.md. */
#include "models/trace/trace_file.h"
#include "models/trace/trace_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { COLUMNS_MAX = 64 };

struct part {
    const char *text;
    size_t length;
};

static bool is_named(const struct part *part, const char *name)
{
    return strlen(name) == part->length && strncasecmp(part->text, name, part->length) == 0;
}

static uint32_t parts_of(const char *text, size_t length, struct part parts[COLUMNS_MAX])
{
    uint32_t count = 0;
    const char *end = text + length;
    while (count < COLUMNS_MAX) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma != NULL ? comma : end;
        struct part part = {.text = text, .length = (size_t)(stop - text)};
        while (part.length > 0 && *part.text == ' ') {
            part.text++;
            part.length--;
        }
        while (part.length > 0 && part.text[part.length - 1] == ' ')
            part.length--;
        parts[count++] = part;
        if (comma == NULL)
            break;
        text = comma + 1;
    }
    return count;
}

static uint32_t column_find(const struct part *parts, uint32_t count, const char *const *names)
{
    for (; *names != NULL; names++) {
        for (uint32_t i = 0; i < count; i++) {
            if (is_named(&parts[i], *names))
                return i;
        }
    }
    return UINT32_MAX;
}

void trace_csv_head(struct trace_loader *loader, const char *text, size_t length,
                    struct trace_columns *columns)
{
    static const char *const objects[] = {"obj_id", "object_id", "obj", "id", "key", "block", NULL};
    static const char *const times[] = {"time", "timestamp", "clock_time", NULL};
    static const char *const tokens[] = {"contexttokens", "request tokens", NULL};
    struct part parts[COLUMNS_MAX];
    uint32_t count = parts_of(text, length, parts);
    columns->object = column_find(parts, count, objects);
    columns->time = column_find(parts, count, times);
    if (columns->object != UINT32_MAX)
        return;
    if (column_find(parts, count, tokens) != UINT32_MAX)
        trace_fault(loader, "a trace of token counts without block ids: it says when requests "
                            "come, and not what they share; give one with hash_ids");
    else
        trace_fault(loader,
                    "a CSV without a column obj_id among the first %d: name the columns in the "
                    "first line, e.g. time,obj_id,obj_size",
                    COLUMNS_MAX);
}

static uint64_t seconds_read(struct trace_loader *loader, const struct part *part)
{
    char text[32], *end;
    const struct fb_trace_file *trace = loader->trace;
    snprintf(text, sizeof(text), "%.*s", (int)part->length, part->text);
    double seconds = strtod(text, &end);
    if (part->length == 0 || part->length >= sizeof(text) || *end != '\0' || !(seconds >= 0) ||
        seconds > 9e9) {
        trace_fault(loader, "the time is no number of seconds >= 0");
        return 0;
    }
    uint64_t arrival_ns = (uint64_t)(seconds * 1e9 + 0.5);
    if (trace->request_count > 0 &&
        arrival_ns < trace->requests[trace->request_count - 1].arrival_ns)
        trace_fault(loader, "the time goes back: sort the file by time");
    return arrival_ns;
}

void trace_csv_line(struct trace_loader *loader, const char *text, size_t length,
                    const struct trace_columns *columns)
{
    struct part parts[COLUMNS_MAX];
    uint32_t count = parts_of(text, length, parts);
    uint64_t arrival_ns = 0;
    bool has_time = columns->time != UINT32_MAX;
    if (columns->object >= count || (has_time && columns->time >= count)) {
        trace_fault(loader, "has %u columns, fewer than the first line names", count);
        return;
    }
    if (has_time)
        arrival_ns = seconds_read(loader, &parts[columns->time]);
    if (parts[columns->object].length == 0)
        trace_fault(loader, "the object's id is empty");
    if (!fb_error_is_set(loader->error))
        trace_key_add(loader, parts[columns->object].text, parts[columns->object].length,
                      arrival_ns);
}
