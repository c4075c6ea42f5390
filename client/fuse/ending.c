/* The end of a mount that is told to end while files are open: what was written to them is
 * committed, by some threads at once; see watch.c for how long. What could not be is said: in the
 * background, to the system's log alone. */
#include "client/fuse/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

enum { THREADS = CLIENTS_OF_WRITERS, NAMES_SAID = 3 };

struct ending {
    struct mount *mount;
    struct mount_writer **writers;
    int *codes;
    uint32_t count;
    _Atomic uint32_t next;
};

static void *writers_commit(void *context)
{
    struct ending *ending = context;
    struct mount_wait wait = {.is_look = false};
    wait_begin(ending->mount, &wait, NULL, 0);
    for (uint32_t i; (i = ending->next++) < ending->count;)
        ending->codes[i] = writer_commit(ending->writers[i]);
    (void)wait_end(ending->mount, &wait);
    return NULL;
}

static void lost_say(const struct ending *ending, uint32_t lost)
{
    char text[NAMES_SAID * (NAME_MAX_BYTES + 64)] = "", name[NAME_MAX_BYTES];
    struct mount *mount = ending->mount;
    size_t length = 0;
    uint32_t said = 0;
    for (uint32_t i = 0; i < ending->count && said < NAMES_SAID; i++) {
        if (ending->codes[i] == 0)
            continue;
        if (fuse_nodes_name(&mount->nodes, ending->writers[i]->node, NULL, name, sizeof(name)) != 0)
            snprintf(name, sizeof(name), "a file without a name");
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s: %.60s",
                                   said > 0 ? "; " : "", name, strerror(-ending->codes[i]));
        said++;
    }
    openlog("forebay mount", LOG_PERROR, LOG_DAEMON);
    syslog(LOG_ERR, "%s: what was written to %u open file%s is not committed, and lost: %s%s",
           mount->options->mountpoint, lost, lost == 1 ? "" : "s", text,
           lost > said ? "; ..." : "");
}

uint32_t writers_end(struct mount *mount)
{
    struct ending ending = {.mount = mount};
    pthread_t threads[THREADS];
    uint32_t begun = 0, lost = 0, room = 0;
    pthread_mutex_lock(&mount->writers_mutex);
    for (struct mount_writer *writer = mount->writers; writer != NULL; writer = writer->next)
        room++;
    ending.writers = calloc(room + 1, sizeof(struct mount_writer *));
    ending.codes = calloc(room + 1, sizeof(int));
    bool has_memory = ending.writers != NULL && ending.codes != NULL;
    for (struct mount_writer *writer = mount->writers; has_memory && writer != NULL;
         writer = writer->next) {
        writer->users++;
        ending.writers[ending.count++] = writer;
    }
    pthread_mutex_unlock(&mount->writers_mutex);
    while (begun < THREADS && begun + 1 < ending.count &&
           pthread_create(&threads[begun], NULL, writers_commit, &ending) == 0)
        begun++;
    (void)writers_commit(&ending);
    for (uint32_t i = 0; i < begun; i++)
        (void)pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < ending.count; i++)
        lost += ending.codes[i] != 0;
    if (lost > 0)
        lost_say(&ending, lost);
    free(ending.writers);
    free(ending.codes);
    return has_memory ? lost : room;
}
