/* Who may do what: before the first token, after it, over TCP, over the Unix socket, over TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/e2e/aip.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/history.h"

enum { LIMIT_MS = 30000 };

static const char noop_spec[] = "name: one\ntasks:\n  a: {noop: true}\n";

/* Makes a token over the Unix socket; returns the path of a file that holds it. */
static const char *token(struct fleet *fleet, const char *role, const char *device,
                         const char *name)
{
    char *url = mem_format("unix:%s/admin.sock", fleet->data_dir);
    const char *none = fleet->token_file;
    fleet->token_file = NULL;
    struct said said = device == NULL ? cli(fleet, "--url", url, "token", "create", "--role", role,
                                            "--name", name, NULL)
                                      : cli(fleet, "--url", url, "token", "create", "--role", role,
                                            "--device", device, "--name", name, NULL);
    fleet->token_file = none;
    if (said.code != 0 || strncmp(said.out, "ast_", 4) != 0) {
        fail_msg("token create: %d %s", said.code, said.err);
    }
    char *file = mem_format("%s.token", name);
    const char *path = fleet_write(fleet, file, said.out);
    assert_int_equal(chmod(path, 0600), 0);
    static char kept[8][FLEET_PATH_MAX];
    static unsigned next;
    char *to = kept[next++ % 8];
    snprintf(to, FLEET_PATH_MAX, "%s", path);
    said_done(&said);
    mem_free(file);
    mem_free(url);
    return to;
}

static void the_first_token_closes_the_open_house(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct fleet_agent *open = fleet_agent_add(fleet, "open", 1);
    fleet_agent_start(fleet, open);
    fleet_agents_connected(fleet, 1);
    assert_int_equal(file_count(fleet->daemon.err, "security.open"), 1);
    struct process watch = { 0 };
    cli_start(fleet, &watch, "watch", NULL);
    EVENTUALLY(LIMIT_MS, file_count(watch.err, "watching") > 0);
    const char *admin = token(fleet, "admin", NULL, "me");
    /* The stream ends, and is not given again. */
    assert_true(process_wait(&watch, LIMIT_MS));
    assert_int_equal(process_code(&watch), 4);
    /* The agent that came without one is sent away, and told why. */
    EVENTUALLY(LIMIT_MS, file_count(open->process.err, "connection.closed") > 0);
    EVENTUALLY(LIMIT_MS, file_count(open->process.err, "401") > 0);
    assert_int_equal(ask_status(fleet, "GET", "/api/v1/devices", NULL), 401);
    assert_int_equal(ask_status(fleet, "POST", "/api/v1/constellations", noop_spec), 401);
    assert_int_equal(ask_status(fleet, "GET", "/api/v1/events", NULL), 401);
    assert_int_equal(ask_status(fleet, "GET", "/metrics", NULL), 401);
    assert_int_equal(ask_status(fleet, "GET", "/healthz", NULL), 200);
    assert_int_equal(ask_status(fleet, "GET", "/readyz", NULL), 200);
    cli_expect(fleet, 4, "token", "list", NULL);
    fleet->token_file = admin;
    cli_expect(fleet, 0, "", "list", NULL);
    assert_int_equal(ask_status(fleet, "GET", "/api/v1/devices", NULL), 200);
    fleet->token_file = fleet_write(fleet, "wrong.token", "ast_0123456789abcdef\n");
    assert_int_equal(ask_status(fleet, "GET", "/api/v1/devices", NULL), 401);
    struct fleet_agent *wrong = fleet_agent_add(fleet, "wrong", 1);
    wrong->token_file = fleet->token_file;
    fleet_agent_start(fleet, wrong);
    EVENTUALLY(LIMIT_MS, file_count(wrong->process.err, "401") > 0);
    assert_int_equal(file_count(wrong->process.err, "session.ready"), 0);
    fleet_passed(fleet);
}

