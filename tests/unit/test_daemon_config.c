/* The daemon's settings: what goes together, and what is refused before anything is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/config.h"

static const char *const nothing[] = { "HOME=/home/ann", NULL };

/* Up to four arguments, ended by NULL. */
static enum err load(const char *const *arguments, struct reason *reason)
{
    const char *argv[6] = { "asterismd" };
    int argc = 1;
    for (; argc < 5 && arguments[argc - 1] != NULL; argc++) {
        argv[argc] = arguments[argc - 1];
    }
    struct config parsed = { 0 };
    struct daemon_config values = { 0 };
    enum err err = config_load(&parsed, &daemon_config_table, argc, argv, nothing, &values, reason);
    if (err == ERR_NONE) {
        err = daemon_config_complete(&parsed, nothing, &values, reason);
    }
    config_done(&parsed);
    return err;
}

#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        "--data-dir=/x", __VA_ARGS__, NULL,                                                        \
    }

static void refused(const char *const *arguments, const char *words)
{
    struct reason reason = { "" };
    assert_int_equal(load(arguments, &reason), ERR_INVALID);
    if (strstr(reason.text, words) == NULL) {
        fail_msg("%s", reason.text);
    }
}

static void taken(const char *const *arguments)
{
    struct reason reason = { "" };
    if (load(arguments, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

static void an_address_that_is_none_is_refused_as_such(void **state)
{
    (void)state;
    refused(WORDS("--listen=nonsense"), "\"nonsense\" is not HOST:PORT");
    refused(WORDS("--listen="), "is not HOST:PORT");
    refused(WORDS("--listen=:7350"), "is not HOST:PORT");
    refused(WORDS("--listen=127.0.0.1"), "is not HOST:PORT");
    refused(WORDS("--listen=127.0.0.1:99999"), "is not HOST:PORT");
    refused(WORDS("--listen=127.0.0.1:-1"), "is not HOST:PORT");
    refused(WORDS("--listen=::1:7350"), "write an IPv6 address as [::1]:PORT");
}

static void only_what_is_a_loopback_address_does_without_tls(void **state)
{
    (void)state;
    static const char *const local[] = { "127.0.0.1:7350", "127.3.2.1:0", "[::1]:7350",
                                         "localhost:7350" };
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        assert_true(daemon_config_is_loopback(local[i]));
    }
    taken(WORDS("--listen=[::1]:0"));
    refused(WORDS("--listen=0.0.0.0:7350"), "needs TLS");
    refused(WORDS("--listen=[::]:7350"), "needs TLS");
    refused(WORDS("--listen=127.0.0.1.example.org:7350"), "needs TLS");
    refused(WORDS("--listen=localhost.example.org:7350"), "needs TLS");
    taken(WORDS("--listen=0.0.0.0:7350", "--tls-cert=a", "--tls-key=b"));
    refused(WORDS("--tls-cert=a"), "go together");
}

static void what_a_command_does_not_take_is_refused(void **state)
{
    (void)state;
    taken(WORDS("backup", "/y"));
    taken(WORDS("restore", "--accept"));
    refused(WORDS("backup", "/y", "/z"), "unexpected argument \"/z\"");
    refused(WORDS("--accept"), "asterismd restore --accept");
    refused(WORDS("backup", "/y", "--accept"), "asterismd restore --accept");
}

static void times_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    refused(WORDS("--lease=10s", "--ping=10s"), "--ping must be shorter");
    refused(WORDS("--lost-after=30s"), "--lost-after must not be shorter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_is_none_is_refused_as_such),
        cmocka_unit_test(only_what_is_a_loopback_address_does_without_tls),
        cmocka_unit_test(what_a_command_does_not_take_is_refused),
        cmocka_unit_test(times_that_contradict_each_other_are_refused),
    };
    return cmocka_run_group_tests_name("daemon_config", tests, NULL, NULL);
}
