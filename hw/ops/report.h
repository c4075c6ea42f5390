/* What the pages about a daemon are made of: its parts, which are only read. The loop makes one
 * whenever somebody asks. */
#ifndef FB_HW_OPS_REPORT_H
#define FB_HW_OPS_REPORT_H

#include "core/tier/identity.h"
#include "hw/base/standing.h"
#include "hw/drive/drive.h"
#include "hw/drive/headers.h"
#include "hw/local/local.h"
#include "hw/meta/meta.h"
#include "hw/meta/names.h"
#include "hw/net/tcp.h"
#include "hw/ops/ready.h"

/* Parts of a daemon at one moment; to be read before the loop goes on. */
struct fb_report {
    const struct fb_settings *settings;
    const struct fb_node *node;
    const struct fb_standing *standing;
    const struct fb_objects *objects;
    const struct fb_tcp *tcp;
    const struct fb_local *local;
    const struct fb_meta_store *meta;
    const struct fb_names *names;
    const struct fb_drive_file *drive;
    const struct fb_headers *headers;
    uint64_t now_ns;                        /* of the last event */
    uint64_t start_ns;                      /* the daemon's */
    uint64_t registered_bytes;              /* of the cache memory, with io_uring */
    uint64_t unnamed_blocks, unnamed_bytes; /* owed at the start, under names without records */
    const char *unnamed_name;               /* one of them; empty: none */
    uint64_t pages_pushed_out;
    struct fb_identities identities; /* of origin and store, once they have said them */
    uint32_t member_count, members_left_out;
    bool is_ready;
    char reason[FB_READY_TEXT_MAX]; /* why it is not ready, or "ready" */
};

#endif
