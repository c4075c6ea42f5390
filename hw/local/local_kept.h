/* Changes of what a record keeps, under way; shared by local_kept.c and local_kept_rename.c. */
#ifndef FB_HW_LOCAL_LOCAL_KEPT_H
#define FB_HW_LOCAL_LOCAL_KEPT_H

#include "hw/local/local_internal.h"
#include "hw/meta/kept_change.h"

/* PUTs whose end is not known that a change outlives. */
enum { KEPT_UNSURE_MAX = 3 };

/* A change that is under way. */
struct kept_change {
    struct local_request *request;
    struct fb_name_facts facts; /* of the record */
    struct fb_kept kept;
    struct fb_kept_scene scene;
    bool is_make, has_page;
    uint32_t tries, unsure;
    uint64_t made;             /* the version that a PUT may have made something with; 0: none */
    struct fb_name_task above; /* the folder that the name is in */
    struct fb_meta_attributes above_found;
    struct fb_meta_name listed;
    int list_error;
    void (*then)(struct kept_change *change); /* when the folder, or its list, is known */
    struct fb_meta_task task;
    /* RENAME: */
    struct fb_origin_task target; /* its object is the one that is named */
    struct fb_name_task target_name;
    struct fb_meta_attributes target_found;
    uint32_t target_type;
    uint64_t moved[KEPT_UNSURE_MAX]; /* versions that PUTs of unknown end gave it; 0: none */
};

/* Ends the request, and what is under way. */
void kept_end_status(struct kept_change *change, enum fb_status status);
/* The same; 0, or an errno. */
void kept_end_error(struct kept_change *change, int error);

/* From the record on; others change it as well. */
void kept_again(struct kept_change *change);
/* The same, when a PUT was not OK; BUSY and others end it. */
/* Of a PUT that ended so nobody knows whether it was done (meta.h, 3). */
bool kept_is_unsure(enum fb_status status);
void kept_put_failed(struct kept_change *change, enum fb_status status);

/* Reads the record of the folder that the object's name is in; a PUT, which is begun anew, then
 * expects it. Errors: ENOTDIR: it has none; ENAMETOOLONG. */
void kept_above_read(struct kept_change *change, const struct fb_object *object,
                     void (*then)(struct kept_change *change));
/* Reads a folder's list: anything in it is an error. */
void kept_list_read(struct kept_change *change, const char *folder, uint32_t length, int error,
                    void (*then)(struct kept_change *change));

/* A record becomes that of what has no object; is_first: there was none. */
void kept_facts_make(struct kept_change *change, struct fb_name_facts *facts, bool is_first,
                     uint64_t version);
/* Begins the PUT that is prepared. */
void kept_put_start(struct kept_change *change, const struct fb_object *object, fb_meta_done *done);

/* What a removal has begun is hurried, and the client asks again: BUSY. */
void kept_hurry(struct kept_change *change, const struct fb_object *object, uint64_t version);

/* RENAME; the source is known: scene.type; 0: it is gone. */
void kept_rename(struct kept_change *change);

#endif
