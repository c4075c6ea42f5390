/* Proves that fabrics are what they are said to be: by their link counts and capacities, by the
 * links of single paths, and by the rates of whole permutations, which have closed forms. */
#include "tests/support/unit.h"

#include "sim/fluid/fluid_fabric.h"

#include <math.h>
#include <stdlib.h>

static const uint64_t PORT = 12000000000u;

/* 64 hosts in 8 leaves of 8; 4 leaves are a pod. */
static struct fb_fabric fabric_of(enum fb_fabric_kind kind, double oversubscription)
{
    return (struct fb_fabric){
        .kind = kind,
        .host_count = 64,
        .ports_per_host = kind == FB_FABRIC_RAIL ? 4 : 1,
        .hosts_per_leaf = 8,
        .leaves_per_pod = 4,
        .leaf_uplinks = 1,
        .pod_uplinks = 1,
        .port_bytes_per_s = PORT,
        .leaf_oversubscription = oversubscription,
        .pod_oversubscription = 1,
    };
}

static uint64_t *capacities_of(const struct fb_fabric *fabric)
{
    uint64_t *capacities = calloc(fb_fabric_link_count(fabric), sizeof(*capacities));
    fb_fabric_capacities(fabric, capacities);
    return capacities;
}

/* The rate that every port gets when port i sends to port (i + shift) modulo all; they must agree
 * within spread. Returns the lowest. */
static double permutation_rate(const struct fb_fabric *fabric, uint32_t shift, double spread)
{
    uint32_t ports = fabric->host_count * fabric->ports_per_host;
    uint64_t *capacities = capacities_of(fabric);
    struct fb_fluid *fluid =
        fb_fluid_open(capacities, fb_fabric_link_count(fabric), ports, FB_FLUID_TOLERANCE);
    double lowest = INFINITY;
    double highest = 0;
    for (uint32_t i = 0; i < ports; i++) {
        uint32_t links[FB_FLUID_LINKS_MAX];
        uint32_t count = fb_fabric_path(fabric, i, (i + shift) % ports, i, links);
        fb_fluid_start(fluid, 0, links, count, PORT, 0, 1, i);
    }
    for (uint32_t i = 0; i < ports; i++) {
        double rate = fb_fluid_flow_rate(fluid, 0, i);
        lowest = fmin(lowest, rate);
        highest = fmax(highest, rate);
    }
    assert_true(highest <= lowest * (1 + spread));
    fb_fluid_close(fluid);
    free(capacities);
    return lowest / (double)PORT;
}

static void assert_near(double found, double expected)
{
    if (fabs(found - expected) > 1e-6 * expected)
        fail_msg("%.9f is not %.9f", found, expected);
}

static void leaf_spine_between_leaves_is_oversubscribed(void **state)
{
    (void)state;
    struct fb_fabric fabric = fabric_of(FB_FABRIC_LEAF_SPINE, 4);
    assert_int_equal(fb_fabric_link_count(&fabric), 2 * (64 + 8));
    assert_near(permutation_rate(&fabric, 8, 1e-6), 0.25);
    fabric.leaf_oversubscription = 1;
    assert_near(permutation_rate(&fabric, 8, 1e-6), 1);
}

static void leaf_spine_path_stays_below_the_leaf_when_it_can(void **state)
{
    (void)state;
    struct fb_fabric fabric = fabric_of(FB_FABRIC_LEAF_SPINE, 2);
    uint32_t links[FB_FLUID_LINKS_MAX];
    assert_int_equal(fb_fabric_path(&fabric, 9, 15, 7, links), 2);
    assert_int_equal(links[0], 18);
    assert_int_equal(links[1], 31);
    assert_int_equal(fb_fabric_path(&fabric, 9, 16, 7, links), 4);
    assert_int_equal(links[1], 2 * (64 + 1));
    assert_int_equal(links[2], 2 * (64 + 2) + 1);
}

static void leaf_spine_hash_chooses_the_spine_on_both_sides(void **state)
{
    (void)state;
    struct fb_fabric fabric = fabric_of(FB_FABRIC_LEAF_SPINE, 1);
    fabric.leaf_uplinks = 4;
    uint64_t *capacities = capacities_of(&fabric);
    uint32_t links[FB_FLUID_LINKS_MAX];
    for (uint64_t hash = 0; hash < 8; hash++) {
        assert_int_equal(fb_fabric_path(&fabric, 0, 63, hash, links), 4);
        assert_int_equal(links[1], 2 * 64 + 2 * (hash % 4));
        assert_int_equal(links[2], 2 * (64 + 7 * 4) + 2 * (hash % 4) + 1);
        assert_int_equal(capacities[links[1]], 2 * PORT);
        assert_int_equal(capacities[links[2]], 2 * PORT);
    }
    /* Ports of a leaf spread evenly over four spines of two ports each. */
    assert_near(permutation_rate(&fabric, 8, 1e-6), 1);
    fabric.leaf_uplinks = 8;
    assert_int_equal(fb_fabric_link_count(&fabric), 2 * (64 + 8 * 8));
    assert_near(permutation_rate(&fabric, 8, 1e-6), 1);
    free(capacities);
}

