/* Records in etcd, over its HTTP API (/v3/kv): the store of a cluster.
 *
 *     /forebay/CLUSTER/names/KEY     "HIGH LOW SIZE NAME": numbers hexadecimal, 16 digits each
 *     /forebay/CLUSTER/pending/KEY   the same, while the record is unfinished; same transaction
 *
 *  1. The record's version is the key's own in etcd, which counts its changes from 1 on; a PUT is a
 *     transaction that compares it, and reads the other's record when it differs.
 *  2. Reads are linearizable, etcd's default: they see every PUT that was answered.
 *  3. An answer of 503 may stand for a PUT that took effect (a leader that went meanwhile): IO, not
 *     THROTTLED. 429 is a PUT that was not taken.
 * Source: etcd 3.4, "gRPC gateway" and api/etcdserverpb/rpc.proto. */
#include "hw/meta.h"

#include "core/panic.h"
#include "core/stats.h"
#include "hw/etcd.h"
#include "hw/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 256, VALUE_MAX = 64 + FB_OBJECT_NAME_MAX, CALL_MS = 2000 };

struct meta_etcd {
    pthread_mutex_t mutex;
    struct fb_etcd connections[FB_META_ETCD_THREADS];
    struct fb_etcd *free[FB_META_ETCD_THREADS]; /* under the mutex */
    uint32_t free_count;
    char prefix[128];
};

static struct fb_etcd *connection_take(struct meta_etcd *meta)
{
    pthread_mutex_lock(&meta->mutex);
    FB_ASSERT(meta->free_count > 0); /* as many as there are threads */
    struct fb_etcd *etcd = meta->free[--meta->free_count];
    pthread_mutex_unlock(&meta->mutex);
    return etcd;
}

static void connection_give(struct meta_etcd *meta, struct fb_etcd *etcd)
{
    pthread_mutex_lock(&meta->mutex);
    meta->free[meta->free_count++] = etcd;
    pthread_mutex_unlock(&meta->mutex);
}

/* Why there was no answer. */
static enum fb_status fault_status(const struct fb_etcd *etcd)
{
    enum fb_status status = FB_IO;
    if (etcd->code == CURLE_OPERATION_TIMEDOUT)
        status = FB_TIMEOUT;
    else if (etcd->code == CURLE_COULDNT_CONNECT || etcd->code == CURLE_COULDNT_RESOLVE_HOST)
        status = FB_GONE;
    else if (etcd->code == CURLE_OK && etcd->status == 429)
        status = FB_THROTTLED;
    fb_log(FB_LOG_WARNING, "metadata_failed", "store=etcd status=%s reason=\"%s\"",
           fb_status_name(status), etcd->fault);
    return status;
}

static const char *key_encode(const struct meta_etcd *meta, const char *folder, struct fb_key key,
                              char encoded[FB_ETCD_ENCODED_MAX])
{
    char text[KEY_MAX];
    snprintf(text, sizeof(text), "%s%s/%016" PRIx64 "%016" PRIx64, meta->prefix, folder, key.high,
             key.low);
    return fb_etcd_encode(text, encoded);
}

/* Reads a value; *name: where its name begins. false: it is none. */
static bool value_read(const char *encoded, char text[FB_ETCD_ENCODED_MAX], struct fb_meta *record,
                       const char **name)
{
    int length = 0;
    bool is_fine = fb_etcd_decode(encoded, text) &&
                   sscanf(text, "%16" SCNx64 " %16" SCNx64 " %16" SCNx64 "%n", &record->value.high,
                          &record->value.low, &record->size, &length) == 3;
    *name = is_fine && text[length] == ' ' ? text + length + 1 : NULL;
    return *name != NULL;
}

/* The record in an answer's list of keys; ABSENT: the list is empty. */
static enum fb_status record_take(const json_t *answer, struct fb_meta *record)
{
    const json_t *entry = json_array_get(json_object_get(answer, "kvs"), 0);
    const char *encoded = json_string_value(json_object_get(entry, "value"));
    const char *name;
    char text[FB_ETCD_ENCODED_MAX];
    *record = (struct fb_meta){.version = 0};
    if (entry == NULL)
        return FB_ABSENT;
    if (!value_read(encoded, text, record, &name))
        return FB_CORRUPT;
    record->version = fb_etcd_number(entry, "version");
    return FB_OK;
}

static enum fb_status run_get(const struct meta_etcd *meta, struct fb_etcd *etcd,
                              struct fb_meta_task *task)
{
    char key[FB_ETCD_ENCODED_MAX];
    json_t *answer = fb_etcd_post(
        etcd, "/v3/kv/range", json_pack("{s:s}", "key", key_encode(meta, "names", task->key, key)));
    if (answer == NULL)
        return fault_status(etcd);
    enum fb_status status = record_take(answer, &task->record);
    json_decref(answer);
    return status;
}

