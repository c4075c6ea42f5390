/* Records in an LMDB environment, a folder of this machine: the embedded store, for one node.
 *
 *     database "names":    key (16 bytes, big-endian) -> struct stored, then its text (meta.h)
 *     database "pending":  the same of unfinished records; written in the same transaction
 *     database "entries":  a folder's key, then a last part -> type (4 bytes); the same
 *
 *  1. A PUT is one write transaction: read, compare, write, commit. LMDB lets one in at a time and
 *     syncs before it returns, so what was answered outlasts a loss of power.
 *  2. Readers see the last committed state. LMDB recovers by itself after a kill.
 *  3. The file is mapped: one that was cut ends whoever reads it (mapped.h). So it is read whole at
 *     the start when it is shorter than its last page says; it may be, by pages that are free.
 *  4. One process at a time: the lock file says so (fcntl), since two nodes of one folder would be
 *     two writers of one namespace that do not know of each other. */
#include "hw/meta/meta_backend.h"

#include "core/name/name.h"
#include "core/panic.h"
#include "hw/base/log.h"
#include "hw/base/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0750, FILE_MODE = 0640, DATABASES = 3, KEY_BYTES = 16 };

struct lmdb {
    MDB_env *environment;
    MDB_dbi names, pending, entries;
    int owner; /* the file whose lock says that the folder is in use; -1: not locked */
    char file[FB_SETTINGS_PATH_MAX + 16];
};

struct stored {
    struct fb_meta record;
};

static_assert(sizeof(struct stored) == 32, "it is stored");

static void key_put(struct fb_key key, unsigned char bytes[KEY_BYTES])
{
    for (uint32_t i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(key.high >> (56 - 8 * i));
        bytes[8 + i] = (unsigned char)(key.low >> (56 - 8 * i));
    }
}

static enum fb_status status_of(int code)
{
    if (code == MDB_SUCCESS)
        return FB_OK;
    if (code == MDB_NOTFOUND)
        return FB_ABSENT;
    if (code == MDB_READERS_FULL || code == EAGAIN)
        return FB_BUSY;
    fb_log(FB_LOG_ERROR, "metadata_failed", "store=lmdb reason=\"%s\"", mdb_strerror(code));
    return code == MDB_MAP_FULL || code == ENOSPC || code == EFBIG ? FB_FULL : FB_IO;
}

static struct fb_key key_take(const unsigned char bytes[KEY_BYTES])
{
    struct fb_key key = {.high = 0, .low = 0};
    for (uint32_t i = 0; i < 8; i++) {
        key.high = key.high << 8 | bytes[i];
        key.low = key.low << 8 | bytes[8 + i];
    }
    return key;
}

/* The record of a key in a transaction; version 0: there is none. */
static int record_read(const struct lmdb *lmdb, MDB_txn *transaction, struct fb_key key,
                       struct fb_meta *record, struct fb_meta_attributes *attributes)
{
    unsigned char bytes[KEY_BYTES];
    struct stored stored;
    MDB_val name = {.mv_size = KEY_BYTES, .mv_data = bytes}, value;
    key_put(key, bytes);
    *record = (struct fb_meta){.version = 0};
    attributes->length = 0;
    int code = mdb_get(transaction, lmdb->names, &name, &value);
    if (code != MDB_SUCCESS)
        return code;
    if (value.mv_size < sizeof(stored)) {
        *record = fb_name_unread(1); /* it can be removed, and written over */
        return MDB_SUCCESS;
    }
    memcpy(&stored, value.mv_data, sizeof(stored));
    *record = stored.record;
    fb_meta_text_read((const char *)value.mv_data + sizeof(stored),
                      (uint32_t)(value.mv_size - sizeof(stored)), attributes);
    return MDB_SUCCESS;
}

