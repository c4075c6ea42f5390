/* HOST:PORT texts as socket addresses; the settings' loader has seen to their form. */
#ifndef FB_HW_ADDRESS_H
#define FB_HW_ADDRESS_H

#include "models/document.h"

#include <sys/socket.h>

/* is_own: to listen on. Errors: error set: no such host. */
void fb_address_resolve(const char *text, bool is_own, struct sockaddr_storage *address,
                        struct fb_error *error);

/* A socket that listens. key: of the config, for the error. Errors: -1 and error set. */
int fb_address_listen(const char *key, const char *text, struct fb_error *error);

#endif
