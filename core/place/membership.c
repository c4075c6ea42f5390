/* See membership.h. */
#include "core/place/membership.h"

#include "core/io.h"
#include "core/panic.h"

#include <stddef.h>

enum {
    KEEPS_A_LEASE = 3,
    TRIES_A_LEASE = 6, /* of what failed */
    JOIN_LEASES_MAX = 3,
    LEASE_NS_MIN = 64,
};

void fb_membership_init(struct fb_membership *membership, uint64_t now_ns, uint64_t lease_ns)
{
    FB_ASSERT(lease_ns >= LEASE_NS_MIN);
    FB_ASSERT(now_ns <= UINT64_MAX - (JOIN_LEASES_MAX + 1) * lease_ns);
    *membership = (struct fb_membership){.lease_ns = lease_ns,
                                         .due_ns = now_ns,
                                         .give_up_ns = now_ns + JOIN_LEASES_MAX * lease_ns,
                                         .state = FB_MEMBERSHIP_JOINING,
                                         .next = FB_MEMBERSHIP_LEASE,
                                         .asked = FB_MEMBERSHIP_NONE};
}

void fb_membership_check(const struct fb_membership *membership)
{
    bool is_member = membership->state == FB_MEMBERSHIP_MEMBER;
    FB_ASSERT(membership->lease_ns >= LEASE_NS_MIN);
    FB_ASSERT(membership->next != FB_MEMBERSHIP_NONE);
    FB_ASSERT(membership->state <= FB_MEMBERSHIP_REFUSED);
    if (is_member)
        FB_ASSERT(membership->has_lease);
    if (is_member)
        FB_ASSERT(membership->revision > 0);
    if (!membership->has_lease)
        FB_ASSERT(membership->next == FB_MEMBERSHIP_LEASE);
    if (membership->state == FB_MEMBERSHIP_REFUSED)
        FB_ASSERT(membership->asked == FB_MEMBERSHIP_NONE);
}

static uint64_t lease_end_ns(const struct fb_membership *membership)
{
    FB_ASSERT(membership->has_lease);
    FB_ASSERT(membership->alive_ns <= UINT64_MAX - membership->lease_ns);
    return membership->alive_ns + membership->lease_ns;
}

uint64_t fb_membership_until_ns(const struct fb_membership *membership)
{
    FB_ASSERT(membership->state <= FB_MEMBERSHIP_REFUSED);
    return membership->state == FB_MEMBERSHIP_MEMBER ? lease_end_ns(membership) : 0;
}

static void ask_next(struct fb_membership *membership, enum fb_membership_ask ask, uint64_t due_ns)
{
    FB_ASSERT(ask != FB_MEMBERSHIP_NONE);
    FB_ASSERT(membership->has_lease || ask == FB_MEMBERSHIP_LEASE);
    membership->next = ask;
    membership->due_ns = due_ns;
}

/* An ask outside failed: a record that is another's, or no answer. */
static void ask_again(struct fb_membership *membership, uint64_t now_ns)
{
    FB_ASSERT(membership->state != FB_MEMBERSHIP_MEMBER);
    FB_ASSERT(membership->lease_ns >= LEASE_NS_MIN);
    ask_next(membership, membership->has_lease ? FB_MEMBERSHIP_KEEP : FB_MEMBERSHIP_LEASE,
             now_ns + membership->lease_ns / TRIES_A_LEASE);
}

/* The lease is over, or may be: it is never used again (2). */
static void lease_drop(struct fb_membership *membership, uint64_t now_ns)
{
    FB_ASSERT(membership->has_lease);
    FB_ASSERT(membership->state != FB_MEMBERSHIP_REFUSED);
    bool was_member = membership->state == FB_MEMBERSHIP_MEMBER;
    uint64_t pause_ns = was_member ? 0 : membership->lease_ns / TRIES_A_LEASE;
    if (was_member)
        membership->state = FB_MEMBERSHIP_FENCED;
    membership->has_lease = false;
    ask_next(membership, FB_MEMBERSHIP_LEASE, now_ns + pause_ns);
}

