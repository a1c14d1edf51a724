/* What a task put out: whole, a range of it, or followed while it runs. Bytes as they are. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/change_words.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/store/query_task.h"

enum {
    OUTPUT_REPLY_BYTES_MAX = 256 * 1024,      /* answered at once; more is streamed */
    OUTPUT_RANGE_BYTES_MAX = 4 * 1024 * 1024, /* of one 206; its Content-Range says so */
    OUTPUT_CHUNK_BYTES = 64 * 1024,
    OUTPUT_ATTEMPTS_MAX = 1000, /* the chain of a task is walked no further */
};

#define OUTPUT_TYPE "application/octet-stream"

struct output_stream {
    struct api_stream stream;
    int64_t task_id;
    uint64_t fence; /* the attempt that is being written; 0: it waits for the first */
    enum stream which;
    uint64_t offset;
    bool is_followed;           /* else: what there is, then the end */
    bool is_one_attempt;        /* asked for by number: later ones are not followed */
    struct output_stream *next; /* of the same task, while a commit is looked through */
};

static void output_free(struct api_stream *stream)
{
    mem_free(stream);
}

static struct str chunk_of(const struct buf *chunk)
{
    return (struct str){ (const char *)chunk->data, chunk->length };
}

/* Reads on until `bytes` are there or the output ends. */
static enum err read_range(struct api *api, uint64_t fence, enum stream which, uint64_t offset,
                           size_t bytes, struct buf *into)
{
    while (into->length < bytes) {
        size_t before = into->length;
        enum err err = store_read_output(api->config.store, fence, which, offset + before,
                                         bytes - before, into);
        if (err != ERR_NONE) {
            return err;
        }
        if (into->length == before) {
            break;
        }
    }
    return ERR_NONE;
}

/* --- Following. --- */

/* The attempt made after `fence`, walking back from the latest; 0: it is the latest. */
static uint64_t attempt_after(struct api *api, uint64_t latest, uint64_t fence)
{
    struct query_attempt attempt;
    struct reason reason;
    uint64_t at = latest;
    for (int i = 0; i < OUTPUT_ATTEMPTS_MAX && at != 0 && at != fence; i++) {
        if (query_attempt(api->config.store, at, &api->arena, &attempt, &reason) != ERR_NONE) {
            return 0;
        }
        if (attempt.record.previous == fence) {
            return at;
        }
        at = attempt.record.previous;
    }
    return 0;
}

/* What follows when an attempt is over and all of it has been written. */
static void attempt_over(struct api *api, struct output_stream *output)
{
    struct query_task task;
    struct reason reason;
    if (!output->is_followed || output->is_one_attempt ||
        query_task(api->config.store, output->task_id, &api->arena, &task, &reason) != ERR_NONE) {
        stream_end(api, &output->stream);
        return;
    }
    uint64_t next = attempt_after(api, task.record.fence, output->fence);
    if (next != 0) {
        output->fence = next;
        output->offset = 0;
        stream_due(api, &output->stream, api_now(api).boot_ms);
    } else if (task_state_is_final((enum task_state)task.record.state)) {
        stream_end(api, &output->stream);
    }
}

static void output_pump(struct api *api, struct api_stream *stream)
{
    struct output_stream *output = (struct output_stream *)stream;
    struct query_attempt attempt;
    struct reason reason;
    if (output->fence == 0) {
        attempt_over(api, output);
        return;
    }
    if (query_attempt(api->config.store, output->fence, &api->arena, &attempt, &reason) !=
        ERR_NONE) {
        stream_end(api, stream); /* deleted, or unreadable */
        return;
    }
    uint64_t total =
        output->which == STREAM_STDOUT ? attempt.record.stdout_bytes : attempt.record.stderr_bytes;
    struct buf chunk = { NULL, 0, 0 };
    while (output->offset < total && !stream->is_gone && stream_has_room(api, stream)) {
        uint64_t left = total - output->offset;
        size_t bytes = left < OUTPUT_CHUNK_BYTES ? (size_t)left : OUTPUT_CHUNK_BYTES;
        buf_clear(&chunk);
        if (read_range(api, output->fence, output->which, output->offset, bytes, &chunk) !=
                ERR_NONE ||
            chunk.length == 0) {
            stream_end(api, stream);
            break;
        }
        output->offset += chunk.length;
        stream_write(api, stream, chunk_of(&chunk));
    }
    buf_done(&chunk);
    bool is_over = attempt.record.state == ATTEMPT_ENDED || attempt.record.state == ATTEMPT_LOST;
    if (!stream->is_gone && output->offset >= total && (is_over || !output->is_followed)) {
        attempt_over(api, output);
    }
}

static const struct stream_kind output_kind = {
    .index = STREAM_OUTPUT,
    .pump = output_pump,
    .free = output_free,
};

