/* How much one question to the API and its answer may hold: bytes of a page of tasks, dependencies of a
   task, keys asked for, arguments. What is left out is said, or comes with the next page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/api/args.h"
#include "orchestrator/api/job.h"
#include "orchestrator/api/view.h"
#include "tests/unit/api_house.h"

#define ONE_NOOP "name: one\ntasks:\n  a: {noop: true}\n"
#define TASKS    "/api/v1/constellations/@last/tasks"

/* Each heavy task needs all the light ones, whose keys are as long as keys may be. */
enum { HEAVY = 30, LIGHT = VIEW_NEEDS_MAX + 1, PAGE_SLACK = 256 * 1024 };

static int set_up(void **state)
{
    *state = house_new();
    return 0;
}

static int tear_down(void **state)
{
    house_free(*state);
    return 0;
}

static void submit_heavy(struct house *house)
{
    struct buf spec = { NULL, 0, 0 };
    char id[160];
    buf_append_text(&spec, "{\"name\": \"heavy\", \"tasks\": {");
    for (int i = 0; i < HEAVY; i++) {
        buf_printf(&spec, "\"heavy-%d\": {\"noop\": true, \"needs\": [", i);
        for (int need = 0; need < LIGHT; need++) {
            buf_printf(&spec, "%s\"%0*d\"", need > 0 ? "," : "", PLAN_KEY_BYTES_MAX, need);
        }
        buf_append_text(&spec, "]},\n");
    }
    for (int i = 0; i < LIGHT; i++) {
        buf_printf(&spec, "%s\"%0*d\": {\"noop\": true}", i > 0 ? "," : "", PLAN_KEY_BYTES_MAX, i);
    }
    buf_append_text(&spec, "}}");
    house_submit(house, buf_text(&spec), id);
    buf_done(&spec);
}

/* In the order they were written, none twice. */
static void expect_keys(const json_t *tasks, size_t first)
{
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        size_t index = first + i;
        char wanted[PLAN_KEY_BYTES_MAX + 1];
        if (index < HEAVY) {
            snprintf(wanted, sizeof(wanted), "heavy-%zu", index);
        } else {
            snprintf(wanted, sizeof(wanted), "%0*zu", PLAN_KEY_BYTES_MAX, index - HEAVY);
        }
        const json_t *key = json_object_get(json_array_get(tasks, i), "key");
        assert_string_equal(json_string_value(key), wanted);
    }
}

static void a_page_ends_early_when_its_tasks_are_large(void **state)
{
    struct house *house = *state;
    submit_heavy(house);
    size_t seen = 0;
    int pages = 0;
    for (int64_t after = 0;; pages++) {
        char path[128];
        snprintf(path, sizeof(path), TASKS "?limit=%d&after=%lld", API_PAGE_MAX, (long long)after);
        struct answer answer = house_get(house, path);
        assert_int_equal(answer.status, 200);
        const json_t *tasks = json_object_get(answer.json, "tasks");
        if (pages == 0) {
            assert_true(json_array_size(tasks) < HEAVY);
            assert_in_range(answer.body_bytes, API_PAGE_BYTES_MAX, API_PAGE_BYTES_MAX + PAGE_SLACK);
        } else if (pages == 1) {
            assert_int_equal(json_array_size(tasks), API_PAGE_MAX);
        }
        expect_keys(tasks, seen);
        seen += json_array_size(tasks);
        bool is_last = json_is_null(json_object_get(answer.json, "next"));
        after = answer_number(&answer, "next");
        answer_done(&answer);
        if (is_last) {
            break;
        }
    }
    assert_int_equal(seen, HEAVY + LIGHT);
    assert_int_equal(pages, 2);
}

