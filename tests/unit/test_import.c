/* Constellations of UFO³ as they are written, and what they become. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/spec/import_ufo.h"

struct imported {
    struct arena arena;
    struct buf json;
    struct import_notes notes;
    struct reason reason;
    enum err err;
};

static void import(struct imported *imported, const char *text)
{
    *imported = (struct imported){ .err = ERR_NONE };
    imported->err = import_ufo(str_of(text), &imported->arena, &imported->json, &imported->notes,
                               &imported->reason);
}

static void done(struct imported *imported)
{
    arena_done(&imported->arena);
    buf_done(&imported->json);
}

static bool is_noted(const struct imported *imported, const char *path)
{
    for (size_t i = 0; i < imported->notes.count; i++) {
        if (str_is(imported->notes.list[i].path, path)) {
            return true;
        }
    }
    return false;
}

/* Reads as a spec. */
static void must_be_a_spec(struct imported *imported)
{
    struct spec spec;
    struct spec_problems problems;
    struct str text = { (const char *)imported->json.data, imported->json.length };
    if (spec_parse(text, SPEC_FORMAT_JSON, NULL, &imported->arena, &spec, &problems) != ERR_NONE) {
        fail_msg("%.*s: %.*s", STR_ARG(problems.list[0].path), STR_ARG(problems.list[0].detail));
    }
}

#define TASK                                                                                       \
    "{\"task_id\":\"a\",\"name\":\"collect\",\"description\":\"Collect\",\"tips\":[\"t\"],"        \
    "\"target_device_id\":\"desk.1\",\"device_type\":\"LINUX\",\"priority\":4,\"timeout\":1.5,"    \
    "\"retry_count\":2,\"task_data\":{\"command\":[\"ls\",\"-l\"]},\"status\":\"running\"}"

static void every_field_becomes_a_key_or_a_note(void **state)
{
    (void)state;
    struct imported imported;
    import(&imported, "{\"name\":\"my plan\",\"tasks\":[" TASK "]}");
    assert_int_equal(imported.err, ERR_NONE);
    assert_string_equal(buf_text(&imported.json),
                        "{\"name\":\"my-plan\",\"tasks\":{\"a\":{\"description\":\"collect: "
                        "Collect\\nTip: t\",\"run\":[\"ls\",\"-l\"],\"device\":\"desk.1\","
                        "\"selector\":\"os=linux\",\"timeout\":\"1500ms\",\"retry\":{"
                        "\"max_attempts\":3},\"priority\":20}}}");
    assert_int_equal(imported.notes.count, 2);
    assert_true(is_noted(&imported, "/tasks/0/status"));
    assert_true(is_noted(&imported, "/name")); /* a blank is no part of ours */
    must_be_a_spec(&imported);
    done(&imported);
}

static void lines_of_every_type_become_needs(void **state)
{
    (void)state;
    struct imported imported;
    import(
        &imported,
        "{\"tasks\":{\"a\":{},\"b\":{},\"c\":{},\"d\":{},\"e\":{}},\"dependencies\":{"
        "\"1\":{\"from_task_id\":\"a\",\"to_task_id\":\"e\",\"dependency_type\":\"UNCONDITIONAL\"},"
        "\"2\":{\"from_task_id\":\"b\",\"to_task_id\":\"e\",\"dependency_type\":\"success_only\"},"
        "\"3\":{\"from_task_id\":\"c\",\"to_task_id\":\"e\",\"dependency_type\":"
        "\"DependencyType.COMPLETION_ONLY\"},"
        "\"4\":{\"from_task_id\":\"d\",\"to_task_id\":\"e\",\"dependency_type\":\"conditional\","
        "\"condition_description\":\"if it rains\"},"
        "\"5\":{\"from_task_id\":\"x\",\"to_task_id\":\"e\"}}}");
    assert_int_equal(imported.err, ERR_NONE);
    assert_non_null(strstr(buf_text(&imported.json),
                           "\"needs\":[{\"task\":\"a\",\"when\":\"always\"},\"b\",{\"task\":\"c\","
                           "\"when\":\"finished\"},\"d\"]"));
    assert_true(is_noted(&imported, "/dependencies/4/condition_description"));
    assert_true(is_noted(&imported, "/dependencies/5"));
    must_be_a_spec(&imported);
    done(&imported);
}

