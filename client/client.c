/* libforebay's connection, and what is asked over the socket: names. See forebay.h for what it does
 * and local_protocol.h for how. */
#include "client/client_internal.h"
#include "client/protocol/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Blocks in flight are so many that they hold about this much of the cache. */
static const uint64_t window_bytes = UINT64_C(64) << 20;
#define GREETING_PATIENCE_NS UINT64_C(60000000000)

enum { WINDOW_BLOCKS_MIN = 2, ERRNO_MAX = 4095 };
static_assert((int)WINDOW_BLOCKS_MIN <= (int)CLIENT_SLOTS, "each block in flight has a slot");
static_assert((int)FB_TOKEN_MAX <= (int)FB_OBJECT_NAME_MAX, "a token is sent as a name");
static_assert((int)FB_STATUS_COUNT == 17, "each status has an errno below");

int client_status_code(uint32_t status)
{
    static const int codes[FB_STATUS_COUNT] = {
        [FB_BUSY] = -EBUSY,
        [FB_ABSENT] = -ENOENT,
        [FB_TIMEOUT] = -ETIMEDOUT,
        [FB_IO] = -EIO,
        [FB_CORRUPT] = -EBADMSG,
        [FB_GONE] = -EHOSTDOWN,
        [FB_THROTTLED] = -ETIMEDOUT,
        [FB_INVALID] = -EINVAL,
        [FB_FULL] = -ENOSPC,
        [FB_CONFLICT] = -ESTALE,
        [FB_DENIED] = -EACCES,
        [FB_READ_ONLY] = -EROFS,
        [FB_REFUSED] = -EIO,
        [FB_TOO_LARGE] = -EFBIG,
        [FB_LOST] = -EIO,
        [FB_DEGRADED] = -ENETDOWN,
    };
    if (status == FB_OK)
        return 0;
    return status < FB_STATUS_COUNT && codes[status] != 0 ? codes[status] : -EPROTO;
}

/* A page that the kernel gives a forked process as zeros: no call is needed to know. */
static int mark_make(struct forebay_client *client)
{
    void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -errno;
    client->mark = page;
    *client->mark = 1;
    return madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) == 0 ? 0 : -errno;
}

bool client_is_ours(const struct forebay_client *client)
{
    FB_ASSERT(client->mark != NULL);
    return *client->mark == 1;
}

/* Not one of the first three: where a program has closed them, what it prints would be sent. */
static int socket_make(void)
{
    int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (made < 0 || made > STDERR_FILENO)
        return made;
    int moved = fcntl(made, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), code = errno;
    close(made);
    errno = code;
    return moved;
}

static int request_send(struct forebay_client *client, struct fb_local_request *request,
                        const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;
    if (!client_is_ours(client))
        return -ECHILD;
    if (length > FB_OBJECT_NAME_MAX)
        return -ENAMETOOLONG;
    FB_ASSERT(request->cursor_length <= FB_LOCAL_CURSOR_MAX); /* text has room for both */
    request->version = client->version > 0 ? client->version : FB_LOCAL_VERSION_MIN;
    request->id = client->next_id++;
    request->name_length = (uint32_t)length;
    /* A cursor stands where the name will, behind it. */
    memmove(request->text + length, request->text, request->cursor_length);
    memcpy(request->text, name != NULL ? name : "", length);
    struct iovec part = {.iov_base = request,
                         .iov_len = FB_LOCAL_REQUEST_BYTES + length + request->cursor_length};
    const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;
    do {
        sent = sendmsg(client->socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EPIPE ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
    return 0;
}

/* Receives one reply; files: where descriptors that come with it go; NULL: none do. */
static int reply_receive(struct forebay_client *client, struct fb_local_reply *reply,
                         int files[FB_LOCAL_FILES])
{
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int) * FB_LOCAL_FILES)];
    struct iovec parts[2] = {{.iov_base = reply, .iov_len = sizeof(*reply)},
                             {.iov_base = client->page, .iov_len = sizeof(client->page)}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (files != NULL) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
    }
    ssize_t size;
    do {
        size = recvmsg(client->socket, &message, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN)
        return -ETIMEDOUT; /* patience */
    if (size <= 0)
        return size == 0 ? -ECONNRESET : -errno;
    struct cmsghdr *header = files != NULL ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int) * FB_LOCAL_FILES))
        memcpy(files, CMSG_DATA(header), sizeof(int) * FB_LOCAL_FILES);
    bool is_sane = (size_t)size >= sizeof(*reply) && reply->version >= FB_LOCAL_VERSION_MIN &&
                   reply->version <= FB_LOCAL_VERSION &&
                   (size_t)size == sizeof(*reply) + reply->page_size;
    return is_sane ? 0 : -EPROTO;
}

