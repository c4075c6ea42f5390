/* `forebay help settings`: every key of forebayd's config from the two tables that its loader reads
 * (hw/base/settings_table.h, core/config.h), as text, forebayd.yaml(5), Markdown or JSON Schema. */
#include "cli/help/help.h"

#include "base/units.h"
#include "cli/command.h"
#include "core/config.h"
#include "core/index/cache.h"
#include "core/panic.h"
#include "core/place/view.h"
#include "hw/base/settings_table.h"
#include "base/core_fields.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORDS_MAX = 96, ROWS_MAX = 256 };

/* A key as all forms show it. */
struct row {
    const char *section, *name; /* name: with the section */
    const char *unit;           /* size, time, rate, count, flag, text, HOST:PORT, a choice */
    const char *initial;        /* "": none; NULL: it is required */
    const char *of;             /* the section's kind; NULL: any */
    const char *help;
    bool is_live;
    char texts[4][WORDS_MAX]; /* what the pointers above may point to */
    char range[WORDS_MAX];
};

static const char *number_text(char *text, enum fb_config_unit unit, uint64_t value)
{
    if (unit == FB_UNIT_BYTES || unit == FB_UNIT_RATE) {
        char bytes[32];
        fb_format_bytes(bytes, (double)value);
        snprintf(text, WORDS_MAX, "%s%s", bytes, unit == FB_UNIT_RATE ? "/s" : "");
    } else if (unit == FB_UNIT_NS) {
        fb_format_ns(text, (double)value);
    } else {
        snprintf(text, WORDS_MAX, "%" PRIu64, value);
    }
    return text;
}

static void range_text(struct row *row, enum fb_config_unit unit, uint64_t min, uint64_t max)
{
    char least[WORDS_MAX / 2], most[WORDS_MAX], whole[WORDS_MAX];
    snprintf(least, sizeof(least), "%.40s", number_text(whole, unit, min));
    snprintf(row->range, sizeof(row->range), "%.40s to %.40s", least, number_text(most, unit, max));
}

static void choices_join(char *text, const char *const *choices)
{
    text[0] = '\0';
    for (uint32_t i = 0; choices[i] != NULL; i++) {
        size_t length = strlen(text);
        int more =
            snprintf(text + length, WORDS_MAX - length, "%s%s", i > 0 ? "|" : "", choices[i]);
        FB_ASSERT(more > 0 && (size_t)more < WORDS_MAX - length);
    }
}

static void own_row(const struct fb_setting *setting, struct row *row)
{
    static const char *const units[] = {"text", "HOST:PORT", "count", "size", "time", ""};
    static const enum fb_config_unit numbers[] = {[FB_SETTING_COUNT] = FB_UNIT_COUNT,
                                                  [FB_SETTING_BYTES] = FB_UNIT_BYTES,
                                                  [FB_SETTING_NS] = FB_UNIT_NS};
    bool is_list = strcmp(setting->section, "members") == 0;
    snprintf(row->texts[0], WORDS_MAX, "%s%s%s", setting->section,
             setting->section[0] == '\0' ? ""
             : is_list                   ? "[]."
                                         : ".",
             setting->key);
    choices_join(row->texts[1], setting->choices);
    row->section = setting->section;
    row->name = row->texts[0];
    row->unit = setting->kind == FB_SETTING_CHOICE ? row->texts[1] : units[setting->kind];
    row->initial = setting->initial != NULL && setting->initial[0] == '*' ? "" : setting->initial;
    row->of = setting->of;
    row->help = setting->help;
    row->is_live = setting->is_live;
    if (setting->kind >= FB_SETTING_COUNT && setting->kind <= FB_SETTING_NS)
        range_text(row, numbers[setting->kind], setting->min, setting->max);
}

/* Choices of the core's table have names of their own. */
static bool core_choices(enum fb_config_unit unit, const char *names[16])
{
    uint32_t count = unit == FB_UNIT_POLICY      ? FB_POLICY_COUNT
                     : unit == FB_UNIT_PLACEMENT ? FB_PLACEMENT_COUNT
                     : unit == FB_UNIT_CONSENT   ? 2
                                                 : 0;
    for (uint32_t i = 0; i < count; i++)
        names[i] = unit == FB_UNIT_POLICY      ? fb_policy_name((enum fb_policy)i)
                   : unit == FB_UNIT_PLACEMENT ? fb_placement_name((enum fb_placement)i)
                   : i == 0                    ? "refuse"
                                               : "allow";
    names[count] = NULL;
    return count > 0;
}

