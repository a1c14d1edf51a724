/* What is answered about a task or a constellation that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/api_house.h"

enum { MANY = 12 };

static void expect(struct house *house, const char *id, const char *rest, const char *says)
{
    char path[320];
    snprintf(path, sizeof(path), "/api/v1/constellations/%s/tasks/%s", id, rest);
    struct answer answer = house_get(house, path);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer_text(&answer, "code"), "not_found");
    if (strstr(answer_text(&answer, "detail"), says) == NULL) {
        fail_msg("%s: %s", rest, answer.body);
    }
    answer_done(&answer);
}

static void it_is_told_with_the_nearest_key_or_with_those_that_there_are(void **state)
{
    (void)state;
    struct house *house = house_new();
    char id[160];
    char says[256];
    static const char *const routes[] = { "", "/explain", "/history", "/output?stream=stdout" };
    house_submit(house, "name: g\ntasks:\n  build: {noop: true}\n  deploy: {noop: true}\n", id);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        char rest[64];
        snprintf(rest, sizeof(rest), "deplyo%s", routes[i]);
        snprintf(says, sizeof(says), "%s has no task \"deplyo\": did you mean \"deploy\"?", id);
        expect(house, id, rest, says);
        snprintf(rest, sizeof(rest), "nix%s", routes[i]);
        snprintf(says, sizeof(says), "%s has no task \"nix\"; it has build, deploy", id);
        expect(house, id, rest, says);
    }
    house_free(house);
}

static void of_many_the_first_are_named(void **state)
{
    (void)state;
    struct house *house = house_new();
    char id[160];
    struct buf spec = { 0 };
    buf_append_text(&spec, "name: g\ntasks:\n");
    for (int i = 0; i < MANY; i++) {
        buf_printf(&spec, "  task-%d: {noop: true}\n", i);
    }
    house_submit(house, buf_text(&spec), id);
    expect(house, id, "nix",
           "it has task-0, task-1, task-2, task-3, task-4, task-5, task-6, task-7, task-8, "
           "task-9, …: asterism show lists them");
    buf_done(&spec);
    house_free(house);
}

static void expect_constellation(struct house *house, const char *wrong, const char *near)
{
    static const char *const routes[][2] = { { "GET", "" },
                                             { "GET", "/tasks" },
                                             { "POST", "/undo" } };
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        struct answer answer =
            house_send(house, routes[i][0], house_path(wrong, routes[i][1]), NULL);
        char says[400];
        int length = snprintf(says, sizeof(says), "no constellation \"%s\"", wrong);
        if (near != NULL) {
            snprintf(says + length, sizeof(says) - (size_t)length, ": did you mean \"%s\"?", near);
        }
        assert_int_equal(answer.status, 404);
        assert_string_equal(answer_text(&answer, "detail"), says);
        const json_t *errors = json_object_get(answer.json, "errors");
        const char *named = json_string_value(json_object_get(json_array_get(errors, 0), "detail"));
        assert_string_equal(named == NULL ? "" : named, near == NULL ? "" : near);
        answer_done(&answer);
    }
}

static void of_constellations_the_nearest_id_is_told(void **state)
{
    (void)state;
    struct house *house = house_new();
    char id[160];
    char other[160];
    char wrong[164];
    expect_constellation(house, "disk-report", NULL);
    house_submit(house, "name: disk-report\ntasks:\n  a: {noop: true}\n", id);
    house_submit(house, "name: nightly\ntasks:\n  a: {noop: true}\n", other);
    snprintf(wrong, sizeof(wrong), "dsik%s", id + 4);
    expect_constellation(house, wrong, id);
    expect_constellation(house, "disk-reprot", id);
    expect_constellation(house, "nigthly", other);
    expect_constellation(house, "nope", NULL);
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_with_the_nearest_key_or_with_those_that_there_are),
        cmocka_unit_test(of_many_the_first_are_named),
        cmocka_unit_test(of_constellations_the_nearest_id_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
