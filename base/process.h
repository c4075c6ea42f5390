/* How a process of ours begins, whatever it was started from. */
#ifndef FB_BASE_PROCESS_H
#define FB_BASE_PROCESS_H

#include <stdint.h>

/* Before anything is opened. Standard files that are closed are there, and every use of one is
 * EBADF still: else the next file or socket would be what is printed to. A write beyond the limit
 * on the size of files is EFBIG, and does not end the process. */
void fb_process_begin(void);

/* Bytes that a file may have that this process writes (RLIMIT_FSIZE); UINT64_MAX: any. */
uint64_t fb_process_file_limit(void);

#endif
