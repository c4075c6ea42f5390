/* hw/net/wire.c: what is put is what is taken; a frame that was cut, changed or made up is refused
 * and never read beyond its bytes.
 * How: every kind there and back; every cut of a frame; every single changed bit; random bytes
 * behind a header whose checksum fits, in memory of exactly their size, so that the address
 * sanitizer sees a byte too many. */
#include "hw/net/wire.h"

#include "core/index/random.h"
#include "models/scenario/scenario.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static uint64_t first_seed = 20261124;

static struct fb_object object_make(const char *name)
{
    struct fb_object object = {.size = 4097, .version = 77};
    object.name_length = (uint32_t)strlen(name);
    memcpy(object.name, name, object.name_length + 1);
    fb_object_identify(&object);
    return object;
}

static struct fb_message message_make(const struct fb_object *object)
{
    return (struct fb_message){
        .kind = FB_MESSAGE_ASK,
        .source = 5,
        .ask = {.ask_id = 0x1122334455667788,
                .block = {.key = {.high = 1, .low = 2},
                          .object = object != NULL ? object->handle : FB_OBJECT_NONE,
                          .offset = 4096,
                          .size = 1,
                          .tenant = 8},
                .complaint = 9,
                .flags = FB_MESSAGE_FLAG_REFERRED,
                .hops = 3}};
}

static void assert_messages_equal(const struct fb_message *a, const struct fb_message *b)
{
    struct fb_message_flat first, second;
    fb_message_pack(&first, a);
    fb_message_pack(&second, b);
    first.keys = second.keys = NULL;
    assert_memory_equal(&first, &second, sizeof(first));
}

/* Each byte of each place is another. */
static struct fb_message message_of_kind(uint8_t kind)
{
    struct fb_message message;
    struct fb_message_flat flat;
    for (uint32_t i = 0; i < sizeof(flat); i++)
        ((unsigned char *)&flat)[i] = (unsigned char)(i + 1);
    flat.kind = kind;
    flat.keys = NULL;
    fb_message_unpack(&message, &flat);
    return message;
}

/* The digest of the bytes is of what the release wrote that had one struct for all kinds: a kind's
 * fields stand where they stood, and what it does not use is filled as it was. */
static void put_message_of_each_kind_is_as_releases_know_it(void **state)
{
    (void)state;
    XXH3_state_t *hash = XXH3_createState();
    XXH3_64bits_reset(hash);
    for (uint8_t kind = 0; kind <= FB_MESSAGE_ABANDON; kind++) {
        unsigned char bytes[FB_WIRE_FRAME_MAX];
        static struct fb_wire_frame frame;
        const char *fault = NULL;
        struct fb_message message = message_of_kind(kind);
        if (kind == FB_MESSAGE_MATCH_ASK)
            message.match_ask.key_count = 0;
        uint32_t size = fb_wire_put_message(bytes, &message, NULL, 0);
        assert_int_equal(size, FB_WIRE_HEADER_BYTES + FB_WIRE_MESSAGE_BYTES);
        assert_int_equal(size, FB_WIRE_HEADER_BYTES + fb_message_size_bytes(&message));
        assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
        assert_messages_equal(&frame.message, &message);
        XXH3_64bits_update(hash, bytes + FB_WIRE_HEADER_BYTES, FB_WIRE_MESSAGE_BYTES);
    }
    assert_true(XXH3_64bits_digest(hash) == UINT64_C(0xd743462212070ca));
    XXH3_freeState(hash);
}

/* What the simulator takes for a frame's header, and for a list of keys. */
static void put_message_is_as_long_as_models_say(void **state)
{
    (void)state;
    static const char *const names[] = {"cluster.transport=tcp", "cluster.transport=tcp-tls",
                                        "cluster.transport=rdma", "cluster.transport=cluster-tcp"};
    enum { RECORD_BYTES = 22 }; /* TLS adds to what it encrypts at once */
    static struct fb_scenario scenario;
    for (uint32_t i = 0; i < 4; i++) {
        struct fb_error error = {.text = ""};
        fb_scenario_load("experiments/quickstart.yaml", &names[i], 1, NULL, &scenario, &error);
        assert_string_equal(error.text, "");
        uint64_t more = i == 1 ? RECORD_BYTES : 0;
        assert_int_equal(scenario.transport.header_bytes, FB_WIRE_HEADER_BYTES + more);
        fb_scenario_free(&scenario);
    }
    const struct fb_key keys[3] = {{.low = 1}, {.low = 2}, {.low = 3}};
    const struct fb_message message = {.kind = FB_MESSAGE_MATCH_ASK,
                                       .match_ask = {.keys = keys, .key_count = 3}};
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    assert_int_equal(fb_wire_put_message(bytes, &message, NULL, 0),
                     FB_WIRE_HEADER_BYTES + fb_message_size_bytes(&message));
}

