/* Work beside the loop: who gets it back and how it ends, and long reads asked for over HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/net/nest.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/worker.h"
#include "orchestrator/store/query_step.h"
#include "tests/unit/api_house.h"

enum { JOBS_MAX = 3, TASKS = 300 };

/* Work that waits for the test, or reads until it is interrupted. */
struct piece {
    struct work work;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_begun;
    bool may_end;
    bool reads;
    enum err err;
    int done;
    int dropped;
};

static enum err read_for_ever(struct store *store)
{
    enum err err = ERR_NONE;
    struct reason reason = { "" };
    sqlite3_stmt *row =
        store_sqlite_statement(store,
                               "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i"
                               " WHERE n < 1000000000) SELECT count(*) FROM i",
                               &reason);
    query_step(store, row, &err, &reason);
    return err;
}

static void run(struct work *work, struct reader *reader)
{
    struct piece *piece = work->owner;
    struct store *store = NULL;
    struct reason reason = { "" };
    if (piece->reads) {
        reader_set_snapshot_ms(reader, INT64_C(1) << 40);
        piece->err = reader_begin(reader, &store, &reason);
    }
    pthread_mutex_lock(&piece->lock);
    piece->has_begun = true;
    pthread_cond_broadcast(&piece->changed);
    while (!piece->may_end && !piece->reads) {
        pthread_cond_wait(&piece->changed, &piece->lock);
    }
    pthread_mutex_unlock(&piece->lock);
    if (store != NULL) {
        piece->err = read_for_ever(store);
    }
}

static void done(struct api *api, struct work *work)
{
    (void)api;
    ((struct piece *)work->owner)->done++;
}

static void drop(struct api *api, struct work *work)
{
    (void)api;
    ((struct piece *)work->owner)->dropped++;
}

static void begin_piece(struct piece *piece, uint64_t request, bool reads)
{
    *piece = (struct piece){ .work = { .run = run, .done = done, .drop = drop }, .reads = reads };
    piece->work.owner = piece;
    piece->work.request = request;
    pthread_mutex_init(&piece->lock, NULL);
    pthread_cond_init(&piece->changed, NULL);
}

static void wait_begun(struct piece *piece)
{
    pthread_mutex_lock(&piece->lock);
    while (!piece->has_begun) {
        pthread_cond_wait(&piece->changed, &piece->lock);
    }
    pthread_mutex_unlock(&piece->lock);
}

static void let_end(struct piece *piece)
{
    pthread_mutex_lock(&piece->lock);
    piece->may_end = true;
    pthread_cond_broadcast(&piece->changed);
    pthread_mutex_unlock(&piece->lock);
}

static void wait_back(struct house *house, const struct piece *piece)
{
    while (piece->done + piece->dropped == 0) {
        house_pass(house);
    }
}

struct trial {
    struct house *house;
    struct worker *worker; /* with a reader */
    char id[160];
};

static int set_up(void **state)
{
    struct trial *trial = mem_alloc(sizeof(*trial));
    struct reason reason = { "" };
    struct buf spec = { NULL, 0, 0 };
    trial->house = house_new();
    buf_append_text(&spec, "name: many\ntasks:\n");
    for (int i = 0; i < TASKS; i++) {
        buf_printf(&spec, "  t%d: {run: [ls]}\n", i);
    }
    house_submit(trial->house, buf_text(&spec), trial->id);
    buf_done(&spec);
    assert_int_equal(worker_new(trial->house->api, JOBS_MAX, reader_new(trial->house->store),
                                &trial->worker, &reason),
                     ERR_NONE);
    *state = trial;
    return 0;
}

static int tear_down(void **state)
{
    struct trial *trial = *state;
    worker_free(trial->worker);
    house_free(trial->house);
    mem_free(trial);
    return 0;
}

static void work_runs_in_the_thread_and_is_done_in_the_loop_in_its_order(void **state)
{
    struct trial *trial = *state;
    struct piece pieces[2];
    for (size_t i = 0; i < 2; i++) {
        begin_piece(&pieces[i], i + 1, false);
        assert_true(worker_take(trial->worker, &pieces[i].work));
    }
    wait_begun(&pieces[0]);
    assert_false(pieces[1].has_begun);
    let_end(&pieces[0]);
    let_end(&pieces[1]);
    wait_back(trial->house, &pieces[1]);
    assert_int_equal(pieces[0].done, 1);
    assert_int_equal(pieces[1].done, 1);
}

