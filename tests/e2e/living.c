#include "tests/e2e/living.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"
#include "tests/e2e/marks.h"

/* What a task does is a text behind its marks. `begun`: how often, undisturbed, over both rounds. */
struct living_task {
    const char *key;
    const char *role; /* "": a gate */
    const char *text;
    const char *keys; /* further ones of the spec */
    const char *state;
    unsigned ms;
    unsigned begun;
};

#define FAILS_ONCE "mkdir \"$MARKS-$KEY\" 2>/dev/null && exit 1; echo $KEY"

static const struct living_task tasks[] = {
    { "count", "desktop", "echo 7", "", "succeeded", 80, 2 },
    { "fails", "server", "exit 3", "allow_failure: true", "failed", 120, 1 },
    { "flaky", "edge", FAILS_ONCE, "retry: {max_attempts: 2, backoff: 100ms}", "succeeded", 60, 2 },
    { "many", "edge", "echo $KEY", "needs: {task: count, if: \"number > 5\"}", "succeeded", 70, 2 },
    { "more", "edge", "echo $KEY", "needs: {task: count, if: \"number > 50\"}", "skipped", 50, 0 },
    { "behind", "edge", "echo $KEY", "needs: more", "skipped", 50, 0 },
    { "mourn", "server", "echo $KEY", "needs: {task: fails, when: failure, if: \"exit_code = 3\"}",
      "succeeded", 90, 1 },
    { "close", "server", "echo $KEY", "needs: {task: fails, when: finished}", "succeeded", 50, 1 },
    { "anyway", "desktop", "echo $KEY", "needs: [{task: behind, when: always}, many]", "succeeded",
      60, 2 },
    { "first", "server", "echo $KEY", "join: any, needs: [more, mourn]", "succeeded", 70, 2 },
    { "gate", "", "", "needs: [mourn, close, flaky]", "succeeded", 0, 0 },
    { "approve", "", "", "needs: gate, hold: \"go on?\"", "succeeded", 0, 0 },
    { "after", "edge", "echo $KEY", "needs: approve, effect: once", "succeeded", 80, 1 },
    { "deny", "", "", "needs: gate, hold: \"never?\", allow_failure: true", "failed", 0, 0 },
    { "undo", "desktop", "echo $KEY", "needs: {task: deny, when: failure}", "succeeded", 60, 1 },
    { "breaks", "server", FAILS_ONCE, "hold_on_failure: 1h", "succeeded", 50, 2 },
    { "mend", "desktop", "echo $KEY", "needs: {task: breaks, when: failure}", "succeeded", 60, 1 },
    { "stuck", "edge", "echo $KEY", "needs: breaks", "succeeded", 50, 1 },
    { "sign", "", "", "hold: \"is what comes held?\"", "succeeded", 0, 0 },
    { "held", "desktop", "echo $KEY", "needs: [gate, sign]", "succeeded", 50, 1 },
    { "last", "server", "echo \"$KEY $IN\"",
      "finally: true, env: {IN: \"${{ tasks.many.stdout || 'none' }} ${{ tasks.more.stdout || "
      "'none' }} ${{ tasks.stuck.stdout || 'none' }} ${{ tasks.deny.state || 'none' }}\"}",
      "succeeded", 50, 2 },
};

enum { TASKS_COUNT = sizeof tasks / sizeof tasks[0] };

static void write_task(struct buf *to, const struct living_task *task, const char *marks)
{
    if (task->role[0] == 0) {
        buf_printf(to, "  %s: {%s}\n", task->key, task->keys);
        return;
    }
    buf_printf(to, "  %s:\n    {%s%sselector: role=%s,\n     shell: 'KEY=%s; MARKS=\"%s\";",
               task->key, task->keys, task->keys[0] == 0 ? "" : ", ", task->role, task->key, marks);
    buf_printf(to,
               " echo \"$KEY $ASTERISM_ATTEMPT $$ begin\" >>\"$MARKS\"; sleep 0.%03u;"
               " echo \"$KEY $ASTERISM_ATTEMPT $$ end\" >>\"$MARKS\"; %s'}\n",
               task->ms, task->text);
}

const char *living_spec(struct fleet *fleet)
{
    struct buf text = { 0 };
    buf_append_text(&text, "name: living\ntasks:\n");
    for (size_t i = 0; i < TASKS_COUNT; i++) {
        write_task(&text, &tasks[i], fleet_path(fleet, "marks"));
    }
    const char *path = fleet_write(fleet, "living.yaml", buf_text(&text));
    buf_done(&text);
    return path;
}

/* --- The person --- */

