/* Writing a new object: the arena is cut into places of one block; a block is put together in its
 * place, sent, and its place is free again when the daemon says that the level holds.
 *
 *     place:  FREE --write--> FILLING --full--> SENT --reply--> FREE
 *                                                 '--BUSY--> AGAIN --pause--> SENT
 * One file at a time has the arena. */
#include "client/client_internal.h"
#include "client/client_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PLACES_MAX = 48, TRIES_MAX = 2000, PAUSE_DOUBLINGS_MAX = 7 };
static_assert((int)PLACES_MAX <= (int)CLIENT_SLOTS, "each place may be in flight");

static const uint64_t pause_first_ns = 1000000, poll_ns = 20000000;

enum place_state { PLACE_FREE, PLACE_FILLING, PLACE_SENT, PLACE_AGAIN };

struct place {
    enum place_state state;
    uint32_t tries;
    uint64_t block, size;
    uint64_t again_ns;
};

struct client_writer {
    struct forebay_client *client;
    uint64_t handle;
    enum forebay_level level;
    uint32_t place_count, filling; /* FB_NONE: none is being filled */
    uint64_t next_block, size;
    bool is_unsure; /* a commit was not answered, and may have taken effect */
    int error;      /* the first */
    struct place places[PLACES_MAX];
};

int forebay_file_create(struct forebay_client *client, const char *name, enum forebay_level level,
                        struct forebay_file **file)
{
    struct fb_local_request request = {.kind = FB_LOCAL_CREATE};
    struct fb_local_reply reply;
    static_assert((int)FOREBAY_MEMORY == (int)FB_LEVEL_MEMORY &&
                      (int)FOREBAY_REPLICATED == (int)FB_LEVEL_REPLICATED &&
                      (int)FOREBAY_DEVICE == (int)FB_LEVEL_DEVICE &&
                      (int)FOREBAY_ORIGIN == (int)FB_LEVEL_ORIGIN,
                  "the levels are the core's");
    if (!client_is_ours(client))
        return -ECHILD;
    if (client->writing != NULL)
        return -EBUSY;
    uint64_t places = client->arena_size / client->block_size;
    if (places == 0)
        return -ENOSPC;
    int code = client_call(client, &request, name, &reply);
    if (code != 0)
        return code;
    struct forebay_file *created = calloc(1, sizeof(*created));
    struct client_writer *writer = calloc(1, sizeof(*writer));
    if (created == NULL || writer == NULL) {
        free(created);
        free(writer);
        return -ENOMEM;
    }
    *writer =
        (struct client_writer){.client = client,
                               .handle = reply.object,
                               .level = level,
                               .place_count = places < PLACES_MAX ? (uint32_t)places : PLACES_MAX,
                               .filling = FB_NONE};
    *created = (struct forebay_file){.client = client,
                                     .handle = reply.object,
                                     .version = reply.version_of_object,
                                     .writer = writer};
    client->writing = writer;
    *file = created;
    return 0;
}

void client_writer_free(struct client_writer *writer)
{
    struct forebay_client *client = writer->client;
    FB_ASSERT(client->writing == writer);
    for (uint32_t i = 0; i < CLIENT_SLOTS; i++) {
        if (client->slots[i].is_used && client->slots[i].writer == writer)
            client->slots[i].writer = NULL; /* its reply is nobody's */
    }
    client->writing = NULL;
    free(writer);
}

static unsigned char *place_bytes(const struct client_writer *writer, uint32_t index)
{
    return writer->client->arena + index * writer->client->block_size;
}

/* Sends the block that stands in a place; false: no slot is free now. */
static bool place_send(struct client_writer *writer, uint32_t index)
{
    struct forebay_client *client = writer->client;
    struct place *place = &writer->places[index];
    FB_ASSERT(index < writer->place_count);
    FB_ASSERT(place->state == PLACE_FILLING || place->state == PLACE_AGAIN);
    FB_ASSERT(place->size > 0);
    FB_ASSERT(place->size <= client->block_size);
    uint32_t slot = client_slot_take(client);
    if (slot == FB_NONE)
        return false;
    client->slots[slot].writer = writer;
    client->slots[slot].block = index;
    place->state = PLACE_SENT;
    client_ring_put(client,
                    (struct fb_ring_request){.kind = FB_RING_WRITE,
                                             .object = writer->handle,
                                             .index = place->block,
                                             .offset = index * client->block_size,
                                             .size = (uint32_t)place->size,
                                             .level = writer->level},
                    slot);
    return true;
}

void client_written(struct forebay_client *client, uint32_t slot, const struct fb_ring_reply *reply)
{
    struct client_writer *writer = client->slots[slot].writer;
    struct place *place = &writer->places[client->slots[slot].block];
    FB_ASSERT(client->slots[slot].block < writer->place_count);
    FB_ASSERT(place->state == PLACE_SENT);
    int code = client_status_code(reply->status);
    client_slot_free(client, slot);
    if (code == -EBUSY && place->tries++ < TRIES_MAX) {
        uint32_t doublings =
            place->tries < PAUSE_DOUBLINGS_MAX ? place->tries : PAUSE_DOUBLINGS_MAX;
        place->state = PLACE_AGAIN;
        place->again_ns = client_clock_ns() + (pause_first_ns << doublings);
        return;
    }
    place->state = PLACE_FREE;
    if (code != 0 && writer->error == 0)
        writer->error = code;
}

