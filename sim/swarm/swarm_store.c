/* The store of members: leases, and under each a record of one node; and the ways there. Each node
 * runs core/place/membership.h, as forebayd does, and is told a view of the list that it has seen
 * itself: different nodes go by different members for a while.
 *
 *     STEP    the node looks what is due, and begins an ask
 *     REACH   the ask is at the store, also one whose node has given it up, or is no more
 *     ANSWER  the answer is at the node; one that it does not wait for any more is dropped
 *     PATIENCE a third of a lease has gone by without one: it is AWAY
 *     EXPIRE  the lease of a record may be over: the others go on without the node
 *
 * What is judged: whoever lives and loses its record because its lease is over knows by then that
 * it is no member (fenced_in_time). What happens to bytes meanwhile is judged as ever: such a node
 * has what it has, and its clients' writes that were answered are promised.
 *
 * Draws are from a sequence of their own. */
#include "sim/swarm/swarm_internal.h"
#include "sim/swarm/swarm_store.h"

enum stage { STAGE_STEP, STAGE_REACH, STAGE_ANSWER, STAGE_PATIENCE, STAGE_EXPIRE };

/* What has become of an ask whose way is cut. */
enum fate { FATE_LOST, FATE_UNANSWERED, FATE_LATE, FATE_COUNT };

enum { PATIENCES_A_LEASE = 3 };

bool swarm_store_is_used(const struct swarm *swarm)
{
    return swarm->plan->lease_ns > 0;
}

static uint64_t member_draw(struct swarm *swarm, uint32_t node, uint64_t bound)
{
    FB_ASSERT(bound > 0);
    uint64_t *draws = &swarm->nodes[node].member.draws;
    uint64_t word = fb_mix(swarm->plan->seed + ((uint64_t)node << 48) + ++*draws);
    return fb_mix(word ^ UINT64_C(0x9e3779b97f4a7c15)) % bound;
}

/* As swarm_spread. */
static uint64_t way_ns(struct swarm *swarm, uint32_t node)
{
    uint64_t typical_ns = swarm->plan->message_ns;
    uint64_t delay_ns = typical_ns / 2 + member_draw(swarm, node, typical_ns + 1);
    if (member_draw(swarm, node, 16) == 0)
        delay_ns += member_draw(swarm, node, 7 * typical_ns + 1);
    return delay_ns;
}

static void push(struct swarm *swarm, uint32_t node, uint64_t at_ns, const struct swarm_ask *ask)
{
    swarm_push(swarm, at_ns, SWARM_MEMBER, node)->ask = *ask;
}

/* The store's side. */

static struct swarm_lease *lease_find(struct swarm *swarm, uint32_t node, uint32_t id)
{
    struct swarm_member *member = &swarm->nodes[node].member;
    for (uint32_t i = 0; i < SWARM_LEASES_MAX; i++) {
        struct swarm_lease *lease = &member->leases[i];
        if (id > 0 && lease->id == id && lease->end_ns > swarm->now_ns)
            return lease;
    }
    return NULL;
}

/* A place: not that of the record's lease; of the others the one that ends first. */
static struct swarm_lease *lease_place(struct swarm_member *member)
{
    struct swarm_lease *place = NULL;
    for (uint32_t i = 0; i < SWARM_LEASES_MAX; i++) {
        struct swarm_lease *lease = &member->leases[i];
        bool is_used = lease->id > 0 && lease->id == member->record;
        if (!is_used && (place == NULL || lease->end_ns < place->end_ns))
            place = lease;
    }
    FB_ASSERT(place != NULL);
    return place;
}

/* Those beyond the plan's have no record. */
static uint32_t store_mask(const struct swarm *swarm)
{
    uint32_t mask = 0;
    for (uint32_t node = 0; node < FB_SWARM_NODES_MAX; node++)
        mask |= (uint32_t)(swarm->nodes[node].member.record > 0) << node;
    return mask;
}

