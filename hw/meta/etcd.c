/* See etcd.h. Keys and values travel as base64 in JSON; 64-bit numbers as JSON strings. */
#include "hw/meta/etcd.h"

#include "core/panic.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 16 << 20, CALL_S = 5, CONNECT_S = 2 };

static size_t body_take(char *bytes, size_t one, size_t count, void *context)
{
    struct fb_etcd *etcd = context;
    size_t size = one * count;
    if (etcd->body_size + size >= BODY_MAX)
        return 0;
    char *longer = realloc(etcd->body, etcd->body_size + size + 1);
    if (longer == NULL)
        return 0;
    memcpy(longer + etcd->body_size, bytes, size);
    etcd->body = longer;
    etcd->body_size += size;
    etcd->body[etcd->body_size] = '\0';
    return size;
}

bool fb_etcd_open(struct fb_etcd *etcd, const char *endpoint)
{
    *etcd = (struct fb_etcd){.easy = curl_easy_init()};
    snprintf(etcd->endpoint, sizeof(etcd->endpoint), "%s", endpoint);
    return etcd->easy != NULL;
}

void fb_etcd_close(struct fb_etcd *etcd)
{
    curl_easy_cleanup(etcd->easy);
    free(etcd->body);
    etcd->easy = NULL;
    etcd->body = NULL;
}

const char *fb_etcd_encode_bytes(const char *bytes, size_t size, char encoded[FB_ETCD_ENCODED_MAX])
{
    FB_ASSERT(size <= FB_ETCD_ENCODED_MAX / 4 * 3 - 4);
    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)bytes, (int)size);
    return encoded;
}

const char *fb_etcd_encode(const char *text, char encoded[FB_ETCD_ENCODED_MAX])
{
    return fb_etcd_encode_bytes(text, strlen(text), encoded);
}

int fb_etcd_decode_bytes(const char *encoded, char bytes[FB_ETCD_ENCODED_MAX])
{
    size_t length = encoded != NULL ? strlen(encoded) : 0, padding = 0;
    if (length == 0 || length % 4 != 0 || length >= FB_ETCD_ENCODED_MAX)
        return -1;
    while (padding < 2 && encoded[length - 1 - padding] == '=')
        padding++;
    int size = EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)encoded, (int)length);
    if (size < (int)padding)
        return -1;
    size -= (int)padding;
    bytes[size] = '\0';
    return size;
}

bool fb_etcd_decode(const char *encoded, char text[FB_ETCD_ENCODED_MAX])
{
    return fb_etcd_decode_bytes(encoded, text) >= 0;
}

/* What is posted. */
struct sent {
    const char *text;
    size_t left;
};

static size_t text_give(char *bytes, size_t one, size_t count, void *context)
{
    struct sent *sent = context;
    size_t room = one * count, part = sent->left < room ? sent->left : room;
    memcpy(bytes, sent->text, part);
    sent->text += part;
    sent->left -= part;
    return part;
}

/* The text is given once and cannot be rewound: curl would send it again, by itself, over a
 * connection that ends before its answer, and what that did the first time would be taken for
 * another's. */
