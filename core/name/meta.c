/* Records of the metadata store: what a name means, and how that changes. A checkpoint is visible
 * from the commit of its manifest on, whole or not at all.
 *
 *     lookup_request --META_GET--> GET --OK, ABSENT--> reply
 *     commit_request --META_PUT--> PUT --OK, CONFLICT--> reply
 *                       PUT --BUSY, THROTTLED--> PAUSE --META_PUT--> PUT
 *                       PUT --IO, TIMEOUT, GONE: unsure--> PAUSE --META_GET--> CHECK
 *                       PUT --ABSENT: what was to change with it has--> reply
 *                     CHECK --still the expected version--> PUT
 *                     CHECK --ours: OK, another's: CONFLICT, several later: TIMEOUT--> reply
 *     any --retries_max failures; refused for good (R16), and not unsure--> reply
 *
 * META_PUT is a compare-and-swap (R14), so a commit is never applied over one that it has not seen.
 * A PUT that was not answered may have been applied, or may still be: the record is read. If it is
 * ours at the version that we would have made, we won; if another's is there, we lost. When there
 * are more versions since, ours may have been the first of them: nobody can tell. Then, and when
 * the store stays silent, the client hears TIMEOUT and knows no more than that: it looks up. */
#include "core/name/name_flows.h"
#include "core/read/read.h"

enum { META_FREE, META_GET, META_PUT, META_CHECK, META_PAUSE };

static void meta_reply(struct step *step, uint64_t request_id, enum fb_status status,
                       const struct fb_meta *record)
{
    FB_ASSERT(status < FB_STATUS_COUNT);
    FB_ASSERT(step_room(step) > 0);
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = request_id,
                                  .status = status,
                                  .reason = status == FB_OK ? FB_REASON_MEMORY : FB_REASON_REFUSED,
                                  .source = FB_NONE,
                                  .record = *record};
    if (status == FB_BUSY)
        step->node->stats.busy_answers++;
}

static void meta_send(struct step *step, uint32_t index, uint8_t state)
{
    struct fb_node *node = step->node;
    struct meta *meta = &node_metas(node)[index];
    FB_ASSERT(meta->state != META_FREE);
    meta->state = state;
    meta->generation++;
    struct fb_op *op = step_op(step, state == META_PUT ? FB_OP_META_PUT : FB_OP_META_GET);
    op->op_id = id_make(ID_META, index, meta->generation);
    op->span = (struct fb_span){.peer = FB_NONE};
    op->source = (struct fb_span){.peer = FB_NONE};
    op->block = (struct fb_block){.key = meta->key, .object = FB_OBJECT_NONE};
    op->record = meta->record;
    if (state == META_PUT)
        node->stats.meta_puts++;
    else
        node->stats.meta_gets++;
}

/* FB_NONE: all are in use. */
static uint32_t meta_take(struct fb_node *node, struct fb_key key, const struct fb_meta *record,
                          bool is_commit)
{
    uint32_t index = 0;
    while (index < node->config.metas_max && node_metas(node)[index].state != META_FREE)
        index++;
    if (index == node->config.metas_max) {
        tell_count(node, FB_WHY_NO_META, FB_NONE, 0, node->config.metas_max);
        return FB_NONE;
    }
    struct meta *meta = &node_metas(node)[index];
    *meta = (struct meta){.key = key,
                          .record = *record,
                          .generation = meta->generation,
                          .state = META_PAUSE,
                          .is_commit = is_commit,
                          .name = FB_NONE};
    node->metas_used++;
    FB_ASSERT(node->metas_used <= node->config.metas_max);
    return index;
}

static void meta_begin(struct step *step, const struct fb_request *request, bool is_commit)
{
    struct fb_node *node = step->node;
    FB_ASSERT(step_room(step) > 0);
    uint32_t index = meta_take(node, request->block.key, &request->record, is_commit);
    if (index == FB_NONE) {
        const struct fb_meta nothing = {.version = 0};
        meta_reply(step, request->request_id, FB_BUSY, &nothing);
        return;
    }
    node_metas(node)[index].request_id = request->request_id;
    meta_send(step, index, is_commit ? META_PUT : META_GET);
}

bool meta_of_name(struct step *step, uint32_t name, const struct fb_meta *record, bool is_commit)
{
    struct fb_node *node = step->node;
    FB_ASSERT(name < node->config.names_max);
    uint32_t index = meta_take(node, node_names(node)[name].key, record, is_commit);
    if (index == FB_NONE)
        return false;
    node_metas(node)[index].name = name;
    meta_send(step, index, is_commit ? META_PUT : META_GET);
    return true;
}

void lookup_request(struct step *step, const struct fb_request *request)
{
    FB_ASSERT(request->kind == FB_REQUEST_LOOKUP);
    meta_begin(step, request, false);
    FB_ASSERT(step->count > 0);
}

void commit_request(struct step *step, const struct fb_request *request)
{
    FB_ASSERT(request->kind == FB_REQUEST_COMMIT);
    meta_begin(step, request, true);
    FB_ASSERT(step->count > 0);
}