/* Puts the name into its folder's list, or takes it out. */
static int entry_write(const struct lmdb *lmdb, MDB_txn *transaction,
                       const struct fb_meta_name *name, enum fb_meta_listing listing)
{
    unsigned char bytes[KEY_BYTES + FB_META_PART_MAX];
    const char *part;
    if (listing == FB_META_LIST_KEEP)
        return MDB_SUCCESS;
    key_put(fb_meta_folder(name, &part), bytes);
    size_t length = strlen(part);
    uint32_t type = name->type;
    memcpy(bytes + KEY_BYTES, part, length);
    MDB_val key = {.mv_size = KEY_BYTES + length, .mv_data = bytes};
    MDB_val value = {.mv_size = sizeof(type), .mv_data = &type};
    int code = listing == FB_META_LIST_PUT ? mdb_put(transaction, lmdb->entries, &key, &value, 0)
                                           : mdb_del(transaction, lmdb->entries, &key, NULL);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

/* Takes entries of a folder, behind a last part, into names. */
static int entries_read(const struct lmdb *lmdb, MDB_txn *transaction, struct fb_meta_task *task)
{
    unsigned char bytes[KEY_BYTES + FB_META_PART_MAX];
    MDB_val key = {.mv_size = KEY_BYTES + task->name.length, .mv_data = bytes}, value;
    MDB_cursor *cursor;
    FB_ASSERT(task->name.length <= FB_META_PART_MAX);
    key_put(task->key, bytes);
    memcpy(bytes + KEY_BYTES, task->name.text, task->name.length);
    task->name_count = 0;
    task->is_cut = false;
    int code = mdb_cursor_open(transaction, lmdb->entries, &cursor);
    if (code != MDB_SUCCESS)
        return code;
    for (code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); code == MDB_SUCCESS;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        const char *part = (const char *)key.mv_data + KEY_BYTES;
        size_t length = key.mv_size - KEY_BYTES;
        if (key.mv_size <= KEY_BYTES || memcmp(key.mv_data, bytes, KEY_BYTES) != 0)
            break;
        bool is_last = length == task->name.length && memcmp(part, task->name.text, length) == 0;
        if (is_last || length > FB_META_PART_MAX || value.mv_size != sizeof(uint32_t))
            continue;
        task->is_cut = task->name_count == task->names_max;
        if (task->is_cut)
            break;
        struct fb_meta_name *name = &task->names[task->name_count];
        *name = (struct fb_meta_name){.length = (uint32_t)length};
        memcpy(&name->type, value.mv_data, sizeof(uint32_t));
        memcpy(name->text, part, length);
        task->name_count += fb_meta_entry_is_fine(name);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

/* Is all else as a PUT wants it: the folder's record, and its own list? */
static int is_as_wanted(const struct lmdb *lmdb, MDB_txn *transaction,
                        const struct fb_meta_task *task, bool *is_wanted)
{
    struct fb_meta folder;
    struct fb_meta_attributes attributes;
    struct fb_meta_name one;
    struct fb_meta_task list = {.key = task->key, .names = &one, .names_max = 1};
    int code = MDB_SUCCESS;
    *is_wanted = true;
    if (task->folder_version > 0) {
        code = record_read(lmdb, transaction, task->folder, &folder, &attributes);
        *is_wanted = code == MDB_SUCCESS && folder.version == task->folder_version;
        code = code == MDB_NOTFOUND ? MDB_SUCCESS : code;
    }
    if (code == MDB_SUCCESS && task->must_be_empty) {
        code = entries_read(lmdb, transaction, &list);
        *is_wanted = *is_wanted && list.name_count == 0;
    }
    return code;
}

/* Is what goes with a PUT as that wants it? */
static int gone_is_as_wanted(const struct lmdb *lmdb, MDB_txn *transaction,
                             const struct fb_meta_gone *gone, bool *is_wanted)
{
    struct fb_meta found;
    struct fb_meta_attributes attributes;
    struct fb_meta_name one;
    struct fb_meta_task list = {.key = gone->name.key, .names = &one, .names_max = 1};
    *is_wanted = true;
    if (gone->name.length == 0)
        return MDB_SUCCESS;
    int code = record_read(lmdb, transaction, gone->name.key, &found, &attributes);
    *is_wanted = found.version == gone->name.record.version;
    code = code == MDB_NOTFOUND ? MDB_SUCCESS : code;
    if (code == MDB_SUCCESS && gone->must_be_empty) {
        code = entries_read(lmdb, transaction, &list);
        *is_wanted = *is_wanted && list.name_count == 0;
    }
    return code;
}

/* What a record becomes. */
struct written {
    struct fb_key key;
    struct fb_meta record;
    const struct fb_meta_name *name;
    const struct fb_meta_attributes *attributes;
    bool is_pending;
    enum fb_meta_listing listing;
};

static int record_write(const struct lmdb *lmdb, MDB_txn *transaction,
                        const struct written *written)
{
    unsigned char bytes[KEY_BYTES], whole[sizeof(struct stored) + FB_META_TEXT_MAX];
    const struct stored stored = {.record = written->record};
    key_put(written->key, bytes);
    memcpy(whole, &stored, sizeof(stored));
    uint32_t length =
        fb_meta_text_write(written->name, written->attributes, (char *)whole + sizeof(stored));
    MDB_val key = {.mv_size = KEY_BYTES, .mv_data = bytes};
    MDB_val value = {.mv_size = sizeof(stored) + length, .mv_data = whole};
    int code = mdb_put(transaction, lmdb->names, &key, &value, 0);
    if (code == MDB_SUCCESS && written->is_pending)
        code = mdb_put(transaction, lmdb->pending, &key, &value, 0);
    else if (code == MDB_SUCCESS)
        code = mdb_del(transaction, lmdb->pending, &key, NULL);
    bool is_written = code == MDB_SUCCESS || code == MDB_NOTFOUND;
    return is_written ? entry_write(lmdb, transaction, written->name, written->listing) : code;
}

/* The task's record, and what goes with it. */
static int records_write(const struct lmdb *lmdb, MDB_txn *transaction,
                         const struct fb_meta_task *task)
{
    const struct fb_meta_attributes nothing = {.length = 0};
    const struct fb_meta_gone *gone = &task->gone;
    const struct written own = {.key = task->key,
                                .record = task->record,
                                .name = &task->name,
                                .attributes = &task->attributes,
                                .is_pending = task->is_pending,
                                .listing = task->listing};
    struct written other = {.key = gone->name.key,
                            .record = gone->name.record,
                            .name = &gone->name,
                            .attributes = &nothing,
                            .is_pending = gone->is_pending,
                            .listing = fb_meta_has_part(&gone->name) ? FB_META_LIST_TAKE
                                                                     : FB_META_LIST_KEEP};
    other.record.version++;
    int code = record_write(lmdb, transaction, &own);
    if (code == MDB_SUCCESS && gone->name.length > 0)
        code = record_write(lmdb, transaction, &other);
    return code;
}

static enum fb_status run_get(const struct lmdb *lmdb, struct fb_meta_task *task)
{
    MDB_txn *transaction;
    int code = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &transaction);
    if (code != MDB_SUCCESS)
        return status_of(code);
    code = record_read(lmdb, transaction, task->key, &task->record, &task->attributes);
    mdb_txn_abort(transaction);
    return status_of(code);
}

static enum fb_status run_put(const struct lmdb *lmdb, struct fb_meta_task *task)
{
    MDB_txn *transaction;
    struct fb_meta found;
    struct fb_meta_attributes attributes;
    int code = mdb_txn_begin(lmdb->environment, NULL, 0, &transaction);
    if (code != MDB_SUCCESS)
        return status_of(code);
    code = record_read(lmdb, transaction, task->key, &found, &attributes);
    bool is_read = code == MDB_SUCCESS || code == MDB_NOTFOUND;
    bool is_wanted = true, is_gone_wanted = true;
    if (is_read)
        code = is_as_wanted(lmdb, transaction, task, &is_wanted);
    if (is_read && code == MDB_SUCCESS)
        code = gone_is_as_wanted(lmdb, transaction, &task->gone, &is_gone_wanted);
    is_read = code == MDB_SUCCESS;
    is_wanted = is_wanted && found.version == task->record.version;
    if (is_read && (!is_wanted || !is_gone_wanted)) {
        mdb_txn_abort(transaction);
        task->record = found;
        task->attributes = attributes;
        return is_wanted ? FB_ABSENT : FB_CONFLICT;
    }
    if (task->keeps_attributes)
        task->attributes = attributes;
    task->record.version++;
    if (is_read)
        code = records_write(lmdb, transaction, task);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(transaction);
        task->record.version--;
        return status_of(code);
    }
    return status_of(mdb_txn_commit(transaction));
}

