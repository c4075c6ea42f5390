/* See kept.h. As it is stored, numbers with their lowest byte first:
 *
 *     0 version of this format | 4 mode | 8 owner | 12 group | 16 device | 24 made | 32 times_of
 *     40 accessed_ns | 48 modified_ns | 56 changed_ns | 64 extras, each
 *         2 bytes: length of the key | 2 bytes: of the value | key | value */
#include "hw/meta/kept.h"

#include "core/panic.h"

#include <string.h>

enum { FORMAT = 1, LENGTHS_BYTES = 4 };

static_assert(FB_KEPT_EXTRAS_MAX < UINT16_MAX, "lengths have 16 bits");

static void number_put(unsigned char *at, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t number_take(const unsigned char *at, uint32_t bytes)
{
    uint64_t value = 0;
    for (uint32_t i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

/* Bytes of the extra that begins there; 0: there is no whole one. */
static uint32_t extra_bytes(const struct fb_kept *kept, uint32_t at)
{
    uint32_t left = kept->extras_bytes - at;
    FB_ASSERT(at <= kept->extras_bytes);
    if (left < LENGTHS_BYTES)
        return 0;
    uint32_t bytes = LENGTHS_BYTES + (uint32_t)number_take(kept->extras + at, 2) +
                     (uint32_t)number_take(kept->extras + at + 2, 2);
    return bytes <= left ? bytes : 0;
}

bool fb_kept_read(const struct fb_meta_attributes *attributes, struct fb_kept *kept)
{
    const unsigned char *bytes = attributes->bytes;
    uint32_t length = attributes->length, at = 0, size;
    kept->mode = 0;
    kept->extras_bytes = 0;
    kept->made = 0;
    if (length == 0)
        return true;
    if (length < FB_KEPT_HEAD_BYTES || length > FB_META_ATTRIBUTES_MAX || bytes[0] != FORMAT)
        return false;
    *kept = (struct fb_kept){.mode = (uint32_t)number_take(bytes + 4, 4),
                             .owner = (uint32_t)number_take(bytes + 8, 4),
                             .group = (uint32_t)number_take(bytes + 12, 4),
                             .device = number_take(bytes + 16, 8),
                             .made = number_take(bytes + 24, 8),
                             .times_of = number_take(bytes + 32, 8),
                             .accessed_ns = (int64_t)number_take(bytes + 40, 8),
                             .modified_ns = (int64_t)number_take(bytes + 48, 8),
                             .changed_ns = (int64_t)number_take(bytes + 56, 8),
                             .extras_bytes = length - FB_KEPT_HEAD_BYTES};
    memcpy(kept->extras, bytes + FB_KEPT_HEAD_BYTES, kept->extras_bytes);
    while ((size = extra_bytes(kept, at)) > 0)
        at += size;
    bool is_whole = at == kept->extras_bytes && (kept->mode & S_IFMT) != 0;
    if (!is_whole)
        *kept = (struct fb_kept){.mode = 0};
    return is_whole;
}

void fb_kept_write(const struct fb_kept *kept, struct fb_meta_attributes *attributes)
{
    unsigned char *bytes = attributes->bytes;
    FB_ASSERT((kept->mode & S_IFMT) != 0);
    FB_ASSERT(kept->extras_bytes <= FB_KEPT_EXTRAS_MAX);
    memset(bytes, 0, FB_KEPT_HEAD_BYTES);
    bytes[0] = FORMAT;
    number_put(bytes + 4, kept->mode, 4);
    number_put(bytes + 8, kept->owner, 4);
    number_put(bytes + 12, kept->group, 4);
    number_put(bytes + 16, kept->device, 8);
    number_put(bytes + 24, kept->made, 8);
    number_put(bytes + 32, kept->times_of, 8);
    number_put(bytes + 40, (uint64_t)kept->accessed_ns, 8);
    number_put(bytes + 48, (uint64_t)kept->modified_ns, 8);
    number_put(bytes + 56, (uint64_t)kept->changed_ns, 8);
    memcpy(bytes + FB_KEPT_HEAD_BYTES, kept->extras, kept->extras_bytes);
    attributes->length = FB_KEPT_HEAD_BYTES + kept->extras_bytes;
}

uint32_t fb_kept_type(const struct fb_kept *kept, const struct fb_name_facts *facts)
{
    uint32_t type = kept->mode & S_IFMT;
    bool is_its = facts->state == FB_NAME_ORIGIN && kept->made != 0 && kept->made == facts->version;
    return is_its && type != S_IFREG ? type : 0;
}

/* Where a key's extra begins; extras_bytes: there is none. */
static uint32_t extra_find(const struct fb_kept *kept, const char *key, uint32_t key_length)
{
    uint32_t at = 0;
    while (at < kept->extras_bytes) {
        bool is_it = number_take(kept->extras + at, 2) == key_length &&
                     memcmp(kept->extras + at + LENGTHS_BYTES, key, key_length) == 0;
        if (is_it)
            return at;
        uint32_t size = extra_bytes(kept, at);
        FB_ASSERT(size > 0); /* it was read or set here */
        at += size;
    }
    return at;
}

const unsigned char *fb_kept_extra(const struct fb_kept *kept, const char *key, uint32_t key_length,
                                   uint32_t *length)
{
    uint32_t at = extra_find(kept, key, key_length);
    *length = 0;
    if (at == kept->extras_bytes)
        return NULL;
    *length = (uint32_t)number_take(kept->extras + at + 2, 2);
    return kept->extras + at + LENGTHS_BYTES + key_length;
}

bool fb_kept_extra_next(const struct fb_kept *kept, uint32_t *at, const char **key,
                        uint32_t *key_length)
{
    if (*at >= kept->extras_bytes)
        return false;
    *key_length = (uint32_t)number_take(kept->extras + *at, 2);
    *key = (const char *)kept->extras + *at + LENGTHS_BYTES;
    *at += extra_bytes(kept, *at);
    return true;
}

bool fb_kept_extra_set(struct fb_kept *kept, const char *key, uint32_t key_length,
                       const unsigned char *value, uint32_t length)
{
    uint32_t at = extra_find(kept, key, key_length);
    uint32_t before = at < kept->extras_bytes ? extra_bytes(kept, at) : 0;
    uint64_t wanted = value != NULL ? (uint64_t)LENGTHS_BYTES + key_length + length : 0;
    if (kept->extras_bytes - before + wanted > FB_KEPT_EXTRAS_MAX)
        return false;
    memmove(kept->extras + at, kept->extras + at + before, kept->extras_bytes - at - before);
    kept->extras_bytes -= before;
    if (value == NULL)
        return true;
    unsigned char *end = kept->extras + kept->extras_bytes;
    number_put(end, key_length, 2);
    number_put(end + 2, length, 2);
    memcpy(end + LENGTHS_BYTES, key, key_length);
    memcpy(end + LENGTHS_BYTES + key_length, value, length);
    kept->extras_bytes += (uint32_t)wanted;
    return true;
}
