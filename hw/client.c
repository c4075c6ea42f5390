/* libforebay; see forebay.h for what it does and local_protocol.h for how.
 *
 * A read keeps several GETs in flight. A reply names a place in the cache memory, which this
 * process has mapped for reading: the bytes are copied from there and the lease goes back. The
 * daemon's answer BUSY is tried again after a pause. */
#include "hw/forebay.h"

#include "core/stats.h"
#include "hw/local_protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW_BLOCKS = 8, BUSY_TRIES_MAX = 200, BUSY_PAUSE_FIRST_US = 200, BUSY_DOUBLINGS_MAX = 9 };

static_assert((int)FOREBAY_SOURCES == (int)FB_REASON_COUNT, "every reason has a count");

struct forebay_client {
    int socket;
    uint64_t next_id;
    const unsigned char *memory; /* the daemon's cache */
    uint64_t memory_size;
    uint64_t block_size;
    unsigned char page[FB_LOCAL_PAGE_BYTES]; /* of the last reply */
};

struct forebay_file {
    struct forebay_client *client;
    uint64_t handle;
    uint64_t size;
    uint64_t blocks[FB_REASON_COUNT];
};

static int status_code(uint32_t status)
{
    static const int codes[FB_STATUS_COUNT] = {
        [FB_BUSY] = -EBUSY,      [FB_ABSENT] = -ENOENT,   [FB_TIMEOUT] = -ETIMEDOUT,
        [FB_IO] = -EIO,          [FB_CORRUPT] = -EBADMSG, [FB_GONE] = -EHOSTDOWN,
        [FB_THROTTLED] = -EBUSY, [FB_INVALID] = -EINVAL,  [FB_FULL] = -ENOSPC,
        [FB_CONFLICT] = -ESTALE,
    };
    return status < FB_STATUS_COUNT ? codes[status] : -EPROTO;
}

static int request_send(struct forebay_client *client, struct fb_local_request *request,
                        const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;
    if (length > FB_OBJECT_NAME_MAX)
        return -EINVAL;
    request->version = FB_LOCAL_VERSION;
    request->id = client->next_id++;
    request->name_length = (uint32_t)length;
    struct iovec parts[2] = {{.iov_base = request, .iov_len = FB_LOCAL_REQUEST_BYTES},
                             {.iov_base = (void *)(uintptr_t)name, .iov_len = length}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1};
    ssize_t sent;
    do {
        sent = sendmsg(client->socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? (errno == EPIPE ? -ECONNRESET : -errno) : 0;
}

/* Receives one reply; file: where a descriptor that comes with it goes; NULL: none does. */
static int reply_receive(struct forebay_client *client, struct fb_local_reply *reply, int *file)
{
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))];
    struct iovec parts[2] = {{.iov_base = reply, .iov_len = sizeof(*reply)},
                             {.iov_base = client->page, .iov_len = sizeof(client->page)}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (file != NULL) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
    }
    ssize_t size;
    do {
        size = recvmsg(client->socket, &message, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0)
        return -errno;
    if (size == 0)
        return -ECONNRESET;
    struct cmsghdr *header = file != NULL ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(file, CMSG_DATA(header), sizeof(*file));
    bool is_sane = (size_t)size >= sizeof(*reply) && reply->version == FB_LOCAL_VERSION &&
                   (size_t)size == sizeof(*reply) + reply->page_size;
    return is_sane ? 0 : -EPROTO;
}

/* One request, one reply; nothing else is in flight. */
static int call(struct forebay_client *client, struct fb_local_request *request, const char *name,
                struct fb_local_reply *reply)
{
    int code = request_send(client, request, name);
    if (code == 0)
        code = reply_receive(client, reply, NULL);
    if (code == 0 && reply->id != request->id)
        code = -EPROTO;
    return code == 0 ? status_code(reply->status) : code;
}

