/* See paper.h. */
#include "orchestrator/api/paper.h"

#include <string.h>

#include "orchestrator/spec/spec_json.h"
#include "orchestrator/store/query_revision.h"

static json_t *text_of(struct str text)
{
    return json_stringn_nocheck(text.data == NULL ? "" : text.data, text.length);
}

static json_t *top_of(const struct edit_top *top)
{
    json_t *json = json_object();
    json_object_set_new(json, "fail_fast", json_boolean(top->fail_fast));
    struct buf deadline = { 0 };
    if (top->deadline_ms > 0) {
        spec_json_duration(&deadline, top->deadline_ms);
        json_t *value = json_loads(buf_text(&deadline), JSON_DECODE_ANY, NULL);
        json_object_set_new(json, "deadline", value);
    }
    buf_done(&deadline);
    json_t *limits = json_object();
    for (size_t i = 0; i < top->limits_count; i++) {
        struct str name = top->limits[i].name;
        if (name.length > 0) { /* else it has been removed */
            json_object_setn_new_nocheck(limits, name.data, name.length,
                                         json_integer(top->limits[i].capacity));
        }
    }
    json_object_set_new(json, "limits", limits);
    if (top->description.length > 0) {
        json_object_set_new(json, "description", text_of(top->description));
    }
    return json;
}

enum err paper_open(struct paper *paper, const struct reader *reader, struct store *store,
                    int64_t constellation_id, struct arena *arena, struct reason *reason)
{
    *paper = (struct paper){
        .store = store,
        .reader = reader,
        .constellation_id = constellation_id,
    };
    enum err err = edit_lookup_top(store, constellation_id, arena, &paper->now, reason);
    if (err == ERR_NONE) {
        paper->revision = paper->now.revision;
        paper->tasks = json_object();
        paper->top = top_of(&paper->now);
    }
    return err;
}

void paper_done(struct paper *paper)
{
    json_decref(paper->tasks);
    json_decref(paper->top);
    arena_done(&paper->scratch);
}

enum err paper_check_revision(const struct paper *paper, uint64_t revision, struct reason *reason)
{
    if (revision > paper->now.revision) {
        return reason_set(reason, ERR_NOT_FOUND, "there is no revision %llu: the head is %u",
                          (unsigned long long)revision, (unsigned)paper->now.revision);
    }
    return ERR_NONE;
}

/* Puts the task on the paper as it is now, unless it stands there. */
enum err paper_take(struct paper *paper, const char *key, struct reason *reason)
{
    if (json_object_get(paper->tasks, key) != NULL) {
        return ERR_NONE;
    }
    struct arena *arena = &paper->scratch;
    int64_t id = 0;
    struct edit_known known;
    json_t *json = NULL;
    enum err err = edit_lookup_id(paper->store, paper->constellation_id, str_of(key), &id, reason);
    if (err == ERR_NONE) {
        err = edit_lookup_task(paper->store, id, arena, &known, reason);
    } else if (err == ERR_NOT_FOUND) {
        json = json_null();
        err = ERR_NONE;
    }
    if (err == ERR_NONE && json == NULL) {
        struct str text = edit_known_render(&known, &paper->now, arena);
        json = json_loadb(text.data, text.length, JSON_ALLOW_NUL, NULL);
        err = json == NULL ? reason_set(reason, ERR_CORRUPT, "a task cannot be shown") : ERR_NONE;
    }
    if (err == ERR_NONE) {
        json_object_set_new_nocheck(paper->tasks, key, json);
    }
    arena_clear(arena);
    return err;
}

/* A dependency as `needs` has it: plain text, or an object. */
static bool is_need(const json_t *need, const char *from, const char *when)
{
    bool is_plain = json_is_string(need);
    const char *task = json_string_value(is_plain ? need : json_object_get(need, "task"));
    const char *found = json_string_value(is_plain ? NULL : json_object_get(need, "when"));
    found = found == NULL ? "success" : found;
    return task != NULL && strcmp(task, from) == 0 && (when == NULL || strcmp(found, when) == 0);
}

static json_t *need_of(const char *from, const char *when)
{
    if (when == NULL || strcmp(when, "success") == 0) {
        return json_string_nocheck(from);
    }
    json_t *need = json_object();
    json_object_set_new(need, "task", json_string_nocheck(from));
    json_object_set_new(need, "when", json_string_nocheck(when));
    return need;
}

