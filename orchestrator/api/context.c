/* One consistent view of a constellation for a planner, within a given number of bytes: what it is, what
   has failed and what that put out, what is held, then the plan from what matters most to what matters
   least. What does not fit is left out, and what was left out is said. */
#include <string.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/edit_lookup.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/read.h"
#include "orchestrator/api/view.h"
#include "orchestrator/engine/attention.h"
#include "orchestrator/spec/spec_text.h"
#include "orchestrator/store/query_hold.h"

enum {
    CONTEXT_BYTES_DEFAULT = 32 * 1024,
    CONTEXT_BYTES_MIN = 2 * 1024,
    CONTEXT_SCAN_MAX = 20000, /* tasks looked at */
    CONTEXT_PAGE = 1000,
    CONTEXT_FAILED_MAX = 50, /* with their output */
    CONTEXT_HOLDS_MAX = 50,
    CONTEXT_TAIL_BYTES = 2048, /* of each stream */
    CONTEXT_REST_BYTES = 512,  /* kept free for the words on what was left out */
    CONTEXT_GROWTH_BYTES = 64, /* by which the head may become longer meanwhile */
    CONTEXT_WORD_BYTES = 9,    /* "waiting" with its quotes */
};

/* Where the body says that a task waits: whether it is ready only the engine knows. */
struct waiting {
    int64_t task_id;
    size_t at;
};

struct context {
    struct read *read;
    struct store *store;
    const struct query_constellation *constellation;
    struct edit_top top;
    struct buf *body; /* what stands behind the head */
    struct json_out out;
    size_t head_bytes; /* kept free for it */
    struct waiting *waiting;
    size_t waiting_count;
    size_t bytes_max;
    struct query_task_state *states;
    size_t states_count;
    bool has_more_tasks; /* than were looked at */
    size_t dropped_tasks;
    size_t dropped_specs;
    size_t dropped_failed;
    struct reason *reason;
};

/* What the handler gives and the rows leave for the loop. */
struct wanted {
    size_t bytes_max;
    size_t head_bytes;
    struct waiting *waiting;
    size_t waiting_count;
};

/* From what matters most. */
static int rank_of(enum task_state state)
{
    switch (state) {
    case TASK_FAILED:
    case TASK_UNKNOWN:
        return 0;
    case TASK_RUNNING:
    case TASK_ASSIGNED:
    case TASK_BACKOFF:
        return 1;
    case TASK_WAITING:
        return 2;
    case TASK_SKIPPED:
        return 3;
    case TASK_CANCELLED:
        return 4;
    case TASK_SUCCEEDED:
    case TASK_STATES_END:
        return 5;
    }
    return 5;
}

static enum err read_states(struct context *context)
{
    context->states =
        arena_array(&context->read->arena, CONTEXT_SCAN_MAX, sizeof(*context->states));
    int64_t after = 0;
    size_t got = CONTEXT_PAGE;
    while (got == CONTEXT_PAGE && context->states_count < CONTEXT_SCAN_MAX) {
        struct query_task_state *list = context->states + context->states_count;
        enum err err = query_task_scan(context->store, context->constellation, after, list,
                                       CONTEXT_PAGE, &got, context->reason);
        if (err != ERR_NONE) {
            return err;
        }
        context->states_count += got;
        after = got > 0 ? list[got - 1].id : after;
    }
    context->has_more_tasks = got == CONTEXT_PAGE;
    return ERR_NONE;
}

static bool has_room(const struct context *context, size_t bytes)
{
    return context->head_bytes + context->body->length + bytes + CONTEXT_REST_BYTES <=
           context->bytes_max;
}

/* Takes it back if it does not fit. The comma before it goes with it. */
static bool keep(struct context *context, size_t before, bool had_comma)
{
    if (has_room(context, 0)) {
        return true;
    }
    context->body->length = before;
    context->out.comma = had_comma;
    return false;
}

