/* Closes and syncs: when what was written is committed.
 *
 *  1. An open file (a handle; a fork's child and a descriptor's copy have the same) remembers which
 *     processes wrote through it since it was committed last. The close of a descriptor by one of
 *     these commits; so each of those who opened a file themselves commits what they wrote.
 *  2. A fork's child closes what it inherited, a shell its copy of a file that its program writes:
 *     the close of a process that wrote nothing commits nothing.
 *  3. What the open itself did (made the file, or emptied it) is committed by the close of one who
 *     has no other descriptor of it: a shell opens `> file`, copies the descriptor to where the
 *     program will write, and closes the first.
 *  4. Who is killed is not kept waiting; see watch.c. What is written, and its node, stay until the
 *     commit is through, whatever is closed meanwhile.
 * The mutex of these fields is the node's. */
#define FUSE_USE_VERSION 312
#include "client/fuse/operations.h"
#include "client/fuse/process.h"

#include <string.h>

void file_wrote(struct mount_file *file, int thread)
{
    struct file_writers *by = &file->by;
    pthread_mutex_t *mutex = &file->node->mutex;
    pthread_mutex_lock(mutex);
    bool is_known = by->is_anyone || (thread != 0 && by->thread == thread);
    pthread_mutex_unlock(mutex);
    if (is_known)
        return;
    int process = process_of(thread);
    pthread_mutex_lock(mutex);
    uint32_t i = 0;
    while (i < by->count && by->processes[i] != process)
        i++;
    if (process == 0 || i == FILE_PROCESSES_MAX)
        by->is_anyone = true;
    else if (i == by->count)
        by->processes[by->count++] = process;
    by->thread = thread;
    pthread_mutex_unlock(mutex);
}

/* Nothing of what was written is uncommitted, or will be in a moment. Who writes meanwhile is noted
 * after what it wrote is taken, and so never forgotten. */
static void writers_forget(struct mount_file *file)
{
    pthread_mutex_lock(&file->node->mutex);
    file->by = (struct file_writers){.thread = 0};
    file->is_begun = false;
    pthread_mutex_unlock(&file->node->mutex);
    file->writer->is_mapped = false;
}

/* The next close tries again. */
static void writers_blame(struct mount_file *file)
{
    pthread_mutex_lock(&file->node->mutex);
    file->by.is_anyone = true;
    pthread_mutex_unlock(&file->node->mutex);
}

/* Does the close of a descriptor by a process commit? See 1 to 3. */
static bool is_commit(struct mount *mount, struct mount_file *file, int thread)
{
    char name[NAME_MAX_BYTES] = "";
    struct fuse_node *node = file->node;
    int process = process_of(thread);
    pthread_mutex_lock(&node->mutex);
    const struct file_writers by = file->by;
    bool is_begun = file->is_begun;
    uint64_t number = node->number;
    pthread_mutex_unlock(&node->mutex);
    bool is_writer = by.is_anyone || file->writer->is_mapped;
    for (uint32_t i = 0; i < by.count; i++)
        is_writer = is_writer || by.processes[i] == process;
    if (is_writer || !is_begun || by.count > 0)
        return is_writer;
    if (fuse_nodes_name(&mount->nodes, node, NULL, name, sizeof(name)) != 0)
        return true;
    const char *last = strrchr(name, '/');
    return !process_writes(process, number, last != NULL ? last + 1 : name);
}

/* Commits what a file's writer has, and answers; logged: the call's name in the access log. */
static void commit_answer(fuse_req_t request, struct mount_file *file, const char *logged)
{
    struct mount *mount = mount_of(request);
    struct mount_writer *writer = writer_hold(file->writer);
    struct mount_wait wait = {.is_look = false};
    char name[NAME_MAX_BYTES] = "";
    if (logged != NULL)
        (void)fuse_nodes_name(&mount->nodes, file->node, NULL, name, sizeof(name));
    writers_forget(file);
    wait_begin(mount, &wait, request, fuse_req_ctx(request)->pid);
    int code = writer_commit(writer);
    if (logged != NULL)
        note(mount, logged, name, code);
    bool is_asked = wait_end(mount, &wait);
    writer_release(writer); /* before the answer: then the file's own users are its last */
    if (is_asked && code != 0)
        writers_blame(file);
    if (is_asked)
        fuse_reply_err(request, -code);
}

/* close() of one descriptor; others may write on. */
void do_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount_file *file = file_of(info);
    (void)inode;
    if (file->writer != NULL && is_commit(mount_of(request), file, fuse_req_ctx(request)->pid))
        commit_answer(request, file, NULL);
    else
        fuse_reply_err(request, 0);
}

void do_fsync(fuse_req_t request, fuse_ino_t inode, int is_data, struct fuse_file_info *info)
{
    struct mount_file *file = file_of(info);
    char name[NAME_MAX_BYTES] = "";
    (void)is_data;
    if (file->writer != NULL) {
        commit_answer(request, file, "fsync");
        return;
    }
    (void)name_of(request, inode, NULL, name);
    note(mount_of(request), "fsync", name, 0);
    fuse_reply_err(request, 0);
}

void do_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct mount_wait wait = {.is_look = false};
    (void)inode;
    wait_begin(mount, &wait, NULL, 0);
    file_free(mount, file_of(info));
    (void)wait_end(mount, &wait);
    fuse_reply_err(request, 0);
}