/* Those that follow a task are found by its id: a commit may touch thousands. */
static void index_followers(struct api *api, struct map *followers)
{
    for (size_t i = 0; i < api->streams.count; i++) {
        struct api_stream *stream = api->streams.list[i];
        struct output_stream *output = (struct output_stream *)stream;
        if (stream->kind == &output_kind && !stream->is_gone && output->is_followed) {
            output->next = map_get(followers, (uint64_t)output->task_id);
            map_put(followers, (uint64_t)output->task_id, output);
        }
    }
}

void output_committed(struct api *api, const struct effects *effects)
{
    if (api->streams.open[STREAM_OUTPUT] == 0) {
        return;
    }
    struct map followers = { .count = 0 };
    index_followers(api, &followers);
    for (size_t i = 0; i < effects->count && followers.count > 0; i++) {
        const struct effect *effect = &effects->list[i];
        int64_t task_id = 0;
        if (effect->kind == EFFECT_ADD_ATTEMPT || effect->kind == EFFECT_SAVE_ATTEMPT) {
            task_id = effect->attempt->task_id;
        } else if (effect->kind == EFFECT_SAVE_TASK) {
            task_id = effect->task.record->id;
        }
        struct output_stream *output =
            task_id == 0 ? NULL : map_remove(&followers, (uint64_t)task_id);
        while (output != NULL) {
            struct output_stream *next = output->next;
            stream_pump(api, &output->stream);
            output = next;
        }
    }
    map_done(&followers);
}

/* --- Asking. --- */

struct output_wanted {
    enum stream which;
    uint64_t number; /* of the attempt; 0: the latest */
    bool is_followed;
    struct query_task task;
    struct query_attempt attempt;
    bool has_attempt;
};

static enum err read_arguments(const struct api_call *call, struct output_wanted *wanted,
                               struct reason *reason)
{
    struct str text = STR("stdout");
    args_get(&call->args, "stream", &text);
    if (!str_is(text, "stdout") && !str_is(text, "stderr")) {
        return reason_set(reason, ERR_INVALID, "stream must be stdout or stderr");
    }
    wanted->which = str_is(text, "stdout") ? STREAM_STDOUT : STREAM_STDERR;
    enum err err = args_number(&call->args, "attempt", 1, UINT32_MAX, 0, &wanted->number, reason);
    return err != ERR_NONE ? err : args_flag(&call->args, "follow", &wanted->is_followed, reason);
}

