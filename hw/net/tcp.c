/* Peers and connections: who is connected, to whom a message or pull goes. See tcp.h. */
#include "hw/net/tcp.h"

#include "core/panic.h"
#include "hw/base/address.h"
#include "hw/net/tcp_internal.h"
#include "hw/net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t retry_first_ns = 100000000;
enum { RETRY_DOUBLINGS_MAX = 6 };

static int peer_compare(const void *a, const void *b)
{
    uint32_t first = ((const struct fb_tcp_peer *)a)->node;
    uint32_t second = ((const struct fb_tcp_peer *)b)->node;
    return first < second ? -1 : first > second;
}

struct fb_tcp_peer *fb_tcp_peer(struct fb_tcp *tcp, uint32_t node)
{
    const struct fb_tcp_peer wanted = {.node = node};
    return bsearch(&wanted, tcp->peers, tcp->peer_count, sizeof(wanted), peer_compare);
}

static void listener_open(struct fb_tcp *tcp, struct fb_error *error)
{
    tcp->listener = fb_address_listen("listen", tcp->context.settings->listen, error);
    if (fb_error_is_set(error))
        return;
    tcp_accept_start(tcp);
}

uint32_t fb_tcp_connections_max(const struct fb_settings *settings)
{
    if (settings->members_max < 2)
        return 0;
    return settings->members_max * 2 * (1 + settings->pull_connections) + FB_TCP_STRANGERS_MAX;
}

uint64_t fb_tcp_size_bytes(const struct fb_settings *settings)
{
    enum { SESSION_BYTES = 64 * 1024 }; /* OpenSSL's. guess: 32 to 96 KiB; heaptrack would tell */
    uint64_t secure = settings->tls.key[0] != '\0' ? 2 * FB_TCP_SECURE_BYTES + SESSION_BYTES : 0;
    return fb_tcp_connections_max(settings) * (sizeof(struct fb_tcp_connection) + secure) +
           settings->members_max * sizeof(struct fb_tcp_peer);
}

static void connections_open(struct fb_tcp *tcp, const struct fb_settings *settings,
                             struct fb_error *error)
{
    tcp->connection_count = fb_tcp_connections_max(settings);
    tcp->connections = calloc(tcp->connection_count, sizeof(*tcp->connections));
    if (tcp->connections == NULL) {
        fb_error_set(error, "out of memory for %u connections", tcp->connection_count);
        return;
    }
    for (uint32_t i = tcp->connection_count; i-- > 0;) {
        tcp->connections[i].next = tcp->free;
        tcp->free = &tcp->connections[i];
    }
}

void fb_tcp_open(struct fb_tcp *tcp, const struct fb_tcp_context *context, struct fb_error *error)
{
    const struct fb_settings *settings = context->settings;
    char text[FB_TLS_TEXT];
    *tcp = (struct fb_tcp){.context = *context, .listener = -1};
    tcp->peers = calloc(settings->members_max, sizeof(*tcp->peers));
    if (tcp->peers == NULL) {
        fb_error_set(error, "out of memory for %u members", settings->members_max);
        return;
    }
    if (settings->members_max < 2)
        return;
    tcp->tls = fb_tls_open(&settings->tls, settings->cluster, settings->node, error);
    if (fb_error_is_set(error))
        return;
    if (tcp->tls != NULL && fb_tls_ends_soon(tcp->tls, text))
        fb_log(FB_LOG_WARNING, "tls_ends_soon", "certificate=%s reason=\"%s\"",
               settings->tls.certificate, text);
    connections_open(tcp, settings, error);
    if (!fb_error_is_set(error))
        listener_open(tcp, error);
}

static struct fb_tcp_pull *waiting_take(struct fb_tcp_peer *peer)
{
    struct fb_tcp_pull *pull = peer->waiting_head;
    if (pull == NULL)
        return NULL;
    peer->waiting_head = pull->next;
    if (peer->waiting_head == NULL)
        peer->waiting_tail = NULL;
    return pull;
}

