/* Commits that take another name away; see local_move.c. */
#ifndef FB_HW_LOCAL_LOCAL_MOVE_H
#define FB_HW_LOCAL_LOCAL_MOVE_H

#include "hw/local/local_internal.h"

/* COMMIT of the request's object, by which request->change's name goes. */
void local_move_start(struct local_request *request);
/* The commit was ABSENT: the source's record has changed, if only in what is beside it, or since
 * its bytes are at the origin now. Looks again. */
void local_move_again(struct local_request *request);
/* The commit is answered, or not begun. */
void local_move_end(struct local_request *request);

/* local_name.c: the source is known, with what is kept of it in request->kept; gone: the request's,
 * until local_move_end. */
void local_commit_moved(struct local_request *request, const struct fb_meta_gone *gone);

#endif