static int greet(struct forebay_client *client)
{
    struct fb_local_request request = {.kind = FB_LOCAL_HELLO};
    struct fb_local_reply reply;
    int file = -1;
    int code = request_send(client, &request, NULL);
    if (code == 0)
        code = reply_receive(client, &reply, &file);
    if (code == 0 && (file < 0 || reply.status != FB_OK))
        code = -EPROTO;
    void *memory = MAP_FAILED;
    if (code == 0)
        memory = mmap(NULL, reply.size, PROT_READ, MAP_SHARED, file, 0);
    if (code == 0 && memory == MAP_FAILED)
        code = -errno;
    if (file >= 0)
        close(file);
    if (code != 0)
        return code;
    client->memory = memory;
    client->memory_size = reply.size;
    client->block_size = reply.block_size;
    return 0;
}

int forebay_client_open(const char *socket_path, struct forebay_client **client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *given = socket_path != NULL ? socket_path : getenv("FOREBAY_SOCKET");
    const char *path = given != NULL ? given : "/run/forebay/forebay.sock";
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct forebay_client *opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return -ENOMEM;
    opened->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int code = opened->socket < 0 ? -errno : 0;
    if (code == 0 && connect(opened->socket, (struct sockaddr *)&address, sizeof(address)) != 0)
        code = -errno;
    if (code == 0)
        code = greet(opened);
    if (code != 0) {
        forebay_client_close(opened);
        return code;
    }
    *client = opened;
    return 0;
}

void forebay_client_close(struct forebay_client *client)
{
    if (client == NULL)
        return;
    if (client->memory != NULL)
        munmap((void *)(uintptr_t)client->memory, client->memory_size);
    if (client->socket >= 0)
        close(client->socket);
    free(client);
}

int forebay_client_stat(struct forebay_client *client, const char *name,
                        struct forebay_facts *facts)
{
    struct fb_local_request request = {.kind = FB_LOCAL_STAT};
    struct fb_local_reply reply;
    int code = call(client, &request, name, &reply);
    if (code != 0)
        return code;
    *facts = (struct forebay_facts){.size_bytes = reply.size,
                                    .version = reply.version_of_object,
                                    .block_size_bytes = reply.block_size};
    return 0;
}

int forebay_client_status(struct forebay_client *client, char **text)
{
    struct fb_local_request request = {.kind = FB_LOCAL_STATUS};
    struct fb_local_reply reply;
    int code = call(client, &request, NULL, &reply);
    if (code != 0)
        return code;
    *text = calloc(1, reply.page_size + 1);
    if (*text == NULL)
        return -ENOMEM;
    memcpy(*text, client->page, reply.page_size);
    return 0;
}

int forebay_file_open(struct forebay_client *client, const char *name, struct forebay_file **file)
{
    struct fb_local_request request = {.kind = FB_LOCAL_OPEN};
    struct fb_local_reply reply;
    int code = call(client, &request, name, &reply);
    if (code != 0)
        return code;
    struct forebay_file *opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return -ENOMEM;
    *opened = (struct forebay_file){.client = client, .handle = reply.object, .size = reply.size};
    *file = opened;
    return 0;
}

void forebay_file_close(struct forebay_file *file)
{
    if (file == NULL)
        return;
    struct fb_local_request request = {.kind = FB_LOCAL_CLOSE, .object = file->handle};
    (void)request_send(file->client, &request, NULL); /* a daemon that went has closed it, too */
    free(file);
}

uint64_t forebay_file_size_bytes(const struct forebay_file *file)
{
    return file->size;
}

const char *forebay_source_name(uint32_t source)
{
    return source < FB_REASON_COUNT ? fb_reason_name((enum fb_reason)source) : "?";
}

uint64_t forebay_file_source_blocks(const struct forebay_file *file, uint32_t source)
{
    return source < FB_REASON_COUNT ? file->blocks[source] : 0;
}

/* A read in progress: blocks first..end-1, several in flight. */
struct reading {
    struct forebay_file *file;
    unsigned char *bytes;
    uint64_t offset, size; /* of the whole read */
    uint64_t next, end;    /* blocks */
    uint64_t ids[WINDOW_BLOCKS];
    uint64_t blocks[WINDOW_BLOCKS];
    bool is_used[WINDOW_BLOCKS];
    uint32_t in_flight;
    uint32_t busy_tries;
};

static int get_send(struct reading *reading, uint32_t slot, uint64_t block)
{
    struct fb_local_request request = {
        .kind = FB_LOCAL_GET, .object = reading->file->handle, .index = block};
    int code = request_send(reading->file->client, &request, NULL);
    if (code != 0)
        return code;
    reading->ids[slot] = request.id;
    reading->blocks[slot] = block;
    reading->is_used[slot] = true;
    reading->in_flight++;
    return 0;
}