/* Of a list that is seen now. */
static uint64_t store_digest(const struct swarm *swarm)
{
    uint64_t digest = 0;
    for (uint32_t node = 0; node < FB_SWARM_NODES_MAX; node++)
        digest = fb_mix(digest + swarm->nodes[node].member.record);
    return digest;
}

static void store_change(struct swarm *swarm)
{
    if (store_mask(swarm) != swarm->view_mask)
        swarm_view_change(swarm, store_mask(swarm));
}

static void record_watch(struct swarm *swarm, uint32_t node, uint64_t end_ns)
{
    struct swarm_member *member = &swarm->nodes[node].member;
    if (!member->is_watched)
        push(swarm, node, end_ns, &(struct swarm_ask){.stage = STAGE_EXPIRE});
    member->is_watched = true;
}

/* The others see it go. */
static void record_drop(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    host->member.record = 0;
    swarm_copies_strike(swarm, node, FB_PROMISE_cut_off);
    if (host->is_up && !swarm_member_is_joining(swarm, node)) {
        host->member.was_dropped = true;
        swarm_saw(swarm, FB_SWARM_SIGHT_dropped_alive);
        if (!swarm_member_is_fenced(swarm, node))
            swarm_saw(swarm, FB_SWARM_SIGHT_dropped_unawares);
    }
    store_change(swarm);
}

/* Its lease may be over; it was prolonged meanwhile, or is. */
static void record_expire(struct swarm *swarm, uint32_t node)
{
    struct swarm_member *member = &swarm->nodes[node].member;
    const struct swarm_lease *lease = lease_find(swarm, node, member->record);
    FB_ASSERT(member->is_watched);
    member->is_watched = false;
    if (member->record == 0 || swarm->is_settled)
        return;
    if (lease != NULL) {
        record_watch(swarm, node, lease->end_ns);
        return;
    }
    bool is_its_own = member->record == member->lease; /* a CREATE that was late is of another */
    bool is_unaware = swarm->nodes[node].is_up && !swarm_member_is_fenced(swarm, node);
    swarm_judge(swarm, FB_SWARM_CHECK_fenced_in_time, !is_its_own || !is_unaware,
                "the lease of node %u is over, and it takes itself for a member", node);
    record_drop(swarm, node);
}

void swarm_lease_lose(struct swarm *swarm, uint32_t node)
{
    struct swarm_member *member = &swarm->nodes[node].member;
    struct swarm_lease *lease = lease_find(swarm, node, member->record);
    if (!swarm_store_is_used(swarm) || lease == NULL)
        return;
    lease->end_ns = swarm->now_ns;
    record_drop(swarm, node);
}

/* The ask is at the store: becomes its answer. */
static void store_answer(struct swarm *swarm, uint32_t node, struct swarm_ask *ask)
{
    struct swarm_member *member = &swarm->nodes[node].member;
    struct swarm_lease *lease = lease_find(swarm, node, ask->lease);
    ask->code = FB_MEMBERSHIP_FINE;
    switch ((enum fb_membership_ask)ask->ask) {
    case FB_MEMBERSHIP_NONE:
        return;
    case FB_MEMBERSHIP_LEASE:
        ask->lease = ++member->leases_given;
        *lease_place(member) =
            (struct swarm_lease){.id = ask->lease, .end_ns = swarm->now_ns + swarm->plan->lease_ns};
        return;
    case FB_MEMBERSHIP_CREATE:
        if (lease == NULL) {
            ask->code = FB_MEMBERSHIP_GONE;
            return;
        }
        member->record = ask->lease;
        record_watch(swarm, node, lease->end_ns);
        store_change(swarm);
        return;
    case FB_MEMBERSHIP_KEEP:
        if (lease == NULL)
            ask->code = FB_MEMBERSHIP_GONE;
        else
            lease->end_ns = swarm->now_ns + swarm->plan->lease_ns;
        return;
    case FB_MEMBERSHIP_LOOK:
        ask->mask = store_mask(swarm);
        ask->digest = store_digest(swarm);
        return;
    }
}

/* The node's side. */

bool swarm_member_is_joining(const struct swarm *swarm, uint32_t node)
{
    return swarm_store_is_used(swarm) &&
           swarm->nodes[node].member.membership.state == FB_MEMBERSHIP_JOINING;
}

