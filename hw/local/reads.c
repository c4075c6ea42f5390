/* See reads.h. The later of two reads of a block counts, by the time of its reply. */
#include "hw/local/reads.h"

#include "core/panic.h"

void fb_reads_note(struct fb_reads *reads, const struct fb_read_note *note)
{
    FB_ASSERT(note->reason < FB_REASON_COUNT);
    if (note->reason == FB_REASON_MEMORY)
        reads->hits[reads->hit_count++ % FB_READS_HITS] = *note;
    else
        reads->others[reads->other_count++ % FB_READS_OTHERS] = *note;
}

static void block_note(struct fb_local_block *block, const struct fb_read_note *note,
                       uint64_t now_ns)
{
    uint64_t age_ns = now_ns > note->replied_ns ? now_ns - note->replied_ns : 0;
    if (block->is_read && block->age_ns < age_ns)
        return;
    block->is_read = 1;
    block->age_ns = age_ns;
    block->latency_ns = note->latency_us * UINT64_C(1000);
    block->source = note->source;
    block->status = (uint8_t)note->status;
    block->reason = (uint8_t)note->reason;
}

void fb_reads_of_object(const struct fb_reads *reads, uint64_t handle, uint64_t now_ns,
                        struct fb_local_block *blocks, uint32_t count)
{
    const uint64_t first = count > 0 ? blocks[0].index : 0;
    for (uint32_t i = 0; i < FB_READS_HITS + FB_READS_OTHERS; i++) {
        const struct fb_read_note *note =
            i < FB_READS_HITS ? &reads->hits[i] : &reads->others[i - FB_READS_HITS];
        bool is_here = note->replied_ns > 0 && note->key.low == handle && note->index >= first &&
                       note->index - first < count;
        if (is_here)
            block_note(&blocks[note->index - first], note, now_ns);
    }
}

void fb_reads_of_key(const struct fb_reads *reads, struct fb_key key, uint64_t now_ns,
                     struct fb_local_block *block)
{
    for (uint32_t i = 0; i < FB_READS_HITS + FB_READS_OTHERS; i++) {
        const struct fb_read_note *note =
            i < FB_READS_HITS ? &reads->hits[i] : &reads->others[i - FB_READS_HITS];
        bool is_here =
            note->replied_ns > 0 && note->key.high == key.high && note->key.low == key.low;
        if (is_here)
            block_note(block, note, now_ns);
    }
}
