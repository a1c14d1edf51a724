#include "tests/e2e/fleet.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/e2e/ask.h"

/* Programs under sanitizers on a machine that does other things too. */
enum { START_MS = 20000, STOP_MS = 15000, SHOWN_BYTES = 8000 };

struct fleet *fleet_new(void)
{
    struct fleet *fleet = mem_alloc(sizeof *fleet);
    const char *below = getenv("TMPDIR");
    snprintf(fleet->dir, sizeof fleet->dir, "%s/e2e-XXXXXX",
             below == NULL || below[0] != '/' ? "/tmp" : below);
    assert_non_null(mkdtemp(fleet->dir));
    snprintf(fleet->data_dir, sizeof fleet->data_dir, "%s/data", fleet->dir);
    snprintf(fleet->daemon.err, sizeof fleet->daemon.err, "%s/asterismd.log", fleet->dir);
    fleet->scheme = "http";
    fleet->reserve = -1;
    return fleet;
}

int fleet_setup(void **state)
{
    *state = fleet_new();
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void file_show(const char *path)
{
    char *text = file_text(path);
    size_t length = strlen(text);
    const char *from = length > SHOWN_BYTES ? text + length - SHOWN_BYTES : text;
    fprintf(stderr, "--- %s\n%s\n", path, from);
    free(text);
}

void fleet_free(struct fleet *fleet)
{
    process_kill(&fleet->daemon);
    if (fleet->reserve >= 0) {
        close(fleet->reserve);
    }
    for (size_t i = 0; i < fleet->agents_count; i++) {
        process_kill(&fleet->agents[i].process);
    }
    if (fleet->passed) {
        nftw(fleet->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    } else {
        file_show(fleet->daemon.err);
        for (size_t i = 0; i < fleet->agents_count; i++) {
            file_show(fleet->agents[i].process.err);
        }
        fprintf(stderr, "--- left for a look: %s\n", fleet->dir);
    }
    mem_free(fleet);
}

int fleet_teardown(void **state)
{
    fleet_free(*state);
    return 0;
}

void fleet_passed(struct fleet *fleet)
{
    fleet->passed = true;
}

static void add_flag(struct fleet *fleet, const char *flag)
{
    size_t count = 0;
    while (fleet->flags[count] != NULL) {
        count++;
    }
    assert_true(count + 1 < FLEET_FLAGS_MAX);
    fleet->flags[count] = flag;
}

void fleet_flags(struct fleet *fleet, ...)
{
    va_list list;
    va_start(list, fleet);
    const char *flag;
    while ((flag = va_arg(list, const char *)) != NULL) {
        add_flag(fleet, flag);
    }
    va_end(list);
}

void fleet_quick(struct fleet *fleet, const char *lost_after)
{
    fleet_flags(fleet, "--lease", "2s", "--ping", "300ms", "--lost-after", lost_after, NULL);
}

/* A bound socket that does not listen: the daemon can have the port beside it, but nobody else is given
   it as a free one between two starts. */
static void reserve_port(struct fleet *fleet)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)fleet->port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int on = 1;
    fleet->reserve = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fleet->reserve >= 0);
    setsockopt(fleet->reserve, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fleet->reserve, (struct sockaddr *)&address, sizeof address), 0);
}

void fleet_daemon_spawn(struct fleet *fleet)
{
    char listen[64];
    const char *argv[8 + FLEET_FLAGS_MAX] = { E2E_BIN "/asterismd", "--data-dir", fleet->data_dir };
    size_t count = 3;
    bool listens = false;
    for (size_t i = 0; fleet->flags[i] != NULL; i++) {
        listens = listens || strcmp(fleet->flags[i], "--listen") == 0;
        argv[count++] = fleet->flags[i];
    }
    if (!listens) {
        if (fleet->port != 0 && fleet->reserve < 0) {
            reserve_port(fleet);
        }
        snprintf(listen, sizeof listen, "127.0.0.1:%u", fleet->port);
        argv[count++] = "--listen";
        argv[count++] = listen;
    }
    process_start(&fleet->daemon, argv, fleet->fault);
    fleet->fault = NULL;
}

/* The port of the n-th start that the log tells of; 0 if there was none yet. */
static unsigned port_of_start(const struct fleet *fleet, size_t start)
{
    char *log = file_text(fleet->daemon.err);
    unsigned port = 0;
    const char *at = log;
    for (size_t i = 0; i < start && at != NULL; i++) {
        at = strstr(at, " daemon.started ");
        at = at == NULL ? NULL : at + 1;
    }
    const char *words = at == NULL ? NULL : strstr(at, "port=");
    if (words != NULL) {
        port = (unsigned)strtoul(words + 5, NULL, 10);
    }
    free(log);
    return port;
}