static void fat_tree_is_oversubscribed_at_either_stage(void **state)
{
    (void)state;
    struct fb_fabric fabric = fabric_of(FB_FABRIC_FAT_TREE, 2);
    fabric.pod_oversubscription = 3;
    assert_int_equal(fb_fabric_link_count(&fabric), 2 * (64 + 8 + 2));
    /* Half of the ports are in either pod: all of them cross the core by a shift of 32. */
    assert_near(permutation_rate(&fabric, 32, 1e-6), 1.0 / 6);
    uint32_t links[FB_FLUID_LINKS_MAX];
    assert_int_equal(fb_fabric_path(&fabric, 0, 7, 0, links), 2);
    assert_int_equal(fb_fabric_path(&fabric, 0, 8, 0, links), 4);
    assert_int_equal(fb_fabric_path(&fabric, 0, 32, 0, links), 6);
    assert_int_equal(links[2], 2 * (64 + 8));
    assert_int_equal(links[3], 2 * (64 + 8 + 1) + 1);
    fabric.leaf_uplinks = 2;
    fabric.pod_uplinks = 4;
    assert_int_equal(fb_fabric_link_count(&fabric), 2 * (64 + 8 * 2 + 2 * 2 * 4));
    /* A port's hash is its number: its switch is the lowest bit, its core the next two. */
    assert_near(permutation_rate(&fabric, 32, 1e-6), 1.0 / 6);
}

static void rail_ports_of_one_number_share_a_leaf(void **state)
{
    (void)state;
    struct fb_fabric fabric = fabric_of(FB_FABRIC_RAIL, 2);
    uint32_t links[FB_FLUID_LINKS_MAX];
    assert_int_equal(fb_fabric_link_count(&fabric), 2 * (256 + 8 * 4));
    /* Host 0 rail 1 to host 7 rail 1: the pod's leaf 1. */
    assert_int_equal(fb_fabric_path(&fabric, 1, 29, 0, links), 2);
    /* To host 8: pods' leaves 1 over the spine. */
    assert_int_equal(fb_fabric_path(&fabric, 1, 33, 0, links), 4);
    assert_int_equal(links[1], 2 * (256 + 1));
    assert_int_equal(links[2], 2 * (256 + 4 + 1) + 1);
    /* To another rail of the same pod: from leaf to leaf. */
    assert_int_equal(fb_fabric_path(&fabric, 1, 30, 0, links), 4);
    /* To the next host: one of eight leaves the pod. To the next pod: all share the uplinks. */
    assert_near(permutation_rate(&fabric, 4, 1e-6), 1);
    assert_near(permutation_rate(&fabric, 32, 1e-6), 0.5);
}

static void rail_changes_inside_the_host_where_it_can(void **state)
{
    (void)state;
    struct fb_fabric fabric = fabric_of(FB_FABRIC_RAIL, 2);
    fabric.host_bytes_per_s = 3 * PORT;
    uint32_t links[FB_FLUID_LINKS_MAX];
    uint64_t *capacities = capacities_of(&fabric);
    assert_int_equal(fb_fabric_link_count(&fabric), 2 * (256 + 8 * 4) + 64);
    /* Host 2 rail 1 to host 5 rail 3: rail 3 already inside host 2, then the pod's leaf 3. */
    assert_int_equal(fb_fabric_path(&fabric, 9, 23, 0, links), 3);
    assert_int_equal(links[0], 2 * (256 + 8 * 4) + 2);
    assert_int_equal(links[1], 2 * 11);
    assert_int_equal(links[2], 2 * 23 + 1);
    assert_int_equal(capacities[links[0]], 3 * PORT);
    assert_int_equal(fb_fabric_path(&fabric, 9, 11, 0, links), 1);
    /* Four ports of a host over a link for three. */
    assert_near(permutation_rate(&fabric, 5, 1e-6), 0.75);
    free(capacities);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaf_spine_between_leaves_is_oversubscribed),
        cmocka_unit_test(leaf_spine_path_stays_below_the_leaf_when_it_can),
        cmocka_unit_test(leaf_spine_hash_chooses_the_spine_on_both_sides),
        cmocka_unit_test(fat_tree_is_oversubscribed_at_either_stage),
        cmocka_unit_test(rail_ports_of_one_number_share_a_leaf),
        cmocka_unit_test(rail_changes_inside_the_host_where_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
