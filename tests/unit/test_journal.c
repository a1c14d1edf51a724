/* The agent's journal on real files: what was committed is there again, what is not ours is refused. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "agent/journal/journal.h"
#include "common/base/mem.h"

struct place {
    char dir[64];
    char file[96];
};

static int place_make(void **state)
{
    struct place *place = mem_alloc(sizeof *place);
    strcpy(place->dir, "/tmp/asterism-journal-XXXXXX");
    if (mkdtemp(place->dir) == NULL) {
        return -1;
    }
    snprintf(place->file, sizeof place->file, "%s/journal.db", place->dir);
    *state = place;
    return 0;
}

static int place_remove(void **state)
{
    struct place *place = *state;
    static const char *const names[] = { "journal.db", "journal.db-wal", "journal.db-shm", "lock" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", place->dir, names[i]);
        unlink(path);
    }
    int rc = rmdir(place->dir);
    mem_free(place);
    return rc;
}

static struct journal *opened_with(const struct place *place, const char *boot_id)
{
    struct journal *journal = NULL;
    struct reason reason = { "" };
    if (journal_open(place->dir, boot_id, &journal, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    return journal;
}

static struct journal *opened(const struct place *place)
{
    return opened_with(place, "boot-1");
}

static void save(struct journal *journal, const struct agent_record *record)
{
    struct agent_effects effects = { 0 };
    agent_effects_add(&effects, AGENT_EFFECT_SAVE)->record = record;
    assert_int_equal(journal_commit(journal, &effects, NULL), ERR_NONE);
    agent_effects_done(&effects);
}

static void remove_row(struct journal *journal, uint64_t fence)
{
    struct agent_effects effects = { 0 };
    agent_effects_add(&effects, AGENT_EFFECT_REMOVE)->fence = fence;
    assert_int_equal(journal_commit(journal, &effects, NULL), ERR_NONE);
    agent_effects_done(&effects);
}

static void save_session(struct journal *journal, uint64_t session)
{
    struct agent_effects effects = { 0 };
    struct agent_effect *effect = agent_effects_add(&effects, AGENT_EFFECT_SAVE_SESSION);
    effect->session.session = session;
    effect->session.receipt = (struct msg_receipt){
        .epoch = 4, .start_id = STR("start\0id"), .fence = 77, .hmac = STR("mac")
    };
    assert_int_equal(journal_commit(journal, &effects, NULL), ERR_NONE);
    agent_effects_done(&effects);
}

/* All rows in short, one a line. */
static enum err row_print(void *context, const struct agent_record *record, struct reason *reason)
{
    (void)reason;
    const struct msg_finished *result = &record->result;
    buf_printf(context, "%" PRIu64 " %s%s attempt=%u grace=%" PRId64 " name=%.*s body=%.*s",
               record->fence, held_state_name(record->state), record->once ? " once" : "",
               record->attempt, record->kill_grace_ms, STR_ARG(record->name),
               STR_ARG(record->body));
    if (record->state == HELD_FINISHED) {
        buf_printf(context, " %s %d/%d %.*s %" PRId64 "+%" PRId64 " %" PRIu64 "/%" PRIu64 "%s %.*s",
                   outcome_name(result->outcome), result->exit_code, result->signal,
                   STR_ARG(result->reason), result->started_wall_ms, result->duration_ms,
                   result->stdout_bytes, result->stderr_bytes,
                   result->output_truncated ? " truncated" : "", STR_ARG(result->result));
    }
    buf_append_text(context, "\n");
    return ERR_NONE;
}

static void rows_are(struct journal *journal, const char *expected)
{
    struct buf text = { 0 };
    assert_int_equal(journal_each(journal, row_print, &text, NULL), ERR_NONE);
    assert_string_equal(buf_text(&text), expected);
    buf_done(&text);
}

static const struct agent_record accepted = { .fence = 11,
                                              .attempt = 2,
                                              .state = HELD_ACCEPTED,
                                              .on_disconnect = ON_DISCONNECT_STOP,
                                              .kill_grace_ms = 5000,
                                              .name = { "c/a", 3 },
                                              .body = { "body", 4 } };
static const struct agent_record running = {
    .fence = 12,
    .attempt = 1,
    .state = HELD_RUNNING,
    .name = { "c/b", 3 },
    .body = { "body", 4 },
    .once = true,
};
static const struct agent_record finished = { .fence = 13,
                                              .attempt = 1,
                                              .state = HELD_FINISHED,
                                              .result = { .outcome = OUTCOME_EXITED,
                                                          .exit_code = -3,
                                                          .signal = 9,
                                                          .reason = { "why", 3 },
                                                          .started_wall_ms = 5,
                                                          .duration_ms = 6,
                                                          .stdout_bytes = 7,
                                                          .stderr_bytes = 8,
                                                          .output_truncated = true,
                                                          .result = { "{}", 2 } } };

