/* Shared by writer.c (what a file's content is made of) and commit.c (how it gets to the cache).
 * With the writer's mutex held. */
#ifndef FB_CLIENT_FUSE_WRITER_INTERNAL_H
#define FB_CLIENT_FUSE_WRITER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

struct mount_writer;

/* Begins to send; is_polite: -EBUSY when enough others do. */
int writer_stream_begin(struct mount_writer *writer, bool is_polite);
/* Gives up what was not committed; code: of the last call. */
void writer_stream_end(struct mount_writer *writer, int code);
/* Sends all but the last `keep` bytes of the window. */
int writer_window_send(struct mount_writer *writer, uint64_t keep);
int writer_commit_locked(struct mount_writer *writer);
void writer_window_free(struct mount_writer *writer);
/* spill_base_read of the version that the content began with; context: the writer. */
int64_t writer_base_read(void *context, void *bytes, uint64_t size, uint64_t offset);

#endif
