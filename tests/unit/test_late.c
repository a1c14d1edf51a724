/* What edits add is found by blocks of ids: nothing is missed, and no block stays for nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/base/mem.h"
#include "orchestrator/store/late.h"
#include "orchestrator/store/sqlite_db.h"
#include "tests/unit/sqlite_number.h"
#include "tests/unit/store_sample.h"

enum { CONSTELLATIONS = 2, ROWS_MAX = 4000 };

struct bench {
    struct store_world *world;
    struct sample sample;
    uint32_t random;
    int64_t next_id; /* of tasks and of edges alike */
    int64_t there[ROWS_MAX];
    size_t there_count;
};

static void other_constellation(struct bench *bench)
{
    static const struct constellation_record record = { .id = 2, .state = CONSTELLATION_RUNNING };
    static const struct plan plan = { .name = { "other", 5 } };
    struct effects *effects = &bench->world->effects;
    struct effect *effect = effects_add(effects, EFFECT_ADD_CONSTELLATION);
    effect->constellation.record = &record;
    effect->constellation.uid = STR("other-abcd");
    effect->constellation.plan = &plan;
    struct history *history = &effects_add(effects, EFFECT_HISTORY)->history;
    history->kind = HISTORY_CONSTELLATION_SUBMITTED;
    history->constellation_id = 2;
}

static int open_bench(void **state)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    bench->world = world_new(true);
    sample_init(&bench->sample);
    sample_submit(&bench->sample, &bench->world->effects);
    other_constellation(bench);
    world_commit(bench->world);
    bench->random = 7;
    bench->next_id = 40;
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

static uint32_t draw(struct bench *bench, uint32_t below)
{
    bench->random = bench->random * 1664525 + 1013904223;
    return (bench->random >> 8) % below;
}

static int64_t number(struct bench *bench, const char *sql)
{
    return sqlite_number(store_sqlite_handle(bench->world->store), sql);
}

/* A task, and an edge to it that has its id. */
static void add(struct bench *bench, int64_t constellation_id)
{
    static const struct plan_edge edge_text;
    struct effects *effects = &bench->world->effects;
    int64_t id = bench->next_id++;
    char key[32];
    int length = snprintf(key, sizeof key, "late%lld", (long long)id);
    struct task_record task = {
        .id = id, .class_id = 2, .policy_id = 3, .state = TASK_WAITING, .round = 1
    };
    struct plan_task text = { .key = { key, (size_t)length }, .body = STR("b") };
    struct edge_record edge = { .id = id, .from_id = 13, .to_id = id, .when = EDGE_WHEN_ALWAYS };
    sample_add_task(effects, &task, &text)->task.constellation_id = constellation_id;
    world_apply(bench->world);
    sample_edge(effects, EFFECT_ADD_EDGE, &edge, &edge_text)->edge.constellation_id =
        constellation_id;
    bench->there[bench->there_count++] = id;
}

static void remove_one(struct bench *bench)
{
    size_t at = draw(bench, (uint32_t)bench->there_count);
    int64_t id = bench->there[at];
    bench->there[at] = bench->there[--bench->there_count];
    effects_add(&bench->world->effects, EFFECT_REMOVE_EDGE)->id = id;
    effects_add(&bench->world->effects, EFFECT_REMOVE_TASK)->id = id;
}

#define FOUND(blocks, table)                                                                       \
    "SELECT count(*) FROM " LATE_ROWS(blocks, table, "r", "0") " WHERE b.constellation_id IN (1, " \
                                                               "2)"
#define NEEDLESS(blocks, table)                                                                    \
    "SELECT count(*) FROM " blocks " b WHERE EXISTS (SELECT 1 FROM " blocks " n"                   \
    " WHERE n.constellation_id = b.constellation_id AND n.first_id > b.first_id)"                  \
    " AND NOT EXISTS (SELECT 1 FROM " table " r WHERE r.id BETWEEN b.first_id AND b.first_id + 31" \
    " AND r.constellation_id = b.constellation_id AND r.late = 1)"

