/* The state of a script, shared by script.c (nodes, ops, time) and script_client.c (requests, what
 * came of them). */
#ifndef FB_TESTS_SUPPORT_SCRIPT_INTERNAL_H
#define FB_TESTS_SUPPORT_SCRIPT_INTERNAL_H

#include "sim/trace/trace_print.h"
#include "tests/support/script.h"

#include <stddef.h>
#include <stdio.h>

enum { STORES_MAX = 1024, NAMES_MAX = 64, SPINS_MAX = 10000 };

struct script_event {
    uint64_t at_ns, order;
    uint32_t node;
    struct fb_event event;
    struct fb_op op; /* PULL and others: applied to the tags when the DONE is delivered */
    bool has_op;
    uint32_t life; /* of the node when this was made: ops of another are not done */
    bool is_applied, is_garbled;
    struct fb_key keys[64];
    struct fb_range ranges[16];
};

struct script {
    uint32_t nodes;
    struct fb_config config;
    struct fb_node *node[SCRIPT_NODES_MAX];
    uint64_t *tags[SCRIPT_NODES_MAX][2];
    struct fb_header_page **pages[SCRIPT_NODES_MAX]; /* of the drive, by chunk */
    uint64_t chunks;                                 /* of a drive */
    uint32_t life[SCRIPT_NODES_MAX];
    uint64_t seed;
    bool is_dead[SCRIPT_NODES_MAX];
    struct fb_view *view;
    struct script_event *queue;
    uint32_t queued, queue_max;
    uint64_t order, now_ns, hold_ns;
    uint64_t tick_ns; /* of the last TICK, and how many were at one time */
    uint32_t spins;
    script_fault_function *fault;
    void *context;
    struct fb_reply replies[SCRIPT_REPLIES_MAX];
    uint64_t reply_ns[SCRIPT_REPLIES_MAX];
    uint32_t reply_turn[SCRIPT_REPLIES_MAX];
    uint32_t turns;
    struct fb_block asked[SCRIPT_REPLIES_MAX];
    struct fb_trace_printer *printer; /* NULL: nobody wants to read it */
    FILE *trace;
    char *text;
    size_t text_size;
    uint32_t wrong_reads;
    struct fb_fragments plans[SCRIPT_NODES_MAX]; /* of the last DECODE */
    struct fb_view *old_view; /* before a burial; nodes that died still point to it */
    struct fb_key stored[STORES_MAX];
    uint32_t stored_count;
    struct fb_key names[NAMES_MAX];
    struct fb_meta records[NAMES_MAX];
    uint32_t name_count;
    struct script_shown shown[NAMES_MAX]; /* the origin's objects of these names */
};

struct script_event *script_push(struct script *script, uint64_t at_ns, uint32_t node);
uint64_t script_tag_of(const struct fb_block *block);
uint64_t *script_tag_at(struct script *script, const struct fb_span *span);
void script_reply_take(struct script *script, uint32_t node, const struct fb_reply *reply);

#endif