static enum err write_tail(struct context *context, const char *name, uint64_t fence,
                           enum stream stream, uint64_t bytes)
{
    struct buf tail = { NULL, 0, 0 };
    uint64_t offset = bytes > CONTEXT_TAIL_BYTES ? bytes - CONTEXT_TAIL_BYTES : 0;
    enum err err = bytes == 0 ? ERR_NONE
                              : store_read_output(context->store, fence, stream, offset,
                                                  CONTEXT_TAIL_BYTES, &tail);
    if (err == ERR_NONE && tail.length > 0) {
        json_out_str(&context->out, name, (struct str){ (const char *)tail.data, tail.length });
    }
    buf_done(&tail);
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err write_failed_one(struct context *context, int64_t id)
{
    struct json_out *out = &context->out;
    struct query_task task;
    enum err err = query_task(context->store, id, &context->read->arena, &task, context->reason);
    if (err != ERR_NONE) {
        return err;
    }
    json_out_object(out, NULL);
    json_out_str(out, "task", task.key);
    json_out_text(out, "state", task_state_name((enum task_state)task.record.state));
    json_out_uint(out, "attempts", task.record.attempts);
    if (task.reason.length > 0) {
        json_out_str(out, "reason", task.reason);
    }
    if (task.has_attempt) {
        const struct attempt_record *attempt = &task.attempt.record;
        json_out_str(out, "device", task.attempt.device);
        json_out_int(out, "exit_code", attempt->exit_code);
        if (task.attempt.reason.length > 0) {
            json_out_str(out, "attempt_reason", task.attempt.reason);
        }
        err = write_tail(context, "stdout_tail", attempt->fence, STREAM_STDOUT,
                         attempt->stdout_bytes);
        if (err == ERR_NONE) {
            err = write_tail(context, "stderr_tail", attempt->fence, STREAM_STDERR,
                             attempt->stderr_bytes);
        }
    }
    json_out_object_end(out);
    return err;
}

/* At most half of all that there is room for. */
static enum err write_failed(struct context *context)
{
    size_t listed = 0;
    enum err err = ERR_NONE;
    json_out_array(&context->out, "failed");
    for (size_t i = 0; err == ERR_NONE && i < context->states_count; i++) {
        if (rank_of(context->states[i].state) != 0) {
            continue;
        }
        if (listed == CONTEXT_FAILED_MAX ||
            context->head_bytes + context->body->length > context->bytes_max / 2) {
            context->dropped_failed++;
            continue;
        }
        size_t before = context->body->length;
        bool had_comma = context->out.comma;
        err = write_failed_one(context, context->states[i].id);
        if (err == ERR_NONE && !keep(context, before, had_comma)) {
            context->dropped_failed++;
        }
        listed++;
    }
    json_out_array_end(&context->out);
    return err;
}

static enum err write_holds(struct context *context)
{
    struct query_holds holds = { .count = 0 };
    enum err err =
        query_hold_list(context->store, context->constellation->record.id, 0, CONTEXT_HOLDS_MAX,
                        &context->read->arena, &holds, context->reason);
    json_out_array(&context->out, "held_by");
    for (size_t i = 0; i < holds.count; i++) {
        size_t before = context->body->length;
        bool had_comma = context->out.comma;
        view_hold_row(context->store, &context->read->arena, &context->out, NULL, &holds.list[i]);
        json_out_object_end(&context->out);
        if (!keep(context, before, had_comma)) {
            break;
        }
    }
    json_out_array_end(&context->out);
    return err;
}

/* Whole if it fits; else its state alone; else not at all. */
static enum err write_task(struct context *context, int64_t id)
{
    struct json_out *out = &context->out;
    struct arena arena = { 0 };
    struct edit_known known;
    enum err err = edit_lookup_task(context->store, id, &arena, &known, context->reason);
    for (int with_spec = 1; err == ERR_NONE && with_spec >= 0; with_spec--) {
        size_t before = context->body->length;
        bool had_comma = out->comma;
        json_out_object(out, NULL);
        json_out_str(out, "task", known.task.key);
        json_out_text(out, "state", task_state_name((enum task_state)known.record.state));
        size_t state_end = context->body->length;
        if (with_spec == 1) {
            json_out_raw(out, "spec", edit_known_render(&known, &context->top, &arena));
        }
        json_out_object_end(out);
        if (keep(context, before, had_comma)) {
            if (known.record.state == TASK_WAITING) {
                context->waiting[context->waiting_count++] =
                    (struct waiting){ id, state_end - CONTEXT_WORD_BYTES };
            }
            break;
        }
        context->dropped_specs += with_spec == 1;
        context->dropped_tasks += with_spec == 0;
        context->dropped_specs -= with_spec == 0;
    }
    arena_done(&arena);
    return err;
}

static enum err write_tasks(struct context *context)
{
    enum err err = ERR_NONE;
    json_out_array(&context->out, "plan");
    for (int rank = 0; rank <= 5; rank++) {
        for (size_t i = 0; err == ERR_NONE && i < context->states_count; i++) {
            if (rank_of(context->states[i].state) != rank) {
                continue;
            }
            if (!has_room(context, 40)) { /* not even a name */
                context->dropped_tasks++;
            } else {
                err = write_task(context, context->states[i].id);
            }
        }
    }
    json_out_array_end(&context->out);
    return err;
}

/* What stands behind the head. */
static enum err write_body(struct context *context)
{
    struct json_out *out = &context->out;
    json_out_int(out, "seq", context->read->seq);
    enum err err = edit_lookup_top(context->store, context->constellation->record.id,
                                   &context->read->arena, &context->top, context->reason);
    if (err == ERR_NONE) {
        err = read_states(context);
    }
    if (err == ERR_NONE) {
        err = write_failed(context);
    }
    if (err == ERR_NONE) {
        err = write_holds(context);
    }
    if (err == ERR_NONE) {
        context->waiting =
            arena_array(&context->read->arena, context->states_count, sizeof(*context->waiting));
        err = write_tasks(context);
    }
    json_out_object(out, "dropped");
    json_out_uint(out, "tasks", context->dropped_tasks);
    json_out_uint(out, "specs", context->dropped_specs);
    json_out_uint(out, "failed", context->dropped_failed);
    json_out_bool(out, "more_tasks", context->has_more_tasks);
    json_out_object_end(out);
    json_out_object_end(out);
    return err;
}

static enum err rows(struct read *read, struct store *store, struct reason *reason)
{
    struct wanted *wanted = read->data;
    struct context context = {
        .read = read,
        .store = store,
        .constellation = &read->constellation,
        .body = &read->body,
        .out = { .buf = &read->body, .comma = true, .depth = 1 },
        .head_bytes = wanted->head_bytes,
        .bytes_max = wanted->bytes_max,
        .reason = reason,
    };
    enum err err = write_body(&context);
    wanted->waiting = context.waiting;
    wanted->waiting_count = context.waiting_count;
    return err;
}

/* Its description may weigh more than there is room for: then it is cut. */
static void write_head(struct api *api, const struct query_constellation *constellation,
                       size_t bytes_max, struct buf *head)
{
    struct json_out out = { .buf = head };
    struct query_constellation shown = *constellation;
    view_constellation(api, &out, NULL, &shown);
    if (head->length > bytes_max) {
        buf_clear(head);
        out = (struct json_out){ .buf = head };
        shown.description = spec_text_cut(shown.description, bytes_max / 8);
        view_constellation(api, &out, NULL, &shown);
    }
}

/* The counts, the pause and what is ready are the engine's, of the instant of the answer. */
static enum err rest(struct api *api, struct read *read, struct reason *reason)
{
    (void)reason;
    const struct wanted *wanted = read->data;
    struct buf whole = { NULL, 0, 0 };
    for (size_t i = 0; i < wanted->waiting_count; i++) {
        const struct waiting *waiting = &wanted->waiting[i];
        if (engine_task_is_ready(api->config.engine, read->constellation.record.id,
                                 waiting->task_id)) {
            memcpy(read->body.data + waiting->at, "\"ready\"  ", CONTEXT_WORD_BYTES);
        }
    }
    size_t room = wanted->bytes_max - read->body.length;
    size_t half = wanted->bytes_max / 2;
    write_head(api, &read->constellation, room < half ? room : half, &whole);
    buf_append(&whole, read->body.data, read->body.length);
    buf_done(&read->body);
    read->body = whole;
    return ERR_NONE;
}

static const struct read_kind context_read = {
    .rows = rows,
    .rest = rest,
    .too_long = "ask for less by max_bytes",
};

void context_get(struct api *api, const struct api_call *call)
{
    struct reason reason = { "" };
    uint64_t bytes = 0;
    if (args_number(&call->args, "max_bytes", CONTEXT_BYTES_MIN, API_PAGE_BYTES_MAX,
                    CONTEXT_BYTES_DEFAULT, &bytes, &reason) != ERR_NONE) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    struct read *read = read_of(api, call, &context_read);
    if (read == NULL) {
        return;
    }
    struct wanted *wanted = arena_alloc(&read->arena, sizeof(*wanted));
    struct buf head = { NULL, 0, 0 };
    write_head(api, &read->constellation, (size_t)bytes / 2, &head);
    /* As long as it is now, or a little longer: its numbers may grow until it is written. */
    *wanted = (struct wanted){ .bytes_max = (size_t)bytes,
                               .head_bytes = head.length + CONTEXT_GROWTH_BYTES };
    buf_done(&head);
    read->data = wanted;
    read_start(api, read);
}
