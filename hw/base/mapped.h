/* A file of others' that is mapped can be cut by anybody, and its disk can fail: who touches what
 * is not there then is ended by SIGBUS. This says which file it may be, before it ends. */
#ifndef FB_HW_BASE_MAPPED_H
#define FB_HW_BASE_MAPPED_H

/* From now on a SIGBUS writes one line about the file, then ends the process as it would have. One
 * file a process; text: a sentence for the line, with what to do. */
void fb_mapped_watch(const char *path, const char *text);

#endif
