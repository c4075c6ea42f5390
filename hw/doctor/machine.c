/* See machine.h. */
#include "hw/doctor/machine.h"

#include "base/units.h"
#include "core/node/node.h"
#include "hw/base/address.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXT_BYTES = FB_SETTINGS_PATH_MAX + 512, /* a path, and what is said of it */
    MTU_MIN = 9000,        /* for fast ports. Source: a jumbo frame, as clusters set it */
    FAST_MBPS = 25000,     /* ports from here on want it */
    DRIVE_FILE = 64 << 20, /* bytes that are written and read */
    DRIVE_PART = 1 << 20,
};

static const double drive_rate_min = 500e6; /* guess: what any NVMe does; below it is none */
static const double clock_error_s_max = 1;  /* records are ordered by times of day (R19) */

struct machine {
    const struct fb_settings *settings;
    fb_machine_say *say;
    void *context;
};

static void say(const struct machine *machine, bool is_fine, const char *what, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

static void say(const struct machine *machine, bool is_fine, const char *what, const char *format,
                ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    machine->say(machine->context, is_fine, what, text);
}

/* A number of a file of /sys; -1: there is none. */
static long number_read(const char *path)
{
    long number = -1;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%ld", &number) != 1)
        number = -1;
    fclose(file);
    return number;
}

static void look_at_clock(const struct machine *machine)
{
    struct timex state = {.modes = 0};
    int code = adjtimex(&state);
    double error_s = (double)state.maxerror * 1e-6;
    if (code < 0)
        say(machine, false, "clock", "adjtimex: %s: nobody knows whether it is right",
            strerror(errno));
    else if (code == TIME_ERROR || (state.status & STA_UNSYNC) != 0)
        say(machine, false, "clock",
            "not synchronised: run chrony or systemd-timesyncd: versions of names are ordered by "
            "the time of day");
    else
        say(machine, error_s <= clock_error_s_max, "clock", "synchronised, off by at most %.3f s%s",
            error_s, error_s <= clock_error_s_max ? "" : ": see chronyc tracking");
}

/* Of the machine, not of a cgroup: what others have taken is not there for the cache. */
static void look_at_memory(const struct machine *machine)
{
    char line[128], want[32], have[32];
    unsigned long long available_kib = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        (void)sscanf(line, "MemAvailable: %llu", &available_kib);
    if (file != NULL)
        fclose(file);
    const struct fb_config *core = &machine->settings->core;
    double wanted = (double)core->memory_size_bytes + (double)fb_node_size_bytes(core);
    bool is_there = (double)available_kib * 1024 >= wanted;
    if (available_kib > 0)
        say(machine, is_there, "free memory", "%s are free now, %s are wanted%s",
            fb_format_bytes(have, (double)available_kib * 1024), fb_format_bytes(want, wanted),
            is_there ? "" : ": another process, or a running daemon, has what is missing");
}

/* Is it the address that peers connect to? Of 0.0.0.0 and [::] each is. */
static bool is_listened(const struct sockaddr *has, const struct sockaddr_storage *listens)
{
    if (has == NULL || has->sa_family != listens->ss_family)
        return false;
    if (has->sa_family == AF_INET) {
        const struct in_addr *own = &((const struct sockaddr_in *)(const void *)has)->sin_addr;
        const struct in_addr *wanted =
            &((const struct sockaddr_in *)(const void *)listens)->sin_addr;
        return wanted->s_addr == INADDR_ANY || own->s_addr == wanted->s_addr;
    }
    const struct in6_addr *own = &((const struct sockaddr_in6 *)(const void *)has)->sin6_addr;
    const struct in6_addr *wanted =
        &((const struct sockaddr_in6 *)(const void *)listens)->sin6_addr;
    return has->sa_family == AF_INET6 &&
           (IN6_IS_ADDR_UNSPECIFIED(wanted) || memcmp(own, wanted, sizeof(*own)) == 0);
}

/* The NUMA node of the drive that the folder lies on; -1: not known. */
static long drive_node(const char *folder)
{
    static const char *const places[] = {"device", "device/device", "../device",
                                         "../device/device"};
    struct stat facts;
    char path[128];
    long node = -1;
    if (stat(folder, &facts) != 0)
        return -1;
    dev_t device = S_ISBLK(facts.st_mode) ? facts.st_rdev : facts.st_dev;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && node < 0; i++) {
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/numa_node", major(device),
                 minor(device), places[i]);
        node = number_read(path);
    }
    return node;
}

