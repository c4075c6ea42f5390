/* Other nodes on the node port against the whole daemon, with an erasure code: whatever frames they
 * send, in answer to what it asked or unasked, none of its assertions fails and its state is whole.
 * How: three of four members are the input's. They hear what the daemon sends and remember it; the
 * input makes messages of that, with some fields changed, and answers its pulls; a client reads and
 * writes so that the daemon has something to ask. Checksums are right, else none would be heard. */
#include "tests/fuzz/daemon.h"

#include "hw/base/address.h"

#include <stddef.h>
#include <xxhash.h>

enum { MEMBERS = 4, HEARD_MAX = 16, CONNECTIONS_MAX = 8, ACTIONS_MAX = 48, IN_BYTES = 64 * 1024 };

/* A connection that the daemon has made to one of the others. */
struct line {
    int socket; /* 0: none */
    uint32_t peer, size;
    unsigned char in[IN_BYTES];
};

static uint32_t ports[MEMBERS];
static int listeners[MEMBERS], talks[MEMBERS]; /* talks: to the daemon, greeted; 0: none */
static struct line lines[CONNECTIONS_MAX];
static struct fb_message_flat heard[HEARD_MAX];
static uint32_t heard_count;
static struct fb_wire_frame frame;
static char members[512 + 128];

static void peers_open(void)
{
    size_t length = (size_t)snprintf(members, sizeof(members), "members:\n");
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct fb_error error = {.text = ""};
        char address[64];
        ports[i] = port_take();
        snprintf(address, sizeof(address), "127.0.0.1:%u", ports[i]);
        length += (size_t)snprintf(members + length, sizeof(members) - length,
                                   "  - {id: %u, address: \"%s\"}\n", i, address);
        if (i == 0)
            continue; /* the daemon's */
        listeners[i] = fb_address_listen("listen", address, &error);
        check(listeners[i] >= 0 && fcntl(listeners[i], F_SETFL, O_NONBLOCK) == 0, address);
    }
}

static void talk_end(uint32_t peer)
{
    if (talks[peer] > 0)
        close(talks[peer]);
    talks[peer] = 0;
}

