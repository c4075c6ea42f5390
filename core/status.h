/* How what was asked for ends, and why a read was answered as it was. */
#ifndef FB_CORE_STATUS_H
#define FB_CORE_STATUS_H

/* How something ended: what requests, ops and messages answer. */
enum fb_status {
    FB_OK,
    FB_BUSY,      /* out of slots or memory now; try again later */
    FB_ABSENT,    /* not cached and there is no origin to take it from */
    FB_TIMEOUT,   /* no answer in time */
    FB_IO,        /* the device or the origin failed */
    FB_CORRUPT,   /* bytes do not match their digest */
    FB_GONE,      /* peer or device is not there any more */
    FB_THROTTLED, /* the origin asks to slow down (HTTP 429, 503) */
    FB_INVALID,   /* the request breaks a limit */
    FB_FULL,      /* no room, and nothing may be evicted */
    FB_CONFLICT,  /* compare-and-swap lost */
    FB_DENIED,    /* the origin refuses for want of rights; as the next: until somebody helps */
    FB_READ_ONLY, /* the origin cannot be written */
    FB_REFUSED,   /* the origin refuses, and says why in its own words: they are in the log */
    FB_TOO_LARGE, /* more than the origin holds in one object */
    FB_LOST,      /* of an object, and nowhere: neither at the origin nor with any member (R20) */
    FB_DEGRADED,  /* fewer members than the level wants can hold it now, or answer */
    FB_STATUS_COUNT
};

/* Why a read was answered as it was; one per reply, counted in fb_stats. */
enum fb_reason {
    FB_REASON_MEMORY,       /* hit in this node's memory */
    FB_REASON_COALESCED,    /* joined a fill that another request had begun */
    FB_REASON_DEVICE,       /* read from this node's device */
    FB_REASON_PEER,         /* pulled from the block's owner, which held it */
    FB_REASON_REFERRAL,     /* pulled from another reader, to which the owner referred */
    FB_REASON_ORIGIN_OWNER, /* this node owns the block and fetched it from the origin */
    FB_REASON_ORIGIN_PEER,  /* the owner fetched it from the origin for this node */
    FB_REASON_ORIGIN,       /* this node fetched past the owner: owner silent, gone or busy */
    FB_REASON_ABSENT,       /* nowhere */
    FB_REASON_REFUSED,      /* not served: busy, invalid, or every source failed */
    FB_REASON_LOST,         /* nowhere, though it is of an object */
    FB_REASON_COUNT
};

#endif
