/* See node.h. A tree, by buckets of (parent, name).
 *
 *  1. A node is there while the kernel or an open file knows it or a node below it.
 *  2. A node's bytes are of one version for those that have it open: when its name comes to mean
 *     another version while it is open, the name gets a new node, and this one has none. So sizes,
 *     pages and mappings never mix versions. What this mount changes itself stays the same node.
 *  3. A folder that moves takes those below it along: they know their parent, not their full name.
 */
#include "client/fuse/node.h"
#include "client/fuse/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { ROOM_FIRST = 1024, NAME_PART_MAX = 255 };

static uint64_t hash_of(const struct fuse_node *parent, const char *name)
{
    return XXH3_64bits_withSeed(name, strlen(name), (uint64_t)(uintptr_t)parent);
}

static struct fuse_node **bucket_of(const struct fuse_nodes *nodes, const struct fuse_node *parent,
                                    const char *name)
{
    return &nodes->buckets[hash_of(parent, name) % nodes->room];
}

static void node_link(struct fuse_nodes *nodes, struct fuse_node *node)
{
    FB_ASSERT(node->parent != NULL);
    FB_ASSERT(node->name != NULL);
    struct fuse_node **bucket = bucket_of(nodes, node->parent, node->name);
    node->next = *bucket;
    *bucket = node;
}

