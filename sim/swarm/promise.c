/* See promise.h. */
#include "sim/swarm/promise.h"

#include "core/panic.h"

struct level_row {
    const char *name;
    enum fb_medium medium;
    enum fb_copies enough, few; /* members */
    const char *help;
};

static const struct level_row levels[] = {
#define LEVEL_ROW(name, medium, enough, few, help) {#name, medium, enough, few, help},
    FB_PROMISE_LEVELS(LEVEL_ROW)
#undef LEVEL_ROW
};
static_assert(sizeof(levels) / sizeof(levels[0]) == FB_LEVEL_COUNT, "a row a level");

struct fault_row {
    const char *name;
    bool outlasts[4]; /* by enum fb_medium */
    const char *help;
};

static const struct fault_row faults[] = {
#define FAULT_ROW(name, memory, drive, origin, help) {#name, {false, memory, drive, origin}, help},
    FB_PROMISE_FAULTS(FAULT_ROW)
#undef FAULT_ROW
};

bool fb_promise_outlasts(enum fb_promise_fault fault, enum fb_medium medium)
{
    FB_ASSERT(fault < FB_PROMISE_FAULT_COUNT);
    FB_ASSERT(medium <= FB_MEDIUM_ORIGIN);
    return faults[fault].outlasts[medium];
}

enum fb_medium fb_promise_medium(enum fb_level level)
{
    FB_ASSERT(level < FB_LEVEL_COUNT);
    return levels[level].medium;
}

uint32_t fb_promise_copies(enum fb_level level, uint32_t write_quorum, uint32_t members)
{
    FB_ASSERT(level < FB_LEVEL_COUNT);
    FB_ASSERT(write_quorum > 0);
    switch (members < write_quorum ? levels[level].few : levels[level].enough) {
    case FB_COPIES_NONE:
        return 0;
    case FB_COPIES_ONE:
        return 1;
    case FB_COPIES_QUORUM:
        return write_quorum;
    case FB_COPIES_MEMBERS:
        return members;
    }
    return 0;
}

static const char *copies_text(enum fb_copies copies)
{
    static const char *const texts[] = {
        [FB_COPIES_NONE] = "none",
        [FB_COPIES_ONE] = "1",
        [FB_COPIES_QUORUM] = "write_quorum",
        [FB_COPIES_MEMBERS] = "refused; with `degraded: allow` as many as can",
    };
    return texts[copies];
}

/* What is left of a write of this level after the fault. */
static const char *cell_text(const struct level_row *level, enum fb_copies copies,
                             const struct fault_row *fault)
{
    if (copies == FB_COPIES_NONE)
        return "may go at any time";
    if (fault->outlasts[level->medium])
        return "kept";
    if (copies == FB_COPIES_ONE && level->medium == FB_MEDIUM_ORIGIN)
        return "lost if the bytes are";
    if (copies == FB_COPIES_ONE)
        return "lost with its one holder";
    return copies == FB_COPIES_QUORUM ? "kept of fewer than write_quorum holders"
                                      : "kept of all holders but one";
}

void fb_promise_print(FILE *stream)
{
    fprintf(stream, "| level | where it is when it is answered | copies | with fewer members than "
                    "write_quorum |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < FB_LEVEL_COUNT; i++)
        fprintf(stream, "| %s | %s | %s | %s |\n", levels[i].name, levels[i].help,
                copies_text(levels[i].enough), copies_text(levels[i].few));
    for (uint32_t is_few = 0; is_few < 2; is_few++) {
        fprintf(stream, "\n| %s |", is_few ? "fault, fewer than write_quorum allowed" : "fault");
        for (uint32_t i = 0; i < FB_LEVEL_COUNT; i++)
            fprintf(stream, " %s |", levels[i].name);
        fprintf(stream, "\n|---|---|---|---|---|---|\n");
        for (uint32_t f = 0; f < FB_PROMISE_FAULT_COUNT; f++) {
            fprintf(stream, "| %s |", faults[f].help);
            for (uint32_t i = 0; i < FB_LEVEL_COUNT; i++) {
                enum fb_copies copies = is_few ? levels[i].few : levels[i].enough;
                fprintf(stream, " %s |", cell_text(&levels[i], copies, &faults[f]));
            }
            fprintf(stream, "\n");
        }
    }
}