static void a_role_can_do_what_it_says_and_no_more(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    const char *admin = token(fleet, "admin", NULL, "me");
    const char *worker = token(fleet, "operator", NULL, "worker");
    const char *viewer = token(fleet, "viewer", NULL, "screen");
    const char *agent = token(fleet, "agent", "box", "box");
    static const char wish[] = "{\"name\":\"x\",\"role\":\"admin\"}";
    fleet->token_file = viewer;
    assert_int_equal(ask_status(fleet, "GET", "/api/v1/constellations", NULL), 200);
    assert_int_equal(ask_status(fleet, "POST", "/api/v1/constellations", noop_spec), 403);
    assert_int_equal(ask_status(fleet, "GET", "/api/v1/tokens", NULL), 403);
    fleet->token_file = worker;
    assert_int_equal(ask_status(fleet, "POST", "/api/v1/constellations", noop_spec), 201);
    assert_int_equal(ask_status(fleet, "POST", "/api/v1/tokens", wish), 403);
    fleet->token_file = agent;
    assert_int_equal(ask_status(fleet, "GET", "/api/v1/constellations", NULL), 403);
    assert_int_equal(ask_status(fleet, "POST", "/api/v1/constellations", noop_spec), 403);
    cli_expect(fleet, 4, "", "list", NULL);
    fleet->token_file = admin;
    cli_expect(fleet, 0, "screen", "token", "list", NULL);
    cli_expect(fleet, 0, "", "token", "revoke", "screen", NULL);
    fleet->token_file = viewer;
    assert_int_equal(ask_status(fleet, "GET", "/api/v1/constellations", NULL), 401);
    fleet->token_file = NULL;
    /* Whoever holds a token that is no agent's cannot be one. */
    struct aip peer;
    char *text = file_text(worker);
    char *header = mem_format("Authorization: Bearer %.*s\r\n", (int)strcspn(text, "\n"), text);
    aip_open(&peer, fleet, "aip.v1", header);
    assert_int_equal(peer.status, 403);
    aip_done(&peer);
    aip_open(&peer, fleet, "aip.v1", "");
    assert_int_equal(peer.status, 401);
    aip_done(&peer);
    mem_free(header);
    free(text);
    /* Secrets are nowhere: not in the log, not in the database. */
    char *secret = file_text(admin);
    secret[strcspn(secret, "\n")] = 0;
    assert_int_equal(file_count(fleet->daemon.err, secret), 0);
    char *sql = mem_format("SELECT count(*) FROM token WHERE hash = CAST('%s' AS BLOB)"
                           " OR name LIKE '%%%s%%'",
                           secret, secret);
    assert_int_equal(history_number(fleet, sql), 0);
    mem_free(sql);
    free(secret);
    fleet_passed(fleet);
}

/* One operation of the document that the daemon serves of itself. */
struct operation {
    char path[128]; /* with its places filled in */
    char method[8];
    char role[16];
};

static void fill_in(struct operation *operation, const char *line, const char *id)
{
    static const char *const keys[] = { "{id}",   "{key}",   "{hold}", "{revision}",
                                        "{name}", "{token}", NULL };
    const char *const values[] = { id, "a", "1", "1", "box", "screen" };
    struct buf path = { 0 };
    size_t length = strcspn(line, ":");
    for (const char *at = line; at < line + length;) {
        size_t i = 0;
        while (keys[i] != NULL && strncmp(at, keys[i], strlen(keys[i])) != 0) {
            i++;
        }
        buf_append(&path, keys[i] == NULL ? at : values[i],
                   keys[i] == NULL ? 1 : strlen(values[i]));
        at += keys[i] == NULL ? 1 : strlen(keys[i]);
    }
    snprintf(operation->path, sizeof operation->path, "%s", buf_text(&path));
    buf_done(&path);
}

/* The next one; *at moves behind it. False: there is none. */
static bool next_operation(const char **at, const char *id, struct operation *operation)
{
    static const char summary[] = "      summary: ";
    while (**at != 0) {
        const char *line = *at;
        size_t length = strcspn(line, "\n");
        *at += length + (line[length] == '\n');
        if (strncmp(line, "  /", 3) == 0) {
            fill_in(operation, line + 2, id);
        } else if (strncmp(line, "    ", 4) == 0 && line[4] >= 'a' && line[length - 1] == ':' &&
                   length < 4 + sizeof operation->method) {
            snprintf(operation->method, sizeof operation->method, "%.*s", (int)length - 5,
                     line + 4);
        } else if (strncmp(line, summary, strlen(summary)) == 0) {
            char *text = strndup(line, length);
            const char *role = strstr(text, "Role ");
            snprintf(operation->role, sizeof operation->role, "%.*s",
                     role == NULL ? 0 : (int)strcspn(role + 5, "."), role == NULL ? "" : role + 5);
            free(text);
            return true;
        }
    }
    return false;
}

