/* See settings_table.h. */
#include "hw/base/settings_table.h"

#include "base/origin_client.h"
#include "base/units.h"
#include "core/panic.h"
#include "hw/base/address.h"

#include <stddef.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define FIELD(field) \
    .offset = offsetof(struct fb_settings, field), .size = sizeof(((struct fb_settings *)0)->field)
#define MEMBER(field) \
    .offset = offsetof(struct fb_member_settings, field), \
    .size = sizeof(((struct fb_member_settings *)0)->field)
#define TEXT .kind = FB_SETTING_TEXT
#define ADDRESS .kind = FB_SETTING_ADDRESS
#define COUNT(least, most) .kind = FB_SETTING_COUNT, .min = (least), .max = (most)
#define BYTES(least, most) .kind = FB_SETTING_BYTES, .min = (least), .max = (most)
#define NS(least, most) .kind = FB_SETTING_NS, .min = (least), .max = (most)
#define CHOICE(...) .kind = FB_SETTING_CHOICE, .choices = {__VA_ARGS__}

static const struct fb_setting table[] = {
    {"", "schema_version", COUNT(1, 1), .size = 0, .help = "of this file's form"},
    {"", "cluster", TEXT, FIELD(cluster),
     .help = "the cluster's name: nodes of another one are not let in"},
    {"", "node", COUNT(0, FB_NONE - 1), FIELD(node), .help = "this node's id, none else's"},
    {"", "log", CHOICE("error", "warning", "info", "debug"), FIELD(log_level), .initial = "info",
     .is_live = true, .help = "lines below this level are left out"},
    {"", "listen", ADDRESS, FIELD(listen), .initial = "*",
     .help = "where other nodes connect; else this node's address in members; required with "
             "membership.kind etcd"},
    {"", "http", ADDRESS, FIELD(http), .initial = "",
     .help = "metrics, /health and /ready; nothing protects it: an address that only those reach "
             "who may read"},
    {"", "peer_timeout", NS(SECOND_NS / 10, 600 * SECOND_NS), FIELD(peer_timeout_ns),
     .initial = "10 s", .help = "silence after which a connection to a node counts as lost"},
    {"", "stop_patience", NS(0, 3600 * SECOND_NS), FIELD(stop_patience_ns), .initial = "20 s",
     .is_live = true, .help = "how long a stop waits for acknowledged bytes to be drained"},
    {"", "pull_connections", COUNT(1, 16), FIELD(pull_connections), .initial = "2",
     .help = "to each node, for bytes"},
    {"", "record", TEXT, FIELD(record_path), .initial = "",
     .help = "file for a recording of all events, for forebay replay; empty: none"},
    {"", "objects_max", COUNT(16, 1u << 24), FIELD(objects_max), .initial = "65536",
     .help = "objects whose names are remembered; those that are open or owed stay"},
    {"", "workers", COUNT(0, 64), FIELD(workers), .initial = "1",
     .help = "threads that digest and copy"},
    {"", "memory_budget", BYTES(UINT64_C(1) << 20, UINT64_C(1) << 50), FIELD(memory_budget_bytes),
     .initial = "0 B", .help = "most memory of the daemon, which bounds its clients; 0: no bound"},

    {"membership", "kind", CHOICE("static", "etcd"), FIELD(membership), .initial = "static",
     .help = "static: the list `members`; etcd: who holds a lease there"},
    {"membership", "endpoint", TEXT, FIELD(etcd_endpoint), .of = "etcd", .help = "etcd's URL"},
    {"membership", "lease", NS(2 * SECOND_NS, 3600 * SECOND_NS), FIELD(lease_ns), .of = "etcd",
     .initial = "10 s", .help = "silence after which a node is no member any more"},
    {"membership", "domain", COUNT(0, UINT32_MAX), FIELD(domain), .of = "etcd", .initial = "*",
     .help = "failure domain of this node: copies go to others; else its id"},
    {"membership", "weight", COUNT(1, FB_WEIGHT_MAX), FIELD(weight), .of = "etcd", .initial = "1",
     .help = "share of the keys that this node owns"},
    {"membership", "members_max", COUNT(1, FB_MEMBERS_MAX), FIELD(members_max), .of = "etcd",
     .initial = "64", .help = "nodes that there may come to be"},

    {"members", "id", COUNT(0, FB_NONE - 1), MEMBER(member.node), .help = "the node's id"},
    {"members", "address", ADDRESS, MEMBER(address), .help = "HOST:PORT of its `listen`"},
    {"members", "domain", COUNT(0, UINT32_MAX), MEMBER(member.domain), .initial = "*",
     .help = "its failure domain: copies go to others; else its place in the list"},
    {"members", "weight", COUNT(0, FB_WEIGHT_MAX), MEMBER(member.weight), .initial = "1",
     .help = "share of the keys that it owns; 0: it owns none"},

    {"tls", "certificate", TEXT, FIELD(tls.certificate),
     .help = "file: this node's, with what its authority wants between"},
    {"tls", "key", TEXT, FIELD(tls.key), .help = "file: the certificate's"},
    {"tls", "ca", TEXT, FIELD(tls.ca), .help = "file: whose certificates are trusted"},

    {"origin", "kind", CHOICE("none", "posix", "s3", "azure"), FIELD(origin.kind),
     .initial = "none", .help = "where the objects come from"},
    {"origin", "path", TEXT, FIELD(origin.path), .of = "posix", .help = "the folder"},
    {"origin", "endpoint", TEXT, FIELD(origin.endpoint), .of = "s3|azure",
     .help = "http:// or https:// and the host, and no more"},
    {"origin", "bucket", TEXT, FIELD(origin.bucket), .of = "s3", .help = "its name"},
    {"origin", "container", TEXT, FIELD(origin.bucket), .of = "azure", .help = "its name"},
    {"origin", "prefix", TEXT, FIELD(origin.prefix), .of = "s3|azure", .initial = "",
     .help = "before every name; ends in a slash"},
    {"origin", "credentials", TEXT, FIELD(origin.credentials), .of = "s3|azure", .initial = "",
     .help = "file, read again when it changes; empty: the environment"},
    {"origin", "ca_file", TEXT, FIELD(origin.ca_file), .of = "s3|azure", .initial = "",
     .help = "authorities of the endpoint; empty: the system's"},
    {"origin", "region", TEXT, FIELD(origin.region), .of = "s3", .initial = "",
     .help = "for the signature; empty: us-east-1"},
    {"origin", "account", TEXT, FIELD(origin.account), .of = "azure", .initial = "",
     .help = "for the shared key"},
    {"origin", "part_size", BYTES(0, FB_ORIGIN_PART_BYTES_MAX), FIELD(origin.part_bytes),
     .of = "s3|azure", .initial = FB_ORIGIN_PART_SIZE,
     .help = "of a block, a request; its parts are moved at once; 0: a block is one request"},
    {"origin", "requests_max", COUNT(1, FB_ORIGIN_REQUESTS_MAX), FIELD(origin.requests_max),
     .of = "s3|azure", .initial = FB_ORIGIN_REQUESTS,
     .help = "requests at once, whatever blocks they are of; more wait"},
    {"origin", "tries_max", COUNT(1, FB_ORIGIN_TRIES_MAX), FIELD(origin.tries_max),
     .of = "s3|azure", .initial = FB_ORIGIN_TRIES,
     .help = "tries of one request, or of a block's ranges together, the first included"},
    {"origin", "timeout", NS(SECOND_NS, 600 * SECOND_NS), FIELD(origin.timeout_ns),
     .of = "s3|azure", .initial = "10 s", .help = "of a request without a byte"},

    {"origin", "orphan_age", NS(SECOND_NS, 366 * 86400 * SECOND_NS), FIELD(origin.orphan_age_ns),
     .of = "posix", .initial = "168 h",
     .help = "blocks that nobody has committed, nor added to for so long, are removed"},
    {"metadata", "kind", CHOICE("none", "lmdb", "etcd"), FIELD(metadata.kind), .initial = "none",
     .help = "where the records of names are; none: a name means what the origin says"},
    {"metadata", "path", TEXT, FIELD(metadata.path), .of = "lmdb",
     .help = "its folder; for a cluster of one node"},
    {"metadata", "size", BYTES(UINT64_C(1) << 20, UINT64_C(1) << 40), FIELD(metadata.size_bytes),
     .of = "lmdb", .initial = "1 GiB", .help = "most that it may grow to"},
    {"metadata", "endpoint", TEXT, FIELD(metadata.endpoint), .of = "etcd", .initial = "",
     .help = "etcd's URL; empty: membership's"},

    {"device", "path", TEXT, FIELD(device_path), .initial = "",
     .help = "file or block device of the drive tier, core.device_size of it; empty: none"},

    {"client", "socket", TEXT, FIELD(socket_path), .initial = "",
     .help = "where this machine's clients connect; its mode says who may; empty: no clients"},
    {"client", "token", TEXT, FIELD(token_path), .initial = "",
     .help = "file whose content clients must show, 16 to 256 bytes; empty: none"},
    {"client", "arena", BYTES(64 << 10, UINT64_C(1) << 36), FIELD(arena_bytes), .initial = "*",
     .help = "shared memory from which one client writes; at least a block; else 4, or 16 MiB"},
    {"client", "spin", NS(0, SECOND_NS), FIELD(spin_ns), .initial = "50 us",
     .help = "how long the daemon looks for more before it sleeps"},

    {"names", "valid", NS(0, 86400 * SECOND_NS), FIELD(names_valid_ns), .initial = "0 s",
     .help = "how long what the origin said of a name is believed; 0: each open asks"},
};

