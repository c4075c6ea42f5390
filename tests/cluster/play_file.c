/* Fan-out read, checkpoint and restore. The orders are those of sim/clients/fanout.c,
 * sim/clients/checkpoint.c and sim/clients/restore.c. A checkpoint is one file a writer. */
#include "tests/cluster/play.h"

#include "sim/clients/checkpoint_internal.h"

#include <inttypes.h>
#include <string.h>

/* A read in flight: which block, and where its bytes go. */
struct slot {
    struct forebay_read read;
    uint64_t salt, file_offset; /* what the bytes shall be */
};

static double seconds_since(uint64_t ns)
{
    return (double)(play_now_ns() - ns) * 1e-9;
}

static struct forebay_file *file_open(struct play *play, const char *name)
{
    struct forebay_file *file = NULL;
    int code = forebay_file_open(play->client, name, &file);
    if (code != 0)
        play_fail(name, code);
    return file;
}

/* Waits for a read and compares its bytes. */
static struct slot *slot_end(struct play *play)
{
    struct forebay_read *read = forebay_client_wait(play->client, 1);
    struct slot *slot = read->context;
    if (read->result < 0 || (uint64_t)read->result != read->size)
        play_fail("read", read->result < 0 ? read->result : -5);
    play_check(read->bytes, read->size, slot->salt, slot->file_offset);
    return slot;
}

static struct slot *slots_open(uint32_t count, uint64_t block_bytes)
{
    struct slot *slots = play_allocate(count * sizeof(*slots));
    for (uint32_t i = 0; i < count; i++) {
        slots[i].read.bytes = play_allocate(block_bytes);
    }
    return slots;
}

static void slots_close(struct slot *slots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(slots[i].read.bytes);
    free(slots);
}

/* Begins to read `size` bytes at `offset` of a file. */
static void slot_begin(struct slot *slot, struct forebay_file *file, uint64_t offset, uint64_t size)
{
    slot->file_offset = offset;
    slot->read.file = file;
    slot->read.offset = offset;
    slot->read.size = size;
    slot->read.context = slot;
    forebay_read_start(&slot->read);
}

/* As in sim/clients/fanout.c: coprime to the number of blocks, another for each node. */
static uint64_t stride_of(uint64_t blocks, uint32_t node)
{
    for (uint64_t stride = 1 + fb_mix(node) % blocks;; stride++) {
        uint64_t a = blocks, b = stride;
        while (b > 0) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1)
            return stride;
    }
}

void play_read(struct play *play)
{
    const struct fb_fanout *spec = &play->scenario->workload.fanout;
    uint64_t block = play->scenario->core.block_size_bytes, size = spec->object_size_bytes;
    uint64_t blocks = (size + block - 1) / block, stride = stride_of(blocks, play->node);
    uint64_t first = play->node * blocks / play->scenario->nodes, asked = 0;
    uint32_t window = spec->window < blocks ? spec->window : (uint32_t)blocks;
    struct slot *slots = slots_open(window, block);
    struct forebay_file *file = file_open(play, "object");
    for (uint64_t ended = 0; ended < blocks; ended++) {
        while (asked < blocks && asked < ended + window) {
            struct slot *slot = asked < window ? &slots[asked] : slot_end(play);
            uint64_t at = (first + asked++ * stride) % blocks * block;
            slot_begin(slot, file, at, size - at < block ? size - at : block);
        }
        if (asked == blocks)
            slot_end(play);
    }
    printf("{\"read_s\": %.6f}\n", seconds_since(play->start_ns));
    forebay_file_close(file);
    slots_close(slots, window);
}

static void part_name(uint32_t writer, char name[64])
{
    snprintf(name, 64, "checkpoint/part-%u", writer);
}

/* Blocks of the state that come before those of writer `writer`. */
static uint64_t first_of(const struct play *play, uint32_t writer)
{
    const struct fb_checkpoint *spec = &play->scenario->workload.checkpoint;
    uint64_t block = play->scenario->core.block_size_bytes;
    return (spec->state_size_bytes + block - 1) / block * writer / spec->writers;
}

void play_write(struct play *play)
{
    const struct fb_checkpoint *spec = &play->scenario->workload.checkpoint;
    uint64_t block = play->scenario->core.block_size_bytes;
    uint64_t begin = first_of(play, play->node) * block,
             end = first_of(play, play->node + 1) * block;
    if (end > spec->state_size_bytes)
        end = spec->state_size_bytes;
    void *bytes = play_allocate(block);
    struct forebay_file *file = NULL;
    char name[64];
    part_name(play->node, name);
    int code = forebay_file_create(play->client, name, (enum forebay_level)spec->level, &file);
    for (uint64_t at = begin; at < end && code == 0; at += block) {
        uint64_t size = end - at < block ? end - at : block;
        play_fill(bytes, size, 1, at);
        code = forebay_file_write(file, bytes, size);
    }
    if (code == 0)
        code = forebay_file_sync(file);
    double stall_s = seconds_since(play->start_ns);
    if (code == 0)
        code = forebay_file_commit(file, PLAY_PATIENCE_S);
    if (code != 0)
        play_fail(name, code);
    printf("{\"stall_s\": %.6f, \"drained_s\": %.6f}\n", stall_s, seconds_since(play->start_ns));
    forebay_file_close(file);
    free(bytes);
}

static uint32_t writer_of(const struct play *play, uint64_t number)
{
    uint32_t writer = 0;
    while (number >= first_of(play, writer + 1))
        writer++;
    return writer;
}

/* This reader's bytes of the state, in pieces that end where blocks do. */
void play_restore(struct play *play)
{
    const struct fb_checkpoint *spec = &play->scenario->workload.checkpoint;
    uint64_t block = play->scenario->core.block_size_bytes, size = spec->state_size_bytes;
    uint64_t at = size / spec->readers * play->node;
    uint64_t end = play->node + 1 == spec->readers ? size : at + size / spec->readers;
    uint32_t window = (uint32_t)play->scenario->core.gather_window * RESTORE_GATHERS, used = 0;
    struct slot *slots = slots_open(window, block);
    struct forebay_file **files = play_allocate(spec->writers * sizeof(struct forebay_file *));
    while (at < end) {
        uint32_t writer = writer_of(play, at / block);
        uint64_t stop = (at / block + 1) * block;
        char name[64];
        part_name(writer, name);
        if (files[writer] == NULL)
            files[writer] = file_open(play, name);
        struct slot *slot = used < window ? &slots[used++] : slot_end(play);
        uint64_t before = first_of(play, writer) * block;
        slot->salt = 1;
        slot_begin(slot, files[writer], at - before, (stop < end ? stop : end) - at);
        slot->file_offset = at;
        at = stop < end ? stop : end;
    }
    while (used-- > 0)
        slot_end(play);
    printf("{\"restore_s\": %.6f}\n", seconds_since(play->start_ns));
    for (uint32_t i = 0; i < spec->writers; i++)
        forebay_file_close(files[i]);
    free(files);
    slots_close(slots, window);
}
