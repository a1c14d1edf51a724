/* What edits, exports and views read of a plan, and what becomes of it when it goes: for the SQLite store
   alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "orchestrator/store/query.h"
#include "orchestrator/store/query_attention.h"
#include "orchestrator/store/query_hold.h"
#include "orchestrator/store/query_plan.h"
#include "orchestrator/store/query_revision.h"
#include "orchestrator/store/query_task.h"
#include "orchestrator/store/retention.h"
#include "orchestrator/store/sqlite_db.h"
#include "tests/unit/sqlite_number.h"
#include "tests/unit/store_bench.h"

static int open_bench(void **state)
{
    bench_open_sqlite(state);
    bench_submit(*state);
    return 0;
}

static int64_t number(struct bench *bench, const char *sql)
{
    return sqlite_number(store_sqlite_handle(bench->world->store), sql);
}

/* Tasks 40 … behind task 13, as an edit adds them. */
static void add_late(struct bench *bench, int64_t count)
{
    static const struct plan_edge edge_text;
    struct effects *effects = &bench->world->effects;
    struct task_record *tasks = arena_array(&bench->arena, (size_t)count, sizeof tasks[0]);
    struct plan_task *texts = arena_array(&bench->arena, (size_t)count, sizeof texts[0]);
    for (int64_t i = 0; i < count; i++) {
        char key[32];
        int length = snprintf(key, sizeof key, "late%lld", (long long)i);
        texts[i].key = arena_str(&bench->arena, (struct str){ key, (size_t)length });
        texts[i].body = STR("b");
        tasks[i] = (struct task_record){
            .id = 40 + i, .class_id = 2, .policy_id = 3, .state = TASK_WAITING, .round = 1
        };
        sample_add_task(effects, &tasks[i], &texts[i]);
        struct edge_record edge = {
            .id = 50 + i, .from_id = 13, .to_id = 40 + i, .when = EDGE_WHEN_ALWAYS
        };
        sample_edge(effects, EFFECT_ADD_EDGE, &edge, &edge_text);
    }
    world_commit(bench->world);
}

static void add_revision(struct bench *bench, uint32_t revision, int64_t wall_ms)
{
    struct constellation_record *constellation = &bench->sample.constellation;
    struct revision_record *record =
        &effects_add(&bench->world->effects, EFFECT_ADD_REVISION)->revision;
    *record = (struct revision_record){ .constellation_id = 1,
                                        .number = revision,
                                        .base = revision - 1,
                                        .wall_ms = wall_ms,
                                        .author_kind = AUTHOR_PLANNER,
                                        .author = STR("gpt"),
                                        .reason = STR("the NAS is gone"),
                                        .operations = STR("[{\"op\":\"add_task\"}]"),
                                        .inverse = STR("[{\"op\":\"remove_task\"}]"),
                                        .tasks = revision,
                                        .edges = 2 * revision };
    constellation->revision = revision;
    struct effect *effect = effects_add(&bench->world->effects, EFFECT_SAVE_CONSTELLATION);
    effect->constellation.record = constellation;
    effect->constellation.is_stamp = true;
    world_commit(bench->world);
}

/* --- Reading --- */

static void a_task_is_read_with_all_that_its_text_says(void **state)
{
    struct bench *bench = *state;
    struct query_plan_task task;
    assert_int_equal(query_plan_task(bench->world->store, 13, &bench->arena, &task, NULL),
                     ERR_NONE);
    assert_int_equal(task.constellation_id, 1);
    assert_true(str_is(task.task.key, "report"));
    assert_true(str_is(task.task.body, "body"));
    assert_int_equal(task.task.priority, -7);
    assert_int_equal(task.task.flags, 3);
    assert_true(str_is(task.same_device, "scan"));
    assert_true(str_is(task.other_device, "gate"));
    assert_int_equal(task.class.strategy, STRATEGY_SPREAD);
    assert_int_equal(task.class.resources[1].amount_milli, INT64_C(1) << 45);
    assert_int_equal(task.class.limits[1].amount, 3);
    assert_true(str_is(task.class.tools[1], "quote\"d"));
    assert_int_equal(task.policy.effect, TASK_ONCE);
    assert_int_equal(task.policy.hold_on_failure_ms, 104);
    struct query_plan_needs needs;
    assert_int_equal(query_plan_needs(bench->world->store, 13, &bench->arena, &needs, NULL),
                     ERR_NONE);
    assert_int_equal(needs.count, 2);
    assert_int_equal(needs.list[0].edge_id, 22);
    assert_true(str_is(needs.list[0].from, "scan"));
    assert_true(str_is(needs.list[0].condition, "number > ?1"));
    assert_true(str_is(needs.list[0].arguments, "[1000]"));
    assert_true(needs.list[1].required);
    assert_int_equal(query_plan_task(bench->world->store, 12, &bench->arena, &task, NULL),
                     ERR_NONE);
    assert_true(str_is(task.task.description, "who says"));
    assert_true(str_is(task.task.hold, "ask ada"));
    assert_int_equal(query_plan_task(bench->world->store, 99, &bench->arena, &task, NULL),
                     ERR_NOT_FOUND);
}

