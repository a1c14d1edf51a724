/* The agent's settings and profile: what is derived, what is refused, and that the document tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/config.h"
#include "agent/engine/agent_engine.h"
#include "agent/profile.h"
#include "common/sys/file.h"

static const char *const nothing[] = { "HOME=/home/ann", NULL };

/* Up to four flags, ended by NULL. */
static enum err load(struct config *config, struct agent_settings *settings,
                     const char *const *environment, struct reason *reason, const char *a,
                     const char *b)
{
    const char *argv[] = { "asterism-agent", a, b, NULL };
    int argc = a == NULL ? 1 : b == NULL ? 2 : 3;
    *config = (struct config){ 0 };
    memset(settings, 0, sizeof *settings);
    return agent_config_load(config, argc, argv, environment, settings, reason);
}

static void what_is_not_given_is_derived_from_the_machine(void **state)
{
    (void)state;
    struct config config;
    struct agent_settings settings;
    struct reason reason = { "" };
    assert_int_equal(load(&config, &settings, nothing, &reason, NULL, NULL), ERR_NONE);
    assert_string_equal(settings.server, "ws://127.0.0.1:7350");
    assert_in_range(settings.slots, 1, 2048);
    char host[256];
    assert_int_equal(gethostname(host, sizeof host), 0);
    assert_string_equal(settings.device, host);
    assert_string_equal(settings.data_dir, geteuid() == 0
                                               ? "/var/lib/asterism-agent"
                                               : "/home/ann/.local/state/asterism-agent");
    config_done(&config);
}

static void flags_win_over_the_environment(void **state)
{
    (void)state;
    static const char *const environment[] = { "ASTERISM_AGENT_DEVICE=a", "ASTERISM_AGENT_SLOTS=7",
                                               "HOME=/home/ann", NULL };
    struct config config;
    struct agent_settings settings;
    struct reason reason;
    assert_int_equal(load(&config, &settings, environment, &reason, "--device=b", NULL), ERR_NONE);
    assert_string_equal(settings.device, "b");
    assert_int_equal(settings.slots, 7);
    config_done(&config);
}

static void refused(const char *flag, const char *words)
{
    struct config config;
    struct agent_settings settings;
    struct reason reason = { "" };
    assert_int_equal(load(&config, &settings, nothing, &reason, flag, NULL), ERR_INVALID);
    if (strstr(reason.text, words) == NULL) {
        fail_msg("%s: %s", flag, reason.text);
    }
    config_done(&config);
}

static void settings_that_the_protocol_would_refuse_are_refused_at_the_start(void **state)
{
    (void)state;
    refused("--device=a/b", "--device");
    refused("--device=", "--device");
    refused("--slots=0", "slots");
    refused("--slots=4096", "slots");
    refused("--label==x", "label");
    refused("--label=x", "label");
    refused("--server=ftp://x", "must begin with ws://");
    refused("--server=127.0.0.1:7350", "must begin with ws://");
    refused("--server=ws://127.0.0.1:99999", "port");
    refused("--slotz=4", "--slots");
    refused("more", "unexpected argument");
    char label[200];
    snprintf(label, sizeof label, "--label=k=%0150d", 1);
    refused(label, "128 bytes");
}

static void more_slots_than_an_agent_may_have_are_refused(void **state)
{
    (void)state;
    char flag[32];
    struct config config;
    struct agent_settings settings;
    struct reason reason;
    snprintf(flag, sizeof flag, "--slots=%d", AGENT_SLOTS_MAX);
    assert_int_equal(load(&config, &settings, nothing, &reason, flag, NULL), ERR_NONE);
    assert_int_equal(settings.slots, AGENT_SLOTS_MAX);
    config_done(&config);
    snprintf(flag, sizeof flag, "--slots=%d", AGENT_SLOTS_MAX + 1);
    refused(flag, "not within 1 to 2048");
}

static bool has_label(const struct msg_profile *profile, const char *key, const char *value)
{
    for (size_t i = 0; i < profile->labels_count; i++) {
        if (str_is(profile->labels[i].key, key)) {
            return value == NULL || str_is(profile->labels[i].value, value);
        }
    }
    return false;
}

static void labels_of_the_operator_win_over_those_of_the_machine(void **state)
{
    (void)state;
    struct config config;
    struct agent_settings settings;
    struct reason reason;
    assert_int_equal(
        load(&config, &settings, nothing, &reason, "--label=os=mine", "--label=role=a=b"),
        ERR_NONE);
    struct arena arena = { 0 };
    struct msg_profile profile;
    agent_profile_read(&settings, &arena, &profile);
    assert_true(has_label(&profile, "os", "mine"));
    assert_true(has_label(&profile, "role", "a=b"));
    assert_true(has_label(&profile, "arch", NULL));
    assert_true(has_label(&profile, "hostname", NULL));
    assert_int_equal(profile.labels_count, 4);
    assert_true(str_is(profile.os, "linux"));
    assert_true(profile.cpus >= 1 && profile.memory_bytes > 0);
    struct str boot_id;
    assert_int_equal(agent_boot_id_read(&arena, &boot_id, &reason), ERR_NONE);
    assert_int_equal(boot_id.length, 36);
    arena_done(&arena);
    config_done(&config);
}

