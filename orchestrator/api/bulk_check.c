/* The check of a large edit: by the same rules as any other, since it is stepped by an engine, one that is
   loaded with this constellation alone from a snapshot. Nothing that matters can change between the two:
   the real one keeps it as it is (engine/bulk.c). Runs in a thread and touches its job only. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/api/bulk.h"
#include "orchestrator/api/edit_view.h"
#include "orchestrator/store/part_pack.h"

struct check {
    struct job *job;
    struct edit_job *edit;
    struct bulk_job *bulk;
    struct store *store; /* the snapshot */
    struct engine *engine;
    struct reason *reason;
    uint64_t *orders;
    struct effects effects;
};

static enum err load(struct check *check)
{
    struct bulk_job *bulk = check->bulk;
    int64_t id = check->job->constellation_id;
    struct engine_config config = bulk->config;
    config.edit_rows_max = UINT32_MAX;
    config.edit_looks_max = SIZE_MAX;
    config.edit_path_max = check->edit->dry_run ? UINT32_MAX : 1; /* of others it is not told */
    config.ignored_hold_id = bulk->id;
    check->engine = engine_new(&config);
    enum err err = store_sqlite_look(check->store, check->engine, id, check->reason);
    const struct constellation_record *record = engine_constellation(check->engine, id);
    if (err != ERR_NONE) {
        return err;
    }
    if (record == NULL) {
        return reason_set(check->reason, ERR_NOT_FOUND, "there is no such constellation");
    }
    bulk->revision = record->revision;
    bulk->finished_wall_ms = record->finished_wall_ms;
    check->edit->head = record->revision;
    return engine_load_end(check->engine, bulk->now, check->reason);
}

static const struct edit_result *step(struct check *check)
{
    struct edit *wanted = &check->edit->resolved.edit;
    wanted->dry_run = true;
    check->orders = mem_array(wanted->operations_count + 1, sizeof(*check->orders));
    wanted->orders = check->orders;
    struct event event = { .kind = EVENT_EDIT, .now = check->bulk->now };
    event.edit.edit = wanted;
    engine_step(check->engine, &event, &check->effects);
    const struct effect *reply = &check->effects.list[check->effects.count - 1];
    CHECK(reply->kind == EFFECT_REPLY && reply->reply.edit != NULL);
    return reply->reply.edit;
}

static enum err view(struct check *check, const struct edit_result *result)
{
    struct json_out out = { .buf = &check->job->body };
    check->edit->resolved.edit.dry_run = check->edit->dry_run;
    return edits_view(check->job, check->store, result, &out, check->reason);
}

static void pack(struct check *check)
{
    struct job *job = check->job;
    struct bulk_split *split = &check->bulk->split;
    bulk_split(check->engine, &check->edit->resolved.edit, check->orders, BULK_PART_ROWS_MAX,
               &job->submit.arena, split);
    size_t *ends = arena_array(&job->submit.arena, split->count, sizeof(*ends));
    for (size_t i = 0; i < split->count; i++) {
        part_pack(&split->parts[i], check->bulk->id, &job->submit.bodies);
        ends[i] = job->submit.bodies.length;
    }
    check->bulk->part_ends = ends;
}

static enum err look(struct check *check)
{
    struct edit_job *edit = check->edit;
    struct job *job = check->job;
    enum err err = load(check);
    if (err == ERR_NONE && edit->read != NULL) {
        err = edit->read(job, check->store, &job->submit.arena, check->reason);
    }
    if (err != ERR_NONE || edit->refusal.is_given) {
        return err;
    }
    struct edit_budget budget = { .reads = SIZE_MAX, .bytes_max = check->bulk->bytes_max };
    err =
        edits_resolve(job, check->store, check->engine, &budget, &job->submit.arena, check->reason);
    if (err != ERR_NONE) {
        return err;
    }
    const struct edit_result *result = step(check);
    err = edit_take_problems(check->store, &edit->resolved, result, &edit->faults, check->reason);
    if (err == ERR_NONE && edit->faults.count == 0) {
        err = view(check, result);
        if (err == ERR_NONE && !edit->dry_run) {
            pack(check);
        }
    }
    return err;
}

void bulk_check(struct work *work, struct reader *reader)
{
    struct job *job = work->owner;
    struct edit_job *edit = job->data;
    struct bulk_job *bulk = edit->bulk;
    struct check check = { .job = job, .edit = edit, .bulk = bulk, .reason = &bulk->reason };
    bulk->err = reader_begin(reader, &check.store, &bulk->reason);
    if (bulk->err == ERR_NONE) {
        bulk->err = look(&check);
        reader_end(reader);
    }
    mem_free(check.orders);
    effects_done(&check.effects);
    engine_free(check.engine);
}