/* A member's round is over: it rests until a third of a lease after its last KEEP began. */
static void ask_rest(struct fb_membership *membership)
{
    FB_ASSERT(membership->state == FB_MEMBERSHIP_MEMBER);
    FB_ASSERT(membership->alive_ns <= membership->asked_ns);
    ask_next(membership, FB_MEMBERSHIP_KEEP,
             membership->alive_ns + membership->lease_ns / KEEPS_A_LEASE);
}

static void step_leased(struct fb_membership *membership, uint64_t now_ns,
                        enum fb_membership_answer_code code)
{
    FB_ASSERT(!membership->has_lease);
    FB_ASSERT(membership->state != FB_MEMBERSHIP_MEMBER);
    if (code != FB_MEMBERSHIP_FINE) {
        ask_again(membership, now_ns);
        return;
    }
    membership->has_lease = true;
    membership->alive_ns = membership->asked_ns;
    ask_next(membership, FB_MEMBERSHIP_CREATE, now_ns);
}

static void step_created(struct fb_membership *membership, uint64_t now_ns,
                         enum fb_membership_answer_code code)
{
    FB_ASSERT(membership->has_lease);
    FB_ASSERT(code <= FB_MEMBERSHIP_AWAY);
    if (code != FB_MEMBERSHIP_AWAY)
        membership->is_taken = code == FB_MEMBERSHIP_TAKEN;
    if (code == FB_MEMBERSHIP_GONE)
        lease_drop(membership, now_ns);
    else if (code == FB_MEMBERSHIP_FINE)
        ask_next(membership, FB_MEMBERSHIP_LOOK, now_ns);
    else if (membership->state == FB_MEMBERSHIP_MEMBER)
        ask_rest(membership);
    else
        ask_again(membership, now_ns);
}

static void step_kept(struct fb_membership *membership, uint64_t now_ns,
                      enum fb_membership_answer_code code)
{
    bool is_member = membership->state == FB_MEMBERSHIP_MEMBER;
    FB_ASSERT(membership->has_lease);
    FB_ASSERT(membership->alive_ns <= membership->asked_ns);
    membership->is_made_again = false;
    if (code == FB_MEMBERSHIP_GONE) {
        lease_drop(membership, now_ns);
        return;
    }
    if (code != FB_MEMBERSHIP_FINE) {
        ask_next(membership, FB_MEMBERSHIP_KEEP, now_ns + membership->lease_ns / TRIES_A_LEASE);
        return;
    }
    membership->alive_ns = membership->asked_ns;
    ask_next(membership, is_member ? FB_MEMBERSHIP_LOOK : FB_MEMBERSHIP_CREATE, now_ns);
}

/* Returns whether the list is to be told. */
static bool step_looked(struct fb_membership *membership, uint64_t now_ns,
                        const struct fb_membership_answer *answer)
{
    bool was_member = membership->state == FB_MEMBERSHIP_MEMBER;
    bool is_fine = answer->code == FB_MEMBERSHIP_FINE;
    FB_ASSERT(membership->has_lease);
    FB_ASSERT(membership->state != FB_MEMBERSHIP_REFUSED);
    if (!was_member && !(is_fine && answer->is_own_seen)) {
        ask_again(membership, now_ns);
        return false;
    }
    membership->state = FB_MEMBERSHIP_MEMBER;
    if (is_fine && answer->is_own_seen)
        membership->is_taken = false;
    if (is_fine && !answer->is_own_seen && !membership->is_made_again) {
        membership->is_made_again = true;
        ask_next(membership, FB_MEMBERSHIP_CREATE, now_ns);
    } else {
        ask_rest(membership);
    }
    if (!is_fine || (was_member && membership->digest == answer->digest))
        return false;
    membership->digest = answer->digest;
    membership->revision++;
    return true;
}

