/* How many pages a turn changes: each is a frame of the log, to be written and synced. In so small a
   database every table and index is one page, so that the count is of those that were touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/base/mem.h"
#include "orchestrator/store/sqlite_db.h"
#include "tests/unit/sqlite_number.h"
#include "tests/unit/store_sample.h"

struct bench {
    struct store_world *world;
    struct sample sample;
};

static int open_bench(void **state)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    bench->world = world_new(true);
    sample_init(&bench->sample);
    sample_submit(&bench->sample, &bench->world->effects);
    world_commit(bench->world);
    *state = bench;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    world_free(bench->world);
    mem_free(bench);
    return 0;
}

static struct effects *effects_of(struct bench *bench)
{
    return &bench->world->effects;
}

static void add_history(struct bench *bench, enum history_kind kind)
{
    effects_add(effects_of(bench), EFFECT_HISTORY)->history.kind = kind;
}

/* The turn's effects have been added: commits them. */
static int pages_of_turn(struct bench *bench)
{
    sqlite3 *db = store_sqlite_handle(bench->world->store);
    int pages = 0;
    int highest = 0;
    assert_int_equal(sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &highest, 1),
                     SQLITE_OK);
    world_commit(bench->world);
    assert_int_equal(sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &highest, 1),
                     SQLITE_OK);
    return pages;
}

/* "scan" has ended, which opens the way to "report", and the device is given that. */
static void an_end_and_the_assignment_that_follows_change_five_pages(void **state)
{
    struct bench *bench = *state;
    struct sample *sample = &bench->sample;
    struct task_record *ended = &sample->tasks[0];
    struct task_record *next = &sample->tasks[2];
    struct attempt_record attempt = sample->attempt;
    sample->attempt.state = ATTEMPT_ENDED;
    effects_add(effects_of(bench), EFFECT_SAVE_ATTEMPT)->attempt = &sample->attempt;
    ended->state = TASK_SUCCEEDED;
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = ended;
    add_history(bench, HISTORY_TASK_ENDED);
    sample->edges[1].decision = EDGE_OPEN;
    sample->edges[1].fence = 77;
    sample_edge(effects_of(bench), EFFECT_SAVE_EDGE, &sample->edges[1], NULL);
    attempt.fence = 78;
    attempt.task_id = next->id;
    effects_add(effects_of(bench), EFFECT_ADD_ATTEMPT)->attempt = &attempt;
    next->state = TASK_ASSIGNED;
    next->fence = 78;
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = next;
    add_history(bench, HISTORY_TASK_ASSIGNED);
    assert_int_equal(pages_of_turn(bench), 5);
}

static void add_revision(struct bench *bench, uint32_t number)
{
    struct effect *effect = effects_add(effects_of(bench), EFFECT_SAVE_CONSTELLATION);
    bench->sample.constellation.revision = number;
    effect->constellation.record = &bench->sample.constellation;
    effect->constellation.is_stamp = true;
    effects_add(effects_of(bench), EFFECT_ADD_REVISION)->revision =
        (struct revision_record){ .constellation_id = 1, .number = number, .base = number - 1 };
    add_history(bench, HISTORY_CONSTELLATION_EDITED);
}

static void an_edit_of_a_task_changes_its_row_and_adds_a_revision_and_an_event(void **state)
{
    struct bench *bench = *state;
    struct task_record *task = &bench->sample.tasks[2];
    add_revision(bench, 9);
    pages_of_turn(bench); /* retention hears of the first one */
    task->priority = 4;
    effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = task;
    add_revision(bench, 10);
    assert_int_equal(pages_of_turn(bench), 3);
}

static void add_task(struct bench *bench, const char *key, int64_t id)
{
    static const struct plan_edge edge_text;
    struct task_record task = {
        .id = id, .class_id = 2, .policy_id = 3, .state = TASK_WAITING, .round = 1
    };
    struct plan_task text = { .key = str_of(key), .body = STR("b") };
    struct edge_record edge = { .id = id, .from_id = 13, .to_id = id, .when = EDGE_WHEN_ALWAYS };
    sample_add_task(effects_of(bench), &task, &text);
    world_apply(bench->world);
    sample_edge(effects_of(bench), EFFECT_ADD_EDGE, &edge, &edge_text);
}

/* Two tables and an index of tasks, one of each of edges, revision and event. */
static void a_task_that_an_edit_adds_near_the_last_changes_seven_pages(void **state)
{
    struct bench *bench = *state;
    add_task(bench, "new", 40);
    add_revision(bench, 9);
    pages_of_turn(bench);
    add_task(bench, "newer", 41);
    add_revision(bench, 10);
    assert_int_equal(pages_of_turn(bench), 7);
}

/* The same seven, and its name for the events, with an index. */
static void a_task_that_an_edit_removes_changes_nine_pages(void **state)
{
    struct bench *bench = *state;
    add_task(bench, "new", 40);
    add_task(bench, "newer", 41);
    add_revision(bench, 9);
    pages_of_turn(bench);
    for (int64_t id = 40; id <= 41; id++) {
        effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = id;
        effects_add(effects_of(bench), EFFECT_REMOVE_TASK)->id = id;
        add_revision(bench, (uint32_t)id);
        int pages = pages_of_turn(bench);
        assert_true(id == 40 || pages == 9);
    }
}

/* The submission has filled them. */
static void tasks_that_end_do_not_split_their_pages(void **state)
{
    enum { TASKS = 500 };
    static struct task_record tasks[TASKS];
    struct bench *bench = *state;
    sqlite3 *db = store_sqlite_handle(bench->world->store);
    char key[16];
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = bench->sample.tasks[1];
        tasks[i].id = 100 + i;
        snprintf(key, sizeof key, "t%d", i);
        struct plan_task text = { .key = str_of(key), .body = STR("b") };
        sample_add_task(effects_of(bench), &tasks[i], &text);
        world_apply(bench->world);
    }
    world_commit(bench->world);
    int64_t pages = sqlite_number(db, "PRAGMA page_count");
    for (int i = 0; i < TASKS; i++) {
        tasks[i].fence = (UINT64_C(1) << FENCE_COUNTER_BITS) + 1 + (uint64_t)i;
        tasks[i].attempts = tasks[i].first_attempt = 1;
        tasks[i].state = TASK_SUCCEEDED;
        effects_add(effects_of(bench), EFFECT_SAVE_TASK)->task.record = &tasks[i];
    }
    world_commit(bench->world);
    assert_int_equal(sqlite_number(db, "PRAGMA page_count"), pages);
}

/* The second edge that goes is no reason to say again what is spent. */
static void a_dependency_that_goes_changes_its_row_and_its_index(void **state)
{
    struct bench *bench = *state;
    effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = 21;
    assert_int_equal(pages_of_turn(bench), 3);
    effects_add(effects_of(bench), EFFECT_REMOVE_EDGE)->id = 23;
    assert_int_equal(pages_of_turn(bench), 2);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(an_end_and_the_assignment_that_follows_change_five_pages),
        ROW(an_edit_of_a_task_changes_its_row_and_adds_a_revision_and_an_event),
        ROW(a_task_that_an_edit_adds_near_the_last_changes_seven_pages),
        ROW(a_task_that_an_edit_removes_changes_nine_pages),
        ROW(tasks_that_end_do_not_split_their_pages),
        ROW(a_dependency_that_goes_changes_its_row_and_its_index),
    };
    return cmocka_run_group_tests_name("store pages", tests, NULL, NULL);
}
