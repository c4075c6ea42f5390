/* See mapping.h. Pages are not touched here: they come when they are first written. */
#include "hw/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

int fb_mapping_open(struct fb_mapping *mapping, const char *name, uint64_t size_bytes,
                    bool is_private)
{
    *mapping = (struct fb_mapping){.file = -1};
    int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0)
        return -errno;
    void *at = MAP_FAILED;
    if (ftruncate(file, (off_t)size_bytes) == 0)
        at = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | (is_private ? F_SEAL_FUTURE_WRITE : 0);
    if (at == MAP_FAILED || fcntl(file, F_ADD_SEALS, seals) != 0) {
        int code = -errno;
        if (at != MAP_FAILED)
            munmap(at, size_bytes);
        close(file);
        return code;
    }
    /* Only speed is lost when the kernel has no huge pages for shared memory. */
    (void)madvise(at, size_bytes, MADV_HUGEPAGE);
    *mapping = (struct fb_mapping){.bytes = {.at = at, .size = size_bytes}, .file = file};
    return 0;
}

void fb_mapping_close(struct fb_mapping *mapping)
{
    if (mapping->file < 0)
        return;
    munmap(mapping->bytes.at, mapping->bytes.size);
    close(mapping->file);
    mapping->file = -1;
}
