/* A folder as origin whose machine loses its power: what was answered as stored, committed, made,
 * moved or removed is so afterwards, and at no moment between is an object lost that had all its
 * blocks. How: the calls that sync and that change names are wrapped by the linker. Of what is
 * there, that lasts which a sync has seen: an entry, when its folder was synced with it; a file,
 * when it was synced with the bytes and the time that it has. The power may go before and after any
 * of the calls; then what is removed may be gone at once, and what is new and was not synced is. */
#include "hw/origin/origin.h"
#include "hw/origin/origin_posix.h"

#include "tests/support/temporary.h"
#include "tests/support/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { BLOCK_BYTES = 4096, SYNCED_ROOM = 4096, NO_IO_URING = 77 };

/* What lasts. name "": the file itself, and what it holds; else an entry of the folder. */
struct synced {
    ino_t inode, child;
    uint64_t content;
    char name[96];
};

static struct synced synced[SYNCED_ROOM];
static uint32_t synced_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool (*is_whole_now)(void); /* asked before and after each call; NULL: nothing is */
static uint32_t cuts, losses;

static struct temporary temporary;
static int root;
static struct fb_settings settings;
static struct fb_uring uring;
static struct fb_offload offload;
static struct fb_origin origin;
static bool is_done;

int __real_fsync(int file);
int __real_fdatasync(int file);
int __real_unlinkat(int folder, const char *name, int flags);
int __real_renameat(int from, const char *name, int to, const char *other);
int __real_renameat2(int from, const char *name, int to, const char *other, unsigned flags);
int __wrap_fsync(int file);
int __wrap_fdatasync(int file);
int __wrap_unlinkat(int folder, const char *name, int flags);
int __wrap_renameat(int from, const char *name, int to, const char *other);
int __wrap_renameat2(int from, const char *name, int to, const char *other, unsigned flags);

static void cut(void)
{
    cuts++;
    if (is_whole_now != NULL && !is_whole_now())
        losses++;
}

static uint64_t content_of(int file)
{
    static unsigned char bytes[16 * BLOCK_BYTES];
    char path[64];
    struct stat facts;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    int other = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(other >= 0);
    assert_int_equal(fstat(other, &facts), 0);
    ssize_t size = pread(other, bytes, sizeof(bytes), 0);
    assert_int_equal(size, facts.st_size);
    close(other);
    return XXH3_64bits(bytes, (size_t)size);
}

static void add(ino_t inode, const char *name, ino_t child, uint64_t content)
{
    assert_true(synced_count < SYNCED_ROOM);
    struct synced *one = &synced[synced_count++];
    *one = (struct synced){.inode = inode, .child = child, .content = content};
    snprintf(one->name, sizeof(one->name), "%s", name);
}