static void name_take(struct fb_meta_name *name, MDB_val key, MDB_val value)
{
    struct stored stored;
    *name = (struct fb_meta_name){.key = key_take(key.mv_data), .is_bad = true};
    if (value.mv_size < sizeof(stored))
        return;
    memcpy(&stored, value.mv_data, sizeof(stored));
    name->record = stored.record;
    fb_meta_name_read(name, (const char *)value.mv_data + sizeof(stored),
                      (uint32_t)(value.mv_size - sizeof(stored)));
}

static enum fb_status run_pending(const struct lmdb *lmdb, struct fb_meta_task *task)
{
    unsigned char bytes[KEY_BYTES];
    MDB_txn *transaction;
    MDB_cursor *cursor;
    MDB_val key = {.mv_size = KEY_BYTES, .mv_data = bytes}, value;
    int code = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &transaction);
    if (code != MDB_SUCCESS)
        return status_of(code);
    task->name_count = 0;
    task->is_cut = false;
    key_put(task->key, bytes);
    code = mdb_cursor_open(transaction, lmdb->pending, &cursor);
    if (code == MDB_SUCCESS) {
        for (code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
             code == MDB_SUCCESS && task->name_count < task->names_max;
             code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
            if (key.mv_size == KEY_BYTES)
                name_take(&task->names[task->name_count++], key, value);
        }
        task->is_cut = code == MDB_SUCCESS;
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(transaction);
    return code == MDB_NOTFOUND ? FB_OK : status_of(code);
}

