/* Data centre fabrics as links and paths for the fluid network. Pure arithmetic: no state. */
#ifndef FB_SIM_FLUID_FLUID_FABRIC_H
#define FB_SIM_FLUID_FLUID_FABRIC_H

#include "sim/fluid/fluid.h"

/* How ports and switches are joined. */
enum fb_fabric_kind {
    FB_FABRIC_LEAF_SPINE, /* ports on leaves, leaves on spines */
    FB_FABRIC_FAT_TREE,   /* ports on leaves, leaves on the switches of a pod, pods on cores */
    FB_FABRIC_RAIL,       /* port r of every host of a pod on the pod's leaf r, leaves on spines */
};

/* An oversubscription is the capacity below a switch over that above it; 1: it never blocks.
 * A switch's uplinks are single links that flows are spread over by a hash (ECMP, with its
 * collisions); 1 uplink is all of them as one, what spraying packets over all of them comes to. */
struct fb_fabric {
    enum fb_fabric_kind kind;
    uint32_t host_count;
    uint32_t ports_per_host; /* rails with FB_FABRIC_RAIL; else 1. Port: host * this + number */
    uint32_t hosts_per_leaf; /* rail: hosts of a pod */
    uint32_t leaves_per_pod; /* fat tree only */
    uint32_t leaf_uplinks;   /* spines; fat tree: switches of a pod */
    uint32_t pod_uplinks;    /* fat tree only: cores above each switch of a pod */
    uint64_t port_bytes_per_s;
    double leaf_oversubscription;
    double pod_oversubscription; /* fat tree only */
    /* rail: what a host moves between its own ports; traffic to another rail then changes rail
     * before it leaves the host. 0: it goes over the spine. */
    uint64_t host_bytes_per_s;
};

/* Directed links of the whole fabric, numbered from 0. */
uint32_t fb_fabric_link_count(const struct fb_fabric *fabric);

/* link_bytes_per_s: fb_fabric_link_count of them, for fb_fluid_open. */
void fb_fabric_capacities(const struct fb_fabric *fabric, uint64_t *link_bytes_per_s);

/* Writes the links from one port to another, which differs; hash chooses among uplinks. Returns
 * how many, 1..FB_FLUID_LINKS_MAX. Link 2 * port is what the port sends, 2 * port + 1 what it
 * receives. */
uint32_t fb_fabric_path(const struct fb_fabric *fabric, uint32_t source, uint32_t target,
                        uint64_t hash, uint32_t links[FB_FLUID_LINKS_MAX]);

#endif