static void remove_need(json_t *needs, const char *from, const char *when)
{
    for (size_t i = 0; i < json_array_size(needs); i++) {
        if (is_need(json_array_get(needs, i), from, when)) {
            json_array_remove(needs, i);
            return;
        }
    }
}

static void change_needs(json_t *task, const char *op, const json_t *operation)
{
    const char *from = json_string_value(json_object_get(operation, "from"));
    const char *when = json_string_value(json_object_get(operation, "when"));
    const char *old_when = json_string_value(json_object_get(operation, "old_when"));
    json_t *needs = json_object_get(task, "needs");
    if (needs == NULL) {
        needs = json_array();
        json_object_set_new(task, "needs", needs);
    }
    if (strcmp(op, "add_dependency") != 0) {
        remove_need(needs, from, strcmp(op, "update_dependency") == 0 ? old_when : when);
    }
    if (strcmp(op, "remove_dependency") != 0) {
        json_array_append_new(needs, need_of(from, when));
    }
    if (json_array_size(needs) == 0) {
        json_object_del(task, "needs");
    }
}

/* Keys that are null go. */
static void merge(json_t *object, json_t *set)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(set, name, value)
    {
        if (json_is_null(value)) {
            json_object_del(object, name);
        } else {
            json_object_set_nocheck(object, name, value);
        }
    }
}

static enum err apply(struct paper *paper, const json_t *operation, struct reason *reason)
{
    const char *op = json_string_value(json_object_get(operation, "op"));
    const char *key = json_string_value(json_object_get(operation, "task"));
    if (op != NULL && strcmp(op, "set") == 0) {
        json_t *set = json_copy((json_t *)(uintptr_t)operation);
        json_object_del(set, "op");
        merge(json_object_get(paper->top, "limits"), json_object_get(set, "limits"));
        json_object_del(set, "limits");
        merge(paper->top, set);
        json_decref(set);
        return ERR_NONE;
    }
    if (key == NULL) {
        key = json_string_value(json_object_get(operation, "to"));
    }
    if (op == NULL || key == NULL) {
        return reason_set(reason, ERR_CORRUPT, "a revision cannot be read");
    }
    enum err err = paper_take(paper, key, reason);
    if (err != ERR_NONE) {
        return err;
    }
    json_t *task = json_object_get(paper->tasks, key);
    if (strcmp(op, "add_task") == 0) {
        json_object_set_new_nocheck(paper->tasks, key,
                                    json_deep_copy(json_object_get(operation, "spec")));
    } else if (strcmp(op, "remove_task") == 0) {
        json_object_set_new_nocheck(paper->tasks, key, json_null());
    } else if (strcmp(op, "update_task") == 0) {
        merge(task, json_object_get(operation, "set"));
    } else {
        change_needs(task, op, operation);
    }
    return ERR_NONE;
}

enum err paper_go_back(struct paper *paper, uint32_t revision, struct reason *reason)
{
    if (paper->revision > revision && paper->revision - revision > PAPER_REVISIONS_MAX) {
        return reason_set(reason, ERR_NOT_FOUND, "more than %d revisions back",
                          PAPER_REVISIONS_MAX);
    }
    enum err err = ERR_NONE;
    while (err == ERR_NONE && paper->revision > revision) {
        struct revision_record record;
        err = query_revision(paper->store, paper->constellation_id, paper->revision,
                             &paper->scratch, &record, reason);
        if (err == ERR_NOT_FOUND) {
            reason_set(reason, err, "revision %u is too old: what has changed it is not kept",
                       (unsigned)revision);
        }
        json_t *list = NULL;
        if (err == ERR_NONE) {
            list = json_loadb(record.inverse.data, record.inverse.length, JSON_ALLOW_NUL, NULL);
            err = json_is_array(list) ? ERR_NONE
                                      : reason_set(reason, ERR_CORRUPT, "a revision is damaged");
        }
        arena_clear(&paper->scratch);
        for (size_t i = 0; err == ERR_NONE && i < json_array_size(list); i++) {
            /* Each may go through all that a task depends on. */
            err = reader_is_over(paper->reader)
                      ? reason_set(reason, ERR_TIMEOUT, "it is too far back")
                      : apply(paper, json_array_get(list, i), reason);
        }
        json_decref(list);
        paper->revision--;
    }
    return err;
}
