/* Reed-Solomon for ENCODE and DECODE as contract R13 describes it, by ISA-L. */
#ifndef FB_HW_BASE_CODE_H
#define FB_HW_BASE_CODE_H

#include "hw/base/uring.h"

#include "core/io.h"

/* Makes all parity of `block` in `parity` (parity_count * size bytes).
 * Errors: INVALID: built without ISA-L, or counts or sizes that contradict each other; BUSY: out of
 * memory. */
enum fb_status fb_code_encode(const struct fb_fragments *fragments, struct fb_bytes block,
                              struct fb_bytes parity);

/* Makes `block` whole from the fragments that are present, at their offsets from `memory`.
 * Errors: as above; INVALID too when there are too few. */
enum fb_status fb_code_decode(const struct fb_fragments *fragments, const unsigned char *memory,
                              struct fb_bytes block);

#endif
