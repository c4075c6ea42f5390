/* GETs of memcached (text protocol) and Redis over TCP. Each connection has its share of the depth
 * in flight; as many requests as were answered go out with one send. A value is received where it
 * is wanted, without another copy. */
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEY_DIGITS = 10, LINE_BYTES = 64, IN_BYTES = 64 * 1024, REQUEST_BYTES = 64 };

struct connection {
    struct load *load;
    int socket;
    bool is_redis;
    uint64_t asked[LOAD_DEPTH_MAX]; /* ring of the values asked for */
    uint32_t first, count;
    uint32_t owed; /* requests to be sent */
    unsigned char in[IN_BYTES];
    uint32_t in_first, in_size; /* of what was received and not looked at */
    unsigned char *value;       /* and what ends it */
    uint64_t value_have;
    bool is_value; /* the value is arriving */
};

static void whole_send(int file, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(file, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            load_fail("send", -errno);
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        }
    }
}

static int store_connect(const char *port)
{
    const int yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0 || connect(file, (const struct sockaddr *)&address, sizeof(address)) != 0)
        load_fail("connect", -errno);
    (void)setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    return file;
}

/* A request for a value; returns its size. */
static uint32_t request_write(char *to, bool is_redis, uint64_t value)
{
    int size = is_redis ? sprintf(to, "*2\r\n$3\r\nGET\r\n$%d\r\n%0*llu\r\n", KEY_DIGITS,
                                  KEY_DIGITS, (unsigned long long)value)
                        : sprintf(to, "get %0*llu\r\n", KEY_DIGITS, (unsigned long long)value);
    return (uint32_t)size;
}

static void requests_send(struct connection *connection)
{
    char bytes[LOAD_DEPTH_MAX * REQUEST_BYTES];
    uint32_t size = 0;
    for (; connection->owed > 0; connection->owed--) {
        uint64_t value = load_next(connection->load);
        connection->asked[(connection->first + connection->count++) % LOAD_DEPTH_MAX] = value;
        size += request_write(bytes + size, connection->is_redis, value);
    }
    if (size > 0)
        whole_send(connection->socket, bytes, size);
}

/* What follows a value's bytes. */
static const char *trailer(const struct connection *connection)
{
    return connection->is_redis ? "\r\n" : "\r\nEND\r\n";
}

static uint64_t value_bytes(const struct connection *connection)
{
    return connection->load->size_bytes + strlen(trailer(connection));
}

/* The line before a value. */
static bool header_take(struct connection *connection)
{
    const unsigned char *at = connection->in + connection->in_first;
    const unsigned char *end = memchr(at, '\n', connection->in_size);
    char line[LINE_BYTES] = "", want[LINE_BYTES];
    if (end == NULL)
        return false;
    size_t size = (size_t)(end - at) + 1;
    if (size < LINE_BYTES)
        memcpy(line, at, size);
    uint64_t value = connection->asked[connection->first];
    if (connection->is_redis)
        sprintf(want, "$%llu\r\n", (unsigned long long)connection->load->size_bytes);
    else
        sprintf(want, "VALUE %0*llu 0 %llu\r\n", KEY_DIGITS, (unsigned long long)value,
                (unsigned long long)connection->load->size_bytes);
    if (strcmp(line, want) != 0) {
        fprintf(stderr, "load: an answer begins with: %.60s\n", line);
        exit(1);
    }
    connection->in_first += (uint32_t)size;
    connection->in_size -= (uint32_t)size;
    connection->is_value = true;
    connection->value_have = 0;
    return true;
}

static void value_end(struct connection *connection)
{
    struct load *load = connection->load;
    const char *end = trailer(connection);
    if (memcmp(connection->value + load->size_bytes, end, strlen(end)) != 0)
        load_fail("an answer does not end as it should", -EPROTO);
    load_check(connection->value, load->size_bytes, connection->asked[connection->first]);
    connection->first = (connection->first + 1) % LOAD_DEPTH_MAX;
    connection->count--;
    connection->is_value = false;
    load_count(load);
    if (!load_is_over(load))
        connection->owed++;
}

