/* TCP connections between two machines. The asker leads, the other side answers each message of 64
 * bytes with one; one that begins with 'b' with bulk, with 's' by as many bytes as it says, with
 * 'u' by the processor time that this side has taken:
 *
 *     PING, one at a time --> PING, 16 in flight --> answers of each size, some in flight
 *         --> BULK: as many bytes as come in BULK_NS on all but one, and PING, one at a time, on
 *             that
 *
 * Bulk comes over several, as it does between nodes: the kernel lets a single connection keep only
 * a millisecond or two in its port's queue. */
#include "hw/measure/calibrate.h"

#include "hw/base/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MESSAGE_BYTES = 64,
    PINGS = 1001,
    AT_ONCE = 16,
    ROUNDS = 500,
    BULK_BYTES = 1 << 20,
    PATIENCE_S = 30,
    BULKS = 8,
    CONNECTIONS = BULKS + 1,
    SPLICE_BYTES_MIN = 64 << 10, /* as in hw/net/tcp_pull.c */
    LARGEST_BYTES = 16 << 20,
};

static const uint64_t BULK_NS = 2000000000, WARM_NS = 300000000, ANSWER_NS = 300000000;

static bool bytes_send(int socket, const void *bytes, uint64_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        size -= (uint64_t)sent;
    }
    return true;
}

static bool bytes_receive(int socket, void *bytes, uint64_t size)
{
    return recv(socket, bytes, size, MSG_WAITALL) == (ssize_t)size;
}

static void socket_prepare(int socket)
{
    int one = 1;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* A number in a message, behind its letter. */
static void number_put(char message[MESSAGE_BYTES], uint64_t number)
{
    memcpy(message + sizeof(number), &number, sizeof(number));
}

static uint64_t number_get(const char message[MESSAGE_BYTES])
{
    uint64_t number;
    memcpy(&number, message + sizeof(number), sizeof(number));
    return number;
}

/* As a daemon answers a pull: small ones are copied, large ones go out of a file without it. */
static bool sized_send(int socket, int file, const char *bytes, uint64_t size)
{
    if (size > LARGEST_BYTES)
        return false;
    if (size < SPLICE_BYTES_MIN)
        return bytes_send(socket, bytes, size);
    for (off_t at = 0; (uint64_t)at < size;)
        if (sendfile(socket, file, &at, size - (uint64_t)at) <= 0)
            return false;
    return true;
}

/* Answers a message; false: it is none of these, or the connection is at its end. */
static bool message_answer(int socket, int file, const char *bytes, char message[MESSAGE_BYTES])
{
    if (message[0] == 'b')
        return false;
    if (message[0] == 's')
        return sized_send(socket, file, bytes, number_get(message));
    if (message[0] == 'u')
        number_put(message, cpu_ns());
    return bytes_send(socket, message, MESSAGE_BYTES);
}

/* Until the asker goes. */
static void answer(int socket)
{
    char message[MESSAGE_BYTES];
    static const char bytes[SPLICE_BYTES_MIN];
    int file = memfd_create("answers", MFD_CLOEXEC);
    if (file < 0 || posix_fallocate(file, 0, LARGEST_BYTES) != 0)
        return;
    while (bytes_receive(socket, message, sizeof(message))) {
        if (message_answer(socket, file, bytes, message))
            continue;
        void *bulk = calloc(1, BULK_BYTES);
        while (bulk != NULL && message[0] == 'b' && bytes_send(socket, bulk, BULK_BYTES))
            continue;
        free(bulk);
        return;
    }
}

void fb_calibrate_listen(const char *address, struct fb_error *error)
{
    int listener = fb_address_listen("--listen", address, error);
    if (listener < 0)
        return;
    for (uint32_t i = 0; i < CONNECTIONS && !fb_error_is_set(error); i++) {
        int socket = accept(listener, NULL, NULL);
        pid_t child = socket >= 0 ? fork() : -1;
        if (child < 0)
            fb_error_set(error, "--listen %s: %s", address, strerror(errno));
        if (child == 0) {
            socket_prepare(socket);
            answer(socket);
            _exit(0);
        }
        if (socket >= 0)
            close(socket);
    }
    close(listener);
    while (wait(NULL) > 0)
        continue;
}

static bool ping_measure(int socket, struct fb_network_path *path)
{
    char message[MESSAGE_BYTES] = "p";
    uint64_t times[PINGS];
    for (uint32_t i = 0; i < PINGS; i++) {
        uint64_t begun_ns = fb_calibrate_now_ns();
        if (!bytes_send(socket, message, sizeof(message)) ||
            !bytes_receive(socket, message, sizeof(message)))
            return false;
        times[i] = fb_calibrate_now_ns() - begun_ns;
    }
    path->round_trip_ns = fb_calibrate_quantile(times, PINGS, 0.5);
    return true;
}

/* 16 messages, each a call of its own, as messages of different moments are. */
static bool messages_measure(int socket, struct fb_network_path *path)
{
    char message[MESSAGE_BYTES] = "p";
    uint64_t begun_ns = fb_calibrate_now_ns(), cpu_begun_ns = cpu_ns();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < AT_ONCE; i++)
            if (!bytes_send(socket, message, sizeof(message)))
                return false;
        for (uint32_t i = 0; i < AT_ONCE; i++)
            if (!bytes_receive(socket, message, sizeof(message)))
                return false;
    }
    uint64_t count = (uint64_t)ROUNDS * AT_ONCE;
    path->messages_per_s = fb_calibrate_rate(count, fb_calibrate_now_ns() - begun_ns);
    path->message_cpu_ns = (cpu_ns() - cpu_begun_ns) / (2 * count);
    return true;
}

