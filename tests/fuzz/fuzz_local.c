/* Clients on the socket and the ring against the whole daemon: whatever they say, none of its
 * assertions fails and its state is whole.
 * How: the input is a list of things that a client does: packets, entries of the ring, words of the
 * ring that are not its own, what it has heard of given back; and how many rounds the daemon makes
 * in between. */
#include "tests/fuzz/daemon.h"

enum { ACTIONS_MAX = 64, CLIENTS = 2 };

static uint64_t handle_draw(struct fuzz_input *input, const struct client *client)
{
    return fuzz_below(input, 8) == 0 ? number_draw(input)
                                     : client->handles[fuzz_below(input, HANDLES)];
}

static uint32_t name_draw(struct fuzz_input *input, char *text)
{
    uint32_t kind = fuzz_below(input, 8);
    if (kind < 4)
        return (uint32_t)sprintf(text, "o%u", fuzz_below(input, OBJECTS));
    if (kind < 6)
        return (uint32_t)sprintf(text, "w%u", fuzz_below(input, 4));
    uint32_t length = kind == 6 ? fuzz_below(input, 32) : (uint32_t)number_draw(input) % 1100;
    for (uint32_t i = 0; i < length; i++)
        text[i] = (char)fuzz_number(input, 1);
    return length;
}

static void packet_do(struct fuzz_input *input, struct client *client)
{
    struct fb_local_request request = {.version = FB_LOCAL_VERSION};
    request.kind = 1 + fuzz_below(input, FB_LOCAL_EXPLAIN_KEY + 2);
    request.object = handle_draw(input, client);
    request.index = number_draw(input);
    request.level = fuzz_below(input, FB_LEVEL_COUNT + 1);
    request.name_length = name_draw(input, request.text);
    size_t size = FB_LOCAL_REQUEST_BYTES + request.name_length;
    if (request.kind == FB_LOCAL_LIST)
        request.cursor_length = fuzz_below(input, 64);
    size += request.cursor_length;
    uint32_t odd = fuzz_below(input, 64);
    if (odd == 1)
        request.name_length = (uint32_t)number_draw(input);
    if (odd == 2)
        request.version = (uint32_t)number_draw(input);
    if (odd == 3)
        size = fuzz_below(input, 256);
    if (size > sizeof(request))
        size = sizeof(request);
    client_send(client, &request, size);
}

static void ring_do(struct fuzz_input *input, struct client *client)
{
    static const uint32_t sizes[] = {0, 1, 4096, BLOCK_BYTES, BLOCK_BYTES + 1, UINT32_MAX};
    struct fb_ring_request request = {.kind = fuzz_below(input, FB_RING_FORGET + 2)};
    uint32_t size = fuzz_below(input, 8);
    request.tenant = fuzz_below(input, 8) == 0 ? (uint32_t)number_draw(input) : 0;
    request.object = handle_draw(input, client);
    request.index = fuzz_below(input, 4) > 0 ? fuzz_below(input, 4) : number_draw(input);
    request.key = (struct fb_key){.high = fuzz_below(input, 8), .low = fuzz_below(input, 8)};
    request.offset = fuzz_below(input, 4) > 0 ? 0 : number_draw(input);
    request.size = size < 6 ? sizes[size] : (uint32_t)number_draw(input);
    request.level = fuzz_below(input, FB_LEVEL_COUNT + 1);
    client_ring_write(client, &request);
}

/* Words that are the daemon's, or are no good. */
static void word_do(struct fuzz_input *input, struct client *client)
{
    _Atomic uint32_t *words[] = {&client->ring->request_tail,  &client->ring->client_sleeps,
                                 &client->ring->reply_head,    &client->ring->request_head,
                                 &client->ring->daemon_sleeps, &client->ring->reply_tail};
    uint32_t word = fuzz_below(input, 6);
    atomic_store(words[word], (uint32_t)number_draw(input));
}

static void descriptors_do(struct fuzz_input *input, struct client *client)
{
    const uint64_t most = UINT64_MAX - 1;
    uint32_t draw = fuzz_below(input, 4);
    if (draw == 0)
        (void)fcntl(client->files[2], F_SETFL, O_NONBLOCK);
    else if (draw == 1)
        (void)fallocate(client->files[1], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536);
    else if (draw == 2 && fcntl(client->files[2], F_SETFL, O_NONBLOCK) == 0)
        (void)!write(client->files[2], &most, sizeof(most));
    else
        (void)shutdown(client->socket, SHUT_RDWR);
}

/* false: the session is over. */
static bool action_do(struct fuzz_input *input, struct client *client)
{
    uint32_t draw = fuzz_below(input, 32);
    if (draw < 14)
        ring_do(input, client);
    else if (draw < 27)
        packet_do(input, client);
    else if (draw < 28)
        word_do(input, client);
    else if (draw < 29)
        descriptors_do(input, client);
    else
        rounds(1 + fuzz_below(input, 8));
    if (fuzz_below(input, 4) > 0)
        client_ring_read(client);
    return client_take(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.at = data, .left = size};
    struct client clients[CLIENTS];
    bool is_open[CLIENTS];
    input_begin("");
    for (uint32_t i = 0; i < CLIENTS; i++)
        is_open[i] = client_open(&clients[i]);
    for (uint32_t i = 0; i < ACTIONS_MAX && input.left > 0; i++) {
        uint32_t which = fuzz_below(&input, CLIENTS);
        if (is_open[which] && !action_do(&input, &clients[which])) {
            client_close(&clients[which]);
            is_open[which] = false;
        }
        rounds(2);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (is_open[i])
            client_close(&clients[i]);
    }
    input_end();
    return 0;
}
