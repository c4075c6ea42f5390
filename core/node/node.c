/* The node's step: dispatches an event to its flow, then answers waiters with the room that is left
 * (R2); its deadline, and its checks. What one folder has found out for another goes through here:
 * they do not call up. layout.c: what the state consists of; facts.c: what others may ask. */
#include "core/node/node.h"

#include "core/name/name_flows.h"
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"
#include "core/node/sane.h"
#include "core/read/search.h"

/* Timers that one TICK looks at; those left are due still, so that there is another (R2). */
enum { TIMERS_A_STEP = 64 };

static void node_tenant(struct step *step, const struct fb_request *request)
{
    enum fb_status status = tenant_set(step->node, request);
    FB_ASSERT(step_room(step) > 0);
    if (status != FB_OK) {
        get_refuse(step, request->request_id, status);
        return;
    }
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = request->request_id,
                                  .status = FB_OK,
                                  .reason = FB_REASON_MEMORY,
                                  .source = (uint32_t)step->node->config.node};
    FB_ASSERT(op->target == FB_NONE);
}

static void node_request(struct step *step, const struct fb_request *request)
{
    switch ((enum fb_request_kind)request->kind) {
    case FB_REQUEST_GET:
        get_request(step, request);
        return;
    case FB_REQUEST_RELEASE:
        get_release(step, request);
        return;
    case FB_REQUEST_PUT:
        put_request(step, request);
        return;
    case FB_REQUEST_WRITE:
        write_request(step, request);
        return;
    case FB_REQUEST_MATCH:
        match_request(step, request);
        return;
    case FB_REQUEST_GATHER:
        gather_request(step, request);
        return;
    case FB_REQUEST_PREFETCH:
        prefetch_request(step, request);
        return;
    case FB_REQUEST_LOOKUP:
        lookup_request(step, request);
        return;
    case FB_REQUEST_COMMIT:
        commit_request(step, request);
        return;
    case FB_REQUEST_TENANT:
        node_tenant(step, request);
        return;
    case FB_REQUEST_PIN:
        pin_request(step, request);
        return;
    case FB_REQUEST_UNPIN:
        unpin_request(step, request);
        return;
    case FB_REQUEST_FORGET:
        forget_request(step, request);
        return;
    case FB_REQUEST_NAME_READ:
    case FB_REQUEST_NAME_LOOK:
    case FB_REQUEST_NAME_BEGIN:
    case FB_REQUEST_NAME_COMMIT:
    case FB_REQUEST_NAME_REMOVE:
    case FB_REQUEST_NAME_ASK:
        name_request(step, request);
        return;
    case FB_REQUEST_DRAIN:
        drain_hurry(step->node);
        return;
    case FB_REQUEST_NAME_ABANDON:
        abandon_request(step, request);
        return;
    }
    get_refuse(step, request->request_id, FB_INVALID);
}

/* The answer to a read's search, a mend's, or a commit's. */
static void node_sought(struct step *step, const struct fb_message *message)
{
    uint32_t class = id_class(message->sought.ask_id);
    FB_ASSERT(message->kind == FB_MESSAGE_SOUGHT);
    FB_ASSERT(message->source != FB_NONE);
    search_heard(step, message);
    if (class == ID_MEND)
        mend_sought(step, message);
    else if (class == ID_NAME)
        seek_heard(step, message);
}

static void node_message(struct step *step, const struct fb_message *message)
{
    if (!message_is_sane(step->node, message)) {
        message_refuse(step, message);
        return;
    }
    switch ((enum fb_message_kind)message->kind) {
    case FB_MESSAGE_ASK:
        serve_ask(step, message);
        return;
    case FB_MESSAGE_OFFER:
    case FB_MESSAGE_REFER:
    case FB_MESSAGE_WAIT:
    case FB_MESSAGE_DENY:
        ask_answer(step, message);
        return;
    case FB_MESSAGE_RETURN:
        serve_return(step, message);
        return;
    case FB_MESSAGE_MATCH_ASK:
        match_ask(step, message);
        return;
    case FB_MESSAGE_MATCH_TELL:
        match_tell(step, message);
        return;
    case FB_MESSAGE_HOLD:
        hold_message(step, message);
        return;
    case FB_MESSAGE_HELD:
        put_held(step, message->held.ask_id, message->source,
                 message->held.status < FB_STATUS_COUNT ? (enum fb_status)message->held.status
                                                        : FB_INVALID);
        return;
    case FB_MESSAGE_DRAINED:
        drain_told(step, message);
        return;
    case FB_MESSAGE_DRAIN_ASK:
        drain_asked(step, message);
        return;
    case FB_MESSAGE_DRAIN_LOST:
        drain_lost(step, message);
        return;
    case FB_MESSAGE_FRAGMENT:
        mend_hear(step, message);
        return;
    case FB_MESSAGE_FORGET:
        forget_message(step, message);
        return;
    case FB_MESSAGE_ABANDON:
        abandon_message(step, message);
        return;
    case FB_MESSAGE_SEEK:
        search_answer(step, message);
        return;
    case FB_MESSAGE_SOUGHT:
        node_sought(step, message);
        return;
    }
}

