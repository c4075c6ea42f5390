/* See file.h. */
#include "base/file.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fb_file_open(struct fb_file *file, const char *folder, const char *name,
                  struct fb_error *error)
{
    snprintf(file->path, sizeof(file->path), "%s/%s", folder, name);
    snprintf(file->temporary, sizeof(file->temporary), "%s.partial", file->path);
    file->stream = fopen(file->temporary, "w");
    if (file->stream == NULL)
        fb_error_set(error, "cannot write %s: %s", file->path, strerror(errno));
}

void fb_file_commit(struct fb_file *file, struct fb_error *error)
{
    if (file->stream == NULL)
        return;
    errno = 0;
    bool is_bad =
        fflush(file->stream) != 0 || ferror(file->stream) || fsync(fileno(file->stream)) != 0;
    int reason = errno;
    if (fclose(file->stream) != 0 && !is_bad) {
        is_bad = true;
        reason = errno;
    }
    file->stream = NULL;
    if (!is_bad && rename(file->temporary, file->path) != 0) {
        is_bad = true;
        reason = errno;
    }
    if (!is_bad)
        return;
    unlink(file->temporary);
    fb_error_set(error, "cannot write %s: %s; make room and run again", file->path,
                 strerror(reason != 0 ? reason : EIO));
}

void fb_folder_make(const char *path, struct fb_error *error)
{
    char part[1024];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = part + 1; *slash != 0; slash++) {
        if (*slash != '/')
            continue;
        *slash = 0;
        mkdir(part, 0777); /* the last one's error counts */
        *slash = '/';
    }
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
        fb_error_set(error, "cannot make folder %s: %s", path, strerror(errno));
}

char *fb_file_read(const char *path, size_t *size)
{
    FILE *stream = fopen(path, "rb");
    size_t count = 0, room = 1 << 16;
    char *bytes = stream != NULL ? malloc(room) : NULL;
    while (bytes != NULL) {
        count += fread(bytes + count, 1, room - count - 1, stream);
        if (count < room - 1)
            break;
        room *= 2;
        char *grown = realloc(bytes, room);
        if (grown == NULL)
            free(bytes);
        bytes = grown;
    }
    if (bytes != NULL)
        bytes[count] = 0;
    if (stream != NULL)
        fclose(stream);
    if (size != NULL)
        *size = count;
    return bytes;
}

void fb_sha256(const void *bytes, size_t size, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_Digest(bytes, size, digest, &length, EVP_sha256(), NULL);
    for (unsigned int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", i < length ? digest[i] : 0);
}

bool fb_sha256_file(const char *path, char hex[65])
{
    size_t size = 0;
    char *bytes = fb_file_read(path, &size);
    if (bytes == NULL)
        return false;
    fb_sha256(bytes, size, hex);
    free(bytes);
    return true;
}
