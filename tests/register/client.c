/* One client of register_test.py: writes and reads names as if each were one register, and says
 * what it asked and what it heard.
 *
 *     register_client SOCKET CLIENT SEED NAMES LEVEL           until its standard input ends; then
 *                              each name is written and read once more, for as long as that takes
 *     register_client SOCKET CLIENT SEED NAMES LEVEL remove    the same with removals
 *     register_client SOCKET CLIENT SEED NAMES read            each name is read once
 *
 * Lines on standard output; NS: CLOCK_MONOTONIC:
 *     call NS NUMBER read|write|swap|remove NAME VALUE        before the first call of the library
 *     back NS NUMBER ok|failed|unknown VALUE PREVIOUS ERRNO   after the last one
 *
 *  1. A value is one that nobody else writes: client and counter. 0 stands for a name that means
 *     nothing. Every other word of the content is the value, the rest depends on value and place:
 *     a byte of another version, or from another place, is seen.
 *  2. swap: creates, reads what is there (a call and back of its own), and commits: then what was
 *     read was there until the commit. PREVIOUS is that.
 *  3. failed: surely without effect: nothing was committed, or the library says that another won.
 *     unknown: anything else. A line of a client that died is missing: unknown.
 *
 * Exit code 3: wrong bytes, after a line "wrong TEXT". */
#include "core/key.h"
#include "core/index/random.h"
#include "client/forebay.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SIZE_MAX_BYTES = 700000, SMALL_BYTES = 4096, LINE_BYTES = 256, COMMIT_PATIENCE_S = 4 };
enum kind { READ, WRITE, SWAP, REMOVE };

static const uint64_t pause_ns = 50000000;

struct register_client {
    struct forebay_client *library;
    const char *socket;
    struct fb_random random;
    uint64_t number, values, operation;
    uint32_t names;
    enum forebay_level level;
    bool is_lost;     /* the daemon went */
    bool has_removal; /* among what it does */
    unsigned char *written, *found;
};

/* What an operation heard. code: 0 or negative errno. */
struct answer {
    int code;
    bool has_effect; /* if code is not 0: it may have one */
    uint64_t value, previous;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void nap(uint64_t ns)
{
    const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000),
                                  .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&time, NULL);
}

/* One line, by one call, so that a kill never leaves half of one. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length < 0 || length >= LINE_BYTES || write(STDOUT_FILENO, line, (size_t)length) != length)
        exit(1);
}

static uint64_t size_of(uint64_t value)
{
    uint64_t chance = fb_mix(value);
    uint64_t most = chance % 2 == 0 ? SMALL_BYTES : SIZE_MAX_BYTES;
    return 8 + fb_mix(chance) % (most - 8);
}

static void fill(unsigned char *bytes, uint64_t value)
{
    uint64_t size = size_of(value);
    for (uint64_t i = 0; i < size; i += 8) {
        uint64_t word = i % 16 == 0 ? value : fb_mix(fb_mix(value) + i);
        memcpy(bytes + i, &word, size - i < 8 ? size - i : 8);
    }
}

/* The value that these bytes are; ends the program if they are none. */
static uint64_t value_of(struct register_client *client, const char *name, uint64_t size)
{
    uint64_t value = 0, at = 0;
    if (size >= 8)
        memcpy(&value, client->found, 8);
    if (size < 8 || size != size_of(value)) {
        say("wrong %s begins with %" PRIx64 " and has %" PRIu64 " bytes\n", name, value, size);
        exit(3);
    }
    fill(client->written, value);
    while (at < size && client->written[at] == client->found[at])
        at++;
    if (at == size)
        return value;
    uint64_t word = 0;
    memcpy(&word, client->found + at / 16 * 16, size - at / 16 * 16 < 8 ? 1 : 8);
    say("wrong %s is %" PRIx64 " up to byte %" PRIu64 " of %" PRIu64 ", there %" PRIx64 "\n", name,
        value, at, size, word);
    exit(3);
}

static struct answer name_read(struct register_client *client, const char *name)
{
    struct forebay_file *file;
    struct answer answer = {.code = forebay_file_open(client->library, name, &file)};
    if (answer.code == -ENOENT)
        answer.code = 0;
    else if (answer.code == 0) {
        uint64_t size = forebay_file_size_bytes(file);
        if (size > SIZE_MAX_BYTES)
            size = SIZE_MAX_BYTES + 1;
        int64_t count = forebay_file_read(file, 0, client->found, size);
        if (count < 0)
            answer.code = (int)count;
        else
            answer.value = value_of(client, name, (uint64_t)count);
        forebay_file_close(file);
    }
    return answer;
}

static struct answer operate(struct register_client *client, enum kind kind, const char *name);

