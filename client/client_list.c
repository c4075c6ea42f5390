/* Listing a folder: the origin's pages, in the order of their bytes, merged with what the origin
 * does not show yet, or shows still, which the daemon's metadata store knows; and with what that
 * store alone has. A folder that has removed names, and that an origin of objects shows still, is
 * there if it has another name, or such a folder, below it.
 *
 * An object store's pages are in the order of keys (FB_LOCAL_LIST_KEYED): "a", "a-b", "a/". So a
 * name may come as an object, and many pages later as a folder, which counts. Names that may come
 * again are those that the last one begins with: a short list. Of these a file is held until no
 * folder of its name can come, and what was given is not given once more. What is known is put in
 * that order, too, where a name may stand twice: as a file, and as a folder. */
#include "client/client_internal.h"
#include "client/client_names.h"
#include "client/protocol/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One stream of entries that came as a page; at: the next one; state: the reply's. */
struct page {
    const unsigned char *bytes;
    uint32_t size, at, state;
    struct fb_local_entry entry;
    char name[FB_OBJECT_NAME_MAX + 1];
};

/* Bytes that grow: pages one behind the other. */
struct pages {
    unsigned char *bytes;
    uint32_t size;
};

/* A name that may come again; each begins with the one below. */
struct shown {
    struct shown *below;
    uint64_t size;
    bool is_held;
    char name[];
};

struct listing {
    struct pages known;
    struct page pending; /* of what is known, from the next entry on */
    forebay_entry_call *call;
    void *context;
    bool is_plain; /* links are entries */
    bool is_keyed; /* the origin's pages are, and what is known */
    bool stands;   /* FB_LOCAL_LIST_STANDS */
    struct shown *shown;
    struct pages *emptied; /* folders to be looked into come here; NULL: they were */
    int result;            /* of the last call */
};

/* Reads the entry at `at`; false: there is none. Errors: -EPROTO in *code. */
static bool page_peek(struct page *page, int *code)
{
    FB_ASSERT(page->at <= page->size);
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
    FB_ASSERT(fb_local_entry_bytes(page->entry.name_length) <= page->size - page->at);
    page->at += fb_local_entry_bytes(page->entry.name_length);
}

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

static void shown_add(struct listing *listing, const char *name, uint64_t size, bool is_held)
{
    if (listing->shown != NULL) /* shown_pass has left only what the name begins with */
        FB_ASSERT(strncmp(name, listing->shown->name, strlen(listing->shown->name)) == 0);
    struct shown *shown = malloc(sizeof(*shown) + strlen(name) + 1);
    if (shown == NULL) {
        listing->result = -ENOMEM;
        return;
    }
    *shown = (struct shown){.below = listing->shown, .size = size, .is_held = is_held};
    memcpy(shown->name, name, strlen(name) + 1);
    listing->shown = shown;
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
    shown_add(listing, name, size, kind == FB_LOCAL_ENTRY_FILE);
    if (kind != FB_LOCAL_ENTRY_FILE)
        call(listing, name, size, kind);
}

