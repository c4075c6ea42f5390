/* hw/drive/head.c, hw/drive/headers.c, hw/drive/headers_open.c over a drive in memory: whatever
 * happens to the drive or to the settings between two starts, what was acknowledged and not settled
 * is found again with its name, or the start is refused and has written nothing. How: power is lost
 * after every write of a history, with each write that was not synced lost, torn at sectors or
 * kept; every byte of every head is changed, and of headers and names; the file is cut short; every
 * setting is changed.
 *
 * usage: test_hw_drive_matrix [--all]   --all: more histories, every byte instead of a sample */
#include "hw/drive/headers.h"

#include "core/index/random.h"
#include "hw/base/log.h"
#include "tests/hw/fake_drive.h"

#include <stdio.h>

enum { BLOCK = 1 << 18, UNIT = BLOCK / 64, CHUNKS = 3, UNITS = CHUNKS * 64, STEPS = 60 };
enum { NOTE_ACKED, NOTE_SETTLED };

static bool is_all;
static struct {
    uint64_t cuts, starts, refused, flips, settings;
} counts;

/* What the history put on the drive: every header by its number, which is its digest. */
static struct {
    struct fb_header headers[4096];
    uint32_t header_count;
    uint32_t owed[UNITS]; /* number of the owed header whose first unit it is; 0: none */
} model;

static struct fb_settings settings_make(void)
{
    struct fb_settings settings = {.cluster = "test", .node = 3, .device_path = "fake"};
    settings.core.block_size_bytes = BLOCK;
    settings.core.device_size_bytes = CHUNKS * BLOCK;
    settings.core.recover = 1;
    return settings;
}

static struct fb_object object_of(uint32_t number)
{
    struct fb_object object = {.version = number};
    uint32_t width = number % 3 == 0 ? 0 : number % 3 == 1 ? 470 : 1000; /* 1 to 3 sectors */
    object.name_length =
        (uint32_t)snprintf(object.name, FB_OBJECT_NAME_MAX, "folder/of/%0*u", (int)width, number);
    fb_object_identify(&object);
    return object;
}

/* A crash: nothing more is written. */
static void drop(struct fb_headers *headers)
{
    headers->is_open = false;
    fb_headers_close(headers);
}

static bool start(struct fb_headers *headers, const struct fb_settings *settings, char text[512])
{
    struct fb_error error = {.text = ""};
    fb_headers_open(headers, settings, &error);
    memcpy(text, error.text, sizeof(error.text));
    counts.starts++;
    return !fb_error_is_set(&error);
}

static bool is_free(uint32_t first, uint32_t count)
{
    for (uint32_t unit = first / 64 * 64; unit < first + count; unit++) {
        uint32_t number = model.owed[unit];
        if (number != 0 && unit + model.headers[number].size / UNIT > first)
            return false;
    }
    return true;
}

/* As the core does: nothing is written over what is owed. */
static void step_put(struct fb_headers *headers, struct fb_random *random)
{
    uint32_t first = (uint32_t)fb_random_below(random, UNITS);
    uint32_t count = 1 + (uint32_t)fb_random_below(random, 64 - first % 64);
    bool is_owed = fb_random_below(random, 3) > 0;
    if (!is_free(first, count))
        return;
    uint32_t number = ++model.header_count;
    struct fb_object object = object_of(number);
    model.headers[number] = (struct fb_header){.key = {.high = number, .low = 7},
                                               .object = object.handle,
                                               .digest = number,
                                               .position = first * (uint64_t)UNIT,
                                               .size = count * UNIT,
                                               .state = is_owed ? FB_HEADER_OWED : FB_HEADER_CLEAN};
    if (is_owed) {
        assert_int_equal(fb_headers_name_put(headers, first * (uint64_t)UNIT, &object), FB_OK);
        assert_int_equal(fb_drive_io_sync(headers->file), 0);
    }
    assert_int_equal(fb_headers_put(headers, &model.headers[number]), FB_OK);
    if (!is_owed)
        return;
    model.owed[first] = number;
    assert_int_equal(fb_drive_io_sync(headers->file), 0);
    fake_note(NOTE_ACKED, number);
}