/* One request, one reply; nothing else is in flight over the socket. */
int client_call(struct forebay_client *client, struct fb_local_request *request, const char *name,
                struct fb_local_reply *reply)
{
    int code = request_send(client, request, name);
    if (code == 0)
        code = reply_receive(client, reply, NULL);
    if (code == 0 && reply->id != request->id)
        code = -EPROTO;
    bool is_told =
        code == 0 && reply->status == FB_REFUSED && reply->index > 0 && reply->index <= ERRNO_MAX;
    if (is_told)
        return -(int)reply->index;
    return code == 0 ? client_status_code(reply->status) : code;
}

/* Maps what the daemon's greeting brought. */
static int memory_map(struct forebay_client *client, const struct fb_local_reply *reply,
                      const int files[FB_LOCAL_FILES])
{
    int protection = PROT_READ | PROT_WRITE;
    FB_ASSERT(client->memory == NULL);
    FB_ASSERT(client->ring == NULL);
    void *memory = mmap(NULL, reply->size, PROT_READ, MAP_SHARED, files[0], 0);
    if (memory == MAP_FAILED)
        return -errno;
    client->memory = memory;
    client->memory_size = reply->size;
    void *shared = mmap(NULL, FB_RING_BYTES + reply->index, protection, MAP_SHARED, files[1], 0);
    if (shared == MAP_FAILED)
        return -errno;
    client->ring = shared;
    client->arena = (unsigned char *)shared + FB_RING_BYTES;
    client->arena_size = reply->index;
    client->block_size = reply->block_size;
    client->node = reply->source;
    client->version = reply->version;
    client->valid_ns = reply->version_of_object;
    client->is_keeping = reply->state == 1;
    client->can_move = reply->level == 1;
    return 0;
}

static _Thread_local uint64_t owed_bytes;

uint64_t client_stopping_owed_bytes(void)
{
    return owed_bytes;
}

static int greet(struct forebay_client *client)
{
    struct fb_local_request request = {.kind = FB_LOCAL_HELLO, .speaks = FB_LOCAL_VERSION};
    struct fb_local_reply reply = {.status = FB_IO};
    int files[FB_LOCAL_FILES] = {-1, -1, -1};
    char token[FB_TOKEN_MAX + 1] = "";
    const char *token_path = getenv("FOREBAY_TOKEN_FILE");
    int length = token_path != NULL ? fb_token_read(token_path, token) : 0;
    int code = length < 0 ? length : request_send(client, &request, token);
    if (code == 0)
        code = reply_receive(client, &reply, files);
    if (code == 0 && reply.status == FB_GONE)
        code = -ESHUTDOWN;
    owed_bytes = code == -ESHUTDOWN ? reply.size : 0;
    if (code == 0)
        code = client_status_code(reply.status); /* BUSY: too many clients; DENIED: the token */
    if (code == 0 && (files[0] < 0 || reply.block_size == 0))
        code = -EPROTO;
    if (code == 0)
        code = memory_map(client, &reply, files);
    for (uint32_t i = 0; i < 2; i++) {
        if (files[i] >= 0)
            close(files[i]);
    }
    client->doorbell = files[2];
    return code;
}

const char *client_socket_path(const char *given)
{
    const char *set = getenv("FOREBAY_SOCKET");
    return given != NULL ? given : set != NULL ? set : "/run/forebay/forebay.sock";
}

int forebay_client_open(const char *socket_path, struct forebay_client **client)
{
    return client_open_within(socket_path, GREETING_PATIENCE_NS, client);
}

