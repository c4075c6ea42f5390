/* What is done to a cluster: the workloads of its clients, and faults. */
#ifndef FB_MODELS_SCENARIO_WORKLOAD_H
#define FB_MODELS_SCENARIO_WORKLOAD_H

#include "base/core_fields.h"
#include "base/file.h"

/* The kinds of clients; each has its part of fb_workload. */
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

/* Pieces that a block is cut into and pieces of a request in flight, at most. */
enum { FB_KV_LAYER_GROUPS_MAX = 64, FB_KV_WINDOW_MAX = 64 };

/* A trace of LLM requests whose KV blocks go through the cache. */
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

/* What all clients of a scenario do; only the parts of `kinds` mean anything. */
struct fb_workload {
    uint32_t kinds; /* bitmap of enum fb_workload_kind: several run at once */
    struct fb_training training;
    struct fb_kv kv;
    struct fb_fanout fanout;
    struct fb_checkpoint checkpoint;
    struct fb_placement_change placement;
    struct fb_overwrite overwrite;
};

/* KILL: a node dies; SLOW: its ports lose speed. */
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

/* Entries of a scenario's list of faults, at most. */
enum { FB_FAULTS_MAX = 16 };

#endif
