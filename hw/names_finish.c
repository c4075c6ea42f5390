/* Finishing what a commit or a removal has begun; see names.h, 4.
 *
 *     (none) --fb_name_finish--> ORIGIN --done: OK--> RECORD --done--> (none)
 *                 LOOK --still ours--> ORIGIN
 *                  ^ '--changed--> (none)  |             |
 *                  '----- pause --WAITING--'-------------' blocks are missing, or it failed
 *
 *  1. The origin's step can be repeated, by several nodes at once: a version that is there already
 *     is fine, a later one is left alone.
 *  2. RECORD is a compare-and-swap: when somebody has overwritten or removed the name meanwhile, or
 *     finished this, there is nothing left to do.
 *  3. The object's name stays known while its job stands: its blocks are still to be drained. */
#include "hw/names.h"

#include "core/panic.h"
#include "hw/loop_internal.h"

#include <stdlib.h>
#include <string.h>

enum job_state { JOB_NONE, JOB_WAITING, JOB_LOOK, JOB_ORIGIN, JOB_RECORD };

static const uint64_t pause_first_ns = 50000000, pause_last_ns = 5000000000;
static const uint64_t list_pause_ns = 3000000000;
enum { PAUSE_DOUBLINGS_MAX = 7, SILENT_TRIES = 8, ROUNDS_PATIENT = 5 };

struct name_job {
    struct fb_loop *loop;
    enum job_state state;
    uint32_t tries;
    bool is_held; /* the object's slot counts an open */
    bool is_undo; /* what this job made at the origin is taken back */
    uint64_t due_ns;
    struct fb_meta record;
    struct fb_origin_task origin; /* its object is the job's */
    struct fb_name_task name;
};

bool names_jobs_open(struct fb_names *names)
{
    names->jobs = calloc(FB_NAME_JOBS_MAX, sizeof(*names->jobs));
    return names->jobs != NULL;
}

uint64_t names_jobs_bytes(void)
{
    return FB_NAME_JOBS_MAX * sizeof(struct name_job);
}

void names_jobs_close(struct fb_names *names)
{
    free(names->jobs);
    names->jobs = NULL;
}

static struct name_job *job_find(struct fb_loop *loop, uint64_t handle)
{
    for (uint32_t i = 0; i < FB_NAME_JOBS_MAX && loop->names.jobs_used > 0; i++) {
        struct name_job *job = &loop->names.jobs[i];
        if (job->state != JOB_NONE && job->origin.object.handle == handle)
            return job;
    }
    return NULL;
}

static void job_end(struct name_job *job, bool is_composed)
{
    struct fb_loop *loop = job->loop;
    struct fb_object *object = fb_objects_find(&loop->objects, job->origin.object.handle);
    FB_ASSERT(job->state != JOB_NONE && loop->names.jobs_used > 0);
    if (object != NULL && is_composed)
        object->is_cached = false;
    if (object != NULL && job->origin.object.shown != 0)
        object->shown = job->origin.object.shown;
    if (job->is_held && object != NULL) {
        FB_ASSERT(object->opens > 0);
        object->opens--;
    }
    job->state = JOB_NONE;
    loop->names.jobs_used--;
}

static void job_wait(struct name_job *job)
{
    uint32_t doublings = job->tries < PAUSE_DOUBLINGS_MAX ? job->tries : PAUSE_DOUBLINGS_MAX;
    uint64_t pause_ns = pause_first_ns << doublings;
    job->state = JOB_WAITING;
    job->tries++;
    job->due_ns = loop_clock_ns() + (pause_ns < pause_last_ns ? pause_ns : pause_last_ns);
}

/* It was removed while it was made: a name that means nothing must not come back. */
static void job_undo(struct name_job *job)
{
    fb_log(FB_LOG_INFO, "superseded", "object=%llx", (unsigned long long)job->origin.object.handle);
    job->state = JOB_ORIGIN;
    job->is_undo = true;
    job->origin.verb = FB_ORIGIN_REMOVE;
    fb_origin_start(&job->loop->origin, &job->origin);
}

static void job_recorded(struct fb_name_task *task, enum fb_status status)
{
    struct name_job *job = FB_CONTAINER(task, struct name_job, name);
    struct fb_name_facts found = fb_name_read(&task->record);
    if (status != FB_OK && status != FB_CONFLICT) {
        job_wait(job);
        return;
    }
    bool is_finished = found.state == FB_NAME_ORIGIN && found.version == job->record.value.high;
    if (status == FB_CONFLICT && !is_finished && found.level == FB_LEVEL_COUNT) {
        job_undo(job);
        return;
    }
    job_end(job, true);
}