static void whatever_is_not_carried_over_is_noted(void **state)
{
    (void)state;
    static const char text[] =
        "{\"constellation_id\":\"c-1\",\"name\":\"my plan\",\"metadata\":{\"by\":\"x\"},"
        "\"tasks\":[{\"task_id\":\"a\",\"name\":5,\"description\":[\"x\"],\"tips\":[\"t\",7],"
        "\"target_device_id\":7,\"device_type\":3,\"result\":\"\",\"error\":null,"
        "\"task_data\":{\"command\":\"ls\",\"shell\":\"sh\"},\"dependents\":[\"b\",\"c\"]},"
        "{\"task_id\":\"b\",\"tips\":\"one\",\"task_data\":\"do it\",\"dependencies\":[\"a\"]},"
        "{\"task_id\":\"c\",\"dependencies\":[\"b\"]}],"
        "\"dependencies\":[{\"line_id\":\"l1\",\"from_task_id\":\"a\",\"to_task_id\":\"b\","
        "\"dependency_type\":5,\"condition_description\":\"\",\"is_satisfied\":true,"
        "\"metadata\":{}},{\"line_id\":\"l2\",\"from_task_id\":\"a\",\"to_task_id\":\"c\"}]}";
    static const char *const noted[] = {
        "/constellation_id",
        "/name",
        "/metadata",
        "/tasks/0/name",
        "/tasks/0/description",
        "/tasks/0/tips",
        "/tasks/0/device_type",
        "/tasks/0/target_device_id",
        "/tasks/1/task_data",
        "/tasks/0/task_data/shell",
        "/tasks/2/dependencies",
        "/dependencies/0/dependency_type",
        "/dependencies/0/line_id",
        "/dependencies/0/is_satisfied",
    };
    struct imported imported;
    import(&imported, text);
    assert_int_equal(imported.err, ERR_NONE);
    for (size_t i = 0; i < sizeof(noted) / sizeof(noted[0]); i++) {
        if (!is_noted(&imported, noted[i])) {
            fail_msg("nothing is said of %s", noted[i]);
        }
    }
    /* Of b and c also that they are gates, and that a gate has no place. */
    assert_int_equal(imported.notes.count, sizeof(noted) / sizeof(noted[0]) + 3);
    assert_non_null(strstr(buf_text(&imported.json), "Tip: one"));
    assert_non_null(
        strstr(buf_text(&imported.json), "\"b\":{\"description\":\"Tip: one\",\"needs\":[\"a\"]}"));
    must_be_a_spec(&imported);
    done(&imported);
    import(&imported, "{\"tasks\":{\"a\":{}},\"dependencies\":\"a before b\"}");
    assert_true(is_noted(&imported, "/dependencies"));
    done(&imported);
}

static void ids_that_are_no_keys_are_changed_and_stay_apart(void **state)
{
    (void)state;
    struct imported imported;
    import(&imported, "{\"tasks\":{\"a b\":{},\"a/b\":{},\"a-b\":{},\"\":{}},\"dependencies\":[{"
                      "\"from_task_id\":\"a/b\",\"to_task_id\":\"a b\"}]}");
    assert_int_equal(imported.err, ERR_NONE);
    assert_non_null(strstr(buf_text(&imported.json), "\"a-b\":{\"needs\":[{\"task\":\"a-b-2\""));
    assert_non_null(strstr(buf_text(&imported.json), "\"a-b-3\""));
    must_be_a_spec(&imported);
    done(&imported);
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "",
                                         "[]",
                                         "{}",
                                         "{\"tasks\":[]}",
                                         "{\"tasks\":3}",
                                         "{\"tasks\":{}",
                                         "{\"tasks\":[],\"tasks\":[]}" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct imported imported;
        import(&imported, texts[i]);
        assert_int_equal(imported.err, ERR_INVALID);
        assert_true(imported.reason.text[0] != '\0');
        done(&imported);
    }
}

static void more_notes_than_are_kept_are_counted(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_append_text(&text, "{\"tasks\":{\"a\":{\"x0\":1");
    for (int i = 1; i < IMPORT_NOTES_MAX + 10; i++) {
        buf_printf(&text, ",\"x%d\":1", i);
    }
    buf_append_text(&text, "}}}");
    struct imported imported;
    import(&imported, buf_text(&text));
    assert_int_equal(imported.err, ERR_NONE);
    assert_int_equal(imported.notes.count, IMPORT_NOTES_MAX);
    assert_true(imported.notes.dropped >= 10);
    done(&imported);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_becomes_a_key_or_a_note),
        cmocka_unit_test(lines_of_every_type_become_needs),
        cmocka_unit_test(whatever_is_not_carried_over_is_noted),
        cmocka_unit_test(ids_that_are_no_keys_are_changed_and_stay_apart),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(more_notes_than_are_kept_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