/* An emptied folder: what marks it may come yet, and is looked for once its objects are gone. */
static void keyed_hide(struct listing *listing, const char *name)
{
    shown_pass(listing, name, true);
    if (listing->shown != NULL && strcmp(listing->shown->name, name) == 0)
        held_give(listing, listing->shown);
    else
        shown_add(listing, name, 0, false);
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

static int order_of(const struct listing *listing, const struct page *first,
                    const struct page *second)
{
    return listing->is_keyed
               ? fb_local_key_order(first->name, first->entry.kind == FB_LOCAL_ENTRY_FOLDER,
                                    second->name, second->entry.kind == FB_LOCAL_ENTRY_FOLDER)
               : strcmp(first->name, second->name);
}

/* Of what is removed and what the origin shows under one name: the first means the second, not
 * something of another kind. */
static int gone_merge(struct listing *listing, const struct page *origin)
{
    const struct fb_local_entry *gone = &listing->pending.entry;
    bool is_folder = origin->entry.kind == FB_LOCAL_ENTRY_FOLDER;
    bool is_it = (gone->kind == FB_LOCAL_ENTRY_FOLDER) == is_folder;
    bool is_to_find = listing->emptied != NULL;
    if (!is_it || (is_folder && !is_to_find && origin->entry.is_gone == 0))
        entry_give(listing, origin);
    else if (is_folder)
        keyed_hide(listing, origin->name);
    return is_it && is_folder && is_to_find
               ? pages_add(listing->emptied, origin->bytes + origin->at,
                           fb_local_entry_bytes(gone->name_length))
               : 0;
}

/* All of an origin's page, with what is pending before each of its entries. Of two entries of one
 * name the pending one counts, being later. */
static int pages_merge(struct listing *listing, struct page *origin)
{
    int code = 0;
    while (listing->result == 0 && page_peek(origin, &code)) {
        bool has_pending = page_peek(&listing->pending, &code);
        int order = has_pending ? order_of(listing, &listing->pending, origin) : 1;
        if (order > 0) {
            entry_give(listing, origin);
            page_pass(origin);
            continue;
        }
        if (order == 0 && listing->pending.entry.is_gone != 0)
            code = gone_merge(listing, origin);
        else
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

/* Asks for a page of the origin's, which is the client's until its next call; the request is then
 * that for the next one. is_last: there is none. */
static int page_ask(struct forebay_client *client, const char *folder,
                    struct fb_local_request *request, struct page *page, bool *is_last)
{
    struct fb_local_reply reply;
    int code = client_call(client, request, folder, &reply);
    if (code == 0 &&
        (reply.cursor_length > reply.page_size || reply.cursor_length > FB_LOCAL_CURSOR_MAX))
        code = -EPROTO;
    if (code != 0)
        return code;
    *page = (struct page){
        .bytes = client->page, .size = reply.page_size - reply.cursor_length, .state = reply.state};
    request->index = reply.index;
    request->cursor_length = reply.cursor_length;
    memcpy(request->text, client->page + page->size, reply.cursor_length);
    *is_last = reply.index == 0 && reply.cursor_length == 0;
    return 0;
}

/* Of two of known_key's entries. */
static int known_compare(const void *a, const void *b)
{
    const struct listing keyed = {.is_keyed = true};
    struct page first, second;
    int code = 0;
    first.bytes = *(const unsigned char *const *)a;
    second.bytes = *(const unsigned char *const *)b;
    first.at = second.at = 0;
    first.size = second.size = UINT32_MAX;
    (void)page_peek(&first, &code);
    (void)page_peek(&second, &code);
    return order_of(&keyed, &first, &second);
}

/* The origin's pages are keyed: what is known is put in their order. */
static int known_key(struct listing *listing)
{
    struct page page = {.bytes = listing->known.bytes, .size = listing->known.size};
    struct pages sorted = {.bytes = NULL};
    size_t count = 0;
    int code = 0;
    const unsigned char **entries =
        malloc((page.size / sizeof(struct fb_local_entry) + 1) * sizeof(*entries));
    for (; entries != NULL && page_peek(&page, &code); page_pass(&page))
        entries[count++] = page.bytes + page.at;
    FB_ASSERT(count <= page.size / sizeof(struct fb_local_entry));
    code = entries == NULL ? -ENOMEM : code;
    if (code == 0)
        qsort(entries, count, sizeof(*entries), known_compare);
    for (size_t i = 0; i < count && code == 0; i++) {
        struct fb_local_entry entry;
        memcpy(&entry, entries[i], sizeof(entry));
        code = pages_add(&sorted, entries[i], fb_local_entry_bytes(entry.name_length));
    }
    free(entries);
    free(listing->known.bytes);
    listing->known = sorted;
    listing->pending = (struct page){.bytes = sorted.bytes, .size = sorted.size};
    listing->is_keyed = true;
    return code;
}

/* What a page says of the folder. */
static int page_note(struct forebay_client *client, struct listing *listing,
                     const struct page *page)
{
    bool is_keyed = (page->state & FB_LOCAL_LIST_KEYED) != 0;
    client->has_objects = client->has_objects || is_keyed;
    listing->stands = listing->stands || (page->state & FB_LOCAL_LIST_STANDS) != 0;
    return is_keyed && !listing->is_keyed ? known_key(listing) : 0;
}

/* All that the metadata store alone has in the folder. */
static int entries_read(struct forebay_client *client, const char *folder, struct pages *pages)
{
    struct fb_local_request request = {.kind = FB_LOCAL_ENTRIES};
    bool is_last = false;
    int code = 0;
    while (code == 0 && !is_last) {
        struct page page;
        code = page_ask(client, folder, &request, &page, &is_last);
        if (code == 0)
            code = pages_add(pages, page.bytes, page.size);
    }
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

/* What the daemon's store knows of a folder. */
static int known_read(struct forebay_client *client, const char *folder, struct listing *listing)
{
    struct fb_local_request request = {.kind = FB_LOCAL_PENDING, .index = client->is_keeping};
    struct fb_local_reply reply;
    struct pages pending = {.bytes = NULL}, entries = {.bytes = NULL};
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
        code = all_merge(&first, &second, listing->is_plain, &listing->known);
    listing->pending = (struct page){.bytes = listing->known.bytes, .size = listing->known.size};
    if (code == 0 && client->is_keeping)
        code = known_key(listing);
    free(pending.bytes);
    free(entries.bytes);
    return code;
}

static int entry_found(void *context, const struct forebay_entry *entry)
{
    (void)context;
    (void)entry;
    return 1;
}

/* The listing is over; what is held is given, unless it failed. Returns the last call's result. */
static int listing_end(struct listing *listing, int code)
{
    listing->result = code != 0 && listing->result == 0 ? code : listing->result;
    shown_pass(listing, NULL, false);
    free(listing->known.bytes);
    return code != 0 ? code : listing->result;
}

/* Has a folder a name of its own, or stands without one? 1: yes. 0: none but in its emptied
 * folders. */
static int names_find(struct forebay_client *client, const char *folder, struct pages *emptied)
{
    struct fb_local_request request = {.kind = FB_LOCAL_LIST_PLAIN};
    struct listing listing = {.call = entry_found, .is_plain = true, .emptied = emptied};
    bool is_last = false;
    int code = known_read(client, folder, &listing);
    while (code == 0 && listing.result == 0 && !is_last) {
        struct page page;
        code = page_ask(client, folder, &request, &page, &is_last);
        if (code == 0)
            code = page_note(client, &listing, &page);
        if (code == 0)
            code = pages_merge(&listing, &page);
    }
    code = code == -ENOENT ? 0 : code;
    if (code == 0)
        code = pending_end(&listing);
    code = listing_end(&listing, code);
    return code == 0 && listing.stands ? 1 : code;
}

/* A folder to be looked into, as a path behind another. Errors: -ENAMETOOLONG. */
static int path_add(struct pages *paths, const char *folder, const char *name)
{
    char path[2 * FB_OBJECT_NAME_MAX + 2];
    int length = snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
    if (length > FB_OBJECT_NAME_MAX)
        return -ENAMETOOLONG;
    return pages_add(paths, (const unsigned char *)path, (uint32_t)length + 1);
}

/* The emptied folders of a folder that are to be looked into, too. */
static int paths_add(struct pages *paths, const char *folder, const struct pages *emptied)
{
    struct page page = {.bytes = emptied->bytes, .size = emptied->size};
    int code = 0;
    while (page_peek(&page, &code)) {
        code = path_add(paths, folder, page.name);
        page_pass(&page);
    }
    return code;
}

/* Is there a file? 1: yes. */
static int file_find(struct forebay_client *client, const char *name, uint64_t *size)
{
    struct client_look look;
    int code = client_look(client, name, &look);
    if (code != 0)
        return code == -ENOENT ? 0 : code;
    *size = look.facts.size_bytes;
    return look.attributes.mode == 0 || S_ISREG(look.attributes.mode);
}

/* What an emptied folder is now: it has names, here or in one that is in it, each looked into after
 * the other; or it is gone, and a file may have its name, which the origin shows as the folder. */
enum { EMPTIED_GONE, EMPTIED_FOLDER, EMPTIED_FILE };

static int emptied_find(struct forebay_client *client, const char *above, const char *name,
                        uint64_t *size)
{
    struct pages paths = {.bytes = NULL};
    int code = path_add(&paths, above, name), is_file = 0;
    for (uint32_t at = 0; code == 0 && at < paths.size;) {
        char folder[FB_OBJECT_NAME_MAX + 1];
        struct pages emptied = {.bytes = NULL};
        FB_ASSERT(strlen((const char *)paths.bytes + at) <= FB_OBJECT_NAME_MAX); /* path_add */
        snprintf(folder, sizeof(folder), "%s", (const char *)paths.bytes + at);
        code = names_find(client, folder, &emptied);
        if (code == 0)
            code = paths_add(&paths, folder, &emptied);
        free(emptied.bytes);
        if (code == 0 && at == 0)
            is_file = file_find(client, folder, size);
        else if (code == 0)
            code = file_find(client, folder, &(uint64_t){0});
        at += (uint32_t)strlen(folder) + 1;
    }
    free(paths.bytes);
    if (code != 0)
        return code < 0 ? code : EMPTIED_FOLDER;
    return is_file > 0 ? EMPTIED_FILE : is_file;
}

/* What the shown page's present entry, an emptied folder, is now. */
static int emptied_mark(struct forebay_client *client, const char *folder, const struct page *shown,
                        struct pages *kept)
{
    struct fb_local_entry entry = shown->entry;
    int found = emptied_find(client, folder, shown->name, &entry.size);
    if (found < 0)
        return found;
    entry.is_gone = found == EMPTIED_GONE;
    entry.kind = found == EMPTIED_FILE ? FB_LOCAL_ENTRY_FILE : FB_LOCAL_ENTRY_FOLDER;
    memcpy(kept->bytes + shown->at, &entry, sizeof(entry));
    return 0;
}

/* Marks the emptied folders of an origin's page. */
static int emptied_settle(struct forebay_client *client, const char *folder,
                          const struct listing *listing, struct pages *kept)
{
    struct page known = listing->pending, shown = {.bytes = kept->bytes, .size = kept->size};
    int code = 0;
    while (code == 0 && page_peek(&known, &code) && page_peek(&shown, &code)) {
        int order = order_of(listing, &known, &shown);
        bool is_emptied = order == 0 && known.entry.is_gone != 0 &&
                          known.entry.kind == FB_LOCAL_ENTRY_FOLDER &&
                          shown.entry.kind == FB_LOCAL_ENTRY_FOLDER;
        if (is_emptied)
            code = emptied_mark(client, folder, &shown, kept);
        if (order <= 0)
            page_pass(&known);
        if (order >= 0)
            page_pass(&shown);
    }
    return code;
}

/* The origin's page, which is copied first if more is asked for meanwhile. */
static int page_take(struct forebay_client *client, const char *folder, struct listing *listing,
                     struct page *page)
{
    struct pages kept = {.bytes = NULL};
    int code = page_note(client, listing, page);
    if (code == 0 && listing->pending.size > 0)
        code = pages_add(&kept, page->bytes, page->size);
    if (code == 0 && kept.bytes != NULL) {
        code = emptied_settle(client, folder, listing, &kept);
        page->bytes = kept.bytes;
    }
    if (code == 0)
        code = pages_merge(listing, page);
    free(kept.bytes);
    return code;
}

/* The origin's pages, each with what is known before its entries. */
static int origin_walk(struct forebay_client *client, const char *folder, struct listing *listing)
{
    struct fb_local_request request = {.kind =
                                           listing->is_plain ? FB_LOCAL_LIST_PLAIN : FB_LOCAL_LIST};
    bool is_last = false;
    int code = 0;
    while (code == 0 && listing->result == 0 && !is_last) {
        struct page page;
        code = page_ask(client, folder, &request, &page, &is_last);
        if (code == -ENOENT && listing->pending.size > 0)
            return 0; /* a folder that the origin will have */
        if (code == 0)
            code = page_take(client, folder, listing, &page);
    }
    return code;
}

static int list(struct forebay_client *client, const char *folder, struct listing *listing)
{
    int code = known_read(client, folder, listing);
    if (code == 0)
        code = origin_walk(client, folder, listing);
    if (code == -ENOENT && is_kept_folder(client, folder))
        code = 0;
    if (code == 0)
        code = pending_end(listing);
    return listing_end(listing, code);
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

int client_folder_find(struct forebay_client *client, const char *folder)
{
    struct listing listing = {.call = entry_found, .is_plain = true};
    int code = list(client, folder, &listing);
    return code != 0 || listing.stands ? code : -ENOENT;
}
