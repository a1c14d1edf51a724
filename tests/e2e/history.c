#include "tests/e2e/history.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* The numbers are those of orchestrator/engine/record.h, which never change. */
static const struct {
    const char *rule;
    const char *broken; /* how often it is */
} rules[] = {
    { "P1: a task has at most one attempt that is open",
      "SELECT count(*) FROM (SELECT task_id FROM attempt WHERE state IN (1, 2, 3)"
      " GROUP BY task_id HAVING count(*) > 1)" },
    { "P1: the fences of a task rise with its attempts",
      "SELECT count(*) FROM attempt a JOIN attempt b ON a.task_id = b.task_id"
      " WHERE a.number < b.number AND a.fence >= b.fence" },
    { "P4: a task is assigned after all that it needs has succeeded",
      "SELECT count(*) FROM edge JOIN event AS assigned"
      " ON assigned.task_id = edge.to_id AND assigned.kind = 6"
      " WHERE NOT EXISTS (SELECT 1 FROM event AS done WHERE done.task_id = edge.from_id"
      "  AND done.kind = 8 AND done.state = 5 AND done.seq < assigned.seq)" },
    { "P6: one result makes a task succeed, once",
      "SELECT count(*) FROM (SELECT task_id FROM event WHERE kind = 8 AND state = 5"
      " GROUP BY task_id HAVING count(*) > 1)" },
    { "P6: a task that has succeeded has its result's event",
      "SELECT count(*) FROM task WHERE state = 5 AND NOT EXISTS"
      " (SELECT 1 FROM event WHERE event.task_id = task.id AND kind = 8 AND state = 5)" },
    { "an attempt's every assignment is told, once",
      "SELECT count(*) FROM attempt WHERE"
      " (SELECT count(*) FROM event WHERE kind = 6 AND event.fence = attempt.fence) <> 1" },
    { "P9: a constellation that is final has no task that is not",
      "SELECT count(*) FROM task JOIN constellation AS c ON c.id = task.constellation_id"
      " WHERE c.state IN (4, 5, 6) AND task.state NOT IN (5, 6, 7, 8)" },
    { "a constellation ends once",
      "SELECT count(*) FROM (SELECT constellation_id FROM event WHERE kind = 4"
      " GROUP BY constellation_id HAVING count(*) > 1)" },
};

static int64_t ask_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static sqlite3 *open_database(struct fleet *fleet)
{
    char path[FLEET_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/asterism.db", fleet->data_dir);
    sqlite3 *db = NULL;
    /* Not SQLITE_OPEN_READONLY: after a kill the log is there and its index must be made anew. */
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    sqlite3_exec(db, "PRAGMA query_only=ON", NULL, NULL, NULL);
    return db;
}

const char *history_broken(struct fleet *fleet, int64_t *ret_times)
{
    sqlite3 *db = open_database(fleet);
    const char *rule = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && rule == NULL; i++) {
        *ret_times = ask_number(db, rules[i].broken);
        rule = *ret_times == 0 ? NULL : rules[i].rule;
    }
    sqlite3_close(db);
    return rule;
}

void history_check(struct fleet *fleet)
{
    int64_t times = 0;
    const char *rule = history_broken(fleet, &times);
    if (rule != NULL) {
        fail_msg("%s: broken %lld times", rule, (long long)times);
    }
}

int64_t history_number(struct fleet *fleet, const char *sql)
{
    sqlite3 *db = open_database(fleet);
    int64_t number = ask_number(db, sql);
    sqlite3_close(db);
    return number;
}
