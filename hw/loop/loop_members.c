/* Who the members are: each list of them becomes a view, and the view an event; and until when this
 * node is one of them. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/loop/loop_internal.h"

#include <stdlib.h>

/* Makes the members the node's view; the one before goes. false: no view can be made of them. */
static bool view_set(struct fb_loop *loop, const struct fb_member_settings *list, uint32_t count,
                     uint64_t version)
{
    const struct fb_settings *settings = loop->settings;
    if (count == 0)
        return false;
    uint64_t size_bytes = fb_view_size_bytes(count);
    struct fb_member *members = calloc(count, sizeof(*members));
    struct fb_view *view = aligned_alloc(8, (size_bytes + 7) / 8 * 8);
    FB_ASSERT(members != NULL && view != NULL);
    for (uint32_t i = 0; i < count; i++)
        members[i] = list[i].member;
    uint32_t ranks = settings->core.replicas < count ? (uint32_t)settings->core.replicas : count;
    const struct fb_view_plan plan = {.version = version,
                                      .members = members,
                                      .member_count = count,
                                      .ranks_count = ranks,
                                      .placement = (enum fb_placement)settings->core.placement};
    bool is_fine = fb_view_build_plan(view, size_bytes, &plan) == FB_OK;
    if (is_fine) {
        const struct fb_record_view record = {
            .version = version, .ranks_count = ranks, .member_count = count};
        const struct fb_event event = {.kind = FB_EVENT_VIEW, .view = view};
        loop->feed.now_ns = fb_clock_ns();
        fb_recorder_view(&loop->recorder, loop->feed.now_ns, &record, members);
        loop_step(loop, &event);
        loop->member_count = count;
    }
    free(members);
    free(is_fine ? loop->view : view);
    loop->view = is_fine ? view : loop->view;
    return is_fine;
}

static void members_change(struct fb_members_context *context, const struct fb_member_list *list)
{
    struct fb_loop *loop = FB_CONTAINER(context, struct fb_loop, membership);
    struct fb_error error = {.text = ""};
    fb_tcp_peers_set(&loop->tcp, list->members, list->count, &error);
    bool is_fine =
        !fb_error_is_set(&error) && view_set(loop, list->members, list->count, list->revision);
    loop->members_left_out = list->left_out;
    fb_log(is_fine ? FB_LOG_INFO : FB_LOG_ERROR, "members_changed",
           "members=%u left_out=%u reason=\"%s\"", list->count, list->left_out,
           fb_error_is_set(&error) ? error.text
           : is_fine               ? ""
                                   : "no placement can be made of them: the last one stands");
}

static void members_fence(struct fb_members_context *context, uint64_t until_ns)
{
    struct fb_loop *loop = FB_CONTAINER(context, struct fb_loop, membership);
    bool is_fenced = until_ns == 0;
    if (is_fenced && !loop->was_fenced)
        fb_log(FB_LOG_ERROR, "fenced",
               "reason=\"the lease has run out\" remedy=\"it joins again when etcd answers\"");
    if (!is_fenced && loop->was_fenced)
        fb_log(FB_LOG_INFO, "rejoined", "node=%u", loop->settings->node);
    loop->was_fenced = is_fenced;
    loop->standing.member_until_ns = until_ns;
}

void loop_members_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_settings *settings = loop->settings;
    struct fb_member_list list = {.members = NULL};
    FB_ASSERT(loop->members == NULL);
    loop->standing.member_until_ns = UINT64_MAX;
    loop->membership = (struct fb_members_context){.settings = settings,
                                                   .offload = &loop->offload,
                                                   .change = members_change,
                                                   .fence = members_fence};
    loop->members = fb_members_open(&loop->membership, error);
    if (fb_error_is_set(error))
        return;
    if (loop->members != NULL)
        list = fb_members_first(loop->members, &loop->standing.member_until_ns);
    bool is_fine = list.members != NULL
                       ? view_set(loop, list.members, list.count, list.revision)
                       : view_set(loop, settings->members, settings->member_count, 1);
    if (!is_fine)
        fb_error_set(error, "members: no placement can be made of them");
    if (!fb_error_is_set(error))
        fb_tcp_peers_set(&loop->tcp, list.members != NULL ? list.members : settings->members,
                         list.members != NULL ? list.count : settings->member_count, error);
    loop->members_left_out = list.left_out;
    fb_member_list_free(&list);
}
