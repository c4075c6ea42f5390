/* Requests of LLM services as JSON lines, as Mooncake's and Bailian's traces are: timestamp in ms,
 * input_length and output_length in tokens, hash_ids. jansson checks the form of each line.
 * Source: kvcache-ai/Mooncake, FAST25-release/README; alibaba-edu/qwen-bailian-usagetraces-anon. */
#include "models/trace/trace_file.h"
#include "models/trace/trace_internal.h"

#include <jansson.h>

static const double timestamp_ms_max = 9e12; /* 285 years: ns stay below 2^63 */

/* A whole number >= 0 that fits 32 bits. */
static uint32_t tokens_read(struct trace_loader *loader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value) && json_integer_value(value) >= 0 &&
        json_integer_value(value) <= UINT32_MAX)
        return (uint32_t)json_integer_value(value);
    char what[96];
    snprintf(what, sizeof(what), "\"%s\" %s: write a whole number of tokens", key,
             value == NULL ? "is missing" : "is no token count");
    trace_fault(loader, "%s", what);
    return 0;
}

static uint64_t arrival_read(struct trace_loader *loader, const json_t *object)
{
    const json_t *value = json_object_get(object, "timestamp");
    double ms = json_number_value(value);
    if (!json_is_number(value) || !(ms >= 0) || ms > timestamp_ms_max) {
        trace_fault(loader, "\"timestamp\" %s",
                    value == NULL ? "is missing: write milliseconds"
                                  : "is no time: write milliseconds >= 0");
        return 0;
    }
    uint64_t arrival_ns = json_is_integer(value)
                              ? (uint64_t)json_integer_value(value) * UINT64_C(1000000)
                              : (uint64_t)(ms * 1e6 + 0.5);
    const struct fb_trace_file *trace = loader->trace;
    if (trace->request_count > 0 &&
        arrival_ns < trace->requests[trace->request_count - 1].arrival_ns)
        trace_fault(loader, "\"timestamp\" goes back: sort the file by timestamp");
    return arrival_ns;
}

static void blocks_read(struct trace_loader *loader, const json_t *object,
                        struct fb_trace_request *request)
{
    const json_t *array = json_object_get(object, "hash_ids");
    request->first = loader->trace->block_count;
    if (!json_is_array(array)) {
        trace_fault(loader, "\"hash_ids\" is missing or no list: write whole numbers");
        return;
    }
    size_t i;
    const json_t *value;
    json_array_foreach(array, i, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0) {
            trace_fault(loader, "\"hash_ids\" holds what is no whole number >= 0");
            return;
        }
        if (!trace_block_add(loader, (uint64_t)json_integer_value(value)))
            return;
    }
    request->block_count = (uint32_t)json_array_size(array);
}

void trace_json_line(struct trace_loader *loader, const char *text, size_t length)
{
    json_error_t fault;
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (!json_is_object(object)) {
        trace_fault(loader, "no JSON object: %s: one object a line is expected",
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
        trace_request_add(loader, &request);
}