/* The answerer's processor time so far. */
static bool peer_cpu(int socket, uint64_t *ns)
{
    char message[MESSAGE_BYTES] = "u";
    if (!bytes_send(socket, message, sizeof(message)) ||
        !bytes_receive(socket, message, sizeof(message)))
        return false;
    *ns = number_get(message);
    return true;
}

static bool sized_ask(int socket, uint64_t size)
{
    char message[MESSAGE_BYTES] = "s";
    number_put(message, size);
    return bytes_send(socket, message, sizeof(message));
}

/* Answers of one size for ANSWER_NS, some in flight: what one takes at each end. */
static bool answer_measure(int socket, uint64_t size, unsigned char *bytes, uint64_t cost_ns[2])
{
    uint64_t begun_ns = fb_calibrate_now_ns(), own_ns = cpu_ns(), peer_ns = 0, now_ns = 0;
    uint32_t window = size <= SPLICE_BYTES_MIN ? AT_ONCE : 2, count = 0;
    bool is_fine = peer_cpu(socket, &peer_ns);
    for (uint32_t i = 0; i < window && is_fine; i++)
        is_fine = sized_ask(socket, size);
    for (uint64_t end_ns = begun_ns + ANSWER_NS; is_fine && now_ns < end_ns; count++) {
        is_fine = bytes_receive(socket, bytes, size) && sized_ask(socket, size);
        now_ns = fb_calibrate_now_ns();
    }
    for (uint32_t i = 0; i < window && is_fine; i++, count++)
        is_fine = bytes_receive(socket, bytes, size);
    uint64_t peer_end_ns = 0;
    cost_ns[0] = (cpu_ns() - own_ns) / (count > 0 ? count : 1);
    is_fine = is_fine && peer_cpu(socket, &peer_end_ns);
    cost_ns[1] = (peer_end_ns - peer_ns) / (count > 0 ? count : 1);
    return is_fine;
}

static bool answers_measure(int socket, struct fb_network_path *path)
{
    unsigned char *bytes = malloc(LARGEST_BYTES);
    bool is_fine = bytes != NULL;
    for (uint32_t i = 0; i < FB_CALIBRATE_ANSWERS && is_fine; i++) {
        uint64_t cost_ns[2];
        is_fine = answer_measure(socket, fb_calibrate_answer_bytes[i], bytes, cost_ns);
        path->answer.cpu_ns[0][i] = cost_ns[0];
        path->answer.cpu_ns[1][i] = cost_ns[1];
    }
    free(bytes);
    for (uint32_t end = 0; end < 2 && is_fine; end++)
        fb_calibrate_fit(&path->answer, end);
    return is_fine;
}

struct bulk {
    void *bytes; /* BULK_BYTES */
    uint64_t begun_ns, from_ns, now_ns;
    uint64_t count; /* of bytes since from_ns */
    uint64_t asked_ns, pings, times[PINGS];
};