/* A write to the drive has ended: the tier first, then the put that waits for it. */
static void node_written(struct step *step, const struct fb_done *done)
{
    uint32_t index = id_index(done->op_id);
    enum fb_status status = (enum fb_status)done->status;
    FB_ASSERT(id_class(done->op_id) == ID_WRITE);
    device_write_done(step, index, id_generation(done->op_id), status);
    const struct device_write *write = &node_writes(step->node)[index];
    FB_ASSERT(write->generation == id_generation(done->op_id));
    if (write->writer != FB_NONE)
        hold_written(step, write->slot, write->writer, write->hold_id, status);
    device_write_end(step, index);
}

static void node_done(struct step *step, const struct fb_done *done)
{
    uint32_t class = id_class(done->op_id);
    FB_ASSERT(class == ID_ATTEMPT || class == ID_WRITE || class == ID_DRAIN || class == ID_META ||
              class == ID_CODE || class == ID_SCAN || class == ID_NAME || class == ID_LIST);
    FB_ASSERT(done->status < FB_STATUS_COUNT);
    if (class == ID_ATTEMPT)
        attempt_done(step, id_index(done->op_id), done);
    else if (class == ID_DRAIN)
        drain_done(step, id_index(done->op_id), done);
    else if (class == ID_CODE)
        code_done(step, id_index(done->op_id), done);
    else if (class == ID_SCAN)
        recover_done(step, done);
    else if (class == ID_META)
        meta_done(step, id_index(done->op_id), done);
    else if (class == ID_NAME)
        name_done(step, id_index(done->op_id), done);
    else if (class == ID_LIST)
        collect_done(step, done);
    else
        node_written(step, done);
}

static void node_start(struct step *step)
{
    FB_ASSERT(!step->node->is_started);
    FB_ASSERT(step->count == 0);
    step->node->started_ns = step->node->now_ns;
    step->node->is_started = 1;
    recover_start(step);
    collect_start(step->node);
}

/* Whose time is up, in the order of the ids. */
static enum fb_why timer_why(const struct fb_node *node, uint32_t id)
{
    const uint32_t first_of_next[] = {
        timer_of_match(node, 0), timer_of_lends(node),     timer_of_put(node, 0),
        timer_of_drain(node),    timer_of_gather(node, 0), timer_of_meta(node, 0),
        timer_of_pins(node),     timer_of_recover(node),   timer_of_mend(node, 0),
        timer_of_list(node),     timer_of_name(node, 0)};
    uint32_t kind = 0, kinds = sizeof(first_of_next) / sizeof(first_of_next[0]);
    static_assert(FB_WHY_TIME_OF_NAME - FB_WHY_TIME_OF_ATTEMPT ==
                      sizeof(first_of_next) / sizeof(first_of_next[0]),
                  "a reason for each kind of timer");
    while (kind < kinds && id >= first_of_next[kind])
        kind++;
    FB_ASSERT(id < timer_count(node));
    return (enum fb_why)(FB_WHY_TIME_OF_ATTEMPT + kind);
}

static void node_tick(struct step *step)
{
    struct fb_node *node = step->node;
    uint32_t attempts = (uint32_t)node->config.fills_max * FB_ATTEMPTS_MAX;
    for (uint32_t i = 0; i < TIMERS_A_STEP && step_room(step) >= STEP_ITEM_OPS_MAX; i++) {
        uint32_t id = fb_timer_pop(node_timer(node), node->now_ns);
        if (id == FB_NONE)
            return;
        FB_ASSERT(id < timer_count(node));
        if (is_told(node))
            tell_why(node, timer_why(node, id));
        if (id < attempts)
            attempt_timer(step, id);
        else if (id < timer_of_lends(node))
            match_timer(step, id - attempts);
        else if (id == timer_of_lends(node))
            serve_expire(node);
        else if (id < timer_of_drain(node))
            put_timer(step, id - timer_of_put(node, 0));
        else if (id == timer_of_drain(node))
            drain_tick(step);
        else if (id < timer_of_meta(node, 0))
            gather_timer(step, id - timer_of_gather(node, 0));
        else if (id < timer_of_pins(node))
            meta_timer(step, id - timer_of_meta(node, 0));
        else if (id == timer_of_pins(node))
            pin_timer(node);
        else if (id == timer_of_recover(node))
            recover_timer(step);
        else if (id < timer_of_list(node))
            mend_timer(step, id - timer_of_mend(node, 0));
        else if (id == timer_of_list(node))
            collect_timer(step);
        else
            name_timer(step, id - timer_of_name(node, 0));
    }
}

/* The key that an event looks up first, or NULL. */
static const struct fb_key *event_key(const struct fb_event *event)
{
    if (event->kind == FB_EVENT_REQUEST && event->request.kind == FB_REQUEST_GET)
        return &event->request.block.key;
    if (event->kind == FB_EVENT_MESSAGE && event->message.kind == FB_MESSAGE_ASK)
        return &event->message.ask.block.key;
    return NULL;
}

