/* What the stores of records, LMDB and etcd, share: a record's text, and how they open. */
#ifndef FB_HW_META_META_BACKEND_H
#define FB_HW_META_META_BACKEND_H

#include "hw/meta/meta.h"

/* What backends keep as a record's text: the name and, behind a zero byte, its attributes. */
enum { FB_META_TEXT_MAX = FB_OBJECT_NAME_MAX + 1 + FB_META_ATTRIBUTES_MAX };
/* Writes it; returns its bytes. */
uint32_t fb_meta_text_write(const struct fb_meta_name *name,
                            const struct fb_meta_attributes *attributes,
                            char text[FB_META_TEXT_MAX]);
/* Attributes of such a text. */
void fb_meta_text_read(const char *text, uint32_t length, struct fb_meta_attributes *attributes);
/* Its name. Sets is_bad unless it is one, and that of name->key. */
void fb_meta_name_read(struct fb_meta_name *name, const char *text, uint32_t length);

/* Could a client have put it into a folder's list: the text, a last part, and the type? */
bool fb_meta_entry_is_fine(const struct fb_meta_name *entry);

/* Has it a last part that can be in a list? */
bool fb_meta_has_part(const struct fb_meta_name *name);
/* Key of the folder that a name is in, and where its last part begins. */
struct fb_key fb_meta_folder(const struct fb_meta_name *name, const char **part);

/* Backends: fill in run, close and internal. */
void fb_meta_lmdb_open(struct fb_meta_store *store, const struct fb_settings *settings,
                       struct fb_error *error);
/* The same of etcd. Errors: error set; one that is away is none. */
void fb_meta_etcd_open(struct fb_meta_store *store, const struct fb_settings *settings,
                       struct fb_error *error);

/* Threads that make calls: those of etcd wait for the network, those of LMDB for each other. */
enum { FB_META_ETCD_THREADS = 8, FB_META_LMDB_THREADS = 2 };

#endif
