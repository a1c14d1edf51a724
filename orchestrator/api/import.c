/* Plans of others, turned into specs of ours: nothing is submitted by that. */
#include "orchestrator/spec/import_ufo.h"

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/json_out.h"
#include "orchestrator/api/read.h"

enum { IMPORT_BYTES_MAX = 8 * 1024 * 1024 };

static enum err convert(struct read *read, struct store *store, struct reason *reason)
{
    (void)store;
    const struct str *text = read->data;
    struct import_notes *notes = arena_alloc(&read->arena, sizeof(*notes));
    struct buf spec = { NULL, 0, 0 };
    enum err err = import_ufo(*text, &read->arena, &spec, notes, reason);
    if (err != ERR_NONE) {
        buf_done(&spec);
        return err;
    }
    struct json_out out = { .buf = &read->body };
    json_out_object(&out, NULL);
    json_out_raw(&out, "spec", (struct str){ (const char *)spec.data, spec.length });
    json_out_array(&out, "notes");
    for (size_t i = 0; i < notes->count; i++) {
        json_out_object(&out, NULL);
        json_out_str(&out, "path", notes->list[i].path);
        json_out_str(&out, "detail", notes->list[i].words);
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_out_uint(&out, "more_notes", notes->dropped);
    json_out_object_end(&out);
    buf_done(&spec);
    return ERR_NONE;
}

static const struct read_kind import_read = { .rows = convert,
                                              .invalid = PROBLEM_INVALID_SPEC,
                                              .is_parse = true };

void import_handle(struct api *api, const struct api_call *call)
{
    const struct net_request *request = call->request;
    if (request->body.length > IMPORT_BYTES_MAX) {
        reply_problem(api, request->id, PROBLEM_BODY_TOO_LARGE, "at most %d bytes",
                      IMPORT_BYTES_MAX);
        return;
    }
    struct read *read = read_new(api, call, &import_read, NULL);
    struct str *text = arena_alloc(&read->arena, sizeof(*text));
    *text = arena_str(&read->arena, request->body);
    read->data = text;
    read_start(api, read);
}
