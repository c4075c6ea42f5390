/* See address.h. */
#include "hw/base/address.h"

#include "core/panic.h"
#include "hw/base/patience.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

/* The two parts of a fine text. */
struct parts {
    char host[FB_ADDRESS_MAX];
    const char *port;
};

static bool port_is_fine(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port > 0 && port <= 65535;
}

static bool parts_take(const char *text, struct parts *parts)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;
    if (colon == NULL || strlen(text) >= sizeof(parts->host) || !port_is_fine(colon + 1))
        return false;
    bool begins = length > 0 && text[0] == '[', ends = length > 1 && text[length - 1] == ']';
    if (begins != ends || (begins && length == 2))
        return false;
    length -= 2 * (size_t)begins;
    memcpy(parts->host, text + begins, length);
    parts->host[length] = '\0';
    parts->port = colon + 1;
    return strpbrk(parts->host, " \t\r\n[]/@") == NULL;
}

bool fb_address_is_fine(const char *text)
{
    struct parts parts;
    return parts_take(text, &parts) && parts.host[0] != '\0';
}

static int parts_look_up(const struct parts *parts, int flags, struct sockaddr_storage *address)
{
    const struct addrinfo wish = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(parts->host[0] != '\0' ? parts->host : NULL, parts->port, &wish, &found);
    if (code != 0)
        return code;
    FB_ASSERT(found->ai_addrlen <= sizeof(*address));
    memset(address, 0, sizeof(*address));
    memcpy(address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

bool fb_address_parse(const char *text, struct sockaddr_storage *address)
{
    struct parts parts;
    return parts_take(text, &parts) && parts_look_up(&parts, AI_NUMERICHOST, address) == 0;
}

void fb_address_resolve(const char *text, bool is_own, struct sockaddr_storage *address,
                        struct fb_error *error)
{
    struct parts parts;
    if (!parts_take(text, &parts)) {
        fb_error_set(error, "address %s: write HOST:PORT, e.g. 10.0.0.1:7700", text);
        return;
    }
    int code = parts_look_up(&parts, is_own ? AI_PASSIVE : 0, address);
    if (code != 0)
        fb_error_set(error,
                     "address %s: %s: write an address, or a name that this host can look up", text,
                     gai_strerror(code));
}

uint64_t fb_address_source(int socket)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    uint64_t network;
    if (getpeername(socket, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)&address)->sin_addr.s_addr;
    const struct in6_addr *host = &((const struct sockaddr_in6 *)(const void *)&address)->sin6_addr;
    bool is_mapped = IN6_IS_ADDR_V4MAPPED(host);
    memcpy(&network, host->s6_addr + (is_mapped ? 8 : 0), sizeof(network));
    return network;
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
