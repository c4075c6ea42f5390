/* The swarm: whole clusters of core nodes under faults, each drawn from one seed, judged from
 * outside. See swarm_run.c (a run), swarm_fault.c (the faults), swarm_check.c (the checks).
 * A plan is data: settings, requests and faults. It can be written as text, read back, cut down; a
 * run draws only from its seed and counters of nodes: a line left out disturbs little else.
 *
 * To add a fault: a line in FB_SWARM_FAULTS and a call of swarm_fault where it strikes; a client's
 * operation: one in FB_SWARM_VERBS and in swarm_verb.c; a check: one in FB_SWARM_CHECKS. */
#ifndef FB_SIM_SWARM_SWARM_H
#define FB_SIM_SWARM_SWARM_H

#include "core/config.h"
#include "sim/swarm/swarm_checks.h"
#include "sim/swarm/swarm_tables.h"

#include <stdbool.h>
#include <stdio.h>

/* Nodes and faults of a plan, and bytes of a line of text about it, at most. */
enum { FB_SWARM_NODES_MAX = 32, FB_SWARM_FAULTS_MAX = 96, FB_SWARM_TEXT_MAX = 400 };

/* A fault that may strike these nodes or links from from_ns until until_ns. */
struct fb_swarm_fault {
    uint32_t kind;     /* enum fb_swarm_fault_kind */
    uint32_t nodes;    /* bit mask */
    uint32_t peers;    /* bit mask; links only */
    uint32_t permille; /* of the chances it has */
    uint64_t from_ns, until_ns;
    uint64_t extra_ns; /* delays: how long; clock_jump: how far */
};

/* What a client of one node asks, and when. */
struct fb_swarm_request {
    uint64_t at_ns;
    uint64_t hold_ns; /* from reply to release */
    uint32_t verb;    /* enum fb_swarm_verb */
    uint32_t node;
    uint32_t object; /* or chain */
    uint32_t index;  /* of the block in it */
    uint32_t size;   /* bytes */
    uint32_t count;  /* match: keys */
};

/* All that a run is made from: the same plan gives the same run. */
struct fb_swarm_plan {
    uint64_t seed;
    uint32_t nodes;
    uint32_t domains;
    uint32_t is_weighted;  /* members own unequal shares */
    uint32_t is_one_sided; /* memory of a paused node can be pulled */
    uint32_t is_beyond;    /* outside of the atlas: losses are counted, not failures */
    uint32_t softened;     /* enum fb_swarm_softening, bit mask */
    uint32_t tries;        /* of a request while faults strike */
    uint32_t after;        /* requests of each node after healing */
    uint32_t check_every;  /* steps between walks of a node's invariants */
    uint64_t message_ns;   /* typical delays; each is drawn anew */
    uint64_t pull_ns;
    uint64_t device_ns;
    uint64_t origin_ns;
    uint64_t step_ns;   /* time that a node takes for an event */
    uint64_t detect_ns; /* from a crash to the view without the node; FB_NEVER_NS: never */
    uint64_t lease_ns;  /* views are of what each node sees at a store of members; 0: they are told
                           to all, when detect_ns is over */
    uint64_t heal_ns;   /* no fault strikes after this */
    uint64_t repair_ns; /* so long after a view copies are as many as promised; 0: not judged */
    uint64_t tenant_quota_bytes, tenant_ttl_ns; /* of objects of odd number; 0: none */
    struct fb_config config;
    struct fb_swarm_fault faults[FB_SWARM_FAULTS_MAX];
    uint32_t fault_count;
    uint32_t request_count;
    struct fb_swarm_request *requests; /* owned */
};

/* One run's verdict; plain data, so that a child process can leave it in shared memory. */
struct fb_swarm_result {
    uint64_t seed;
    uint32_t is_failed;
    uint32_t losses; /* beyond the atlas */
    uint64_t digest; /* of every event and op */
    uint64_t events;
    uint64_t steps;
    uint64_t requests;
    uint64_t simulated_ns;
    uint64_t strikes; /* at holders of what was acknowledged and was not at the origin */
    uint64_t judged;  /* blocks that were struck so, and had to be kept */
    uint64_t faults[FB_SWARM_FAULT_COUNT];
    uint64_t checks[FB_SWARM_CHECK_COUNT];
    uint64_t verbs[FB_SWARM_VERB_COUNT];
    uint64_t sometimes[FB_SWARM_SOMETIMES_MAX];
    uint64_t softened[FB_SWARM_SOFTENING_COUNT];
    char check[32];               /* name of what was broken */
    char text[FB_SWARM_TEXT_MAX]; /* how */
};

/* Draws a plan. is_beyond: with faults that its settings need not survive. Ownership: the caller
 * frees it with fb_swarm_plan_free. */
struct fb_swarm_plan *fb_swarm_plan_make(uint64_t seed, bool is_beyond);
/* A copy with requests of its own; freed likewise. */
struct fb_swarm_plan *fb_swarm_plan_copy(const struct fb_swarm_plan *plan);
/* Frees a plan and its requests. */
void fb_swarm_plan_free(struct fb_swarm_plan *plan);

/* Writes a plan as text, a line a setting, fault and request. Errors: the stream's own. */
void fb_swarm_plan_write(const struct fb_swarm_plan *plan, FILE *stream);
/* Reads such text; the caller frees the plan. name: of the text, for errors. Errors: NULL, and a
 * line in error: the text is not a plan. */
struct fb_swarm_plan *fb_swarm_plan_read(FILE *stream, const char *name,
                                         char error[FB_SWARM_TEXT_MAX]);

/* Runs a plan to its end or to the first thing that is wrong. trace: every event, op and reason as
 * text; may be NULL. A false assertion in the core ends the process: run plans that may do that in
 * a child. */
void fb_swarm_run(const struct fb_swarm_plan *plan, FILE *trace, struct fb_swarm_result *result);

/* Says whether a plan still shows the failure that is looked for. */
typedef bool fb_swarm_judge(void *context, const struct fb_swarm_plan *plan);

/* Leaves out of a failing plan what it does not need: requests, faults, nodes, settings. Asks the
 * judge at most runs_max times. Returns how often it did. */
uint32_t fb_swarm_minimise(struct fb_swarm_plan *plan, fb_swarm_judge *judge, void *context,
                           uint32_t runs_max);

/* Names as plans write them and a line of help, of the tables' rows; static. */
const char *fb_swarm_fault_name(uint32_t kind);          /* of enum fb_swarm_fault_kind */
const char *fb_swarm_fault_help(uint32_t kind);          /* what strikes, in words */
enum fb_swarm_class fb_swarm_fault_class(uint32_t kind); /* which settings survive it */
const char *fb_swarm_verb_name(uint32_t verb);           /* of enum fb_swarm_verb */
const char *fb_swarm_softening_name(uint32_t softening); /* of enum fb_swarm_softening */
const char *fb_swarm_softening_help(uint32_t softening); /* what was milder, in words */
const char *fb_swarm_check_name(uint32_t check);         /* of enum fb_swarm_check */
const char *fb_swarm_check_help(uint32_t check);         /* what must hold, in words */
/* How many things are to be seen in a run of many seeds: places of a result's `sometimes`. */
uint32_t fb_swarm_sometimes_count(void);
const char *fb_swarm_sometimes_name(uint32_t index); /* of one, by its place */
const char *fb_swarm_sometimes_help(uint32_t index); /* what is seen then, in words */

#endif
