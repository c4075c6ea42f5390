/* HOST:PORT texts, from a config or from a record that anybody may have written, as socket
 * addresses. */
#ifndef FB_HW_BASE_ADDRESS_H
#define FB_HW_BASE_ADDRESS_H

#include "base/document.h"

#include <sys/socket.h>

enum { FB_ADDRESS_MAX = 128 }; /* bytes of a text, with its end */

/* Is it HOST:PORT, a port in figures from 1 to 65535, a host without blanks and in whole brackets?
 */
bool fb_address_is_fine(const char *text);

/* Without asking anybody; false: the host is a name, or the text is no address. */
bool fb_address_parse(const char *text, struct sockaddr_storage *address);

/* Asks the resolver where the host is a name, and may wait for it. is_own: to listen on. Errors:
 * error set: no address, no such host. */
void fb_address_resolve(const char *text, bool is_own, struct sockaddr_storage *address,
                        struct fb_error *error);

/* Where a connection comes from, as one number: its host, or its network of 64 bits. */
uint64_t fb_address_source(int socket);

/* A socket that listens. key: of the config, for the error. Errors: -1 and error set. */
int fb_address_listen(const char *key, const char *text, struct fb_error *error);

#endif