static void a_worker_takes_no_more_than_it_may_have(void **state)
{
    struct trial *trial = *state;
    struct piece pieces[JOBS_MAX + 1];
    for (size_t i = 0; i <= JOBS_MAX; i++) {
        begin_piece(&pieces[i], i + 1, false);
        assert_int_equal(worker_take(trial->worker, &pieces[i].work), i < JOBS_MAX);
    }
    for (size_t i = 0; i < JOBS_MAX; i++) {
        let_end(&pieces[i]);
    }
    wait_back(trial->house, &pieces[JOBS_MAX - 1]);
    assert_true(worker_take(trial->worker, &pieces[JOBS_MAX].work));
    let_end(&pieces[JOBS_MAX]);
    wait_back(trial->house, &pieces[JOBS_MAX]);
}

static void what_gives_back_is_taken_beyond_the_number(void **state)
{
    struct trial *trial = *state;
    struct piece pieces[API_WORKER_JOBS_MAX + 1];
    for (size_t i = 0; i <= API_WORKER_JOBS_MAX; i++) {
        begin_piece(&pieces[i], i + 1, false);
        assert_int_equal(worker_take_scrap(trial->worker, &pieces[i].work),
                         i < API_WORKER_JOBS_MAX);
    }
    assert_false(worker_take(trial->worker, &pieces[API_WORKER_JOBS_MAX].work));
    for (size_t i = 0; i < API_WORKER_JOBS_MAX; i++) {
        let_end(&pieces[i]);
    }
    wait_back(trial->house, &pieces[API_WORKER_JOBS_MAX - 1]);
}

static void what_waits_is_dropped_at_once_when_its_client_goes(void **state)
{
    struct trial *trial = *state;
    struct piece first;
    struct piece second;
    begin_piece(&first, 1, false);
    begin_piece(&second, 2, false);
    assert_true(worker_take(trial->worker, &first.work));
    assert_true(worker_take(trial->worker, &second.work));
    wait_begun(&first);
    worker_gone(trial->worker, 2);
    assert_int_equal(second.dropped, 1);
    let_end(&first);
    wait_back(trial->house, &first);
    assert_int_equal(first.done, 1);
    assert_false(second.has_begun);
}

static void a_read_is_interrupted_when_its_client_goes_and_the_next_one_is_not(void **state)
{
    struct trial *trial = *state;
    struct piece first;
    struct piece second;
    begin_piece(&first, 1, true);
    begin_piece(&second, 2, true);
    assert_true(worker_take(trial->worker, &first.work));
    assert_true(worker_take(trial->worker, &second.work));
    wait_begun(&first);
    worker_gone(trial->worker, 1);
    wait_back(trial->house, &first);
    assert_int_equal(first.err, ERR_TIMEOUT);
    assert_int_equal(first.dropped, 1);
    wait_begun(&second);
    assert_int_equal(second.err, ERR_NONE);
    worker_gone(trial->worker, 2);
    wait_back(trial->house, &second);
}

static void a_worker_that_is_freed_drops_what_it_has_and_what_it_reads(void **state)
{
    struct trial *trial = *state;
    struct piece first;
    struct piece second;
    begin_piece(&first, 0, true);
    begin_piece(&second, 0, false);
    assert_true(worker_take(trial->worker, &first.work));
    assert_true(worker_take(trial->worker, &second.work));
    wait_begun(&first);
    worker_free(trial->worker);
    trial->worker = NULL;
    assert_int_equal(first.err, ERR_TIMEOUT);
    assert_int_equal(first.dropped + second.dropped, 2);
    assert_false(second.has_begun);
}

/* --- Over HTTP. --- */

static struct answer ask(struct trial *trial, const char *rest)
{
    return house_get(trial->house, house_path(trial->id, rest));
}

static void a_read_that_takes_too_long_is_refused_with_what_to_do(void **state)
{
    struct trial *trial = *state;
    reader_set_snapshot_ms(worker_reader(trial->house->api->reader), 0);
    struct answer answer = ask(trial, "/export");
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer_text(&answer, "code"), "too_long");
    assert_non_null(strstr(answer_text(&answer, "detail"), "page by page"));
    answer_done(&answer);
    reader_set_snapshot_ms(worker_reader(trial->house->api->reader), READER_SNAPSHOT_MS_MAX);
    answer = ask(trial, "/export");
    assert_int_equal(answer.status, 200);
    answer_done(&answer);
}

