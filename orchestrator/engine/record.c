#include "orchestrator/engine/record.h"

const char *constellation_state_name(enum constellation_state state)
{
    switch (state) {
    case CONSTELLATION_LOADING:
        return "loading";
    case CONSTELLATION_RUNNING:
        return "running";
    case CONSTELLATION_SUCCEEDED:
        return "succeeded";
    case CONSTELLATION_FAILED:
        return "failed";
    case CONSTELLATION_CANCELLED:
        return "cancelled";
    }
    return "none";
}

const char *task_state_name(enum task_state state)
{
    switch (state) {
    case TASK_WAITING:
        return "waiting";
    case TASK_ASSIGNED:
        return "assigned";
    case TASK_RUNNING:
        return "running";
    case TASK_BACKOFF:
        return "backoff";
    case TASK_SUCCEEDED:
        return "succeeded";
    case TASK_FAILED:
        return "failed";
    case TASK_CANCELLED:
        return "cancelled";
    case TASK_SKIPPED:
        return "skipped";
    case TASK_UNKNOWN:
        return "unknown";
    case TASK_STATES_END:
        break;
    }
    return "none";
}

const char *attempt_state_name(enum attempt_state state)
{
    switch (state) {
    case ATTEMPT_SENT:
        return "sent";
    case ATTEMPT_RUNNING:
        return "running";
    case ATTEMPT_STOPPING:
        return "stopping";
    case ATTEMPT_ENDED:
        return "ended";
    case ATTEMPT_LOST:
        return "lost";
    }
    return "none";
}

bool constellation_state_is_final(enum constellation_state state)
{
    return state == CONSTELLATION_SUCCEEDED || state == CONSTELLATION_FAILED ||
           state == CONSTELLATION_CANCELLED;
}

bool task_state_is_final(enum task_state state)
{
    return state >= TASK_SUCCEEDED && state <= TASK_SKIPPED;
}

const char *history_kind_name(enum history_kind kind)
{
    static const char *const names[HISTORY_KINDS_END] = {
        [HISTORY_DAEMON_STARTED] = "daemon.started",
        [HISTORY_CONSTELLATION_SUBMITTED] = "constellation.submitted",
        [HISTORY_CONSTELLATION_CANCEL] = "constellation.cancel_requested",
        [HISTORY_CONSTELLATION_FINISHED] = "constellation.finished",
        [HISTORY_CONSTELLATION_DELETED] = "constellation.deleted",
        [HISTORY_TASK_ASSIGNED] = "task.assigned",
        [HISTORY_TASK_STARTED] = "task.started",
        [HISTORY_TASK_ENDED] = "task.ended",
        [HISTORY_TASK_LOST] = "task.lost",
        [HISTORY_TASK_ADOPTED] = "task.adopted",
        [HISTORY_TASK_SKIPPED] = "task.skipped",
        [HISTORY_TASK_CANCELLED] = "task.cancelled",
        [HISTORY_TASK_FAILED] = "task.failed",
        [HISTORY_ATTEMPT_STALE] = "attempt.stale",
        [HISTORY_DEVICE_CONNECTED] = "device.connected",
        [HISTORY_DEVICE_DISCONNECTED] = "device.disconnected",
        [HISTORY_DEVICE_REFUSED] = "device.refused",
        [HISTORY_TOKEN_CREATED] = "token.created",
        [HISTORY_TOKEN_REVOKED] = "token.revoked",
        [HISTORY_RESTORE_BLOCKED] = "restore.blocked",
        [HISTORY_CONSTELLATION_EDITED] = "constellation.edited",
        [HISTORY_CONSTELLATION_REOPENED] = "constellation.reopened",
        [HISTORY_CONSTELLATION_STOPPING] = "constellation.stopping",
        [HISTORY_HOLD_PLACED] = "hold.placed",
        [HISTORY_HOLD_RELEASED] = "hold.released",
        [HISTORY_TASK_REOPENED] = "task.reopened",
        [HISTORY_TASK_UNKNOWN] = "task.unknown",
        [HISTORY_TASK_RESOLVED] = "task.resolved",
        [HISTORY_TASK_SUCCEEDED] = "task.succeeded",
        [HISTORY_DEVICE_DRAINED] = "device.drained",
        [HISTORY_CONDITION_FAILED] = "condition.failed",
    };
    return (unsigned)kind < HISTORY_KINDS_END && names[kind] != NULL ? names[kind] : "unknown";
}

const char *edge_when_name(enum edge_when when)
{
    switch (when) {
    case EDGE_WHEN_SUCCESS:
        return "success";
    case EDGE_WHEN_FINISHED:
        return "finished";
    case EDGE_WHEN_FAILURE:
        return "failure";
    case EDGE_WHEN_ALWAYS:
        return "always";
    }
    return "none";
}

const char *task_effect_name(enum task_effect effect)
{
    switch (effect) {
    case TASK_IDEMPOTENT:
        return "idempotent";
    case TASK_PURE:
        return "pure";
    case TASK_ONCE:
        return "once";
    }
    return "none";
}

const char *strategy_name(enum strategy strategy)
{
    switch (strategy) {
    case STRATEGY_LEAST_LOADED:
        return "least_loaded";
    case STRATEGY_ROUND_ROBIN:
        return "round_robin";
    case STRATEGY_SPREAD:
        return "spread";
    case STRATEGY_PACK:
        return "pack";
    }
    return "none";
}

const char *author_kind_name(enum author_kind kind)
{
    switch (kind) {
    case AUTHOR_USER:
        return "user";
    case AUTHOR_RULE:
        return "rule";
    case AUTHOR_PLANNER:
        return "planner";
    }
    return "user";
}
