/* Reads the listings of S3 (ListObjectsV2) and of Azure (List Blobs): XML by expat, as it comes.
 * Both have entries with a name and a size, folders with a name, and a word for the next page:
 *
 *     S3     Contents { Key Size }  CommonPrefixes { Prefix }  IsTruncated, NextContinuationToken
 *     Azure  Blob { Name Content-Length }  BlobPrefix { Name }    NextMarker
 *
 *  1. Names that the server has percent-encoded (S3: EncodingType url; Azure: Name Encoded="true")
 *     are decoded. Names that no object may have are left out; so is one that is longer than
 *     LISTING_TEXT_BYTES, which is never given cut. A folder that has only such stands as well.
 *  2. A server's page is put in the order of keys, since folders come behind objects there; each
 *     name is given once: a folder hides an object of its name, whose size goes with it. Over pages
 *     a client sees to that. Markers are an object of no bytes named as a folder, with or without a
 *     slash or HTTP_MARK behind it; where there was one of the last kind, a folder that has nothing
 *     below it is looked for under such a name.
 *  3. A page of the server that does not fit ours is kept for those that follow; its cursor is the
 *     server's word for it and the entries to skip. Where it is kept no more it is asked for again.
 *  4. What has another root than a listing is none. A server's empty page is passed over. One that
 *     gives the same word again, a document type (entities), or more than HTTP_PAGE_BYTES_MAX is
 *     refused. */
#include "client/protocol/page.h"
#include "hw/origin/origin_http.h"

#include "core/panic.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTING_TEXT_BYTES = FB_LOCAL_CURSOR_MAX + 1, EMPTY_PAGES_MAX = 1000 };

static const char word_too_long[] = "the listing's word for its next page is too long";

struct entry {
    char *name;
    uint64_t size;
    bool is_folder, is_encoded;
};

/* What is kept of a server's page. */
struct http_page {
    char folder[FB_OBJECT_NAME_MAX + 1];
    char *word, *next; /* the server's, for this page and for the one behind it */
    struct entry *entries;
    uint64_t count, room, used;
};

struct http_listing {
    XML_Parser parser;
    struct http_page *page;
    char prefix[FB_SETTINGS_PATH_MAX + FB_OBJECT_NAME_MAX + sizeof(HTTP_MARK)]; /* of all names */
    const char *root; /* that the first element is to be */
    bool has_root, is_broken;
    bool has_marks, is_first, is_entry, is_folder, is_name_encoded, is_all_encoded, is_last,
        is_full, is_cut;
    uint64_t bytes, seen, size;
    size_t text_size;
    uint32_t empty_pages;
    char name[LISTING_TEXT_BYTES], next[LISTING_TEXT_BYTES], text[LISTING_TEXT_BYTES];
};

static void page_free(struct http_page *page)
{
    for (uint64_t i = 0; page != NULL && i < page->count; i++)
        free(page->entries[i].name);
    if (page != NULL) {
        free(page->entries);
        free(page->word);
        free(page->next);
    }
    free(page);
}

static bool is_one_of(const char *word, const char *first, const char *second)
{
    return strcmp(word, first) == 0 || strcmp(word, second) == 0;
}

static void element_begin(void *context, const char *name, const char **attributes)
{
    struct http_listing *listing = context;
    if (!listing->has_root && strcmp(name, listing->root) != 0) {
        XML_StopParser(listing->parser, XML_FALSE);
        return;
    }
    listing->has_root = true;
    if (is_one_of(name, "Contents", "Blob"))
        listing->is_entry = true;
    if (is_one_of(name, "CommonPrefixes", "BlobPrefix"))
        listing->is_folder = true;
    if (strcmp(name, "Name") == 0)
        listing->is_name_encoded = attributes[0] != NULL && strcmp(attributes[0], "Encoded") == 0 &&
                                   strcmp(attributes[1], "true") == 0;
    listing->text_size = 0;
    listing->is_cut = false;
}

static void text_take(void *context, const char *text, int size)
{
    struct http_listing *listing = context;
    size_t room = LISTING_TEXT_BYTES - 1 - listing->text_size;
    size_t part = (size_t)size < room ? (size_t)size : room;
    memcpy(listing->text + listing->text_size, text, part);
    listing->text_size += part;
    listing->is_cut = listing->is_cut || part < (size_t)size;
}

/* Entities of a document type could make gigabytes of a few bytes; no store sends one. */
static void type_refuse(void *context, const char *name, const char *system, const char *public,
                        int has_subset)
{
    struct http_listing *listing = context;
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    XML_StopParser(listing->parser, XML_FALSE);
}

