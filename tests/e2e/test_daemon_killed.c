/* kill -9 of the daemon at random instants of the demo and of a constellation that leaves marks, a
   hundred times in all. E2E_SEED=N takes the same instants again, as far as a machine allows;
   E2E_KILLS=N makes it longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/e2e/lanes.h"
#include "tests/e2e/trial.h"

enum { LANES = 4, KILLS_A_TRIAL = 5, KILLS = 100 };

static struct lane lane;
static struct trial trial;

static int teardown(void **state)
{
    (void)state;
    trial_abandon(&trial);
    return 0;
}

static void this_lane_keeps_its_promises(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, lane.seed);
    struct trial_sum sum = { 0 };
    unsigned demo_kills = 0; /* the demo is what must stand them; the marks show more between */
    while (demo_kills < lane.share) {
        bool is_demo = sum.trials % 4 != 0;
        unsigned before = sum.kills;
        trial_prepare(&trial, is_demo ? TRIAL_DEMO : TRIAL_MARKED, NULL);
        trial.kills_wanted = KILLS_A_TRIAL;
        trial_run(&trial);
        while (trial_step(&trial, &rng)) {
            look_again();
        }
        trial_judge(&trial, &sum);
        demo_kills += is_demo ? sum.kills - before : 0;
    }
    lane_report((struct lanes_sum){ sum.kills, sum.trials });
}

static void nothing_reruns_and_nothing_is_lost_however_often_the_daemon_is_killed(void **state)
{
    (void)state;
    unsigned seed = lanes_setting("E2E_SEED", (unsigned)now_ms());
    unsigned wanted = lanes_setting("E2E_KILLS", KILLS);
    print_message("seed %u\n", seed);
    struct lanes_sum sum = lanes_run(LANES, seed, (wanted + LANES - 1) / LANES);
    /* A lane ends at the first that breaks a promise. */
    print_message("%u kills in %u runs, 0 reruns, 0 lost, 0 out of order\n", sum.kills, sum.trials);
    assert_true(sum.kills >= wanted);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest one[] = {
        cmocka_unit_test_teardown(this_lane_keeps_its_promises, teardown),
    };
    const struct CMUnitTest all[] = {
        cmocka_unit_test(nothing_reruns_and_nothing_is_lost_however_often_the_daemon_is_killed),
    };
    return lane_of(argc, argv, &lane) ? cmocka_run_group_tests(one, NULL, NULL)
                                      : cmocka_run_group_tests(all, NULL, NULL);
}
