/* models/trace/trace_file.c: a trace is refused with one line that names file and line, or is what
 * its invariants say. */
#include "models/trace/trace_file.h"

#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/file.h"

static void trace_check(const struct fb_trace_file *trace)
{
    uint64_t next = 0, now_ns = 0;
    for (uint64_t i = 0; i < trace->request_count; i++) {
        const struct fb_trace_request *request = &trace->requests[i];
        if (request->first != next || request->arrival_ns < now_ns)
            abort();
        next += request->block_count;
        now_ns = request->arrival_ns;
    }
    if (next != trace->block_count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_trace_file trace;
    struct fb_error error = {.text = ""};
    fb_trace_file_load(fuzz_file(data, size), &trace, &error);
    if (strchr(error.text, '\n') != NULL)
        abort();
    if (!fb_error_is_set(&error))
        trace_check(&trace);
    fb_trace_file_free(&trace);
    return 0;
}
