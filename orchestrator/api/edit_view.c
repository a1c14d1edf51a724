/* See edit_view.h. */
#include "orchestrator/api/edit_view.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/api/edit_lookup.h"

static enum err key_of(struct store *store, const struct edit_resolved *resolved, edit_task task,
                       struct arena *arena, struct str *ret_key, struct reason *reason)
{
    if (task < 0) {
        size_t number = (size_t)(-1 - task);
        *ret_key = number < resolved->added_count ? resolved->added[number] : STR("?");
        return ERR_NONE;
    }
    enum err err = edit_lookup_key(store, task, arena, ret_key, reason);
    if (err == ERR_NOT_FOUND) { /* it was removed by the very edit */
        *ret_key = STR("?");
        err = ERR_NONE;
    }
    return err;
}

static enum err keys_of(struct store *store, const struct edit_resolved *resolved,
                        const edit_task *tasks, size_t count, struct arena *arena,
                        struct str **ret_keys, struct reason *reason)
{
    struct str *keys = arena_array(arena, count, sizeof(*keys));
    for (size_t i = 0; i < count; i++) {
        enum err err = key_of(store, resolved, tasks[i], arena, &keys[i], reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    *ret_keys = keys;
    return ERR_NONE;
}

static struct edit_fault place_of(const struct edit_problem *problem, struct arena *arena)
{
    struct edit_fault fault = { .code = edit_code_name(problem->code) };
    if (problem->index == EDIT_WHOLE) {
        return fault;
    }
    char path[64];
    int length = snprintf(path, sizeof(path), "/%s/%u",
                          problem->in_expect ? "expect" : "operations", (unsigned)problem->index);
    fault.part = problem->in_expect ? EDIT_PART_EXPECT : EDIT_PART_OPERATION;
    fault.index = problem->index;
    fault.path = arena_str(arena, (struct str){ path, (size_t)length });
    return fault;
}

/* Of one operation that changes several dependencies each may break the same rule: to whoever sent it
   that is one problem. They come one after the other. */
static bool is_told(const struct edit_faults *faults, const struct edit_fault *fault,
                    struct str detail)
{
    for (size_t i = faults->count; i-- > 0;) {
        const struct edit_fault *told = &faults->list[i];
        if (told->part != fault->part || told->index != fault->index) {
            return false;
        }
        if (strcmp(told->code, fault->code) == 0 && str_equal(told->detail, detail)) {
            return true;
        }
    }
    return false;
}

enum err edit_take_problems(struct store *store, const struct edit_resolved *resolved,
                            const struct edit_result *result, struct edit_faults *faults,
                            struct reason *reason)
{
    for (size_t i = 0; i < result->problems_count; i++) {
        const struct edit_problem *problem = &result->problems[i];
        struct edit_fault fault = place_of(problem, faults->arena);
        fault.tasks_count = problem->tasks_count < EDIT_PROBLEM_TASKS_MAX ? problem->tasks_count
                                                                          : EDIT_PROBLEM_TASKS_MAX;
        struct str *keys = NULL;
        enum err err = keys_of(store, resolved, problem->tasks, fault.tasks_count, faults->arena,
                               &keys, reason);
        if (err != ERR_NONE) {
            return err;
        }
        fault.tasks = keys;
        struct buf words = { 0 };
        if (fault.tasks_count > 0 && problem->code != EDIT_CODE_CYCLE) {
            buf_printf(&words, "%.*s: ", STR_ARG(keys[0]));
        }
        buf_append(&words, problem->detail.data, problem->detail.length);
        for (size_t k = 0; k < fault.tasks_count && problem->code == EDIT_CODE_CYCLE; k++) {
            buf_printf(&words, "%s%.*s", k == 0 ? ": " : " → ", STR_ARG(keys[k]));
        }
        if (problem->code == EDIT_CODE_CYCLE && problem->tasks_count > fault.tasks_count) {
            buf_append_text(&words, " → …");
        }
        if (!is_told(faults, &fault, str_of(buf_text(&words)))) {
            edit_fault_add(faults, &fault, "%s", buf_text(&words));
        }
        buf_done(&words);
    }
    faults->more = faults->more || result->more_problems;
    edit_faults_sort(faults);
    return ERR_NONE;
}

static void write_fault(struct json_out *out, const struct edit_fault *fault)
{
    json_out_object(out, NULL);
    if (fault->part == EDIT_PART_OPERATION) {
        json_out_uint(out, "index", fault->index);
    } else if (fault->part == EDIT_PART_EXPECT) {
        json_out_uint(out, "expect", fault->index);
    }
    json_out_text(out, "code", fault->code);
    json_out_str(out, "path", fault->path);
    if (fault->line != 0) {
        json_out_uint(out, "line", fault->line);
        json_out_uint(out, "column", fault->column);
    }
    json_out_str(out, "detail", fault->detail);
    if (fault->tasks_count > 0) {
        json_out_array(out, "tasks");
        for (size_t i = 0; i < fault->tasks_count; i++) {
            json_out_str(out, NULL, fault->tasks[i]);
        }
        json_out_array_end(out);
    }
    if (fault->allowed.length > 0) {
        json_out_str(out, "allowed", fault->allowed);
    }
    json_out_object_end(out);
}

void edit_view_faults(struct buf *body, enum problem_code code, struct str detail,
                      const struct edit_faults *faults, uint32_t revision)
{
    struct json_out out = { .buf = body };
    problem_open(&out, code, detail);
    if (revision != 0) {
        json_out_uint(&out, "revision", revision);
    }
    json_out_array(&out, "errors");
    for (size_t i = 0; i < faults->count; i++) {
        write_fault(&out, &faults->list[i]);
    }
    json_out_array_end(&out);
    if (faults->more) {
        json_out_bool(&out, "more", true);
    }
    json_out_object_end(&out);
}

static enum err write_tasks(struct store *store, struct json_out *out, const char *name,
                            const struct edit_resolved *resolved, const edit_task *tasks,
                            size_t count, struct arena *arena, struct reason *reason)
{
    size_t listed = count < EDIT_LISTED_MAX ? count : EDIT_LISTED_MAX;
    struct str *keys = NULL;
    enum err err = keys_of(store, resolved, tasks, listed, arena, &keys, reason);
    if (err != ERR_NONE) {
        return err;
    }
    json_out_object(out, name);
    json_out_uint(out, "count", count);
    json_out_array(out, "tasks");
    for (size_t i = 0; i < listed; i++) {
        json_out_str(out, NULL, keys[i]);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return ERR_NONE;
}

enum err edit_view_result(struct store *store, struct json_out *out,
                          const struct edit_resolved *resolved, const struct edit_result *result,
                          struct arena *arena, struct reason *reason)
{
    json_out_uint(out, "revision", result->revision);
    json_out_bool(out, "dry_run", resolved->edit.dry_run);
    json_out_object(out, "tasks");
    json_out_uint(out, "added", result->added);
    json_out_uint(out, "removed", result->removed);
    json_out_uint(out, "changed", result->changed);
    json_out_object_end(out);
    json_out_object(out, "dependencies");
    json_out_uint(out, "added", result->edges_added);
    json_out_uint(out, "removed", result->edges_removed);
    json_out_object_end(out);
    enum err err = write_tasks(store, out, "newly_ready", resolved, result->newly_ready,
                               result->newly_ready_count, arena, reason);
    if (err == ERR_NONE) {
        err = write_tasks(store, out, "newly_skipped", resolved, result->newly_skipped,
                          result->newly_skipped_count, arena, reason);
    }
    if (resolved->edit.dry_run && result->longest_path_after > 0) {
        json_out_object(out, "critical_path");
        json_out_uint(out, "before", result->longest_path_before);
        json_out_uint(out, "after", result->longest_path_after);
        json_out_object_end(out);
    }
    return err;
}
