/* Changes to constellations that have ended: they come back a slice a turn, and nobody sees one before it
   is whole. After every turn the engine is checked, and compared with what the store would load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/rng.h"
#include "orchestrator/api/wake.h"
#include "tests/unit/api_house.h"

/* Gates open by themselves: it ends as soon as it has begun. 6 tasks, 5 dependencies, 1 limit. */
#define ENDS_AT_ONCE                                                                               \
    "name: gates\nlimits: {seat: 1}\ntasks:\n  a: {}\n  b: {needs: a}\n  c: {needs: [a, b]}\n"     \
    "  d: {needs: c}\n  e: {needs: d}\n  f: {}\n"
enum { ROWS = 6 + 5 + 6 + 1 }; /* each task is looked at for its attempt too */

#define ADD_X "{\"operations\":[{\"op\":\"add_task\",\"task\":\"x\",\"spec\":{\"noop\":true}}]}"

/* P10, and the engine's own invariants. */
static void check(struct house *house)
{
    struct reason reason = { "" };
    if (engine_check(house->engine, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    struct engine_config config = { .epoch = FENCE_EPOCH_MAX };
    struct engine *twin = engine_new(&config);
    assert_int_equal(store_load(house->store, twin, &reason), ERR_NONE);
    assert_int_equal(engine_load_end(twin, (struct moment){ 1, 1 }, &reason), ERR_NONE);
    struct buf ours = { NULL, 0, 0 };
    struct buf theirs = { NULL, 0, 0 };
    engine_dump(house->engine, &ours);
    engine_dump(twin, &theirs);
    if (strcmp(buf_text(&ours), buf_text(&theirs)) != 0) {
        fail_msg("in memory:\n%s\nin the store:\n%s", buf_text(&ours), buf_text(&theirs));
    }
    buf_done(&ours);
    buf_done(&theirs);
    engine_free(twin);
}

static bool is_due(const struct house *house)
{
    return house->is_woken || house->events_count > 0 ||
           engine_next_deadline(house->engine) == INT64_MIN;
}

/* One turn if there is work for one. */
static bool turn(struct house *house)
{
    if (!is_due(house)) {
        return false;
    }
    house_turn(house);
    check(house);
    return true;
}

static void submit(struct house *house, const char *spec, char id[160])
{
    house_submit(house, spec, id);
    while (turn(house)) {
    }
}

/* Sends it, and waits until the house has heard it; no turn is run. */
static void begin(struct house *house, struct client *client, const char *method, const char *path,
                  const char *body)
{
    struct request request = { .method = method, .path = path };
    if (body != NULL) {
        request.body = str_of(body);
    }
    client_begin(house, client, &request);
}

/* Of one that has been answered: reads the rest of it, and runs no turn. */
static int take_answer(struct house *house, struct client *client)
{
    house->is_held = true;
    client_wait_end(house, client);
    assert_true(client->in.length > 12);
    int status = atoi(buf_text(&client->in) + 9); // NOLINT(cert-err34-c)
    client_close(client);
    return status;
}

static unsigned run_turns(struct house *house)
{
    unsigned turns = 0;
    while (turn(house)) {
        turns++;
    }
    return turns;
}

static void nothing_is_live(struct house *house)
{
    struct engine_stats stats = engine_stats(house->engine);
    assert_int_equal(stats.constellations, 0);
    assert_int_equal(stats.tasks, 0);
}

static void what_has_ended_is_not_seen_before_it_is_whole(void **state)
{
    (void)state;
    for (size_t slice = 1; slice <= 9; slice += 2) {
        struct house *house = house_new_slow(slice);
        struct client client;
        char id[160];
        submit(house, ENDS_AT_ONCE, id);
        nothing_is_live(house);
        begin(house, &client, "POST", house_path(id, "/edits"), ADD_X);
        for (size_t rows = slice; rows < ROWS; rows += slice) {
            assert_true(turn(house));
            nothing_is_live(house);
        }
        run_turns(house);
        assert_int_equal(take_answer(house, &client), 200);
        assert_int_equal(engine_stats(house->engine).tasks, 7);
        house_free(house);
    }
}

static void a_small_one_is_there_at_once(void **state)
{
    (void)state;
    struct house *house = house_new_slow(2 * ROWS);
    struct client client;
    char id[160];
    submit(house, ENDS_AT_ONCE, id);
    begin(house, &client, "POST", house_path(id, "/edits"), ADD_X);
    assert_true(turn(house));
    assert_int_equal(engine_stats(house->engine).tasks, 7);
    assert_int_equal(take_answer(house, &client), 200);
    house_free(house);
}

static void all_who_want_it_share_one_load(void **state)
{
    (void)state;
    struct house *house = house_new_slow(2);
    struct client clients[4];
    char id[160];
    submit(house, ENDS_AT_ONCE, id);
    begin(house, &clients[0], "POST", house_path(id, "/edits?dry_run=1"), ADD_X);
    assert_true(turn(house));
    begin(house, &clients[1], "POST", house_path(id, "/retry"), "{}");
    assert_true(turn(house));
    begin(house, &clients[2], "POST", house_path(id, "/edits"), ADD_X);
    begin(house, &clients[3], "POST", house_path(id, "/edits"), ADD_X);
    assert_in_range(run_turns(house), 1, ROWS / 2 + 4);
    assert_int_equal(take_answer(house, &clients[0]), 200);
    assert_int_equal(take_answer(house, &clients[1]), 409); /* nothing has failed */
    assert_int_equal(take_answer(house, &clients[2]), 200);
    assert_int_equal(take_answer(house, &clients[3]), 422); /* x is there already */
    assert_int_equal(engine_stats(house->engine).tasks, 7);
    house_free(house);
}

static void what_is_deleted_on_its_way_is_not_found(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < ROWS; turns += 3) {
        struct house *house = house_new_slow(1);
        struct client clients[3];
        char id[160];
        submit(house, ENDS_AT_ONCE, id);
        begin(house, &clients[0], "POST", house_path(id, "/edits"), ADD_X);
        begin(house, &clients[1], "POST", house_path(id, "/rerun"), "{\"tasks\":[\"a\"]}");
        for (unsigned i = 0; i < turns; i++) {
            assert_true(turn(house));
        }
        begin(house, &clients[2], "DELETE", house_path(id, ""), NULL);
        run_turns(house);
        assert_int_equal(take_answer(house, &clients[0]), 404);
        assert_int_equal(take_answer(house, &clients[1]), 404);
        assert_int_equal(take_answer(house, &clients[2]), 204);
        nothing_is_live(house);
        house_free(house);
    }
}

/* Both are heard in one turn, which has all rows at once. */
static struct house *edit_and_delete(const char *edit, int delete_status)
{
    struct house *house = house_new_slow(2 * ROWS);
    struct client clients[2];
    char id[160];
    submit(house, ENDS_AT_ONCE, id);
    begin(house, &clients[0], "POST", house_path(id, edit), ADD_X);
    begin(house, &clients[1], "DELETE", house_path(id, ""), NULL);
    run_turns(house);
    assert_int_equal(take_answer(house, &clients[0]), 200);
    assert_int_equal(take_answer(house, &clients[1]), delete_status);
    return house;
}

static void what_is_read_for_a_dry_run_in_the_same_turn_is_deleted(void **state)
{
    (void)state;
    struct house *house = edit_and_delete("/edits?dry_run=1", 204);
    nothing_is_live(house);
    house_free(house);
}

static void what_goes_on_in_the_same_turn_is_not_deleted(void **state)
{
    (void)state;
    struct house *house = edit_and_delete("/edits", 409);
    assert_int_equal(engine_stats(house->engine).tasks, 7);
    house_free(house);
}

static void what_nothing_comes_of_goes_again(void **state)
{
    (void)state;
    static const char *const edits[] = {
        "{\"operations\":[{\"op\":\"remove_task\",\"task\":\"a\"}]}",
        "{\"base_revision\":7,\"operations\":[{\"op\":\"remove_task\",\"task\":\"a\"}]}",
        "{\"operations\":[{\"op\":\"remove_task\",\"task\":\"none\"}]}",
    };
    struct house *house = house_new_slow(3);
    char id[160];
    submit(house, ENDS_AT_ONCE, id);
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        struct client client;
        begin(house, &client, "POST", house_path(id, "/edits"), edits[i]);
        run_turns(house);
        assert_in_range(take_answer(house, &client), 409, 422);
        nothing_is_live(house);
    }
    house_free(house);
}

