/* What names have meant, and may mean: the oracle of overwrites.
 *
 * A write of a name goes
 *
 *     BEGUN --all its blocks are acked--> WHOLE --its commit was acked--> WON
 *                                           '-----another's was first---> LOST
 *
 * A look-up is right when what it returns was whole and has not lost, is of that name, is not older
 * than what was acked before it was asked, and is what everybody else sees at that version. */
#ifndef FB_SIM_CLIENTS_OVERWRITE_HISTORY_H
#define FB_SIM_CLIENTS_OVERWRITE_HISTORY_H

#include "core/io.h"

#include <stdint.h>

enum fb_history_verdict {
    FB_HISTORY_RIGHT,
    FB_HISTORY_STALE,   /* older than what was acked before the look-up */
    FB_HISTORY_FOREIGN, /* another name's, or nobody's */
    FB_HISTORY_TORN,    /* its blocks were not all acked */
    FB_HISTORY_LOST,    /* its writer was told that another was first */
    FB_HISTORY_FORKED   /* somebody saw something else at this version */
};

struct fb_error;
struct fb_history;

/* Of names 0..names-1 and at most `writes_max` writes, >= 1 each. Free with fb_history_close.
 * Errors: NULL: out of memory. */
struct fb_history *fb_history_open(uint32_t names, uint32_t writes_max, struct fb_error *error);
void fb_history_close(struct fb_history *history);

/* Begins a write; its number, from 1 on. At most writes_max times. */
uint64_t fb_history_begin(struct fb_history *history, uint32_t name);
void fb_history_whole(struct fb_history *history, uint64_t write);

/* Its commit was acked, as this version >= 1. The verdict is RIGHT or FORKED. */
enum fb_history_verdict fb_history_won(struct fb_history *history, uint64_t write,
                                       uint64_t version);
void fb_history_lost(struct fb_history *history, uint64_t write);

/* The newest version of the name whose commit was acked; 0: none. */
uint64_t fb_history_acked(const struct fb_history *history, uint32_t name);

/* Judges a record that a look-up returned; version 0: there was none. Its value's low word is the
 * write. `acked_before`: fb_history_acked when the look-up was asked. */
enum fb_history_verdict fb_history_judge(struct fb_history *history, uint32_t name,
                                         uint64_t acked_before, const struct fb_meta *record);

#endif