static enum fb_status run_entries(const struct lmdb *lmdb, struct fb_meta_task *task)
{
    MDB_txn *transaction;
    int code = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &transaction);
    if (code != MDB_SUCCESS)
        return status_of(code);
    code = entries_read(lmdb, transaction, task);
    mdb_txn_abort(transaction);
    return status_of(code);
}

static enum fb_status lmdb_run(struct fb_meta_store *store, struct fb_meta_task *task)
{
    const struct lmdb *lmdb = store->internal;
    switch (task->verb) {
    case FB_META_VERB_GET:
        return run_get(lmdb, task);
    case FB_META_VERB_PUT:
        return run_put(lmdb, task);
    case FB_META_VERB_PENDING:
        return run_pending(lmdb, task);
    case FB_META_VERB_ENTRIES:
        return run_entries(lmdb, task);
    }
    return FB_INVALID;
}

static void lmdb_close(struct fb_meta_store *store)
{
    struct lmdb *lmdb = store->internal;
    if (lmdb->environment != NULL)
        mdb_env_close(lmdb->environment);
    if (lmdb->owner >= 0)
        close(lmdb->owner);
    free(lmdb);
}

/* Both databases, made when they are not there. */
static int databases_open(struct lmdb *lmdb)
{
    MDB_txn *transaction;
    int code = mdb_txn_begin(lmdb->environment, NULL, 0, &transaction);
    if (code != MDB_SUCCESS)
        return code;
    code = mdb_dbi_open(transaction, "names", MDB_CREATE, &lmdb->names);
    if (code == MDB_SUCCESS)
        code = mdb_dbi_open(transaction, "pending", MDB_CREATE, &lmdb->pending);
    if (code == MDB_SUCCESS)
        code = mdb_dbi_open(transaction, "entries", MDB_CREATE, &lmdb->entries);
    if (code == MDB_SUCCESS)
        return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return code;
}

