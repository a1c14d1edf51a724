/* A daemon and its agents on loopback, as the real programs, in a directory of their own. */
#ifndef TESTS_E2E_FLEET_H
#define TESTS_E2E_FLEET_H

#include <jansson.h>
#include <stddef.h>

#include "tests/e2e/process.h"

enum { FLEET_AGENTS_MAX = 4, FLEET_FLAGS_MAX = 24, FLEET_PATH_MAX = 512 };

struct fleet_agent {
    char name[32];
    char label[64];         /* role=NAME */
    const char *more_label; /* another one, or NULL */
    char data_dir[FLEET_PATH_MAX];
    char server[128];       /* "": the daemon itself */
    const char *token_file; /* or NULL */
    const char *ca_file;    /* or NULL */
    unsigned slots;
    struct process process;
};

struct fleet {
    char dir[256];
    char data_dir[FLEET_PATH_MAX];
    unsigned port;                      /* of the first start; later ones take it again */
    int reserve;                        /* keeps the port while no daemon does, or -1 */
    const char *flags[FLEET_FLAGS_MAX]; /* further ones of asterismd, NULL at the end */
    const char *fault;                  /* ASTERISMD_FAULT=… of the next start only, or NULL */
    const char *scheme;                 /* "http" or "https" */
    const char *token_file;             /* of the CLI and of ask(), or NULL */
    const char *ca_file;
    struct process daemon;
    struct fleet_agent agents[FLEET_AGENTS_MAX];
    size_t agents_count;
    bool passed; /* the directory goes; otherwise the logs are shown and it stays */
};

/* For cmocka: *state becomes a fleet with nothing started. */
int fleet_setup(void **state);
int fleet_teardown(void **state);
struct fleet *fleet_new(void);
void fleet_free(struct fleet *fleet);
/* The last line of a test. */
void fleet_passed(struct fleet *fleet);

/* Adds flags of asterismd, before it is started; the list ends with NULL. */
void fleet_flags(struct fleet *fleet, ...);
/* Short times, so that a lease ends within a test: lease 2 s, ping 300 ms, lost after `lost_after`. */
void fleet_quick(struct fleet *fleet, const char *lost_after);

void fleet_daemon_start(struct fleet *fleet); /* returns when it serves */
void fleet_daemon_spawn(struct fleet *fleet); /* does not wait */
/* How it refused to start: its exit code, and its stderr holds `words`. */
void fleet_daemon_refuses(struct fleet *fleet, int code, const char *words);
void fleet_daemon_kill(struct fleet *fleet); /* -9 */
void fleet_daemon_stop(struct fleet *fleet); /* SIGTERM; must exit with 0 */

struct fleet_agent *fleet_agent_add(struct fleet *fleet, const char *name, unsigned slots);
void fleet_agent_start(struct fleet *fleet, struct fleet_agent *agent);
void fleet_agent_stop(struct fleet_agent *agent); /* SIGTERM; must exit with 0 */
void fleet_agents_connected(struct fleet *fleet, size_t count);
/* desktop, server and edge, started; the daemon too; all connected. */
void fleet_three(struct fleet *fleet);

/* A file below the fleet's directory; the path is in a ring of a few. */
const char *fleet_path(struct fleet *fleet, const char *name);
const char *fleet_write(struct fleet *fleet, const char *name, const char *text);
const char *fleet_url(struct fleet *fleet);
/* A whole file, NUL-terminated, to be freed; "" if it is not there. */
char *file_text(const char *path);
void file_show(const char *path);                       /* its end, on stderr */
size_t file_count(const char *path, const char *words); /* how often they stand in it */

/* What a command said. */
struct said {
    int code;
    char *out;
    char *err;
};
void said_done(struct said *said);
/* Runs the CLI to its end, at most 60 s; the arguments end with NULL. */
struct said cli(struct fleet *fleet, ...);
/* Runs it, checks the exit code (shows what it said if it is another), and forgets the rest. */
void cli_expect(struct fleet *fleet, int code, const char *words, ...);
void cli_start(struct fleet *fleet, struct process *process, ...);
/* asterismd with these arguments (backup, restore), to its end. */
struct said asterismd(struct fleet *fleet, ...);

#endif
