/* The data directory: backup while it is in use, restore, what is refused, what is deleted in time. */
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"
#include "tests/e2e/marks.h"

enum { LIMIT_MS = 40000 };

static const char once_spec[] =
    "name: flash\ntasks:\n  flash: {run: ['true'], effect: once, hold: 'now?'}\n";
static const char noop_spec[] = "name: one\ntasks:\n  a: {shell: 'echo kept'}\n";

static void run_verb(struct fleet *fleet, int code, const char *words, const char *verb,
                     const char *operand)
{
    struct said said = asterismd(fleet, verb, operand, "--data-dir", fleet->data_dir, NULL);
    if (said.code != code || (strstr(said.out, words) == NULL && strstr(said.err, words) == NULL)) {
        fail_msg("asterismd %s %s: %d, %s%s", verb, operand, said.code, said.out, said.err);
    }
    said_done(&said);
}

static void a_backup_of_a_busy_daemon_restores_to_what_was_acknowledged(void **state)
{
    struct fleet *fleet = *state;
    fleet_quick(fleet, "10m");
    fleet_three(fleet);
    char *backup = mem_copy_text(fleet_path(fleet, "backup"));
    const char *spec = fleet_write(fleet, "one.yaml", noop_spec);
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    submitted(fleet, marks_spec(fleet, marks_constellation)); /* goes on meanwhile */
    run_verb(fleet, 0, "backed up", "backup", backup);
    run_verb(fleet, 1, "not empty", "backup", backup);
    run_verb(fleet, 1, "not empty", "restore", backup);
    cli_expect(fleet, 0, "succeeded", "wait", "@last", NULL);
    for (size_t i = 0; i < fleet->agents_count; i++) {
        fleet_agent_stop(&fleet->agents[i]);
    }
    fleet_daemon_stop(fleet);
    snprintf(fleet->data_dir, sizeof fleet->data_dir, "%s", fleet_path(fleet, "restored"));
    run_verb(fleet, 0, "restored", "restore", backup);
    fleet_daemon_start(fleet);
    cli_expect(fleet, 0, "one-", "list", NULL);
    char *id = NULL;
    json_t *list = ask_json(fleet, "/api/v1/constellations?state=succeeded");
    const json_t *oldest =
        json_array_get(json_object_get(list, "constellations"),
                       json_array_size(json_object_get(list, "constellations")) - 1);
    id = mem_format("%s/a", text_of(oldest, "id"));
    cli_expect(fleet, 0, "kept", "logs", id, NULL);
    json_decref(list);
    mem_free(id);
    mem_free(backup);
    fleet_passed(fleet);
}

static void a_restored_database_that_agents_have_overtaken_waits_for_acceptance(void **state)
{
    struct fleet *fleet = *state;
    fleet_quick(fleet, "10m");
    fleet_daemon_start(fleet);
    struct fleet_agent *agent = fleet_agent_add(fleet, "only", 2);
    fleet_agent_start(fleet, agent);
    fleet_agents_connected(fleet, 1);
    char *backup = mem_copy_text(fleet_path(fleet, "backup"));
    const char *id = submitted(fleet, fleet_write(fleet, "flash.yaml", once_spec));
    char *flash = mem_format("%s/flash", id);
    run_verb(fleet, 0, "backed up", "backup", backup);
    cli_expect(fleet, 0, "approved", "approve", "@last/flash",
               NULL); /* the backup knows not of it */
    cli_expect(fleet, 0, "succeeded", "wait", "@last", NULL);
    const char *spec = fleet_write(fleet, "one.yaml", noop_spec);
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL); /* the backup does not know of it */
    fleet_daemon_kill(fleet);
    fleet_daemon_start(fleet); /* the receipt is given out with a Welcome */
    fleet_agents_connected(fleet, 1);
    fleet_daemon_stop(fleet);
    process_kill(&agent->process); /* so that it dials at once when it is back */
    snprintf(fleet->data_dir, sizeof fleet->data_dir, "%s", fleet_path(fleet, "restored"));
    run_verb(fleet, 0, "restored", "restore", backup);
    fleet_daemon_start(fleet);
    fleet_agent_start(fleet, agent);
    EVENTUALLY(LIMIT_MS, ask_status(fleet, "GET", "/readyz", NULL) == 503);
    EVENTUALLY(LIMIT_MS, file_count(agent->process.err, "code=receipt") > 0);
    cli_expect(fleet, 3, "restore --accept", "submit", spec, NULL);
    fleet_daemon_stop(fleet);
    struct said said = asterismd(fleet, "restore", "--accept", "--data-dir", fleet->data_dir, NULL);
    assert_int_equal(said.code, 0);
    said_done(&said);
    process_kill(&agent->process);
    fleet_daemon_start(fleet);
    fleet_agent_start(fleet, agent);
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    assert_int_equal(ask_status(fleet, "GET", "/readyz", NULL), 200);
    cli_expect(fleet, 0, "unknown", "show", flash, NULL); /* it must not run again */
    cli_expect(fleet, 0, "succeeded", "resolve", flash, "succeeded", NULL);
    cli_expect(fleet, 0, "succeeded", "show", flash, NULL);
    mem_free(flash);
    mem_free(backup);
    fleet_passed(fleet);
}

static void run_sql(struct fleet *fleet, const char *sql)
{
    char path[FLEET_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/asterism.db", fleet->data_dir);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_database_of_a_newer_version_is_refused(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    fleet_daemon_stop(fleet);
    run_sql(fleet, "PRAGMA user_version = 999");
    fleet_daemon_refuses(fleet, 1, "the database has version 999");
    fleet_passed(fleet);
}

static void a_damaged_database_is_refused_with_words(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    submitted(fleet, fleet_write(fleet, "one.yaml", noop_spec));
    fleet_daemon_stop(fleet);
    char path[FLEET_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/asterism.db", fleet->data_dir);
    FILE *file = fopen(path, "r+e");
    assert_non_null(file);
    for (int i = 0; i < 64 * 1024; i++) {
        fputc(i * 31, file);
    }
    fclose(file);
    /* Its words are those of SQLite; what to do stands beside them. */
    fleet_daemon_refuses(fleet, 1, "backup");
    fleet_passed(fleet);
}

static void what_ended_long_ago_is_deleted(void **state)
{
    struct fleet *fleet = *state;
    fleet_flags(fleet, "--keep-finished", "1s", NULL);
    fleet_three(fleet);
    const char *spec = fleet_write(fleet, "one.yaml", noop_spec);
    const char *waits =
        fleet_write(fleet, "waits.yaml", "name: waits\ntasks:\n  a: {noop: true, selector: gpu}\n");
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    submitted(fleet, waits);
    int64_t ended_ms = now_ms();
    EVENTUALLY(LIMIT_MS, now_ms() - ended_ms > 1100);
    fleet_daemon_kill(fleet); /* a start looks at once */
    fleet_daemon_start(fleet);
    EVENTUALLY(LIMIT_MS, history_number(fleet, "SELECT count(*) FROM constellation") == 1);
    EVENTUALLY(LIMIT_MS, history_number(fleet, "SELECT count(*) FROM task") == 1);
    cli_expect(fleet, 0, "waits-", "list", NULL);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_backup_of_a_busy_daemon_restores_to_what_was_acknowledged),
        ROW(a_restored_database_that_agents_have_overtaken_waits_for_acceptance),
        ROW(a_database_of_a_newer_version_is_refused),
        ROW(a_damaged_database_is_refused_with_words),
        ROW(what_ended_long_ago_is_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
