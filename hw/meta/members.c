/* The thread that keeps the lease and looks at the members; see members.h. */
#include "hw/meta/members.h"

#include "core/panic.h"
#include "core/place/membership.h"
#include "base/clock.h"
#include "hw/base/container.h"
#include "hw/base/log.h"
#include "hw/base/offload.h"
#include "hw/base/address.h"
#include "hw/meta/etcd.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

enum {
    CALLS_A_LEASE = 3, /* that have no answer */
    SECOND_NS = 1000000000,
    BAD_MAX = 64, /* records told of that are not understood; the others are only counted */
};

struct fb_members {
    struct fb_members_context *context;
    const struct fb_settings *settings;
    struct fb_etcd etcd;
    uint64_t lease;                          /* etcd's name of it; 0: it never had one */
    struct fb_membership membership;         /* decides */
    struct fb_membership_update update;      /* what it wants now */
    struct fb_member_list seen;              /* the last list */
    uint64_t bad[BAD_MAX], bad_now[BAD_MAX]; /* hashes of bad records: of the last look, of this */
    uint32_t bad_count, bad_now_count, left_out;
    uint64_t leases;             /* hash of those that the records of this look are under */
    bool is_away, is_taken;      /* as last logged */
    struct fb_offload_task task; /* tells the loop */
    /* What it is told; under the mutex. */
    struct fb_member_list told; /* members NULL: no list */
    uint64_t until_ns;          /* that it may act as a member */
    bool was_fenced;            /* since it was told last */
    bool is_telling, is_stopping;
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stop;
    char prefix[128];
};

void fb_member_list_free(struct fb_member_list *list)
{
    free(list->members);
    *list = (struct fb_member_list){.members = NULL};
}

/* A member's value: "ADDRESS DOMAIN WEIGHT". */
static void value_put(const struct fb_settings *settings, char text[FB_ADDRESS_MAX + 64])
{
    snprintf(text, FB_ADDRESS_MAX + 64, "%s %u %u", settings->listen, settings->domain,
             settings->weight);
}

/* A whole number from min to max and nothing else; false: it is none. */
static bool number_take(const char *text, uint32_t min, uint32_t max, uint32_t *number)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max || value < min)
        return false;
    *number = (uint32_t)value;
    return true;
}

/* The member that a record tells of; what is wrong with it; NULL: nothing. Whoever reaches the
 * store may have written it. */
static const char *member_parse(const struct fb_members *members, const char *key,
                                const char *value, struct fb_member_settings *member)
{
    char words[3][FB_ADDRESS_MAX], more[2];
    size_t prefix = strlen(members->prefix);
    memset(member, 0, sizeof(*member)); /* all its bytes are part of the list's digest */
    member->member.is_up = 1;
    static_assert(FB_ADDRESS_MAX == 128, "the format says so");
    if (strncmp(key, members->prefix, prefix) != 0 ||
        !number_take(key + prefix, 0, FB_NONE - 1, &member->member.node))
        return "its key ends in no node's id";
    if (sscanf(value, "%127s %127s %127s %1s", words[0], words[1], words[2], more) != 3)
        return "it is not ADDRESS DOMAIN WEIGHT";
    if (!fb_address_is_fine(words[0]))
        return "its address is not HOST:PORT";
    if (!number_take(words[1], 0, UINT32_MAX, &member->member.domain))
        return "its domain is no number";
    if (!number_take(words[2], 0, FB_WEIGHT_MAX, &member->member.weight))
        return "its weight is not 0 to 65535";
    memcpy(member->address, words[0], strlen(words[0]) + 1); /* zeros stay behind it */
    return NULL;
}

