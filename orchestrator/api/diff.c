/* What has changed between two revisions, by tasks. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/json_out.h"
#include "orchestrator/api/paper.h"
#include "orchestrator/api/read.h"

static void raw(struct json_out *out, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    json_out_raw(out, key, str_of(text));
    free(text);
}

static void write_whole(struct json_out *out, const char *key, const json_t *task)
{
    json_out_object(out, NULL);
    json_out_text(out, "task", key);
    raw(out, "spec", task);
    json_out_object_end(out);
}

/* Each key of either that differs; dependencies stand elsewhere. */
static void write_pair(struct json_out *out, const char *name, const json_t *before,
                       const json_t *after)
{
    json_out_object(out, name);
    if (before != NULL) {
        raw(out, "before", before);
    } else {
        json_out_null(out, "before");
    }
    if (after != NULL) {
        raw(out, "after", after);
    } else {
        json_out_null(out, "after");
    }
    json_out_object_end(out);
}

static void write_keys(struct json_out *out, json_t *before, json_t *after)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(before, name, value)
    {
        const json_t *other = json_object_get(after, name);
        if (str_is(str_of(name), "needs") || json_equal(value, other)) {
            continue;
        }
        write_pair(out, name, value, other);
    }
    json_object_foreach(after, name, value)
    {
        if (!str_is(str_of(name), "needs") && json_object_get(before, name) == NULL) {
            write_pair(out, name, NULL, value);
        }
    }
}

static bool differs_beside_needs(const json_t *before, const json_t *after)
{
    json_t *a = json_copy((json_t *)(uintptr_t)before);
    json_t *b = json_copy((json_t *)(uintptr_t)after);
    json_object_del(a, "needs");
    json_object_del(b, "needs");
    bool differs = !json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return differs;
}