static struct answer name_write(struct register_client *client, enum kind kind, const char *name,
                                uint64_t value)
{
    struct forebay_file *file;
    struct answer answer = {
        .code = forebay_file_create(client->library, name, client->level, &file), .value = value};
    if (answer.code != 0)
        return answer;
    if (kind == SWAP) {
        struct answer before = operate(client, READ, name);
        answer.code = before.code;
        answer.previous = before.value;
    }
    if (answer.code == 0) {
        fill(client->written, value);
        answer.code = forebay_file_write(file, client->written, size_of(value));
    }
    if (answer.code == 0)
        answer.code = forebay_file_sync(file);
    if (answer.code == 0) {
        answer.code = forebay_file_commit(file, COMMIT_PATIENCE_S);
        answer.has_effect = answer.code != -ESTALE;
    }
    forebay_file_close(file);
    return answer;
}

static struct answer name_remove(struct register_client *client, const char *name)
{
    struct answer answer = {.code = forebay_client_remove(client->library, name)};
    answer.has_effect = answer.code != -ESTALE && answer.code != -ENOENT;
    return answer;
}

static struct answer operate(struct register_client *client, enum kind kind, const char *name)
{
    static const char *const words[] = {"read", "write", "swap", "remove"};
    uint64_t number = client->operation++, value = 0;
    struct answer answer;
    if (kind == WRITE || kind == SWAP)
        value = client->number << 32 | ++client->values;
    say("call %" PRIu64 " %" PRIu64 " %s %s %" PRIx64 "\n", now_ns(), number, words[kind], name,
        value);
    if (kind == READ)
        answer = name_read(client, name);
    else if (kind == REMOVE)
        answer = name_remove(client, name);
    else
        answer = name_write(client, kind, name, value);
    say("back %" PRIu64 " %" PRIu64 " %s %" PRIx64 " %" PRIx64 " %d\n", now_ns(), number,
        answer.code == 0    ? "ok"
        : answer.has_effect ? "unknown"
                            : "failed",
        answer.value, answer.previous, -answer.code);
    client->is_lost = answer.code == -ECONNRESET || answer.code == -EPIPE || client->is_lost;
    return answer;
}

static void connect_again(struct register_client *client)
{
    forebay_client_close(client->library);
    client->library = NULL;
    while (forebay_client_open(client->socket, &client->library) != 0)
        nap(pause_ns);
    client->is_lost = false;
}

/* One operation; after an error somewhat later than otherwise. */
static bool step(struct register_client *client, enum kind kind, uint32_t index)
{
    char name[32];
    snprintf(name, sizeof(name), "register/%u", index);
    if (client->is_lost)
        connect_again(client);
    int code = operate(client, kind, name).code;
    bool is_heard = code == 0 || code == -ESTALE || code == -ENOENT;
    nap(fb_random_below(&client->random, is_heard ? pause_ns / 2 : pause_ns * 4));
    return code == 0;
}

static bool is_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) == 1 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* Some names are everybody's, some are quiet: what follows on a fault differs. */
static uint32_t name_draw(struct register_client *client)
{
    uint64_t most = 1 + fb_random_below(&client->random, client->names);
    return (uint32_t)fb_random_below(&client->random, most);
}

static void play(struct register_client *client)
{
    static const enum kind kinds[] = {READ,  READ,  READ, READ, READ, READ, WRITE, WRITE,
                                      WRITE, WRITE, SWAP, SWAP, SWAP, SWAP, SWAP,  REMOVE};
    const uint64_t count = sizeof(kinds) / sizeof(kinds[0]) - !client->has_removal;
    while (!is_ended()) {
        enum kind kind = kinds[fb_random_below(&client->random, count)];
        (void)step(client, kind, name_draw(client));
    }
}

/* Each name, until it has gone well; clients begin with different ones. */
static void finish(struct register_client *client, bool has_writes)
{
    for (uint32_t i = 0; i < client->names; i++) {
        uint32_t index = (uint32_t)((i + client->number) % client->names);
        while (has_writes && !step(client, WRITE, index))
            continue;
        while (!step(client, READ, index))
            continue;
    }
}

int main(int count, char **arguments)
{
    if (count != 6 && count != 7) {
        fprintf(stderr, "usage: register_client SOCKET CLIENT SEED NAMES LEVEL|read [remove]\n");
        return 2;
    }
    struct register_client client = {.socket = arguments[1],
                                     .number = strtoull(arguments[2], NULL, 10),
                                     .names = (uint32_t)strtoul(arguments[4], NULL, 10),
                                     .has_removal = count == 7,
                                     .level = (enum forebay_level)strtoul(arguments[5], NULL, 10),
                                     .written = malloc(SIZE_MAX_BYTES + 8),
                                     .found = malloc(SIZE_MAX_BYTES + 8)};
    if (client.written == NULL || client.found == NULL)
        return 1;
    fb_random_init(&client.random, strtoull(arguments[3], NULL, 10) + client.number);
    bool has_writes = strcmp(arguments[5], "read") != 0;
    connect_again(&client);
    if (has_writes)
        play(&client);
    finish(&client, has_writes);
    forebay_client_close(client.library);
    free(client.written);
    free(client.found);
    return 0;
}