static void step_settle(struct fb_headers *headers, struct fb_random *random)
{
    uint32_t unit = (uint32_t)fb_random_below(random, UNITS);
    for (uint32_t i = 0; i < UNITS; i++, unit = (unit + 1) % UNITS) {
        if (model.owed[unit] == 0)
            continue;
        fake_note(NOTE_SETTLED, model.owed[unit]);
        fb_headers_settle(headers, unit * (uint64_t)UNIT);
        model.owed[unit] = 0;
        return;
    }
}

static void settle_all(struct fb_headers *headers)
{
    struct fb_random random;
    fb_random_init(&random, 1);
    for (uint32_t i = 0; i < UNITS; i++)
        step_settle(headers, &random);
    assert_int_equal(headers->owed_blocks, 0);
}

/* Lives of a daemon: some end in a crash, some well, one with nothing owed. */
static void history(uint64_t seed)
{
    struct fb_settings settings = settings_make();
    struct fb_random random;
    struct fb_headers headers;
    char text[512];
    fb_random_init(&random, seed);
    memset(&model, 0, sizeof(model));
    fake_begin();
    for (uint32_t life = 0; life < 4; life++) {
        assert_true(start(&headers, &settings, text));
        assert_int_equal(headers.is_new, life == 0);
        for (uint32_t i = 0; i < STEPS / 4; i++) {
            if (fb_random_below(&random, 3) > 0)
                step_put(&headers, &random);
            else
                step_settle(&headers, &random);
        }
        if (life == 1)
            settle_all(&headers);
        if (fb_random_below(&random, 2) == 0)
            drop(&headers);
        else
            fb_headers_close(&headers);
    }
}

/* Every header in must_have is found, owed and with its name; what else is found was put once. */
static void find_all(struct fb_headers *headers, const bool *must_have)
{
    static bool is_found[4096];
    uint64_t cursor = 0;
    memset(is_found, 0, sizeof(is_found));
    for (;;) {
        struct fb_done done = {.status = FB_OK};
        struct fb_object object, right;
        fb_headers_scan(headers, cursor, &done);
        if (done.status != FB_OK)
            break;
        uint32_t number = (uint32_t)done.header.digest;
        assert_true(done.next > cursor && number > 0 && number <= model.header_count);
        cursor = done.next;
        if (done.header.state != FB_HEADER_OWED)
            continue;
        right = object_of(number);
        assert_int_equal(fb_headers_name(headers, &done.header, &object), FB_HEADER_NAME_FINE);
        assert_string_equal(object.name, right.name);
        assert_true(object.handle == model.headers[number].object);
        assert_memory_equal(&done.header, &model.headers[number],
                            offsetof(struct fb_header, checksum) - sizeof(uint32_t));
        is_found[number] = true;
    }
    for (uint32_t number = 1; number <= model.header_count; number++) {
        if (must_have[number] && !is_found[number])
            fail_msg("header %u was acknowledged and is lost", number);
    }
}

/* A history's events, kept while others are made. */
struct tape {
    struct fake_event *events;
    unsigned char *store;
    uint32_t count;
};

static struct tape tape_take(void)
{
    struct tape tape = {.events = malloc(sizeof(fake.events)),
                        .store = malloc(fake.stored + 1),
                        .count = fake.event_count};
    assert_true(tape.events != NULL && tape.store != NULL);
    memcpy(tape.events, fake.events, sizeof(fake.events));
    memcpy(tape.store, fake.store, fake.stored);
    return tape;
}

static void tape_free(struct tape *tape)
{
    free(tape->events);
    free(tape->store);
}

/* How the writes that were not synced fare: one of them is special, the others are kept or not. */
struct loss {
    uint32_t special;      /* which of them; none: FB_NONE */
    uint32_t first, count; /* sectors of it that arrive */
    bool keeps_others;
    uint64_t lottery; /* not 0: a bit says which are kept */
};