static void so_many_come_back_at_a_time_and_no_more(void **state)
{
    (void)state;
    struct house *house = house_new_slow(1);
    struct client clients[WAKES_MAX + 1];
    char ids[WAKES_MAX + 1][160];
    for (size_t i = 0; i <= WAKES_MAX; i++) {
        submit(house, ENDS_AT_ONCE, ids[i]);
    }
    for (size_t i = 0; i <= WAKES_MAX; i++) {
        begin(house, &clients[i], "POST", house_path(ids[i], "/edits"), ADD_X);
    }
    run_turns(house);
    for (size_t i = 0; i <= WAKES_MAX; i++) {
        assert_int_equal(take_answer(house, &clients[i]), i < WAKES_MAX ? 200 : 503);
    }
    assert_int_equal(engine_stats(house->engine).constellations, WAKES_MAX);
    house_free(house);
}

/* --- Whatever is asked, and whenever. --- */

enum { STORM_IDS = 4, STORM_CLIENTS = 24, STORM_STEPS = 150, STORM_SEEDS = 12 };

struct storm {
    struct house *house;
    struct rng rng;
    char ids[STORM_IDS][160];
    struct client clients[STORM_CLIENTS];
    size_t clients_count;
    unsigned keys;
    unsigned statuses[600];
};