/* The folder is this process's, until it ends. false: another has it, or it cannot be locked. */
static bool owner_lock(struct lmdb *lmdb, const char *path)
{
    char name[FB_SETTINGS_PATH_MAX + 16];
    snprintf(name, sizeof(name), "%s/owner.lock", path);
    lmdb->owner = open(name, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    return lmdb->owner >= 0 && flock(lmdb->owner, LOCK_EX | LOCK_NB) == 0;
}

/* Reads all of a database. */
static int database_walk(MDB_txn *transaction, MDB_dbi database)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    volatile unsigned char last = 0;
    int code = mdb_cursor_open(transaction, database, &cursor);
    if (code != MDB_SUCCESS)
        return code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        if (value.mv_size > 0) /* it may have pages of its own, the last of which was cut */
            last = ((const unsigned char *)value.mv_data)[value.mv_size - 1];
    }
    (void)last;
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

/* Was the file cut? Then reading it does not come back. */
static int file_check(const struct lmdb *lmdb)
{
    MDB_envinfo info;
    MDB_stat facts;
    MDB_txn *transaction;
    struct stat file;
    const MDB_dbi databases[DATABASES] = {lmdb->names, lmdb->pending, lmdb->entries};
    if (stat(lmdb->file, &file) != 0)
        return errno;
    (void)mdb_env_info(lmdb->environment, &info);
    (void)mdb_env_stat(lmdb->environment, &facts);
    if ((uint64_t)file.st_size >= (uint64_t)(info.me_last_pgno + 1) * facts.ms_psize)
        return MDB_SUCCESS;
    int code = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &transaction);
    if (code != MDB_SUCCESS)
        return code;
    for (uint32_t i = 0; i < DATABASES && code == MDB_SUCCESS; i++)
        code = database_walk(transaction, databases[i]);
    mdb_txn_abort(transaction);
    return code;
}

/* The one file that all is in. */
static int file_watch(struct fb_meta_store *store)
{
    struct lmdb *lmdb = store->internal;
    mdb_filehandle_t file;
    int code = mdb_env_get_fd(lmdb->environment, &file);
    if (code == MDB_SUCCESS)
        fb_anchor_set(&store->anchor, "metadata.path", lmdb->file, file);
    return code;
}

void fb_meta_lmdb_open(struct fb_meta_store *store, const struct fb_settings *settings,
                       struct fb_error *error)
{
    const char *path = settings->metadata.path;
    struct lmdb *lmdb = calloc(1, sizeof(*lmdb));
    FB_ASSERT(lmdb != NULL);
    lmdb->owner = -1;
    store->internal = lmdb;
    store->run = lmdb_run;
    store->close = lmdb_close;
    if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST) {
        fb_error_set(error, "metadata.path %s: %s: make the folder that it is in", path,
                     strerror(errno));
        return;
    }
    if (!owner_lock(lmdb, path)) {
        fb_error_set(error, "metadata.path %s: %s: is it another daemon's? give each its own", path,
                     strerror(errno));
        return;
    }
    snprintf(lmdb->file, sizeof(lmdb->file), "%s/data.mdb", path);
    fb_mapped_watch(
        lmdb->file,
        "reason=\"metadata.path: it was cut, or its disk cannot read it\" remedy=\"bring "
        "back a copy of it, or move it away: names are then what the origin shows\"");
    int code = mdb_env_create(&lmdb->environment);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_mapsize(lmdb->environment, settings->metadata.size_bytes);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_maxdbs(lmdb->environment, DATABASES);
    if (code == MDB_SUCCESS)
        code = mdb_env_open(lmdb->environment, path, MDB_NOTLS, FILE_MODE);
    if (code == MDB_SUCCESS)
        code = databases_open(lmdb);
    if (code == MDB_SUCCESS)
        code = file_check(lmdb);
    if (code == MDB_SUCCESS)
        code = file_watch(store);
    if (code != MDB_SUCCESS)
        fb_error_set(error, "metadata.path %s: %s", path, mdb_strerror(code));
}
