/* The limit on how much of a plan's text is kept: one row may not hold up a turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/unit/store_world.h"

enum { LIMIT = 1024 * 1024 };

/* Bytes of text that the database holds of a plan whose source has this many. */
static int64_t kept_of(size_t bytes)
{
    struct store_world *world = world_new(true);
    char *text = mem_alloc(bytes + 1);
    memset(text, 'x', bytes);
    struct plan plan = { .name = STR("large"), .source = { text, bytes } };
    struct constellation_record record = { .id = 1, .state = CONSTELLATION_RUNNING };
    struct effect *effect = effects_add(&world->effects, EFFECT_ADD_CONSTELLATION);
    effect->constellation.record = &record;
    effect->constellation.uid = STR("large-2345");
    effect->constellation.plan = &plan;
    world_apply(world);
    world_commit(world);

    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s/asterism.db", world->data_dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT length(source) FROM constellation_text", -1,
                                        &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t kept = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    mem_free(text);
    world_free(world);
    return kept;
}

static void the_text_of_a_plan_is_kept_up_to_the_limit(void **state)
{
    (void)state;
    assert_int_equal(kept_of(LIMIT), LIMIT);
}

static void the_text_of_a_larger_plan_is_not_kept(void **state)
{
    (void)state;
    assert_int_equal(kept_of(LIMIT + 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_of_a_plan_is_kept_up_to_the_limit),
        cmocka_unit_test(the_text_of_a_larger_plan_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
