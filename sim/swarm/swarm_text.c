/* A plan as text and back. One line each:
 *
 *     nodes 5                                       the plan's own figures
 *     set lend_max 2                                settings that are not the default
 *     fault loss nodes 31 peers 31 permille 200 from_ns 0 until_ns 1000000 extra_ns 0
 *     request get at_ns 1340712 hold_ns 0 node 1 object 0 index 0 size 1023 count 0
 *
 * Node sets are bit masks. Lines may be left out or moved: that is how a failure is made small by
 * hand. # begins a comment. */
#include "sim/swarm/swarm_internal.h"

#include "base/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct text_field {
    const char *name;
    uint32_t offset;
    uint32_t size; /* 4 or 8 bytes */
};

#define TEXT_FIELD(structure, field) \
    { \
#field, offsetof(struct structure, field), sizeof(((struct structure *)NULL)->field) \
    }

static const struct text_field plan_fields[] = {
    TEXT_FIELD(fb_swarm_plan, seed),
    TEXT_FIELD(fb_swarm_plan, nodes),
    TEXT_FIELD(fb_swarm_plan, domains),
    TEXT_FIELD(fb_swarm_plan, is_weighted),
    TEXT_FIELD(fb_swarm_plan, is_beyond),
    TEXT_FIELD(fb_swarm_plan, softened),
    TEXT_FIELD(fb_swarm_plan, is_one_sided),
    TEXT_FIELD(fb_swarm_plan, tries),
    TEXT_FIELD(fb_swarm_plan, after),
    TEXT_FIELD(fb_swarm_plan, check_every),
    TEXT_FIELD(fb_swarm_plan, message_ns),
    TEXT_FIELD(fb_swarm_plan, pull_ns),
    TEXT_FIELD(fb_swarm_plan, device_ns),
    TEXT_FIELD(fb_swarm_plan, origin_ns),
    TEXT_FIELD(fb_swarm_plan, step_ns),
    TEXT_FIELD(fb_swarm_plan, detect_ns),
    TEXT_FIELD(fb_swarm_plan, lease_ns), /* a script without it has no store of members */
    TEXT_FIELD(fb_swarm_plan, heal_ns),
    TEXT_FIELD(fb_swarm_plan, repair_ns),
    TEXT_FIELD(fb_swarm_plan, tenant_quota_bytes),
    TEXT_FIELD(fb_swarm_plan, tenant_ttl_ns),
    {NULL, 0, 0},
};

static const struct text_field fault_fields[] = {
    TEXT_FIELD(fb_swarm_fault, nodes),
    TEXT_FIELD(fb_swarm_fault, peers),
    TEXT_FIELD(fb_swarm_fault, permille),
    TEXT_FIELD(fb_swarm_fault, from_ns),
    TEXT_FIELD(fb_swarm_fault, until_ns),
    TEXT_FIELD(fb_swarm_fault, extra_ns),
    {NULL, 0, 0},
};

static const struct text_field request_fields[] = {
    TEXT_FIELD(fb_swarm_request, at_ns), TEXT_FIELD(fb_swarm_request, hold_ns),
    TEXT_FIELD(fb_swarm_request, node),  TEXT_FIELD(fb_swarm_request, object),
    TEXT_FIELD(fb_swarm_request, index), TEXT_FIELD(fb_swarm_request, size),
    TEXT_FIELD(fb_swarm_request, count), {NULL, 0, 0},
};

static uint64_t field_get(const void *base, const struct text_field *field)
{
    const unsigned char *at = (const unsigned char *)base + field->offset;
    uint32_t narrow;
    uint64_t wide;
    if (field->size == sizeof(wide)) {
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, at, sizeof(narrow));
    return narrow;
}

static void field_set(void *base, const struct text_field *field, uint64_t value)
{
    unsigned char *at = (unsigned char *)base + field->offset;
    uint32_t narrow = (uint32_t)value;
    if (field->size == sizeof(value))
        memcpy(at, &value, sizeof(value));
    else
        memcpy(at, &narrow, sizeof(narrow));
}

static uint64_t *config_field(struct fb_config *config, const struct fb_config_entry *entry)
{
    return (uint64_t *)(void *)((unsigned char *)config + entry->offset);
}

