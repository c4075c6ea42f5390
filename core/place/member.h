/* A member of the cluster, as placement sees it. */
#ifndef FB_CORE_PLACE_MEMBER_H
#define FB_CORE_PLACE_MEMBER_H

#include <stdint.h>

/* The largest weight of a member. */
enum { FB_WEIGHT_MAX = 65535 };

/* One member, and what it may own. */
struct fb_member {
    uint32_t node;   /* id, unique */
    uint32_t domain; /* failure domain */
    uint32_t weight; /* 1..FB_WEIGHT_MAX, share of the keys; 0: member that owns nothing */
    uint32_t is_up;  /* 0: listed but owns nothing */
};

#endif
