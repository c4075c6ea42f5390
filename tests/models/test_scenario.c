/* Proves that experiments resolve to the values they name, that every mistake is answered by one
 * line with place, key and remedy, and that guesses and inputs are collected. Error cases are
 * one-line changes of one good experiment or component. */
#include "models/scenario/sweep.h"
#include "tests/models/experiment.h"

static void load_of_good_experiment_resolves_every_part(void **state)
{
    (void)state;
    load_text(good, NULL, 0);
    assert_string_equal(error.text, "");
    assert_string_equal(scenario.experiment, "test");
    assert_string_equal(scenario.question, "does it load?");
    assert_string_equal(scenario.system, "forebay");
    assert_int_equal(scenario.nodes, 2);
    assert_int_equal(scenario.accelerators, 4);
    assert_int_equal(scenario.seeds, 2);
    assert_int_equal(scenario.first_seed, 1);
    assert_int_equal(scenario.engine, 0);
    assert_int_equal(scenario.flows, 0);
    assert_int_equal(scenario.hardware.memory_size_bytes, UINT64_C(2000000000000));
    assert_int_equal(scenario.hardware.nic.count, 8);
    assert_int_equal(scenario.hardware.nic.rate_bytes_per_s, UINT64_C(50000000000));
    assert_int_equal(scenario.hardware.drive.count, 8);
    assert_int_equal(scenario.hardware.drive.size_bytes, UINT64_C(3840000000000));
    assert_int_equal(scenario.network.hosts_per_leaf, 32);
    assert_true(scenario.network.oversubscription == 1);
    assert_string_equal(scenario.origin.name, "posix-local");
    assert_int_equal(scenario.origin.accounts, 1);
    assert_int_equal(scenario.core.policy, FB_POLICY_LRU);
    assert_int_equal(scenario.core.memory_size_bytes, UINT64_C(68719476736));
    assert_int_equal(scenario.core.block_size_bytes, 16777216);
    assert_int_equal(scenario.core.use_peers, 1);
    assert_int_equal(scenario.workload.kinds, 1u << FB_WORKLOAD_TRAINING);
    assert_int_equal(scenario.workload.training.files, 448);
    assert_int_equal(scenario.workload.training.epochs, 5);
}

static void load_of_core_keys_reads_units_and_presets(void **state)
{
    (void)state;
    load_text(changed(good, "  policy: lru\n",
                      "  preset: scale\n  hedge: 5 ms\n  device_blocks: 128\n  use_peers: false\n"
                      "  replicas: 1\n  device_policy: sieve\n  block_size: 1 MiB\n"),
              NULL, 0);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.core.hedge_ns, 5000000);
    assert_int_equal(scenario.core.device_size_bytes, 128 << 20);
    assert_int_equal(scenario.core.device_entries_max, 128);
    assert_int_equal(scenario.core.use_peers, 0);
    assert_int_equal(scenario.core.replicas, 1);
    assert_int_equal(scenario.core.write_quorum, 1); /* as many as there can be */
    assert_int_equal(scenario.core.device_policy, FB_POLICY_SIEVE);
    struct fb_config scale;
    fb_config_init_scale(&scale);
    assert_int_equal(scenario.core.fills_max, scale.fills_max);
}

static void load_of_kv_gives_block_size_and_blocks(void **state)
{
    (void)state;
    load_text(good_kv, NULL, 0);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.workload.kinds, 1u << FB_WORKLOAD_KV);
    assert_int_equal(scenario.core.block_size_bytes, 16384);
    assert_int_equal(scenario.core.memory_size_bytes, 1638400);
    assert_int_equal(scenario.core.memory_entries_max, 100);
    assert_int_equal(scenario.accelerators, 8);
    assert_int_equal(scenario.workload.kv.requests_max, 0);
    assert_true(scenario.workload.kv.speed == 1);
    assert_int_equal(access(scenario.workload.kv.trace, R_OK), 0);
    load_text(changed(good_kv, "1 KiB}", "1 KiB, requests: 7, speed: 2.5}"), NULL, 0);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.workload.kv.requests_max, 7);
    assert_true(scenario.workload.kv.speed == 2.5);
    assert_int_equal(scenario.workload.kv.copies, 1);
    load_text(changed(good_kv, "1 KiB}", "1 KiB, copies: 40, copy_shift: 7 s}"), NULL, 0);
    assert_int_equal(scenario.workload.kv.copies, 40);
    assert_int_equal(scenario.workload.kv.copy_shift_ns, 7000000000);
    load_text(changed(good_kv, "memory_blocks: 100", "memory_blocks: 100, block_size: 1 MiB"), NULL,
              0);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.core.memory_size_bytes, 100 << 20);
}

