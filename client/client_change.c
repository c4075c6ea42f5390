/* Names beside bytes: what has a name, whatever it is, and how that is changed; see attributes.h.
 * For the mount. */
#include "client/client_internal.h"
#include "client/client_names.h"

#include <errno.h>
#include <string.h>

static_assert(sizeof(struct fb_local_change) < FB_LOCAL_CURSOR_MAX, "its text has room behind it");

int client_look(struct forebay_client *client, const char *name, struct client_look *look)
{
    struct fb_local_request request = {.kind = FB_LOCAL_LOOK};
    struct fb_local_reply reply;
    int code = client_call(client, &request, name, &reply);
    if (code != 0)
        return code;
    if (reply.page_size != sizeof(look->attributes))
        return -EPROTO;
    memcpy(&look->attributes, client->page, sizeof(look->attributes));
    look->facts = (struct forebay_facts){
        .size_bytes = reply.size,
        .version = reply.version_of_object,
        .block_size_bytes = reply.block_size,
        .is_at_origin = reply.state == 0,
        .level = reply.level <= FB_LEVEL_ORIGIN ? (enum forebay_level)reply.level : FOREBAY_ORIGIN};
    look->handle = reply.object;
    return 0;
}

bool client_change_put(struct fb_local_request *request, const struct client_change *change)
{
    const struct fb_local_change head = {.kind = change->kind,
                                         .which = change->which,
                                         .flags = change->flags,
                                         .attributes = change->attributes};
    FB_ASSERT(change->kind > 0);
    FB_ASSERT(change->kind < FB_CHANGE_COUNT);
    FB_ASSERT(change->text != NULL || change->text_size == 0);
    if (change->text_size > FB_LOCAL_CURSOR_MAX - sizeof(head))
        return false;
    memcpy(request->text, &head, sizeof(head));
    if (change->text_size > 0)
        memcpy(request->text + sizeof(head), change->text, change->text_size);
    request->cursor_length = (uint32_t)(sizeof(head) + change->text_size);
    return true;
}

int client_change(struct forebay_client *client, const char *name,
                  const struct client_change *change, struct client_page *page)
{
    struct fb_local_request request = {.kind = FB_LOCAL_CHANGE};
    struct fb_local_reply reply;
    if (!client_change_put(&request, change))
        return -E2BIG;
    int code = client_call(client, &request, name, &reply);
    if (code == -EINVAL)
        return -EOPNOTSUPP; /* the origin has nothing of the kind */
    if (code != 0)
        return code;
    if (reply.index > INT32_MAX)
        return -EPROTO;
    if (page != NULL)
        *page = (struct client_page){.at = client->page, .size = reply.page_size};
    return -(int)reply.index;
}
