/* Rates of what workers do, on one core, and what all of calibrate share. */
#include "hw/measure/calibrate.h"

#include "core/panic.h"
#include "hw/base/code.h"
#include "hw/base/offload.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK_BYTES = 4 << 20, ROUNDS = 65 };

uint64_t fb_calibrate_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

uint64_t fb_calibrate_quantile(uint64_t *values, uint32_t count, double share)
{
    FB_ASSERT(count > 0);
    FB_ASSERT(share >= 0 && share <= 1);
    qsort(values, count, sizeof(*values), compare);
    return values[(uint32_t)(share * (count - 1))];
}

uint64_t fb_calibrate_rate(uint64_t bytes, uint64_t ns)
{
    double rate = (double)bytes * 1e9 / (double)(ns > 0 ? ns : 1);
    return rate > 1 ? (uint64_t)rate : 1;
}

const uint64_t fb_calibrate_answer_bytes[FB_CALIBRATE_ANSWERS] = {64, 4 << 10, 64 << 10, 1 << 20,
                                                                  16 << 20};

/* With weights w = 1 / cost^2, of m + b * size: m = (sum of wc - b * sum of ws) / sum of w. */
void fb_calibrate_fit(struct fb_answer_cost *cost, uint32_t end)
{
    double w = 0, ws = 0, wss = 0, wc = 0, wsc = 0;
    FB_ASSERT(end < 2);
    for (uint32_t i = 0; i < FB_CALIBRATE_ANSWERS; i++) {
        double size = (double)fb_calibrate_answer_bytes[i], ns = (double)cost->cpu_ns[end][i];
        double weight = ns > 0 ? 1 / (ns * ns) : 1;
        w += weight;
        ws += weight * size;
        wss += weight * size * size;
        wc += weight * ns;
        wsc += weight * size * ns;
    }
    double byte_ns = (w * wsc - ws * wc) / (w * wss - ws * ws);
    byte_ns = byte_ns > 0 ? byte_ns : 0;
    double message_ns = (wc - byte_ns * ws) / w;
    cost->message_ns[end] = message_ns > 0 ? (uint64_t)message_ns : 0;
    cost->mebibyte_ns[end] = (uint64_t)(byte_ns * (1 << 20));
}

enum work { WORK_DIGEST, WORK_COPY, WORK_ENCODE };

/* A block in memory, and room for a copy of it. */
static uint64_t work_rate(enum work work, unsigned char *block, unsigned char *room)
{
    const struct fb_fragments fragments = {
        .data_count = 4, .parity_count = 2, .size = BLOCK_BYTES / 4};
    uint64_t times[ROUNDS];
    volatile uint64_t digest = 0; /* keeps the compiler from leaving it out */
    for (uint32_t i = 0; i < ROUNDS; i++) {
        enum fb_status status = FB_OK;
        uint64_t begun_ns = fb_calibrate_now_ns();
        if (work == WORK_DIGEST)
            digest = digest + fb_digest(block, BLOCK_BYTES);
        else if (work == WORK_COPY)
            memcpy(room, block, BLOCK_BYTES);
        else
            status = fb_code_encode(&fragments, (struct fb_bytes){block, BLOCK_BYTES},
                                    (struct fb_bytes){room, BLOCK_BYTES / 2});
        times[i] = fb_calibrate_now_ns() - begun_ns;
        if (status != FB_OK)
            return 0;
    }
    return fb_calibrate_rate(BLOCK_BYTES, fb_calibrate_quantile(times, ROUNDS, 0.5));
}

void fb_calibrate_offload(struct fb_offload_rates *rates)
{
    unsigned char *block = malloc(BLOCK_BYTES), *room = malloc(BLOCK_BYTES);
    FB_ASSERT(block != NULL);
    FB_ASSERT(room != NULL);
    memset(block, 1, BLOCK_BYTES);
    memset(room, 2, BLOCK_BYTES);
    rates->digest_bytes_per_s = work_rate(WORK_DIGEST, block, room);
    rates->copy_bytes_per_s = work_rate(WORK_COPY, block, room);
    rates->encode_bytes_per_s = work_rate(WORK_ENCODE, block, room);
    free(block);
    free(room);
}
