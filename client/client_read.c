/* Reads and KV calls over the ring.
 *
 * A read is cut into blocks, several of which are in flight. A reply names a place in the cache
 * memory, which this process has mapped for reading: the bytes are copied from there and the lease
 * goes back, or both are the caller's for a while. A block that finds the daemon busy is asked for
 * again after a pause.
 *
 *     forebay_read_start --> starting --all blocks asked for, all answered--> ended --> returned */
#include "client/client_internal.h"

#include <errno.h>
#include <string.h>

enum { BUSY_TRIES_MAX = 200, BUSY_DOUBLINGS_MAX = 9 };

static const uint64_t busy_pause_first_ns = 200000;

/* What the library keeps in forebay_read.internal. */
enum { READ_NEXT, READ_END, READ_PENDING, READ_ERROR, READ_SIZE, READ_IS_LISTED, READ_LEASE };

static void ended_append(struct forebay_client *client, struct forebay_read *read)
{
    read->next = NULL;
    if (client->ended_tail != NULL)
        client->ended_tail->next = read;
    else
        client->ended_head = read;
    client->ended_tail = read;
}

static bool read_is_asked(const struct forebay_read *read)
{
    return read->internal[READ_ERROR] != 0 || read->internal[READ_NEXT] == read->internal[READ_END];
}

static void read_settle(struct forebay_client *client, struct forebay_read *read)
{
    if (read->internal[READ_PENDING] > 0 || read->internal[READ_IS_LISTED])
        return;
    int64_t code = -(int64_t)read->internal[READ_ERROR];
    read->result = code != 0 ? code : (int64_t)read->internal[READ_SIZE];
    ended_append(client, read);
}

void forebay_read_start(struct forebay_read *read)
{
    struct forebay_file *file = read->file;
    struct forebay_client *client = file->client;
    uint64_t left = read->offset < file->size ? file->size - read->offset : 0;
    uint64_t size = read->size < left ? read->size : left;
    client->reads++;
    memset(read->internal, 0, sizeof(read->internal));
    read->internal[READ_SIZE] = size;
    read->lent = NULL;
    bool is_cut =
        size > 0 && read->bytes == NULL &&
        read->offset / client->block_size != (read->offset + size - 1) / client->block_size;
    if (size > INT64_MAX || is_cut)
        read->internal[READ_ERROR] = EINVAL;
    if (size == 0 || read->internal[READ_ERROR] != 0) {
        read_settle(client, read);
        return;
    }
    read->internal[READ_NEXT] = read->offset / client->block_size;
    read->internal[READ_END] = (read->offset + size - 1) / client->block_size + 1;
    read->internal[READ_IS_LISTED] = 1;
    read->next = NULL;
    if (client->starting_tail != NULL)
        client->starting_tail->next = read;
    else
        client->starting_head = read;
    client->starting_tail = read;
}

static void block_ask(struct forebay_client *client, uint32_t slot)
{
    const struct client_slot *record = &client->slots[slot];
    client_ring_put(client,
                    (struct fb_ring_request){.kind = FB_RING_GET,
                                             .object = record->read->file->handle,
                                             .index = record->block},
                    slot);
}

/* Asks again for the blocks that found the daemon busy, once the pause is over. */
static void again_ask(struct forebay_client *client)
{
    if (client->again_head == FB_NONE || client_clock_ns() < client->busy_until_ns)
        return;
    for (uint32_t slot = client->again_head; slot != FB_NONE;) {
        uint32_t next = client->slots[slot].next;
        block_ask(client, slot);
        slot = next;
    }
    client->again_head = FB_NONE;
    client->again_tail = FB_NONE;
}

/* The oldest read has nothing more to ask for. */
static void starting_pop(struct forebay_client *client)
{
    struct forebay_read *read = client->starting_head;
    client->starting_head = read->next;
    if (client->starting_head == NULL)
        client->starting_tail = NULL;
    read->internal[READ_IS_LISTED] = 0;
    read_settle(client, read);
}

/* Asks for blocks, oldest read first, while there is room in the window. */
static void blocks_ask(struct forebay_client *client)
{
    again_ask(client);
    while (client->starting_head != NULL && client->slots_used < client->window) {
        struct forebay_read *read = client->starting_head;
        if (!read_is_asked(read)) {
            uint32_t slot = client_slot_take(client);
            FB_ASSERT(slot != FB_NONE); /* the window is no wider than there are slots */
            client->slots[slot].read = read;
            client->slots[slot].block = read->internal[READ_NEXT]++;
            read->internal[READ_PENDING]++;
            block_ask(client, slot);
        }
        if (read_is_asked(read))
            starting_pop(client);
    }
}

/* Copies the part of a lent block that is asked for, or lends it on. */
static int block_take(struct forebay_client *client, struct forebay_read *read, uint64_t block,
                      const struct fb_ring_reply *reply)
{
    uint64_t at = block * client->block_size; /* in the object */
    uint64_t from = at > read->offset ? at : read->offset;
    uint64_t to = at + reply->size, end = read->offset + read->internal[READ_SIZE];
    to = to < end ? to : end;
    bool is_sane = reply->offset <= client->memory_size &&
                   reply->size <= client->memory_size - reply->offset && from <= to;
    if (!is_sane)
        return -EPROTO;
    const unsigned char *bytes = client->memory + reply->offset + (from - at);
    if (read->bytes == NULL) {
        read->lent = bytes;
        read->internal[READ_LEASE] = reply->lease;
    } else {
        memcpy((unsigned char *)read->bytes + (from - read->offset), bytes, to - from);
    }
    return 0;
}