static void fields_write(FILE *stream, const struct text_field *fields, const void *base)
{
    for (uint32_t i = 0; fields[i].name != NULL; i++)
        fprintf(stream, " %s %" PRIu64, fields[i].name, field_get(base, &fields[i]));
    fprintf(stream, "\n");
}

void fb_swarm_plan_write(const struct fb_swarm_plan *plan, FILE *stream)
{
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    struct fb_config config = plan->config;
    for (uint32_t i = 0; plan_fields[i].name != NULL; i++)
        fprintf(stream, "%s %" PRIu64 "\n", plan_fields[i].name, field_get(plan, &plan_fields[i]));
    for (uint32_t i = 0; i < count; i++) {
        if (*config_field(&config, &table[i]) != table[i].initial)
            fprintf(stream, "set %s %" PRIu64 "\n", table[i].name,
                    *config_field(&config, &table[i]));
    }
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        fprintf(stream, "fault %s", fb_swarm_fault_name(plan->faults[i].kind));
        fields_write(stream, fault_fields, &plan->faults[i]);
    }
    for (uint32_t i = 0; i < plan->request_count; i++) {
        fprintf(stream, "request %s", fb_swarm_verb_name(plan->requests[i].verb));
        fields_write(stream, request_fields, &plan->requests[i]);
    }
}

struct reader {
    struct fb_swarm_plan *plan;
    const char *name;
    uint32_t line;
    char *rest; /* of the line */
    char *error;
};

static bool reader_fail(struct reader *reader, const char *form, ...)
    __attribute__((format(printf, 2, 3)));

static bool reader_fail(struct reader *reader, const char *form, ...)
{
    va_list arguments;
    int length = snprintf(reader->error, FB_SWARM_TEXT_MAX, "%s:%u: ", reader->name, reader->line);
    va_start(arguments, form);
    vsnprintf(reader->error + length, FB_SWARM_TEXT_MAX - (size_t)length, form, arguments);
    va_end(arguments);
    return false;
}

/* The next word of the line; NULL at its end. */
static const char *reader_word(struct reader *reader)
{
    char *at = reader->rest;
    while (isspace((unsigned char)*at))
        at++;
    if (*at == 0 || *at == '#')
        return NULL;
    char *end = at;
    while (*end != 0 && !isspace((unsigned char)*end))
        end++;
    reader->rest = *end != 0 ? end + 1 : end;
    *end = 0;
    return at;
}

static bool reader_number(struct reader *reader, const char *of, uint64_t *value)
{
    const char *word = reader_word(reader);
    char *end = NULL;
    if (word == NULL)
        return reader_fail(reader, "%s: a number is missing", of);
    *value = strtoull(word, &end, 0);
    if (!isdigit((unsigned char)*word) || *end != 0)
        return reader_fail(reader, "%s %s: not a number", of, word);
    return true;
}

/* Pairs of a name and a number up to the line's end. */
static bool reader_fields(struct reader *reader, const struct text_field *fields, void *base)
{
    for (const char *word = reader_word(reader); word != NULL; word = reader_word(reader)) {
        uint64_t value;
        const struct text_field *field = fields;
        while (field->name != NULL && strcmp(field->name, word) != 0)
            field++;
        if (field->name == NULL)
            return reader_fail(reader, "%s: no such figure; see sim/swarm/swarm_text.c", word);
        if (!reader_number(reader, word, &value))
            return false;
        field_set(base, field, value);
    }
    return true;
}

static bool read_setting(struct reader *reader)
{
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    const char *word = reader_word(reader);
    for (uint32_t i = 0; word != NULL && i < count; i++) {
        if (strcmp(word, table[i].name) == 0)
            return reader_number(reader, word, config_field(&reader->plan->config, &table[i]));
    }
    return reader_fail(reader, "set %s: no such setting; see core/config.h", word ? word : "");
}