/* The attempt that is meant, along the chain. ERR_NOT_FOUND: there is none of that number. */
static enum err find_attempt(struct api *api, struct output_wanted *wanted, struct reason *reason)
{
    wanted->attempt = wanted->task.attempt;
    wanted->has_attempt = wanted->task.has_attempt;
    if (wanted->number == 0) {
        return ERR_NONE;
    }
    for (int i = 0; wanted->has_attempt && i < OUTPUT_ATTEMPTS_MAX; i++) {
        if (wanted->attempt.record.number == wanted->number) {
            return ERR_NONE;
        }
        if (wanted->attempt.record.previous == 0) {
            break;
        }
        enum err err = query_attempt(api->config.store, wanted->attempt.record.previous,
                                     &api->arena, &wanted->attempt, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    return reason_set(reason, ERR_NOT_FOUND, "it has no attempt %" PRIu64, wanted->number);
}

enum range_verdict {
    RANGE_NONE, /* not asked for, or not in a way that we serve: the whole */
    RANGE_PART,
    RANGE_OUTSIDE,
};

/* "bytes=a-b", "bytes=a-", "bytes=-n" to [*ret_from, *ret_to). */
static enum range_verdict read_range_header(struct str header, uint64_t total, uint64_t *ret_from,
                                            uint64_t *ret_to)
{
    struct str unit = STR("bytes=");
    if (!str_starts_with(header, unit) || memchr(header.data, ',', header.length) != NULL) {
        return RANGE_NONE;
    }
    struct str text = { header.data + unit.length, header.length - unit.length };
    const char *dash = text.length == 0 ? NULL : memchr(text.data, '-', text.length);
    if (dash == NULL) {
        return RANGE_NONE;
    }
    struct str first = { text.data, (size_t)(dash - text.data) };
    struct str last = { dash + 1, text.length - first.length - 1 };
    uint64_t from = 0;
    uint64_t to = total;
    if (first.length == 0) {
        uint64_t tail = 0;
        if (!str_to_uint64(last, INT64_MAX, &tail)) {
            return RANGE_NONE;
        }
        from = tail < total ? total - tail : 0;
        if (tail == 0) {
            return RANGE_OUTSIDE;
        }
    } else {
        if (!str_to_uint64(first, INT64_MAX, &from) ||
            (last.length != 0 && !str_to_uint64(last, INT64_MAX - 1, &to))) {
            return RANGE_NONE;
        }
        if (last.length != 0) {
            if (to < from) {
                return RANGE_NONE;
            }
            to = to + 1 < total ? to + 1 : total;
        }
    }
    if (from >= total) {
        return RANGE_OUTSIDE;
    }
    *ret_from = from;
    *ret_to = to;
    return RANGE_PART;
}

static void refuse_range(struct api *api, uint64_t request, uint64_t total)
{
    char value[64];
    snprintf(value, sizeof(value), "bytes */%" PRIu64, total);
    struct net_header header = { STR("content-range"), str_of(value) };
    struct buf body = { NULL, 0, 0 };
    enum problem_code code = route_refusal(api->route, PROBLEM_RANGE_NOT_SATISFIABLE);
    problem_write(&body, code, STR("the range is behind the end"), NULL, 0);
    net_reply(api->config.net, request, problem_status(code), REPLY_PROBLEM, &header, 1,
              chunk_of(&body));
    buf_done(&body);
}

/* An answer with its length: all of it, or the range. */
static void reply_bytes(struct api *api, uint64_t request, const struct output_wanted *wanted,
                        uint64_t from, uint64_t to, uint64_t total, bool is_part)
{
    uint64_t bytes = to - from;
    if (is_part && bytes > OUTPUT_RANGE_BYTES_MAX) {
        bytes = OUTPUT_RANGE_BYTES_MAX;
    }
    struct buf body = { NULL, 0, 0 };
    struct reason reason;
    enum err err =
        read_range(api, wanted->attempt.record.fence, wanted->which, from, (size_t)bytes, &body);
    if (err != ERR_NONE || (is_part && body.length == 0)) {
        buf_done(&body);
        reason_set(&reason, ERR_IO, "the stored output cannot be read");
        reply_failed(api, request, ERR_IO, &reason);
        return;
    }
    char value[96];
    snprintf(value, sizeof(value), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from,
             from + body.length - (body.length > 0 ? 1 : 0), total);
    struct net_header headers[] = {
        { STR("accept-ranges"), STR("bytes") },
        { STR("content-range"), str_of(value) },
    };
    int status = is_part ? api->route->other : api->route->status;
    net_reply(api->config.net, request, status, OUTPUT_TYPE, headers, is_part ? 2 : 1,
              chunk_of(&body));
    buf_done(&body);
}

static void begin_stream(struct api *api, const struct api_call *call,
                         const struct output_wanted *wanted)
{
    if (!stream_may_begin(api, call->request->id)) {
        return;
    }
    struct output_stream *output = mem_alloc(sizeof(*output));
    output->task_id = wanted->task.record.id;
    output->fence = wanted->has_attempt ? wanted->attempt.record.fence : 0;
    output->which = wanted->which;
    output->is_followed = wanted->is_followed;
    output->is_one_attempt = wanted->number != 0;
    stream_begin_take(api, &output->stream, &output_kind, call->request, OUTPUT_TYPE);
    stream_pump(api, &output->stream);
}

static void answer(struct api *api, const struct api_call *call, const struct output_wanted *wanted)
{
    uint64_t request = call->request->id;
    if (wanted->is_followed) {
        begin_stream(api, call, wanted);
        return;
    }
    if (!wanted->has_attempt) {
        reply_problem(api, request, PROBLEM_NOT_FOUND, "the task has not run");
        return;
    }
    uint64_t total = wanted->which == STREAM_STDOUT ? wanted->attempt.record.stdout_bytes
                                                    : wanted->attempt.record.stderr_bytes;
    uint64_t from = 0;
    uint64_t to = total;
    enum range_verdict verdict = read_range_header(call->request->range, total, &from, &to);
    if (verdict == RANGE_OUTSIDE) {
        refuse_range(api, request, total);
    } else if (verdict == RANGE_PART || total <= OUTPUT_REPLY_BYTES_MAX) {
        reply_bytes(api, request, wanted, from, to, total, verdict == RANGE_PART);
    } else {
        begin_stream(api, call, wanted);
    }
}

void output_get(struct api *api, const struct api_call *call)
{
    struct query_constellation constellation;
    struct output_wanted wanted = { .number = 0 };
    struct reason reason;
    if (read_arguments(call, &wanted, &reason) != ERR_NONE) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    int64_t task_id = 0;
    enum err err = query_task_id(api->config.store, constellation.record.id, call->params[1],
                                 &task_id, &reason);
    if (err == ERR_NOT_FOUND) {
        err = change_no_task(api->config.store, &api->arena, &constellation, call->params[1],
                             &reason);
    }
    if (err == ERR_NONE) {
        err = query_task(api->config.store, task_id, &api->arena, &wanted.task, &reason);
    }
    if (err == ERR_NONE) {
        err = find_attempt(api, &wanted, &reason);
    }
    if (err != ERR_NONE) {
        reply_failed(api, call->request->id, err, &reason);
        return;
    }
    answer(api, call, &wanted);
}
