/* The checkers themselves: they see what they are for. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"
#include "tests/e2e/marks.h"

static const struct marks_task tasks[] = {
    { "first", "edge", "", 1, false },
    { "retried", "edge", "first", 1, true },
    { NULL, NULL, NULL, 0, false },
};

static struct marks_count check(struct fleet *fleet, const char *marks)
{
    fleet_write(fleet, "marks", marks);
    return marks_check(fleet, tasks);
}

#define FIRST        "first 1 10 begin\nfirst 1 10 end\n"
#define RETRIED(pid) "retried 1 " pid " begin\nretried 1 " pid " end\n"

static void marks_show_reruns_losses_and_disorder(void **state)
{
    struct fleet *fleet = *state;
    struct marks_count good = check(fleet, FIRST RETRIED("11") RETRIED("12"));
    assert_int_equal(good.reruns + good.lost + good.disorder, 0);
    struct marks_count rerun = check(fleet, FIRST RETRIED("11") RETRIED("12") FIRST);
    assert_int_equal(rerun.reruns, 1);
    struct marks_count lost = check(fleet, FIRST RETRIED("11") "retried 2 12 begin\n");
    assert_int_equal(lost.lost, 1);
    assert_int_equal(lost.reruns, 0);
    struct marks_count disorder = check(fleet, RETRIED("11") FIRST RETRIED("12"));
    assert_int_equal(disorder.disorder, 1);
    struct marks_count overlap =
        check(fleet, "first 1 10 begin\n" RETRIED("11") "first 1 10 end\n" RETRIED("12"));
    assert_int_equal(overlap.disorder, 1);
    fleet_passed(fleet);
}

/* Does a history that was tampered with by this SQL break a rule whose words begin so? */
static void expect_broken(struct fleet *fleet, const char *sql, const char *rule)
{
    char path[FLEET_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/asterism.db", fleet->data_dir);
    sqlite3 *db = NULL;
    char *words = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK) {
        fail_msg("%s", words);
    }
    sqlite3_close(db);
    int64_t times = 0;
    const char *broken = history_broken(fleet, &times);
    if (broken == NULL || strncmp(broken, rule, strlen(rule)) != 0) {
        fail_msg("%s breaks %s", sql, broken == NULL ? "nothing" : broken);
    }
}

static void a_history_that_was_tampered_with_is_seen(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *spec = fleet_write(fleet, "chain.yaml",
                                   "name: chain\ntasks:\n  a: {noop: true}\n"
                                   "  b: {noop: true, needs: a}\n");
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    fleet_daemon_stop(fleet);
    int64_t times = 0;
    assert_null(history_broken(fleet, &times));
    /* Each of them hides those behind it, so the last rule comes first. */
    expect_broken(fleet,
                  "INSERT INTO event SELECT seq + 1000, wall_ms, kind, constellation_id, task_id,"
                  " device_id, fence, state, outcome, number, text FROM event WHERE kind = 4",
                  "a constellation ends once");
    expect_broken(fleet,
                  "INSERT INTO edge_decided SELECT fence + 1000, edge_id, decision FROM"
                  " edge_decided",
                  "a decision is stored with");
    expect_broken(fleet,
                  "INSERT INTO hold SELECT 1, id, 1, 1, 1, 0, 0, 0, 0, '', '' FROM constellation",
                  "a constellation that is final holds");
    expect_broken(fleet, "UPDATE task_row SET state = 2 WHERE id = (SELECT max(id) FROM task)",
                  "P9");
    expect_broken(fleet,
                  "INSERT INTO event SELECT seq + 2000, wall_ms, kind, constellation_id, task_id,"
                  " device_id, fence, state, outcome, number, text FROM event WHERE kind = 8",
                  "P6");
    expect_broken(fleet, "UPDATE edge_decided SET decision = 2; UPDATE edge_row SET decision = 2",
                  "P4: a task that has started");
    expect_broken(fleet, "UPDATE event SET seq = seq + 3000 WHERE kind = 8",
                  "P4: a task is assigned");
    expect_broken(fleet,
                  "UPDATE attempt SET state = 2;"
                  "UPDATE attempt SET task_id = (SELECT min(task_id) FROM attempt)",
                  "P1");
    fleet_passed(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(marks_show_reruns_losses_and_disorder, fleet_setup,
                                        fleet_teardown),
        cmocka_unit_test_setup_teardown(a_history_that_was_tampered_with_is_seen, fleet_setup,
                                        fleet_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
