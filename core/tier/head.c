/* See head.h. */
#include "core/tier/head.h"

#include "core/panic.h"

uint32_t fb_head_choose(const struct fb_head_copy *copies, uint32_t count)
{
    uint32_t chosen = FB_NONE;
    FB_ASSERT(copies != 0);
    FB_ASSERT(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        if (copies[i].state == FB_HEAD_COPY_FINE &&
            (chosen == FB_NONE || copies[i].head.sequence > copies[chosen].head.sequence))
            chosen = i;
    }
    return chosen;
}

uint32_t fb_head_faults(const struct fb_head_copy *copies, uint32_t count, uint32_t chosen)
{
    uint32_t faults = 0;
    FB_ASSERT(chosen < count);
    FB_ASSERT(copies[chosen].state == FB_HEAD_COPY_FINE);
    for (uint32_t i = 0; i < count; i++)
        faults += copies[i].state != FB_HEAD_COPY_FINE ||
                  copies[i].head.sequence != copies[chosen].head.sequence;
    return faults;
}

/* No copy can be read. */
static enum fb_drive_answer headless_judge(const struct fb_drive_facts *facts)
{
    bool is_empty = true, is_strange = false;
    FB_ASSERT(facts->copy_count > 0);
    for (uint32_t i = 0; i < facts->copy_count; i++) {
        FB_ASSERT(facts->copies[i].state != FB_HEAD_COPY_FINE);
        is_empty = is_empty && facts->copies[i].state == FB_HEAD_COPY_EMPTY;
        is_strange = is_strange || facts->copies[i].state == FB_HEAD_COPY_STRANGE;
    }
    if (is_empty || facts->may_discard)
        return FB_DRIVE_FORM;
    return is_strange ? FB_DRIVE_REFUSE_STRANGE : FB_DRIVE_REFUSE_DAMAGED;
}

enum fb_drive_answer fb_drive_judge(const struct fb_drive_facts *facts)
{
    const struct fb_head *wanted = &facts->wanted;
    uint32_t chosen = fb_head_choose(facts->copies, facts->copy_count);
    if (chosen == FB_NONE)
        return headless_judge(facts);
    const struct fb_head *head = &facts->copies[chosen].head;
    bool is_ours = head->cluster == wanted->cluster && head->node == wanted->node;
    bool is_same_cut = head->device_size_bytes == wanted->device_size_bytes &&
                       head->block_size_bytes == wanted->block_size_bytes;
    bool is_owed = head->state == FB_HEAD_IN_USE && facts->owed_bytes > 0;
    bool is_unknown = head->state == FB_HEAD_IN_USE && facts->unknown_headers > 0;
    FB_ASSERT(head->state >= FB_HEAD_FORMING);
    FB_ASSERT(head->state <= FB_HEAD_IN_USE);
    if (!is_ours)
        return facts->may_discard ? FB_DRIVE_FORM : FB_DRIVE_REFUSE_FOREIGN;
    if (head->state == FB_HEAD_FORMING)
        return FB_DRIVE_FORM;
    if (is_unknown && !facts->may_discard)
        return FB_DRIVE_REFUSE_UNKNOWN;
    if (!is_same_cut)
        return is_owed && !facts->may_discard ? FB_DRIVE_REFUSE_RESIZED : FB_DRIVE_FORM;
    if (is_owed && !facts->is_recovered)
        return facts->may_discard ? FB_DRIVE_FORM : FB_DRIVE_REFUSE_IGNORED;
    return FB_DRIVE_USE;
}
