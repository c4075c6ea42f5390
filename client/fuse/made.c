/* Folders that were made in the mount. An object store has none: a folder is there when an object's
 * name begins with it. One that was made and is still empty is known to this mount alone. */
#include "client/fuse/mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FOLDERS_MAX = 65536 };

/* With folders_mutex held; folder_count: not there. */
static uint32_t folder_find(const struct mount *mount, const char *name)
{
    FB_ASSERT(mount->folder_count <= FOLDERS_MAX);
    uint32_t i = 0;
    while (i < mount->folder_count && strcmp(mount->folders[i], name) != 0)
        i++;
    return i;
}

int folder_add(struct mount *mount, const char *name)
{
    char *copy = strdup(name);
    int code = copy != NULL ? 0 : -ENOMEM;
    pthread_mutex_lock(&mount->folders_mutex);
    if (mount->folder_count == FOLDERS_MAX)
        code = -ENOSPC;
    if (code == 0 && mount->folders == NULL)
        mount->folders = calloc(FOLDERS_MAX, sizeof(*mount->folders));
    if (mount->folders == NULL)
        code = -ENOMEM;
    if (code == 0)
        mount->folders[mount->folder_count++] = copy;
    pthread_mutex_unlock(&mount->folders_mutex);
    if (code != 0)
        free(copy);
    return code;
}

bool folder_remove(struct mount *mount, const char *name)
{
    pthread_mutex_lock(&mount->folders_mutex);
    uint32_t i = folder_find(mount, name);
    bool is_there = i < mount->folder_count;
    if (is_there) {
        free(mount->folders[i]);
        mount->folders[i] = mount->folders[--mount->folder_count];
    }
    pthread_mutex_unlock(&mount->folders_mutex);
    return is_there;
}

bool folder_exists(struct mount *mount, const char *name)
{
    size_t length = strlen(name);
    bool is_there = false;
    pthread_mutex_lock(&mount->folders_mutex);
    for (uint32_t i = 0; i < mount->folder_count && !is_there; i++) {
        const char *made = mount->folders[i];
        is_there =
            strncmp(made, name, length) == 0 && (made[length] == '\0' || made[length] == '/');
    }
    pthread_mutex_unlock(&mount->folders_mutex);
    return is_there;
}

static uint64_t both_hash(const char *name)
{
    return XXH3_64bits(name, strlen(name)) | 1;
}

void both_add(struct mount *mount, const char *name)
{
    uint64_t hash = both_hash(name);
    mount->both[(hash >> 1) % MOUNT_BOTH_PLACES] = hash;
}

bool both_is(struct mount *mount, const char *name)
{
    uint64_t hash = both_hash(name);
    return mount->both[(hash >> 1) % MOUNT_BOTH_PLACES] == hash;
}

int folder_list(struct mount *mount, const char *folder, forebay_entry_call *call, void *context)
{
    size_t length = strlen(folder);
    int code = 0;
    pthread_mutex_lock(&mount->folders_mutex);
    for (uint32_t i = 0; i < mount->folder_count && code == 0; i++) {
        const char *name = mount->folders[i];
        if (length > 0 && (strncmp(name, folder, length) != 0 || name[length] != '/'))
            continue;
        const char *part = name + length + (length > 0);
        char child[FB_OBJECT_NAME_MAX + 1];
        snprintf(child, sizeof(child), "%.*s", (int)strcspn(part, "/"), part);
        const struct forebay_entry entry = {.name = child, .is_folder = 1};
        code = call(context, &entry);
    }
    pthread_mutex_unlock(&mount->folders_mutex);
    return code;
}