bool swarm_member_is_fenced(const struct swarm *swarm, uint32_t node)
{
    if (!swarm_store_is_used(swarm) || swarm->is_settled)
        return false;
    return swarm_node_now_ns(swarm, node) >=
           fb_membership_until_ns(&swarm->nodes[node].member.membership);
}

static void ask_begin(struct swarm *swarm, uint32_t node, enum fb_membership_ask what)
{
    FB_ASSERT(what != FB_MEMBERSHIP_NONE);
    struct swarm_member *member = &swarm->nodes[node].member;
    uint64_t patience_ns = swarm->plan->lease_ns / PATIENCES_A_LEASE;
    uint64_t at_ns = swarm->now_ns + way_ns(swarm, node);
    struct swarm_ask ask = {
        .stage = STAGE_PATIENCE, .ask = what, .id = ++member->ask_id, .lease = member->lease};
    push(swarm, node, swarm->now_ns + patience_ns, &ask);
    ask.stage = STAGE_REACH;
    if (swarm_fault(swarm, FB_SWARM_FAULT_store_cut, node, FB_NONE)) {
        uint64_t fate = member_draw(swarm, node, FATE_COUNT);
        ask.is_unanswered = fate == FATE_UNANSWERED;
        if (fate == FATE_LATE)
            at_ns += member_draw(swarm, node, swarm->plan->lease_ns);
        if (fate == FATE_LOST)
            return;
    }
    push(swarm, node, at_ns, &ask);
}

static void ask_reach(struct swarm *swarm, uint32_t node, const struct swarm_event *event)
{
    struct swarm_ask answer = event->ask;
    store_answer(swarm, node, &answer);
    answer.stage = STAGE_ANSWER;
    if (answer.is_unanswered || event->life != swarm->nodes[node].life ||
        swarm_fault(swarm, FB_SWARM_FAULT_store_cut, node, FB_NONE))
        return;
    push(swarm, node, swarm->now_ns + way_ns(swarm, node), &answer);
}

static void member_tell(struct swarm *swarm, uint32_t node, uint32_t mask)
{
    struct swarm_member *member = &swarm->nodes[node].member;
    if (member->was_dropped && (mask >> node & 1u)) {
        swarm_saw(swarm, FB_SWARM_SIGHT_came_back);
        member->was_dropped = false;
    }
    member->told_mask = mask;
    swarm_view_tell_list(swarm, node, mask, member->membership.revision);
}

/* answer: NULL: time has gone by. */
static void member_step(struct swarm *swarm, uint32_t node, const struct swarm_ask *said)
{
    struct swarm_member *member = &swarm->nodes[node].member;
    struct fb_membership_update update;
    struct fb_membership_answer answer;
    if (said != NULL) {
        answer = (struct fb_membership_answer){
            .code = said->code, .digest = said->digest, .is_own_seen = said->mask >> node & 1u};
        if (said->ask == FB_MEMBERSHIP_LEASE && said->code == FB_MEMBERSHIP_FINE)
            member->lease = said->lease;
    }
    uint64_t now_ns = swarm_node_now_ns(swarm, node);
    fb_membership_step(&member->membership, now_ns, said != NULL ? &answer : NULL, &update);
    if (member->membership.state == FB_MEMBERSHIP_REFUSED) { /* somebody starts it again */
        fb_membership_init(&member->membership, now_ns, swarm->plan->lease_ns);
        fb_membership_step(&member->membership, now_ns, NULL, &update);
    }
    FB_ASSERT(!update.is_news || said != NULL);
    if (update.is_news)
        member_tell(swarm, node, said->mask);
    if (update.ask != FB_MEMBERSHIP_NONE)
        ask_begin(swarm, node, update.ask);
    uint64_t clock_ns = swarm->nodes[node].clock_ns;
    member->step_ns = FB_NEVER_NS;
    if (update.due_ns == FB_NEVER_NS)
        return;
    member->step_ns = update.due_ns > clock_ns ? update.due_ns - clock_ns : 0;
    if (member->step_ns <= swarm->now_ns)
        member->step_ns = swarm->now_ns + 1;
    push(swarm, node, member->step_ns, &(struct swarm_ask){.stage = STAGE_STEP});
}

