/* Starting and stopping the programs under measurement. */
#include "tests/bench/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"

static const double START_MAX_S = 20;
static const double STOP_MAX_S = 20;

static pid_t launch(const char *program, const char *log, char *const *argv)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        bench_die("cannot fork: %s", strerror(errno));
    }
    if (pid > 0) {
        return pid;
    }
    /* As a service manager does it: Linux gives each session a share of the processor, and each process of a
       task has a session, so that all our programs together would have no more than one of these. */
    setsid();
    /* Whatever ends the bench, even SIGKILL, ends what it has started. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() == parent && fd >= 0 && null >= 0 && dup2(null, 0) >= 0 && dup2(fd, 1) >= 0 &&
        dup2(fd, 2) >= 0) {
        execv(program, argv);
    }
    _exit(127);
}

static char last_log[4300];

void fleet_show_log(void)
{
    char line[1024];
    FILE *file = last_log[0] == '\0' ? NULL : fopen(last_log, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        fputs(line, stderr);
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* The port, as the log says it: the daemon was asked for any. */
static unsigned read_port(const char *path)
{
    char line[1024];
    unsigned port = 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, "daemon.started ");
        at = at == NULL ? NULL : strstr(at, " port=");
        if (at != NULL && strchr(at, '\n') != NULL) {
            port = (unsigned)strtoul(at + strlen(" port="), NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return port;
}

double fleet_exec_daemon(struct fleet *fleet)
{
    char *program = mem_format("%s/asterismd", fleet->bench->bin_dir);
    char *data = mem_format("%s/data", fleet->dir);
    char *log = mem_format("%s/asterismd-%u.log", fleet->dir, fleet->starts++);
    const char *port = fleet->url[0] == '\0' ? ":0" : strrchr(fleet->url, ':');
    char *listen = mem_format("127.0.0.1%s", port);
    char flag_listen[] = "--listen";
    char flag_data[] = "--data-dir";
    char *argv[] = { program, flag_listen, listen, flag_data, data, NULL };
    snprintf(last_log, sizeof last_log, "%s", log);
    double at = now_s();
    fleet->daemon = launch(program, log, argv);
    mem_free(program);
    mem_free(data);
    mem_free(log);
    mem_free(listen);
    return at;
}

void fleet_wait_daemon(struct fleet *fleet)
{
    char *log = mem_format("%s/asterismd-%u.log", fleet->dir, fleet->starts - 1);
    double limit = now_s() + START_MAX_S;
    unsigned port = 0;
    while ((port = read_port(log)) == 0) {
        if (waitpid(fleet->daemon, NULL, WNOHANG) != 0 || now_s() > limit) {
            bench_die("asterismd has not started");
        }
        sleep_s(0.002);
    }
    mem_free(log);
    snprintf(fleet->url, sizeof fleet->url, "http://127.0.0.1:%u", port);
    http_free(fleet->http);
    fleet->http = http_new(fleet->url);
}

static void fleet_add_agent(struct fleet *fleet, unsigned slots)
{
    if (fleet->agents_count == FLEET_AGENTS_MAX) {
        bench_die("too many agents");
    }
    size_t number = fleet->agents_count;
    char *program = mem_format("%s/asterism-agent", fleet->bench->bin_dir);
    char *data = mem_format("%s/agent-%zu", fleet->dir, number);
    char *log = mem_format("%s/agent-%zu.log", fleet->dir, number);
    char *name = mem_format("bench-%zu", number);
    char *count = mem_format("%u", slots);
    char flag_server[] = "--server";
    char flag_data[] = "--data-dir";
    char flag_device[] = "--device";
    char flag_slots[] = "--slots";
    char *argv[] = { program,     flag_server, fleet->url, flag_data, data,
                     flag_device, name,        flag_slots, count,     NULL };
    fleet->agents[fleet->agents_count++] = launch(program, log, argv);
    mem_free(program);
    mem_free(data);
    mem_free(log);
    mem_free(name);
    mem_free(count);
}

void fleet_wait_connected(struct fleet *fleet, size_t count)
{
    double limit = now_s() + START_MAX_S;
    while (http_connected(fleet->http) < count) {
        if (now_s() > limit) {
            bench_die("the agents have not connected");
        }
        sleep_s(0.02);
    }
}

void fleet_start(struct fleet *fleet, struct bench *bench, size_t agents, unsigned slots)
{
    memset(fleet, 0, sizeof *fleet);
    fleet->bench = bench;
    snprintf(fleet->dir, sizeof fleet->dir, "%s/fleet-%u", bench->work_dir, bench->fleets++);
    if (mkdir(fleet->dir, 0700) != 0) {
        bench_die("cannot make %s: %s", fleet->dir, strerror(errno));
    }
    fleet_exec_daemon(fleet);
    fleet_wait_daemon(fleet);
    for (size_t i = 0; i < agents; i++) {
        fleet_add_agent(fleet, slots);
    }
    fleet_wait_connected(fleet, agents);
}

static void stop_one(pid_t pid, const char *name)
{
    kill(pid, SIGTERM);
    double limit = now_s() + STOP_MAX_S;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (now_s() > limit) {
            kill(pid, SIGKILL);
            bench_die("%s does not stop", name);
        }
        sleep_s(0.005);
    }
}

static void note_longest_turn(struct fleet *fleet)
{
    enum { TURN, COMMIT, WORK, TURNS, SHORT, COUNT };
    static const char *const names[COUNT + 1] = {
        [TURN] = "asterism_turn_max_seconds",
        [COMMIT] = "asterism_commit_max_seconds",
        [WORK] = "asterism_turn_work_max_seconds",
        [TURNS] = "asterism_turn_seconds_count",
        [SHORT] = "asterism_turn_seconds_bucket{le=\"0.02\"}",
    };
    double values[COUNT];
    http_metrics(fleet->http, names, values);
    struct bench *bench = fleet->bench;
    bench->turns += values[TURNS];
    bench->turns_long += values[TURNS] - values[SHORT];
    if (values[WORK] * 1000 > bench->longest_work_ms) {
        bench->longest_work_ms = values[WORK] * 1000;
    }
    if (values[TURN] * 1000 > bench->longest_turn_ms) {
        bench->longest_turn_ms = values[TURN] * 1000;
        bench->longest_commit_ms = values[COMMIT] * 1000;
    }
}

void fleet_kill_daemon(struct fleet *fleet)
{
    note_longest_turn(fleet);
    http_free(fleet->http);
    fleet->http = NULL;
    kill(fleet->daemon, SIGKILL);
    waitpid(fleet->daemon, NULL, 0);
}

void fleet_stop(struct fleet *fleet)
{
    note_longest_turn(fleet);
    for (size_t i = 0; i < fleet->agents_count; i++) {
        stop_one(fleet->agents[i], "an agent");
    }
    http_free(fleet->http);
    fleet->http = NULL;
    stop_one(fleet->daemon, "asterismd");
}