/* Says once what is wrong with a record, until it is another. */
static void bad_record(struct fb_members *members, const char *key, const char *value,
                       const char *fault)
{
    char quoted[FB_LOG_QUOTE_MAX];
    uint64_t hash = XXH3_64bits_withSeed(value, strlen(value), XXH3_64bits(key, strlen(key)));
    bool is_known = false;
    for (uint32_t i = 0; i < members->bad_count; i++)
        is_known = is_known || members->bad[i] == hash;
    if (members->bad_now_count < BAD_MAX)
        members->bad_now[members->bad_now_count++] = hash;
    else
        is_known = true; /* so many are told of; each look counts them */
    members->left_out++;
    if (!is_known)
        fb_log(FB_LOG_WARNING, "member_left_out", "key=%s reason=\"%s\"", fb_log_quote(key, quoted),
               fault);
}

static void member_take(void *context, const char *key, const char *value, uint64_t lease)
{
    struct fb_members *members = context;
    struct fb_member_list *list = &members->seen;
    struct fb_member_settings member;
    const char *fault = member_parse(members, key, value, &member);
    if (fault == NULL && list->count == members->settings->members_max)
        fault = "there are members_max already";
    for (uint32_t i = 0; i < list->count && fault == NULL; i++) {
        if (list->members[i].member.node == member.member.node)
            fault = "another record has its id";
    }
    if (fault != NULL)
        bad_record(members, key, value, fault);
    else
        list->members[list->count++] = member;
    members->leases = XXH3_64bits_withSeed(&lease, sizeof(lease), members->leases);
}

static int member_compare(const void *a, const void *b)
{
    const struct fb_member_settings *first = a, *second = b;
    return first->member.node < second->member.node ? -1 : first->member.node > second->member.node;
}

static bool own_is_seen(const struct fb_members *members)
{
    const struct fb_settings *settings = members->settings;
    for (uint32_t i = 0; i < members->seen.count; i++) {
        const struct fb_member_settings *member = &members->seen.members[i];
        if (member->member.node == settings->node)
            return strcmp(member->address, settings->listen) == 0;
    }
    return false;
}

/* Looks at all members. */
static enum fb_etcd_code look(struct fb_members *members, struct fb_membership_answer *answer)
{
    struct fb_member_list before = members->seen;
    members->seen = (struct fb_member_list){
        .members = calloc(members->settings->members_max, sizeof(*before.members))};
    FB_ASSERT(members->seen.members != NULL);
    members->bad_now_count = 0;
    members->left_out = 0;
    members->leases = 0;
    enum fb_etcd_code code = fb_etcd_list(&members->etcd, members->prefix, member_take, members);
    if (code != FB_ETCD_FINE) {
        fb_member_list_free(&members->seen);
        members->seen = before;
        return code;
    }
    fb_member_list_free(&before);
    memcpy(members->bad, members->bad_now, sizeof(members->bad));
    members->bad_count = members->bad_now_count;
    members->seen.left_out = members->left_out;
    qsort(members->seen.members, members->seen.count, sizeof(*before.members), member_compare);
    answer->is_own_seen = own_is_seen(members);
    answer->digest =
        XXH3_64bits_withSeed(members->seen.members, members->seen.count * sizeof(*before.members),
                             members->leases + members->left_out);
    return FB_ETCD_FINE;
}

static struct fb_member_list list_copy(const struct fb_member_list *list)
{
    struct fb_member_list copy = *list;
    copy.members = calloc(list->count > 0 ? list->count : 1, sizeof(*copy.members));
    FB_ASSERT(copy.members != NULL);
    memcpy(copy.members, list->members, list->count * sizeof(*copy.members));
    return copy;
}

/* On the loop's thread. */
static void told(struct fb_offload_task *task)
{
    struct fb_members *members = FB_CONTAINER(task, struct fb_members, task);
    struct fb_members_context *context = members->context;
    pthread_mutex_lock(&members->mutex);
    struct fb_member_list list = members->told;
    uint64_t until_ns = members->until_ns;
    bool was_fenced = members->was_fenced;
    members->told = (struct fb_member_list){.members = NULL};
    members->was_fenced = false;
    members->is_telling = false;
    pthread_mutex_unlock(&members->mutex);
    if (was_fenced)
        context->fence(context, 0); /* also when it is back already */
    context->fence(context, until_ns);
    if (list.members != NULL)
        context->change(context, &list);
    fb_member_list_free(&list);
}

