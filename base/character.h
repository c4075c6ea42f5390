/* UTF-8. Source: RFC 3629, section 4. */
#ifndef FB_BASE_CHARACTER_H
#define FB_BASE_CHARACTER_H

#include <stddef.h>

/* Bytes of the character that begins here, of those that are left, at least one; 0: it is none. */
size_t fb_character_bytes(const unsigned char *at, size_t left);

#endif
