/* Tasks of a constellation: page by page, and one with its attempts. */
#include <stdlib.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/edit_lookup.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/view.h"
#include "proto/wire.h"

enum {
    LIST_DEFAULT = 200,
    SCAN_SLICE = 1000, /* states read at a time */
    SCAN_MAX = 50000,  /* looked at for one filtered page; the client goes on from there */
    STATES_COUNT = 10,
    TASK_DEPTH = 3, /* of a task in a page: the answer, its list, the task */
    BODY_ARENA_BYTES_MAX = 16 * 1024 * 1024,
};

static const char *const states[STATES_COUNT] = {
    "waiting",   "ready",  "assigned",  "running", "backoff",
    "succeeded", "failed", "cancelled", "skipped", "unknown",
};

struct page {
    uint32_t states; /* bits by place in the table above; 0: all */
    size_t limit;
    size_t count;
    int64_t next; /* 0: there are no more */
    struct json_out out;
};

static uint32_t state_bit(struct str name)
{
    for (uint32_t i = 0; i < STATES_COUNT; i++) {
        if (str_is(name, states[i])) {
            return UINT32_C(1) << i;
        }
    }
    return 0;
}

static enum err read_states(struct str list, uint32_t *ret_states, struct reason *reason)
{
    size_t at = 0;
    struct str name;
    while (args_item(list, &at, &name)) {
        uint32_t bit = state_bit(name);
        if (bit == 0) {
            return reason_set(reason, ERR_INVALID,
                              "state must be of waiting, ready, assigned, running, backoff, "
                              "succeeded, failed, cancelled, skipped, unknown");
        }
        *ret_states |= bit;
    }
    return ERR_NONE;
}

static bool wanted(const struct api *api, const struct page *page, int64_t constellation_id,
                   int64_t task_id, enum task_state state)
{
    struct task_record record = { .id = task_id, .state = (uint8_t)state };
    return page->states == 0 ||
           (page->states & state_bit(str_of(view_task_state(api, constellation_id, &record)))) != 0;
}

static enum err add_task(struct api *api, struct page *page, int64_t task_id, struct reason *reason)
{
    struct query_task task;
    enum err err = query_task(api->config.store, task_id, &api->arena, &task, reason);
    if (err == ERR_NONE) {
        err = view_task(api, &page->out, NULL, &task, reason);
    }
    if (err == ERR_NONE) {
        json_out_object_end(&page->out);
        page->count++;
    }
    return err;
}

static bool is_full(const struct page *page)
{
    return page->count >= page->limit || page->out.buf->length >= API_PAGE_BYTES_MAX;
}

/* In the order they were written, from behind `after`. */
static enum err add_range(struct api *api, struct page *page,
                          const struct query_constellation *constellation, int64_t after,
                          struct reason *reason)
{
    static struct query_task_state slice[SCAN_SLICE];
    for (size_t scanned = 0;;) {
        size_t count = 0;
        enum err err = query_task_scan(api->config.store, constellation, after, slice, SCAN_SLICE,
                                       &count, reason);
        for (size_t i = 0; err == ERR_NONE && i < count; i++) {
            if (is_full(page)) {
                page->next = after;
                return ERR_NONE;
            }
            after = slice[i].id;
            if (wanted(api, page, constellation->record.id, slice[i].id, slice[i].state)) {
                err = add_task(api, page, slice[i].id, reason);
            }
        }
        scanned += count;
        if (err != ERR_NONE || count < SCAN_SLICE) {
            return err;
        }
        if (scanned >= SCAN_MAX) {
            page->next = after;
            return ERR_NONE;
        }
    }
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Those that are named; a key that there is not is left out, so that the client sees what is there. */
static enum err add_keys(struct api *api, struct page *page,
                         const struct query_constellation *constellation, struct str keys,
                         int64_t after, struct reason *reason)
{
    int64_t *ids = arena_array(&api->arena, API_PAGE_MAX, sizeof(*ids));
    size_t count = 0;
    size_t at = 0;
    struct str key;
    while (args_item(keys, &at, &key)) {
        if (count == API_PAGE_MAX) {
            return reason_set(reason, ERR_INVALID, "at most %d keys at a time", API_PAGE_MAX);
        }
        enum err err =
            query_task_id(api->config.store, constellation->record.id, key, &ids[count], reason);
        if (err == ERR_NONE) {
            count++;
        } else if (err != ERR_NOT_FOUND) {
            return err;
        }
    }
    qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (ids[i] <= after || (i > 0 && ids[i] == ids[i - 1])) {
            continue;
        }
        if (is_full(page)) {
            page->next = ids[i] - 1;
            return ERR_NONE;
        }
        struct query_task task;
        enum err err = query_task(api->config.store, ids[i], &api->arena, &task, reason);
        if (err == ERR_NONE && wanted(api, page, constellation->record.id, ids[i],
                                      (enum task_state)task.record.state)) {
            err = add_task(api, page, ids[i], reason);
        }
        if (err != ERR_NONE) {
            return err;
        }
    }
    return ERR_NONE;
}

