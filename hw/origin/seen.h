/* What the origin said of names lately, kept for as long as names.valid allows: so that opening a
 * file again asks nobody. With names.valid 0 nothing is kept. What this node changes is forgotten
 * at once, what it finds changed, too. */
#ifndef FB_HW_ORIGIN_SEEN_H
#define FB_HW_ORIGIN_SEEN_H

#include "core/index/cache.h"
#include "client/protocol/attributes.h"
#include "hw/origin/object.h"

struct fb_seen_name;

/* What is kept, or nothing. */
struct fb_seen {
    uint64_t valid_ns;      /* 0: nothing is kept */
    struct fb_cache *index; /* hash of the name -> slot, LRU */
    struct fb_seen_name *names;
    uint32_t room;
};

/* false: out of memory. */
bool fb_seen_open(struct fb_seen *seen, uint64_t valid_ns, uint32_t names_max);
/* Frees what is kept. */
void fb_seen_close(struct fb_seen *seen);
/* Bytes that it takes at most. */
uint64_t fb_seen_bytes(uint64_t valid_ns, uint32_t names_max);

/* The origin's answer to a STAT (is_look: LOOK) of the object's name: into the object, if it is
 * kept. */
bool fb_seen_find(struct fb_seen *seen, struct fb_object *object, struct fb_attributes *attributes,
                  bool is_look, uint64_t now_ns);
/* Keeps an answer, in the place of an older one. */
void fb_seen_put(struct fb_seen *seen, const struct fb_object *object,
                 const struct fb_attributes *attributes, bool is_look, uint64_t now_ns);
/* The name may mean something else now. */
void fb_seen_forget(struct fb_seen *seen, const char *name, uint32_t length);
/* Names below a folder that moves, among others. */
void fb_seen_forget_all(struct fb_seen *seen);

#endif