static void port_say(const struct machine *machine, const char *name)
{
    char path[128], speed_text[48] = "";
    snprintf(path, sizeof(path), "/sys/class/net/%.32s/mtu", name);
    long mtu = number_read(path);
    snprintf(path, sizeof(path), "/sys/class/net/%.32s/speed", name);
    long mbps = number_read(path);
    snprintf(path, sizeof(path), "/sys/class/net/%.32s/device/numa_node", name);
    long node = number_read(path), drives = drive_node(machine->settings->device_path);
    bool is_small = mbps >= FAST_MBPS && mtu < MTU_MIN;
    bool is_far = node >= 0 && drives >= 0 && node != drives;
    if (mbps > 0)
        snprintf(speed_text, sizeof(speed_text), ", %ld Mbps", mbps);
    say(machine, !is_small, "network", "%s: MTU %ld%s%s", name, mtu, speed_text,
        is_small ? ": a port as fast wants 9000, here, at all members and in all switches" : "");
    if (node >= 0 && drives >= 0)
        say(machine, !is_far, "NUMA", "%s is at node %ld, the drive at %ld%s", name, node, drives,
            is_far ? ": bytes cross the machine: take a drive or a port of one node" : "");
}

static void look_at_network(const struct machine *machine)
{
    struct sockaddr_storage listens;
    struct ifaddrs *all;
    char told[8][32];
    uint32_t count = 0;
    if (machine->settings->members_max < 2 ||
        !fb_address_parse(machine->settings->listen, &listens) || getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        bool is_told = !is_listened(one->ifa_addr, &listens);
        for (uint32_t i = 0; i < count; i++)
            is_told = is_told || strncmp(told[i], one->ifa_name, sizeof(told[i]) - 1) == 0;
        if (is_told || count == sizeof(told) / sizeof(told[0]))
            continue;
        snprintf(told[count++], sizeof(told[0]), "%s", one->ifa_name);
        port_say(machine, one->ifa_name);
    }
    if (count == 0)
        say(machine, false, "network", "no port has the address of listen, %s",
            machine->settings->listen);
    freeifaddrs(all);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Bytes a second one after the other, past the page cache; 0: a part failed. */
static double drive_rate(int file, void *part, bool is_write)
{
    double begun_s = now_s();
    for (off_t at = 0; at < DRIVE_FILE; at += DRIVE_PART) {
        ssize_t moved =
            is_write ? pwrite(file, part, DRIVE_PART, at) : pread(file, part, DRIVE_PART, at);
        if (moved != DRIVE_PART) {
            errno = moved < 0 ? errno : ENOSPC;
            return 0;
        }
    }
    if (is_write && fdatasync(file) != 0)
        return 0;
    return DRIVE_FILE / (now_s() - begun_s);
}

static void drive_measure(const struct machine *machine, const char *path)
{
    char written_text[32], read_text[32];
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
    void *part = aligned_alloc(4096, DRIVE_PART);
    if (file >= 0 && part != NULL) {
        memset(part, 1, DRIVE_PART);
        double written = drive_rate(file, part, true), read = drive_rate(file, part, false);
        bool is_known = written > 0 && read > 0;
        bool is_fine = written >= drive_rate_min && read >= drive_rate_min;
        if (is_known)
            say(machine, is_fine, "drive speed", "written %s, read %s, one at a time%s",
                fb_format_rate(written_text, written), fb_format_rate(read_text, read),
                is_fine ? "" : ": slower than an NVMe: see forebay calibrate drive");
        else
            say(machine, false, "drive speed", "not measured: %s", strerror(errno));
    }
    free(part);
    if (file < 0)
        return; /* why is said of the drive itself */
    close(file);
    unlink(path);
}

static void look_at_drive(const struct machine *machine)
{
    char path[FB_SETTINGS_PATH_MAX + 32];
    struct stat facts;
    const char *device = machine->settings->device_path;
    bool is_block = stat(device, &facts) == 0 && S_ISBLK(facts.st_mode);
    if (device[0] == '\0' || is_block) /* what is on a whole drive is not written over */
        return;
    snprintf(path, sizeof(path), "%s.doctor.%d", device, getpid());
    drive_measure(machine, path);
}

static void look_at_rdma(const struct machine *machine)
{
    char names[256] = "";
    DIR *folder = opendir("/sys/class/infiniband");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        size_t used = strlen(names);
        if (entry->d_name[0] != '.')
            snprintf(names + used, sizeof(names) - used, " %.32s", entry->d_name);
    }
    if (folder != NULL)
        closedir(folder);
    if (names[0] != '\0')
        say(machine, true, "RDMA", "devices:%s; pulls go over TCP", names);
    else
        say(machine, true, "RDMA", "no device: pulls go over TCP");
}

void fb_machine_look(const struct fb_settings *settings, fb_machine_say *call, void *context)
{
    const struct machine machine = {.settings = settings, .say = call, .context = context};
    look_at_rdma(&machine);
    look_at_clock(&machine);
    if (settings == NULL)
        return;
    look_at_memory(&machine);
    look_at_network(&machine);
    look_at_drive(&machine);
}
