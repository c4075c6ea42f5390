/* A scenario: everything that one run of the simulator needs, resolved from an experiment file, the
 * component files that it names, and overrides. Plain values; no YAML beyond scenario.c. */
#ifndef FB_MODELS_SCENARIO_SCENARIO_H
#define FB_MODELS_SCENARIO_SCENARIO_H

#include "core/config.h"
#include "base/core_fields.h"

enum { FB_PATH_MAX = 1024 };

struct fb_drive {
    uint32_t count; /* drives in the node */
    uint32_t queue_depth;
    uint64_t size_bytes;
    uint64_t read_latency_ns, write_latency_ns;
    uint64_t read_bytes_per_s, write_bytes_per_s;
    uint64_t read_operations_per_s, write_operations_per_s;
};

struct fb_nic {
    uint32_t count;            /* ports in the node */
    uint64_t rate_bytes_per_s; /* of one port: line rate */
    double efficiency;         /* share of the line rate that payload gets */
    uint64_t latency_ns;       /* one way, host to host, without switches */
    uint64_t work_requests_per_s;
    uint64_t message_bytes_max; /* a transfer is cut into work requests of this size */
};

struct fb_hardware {
    char name[FB_NAME_MAX];
    uint32_t accelerators;
    uint32_t cpu_cores; /* that the cache may use */
    uint64_t memory_size_bytes;
    uint64_t memory_bytes_per_s; /* copies between client and cache */
    uint64_t core_step_ns;       /* CPU time of one core step */
    uint64_t submit_ns;          /* CPU time of handing one op to device, NIC or origin client */
    uint64_t digest_bytes_per_s; /* of one CPU core */
    struct fb_nic nic;
    struct fb_drive drive;
};

struct fb_network {
    char name[FB_NAME_MAX];
    uint32_t hosts_per_leaf;
    uint32_t leaves_max;
    double oversubscription;  /* hosts' port rate over uplink rate; 1: non-blocking */
    uint64_t leaf_latency_ns; /* added inside a leaf */
    uint64_t core_latency_ns; /* added between leaves, in place of leaf_latency_ns */
    uint64_t port_queue_ns;   /* a message waits behind bulk in a host's port, at most so long */
};

struct fb_origin_model {
    char name[FB_NAME_MAX];
    uint32_t accounts;
    uint64_t latency_ns;       /* to the first byte */
    double latency_sigma;      /* of ln(latency): log-normal spread; 0: constant */
    uint64_t read_bytes_per_s; /* per account */
    uint64_t write_bytes_per_s;
    uint64_t requests_per_s;     /* per account */
    uint64_t stream_bytes_per_s; /* of one request */
    uint64_t part_bytes;         /* a block is moved by parallel requests of this size */
    uint32_t requests_max;       /* at once per account, above: throttled */
};

struct fb_metadata { /* operations_per_s 0: the cluster has none */
    char name[FB_NAME_MAX];
    uint64_t operations_per_s; /* all of the store's machines together */
    uint64_t read_latency_ns;
    uint64_t commit_latency_ns;
};

enum fb_workload_kind {
    FB_WORKLOAD_TRAINING,
    FB_WORKLOAD_KV,
    FB_WORKLOAD_FAN_OUT,
    FB_WORKLOAD_CHECKPOINT,
    FB_WORKLOAD_PLACEMENT,
    FB_WORKLOAD_OVERWRITE,
    FB_WORKLOAD_KINDS
};

enum { FB_TRAINING_FILES_MAX = 1 << 30 }; /* their order is a table of 32-bit numbers */

struct fb_training { /* one DLIO / MLPerf Storage workload */
    char model[FB_NAME_MAX];
    uint64_t files; /* in the data set */
    uint64_t samples_per_file;
    double record_length_bytes;
    double record_length_stdev_bytes;
    uint32_t batch_size;
    uint32_t read_threads;     /* loader workers per accelerator */
    uint32_t prefetch_batches; /* per worker: ceil(DLIO's prefetch_size / read_threads) */
    uint32_t hints;            /* batches ahead, per worker, that the cache is told of */
    bool is_gathered;          /* a batch is one request */
    uint32_t epochs;
    uint64_t computation_ns; /* per batch */
    double au_target;        /* 0..1 */
    bool shuffle_files;
    bool shuffle_samples;
};

enum { FB_KV_LAYER_GROUPS_MAX = 64, FB_KV_WINDOW_MAX = 64 };

struct fb_kv {
    char trace[FB_PATH_MAX];
    uint32_t block_tokens;
    uint64_t bytes_per_token;
    uint32_t layer_groups;       /* pieces of a block, pulled in this order; 1: it is read whole */
    uint32_t window;             /* pieces of a request in flight */
    uint64_t requests_max;       /* 0: the whole trace */
    uint32_t copies;             /* of the trace, each with blocks of its own; 0 is 1 */
    uint64_t copy_shift_ns;      /* each copy begins this much after the one before */
    double speed;                /* arrival times are divided by this */
    double prefill_tokens_per_s; /* what a hit saves the accelerator; 0: not asked */
};

struct fb_fanout { /* every node reads one object */
    uint64_t object_size_bytes;
    uint32_t window;     /* blocks in flight a node */
    uint64_t stagger_ns; /* readers start evenly over this time */
};

