/* Reed-Solomon over GF(2^8). See R13 in core/io.h for the code, code.h for the calls.
 *
 * ISA-L reads and writes whole fragments. A data fragment at a short block's end is only partly
 * there, so those that are not whole are copied into, or made in, scratch memory with zeros behind.
 * Decoding inverts the rows of the code's matrix that belong to the fragments used; a row of the
 * inverse makes a missing data fragment. Those that are present are copied.
 *
 * Does not: update parity in place, or check anything: the core digests what it gets. */
#include "hw/base/code.h"

#include "core/panic.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef FB_HAVE_ISAL
#include <isa-l/erasure_code.h>

enum { TABLE_BYTES = 32 }; /* of ISA-L, a coefficient */

/* Bytes of a fragment that are in the block, or its size for parity. */
static uint64_t part_size(const struct fb_fragments *fragments, uint64_t block_size, uint32_t i)
{
    uint64_t first = (uint64_t)i * fragments->size;
    if (i >= fragments->data_count)
        return fragments->size;
    uint64_t left = first < block_size ? block_size - first : 0;
    return left < fragments->size ? left : fragments->size;
}

static bool is_sane(const struct fb_fragments *fragments, uint64_t block_size)
{
    uint64_t data_bytes = (uint64_t)fragments->data_count * fragments->size;
    return fragments->data_count > 0 && fragments->data_count <= FB_FRAGMENTS_MAX &&
           fragments->parity_count <= FB_FRAGMENTS_MAX - fragments->data_count &&
           fragments->size > 0 && block_size > 0 && block_size <= data_bytes;
}

/* The bytes at `from`, or a copy of them with zeros behind when they are not a whole fragment. */
static unsigned char *part_whole(const unsigned char *from, uint64_t part, uint64_t size,
                                 unsigned char **scratch)
{
    FB_ASSERT(part <= size);
    if (part == size)
        return (unsigned char *)(uintptr_t)from;
    unsigned char *copy = *scratch;
    *scratch += size;
    if (part > 0)
        memcpy(copy, from, part);
    memset(copy + part, 0, size - part);
    return copy;
}

enum fb_status fb_code_encode(const struct fb_fragments *fragments, struct fb_bytes block,
                              struct fb_bytes parity)
{
    unsigned char matrix[FB_FRAGMENTS_MAX * FB_FRAGMENTS_MAX];
    unsigned char tables[TABLE_BYTES * FB_FRAGMENTS_MAX * FB_FRAGMENTS_MAX];
    unsigned char *sources[FB_FRAGMENTS_MAX], *targets[FB_FRAGMENTS_MAX];
    int data = (int)fragments->data_count, all = data + (int)fragments->parity_count;
    uint64_t size = fragments->size;
    if (!is_sane(fragments, block.size) || parity.size != fragments->parity_count * size)
        return FB_INVALID;
    unsigned char *scratch = malloc(fragments->data_count * size), *next = scratch;
    if (scratch == NULL)
        return FB_BUSY;
    for (uint32_t i = 0; i < fragments->data_count; i++)
        sources[i] =
            part_whole(block.at + i * size, part_size(fragments, block.size, i), size, &next);
    for (uint32_t i = 0; i < fragments->parity_count; i++)
        targets[i] = parity.at + i * size;
    gf_gen_cauchy1_matrix(matrix, all, data);
    ec_init_tables(data, all - data, matrix + data * data, tables);
    ec_encode_data((int)size, data, all - data, tables, sources, targets);
    free(scratch);
    return FB_OK;
}

struct decode {
    unsigned char rows[FB_FRAGMENTS_MAX * FB_FRAGMENTS_MAX]; /* those of the fragments used */
    unsigned char inverse[FB_FRAGMENTS_MAX * FB_FRAGMENTS_MAX];
    unsigned char wanted[FB_FRAGMENTS_MAX * FB_FRAGMENTS_MAX]; /* those that make what is missing */
    unsigned char tables[TABLE_BYTES * FB_FRAGMENTS_MAX * FB_FRAGMENTS_MAX];
    unsigned char *sources[FB_FRAGMENTS_MAX], *targets[FB_FRAGMENTS_MAX];
    uint32_t missing[FB_FRAGMENTS_MAX];
    uint32_t missing_count;
};

