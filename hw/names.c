/* See names.h: records, what is known of them, and requests to the core about them. */
#include "hw/names.h"

#include "core/key.h"
#include "core/panic.h"
#include "hw/loop_internal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* value.low: state, level, block size in KiB, node. */
enum { STATE_SHIFT = 60, LEVEL_SHIFT = 56, BLOCK_SHIFT = 32, SESSION_SHIFT = 48, SLOT_SHIFT = 32 };

static const uint64_t block_mask = 0xffffff;

struct fb_meta fb_name_record(const struct fb_name_facts *facts, uint64_t expected_version)
{
    FB_ASSERT(facts->block_size_bytes / 1024 <= block_mask);
    return (struct fb_meta){.version = expected_version,
                            .value = {.high = facts->version,
                                      .low = (uint64_t)facts->state << STATE_SHIFT |
                                             (uint64_t)facts->level << LEVEL_SHIFT |
                                             facts->block_size_bytes / 1024 << BLOCK_SHIFT |
                                             facts->node},
                            .size = facts->size};
}

struct fb_name_facts fb_name_read(const struct fb_meta *record)
{
    uint64_t low = record->value.low;
    if (record->version == 0)
        return (struct fb_name_facts){.state = FB_NAME_ORIGIN, .node = FB_NONE};
    return (struct fb_name_facts){.state = (enum fb_name_state)(low >> STATE_SHIFT),
                                  .level = (uint32_t)(low >> LEVEL_SHIFT) & 15,
                                  .node = (uint32_t)low,
                                  .block_size_bytes = (low >> BLOCK_SHIFT & block_mask) * 1024,
                                  .version = record->value.high,
                                  .size = record->size};
}

struct fb_key fb_name_key(const char *name, uint32_t length)
{
    XXH128_hash_t hash = XXH3_128bits(name, length);
    return (struct fb_key){.high = hash.high64, .low = hash.low64};
}

void fb_names_open(struct fb_names *names, struct fb_loop *loop, struct fb_error *error)
{
    uint32_t count = loop->settings->objects_max;
    *names = (struct fb_names){.is_on = loop->settings->metadata.kind != FB_METADATA_NONE};
    if (!names->is_on)
        return;
    names->index = calloc(1, FB_CACHE_SIZE_BYTES(count));
    names->known = calloc(count, sizeof(*names->known));
    names->list.names = calloc(FB_NAME_LIST_MAX, sizeof(*names->list.names));
    if (names->index == NULL || names->known == NULL || names->list.names == NULL ||
        !names_jobs_open(names)) {
        fb_error_set(error, "out of memory for %u names", count);
        return;
    }
    fb_cache_init(names->index, count, FB_POLICY_LRU);
}

void fb_names_close(struct fb_names *names)
{
    names_jobs_close(names);
    free(names->index);
    free(names->known);
    free(names->list.names);
    *names = (struct fb_names){.index = NULL};
}

/* Remembers a record, unless a later one is known. */
static void known_put(struct fb_names *names, struct fb_key key, const struct fb_meta *record)
{
    uint32_t slot = fb_cache_find(names->index, key);
    if (slot == FB_NONE && fb_cache_count(names->index) == fb_cache_slots_max(names->index))
        fb_cache_evict(names->index, fb_cache_victim(names->index));
    if (slot == FB_NONE) {
        slot = fb_cache_insert(names->index, key);
        names->known[slot] = *record;
    }
    fb_cache_touch(names->index, slot);
    if (names->known[slot].version < record->version)
        names->known[slot] = *record;
}

static bool known_find(struct fb_names *names, struct fb_key key, struct fb_meta *record)
{
    uint32_t slot = fb_cache_find(names->index, key);
    if (slot == FB_NONE)
        return false;
    fb_cache_touch(names->index, slot);
    *record = names->known[slot];
    return true;
}

static void task_start(struct fb_name_task *task, bool is_commit)
{
    struct fb_names *names = &task->loop->names;
    uint32_t slot = 0;
    FB_ASSERT(names->is_on);
    task->is_commit = is_commit;
    task->is_old = false;
    while (slot < FB_NAME_TASKS_MAX && names->tasks[slot] != NULL)
        slot++;
    if (slot == FB_NAME_TASKS_MAX) {
        task->done(task, FB_BUSY);
        return;
    }
    names->tasks[slot] = task;
    task->request_id = (uint64_t)FB_NAME_SESSION << SESSION_SHIFT | (uint64_t)slot << SLOT_SHIFT |
                       names->generation++;
    const struct fb_event event = {
        .kind = FB_EVENT_REQUEST,
        .request = {
            .kind = is_commit ? FB_REQUEST_COMMIT : FB_REQUEST_LOOKUP,
            .request_id = task->request_id,
            .block = {.key = fb_name_key(task->name, task->name_length), .object = FB_OBJECT_NONE},
            .record = task->record}};
    loop_event(task->loop, &event);
}

void fb_name_look_up(struct fb_name_task *task)
{
    task->record = (struct fb_meta){.version = 0};
    task_start(task, false);
}

void fb_name_commit(struct fb_name_task *task)
{
    task_start(task, true);
}

void fb_names_meta_done(struct fb_loop *loop, const struct fb_meta_task *meta)
{
    for (uint32_t i = 0; i < FB_NAME_TASKS_MAX; i++) {
        const struct fb_name_task *task = loop->names.tasks[i];
        if (task == NULL || task->found == NULL)
            continue;
        struct fb_key own = fb_name_key(task->name, task->name_length);
        if (fb_key_equal(own, meta->key))
            *task->found = meta->attributes;
    }
}

const struct fb_name_task *fb_names_task_of(const struct fb_loop *loop, struct fb_key key)
{
    for (uint32_t i = 0; i < FB_NAME_TASKS_MAX; i++) {
        const struct fb_name_task *task = loop->names.tasks[i];
        if (task == NULL || !task->is_commit)
            continue;
        struct fb_key own = fb_name_key(task->name, task->name_length);
        if (own.high == key.high && own.low == key.low)
            return task;
    }
    return NULL;
}

void fb_names_reply(struct fb_loop *loop, const struct fb_reply *reply)
{
    struct fb_names *names = &loop->names;
    uint32_t slot = (uint32_t)(reply->request_id >> SLOT_SHIFT) & 0xffff;
    FB_ASSERT(slot < FB_NAME_TASKS_MAX);
    struct fb_name_task *task = names->tasks[slot];
    FB_ASSERT(task != NULL && task->request_id == reply->request_id);
    struct fb_key key = fb_name_key(task->name, task->name_length);
    enum fb_status status = (enum fb_status)reply->status;
    bool is_answer = status == FB_OK || status == FB_ABSENT || status == FB_CONFLICT;
    names->tasks[slot] = NULL;
    if (is_answer) {
        task->record = reply->record;
        known_put(names, key, &task->record);
    } else if (!task->is_commit && status != FB_BUSY && status != FB_INVALID) {
        task->is_old = known_find(names, key, &task->record);
        status = task->is_old ? FB_OK : status;
    }
    task->done(task, status);
}