static void core_row(const struct fb_config_entry *entry, struct row *row)
{
    static const char *const units[] = {"count", "size", "time", "rate", "flag", "", "", ""};
    const char *names[16];
    char key[FB_NAME_MAX];
    fb_core_key(entry->name, key);
    snprintf(row->texts[0], WORDS_MAX, "core.%s", key);
    row->section = "core";
    row->name = row->texts[0];
    row->help = entry->help;
    row->unit = units[entry->unit];
    row->initial = row->texts[2];
    if (core_choices(entry->unit, names)) {
        choices_join(row->texts[1], names);
        row->unit = row->texts[1];
        row->initial = names[entry->initial];
    } else if (entry->unit == FB_UNIT_FLAG) {
        row->initial = entry->initial != 0 ? "true" : "false";
    } else {
        number_text(row->texts[2], entry->unit, entry->initial);
        range_text(row, entry->unit, entry->min, entry->max);
    }
}

static uint32_t rows_make(struct row rows[ROWS_MAX])
{
    uint32_t own_count, core_count, count = 0;
    const struct fb_setting *own = fb_settings_table(&own_count);
    const struct fb_config_entry *core = fb_config_table(&core_count);
    memset(rows, 0, ROWS_MAX * sizeof(rows[0]));
    FB_ASSERT(own_count + core_count <= ROWS_MAX);
    for (uint32_t i = 0; i < own_count; i++)
        own_row(&own[i], &rows[count++]);
    for (uint32_t i = 0; i < core_count; i++) {
        /* the daemon sets it itself */
        if (strcmp(core[i].name, "records") != 0)
            core_row(&core[i], &rows[count++]);
    }
    return count;
}

static const char *initial_text(const struct row *row)
{
    return row->initial == NULL ? "required" : row->initial[0] == '\0' ? "-" : row->initial;
}

static void text_print(const struct row *row)
{
    printf("%-28s %s, default %s%s%s%s%s%s\n    %s\n", row->name, row->unit, initial_text(row),
           row->range[0] != '\0' ? ", " : "", row->range, row->of != NULL ? ", of kind " : "",
           row->of != NULL ? row->of : "", row->is_live ? ", live" : "", row->help);
}

static void man_print(const struct row *row)
{
    printf(".TP\n.B %s\n%s. %s; default %s%s%s%s%s; %s.\n", row->name, row->help, row->unit,
           initial_text(row), row->range[0] != '\0' ? "; " : "", row->range,
           row->of != NULL ? "; of kind " : "", row->of != NULL ? row->of : "",
           row->is_live ? "taken over by SIGHUP" : "read at the start");
}

