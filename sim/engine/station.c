/* See station.h. Occupancy is kept in ns with a remainder, so that rates are exact over long runs:
 * N operations of s bytes at r bytes/s occupy the pipe for N * s / r, rounded once, not N times. */
#include "sim/engine/station.h"

#include "core/panic.h"

#include <stdbool.h>
#include <string.h>

struct fb_station {
    struct fb_station_config config;
    uint64_t pipe_free_ns;
    uint64_t busy_ns;
    uint64_t remainder[FB_STATION_KINDS][2]; /* of size / bandwidth and of 1 / operations */
    uint32_t slots_used;                     /* of the heap, until every slot was used once */
    uint32_t reserved;
    uint64_t slots[]; /* min-heap of dates at which the slots become free */
};

enum { BY_BANDWIDTH, BY_OPERATIONS };

uint64_t fb_station_size_bytes(const struct fb_station_config *config)
{
    FB_ASSERT(config->parallelism >= 1);
    FB_ASSERT(config->parallelism <= FB_STATION_PARALLELISM_MAX);
    return sizeof(struct fb_station) + config->parallelism * sizeof(uint64_t);
}

void fb_station_init(struct fb_station *station, const struct fb_station_config *config)
{
    memset(station, 0, sizeof(*station)); /* slots are written before they are read */
    station->config = *config;
}

/* amount / rate seconds in ns; what the division leaves is carried to the next operation. */
static uint64_t divide(uint64_t amount, uint64_t per_s, uint64_t *remainder)
{
    if (per_s == 0)
        return 0;
    if (amount < (UINT64_C(1) << 33)) { /* fits one word: several times faster */
        uint64_t word = amount * 1000000000u + *remainder;
        *remainder = word % per_s;
        return word / per_s;
    }
    unsigned __int128 numerator = (unsigned __int128)amount * 1000000000u + *remainder;
    *remainder = (uint64_t)(numerator % per_s);
    return (uint64_t)(numerator / per_s);
}

static void heap_sink(uint64_t *slots, uint32_t count, uint32_t at)
{
    uint64_t date = slots[at];
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && slots[child + 1] < slots[child])
            child++;
        if (slots[child] >= date)
            break;
        slots[at] = slots[child];
        at = child;
    }
    slots[at] = date;
}

/* The earliest date at which a slot is free; that slot is then the heap's top. */
static uint64_t slot_free_ns(const struct fb_station *station)
{
    return station->slots_used < station->config.parallelism ? 0 : station->slots[0];
}

static void slot_take(struct fb_station *station, uint64_t until_ns)
{
    FB_ASSERT(station->slots_used <= station->config.parallelism);
    if (station->slots_used < station->config.parallelism) {
        uint32_t at = station->slots_used++;
        while (at > 0 && station->slots[(at - 1) / 2] > until_ns) {
            station->slots[at] = station->slots[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        station->slots[at] = until_ns;
        return;
    }
    station->slots[0] = until_ns;
    heap_sink(station->slots, station->slots_used, 0);
}

uint64_t fb_station_submit(struct fb_station *station, uint64_t now_ns, enum fb_station_kind kind,
                           uint64_t size_bytes)
{
    FB_ASSERT(kind < FB_STATION_KINDS);
    const struct fb_station_config *config = &station->config;
    uint64_t start_ns = now_ns;
    if (slot_free_ns(station) > start_ns)
        start_ns = slot_free_ns(station);
    if (station->pipe_free_ns > start_ns)
        start_ns = station->pipe_free_ns;
    uint64_t bytes_ns =
        divide(size_bytes, config->bytes_per_s[kind], &station->remainder[kind][BY_BANDWIDTH]);
    uint64_t operation_ns =
        divide(1, config->operations_per_s[kind], &station->remainder[kind][BY_OPERATIONS]);
    uint64_t occupancy_ns = bytes_ns > operation_ns ? bytes_ns : operation_ns;
    uint64_t end_ns = start_ns + occupancy_ns + config->latency_ns[kind];
    FB_ASSERT(end_ns >= now_ns);
    station->pipe_free_ns = start_ns + occupancy_ns;
    station->busy_ns += occupancy_ns;
    slot_take(station, end_ns);
    return end_ns;
}

/* What is left of a rate is carried over, so N occupancies add up to that of N times the amount,
 * where only one of the two rates can bind and nothing else counts. */
static bool is_pipe(const struct fb_station_config *config, enum fb_station_kind kind)
{
    FB_ASSERT(kind < FB_STATION_KINDS);
    return config->parallelism == 1 && config->latency_ns[kind] == 0 &&
           (config->bytes_per_s[kind] == 0 || config->operations_per_s[kind] == 0);
}

uint64_t fb_station_submit_many(struct fb_station *station, uint64_t now_ns,
                                enum fb_station_kind kind, uint64_t size_bytes, uint64_t count)
{
    const struct fb_station_config *config = &station->config;
    uint64_t end_ns = now_ns;
    if (count < 2 || !is_pipe(config, kind)) {
        for (uint64_t i = 0; i < count; i++)
            end_ns = fb_station_submit(station, now_ns, kind, size_bytes);
        return end_ns;
    }
    uint64_t start_ns = station->pipe_free_ns > now_ns ? station->pipe_free_ns : now_ns;
    uint64_t occupancy_ns =
        divide(size_bytes * count, config->bytes_per_s[kind],
               &station->remainder[kind][BY_BANDWIDTH]) +
        divide(count, config->operations_per_s[kind], &station->remainder[kind][BY_OPERATIONS]);
    end_ns = start_ns + occupancy_ns;
    station->pipe_free_ns = end_ns;
    station->busy_ns += occupancy_ns;
    slot_take(station, end_ns);
    return end_ns;
}

uint64_t fb_station_busy_ns(const struct fb_station *station)
{
    return station->busy_ns;
}

void fb_station_reset(struct fb_station *station, uint64_t now_ns)
{
    station->slots_used = 0;
    station->pipe_free_ns = now_ns;
    memset(station->remainder, 0, sizeof(station->remainder));
}
