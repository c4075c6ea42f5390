/* What a server refuses, as the log tells it: its status, its own word and sentence, and what is to
 * be done about it. Of several requests of a task it is the one that was refused, not the one that
 * was asked next.
 * Source: AWS, "Amazon S3 API Reference", "Error responses"; Azure, "Blob service error codes". */
#include "base/clock.h"
#include "hw/base/log.h"
#include "hw/origin/http_answer.h"
#include "hw/origin/origin_http.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* S3, "Error responses": RequestTimeTooSkewed; Azure allows as much */
static const int64_t skew_allowed_s = 15 * INT64_C(60);

bool http_is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0)
            return true;
    }
    return false;
}

bool http_has_no_bucket(const struct http_request *request)
{
    static const char *const words[] = {
        "NoSuchBucket",         "ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled",
        "ResourceTypeMismatch", "AccountNotFound",   "InvalidBucketName",     NULL};
    return http_is_one_of(request->said.code, words);
}

/* A bucket whose objects are locked takes none without; AWS says so in its sentence alone. It isn't
 * sent to others: MD5 takes longer than all else that is done for a block. */
bool http_wants_digest(struct http_request *request)
{
    static const char *const words[] = {"InvalidRequest", "MissingContentMD5", NULL};
    struct http_origin *http = request->http;
    bool is_asked = !request->is_digested && request->said.http == 400 &&
                    http_is_one_of(request->said.code, words) &&
                    strstr(request->said.sentence, "Content-MD5") != NULL;
    http->wants_digest = http->wants_digest || is_asked;
    return is_asked;
}

void http_digest_put(struct http_request *request, const void *bytes, size_t size)
{
    unsigned char digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    if (!request->http->wants_digest ||
        EVP_Digest(bytes, size, digest, &digest_size, EVP_md5(), NULL) != 1)
        return; /* where MD5 is forbidden the server's refusal stands */
    EVP_EncodeBlock(text, digest, (int)digest_size);
    http_header(request, "Content-MD5: %s", (const char *)text);
    request->is_digested = true;
}

static bool is_archived(const struct http_request *request)
{
    static const char *const words[] = {"InvalidObjectState", "BlobIsArchived",
                                        "BlobBeingRehydrated", NULL};
    return http_is_one_of(request->said.code, words);
}

/* Is the bucket in another region than the request was signed for, or sent to? */
static bool is_elsewhere(const struct http_request *request)
{
    static const char *const words[] = {"PermanentRedirect", "AuthorizationHeaderMalformed",
                                        "IllegalLocationConstraintException", NULL};
    const struct http_answer *said = &request->said;
    bool is_silent = said->code[0] == '\0' && said->region[0] != '\0';
    return said->http == 301 || http_is_one_of(said->code, words) ||
           (is_silent && said->http == 400 &&
            strcmp(said->region, request->http->settings->region) != 0);
}

static void clock_print(int64_t ahead_s, char *text, size_t size)
{
    snprintf(text, size,
             "set this machine's clock: it is %llu s %s the origin's, which takes no request so "
             "far off",
             (unsigned long long)(ahead_s < 0 ? -ahead_s : ahead_s),
             ahead_s < 0 ? "behind" : "ahead of");
}

/* Empty: nothing that is known. */
static void remedy_print(const struct http_request *request, enum fb_status status, char *text,
                         size_t size)
{
    const struct http_answer *said = &request->said;
    const struct fb_origin_settings *settings = request->http->settings;
    int64_t ahead_s = (int64_t)(fb_wall_ns() / 1000000000u) - said->date_s;
    bool is_far = said->date_s > 0 && (ahead_s >= skew_allowed_s || ahead_s <= -skew_allowed_s);
    text[0] = '\0';
    if (is_archived(request))
        snprintf(text, size, "restore the object from the archive, and read it then");
    else if (http_has_no_bucket(request))
        snprintf(text, size, "make the bucket %.64s, or mend origin.bucket, or origin.endpoint",
                 settings->bucket);
    else if (is_elsewhere(request) && said->region[0] != '\0')
        snprintf(text, size,
                 "the bucket is in region %s: set origin.region to that, and origin.endpoint to "
                 "that region's",
                 said->region);
    else if (is_elsewhere(request))
        snprintf(text, size,
                 "the bucket is in another region: set origin.region and origin.endpoint to it");
    else if (said->http == 307)
        snprintf(text, size,
                 "a new bucket is known everywhere within hours: wait, or set origin.endpoint to "
                 "its region's own");
    else if (status == FB_DENIED && is_far)
        clock_print(ahead_s, text, size);
    else if (status == FB_DENIED)
        snprintf(text, size, "check the credentials and their rights");
}

void http_failure_log(const struct http_request *request, enum fb_status status, CURLcode code)
{
    char name[FB_LOG_QUOTE_MAX], word[FB_LOG_QUOTE_MAX], reason[FB_LOG_QUOTE_MAX];
    char remedy[HTTP_REMEDY_MAX], advice[FB_LOG_QUOTE_MAX], began[FB_LOG_QUOTE_MAX];
    bool is_denied = status == FB_DENIED;
    bool has_begun = request->is_foreign && request->began[0] != '\0';
    const char *why = request->reason != NULL ? request->reason
                      : code != CURLE_OK      ? curl_easy_strerror(code)
                                              : request->said.sentence;
    remedy_print(request, status, remedy, sizeof(remedy));
    fb_log(is_denied ? FB_LOG_ERROR : FB_LOG_WARNING, is_denied ? "origin_denied" : "origin_failed",
           "status=%s http=%ld code=%s tries=%u object=%s reason=%s%s%s%s%s",
           fb_status_name(status), request->said.http, fb_log_quote(request->said.code, word),
           request->tries, fb_log_quote(request->task->object.name, name),
           fb_log_quote(why, reason), remedy[0] != '\0' ? " remedy=" : "",
           remedy[0] != '\0' ? fb_log_quote(remedy, advice) : "", has_begun ? " began=" : "",
           has_begun ? fb_log_quote(request->began, began) : "");
}
