/* Revisions: the edits that have been applied, one after the other. undo.c takes them back. */

#include "orchestrator/api/revisions.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/json_out.h"

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

void revisions_list(struct api *api, const struct api_call *call)
{
    uint64_t request = call->request->id;
    struct reason reason = { "" };
    uint64_t limit = 0;
    uint64_t last = 0;
    if (args_number(&call->args, "limit", 1, API_PAGE_MAX, LIST_DEFAULT, &limit, &reason) !=
            ERR_NONE ||
        args_number(&call->args, "last", 1, UINT32_MAX, UINT32_MAX, &last, &reason) != ERR_NONE) {
        reply_problem(api, request, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    const struct query_revision_list wanted = { .first = 1,
                                                .last = (uint32_t)last,
                                                .limit = (size_t)limit };
    struct query_revisions list;
    enum err err = query_revision_list(api->config.store, constellation.record.id, &wanted,
                                       &api->arena, &list, &reason);
    if (err != ERR_NONE) {
        reply_failed(api, request, err, &reason);
        return;
    }
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", api->seq);
    json_out_str(&out, "constellation", constellation.uid);
    json_out_uint(&out, "revision", constellation.record.revision);
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
    reply_json(api, request, call->route->status, &body);
}

void revisions_get(struct api *api, const struct api_call *call)
{
    uint64_t number = 0;
    struct reason reason = { "" };
    struct query_constellation constellation;
    if (!api_find_constellation(api, call, call->params[0], &constellation)) {
        return;
    }
    struct revision_record revision;
    enum err err = ERR_NOT_FOUND;
    if (str_to_uint64(call->params[1], UINT32_MAX, &number)) {
        err = query_revision(api->config.store, constellation.record.id, (uint32_t)number,
                             &api->arena, &revision, &reason);
    } else {
        reason_set(&reason, err, "a revision is a number");
    }
    if (err != ERR_NONE) {
        reply_failed(api, call->request->id, err, &reason);
        return;
    }
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    view_revision(&out, &revision);
    json_out_raw(&out, "operations", revision.operations);
    json_out_raw(&out, "inverse", revision.inverse);
    json_out_str(&out, "constellation", constellation.uid);
    json_out_int(&out, "seq", api->seq);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}
