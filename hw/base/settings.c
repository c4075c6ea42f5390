/* See settings.h. The keys of `core` are those of the core's own table without their unit suffix,
 * as in experiments, so that a cluster and its simulation share them. */
#include "hw/base/settings.h"

#include "base/origin_client.h"

#include "core/panic.h"
#include "hw/base/settings_table.h"
#include "base/core_fields.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

enum { DEVICE_ALIGNMENT_BYTES = 4096 };

/* Members that etcd tells of are not known before. */
static const uint64_t hold_least_ns = 1000000; /* two nodes of one machine, 1 of 36 writes fails */

static void core_load(struct fb_map *root, struct fb_settings *settings)
{
    char keys[FB_CORE_FIELDS_MAX][FB_NAME_MAX];
    struct fb_config *core = &settings->core;
    struct fb_map map = fb_map_child(root, "core", false);
    uint32_t owners = 0;
    for (uint32_t i = 0; i < settings->member_count; i++)
        owners += settings->members[i].member.weight > 0;
    fb_config_init(core);
    core->names_max = FB_SETTINGS_NAMES;
    fb_core_fields_load(&map, core, settings->etcd_endpoint[0] == '\0' ? owners : 0, keys);
    if (!fb_error_is_set(root->error))
        fb_core_check(core, &map);
    if (!fb_error_is_set(root->error) && core->hold_ns < hold_least_ns)
        fb_map_fault(&map, "hold",
                     "at least 1.00 ms: in less no holder can take a block and answer");
    fb_map_close(&map);
    core->node = settings->node;
}

static void member_load(struct fb_map *list, uint32_t i, struct fb_settings *settings)
{
    struct fb_member_settings *member = &settings->members[i];
    struct fb_map map = fb_map_list_map(list, "members", i);
    member->member = (struct fb_member){.domain = i, .is_up = 1};
    fb_settings_read(&map, "members", member);
    for (uint32_t k = 0; k < i; k++) {
        const struct fb_member_settings *other = &settings->members[k];
        if (other->member.node == member->member.node)
            fb_map_fault(&map, "id", "member %u is there twice: give each node its own id",
                         member->member.node);
        if (strcmp(other->address, member->address) == 0)
            fb_map_fault(&map, "address", "member %u has the same: give each node its own",
                         other->member.node);
    }
    fb_map_close(&map);
}

/* Who else is there: etcd says it, in place of a list. */
static void membership_load(struct fb_map *root, struct fb_settings *settings)
{
    struct fb_map map = fb_map_child(root, "membership", false);
    settings->members_max = settings->member_count;
    settings->domain = settings->node;
    fb_settings_read(&map, "membership", settings);
    if (settings->membership == FB_MEMBERSHIP_ETCD) {
        if (fb_map_has(root, "members"))
            fb_map_fault(root, "members", "contradict membership.kind etcd: keep one of them");
        (void)fb_map_text(root, "listen"); /* required now */
    }
    fb_map_close(&map);
}

/* Without a list the node is a cluster of its own. */
static void members_load(struct fb_map *root, struct fb_settings *settings)
{
    uint32_t count = fb_map_list_count(root, "members");
    if (count > FB_MEMBERS_MAX) {
        fb_map_fault(root, "members", "are more than %d", FB_MEMBERS_MAX);
        return;
    }
    settings->member_count = count > 0 ? count : 1;
    settings->members = calloc(settings->member_count, sizeof(*settings->members));
    FB_ASSERT(settings->members != NULL);
    bool is_here = count == 0, has_weight = count == 0;
    for (uint32_t i = 0; i < count; i++) {
        member_load(root, i, settings);
        is_here = is_here || settings->members[i].member.node == settings->node;
        has_weight = has_weight || settings->members[i].member.weight > 0;
    }
    if (count == 0)
        settings->members[0].member =
            (struct fb_member){.node = settings->node, .weight = 1, .is_up = 1};
    if (!is_here)
        fb_map_fault(root, "members", "this node, %u, is not among them: add it or change node",
                     settings->node);
    if (!has_weight)
        fb_map_fault(root, "members", "no member has a weight: raise one");
}

