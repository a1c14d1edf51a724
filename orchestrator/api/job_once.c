/* The same change sent twice is made once: what came with an Idempotency-Key is answered as it was the
   first time, also while the first is still under way. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/sys/digest.h"
#include "orchestrator/api/api_inner.h"
#include "orchestrator/store/bulk_answer.h"
#include "orchestrator/store/idempotency.h"

enum { HTTP_CREATED = 201 };

#define LOCATION "/api/v1/constellations/"

static bool is_idempotency_key(struct str key)
{
    if (key.length > JOB_KEY_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < key.length; i++) {
        if (key.data[i] < 0x21 || key.data[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

/* Path, query and body, so that a key that is used for something else is noticed. */
static void hash_request(const struct net_request *request, uint8_t ret_hash[JOB_HASH_BYTES])
{
    uint8_t parts[3 * JOB_HASH_BYTES];
    digest_sha256(request->path.data, request->path.length, parts);
    digest_sha256(request->query.data, request->query.length, parts + JOB_HASH_BYTES);
    memcpy(parts + 2 * (size_t)JOB_HASH_BYTES, request->body_sha256, JOB_HASH_BYTES);
    digest_sha256(parts, sizeof(parts), ret_hash);
}

static void set_key(struct job *job, const struct net_request *request)
{
    struct job_once *once = &job->once;
    char scope[96];
    /* Without a token everybody is the same local admin. */
    int length = snprintf(scope, sizeof(scope), "%s:%lld", job->route->operation,
                          (long long)request->identity->token_id);
    size_t bytes = (size_t)length + 1 + request->idempotency_key.length;
    char *text = arena_alloc(&job->arena, bytes + 1);
    memcpy(text, scope, (size_t)length);
    text[length] = ' ';
    memcpy(text + length + 1, request->idempotency_key.data, request->idempotency_key.length);
    once->keyed = (struct str){ text, bytes };
    once->scope = (struct str){ text, (size_t)length };
    once->key = (struct str){ text + length + 1, request->idempotency_key.length };
    hash_request(request, once->hash);
}

/* What was made has a path of its own, as it had in the first answer. */
static void replay(struct api *api, uint64_t request, const struct idempotency_record *record)
{
    char location[sizeof(LOCATION) + PLAN_NAME_BYTES_MAX + 8] = "";
    json_t *body = json_loadb(record->response.data, record->response.length, 0, NULL);
    const char *id = json_string_value(json_object_get(body, "id"));
    if (id != NULL && record->status == HTTP_CREATED) {
        snprintf(location, sizeof(location), LOCATION "%s", id);
    }
    json_decref(body);
    struct net_header header = { STR("location"), str_of(location) };
    net_reply(api->config.net, request, record->status, REPLY_JSON, &header,
              location[0] == '\0' ? 0 : 1, record->response);
}

/* A large edit that an earlier start has promised is being made, and nobody waits for it here. */
static bool is_promised(struct api *api, const struct job_once *once, uint64_t request)
{
    uint8_t hash[IDEMPOTENCY_HASH_BYTES];
    struct reason reason = { "" };
    enum err err = bulk_answer_find(api->config.store, once->scope, once->key, hash, &reason);
    if (err == ERR_NOT_FOUND) {
        return false;
    }
    if (err != ERR_NONE) {
        reply_failed(api, request, err, &reason);
    } else if (memcmp(hash, once->hash, JOB_HASH_BYTES) != 0) {
        reply_problem(api, request, PROBLEM_IDEMPOTENCY_MISMATCH,
                      "another body was submitted with this Idempotency-Key");
    } else {
        reply_problem(api, request, PROBLEM_TOO_MANY,
                      "the edit is being made: ask again for its answer");
    }
    return true;
}

/* True: the key has been seen, and the request is answered or waits with the first. */
static bool seen_before(struct api *api, const struct job *job, uint64_t request)
{
    const struct job_once *once = &job->once;
    struct job *first = strmap_get(&api->jobs.keyed, once->keyed);
    if (first != NULL) {
        if (memcmp(first->once.hash, once->hash, JOB_HASH_BYTES) != 0) {
            reply_problem(api, request, PROBLEM_IDEMPOTENCY_MISMATCH,
                          "another body is being submitted with this Idempotency-Key");
        } else if (first->waiters_count == JOB_WAITERS_MAX) {
            reply_problem(api, request, PROBLEM_TOO_MANY,
                          "too many requests wait for this Idempotency-Key");
        } else {
            first->waiters[first->waiters_count++] = request;
        }
        return true;
    }
    struct idempotency_record record;
    struct reason reason;
    enum err err = idempotency_find(api->config.store, once->scope, once->key, api_now(api).wall_ms,
                                    &api->arena, &record, &reason);
    if (err == ERR_NOT_FOUND) {
        return is_promised(api, once, request);
    }
    if (err != ERR_NONE) {
        reply_failed(api, request, err, &reason);
    } else if (memcmp(record.body_hash, once->hash, JOB_HASH_BYTES) != 0) {
        reply_problem(api, request, PROBLEM_IDEMPOTENCY_MISMATCH,
                      "another body was submitted with this Idempotency-Key");
    } else {
        replay(api, request, &record);
    }
    return true;
}

bool job_is_first(struct api *api, struct job *job, const struct net_request *request)
{
    if (request->idempotency_key.length == 0) {
        return true;
    }
    if (!is_idempotency_key(request->idempotency_key)) {
        job_free(&api->jobs, job);
        reply_problem(api, request->id, PROBLEM_BAD_REQUEST,
                      "Idempotency-Key must be at most %d printable characters without blanks",
                      JOB_KEY_BYTES_MAX);
        return false;
    }
    set_key(job, request);
    if (seen_before(api, job, request->id)) {
        job->once.keyed.length = 0; /* the entry is another's */
        job_free(&api->jobs, job);
        return false;
    }
    strmap_put(&api->jobs.keyed, job->once.keyed, job);
    return true;
}

enum err job_keep(struct api *api, const struct job *job, struct reason *reason)
{
    if (job->once.keyed.length == 0) {
        return ERR_NONE;
    }
    struct idempotency_record kept = {
        .scope = job->once.scope,
        .key = job->once.key,
        .status = job->status,
        .response = { (const char *)job->body.data, job->body.length },
        .created_wall_ms = api_now(api).wall_ms,
    };
    memcpy(kept.body_hash, job->once.hash, JOB_HASH_BYTES);
    return idempotency_put(api->config.store, &kept, reason);
}
