/* Submitting: a spec becomes a plan, the plan goes through the turn, the answer comes after the commit. */
#include <stdio.h>
#include <string.h>

#include "common/sys/random.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/submission.h"
#include "orchestrator/api/view.h"
#include "proto/wire.h"

enum { UID_RANDOM_CHARS = 4, UID_TRIES_MAX = 64 };

#define LOCATION "/api/v1/constellations/"

/* Without those that look alike. */
static const char uid_alphabet[] = "23456789abcdefghjkmnpqrstvwxyz";

/* False: a type that no spec comes in. What is often sent by default is guessed at. */
static bool format_of(struct str content_type, enum spec_format *ret_format, bool *ret_envelope)
{
    static const struct {
        const char *type;
        enum spec_format format;
    } types[] = {
        { "application/yaml", SPEC_FORMAT_YAML },
        { "application/x-yaml", SPEC_FORMAT_YAML },
        { "text/yaml", SPEC_FORMAT_YAML },
        { "text/x-yaml", SPEC_FORMAT_YAML },
        { "application/json", SPEC_FORMAT_JSON },
        { "text/plain", SPEC_FORMAT_GUESS },
        { "application/octet-stream", SPEC_FORMAT_GUESS },
        { "application/x-www-form-urlencoded", SPEC_FORMAT_GUESS },
        { "", SPEC_FORMAT_GUESS },
        { SUBMISSION_TYPE, SPEC_FORMAT_GUESS },
    };
    size_t length = 0;
    while (length < content_type.length && content_type.data[length] != ';' &&
           content_type.data[length] != ' ') {
        length++;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i].type) == length &&
            (length == 0 || strncasecmp(types[i].type, content_type.data, length) == 0)) {
            *ret_format = types[i].format;
            *ret_envelope = strcmp(types[i].type, SUBMISSION_TYPE) == 0;
            return true;
        }
    }
    return false;
}

/* What can be told before a byte of the body is looked at. */
static bool may_submit(struct api *api, const struct net_request *request,
                       enum spec_format *ret_format, bool *ret_envelope)
{
    if (engine_is_blocked(api->config.engine)) {
        reply_problem(api, request->id, PROBLEM_BLOCKED,
                      "the database was restored and devices have seen a newer one: see "
                      "asterismd restore --accept");
    } else if (!format_of(request->content_type, ret_format, ret_envelope)) {
        reply_problem(api, request->id, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                      "send the spec as application/yaml or application/json");
    } else if (request->body.length > SPEC_BYTES_MAX) {
        reply_problem(api, request->id, PROBLEM_BODY_TOO_LARGE, "a spec has at most %d bytes",
                      SPEC_BYTES_MAX);
    } else if (api->jobs.submissions >= API_SUBMISSIONS_MAX) {
        reply_problem(api, request->id, PROBLEM_TOO_MANY,
                      "%zu submissions are under way; try again", api->jobs.submissions);
    } else {
        return job_may_start(api, request->id);
    }
    return false;
}

static enum err encode_bodies(struct job_submit *submit)
{
    struct spec *spec = &submit->spec;
    size_t count = spec->plan.tasks_count;
    size_t *ends = arena_array(&submit->arena, count, sizeof(*ends));
    for (size_t i = 0; i < count; i++) {
        enum err err = spec->bodies[i].executor == 0 /* a gate does nothing */
                           ? ERR_NONE
                           : wire_encode_body(&spec->bodies[i], &submit->bodies, &submit->refusal);
        if (err != ERR_NONE) {
            return err;
        }
        ends[i] = submit->bodies.length;
    }
    size_t from = 0;
    for (size_t i = 0; i < count; i++) { /* only now does the buffer stay where it is */
        struct str body = { (const char *)submit->bodies.data + from, ends[i] - from };
        spec->tasks[i].body = body.length > 0 ? body : STR("");
        from = ends[i];
    }
    return ERR_NONE;
}

/* Bytes to a plan, by either thread. */
static void parse(struct work *work, struct reader *reader)
{
    (void)reader;
    struct job *job = work->owner;
    struct job_submit *submit = &job->submit;
    struct str text = { (const char *)submit->text.data, submit->text.length };
    if (submit->is_envelope && submission_open(submit, &text, &submit->refusal) != ERR_NONE) {
        return;
    }
    if (spec_parse(text, submit->format, &submit->inputs, &submit->arena, &submit->spec,
                   &submit->problems) == ERR_NONE) {
        submit->is_valid = encode_bodies(submit) == ERR_NONE;
    }
}

static void refuse(struct api *api, struct job *job)
{
    struct job_submit *submit = &job->submit;
    struct buf body = { NULL, 0, 0 };
    enum problem_code code = route_refusal(job->route, PROBLEM_INVALID_SPEC);
    if (submit->problems.count > 0) {
        problem_write_spec(&body, code, &submit->problems);
    } else {
        problem_write(&body, code, str_of(submit->refusal.text), NULL, 0);
    }
    for (size_t i = 0; i < job->waiters_count; i++) {
        net_reply(api->config.net, job->waiters[i], problem_status(code), REPLY_PROBLEM, NULL, 0,
                  (struct str){ (const char *)body.data, body.length });
    }
    buf_done(&body);
    job_discard(api, job);
}