/* What comes in the beginning, while buffers fill, does not count. */
static bool bulk_receive(int socket, struct bulk *bulk)
{
    ssize_t part = recv(socket, bulk->bytes, BULK_BYTES, 0);
    bulk->now_ns = fb_calibrate_now_ns();
    if (bulk->from_ns > 0)
        bulk->count += part > 0 ? (uint64_t)part : 0;
    else if (bulk->now_ns > bulk->begun_ns + WARM_NS)
        bulk->from_ns = bulk->now_ns;
    return part > 0;
}

/* One answered, the next asked. */
static bool bulk_ping(int socket, struct bulk *bulk)
{
    char message[MESSAGE_BYTES] = "p";
    if (bulk->asked_ns > 0 && !bytes_receive(socket, message, sizeof(message)))
        return false;
    bulk->now_ns = fb_calibrate_now_ns();
    if (bulk->asked_ns > 0 && bulk->from_ns > 0 && bulk->pings < PINGS)
        bulk->times[bulk->pings++] = bulk->now_ns - bulk->asked_ns;
    bulk->asked_ns = bulk->now_ns;
    return bytes_send(socket, message, sizeof(message));
}

/* Bulk on one connection, and what a message takes beside it on the other. */
static bool bulk_measure(const int sockets[CONNECTIONS], struct fb_network_path *path)
{
    char message[MESSAGE_BYTES] = "b";
    struct bulk bulk = {.bytes = malloc(BULK_BYTES), .begun_ns = fb_calibrate_now_ns()};
    struct pollfd polls[CONNECTIONS];
    bool is_fine = bulk.bytes != NULL && bulk_ping(sockets[BULKS], &bulk);
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        polls[i] = (struct pollfd){.fd = sockets[i], .events = POLLIN};
    for (uint32_t i = 0; is_fine && i < BULKS; i++)
        is_fine = bytes_send(sockets[i], message, sizeof(message));
    while (is_fine && bulk.now_ns < bulk.begun_ns + BULK_NS) {
        is_fine = poll(polls, CONNECTIONS, PATIENCE_S * 1000) > 0;
        if (is_fine && polls[BULKS].revents != 0)
            is_fine = bulk_ping(sockets[BULKS], &bulk);
        for (uint32_t i = 0; is_fine && i < BULKS; i++)
            is_fine = polls[i].revents == 0 || bulk_receive(sockets[i], &bulk);
    }
    free(bulk.bytes);
    if (!is_fine || bulk.from_ns == 0 || bulk.pings == 0)
        return false;
    path->bytes_per_s = fb_calibrate_rate(bulk.count, bulk.now_ns - bulk.from_ns);
    uint64_t loaded_ns = fb_calibrate_quantile(bulk.times, (uint32_t)bulk.pings, 0.5);
    path->queue_ns = loaded_ns > path->round_trip_ns ? loaded_ns - path->round_trip_ns : 0;
    return true;
}

/* Returns a socket, or -1 with errno. */
static int peer_connect(const struct sockaddr_storage *peer)
{
    int peer_socket = socket(peer->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *address = (const struct sockaddr *)(const void *)peer;
    if (peer_socket >= 0 && connect(peer_socket, address, sizeof(*peer)) != 0) {
        int reason = errno;
        close(peer_socket);
        errno = reason;
        return -1;
    }
    if (peer_socket >= 0)
        socket_prepare(peer_socket);
    return peer_socket;
}

void fb_calibrate_network(const char *address, struct fb_network_path *path, struct fb_error *error)
{
    struct sockaddr_storage peer;
    *path = (struct fb_network_path){.round_trip_ns = 0};
    fb_address_resolve(address, false, &peer, error);
    if (fb_error_is_set(error))
        return;
    int sockets[CONNECTIONS];
    uint32_t count = 0;
    while (count < CONNECTIONS && (sockets[count] = peer_connect(&peer)) >= 0)
        count++;
    if (count < CONNECTIONS)
        fb_error_set(error, "--peer %s: %s: start forebay calibrate --listen there first", address,
                     strerror(errno));
    else if (!ping_measure(sockets[0], path) || !messages_measure(sockets[0], path) ||
             !answers_measure(sockets[0], path) || !bulk_measure(sockets, path))
        fb_error_set(error, "--peer %s: the connection broke: is it forebay calibrate?", address);
    while (count > 0)
        close(sockets[--count]);
}