struct mistake {
    const char *from, *to, *expected;
};

static void assert_mistakes(const char *text, const struct mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        load_text(changed(text, mistakes[i].from, mistakes[i].to), NULL, 0);
        assert_line_holds(error.text, mistakes[i].expected);
        assert_null(scenario.resolved);
    }
}

static void load_with_wrong_top_level_says_what_to_write(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"schema_version: 1\n", "", "schema_version: the key is missing: add schema_version: 1"},
        {"schema_version: 1", "schema_version: 2",
         "e.yaml:1:17: schema_version: 2 is not supported: this program reads version 1"},
        {"schema_version: 1", "schema_version: one",
         "e.yaml:1:17: schema_version: \"one\" is not a whole number"},
        {"experiment: test\n", "", "experiment: the key is missing: add it"},
        {"question: ", "qestion: ", "question: the key is missing: add it"},
        {"seeds: 2", "seed: 2", "e.yaml:10:1: seed: unknown key: did you mean seeds?"},
        {"seeds: 2", "seeds: 0", "e.yaml:10:8: seeds: \"0\" is too small: write at least 1"},
        {"seeds: 2", "seeds: 2\nseeds: 3", "e.yaml:11:1: repeated key \"seeds\": keep one of them"},
        {"seeds: 2", "simulation: {engine: simgird}",
         "simulation.engine: \"simgird\" is not known: did you mean simgrid? (one of simgrid, "
         "plain)"},
        {"seeds: 2", "simulation: {engine: plain, network: lmm}",
         "e.yaml:10:38: simulation.network: lmm needs the engine simgrid: write fluid"},
        {"cluster: ", "clutser: ", "e.yaml: cluster: the key is missing: add it"},
        {"experiment: test",
         "experiment: a_name_that_is_much_longer_than_the_sixty_three_bytes_that_are_kept_of_it",
         "e.yaml:2:13: experiment: is longer than 63 bytes: shorten it"},
        {"core:\n", "core: 5\nx:\n", "e.yaml:6:7: core: is not a map: write keys and values"},
    };
    assert_mistakes(good, mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
}

static void load_with_wrong_cluster_says_what_to_write(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"nodes: 2", "nodes: 0",
         "e.yaml:5:18: cluster.nodes: \"0\" is too small: write at least 1"},
        {"nodes: 2, ", "", "e.yaml:5:1: cluster.nodes: the key is missing: add it"},
        {"nodes: 2", "nodes: 200000",
         "e.yaml:5:18: cluster.nodes: 200000 nodes do not fit the network leaf-spine-400g, which "
         "holds 131072 (32 on each of 4096 leaves): lower nodes or choose a larger network"},
        {"accelerators: 4", "accelerators: 9",
         "cluster.accelerators: 9 is more than the 8 of gpu-node-h100: lower it, or set "
         "override.hardware.accelerators"},
        {"accelerators: 4", "acelerators: 4",
         "cluster.acelerators: unknown key: did you mean accelerators?"},
        {"gpu-node-h100", "gpu-node-h1000",
         "cluster.hardware: \"gpu-node-h1000\": no such file in models/hardware: did you mean "
         "gpu-node-h100?"},
        {"leaf-spine-400g", "leaf-spine-400",
         "cluster.network: \"leaf-spine-400\": no such file in models/networks: did you mean "
         "leaf-spine-400g?"},
        {"posix-local", "./posix.yaml",
         "cluster.origin: \"./posix.yaml\": no such file, neither in"},
        {"origin: posix-local", "origin: [posix-local]", "cluster.origin: is a list"},
        {"core:\n", "override: {origin: {acounts: 4}}\ncore:\n",
         "e.yaml:6:21: override.origin.acounts: unknown key: did you mean accounts?"},
        {"core:\n", "override: {network: {hosts_per_leaf: 1, leaves_max: 1}}\ncore:\n",
         "cluster.nodes: 2 nodes do not fit the network leaf-spine-400g, which holds 1"},
        {"core:\n", "override: {hardware: {drive: {count: 8 drives}}}\ncore:\n",
         "override.hardware.drive.count: \"8 drives\" is not a whole number"},
        {"core:\n", "override: {switch: {a: 1}}\ncore:\n", "override.switch: unknown key"},
    };
    assert_mistakes(good, mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
}

