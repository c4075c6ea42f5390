/* Pins: blocks that a client wants kept in memory for a while. A pin has an owner and an end, so
 * one that is forgotten does not hold memory for ever.
 *
 *     FREE --pin_request: resident--> HELD --unpin_request | its end--> FREE
 *       '----pin_request: a miss--> FILLING --filled--> HELD
 *                                      '------fails--> refused, FREE
 */
#include "core/read/read.h"
#include "core/tier/tier.h"

enum { PIN_FREE, PIN_FILLING, PIN_HELD };

/* Units of the memory that pins take; a block that is pinned twice counts twice. */
uint32_t pin_units(struct fb_node *node)
{
    uint32_t units = 0;
    FB_ASSERT(node->pins_used > 0 || node->pinned_bytes == 0);
    for (uint32_t i = 0; i < node->config.pins_max; i++) {
        const struct pin *pin = &node_pins(node)[i];
        if (pin->state != PIN_FREE)
            units += memory_units(node, pin->size_bytes);
    }
    FB_ASSERT(units <= node->kept_units);
    return units;
}

/* Pins take three quarters of the memory at most, so that what is read and written beside them has
 * room. */
static bool pin_has_room(struct fb_node *node, uint32_t size_bytes)
{
    uint64_t units = pin_units(node) + memory_units(node, size_bytes);
    uint64_t room =
        node->config.memory_size_bytes / node->config.block_size_bytes * FB_UNITS_PER_CHUNK;
    FB_ASSERT(units > 0);
    return units <= room - room / 4 && memory_may_keep(node, size_bytes);
}

static void pin_free(struct fb_node *node, struct pin *pin)
{
    FB_ASSERT(pin->state != PIN_FREE);
    pin->state = PIN_FREE;
    node->kept_units -= memory_units(node, pin->size_bytes);
}

static void pin_set_timer(struct fb_node *node)
{
    uint64_t first_ns = FB_NEVER_NS;
    for (uint32_t i = 0; i < node->config.pins_max; i++) {
        const struct pin *pin = &node_pins(node)[i];
        if (pin->state == PIN_HELD && pin->expires_ns < first_ns)
            first_ns = pin->expires_ns;
    }
    FB_ASSERT(node->config.pins_max > 0);
    if (first_ns == FB_NEVER_NS)
        fb_timer_cancel(node_timer(node), timer_of_pins(node));
    else
        fb_timer_set(node_timer(node), timer_of_pins(node), first_ns);
}

static void pin_hold(struct step *step, uint32_t index, uint32_t slot, enum fb_reason reason,
                     uint32_t source)
{
    struct fb_node *node = step->node;
    struct pin *pin = &node_pins(node)[index];
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    FB_ASSERT(pin->state != PIN_HELD);
    memory_pin(node, slot);
    pin->state = PIN_HELD;
    pin->slot = slot;
    pin->expires_ns = node->now_ns + pin->ttl_ns;
    if (pin->expires_ns < node->now_ns)
        pin->expires_ns = FB_NEVER_NS - 1;
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = pin->request_id,
                                  .status = FB_OK,
                                  .reason = reason,
                                  .source = source,
                                  .lease = id_make(ID_PIN, index, pin->generation)};
    node->stats.pins++;
    pin_set_timer(node);
}

void pin_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    FB_ASSERT(request->kind == FB_REQUEST_PIN);
    uint32_t index = 0, fill = FB_NONE;
    while (index < node->config.pins_max && node_pins(node)[index].state != PIN_FREE)
        index++;
    if (request->ttl_ns == 0 || !get_is_sane(node, &request->block)) {
        get_refuse(step, request->request_id, FB_INVALID);
        return;
    }
    if (index < node->config.pins_max && !pin_has_room(node, request->block.size)) {
        get_refuse(step, request->request_id, FB_FULL);
        return;
    }
    uint32_t slot = memory_find(node, request->block.key);
    bool is_here = slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT;
    if (index < node->config.pins_max && !is_here && node->waiter_free != FB_NONE)
        fill = slot != FB_NONE ? node_entries(node)[slot].fill
                               : fill_begin(node, &request->block, FILL_PREFETCH);
    if (index == node->config.pins_max || (!is_here && fill == FB_NONE)) {
        get_refuse(step, request->request_id, FB_BUSY);
        return;
    }
    struct pin *pin = &node_pins(node)[index];
    *pin = (struct pin){.request_id = request->request_id,
                        .ttl_ns = request->ttl_ns,
                        .size_bytes = request->block.size,
                        .generation = pin->generation + 1,
                        .slot = FB_NONE,
                        .state = PIN_FILLING};
    node->kept_units += memory_units(node, request->block.size);
    if (is_here) {
        pin_hold(step, index, slot, FB_REASON_MEMORY, (uint32_t)node->config.node);
        return;
    }
    const struct waiter waiter = {.id = id_make(ID_PIN, index, pin->generation),
                                  .since_ns = node->now_ns,
                                  .next = FB_NONE,
                                  .peer = FB_NONE,
                                  .kind = WAITER_PIN};
    fill_add_waiter(node, fill, &waiter);
    if (slot == FB_NONE)
        attempt_start(step, fill);
}

/* The block's fill has ended; slot FB_NONE: how->status says how. */
void pin_filled(struct step *step, const struct waiter *waiter, uint32_t slot,
                const struct fb_reply *how)
{
    uint32_t index = id_index(waiter->id);
    struct pin *pin = &node_pins(step->node)[index];
    FB_ASSERT(pin->state == PIN_FILLING);
    FB_ASSERT(pin->generation == id_generation(waiter->id));
    if (slot != FB_NONE) {
        pin_hold(step, index, slot, (enum fb_reason)how->reason, how->source);
        return;
    }
    pin_free(step->node, pin);
    get_refuse(step, pin->request_id, (enum fb_status)how->status);
}

static void pin_end(struct fb_node *node, struct pin *pin)
{
    FB_ASSERT(pin->state == PIN_HELD);
    memory_unpin(node, pin->slot);
    memory_settle(node, pin->slot);
    pin_free(node, pin);
    pin->slot = FB_NONE;
    pin_set_timer(node);
}

/* A lease that is not current is ignored: the pin has ended by itself. */
void unpin_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    FB_ASSERT(request->kind == FB_REQUEST_UNPIN);
    uint32_t index = id_index(request->lease);
    if (id_class(request->lease) != ID_PIN || index >= node->config.pins_max)
        return;
    struct pin *pin = &node_pins(node)[index];
    if (pin->state == PIN_HELD && pin->generation == id_generation(request->lease))
        pin_end(node, pin);
}

void pin_timer(struct fb_node *node)
{
    FB_ASSERT(node->config.pins_max > 0);
    for (uint32_t i = 0; i < node->config.pins_max; i++) {
        struct pin *pin = &node_pins(node)[i];
        if (pin->state == PIN_HELD && pin->expires_ns <= node->now_ns) {
            pin_end(node, pin);
            node->stats.pins_expired++;
        }
    }
    pin_set_timer(node);
}

void pin_check(struct fb_node *node)
{
    for (uint32_t i = 0; i < node->config.pins_max; i++) {
        const struct pin *pin = &node_pins(node)[i];
        if (pin->state != PIN_HELD)
            continue;
        FB_ASSERT(node_entries(node)[pin->slot].state == ENTRY_RESIDENT);
        FB_ASSERT(node_entries(node)[pin->slot].pins > 0);
        FB_ASSERT(fb_timer_is_set(node_timer(node), timer_of_pins(node)));
    }
}
