/* See doctor.h. A fault is what keeps a daemon from running or from its data; a warning costs
 * speed. */
#include "hw/doctor/doctor.h"

#include "core/node/node.h"
#include "core/stats.h"
#include "hw/base/address.h"
#include "hw/net/tls.h"
#include "hw/loop/belonging.h"
#include "hw/loop/budget.h"
#include "hw/drive/drive.h"
#include "hw/drive/headers.h"
#include "hw/local/local.h"
#include "hw/loop/record.h"
#include "hw/meta/meta.h"
#include "hw/doctor/machine.h"
#include "hw/doctor/store.h"
#include "hw/origin/identity.h"
#include "hw/origin/posix_parts.h"
#include "hw/origin/origin_s3.h"
#include "hw/base/uring.h"
#include "base/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 2 * FB_SETTINGS_PATH_MAX + 512 };

enum grade { GRADE_FINE, GRADE_WARNING, GRADE_FAULT };

struct doctor {
    const struct fb_settings *settings;
    fb_doctor_say *say;
    void *context;
    uint32_t faults;
    bool is_brief;     /* of faults alone */
    bool has_answered; /* origin and store, who they are */
    struct fb_identity_facts facts;
};

static void line(struct doctor *doctor, enum grade grade, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void line(struct doctor *doctor, enum grade grade, const char *what, const char *format, ...)
{
    static const char *const names[] = {"fine", "warning", "fault"};
    char text[LINE_BYTES];
    va_list arguments;
    if (doctor->is_brief && grade != GRADE_FAULT)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    doctor->say(doctor->context, names[grade], what, text);
    doctor->faults += grade == GRADE_FAULT;
}

/* The first line of a file of /proc or /sys; "" when there is none. */
static const char *line_read(const char *path, char text[256])
{
    text[0] = '\0';
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return text;
    if (fgets(text, 256, file) == NULL)
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    fclose(file);
    return text;
}

static void look_at_kernel(struct doctor *doctor)
{
    struct utsname name;
    struct fb_uring uring;
    uname(&name);
    int code = fb_uring_open(&uring, 64);
    if (code == -ENOMEM) {
        line(doctor, GRADE_FAULT, "io_uring",
             "no room within the limit on locked memory: raise it (LimitMEMLOCK=infinity, "
             "ulimit -l)");
        return;
    }
    if (code != 0) {
        line(doctor, GRADE_FAULT, "io_uring",
             "%s on kernel %s: use 5.19 or later, set kernel.io_uring_disabled=0, and in a "
             "container allow io_uring_setup in its seccomp profile",
             strerror(-code), name.release);
        return;
    }
    bool is_deferred = uring.ring.flags & IORING_SETUP_DEFER_TASKRUN;
    fb_uring_close(&uring);
    if (is_deferred)
        line(doctor, GRADE_FINE, "io_uring", "kernel %s, deferred task work", name.release);
    else
        line(doctor, GRADE_WARNING, "io_uring",
             "kernel %s has no deferred task work: 6.1 or later is faster", name.release);
}

/* May this process lock memory past the limit? Root in a container often may not. */
static bool may_lock(void)
{
    enum { CAP_IPC_LOCK = 14 };
    char text[256];
    uint64_t capabilities = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(text, sizeof(text), file) != NULL) {
        if (strncmp(text, "CapEff:", 7) == 0)
            capabilities = strtoull(text + 7, NULL, 16);
    }
    if (file != NULL)
        fclose(file);
    return capabilities >> CAP_IPC_LOCK & 1;
}

/* The daemon raises its limit as far as it may. */
static void look_at_locked_memory(struct doctor *doctor)
{
    struct rlimit limit;
    char have[32], want[32];
    uint64_t needed = doctor->settings != NULL ? doctor->settings->core.memory_size_bytes : 0;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    bool is_free = may_lock() || limit.rlim_max == RLIM_INFINITY;
    if (is_free || limit.rlim_max >= needed)
        line(doctor, GRADE_FINE, "locked memory", "%s",
             is_free ? "unlimited" : fb_format_bytes(have, (double)limit.rlim_max));
    else
        line(doctor, GRADE_WARNING, "locked memory",
             "%s, less than core.memory_size of %s: raise it (LimitMEMLOCK=infinity, ulimit -l), "
             "else memory is not registered and the drive's I/O costs more",
             fb_format_bytes(have, (double)limit.rlim_max), fb_format_bytes(want, (double)needed));
}