static void tell(struct fb_members *members)
{
    uint64_t until_ns = fb_membership_until_ns(&members->membership);
    pthread_mutex_lock(&members->mutex);
    if (members->update.is_news) {
        fb_member_list_free(&members->told);
        members->told = list_copy(&members->seen);
        members->told.revision = members->membership.revision;
    }
    members->until_ns = until_ns;
    members->was_fenced = members->was_fenced || until_ns == 0;
    bool is_first = !members->is_telling;
    members->is_telling = true;
    pthread_mutex_unlock(&members->mutex);
    if (is_first)
        fb_offload_post(members->context->offload, &members->task);
}

static enum fb_etcd_code create(struct fb_members *members)
{
    char key[160], value[FB_ADDRESS_MAX + 64];
    snprintf(key, sizeof(key), "%s%u", members->prefix, members->settings->node);
    value_put(members->settings, value);
    return fb_etcd_create(&members->etcd, key, value, members->lease);
}

/* etcd counts in seconds: its lease is no shorter than the one that is counted on. */
static enum fb_etcd_code lease(struct fb_members *members)
{
    uint64_t seconds = (members->settings->lease_ns + SECOND_NS - 1) / SECOND_NS;
    return fb_etcd_lease(&members->etcd, (uint32_t)seconds, &members->lease);
}

static enum fb_membership_answer_code code_of(enum fb_etcd_code code)
{
    switch (code) {
    case FB_ETCD_FINE:
        return FB_MEMBERSHIP_FINE;
    case FB_ETCD_TAKEN:
        return FB_MEMBERSHIP_TAKEN;
    case FB_ETCD_GONE:
        return FB_MEMBERSHIP_GONE;
    case FB_ETCD_AWAY:
        break;
    }
    return FB_MEMBERSHIP_AWAY;
}

/* Asks etcd what is wanted, and waits for the answer. */
static struct fb_membership_answer ask(struct fb_members *members)
{
    struct fb_membership_answer answer = {.is_own_seen = false};
    enum fb_etcd_code code = FB_ETCD_AWAY;
    switch (members->update.ask) {
    case FB_MEMBERSHIP_NONE:
        break;
    case FB_MEMBERSHIP_LEASE:
        code = lease(members);
        break;
    case FB_MEMBERSHIP_CREATE:
        code = create(members);
        break;
    case FB_MEMBERSHIP_KEEP:
        code = fb_etcd_keep_alive(&members->etcd, members->lease);
        break;
    case FB_MEMBERSHIP_LOOK:
        code = look(members, &answer);
        break;
    }
    answer.code = code_of(code);
    return answer;
}

/* Sleeps; true: the thread is to end. */
static bool nap(struct fb_members *members, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / SECOND_NS),
                             .tv_nsec = (long)(until_ns % SECOND_NS)};
    pthread_mutex_lock(&members->mutex);
    while (!members->is_stopping && pthread_cond_clockwait(&members->stop, &members->mutex,
                                                           CLOCK_MONOTONIC, &until) != ETIMEDOUT)
        continue;
    bool is_stopping = members->is_stopping;
    pthread_mutex_unlock(&members->mutex);
    return is_stopping;
}

/* Does what is wanted, or waits until something is; true: the thread is to end. */
static bool advance(struct fb_members *members)
{
    if (members->update.ask == FB_MEMBERSHIP_NONE) {
        bool is_stopping = nap(members, members->update.due_ns);
        fb_membership_step(&members->membership, fb_clock_ns(), NULL, &members->update);
        return is_stopping;
    }
    const struct fb_membership_answer answer = ask(members);
    fb_membership_step(&members->membership, fb_clock_ns(), &answer, &members->update);
    return nap(members, 0); /* only looks */
}

