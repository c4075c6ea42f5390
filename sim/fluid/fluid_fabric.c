/* Links in this order, always up and down in turn: ports; uplinks leaf by leaf; fat tree: uplinks
 * of each pod's switches; rail: one link a host between its ports.
 *
 *     leaf-spine    port, leaf to spine, spine to leaf, port
 *     fat tree      port, leaf to pod, pod to core, core to pod, pod to leaf, port
 *     rail          [inside the host,] port, leaf to spine, spine to leaf, port
 *
 * A path goes only as high as it must. Switches themselves never block. */
#include "sim/fluid/fluid_fabric.h"

#include "core/panic.h"

#include <stdbool.h>

static uint32_t port_count(const struct fb_fabric *fabric)
{
    return fabric->host_count * fabric->ports_per_host;
}

static uint32_t group_count(const struct fb_fabric *fabric)
{
    return (fabric->host_count + fabric->hosts_per_leaf - 1) / fabric->hosts_per_leaf;
}

static uint32_t leaf_count(const struct fb_fabric *fabric)
{
    uint32_t groups = group_count(fabric);
    return fabric->kind == FB_FABRIC_RAIL ? groups * fabric->ports_per_host : groups;
}

/* Uplinks of all pods' switches. */
static uint32_t core_link_count(const struct fb_fabric *fabric)
{
    if (fabric->kind != FB_FABRIC_FAT_TREE)
        return 0;
    uint32_t pods = (group_count(fabric) + fabric->leaves_per_pod - 1) / fabric->leaves_per_pod;
    return pods * fabric->leaf_uplinks * fabric->pod_uplinks;
}

static uint32_t inside_count(const struct fb_fabric *fabric)
{
    bool has_inside = fabric->kind == FB_FABRIC_RAIL && fabric->host_bytes_per_s > 0;
    return has_inside ? fabric->host_count : 0;
}

static uint32_t leaf_links_first(const struct fb_fabric *fabric)
{
    return 2 * port_count(fabric);
}

static uint32_t core_links_first(const struct fb_fabric *fabric)
{
    return leaf_links_first(fabric) + 2 * leaf_count(fabric) * fabric->leaf_uplinks;
}

static uint32_t inside_first(const struct fb_fabric *fabric)
{
    return core_links_first(fabric) + 2 * core_link_count(fabric);
}

uint32_t fb_fabric_link_count(const struct fb_fabric *fabric)
{
    FB_ASSERT(fabric->host_count > 0 && fabric->hosts_per_leaf > 0);
    FB_ASSERT(fabric->kind == FB_FABRIC_RAIL || fabric->ports_per_host == 1);
    FB_ASSERT(fabric->leaf_uplinks > 0);
    return inside_first(fabric) + inside_count(fabric);
}

void fb_fabric_capacities(const struct fb_fabric *fabric, uint64_t *link_bytes_per_s)
{
    FB_ASSERT(fabric->leaf_oversubscription > 0);
    uint32_t at = 0;
    for (; at < leaf_links_first(fabric); at++)
        link_bytes_per_s[at] = fabric->port_bytes_per_s;
    double leaf = (double)fabric->port_bytes_per_s * fabric->hosts_per_leaf /
                  fabric->leaf_oversubscription / fabric->leaf_uplinks;
    for (; at < core_links_first(fabric); at++)
        link_bytes_per_s[at] = (uint64_t)leaf;
    if (fabric->kind == FB_FABRIC_FAT_TREE) {
        FB_ASSERT(fabric->pod_oversubscription > 0);
        double pod =
            leaf * fabric->leaves_per_pod / fabric->pod_oversubscription / fabric->pod_uplinks;
        for (; at < inside_first(fabric); at++)
            link_bytes_per_s[at] = (uint64_t)pod;
    }
    for (; at < inside_first(fabric) + inside_count(fabric); at++)
        link_bytes_per_s[at] = fabric->host_bytes_per_s;
}

static uint32_t leaf_of(const struct fb_fabric *fabric, uint32_t port)
{
    uint32_t group = port / fabric->ports_per_host / fabric->hosts_per_leaf;
    if (fabric->kind == FB_FABRIC_RAIL)
        return group * fabric->ports_per_host + port % fabric->ports_per_host;
    return group;
}

/* Towards the core of a fat tree; its down direction is the next link. */
static uint32_t core_link(const struct fb_fabric *fabric, uint32_t pod, uint32_t uplink,
                          uint32_t core)
{
    uint32_t place = (pod * fabric->leaf_uplinks + uplink) * fabric->pod_uplinks + core;
    return core_links_first(fabric) + 2 * place;
}

/* The switches between two leaves. */
static uint32_t path_between(const struct fb_fabric *fabric, uint32_t source, uint32_t target,
                             uint64_t hash, uint32_t *links)
{
    uint32_t uplink = (uint32_t)(hash % fabric->leaf_uplinks);
    uint32_t first = leaf_links_first(fabric) + 2 * uplink;
    uint32_t count = 0;
    links[count++] = first + 2 * source * fabric->leaf_uplinks;
    if (fabric->kind == FB_FABRIC_FAT_TREE) {
        uint32_t from = source / fabric->leaves_per_pod;
        uint32_t to = target / fabric->leaves_per_pod;
        uint32_t core = (uint32_t)(hash / fabric->leaf_uplinks % fabric->pod_uplinks);
        if (from != to) {
            links[count++] = core_link(fabric, from, uplink, core);
            links[count++] = core_link(fabric, to, uplink, core) + 1;
        }
    }
    links[count++] = first + 2 * target * fabric->leaf_uplinks + 1;
    return count;
}

uint32_t fb_fabric_path(const struct fb_fabric *fabric, uint32_t source, uint32_t target,
                        uint64_t hash, uint32_t links[FB_FLUID_LINKS_MAX])
{
    FB_ASSERT(source < port_count(fabric) && target < port_count(fabric));
    FB_ASSERT(source != target);
    uint32_t ports = fabric->ports_per_host;
    uint32_t count = 0;
    if (inside_count(fabric) > 0 && source % ports != target % ports) {
        uint32_t host = source / ports;
        links[count++] = inside_first(fabric) + host;
        if (host == target / ports)
            return count;
        source = host * ports + target % ports;
    }
    links[count++] = 2 * source;
    uint32_t from = leaf_of(fabric, source);
    uint32_t to = leaf_of(fabric, target);
    if (from != to)
        count += path_between(fabric, from, to, hash, &links[count]);
    links[count++] = 2 * target + 1;
    FB_ASSERT(count <= FB_FLUID_LINKS_MAX);
    return count;
}
