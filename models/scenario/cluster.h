/* What a cluster is made of, as component files say it: hardware, network, transport, origin,
 * metadata store. */
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
    uint64_t latency_ns;       /* one way, host to host, without switches */
    uint64_t work_requests_per_s;
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
    uint64_t encode_bytes_per_s; /* of data, of one CPU core, and of blocks that are decoded */
    uint32_t client_read_ahead;  /* blocks that a loader's thread keeps in flight */
    uint64_t client_retry_ns;    /* a client's pause after BUSY */
    struct fb_nic nic;
    struct fb_nic front_nic; /* to the origin and the metadata store; count 0: nic is, too */
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

/* How nodes move bytes between them, and what that costs their processors. */
struct fb_transport_model {
    char name[FB_NAME_MAX];
    bool is_built;             /* this build's daemon has it */
    bool is_one_sided;         /* a pull takes no processor time of the node that is read */
    bool is_striped;           /* one pull goes through all ports of a node; else through one */
    uint32_t threads;          /* of a node, that work on it; the core's own is the first */
    uint64_t send_message_ns;  /* processor time, whatever the size */
    uint64_t send_mebibyte_ns; /* and for 2^20 bytes, the kernel's copies included */
    uint64_t receive_message_ns, receive_mebibyte_ns;
    double send_copies, receive_copies; /* bytes through the memory for one of payload */
    double efficiency;                  /* share of the ports' line rate that payload gets */
    uint64_t latency_ns;                /* one way, added to the ports' and switches' */
    uint64_t header_bytes;              /* of a message */
    uint64_t message_bytes_max;         /* a transfer is cut into work requests of this size */
    uint64_t piece_bytes;               /* what is sent, received and copied at a time */
    uint64_t gone_ns;                   /* until it says that a peer is gone */
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
    uint32_t client_threads;                         /* of a node, that speak to the origin */
    uint64_t client_request_ns;                      /* processor time of a request */
    uint64_t client_read_mebibyte_ns, client_write_mebibyte_ns; /* and of 2^20 bytes */
};

struct fb_metadata { /* operations_per_s 0: the cluster has none */
    char name[FB_NAME_MAX];
    uint64_t operations_per_s; /* all of the store's machines together */
    uint64_t read_latency_ns;
    uint64_t commit_latency_ns;
};

#endif
