/* See overwrite_history.h. */
#include "sim/clients/overwrite_history.h"

#include "base/memory.h"
#include "core/panic.h"

#include <stdlib.h>

enum state { BEGUN, WHOLE, WON, LOST };

struct write {
    uint32_t name, state;
};

struct fb_history {
    uint32_t writes, writes_max;
    struct write *write; /* [writes_max + 1]; 0: none */
    uint64_t *acked;     /* [names]: version */
    uint32_t *seen;      /* [names][writes_max + 1]: the write that a version is; 0: not known */
    uint32_t names;
};

struct fb_history *fb_history_open(uint32_t names, uint32_t writes_max, struct fb_error *error)
{
    struct fb_history *history = fb_allocate(1, sizeof(*history), "history of names", error);
    size_t versions = (size_t)writes_max + 1;
    if (history == NULL)
        return NULL;
    history->names = names;
    history->writes_max = writes_max;
    history->write = fb_allocate(versions, sizeof(*history->write), "history of names", error);
    history->acked = fb_allocate(names, sizeof(*history->acked), "history of names", error);
    history->seen =
        fb_allocate(names * versions, sizeof(*history->seen), "history of names", error);
    if (history->write != NULL && history->acked != NULL && history->seen != NULL)
        return history;
    fb_history_close(history);
    return NULL;
}

void fb_history_close(struct fb_history *history)
{
    if (history == NULL)
        return;
    free(history->write);
    free(history->acked);
    free(history->seen);
    free(history);
}

uint64_t fb_history_begin(struct fb_history *history, uint32_t name)
{
    FB_ASSERT(name < history->names);
    FB_ASSERT(history->writes < history->writes_max);
    history->write[++history->writes].name = name;
    return history->writes;
}

static struct write *write_of(struct fb_history *history, uint64_t write)
{
    FB_ASSERT(write > 0);
    FB_ASSERT(write <= history->writes);
    return &history->write[write];
}

/* Each version of a name is one write, and there are not more versions than writes. */
static enum fb_history_verdict see(struct fb_history *history, uint64_t write, uint64_t version)
{
    FB_ASSERT(version > 0);
    if (version > history->writes)
        return FB_HISTORY_FORKED;
    size_t versions = (size_t)history->writes_max + 1;
    uint32_t *seen = &history->seen[write_of(history, write)->name * versions + version];
    if (*seen == 0)
        *seen = (uint32_t)write;
    return *seen == write ? FB_HISTORY_RIGHT : FB_HISTORY_FORKED;
}

void fb_history_whole(struct fb_history *history, uint64_t write)
{
    FB_ASSERT(write_of(history, write)->state == BEGUN);
    write_of(history, write)->state = WHOLE;
}

enum fb_history_verdict fb_history_won(struct fb_history *history, uint64_t write, uint64_t version)
{
    struct write *won = write_of(history, write);
    FB_ASSERT(won->state == WHOLE);
    won->state = WON;
    if (version > history->acked[won->name])
        history->acked[won->name] = version;
    return see(history, write, version);
}

void fb_history_lost(struct fb_history *history, uint64_t write)
{
    FB_ASSERT(write_of(history, write)->state == WHOLE);
    write_of(history, write)->state = LOST;
}

uint64_t fb_history_acked(const struct fb_history *history, uint32_t name)
{
    FB_ASSERT(name < history->names);
    return history->acked[name];
}

enum fb_history_verdict fb_history_judge(struct fb_history *history, uint32_t name,
                                         uint64_t acked_before, const struct fb_meta *record)
{
    uint64_t write = record->value.low;
    FB_ASSERT(name < history->names);
    if (record->version < acked_before)
        return FB_HISTORY_STALE;
    if (record->version == 0)
        return FB_HISTORY_RIGHT;
    if (write == 0 || write > history->writes || history->write[write].name != name)
        return FB_HISTORY_FOREIGN;
    if (history->write[write].state == BEGUN)
        return FB_HISTORY_TORN;
    if (history->write[write].state == LOST)
        return FB_HISTORY_LOST;
    return see(history, write, record->version);
}
