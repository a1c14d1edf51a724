#include "orchestrator/spec/spec_keys.h"

#include "orchestrator/engine/selector.h"
#include "orchestrator/spec/spec_read.h"

#define ROW_COUNT     (sizeof rows / sizeof rows[0])
#define PLACE(member) offsetof(struct spec_draft, member)

enum {
    DESCRIPTION_BYTES_MAX = 4096,
    TEXT_BYTES_MAX = MSG_BODY_BYTES_MAX,
    SECOND_MS = 1000,
    HOUR_MS = 3600 * SECOND_MS,
    WEEK_MS = 7 * 24 * HOUR_MS,
    OUTPUT_BYTES_MAX = 1024 * 1024 * 1024,
    FACTOR_PERMILLE_MAX = 100 * 1000,
    HOLD_BYTES_MAX = 1024,
    LIMIT_MAX = 1000000,
    RESOURCE_MAX = 1000000, /* of all but memory */
};

/* In the order of the document. */
static const struct spec_key rows[] = {
    { SPEC_KEY_NAME, SPEC_WHERE_TOP, "name", "name", spec_read_name, PLACE(name), 1,
      PLAN_NAME_BYTES_MAX, "what the constellation is called" },
    { SPEC_KEY_DESCRIPTION, SPEC_WHERE_TOP, "description", "text", spec_read_text,
      PLACE(description), 0, DESCRIPTION_BYTES_MAX, "for people" },
    { SPEC_KEY_PRIORITY, SPEC_WHERE_TOP, "priority", "whole number", spec_read_integer,
      PLACE(priority), -PLAN_PRIORITY_MAX, PLAN_PRIORITY_MAX,
      "of its tasks that give none themselves; higher goes first" },
    { SPEC_KEY_PARAMS, SPEC_WHERE_TOP, "params", "mapping of params", spec_read_params, 0, 0, 0,
      "what a submission can set" },
    { SPEC_KEY_DEFAULTS, SPEC_WHERE_TOP, "defaults", "keys of a task", spec_read_defaults, 0, 0, 0,
      "what tasks have that do not say otherwise" },
    { SPEC_KEY_LIMITS, SPEC_WHERE_TOP, "limits", "mapping of whole numbers", spec_read_capacities,
      0, 1, LIMIT_MAX, "named limits, and how much of each there is" },
    { SPEC_KEY_DEADLINE, SPEC_WHERE_TOP, "deadline", "duration", spec_read_duration,
      PLACE(deadline_ms), 1, MSG_DURATION_MS_MAX, "how long all of it may take" },
    { SPEC_KEY_FAIL_FAST, SPEC_WHERE_TOP, "fail_fast", "true or false", spec_read_flag,
      PLACE(fail_fast), 0, 0, "the first failure stops the rest" },
    { SPEC_KEY_HOLD_ON_FAILURE, SPEC_WHERE_TOP, "hold_on_failure", "duration", spec_read_duration,
      PLACE(hold_on_failure_ms), 0, WEEK_MS, "of its tasks that give none themselves" },
    { SPEC_KEY_TASKS, SPEC_WHERE_TOP, "tasks", "mapping of tasks", spec_read_tasks, 0, 0, 0,
      "the tasks, each under its key" },

    { SPEC_KEY_PARAM_TYPE, SPEC_WHERE_PARAM, "type", "text, integer, number or boolean",
      spec_read_param_type, 0, 0, 0, "what it takes" },
    { SPEC_KEY_PARAM_DEFAULT, SPEC_WHERE_PARAM, "default", "text, number, true or false",
      spec_read_param_default, 0, 0, 0, "its value when the submission gives none" },
    { SPEC_KEY_PARAM_REQUIRED, SPEC_WHERE_PARAM, "required", "true or false", spec_read_flag,
      PLACE(required), 0, 0, "the submission must give it" },
    { SPEC_KEY_PARAM_DESCRIPTION, SPEC_WHERE_PARAM, "description", "text", spec_read_text,
      PLACE(description), 0, DESCRIPTION_BYTES_MAX, "for people" },

    { SPEC_KEY_RUN, SPEC_WHERE_TASK, "run", "list of text", spec_read_run, 0, 0, 0,
      "a program and its arguments; no shell" },
    { SPEC_KEY_SHELL, SPEC_WHERE_TASK, "shell", "text", spec_read_shell, PLACE(body.shell), 1,
      TEXT_BYTES_MAX, "a text for /bin/sh -c" },
    { SPEC_KEY_NOOP, SPEC_WHERE_TASK, "noop", "true", spec_read_noop, 0, 0, 0,
      "does nothing, on a device" },
    { SPEC_KEY_SLEEP, SPEC_WHERE_TASK, "sleep", "duration", spec_read_sleep, PLACE(body.sleep_ms),
      0, MSG_DURATION_MS_MAX, "waits, on a device" },
    { SPEC_KEY_NEEDS, SPEC_WHERE_TASK, "needs", "dependencies", spec_read_needs, 0, 0, 0,
      "what must have ended before, and how" },
    { SPEC_KEY_JOIN, SPEC_WHERE_TASK, "join", "all or any", spec_read_join, 0, 0, 0,
      "how many of its dependencies must be open" },
    { SPEC_KEY_EACH, SPEC_WHERE_TASK, "each", "name and values", spec_read_each, 0, 0, 0,
      "one task for each value" },
    { SPEC_KEY_GROUP, SPEC_WHERE_TASK, "group", "task key", spec_read_name, PLACE(group), 1,
      PLAN_KEY_BYTES_MAX, "what it was expanded from" },
    { SPEC_KEY_HOLD, SPEC_WHERE_TASK, "hold", "text", spec_read_text, PLACE(hold), 1,
      HOLD_BYTES_MAX, "why a person must approve it first" },
    { SPEC_KEY_FINALLY, SPEC_WHERE_TASK, "finally", "true or false", spec_read_finally, 0, 0, 0,
      "runs last, whatever became of the others" },
    { SPEC_KEY_ALLOW_FAILURE, SPEC_WHERE_TASK, "allow_failure", "true or false",
      spec_read_allow_failure, 0, 0, 0, "its failure is not the constellation's" },
    { SPEC_KEY_ENV, SPEC_WHERE_TASK, "env", "mapping of text", spec_read_env, 0, 0, 0,
      "variables of the environment" },
    { SPEC_KEY_STDIN, SPEC_WHERE_TASK, "stdin", "text", spec_read_stdin, PLACE(body.stdin_data), 0,
      TEXT_BYTES_MAX, "what it reads from its standard input" },
    { SPEC_KEY_CWD, SPEC_WHERE_TASK, "cwd", "absolute path", spec_read_cwd, PLACE(body.cwd), 1,
      MSG_PATH_BYTES_MAX, "the directory it runs in" },
    { SPEC_KEY_SELECTOR, SPEC_WHERE_TASK, "selector", "selector", spec_read_selector,
      PLACE(selector), 0, SELECTOR_BYTES_MAX, "labels of the devices that may run it" },
    { SPEC_KEY_DEVICE, SPEC_WHERE_TASK, "device", "device name", spec_read_device, PLACE(device), 1,
      MSG_NAME_BYTES_MAX, "the one device that may run it" },
    { SPEC_KEY_SAME_DEVICE, SPEC_WHERE_TASK, "same_device", "task key", spec_read_same_device, 0, 0,
      0, "on the device where that task ran" },
    { SPEC_KEY_OTHER_DEVICE, SPEC_WHERE_TASK, "other_device", "task key", spec_read_other_device, 0,
      0, 0, "on any device but the one where that task ran" },
    { SPEC_KEY_TOOLS, SPEC_WHERE_TASK, "tools", "names", spec_read_tools, 0, 0, 0,
      "programs that the device must have" },
    { SPEC_KEY_RESOURCES, SPEC_WHERE_TASK, "resources", "mapping of amounts", spec_read_resources,
      0, 1, RESOURCE_MAX, "what it takes of the device while it runs" },
    { SPEC_KEY_TASK_LIMITS, SPEC_WHERE_TASK, "limits", "limits", spec_read_limits, 0, 1, LIMIT_MAX,
      "what it takes of the limits of the top while it runs" },
    { SPEC_KEY_STRATEGY, SPEC_WHERE_TASK, "strategy", "strategy", spec_read_strategy, 0, 0, 0,
      "how a device is chosen among those that fit" },
    { SPEC_KEY_TASK_PRIORITY, SPEC_WHERE_TASK, "priority", "whole number", spec_read_integer,
      PLACE(priority), -PLAN_PRIORITY_MAX, PLAN_PRIORITY_MAX, "higher goes first" },
    { SPEC_KEY_EFFECT, SPEC_WHERE_TASK, "effect", "pure, idempotent or once", spec_read_effect, 0,
      0, 0, "what a second run would do" },
    { SPEC_KEY_RETRY, SPEC_WHERE_TASK, "retry", "keys of retry", spec_read_retry, 0, 0, 0,
      "how often it is tried, and when again" },
    { SPEC_KEY_TIMEOUT, SPEC_WHERE_TASK, "timeout", "duration", spec_read_timeout,
      PLACE(body.run_timeout_ms), 1, MSG_DURATION_MS_MAX, "how long an attempt may run" },
    { SPEC_KEY_TIMEOUTS, SPEC_WHERE_TASK, "timeouts", "keys of timeouts", spec_read_timeouts, 0, 0,
      0, "limits of time, by name" },
    { SPEC_KEY_KILL_GRACE, SPEC_WHERE_TASK, "kill_grace", "duration", spec_read_duration,
      PLACE(body.kill_grace_ms), 0, HOUR_MS, "from SIGTERM to SIGKILL" },
    { SPEC_KEY_ON_DISCONNECT, SPEC_WHERE_TASK, "on_disconnect", "continue or stop",
      spec_read_on_disconnect, 0, 0, 0, "what it does when its device is cut off" },
    { SPEC_KEY_OUTPUT, SPEC_WHERE_TASK, "output", "json", spec_read_output, 0, 0, 0,
      "its standard output is its output value" },
    { SPEC_KEY_MAX_OUTPUT, SPEC_WHERE_TASK, "max_output", "size", spec_read_size,
      PLACE(output_bytes_max), 1, OUTPUT_BYTES_MAX, "how much of each stream is kept" },
    { SPEC_KEY_TASK_HOLD_ON_FAILURE, SPEC_WHERE_TASK, "hold_on_failure", "duration",
      spec_read_duration, PLACE(hold_on_failure_ms), 0, WEEK_MS,
      "how long what its failure closes waits for someone to act" },
    { SPEC_KEY_TASK_DESCRIPTION, SPEC_WHERE_TASK, "description", "text", spec_read_text,
      PLACE(description), 0, DESCRIPTION_BYTES_MAX, "for people" },

    { SPEC_KEY_RETRY_MAX_ATTEMPTS, SPEC_WHERE_RETRY, "max_attempts", "whole number",
      spec_read_integer, PLACE(max_attempts), 1, PLAN_ATTEMPTS_MAX,
      "attempts that may end in failure or time out" },
    { SPEC_KEY_RETRY_BACKOFF, SPEC_WHERE_RETRY, "backoff", "duration", spec_read_duration,
      PLACE(backoff_ms), 0, WEEK_MS, "the longest wait before the second attempt" },
    { SPEC_KEY_RETRY_FACTOR, SPEC_WHERE_RETRY, "factor", "number", spec_read_factor,
      PLACE(factor_permille), 1000, FACTOR_PERMILLE_MAX, "by what each wait is longer" },
    { SPEC_KEY_RETRY_MAX_BACKOFF, SPEC_WHERE_RETRY, "max_backoff", "duration", spec_read_duration,
      PLACE(max_backoff_ms), 0, WEEK_MS, "the longest wait of all" },
    { SPEC_KEY_RETRY_MAX_LOST, SPEC_WHERE_RETRY, "max_lost", "whole number", spec_read_integer,
      PLACE(max_lost), 1, PLAN_ATTEMPTS_MAX, "attempts that may die with their device" },
    { SPEC_KEY_RETRY_ON, SPEC_WHERE_RETRY, "on", "exit, signal, timeout, start", spec_read_retry_on,
      0, 0, 0, "after which ends another attempt is made" },

    { SPEC_KEY_TIMEOUTS_QUEUE, SPEC_WHERE_TIMEOUTS, "queue", "duration", spec_read_duration,
      PLACE(queue_timeout_ms), 1, MSG_DURATION_MS_MAX, "from ready to assigned" },
    { SPEC_KEY_TIMEOUTS_START, SPEC_WHERE_TIMEOUTS, "start", "duration", spec_read_duration,
      PLACE(start_timeout_ms), 1, MSG_DURATION_MS_MAX, "from assigned to started" },
    { SPEC_KEY_TIMEOUTS_RUN, SPEC_WHERE_TIMEOUTS, "run", "duration", spec_read_timeout,
      PLACE(body.run_timeout_ms), 1, MSG_DURATION_MS_MAX, "the same as timeout" },
    { SPEC_KEY_TIMEOUTS_SILENCE, SPEC_WHERE_TIMEOUTS, "silence", "duration", spec_read_duration,
      PLACE(body.silence_timeout_ms), 1, MSG_DURATION_MS_MAX, "without a byte of output" },

    { SPEC_KEY_NEED_TASK, SPEC_WHERE_NEED, "task", "task key", spec_read_need_task, 0, 0, 0,
      "the task, or the group, that is needed" },
    { SPEC_KEY_NEED_WHEN, SPEC_WHERE_NEED, "when", "success, finished, failure or always",
      spec_read_need_when, 0, 0, 0, "how it must have ended" },
    { SPEC_KEY_NEED_IF, SPEC_WHERE_NEED, "if", "condition", spec_read_need_if, 0, 0, 0,
      "what must be true of how it ended" },
};

_Static_assert(SPEC_KEY_COUNT <= 64, "draft.seen has a bit for each key");
_Static_assert(ROW_COUNT == SPEC_KEY_COUNT, "each key has its row");

const struct spec_key *spec_keys(size_t *ret_count)
{
    *ret_count = ROW_COUNT;
    return rows;
}

const struct spec_key *spec_key_find(enum spec_where where, struct str name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].where == where && str_is(name, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *spec_key_names(enum spec_where where, struct arena *arena)
{
    struct buf names = { 0 };
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].where == where) {
            buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", rows[i].name);
        }
    }
    const char *copy = arena_copy(arena, names.data, names.length);
    buf_done(&names);
    return copy;
}
