/* Unfinished names that nobody is at: the store's list of them is looked through, record by record
 * and round after round, with a cursor that goes on where it stood (R18).
 *
 *     timer --META_LIST--> LISTING --OK: a job, or none is wanted--> the next one, META_LIST
 *       ^                    | |  '--no slot for a job--> a pause, then the same one again
 *       '--pause--ABSENT-----' '--CORRUPT: bad--> the next one
 *
 *  1. A record is finished here when this node is its keeper or the keeper is no member any more.
 *     Where the keeper is alive and does not get on, members take turns: rounds and keys say whose
 *     it is. Its age is told by clocks, which may be wrong: one from the future counts as old.
 *  2. More unfinished names than there are slots are no loss: each is met in its turn, and a job
 *     that has waited for long makes room (name_finish.c).
 *  3. What cannot be finished, since the record says nothing that a node could have said, or the
 *     origin refuses it for good, is kept in a table of bad names with the reason and left alone as
 *     long as the record stays; one whose bytes are nowhere, until members change. When the table
 *     is full the oldest goes, and is tried again. */
#include "core/name/name_flows.h"
#include "core/name/name.h"

enum { ROUNDS_PATIENT = 5 };

static const uint64_t pause_full_ns = 50000000;

void bad_add(struct fb_node *node, struct fb_key key, uint64_t version, enum fb_status status)
{
    uint32_t max = (uint32_t)node->config.names_max, index = 0;
    FB_ASSERT(status != FB_OK && max > 0);
    while (index < max && node_bad_names(node)[index].status != FB_OK &&
           !fb_key_equal(node_bad_names(node)[index].key, key))
        index++;
    if (index == max) {
        index = node->bad_next;
        node->bad_next = (node->bad_next + 1) % max;
    }
    struct bad_name *bad = &node_bad_names(node)[index];
    node->bad_used += bad->status == FB_OK;
    bool is_known = bad->status != FB_OK && fb_key_equal(bad->key, key) && bad->version == version;
    node->stats.names_given_up += !is_known;
    node->stats.names_lost += !is_known && status == FB_LOST;
    *bad = (struct bad_name){.key = key, .version = version, .status = status, .is_seen = 1};
    FB_ASSERT(node->bad_used <= max);
}

struct bad_name *bad_find(struct fb_node *node, struct fb_key key)
{
    for (uint32_t i = 0; i < node->config.names_max && node->bad_used > 0; i++) {
        struct bad_name *bad = &node_bad_names(node)[i];
        FB_ASSERT(bad->status < FB_STATUS_COUNT);
        if (bad->status != FB_OK && fb_key_equal(bad->key, key))
            return bad;
    }
    FB_ASSERT(node->bad_used <= node->config.names_max);
    return NULL;
}

void bad_remove(struct fb_node *node, struct fb_key key)
{
    struct bad_name *bad = bad_find(node, key);
    FB_ASSERT(bad == NULL || node->bad_used > 0);
    if (bad == NULL)
        return;
    bad->status = FB_OK;
    node->bad_used--;
    FB_ASSERT(bad_find(node, key) == NULL);
}

/* The pass is over: what was not met any more is somebody else's, or gone. */
static void pass_end(struct fb_node *node)
{
    FB_ASSERT(!node->is_listing);
    for (uint32_t i = 0; i < node->config.names_max && node->bad_used > 0; i++) {
        struct bad_name *bad = &node_bad_names(node)[i];
        if (bad->status != FB_OK && !bad->is_seen) {
            bad->status = FB_OK;
            node->bad_used--;
        }
        bad->is_seen = 0;
    }
    node->left_used = node->left_seen;
    node->left_seen = 0;
    node->list_pass++;
    node->list_from = (struct fb_key){.high = 0, .low = 0};
    FB_ASSERT(node->left_seen == 0);
}

static void list_pause(struct fb_node *node, uint64_t pause_ns)
{
    FB_ASSERT(node->config.records > 1);
    FB_ASSERT(!node->is_listing);
    fb_timer_set(node_timer(node), timer_of_list(node), node->now_ns + pause_ns);
}

