/* series.csv and per_entity.csv: one value a line, tidy for data frames. */
#include "base/file.h"
#include "results/internal.h"
#include "results/results.h"

#include <string.h>

static void put_quoted(FILE *stream, const char *text)
{
    if (strpbrk(text, ",\"\n") == NULL) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text != 0; text++) {
        if (*text == '"')
            fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

static void series_rows(FILE *stream, const struct fb_results *results)
{
    fputs("point,seed,time_s,name,value\n", stream);
    for (uint32_t p = 0; p < results->point_count; p++) {
        char name[256];
        fb_point_name(&results->points[p], name, sizeof(name));
        for (uint32_t r = 0; r < results->points[p].run_count; r++) {
            const struct fb_run *run = &results->points[p].runs[r];
            for (uint32_t i = 0; i < run->series_count; i++) {
                put_quoted(stream, name);
                fprintf(stream, ",%llu,%.9g,%s,%.9g\n", (unsigned long long)run->seed,
                        run->series[i].time_s, run->series[i].name, run->series[i].value);
            }
        }
    }
}

static void entity_rows(FILE *stream, const struct fb_results *results)
{
    fputs("point,seed,entity,name,value\n", stream);
    for (uint32_t p = 0; p < results->point_count; p++) {
        char name[256];
        fb_point_name(&results->points[p], name, sizeof(name));
        for (uint32_t r = 0; r < results->points[p].run_count; r++) {
            const struct fb_run *run = &results->points[p].runs[r];
            for (uint32_t i = 0; i < run->entity_count; i++) {
                put_quoted(stream, name);
                fprintf(stream, ",%llu,%s,%s,%.12g\n", (unsigned long long)run->seed,
                        run->entities[i].entity, run->entities[i].name, run->entities[i].value);
            }
        }
    }
}

void fb_csv_write(const struct fb_results *results, const char *folder, struct fb_error *error)
{
    struct fb_file file;
    fb_file_open(&file, folder, "series.csv", error);
    if (file.stream != NULL)
        series_rows(file.stream, results);
    fb_file_commit(&file, error);
    if (fb_error_is_set(error))
        return;
    fb_file_open(&file, folder, "per_entity.csv", error);
    if (file.stream != NULL)
        entity_rows(file.stream, results);
    fb_file_commit(&file, error);
}
