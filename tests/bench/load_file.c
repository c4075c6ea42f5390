/* Files as programs read and write them: one call a part, from the beginning to the end. */
#include "tests/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int file_open(const struct load *load, int flags)
{
    enum { MODE = 0644 };
    int file = open(load->target, flags | O_CLOEXEC, MODE);
    if (file < 0)
        load_fail(load->target, -errno);
    return file;
}

/* The file's pages are in the cache that is measured, not in the kernel's for this mount: those
 * are dropped first when `from` says so. */
void load_file_read(struct load *load)
{
    unsigned char *bytes = load_allocate(load->size_bytes);
    int file = file_open(load, O_RDONLY);
    if (load->from != NULL && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0)
        load_fail("fadvise", -EINVAL);
    load_begin(load);
    for (ssize_t size; (size = read(file, bytes, load->size_bytes)) != 0;) {
        if (size != (ssize_t)load->size_bytes)
            load_fail(load->target, size < 0 ? -errno : -EIO);
        load_check(bytes, load->size_bytes, load->reads);
        load->reads++;
    }
    load_end(load);
    load->expected = load->reads;
    if (load->reads != load->count)
        load_fail("the file has another size", -EIO);
    close(file);
    free(bytes);
}

static void parts_write(struct load *load, int file)
{
    unsigned char *bytes = load_allocate(load->size_bytes);
    load_fill(bytes, load->size_bytes, 0);
    load_begin(load);
    for (uint64_t i = 0; i < load->count; i++) {
        *(uint64_t *)(void *)bytes = i;
        for (uint64_t done = 0; done < load->size_bytes;) {
            ssize_t size = write(file, bytes + done, load->size_bytes - done);
            if (size < 0)
                load_fail(load->target, -errno);
            done += (uint64_t)size;
        }
        load->reads++;
    }
    load->expected = load->reads;
    if (fsync(file) != 0)
        load_fail("fsync", -errno);
    load_end(load);
    free(bytes);
}

void load_file_write(struct load *load)
{
    int file = file_open(load, O_WRONLY | O_CREAT | O_TRUNC);
    parts_write(load, file);
    if (close(file) != 0)
        load_fail("close", -errno);
}

void load_file_make(struct load *load)
{
    unsigned char *bytes = load_allocate(load->size_bytes);
    int file = file_open(load, O_WRONLY | O_CREAT | O_TRUNC);
    load_begin(load);
    for (uint64_t i = 0; i < load->count; i++) {
        load_fill(bytes, load->size_bytes, i);
        if (write(file, bytes, load->size_bytes) != (ssize_t)load->size_bytes)
            load_fail(load->target, -errno);
        load->reads++;
    }
    load_end(load);
    close(file);
    free(bytes);
}