static void load_with_wrong_core_says_what_to_write(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"memory_size: 64 GiB", "memory_size: 64",
         "e.yaml:8:16: core.memory_size: \"64\" needs a unit, e.g. 64 GiB"},
        {"memory_size: 64 GiB", "memory_size: 0 B",
         "e.yaml:8:16: core.memory_size: \"0 B\" is too small: write at least 512 B"},
        {"memory_size: 64 GiB", "memory_size: 1 MiB",
         "core.memory_size: 1.00 MiB is less than one block of 16.0 MiB: raise it, or lower"},
        {"memory_size: 64 GiB", "memory_size: 3 TiB",
         "e.yaml:8:16: core.memory_size: 3.00 TiB is more than the 1.82 TiB of memory of "
         "gpu-node-h100: lower it, or set override.hardware.memory_size"},
        {"memory_size: 64 GiB", "device_size: 1 PiB",
         "core.device_size: 1.00 PiB is more than the 8 drives of 3.49 TiB in gpu-node-h100 hold"},
        {"memory_size: 64 GiB", "device_size: 1 MiB",
         "core.device_size: 1.00 MiB is less than one block of 16.0 MiB"},
        {"memory_size: 64 GiB", "memory_sise: 64 GiB",
         "e.yaml:8:3: core.memory_sise: unknown key: did you mean memory_size?"},
        {"memory_size: 64 GiB", "memory_size_bytes: 64 GiB",
         "core.memory_size_bytes: unknown key: did you mean memory_size?"},
        {"memory_size: 64 GiB", "memory_size: 64 GiB\n  memory_blocks: 5",
         "core.memory_blocks: contradicts memory_size: keep one of them"},
        {"memory_size: 64 GiB", "memory_blocks: 0", "core.memory_blocks: \"0\" is too small"},
        {"memory_size: 64 GiB", "hedge: 50", "core.hedge: \"50\" needs a unit, e.g. 1.5 us"},
        {"memory_size: 64 GiB", "replicas: 4",
         "core.replicas: \"4\" is too large: write at most 3"},
        {"memory_size: 64 GiB", "memory_size: 64 GiB\n  replicas: 3",
         "core.replicas: 3 owners of a block are more than the 2 members of the cluster"},
        {"memory_size: 64 GiB", "memory_size: 64 GiB\n  write_quorum: 3",
         "core.write_quorum: 3 copies are waited for, and there are never more than 2: lower it, "
         "or "
         "raise replicas"},
        {"memory_size: 64 GiB", "memory_size: 64 GiB\n  place_local: true\n  write_quorum: 2",
         "there are never more than 1: lower it, or leave out place_local"},
        {"memory_size: 64 GiB",
         "memory_size: 64 GiB\n  erasure_data: 4\n  erasure_parity: 1\n  write_quorum: 3",
         "there are never more than 2: lower it, or raise erasure_parity"},
        {"memory_size: 64 GiB", "memory_size: 64 GiB\n  erasure_data: 4",
         "core.erasure_data: 6 fragments on 2 members do not outlast 1 deaths: add members"},
        {"memory_size: 64 GiB",
         "memory_size: 64 GiB\n  erasure_data: 1\n  erasure_parity: 1\n  use_peers: false",
         "core.erasure_data: is 0 with place_local, or without use_peers"},
        {"memory_size: 64 GiB", "memory_size: 64 GiB\n  degraded: perhaps",
         "core.degraded: \"perhaps\" is not known: write one of refuse, allow"},
        {"memory_size: 64 GiB", "use_peers: 1", "core.use_peers: \"1\" is not a flag: write true"},
        {"policy: lru", "policy: lur",
         "e.yaml:7:11: core.policy: \"lur\" is not known: did you mean lru? (one of fifo, lru, "
         "clock, "
         "sieve, s3fifo, wtinylfu)"},
        {"policy: lru", "policy: [lru]", "core.policy: is a list: write one plain value"},
        {"policy: lru", "preset: huge", "core.preset: \"huge\" is not known: write one of default"},
    };
    assert_mistakes(good, mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
}