/* A dependency as text: the same for the same. */
static char *name_of(const json_t *need)
{
    return json_dumps(need, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

/* A task may depend on all others, so that they are not compared one by one. */
static json_t *set_of(const json_t *needs)
{
    json_t *set = json_object();
    for (size_t i = 0; i < json_array_size(needs); i++) {
        char *name = name_of(json_array_get(needs, i));
        json_object_set_new(set, name, json_true());
        free(name);
    }
    return set;
}

static bool holds(const json_t *set, const json_t *need)
{
    char *name = name_of(need);
    bool is_there = json_object_get(set, name) != NULL;
    free(name);
    return is_there;
}

/* Those of `needs` that `others` lacks. */
static void write_needs(struct json_out *out, const char *to, const json_t *needs,
                        const json_t *others)
{
    if (json_equal(needs, others)) {
        return; /* most tasks */
    }
    json_t *set = set_of(others);
    for (size_t i = 0; i < json_array_size(needs); i++) {
        const json_t *need = json_array_get(needs, i);
        if (holds(set, need)) {
            continue;
        }
        bool is_plain = json_is_string(need);
        const char *when = json_string_value(is_plain ? NULL : json_object_get(need, "when"));
        const char *condition = json_string_value(is_plain ? NULL : json_object_get(need, "if"));
        json_out_object(out, NULL);
        json_out_text(out, "from",
                      json_string_value(is_plain ? need : json_object_get(need, "task")));
        json_out_text(out, "to", to);
        json_out_text(out, "when", when == NULL ? "success" : when);
        if (condition != NULL) {
            json_out_text(out, "if", condition);
        }
        json_out_object_end(out);
    }
    json_decref(set);
}

enum part { PART_ADDED, PART_REMOVED, PART_CHANGED, PART_NEEDS_ADDED, PART_NEEDS_REMOVED };

static void write_part(struct json_out *out, const char *name, enum part part, json_t *before,
                       json_t *after)
{
    const char *key = NULL;
    json_t *task = NULL;
    json_out_array(out, name);
    json_object_foreach(after, key, task) /* every task that is on either stands on both */
    {
        const json_t *old = json_object_get(before, key);
        bool is_there = json_is_object(task);
        bool was_there = json_is_object(old);
        if (part == PART_ADDED && is_there && !was_there) {
            write_whole(out, key, task);
        } else if (part == PART_REMOVED && was_there && !is_there) {
            write_whole(out, key, old);
        } else if (part == PART_CHANGED && was_there && is_there &&
                   differs_beside_needs(old, task)) {
            json_out_object(out, NULL);
            json_out_text(out, "task", key);
            json_out_object(out, "keys");
            write_keys(out, (json_t *)(uintptr_t)old, task);
            json_out_object_end(out);
            json_out_object_end(out);
        } else if (part == PART_NEEDS_ADDED && is_there) {
            write_needs(out, key, json_object_get(task, "needs"), json_object_get(old, "needs"));
        } else if (part == PART_NEEDS_REMOVED && was_there) {
            write_needs(out, key, json_object_get(old, "needs"), json_object_get(task, "needs"));
        }
    }
    json_out_array_end(out);
}

/* What has come onto the earlier paper later was, on the other, as it is now. */
static void write_diff(struct json_out *out, const struct paper *before, const struct paper *after)
{
    json_out_uint(out, "from", before->revision);
    json_out_uint(out, "to", after->revision);
    json_out_object(out, "tasks");
    write_part(out, "added", PART_ADDED, before->tasks, after->tasks);
    write_part(out, "removed", PART_REMOVED, before->tasks, after->tasks);
    write_part(out, "changed", PART_CHANGED, before->tasks, after->tasks);
    json_out_object_end(out);
    json_out_object(out, "dependencies");
    write_part(out, "added", PART_NEEDS_ADDED, before->tasks, after->tasks);
    write_part(out, "removed", PART_NEEDS_REMOVED, before->tasks, after->tasks);
    json_out_object_end(out);
    json_out_object(out, "set");
    write_keys(out, before->top, after->top);
    json_out_object_end(out);
}

/* Both walk the same way back, so that the tasks of the longer way are put on the shorter one too: at
   its own revision they were as they are on the way there. */
static enum err go_back(struct paper *late, struct paper *early, uint32_t from, uint32_t to,
                        struct reason *reason)
{
    enum err err = paper_go_back(late, to, reason);
    if (err != ERR_NONE) {
        return err;
    }
    json_decref(early->tasks);
    json_decref(early->top);
    early->tasks = json_deep_copy(late->tasks);
    early->top = json_deep_copy(late->top);
    early->revision = late->revision;
    err = paper_go_back(early, from, reason);
    const char *key = NULL;
    json_t *task = NULL;
    if (err != ERR_NONE) {
        return err;
    }
    json_object_foreach(early->tasks, key, task)
    {
        if (json_object_get(late->tasks, key) == NULL) {
            err = paper_take(late, key, reason);
            if (err != ERR_NONE) {
                return err;
            }
        }
    }
    return ERR_NONE;
}

struct wanted {
    uint64_t from; /* 0: the one before `to` */
    uint64_t to;   /* 0: the head */
};

static enum err compare(struct read *read, struct paper *late, struct paper *early,
                        struct reason *reason)
{
    const struct wanted *wanted = read->data;
    uint64_t to = wanted->to == 0 ? late->revision : wanted->to;
    uint64_t from = wanted->from == 0 ? (to > 1 ? to - 1 : 1) : wanted->from;
    bool is_backwards = from > to;
    enum err err = paper_check_revision(late, is_backwards ? from : to, reason);
    if (err == ERR_NONE) {
        err = go_back(late, early, (uint32_t)(is_backwards ? to : from),
                      (uint32_t)(is_backwards ? from : to), reason);
    }
    if (err != ERR_NONE) {
        return err;
    }
    struct json_out out = { .buf = &read->body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", read->seq);
    json_out_str(&out, "constellation", read->constellation.uid);
    write_diff(&out, is_backwards ? late : early, is_backwards ? early : late);
    json_out_object_end(&out);
    return ERR_NONE;
}

static enum err rows(struct read *read, struct store *store, struct reason *reason)
{
    struct paper late = { .tasks = NULL };
    struct paper early = { .tasks = NULL };
    int64_t id = read->constellation.record.id;
    enum err err = paper_open(&late, read->reader, store, id, &read->arena, reason);
    if (err == ERR_NONE) {
        err = paper_open(&early, read->reader, store, id, &read->arena, reason);
    }
    if (err == ERR_NONE) {
        err = compare(read, &late, &early, reason);
    }
    paper_done(&late);
    paper_done(&early);
    return err;
}

static const struct read_kind diff_read = {
    .rows = rows,
    .too_long = "ask for revisions that are later, or closer together",
};

void diff_get(struct api *api, const struct api_call *call)
{
    struct reason reason = { "" };
    struct wanted wanted = { 0, 0 };
    if (args_number(&call->args, "from", 1, UINT32_MAX, 0, &wanted.from, &reason) != ERR_NONE ||
        args_number(&call->args, "to", 1, UINT32_MAX, 0, &wanted.to, &reason) != ERR_NONE) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    struct read *read = read_of(api, call, &diff_read);
    if (read == NULL) {
        return;
    }
    read->data = arena_alloc(&read->arena, sizeof(wanted));
    *(struct wanted *)read->data = wanted;
    read_start(api, read);
}