void collect_start(struct fb_node *node)
{
    FB_ASSERT(!node->is_listing);
    if (node->config.records > 1)
        list_pause(node, fb_random_below(&node->random, node->config.name_list_ns / 4));
    FB_ASSERT(node->list_from.high == 0);
}

void collect_timer(struct step *step)
{
    struct fb_node *node = step->node;
    FB_ASSERT(!node->is_listing);
    FB_ASSERT(step_room(step) > 0);
    node->is_listing = 1;
    node->list_generation++;
    struct fb_op *op = step_op(step, FB_OP_META_LIST);
    op->op_id = id_make(ID_LIST, 0, node->list_generation);
    op->span = (struct fb_span){.peer = FB_NONE};
    op->source = (struct fb_span){.peer = FB_NONE};
    op->block = (struct fb_block){.key = node->list_from, .object = FB_OBJECT_NONE};
    op->record = (struct fb_meta){.version = 0};
}

bool collect_is_ours(const struct fb_node *node, const struct fb_meta *record, struct fb_key key,
                     uint64_t wall_ns)
{
    struct fb_name_facts facts = fb_name_read(record);
    uint32_t self = (uint32_t)node->config.node, place = 0;
    FB_ASSERT(node->config.records > 1);
    bool is_member = node->view != NULL && fb_view_find(node->view, facts.node) != NULL;
    if (facts.node == self || !is_member)
        return true;
    uint32_t members = fb_view_member_count(node->view);
    while (place < members && fb_view_member(node->view, place)->node != self)
        place++;
    bool is_old = facts.version > wall_ns ||
                  wall_ns - facts.version >= ROUNDS_PATIENT * node->config.name_list_ns;
    FB_ASSERT(members > 0);
    return is_old && (key.low + node->list_pass) % members == place;
}

/* false: there is no slot for it now. */
static bool list_take(struct step *step, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    struct fb_key key = done->listed.key;
    struct fb_meta record = done->listed.record;
    struct bad_name *bad = bad_find(node, key);
    FB_ASSERT(done->status == FB_OK);
    record.version = 1; /* perhaps an older one: it is read again */
    bool is_known = bad != NULL && bad->version == record.value.high;
    if (is_known)
        bad->is_seen = 1;
    if (is_known && !bad->is_doubted)
        return true;
    if (!is_known)
        bad_remove(node, key);
    if (finish_find(node, key, 0) != FB_NONE ||
        !collect_is_ours(node, &record, key, done->listed.wall_ns))
        return true;
    uint32_t index = finish_has_room(node) ? name_take(node, NAME_FINISH) : FB_NONE;
    if (index == FB_NONE)
        return false;
    struct name *name = &node_names(node)[index];
    node->jobs_used++;
    node->left_used -= node->left_used > 0;
    name->key = key;
    name->record = record;
    name->is_found = 1;
    FB_ASSERT(name->limit == 0);
    name_record(step, index);
    return true;
}

/* Behind a key; false: there is none. */
static bool key_next(struct fb_key *key)
{
    FB_ASSERT(key != NULL);
    key->low++;
    if (key->low == 0)
        key->high++;
    return key->low != 0 || key->high != 0;
}

void collect_done(struct step *step, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    enum fb_status status = (enum fb_status)done->status;
    FB_ASSERT(node->is_listing);
    FB_ASSERT(id_generation(done->op_id) == node->list_generation); /* R3 */
    node->is_listing = 0;
    if (status == FB_OK && !list_take(step, done)) {
        list_pause(node, pause_full_ns);
        return;
    }
    if (status == FB_CORRUPT)
        bad_add(node, done->listed.key, done->listed.record.value.high, FB_CORRUPT);
    bool is_one = status == FB_OK || status == FB_CORRUPT;
    if (is_one)
        node->list_from = done->listed.key;
    if (is_one && key_next(&node->list_from)) {
        collect_timer(step);
        return;
    }
    if (is_one || status == FB_ABSENT) /* else the store is silent: on from here, later */
        pass_end(node);
    list_pause(node, node->config.name_list_ns);
}