static void look_at_pages(struct doctor *doctor)
{
    char pages[256], shmem[256];
    unsigned long count = strtoul(
        line_read("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", pages), NULL, 10);
    line_read("/sys/kernel/mm/transparent_hugepage/shmem_enabled", shmem);
    uint64_t needed = doctor->settings != NULL ? doctor->settings->core.memory_size_bytes >> 21 : 1;
    if (count >= needed)
        line(doctor, GRADE_FINE, "huge pages", "%lu of 2 MiB set aside", count);
    else if (strstr(shmem, "[advise]") != NULL || strstr(shmem, "[always]") != NULL)
        line(doctor, GRADE_FINE, "huge pages", "transparent ones for shared memory");
    else
        line(doctor, GRADE_WARNING, "huge pages",
             "%lu set aside of %llu wanted: vm.nr_hugepages=%llu, or write advise to "
             "/sys/kernel/mm/transparent_hugepage/shmem_enabled; without them the start is slower",
             count, (unsigned long long)needed, (unsigned long long)needed);
}

static void look_at_memory(struct doctor *doctor)
{
    const struct fb_config *core = &doctor->settings->core;
    char want[32], have[32];
    const char *source;
    double bytes = (double)core->memory_size_bytes + (double)fb_node_size_bytes(core);
    double machine = (double)fb_budget_limit(&source);
    enum grade grade = bytes > machine         ? GRADE_FAULT
                       : bytes > 0.9 * machine ? GRADE_WARNING
                                               : GRADE_FINE;
    line(doctor, grade, "memory", "%s wanted with the core's state, %s %s%s",
         fb_format_bytes(want, bytes), source, fb_format_bytes(have, machine),
         grade == GRADE_FINE ? "" : ": lower core.memory_size");
}

static void look_at_files(struct doctor *doctor)
{
    struct fb_error error = {.text = ""};
    struct fb_budget budget = {.clients_max = 0};
    uint64_t limit = fb_budget_files_limit();
    if (doctor->settings != NULL)
        fb_budget_make(doctor->settings, &budget, &error);
    uint32_t wanted = budget.clients_max;
    if (doctor->settings != NULL && !fb_error_is_set(&error))
        fb_budget_bound(&budget, doctor->settings, &error);
    if (fb_error_is_set(&error))
        line(doctor, GRADE_FAULT, "clients", "%s", error.text);
    else if (budget.clients_max < wanted)
        line(doctor, GRADE_WARNING, "clients", "%s has room for %u of %u", budget.bound,
             budget.clients_max, wanted);
    else
        line(doctor, GRADE_FINE, "clients", "%u; up to %" PRIu64 " open files", wanted, limit);
}

static void look_at_file_size(struct doctor *doctor)
{
    char text[FB_BUDGET_FILES_TEXT];
    if (fb_budget_file_size(doctor->settings, text))
        line(doctor, GRADE_WARNING, "file size", "%s", text);
}

static const char in_use[] = "%s is in use: a daemon runs there, and another one would be refused";

static void look_at_direct(struct doctor *doctor)
{
    const char *path = doctor->settings->device_path;
    int file = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (file < 0)
        line(doctor, GRADE_WARNING, "device", "%s: no O_DIRECT there: use ext4 or xfs", path);
    else
        line(doctor, GRADE_FINE, "device", "%s opens past the page cache", path);
    if (file >= 0)
        close(file);
}

