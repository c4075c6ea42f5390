/* libforebay against a whole daemon in this process: names, reads of every alignment, reads in
 * progress, KV blocks, and what is left when a client goes without a word.
 * How: a node without peers in a thread of its own, its origin a folder made by the test, memory
 * for a few blocks only; answers are compared with the files' bytes. 77: no io_uring here. */
#include "client/forebay.h"

#include "core/index/random.h"
#include "client/client_internal.h"
#include "hw/origin/object.h"
#include "hw/base/log.h"
#include "hw/loop/loop.h"
#include "tests/support/temporary.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { FILE_BYTES = 1000003, BLOCK_BYTES = 65536, MEMORY_BLOCKS = 8, SMALL_FILES = 300 };

static uint64_t first_seed = 20261125;
static struct temporary temporary;
static struct fb_settings settings;
static struct fb_loop *loop;
static pthread_t thread;
static char socket_path[160];
static unsigned char *content;

static void *daemon_run(void *context)
{
    struct fb_error *error = context;
    loop = fb_loop_open(&settings, error);
    if (loop != NULL) {
        fb_loop_run(loop, error);
        fb_loop_close(loop);
    }
    return NULL;
}

static struct fb_error daemon_error;

static void files_make(void)
{
    char path[512], folder[160];
    struct fb_random random;
    fb_random_init(&random, first_seed);
    content = test_malloc(FILE_BYTES);
    for (uint32_t i = 0; i < FILE_BYTES; i++)
        content[i] = (unsigned char)fb_random_below(&random, 256);
    snprintf(folder, sizeof(folder), "%s/origin", temporary.folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(path, sizeof(path), "%s/large", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, FILE_BYTES, file), FILE_BYTES);
    assert_int_equal(fclose(file), 0);
    snprintf(path, sizeof(path), "%s/empty", folder);
    assert_int_equal(fclose(fopen(path, "wb")), 0);
    snprintf(path, sizeof(path), "%s/many", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    for (uint32_t i = 0; i < SMALL_FILES; i++) {
        snprintf(path, sizeof(path), "%s/many/%0200u", folder, i);
        assert_int_equal(fclose(fopen(path, "wb")), 0);
    }
}

static int daemon_start(void **state)
{
    (void)state;
    struct fb_error error = {.text = ""};
    char text[1024];
    struct forebay_client *client;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    temporary_begin(&temporary);
    files_make();
    snprintf(socket_path, sizeof(socket_path), "%s/socket", temporary.folder);
    snprintf(text, sizeof(text),
             "schema_version: 1\ncluster: test\nnode: 0\n"
             "origin: {kind: posix, path: %s/origin}\n"
             "client: {socket: %s, arena: 192 KiB}\n"
             "core: {memory_size: 512 KiB, block_size: 64 KiB}\n",
             temporary.folder, socket_path);
    fb_settings_load(temporary_write(&temporary, "config.yaml", text), NULL, 0, &settings, &error);
    assert_string_equal(error.text, "");
    fb_log_open(FB_LOG_ERROR, 0);
    assert_int_equal(pthread_create(&thread, NULL, daemon_run, &daemon_error), 0);
    for (uint32_t i = 0; i < 1000 && !fb_error_is_set(&daemon_error); i++) {
        if (forebay_client_open(socket_path, &client) == 0) {
            forebay_client_close(client);
            return 0;
        }
        usleep(10000);
    }
    print_error("%s\n", daemon_error.text);
    exit(strstr(daemon_error.text, "io_uring") != NULL ? 77 : 1);
}

static int daemon_stop(void **state)
{
    (void)state;
    char command[256];
    kill(getpid(), SIGTERM);
    pthread_join(thread, NULL);
    fb_settings_free(&settings);
    snprintf(command, sizeof(command), "rm -rf '%s/origin'", temporary.folder);
    assert_int_equal(system(command), 0);
    temporary_end(&temporary);
    test_free(content);
    return daemon_error.text[0] == '\0' ? 0 : -1;
}

static struct forebay_client *client_open(void)
{
    struct forebay_client *client;
    assert_int_equal(forebay_client_open(socket_path, &client), 0);
    return client;
}

static struct forebay_file *file_open(struct forebay_client *client, const char *name)
{
    struct forebay_file *file;
    assert_int_equal(forebay_file_open(client, name, &file), 0);
    return file;
}

static void open_absent_and_bad_names_fail(void **state)
{
    (void)state;
    struct forebay_client *client = client_open();
    struct forebay_file *file;
    struct forebay_facts facts;
    char longest[2000];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(forebay_file_open(client, "absent", &file), -ENOENT);
    assert_int_equal(forebay_file_open(client, "large/below", &file), -ENOENT);
    assert_int_equal(forebay_file_open(client, "many", &file), -ENOENT);
    assert_int_equal(forebay_file_open(client, "../config.yaml", &file), -EINVAL);
    assert_int_equal(forebay_file_open(client, "", &file), -EINVAL);
    assert_int_equal(forebay_client_stat(client, longest, &facts), -ENAMETOOLONG);
    longest[1024] = '\0';
    assert_int_equal(forebay_client_stat(client, longest, &facts), -ENOENT);
    assert_int_equal(forebay_client_stat(client, "large", &facts), 0);
    assert_int_equal(facts.size_bytes, FILE_BYTES);
    forebay_client_close(client);
}

static void read_any_part_gives_its_bytes(void **state)
{
    (void)state;
    struct forebay_client *client = client_open();
    struct forebay_file *file = file_open(client, "large");
    unsigned char *bytes = test_malloc(FILE_BYTES + 1);
    struct fb_random random;
    fb_random_init(&random, first_seed + 1);
    assert_int_equal(forebay_file_read(file, 0, bytes, FILE_BYTES + 1), FILE_BYTES);
    assert_memory_equal(bytes, content, FILE_BYTES);
    for (uint32_t i = 0; i < 500; i++) {
        uint64_t offset = fb_random_below(&random, FILE_BYTES + 2);
        uint64_t size = fb_random_below(&random, i % 2 ? 10 : 4 * BLOCK_BYTES);
        uint64_t right = offset >= FILE_BYTES         ? 0
                         : offset + size > FILE_BYTES ? FILE_BYTES - offset
                                                      : size;
        assert_int_equal(forebay_file_read(file, offset, bytes, size), right);
        assert_memory_equal(bytes, content + (right > 0 ? offset : 0), right);
    }
    test_free(bytes);
    forebay_file_close(file);
    file = file_open(client, "empty");
    assert_int_equal(forebay_file_read(file, 0, &random, 1), 0);
    forebay_file_close(file);
    forebay_client_close(client);
}

static void reads_in_progress_all_end(void **state)
{
    (void)state;
    enum { READS = 200, SIZE = 5000 };
    struct forebay_client *client = client_open();
    struct forebay_file *file = file_open(client, "large");
    struct forebay_read *reads = test_calloc(READS, sizeof(*reads));
    unsigned char *bytes = test_malloc(READS * SIZE);
    for (uint32_t i = 0; i < READS; i++) {
        reads[i] = (struct forebay_read){
            .file = file, .offset = i * 4999, .bytes = bytes + i * SIZE, .size = SIZE};
        forebay_read_start(&reads[i]);
    }
    uint32_t ended = 0;
    for (struct forebay_read *read; (read = forebay_client_wait(client, 1)) != NULL; ended++) {
        uint64_t right = read->offset + SIZE > FILE_BYTES ? FILE_BYTES - read->offset : SIZE;
        assert_int_equal(read->result, right);
        assert_memory_equal(read->bytes, content + read->offset, right);
    }
    assert_int_equal(ended, READS);
    test_free(bytes);
    test_free(reads);
    forebay_file_close(file);
    forebay_client_close(client);
}

/* What is lent stays while other blocks come and go, as long as it is held. */
static void read_without_bytes_lends_them(void **state)
{
    (void)state;
    enum { SIZE = 5000 };
    struct forebay_client *client = client_open();
    struct forebay_file *file = file_open(client, "large");
    unsigned char *bytes = test_malloc(FILE_BYTES);
    struct forebay_read lent = {.file = file, .offset = 3 * BLOCK_BYTES + 17, .size = SIZE};
    forebay_read_start(&lent);
    assert_ptr_equal(forebay_client_wait(client, 1), &lent);
    assert_int_equal(lent.result, SIZE);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(forebay_file_read(file, 0, bytes, FILE_BYTES), FILE_BYTES);
        assert_memory_equal(lent.lent, content + lent.offset, SIZE);
    }
    forebay_read_return(&lent);
    assert_null(lent.lent);
    forebay_read_return(&lent); /* nothing is lent: nothing happens */
    struct forebay_read end = {.file = file, .offset = FILE_BYTES - 10, .size = SIZE};
    forebay_read_start(&end);
    assert_ptr_equal(forebay_client_wait(client, 1), &end);
    assert_int_equal(end.result, 10);
    assert_memory_equal(end.lent, content + end.offset, 10);
    forebay_read_return(&end);
    struct forebay_read cut = {.file = file, .offset = BLOCK_BYTES - 1, .size = 2};
    forebay_read_start(&cut);
    assert_ptr_equal(forebay_client_wait(client, 1), &cut);
    assert_int_equal(cut.result, -EINVAL);
    assert_null(cut.lent);
    test_free(bytes);
    forebay_file_close(file);
    forebay_client_close(client);
}

