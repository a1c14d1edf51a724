/* A device that is being emptied: what runs there goes on, nothing more is sent to it. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/change.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/view.h"

struct drain {
    struct str device; /* in the job's arena */
    bool draining;
};

static enum err drain_run(struct api *api, struct job *job, struct effects *effects,
                          struct reason *reason)
{
    (void)effects;
    (void)reason;
    const struct drain *drain = job->data;
    struct event event = {
        .kind = EVENT_DRAIN,
        .now = api_now(api),
        .drain = {
            .request = job->id,
            .device = drain->device,
            .draining = drain->draining,
            .actor = str_of(job->actor),
        },
    };
    job_post(api, job, &event);
    return ERR_NONE;
}

static enum err drain_answer(struct api *api, struct job *job, const struct effect *effect,
                             struct reason *reason)
{
    const struct drain *drain = job->data;
    struct device_view device;
    if (change_refused(api, job, effect)) {
        return ERR_NONE;
    }
    if (!engine_find_device(api->config.engine, drain->device, api_now(api), &device)) {
        return reason_set(reason, ERR_CORRUPT, "the engine has lost a device");
    }
    struct json_out out = { .buf = &job->body };
    view_device(api, &out, NULL, &device);
    json_out_object_end(&out);
    job_answer(api, job);
    return ERR_NONE;
}

static const struct job_type drain_job = { .run = drain_run, .answer = drain_answer };

static void drain(struct api *api, const struct api_call *call, bool draining)
{
    struct device_view device;
    if (!engine_find_device(api->config.engine, call->params[0], api_now(api), &device)) {
        reply_problem(api, call->request->id, PROBLEM_NOT_FOUND,
                      "no device \"%.*s\" has ever connected",
                      (int)(call->params[0].length < 128 ? call->params[0].length : 128),
                      call->params[0].data);
        return;
    }
    if (!job_may_start(api, call->request->id)) {
        return;
    }
    struct job *job = job_new(api, &drain_job, call->request);
    struct drain *data = arena_alloc(&job->arena, sizeof(*data));
    data->device = arena_str(&job->arena, call->params[0]);
    data->draining = draining;
    job->data = data;
    job_queue(api, job);
}

void drain_begin(struct api *api, const struct api_call *call)
{
    drain(api, call, true);
}

void drain_end(struct api *api, const struct api_call *call)
{
    drain(api, call, false);
}
