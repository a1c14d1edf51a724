/* How a database is copied and brought back, and what a loss that was accepted means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/store/backup.h"
#include "orchestrator/store/sqlite_db.h"
#include "tests/unit/store_query.h"

static void take_backup(struct store_world *world, char path[128])
{
    struct reason reason = { { 0 } };
    world_path(world, "backup", path);
    if (store_backup(world->data_dir, path, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

/* The world's data directory becomes a restored one; the lost one is put aside. */
static void restore(struct store_world *world, const char *backup)
{
    struct reason reason = { { 0 } };
    char lost[128];
    world_path(world, "lost", lost);
    world_close(world);
    assert_int_equal(rename(world->data_dir, lost), 0);
    if (store_restore(backup, world->data_dir, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    world_open(world);
}

static void a_backup_taken_while_the_store_is_open_is_restored_as_it_was(void **state)
{
    struct store_world *world = *state;
    char backup[128];
    struct buf before = { 0 };
    struct buf after = { 0 };
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 300000);
    world_commit(world);
    world_dump(world, &before);
    world_output(world, STREAM_STDOUT, 5000);
    world_apply(world); /* an open transaction is not in the backup */
    take_backup(world, backup);
    world_commit(world);
    restore(world, backup);
    world_dump(world, &after);
    assert_string_equal(buf_text(&before), buf_text(&after));
    world_expect_output(world, STREAM_STDOUT, 0, 300000);
    buf_done(&before);
    buf_done(&after);
}

static void a_restored_database_knows_that_receipts_of_the_lost_one_are_ahead(void **state)
{
    struct store_world *world = *state;
    char backup[128];
    world_add_sample(world);
    world_commit(world);
    take_backup(world, backup);
    struct store_start first = world->start;
    world_reopen(world); /* the lost database was started once more */
    struct store_start lost = world->start;
    restore(world, backup);
    assert_true(world->start.epoch > lost.epoch);
    assert_memory_equal(world->start.secret, first.secret, sizeof first.secret);
    assert_memory_not_equal(world->start.lineage, first.lineage, sizeof first.lineage);
    assert_false(world_is_ahead(world, first.epoch, first.start_id, 77));
    assert_true(world_is_ahead(world, first.epoch, first.start_id, (UINT64_C(1) << 40) + 1));
    assert_true(world_is_ahead(world, lost.epoch, lost.start_id, 77));
    uint64_t before = world->start.epoch;
    world_reopen(world);
    assert_int_equal(world->start.ahead_epoch, lost.epoch);
    world_close(world);
    struct reason reason = { { 0 } };
    if (store_restore_accept(world->data_dir, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    assert_int_equal(store_restore_accept(world->data_dir, &reason), ERR_CONFLICT);
    world_open(world);
    assert_int_equal(world->start.ahead_epoch, 0);
    assert_true(world->start.epoch > before + 1);
    assert_false(world_is_ahead(world, lost.epoch, lost.start_id, 99));
}

/* The sample's first task runs, the other waits for it. */
static void an_accepted_loss_leaves_what_must_not_run_twice_to_someone(void **state)
{
    struct store_world *world = *state;
    struct buf text = { 0 };
    char backup[128];
    world_add_sample(world);
    world_commit(world);
    take_backup(world, backup);
    struct store_start first = world->start;
    world_reopen(world);
    struct store_start lost = world->start;
    restore(world, backup);
    assert_true(world_is_ahead(world, lost.epoch, lost.start_id, 77));
    world_close(world);
    world_query(world, "UPDATE policy SET effect = 2"); /* once */
    struct reason reason = { { 0 } };
    if (store_restore_accept(world->data_dir, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    world_open(world);
    world_dump(world, &text);
    assert_non_null(strstr(buf_text(&text), "task 1 unknown"));
    assert_non_null(strstr(buf_text(&text), "task 2 unknown"));
    assert_non_null(strstr(buf_text(&text), "attempt 77 after 0 lost")); /* and may come back */
    assert_true(world->start.last_seq >= 2);
    assert_true(world->start.epoch > first.epoch);
    buf_done(&text);
}

static void a_backup_goes_only_into_an_empty_directory(void **state)
{
    struct store_world *world = *state;
    char backup[128];
    char missing[128];
    take_backup(world, backup);
    assert_int_equal(store_backup(world->data_dir, backup, NULL), ERR_EXISTS);
    assert_int_equal(store_restore(backup, world->data_dir, NULL), ERR_EXISTS);
    world_path(world, "missing", missing);
    assert_int_equal(store_backup(missing, backup, NULL), ERR_EXISTS);
    world_path(world, "elsewhere", backup);
    assert_int_equal(store_backup(missing, backup, NULL), ERR_NOT_FOUND);
    assert_int_equal(store_restore(missing, backup, NULL), ERR_NOT_FOUND);
}

static void a_damaged_backup_is_not_restored(void **state)
{
    struct store_world *world = *state;
    char backup[128];
    char path[160];
    char target[128];
    struct reason reason = { { 0 } };
    take_backup(world, backup);
    snprintf(path, sizeof path, "%s/asterism.db", backup);
    assert_int_equal(truncate(path, 20000), 0);
    world_path(world, "target", target);
    assert_int_equal(store_restore(backup, target, &reason), ERR_CORRUPT);
}

/* Runs it in a process that the kernel kills when it writes more than the database into one file: at the
   output, which comes last. */
static void killed_at_the_output(enum err (*copy)(const char *, const char *, struct reason *),
                                 const char *from, const char *to)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = { 2 << 20, 2 << 20 };
        struct rlimit no_core = { 0, 0 };
        signal(SIGXFSZ, SIG_DFL);
        setrlimit(RLIMIT_CORE, &no_core);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(copy(from, to, NULL) == ERR_NONE ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static void what_a_killed_restore_has_left_is_not_started(void **state)
{
    struct store_world *world = *state;
    struct reason reason = { "" };
    char backup[128];
    char lost[128];
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 4 << 20);
    world_commit(world);
    take_backup(world, backup);
    world_path(world, "lost", lost);
    world_close(world);
    assert_int_equal(rename(world->data_dir, lost), 0);
    killed_at_the_output(store_restore, backup, world->data_dir);
    assert_int_equal(world_try_open(world, &reason), ERR_CORRUPT);
    assert_non_null(strstr(reason.text, "asterism.db.part"));
    assert_int_equal(store_restore(backup, world->data_dir, NULL), ERR_EXISTS);
}

static void what_a_killed_backup_has_left_is_not_restored(void **state)
{
    struct store_world *world = *state;
    char backup[128];
    char target[128];
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 4 << 20);
    world_commit(world);
    world_path(world, "backup", backup);
    killed_at_the_output(store_backup, world->data_dir, backup);
    world_path(world, "target", target);
    assert_int_equal(store_restore(backup, target, NULL), ERR_NOT_FOUND);
    assert_int_not_equal(access(target, F_OK), 0);
}

static void what_a_failed_restore_has_left_is_not_started(void **state)
{
    struct store_world *world = *state;
    struct reason reason = { "" };
    char backup[128];
    char path[160];
    char lost[128];
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 300000);
    world_commit(world);
    take_backup(world, backup);
    snprintf(path, sizeof path, "%s/output", backup);
    world_path(world, "output", lost);
    assert_int_equal(rename(path, lost), 0);
    world_path(world, "lost", lost);
    world_close(world);
    assert_int_equal(rename(world->data_dir, lost), 0);
    assert_int_not_equal(store_restore(backup, world->data_dir, NULL), ERR_NONE);
    assert_int_equal(world_try_open(world, &reason), ERR_CORRUPT);
}

static void a_restored_directory_was_locked_meanwhile_and_is_free(void **state)
{
    struct store_world *world = *state;
    char backup[128];
    take_backup(world, backup);
    char path[160];
    char target[128];
    world_path(world, "target", target);
    assert_int_equal(store_restore(backup, target, NULL), ERR_NONE);
    snprintf(path, sizeof path, "%s/lock", target);
    assert_int_equal(access(path, F_OK), 0); /* it was taken, and is free again */
    assert_int_equal(store_restore_accept(target, NULL), ERR_CONFLICT);
}

static void a_loss_is_not_accepted_while_a_daemon_runs(void **state)
{
    struct store_world *world = *state;
    assert_int_equal(store_restore_accept(world->data_dir, NULL), ERR_BUSY);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_backup_taken_while_the_store_is_open_is_restored_as_it_was),
        ROW(a_restored_database_knows_that_receipts_of_the_lost_one_are_ahead),
        ROW(a_backup_goes_only_into_an_empty_directory),
        ROW(a_damaged_backup_is_not_restored),
        ROW(what_a_killed_restore_has_left_is_not_started),
        ROW(what_a_killed_backup_has_left_is_not_restored),
        ROW(what_a_failed_restore_has_left_is_not_started),
        ROW(a_restored_directory_was_locked_meanwhile_and_is_free),
        ROW(an_accepted_loss_leaves_what_must_not_run_twice_to_someone),
        ROW(a_loss_is_not_accepted_while_a_daemon_runs),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
