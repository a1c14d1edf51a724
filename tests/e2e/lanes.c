#include "tests/e2e/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/e2e/fleet.h"

enum { LANES_MAX = 8, LANE_MS = 280000 };

static void start_lane(struct fleet *fleet, struct process *process, unsigned number, uint64_t seed,
                       unsigned share)
{
    char texts[3][32];
    snprintf(texts[0], sizeof texts[0], "%u", number);
    snprintf(texts[1], sizeof texts[1], "%llu", (unsigned long long)seed + number);
    snprintf(texts[2], sizeof texts[2], "%u", share);
    char self[FLEET_PATH_MAX] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    const char *argv[] = { self, "--lane", texts[0], texts[1], texts[2], NULL };
    snprintf(process->err, sizeof process->err, "%s/lane-%u", fleet->dir, number);
    process_start(process, argv, NULL);
}

struct lanes_sum lanes_run(unsigned count, uint64_t seed, unsigned share)
{
    struct process lanes[LANES_MAX] = { 0 };
    struct lanes_sum sum = { 0 };
    struct fleet *fleet = fleet_new(); /* for its directory */
    assert_true(count <= LANES_MAX);
    for (unsigned i = 0; i < count; i++) {
        start_lane(fleet, &lanes[i], i, seed, share);
    }
    bool good = true;
    for (unsigned i = 0; i < count; i++) {
        bool ended = process_wait(&lanes[i], LANE_MS);
        process_kill(&lanes[i]);
        char *text = file_text(lanes[i].err);
        const char *report = strstr(text, "REPORT ");
        if (!ended || process_code(&lanes[i]) != 0 || report == NULL) {
            fprintf(stderr, "lane %u (--lane %u %llu %u) failed:\n", i, i,
                    (unsigned long long)seed + i, share);
            file_show(lanes[i].err);
            good = false;
        }
        if (report != NULL) {
            char *rest = NULL;
            sum.kills += (unsigned)strtoul(report + strlen("REPORT "), &rest, 10);
            sum.trials += (unsigned)strtoul(rest, NULL, 10);
        }
        free(text);
    }
    fleet_passed(fleet);
    fleet_free(fleet);
    assert_true(good);
    return sum;
}

bool lane_of(int argc, char **argv, struct lane *ret_lane)
{
    if (argc != 5 || strcmp(argv[1], "--lane") != 0) {
        return false;
    }
    ret_lane->number = (unsigned)strtoul(argv[2], NULL, 10);
    ret_lane->seed = strtoull(argv[3], NULL, 10);
    ret_lane->share = (unsigned)strtoul(argv[4], NULL, 10);
    return true;
}

void lane_report(struct lanes_sum sum)
{
    print_message("REPORT %u %u\n", sum.kills, sum.trials);
}

unsigned lanes_setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}