/* Nobody waits for a peer that is not there any more; its connections end. */
static void peer_drop(struct fb_tcp *tcp, struct fb_tcp_peer *peer)
{
    for (struct fb_tcp_pull *pull = waiting_take(peer); pull != NULL; pull = waiting_take(peer))
        pull_end_later(tcp, pull, FB_GONE);
    for (uint32_t i = 0; i < tcp->connection_count; i++) {
        struct fb_tcp_connection *connection = &tcp->connections[i];
        bool is_its = connection->peer == peer->node && connection->state != FB_TCP_FREE;
        if (is_its)
            connection_fail(connection, "no member any more");
    }
}

static const struct fb_member_settings *member_find(const struct fb_member_settings *members,
                                                    uint32_t count, uint32_t node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].member.node == node)
            return &members[i];
    }
    return NULL;
}

void fb_tcp_peers_set(struct fb_tcp *tcp, const struct fb_member_settings *members, uint32_t count,
                      struct fb_error *error)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < tcp->peer_count; i++) {
        if (member_find(members, count, tcp->peers[i].node) == NULL)
            peer_drop(tcp, &tcp->peers[i]);
    }
    for (uint32_t i = 0; i < tcp->peer_count; i++) {
        if (member_find(members, count, tcp->peers[i].node) != NULL)
            tcp->peers[kept++] = tcp->peers[i];
    }
    tcp->peer_count = kept;
    for (uint32_t i = 0; i < count && !fb_error_is_set(error); i++) {
        const struct fb_member_settings *member = &members[i];
        if (member->member.node == tcp->context.settings->node)
            continue;
        struct fb_tcp_peer *peer = fb_tcp_peer(tcp, member->member.node);
        bool is_new = peer == NULL;
        if (is_new && tcp->peer_count == tcp->context.settings->members_max) {
            fb_error_set(error, "more members than members_max, %u",
                         tcp->context.settings->members_max);
            return;
        }
        if (is_new)
            peer = &tcp->peers[tcp->peer_count++];
        if (is_new)
            *peer = (struct fb_tcp_peer){.node = member->member.node,
                                         .since_ns = tcp->context.feed->now_ns,
                                         .whole_ns = tcp->context.feed->now_ns};
        bool has_moved = strcmp(peer->text, member->address) != 0;
        if (has_moved) {
            memcpy(peer->text, member->address, sizeof(peer->text));
            peer->address.ss_family = AF_UNSPEC;
            peer->is_asked = false;
            tcp_peer_look_up(tcp, peer);
        }
        if (is_new)
            qsort(tcp->peers, tcp->peer_count, sizeof(*tcp->peers), peer_compare);
    }
}

void fb_tcp_close(struct fb_tcp *tcp)
{
    tcp_lookups_close(tcp);
    for (uint32_t i = 0; i < tcp->connection_count && tcp->connections != NULL; i++) {
        if (tcp->connections[i].state == FB_TCP_FREE)
            continue;
        close(tcp->connections[i].socket);
        secure_close(&tcp->connections[i].secure);
    }
    if (tcp->listener >= 0)
        close(tcp->listener);
    free(tcp->connections);
    free(tcp->peers);
    fb_tls_close(tcp->tls);
    *tcp = (struct fb_tcp){.listener = -1};
}

static struct fb_tcp_connection *peer_connect(struct fb_tcp *tcp, struct fb_tcp_peer *peer,
                                              enum fb_tcp_role role)
{
    if (tcp->context.feed->now_ns < peer->retry_ns)
        return NULL;
    if (peer->address.ss_family == AF_UNSPEC) {
        peer->retry_ns = tcp->context.feed->now_ns + retry_first_ns;
        tcp_peer_look_up(tcp, peer);
        return NULL;
    }
    int file = socket(peer->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0)
        return NULL;
    struct fb_tcp_connection *connection = connection_take(tcp, role, file, peer->node);
    if (connection == NULL) {
        close(file);
        return NULL;
    }
    tcp_socket_set_up(file, tcp->context.settings->peer_timeout_ns);
    connection_greet(connection);
    fb_uring_connect(tcp->context.uring, &connection->send, file, &peer->address);
    return connection;
}

