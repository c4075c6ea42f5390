/* Files that appear whole or not at all: written under a temporary name, synced, renamed. */
#ifndef FB_BASE_FILE_H
#define FB_BASE_FILE_H

#include "base/document.h"

#include <stdio.h>

/* Bytes of a path with its zero that callers keep. */
enum { FB_PATH_MAX = 1024 };

/* A file that is being written under its temporary name. */
struct fb_file {
    FILE *stream; /* NULL when opening failed; writes may go to it unchecked, commit finds errors */
    char path[1200], temporary[1216];
};

/* Errors: error set, file->stream NULL. */
void fb_file_open(struct fb_file *file, const char *folder, const char *name,
                  struct fb_error *error);

/* Syncs and renames. Errors: error set (disk full, ...); the temporary file is removed. */
void fb_file_commit(struct fb_file *file, struct fb_error *error);

/* Makes a folder and its parents. One that is there is fine. Errors: error set. */
void fb_folder_make(const char *path, struct fb_error *error);

/* The whole file, zero-terminated, the caller's to free. size: NULL: nobody wants it. Errors: NULL:
 * it cannot be opened, or there is no memory. */
char *fb_file_read(const char *path, size_t *size);

/* SHA-256 as 64 hex digits and a zero. */
void fb_sha256(const void *bytes, size_t size, char hex[65]);
/* The same of a file's content. Errors: false: it cannot be read. */
bool fb_sha256_file(const char *path, char hex[65]);

#endif