static void text_set(struct fb_etcd *etcd, struct sent *sent)
{
    curl_easy_setopt(etcd->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(etcd->easy, CURLOPT_POSTFIELDSIZE, (long)sent->left);
    curl_easy_setopt(etcd->easy, CURLOPT_READFUNCTION, text_give);
    curl_easy_setopt(etcd->easy, CURLOPT_READDATA, sent);
}

/* What it refuses, in its own words, as far as they are text. */
static void fault_take(struct fb_etcd *etcd, const json_t *answer)
{
    const char *words = json_string_value(json_object_get(answer, "message"));
    if (words == NULL)
        words = json_string_value(json_object_get(answer, "error"));
    snprintf(etcd->fault, sizeof(etcd->fault), "answer %ld%s%s", etcd->status,
             words != NULL ? ": " : "", words != NULL ? words : "");
    for (char *at = etcd->fault; *at != '\0'; at++)
        *at = *at < ' ' || *at == '"' || *at == 0x7f ? '\'' : *at;
}

bool fb_etcd_is_full(const struct fb_etcd *etcd)
{
    return etcd->code == CURLE_OK && etcd->status != 200 &&
           strstr(etcd->fault, "database space exceeded") != NULL;
}

json_t *fb_etcd_post(struct fb_etcd *etcd, const char *path, json_t *request)
{
    char url[1200];
    json_t *answer = NULL;
    char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct sent sent = {.text = text, .left = text != NULL ? strlen(text) : 0};
    json_decref(request);
    snprintf(url, sizeof(url), "%s%s", etcd->endpoint, path);
    etcd->body_size = 0;
    etcd->fault[0] = '\0';
    etcd->status = 0;
    curl_easy_reset(etcd->easy);
    curl_easy_setopt(etcd->easy, CURLOPT_URL, url);
    text_set(etcd, &sent);
    curl_easy_setopt(etcd->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(etcd->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(etcd->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(etcd->easy, CURLOPT_TIMEOUT_MS,
                     etcd->timeout_ms > 0 ? (long)etcd->timeout_ms : 1000L * CALL_S);
    curl_easy_setopt(etcd->easy, CURLOPT_ERRORBUFFER, etcd->fault);
    curl_easy_setopt(etcd->easy, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(etcd->easy, CURLOPT_WRITEDATA, etcd);
    etcd->code = text != NULL ? curl_easy_perform(etcd->easy) : CURLE_OUT_OF_MEMORY;
    curl_easy_getinfo(etcd->easy, CURLINFO_RESPONSE_CODE, &etcd->status);
    if (etcd->code == CURLE_OK && etcd->body_size > 0)
        answer = json_loads(etcd->body, 0, NULL);
    if (etcd->code == CURLE_OK && (etcd->status != 200 || answer == NULL))
        fault_take(etcd, answer);
    if (etcd->status != 200) {
        json_decref(answer);
        answer = NULL;
    }
    curl_slist_free_all(headers);
    free(text);
    return answer;
}

uint64_t fb_etcd_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    return text != NULL ? strtoull(text, NULL, 10) : (uint64_t)json_integer_value(value);
}

enum fb_etcd_code fb_etcd_lease(struct fb_etcd *etcd, uint32_t seconds, uint64_t *lease)
{
    json_t *answer = fb_etcd_post(etcd, "/v3/lease/grant", json_pack("{s:i}", "TTL", (int)seconds));
    *lease = fb_etcd_number(answer, "ID");
    json_decref(answer);
    return *lease != 0 ? FB_ETCD_FINE : FB_ETCD_AWAY;
}

static json_t *lease_request(uint64_t lease)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, lease);
    return json_pack("{s:s}", "ID", text);
}

enum fb_etcd_code fb_etcd_keep_alive(struct fb_etcd *etcd, uint64_t lease)
{
    json_t *answer = fb_etcd_post(etcd, "/v3/lease/keepalive", lease_request(lease));
    const json_t *result = json_object_get(answer, "result");
    enum fb_etcd_code code = answer == NULL                       ? FB_ETCD_AWAY
                             : fb_etcd_number(result, "TTL") == 0 ? FB_ETCD_GONE
                                                                  : FB_ETCD_FINE;
    json_decref(answer);
    return code;
}

enum fb_etcd_code fb_etcd_revoke(struct fb_etcd *etcd, uint64_t lease)
{
    json_t *answer = fb_etcd_post(etcd, "/v3/lease/revoke", lease_request(lease));
    enum fb_etcd_code code = answer != NULL ? FB_ETCD_FINE : FB_ETCD_AWAY;
    json_decref(answer);
    return code;
}

enum fb_etcd_code fb_etcd_create(struct fb_etcd *etcd, const char *key, const char *value,
                                 uint64_t lease)
{
    char key64[FB_ETCD_ENCODED_MAX], value64[FB_ETCD_ENCODED_MAX], id[32];
    fb_etcd_encode(key, key64);
    fb_etcd_encode(value, value64);
    snprintf(id, sizeof(id), "%" PRIu64, lease);
    static const char *const targets[2][2] = {{"CREATE", "create_revision"}, {"VALUE", "value"}};
    enum fb_etcd_code code = FB_ETCD_TAKEN;
    for (uint32_t i = 0; i < 2 && code == FB_ETCD_TAKEN; i++) {
        json_t *answer = fb_etcd_post(
            etcd, "/v3/kv/txn",
            json_pack("{s:[{s:s,s:s,s:s}],s:[{s:{s:s,s:s,s:s}}]}", "compare", "target",
                      targets[i][0], "key", key64, targets[i][1], i == 0 ? "0" : value64, "success",
                      "request_put", "key", key64, "value", value64, "lease", id));
        bool is_put = json_is_true(json_object_get(answer, "succeeded"));
        code = answer == NULL ? FB_ETCD_AWAY : is_put ? FB_ETCD_FINE : FB_ETCD_TAKEN;
        json_decref(answer);
    }
    return code;
}

enum fb_etcd_code fb_etcd_list(struct fb_etcd *etcd, const char *prefix, fb_etcd_call *call,
                               void *context)
{
    char from[FB_ETCD_ENCODED_MAX], to[FB_ETCD_ENCODED_MAX], end[1024], key[FB_ETCD_ENCODED_MAX],
        value[FB_ETCD_ENCODED_MAX];
    size_t length = strlen(prefix);
    if (length == 0 || length >= sizeof(end))
        return FB_ETCD_AWAY;
    memcpy(end, prefix, length + 1);
    end[length - 1]++; /* the first key behind all that begin so */
    json_t *answer = fb_etcd_post(etcd, "/v3/kv/range",
                                  json_pack("{s:s,s:s}", "key", fb_etcd_encode(prefix, from),
                                            "range_end", fb_etcd_encode(end, to)));
    if (answer == NULL)
        return FB_ETCD_AWAY;
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(answer, "kvs"), i, entry)
    {
        if (!fb_etcd_decode(json_string_value(json_object_get(entry, "key")), key))
            key[0] = '\0';
        if (!fb_etcd_decode(json_string_value(json_object_get(entry, "value")), value))
            value[0] = '\0';
        call(context, key, value, fb_etcd_number(entry, "lease"));
    }
    json_decref(answer);
    return FB_ETCD_FINE;
}
