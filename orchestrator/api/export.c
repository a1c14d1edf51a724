/* The whole plan as a spec: as it is, or as it was at an earlier revision. Submitting it gives the same
   plan. */
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/paper.h"
#include "orchestrator/api/read.h"
#include "orchestrator/spec/spec_json.h"

enum { EXPORT_PAGE = 500, EXPORT_TASKS_MAX = 100000 };

struct export
{
    struct paper paper;
    struct buf *body;
    bool has_task;
};

static void write_text(struct export *export, struct str key, struct str json)
{
    buf_append_text(export->body, export->has_task ? ",\n" : "\n");
    export->has_task = true;
    spec_json_text(export->body, key);
    buf_append_text(export->body, ":");
    buf_append(export->body, json.data, json.length);
}

static void write_json(struct export *export, struct str key, const json_t *task)
{
    char *text = json_dumps(task, JSON_COMPACT | JSON_REAL_PRECISION(15));
    write_text(export, key, str_of(text));
    free(text);
}

/* The constellation's own keys, without the brace that would end them. */
static void write_top(struct export *export)
{
    json_t *top = json_object();
    json_object_set_new(
        top, "name",
        json_stringn_nocheck(export->paper.now.name.data, export->paper.now.name.length));
    json_object_update(top, export->paper.top);
    if (!json_is_true(json_object_get(top, "fail_fast"))) {
        json_object_del(top, "fail_fast");
    }
    if (json_object_size(json_object_get(top, "limits")) == 0) {
        json_object_del(top, "limits");
    }
    char *text = json_dumps(top, JSON_COMPACT | JSON_REAL_PRECISION(15));
    struct str open = str_of(text);
    buf_append(export->body, open.data, open.length - 1);
    buf_append_text(export->body, ",\"tasks\":{");
    free(text);
    json_decref(top);
}

/* In the order of the plan: what has not changed since as it is, what has as it was. */
static enum err write_tasks(struct export *export, struct reason *reason)
{
    struct paper *paper = &export->paper;
    int64_t after = 0;
    size_t count = EXPORT_PAGE;
    enum err err = ERR_NONE;
    struct arena arena = { 0 };         /* of a page */
    struct arena *of = &paper->scratch; /* of a task */
    while (err == ERR_NONE && count == EXPORT_PAGE) {
        struct str *keys = arena_array(&arena, EXPORT_PAGE, sizeof(*keys));
        int64_t *ids = arena_array(&arena, EXPORT_PAGE, sizeof(*ids));
        err = edit_lookup_keys(paper->store, paper->constellation_id, after, &arena, keys, ids,
                               EXPORT_PAGE, &count, reason);
        for (size_t i = 0; err == ERR_NONE && i < count; i++) {
            const json_t *old = json_object_getn(paper->tasks, keys[i].data, keys[i].length);
            if (old == NULL) {
                struct edit_known known;
                err = edit_lookup_task(paper->store, ids[i], of, &known, reason);
                if (err == ERR_NONE) {
                    write_text(export, keys[i], edit_known_render(&known, &paper->now, of));
                }
                arena_clear(of);
            } else if (json_is_object(old)) {
                write_json(export, keys[i], old);
                json_object_setn_new_nocheck(paper->tasks, keys[i].data, keys[i].length,
                                             json_null());
            }
            after = ids[i];
        }
        arena_clear(&arena);
    }
    arena_done(&arena);
    const char *key = NULL;
    json_t *task = NULL;
    json_object_foreach(paper->tasks, key, task) /* those that have gone since */
    {
        if (err == ERR_NONE && json_is_object(task)) {
            write_json(export, str_of(key), task);
        }
    }
    return err;
}

static enum err rows(struct read *read, struct store *store, struct reason *reason)
{
    uint32_t revision = *(const uint32_t *)read->data;
    struct export export = { .body = &read->body };
    enum err err = paper_open(&export.paper, read->reader, store, read->constellation.record.id,
                              &read->arena, reason);
    if (err == ERR_NONE) {
        err = paper_check_revision(&export.paper, revision, reason);
    }
    if (err == ERR_NONE && revision != 0) {
        err = paper_go_back(&export.paper, revision, reason);
    }
    if (err == ERR_NONE) {
        write_top(&export);
        err = write_tasks(&export, reason);
        buf_append_text(&read->body, "\n}}\n");
    }
    paper_done(&export.paper);
    return err;
}

static const struct read_kind export_read = {
    .rows = rows,
    .too_long = "ask for a later revision, or read the tasks page by page",
};

void export_get(struct api *api, const struct api_call *call)
{
    uint64_t request = call->request->id;
    struct reason reason = { "" };
    uint64_t revision = 0;
    if (args_number(&call->args, "revision", 1, UINT32_MAX, 0, &revision, &reason) != ERR_NONE) {
        reply_problem(api, request, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    if (constellation.record.tasks > EXPORT_TASKS_MAX) {
        reply_problem(api, request, PROBLEM_TOO_MANY,
                      "more than %d tasks are not exported at once: read them page by page",
                      EXPORT_TASKS_MAX);
        return;
    }
    struct read *read = read_new(api, call, &export_read, &constellation);
    uint32_t *wanted = arena_alloc(&read->arena, sizeof(*wanted));
    *wanted = (uint32_t)revision;
    read->data = wanted;
    read_start(api, read);
}
