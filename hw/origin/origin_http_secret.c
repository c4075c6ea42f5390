/* Credentials: read at the start, and again when their file has changed: at SIGHUP, and when a
 * server refuses, since short-lived ones are replaced in their file all the time. Only the thread
 * of the requests uses and changes them, once it runs. */
#include "hw/base/log.h"
#include "hw/origin/origin_http.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool http_credential(const struct http_origin *http, const char *key, const char *variable,
                     char value[HTTP_SECRET_MAX], struct fb_error *error)
{
    const char *path = http->settings->credentials, *text = NULL;
    struct fb_document *document = path[0] != '\0' ? fb_document_open(path, error) : NULL;
    value[0] = '\0';
    if (path[0] == '\0') {
        text = getenv(variable);
    } else if (document != NULL) {
        struct fb_map map = fb_document_root(document, error);
        text = fb_map_text_or(&map, key, NULL);
    }
    if (text != NULL && strlen(text) >= HTTP_SECRET_MAX)
        fb_error_set(error, "%s: longer than %d bytes", path[0] != '\0' ? path : variable,
                     HTTP_SECRET_MAX - 1);
    else if (text != NULL)
        memcpy(value, text, strlen(text) + 1);
    fb_document_close(document);
    return value[0] != '\0';
}

/* Is the file another one than was read? It is taken for read. */
static bool file_is_new(struct http_origin *http)
{
    struct stat facts;
    if (http->settings->credentials[0] == '\0' || stat(http->settings->credentials, &facts) != 0)
        return false;
    bool is_new = facts.st_ino != http->credentials_inode ||
                  facts.st_ctim.tv_sec != http->credentials_time.tv_sec ||
                  facts.st_ctim.tv_nsec != http->credentials_time.tv_nsec;
    http->credentials_inode = facts.st_ino;
    http->credentials_time = facts.st_ctim;
    return is_new;
}

bool http_credentials_renew(struct http_origin *http, bool is_told)
{
    struct fb_error error = {.text = ""};
    bool is_new = file_is_new(http);
    if (!http->is_running || (!is_new && !is_told) || http->settings->credentials[0] == '\0')
        return false;
    struct http_origin *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL)
        return false;
    fresh->settings = http->settings;
    http->dialect->credentials(fresh, &error);
    bool had_one = http->user[0] != '\0' || http->secret_size > 0 || http->token[0] != '\0';
    bool has_one = fresh->user[0] != '\0' || fresh->secret_size > 0 || fresh->token[0] != '\0';
    if (had_one && !has_one) /* it is being written */
        fb_error_set(&error, "%s: it has no credentials any more", http->settings->credentials);
    bool is_fine = !fb_error_is_set(&error);
    if (is_fine) {
        http->credentials_reads++;
        memcpy(http->user, fresh->user, sizeof(http->user));
        memcpy(http->secret, fresh->secret, sizeof(http->secret));
        memcpy(http->token, fresh->token, sizeof(http->token));
        http->secret_size = fresh->secret_size;
    }
    if (!is_fine)
        http->credentials_inode = 0; /* the next refusal looks again */
    explicit_bzero(fresh, sizeof(*fresh));
    free(fresh);
    fb_log(is_fine ? FB_LOG_INFO : FB_LOG_ERROR,
           is_fine ? "credentials_read" : "credentials_unreadable", "reason=\"%s\"", error.text);
    return is_fine;
}
