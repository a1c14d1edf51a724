/* See read.h. */
#include "orchestrator/api/read.h"

#include "common/base/mem.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/store/query_event.h"

static void read_free(struct read *read)
{
    if (read->kind->done != NULL) {
        read->kind->done(read);
    }
    buf_done(&read->body);
    arena_done(&read->arena);
    mem_free(read);
}

static void drop(struct api *api, struct work *work)
{
    (void)api;
    read_free(work->owner);
}

/* The snapshot is begun when the request has come in: it has all that was committed by then, and so all
   that its client can have been told of. What was committed since may be in it too; all of it is on the
   disk. */
static enum err read_rows(struct read *read, struct store *store, struct reason *reason)
{
    int64_t oldest = 0;
    int64_t newest = 0;
    enum err err = query_event_range(store, &oldest, &newest, reason);
    read->seq = newest > read->seq ? newest : read->seq;
    if (err == ERR_NONE && read->constellation.record.id != 0) {
        err = query_constellation(store, read->constellation.record.id, &read->arena,
                                  &read->constellation, reason);
    }
    return err == ERR_NONE ? read->kind->rows(read, store, reason) : err;
}

static void run(struct work *work, struct reader *reader)
{
    struct read *read = work->owner;
    struct store *store = NULL;
    if (read->kind->is_parse) {
        read->err = read->kind->rows(read, NULL, &read->reason);
        return;
    }
    read->err = reader_begin(reader, &store, &read->reason);
    if (read->err == ERR_NONE) {
        read->reader = reader;
        read->err = read_rows(read, store, &read->reason);
        reader_end(reader);
    }
}

static void refuse(struct api *api, const struct read *read)
{
    uint64_t request = read->work.request;
    switch ((int)read->err) {
    case ERR_INVALID:
        reply_problem(api, request, read->kind->invalid, "%s", read->reason.text);
        break;
    case ERR_CONFLICT:
        reply_problem(api, request, PROBLEM_CONFLICT, "%s", read->reason.text);
        break;
    case ERR_BUSY:
        reply_problem(api, request, PROBLEM_TOO_MANY, "%s; try again", read->reason.text);
        break;
    case ERR_TIMEOUT:
        reply_problem(api, request, PROBLEM_TOO_LONG, "it takes longer than %d s to read: %s",
                      READER_SNAPSHOT_MS_MAX / 1000, read->kind->too_long);
        break;
    default:
        reply_failed(api, request, read->err, &read->reason);
    }
}

static void done(struct api *api, struct work *work)
{
    struct read *read = work->owner;
    const struct api_route *around = api->route;
    api->route = read->route;
    if (read->err == ERR_NONE && read->kind->rest != NULL) {
        read->err = read->kind->rest(api, read, &read->reason);
    }
    if (read->err == ERR_NONE && read->again) {
        read->again = false;
        read_start(api, read);
        api->route = around;
        return;
    }
    if (read->err == ERR_NONE) {
        reply_json(api, work->request, read->route->status, &read->body);
    } else {
        refuse(api, read);
    }
    api->route = around;
    read_free(read);
}

struct read *read_new(struct api *api, const struct api_call *call, const struct read_kind *kind,
                      const struct query_constellation *constellation)
{
    struct read *read = mem_alloc(sizeof(*read));
    *read = (struct read){
        .work = { .run = run, .done = done, .drop = drop, .owner = read },
        .kind = kind,
        .route = call->route,
        .seq = api->seq,
        .now_wall_ms = api_now(api).wall_ms,
    };
    read->work.request = call->request->id;
    read->constellation.record.id = constellation == NULL ? 0 : constellation->record.id;
    return read;
}

struct read *read_of(struct api *api, const struct api_call *call, const struct read_kind *kind)
{
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return NULL;
    }
    return read_new(api, call, kind, &constellation);
}

void read_start(struct api *api, struct read *read)
{
    bool is_parse = read->kind->is_parse;
    if (!worker_take(is_parse ? api->parser : api->reader, &read->work)) {
        reply_problem(api, read->work.request, PROBLEM_TOO_MANY,
                      "%d long %s are under way; try again",
                      is_parse ? API_PARSES_MAX : API_READS_MAX, is_parse ? "bodies" : "reads");
        read_free(read);
    }
}