/* Chooses data_count fragments; false: there are too few. */
static bool decode_choose(struct decode *decode, const struct fb_fragments *fragments,
                          const unsigned char *memory, uint64_t block_size, unsigned char **scratch)
{
    unsigned char matrix[FB_FRAGMENTS_MAX * FB_FRAGMENTS_MAX];
    uint32_t data = fragments->data_count, all = data + fragments->parity_count, used = 0;
    gf_gen_cauchy1_matrix(matrix, (int)all, (int)data);
    for (uint32_t i = 0; i < all; i++) {
        uint64_t part = part_size(fragments, block_size, i);
        bool is_here = part == 0 || (fragments->present >> i & 1u);
        if (!is_here && i < data)
            decode->missing[decode->missing_count++] = i;
        if (!is_here || used == data)
            continue;
        memcpy(decode->rows + used * data, matrix + i * data, data);
        decode->sources[used++] =
            part_whole(memory + fragments->offset[i], part, fragments->size, scratch);
    }
    return used == data;
}

/* Copies what is there, and what was made in scratch memory. */
static void decode_join(const struct decode *decode, const struct fb_fragments *fragments,
                        const unsigned char *memory, struct fb_bytes block)
{
    for (uint32_t i = 0; i < fragments->data_count; i++) {
        if (fragments->present >> i & 1u)
            memcpy(block.at + (uint64_t)i * fragments->size, memory + fragments->offset[i],
                   part_size(fragments, block.size, i));
    }
    for (uint32_t i = 0; i < decode->missing_count; i++) {
        uint32_t fragment = decode->missing[i];
        unsigned char *at = block.at + (uint64_t)fragment * fragments->size;
        if (decode->targets[i] != at)
            memcpy(at, decode->targets[i], part_size(fragments, block.size, fragment));
    }
}

static enum fb_status decode_run(struct decode *decode, const struct fb_fragments *fragments,
                                 struct fb_bytes block, unsigned char *scratch)
{
    int data = (int)fragments->data_count;
    FB_ASSERT(decode->missing_count <= fragments->data_count);
    if (gf_invert_matrix(decode->rows, decode->inverse, data) != 0)
        return FB_INVALID;
    for (uint32_t i = 0; i < decode->missing_count; i++) {
        uint32_t fragment = decode->missing[i];
        memcpy(decode->wanted + i * fragments->data_count,
               decode->inverse + fragment * fragments->data_count, fragments->data_count);
        decode->targets[i] = block.at + (uint64_t)fragment * fragments->size;
        if (part_size(fragments, block.size, fragment) == fragments->size)
            continue;
        decode->targets[i] = scratch;
        scratch += fragments->size;
    }
    ec_init_tables(data, (int)decode->missing_count, decode->wanted, decode->tables);
    ec_encode_data((int)fragments->size, data, (int)decode->missing_count, decode->tables,
                   decode->sources, decode->targets);
    return FB_OK;
}

enum fb_status fb_code_decode(const struct fb_fragments *fragments, const unsigned char *memory,
                              struct fb_bytes block)
{
    struct decode decode = {.missing_count = 0};
    if (!is_sane(fragments, block.size))
        return FB_INVALID;
    unsigned char *scratch = malloc(2 * (uint64_t)fragments->data_count * fragments->size);
    unsigned char *next = scratch;
    if (scratch == NULL)
        return FB_BUSY;
    enum fb_status status =
        decode_choose(&decode, fragments, memory, block.size, &next) ? FB_OK : FB_INVALID;
    if (status == FB_OK && decode.missing_count > 0)
        status = decode_run(&decode, fragments, block, next);
    if (status == FB_OK)
        decode_join(&decode, fragments, memory, block);
    free(scratch);
    return status;
}

#else

enum fb_status fb_code_encode(const struct fb_fragments *fragments, struct fb_bytes block,
                              struct fb_bytes parity)
{
    (void)fragments;
    (void)block;
    (void)parity;
    return FB_INVALID;
}

enum fb_status fb_code_decode(const struct fb_fragments *fragments, const unsigned char *memory,
                              struct fb_bytes block)
{
    (void)fragments;
    (void)memory;
    (void)block;
    return FB_INVALID;
}

#endif
