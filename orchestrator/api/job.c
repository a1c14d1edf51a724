/* See job.h: the queue, and the calls of the turn. */
#include "orchestrator/api/job.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/bulk.h"

enum {
    SCRAP_BYTES = 1024 * 1024
}; /* of what a job was made from: more takes a turn's time to free */

void jobs_init(struct jobs *jobs)
{
    *jobs = (struct jobs){ .first = NULL };
    jobs->last = &jobs->first;
}

struct job *job_new(struct api *api, const struct job_type *type, const struct net_request *request)
{
    struct jobs *jobs = &api->jobs;
    struct job *job = mem_alloc(sizeof(*job));
    job->type = type;
    job->route = api->route;
    job->id = ++jobs->last_id;
    job->waiters[job->waiters_count++] = request->id;
    memcpy(job->actor, request->identity->actor, sizeof(job->actor));
    if (type == &submit_job) {
        jobs->submissions++;
    }
    return job;
}

bool job_take_body(struct api *api, struct job *job, const struct net_request *request)
{
    struct jobs *jobs = &api->jobs;
    const size_t bytes = request->body.length;
    const size_t max = api->config.body_bytes_max;
    if (bytes > API_SMALL_BODY_BYTES_MAX && bytes + jobs->body_bytes > max) {
        job_free(jobs, job);
        reply_problem(api, request->id, PROBLEM_TOO_MANY,
                      "changes of %zu bytes are under way, and %zu is the most; try again",
                      jobs->body_bytes, max);
        return false;
    }
    jobs->body_bytes += bytes;
    job->body_bytes = bytes;
    job->submit.text = *request->whole;
    *request->whole = (struct buf){ NULL, 0, 0 };
    return true;
}

static void forget_key(struct jobs *jobs, struct job *job)
{
    if (job->once.keyed.length != 0) {
        strmap_remove(&jobs->keyed, job->once.keyed);
        job->once.keyed = (struct str){ 0 };
    }
}

static void release(struct job *job)
{
    if (job->type->release != NULL && job->data != NULL) {
        job->type->release(job);
        job->data = NULL; /* it goes with the arena */
    }
}

void job_free(struct jobs *jobs, struct job *job)
{
    if (job->type == &submit_job) {
        CHECK(jobs->submissions > 0);
        jobs->submissions--;
    }
    if (job->is_bulk) {
        CHECK(jobs->bulks > 0);
        jobs->bulks--;
    }
    jobs->body_bytes -= job->body_bytes;
    forget_key(jobs, job);
    release(job);
    buf_done(&job->submit.text);
    buf_done(&job->submit.bodies);
    arena_done(&job->submit.arena);
    arena_done(&job->arena);
    buf_done(&job->body);
    mem_free(job);
}

static void scrap(struct work *work, struct reader *reader)
{
    (void)reader;
    struct job *job = work->owner;
    buf_done(&job->submit.text);
    buf_done(&job->submit.bodies);
    arena_done(&job->submit.arena);
    arena_done(&job->arena);
    malloc_trim(0); /* it was made in pieces too small to be given back by themselves */
}

void job_discard(struct api *api, struct job *job)
{
    release(job);
    const struct job_submit *submit = &job->submit;
    if (submit->text.length + submit->bodies.length + submit->arena.bytes + job->arena.bytes >
        SCRAP_BYTES) {
        forget_key(&api->jobs, job);
        job->work = (struct work){ .run = scrap, .done = job_drop, .drop = job_drop, .owner = job };
        if (worker_take_scrap(api->parser, &job->work)) {
            return;
        }
    }
    job_free(&api->jobs, job);
}

void job_drop(struct api *api, struct work *work)
{
    job_free(&api->jobs, work->owner);
}

static void free_list(struct jobs *jobs, struct job *job)
{
    while (job != NULL) {
        struct job *next = job->next;
        if (!job->is_posted) { /* else the map has it too */
            job_free(jobs, job);
        }
        job = next;
    }
}

void jobs_done(struct jobs *jobs)
{
    free_list(jobs, jobs->first);
    free_list(jobs, jobs->answered);
    free_list(jobs, jobs->begun);
    size_t at = 0;
    uint64_t id = 0;
    void *job = NULL;
    while (map_each(&jobs->posted, &at, &id, &job)) {
        job_free(jobs, job);
    }
    map_done(&jobs->posted);
    strmap_done(&jobs->keyed);
}

bool job_may_start(struct api *api, uint64_t request)
{
    if (api->jobs.queued < API_MUTATIONS_MAX) {
        return true;
    }
    reply_problem(api, request, PROBLEM_TOO_MANY, "too many changes are queued; try again");
    return false;
}

void job_queue(struct api *api, struct job *job)
{
    job->next = NULL;
    *api->jobs.last = job;
    api->jobs.last = &job->next;
    api->jobs.queued++;
    api->config.host.wake(api->config.host.context);
}

void jobs_resume(struct jobs *jobs, struct job *first, struct job **last)
{
    *last = jobs->first;
    if (jobs->first == NULL) {
        jobs->last = last;
    }
    jobs->first = first;
}

