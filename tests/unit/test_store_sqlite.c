/* What only a database on a disk can show: who may open it, what damage is found, what a kill leaves,
   and how it is thinned out, copied and brought back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/store/backup.h"
#include "orchestrator/store/data_dir.h"
#include "orchestrator/store/output_file.h"
#include "orchestrator/store/retention.h"
#include "orchestrator/store/sqlite_db.h"
#include "orchestrator/store/store_sqlite.h"
#include "tests/unit/store_world.h"

static struct store_world *world_of(void **state)
{
    return *state;
}

static int open_world(void **state)
{
    *state = world_new(true);
    return 0;
}

static int close_world(void **state)
{
    world_free(*state);
    return 0;
}

static void path_in(const struct store_world *world, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", world->directory, name);
}

/* By a connection of its own, while the store is closed or beside it. */
static int64_t query(const struct store_world *world, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    path_in(world, "data/asterism.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    sqlite3_close(db);
    return number;
}

static void overwrite(const struct store_world *world, off_t offset, size_t bytes)
{
    char path[128];
    char garbage[4096];
    path_in(world, "data/asterism.db", path);
    memset(garbage, 0xa5, sizeof garbage);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, garbage, bytes, offset), bytes);
    close(fd);
}

static void expect_refused(struct store_world *world, enum err expected, const char *word)
{
    struct reason reason = { { 0 } };
    assert_int_equal(world_try_open(world, &reason), expected);
    if (strstr(reason.text, word) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason.text, word);
    }
}

/* --- The opening --- */

static void the_directory_is_private(void **state)
{
    struct stat status;
    assert_int_equal(stat(world_of(state)->data_dir, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void a_second_daemon_on_the_directory_is_told_who_has_it(void **state)
{
    struct store_world *world = world_of(state);
    struct store *first = world->store;
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    expect_refused(world, ERR_BUSY, pid);
    world->store = first;
}

static void a_database_of_a_newer_version_is_refused(void **state)
{
    struct store_world *world = world_of(state);
    world_close(world);
    query(world, "PRAGMA user_version=999");
    expect_refused(world, ERR_VERSION, "999");
    query(world, "PRAGMA user_version=1");
    world_open(world);
}

static void a_foreign_database_is_refused(void **state)
{
    struct store_world *world = world_of(state);
    world_close(world);
    query(world, "PRAGMA application_id=7");
    expect_refused(world, ERR_CORRUPT, "not made by asterismd");
}

static void a_garbage_header_is_refused_with_what_to_do(void **state)
{
    struct store_world *world = world_of(state);
    world_close(world);
    overwrite(world, 0, 100);
    expect_refused(world, ERR_CORRUPT, "asterismd restore");
}

static void a_truncated_database_is_refused_with_what_to_do(void **state)
{
    struct store_world *world = world_of(state);
    char path[128];
    struct stat status;
    world_close(world);
    path_in(world, "data/asterism.db", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size - 4096), 0);
    expect_refused(world, ERR_CORRUPT, "asterismd restore");
}

static void an_overwritten_page_is_refused_with_what_to_do(void **state)
{
    struct store_world *world = world_of(state);
    char path[128];
    struct stat status;
    world_add_sample(world);
    world_commit(world);
    world_close(world);
    path_in(world, "data/asterism.db", path);
    assert_int_equal(stat(path, &status), 0);
    int refused = 0;
    for (off_t at = 4096; at < status.st_size; at += 4096) {
        unsigned char kept[4096];
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, kept, sizeof kept, at), sizeof kept);
        overwrite(world, at, 4096);
        expect_refused(world, ERR_CORRUPT, "asterismd restore");
        assert_int_equal(pwrite(fd, kept, sizeof kept, at), sizeof kept);
        close(fd);
        refused++;
    }
    assert_true(refused > 10);
    world_open(world);
}

static void a_log_without_its_database_is_refused(void **state)
{
    struct store_world *world = world_of(state);
    char path[128];
    world_close(world);
    path_in(world, "data/asterism.db", path);
    assert_int_equal(unlink(path), 0);
    path_in(world, "data/asterism.db-wal", path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "log", 3), 3);
    close(fd);
    expect_refused(world, ERR_CORRUPT, "missing");
}

