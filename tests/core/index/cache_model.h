/* Naive eviction policies to hold core/'s against: keys in plain arrays, oldest first, moved about
 * by memmove. Shares no code and no data structure with what it checks, but for W-TinyLFU's
 * estimates, which the test hands in. Keys are small numbers. */
#ifndef FB_TESTS_CORE_INDEX_CACHE_MODEL_H
#define FB_TESTS_CORE_INDEX_CACHE_MODEL_H

#include "core/index/cache.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { MODEL_KEYS_MAX = 1024, MODEL_NONE = MODEL_KEYS_MAX };

struct model_list {
    uint32_t keys[MODEL_KEYS_MAX]; /* oldest first */
    uint32_t count;
};

struct model {
    enum fb_policy policy;
    uint32_t slots_max;
    struct model_list
        lists[3]; /* one; S3-FIFO: small, main; W-TinyLFU: window, probation, protected */
    struct model_list ghosts;
    uint8_t uses[MODEL_KEYS_MAX]; /* CLOCK, SIEVE: 0 or 1; S3-FIFO: 0..3 */
    uint32_t hand;                /* SIEVE: a key, or MODEL_NONE */
    uint32_t skips;
    bool has_evicted;
    uint32_t (*estimate)(void *context, uint32_t key);
    void *context;
};

static inline uint32_t list_find(const struct model_list *list, uint32_t key)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->keys[i] == key)
            return i;
    return MODEL_NONE;
}

static inline bool list_take(struct model_list *list, uint32_t key)
{
    uint32_t at = list_find(list, key);
    if (at == MODEL_NONE)
        return false;
    memmove(&list->keys[at], &list->keys[at + 1], (list->count - at - 1) * sizeof(list->keys[0]));
    list->count--;
    return true;
}

static inline void list_append(struct model_list *list, uint32_t key)
{
    assert(list->count < MODEL_KEYS_MAX);
    list->keys[list->count++] = key;
}

static inline uint32_t model_list_of(const struct model *model, uint32_t key)
{
    for (uint32_t i = 0; i < 3; i++)
        if (list_find(&model->lists[i], key) != MODEL_NONE)
            return i;
    return MODEL_NONE;
}

static inline uint32_t model_count(const struct model *model)
{
    return model->lists[0].count + model->lists[1].count + model->lists[2].count;
}

static inline void model_move(struct model *model, uint32_t key, uint32_t list)
{
    list_take(&model->lists[model_list_of(model, key)], key);
    list_append(&model->lists[list], key);
}

static inline uint32_t at_least_one(uint32_t value)
{
    return value > 0 ? value : 1;
}

static inline void model_spill(struct model *model)
{
    while (model->lists[0].count > at_least_one(model_count(model) / 100))
        model_move(model, model->lists[0].keys[0], 1);
}

static inline void model_touch(struct model *model, uint32_t key)
{
    uint32_t list = model_list_of(model, key);
    switch (model->policy) {
    case FB_POLICY_FIFO:
    case FB_POLICY_COUNT:
        break;
    case FB_POLICY_LRU:
        model_move(model, key, 0);
        break;
    case FB_POLICY_CLOCK:
    case FB_POLICY_SIEVE:
        model->uses[key] = 1;
        break;
    case FB_POLICY_S3FIFO:
        model->uses[key] = model->uses[key] < 3 ? model->uses[key] + 1 : 3;
        break;
    case FB_POLICY_WTINYLFU:
        model_move(model, key, list == 1 ? 2 : list);
        if (list == 1 &&
            model->lists[2].count * 5 > (model->lists[1].count + model->lists[2].count) * 4)
            model_move(model, model->lists[2].keys[0], 1);
        break;
    }
}

static inline void model_insert(struct model *model, uint32_t key)
{
    uint32_t list = 0;
    model->skips = 0;
    model->uses[key] = 0;
    if (model->policy == FB_POLICY_S3FIFO) {
        bool is_full = model->lists[0].count >= at_least_one(model->slots_max / 10);
        bool is_known = list_take(&model->ghosts, key);
        list = is_known || (is_full && !model->has_evicted) ? 1 : 0;
    }
    list_append(&model->lists[list], key);
    while (model->ghosts.count > at_least_one(model_count(model) * 9 / 10))
        list_take(&model->ghosts, model->ghosts.keys[0]);
    if (model->policy == FB_POLICY_WTINYLFU)
        model_spill(model);
}