/* A few rows, of which SQLite makes less than it takes to look at the clock. */
static void a_way_back_that_takes_too_long_is_refused_though_it_reads_little(void **state)
{
    static const char *const rest[] = { "/diff?from=1", "/plan?revision=1" };
    struct trial *trial = *state;
    house_expect(trial->house, "POST", house_path(trial->id, "/edits"),
                 "{\"operations\":[{\"op\":\"set\",\"fail_fast\":true}]}", 200);
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        struct reader *reader = worker_reader(trial->house->api->reader);
        reader_set_snapshot_ms(reader, 0);
        struct answer answer = ask(trial, rest[i]);
        assert_int_equal(answer.status, 503);
        assert_string_equal(answer_text(&answer, "code"), "too_long");
        answer_done(&answer);
        reader_set_snapshot_ms(reader, READER_SNAPSHOT_MS_MAX);
        answer = ask(trial, rest[i]);
        assert_int_equal(answer.status, 200);
        answer_done(&answer);
    }
}

static void long_reads_beyond_the_limit_are_refused_and_told_when_to_come_back(void **state)
{
    struct trial *trial = *state;
    struct api *api = trial->house->api;
    struct piece pieces[API_READS_MAX];
    for (size_t i = 0; i < API_READS_MAX; i++) {
        begin_piece(&pieces[i], 0, false);
        assert_true(worker_take(api->reader, &pieces[i].work));
    }
    struct answer answer = ask(trial, "/export");
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer_text(&answer, "code"), "too_many");
    assert_true(answer_has_header(&answer, "retry-after: 1"));
    answer_done(&answer);
    for (size_t i = 0; i < API_READS_MAX; i++) {
        let_end(&pieces[i]);
    }
    wait_back(trial->house, &pieces[API_READS_MAX - 1]);
    answer = ask(trial, "/export");
    assert_int_equal(answer.status, 200);
    answer_done(&answer);
}

static void a_client_that_goes_while_its_read_waits_leaves_nothing(void **state)
{
    struct trial *trial = *state;
    struct api *api = trial->house->api;
    struct piece piece;
    struct client client;
    begin_piece(&piece, 0, false);
    assert_true(worker_take(api->reader, &piece.work));
    wait_begun(&piece);
    client_open(trial->house, &client,
                &(struct request){ .method = "GET", .path = house_path(trial->id, "/context") });
    while (worker_count(api->reader) < 2) {
        house_pass(trial->house);
    }
    client_close(&client);
    while (worker_count(api->reader) > 1) {
        house_pass(trial->house);
    }
    let_end(&piece);
    wait_back(trial->house, &piece);
    assert_int_equal(worker_count(api->reader), 0);
}

static void a_daemon_that_stops_does_not_wait_for_a_read(void **state)
{
    struct trial *trial = *state;
    struct piece piece;
    begin_piece(&piece, 0, true);
    assert_true(worker_take(trial->house->api->reader, &piece.work));
    wait_begun(&piece);
    worker_free(trial->worker);
    house_free(trial->house);
    assert_int_equal(piece.err, ERR_TIMEOUT);
    assert_int_equal(piece.dropped, 1);
    assert_int_equal(set_up(state), 0);
    mem_free(trial);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(work_runs_in_the_thread_and_is_done_in_the_loop_in_its_order),
        ROW(a_worker_takes_no_more_than_it_may_have),
        ROW(what_gives_back_is_taken_beyond_the_number),
        ROW(what_waits_is_dropped_at_once_when_its_client_goes),
        ROW(a_read_is_interrupted_when_its_client_goes_and_the_next_one_is_not),
        ROW(a_worker_that_is_freed_drops_what_it_has_and_what_it_reads),
        ROW(a_read_that_takes_too_long_is_refused_with_what_to_do),
        ROW(a_way_back_that_takes_too_long_is_refused_though_it_reads_little),
        ROW(long_reads_beyond_the_limit_are_refused_and_told_when_to_come_back),
        ROW(a_client_that_goes_while_its_read_waits_leaves_nothing),
        ROW(a_daemon_that_stops_does_not_wait_for_a_read),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
