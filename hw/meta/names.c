/* See names.h: texts, what is known of records, and requests to the core about them. */
#include "hw/meta/names.h"

#include "core/index/cache.h"
#include "core/key.h"
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/log.h"
#include "hw/meta/kept.h"
#include "hw/base/page.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { SESSION_SHIFT = 48, SLOT_SHIFT = 32 };

struct name_text {
    uint32_t length;
    char text[FB_OBJECT_NAME_MAX + 1];
};

struct name_known {
    struct fb_meta record;
    uint32_t mode, owner, group; /* beside it; mode 0: nothing was */
    uint32_t unused;
};

/* An object whose commit is to be finished; handle 0: free. */
struct name_hold {
    uint64_t handle, version;
    struct fb_key key;
};

/* Twice what the core does something about: names that it has given up are among them. */
static uint32_t texts_max(const struct fb_settings *settings)
{
    return 2 * (uint32_t)settings->core.names_max + FB_NAME_TASKS_MAX;
}

uint64_t fb_names_bytes(const struct fb_settings *settings)
{
    uint64_t texts = texts_max(settings) * sizeof(struct name_text) +
                     FB_CACHE_SIZE_BYTES(texts_max(settings)) +
                     settings->core.names_max * sizeof(struct name_hold);
    if (settings->metadata.kind == FB_METADATA_NONE)
        return texts;
    return texts + FB_CACHE_SIZE_BYTES(settings->objects_max) +
           settings->objects_max * sizeof(struct name_known) +
           FB_NAME_LIST_MAX * sizeof(struct fb_meta_name);
}

void fb_names_open(struct fb_names *names, const struct fb_names_context *context,
                   struct fb_error *error)
{
    const struct fb_settings *settings = context->settings;
    uint32_t count = settings->objects_max, texts = texts_max(settings);
    *names = (struct fb_names){.context = *context,
                               .is_on = settings->metadata.kind != FB_METADATA_NONE};
    names->text_index = calloc(1, FB_CACHE_SIZE_BYTES(texts));
    names->texts = calloc(texts, sizeof(*names->texts));
    names->holds = calloc(settings->core.names_max, sizeof(*names->holds));
    names->bad_said = calloc(settings->core.names_max, sizeof(*names->bad_said));
    names->index = calloc(1, FB_CACHE_SIZE_BYTES(count));
    names->known = calloc(count, sizeof(*names->known));
    names->list.names = calloc(FB_NAME_LIST_MAX, sizeof(*names->list.names));
    if (names->text_index == NULL || names->texts == NULL || names->holds == NULL ||
        names->bad_said == NULL || names->index == NULL || names->known == NULL ||
        names->list.names == NULL) {
        fb_error_set(error, "out of memory for %u names", count);
        return;
    }
    fb_cache_init(names->index, count, FB_POLICY_LRU);
    fb_cache_init(names->text_index, texts, FB_POLICY_LRU);
}

void fb_names_close(struct fb_names *names)
{
    free(names->text_index);
    free(names->texts);
    free(names->holds);
    free(names->bad_said);
    free(names->index);
    free(names->known);
    free(names->list.names);
    *names = (struct fb_names){.index = NULL};
}

const char *fb_names_text(struct fb_names *names, struct fb_key key, uint32_t *length)
{
    uint32_t slot = fb_cache_find(names->text_index, key);
    *length = 0;
    if (slot == FB_NONE)
        return NULL;
    fb_cache_touch(names->text_index, slot);
    *length = names->texts[slot].length;
    return names->texts[slot].text;
}

void fb_names_text_put(struct fb_names *names, struct fb_key key, const char *text, uint32_t length)
{
    struct fb_cache *index = names->text_index;
    uint32_t slot = fb_cache_find(index, key);
    FB_ASSERT(length <= FB_OBJECT_NAME_MAX);
    if (slot != FB_NONE) {
        fb_cache_touch(index, slot);
        return;
    }
    if (fb_cache_count(index) == fb_cache_slots_max(index)) {
        uint32_t victim = fb_cache_victim(index);
        for (uint32_t i = 0;
             fb_node_has_name(names->context.feed->node, fb_cache_key(index, victim)); i++) {
            FB_ASSERT(i < fb_cache_slots_max(index)); /* there are more than the core can use */
            fb_cache_touch(index, victim);
            victim = fb_cache_victim(index);
        }
        fb_cache_evict(index, victim);
    }
    struct name_text *room = &names->texts[fb_cache_insert(index, key)];
    room->length = length;
    memcpy(room->text, text, length);
    room->text[length] = '\0';
}

