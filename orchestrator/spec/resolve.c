/* Values for placeholders. What a predecessor put out is data: it is put in as it is, and nothing in
   it is looked at again. */
#include "orchestrator/spec/resolve.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/map.h"
#include "orchestrator/spec/body_bytes.h"
#include "orchestrator/spec/placeholder.h"
#include "orchestrator/spec/spec_text.h"

/* One predecessor, asked for once however often it is named. */
struct fetched {
    struct str key;
    struct resolve_task task;
    json_t *output; /* NULL: not looked at yet */
};

struct resolver {
    const struct resolve_source *source;
    struct arena *arena;
    struct reason *reason;
    struct strmap fetched;
    struct buf text; /* the string that is being filled in */
    size_t input_bytes;
};

static enum err fetch(struct resolver *resolver, struct str key, struct fetched **ret_fetched)
{
    struct fetched *fetched = strmap_get(&resolver->fetched, key);
    if (fetched == NULL) {
        struct resolve_task task = { 0 };
        enum err err =
            resolver->source->task(resolver->source->context, key, resolver->arena, &task);
        if (err == ERR_NOT_FOUND) {
            return reason_set(resolver->reason, ERR_INVALID, "there is no task %.*s", STR_ARG(key));
        }
        if (err != ERR_NONE) {
            return reason_set(resolver->reason, err, "what task %.*s put out cannot be read",
                              STR_ARG(key));
        }
        fetched = arena_alloc(resolver->arena, sizeof *fetched);
        if (fetched == NULL) {
            return reason_set(resolver->reason, ERR_LIMIT, "too many inputs");
        }
        *fetched = (struct fetched){ .key = key, .task = task };
        strmap_put(&resolver->fetched, key, fetched);
    }
    *ret_fetched = fetched;
    return ERR_NONE;
}

static enum err add_value(struct resolver *resolver, struct str value)
{
    resolver->input_bytes += value.length;
    if (resolver->input_bytes > MSG_INPUT_BYTES_MAX) {
        return reason_set(resolver->reason, ERR_INVALID,
                          "what is passed on to it is more than %d KiB together",
                          MSG_INPUT_BYTES_MAX / 1024);
    }
    buf_append(&resolver->text, value.data, value.length);
    return ERR_NONE;
}

static enum err add_stream(struct resolver *resolver, const struct fetched *fetched,
                           const char *name, uint64_t bytes, struct str data)
{
    if (bytes > RESOLVE_STREAM_BYTES_MAX) {
        return reason_set(resolver->reason, ERR_INVALID,
                          "%s of task %.*s is %" PRIu64 " KiB; at most %d KiB can be passed on",
                          name, STR_ARG(fetched->key), (bytes + 1023) / 1024,
                          RESOLVE_STREAM_BYTES_MAX / 1024);
    }
    if (data.length > 0 && data.data[data.length - 1] == '\n') {
        data.length--;
    }
    return add_value(resolver, data);
}

/* One step into a value: NULL with the reason, which names the way so far. */
static const json_t *take_step(struct resolver *resolver, const struct fetched *fetched,
                               const json_t *value, struct str step, bool is_bracketed,
                               struct str so_far)
{
    uint64_t index = 0;
    bool is_index = str_to_uint64(step, UINT32_MAX, &index);
    so_far = spec_text_cut(so_far, 100);
    step = spec_text_cut(step, 100);
    if (json_is_object(value) && !is_bracketed) {
        const json_t *member = json_object_getn(value, step.data, step.length);
        if (member == NULL) {
            reason_set(resolver->reason, ERR_NOT_FOUND, "%.*s of task %.*s has no \"%.*s\"",
                       STR_ARG(so_far), STR_ARG(fetched->key), STR_ARG(step));
        }
        return member;
    }
    if (json_is_array(value) && is_index) {
        const json_t *item = json_array_get(value, (size_t)index);
        if (item == NULL) {
            reason_set(resolver->reason, ERR_NOT_FOUND,
                       "%.*s of task %.*s has %zu items, so no number %.*s (the first is 0)",
                       STR_ARG(so_far), STR_ARG(fetched->key), json_array_size(value),
                       STR_ARG(step));
        }
        return item;
    }
    const char *kind = json_is_object(value)  ? "an object"
                       : json_is_array(value) ? "a list"
                                              : "a plain value";
    reason_set(resolver->reason, ERR_NOT_FOUND, "%.*s of task %.*s is %s, so it has no \"%.*s\"",
               STR_ARG(so_far), STR_ARG(fetched->key), kind, STR_ARG(step));
    return NULL;
}

static enum err add_json(struct resolver *resolver, const json_t *value)
{
    if (json_is_string(value)) {
        return add_value(resolver,
                         (struct str){ json_string_value(value), json_string_length(value) });
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL) {
        return reason_set(resolver->reason, ERR_INVALID, "an output value cannot be written");
    }
    enum err err = add_value(resolver, str_of(text));
    free(text);
    return err;
}

