#include "tests/e2e/history.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* The numbers are those of orchestrator/engine/record.h, which never change. */

/* The events that end a task, and the state that it then has: its attempt's end, that it was skipped,
   cancelled, failed without one, resolved, or that it was a gate. */
#define ENDED                                                                                      \
    "SELECT task_id, seq, CASE kind WHEN 11 THEN 8 WHEN 12 THEN 7 WHEN 13 THEN 6 WHEN 30 THEN 5"   \
    " ELSE state END AS state FROM event WHERE kind IN (11, 12, 13, 30)"                           \
    " OR (kind IN (8, 9, 29) AND state IN (5, 6, 7, 8))"

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
    { "P4: a task is assigned after the ends that its dependencies ask for",
      "SELECT count(*) FROM edge JOIN task ON task.id = edge.to_id"
      " JOIN (SELECT task_id, max(seq) AS seq FROM event WHERE kind = 6 GROUP BY task_id)"
      " AS assigned ON assigned.task_id = edge.to_id"
      " WHERE (task.flags & 1 = 0 OR edge.flags & 2 <> 0) AND NOT EXISTS (SELECT 1 FROM (" ENDED
      ") AS ended WHERE ended.task_id = edge.from_id AND ended.seq < assigned.seq"
      " AND (edge.\"when\" = 4 OR (edge.\"when\" <> 3 AND ended.state = 5)"
      "  OR (edge.\"when\" IN (2, 3) AND ended.state = 6)))" },
    { "P4: a task that has started did so on decisions that let it",
      "SELECT count(*) FROM edge JOIN task ON task.id = edge.to_id"
      " WHERE task.attempts > task.first_attempt AND edge.decision <> 1"
      " AND (task.flags & 1 = 0 OR edge.flags & 2 <> 0)" },
    { "P6: one result makes a task succeed, once a round",
      "SELECT count(*) FROM (SELECT task_id FROM event WHERE task_id <> 0 GROUP BY task_id"
      " HAVING sum(kind = 8 AND state = 5) > 1 + sum(kind = 27))" },
    { "P6: a task that has succeeded has its result's event",
      "SELECT count(*) FROM task WHERE state = 5 AND NOT EXISTS (SELECT 1 FROM (" ENDED
      ") AS ended WHERE ended.task_id = task.id AND ended.state = 5)" },
    { "an attempt's every assignment is told, once",
      "SELECT count(*) FROM attempt WHERE"
      " (SELECT count(*) FROM event WHERE kind = 6 AND event.fence = attempt.fence) <> 1" },
    { "P9: a constellation that is final has no task that is not",
      "SELECT count(*) FROM task JOIN constellation AS c ON c.id = task.constellation_id"
      " WHERE c.state IN (4, 5, 6) AND task.state NOT IN (5, 6, 7, 8)" },
    { "a constellation that is final holds nothing",
      "SELECT count(*) FROM hold JOIN constellation AS c ON c.id = hold.constellation_id"
      " WHERE c.state IN (4, 5, 6)" },
    { "a decision is stored with its task's latest attempt, or at its dependency",
      "SELECT count(*) FROM edge_decided AS d JOIN edge_row AS e ON e.id = d.edge_id"
      " JOIN task ON task.id = e.from_id WHERE task.fence <> d.fence" },
    { "a constellation ends once, and once again each time it was reopened",
      "SELECT count(*) FROM (SELECT constellation_id FROM event GROUP BY constellation_id"
      " HAVING constellation_id <> 0 AND sum(kind = 4) > 1 + sum(kind = 23))" },
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
