/* See event_json.h. One row a kind; a field that is not in the row is not in the event. */
#include "orchestrator/api/event_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/json_out.h"
#include "orchestrator/store/query_task.h"

enum field {
    FIELD_CONSTELLATION = 1 << 0,
    FIELD_TASK = 1 << 1,
    FIELD_DEVICE = 1 << 2,
    FIELD_FENCE = 1 << 3,
    FIELD_TASK_STATE = 1 << 4,
    FIELD_STATE = 1 << 5, /* of the constellation */
    FIELD_EPOCH = 1 << 6,
    FIELD_TASKS = 1 << 7,
    FIELD_ATTEMPT = 1 << 8,
    FIELD_OUTCOME = 1 << 9, /* with exit_code or signal */
    FIELD_BECAUSE = 1 << 10,
    FIELD_SESSION = 1 << 11,
    FIELD_ACTOR = 1 << 12,
    FIELD_REASON = 1 << 13,
    FIELD_TOKEN = 1 << 14,   /* token, role, actor: three words of the text */
    FIELD_DELETED = 1 << 15, /* constellation, actor: two words of the text; its row is gone */
    FIELD_REVISION = 1 << 16,
    FIELD_HOLD = 1 << 17,
    FIELD_ROUND = 1 << 18,
    FIELD_DRAINING = 1 << 19,
    FIELD_BY = 1 << 20,     /* who, and why in words */
    FIELD_SOURCE = 1 << 21, /* because: the predecessor of the dependency of that number */
};

enum {
    OF_TASK = FIELD_CONSTELLATION | FIELD_TASK,
    OF_ATTEMPT = OF_TASK | FIELD_FENCE | FIELD_DEVICE,
};

static const int fields[HISTORY_KINDS_END] = {
    [HISTORY_DAEMON_STARTED] = FIELD_EPOCH,
    [HISTORY_CONSTELLATION_SUBMITTED] = FIELD_CONSTELLATION | FIELD_TASKS | FIELD_ACTOR,
    [HISTORY_CONSTELLATION_CANCEL] = FIELD_CONSTELLATION | FIELD_ACTOR,
    [HISTORY_CONSTELLATION_FINISHED] = FIELD_CONSTELLATION | FIELD_STATE,
    [HISTORY_CONSTELLATION_DELETED] = FIELD_DELETED,
    [HISTORY_TASK_ASSIGNED] = OF_ATTEMPT | FIELD_ATTEMPT,
    [HISTORY_TASK_STARTED] = OF_ATTEMPT,
    [HISTORY_TASK_ENDED] = OF_ATTEMPT | FIELD_OUTCOME | FIELD_TASK_STATE | FIELD_REASON,
    [HISTORY_TASK_LOST] = OF_ATTEMPT | FIELD_TASK_STATE | FIELD_REASON,
    [HISTORY_TASK_ADOPTED] = OF_ATTEMPT,
    [HISTORY_TASK_SKIPPED] = OF_TASK | FIELD_BECAUSE,
    [HISTORY_TASK_CANCELLED] = OF_TASK,
    [HISTORY_TASK_FAILED] = OF_TASK | FIELD_REASON,
    [HISTORY_ATTEMPT_STALE] = FIELD_FENCE | FIELD_DEVICE,
    [HISTORY_DEVICE_CONNECTED] = FIELD_DEVICE | FIELD_SESSION,
    [HISTORY_DEVICE_DISCONNECTED] = FIELD_DEVICE | FIELD_REASON,
    [HISTORY_DEVICE_REFUSED] = FIELD_REASON,
    [HISTORY_TOKEN_CREATED] = FIELD_TOKEN,
    [HISTORY_TOKEN_REVOKED] = FIELD_TOKEN,
    [HISTORY_RESTORE_BLOCKED] = FIELD_DEVICE | FIELD_REASON,
    [HISTORY_CONSTELLATION_EDITED] = FIELD_CONSTELLATION | FIELD_REVISION | FIELD_BY,
    [HISTORY_CONSTELLATION_REOPENED] = FIELD_CONSTELLATION | FIELD_ACTOR,
    [HISTORY_CONSTELLATION_STOPPING] = FIELD_CONSTELLATION | FIELD_REASON,
    [HISTORY_HOLD_PLACED] = OF_TASK | FIELD_HOLD | FIELD_BY,
    [HISTORY_HOLD_RELEASED] = OF_TASK | FIELD_HOLD | FIELD_ACTOR,
    [HISTORY_TASK_REOPENED] = OF_TASK | FIELD_ROUND,
    [HISTORY_TASK_UNKNOWN] = OF_ATTEMPT | FIELD_REASON,
    [HISTORY_TASK_RESOLVED] = OF_TASK | FIELD_TASK_STATE | FIELD_ACTOR,
    [HISTORY_TASK_SUCCEEDED] = OF_TASK,
    [HISTORY_DEVICE_DRAINED] = FIELD_DEVICE | FIELD_DRAINING | FIELD_ACTOR,
    [HISTORY_CONDITION_FAILED] = OF_TASK | FIELD_SOURCE | FIELD_REASON,
};