static void keys_become_ids_in_the_turn_that_adds_them(void **state)
{
    struct bench *bench = *state;
    struct store *store = bench->world->store;
    static const struct plan_task text = { .key = { "new", 3 } };
    static const struct task_record task = { .id = 40, .class_id = 2, .policy_id = 3, .state = 1 };
    int64_t id = 0;
    sample_add_task(&bench->world->effects, &task, &text);
    world_apply(bench->world);
    assert_int_equal(query_task_id(store, 1, STR("report"), &id, NULL), ERR_NONE);
    assert_int_equal(id, 13);
    assert_int_equal(query_task_id(store, 1, STR("new"), &id, NULL), ERR_NONE);
    assert_int_equal(id, 40);
    assert_int_equal(query_task_id(store, 1, STR("none"), &id, NULL), ERR_NOT_FOUND);
    world_commit(bench->world);
}

static void cursors_go_over_what_was_submitted_and_what_edits_have_added(void **state)
{
    struct bench *bench = *state;
    struct query_constellation constellation;
    struct query_task_state states[8];
    int64_t ids[8];
    size_t count = 0;
    add_late(bench, 3);
    static const int64_t expected[] = { 11, 12, 13, 40, 41, 42 };
    int64_t after = 0;
    size_t seen = 0;
    do {
        assert_int_equal(query_plan_scan(bench->world->store, 1, after, ids, 4, &count, NULL),
                         ERR_NONE);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(ids[i], expected[seen++]);
            after = ids[i];
        }
    } while (count == 4);
    assert_int_equal(seen, 6);
    assert_int_equal(
        query_constellation(bench->world->store, 1, &bench->arena, &constellation, NULL), ERR_NONE);
    assert_int_equal(
        query_task_scan(bench->world->store, &constellation, 12, states, 8, &count, NULL),
        ERR_NONE);
    assert_int_equal(count, 4);
    assert_int_equal(states[0].id, 13);
    assert_int_equal(states[3].id, 42);
}

static void why_a_dependency_was_decided_so_goes_with_its_decision(void **state)
{
    struct bench *bench = *state;
    struct store *store = bench->world->store;
    struct query_edge_error errors[2];
    size_t count = 0;
    struct edge_record edge = bench->sample.edges[1];
    edge.decision = EDGE_CLOSED;
    sample_edge(&bench->world->effects, EFFECT_SAVE_EDGE, &edge, NULL);
    struct effect *effect = effects_add(&bench->world->effects, EFFECT_EDGE_REASON);
    effect->edge_reason.edge_id = 22;
    effect->edge_reason.text = STR("number is not a number");
    world_commit(bench->world);
    assert_int_equal(query_edge_errors(store, &bench->arena, errors, 2, &count, NULL), ERR_NONE);
    assert_int_equal(count, 1);
    assert_int_equal(errors[0].task_id, 13);
    assert_true(str_is(errors[0].reason, "number is not a number"));
    sample_edge(&bench->world->effects, EFFECT_SAVE_EDGE, &bench->sample.edges[1], NULL);
    world_commit(bench->world); /* undecided: the next decision is another */
    sample_edge(&bench->world->effects, EFFECT_SAVE_EDGE, &edge, NULL);
    world_commit(bench->world);
    assert_int_equal(query_edge_errors(store, &bench->arena, errors, 2, &count, NULL), ERR_NONE);
    assert_int_equal(count, 0);
    struct query_plan_needs needs;
    assert_int_equal(query_plan_needs(store, 13, &bench->arena, &needs, NULL), ERR_NONE);
    assert_true(str_is(needs.list[0].condition, "number > ?1"));
    assert_int_equal(query_plan_needs(store, 99, &bench->arena, &needs, NULL), ERR_NONE);
    assert_int_equal(needs.count, 0);
}

