/* kept.c, kept_change.c: what a record keeps of a name comes back as it was given; bytes that
 * nobody here has written are left alone; extras fill all the room there is, and no more; changes
 * do what is asked and nothing else. How: random changes against an array, and every byte of what
 * is stored changed. */
#include "hw/meta/kept_change.h"

#include "core/index/random.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

enum { KEYS = 12, ROUNDS = 20000, VALUE_MAX = 700 };

static const struct fb_kept_scene scene = {
    .type = S_IFREG, .version = 1000, .now_ns = 77, .user = 0};

static struct fb_origin_change change_make(enum fb_change_kind kind, const char *text,
                                           uint32_t length)
{
    struct fb_origin_change change = {
        .kind = kind,
        .text_length = length,
        .attributes = {.mode = S_IFREG | 0640, .owner = 7, .group = 8, .modified_ns = 5}};
    memcpy(change.text, text, length);
    return change;
}

static bool is_same(const struct fb_kept *a, const struct fb_kept *b)
{
    return a->mode == b->mode && a->owner == b->owner && a->group == b->group &&
           a->device == b->device && a->made == b->made && a->times_of == b->times_of &&
           a->accessed_ns == b->accessed_ns && a->modified_ns == b->modified_ns &&
           a->changed_ns == b->changed_ns && a->extras_bytes == b->extras_bytes &&
           memcmp(a->extras, b->extras, a->extras_bytes) == 0;
}

static void what_is_kept_comes_back_as_it_was(void **state)
{
    static struct fb_kept kept, read;
    struct fb_meta_attributes attributes = {.length = 0};
    (void)state;
    assert_true(fb_kept_read(&attributes, &read)); /* there is none */
    assert_int_equal(read.mode, 0);
    kept = (struct fb_kept){.mode = S_IFCHR | 07777,
                            .owner = UINT32_MAX - 1,
                            .group = 1u << 31,
                            .device = UINT64_C(0x1122334455667788),
                            .made = UINT64_MAX - 1,
                            .times_of = 1,
                            .accessed_ns = -1,
                            .modified_ns = INT64_MIN,
                            .changed_ns = INT64_MAX};
    assert_true(fb_kept_extra_set(&kept, "user.a", 6, (const unsigned char *)"", 0));
    assert_true(fb_kept_extra_set(&kept, "user.b", 6, (const unsigned char *)"\0x", 2));
    fb_kept_write(&kept, &attributes);
    assert_true(fb_kept_read(&attributes, &read));
    assert_true(is_same(&kept, &read));
}

static void bytes_of_others_are_refused(void **state)
{
    static struct fb_kept kept, read;
    struct fb_meta_attributes attributes, other;
    (void)state;
    kept = (struct fb_kept){.mode = S_IFREG | 0644};
    assert_true(fb_kept_extra_set(&kept, "user.a", 6, (const unsigned char *)"value", 5));
    fb_kept_write(&kept, &attributes);
    for (uint32_t length = 1; length < attributes.length; length++) {
        other = attributes;
        other.length = length;
        bool is_whole = length == FB_KEPT_HEAD_BYTES; /* as if there were no extras */
        assert_int_equal(fb_kept_read(&other, &read), is_whole);
    }
    for (uint32_t i = 0; i < attributes.length; i++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            other = attributes;
            other.bytes[i] = (unsigned char)byte;
            (void)fb_kept_read(&other, &read); /* stays within its bytes: ASan, UBSan */
            assert_true(read.extras_bytes <= FB_KEPT_EXTRAS_MAX);
        }
    }
    attributes.bytes[0] = 2; /* a later release's */
    assert_false(fb_kept_read(&attributes, &read));
    assert_int_equal(read.mode, 0);
}