/* Bytes that a message brings along. */
static uint32_t offered_bytes(const struct fb_tcp_connection *connection,
                              const struct fb_message *message)
{
    uint64_t used = connection->out_size[connection->out_index];
    uint64_t size = message->kind == FB_MESSAGE_OFFER ? message->offer.span.size : 0;
    bool is_fine = size <= FB_WIRE_OFFERED_MAX && used + size <= FB_TCP_OFFERED_BYTES;
    return is_fine ? (uint32_t)size : 0;
}

void fb_tcp_send(struct fb_tcp *tcp, uint32_t target, const struct fb_message *message,
                 const struct fb_object *object)
{
    struct fb_tcp_peer *peer = fb_tcp_peer(tcp, target);
    unsigned char *room = NULL;
    if (peer != NULL && peer->messages == NULL)
        peer->messages = peer_connect(tcp, peer, FB_TCP_MESSAGES);
    if (peer != NULL && peer->messages != NULL)
        room = connection_put(peer->messages);
    if (room == NULL) {
        tcp->messages_dropped++;
        return;
    }
    struct fb_tcp_connection *connection = peer->messages;
    uint32_t more = offered_bytes(connection, message);
    uint32_t size = fb_wire_put_message(room, message, object, more);
    if (more > 0)
        memcpy(room + size, tcp->context.memory->bytes.at + message->offer.span.offset, more);
    connection_put_end(connection, size + more);
    if (connection->out_size[connection->out_index] > FB_TCP_OFFERED_BYTES / 2)
        connection_flush(connection); /* what comes next finds room */
}

void fb_tcp_summary_send(struct fb_tcp *tcp, struct fb_tcp_peer *peer,
                         const struct fb_wire_summary *summary, bool wants_answer)
{
    if (peer->messages == NULL)
        peer->messages = peer_connect(tcp, peer, FB_TCP_MESSAGES);
    unsigned char *room =
        peer->messages != NULL && peer->version >= 3 ? connection_put(peer->messages) : NULL;
    if (room != NULL) /* who asks asks again */
        connection_put_end(peer->messages, fb_wire_put_summary(room, tcp->context.settings->node,
                                                               summary, wants_answer));
}

/* The peer has told which versions it speaks; to learn this node's, it wants a greeting, too. */
void tcp_peer_speaks(struct fb_tcp *tcp, uint32_t node, uint8_t version)
{
    struct fb_tcp_peer *peer = fb_tcp_peer(tcp, node);
    FB_ASSERT(peer != NULL && version >= FB_WIRE_VERSION_MIN);
    peer->version = version;
    if (peer->messages == NULL && version >= 3)
        peer->messages = peer_connect(tcp, peer, FB_TCP_MESSAGES);
}

/* The bytes came with the offer. */
static bool is_offered(const struct fb_tcp *tcp, const struct fb_tcp_pull *pull)
{
    const struct fb_tcp_offered *offered = &tcp->offered;
    return offered->bytes.size == pull->bytes.size && offered->peer == pull->source.peer &&
           offered->offset == pull->source.offset;
}

/* The pull connection that has least to do; a new one rather than a busy one. */
static struct fb_tcp_connection *pull_connection(struct fb_tcp *tcp, struct fb_tcp_peer *peer)
{
    struct fb_tcp_connection *best = NULL;
    for (uint32_t i = 0; i < tcp->context.settings->pull_connections; i++) {
        if (best != NULL && best->pull_count == 0)
            break;
        if (peer->pulls[i] == NULL)
            peer->pulls[i] = peer_connect(tcp, peer, FB_TCP_PULLS);
        struct fb_tcp_connection *connection = peer->pulls[i];
        bool is_usable = connection != NULL && connection->state != FB_TCP_CLOSING;
        if (is_usable && (best == NULL || connection->pull_count < best->pull_count))
            best = connection;
    }
    return best;
}

void fb_tcp_pull_start(struct fb_tcp *tcp, struct fb_tcp_pull *pull)
{
    struct fb_tcp_peer *peer = fb_tcp_peer(tcp, pull->source.peer);
    if (is_offered(tcp, pull)) {
        memcpy(pull->bytes.at, tcp->offered.bytes.at, pull->bytes.size);
        pull_end_later(tcp, pull, FB_OK);
        return;
    }
    struct fb_tcp_connection *connection = peer != NULL ? pull_connection(tcp, peer) : NULL;
    if (connection == NULL) {
        pull_end_later(tcp, pull, FB_GONE);
        return;
    }
    if (connection->pull_count < FB_TCP_PULLS_MAX) {
        pull_ask(connection, pull);
        return;
    }
    pull->next = NULL;
    if (peer->waiting_tail != NULL)
        peer->waiting_tail->next = pull;
    else
        peer->waiting_head = pull;
    peer->waiting_tail = pull;
}