static void log_changes(struct fb_members *members)
{
    bool is_away = members->etcd.status == 0, is_taken = members->membership.is_taken;
    if (is_away != members->is_away)
        fb_log(FB_LOG_WARNING, is_away ? "etcd_away" : "etcd_back", "reason=\"%s\"",
               is_away ? members->etcd.fault : "");
    if (is_taken && !members->is_taken && members->membership.state == FB_MEMBERSHIP_MEMBER)
        fb_log(FB_LOG_ERROR, "record_taken",
               "remedy=\"somebody has overwritten this node's record in etcd: remove it\"");
    else if (is_taken && !members->is_taken)
        fb_log(FB_LOG_ERROR, "id_taken",
               "remedy=\"another daemon has this id: give each its own\"");
    members->is_away = is_away;
    members->is_taken = is_taken;
}

static void *thread_run(void *context)
{
    struct fb_members *members = context;
    while (!advance(members)) {
        log_changes(members);
        if (members->update.is_news || members->update.is_changed)
            tell(members);
    }
    return NULL;
}

/* At the start: the lease of a daemon that had this id may have to run out first. */
static void join(struct fb_members *members, struct fb_error *error)
{
    const struct fb_settings *settings = members->settings;
    fb_membership_init(&members->membership, fb_clock_ns(), settings->lease_ns);
    fb_membership_step(&members->membership, fb_clock_ns(), NULL, &members->update);
    while (members->membership.state == FB_MEMBERSHIP_JOINING)
        (void)advance(members);
    bool is_refused = members->membership.state == FB_MEMBERSHIP_REFUSED;
    if (is_refused && members->membership.is_taken)
        fb_error_set(error, "node: another daemon has the id %u in etcd: give each its own",
                     settings->node);
    else if (is_refused)
        fb_error_set(error, "membership.endpoint %s: %s%s", settings->etcd_endpoint,
                     members->etcd.fault,
                     members->etcd.status == 0         ? ": is etcd running there?"
                     : fb_etcd_is_full(&members->etcd) ? ": compact it, or raise its quota, and "
                                                         "disarm its alarm"
                                                       : "");
}

struct fb_members *fb_members_open(struct fb_members_context *context, struct fb_error *error)
{
    const struct fb_settings *settings = context->settings;
    if (settings->etcd_endpoint[0] == '\0')
        return NULL;
    struct fb_members *members = calloc(1, sizeof(*members));
    FB_ASSERT(members != NULL);
    members->context = context;
    members->settings = settings;
    members->task.done = told;
    pthread_mutex_init(&members->mutex, NULL);
    pthread_cond_init(&members->stop, NULL);
    snprintf(members->prefix, sizeof(members->prefix), "/forebay/%s/members/", settings->cluster);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)fb_etcd_open(&members->etcd, settings->etcd_endpoint);
    members->etcd.timeout_ms = (uint32_t)(settings->lease_ns / CALLS_A_LEASE / 1000000);
    join(members, error);
    return members;
}

struct fb_member_list fb_members_first(struct fb_members *members, uint64_t *until_ns)
{
    struct fb_member_list first = list_copy(&members->seen); /* the thread's from now on */
    first.revision = members->membership.revision;
    *until_ns = fb_membership_until_ns(&members->membership);
    members->has_thread = pthread_create(&members->thread, NULL, thread_run, members) == 0;
    FB_ASSERT(members->has_thread);
    return first;
}

void fb_members_close(struct fb_members *members)
{
    if (members == NULL)
        return;
    pthread_mutex_lock(&members->mutex);
    members->is_stopping = true;
    pthread_cond_signal(&members->stop);
    pthread_mutex_unlock(&members->mutex);
    if (members->has_thread)
        pthread_join(members->thread, NULL);
    if (members->lease != 0)
        (void)fb_etcd_revoke(&members->etcd, members->lease);
    fb_etcd_close(&members->etcd);
    fb_member_list_free(&members->seen);
    fb_member_list_free(&members->told);
    pthread_cond_destroy(&members->stop);
    pthread_mutex_destroy(&members->mutex);
    free(members);
    curl_global_cleanup();
}
