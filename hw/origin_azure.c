/* Azure Blob: ENDPOINT/CONTAINER/PREFIX NAME; ENDPOINT is https://ACCOUNT.blob.core.windows.net
 * or, for an emulator, ends in the account. Signed with the account's shared key, or by a shared
 * access signature (SAS) in the query; without either requests are anonymous.
 *
 * Credentials: account_key or sas_token in the credentials file, or AZURE_STORAGE_KEY,
 * AZURE_STORAGE_SAS_TOKEN. Source: Azure, "Authorize with Shared Key", version 2015-02-21 and
 * later; "List Blobs". */
#include "hw/origin_http.h"

#include "core/panic.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SIGNED_MAX = 2 * HTTP_URL_MAX };

static const char version[] = "2021-12-02";

static bool list_url(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    const char *cursor = task->cursor.text;
    bool is_fine = http_url_append(request, "?comp=list&delimiter=%2F&restype=container&prefix=") &&
                   http_url_add(request, request->http->settings->prefix, false) &&
                   http_url_add(request, task->object.name, false);
    if (task->object.name_length > 0)
        is_fine = is_fine && http_url_append(request, "%2F");
    if (cursor[0] != '\0')
        is_fine =
            is_fine && http_url_append(request, "&marker=") && http_url_add(request, cursor, false);
    return is_fine;
}

/* The path of a URL, as it is sent. */
static const char *url_path(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    return path != NULL ? path : "/";
}

/* The canonical resource's query: names in order, values decoded. */
static int query_sign(const struct http_request *request, char *text, size_t size)
{
    const struct fb_origin_task *task = request->task;
    const char *cursor = task->cursor.text;
    if (task->verb != FB_ORIGIN_LIST)
        return 0;
    return snprintf(text, size, "\ncomp:list\ndelimiter:/%s%s\nprefix:%s%s%s\nrestype:container",
                    cursor[0] != '\0' ? "\nmarker:" : "", cursor, request->http->settings->prefix,
                    task->object.name, task->object.name_length > 0 ? "/" : "");
}

/* What is signed; false: it does not fit. */
static bool text_sign(const struct http_request *request, const char *date, char text[SIGNED_MAX])
{
    const struct fb_origin_settings *settings = request->http->settings;
    const struct fb_origin_task *task = request->task;
    char range[80] = "", query[2 * FB_SETTINGS_PATH_MAX + FB_OBJECT_NAME_MAX + 128] = "";
    const char *path = url_path(request->url);
    if (task->verb == FB_ORIGIN_FETCH)
        snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)task->offset,
                 (unsigned long long)(task->offset + task->bytes.size - 1));
    if (query_sign(request, query, sizeof(query)) >= (int)sizeof(query))
        return false;
    /* Twelve lines of standard headers, of which only Range is ever set, then ours. */
    int length = snprintf(text, SIGNED_MAX,
                          "%s\n\n\n\n\n\n\n\n\n\n\n%s\nx-ms-date:%s\nx-ms-version:%s\n/%s%.*s%s",
                          task->verb == FB_ORIGIN_STAT ? "HEAD" : "GET", range, date, version,
                          settings->account, (int)strcspn(path, "?"), path, query);
    return length > 0 && length < SIGNED_MAX;
}

static bool shared_key_sign(struct http_request *request)
{
    const struct http_origin *http = request->http;
    unsigned char mac[EVP_MAX_MD_SIZE], signature[2 * EVP_MAX_MD_SIZE];
    unsigned mac_size = 0;
    char date[64], text[SIGNED_MAX];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (!text_sign(request, date, text))
        return false;
    HMAC(EVP_sha256(), http->secret, (int)http->secret_size, (const unsigned char *)text,
         strlen(text), mac, &mac_size);
    EVP_EncodeBlock(signature, mac, (int)mac_size);
    http_header(request, "x-ms-date: %s", date);
    http_header(request, "Authorization: SharedKey %s:%s", http->settings->account,
                (const char *)signature);
    return true;
}

static bool azure_prepare(struct http_request *request)
{
    const struct http_origin *http = request->http;
    const struct fb_origin_settings *settings = http->settings;
    const struct fb_origin_task *task = request->task;
    bool is_list = task->verb == FB_ORIGIN_LIST;
    bool is_fine = http_url_append(request, settings->endpoint) && http_url_append(request, "/") &&
                   http_url_add(request, settings->bucket, false);
    if (is_list)
        is_fine = is_fine && list_url(request);
    else
        is_fine = is_fine && http_url_append(request, "/") &&
                  http_url_add(request, settings->prefix, true) &&
                  http_url_add(request, task->object.name, true);
    http_header(request, "x-ms-version: %s", version);
    if (is_fine && http->token[0] != '\0')
        return http_url_append(request, is_list ? "&" : "?") &&
               http_url_append(request, http->token);
    if (is_fine && http->secret_size > 0)
        return shared_key_sign(request);
    return is_fine;
}

/* The key is base64; what is signed with are its bytes. */
static void key_decode(struct http_origin *http, const char *text, struct fb_error *error)
{
    size_t length = strlen(text), padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    int size = length % 4 == 0 && length / 4 * 3 < HTTP_SECRET_MAX
                   ? EVP_DecodeBlock((unsigned char *)http->secret, (const unsigned char *)text,
                                     (int)length)
                   : -1;
    if (size < (int)padding) {
        fb_error_set(error, "origin: the account key is no base64: copy it as the portal shows it");
        return;
    }
    http->secret_size = (uint32_t)size - (uint32_t)padding;
}

static void azure_credentials(struct http_origin *http, struct fb_error *error)
{
    char key[HTTP_SECRET_MAX];
    bool has_key = http_credential(http, "account_key", "AZURE_STORAGE_KEY", key, error);
    bool has_token =
        http_credential(http, "sas_token", "AZURE_STORAGE_SAS_TOKEN", http->token, error);
    if (has_token && http->token[0] == '?')
        memmove(http->token, http->token + 1, strlen(http->token));
    if (has_key)
        key_decode(http, key, error);
    if (has_key && http->settings->account[0] == '\0')
        fb_error_set(error, "origin.account is missing: a shared key is used with its account");
    explicit_bzero(key, sizeof(key));
}

const struct http_dialect http_azure = {
    .name = "azure", .prepare = azure_prepare, .credentials = azure_credentials};
