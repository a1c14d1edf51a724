/* The contract of the store for plans that change while they run, over both implementations: every field
   of the records, dependencies, texts and outcomes. What edits do is in test_store_edit.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store_bench.h"

/* --- Every field --- */

static void every_field_of_the_records_is_loaded_as_it_was_given(void **state)
{
    struct bench *bench = *state;
    struct buf expected = { 0 };
    struct buf loaded = { 0 };
    bench_submit(bench);
    world_reopen(bench->world);
    sample_dump(&bench->sample, &expected);
    bench_dump(bench, &loaded);
    assert_string_equal(buf_text(&expected), buf_text(&loaded));
    assert_non_null(strstr(buf_text(&loaded), "hold 31"));
    assert_non_null(strstr(buf_text(&loaded), "tool quote\"d"));
    assert_non_null(strstr(buf_text(&loaded), " conditional"));
    buf_done(&expected);
    buf_done(&loaded);
}

static void every_field_that_changes_is_saved(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct buf expected = { 0 };
    struct buf loaded = { 0 };
    bench_submit(bench);
    struct constellation_record *constellation = &sample->constellation;
    constellation->cancel_requested = true;
    constellation->cancel_finally = true;
    constellation->stopping = true;
    constellation->deadline_passed = true;
    constellation->revision = 9;
    constellation->fail_fast = false;
    constellation->deadline_wall_ms = 3;
    constellation->deadline_length_ms = 4;
    effects_add(bench_effects(bench), EFFECT_SAVE_CONSTELLATION)->constellation.record =
        constellation;
    for (int i = 0; i < SAMPLE_TASKS; i++) { /* the first while an attempt has it */
        struct task_record *task = &sample->tasks[i];
        task->priority = 3;
        task->revision = 9;
        task->flags = 16;
        task->body_bytes = 99;
        task->round = 4;
        task->first_attempt = 1;
        task->has_references = i == 1;
        task->prepared = i == 2;
        effects_add(bench_effects(bench), EFFECT_SAVE_TASK)->task.record = task;
    }
    sample->limits[0].capacity = 5;
    sample->limits[0].name = STR("seats");
    effects_add(bench_effects(bench), EFFECT_ADD_LIMIT)->limit = sample->limits[0];
    sample->device.draining = false;
    effects_add(bench_effects(bench), EFFECT_SAVE_DEVICE)->device = &sample->device;
    world_commit(bench->world);
    world_reopen(bench->world);
    sample_dump(sample, &expected);
    bench_dump(bench, &loaded);
    assert_string_equal(buf_text(&expected), buf_text(&loaded));
    buf_done(&expected);
    buf_done(&loaded);
}

/* What an edit makes of a constellation whose record is otherwise as it was. */
static void add_revision(struct bench *bench, uint32_t number, uint32_t tasks, uint32_t edges)
{
    struct constellation_record *record = &bench->sample.constellation;
    record->revision = number;
    record->tasks = tasks;
    record->edges = edges;
    struct effect *effect = effects_add(bench_effects(bench), EFFECT_SAVE_CONSTELLATION);
    effect->constellation.record = record;
    effect->constellation.is_stamp = true;
    effects_add(bench_effects(bench), EFFECT_ADD_REVISION)->revision = (struct revision_record){
        .constellation_id = 1, .number = number, .base = number - 1, .tasks = tasks, .edges = edges
    };
}

static void the_newest_of_revision_and_record_says_how_large_a_plan_is(void **state)
{
    struct bench *bench = *state;
    struct constellation_record *record = &bench->sample.constellation;
    bench_submit(bench);
    add_revision(bench, 9, 5, 6);
    add_revision(bench, 10, 7, 9);
    world_commit(bench->world);
    bench_expect_dump(bench, " tasks 7 edges 9 revision 10 ", true);
    /* An edit in parts has made the first of them. */
    record->tasks = 8;
    effects_add(bench_effects(bench), EFFECT_SAVE_CONSTELLATION)->constellation.record = record;
    world_commit(bench->world);
    bench_expect_dump(bench, " tasks 8 edges 9 revision 10 ", true);
    add_revision(bench, 11, 6, 4);
    world_commit(bench->world);
    bench_expect_dump(bench, " tasks 6 edges 4 revision 11 ", true);
    /* Both in one turn. */
    record->fail_fast = false;
    effects_add(bench_effects(bench), EFFECT_SAVE_CONSTELLATION)->constellation.record = record;
    add_revision(bench, 12, 2, 1);
    world_commit(bench->world);
    bench_expect_dump(bench, "constellation 1 running created 5 tasks 2 edges 1 revision 12 ",
                      true);
}