void fleet_daemon_start(struct fleet *fleet)
{
    size_t starts = file_count(fleet->daemon.err, " daemon.started ");
    fleet_daemon_spawn(fleet);
    unsigned port = 0;
    EVENTUALLY(START_MS,
               (port = port_of_start(fleet, starts + 1)) != 0 || process_has_ended(&fleet->daemon));
    if (port == 0) {
        fail_msg("asterismd ended with %d", process_code(&fleet->daemon));
    }
    fleet->port = port;
}

void fleet_daemon_refuses(struct fleet *fleet, int code, const char *words)
{
    size_t before = file_count(fleet->daemon.err, words);
    fleet_daemon_spawn(fleet);
    assert_true(process_wait(&fleet->daemon, START_MS));
    assert_int_equal(process_code(&fleet->daemon), code);
    assert_true(file_count(fleet->daemon.err, words) > before);
}

void fleet_daemon_kill(struct fleet *fleet)
{
    process_kill(&fleet->daemon);
}

void fleet_daemon_stop(struct fleet *fleet)
{
    assert_true(process_end(&fleet->daemon, SIGTERM, STOP_MS));
    assert_int_equal(process_code(&fleet->daemon), 0);
}

struct fleet_agent *fleet_agent_add(struct fleet *fleet, const char *name, unsigned slots)
{
    assert_true(fleet->agents_count < FLEET_AGENTS_MAX);
    struct fleet_agent *agent = &fleet->agents[fleet->agents_count++];
    snprintf(agent->name, sizeof agent->name, "%s", name);
    snprintf(agent->label, sizeof agent->label, "role=%s", name);
    snprintf(agent->data_dir, sizeof agent->data_dir, "%s", fleet_path(fleet, name));
    snprintf(agent->process.err, sizeof agent->process.err, "%s.log", fleet_path(fleet, name));
    agent->slots = slots;
    return agent;
}

void fleet_agent_start(struct fleet *fleet, struct fleet_agent *agent)
{
    char slots[16];
    snprintf(slots, sizeof slots, "%u", agent->slots);
    static const char program[] = E2E_BIN "/asterism-agent";
    const char *argv[24] = {
        program,    "--server",   agent->server[0] == 0 ? fleet_url(fleet) : agent->server,
        "--device", agent->name,  "--slots",
        slots,      "--data-dir", agent->data_dir,
        "--label",  agent->label
    };
    size_t count = 11;
    if (agent->more_label != NULL) {
        argv[count++] = "--label";
        argv[count++] = agent->more_label;
    }
    if (agent->token_file != NULL) {
        argv[count++] = "--token-file";
        argv[count++] = agent->token_file;
    }
    if (agent->ca_file != NULL) {
        argv[count++] = "--ca-file";
        argv[count++] = agent->ca_file;
    }
    process_start(&agent->process, argv, NULL);
}

void fleet_agent_stop(struct fleet_agent *agent)
{
    assert_true(process_end(&agent->process, SIGTERM, STOP_MS));
    assert_int_equal(process_code(&agent->process), 0);
}

static size_t connected(struct fleet *fleet)
{
    json_t *answer = ask_json(fleet, "/api/v1/devices");
    size_t count = 0;
    size_t at = 0;
    const json_t *device = NULL;
    json_array_foreach(json_object_get(answer, "devices"), at, device)
    {
        count += strcmp(text_of(device, "status"), "connected") == 0;
    }
    json_decref(answer);
    return count;
}

void fleet_agents_connected(struct fleet *fleet, size_t count)
{
    EVENTUALLY(2L * START_MS, connected(fleet) == count);
}

void fleet_three(struct fleet *fleet)
{
    fleet_daemon_start(fleet);
    fleet_agent_start(fleet, fleet_agent_add(fleet, "desktop", 4));
    fleet_agent_start(fleet, fleet_agent_add(fleet, "server", 8));
    fleet_agent_start(fleet, fleet_agent_add(fleet, "edge", 2));
    fleet_agents_connected(fleet, 3);
}

const char *fleet_path(struct fleet *fleet, const char *name)
{
    enum { RING = 8 };
    static char paths[RING][FLEET_PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % RING];
    int length = snprintf(path, FLEET_PATH_MAX, "%s/%s", fleet->dir, name);
    assert_in_range(length, 1, FLEET_PATH_MAX - 1);
    return path;
}

const char *fleet_write(struct fleet *fleet, const char *name, const char *text)
{
    const char *path = fleet_path(fleet, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *fleet_url(struct fleet *fleet)
{
    static char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u", fleet->scheme, fleet->port);
    return url;
}

char *file_text(const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = fopen(path, "re");
    if (file != NULL && getdelim(&text, &bytes, 0, file) < 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return text == NULL ? strdup("") : text;
}

size_t file_count(const char *path, const char *words)
{
    char *text = file_text(path);
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++) {
        count++;
    }
    free(text);
    return count;
}