static void message_of_a_later_kind_says_who_sent_it(void **state)
{
    (void)state;
    const struct fb_message message = message_of_kind(FB_MESSAGE_ABANDON + 1);
    const struct fb_message expected = {.kind = FB_MESSAGE_ABANDON + 1, .source = message.source};
    assert_true(message.source != 0);
    assert_messages_equal(&message, &expected);
}

static void put_message_with_object_comes_back(void **state)
{
    (void)state;
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    const char *fault = NULL;
    struct fb_object object = object_make("weights/layer-01");
    struct fb_message message = message_make(&object);
    uint32_t size = fb_wire_put_message(bytes, &message, &object, 0);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_int_equal(frame.header.kind, FB_WIRE_MESSAGE);
    assert_messages_equal(&frame.message, &message);
    assert_string_equal(frame.object.name, object.name);
    assert_true(frame.object.handle == object.handle);
    assert_true(frame.object.size == object.size);
    assert_false(frame.object.is_cached);
    object.is_cached = true;
    size = fb_wire_put_message(bytes, &message, &object, 0);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_true(frame.object.is_cached);
    assert_string_equal(frame.object.name, object.name);
}

static void put_message_with_keys_comes_back(void **state)
{
    (void)state;
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    struct fb_key keys[FB_MATCH_KEYS_MAX];
    const char *fault = NULL;
    for (uint32_t i = 0; i < FB_MATCH_KEYS_MAX; i++)
        keys[i] = (struct fb_key){.high = i, .low = ~(uint64_t)i};
    const struct fb_message message = {
        .kind = FB_MESSAGE_MATCH_ASK,
        .source = 5,
        .match_ask = {.ask_id = 6, .keys = keys, .key_count = FB_MATCH_KEYS_MAX}};
    uint32_t size = fb_wire_put_message(bytes, &message, NULL, 0);
    assert_true(size <= FB_WIRE_FRAME_MAX);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_messages_equal(&frame.message, &message);
    assert_memory_equal(frame.message.match_ask.keys, keys, sizeof(keys));
    assert_int_equal(frame.object.name_length, 0);
}

static void bytes_behind_a_message_are_what_it_offers(void **state)
{
    (void)state;
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    const char *fault = NULL;
    struct fb_message message = {
        .kind = FB_MESSAGE_OFFER, .source = 5, .offer = {.span = {.size = FB_WIRE_OFFERED_MAX}}};
    uint32_t size = fb_wire_put_message(bytes, &message, NULL, FB_WIRE_OFFERED_MAX);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_int_equal(frame.header.value, FB_WIRE_OFFERED_MAX);
    message.offer.span.size++;
    size = fb_wire_put_message(bytes, &message, NULL, FB_WIRE_OFFERED_MAX + 1);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), -1);
    message =
        (struct fb_message){.kind = FB_MESSAGE_HOLD, .source = 5, .hold = {.span = {.size = 1}}};
    size = fb_wire_put_message(bytes, &message, NULL, 1);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), -1);
    assert_non_null(fault);
}

static void put_others_come_back(void **state)
{
    (void)state;
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    const char *fault = NULL;
    const struct fb_wire_hello hello = {
        .cluster = 1, .block_size_bytes = 2, .target = 3, .is_for_pulls = 1};
    uint32_t size = fb_wire_put_hello(bytes, 4, &hello);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_memory_equal(&frame.hello, &hello, sizeof(hello));
    assert_int_equal(frame.header.source, 4);
    const struct fb_wire_pull pull = {.offset = 5, .size = 6};
    size = fb_wire_put_pull(bytes, 4, 7, &pull);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_memory_equal(&frame.pull, &pull, sizeof(pull));
    assert_int_equal(frame.header.id, 7);
    size = fb_wire_put_answer(bytes, FB_WIRE_BYTES, 4, 8, 9);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_int_equal(frame.header.kind, FB_WIRE_BYTES);
    assert_int_equal(frame.header.value, 9);
}

