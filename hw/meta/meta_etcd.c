/* Records in etcd, over its HTTP API (/v3/kv): the store of a cluster.
 *
 *     /forebay/CLUSTER/names/KEY     "HIGH LOW SIZE NAME": numbers hexadecimal, 16 digits each
 *     /forebay/CLUSTER/pending/KEY   the same, while the record is unfinished; same transaction
 *     /forebay/CLUSTER/attributes/KEY   attributes, where there are any; same transaction
 *     /forebay/CLUSTER/entries/FOLDER'S KEY/LAST PART   type, octal: what has no object; the same
 *
 *  1. The record's version is the key's own in etcd, which counts its changes from 1 on; a PUT is a
 *     transaction that compares it, and reads the other's record when it differs.
 *  2. Reads are linearizable, etcd's default: they see every PUT that was answered.
 *  3. An answer of 503 may stand for a PUT that took effect (a leader that went meanwhile): IO, not
 *     THROTTLED. 429 is a PUT that was not taken: THROTTLED, or FULL with the words of ErrNoSpace.
 * Source: etcd 3.4, "gRPC gateway" and api/etcdserverpb/rpc.proto. */
#include "base/clock.h"
#include "hw/meta/meta_backend.h"

#include "core/name/name.h"
#include "core/panic.h"
#include "core/stats.h"
#include "hw/meta/etcd.h"
#include "hw/base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(51 + FB_OBJECT_NAME_MAX <= FB_ETCD_ENCODED_MAX / 4 * 3 - 4 &&
                  FB_META_ATTRIBUTES_MAX <= FB_ETCD_ENCODED_MAX / 4 * 3 - 4,
              "what is stored can be encoded");

enum { KEY_MAX = 512, NUMBERS_BYTES = 51, CALL_MS = 2000 };
enum { PAGES_MAX = 64 }; /* of keys that are none of ours */
/* Of a key that can be written once more, a zero behind it. */
enum { KEY_ROOM_BYTES = FB_ETCD_ENCODED_MAX / 4 * 3 - 8 };

struct meta_etcd {
    pthread_mutex_t mutex;
    struct fb_etcd connections[FB_META_ETCD_THREADS];
    struct fb_etcd *free[FB_META_ETCD_THREADS]; /* under the mutex */
    uint32_t free_count;
    char prefix[128];
    atomic_bool is_entry_said;
    uint64_t fault_ns, fault_count; /* under the mutex: the last that was logged, those since */
    enum fb_status fault_status;
};

static const uint64_t fault_pause_ns = 10000000000;

static struct fb_etcd *etcd_take(struct meta_etcd *meta)
{
    pthread_mutex_lock(&meta->mutex);
    FB_ASSERT(meta->free_count > 0); /* as many as there are threads */
    struct fb_etcd *etcd = meta->free[--meta->free_count];
    pthread_mutex_unlock(&meta->mutex);
    return etcd;
}

static void etcd_give(struct meta_etcd *meta, struct fb_etcd *etcd)
{
    pthread_mutex_lock(&meta->mutex);
    FB_ASSERT(meta->free_count < FB_META_ETCD_THREADS);
    meta->free[meta->free_count++] = etcd;
    pthread_mutex_unlock(&meta->mutex);
}

/* What etcd answers at once may be many a second: the first of a kind, then one each time, with how
 * many there were between them. Who does not answer is waited for, and each wait is told. */
static void fault_log(struct meta_etcd *meta, enum fb_status status, const char *words)
{
    uint64_t now_ns = fb_clock_ns();
    pthread_mutex_lock(&meta->mutex);
    bool is_answer = status == FB_FULL || status == FB_THROTTLED;
    bool is_due =
        !is_answer || status != meta->fault_status || now_ns - meta->fault_ns >= fault_pause_ns;
    uint64_t count = meta->fault_count;
    meta->fault_count = is_due ? 0 : count + 1;
    meta->fault_ns = is_due ? now_ns : meta->fault_ns;
    meta->fault_status = status;
    pthread_mutex_unlock(&meta->mutex);
    if (is_due)
        fb_log(FB_LOG_WARNING, "metadata_failed",
               "store=etcd status=%s reason=\"%s\" not_logged=%" PRIu64, fb_status_name(status),
               words, count);
}

/* Why there was no answer. */
static enum fb_status fault_status(struct meta_etcd *meta, const struct fb_etcd *etcd)
{
    enum fb_status status = FB_IO;
    if (etcd->code == CURLE_OPERATION_TIMEDOUT)
        status = FB_TIMEOUT;
    else if (etcd->code == CURLE_COULDNT_CONNECT || etcd->code == CURLE_COULDNT_RESOLVE_HOST)
        status = FB_GONE;
    else if (fb_etcd_is_full(etcd))
        status = FB_FULL;
    else if (etcd->code == CURLE_OK && etcd->status == 429)
        status = FB_THROTTLED;
    fault_log(meta, status, etcd->fault);
    return status;
}