static void of_many_dependencies_the_first_are_listed(void **state)
{
    struct house *house = *state;
    submit_heavy(house);
    struct answer answer = house_get(house, TASKS "/heavy-0");
    assert_int_equal(answer.status, 200);
    const json_t *needs = json_object_get(answer.json, "needs");
    assert_int_equal(json_array_size(needs), VIEW_NEEDS_MAX);
    char last[PLAN_KEY_BYTES_MAX + 1];
    snprintf(last, sizeof(last), "%0*d", PLAN_KEY_BYTES_MAX, VIEW_NEEDS_MAX - 1);
    const json_t *need = json_array_get(needs, VIEW_NEEDS_MAX - 1);
    assert_string_equal(json_string_value(json_object_get(need, "task")), last);
    answer_done(&answer);
}

static int ask_for_keys(struct house *house, size_t count)
{
    struct buf path = { NULL, 0, 0 };
    buf_append_text(&path, TASKS "?keys=a");
    for (size_t i = 1; i < count; i++) {
        buf_append_text(&path, ",a");
    }
    struct answer answer = house_get(house, buf_text(&path));
    int status = answer.status;
    answer_done(&answer);
    buf_done(&path);
    return status;
}

static void more_keys_than_a_page_has_tasks_are_refused(void **state)
{
    struct house *house = *state;
    house_submit(house, ONE_NOOP, (char[160]){ 0 });
    assert_int_equal(ask_for_keys(house, API_PAGE_MAX), 200);
    assert_int_equal(ask_for_keys(house, API_PAGE_MAX + 1), 400);
    assert_int_equal(ask_for_keys(house, 1), 200);
}

/* More than fits into the headers of a request: only the reader itself can be shown it. */
static void an_argument_has_a_limit(void **state)
{
    (void)state;
    static const char *const known[] = { "a", NULL };
    static char query[ARG_VALUE_BYTES_MAX + 8] = "a=";
    struct arena arena = { .blocks = NULL };
    struct args args;
    struct reason reason;
    memset(query + 2, 'x', ARG_VALUE_BYTES_MAX);
    assert_int_equal(args_read(str_of(query), known, &arena, &args, &reason), ERR_NONE);
    query[ARG_VALUE_BYTES_MAX + 2] = 'x';
    assert_int_equal(args_read(str_of(query), known, &arena, &args, &reason), ERR_INVALID);
    arena_done(&arena);
}

static int submit_with_key(struct house *house, int bytes)
{
    char header[300];
    snprintf(header, sizeof(header), "Idempotency-Key: %0*d\r\n", bytes, 7);
    struct request request = { "POST", "/api/v1/constellations", header, STR(ONE_NOOP), false };
    struct answer answer = house_ask(house, &request);
    int status = answer.status;
    answer_done(&answer);
    return status;
}

static void an_idempotency_key_has_a_limit(void **state)
{
    struct house *house = *state;
    assert_int_equal(submit_with_key(house, JOB_KEY_BYTES_MAX + 1), 400);
    assert_int_equal(submit_with_key(house, JOB_KEY_BYTES_MAX), 201);
}

static void arguments_have_a_limit(void **state)
{
    (void)state;
    static char names[ARGS_MAX + 1][16];
    const char *known[ARGS_MAX + 2] = { NULL };
    struct buf query = { NULL, 0, 0 };
    struct arena arena = { .blocks = NULL };
    struct args args;
    struct reason reason;
    for (int i = 0; i <= ARGS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "a%d", i);
        known[i] = names[i];
        buf_printf(&query, "%s%s=x", i > 0 ? "&" : "", names[i]);
        enum err wanted = i < ARGS_MAX ? ERR_NONE : ERR_INVALID;
        assert_int_equal(args_read(str_of(buf_text(&query)), known, &arena, &args, &reason),
                         wanted);
    }
    arena_done(&arena);
    buf_done(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_A_HOUSE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        IN_A_HOUSE(a_page_ends_early_when_its_tasks_are_large),
        IN_A_HOUSE(of_many_dependencies_the_first_are_listed),
        IN_A_HOUSE(more_keys_than_a_page_has_tasks_are_refused),
        IN_A_HOUSE(an_idempotency_key_has_a_limit),
        cmocka_unit_test(an_argument_has_a_limit),
        cmocka_unit_test(arguments_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