/* The origin is as the record says: from now on it is asked. */
static void job_record(struct name_job *job)
{
    struct fb_name_facts facts = fb_name_read(&job->record);
    facts.state = FB_NAME_ORIGIN;
    facts.node = job->loop->settings->node;
    job->state = JOB_RECORD;
    job->name = (struct fb_name_task){.done = job_recorded,
                                      .loop = job->loop,
                                      .name_length = job->origin.object.name_length,
                                      .name = job->origin.object.name,
                                      .record = fb_name_record(&facts, job->record.version)};
    fb_name_commit(&job->name);
}

static void job_stored(struct fb_origin_task *task, enum fb_status status)
{
    struct name_job *job = FB_CONTAINER(task, struct name_job, origin);
    char name[FB_LOG_QUOTE_MAX];
    if (job->is_undo) {
        job_end(job, true);
        return;
    }
    if (status == FB_OK || status == FB_CONFLICT) { /* CONFLICT: a later version is there */
        job_record(job);
        return;
    }
    struct fb_object *known = fb_objects_find(&job->loop->objects, task->object.handle);
    if (known != NULL && fb_origin_refuses(status))
        known->refusal = status;
    if (job->tries == SILENT_TRIES)
        fb_log(FB_LOG_WARNING, "commit_unfinished", "status=%s object=%s", fb_status_name(status),
               fb_log_quote(task->object.name, name));
    job_wait(job);
}

static void job_store(struct name_job *job)
{
    struct fb_name_facts facts = fb_name_read(&job->record);
    FB_ASSERT(job->state == JOB_WAITING || job->state == JOB_LOOK);
    job->state = JOB_ORIGIN;
    job->origin.verb = facts.state == FB_NAME_CACHED ? FB_ORIGIN_COMMIT : FB_ORIGIN_REMOVE;
    job->origin.done = job_stored;
    fb_origin_start(&job->loop->origin, &job->origin);
}

/* The name means something else by now. When the origin shows that, too, this version's blocks go;
 * before, they may still be on their way there. */
static void job_supersede(struct name_job *job, const struct fb_name_facts *now)
{
    bool is_commit = fb_name_read(&job->record).state == FB_NAME_CACHED;
    if (is_commit && now->version == job->record.value.high)
        job_end(job, true); /* another node has composed it */
    else if (is_commit && now->state == FB_NAME_ORIGIN)
        job_undo(job);
    else if (is_commit)
        job_wait(job);
    else
        job_end(job, true);
}

static void job_looked(struct fb_name_task *task, enum fb_status status)
{
    struct name_job *job = FB_CONTAINER(task, struct name_job, name);
    bool is_answer = (status == FB_OK || status == FB_ABSENT) && !task->is_old;
    const struct fb_name_facts now = fb_name_read(&task->record);
    if (!is_answer)
        job_wait(job);
    else if (task->record.version != job->record.version)
        job_supersede(job, &now);
    else
        job_store(job);
}

/* Once more, if the record is still this one. */
static void job_again(struct name_job *job)
{
    FB_ASSERT(job->state == JOB_WAITING);
    job->state = JOB_LOOK;
    job->name = (struct fb_name_task){.done = job_looked,
                                      .loop = job->loop,
                                      .name_length = job->origin.object.name_length,
                                      .name = job->origin.object.name};
    fb_name_look_up(&job->name);
}

void fb_name_finish(struct fb_loop *loop, const struct fb_object *object,
                    const struct fb_meta *record)
{
    struct name_job *job = job_find(loop, object->handle);
    struct fb_object *known = NULL;
    if (job != NULL)
        return;
    for (uint32_t i = 0; i < FB_NAME_JOBS_MAX && job == NULL; i++) {
        if (loop->names.jobs[i].state == JOB_NONE)
            job = &loop->names.jobs[i];
    }
    if (job == NULL)
        return; /* it is found in the store's list later */
    if (fb_name_read(record).state == FB_NAME_CACHED)
        known = fb_objects_add(&loop->objects, object);
    *job = (struct name_job){.loop = loop,
                             .state = JOB_WAITING,
                             .is_held = known != NULL,
                             .record = *record,
                             .origin = {.object = *object}};
    if (known != NULL)
        known->opens++;
    loop->names.jobs_used++;
    job_store(job);
}

bool fb_name_is_unfinished(struct fb_loop *loop, uint64_t handle)
{
    struct name_job *job = job_find(loop, handle);
    if (job != NULL && job->state == JOB_WAITING)
        job_again(job);
    return job != NULL;
}

