/* See kept_change.h. */
#include "hw/meta/kept_change.h"

#include "core/panic.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

enum { MODE_BITS = 07777 };

static const uint32_t accessed_bits = FB_SET_ACCESSED | FB_SET_ACCESSED_NOW;
static const uint32_t modified_bits = FB_SET_MODIFIED | FB_SET_MODIFIED_NOW;

/* Nobody who is not root gives away what he makes, or has others run it as himself. */
static void owner_bound(struct fb_kept *kept, const struct fb_kept_scene *scene)
{
    if (scene->user == 0)
        return;
    kept->owner = scene->user;
    if (!S_ISDIR(kept->mode))
        kept->mode &= ~(uint32_t)(S_ISUID | S_ISGID);
}

static void begin(struct fb_kept *kept, uint32_t mode, const struct fb_attributes *wanted,
                  const struct fb_kept_scene *scene)
{
    *kept = (struct fb_kept){
        .mode = mode, .owner = wanted->owner, .group = wanted->group, .changed_ns = scene->now_ns};
    owner_bound(kept, scene);
}

int fb_kept_make(struct fb_kept *kept, const struct fb_origin_change *change,
                 const struct fb_kept_scene *scene)
{
    const struct fb_attributes *wanted = &change->attributes;
    FB_ASSERT(scene->version > FB_NAME_VERSION_NONE);
    FB_ASSERT((wanted->mode & S_IFMT) != 0 && !S_ISREG(wanted->mode));
    begin(kept, wanted->mode & (S_IFMT | MODE_BITS), wanted, scene);
    kept->device = wanted->device;
    kept->made = scene->version;
    kept->times_of = scene->version;
    kept->accessed_ns = scene->now_ns;
    kept->modified_ns = scene->now_ns;
    if (!S_ISLNK(wanted->mode))
        return 0;
    bool is_kept =
        change->text_length <= FB_KEPT_LINK_MAX &&
        fb_kept_extra_set(kept, "", 0, (const unsigned char *)change->text, change->text_length);
    return is_kept ? 0 : ENAMETOOLONG;
}

void fb_kept_begin(struct fb_kept *kept, const struct fb_attributes *wanted,
                   const struct fb_kept_scene *scene)
{
    begin(kept, S_IFREG | (wanted->mode & MODE_BITS), wanted, scene);
    if (wanted->modified_ns == 0)
        return;
    kept->times_of = scene->version;
    kept->accessed_ns = wanted->accessed_ns;
    kept->modified_ns = wanted->modified_ns;
    if (wanted->changed_ns < kept->changed_ns)
        kept->changed_ns = wanted->changed_ns;
}

/* Times that are wanted; the other one stays, if it is this version's, else it is as it is seen. */
static void times_set(struct fb_kept *kept, const struct fb_origin_change *change,
                      const struct fb_kept_scene *scene)
{
    const struct fb_attributes *wanted = &change->attributes;
    uint32_t which = change->which;
    bool is_its = kept->times_of == scene->version;
    if ((which & FB_SET_ACCESSED_NOW) != 0)
        kept->accessed_ns = scene->now_ns;
    else if ((which & FB_SET_ACCESSED) != 0 || !is_its)
        kept->accessed_ns = wanted->accessed_ns;
    if ((which & FB_SET_MODIFIED_NOW) != 0)
        kept->modified_ns = scene->now_ns;
    else if ((which & FB_SET_MODIFIED) != 0 || !is_its)
        kept->modified_ns = wanted->modified_ns;
    kept->times_of = scene->version;
}

static void set(struct fb_kept *kept, const struct fb_origin_change *change,
                const struct fb_kept_scene *scene)
{
    const struct fb_attributes *wanted = &change->attributes;
    if ((change->which & FB_SET_MODE) != 0)
        kept->mode = (kept->mode & S_IFMT) | (wanted->mode & MODE_BITS);
    if ((change->which & FB_SET_OWNER) != 0)
        kept->owner = wanted->owner;
    if ((change->which & FB_SET_GROUP) != 0)
        kept->group = wanted->group;
    if ((change->which & (accessed_bits | modified_bits)) != 0)
        times_set(kept, change, scene);
}

/* Keys of namespaces that the kernel lets nobody read a meaning into. */
static int key_fault(const char *key, uint32_t length)
{
    bool is_kept = strncmp(key, "user.", 5) == 0 || strncmp(key, "trusted.", 8) == 0;
    return length > FB_KEPT_KEY_MAX ? ERANGE : !is_kept ? EOPNOTSUPP : 0;
}

