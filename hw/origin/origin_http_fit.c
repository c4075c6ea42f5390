/* Is an answer one of the protocol at all? A proxy, a captive portal or a web server in the store's
 * place answers 200 with a page, to whatever it was asked. So of what would be believed:
 *
 *  1. A page (HTML) is none of a store's, unless a header of the store's own is with it: an object
 *     may be one.
 *  2. XML has the root that was asked for: a listing of something else is no empty one.
 *  3. What was put has an ETag (but a block of Azure's), and so has an object that is looked at or
 *     read: without, nobody can tell two versions apart.
 *  4. What is removed is said to be so by the code that the protocol has for it.
 * What does not fit is an error that may pass; the log shows how it began.
 * Source: AWS, "Amazon S3 API Reference"; Azure, "Blob service REST API". */
#include "hw/origin/http_answer.h"
#include "hw/origin/origin_http.h"

#include <string.h>
#include <strings.h>

static bool is_page(const struct http_request *request, bool is_good)
{
    static const char *const starts[] = {"<html", "<!doctype html"};
    const struct http_answer *said = &request->said;
    bool is_object = is_good && (request->task->verb == FB_ORIGIN_FETCH || request->sink != NULL);
    const char *text = request->began + strspn(request->began, "\xef\xbb\xbf \t\r\n");
    bool is_html = said->is_html && !said->is_store;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]) && !is_object; i++)
        is_html = is_html || strncasecmp(text, starts[i], strlen(starts[i])) == 0;
    return is_html;
}

static const char *method_of(const struct http_request *request)
{
    char *method = NULL;
    curl_easy_getinfo(request->easy, CURLINFO_EFFECTIVE_METHOD, &method);
    return method != NULL ? method : "";
}

/* Must an answer of success have an ETag? */
static bool wants_etag(const struct http_request *request, const char *method)
{
    const struct fb_origin_task *task = request->task;
    bool is_block = task->verb == FB_ORIGIN_STORE && request->http->dialect->has_plain_blocks;
    if (strcmp(method, "PUT") == 0)
        return !is_block && request->root == NULL;
    return strcmp(method, "HEAD") == 0 || task->verb == FB_ORIGIN_FETCH || request->sink != NULL;
}

bool http_answer_fits(struct http_request *request, long code)
{
    const struct http_dialect *dialect = request->http->dialect;
    const struct http_answer *said = &request->said;
    const char *method = method_of(request);
    bool is_good = code >= 200 && code < 300;
    if (!is_good && code != 404)
        return true;
    if (is_page(request, is_good))
        request->reason = "the answer is a page, and none of a store: is a proxy before it?";
    else if (!is_good || (said->code[0] != '\0' && request->task->verb == FB_ORIGIN_COMMIT))
        return true;
    else if (request->task->verb == FB_ORIGIN_LIST)
        return http_list_fits(request);
    else if (said->code[0] != '\0')
        request->reason = "the answer is an error within a success";
    else if (request->root != NULL && strstr(request->answer, request->root) == NULL)
        request->reason = "the answer is not the element that was asked for";
    else if (strcmp(method, "DELETE") == 0 && !dialect->is_removed(code))
        request->reason = "the answer does not say that it is removed";
    else if (wants_etag(request, method) && said->etag[0] == '\0')
        request->reason = "the answer has no ETag";
    else
        return true;
    return false;
}
