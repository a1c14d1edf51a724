/* Another round: retry what has failed, rerun a task and what is behind it. */
#include "orchestrator/api/body.h"
#include "orchestrator/api/change.h"
#include "orchestrator/api/handlers.h"

static const struct job_type reopen_job = { .run = change_run, .answer = change_answer };

static enum err read_body(struct str text, struct job *job, struct change *change,
                          struct reason *reason)
{
    static const char *const retry_keys[] = { "tasks", "keep_skipped", NULL };
    static const char *const rerun_keys[] = { "tasks", NULL };
    bool rerun = change->event.reopen.rerun;
    json_t *body = NULL;
    enum err err = body_read(text, rerun ? rerun_keys : retry_keys, &body, reason);
    if (err != ERR_NONE) {
        return err;
    }
    err = body_texts(body, "tasks", CHANGE_TASKS_MAX, &job->arena, &change->keys,
                     &change->keys_count, reason);
    if (err == ERR_NONE) {
        err = body_flag(body, "keep_skipped", &change->event.reopen.keep_skipped, reason);
    }
    if (err == ERR_NONE && change->keys_count == 0) {
        if (rerun) {
            err = reason_set(reason, ERR_INVALID, "tasks must name what is to run again");
        }
        change->states = UINT32_C(1) << TASK_FAILED;
    }
    json_decref(body);
    return err;
}

static void reopen(struct api *api, const struct api_call *call, bool rerun)
{
    struct job *job = NULL;
    struct change *change = NULL;
    if (!change_begin(api, call, &reopen_job, &job, &change)) {
        return;
    }
    change->event.kind = EVENT_REOPEN;
    change->event.reopen.rerun = rerun;
    change->revives = true;
    struct reason reason = { "" };
    enum err err = read_body(call->request->body, job, change, &reason);
    change_end(api, call, job, err, &reason);
}

void reopen_retry(struct api *api, const struct api_call *call)
{
    reopen(api, call, false);
}

void reopen_rerun(struct api *api, const struct api_call *call)
{
    reopen(api, call, true);
}
