/* Edits at random: whatever is edited was foretold, can be read as it was, and can be taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/rng.h"
#include "tests/unit/trial.h"

#define CHAIN                                                                                      \
    "name: chain\ntasks:\n  first: {run: [echo, hi]}\n  second: {run: [ls], needs: first}\n"       \
    "  third: {run: [ls], needs: [{task: second, when: failure}]}\n"

static int set_up(void **state)
{
    *state = trial_new(CHAIN);
    return 0;
}

enum { RANDOM_EDITS = 250, RANDOM_KEYS = 12 };

static int compare_needs(const void *a, const void *b)
{
    const json_t *const *x = a;
    const json_t *const *y = b;
    char *left = json_dumps(*x, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    char *right = json_dumps(*y, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    int order = strcmp(left, right);
    free(left);
    free(right);
    return order;
}

/* A plan says the same in whatever order its dependencies stand. */
static json_t *plan_of(struct trial *trial, const char *rest)
{
    struct buf text = trial_read(trial, rest);
    json_t *plan = json_loads(buf_text(&text), 0, NULL);
    assert_non_null(plan);
    buf_done(&text);
    const char *key = NULL;
    json_t *task = NULL;
    json_object_foreach(json_object_get(plan, "tasks"), key, task)
    {
        const json_t *needs = json_object_get(task, "needs");
        json_t *list[64];
        size_t count = json_array_size(needs);
        assert_true(count <= sizeof(list) / sizeof(list[0]));
        for (size_t i = 0; i < count; i++) {
            list[i] = json_incref(json_array_get(needs, i));
        }
        if (count > 0) {
            qsort(list, count, sizeof(list[0]), compare_needs);
            json_t *sorted = json_array();
            for (size_t i = 0; i < count; i++) {
                json_array_append_new(sorted, list[i]);
            }
            json_object_set_new(task, "needs", sorted);
        }
    }
    return plan;
}

static void expect_plan(struct trial *trial, const char *rest, const json_t *expected)
{
    json_t *plan = plan_of(trial, rest);
    if (!json_equal(plan, expected)) {
        char *a = json_dumps(plan, JSON_SORT_KEYS);
        char *b = json_dumps(expected, JSON_SORT_KEYS);
        fail_msg("%s\n%s\n%s", rest, a, b);
    }
    json_decref(plan);
}

static void add_operation(struct buf *batch, struct rng *rng)
{
    static const char *const whens[] = { "success", "finished", "failure", "always" };
    static const char *const conditions[] = { "", ", \"if\": \"exit_code > 1\"",
                                              ", \"if\": \"number = 3\"" };
    static const char *const sets[] = {
        "\"priority\": 3",           "\"priority\": null",
        "\"run\": [\"ls\", \"-a\"]", "\"shell\": \"ls\", \"description\": \"d\"",
        "\"join\": \"any\"",         "\"join\": null, \"allow_failure\": true",
        "\"needs\": null",           "\"retry\": {\"max_attempts\": 4}",
    };
    unsigned a = (unsigned)rng_below(rng, RANDOM_KEYS);
    unsigned b = (unsigned)rng_below(rng, RANDOM_KEYS);
    const char *when = whens[rng_below(rng, 4)];
    const char *condition = conditions[rng_below(rng, 3)];
    unsigned low = a < b ? a : b;
    unsigned high = a < b ? b : a + (a == b);
    switch (rng_below(rng, 8)) {
    case 0:
        buf_printf(batch,
                   "{\"op\": \"add_task\", \"task\": \"k%u\", \"spec\": {\"run\": [\"echo\","
                   " \"${{ tasks.first.stdout }}\"], \"needs\": [{\"task\": \"second\","
                   " \"when\": \"%s\"%s}]}}",
                   a, when, condition);
        return;
    case 1:
        buf_printf(batch,
                   "{\"op\": \"add_task\", \"task\": \"k%u\", \"spec\": {\"run\":"
                   " [\"true\"]}}",
                   a);
        return;
    case 2:
        buf_printf(batch, "{\"op\": \"remove_task\", \"task\": \"k%u\"}", a);
        return;
    case 3:
        buf_printf(batch, "{\"op\": \"update_task\", \"task\": \"k%u\", \"set\": {%s}}", a,
                   sets[rng_below(rng, 8)]);
        return;
    case 4:
        buf_printf(batch, "{\"op\": \"remove_dependency\", \"from\": \"k%u\", \"to\": \"k%u\"}",
                   low, high);
        return;
    case 5:
        buf_printf(batch,
                   "{\"op\": \"update_dependency\", \"from\": \"k%u\", \"to\": \"k%u\","
                   " \"when\": \"%s\"%s}",
                   low, high, when, condition);
        return;
    default:
        buf_printf(batch,
                   "{\"op\": \"add_dependency\", \"from\": \"k%u\", \"to\": \"k%u\","
                   " \"when\": \"%s\"%s}",
                   low, high, when, condition);
        return;
    }
}

/* Of every edit that is applied: what it forecast is what it did, what it was before can be read and
   comes back by an undo, and a redo makes it again. Of every other: nothing has changed. */
static void any_edit_can_be_taken_back_and_is_kept(void **state)
{
    struct trial *trial = *state;
    struct rng rng;
    rng_init(&rng, 20);
    struct buf first = { 0 };
    buf_append_text(&first, "{\"operations\": [");
    for (int i = 0; i < RANDOM_KEYS - 2; i++) {
        buf_printf(&first,
                   "%s{\"op\": \"add_task\", \"task\": \"k%d\", \"spec\": {\"noop\": true}}",
                   i == 0 ? "" : ",", i);
    }
    buf_append_text(&first, "]}");
    trial_apply(trial, buf_text(&first), 2);
    buf_done(&first);
    json_t *now = plan_of(trial, "/export");
    int64_t revision = 2;
    unsigned applied = 0;
    for (int i = 0; i < RANDOM_EDITS; i++) {
        struct buf batch = { 0 };
        buf_append_text(&batch, "{\"operations\": [");
        for (uint64_t left = 1 + rng_below(&rng, 2); left > 0; left--) {
            add_operation(&batch, &rng);
            buf_append_text(&batch, left > 1 ? "," : "]}");
        }
        struct answer dry = trial_ask(trial, "POST", "/edits?dry_run=1", NULL, buf_text(&batch));
        struct answer answer = trial_ask(trial, "POST", "/edits", NULL, buf_text(&batch));
        assert_int_equal(dry.status, answer.status);
        if (answer.status == 200) {
            applied++;
            json_object_del(dry.json, "critical_path");
            json_object_del(dry.json, "dry_run");
            json_object_del(answer.json, "dry_run");
            assert_true(json_equal(dry.json, answer.json));
            assert_int_equal(answer_number(&answer, "revision"), revision + 1);
            json_t *after = plan_of(trial, "/export");
            bool has_changed = !json_equal(now, after);
            char rest[64];
            snprintf(rest, sizeof(rest), "/plan?revision=%lld", (long long)revision);
            expect_plan(trial, rest, now);
            revision++;
            if (has_changed) {
                trial_take_back(trial, "/undo", NULL, 200, revision + 1, revision);
                expect_plan(trial, "/export", now);
                trial_take_back(trial, "/redo", NULL, 200, revision + 2, revision + 1);
                revision += 2;
            }
            json_decref(now);
            now = after;
        }
        expect_plan(trial, "/export", now);
        answer_done(&dry);
        answer_done(&answer);
        buf_done(&batch);
    }
    assert_true(applied > RANDOM_EDITS / 5);
    json_decref(now);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, trial_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(any_edit_can_be_taken_back_and_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