static void a_database_without_an_epoch_left_is_refused(void **state)
{
    struct store_world *world = world_of(state);
    world_close(world);
    char sql[128];
    snprintf(sql, sizeof sql, "INSERT INTO start(epoch, start_id, wall_ms) VALUES(%d, x'00', 0)",
             FENCE_EPOCH_MAX);
    query(world, sql);
    expect_refused(world, ERR_LIMIT, "empty data directory");
}

static void
classes_and_policies_out_of_use_are_not_loaded_but_their_numbers_stay_taken(void **state)
{
    struct store_world *world = world_of(state);
    struct class_record newer = { .id = 9, .plan = { .executor = EXECUTOR_NOOP } };
    world_add_sample(world);
    effects_add(&world->effects, EFFECT_ADD_CLASS)->class = &newer;
    world->constellation.state = CONSTELLATION_SUCCEEDED;
    effects_add(&world->effects, EFFECT_SAVE_CONSTELLATION)->constellation.record =
        &world->constellation;
    world_commit(world);
    world_reopen(world);
    /* What is not retired is loaded, and the engine numbers on from it. */
    assert_int_equal(query(world, "SELECT count(*) FROM class WHERE id = 2 AND retired > 0"), 1);
    assert_int_equal(query(world, "SELECT count(*) FROM class WHERE id = 9 AND retired = 0"), 1);
    assert_int_equal(query(world, "SELECT count(*) FROM policy WHERE id = 3 AND retired = 0"), 1);
}

/* --- The turn --- */

static void a_turn_that_writes_nothing_opens_no_transaction(void **state)
{
    struct store_world *world = world_of(state);
    effects_add(&world->effects, EFFECT_CLOSE);
    world_apply(world);
    assert_true(sqlite3_get_autocommit(store_sqlite_handle(world->store)));
    effects_add(&world->effects, EFFECT_HISTORY)->history.kind = HISTORY_TASK_STARTED;
    world_apply(world);
    assert_false(sqlite3_get_autocommit(store_sqlite_handle(world->store)));
    world_commit(world);
    assert_true(sqlite3_get_autocommit(store_sqlite_handle(world->store)));
}

/* Commits for ever, and says so each time. */
_Noreturn static void commit_until_killed(struct store_world *world, int pipe_fd)
{
    world_open(world);
    world_add_sample(world);
    world_commit(world);
    for (;;) {
        int64_t seq = 0;
        effects_add(&world->effects, EFFECT_HISTORY)->history.kind = HISTORY_TASK_STARTED;
        world_output(world, STREAM_STDOUT, 1500);
        world_apply(world);
        for (size_t i = 0; i < world->effects.count; i++) {
            seq = world->effects.list[i].kind == EFFECT_HISTORY ? world->effects.list[i].history.seq
                                                                : seq;
        }
        world_commit(world);
        world_sync(world, 1000000 * seq, true);
        if (write(pipe_fd, &seq, sizeof seq) != sizeof seq) {
            _exit(1);
        }
    }
}

static void everything_acknowledged_is_there_after_a_kill(void **state)
{
    struct store_world *world = world_of(state);
    int ends[2];
    world_close(world);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        commit_until_killed(world, ends[1]);
    }
    close(ends[1]);
    int64_t seq = 0;
    while (seq < 100) {
        assert_int_equal(read(ends[0], &seq, sizeof seq), sizeof seq);
    }
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    int64_t told;
    while (read(ends[0], &told, sizeof told) == sizeof told) {
        seq = told;
    }
    close(ends[0]);
    world_open(world);
    assert_true(world->start.last_seq >= seq);
    assert_true(world->start.last_seq <= seq + 1);
    assert_int_equal(query(world, "SELECT stdout_bytes FROM attempt"),
                     1500 * world->start.last_seq);
    world_expect_output(world, STREAM_STDOUT, 0, (uint64_t)(1500 * world->start.last_seq));
}

/* --- Layout --- */

