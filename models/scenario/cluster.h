/* What a cluster is made of, as component files say it: hardware, network, origin, metadata
 * store. */
#ifndef FB_MODELS_SCENARIO_CLUSTER_H
#define FB_MODELS_SCENARIO_CLUSTER_H

#include "base/core_fields.h"
#include "base/origin_client.h"

/* The drives of a node: counts of operations and bytes are those of one of them. */
struct fb_drive {
    uint32_t count; /* drives in the node */
    uint32_t queue_depth;
    uint64_t size_bytes;
    uint64_t read_latency_ns, write_latency_ns;
    uint64_t read_bytes_per_s, write_bytes_per_s;
    uint64_t read_operations_per_s, write_operations_per_s;
};

/* The ports of a node, by which it is on the network. */
struct fb_nic {
    uint32_t count;            /* ports in the node */
    uint64_t rate_bytes_per_s; /* of one port: line rate */
    double efficiency;         /* share of the line rate that payload gets */
    uint64_t latency_ns;       /* one way, host to host, without switches */
    uint64_t work_requests_per_s;
    uint64_t message_bytes_max; /* a transfer is cut into work requests of this size */
};

/* A node: what its cache may use, and how fast that is. */
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

/* Leaf switches with hosts below, joined by a core. */
struct fb_network {
    char name[FB_NAME_MAX];
    uint32_t hosts_per_leaf;
    uint32_t leaves_max;
    double oversubscription;  /* hosts' port rate over uplink rate; 1: non-blocking */
    uint64_t leaf_latency_ns; /* added inside a leaf */
    uint64_t core_latency_ns; /* added between leaves, in place of leaf_latency_ns */
    uint64_t port_queue_ns;   /* a message waits behind bulk in a host's port, at most so long */
};

/* The object store behind the cache, as accounts with limits of their own. */
struct fb_origin_model {
    char name[FB_NAME_MAX];
    uint32_t accounts;
    uint64_t latency_ns;       /* to the first byte */
    double latency_sigma;      /* of ln(latency): log-normal spread; 0: constant */
    uint64_t read_bytes_per_s; /* per account */
    uint64_t write_bytes_per_s;
    uint64_t stream_bytes_per_s; /* of one request */
    /* Above these a request is throttled. Requests a second: 0: no such limit; per account; of one
     * object; of an account's prefix, which is split in two when it was above for so long. */
    uint32_t requests_max; /* at once per account */
    uint64_t requests_per_s, object_requests_per_s;
    uint64_t prefix_reads_per_s, prefix_writes_per_s, prefix_split_ns;
    uint64_t rate_window_ns; /* a burst is let through as long as the rate over this is kept */
    uint64_t store_part_bytes_min; /* 0: a block is stored in one request; else it may be in parts,
                                      between two requests more */
    uint64_t commit_requests, commit_block_requests; /* an object's, and more for each block */
};

struct fb_metadata { /* operations_per_s 0: the cluster has none */
    char name[FB_NAME_MAX];
    uint64_t operations_per_s; /* all of the store's machines together */
    uint64_t read_latency_ns;
    uint64_t commit_latency_ns;
};

#endif
