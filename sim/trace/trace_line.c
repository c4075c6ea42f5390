/* The parts of a trace's lines; see trace_line.h. */
#include "sim/trace/trace_line.h"

#include "core/name/name.h"
#include "core/panic.h"
#include "core/stats.h"

#include <inttypes.h>

enum { KEYS_SHOWN = 8 };

void line_part(struct fb_trace_printer *printer)
{
    fputs(printer->has_part ? ", " : ": ", printer->stream);
    printer->has_part = true;
}

void line_bytes(struct fb_trace_printer *printer, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    uint32_t unit = 0;
    while (unit < 4 && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    fprintf(printer->stream, "%" PRIu64 " %s", bytes, units[unit]);
}

void line_size(struct fb_trace_printer *printer, const char *before, uint64_t bytes)
{
    line_part(printer);
    fputs(before, printer->stream);
    line_bytes(printer, bytes);
}

/* In the largest unit that leaves something before the point; no digit is lost. */
void line_duration(struct fb_trace_printer *printer, uint64_t ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    uint64_t scale = 1;
    uint32_t unit = 0;
    while (unit < 3 && ns / scale >= 1000) {
        scale *= 1000;
        unit++;
    }
    fprintf(printer->stream, "%" PRIu64, ns / scale);
    uint64_t rest = ns % scale;
    for (fputs(rest > 0 ? "." : "", printer->stream); rest > 0; rest %= scale) {
        scale /= 10;
        fprintf(printer->stream, "%" PRIu64, rest / scale);
    }
    fprintf(printer->stream, " %s", units[unit]);
}

static void key_learn(struct fb_trace_printer *printer, struct fb_key key)
{
    if (!printer->has_keys || !trace_name_is_new(&printer->names, key))
        return;
    FB_ASSERT(printer->new_count < LINE_NEW_MAX);
    printer->new_keys[printer->new_count++] = key;
}

void line_key(struct fb_trace_printer *printer, struct fb_key key)
{
    key_learn(printer, key);
    fputs(trace_name_key(&printer->names, key), printer->stream);
}

void line_block(struct fb_trace_printer *printer, const struct fb_block *block)
{
    key_learn(printer, block->key);
    line_part(printer);
    fputs(trace_name_block(&printer->names, block), printer->stream);
    if (block->size == 0)
        return;
    fputc(' ', printer->stream);
    line_bytes(printer, block->size);
}

void line_key_part(struct fb_trace_printer *printer, struct fb_key key)
{
    line_part(printer);
    line_key(printer, key);
}

void line_keys(struct fb_trace_printer *printer, const struct fb_key *keys, uint32_t count)
{
    line_part(printer);
    fprintf(printer->stream, "%u keys", count);
    for (uint32_t i = 0; i < count && i < KEYS_SHOWN && keys != NULL; i++) {
        fputc(' ', printer->stream);
        line_key(printer, keys[i]);
    }
    fputs(count > KEYS_SHOWN ? " ..." : "", printer->stream);
}

void line_id(struct fb_trace_printer *printer, uint32_t node, const char *word, uint64_t id)
{
    line_part(printer);
    fprintf(printer->stream, "%s %u.%" PRIu64, word, node,
            trace_name_id(&printer->names, node, word, id));
}

void line_number(struct fb_trace_printer *printer, const char *word, uint64_t number)
{
    line_part(printer);
    fprintf(printer->stream, "%s %" PRIu64, word, number);
}

void line_node(struct fb_trace_printer *printer, const char *word, uint32_t node)
{
    line_part(printer);
    fprintf(printer->stream, "%s n%u", word, node);
}

void line_digest(struct fb_trace_printer *printer, const char *word, uint64_t digest)
{
    line_part(printer);
    fprintf(printer->stream, "%s d%" PRIu64, word, trace_name_digest(&printer->names, digest));
}

void line_version(struct fb_trace_printer *printer, const char *word, uint64_t version)
{
    line_part(printer);
    fprintf(printer->stream, "%s v%" PRIu64, word, trace_name_version(&printer->names, version));
}

/* A record of a name says what it means; any other holds a value that only its clients know. */
void line_record(struct fb_trace_printer *printer, const char *word, const struct fb_meta *record)
{
    static const char *const states[] = {
        [FB_NAME_ORIGIN] = "origin", [FB_NAME_CACHED] = "cached", [FB_NAME_REMOVED] = "removed"};
    struct fb_meta said = *record;
    said.version = said.version > 0 ? said.version : 1; /* one that is to be the first */
    struct fb_name_facts facts = fb_name_read(&said);
    line_part(printer);
    fprintf(printer->stream, "%s %" PRIu64, word, record->version);
    if (record->value.high == 0 && record->value.low == 0)
        return;
    if (facts.state == FB_NAME_BAD)
        fprintf(printer->stream, " of value x%" PRIu64,
                trace_name_value(&printer->names, record->value));
    else
        fprintf(printer->stream, " that says %s v%" PRIu64 " of n%u", states[facts.state],
                trace_name_version(&printer->names, facts.version), facts.node);
}

void line_level(struct fb_trace_printer *printer, uint32_t level)
{
    static const char *const names[FB_LEVEL_COUNT] = {"memory", "replicated", "device", "origin",
                                                      "volatile"};
    line_part(printer);
    fprintf(printer->stream, "level %s", level < FB_LEVEL_COUNT ? names[level] : "?");
}

void line_status(struct fb_trace_printer *printer, uint32_t status)
{
    if (status == FB_OK)
        return;
    line_part(printer);
    fputs(status < FB_STATUS_COUNT ? fb_status_name((enum fb_status)status) : "?", printer->stream);
}