static void only_the_end_of_a_task_is_written_to_its_own_row(void **state)
{
    struct store_world *world = world_of(state);
    world->task.state = TASK_WAITING;
    world_add_sample(world);
    world_commit(world);
    world->task.state = TASK_RUNNING;
    world->task.prepared = true;
    effects_add(&world->effects, EFFECT_SAVE_TASK)->task.record = &world->task;
    world_commit(world);
    assert_int_equal(query(world, "SELECT state FROM task_row WHERE id = 1"), TASK_WAITING);
    assert_int_equal(query(world, "SELECT state FROM task WHERE id = 1"), TASK_RUNNING);
    assert_int_equal(query(world, "SELECT prepared FROM task WHERE id = 1"), 1);
    assert_int_equal(query(world, "SELECT state FROM task WHERE id = 2"), TASK_WAITING);
    world->task.state = TASK_SUCCEEDED;
    effects_add(&world->effects, EFFECT_SAVE_TASK)->task.record = &world->task;
    struct effect *effect = effects_add(&world->effects, EFFECT_SAVE_EDGE);
    effect->edge.record = (struct edge_record){ .id = 1,
                                                .from_id = 1,
                                                .to_id = 2,
                                                .when = EDGE_WHEN_SUCCESS,
                                                .named = true,
                                                .decision = EDGE_OPEN,
                                                .fence = 77 };
    world_commit(world);
    assert_int_equal(query(world, "SELECT state FROM task_row WHERE id = 1"), TASK_SUCCEEDED);
    assert_int_equal(query(world, "SELECT count(*) FROM task_live"), 0);
    assert_int_equal(query(world, "SELECT decision FROM edge_row"), EDGE_UNDECIDED);
    assert_int_equal(query(world, "SELECT decision FROM edge"), EDGE_OPEN);
    assert_int_equal(query(world, "SELECT fence FROM edge"), 77);
}

/* --- Retention --- */

static void finish_sample(struct store_world *world, int64_t wall_ms)
{
    world->constellation.state = CONSTELLATION_SUCCEEDED;
    world->constellation.finished_wall_ms = wall_ms;
    effects_add(&world->effects, EFFECT_SAVE_CONSTELLATION)->constellation.record =
        &world->constellation;
}

static unsigned retain(struct store_world *world, int64_t now_wall_ms,
                       const struct retention_policy *policy)
{
    unsigned turns = 0;
    bool more = true;
    for (; more && turns < 100; turns++) {
        world_apply(world);
        assert_int_equal(store_retain(world->store, now_wall_ms, policy, &more, NULL), ERR_NONE);
        world_commit(world);
    }
    assert_false(more);
    return turns;
}

static void a_constellation_that_ended_long_ago_goes_with_its_output(void **state)
{
    struct store_world *world = world_of(state);
    const struct retention_policy policy = { .finished_keep_ms = 1000 };
    char path[OUTPUT_PATH_BYTES_MAX];
    world_add_sample(world);
    world_output(world, STREAM_STDOUT, 20000);
    finish_sample(world, 5000);
    world_commit(world);
    assert_true(output_file_path(world->data_dir, 77, STREAM_STDOUT, path));
    retain(world, 6000, &policy);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(query(world, "SELECT count(*) FROM task"), 2);
    retain(world, 6001, &policy);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(
        query(world, "SELECT (SELECT count(*) FROM constellation) + (SELECT count(*) FROM task) +"
                     " (SELECT count(*) FROM constellation_text) + (SELECT count(*) FROM edge) +"
                     " (SELECT count(*) FROM task_text) + (SELECT count(*) FROM attempt) +"
                     " (SELECT count(*) FROM output) + (SELECT count(*) FROM doomed)"),
        0);
    world_reopen(world);
    assert_int_equal(world->start.next_constellation_id, 2);
    assert_int_equal(world->start.next_task_id, 3);
    assert_int_equal(world->start.next_edge_id, 2);
}

static void a_constellation_that_runs_is_never_removed(void **state)
{
    struct store_world *world = world_of(state);
    const struct retention_policy policy = { .finished_keep_ms = 1, .finished_max = 1 };
    world_add_sample(world);
    world_commit(world);
    retain(world, INT64_C(1) << 50, &policy);
    assert_int_equal(query(world, "SELECT count(*) FROM task"), 2);
    world_apply(world);
    assert_int_equal(store_delete_constellation(world->store, 1, NULL), ERR_CONFLICT);
    assert_int_equal(store_delete_constellation(world->store, 2, NULL), ERR_NOT_FOUND);
    world_commit(world);
}

