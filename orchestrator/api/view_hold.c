/* A hold as clients see it. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/view.h"
#include "orchestrator/store/query_hold.h"

static const char *scope_name(enum hold_scope scope)
{
    switch (scope) {
    case HOLD_TASKS:
        return "tasks";
    case HOLD_DESCENDANTS:
        return "descendants";
    case HOLD_ALL:
        return "all";
    }
    return "all";
}

static const char *origin_name(enum hold_origin origin)
{
    switch (origin) {
    case HOLD_BY_REQUEST:
        return "request";
    case HOLD_PAUSE:
        return "pause";
    case HOLD_APPROVAL:
        return "approval";
    case HOLD_FAILURE:
        return "failure";
    case HOLD_RERUN:
        return "rerun";
    case HOLD_BULK:
        return "edit";
    case HOLD_RETRY:
    case HOLD_RETRY_KEPT:
        return "retry";
    }
    return "request";
}

/* Empty if it has been removed. */
static struct str key_of(struct api *api, int64_t task_id)
{
    struct str key = { NULL, 0 };
    struct reason reason;
    query_task_key(api->config.store, task_id, &api->arena, &key, &reason);
    return key;
}

/* An approval's reason stands in the task that asks for it. */
static void complete(struct store *store, struct arena *arena, const struct hold_record *record,
                     struct query_hold *words)
{
    struct query_task task;
    struct reason reason;
    if (record->origin == HOLD_APPROVAL && words->reason.length == 0 &&
        query_task(store, record->root_task_id, arena, &task, &reason) == ERR_NONE) {
        words->reason = task.hold;
    }
}

void view_hold_words(struct api *api, const struct hold_record *record,
                     struct query_hold *ret_words)
{
    struct reason reason;
    *ret_words = (struct query_hold){ .owner = { NULL, 0 } };
    query_hold(api->config.store, record->id, &api->arena, ret_words, &reason);
    complete(api->config.store, &api->arena, record, ret_words);
}

static void write(struct json_out *out, const char *key, const struct query_hold_whole *hold)
{
    const struct hold_record *record = &hold->record;
    json_out_object(out, key);
    json_out_int(out, "id", record->id);
    json_out_text(out, "scope", scope_name(record->scope));
    json_out_text(out, "origin", origin_name(record->origin));
    json_out_str_or_null(out, "task", hold->root);
    json_out_str(out, "owner", hold->words.owner);
    json_out_str_or_null(out, "reason", hold->words.reason);
    json_out_array(out, "tasks");
    for (size_t i = 0; i < hold->keys_count; i++) {
        json_out_str(out, NULL, hold->keys[i]);
    }
    json_out_array_end(out);
    json_out_uint(out, "tasks_count", hold->tasks);
    json_out_time(out, "created_at", record->created_wall_ms);
    json_out_time(out, "until", record->deadline_wall_ms);
    json_out_text(out, "on_expiry",
                  record->deadline_wall_ms == 0           ? NULL
                  : record->on_expiry == HOLD_EXPIRY_FAIL ? "fail"
                                                          : "release");
}

void view_hold(struct api *api, struct json_out *out, const char *key, const struct hold_view *hold)
{
    struct str keys[VIEW_HOLD_TASKS_MAX];
    struct query_hold_whole whole = {
        .record = *hold->record,
        .keys = keys,
        .tasks = hold->task_ids_count,
    };
    if (hold->record->root_task_id != 0) {
        whole.root = key_of(api, hold->record->root_task_id);
    }
    view_hold_words(api, hold->record, &whole.words);
    for (size_t i = 0; i < hold->task_ids_count && i < VIEW_HOLD_TASKS_MAX; i++) {
        struct str name = key_of(api, hold->task_ids[i]);
        if (name.length > 0) {
            keys[whole.keys_count++] = name;
        }
    }
    write(out, key, &whole);
}

void view_hold_row(struct store *store, struct arena *arena, struct json_out *out, const char *key,
                   const struct query_hold_whole *hold)
{
    struct query_hold_whole whole = *hold;
    complete(store, arena, &whole.record, &whole.words);
    write(out, key, &whole);
}