/* A greeted connection of a peer's. */
static void talk_begin(uint32_t peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)ports[0])};
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    const struct fb_wire_hello hello = {
        .cluster = XXH3_64bits("fuzz", 4), .block_size_bytes = BLOCK_BYTES, .target = 0};
    talks[peer] = socket(AF_INET, SOCK_STREAM, 0);
    check(connect(talks[peer], (struct sockaddr *)&address, sizeof(address)) == 0, "peer");
    uint32_t size = fb_wire_put_hello(bytes, peer, &hello);
    (void)send(talks[peer], bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void talk_send(uint32_t peer, const void *bytes, size_t size)
{
    if (talks[peer] == 0)
        talk_begin(peer);
    if (send(talks[peer], bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        talk_end(peer);
}

static void pull_answer(struct fuzz_input *input, const struct line *line)
{
    static unsigned char bytes[FB_WIRE_FRAME_MAX + BLOCK_BYTES];
    uint32_t draw = fuzz_below(input, 8);
    uint64_t body = draw == 0 ? number_draw(input) : frame.pull.size;
    uint64_t id = draw == 1 ? number_draw(input) : frame.header.id;
    uint32_t size = fb_wire_put_answer(bytes, draw == 2 ? FB_WIRE_FAIL : FB_WIRE_BYTES, line->peer,
                                       id, draw == 2 ? fuzz_below(input, 16) : body);
    uint64_t sent = draw == 2 ? 0 : draw == 3 ? frame.pull.size / 2 : frame.pull.size;
    memset(bytes + size, (int)fuzz_below(input, 3), sent <= BLOCK_BYTES ? sent : 0);
    (void)send(line->socket, bytes, size + (sent <= BLOCK_BYTES ? sent : 0),
               MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void line_hear(struct fuzz_input *input, struct line *line)
{
    const char *fault = NULL;
    uint32_t at = 0;
    ssize_t got = recv(line->socket, line->in + line->size, IN_BYTES - line->size, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        close(line->socket);
        line->socket = 0;
        return;
    }
    line->size += got > 0 ? (uint32_t)got : 0;
    for (int32_t taken; (taken = fb_wire_take(line->in + at, line->size - at, &frame, &fault)) > 0;
         at += (uint32_t)taken) {
        uint64_t more = frame.header.kind == FB_WIRE_MESSAGE ? frame.header.value : 0;
        if (line->size - at - (uint32_t)taken < more)
            break;
        at += (uint32_t)more;
        if (frame.header.kind == FB_WIRE_MESSAGE)
            fb_message_pack(&heard[heard_count++ % HEARD_MAX], &frame.message);
        else if (frame.header.kind == FB_WIRE_PULL)
            pull_answer(input, line);
    }
    if (fault != NULL)
        abort(); /* the daemon sends what it would not take itself */
    memmove(line->in, line->in + at, line->size - at);
    line->size -= at;
}

static void lines_hear(struct fuzz_input *input)
{
    for (uint32_t peer = 1; peer < MEMBERS; peer++) {
        int socket = accept4(listeners[peer], NULL, NULL, SOCK_CLOEXEC);
        uint32_t i = 0;
        while (i < CONNECTIONS_MAX && lines[i].socket > 0)
            i++;
        if (socket >= 0 && i == CONNECTIONS_MAX)
            close(socket);
        else if (socket >= 0)
            lines[i] = (struct line){.socket = socket, .peer = peer};
    }
    for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (lines[i].socket > 0)
            line_hear(input, &lines[i]);
    }
}

static const struct place {
    uint32_t offset, bytes;
} places[] = {
#define PLACE(place, bytes) {offsetof(struct fb_message_flat, place), bytes},
    FB_MESSAGE_PLACES(PLACE)
#undef PLACE
};

/* The widest first. Who sends what is chosen elsewhere, and a key's high half says to whom. */
static uint32_t places_choose(const struct place *chosen[])
{
    uint32_t count = 0;
    for (uint32_t bytes = 8; bytes > 0; bytes /= 2) {
        for (uint32_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            uint32_t offset = places[i].offset;
            bool is_kept = offset == offsetof(struct fb_message_flat, kind) ||
                           offset == offsetof(struct fb_message_flat, source) ||
                           offset == offsetof(struct fb_message_flat, block.key.high);
            if (!is_kept && places[i].bytes == bytes)
                chosen[count++] = &places[i];
        }
    }
    return count;
}

/* Some fields are changed, most are what the daemon has said. */
static void fields_change(struct fuzz_input *input, struct fb_message_flat *message)
{
    const struct place *chosen[sizeof(places) / sizeof(places[0])];
    uint32_t count = places_choose(chosen), changes = fuzz_below(input, 5);
    for (uint32_t i = 0; i < changes; i++) {
        uint64_t number = number_draw(input);
        const struct place *place = chosen[fuzz_below(input, count)];
        memcpy((unsigned char *)message + place->offset, &number, place->bytes);
    }
}

static void message_do(struct fuzz_input *input)
{
    static const uint8_t answers[] = {[FB_MESSAGE_ASK] = FB_MESSAGE_OFFER,
                                      [FB_MESSAGE_OFFER] = FB_MESSAGE_RETURN,
                                      [FB_MESSAGE_MATCH_ASK] = FB_MESSAGE_MATCH_TELL,
                                      [FB_MESSAGE_HOLD] = FB_MESSAGE_HELD,
                                      [FB_MESSAGE_DRAIN_ASK] = FB_MESSAGE_DRAINED,
                                      [FB_MESSAGE_FRAGMENT] = FB_MESSAGE_DRAIN_LOST};
    static struct fb_key keys[4];
    unsigned char bytes[FB_WIRE_FRAME_MAX + FB_WIRE_OFFERED_MAX];
    struct fb_message message;
    struct fb_message_flat flat = heard[fuzz_below(input, HEARD_MAX)];
    uint32_t peer = 1 + fuzz_below(input, MEMBERS - 1), asked = flat.kind;
    bool is_answer = fuzz_below(input, 3) > 0 && asked < sizeof(answers);
    flat.kind = is_answer ? answers[asked] : (uint8_t)fuzz_below(input, FB_MESSAGE_FRAGMENT + 3);
    flat.source = peer;
    flat.keys = NULL;
    flat.span = (struct fb_span){.region = FB_REGION_MEMORY,
                                 .peer = peer,
                                 .offset = flat.span.offset,
                                 .size = flat.block.size};
    fields_change(input, &flat);
    if (flat.kind == FB_MESSAGE_MATCH_ASK) {
        flat.keys = keys;
        flat.count %= 5;
    }
    bool is_offered = flat.kind == FB_MESSAGE_OFFER && fuzz_below(input, 2) > 0 &&
                      flat.span.size <= FB_WIRE_OFFERED_MAX;
    uint32_t more = is_offered ? (uint32_t)flat.span.size : 0;
    fb_message_unpack(&message, &flat);
    uint32_t size = fb_wire_put_message(bytes, &message, NULL, more);
    memset(bytes + size, 0, more);
    talk_send(peer, bytes, size + more);
}

static void pull_do(struct fuzz_input *input)
{
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    const struct fb_wire_pull pull = {.offset = number_draw(input), .size = number_draw(input)};
    uint32_t peer = 1 + fuzz_below(input, MEMBERS - 1);
    talk_send(peer, bytes, fb_wire_put_pull(bytes, peer, 1, &pull));
}

static void client_do(struct fuzz_input *input, struct client *client)
{
    struct fb_local_request request = {.version = FB_LOCAL_VERSION};
    uint32_t draw = fuzz_below(input, 8);
    request.kind = draw == 0 ? FB_LOCAL_CREATE : FB_LOCAL_OPEN;
    request.name_length = (uint32_t)sprintf(request.text, "o%u", fuzz_below(input, OBJECTS));
    if (draw < 3) {
        client_send(client, &request, FB_LOCAL_REQUEST_BYTES + request.name_length);
        return;
    }
    client_ring_write(
        client, &(struct fb_ring_request){.kind = draw < 6    ? FB_RING_GET
                                                  : draw == 6 ? FB_RING_WRITE
                                                              : FB_RING_PUT,
                                          .object = client->handles[fuzz_below(input, HANDLES)],
                                          .index = fuzz_below(input, 4),
                                          .key = {.high = fuzz_below(input, 8)},
                                          .size = fuzz_below(input, 2) > 0 ? BLOCK_BYTES : 1000,
                                          .level = fuzz_below(input, FB_LEVEL_ORIGIN)});
}

/* false: the client's session is over. */
static bool action_do(struct fuzz_input *input, struct client *client)
{
    uint32_t draw = fuzz_below(input, 16);
    if (draw < 9)
        message_do(input);
    else if (draw < 10)
        pull_do(input);
    else if (draw < 11)
        talk_end(1 + fuzz_below(input, MEMBERS - 1));
    else if (draw < 15)
        client_do(input, client);
    else
        rounds(1 + fuzz_below(input, 16));
    rounds(2);
    lines_hear(input);
    client_ring_read(client);
    return client_take(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.at = data, .left = size};
    struct client client;
    if (ports[0] == 0)
        peers_open();
    input_begin(members);
    if (client_open(&client)) {
        for (uint32_t i = 0; i < ACTIONS_MAX && input.left > 0; i++) {
            if (!action_do(&input, &client))
                break;
        }
        client_close(&client);
    }
    input_end();
    return 0;
}