static void random_extras_are_as_in_an_array(void **state)
{
    static struct fb_kept kept;
    static unsigned char values[KEYS][VALUE_MAX];
    uint32_t lengths[KEYS], used = 0, refused = 0;
    bool is_there[KEYS] = {false};
    struct fb_random random;
    (void)state;
    fb_random_init(&random, 3);
    kept.mode = S_IFREG;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t i = (uint32_t)fb_random_below(&random, KEYS), found;
        char key[16];
        uint32_t key_length = (uint32_t)snprintf(key, sizeof(key), "user.%u", i);
        unsigned char value[VALUE_MAX];
        uint32_t length = (uint32_t)fb_random_below(&random, VALUE_MAX + 1);
        memset(value, (int)round, length);
        bool is_set = fb_random_below(&random, 3) > 0;
        uint32_t before = is_there[i] ? 4 + key_length + lengths[i] : 0;
        uint32_t after = is_set ? 4 + key_length + length : 0;
        bool has_room = used - before + after <= FB_KEPT_EXTRAS_MAX;
        assert_int_equal(fb_kept_extra_set(&kept, key, key_length, is_set ? value : NULL, length),
                         has_room);
        refused += !has_room;
        if (has_room) {
            used += after - before;
            is_there[i] = is_set;
            lengths[i] = length;
            memcpy(values[i], value, length);
        }
        assert_int_equal(kept.extras_bytes, used);
        const unsigned char *at = fb_kept_extra(&kept, key, key_length, &found);
        assert_int_equal(at != NULL, is_there[i]);
        if (is_there[i])
            assert_int_equal(found, lengths[i]);
        if (is_there[i])
            assert_memory_equal(at, values[i], found);
    }
    assert_true(refused > 100); /* it was full */
}

static void extended_attributes_are_set_as_the_flags_say(void **state)
{
    static struct fb_kept kept;
    struct fb_origin_change set = change_make(FB_CHANGE_SET_EXTRA, "user.a\0one", 10);
    struct fb_origin_change remove = change_make(FB_CHANGE_REMOVE_EXTRA, "user.a", 6);
    unsigned char bytes[64];
    struct fb_bytes page = {.at = bytes, .size = sizeof(bytes)};
    uint64_t size;
    (void)state;
    kept.mode = 0;
    set.flags = XATTR_REPLACE;
    assert_int_equal(fb_kept_change(&kept, &set, &scene), ENODATA);
    set.flags = XATTR_CREATE;
    assert_int_equal(fb_kept_change(&kept, &set, &scene), 0);
    assert_int_equal(fb_kept_change(&kept, &set, &scene), EEXIST);
    assert_int_equal(kept.mode, S_IFREG | 0640); /* as it was seen */
    assert_int_equal(kept.owner, 7);
    set = change_make(FB_CHANGE_GET_EXTRA, "user.a", 6);
    assert_int_equal(fb_kept_ask(&kept, &set, page, &size), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "one", 3);
    set.kind = FB_CHANGE_LIST_EXTRA;
    assert_int_equal(fb_kept_ask(&kept, &set, page, &size), 0);
    assert_int_equal(size, 7);
    page.size = 6;
    assert_int_equal(fb_kept_ask(&kept, &set, page, &size), ERANGE);
    assert_int_equal(fb_kept_change(&kept, &remove, &scene), 0);
    assert_int_equal(fb_kept_change(&kept, &remove, &scene), ENODATA);
    set = change_make(FB_CHANGE_SET_EXTRA, "system.posix_acl_access\0x", 25);
    assert_int_equal(fb_kept_change(&kept, &set, &scene), EOPNOTSUPP);
}

static void times_are_those_of_one_version(void **state)
{
    static struct fb_kept kept;
    struct fb_origin_change set = change_make(FB_CHANGE_SET, "", 0);
    struct fb_attributes shown = {.modified_ns = 500};
    (void)state;
    kept.mode = 0;
    set.which = FB_SET_ACCESSED;
    set.attributes.accessed_ns = 3; /* and modified_ns, as it is seen, is 5 */
    assert_int_equal(fb_kept_change(&kept, &set, &scene), 0);
    fb_kept_show(&kept, scene.version, &shown);
    assert_int_equal(shown.accessed_ns, 3);
    assert_int_equal(shown.modified_ns, 5);
    shown = (struct fb_attributes){.modified_ns = 500};
    fb_kept_show(&kept, scene.version + 1, &shown); /* the next version */
    assert_int_equal(shown.accessed_ns, 500);
    assert_int_equal(shown.modified_ns, 500);
    assert_int_equal(shown.changed_ns, 500);
    assert_int_equal(shown.mode, S_IFREG | 0640);
}

static void who_is_not_root_keeps_what_he_makes(void **state)
{
    static struct fb_kept kept;
    const struct fb_kept_scene user = {.version = 1000, .now_ns = 77, .user = 42};
    const struct fb_attributes wanted = {.mode = 06755, .owner = 0, .group = 3};
    (void)state;
    fb_kept_begin(&kept, &wanted, &user);
    assert_int_equal(kept.owner, 42);
    assert_int_equal(kept.mode, S_IFREG | 0755);
    fb_kept_begin(&kept, &wanted, &scene);
    assert_int_equal(kept.owner, 0);
    assert_int_equal(kept.mode, S_IFREG | 06755);
}

