/* Reads and writes through a daemon with libforebay. The values are parts of one object, so a read
 * is a GET of a block, a copy out of the cache memory, and a RELEASE. */
#include "tests/bench/load.h"

#include "client/forebay.h"

#include <stdlib.h>
#include <string.h>

static struct forebay_client *client_open(const struct load *load)
{
    struct forebay_client *client = NULL;
    int code = forebay_client_open(load->target, &client);
    if (code != 0)
        load_fail(load->target, code);
    return client;
}

static void read_begin(struct load *load, struct forebay_read *read)
{
    uint64_t value = load_next(load);
    read->context = (void *)(uintptr_t)value;
    read->offset = value * load->size_bytes;
    read->size = load->size_bytes;
    forebay_read_start(read);
}

/* Reads that were answered from where they should be. */
static uint64_t expected_count(const struct load *load, const struct forebay_file *file)
{
    uint64_t count = 0;
    for (uint32_t source = 0; source < FOREBAY_SOURCES; source++) {
        if (load->from == NULL || strcmp(load->from, forebay_source_name(source)) == 0)
            count += forebay_file_source_blocks(file, source);
    }
    return count;
}

void load_daemon(struct load *load)
{
    struct forebay_client *client = client_open(load);
    struct forebay_file *file = NULL;
    struct forebay_read reads[LOAD_DEPTH_MAX] = {{.file = NULL}};
    int code = forebay_file_open(client, load->name, &file);
    if (code != 0)
        load_fail(load->name, code);
    for (uint32_t i = 0; i < load->depth; i++)
        reads[i] = (struct forebay_read){
            .file = file, .bytes = load->is_lent ? NULL : load_allocate(load->size_bytes)};
    load_begin(load);
    for (uint32_t i = 0; i < load->depth; i++)
        read_begin(load, &reads[i]);
    for (struct forebay_read *read; (read = forebay_client_wait(client, 1)) != NULL;) {
        if (read->result != (int64_t)load->size_bytes)
            load_fail("read", read->result < 0 ? read->result : -5);
        load_check(load->is_lent ? read->lent : read->bytes, load->size_bytes,
                   (uint64_t)(uintptr_t)read->context);
        forebay_read_return(read);
        load_count(load);
        if (!load_is_over(load))
            read_begin(load, read);
    }
    load->expected = expected_count(load, file);
    for (uint32_t i = 0; i < load->depth; i++)
        free(reads[i].bytes);
    forebay_file_close(file);
    forebay_client_close(client);
}

void load_put(struct load *load)
{
    enum { PATIENCE_S = 120 };
    struct forebay_client *client = client_open(load);
    struct forebay_file *file = NULL;
    void *bytes = load_allocate(load->size_bytes);
    load_fill(bytes, load->size_bytes, 0);
    load_begin(load);
    int code = forebay_file_create(client, load->name, (enum forebay_level)load->level, &file);
    for (uint64_t i = 0; i < load->count && code == 0; i++) {
        *(uint64_t *)bytes = i;
        code = forebay_file_write(file, bytes, load->size_bytes);
    }
    if (code == 0)
        code = forebay_file_commit(file, PATIENCE_S);
    load_end(load);
    if (code != 0)
        load_fail(load->name, code);
    load->reads = load->count;
    load->expected = load->count;
    forebay_file_close(file);
    forebay_client_close(client);
    free(bytes);
}
