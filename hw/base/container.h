/* From a pointer to a member to the struct that holds it. */
#ifndef FB_HW_BASE_CONTAINER_H
#define FB_HW_BASE_CONTAINER_H

#include <stddef.h>

/* The struct of `type` that has its `member` at `pointer`. */
#define FB_CONTAINER(pointer, type, member) \
    ((type *)(void *)((unsigned char *)(pointer)-offsetof(type, member)))

#endif
