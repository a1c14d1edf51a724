/* Connections between agents and the daemon that are reset, closed, cut in the middle of a frame, or
   stand half open: nothing runs again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/e2e/lanes.h"
#include "tests/e2e/proxy.h"
#include "tests/e2e/trial.h"

enum { LANES = 4, CUTS_A_TRIAL = 5, TRIALS = 6, CUTS = 100, CUT_WITHIN_MS = 400 };

static struct lane lane;
static struct trial trial;
static struct proxy *proxy;

static int teardown(void **state)
{
    (void)state;
    trial_abandon(&trial);
    proxy_free(proxy);
    proxy = NULL;
    return 0;
}

static void prepare(void)
{
    /* The proxy's port must be known before the agents start, the daemon's only when it is used. */
    char server[64];
    proxy = proxy_new(1);
    snprintf(server, sizeof server, "ws://127.0.0.1:%u", proxy_port(proxy));
    trial_prepare(&trial, TRIAL_MARKED, server);
    proxy_retarget(proxy, trial.fleet->port);
}

static void this_lane_keeps_its_promises(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, lane.seed);
    struct trial_sum sum = { 0 };
    unsigned cuts = 0;
    while (sum.trials < lane.share) {
        prepare();
        trial_run(&trial);
        int64_t next_ms = now_ms();
        for (unsigned made = 0; trial_step(&trial, &rng);) {
            if (made < CUTS_A_TRIAL && now_ms() >= next_ms) {
                enum proxy_cut how = (enum proxy_cut)((lane.number + made) % PROXY_CUTS);
                unsigned before = proxy_cuts(proxy);
                proxy_cut(proxy, how, rng_next(&rng));
                made += how == PROXY_PART || proxy_cuts(proxy) > before;
                next_ms = now_ms() + (int64_t)rng_below(&rng, CUT_WITHIN_MS);
            }
            look_again();
        }
        cuts += proxy_cuts(proxy);
        trial_judge(&trial, &sum);
        proxy_free(proxy);
        proxy = NULL;
    }
    lane_report((struct lanes_sum){ cuts, sum.trials });
}

static void nothing_reruns_and_nothing_is_lost_however_connections_are_cut(void **state)
{
    (void)state;
    unsigned seed = lanes_setting("E2E_SEED", (unsigned)now_ms());
    print_message("seed %u\n", seed);
    struct lanes_sum sum = lanes_run(LANES, seed, TRIALS);
    print_message("%u connections cut in %u runs, 0 reruns, 0 lost, 0 out of order\n", sum.kills,
                  sum.trials);
    assert_true(sum.kills >= CUTS);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest one[] = {
        cmocka_unit_test_teardown(this_lane_keeps_its_promises, teardown),
    };
    const struct CMUnitTest all[] = {
        cmocka_unit_test(nothing_reruns_and_nothing_is_lost_however_connections_are_cut),
    };
    return lane_of(argc, argv, &lane) ? cmocka_run_group_tests(one, NULL, NULL)
                                      : cmocka_run_group_tests(all, NULL, NULL);
}