static void answer(struct api *api, struct job *job, int status)
{
    CHECK(!job->is_answered);
    job->is_answered = true;
    job->status = status;
    if (job->content_type == NULL) {
        job->content_type = REPLY_JSON;
    }
    job->next = api->jobs.answered;
    api->jobs.answered = job;
}

void job_answer(struct api *api, struct job *job)
{
    answer(api, job, job->route->status);
}

void job_answer_problem(struct api *api, struct job *job, enum problem_code code,
                        const char *format, ...)
{
    struct reason detail;
    va_list args;
    va_start(args, format);
    vsnprintf(detail.text, sizeof(detail.text), format, args);
    va_end(args);
    code = route_refusal(job->route, code);
    buf_clear(&job->body); /* of an edit there may be what it would have been told */
    problem_write(&job->body, code, str_of(detail.text), NULL, 0);
    job->content_type = REPLY_PROBLEM;
    answer(api, job, problem_status(code));
}

void job_answer_refused(struct api *api, struct job *job, enum problem_code code)
{
    job->content_type = REPLY_PROBLEM;
    answer(api, job, problem_status(code));
}

void job_post(struct api *api, struct job *job, const struct event *event)
{
    job->is_posted = true;
    map_put(&api->jobs.posted, job->id, job);
    api->config.host.post(api->config.host.context, event);
}

enum err api_turn(struct api *api, struct effects *effects, struct reason *reason)
{
    enum err err = wakes_work(api, reason);
    /* One that is not done with its turn stands behind those that are there now. */
    size_t count = api->jobs.queued < JOB_TURN_MAX ? api->jobs.queued : JOB_TURN_MAX;
    api->jobs.looked_up = 0;
    api->jobs.work = 0;
    for (size_t i = 0;
         i < count && api->jobs.first != NULL && err == ERR_NONE && api->jobs.work < JOB_TURN_WORK;
         i++) {
        size_t before = effects->count;
        struct job *job = api->jobs.first;
        api->jobs.first = job->next;
        if (api->jobs.first == NULL) {
            api->jobs.last = &api->jobs.first;
        }
        api->jobs.queued--;
        job->next = NULL;
        err = job->type->run(api, job, effects, reason);
        api->jobs.work += effects->count - before;
        if (err != ERR_NONE && !job->is_posted && !job->is_answered) {
            job_free(&api->jobs, job); /* the turn has failed: nobody will ask for it */
        }
    }
    if (api->jobs.first != NULL || api->wakes.first != NULL) {
        api->config.host.wake(api->config.host.context);
    }
    arena_clear(&api->arena);
    return err;
}

enum err api_reply(struct api *api, const struct effect *effect, struct reason *reason)
{
    CHECK(effect->kind == EFFECT_REPLY);
    struct job *job = map_get(&api->jobs.posted, effect->reply.request);
    CHECK(job != NULL);
    enum err err = job->type->answer(api, job, effect, reason);
    arena_clear(&api->arena);
    return err;
}

/* A submission is kept until the engine is done with its plan as well. */
static void settle(struct api *api, struct job *job)
{
    if (job->is_posted) {
        if (job->type == &submit_job && !job->plan_is_done) {
            return;
        }
        map_remove(&api->jobs.posted, job->id);
    }
    job_discard(api, job);
}

static void send(struct api *api, struct job *job)
{
    struct net_header location = { STR("location"), str_of(job->location) };
    for (size_t i = 0; i < job->waiters_count; i++) {
        net_reply(api->config.net, job->waiters[i], job->status, job->content_type, &location,
                  job->location[0] == '\0' ? 0 : 1,
                  (struct str){ (const char *)job->body.data, job->body.length });
    }
    job->waiters_count = 0;
}

void jobs_committed(struct api *api)
{
    while (api->jobs.begun != NULL) {
        struct job *job = api->jobs.begun;
        api->jobs.begun = job->next;
        if (job->is_posted) {
            map_remove(&api->jobs.posted, job->id);
            job->is_posted = false;
        }
        bulk_committed(api, job);
    }
    struct job *list = NULL;
    while (api->jobs.answered != NULL) { /* turns the list round: first in, first out */
        struct job *job = api->jobs.answered;
        api->jobs.answered = job->next;
        job->next = list;
        list = job;
    }
    while (list != NULL) {
        struct job *job = list;
        list = job->next;
        if (job->type->render != NULL && job->body.length == 0) {
            job->type->render(api, job);
        }
        send(api, job);
        settle(api, job);
    }
    if (api->jobs.tokens_changed) {
        api->jobs.tokens_changed = false;
        streams_recheck(api);
        api->config.host.tokens_changed(api->config.host.context);
    }
}

void api_plan_done(struct api *api, const struct plan *plan)
{
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    /* Few are under way at a time, so walking them is fine. */
    while (map_each(&api->jobs.posted, &at, &id, &value)) {
        struct job *job = value;
        if (job->type == &submit_job && &job->submit.spec.plan == plan) {
            job->plan_is_done = true;
            /* Its answer has been sent unless the turn failed; then the process ends. */
            if (job->is_answered && job->waiters_count == 0) {
                map_remove(&api->jobs.posted, job->id);
                job_discard(api, job);
            }
            return;
        }
    }
    CHECK(false); /* a plan that was not posted */
}
