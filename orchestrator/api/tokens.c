/* Tokens: made, listed, revoked. The secret is shown once, in the answer that made it. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/api/api_inner.h"
#include "orchestrator/api/handlers.h"
#include "orchestrator/api/json_out.h"

enum { TOKEN_BODY_BYTES_MAX = 16 * 1024, TOKEN_NAME_BYTES_MAX = 100 };

static bool is_name(struct str text)
{
    if (text.length == 0 || text.length > TOKEN_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.')) {
            return false;
        }
    }
    return true;
}

/* One key of the body into a field; what is not there leaves it empty. */
static enum err read_text(const json_t *body, const char *key, char *to, size_t bytes,
                          struct reason *reason)
{
    const json_t *value = json_object_get(body, key);
    to[0] = '\0';
    if (value == NULL || json_is_null(value)) {
        return ERR_NONE;
    }
    if (!json_is_string(value) || json_string_length(value) >= bytes) {
        return reason_set(reason, ERR_INVALID, "%s must be text of less than %zu bytes", key,
                          bytes);
    }
    memcpy(to, json_string_value(value), json_string_length(value) + 1);
    return ERR_NONE;
}

static enum err check(struct job *job, struct reason *reason)
{
    enum net_role role = NET_ROLE_NONE;
    if (!identity_role_of(str_of(job->token_role), &role)) {
        return reason_set(reason, ERR_INVALID,
                          "role must be one of viewer, operator, admin, agent");
    }
    if (role == NET_ROLE_AGENT && job->token_device[0] == '\0') {
        return reason_set(reason, ERR_INVALID, "an agent's token is bound to a device: name it");
    }
    if (role != NET_ROLE_AGENT && job->token_device[0] != '\0') {
        return reason_set(reason, ERR_INVALID, "only an agent's token is bound to a device");
    }
    if (job->token_name[0] == '\0' && role == NET_ROLE_AGENT) {
        memcpy(job->token_name, job->token_device, sizeof(job->token_name));
    }
    if (!is_name(str_of(job->token_name))) {
        return reason_set(reason, ERR_INVALID, "name must be 1 to %d of A-Z a-z 0-9 - _ .",
                          TOKEN_NAME_BYTES_MAX);
    }
    return ERR_NONE;
}

static enum err read_body(struct str text, struct job *job, struct reason *reason)
{
    json_error_t problem;
    json_t *body = text.length > TOKEN_BODY_BYTES_MAX
                       ? NULL
                       : json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(body)) {
        json_decref(body);
        return reason_set(reason, ERR_INVALID,
                          "the body must be a JSON object: {\"name\": …, \"role\": …}");
    }
    enum err err = ERR_NONE;
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value)
    {
        if (strcmp(key, "name") != 0 && strcmp(key, "role") != 0 && strcmp(key, "device") != 0) {
            err = reason_set(reason, ERR_INVALID, "unknown key; known are name, role, device");
        }
    }
    if (err == ERR_NONE) {
        err = read_text(body, "name", job->token_name, sizeof(job->token_name), reason);
    }
    if (err == ERR_NONE) {
        err = read_text(body, "role", job->token_role, sizeof(job->token_role), reason);
    }
    if (err == ERR_NONE) {
        err = read_text(body, "device", job->token_device, sizeof(job->token_device), reason);
    }
    json_decref(body);
    return err == ERR_NONE ? check(job, reason) : err;
}

static void write_token(struct json_out *out, const struct token_record *token)
{
    json_out_int(out, "id", token->id);
    json_out_str(out, "name", token->name);
    json_out_str(out, "role", token->role);
    json_out_str_or_null(out, "device", token->device);
    json_out_time(out, "created_at", token->created_wall_ms);
}

/* One word each, so that the text can be taken apart again (event_json.c). */
static void add_history(struct effects *effects, enum history_kind kind, int64_t wall_ms,
                        const struct token_record *token, const char *actor)
{
    char text[512];
    int length = snprintf(text, sizeof(text), "%.*s %.*s %s", STR_ARG(token->name),
                          STR_ARG(token->role), actor);
    struct effect *effect = effects_add(effects, EFFECT_HISTORY);
    effect->history = (struct history){
        .kind = kind,
        .wall_ms = wall_ms,
        .text = arena_str(&effects->arena, (struct str){ text, (size_t)length }),
    };
}

/* Whoever comes over the Unix socket stays admin; the others are locked out by the first token. */
static bool is_over_tcp(const struct job *job)
{
    return !str_starts_with(str_of(job->actor), STR("unix:"));
}

