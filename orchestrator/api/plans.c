/* …/plan/metrics: see plans.h and plan_measure.h. */
#include "orchestrator/api/plans.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/change.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/plan_measure.h"

enum { RESTARTS_MAX = 5 };

struct plan_job {
    uint64_t request;
    const struct api_route *route;
    struct plan_measure measure;
    unsigned restarts;
    struct plan_job *next;
};

static void plan_job_free(struct plan_job *job)
{
    plan_measure_done(&job->measure);
    mem_free(job);
}

void plans_done(struct plans *plans)
{
    while (plans->first != NULL) {
        struct plan_job *job = plans->first;
        plans->first = job->next;
        plan_job_free(job);
    }
    plans->count = 0;
}

int64_t plans_deadline(const struct plans *plans)
{
    return plans->first != NULL ? INT64_MIN : INT64_MAX;
}

void plans_gone(struct api *api, uint64_t request)
{
    for (struct plan_job **at = &api->plans.first; *at != NULL; at = &(*at)->next) {
        if ((*at)->request == request) {
            struct plan_job *job = *at;
            *at = job->next;
            api->plans.count--;
            plan_job_free(job);
            return;
        }
    }
}

static void write(struct api *api, const struct plan_measure *measure, struct buf *body)
{
    struct json_out out = { .buf = body };
    struct str uid = { NULL, 0 };
    struct reason reason;
    query_constellation_uid(api->config.store, measure->constellation_id, &api->arena, &uid,
                            &reason);
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", api->seq);
    json_out_str(&out, "constellation", uid);
    plan_measure_write(api, measure, &out);
    json_out_object_end(&out);
}

/* True: it has been answered. */
static bool work(struct api *api, struct plan_job *job)
{
    struct reason reason = { "" };
    enum err err = plan_measure_work(api, &job->measure, &reason);
    if (err == ERR_CONFLICT && job->restarts++ < RESTARTS_MAX) {
        int64_t id = job->measure.constellation_id;
        plan_measure_done(&job->measure);
        if (plan_measure_begin(api, id, &job->measure)) {
            return false;
        }
        reason_set(&reason, err, "it has ended meanwhile: ask again");
    }
    if (err != ERR_NONE) {
        reply_problem(api, job->request, err == ERR_CONFLICT ? PROBLEM_CONFLICT : PROBLEM_INTERNAL,
                      "%s", reason.text);
        return true;
    }
    if (!plan_measure_is_finished(&job->measure)) {
        return false;
    }
    struct buf body = { NULL, 0, 0 };
    write(api, &job->measure, &body);
    reply_json(api, job->request, job->route->status, &body);
    return true;
}

void plans_tick(struct api *api)
{
    struct plan_job *job = api->plans.first;
    if (job == NULL) {
        return;
    }
    api->plans.first = job->next;
    api->plans.count--;
    if (work(api, job)) {
        plan_job_free(job);
        return;
    }
    struct plan_job **last = &api->plans.first;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    job->next = NULL;
    *last = job;
    api->plans.count++;
}

/* One that has ended comes back for a turn, and is measured in it. */
static enum err final_run(struct api *api, struct job *job, struct effects *effects,
                          struct reason *reason)
{
    bool live = false;
    enum err err = store_apply(api->config.store, effects, reason);
    if (err == ERR_NONE) {
        err = change_revive(api, job, true, &live, reason);
    }
    if (err != ERR_NONE || !live) {
        return err;
    }
    struct plan_measure measure;
    CHECK(plan_measure_begin(api, job->constellation_id, &measure));
    while (err == ERR_NONE && !plan_measure_is_finished(&measure)) {
        err = plan_measure_work(api, &measure, reason);
    }
    if (err == ERR_NONE) {
        write(api, &measure, &job->body);
        job_answer(api, job);
    }
    plan_measure_done(&measure);
    return err;
}

static const struct job_type final_job = { final_run, NULL, NULL };

static void measure_final(struct api *api, const struct api_call *call,
                          const struct query_constellation *constellation)
{
    if (constellation->record.tasks > PLAN_FINAL_TASKS_MAX) {
        reply_problem(
            api, call->request->id, PROBLEM_CONFLICT,
            "it has ended, and has more than %d tasks: such a plan is measured only while "
            "it is live",
            PLAN_FINAL_TASKS_MAX);
        return;
    }
    if (!job_may_start(api, call->request->id)) {
        return;
    }
    struct job *job = job_new(api, &final_job, call->request);
    job->constellation_id = constellation->record.id;
    job_queue(api, job);
}

void plan_metrics_get(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    if (api->plans.count >= PLANS_MAX) {
        reply_problem(api, call->request->id, PROBLEM_TOO_MANY,
                      "%d plans are being measured; try again", PLANS_MAX);
        return;
    }
    struct plan_job *job = mem_alloc(sizeof(*job));
    *job = (struct plan_job){ .request = call->request->id, .route = call->route };
    if (!plan_measure_begin(api, constellation.record.id, &job->measure)) {
        mem_free(job);
        measure_final(api, call, &constellation);
        return;
    }
    job->next = api->plans.first;
    api->plans.first = job;
    api->plans.count++;
}
