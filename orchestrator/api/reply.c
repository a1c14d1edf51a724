/* See reply.h. */
#include "orchestrator/api/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/json_out.h"

static const struct {
    int status;
    const char *name;
    const char *title;
} problems[PROBLEM_CODES_COUNT] = {
    [PROBLEM_BAD_REQUEST] = { 400, "bad_request", "Bad request" },
    [PROBLEM_UNAUTHORIZED] = { 401, "unauthorized", "A token is needed" },
    [PROBLEM_FORBIDDEN] = { 403, "forbidden", "This token may not do this" },
    [PROBLEM_NOT_FOUND] = { 404, "not_found", "Not found" },
    [PROBLEM_METHOD_NOT_ALLOWED] = { 405, "method_not_allowed", "Method not allowed" },
    [PROBLEM_AMBIGUOUS_ID] = { 409, "ambiguous_id", "Several have an id that starts so" },
    [PROBLEM_NOT_FINAL] = { 409, "not_final", "It has not ended" },
    [PROBLEM_ALREADY_FINAL] = { 409, "already_final", "It has ended" },
    [PROBLEM_ALREADY_EXISTS] = { 409, "already_exists", "The name is taken" },
    [PROBLEM_CONFLICT] = { 409, "conflict", "Not in this state" },
    [PROBLEM_TASK_RUNNING] = { 409, "task_running", "A task of it is running" },
    [PROBLEM_TASK_UNKNOWN] = { 409, "task_unknown", "A task of it must be resolved first" },
    [PROBLEM_TASK_SKIPPED] = { 409, "task_skipped", "A task of it was skipped" },
    [PROBLEM_NOT_FAILED] = { 409, "not_failed", "A task of it has not failed" },
    [PROBLEM_NOT_UNKNOWN] = { 409, "not_unknown", "Its fate is known" },
    [PROBLEM_EVENT_GAP] = { 410, "event_gap", "The events before have gone" },
    [PROBLEM_BODY_TOO_LARGE] = { 413, "body_too_large", "The body is too large" },
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = { 415, "unsupported_media_type", "Unsupported media type" },
    [PROBLEM_RANGE_NOT_SATISFIABLE] = { 416, "range_not_satisfiable", "Range not satisfiable" },
    [PROBLEM_INVALID_SPEC] = { 422, "invalid_spec", "The spec is not valid" },
    [PROBLEM_EDIT_CONFLICT] = { 409, "edit_conflict", "What it touches has changed" },
    [PROBLEM_EDIT_REFUSED] = { 422, "edit_refused", "The edit cannot be applied" },
    [PROBLEM_INVALID_EDIT] = { 422, "invalid_edit", "The edit is not valid" },
    [PROBLEM_HOLD_TOO_WIDE] = { 422, "hold_too_wide", "More tasks than a hold may name" },
    [PROBLEM_IDEMPOTENCY_MISMATCH] = { 422, "idempotency_mismatch",
                                       "The Idempotency-Key belongs to another body" },
    [PROBLEM_TOO_MANY] = { 503, "too_many", "Too much at once" },
    [PROBLEM_TOO_LONG] = { 503, "too_long", "It takes too long" },
    [PROBLEM_BLOCKED] = { 503, "blocked", "The database was restored" },
    [PROBLEM_INTERNAL] = { 500, "internal", "Internal error" },
};

int problem_status(enum problem_code code)
{
    return problems[code].status;
}

const char *problem_name(enum problem_code code)
{
    return problems[code].name;
}

static void write_item(struct json_out *out, const struct problem_item *item)
{
    json_out_object(out, NULL);
    json_out_str(out, "path", item->path);
    if (item->line != 0) {
        json_out_uint(out, "line", item->line);
        json_out_uint(out, "column", item->column);
    }
    json_out_text(out, "code", item->code);
    json_out_str(out, "detail", item->detail);
    if (item->allowed.length != 0) {
        json_out_str(out, "allowed", item->allowed);
    }
    json_out_object_end(out);
}

void problem_open(struct json_out *out, enum problem_code code, struct str detail)
{
    json_out_object(out, NULL);
    json_out_text(out, "type", "about:blank");
    json_out_text(out, "title", problems[code].title);
    json_out_int(out, "status", problems[code].status);
    json_out_text(out, "code", problems[code].name);
    json_out_str(out, "detail", detail);
}

void problem_write(struct buf *body, enum problem_code code, struct str detail,
                   const struct problem_item *items, size_t count)
{
    struct json_out out = { .buf = body };
    problem_open(&out, code, detail);
    if (count > 0) {
        json_out_array(&out, "errors");
        for (size_t i = 0; i < count; i++) {
            write_item(&out, &items[i]);
        }
        json_out_array_end(&out);
    }
    json_out_object_end(&out);
}

void problem_write_spec(struct buf *body, enum problem_code code, const struct spec_problems *spec)
{
    struct problem_item items[SPEC_PROBLEMS_MAX];
    for (size_t i = 0; i < spec->count; i++) {
        items[i] = (struct problem_item){
            .code = spec->list[i].code,
            .path = spec->list[i].path,
            .line = spec->list[i].line,
            .column = spec->list[i].column,
            .detail = spec->list[i].detail,
            .allowed = spec->list[i].allowed,
        };
    }
    struct str detail = spec->count == 0 ? STR("the spec is not valid") : spec->list[0].detail;
    problem_write(body, code, detail, items, spec->count);
}

void reply_problem_items(struct api *api, uint64_t request, enum problem_code code,
                         struct str detail, const struct problem_item *items, size_t count)
{
    struct buf body = { NULL, 0, 0 };
    code = route_refusal(api->route, code);
    problem_write(&body, code, detail, items, count);
    struct net_header again = { STR("retry-after"), STR("1") };
    net_reply(api->config.net, request, problems[code].status, REPLY_PROBLEM, &again,
              code == PROBLEM_TOO_MANY ? 1 : 0,
              (struct str){ (const char *)body.data, body.length });
    buf_done(&body);
}

void reply_problem(struct api *api, uint64_t request, enum problem_code code, const char *format,
                   ...)
{
    struct reason detail;
    va_list args;
    va_start(args, format);
    vsnprintf(detail.text, sizeof(detail.text), format, args);
    va_end(args);
    reply_problem_items(api, request, code, str_of(detail.text), NULL, 0);
}

void reply_failed(struct api *api, uint64_t request, enum err err, const struct reason *reason)
{
    enum problem_code code = err == ERR_NOT_FOUND ? PROBLEM_NOT_FOUND : PROBLEM_INTERNAL;
    reply_problem(api, request, code, "%s", reason->text);
}

void reply_json(struct api *api, uint64_t request, int status, struct buf *body)
{
    net_reply_take(api->config.net, request, status, REPLY_JSON, body);
}