static void event_play(const struct tape *tape, const struct fake_event *event,
                       const struct loss *loss, uint32_t index)
{
    uint64_t from = 0, to = event->size;
    bool is_kept = loss->lottery != 0 ? loss->lottery >> index % 64 & 1 : loss->keeps_others;
    if (index == loss->special) {
        from = (uint64_t)loss->first * FAKE_SECTOR;
        to = from + (uint64_t)loss->count * FAKE_SECTOR;
        to = to < event->size ? to : event->size;
    } else if (!is_kept) {
        return;
    }
    if (from < to)
        fake_put(tape->store + event->at + from, to - from, event->offset + from);
}

/* The drive as it is when power is lost before event `end`. Returns writes that were not synced. */
static uint32_t tape_play(const struct tape *tape, uint32_t end, const struct loss *loss,
                          bool *must_have)
{
    uint32_t synced = 0, unsynced = 0;
    uint64_t size = fake.size;
    fake_clear();
    fake.event_count = fake.stored = 0;
    memset(must_have, 0, sizeof(bool) * 4096);
    for (uint32_t i = 0; i < end; i++)
        synced = tape->events[i].kind == FAKE_SYNC ? i : synced;
    for (uint32_t i = 0; i < end; i++) {
        const struct fake_event *event = &tape->events[i];
        if (event->kind == FAKE_NOTE)
            must_have[event->detail] = event->note == NOTE_ACKED;
        else if (event->kind == FAKE_WRITE && i < synced)
            fake_put(tape->store + event->at, event->size, event->offset);
        else if (event->kind == FAKE_WRITE)
            event_play(tape, event, loss, unsynced++);
    }
    fake.size = size;
    return unsynced;
}

/* After a loss of power a start is fine, and nothing that was acknowledged is lost; nor after a
 * second loss while the first is mended. */
static void cut_try(const struct tape *tape, uint32_t end, const struct loss *loss, bool is_again)
{
    static bool must_have[4096];
    struct fb_settings settings = settings_make();
    struct fb_headers headers;
    char text[512];
    tape_play(tape, end, loss, must_have);
    struct fake_image image = is_again ? fake_save() : (struct fake_image){.size = 0};
    counts.cuts++;
    if (!start(&headers, &settings, text))
        fail_msg("cut %u: %s", end, text);
    find_all(&headers, must_have);
    struct tape mending = is_again ? tape_take() : (struct tape){.count = 0};
    drop(&headers);
    for (uint32_t again = 0; again < mending.count; again++) {
        fake_load(&image);
        for (uint32_t i = 0; i < again; i++) {
            const struct fake_event *event = &mending.events[i];
            if (event->kind == FAKE_WRITE)
                fake_put(mending.store + event->at, event->size / (i + 1 == again ? 2 : 1),
                         event->offset);
        }
        counts.cuts++;
        if (!start(&headers, &settings, text))
            fail_msg("cut %u, again at %u: %s", end, again, text);
        find_all(&headers, must_have);
        drop(&headers);
    }
    tape_free(&mending);
    free(image.bytes);
}

static void cut_all_ways(const struct tape *tape, uint32_t end, struct fb_random *random)
{
    static bool must_have[4096];
    struct loss loss = {.special = FB_NONE};
    uint32_t unsynced = tape_play(tape, end, &loss, must_have);
    cut_try(tape, end, &loss, end % 16 == 0);
    loss.keeps_others = true;
    cut_try(tape, end, &loss, false);
    for (uint32_t i = 0; i < unsynced; i++) {
        static const uint32_t torn[][2] = {{0, 0}, {0, 1}, {0, 4}, {4, 4}, {1, 7}, {0, 8}};
        for (uint32_t k = 0; k < sizeof(torn) / sizeof(torn[0]); k++) {
            loss = (struct loss){.special = i,
                                 .first = torn[k][0],
                                 .count = torn[k][1],
                                 .keeps_others = fb_random_below(random, 2)};
            cut_try(tape, end, &loss, false);
        }
        loss =
            (struct loss){.special = FB_NONE, .lottery = fb_random_below(random, UINT64_MAX) | 1};
        cut_try(tape, end, &loss, false);
    }
}

