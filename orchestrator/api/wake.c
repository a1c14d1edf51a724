/* See wake.h. */
#include "orchestrator/api/wake.h"

#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/bulk.h"

struct wake {
    struct store_wake rows;
    struct job *first; /* that wait for it */
    struct job **last;
    struct wake *next;
};

static struct wake **find(struct wakes *wakes, int64_t constellation_id)
{
    struct wake **at = &wakes->first;
    while (*at != NULL && (*at)->rows.constellation_id != constellation_id) {
        at = &(*at)->next;
    }
    return at;
}

/* Another's turn is next. */
static void put_last(struct wakes *wakes, struct wake *wake)
{
    struct wake **last = &wakes->first;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    wake->next = NULL;
    *last = wake;
}

static struct wake *take_first(struct wakes *wakes)
{
    struct wake *wake = wakes->first;
    wakes->first = wake->next;
    return wake;
}

static void forget(struct wakes *wakes, struct wake *wake)
{
    wakes->count--;
    mem_free(wake);
}

void wakes_done(struct api *api)
{
    while (api->wakes.first != NULL) {
        struct wake *wake = take_first(&api->wakes);
        while (wake->first != NULL) {
            struct job *job = wake->first;
            wake->first = job->next;
            job_free(&api->jobs, job);
        }
        forget(&api->wakes, wake);
    }
}

static enum err answer_refused(struct api *api, struct job *job, enum err err,
                               const struct reason *why, struct reason *reason)
{
    buf_clear(&job->body); /* a large edit has its answer already */
    job_answer_problem(api, job, err == ERR_NOT_FOUND ? PROBLEM_NOT_FOUND : PROBLEM_TOO_MANY, "%s",
                       err == ERR_NOT_FOUND ? "it has been deleted" : why->text);
    return bulk_take_back(api, job, reason);
}

static enum err refuse_all(struct api *api, struct wake *wake, enum err err,
                           const struct reason *why, struct reason *reason)
{
    enum err failed = ERR_NONE;
    while (wake->first != NULL && failed == ERR_NONE) {
        struct job *job = wake->first;
        wake->first = job->next;
        api->jobs.queued--;
        failed = answer_refused(api, job, err, why, reason);
    }
    return failed;
}

/* Takes the first of them on; what it does not finish goes to the end of the row. */
static enum err work_on_first(struct api *api, struct reason *reason)
{
    struct wakes *wakes = &api->wakes;
    struct wake *wake = take_first(wakes);
    struct reason why = { "" };
    enum err err =
        store_wake(api->config.store, api->config.engine, &wake->rows, &wakes->budget, &why);
    if (err == ERR_NOT_FOUND || err == ERR_LIMIT) {
        err = refuse_all(api, wake, err, &why, reason);
        forget(wakes, wake);
        return err;
    }
    if (err == ERR_NONE && !wake->rows.is_whole) {
        put_last(wakes, wake);
        return ERR_NONE;
    }
    if (err == ERR_NONE) {
        err = engine_load_revived(api->config.engine, wake->rows.constellation_id, api_now(api),
                                  &why);
    }
    jobs_resume(&api->jobs, wake->first, wake->last);
    forget(wakes, wake);
    if (err != ERR_NONE) {
        *reason = why;
    }
    return err;
}

enum err wakes_work(struct api *api, struct reason *reason)
{
    struct wakes *wakes = &api->wakes;
    wakes->budget = wakes->slice;
    enum err err = ERR_NONE;
    while (err == ERR_NONE && wakes->first != NULL && wakes->budget > 0) {
        err = work_on_first(api, reason);
    }
    return err;
}

static void wait(struct api *api, struct wake *wake, struct job *job)
{
    job->next = NULL;
    *wake->last = job;
    wake->last = &job->next;
    api->jobs.queued++;
}

/* The small ones are there at once. */
static enum err begin(struct api *api, struct job *job, bool *ret_live, struct reason *reason)
{
    struct wakes *wakes = &api->wakes;
    struct store_wake rows = { .constellation_id = job->constellation_id };
    struct reason why = { "" };
    enum err err = ERR_NONE;
    if (wakes->budget > 0) {
        err = store_wake(api->config.store, api->config.engine, &rows, &wakes->budget, &why);
    }
    if (err == ERR_NOT_FOUND || err == ERR_LIMIT) {
        return answer_refused(api, job, err, &why, reason);
    }
    if (err == ERR_NONE && rows.is_whole) {
        *ret_live = true;
        return engine_load_revived(api->config.engine, job->constellation_id, api_now(api), reason);
    }
    if (err != ERR_NONE) {
        *reason = why;
        return err;
    }
    struct wake *wake = mem_alloc(sizeof(*wake));
    *wake = (struct wake){ .rows = rows };
    wake->last = &wake->first;
    wakes->count++;
    put_last(wakes, wake);
    wait(api, wake, job);
    return ERR_NONE;
}

enum err wake_for(struct api *api, struct job *job, bool *ret_live, struct reason *reason)
{
    struct wakes *wakes = &api->wakes;
    *ret_live = engine_constellation(api->config.engine, job->constellation_id) != NULL;
    if (*ret_live) {
        return ERR_NONE;
    }
    struct wake *wake = *find(wakes, job->constellation_id);
    if (wake != NULL) {
        wait(api, wake, job);
        return ERR_NONE;
    }
    if (wakes->count >= WAKES_MAX) {
        struct reason why;
        enum err err = reason_set(
            &why, ERR_LIMIT, "%d others that have ended are being loaded; try again", WAKES_MAX);
        return answer_refused(api, job, err, &why, reason);
    }
    return begin(api, job, ret_live, reason);
}
