/* Answers: JSON, problem details (RFC 9457) and what every handler does on failure. */
#ifndef ORCHESTRATOR_API_REPLY_H
#define ORCHESTRATOR_API_REPLY_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "orchestrator/net/net.h"
#include "orchestrator/spec/spec.h"

struct api;
struct json_out;

/* Stable: programs branch on them. */
enum problem_code {
    PROBLEM_BAD_REQUEST,
    PROBLEM_UNAUTHORIZED,
    PROBLEM_FORBIDDEN,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_AMBIGUOUS_ID,
    PROBLEM_NOT_FINAL,
    PROBLEM_ALREADY_FINAL,
    PROBLEM_ALREADY_EXISTS,
    PROBLEM_CONFLICT,
    PROBLEM_TASK_RUNNING,
    PROBLEM_TASK_UNKNOWN,
    PROBLEM_TASK_SKIPPED,
    PROBLEM_NOT_FAILED,
    PROBLEM_NOT_UNKNOWN,
    PROBLEM_EVENT_GAP,
    PROBLEM_BODY_TOO_LARGE,
    PROBLEM_UNSUPPORTED_MEDIA_TYPE,
    PROBLEM_RANGE_NOT_SATISFIABLE,
    PROBLEM_INVALID_SPEC,
    PROBLEM_EDIT_CONFLICT,
    PROBLEM_EDIT_REFUSED,
    PROBLEM_INVALID_EDIT,
    PROBLEM_HOLD_TOO_WIDE,
    PROBLEM_IDEMPOTENCY_MISMATCH,
    PROBLEM_TOO_MANY,
    PROBLEM_TOO_LONG,
    PROBLEM_BLOCKED,
    PROBLEM_INTERNAL,
    PROBLEM_CODES_COUNT,
};

int problem_status(enum problem_code code);
const char *problem_name(enum problem_code code); /* "bad_request", … */

#define REPLY_JSON    "application/json"
#define REPLY_PROBLEM "application/problem+json"

/* One thing of errors[]; what is empty is left out. */
struct problem_item {
    const char *code;
    struct str path;
    unsigned line;
    unsigned column;
    struct str detail;
    struct str allowed;
};

/* What every problem begins with; the caller ends the object. */
void problem_open(struct json_out *out, enum problem_code code, struct str detail);
void problem_write(struct buf *body, enum problem_code code, struct str detail,
                   const struct problem_item *items, size_t count);
void problem_write_spec(struct buf *body, enum problem_code code,
                        const struct spec_problems *problems);

/* As the route under way promises it: see route_refusal(). */
void reply_problem(struct api *api, uint64_t request, enum problem_code code, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));
void reply_problem_items(struct api *api, uint64_t request, enum problem_code code,
                         struct str detail, const struct problem_item *items, size_t count);
/* What a store function refused: 404 for ERR_NOT_FOUND, otherwise 500. */
void reply_failed(struct api *api, uint64_t request, enum err err, const struct reason *reason);
/* Sends the JSON and frees it. */
void reply_json(struct api *api, uint64_t request, int status, struct buf *body);

#endif
