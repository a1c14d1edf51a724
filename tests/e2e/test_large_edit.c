/* An edit of 20,000 operations over HTTP, and kill -9 in the midst of it: the plan is as before, or, once
   the next start has gone on with it, as after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/rng.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"
#include "tests/e2e/lanes.h"

enum { BASE = 200, MANY = 20000, KILLS = 8, POINT_PASSES = 20, LIMIT_MS = 60000 };

static const char *const points[] = { "after_event", "before_commit", "after_commit",
                                      "after_send" };

static void write_spec(struct fleet *fleet)
{
    struct buf text = { 0 };
    buf_append_text(&text, "name: large\ntasks:\n");
    for (int i = 0; i < BASE; i++) {
        buf_printf(&text, "  t%d: {run: [\"true\"], selector: never}\n", i);
    }
    cli_expect(fleet, 0, "", "submit", fleet_write(fleet, "large.yaml", buf_text(&text)), NULL);
    buf_done(&text);
}

/* Each new task waits for two others. */
static const char *write_edit(struct fleet *fleet)
{
    struct buf text = { 0 };
    buf_append_text(&text, "{\"operations\":[");
    for (int i = 0; i < MANY; i++) {
        buf_printf(&text,
                   "%s{\"op\":\"add_task\",\"task\":\"n%d\",\"spec\":{\"run\":[\"true\"],"
                   "\"needs\":[\"t%d\",\"%s%d\"]}}\n",
                   i == 0 ? "" : ",", i, i % BASE, i == 0 ? "t" : "n", i == 0 ? 1 : i / 2);
    }
    buf_append_text(&text, "]}");
    const char *path = fleet_write(fleet, "edit.json", buf_text(&text));
    buf_done(&text);
    return path;
}

static const char *path_of(const char *id, const char *rest)
{
    static char path[256];
    snprintf(path, sizeof path, "/api/v1/constellations/%s%s", id, rest);
    return path;
}

static int64_t number(struct fleet *fleet, const char *id, const char *key)
{
    json_t *json = ask_json(fleet, path_of(id, ""));
    int64_t value = number_of(json, key);
    json_decref(json);
    return value;
}

/* -1: the daemon is not there. */
static int holds(struct fleet *fleet, const char *id)
{
    json_t *json = ask_json(fleet, path_of(id, "/holds"));
    int count = json == NULL ? -1 : (int)json_array_size(json_object_get(json, "holds"));
    json_decref(json);
    return count;
}

static void expect_whole(struct fleet *fleet, const char *id, int64_t revision)
{
    bool is_applied = number(fleet, id, "revision") > revision;
    assert_int_equal(number(fleet, id, "tasks"), is_applied ? BASE + MANY : BASE);
    assert_int_equal(number(fleet, id, "dependencies"), is_applied ? 2 * MANY : 0);
}

/* Whoever insists sends the edit once more, under the same key: the CLI does. */
static void kill_and_start(struct fleet *fleet, const char *id, struct process *edit, bool insists)
{
    fleet_daemon_kill(fleet);
    if (!insists) {
        process_kill(edit);
    }
    fleet->fault = NULL;
    fleet_daemon_start(fleet);
    assert_true(!insists || process_wait(edit, LIMIT_MS));
    EVENTUALLY(LIMIT_MS, holds(fleet, id) == 0);
}

static void back_to_the_beginning(struct fleet *fleet, const char *id)
{
    if (number(fleet, id, "tasks") != BASE) {
        cli_expect(fleet, 0, "is at revision", "undo", id, NULL);
        assert_int_equal(number(fleet, id, "tasks"), BASE);
    }
}

static void it_is_made_whole_or_not_at_all(void **state)
{
    struct fleet *fleet = *state;
    struct process edit = { .pid = 0 };
    struct rng rng;
    unsigned seed = lanes_setting("E2E_SEED", (unsigned)now_ms());
    unsigned applied = 0;
    print_message("seed %u\n", seed);
    rng_init(&rng, seed);
    fleet_daemon_start(fleet);
    write_spec(fleet);
    const char *body = write_edit(fleet);
    char id[64];
    json_t *list = ask_json(fleet, "/api/v1/constellations");
    snprintf(id, sizeof id, "%s",
             text_of(json_array_get(json_object_get(list, "constellations"), 0), "id"));
    json_decref(list);
    for (int kill = 0; kill < KILLS; kill++) {
        int64_t revision = number(fleet, id, "revision");
        char fault[64];
        snprintf(fault, sizeof fault, "ASTERISMD_FAULT=%s:%u", points[rng_below(&rng, 4)],
                 2 + (unsigned)rng_below(&rng, POINT_PASSES));
        fleet_daemon_stop(fleet);
        fleet->fault = kill < 2 ? NULL : fault;
        fleet_daemon_start(fleet);
        cli_start(fleet, &edit, "edit", id, "-f", body, NULL);
        if (kill == 0) {
            EVENTUALLY(LIMIT_MS, holds(fleet, id) == 1); /* it is being checked, or later */
        } else if (kill == 1) {
            EVENTUALLY(LIMIT_MS, number(fleet, id, "tasks") > BASE); /* it is being made */
        } else {
            EVENTUALLY(LIMIT_MS, process_has_ended(&fleet->daemon) || process_has_ended(&edit));
        }
        bool insists = kill % 3 == 2;
        kill_and_start(fleet, id, &edit, insists);
        expect_whole(fleet, id, revision);
        bool is_applied = number(fleet, id, "revision") > revision;
        assert_true(is_applied || (kill != 1 && !insists));
        applied += is_applied;
        back_to_the_beginning(fleet, id);
    }
    print_message("%u of %d edits were made\n", applied, KILLS);
    cli_expect(fleet, 0, "20000 tasks added, 40000 dependencies added", "edit", id, "-f", body,
               NULL);
    fleet_daemon_stop(fleet);
    history_check(fleet);
    fleet_passed(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_whole_or_not_at_all, fleet_setup,
                                        fleet_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