/* Back on the loop: refuses it or queues it. */
static void parsed(struct api *api, struct work *work)
{
    struct job *job = work->owner;
    if (!job->submit.is_valid) {
        refuse(api, job);
        return;
    }
    job_queue(api, job);
}

/* `each` makes many of one: 20 KiB can become 2,000 tasks with 4,000,000 dependencies. The word may be
   written with escapes, and then there is one. */
static bool is_soon_read(struct str body)
{
    static const char *const signs[] = { "each", "\\u", "\\U", "\\x" };
    if (body.length == 0) {
        return true; /* there may be no place to look at */
    }
    bool is_plain = body.length <= API_INLINE_PARSE_BYTES_MAX;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]) && is_plain; i++) {
        is_plain = memmem(body.data, body.length, signs[i], strlen(signs[i])) == NULL;
    }
    return is_plain;
}

void submit_handle(struct api *api, const struct api_call *call)
{
    const struct net_request *request = call->request;
    enum spec_format format = SPEC_FORMAT_GUESS;
    bool is_envelope = false;
    if (!may_submit(api, request, &format, &is_envelope)) {
        return;
    }
    struct job *job = job_new(api, &submit_job, request);
    job->submit.format = format;
    job->submit.is_envelope = is_envelope;
    if (!job_is_first(api, job, request)) {
        return;
    }
    if (!job_take_body(api, job, request)) {
        return;
    }
    submission_add_devices(api, &job->submit);
    job->work = (struct work){ .run = parse, .done = parsed, .drop = job_drop, .owner = job };
    struct str text = { (const char *)job->submit.text.data, job->submit.text.length };
    if (is_soon_read(text)) {
        parse(&job->work, NULL);
        parsed(api, &job->work);
    } else if (!worker_take(api->parser, &job->work)) {
        job_free(&api->jobs, job);
        reply_problem(api, request->id, PROBLEM_TOO_MANY,
                      "large specs are being read already; try again");
    }
}

static bool uid_is_posted(const struct api *api, const char *uid)
{
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&api->jobs.posted, &at, &id, &value)) {
        const struct job *other = value;
        if (other->type == &submit_job && strcmp(other->submit.uid, uid) == 0) {
            return true;
        }
    }
    return false;
}

/* NAME-4chars that no other constellation has. ERR_LIMIT if there seem to be none left. */
static enum err choose_uid(struct api *api, struct job *job, struct reason *reason)
{
    struct job_submit *submit = &job->submit;
    char uid[sizeof(submit->uid)];
    for (int i = 0; i < UID_TRIES_MAX; i++) {
        char tail[UID_RANDOM_CHARS + 1] = { 0 };
        for (size_t k = 0; k < UID_RANDOM_CHARS; k++) {
            tail[k] = uid_alphabet[random_uint64() % (sizeof(uid_alphabet) - 1)];
        }
        snprintf(uid, sizeof(uid), "%.*s-%s", STR_ARG(submit->spec.plan.name), tail);
        bool taken = true;
        enum err err = query_uid_taken(api->config.store, str_of(uid), &taken, reason);
        if (err != ERR_NONE) {
            return err;
        }
        if (!taken && !uid_is_posted(api, uid)) {
            memcpy(submit->uid, uid, sizeof(uid));
            return ERR_NONE;
        }
    }
    return reason_set(reason, ERR_LIMIT, "too many constellations have this name");
}

static enum err submit_run(struct api *api, struct job *job, struct effects *effects,
                           struct reason *reason)
{
    (void)effects;
    enum err err = choose_uid(api, job, reason);
    if (err == ERR_LIMIT) {
        job_answer_problem(api, job, PROBLEM_TOO_MANY, "%s", reason->text);
        return ERR_NONE;
    }
    if (err != ERR_NONE) {
        return err;
    }
    struct event event = {
        .kind = EVENT_SUBMIT,
        .now = api_now(api),
        .submit = {
            .request = job->id,
            .plan = &job->submit.spec.plan,
            .uid = str_of(job->submit.uid),
            .actor = str_of(job->actor),
        },
    };
    job_post(api, job, &event);
    return ERR_NONE;
}

static enum err submit_answer(struct api *api, struct job *job, const struct effect *effect,
                              struct reason *reason)
{
    if (effect->reply.err != ERR_NONE) {
        job_answer_problem(api, job,
                           effect->reply.err == ERR_LIMIT ? PROBLEM_TOO_MANY : PROBLEM_INTERNAL,
                           "%.*s", STR_ARG(effect->reply.reason));
        return ERR_NONE;
    }
    struct job_submit *submit = &job->submit;
    job->constellation_id = effect->reply.constellation_id;
    struct query_constellation constellation = {
        .uid = str_of(submit->uid),
        .name = submit->spec.plan.name,
    };
    const struct constellation_record *record =
        engine_constellation(api->config.engine, job->constellation_id);
    if (record == NULL) {
        return reason_set(reason, ERR_CORRUPT, "the engine has lost a constellation");
    }
    constellation.record = *record;
    struct json_out out = { .buf = &job->body };
    view_constellation(api, &out, NULL, &constellation);
    json_out_object_end(&out);
    snprintf(job->location, sizeof(job->location), LOCATION "%s", submit->uid);
    job_answer(api, job);
    return job_keep(api, job, reason);
}

const struct job_type submit_job = { .run = submit_run, .answer = submit_answer };