const struct fb_setting *fb_settings_table(uint32_t *count)
{
    *count = sizeof(table) / sizeof(table[0]);
    return table;
}

static void text_read(struct fb_map *map, const struct fb_setting *row, char *text)
{
    const char *value = row->initial == NULL ? fb_map_text(map, row->key)
                                             : fb_map_text_or(map, row->key, row->initial);
    bool is_kept = row->initial != NULL && !fb_map_has(map, row->key) && row->initial[0] == '*';
    size_t length = strlen(value);
    if (is_kept)
        return;
    if (length >= row->size) {
        fb_map_fault(map, row->key, "is longer than %u bytes: shorten it", row->size - 1);
        return;
    }
    memcpy(text, value, length + 1);
    if (row->initial == NULL && length == 0)
        fb_map_fault(map, row->key, "is empty: give it a value");
    bool is_address = row->kind == FB_SETTING_ADDRESS && fb_map_has(map, row->key);
    if (is_address && !fb_error_is_set(map->error) && !fb_address_is_fine(text))
        fb_map_fault(map, row->key, "\"%.64s\" is no address: write HOST:PORT, e.g. 10.0.0.1:7700",
                     text);
}

/* The default as a value; what the field has where others decide it. */
static uint64_t fallback_of(const struct fb_setting *row, uint64_t present)
{
    uint64_t value = 0;
    if (row->initial == NULL || strcmp(row->initial, "*") == 0)
        return present;
    bool is_fine = row->kind == FB_SETTING_BYTES ? fb_parse_bytes(row->initial, &value)
                   : row->kind == FB_SETTING_NS  ? fb_parse_ns(row->initial, &value)
                                                 : true;
    FB_ASSERT(is_fine);
    for (const char *at = row->initial; row->kind == FB_SETTING_COUNT && *at != '\0'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

static uint64_t number_read(struct fb_map *map, const struct fb_setting *row, uint64_t present)
{
    uint64_t fallback = fallback_of(row, present);
    bool is_required = row->initial == NULL;
    if (row->kind == FB_SETTING_BYTES)
        return fb_map_bytes_or(map, row->key, fallback, row->min, row->max);
    if (row->kind != FB_SETTING_COUNT)
        return fb_map_ns_or(map, row->key, fallback, row->min, row->max);
    return is_required ? fb_map_count(map, row->key, row->min, row->max)
                       : fb_map_count_or(map, row->key, fallback, row->min, row->max);
}

static uint32_t choice_read(struct fb_map *map, const struct fb_setting *row)
{
    uint32_t count = 0, fallback = 0;
    for (; row->choices[count] != NULL; count++)
        fallback = strcmp(row->choices[count], row->initial) == 0 ? count : fallback;
    return fb_map_choice(map, row->key, row->choices, count, fallback);
}

/* Is `word` one of "a|b"? */
static bool is_among(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, word, length) == 0 && (at[length] == '|' || at[length] == '\0'))
            return true;
    }
    return false;
}

