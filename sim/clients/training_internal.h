/* Training readers: the state that training.c (accelerators, epochs, figures) and loader.c (what
 * their loaders read) share. */
#ifndef FB_SIM_CLIENTS_TRAINING_INTERNAL_H
#define FB_SIM_CLIENTS_TRAINING_INTERNAL_H

#include "sim/clients/dataset.h"
#include "sim/world/world_internal.h"

enum accelerator_state { WAITING, COMPUTING, AT_BARRIER };

/* A client timer's word: what it is for, and for whom. */
enum { TIMER_COMPUTED, TIMER_COPIED, TIMER_RETRY, TIMER_GATHER };

struct read {
    struct fb_block block;
    uint64_t offset; /* in the block, of what the sample needs */
    uint64_t bytes;  /* that the sample needs */
    uint64_t lease;
    uint32_t accelerator, worker;
    uint32_t next_free;
};

struct cursor { /* where in a batch */
    uint64_t batch;
    uint32_t sample;            /* in the batch */
    uint64_t file, offset, end; /* of the sample's bytes still to be asked for */
};

struct worker {
    struct cursor at; /* the batch being loaded, or the next one */
    bool is_loading;
    uint32_t in_flight; /* reads */
    uint64_t hinted;    /* batches below this one are on their way to the cache */
    uint32_t *items;    /* reads of its GATHER; NULL: it has none */
    uint32_t item_count;
};

struct accelerator {
    enum accelerator_state state;
    uint64_t step; /* batch that it computes or waits for */
    struct worker *workers;
    bool *is_loaded; /* ring of read_threads * prefetch batches */
};

struct epoch {
    uint64_t begin_ns, first_end_ns, end_ns; /* first: of its steps */
    uint64_t bytes;
};

struct training {
    struct fb_dataset dataset;
    struct accelerator *accelerators;
    struct read *reads;
    uint32_t read_count, read_free;
    uint32_t ranks, window;
    uint64_t steps;
    uint32_t epoch, arrived;
    struct epoch *epochs;
    gsl_rng *random;
};

const struct fb_training *training_spec(const struct world *world);
uint32_t training_node_of(const struct world *world, uint32_t accelerator);

/* training.c: the worker's batch is there. */
void training_loaded(struct world *world, uint32_t accelerator, uint64_t batch);

/* loader.c: a worker begins its next batch when it may, and keeps its reads going. */
void loader_advance(struct world *world, uint32_t accelerator, uint32_t worker);
void loader_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void loader_timer(struct world *world, uint64_t detail);

#endif