/* More in all than a client may hold at once. */
static void reads_lent_again_and_again_lose_no_lease(void **state)
{
    (void)state;
    enum { READS = 100, SIZE = 100 };
    struct forebay_client *client = client_open();
    struct forebay_file *file = file_open(client, "large");
    struct forebay_read *reads = test_calloc(READS, sizeof(*reads));
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < READS; i++) {
            reads[i] = (struct forebay_read){.file = file, .offset = i * 10, .size = SIZE};
            forebay_read_start(&reads[i]);
        }
        for (struct forebay_read *read; (read = forebay_client_wait(client, 1)) != NULL;)
            assert_memory_equal(read->lent, content + read->offset, SIZE);
        for (uint32_t i = 0; i < READS; i++)
            forebay_read_return(&reads[i]);
    }
    test_free(reads);
    forebay_file_close(file);
    forebay_client_close(client);
}

static int entry_count(void *context, const struct forebay_entry *entry)
{
    uint32_t *count = context;
    if (entry->is_folder)
        assert_string_equal(entry->name, "many");
    return ++*count == 7 ? 42 : 0;
}

static int entry_order(void *context, const struct forebay_entry *entry)
{
    uint32_t *count = context;
    assert_int_equal(strtoul(entry->name, NULL, 10), *count);
    assert_int_equal(strlen(entry->name), 200);
    ++*count;
    return 0;
}

