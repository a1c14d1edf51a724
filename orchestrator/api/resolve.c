/* A task whose fate is not known: somebody says what became of it. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/body.h"
#include "orchestrator/api/change.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/view.h"

static enum err resolve_answer(struct api *api, struct job *job, const struct effect *effect,
                               struct reason *reason)
{
    if (change_refused(api, job, effect)) {
        return ERR_NONE;
    }
    const struct change *change = job->data;
    struct view_rows rows;
    struct json_out out = { .buf = &job->body };
    enum err err = view_task_rows(api->config.store, change->event.resolve.task_id, &out,
                                  &api->arena, &rows, reason);
    if (err != ERR_NONE) {
        return err;
    }
    view_task(api, &out, NULL, &rows);
    json_out_object_end(&out);
    job_answer(api, job);
    return job_keep(api, job, reason);
}

static const struct job_type resolve_job = { .run = change_run, .answer = resolve_answer };

static enum err read_body(struct str text, struct change *change, struct reason *reason)
{
    static const char *const keys[] = { "as", NULL };
    json_t *body = NULL;
    enum err err = body_read(text, keys, &body, reason);
    if (err != ERR_NONE) {
        return err;
    }
    int place = 0; /* in the order of enum resolution */
    err = body_word(body, "as", "succeeded failed retry", &place, reason);
    if (err == ERR_NONE && place == 0) {
        err = reason_set(reason, ERR_INVALID, "as must be one of: succeeded failed retry");
    }
    change->event.resolve.resolution = (enum resolution)place;
    json_decref(body);
    return err;
}

void resolve_handle(struct api *api, const struct api_call *call)
{
    struct job *job = NULL;
    struct change *change = NULL;
    if (!change_begin(api, call, &resolve_job, &job, &change)) {
        return;
    }
    change->event.kind = EVENT_RESOLVE;
    change->keys = arena_array(&job->arena, 1, sizeof(*change->keys));
    change->keys[0] = arena_str(&job->arena, call->params[1]);
    change->keys_count = 1;
    struct reason reason = { "" };
    enum err err = read_body(call->request->body, change, &reason);
    change_end(api, call, job, err, &reason);
}