static void meta_end(struct step *step, uint32_t index, enum fb_status status,
                     const struct fb_meta *record)
{
    struct fb_node *node = step->node;
    struct meta *meta = &node_metas(node)[index];
    FB_ASSERT(meta->state != META_FREE);
    FB_ASSERT(node->metas_used > 0);
    fb_timer_cancel(node_timer(node), timer_of_meta(node, index));
    if (meta->is_commit && status == FB_CONFLICT)
        node->stats.meta_conflicts++;
    meta->state = META_FREE;
    node->metas_used--;
    if (meta->name == FB_NONE)
        meta_reply(step, meta->request_id, status, record);
    else
        name_recorded(step, meta->name, status, record);
}

/* Again after a pause, or the end. */
static void meta_fail(struct step *step, uint32_t index, enum fb_status status, bool is_unsure)
{
    struct fb_node *node = step->node;
    struct meta *meta = &node_metas(node)[index];
    const struct fb_meta nothing = {.version = 0};
    FB_ASSERT(status != FB_OK);
    node->stats.meta_errors++;
    meta->is_unsure = meta->is_unsure || is_unsure;
    if (meta->failures >= node->config.retries_max) {
        tell_count(node, FB_WHY_META_OVER, FB_NONE, status, node->config.retries_max);
        meta_end(step, index, meta->is_unsure ? FB_TIMEOUT : status, &nothing);
        return;
    }
    uint64_t base_ns = node->config.backoff_ns << (meta->failures < 6 ? meta->failures : 6);
    meta->failures++;
    meta->state = META_PAUSE;
    uint64_t again_ns = node->now_ns + base_ns / 2 + fb_random_below(&node->random, base_ns);
    tell_at(node, meta->is_unsure ? FB_WHY_UNSURE : FB_WHY_META_AGAIN, FB_NONE, again_ns, status);
    fb_timer_set(node_timer(node), timer_of_meta(node, index), again_ns);
}

void meta_timer(struct step *step, uint32_t index)
{
    const struct meta *meta = &node_metas(step->node)[index];
    FB_ASSERT(meta->state == META_PAUSE);
    FB_ASSERT(step_room(step) > 0);
    if (!meta->is_commit)
        meta_send(step, index, META_GET);
    else
        meta_send(step, index, meta->is_unsure ? META_CHECK : META_PUT);
}

/* Is what was found the work of an earlier PUT of this commit, whose answer was lost? */
static bool record_is_ours(const struct meta *meta, const struct fb_meta *found)
{
    FB_ASSERT(meta->is_commit);
    return meta->is_unsure && found->version == meta->record.version + 1 &&
           found->value.high == meta->record.value.high &&
           found->value.low == meta->record.value.low && found->size == meta->record.size;
}

/* What a commit that was not applied now, or not before, is told. */
static enum fb_status lost_as(const struct fb_node *node, const struct meta *meta,
                              const struct fb_meta *found)
{
    FB_ASSERT(meta->is_commit);
    if (record_is_ours(meta, found)) {
        tell_why(node, FB_WHY_OURS);
        return FB_OK;
    }
    bool is_hidden = meta->is_unsure && found->version > meta->record.version + 1;
    tell_count(node, is_hidden ? FB_WHY_HIDDEN : FB_WHY_CHANGED, FB_NONE, found->version,
               meta->record.version);
    return is_hidden ? FB_TIMEOUT : FB_CONFLICT;
}

/* A commit of unknown fate has read the record. */
static void meta_checked(struct step *step, uint32_t index, const struct fb_meta *found)
{
    struct meta *meta = &node_metas(step->node)[index];
    FB_ASSERT(meta->state == META_CHECK);
    FB_ASSERT(meta->is_unsure);
    if (found->version == meta->record.version)
        meta_send(step, index, META_PUT); /* should the first be applied yet, this one is not */
    else
        meta_end(step, index, lost_as(step->node, meta, found), found);
}

void meta_done(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    FB_ASSERT(index < node->config.metas_max);
    struct meta *meta = &node_metas(node)[index];
    FB_ASSERT(meta->generation == id_generation(done->op_id)); /* R3 */
    enum fb_status status = (enum fb_status)done->status;
    bool is_read = meta->state == META_GET || meta->state == META_CHECK;
    struct fb_meta record = done->record;
    if (status == FB_ABSENT && is_read)
        record = (struct fb_meta){.version = 0};
    if (meta->state == META_CHECK && (status == FB_OK || status == FB_ABSENT)) {
        meta_checked(step, index, &record);
        return;
    }
    if (status == FB_CONFLICT && meta->state == META_PUT) {
        meta_end(step, index, lost_as(node, meta, &record), &record);
        return;
    }
    if (status == FB_OK || status == FB_INVALID || status == FB_ABSENT) {
        meta_end(step, index, status, &record);
        return;
    }
    bool is_for_good = status_is_for_good(status) || status == FB_FULL;
    if (is_for_good && !meta->is_unsure) {
        record = (struct fb_meta){.version = 0};
        meta_end(step, index, status, &record);
        return;
    }
    bool is_refused = /* surely not applied */
        is_for_good || status == FB_BUSY || status == FB_THROTTLED;
    meta_fail(step, index, status, meta->state == META_PUT && !is_refused);
}

void meta_check(struct fb_node *node)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < node->config.metas_max; i++) {
        const struct meta *meta = &node_metas(node)[i];
        used += meta->state != META_FREE;
        FB_ASSERT(!meta->is_unsure || meta->is_commit || meta->state == META_FREE);
        FB_ASSERT((meta->state == META_PAUSE) ==
                  fb_timer_is_set(node_timer(node), timer_of_meta(node, i)));
    }
    FB_ASSERT(used == node->metas_used);
}
