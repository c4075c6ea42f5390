/* hw/meta/meta_lmdb.c keeps R14: a PUT takes effect only at the version it expects, and answers
 * with the record as it is then; what was put is there after the store is opened anew; unfinished
 * records are listed until they are finished, page by page; names that no client could make are
 * listed as bad; attributes come back byte for byte; a name that goes with a PUT goes with it or
 * stays as it is. hw/meta/names.c: a record says what its facts
 * said; keys of KV spaces do not meet.
 * How: a store in a folder, its calls made on this thread; random writers against a plain array. */
#include "core/index/random.h"
#include "client/forebay.h"
#include "hw/meta/names.h"
#include "tests/support/temporary.h"
#include "tests/support/unit.h"
#include "hw/meta/meta_backend.h"

#include <sys/stat.h>

enum { KEYS = 16, ROUNDS = 2000 };

struct place {
    struct temporary temporary;
    struct fb_settings settings;
    struct fb_meta_store store;
    struct fb_meta_name names[KEYS];
};

static void store_open(struct place *place)
{
    struct fb_error error = {.text = ""};
    place->store = (struct fb_meta_store){.internal = NULL};
    fb_meta_lmdb_open(&place->store, &place->settings, &error);
    if (fb_error_is_set(&error))
        fail_msg("%s", error.text);
}

static int place_make(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    temporary_begin(&place->temporary);
    place->settings.metadata.kind = FB_METADATA_LMDB;
    place->settings.metadata.size_bytes = 16 << 20;
    strcpy(place->settings.metadata.path, place->temporary.folder);
    store_open(place);
    *state = place;
    return 0;
}

static int place_remove(void **state)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "owner.lock"};
    struct place *place = *state;
    place->store.close(&place->store);
    for (uint32_t i = 0; i < 3; i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", place->temporary.folder, files[i]);
        unlink(path);
    }
    temporary_end(&place->temporary);
    free(place);
    return 0;
}

/* Of a name of its own. */
static struct fb_meta_task task_make(enum fb_meta_verb verb, uint64_t key)
{
    struct fb_meta_task task = {.verb = verb};
    task.name.length = (uint32_t)snprintf(task.name.text, sizeof(task.name.text), "a/%d", (int)key);
    task.key = fb_name_key(task.name.text, task.name.length);
    return task;
}

static struct fb_meta_task list_make(struct fb_meta_name *names, uint32_t names_max)
{
    return (struct fb_meta_task){
        .verb = FB_META_VERB_PENDING, .names = names, .names_max = names_max};
}

static enum fb_status put(struct place *place, uint64_t key, uint64_t expected, uint64_t value,
                          struct fb_meta *record)
{
    struct fb_meta_task task = task_make(FB_META_VERB_PUT, key);
    task.record = (struct fb_meta){.version = expected, .value = {.high = value}, .size = value};
    task.is_pending = value % 2;
    enum fb_status status = place->store.run(&place->store, &task);
    *record = task.record;
    return status;
}

static enum fb_status get(struct place *place, uint64_t key, struct fb_meta *record)
{
    struct fb_meta_task task = task_make(FB_META_VERB_GET, key);
    enum fb_status status = place->store.run(&place->store, &task);
    *record = task.record;
    return status;
}

static uint32_t pending_count(struct place *place)
{
    struct fb_meta_task task = list_make(place->names, KEYS);
    assert_int_equal(place->store.run(&place->store, &task), FB_OK);
    for (uint32_t i = 0; i < task.name_count; i++)
        assert_memory_equal(place->names[i].text, "a/", 2);
    for (uint32_t i = 0; i < task.name_count; i++)
        assert_false(place->names[i].is_bad);
    return task.name_count;
}

static void listing_that_is_cut_says_so(void **state)
{
    struct place *place = *state;
    struct fb_meta record;
    for (uint64_t key = 0; key < 3; key++)
        assert_int_equal(put(place, key, 0, 1, &record), FB_OK);
    for (uint32_t room = 1; room <= 4; room++) {
        struct fb_meta_task task = list_make(place->names, room);
        assert_int_equal(place->store.run(&place->store, &task), FB_OK);
        assert_int_equal(task.name_count, room < 3 ? room : 3);
        assert_int_equal(task.is_cut, room < 3);
    }
}