static void look_at_device(struct doctor *doctor)
{
    struct fb_error error = {.text = ""};
    const struct fb_settings *settings = doctor->settings;
    struct statvfs space;
    char folder[FB_SETTINGS_PATH_MAX], have[32], want[32];
    if (settings->device_path[0] == '\0') {
        line(doctor, GRADE_FINE, "device", "none configured");
        return;
    }
    memcpy(folder, settings->device_path, sizeof(folder));
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    bool is_busy, is_there = fb_drive_try(settings, &is_busy, &error);
    if (is_there && !is_busy)
        fb_headers_try(settings, &error);
    if (is_busy)
        line(doctor, GRADE_WARNING, "device", in_use, settings->device_path);
    else if (fb_error_is_set(&error))
        line(doctor, GRADE_FAULT, "device", "%s", error.text);
    else if (is_there)
        look_at_direct(doctor);
    else if (statvfs(slash != NULL ? folder : ".", &space) != 0)
        line(doctor, GRADE_FAULT, "device", "%s: %s: make the folder", folder, strerror(errno));
    else if ((double)space.f_bavail * (double)space.f_frsize <
             (double)settings->core.device_size_bytes)
        line(doctor, GRADE_FAULT, "device", "%s has %s free, core.device_size is %s: lower it",
             folder, fb_format_bytes(have, (double)space.f_bavail * (double)space.f_frsize),
             fb_format_bytes(want, (double)settings->core.device_size_bytes));
    else
        line(doctor, GRADE_FINE, "device", "%s will be made", settings->device_path);
}

static void look_at_tls(struct doctor *doctor)
{
    const struct fb_settings *settings = doctor->settings;
    struct fb_error error = {.text = ""};
    if (settings->tls.certificate[0] == '\0' || settings->members_max == 1)
        return; /* nobody is spoken with */
    char text[FB_TLS_TEXT];
    struct fb_tls *tls = fb_tls_open(&settings->tls, settings->cluster, settings->node, &error);
    if (fb_error_is_set(&error))
        line(doctor, GRADE_FAULT, "tls", "%s", error.text);
    else if (fb_tls_ends_soon(tls, text))
        line(doctor, GRADE_WARNING, "tls", "%s: %s", settings->tls.certificate, text);
    else
        line(doctor, GRADE_FINE, "tls", "%s", settings->tls.certificate);
    if (tls != NULL)
        fb_tls_close(tls);
}

/* What a start would ask of the door for clients, and of the file for a recording. */
static void look_at_client(struct doctor *doctor)
{
    const struct fb_settings *settings = doctor->settings;
    struct fb_error error = {.text = ""};
    bool is_busy;
    fb_local_try(settings, &is_busy, &error);
    if (is_busy)
        line(doctor, GRADE_WARNING, "client", in_use, settings->socket_path);
    else if (fb_error_is_set(&error))
        line(doctor, GRADE_FAULT, "client", "%s", error.text);
    else if (settings->socket_path[0] == '\0')
        line(doctor, GRADE_WARNING, "client", "client.socket is not set: no clients");
    else
        line(doctor, GRADE_FINE, "client", "%s can be listened on", settings->socket_path);
    error.text[0] = '\0';
    fb_recorder_try(settings, &error);
    if (fb_error_is_set(&error))
        line(doctor, GRADE_FAULT, "record", "%s", error.text);
}

/* Can two contents of a file be told apart by its times and inode (origin_posix.h)? Tried with a
 * file that is made, changed with its time kept, and removed. */
static void look_at_times(struct doctor *doctor, const char *path)
{
    char name[FB_SETTINGS_PATH_MAX + 64];
    struct stat before, after, again;
    struct timespec now;
    snprintf(name, sizeof(name), "%s/" FB_OBJECT_PARTS ".doctor.%d", path, getpid());
    int file = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        line(doctor, errno == EROFS ? GRADE_FINE : GRADE_WARNING, "origin",
             "%s takes no files (%s): its objects can only be read", path, strerror(errno));
        return;
    }
    const struct timespec pause = {.tv_nsec = 20000000};
    bool is_known = write(file, "1", 1) == 1 && fstat(file, &before) == 0;
    const struct timespec kept[2] = {before.st_atim, before.st_mtim};
    nanosleep(&pause, NULL);
    is_known = is_known && pwrite(file, "2", 1, 0) == 1 && futimens(file, kept) == 0 &&
               fstat(file, &after) == 0 && stat(name, &again) == 0;
    clock_gettime(CLOCK_REALTIME, &now);
    close(file);
    unlink(name);
    bool has_ctime = is_known && (before.st_ctim.tv_sec != after.st_ctim.tv_sec ||
                                  before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
    int64_t ahead_s = is_known ? (int64_t)after.st_ctim.tv_sec - (int64_t)now.tv_sec : 0;
    if (!has_ctime)
        line(doctor, GRADE_WARNING, "origin",
             "%s: a file that is changed with its time kept looks unchanged there: give changed "
             "files new names or times",
             path);
    else if (after.st_ino != again.st_ino)
        line(doctor, GRADE_WARNING, "origin", "%s: inodes do not last there", path);
    if (ahead_s < -1 || ahead_s > 1)
        line(doctor, GRADE_WARNING, "origin",
             "%s: its clock is %lld s off this machine's: set both by NTP", path,
             (long long)ahead_s);
}

