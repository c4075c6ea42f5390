/* Removes the objects that mark a folder at an object store: those of consoles ("folder/") and of
 * Hadoop ("folder_$folder$"), which have no bytes.
 *
 *     HEAD "folder/" --> LIST below it: more than that: ENOTEMPTY --> DELETE "folder/", if it is
 *         there --> HEAD "folder_$folder$" --> DELETE it, if it is there
 *
 *  1. What has bytes marks nothing, and stays: ENOTEMPTY.
 *  2. What comes into the folder meanwhile is not harmed: the folder is there by it. */
#include "hw/origin/origin_http.h"

#include "core/panic.h"

#include <errno.h>
#include <string.h>

enum step { STEP_HEAD = HTTP_STEP_HEAD, STEP_LIST, STEP_REMOVE, STEP_OTHER, STEP_OTHER_REMOVE };

static bool is_at(const struct http_request *request, enum step first, enum step second)
{
    return request->task->verb == FB_ORIGIN_CHANGE &&
           (request->step == (uint32_t)first || request->step == (uint32_t)second);
}

bool http_marks_is_head(const struct http_request *request)
{
    return is_at(request, STEP_HEAD, STEP_OTHER);
}

bool http_marks_is_list(const struct http_request *request)
{
    return is_at(request, STEP_LIST, STEP_LIST);
}

bool http_marks_is_removal(const struct http_request *request)
{
    return is_at(request, STEP_REMOVE, STEP_OTHER_REMOVE);
}

const char *http_marks_tail(const struct http_request *request)
{
    bool is_any = request->task->verb == FB_ORIGIN_CHANGE;
    return !is_any ? "" : is_at(request, STEP_OTHER, STEP_OTHER_REMOVE) ? HTTP_MARK : "/";
}

static uint64_t count_of(const char *text, const char *element)
{
    uint64_t count = 0;
    while ((text = strstr(text, element)) != NULL) {
        text += strlen(element);
        count++;
    }
    return count;
}

static bool end(struct http_request *request, int error)
{
    request->task->change->error = error;
    return false;
}

/* part: does "folder/" mark it? loaded: how many were removed. */
bool http_marks_advance(struct http_request *request, long answer, enum fb_status *status)
{
    bool is_there = answer == 200, has_bytes = is_there && request->said.size > 0;
    uint64_t count;
    if (*status != FB_OK)
        return false;
    switch ((enum step)request->step) {
    case STEP_HEAD:
        if (has_bytes)
            return end(request, ENOTEMPTY);
        request->part = is_there;
        request->step = STEP_LIST;
        return true;
    case STEP_LIST:
        count = count_of(request->answer, "<Contents>") + count_of(request->answer, "<Blob>");
        if (count > request->part)
            return end(request, ENOTEMPTY);
        request->step = request->part > 0 ? STEP_REMOVE : STEP_OTHER;
        return true;
    case STEP_REMOVE:
        request->loaded++;
        request->step = STEP_OTHER;
        return true;
    case STEP_OTHER:
        if (!is_there || has_bytes)
            return end(request, request->loaded > 0 ? 0 : ENOENT);
        request->step = STEP_OTHER_REMOVE;
        return true;
    case STEP_OTHER_REMOVE:
        return end(request, 0);
    }
    FB_ASSERT(false);
    return false;
}