static void load_with_wrong_workload_says_what_to_write(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"kind: training, ", "", "e.yaml:9:1: workload.kind: the key is missing: add it"},
        {"kind: training", "kind: trainig",
         "workload.kind: \"trainig\" is not known: did you mean training?"},
        {"dlio: unet3d_h100, ", "", "workload.dlio: the key is missing: add it"},
        {"unet3d_h100", "unet3d_h10",
         "workload.dlio: \"unet3d_h10\": no such file in models/workloads: did you mean "
         "unet3d_h100?"},
        {"files: 448", "files: 55",
         "e.yaml:9:54: workload.files: 55 files are less than one batch of 7 samples for each of 8 "
         "accelerators: write at least 56"},
        {"files: 448", "file: 448", "workload.file: unknown key: did you mean files?"},
        {"files: 448", "epochs: 0", "workload.epochs: \"0\" is too small"},
        {"files: 448", "trace: x", "workload.trace: unknown key"},
    };
    assert_mistakes(good, mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
    static const struct mistake kv_mistakes[] = {
        {"trace: models/samples/conversation-small.jsonl, ", "",
         "workload.trace: the key is missing: add it"},
        {"conversation-small", "conversation-smal", "workload.trace: \"models/samples/"},
        {"bytes_per_token: 1 KiB", "bytes_per_token: 1024",
         "workload.bytes_per_token: \"1024\" needs a unit"},
        {", bytes_per_token: 1 KiB", "", "workload.bytes_per_token: the key is missing"},
        {"block_tokens: 16", "block_tokens: 1048577",
         "workload.block_tokens: \"1048577\" is too large"},
        {"block_tokens: 16, bytes_per_token: 1 KiB",
         "block_tokens: 1048576, bytes_per_token: 2 KiB",
         "a KV block of 2.00 GiB is more than a block can be, 1.00 GiB: lower "
         "workload.block_tokens"},
        {"1 KiB}", "1 KiB, requests: some}", "workload.requests: \"some\" is not a whole number"},
        {"1 KiB}", "1 KiB, speed: 0}", "workload.speed: \"0\" is too small"},
        {"memory_blocks: 100", "block_size: 8 KiB",
         "core.block_size: is less than a KV block of 16384 B (block_tokens * bytes_per_token)"},
    };
    assert_mistakes(good_kv, kv_mistakes, sizeof(kv_mistakes) / sizeof(kv_mistakes[0]));
    static const struct mistake level_mistakes[] = {
        {"kind: training, dlio: unet3d_h100, files: 448",
         "kind: checkpoint, state_size: 1 MiB, level: drive",
         "workload.level: \"drive\" is not known: write one of memory, replicated, nvme, origin"},
    };
    assert_mistakes(good, level_mistakes, sizeof(level_mistakes) / sizeof(level_mistakes[0]));
}

static const char network[] = "schema_version: 1\nname: net\n"
                              "hosts_per_leaf: {value: 4, source: \"a page\"}\n"
                              "leaves_max: {value: 2, guess: \"1 to 4, count them\"}\n"
                              "oversubscription: {value: 1.5, source: \"definition\"}\n"
                              "leaf_latency: {value: 600 ns, source: \"a page\"}\n"
                              "core_latency: {value: 2 us, source: \"a page\"}\n"
                              "port_queue: {value: 0 s, source: \"definition\"}\n";

