/* One daemon and its agents: the real programs, in a directory of their own, on a port of their own. */
#ifndef TESTS_BENCH_FLEET_H
#define TESTS_BENCH_FLEET_H

#include <sys/types.h>

#include "tests/bench/bench.h"
#include "tests/bench/http.h"

enum { FLEET_AGENTS_MAX = 4 };

struct fleet {
    struct bench *bench;
    char dir[4200];
    char url[64];
    unsigned starts;
    pid_t daemon;
    pid_t agents[FLEET_AGENTS_MAX];
    size_t agents_count;
    struct http *http;
};

/* A daemon, answering, and this many agents, connected. */
void fleet_start(struct fleet *fleet, struct bench *bench, size_t agents, unsigned slots);
void fleet_wait_connected(struct fleet *fleet, size_t count);
/* SIGKILL; then the same database with the same port. Returns now_s() just before the exec. */
void fleet_kill_daemon(struct fleet *fleet);
double fleet_exec_daemon(struct fleet *fleet);
void fleet_wait_daemon(struct fleet *fleet);
/* Notes the longest turn and commit, ends everything and waits for it. */
void fleet_stop(struct fleet *fleet);
/* What the last daemon had to say, to stderr: for a bench that has failed. */
void fleet_show_log(void);

#endif