static void take_cut_frame_wants_more(void **state)
{
    (void)state;
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    const char *fault = NULL;
    struct fb_object object = object_make("a/b");
    struct fb_message message = message_make(&object);
    uint32_t size = fb_wire_put_message(bytes, &message, &object, 0);
    for (uint32_t cut = 0; cut < size; cut++)
        assert_int_equal(fb_wire_take(bytes, cut, &frame, &fault), 0);
}

static void take_changed_bit_refuses(void **state)
{
    (void)state;
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    struct fb_object object = object_make("a/b");
    struct fb_message message = message_make(&object);
    uint32_t size = fb_wire_put_message(bytes, &message, &object, 0);
    for (uint32_t bit = 0; bit < size * 8; bit++) {
        const char *fault = NULL;
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        int32_t taken = fb_wire_take(bytes, size, &frame, &fault);
        assert_true(taken <= 0); /* 0: a longer frame is announced */
        if (taken < 0)
            assert_non_null(fault);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

/* A header with the right checksum for the payload behind it. */
static void header_fit(unsigned char *bytes, struct fb_wire_header header)
{
    header.magic = FB_WIRE_MAGIC;
    header.version = FB_WIRE_VERSION;
    header.checksum = 0;
    header.checksum = XXH3_64bits_withSeed(bytes + sizeof(header), header.payload_size,
                                           XXH3_64bits(&header, sizeof(header)));
    memcpy(bytes, &header, sizeof(header));
}

static void take_object_of_a_kind_that_has_none_leaves_it(void **state)
{
    (void)state;
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    struct fb_wire_header header;
    const char *fault = NULL;
    struct fb_object object = object_make("a/b");
    struct fb_message message = message_make(&object);
    uint32_t size = fb_wire_put_message(bytes, &message, &object, 0);
    memcpy(&header, bytes, sizeof(header));
    bytes[FB_WIRE_HEADER_BYTES] = FB_MESSAGE_SEEK;
    header_fit(bytes, header);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_int_equal(frame.message.kind, FB_MESSAGE_SEEK);
    assert_int_equal(frame.message.seek.key.low, message.ask.block.key.low);
    assert_int_equal(frame.object.name_length, 0);
}

static void take_made_up_payload_stays_inside(void **state)
{
    (void)state;
    struct fb_random random;
    uint32_t fine = 0, refused = 0;
    fb_random_init(&random, first_seed);
    for (uint32_t round = 0; round < 20000; round++) {
        static struct fb_wire_frame frame;
        const char *fault = NULL;
        struct fb_wire_header header = {
            .kind = (uint8_t)fb_random_below(&random, 8),
            .source = 5,
            .payload_size = (uint32_t)fb_random_below(&random, round % 2 ? 40 : 400)};
        unsigned char *bytes = malloc(sizeof(header) + header.payload_size);
        assert_non_null(bytes);
        for (uint32_t i = 0; i < header.payload_size; i++)
            bytes[sizeof(header) + i] =
                (unsigned char)fb_random_below(&random, round % 3 ? 4 : 256);
        header_fit(bytes, header);
        int32_t taken =
            fb_wire_take(bytes, (uint32_t)sizeof(header) + header.payload_size, &frame, &fault);
        assert_true(taken != 0);
        fine += taken > 0;
        refused += taken < 0;
        free(bytes);
    }
    assert_true(fine > 0 && refused > 0);
}

/* A message with an object's name that is `name`; returns what is wrong with it. */
static const char *name_fault(const char *name, uint32_t length)
{
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    const char *fault = NULL;
    struct fb_object object = {.size = 1, .name_length = length};
    memcpy(object.name, name, length);
    fb_object_identify(&object);
    struct fb_message message = message_make(&object);
    uint32_t size = fb_wire_put_message(bytes, &message, &object, 0);
    assert_true(fb_wire_take(bytes, size, &frame, &fault) != 0);
    return fault;
}

static void take_name_that_leads_out_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"..", "../a",  "a/../b",          "/a", "a//b", "a/",
                                      ".",  "a/./b", ".forebay-parts/1"};
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(name_fault(bad[i], (uint32_t)strlen(bad[i])));
    assert_non_null(name_fault("a\0b", 3));
    assert_null(name_fault("a..b/..c", 8));
    assert_null(name_fault("\x01\xff \n", 4));
}

