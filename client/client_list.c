/* Listing a folder: the origin's pages, in the order of their bytes, merged with what the origin
 * does not show yet, or shows still, which the daemon's metadata store knows. */
#include "client/client_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One stream of entries that came as a page; at: the next one. */
struct page {
    const unsigned char *bytes;
    uint32_t size, at;
    struct fb_local_entry entry;
    char name[FB_OBJECT_NAME_MAX + 1];
};

struct listing {
    struct page pending;
    forebay_entry_call *call;
    void *context;
    bool is_plain; /* links are entries */
    int result;    /* of the last call */
};

/* Reads the entry at `at`; false: there is none. Errors: -EPROTO in *code. */
static bool page_peek(struct page *page, int *code)
{
    if (page->at >= page->size || *code != 0)
        return false;
    bool is_sane = page->size - page->at >= sizeof(page->entry);
    if (is_sane)
        memcpy(&page->entry, page->bytes + page->at, sizeof(page->entry));
    is_sane = is_sane && page->entry.name_length <= FB_OBJECT_NAME_MAX &&
              fb_local_entry_bytes(page->entry.name_length) <= page->size - page->at;
    if (!is_sane) {
        *code = -EPROTO;
        return false;
    }
    memcpy(page->name, page->bytes + page->at + sizeof(page->entry), page->entry.name_length);
    page->name[page->entry.name_length] = '\0';
    return true;
}

static void page_pass(struct page *page)
{
    page->at += fb_local_entry_bytes(page->entry.name_length);
}

/* Hands the page's present entry to the caller, unless it is gone. */
static void entry_give(struct listing *listing, const struct page *page)
{
    const struct forebay_entry entry = {.name = page->name,
                                        .size_bytes = page->entry.size,
                                        .is_folder = page->entry.kind == FB_LOCAL_ENTRY_FOLDER,
                                        .is_other = page->entry.kind == FB_LOCAL_ENTRY_OTHER};
    if (page->entry.is_gone == 0)
        listing->result = listing->call(listing->context, &entry);
}

/* All of an origin's page, with what is pending before each of its entries. Of two entries of one
 * name the pending one counts, being later, but for folders. */
static int pages_merge(struct listing *listing, struct page *origin)
{
    int code = 0;
    while (listing->result == 0 && page_peek(origin, &code)) {
        bool has_pending = page_peek(&listing->pending, &code);
        int order = has_pending ? strcmp(listing->pending.name, origin->name) : 1;
        if (order > 0) {
            entry_give(listing, origin);
            page_pass(origin);
            continue;
        }
        entry_give(listing, &listing->pending);
        page_pass(&listing->pending);
        if (order == 0)
            page_pass(origin);
    }
    return code;
}

/* What is pending behind the origin's last entry. */
static int pending_end(struct listing *listing)
{
    int code = 0;
    while (listing->result == 0 && page_peek(&listing->pending, &code)) {
        entry_give(listing, &listing->pending);
        page_pass(&listing->pending);
    }
    return code;
}

static int origin_walk(struct forebay_client *client, const char *folder, struct listing *listing)
{
    struct fb_local_request request = {.kind =
                                           listing->is_plain ? FB_LOCAL_LIST_PLAIN : FB_LOCAL_LIST};
    do {
        struct fb_local_reply reply;
        int code = client_call(client, &request, folder, &reply);
        if (code == -ENOENT && listing->pending.size > 0)
            return 0; /* a folder that the origin will have */
        if (code == 0 &&
            (reply.cursor_length > reply.page_size || reply.cursor_length > FB_LOCAL_CURSOR_MAX))
            code = -EPROTO;
        struct page page = {.bytes = client->page, .size = reply.page_size - reply.cursor_length};
        if (code == 0)
            code = pages_merge(listing, &page);
        if (code != 0)
            return code;
        request.index = reply.index;
        request.cursor_length = reply.cursor_length;
        memcpy(request.text, client->page + reply.page_size - reply.cursor_length,
               reply.cursor_length);
    } while ((request.index != 0 || request.cursor_length != 0) && listing->result == 0);
    return 0;
}

static int list(struct forebay_client *client, const char *folder, struct listing listing)
{
    struct fb_local_request request = {.kind = FB_LOCAL_PENDING};
    struct fb_local_reply reply;
    int code = client_call(client, &request, folder, &reply);
    if (code == -ENOSPC)
        return -EFBIG;
    unsigned char *bytes = code == 0 ? malloc((size_t)reply.page_size + 1) : NULL;
    if (code == 0 && bytes == NULL)
        return -ENOMEM;
    if (code == 0) {
        memcpy(bytes, client->page, reply.page_size);
        listing.pending.bytes = bytes;
        listing.pending.size = reply.page_size;
        code = origin_walk(client, folder, &listing);
    }
    if (code == 0)
        code = pending_end(&listing);
    free(bytes);
    return code != 0 ? code : listing.result;
}

int forebay_client_list(struct forebay_client *client, const char *folder,
                        forebay_entry_call *entry_call, void *context)
{
    return list(client, folder, (struct listing){.call = entry_call, .context = context});
}

int client_list_plain(struct forebay_client *client, const char *folder,
                      forebay_entry_call *entry_call, void *context)
{
    return list(client, folder,
                (struct listing){.call = entry_call, .context = context, .is_plain = true});
}
