/* A whole daemon in this process, whose rounds are made one by one, and a client of it that keeps
 * no rule: for the targets local and peer. It lives over many inputs and is made anew now and then,
 * so that what one input leaves behind meets the next. Includes loop.c, whose round is its own. */
#ifndef FB_TESTS_FUZZ_DAEMON_H
#define FB_TESTS_FUZZ_DAEMON_H

#include "hw/loop/loop.c"

#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { DAEMON_INPUTS = 512, OBJECTS = 6, BLOCK_BYTES = 256 * 1024, HANDLES = 8 };

struct daemon {
    struct fb_settings settings;
    struct fb_loop *loop;
    char folder[64];
    uint32_t inputs;
};

struct client {
    int socket, files[FB_LOCAL_FILES];
    struct fb_ring *ring;
    unsigned char *arena;
    uint64_t shared_bytes;
    uint32_t tail, head;
    uint64_t handles[HANDLES]; /* objects and leases that were heard of */
    uint32_t handle_count;
};

static struct daemon daemon_;

static void check(bool is_fine, const char *what)
{
    if (is_fine)
        return;
    perror(what);
    exit(77); /* this machine, not the target */
}

static void rounds(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        check(loop_round(daemon_.loop) == 0, "io_uring");
}

static void origin_make(const char *folder)
{
    char path[128];
    static unsigned char content[3 * BLOCK_BYTES];
    for (uint32_t i = 0; i < OBJECTS; i++) {
        snprintf(path, sizeof(path), "%s/o%u", folder, i);
        int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        size_t size = (size_t)i * i * BLOCK_BYTES / 9;
        check(file >= 0 && write(file, content, size) == (ssize_t)size, path);
        close(file);
    }
}

/* A free port of this machine; nobody is going to take it. */
static inline uint32_t port_take(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int file = socket(AF_INET, SOCK_STREAM, 0);
    check(file >= 0 && bind(file, (struct sockaddr *)&address, size) == 0, "port");
    check(getsockname(file, (struct sockaddr *)&address, &size) == 0, "port");
    close(file);
    return ntohs(address.sin_port);
}

static void daemon_close(void)
{
    char command[128];
    if (daemon_.loop == NULL)
        return;
    fb_loop_close(daemon_.loop);
    fb_settings_free(&daemon_.settings);
    snprintf(command, sizeof(command), "rm -rf %s", daemon_.folder);
    check(system(command) == 0, "folder");
    daemon_.loop = NULL;
}

/* members: YAML of the member list, or nothing. */
static void daemon_open(const char *members)
{
    struct fb_error error = {.text = ""};
    char path[128], text[2048];
    snprintf(daemon_.folder, sizeof(daemon_.folder), "/tmp/forebay-fuzz-XXXXXX");
    check(mkdtemp(daemon_.folder) != NULL, "folder");
    snprintf(path, sizeof(path), "%s/config.yaml", daemon_.folder);
    snprintf(text, sizeof(text),
             "schema_version: 1\ncluster: fuzz\nnode: 0\n"
             "origin: {kind: posix, path: \"%s\"}\n"
             "client: {socket: \"%s/socket\", arena: 1 MiB, spin: 1 s}\n"
             "device: {path: \"%s/drive\"}\nobjects_max: 64\nworkers: 0\npeer_timeout: 1 s\n"
             "log: error\n"
             "core: {memory_size: 2 MiB, block_size: 256 KiB, device_size: 4 MiB, tenants_max: 3, "
             "write_quorum: 1, hedge: 5 ms, hold: 20 ms, fills_max: 16, waiters_max: 32%s}\n%s",
             daemon_.folder, daemon_.folder, daemon_.folder,
             members[0] != '\0' ? ", erasure_data: 2, erasure_parity: 2" : "", members);
    FILE *file = fopen(path, "w");
    check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, path);
    origin_make(daemon_.folder);
    fb_log_open(FB_LOG_ERROR, 0);
    fb_settings_load(path, NULL, 0, &daemon_.settings, &error);
    if (!fb_error_is_set(&error))
        daemon_.loop = fb_loop_open(&daemon_.settings, &error);
    if (fb_error_is_set(&error))
        fprintf(stderr, "%s\n", error.text);
    if (daemon_.loop == NULL)
        exit(77);
    daemon_.loop->stop_ns = FB_NEVER_NS;
    daemon_.loop->busy_ns = fb_clock_ns();
    daemon_.inputs = 0;
}