static void listing_goes_on_behind_the_key_that_was_last(void **state)
{
    struct place *place = *state;
    struct fb_meta record;
    struct fb_meta_task task = list_make(place->names, 1);
    uint32_t found = 0;
    for (uint64_t key = 0; key < KEYS; key++)
        assert_int_equal(put(place, key, 0, 1, &record), FB_OK);
    for (task.is_cut = true; task.is_cut; found += task.name_count) {
        struct fb_key last = task.key;
        assert_int_equal(place->store.run(&place->store, &task), FB_OK);
        assert_true(task.names[0].key.high > last.high || found == 0);
        task.key =
            (struct fb_key){.high = task.names[0].key.high, .low = task.names[0].key.low + 1};
    }
    assert_int_equal(found, KEYS);
}

static void name_that_no_client_could_make_is_listed_as_bad(void **state)
{
    static const char *const texts[] = {"../x/y", "/x", "a//b", "a/./b", ".forebay-parts/x", ""};
    struct place *place = *state;
    for (uint32_t i = 0; i < 6; i++) {
        struct fb_meta_task task = {.verb = FB_META_VERB_PUT, .is_pending = true};
        task.name.length = (uint32_t)strlen(texts[i]);
        memcpy(task.name.text, texts[i], task.name.length);
        task.key = fb_name_key(texts[i], task.name.length);
        assert_int_equal(place->store.run(&place->store, &task), FB_OK);
    }
    struct fb_meta_task task = task_make(FB_META_VERB_PUT, 1);
    task.key.low++; /* another name's */
    task.is_pending = true;
    assert_int_equal(place->store.run(&place->store, &task), FB_OK);
    task = list_make(place->names, KEYS);
    assert_int_equal(place->store.run(&place->store, &task), FB_OK);
    assert_int_equal(task.name_count, 7);
    for (uint32_t i = 0; i < 7; i++)
        assert_true(place->names[i].is_bad);
}

static void attributes_are_what_the_last_commit_gave(void **state)
{
    struct place *place = *state;
    struct fb_meta_task task = task_make(FB_META_VERB_PUT, 1);
    task.attributes = (struct fb_meta_attributes){.length = FB_META_ATTRIBUTES_MAX};
    for (uint32_t i = 0; i < FB_META_ATTRIBUTES_MAX; i++)
        task.attributes.bytes[i] = (unsigned char)i; /* zeros, too */
    const struct fb_meta_attributes given = task.attributes;
    assert_int_equal(place->store.run(&place->store, &task), FB_OK);
    struct fb_meta_task keep = task_make(FB_META_VERB_PUT, 1);
    keep.record.version = 1;
    keep.keeps_attributes = true;
    assert_int_equal(place->store.run(&place->store, &keep), FB_OK);
    struct fb_meta_task look = task_make(FB_META_VERB_GET, 1);
    assert_int_equal(place->store.run(&place->store, &look), FB_OK);
    assert_int_equal(look.attributes.length, given.length);
    assert_memory_equal(look.attributes.bytes, given.bytes, given.length);
    struct fb_meta_task clear = task_make(FB_META_VERB_PUT, 1);
    clear.record.version = 2;
    assert_int_equal(place->store.run(&place->store, &clear), FB_OK);
    assert_int_equal(place->store.run(&place->store, &look), FB_OK);
    assert_int_equal(look.attributes.length, 0);
}

/* Of a record that another program wrote: at the limit they are there, and beyond it none. */
static void attributes_longer_than_any_are_none(void **state)
{
    (void)state;
    char text[FB_META_TEXT_MAX] = "name";
    for (uint32_t length = FB_META_ATTRIBUTES_MAX; length <= FB_META_ATTRIBUTES_MAX + 1; length++) {
        struct fb_meta_attributes attributes = {.length = 7};
        memset(text + 5, 'a', length);
        fb_meta_text_read(text, 5 + length, &attributes);
        assert_int_equal(attributes.length, length == FB_META_ATTRIBUTES_MAX ? length : 0);
    }
}

/* A folder's list, its names one behind the other. */
static void assert_listed(struct place *place, const char *folder, const char *after,
                          const char *wanted)
{
    struct fb_meta_name names[2]; /* pages of two */
    struct fb_meta_task task = {.verb = FB_META_VERB_ENTRIES, .names = names, .names_max = 2};
    char found[256] = "";
    task.key = fb_name_key(folder, (uint32_t)strlen(folder));
    task.name.length = (uint32_t)snprintf(task.name.text, sizeof(task.name.text), "%s", after);
    do {
        assert_int_equal(place->store.run(&place->store, &task), FB_OK);
        for (uint32_t i = 0; i < task.name_count; i++) {
            assert_int_equal(names[i].type, S_IFLNK);
            strcat(strcat(found, names[i].text), " ");
            task.name.length = names[i].length;
            strcpy(task.name.text, names[i].text);
        }
    } while (task.is_cut);
    assert_string_equal(found, wanted);
}