/* What has come about by itself; before an answer is looked at (2). */
static void step_time(struct fb_membership *membership, uint64_t now_ns)
{
    FB_ASSERT(membership->state != FB_MEMBERSHIP_REFUSED);
    FB_ASSERT(now_ns >= membership->asked_ns);
    if (membership->has_lease && now_ns >= lease_end_ns(membership))
        lease_drop(membership, now_ns);
    if (membership->state == FB_MEMBERSHIP_JOINING && now_ns > membership->give_up_ns &&
        membership->asked == FB_MEMBERSHIP_NONE)
        membership->state = FB_MEMBERSHIP_REFUSED;
}

/* Returns whether the list is to be told. */
static bool step_answer(struct fb_membership *membership, uint64_t now_ns,
                        const struct fb_membership_answer *answer)
{
    enum fb_membership_ask asked = membership->asked;
    bool had_lease = membership->has_lease;
    FB_ASSERT(asked != FB_MEMBERSHIP_NONE);
    FB_ASSERT(now_ns >= membership->asked_ns);
    membership->asked = FB_MEMBERSHIP_NONE;
    if (had_lease == (asked == FB_MEMBERSHIP_LEASE))
        return false; /* of a lease that is over meanwhile */
    switch (asked) {
    case FB_MEMBERSHIP_NONE:
        break;
    case FB_MEMBERSHIP_LEASE:
        step_leased(membership, now_ns, answer->code);
        break;
    case FB_MEMBERSHIP_CREATE:
        step_created(membership, now_ns, answer->code);
        break;
    case FB_MEMBERSHIP_KEEP:
        step_kept(membership, now_ns, answer->code);
        break;
    case FB_MEMBERSHIP_LOOK:
        return step_looked(membership, now_ns, answer);
    }
    return false;
}

static uint64_t step_due_ns(const struct fb_membership *membership)
{
    uint64_t due_ns = UINT64_MAX;
    FB_ASSERT(membership->lease_ns >= LEASE_NS_MIN);
    if (membership->state == FB_MEMBERSHIP_REFUSED)
        return due_ns;
    if (membership->asked == FB_MEMBERSHIP_NONE)
        due_ns = membership->due_ns;
    if (membership->has_lease && lease_end_ns(membership) < due_ns)
        due_ns = lease_end_ns(membership);
    return due_ns;
}

void fb_membership_step(struct fb_membership *membership, uint64_t now_ns,
                        const struct fb_membership_answer *answer,
                        struct fb_membership_update *update)
{
    enum fb_membership_state state = membership->state;
    uint64_t until_ns = fb_membership_until_ns(membership);
    *update = (struct fb_membership_update){.ask = FB_MEMBERSHIP_NONE, .due_ns = UINT64_MAX};
    fb_membership_check(membership);
    if (state == FB_MEMBERSHIP_REFUSED)
        return;
    step_time(membership, now_ns);
    if (answer != NULL) {
        update->is_news = step_answer(membership, now_ns, answer);
        step_time(membership, now_ns);
    }
    bool is_due = membership->state != FB_MEMBERSHIP_REFUSED &&
                  membership->asked == FB_MEMBERSHIP_NONE && membership->due_ns <= now_ns;
    if (is_due) {
        update->ask = membership->asked = membership->next;
        membership->asked_ns = now_ns;
    }
    update->due_ns = step_due_ns(membership);
    update->is_changed =
        state != membership->state || until_ns != fb_membership_until_ns(membership);
    fb_membership_check(membership);
}

bool fb_membership_guards_request(uint32_t kind)
{
    FB_ASSERT(kind <= FB_REQUEST_DRAIN);
    return kind == FB_REQUEST_WRITE || kind == FB_REQUEST_COMMIT || kind == FB_REQUEST_NAME_BEGIN ||
           kind == FB_REQUEST_NAME_COMMIT || kind == FB_REQUEST_NAME_REMOVE;
}

bool fb_membership_guards_op(uint32_t kind)
{
    FB_ASSERT(kind < FB_OP_COUNT);
    return kind == FB_OP_META_PUT || kind == FB_OP_ORIGIN_COMMIT || kind == FB_OP_ORIGIN_REMOVE;
}