void fb_names_known_put(struct fb_names *names, struct fb_key key, const struct fb_meta *record,
                        const struct fb_meta_attributes *attributes)
{
    struct fb_kept kept = {.mode = 0};
    uint32_t slot = fb_cache_find(names->index, key);
    if (slot == FB_NONE && fb_cache_count(names->index) == fb_cache_slots_max(names->index))
        fb_cache_evict(names->index, fb_cache_victim(names->index));
    if (slot == FB_NONE) {
        slot = fb_cache_insert(names->index, key);
        names->known[slot] = (struct name_known){.record = *record};
    }
    fb_cache_touch(names->index, slot);
    struct name_known *known = &names->known[slot];
    if (known->record.version > record->version)
        return;
    known->record = *record;
    if (attributes == NULL || !fb_kept_read(attributes, &kept))
        return;
    known->mode = kept.mode;
    known->owner = kept.owner;
    known->group = kept.group;
}

static const struct name_known *known_look(struct fb_names *names, struct fb_key key)
{
    uint32_t slot = fb_cache_find(names->index, key);
    if (slot == FB_NONE)
        return NULL;
    fb_cache_touch(names->index, slot);
    return &names->known[slot];
}

static struct fb_meta known_find(struct fb_names *names, struct fb_key key)
{
    const struct name_known *known = known_look(names, key);
    return known != NULL ? known->record : (struct fb_meta){.version = 0};
}

/* The store is silent: what is beside a record is what is known of it, but for times and links. */
static void known_give(struct fb_names *names, const struct fb_name_task *task)
{
    const struct name_known *known = known_look(names, fb_name_key(task->name, task->name_length));
    struct fb_kept kept = {.mode = 0};
    if (known == NULL || known->mode == 0 || known->record.version != task->record.version)
        return;
    kept.mode = known->mode;
    kept.owner = known->owner;
    kept.group = known->group;
    kept.made = S_ISREG(known->mode) ? 0 : fb_name_read(&known->record).version;
    fb_kept_write(&kept, task->found);
}

/* The name that goes with a commit, where it is this node's to finish that; 0, 0: it is not. */
static struct fb_key moved_key(const struct fb_name_task *task)
{
    const struct fb_meta_gone *gone = task->gone;
    const struct fb_key none = {.high = 0, .low = 0};
    if (gone == NULL)
        return none;
    struct fb_meta record = gone->name.record;
    record.version = 1; /* as it will be read: there may be none yet */
    bool is_ours = fb_name_read(&record).node == task->names->context.settings->node;
    return is_ours ? gone->name.key : none;
}

void fb_name_start(struct fb_name_task *task)
{
    struct fb_names *names = task->names;
    struct fb_key key = fb_name_key(task->name, task->name_length);
    uint32_t slot = 0;
    while (slot < FB_NAME_TASKS_MAX && names->tasks[slot] != NULL)
        slot++;
    if (slot == FB_NAME_TASKS_MAX) {
        task->done(task, FB_BUSY);
        return;
    }
    names->tasks[slot] = task;
    task->origin = FB_BUSY;
    task->found_version = 0;
    if (task->found != NULL)
        task->found->length = 0;
    task->request_id = (uint64_t)FB_NAME_SESSION << SESSION_SHIFT | (uint64_t)slot << SLOT_SHIFT |
                       names->generation++;
    fb_names_text_put(names, key, task->name, task->name_length);
    if (task->gone != NULL)
        fb_names_text_put(names, task->gone->name.key, task->gone->name.text,
                          task->gone->name.length);
    if (task->kind <= FB_REQUEST_NAME_BEGIN)
        task->record = known_find(names, key);
    const struct fb_event event = {.kind = FB_EVENT_REQUEST,
                                   .request = {.kind = task->kind,
                                               .request_id = task->request_id,
                                               .block = {.key = key, .object = FB_OBJECT_NONE},
                                               .record = task->record,
                                               .wall_ns = fb_wall_ns(),
                                               .replaced = task->replaced,
                                               .version = task->version,
                                               .moved = moved_key(task)}};
    fb_feed_event(names->context.feed, &event);
}

void fb_names_reply(struct fb_names *names, const struct fb_reply *reply)
{
    uint32_t slot = (uint32_t)(reply->request_id >> SLOT_SHIFT) & 0xffff;
    FB_ASSERT(slot < FB_NAME_TASKS_MAX);
    struct fb_name_task *task = names->tasks[slot];
    FB_ASSERT(task != NULL && task->request_id == reply->request_id);
    names->tasks[slot] = NULL;
    task->record = reply->record;
    task->version = reply->version;
    task->replaced = reply->replaced;
    task->size = reply->size;
    task->is_old = reply->is_old;
    if (task->is_old && task->found != NULL)
        known_give(names, task);
    task->done(task, (enum fb_status)reply->status);
}

void fb_names_abandon(struct fb_names *names, const struct fb_object *object)
{
    struct fb_key key = fb_name_key(object->name, object->name_length);
    FB_ASSERT(object->is_written && object->commits == 0);
    fb_names_text_put(names, key, object->name, object->name_length);
    const struct fb_event event = {.kind = FB_EVENT_REQUEST,
                                   .request = {.kind = FB_REQUEST_NAME_ABANDON,
                                               .block = {.key = key, .object = object->handle},
                                               .record = object->unsure,
                                               .wall_ns = fb_wall_ns(),
                                               .version = object->version,
                                               .size = object->written_bytes}};
    fb_feed_event(names->context.feed, &event);
}

