/* The dependencies of a UFO³ file: its lines, which a task's own lists repeat. See import_ufo.h. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "orchestrator/spec/import_ufo_parts.h"

enum { JOINED_BYTES = 2 * PLAN_KEY_BYTES_MAX + 32 };

/* No key has a /. */
static struct str joined_of(char text[JOINED_BYTES], const char *from, const char *to,
                            const char *when)
{
    snprintf(text, JOINED_BYTES, "%s/%s%s%s", from, to, *when == 0 ? "" : "/", when);
    return str_of(text);
}

static bool is_joined(const struct import *import, const char *from, const char *to,
                      const char *when)
{
    char text[JOINED_BYTES];
    return strmap_get(&import->joined, joined_of(text, from, to, when)) != NULL;
}

static void join(struct import *import, const char *from, const char *to, const char *when)
{
    char text[JOINED_BYTES];
    struct str name = joined_of(text, from, to, when);
    if (strmap_get(&import->joined, name) == NULL) {
        strmap_put(&import->joined, arena_str(import->arena, name), import);
    }
}

/* NULL: one that is not known. */
static const char *when_of(const json_t *line)
{
    static const struct {
        const char *type;
        const char *when;
    } types[] = { { "unconditional", "always" },
                  { "success_only", "success" },
                  { "completion_only", "finished" },
                  { "conditional", "success" } };
    const char *type = import_enum_at(line, "dependency_type");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(type, types[i].type) == 0) {
            return types[i].when;
        }
    }
    return import_is_nothing(json_object_get(line, "dependency_type")) ? "always" : NULL;
}

/* What a line says besides which tasks it joins. */
static void take_rest_of_line(struct import *import, json_t *line, const char *where)
{
    static const char *const known[] = { "line_id",         "from_task_id",          "to_task_id",
                                         "dependency_type", "condition_description", NULL };
    if (strcasecmp(import_enum_at(line, "dependency_type"), "conditional") == 0) {
        import_note(import, where, "condition_description",
                    "is a sentence, not an expression: taken as success_only; write an if");
    } else if (!import_is_nothing(json_object_get(line, "condition_description"))) {
        import_note(import, where, "condition_description", "is not carried over");
    }
    if (!import->has_line_ids && !import_is_nothing(json_object_get(line, "line_id"))) {
        import->has_line_ids = true;
        import_note(import, where, "line_id",
                    "is not carried over, nor are others: a dependency is known by its tasks");
    }
    import_take_rest(import, line, where, known);
}

void import_take_line(struct import *import, json_t *line, const char *id, const char *where)
{
    (void)id;
    const char *from = strmap_get(&import->keys, str_of(import_text_at(line, "from_task_id")));
    const char *to = strmap_get(&import->keys, str_of(import_text_at(line, "to_task_id")));
    if (from == NULL || to == NULL) {
        import_note(import, where, "", "goes from or to a task that is not there: it is left out");
        return;
    }
    const char *when = when_of(line);
    if (when == NULL) {
        import_note(import, where, "dependency_type", "is unknown: taken as success_only");
        when = "success";
    }
    take_rest_of_line(import, line, where);
    if (is_joined(import, from, to, when)) {
        import_note(import, where, "", "is there twice: it is left out");
        return;
    }
    join(import, from, to, when);
    join(import, from, to, "");
    json_t *task = json_object_get(import->tasks, to);
    json_t *needs = json_object_get(task, "needs");
    if (needs == NULL) {
        needs = json_array();
        json_object_set_new(task, "needs", needs);
    }
    json_array_append_new(needs, strcmp(when, "success") == 0
                                     ? json_string(from)
                                     : json_pack("{s:s, s:s}", "task", from, "when", when));
}

/* One of them: what stands before a task, or behind it. */
static void compare_list(struct import *import, const json_t *task, const char *id,
                         const char *where, bool is_before)
{
    const char *name = is_before ? "dependencies" : "dependents";
    const json_t *list = json_object_get(task, name);
    const char *key = strmap_get(&import->keys, str_of(id));
    if (key == NULL || import_is_nothing(list)) {
        return;
    }
    bool is_said = json_is_array(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        const char *other = text == NULL ? NULL : strmap_get(&import->keys, str_of(text));
        is_said = is_said && other != NULL &&
                  is_joined(import, is_before ? other : key, is_before ? key : other, "");
    }
    if (!is_said) {
        import_note(import, where, name,
                    "names what no line joins it with, and is not carried over");
    }
}

void import_compare_lists(struct import *import, json_t *task, const char *id, const char *where)
{
    compare_list(import, task, id, where, true);
    compare_list(import, task, id, where, false);
}