static void origin_http_check(struct fb_map *map, struct fb_origin_settings *origin)
{
    size_t length = strlen(origin->endpoint), prefix = strlen(origin->prefix);
    if (length > 0 && strncmp(origin->endpoint, "http://", 7) != 0 &&
        strncmp(origin->endpoint, "https://", 8) != 0)
        fb_map_fault(map, "endpoint", "begins with neither https:// nor http://");
    if (length > 0 && origin->endpoint[length - 1] == '/')
        origin->endpoint[length - 1] = '\0';
    if (origin->part_bytes > 0 && origin->part_bytes < FB_ORIGIN_PART_BYTES_MIN)
        fb_map_fault(map, "part_size", FB_ORIGIN_PART_FAULT);
    if (prefix > 0 && (origin->prefix[prefix - 1] != '/' || origin->prefix[0] == '/'))
        fb_map_fault(map, "prefix", "does not look like FOLDER/: it ends, not begins, in a slash");
}

static void origin_load(struct fb_map *root, struct fb_settings *settings)
{
    struct fb_map map = fb_map_child(root, "origin", false);
    fb_settings_read(&map, "origin", settings);
    if (settings->origin.kind == FB_ORIGIN_S3 || settings->origin.kind == FB_ORIGIN_AZURE)
        origin_http_check(&map, &settings->origin);
    fb_map_close(&map);
}

static void tls_load(struct fb_map *root, struct fb_settings *settings)
{
    if (!fb_map_has(root, "tls"))
        return;
    struct fb_map map = fb_map_child(root, "tls", false);
    fb_settings_read(&map, "tls", settings);
    fb_map_close(&map);
}

/* Two nodes with a store each would not see each other's commits. */
static void metadata_load(struct fb_map *root, struct fb_settings *settings)
{
    struct fb_metadata_settings *metadata = &settings->metadata;
    struct fb_map map = fb_map_child(root, "metadata", false);
    fb_settings_read(&map, "metadata", settings);
    if (metadata->kind == FB_METADATA_LMDB && settings->members_max > 1)
        fb_map_fault(&map, "kind", "lmdb is one node's own, and this cluster may have %u: use etcd",
                     settings->members_max);
    if (metadata->kind == FB_METADATA_ETCD && metadata->endpoint[0] == '\0')
        memcpy(metadata->endpoint, settings->etcd_endpoint, sizeof(metadata->endpoint));
    if (metadata->kind == FB_METADATA_ETCD && metadata->endpoint[0] == '\0')
        fb_map_fault(&map, "endpoint", "is missing: write etcd's URL, e.g. http://etcd:2379");
    bool has_store = metadata->kind != FB_METADATA_NONE;
    settings->core.records = !has_store ? 0 : settings->origin.kind == FB_ORIGIN_NONE ? 1 : 2;
    if (has_store && settings->core.metas_max < 2)
        fb_map_fault(root, "metadata", "wants core.metas_max above 1");
    if (settings->core.names_max < 4)
        fb_map_fault(root, "core", "wants names_max above 3");
    fb_map_close(&map);
}

/* A drive is read and written past the page cache, which wants everything aligned. */
static void device_load(struct fb_map *root, struct fb_settings *settings)
{
    const struct fb_config *core = &settings->core;
    struct fb_map map = fb_map_child(root, "device", false);
    char size[32], want[32];
    fb_settings_read(&map, "device", settings);
    uint64_t alignment = (uint64_t)FB_UNITS_PER_CHUNK * DEVICE_ALIGNMENT_BYTES;
    if (core->device_size_bytes > 0 && settings->device_path[0] == '\0')
        fb_map_fault(root, "device", "core.device_size is %s, but device.path is missing: add it",
                     fb_format_bytes(size, (double)core->device_size_bytes));
    if (core->device_size_bytes == 0 && settings->device_path[0] != '\0')
        fb_map_fault(&map, "path", "core.device_size is missing: say how much of it to use");
    if (core->device_size_bytes > 0 && core->block_size_bytes % alignment != 0)
        fb_map_fault(&map, "path", "core.block_size is %s: with a device, a multiple of %s",
                     fb_format_bytes(size, (double)core->block_size_bytes),
                     fb_format_bytes(want, (double)alignment));
    fb_map_close(&map);
}