static int64_t round_of(struct fleet *fleet, const char *key)
{
    char path[128];
    snprintf(path, sizeof path, "/api/v1/constellations/@last/tasks/%s", key);
    json_t *task = ask_json(fleet, path);
    int64_t round = number_of(task, "round");
    json_decref(task);
    return round;
}

/* The number of the hold that was placed by hand; 0: there is none; -1: nobody answers. */
static int64_t hold_by_hand(struct fleet *fleet)
{
    json_t *answer = ask_json(fleet, "/api/v1/constellations/@last/holds");
    int64_t found = answer == NULL ? -1 : 0;
    size_t at = 0;
    const json_t *hold = NULL;
    json_array_foreach(json_object_get(answer, "holds"), at, hold)
    {
        if (strcmp(text_of(hold, "reason"), "by hand") == 0) {
            found = number_of(hold, "id");
        }
    }
    json_decref(answer);
    return found;
}

static bool is_state(struct fleet *fleet, const char *key, const char *state)
{
    return strcmp(state_of(fleet, "@last", key), state) == 0;
}

/* Begins the command of the act; false: it is not time for it. */
static bool begin(struct living *living, struct fleet *fleet)
{
    struct process *command = &living->command;
    char number[32];
    switch (living->act) {
    case LIVING_APPROVES:
        if (is_state(fleet, "approve", "ready")) {
            cli_start(fleet, command, "approve", "@last/approve", NULL);
        }
        break;
    case LIVING_DENIES:
        if (is_state(fleet, "deny", "ready")) {
            cli_start(fleet, command, "deny", "@last/deny", NULL);
        }
        break;
    case LIVING_RELEASES:
        snprintf(number, sizeof number, "%lld", (long long)hold_by_hand(fleet));
        if (number[0] != '-' && number[0] != '0') {
            cli_start(fleet, command, "release", "@last", number, NULL);
        }
        break;
    case LIVING_RETRIES:
        if (is_state(fleet, "breaks", "failed")) {
            cli_start(fleet, command, "retry", "@last", "breaks", NULL);
        }
        break;
    case LIVING_RERUNS:
        if (is_state(fleet, NULL, "succeeded") && round_of(fleet, "count") == 1) {
            cli_start(fleet, command, "rerun", "@last", "count", NULL);
        }
        break;
    case LIVING_RESTS:
        break;
    }
    return command->pid != 0;
}

static bool is_done(enum living_act act, struct fleet *fleet)
{
    switch (act) {
    case LIVING_APPROVES:
        return is_state(fleet, "approve", "succeeded");
    case LIVING_DENIES:
        return is_state(fleet, "deny", "failed");
    case LIVING_RELEASES:
        return hold_by_hand(fleet) == 0;
    case LIVING_RETRIES:
        return round_of(fleet, "breaks") == 2;
    case LIVING_RERUNS:
        return round_of(fleet, "count") == 2;
    case LIVING_RESTS:
        break;
    }
    return false;
}

void living_step(struct living *living, struct fleet *fleet, bool allowed)
{
    if (living->command.pid != 0 && !process_has_ended(&living->command)) {
        return;
    }
    living->command.pid = 0;
    if (living->act == LIVING_RESTS) {
        return;
    }
    /* What waits for it has not begun, however often the daemon has died. */
    if (!allowed && living->act == LIVING_APPROVES) {
        assert_int_equal(marks_begun(fleet, "after") + marks_begun(fleet, "undo"), 0);
        assert_int_equal(marks_begun(fleet, "held") + marks_begun(fleet, "stuck"), 0);
        return;
    }
    if (is_done(living->act, fleet)) {
        living->act++;
    } else if (allowed) {
        begin(living, fleet);
    }
}

bool living_has_ended(const struct living *living, struct fleet *fleet)
{
    return living->act == LIVING_RESTS && is_state(fleet, NULL, "succeeded");
}

void living_judge(struct fleet *fleet)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < TASKS_COUNT; i++) {
        const struct living_task *task = &tasks[i];
        const char *state = state_of(fleet, "@last", task->key);
        size_t begun = marks_begun(fleet, task->key);
        size_t ended = marks_ended(fleet, task->key);
        if (strcmp(state, task->state) != 0 || begun != task->begun || ended != task->begun) {
            fprintf(stderr, "%s is %s, not %s; began %zu times and ended %zu times, not %u\n",
                    task->key, state, task->state, begun, ended, task->begun);
            wrong++;
        }
    }
    if (wrong > 0) {
        file_show(fleet_path(fleet, "marks"));
        fail_msg("%u tasks are not as they should be", wrong);
    }
    struct said said = cli(fleet, "logs", "@last/last", NULL);
    assert_string_equal(said.out, "last many none stuck failed\n");
    said_done(&said);
}