static void node_unlink(struct fuse_nodes *nodes, struct fuse_node *node)
{
    struct fuse_node **at = bucket_of(nodes, node->parent, node->name);
    while (*at != node) {
        FB_ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
}

/* Doubles the room; without memory the chains grow longer. */
static void nodes_grow(struct fuse_nodes *nodes)
{
    uint64_t room = nodes->room;
    struct fuse_node **before = nodes->buckets;
    struct fuse_node **buckets = calloc(2 * room, sizeof(struct fuse_node *));
    if (buckets == NULL)
        return;
    nodes->buckets = buckets;
    nodes->room = 2 * room;
    for (uint64_t i = 0; i < room; i++) {
        for (struct fuse_node *node = before[i], *next; node != NULL; node = next) {
            next = node->next;
            node_link(nodes, node);
        }
    }
    free(before);
}

static struct fuse_node *node_find(const struct fuse_nodes *nodes, const struct fuse_node *parent,
                                   const char *name)
{
    struct fuse_node *node = *bucket_of(nodes, parent, name);
    while (node != NULL && (node->parent != parent || strcmp(node->name, name) != 0))
        node = node->next;
    return node;
}

bool fuse_nodes_open(struct fuse_nodes *nodes)
{
    *nodes = (struct fuse_nodes){.room = ROOM_FIRST,
                                 .root = {.lookups = 1, .number = 1, .type = S_IFDIR}};
    pthread_mutex_init(&nodes->mutex, NULL);
    pthread_mutex_init(&nodes->root.mutex, NULL);
    nodes->buckets = calloc(ROOM_FIRST, sizeof(struct fuse_node *));
    return nodes->buckets != NULL;
}

static void node_free(struct fuse_node *node)
{
    pthread_mutex_destroy(&node->mutex);
    free(node->name);
    free(node);
}

void fuse_nodes_close(struct fuse_nodes *nodes)
{
    for (uint64_t i = 0; i < nodes->room && nodes->buckets != NULL; i++) {
        for (struct fuse_node *node = nodes->buckets[i], *next; node != NULL; node = next) {
            next = node->next;
            node_free(node);
        }
    }
    free(nodes->buckets);
    free(nodes->related);
    pthread_mutex_destroy(&nodes->mutex);
    pthread_mutex_destroy(&nodes->root.mutex);
}

/* Frees a node that nobody knows, and its parents. With the mutex held. */
static void node_settle(struct fuse_nodes *nodes, struct fuse_node *node)
{
    while (node != &nodes->root && node->lookups == 0 && node->children == 0) {
        struct fuse_node *parent = node->parent;
        FB_ASSERT(nodes->count > 0);
        if (parent != NULL) {
            FB_ASSERT(parent->children > 0);
            node_unlink(nodes, node);
            parent->children--;
        }
        nodes->count--;
        number_end(nodes, node);
        node_free(node);
        if (parent == NULL)
            return;
        node = parent;
    }
}

/* Takes the name away. With the mutex held. */
static void node_detach(struct fuse_nodes *nodes, struct fuse_node *node)
{
    struct fuse_node *parent = node->parent;
    FB_ASSERT(parent != NULL);
    FB_ASSERT(parent->children > 0);
    node_unlink(nodes, node);
    free(node->name);
    node->name = NULL;
    node->parent = NULL;
    parent->children--;
    number_detach(nodes, node);
    node_settle(nodes, node);
    node_settle(nodes, parent);
}

static struct fuse_node *node_new(struct fuse_nodes *nodes, struct fuse_node *parent,
                                  const char *name, const struct fuse_found *found)
{
    struct fuse_node *node = calloc(1, sizeof(*node));
    char *copy = strdup(name);
    if (node == NULL || copy == NULL) {
        free(node);
        free(copy);
        return NULL;
    }
    pthread_mutex_init(&node->mutex, NULL);
    node->parent = parent;
    node->name = copy;
    number_choose(nodes, node, found);
    parent->children++;
    if (nodes->count++ > nodes->room)
        nodes_grow(nodes);
    node_link(nodes, node);
    return node;
}

bool fuse_node_has(const struct fuse_node *node, const struct fuse_found *found)
{
    const struct fb_attributes *known = &node->attributes, *now = &found->attributes;
    bool is_same_file = known->number != 0 && known->number == now->number &&
                        known->modified_ns == now->modified_ns &&
                        node->object.size == found->object.size;
    return node->object.version == found->object.version || is_same_file;
}

void fuse_node_take(struct fuse_node *node, const struct fuse_found *found)
{
    if (node->pages_version == node->object.version && fuse_node_has(node, found))
        node->pages_version = found->object.version;
    node->object = found->object;
}

/* Is the node still what the name means? With its mutex held. */
static bool is_same(const struct fuse_node *node, const struct fuse_found *found)
{
    if (node->type != (found->attributes.mode & S_IFMT))
        return false;
    return node->type != S_IFREG || node->writer != NULL || node->opens == 0 ||
           fuse_node_has(node, found);
}

struct fuse_node *fuse_nodes_add(struct fuse_nodes *nodes, struct fuse_node *parent,
                                 const char *child, const struct fuse_found *found)
{
    pthread_mutex_lock(&nodes->mutex);
    struct fuse_node *node = node_find(nodes, parent, child);
    if (node != NULL) {
        pthread_mutex_lock(&node->mutex);
        bool is_open = node->opens > 0 || node->writer != NULL;
        bool is_kept = is_same(node, found);
        pthread_mutex_unlock(&node->mutex);
        is_kept = is_kept && (is_open || number_fits(nodes, node, found));
        if (!is_kept) {
            parent->lookups++; /* so that it outlives its child */
            node_detach(nodes, node);
            parent->lookups--;
            node = NULL;
        }
    }
    bool is_new = node == NULL;
    if (is_new)
        node = node_new(nodes, parent, child, found);
    if (node != NULL) {
        node->lookups++;
        pthread_mutex_lock(&node->mutex);
        node->type = found->attributes.mode & S_IFMT;
        if (node->writer == NULL)
            fuse_node_take(node, found);
        node->attributes = found->attributes;
        node->is_stale_told = false;
        pthread_mutex_unlock(&node->mutex);
        number_relate(nodes, node, found->attributes.number);
    }
    pthread_mutex_unlock(&nodes->mutex);
    return node;
}

void fuse_nodes_linked(struct fuse_nodes *nodes, struct fuse_node *node)
{
    pthread_mutex_lock(&nodes->mutex);
    pthread_mutex_lock(&node->mutex);
    uint64_t origin_number = node->attributes.number;
    pthread_mutex_unlock(&node->mutex);
    number_relate(nodes, node, origin_number);
    pthread_mutex_unlock(&nodes->mutex);
}

struct fuse_node *fuse_nodes_find(struct fuse_nodes *nodes, struct fuse_node *parent,
                                  const char *child)
{
    pthread_mutex_lock(&nodes->mutex);
    struct fuse_node *node = node_find(nodes, parent, child);
    if (node != NULL)
        node->lookups++;
    pthread_mutex_unlock(&nodes->mutex);
    return node;
}

uint64_t fuse_nodes_number(struct fuse_nodes *nodes, const struct fuse_node *parent,
                           const char *child)
{
    uint64_t number;
    pthread_mutex_lock(&nodes->mutex);
    struct fuse_node *node = node_find(nodes, parent, child);
    if (strcmp(child, ".") == 0)
        number = parent->number;
    else if (strcmp(child, "..") == 0)
        number = parent->parent != NULL ? parent->parent->number : parent->number;
    else
        number = node != NULL ? node->number : number_of_name(nodes, parent, child);
    pthread_mutex_unlock(&nodes->mutex);
    return number;
}

void fuse_nodes_hold(struct fuse_nodes *nodes, struct fuse_node *node)
{
    pthread_mutex_lock(&nodes->mutex);
    node->lookups++;
    pthread_mutex_unlock(&nodes->mutex);
}

void fuse_nodes_forget(struct fuse_nodes *nodes, struct fuse_node *node, uint64_t lookups)
{
    pthread_mutex_lock(&nodes->mutex);
    if (node != &nodes->root) {
        node->lookups -= lookups < node->lookups ? lookups : node->lookups;
        node_settle(nodes, node);
    }
    pthread_mutex_unlock(&nodes->mutex);
}

uint32_t fuse_nodes_open_count(struct fuse_nodes *nodes, struct fuse_node *node, int change)
{
    pthread_mutex_lock(&nodes->mutex);
    pthread_mutex_lock(&node->mutex);
    FB_ASSERT(change > 0 || node->opens > 0);
    node->opens = (uint32_t)((int64_t)node->opens + change);
    node->lookups += change > 0;
    uint32_t opens = node->opens;
    pthread_mutex_unlock(&node->mutex);
    pthread_mutex_unlock(&nodes->mutex);
    return opens;
}

void fuse_nodes_detach(struct fuse_nodes *nodes, struct fuse_node *parent, const char *child)
{
    pthread_mutex_lock(&nodes->mutex);
    struct fuse_node *node = node_find(nodes, parent, child);
    if (node != NULL)
        node_detach(nodes, node);
    pthread_mutex_unlock(&nodes->mutex);
}

/* With the mutex held; takes the name over. */
static void node_move(struct fuse_nodes *nodes, struct fuse_node *node, struct fuse_node *parent,
                      char *name)
{
    struct fuse_node *before = node->parent;
    FB_ASSERT(before != NULL);
    FB_ASSERT(before->children > 0);
    node_unlink(nodes, node);
    number_stray(nodes, node);
    free(node->name);
    node->name = name;
    node->parent = parent;
    parent->children++;
    before->children--;
    node_link(nodes, node);
    node_settle(nodes, before);
}

bool fuse_nodes_rename(struct fuse_nodes *nodes, struct fuse_name from, struct fuse_name to,
                       bool is_exchange)
{
    char *name = strdup(to.child), *back = strdup(from.child);
    bool is_fine = name != NULL && back != NULL;
    pthread_mutex_lock(&nodes->mutex);
    struct fuse_node *node = node_find(nodes, from.parent, from.child);
    struct fuse_node *other = node_find(nodes, to.parent, to.child);
    if (is_fine && other != NULL && other != node && !is_exchange)
        node_detach(nodes, other);
    if (is_fine && node != NULL && node != other) {
        node_move(nodes, node, to.parent, name);
        name = NULL;
    }
    if (is_fine && is_exchange && other != NULL && node != other) {
        node_move(nodes, other, from.parent, back);
        back = NULL;
    }
    pthread_mutex_unlock(&nodes->mutex);
    free(name);
    free(back);
    return is_fine;
}

/* Writes the name of a node at the end of the room, and moves *at to where it begins. */
static int name_write(const struct fuse_nodes *nodes, const struct fuse_node *node, char *name,
                      uint32_t *at)
{
    for (; node != &nodes->root; node = node->parent) {
        if (node->name == NULL)
            return -ENOENT;
        size_t length = strlen(node->name);
        if (length + 1 > *at)
            return -ENAMETOOLONG;
        name[--*at] = '/';
        *at -= (uint32_t)length;
        memcpy(name + *at, node->name, length);
    }
    return 0;
}

int fuse_nodes_name(struct fuse_nodes *nodes, const struct fuse_node *node, const char *child,
                    char *name, uint32_t size)
{
    FB_ASSERT(size > 0);
    size_t length = child != NULL ? strlen(child) : 0;
    uint32_t at = size - 1;
    if (length > NAME_PART_MAX || length > at)
        return -ENAMETOOLONG;
    at -= (uint32_t)length;
    if (length > 0)
        memcpy(name + at, child, length);
    name[size - 1] = '\0';
    pthread_mutex_lock(&nodes->mutex);
    int code = name_write(nodes, node, name, &at);
    pthread_mutex_unlock(&nodes->mutex);
    if (code != 0)
        return code;
    memmove(name, name + at, size - at);
    size_t all = strlen(name);
    if (length == 0 && all > 0)
        name[all - 1] = '\0'; /* the slash behind it */
    return 0;
}

bool fuse_nodes_is_below(struct fuse_nodes *nodes, const struct fuse_node *node,
                         const struct fuse_node *above)
{
    pthread_mutex_lock(&nodes->mutex);
    while (node != NULL && node != above)
        node = node->parent;
    pthread_mutex_unlock(&nodes->mutex);
    return node == above;
}
