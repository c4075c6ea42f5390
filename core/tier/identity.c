/* See identity.h. */
#include "core/tier/identity.h"

#include "core/panic.h"

static bool is_other(struct fb_key known, struct fb_key there)
{
    return fb_identity_is_known(known) && !fb_key_equal(known, there);
}

enum fb_identity_answer fb_identity_judge(const struct fb_identity_facts *facts)
{
    FB_ASSERT(facts != 0);
    bool is_owed = facts->owed_bytes > 0;
    bool has_origin = fb_identity_is_known(facts->origin);
    bool is_of_other = is_other(facts->drive.origin, facts->origin);
    FB_ASSERT(!is_of_other || fb_identity_is_known(facts->drive.origin));
    if (!facts->accepts_origin && is_other(facts->store.origin, facts->origin))
        return FB_IDENTITY_REFUSE_NAMED;
    if (!facts->accepts_origin && is_of_other && (is_owed || !has_origin))
        return FB_IDENTITY_REFUSE_DRIVE;
    if (!facts->accepts_store && is_owed && is_other(facts->drive.store, facts->store.store))
        return FB_IDENTITY_REFUSE_STORE;
    return is_of_other ? FB_IDENTITY_FORGET : FB_IDENTITY_USE;
}
