/* Settings: sources, their order, and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sys/config.h"
#include "common/sys/file.h"

struct values {
    const char *data_dir;
    const char *log_level;
    int64_t slots;
    bool quiet;
    int64_t lease_ms;
    int64_t body_max;
    struct config_list hosts;
    struct config_list labels;
};

static const struct config_row rows[] = {
    { .name = "data-dir",
      .type = CONFIG_STRING,
      .offset = offsetof(struct values, data_dir),
      .operand = "PATH",
      .unset = "chosen by the program",
      .help = "Where it keeps its state." },
    { .name = "log-level",
      .type = CONFIG_CHOICE,
      .offset = offsetof(struct values, log_level),
      .value = "info",
      .choices = "debug|info|warn|error",
      .help = "The least that is logged." },
    { .name = "slots",
      .type = CONFIG_INT,
      .offset = offsetof(struct values, slots),
      .value = "4",
      .min = 1,
      .max = 1024,
      .help = "Tasks at one time." },
    { .name = "quiet",
      .type = CONFIG_BOOL,
      .offset = offsetof(struct values, quiet),
      .help = "Says less." },
    { .name = "lease",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct values, lease_ms),
      .value = "60s",
      .min = 1000,
      .max = 3600000,
      .help = "How long a device may be silent." },
    { .name = "body-max",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct values, body_max),
      .value = "64MiB",
      .help = "The largest body." },
    { .name = "host",
      .type = CONFIG_LIST,
      .offset = offsetof(struct values, hosts),
      .value = "localhost",
      .help = "A name it answers to." },
    { .name = "label",
      .type = CONFIG_PAIRS,
      .offset = offsetof(struct values, labels),
      .help = "A label of the device." },
};

static const struct config_table table = {
    .program = "thing",
    .usage = "usage: thing [FLAGS]\n",
    .environment = "THING_",
    .file = NULL,
    .rows = rows,
    .rows_count = sizeof rows / sizeof rows[0],
};

static char file_path[64];

static int make_path(void **state)
{
    (void)state;
    snprintf(file_path, sizeof file_path, "/tmp/asterism-config.XXXXXX");
    int fd = mkstemp(file_path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(file_path);
}

struct loaded {
    struct config config;
    struct values values;
    struct reason reason;
    enum err err;
};

/* argv without the program's name, ended by NULL; `text` is the file's, or NULL. */
static void load(struct loaded *to, const char *text, const char *const *environment,
                 const char *const *flags)
{
    const char *argv[32] = { "thing" };
    int argc = 1;
    if (text != NULL) {
        FILE *file = fopen(file_path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        argv[argc++] = "--config";
        argv[argc++] = file_path;
    }
    for (; flags != NULL && *flags != NULL; flags++) {
        argv[argc++] = *flags;
    }
    *to = (struct loaded){ 0 };
    to->err = config_load(&to->config, &table, argc, argv, environment, &to->values, &to->reason);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void expect_refused(const char *text, const char *const *environment,
                           const char *const *flags, const char *words)
{
    struct loaded got;
    load(&got, text, environment, flags);
    assert_int_not_equal(got.err, ERR_NONE);
    if (strstr(got.reason.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", got.reason.text, words);
    }
    config_done(&got.config);
}

static void without_anything_the_defaults_hold(void **state)
{
    (void)state;
    struct loaded got;
    load(&got, NULL, NULL, NULL);
    assert_int_equal(got.err, ERR_NONE);
    assert_null(got.values.data_dir);
    assert_string_equal(got.values.log_level, "info");
    assert_int_equal(got.values.slots, 4);
    assert_false(got.values.quiet);
    assert_int_equal(got.values.lease_ms, 60000);
    assert_int_equal(got.values.body_max, 64 * 1024 * 1024);
    assert_int_equal(got.values.hosts.count, 1);
    assert_int_equal(got.values.labels.count, 0);
    config_done(&got.config);
}

static void flags_win_over_the_environment_and_that_over_the_file(void **state)
{
    (void)state;
    struct loaded got;
    load(&got, "slots: 1\nlease: 10s\nlog-level: warn\ndata-dir: /file\nhost: [f1, f2]\n",
         WORDS("THING_SLOTS=2", "THING_LEASE=20s", "THING_HOST=e1,e2,e3", "OTHER=1"),
         WORDS("--slots", "3", "--host=a"));
    assert_int_equal(got.err, ERR_NONE);
    assert_int_equal(got.values.slots, 3);
    assert_int_equal(got.values.lease_ms, 20000);
    assert_string_equal(got.values.log_level, "warn");
    assert_string_equal(got.values.data_dir, "/file");
    assert_int_equal(got.values.hosts.count, 1);
    assert_string_equal(got.values.hosts.items[0], "a");
    config_done(&got.config);
}

static void a_repeated_flag_appends_and_replaces_what_is_below_it(void **state)
{
    (void)state;
    struct loaded got;
    load(&got, NULL, WORDS("THING_LABEL=role=env,x=y"),
         WORDS("--label", "role=edge", "--label=gpu=", "--host", "b"));
    assert_int_equal(got.err, ERR_NONE);
    assert_int_equal(got.values.labels.count, 2);
    assert_string_equal(got.values.labels.items[0], "role=edge");
    assert_string_equal(got.values.labels.items[1], "gpu=");
    config_done(&got.config);
}

static void the_file_takes_pairs_as_a_mapping_or_a_sequence(void **state)
{
    (void)state;
    struct loaded got;
    load(&got, "label:\n  role: edge\n  zone: \"a b\"\n", NULL, NULL);
    assert_int_equal(got.err, ERR_NONE);
    assert_int_equal(got.values.labels.count, 2);
    assert_string_equal(got.values.labels.items[1], "zone=a b");
    config_done(&got.config);
    load(&got, "label: [a=b]\nquiet: true\n", NULL, NULL);
    assert_int_equal(got.err, ERR_NONE);
    assert_string_equal(got.values.labels.items[0], "a=b");
    assert_true(got.values.quiet);
    config_done(&got.config);
    load(&got, "# nothing but words\n", NULL, NULL);
    assert_int_equal(got.err, ERR_NONE);
    config_done(&got.config);
}

static void booleans_are_flags_without_a_value(void **state)
{
    (void)state;
    struct loaded got;
    load(&got, NULL, NULL, WORDS("--quiet", "argument"));
    assert_int_equal(got.err, ERR_NONE);
    assert_true(got.values.quiet);
    assert_int_equal(got.config.arguments_count, 1);
    assert_string_equal(got.config.arguments[0], "argument");
    config_done(&got.config);
    load(&got, NULL, WORDS("THING_QUIET=yes"), WORDS("--no-quiet"));
    assert_false(got.values.quiet);
    config_done(&got.config);
    load(&got, NULL, NULL, WORDS("--quiet=off"));
    assert_false(got.values.quiet);
    config_done(&got.config);
}

static void behind_two_dashes_everything_is_an_argument(void **state)
{
    (void)state;
    struct loaded got;
    load(&got, NULL, NULL, WORDS("backup", "--slots=9", "--", "--slots", "-x"));
    assert_int_equal(got.err, ERR_NONE);
    assert_int_equal(got.values.slots, 9);
    assert_int_equal(got.config.arguments_count, 3);
    assert_string_equal(got.config.arguments[1], "--slots");
    assert_string_equal(got.config.arguments[2], "-x");
    config_done(&got.config);
}

static void an_unknown_name_is_refused_with_the_nearest(void **state)
{
    (void)state;
    expect_refused(NULL, NULL, WORDS("--slotz", "3"), "--slotz is unknown; did you mean --slots?");
    expect_refused(NULL, NULL, WORDS("--wonderful"), "--wonderful is unknown; --help lists");
    expect_refused(NULL, NULL, WORDS("-x"), "-x is unknown");
    expect_refused(NULL, NULL, WORDS("--no-slots"), "--no-slots is unknown");
    expect_refused("slots: 1\nlable: {a: b}\n", NULL, NULL,
                   ":2:1: lable is unknown; did you mean label?");
}

static void a_wrong_value_is_refused_naming_its_source(void **state)
{
    (void)state;
    expect_refused(NULL, NULL, WORDS("--slots", "many"), "--slots: \"many\" is not a whole number");
    expect_refused(NULL, NULL, WORDS("--slots", "0"), "--slots: 0 is not within 1 to 1024");
    expect_refused(NULL, NULL, WORDS("--slots", "1025"), "not within");
    expect_refused(NULL, NULL, WORDS("--slots"), "--slots needs a value");
    expect_refused(NULL, WORDS("THING_LEASE=5 minutes"), NULL,
                   "THING_LEASE: \"5 minutes\" is not a duration");
    expect_refused(NULL, WORDS("THING_BODY_MAX=huge"), NULL,
                   "THING_BODY_MAX: \"huge\" is not a size");
    expect_refused(NULL, NULL, WORDS("--log-level", "inf"),
                   "\"inf\" is none of debug|info|warn|error");
    expect_refused(NULL, NULL, WORDS("--log-level", "info|warn"), "is none of");
    expect_refused(NULL, NULL, WORDS("--label", "role"), "not of the form key=value");
    expect_refused(NULL, NULL, WORDS("--quiet=maybe"), "neither true nor false");
    expect_refused("slots: 1\nlease:  1x\n", NULL, NULL, ":2:9: lease: \"1x\" is not a duration");
}

static void a_file_that_is_not_a_flat_mapping_is_refused_with_its_place(void **state)
{
    (void)state;
    expect_refused("[1, 2]\n", NULL, NULL, ":1:1: a mapping of names");
    expect_refused("slots: 1\nslots: 2\n", NULL, NULL, ":2:1: slots is given twice");
    expect_refused("slots: [1]\n", NULL, NULL, ":1:8: slots must be one plain value");
    expect_refused("host: {a: b}\n", NULL, NULL, ":1:7: a sequence is expected");
    expect_refused("label: {a: [b]}\n", NULL, NULL, "label must be one plain value");
    expect_refused("slots: &x 1\nlease: *x\n", NULL, NULL, "aliases are not allowed");
    expect_refused("slots: !!int 1\n", NULL, NULL, "tags are not allowed");
    expect_refused("slots: 1\n---\nslots: 2\n", NULL, NULL, "a second document");
    expect_refused("slots: \"1\n", NULL, NULL, ":2:1: found unexpected end of stream");
    expect_refused(NULL, NULL, WORDS("--config", "/none/such.yaml"), "No such file");
    expect_refused(NULL, WORDS("THING_CONFIG=/none/other.yaml"), NULL, "other.yaml");
}

static void lists_have_a_limit(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "host:\n");
    for (int i = 0; i < CONFIG_LIST_MAX; i++) {
        buf_printf(&text, "  - h%d\n", i);
    }
    struct loaded got;
    load(&got, buf_text(&text), NULL, NULL);
    assert_int_equal(got.err, ERR_NONE);
    assert_int_equal(got.values.hosts.count, CONFIG_LIST_MAX);
    config_done(&got.config);
    buf_append_text(&text, "  - one-more\n");
    expect_refused(buf_text(&text), NULL, NULL, "more than 256 items");
    buf_done(&text);
}

static void sizes_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = { { "0", 0 },          { "512", 512 },          { "1KiB", 1024 },
                 { "2M", 2 << 20 },   { "10GiB", 10LL << 30 }, { "1MB", 1000000 },
                 { "3 MiB", 3 << 20 } };
    static const char *const bad[] = { "", "MiB", "-1", "1.5M", "1XB", "99999999999GiB", "1 " };
    int64_t bytes = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(config_size_of(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i + 1 < sizeof bad / sizeof bad[0]; i++) {
        assert_false(config_size_of(bad[i], &bytes));
    }
}

static void help_and_documents_name_every_row(void **state)
{
    (void)state;
    struct buf help = { 0 };
    struct buf document = { 0 };
    config_help(&table, &help);
    config_markdown(&table, &document);
    for (size_t i = 0; i < table.rows_count; i++) {
        char flag[64];
        snprintf(flag, sizeof flag, "  --%s", rows[i].name);
        assert_non_null(strstr(buf_text(&help), flag));
        snprintf(flag, sizeof flag, "| `%s` | `THING_", rows[i].name);
        assert_non_null(strstr(buf_text(&document), flag));
    }
    assert_non_null(strstr(buf_text(&document), "| `slots` | `THING_SLOTS` | number | `4` | 1 to "
                                                "1024 | Tasks at one time. |\n"));
    assert_non_null(strstr(buf_text(&document), "| `60s` | 1s to 1h |"));
    assert_non_null(strstr(buf_text(&document), "debug\\|info\\|warn\\|error"));
    buf_done(&help);
    buf_done(&document);
    struct loaded got;
    load(&got, NULL, WORDS("THING_SLOTS=wrong"), WORDS("--help"));
    assert_int_equal(got.err, ERR_NONE);
    assert_int_equal(got.config.wish, CONFIG_WISH_HELP);
    config_done(&got.config);
}

static void expect_data_dir(const char *const *environment, const char *path)
{
    struct config config = { 0 };
    const char *got = NULL;
    struct reason reason;
    enum err err = config_data_dir(&config, "thing", environment, &got, &reason);
    assert_int_equal(err, path == NULL ? ERR_INVALID : ERR_NONE);
    if (path == NULL) {
        assert_null(got);
        assert_non_null(strstr(reason.text, "--data-dir"));
    } else {
        assert_string_equal(got, path);
    }
    config_done(&config);
}

static void what_must_last_is_kept_where_the_user_may_write(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    bool is_root = geteuid() == 0;
    if (is_root) {
        expect_data_dir(WORDS("HOME=/root", "XDG_STATE_HOME=/state"), "/var/lib/thing");
        assert_int_equal(seteuid(NOBODY), 0);
    }
    expect_data_dir(WORDS("HOME=/home/ann"), "/home/ann/.local/state/thing");
    expect_data_dir(WORDS("HOME=/home/ann", "XDG_STATE_HOME=/state"), "/state/thing");
    expect_data_dir(WORDS("HOME=/home/ann", "XDG_STATE_HOME="), "/home/ann/.local/state/thing");
    expect_data_dir(WORDS("HOME=/home/ann", "XDG_STATE_HOME=here"), "/home/ann/.local/state/thing");
    expect_data_dir(WORDS("HOME="), NULL);
    expect_data_dir(WORDS("HOMELAND=/x"), NULL);
    if (is_root) {
        assert_int_equal(seteuid(0), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_anything_the_defaults_hold),
        cmocka_unit_test(flags_win_over_the_environment_and_that_over_the_file),
        cmocka_unit_test(a_repeated_flag_appends_and_replaces_what_is_below_it),
        cmocka_unit_test(the_file_takes_pairs_as_a_mapping_or_a_sequence),
        cmocka_unit_test(booleans_are_flags_without_a_value),
        cmocka_unit_test(behind_two_dashes_everything_is_an_argument),
        cmocka_unit_test(an_unknown_name_is_refused_with_the_nearest),
        cmocka_unit_test(a_wrong_value_is_refused_naming_its_source),
        cmocka_unit_test(a_file_that_is_not_a_flat_mapping_is_refused_with_its_place),
        cmocka_unit_test(lists_have_a_limit),
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(help_and_documents_name_every_row),
        cmocka_unit_test(what_must_last_is_kept_where_the_user_may_write),
    };
    return cmocka_run_group_tests_name("config", tests, make_path, remove_path);
}