static struct fb_meta_task listing_make(const char *name, uint64_t expected,
                                        enum fb_meta_listing listing)
{
    struct fb_meta_task task = {.verb = FB_META_VERB_PUT, .listing = listing};
    task.name.length = (uint32_t)strlen(name);
    task.name.type = S_IFLNK;
    strcpy(task.name.text, name);
    task.key = fb_name_key(name, task.name.length);
    task.record.version = expected;
    return task;
}

static void list_of_a_folder_goes_with_its_records(void **state)
{
    static const char *const names[] = {"f/b", "f/a", "f/ab", "g", "f/a/c", "f", "f/z"};
    struct place *place = *state;
    for (uint32_t i = 0; i < 7; i++) {
        struct fb_meta_task task = listing_make(names[i], 0, FB_META_LIST_PUT);
        assert_int_equal(place->store.run(&place->store, &task), FB_OK);
    }
    assert_listed(place, "", "", "f g ");
    assert_listed(place, "f", "", "a ab b z ");
    assert_listed(place, "f", "ab", "b z ");
    assert_listed(place, "f/a", "", "c ");
    assert_listed(place, "nothing", "", "");
    struct fb_meta_task take = listing_make("f/b", 1, FB_META_LIST_TAKE);
    assert_int_equal(place->store.run(&place->store, &take), FB_OK);
    take = listing_make("f/z", 7, FB_META_LIST_TAKE); /* it is of version 1 */
    assert_int_equal(place->store.run(&place->store, &take), FB_CONFLICT);
    struct fb_meta_task keep = listing_make("f/ab", 1, FB_META_LIST_KEEP);
    assert_int_equal(place->store.run(&place->store, &keep), FB_OK);
    assert_listed(place, "f", "", "a ab z ");
}

/* What another program put between them: no client makes such names, nor of such a type. */
static void entries_that_no_client_makes_are_left_out(void **state)
{
    static const char *const names[] = {".", "..", ".stats", ".forebay-parts", ".accesslog"};
    struct place *place = *state;
    struct fb_meta_task task = listing_make("f/b", 0, FB_META_LIST_PUT);
    assert_int_equal(place->store.run(&place->store, &task), FB_OK);
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fb_meta_name entry = {.type = S_IFDIR, .length = (uint32_t)strlen(names[i])};
        strcpy(entry.text, names[i]);
        assert_false(fb_meta_entry_is_fine(&entry));
    }
    for (uint32_t type = 0; type < 3; type++) {
        task = listing_make(type == 0 ? "f/a" : type == 1 ? "f/aa" : "f/c", 0, FB_META_LIST_PUT);
        task.name.type = type == 0 ? 0 : type == 1 ? S_IFREG : S_IFLNK | 0777;
        assert_int_equal(place->store.run(&place->store, &task), FB_OK);
    }
    assert_listed(place, "f", "", "b ");
}

/* Of two who remove a folder and make something in it, whoever is second hears CONFLICT. */
static void folder_goes_only_while_its_list_is_empty(void **state)
{
    struct place *place = *state;
    struct fb_meta_task folder = listing_make("f", 0, FB_META_LIST_PUT);
    assert_int_equal(place->store.run(&place->store, &folder), FB_OK);
    struct fb_meta_task made = listing_make("f/a", 0, FB_META_LIST_PUT);
    made.folder = folder.key;
    made.folder_version = 2;
    assert_int_equal(place->store.run(&place->store, &made), FB_CONFLICT);
    assert_int_equal(made.record.version, 0);
    made.folder_version = 1;
    assert_int_equal(place->store.run(&place->store, &made), FB_OK);
    struct fb_meta_task gone = listing_make("f", 1, FB_META_LIST_TAKE);
    gone.must_be_empty = true;
    assert_int_equal(place->store.run(&place->store, &gone), FB_CONFLICT);
    struct fb_meta_task take = listing_make("f/a", 1, FB_META_LIST_TAKE);
    assert_int_equal(place->store.run(&place->store, &take), FB_OK);
    assert_int_equal(place->store.run(&place->store, &gone), FB_OK);
    assert_listed(place, "", "", "");
}

