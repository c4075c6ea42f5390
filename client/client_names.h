/* What libforebay asks of names beside what forebay.h says, for itself and for forebay mount. */
#ifndef FB_CLIENT_CLIENT_NAMES_H
#define FB_CLIENT_CLIENT_NAMES_H

#include "client/forebay.h"
#include "client/protocol/attributes.h"
#include "client/protocol/local_protocol.h"

#include <stdbool.h>

/* client_change.c. -errno; of a change: the origin's own; -EOPNOTSUPP: it has nothing of the kind.
 */
struct client_look {
    struct forebay_facts facts;
    struct fb_attributes attributes; /* mode 0: the origin has none */
    uint64_t handle;
};
/* What is to be changed of a name, as in fb_local_change; text is the caller's. */
struct client_change {
    enum fb_change_kind kind;
    uint32_t which, flags;
    struct fb_attributes attributes;
    const char *text;
    uint32_t text_size; /* bytes */
};
struct client_page { /* the client's, until its next call */
    const unsigned char *at;
    uint32_t size;
};
/* What has a name now, also a link. Errors: as forebay_client_stat; -EPROTO. */
int client_look(struct forebay_client *client, const char *name, struct client_look *look);
/* Changes a name. page: what was asked for; NULL: it is not wanted. Errors: -E2BIG: the text is too
 * long; -errno of the origin; -EOPNOTSUPP; as forebay_client_stat. */
int client_change(struct forebay_client *client, const char *name,
                  const struct client_change *change, struct client_page *page);
/* Writes it behind a request's name; false: it is too long. */
bool client_change_put(struct fb_local_request *request, const struct client_change *change);
/* client_list.c: all that is there, links too. */
int client_list_plain(struct forebay_client *client, const char *folder, forebay_entry_call *call,
                      void *context);
/* Is there a folder of objects? 1: something is in it; 0: it is empty, and stands all the same
 * (FB_LOCAL_LIST_STANDS); -ENOENT: not, or all that is in it is about to go. */
int client_folder_find(struct forebay_client *client, const char *folder);
/* client_write.c */
/* forebay_file_commit, with what is said beside bytes (FB_LOCAL_COMMIT); NULL: nothing is.
 * is_taken: was it? Not, as far as is known, when another has made the name; may be NULL. */
int client_commit(struct forebay_file *file, uint32_t patience_s, const struct client_change *said,
                  bool *is_taken);

#endif