static const char *key_encode(const struct meta_etcd *meta, const char *folder, struct fb_key key,
                              char encoded[FB_ETCD_ENCODED_MAX])
{
    char text[KEY_MAX];
    int length = snprintf(text, sizeof(text), "%s%s/%016" PRIx64 "%016" PRIx64, meta->prefix,
                          folder, key.high, key.low);
    FB_ASSERT(length > 0);
    FB_ASSERT((size_t)length < sizeof(text)); /* cut, it were another key */
    return fb_etcd_encode(text, encoded);
}

/* Keys of a folder's list, from behind a last part on; with end: and where they end. */
static void list_encode(const struct meta_etcd *meta, struct fb_key folder, const char *part,
                        char first[FB_ETCD_ENCODED_MAX], char *end)
{
    char text[KEY_MAX];
    int length = snprintf(text, sizeof(text), "%sentries/%016" PRIx64 "%016" PRIx64 "/%s",
                          meta->prefix, folder.high, folder.low, part);
    FB_ASSERT((size_t)length < sizeof(text));
    /* A zero behind the last one: the key that follows it. */
    fb_etcd_encode_bytes(text, (size_t)length + (part[0] != '\0'), first);
    if (end == NULL)
        return;
    text[length - (int)strlen(part) - 1] = '0'; /* it follows '/' */
    fb_etcd_encode_bytes(text, (size_t)length - strlen(part), end);
}

/* The key of a name in its folder's list. */
static const char *entry_encode(const struct meta_etcd *meta, const struct fb_meta_name *name,
                                char encoded[FB_ETCD_ENCODED_MAX])
{
    char text[KEY_MAX];
    const char *part;
    struct fb_key folder = fb_meta_folder(name, &part);
    snprintf(text, sizeof(text), "%sentries/%016" PRIx64 "%016" PRIx64 "/%s", meta->prefix,
             folder.high, folder.low, part);
    return fb_etcd_encode(text, encoded);
}

/* A value; its text begins behind the numbers. Returns the length of that; -1: it is none. */
static int value_read(const char *encoded, char bytes[FB_ETCD_ENCODED_MAX], struct fb_meta *record)
{
    int length = 0, size = fb_etcd_decode_bytes(encoded, bytes);
    *record = (struct fb_meta){.version = 0};
    if (size < NUMBERS_BYTES ||
        sscanf(bytes, "%16" SCNx64 " %16" SCNx64 " %16" SCNx64 "%n", &record->value.high,
               &record->value.low, &record->size, &length) != 3)
        return -1;
    return length == NUMBERS_BYTES - 1 && bytes[length] == ' ' ? size - NUMBERS_BYTES : -1;
}

/* The first key and value of an answer to a range; NULL: there is none. */
static const json_t *entry_of(const json_t *responses, size_t index)
{
    const json_t *range = json_object_get(json_array_get(responses, index), "response_range");
    return json_array_get(json_object_get(range, "kvs"), 0);
}

/* The record and its attributes in an answer; ABSENT: there is none. */
static enum fb_status record_take(const json_t *answer, struct fb_meta_task *task)
{
    const json_t *responses = json_object_get(answer, "responses");
    const json_t *entry = entry_of(responses, 0), *attributes = entry_of(responses, 1);
    char bytes[FB_ETCD_ENCODED_MAX];
    task->record = (struct fb_meta){.version = 0};
    task->attributes.length = 0;
    if (entry == NULL)
        return FB_ABSENT;
    uint64_t version = fb_etcd_number(entry, "version");
    int text = value_read(json_string_value(json_object_get(entry, "value")), bytes, &task->record);
    task->record.version = version;
    if (version == 0)
        return FB_CORRUPT; /* no etcd says so */
    if (text < 0)
        task->record = fb_name_unread(version); /* it can be removed, and written over */
    int length =
        fb_etcd_decode_bytes(json_string_value(json_object_get(attributes, "value")), bytes);
    if (length > 0 && length <= FB_META_ATTRIBUTES_MAX) {
        task->attributes.length = (uint32_t)length;
        memcpy(task->attributes.bytes, bytes, (size_t)length);
    }
    return FB_OK;
}