static inline uint32_t model_clock_victim(struct model *model)
{
    while (model->uses[model->lists[0].keys[0]] > 0) {
        uint32_t key = model->lists[0].keys[0];
        model->uses[key] = 0;
        model_move(model, key, 0);
    }
    return model->lists[0].keys[0];
}

static inline uint32_t model_newer(const struct model *model, uint32_t key)
{
    uint32_t at = list_find(&model->lists[0], key) + 1;
    return model->lists[0].keys[at < model->lists[0].count ? at : 0];
}

static inline uint32_t model_sieve_victim(struct model *model)
{
    if (model->hand == MODEL_NONE)
        model->hand = model->lists[0].keys[0];
    while (model->uses[model->hand] > 0) {
        model->uses[model->hand] = 0;
        model->hand = model_newer(model, model->hand);
    }
    return model->hand;
}

static inline uint32_t model_s3fifo_victim(struct model *model)
{
    const struct model_list *small = &model->lists[0], *main_list = &model->lists[1];
    for (;;) {
        uint32_t count = model_count(model);
        bool is_main = small->count == 0 || main_list->count > count - count / 10;
        bool is_turned = model->skips % 2 == 1 && small->count > 0 && main_list->count > 0;
        is_main = is_turned ? !is_main : is_main;
        uint32_t key = is_main ? main_list->keys[0] : small->keys[0];
        if (model->uses[key] < (is_main ? 1 : 2))
            return key;
        model->uses[key] = is_main ? model->uses[key] - 1 : 0;
        model_move(model, key, 1);
    }
}

/* The least used of the sixteen oldest; of several the oldest. */
static inline uint32_t model_least_used(struct model *model, const struct model_list *list)
{
    uint32_t least = list->keys[0];
    for (uint32_t i = 1; i < list->count && i < 16; i++) {
        uint32_t key = list->keys[i];
        if (model->estimate(model->context, key) < model->estimate(model->context, least))
            least = key;
    }
    return least;
}

static inline uint32_t model_wtinylfu_victim(struct model *model)
{
    const struct model_list *lists = model->lists;
    model_spill(model);
    for (uint32_t i = 0; model->skips > 0 && i < 3; i++) {
        uint32_t turn = (model->skips + i) % 3;
        if (lists[turn].count > 0)
            return model->skips == 1 && turn == 1 ? model_least_used(model, &lists[turn])
                                                  : lists[turn].keys[0];
    }
    uint32_t main_list = lists[1].count > 0 ? 1 : 2;
    if (lists[0].count == 0 || lists[main_list].count == 0)
        return lists[lists[0].count == 0 ? main_list : 0].keys[0];
    uint32_t candidate = lists[0].keys[0], victim = lists[main_list].keys[0];
    bool is_admitted =
        model->estimate(model->context, candidate) > model->estimate(model->context, victim);
    return is_admitted ? victim : candidate;
}

static inline uint32_t model_victim(struct model *model)
{
    if (model_count(model) == 0)
        return MODEL_NONE;
    switch (model->policy) {
    case FB_POLICY_FIFO:
    case FB_POLICY_LRU:
    case FB_POLICY_COUNT:
        return model->lists[0].keys[0];
    case FB_POLICY_CLOCK:
        return model_clock_victim(model);
    case FB_POLICY_SIEVE:
        return model_sieve_victim(model);
    case FB_POLICY_S3FIFO:
        return model_s3fifo_victim(model);
    case FB_POLICY_WTINYLFU:
        return model_wtinylfu_victim(model);
    }
    return MODEL_NONE;
}

static inline void model_skip(struct model *model, uint32_t key)
{
    model->skips++;
    if (model->policy == FB_POLICY_SIEVE)
        model->hand = model_newer(model, key);
    else
        model_move(model, key, model_list_of(model, key));
}

static inline void model_remove(struct model *model, uint32_t key, bool is_eviction)
{
    uint32_t list = model_list_of(model, key);
    model->skips = 0;
    if (model->policy == FB_POLICY_SIEVE && model->hand == key) {
        uint32_t newer = model_newer(model, key);
        bool is_newest = key == model->lists[0].keys[model->lists[0].count - 1];
        model->hand = is_newest ? MODEL_NONE : newer;
    }
    list_take(&model->lists[list], key);
    model->has_evicted = model->has_evicted || is_eviction;
    if (model->policy != FB_POLICY_S3FIFO || !is_eviction || list != 0)
        return;
    if (model->ghosts.count == at_least_one(model->slots_max * 9 / 10) + 1)
        list_take(&model->ghosts, model->ghosts.keys[0]);
    list_append(&model->ghosts, key);
}

#endif
