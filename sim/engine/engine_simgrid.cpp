/* SimGrid as the clock, the platform and, with network lmm, the flows. The one C++ file:
 * SimGrid's C API has no host-to-host send, no timers and no platform building.
 *
 * No actor runs. One kernel timer stands for the earliest date of the engine's own heap
 * (engine.c), because the kernel's queue falls to 0.5 M timers/s with 400,000 pending. Flows are
 * Comm activities; their completions of one date are collected and delivered together, sorted by
 * cookie: the first one sets a kernel timer for now, which runs after SimGrid has reported all
 * that ended at that date.
 *
 * Pinned model options (FACTS measured them): CM02 without cross-traffic and without TCP's
 * window, so that a flow gets exactly its max-min share; link latencies are 0, the world charges
 * latency with timers, because CM02 would share a saturated link in inverse proportion to
 * latency. Hosts that are down are in the engine's own table: a Comm started on a dead link
 * never calls back, and one to a dead host aborts. A cancelled Comm calls back twice: what is
 * not in `flows` any more is ignored. */
#include "sim/engine/engine_internal.h"

#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>
#include <simgrid/version.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <unordered_map>
#include <vector>

namespace sg4 = simgrid::s4u;
using simgrid::kernel::timer::Timer;

namespace
{

struct Flow {
    sg4::CommPtr comm;
    uint64_t cookie;
    uint32_t source, target;
};

struct SimgridState {
    std::vector<sg4::Host *> hosts;
    std::vector<sg4::Link *> up, down;
    std::unordered_map<const sg4::Activity *, Flow> flows;
    std::vector<sg4::CommPtr> cancelled; /* their second callback must find them alive */
    std::vector<uint64_t> ended;         /* cookies of flows that ended at this date */
    Timer *armed = nullptr;
    uint64_t armed_ns = UINT64_MAX;
};

const fb_simgrid_hooks *hooks = nullptr;
fb_engine *the_engine = nullptr; /* SimGrid allows one engine a process */
bool was_opened = false;

SimgridState *state_of(fb_engine *engine)
{
    return static_cast<SimgridState *>(engine->simgrid);
}

void arm(fb_engine *engine);

void advance_to_clock(fb_engine *engine)
{
    uint64_t clock_ns = static_cast<uint64_t>(std::llround(sg4::Engine::get_clock() * 1e9));
    if (clock_ns > engine->now_ns)
        engine->now_ns = clock_ns;
}

void on_timer()
{
    fb_engine *engine = the_engine;
    SimgridState *state = state_of(engine);
    if (state->armed_ns > engine->now_ns)
        engine->now_ns = state->armed_ns;
    state->armed = nullptr;
    state->armed_ns = UINT64_MAX;
    if (!engine->is_stopped)
        hooks->deliver_due(engine, nullptr, 0);
    arm(engine);
}

void on_flows_ended()
{
    fb_engine *engine = the_engine;
    std::vector<uint64_t> ended;
    ended.swap(state_of(engine)->ended);
    advance_to_clock(engine);
    if (!engine->is_stopped)
        hooks->deliver_due(engine, ended.data(), static_cast<uint32_t>(ended.size()));
    arm(engine);
}

/* One kernel timer for the earliest thing in the engine's heaps. */
void arm(fb_engine *engine)
{
    SimgridState *state = state_of(engine);
    uint64_t next_ns = engine->is_stopped ? UINT64_MAX : hooks->next_ns(engine);
    if (next_ns >= state->armed_ns)
        return;
    if (state->armed != nullptr)
        state->armed->remove();
    state->armed_ns = next_ns;
    double clock = sg4::Engine::get_clock(), date = static_cast<double>(next_ns) * 1e-9;
    state->armed = Timer::set(date > clock ? date : clock, on_timer);
}

void on_activity_ended(const sg4::Activity &activity)
{
    fb_engine *engine = the_engine;
    if (engine == nullptr)
        return;
    SimgridState *state = state_of(engine);
    auto found = state->flows.find(&activity);
    if (found == state->flows.end())
        return;
    if (state->ended.empty())
        Timer::set(sg4::Engine::get_clock(), on_flows_ended);
    state->ended.push_back(found->second.cookie);
    state->flows.erase(found);
}

sg4::Link *make_link(sg4::NetZone *zone, const std::string &name, uint64_t bytes_per_s)
{
    return zone->create_link(name, static_cast<double>(bytes_per_s))->set_latency(0)->seal();
}

/* A fat pipe bounds each of its flows; 3.32 ignores Comm::set_rate between hosts. */
void add_cap(sg4::NetZone *zone, const std::string &name, uint64_t bytes_per_s,
             std::vector<sg4::LinkInRoute> *route)
{
    if (bytes_per_s == 0)
        return;
    auto *cap = zone->create_link(name, static_cast<double>(bytes_per_s));
    cap->set_sharing_policy(sg4::Link::SharingPolicy::FATPIPE)->set_latency(0)->seal();
    route->emplace_back(cap);
}

void add_host(SimgridState *state, sg4::NetZone *zone, const fb_engine_host &host, uint32_t index)
{
    std::string name = "h" + std::to_string(index);
    sg4::Host *record = zone->create_host(name, 1e9)->seal();
    sg4::Link *up = make_link(zone, name + "u", host.up_bytes_per_s);
    sg4::Link *down = make_link(zone, name + "d", host.down_bytes_per_s);
    std::vector<sg4::LinkInRoute> out{sg4::LinkInRoute(up)}, in{sg4::LinkInRoute(down)};
    add_cap(zone, name + "c", host.flow_bytes_per_s, &out);
    add_cap(zone, name + "cd", host.flow_down_bytes_per_s, &in);
    zone->add_route(record->get_netpoint(), nullptr, nullptr, nullptr, out, false);
    zone->add_route(nullptr, record->get_netpoint(), nullptr, nullptr, in, false);
    state->hosts[index] = record;
    state->up[index] = up;
    state->down[index] = down;
}

/* A leaf with limited uplinks is a zone of its own; other hosts hang on the core, which never
 * blocks. */
sg4::NetZone *add_leaf(sg4::NetZone *root, const fb_engine_leaf &leaf, uint32_t index)
{
    std::string name = "leaf" + std::to_string(index);
    sg4::NetZone *zone = sg4::create_star_zone(name);
    zone->set_parent(root);
    auto *router = zone->create_router(name + "r");
    zone->add_route(router, nullptr, nullptr, nullptr, std::vector<sg4::LinkInRoute>(), false);
    zone->add_route(nullptr, router, nullptr, nullptr, std::vector<sg4::LinkInRoute>(), false);
    sg4::Link *up = make_link(root, name + "u", leaf.up_bytes_per_s);
    sg4::Link *down = make_link(root, name + "d", leaf.down_bytes_per_s);
    root->add_route(zone->get_netpoint(), nullptr, router, nullptr, {sg4::LinkInRoute(up)}, false);
    root->add_route(nullptr, zone->get_netpoint(), nullptr, router, {sg4::LinkInRoute(down)},
                    false);
    return zone;
}

void build_platform(fb_engine *engine, SimgridState *state)
{
    sg4::NetZone *root = sg4::create_star_zone("root");
    std::vector<sg4::NetZone *> leaves(engine->leaf_count, root);
    state->hosts.resize(engine->host_count);
    state->up.resize(engine->host_count);
    state->down.resize(engine->host_count);
    for (uint32_t i = 0; i < engine->leaf_count; i++) {
        if (engine->leaves[i].up_bytes_per_s > 0)
            leaves[i] = add_leaf(root, engine->leaves[i], i);
    }
    for (uint32_t i = 0; i < engine->host_count; i++)
        add_host(state, leaves[engine->hosts[i].leaf], engine->hosts[i], i);
    for (uint32_t i = 0; i < engine->leaf_count; i++) {
        if (leaves[i] != root)
            leaves[i]->seal();
    }
    root->seal();
}

sg4::Engine *open_simgrid()
{
    static int argc = 6;
    static char name[] = "forebay", quiet[] = "--log=root.thres:critical",
                model[] = "--cfg=network/model:CM02",
                crosstraffic[] = "--cfg=network/crosstraffic:0",
                window[] = "--cfg=network/TCP-gamma:1e30", none[] = "--cfg=debug/clean-atexit:no";
    static char *argv[] = {name, quiet, model, crosstraffic, window, none, nullptr};
    static sg4::Engine *const engine = new sg4::Engine(&argc, argv); /* until the process ends */
    return engine;
}

bool simgrid_open(struct fb_engine *engine, char *error, uint64_t error_size)
{
    if (was_opened) {
        std::snprintf(error, error_size,
                      "engine simgrid: only one a process; run each point in its own");
        return false;
    }
    was_opened = true;
    open_simgrid();
    auto *state = new SimgridState;
    engine->simgrid = state;
    the_engine = engine;
    if (engine->flows == FB_FLOWS_LMM)
        build_platform(engine, state);
    else
        sg4::create_star_zone("root")->seal();
#if SIMGRID_VERSION >= 33400
    sg4::Comm::on_completion_cb([](const sg4::Comm &comm) { on_activity_ended(comm); });
#else
    sg4::Activity::on_completion_cb(on_activity_ended);
#endif
    return true;
}

void simgrid_close(struct fb_engine *engine)
{
    the_engine = nullptr;
    delete state_of(engine);
    engine->simgrid = nullptr;
}

void simgrid_transfer(struct fb_engine *engine, uint32_t source, uint32_t target,
                      uint64_t size_bytes, uint64_t cookie)
{
    SimgridState *state = state_of(engine);
    sg4::CommPtr comm = sg4::Comm::sendto_init();
    comm->set_payload_size(size_bytes);
    comm->set_source(state->hosts[source])->set_destination(state->hosts[target]);
    state->flows.emplace(comm.get(), Flow{comm, cookie, source, target});
    if (comm->get_state() != sg4::Activity::State::STARTED)
        comm->start(); /* 3.32 starts when both ends are known, later versions do not */
}

void simgrid_set_up(struct fb_engine *engine, uint32_t host, bool is_up)
{
    SimgridState *state = state_of(engine);
    std::vector<Flow> failed;
    if (is_up)
        return;
    for (const auto &entry : state->flows) {
        if (entry.second.source == host || entry.second.target == host)
            failed.push_back(entry.second);
    }
    for (const Flow &flow : failed) {
        state->flows.erase(flow.comm.get());
        hooks->heap_push(&engine->failures, engine->now_ns, flow.cookie);
        state->cancelled.push_back(flow.comm);
        flow.comm->cancel();
    }
}

void simgrid_set_capacity(struct fb_engine *engine, uint32_t host, uint64_t up_bytes_per_s,
                          uint64_t down_bytes_per_s)
{
    SimgridState *state = state_of(engine);
    if (engine->flows != FB_FLOWS_LMM)
        return;
    state->up[host]->set_bandwidth(static_cast<double>(up_bytes_per_s));
    state->down[host]->set_bandwidth(static_cast<double>(down_bytes_per_s));
}

void simgrid_run(struct fb_engine *engine)
{
    arm(engine);
    sg4::Engine::get_instance()->run();
}

double simgrid_disk_read_s(uint64_t bytes_per_s, uint64_t size_bytes, uint32_t count)
{
    if (was_opened)
        return -1;
    was_opened = true;
    sg4::Engine *engine = open_simgrid();
    sg4::NetZone *zone = sg4::create_star_zone("root");
    sg4::Host *host = zone->create_host("h", 1e9);
    sg4::Disk *disk =
        host->create_disk("d", static_cast<double>(bytes_per_s), static_cast<double>(bytes_per_s));
    disk->seal();
    host->seal();
    zone->seal();
    std::vector<sg4::IoPtr> reads;
    Timer::set(0, [&]() {
        for (uint32_t i = 0; i < count; i++)
            reads.push_back(disk->read_async(size_bytes));
    });
    engine->run();
    return sg4::Engine::get_clock();
}

} // namespace

extern "C" const struct fb_simgrid *fb_simgrid_calls(const struct fb_simgrid_hooks *program)
{
    static const struct fb_simgrid calls = {
        simgrid_open,         simgrid_close, simgrid_transfer,   simgrid_set_up,
        simgrid_set_capacity, simgrid_run,   simgrid_disk_read_s};
    hooks = program;
    return &calls;
}
