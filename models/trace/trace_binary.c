/* libCacheSim's binary form, oracleGeneral: records of 24 bytes, little endian and packed:
 *     uint32 time in seconds, uint64 object id, uint32 object size, int64 next access (ignored)
 * It has no magic number, so what can not be one is refused: a length that is no multiple, times
 * that go back, an object of no bytes.
 * Source: libCacheSim, libCacheSim/traceReader/customizedReader/oracle/oracleGeneralBin.h. */
#include "models/trace/trace_file.h"
#include "models/trace/trace_internal.h"

enum { RECORD_BYTES = 24 };

static uint64_t number_of(const unsigned char *bytes, uint32_t count)
{
    uint64_t value = 0;
    for (uint32_t i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static void record_add(struct trace_loader *loader, const unsigned char record[RECORD_BYTES])
{
    struct fb_trace_file *trace = loader->trace;
    struct fb_trace_request request = {.arrival_ns = number_of(record, 4) * UINT64_C(1000000000),
                                       .first = trace->block_count,
                                       .block_count = 1};
    bool is_back = trace->request_count > 0 &&
                   request.arrival_ns < trace->requests[trace->request_count - 1].arrival_ns;
    if (is_back || number_of(record + 12, 4) == 0) {
        fb_error_set(loader->error,
                     "%s: record %llu is none of oracleGeneral (%s), and no other binary form is "
                     "read: expected are JSON lines, CSV with obj_id, or one key a line",
                     loader->path, (unsigned long long)loader->line,
                     is_back ? "its time goes back" : "its object has no bytes");
        return;
    }
    if (trace_block_add(loader, number_of(record + 4, 8)))
        (void)trace_request_add(loader, &request);
}

void trace_binary_read(struct trace_loader *loader, FILE *stream)
{
    unsigned char record[RECORD_BYTES];
    size_t held = RECORD_BYTES;
    while (held == RECORD_BYTES && !fb_error_is_set(loader->error)) {
        held = fread(record, 1, RECORD_BYTES, stream);
        loader->line++;
        if (held == RECORD_BYTES)
            record_add(loader, record);
    }
    if (held > 0 && held < RECORD_BYTES && !ferror(stream) && !fb_error_is_set(loader->error))
        fb_error_set(loader->error,
                     "%s: binary, and its length is no multiple of %d bytes as oracleGeneral's is: "
                     "expected are JSON lines, CSV with obj_id, or one key a line",
                     loader->path, RECORD_BYTES);
}