/* The PUT of one name, with which another goes, of a version. */
static enum fb_status move(struct place *place, uint64_t expected, uint64_t gone_expected,
                           struct fb_meta *record)
{
    struct fb_meta_task task = task_make(FB_META_VERB_PUT, 1);
    task.record = (struct fb_meta){.version = expected, .size = 7};
    task.gone.name = task_make(FB_META_VERB_PUT, 2).name;
    task.gone.name.key = task_make(FB_META_VERB_PUT, 2).key;
    task.gone.name.record = (struct fb_meta){.version = gone_expected, .size = 9};
    task.gone.is_pending = true;
    enum fb_status status = place->store.run(&place->store, &task);
    *record = task.record;
    return status;
}

static void name_that_goes_with_a_put_goes_or_stays_with_it(void **state)
{
    struct place *place = *state;
    struct fb_meta record;
    struct fb_meta_task source = listing_make("a/2", 0, FB_META_LIST_PUT);
    source.attributes = (struct fb_meta_attributes){.length = 3, .bytes = "abc"};
    assert_int_equal(place->store.run(&place->store, &source), FB_OK);
    assert_int_equal(put(place, 1, 0, 4, &record), FB_OK);
    assert_int_equal(move(place, 1, 2, &record), FB_ABSENT);
    assert_int_equal(record.size, 4);
    assert_int_equal(move(place, 0, 1, &record), FB_CONFLICT);
    assert_int_equal(move(place, 0, 2, &record), FB_CONFLICT); /* before ABSENT */
    assert_int_equal(record.version, 1);
    assert_int_equal(get(place, 2, &record), FB_OK);
    assert_int_equal(record.version, 1);
    assert_listed(place, "a", "", "2 ");
    assert_int_equal(pending_count(place), 0);
    assert_int_equal(move(place, 1, 1, &record), FB_OK);
    assert_int_equal(record.version, 2);
    assert_int_equal(record.size, 7);
    struct fb_meta_task gone = task_make(FB_META_VERB_GET, 2);
    assert_int_equal(place->store.run(&place->store, &gone), FB_OK);
    assert_int_equal(gone.record.version, 2);
    assert_int_equal(gone.record.size, 9);
    assert_int_equal(gone.attributes.length, 0);
    assert_listed(place, "a", "", "");
    assert_int_equal(pending_count(place), 1);
}

static void name_whose_list_has_something_does_not_go(void **state)
{
    struct place *place = *state;
    struct fb_meta_task folder = listing_make("f", 0, FB_META_LIST_PUT);
    struct fb_meta_task inside = listing_make("f/a", 0, FB_META_LIST_PUT);
    assert_int_equal(place->store.run(&place->store, &folder), FB_OK);
    assert_int_equal(place->store.run(&place->store, &inside), FB_OK);
    struct fb_meta_task moved = listing_make("g", 0, FB_META_LIST_PUT);
    moved.gone = (struct fb_meta_gone){.name = folder.name, .must_be_empty = true};
    moved.gone.name.key = folder.key;
    moved.gone.name.record = folder.record;
    assert_int_equal(place->store.run(&place->store, &moved), FB_ABSENT);
    assert_listed(place, "", "", "f ");
    struct fb_meta_task take = listing_make("f/a", 1, FB_META_LIST_TAKE);
    assert_int_equal(place->store.run(&place->store, &take), FB_OK);
    assert_int_equal(place->store.run(&place->store, &moved), FB_OK);
    assert_listed(place, "", "", "g ");
}

static void put_of_other_version_is_conflict_with_the_record(void **state)
{
    struct place *place = *state;
    struct fb_meta record;
    assert_int_equal(get(place, 1, &record), FB_ABSENT);
    assert_int_equal(put(place, 1, 1, 10, &record), FB_CONFLICT);
    assert_int_equal(record.version, 0);
    assert_int_equal(put(place, 1, 0, 10, &record), FB_OK);
    assert_int_equal(record.version, 1);
    assert_int_equal(put(place, 1, 0, 20, &record), FB_CONFLICT);
    assert_int_equal(record.version, 1);
    assert_int_equal(record.value.high, 10);
    assert_int_equal(put(place, 1, 1, 20, &record), FB_OK);
    assert_int_equal(get(place, 1, &record), FB_OK);
    assert_int_equal(record.version, 2);
    assert_int_equal(record.size, 20);
}

