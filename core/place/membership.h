/* Whether this node is a member: what to ask the store of members, when, and what follows.
 *
 * The store keeps leases and under them a record a member. A record goes with its lease, and then
 * the others go on without its node. So it must have stopped acting as a member by then.
 *
 *     JOINING --LEASE, CREATE, LOOK are FINE--> MEMBER      (step_looked)
 *     JOINING --JOIN_LEASES_MAX leases long not--> REFUSED  (step_time)
 *     MEMBER  --no KEEP is FINE that began within a lease--> FENCED   (step_time)
 *     MEMBER  --KEEP is GONE--> FENCED                      (step_kept)
 *     FENCED  --LEASE, CREATE, LOOK are FINE--> MEMBER      (step_looked)
 *
 *     outside:  LEASE --> CREATE --> LOOK; what fails is followed, after a pause, by KEEP of the
 *               lease that it has and CREATE again, or by LEASE where it has none
 *     MEMBER:   every third of a lease KEEP --> LOOK; one that fails is tried again sooner; a LOOK
 *               without its own record is followed by one CREATE --> LOOK
 *
 * 1. A lease ends no earlier at the store than a lease after the ask began that it was last given
 *    or kept by. The node counts from there, by its own clock, which only has to run on as fast
 *    as the store's: what time it shows does not matter. CREATE prolongs nothing.
 * 2. An answer that comes when that time is over changes nothing: a fenced node joins anew, under
 *    a new lease.
 * 3. Whoever comes back is told the members, as a list of a later revision, also when they are the
 *    same as before: others may have counted it as gone meanwhile.
 * 4. The store away for less than half a lease changes nothing.
 * 5. A record of its own that is removed or overwritten while its lease lives is made again; where
 *    another's stands it goes on as a member, and says so.
 * 6. A node that starts again within the old lease of its id takes its record over, if it is the
 *    same; another's has to run out first. The others see another lease: a list that is new.
 *
 * Does not: encode records, keep lists, wait. Each ask gets exactly one answer; AWAY: none came. */
#ifndef FB_CORE_PLACE_MEMBERSHIP_H
#define FB_CORE_PLACE_MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

/* How the node stands to the cluster. */
enum fb_membership_state {
    FB_MEMBERSHIP_JOINING, /* never was a member */
    FB_MEMBERSHIP_MEMBER,
    FB_MEMBERSHIP_FENCED,  /* the others may go on without it */
    FB_MEMBERSHIP_REFUSED, /* tried to join for long: it asks no more */
};

/* What the store is asked for. */
enum fb_membership_ask {
    FB_MEMBERSHIP_NONE,
    FB_MEMBERSHIP_LEASE,  /* a new lease */
    FB_MEMBERSHIP_CREATE, /* its record, under the lease; one of the same value is moved there */
    FB_MEMBERSHIP_KEEP,   /* the lease, for as long again */
    FB_MEMBERSHIP_LOOK,   /* at all records */
};

/* What it says. */
enum fb_membership_answer_code {
    FB_MEMBERSHIP_FINE,
    FB_MEMBERSHIP_TAKEN, /* CREATE: there is one of another value */
    FB_MEMBERSHIP_GONE,  /* KEEP, CREATE: there is no such lease */
    FB_MEMBERSHIP_AWAY,  /* no answer, or none that says anything */
};

/* Its answer to the ask that is under way. */
struct fb_membership_answer {
    enum fb_membership_answer_code code;
    /* LOOK: of the list, and of the lease that each record is under: a node that starts again
     * within its lease has lost its memory, and the others must hear of it. */
    uint64_t digest;
    bool is_own_seen; /* LOOK: the node's own record is in it */
};

/* What a step leads to. */
struct fb_membership_update {
    enum fb_membership_ask ask; /* begins now; NONE: nothing, or the last one is not answered */
    uint64_t due_ns;            /* no step is needed before, but for an answer */
    bool is_news;               /* the list of the LOOK that was answered is to be told */
    bool is_changed;            /* state, or until when, is another than before the step */
};

/* Plain data; the driver's. */
struct fb_membership {
    uint64_t lease_ns;
    uint64_t alive_ns;   /* when the ask began that its lease was last prolonged by */
    uint64_t asked_ns;   /* when the last ask began */
    uint64_t due_ns;     /* of the next ask */
    uint64_t give_up_ns; /* JOINING: REFUSED after that */
    uint64_t revision;   /* of the list that was told last; 0: none yet */
    uint64_t digest;     /* of that list */
    enum fb_membership_state state;
    enum fb_membership_ask next, asked; /* asked: not answered yet; NONE: there is none */
    bool has_lease;
    bool is_taken;      /* another's record stands where its own should */
    bool is_made_again; /* its record, since the last KEEP */
};

/* lease_ns: from 64 ns on; the store's is at least as long. */
void fb_membership_init(struct fb_membership *membership, uint64_t now_ns, uint64_t lease_ns);

/* What follows by now. answer: of the ask that is under way; NULL: there is none yet. */
void fb_membership_step(struct fb_membership *membership, uint64_t now_ns,
                        const struct fb_membership_answer *answer,
                        struct fb_membership_update *update);

/* Until when the node may act as a member unless it hears otherwise; 0: it is none. */
uint64_t fb_membership_until_ns(const struct fb_membership *membership);

/* What a node that is no member refuses (GONE): requests that others must find the effects of, and
 * ops that change what a name means. It reads on and stores what it has promised. */
bool fb_membership_guards_request(uint32_t kind); /* enum fb_request_kind */
/* The same of an op. */
bool fb_membership_guards_op(uint32_t kind); /* enum fb_op_kind */

/* Asserts what holds in each state. For tests. */
void fb_membership_check(const struct fb_membership *membership);

#endif