static void take(int file)
{
    struct stat facts;
    uint32_t kept = 0;
    assert_int_equal(fstat(file, &facts), 0);
    for (uint32_t i = 0; i < synced_count; i++) {
        if (synced[i].inode != facts.st_ino)
            synced[kept++] = synced[i];
    }
    synced_count = kept;
    if (!S_ISDIR(facts.st_mode)) {
        add(facts.st_ino, "", 0, content_of(file));
        return;
    }
    int other = openat(file, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fdopendir(other);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        add(facts.st_ino, entry->d_name, entry->d_ino, 0);
    closedir(folder);
}

static int sync_seen(int file, int code)
{
    pthread_mutex_lock(&mutex);
    cut();
    if (code == 0)
        take(file);
    cut();
    pthread_mutex_unlock(&mutex);
    return code;
}

int __wrap_fsync(int file)
{
    return sync_seen(file, __real_fsync(file));
}

int __wrap_fdatasync(int file)
{
    return sync_seen(file, __real_fdatasync(file));
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
    pthread_mutex_lock(&mutex);
    cut();
    int code = __real_unlinkat(folder, name, flags), saved = errno;
    cut();
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return code;
}

int __wrap_renameat(int from, const char *name, int to, const char *other)
{
    return __wrap_renameat2(from, name, to, other, 0);
}

int __wrap_renameat2(int from, const char *name, int to, const char *other, unsigned flags)
{
    pthread_mutex_lock(&mutex);
    cut();
    int code = __real_renameat2(from, name, to, other, flags), saved = errno;
    cut();
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return code;
}

static const struct synced *find(ino_t inode, const char *name)
{
    for (uint32_t i = 0; i < synced_count; i++) {
        if (synced[i].inode == inode && strcmp(synced[i].name, name) == 0)
            return &synced[i];
    }
    return NULL;
}

static ino_t inode_of(const char *path)
{
    struct stat facts;
    return fstatat(root, path, &facts, AT_SYMLINK_NOFOLLOW) == 0 ? facts.st_ino : 0;
}

/* Is the name there, and are it and all folders that it is in, whatever happens? */
static bool is_safe(const char *path)
{
    char part[256];
    for (const char *from = path, *end; from != NULL; from = *end != '\0' ? end + 1 : NULL) {
        end = strchrnul(from, '/');
        snprintf(part, sizeof(part), "%.*s", from > path ? (int)(from - path - 1) : 1,
                 from > path ? path : ".");
        ino_t folder = inode_of(part);
        snprintf(part, sizeof(part), "%.*s", (int)(end - from), from);
        const struct synced *entry = folder != 0 ? find(folder, part) : NULL;
        snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
        if (entry == NULL || entry->child != inode_of(part))
            return false;
    }
    return true;
}

/* The same of a file, with these bytes. */
static bool has_safe(const char *path, const unsigned char *bytes, size_t size)
{
    int file = openat(root, path, O_RDONLY | O_CLOEXEC);
    const struct synced *seen = file >= 0 ? find(inode_of(path), "") : NULL;
    uint64_t content = XXH3_64bits(bytes, size);
    bool has = seen != NULL && seen->content == content && content_of(file) == content;
    if (file >= 0)
        close(file);
    return has && is_safe(path);
}

/* Is it not there, and will not be? */
static bool is_gone(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
    return inode_of(path) == 0 && find(inode_of(folder[0] != '\0' ? folder : "."), name) == NULL;
}

static void ended(struct fb_origin_task *task, enum fb_status status)
{
    task->status = status;
    is_done = true;
}

static enum fb_status run(struct fb_origin_task *task)
{
    task->done = ended;
    is_done = false;
    fb_origin_start(&origin, task);
    while (!is_done)
        assert_int_equal(fb_uring_wait(&uring, UINT64_MAX), 0);
    return task->status;
}

static struct fb_object object_of(const char *name, uint64_t version, uint64_t size)
{
    struct fb_object object = {.version = version, .size = size};
    object.name_length = (uint32_t)snprintf(object.name, sizeof(object.name), "%s", name);
    fb_object_identify(&object);
    return object;
}

static unsigned char content[2][2 * BLOCK_BYTES]; /* of versions 1 and 2, in seconds */
static const uint64_t second_ns = 1000000000;

static enum fb_status store(const struct fb_object *object, uint64_t index)
{
    static struct fb_origin_task task;
    unsigned char *from = content[object->version / second_ns - 1] + index * BLOCK_BYTES;
    task = (struct fb_origin_task){.verb = FB_ORIGIN_STORE,
                                   .object = *object,
                                   .offset = index * BLOCK_BYTES,
                                   .bytes = {.at = from, .size = BLOCK_BYTES}};
    return run(&task);
}

static enum fb_status finish(const struct fb_object *object, enum fb_origin_verb verb)
{
    static struct fb_origin_task task;
    task = (struct fb_origin_task){
        .verb = verb, .object = *object, .as_version = object->version, .limit = UINT64_MAX};
    return run(&task);
}

static int change(enum fb_change_kind kind, const char *name, const char *text, uint32_t mode)
{
    static struct fb_origin_task task;
    static struct fb_origin_change wanted;
    wanted = (struct fb_origin_change){
        .kind = kind,
        .attributes = {.mode = mode, .owner = geteuid(), .group = getegid()},
        .text_length = (uint32_t)strlen(text)};
    snprintf(wanted.text, sizeof(wanted.text), "%s", text);
    task = (struct fb_origin_task){
        .verb = FB_ORIGIN_CHANGE, .object = object_of(name, 0, 0), .change = &wanted};
    assert_int_equal(run(&task), FB_OK);
    return wanted.error;
}

static struct fb_object watched; /* what is_whole_now is about */

static bool has_version(const char *name, uint32_t number)
{
    return has_safe(name, content[number], sizeof(content[number]));
}

static void block_path(uint64_t index, char path[128])
{
    snprintf(path, 128, FB_OBJECT_PARTS "/%016" PRIx64 "/%" PRIu64, watched.handle, index);
}

static bool has_block(uint64_t index)
{
    char path[128];
    block_path(index, path);
    return has_safe(path, content[watched.version / second_ns - 1] + index * BLOCK_BYTES,
                    BLOCK_BYTES);
}

static bool is_object_or_blocks(void)
{
    return has_version(watched.name, 0) || (has_block(0) && has_block(1));
}

/* A file of several names: while it is neither version the new one is beside it. */
static bool is_object_or_mark(void)
{
    char path[128];
    snprintf(path, sizeof(path), FB_OBJECT_PARTS "/rewrite.%016" PRIx64 "/whole",
             (uint64_t)inode_of(watched.name));
    return has_version(watched.name, 0) || has_version(watched.name, 1) || has_version(path, 1);
}

static void both_stored(const char *name, uint64_t version)
{
    watched = object_of(name, version * second_ns, 2 * BLOCK_BYTES);
    for (uint64_t index = 0; index < 2; index++) {
        assert_int_equal(store(&watched, index), FB_OK);
        assert_true(has_block(index));
    }
}

static void committed(const char *name, uint64_t version, bool (*is_whole)(void))
{
    both_stored(name, version);
    is_whole_now = is_whole;
    cuts = losses = 0;
    assert_int_equal(finish(&watched, FB_ORIGIN_COMMIT), FB_OK);
    is_whole_now = NULL;
    assert_int_equal(losses, 0);
    assert_true(cuts > 4);
    assert_true(has_version(name, (uint32_t)version - 1));
}

/* Another member does it, and has not come to syncing it yet. */
static void other_makes(const char *path)
{
    assert_int_equal(mkdirat(root, path, 0700), 0);
}

static void stored_block_lasts_with_all_folders_that_it_is_in(void **state)
{
    (void)state;
    both_stored("first", 1);
    both_stored("second", 1);
}

static void block_lasts_in_a_folder_that_another_has_made(void **state)
{
    char path[128];
    (void)state;
    other_makes(FB_OBJECT_PARTS);
    watched = object_of("object", second_ns, 2 * BLOCK_BYTES);
    snprintf(path, sizeof(path), FB_OBJECT_PARTS "/%016" PRIx64, watched.handle);
    other_makes(path);
    assert_int_equal(store(&watched, 0), FB_OK);
    assert_true(has_block(0));
}

static void committed_object_lasts_before_its_blocks_go(void **state)
{
    (void)state;
    committed("object", 1, is_object_or_blocks);
    committed("new/deeper/object", 1, is_object_or_blocks);
    other_makes("others");
    other_makes("others/deep");
    committed("others/deep/object", 1, is_object_or_blocks);
}

/* What a store or a commit finds there is believed when it lasts. */
static void version_that_another_has_shown_lasts_before_it_is_believed(void **state)
{
    (void)state;
    for (int is_commit = 0; is_commit < 2; is_commit++) {
        const char *name = is_commit ? "c/object" : "s/object";
        const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
        other_makes(is_commit ? "c" : "s");
        both_stored(name, 1);
        int file = openat(root, name, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(write(file, content[0], sizeof(content[0])), sizeof(content[0]));
        assert_int_equal(futimens(file, times), 0);
        assert_int_equal(fsync(file), 0);
        close(file);
        assert_false(is_safe(name));
        is_whole_now = is_object_or_blocks;
        losses = 0;
        assert_int_equal(is_commit ? finish(&watched, FB_ORIGIN_COMMIT) : store(&watched, 0),
                         FB_OK);
        is_whole_now = NULL;
        assert_int_equal(losses, 0);
        assert_true(has_version(name, 0));
    }
}

static void file_of_several_names_is_one_version_or_marked(void **state)
{
    (void)state;
    committed("object", 1, is_object_or_blocks);
    assert_int_equal(change(FB_CHANGE_LINK, "object", "other", 0), 0);
    assert_true(has_version("other", 0));
    committed("object", 2, is_object_or_mark);
    assert_true(has_version("other", 1));
    assert_true(is_gone(FB_OBJECT_PARTS, "whole"));
}

static void removed_name_stays_gone(void **state)
{
    (void)state;
    committed("folder/object", 1, is_object_or_blocks);
    assert_int_equal(finish(&watched, FB_ORIGIN_REMOVE), FB_OK);
    assert_true(is_gone("folder", "object"));
    committed("folder/object", 1, is_object_or_blocks);
    assert_int_equal(__real_unlinkat(root, "folder/object", 0), 0); /* another's, not synced */
    assert_false(is_gone("folder", "object"));
    assert_int_equal(finish(&watched, FB_ORIGIN_REMOVE), FB_OK);
    assert_true(is_gone("folder", "object"));
    assert_int_equal(__real_unlinkat(root, "folder", AT_REMOVEDIR), 0);
    assert_int_equal(finish(&watched, FB_ORIGIN_REMOVE), FB_OK);
    assert_true(is_gone("", "folder"));
}

static void changed_names_last(void **state)
{
    (void)state;
    assert_int_equal(change(FB_CHANGE_MAKE, "folder", "", S_IFDIR | 0755), 0);
    assert_true(is_safe("folder"));
    assert_int_equal(change(FB_CHANGE_MAKE, "folder/link", "elsewhere", S_IFLNK | 0777), 0);
    assert_true(is_safe("folder/link"));
    assert_int_equal(change(FB_CHANGE_MAKE, "folder/pipe", "", S_IFIFO | 0600), 0);
    assert_true(is_safe("folder/pipe"));
    assert_int_equal(change(FB_CHANGE_RENAME, "folder", "moved", 0), 0);
    assert_true(is_safe("moved/link"));
    assert_true(is_gone("", "folder"));
    assert_int_equal(change(FB_CHANGE_REMOVE, "moved/link", "", 0), 0);
    assert_true(is_gone("moved", "link"));
    assert_int_equal(change(FB_CHANGE_REMOVE, "moved/pipe", "", 0), 0);
    assert_int_equal(change(FB_CHANGE_REMOVE_FOLDER, "moved", "", 0), 0);
    assert_true(is_gone("", "moved"));
}

/* The root's entry. */
static void entry_unsync(const char *name)
{
    for (uint32_t i = 0; i < synced_count; i++) {
        if (synced[i].inode == inode_of(".") && strcmp(synced[i].name, name) == 0)
            synced[i].inode = 0;
    }
}

/* Folders that were moved are known no more, nor are those that gave their place to others. */
static void folder_that_is_not_known_to_last_is_synced_again(void **state)
{
    char name[64];
    (void)state;
    committed("old/object", 1, is_object_or_blocks);
    assert_int_equal(change(FB_CHANGE_RENAME, "old", "new", 0), 0);
    assert_int_equal(change(FB_CHANGE_RENAME, "new", "old", 0), 0);
    entry_unsync("old"); /* as if another had moved it so */
    assert_false(is_safe("old"));
    committed("old/second", 1, is_object_or_blocks);
    for (uint32_t i = 0; i < POSIX_SYNCED_MAX + 8; i++) {
        struct posix_origin *posix = posix_of(&origin);
        snprintf(name, sizeof(name), "f%u/object", i);
        int folder = posix_folders_open(posix, name, true);
        assert_true(folder >= 0);
        close(folder);
        snprintf(name, sizeof(name), "f%u", i);
        assert_true(is_safe(name));
    }
    synced_count = 0;
    for (uint32_t i = 0; i < POSIX_SYNCED_MAX + 8 && synced_count == 0; i++) {
        snprintf(name, sizeof(name), "f%u/object", i);
        close(posix_folders_open(posix_of(&origin), name, true));
    }
    assert_true(synced_count > 0);
}

static int entry_remove(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)where;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static int begin(void **state)
{
    struct fb_error error = {.text = ""};
    (void)state;
    temporary_begin(&temporary);
    root = open(temporary.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    synced_count = 0;
    for (uint32_t i = 0; i < sizeof(content); i++)
        content[i / sizeof(content[0])][i % sizeof(content[0])] = (unsigned char)(i * 7 + i / 251);
    settings = (struct fb_settings){
        .objects_max = 16,
        .core = {.block_size_bytes = BLOCK_BYTES},
        .origin = {.kind = FB_ORIGIN_POSIX, .orphan_age_ns = UINT64_C(3600) * second_ns}};
    snprintf(settings.origin.path, sizeof(settings.origin.path), "%s", temporary.folder);
    if (fb_uring_open(&uring, 64) != 0 || fb_offload_open(&offload, &uring, 1) != 0)
        return -1;
    const struct fb_origin_context context = {
        .settings = &settings, .uring = &uring, .offload = &offload};
    fb_origin_open(&origin, &context, &error);
    return fb_error_is_set(&error) ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    fb_origin_close(&origin);
    fb_offload_close(&offload);
    fb_uring_close(&uring);
    close(root);
    return nftw(temporary.folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(stored_block_lasts_with_all_folders_that_it_is_in),
        test_of(block_lasts_in_a_folder_that_another_has_made),
        test_of(committed_object_lasts_before_its_blocks_go),
        test_of(version_that_another_has_shown_lasts_before_it_is_believed),
        test_of(file_of_several_names_is_one_version_or_marked),
        test_of(removed_name_stays_gone),
        test_of(changed_names_last),
        test_of(folder_that_is_not_known_to_last_is_synced_again),
    };
    int code = fb_uring_open(&uring, 8);
    if (code != 0) {
        printf("no io_uring here: %s\n", strerror(-code));
        return NO_IO_URING;
    }
    fb_uring_close(&uring);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
