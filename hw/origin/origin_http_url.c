/* URLs of requests, which have their room (HTTP_URL_MAX) and no more; see origin_http.h. */
#include "hw/origin/origin_http.h"

#include <string.h>

bool http_url_append(struct http_request *request, const char *text)
{
    size_t used = strlen(request->url), length = strlen(text);
    if (used + length >= sizeof(request->url))
        return false;
    memcpy(request->url + used, text, length + 1);
    return true;
}

bool http_url_add(struct http_request *request, const char *text, bool keeps_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = strlen(request->url);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL ||
                        (byte == '/' && keeps_slash);
        if (used + 4 > sizeof(request->url))
            return false;
        if (!is_plain) {
            request->url[used++] = '%';
            request->url[used++] = digits[byte >> 4];
        }
        request->url[used++] = is_plain ? *text : digits[byte & 15];
    }
    request->url[used] = '\0';
    return true;
}