static uint32_t digit_of(char character)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = character != '\0' ? strchr(digits, character) : NULL;
    return at != NULL ? (uint32_t)(at - digits) % 16 : 16;
}

/* S3 writes a space as a plus. */
bool http_percent_decode(char *text, bool has_plus)
{
    char *to = text;
    bool is_whole = true;
    for (; *text != '\0'; text++) {
        uint32_t high = text[0] == '%' ? digit_of(text[1]) : 16;
        uint32_t low = high < 16 ? digit_of(text[2]) : 16;
        if (low < 16) {
            *to++ = (char)(high * 16 + low);
            is_whole = is_whole && (high > 0 || low > 0);
            text += 2;
        } else {
            *to++ = *text == '+' && has_plus ? ' ' : *text;
        }
    }
    *to = '\0';
    return is_whole;
}

/* An entry as the server wrote it: how it is encoded may only be said behind all. */
static void entry_add(struct http_listing *listing)
{
    struct http_page *page = listing->page;
    if (page->count == page->room) {
        uint64_t room = page->room > 0 ? 2 * page->room : 256;
        struct entry *entries = realloc(page->entries, room * sizeof(*entries));
        listing->is_full = listing->is_full || entries == NULL;
        if (entries == NULL)
            return;
        page->entries = entries;
        page->room = room;
    }
    char *copy = strdup(listing->name);
    listing->is_full = listing->is_full || copy == NULL;
    if (copy != NULL)
        page->entries[page->count++] = (struct entry){.name = copy,
                                                      .size = listing->size,
                                                      .is_folder = listing->is_folder,
                                                      .is_encoded = listing->is_name_encoded};
}

static bool entry_decode(const struct http_listing *listing, struct entry *entry)
{
    return (!listing->is_all_encoded && !entry->is_encoded) ||
           http_percent_decode(entry->name, listing->is_all_encoded);
}

/* Makes of an entry what is given; false: nothing. A marker's own name, that of the folder itself,
 * is seen and not given. */
static bool entry_clean(struct http_listing *listing, struct entry *entry)
{
    static const char marker[] = HTTP_MARK;
    size_t prefix = strlen(listing->prefix), tail = sizeof(marker) - 1;
    char *name = entry->name;
    bool is_whole = entry_decode(listing, entry);
    size_t length = strlen(name);
    if (length < prefix || memcmp(name, listing->prefix, prefix) != 0)
        return false;
    listing->seen++;
    if (entry->size == 0 && length > prefix + tail &&
        memcmp(name + length - tail, marker, tail) == 0) {
        name[length -= tail] = '\0';
        entry->is_folder = true;
        listing->has_marks = true;
    }
    if (length > prefix && name[length - 1] == '/') {
        name[--length] = '\0';
        entry->is_folder = true;
    }
    entry->size = entry->is_folder ? 0 : entry->size;
    length -= prefix;
    memmove(name, name + prefix, length + 1);
    return is_whole && length > 0 && length <= FB_OBJECT_NAME_MAX && strchr(name, '/') == NULL &&
           fb_object_name_is_fine(name, (uint32_t)length);
}

static void page_clean(struct http_listing *listing)
{
    struct http_page *page = listing->page;
    uint64_t kept = 0;
    for (uint64_t i = 0; i < page->count; i++) {
        if (entry_clean(listing, &page->entries[i]))
            page->entries[kept++] = page->entries[i];
        else
            free(page->entries[i].name);
    }
    page->count = kept;
}

static void element_end(void *context, const char *name)
{
    struct http_listing *listing = context;
    bool is_inside = listing->is_entry || listing->is_folder;
    char *text = listing->text;
    text[listing->text_size] = '\0';
    if ((listing->is_entry && is_one_of(name, "Key", "Name")) ||
        (listing->is_folder && is_one_of(name, "Prefix", "Name")))
        memcpy(listing->name, listing->is_cut ? "" : text,
               listing->is_cut ? 1 : listing->text_size + 1);
    if (is_inside && is_one_of(name, "Size", "Content-Length"))
        listing->size = strtoull(text, NULL, 10);
    if (!is_inside && strcmp(name, "EncodingType") == 0)
        listing->is_all_encoded = strcmp(text, "url") == 0;
    if (!is_inside && strcmp(name, "IsTruncated") == 0)
        listing->is_last = strcmp(text, "false") == 0;
    if (is_one_of(name, "NextContinuationToken", "NextMarker")) {
        memcpy(listing->next, text, listing->text_size + 1);
        listing->is_full = listing->is_full || listing->is_cut;
    }
    if (is_one_of(name, "Contents", "Blob") || is_one_of(name, "CommonPrefixes", "BlobPrefix")) {
        entry_add(listing);
        listing->is_entry = false;
        listing->is_name_encoded = false;
        listing->is_folder = false;
        listing->size = 0;
    }
    listing->text_size = 0;
}