static void a_class_that_changed_while_it_was_assigned_is_the_new_one(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    bench_submit(bench);
    struct class_record other = { .id = 9, .plan = { .executor = EXECUTOR_NOOP } };
    effects_add(bench_effects(bench), EFFECT_ADD_CLASS)->class = &other;
    sample->tasks[0].class_id = 9;
    effects_add(bench_effects(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    world_commit(bench->world);
    bench_expect_dump(bench, "task 11 running class 9 ", true);
    sample->tasks[0].state = TASK_SUCCEEDED;
    effects_add(bench_effects(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    world_commit(bench->world);
    bench_expect_dump(bench, "task 11 succeeded class 9 ", true);
}

/* --- Dependencies --- */

static void a_condition_is_read_within_its_turn_and_after_a_restart(void **state)
{
    struct bench *bench = *state;
    sample_submit(&bench->sample, bench_effects(bench));
    world_apply(bench->world);
    bench_expect_condition(bench, 22, "number > ?1", "[1000]");
    world_commit(bench->world);
    world_reopen(bench->world);
    bench_expect_condition(bench, 22, "number > ?1", "[1000]");
    bench_expect_condition(bench, 21, NULL, NULL);
    bench_expect_condition(bench, 99, NULL, NULL);
}

static void an_edit_changes_the_kind_and_the_condition_of_a_dependency(void **state)
{
    struct bench *bench = *state;
    struct plan_edge text = { .condition = STR("exit_code < 3") };
    struct edge_record edge = bench->sample.edges[0];
    bench_submit(bench);
    edge.when = EDGE_WHEN_FAILURE;
    edge.named = false;
    edge.required = true;
    edge.conditional = true;
    sample_edge(bench_effects(bench), EFFECT_EDGE_TEXT, &edge, &text);
    edge = bench->sample.edges[1];
    edge.conditional = false;
    sample_edge(bench_effects(bench), EFFECT_EDGE_TEXT, &edge, &bench->sample.edge_texts[0]);
    world_commit(bench->world);
    bench_expect_dump(bench, "edge 21 11-12 when 3 decision 0 required conditional", true);
    bench_expect_dump(bench, "edge 22 11-13 when 3 decision 0 named\n", true);
    bench_expect_condition(bench, 21, "exit_code < 3", "");
    bench_expect_condition(bench, 22, NULL, NULL);
}

/* A task is reopened and assigned again in one turn: what it had decided is taken back first. */
static void a_decision_taken_back_in_the_turn_of_the_next_attempt_is_gone(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct edge_record edge = sample->edges[0];
    bench_submit(bench);
    sample->attempt.state = ATTEMPT_ENDED;
    sample->attempt.outcome = OUTCOME_EXITED;
    effects_add(bench_effects(bench), EFFECT_SAVE_ATTEMPT)->attempt = &sample->attempt;
    sample->tasks[0].state = TASK_FAILED;
    effects_add(bench_effects(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    edge.decision = EDGE_OPEN;
    edge.fence = 77;
    sample_edge(bench_effects(bench), EFFECT_SAVE_EDGE, &edge, NULL);
    world_commit(bench->world);
    bench_expect_dump(bench, "edge 21 11-12 when 2 decision 1", true);
    struct attempt_record next = sample->attempt;
    next.fence = 78;
    next.previous = 77;
    next.state = ATTEMPT_SENT;
    next.outcome = 0;
    sample->tasks[0].fence = 78;
    sample->tasks[0].attempts++;
    sample->tasks[0].state = TASK_ASSIGNED;
    effects_add(bench_effects(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    edge.decision = EDGE_UNDECIDED;
    edge.fence = 0;
    sample_edge(bench_effects(bench), EFFECT_SAVE_EDGE, &edge, NULL);
    effects_add(bench_effects(bench), EFFECT_ADD_ATTEMPT)->attempt = &next;
    world_commit(bench->world);
    bench_expect_dump(bench, "edge 21 11-12 when 2 decision 0", true);
}

/* --- Texts --- */

static void expect_body(struct bench *bench, int64_t task_id, const char *text)
{
    struct str name;
    struct str body;
    assert_int_equal(store_task_body(bench->world->store, task_id, &bench->arena, &name, &body),
                     ERR_NONE);
    if (!str_is(body, text)) {
        fail_msg("the body is %.*s", STR_ARG(body));
    }
}

static void a_new_text_and_a_new_round_drop_the_inputs(void **state)
{
    struct bench *bench = *state;
    struct plan_task text = { .key = STR("report"), .body = STR("new") };
    bench_submit(bench);
    for (int i = 0; i < 2; i++) {
        sample_edge(bench_effects(bench), EFFECT_SAVE_EDGE, &bench->sample.edges[0], NULL);
        world_apply(bench->world);
        assert_int_equal(store_put_inputs(bench->world->store, 13, STR("filled"), NULL), ERR_NONE);
        world_commit(bench->world);
        expect_body(bench, 13, "filled");
        if (i == 0) {
            effects_add(bench_effects(bench), EFFECT_DROP_INPUTS)->id = 13;
        } else {
            struct effect *effect = effects_add(bench_effects(bench), EFFECT_TASK_TEXT);
            effect->task.record = &bench->sample.tasks[2];
            effect->task.constellation_id = 1;
            effect->task.plan = &text;
        }
        world_commit(bench->world);
        world_reopen(bench->world);
        expect_body(bench, 13, i == 0 ? "body" : "new");
    }
}

/* --- Outcomes --- */

static void an_outcome_tells_its_attempt_and_how_long_it_took(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct store_outcome outcome;
    bench_submit(bench);
    assert_int_equal(store_outcome(bench->world->store, 11, 100, &bench->arena, &outcome),
                     ERR_NONE);
    assert_true(outcome.has_run);
    assert_false(outcome.has_exit_code);
    assert_int_equal(outcome.duration_ms, -1);
    sample->attempt.state = ATTEMPT_ENDED;
    sample->attempt.outcome = OUTCOME_EXITED;
    sample->attempt.exit_code = 3;
    sample->attempt.ended_wall_ms = 1509;
    effects_add(bench_effects(bench), EFFECT_SAVE_ATTEMPT)->attempt = &sample->attempt;
    world_apply(bench->world);
    assert_int_equal(store_outcome(bench->world->store, 11, 100, &bench->arena, &outcome),
                     ERR_NONE);
    assert_true(outcome.has_exit_code);
    assert_int_equal(outcome.exit_code, 3);
    assert_int_equal(outcome.attempt, 4);
    assert_int_equal(outcome.duration_ms, 1500);
    assert_true(str_is(outcome.device, "desk"));
    world_commit(bench->world);
    assert_int_equal(store_outcome(bench->world->store, 99, 100, &bench->arena, &outcome),
                     ERR_NOT_FOUND);
}

static void an_attempt_of_an_earlier_round_is_no_outcome_of_this_one(void **state)
{
    struct bench *bench = *state;
    struct task_record *task = &bench->sample.tasks[0];
    struct store_outcome outcome;
    bench_submit(bench);
    task->first_attempt = task->attempts;
    task->state = TASK_SKIPPED;
    effects_add(bench_effects(bench), EFFECT_SAVE_TASK)->task.record = task;
    world_commit(bench->world);
    assert_int_equal(
        store_task_outcome(bench->world->store, 1, STR("scan"), 100, &bench->arena, &outcome),
        ERR_NONE);
    assert_int_equal(outcome.state, TASK_SKIPPED);
    assert_false(outcome.has_run);
    assert_int_equal(outcome.attempt, 0);
    assert_int_equal(outcome.device.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_BOTH(every_field_of_the_records_is_loaded_as_it_was_given),
        BENCH_BOTH(every_field_that_changes_is_saved),
        BENCH_BOTH(the_newest_of_revision_and_record_says_how_large_a_plan_is),
        BENCH_BOTH(a_class_that_changed_while_it_was_assigned_is_the_new_one),
        BENCH_BOTH(a_condition_is_read_within_its_turn_and_after_a_restart),
        BENCH_BOTH(an_edit_changes_the_kind_and_the_condition_of_a_dependency),
        BENCH_BOTH(a_decision_taken_back_in_the_turn_of_the_next_attempt_is_gone),
        BENCH_BOTH(a_new_text_and_a_new_round_drop_the_inputs),
        BENCH_BOTH(an_outcome_tells_its_attempt_and_how_long_it_took),
        BENCH_BOTH(an_attempt_of_an_earlier_round_is_no_outcome_of_this_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
