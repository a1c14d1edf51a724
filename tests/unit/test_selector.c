/* Label selectors: the grammar, what matches, and where a mistake stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/engine/selector.h"

static const struct msg_pair labels[] = {
    { { "os", 2 }, { "linux", 5 } },
    { { "role", 4 }, { "server", 6 } },
    { { "gpu", 3 }, { "", 0 } },
    { { "example.com/rack", 16 }, { "r-1.a", 5 } },
};
enum { LABELS = sizeof labels / sizeof labels[0] };

static bool matches(const char *text)
{
    struct selector *selector = NULL;
    struct reason reason = { "" };
    if (selector_parse(str_of(text), &selector, NULL, &reason) != ERR_NONE) {
        fail_msg("%s: %s", text, reason.text);
    }
    bool result = selector_matches(selector, labels, LABELS);
    selector_free(selector);
    return result;
}

static void every_requirement_must_hold(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "",
        "  ",
        "os=linux",
        "os==linux",
        "os = linux",
        "role!=edge",
        "rank!=1",
        "gpu",
        "!fpga",
        "! fpga",
        "gpu=",
        "role in (server)",
        "role in ( desktop , server )",
        "role notin (edge)",
        "rank notin (1,2)",
        "os=linux,gpu,role!=edge",
        "os=linux , !fpga",
        "example.com/rack=r-1.a",
        "in notin (x)",
        "!in",
    };
    static const char *const no[] = {
        "os=Linux",
        "os=linu",
        "os=linuxx",
        "role!=server",
        "!gpu",
        "fpga",
        "fpga=",
        "gpu=1",
        "role in (desktop,edge)",
        "role notin (server)",
        "os=linux,fpga",
        "rank in (1)",
    };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (!matches(yes[i])) {
            fail_msg("\"%s\" should match", yes[i]);
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (matches(no[i])) {
            fail_msg("\"%s\" should not match", no[i]);
        }
    }
}

static void a_mistake_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        { ",", 0 },         { "os=linux,", 9 },  { "os=linux gpu", 9 }, { "=linux", 0 },
        { "role in", 7 },   { "role in ()", 9 }, { "role in (a", 10 },  { "role in (a b)", 11 },
        { "role is x", 7 }, { "!", 1 },          { "!gpu=1", 4 },       { "os=linux;gpu", 8 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct selector *selector = NULL;
        struct reason reason = { "" };
        size_t at = 999;
        assert_int_equal(selector_parse(str_of(bad[i].text), &selector, &at, &reason), ERR_INVALID);
        assert_null(selector);
        assert_true(reason.text[0] != 0);
        if (at != bad[i].at) {
            fail_msg("\"%s\": at %zu, not %zu", bad[i].text, bad[i].at, at);
        }
    }
}

static void the_first_requirement_that_fails_is_named_as_written(void **state)
{
    (void)state;
    struct selector *selector = NULL;
    assert_int_equal(
        selector_parse(STR("os=linux, role in (edge,desktop) , fpga"), &selector, NULL, NULL),
        ERR_NONE);
    struct str unmet = selector_unmet(selector, labels, LABELS);
    assert_true(str_is(unmet, "role in (edge,desktop)"));
    selector_free(selector);
}

static void limits_are_reached_and_refused(void **state)
{
    (void)state;
    char text[SELECTOR_BYTES_MAX + 2];
    memset(text, 'a', sizeof text);
    struct selector *selector = NULL;
    assert_int_equal(
        selector_parse((struct str){ text, SELECTOR_BYTES_MAX }, &selector, NULL, NULL), ERR_NONE);
    selector_free(selector);
    selector = NULL;
    assert_int_equal(
        selector_parse((struct str){ text, SELECTOR_BYTES_MAX + 1 }, &selector, NULL, NULL),
        ERR_INVALID);
    char many[2 * (SELECTOR_REQUIREMENTS_MAX + 1)];
    for (size_t i = 0; i < SELECTOR_REQUIREMENTS_MAX + 1; i++) {
        many[2 * i] = 'a';
        many[2 * i + 1] = ',';
    }
    assert_int_equal(selector_parse((struct str){ many, 2 * SELECTOR_REQUIREMENTS_MAX - 1 },
                                    &selector, NULL, NULL),
                     ERR_NONE);
    selector_free(selector);
    assert_int_equal(selector_parse((struct str){ many, 2 * SELECTOR_REQUIREMENTS_MAX + 1 },
                                    &selector, NULL, NULL),
                     ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_requirement_must_hold),
        cmocka_unit_test(a_mistake_is_told_with_its_place),
        cmocka_unit_test(the_first_requirement_that_fails_is_named_as_written),
        cmocka_unit_test(limits_are_reached_and_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
