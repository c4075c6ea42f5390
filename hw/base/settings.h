/* What forebayd is told in its config file: strict YAML, every key known, every quantity with its
 * unit. See examples/single.yaml and examples/cluster.yaml. */
#ifndef FB_HW_BASE_SETTINGS_H
#define FB_HW_BASE_SETTINGS_H

#include "core/config.h"
#include "core/place/view.h"
#include "base/document.h"
#include "hw/base/address.h"

/* Bounds of texts and lists, and defaults that are no field's of the core. */
enum {
    FB_CLUSTER_NAME_MAX = 64,
    FB_SETTINGS_NAMES = 512, /* core.names_max, unless it is given */
    FB_SETTINGS_PATH_MAX = 1024,
    FB_SOCKET_PATH_MAX = 104, /* less than sun_path holds */
    FB_ORIGIN_WORD_MAX = 256,
    FB_MEMBERS_MAX = 4096,
};

/* Who says which members there are: the config or an etcd. */
enum fb_membership_kind { FB_MEMBERSHIP_STATIC, FB_MEMBERSHIP_ETCD };
/* What the objects are kept in. */
enum fb_origin_kind { FB_ORIGIN_NONE, FB_ORIGIN_POSIX, FB_ORIGIN_S3, FB_ORIGIN_AZURE };

/* Where the objects come from. Secrets are not here: see origin_http.h. */
struct fb_origin_settings {
    enum fb_origin_kind kind;
    char path[FB_SETTINGS_PATH_MAX];        /* POSIX: the folder */
    char endpoint[FB_SETTINGS_PATH_MAX];    /* URL without what follows */
    char bucket[FB_ORIGIN_WORD_MAX];        /* S3: bucket; Azure: container */
    char prefix[FB_SETTINGS_PATH_MAX];      /* before every name; empty, or ends in a slash */
    char region[FB_ORIGIN_WORD_MAX];        /* S3 */
    char account[FB_ORIGIN_WORD_MAX];       /* Azure, for the shared key */
    char credentials[FB_SETTINGS_PATH_MAX]; /* file; empty: environment */
    char ca_file[FB_SETTINGS_PATH_MAX];     /* empty: the system's */
    uint64_t part_bytes;                    /* of a block, a request; 0: it is one */
    uint32_t requests_max;                  /* at once; more wait */
    uint32_t tries_max;                     /* of one request, the first included */
    uint64_t timeout_ns;                    /* without a byte */
    uint64_t orphan_age_ns;                 /* POSIX: of blocks that nobody commits */
};

/* Files for TLS between nodes; all empty: none. See tls.h. */
struct fb_tls_settings {
    char certificate[FB_SETTINGS_PATH_MAX]; /* this node's, with what its authority wants between */
    char key[FB_SETTINGS_PATH_MAX];
    char ca[FB_SETTINGS_PATH_MAX]; /* whose certificates this node trusts */
};

/* What keeps the records of names. */
enum fb_metadata_kind { FB_METADATA_NONE, FB_METADATA_LMDB, FB_METADATA_ETCD };

/* Where the records of names are; see names.h. */
struct fb_metadata_settings {
    enum fb_metadata_kind kind;
    char path[FB_SETTINGS_PATH_MAX];     /* LMDB: its folder */
    char endpoint[FB_SETTINGS_PATH_MAX]; /* etcd: URL */
    uint64_t size_bytes;                 /* LMDB: most that it may grow to */
};

/* A member, and where it listens. */
struct fb_member_settings {
    struct fb_member member;
    char address[FB_ADDRESS_MAX]; /* HOST:PORT */
};

/* All that the config, --set and options of forebayd say; texts are empty where nothing is said. */
struct fb_settings {
    char cluster[FB_CLUSTER_NAME_MAX];
    uint32_t node;
    uint32_t log_level; /* enum fb_log_level */
    char listen[FB_ADDRESS_MAX];
    char http[FB_ADDRESS_MAX];          /* empty: none */
    struct fb_member_settings *members; /* in the file's order; at least this node */
    uint32_t member_count;
    enum fb_membership_kind membership;
    uint32_t members_max;                     /* that connections are made room for */
    char etcd_endpoint[FB_SETTINGS_PATH_MAX]; /* empty: the members are those of the list */
    uint64_t lease_ns;                        /* etcd: silence after which a node is out */
    uint32_t domain, weight;                  /* etcd: this node's */
    struct fb_tls_settings tls;
    struct fb_origin_settings origin;
    struct fb_metadata_settings metadata;
    char device_path[FB_SETTINGS_PATH_MAX]; /* empty: no device tier */
    char socket_path[FB_SOCKET_PATH_MAX];
    char token_path[FB_SETTINGS_PATH_MAX]; /* what clients must show; empty: nothing. See token.h */
    char record_path[FB_SETTINGS_PATH_MAX]; /* empty: no recording */
    uint64_t memory_budget_bytes;           /* 0: none; see budget.h */
    uint64_t arena_bytes;                   /* that a client may put from at once */
    uint64_t spin_ns;                       /* the loop looks for more this long before it sleeps */
    uint64_t stop_patience_ns;              /* SIGTERM: acknowledged bytes are drained this long */
    uint64_t peer_timeout_ns;               /* silence after which a connection counts as lost */
    uint32_t pull_connections;              /* to each peer */
    uint32_t objects_max;                   /* whose names are remembered */
    uint32_t workers;                       /* threads that digest and copy */
    bool may_discard_owed;                  /* forebayd --discard-owed */
    bool accepts_origin;                    /* forebayd --accept-origin */
    bool accepts_metadata;                  /* forebayd --accept-metadata */
    bool is_draining_only;                  /* forebayd --drain */
    bool are_entries_derived;               /* core.memory_entries_max: from other settings */
    uint64_t names_valid_ns;                /* what the origin said of a name is kept so long */
    struct fb_config core;
};

/* Reads the file and applies `assignments` ("key=value"). Errors: error set; nothing to free. */
void fb_settings_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                      struct fb_settings *settings, struct fb_error *error);
/* Frees the list of members; nothing else is allocated. */
void fb_settings_free(struct fb_settings *settings);

/* What must be said aloud of levels that promise more than one copy where there is but one; NULL:
 * nothing. */
const char *fb_settings_one_copy(const struct fb_settings *settings);

#endif
