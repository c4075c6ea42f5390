/* See origin_client.h. */
#include "base/origin_client.h"

enum { PAUSE_DOUBLINGS_MAX = 6 };

static const uint64_t pause_first_ns = 100000000;

uint64_t fb_origin_parts(uint64_t part_bytes, uint64_t size_bytes)
{
    if (part_bytes == 0 || part_bytes >= size_bytes)
        return 1;
    return size_bytes / part_bytes + (size_bytes % part_bytes > 0);
}

uint64_t fb_origin_part(uint64_t part_bytes, uint64_t size_bytes, uint64_t from)
{
    uint64_t left = size_bytes - from;
    return part_bytes == 0 || part_bytes >= left ? left : part_bytes;
}

uint64_t fb_origin_pause_ns(uint32_t failed, uint64_t random)
{
    uint32_t doublings = failed - 1 < PAUSE_DOUBLINGS_MAX ? failed - 1 : PAUSE_DOUBLINGS_MAX;
    uint64_t base_ns = pause_first_ns << doublings;
    return base_ns / 2 + random % base_ns;
}