static void random_puts_are_as_in_an_array(void **state)
{
    struct place *place = *state;
    struct fb_meta model[KEYS] = {{.version = 0}}, record;
    struct fb_random random;
    fb_random_init(&random, 15);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t key = fb_random_below(&random, KEYS);
        uint64_t expected = model[key].version + fb_random_below(&random, 2);
        bool is_right = expected == model[key].version;
        assert_int_equal(put(place, key, expected, round, &record), is_right ? FB_OK : FB_CONFLICT);
        if (is_right)
            model[key] =
                (struct fb_meta){.version = expected + 1, .value = {.high = round}, .size = round};
        assert_memory_equal(&record, &model[key], sizeof(record));
        if (round % 100 == 99) {
            place->store.close(&place->store);
            store_open(place);
        }
        uint32_t pending = 0;
        for (uint32_t i = 0; i < KEYS; i++)
            pending += model[i].version > 0 && model[i].value.high % 2;
        if (round % 10 == 0)
            assert_int_equal(pending_count(place), pending);
    }
}

static void folder_in_use_is_refused(void **state)
{
    struct place *place = *state;
    struct fb_meta_store second = {.internal = NULL};
    struct fb_meta_task task = {.verb = FB_META_VERB_GET};
    struct fb_error error = {.text = ""};
    fb_meta_lmdb_open(&second, &place->settings, &error);
    assert_line_holds(error.text, "is it another daemon's");
    second.close(&second);
    error.text[0] = '\0';
    assert_int_equal(fb_meta_probe(&place->settings, &task, &error), FB_BUSY);
}

static void record_says_what_its_facts_said(void **state)
{
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                        .level = FB_LEVEL_DEVICE,
                                        .node = 99999,
                                        .block_size_bytes = UINT64_C(64) << 20,
                                        .version = UINT64_C(1) << 60,
                                        .size = UINT64_C(5) << 40};
    (void)state;
    struct fb_meta record = fb_name_record(&facts, 7);
    struct fb_name_facts read = fb_name_read(&record);
    assert_int_equal(record.version, 7);
    assert_int_equal(read.state, facts.state);
    assert_int_equal(read.level, facts.level);
    assert_int_equal(read.node, facts.node);
    assert_int_equal(read.block_size_bytes, facts.block_size_bytes);
    assert_int_equal(read.version, facts.version);
    assert_int_equal(read.size, facts.size);
    record.version = 0; /* no record: whatever else is there says nothing */
    assert_int_equal(fb_name_read(&record).state, FB_NAME_ORIGIN);
}

static void keys_of_two_spaces_differ(void **state)
{
    const struct forebay_key key = {.high = 1, .low = 2}, same = {.high = 1, .low = 3};
    (void)state;
    struct forebay_key plain = forebay_kv_key("", key);
    struct forebay_key a = forebay_kv_key("a", key), b = forebay_kv_key("b", key);
    assert_memory_equal(&plain, &key, sizeof(key));
    assert_int_not_equal(a.high, b.high);
    assert_int_not_equal(a.low, b.low);
    assert_int_equal(a.high, forebay_kv_key("a", same).high);
    assert_int_not_equal(a.low, forebay_kv_key("a", same).low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(listing_that_is_cut_says_so, place_make, place_remove),
        cmocka_unit_test_setup_teardown(listing_goes_on_behind_the_key_that_was_last, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(name_that_no_client_could_make_is_listed_as_bad, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(attributes_are_what_the_last_commit_gave, place_make,
                                        place_remove),
        cmocka_unit_test(attributes_longer_than_any_are_none),
        cmocka_unit_test_setup_teardown(entries_that_no_client_makes_are_left_out, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(list_of_a_folder_goes_with_its_records, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(folder_goes_only_while_its_list_is_empty, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(name_that_goes_with_a_put_goes_or_stays_with_it, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(name_whose_list_has_something_does_not_go, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(put_of_other_version_is_conflict_with_the_record,
                                        place_make, place_remove),
        cmocka_unit_test_setup_teardown(random_puts_are_as_in_an_array, place_make, place_remove),
        cmocka_unit_test_setup_teardown(folder_in_use_is_refused, place_make, place_remove),
        cmocka_unit_test(record_says_what_its_facts_said),
        cmocka_unit_test(keys_of_two_spaces_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
