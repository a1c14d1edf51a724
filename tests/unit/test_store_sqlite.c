/* What only a database on a disk can show: who may open it, what damage is found, and what a kill leaves. */
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

#include "orchestrator/store/data_dir.h"
#include "orchestrator/store/output_file.h"
#include "orchestrator/store/sqlite_db.h"
#include "orchestrator/store/store_sqlite.h"
#include "tests/unit/store_query.h"

static void overwrite(const struct store_world *world, off_t offset, size_t bytes)
{
    char path[128];
    char garbage[4096];
    world_path(world, "data/asterism.db", path);
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
    const struct store_world *world = *state;
    struct stat status;
    assert_int_equal(stat(world->data_dir, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void a_second_daemon_on_the_directory_is_told_who_has_it(void **state)
{
    struct store_world *world = *state;
    struct store *first = world->store;
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    expect_refused(world, ERR_BUSY, pid);
    world->store = first;
}

static void a_database_of_a_newer_version_is_refused(void **state)
{
    struct store_world *world = *state;
    world_close(world);
    world_query(world, "PRAGMA user_version=999");
    expect_refused(world, ERR_VERSION, "999");
    world_query(world, "PRAGMA user_version=1");
    world_open(world);
}

static void a_foreign_database_is_refused(void **state)
{
    struct store_world *world = *state;
    world_close(world);
    world_query(world, "PRAGMA application_id=7");
    expect_refused(world, ERR_CORRUPT, "not made by asterismd");
}

static void a_garbage_header_is_refused_with_what_to_do(void **state)
{
    struct store_world *world = *state;
    world_close(world);
    overwrite(world, 0, 100);
    expect_refused(world, ERR_CORRUPT, "asterismd restore");
}

static void a_truncated_database_is_refused_with_what_to_do(void **state)
{
    struct store_world *world = *state;
    char path[128];
    struct stat status;
    world_close(world);
    world_path(world, "data/asterism.db", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size - 4096), 0);
    expect_refused(world, ERR_CORRUPT, "asterismd restore");
}

/* As its header says (the file format's offset 16). */
static off_t page_bytes(const char *path)
{
    unsigned char bytes[2];
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, bytes, sizeof bytes, 16), sizeof bytes);
    close(fd);
    return (off_t)bytes[0] << 8 | bytes[1];
}

static void an_overwritten_page_is_refused_with_what_to_do(void **state)
{
    struct store_world *world = *state;
    char path[128];
    struct stat status;
    world_add_sample(world);
    world_commit(world);
    world_close(world);
    world_path(world, "data/asterism.db", path);
    assert_int_equal(stat(path, &status), 0);
    int refused = 0;
    unsigned char kept[4096];
    off_t page = page_bytes(path);
    assert_in_range(page, 512, sizeof kept);
    for (off_t at = page; at < status.st_size; at += page) {
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, kept, (size_t)page, at), page);
        overwrite(world, at, (size_t)page);
        expect_refused(world, ERR_CORRUPT, "asterismd restore");
        assert_int_equal(pwrite(fd, kept, (size_t)page, at), page);
        close(fd);
        refused++;
    }
    assert_true(refused > 10);
    world_open(world);
}

static void a_log_without_its_database_is_refused(void **state)
{
    struct store_world *world = *state;
    char path[128];
    world_close(world);
    world_path(world, "data/asterism.db", path);
    assert_int_equal(unlink(path), 0);
    world_path(world, "data/asterism.db-wal", path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "log", 3), 3);
    close(fd);
    expect_refused(world, ERR_CORRUPT, "missing");
}

static void a_database_without_an_epoch_left_is_refused(void **state)
{
    struct store_world *world = *state;
    world_close(world);
    char sql[128];
    snprintf(sql, sizeof sql, "INSERT INTO start(epoch, start_id, wall_ms) VALUES(%d, x'00', 0)",
             FENCE_EPOCH_MAX);
    world_query(world, sql);
    expect_refused(world, ERR_LIMIT, "empty data directory");
}

