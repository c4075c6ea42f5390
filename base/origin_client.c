/* See origin_client.h. */
#include "base/origin_client.h"

#include "base/units.h"
#include "core/panic.h"

#include <stdlib.h>

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

uint64_t fb_origin_store_part(uint64_t part_bytes, uint64_t least_bytes)
{
    if (part_bytes == 0 || least_bytes == 0)
        return 0;
    return part_bytes > least_bytes ? part_bytes : least_bytes;
}

void fb_origin_client_read(struct fb_map *map, struct fb_origin_client *client)
{
    uint64_t part = 0;
    bool is_fine = fb_parse_bytes(FB_ORIGIN_PART_SIZE, &part);
    FB_ASSERT(is_fine);
    client->part_bytes = fb_map_bytes_or(map, "part_size", part, 0, FB_ORIGIN_PART_BYTES_MAX);
    client->requests_max = (uint32_t)fb_map_count_or(
        map, "requests_max", strtoul(FB_ORIGIN_REQUESTS, NULL, 10), 1, FB_ORIGIN_REQUESTS_MAX);
    client->tries_max = (uint32_t)fb_map_count_or(
        map, "tries_max", strtoul(FB_ORIGIN_TRIES, NULL, 10), 1, FB_ORIGIN_TRIES_MAX);
    if (client->part_bytes > 0 && client->part_bytes < FB_ORIGIN_PART_BYTES_MIN)
        fb_map_fault(map, "part_size", FB_ORIGIN_PART_FAULT);
}

uint64_t fb_origin_pause_ns(uint32_t failed, uint64_t random)
{
    uint32_t doublings = failed - 1 < PAUSE_DOUBLINGS_MAX ? failed - 1 : PAUSE_DOUBLINGS_MAX;
    uint64_t base_ns = pause_first_ns << doublings;
    return base_ns / 2 + random % base_ns;
}