static void limits_and_the_description_are_read(void **state)
{
    struct bench *bench = *state;
    struct plan_limit *limits = NULL;
    size_t count = 0;
    struct query_constellation constellation;
    struct store *store = bench->world->store;
    assert_int_equal(query_plan_limits(store, 1, &bench->arena, &limits, &count, NULL), ERR_NONE);
    assert_int_equal(count, 2);
    assert_true(str_is(limits[1].name, "line"));
    assert_int_equal(limits[1].capacity, 9);
    assert_int_equal(query_constellation(store, 1, &bench->arena, &constellation, NULL), ERR_NONE);
    assert_true(str_is(constellation.description, "one of everything"));
    assert_int_equal(store_begin(store, NULL), ERR_NONE);
    assert_int_equal(store_put_description(store, 1, STR("another"), NULL), ERR_NONE);
    assert_int_equal(store_commit(store, NULL), ERR_NONE);
    assert_int_equal(query_constellation(store, 1, &bench->arena, &constellation, NULL), ERR_NONE);
    assert_true(str_is(constellation.description, "another"));
}

static void a_removed_task_keeps_its_name_for_the_events(void **state)
{
    struct bench *bench = *state;
    struct str key;
    add_late(bench, 1);
    effects_add(&bench->world->effects, EFFECT_REMOVE_EDGE)->id = 50;
    effects_add(&bench->world->effects, EFFECT_REMOVE_TASK)->id = 40;
    world_commit(bench->world);
    assert_int_equal(query_task_key(bench->world->store, 40, &bench->arena, &key, NULL), ERR_NONE);
    assert_true(str_is(key, "late0"));
}

static void revisions_are_listed_newest_first_in_pages(void **state)
{
    struct bench *bench = *state;
    struct query_revisions list;
    struct revision_record one;
    struct store *store = bench->world->store;
    for (uint32_t revision = 9; revision <= 13; revision++) {
        add_revision(bench, revision, 100 + revision);
    }
    struct query_revision_list wanted = { .last = UINT32_MAX, .limit = 2 };
    assert_int_equal(query_revision_list(store, 1, &wanted, &bench->arena, &list, NULL), ERR_NONE);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.list[0].number, 13);
    assert_int_equal(list.list[0].operations.length, 0);
    assert_int_equal(list.next, 11);
    wanted = (struct query_revision_list){ .first = 10, .last = 12, .with_text = true, .limit = 9 };
    assert_int_equal(query_revision_list(store, 1, &wanted, &bench->arena, &list, NULL), ERR_NONE);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.list[2].number, 10);
    assert_int_equal(list.next, 0);
    assert_true(str_is(list.list[2].inverse, "[{\"op\":\"remove_task\"}]"));
    wanted.bytes_max = 50; /* one has 44 */
    assert_int_equal(query_revision_list(store, 1, &wanted, &bench->arena, &list, NULL), ERR_NONE);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.next, 11);
    assert_int_equal(query_revision(store, 1, 9, &bench->arena, &one, NULL), ERR_NONE);
    assert_int_equal(one.base, 8);
    assert_int_equal(one.wall_ms, 109);
    assert_int_equal(one.author_kind, AUTHOR_PLANNER);
    assert_true(str_is(one.author, "gpt"));
    assert_true(str_is(one.reason, "the NAS is gone"));
    assert_int_equal(query_revision(store, 1, 8, &bench->arena, &one, NULL), ERR_NOT_FOUND);
}

static void holds_are_listed_with_their_words_and_tasks(void **state)
{
    struct bench *bench = *state;
    struct query_holds list;
    struct query_hold words;
    struct store *store = bench->world->store;
    assert_int_equal(query_hold_list(store, 1, 0, 1, &bench->arena, &list, NULL), ERR_NONE);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.next_id, 31);
    assert_true(str_is(list.list[0].words.owner, "ada"));
    assert_true(str_is(list.list[0].words.reason, "thinking"));
    assert_true(str_is(list.list[0].root, "scan"));
    assert_int_equal(list.list[0].tasks, 2);
    assert_true(str_is(list.list[0].keys[1], "report"));
    assert_int_equal(list.list[0].record.length_ms, 60000);
    assert_int_equal(query_hold_list(store, 1, 31, 1, &bench->arena, &list, NULL), ERR_NONE);
    assert_int_equal(list.next_id, 0);
    assert_int_equal(list.list[0].record.scope, HOLD_ALL);
    assert_int_equal(list.list[0].tasks, 0);
    assert_int_equal(query_hold(store, 31, &bench->arena, &words, NULL), ERR_NONE);
    assert_true(str_is(words.reason, "thinking"));
    assert_int_equal(query_hold(store, 39, &bench->arena, &words, NULL), ERR_NOT_FOUND);
}