static enum err create_run(struct api *api, struct job *job, struct effects *effects,
                           struct reason *reason)
{
    struct identities *identities = &api->identities;
    if (identities_by_name(identities, str_of(job->token_name)) != NULL) {
        job_answer_problem(api, job, PROBLEM_ALREADY_EXISTS,
                           "there is or was a token \"%s\": take another name", job->token_name);
        return ERR_NONE;
    }
    bool is_first = identities->count == 0;
    if (is_first && is_over_tcp(job) && strcmp(job->token_role, "admin") != 0) {
        job_answer_problem(api, job, PROBLEM_BAD_REQUEST,
                           "the first token must be an admin's, or be made over the Unix socket "
                           "(admin.sock in the daemon's data directory): from then on every "
                           "connection needs one");
        return ERR_NONE;
    }
    if (identities->count >= TOKENS_MAX) {
        job_answer_problem(api, job, PROBLEM_TOO_MANY, "there are %d tokens", TOKENS_MAX);
        return ERR_NONE;
    }
    char text[IDENTITY_TOKEN_BYTES_MAX];
    identity_make_token(text);
    struct token_record token = {
        .id = identities->count == 0 ? 1 : identities->list[identities->count - 1]->id + 1,
        .name = str_of(job->token_name),
        .role = str_of(job->token_role),
        .device = str_of(job->token_device),
        .created_wall_ms = api_now(api).wall_ms,
    };
    identity_hash(str_of(text), token.hash);
    enum err err = token_add(api->config.store, &token, reason);
    if (err != ERR_NONE) {
        return err;
    }
    add_history(effects, HISTORY_TOKEN_CREATED, token.created_wall_ms, &token, job->actor);
    /* Only the first one takes rights away: those of whoever came without a token. */
    api->jobs.tokens_changed = api->jobs.tokens_changed || is_first;
    identities_add(identities, &token);
    struct json_out out = { .buf = &job->body };
    json_out_object(&out, NULL);
    write_token(&out, &token);
    json_out_text(&out, "token", text);
    json_out_bool(&out, "is_first", is_first);
    json_out_object_end(&out);
    job_answer(api, job);
    return ERR_NONE;
}

static const struct job_type create_job = { .run = create_run };

void tokens_create(struct api *api, const struct api_call *call)
{
    if (!job_may_start(api, call->request->id)) {
        return;
    }
    struct job *job = job_new(api, &create_job, call->request);
    struct reason reason;
    if (read_body(call->request->body, job, &reason) != ERR_NONE) {
        job_free(&api->jobs, job);
        reply_problem(api, call->request->id, PROBLEM_BAD_REQUEST, "%s", reason.text);
        return;
    }
    job_queue(api, job);
}

void tokens_list(struct api *api, const struct api_call *call)
{
    struct buf body = { NULL, 0, 0 };
    struct json_out out = { .buf = &body };
    json_out_object(&out, NULL);
    json_out_int(&out, "seq", api->seq);
    json_out_array(&out, "tokens");
    for (size_t i = 0; i < api->identities.count; i++) {
        const struct token_record *token = api->identities.list[i];
        json_out_object(&out, NULL);
        write_token(&out, token);
        json_out_time(&out, "revoked_at", token->revoked_wall_ms);
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    reply_json(api, call->request->id, call->route->status, &body);
}

/* By its name first: a name may look like a number. */
static struct token_record *find(const struct identities *identities, struct str text)
{
    struct token_record *token = identities_by_name(identities, text);
    uint64_t id = 0;
    if (token == NULL && str_to_uint64(text, INT64_MAX, &id)) {
        token = identities_by_id(identities, (int64_t)id);
    }
    return token;
}

static enum err revoke_run(struct api *api, struct job *job, struct effects *effects,
                           struct reason *reason)
{
    struct token_record *token = identities_by_id(&api->identities, job->token_id);
    if (token->revoked_wall_ms == 0) { /* twice is as good as once */
        int64_t wall_ms = api_now(api).wall_ms;
        enum err err = token_revoke(api->config.store, token->id, wall_ms, reason);
        if (err != ERR_NONE) {
            return err;
        }
        token->revoked_wall_ms = wall_ms;
        add_history(effects, HISTORY_TOKEN_REVOKED, wall_ms, token, job->actor);
        api->jobs.tokens_changed = true;
    }
    job_answer(api, job);
    return ERR_NONE;
}

static const struct job_type revoke_job = { .run = revoke_run };

void tokens_revoke(struct api *api, const struct api_call *call)
{
    const struct token_record *token = find(&api->identities, call->params[0]);
    if (token == NULL) {
        reply_problem(api, call->request->id, PROBLEM_NOT_FOUND, "no such token");
        return;
    }
    if (!job_may_start(api, call->request->id)) {
        return;
    }
    struct job *job = job_new(api, &revoke_job, call->request);
    job->token_id = token->id;
    job_queue(api, job);
}