/* Asks the origin, also who it is. */
static struct fb_store_answer ask_origin(struct doctor *doctor, struct fb_error *error)
{
    struct fb_store_answer answer;
    fb_store_look(doctor->settings, &answer, error);
    doctor->facts.origin = answer.identity;
    doctor->has_answered = answer.has_identity;
    return answer;
}

/* Words of the store are on stderr, as in a daemon's log. */
static void look_at_bucket(struct doctor *doctor)
{
    static const struct {
        const char *what, *right;
    } rights[] = {{"opening", "GetObject"},
                  {"listing", "ListBucket"},
                  {"storing", "PutObject"},
                  {"removing", "DeleteObject, AbortMultipartUpload, ListBucketMultipartUploads"}};
    const struct fb_origin_settings *origin = &doctor->settings->origin;
    const char *right = "";
    struct fb_error error = {.text = ""};
    const struct fb_store_answer answer = ask_origin(doctor, &error);
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
        if (strcmp(rights[i].what, answer.what) == 0)
            right = rights[i].right;
    if (fb_error_is_set(&error))
        line(doctor, GRADE_FAULT, "origin", "%s", error.text);
    else if (answer.status == FB_OK)
        line(doctor, GRADE_FINE, "origin", "bucket %s at %s: may be listed, written, removed from",
             origin->bucket, origin->endpoint);
    else if (answer.status == FB_DENIED)
        line(doctor, GRADE_FAULT, "origin",
             "bucket %s at %s: %s is denied: check the credentials and their rights (%s)",
             origin->bucket, origin->endpoint, answer.what, right);
    else if (answer.status == FB_REFUSED)
        line(doctor, GRADE_FAULT, "origin",
             "bucket %s at %s: %s is refused: is there such a bucket? Its word is on stderr",
             origin->bucket, origin->endpoint, answer.what);
    else
        line(doctor, GRADE_FAULT, "origin", "bucket %s at %s: %s: %s: does it run there?",
             origin->bucket, origin->endpoint, answer.what, fb_status_name(answer.status));
}

static void look_at_origin(struct doctor *doctor)
{
    const struct fb_settings *settings = doctor->settings;
    char parts[FB_STORE_PARTS_BYTES];
    if (settings->origin.kind == FB_ORIGIN_S3 || settings->origin.kind == FB_ORIGIN_AZURE) {
        bool is_fine = fb_store_parts_print(settings, parts);
        line(doctor, is_fine ? GRADE_FINE : GRADE_WARNING, "origin", "%s", parts);
    }
    if (settings->origin.kind == FB_ORIGIN_NONE) {
        line(doctor, GRADE_WARNING, "origin", "none: only KV blocks can be kept");
    } else if (settings->origin.kind != FB_ORIGIN_POSIX) {
        if (settings->origin.kind == FB_ORIGIN_S3 && settings->core.block_size_bytes < S3_PART_MIN)
            line(doctor, GRADE_WARNING, "origin",
                 "S3 wants parts of 5 MiB: what is written in smaller blocks is read back and "
                 "joined: set core.block_size to 8 MiB");
        if (!doctor->is_brief)
            look_at_bucket(doctor);
    } else {
        DIR *folder = opendir(settings->origin.path);
        struct fb_error error = {.text = ""};
        if (folder == NULL)
            line(doctor, GRADE_FAULT, "origin", "%s: %s: mount what should be there",
                 settings->origin.path, strerror(errno));
        else if (!posix_parts_are_fine(dirfd(folder), settings->origin.path, &error))
            line(doctor, GRADE_FAULT, "origin", "%s", error.text);
        else if (!fb_identity_posix_is_fine(dirfd(folder), settings->origin.path, &error))
            line(doctor, GRADE_FAULT, "origin", "%s", error.text);
        else
            line(doctor, GRADE_FINE, "origin", "folder %s", settings->origin.path);
        if (folder != NULL)
            closedir(folder);
        if (folder != NULL && !doctor->is_brief) {
            look_at_times(doctor, settings->origin.path);
            (void)ask_origin(doctor, &error);
        }
    }
}

