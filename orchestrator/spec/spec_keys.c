#include "orchestrator/spec/spec_keys.h"

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
    { SPEC_KEY_TASKS, SPEC_WHERE_TOP, "tasks", "mapping", spec_read_tasks, 0, 0, 0,
      "the tasks, each under its key" },

    { SPEC_KEY_RUN, SPEC_WHERE_TASK, "run", "list of text", spec_read_run, 0, 0, 0,
      "a program and its arguments; no shell" },
    { SPEC_KEY_SHELL, SPEC_WHERE_TASK, "shell", "text", spec_read_shell, PLACE(body.shell), 1,
      TEXT_BYTES_MAX, "a text for /bin/sh -c" },
    { SPEC_KEY_NOOP, SPEC_WHERE_TASK, "noop", "true", spec_read_noop, 0, 0, 0,
      "does nothing, on a device" },
    { SPEC_KEY_SLEEP, SPEC_WHERE_TASK, "sleep", "duration", spec_read_sleep, PLACE(body.sleep_ms),
      0, MSG_DURATION_MS_MAX, "waits, on a device" },
    { SPEC_KEY_NEEDS, SPEC_WHERE_TASK, "needs", "list of task keys", spec_read_needs, 0, 0, 0,
      "what must have succeeded before" },
    { SPEC_KEY_ENV, SPEC_WHERE_TASK, "env", "mapping of text", spec_read_env, 0, 0, 0,
      "variables of the environment" },
    { SPEC_KEY_STDIN, SPEC_WHERE_TASK, "stdin", "text", spec_read_stdin, PLACE(body.stdin_data), 0,
      TEXT_BYTES_MAX, "what it reads from its standard input" },
    { SPEC_KEY_CWD, SPEC_WHERE_TASK, "cwd", "absolute path", spec_read_cwd, PLACE(body.cwd), 1,
      MSG_PATH_BYTES_MAX, "the directory it runs in" },
    { SPEC_KEY_SELECTOR, SPEC_WHERE_TASK, "selector", "selector", spec_read_selector,
      PLACE(selector), 0, 1024, "labels of the devices that may run it" },
    { SPEC_KEY_DEVICE, SPEC_WHERE_TASK, "device", "device name", spec_read_device, PLACE(device), 1,
      MSG_NAME_BYTES_MAX, "the one device that may run it" },
    { SPEC_KEY_TASK_PRIORITY, SPEC_WHERE_TASK, "priority", "whole number", spec_read_integer,
      PLACE(priority), -PLAN_PRIORITY_MAX, PLAN_PRIORITY_MAX, "higher goes first" },
    { SPEC_KEY_RETRY, SPEC_WHERE_TASK, "retry", "mapping", spec_read_retry, 0, 0, 0,
      "how often it is tried, and when again" },
    { SPEC_KEY_TIMEOUT, SPEC_WHERE_TASK, "timeout", "duration", spec_read_timeout,
      PLACE(body.run_timeout_ms), 1, MSG_DURATION_MS_MAX, "how long an attempt may run" },
    { SPEC_KEY_TIMEOUTS, SPEC_WHERE_TASK, "timeouts", "mapping", spec_read_timeouts, 0, 0, 0,
      "limits of time, by name" },
    { SPEC_KEY_KILL_GRACE, SPEC_WHERE_TASK, "kill_grace", "duration", spec_read_duration,
      PLACE(body.kill_grace_ms), 0, HOUR_MS, "from SIGTERM to SIGKILL" },
    { SPEC_KEY_ON_DISCONNECT, SPEC_WHERE_TASK, "on_disconnect", "continue or stop",
      spec_read_on_disconnect, 0, 0, 0, "what it does when its device is cut off" },
    { SPEC_KEY_OUTPUT, SPEC_WHERE_TASK, "output", "json", spec_read_output, 0, 0, 0,
      "its standard output is its output value" },
    { SPEC_KEY_MAX_OUTPUT, SPEC_WHERE_TASK, "max_output", "size", spec_read_size,
      PLACE(output_bytes_max), 1, OUTPUT_BYTES_MAX, "how much of each stream is kept" },
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

    { SPEC_KEY_TIMEOUTS_RUN, SPEC_WHERE_TIMEOUTS, "run", "duration", spec_read_timeout,
      PLACE(body.run_timeout_ms), 1, MSG_DURATION_MS_MAX, "the same as timeout" },

    { SPEC_KEY_NEED_TASK, SPEC_WHERE_NEED, "task", "task key", spec_read_need_task, 0, 0, 0,
      "the task that is needed" },
    { SPEC_KEY_NEED_WHEN, SPEC_WHERE_NEED, "when", "success", spec_read_need_when, 0, 0, 0,
      "how it must have ended" },
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