static void load_of_components_demands_source_or_guess(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {", source: \"a page\"", "",
         "n.yaml:3:1: hosts_per_leaf: has neither source: nor guess:: say where the number comes "
         "from, or give a range"},
        {"source: \"a page\"", "source: \"a page\", guess: \"1 to 4\"",
         "n.yaml:3:1: hosts_per_leaf: has both source: and guess:: keep one"},
        {"source: \"a page\"", "source: \"\"", "n.yaml:3:37: hosts_per_leaf.source: is empty"},
        {"\"1 to 4, count them\"", "\"about two\"",
         "n.yaml:4:32: leaves_max.guess: \"about two\" has no range: write e.g. \"1 us to 3 us"},
        {"{value: 4, source: \"a page\"}", "4",
         "n.yaml:3:17: hosts_per_leaf: is a bare value: write it as value: with source: or guess:"},
        {"value: 4, ", "", "n.yaml:3:1: hosts_per_leaf.value: the key is missing: add it"},
        {"value: 4", "valeu: 4, value: 4",
         "n.yaml:3:18: hosts_per_leaf.valeu: unknown key: did you mean value?"},
        {"hosts_per_leaf", "host_per_leaf", "n.yaml: hosts_per_leaf: the key is missing: add it"},
        {"name: net\n", "name: net\nleafs: {value: 1, source: x}\n",
         "n.yaml:3:1: leafs: unknown key: known here: schema_version, name, notes, hosts_per_leaf"},
        {"600 ns", "600", "n.yaml:6:23: leaf_latency.value: \"600\" needs a unit"},
        {"0 s", "1 ms", "network: net has a port_queue, which only the fluid network knows: set "},
        {"1.5", "0.5", "n.yaml:5:27: oversubscription.value: \"0.5\" is too small"},
        {"schema_version: 1", "schema_version: 9",
         "n.yaml:1:17: schema_version: 9 is not supported"},
        {"name: net\n", "", "n.yaml: name: the key is missing: add it"},
    };
    char experiment[4096];
    snprintf(experiment, sizeof(experiment), "%s", changed(good, "leaf-spine-400g", "./n.yaml"));
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        temporary_write(&files, "n.yaml", changed(network, mistakes[i].from, mistakes[i].to));
        load_text(experiment, NULL, 0);
        assert_line_holds(error.text, mistakes[i].expected);
    }
    temporary_write(&files, "n.yaml", network);
    load_text(experiment, NULL, 0);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.network.hosts_per_leaf, 4);
    assert_true(scenario.network.oversubscription == 1.5);
    bool is_listed = false;
    for (uint32_t i = 0; i < scenario.guess_count; i++)
        is_listed =
            is_listed || strcmp(scenario.guesses[i], "net leaves_max: 2 (1 to 4, count them)") == 0;
    assert_true(is_listed);
}

static void load_takes_the_transport_that_is_named_or_this_build_s(void **state)
{
    (void)state;
    load_text(good, NULL, 0);
    assert_string_equal(error.text, "");
    assert_string_equal(scenario.transport.name, "tcp");
    assert_true(scenario.transport.is_built && !scenario.transport.is_one_sided);
    assert_true(scenario.transport.receive_mebibyte_ns > scenario.transport.send_mebibyte_ns);
    uint64_t tcp_ns = scenario.transport.receive_mebibyte_ns;
    const char *const rdma[] = {"cluster.transport=rdma"};
    load_text(good, rdma, 1);
    assert_string_equal(error.text, "");
    assert_string_equal(scenario.transport.name, "rdma");
    assert_true(!scenario.transport.is_built && scenario.transport.is_one_sided);
    assert_int_equal(scenario.transport.receive_mebibyte_ns, 0);
    assert_true(strstr(scenario.resolved, "\n  is_built: false\n") != NULL);
    const char *const secure[] = {"cluster.transport=tcp-tls"};
    load_text(good, secure, 1);
    assert_string_equal(error.text, "");
    assert_true(scenario.transport.is_built && scenario.transport.receive_mebibyte_ns > tcp_ns);
    static const struct mistake mistakes[] = {
        {"origin: posix-local", "transport: tpc, origin: posix-local",
         "cluster.transport: \"tpc\": no such file in models/transports: did you mean tcp?"},
        {"core:\n", "override: {transport: {piece: 1 KiB}}\ncore:\n",
         "override.transport.piece: unknown key: did you mean piece_size?"},
        {"core:\n", "override: {transport: {threads: 0}}\ncore:\n",
         "override.transport.threads: \"0\" is too small"},
        {"core:\n", "override: {transport: {is_striped: perhaps}}\ncore:\n",
         "override.transport.is_striped: \"perhaps\" is not a flag: write true or false"},
        {"core:\n", "override: {transport: {is_built: true}}\ncore:\n",
         "override.transport.is_built: unknown key"},
    };
    assert_mistakes(good, mistakes, sizeof(mistakes) / sizeof(mistakes[0]));
}