static void power_lost_after_any_write_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (is_all ? 24 : 1); seed++) {
        struct fb_random random;
        fb_random_init(&random, seed);
        history(seed);
        struct tape tape = tape_take();
        for (uint32_t end = 0; end <= tape.count; end++)
            cut_all_ways(&tape, end, &random);
        tape_free(&tape);
    }
    printf("power: %llu cuts, nothing lost, none refused\n", (unsigned long long)counts.cuts);
}

/* The drive of a daemon that was killed while blocks are owed. */
static struct fake_image owed_make(bool *must_have)
{
    struct fb_settings settings = settings_make();
    struct fb_headers headers;
    struct fb_random random;
    char text[512];
    history(7);
    fb_random_init(&random, 99);
    assert_true(start(&headers, &settings, text));
    settle_all(&headers);
    while (headers.owed_blocks < 6)
        step_put(&headers, &random);
    drop(&headers);
    memset(must_have, 0, sizeof(bool) * 4096);
    for (uint32_t unit = 0; unit < UNITS; unit++)
        must_have[model.owed[unit]] = true;
    must_have[0] = false;
    return fake_save();
}

enum outcome { ALL_THERE, REFUSED, EITHER };

/* Starts with the drive as it is. Refused: nothing was written. */
static void start_try(const struct fb_settings *settings, enum outcome right, const bool *must_have,
                      const char *part, const char *what)
{
    struct fb_headers headers;
    char text[512];
    uint64_t writes = fake.writes, size = fake.size;
    bool is_fine = start(&headers, settings, text);
    if (is_fine ? right == REFUSED : right == ALL_THERE)
        fail_msg("%s: %s", what, is_fine ? "was taken" : text);
    if (is_fine) {
        find_all(&headers, must_have);
    } else {
        counts.refused++;
        assert_true(fake.writes == writes && fake.size == size);
        assert_null(strchr(text, '\n'));
        if (strstr(text, part) == NULL || strstr(text, "--discard-owed") == NULL)
            fail_msg("%s: no \"%s\" or no remedy in: %s", what, part, text);
    }
    drop(&headers);
}

static void flip_try(const struct fake_image *image, uint64_t offset, uint64_t other,
                     enum outcome right, const bool *must_have)
{
    struct fb_settings settings = settings_make();
    fake_load(image);
    fake.bytes[offset] ^= (unsigned char)(1u << offset % 8);
    if (other != 0)
        fake.bytes[other] ^= (unsigned char)(1u << offset % 8);
    counts.flips++;
    start_try(&settings, right, must_have, "bytes", "a flipped bit");
}

static void head_with_any_byte_changed_is_made_again(void **state)
{
    (void)state;
    static bool must_have[4096];
    const struct fb_drive_layout layout = fb_drive_layout_of(CHUNKS * BLOCK, BLOCK);
    struct fake_image image = owed_make(must_have);
    for (uint32_t copy = 0; copy < FB_HEAD_COPIES; copy++) {
        for (uint32_t at = 0; at < FB_DRIVE_PAGE_BYTES; at++) {
            if (is_all || at < 128 || at >= FB_DRIVE_PAGE_BYTES - 8 || at % 64 == 0)
                flip_try(&image, fb_head_offset(&layout, copy) + at, 0, ALL_THERE, must_have);
        }
    }
    free(image.bytes);
}

