/* Where peers are: the addresses of members, some of which are names. A name is looked up by
 * threads of its own, since a resolver may be slow or silent for long; the loop and the lease never
 * wait for one. Until it is known, the peer can't be connected to, as if it were down.
 *
 *     address --figures--> known
 *        '-----a name----> looked up --found--> known --a connection fails--> looked up again
 *                              '--not found: said once--> looked up again, when it is wanted */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/base/address.h"
#include "hw/net/tcp.h"
#include "hw/net/tcp_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4 };

/* One that is under way. */
struct tcp_lookup {
    struct fb_tcp *tcp;
    struct fb_offload_task task;
    struct sockaddr_storage address;
    struct fb_error error;
    uint32_t node;
    bool is_used;
    char text[FB_ADDRESS_MAX];
};

static void lookup_run(struct fb_offload_task *task)
{
    struct tcp_lookup *lookup = FB_CONTAINER(task, struct tcp_lookup, task);
    fb_address_resolve(lookup->text, false, &lookup->address, &lookup->error);
}

/* The member may be another, or none, by now. */
static void lookup_done(struct fb_offload_task *task)
{
    struct tcp_lookup *lookup = FB_CONTAINER(task, struct tcp_lookup, task);
    struct fb_tcp_peer *peer = fb_tcp_peer(lookup->tcp, lookup->node);
    bool is_found = !fb_error_is_set(&lookup->error);
    lookup->is_used = false;
    if (peer == NULL || strcmp(peer->text, lookup->text) != 0)
        return;
    peer->is_asked = false;
    if (is_found)
        peer->address = lookup->address;
    if (is_found == !peer->is_lost)
        return;
    peer->is_lost = !is_found;
    char quoted[FB_LOG_QUOTE_MAX];
    if (is_found)
        fb_log(FB_LOG_INFO, "name_found", "peer=%u", peer->node);
    else
        fb_log(FB_LOG_WARNING, "name_not_found", "peer=%u reason=%s", peer->node,
               fb_log_quote(lookup->error.text, quoted));
}

/* NULL: none is free now, or there are no threads: tried again when the peer is wanted again. */
static struct tcp_lookup *lookup_take(struct fb_tcp *tcp)
{
    if (tcp->lookups == NULL) {
        tcp->lookups = calloc(FB_TCP_LOOKUPS_MAX, sizeof(*tcp->lookups));
        if (tcp->lookups == NULL ||
            fb_offload_open(&tcp->resolver, tcp->context.uring, THREADS) != 0)
            return NULL;
    }
    for (uint32_t i = 0; i < FB_TCP_LOOKUPS_MAX && tcp->resolver.thread_count > 0; i++) {
        if (!tcp->lookups[i].is_used)
            return &tcp->lookups[i];
    }
    return NULL;
}

void tcp_peer_look_up(struct fb_tcp *tcp, struct fb_tcp_peer *peer)
{
    if (peer->is_asked || fb_address_parse(peer->text, &peer->address))
        return;
    struct tcp_lookup *lookup = lookup_take(tcp);
    if (lookup == NULL)
        return;
    FB_ASSERT(strlen(peer->text) < sizeof(lookup->text));
    *lookup = (struct tcp_lookup){.tcp = tcp,
                                  .task = {.run = lookup_run, .done = lookup_done},
                                  .node = peer->node,
                                  .is_used = true};
    memcpy(lookup->text, peer->text, strlen(peer->text) + 1);
    peer->is_asked = true;
    fb_offload_start(&tcp->resolver, &lookup->task, false);
}

void tcp_lookups_close(struct fb_tcp *tcp)
{
    fb_offload_close(&tcp->resolver);
    free(tcp->lookups);
    tcp->lookups = NULL;
}
