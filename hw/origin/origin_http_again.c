/* Tries do not multiply: the core fetches a block a second time when the first fetch takes long.
 * That helps while the first has no answer; once it has had a bad one, it alone tries on. */
#include "hw/origin/origin_http.h"
#include "hw/origin/http_range.h"

static bool is_same_block(const struct fb_origin_task *one, const struct fb_origin_task *other)
{
    return one->verb == FB_ORIGIN_FETCH && other->verb == FB_ORIGIN_FETCH &&
           one->object.handle == other->object.handle && one->offset == other->offset;
}

bool http_is_tried(const struct http_origin *http, const struct fb_origin_task *task)
{
    for (uint32_t i = 0; i < http->settings->requests_max; i++) {
        const struct http_request *other = &http->requests[i];
        if (other->has_failed && other->task != task && is_same_block(other->task, task))
            return true;
    }
    return false;
}

void http_tried_end(struct http_origin *http, const struct fb_origin_task *task)
{
    struct fb_origin_task *ended = NULL, *last = NULL;
    pthread_mutex_lock(&http->mutex);
    for (struct fb_origin_task **at = &http->todo_head; *at != NULL;) {
        struct fb_origin_task *waiting = *at;
        if (!is_same_block(waiting, task)) {
            last = waiting;
            at = &waiting->next;
            continue;
        }
        *at = waiting->next;
        waiting->next = ended;
        ended = waiting;
    }
    http->todo_tail = last;
    pthread_mutex_unlock(&http->mutex);
    while (ended != NULL) {
        struct fb_origin_task *next = ended->next;
        ended->status = task->status;
        ended->is_final = task->is_final;
        fb_offload_post(http->origin->context.offload, &ended->offload);
        ended = next;
    }
}