/* What reads a record and its attributes at one moment. */
static json_t *reads_make(const struct meta_etcd *meta, struct fb_key key)
{
    char name[FB_ETCD_ENCODED_MAX], attributes[FB_ETCD_ENCODED_MAX];
    return json_pack("[{s:{s:s}},{s:{s:s}}]", "request_range", "key",
                     key_encode(meta, "names", key, name), "request_range", "key",
                     key_encode(meta, "attributes", key, attributes));
}

static enum fb_status run_get(struct meta_etcd *meta, struct fb_etcd *etcd,
                              struct fb_meta_task *task)
{
    json_t *answer = fb_etcd_post(etcd, "/v3/kv/txn",
                                  json_pack("{s:o}", "success", reads_make(meta, task->key)));
    if (answer == NULL)
        return fault_status(meta, etcd);
    enum fb_status status = record_take(answer, task);
    json_decref(answer);
    return status;
}

/* A key that gets a value, or goes. */
static json_t *change_make(const char *key, const char *value)
{
    return value != NULL ? json_pack("{s:{s:s,s:s}}", "request_put", "key", key, "value", value)
                         : json_pack("{s:{s:s}}", "request_delete_range", "key", key);
}

static void compare_add(json_t *compares, const char *key, uint64_t version)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, version);
    json_array_append_new(
        compares, json_pack("{s:s,s:s,s:s}", "target", "VERSION", "key", key, "version", text));
}

/* Each key in a list would have been created once. */
static void empty_add(json_t *compares, const struct meta_etcd *meta, struct fb_key folder)
{
    char key[FB_ETCD_ENCODED_MAX], end[FB_ETCD_ENCODED_MAX];
    list_encode(meta, folder, "", key, end);
    json_array_append_new(compares, json_pack("{s:s,s:s,s:s,s:s}", "target", "CREATE", "key", key,
                                              "range_end", end, "create_revision", "0"));
}

/* What has to be so for a PUT. */
static json_t *compares_make(const struct meta_etcd *meta, const struct fb_meta_task *task)
{
    char key[FB_ETCD_ENCODED_MAX];
    const struct fb_meta_gone *gone = &task->gone;
    json_t *compares = json_array();
    compare_add(compares, key_encode(meta, "names", task->key, key), task->record.version);
    if (task->folder_version > 0)
        compare_add(compares, key_encode(meta, "names", task->folder, key), task->folder_version);
    if (task->must_be_empty)
        empty_add(compares, meta, task->key);
    if (gone->name.length > 0)
        compare_add(compares, key_encode(meta, "names", gone->name.key, key),
                    gone->name.record.version);
    if (gone->name.length > 0 && gone->must_be_empty)
        empty_add(compares, meta, gone->name.key);
    return compares;
}

/* Puts a record, and into the list of unfinished ones or out of that. */
static void record_add(json_t *changes, const struct meta_etcd *meta, struct fb_key key,
                       const struct fb_meta *record, const char *name, bool is_pending)
{
    char encoded[FB_ETCD_ENCODED_MAX], value[FB_ETCD_ENCODED_MAX];
    char text[NUMBERS_BYTES + FB_OBJECT_NAME_MAX + 1];
    snprintf(text, sizeof(text), "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %s",
             record->value.high, record->value.low, record->size, name);
    fb_etcd_encode(text, value);
    json_array_append_new(changes, change_make(key_encode(meta, "names", key, encoded), value));
    key_encode(meta, "pending", key, encoded);
    json_array_append_new(changes, change_make(encoded, is_pending ? value : NULL));
}

/* What goes with a PUT: all that is beside its record, too. */
static void gone_add(json_t *changes, const struct meta_etcd *meta, const struct fb_meta_gone *gone)
{
    char key[FB_ETCD_ENCODED_MAX];
    const struct fb_meta_name *name = &gone->name;
    if (name->length == 0)
        return;
    record_add(changes, meta, name->key, &name->record, name->text, gone->is_pending);
    key_encode(meta, "attributes", name->key, key);
    json_array_append_new(changes, change_make(key, NULL));
    if (fb_meta_has_part(name))
        json_array_append_new(changes, change_make(entry_encode(meta, name, key), NULL));
}