static void look_at_metadata(struct doctor *doctor)
{
    const struct fb_metadata_settings *metadata = &doctor->settings->metadata;
    struct fb_error error = {.text = ""};
    bool is_etcd = metadata->kind == FB_METADATA_ETCD;
    const char *where = is_etcd ? metadata->endpoint : metadata->path;
    if (metadata->kind == FB_METADATA_NONE) {
        line(doctor, GRADE_FINE, "metadata", "none: files are visible when the origin shows them");
        return;
    }
    struct fb_meta_task task;
    fb_belonging_record_ask(&task);
    enum fb_status status = fb_meta_probe(doctor->settings, &task, &error);
    doctor->has_answered = doctor->has_answered && (status == FB_OK || status == FB_ABSENT);
    if (status == FB_OK)
        doctor->facts.store = fb_belonging_record_read(&task);
    if (status == FB_BUSY)
        line(doctor, GRADE_FINE, "metadata", "%s is in use by a running daemon", where);
    else if (fb_error_is_set(&error))
        line(doctor, GRADE_FAULT, "metadata", "%s", error.text);
    else if (status == FB_OK || status == FB_ABSENT)
        line(doctor, GRADE_FINE, "metadata", "%s answers", where);
    else
        line(doctor, GRADE_FAULT, "metadata", "%s: %s: %s", where, fb_status_name(status),
             is_etcd ? "is etcd running there?" : "see the log");
}

static void identity_print(struct fb_key identity, char text[FB_IDENTITY_DIGITS + 1])
{
    if (fb_identity_is_known(identity))
        fb_identity_print(identity, text);
    else
        snprintf(text, FB_IDENTITY_DIGITS + 1, "none known");
}

/* Whom this node's bytes belong to, judged as at a start (core/tier/identity.h). */
static void look_at_identity(struct doctor *doctor)
{
    const struct fb_settings *settings = doctor->settings;
    struct fb_identity_facts facts = doctor->facts;
    char own[FB_IDENTITY_DIGITS + 1], known[FB_IDENTITY_DIGITS + 1];
    fb_store_drive(settings, &facts.drive, &facts.owed_bytes);
    enum fb_identity_answer answer =
        doctor->has_answered ? fb_identity_judge(&facts) : FB_IDENTITY_USE;
    bool is_named = answer == FB_IDENTITY_REFUSE_NAMED;
    identity_print(facts.origin, own);
    identity_print(is_named ? facts.store.origin : facts.drive.origin, known);
    if (is_named || answer == FB_IDENTITY_REFUSE_DRIVE)
        line(doctor, GRADE_FAULT, "identity",
             "origin %s, but %s is of origin %s: mount or name the right one; if this one is "
             "meant: forebayd --accept-origin",
             own, is_named ? "the metadata store" : "the drive", known);
    else if (answer == FB_IDENTITY_FORGET)
        line(doctor, GRADE_WARNING, "identity",
             "origin %s, but what the drive caches is of origin %s: a start drops it", own, known);
    else if (settings->origin.kind != FB_ORIGIN_NONE)
        line(doctor, GRADE_FINE, "identity", "origin %s", own);
    bool is_drives = !fb_identity_is_known(facts.store.store); /* as with a daemon that runs */
    identity_print(is_drives ? facts.drive.store : facts.store.store, own);
    identity_print(facts.drive.store, known);
    if (answer == FB_IDENTITY_REFUSE_STORE)
        line(doctor, GRADE_FAULT, "identity",
             "metadata store %s, but the names of what the drive owes are in %s: name the right "
             "one; if this one is meant: forebayd --accept-metadata",
             is_drives ? "has none" : own, known);
    else if (settings->metadata.kind != FB_METADATA_NONE)
        line(doctor, GRADE_FINE, "identity", "metadata store %s", own);
}

