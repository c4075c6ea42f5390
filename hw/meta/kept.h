/* What a record keeps of a name beside its object, where the origin keeps none of it: mode, owner,
 * times, extended attributes; and of what has no object all there is: a symbolic link, an empty
 * folder, a FIFO, a socket, a device. The store sees bytes (meta.h, 4), the core nothing.
 *
 *  1. What is kept of a file says nothing of whether there is one: its object does.
 *  2. What has no object is there as long as its record is of the version that it was made with.
 *     Whatever else took the name since changed that, whoever did it.
 *  3. Times that were set are those of one version of a file; the next one has its own. */
#ifndef FB_HW_META_KEPT_H
#define FB_HW_META_KEPT_H

#include "core/name/name.h"
#include "hw/meta/meta.h"

#include <sys/stat.h>

/* Bytes of what is kept beside a record. */
enum {
    FB_KEPT_HEAD_BYTES = 64, /* of mode, owner, times, ... as they are stored */
    FB_KEPT_EXTRAS_MAX = FB_META_ATTRIBUTES_MAX - FB_KEPT_HEAD_BYTES, /* bytes of all extras */
};

/* An extra is a key, its length before it, and a value, the same: of an extended attribute; one
 * whose key is empty is where a symbolic link leads. */
struct fb_kept {
    uint32_t mode; /* with its type; 0: nothing is kept */
    uint32_t owner, group;
    uint64_t device;
    uint64_t made;     /* of what has no object: its record's version; else 0 */
    uint64_t times_of; /* the file's version that accessed_ns and modified_ns are of; 0: of none */
    int64_t accessed_ns, modified_ns, changed_ns;
    uint32_t extras_bytes;
    unsigned char extras[FB_KEPT_EXTRAS_MAX];
};

/* Of a record and what is beside it. false: a later release wrote it, or nobody did: it is to be
 * left as it is. */
bool fb_kept_read(const struct fb_meta_attributes *attributes, struct fb_kept *kept);
/* The bytes that fb_kept_read reads it from. */
void fb_kept_write(const struct fb_kept *kept, struct fb_meta_attributes *attributes);

/* The type of what has no object, by its record; 0: there is none such, perhaps a file. */
uint32_t fb_kept_type(const struct fb_kept *kept, const struct fb_name_facts *facts);

/* A key's value; NULL: there is none. */
const unsigned char *fb_kept_extra(const struct fb_kept *kept, const char *key, uint32_t key_length,
                                   uint32_t *length);
/* Walks the keys: at: 0 first; false: no more. */
bool fb_kept_extra_next(const struct fb_kept *kept, uint32_t *at, const char **key,
                        uint32_t *key_length);
/* Sets one, or (value NULL) removes it. false: there is no room. */
bool fb_kept_extra_set(struct fb_kept *kept, const char *key, uint32_t key_length,
                       const unsigned char *value, uint32_t length);

#endif
