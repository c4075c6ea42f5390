/* What the flows of names call of each other and others of them: a paragraph a file. */
#ifndef FB_CORE_NAME_NAME_FLOWS_H
#define FB_CORE_NAME_NAME_FLOWS_H

#include "core/state/step.h"

/* meta.c: for a name of name.c, which hears of it by name_recorded; false: there is no room now. */
bool meta_of_name(struct step *step, uint32_t name, const struct fb_meta *record, bool is_commit);

/* name.c: what names mean and how that changes. */
void name_request(struct step *step, const struct fb_request *request);
/* The store has answered for a name; goes on with what it waits for. */
void name_recorded(struct step *step, uint32_t index, enum fb_status status,
                   const struct fb_meta *record);
/* An ORIGIN op of a name has ended; of one that waits no more it is only counted. */
void name_done(struct step *step, uint32_t index, const struct fb_done *done);
void name_timer(struct step *step, uint32_t index);            /* A name's pause is over. */
uint32_t name_take(struct fb_node *node, enum name_kind kind); /* FB_NONE: none is free */
void name_end(struct fb_node *node, uint32_t index); /* The slot is free, its timer off. */
/* Reads the record; put off if there is no room. */
void name_record(struct step *step, uint32_t index);
/* Writes slot.change: state PUT or CLAIM; put off if there is no room. */
void name_put(struct step *step, uint32_t index, enum name_state state);
/* False: too many are under way. */
bool name_origin(struct step *step, uint32_t index, enum name_state state);
/* A time later than `order` by which a version may be shown, and known again: its last bits are the
 * version's own. 0: there is none. */
uint64_t name_raised(uint64_t version, uint64_t order);
/* Is `shown` a time that name_raised could have made of the version? */
bool name_is_raised(uint64_t version, uint64_t shown);
void name_check(struct fb_node *node); /* Asserts that slots, timers and counts agree. */

/* name_finish.c: what a commit or a removal leaves to do. */
void finish_commit(struct step *step, uint32_t index); /* the slot's change has been made */
/* A name of this node's keeping was removed with a commit; 0, 0: none was. */
void finish_moved(struct fb_node *node, struct fb_key key);
/* Does what the slot's record is still to have done at the origin. */
void finish_begin(struct step *step, uint32_t index);
/* Tries again after a pause that doubles. */
void finish_wait(struct fb_node *node, uint32_t index);
/* Its record was read or written; goes on, or ends if another has it. */
void finish_recorded(struct step *step, uint32_t index, enum fb_status status,
                     const struct fb_meta *record);
/* Its op at the origin has ended. */
void finish_done(struct step *step, uint32_t index, const struct fb_done *done);
/* version 0: any. FB_NONE: there is no such job. */
uint32_t finish_find(struct fb_node *node, struct fb_key key, uint64_t version);
bool finish_has_room(struct fb_node *node); /* for one job more */
/* Has the origin refused it for some time, as it will until somebody helps? */
bool finish_is_refused(const struct name *name);

/* name_collect.c: unfinished names of others, and those that cannot be finished. */
void collect_start(struct fb_node *node);
void collect_timer(struct step *step); /* Asks the store for the next unfinished record. */
/* It has come: taken over, given up as bad, or the round is over. */
void collect_done(struct step *step, const struct fb_done *done);
/* Is it this node's to finish: its own, a gone member's, or its share of what is old? */
bool collect_is_ours(const struct fb_node *node, const struct fb_meta *record, struct fb_key key,
                     uint64_t wall_ns);
/* A name that cannot be finished is remembered; the oldest place is taken when all are. */
void bad_add(struct fb_node *node, struct fb_key key, uint64_t version, enum fb_status status);
struct bad_name *bad_find(struct fb_node *node, struct fb_key key); /* NULL: it is none */
void bad_remove(struct fb_node *node, struct fb_key key); /* It can be, or is: forgotten. */

/* name_abandon.c: versions that nobody can commit any more. */
void abandon_request(struct step *step, const struct fb_request *request);
/* size: bytes that may have been written of it; 0: not known. */
void abandon_version(struct step *step, struct fb_key key, uint64_t version, uint64_t size);
/* The next round comes after a pause that doubles; ends the slot after the last. */
void abandon_wait(struct fb_node *node, uint32_t index);
/* The record was read: is the version's COMMIT past? */
void abandon_recorded(struct step *step, uint32_t index, enum fb_status status,
                      const struct fb_meta *record);
/* The origin has removed its blocks, or not. */
void abandon_done(struct step *step, uint32_t index, const struct fb_done *done);
/* Tells one member more, or begins a round. */
void abandon_timer(struct step *step, uint32_t index);

/* name_seek.c: blocks that a commit waits for and that are nowhere. */
/* The origin misses this one. False: it is too early to ask, or there is nobody to ask. */
bool seek_begin(struct step *step, uint32_t index, const struct fb_block *missing);
/* Asks some members more; ends when all had their time. */
void seek_timer(struct step *step, uint32_t index);
/* A member says whether it has the block; counted if it comes too late. */
void seek_heard(struct step *step, const struct fb_message *message);
void lost_ask_again(struct fb_node *node); /* members have changed */

/* meta.c: names. */
void lookup_request(struct step *step, const struct fb_request *request);
/* Begins a compare-and-swap of a record; one op at least, a refusal too. */
void commit_request(struct step *step, const struct fb_request *request);
/* A pause after BUSY or silence is over: asks again. */
void meta_timer(struct step *step, uint32_t meta);
/* The store has answered; replies, or asks again. */
void meta_done(struct step *step, uint32_t meta, const struct fb_done *done);
void meta_check(struct fb_node *node); /* Asserts that slots, timers and counts agree. */

#endif
