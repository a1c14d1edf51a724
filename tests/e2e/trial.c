#include "tests/e2e/trial.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"
#include "tests/e2e/living.h"
#include "tests/e2e/marks.h"

enum {
    TRIAL_MS = 120000,
    KILL_WITHIN_MS = 350,     /* of an agent's coming back: work is under way then */
    KILL_AT_LATEST_MS = 2500, /* whether one came back or not */
};

static const char *const names[] = { "desktop", "server", "edge" };

void trial_prepare(struct trial *trial, enum trial_kind kind, const char *server)
{
    *trial = (struct trial){ .fleet = fleet_new(), .kind = kind };
    struct fleet *fleet = trial->fleet;
    fleet_quick(fleet, "10m"); /* nothing may be given up for lost here */
    fleet_daemon_start(fleet);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fleet_agent *agent = fleet_agent_add(fleet, names[i], 8);
        if (server != NULL) {
            snprintf(agent->server, sizeof agent->server, "%s", server);
        }
        fleet_agent_start(fleet, agent);
    }
    const char *spec = kind == TRIAL_DEMO     ? E2E_SOURCE "/examples/fleet-report.yaml"
                       : kind == TRIAL_LIVING ? living_spec(fleet)
                                              : marks_spec(fleet, marks_constellation);
    snprintf(trial->spec, sizeof trial->spec, "%s", spec);
    trial->began_ms = now_ms();
}

static size_t sessions(const struct fleet *fleet)
{
    size_t count = 0;
    for (size_t i = 0; i < fleet->agents_count; i++) {
        count += file_count(fleet->agents[i].process.err, " session.ready ");
    }
    return count;
}

void trial_run(struct trial *trial)
{
    fleet_agents_connected(trial->fleet, trial->fleet->agents_count);
    cli_start(trial->fleet, &trial->run, "run", trial->spec, NULL);
    EVENTUALLY(30000, state_of(trial->fleet, "@last", NULL)[0] != 0);
    trial->began_ms = now_ms();
}

/* Random, and soon enough after an agent came back that something is under way. */
static void plan_kill(struct trial *trial, struct rng *rng)
{
    int64_t now = now_ms();
    if (trial->kill_at_ms == 0) {
        trial->kill_at_ms = now + KILL_AT_LATEST_MS;
    }
    if (trial->sessions != SIZE_MAX && sessions(trial->fleet) > trial->sessions) {
        trial->sessions = SIZE_MAX; /* planned */
        trial->kill_at_ms = now + (int64_t)rng_below(rng, KILL_WITHIN_MS);
    }
}

void trial_kill_if_due(struct trial *trial, struct rng *rng)
{
    if (trial->kills >= trial->kills_wanted) {
        return;
    }
    plan_kill(trial, rng);
    if (now_ms() < trial->kill_at_ms) {
        return;
    }
    fleet_daemon_kill(trial->fleet);
    trial->kills++;
    trial->sessions = sessions(trial->fleet);
    trial->kill_at_ms = 0;
    fleet_daemon_start(trial->fleet);
}

bool trial_step(struct trial *trial, struct rng *rng)
{
    if (process_has_ended(&trial->run)) {
        return false;
    }
    if (now_ms() - trial->began_ms > TRIAL_MS) {
        fprintf(stderr, "the constellation did not end; the CLI saw:\n");
        file_show(trial->run.out);
        fail();
    }
    trial_kill_if_due(trial, rng);
    return true;
}

bool trial_revive(struct trial *trial)
{
    struct fleet *fleet = trial->fleet;
    if (!process_has_ended(&fleet->daemon)) {
        return false;
    }
    if (!WIFSIGNALED(fleet->daemon.status) || WTERMSIG(fleet->daemon.status) != SIGKILL) {
        fail_msg("asterismd ended by itself, with %d", process_code(&fleet->daemon));
    }
    trial->kills++;
    fleet_daemon_start(fleet);
    return true;
}

static void judge_demo(struct trial *trial, struct trial_sum *sum)
{
    struct fleet *fleet = trial->fleet;
    struct said said = cli(fleet, "logs", "@last/report", NULL);
    assert_non_null(strstr(said.out, "# Fleet report"));
    assert_non_null(strstr(said.out, "- edge uplink: up after "));
    said_done(&said);
    /* The demo makes no marks: what the agents said must do. An attempt that never reached its agent
       counts as none; `uplink` is meant to fail once, unless the first was one of those. */
    sum->reruns += (unsigned)history_number(
        fleet, "SELECT count(*) FROM (SELECT task_id, key FROM attempt JOIN task_text"
               " ON task_text.id = task_id WHERE started_wall_ms > 0 OR outcome > 0"
               " GROUP BY task_id HAVING count(*) > 1 + (key = 'uplink'))");
    sum->lost += (unsigned)history_number(fleet, "SELECT count(*) FROM task WHERE state <> 5");
}

static void judge_marked(struct trial *trial, struct trial_sum *sum)
{
    struct fleet *fleet = trial->fleet;
    struct marks_count count = marks_check(fleet, marks_constellation);
    sum->reruns += count.reruns;
    sum->lost += count.lost;
    sum->disorder += count.disorder;
    struct said said = cli(fleet, "logs", "@last/report", NULL);
    assert_string_equal(said.out,
                        "report.join.wide-1.server-a.wide-2.server-a.wide-3.server-a.desktop-a."
                        "wide-4.server-a.wide-5.edge-a.chain-3.chain-2.chain-1.edge-a.desktop-a."
                        "flaky.\n");
    said_done(&said);
    if (count.reruns + count.lost + count.disorder > 0) {
        file_show(fleet_path(fleet, "marks"));
        fail_msg("%u reruns, %u lost, %u out of order", count.reruns, count.lost, count.disorder);
    }
}

void trial_judge(struct trial *trial, struct trial_sum *sum)
{
    struct fleet *fleet = trial->fleet;
    if (process_code(&trial->run) != 0) {
        file_show(trial->run.out);
        file_show(trial->run.err);
        fail_msg("the CLI ended with %d", process_code(&trial->run));
    }
    assert_int_equal(history_number(fleet, "SELECT count(*) FROM constellation"), 1);
    if (trial->kind == TRIAL_DEMO) {
        judge_demo(trial, sum);
    } else if (trial->kind == TRIAL_LIVING) {
        living_judge(fleet);
    } else {
        judge_marked(trial, sum);
    }
    for (size_t i = 0; i < fleet->agents_count; i++) {
        fleet_agent_stop(&fleet->agents[i]);
    }
    fleet_daemon_stop(fleet);
    history_check(fleet);
    assert_int_equal(sum->reruns, 0);
    assert_int_equal(sum->lost, 0);
    sum->kills += trial->kills;
    sum->trials++;
    fleet_passed(fleet);
    fleet_free(fleet);
    trial->fleet = NULL;
}

void trial_abandon(struct trial *trial)
{
    process_kill(&trial->run);
    if (trial->fleet != NULL) {
        fleet_free(trial->fleet);
        trial->fleet = NULL;
    }
}
