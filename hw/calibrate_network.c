/* One TCP connection between two machines. The asker leads, the other side answers each message of
 * 64 bytes with one, and the last, which begins with 'b', with bulk:
 *
 *     PING, one at a time --> PING, 16 in flight --> BULK: as many bytes as come in BULK_NS */
#include "hw/calibrate.h"

#include "hw/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MESSAGE_BYTES = 64,
    PINGS = 1001,
    AT_ONCE = 16,
    ROUNDS = 500,
    BULK_BYTES = 1 << 20,
    PATIENCE_S = 30,
};

static const uint64_t BULK_NS = 2000000000, WARM_NS = 300000000;

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

/* Until the asker goes. */
static void answer(int socket)
{
    char message[MESSAGE_BYTES];
    while (bytes_receive(socket, message, sizeof(message))) {
        if (message[0] != 'b' && bytes_send(socket, message, sizeof(message)))
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
    int socket = accept(listener, NULL, NULL);
    if (socket < 0) {
        fb_error_set(error, "--listen %s: %s", address, strerror(errno));
    } else {
        socket_prepare(socket);
        answer(socket);
        close(socket);
    }
    close(listener);
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

static uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
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

/* What comes in the beginning, while buffers fill, does not count. */
static bool bulk_measure(int socket, struct fb_network_path *path)
{
    char message[MESSAGE_BYTES] = "b";
    void *bulk = malloc(BULK_BYTES);
    uint64_t begun_ns = fb_calibrate_now_ns(), from_ns = 0, now_ns = begun_ns, bytes = 0;
    bool is_fine = bulk != NULL && bytes_send(socket, message, sizeof(message));
    while (is_fine && now_ns < begun_ns + BULK_NS) {
        ssize_t part = recv(socket, bulk, BULK_BYTES, 0);
        is_fine = part > 0;
        now_ns = fb_calibrate_now_ns();
        if (from_ns > 0)
            bytes += is_fine ? (uint64_t)part : 0;
        else if (now_ns > begun_ns + WARM_NS)
            from_ns = now_ns;
    }
    free(bulk);
    path->bytes_per_s = fb_calibrate_rate(bytes, now_ns - from_ns);
    return is_fine && from_ns > 0;
}

void fb_calibrate_network(const char *address, struct fb_network_path *path, struct fb_error *error)
{
    struct sockaddr_storage peer;
    *path = (struct fb_network_path){.round_trip_ns = 0};
    fb_address_resolve(address, false, &peer, error);
    if (fb_error_is_set(error))
        return;
    int peer_socket = socket(peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer_socket < 0 ||
        connect(peer_socket, (const struct sockaddr *)(const void *)&peer, sizeof(peer)) != 0) {
        fb_error_set(error, "--peer %s: %s: start forebay calibrate --listen there first", address,
                     strerror(errno));
    } else {
        socket_prepare(peer_socket);
        if (!ping_measure(peer_socket, path) || !messages_measure(peer_socket, path) ||
            !bulk_measure(peer_socket, path))
            fb_error_set(error, "--peer %s: the connection broke: is it forebay calibrate?",
                         address);
    }
    if (peer_socket >= 0)
        close(peer_socket);
}