static inline void client_send(struct client *client, const struct fb_local_request *request,
                               size_t size)
{
    (void)send(client->socket, request, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Takes replies, and remembers their handles; false: the daemon has ended the session. */
static inline bool client_take(struct client *client)
{
    static unsigned char packet[sizeof(struct fb_local_reply) + FB_LOCAL_PAGE_BYTES + 2048];
    for (;;) {
        ssize_t size = recv(client->socket, packet, sizeof(packet), MSG_DONTWAIT);
        if (size < (ssize_t)sizeof(struct fb_local_reply))
            return size < 0 && errno == EAGAIN;
        struct fb_local_reply reply;
        memcpy(&reply, packet, sizeof(reply));
        if (reply.status == FB_OK && reply.object != 0)
            client->handles[client->handle_count++ % HANDLES] = reply.object;
    }
}

/* Takes what is in the ring; keeps some leases. */
static inline void client_ring_read(struct client *client)
{
    uint32_t tail = atomic_load(&client->ring->reply_tail);
    while (client->head != tail && tail - client->head <= FB_RING_ENTRIES) {
        const struct fb_ring_reply *reply = &client->ring->replies[client->head % FB_RING_ENTRIES];
        if (reply->lease != 0)
            client->handles[client->handle_count++ % HANDLES] = reply->lease;
        client->head++;
    }
    atomic_store(&client->ring->reply_head, client->head);
}

static inline void client_ring_write(struct client *client, const struct fb_ring_request *request)
{
    const uint64_t one = 1;
    client->ring->requests[client->tail % FB_RING_ENTRIES] = *request;
    atomic_store(&client->ring->request_tail, ++client->tail);
    check(write(client->files[2], &one, sizeof(one)) > 0 || errno == EAGAIN, "doorbell");
}

/* Connects and greets; false: it was refused. */
static inline bool client_open(struct client *client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(client->files))];
    struct fb_local_reply reply;
    struct iovec part = {.iov_base = &reply, .iov_len = sizeof(reply)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    const struct fb_local_request hello = {.version = FB_LOCAL_VERSION, .kind = FB_LOCAL_HELLO};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", daemon_.folder);
    *client = (struct client){.socket = socket(AF_UNIX, SOCK_SEQPACKET, 0)};
    check(client->socket >= 0, "socket");
    check(connect(client->socket, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
    client_send(client, &hello, FB_LOCAL_REQUEST_BYTES);
    ssize_t size = -1;
    for (uint32_t i = 0; i < 1000 && size < 0; i++) {
        rounds(1);
        size = recvmsg(client->socket, &message, MSG_DONTWAIT);
    }
    struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header == NULL) {
        close(client->socket);
        return false;
    }
    memcpy(client->files, CMSG_DATA(header), sizeof(client->files));
    client->shared_bytes = FB_RING_BYTES + reply.index;
    client->ring =
        mmap(NULL, client->shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, client->files[1], 0);
    check(client->ring != MAP_FAILED, "ring");
    client->arena = (unsigned char *)client->ring + FB_RING_BYTES;
    return true;
}

static inline void client_close(struct client *client)
{
    munmap(client->ring, client->shared_bytes);
    close(client->socket);
    for (uint32_t i = 0; i < FB_LOCAL_FILES; i++)
        close(client->files[i]);
}

/* The daemon of this input, and whether its state is whole after it. */
static inline void input_begin(const char *members)
{
    static bool has_begun;
    if (daemon_.loop != NULL && daemon_.inputs++ < DAEMON_INPUTS)
        return;
    daemon_close();
    daemon_open(members);
    if (!has_begun)
        has_begun = atexit(daemon_close) == 0;
}

static inline void input_end(void)
{
    uint64_t until_ns = fb_clock_ns() + 50000000;
    rounds(4);
    while (daemon_.loop->local.session_count > 0 && fb_clock_ns() < until_ns)
        rounds(1);
    fb_node_check(daemon_.loop->feed.node);
}

/* Numbers that are often at a limit. */
static inline uint64_t number_draw(struct fuzz_input *input)
{
    static const uint64_t few[] = {
        0, 1, 2, UINT64_MAX, UINT32_MAX, UINT64_C(1) << 63, BLOCK_BYTES, BLOCK_BYTES + 1};
    uint32_t draw = fuzz_below(input, 12);
    return draw < 8 ? few[draw] : fuzz_number(input, draw < 10 ? 2 : 8);
}

#endif