static void a_deleted_constellation_is_gone_at_once_and_its_rows_in_slices(void **state)
{
    struct store_world *world = world_of(state);
    const struct retention_policy policy = { 0 };
    struct task_record tasks[3000];
    struct plan_task plan = { .body = STR("body") };
    char keys[3000][8];
    world_add_sample(world);
    for (size_t i = 0; i < 3000; i++) {
        tasks[i] = (struct task_record){ .id = (int64_t)i + 10, .state = TASK_SUCCEEDED };
        snprintf(keys[i], sizeof keys[i], "t%u", (unsigned)i);
        plan.key = str_of(keys[i]);
        struct effect *effect = effects_add(&world->effects, EFFECT_ADD_TASK);
        effect->task.record = &tasks[i];
        effect->task.constellation_id = 1;
        effect->task.plan = &plan;
        world_apply(world);
    }
    finish_sample(world, 1);
    world_commit(world);
    world_apply(world);
    assert_int_equal(store_delete_constellation(world->store, 1, NULL), ERR_NONE);
    world_commit(world);
    assert_int_equal(query(world, "SELECT count(*) FROM constellation"), 0);
    assert_int_equal(query(world, "SELECT count(*) FROM task"), 3002);
    bool more = false;
    world_apply(world);
    assert_int_equal(store_retain(world->store, 2, &policy, &more, NULL), ERR_NONE);
    world_commit(world);
    assert_true(more);
    int64_t left = query(world, "SELECT count(*) FROM task");
    assert_true(left > 1500 && left < 3002);
    world_reopen(world);
    assert_in_range(retain(world, 2, &policy), 2, 6);
    assert_int_equal(query(world, "SELECT count(*) FROM task"), 0);
    assert_int_equal(query(world, "SELECT count(*) FROM task_text"), 0);
    assert_int_equal(query(world, "SELECT count(*) FROM doomed"), 0);
}

static void the_decisions_of_one_attempt_go_in_slices(void **state)
{
    struct store_world *world = world_of(state);
    const struct retention_policy policy = { 0 };
    world_add_sample(world);
    for (int64_t id = 2; id <= 5000; id++) {
        struct effect *effect = effects_add(&world->effects, EFFECT_ADD_EDGE);
        effect->edge.record = (struct edge_record){ .id = id,
                                                    .from_id = 1,
                                                    .to_id = 2,
                                                    .when = EDGE_WHEN_SUCCESS,
                                                    .named = true,
                                                    .decision = EDGE_UNDECIDED,
                                                    .fence = 0 };
        effect->edge.constellation_id = 1;
        effect = effects_add(&world->effects, EFFECT_SAVE_EDGE);
        effect->edge.record = (struct edge_record){ .id = id,
                                                    .from_id = 1,
                                                    .to_id = 2,
                                                    .when = EDGE_WHEN_SUCCESS,
                                                    .named = true,
                                                    .decision = EDGE_OPEN,
                                                    .fence = 77 };
        effect->edge.constellation_id = 1;
    }
    finish_sample(world, 1);
    world_commit(world);
    world_apply(world);
    assert_int_equal(store_delete_constellation(world->store, 1, NULL), ERR_NONE);
    world_commit(world);
    assert_int_equal(query(world, "SELECT count(*) FROM edge_decided"), 4999);
    bool more = false;
    world_apply(world);
    assert_int_equal(store_retain(world->store, 2, &policy, &more, NULL), ERR_NONE);
    world_commit(world);
    assert_true(more);
    assert_int_equal(query(world, "SELECT count(*) FROM edge_decided"), 4999 - RETENTION_SLICE);
    retain(world, 2, &policy);
    assert_int_equal(query(world, "SELECT (SELECT count(*) FROM edge_decided) +"
                                  " (SELECT count(*) FROM edge) + (SELECT count(*) FROM attempt)"),
                     0);
}

