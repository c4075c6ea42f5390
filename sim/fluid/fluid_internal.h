/* What the fluid network's files call of each other. Nobody else includes this. */
#ifndef FB_SIM_FLUID_FLUID_INTERNAL_H
#define FB_SIM_FLUID_FLUID_INTERNAL_H

#include "sim/fluid/fluid_state.h"

/* fluid_store.c: memory. Running out of it ends the program with a line. */
void *fb_fluid_grow(void *items, uint64_t count_before, uint64_t count, uint64_t item_size_bytes);
void fb_fluid_pool_open(struct fluid_pool *pool, uint32_t item_size_bytes);
void fb_fluid_pool_append(struct fluid_pool *pool, struct fluid_piece *piece);
void fb_fluid_flows_reserve(struct fb_fluid *fluid, uint32_t count);
uint32_t fb_fluid_flow_acquire(struct fb_fluid *fluid, uint32_t hop_count);
void fb_fluid_flow_release(struct fb_fluid *fluid, uint32_t flow);
uint32_t fb_fluid_link_add(struct fb_fluid *fluid, double capacity);
uint32_t fb_fluid_cap_class(struct fb_fluid *fluid, double level);

/* fluid_hold.c: who crosses a link, who is held, clocks. */
void fb_fluid_clock_advance(struct fb_fluid *fluid, struct fluid_link *link);
void fb_fluid_join(struct fb_fluid *fluid, uint32_t flow, uint32_t link);
void fb_fluid_leave(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_hold(struct fb_fluid *fluid, uint32_t flow, uint32_t hop);
void fb_fluid_let_go(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_name_others(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_name_others_held(struct fb_fluid *fluid, uint32_t flow);
bool fb_fluid_first_finish(struct fb_fluid *fluid, struct fluid_link *link, uint32_t *flow);

/* fluid_queue.c: links by date, and dirty links by level. */
uint64_t fb_fluid_mark_date(const struct fluid_link *link, double mark);
void fb_fluid_date_update(struct fb_fluid *fluid, uint32_t link);
uint64_t fb_fluid_date_first(struct fb_fluid *fluid);
void fb_fluid_date_prefetch(const struct fb_fluid *fluid);
void fb_fluid_dirty_add(struct fb_fluid *fluid, uint32_t link, float level);
uint32_t fb_fluid_dirty_take(struct fb_fluid *fluid);

/* fluid_fill.c: exact progressive filling of all that is coupled to the dirty links. */
void fb_fluid_fill(struct fb_fluid *fluid);
void fb_fluid_fill_all(struct fb_fluid *fluid);

/* fluid_slack.c: links that are far from full. */
void fb_fluid_slack_enter(struct fb_fluid *fluid, uint32_t link);
void fb_fluid_slack_leave(struct fb_fluid *fluid, uint32_t link);
void fb_fluid_slack_join(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_slack_rebuild(struct fb_fluid *fluid);
void fb_fluid_ceiling_follow(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_ceilings_follow(struct fb_fluid *fluid, uint32_t link);

/* fluid_relax.c: levels within the tolerance, link by link. */
void fb_fluid_relax(struct fb_fluid *fluid);
void fb_fluid_untell(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_band_set(struct fb_fluid *fluid, uint32_t link);

#endif