static void link_leads_to_a_name_or_nowhere(void **state)
{
    static const char *const links[][3] = {
        {"link", "file", "file"},
        {"a/link", "file", "a/file"},
        {"a/b/link", "../file", "a/file"},
        {"a/b/link", "../../file", "file"},
        {"a/link", "./b//c/.", "a/b/c"},
        {"a/link", "..", NULL},
        {"link", "../file", NULL},
        {"a/link", "/file", NULL},
        {"link", "", NULL},
        {"a/link", "../../file", NULL},
    };
    static struct fb_kept kept;
    static char name[FB_OBJECT_NAME_MAX + 1], target[FB_OBJECT_NAME_MAX + 1];
    struct fb_origin_change make = {.attributes = {.mode = S_IFLNK | 0777}};
    (void)state;
    for (uint32_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        make.text_length = (uint32_t)strlen(links[i][1]);
        memcpy(make.text, links[i][1], make.text_length + 1);
        assert_int_equal(fb_kept_make(&kept, &make, &scene), 0);
        assert_int_equal(fb_kept_follow(&kept, links[i][0], target), links[i][2] != NULL);
        if (links[i][2] != NULL)
            assert_string_equal(target, links[i][2]);
    }
    memset(name, 'n', FB_OBJECT_NAME_MAX);
    name[FB_OBJECT_NAME_MAX - 2] = '/';
    for (uint32_t length = 1; length < 5; length++) { /* up to the longest name there is */
        make.text_length = length;
        memset(make.text, 't', length);
        assert_int_equal(fb_kept_make(&kept, &make, &scene), 0);
        bool is_name = FB_OBJECT_NAME_MAX - 1 + length <= FB_OBJECT_NAME_MAX;
        assert_int_equal(fb_kept_follow(&kept, name, target), is_name);
    }
}

static void new_file_has_the_times_that_it_is_given(void **state)
{
    static struct fb_kept kept;
    struct fb_attributes shown = {.modified_ns = 500},
                         wanted = {
                             .mode = 0600, .accessed_ns = 1, .modified_ns = 2, .changed_ns = 3};
    (void)state;
    fb_kept_begin(&kept, &wanted, &scene);
    fb_kept_show(&kept, scene.version, &shown);
    assert_int_equal(shown.accessed_ns, 1);
    assert_int_equal(shown.modified_ns, 2);
    assert_int_equal(shown.changed_ns, 3);
    wanted.changed_ns = scene.now_ns + 1; /* a time to come is none */
    fb_kept_begin(&kept, &wanted, &scene);
    assert_int_equal(kept.changed_ns, scene.now_ns);
    wanted.modified_ns = 0;
    fb_kept_begin(&kept, &wanted, &scene);
    assert_int_equal(kept.times_of, 0);
}

/* What has no object is there while its record is of the version that it was made with. */
static void type_is_that_of_the_record_it_was_made_with(void **state)
{
    static struct fb_kept kept;
    struct fb_origin_change make = change_make(FB_CHANGE_MAKE, "target", 6);
    struct fb_name_facts facts = {.state = FB_NAME_ORIGIN, .version = scene.version};
    (void)state;
    make.attributes.mode = S_IFLNK | 0777;
    assert_int_equal(fb_kept_make(&kept, &make, &scene), 0);
    assert_int_equal(fb_kept_type(&kept, &facts), S_IFLNK);
    facts.version++;
    assert_int_equal(fb_kept_type(&kept, &facts), 0);
    facts = (struct fb_name_facts){.state = FB_NAME_CACHED, .version = scene.version};
    assert_int_equal(fb_kept_type(&kept, &facts), 0);
    make.text_length = FB_KEPT_LINK_MAX + 1;
    assert_int_equal(fb_kept_make(&kept, &make, &scene), ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_comes_back_as_it_was),
        cmocka_unit_test(bytes_of_others_are_refused),
        cmocka_unit_test(random_extras_are_as_in_an_array),
        cmocka_unit_test(extended_attributes_are_set_as_the_flags_say),
        cmocka_unit_test(times_are_those_of_one_version),
        cmocka_unit_test(who_is_not_root_keeps_what_he_makes),
        cmocka_unit_test(link_leads_to_a_name_or_nowhere),
        cmocka_unit_test(new_file_has_the_times_that_it_is_given),
        cmocka_unit_test(type_is_that_of_the_record_it_was_made_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