static void list_of_several_pages_is_whole(void **state)
{
    (void)state;
    struct forebay_client *client = client_open();
    uint32_t count = 0;
    assert_int_equal(forebay_client_list(client, "many", entry_order, &count), 0);
    assert_int_equal(count, SMALL_FILES);
    count = 0;
    assert_int_equal(forebay_client_list(client, "", entry_count, &count), 0);
    assert_int_equal(count, 3); /* large, empty, many */
    count = 0;
    assert_int_equal(forebay_client_list(client, "absent", entry_count, &count), -ENOENT);
    assert_int_equal(forebay_client_list(client, "large", entry_count, &count), -ENOENT);
    assert_int_equal(forebay_client_list(client, "many/", entry_count, &count), -EINVAL);
    forebay_client_close(client);
}

static void put_blocks_are_got_and_matched(void **state)
{
    (void)state;
    struct forebay_client *client = client_open();
    struct forebay_key keys[5];
    unsigned char bytes[3000], got[3000];
    for (uint32_t i = 0; i < 5; i++)
        keys[i] = (struct forebay_key){.high = 99, .low = 1000 + i};
    for (uint32_t i = 0; i < 4; i++) {
        memset(bytes, (int)i, sizeof(bytes));
        if (i != 2)
            assert_int_equal(forebay_kv_put(client, keys[i], bytes, 100 + i), 0);
    }
    assert_int_equal(forebay_kv_match(client, keys, 5), 2);
    memset(bytes, 3, sizeof(bytes));
    assert_int_equal(forebay_kv_get(client, keys[3], got, 103), 0);
    assert_memory_equal(got, bytes, 103);
    assert_int_equal(forebay_kv_get(client, keys[2], got, 100), -ENOENT);
    assert_int_equal(forebay_kv_get(client, keys[3], got, 104), -EINVAL);
    assert_int_equal(forebay_kv_put(client, keys[2], bytes, 0), -EINVAL);
    assert_int_equal(forebay_kv_match(client, keys, 0), 0);
    forebay_client_close(client);
}