/* Takes what was received apart. */
static void received_take(struct connection *connection)
{
    uint64_t want = value_bytes(connection);
    while (connection->in_size > 0 && (connection->is_value || header_take(connection))) {
        uint64_t left = want - connection->value_have;
        uint32_t part = connection->in_size < left ? connection->in_size : (uint32_t)left;
        memcpy(connection->value + connection->value_have, connection->in + connection->in_first,
               part);
        connection->value_have += part;
        connection->in_first += part;
        connection->in_size -= part;
        if (connection->value_have == want)
            value_end(connection);
    }
    memmove(connection->in, connection->in + connection->in_first, connection->in_size);
    connection->in_first = 0;
}

/* One receive: the rest of a large value goes where it belongs, anything else to the buffer. */
static void connection_receive(struct connection *connection)
{
    uint64_t left = connection->is_value ? value_bytes(connection) - connection->value_have : 0;
    bool is_direct = left > IN_BYTES;
    void *room = is_direct ? connection->value + connection->value_have
                           : connection->in + connection->in_size;
    size_t size = is_direct ? left : IN_BYTES - connection->in_size;
    ssize_t received = recv(connection->socket, room, size, 0);
    if (received <= 0)
        load_fail("receive", received == 0 ? -ECONNRESET : -errno);
    if (!is_direct) {
        connection->in_size += (uint32_t)received;
        received_take(connection);
        return;
    }
    connection->value_have += (uint64_t)received;
    if (connection->value_have == value_bytes(connection))
        value_end(connection);
}

static void connections_run(struct load *load, struct connection *connections)
{
    struct pollfd files[LOAD_CONNECTIONS_MAX];
    uint32_t busy = load->connections;
    for (uint32_t i = 0; i < load->connections; i++)
        files[i] = (struct pollfd){.fd = connections[i].socket, .events = POLLIN};
    load_begin(load);
    for (uint32_t i = 0; i < load->connections; i++)
        requests_send(&connections[i]);
    while (busy > 0) {
        if (load->connections > 1 && poll(files, load->connections, -1) < 0 && errno != EINTR)
            load_fail("poll", -errno);
        for (uint32_t i = 0; i < load->connections; i++) {
            struct connection *connection = &connections[i];
            bool is_ready = load->connections == 1 || (files[i].revents & (POLLIN | POLLHUP));
            if (connection->count == 0 || !is_ready)
                continue;
            connection_receive(connection);
            requests_send(connection);
            busy -= connection->count == 0;
        }
    }
}

static void store_load(struct load *load, bool is_redis)
{
    struct connection *connections = load_allocate(load->connections * sizeof(*connections));
    for (uint32_t i = 0; i < load->connections; i++) {
        struct connection *connection = &connections[i];
        connection->load = load;
        connection->is_redis = is_redis;
        connection->socket = store_connect(load->target);
        connection->value = load_allocate(load->size_bytes + LINE_BYTES);
        connection->owed =
            load->depth / load->connections + (i < load->depth % load->connections ? 1 : 0);
    }
    connections_run(load, connections);
    load->expected = load->reads;
    for (uint32_t i = 0; i < load->connections; i++) {
        close(connections[i].socket);
        free(connections[i].value);
    }
    free(connections);
}

void load_memcached(struct load *load)
{
    store_load(load, false);
}

void load_redis(struct load *load)
{
    store_load(load, true);
}

void load_store_fill(struct load *load, bool is_redis)
{
    char line[LINE_BYTES * 2], answer[LINE_BYTES];
    const char *want = is_redis ? "+OK\r\n" : "STORED\r\n";
    unsigned long long bytes = load->size_bytes;
    int file = store_connect(load->target);
    unsigned char *value = load_allocate(load->size_bytes + 2);
    for (uint64_t i = 0; i < load->count; i++) {
        unsigned long long key = i;
        int size = is_redis ? sprintf(line, "*3\r\n$3\r\nSET\r\n$%d\r\n%0*llu\r\n$%llu\r\n",
                                      KEY_DIGITS, KEY_DIGITS, key, bytes)
                            : sprintf(line, "set %0*llu 0 0 %llu\r\n", KEY_DIGITS, key, bytes);
        load_fill(value, load->size_bytes, i);
        memcpy(value + load->size_bytes, "\r\n", 2);
        whole_send(file, line, (size_t)size);
        whole_send(file, value, load->size_bytes + 2);
        ssize_t received = recv(file, answer, strlen(want), MSG_WAITALL);
        if (received != (ssize_t)strlen(want) || memcmp(answer, want, strlen(want)) != 0)
            load_fail("a value was not stored", -EPROTO);
    }
    close(file);
    free(value);
}
