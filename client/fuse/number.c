/* Numbers of inodes.
 *
 *  1. A node has one number as long as it is there: the hash of its name, so that it is the same
 *     after a restart (git's index and rsync keep it), and of a file of several names the origin's.
 *  2. All names of a file show the number that its first known one has: programs that link a file
 *     compare it before and after. So nodes are found by the number that the origin has for them;
 *     one that was looked at long ago counts only if it has still the found bytes, since an origin
 *     gives the number of a file that is gone to another.
 *  3. A number that is not that of the node's name is a stray one: a new node does not get it. */
#include "client/fuse/number.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { ROOM_FIRST = 1024 };

static struct fuse_node **strays_of(struct fuse_nodes *nodes, uint64_t number)
{
    return &nodes->strays[(number >> 2) % FUSE_STRAY_LISTS];
}

static bool is_strays(struct fuse_nodes *nodes, uint64_t number)
{
    struct fuse_node *node = *strays_of(nodes, number);
    while (node != NULL && node->number != number)
        node = node->stray;
    return node != NULL;
}

void number_stray(struct fuse_nodes *nodes, struct fuse_node *node)
{
    FB_ASSERT(node->number != 0);
    if (node->is_stray)
        return;
    node->is_stray = true;
    node->stray = *strays_of(nodes, node->number);
    *strays_of(nodes, node->number) = node;
}

static struct fuse_node **related_of(const struct fuse_nodes *nodes, uint64_t origin_number)
{
    FB_ASSERT(nodes->related_room > 0);
    return &nodes
                ->related[XXH3_64bits(&origin_number, sizeof(origin_number)) % nodes->related_room];
}

static void related_link(struct fuse_nodes *nodes, struct fuse_node *node)
{
    FB_ASSERT(node->origin_number != 0);
    struct fuse_node **bucket = related_of(nodes, node->origin_number);
    node->related = *bucket;
    *bucket = node;
}

/* Doubles the room; without memory the chains grow longer. false: there is no room at all. */
static bool related_grow(struct fuse_nodes *nodes)
{
    uint64_t room = nodes->related_room;
    struct fuse_node **before = nodes->related;
    struct fuse_node **buckets = calloc(room > 0 ? 2 * room : ROOM_FIRST, sizeof(*buckets));
    if (buckets == NULL)
        return room > 0;
    nodes->related = buckets;
    nodes->related_room = room > 0 ? 2 * room : ROOM_FIRST;
    for (uint64_t i = 0; i < room; i++) {
        for (struct fuse_node *node = before[i], *next; node != NULL; node = next) {
            next = node->related;
            related_link(nodes, node);
        }
    }
    free(before);
    return true;
}

static void related_end(struct fuse_nodes *nodes, struct fuse_node *node)
{
    if (node->origin_number == 0)
        return;
    struct fuse_node **place = related_of(nodes, node->origin_number);
    while (*place != node) {
        FB_ASSERT(*place != NULL);
        place = &(*place)->related;
    }
    *place = node->related;
    node->origin_number = 0;
    FB_ASSERT(nodes->related_count > 0);
    nodes->related_count--;
}

void number_relate(struct fuse_nodes *nodes, struct fuse_node *node, uint64_t origin_number)
{
    bool is_told = origin_number != 0 && node->type != S_IFDIR && node->parent != NULL;
    if (is_told && node->origin_number == origin_number)
        return;
    related_end(nodes, node);
    if (!is_told || (nodes->related_count >= nodes->related_room && !related_grow(nodes)))
        return;
    node->origin_number = origin_number;
    related_link(nodes, node);
    nodes->related_count++;
}

static bool is_linked(const struct fuse_found *found)
{
    return found->attributes.links > 1 && found->attributes.number != 0 &&
           !S_ISDIR(found->attributes.mode);
}

/* The number of a file that is known by another name; 0: it is not. */
static uint64_t number_known(struct fuse_nodes *nodes, const struct fuse_found *found)
{
    uint64_t wanted = found->attributes.number, number = 0;
    if (!is_linked(found) || nodes->related_room == 0)
        return 0;
    for (struct fuse_node *node = *related_of(nodes, wanted); node != NULL && number == 0;
         node = node->related) {
        pthread_mutex_lock(&node->mutex);
        bool is_it = node->origin_number == wanted && node->attributes.number == wanted &&
                     (node->attributes.links > 1 || fuse_node_has(node, found));
        pthread_mutex_unlock(&node->mutex);
        number = is_it ? node->number : 0;
    }
    return number;
}

/* The number, or the next one that no stray has. */
static uint64_t number_free(struct fuse_nodes *nodes, const char *name, uint64_t number)
{
    while (is_strays(nodes, number))
        number = XXH3_64bits_withSeed(name, strlen(name), number) | 2;
    return number;
}

uint64_t number_of_name(struct fuse_nodes *nodes, const struct fuse_node *parent, const char *name)
{
    return number_free(nodes, name, XXH3_64bits_withSeed(name, strlen(name), parent->number) | 2);
}

void number_choose(struct fuse_nodes *nodes, struct fuse_node *node, const struct fuse_found *found)
{
    node->number = number_known(nodes, found);
    node->is_shared = node->number != 0;
    if (node->is_shared)
        number_stray(nodes, node);
    else if (is_linked(found))
        node->number = number_free(nodes, node->name, found->attributes.number);
    else
        node->number = number_of_name(nodes, node->parent, node->name);
    FB_ASSERT(node->number != 0); /* the kernel takes 0 for none */
}

bool number_fits(struct fuse_nodes *nodes, struct fuse_node *node, const struct fuse_found *found)
{
    pthread_mutex_lock(&node->mutex);
    uint64_t before = node->attributes.number;
    pthread_mutex_unlock(&node->mutex);
    if (found->attributes.number == 0 || before == found->attributes.number)
        return true;
    uint64_t known = number_known(nodes, found);
    if (known != 0)
        return known == node->number;
    return !node->is_shared && (node->is_stray || !is_strays(nodes, node->number));
}

void number_detach(struct fuse_nodes *nodes, struct fuse_node *node)
{
    related_end(nodes, node);
    number_stray(nodes, node);
}

void number_end(struct fuse_nodes *nodes, struct fuse_node *node)
{
    struct fuse_node **place = strays_of(nodes, node->number);
    related_end(nodes, node);
    while (node->is_stray && *place != node) {
        FB_ASSERT(*place != NULL);
        place = &(*place)->stray;
    }
    if (node->is_stray)
        *place = node->stray;
    node->is_stray = false;
}