static void ask_something(struct storm *storm)
{
    char body[256];
    snprintf(body, sizeof(body),
             "{\"operations\":[{\"op\":\"add_task\",\"task\":\"n%u\",\"spec\":{\"needs\":\"a\"}}]}",
             ++storm->keys);
    const struct {
        const char *method;
        const char *rest;
        const char *body;
    } kinds[] = {
        { "POST", "/edits", body },
        { "POST", "/edits?dry_run=1", body },
        { "POST", "/edits", "{\"operations\":[{\"op\":\"set\",\"description\":\"d\"}]}" },
        { "POST", "/rerun", "{\"tasks\":[\"b\"]}" },
        { "POST", "/retry", "{}" },
        { "POST", "/undo", "{}" },
        { "POST", "/cancel", "{}" },
        { "GET", "/plan/metrics", NULL },
        { "DELETE", "", NULL },
    };
    /* Deletions are rare, or there would soon be nothing left to ask for. */
    size_t kind = rng_below(&storm->rng, 60) == 0 ? 8 : rng_below(&storm->rng, 8);
    size_t at = rng_below(&storm->rng, STORM_IDS);
    begin(storm->house, &storm->clients[storm->clients_count++], kinds[kind].method,
          house_path(storm->ids[at], kinds[kind].rest), kinds[kind].body);
}

/* Plans are measured between turns. */
static void settle(struct storm *storm)
{
    run_turns(storm->house);
    for (size_t i = 0; i < storm->clients_count; i++) {
        int status = take_answer(storm->house, &storm->clients[i]);
        assert_in_range(status, 200, 599);
        storm->statuses[status]++;
    }
    storm->clients_count = 0;
}

static void whatever_is_asked_meanwhile_memory_is_the_database(void **state)
{
    (void)state;
    static struct storm storm;
    for (uint64_t seed = 1; seed <= STORM_SEEDS; seed++) {
        rng_init(&storm.rng, seed);
        storm.house = house_new_slow(1 + rng_below(&storm.rng, 9));
        for (size_t i = 0; i < STORM_IDS; i++) {
            submit(storm.house, ENDS_AT_ONCE, storm.ids[i]);
        }
        for (unsigned i = 0; i < STORM_STEPS; i++) {
            if (storm.clients_count == STORM_CLIENTS) {
                settle(&storm);
            }
            if (rng_below(&storm.rng, 3) == 0) {
                ask_something(&storm);
            } else {
                turn(storm.house);
            }
        }
        settle(&storm);
        nothing_is_live(storm.house);
        house_free(storm.house);
    }
    static const int expected[] = { 200, 204, 404, 409 };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_true(storm.statuses[expected[i]] > 0);
    }
    assert_int_equal(storm.statuses[500], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_ended_is_not_seen_before_it_is_whole),
        cmocka_unit_test(a_small_one_is_there_at_once),
        cmocka_unit_test(all_who_want_it_share_one_load),
        cmocka_unit_test(what_is_deleted_on_its_way_is_not_found),
        cmocka_unit_test(what_is_read_for_a_dry_run_in_the_same_turn_is_deleted),
        cmocka_unit_test(what_goes_on_in_the_same_turn_is_not_deleted),
        cmocka_unit_test(what_nothing_comes_of_goes_again),
        cmocka_unit_test(so_many_come_back_at_a_time_and_no_more),
        cmocka_unit_test(whatever_is_asked_meanwhile_memory_is_the_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
