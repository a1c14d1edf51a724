/* kill -9 of the daemon at the named points of its turn (orchestrator/fault.h): at the N-th turn after
   a restart with work under way, and in the turn of the submission itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"
#include "tests/e2e/lanes.h"
#include "tests/e2e/trial.h"

enum { LANES = 4, PASSES = 8, PASSES_A_TRIAL = 4 };

/* A lane is a point. */
static const char *const points[LANES] = { "after_event", "before_commit", "after_commit",
                                           "after_send" };

static struct lane lane;
static struct trial trial;

static int teardown(void **state)
{
    (void)state;
    trial_abandon(&trial);
    return 0;
}

static void the_daemon_dies_at_each_of_the_first_turns(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, lane.seed);
    struct trial_sum sum = { 0 };
    char fault[64];
    for (unsigned pass = 1; pass <= PASSES;) {
        trial_prepare(&trial, TRIAL_MARKED, NULL);
        trial_run(&trial);
        /* Each death is followed by a start with the next setting. */
        for (unsigned made = 0; made < PASSES_A_TRIAL; made++, pass++) {
            fleet_daemon_kill(trial.fleet);
            snprintf(fault, sizeof fault, "ASTERISMD_FAULT=%s:%u", points[lane.number], pass);
            trial.fleet->fault = fault;
            fleet_daemon_spawn(trial.fleet);
            EVENTUALLY(60000,
                       process_has_ended(&trial.fleet->daemon) || process_has_ended(&trial.run));
            assert_true(process_has_ended(&trial.fleet->daemon));
            assert_true(trial_revive(&trial));
        }
        while (trial_step(&trial, &rng)) {
            look_again();
        }
        trial_judge(&trial, &sum);
    }
    lane_report((struct lanes_sum){ sum.kills, sum.trials });
}

static void nothing_reruns_at_any_point_of_the_turn(void **state)
{
    (void)state;
    struct lanes_sum sum = lanes_run(LANES, 1, PASSES);
    print_message("%u kills at %u points in %u runs, 0 reruns, 0 lost, 0 out of order\n", sum.kills,
                  LANES, sum.trials);
    assert_int_equal(sum.kills, LANES * PASSES);
}

/* The first turn of a start is its own, the second is the submission's. */
static void a_submission_counts_once_wherever_its_turn_is_cut(void **state)
{
    struct fleet *fleet = *state;
    const char *spec = fleet_write(fleet, "one.yaml", "name: one\ntasks:\n  a: {noop: true}\n");
    char fault[64];
    fleet_daemon_start(fleet);
    for (unsigned i = 0; i < LANES; i++) {
        fleet_daemon_kill(fleet);
        snprintf(fault, sizeof fault, "ASTERISMD_FAULT=%s:2", points[i]);
        fleet->fault = fault;
        fleet_daemon_start(fleet);
        struct process submit = { 0 };
        cli_start(fleet, &submit, "submit", spec, NULL);
        EVENTUALLY(30000, process_has_ended(&fleet->daemon));
        assert_int_equal(process_code(&fleet->daemon), 256 + 9);
        fleet_daemon_start(fleet);
        assert_true(process_wait(&submit, 60000));
        assert_int_equal(process_code(&submit), 0);
        assert_int_equal(history_number(fleet, "SELECT count(*) FROM constellation"), i + 1);
        assert_int_equal(history_number(fleet, "SELECT count(*) FROM task"), i + 1);
    }
    fleet_agent_start(fleet, fleet_agent_add(fleet, "desktop", 4));
    EVENTUALLY(30000, history_number(fleet, "SELECT count(*) FROM constellation WHERE state = 4") ==
                          LANES);
    history_check(fleet);
    fleet_passed(fleet);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest one[] = {
        cmocka_unit_test_teardown(the_daemon_dies_at_each_of_the_first_turns, teardown),
    };
    const struct CMUnitTest all[] = {
        cmocka_unit_test(nothing_reruns_at_any_point_of_the_turn),
        cmocka_unit_test_setup_teardown(a_submission_counts_once_wherever_its_turn_is_cut,
                                        fleet_setup, fleet_teardown),
    };
    return lane_of(argc, argv, &lane) ? cmocka_run_group_tests(one, NULL, NULL)
                                      : cmocka_run_group_tests(all, NULL, NULL);
}
