/* Is a block anywhere that a commit still waits for? The origin has said that it is missing, again
 * and again; members are asked as for a read (search.c), and hear SEEK. What they say ends in one
 * of two ways:
 *
 *     COMPOSE --BUSY, tried PATIENT times--> SEEK --one has it, may have it, or is silent--> WAIT
 *        ^                                    '--nobody has it--.
 *        '--for SEEKS_MAX times, of the same block -------------'
 *     COMPOSE --BUSY, and it was asked for so often--> LOST: the name is given up
 *
 *  1. A name that was taken on from another has been tried there, and is asked for at once: members
 *     take turns, and a turn may be shorter than the patience.
 *  2. Whoever reads the name hears LOST by the same words, at once; here nobody reads, and the name
 *     would be tried for ever. It stays in the store as it is: it is listed, can be removed, and
 *     written again.
 *  3. LOST lasts as long as the members are the same: one that comes back may have the block on its
 *     drive, so it is looked for again then (lost_ask_again). Until that ends the name is listed.
 *  4. A view that changes begins the asking again. Without one nobody knows who the members are. */
#include "core/name/name_flows.h"
#include "core/read/search.h"

enum { PATIENT = 4, SEEKS_MAX = 2 };

static void seek_send(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    uint64_t id = id_make(ID_NAME, index, name->generation);
    uint32_t count = search_count(node);
    FB_ASSERT(name->state == NAME_SEEK);
    for (uint32_t sent = 0;
         name->seek_next < count && sent < SEEKS_A_STEP && step_room(step) > 1;) {
        uint32_t i = name->seek_next++;
        if (!search_ask_one(step, name->missing, i, id))
            continue;
        name->waiting |= UINT64_C(1) << i;
        sent++;
    }
    bool is_asked = name->seek_next == count;
    uint64_t pause_ns = !is_asked || name->waiting == 0 ? 0 : search_patience_ns(node, name->tries);
    fb_timer_set(node_timer(node), timer_of_name(node, index), node->now_ns + pause_ns);
}

/* From the beginning, under the view as it is now. */
static void seek_ask(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    uint32_t fragments;
    enum fb_status here = search_here(node, name->missing, &fragments);
    FB_ASSERT(name->kind == NAME_FINISH);
    FB_ASSERT(node->view != NULL);
    name->state = NAME_SEEK;
    name->generation++;
    name->waiting = 0;
    name->seek_next = 0;
    name->is_unsure = here != FB_ABSENT;
    name->fragments = fragments;
    name->view_version = fb_view_version(node->view);
    node->stats.searches++;
    seek_send(step, index);
}

static void seek_end(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->state == NAME_SEEK);
    fb_timer_cancel(node_timer(node), timer_of_name(node, index));
    name->generation++;
    if (name->is_unsure || search_is_enough(node, name->fragments, name->missing_size)) {
        name->seeks = 0;
        finish_wait(node, index);
        return;
    }
    name->seeks++;
    finish_begin(step, index); /* the origin once more */
}

bool seek_begin(struct step *step, uint32_t index, const struct fb_block *missing)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    bool is_same = fb_key_equal(name->missing, missing->key);
    FB_ASSERT(name->kind == NAME_FINISH && name->state == NAME_COMPOSE);
    if (!is_same)
        name->seeks = 0;
    if (missing->size == 0 || (name->tries < PATIENT && !name->is_claimed) ||
        search_count(node) == 0)
        return false;
    if (name->seeks >= SEEKS_MAX) {
        bad_add(node, name->key, name->record.value.high, FB_LOST);
        name_end(node, index);
        return true;
    }
    name->missing = missing->key;
    name->missing_size = missing->size;
    tell_why(node, FB_WHY_SEEK_BLOCKS);
    seek_ask(step, index);
    return true;
}

void seek_timer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->state == NAME_SEEK);
    FB_ASSERT(node->view != NULL);
    if (name->view_version != fb_view_version(node->view)) {
        seek_ask(step, index);
    } else if (name->seek_next < search_count(node)) {
        seek_send(step, index);
    } else {
        name->is_unsure |= name->waiting != 0;
        seek_end(step, index);
    }
}

void seek_heard(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    uint32_t index = id_index(message->sought.ask_id);
    FB_ASSERT(message->kind == FB_MESSAGE_SOUGHT);
    FB_ASSERT(id_class(message->sought.ask_id) == ID_NAME);
    bool is_mine = index < node->config.names_max && node_names(node)[index].kind == NAME_FINISH &&
                   node_names(node)[index].state == NAME_SEEK &&
                   node_names(node)[index].generation == id_generation(message->sought.ask_id);
    if (!is_mine) {
        node->stats.late_messages++;
        return;
    }
    struct name *name = &node_names(node)[index];
    if (name->view_version != fb_view_version(node->view))
        return; /* the timer begins it again */
    name->waiting = search_answered(node, name->missing, name->waiting, message->source);
    name->fragments |= message->sought.fragments & ((1u << FB_FRAGMENTS_MAX) - 1);
    name->is_unsure |= message->sought.status != FB_ABSENT;
    if (name->seek_next == search_count(node) && name->waiting == 0)
        seek_end(step, index);
}

void lost_ask_again(struct fb_node *node)
{
    for (uint32_t i = 0; i < node->config.names_max && node->bad_used > 0; i++) {
        struct bad_name *bad = &node_bad_names(node)[i];
        FB_ASSERT(bad->status < FB_STATUS_COUNT);
        bad->is_doubted |= bad->status == FB_LOST;
    }
    FB_ASSERT(node->bad_used <= node->config.names_max);
}
