/* Tasks of a constellation, page by page: which ones and their rows are read beside the loop, what they
   wait for is said in it. Where only the engine can tell which ones are wanted (ready, or waiting and
   not ready), they are picked in the loop, between two reads. */
#include <stdlib.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/read.h"
#include "orchestrator/api/view.h"

enum {
    LIST_DEFAULT = 200,
    SCAN_SLICE = 1000, /* states read at a time */
    SCAN_MAX = 50000,  /* looked at for one filtered page; the client goes on from there */
    STATES_COUNT = 10,
    WAITING = 1U << 0, /* by place in the table */
    READY = 1U << 1,
    TASK_DEPTH = 3,        /* of a task in a page: the answer, its list, the task */
    NEED_BYTES_LEAST = 60, /* that a dependency weighs beside its texts */
};

static const char *const states[STATES_COUNT] = {
    "waiting",   "ready",  "assigned",  "running", "backoff",
    "succeeded", "failed", "cancelled", "skipped", "unknown",
};

struct page {
    uint32_t states; /* bits by place in the table above; 0: all */
    size_t limit;
    int64_t after;
    bool has_keys;
    struct str keys; /* those that are named, and no others */
    struct str only; /* fields */
    struct query_task_state *picked;
    size_t picked_count;
    bool is_picked;
    int64_t next; /* 0: there are no more */
    struct view_rows *rows;
    size_t rows_count;
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

/* The rows do not tell ready tasks from others that wait. */
static bool asks_engine(const struct page *page)
{
    uint32_t bits = page->states & (WAITING | READY);
    return bits == WAITING || bits == READY;
}

static bool may_be_wanted(const struct page *page, enum task_state state)
{
    uint32_t bits =
        state == TASK_WAITING ? WAITING | READY : state_bit(str_of(task_state_name(state)));
    return page->states == 0 || (page->states & bits) != 0;
}

static bool is_wanted(const struct api *api, const struct page *page, int64_t constellation_id,
                      int64_t task_id, enum task_state state)
{
    struct task_record record = { .id = task_id, .state = (uint8_t)state };
    return page->states == 0 ||
           (page->states & state_bit(str_of(view_task_state(api, constellation_id, &record)))) != 0;
}

/* --- Beside the loop. --- */

/* In the order they were written, from behind `after`: a page of them, or, if the engine is to be asked,
   all that may be wanted. */
static enum err pick_range(struct read *read, struct store *store, struct page *page,
                           struct reason *reason)
{
    int64_t after = page->after;
    size_t max = asks_engine(page) ? SCAN_MAX : page->limit;
    size_t scanned = 0;
    size_t count = SCAN_SLICE;
    struct query_task_state slice[SCAN_SLICE];
    page->picked = arena_array(&read->arena, max, sizeof(page->picked[0]));
    while (count == SCAN_SLICE && scanned < SCAN_MAX) {
        enum err err =
            query_task_scan(store, &read->constellation, after, slice, SCAN_SLICE, &count, reason);
        for (size_t i = 0; err == ERR_NONE && i < count; i++) {
            if (page->picked_count == max) {
                page->next = after;
                return ERR_NONE;
            }
            after = slice[i].id;
            if (may_be_wanted(page, slice[i].state)) {
                page->picked[page->picked_count++] = slice[i];
            }
        }
        if (err != ERR_NONE) {
            return err;
        }
        scanned += count;
    }
    page->next = count == SCAN_SLICE ? after : 0;
    return ERR_NONE;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = ((const struct query_task_state *)a)->id;
    int64_t y = ((const struct query_task_state *)b)->id;
    return (x > y) - (x < y);
}

/* Those that are named; a key that there is not is left out, so that the client sees what is there. */
static enum err find_keys(struct read *read, struct store *store, const struct page *page,
                          struct query_task_state *list, size_t *ret_count, struct reason *reason)
{
    size_t at = 0;
    struct str key;
    while (args_item(page->keys, &at, &key)) {
        struct query_task task;
        int64_t id = 0;
        if (*ret_count == API_PAGE_MAX) {
            return reason_set(reason, ERR_INVALID, "at most %d keys at a time", API_PAGE_MAX);
        }
        enum err err = query_task_id(store, read->constellation.record.id, key, &id, reason);
        if (err == ERR_NONE) {
            struct arena arena = { 0 };
            err = query_task(store, id, &arena, &task, reason);
            arena_done(&arena);
        }
        if (err == ERR_NONE) {
            list[(*ret_count)++] =
                (struct query_task_state){ id, (enum task_state)task.record.state };
        } else if (err != ERR_NOT_FOUND) {
            return err;
        }
    }
    return ERR_NONE;
}

static enum err pick_keys(struct read *read, struct store *store, struct page *page,
                          struct reason *reason)
{
    struct query_task_state *list = arena_array(&read->arena, API_PAGE_MAX, sizeof(*list));
    size_t count = 0;
    enum err err = find_keys(read, store, page, list, &count, reason);
    if (err != ERR_NONE) {
        return err;
    }
    qsort(list, count, sizeof(*list), compare_ids);
    page->picked = arena_array(&read->arena, count, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        if (list[i].id <= page->after || (i > 0 && list[i].id == list[i - 1].id) ||
            !may_be_wanted(page, list[i].state)) {
            continue;
        }
        if (page->picked_count == page->limit && !asks_engine(page)) {
            page->next = list[i].id - 1;
            return ERR_NONE;
        }
        page->picked[page->picked_count++] = list[i];
    }
    return ERR_NONE;
}

/* No more than it will weigh as JSON. */
static size_t weight_of(const struct view_rows *rows)
{
    const struct query_task *task = &rows->task;
    size_t bytes = task->key.length + task->description.length + task->selector.length +
                   task->attempt.result.length + rows->reason.length;
    for (size_t i = 0; i < rows->needs_count; i++) {
        bytes += NEED_BYTES_LEAST + rows->needs[i].task.length + rows->needs[i].condition.length;
    }
    return bytes;
}

static enum err read_tasks(struct read *read, struct store *store, struct page *page,
                           struct reason *reason)
{
    const struct json_out out = { .only = page->only };
    size_t bytes = 0;
    page->rows = arena_array(&read->arena, page->picked_count, sizeof(page->rows[0]));
    for (size_t i = 0; i < page->picked_count; i++) {
        if (bytes >= API_PAGE_BYTES_MAX) {
            page->next = page->picked[i - 1].id;
            break;
        }
        struct view_rows *rows = &page->rows[page->rows_count];
        enum err err = view_task_rows(store, page->picked[i].id, &out, &read->arena, rows, reason);
        if (err == ERR_NONE) {
            bytes += page->only.length == 0 ? weight_of(rows) : 0;
            page->rows_count++;
        } else if (err != ERR_NOT_FOUND) { /* removed since it was picked */
            return err;
        }
    }
    return ERR_NONE;
}

static enum err rows(struct read *read, struct store *store, struct reason *reason)
{
    struct page *page = read->data;
    enum err err = ERR_NONE;
    if (!page->is_picked) {
        err = page->has_keys ? pick_keys(read, store, page, reason)
                             : pick_range(read, store, page, reason);
        page->is_picked = err == ERR_NONE && !asks_engine(page);
    }
    return err == ERR_NONE && page->is_picked ? read_tasks(read, store, page, reason) : err;
}

/* --- In the loop. --- */

/* Keeps a page of those that the engine says are wanted. */
static void pick(const struct api *api, const struct read *read, struct page *page)
{
    size_t kept = 0;
    for (size_t i = 0; i < page->picked_count; i++) {
        struct query_task_state task = page->picked[i];
        if (!is_wanted(api, page, read->constellation.record.id, task.id, task.state)) {
            continue;
        }
        if (kept == page->limit) {
            page->next = page->picked[kept - 1].id;
            break;
        }
        page->picked[kept++] = task;
    }
    page->picked_count = kept;
    page->is_picked = true;
}

static enum err rest(struct api *api, struct read *read, struct reason *reason)
{
    (void)reason;
    struct page *page = read->data;
    if (!page->is_picked) {
        pick(api, read, page);
        read->again = true;
        return ERR_NONE;
    }
    struct json_out out = { .buf = &read->body, .only = page->only, .only_depth = TASK_DEPTH };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", read->seq);
    json_out_str(&out, "constellation", read->constellation.uid);
    json_out_text(&out, "state", view_constellation_state(api, &read->constellation.record));
    json_out_array(&out, "tasks");
    for (size_t i = 0; i < page->rows_count; i++) {
        const struct task_record *task = &page->rows[i].task.record;
        if (read->body.length >= API_PAGE_BYTES_MAX) {
            page->next = page->rows[i - 1].task.record.id;
            break;
        }
        if (is_wanted(api, page, read->constellation.record.id, task->id,
                      (enum task_state)task->state)) {
            view_task(api, &out, NULL, &page->rows[i]);
            json_out_object_end(&out);
        }
    }
    json_out_array_end(&out);
    if (page->next != 0) {
        json_out_int(&out, "next", page->next);
    } else {
        json_out_null(&out, "next");
    }
    json_out_object_end(&out);
    return ERR_NONE;
}

static const struct read_kind page_read = {
    .rows = rows,
    .rest = rest,
    .too_long = "ask for fewer by limit",
};

void tasks_list(struct api *api, const struct api_call *call)
{
    struct page page = { .states = 0 };
    struct reason reason;
    struct str text;
    uint64_t limit = 0;
    uint64_t after = 0;
    if (args_number(&call->args, "limit", 1, API_PAGE_MAX, LIST_DEFAULT, &limit, &reason) !=
            ERR_NONE ||
        args_number(&call->args, "after", 0, INT64_MAX, 0, &after, &reason) != ERR_NONE ||
        (args_get(&call->args, "state", &text) &&
         read_states(text, &page.states, &reason) != ERR_NONE)) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    struct read *read = read_of(api, call, &page_read);
    if (read == NULL) {
        return;
    }
    page.limit = (size_t)limit;
    page.after = (int64_t)after;
    page.has_keys = args_get(&call->args, "keys", &text);
    page.keys = page.has_keys ? arena_str(&read->arena, text) : page.keys;
    page.only = args_get(&call->args, "fields", &text) ? arena_str(&read->arena, text) : page.only;
    read->data = arena_alloc(&read->arena, sizeof(page));
    *(struct page *)read->data = page;
    read_start(api, read);
}