/* --- Going --- */

static unsigned retain(struct bench *bench, int64_t now_wall_ms,
                       const struct retention_policy *policy)
{
    bool more = true;
    unsigned turns = 0;
    for (; more && turns < 100; turns++) {
        assert_int_equal(store_begin(bench->world->store, NULL), ERR_NONE);
        assert_int_equal(store_retain(bench->world->store, now_wall_ms, policy, &more, NULL),
                         ERR_NONE);
        assert_int_equal(store_commit(bench->world->store, NULL), ERR_NONE);
    }
    return turns;
}

static void revisions_go_by_their_number_and_their_age(void **state)
{
    struct bench *bench = *state;
    for (uint32_t revision = 9; revision <= 20; revision++) {
        add_revision(bench, revision, 100 + revision);
    }
    retain(bench, 1000, &(struct retention_policy){ .revisions_max = 100 });
    assert_int_equal(number(bench, "SELECT count(*) FROM revision"), 12);
    retain(bench, 1000, &(struct retention_policy){ .revisions_max = 8 });
    assert_int_equal(number(bench, "SELECT min(id & 4294967295) FROM revision"), 13);
    retain(bench, 1000, &(struct retention_policy){ .revisions_keep_ms = 883 });
    assert_int_equal(number(bench, "SELECT min(id & 4294967295) FROM revision"), 17);
    assert_int_equal(number(bench, "SELECT count(*) FROM revision"), 4);
    assert_int_equal(number(bench, "SELECT revision FROM constellation"), 20);
}

static void what_the_last_revision_says_of_its_plan_stays_when_it_goes(void **state)
{
    struct bench *bench = *state;
    struct query_constellation constellation;
    for (uint32_t revision = 9; revision <= 12; revision++) {
        add_revision(bench, revision, 100 + revision);
    }
    retain(bench, 1000, &(struct retention_policy){ .revisions_keep_ms = 1000 - 112 });
    assert_int_equal(number(bench, "SELECT count(*) FROM revision"), 1);
    assert_int_equal(number(bench, "SELECT revision FROM constellation_row"), 8);
    retain(bench, 1000, &(struct retention_policy){ .revisions_keep_ms = 1 });
    assert_int_equal(number(bench, "SELECT count(*) FROM revision"), 0);
    world_reopen(bench->world);
    assert_int_equal(
        query_constellation(bench->world->store, 1, &bench->arena, &constellation, NULL), ERR_NONE);
    assert_int_equal(constellation.record.revision, 12);
    assert_int_equal(constellation.record.tasks, 12);
    assert_int_equal(constellation.record.edges, 24);
}

static int64_t revision_of(struct bench *bench, int64_t task_id)
{
    struct query_task task;
    assert_int_equal(query_task(bench->world->store, task_id, &bench->arena, &task, NULL),
                     ERR_NONE);
    return task.record.revision;
}

static void stamp(struct bench *bench, struct task_record *task, uint32_t revision)
{
    task->revision = revision;
    struct effect *effect = effects_add(&bench->world->effects, EFFECT_SAVE_TASK);
    effect->task.record = task;
    effect->task.is_stamp = true;
    world_commit(bench->world);
}

/* Its row, which may lie anywhere, is left alone. */
static void a_task_that_an_edit_touches_has_its_revision(void **state)
{
    struct bench *bench = *state;
    struct task_record *task = &bench->sample.tasks[0];
    int64_t first = revision_of(bench, task->id);
    stamp(bench, task, 30);
    stamp(bench, task, 31);
    assert_int_equal(revision_of(bench, task->id), 31);
    assert_int_equal(number(bench, "SELECT revision FROM task_row WHERE id = 11"), first);
    world_reopen(bench->world);
    assert_int_equal(revision_of(bench, task->id), 31);
    task->revision = 40;
    effects_add(&bench->world->effects, EFFECT_SAVE_TASK)->task.record = task;
    world_commit(bench->world);
    assert_int_equal(revision_of(bench, task->id), 40);
    stamp(bench, task, 41);
    assert_int_equal(revision_of(bench, task->id), 41);
    effects_add(&bench->world->effects, EFFECT_REMOVE_EDGE)->id = 21;
    effects_add(&bench->world->effects, EFFECT_REMOVE_EDGE)->id = 22;
    effects_add(&bench->world->effects, EFFECT_REMOVE_TASK)->id = 11;
    world_commit(bench->world);
    assert_int_equal(number(bench, "SELECT count(*) FROM task_stamp"), 0);
}

