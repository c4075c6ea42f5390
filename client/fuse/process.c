/* What /proc tells of a caller. A thread that a signal ends has SIGKILL pending until it sees it,
 * whatever the signal was, or one that leaves a core; after that its process has the signal as its
 * end. Of one that ends by itself the kernel takes no more signals. */
#include "client/fuse/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROCESS_SIGNALED = 0x400 }; /* PF_SIGNALED: include/linux/sched.h */

static FILE *entry_open(int id, const char *entry)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", id, entry);
    return id > 0 ? fopen(path, "re") : NULL;
}

int process_of(int thread)
{
    char line[128];
    int process = 0;
    FILE *status = entry_open(thread, "status");
    while (status != NULL && process == 0 && fgets(line, sizeof(line), status) != NULL)
        (void)sscanf(line, "Tgid: %d", &process);
    if (status != NULL)
        fclose(status);
    return process;
}

bool process_exists(int process)
{
    return kill(process, 0) == 0 || errno != ESRCH;
}

static uint64_t bit(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* Is a signal pending that ends the thread, and that nobody takes? */
static bool has_deadly_signal(int thread)
{
    static const int cores[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
    static const char *const names[] = {"SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"};
    enum { OF_THREAD, OF_PROCESS, BLOCKED, IGNORED, CAUGHT, COUNT };
    unsigned long long sets[COUNT] = {0};
    char line[128], name[8];
    FILE *status = entry_open(thread, "status");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        unsigned long long set;
        if (sscanf(line, "%6[A-Za-z]: %llx", name, &set) != 2)
            continue;
        for (uint32_t i = 0; i < COUNT; i++)
            sets[i] = strcmp(name, names[i]) == 0 ? set : sets[i];
    }
    if (status != NULL)
        fclose(status);
    uint64_t deadly = bit(SIGKILL);
    for (uint32_t i = 0; i < sizeof(cores) / sizeof(cores[0]); i++)
        deadly |= bit(cores[i]) & ~(sets[BLOCKED] | sets[IGNORED] | sets[CAUGHT]);
    return ((sets[OF_THREAD] | sets[OF_PROCESS]) & deadly) != 0;
}

/* The name, in brackets, may have any byte; after it come 49 numbers up to how it ended. */
static bool is_ending_by_signal(int thread)
{
    enum { FLAGS = 9, EXIT_CODE = 52, STATE = 3, SIGNAL_BITS = 0x7f };
    char line[2048] = "";
    unsigned long long flags = 0, code = 0;
    FILE *stat = entry_open(thread, "stat");
    bool is_read = stat != NULL && fgets(line, sizeof(line), stat) != NULL;
    if (stat != NULL)
        fclose(stat);
    char *at = is_read ? strrchr(line, ')') : NULL, *rest = NULL;
    at = at != NULL ? strtok_r(at + 1, " ", &rest) : NULL;
    for (int field = STATE; at != NULL; field++, at = strtok_r(NULL, " ", &rest)) {
        if (field == FLAGS)
            flags = strtoull(at, NULL, 10);
        if (field == EXIT_CODE)
            code = strtoull(at, NULL, 10);
    }
    return (flags & PROCESS_SIGNALED) != 0 && (code & SIGNAL_BITS) != 0;
}

bool process_is_killed(int thread)
{
    return has_deadly_signal(thread) || is_ending_by_signal(thread);
}

/* One descriptor. */
static bool descriptor_writes(int process, const char *descriptor, uint64_t inode, const char *name)
{
    static const char gone[] = " (deleted)";
    char entry[32], line[128], path[64], target[4096];
    unsigned long long number = 0;
    unsigned int flags = 0;
    snprintf(entry, sizeof(entry), "fdinfo/%.20s", descriptor);
    FILE *info = entry_open(process, entry);
    while (info != NULL && fgets(line, sizeof(line), info) != NULL) {
        (void)sscanf(line, "flags: %o", &flags);
        (void)sscanf(line, "ino: %llu", &number);
    }
    if (info != NULL)
        fclose(info);
    if (number != inode || (flags & O_ACCMODE) == O_RDONLY)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", process, descriptor);
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    size_t tail = sizeof(gone) - 1;
    if ((size_t)length > tail && strcmp(target + length - tail, gone) == 0)
        target[(size_t)length - tail] = '\0';
    const char *last = strrchr(target, '/');
    return last != NULL && strcmp(last + 1, name) == 0;
}

bool process_writes(int process, uint64_t inode, const char *name)
{
    enum { DESCRIPTORS_MAX = 1024 };
    char path[64];
    bool is_found = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", process);
    DIR *folder = opendir(path);
    struct dirent *entry;
    for (uint32_t i = 0; folder != NULL && !is_found && i < DESCRIPTORS_MAX; i++) {
        if ((entry = readdir(folder)) == NULL)
            break;
        is_found =
            entry->d_name[0] != '.' && descriptor_writes(process, entry->d_name, inode, name);
    }
    if (folder != NULL)
        closedir(folder);
    return is_found;
}