static void amounts_are_read_to_the_thousandth_and_no_further(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t milli; /* -1: refused */
    } cases[] = {
        { "2", 2000 },
        { "0.5", 500 },
        { "1.125", 1125 },
        { "0", 0 },
        { "0.05", 50 },
        { "", -1 },
        { "1.", -1 },
        { ".5", -1 },
        { "-1", -1 },
        { "1e3", -1 },
        { "1.0005", -1 },
        { "two", -1 },
        { "+1", -1 },
        { " 1", -1 },
        { "99999999999999999", -1 },
        { "1000000000000", INT64_C(1000000000000000) },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t milli = -1;
        enum err err = agent_amount_parse(cases[i].text, &milli);
        assert_int_equal(err, cases[i].milli < 0 ? ERR_INVALID : ERR_NONE);
        assert_int_equal(milli, cases[i].milli);
    }
}

static void resources_are_those_that_the_operator_names(void **state)
{
    (void)state;
    struct config config;
    struct agent_settings settings;
    struct reason reason;
    assert_int_equal(
        load(&config, &settings, nothing, &reason, "--resource=gpu=1", "--resource=gpu=2.5"),
        ERR_NONE);
    struct arena arena = { 0 };
    struct msg_profile profile;
    agent_profile_read(&settings, &arena, &profile);
    assert_int_equal(profile.resources_count, 1);
    assert_true(str_is(profile.resources[0].name, "gpu"));
    assert_int_equal(profile.resources[0].amount_milli, 2500);
    arena_done(&arena);
    config_done(&config);
    assert_int_equal(load(&config, &settings, nothing, &reason, "--resource=gpu=lots", NULL),
                     ERR_INVALID);
    assert_non_null(strstr(reason.text, "--resource gpu=lots"));
    config_done(&config);
}

static void tools_are_those_that_are_found_and_those_that_the_operator_names(void **state)
{
    (void)state;
    struct config config;
    struct agent_settings settings;
    struct reason reason;
    assert_int_equal(load(&config, &settings, nothing, &reason, "--tool=flash-board", "--tool=tar"),
                     ERR_NONE);
    struct arena arena = { 0 };
    struct msg_profile profile;
    agent_profile_read(&settings, &arena, &profile);
    size_t named = 0;
    size_t tars = 0;
    for (size_t i = 0; i < profile.tools_count; i++) {
        named += str_is(profile.tools[i], "flash-board");
        tars += str_is(profile.tools[i], "tar");
    }
    assert_int_equal(named, 1);
    assert_int_equal(tars, 1);
    arena_done(&arena);
    config_done(&config);
    assert_int_equal(load(&config, &settings, nothing, &reason, "--tool=/bin/tar", NULL),
                     ERR_INVALID);
    assert_non_null(strstr(reason.text, "--tool /bin/tar"));
    config_done(&config);
}

static void more_tools_than_may_be_named_are_refused(void **state)
{
    (void)state;
    struct buf tools = { 0 };
    buf_append_text(&tools, "ASTERISM_AGENT_TOOL=t0");
    for (int i = 1; i <= AGENT_TOOLS_MAX; i++) {
        buf_printf(&tools, ",t%d", i);
    }
    struct config config;
    struct agent_settings settings;
    struct reason reason;
    const char *const environment[] = { buf_text(&tools), NULL };
    assert_int_equal(load(&config, &settings, environment, &reason, NULL, NULL), ERR_INVALID);
    assert_non_null(strstr(reason.text, "--tool: at most 200"));
    config_done(&config);
    buf_done(&tools);
}

static void the_document_has_the_table_of_settings(void **state)
{
    (void)state;
    struct buf table = { 0 };
    struct buf document = { 0 };
    config_markdown(&agent_config_table, &table);
    assert_int_equal(file_read("docs/agent.md", (size_t)1024 * 1024, &document, NULL), ERR_NONE);
    if (strstr(buf_text(&document), buf_text(&table)) == NULL) {
        fail_msg("docs/agent.md lacks the output of asterism-agent --help-config-markdown");
    }
    buf_done(&table);
    buf_done(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_is_derived_from_the_machine),
        cmocka_unit_test(flags_win_over_the_environment),
        cmocka_unit_test(settings_that_the_protocol_would_refuse_are_refused_at_the_start),
        cmocka_unit_test(more_slots_than_an_agent_may_have_are_refused),
        cmocka_unit_test(labels_of_the_operator_win_over_those_of_the_machine),
        cmocka_unit_test(amounts_are_read_to_the_thousandth_and_no_further),
        cmocka_unit_test(resources_are_those_that_the_operator_names),
        cmocka_unit_test(tools_are_those_that_are_found_and_those_that_the_operator_names),
        cmocka_unit_test(more_tools_than_may_be_named_are_refused),
        cmocka_unit_test(the_document_has_the_table_of_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