/* What retention looks for is written once in many edits. */
static void an_edit_s_revision_is_one_row(void **state)
{
    struct bench *bench = *state;
    sqlite3 *db = store_sqlite_handle(bench->world->store);
    add_revision(bench, 9, 109);
    for (uint32_t revision = 10; revision <= 300; revision++) {
        int before = sqlite3_total_changes(db);
        add_revision(bench, revision, 100 + revision);
        bool is_block = revision == 128 || revision == 256;
        assert_int_equal(sqlite3_total_changes(db) - before, is_block ? 2 : 1);
    }
    static const int64_t kept[] = { 291, 200, 129, 44 };
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        retain(bench, 1000, &(struct retention_policy){ .revisions_max = kept[i] });
        assert_int_equal(number(bench, "SELECT count(*) FROM revision"), kept[i]);
        assert_int_equal(number(bench, "SELECT max(id & 4294967295) FROM revision"), 300);
    }
    retain(bench, 1000, &(struct retention_policy){ .revisions_keep_ms = 1 });
    assert_int_equal(number(bench, "SELECT count(*) FROM revision"), 0);
    assert_int_equal(number(bench, "SELECT count(*) FROM edited"), 0);
    add_revision(bench, 301, 500);
    assert_int_equal(number(bench, "SELECT oldest_wall_ms FROM edited"), 500);
}

static void a_removed_task_that_never_ran_goes_with_the_event_of_its_removal(void **state)
{
    struct bench *bench = *state;
    struct effects *effects = &bench->world->effects;
    static const int64_t edges[] = { 50, 51, 21, 22 };
    static const int64_t tasks[] = { 40, 41, 11 }; /* the last one has run */
    add_late(bench, 2);
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        effects_add(effects, EFFECT_REMOVE_EDGE)->id = edges[i];
    }
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        effects_add(effects, EFFECT_REMOVE_TASK)->id = tasks[i];
    }
    struct history *history = &effects_add(effects, EFFECT_HISTORY)->history;
    history->kind = HISTORY_CONSTELLATION_EDITED;
    history->constellation_id = 1;
    for (int i = 0; i < 5; i++) {
        effects_add(effects, EFFECT_HISTORY)->history.kind = HISTORY_TASK_STARTED;
    }
    world_commit(bench->world);
    retain(bench, 1, &(struct retention_policy){ .events_max = 6 });
    assert_int_equal(number(bench, "SELECT count(*) FROM task_removed"), 3);
    retain(bench, 1, &(struct retention_policy){ .events_max = 5 });
    assert_int_equal(number(bench, "SELECT id FROM task_removed"), 11);
}