static void write_names(struct api *api, struct json_out *out, const struct history *history,
                        int has)
{
    struct store *store = api->config.store;
    struct reason reason;
    if ((has & FIELD_CONSTELLATION) != 0) {
        struct str uid = { NULL, 0 };
        query_constellation_uid(store, history->constellation_id, &api->arena, &uid, &reason);
        json_out_str_or_null(out, "constellation", uid);
        json_out_int(out, "constellation_number", history->constellation_id);
    }
    if ((has & FIELD_TASK) != 0) {
        struct str key = { NULL, 0 };
        query_task_key(store, history->task_id, &api->arena, &key, &reason);
        json_out_str_or_null(out, "task", key);
    }
    if ((has & (FIELD_BECAUSE | FIELD_SOURCE)) != 0) {
        struct str key = { NULL, 0 };
        int64_t task_id = history->number;
        if ((has & FIELD_BECAUSE) != 0 ||
            query_edge_source(store, history->number, &task_id, &reason) == ERR_NONE) {
            query_task_key(store, task_id, &api->arena, &key, &reason);
        }
        json_out_str_or_null(out, "because", key);
    }
    if ((has & FIELD_DEVICE) != 0) {
        struct device_view device = { .record = NULL };
        bool found =
            history->device_id != 0 &&
            engine_find_device_id(api->config.engine, history->device_id, api_now(api), &device);
        json_out_str_or_null(out, "device", found ? device.record->name : (struct str){ NULL, 0 });
    }
    if ((has & FIELD_FENCE) != 0) {
        json_out_fence(out, "fence", history->fence);
    }
}

static void write_outcome(struct json_out *out, const struct history *history)
{
    enum outcome outcome = (enum outcome)history->outcome;
    json_out_text(out, "outcome", outcome == 0 ? NULL : outcome_name(outcome));
    if (outcome == OUTCOME_EXITED) {
        json_out_int(out, "exit_code", history->number);
    } else if (outcome == OUTCOME_SIGNALLED) {
        json_out_int(out, "signal", history->number);
    }
}

/* The words of the text, a key each; the last one takes the rest. */
static void write_words(struct json_out *out, const char *const *words, size_t count,
                        struct str text)
{
    for (size_t i = 0; i < count; i++) {
        const char *blank = text.length == 0 ? NULL : memchr(text.data, ' ', text.length);
        bool last = i + 1 == count;
        size_t length = blank == NULL || last ? text.length : (size_t)(blank - text.data);
        json_out_str(out, words[i], (struct str){ text.data, length });
        size_t used = length < text.length ? length + 1 : length;
        text = (struct str){ text.data + used, text.length - used };
    }
}

static void write_rest(struct json_out *out, const struct history *history, int has)
{
    static const struct {
        enum field field;
        const char *key;
    } numbers[] = {
        { FIELD_EPOCH, "epoch" },     { FIELD_TASKS, "tasks" },       { FIELD_ATTEMPT, "attempt" },
        { FIELD_SESSION, "session" }, { FIELD_REVISION, "revision" }, { FIELD_HOLD, "hold" },
        { FIELD_ROUND, "round" },
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if ((has & (int)numbers[i].field) != 0) {
            json_out_int(out, numbers[i].key, history->number);
        }
    }
    if ((has & FIELD_OUTCOME) != 0) {
        write_outcome(out, history);
    }
    if ((has & FIELD_TASK_STATE) != 0) {
        json_out_text(out, "state", task_state_name((enum task_state)history->state));
    }
    if ((has & FIELD_STATE) != 0) {
        json_out_text(out, "state",
                      constellation_state_name((enum constellation_state)history->state));
    }
    if ((has & FIELD_DRAINING) != 0) {
        json_out_bool(out, "draining", history->number != 0);
    }
    if ((has & FIELD_ACTOR) != 0) {
        json_out_str(out, "actor", history->text);
    }
    if ((has & FIELD_BY) != 0) {
        json_out_str(out, "by", history->text);
    }
    if ((has & FIELD_REASON) != 0) {
        json_out_str_or_null(out, "reason", history->text);
    }
    if ((has & FIELD_TOKEN) != 0) {
        static const char *const words[] = { "token", "role", "actor" };
        write_words(out, words, 3, history->text);
    }
    if ((has & FIELD_DELETED) != 0) {
        static const char *const words[] = { "constellation", "actor" };
        write_words(out, words, 2, history->text);
        json_out_int(out, "constellation_number", history->constellation_id);
    }
}

void event_write_json(struct api *api, const struct history *history, struct json_out *out)
{
    bool known = (unsigned)history->kind < HISTORY_KINDS_END;
    int has = known ? fields[history->kind] : 0;
    json_out_object(out, NULL);
    json_out_int(out, "seq", history->seq);
    json_out_time(out, "at", history->wall_ms);
    json_out_text(out, "kind", history_kind_name(history->kind));
    write_names(api, out, history, has);
    write_rest(out, history, has);
    json_out_object_end(out);
}

void event_write(struct api *api, const struct history *history, struct buf *text)
{
    struct buf data = { NULL, 0, 0 };
    struct json_out out = { .buf = &data };
    event_write_json(api, history, &out);
    char id[48];
    int length = snprintf(id, sizeof(id), "%s-%" PRId64, api->lineage, history->seq);
    stream_event(text, (struct str){ id, (size_t)length }, history_kind_name(history->kind),
                 (struct str){ (const char *)data.data, data.length });
    buf_done(&data);
}