const char *http_list_tail(const struct http_request *request)
{
    bool is_root = request->task->object.name_length == 0;
    return request->step == HTTP_STEP_MARK ? HTTP_MARK : is_root ? "" : "/";
}

void http_list_begin(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    bool is_first = task->cursor.skip == 0 && task->cursor.text[0] == '\0';
    uint32_t empty_pages = 0;
    if (request->listing != NULL) { /* after a server's empty page, or once more */
        is_first = request->listing->is_first;
        empty_pages = request->listing->empty_pages;
    }
    http_list_drop(request);
    struct http_listing *listing = calloc(1, sizeof(*listing));
    struct http_page *page = calloc(1, sizeof(*page));
    XML_Parser parser = XML_ParserCreate(NULL);
    FB_ASSERT(listing != NULL && page != NULL && parser != NULL);
    listing->parser = parser;
    listing->page = page;
    listing->root = request->http->dialect->list_root + 1;
    listing->is_first = is_first;
    listing->empty_pages = empty_pages;
    memcpy(page->folder, task->object.name, task->object.name_length + 1);
    page->word = strdup(task->cursor.text);
    FB_ASSERT(page->word != NULL);
    snprintf(listing->prefix, sizeof(listing->prefix), "%s%s%s", request->http->settings->prefix,
             task->object.name, http_list_tail(request));
    XML_SetUserData(parser, listing);
    XML_SetElementHandler(parser, element_begin, element_end);
    XML_SetCharacterDataHandler(parser, text_take);
    XML_SetStartDoctypeDeclHandler(parser, type_refuse);
    request->listing = listing;
}

void http_list_drop(struct http_request *request)
{
    if (request->listing == NULL)
        return;
    XML_ParserFree(request->listing->parser);
    page_free(request->listing->page);
    free(request->listing);
    request->listing = NULL;
}

static_assert(HTTP_PAGE_BYTES_MAX == 32 << 20, "the reason says so");

bool http_list_feed(struct http_request *request, const char *bytes, size_t size)
{
    struct http_listing *listing = request->listing;
    listing->bytes += size;
    if (listing->bytes > HTTP_PAGE_BYTES_MAX)
        request->reason = "a page of the listing has more than 32 MiB";
    if (listing->is_full)
        request->reason = word_too_long;
    if (listing->bytes > HTTP_PAGE_BYTES_MAX || listing->is_full)
        return false;
    listing->is_broken =
        listing->is_broken || XML_Parse(listing->parser, bytes, (int)size, 0) != XML_STATUS_OK;
    return true;
}

bool http_list_fits(struct http_request *request)
{
    struct http_listing *listing = request->listing;
    listing->is_broken =
        listing->is_broken || XML_Parse(listing->parser, "", 0, 1) != XML_STATUS_OK;
    if (!listing->is_broken || request->reason != NULL)
        return request->reason == NULL;
    request->reason =
        listing->has_root ? "the listing is no XML that can be read" : "the answer is no listing";
    return false;
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *first = a, *second = b;
    int order = strcmp(first->name, second->name);
    return order != 0 ? order : (int)second->is_folder - (int)first->is_folder;
}

static int key_compare(const void *a, const void *b)
{
    const struct entry *first = a, *second = b;
    return fb_local_key_order(first->name, first->is_folder, second->name, second->is_folder);
}

/* Each name once: a folder hides an object that is named as it is, and tells its size. */
static void page_sort(struct http_page *page)
{
    uint64_t kept = 0;
    if (page->count > 0)
        qsort(page->entries, page->count, sizeof(*page->entries), entry_compare);
    for (uint64_t i = 0; i < page->count; i++) {
        struct entry *last = kept > 0 ? &page->entries[kept - 1] : NULL;
        if (last == NULL || strcmp(last->name, page->entries[i].name) != 0) {
            page->entries[kept++] = page->entries[i];
            continue;
        }
        if (last->is_folder && !page->entries[i].is_folder)
            last->size = page->entries[i].size;
        free(page->entries[i].name);
    }
    page->count = kept;
    if (page->count > 0)
        qsort(page->entries, page->count, sizeof(*page->entries), key_compare);
}