static void a_constellation_that_was_edited_goes_whole(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct effects *effects = &bench->world->effects;
    add_late(bench, 1500);
    stamp(bench, &sample->tasks[1], 9);
    add_revision(bench, 9, 100);
    /* Task 11 ran in an earlier round, and was removed since. */
    sample->attempt.state = ATTEMPT_ENDED;
    effects_add(effects, EFFECT_SAVE_ATTEMPT)->attempt = &sample->attempt;
    sample->tasks[0].state = TASK_WAITING;
    effects_add(effects, EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    world_commit(bench->world);
    effects_add(effects, EFFECT_REMOVE_EDGE)->id = 21;
    effects_add(effects, EFFECT_REMOVE_EDGE)->id = 22;
    effects_add(effects, EFFECT_REMOVE_TASK)->id = 11;
    sample->constellation.state = CONSTELLATION_FAILED;
    effects_add(effects, EFFECT_SAVE_CONSTELLATION)->constellation.record = &sample->constellation;
    world_commit(bench->world);
    retain(bench, 1, &(struct retention_policy){ .finished_max = 0 });
    assert_int_equal(number(bench, "SELECT count(*) FROM attempt"), 1);
    assert_int_equal(store_begin(bench->world->store, NULL), ERR_NONE);
    assert_int_equal(store_delete_constellation(bench->world->store, 1, NULL), ERR_NONE);
    assert_int_equal(store_commit(bench->world->store, NULL), ERR_NONE);
    assert_in_range(retain(bench, 1, &(struct retention_policy){ .finished_max = 0 }), 3, 12);
    assert_int_equal(
        number(bench, "SELECT (SELECT count(*) FROM task_row) + (SELECT count(*) FROM task_live) +"
                      " (SELECT count(*) FROM task_text) + (SELECT count(*) FROM task_stamp) +"
                      " (SELECT count(*) FROM task_removed) +"
                      " (SELECT count(*) FROM edge_row) + (SELECT count(*) FROM edge_text) +"
                      " (SELECT count(*) FROM edge_decided) + (SELECT count(*) FROM attempt) +"
                      " (SELECT count(*) FROM hold) + (SELECT count(*) FROM hold_task) +"
                      " (SELECT count(*) FROM revision) + (SELECT count(*) FROM edited) +"
                      " (SELECT count(*) FROM doomed) +"
                      " (SELECT count(*) FROM late_task) + (SELECT count(*) FROM late_edge) +"
                      " (SELECT count(*) FROM constellation_limit) +"
                      " (SELECT count(*) FROM constellation_text)"),
        0);
    world_reopen(bench->world);
    assert_true(bench->world->start.next_task_id >= 1540);
    assert_true(bench->world->start.next_edge_id >= 1550);
    assert_int_equal(bench->world->start.next_hold_id, 33);
}

static void what_a_reopened_constellation_refers_to_is_in_use_again(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct effects *effects = &bench->world->effects;
    struct class_record newer = { .id = 8, .plan = { .executor = EXECUTOR_NOOP } };
    struct policy_record policy = { .id = 8 };
    effects_add(effects, EFFECT_ADD_CLASS)->class = &newer;
    effects_add(effects, EFFECT_ADD_POLICY)->policy = &policy;
    sample->tasks[0].state = TASK_FAILED;
    effects_add(effects, EFFECT_SAVE_TASK)->task.record = &sample->tasks[0];
    sample->constellation.state = CONSTELLATION_FAILED;
    effects_add(effects, EFFECT_SAVE_CONSTELLATION)->constellation.record = &sample->constellation;
    world_commit(bench->world);
    world_reopen(bench->world);
    assert_int_equal(number(bench, "SELECT retired FROM class WHERE id = 2"), 2);
    assert_int_equal(number(bench, "SELECT retired FROM policy WHERE id = 3"), 2);
    struct engine_config config = { .epoch = 1, .lease_ms = 60000, .ping_ms = 20000 };
    struct engine *engine = engine_new(&config);
    assert_int_equal(store_load(bench->world->store, engine, NULL), ERR_NONE);
    assert_int_equal(store_begin(bench->world->store, NULL), ERR_NONE);
    struct store_wake wake = { .constellation_id = 1 };
    size_t budget = SIZE_MAX;
    assert_int_equal(store_wake(bench->world->store, engine, &wake, &budget, NULL), ERR_NONE);
    assert_true(wake.is_whole);
    assert_int_equal(store_commit(bench->world->store, NULL), ERR_NONE);
    engine_free(engine);
    assert_int_equal(number(bench, "SELECT retired FROM class WHERE id = 2"), 0);
    assert_int_equal(number(bench, "SELECT retired FROM policy WHERE id = 3"), 0);
    world_reopen(bench->world); /* nothing has come of it */
    assert_int_equal(number(bench, "SELECT retired FROM class WHERE id = 2"), 2);
}

#define IN_A_BENCH(test) cmocka_unit_test_setup_teardown(test, open_bench, bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_BENCH(a_task_is_read_with_all_that_its_text_says),
        IN_A_BENCH(keys_become_ids_in_the_turn_that_adds_them),
        IN_A_BENCH(cursors_go_over_what_was_submitted_and_what_edits_have_added),
        IN_A_BENCH(why_a_dependency_was_decided_so_goes_with_its_decision),
        IN_A_BENCH(limits_and_the_description_are_read),
        IN_A_BENCH(a_removed_task_keeps_its_name_for_the_events),
        IN_A_BENCH(revisions_are_listed_newest_first_in_pages),
        IN_A_BENCH(holds_are_listed_with_their_words_and_tasks),
        IN_A_BENCH(revisions_go_by_their_number_and_their_age),
        IN_A_BENCH(what_the_last_revision_says_of_its_plan_stays_when_it_goes),
        IN_A_BENCH(an_edit_s_revision_is_one_row),
        IN_A_BENCH(a_task_that_an_edit_touches_has_its_revision),
        IN_A_BENCH(a_removed_task_that_never_ran_goes_with_the_event_of_its_removal),
        IN_A_BENCH(a_constellation_that_was_edited_goes_whole),
        IN_A_BENCH(what_a_reopened_constellation_refers_to_is_in_use_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
