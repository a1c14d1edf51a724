/* What the programs hold for themselves when there is nothing to do, and the longest turn of all. */
#include "tests/bench/fleet.h"
#include "tests/bench/floors.h"
#include "tests/bench/usage.h"

static const double MIB = 1024 * 1024;

static void report(struct bench *bench, const char *name, pid_t pid, double target)
{
    struct figure figure = { .name = name, .unit = "MiB", .kind = FIGURE_COST };
    figure.value = usage_private_bytes(pid) / MIB;
    figure.target = target;
    figure_report(bench, &figure);
}

void figure_memory(struct bench *bench)
{
    struct fleet fleet;
    fleet_start(&fleet, bench, 1, 4);
    sleep_s(0.5); /* what is done once after the start is over */
    report(bench, "daemon_private_idle", fleet.daemon, 10);
    report(bench, "agent_private_idle", fleet.agents[0], 5);
    fleet_stop(&fleet);
}

void figure_longest_turn(struct bench *bench)
{
    if (bench->longest_turn_ms <= 0) {
        return;
    }
    struct figure figure = { .name = "longest_turn", .unit = "ms", .kind = FIGURE_COST };
    figure.value = bench->longest_turn_ms;
    figure.target = LONG_TURN_MS;
    /* A turn ends with its commit, and a disk that stalls stalls it. How long it stalled a bare database
       in the same run eases the verdict. */
    figure_floor(&figure, "longest_without_commit_ms", bench->longest_work_ms);
    figure_floor(&figure, "longest_commit_ms", bench->longest_commit_ms);
    figure_floor(&figure, "longest_floor_commit_ms", bench->longest_floor_ms);
    figure_floor(&figure, "turns", bench->turns);
    figure_floor(&figure, "turns_over_20_ms", bench->turns_long);
    figure_floor(&figure, "floor_commits", (double)bench->floor_commits);
    figure_floor(&figure, "floor_commits_over_20_ms", (double)bench->floor_commits_long);
    if (bench->longest_floor_ms > figure.target) {
        figure.machine = figure.target / bench->longest_floor_ms;
    }
    figure_report(bench, &figure);
}
