/* What the transport takes of processors and memory, at both ends.
 *
 *     SEND     the sender's step pays for the message, the receiver's for taking it
 *     PULL     the asker's step pays for the request. From the moment at which bytes begin to flow
 *              both nodes work on them, piece by piece, so the pull is done at the latest of
 *                  the flow's end and the asker's work on the last piece,
 *                  the lender's end of work and the asker's on the last piece,
 *                  the asker's end of work, and what both copy through their memory
 *     request  of the origin: the same of one end, by the threads that speak to it (origin.c)
 *
 * 1. Work on bytes is first come, first served on `threads` threads of a node, the first of which
 *    is the core's own. Steps of the core do not wait for it: a loop takes turns after each piece;
 *    but what they take is taken from it.
 * 2. Where a node has more cores than the threads of its transport and origin, each thread has one
 *    of them, and digests share the others; else everything shares them all.
 * 3. What waits here does not hold up the flow: its port is given to others sooner than it would
 *    be, and a bound that is the processors' shows in the dates alone. */
#include "sim/world/transport.h"

#include "core/panic.h"
#include "sim/world/world_internal.h"

#include <math.h>

static uint64_t mebibytes_ns(uint64_t size_bytes, uint64_t mebibyte_ns)
{
    return (uint64_t)((unsigned __int128)size_bytes * mebibyte_ns >> 20);
}

static uint64_t send_ns(const struct fb_transport_model *transport, uint64_t size_bytes)
{
    return transport->send_message_ns + mebibytes_ns(size_bytes, transport->send_mebibyte_ns);
}

static uint64_t receive_ns(const struct fb_transport_model *transport, uint64_t size_bytes)
{
    return transport->receive_message_ns + mebibytes_ns(size_bytes, transport->receive_mebibyte_ns);
}

uint64_t world_message_bytes(const struct world *world, const struct fb_message *message)
{
    return world->scenario->transport.header_bytes + fb_message_size_bytes(message);
}

uint64_t world_op_cost_ns(const struct world *world, uint32_t node, const struct fb_op *op)
{
    const struct fb_transport_model *transport = &world->scenario->transport;
    if (op->kind == FB_OP_SEND)
        return send_ns(transport, world_message_bytes(world, &op->message));
    if (world_is_remote(op, node))
        return send_ns(transport, transport->header_bytes);
    return world->scenario->hardware.submit_ns;
}

uint64_t world_event_cost_ns(const struct world *world, const struct fb_event *event)
{
    if (event->kind != FB_EVENT_MESSAGE)
        return 0;
    return receive_ns(&world->scenario->transport, world_message_bytes(world, &event->message));
}

static uint32_t threads_of(const struct world *world, uint32_t threads)
{
    uint32_t cores = world->scenario->hardware.cpu_cores;
    return threads < cores ? threads : cores;
}

uint32_t world_transport_threads(const struct world *world)
{
    return threads_of(world, world->scenario->transport.threads);
}

uint32_t world_origin_threads(const struct world *world)
{
    return threads_of(world, world->scenario->origin.client_threads);
}

static bool is_shared(const struct world *world)
{
    uint32_t threads = world_transport_threads(world) + world_origin_threads(world);
    return world->scenario->hardware.cpu_cores <= threads;
}

uint32_t world_cores(const struct world *world)
{
    uint32_t threads = world_transport_threads(world) + world_origin_threads(world);
    uint32_t cores = world->scenario->hardware.cpu_cores;
    return is_shared(world) ? cores : cores - threads;
}

/* One thread does it, whatever others are free: the station's pipe is all of them together. */
static uint64_t work_end_ns(struct fb_station *station, uint32_t threads, uint64_t at_ns,
                            uint64_t cost_ns)
{
    uint64_t end_ns = fb_station_submit(station, at_ns, FB_STATION_READ, cost_ns);
    FB_ASSERT(threads > 0);
    return end_ns + cost_ns - cost_ns / threads;
}

uint64_t world_cores_take(struct world *world, uint32_t node, uint64_t at_ns, uint64_t cost_ns)
{
    return work_end_ns(world->hosts[node].cores, world_cores(world), at_ns, cost_ns);
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* By the threads of a station, which want cores. */
static uint64_t threads_take(struct world *world, uint32_t node, struct fb_station *station,
                             uint32_t threads, uint64_t cost_ns)
{
    uint64_t now_ns = world_now_ns(world);
    if (cost_ns == 0)
        return now_ns;
    uint64_t end_ns = work_end_ns(station, threads, now_ns, cost_ns);
    if (is_shared(world))
        end_ns = later(end_ns, world_cores_take(world, node, now_ns, cost_ns));
    return end_ns;
}

uint64_t world_transport_take(struct world *world, uint32_t node, uint64_t cost_ns)
{
    return threads_take(world, node, world->hosts[node].transport, world_transport_threads(world),
                        cost_ns);
}

static uint64_t copies_end_ns(struct world *world, uint32_t node, uint64_t size_bytes,
                              double copies)
{
    uint64_t bytes = (uint64_t)llround((double)size_bytes * copies);
    uint64_t now_ns = world_now_ns(world);
    if (bytes == 0)
        return now_ns;
    return fb_station_submit(world->hosts[node].memory, now_ns, FB_STATION_WRITE, bytes);
}

/* The asker's work on the last piece. */
static uint64_t last_piece_ns(const struct world *world, uint64_t size_bytes)
{
    const struct fb_transport_model *transport = &world->scenario->transport;
    if (size_bytes <= transport->piece_bytes)
        return receive_ns(transport, size_bytes);
    return mebibytes_ns(transport->piece_bytes, transport->receive_mebibyte_ns);
}

uint64_t world_transfer_begin(struct world *world, uint32_t source, uint32_t target,
                              uint64_t size_bytes)
{
    const struct fb_transport_model *transport = &world->scenario->transport;
    uint64_t now_ns = world_now_ns(world), sent_ns = now_ns;
    FB_ASSERT(source != target);
    FB_ASSERT(source < world->scenario->nodes && target < world->scenario->nodes);
    if (world->hosts[source].is_up && !transport->is_one_sided) {
        uint64_t cost_ns =
            receive_ns(transport, transport->header_bytes) + send_ns(transport, size_bytes);
        sent_ns = later(world_transport_take(world, source, cost_ns),
                        copies_end_ns(world, source, size_bytes, transport->send_copies));
    }
    uint64_t received_ns =
        later(world_transport_take(world, target, receive_ns(transport, size_bytes)),
              copies_end_ns(world, target, size_bytes, transport->receive_copies));
    return later(received_ns, sent_ns + last_piece_ns(world, size_bytes));
}

uint64_t world_transfer_end_ns(const struct world *world, uint64_t size_bytes, uint64_t worked_ns)
{
    return later(worked_ns, world_now_ns(world) + last_piece_ns(world, size_bytes));
}

uint64_t world_origin_work(struct world *world, uint32_t node, uint64_t size_bytes, bool is_store)
{
    const struct fb_origin_model *origin = &world->scenario->origin;
    uint64_t mebibyte_ns =
        is_store ? origin->client_write_mebibyte_ns : origin->client_read_mebibyte_ns;
    uint64_t cost_ns = origin->client_request_ns + mebibytes_ns(size_bytes, mebibyte_ns);
    FB_ASSERT(node < world->scenario->nodes);
    return threads_take(world, node, world->hosts[node].origin, world_origin_threads(world),
                        cost_ns);
}