static void cell_print(const char *text)
{
    for (; *text != '\0'; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
    printf(" | ");
}

static void markdown_print(const struct row *row)
{
    printf("| `%s` | ", row->name);
    cell_print(row->unit);
    cell_print(initial_text(row));
    cell_print(row->range[0] != '\0' ? row->range : "-");
    cell_print(row->of != NULL ? row->of : "any");
    cell_print(row->is_live ? "yes" : "no");
    printf("%s |\n", row->help);
}

/* What an editor may check: names, kinds, choices; that a size has its unit. */
static json_t *schema_of(const struct row *row)
{
    static const char size[] = "^[0-9.]+ ?(B|[KMGTP]i?B)$",
                      time[] = "^[0-9.]+ ?(ns|us|ms|s|min|h|d)$";
    json_t *schema = json_pack("{s:s}", "description", row->help);
    if (strcmp(row->name, "core.write_quorum") == 0) /* or "all" */
        json_object_set_new(schema, "type", json_pack("[s,s]", "integer", "string"));
    else if (strcmp(row->unit, "count") == 0)
        json_object_set_new(schema, "type", json_string("integer"));
    else if (strcmp(row->unit, "flag") == 0)
        json_object_set_new(schema, "type", json_string("boolean"));
    else if (strchr(row->unit, '|') != NULL) {
        json_t *choices = json_array();
        char words[WORDS_MAX], *rest = words;
        snprintf(words, sizeof(words), "%s", row->unit);
        for (char *word; (word = strsep(&rest, "|")) != NULL;)
            json_array_append_new(choices, json_string(word));
        json_object_set_new(schema, "enum", choices);
    } else {
        json_object_set_new(schema, "type", json_string("string"));
        if (strcmp(row->unit, "size") == 0)
            json_object_set_new(schema, "pattern", json_string(size));
        if (strcmp(row->unit, "time") == 0)
            json_object_set_new(schema, "pattern", json_string(time));
    }
    if (row->initial != NULL && row->initial[0] != '\0')
        json_object_set_new(schema, "default", json_string(row->initial));
    return schema;
}

static json_t *object_schema(void)
{
    return json_pack("{s:s, s:b, s:{}}", "type", "object", "additionalProperties", 0, "properties");
}

static void schema_print(const struct row *rows, uint32_t count)
{
    json_t *root = object_schema(), *properties = json_object_get(root, "properties");
    json_object_set_new(root, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    json_object_set_new(root, "title", json_string("forebayd.yaml"));
    for (uint32_t i = 0; i < count; i++) {
        const char *key = strrchr(rows[i].name, '.');
        bool is_list = strcmp(rows[i].section, "members") == 0;
        if (rows[i].section[0] == '\0') {
            json_object_set_new(properties, rows[i].name, schema_of(&rows[i]));
            continue;
        }
        json_t *section = json_object_get(properties, rows[i].section);
        if (section == NULL) {
            section = is_list ? json_pack("{s:s, s:o}", "type", "array", "items", object_schema())
                              : object_schema();
            json_object_set_new(properties, rows[i].section, section);
        }
        if (is_list)
            section = json_object_get(section, "items");
        json_object_set_new(json_object_get(section, "properties"), key + 1, schema_of(&rows[i]));
    }
    char *text = json_dumps(root, JSON_INDENT(1));
    puts(text != NULL ? text : "{}");
    free(text);
    json_decref(root);
}

static const char man_head[] =
    ".TH forebayd.yaml 5 \"\" forebay \"File Formats\"\n.SH NAME\nforebayd.yaml \\- what forebayd "
    "is "
    "told\n.SH DESCRIPTION\nYAML; every key is known, every quantity has its unit, nothing stands "
    "twice. `forebayd \\-\\-check` reads it and says what is wrong, by file and line.\n.SH KEYS\n";
static const char markdown_head[] =
    "# What forebayd is told\n\nWritten by `forebay help settings --markdown`. Live: SIGHUP takes "
    "it "
    "over; else a restart is needed. Of kind: of the section's `kind`. An experiment's `core` has "
    "the "
    "same keys as the daemon's.\n\n| key | unit | default | range | of kind | live | what it does "
    "|\n|---|---|---|---|---|---|---|\n";

static bool is_about(const struct row *row, const char *word)
{
    return word == NULL || strcasestr(row->name, word) != NULL ||
           strcasestr(row->help, word) != NULL;
}

int fb_help_settings(int argc, char **argv)
{
    static struct row rows[ROWS_MAX];
    uint32_t count = rows_make(rows), shown = 0;
    const char *form = argc > 0 ? argv[0] : "";
    bool is_man = strcmp(form, "--man") == 0, is_table = strcmp(form, "--markdown") == 0;
    bool is_schema = strcmp(form, "--json-schema") == 0;
    const char *word = argc > 0 && form[0] != '-' ? form : NULL;
    if (argc > 1 || (form[0] == '-' && !is_man && !is_table && !is_schema)) {
        fprintf(stderr, "forebay help settings: a word, --man, --markdown or --json-schema\n");
        return FB_EXIT_USAGE;
    }
    if (is_schema) {
        schema_print(rows, count);
        return FB_EXIT_FINE;
    }
    fputs(is_man ? man_head : is_table ? markdown_head : "", stdout);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_about(&rows[i], word))
            continue;
        (is_man ? man_print : is_table ? markdown_print : text_print)(&rows[i]);
        shown++;
    }
    if (shown > 0)
        return FB_EXIT_FINE;
    fprintf(stderr, "forebay help settings: no key says \"%s\": see forebay help settings\n", word);
    return FB_EXIT_FAILED;
}