void forebay_read_return(struct forebay_read *read)
{
    if (read->lent != NULL)
        client_release(read->file->client, read->internal[READ_LEASE]);
    read->lent = NULL;
}

/* Puts a block aside that found the daemon busy; false: that was once too often. */
static bool block_put_off(struct forebay_client *client, uint32_t slot)
{
    if (client->again_head == FB_NONE) {
        if (client->busy_tries++ == BUSY_TRIES_MAX)
            return false;
        uint32_t doublings =
            client->busy_tries < BUSY_DOUBLINGS_MAX ? client->busy_tries : BUSY_DOUBLINGS_MAX;
        client->busy_until_ns = client_clock_ns() + (busy_pause_first_ns << doublings);
        client->again_head = slot;
    } else {
        FB_ASSERT(client->again_tail < CLIENT_SLOTS);
        client->slots[client->again_tail].next = slot;
    }
    client->again_tail = slot;
    client->slots[slot].next = FB_NONE;
    return true;
}

static void block_handle(struct forebay_client *client, uint32_t slot,
                         const struct fb_ring_reply *reply)
{
    struct client_slot record = client->slots[slot];
    struct forebay_read *read = record.read;
    int code = client_status_code(reply->status);
    if (code == -EBUSY && block_put_off(client, slot))
        return;
    if (code == 0) {
        client->busy_tries = 0;
        code = block_take(client, read, record.block, reply);
        if (read->lent == NULL)
            client_release(client, reply->lease);
    }
    if (code == 0 && reply->reason < FB_REASON_COUNT)
        read->file->blocks[reply->reason]++;
    if (code != 0 && read->internal[READ_ERROR] == 0)
        read->internal[READ_ERROR] = (uint64_t)-code;
    client_slot_free(client, slot);
    read->internal[READ_PENDING]--;
    read_settle(client, read);
}

void client_reply_handle(struct forebay_client *client, uint32_t slot,
                         const struct fb_ring_reply *reply)
{
    struct client_slot *record = &client->slots[slot];
    FB_ASSERT(slot < CLIENT_SLOTS);
    FB_ASSERT(record->is_used);
    if (record->read != NULL) {
        block_handle(client, slot, reply);
        return;
    }
    if (record->writer != NULL) {
        client_written(client, slot, reply);
        return;
    }
    if (!record->is_call) { /* of a file that was closed meanwhile */
        client_slot_free(client, slot);
        return;
    }
    record->reply = *reply;
    record->is_done = true;
}

/* The daemon is gone: everything in progress ends. */
static void client_fail(struct forebay_client *client, int code)
{
    FB_ASSERT(code < 0); /* a read that failed with 0 would look read */
    for (uint32_t i = 0; i < CLIENT_SLOTS; i++) {
        struct forebay_read *read = client->slots[i].read;
        if (!client->slots[i].is_used || read == NULL)
            continue;
        read->internal[READ_ERROR] = (uint64_t)-code;
        read->internal[READ_PENDING]--;
        client_slot_free(client, i);
        read_settle(client, read);
    }
    client->again_head = FB_NONE;
    while (client->starting_head != NULL) {
        client->starting_head->internal[READ_ERROR] = (uint64_t)-code;
        starting_pop(client);
    }
}

int client_step(struct forebay_client *client, bool is_waiting)
{
    struct fb_ring_reply reply;
    uint32_t slot;
    int code = client_is_ours(client) ? 0 : -ECHILD;
    if (code == 0)
        blocks_ask(client);
    if (code == 0 && is_waiting) {
        uint64_t until_ns = client->again_head != FB_NONE ? client->busy_until_ns : UINT64_MAX;
        code = client_ring_wait(client, until_ns);
    }
    while (code == 0 && client_ring_take(client, &reply, &slot)) {
        if (slot == FB_NONE)
            code = -EPROTO;
        else
            client_reply_handle(client, slot, &reply);
    }
    if (code != 0)
        client_fail(client, code);
    return code;
}

struct forebay_read *forebay_client_wait(struct forebay_client *client, int is_waiting)
{
    if (client->ended_head == NULL)
        (void)client_step(client, false);
    while (client->ended_head == NULL && is_waiting && client->reads > 0)
        (void)client_step(client, true);
    struct forebay_read *read = client->ended_head;
    if (read == NULL)
        return NULL;
    client->ended_head = read->next;
    if (client->ended_head == NULL)
        client->ended_tail = NULL;
    client->reads--;
    return read;
}

/* Takes one read out of the ended ones, wherever it stands. */
static bool ended_take(struct forebay_client *client, const struct forebay_read *wanted)
{
    struct forebay_read *before = NULL;
    for (struct forebay_read *read = client->ended_head; read != NULL; read = read->next) {
        if (read != wanted) {
            before = read;
            continue;
        }
        if (before != NULL)
            before->next = read->next;
        else
            client->ended_head = read->next;
        if (client->ended_tail == read)
            client->ended_tail = before;
        client->reads--;
        return true;
    }
    return false;
}

int64_t forebay_file_read(struct forebay_file *file, uint64_t offset, void *bytes, uint64_t size)
{
    struct forebay_read read = {.file = file, .offset = offset, .bytes = bytes, .size = size};
    forebay_read_start(&read);
    while (!ended_take(file->client, &read))
        (void)client_step(file->client, true);
    return read.result;
}
