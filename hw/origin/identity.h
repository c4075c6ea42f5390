/* The identity of an origin: 128 random bits that are kept there beside the objects, by which a
 * daemon knows it again (core/tier/identity.h). It is made once, and of several who come first one
 * makes it and all read that.
 *
 *     folder: .forebay-parts/identity      object store: PREFIX.forebay-parts.identity
 *
 *  1. A file of 32 hexadecimal digits and a newline, in its place whole or not at all. What else is
 *     found there is an identity as well, though not one that anybody knows.
 *  2. An object store's is no object of its folder .forebay-parts, which an operator's rule may
 *     empty when it has not changed for long.
 *  3. Whoever is refused for good, to read whether there is one or to make it, does without, unless
 *     somebody knows it already (hw/loop/belonging.c). */
#ifndef FB_HW_ORIGIN_IDENTITY_H
#define FB_HW_ORIGIN_IDENTITY_H

#include "core/tier/identity.h"
#include "hw/origin/origin.h"

/* Its text: digits, and bytes with the newline. */
enum { FB_IDENTITY_DIGITS = 32, FB_IDENTITY_BYTES = FB_IDENTITY_DIGITS + 1 };

/* Below the folder. */
#define FB_IDENTITY_FILE FB_OBJECT_PARTS "/identity"
#define FB_IDENTITY_OBJECT FB_OBJECT_PARTS ".identity"

/* Of one that cannot be read. */
#define FB_IDENTITY_REMEDY \
    "put the file back that was there, or remove what is, and start once with " \
    "--accept-origin"

struct fb_identity_question;
/* The question is answered; see fb_identity_ask. */
typedef void fb_identity_done(struct fb_identity_question *question, enum fb_status status);

/* The caller's, until done, which is called once, on the loop's thread. */
struct fb_identity_question {
    struct fb_origin *origin;
    fb_identity_done *done;
    bool is_making; /* makes one, if there is none */
    struct fb_key identity;
    /* Its own from here on. */
    uint32_t rounds;
    struct fb_object made; /* that is tried to be made; version 0: none yet */
    unsigned char made_text[FB_IDENTITY_BYTES];
    struct fb_offload_task offload;
    int code; /* a folder's: -errno, when it has ended; 0: it is fine, or an object store's */
    struct fb_origin_task task;
    unsigned char text[FB_IDENTITY_BYTES];
};

/* Done with OK: identity; ABSENT: there is none, and it was not to be made; BUSY: it changes each
 * time; what fb_origin_refuses: it is not to be had; others: the origin did not answer. */
void fb_identity_ask(struct fb_identity_question *question);

/* A new one. false: the kernel has no random bits. */
bool fb_identity_make(struct fb_key *identity);

/* As it is stored, 32 digits, and as it is read: what is no such text is known by its hash. */
void fb_identity_print(struct fb_key identity, char text[FB_IDENTITY_DIGITS + 1]);
/* Of any bytes; those of another form are known by their hash. */
struct fb_key fb_identity_read(const unsigned char *text, size_t size);

/* origin_posix_identity.c; waits. Errors: -errno; -ENOENT: there is none. */
int fb_identity_posix(struct fb_origin *origin, bool is_making, struct fb_key *identity);
/* Can the folder's be read, or is there none? error: why not, and how it is mended. */
bool fb_identity_posix_is_fine(int root, const char *path, struct fb_error *error);

#endif
