/* The way in for clients of this machine: the socket in the file system, and those who have
 * connected and not greeted yet.
 *
 *     accept --> GUEST --HELLO with the token--> a session (local.c)
 *                  '--anything else, GREETING_NS without it, pushed out by others--> gone
 *                  '--HELLO without it (DENIED), or without room (BUSY, GONE), is answered--> gone
 *
 *  1. A guest costs its place here and no more: ring and arena come with the session.
 *  2. There are few places. The last one taken makes the oldest guest of the user that has most of
 *     them leave, so whoever greets at once, as clients do, is let in under any flood.
 *  3. A descriptor that a client sends is closed by another thread: closing may wait, as with a
 *     socket that lingers, and the loop must not. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"
#include "hw/base/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const uint64_t greeting_ns = 5000000000;

void local_inbox_receive(struct fb_uring *uring, struct fb_io *io, int socket,
                         struct local_inbox *inbox)
{
    inbox->part = (struct iovec){.iov_base = &inbox->packet, .iov_len = sizeof(inbox->packet)};
    inbox->message = (struct msghdr){.msg_iov = &inbox->part,
                                     .msg_iovlen = 1,
                                     .msg_control = inbox->control,
                                     .msg_controllen = sizeof(inbox->control)};
    fb_uring_receive_parts(uring, io, socket, &inbox->message, MSG_TRUNC | MSG_CMSG_CLOEXEC);
}

/* Closes what came along; false: something did. */
static bool inbox_is_clean(struct fb_uring *uring, struct local_inbox *inbox)
{
    bool is_clean = true;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&inbox->message); header != NULL;
         header = CMSG_NXTHDR(&inbox->message, header)) {
        is_clean = false;
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int file;
            memcpy(&file, CMSG_DATA(header) + i * sizeof(file), sizeof(file));
            fb_uring_close_apart(uring, file);
        }
    }
    return is_clean;
}

const char *local_inbox_fault(struct fb_uring *uring, struct local_inbox *inbox, uint32_t size)
{
    const struct fb_local_request *from = &inbox->packet;
    if (!inbox_is_clean(uring, inbox))
        return "a client sends descriptors";
    if (size < FB_LOCAL_REQUEST_BYTES ||
        size != FB_LOCAL_REQUEST_BYTES + (uint64_t)from->name_length + from->cursor_length)
        return "a packet has the wrong size";
    if (from->version < FB_LOCAL_VERSION_MIN || from->version > FB_LOCAL_VERSION)
        return "the client speaks no version of the protocol that this daemon does: it is too old, "
               "or the daemon";
    return NULL;
}

/* Takes as long whatever is wrong with it. */
static bool token_is_right(const struct fb_local *local, const struct fb_local_request *from)
{
    if (local->token_length == 0)
        return true;
    return from->name_length == local->token_length &&
           CRYPTO_memcmp(from->text, local->token, local->token_length) == 0;
}

static void refused_log(struct fb_local *local, const char *reason)
{
    uint64_t held;
    local->refused++;
    if (fb_log_may(&local->refused_pace, fb_clock_ns(), &held))
        fb_log(FB_LOG_WARNING, "client_refused", "reason=\"%s\" not_logged=%llu", reason,
               (unsigned long long)held);
}

/* The place is free; accepting goes on. */
static void guest_free(struct local_guest *guest)
{
    struct fb_local *local = guest->local;
    uint32_t index = (uint32_t)(guest - local->guests);
    FB_ASSERT(guest->socket >= 0 && local->guest_count > 0);
    guest->socket = -1;
    guest->is_leaving = false;
    local->strangers[index].is_here = false;
    local->guest_count--;
    if (!local->accept.is_pending)
        fb_uring_accept(local->context.uring, &local->accept, local->listener);
}

/* Ends what is pending, which then frees the place. */
static void guest_leave(struct local_guest *guest)
{
    struct fb_local *local = guest->local;
    FB_ASSERT(guest->socket >= 0);
    guest->is_leaving = true;
    local->strangers[guest - local->guests].is_here = false; /* nobody leaves twice */
    (void)shutdown(guest->socket, SHUT_RDWR);
}

enum { REASON_MAX = 96 };