/* Writes `size` bytes of the content in parts of `part` bytes. */
static struct forebay_file *written(struct forebay_client *client, const char *name, uint64_t size,
                                    uint64_t part)
{
    struct forebay_file *file;
    assert_int_equal(forebay_file_create(client, name, FOREBAY_REPLICATED, &file), 0);
    for (uint64_t at = 0; at < size; at += part) {
        uint64_t left = size - at;
        assert_int_equal(forebay_file_write(file, content + at, left < part ? left : part), 0);
    }
    return file;
}

static void write_of_any_size_is_read_back(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 600000};
    struct forebay_client *client = client_open();
    unsigned char *bytes = test_malloc(FILE_BYTES);
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct forebay_file *file = written(client, "new/written", sizes[i], 7001);
        assert_int_equal(forebay_file_sync(file), 0);
        assert_int_equal(forebay_file_commit(file, 30), 0);
        assert_int_equal(forebay_file_commit(file, 30), 0); /* once more does no harm */
        forebay_file_close(file);
        file = file_open(client, "new/written");
        assert_int_equal(forebay_file_size_bytes(file), sizes[i]);
        assert_int_equal(forebay_file_read(file, 0, bytes, FILE_BYTES), sizes[i]);
        assert_memory_equal(bytes, content, sizes[i]);
        forebay_file_close(file);
    }
    test_free(bytes);
    forebay_client_close(client);
}

static void write_is_unseen_until_its_commit(void **state)
{
    (void)state;
    struct forebay_client *client = client_open();
    struct forebay_file *file = written(client, "unseen", 200000, 50000), *other;
    struct forebay_facts facts;
    assert_int_equal(forebay_file_sync(file), 0);
    assert_int_equal(forebay_client_stat(client, "unseen", &facts), -ENOENT);
    assert_int_equal(forebay_file_create(client, "second", FOREBAY_MEMORY, &other), -EBUSY);
    forebay_file_close(file);
    assert_int_equal(forebay_client_stat(client, "unseen", &facts), -ENOENT);
    assert_int_equal(forebay_file_create(client, "../out", FOREBAY_MEMORY, &other), -EINVAL);
    assert_int_equal(forebay_file_create(client, ".forebay-parts/x", FOREBAY_MEMORY, &other),
                     -EINVAL);
    file = file_open(client, "large");
    assert_int_equal(forebay_file_write(file, "x", 1), -EBADF);
    forebay_file_close(file);
    forebay_client_close(client);
}

/* A commit as a client's own hand would make it. */
static int commit_raw(struct forebay_client *client, uint64_t handle, uint64_t size)
{
    struct fb_local_request request = {
        .kind = FB_LOCAL_COMMIT, .object = handle, .index = size, .level = FB_LEVEL_MEMORY};
    struct fb_local_reply reply;
    return client_call(client, &request, NULL, &reply);
}

