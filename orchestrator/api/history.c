/* The history of one task: the revisions that have touched it, and its attempts. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/change_words.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/read.h"
#include "orchestrator/api/revisions.h"
#include "orchestrator/api/view.h"

enum { HISTORY_PAGE = 50, HISTORY_LOOKED_AT_MAX = 1000, HISTORY_TEXT_BYTES = 4 * 1024 * 1024 };

static bool names(const json_t *operation, const char *field, const char *key)
{
    const char *text = json_string_value(json_object_get(operation, field));
    return text != NULL && strcmp(text, key) == 0;
}

/* The operations of a revision that are about the task; NULL: none. */
static json_t *about(const struct revision_record *revision, const char *key)
{
    char quoted[PLAN_KEY_BYTES_MAX + 3];
    int length = snprintf(quoted, sizeof(quoted), "\"%s\"", key);
    struct str text = revision->operations;
    if (length < 0 || (size_t)length >= sizeof(quoted) ||
        memmem(text.data, text.length, quoted, (size_t)length) == NULL) {
        return NULL; /* most revisions: they need not be parsed */
    }
    json_t *list = json_loadb(text.data, text.length, JSON_ALLOW_NUL, NULL);
    json_t *found = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *operation = json_array_get(list, i);
        if (names(operation, "task", key) || names(operation, "from", key) ||
            names(operation, "to", key)) {
            json_array_append(found, operation);
        }
    }
    json_decref(list);
    if (json_array_size(found) == 0) {
        json_decref(found);
        found = NULL;
    }
    return found;
}

static enum err write_revisions(struct store *store, struct json_out *out, int64_t id,
                                const char *key, uint32_t last, uint32_t *ret_next,
                                struct reason *reason)
{
    struct query_revision_list wanted = { .first = 1,
                                          .last = last,
                                          .with_text = true,
                                          .limit = HISTORY_PAGE,
                                          .bytes_max = HISTORY_TEXT_BYTES };
    size_t listed = 0;
    size_t looked_at = 0;
    *ret_next = last;
    while (*ret_next != 0 && looked_at < HISTORY_LOOKED_AT_MAX && listed < HISTORY_PAGE) {
        struct arena arena = { 0 };
        struct query_revisions page;
        enum err err = query_revision_list(store, id, &wanted, &arena, &page, reason);
        for (size_t i = 0; err == ERR_NONE && i < page.count; i++) {
            json_t *operations = about(&page.list[i], key);
            looked_at++;
            if (operations != NULL) {
                char *text = json_dumps(operations, JSON_COMPACT | JSON_REAL_PRECISION(15));
                view_revision(out, &page.list[i]);
                json_out_raw(out, "operations", str_of(text));
                json_out_object_end(out);
                free(text);
                json_decref(operations);
                listed++;
            }
        }
        arena_done(&arena);
        if (err != ERR_NONE) {
            return err;
        }
        *ret_next = page.next;
        wanted.last = page.next;
    }
    return ERR_NONE;
}

static enum err write_attempts(struct read *read, struct store *store, struct json_out *out,
                               int64_t id, struct reason *reason)
{
    struct query_task task;
    enum err err = query_task(store, id, &read->arena, &task, reason);
    uint64_t fence = err == ERR_NONE ? task.record.fence : 0;
    for (size_t i = 0; err == ERR_NONE && fence != 0 && i < API_PAGE_MAX; i++) {
        struct query_attempt attempt;
        err = query_attempt(store, fence, &read->arena, &attempt, reason);
        if (err == ERR_NONE) {
            view_attempt(read->now_wall_ms, out, NULL, &attempt);
            json_out_object_end(out);
            fence = attempt.record.previous;
        }
    }
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

struct wanted {
    struct str key;
    uint32_t last; /* revision */
};

static enum err rows(struct read *read, struct store *store, struct reason *reason)
{
    const struct wanted *wanted = read->data;
    int64_t id = read->constellation.record.id;
    int64_t task_id = 0;
    uint32_t next = 0;
    struct json_out out = { .buf = &read->body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", read->seq);
    json_out_str(&out, "constellation", read->constellation.uid);
    json_out_str(&out, "task", wanted->key);
    enum err err = query_task_id(store, id, wanted->key, &task_id, reason);
    bool is_there = err == ERR_NONE;
    json_out_bool(&out, "removed", !is_there);
    if (is_there || err == ERR_NOT_FOUND) {
        json_out_array(&out, "revisions");
        size_t before_bytes = read->body.length;
        err = write_revisions(store, &out, id, wanted->key.data, wanted->last, &next, reason);
        if (err == ERR_NONE && !is_there && read->body.length == before_bytes) {
            err = change_no_task(store, &read->arena, &read->constellation, wanted->key, reason);
        }
        json_out_array_end(&out);
    }
    if (err == ERR_NONE) {
        json_out_array(&out, "attempts");
        err = is_there ? write_attempts(read, store, &out, task_id, reason) : ERR_NONE;
        json_out_array_end(&out);
    }
    if (next != 0) {
        json_out_uint(&out, "next", next);
    } else {
        json_out_null(&out, "next");
    }
    json_out_object_end(&out);
    return err;
}

static const struct read_kind history_read = {
    .rows = rows,
    .too_long = "ask from an earlier revision on, by last",
};

void history_get(struct api *api, const struct api_call *call)
{
    struct reason reason = { "" };
    uint64_t last = 0;
    if (args_number(&call->args, "last", 1, UINT32_MAX, UINT32_MAX, &last, &reason) != ERR_NONE) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    struct read *read = read_of(api, call, &history_read);
    if (read == NULL) {
        return;
    }
    struct wanted *wanted = arena_alloc(&read->arena, sizeof(*wanted));
    wanted->key = arena_str(&read->arena, call->params[1]);
    wanted->last = (uint32_t)last;
    read->data = wanted;
    read_start(api, read);
}
