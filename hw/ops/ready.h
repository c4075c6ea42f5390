/* Can this node serve clients? It can once the origin and the metadata store have answered a
 * question, which is asked from the start on until they do; from then on their failures are single
 * requests' matter, else one that is slow would take all nodes out of service at once. Not while
 * it is cut off from its cluster, or stopping, nor while what a path of the settings named at the
 * start is not there any more (hw/base/anchor.h). Whatever the reason, it has a line in the log. */
#ifndef FB_HW_OPS_READY_H
#define FB_HW_OPS_READY_H

#include "hw/base/feed.h"
#include "hw/base/standing.h"
#include "hw/drive/drive.h"
#include "hw/meta/meta.h"
#include "hw/meta/names.h"
#include "hw/origin/origin.h"

/* Bytes of a reason, and of the page that a bucket is listed into. */
enum { FB_READY_TEXT_MAX = 256, FB_READY_PAGE_BYTES = 8192 };

/* One of the two that are asked. */
struct fb_ready_question {
    bool is_asked, is_answered;
    enum fb_status status; /* of the last try; FB_OK: none has ended */
    uint64_t again_ns;
};

/* What it goes by; the caller's. */
struct fb_ready_context {
    const struct fb_settings *settings;
    const struct fb_feed *feed;
    const struct fb_standing *standing;
    const struct fb_drive_file *drive;
    const struct fb_names *names;
    struct fb_origin *origin;
    struct fb_meta_store *meta;
};

/* Both questions, and what they are asked with. */
struct fb_ready {
    struct fb_ready_context context;
    struct fb_ready_question origin, metadata;
    struct fb_origin_task origin_task;
    struct fb_meta_task metadata_task;
    char told[FB_READY_TEXT_MAX]; /* why it is not ready, as the log has it; empty: it has not */
    uint64_t not_ready_ns;        /* since when; 0: it is */
    char cursor[FB_LOCAL_CURSOR_MAX + 1];
    _Alignas(8) unsigned char page[FB_READY_PAGE_BYTES];
};

/* Asks what has not been answered yet, and logs when it ceases to be ready, and is so again. */
void fb_ready_sweep(struct fb_ready *ready);

/* Is it ready? reason: one line without newline: why not, or "ready". */
bool fb_ready_is(const struct fb_ready *ready, char reason[FB_READY_TEXT_MAX]);

#endif
