/* See node.h. A table that grows, with buckets by hash of the name. */
#include "hw/fuse/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { NONE = UINT32_MAX, ROOM_FIRST = 1024, ROOT = 1 };

static uint32_t *bucket_of(const struct fuse_nodes *nodes, const char *name)
{
    return &nodes->buckets[XXH3_64bits(name, strlen(name)) % nodes->room];
}

/* Doubles the room; all chains are made anew. */
static bool nodes_grow(struct fuse_nodes *nodes)
{
    uint32_t room = nodes->room > 0 ? 2 * nodes->room : ROOM_FIRST;
    struct fuse_node *list = realloc(nodes->list, room * sizeof(*list));
    if (list == NULL)
        return false;
    nodes->list = list;
    uint32_t *buckets = malloc(room * sizeof(*buckets));
    if (buckets == NULL)
        return false;
    free(nodes->buckets);
    nodes->buckets = buckets;
    nodes->room = room;
    nodes->free = NONE;
    memset(buckets, 0xff, room * sizeof(*buckets));
    for (uint32_t i = room; i-- > nodes->count;) {
        list[i] = (struct fuse_node){.next = nodes->free};
        nodes->free = i;
    }
    for (uint32_t i = 0; i < nodes->count; i++) {
        uint32_t *bucket = bucket_of(nodes, list[i].name);
        list[i].next = *bucket;
        *bucket = i;
    }
    return true;
}

/* With the mutex held. */
static uint64_t nodes_add(struct fuse_nodes *nodes, const char *name)
{
    uint32_t i = *bucket_of(nodes, name);
    while (i != NONE && strcmp(nodes->list[i].name, name) != 0)
        i = nodes->list[i].next;
    if (i != NONE) {
        nodes->list[i].lookups++;
        return i + ROOT;
    }
    if (nodes->free == NONE && !nodes_grow(nodes)) /* free lists end only when all are in use */
        return 0;
    char *copy = strdup(name);
    if (copy == NULL)
        return 0;
    i = nodes->free;
    uint32_t *bucket = bucket_of(nodes, name);
    nodes->free = nodes->list[i].next;
    nodes->list[i] = (struct fuse_node){.lookups = 1, .next = *bucket, .name = copy};
    *bucket = i;
    nodes->count++;
    return i + ROOT;
}

bool fuse_nodes_open(struct fuse_nodes *nodes)
{
    *nodes = (struct fuse_nodes){.free = NONE};
    pthread_mutex_init(&nodes->mutex, NULL);
    return nodes_grow(nodes) && nodes_add(nodes, "") == ROOT;
}

void fuse_nodes_close(struct fuse_nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->room; i++)
        free(nodes->list[i].name);
    free(nodes->list);
    free(nodes->buckets);
    pthread_mutex_destroy(&nodes->mutex);
}

uint64_t fuse_nodes_add(struct fuse_nodes *nodes, const char *name)
{
    pthread_mutex_lock(&nodes->mutex);
    uint64_t inode = nodes_add(nodes, name);
    pthread_mutex_unlock(&nodes->mutex);
    return inode;
}

void fuse_nodes_forget(struct fuse_nodes *nodes, uint64_t inode, uint64_t lookups)
{
    pthread_mutex_lock(&nodes->mutex);
    uint32_t index = (uint32_t)(inode - ROOT);
    bool is_known = inode > ROOT && index < nodes->room && nodes->list[index].name != NULL;
    struct fuse_node *node = is_known ? &nodes->list[index] : NULL;
    if (is_known)
        node->lookups -= lookups < node->lookups ? lookups : node->lookups;
    if (is_known && node->lookups == 0) {
        uint32_t *at = bucket_of(nodes, node->name);
        while (*at != index)
            at = &nodes->list[*at].next;
        *at = node->next;
        free(node->name);
        *node = (struct fuse_node){.next = nodes->free};
        nodes->free = index;
        nodes->count--;
    }
    pthread_mutex_unlock(&nodes->mutex);
}

/* An older inode of the new name stays, for files that are open; the newer one is found first. */
bool fuse_nodes_rename(struct fuse_nodes *nodes, const char *from, const char *to)
{
    char *copy = strdup(to);
    if (copy == NULL)
        return false;
    pthread_mutex_lock(&nodes->mutex);
    uint32_t *at = bucket_of(nodes, from);
    while (*at != NONE && strcmp(nodes->list[*at].name, from) != 0)
        at = &nodes->list[*at].next;
    uint32_t index = *at;
    if (index != NONE) {
        struct fuse_node *node = &nodes->list[index];
        uint32_t *bucket = bucket_of(nodes, to);
        *at = node->next;
        node->next = *bucket;
        *bucket = index;
        free(node->name);
        node->name = copy;
        copy = NULL;
    }
    pthread_mutex_unlock(&nodes->mutex);
    free(copy); /* the kernel does not know `from` */
    return true;
}

bool fuse_nodes_name(struct fuse_nodes *nodes, uint64_t inode, const char *child, char *name,
                     uint32_t size)
{
    pthread_mutex_lock(&nodes->mutex);
    uint32_t index = (uint32_t)(inode - ROOT);
    const char *own = inode >= ROOT && index < nodes->room ? nodes->list[index].name : NULL;
    int length = -1;
    if (own != NULL && child == NULL)
        length = snprintf(name, size, "%s", own);
    else if (own != NULL)
        length = snprintf(name, size, "%s%s%s", own, own[0] != '\0' ? "/" : "", child);
    pthread_mutex_unlock(&nodes->mutex);
    return length >= 0 && (uint32_t)length < size;
}