void swarm_member_begin(struct swarm *swarm, uint32_t node)
{
    struct swarm_member *member = &swarm->nodes[node].member;
    if (!swarm_store_is_used(swarm))
        return;
    fb_membership_init(&member->membership, swarm_node_now_ns(swarm, node), swarm->plan->lease_ns);
    member->was_dropped = false;
    member->told_mask = 0;
    member->ask_id++; /* what the one before asked is answered to nobody */
    member_step(swarm, node, NULL);
}

void swarm_member_wake(struct swarm *swarm, uint32_t node)
{
    if (swarm_store_is_used(swarm) && !swarm->is_settled)
        member_step(swarm, node, NULL);
}

void swarm_store_open(struct swarm *swarm)
{
    if (!swarm_store_is_used(swarm))
        return;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++) {
        struct swarm_member *member = &swarm->nodes[node].member;
        member->leases[0] = (struct swarm_lease){.id = 1, .end_ns = swarm->plan->lease_ns};
        member->lease = member->record = member->leases_given = 1;
        record_watch(swarm, node, swarm->plan->lease_ns);
    }
    for (uint32_t node = 0; node < swarm->plan->nodes; node++) {
        struct fb_membership *membership = &swarm->nodes[node].member.membership;
        struct fb_membership_answer fine = {.is_own_seen = true, .digest = store_digest(swarm)};
        struct fb_membership_update update;
        uint64_t now_ns = swarm_node_now_ns(swarm, node);
        fb_membership_init(membership, now_ns, swarm->plan->lease_ns);
        fb_membership_step(membership, now_ns, NULL, &update);
        while (membership->state != FB_MEMBERSHIP_MEMBER)
            fb_membership_step(membership, now_ns, &fine, &update);
        member_tell(swarm, node, store_mask(swarm));
        member_step(swarm, node, NULL);
    }
}

void swarm_member_event(struct swarm *swarm, const struct swarm_event *event)
{
    uint32_t node = event->node;
    struct swarm_node *host = &swarm->nodes[node];
    const struct swarm_member *member = &host->member;
    enum stage stage = (enum stage)event->ask.stage;
    bool is_awaited =
        member->membership.asked != FB_MEMBERSHIP_NONE && event->ask.id == member->ask_id;
    if (stage == STAGE_EXPIRE)
        record_expire(swarm, node);
    if (stage == STAGE_REACH && !swarm->is_settled)
        ask_reach(swarm, node, event);
    if (stage == STAGE_EXPIRE || stage == STAGE_REACH || swarm->is_settled ||
        event->life != host->life || !host->is_up)
        return;
    if (host->ready_ns > swarm->now_ns) { /* it stands still */
        swarm_push_again(swarm, event, host->ready_ns);
        return;
    }
    struct swarm_ask said = event->ask;
    if (stage == STAGE_PATIENCE)
        said = (struct swarm_ask){.ask = said.ask, .code = FB_MEMBERSHIP_AWAY};
    if (stage != STAGE_STEP && is_awaited)
        member_step(swarm, node, &said);
    else if (stage == STAGE_STEP && member->step_ns <= swarm->now_ns)
        member_step(swarm, node, NULL);
}

bool swarm_store_settles(struct swarm *swarm)
{
    uint32_t living = 0;
    if (!swarm_store_is_used(swarm) || swarm->is_settled)
        return true;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++)
        living |= (uint32_t)!swarm->nodes[node].is_dead << node;
    bool is_settled = living == store_mask(swarm);
    for (uint32_t node = 0; node < swarm->plan->nodes; node++) {
        if (living >> node & 1u)
            is_settled = is_settled && !swarm_member_is_fenced(swarm, node) &&
                         swarm->nodes[node].member.told_mask == living;
    }
    swarm->is_settled = is_settled;
    return is_settled;
}
