/* See mapping.h. Pages are not touched here: they come when they are first written. */
#include "hw/base/mapping.h"

#include "core/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Maps a new memory file; flags: of memfd_create. */
static int mapping_try(struct fb_mapping *mapping, const char *name, uint64_t size_bytes,
                       unsigned flags)
{
    int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (file < 0)
        return -errno;
    void *at = MAP_FAILED;
    if (ftruncate(file, (off_t)size_bytes) == 0)
        at = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) {
        int code = -errno;
        close(file);
        return code;
    }
    *mapping = (struct fb_mapping){.bytes = {.at = at, .size = size_bytes}, .file = file};
    return 0;
}

int fb_mapping_open(struct fb_mapping *mapping, const char *name, uint64_t size_bytes,
                    bool is_private)
{
    enum { HUGE_BYTES = 2 << 20 }; /* the usual size; others fail and are not used */
    int code = -EINVAL;
    FB_ASSERT(size_bytes > 0);
    *mapping = (struct fb_mapping){.file = -1};
    if (size_bytes % HUGE_BYTES == 0) /* only pages that the operator has set aside */
        code = mapping_try(mapping, name, size_bytes, MFD_HUGETLB);
    if (code != 0)
        code = mapping_try(mapping, name, size_bytes, 0);
    if (code != 0)
        return code;
    /* Only speed is lost when the kernel has no huge pages for shared memory. */
    (void)madvise(mapping->bytes.at, size_bytes, MADV_HUGEPAGE);
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | (is_private ? F_SEAL_FUTURE_WRITE : 0);
    if (fcntl(mapping->file, F_ADD_SEALS, seals) == 0)
        return 0;
    code = -errno;
    fb_mapping_close(mapping);
    return code;
}

void fb_mapping_close(struct fb_mapping *mapping)
{
    if (mapping->file < 0)
        return;
    munmap(mapping->bytes.at, mapping->bytes.size);
    close(mapping->file);
    mapping->file = -1;
}
