/* What forebayd is told in its config file: strict YAML, every key known, every quantity with its
 * unit. See examples/single.yaml and examples/cluster.yaml. */
#ifndef FB_HW_SETTINGS_H
#define FB_HW_SETTINGS_H

#include "core/config.h"
#include "core/view.h"
#include "models/document.h"

enum {
    FB_CLUSTER_NAME_MAX = 64,
    FB_ADDRESS_MAX = 128,
    FB_SETTINGS_PATH_MAX = 1024,
    FB_SOCKET_PATH_MAX = 104, /* less than sun_path holds */
    FB_MEMBERS_MAX = 4096,
};

enum fb_origin_kind { FB_ORIGIN_NONE, FB_ORIGIN_POSIX };

struct fb_member_settings {
    struct fb_member member;
    char address[FB_ADDRESS_MAX]; /* HOST:PORT */
};

struct fb_settings {
    char cluster[FB_CLUSTER_NAME_MAX];
    uint32_t node;
    uint32_t log_level; /* enum fb_log_level */
    char listen[FB_ADDRESS_MAX];
    char http[FB_ADDRESS_MAX];          /* empty: none */
    struct fb_member_settings *members; /* in the file's order; at least this node */
    uint32_t member_count;
    enum fb_origin_kind origin_kind;
    char origin_path[FB_SETTINGS_PATH_MAX];
    char device_path[FB_SETTINGS_PATH_MAX]; /* empty: no device tier */
    char socket_path[FB_SOCKET_PATH_MAX];
    char record_path[FB_SETTINGS_PATH_MAX]; /* empty: no recording */
    uint64_t arena_bytes;                   /* that a client may put from at once */
    uint64_t spin_ns;                       /* the loop looks for more this long before it sleeps */
    uint64_t peer_timeout_ns;               /* silence after which a connection counts as lost */
    uint32_t pull_connections;              /* to each peer */
    uint32_t objects_max;                   /* whose names are remembered */
    uint32_t workers;                       /* threads that digest and copy */
    struct fb_config core;
};

/* Reads the file and applies `assignments` ("key=value"). Errors: error set; nothing to free. */
void fb_settings_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                      struct fb_settings *settings, struct fb_error *error);
void fb_settings_free(struct fb_settings *settings);

#endif