static void what_was_committed_is_there_again(void **state)
{
    struct journal *journal = opened(*state);
    rows_are(journal, "");
    save(journal, &finished);
    save(journal, &accepted);
    save(journal, &running);
    save_session(journal, 9);
    journal_close(journal);
    journal = opened(*state);
    rows_are(journal, "11 accepted attempt=2 grace=5000 name=c/a body=body\n"
                      "12 running once attempt=1 grace=0 name= body=\n"
                      "13 finished attempt=1 grace=0 name= body= exited -3/9 why 5+6 7/8 truncated "
                      "{}\n");
    struct journal_identity identity = journal_identity(journal);
    assert_int_equal(identity.session, 9);
    assert_int_equal(identity.receipt.epoch, 4);
    assert_int_equal(identity.receipt.fence, 77);
    assert_true(str_equal(identity.receipt.start_id, STR("start\0id")));
    assert_true(str_equal(identity.receipt.hmac, STR("mac")));
    assert_false(identity.rebooted);
    struct agent_record started = accepted;
    started.state = HELD_RUNNING;
    save(journal, &started);
    remove_row(journal, 12);
    remove_row(journal, 13);
    rows_are(journal, "11 running attempt=2 grace=5000 name= body=\n");
    journal_close(journal);
}

static void the_journal_id_is_random_and_stays(void **state)
{
    struct journal *journal = opened(*state);
    char first[JOURNAL_ID_BYTES];
    memcpy(first, journal_identity(journal).journal_id.data, sizeof first);
    journal_close(journal);
    journal = opened(*state);
    assert_memory_equal(first, journal_identity(journal).journal_id.data, sizeof first);
    journal_close(journal);
    place_remove(state);
    place_make(state);
    journal = opened(*state);
    assert_memory_not_equal(first, journal_identity(journal).journal_id.data, sizeof first);
    journal_close(journal);
}

static void a_second_agent_on_the_directory_is_refused_in_words(void **state)
{
    struct place *place = *state;
    struct journal *journal = opened(place);
    struct journal *second = NULL;
    struct reason reason;
    assert_int_equal(journal_open(place->dir, "boot-1", &second, &reason), ERR_BUSY);
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    assert_non_null(strstr(reason.text, pid));
    assert_non_null(strstr(reason.text, place->dir));
    assert_null(second);
    journal_close(journal);
    journal_close(opened(place));
}

static void a_kill_loses_nothing_that_was_committed(void **state)
{
    struct place *place = *state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct journal *journal = NULL;
        if (journal_open(place->dir, "boot-1", &journal, NULL) != ERR_NONE) {
            _exit(1);
        }
        for (uint64_t fence = 1;; fence++) {
            struct agent_record record = { .fence = fence, .attempt = 1, .state = HELD_RUNNING };
            struct agent_effects effects = { 0 };
            agent_effects_add(&effects, AGENT_EFFECT_SAVE)->record = &record;
            if (fence > 16) {
                agent_effects_add(&effects, AGENT_EFFECT_REMOVE)->fence = fence - 16;
            }
            if (journal_commit(journal, &effects, NULL) != ERR_NONE ||
                write(pipes[1], &fence, sizeof fence) != (ssize_t)sizeof fence) {
                _exit(1);
            }
        }
    }
    close(pipes[1]);
    uint64_t last = 0;
    for (int i = 0; i < 500; i++) {
        assert_int_equal(read(pipes[0], &last, sizeof last), sizeof last);
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (read(pipes[0], &last, sizeof last) == (ssize_t)sizeof last) {
    }
    close(pipes[0]);
    struct journal *journal = opened(place);
    struct buf text = { 0 };
    assert_int_equal(journal_each(journal, row_print, &text, NULL), ERR_NONE);
    char expected[64];
    snprintf(expected, sizeof expected, "%" PRIu64 " running", last);
    assert_non_null(strstr(buf_text(&text), expected));
    size_t rows = 0;
    for (size_t i = 0; i < text.length; i++) {
        rows += text.data[i] == '\n';
    }
    assert_int_equal(rows, 16); /* each commit whole: one in, one out */
    buf_done(&text);
    journal_close(journal);
}