static long answer_to(struct fleet *fleet, const struct operation *operation,
                      const char *token_file, const char *header)
{
    char method[8];
    for (size_t i = 0; i < sizeof method; i++) {
        char c = operation->method[i];
        method[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    fleet->token_file = token_file;
    struct ask question = { .method = method,
                            .path = operation->path,
                            .headers = { header },
                            .limit_ms = 5000,
                            .until = ":", /* a stream is no different */
                            .body = strcmp(method, "GET") == 0 ? NULL : "{}" };
    struct answer answer = ask(fleet, &question);
    long status = answer.status;
    answer_done(&answer);
    return status;
}

/* Also those that edit, hold, release, retry, resolve and drain: read from the daemon's own document, so
   that a new one is asked too. */
static void every_route_asks_for_its_role_and_changes_nothing_without(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    const char *admin = token(fleet, "admin", NULL, "me");
    const char *viewer = token(fleet, "viewer", NULL, "screen");
    const char *agent = token(fleet, "agent", "box", "box");
    fleet->token_file = admin;
    const char *id = submitted(fleet, fleet_write(fleet, "one.yaml", noop_spec));
    struct answer document = ask(fleet, &(struct ask){ .path = "/api/v1/openapi.yaml" });
    assert_int_equal(document.status, 200);
    int64_t events = history_number(fleet, "SELECT max(seq) FROM event");
    struct operation operation = { 0 };
    unsigned asked[2] = { 0 };
    for (const char *at = document.body; next_operation(&at, id, &operation);) {
        bool is_open = strcmp(operation.role, "viewer") == 0;
        if (strncmp(operation.path, "/api/", 5) != 0) {
            continue; /* /healthz, /readyz and /metrics */
        }
        long status = answer_to(fleet, &operation, viewer, NULL);
        bool is_told = status == 401 || status == 403;
        if (is_told == is_open || (!is_open && status != 403)) {
            fail_msg("%s %s for a viewer: %ld", operation.method, operation.path, status);
        }
        assert_int_equal(answer_to(fleet, &operation, agent, NULL), 403);
        assert_int_equal(answer_to(fleet, &operation, NULL, NULL), 401);
        assert_int_equal(answer_to(fleet, &operation, admin, "Origin: http://evil.example"), 403);
        assert_int_equal(answer_to(fleet, &operation, admin, "Host: evil.example"), 421);
        asked[is_open]++;
    }
    assert_true(asked[true] >= 15 && asked[false] >= 15);
    assert_int_equal(history_number(fleet, "SELECT max(seq) FROM event"), events);
    fleet->token_file = admin;
    answer_done(&document);
    fleet_passed(fleet);
}

static void an_agents_token_is_for_its_device_alone(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    const char *box = token(fleet, "agent", "box", "box");
    struct fleet_agent *thief = fleet_agent_add(fleet, "crown", 1);
    thief->token_file = box;
    fleet_agent_start(fleet, thief);
    EVENTUALLY(LIMIT_MS, file_count(thief->process.err, "the token is for another device") > 0);
    struct fleet_agent *owner = fleet_agent_add(fleet, "box", 1);
    owner->token_file = box;
    fleet_agent_start(fleet, owner);
    fleet->token_file = token(fleet, "admin", NULL, "me");
    fleet_agents_connected(fleet, 1);
    const char *spec = fleet_write(fleet, "one.yaml", noop_spec);
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    cli_expect(fleet, 0, "", "token", "revoke", "box", NULL);
    fleet_agents_connected(fleet, 0);
    assert_false(process_has_ended(&owner->process));
    assert_int_equal(history_number(fleet, "SELECT count(*) FROM device WHERE name = 'crown'"), 0);
    fleet_passed(fleet);
}

static void a_foreign_host_or_origin_is_refused(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    static const struct {
        const char *header;
        long status;
    } rows[] = {
        { "Host: evil.example", 421 },
        { "Host: 127.0.0.1.evil.example", 421 },
        { "Origin: http://evil.example", 403 },
        { "Origin: null", 403 },
        { "Host: localhost", 200 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ask get = { .path = "/api/v1/devices", .headers = { rows[i].header } };
        struct answer answer = ask(fleet, &get);
        assert_int_equal(answer.status, rows[i].status);
        answer_done(&answer);
    }
    struct aip peer;
    aip_open(&peer, fleet, "aip.v1", "Origin: http://evil.example\r\n");
    assert_int_equal(peer.status, 403);
    aip_done(&peer);
    fleet_passed(fleet);
}

static void no_path_leads_out_of_the_api(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    static const char *const paths[] = {
        "/../../../../etc/passwd",
        "/api/v1/constellations/../../../../etc/passwd",
        "/api/v1/constellations/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/v1/constellations/@last/tasks/..%2f..%2f..%2fasterism.db/output",
        "/api/v1/devices/%2e%2e",
        "/asterism.db",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct answer answer = ask(fleet, &(struct ask){ .path = paths[i] });
        assert_in_range(answer.status, 400, 404);
        assert_null(strstr(answer.body, "root:"));
        answer_done(&answer);
    }
    fleet_passed(fleet);
}

static void other_addresses_need_tls_and_a_token(void **state)
{
    struct fleet *fleet = *state;
    fleet_flags(fleet, "--listen", "0.0.0.0:0", NULL);
    fleet_daemon_refuses(fleet, 2, "needs TLS");
    fleet_passed(fleet);
}

static void a_second_daemon_on_the_directory_is_refused(void **state)
{
    struct fleet *fleet = *state;
    fleet_daemon_start(fleet);
    struct said said =
        asterismd(fleet, "--listen", "127.0.0.1:0", "--data-dir", fleet->data_dir, NULL);
    assert_int_equal(said.code, 1);
    assert_non_null(strstr(said.err, "another asterismd"));
    said_done(&said);
    assert_int_equal(ask_status(fleet, "GET", "/healthz", NULL), 200);
    fleet_passed(fleet);
}

/* A value that another task put out is data wherever it goes. */
static void what_a_task_puts_out_never_becomes_a_command(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    char *text = mem_format("name: inject\ntasks:\n"
                            "  bad: {run: [printf, '$(touch %s) `id`; \"x\"']}\n"
                            "  use: {shell: 'printf %%s \"$VALUE\"', env: {VALUE: \"${{ "
                            "tasks.bad.stdout }}\"}}\n"
                            "  arg: {run: [printf, \"%%s\", \"${{ tasks.bad.stdout }}\"]}\n",
                            fleet_path(fleet, "touched"));
    cli_expect(fleet, 0, "succeeded", "run", fleet_write(fleet, "inject.yaml", text), NULL);
    cli_expect(fleet, 0, "`id`; \"x\"", "logs", "@last/use", NULL);
    cli_expect(fleet, 0, "`id`; \"x\"", "logs", "@last/arg", NULL);
    struct stat status;
    assert_int_not_equal(stat(fleet_path(fleet, "touched"), &status), 0);
    mem_free(text);
    fleet_passed(fleet);
}

/* Nor part of a condition, nor of another spec: it is bound, or it is data. */
static void what_a_task_puts_out_never_becomes_part_of_an_expression(void **state)
{
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *touched = fleet_path(fleet, "touched");
    char *y = mem_format("${{ tasks.bad.stdout }} $(touch %s)", touched);
    char *file = mem_format("{\"x\": \"no' OR 1=1 --\", \"y\": \"%s\"}", y);
    fleet_write(fleet, "hostile", file);
    char *text =
        mem_format("name: inject\nparams: {like: x, reason: y}\ntasks:\n"
                   "  bad: {run: [cat, %s], output: json}\n"
                   "  a: {noop: true, needs: {task: bad, if: \"output->>'$.x' = 'no'\"}}\n"
                   "  b: {noop: true, needs: {task: bad, if: \"stdout LIKE ${{ params.like }}\"}}\n"
                   "  c: {noop: true, needs: {task: bad, if: \"number OR exit_code\"}}\n"
                   "  use:\n"
                   "    env: {X: \"${{ tasks.bad.output.x }}\", Y: \"${{ tasks.bad.output.y }}\"}\n"
                   "    stdin: \"${{ tasks.bad.output.y }}\"\n"
                   "    shell: 'printf \"%%s|%%s|\" \"$X\" \"$Y\"; cat'\n"
                   "  ask: {hold: \"${{ params.reason }}\", needs: use}\n",
                   fleet_path(fleet, "hostile"));
    const char *spec = fleet_write(fleet, "inject.yaml", text);
    cli_expect(fleet, 2, "a placeholder", "submit", "-p", "reason=${{ tasks.bad.stdout }}", spec,
               NULL);
    cli_expect(fleet, 0, "", "submit", "-p", "like=x' OR 1=1 --", "-p", "reason=\x1b[2J$(id)", spec,
               NULL);
    EVENTUALLY(LIMIT_MS, strcmp(state_of(fleet, "@last", "ask"), "ready") == 0);
    char *said = mem_format("no' OR 1=1 --|%s|%s", y, y);
    cli_expect(fleet, 0, said, "logs", "@last/use", NULL);
    struct said holds = cli(fleet, "holds", "@last", NULL);
    assert_non_null(strstr(holds.out, "$(id)"));
    assert_null(strchr(holds.out, '\x1b')); /* nor a command to a terminal */
    said_done(&holds);
    cli_expect(fleet, 0, "", "approve", "@last/ask", NULL);
    cli_expect(fleet, 0, "3 succeeded, 3 skipped", "wait", "@last", NULL);
    struct stat status;
    assert_int_not_equal(stat(touched, &status), 0);
    mem_free(said);
    mem_free(file);
    mem_free(y);
    mem_free(text);
    fleet_passed(fleet);
}

/* Writes a value as JSON text, which is itself a document. */
static char *as_json(json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(value);
    assert_non_null(text);
    return text;
}

/* Every way out of a task (both streams, its output in each form) into every way into another. */
static void every_field_that_a_task_puts_out_stays_data(void **state)
{
    static const char *const fields[] = {
        "bad.stdout",      "bad.stderr",    "whole.output",
        "part.output.a.b", "line.output.v", "out.output.a.b",
    };
    struct fleet *fleet = *state;
    fleet_three(fleet);
    const char *touched = fleet_path(fleet, "touched");
    char *value =
        mem_format("$(touch %s)`touch %s`;touch %s|'\"\\ ${{ tasks.bad.state }} -x \x1b[2J",
                   touched, touched, touched);
    char *whole = as_json(json_string(value));
    char *part = as_json(json_pack("{s:{s:s}}", "a", "b", value));
    char *line = mem_format("v=%s\n", value);
    struct buf spec = { 0 };
    buf_printf(&spec,
               "name: inject\ntasks:\n"
               "  bad: {shell: 'cat %s; cat %s >&2'}\n",
               fleet_write(fleet, "raw", value), fleet_path(fleet, "raw"));
    buf_printf(&spec, "  whole: {shell: 'cat %s > \"$ASTERISM_OUTPUT\"'}\n",
               fleet_write(fleet, "whole", whole));
    buf_printf(&spec, "  part: {shell: 'cat %s > \"$ASTERISM_OUTPUT\"'}\n",
               fleet_write(fleet, "part", part));
    buf_printf(&spec, "  line: {shell: 'cat %s > \"$ASTERISM_OUTPUT\"'}\n",
               fleet_write(fleet, "line", line));
    buf_printf(&spec, "  out: {run: [cat, %s], output: json}\n", fleet_path(fleet, "part"));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        buf_printf(&spec,
                   "  use%zu:\n"
                   "    env: {X: \"${{ tasks.%s }}\"}\n"
                   "    stdin: \"${{ tasks.%s }}\"\n"
                   "    shell: 'printf \"%%s|\" \"$X\"; cat'\n"
                   "  arg%zu: {run: [printf, \"%%s\", \"${{ tasks.%s }}\"]}\n"
                   "  dir%zu: {run: [pwd], cwd: \"/tmp/${{ tasks.%s }}\", allow_failure: true}\n",
                   i, fields[i], fields[i], i, fields[i], i, fields[i]);
    }
    cli_expect(fleet, 0, "succeeded", "run", fleet_write(fleet, "inject.yaml", buf_text(&spec)),
               NULL);
    char *twice = mem_format("%s|%s", value, value);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        char *task = mem_format("@last/use%zu", i);
        cli_expect(fleet, 0, twice, "logs", task, NULL);
        mem_free(task);
        task = mem_format("@last/arg%zu", i);
        cli_expect(fleet, 0, value, "logs", task, NULL);
        mem_free(task);
        task = mem_format("@last/dir%zu", i);
        struct said show = cli(fleet, "show", task, NULL);
        assert_non_null(strstr(show.out, "failed"));
        assert_null(strchr(show.out, '\x1b')); /* nor a command to a terminal */
        said_done(&show);
        mem_free(task);
    }
    struct stat status;
    assert_int_not_equal(stat(fleet_path(fleet, "touched"), &status), 0);
    mem_free(twice);
    buf_done(&spec);
    mem_free(line);
    free(part);
    free(whole);
    mem_free(value);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(the_first_token_closes_the_open_house),
        ROW(a_role_can_do_what_it_says_and_no_more),
        ROW(every_route_asks_for_its_role_and_changes_nothing_without),
        ROW(an_agents_token_is_for_its_device_alone),
        ROW(a_foreign_host_or_origin_is_refused),
        ROW(no_path_leads_out_of_the_api),
        ROW(other_addresses_need_tls_and_a_token),
        ROW(a_second_daemon_on_the_directory_is_refused),
        ROW(what_a_task_puts_out_never_becomes_a_command),
        ROW(what_a_task_puts_out_never_becomes_part_of_an_expression),
        ROW(every_field_that_a_task_puts_out_stays_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