static void load_with_overrides_takes_them_and_drops_their_guesses(void **state)
{
    (void)state;
    load_text(good, NULL, 0);
    assert_string_equal(error.text, "");
    uint32_t guesses = scenario.guess_count;
    assert_true(guesses > 5);
    load_text(changed(good, "core:\n",
                      "override:\n  hardware: {core_step: 250 ns, drive: {count: 2, size: 1 TB}, "
                      "nic: {latency: 3 us}}\n  origin: {accounts: 7}\n"
                      "  network: {leaf_latency: 1 us}\ncore:\n"),
              NULL, 0);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.hardware.core_step_ns, 250);
    assert_int_equal(scenario.hardware.drive.count, 2);
    assert_int_equal(scenario.hardware.drive.size_bytes, UINT64_C(1000000000000));
    assert_int_equal(scenario.hardware.nic.latency_ns, 3000);
    assert_int_equal(scenario.origin.accounts, 7);
    assert_int_equal(scenario.network.leaf_latency_ns, 1000);
    /* core_step, nic latency and leaf_latency were guesses. */
    assert_int_equal(scenario.guess_count, guesses - 3);
    assert_int_equal(scenario.hardware.front_nic.count, 0);
    load_text(changed(good, "gpu-node-h100", "gpu-node-nd-h100-v5"), NULL, 0);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.hardware.front_nic.rate_bytes_per_s, UINT64_C(10000000000));
    assert_non_null(strstr(scenario.resolved, "  front_nic:\n    count: 1\n"));
    load_text(changed(good, "core:\n", "override: {hardware: {front_nic: {count: 2}}}\ncore:\n"),
              NULL, 0);
    assert_line_holds(error.text, "override.hardware.front_nic: unknown key");
}

static void load_with_assignments_changes_values_and_names_them(void **state)
{
    (void)state;
    const char *const fine[] = {"core.policy=sieve", "cluster.nodes=16", "core.memory_size=1 TiB",
                                "override.origin.accounts=3", "workload.files=2000"};
    load_text(good, fine, 5);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.core.policy, FB_POLICY_SIEVE);
    assert_int_equal(scenario.nodes, 16);
    assert_int_equal(scenario.core.memory_size_bytes, UINT64_C(1) << 40);
    assert_int_equal(scenario.origin.accounts, 3);
    static const char *const mistakes[][2] = {
        {"core.memory_size=64", "--set core.memory_size: \"64\" needs a unit, e.g. 64 GiB"},
        {"core.polcy=lru", "--set core.polcy: unknown key: did you mean policy?"},
        {"cluster.nodes=0", "--set cluster.nodes: \"0\" is too small"},
        {"workload.dlio=nothing.yaml", "--set workload.dlio: \"nothing.yaml\": no "
                                       "such file, neither in the current"},
        {"nonsense", "--set nonsense: not an assignment: write key=value"},
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        load_text(good, &mistakes[i][0], 1);
        assert_line_holds(error.text, mistakes[i][1]);
    }
}

