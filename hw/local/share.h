/* What of all a session may have; see local_share.c. */
#ifndef FB_HW_LOCAL_SHARE_H
#define FB_HW_LOCAL_SHARE_H

#include "core/node/node.h"
#include "hw/local/use.h"
#include "hw/origin/object.h"

struct fb_local;
struct local_session;

/* The session has the object open from now on. BUSY: too many are. */
enum fb_status local_object_open(struct local_session *session, const struct fb_object *object);
void local_object_close(struct local_session *session, uint64_t handle);
/* Was it being written, and is there nobody left who will commit it? */
bool local_write_is_over(const struct fb_object *object);
/* A request that takes something of the core: may it begin; it does, and has an answer. LOCAL_USES:
 * it takes nothing. */
bool local_may_fly(const struct local_session *session, enum local_use use);
void local_fly(struct local_session *session, enum local_use use);
void local_land(struct local_session *session, enum local_use use);
/* May it write so many bytes more, which are owed until the origin has them? */
bool local_may_owe(struct local_session *session, uint32_t size_bytes);
/* What a client hears that may not: BUSY, or what the origin refuses of all that is owed (R16). */
enum fb_status local_owed_refusal(const struct fb_local *local);
/* May so many bytes more be lent to it? */
bool local_has_memory(const struct local_session *session, uint64_t size_bytes);
/* A record for a pin; false: there are too many, or it has most of them. */
bool local_pin_begin(struct local_session *session, uint64_t ttl_ns, uint32_t *pin);
/* The most that one client may have while nobody else has any. */
uint32_t local_pins_of_one(uint64_t pins_max);
/* The core's answer; returns the client's lease. */
uint64_t local_pin_made(struct local_session *session, uint32_t pin, const struct fb_reply *reply);
/* Returns the core's lease; UINT64_MAX: it is none of this session's. */
uint64_t local_pin_end(struct local_session *session, uint64_t lease);
/* What a session writes of a file. begin: false: it writes too many. */
bool local_write_begin(struct local_session *session, uint64_t handle);
void local_write_end(struct local_session *session, uint64_t handle);
bool local_write_is_own(struct local_session *session, uint64_t handle);
/* A block is written. false: the file's parts are too many. */
bool local_write_note(struct local_session *session, uint64_t handle, uint64_t block,
                      uint32_t size_bytes);
/* Has all of a file of this size been written by this session? */
bool local_write_covers(struct local_session *session, uint64_t handle, uint64_t size_bytes);

#endif
