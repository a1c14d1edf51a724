/* kill -9 of the daemon at random instants and at the named points of its turn (orchestrator/fault.h),
   while a constellation lives: approvals, holds, a retry and a rerun among them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"
#include "tests/e2e/lanes.h"
#include "tests/e2e/living.h"
#include "tests/e2e/marks.h"
#include "tests/e2e/trial.h"

enum { LANES = 4, KILLS = 60, KILLS_A_TRIAL = 8, LIMIT_MS = 30000, POINT_PASSES = 12 };

static const char *const points[] = { "after_event", "before_commit", "after_commit",
                                      "after_send" };

static struct lane lane;
static struct trial trial;
static struct living person;

static int teardown(void **state)
{
    (void)state;
    process_kill(&person.command);
    trial_abandon(&trial);
    return 0;
}

/* Half of the starts end at a point of one of their first turns. */
static void set_trap(struct rng *rng)
{
    static char fault[64];
    snprintf(fault, sizeof fault, "ASTERISMD_FAULT=%s:%u", points[rng_below(rng, 4)],
             2 + (unsigned)rng_below(rng, POINT_PASSES));
    trial.fleet->fault =
        trial.kills + 1 < trial.kills_wanted && rng_below(rng, 2) == 0 ? fault : NULL;
}

static void one_trial(struct rng *rng, unsigned kills, struct trial_sum *sum)
{
    person = (struct living){ 0 };
    trial_prepare(&trial, TRIAL_LIVING, NULL);
    trial.kills_wanted = kills;
    trial_run(&trial);
    cli_expect(trial.fleet, 0, "is held", "hold", "@last", "held", "--reason", "by hand", NULL);
    cli_expect(trial.fleet, 0, "sign", "approve", "@last/sign", NULL);
    bool follows = true;
    while (follows || !living_has_ended(&person, trial.fleet)) {
        trial_revive(&trial);
        set_trap(rng);
        follows = trial_step(&trial, rng);
        if (!follows) {
            trial_kill_if_due(&trial, rng); /* the CLI has left; the rest of the kills has not */
        }
        living_step(&person, trial.fleet, trial.kills * 2 >= trial.kills_wanted);
        look_again();
    }
    trial_judge(&trial, sum);
}

static void this_lane_keeps_its_promises(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, lane.seed);
    struct trial_sum sum = { 0 };
    while (sum.kills < lane.share) {
        one_trial(&rng, KILLS_A_TRIAL, &sum);
    }
    lane_report((struct lanes_sum){ sum.kills, sum.trials });
}

static void undisturbed_it_ends_as_its_spec_says(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    struct trial_sum sum = { 0 };
    one_trial(&rng, 0, &sum);
    assert_int_equal(sum.trials, 1);
}

static void it_ends_the_same_however_often_the_daemon_is_killed(void **state)
{
    (void)state;
    unsigned seed = lanes_setting("E2E_SEED", (unsigned)now_ms());
    unsigned wanted = lanes_setting("E2E_KILLS", KILLS);
    print_message("seed %u\n", seed);
    struct lanes_sum sum = lanes_run(LANES, seed, (wanted + LANES - 1) / LANES);
    print_message("%u kills in %u runs: all ended as undisturbed\n", sum.kills, sum.trials);
    assert_true(sum.kills >= wanted);
}

static void restart(struct fleet *fleet)
{
    fleet_daemon_kill(fleet);
    fleet_daemon_start(fleet);
    fleet_agents_connected(fleet, fleet->agents_count);
}

static const char *write_marked(struct fleet *fleet)
{
    static const struct marks_task three[] = {
        { "a", "desktop", "", 1, false },
        { "b", "desktop", "a", 1, false },
        { "c", "desktop", "", 1, false },
        { NULL, NULL, NULL, 0, false },
    };
    return marks_spec(fleet, three);
}

/* By whom, why and until when is remembered too. */
static void what_is_held_stays_held_over_a_kill(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    cli_expect(fleet, 0, "", "submit", write_marked(fleet), NULL);
    cli_expect(fleet, 0, "is held", "hold", "@last", "a", "--descendants", "--reason", "why b",
               NULL);
    cli_expect(fleet, 0, "", "pause", "@last", "--reason", "the NAS is moved", NULL);
    fleet_agent_start(fleet, fleet_agent_add(fleet, "desktop", 4));
    restart(fleet);
    cli_expect(fleet, 0, "why b", "holds", "@last", NULL);
    cli_expect(fleet, 0, "the NAS is moved", "holds", "@last", NULL);
    assert_string_equal(state_of(fleet, "@last", NULL), "paused");
    restart(fleet);
    assert_int_equal(marks_begun(fleet, "a") + marks_begun(fleet, "c"), 0);
    cli_expect(fleet, 0, "", "resume", "@last", NULL);
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, "@last", "a"), "succeeded") == 0);
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, "@last", "c"), "succeeded") == 0);
    restart(fleet);
    assert_string_equal(state_of(fleet, "@last", "b"), "ready");
    assert_int_equal(marks_begun(fleet, "b"), 0);
    cli_expect(fleet, 0, "", "release", "@last", "1", NULL);
    cli_expect(fleet, 0, "3 succeeded", "wait", "@last", NULL);
    fleet_daemon_stop(fleet);
    history_check(fleet);
    fleet_passed(fleet);
}

static void a_hold_ends_in_time_although_the_daemon_was_killed(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    cli_expect(fleet, 0, "", "submit", write_marked(fleet), NULL);
    cli_expect(fleet, 0, "is held", "hold", "@last", "c", "--for", "1s", NULL);
    cli_expect(fleet, 0, "is held", "hold", "@last", "b", "--for", "1s", "--on-expiry", "fail",
               NULL);
    fleet_agent_start(fleet, fleet_agent_add(fleet, "desktop", 4));
    restart(fleet);
    cli_expect(fleet, 1, "2 succeeded, 1 failed", "wait", "@last", NULL);
    cli_expect(fleet, 0, "nobody acted", "show", "@last/b", NULL);
    assert_int_equal(marks_begun(fleet, "c"), 1);
    assert_int_equal(marks_begun(fleet, "b"), 0);
    fleet_daemon_stop(fleet);
    history_check(fleet);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest one[] = {
        cmocka_unit_test_teardown(this_lane_keeps_its_promises, teardown),
    };
    const struct CMUnitTest all[] = {
        cmocka_unit_test_teardown(undisturbed_it_ends_as_its_spec_says, teardown),
        cmocka_unit_test(it_ends_the_same_however_often_the_daemon_is_killed),
        ROW(what_is_held_stays_held_over_a_kill),
        ROW(a_hold_ends_in_time_although_the_daemon_was_killed),
    };
    return lane_of(argc, argv, &lane) ? cmocka_run_group_tests(one, NULL, NULL)
                                      : cmocka_run_group_tests(all, NULL, NULL);
}