static void
classes_and_policies_out_of_use_are_not_loaded_but_their_numbers_stay_taken(void **state)
{
    struct store_world *world = *state;
    struct class_record newer = { .id = 9, .plan = { .executor = EXECUTOR_NOOP } };
    world_add_sample(world);
    effects_add(&world->effects, EFFECT_ADD_CLASS)->class = &newer;
    world->constellation.state = CONSTELLATION_SUCCEEDED;
    effects_add(&world->effects, EFFECT_SAVE_CONSTELLATION)->constellation.record =
        &world->constellation;
    world_commit(world);
    world_reopen(world);
    /* What is not retired is loaded, and the engine numbers on from it. */
    assert_int_equal(world_query(world, "SELECT count(*) FROM class WHERE id = 2 AND retired > 0"),
                     1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM class WHERE id = 9 AND retired = 0"),
                     1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM policy WHERE id = 3 AND retired = 0"),
                     1);
}

/* --- The turn --- */

static void a_turn_that_writes_nothing_opens_no_transaction(void **state)
{
    struct store_world *world = *state;
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
    struct store_world *world = *state;
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
    assert_int_equal(world_query(world, "SELECT stdout_bytes FROM attempt"),
                     1500 * world->start.last_seq);
    world_expect_output(world, STREAM_STDOUT, 0, (uint64_t)(1500 * world->start.last_seq));
}

/* --- Layout --- */

static void only_the_end_of_a_task_is_written_to_its_own_row(void **state)
{
    struct store_world *world = *state;
    world->task.state = TASK_WAITING;
    world_add_sample(world);
    world_commit(world);
    world->task.state = TASK_RUNNING;
    world->task.prepared = true;
    effects_add(&world->effects, EFFECT_SAVE_TASK)->task.record = &world->task;
    world_commit(world);
    assert_int_equal(world_query(world, "SELECT state FROM task_row WHERE id = 1"), TASK_WAITING);
    assert_int_equal(world_query(world, "SELECT state FROM task WHERE id = 1"), TASK_RUNNING);
    assert_int_equal(world_query(world, "SELECT prepared FROM task WHERE id = 1"), 1);
    assert_int_equal(world_query(world, "SELECT state FROM task WHERE id = 2"), TASK_WAITING);
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
    assert_int_equal(world_query(world, "SELECT state FROM task_row WHERE id = 1"), TASK_SUCCEEDED);
    assert_int_equal(world_query(world, "SELECT count(*) FROM task_live"), 0);
    assert_int_equal(world_query(world, "SELECT decision FROM edge_row"), EDGE_UNDECIDED);
    assert_int_equal(world_query(world, "SELECT decision FROM edge"), EDGE_OPEN);
    assert_int_equal(world_query(world, "SELECT fence FROM edge"), 77);
}

/* Where that is to stay it has been kept before. */
static void another_attempt_costs_the_same_whatever_the_last_one_has_decided(void **state)
{
    struct store_world *world = *state;
    enum { DECIDED = 5000, STEPS_MAX = 500 };
    world_add_sample(world);
    for (int64_t id = 2; id <= DECIDED; id++) {
        struct effect *effect = effects_add(&world->effects, EFFECT_SAVE_EDGE);
        effect->edge.record =
            (struct edge_record){ .id = id, .from_id = 1, .to_id = 2, .decision = EDGE_OPEN };
        effect->edge.record.fence = world->attempt.fence;
    }
    world_commit(world);
    struct attempt_record next = world->attempt;
    next.previous = next.fence++;
    int64_t before = store_sqlite_steps(world->store);
    effects_add(&world->effects, EFFECT_ADD_ATTEMPT)->attempt = &next;
    world_commit(world);
    assert_in_range(store_sqlite_steps(world->store) - before, 1, STEPS_MAX);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

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
        ROW(another_attempt_costs_the_same_whatever_the_last_one_has_decided),
    };
    return cmocka_run_group_tests_name("store on a disk", tests, NULL, NULL);
}
