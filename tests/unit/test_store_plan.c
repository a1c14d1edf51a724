/* The contract of the store for plans that change while they run, over both implementations: every field
   of the records, holds, what edits add and remove, outcomes, and a constellation that comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/mem.h"
#include "tests/unit/store_sample.h"

struct bench {
    struct store_world *world;
    struct sample sample;
    struct arena arena;
};

static int open_bench(void **state, bool is_sqlite)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    bench->world = world_new(is_sqlite);
    sample_init(&bench->sample);
    *state = bench;
    return 0;
}

static int open_sqlite(void **state)
{
    return open_bench(state, true);
}

static int open_memory(void **state)
{
    return open_bench(state, false);
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    world_free(bench->world);
    arena_done(&bench->arena);
    mem_free(bench);
    return 0;
}

static struct effects *effects_of(struct bench *bench)
{
    return &bench->world->effects;
}

static void submit(struct bench *bench)
{
    sample_submit(&bench->sample, effects_of(bench));
    world_commit(bench->world);
}

/* What an engine would be given; the caller frees the text. */
static void dump(struct bench *bench, struct buf *text)
{
    struct reason reason = { { 0 } };
    struct engine_config config = { .epoch = 1, .lease_ms = 60000, .ping_ms = 20000 };
    struct engine *engine = engine_new(&config);
    if (store_load(bench->world->store, engine, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    engine_dump(engine, text);
    engine_free(engine);
}

static void expect_dump(struct bench *bench, const char *line, bool is_there)
{
    struct buf text = { 0 };
    world_reopen(bench->world);
    dump(bench, &text);
    if ((strstr(buf_text(&text), line) != NULL) != is_there) {
        fail_msg("%s is %sin\n%s", line, is_there ? "not " : "", buf_text(&text));
    }
    buf_done(&text);
}

/* --- Every field --- */

static void every_field_of_the_records_is_loaded_as_it_was_given(void **state)
{
    struct bench *bench = *state;
    struct buf expected = { 0 };
    struct buf loaded = { 0 };
    submit(bench);
    world_reopen(bench->world);
    sample_dump(&bench->sample, &expected);
    dump(bench, &loaded);
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
    submit(bench);
    struct constellation_record *constellation = &sample->constellation;
    constellation->cancel_requested = true;
    constellation->cancel_finally = true;
    constellation->stopping = true;
    constellation->deadline_passed = true;
    constellation->revision = 9;
    constellation->fail_fast = false;
    constellation->deadline_wall_ms = 3;
    constellation->deadline_length_ms = 4;
    effects_add(effects_of(bench), EFFECT_SAVE_CONSTELLATION)->constellation.record = constellation;
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
        effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = task;
    }
    sample->limits[0].capacity = 5;
    sample->limits[0].name = STR("seats");
    effects_add(effects_of(bench), EFFECT_ADD_LIMIT)->limit = sample->limits[0];
    sample->device.draining = false;
    effects_add(effects_of(bench), EFFECT_SAVE_DEVICE)->device = &sample->device;
    world_commit(bench->world);
    world_reopen(bench->world);
    sample_dump(sample, &expected);
    dump(bench, &loaded);
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
    struct effect *effect = effects_add(effects_of(bench), EFFECT_SAVE_CONSTELLATION);
    effect->constellation.record = record;
    effect->constellation.is_stamp = true;
    effects_add(effects_of(bench), EFFECT_ADD_REVISION)->revision = (struct revision_record){
        .constellation_id = 1, .number = number, .base = number - 1, .tasks = tasks, .edges = edges
    };
}

static void the_newest_of_revision_and_record_says_how_large_a_plan_is(void **state)
{
    struct bench *bench = *state;
    struct constellation_record *record = &bench->sample.constellation;
    submit(bench);
    add_revision(bench, 9, 5, 6);
    add_revision(bench, 10, 7, 9);
    world_commit(bench->world);
    expect_dump(bench, " tasks 7 edges 9 revision 10 ", true);
    /* An edit in parts has made the first of them. */
    record->tasks = 8;
    effects_add(effects_of(bench), EFFECT_SAVE_CONSTELLATION)->constellation.record = record;
    world_commit(bench->world);
    expect_dump(bench, " tasks 8 edges 9 revision 10 ", true);
    add_revision(bench, 11, 6, 4);
    world_commit(bench->world);
    expect_dump(bench, " tasks 6 edges 4 revision 11 ", true);
    /* Both in one turn. */
    record->fail_fast = false;
    effects_add(effects_of(bench), EFFECT_SAVE_CONSTELLATION)->constellation.record = record;
    add_revision(bench, 12, 2, 1);
    world_commit(bench->world);
    expect_dump(bench, "constellation 1 running created 5 tasks 2 edges 1 revision 12 ", true);
}

static void a_class_that_changed_while_it_was_assigned_is_the_new_one(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    submit(bench);
    struct class_record other = { .id = 9, .plan = { .executor = EXECUTOR_NOOP } };
    effects_add(effects_of(bench), EFFECT_ADD_CLASS)->class = &other;
    sample->tasks[0].class_id = 9;
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    world_commit(bench->world);
    expect_dump(bench, "task 11 running class 9 ", true);
    sample->tasks[0].state = TASK_SUCCEEDED;
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    world_commit(bench->world);
    expect_dump(bench, "task 11 succeeded class 9 ", true);
}

/* --- Dependencies --- */

static void expect_condition(struct bench *bench, int64_t edge_id, const char *condition,
                             const char *arguments)
{
    struct str text;
    struct str values;
    enum err err =
        store_edge_condition(bench->world->store, edge_id, &bench->arena, &text, &values);
    if (condition == NULL) {
        assert_int_equal(err, ERR_NOT_FOUND);
        return;
    }
    assert_int_equal(err, ERR_NONE);
    assert_true(str_is(text, condition));
    assert_true(str_is(values, arguments));
}

static void a_condition_is_read_within_its_turn_and_after_a_restart(void **state)
{
    struct bench *bench = *state;
    sample_submit(&bench->sample, effects_of(bench));
    world_apply(bench->world);
    expect_condition(bench, 22, "number > ?1", "[1000]");
    world_commit(bench->world);
    world_reopen(bench->world);
    expect_condition(bench, 22, "number > ?1", "[1000]");
    expect_condition(bench, 21, NULL, NULL);
    expect_condition(bench, 99, NULL, NULL);
}

static void an_edit_changes_the_kind_and_the_condition_of_a_dependency(void **state)
{
    struct bench *bench = *state;
    struct plan_edge text = { .condition = STR("exit_code < 3") };
    struct edge_record edge = bench->sample.edges[0];
    submit(bench);
    edge.when = EDGE_WHEN_FAILURE;
    edge.named = false;
    edge.required = true;
    edge.conditional = true;
    sample_edge(effects_of(bench), EFFECT_EDGE_TEXT, &edge, &text);
    edge = bench->sample.edges[1];
    edge.conditional = false;
    sample_edge(effects_of(bench), EFFECT_EDGE_TEXT, &edge, &bench->sample.edge_texts[0]);
    world_commit(bench->world);
    expect_dump(bench, "edge 21 11-12 when 3 decision 0 required conditional", true);
    expect_dump(bench, "edge 22 11-13 when 3 decision 0 named\n", true);
    expect_condition(bench, 21, "exit_code < 3", "");
    expect_condition(bench, 22, NULL, NULL);
}

/* A task is reopened and assigned again in one turn: what it had decided is taken back first. */
static void a_decision_taken_back_in_the_turn_of_the_next_attempt_is_gone(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct edge_record edge = sample->edges[0];
    submit(bench);
    sample->attempt.state = ATTEMPT_ENDED;
    sample->attempt.outcome = OUTCOME_EXITED;
    effects_add(effects_of(bench), EFFECT_SAVE_ATTEMPT)->attempt = &sample->attempt;
    sample->tasks[0].state = TASK_FAILED;
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    edge.decision = EDGE_OPEN;
    edge.fence = 77;
    sample_edge(effects_of(bench), EFFECT_SAVE_EDGE, &edge, NULL);
    world_commit(bench->world);
    expect_dump(bench, "edge 21 11-12 when 2 decision 1", true);
    struct attempt_record next = sample->attempt;
    next.fence = 78;
    next.previous = 77;
    next.state = ATTEMPT_SENT;
    next.outcome = 0;
    sample->tasks[0].fence = 78;
    sample->tasks[0].attempts++;
    sample->tasks[0].state = TASK_ASSIGNED;
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    edge.decision = EDGE_UNDECIDED;
    edge.fence = 0;
    sample_edge(effects_of(bench), EFFECT_SAVE_EDGE, &edge, NULL);
    effects_add(effects_of(bench), EFFECT_ADD_ATTEMPT)->attempt = &next;
    world_commit(bench->world);
    expect_dump(bench, "edge 21 11-12 when 2 decision 0", true);
}

/* --- Edits --- */

/* Task 40 "late" behind "report", after another constellation has taken the ids in between. */
static void edit(struct bench *bench)
{
    static const struct plan_task text = { .key = { "late", 4 }, .body = { "body", 4 } };
    static const struct plan_edge edge_text;
    static const struct task_record task = {
        .id = 40, .class_id = 2, .policy_id = 3, .state = TASK_WAITING, .round = 1
    };
    static const struct edge_record edge = {
        .id = 50, .from_id = 13, .to_id = 40, .when = EDGE_WHEN_ALWAYS, .named = true
    };
    sample_add_task(effects_of(bench), &task, &text);
    sample_edge(effects_of(bench), EFFECT_ADD_EDGE, &edge, &edge_text);
    world_commit(bench->world);
}

static void other_constellation(struct bench *bench)
{
    static const struct constellation_record record = { .id = 2, .state = CONSTELLATION_RUNNING };
    static const struct plan plan = { .name = { "other", 5 } };
    static const struct plan_task text = { .key = { "late", 4 }, .body = { "b", 1 } };
    static const struct task_record task = {
        .id = 30, .class_id = 2, .policy_id = 3, .state = TASK_WAITING, .round = 1
    };
    struct effect *effect = effects_add(effects_of(bench), EFFECT_ADD_CONSTELLATION);
    effect->constellation.record = &record;
    effect->constellation.uid = STR("other-abcd");
    effect->constellation.plan = &plan;
    sample_add_task(effects_of(bench), &task, &text)->task.constellation_id = 2;
    struct history *history = &effects_add(effects_of(bench), EFFECT_HISTORY)->history;
    history->kind = HISTORY_CONSTELLATION_SUBMITTED;
    history->constellation_id = 2;
    world_commit(bench->world);
}

static void what_an_edit_adds_is_found_beyond_the_ids_of_another_constellation(void **state)
{
    struct bench *bench = *state;
    submit(bench);
    other_constellation(bench);
    edit(bench);
    expect_dump(bench, "task 40 waiting", true);
    expect_dump(bench, "edge 50 13-40 when 4 decision 0 named", true);
    struct buf text = { 0 };
    dump(bench, &text);
    const char *other = strstr(buf_text(&text), "constellation 2 ");
    assert_non_null(other);
    assert_non_null(strstr(other, "task 30 "));
    assert_null(strstr(other, "task 40 ")); /* it is the first one's */
    buf_done(&text);
    assert_int_equal(bench->world->start.next_task_id, 41);
    assert_int_equal(bench->world->start.next_edge_id, 51);
}

static void what_an_edit_removes_is_gone_and_its_ids_are_not_given_again(void **state)
{
    struct bench *bench = *state;
    struct str name;
    struct str body;
    submit(bench);
    edit(bench);
    effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = 50;
    effects_add(effects_of(bench), EFFECT_REMOVE_TASK)->id = 40;
    effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = 22;
    effects_add(effects_of(bench), EFFECT_REMOVE_HOLD)->id = 32;
    world_commit(bench->world);
    expect_dump(bench, "task 40", false);
    expect_dump(bench, "edge 50", false);
    expect_dump(bench, "edge 22", false);
    expect_dump(bench, "hold 32", false);
    expect_dump(bench, "edge 23", true);
    expect_condition(bench, 22, NULL, NULL);
    assert_int_equal(store_task_body(bench->world->store, 40, &bench->arena, &name, &body),
                     ERR_NOT_FOUND);
    assert_true(bench->world->start.next_task_id > 40);
    assert_true(bench->world->start.next_edge_id > 50);
    assert_true(bench->world->start.next_hold_id > 32);
    edit(bench); /* its key is free again; only the engine never gives an id twice */
    expect_dump(bench, "task 40 waiting", true);
}

static void what_an_edit_did_is_lost_with_its_turn(void **state)
{
    struct bench *bench = *state;
    submit(bench);
    effects_add(effects_of(bench), EFFECT_REMOVE_HOLD)->id = 31;
    effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = 21;
    effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = 23;
    effects_add(effects_of(bench), EFFECT_REMOVE_TASK)->id = 12;
    world_apply(bench->world);
    world_reopen(bench->world);
    struct buf expected = { 0 };
    struct buf loaded = { 0 };
    sample_dump(&bench->sample, &expected);
    dump(bench, &loaded);
    assert_string_equal(buf_text(&expected), buf_text(&loaded));
    buf_done(&expected);
    buf_done(&loaded);
}

static void a_hold_does_not_name_a_task_that_was_removed(void **state)
{
    struct bench *bench = *state;
    submit(bench);
    effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = 21;
    effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = 23;
    effects_add(effects_of(bench), EFFECT_REMOVE_TASK)->id = 12;
    world_commit(bench->world);
    expect_dump(bench, "until 70000+60000: 13\n", true);
}

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
    submit(bench);
    for (int i = 0; i < 2; i++) {
        sample_edge(effects_of(bench), EFFECT_SAVE_EDGE, &bench->sample.edges[0], NULL);
        world_apply(bench->world);
        assert_int_equal(store_put_inputs(bench->world->store, 13, STR("filled"), NULL), ERR_NONE);
        world_commit(bench->world);
        expect_body(bench, 13, "filled");
        if (i == 0) {
            effects_add(effects_of(bench), EFFECT_DROP_INPUTS)->id = 13;
        } else {
            struct effect *effect = effects_add(effects_of(bench), EFFECT_TASK_TEXT);
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
    submit(bench);
    assert_int_equal(store_outcome(bench->world->store, 11, 100, &bench->arena, &outcome),
                     ERR_NONE);
    assert_true(outcome.has_run);
    assert_false(outcome.has_exit_code);
    assert_int_equal(outcome.duration_ms, -1);
    sample->attempt.state = ATTEMPT_ENDED;
    sample->attempt.outcome = OUTCOME_EXITED;
    sample->attempt.exit_code = 3;
    sample->attempt.ended_wall_ms = 1509;
    effects_add(effects_of(bench), EFFECT_SAVE_ATTEMPT)->attempt = &sample->attempt;
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
    submit(bench);
    task->first_attempt = task->attempts;
    task->state = TASK_SKIPPED;
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = task;
    world_commit(bench->world);
    assert_int_equal(
        store_task_outcome(bench->world->store, 1, STR("scan"), 100, &bench->arena, &outcome),
        ERR_NONE);
    assert_int_equal(outcome.state, TASK_SKIPPED);
    assert_false(outcome.has_run);
    assert_int_equal(outcome.attempt, 0);
    assert_int_equal(outcome.device.length, 0);
}

/* --- Coming back --- */

/* So many rows a turn. */
static enum err come_back(struct bench *bench, int64_t id, size_t slice, struct buf *text)
{
    struct engine_config config = { .epoch = 1, .lease_ms = 60000, .ping_ms = 20000 };
    struct engine *engine = engine_new(&config);
    struct reason reason = { { 0 } };
    assert_int_equal(store_load(bench->world->store, engine, &reason), ERR_NONE);
    assert_int_equal(store_begin(bench->world->store, NULL), ERR_NONE);
    struct store_wake wake = { .constellation_id = id };
    enum err err = ERR_NONE;
    size_t turns = 0;
    for (; err == ERR_NONE && !wake.is_whole; turns++) {
        size_t budget = slice;
        err = store_wake(bench->world->store, engine, &wake, &budget, &reason);
        assert_int_equal(store_commit(bench->world->store, NULL), ERR_NONE);
        assert_int_equal(store_begin(bench->world->store, NULL), ERR_NONE);
    }
    if (err == ERR_NONE) {
        assert_true(turns > SAMPLE_TASKS / slice); /* its tasks alone, and one that was added */
        assert_int_equal(engine_load_revived(engine, id, (struct moment){ 1000, 1000 }, &reason),
                         ERR_NONE);
        engine_dump(engine, text);
    }
    assert_int_equal(store_commit(bench->world->store, NULL), ERR_NONE);
    engine_free(engine);
    return err;
}

static void a_constellation_that_is_final_comes_back_whole(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct buf live = { 0 };
    struct buf back = { 0 };
    submit(bench);
    edit(bench);
    assert_int_equal(come_back(bench, 1, SIZE_MAX, &back), ERR_CONFLICT);
    assert_int_equal(come_back(bench, 7, SIZE_MAX, &back), ERR_NOT_FOUND);
    for (int i = 0; i < SAMPLE_TASKS; i++) {
        sample->tasks[i].state = TASK_CANCELLED;
        effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = &sample->tasks[i];
    }
    const struct task_record late = {
        .id = 40, .class_id = 2, .policy_id = 3, .state = TASK_CANCELLED, .round = 1
    };
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = &late;
    world_commit(bench->world);
    dump(bench, &live);
    sample->constellation.state = CONSTELLATION_CANCELLED;
    effects_add(effects_of(bench), EFFECT_SAVE_CONSTELLATION)->constellation.record =
        &sample->constellation;
    /* One that is newer: at the next start the class of the first is out of use. */
    struct class_record newer = { .id = 8, .plan = { .executor = EXECUTOR_NOOP } };
    effects_add(effects_of(bench), EFFECT_ADD_CLASS)->class = &newer;
    world_commit(bench->world);
    expect_dump(bench, "constellation 1", false);
    const char *state_then = strstr(buf_text(&live), "constellation 1 running");
    assert_non_null(state_then);
    const size_t slices[] = { SIZE_MAX, 1, 2, 3, 5, 9 };
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        assert_int_equal(come_back(bench, 1, slices[i], &back), ERR_NONE);
        const char *state_now = strstr(buf_text(&back), "constellation 1 cancelled");
        assert_non_null(state_now);
        assert_string_equal(strchr(state_then, '\n'), strchr(state_now, '\n'));
        assert_non_null(strstr(buf_text(&back), "class 2 shell"));
        buf_done(&back);
        back = (struct buf){ 0 };
    }
    buf_done(&live);
}

static void a_half_loaded_constellation_leaves_no_hold_and_no_limit(void **state)
{
    struct bench *bench = *state;
    bench->sample.constellation.state = CONSTELLATION_LOADING;
    sample_submit(&bench->sample, effects_of(bench));
    world_commit(bench->world);
    expect_dump(bench, "constellation", false);
    expect_condition(bench, 22, NULL, NULL);
    assert_int_equal(bench->world->start.next_hold_id, 33);
    bench->sample.constellation.state = CONSTELLATION_RUNNING;
    bench->sample.class.id = 5;
    bench->sample.policy.id = 5;
    for (int i = 0; i < SAMPLE_TASKS; i++) {
        bench->sample.tasks[i].class_id = 5;
        bench->sample.tasks[i].policy_id = 5;
    }
    bench->sample.attempt.fence = 78;
    bench->sample.tasks[0].fence = 78;
    bench->sample.limits[0].capacity = 7;
    submit(bench); /* nothing of it is in the way */
    expect_dump(bench, "limit 0 licence 7", true);
}

#define BOTH(test)                                                                                 \
    { #test " [sqlite]", test, open_sqlite, close_bench, NULL },                                   \
    {                                                                                              \
#test " [memory]", test, open_memory, close_bench, NULL                                    \
    }

/* --- Edits of many operations --- */

static void put_bulk_hold(struct bench *bench, int64_t id)
{
    static struct hold_record record;
    record = (struct hold_record){ .id = id,
                                   .constellation_id = bench->sample.constellation.id,
                                   .scope = HOLD_ALL,
                                   .origin = HOLD_BULK,
                                   .on_expiry = HOLD_EXPIRY_RELEASE };
    struct effect *effect = effects_add(effects_of(bench), EFFECT_ADD_HOLD);
    effect->hold.record = &record;
    effect->hold.owner = STR("ada");
    effect->hold.reason = STR("an edit");
    world_apply(bench->world);
}

static void put_piece(struct bench *bench, int64_t id, uint32_t number, const char *text)
{
    struct reason reason = { "" };
    assert_int_equal(
        store_put_piece(bench->world->store, id, PIECE_PART, number, str_of(text), &reason),
        ERR_NONE);
}

static void expect_piece(struct bench *bench, int64_t id, uint32_t number, const char *text)
{
    struct str body;
    assert_int_equal(
        store_read_piece(bench->world->store, id, PIECE_PART, number, &bench->arena, &body),
        ERR_NONE);
    assert_true(str_is(body, text));
}

static void an_edit_in_parts_is_kept_from_its_admission_to_its_end(void **state)
{
    struct bench *bench = *state;
    submit(bench);
    int64_t first = bench->world->start.next_task_id + 100;
    put_bulk_hold(bench, 70);
    put_piece(bench, 70, 0, "one");
    put_piece(bench, 70, 1, "two");
    struct bulk_record bulk = { .id = 70,
                                .constellation_id = bench->sample.constellation.id,
                                .first_task_id = first,
                                .tasks_added = 5,
                                .parts = 2,
                                .reopens = true };
    effects_add(effects_of(bench), EFFECT_PUT_BULK)->bulk = bulk;
    world_commit(bench->world);
    char line[96];
    snprintf(line, sizeof line, "bulk 70 tasks %lld+5 part 0 of 2 reopens\n", (long long)first);
    expect_dump(bench, line, true);
    assert_int_equal(bench->world->start.next_task_id, first + 5);
    expect_piece(bench, 70, 0, "one");
    expect_piece(bench, 70, 1, "two");
    bulk.next = 1;
    bulk.renews = bulk.is_renewing = true;
    effects_add(effects_of(bench), EFFECT_PUT_BULK)->bulk = bulk;
    world_commit(bench->world);
    expect_dump(bench, "part 1 of 2 renews now reopens\n", true);
    effects_add(effects_of(bench), EFFECT_REMOVE_BULK)->id = 70;
    effects_add(effects_of(bench), EFFECT_REMOVE_HOLD)->id = 70;
    world_commit(bench->world);
    expect_dump(bench, "bulk 70", false);
}

static void an_edit_that_was_not_admitted_leaves_nothing_but_its_number(void **state)
{
    struct bench *bench = *state;
    struct reason reason = { "" };
    submit(bench);
    world_apply(bench->world);
    put_piece(bench, 80, 0, "one"); /* of one that has ended: it has no hold */
    put_piece(bench, 81, 0, "two");
    assert_int_equal(store_drop_pieces(bench->world->store, 81, &reason), ERR_NONE);
    world_commit(bench->world);
    expect_dump(bench, "bulk", false);
    assert_true(bench->world->start.next_hold_id > 81);
    /* While its number stands for what is to go, another of this number would go with it. */
    world_apply(bench->world);
    assert_int_equal(store_drop_pieces(bench->world->store, 90, &reason), ERR_NONE);
    world_commit(bench->world);
    expect_dump(bench, "bulk", false);
    assert_true(bench->world->start.next_hold_id > 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(every_field_of_the_records_is_loaded_as_it_was_given),
        BOTH(every_field_that_changes_is_saved),
        BOTH(the_newest_of_revision_and_record_says_how_large_a_plan_is),
        BOTH(a_class_that_changed_while_it_was_assigned_is_the_new_one),
        BOTH(a_condition_is_read_within_its_turn_and_after_a_restart),
        BOTH(an_edit_changes_the_kind_and_the_condition_of_a_dependency),
        BOTH(a_decision_taken_back_in_the_turn_of_the_next_attempt_is_gone),
        BOTH(what_an_edit_adds_is_found_beyond_the_ids_of_another_constellation),
        BOTH(what_an_edit_removes_is_gone_and_its_ids_are_not_given_again),
        BOTH(what_an_edit_did_is_lost_with_its_turn),
        BOTH(a_hold_does_not_name_a_task_that_was_removed),
        BOTH(a_new_text_and_a_new_round_drop_the_inputs),
        BOTH(an_outcome_tells_its_attempt_and_how_long_it_took),
        BOTH(an_attempt_of_an_earlier_round_is_no_outcome_of_this_one),
        BOTH(a_constellation_that_is_final_comes_back_whole),
        BOTH(a_half_loaded_constellation_leaves_no_hold_and_no_limit),
        BOTH(an_edit_in_parts_is_kept_from_its_admission_to_its_end),
        BOTH(an_edit_that_was_not_admitted_leaves_nothing_but_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
