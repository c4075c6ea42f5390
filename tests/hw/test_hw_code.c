/* hw/base/code.c: the code is the one that R13 describes, and every choice of enough fragments
 * makes the block whole.
 * How: parity is compared with bytes known from multiplying by hand in GF(2^8), and with a slow
 * coder of a few lines; then blocks of several sizes are decoded from every set of fragments. */
#include "hw/base/code.h"

#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

static unsigned char multiply(unsigned char a, unsigned char b)
{
    unsigned product = 0, factor = a;
    for (; b != 0; b >>= 1) {
        if (b & 1)
            product ^= factor;
        factor = factor & 0x80 ? (factor << 1) ^ 0x11d : factor << 1;
    }
    return (unsigned char)product;
}

static unsigned char inverse(unsigned char a)
{
    for (unsigned b = 1; b < 256; b++) {
        if (multiply(a, (unsigned char)b) == 1)
            return (unsigned char)b;
    }
    return 0;
}

static bool is_built_without(void)
{
    unsigned char bytes[128] = {1};
    const struct fb_fragments one = {.data_count = 1, .parity_count = 1, .size = 64};
    return fb_code_encode(&one, (struct fb_bytes){bytes, 64}, (struct fb_bytes){bytes + 64, 64}) ==
           FB_INVALID;
}

/* Rows 2 and 3 of a 2 + 2 code: 1/2 = 0x8e, 1/3 = 0xf4. With data 1, 0 and 0, 1 parity is a row. */
static void encode_known_bytes_gives_the_cauchy_rows(void **state)
{
    (void)state;
    if (is_built_without())
        skip();
    unsigned char block[128] = {0}, parity[128];
    block[0] = 1;
    block[64 + 1] = 1;
    const struct fb_fragments plan = {.data_count = 2, .parity_count = 2, .size = 64};
    assert_int_equal(
        fb_code_encode(&plan, (struct fb_bytes){block, 128}, (struct fb_bytes){parity, 128}),
        FB_OK);
    assert_int_equal(parity[0], 0x8e);
    assert_int_equal(parity[1], 0xf4);
    assert_int_equal(parity[64], 0xf4);
    assert_int_equal(parity[65], 0x8e);
    assert_int_equal(parity[2], 0);
}

static void check_code(uint32_t data, uint32_t count, uint32_t size, uint64_t block_size)
{
    uint32_t all = data + count;
    unsigned char *memory = calloc(all + 1u, size), *whole = malloc(block_size);
    unsigned char *parity = memory + (size_t)data * size;
    for (uint64_t i = 0; i < block_size; i++)
        memory[i] = (unsigned char)(i * 131 + (i >> 8) * 7 + 1);
    struct fb_fragments plan = {.data_count = data, .parity_count = count, .size = size};
    const struct fb_bytes block = {memory, block_size};
    assert_int_equal(
        fb_code_encode(&plan, block, (struct fb_bytes){parity, (uint64_t)count * size}), FB_OK);
    for (uint32_t j = 0; j < count; j++) {
        unsigned char sum = 0;
        for (uint32_t i = 0; i < data; i++)
            sum ^= multiply(inverse((unsigned char)((data + j) ^ i)), memory[i * size + 5]);
        assert_int_equal(parity[j * size + 5], sum);
    }
    for (uint32_t i = 0; i < all; i++)
        plan.offset[i] = (uint64_t)i * size;
    uint32_t empty = 0;
    for (uint32_t i = 0; i < data; i++)
        empty |= (uint64_t)i * size >= block_size ? 1u << i : 0;
    for (uint32_t present = 0; present < 1u << all; present++) {
        if (present & empty)
            continue;
        plan.present = present;
        bool is_enough = (uint32_t)__builtin_popcount(present | empty) >= data;
        memset(whole, 0xee, block_size);
        assert_int_equal(fb_code_decode(&plan, memory, (struct fb_bytes){whole, block_size}),
                         is_enough ? FB_OK : FB_INVALID);
        if (is_enough)
            assert_memory_equal(whole, memory, block_size);
    }
    free(memory);
    free(whole);
}

static void decode_from_any_fragments_gives_the_block(void **state)
{
    (void)state;
    if (is_built_without())
        skip();
    check_code(4, 2, 64, 256);
    check_code(4, 2, 64, 200);
    check_code(4, 2, 64, 60);
    check_code(4, 2, 1024, 3500);
    check_code(1, 3, 128, 128);
    check_code(8, 3, 192, 1500);
}

static void encode_of_contradicting_sizes_is_invalid(void **state)
{
    (void)state;
    unsigned char bytes[512] = {0};
    const struct fb_fragments plan = {.data_count = 2, .parity_count = 1, .size = 64};
    const struct fb_bytes block = {bytes, 129}, parity = {bytes + 256, 64};
    assert_int_equal(fb_code_encode(&plan, block, parity), FB_INVALID);
    const struct fb_bytes fine = {bytes, 128}, small = {bytes + 256, 63};
    assert_int_equal(fb_code_encode(&plan, fine, small), FB_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode_known_bytes_gives_the_cauchy_rows),
        cmocka_unit_test(decode_from_any_fragments_gives_the_block),
        cmocka_unit_test(encode_of_contradicting_sizes_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