void fb_node_prefetch(const struct fb_node *node, const struct fb_event *events, uint32_t count)
{
    struct fb_node *state = (struct fb_node *)(uintptr_t)node; /* accessors are not const */
    FB_ASSERT(count == 0 || events != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_key *key = event_key(&events[i]);
        if (key != NULL)
            fb_cache_prefetch_bucket(node_cache(state), *key);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_key *key = event_key(&events[i]);
        uint32_t slot = key != NULL ? fb_cache_prefetch_slot(node_cache(state), *key) : FB_NONE;
        FB_ASSERT(slot == FB_NONE || slot < node->memory_entries_max);
        if (slot != FB_NONE)
            __builtin_prefetch(&node_entries(state)[slot], 1);
    }
}

/* Answers those who wait for fills that are over, while the step has room: readers are the fill's,
 * the others of whoever writes. */
static void node_answer(struct step *step)
{
    struct waiter waiter;
    FB_ASSERT(step->node->work_head != FB_NONE);
    for (const struct fill *fill = fill_work(step, &waiter); fill != NULL;
         fill = fill_work(step, &waiter)) {
        FB_ASSERT(fill->state == FILL_ANSWERING || fill->state == FILL_FAILING);
        if (waiter.kind == WAITER_HOLD)
            hold_waiter(step, &waiter, fill);
        else if (waiter.kind == WAITER_FRAGMENT || waiter.kind == WAITER_MEND)
            mend_filled(step, &waiter, fill);
        else if (waiter.kind == WAITER_RECOVER)
            recover_filled(step->node, fill);
        else if (waiter.kind == WAITER_WRITE)
            write_filled(step, &waiter, fill);
        else
            put_share(step->node, fill->slot);
    }
}

uint32_t fb_node_step(struct fb_node *node, uint64_t now_ns, const struct fb_event *event,
                      struct fb_op ops[FB_STEP_OPS_MAX])
{
    FB_ASSERT(now_ns >= node->now_ns); /* R7 */
    struct step step = {.node = node, .ops = ops, .count = 0};
    node->now_ns = now_ns;
    node->stats.steps++;
    switch ((enum fb_event_kind)event->kind) {
    case FB_EVENT_REQUEST:
        node_request(&step, &event->request);
        break;
    case FB_EVENT_MESSAGE:
        node_message(&step, &event->message);
        break;
    case FB_EVENT_DONE:
        node_done(&step, &event->done);
        break;
    case FB_EVENT_VIEW:
        node->view = event->view;
        put_view_changed(node);
        lost_ask_again(node);
        break;
    case FB_EVENT_TICK:
        if (!node->is_started)
            node_start(&step);
        node_tick(&step);
        break;
    }
    put_repair(node);
    if (node->work_head != FB_NONE)
        node_answer(&step);
    FB_ASSERT(step.count <= FB_STEP_OPS_MAX);
    return step.count;
}

uint32_t fb_node_step_told(struct fb_node *node, uint64_t now_ns, const struct fb_event *event,
                           struct fb_op ops[FB_STEP_OPS_MAX], struct fb_decisions *decisions)
{
    FB_ASSERT(node->decisions == NULL);
    for (uint32_t i = 0; i < FB_STEP_OPS_MAX; i++)
        ops[i].kind = FB_OP_COUNT;
    decisions->ops = ops;
    decisions->now_ns = now_ns;
    decisions->count = 0;
    decisions->left_out = 0;
    node->decisions = decisions;
    uint32_t count = fb_node_step(node, now_ns, event, ops);
    node->decisions = NULL;
    FB_ASSERT(decisions->count <= FB_DECISIONS_MAX);
    return count;
}

uint64_t fb_node_deadline_ns(const struct fb_node *node)
{
    if (!node->is_started || node->work_head != FB_NONE)
        return 0;
    const struct fb_timer *timer =
        (const struct fb_timer *)(const void *)((const unsigned char *)node + node->timer_offset);
    FB_ASSERT(node->timer_offset > 0);
    FB_ASSERT(node->timer_offset < node->size_bytes);
    return fb_timer_deadline_ns(timer);
}

const struct fb_stats *fb_node_stats(const struct fb_node *node)
{
    return &node->stats;
}

void fb_node_check(const struct fb_node *node)
{
    struct fb_node *state =
        (struct fb_node *)(uintptr_t)node; /* accessors are not const; it is only read */
    FB_ASSERT(fb_config_fault(&state->config) == NULL);
    memory_check(state);
    device_check(state);
    put_check(state);
    code_check(state);
    mend_check(state);
    dirty_check(state);
    fill_check(state);
    attempt_check(state);
    origin_check(state);
    gather_check(state);
    meta_check(state);
    name_check(state);
    tenant_check(state);
    branch_check(state);
    pin_check(state);
    recover_check(state);
    serve_check(state);
    fb_timer_check(node_timer(state));
}
