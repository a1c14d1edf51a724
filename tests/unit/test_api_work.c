/* How much of a large plan one request may go through in the loop: what is more belongs beside it (P8).
   And pages of tasks of which only the engine knows whether they are wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/store/sqlite_db.h"
#include "tests/unit/trial.h"

enum {
    TASKS = 3000,
    REVISIONS = 150,
    REVISION_TASKS = 20,
    LOOP_STEPS_MAX = 1000, /* of SQLite's machine: far less than a millisecond */
    READY_EACH = 100,      /* one task in so many has no dependency */
};

static struct trial *submit_large(void)
{
    struct buf spec = { NULL, 0, 0 };
    buf_append_text(&spec, "name: large\ntasks:\n");
    for (int i = 0; i < TASKS; i++) {
        buf_printf(&spec, "  t%d: {run: [ls]", i);
        if (i % READY_EACH > 1) {
            buf_printf(&spec, ", needs: [t%d, t%d]", i - 1, i / READY_EACH * READY_EACH);
        } else if (i % READY_EACH == 1) {
            buf_printf(&spec, ", needs: [t%d]", i - 1);
        }
        buf_append_text(&spec, "}\n");
    }
    struct trial *trial = trial_new(buf_text(&spec));
    buf_done(&spec);
    return trial;
}

static void edit_often(struct trial *trial)
{
    for (int i = 0; i < REVISIONS; i++) {
        struct buf body = { NULL, 0, 0 };
        buf_append_text(&body, "{\"operations\":[");
        for (int k = 0; k < REVISION_TASKS; k++) {
            buf_printf(&body,
                       "%s{\"op\":\"update_task\",\"task\":\"t%d\",\"set\":{\"priority\":%d}}",
                       k == 0 ? "" : ",", i * REVISION_TASKS + k, i % 7 + 1);
        }
        buf_append_text(&body, "]}");
        trial_expect(trial, "POST", "/edits", buf_text(&body), 200);
        buf_done(&body);
    }
}

static int set_up(void **state)
{
    *state = submit_large();
    return 0;
}

/* The path of a route, with what is large where it can be chosen. */
static void path_of(const struct trial *trial, const char *pattern, struct buf *path)
{
    static const struct {
        const char *name;
        const char *value;
    } values[] = { { "{key}", "t2999" }, { "{revision}", "2" }, { "{name}", "edit" },
                   { "{hold}", "1" },    { "{token}", "1" },    { "{id}", NULL } };
    while (*pattern != '\0') {
        size_t i = 0;
        while (i < sizeof(values) / sizeof(values[0]) &&
               strncmp(pattern, values[i].name, strlen(values[i].name)) != 0) {
            i++;
        }
        if (i == sizeof(values) / sizeof(values[0])) {
            buf_append(path, pattern++, 1);
        } else {
            buf_append_text(path, values[i].value == NULL ? trial->id : values[i].value);
            pattern += strlen(values[i].name);
        }
    }
}

static const char *query_of(const char *operation)
{
    static const char *const queries[][2] = {
        { "listTasks", "?limit=1000" },     { "listConstellations", "?limit=1000" },
        { "listRevisions", "?limit=1000" }, { "diffRevisions", "?from=1" },
        { "getPlan", "?revision=1" },       { "getContext", "?max_bytes=4194304" },
    };
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        if (strcmp(operation, queries[i][0]) == 0) {
            return queries[i][1];
        }
    }
    return "";
}

static void no_read_goes_through_much_of_a_plan_in_the_loop(void **state)
{
    struct trial *trial = *state;
    struct api_route_view route;
    size_t at = 0;
    size_t asked = 0;
    edit_often(trial);
    while (api_each_route(&at, &route)) {
        bool is_stream = strncmp(route.operation, "follow", 6) == 0; /* these go on, by slices */
        if (strcmp(route.method, "GET") != 0 || is_stream) {
            continue;
        }
        struct buf path = { NULL, 0, 0 };
        path_of(trial, route.path, &path);
        buf_append_text(&path, query_of(route.operation));
        int64_t before = store_sqlite_steps(trial->house->store);
        struct answer answer = house_get(trial->house, buf_text(&path));
        int64_t steps = store_sqlite_steps(trial->house->store) - before;
        if (steps > LOOP_STEPS_MAX) {
            fail_msg("%s: %lld steps in the loop", buf_text(&path), (long long)steps);
        }
        asked += answer.status == route.status;
        answer_done(&answer);
        buf_done(&path);
    }
    assert_true(asked >= 20);
}

