/* See transport.h. Same program on both sides, so numbers go as they are; names as length and
 * bytes. */
#include "results/transport.h"

#include "base/memory.h"
#include "core/panic.h"

#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0x46425254, COUNT_MAX = 1 << 20, NAMES_ROOM = 256 };

static void put(FILE *stream, const void *bytes, size_t size)
{
    fwrite(bytes, 1, size, stream);
}

static void put_text(FILE *stream, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    put(stream, &length, sizeof(length));
    put(stream, text, length);
}

static bool get(FILE *stream, void *bytes, size_t size)
{
    return fread(bytes, 1, size, stream) == size;
}

/* Names repeat in every run: each is kept once. */
static const char *intern(const char *text)
{
    static char **names;
    static uint32_t count;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0)
            return names[i];
    }
    if (count % NAMES_ROOM == 0) {
        names = fb_grow(names, (uint64_t)count + NAMES_ROOM, sizeof(*names), "names", NULL);
    }
    names[count] = fb_allocate(strlen(text) + 1, 1, "names", NULL);
    memcpy(names[count], text, strlen(text));
    return names[count++];
}

static bool get_text(FILE *stream, const char **text)
{
    char buffer[256];
    uint32_t length;
    if (!get(stream, &length, sizeof(length)) || length >= sizeof(buffer) ||
        !get(stream, buffer, length))
        return false;
    buffer[length] = 0;
    *text = intern(buffer);
    return true;
}

void fb_transport_write(FILE *stream, const struct fb_run *run, const struct fb_error *error)
{
    uint32_t magic = MAGIC;
    struct fb_run header = *run;
    header.metrics = NULL;
    header.series = NULL;
    header.entities = NULL;
    header.latencies = NULL;
    put(stream, &magic, sizeof(magic));
    put(stream, error, sizeof(*error));
    put(stream, &header, sizeof(header));
    for (uint32_t i = 0; i < run->metric_count; i++) {
        put_text(stream, run->metrics[i].name);
        put_text(stream, run->metrics[i].unit);
        put(stream, &run->metrics[i].value, sizeof(double));
    }
    for (uint32_t i = 0; i < run->series_count; i++) {
        put_text(stream, run->series[i].name);
        put(stream, &run->series[i].time_s, sizeof(double));
        put(stream, &run->series[i].value, sizeof(double));
    }
    for (uint32_t i = 0; i < run->entity_count; i++) {
        put(stream, run->entities[i].entity, sizeof(run->entities[i].entity));
        put_text(stream, run->entities[i].name);
        put(stream, &run->entities[i].value, sizeof(double));
    }
    put(stream, run->latencies, run->latency_count * sizeof(*run->latencies));
    put(stream, &magic, sizeof(magic));
}

static bool get_rows(FILE *stream, struct fb_run *run)
{
    bool is_fine = true;
    for (uint32_t i = 0; i < run->metric_count && is_fine; i++)
        is_fine = get_text(stream, &run->metrics[i].name) &&
                  get_text(stream, &run->metrics[i].unit) &&
                  get(stream, &run->metrics[i].value, sizeof(double));
    for (uint32_t i = 0; i < run->series_count && is_fine; i++)
        is_fine = get_text(stream, &run->series[i].name) &&
                  get(stream, &run->series[i].time_s, sizeof(double)) &&
                  get(stream, &run->series[i].value, sizeof(double));
    for (uint32_t i = 0; i < run->entity_count && is_fine; i++)
        is_fine = get(stream, run->entities[i].entity, sizeof(run->entities[i].entity)) &&
                  get_text(stream, &run->entities[i].name) &&
                  get(stream, &run->entities[i].value, sizeof(double));
    return is_fine && get(stream, run->latencies, run->latency_count * sizeof(*run->latencies));
}

bool fb_transport_read(FILE *stream, struct fb_run *run, struct fb_error *error)
{
    uint32_t magic = 0;
    memset(run, 0, sizeof(*run));
    if (!get(stream, &magic, sizeof(magic)) || magic != MAGIC ||
        !get(stream, error, sizeof(*error)) || !get(stream, run, sizeof(*run)))
        return false;
    bool is_sane = run->metric_count < COUNT_MAX && run->series_count < COUNT_MAX &&
                   run->entity_count < COUNT_MAX && run->latency_count < COUNT_MAX;
    if (!is_sane)
        return false;
    run->metrics = fb_allocate(run->metric_count, sizeof(*run->metrics), "figures", NULL);
    run->series = fb_allocate(run->series_count, sizeof(*run->series), "figures", NULL);
    run->entities = fb_allocate(run->entity_count, sizeof(*run->entities), "figures", NULL);
    run->latencies = fb_allocate(run->latency_count, sizeof(*run->latencies), "figures", NULL);
    return get_rows(stream, run) && get(stream, &magic, sizeof(magic)) && magic == MAGIC;
}
