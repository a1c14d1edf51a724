/* TLS with certificates made here: agents and the CLI with the right authority, and with a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/e2e/ask.h"

enum { LIMIT_MS = 40000 };

static void run_openssl(struct fleet *fleet, const char *name, const char *const *argv)
{
    struct process openssl = { 0 };
    snprintf(openssl.err, sizeof openssl.err, "%s.log", fleet_path(fleet, name));
    process_start(&openssl, argv, NULL);
    assert_true(process_wait(&openssl, LIMIT_MS));
    if (process_code(&openssl) != 0) {
        file_show(openssl.err);
        fail();
    }
}

/* A key and a certificate for these names that vouches for itself: NAME.key and NAME.pem. */
static void make_certificate(struct fleet *fleet, const char *name, const char *names,
                             const char *days)
{
    char *key = mem_format("%s.key", fleet_path(fleet, name));
    char *request = mem_format("%s.csr", fleet_path(fleet, name));
    char *cert = mem_format("%s.pem", fleet_path(fleet, name));
    char *names_extension = mem_format("subjectAltName=%s", names);
    const char *ask[] = { "/usr/bin/openssl",
                          "req",
                          "-newkey",
                          "ec",
                          "-pkeyopt",
                          "ec_paramgen_curve:prime256v1",
                          "-nodes",
                          "-subj",
                          "/CN=asterismd",
                          "-addext",
                          names_extension,
                          "-keyout",
                          key,
                          "-out",
                          request,
                          NULL };
    const char *sign[] = { "/usr/bin/openssl", "x509", "-req",  "-in", request, "-key", key,
                           "-copy_extensions", "copy", "-days", days,  "-out",  cert,   NULL };
    run_openssl(fleet, name, ask);
    run_openssl(fleet, name, sign);
    mem_free(names_extension);
    mem_free(cert);
    mem_free(request);
    mem_free(key);
}

static void start_with(struct fleet *fleet, const char *names, const char *days, char *cert,
                       char *key)
{
    make_certificate(fleet, "good", names, days);
    snprintf(cert, FLEET_PATH_MAX, "%s", fleet_path(fleet, "good.pem"));
    snprintf(key, FLEET_PATH_MAX, "%s", fleet_path(fleet, "good.key"));
    fleet_flags(fleet, "--tls-cert", cert, "--tls-key", key, NULL);
    fleet->scheme = "https";
    fleet_daemon_start(fleet);
}

static void start_with_tls(struct fleet *fleet, char *cert, char *key)
{
    make_certificate(fleet, "wrong", "IP:127.0.0.1", "2");
    start_with(fleet, "IP:127.0.0.1", "2", cert, key);
}

static void the_right_authority_is_all_it_takes(void **state)
{
    struct fleet *fleet = *state;
    char cert[FLEET_PATH_MAX];
    char key[FLEET_PATH_MAX];
    start_with_tls(fleet, cert, key);
    fleet->ca_file = cert;
    struct fleet_agent *agent = fleet_agent_add(fleet, "edge", 2);
    agent->ca_file = cert;
    fleet_agent_start(fleet, agent);
    fleet_agents_connected(fleet, 1);
    EVENTUALLY(LIMIT_MS, file_count(fleet->daemon.err, "tls.certificate_expires ") == 1);
    cli_expect(fleet, 0, "certificate expires in 1 day\n", "attention", NULL);
    struct said said = cli(fleet, "run", "--on", "role=edge", "--", "echo", "sealed", NULL);
    assert_string_equal(said.out, "sealed\n");
    assert_int_equal(said.code, 0);
    said_done(&said);
    /* A stream too, for the CLI follows by one. */
    const char *spec = fleet_write(fleet, "slow.yaml", "name: slow\ntasks:\n  a: {sleep: 500ms}\n");
    cli_expect(fleet, 0, "succeeded", "run", spec, NULL);
    fleet_agent_stop(agent);
    fleet_daemon_stop(fleet);
    fleet_passed(fleet);
}

