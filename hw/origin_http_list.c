/* Reads the listings of S3 (ListObjectsV2) and of Azure (List Blobs): XML by expat. Both have
 * entries with a name and a size, folders with a name, and a word for the next page:
 *
 *     S3     Contents { Key Size }    CommonPrefixes { Prefix }   NextContinuationToken
 *     Azure  Blob { Name Content-Length }  BlobPrefix { Name }    NextMarker
 *
 * Names that the server has percent-encoded (S3: EncodingType url; Azure: Name Encoded="true") are
 * decoded. A page of the server that does not fit ours is asked for again, and its first entries
 * are skipped. */
#include "hw/origin_http.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 8192 };

struct listing {
    struct fb_origin_task *task;
    char prefix[FB_SETTINGS_PATH_MAX + FB_OBJECT_NAME_MAX + 2]; /* of all names */
    bool is_entry, is_folder, is_name_encoded, is_all_encoded, is_full;
    char name[TEXT_MAX], next[TEXT_MAX], text[TEXT_MAX];
    size_t text_size;
    uint64_t size, index;
};

static bool is_one_of(const char *word, const char *first, const char *second)
{
    return strcmp(word, first) == 0 || strcmp(word, second) == 0;
}

static void element_begin(void *context, const char *name, const char **attributes)
{
    struct listing *listing = context;
    if (is_one_of(name, "Contents", "Blob"))
        listing->is_entry = true;
    if (is_one_of(name, "CommonPrefixes", "BlobPrefix"))
        listing->is_folder = true;
    if (strcmp(name, "Name") == 0)
        listing->is_name_encoded = attributes[0] != NULL && strcmp(attributes[0], "Encoded") == 0 &&
                                   strcmp(attributes[1], "true") == 0;
    listing->text_size = 0;
}

static void text_take(void *context, const char *text, int size)
{
    struct listing *listing = context;
    size_t room = TEXT_MAX - 1 - listing->text_size;
    size_t part = (size_t)size < room ? (size_t)size : room;
    memcpy(listing->text + listing->text_size, text, part);
    listing->text_size += part;
}

static uint32_t digit_of(char character)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = character != '\0' ? strchr(digits, character) : NULL;
    return at != NULL ? (uint32_t)(at - digits) % 16 : 16;
}

static void percent_decode(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++) {
        uint32_t high = text[0] == '%' ? digit_of(text[1]) : 16;
        uint32_t low = high < 16 ? digit_of(text[2]) : 16;
        if (low < 16) {
            *to++ = (char)(high * 16 + low);
            text += 2;
        } else {
            *to++ = *text == '+' ? ' ' : *text;
        }
    }
    *to = '\0';
}

/* One entry is whole: into the page, unless an earlier page had it or no object may be so named. */
static void entry_take(struct listing *listing)
{
    size_t prefix = strlen(listing->prefix);
    if (listing->is_all_encoded || listing->is_name_encoded)
        percent_decode(listing->name);
    size_t length = strlen(listing->name);
    if (listing->is_folder && length > 0 && listing->name[length - 1] == '/')
        listing->name[--length] = '\0';
    bool is_ours = length > prefix && memcmp(listing->name, listing->prefix, prefix) == 0;
    const char *name = listing->name + prefix;
    is_ours = is_ours && strchr(name, '/') == NULL &&
              fb_object_name_is_fine(name, (uint32_t)(length - prefix));
    if (listing->is_full || listing->index++ < listing->task->cursor.skip || !is_ours)
        return;
    if (fb_origin_entry(listing->task, name, listing->size, listing->is_folder))
        return;
    listing->is_full = true;
    listing->index--;
}

static void element_end(void *context, const char *name)
{
    struct listing *listing = context;
    bool is_inside = listing->is_entry || listing->is_folder;
    listing->text[listing->text_size] = '\0';
    if ((listing->is_entry && is_one_of(name, "Key", "Name")) ||
        (listing->is_folder && is_one_of(name, "Prefix", "Name")))
        memcpy(listing->name, listing->text, listing->text_size + 1);
    if (is_inside && is_one_of(name, "Size", "Content-Length"))
        listing->size = strtoull(listing->text, NULL, 10);
    if (is_one_of(name, "NextContinuationToken", "NextMarker"))
        memcpy(listing->next, listing->text, listing->text_size + 1);
    if (is_one_of(name, "Contents", "Blob") || is_one_of(name, "CommonPrefixes", "BlobPrefix")) {
        entry_take(listing);
        listing->is_entry = false;
        listing->is_folder = false;
        listing->size = 0;
    }
    listing->text_size = 0;
}

/* Where the next page begins. */
static enum fb_status cursor_move(const struct listing *listing)
{
    struct fb_origin_cursor *cursor = &listing->task->cursor;
    if (listing->is_full) { /* the same page again */
        cursor->skip = listing->index;
        return FB_OK;
    }
    if (strlen(listing->next) > FB_LOCAL_CURSOR_MAX)
        return FB_FULL;
    cursor->skip = 0;
    memcpy(cursor->text, listing->next, strlen(listing->next) + 1);
    return FB_OK;
}

enum fb_status http_list_take(struct http_request *request)
{
    static const char encoded[] = "<EncodingType>url</EncodingType>";
    struct fb_origin_task *task = request->task;
    struct listing *listing = calloc(1, sizeof(*listing));
    XML_Parser parser = XML_ParserCreate(NULL);
    enum fb_status status = FB_BUSY;
    if (listing != NULL && parser != NULL) {
        bool is_first = task->cursor.skip == 0 && task->cursor.text[0] == '\0';
        listing->task = task;
        listing->is_all_encoded =
            request->body != NULL &&
            memmem(request->body, request->body_size, encoded, sizeof(encoded) - 1) != NULL;
        snprintf(listing->prefix, sizeof(listing->prefix), "%s%s%s",
                 request->http->settings->prefix, task->object.name,
                 task->object.name_length > 0 ? "/" : "");
        task->moved = 0;
        XML_SetUserData(parser, listing);
        XML_SetElementHandler(parser, element_begin, element_end);
        XML_SetCharacterDataHandler(parser, text_take);
        bool is_xml = XML_Parse(parser, request->body != NULL ? request->body : "",
                                (int)request->body_size, 1) == XML_STATUS_OK;
        status = is_xml ? cursor_move(listing) : FB_IO;
        bool is_nothing = listing->index == 0 && is_first && task->object.name_length > 0;
        if (status == FB_OK && is_nothing)
            status = FB_ABSENT; /* folders are only parts of names */
    }
    if (parser != NULL)
        XML_ParserFree(parser);
    free(listing);
    return status;
}
