/* A client's proof that it may use the daemon, beside the mode of the daemon's socket: the content
 * of a file that both can read, without the line end. For containers that share the socket. */
#ifndef FB_CLIENT_PROTOCOL_TOKEN_H
#define FB_CLIENT_PROTOCOL_TOKEN_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

/* Bytes of a token, at least and at most. */
enum { FB_TOKEN_MIN = 16, FB_TOKEN_MAX = 256 }; /* bytes */

/* Returns its length. Errors: -errno; -EMSGSIZE: it is too short or too long. */
static inline int fb_token_read(const char *path, char token[FB_TOKEN_MAX])
{
    char text[FB_TOKEN_MAX + 2];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    ssize_t length = read(file, text, sizeof(text));
    int code = length < 0 ? -errno : 0;
    close(file);
    if (code != 0)
        return code;
    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length < FB_TOKEN_MIN || length > FB_TOKEN_MAX)
        return -EMSGSIZE;
    for (ssize_t i = 0; i < length; i++)
        token[i] = text[i];
    return (int)length;
}

#endif