static void what_a_hold_named_goes_in_slices_after_its_end(void **state)
{
    struct store_world *world = world_of(state);
    const struct retention_policy policy = { 0 };
    enum { NAMED = 2 * RETENTION_SLICE };
    const struct hold_record hold = { .id = 31, .constellation_id = 1, .scope = HOLD_TASKS };
    world_add_sample(world);
    struct effect *place = effects_add(&world->effects, EFFECT_ADD_HOLD);
    place->hold.record = &hold;
    place->hold.owner = STR("ada");
    for (int64_t id = 1000; id < 1000 + NAMED; id++) {
        struct effect *effect = effects_add(&world->effects, EFFECT_ADD_HOLD_TASK);
        effect->hold_task.hold_id = 31;
        effect->hold_task.task_id = id;
    }
    world_commit(world);
    assert_int_equal(query(world, "SELECT count(*) FROM hold_task"), NAMED);
    effects_add(&world->effects, EFFECT_REMOVE_HOLD)->id = 31;
    world_commit(world);
    assert_int_equal(query(world, "SELECT count(*) FROM hold WHERE id = 31"), 0);
    assert_int_equal(query(world, "SELECT count(*) FROM hold_task"),
                     NAMED - STORE_HOLD_TASKS_AT_ONCE);
    world_reopen(world);
    bool more = true;
    for (unsigned turns = 0; more; turns++) {
        int64_t before = query(world, "SELECT count(*) FROM hold_task");
        world_apply(world);
        assert_int_equal(store_retain(world->store, 2, &policy, &more, NULL), ERR_NONE);
        world_commit(world);
        assert_true(before - query(world, "SELECT count(*) FROM hold_task") <= RETENTION_SLICE);
        assert_true(turns < 4);
    }
    assert_int_equal(query(world, "SELECT (SELECT count(*) FROM hold_task) +"
                                  " (SELECT count(*) FROM hold_doomed)"),
                     0);
}

static void classes_that_nothing_refers_to_go_in_slices(void **state)
{
    struct store_world *world = world_of(state);
    const struct retention_policy policy = { 0 };
    enum { CLASSES = 2 * RETENTION_SLICE };
    world_add_sample(world);
    for (int64_t i = 1; i <= CLASSES; i++) {
        static struct class_record class = { .plan = { .executor = EXECUTOR_NOOP } };
        class.id = 100 + i;
        effects_add(&world->effects, EFFECT_ADD_CLASS)->class = &class;
        world_apply(world);
    }
    finish_sample(world, 1);
    world_commit(world);
    world_reopen(world); /* retires them */
    world_apply(world);
    assert_int_equal(store_delete_constellation(world->store, 1, NULL), ERR_NONE);
    world_commit(world);
    assert_int_equal(query(world, "SELECT count(*) FROM constellation_text"), 1);
    bool more = true;
    unsigned turns = 0;
    for (; more; turns++) {
        int64_t before = query(world, "SELECT count(*) FROM class");
        world_apply(world);
        assert_int_equal(store_retain(world->store, 2, &policy, &more, NULL), ERR_NONE);
        world_commit(world);
        assert_true(before - query(world, "SELECT count(*) FROM class") <= RETENTION_SLICE);
    }
    assert_in_range(turns, 3, 4);
    assert_int_equal(query(world, "SELECT count(*) FROM class"), 1); /* the newest: its number */
    assert_int_equal(query(world, "SELECT count(*) FROM constellation_text"), 0);
}

static void old_events_go_but_never_the_newest(void **state)
{
    struct store_world *world = world_of(state);
    for (int64_t i = 1; i <= 10; i++) {
        struct effect *effect = effects_add(&world->effects, EFFECT_HISTORY);
        effect->history.kind = HISTORY_TASK_STARTED;
        effect->history.wall_ms = i * 100;
    }
    world_commit(world);
    retain(world, 1000, &(struct retention_policy){ .events_keep_ms = 700 });
    assert_int_equal(query(world, "SELECT min(seq) FROM event"), 3);
    retain(world, 1000, &(struct retention_policy){ .events_max = 4 });
    assert_int_equal(query(world, "SELECT min(seq) FROM event"), 7);
    retain(world, 99999, &(struct retention_policy){ .events_keep_ms = 1 });
    assert_int_equal(query(world, "SELECT min(seq) FROM event"), 10);
    world_reopen(world);
    assert_int_equal(world->start.last_seq, 10);
}

static void nothing_is_removed_while_a_backup_is_taken(void **state)
{
    struct store_world *world = world_of(state);
    const struct retention_policy policy = { .finished_keep_ms = 1 };
    int fd = -1;
    world_add_sample(world);
    finish_sample(world, 1);
    world_commit(world);
    assert_int_equal(data_dir_lock_backup(world->data_dir, false, &fd, NULL), ERR_NONE);
    retain(world, 5000, &policy);
    assert_int_equal(query(world, "SELECT count(*) FROM constellation"), 1);
    close(fd);
    retain(world, 5000, &policy);
    assert_int_equal(query(world, "SELECT count(*) FROM constellation"), 0);
}