void fb_names_collect(struct fb_names *names, const struct fb_object *object)
{
    const struct fb_object *known = fb_objects_find(names->context.objects, object->handle);
    struct fb_object orphan = *object;
    if (known != NULL && known->is_written && (known->client_opens > 0 || known->commits > 0))
        return;
    char quoted[FB_LOG_QUOTE_MAX];
    fb_log(FB_LOG_INFO, "orphan_found", "object=%s version=%llu",
           fb_log_quote(object->name, quoted), (unsigned long long)object->version);
    orphan.is_written = true;
    orphan.unsure = (struct fb_meta){.version = UINT64_MAX, .value = {.high = object->version}};
    fb_names_abandon(names, &orphan);
}

static void hold_end(struct fb_names *names, struct name_hold *hold)
{
    struct fb_object *object = fb_objects_find(names->context.objects, hold->handle);
    FB_ASSERT(object != NULL && object->opens > 0); /* it was held */
    object->opens--;
    object->is_cached = false;
    hold->handle = 0;
}

void fb_names_hold(struct fb_names *names, const struct fb_object *object)
{
    uint32_t max = (uint32_t)names->context.settings->core.names_max;
    struct fb_object *known = fb_objects_add(names->context.objects, object);
    struct name_hold *hold = &names->holds[names->hold_next];
    for (uint32_t i = 0; i < max && hold->handle != 0; i++)
        hold = &names->holds[(names->hold_next + i) % max];
    if (known == NULL || hold->handle != 0)
        return; /* it stays known as long as others are not used more */
    names->hold_next = (uint32_t)(hold - names->holds + 1) % max;
    known->opens++;
    *hold = (struct name_hold){.handle = object->handle,
                               .version = object->version,
                               .key = fb_name_key(object->name, object->name_length)};
}

/* Is its commit still to be finished, as far as this node knows? A job may have given its slot to
 * others; the record says so then. */
static bool hold_is_needed(struct fb_names *names, const struct name_hold *hold)
{
    struct fb_meta record = known_find(names, hold->key);
    struct fb_name_facts facts = fb_name_read(&record);
    bool is_open = facts.state == FB_NAME_CACHED && facts.version == hold->version;
    return fb_node_finishes_name(names->context.feed->node, hold->key, hold->version) || is_open;
}

/* Names that cannot be finished are said once, when that is known. */
static void bad_log(struct fb_names *names)
{
    const struct fb_stats *stats = fb_node_stats(names->context.feed->node);
    struct fb_bad_name bad;
    char quoted[FB_LOG_QUOTE_MAX];
    uint32_t length;
    if (stats->names_given_up == names->bad_seen)
        return;
    names->bad_seen = stats->names_given_up;
    for (uint32_t i = 0; i < names->context.settings->core.names_max; i++) {
        bool is_bad = fb_node_bad_name(names->context.feed->node, i, &bad);
        uint64_t mark = is_bad ? fb_mix(bad.key.low ^ bad.version) | 1 : 0;
        bool is_said = mark == names->bad_said[i];
        names->bad_said[i] = mark;
        if (!is_bad || is_said)
            continue;
        const char *text = fb_names_text(names, bad.key, &length);
        fb_log(FB_LOG_ERROR, "name_given_up", "status=%s key=%016llx%016llx name=%s",
               fb_status_name((enum fb_status)bad.status), (unsigned long long)bad.key.high,
               (unsigned long long)bad.key.low, fb_log_quote(text != NULL ? text : "", quoted));
    }
}

void fb_names_sweep(struct fb_names *names)
{
    for (uint32_t i = 0; i < names->context.settings->core.names_max; i++) {
        struct name_hold *hold = &names->holds[i];
        if (hold->handle != 0 && !hold_is_needed(names, hold))
            hold_end(names, hold);
    }
    bad_log(names);
}

static void lost_print(const struct fb_names *names, const struct fb_bad_name *bad,
                       struct fb_page *page)
{
    char quoted[FB_LOG_QUOTE_MAX];
    uint32_t slot = fb_cache_find(names->text_index, bad->key);
    const char *text = slot != FB_NONE ? names->texts[slot].text : "";
    fb_page_put(page, "lost %s %s\n", fb_status_name((enum fb_status)bad->status),
                fb_log_quote(text, quoted));
}

void fb_names_lost_print(const struct fb_names *names, struct fb_page *page)
{
    struct fb_bad_name bad;
    for (uint32_t i = 0; i < names->context.settings->core.names_max; i++) {
        if (fb_node_bad_name(names->context.feed->node, i, &bad))
            lost_print(names, &bad, page);
        if (fb_node_refused_name(names->context.feed->node, i, &bad))
            lost_print(names, &bad, page);
    }
}
