/* What the fuzz targets share. A target is a function of bytes that must not crash, whatever they
 * are: the sanitizers and the assertions are the judges. Built with -DFUZZ=ON the bytes come from
 * libFuzzer, else main.c gives it the files of its corpus. */
#ifndef FB_TESTS_FUZZ_H
#define FB_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Must return 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as choices, one after the other; zeros when there are no more. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint64_t fuzz_number(struct fuzz_input *input, uint32_t bytes)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < bytes && input->left > 0; i++) {
        number |= (uint64_t)*input->at++ << 8 * i;
        input->left--;
    }
    return number;
}

/* 0..end - 1; end: 1..256. */
static inline uint32_t fuzz_below(struct fuzz_input *input, uint32_t end)
{
    return (uint32_t)(fuzz_number(input, 1) % end);
}

#endif
