/* The program: which figures to run, where they may write, and the verdict at the end. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/sys/log.h"
#include "tests/bench/fleet.h"

static const struct {
    const char *name;
    void (*run)(struct bench *bench);
    const char *help;
} figures[] = {
    { "noop", figure_noop_in_order, "tasks that do nothing, in submission order" },
    { "random", figure_noop_random, "the same, becoming ready in random order" },
    { "hop", figure_hop, "a result in, the next assignment out" },
    { "process", figure_process, "tasks that start a process" },
    { "dag", figure_dag, "small graphs from the POST to the end" },
    { "submit", figure_submit, "100,000 tasks accepted, queued, and open over a restart" },
    { "edits", figure_edits, "random edits of a plan of 100,000 tasks" },
    { "growth", figure_growth, "a plan that edits grow to 50,000 tasks" },
    { "living", figure_living, "a plan of 1,000,000 tasks and its edits in the engine alone" },
    { "steps", figure_steps, "what is much at once, in the engine alone" },
    { "memory", figure_memory, "an idle daemon, an idle agent" },
    { "idle", figure_idle_agents, "many idle agents" },
    { "turn", figure_longest_turn, "the longest turn of the daemons above" },
};

enum { FIGURES = sizeof figures / sizeof figures[0] };

static char *work_dir; /* for the way out */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void clean(void)
{
    if (work_dir != NULL && work_dir[0] != '\0') {
        nftw(work_dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    }
}

void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("asterism-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fleet_show_log();
    exit(2); // NOLINT(concurrency-mt-unsafe): one thread
}

double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_s(double seconds)
{
    struct timespec span = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&span, NULL);
}

static void usage(FILE *to)
{
    fputs(
        "usage: asterism-bench [--full] [NAME...]\n"
        "Measures the programs beside it; one line of JSON a figure. Ends with 1 if one is below\n"
        "half of its target.\n\n",
        to);
    for (size_t i = 0; i < FIGURES; i++) {
        fprintf(to, "  %-9s %s\n", figures[i].name, figures[i].help);
    }
    fputs("  --full    1,000,000 tasks in random order instead of 200,000, and grown instead of "
          "50,000\n",
          to);
}

static void open_places(struct bench *bench)
{
    char self[4096] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
        bench_die("cannot find its own directory: %s", strerror(errno));
    }
    snprintf(bench->bin_dir, sizeof bench->bin_dir, "%s", dirname(self));
    /* Beside the programs: a real disk, where /tmp may be memory. */
    int length =
        snprintf(bench->work_dir, sizeof bench->work_dir, "%s/../bench-XXXXXX", bench->bin_dir);
    if (length < 0 || (size_t)length >= sizeof bench->work_dir ||
        mkdtemp(bench->work_dir) == NULL) {
        bench_die("cannot make a directory beside %s: %s", bench->bin_dir, strerror(errno));
    }
    work_dir = bench->work_dir;
    atexit(clean);
}

/* A thousand connections and more in one process. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static size_t find(const char *name)
{
    size_t i = 0;
    while (i < FIGURES && strcmp(figures[i].name, name) != 0) {
        i++;
    }
    return i;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    bool wanted[FIGURES] = { false };
    bool any = false;
    for (int i = 1; i < argc; i++) {
        size_t at = find(argv[i]);
        if (strcmp(argv[i], "--full") == 0) {
            bench.full = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return 0;
        } else if (at == FIGURES) {
            usage(stderr);
            return 2;
        } else {
            wanted[at] = true;
            any = true;
        }
    }
    log_set_level(LOG_LEVEL_WARN);
    raise_descriptors();
    open_places(&bench);
    for (size_t i = 0; i < FIGURES; i++) {
        if (wanted[i] || !any) {
            figures[i].run(&bench);
        }
    }
    if (any && !wanted[find("turn")]) {
        figure_longest_turn(&bench);
    }
    return bench.below_half == 0 ? 0 : 1;
}