static void expect_sound(struct bench *bench)
{
    int64_t there = (int64_t)bench->there_count;
    assert_int_equal(number(bench, FOUND("late_task", "task_row")), there);
    assert_int_equal(number(bench, FOUND("late_edge", "edge_row")), there);
    assert_int_equal(number(bench, NEEDLESS("late_task", "task_row")), 0);
    assert_int_equal(number(bench, NEEDLESS("late_edge", "edge_row")), 0);
}

/* Mostly small edits of two constellations, some of many, until much is there; then it goes. */
static void whatever_edits_add_and_remove_is_in_a_block_and_none_is_empty(void **state)
{
    struct bench *bench = *state;
    for (int turn = 0; turn < 400; turn++) {
        int64_t constellation_id = 1 + draw(bench, CONSTELLATIONS);
        uint32_t count = draw(bench, 20) == 0 ? 40 : 1 + draw(bench, 3);
        bool grows = draw(bench, 100) < (turn < 250 ? 60 : 30);
        for (uint32_t i = 0; i < count; i++) {
            if (grows) {
                add(bench, constellation_id);
            } else if (bench->there_count > 0) {
                remove_one(bench);
            }
        }
        world_commit(bench->world);
        expect_sound(bench);
    }
    while (bench->there_count > 0) {
        remove_one(bench);
        world_commit(bench->world);
        expect_sound(bench);
    }
    assert_in_range(bench->next_id, 500, ROWS_MAX);
    assert_in_range(number(bench, "SELECT count(*) FROM late_task"), 1, CONSTELLATIONS);
}

static void a_block_says_nothing_of_the_neighbours_in_it(void **state)
{
    struct bench *bench = *state;
    for (int i = 0; i < 60; i++) {
        add(bench, 1 + i % 2);
    }
    world_commit(bench->world);
    expect_sound(bench);
    assert_int_equal(number(bench,
                            "SELECT count(*) FROM " LATE_ROWS("late_task", "task_row", "r",
                                                              "0") " AND"
                                                                   " b.constellation_id = 1"),
                     30);
    assert_int_equal(number(bench,
                            "SELECT min(r.id) FROM " LATE_ROWS("late_task", "task_row", "r",
                                                               "70") " AND"
                                                                     " b.constellation_id = 2"),
                     71);
}

/* Whoever adds and removes in turn writes no block each time; nothing is left of the one before. */
static void an_empty_block_stays_until_another_comes(void **state)
{
    struct bench *bench = *state;
    for (int i = 0; i < 3; i++) {
        add(bench, 1);
        remove_one(bench);
        world_commit(bench->world);
        assert_int_equal(number(bench, "SELECT first_id FROM late_task"), 32);
    }
    bench->next_id = 100;
    add(bench, 1);
    world_commit(bench->world);
    expect_sound(bench);
    assert_int_equal(number(bench, "SELECT count(*) FROM late_task"), 1);
    assert_int_equal(number(bench, "SELECT first_id FROM late_task"), 96);
}

static void the_dependencies_of_one_edit_are_in_all_the_blocks_they_reach(void **state)
{
    static const struct plan_edge edge_text;
    struct bench *bench = *state;
    for (int64_t id = 60; id < 260; id++) {
        struct edge_record edge = {
            .id = id, .from_id = 11, .to_id = 12, .when = EDGE_WHEN_ALWAYS
        };
        sample_edge(&bench->world->effects, EFFECT_ADD_EDGE, &edge, &edge_text);
    }
    world_commit(bench->world);
    assert_int_equal(number(bench, FOUND("late_edge", "edge_row")), 200);
    assert_int_equal(number(bench, "SELECT count(*) FROM late_edge"), 8);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(whatever_edits_add_and_remove_is_in_a_block_and_none_is_empty),
        ROW(an_empty_block_stays_until_another_comes),
        ROW(the_dependencies_of_one_edit_are_in_all_the_blocks_they_reach),
        ROW(a_block_says_nothing_of_the_neighbours_in_it),
    };
    return cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