/* Is there room for a session? If not, reason says why. */
static bool has_room(const struct fb_local *local, const struct local_guest *guest,
                     char reason[REASON_MAX])
{
    struct fb_share share = {.total = local->context.sessions_max, .used = local->session_count};
    for (uint32_t i = 0; i < local->session_count; i++) {
        const struct local_session *session = &local->sessions[local->active[i]];
        share.used_by_owner += session->user == guest->user;
        share.used_by_one += session->user == guest->user && session->process == guest->process;
    }
    if (guest->local->context.standing->is_draining)
        snprintf(reason, REASON_MAX, "the daemon is stopping");
    else if (share.used == share.total)
        snprintf(reason, REASON_MAX, "%u clients, and %s has room for %u", local->session_count,
                 local->context.bound, local->context.sessions_max);
    else
        snprintf(reason, REASON_MAX, "process %u or user %u has most of the clients there can be",
                 guest->process, guest->user);
    return !guest->local->context.standing->is_draining && fb_share_has_room(&share, 1);
}

/* Tells the client why, before its connection ends. */
static void guest_refuse(struct local_guest *guest, enum fb_status status, const char *reason)
{
    const struct fb_local *local = guest->local;
    const struct fb_local_reply reply = {.version = guest->inbox.packet.version,
                                         .kind = FB_LOCAL_HELLO,
                                         .id = guest->inbox.packet.id,
                                         .status = status,
                                         .size =
                                             fb_node_undrained_bytes(local->context.feed->node)};
    refused_log(guest->local, reason);
    (void)send(guest->socket, &reply, sizeof(reply), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void receive_done(struct fb_io *io, int32_t result)
{
    struct local_guest *guest = FB_CONTAINER(io, struct local_guest, receive);
    struct fb_local *local = guest->local;
    const struct fb_local_request *from = &guest->inbox.packet;
    if (result == -ECANCELED)
        return;
    const char *fault =
        result > 0 ? local_inbox_fault(local->context.uring, &guest->inbox, (uint32_t)result)
                   : NULL;
    bool is_over = result <= 0 || guest->is_leaving;
    if (!is_over && fault == NULL && from->kind != FB_LOCAL_HELLO)
        fault = "a client does not begin with a greeting";
    if (!is_over && fault != NULL)
        refused_log(local, fault);
    bool is_greeting = !is_over && fault == NULL;
    bool is_known = is_greeting && token_is_right(local, from);
    char reason[REASON_MAX] = "out of memory";
    bool is_in = is_known && has_room(local, guest, reason) && local_session_open(guest);
    if (is_greeting && !is_known)
        guest_refuse(guest, FB_DENIED,
                     "the client shows no token, or another than that in client.token");
    else if (is_greeting && !is_in)
        guest_refuse(guest, local->context.standing->is_draining ? FB_GONE : FB_BUSY, reason);
    if (!is_in)
        fb_uring_close_apart(local->context.uring, guest->socket);
    guest_free(guest);
}

static void guest_come(struct fb_local *local, int socket)
{
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t size = sizeof(peer);
    uint32_t index = 0;
    FB_ASSERT(local->guest_count < FB_LOCAL_GUESTS_MAX);
    while (local->guests[index].socket >= 0)
        index++;
    FB_ASSERT(index < FB_LOCAL_GUESTS_MAX);
    (void)getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    struct local_guest *guest = &local->guests[index];
    guest->local = local;
    guest->socket = socket;
    guest->user = peer.uid;
    guest->process = (uint32_t)peer.pid;
    local->strangers[index] =
        (struct fb_stranger){.source = peer.uid, .since_ns = fb_clock_ns(), .is_here = true};
    local->guest_count++;
    fb_io_init(&guest->receive, receive_done);
    local_inbox_receive(local->context.uring, &guest->receive, socket, &guest->inbox);
}

/* Accepts while there is a place; else makes one. */
static void accept_again(struct fb_local *local)
{
    if (local->guest_count == FB_LOCAL_GUESTS_MAX) {
        uint32_t leaving =
            fb_stranger_to_leave(local->strangers, FB_LOCAL_GUESTS_MAX, fb_clock_ns());
        local->guests_pushed += leaving != FB_NONE;
        if (leaving != FB_NONE)
            guest_leave(&local->guests[leaving]);
        else
            local->context.sweep_soon(local);
    } else if (!local->accept.is_pending) {
        fb_uring_accept(local->context.uring, &local->accept, local->listener);
    }
}

static void accept_done(struct fb_io *io, int32_t result)
{
    struct fb_local *local = FB_CONTAINER(io, struct fb_local, accept);
    if (result == -ECANCELED)
        return;
    if (result < 0) {
        refused_log(local, strerror(-result));
        return; /* the next sweep listens again */
    }
    guest_come(local, result);
    accept_again(local);
}

/* A socket that nobody listens on is what a daemon left that was killed. */
static bool socket_is_stale(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_stale = probe >= 0 &&
                    connect(probe, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                    errno == ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    return is_stale;
}

/* Binds where nothing is, or a socket that nobody listens on. Anything else stays. */
static int listener_bind(struct fb_local *local, const struct sockaddr_un *address)
{
    enum { BACKLOG = 128, GROUP_MODE = 0660 };
    struct stat facts;
    struct fb_patience patience = {.naps = 0};
    const char *path = address->sun_path;
    while (lstat(path, &facts) == 0) {
        if (!S_ISSOCK(facts.st_mode))
            return -EEXIST;
        if (socket_is_stale(address))
            unlink(path);
        else if (!fb_patience_nap(&patience))
            return -EADDRINUSE;
    }
    local->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool is_bound = local->listener >= 0 &&
                    bind(local->listener, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (!is_bound || lstat(path, &facts) != 0)
        return -errno;
    local->is_bound = true;
    local->file_device = facts.st_dev;
    local->file_number = facts.st_ino;
    return chmod(path, GROUP_MODE) == 0 && listen(local->listener, BACKLOG) == 0 ? 0 : -errno;
}

static void address_make(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    FB_ASSERT(strlen(path) < sizeof(address->sun_path));
    memcpy(address->sun_path, path, strlen(path) + 1);
}

/* The folder that a socket is in, open. Errors: -errno. */
static int folder_open(const char *path)
{
    char folder[FB_SOCKET_PATH_MAX];
    memcpy(folder, path, strlen(path) + 1);
    int file = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return file < 0 ? -errno : file;
}

int local_door_try(const char *path)
{
    struct sockaddr_un address;
    struct stat facts;
    int folder = folder_open(path);
    if (folder < 0)
        return folder;
    int code = faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) != 0 ? -errno : 0;
    close(folder);
    address_make(&address, path);
    if (code != 0 || lstat(path, &facts) != 0)
        return code;
    return !S_ISSOCK(facts.st_mode) ? -EEXIST : socket_is_stale(&address) ? 0 : -EADDRINUSE;
}

int local_door_open(struct fb_local *local)
{
    const char *path = local->context.settings->socket_path;
    struct sockaddr_un address;
    for (uint32_t i = 0; i < FB_LOCAL_GUESTS_MAX; i++)
        local->guests[i].socket = -1;
    address_make(&address, path);
    /* One daemon at a time looks and binds here: else two that start together could each take the
     * other's new socket for a stale one. */
    int lock = folder_open(path);
    if (lock < 0)
        return lock;
    (void)flock(lock, LOCK_EX);
    int code = listener_bind(local, &address);
    close(lock);
    if (code != 0)
        return code;
    fb_io_init(&local->accept, accept_done);
    fb_uring_accept(local->context.uring, &local->accept, local->listener);
    return 0;
}

void local_door_close(struct fb_local *local, const char *path)
{
    struct stat facts;
    for (uint32_t i = 0; local->guests != NULL && i < FB_LOCAL_GUESTS_MAX; i++) {
        if (local->guests[i].socket >= 0)
            close(local->guests[i].socket);
    }
    if (local->listener >= 0)
        close(local->listener);
    bool is_own = local->is_bound && lstat(path, &facts) == 0 &&
                  facts.st_dev == local->file_device && facts.st_ino == local->file_number;
    if (is_own)
        unlink(path);
}

void local_door_sweep(struct fb_local *local)
{
    if (local->listener < 0)
        return;
    for (uint32_t i = 0; i < FB_LOCAL_GUESTS_MAX; i++) {
        bool is_late = local->strangers[i].is_here &&
                       fb_clock_ns() - local->strangers[i].since_ns > greeting_ns;
        if (!is_late)
            continue;
        refused_log(local, "no greeting in time");
        guest_leave(&local->guests[i]);
    }
    accept_again(local);
}
