/* Revisions: the edits that have been applied, one after the other. undo.c takes them back. */

#include "orchestrator/api/revisions.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/json_out.h"
#include "orchestrator/api/read.h"

enum { LIST_DEFAULT = 50 };

void view_revision(struct json_out *out, const struct revision_record *revision)
{
    json_out_object(out, NULL);
    json_out_uint(out, "revision", revision->number);
    json_out_uint(out, "base_revision", revision->base);
    json_out_time(out, "at", revision->wall_ms);
    json_out_object(out, "author");
    json_out_text(out, "kind", author_kind_name(revision->author_kind));
    json_out_str(out, "name", revision->author);
    json_out_object_end(out);
    json_out_str_or_null(out, "reason", revision->reason);
}

static enum err list_rows(struct read *read, struct store *store, struct reason *reason)
{
    struct query_revisions list;
    enum err err = query_revision_list(store, read->constellation.record.id, read->data,
                                       &read->arena, &list, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct json_out out = { .buf = &read->body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", read->seq);
    json_out_str(&out, "constellation", read->constellation.uid);
    json_out_uint(&out, "revision", read->constellation.record.revision);
    json_out_array(&out, "revisions");
    for (size_t i = 0; i < list.count; i++) {
        view_revision(&out, &list.list[i]);
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    if (list.next != 0) {
        json_out_uint(&out, "next", list.next);
    } else {
        json_out_null(&out, "next");
    }
    json_out_object_end(&out);
    return ERR_NONE;
}

static const struct read_kind list_read = { .rows = list_rows,
                                            .too_long = "ask for fewer by limit" };

void revisions_list(struct api *api, const struct api_call *call)
{
    struct reason reason = { "" };
    uint64_t limit = 0;
    uint64_t last = 0;
    if (args_number(&call->args, "limit", 1, API_PAGE_MAX, LIST_DEFAULT, &limit, &reason) !=
            ERR_NONE ||
        args_number(&call->args, "last", 1, UINT32_MAX, UINT32_MAX, &last, &reason) != ERR_NONE) {
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    struct read *read = read_of(api, call, &list_read);
    if (read == NULL) {
        return;
    }
    struct query_revision_list *wanted = arena_alloc(&read->arena, sizeof(*wanted));
    *wanted =
        (struct query_revision_list){ .first = 1, .last = (uint32_t)last, .limit = (size_t)limit };
    read->data = wanted;
    read_start(api, read);
}

static enum err one_rows(struct read *read, struct store *store, struct reason *reason)
{
    struct revision_record revision;
    enum err err = query_revision(store, read->constellation.record.id,
                                  *(const uint32_t *)read->data, &read->arena, &revision, reason);
    if (err != ERR_NONE) {
        return err;
    }
    struct json_out out = { .buf = &read->body };
    view_revision(&out, &revision);
    json_out_raw(&out, "operations", revision.operations);
    json_out_raw(&out, "inverse", revision.inverse);
    json_out_str(&out, "constellation", read->constellation.uid);
    json_out_int(&out, "seq", read->seq);
    json_out_object_end(&out);
    return ERR_NONE;
}

static const struct read_kind one_read = { .rows = one_rows, .too_long = "try again" };

void revisions_get(struct api *api, const struct api_call *call)
{
    uint64_t number = 0;
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    if (!str_to_uint64(call->params[1], UINT32_MAX, &number)) {
        reply_problem(api, call->request->id, PROBLEM_NOT_FOUND, "a revision is a number");
        return;
    }
    struct read *read = read_new(api, call, &one_read, &constellation);
    uint32_t *wanted = arena_alloc(&read->arena, sizeof(*wanted));
    *wanted = (uint32_t)number;
    read->data = wanted;
    read_start(api, read);
}
