/* A constellation as clients see it. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/view.h"

static void write_counts(struct api *api, struct json_out *out,
                         const struct constellation_record *record)
{
    /* While it lives its tasks are counted by the engine; the end is in the row. */
    struct engine_counts counts = { .waiting = 0 };
    if (constellation_state_is_final(record->state) ||
        !engine_constellation_counts(api->config.engine, record->id, &counts)) {
        counts = (struct engine_counts){
            .succeeded = record->succeeded,
            .failed = record->failed,
            .cancelled = record->cancelled,
            .skipped = record->skipped,
        };
    }
    json_out_object(out, "counts");
    json_out_uint(out, "waiting", counts.waiting);
    json_out_uint(out, "ready", counts.ready);
    json_out_uint(out, "assigned", counts.assigned);
    json_out_uint(out, "running", counts.running);
    json_out_uint(out, "backoff", counts.backoff);
    json_out_uint(out, "succeeded", counts.succeeded);
    json_out_uint(out, "failed", counts.failed);
    json_out_uint(out, "cancelled", counts.cancelled);
    json_out_uint(out, "skipped", counts.skipped);
    json_out_uint(out, "unknown", counts.unknown);
    json_out_object_end(out);
}

const char *view_constellation_state(const struct api *api,
                                     const struct constellation_record *record)
{
    return record->state == CONSTELLATION_RUNNING &&
                   engine_is_paused(api->config.engine, record->id)
               ? "paused"
               : constellation_state_name(record->state);
}

void view_constellation(struct api *api, struct json_out *out, const char *key,
                        const struct query_constellation *constellation)
{
    struct query_constellation now;
    struct reason reason;
    /* Read beside the loop, it may have ended meanwhile: then its counts are in the row of now. */
    if (!constellation_state_is_final(constellation->record.state) &&
        engine_constellation(api->config.engine, constellation->record.id) == NULL &&
        query_constellation(api->config.store, constellation->record.id, &api->arena, &now,
                            &reason) == ERR_NONE) {
        now.description = constellation->description; /* which the caller may have cut */
        constellation = &now;
    }
    const struct constellation_record *record = &constellation->record;
    int64_t until = record->finished_wall_ms != 0 ? record->finished_wall_ms : api_now(api).wall_ms;
    json_out_object(out, key);
    json_out_str(out, "id", constellation->uid);
    json_out_str(out, "name", constellation->name);
    json_out_text(out, "state", view_constellation_state(api, record));
    json_out_time(out, "created_at", record->created_wall_ms);
    json_out_time(out, "finished_at", record->finished_wall_ms);
    json_out_seconds(out, "duration", until - record->created_wall_ms);
    json_out_uint(out, "tasks", record->tasks);
    json_out_uint(out, "dependencies", record->edges);
    write_counts(api, out, record);
    json_out_bool(out, "cancel_requested", record->cancel_requested);
    json_out_bool(out, "stopping", record->stopping);
    json_out_bool(out, "fail_fast", record->fail_fast);
    json_out_uint(out, "revision", record->revision);
    json_out_str_or_null(out, "description", constellation->description);
    json_out_time(out, "deadline", record->deadline_wall_ms);
    json_out_bool(out, "deadline_passed", record->deadline_passed);
    json_out_bool(out, "paused", engine_is_paused(api->config.engine, record->id));
    json_out_uint(out, "holds", engine_holds_count(api->config.engine, record->id));
}