/* --- Backup --- */

static void take_backup(struct store_world *world, char path[128])
{
    struct reason reason = { { 0 } };
    path_in(world, "backup", path);
    if (store_backup(world->data_dir, path, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

/* The world's data directory becomes a restored one; the lost one is put aside. */
static void restore(struct store_world *world, const char *backup)
{
    struct reason reason = { { 0 } };
    char lost[128];
    path_in(world, "lost", lost);
    world_close(world);
    assert_int_equal(rename(world->data_dir, lost), 0);
    if (store_restore(backup, world->data_dir, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    world_open(world);
}

static void a_backup_taken_while_the_store_is_open_is_restored_as_it_was(void **state)
{
    struct store_world *world = world_of(state);
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
    struct store_world *world = world_of(state);
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
    struct store_world *world = world_of(state);
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
    query(world, "UPDATE policy SET effect = 2"); /* once */
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
    struct store_world *world = world_of(state);
    char backup[128];
    char missing[128];
    take_backup(world, backup);
    assert_int_equal(store_backup(world->data_dir, backup, NULL), ERR_EXISTS);
    assert_int_equal(store_restore(backup, world->data_dir, NULL), ERR_EXISTS);
    path_in(world, "missing", missing);
    assert_int_equal(store_backup(missing, backup, NULL), ERR_EXISTS);
    path_in(world, "elsewhere", backup);
    assert_int_equal(store_backup(missing, backup, NULL), ERR_NOT_FOUND);
    assert_int_equal(store_restore(missing, backup, NULL), ERR_NOT_FOUND);
}

static void a_damaged_backup_is_not_restored(void **state)
{
    struct store_world *world = world_of(state);
    char backup[128];
    char path[160];
    char target[128];
    struct reason reason = { { 0 } };
    take_backup(world, backup);
    snprintf(path, sizeof path, "%s/asterism.db", backup);
    assert_int_equal(truncate(path, 20000), 0);
    path_in(world, "target", target);
    assert_int_equal(store_restore(backup, target, &reason), ERR_CORRUPT);
}

static void a_loss_is_not_accepted_while_a_daemon_runs(void **state)
{
    struct store_world *world = world_of(state);
    assert_int_equal(store_restore_accept(world->data_dir, NULL), ERR_BUSY);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(the_directory_is_private),
        ROW(a_second_daemon_on_the_directory_is_told_who_has_it),
        ROW(a_database_of_a_newer_version_is_refused),
        ROW(a_foreign_database_is_refused),
        ROW(a_garbage_header_is_refused_with_what_to_do),
        ROW(a_truncated_database_is_refused_with_what_to_do),
        ROW(an_overwritten_page_is_refused_with_what_to_do),
        ROW(a_log_without_its_database_is_refused),
        ROW(a_database_without_an_epoch_left_is_refused),
        ROW(classes_and_policies_out_of_use_are_not_loaded_but_their_numbers_stay_taken),
        ROW(a_turn_that_writes_nothing_opens_no_transaction),
        ROW(everything_acknowledged_is_there_after_a_kill),
        ROW(only_the_end_of_a_task_is_written_to_its_own_row),
        ROW(a_constellation_that_ended_long_ago_goes_with_its_output),
        ROW(a_constellation_that_runs_is_never_removed),
        ROW(a_deleted_constellation_is_gone_at_once_and_its_rows_in_slices),
        ROW(the_decisions_of_one_attempt_go_in_slices),
        ROW(what_a_hold_named_goes_in_slices_after_its_end),
        ROW(classes_that_nothing_refers_to_go_in_slices),
        ROW(old_events_go_but_never_the_newest),
        ROW(nothing_is_removed_while_a_backup_is_taken),
        ROW(a_backup_taken_while_the_store_is_open_is_restored_as_it_was),
        ROW(a_restored_database_knows_that_receipts_of_the_lost_one_are_ahead),
        ROW(a_backup_goes_only_into_an_empty_directory),
        ROW(a_damaged_backup_is_not_restored),
        ROW(an_accepted_loss_leaves_what_must_not_run_twice_to_someone),
        ROW(a_loss_is_not_accepted_while_a_daemon_runs),
    };
    return cmocka_run_group_tests_name("store on a disk", tests, NULL, NULL);
}
