/* Log-scaled histogram: 8 linear buckets below 8 ns, then 8 an octave. */
#include "core/histogram.h"

#include "core/panic.h"

uint32_t fb_histogram_bucket(uint64_t value_ns)
{
    if (value_ns < 8)
        return (uint32_t)value_ns;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(value_ns); /* 3.. */
    uint32_t bucket = (octave - 2) * 8 + (uint32_t)(value_ns >> (octave - 3) & 7);
    FB_ASSERT(octave >= 3);
    FB_ASSERT(bucket >= 8);
    return bucket < FB_HISTOGRAM_BUCKETS ? bucket : FB_HISTOGRAM_BUCKETS - 1;
}

uint64_t fb_histogram_bucket_start_ns(uint32_t bucket)
{
    FB_ASSERT(bucket <= FB_HISTOGRAM_BUCKETS);
    if (bucket < 8)
        return bucket;
    uint32_t octave = bucket / 8 + 2;
    FB_ASSERT(octave < 64);
    return (UINT64_C(8) + bucket % 8) << (octave - 3);
}

void fb_histogram_add(struct fb_histogram *histogram, uint64_t value_ns)
{
    uint32_t bucket = fb_histogram_bucket(value_ns);
    FB_ASSERT(bucket < FB_HISTOGRAM_BUCKETS);
    if (histogram->counts[bucket] < UINT32_MAX)
        histogram->counts[bucket]++;
    if (histogram->max_ns < value_ns)
        histogram->max_ns = value_ns;
    FB_ASSERT(histogram->counts[bucket] > 0);
}

void fb_histogram_merge(struct fb_histogram *histogram, const struct fb_histogram *other)
{
    FB_ASSERT(histogram != other);
    for (uint32_t i = 0; i < FB_HISTOGRAM_BUCKETS; i++) {
        uint64_t sum = (uint64_t)histogram->counts[i] + other->counts[i];
        histogram->counts[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
        FB_ASSERT(histogram->counts[i] >= other->counts[i]);
    }
    if (histogram->max_ns < other->max_ns)
        histogram->max_ns = other->max_ns;
}
