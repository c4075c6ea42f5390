/* A stretch of memory that can be shared with other processes: the node's cache memory, which
 * clients map for reading, and the clients' own arenas. Backed by a memfd in huge pages where the
 * kernel gives them. */
#ifndef FB_HW_BASE_MAPPING_H
#define FB_HW_BASE_MAPPING_H

#include "hw/base/uring.h"

/* Memory, and the file that it is of. */
struct fb_mapping {
    struct fb_bytes bytes;
    int file; /* to be handed to clients; -1: not open */
};

/* is_private: others that map the file can only read it. name: shows in /proc. Errors: -errno. */
int fb_mapping_open(struct fb_mapping *mapping, const char *name, uint64_t size_bytes,
                    bool is_private);
/* Unmaps it; nothing when it is not open. */
void fb_mapping_close(struct fb_mapping *mapping);

#endif