static json_t *put_request(const struct meta_etcd *meta, const struct fb_meta_task *task)
{
    char other[FB_ETCD_ENCODED_MAX], value[FB_ETCD_ENCODED_MAX], text[24];
    const struct fb_meta_attributes *attributes = &task->attributes;
    json_t *changes = json_array();
    record_add(changes, meta, task->key, &task->record, task->name.text, task->is_pending);
    gone_add(changes, meta, &task->gone);
    key_encode(meta, "attributes", task->key, other);
    fb_etcd_encode_bytes((const char *)attributes->bytes, attributes->length, value);
    if (!task->keeps_attributes)
        json_array_append_new(changes, change_make(other, attributes->length > 0 ? value : NULL));
    if (task->listing != FB_META_LIST_KEEP) {
        snprintf(text, sizeof(text), "%o", task->name.type);
        bool is_put = task->listing == FB_META_LIST_PUT;
        entry_encode(meta, &task->name, other);
        json_array_append_new(changes,
                              change_make(other, is_put ? fb_etcd_encode(text, value) : NULL));
    }
    return json_pack("{s:o,s:o,s:o}", "compare", compares_make(meta, task), "success", changes,
                     "failure", reads_make(meta, task->key));
}

static enum fb_status run_put(struct meta_etcd *meta, struct fb_etcd *etcd,
                              struct fb_meta_task *task)
{
    json_t *answer = fb_etcd_post(etcd, "/v3/kv/txn", put_request(meta, task));
    enum fb_status status = FB_OK;
    uint64_t expected = task->record.version;
    if (answer == NULL)
        return fault_status(meta, etcd);
    if (json_is_true(json_object_get(answer, "succeeded"))) {
        task->record.version++;
    } else {
        status = record_take(answer, task);
        bool is_read = status == FB_OK || status == FB_ABSENT;
        bool is_gone = task->gone.name.length > 0 && task->record.version == expected;
        status = !is_read ? status : is_gone ? FB_ABSENT : FB_CONFLICT;
    }
    json_decref(answer);
    return status;
}

/* An entry of the list; false: its key is none of ours. */
static bool name_take(const struct meta_etcd *meta, const json_t *entry, struct fb_meta_name *name)
{
    char text[FB_ETCD_ENCODED_MAX];
    size_t prefix = strlen(meta->prefix) + strlen("pending/");
    int end = 0;
    *name = (struct fb_meta_name){.is_bad = true};
    bool is_key = fb_etcd_decode(json_string_value(json_object_get(entry, "key")), text) &&
                  strlen(text) == prefix + 32 &&
                  sscanf(text + prefix, "%16" SCNx64 "%16" SCNx64 "%n", &name->key.high,
                         &name->key.low, &end) == 2 &&
                  end == 32;
    if (!is_key)
        return false;
    int length =
        value_read(json_string_value(json_object_get(entry, "value")), text, &name->record);
    name->record.version = 1;
    if (length >= 0)
        fb_meta_name_read(name, text + NUMBERS_BYTES, (uint32_t)length);
    return true;
}

/* Keys from `from` on, which becomes the one behind the last that was seen. */
static enum fb_status page_take(struct meta_etcd *meta, struct fb_etcd *etcd,
                                struct fb_meta_task *task, char from[KEY_MAX])
{
    char text[KEY_MAX], first[FB_ETCD_ENCODED_MAX], last[FB_ETCD_ENCODED_MAX];
    char key[FB_ETCD_ENCODED_MAX];
    size_t i;
    const json_t *entry;
    snprintf(text, sizeof(text), "%spending0", meta->prefix); /* '0' follows '/' */
    json_t *answer = fb_etcd_post(etcd, "/v3/kv/range",
                                  json_pack("{s:s,s:s,s:i}", "key", fb_etcd_encode(from, first),
                                            "range_end", fb_etcd_encode(text, last), "limit",
                                            (int)(task->names_max - task->name_count)));
    if (answer == NULL)
        return fault_status(meta, etcd);
    task->is_cut = json_is_true(json_object_get(answer, "more"));
    json_array_foreach(json_object_get(answer, "kvs"), i, entry)
    {
        if (task->name_count < task->names_max)
            task->name_count += name_take(meta, entry, &task->names[task->name_count]);
        if (fb_etcd_decode(json_string_value(json_object_get(entry, "key")), key))
            snprintf(from, KEY_MAX, "%.*s\x01", KEY_MAX - 2, key);
    }
    json_decref(answer);
    return FB_OK;
}

/* That many pages have nothing of ours: not that there is none, as some may stand behind them. */
static enum fb_status foreign_say(const struct meta_etcd *meta, const char *keys, const char *place)
{
    fb_log(
        FB_LOG_ERROR, "metadata_failed",
        "store=etcd status=%s reason=\"%d pages of %s below %s%s are none of ours: delete them\"",
        fb_status_name(FB_IO), PAGES_MAX, keys, meta->prefix, place);
    return FB_IO;
}