static void commit_of_what_was_not_written_is_refused(void **state)
{
    (void)state;
    struct forebay_client *client = client_open(), *other = client_open();
    struct forebay_file *file = written(client, "forged", 200000, 50000);
    struct forebay_facts facts;
    assert_int_equal(forebay_file_sync(file), 0);
    assert_int_equal(commit_raw(client, file->handle, UINT64_C(12) << 40), -EINVAL);
    assert_int_equal(commit_raw(client, file->handle, UINT64_MAX), -EINVAL);
    assert_int_equal(commit_raw(other, file->handle, 200000), -EINVAL); /* it is not its own */
    assert_int_equal(forebay_client_stat(client, "forged", &facts), -ENOENT);
    struct forebay_file *read = file_open(other, "large");
    assert_int_equal(commit_raw(other, read->handle, 10), -EINVAL);
    forebay_file_close(read);
    forebay_file_close(file);
    forebay_client_close(other);
    forebay_client_close(client);
}

/* Whoever puts KV blocks cannot say what others read of a file. */
static void put_under_the_key_of_a_files_block_changes_no_file(void **state)
{
    (void)state;
    static unsigned char bytes[BLOCK_BYTES], forged[BLOCK_BYTES];
    struct forebay_client *client = client_open();
    struct forebay_file *file = file_open(client, "large");
    struct fb_object object = {.version = file->version, .size = file->size, .name_length = 5};
    memcpy(object.name, "large", 6);
    fb_object_identify(&object);
    assert_int_equal(object.handle, file->handle);
    struct fb_block block = fb_object_block(&object, BLOCK_BYTES, 3);
    const struct forebay_key key = {.high = block.key.high, .low = block.key.low};
    memset(forged, 'F', sizeof(forged));
    assert_int_equal(forebay_kv_put(client, key, forged, BLOCK_BYTES), 0);
    assert_int_equal(forebay_file_read(file, 3 * BLOCK_BYTES, bytes, BLOCK_BYTES), BLOCK_BYTES);
    assert_memory_equal(bytes, content + 3 * BLOCK_BYTES, BLOCK_BYTES);
    forebay_file_close(file);
    forebay_client_close(client);
}

static void open_files_of_ten_thousand_are_fine(void **state)
{
    (void)state;
    enum { FILES = 10000 };
    struct forebay_client *client = client_open();
    struct forebay_file **files = test_calloc(FILES, sizeof(*files));
    for (uint32_t i = 0; i < FILES; i++)
        files[i] = file_open(client, "large");
    unsigned char byte = 0;
    assert_int_equal(forebay_file_read(files[FILES - 1], 77, &byte, 1), 1);
    assert_int_equal(byte, content[77]);
    for (uint32_t i = 0; i < FILES; i++)
        forebay_file_close(files[i]);
    test_free(files);
    forebay_client_close(client);
}

/* A child that dies in the middle of its reads. */
static void child_run(void)
{
    struct forebay_client *client;
    struct forebay_file *file;
    static unsigned char bytes[FILE_BYTES];
    struct forebay_read reads[50];
    if (forebay_client_open(socket_path, &client) != 0 ||
        forebay_file_open(client, "large", &file) != 0)
        _exit(1);
    for (uint32_t i = 0; i < 50; i++) {
        reads[i] =
            (struct forebay_read){.file = file, .offset = i * 20000, .bytes = bytes, .size = 20000};
        forebay_read_start(&reads[i]);
    }
    (void)forebay_client_wait(client, 0);
    _exit(0);
}

static void client_that_dies_leaves_nothing(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        int code = -1;
        pid_t child = fork();
        if (child == 0)
            child_run();
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_int_equal(code, 0);
    }
    read_any_part_gives_its_bytes(NULL); /* all memory is free to be used again */
    struct forebay_client *client = client_open();
    char *text;
    assert_int_equal(forebay_client_status(client, &text), 0);
    assert_non_null(strstr(text, "\nclients 1\n"));
    free(text);
    forebay_client_close(client);
}