static void names_load(struct fb_map *root, struct fb_settings *settings)
{
    struct fb_map map = fb_map_child(root, "names", false);
    fb_settings_read(&map, "names", settings);
    fb_map_close(&map);
}

static void client_load(struct fb_map *root, struct fb_settings *settings)
{
    struct fb_map map = fb_map_child(root, "client", false);
    uint64_t block = settings->core.block_size_bytes, least = UINT64_C(16) << 20;
    settings->arena_bytes = 4 * block > least ? 4 * block : least;
    fb_settings_read(&map, "client", settings);
    char size[32], want[32];
    if (settings->arena_bytes < block)
        fb_map_fault(&map, "arena", "is %s: at least core.block_size, %s: clients write by blocks",
                     fb_format_bytes(size, (double)settings->arena_bytes),
                     fb_format_bytes(want, (double)block));
    fb_map_close(&map);
}

/* As many entries as small blocks fit by their bytes: down to the unit of memory (a 64th of a
 * block), or ENTRY_BYTES_MIN, so that entries take at most 1% of what they describe. */
static uint64_t memory_entries(const struct fb_config *core)
{
    enum { ENTRY_BYTES_MIN = 16 * 1024, ENTRIES_MIN = 64 };
    uint64_t unit = core->block_size_bytes / FB_UNITS_PER_CHUNK;
    uint64_t entries = core->memory_size_bytes / (unit > ENTRY_BYTES_MIN ? unit : ENTRY_BYTES_MIN);
    uint64_t least = 2 * core->memory_size_bytes / core->block_size_bytes;
    entries = entries > least ? entries : least;
    return entries > ENTRIES_MIN ? entries : ENTRIES_MIN;
}

static void root_load(struct fb_map *root, struct fb_settings *settings)
{
    if (fb_map_count(root, "schema_version", 1, UINT32_MAX) != 1)
        fb_map_fault(root, "schema_version", "this program knows version 1 only");
    fb_settings_read(root, "", settings);
    members_load(root, settings);
    membership_load(root, settings);
    for (uint32_t i = 0; i < settings->member_count && settings->listen[0] == '\0'; i++) {
        if (settings->members[i].member.node == settings->node)
            memcpy(settings->listen, settings->members[i].address, FB_ADDRESS_MAX);
    }
    core_load(root, settings);
    settings->are_entries_derived = settings->core.memory_entries_max == 0;
    if (settings->are_entries_derived)
        settings->core.memory_entries_max = memory_entries(&settings->core);
    tls_load(root, settings);
    origin_load(root, settings);
    metadata_load(root, settings);
    device_load(root, settings);
    client_load(root, settings);
    names_load(root, settings);
}

void fb_settings_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                      struct fb_settings *settings, struct fb_error *error)
{
    *settings = (struct fb_settings){.node = 0};
    struct fb_document *document = fb_document_open(path, error);
    if (document == NULL)
        return;
    for (uint32_t i = 0; i < assignment_count; i++)
        fb_document_set(document, assignments[i], error);
    struct fb_map root = fb_document_root(document, error);
    root_load(&root, settings);
    fb_map_close(&root);
    fb_document_close(document);
    if (fb_error_is_set(error))
        fb_settings_free(settings);
}

const char *fb_settings_one_copy(const struct fb_settings *settings)
{
    if (settings->core.write_quorum > 1)
        return NULL;
    return settings->members_max == 1
               ? "level replicated is level memory, and device one drive: this cluster has one "
                 "member, and what it holds is lost with it until the origin has it: add members"
               : "level replicated is level memory, and device one drive: core.write_quorum is 1, "
                 "and what one node holds is lost with it until the origin has it: raise it";
}

void fb_settings_free(struct fb_settings *settings)
{
    free(settings->members);
    settings->members = NULL;
}