static void a_wrong_authority_is_refused_by_agent_and_cli(void **state)
{
    struct fleet *fleet = *state;
    char cert[FLEET_PATH_MAX];
    char key[FLEET_PATH_MAX];
    start_with_tls(fleet, cert, key);
    char wrong[FLEET_PATH_MAX];
    snprintf(wrong, sizeof wrong, "%s", fleet_path(fleet, "wrong.pem"));
    fleet->ca_file = wrong;
    cli_expect(fleet, 3, "--ca-file names the file", "list", NULL);
    fleet->ca_file = NULL;
    cli_expect(fleet, 3, "--ca-file names the file", "list", NULL);
    fleet->ca_file = fleet_write(fleet, "none.pem", "no certificate\n");
    cli_expect(fleet, 3, "holds no certificates", "list", NULL);
    struct fleet_agent *agent = fleet_agent_add(fleet, "edge", 2);
    agent->ca_file = wrong;
    fleet_agent_start(fleet, agent);
    EVENTUALLY(LIMIT_MS, file_count(agent->process.err, "no authority that is trusted here") > 0);
    assert_int_equal(file_count(agent->process.err, "session.ready"), 0);
    fleet->ca_file = cert;
    json_t *devices = ask_json(fleet, "/api/v1/devices");
    assert_int_equal(json_array_size(json_object_get(devices, "devices")), 0);
    json_decref(devices);
    /* Plain HTTP on the TLS port gets nothing. */
    fleet->scheme = "http";
    fleet->ca_file = NULL;
    assert_int_not_equal(ask_status(fleet, "GET", "/api/v1/devices", NULL), 200);
    cli_expect(fleet, 3, "https:// in --url", "list", NULL);
    fleet_passed(fleet);
}

/* What the CLI and an agent say about a certificate that they do not take. */
static void expect_refused(struct fleet *fleet, const char *cert, const char *cli_words,
                           const char *agent_words)
{
    fleet->ca_file = cert;
    cli_expect(fleet, 3, cli_words, "list", NULL);
    struct fleet_agent *agent = fleet_agent_add(fleet, "edge", 2);
    agent->ca_file = cert;
    fleet_agent_start(fleet, agent);
    EVENTUALLY(LIMIT_MS, file_count(agent->process.err, agent_words) > 0);
    assert_int_equal(file_count(agent->process.err, "session.ready"), 0);
    fleet_passed(fleet);
}

static void a_certificate_of_another_name_is_refused_in_words(void **state)
{
    char cert[FLEET_PATH_MAX];
    char key[FLEET_PATH_MAX];
    start_with(*state, "DNS:elsewhere.example", "2", cert, key);
    expect_refused(*state, cert, "does not name it so", "does not name 127.0.0.1");
}

static void a_certificate_that_has_expired_is_refused_in_words(void **state)
{
    char cert[FLEET_PATH_MAX];
    char key[FLEET_PATH_MAX];
    start_with(*state, "IP:127.0.0.1", "-1", cert, key);
    struct fleet *fleet = *state;
    EVENTUALLY(LIMIT_MS, file_count(fleet->daemon.err, "tls.certificate_expired") == 1);
    expect_refused(*state, cert, "has expired", "has expired");
}

static void another_address_is_served_with_tls_and_a_token_only(void **state)
{
    struct fleet *fleet = *state;
    char cert[FLEET_PATH_MAX];
    char key[FLEET_PATH_MAX];
    start_with_tls(fleet, cert, key);
    fleet_daemon_stop(fleet);
    fleet_flags(fleet, "--listen", "0.0.0.0:0", NULL);
    fleet_daemon_refuses(fleet, 1, "no token has been made");
    for (size_t i = 0; fleet->flags[i] != NULL; i++) {
        fleet->flags[i] =
            strcmp(fleet->flags[i], "0.0.0.0:0") == 0 ? "127.0.0.1:0" : fleet->flags[i];
    }
    fleet_daemon_start(fleet);
    char *url = mem_format("unix:%s/admin.sock", fleet->data_dir);
    struct said said =
        cli(fleet, "--url", url, "token", "create", "--role", "admin", "--name", "me", NULL);
    assert_int_equal(said.code, 0);
    const char *token = fleet_write(fleet, "me.token", said.out);
    assert_int_equal(chmod(token, 0600), 0);
    said_done(&said);
    mem_free(url);
    fleet_daemon_stop(fleet);
    for (size_t i = 0; fleet->flags[i] != NULL; i++) {
        fleet->flags[i] =
            strcmp(fleet->flags[i], "127.0.0.1:0") == 0 ? "0.0.0.0:0" : fleet->flags[i];
    }
    fleet_daemon_start(fleet);
    fleet->ca_file = cert;
    cli_expect(fleet, 4, "token", "list", NULL);
    fleet->token_file = fleet_path(fleet, "me.token");
    cli_expect(fleet, 0, "", "list", NULL);
    fleet_passed(fleet);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(the_right_authority_is_all_it_takes),
        ROW(a_wrong_authority_is_refused_by_agent_and_cli),
        ROW(a_certificate_of_another_name_is_refused_in_words),
        ROW(a_certificate_that_has_expired_is_refused_in_words),
        ROW(another_address_is_served_with_tls_and_a_token_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