void tasks_list(struct api *api, const struct api_call *call)
{
    uint64_t request = call->request->id;
    struct query_constellation constellation;
    struct buf body = { NULL, 0, 0 };
    struct page page = { .out = { .buf = &body } };
    struct reason reason;
    struct str text;
    uint64_t limit = 0;
    uint64_t after = 0;
    if (args_number(&call->args, "limit", 1, API_PAGE_MAX, LIST_DEFAULT, &limit, &reason) !=
            ERR_NONE ||
        args_number(&call->args, "after", 0, INT64_MAX, 0, &after, &reason) != ERR_NONE ||
        (args_get(&call->args, "state", &text) &&
         read_states(text, &page.states, &reason) != ERR_NONE)) {
        reply_problem(api, request, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    page.limit = (size_t)limit;
    if (args_get(&call->args, "fields", &text)) {
        page.out.only = text;
        page.out.only_depth = TASK_DEPTH;
    }
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    json_out_object(&page.out, NULL);
    json_out_int(&page.out, "seq", api->seq);
    json_out_str(&page.out, "constellation", constellation.uid);
    json_out_text(&page.out, "state", view_constellation_state(api, &constellation.record));
    json_out_array(&page.out, "tasks");
    enum err err = args_get(&call->args, "keys", &text)
                       ? add_keys(api, &page, &constellation, text, (int64_t)after, &reason)
                       : add_range(api, &page, &constellation, (int64_t)after, &reason);
    if (err != ERR_NONE) {
        buf_done(&body);
        if (err == ERR_INVALID) {
            reply_problem(api, request, PROBLEM_BAD_REQUEST, "%s", reason.text);
        } else {
            reply_failed(api, request, err, &reason);
        }
        return;
    }
    json_out_array_end(&page.out);
    if (page.next != 0) {
        json_out_int(&page.out, "next", page.next);
    } else {
        json_out_null(&page.out, "next");
    }
    json_out_object_end(&page.out);
    reply_json(api, request, call->route->status, &body);
}

/* From the latest back along the chain, then written the other way round. */
static enum err write_attempts(struct api *api, struct json_out *out, const struct query_task *task,
                               struct reason *reason)
{
    struct query_attempt *list =
        arena_array(&api->arena, API_PAGE_MAX, sizeof(struct query_attempt));
    size_t count = 0;
    uint64_t fence = task->record.fence;
    while (fence != 0 && count < API_PAGE_MAX) {
        enum err err = query_attempt(api->config.store, fence, &api->arena, &list[count], reason);
        if (err == ERR_NOT_FOUND) {
            break;
        }
        if (err != ERR_NONE) {
            return err;
        }
        fence = list[count].record.previous;
        count++;
    }
    json_out_array(out, "attempts");
    while (count > 0) {
        view_attempt(api_now(api).wall_ms, out, NULL, &list[--count]);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    return ERR_NONE;
}

static enum err write_body(struct json_out *out, const char *key, struct str bytes,
                           struct reason *reason)
{
    if (bytes.length == 0) {
        json_out_null(out, key);
        return ERR_NONE;
    }
    struct arena arena = { .bytes_max = BODY_ARENA_BYTES_MAX };
    struct buf json = { NULL, 0, 0 };
    struct msg_body body;
    enum err err = wire_decode_body(bytes, &arena, &body, reason);
    if (err == ERR_NONE) {
        spec_render_body(&body, &json);
        json_out_raw(out, key, (struct str){ (const char *)json.data, json.length });
    }
    buf_done(&json);
    arena_done(&arena);
    return err;
}

/* All of it, as the keys that a person would have written. */
static enum err write_spec(struct api *api, struct json_out *out, const struct query_task *task,
                           struct reason *reason)
{
    struct edit_known known;
    struct edit_top top;
    enum err err =
        edit_lookup_task(api->config.store, task->record.id, &api->arena, &known, reason);
    if (err == ERR_NONE) {
        err = edit_lookup_top(api->config.store, task->constellation_id, &api->arena, &top, reason);
    }
    if (err == ERR_NONE) {
        json_out_raw(out, "spec", edit_known_render(&known, &top, &api->arena));
    }
    return err;
}

static enum err write_task(struct api *api, struct json_out *out, int64_t task_id,
                           struct reason *reason)
{
    struct query_task task;
    struct str body = { NULL, 0 };
    struct str inputs = { NULL, 0 };
    enum err err = query_task(api->config.store, task_id, &api->arena, &task, reason);
    if (err == ERR_NONE) {
        err = query_task_bodies(api->config.store, task_id, &api->arena, &body, &inputs, reason);
    }
    if (err == ERR_NONE) {
        err = view_task(api, out, NULL, &task, reason);
    }
    if (err == ERR_NONE) {
        err = write_attempts(api, out, &task, reason);
    }
    if (err == ERR_NONE) {
        err = write_spec(api, out, &task, reason);
    }
    if (err == ERR_NONE) {
        err = write_body(out, "inputs", inputs, reason);
    }
    return err;
}

void tasks_get(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    struct reason reason;
    int64_t task_id = 0;
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    enum err err = query_task_id(api->config.store, constellation.record.id, call->params[1],
                                 &task_id, &reason);
    if (err == ERR_NONE) {
        err = write_task(api, &out, task_id, &reason);
    }
    if (err != ERR_NONE) {
        buf_done(&body);
        if (err == ERR_NOT_FOUND) {
            reason_set(&reason, err, "%.*s has no task \"%.*s\"", STR_ARG(constellation.uid),
                       STR_ARG(call->params[1]));
        }
        reply_failed(api, call->request->id, err, &reason);
        return;
    }
    json_out_str(&out, "constellation", constellation.uid);
    json_out_int(&out, "seq", api->seq);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}
