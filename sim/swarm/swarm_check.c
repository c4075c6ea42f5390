/* The judge: what holds at every moment, decided from outside of the nodes. The first check that
 * does not hold ends the run; beyond the atlas, checks that a loss may break are counted instead.
 *
 * A loan is what a node promised when it sent an OFFER: the bytes stay until the RETURN has come,
 * or by the node's own clock the loan has expired, which is after lend_ns without digests, and not
 * before hedge_ns with them. A complaint about its reader ends it as well. */
#include "sim/swarm/swarm_internal.h"

#include <stdarg.h>
#include <string.h>

struct check_row {
    const char *name;
    bool is_loss;
    const char *help;
};

static const struct check_row rows[] = {
#define CHECK_ROW(name, is_loss, help) {#name, is_loss, help},
    FB_SWARM_CHECKS(CHECK_ROW)
#undef CHECK_ROW
};

const char *fb_swarm_check_name(uint32_t check)
{
    FB_ASSERT(check < FB_SWARM_CHECK_COUNT);
    return rows[check].name;
}

const char *fb_swarm_check_help(uint32_t check)
{
    FB_ASSERT(check < FB_SWARM_CHECK_COUNT);
    return rows[check].help;
}

bool swarm_judge(struct swarm *swarm, enum fb_swarm_check check, bool holds, const char *form, ...)
{
    struct fb_swarm_result *result = swarm->result;
    FB_ASSERT(check < FB_SWARM_CHECK_COUNT);
    result->checks[check]++;
    if (holds || swarm->is_over)
        return holds;
    if (swarm->plan->is_beyond && rows[check].is_loss) {
        result->losses++;
        return true;
    }
    va_list arguments;
    va_start(arguments, form);
    vsnprintf(result->text, sizeof(result->text), form, arguments);
    va_end(arguments);
    snprintf(result->check, sizeof(result->check), "%s", rows[check].name);
    result->is_failed = 1;
    swarm->is_over = true;
    return false;
}

static void loan_forget(struct swarm_node *host, uint32_t index)
{
    FB_ASSERT(index < host->loan_count);
    host->loans[index] = host->loans[--host->loan_count];
}

void swarm_loan_begin(struct swarm *swarm, uint32_t node, const struct fb_message_offer *offer,
                      uint32_t target)
{
    struct swarm_node *host = &swarm->nodes[node];
    uint32_t first;
    if (!swarm_place(swarm, node, &offer->span, FB_REGION_MEMORY, &first))
        return;
    const struct fb_config *config = &swarm->plan->config;
    uint64_t loan_ns = config->lend_ns;
    if (config->check_digest && config->hedge_ns < loan_ns)
        loan_ns = config->hedge_ns;
    host->lent_ns[first] = swarm_node_now_ns(swarm, node) + config->lend_ns;
    if (host->loan_count == SWARM_LOANS_MAX)
        loan_forget(host, 0);
    host->loans[host->loan_count++] =
        (struct swarm_loan){.lend_id = offer->lend_id,
                            .expires_ns = swarm_node_now_ns(swarm, node) + loan_ns,
                            .peer = target,
                            .first = first,
                            .count = swarm_units(swarm, offer->span.size)};
}

/* A message that ends loans of the node that it reaches: a RETURN, or an ASK that names a slow
 * reader. */
void swarm_loan_end(struct swarm *swarm, uint32_t node, const struct fb_message *message)
{
    struct swarm_node *host = &swarm->nodes[node];
    bool is_return = message->kind == FB_MESSAGE_RETURN;
    bool is_complaint = message->kind == FB_MESSAGE_ASK && message->ask.complaint != FB_NONE;
    for (uint32_t i = 0; (is_return || is_complaint) && i < host->loan_count; i++) {
        const struct swarm_loan *loan = &host->loans[i];
        bool is_returned = is_return && loan->lend_id == message->returned.lend_id &&
                           loan->peer == message->source;
        if (is_returned || (is_complaint && loan->peer == message->ask.complaint))
            loan_forget(host, i--);
    }
}

/* An op of the node is about to write these units. */
void swarm_check_write(struct swarm *swarm, uint32_t node, uint32_t first, uint32_t count)
{
    struct swarm_node *host = &swarm->nodes[node];
    uint64_t now_ns = swarm_node_now_ns(swarm, node);
    for (uint32_t i = 0; i < host->loan_count; i++) {
        const struct swarm_loan *loan = &host->loans[i];
        if (loan->expires_ns <= now_ns) {
            loan_forget(host, i--);
            continue;
        }
        bool is_apart = loan->first + loan->count <= first || first + count <= loan->first;
        if (!swarm_judge(swarm, FB_SWARM_CHECK_loan_kept, is_apart,
                         "node %u writes units %u to %u, of which some are lent to node %u", node,
                         first, first + count - 1, loan->peer))
            return;
    }
}

/* All nodes idle? If not, *node is one that is not. */
bool swarm_is_idle(const struct swarm *swarm, uint32_t *node)
{
    for (uint32_t i = 0; i < swarm->plan->nodes; i++) {
        *node = i;
        if (!swarm->nodes[i].is_dead && !fb_node_is_idle(swarm->nodes[i].core))
            return false;
    }
    return true;
}

void swarm_check_all(struct swarm *swarm)
{
    for (uint32_t i = 0; i < swarm->plan->nodes; i++) {
        if (!swarm->nodes[i].is_dead)
            fb_node_check(swarm->nodes[i].core);
    }
}
