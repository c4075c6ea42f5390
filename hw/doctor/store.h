/* What a daemon's origin and metadata store say when they are asked: who they are, and whether
 * these settings may do there what a daemon does. In an object store an object .forebay-doctor is
 * made and removed again; nothing else is written. Waits, some seconds where nobody answers. */
#ifndef FB_HW_DOCTOR_STORE_H
#define FB_HW_DOCTOR_STORE_H

#include "core/tier/identity.h"
#include "hw/base/settings.h"

/* The first of what a daemon asks that did not go well. */
struct fb_store_answer {
    enum fb_status status; /* OK: all went well */
    const char *what;      /* that was asked: "listing", "storing", "removing", "opening" */
    bool has_identity;     /* it has said who it is: identity, 0, 0: it has none */
    struct fb_key identity;
};

/* Errors: error set: it cannot be asked, as without io_uring. */
void fb_store_look(const struct fb_settings *settings, struct fb_store_answer *answer,
                   struct fb_error *error);

/* How a block comes from an object store. false: it is more requests than a node has at once. */
enum { FB_STORE_PARTS_BYTES = 256 };
bool fb_store_parts_print(const struct fb_settings *settings, char text[FB_STORE_PARTS_BYTES]);

/* Whom the drive belongs to, as its head says, and whether it owes: 0: nothing. */
void fb_store_drive(const struct fb_settings *settings, struct fb_identities *knows,
                    uint64_t *owed_bytes);

#endif