struct fb_checkpoint {          /* sharded state written by all, restored by some */
    uint64_t state_size_bytes;  /* of the whole job */
    uint32_t writers, readers;  /* nodes; readers 0: no restore */
    uint32_t level;             /* enum fb_level */
    uint32_t window;            /* blocks in flight a node */
    bool restores_when_drained; /* else when it is durable */
    uint32_t kill_when_durable; /* nodes that die the moment the last block is acked */
    uint64_t restart_after_ns;  /* they come back with their drives; 0: never */
    double failures_per_1000_node_days;
};

struct fb_placement_change { /* a cluster changes; who holds what before and after? */
    uint32_t placement;      /* enum fb_placement */
    bool is_directory;       /* in its place: the metadata store is asked for each key */
    uint32_t nodes_before, nodes_after;
    uint32_t nodes_lost, domains_lost; /* of those after: listed, but down */
    bool is_unlisted;                  /* those lost are not even listed */
    uint32_t hosts_per_domain;
    uint64_t data_size_bytes; /* one copy of all data */
};

struct fb_overwrite { /* every node overwrites and reads names that all share */
    uint64_t object_size_bytes;
    uint32_t names;
    uint32_t rounds; /* of each node's writer and of its reader */
    uint32_t level;  /* enum fb_level */
    uint32_t window; /* blocks in flight a client */
};

struct fb_workload {
    uint32_t kinds; /* bitmap of enum fb_workload_kind: several run at once */
    struct fb_training training;
    struct fb_kv kv;
    struct fb_fanout fanout;
    struct fb_checkpoint checkpoint;
    struct fb_placement_change placement;
    struct fb_overwrite overwrite;
};

enum fb_fault_kind { FB_FAULT_KILL, FB_FAULT_SLOW };

struct fb_fault { /* see scenario_fault.c */
    enum fb_fault_kind kind;
    uint32_t node; /* UINT32_MAX: `share` of all, drawn from the seed */
    double share;  /* of nodes */
    uint64_t at_ns;
    uint64_t spread_ns;        /* later by an even share of this */
    uint64_t restart_after_ns; /* KILL; 0: never */
    bool is_drive_lost;        /* KILL: it comes back with empty drives */
    double factor;             /* SLOW: of the ports' rate */
};

enum { FB_FAULTS_MAX = 16 };

enum { FB_GUESSES_MAX = 64, FB_GUESS_SIZE = 240, FB_INPUTS_MAX = 16 };

struct fb_scenario {
    char experiment[FB_NAME_MAX];
    char question[512];
    char expect[512]; /* what the author expects, in words */
    char system[FB_NAME_MAX];
    uint32_t nodes;
    uint32_t accelerators; /* per node, at most the hardware's; 0 given: the hardware's */
    uint32_t engine;       /* enum fb_engine_kind */
    uint32_t flows;        /* enum fb_engine_flows */
    uint32_t seeds;
    uint64_t first_seed;
    struct fb_hardware hardware;
    struct fb_network network;
    struct fb_origin_model origin;
    struct fb_metadata metadata;
    struct fb_config core;
    struct fb_workload workload;
    struct fb_fault faults[FB_FAULTS_MAX];
    uint32_t fault_count;
    uint64_t detect_ns;              /* from a node's death to the view without it: its lease */
    char workload_file[FB_PATH_MAX]; /* the DLIO file or trace, as the experiment names it */
    /* "nic-400g latency: 2 us (1 us to 3 us; measure with ib_write_lat)" */
    char guesses[FB_GUESSES_MAX][FB_GUESS_SIZE];
    uint32_t guess_count;
    char *resolved; /* YAML of everything above, for the manifest; fb_scenario_free */
    char inputs[FB_INPUTS_MAX][FB_PATH_MAX]; /* files read, for the manifest's hashes */
    uint32_t input_count;
};

/* One point of a sweep: the assignments that make it. */
struct fb_point_setting {
    char name[96]; /* dotted key */
    char value[96];
};

enum { FB_SWEEP_KEYS_MAX = 6, FB_SWEEP_POINTS_MAX = 10000, FB_ASSIGNMENT_MAX = 192 };

struct fb_sweep_point {
    struct fb_point_setting settings[FB_SWEEP_KEYS_MAX];
    uint32_t setting_count;
};

/* Reads only the sweep of an experiment file: all combinations, first key slowest. One point
 * without settings when the file has no sweep. An assignment to a swept key pins it: the key is
 * then no part of the points. *points is the caller's to free. Errors: 0 and error set. */
uint32_t fb_sweep_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                       struct fb_sweep_point **points, struct fb_error *error);

enum { FB_UNSCALED_MAX = 12 };

/* Reads only the map `unscaled` of an experiment file: what it would set if it were not scaled down
 * to be simulated at its size, as assignments "key=value". Returns how many; 0: it is not scaled,
 * or error set. */
uint32_t fb_unscaled_load(const char *path, char assignments[FB_UNSCALED_MAX][FB_ASSIGNMENT_MAX],
                          struct fb_error *error);

/* Loads an experiment with `assignments` ("key=value") and the settings of `point` (may be NULL).
 * Component files (hardware, network, origin, workload) are found by name in models/ beside the
 * program's data, or by path relative to the experiment file. Errors: error set; scenario unusable.
 */
void fb_scenario_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                      const struct fb_sweep_point *point, struct fb_scenario *scenario,
                      struct fb_error *error);
void fb_scenario_free(struct fb_scenario *scenario);

#endif
