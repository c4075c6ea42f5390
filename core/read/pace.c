/* What a kind of work took lately, a byte, and how long to wait for the next before it counts as
 * slow. A fixed patience is wrong on some network; a multiple of the usual is right on each.
 * Moving average with weight 1/8 for the newest, as TCP's estimate of its round trip (RFC 6298). */
#include "core/read/read.h"

enum { PATIENCE = 4 }; /* times the usual; fewer would take a busy source for a slow one */

void pace_learn(struct pace *pace, uint64_t took_ns, uint64_t size_bytes)
{
    static const uint64_t MAX_NS = UINT64_C(1) << 40; /* 18 minutes */
    FB_ASSERT(size_bytes > 0);
    uint64_t ns_per_mib = ((took_ns < MAX_NS ? took_ns : MAX_NS) << 20) / size_bytes;
    if (ns_per_mib == 0)
        ns_per_mib = 1;
    if (ns_per_mib > MAX_NS)
        ns_per_mib = MAX_NS;
    pace->ns_per_mib = pace->ns_per_mib == 0 ? ns_per_mib : (7 * pace->ns_per_mib + ns_per_mib) / 8;
    FB_ASSERT(pace->ns_per_mib > 0);
}

/* max_ns while nothing is known. */
uint64_t pace_patience_ns(const struct pace *pace, uint64_t size_bytes, uint64_t min_ns,
                          uint64_t max_ns)
{
    uint64_t patience_ns = PATIENCE * (pace->ns_per_mib * size_bytes >> 20);
    FB_ASSERT(size_bytes > 0);
    FB_ASSERT(min_ns > 0);
    if (pace->ns_per_mib == 0 || patience_ns > max_ns)
        return max_ns;
    return patience_ns > min_ns ? patience_ns : min_ns;
}