static int extra_change(struct fb_kept *kept, const struct fb_origin_change *change)
{
    const char *key = change->text;
    uint32_t key_length = (uint32_t)strlen(key), length;
    int fault = key_fault(key, key_length);
    bool is_removed = change->kind == FB_CHANGE_REMOVE_EXTRA;
    bool is_there = fault == 0 && fb_kept_extra(kept, key, key_length, &length) != NULL;
    if (fault != 0)
        return fault;
    if (!is_there && (is_removed || (change->flags & XATTR_REPLACE) != 0))
        return ENODATA;
    if (is_there && !is_removed && (change->flags & XATTR_CREATE) != 0)
        return EEXIST;
    if (is_removed)
        return fb_kept_extra_set(kept, key, key_length, NULL, 0) ? 0 : EIO;
    if (key_length >= change->text_length)
        return EINVAL; /* the zero byte behind it is missing */
    length = change->text_length - key_length - 1;
    const unsigned char *value = (const unsigned char *)change->text + key_length + 1;
    return fb_kept_extra_set(kept, key, key_length, value, length) ? 0 : ENOSPC;
}

int fb_kept_change(struct fb_kept *kept, const struct fb_origin_change *change,
                   const struct fb_kept_scene *scene)
{
    int fault = 0;
    FB_ASSERT(scene->type != 0);
    FB_ASSERT(scene->type == S_IFREG || kept->mode != 0);
    if (kept->mode == 0)
        begin(kept, S_IFREG | (change->attributes.mode & MODE_BITS), &change->attributes, scene);
    if (change->kind == FB_CHANGE_SET)
        set(kept, change, scene);
    else
        fault = extra_change(kept, change);
    kept->changed_ns = scene->now_ns;
    return fault;
}

/* Copies bytes to the page, behind what is there. */
static bool page_put(struct fb_bytes page, uint64_t *size, const void *bytes, uint32_t length)
{
    if (length > page.size - *size)
        return false;
    memcpy(page.at + *size, bytes, length);
    *size += length;
    return true;
}

static int keys_list(const struct fb_kept *kept, struct fb_bytes page, uint64_t *size)
{
    const char *key;
    uint32_t at = 0, length;
    while (fb_kept_extra_next(kept, &at, &key, &length)) {
        if (length > 0 && (!page_put(page, size, key, length) || !page_put(page, size, "", 1)))
            return ERANGE;
    }
    return 0;
}

int fb_kept_ask(const struct fb_kept *kept, const struct fb_origin_change *change,
                struct fb_bytes page, uint64_t *size)
{
    uint32_t length;
    bool is_link = change->kind == FB_CHANGE_READ_LINK;
    *size = 0;
    if (is_link && !S_ISLNK(kept->mode))
        return EINVAL;
    if (change->kind == FB_CHANGE_LIST_EXTRA)
        return keys_list(kept, page, size);
    const char *key = is_link ? "" : change->text;
    if (!is_link && key[0] == '\0')
        return ENODATA;
    const unsigned char *value = fb_kept_extra(kept, key, (uint32_t)strlen(key), &length);
    if (value == NULL)
        return ENODATA;
    return page_put(page, size, value, length) ? 0 : ERANGE;
}

bool fb_kept_follow(const struct fb_kept *kept, const char *name,
                    char target[FB_OBJECT_NAME_MAX + 1])
{
    uint32_t left, used = 0;
    const char *text = (const char *)fb_kept_extra(kept, "", 0, &left);
    const char *slash = strrchr(name, '/');
    if (text == NULL || left == 0 || text[0] == '/')
        return false;
    used = slash != NULL ? (uint32_t)(slash - name) : 0;
    memcpy(target, name, used);
    while (left > 0) {
        const char *end = memchr(text, '/', left);
        uint32_t part = end != NULL ? (uint32_t)(end - text) : left;
        bool is_up = part == 2 && memcmp(text, "..", 2) == 0;
        bool is_here = part == 0 || (part == 1 && text[0] == '.');
        if ((is_up && used == 0) || used + part + 1 > FB_OBJECT_NAME_MAX)
            return false;
        while (is_up && used > 0 && target[--used] != '/')
            continue;
        if (!is_up && !is_here) {
            if (used > 0)
                target[used++] = '/';
            memcpy(target + used, text, part);
            used += part;
        }
        text += part + (end != NULL);
        left -= part + (end != NULL);
    }
    target[used] = '\0';
    return fb_object_name_is_fine(target, used);
}

void fb_kept_show(const struct fb_kept *kept, uint64_t version, struct fb_attributes *attributes)
{
    FB_ASSERT(kept->mode != 0);
    attributes->mode = kept->mode;
    attributes->owner = kept->owner;
    attributes->group = kept->group;
    attributes->device = kept->device;
    attributes->links = S_ISDIR(kept->mode) ? 2 : 1;
    attributes->accessed_ns = attributes->modified_ns;
    if (attributes->changed_ns < attributes->modified_ns)
        attributes->changed_ns = attributes->modified_ns;
    if (attributes->changed_ns < kept->changed_ns || kept->times_of == version)
        attributes->changed_ns = kept->changed_ns;
    if (kept->times_of != version)
        return;
    attributes->accessed_ns = kept->accessed_ns;
    attributes->modified_ns = kept->modified_ns;
}