/* Fills the task's page from where its cursor is, and moves that. true: more of it is left. */
static bool page_give(struct fb_origin_task *task, const struct http_page *page)
{
    uint64_t i = task->cursor.skip;
    task->moved = 0;
    while (i < page->count && fb_origin_entry(task, page->entries[i].name, page->entries[i].size,
                                              page->entries[i].is_folder))
        i++;
    bool is_left = i < page->count;
    task->cursor.skip = is_left ? i : 0;
    if (!is_left)
        snprintf(task->cursor.text, FB_LOCAL_CURSOR_MAX + 1, "%s", page->next);
    return is_left;
}

/* The least used one goes. */
static void page_keep(struct http_origin *http, struct http_page *page)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < HTTP_PAGES_MAX && http->pages[oldest] != NULL; i++) {
        if (http->pages[i] == NULL || http->pages[i]->used < http->pages[oldest]->used)
            oldest = i;
    }
    page_free(http->pages[oldest]);
    page->used = ++http->page_uses;
    http->pages[oldest] = page;
}

bool http_list_kept(struct http_origin *http, struct fb_origin_task *task)
{
    for (uint32_t i = 0; i < HTTP_PAGES_MAX && task->cursor.skip > 0; i++) {
        struct http_page *page = http->pages[i];
        if (page == NULL || strcmp(page->folder, task->object.name) != 0 ||
            strcmp(page->word, task->cursor.text) != 0)
            continue;
        page->used = ++http->page_uses;
        if (!page_give(task, page)) {
            page_free(page);
            http->pages[i] = NULL;
        }
        return true;
    }
    return false;
}

void http_pages_free(struct http_origin *http)
{
    for (uint32_t i = 0; i < HTTP_PAGES_MAX; i++)
        page_free(http->pages[i]);
}

/* Nothing is below the folder: it is marked by an object of that very name, or absent. */
static enum fb_status mark_end(struct http_request *request)
{
    struct http_listing *listing = request->listing;
    struct fb_origin_task *task = request->task;
    struct entry *first = listing->page->entries; /* names that go on behind it come later */
    task->stands = listing->page->count > 0 && entry_decode(listing, first) &&
                   strcmp(first->name, listing->prefix) == 0 && first->size == 0;
    return task->stands ? FB_OK : FB_ABSENT;
}

/* Nothing is below the folder, which is named. */
static enum fb_status nothing_end(struct http_request *request, bool *again)
{
    struct fb_origin_task *task = request->task;
    if (!request->http->has_marks)
        return FB_ABSENT; /* folders are only parts of names */
    request->step = HTTP_STEP_MARK;
    task->cursor.text[0] = '\0';
    *again = true;
    return FB_OK;
}

enum fb_status http_list_end(struct http_request *request, bool *again)
{
    struct http_listing *listing = request->listing;
    struct fb_origin_task *task = request->task;
    struct http_page *page = listing->page;
    *again = false;
    if (listing->is_full) {
        request->reason = word_too_long;
        return FB_REFUSED;
    }
    if (listing->is_last)
        listing->next[0] = '\0';
    if (listing->next[0] != '\0' && strcmp(listing->next, page->word) == 0) {
        request->reason = "the listing does not go on";
        return FB_REFUSED;
    }
    if (request->step == HTTP_STEP_MARK)
        return mark_end(request);
    page->next = strdup(listing->next);
    FB_ASSERT(page->next != NULL);
    page_clean(listing);
    request->http->has_marks = request->http->has_marks || listing->has_marks;
    task->stands = listing->seen > page->count;
    page_sort(page);
    if (page->count == 0 && listing->next[0] != '\0' && listing->seen == 0) {
        request->reason = "the listing has only empty pages";
        snprintf(task->cursor.text, FB_LOCAL_CURSOR_MAX + 1, "%s", listing->next);
        task->cursor.skip = 0;
        *again = ++listing->empty_pages < EMPTY_PAGES_MAX;
        return *again ? FB_OK : FB_REFUSED;
    }
    if (listing->seen == 0 && listing->is_first && task->object.name_length > 0)
        return nothing_end(request, again);
    if (page_give(task, page)) {
        page_keep(request->http, page);
        listing->page = NULL;
    }
    return FB_OK;
}
