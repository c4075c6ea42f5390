/* What an S3 or Azure server answers: headers, listings, the answers of a commit. A server may be
 * anything that somebody configured, or a proxy before it.
 * How: the first bytes choose the dialect and what was asked; then lines of headers up to an empty
 * one, then the body. A listing is read page by page as clients do, a commit goes on as long as its
 * answers let it. Includes origin_http.c, whose callbacks are called as libcurl would: with text
 * that no zero ends. Requests are prepared, but never sent. */
#include "client/protocol/page.h"
#include "hw/origin/origin_http.c"

#include "tests/fuzz/fuzz.h"

enum { BLOCK_BYTES = 4096, PAGES_MAX = 8, STEPS_MAX = 32, CODES = 8 };

static struct fb_settings settings;
static struct fb_origin origin = {.context = {.settings = &settings}};
static struct http_origin http = {.settings = &settings.origin, .origin = &origin};
static struct http_request request;
static struct fb_origin_task task;

/* The entries as a client walks them. */
static void page_check(void)
{
    uint64_t at = 0;
    while (at < task.moved) {
        struct fb_local_entry entry;
        if (at + sizeof(entry) > task.moved)
            abort();
        memcpy(&entry, task.bytes.at + at, sizeof(entry));
        if (at + fb_local_entry_bytes(entry.name_length) > task.moved ||
            !fb_object_name_is_fine((const char *)task.bytes.at + at + sizeof(entry),
                                    entry.name_length))
            abort();
        at += fb_local_entry_bytes(entry.name_length);
    }
}

static void url_prepare(void)
{
    curl_slist_free_all(request.headers);
    request.headers = NULL;
    request.url[0] = '\0';
    bool is_fine = http.dialect->prepare(&request);
    if (is_fine && strlen(request.url) >= sizeof(request.url))
        abort();
}

/* The body in two pieces, as a network may bring it; then the rest of the page, as long as it is
 * kept. */
static void list_read(struct fuzz_input *input)
{
    bool is_again = false;
    size_t first = input->left / 3;
    url_prepare();
    http_list_begin(&request);
    bool is_fine = http_list_feed(&request, (const char *)input->at, first) &&
                   http_list_feed(&request, (const char *)input->at + first, input->left - first);
    if (is_fine && http_list_fits(&request) && http_list_end(&request, &is_again) == FB_OK &&
        !is_again) {
        page_check();
        for (uint32_t i = 0; i < PAGES_MAX && http_list_kept(&http, &task); i++)
            page_check();
    }
    http_list_drop(&request);
    http_pages_free(&http);
    memset(http.pages, 0, sizeof(http.pages));
}

/* Lines of the input are the answers of one request after the other. */
static void commit_read(struct fuzz_input *input)
{
    static const long codes[CODES] = {200, 200, 200, 200, 404, 400, 503, 204};
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        enum fb_status status = FB_IO;
        bool is_temporary = false;
        long code = codes[fuzz_below(input, CODES)];
        const uint8_t *end = input->left > 0 ? memchr(input->at, '\n', input->left) : NULL;
        size_t size = end != NULL ? (size_t)(end - input->at) : input->left;
        size_t kept = size < HTTP_ANSWER_MAX - 1 ? size : HTTP_ANSWER_MAX - 1;
        url_prepare();
        memcpy(request.answer, input->at, kept);
        request.answer[kept] = '\0';
        request.answer_size = (uint32_t)kept;
        request.said.code[0] = '\0';
        http_answer_end(&request);
        input->at += size + (end != NULL);
        input->left -= size + (end != NULL);
        status = http_answer_status(&request, code, &is_temporary);
        if (http.dialect->advance == NULL || !http.dialect->advance(&request, code, &status))
            return;
    }
}

static void headers_read(struct fuzz_input *input)
{
    while (input->left > 0) {
        const uint8_t *end = memchr(input->at, '\n', input->left);
        size_t size = end != NULL ? (size_t)(end - input->at) + 1 : input->left;
        char *line = malloc(size); /* of exactly its size, as no zero ends it */
        memcpy(line, input->at, size);
        if (header_take(line, 1, size, &request) != size)
            abort();
        free(line);
        input->at += size;
        input->left -= size;
        if (size <= 2)
            return;
    }
}

static void task_make(struct fuzz_input *input)
{
    static const enum fb_origin_verb verbs[] = {FB_ORIGIN_LIST, FB_ORIGIN_COMMIT, FB_ORIGIN_STAT,
                                                FB_ORIGIN_FETCH};
    static unsigned char page[FB_LOCAL_PAGE_BYTES];
    static const char name[] = "weights/a b%";
    static char cursor[FB_LOCAL_CURSOR_MAX + 1];
    uint32_t page_bytes = 64u << fuzz_below(input, 10);
    task = (struct fb_origin_task){.verb = verbs[fuzz_below(input, 4)], .origin = &origin};
    task.bytes = (struct fb_bytes){.at = page, .size = page_bytes};
    task.object.size = fuzz_below(input, 4) * BLOCK_BYTES + fuzz_below(input, 2);
    task.object.version = 7;
    task.cursor.text = cursor;
    cursor[0] = '\0';
    task.limit = 7;
    task.as_version = 7;
    task.cursor.skip = fuzz_below(input, 3);
    if (fuzz_below(input, 2) > 0 || task.verb != FB_ORIGIN_LIST) {
        memcpy(task.object.name, name, sizeof(name));
        task.object.name_length = sizeof(name) - 1;
    }
    fb_object_identify(&task.object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.at = data, .left = size};
    if (request.easy == NULL) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        request.easy = curl_easy_init();
        snprintf(settings.origin.endpoint, sizeof(settings.origin.endpoint), "http://127.0.0.1:9");
        snprintf(settings.origin.bucket, sizeof(settings.origin.bucket), "bucket");
        snprintf(settings.origin.account, sizeof(settings.origin.account), "account");
        settings.core.block_size_bytes = BLOCK_BYTES;
        fb_log_open(FB_LOG_ERROR, 0);
    }
    http.dialect = fuzz_below(&input, 2) > 0 ? &http_azure : &http_s3;
    http.secret_size = http.dialect == &http_azure ? 4 : 0;
    snprintf(settings.origin.prefix, sizeof(settings.origin.prefix), "%s",
             fuzz_below(&input, 2) > 0 ? "data/" : "");
    task_make(&input);
    request.http = &http;
    request.task = &task;
    request.step = 0;
    request.said = (struct http_answer){.size = 0};
    request.reason = NULL;
    request.probe = HTTP_PROBE_BUCKET;
    request.tries = 1;
    headers_read(&input);
    (void)pause_ns(&request);
    (void)http_version_of(&request);
    if (task.verb == FB_ORIGIN_FETCH || task.verb == FB_ORIGIN_STAT) {
        bool is_temporary;
        task.bytes.size = BLOCK_BYTES;
        request.range_bytes = BLOCK_BYTES;
        request.moved = 0;
        (void)http_answer_status(&request, fuzz_below(&input, 2) > 0 ? 200 : 206, &is_temporary);
    }
    if (task.verb == FB_ORIGIN_LIST)
        list_read(&input);
    if (task.verb == FB_ORIGIN_COMMIT)
        commit_read(&input);
    free(request.body);
    request.body = NULL;
    request.body_size = 0;
    return 0;
}
