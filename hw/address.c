/* See address.h. Names are looked up once, when the daemon starts. */
#include "hw/address.h"

#include "core/panic.h"
#include "hw/patience.h"
#include "hw/settings.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

void fb_address_resolve(const char *text, bool is_own, struct sockaddr_storage *address,
                        struct fb_error *error)
{
    char host[FB_ADDRESS_MAX];
    const char *colon = strrchr(text, ':');
    FB_ASSERT(colon != NULL && strlen(text) < sizeof(host));
    size_t length = (size_t)(colon - text);
    bool has_brackets = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    memcpy(host, text + has_brackets, length - 2 * (size_t)has_brackets);
    host[length - 2 * (size_t)has_brackets] = '\0';
    const struct addrinfo wish = {.ai_family = AF_UNSPEC,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_flags = AI_NUMERICSERV | (is_own ? AI_PASSIVE : 0)};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &wish, &found);
    if (code != 0) {
        fb_error_set(error,
                     "address %s: %s: write an address, or a name that this host can look up", text,
                     gai_strerror(code));
        return;
    }
    memset(address, 0, sizeof(*address));
    memcpy(address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
}

int fb_address_listen(const char *key, const char *text, struct fb_error *error)
{
    const int yes = 1;
    struct sockaddr_storage address;
    fb_address_resolve(text, true, &address, error);
    if (fb_error_is_set(error))
        return -1;
    socklen_t size =
        address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0)
        (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    struct fb_patience patience = {.naps = 0};
    int bound = -1;
    do {
        bound = listener >= 0 ? bind(listener, (struct sockaddr *)&address, size) : -1;
    } while (bound != 0 && errno == EADDRINUSE && fb_patience_nap(&patience));
    bool is_fine = bound == 0 && listen(listener, BACKLOG) == 0;
    if (is_fine)
        return listener;
    fb_error_set(error, "%s %s: %s: is another forebayd running, is the address this host's?", key,
                 text, strerror(errno));
    if (listener >= 0)
        close(listener);
    return -1;
}