/* Copies the part of a lent block that is asked for and gives it back. */
static int block_take(struct reading *reading, uint64_t block, const struct fb_local_reply *reply)
{
    struct forebay_client *client = reading->file->client;
    uint64_t at = block * client->block_size; /* in the object */
    uint64_t from = at > reading->offset ? at : reading->offset;
    uint64_t to = at + reply->size;
    if (to > reading->offset + reading->size)
        to = reading->offset + reading->size;
    bool is_sane = reply->offset <= client->memory_size &&
                   reply->size <= client->memory_size - reply->offset && from <= to;
    if (!is_sane)
        return -EPROTO;
    memcpy(reading->bytes + (from - reading->offset), client->memory + reply->offset + (from - at),
           to - from);
    if (reply->reason < FB_REASON_COUNT)
        reading->file->blocks[reply->reason]++;
    struct fb_local_request release = {.kind = FB_LOCAL_RELEASE, .lease = reply->lease};
    return request_send(client, &release, NULL);
}

/* Pauses before a block is asked for again that found the daemon busy. */
static int busy_pause(struct reading *reading)
{
    if (reading->busy_tries++ == BUSY_TRIES_MAX)
        return -EBUSY;
    uint32_t doublings =
        reading->busy_tries < BUSY_DOUBLINGS_MAX ? reading->busy_tries : BUSY_DOUBLINGS_MAX;
    const struct timespec pause = {.tv_nsec = (long)(BUSY_PAUSE_FIRST_US * 1000L << doublings)};
    nanosleep(&pause, NULL);
    return 0;
}

/* Receives one reply and handles it. */
static int reading_step(struct reading *reading)
{
    struct fb_local_reply reply;
    int code = reply_receive(reading->file->client, &reply, NULL);
    if (code != 0)
        return code;
    uint32_t slot = 0;
    while (slot < WINDOW_BLOCKS && !(reading->is_used[slot] && reading->ids[slot] == reply.id))
        slot++;
    if (slot == WINDOW_BLOCKS)
        return -EPROTO;
    reading->is_used[slot] = false;
    reading->in_flight--;
    code = status_code(reply.status);
    if (code == 0) {
        reading->busy_tries = 0;
        return block_take(reading, reading->blocks[slot], &reply);
    }
    if (code == -EBUSY)
        code = busy_pause(reading);
    return code == 0 ? get_send(reading, slot, reading->blocks[slot]) : code;
}

/* Takes the replies that are still to come, so that the connection can be used again. */
static void reading_abort(struct reading *reading)
{
    struct forebay_client *client = reading->file->client;
    struct fb_local_reply reply;
    while (reading->in_flight > 0 && reply_receive(client, &reply, NULL) == 0) {
        reading->in_flight--;
        struct fb_local_request release = {.kind = FB_LOCAL_RELEASE, .lease = reply.lease};
        if (reply.status == FB_OK)
            (void)request_send(client, &release, NULL);
    }
}

int64_t forebay_file_read(struct forebay_file *file, uint64_t offset, void *bytes, uint64_t size)
{
    if (offset >= file->size || size == 0)
        return 0;
    uint64_t left = file->size - offset, block_size = file->client->block_size;
    uint64_t wanted = size < left ? size : left;
    if (wanted > INT64_MAX)
        return -EINVAL;
    struct reading reading = {.file = file,
                              .bytes = bytes,
                              .offset = offset,
                              .size = wanted,
                              .next = offset / block_size,
                              .end = (offset + wanted - 1) / block_size + 1};
    int code = 0;
    while (code == 0 && (reading.next < reading.end || reading.in_flight > 0)) {
        for (uint32_t i = 0; i < WINDOW_BLOCKS && reading.next < reading.end && code == 0; i++) {
            if (!reading.is_used[i])
                code = get_send(&reading, i, reading.next++);
        }
        if (code == 0)
            code = reading_step(&reading);
    }
    if (code != 0) {
        reading_abort(&reading);
        return code;
    }
    return (int64_t)wanted;
}