/* field: "output" and the path behind it. */
static enum err add_output(struct resolver *resolver, struct fetched *fetched, struct str field)
{
    struct str result = fetched->task.result;
    if (result.length == 0) {
        return reason_set(resolver->reason, ERR_NOT_FOUND, "task %.*s has no output value",
                          STR_ARG(fetched->key));
    }
    if (fetched->output == NULL) {
        fetched->output =
            json_loadb(result.data, result.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    }
    if (fetched->output == NULL) {
        return reason_set(resolver->reason, ERR_NOT_FOUND,
                          "the output value of task %.*s is not JSON", STR_ARG(fetched->key));
    }
    const size_t word = sizeof "output" - 1;
    struct str path = { field.data + word, field.length - word };
    const json_t *value = fetched->output;
    struct str step;
    bool is_bracketed = false;
    struct str so_far = { field.data, word };
    while (placeholder_step(&path, &step, &is_bracketed)) {
        value = take_step(resolver, fetched, value, step, is_bracketed, so_far);
        if (value == NULL) {
            return ERR_NOT_FOUND;
        }
        so_far.length = field.length - path.length;
    }
    return add_json(resolver, value);
}

/* ERR_NOT_FOUND, with the reason: the task has no such value, and a default would be taken. */
static enum err add_task_value(struct resolver *resolver, struct fetched *fetched, struct str field)
{
    const struct resolve_task *task = &fetched->task;
    if (str_is(field, "state")) {
        return add_value(resolver, task->state);
    }
    if (!task->has_run) {
        struct str word = spec_text_cut(field, 32);
        return reason_set(resolver->reason, ERR_NOT_FOUND,
                          "task %.*s has not run (it is %.*s), so it has no %.*s; a default would "
                          "be written as %.*s || 'text'",
                          STR_ARG(fetched->key), STR_ARG(task->state), STR_ARG(word),
                          STR_ARG(word));
    }
    if (str_is(field, "stdout")) {
        return add_stream(resolver, fetched, "stdout", task->stdout_bytes, task->stdout_data);
    }
    if (str_is(field, "stderr")) {
        return add_stream(resolver, fetched, "stderr", task->stderr_bytes, task->stderr_data);
    }
    if (str_is(field, "exit_code") && !task->has_exit_code) {
        return reason_set(resolver->reason, ERR_NOT_FOUND,
                          "task %.*s has no exit_code: it did not end by itself",
                          STR_ARG(fetched->key));
    }
    if (str_is(field, "exit_code")) {
        char number[16];
        snprintf(number, sizeof number, "%" PRId32, task->exit_code);
        return add_value(resolver, str_of(number));
    }
    if (str_is(field, "device")) {
        return add_value(resolver, task->device);
    }
    return add_output(resolver, fetched, field);
}

static enum err add_fallback(struct resolver *resolver, struct str fallback)
{
    struct buf text = { 0 };
    placeholder_fallback(fallback, &text);
    enum err err = add_value(resolver, (struct str){ (const char *)text.data, text.length });
    buf_done(&text);
    return err;
}

static enum err add_field(struct resolver *resolver, const struct placeholder *placeholder)
{
    if (placeholder->kind != PLACEHOLDER_TASK) {
        return reason_set(resolver->reason, ERR_INVALID,
                          "params and each are filled in at the submission only");
    }
    struct fetched *fetched = NULL;
    enum err err = fetch(resolver, placeholder->name, &fetched);
    if (err != ERR_NONE) {
        return err;
    }
    err = add_task_value(resolver, fetched, placeholder->field);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    return placeholder->fallback.length > 0 ? add_fallback(resolver, placeholder->fallback)
                                            : ERR_INVALID;
}

/* The text with its placeholders filled in, in resolver->text. */
static enum err fill_in(struct resolver *resolver, struct str text)
{
    struct placeholder placeholder;
    enum err err = ERR_NONE;
    size_t at = 0;
    size_t copied = 0;
    buf_clear(&resolver->text);
    while (placeholder_next(text, &at, &placeholder, &err, resolver->reason)) {
        buf_append(&resolver->text, text.data + copied, placeholder.from - copied);
        err = add_field(resolver, &placeholder);
        if (err != ERR_NONE) {
            return err;
        }
        copied = placeholder.to;
    }
    if (err == ERR_NONE) {
        buf_append(&resolver->text, text.data + copied, text.length - copied);
    }
    return err;
}

static enum err resolve_bytes(struct resolver *resolver, struct str text, struct str *ret_text)
{
    enum err err = fill_in(resolver, text);
    if (err != ERR_NONE) {
        return err;
    }
    struct str filled = { (const char *)resolver->text.data, resolver->text.length };
    filled = arena_str(resolver->arena, filled);
    if (filled.data == NULL) {
        return reason_set(resolver->reason, ERR_LIMIT, "too many inputs");
    }
    *ret_text = filled;
    return ERR_NONE;
}

/* For where the system, or the wire, takes only text. */
static enum err resolve_text(struct resolver *resolver, struct str text, const char *where,
                             struct str *ret_text)
{
    struct str filled = { NULL, 0 };
    enum err err = resolve_bytes(resolver, text, &filled);
    if (err != ERR_NONE) {
        return err;
    }
    if (filled.length > 0 && memchr(filled.data, 0, filled.length) != NULL) {
        return reason_set(resolver->reason, ERR_INVALID,
                          "what is passed on into %s holds a NUL byte: pass it by stdin", where);
    }
    if (!str_is_utf8(filled)) {
        return reason_set(resolver->reason, ERR_INVALID,
                          "what is passed on into %s is not UTF-8: pass it by stdin", where);
    }
    *ret_text = filled;
    return ERR_NONE;
}

static enum err resolve_argv(struct resolver *resolver, struct msg_body *body)
{
    if (body->argv_count == 0) {
        return ERR_NONE;
    }
    struct str *argv = arena_array(resolver->arena, body->argv_count, sizeof *argv);
    if (argv == NULL) {
        return reason_set(resolver->reason, ERR_LIMIT, "too many arguments");
    }
    for (size_t i = 0; i < body->argv_count; i++) {
        enum err err = resolve_text(resolver, body->argv[i], "run", &argv[i]);
        if (err != ERR_NONE) {
            return err;
        }
    }
    if (argv[0].length == 0) {
        return reason_set(resolver->reason, ERR_INVALID, "the name of the program is empty");
    }
    body->argv = argv;
    return ERR_NONE;
}

static enum err resolve_env(struct resolver *resolver, struct msg_body *body)
{
    if (body->env_count == 0) {
        return ERR_NONE;
    }
    struct msg_pair *env = arena_array(resolver->arena, body->env_count, sizeof *env);
    if (env == NULL) {
        return reason_set(resolver->reason, ERR_LIMIT, "too many variables");
    }
    for (size_t i = 0; i < body->env_count; i++) {
        env[i].key = arena_str(resolver->arena, body->env[i].key);
        enum err err = resolve_text(resolver, body->env[i].value, "env", &env[i].value);
        if (err != ERR_NONE) {
            return err;
        }
    }
    body->env = env;
    return ERR_NONE;
}

static enum err resolve_cwd(struct resolver *resolver, struct msg_body *body)
{
    if (!body->has_cwd) {
        return ERR_NONE;
    }
    enum err err = resolve_text(resolver, body->cwd, "cwd", &body->cwd);
    if (err != ERR_NONE) {
        return err;
    }
    if (body->cwd.length == 0 || body->cwd.data[0] != '/' ||
        body->cwd.length > MSG_PATH_BYTES_MAX) {
        struct str shown = spec_text_cut(body->cwd, 100);
        return reason_set(resolver->reason, ERR_INVALID,
                          "cwd would be \"%.*s\", which is no absolute path of at most %d bytes",
                          STR_ARG(shown), MSG_PATH_BYTES_MAX);
    }
    return ERR_NONE;
}

static enum err resolve_all(struct resolver *resolver, struct msg_body *body)
{
    enum err err = resolve_argv(resolver, body);
    if (err == ERR_NONE) {
        err = resolve_env(resolver, body);
    }
    if (err == ERR_NONE) {
        err = resolve_cwd(resolver, body);
    }
    if (err == ERR_NONE && body->has_stdin) {
        err = resolve_bytes(resolver, body->stdin_data, &body->stdin_data);
    }
    if (err != ERR_NONE) {
        return err;
    }
    body->shell = arena_str(resolver->arena, body->shell);
    size_t bytes = body_bytes(body);
    if (bytes > MSG_BODY_BYTES_MAX) {
        return reason_set(resolver->reason, ERR_INVALID,
                          "with what is passed on to it the task takes %zu KiB; at most %d KiB "
                          "are allowed",
                          (bytes + 1023) / 1024, MSG_BODY_BYTES_MAX / 1024);
    }
    return ERR_NONE;
}

enum err resolve_body(const struct msg_body *body, const struct resolve_source *source,
                      struct arena *arena, struct msg_body *ret_body, struct reason *reason)
{
    struct resolver resolver = { .source = source, .arena = arena, .reason = reason };
    struct msg_body resolved = *body;
    enum err err = resolve_all(&resolver, &resolved);
    if (err == ERR_NONE) {
        *ret_body = resolved;
    }
    size_t at = 0;
    struct str key;
    void *value = NULL;
    while (strmap_each(&resolver.fetched, &at, &key, &value)) {
        struct fetched *fetched = value;
        json_decref(fetched->output);
    }
    strmap_done(&resolver.fetched);
    buf_done(&resolver.text);
    return err;
}