/* Milliseconds that connecting takes; negative: -errno. */
static double connect_ms(const struct sockaddr_storage *address)
{
    enum { PATIENCE_MS = 2000 };
    struct timespec began, ended;
    int code = 0, file = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (file < 0)
        return -errno;
    clock_gettime(CLOCK_MONOTONIC, &began);
    if (connect(file, (const struct sockaddr *)address, sizeof(*address)) != 0)
        code = errno;
    if (code == EINPROGRESS) {
        struct pollfd wait = {.fd = file, .events = POLLOUT};
        socklen_t size = sizeof(code);
        code = poll(&wait, 1, PATIENCE_MS) == 1 ? 0 : ETIMEDOUT;
        if (code == 0)
            getsockopt(file, SOL_SOCKET, SO_ERROR, &code, &size);
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    close(file);
    return code != 0 ? -code
                     : (double)(ended.tv_sec - began.tv_sec) * 1e3 +
                           (double)(ended.tv_nsec - began.tv_nsec) * 1e-6;
}

static void look_at_members(struct doctor *doctor)
{
    const struct fb_settings *settings = doctor->settings;
    for (uint32_t i = 0; i < settings->member_count; i++) {
        const struct fb_member_settings *member = &settings->members[i];
        struct sockaddr_storage address;
        struct fb_error error = {.text = ""};
        char what[32];
        snprintf(what, sizeof(what), "member %u", member->member.node);
        if (member->address[0] == '\0')
            continue;
        if (settings->members_max == 1) {
            line(doctor, GRADE_FINE, what, "alone in its cluster: %s is not listened on",
                 member->address);
            continue;
        }
        fb_address_resolve(member->address, false, &address, &error);
        double ms = fb_error_is_set(&error) ? 0 : connect_ms(&address);
        if (fb_error_is_set(&error))
            line(doctor, GRADE_FAULT, what, "%s", error.text);
        else if (ms >= 0)
            line(doctor, GRADE_FINE, what, "%s connects in %.2f ms", member->address, ms);
        else
            line(doctor, member->member.node == settings->node ? GRADE_FINE : GRADE_WARNING, what,
                 "%s: %s%s", member->address, strerror((int)-ms),
                 member->member.node == settings->node ? " (this node, which does not run)"
                                                       : ": is it running, is the port open?");
    }
}

static void look_at_copies(struct doctor *doctor)
{
    const char *reason = fb_settings_one_copy(doctor->settings);
    if (reason != NULL)
        line(doctor, GRADE_WARNING, "copies", "%s", reason);
    else
        line(doctor, GRADE_FINE, "copies", "%u of what levels replicated and device acknowledge",
             (uint32_t)doctor->settings->core.write_quorum);
}

static void machine_say(void *context, bool is_fine, const char *what, const char *text)
{
    line(context, is_fine ? GRADE_FINE : GRADE_WARNING, what, "%s", text);
}

/* What a start needs, too. */
static void look_at_settings(struct doctor *doctor)
{
    look_at_memory(doctor);
    look_at_file_size(doctor);
    look_at_device(doctor);
    look_at_client(doctor);
    look_at_tls(doctor);
    look_at_origin(doctor);
}

uint32_t fb_doctor_run(const struct fb_settings *settings, fb_doctor_say *say, void *context)
{
    struct doctor doctor = {.settings = settings, .say = say, .context = context};
    look_at_kernel(&doctor);
    look_at_locked_memory(&doctor);
    look_at_pages(&doctor);
    look_at_files(&doctor);
    if (access("/dev/fuse", R_OK | W_OK) == 0)
        line(&doctor, GRADE_FINE, "FUSE", "/dev/fuse is there");
    else
        line(&doctor, GRADE_WARNING, "FUSE", "/dev/fuse: %s: no mounts without it",
             strerror(errno));
    fb_machine_look(settings, machine_say, &doctor);
    if (settings == NULL)
        return doctor.faults;
    look_at_settings(&doctor);
    look_at_metadata(&doctor);
    look_at_identity(&doctor);
    look_at_members(&doctor);
    look_at_copies(&doctor);
    return doctor.faults;
}

void fb_doctor_print(void *stream, const char *grade, const char *what, const char *text)
{
    fprintf(stream, "%-8s %-16s %s\n", grade, what, text);
}

void fb_doctor_start(const struct fb_settings *settings, fb_doctor_say *say, void *context)
{
    struct doctor doctor = {.settings = settings, .say = say, .context = context, .is_brief = true};
    look_at_settings(&doctor);
}