/* Sends again what was put off; takes replies. Waits for some time at most. */
static int writer_step(struct client_writer *writer)
{
    uint64_t now_ns = client_clock_ns(), until_ns = UINT64_MAX;
    for (uint32_t i = 0; i < writer->place_count; i++) {
        const struct place *place = &writer->places[i];
        if (place->state == PLACE_AGAIN && place->again_ns <= now_ns)
            (void)place_send(writer, i);
        if (place->state == PLACE_AGAIN && place->again_ns < until_ns)
            until_ns = place->again_ns > now_ns ? place->again_ns : now_ns + pause_first_ns;
    }
    int code = client_ring_wait(writer->client, until_ns);
    if (code == 0)
        code = client_step(writer->client, false);
    if (code != 0 && writer->error == 0)
        writer->error = code;
    return writer->error;
}

/* A place to fill; FB_NONE: an error. */
static uint32_t place_take(struct client_writer *writer)
{
    FB_ASSERT(writer->filling == FB_NONE);
    while (writer->error == 0) {
        for (uint32_t i = 0; i < writer->place_count; i++) {
            if (writer->places[i].state != PLACE_FREE)
                continue;
            writer->places[i] =
                (struct place){.state = PLACE_FILLING, .block = writer->next_block++};
            return i;
        }
        (void)writer_step(writer);
    }
    return FB_NONE;
}

static int filling_send(struct client_writer *writer)
{
    FB_ASSERT(writer->filling < writer->place_count);
    while (writer->error == 0 && !place_send(writer, writer->filling))
        (void)writer_step(writer);
    writer->filling = FB_NONE;
    return writer->error;
}

int forebay_file_write(struct forebay_file *file, const void *bytes, uint64_t size)
{
    struct client_writer *writer = file->writer;
    const unsigned char *from = bytes;
    if (writer == NULL)
        return -EBADF;
    if (!client_is_ours(file->client))
        return -ECHILD; /* the arena is the other's, too */
    while (size > 0 && writer->error == 0) {
        if (writer->filling == FB_NONE)
            writer->filling = place_take(writer);
        if (writer->filling == FB_NONE)
            break;
        struct place *place = &writer->places[writer->filling];
        FB_ASSERT(place->state == PLACE_FILLING);
        FB_ASSERT(place->size < file->client->block_size); /* a full one is sent at once */
        uint64_t room = file->client->block_size - place->size;
        uint64_t part = size < room ? size : room;
        memcpy(place_bytes(writer, writer->filling) + place->size, from, part);
        place->size += part;
        writer->size += part;
        from += part;
        size -= part;
        if (place->size == file->client->block_size)
            (void)filling_send(writer);
    }
    return writer->error;
}

static bool has_unsafe(const struct client_writer *writer)
{
    for (uint32_t i = 0; i < writer->place_count; i++) {
        if (writer->places[i].state == PLACE_SENT || writer->places[i].state == PLACE_AGAIN)
            return true;
    }
    return false;
}

int forebay_file_sync(struct forebay_file *file)
{
    if (file->writer == NULL)
        return -EBADF;
    while (file->writer->error == 0 && has_unsafe(file->writer))
        (void)writer_step(file->writer);
    return file->writer->error;
}

int forebay_file_commit(struct forebay_file *file, uint32_t patience_s)
{
    return client_commit(file, patience_s, NULL, NULL);
}

/* Is something said that is more than what is kept beside an object? */
static bool is_move(const struct client_change *said)
{
    return said->kind == FB_CHANGE_RENAME && (said->flags & FB_RENAME_TAKES) != 0;
}

int client_commit(struct forebay_file *file, uint32_t patience_s, const struct client_change *said,
                  bool *is_taken)
{
    struct client_writer *writer = file->writer;
    const struct timespec nap = {.tv_nsec = (long)poll_ns};
    if (writer == NULL)
        return -EBADF;
    if (writer->filling != FB_NONE)
        (void)filling_send(writer);
    int code = forebay_file_sync(file);
    uint64_t until_ns = client_clock_ns() + (uint64_t)patience_s * 1000000000u;
    struct fb_local_reply reply = {.state = 0};
    while (code == 0) {
        struct fb_local_request request = {.kind = FB_LOCAL_COMMIT,
                                           .object = writer->handle,
                                           .index = writer->size,
                                           .level = writer->level};
        bool is_said = said != NULL && (file->client->is_keeping || is_move(said));
        if (is_said && !client_change_put(&request, said))
            return -E2BIG;
        code = client_call(file->client, &request, NULL, &reply);
        writer->is_unsure = writer->is_unsure || code == -ETIMEDOUT;
        if (code == -ESTALE && writer->is_unsure)
            return -ETIMEDOUT; /* who has won may have overwritten this version */
        bool may_come = code == -EBUSY || code == -ETIMEDOUT || code == -EHOSTDOWN;
        if (!may_come || client_clock_ns() >= until_ns)
            break;
        code = 0;
        nanosleep(&nap, NULL);
    }
    if (code == 0)
        file->size = writer->size;
    if (is_taken != NULL)
        *is_taken = reply.state == 1;
    return code == -EBUSY ? -ETIMEDOUT : code;
}