/* A path in the file is relative to the file, one that was assigned to the current folder. */
/* Each at its limit, which is fine, and one beyond. */
static void load_of_counts_at_their_limits_and_beyond(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *fine, *beyond, *expected;
    } cases[] = {
        {good, "seeds", "1000", "1001", "seeds: \"1001\" is too large: write at most 1000"},
        {good, "cluster.nodes", "1048576", "1048577", "is too large: write at most 1048576"},
        {good, "workload.files", "1073741824", "1073741825", "write at most 1073741824"},
        {good, "override.hardware.drive.queue_depth", "1024", "1025",
         "queue_depth: \"1025\" is too large: write at most 1024"},
        {good, "origin.requests_max", "4096", "4097", "is too large: write at most 4096"},
        {good, "origin.tries_max", "20", "21", "is too large: write at most 20"},
        {good, "origin.part_size", "1 GiB", "2 GiB", "origin.part_size: \"2 GiB\" is too large"},
        {good, "origin.part_size", "4 KiB", "4095 B", "origin.part_size: is less than 4 KiB"},
        {good_kv, "workload.layer_groups", "64", "65", "is too large: write at most 64"},
        {good_kv, "workload.window", "64", "65", "is too large: write at most 64"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint32_t is_beyond = 0; is_beyond < 2; is_beyond++) {
            char assignment[128];
            snprintf(assignment, sizeof(assignment), "%s=%s", cases[i].key,
                     is_beyond ? cases[i].beyond : cases[i].fine);
            const char *const assignments[] = {assignment, "workload.samples_per_file=10000000",
                                               "override.network.leaves_max=32768"};
            load_text(cases[i].text, assignments, i == 1 ? 3 : 1);
            if (is_beyond)
                assert_line_holds(error.text, cases[i].expected);
            else
                assert_string_equal(error.text, "");
        }
    }
}

static void load_of_faults_at_their_limit_and_beyond(void **state)
{
    (void)state;
    for (uint32_t count = 16; count <= 17; count++) {
        char text[4096];
        size_t at = (size_t)snprintf(text, sizeof(text), "%sfaults:\n", good);
        for (uint32_t i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof(text) - at,
                                   "  - {kind: kill, node: 1, at: %u s}\n", i + 1);
        load_text(text, NULL, 0);
        if (count == 17)
            assert_line_holds(error.text, "faults: 17 entries: at most 16 are supported");
        else
            assert_string_equal(error.text, "");
    }
}

static void load_of_unscaled_settings_at_their_limits_and_beyond(void **state)
{
    (void)state;
    char assignments[FB_UNSCALED_MAX][FB_ASSIGNMENT_MAX];
    for (uint32_t count = FB_UNSCALED_MAX; count <= FB_UNSCALED_MAX + 1; count++) {
        char text[2048];
        size_t at = (size_t)snprintf(text, sizeof(text), "unscaled:\n");
        for (uint32_t i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "  key%u: 1\n", i);
        error = (struct fb_error){.text = ""};
        uint32_t found =
            fb_unscaled_load(temporary_write(&files, "u.yaml", text), assignments, &error);
        assert_int_equal(found, count == FB_UNSCALED_MAX ? count : 0);
        if (found == 0)
            assert_line_holds(error.text, "more than 12 settings: remove one");
    }
    for (int length = FB_ASSIGNMENT_MAX - 1; length <= FB_ASSIGNMENT_MAX; length++) {
        char text[512], value[FB_ASSIGNMENT_MAX] = "";
        memset(value, 'v', (size_t)length - strlen("key="));
        snprintf(text, sizeof(text), "unscaled: {key: %s}\n", value);
        error = (struct fb_error){.text = ""};
        (void)fb_unscaled_load(temporary_write(&files, "u.yaml", text), assignments, &error);
        if (length == FB_ASSIGNMENT_MAX)
            assert_line_holds(error.text, "is longer than 191 bytes with its value: shorten it");
        else
            assert_string_equal(error.text, "");
    }
}

/* A path that cannot be kept is said to be too long, and not that there is no such file. */
static void load_of_the_longest_path_and_beyond(void **state)
{
    (void)state;
    char text[4096], name[1200], from[64];
    snprintf(from, sizeof(from), "dlio: unet3d_h100");
    for (size_t length = 1023; length <= 1024; length++) { /* with the experiment's folder */
        size_t own = length - strlen(files.folder) - 1;
        snprintf(name, sizeof(name), "dlio: ./");
        memset(name + 8, 'n', own - 2);
        name[8 + own - 2] = '\0';
        snprintf(text, sizeof(text), "%s", changed(good, from, name));
        load_text(text, NULL, 0);
        assert_line_holds(error.text, length < 1024
                                          ? "no such file, neither in"
                                          : "with its folder the path is longer than 1023 bytes");
    }
    snprintf(name, sizeof(name), "/%0899d", 0);
    for (uint32_t more = 0; more < 2; more++) {
        char *before = getenv("FOREBAY_DATA");
        char kept[1024] = "";
        snprintf(kept, sizeof(kept), "%s", before != NULL ? before : "");
        strcat(name, more > 0 ? "x" : "");
        setenv("FOREBAY_DATA", name, 1);
        load_text(good, NULL, 0);
        if (before != NULL)
            setenv("FOREBAY_DATA", kept, 1);
        else
            unsetenv("FOREBAY_DATA");
        assert_line_holds(error.text, more > 0 ? "FOREBAY_DATA is longer than 900 bytes"
                                               : "there are no components in");
    }
}