/* Whole copies: as long as one is left, all is there. When none is, the start is refused. */
static void heads_that_are_gone_are_made_again_or_refuse(void **state)
{
    (void)state;
    static bool must_have[4096];
    const struct fb_drive_layout layout = fb_drive_layout_of(CHUNKS * BLOCK, BLOCK);
    struct fb_settings settings = settings_make();
    struct fake_image image = owed_make(must_have);
    static const unsigned char fills[] = {0, 0xff, 'F'};
    for (uint32_t gone = 1; gone < 1u << FB_HEAD_COPIES; gone++) {
        for (uint32_t k = 0; k < sizeof(fills); k++) {
            fake_load(&image);
            for (uint32_t copy = 0; copy < FB_HEAD_COPIES; copy++) {
                if (gone >> copy & 1)
                    memset(fake.bytes + fb_head_offset(&layout, copy), fills[k], FAKE_PAGE);
            }
            counts.flips++;
            start_try(&settings, gone + 1 == 1u << FB_HEAD_COPIES ? REFUSED : ALL_THERE, must_have,
                      "not known", "heads are gone");
        }
    }
    free(image.bytes);
}

static void header_or_name_with_any_byte_changed_is_never_empty(void **state)
{
    (void)state;
    static bool must_have[4096];
    const struct fb_drive_layout layout = fb_drive_layout_of(CHUNKS * BLOCK, BLOCK);
    struct fake_image image = owed_make(must_have);
    for (uint32_t unit = 0; unit < UNITS; unit++) {
        uint64_t first = layout.tables[0] + unit * sizeof(struct fb_header);
        uint64_t second = layout.tables[1] + unit * sizeof(struct fb_header);
        bool is_owed = model.owed[unit] != 0;
        for (uint32_t at = 0; at < sizeof(struct fb_header); at += is_owed || is_all ? 1 : 16) {
            flip_try(&image, first + at, 0, ALL_THERE, must_have);
            flip_try(&image, second + at, 0, ALL_THERE, must_have);
            flip_try(&image, first + at, second + at, REFUSED, must_have);
        }
        uint32_t parts = (object_of(model.owed[unit]).name_length + 479) / 480;
        for (uint32_t at = 0; at < parts * 512 && is_owed; at += is_all || at < 64 ? 1 : 31)
            flip_try(&image, layout.names + unit * (uint64_t)FB_DRIVE_NAME_BYTES + at, 0, REFUSED,
                     must_have);
    }
    free(image.bytes);
}

static void pages_and_ends_that_are_gone_are_never_empty(void **state)
{
    (void)state;
    static bool must_have[4096];
    const struct fb_drive_layout layout = fb_drive_layout_of(CHUNKS * BLOCK, BLOCK);
    struct fb_settings settings = settings_make();
    struct fake_image image = owed_make(must_have);
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        for (uint32_t gone = 1; gone < 4; gone++) {
            fake_load(&image);
            for (uint32_t table = 0; table < FB_DRIVE_TABLES; table++) {
                if (gone >> table & 1)
                    memset(fake.bytes + layout.tables[table] + chunk * FAKE_PAGE, 0, FAKE_PAGE);
            }
            counts.flips++;
            start_try(&settings, gone == 3 ? REFUSED : ALL_THERE, must_have, "headers are damaged",
                      "pages are gone");
        }
    }
    for (uint64_t size = FAKE_PAGE; size < layout.total_bytes; size += FAKE_PAGE) {
        fake_load(&image);
        fake.size = size;
        memset(fake.bytes + size, 0, FAKE_BYTES_MAX - size);
        counts.flips++;
        start_try(&settings, size < layout.tail ? EITHER : ALL_THERE, must_have, "bytes",
                  "the file is cut short");
    }
    printf("damage: %llu changes, %llu starts refused, nothing lost\n",
           (unsigned long long)counts.flips, (unsigned long long)counts.refused);
    free(image.bytes);
}