static void take_foreign_bytes_refuses(void **state)
{
    (void)state;
    static struct fb_wire_frame frame;
    const char *fault = NULL;
    static const unsigned char http[64] = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    assert_int_equal(fb_wire_take(http, sizeof(http), &frame, &fault), -1);
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    struct fb_wire_header header = {.kind = FB_WIRE_MESSAGE};
    header_fit(bytes, header);
    header.magic = FB_WIRE_MAGIC;
    header.version = FB_WIRE_VERSION;
    header.payload_size = FB_WIRE_PAYLOAD_MAX + 1;
    memcpy(bytes, &header, sizeof(header));
    assert_int_equal(fb_wire_take(bytes, sizeof(header), &frame, &fault), -1);
    assert_non_null(strstr(fault, "too long"));
}

/* What a later release adds is left, what an older one has not got is 0. */
static void summary_of_any_release_is_understood(void **state)
{
    (void)state;
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    const char *fault = NULL;
    struct fb_wire_summary summary;
    enum { FIELDS = sizeof(summary) / sizeof(uint64_t) };
    uint64_t values[FIELDS + 3], taken[FIELDS];
    for (uint32_t i = 0; i < FIELDS + 3; i++)
        values[i] = 100 + i;
    memcpy(&summary, values, sizeof(summary));
    uint32_t size = fb_wire_put_summary(bytes, 5, &summary, true);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_int_equal(frame.header.version, 3);
    assert_int_equal(frame.header.value, 1);
    assert_memory_equal(&frame.summary, &summary, sizeof(summary));
    for (uint32_t count = 1; count <= FIELDS + 3; count++) {
        struct fb_wire_header header = {
            .kind = FB_WIRE_SUMMARY, .source = 5, .payload_size = count * 8};
        memcpy(bytes + sizeof(header), values, count * 8);
        header_fit(bytes, header);
        assert_true(fb_wire_take(bytes, sizeof(header) + count * 8, &frame, &fault) > 0);
        memcpy(taken, &frame.summary, sizeof(taken));
        for (uint32_t i = 0; i < FIELDS; i++)
            assert_int_equal(taken[i], i < count ? values[i] : 0);
        header.payload_size--;
        header_fit(bytes, header);
        assert_int_equal(fb_wire_take(bytes, sizeof(header) + count * 8, &frame, &fault), -1);
    }
}

/* Members of neighbouring releases agree; a frame that is older than its kind, or of a version that
 * is not spoken, ends the connection. */
static void greeting_tells_the_newest_version(void **state)
{
    (void)state;
    static const struct {
        uint64_t told;
        uint8_t both;
    } cases[] = {{0, 2}, {1, 2}, {2, 2}, {3, 3}, {4, 3}, {UINT64_MAX, 3}};
    unsigned char bytes[FB_WIRE_FRAME_MAX];
    static struct fb_wire_frame frame;
    const char *fault = NULL;
    const struct fb_wire_hello hello = {.cluster = 1, .block_size_bytes = 4096, .target = 2};
    uint32_t size = fb_wire_put_hello(bytes, 5, &hello);
    assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), size);
    assert_int_equal(frame.header.version, FB_WIRE_VERSION_MIN); /* an older release takes it */
    assert_int_equal(fb_wire_version(&frame.header), FB_WIRE_VERSION);
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        frame.header.value = cases[i].told;
        assert_int_equal(fb_wire_version(&frame.header), cases[i].both);
    }
    static const uint8_t others[] = {0, FB_WIRE_VERSION_MIN - 1, FB_WIRE_VERSION + 1, 255};
    for (uint32_t i = 0; i < sizeof(others); i++) {
        bytes[4] = others[i];
        assert_int_equal(fb_wire_take(bytes, size, &frame, &fault), -1);
        assert_non_null(strstr(fault, "another wire version"));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    printf("seed %llu\n", (unsigned long long)first_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_message_with_object_comes_back),
        cmocka_unit_test(put_message_with_keys_comes_back),
        cmocka_unit_test(put_message_of_each_kind_is_as_releases_know_it),
        cmocka_unit_test(put_message_is_as_long_as_models_say),
        cmocka_unit_test(message_of_a_later_kind_says_who_sent_it),
        cmocka_unit_test(bytes_behind_a_message_are_what_it_offers),
        cmocka_unit_test(put_others_come_back),
        cmocka_unit_test(take_cut_frame_wants_more),
        cmocka_unit_test(take_changed_bit_refuses),
        cmocka_unit_test(take_object_of_a_kind_that_has_none_leaves_it),
        cmocka_unit_test(take_made_up_payload_stays_inside),
        cmocka_unit_test(take_name_that_leads_out_refuses),
        cmocka_unit_test(take_foreign_bytes_refuses),
        cmocka_unit_test(summary_of_any_release_is_understood),
        cmocka_unit_test(greeting_tells_the_newest_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