/* Is an unfinished record that another node made to be finished here? In the first rounds only
 * when that node is gone; later nodes take turns. */
static bool is_for_us(struct fb_loop *loop, const struct fb_name_facts *facts)
{
    uint32_t node = loop->settings->node;
    bool is_member = facts->node == node || tcp_peer(&loop->tcp, facts->node) != NULL;
    uint64_t now_ns = loop_wall_ns();
    uint64_t round = now_ns > facts->version ? (now_ns - facts->version) / list_pause_ns : 0;
    uint32_t members = loop->member_count > 0 ? loop->member_count : 1;
    if (facts->node == node || !is_member)
        return true;
    return round >= ROUNDS_PATIENT && round % members == node % members;
}

static void list_next(struct fb_loop *loop);

static void list_looked(struct fb_name_task *task, enum fb_status status)
{
    struct fb_loop *loop = task->loop;
    struct fb_names *names = &loop->names;
    const struct fb_meta_name *name = &names->list.names[names->list_next];
    struct fb_name_facts facts = fb_name_read(&task->record);
    struct fb_object object = {.size = facts.size,
                               .version = facts.version,
                               .name_length = name->length,
                               .is_cached = facts.state == FB_NAME_CACHED};
    bool is_open = status == FB_OK && !task->is_old && facts.state != FB_NAME_ORIGIN;
    memcpy(object.name, name->text, name->length + 1);
    fb_object_identify(&object);
    if (is_open && is_for_us(loop, &facts) && job_find(loop, object.handle) == NULL) {
        fb_log(FB_LOG_INFO, "finishing", "object=%llx node=%u", (unsigned long long)object.handle,
               facts.node);
        fb_name_finish(loop, &object, &task->record);
    }
    names->list_next = status == FB_BUSY ? names->list.name_count : names->list_next + 1;
    list_next(loop);
}

/* One name after the other: they are few, and nobody waits. */
static void list_next(struct fb_loop *loop)
{
    struct fb_names *names = &loop->names;
    if (names->list_next == names->list.name_count) {
        names->is_listing = false;
        names->list_ns = loop_clock_ns() + list_pause_ns;
        return;
    }
    const struct fb_meta_name *name = &names->list.names[names->list_next];
    if (name->is_bad) {
        names->list_next++;
        list_next(loop);
        return;
    }
    names->look = (struct fb_name_task){
        .done = list_looked, .loop = loop, .name_length = name->length, .name = name->text};
    fb_name_look_up(&names->look);
}

static void list_done(struct fb_meta_task *task, enum fb_status status)
{
    struct fb_loop *loop = FB_CONTAINER(task, struct fb_loop, names.list);
    loop->names.list_next = 0;
    if (status != FB_OK)
        task->name_count = 0;
    list_next(loop);
}

/* Jobs whose look-up or commit is under way. */
static uint32_t jobs_at_store(const struct fb_names *names)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < FB_NAME_JOBS_MAX && names->jobs_used > 0; i++)
        count += names->jobs[i].state == JOB_LOOK || names->jobs[i].state == JOB_RECORD;
    return count;
}

/* Jobs take half of what the core looks up at once: while the store is silent each holds its place
 * for long, and clients are to be told what is known, not that all are busy. */
static void jobs_sweep(struct fb_loop *loop)
{
    struct fb_names *names = &loop->names;
    uint64_t now_ns = loop_clock_ns();
    uint32_t half = (uint32_t)(loop->settings->core.metas_max + 1) / 2;
    uint32_t count = jobs_at_store(names);
    for (uint32_t i = 0; i < FB_NAME_JOBS_MAX && names->jobs_used > 0 && count < half; i++) {
        struct name_job *job = &names->jobs[i];
        if (job->state == JOB_WAITING && job->due_ns <= now_ns) {
            job_again(job);
            count++;
        }
    }
}

void fb_names_sweep(struct fb_loop *loop)
{
    struct fb_names *names = &loop->names;
    uint64_t now_ns = loop_clock_ns();
    if (!names->is_on || loop->is_fenced)
        return;
    jobs_sweep(loop);
    if (names->is_listing || now_ns < names->list_ns || !loop->origin.can_write)
        return;
    names->is_listing = true;
    names->list.verb = FB_META_VERB_PENDING;
    names->list.done = list_done;
    names->list.names_max = FB_NAME_LIST_MAX;
    fb_meta_start(&loop->meta, &names->list);
}
