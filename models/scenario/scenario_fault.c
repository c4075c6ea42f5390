/* Faults of an experiment: `faults:`, a list of which nodes fail, how, when and for how long.
 *
 *     faults:
 *     - {kind: kill, share: 0.01, at: 2 s, spread: 5 s}        memory is lost, peers hear nothing
 *     - {kind: kill, node: 3, at: 10 s, restart_after: 5 s}    comes back with its drives alone
 *     - {kind: kill, node: 3, at: 10 s, restart_after: 1 h, drive: lost}    another machine
 *     - {kind: slow, share: 0.02, at: 0 s, factor: 0.1}        ports at a tenth of their rate
 *     inject: false                                          none of them; for a sweep */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

static void fault_load(struct fb_map *map, uint32_t nodes, struct fb_fault *fault)
{
    static const char *const kinds[] = {[FB_FAULT_KILL] = "kill", [FB_FAULT_SLOW] = "slow"};
    static const uint64_t day_ns = UINT64_C(86400000000000);
    fault->kind = (enum fb_fault_kind)fb_map_choice(map, "kind", kinds, 2, UINT32_MAX);
    fault->node = UINT32_MAX;
    if (fb_map_has(map, "node"))
        fault->node = (uint32_t)fb_map_count(map, "node", 0, nodes - 1);
    else
        fault->share = fb_map_number(map, "share", 0, 1);
    fault->at_ns = fb_map_ns(map, "at", 0, 365 * day_ns);
    fault->spread_ns = fb_map_ns_or(map, "spread", 0, 0, 365 * day_ns);
    fault->restart_after_ns = fb_map_ns_or(map, "restart_after", 0, 0, 365 * day_ns);
    static const char *const drives[] = {"kept", "lost"};
    fault->is_drive_lost = fb_map_choice(map, "drive", drives, 2, 0) == 1;
    fault->factor = fault->kind == FB_FAULT_SLOW ? fb_map_number(map, "factor", 0.001, 1) : 1;
    fb_map_close(map);
}

void fb_faults_load(struct fb_loader *loader, struct fb_map *root)
{
    struct fb_scenario *scenario = loader->scenario;
    static const uint64_t never_ns = UINT64_C(365) * 86400 * 1000000000;
    scenario->detect_ns =
        fb_map_ns_or(root, "detect_after", UINT64_C(10000000000), 1000000, never_ns);
    bool is_on = fb_map_flag_or(root, "inject", true);
    uint32_t count = fb_map_list_count(root, "faults");
    if (count > FB_FAULTS_MAX) {
        fb_map_fault(root, "faults", "%u entries: at most %d are supported", count, FB_FAULTS_MAX);
        return;
    }
    for (uint32_t i = 0; i < count && !fb_error_is_set(loader->error); i++) {
        struct fb_map map = fb_map_list_map(root, "faults", i);
        fault_load(&map, scenario->nodes, &scenario->faults[i]);
    }
    scenario->fault_count = is_on ? count : 0;
}