static enum fb_status run_pending(struct meta_etcd *meta, struct fb_etcd *etcd,
                                  struct fb_meta_task *task)
{
    char from[KEY_MAX];
    enum fb_status status = FB_OK;
    snprintf(from, sizeof(from), "%spending/%016" PRIx64 "%016" PRIx64, meta->prefix,
             task->key.high, task->key.low);
    task->name_count = 0;
    task->is_cut = true;
    for (uint32_t i = 0;
         i < PAGES_MAX && status == FB_OK && task->is_cut && task->name_count < task->names_max;
         i++)
        status = page_take(meta, etcd, task, from);
    if (status != FB_OK || !task->is_cut || task->name_count > 0)
        return status;
    return foreign_say(meta, "keys", "pending/");
}

/* An entry of a folder's list; false: it is none of ours. */
static bool entry_take(const struct meta_etcd *meta, const json_t *entry, struct fb_meta_name *name)
{
    char text[FB_ETCD_ENCODED_MAX];
    size_t prefix = strlen(meta->prefix) + strlen("entries/") + 33;
    *name = (struct fb_meta_name){.length = 0};
    int length = fb_etcd_decode_bytes(json_string_value(json_object_get(entry, "key")), text);
    if (length <= (int)prefix || length - (int)prefix > FB_META_PART_MAX)
        return false;
    name->length = (uint32_t)length - (uint32_t)prefix;
    memcpy(name->text, text + prefix, name->length);
    int end = 0;
    bool is_value = fb_etcd_decode(json_string_value(json_object_get(entry, "value")), text) &&
                    sscanf(text, "%o%n", &name->type, &end) == 1 && text[end] == '\0';
    return is_value && fb_meta_entry_is_fine(name);
}

/* Says once of each store that there are such. */
static void entry_say(struct meta_etcd *meta, const char *key)
{
    char quoted[FB_LOG_QUOTE_MAX];
    if (atomic_exchange(&meta->is_entry_said, true))
        return;
    fb_log(FB_LOG_WARNING, "metadata_entry_bad",
           "store=etcd key=%s reason=\"no daemon has made it: it is left out, as others like it "
           "are\" remedy=\"delete it\"",
           fb_log_quote(key, quoted));
}

/* Keys from first on, which becomes the one behind the last that was seen. */
static enum fb_status entries_take(struct meta_etcd *meta, struct fb_etcd *etcd,
                                   struct fb_meta_task *task, char first[FB_ETCD_ENCODED_MAX],
                                   const char *end)
{
    char key[FB_ETCD_ENCODED_MAX];
    size_t i;
    const json_t *entry;
    json_t *answer = fb_etcd_post(etcd, "/v3/kv/range",
                                  json_pack("{s:s,s:s,s:i}", "key", first, "range_end", end,
                                            "limit", (int)(task->names_max - task->name_count)));
    if (answer == NULL)
        return fault_status(meta, etcd);
    task->is_cut = json_is_true(json_object_get(answer, "more"));
    json_array_foreach(json_object_get(answer, "kvs"), i, entry)
    {
        int length = fb_etcd_decode_bytes(json_string_value(json_object_get(entry, "key")), key);
        bool has_room = task->name_count < task->names_max;
        bool is_ours = has_room && entry_take(meta, entry, &task->names[task->name_count]);
        task->name_count += is_ours;
        if (!is_ours)
            entry_say(meta, length >= 0 ? key : "");
        if (length >= 0 && length < KEY_ROOM_BYTES) /* a zero follows it: the key behind */
            fb_etcd_encode_bytes(key, (size_t)length + 1, first);
    }
    json_decref(answer);
    return FB_OK;
}

static enum fb_status run_entries(struct meta_etcd *meta, struct fb_etcd *etcd,
                                  struct fb_meta_task *task)
{
    char first[FB_ETCD_ENCODED_MAX], end[FB_ETCD_ENCODED_MAX];
    enum fb_status status = FB_OK;
    list_encode(meta, task->key, "", first, end);
    if (task->name.length > 0)
        list_encode(meta, task->key, task->name.text, first, NULL);
    task->name_count = 0;
    task->is_cut = true;
    for (uint32_t i = 0; i < PAGES_MAX && status == FB_OK && task->is_cut && task->name_count == 0;
         i++)
        status = entries_take(meta, etcd, task, first, end);
    if (status != FB_OK || !task->is_cut || task->name_count > 0)
        return status;
    return foreign_say(meta, "keys of one folder", "entries/");
}

static enum fb_status etcd_run(struct fb_meta_store *store, struct fb_meta_task *task)
{
    struct meta_etcd *meta = store->internal;
    struct fb_etcd *etcd = etcd_take(meta);
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
    case FB_META_VERB_ENTRIES:
        status = run_entries(meta, etcd, task);
        break;
    }
    etcd_give(meta, etcd);
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
