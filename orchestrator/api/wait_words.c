/* What a task waits for, in words: the engine knows, the store has the names. */
#include <inttypes.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/view.h"
#include "orchestrator/engine/attention.h"
#include "orchestrator/store/query_hold.h"

/* "0.3 s", "12.0 s", "4m12s", "1h05m" */
static void append_span(struct buf *words, int64_t ms)
{
    int64_t left = ms < 0 ? 0 : ms;
    int64_t seconds = left / 1000;
    if (seconds < 60) {
        buf_printf(words, "%" PRId64 ".%d s", seconds, (int)(left % 1000 / 100));
    } else if (seconds < 3600) {
        buf_printf(words, "%" PRId64 "m%02ds", seconds / 60, (int)(seconds % 60));
    } else {
        buf_printf(words, "%" PRId64 "h%02dm", seconds / 3600, (int)(seconds / 60 % 60));
    }
}

/* Mostly it stands in the rows already: a page has a thousand of them. */
static struct str key_of(struct api *api, const struct view_rows *rows, int64_t task_id)
{
    for (size_t i = 0; i < rows->needs_count; i++) {
        if (rows->needs[i].task_id == task_id) {
            return rows->needs[i].task;
        }
    }
    struct str key = STR("?");
    struct reason reason;
    query_task_key(api->config.store, task_id, &api->arena, &key, &reason);
    return key;
}

static void append_dependencies(struct api *api, const struct view_rows *rows,
                                const struct wait *wait, struct buf *words)
{
    buf_append_text(words, "waits for ");
    for (size_t i = 0; i < wait->tasks_count; i++) {
        struct str key = key_of(api, rows, wait->tasks[i]);
        buf_append_text(words, i == 0 ? "" : ", ");
        buf_append(words, key.data, key.length);
    }
    if (wait->count > wait->tasks_count) {
        buf_printf(words, "%s%zu more", wait->tasks_count == 0 ? "" : " and ",
                   (size_t)wait->count - wait->tasks_count);
    }
}

static void append_no_device(const struct wait *wait, struct buf *words)
{
    if (wait->count == 0) {
        buf_append_text(words, "no device has ever connected");
        return;
    }
    buf_append_text(words, "no device matches");
    for (size_t i = 0; i < wait->unmet_count; i++) {
        buf_printf(words, "%s%.*s: %s", i == 0 ? ": " : "; ", STR_ARG(wait->unmet[i].device),
                   wait->unmet[i].why);
    }
    if (wait->count > wait->unmet_count && wait->unmet_count > 0) {
        buf_printf(words, "; and %zu more", (size_t)wait->count - wait->unmet_count);
    }
}

static void append_disconnected(const struct query_task *task, const struct wait *wait,
                                struct buf *words)
{
    if (task->has_attempt && task->attempt.device.length != 0) {
        buf_append(words, task->attempt.device.data, task->attempt.device.length);
    } else {
        buf_append_text(words, "its device");
    }
    buf_append_text(words, " is cut off; given up in ");
    append_span(words, wait->wake_ms);
}

/* "nas: all of its 4 slots are taken; pi: it is not connected" */
static void append_unmet(const struct wait *wait, const char *before, struct buf *words)
{
    for (size_t i = 0; i < wait->unmet_count; i++) {
        buf_printf(words, "%s%.*s: %s", i == 0 ? before : "; ", STR_ARG(wait->unmet[i].device),
                   wait->unmet[i].why);
    }
}

/* "is held by alice until 12:00 (the numbers look odd)" */
static void append_hold(struct api *api, const struct hold_record *record, struct buf *words)
{
    struct query_hold text;
    view_hold_words(api, record, &text);
    if (record->origin == HOLD_APPROVAL) {
        buf_append_text(words, "waits for an approval");
    } else if (record->origin == HOLD_FAILURE) {
        buf_append_text(words, "is held because a task has failed");
    } else {
        buf_printf(words, "is %s by %.*s", record->origin == HOLD_PAUSE ? "paused" : "held",
                   STR_ARG(text.owner));
    }
    if (record->deadline_wall_ms != 0) {
        buf_append_text(words, " for another ");
        append_span(words, record->deadline_wall_ms - api_now(api).wall_ms);
    }
    if (text.reason.length > 0 && record->origin != HOLD_FAILURE) {
        buf_printf(words, ": %.*s", STR_ARG(text.reason));
    }
}

static void append_holds(struct api *api, const struct query_task *task, const struct wait *wait,
                         struct buf *words)
{
    size_t named = 0;
    for (size_t i = 0; i < wait->holds_count; i++) {
        struct hold_view hold;
        if (engine_find_hold(api->config.engine, task->constellation_id, wait->holds[i], &hold)) {
            buf_append_text(words, named++ == 0 ? "" : "; ");
            append_hold(api, hold.record, words);
        }
    }
    if (wait->count > named) {
        buf_printf(words, "%s%zu more holds", named == 0 ? "" : "; and ", wait->count - named);
    }
}

