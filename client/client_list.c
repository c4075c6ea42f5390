/* Listing a folder: the origin's pages, in the order of their bytes, merged with what the origin
 * does not show yet, or shows still, which the daemon's metadata store knows; and with what that
 * store alone has.
 *
 * An object store's pages are in the order of keys (FB_LOCAL_LIST_KEYED): "a", "a-b", "a/". So a
 * name may come as an object, and many pages later as a folder, which counts. Names that may come
 * again are those that the last one begins with: a short list. Of these a file is held until no
 * folder of its name can come, and what was given is not given once more. */
#include "client/client_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One stream of entries that came as a page; at: the next one. */
struct page {
    const unsigned char *bytes;
    uint32_t size, at;
    struct fb_local_entry entry;
    char name[FB_OBJECT_NAME_MAX + 1];
};

/* A name that may come again; each begins with the one below. */
struct shown {
    struct shown *below;
    uint64_t size;
    bool is_held;
    char name[];
};

struct listing {
    struct page pending;
    forebay_entry_call *call;
    void *context;
    bool is_plain; /* links are entries */
    bool is_keyed; /* the origin's pages are */
    bool stands;   /* FB_LOCAL_LIST_STANDS */
    struct shown *shown;
    int result; /* of the last call */
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

static void call(struct listing *listing, const char *name, uint64_t size,
                 enum fb_local_entry_kind kind)
{
    bool is_plain_folder = kind == FB_LOCAL_ENTRY_FOLDER && !listing->is_keyed;
    const struct forebay_entry entry = {.name = name,
                                        .size_bytes = is_plain_folder ? 0 : size,
                                        .is_folder = kind == FB_LOCAL_ENTRY_FOLDER,
                                        .is_other = kind == FB_LOCAL_ENTRY_OTHER};
    if (listing->result == 0)
        listing->result = listing->call(listing->context, &entry);
}

static void held_give(struct listing *listing, struct shown *shown)
{
    if (shown->is_held)
        call(listing, shown->name, shown->size, FB_LOCAL_ENTRY_FILE);
    shown->is_held = false;
}

/* Forgets the names that `name` does not begin with, and gives those that can be no folder any more
 * now that it comes; NULL: all. */
static void shown_pass(struct listing *listing, const char *name, bool is_folder)
{
    while (listing->shown != NULL) {
        struct shown *last = listing->shown;
        size_t length = strlen(last->name);
        if (name != NULL && strncmp(name, last->name, length) == 0) {
            if (fb_local_key_order(name, is_folder, last->name, true) > 0)
                held_give(listing, last);
            return;
        }
        held_give(listing, last);
        listing->shown = last->below;
        free(last);
    }
}

static void keyed_give(struct listing *listing, const char *name, uint64_t size,
                       enum fb_local_entry_kind kind)
{
    shown_pass(listing, name, kind == FB_LOCAL_ENTRY_FOLDER);
    struct shown *last = listing->shown;
    if (last != NULL && strcmp(last->name, name) == 0) {
        if (last->is_held && kind == FB_LOCAL_ENTRY_FOLDER) {
            last->is_held = false;
            call(listing, name, last->size, kind);
        }
        return;
    }
    struct shown *shown = malloc(sizeof(*shown) + strlen(name) + 1);
    if (shown == NULL) {
        listing->result = -ENOMEM;
        return;
    }
    *shown = (struct shown){.below = last, .size = size, .is_held = kind == FB_LOCAL_ENTRY_FILE};
    memcpy(shown->name, name, strlen(name) + 1);
    listing->shown = shown;
    if (!shown->is_held)
        call(listing, name, size, kind);
}

/* Hands the page's present entry to the caller, unless it is gone. */
static void entry_give(struct listing *listing, const struct page *page)
{
    enum fb_local_entry_kind kind = (enum fb_local_entry_kind)page->entry.kind;
    if (page->entry.is_gone != 0)
        return;
    if (listing->is_keyed)
        keyed_give(listing, page->name, page->entry.size, kind);
    else
        call(listing, page->name, page->entry.size, kind);
}

/* All of an origin's page, with what is pending before each of its entries. Of two entries of one
 * name the pending one counts, being later; that a file is gone says nothing of a folder. */
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
        bool is_folder = origin->entry.kind == FB_LOCAL_ENTRY_FOLDER;
        bool is_other = order == 0 && listing->pending.entry.is_gone != 0 && is_folder;
        entry_give(listing, is_other ? origin : &listing->pending);
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
        listing->is_keyed = code == 0 && (reply.state & FB_LOCAL_LIST_KEYED) != 0;
        client->has_objects = client->has_objects || listing->is_keyed;
        listing->stands =
            listing->stands || (code == 0 && (reply.state & FB_LOCAL_LIST_STANDS) != 0);
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

/* The listing is over; what is held is given, unless it failed. */
static void shown_end(struct listing *listing, int code)
{
    listing->result = code != 0 && listing->result == 0 ? code : listing->result;
    shown_pass(listing, NULL, false);
}

/* Bytes that grow: pages one behind the other. */
struct pages {
    unsigned char *bytes;
    uint32_t size;
};

static int pages_add(struct pages *pages, const unsigned char *bytes, uint32_t size)
{
    unsigned char *longer = realloc(pages->bytes, (size_t)pages->size + size + 1);
    if (longer == NULL || size > UINT32_MAX / 2 - pages->size) {
        pages->bytes = longer != NULL ? longer : pages->bytes;
        return -ENOMEM;
    }
    memcpy(longer + pages->size, bytes, size);
    pages->bytes = longer;
    pages->size += size;
    return 0;
}

/* All that the metadata store alone has in the folder. */
static int entries_read(struct forebay_client *client, const char *folder, struct pages *pages)
{
    struct fb_local_request request = {.kind = FB_LOCAL_ENTRIES};
    struct fb_local_reply reply;
    int code;
    do {
        code = client_call(client, &request, folder, &reply);
        if (code == 0 &&
            (reply.cursor_length > reply.page_size || reply.cursor_length > FB_LOCAL_CURSOR_MAX))
            code = -EPROTO;
        if (code != 0)
            return code;
        uint32_t size = reply.page_size - reply.cursor_length;
        code = pages_add(pages, client->page, size);
        request.cursor_length = reply.cursor_length;
        memcpy(request.text, client->page + size, reply.cursor_length);
    } while (code == 0 && request.cursor_length > 0);
    return code;
}

/* Takes the page's present entry over, unless only what leads elsewhere is wanted without it. */
static int entry_take(struct pages *all, struct page *from, bool has_others)
{
    bool is_wanted = has_others || from->entry.kind != FB_LOCAL_ENTRY_OTHER;
    uint32_t at = from->at;
    page_pass(from);
    return is_wanted ? pages_add(all, from->bytes + at, from->at - at) : 0;
}

/* What is pending, and what is the store's alone, in one. Of two of one name the pending one
 * counts, unless it is gone. */
static int all_merge(struct page *pending, struct page *entries, bool has_others, struct pages *all)
{
    int code = 0;
    while (code == 0) {
        bool has_pending = page_peek(pending, &code), has_entry = page_peek(entries, &code);
        if (code != 0 || (!has_pending && !has_entry))
            break;
        int order = !has_pending ? 1 : !has_entry ? -1 : strcmp(pending->name, entries->name);
        bool is_pending = order < 0 || (order == 0 && pending->entry.is_gone == 0);
        if (order == 0)
            page_pass(is_pending ? entries : pending);
        code = entry_take(all, is_pending ? pending : entries, is_pending || has_others);
    }
    return code;
}

/* A folder of which there is a record alone. */
static bool is_kept_folder(struct forebay_client *client, const char *folder)
{
    struct client_look look;
    return client->is_keeping && folder[0] != '\0' && client_look(client, folder, &look) == 0 &&
           S_ISDIR(look.attributes.mode);
}

static int list(struct forebay_client *client, const char *folder, struct listing *listing)
{
    struct fb_local_request request = {.kind = FB_LOCAL_PENDING};
    struct fb_local_reply reply;
    struct pages pending = {.bytes = NULL}, entries = {.bytes = NULL}, all = {.bytes = NULL};
    int code = client_call(client, &request, folder, &reply);
    if (code == -ENOSPC)
        return -EFBIG;
    if (code == 0)
        code = pages_add(&pending, client->page, reply.page_size);
    if (code == 0 && client->is_keeping)
        code = entries_read(client, folder, &entries);
    struct page first = {.bytes = pending.bytes, .size = pending.size};
    struct page second = {.bytes = entries.bytes, .size = entries.size};
    if (code == 0)
        code = all_merge(&first, &second, listing->is_plain, &all);
    listing->pending.bytes = all.bytes;
    listing->pending.size = all.size;
    if (code == 0)
        code = origin_walk(client, folder, listing);
    if (code == -ENOENT && is_kept_folder(client, folder))
        code = 0;
    if (code == 0)
        code = pending_end(listing);
    shown_end(listing, code);
    free(pending.bytes);
    free(entries.bytes);
    free(all.bytes);
    return code != 0 ? code : listing->result;
}

int forebay_client_list(struct forebay_client *client, const char *folder,
                        forebay_entry_call *entry_call, void *context)
{
    struct listing listing = {.call = entry_call, .context = context};
    return list(client, folder, &listing);
}

int client_list_plain(struct forebay_client *client, const char *folder,
                      forebay_entry_call *entry_call, void *context)
{
    struct listing listing = {.call = entry_call, .context = context, .is_plain = true};
    return list(client, folder, &listing);
}

static int entry_first(void *context, const struct forebay_entry *entry)
{
    (void)context;
    (void)entry;
    return 1;
}

int client_folder_find(struct forebay_client *client, const char *folder)
{
    struct listing listing = {.call = entry_first, .is_plain = true};
    int code = list(client, folder, &listing);
    return code != 0 || listing.stands ? code : -ENOENT;
}
