/* Texts, errors, numbers by chance and the check of common/base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/base/str.h"

static void texts_compare_by_bytes_and_then_by_length(void **state)
{
    (void)state;
    assert_true(str_equal(STR("abc"), str_of("abc")));
    assert_false(str_equal(STR("abc"), STR("abd")));
    assert_false(str_equal(STR("abc"), STR("ab")));
    assert_true(str_equal(str_of(NULL), STR("")));
    assert_true(str_is(STR("x"), "x"));
    assert_true(str_starts_with(STR("unix:a"), STR("unix:")));
    assert_false(str_starts_with(STR("uni"), STR("unix:")));
    assert_true(str_starts_with(STR("a"), STR("")));
}

static void only_well_formed_utf8_is_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "plain",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x9a\x80",
        "\xef\xbf\xbf",
        "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
    };
    static const char *const bad[] = {
        "\x80",             /* a tail without a head */
        "\xc3",             /* a head without a tail */
        "\xc3(",            /* a head and no tail byte */
        "\xc0\xaf",         /* overlong, two bytes */
        "\xe0\x80\xaf",     /* overlong, three */
        "\xf0\x80\x80\xaf", /* overlong, four */
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* above the last code point */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xe2\x82",
        "ok then \xfe",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(str_is_utf8(str_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(str_is_utf8(str_of(bad[i])));
    }
    assert_false(str_is_utf8((struct str){ "a\0b", 3 }));
}

static void numbers_are_digits_up_to_the_maximum(void **state)
{
    (void)state;
    uint64_t value = 77;
    static const char *const bad[] = { "",
                                       "-1",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "1.0",
                                       "a",
                                       "0x1",
                                       "18446744073709551616",
                                       "99999999999999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(str_to_uint64(str_of(bad[i]), UINT64_MAX, &value));
    }
    assert_int_equal(value, 77);
    assert_true(str_to_uint64(STR("18446744073709551615"), UINT64_MAX, &value));
    assert_int_equal(value, UINT64_MAX);
    assert_true(str_to_uint64(STR("007"), 7, &value));
    assert_int_equal(value, 7);
    assert_false(str_to_uint64(STR("8"), 7, &value));
    assert_false(str_to_uint64(STR("17"), 16, &value));
    assert_true(str_to_uint64(STR("16"), 16, &value));
    assert_true(str_to_uint64(STR("0"), 0, &value));
    assert_int_equal(value, 0);
}

static void durations_have_a_number_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        { "0", 0 },          { "90", 90000 },     { "250ms", 250 },
        { "1.5h", 5400000 }, { "2s", 2000 },      { "0.25s", 250 },
        { "5m", 300000 },    { "7d", 604800000 }, { "3652d", 3652LL * 86400000 },
    };
    static const char *const bad[] = { "",
                                       "s",
                                       "1y",
                                       "-1s",
                                       "1 s",
                                       "1.s",
                                       ".5s",
                                       "1e3",
                                       "3653d",
                                       "1.2.3s",
                                       "999999999999999999999s",
                                       "1.1234567s",
                                       "1.0000000000000000000000000000s" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        assert_true(str_to_duration_ms(str_of(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = -1;
        assert_false(str_to_duration_ms(str_of(bad[i]), &ms));
    }
}

static void the_distance_of_two_names_is_levenshteins(void **state)
{
    (void)state;
    assert_int_equal(str_distance(STR(""), STR(""), 3), 0);
    assert_int_equal(str_distance(STR("timeout"), STR("timeot"), 3), 1);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 5), 3);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 3);
    assert_int_equal(str_distance(STR(""), STR("abc"), 9), 3);
    assert_int_equal(str_distance(STR("abc"), STR(""), 9), 3);
    char longer[65];
    memset(longer, 'a', sizeof longer);
    assert_int_equal(str_distance((struct str){ longer, 65 }, (struct str){ longer, 65 }, 3), 4);
    assert_int_equal(str_distance((struct str){ longer, 64 }, (struct str){ longer, 64 }, 3), 0);
}

static void a_reason_is_cut_at_its_limit_and_its_code_comes_back(void **state)
{
    (void)state;
    struct reason reason = { "" };
    assert_int_equal(reason_set(&reason, ERR_LIMIT, "%s is %d", "x", 3), ERR_LIMIT);
    assert_string_equal(reason.text, "x is 3");
    assert_int_equal(reason_set(&reason, ERR_IO, "%2000s", "x"), ERR_IO);
    assert_int_equal(strlen(reason.text), REASON_BYTES_MAX - 1);
    assert_int_equal(reason_set(NULL, ERR_BUSY, "nobody listens"), ERR_BUSY);
}

static void every_error_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = ERR_NONE; a <= ERR_UNSUPPORTED; a++) {
        assert_true(strlen(err_name((enum err)a)) > 0);
        for (int b = ERR_NONE; b < a; b++) {
            assert_string_not_equal(err_name((enum err)a), err_name((enum err)b));
        }
    }
}

static void a_seed_gives_one_stream_and_another_seed_another(void **state)
{
    (void)state;
    struct rng a;
    struct rng b;
    struct rng c;
    rng_init(&a, 1);
    rng_init(&b, 1);
    rng_init(&c, 2);
    unsigned alike = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = rng_next(&a);
        assert_int_equal(value, rng_next(&b));
        alike += value == rng_next(&c);
    }
    assert_int_equal(alike, 0);
}

static void the_generator_gives_the_published_numbers(void **state)
{
    (void)state;
    /* xoshiro256** from the state 1, 2, 3, 4. */
    struct rng rng = { { 1, 2, 3, 4 } };
    assert_int_equal(rng_next(&rng), 11520);
    assert_int_equal(rng_next(&rng), 0);
    assert_int_equal(rng_next(&rng), 1509978240);
    assert_true(rng_next(&rng) == 1215971899390074240ULL);
}

static void numbers_below_a_bound_are_spread_evenly(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    unsigned seen[7] = { 0 };
    for (int i = 0; i < 70000; i++) {
        uint64_t value = rng_below(&rng, 7);
        assert_true(value < 7);
        seen[value]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 9500, 10500);
    }
    assert_int_equal(rng_below(&rng, 1), 0);
}

static void a_failed_check_aborts_the_process(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(STDERR_FILENO);
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_compare_by_bytes_and_then_by_length),
        cmocka_unit_test(only_well_formed_utf8_is_utf8),
        cmocka_unit_test(numbers_are_digits_up_to_the_maximum),
        cmocka_unit_test(durations_have_a_number_and_a_unit),
        cmocka_unit_test(the_distance_of_two_names_is_levenshteins),
        cmocka_unit_test(a_reason_is_cut_at_its_limit_and_its_code_comes_back),
        cmocka_unit_test(every_error_has_a_name_of_its_own),
        cmocka_unit_test(a_seed_gives_one_stream_and_another_seed_another),
        cmocka_unit_test(the_generator_gives_the_published_numbers),
        cmocka_unit_test(numbers_below_a_bound_are_spread_evenly),
        cmocka_unit_test(a_failed_check_aborts_the_process),
    };
    return cmocka_run_group_tests_name("base_text", tests, NULL, NULL);
}