static json_t *put_request(const struct meta_etcd *meta, const struct fb_meta_task *task)
{
    char key[FB_ETCD_ENCODED_MAX], pending[FB_ETCD_ENCODED_MAX];
    char value[FB_ETCD_ENCODED_MAX], text[VALUE_MAX], version[24];
    const struct fb_meta *record = &task->record;
    snprintf(text, sizeof(text), "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %s",
             record->value.high, record->value.low, record->size, task->name.text);
    snprintf(version, sizeof(version), "%" PRIu64, record->version);
    key_encode(meta, "names", task->key, key);
    key_encode(meta, "pending", task->key, pending);
    fb_etcd_encode(text, value);
    json_t *other = task->is_pending
                        ? json_pack("{s:{s:s,s:s}}", "request_put", "key", pending, "value", value)
                        : json_pack("{s:{s:s}}", "request_delete_range", "key", pending);
    return json_pack("{s:[{s:s,s:s,s:s}],s:[{s:{s:s,s:s}},o],s:[{s:{s:s}}]}", "compare", "target",
                     "VERSION", "key", key, "version", version, "success", "request_put", "key",
                     key, "value", value, other, "failure", "request_range", "key", key);
}

static enum fb_status run_put(const struct meta_etcd *meta, struct fb_etcd *etcd,
                              struct fb_meta_task *task)
{
    json_t *answer = fb_etcd_post(etcd, "/v3/kv/txn", put_request(meta, task));
    enum fb_status status = FB_OK;
    if (answer == NULL)
        return fault_status(etcd);
    if (json_is_true(json_object_get(answer, "succeeded"))) {
        task->record.version++;
    } else {
        const json_t *first = json_array_get(json_object_get(answer, "responses"), 0);
        status = record_take(json_object_get(first, "response_range"), &task->record);
        status = status == FB_OK || status == FB_ABSENT ? FB_CONFLICT : status;
    }
    json_decref(answer);
    return status;
}

static enum fb_status run_pending(const struct meta_etcd *meta, struct fb_etcd *etcd,
                                  struct fb_meta_task *task)
{
    char text[KEY_MAX], from[FB_ETCD_ENCODED_MAX], to[FB_ETCD_ENCODED_MAX];
    char value[FB_ETCD_ENCODED_MAX];
    size_t i;
    const json_t *entry;
    snprintf(text, sizeof(text), "%spending/", meta->prefix);
    fb_etcd_encode(text, from);
    text[strlen(text) - 1]++; /* the first key behind all that begin so */
    fb_etcd_encode(text, to);
    json_t *answer = fb_etcd_post(
        etcd, "/v3/kv/range",
        json_pack("{s:s,s:s,s:i}", "key", from, "range_end", to, "limit", (int)task->names_max));
    task->name_count = 0;
    if (answer == NULL)
        return fault_status(etcd);
    task->is_cut = json_is_true(json_object_get(answer, "more"));
    json_array_foreach(json_object_get(answer, "kvs"), i, entry)
    {
        struct fb_meta_name *room = &task->names[task->name_count];
        const char *encoded = json_string_value(json_object_get(entry, "value"));
        const char *name;
        if (task->name_count == task->names_max ||
            !value_read(encoded, value, &room->record, &name) || strlen(name) > FB_OBJECT_NAME_MAX)
            continue;
        room->record.version = 1;
        room->length = (uint32_t)strlen(name);
        memcpy(room->text, name, room->length + 1);
        task->name_count++;
    }
    json_decref(answer);
    return FB_OK;
}

static enum fb_status etcd_run(struct fb_meta_store *store, struct fb_meta_task *task)
{
    struct meta_etcd *meta = store->internal;
    struct fb_etcd *etcd = connection_take(meta);
    enum fb_status status = FB_INVALID;
    switch (task->verb) {
    case FB_META_VERB_GET:
        status = run_get(meta, etcd, task);
        break;
    case FB_META_VERB_PUT:
        status = run_put(meta, etcd, task);
        break;
    case FB_META_VERB_PENDING:
        status = run_pending(meta, etcd, task);
        break;
    }
    connection_give(meta, etcd);
    return status;
}

static void etcd_close(struct fb_meta_store *store)
{
    struct meta_etcd *meta = store->internal;
    for (uint32_t i = 0; i < FB_META_ETCD_THREADS; i++)
        fb_etcd_close(&meta->connections[i]);
    pthread_mutex_destroy(&meta->mutex);
    free(meta);
    curl_global_cleanup();
}

void fb_meta_etcd_open(struct fb_meta_store *store, const struct fb_settings *settings,
                       struct fb_error *error)
{
    struct meta_etcd *meta = calloc(1, sizeof(*meta));
    FB_ASSERT(meta != NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_init(&meta->mutex, NULL);
    snprintf(meta->prefix, sizeof(meta->prefix), "/forebay/%s/", settings->cluster);
    for (uint32_t i = 0; i < FB_META_ETCD_THREADS; i++) {
        if (!fb_etcd_open(&meta->connections[i], settings->metadata.endpoint))
            fb_error_set(error, "metadata: out of memory for connections");
        meta->connections[i].timeout_ms = CALL_MS;
        meta->free[meta->free_count++] = &meta->connections[i];
    }
    store->internal = meta;
    store->run = etcd_run;
    store->close = etcd_close;
}