bool fb_settings_knows(const struct fb_settings *settings, const struct fb_setting *row)
{
    for (uint32_t i = 0; row->of != NULL && i < sizeof(table) / sizeof(table[0]); i++) {
        uint32_t value;
        if (strcmp(table[i].section, row->section) != 0 || strcmp(table[i].key, "kind") != 0)
            continue;
        memcpy(&value, (const unsigned char *)settings + table[i].offset, sizeof(value));
        return is_among(row->of, table[i].choices[value]);
    }
    return true;
}

void fb_settings_read(struct fb_map *map, const char *section, void *base)
{
    const char *kind = "";
    for (uint32_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct fb_setting *row = &table[i];
        void *field = (unsigned char *)base + row->offset;
        uint64_t wide = 0;
        uint32_t narrow = 0;
        if (strcmp(row->section, section) != 0 || row->size == 0 ||
            (row->of != NULL && !is_among(row->of, kind)))
            continue;
        if (row->kind == FB_SETTING_TEXT || row->kind == FB_SETTING_ADDRESS) {
            text_read(map, row, field);
            continue;
        }
        bool is_wide = row->size == sizeof(wide);
        FB_ASSERT(is_wide || row->size == sizeof(narrow));
        memcpy(is_wide ? (void *)&wide : (void *)&narrow, field, row->size);
        if (row->kind == FB_SETTING_CHOICE)
            narrow = choice_read(map, row);
        else
            wide = number_read(map, row, is_wide ? wide : narrow);
        if (row->kind == FB_SETTING_CHOICE && strcmp(row->key, "kind") == 0)
            kind = row->choices[narrow];
        if (!is_wide && row->kind != FB_SETTING_CHOICE)
            narrow = (uint32_t)wide;
        memcpy(field, is_wide ? (void *)&wide : (void *)&narrow, row->size);
    }
}
