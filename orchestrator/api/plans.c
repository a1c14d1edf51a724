/* …/plan/metrics: see plans.h and plan_measure.h. */
#include "orchestrator/api/plans.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/plan_measure.h"
#include "orchestrator/api/read.h"

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

static struct plan_place place_of(struct api *api)
{
    return (struct plan_place){
        .engine = api->config.engine,
        .store = api->config.store,
        .arena = &api->arena,
        .now_wall_ms = api_now(api).wall_ms,
    };
}

static void write(const struct plan_place *place, const struct plan_measure *measure, int64_t seq,
                  struct buf *body)
{
    struct json_out out = { .buf = body };
    struct str uid = { NULL, 0 };
    struct reason reason;
    query_constellation_uid(place->store, measure->constellation_id, place->arena, &uid, &reason);
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", seq);
    json_out_str(&out, "constellation", uid);
    plan_measure_write(place, measure, &out);
    json_out_object_end(&out);
}

/* True: it has been answered. */
static bool work(struct api *api, struct plan_job *job)
{
    struct reason reason = { "" };
    const struct plan_place place = place_of(api);
    enum err err = plan_measure_work(&place, &job->measure, &reason);
    if (err == ERR_CONFLICT && job->restarts++ < RESTARTS_MAX) {
        int64_t id = job->measure.constellation_id;
        plan_measure_done(&job->measure);
        if (plan_measure_begin(&place, id, &job->measure)) {
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
    write(&place, &job->measure, api->seq, &body);
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

/* One that has ended is in no engine: in the thread it is loaded into one that is made for it. */
static enum err final_rows(struct read *read, struct store *store, struct reason *reason)
{
    static const struct engine_config config = {
        .epoch = 1,
        .next_constellation_id = 1,
        .next_task_id = 1,
        .next_edge_id = 1,
        .next_hold_id = 1,
    };
    int64_t id = read->constellation.record.id;
    struct engine *engine = engine_new(&config);
    struct plan_measure measure = { .constellation_id = 0 };
    const struct plan_place place = {
        .engine = engine,
        .store = store,
        .arena = &read->arena,
        .now_wall_ms = read->now_wall_ms,
    };
    struct store_wake wake = { .constellation_id = id };
    size_t budget = SIZE_MAX;
    enum err err = ERR_NONE;
    while (err == ERR_NONE && !wake.is_whole) {
        err = store_wake(store, engine, &wake, &budget, reason);
    }
    if (err == ERR_CONFLICT) {
        reason_set(reason, err, "it has been reopened meanwhile: ask again");
    }
    if (err == ERR_NONE) {
        struct moment now = { .wall_ms = read->now_wall_ms };
        err = engine_load_revived(engine, id, now, reason);
    }
    if (err == ERR_NONE) {
        CHECK(plan_measure_begin(&place, id, &measure));
        while (err == ERR_NONE && !plan_measure_is_finished(&measure)) {
            err = plan_measure_work(&place, &measure, reason);
        }
    }
    if (err == ERR_NONE) {
        write(&place, &measure, read->seq, &read->body);
    }
    plan_measure_done(&measure);
    engine_free(engine);
    return err;
}

static const struct read_kind final_read = {
    .rows = final_rows,
    .too_long = "such a plan is measured only while it is live",
};

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
    read_start(api, read_new(api, call, &final_read, constellation));
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
    const struct plan_place place = place_of(api);
    if (!plan_measure_begin(&place, constellation.record.id, &job->measure)) {
        mem_free(job);
        measure_final(api, call, &constellation);
        return;
    }
    job->next = api->plans.first;
    api->plans.first = job;
    api->plans.count++;
}
