/* What settings choose by name: how blocks are evicted, and how the partition table is filled. */
#ifndef FB_CORE_CHOICES_H
#define FB_CORE_CHOICES_H

/* How the block to be evicted is chosen. */
enum fb_policy {
    FB_POLICY_FIFO,
    FB_POLICY_LRU,
    FB_POLICY_CLOCK,    /* Corbato 1968; one reference bit */
    FB_POLICY_SIEVE,    /* Zhang et al., NSDI 2024 */
    FB_POLICY_S3FIFO,   /* Yang et al., SOSP 2023: 10% small queue, ghost, 2-bit frequency */
    FB_POLICY_WTINYLFU, /* Einziger, Friedman, Manes, ACM TOS 2017: 1% window, SLRU main, sketch */
    FB_POLICY_COUNT
};

/* How the partition table of a view is filled: who owns what. */
enum fb_placement {
    FB_PLACEMENT_RENDEZVOUS, /* moves the minimum, whoever comes or goes; loads spread by chance */
    FB_PLACEMENT_RING,       /* virtual nodes on a circle, for comparison with other caches */
    FB_PLACEMENT_JUMP,       /* cheapest to build for many members; ids must be dense */
    FB_PLACEMENT_BALANCED,   /* loads differ by one partition; dearer to build */
    FB_PLACEMENT_COUNT
};

#endif