static void append_limit(struct api *api, const struct query_task *task, const struct wait *wait,
                         struct buf *words)
{
    const struct limit_record *limit = NULL;
    uint32_t used = 0;
    if (engine_limit(api->config.engine, task->constellation_id, wait->count, &limit, &used)) {
        buf_printf(words, "the limit %.*s is taken: %" PRIu32 " of %" PRIu32, STR_ARG(limit->name),
                   used, limit->capacity);
    } else {
        buf_append_text(words, "a limit is taken");
    }
}

const char *wait_kind_name(enum wait_kind kind)
{
    switch (kind) {
    case WAIT_NOTHING:
        return NULL;
    case WAIT_DEPENDENCIES:
        return "dependencies";
    case WAIT_INPUTS:
        return "inputs";
    case WAIT_BACKOFF:
        return "backoff";
    case WAIT_NO_DEVICE:
        return "no_device";
    case WAIT_OFFLINE:
        return "offline";
    case WAIT_SLOTS:
        return "slots";
    case WAIT_BLOCKED:
        return "blocked";
    case WAIT_STOPPING:
        return "stopping";
    case WAIT_DISCONNECTED:
        return "disconnected";
    case WAIT_TURN:
        return "turn";
    case WAIT_HELD:
        return "hold";
    case WAIT_FINALLY:
        return "finally";
    case WAIT_RESOURCES:
        return "resources";
    case WAIT_LIMIT:
        return "limit";
    case WAIT_DRAINED:
        return "drained";
    case WAIT_DECISION:
        return "decision";
    }
    return NULL;
}

bool wait_words(struct api *api, const struct view_rows *rows, struct buf *words)
{
    const struct query_task *task = &rows->task;
    if (task_state_is_final((enum task_state)task->record.state) ||
        engine_task(api->config.engine, task->constellation_id, task->record.id) == NULL) {
        return false;
    }
    struct wait wait = { .kind = WAIT_NOTHING };
    engine_explain(api->config.engine, task->constellation_id, task->record.id, api_now(api),
                   &wait);
    switch (wait.kind) {
    case WAIT_NOTHING:
        return false;
    case WAIT_DEPENDENCIES:
        append_dependencies(api, rows, &wait, words);
        break;
    case WAIT_INPUTS:
        buf_append_text(words, "its inputs are about to be filled in");
        break;
    case WAIT_BACKOFF:
        buf_append_text(words, "retries in ");
        append_span(words, wait.wake_ms);
        break;
    case WAIT_NO_DEVICE:
        append_no_device(&wait, words);
        break;
    case WAIT_OFFLINE:
        buf_append_text(words, wait.count == 1 ? "the one device that fits is not connected" : "");
        if (wait.count != 1) {
            buf_printf(words, "none of the %" PRIu32 " devices that fit is connected", wait.count);
        }
        break;
    case WAIT_SLOTS:
        if (wait.count == 1) {
            buf_append_text(words, "all slots of the one device that fits are taken");
        } else {
            buf_printf(words, "all slots of the %" PRIu32 " devices that fit are taken",
                       wait.count);
        }
        break;
    case WAIT_BLOCKED:
        buf_append_text(words, "nothing is assigned: the database was restored and devices have "
                               "seen a newer one (see asterismd restore --accept)");
        break;
    case WAIT_STOPPING:
        buf_append_text(words, "it has been told to stop");
        break;
    case WAIT_DISCONNECTED:
        append_disconnected(task, &wait, words);
        break;
    case WAIT_HELD:
        append_holds(api, task, &wait, words);
        break;
    case WAIT_FINALLY:
        if (wait.count == 0) {
            buf_append_text(words, "runs last, when nothing is held or left to decide");
        } else {
            buf_printf(words, "runs last: %" PRIu32 " %s left", wait.count,
                       wait.count == 1 ? "other is" : "others are");
        }
        break;
    case WAIT_RESOURCES:
        buf_append_text(words, "no device that fits has enough left");
        append_unmet(&wait, ": ", words);
        break;
    case WAIT_LIMIT:
        append_limit(api, task, &wait, words);
        break;
    case WAIT_DRAINED:
        buf_append_text(words, "the devices that fit are being drained");
        append_unmet(&wait, ": ", words);
        break;
    case WAIT_DECISION:
        buf_append_text(words, "whether it ran is not known: someone must decide");
        break;
    case WAIT_TURN:
        buf_append_text(words, "it is about to be assigned");
        break;
    }
    return true;
}