static bool read_fault(struct reader *reader)
{
    const char *word = reader_word(reader);
    struct fb_swarm_plan *plan = reader->plan;
    for (uint32_t kind = 0; word != NULL && kind < FB_SWARM_FAULT_COUNT; kind++) {
        if (strcmp(word, fb_swarm_fault_name(kind)) != 0)
            continue;
        if (plan->fault_count == FB_SWARM_FAULTS_MAX)
            return reader_fail(reader, "more than %u faults", FB_SWARM_FAULTS_MAX);
        struct fb_swarm_fault *fault = &plan->faults[plan->fault_count++];
        fault->kind = kind;
        return reader_fields(reader, fault_fields, fault);
    }
    return reader_fail(reader, "fault %s: no such kind; see sim/swarm/swarm.h", word ? word : "");
}

static bool read_request(struct reader *reader)
{
    const char *word = reader_word(reader);
    struct fb_swarm_plan *plan = reader->plan;
    for (uint32_t verb = 0; word != NULL && verb < FB_SWARM_VERB_COUNT; verb++) {
        if (strcmp(word, fb_swarm_verb_name(verb)) != 0)
            continue;
        plan->requests = fb_grow(plan->requests, (uint64_t)plan->request_count + 1,
                                 sizeof(*plan->requests), "requests", NULL);
        struct fb_swarm_request *request = &plan->requests[plan->request_count++];
        *request = (struct fb_swarm_request){.verb = verb};
        if (!reader_fields(reader, request_fields, request))
            return false;
        bool is_sane = request->node < FB_SWARM_NODES_MAX && request->count <= SWARM_KEYS_MAX &&
                       request->index < SWARM_KEYS_MAX;
        return is_sane || reader_fail(reader, "request %s: node, index or count is over %u", word,
                                      SWARM_KEYS_MAX);
    }
    return reader_fail(reader, "request %s: no such operation; see sim/swarm/swarm.h",
                       word ? word : "");
}

static bool read_line(struct reader *reader)
{
    const char *word = reader_word(reader);
    uint64_t value;
    if (word == NULL)
        return true;
    if (strcmp(word, "set") == 0)
        return read_setting(reader);
    if (strcmp(word, "fault") == 0)
        return read_fault(reader);
    if (strcmp(word, "request") == 0)
        return read_request(reader);
    for (const struct text_field *field = plan_fields; field->name != NULL; field++) {
        if (strcmp(field->name, word) != 0)
            continue;
        if (!reader_number(reader, word, &value))
            return false;
        field_set(reader->plan, field, value);
        return true;
    }
    return reader_fail(reader, "%s: no such figure; see sim/swarm/swarm_text.c", word);
}

/* Limits that the run relies on. */
static bool plan_is_sane(struct reader *reader)
{
    struct fb_swarm_plan *plan = reader->plan;
    const char *fault = fb_config_fault(&plan->config);
    reader->line = 0;
    if (fault != NULL)
        return reader_fail(reader, "set %s: out of its range, or at odds with another", fault);
    if (plan->nodes == 0 || plan->nodes > FB_SWARM_NODES_MAX || plan->domains == 0)
        return reader_fail(reader, "nodes and domains are from 1 to %u", FB_SWARM_NODES_MAX);
    for (uint32_t i = 0; i < plan->request_count; i++) {
        if (plan->requests[i].node >= plan->nodes)
            return reader_fail(reader, "a request goes to node %u of %u", plan->requests[i].node,
                               plan->nodes);
    }
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        if (plan->faults[i].until_ns > plan->heal_ns)
            return reader_fail(reader, "fault %u lasts longer than heal_ns", i);
    }
    return true;
}

struct fb_swarm_plan *fb_swarm_plan_read(FILE *stream, const char *name,
                                         char error[FB_SWARM_TEXT_MAX])
{
    struct fb_swarm_plan *plan = fb_allocate(1, sizeof(*plan), "a plan", NULL);
    plan->domains = 1;
    plan->check_every = 1;
    plan->detect_ns = FB_NEVER_NS;
    fb_config_init(&plan->config);
    struct reader reader = {.plan = plan, .name = name, .error = error};
    char *line = NULL;
    size_t size = 0;
    bool is_fine = true;
    while (is_fine && getline(&line, &size, stream) >= 0) {
        reader.line++;
        reader.rest = line;
        is_fine = read_line(&reader);
    }
    free(line);
    if (is_fine && plan_is_sane(&reader))
        return plan;
    fb_swarm_plan_free(plan);
    return NULL;
}
