/* hw/origin/origin_s3_commit.c: the largest object that it says it can make of blocks is made of as
 * many parts as S3 takes, of parts that are held at most, and is no larger than S3's largest. How:
 * it includes the file, for its rules, and asks them at that size and one byte beyond. */
#include "hw/origin/origin_s3_commit.c"

#include "tests/support/unit.h"

static const uint64_t largest = (uint64_t)S3_OBJECT_MAX_TIB << 40;

/* Can a commit make an object of that size? */
static bool is_possible(uint64_t block, uint64_t size)
{
    static struct fb_settings settings;
    static struct fb_origin origin = {.context = {.settings = &settings}};
    struct fb_origin_task task = {.origin = &origin, .object = {.size = size}};
    settings.core.block_size_bytes = block;
    bool is_held = is_copied(&task) || part_bytes(&task) <= HTTP_JOIN_BYTES_MAX;
    return size <= largest && part_count(&task) <= S3_PARTS_MAX && is_held;
}

static void object_of_the_largest_size_fits_and_one_byte_more_does_not(void **state)
{
    (void)state;
    for (uint64_t block = 4096; block <= UINT64_C(1) << 30; block *= 2) {
        for (uint64_t odd = 0; odd < 3; odd++) {
            uint64_t size = block + odd * 4096, most = s3_object_max(size);
            assert_true(is_possible(size, most));
            assert_false(is_possible(size, most + 1));
            assert_true(is_possible(size, most - 1));
        }
    }
    assert_int_equal(s3_object_max(256 << 10), (UINT64_C(64) << 20) * S3_PARTS_MAX);
    assert_int_equal(s3_object_max(1 << 30), largest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(object_of_the_largest_size_fits_and_one_byte_more_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
