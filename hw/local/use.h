/* What all clients' requests draw from. */
#ifndef FB_HW_LOCAL_USE_H
#define FB_HW_LOCAL_USE_H

/* What requests take of the core while they have no answer. */
enum local_use {
    LOCAL_READS,   /* a fill, with its memory */
    LOCAL_WRITES,  /* a put */
    LOCAL_MATCHES, /* a match */
    LOCAL_ASKS,    /* over the socket: about names, mostly */
    LOCAL_USES
};

#endif