static void after_a_reboot_a_result_with_output_counts_as_died_and_one_without_is_kept(void **state)
{
    struct journal *journal = opened(*state);
    struct agent_record silent = finished;
    silent.fence = 14;
    silent.result.stdout_bytes = 0;
    silent.result.stderr_bytes = 0;
    save(journal, &finished);
    save(journal, &silent);
    journal_close(journal);
    journal = opened_with(*state, "boot-2");
    assert_true(journal_identity(journal).rebooted);
    rows_are(journal, "13 running attempt=1 grace=0 name= body=\n"
                      "14 finished attempt=1 grace=0 name= body= exited -3/9 why 5+6 0/0 truncated "
                      "{}\n");
    journal_close(journal);
    journal = opened_with(*state, "boot-2");
    assert_false(journal_identity(journal).rebooted);
    journal_close(journal);
}

static void refused(const struct place *place, enum err expected, const char *words)
{
    struct journal *journal = NULL;
    struct reason reason = { "" };
    assert_int_equal(journal_open(place->dir, "boot-1", &journal, &reason), expected);
    assert_non_null(strstr(reason.text, place->file));
    if (strstr(reason.text, words) == NULL) {
        fail_msg("%s", reason.text);
    }
}

static void edit(const struct place *place, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_newer_journal_is_refused(void **state)
{
    journal_close(opened(*state));
    edit(*state, "PRAGMA user_version=99");
    refused(*state, ERR_VERSION, "start the newer agent");
}

static void a_foreign_database_is_refused(void **state)
{
    edit(*state, "CREATE TABLE other (x)");
    refused(*state, ERR_CORRUPT, "give another --data-dir");
}

static void a_damaged_journal_is_refused_saying_what_to_do(void **state)
{
    struct place *place = *state;
    int fd = open(place->file, O_WRONLY | O_CREAT, 0600);
    char garbage[8192];
    memset(garbage, 'x', sizeof garbage);
    assert_int_equal(write(fd, garbage, sizeof garbage), sizeof garbage);
    close(fd);
    refused(place, ERR_CORRUPT, "move the data directory away");
    assert_int_equal(unlink(place->file), 0);

    struct journal *journal = opened(place);
    for (uint64_t fence = 1; fence <= 500; fence++) {
        struct agent_record record = finished;
        record.fence = fence;
        save(journal, &record);
    }
    journal_close(journal);
    struct stat stat;
    assert_int_equal(lstat(place->file, &stat), 0);
    assert_true(stat.st_size > (off_t)5 * 4096);
    fd = open(place->file, O_WRONLY);
    assert_int_equal(pwrite(fd, garbage, 8192, stat.st_size - (off_t)3 * 4096), 8192);
    close(fd);
    refused(place, ERR_CORRUPT, "move the data directory away");
}

static void a_file_in_the_place_of_the_directory_is_refused(void **state)
{
    struct place *place = *state;
    int fd = open(place->file, O_WRONLY | O_CREAT, 0600);
    close(fd);
    struct journal *journal = NULL;
    struct reason reason = { "" };
    assert_int_equal(journal_open(place->file, "boot-1", &journal, &reason), ERR_IO);
    assert_non_null(strstr(reason.text, place->file));
}

static enum err always_refuse(void *context, const struct agent_record *record,
                              struct reason *reason)
{
    (*(int *)context)++;
    return reason_set(reason, ERR_CORRUPT, "no %" PRIu64, record->fence);
}

static void reading_stops_at_the_first_row_that_is_refused(void **state)
{
    struct journal *journal = opened(*state);
    save(journal, &accepted);
    save(journal, &running);
    int calls = 0;
    struct reason reason;
    assert_int_equal(journal_each(journal, always_refuse, &calls, &reason), ERR_CORRUPT);
    assert_int_equal(calls, 1);
    assert_string_equal(reason.text, "no 11");
    journal_close(journal);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        ROW(what_was_committed_is_there_again),
        ROW(the_journal_id_is_random_and_stays),
        ROW(a_second_agent_on_the_directory_is_refused_in_words),
        ROW(a_kill_loses_nothing_that_was_committed),
        ROW(after_a_reboot_a_result_with_output_counts_as_died_and_one_without_is_kept),
        ROW(a_newer_journal_is_refused),
        ROW(a_foreign_database_is_refused),
        ROW(a_damaged_journal_is_refused_saying_what_to_do),
        ROW(a_file_in_the_place_of_the_directory_is_refused),
        ROW(reading_stops_at_the_first_row_that_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