/* Half of the daemon's memory, which is what one client is lent. */
enum { BORROWED = MEMORY_BLOCKS / 2 };

static void memory_borrow(struct forebay_file *file, struct forebay_view views[BORROWED])
{
    for (uint32_t i = 0; i < BORROWED; i++) {
        uint64_t offset = (uint64_t)i * BLOCK_BYTES;
        assert_int_equal(forebay_file_view(file, offset, BLOCK_BYTES, &views[i]), 0);
        assert_int_equal(views[i].size, BLOCK_BYTES);
        assert_memory_equal(views[i].bytes, content + offset, BLOCK_BYTES);
    }
}

/* A child that holds spans until it is killed. */
static void child_hold(int ready)
{
    struct forebay_view views[BORROWED];
    memory_borrow(file_open(client_open(), "large"), views);
    if (write(ready, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void killed_client_gives_back_its_spans(void **state)
{
    (void)state;
    int ready[2], code;
    char byte;
    struct forebay_view views[BORROWED];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0)
        child_hold(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct forebay_client *client = client_open();
    struct forebay_file *file = file_open(client, "large");
    struct forebay_read last = {
        .file = file, .offset = MEMORY_BLOCKS * BLOCK_BYTES, .bytes = &byte, .size = 1};
    forebay_read_start(&last);
    assert_ptr_equal(forebay_client_wait(client, 1), &last); /* there is memory for others */
    assert_int_equal(last.result, 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFSIGNALED(code));
    assert_int_equal(byte, content[MEMORY_BLOCKS * BLOCK_BYTES]);
    memory_borrow(file, views); /* every span has come back */
    for (uint32_t i = 0; i < BORROWED; i++)
        forebay_view_return(client, &views[i]);
    forebay_file_close(file);
    forebay_client_close(client);
    close(ready[0]);
    close(ready[1]);
}

static void changed_object_is_stale_until_opened_again(void **state)
{
    (void)state;
    char path[320], byte = 0;
    struct forebay_client *client = client_open();
    struct forebay_file *file = file_open(client, "empty");
    snprintf(path, sizeof(path), "%s/origin/empty", temporary.folder);
    FILE *changed = fopen(path, "wb");
    assert_true(changed != NULL && fputs("x", changed) >= 0 && fclose(changed) == 0);
    forebay_file_close(file);
    file = file_open(client, "empty");
    changed = fopen(path, "wb");
    assert_true(changed != NULL && fputs("yz", changed) >= 0 && fclose(changed) == 0);
    assert_int_equal(forebay_file_read(file, 0, &byte, 1), -ESTALE);
    forebay_file_close(file);
    file = file_open(client, "empty");
    assert_int_equal(forebay_file_read(file, 0, &byte, 1), 1);
    assert_int_equal(byte, 'y');
    forebay_file_close(file);
    forebay_client_close(client);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    printf("seed %llu\n", (unsigned long long)first_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_absent_and_bad_names_fail),
        cmocka_unit_test(read_any_part_gives_its_bytes),
        cmocka_unit_test(reads_in_progress_all_end),
        cmocka_unit_test(read_without_bytes_lends_them),
        cmocka_unit_test(reads_lent_again_and_again_lose_no_lease),
        cmocka_unit_test(list_of_several_pages_is_whole),
        cmocka_unit_test(put_blocks_are_got_and_matched),
        cmocka_unit_test(write_of_any_size_is_read_back),
        cmocka_unit_test(write_is_unseen_until_its_commit),
        cmocka_unit_test(commit_of_what_was_not_written_is_refused),
        cmocka_unit_test(put_under_the_key_of_a_files_block_changes_no_file),
        cmocka_unit_test(open_files_of_ten_thousand_are_fine),
        cmocka_unit_test(client_that_dies_leaves_nothing),
        cmocka_unit_test(killed_client_gives_back_its_spans),
        cmocka_unit_test(changed_object_is_stale_until_opened_again),
    };
    return cmocka_run_group_tests(tests, daemon_start, daemon_stop);
}