static size_t count_ready(struct trial *trial, const char *state, size_t limit, int *ret_pages)
{
    size_t seen = 0;
    int64_t after = 0;
    bool is_last = false;
    for (*ret_pages = 0; !is_last; ++*ret_pages) {
        char path[300];
        snprintf(path, sizeof(path),
                 "/api/v1/constellations/%s/tasks?state=%s&limit=%zu&after=%lld", trial->id, state,
                 limit, (long long)after);
        struct answer answer = house_get(trial->house, path);
        assert_int_equal(answer.status, 200);
        const json_t *tasks = json_object_get(answer.json, "tasks");
        assert_in_range(json_array_size(tasks), 0, limit);
        for (size_t i = 0; i < json_array_size(tasks); i++) {
            const json_t *task = json_array_get(tasks, i);
            assert_string_equal(json_string_value(json_object_get(task, "state")), state);
        }
        seen += json_array_size(tasks);
        is_last = json_is_null(json_object_get(answer.json, "next"));
        after = answer_number(&answer, "next");
        answer_done(&answer);
    }
    return seen;
}

static void ready_tasks_are_found_among_many_that_wait(void **state)
{
    struct trial *trial = *state;
    int pages = 0;
    assert_int_equal(count_ready(trial, "ready", 10, &pages), TASKS / READY_EACH);
    assert_int_equal(pages, 3);
    assert_int_equal(count_ready(trial, "waiting", 1000, &pages), TASKS - TASKS / READY_EACH);
    assert_int_equal(pages, 3);
}

/* Of a task whose dependencies change only these are read, of the constellation nothing that the engine knows.
   The statements that write are among the steps. */
static void an_edit_of_one_operation_reads_what_it_touches(void **state)
{
    static const struct {
        const char *operation;
        int steps_max;
    } edits[] = {
        { "\"add_dependency\",\"from\":\"t101\",\"to\":\"t2950\"", 310 },
        { "\"update_dependency\",\"from\":\"t101\",\"to\":\"t2950\",\"when\":\"finished\"", 380 },
        { "\"remove_dependency\",\"from\":\"t101\",\"to\":\"t2950\"", 400 },
        { "\"update_task\",\"task\":\"t2950\",\"set\":{\"priority\":3}", 440 },
        { "\"add_task\",\"task\":\"x\",\"spec\":{\"run\":[\"ls\"],\"needs\":[\"t1\",\"t2\"]}",
          430 },
        { "\"remove_task\",\"task\":\"x\"", 790 },
    };
    struct trial *trial = *state;
    trial_expect(trial, "POST", "/edits",
                 "{\"operations\":[{\"op\":\"add_dependency\",\"from\":\"t1\",\"to\":\"t2951\"}]}",
                 200);
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "{\"operations\":[{\"op\":%s}]}", edits[i].operation);
        int64_t before = store_sqlite_steps(trial->house->store);
        trial_expect(trial, "POST", "/edits", body, 200);
        int64_t steps = store_sqlite_steps(trial->house->store) - before;
        if (steps > edits[i].steps_max) {
            fail_msg("%s: %lld steps", body, (long long)steps);
        }
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, trial_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(no_read_goes_through_much_of_a_plan_in_the_loop),
        ROW(an_edit_of_one_operation_reads_what_it_touches),
        ROW(ready_tasks_are_found_among_many_that_wait),
    };
    return cmocka_run_group_tests_name("api_work", tests, NULL, NULL);
}
