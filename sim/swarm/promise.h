/* What is promised of a durable write that was acknowledged, as data: the one place that README,
 * core and the swarm's judge are held to. docs/promise.md is printed from it.
 *
 * A level says of how many nodes a write is on which medium when it is answered; a fault says which
 * media outlast it. A block is kept as long as one copy of it is left that its faults spare. */
#ifndef FB_SIM_SWARM_PROMISE_H
#define FB_SIM_SWARM_PROMISE_H

#include "core/config.h"
#include "core/io.h"

#include <stdbool.h>
#include <stdio.h>

/* What a copy lies on. */
enum fb_medium { FB_MEDIUM_NONE, FB_MEDIUM_MEMORY, FB_MEDIUM_DRIVE, FB_MEDIUM_ORIGIN };

/* How many nodes have it; by how many members the writer sees. */
enum fb_copies { FB_COPIES_NONE, FB_COPIES_ONE, FB_COPIES_QUORUM, FB_COPIES_MEMBERS };

/* X(level, medium, copies with members enough, with fewer than write_quorum, help), in the order of
 * enum fb_level. */
#define FB_PROMISE_LEVELS(X) \
    X(memory, FB_MEDIUM_MEMORY, FB_COPIES_ONE, FB_COPIES_ONE, \
      "the memory of the node that wrote it, until others hold it") \
    X(replicated, FB_MEDIUM_MEMORY, FB_COPIES_QUORUM, FB_COPIES_MEMBERS, \
      "the memory of write_quorum nodes") \
    X(device, FB_MEDIUM_DRIVE, FB_COPIES_QUORUM, FB_COPIES_MEMBERS, \
      "the drives of write_quorum nodes") \
    X(origin, FB_MEDIUM_ORIGIN, FB_COPIES_ONE, FB_COPIES_ONE, "the origin") \
    X(volatile, FB_MEDIUM_NONE, FB_COPIES_NONE, FB_COPIES_NONE, "nowhere: it may be evicted")

/* X(fault, memory outlasts it, a drive does, the origin does, help). Of the node, or the drive, or
 * the block that is struck; copies elsewhere are not. */
#define FB_PROMISE_FAULTS(X) \
    X(crash, false, true, true, "a process ends: kill -9, an assertion, out of memory") \
    X(power_cut, false, true, true, "the power of a node, or of all at once, fails") \
    X(drive_lost, true, false, true, "a drive is replaced, or does not answer any more") \
    X(head_damaged, true, true, true, \
      "a head of a drive is damaged: the others do, or the start is refused and all stays") \
    X(header_damaged, true, false, true, "the header of a block on a drive is damaged") \
    X(block_damaged, true, false, true, "the bytes of a block on a drive are damaged") \
    X(wall, true, true, true, "messages are lost, late, doubled, or stopped by a wall") \
    X(cut_off, true, true, true, \
      "a member loses its lease, or its way to who keeps it: the others go on without it") \
    X(clock, true, true, true, "clocks leap, or are apart") \
    X(origin_failing, true, true, true, "the origin fails or throttles: it is tried again") \
    X(origin_refusing, true, true, true, \
      "the origin refuses for good: the writer, or the log, hears it by name") \
    X(origin_lying, true, true, false, "the origin says that it stored and did not") \
    X(leaving, true, true, true, \
      "a member leaves in order: it drains first, or says what it leaves behind") \
    X(death, false, false, true, "a node is gone for good, its drive with it") \
    X(settings, false, true, true, "a node starts again with other settings, or is refused to")

/* The faults of the table above. */
enum fb_promise_fault {
#define FB_PROMISE_FAULT_VALUE(name, memory, drive, origin, help) FB_PROMISE_##name,
    FB_PROMISE_FAULTS(FB_PROMISE_FAULT_VALUE)
#undef FB_PROMISE_FAULT_VALUE
        FB_PROMISE_FAULT_COUNT
};

/* Does a copy on this medium outlast the fault, when it is the one that is struck? */
bool fb_promise_outlasts(enum fb_promise_fault fault, enum fb_medium medium);

/* Where the level puts a write. */
enum fb_medium fb_promise_medium(enum fb_level level);

/* Nodes that have a write when it is answered. members: that its writer sees and that it may use: 1
 * without a view or with place_local. */
uint32_t fb_promise_copies(enum fb_level level, uint32_t write_quorum, uint32_t members);

/* The tables, as Markdown. */
void fb_promise_print(FILE *stream);

#endif