/* The settings of a start with one of them changed; false: there are no more. */
static bool setting_change(uint32_t which, struct fb_settings *settings, const char **part)
{
    *settings = settings_make();
    *part = "bytes are owed on it";
    switch (which) {
    case 0:
        settings->core.device_size_bytes += BLOCK;
        return true;
    case 1:
        settings->core.device_size_bytes -= BLOCK;
        return true;
    case 2:
        settings->core.device_size_bytes += UNIT;
        return true;
    case 3:
        settings->core.device_size_bytes *= 2;
        return true;
    case 4:
        settings->core.block_size_bytes *= 2;
        return true;
    case 5:
        settings->node++;
        return true;
    case 6:
        strcpy(settings->cluster, "other");
        return true;
    case 7:
        settings->core.recover = 0;
        return true;
    default:
        return false;
    }
}

static void changed_setting_is_refused_while_something_is_owed(void **state)
{
    (void)state;
    static bool must_have[4096], nothing[4096];
    struct fb_settings settings, old = settings_make();
    struct fake_image image = owed_make(must_have);
    const char *part;
    for (uint32_t which = 0; setting_change(which, &settings, &part); which++) {
        struct fb_headers headers;
        char text[512];
        fake_load(&image);
        counts.settings++;
        start_try(&settings, REFUSED, must_have, part, "a changed setting");
        start_try(&old, ALL_THERE, must_have, part, "the setting as it was");
        settings.may_discard_owed = true;
        assert_true(start(&headers, &settings, text));
        assert_true(headers.is_new && headers.discarded_blocks == 6);
        assert_true(headers.discarded_bytes > 0 && headers.owed_blocks == 0);
        find_all(&headers, nothing);
        drop(&headers);
    }
    free(image.bytes);
}

/* Sizes may change when nothing is owed, whether that was said at the end or not, and a loss of
 * power while the tables are made again leaves a drive that either settings can start with. */
static void sizes_change_while_nothing_is_owed(void **state)
{
    (void)state;
    static bool must_have[4096];
    struct fb_settings settings, old = settings_make();
    struct fb_headers headers;
    char text[512];
    const char *part;
    for (uint32_t which = 0; setting_change(which, &settings, &part); which++) {
        bool is_cut = which < 5;
        struct fake_image owed = owed_make(must_have);
        assert_true(start(&headers, &old, text));
        settle_all(&headers);
        if (which % 2 == 0)
            fb_headers_close(&headers);
        else
            drop(&headers);
        memset(must_have, 0, sizeof(must_have));
        struct fake_image image = fake_save();
        fake_load(&image);
        counts.settings++;
        start_try(&settings, which == 5 || which == 6 ? REFUSED : ALL_THERE, must_have,
                  "0 bytes are owed", "nothing is owed");
        struct tape tape = tape_take();
        for (uint32_t end = 0; end < tape.count && is_cut; end++) {
            fake_load(&image);
            for (uint32_t i = 0; i < end; i++) {
                if (tape.events[i].kind == FAKE_WRITE)
                    fake_put(tape.store + tape.events[i].at,
                             tape.events[i].size / (i + 1 == end ? 2 : 1), tape.events[i].offset);
            }
            fake.size = FAKE_BYTES_MAX;
            counts.cuts++;
            start_try(end % 2 == 0 ? &settings : &old, ALL_THERE, must_have, "", "a resize cut");
        }
        tape_free(&tape);
        free(image.bytes);
        free(owed.bytes);
    }
    printf("settings: %llu changes; %llu starts in all\n", (unsigned long long)counts.settings,
           (unsigned long long)counts.starts);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_lost_after_any_write_loses_nothing),
        cmocka_unit_test(head_with_any_byte_changed_is_made_again),
        cmocka_unit_test(heads_that_are_gone_are_made_again_or_refuse),
        cmocka_unit_test(header_or_name_with_any_byte_changed_is_never_empty),
        cmocka_unit_test(pages_and_ends_that_are_gone_are_never_empty),
        cmocka_unit_test(changed_setting_is_refused_while_something_is_owed),
        cmocka_unit_test(sizes_change_while_nothing_is_owed),
    };
    is_all = argc > 1 && strcmp(argv[1], "--all") == 0;
    fb_log_open(FB_LOG_ERROR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