int client_open_within(const char *socket_path, uint64_t patience_ns,
                       struct forebay_client **client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = client_socket_path(socket_path);
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct forebay_client *opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return -ENOMEM;
    client_ring_init(opened);
    opened->doorbell = -1;
    opened->socket = socket_make();
    int code = opened->socket < 0 ? -errno : mark_make(opened);
    if (code == 0) /* a daemon that is stopped takes the connection, and never answers */
        client_patience_set(opened, patience_ns);
    if (code == 0 && connect(opened->socket, (struct sockaddr *)&address, sizeof(address)) != 0)
        code = -errno;
    if (code == 0)
        code = greet(opened);
    if (code != 0) {
        forebay_client_close(opened);
        return code == -EAGAIN ? -ETIMEDOUT : code;
    }
    FB_ASSERT(opened->block_size > 0); /* greet refuses another */
    client_patience_set(opened, 0);
    uint64_t blocks = window_bytes / opened->block_size;
    opened->window = blocks < WINDOW_BLOCKS_MIN ? WINDOW_BLOCKS_MIN
                     : blocks > CLIENT_SLOTS    ? CLIENT_SLOTS
                                                : (uint32_t)blocks;
    FB_ASSERT(opened->window >= WINDOW_BLOCKS_MIN);
    FB_ASSERT(opened->window <= CLIENT_SLOTS);
    *client = opened;
    return 0;
}

void client_patience_set(struct forebay_client *client, uint64_t patience_ns)
{
    const struct timeval patience = {.tv_sec = (time_t)(patience_ns / 1000000000),
                                     .tv_usec = (suseconds_t)(patience_ns % 1000000000 / 1000)};
    client->patience_ns = patience_ns;
    (void)setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(client->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

void forebay_client_close(struct forebay_client *client)
{
    if (client == NULL)
        return;
    if (client->memory != NULL)
        munmap((void *)(uintptr_t)client->memory, client->memory_size);
    if (client->ring != NULL)
        munmap(client->ring, FB_RING_BYTES + client->arena_size);
    if (client->socket >= 0)
        close(client->socket);
    if (client->doorbell >= 0)
        close(client->doorbell);
    if (client->mark != NULL)
        munmap(client->mark, (size_t)sysconf(_SC_PAGESIZE));
    free(client);
}

int forebay_client_stat(struct forebay_client *client, const char *name,
                        struct forebay_facts *facts)
{
    struct fb_local_request request = {.kind = FB_LOCAL_STAT};
    struct fb_local_reply reply;
    int code = client_call(client, &request, name, &reply);
    if (code != 0)
        return code;
    *facts = (struct forebay_facts){.size_bytes = reply.size,
                                    .version = reply.version_of_object,
                                    .block_size_bytes = reply.block_size,
                                    .is_at_origin = reply.state == 0,
                                    .level = (enum forebay_level)reply.level};
    return 0;
}

int forebay_client_remove(struct forebay_client *client, const char *name)
{
    struct fb_local_request request = {.kind = FB_LOCAL_REMOVE};
    struct fb_local_reply reply;
    return client_call(client, &request, name, &reply);
}

int client_status(struct forebay_client *client, bool asks_members, char **text)
{
    struct fb_local_request request = {.kind = FB_LOCAL_STATUS, .index = asks_members};
    struct fb_local_reply reply;
    int code = client_call(client, &request, NULL, &reply);
    if (code != 0)
        return code;
    *text = calloc(1, reply.page_size + 1);
    if (*text == NULL)
        return -ENOMEM;
    memcpy(*text, client->page, reply.page_size);
    return 0;
}

int forebay_client_status(struct forebay_client *client, char **text)
{
    return client_status(client, false, text);
}

int forebay_file_open(struct forebay_client *client, const char *name, struct forebay_file **file)
{
    struct fb_local_request request = {.kind = FB_LOCAL_OPEN};
    struct fb_local_reply reply;
    int code = client_call(client, &request, name, &reply);
    if (code != 0)
        return code;
    struct forebay_file *opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return -ENOMEM;
    *opened = (struct forebay_file){.client = client,
                                    .handle = reply.object,
                                    .size = reply.size,
                                    .version = reply.version_of_object};
    *file = opened;
    return 0;
}

void forebay_file_close(struct forebay_file *file)
{
    if (file == NULL)
        return;
    struct fb_local_request request = {.kind = FB_LOCAL_CLOSE, .object = file->handle};
    if (file->writer != NULL)
        client_writer_free(file->writer);
    (void)request_send(file->client, &request, NULL); /* a daemon that went has closed it, too */
    free(file);
}

uint64_t forebay_file_size_bytes(const struct forebay_file *file)
{
    return file->size;
}

const char *forebay_source_name(uint32_t source)
{
    static const char *const names[FB_REASON_COUNT] = FB_REASON_NAMES;
    return source < FB_REASON_COUNT ? names[source] : "?";
}

uint64_t forebay_file_source_blocks(const struct forebay_file *file, uint32_t source)
{
    return source < FB_REASON_COUNT ? file->blocks[source] : 0;
}
