/* The client's end of the ring; see ring.h. Waits by looking for a short while, then by a futex.
 * The while is as long as answers take: where they come from a drive or a peer, looking for them
 * only takes the processor from those who bring them. */
#include "client/client_internal.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Before sleeping. A look takes 5 to 45 ns, by the processor's `pause`. */
enum { LOOKS_MIN = 16, LOOKS_MAX = 1024 };

static const uint64_t soon_ns = 20000;        /* an answer that looking would have met */
static const uint64_t nap_ns_max = 100000000; /* then: is the daemon still there? */

uint64_t client_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void client_ring_init(struct forebay_client *client)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS; i++)
        client->slots[i] = (struct client_slot){.next = i + 1 < CLIENT_SLOTS ? i + 1 : FB_NONE};
    client->slot_free = 0;
    client->looks = LOOKS_MAX;
    client->again_head = FB_NONE;
    client->again_tail = FB_NONE;
}

uint32_t client_slot_take(struct forebay_client *client)
{
    uint32_t slot = client->slot_free;
    if (slot == FB_NONE)
        return FB_NONE;
    FB_ASSERT(slot < CLIENT_SLOTS);
    client->slot_free = client->slots[slot].next;
    client->slots[slot] = (struct client_slot){.next = FB_NONE, .is_used = true};
    client->slots_used++;
    return slot;
}

void client_slot_free(struct forebay_client *client, uint32_t slot)
{
    FB_ASSERT(slot < CLIENT_SLOTS);
    FB_ASSERT(client->slots[slot].is_used);
    FB_ASSERT(client->slots_used > 0);
    client->slots[slot].is_used = false;
    client->slots[slot].next = client->slot_free;
    client->slot_free = slot;
    client->slots_used--;
}

/* There is room for every slot and every lease: more is never in the ring, unless the daemon is
 * gone, which shows when a reply is waited for. */
void client_ring_put(struct forebay_client *client, struct fb_ring_request request, uint32_t slot)
{
    struct fb_ring *ring = client->ring;
    const uint64_t one = 1;
    FB_ASSERT(slot < CLIENT_SLOTS || slot == FB_NONE);
    if (!client_is_ours(client))
        return; /* who waits for an answer hears that */
    while (client->request_tail - atomic_load(&ring->request_head) >= FB_RING_ENTRIES) {
        if (client_ring_wait(client, client_clock_ns() + nap_ns_max) != 0)
            return;
    }
    request.id = slot;
    ring->requests[client->request_tail % FB_RING_ENTRIES] = request;
    atomic_store_explicit(&ring->request_tail, ++client->request_tail, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&ring->daemon_sleeps, memory_order_relaxed) != 0) {
        atomic_store(&ring->daemon_sleeps, 0);
        ssize_t written = write(client->doorbell, &one, sizeof(one));
        (void)written; /* a full counter has woken it already */
    }
}

void client_release(struct forebay_client *client, uint64_t lease)
{
    client_ring_put(client, (struct fb_ring_request){.kind = FB_RING_RELEASE, .object = lease},
                    FB_NONE);
}

bool client_ring_take(struct forebay_client *client, struct fb_ring_reply *reply, uint32_t *slot)
{
    struct fb_ring *ring = client->ring;
    uint32_t tail = atomic_load_explicit(&ring->reply_tail, memory_order_acquire);
    if (tail == client->reply_head)
        return false;
    *reply = ring->replies[client->reply_head % FB_RING_ENTRIES];
    atomic_store_explicit(&ring->reply_head, ++client->reply_head, memory_order_release);
    bool is_sane = reply->id < CLIENT_SLOTS && client->slots[reply->id].is_used;
    *slot = is_sane ? (uint32_t)reply->id : FB_NONE;
    return true;
}

static bool has_reply(const struct forebay_client *client)
{
    return atomic_load_explicit(&client->ring->reply_tail, memory_order_acquire) !=
           client->reply_head;
}

static bool is_daemon_gone(const struct forebay_client *client)
{
    struct pollfd end = {.fd = client->socket, .events = POLLRDHUP};
    return poll(&end, 1, 0) > 0 && (end.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* It slept: would looking for longer have been better, or not at all? */
static void looks_learn(struct forebay_client *client, uint64_t slept_ns)
{
    FB_ASSERT(client->looks >= LOOKS_MIN);
    FB_ASSERT(client->looks <= LOOKS_MAX);
    uint32_t looks = slept_ns < soon_ns ? client->looks * 2 : client->looks / 2;
    client->looks = looks < LOOKS_MIN ? LOOKS_MIN : looks > LOOKS_MAX ? LOOKS_MAX : looks;
}

int client_ring_wait(struct forebay_client *client, uint64_t until_ns)
{
    struct fb_ring *ring = client->ring;
    if (!client_is_ours(client))
        return -ECHILD;
    for (uint32_t i = 0; i < client->looks && !has_reply(client); i++)
        __builtin_ia32_pause();
    uint64_t began_ns = has_reply(client) ? 0 : client_clock_ns();
    while (!has_reply(client)) {
        uint64_t now_ns = client_clock_ns();
        if (client->patience_ns > 0 && now_ns - began_ns > client->patience_ns)
            return -ETIMEDOUT;
        if (now_ns >= until_ns)
            return 0;
        atomic_store(&ring->client_sleeps, 1);
        atomic_thread_fence(memory_order_seq_cst);
        if (!has_reply(client)) {
            uint64_t nap_ns = until_ns - now_ns < nap_ns_max ? until_ns - now_ns : nap_ns_max;
            FB_ASSERT(nap_ns < 1000000000); /* a timespec has less than a second of them */
            const struct timespec nap = {.tv_nsec = (long)nap_ns};
            (void)syscall(SYS_futex, &ring->reply_tail, FUTEX_WAIT, client->reply_head, &nap, NULL,
                          0);
        }
        atomic_store(&ring->client_sleeps, 0);
        looks_learn(client, client_clock_ns() - now_ns);
        if (!has_reply(client) && is_daemon_gone(client))
            return -ECONNRESET;
    }
    return 0;
}