static void load_finds_paths_where_they_were_written(void **state)
{
    (void)state;
    const char *trace =
        "{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": [1]}\n";
    const char *beside = temporary_write(&files, "beside.jsonl", trace);
    const char *text = changed(good_kv, "models/samples/conversation-small.jsonl", "beside.jsonl");
    load_text(text, NULL, 0);
    assert_string_equal(error.text, "");
    assert_string_equal(scenario.workload.kv.trace, beside);
    assert_string_equal(scenario.workload_file, "beside.jsonl");
    const char *const assigned[] = {"workload.trace=beside.jsonl"};
    load_text(good_kv, assigned, 1);
    assert_line_holds(error.text, "\"beside.jsonl\": no such file, neither in the current folder");
    const char *const here[] = {"workload.trace=models/samples/keys-small.txt"};
    load_text(good_kv, here, 1);
    assert_string_equal(error.text, "");
    assert_string_equal(scenario.workload.kv.trace, "models/samples/keys-small.txt");
}

static void load_lists_every_file_that_it_read(void **state)
{
    (void)state;
    load_text(good, NULL, 0);
    static const char *const expected[] = {
        "e.yaml",
        "models/hardware/gpu-node-h100.yaml",
        "models/hardware/nic-400g.yaml",
        "models/hardware/nvme-gen4.yaml",
        "models/networks/leaf-spine-400g.yaml",
        "models/transports/tcp.yaml",
        "models/origins/posix-local.yaml",
        "models/metadata/etcd.yaml",
        "models/workloads/unet3d_h100.yaml",
    };
    assert_int_equal(scenario.input_count, 9);
    for (uint32_t i = 0; i < 9; i++)
        assert_line_holds(scenario.inputs[i], expected[i]);
}

static void load_of_missing_experiment_says_so(void **state)
{
    (void)state;
    fb_scenario_load("/nonexistent/e.yaml", NULL, 0, NULL, &scenario, &error);
    assert_line_holds(error.text, "/nonexistent/e.yaml: cannot open: No such file");
    struct fb_sweep_point *points;
    error = (struct fb_error){.text = ""};
    assert_int_equal(fb_sweep_load("/nonexistent/e.yaml", NULL, 0, &points, &error), 0);
    assert_line_holds(error.text, "/nonexistent/e.yaml: cannot open: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(load_of_good_experiment_resolves_every_part),
        TEST(load_of_core_keys_reads_units_and_presets),
        TEST(load_of_kv_gives_block_size_and_blocks),
        TEST(load_with_wrong_top_level_says_what_to_write),
        TEST(load_with_wrong_cluster_says_what_to_write),
        TEST(load_with_wrong_core_says_what_to_write),
        TEST(load_with_wrong_workload_says_what_to_write),
        TEST(load_of_components_demands_source_or_guess),
        TEST(load_takes_the_transport_that_is_named_or_this_build_s),
        TEST(load_with_overrides_takes_them_and_drops_their_guesses),
        TEST(load_with_assignments_changes_values_and_names_them),
        TEST(load_finds_paths_where_they_were_written),
        TEST(load_lists_every_file_that_it_read),
        TEST(load_of_missing_experiment_says_so),
        TEST(load_of_counts_at_their_limits_and_beyond),
        TEST(load_of_faults_at_their_limit_and_beyond),
        TEST(load_of_unscaled_settings_at_their_limits_and_beyond),
        TEST(load_of_the_longest_path_and_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
