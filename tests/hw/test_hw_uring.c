/* hw/base/uring.c: memory that is registered is told to the kernel in slices, and more of them than
 * there may be are refused before the kernel is asked. How: with a ring that was never opened, any
 * other answer than that refusal comes from the kernel. */
#include "hw/base/uring.h"

#include "tests/support/unit.h"

#include <errno.h>
#include <stdlib.h>

static void register_of_more_slices_than_there_may_be_is_refused(void **state)
{
    (void)state;
    enum { SLICES_MAX = 1024, SLICE_BYTES = 4096 };
    static struct fb_uring uring;
    struct fb_bytes bytes = {.at = calloc(SLICES_MAX + 1, SLICE_BYTES)};
    assert_non_null(bytes.at);
    uring.ring.ring_fd = uring.ring.enter_ring_fd = -1;
    bytes.size = (uint64_t)SLICES_MAX * SLICE_BYTES;
    int asked = fb_uring_register(&uring, bytes, SLICE_BYTES);
    assert_true(asked < 0 && asked != -E2BIG);
    bytes.size++;
    assert_int_equal(fb_uring_register(&uring, bytes, SLICE_BYTES), -E2BIG);
    assert_int_equal(uring.registered.size, 0);
    free(bytes.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_of_more_slices_than_there_may_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
