/* The processes that call a mount, as /proc tells of them; a thread is what the kernel names. */
#ifndef FB_CLIENT_FUSE_PROCESS_H
#define FB_CLIENT_FUSE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* The process of a thread; 0: not known. */
int process_of(int thread);
bool process_exists(int process);
/* Does a thread end by a signal, or is it about to? */
bool process_is_killed(int thread);
/* Has a process a file of this inode and last name open for writing? false: or it is not known. */
bool process_writes(int process, uint64_t inode, const char *name);

#endif