void tcp_pull_next(struct fb_tcp_connection *connection)
{
    struct fb_tcp_peer *peer = fb_tcp_peer(connection->tcp, connection->peer);
    bool has_room = peer != NULL && connection->state == FB_TCP_OPEN &&
                    connection->pull_count < FB_TCP_PULLS_MAX;
    struct fb_tcp_pull *pull = has_room ? waiting_take(peer) : NULL;
    if (pull != NULL)
        pull_ask(connection, pull);
}

/* The peer loses a connection: it is not tried again at once, and longer each time. */
static void peer_lose(struct fb_tcp *tcp, struct fb_tcp_peer *peer,
                      const struct fb_tcp_connection *connection)
{
    bool is_alone = true;
    bool was_good = connection->opened_ns > 0 && tcp->context.feed->now_ns - connection->opened_ns >
                                                     tcp->context.settings->peer_timeout_ns;
    peer->failures = was_good ? 0 : peer->failures + 1;
    uint32_t doublings =
        peer->failures < RETRY_DOUBLINGS_MAX ? peer->failures : RETRY_DOUBLINGS_MAX;
    peer->retry_ns = tcp->context.feed->now_ns + (retry_first_ns << doublings);
    if (!was_good)
        tcp_peer_look_up(tcp, peer); /* a name may mean another address by now */
    if (peer->messages == connection)
        peer->messages = NULL;
    for (uint32_t i = 0; i < FB_TCP_PULL_CONNECTIONS_MAX; i++) {
        if (peer->pulls[i] == connection)
            peer->pulls[i] = NULL;
        is_alone = is_alone && peer->pulls[i] == NULL;
    }
    struct fb_tcp_pull *pull = is_alone ? waiting_take(peer) : NULL;
    for (; pull != NULL; pull = waiting_take(peer))
        pull_end_later(tcp, pull, FB_GONE);
}

void fb_tcp_flush(struct fb_tcp *tcp)
{
    while (tcp->due != NULL) {
        struct fb_tcp_connection *connection = tcp->due;
        tcp->due = connection->next_due;
        connection->is_due = 0;
        connection_flush(connection);
    }
}

static void due_remove(struct fb_tcp_connection *connection)
{
    struct fb_tcp_connection **at = &connection->tcp->due;
    if (!connection->is_due)
        return;
    while (*at != connection)
        at = &(*at)->next_due;
    *at = connection->next_due;
    connection->is_due = 0;
}

void tcp_connection_ended(struct fb_tcp_connection *connection)
{
    struct fb_tcp *tcp = connection->tcp;
    FB_ASSERT(connection->state == FB_TCP_CLOSING);
    pull_lost(connection);
    struct fb_tcp_peer *peer = fb_tcp_peer(tcp, connection->peer);
    if (connection->role != FB_TCP_ACCEPTED && peer != NULL)
        peer_lose(tcp, peer, connection);
    close(connection->socket);
    secure_close(&connection->secure);
    due_remove(connection);
    tcp_stranger_leaves(connection);
    connection->state = FB_TCP_FREE;
    connection->next = tcp->free;
    tcp->free = connection;
    tcp->connections_lost += connection->peer != FB_NONE;
}

const char *fb_peer_state_name(enum fb_peer_state state)
{
    static const char *const names[FB_PEER_STATES] = {[FB_PEER_IDLE] = "idle",
                                                      [FB_PEER_CONNECTED] = "connected",
                                                      [FB_PEER_CONNECTING] = "connecting",
                                                      [FB_PEER_AWAY] = "away"};
    return names[state];
}

/* Has the other side shown that it is there, beyond its taking a connection? */
static bool is_open(const struct fb_tcp_connection *out)
{
    return out != NULL && out->state == FB_TCP_OPEN &&
           (out->secure.session == NULL || fb_tls_is_ready(out->secure.session));
}

/* One that lets nobody stay for a second is not there. */
static bool is_lasting(const struct fb_tcp *tcp, const struct fb_tcp_peer *peer)
{
    return is_open(peer->messages) &&
           tcp->context.feed->now_ns - peer->messages->opened_ns > 1000000000;
}

static enum fb_peer_state peer_state(const struct fb_tcp *tcp, const struct fb_tcp_peer *peer)
{
    const struct fb_tcp_connection *out = peer->messages;
    bool is_out = (peer->failures == 0 && is_open(out)) || is_lasting(tcp, peer);
    if (is_out || peer->accepted > 0)
        return FB_PEER_CONNECTED;
    if (peer->failures > 0 || peer->is_lost)
        return FB_PEER_AWAY;
    bool is_new = peer->state == FB_PEER_IDLE && out == NULL;
    return is_new ? FB_PEER_IDLE : FB_PEER_CONNECTING;
}

/* What has changed with a peer is told once; one that was there once is tried again. */
static void peer_look(struct fb_tcp *tcp, struct fb_tcp_peer *peer)
{
    enum fb_peer_state state = peer_state(tcp, peer);
    bool is_away = state == FB_PEER_AWAY;
    bool is_whole = peer->accepted > 0 || is_lasting(tcp, peer);
    if (is_whole)
        peer->whole_ns = tcp->context.feed->now_ns;
    if (is_whole)
        peer->fault[0] = '\0';
    if (state != peer->state && (is_away || peer->state == FB_PEER_AWAY) &&
        !tcp->context.standing->is_stopping)
        fb_log(is_away ? FB_LOG_WARNING : FB_LOG_INFO, is_away ? "peer_away" : "peer_back",
               "peer=%u address=%s before=%s for_ms=%llu", peer->node, peer->text,
               fb_peer_state_name(peer->state),
               (unsigned long long)((tcp->context.feed->now_ns - peer->since_ns) / 1000000));
    if (state != peer->state)
        peer->since_ns = is_away ? peer->whole_ns : tcp->context.feed->now_ns;
    peer->state = state;
    bool is_known = peer->address.ss_family != AF_UNSPEC; /* names are asked when they are wanted */
    if ((is_away || state == FB_PEER_CONNECTING) && is_known && peer->messages == NULL)
        peer->messages = peer_connect(tcp, peer, FB_TCP_MESSAGES);
}

static void peers_look(struct fb_tcp *tcp)
{
    for (uint32_t i = 0; i < tcp->peer_count; i++)
        tcp->peers[i].accepted = 0;
    for (uint32_t i = 0; i < tcp->connection_count; i++) {
        const struct fb_tcp_connection *connection = &tcp->connections[i];
        bool is_theirs = connection->state == FB_TCP_OPEN && connection->role == FB_TCP_ACCEPTED &&
                         connection->peer != FB_NONE;
        struct fb_tcp_peer *peer = is_theirs ? fb_tcp_peer(tcp, connection->peer) : NULL;
        if (peer != NULL)
            peer->accepted++;
    }
    for (uint32_t i = 0; i < tcp->peer_count; i++)
        peer_look(tcp, &tcp->peers[i]);
}

void fb_tcp_sweep(struct fb_tcp *tcp)
{
    uint64_t timeout_ns = tcp->context.settings->peer_timeout_ns;
    for (uint32_t i = 0; i < tcp->connection_count; i++) {
        struct fb_tcp_connection *connection = &tcp->connections[i];
        bool is_waiting = connection->state == FB_TCP_CONNECTING ||
                          (connection->state == FB_TCP_OPEN && connection->pull_count > 0);
        if (is_waiting && tcp->context.feed->now_ns - connection->alive_ns > timeout_ns)
            connection_fail(connection, "silent for too long");
    }
    tcp_strangers_sweep(tcp);
    peers_look(tcp);
}

uint32_t fb_tcp_connected(const struct fb_tcp *tcp)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tcp->peer_count; i++)
        count += tcp->peers[i].messages != NULL && tcp->peers[i].messages->state == FB_TCP_OPEN;
    return count;
}
