/* From a stored task back to the keys that a person would have written: what has its default is left
   out. Everything that is written here is read back by spec_read_task.c as the same. */
#include <inttypes.h>
#include <jansson.h>

#include "orchestrator/spec/placeholder.h"
#include "orchestrator/spec/spec_json.h"
#include "orchestrator/spec/spec_task.h"

/* Members of one object: the first without a comma. */
struct members {
    struct buf *json;
    bool has_any;
};

static struct buf *member(struct members *members, const char *name)
{
    buf_printf(members->json, "%s\"%s\":", members->has_any ? "," : "", name);
    members->has_any = true;
    return members->json;
}

static void add_text(struct members *members, const char *name, struct str text)
{
    if (text.length > 0) {
        spec_json_text(member(members, name), text);
    }
}

/* Unless it is what is there without it. */
static void add_duration(struct members *members, const char *name, int64_t ms, int64_t usual_ms)
{
    if (ms != usual_ms) {
        spec_json_duration(member(members, name), ms);
    }
}

static void add_number(struct members *members, const char *name, int64_t value, int64_t usual)
{
    if (value != usual) {
        buf_printf(member(members, name), "%" PRId64, value);
    }
}

static void add_true(struct members *members, const char *name, bool is_set)
{
    if (is_set) {
        buf_append_text(member(members, name), "true");
    }
}

static void add_word(struct members *members, const char *name, const char *word)
{
    buf_printf(member(members, name), "\"%s\"", word);
}

static void add_executor(struct members *members, const struct msg_body *body)
{
    switch (body->executor) {
    case EXECUTOR_RUN:
        buf_append_text(member(members, "run"), "[");
        for (size_t i = 0; i < body->argv_count; i++) {
            buf_append_text(members->json, i > 0 ? "," : "");
            spec_json_text(members->json, body->argv[i]);
        }
        buf_append_text(members->json, "]");
        break;
    case EXECUTOR_SHELL:
        spec_json_text(member(members, "shell"), body->shell);
        break;
    case EXECUTOR_NOOP:
        buf_append_text(member(members, "noop"), "true");
        break;
    case EXECUTOR_SLEEP:
        spec_json_duration(member(members, "sleep"), body->sleep_ms);
        break;
    }
}

static void add_env(struct members *members, const struct msg_body *body)
{
    if (body->env_count == 0) {
        return;
    }
    buf_append_text(member(members, "env"), "{");
    for (size_t i = 0; i < body->env_count; i++) {
        buf_append_text(members->json, i > 0 ? "," : "");
        spec_json_text(members->json, body->env[i].key);
        buf_append_text(members->json, ":");
        spec_json_text(members->json, body->env[i].value);
    }
    buf_append_text(members->json, "}");
}

static void add_body(struct members *members, const struct msg_body *body)
{
    add_executor(members, body);
    add_env(members, body);
    if (body->has_stdin) {
        spec_json_text(member(members, "stdin"), body->stdin_data);
    }
    if (body->has_cwd) {
        spec_json_text(member(members, "cwd"), body->cwd);
    }
    add_duration(members, "timeout", body->run_timeout_ms, 0);
    add_duration(members, "kill_grace", body->kill_grace_ms, SPEC_KILL_GRACE_MS);
    if (body->on_disconnect == ON_DISCONNECT_STOP) {
        add_word(members, "on_disconnect", "stop");
    }
    if (body->output_json) {
        add_word(members, "output", "json");
    }
    if (body->output_bytes_max != SPEC_OUTPUT_BYTES_MAX) {
        buf_printf(member(members, "max_output"), "%" PRIu64, body->output_bytes_max);
    }
}

void spec_render_body(const struct msg_body *body, struct buf *json)
{
    struct members members = { .json = json };
    buf_append_text(json, "{");
    add_body(&members, body);
    buf_append_text(json, "}");
}

/* An argument as a literal of SQL: what a person would have written in the place of its placeholder. */
static void add_literal(struct buf *sql, const json_t *value)
{
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        buf_append_text(sql, "'");
        for (size_t i = 0; i < json_string_length(value); i++) {
            buf_append(sql, &text[i], 1);
            buf_append_text(sql, text[i] == '\'' ? "'" : "");
        }
        buf_append_text(sql, "'");
    } else if (json_is_boolean(value)) {
        buf_append_text(sql, json_is_true(value) ? "1" : "0");
    } else if (json_is_number(value)) {
        bool is_negative = json_number_value(value) < 0; /* behind a '-' it would be a comment */
        buf_append_text(sql, is_negative ? "(" : "");
        if (json_is_integer(value)) {
            buf_printf(sql, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        } else {
            buf_printf(sql, "%.17g", json_real_value(value));
        }
        buf_append_text(sql, is_negative ? ")" : "");
    } else {
        buf_append_text(sql, "NULL");
    }
}

void spec_render_condition(struct str condition, struct str arguments, struct buf *sql)
{
    json_t *values = arguments.length == 0
                         ? NULL
                         : json_loadb(arguments.data, arguments.length, JSON_ALLOW_NUL, NULL);
    struct placeholder placeholder;
    enum err err = ERR_NONE;
    size_t at = 0;
    size_t copied = 0;
    size_t index = 0;
    while (values != NULL && placeholder_next(condition, &at, &placeholder, &err, NULL)) {
        buf_append(sql, condition.data + copied, placeholder.from - copied);
        add_literal(sql, json_array_get(values, index++));
        copied = placeholder.to;
    }
    buf_append(sql, condition.data + copied, condition.length - copied);
    json_decref(values);
}

static void add_need(struct buf *json, const struct spec_need *need)
{
    if (need->when == EDGE_WHEN_SUCCESS && need->condition.length == 0) {
        spec_json_text(json, need->task);
        return;
    }
    struct members members = { .json = json };
    buf_append_text(json, "{");
    add_text(&members, "task", need->task);
    if (need->when != EDGE_WHEN_SUCCESS) {
        add_word(&members, "when", edge_when_name(need->when));
    }
    if (need->condition.length > 0) {
        struct buf sql = { 0 };
        spec_render_condition(need->condition, need->arguments, &sql);
        add_text(&members, "if", (struct str){ (const char *)sql.data, sql.length });
        buf_done(&sql);
    }
    buf_append_text(json, "}");
}

static void add_needs(struct members *members, const struct spec_task_view *view)
{
    size_t count = 0;
    for (size_t i = 0; i < view->needs_count; i++) {
        if (!view->needs[i].named) {
            continue;
        }
        if (count++ == 0) {
            buf_append_text(member(members, "needs"), "[");
        } else {
            buf_append_text(members->json, ",");
        }
        add_need(members->json, &view->needs[i]);
    }
    buf_append_text(members->json, count > 0 ? "]" : "");
}

static void add_place(struct members *members, const struct spec_task_view *view)
{
    const struct plan_class *class = view->class;
    add_text(members, "selector", class->selector);
    add_text(members, "device", class->device);
    add_text(members, "same_device", view->same_device);
    add_text(members, "other_device", view->other_device);
    for (size_t i = 0; i < class->tools_count; i++) {
        if (i == 0) {
            buf_append_text(member(members, "tools"), "[");
        }
        spec_json_text(members->json, class->tools[i]);
        buf_append_text(members->json, i + 1 == class->tools_count ? "]" : ",");
    }
    for (size_t i = 0; i < class->resources_count; i++) {
        const struct plan_resource *resource = &class->resources[i];
        buf_append_text(i == 0 ? member(members, "resources") : members->json, i == 0 ? "{" : ",");
        spec_json_text(members->json, resource->name);
        buf_append_text(members->json, ":");
        spec_json_milli(members->json, resource->amount_milli);
        buf_append_text(members->json, i + 1 == class->resources_count ? "}" : "");
    }
    for (size_t i = 0; i < class->limits_count; i++) {
        const struct plan_limit_use *use = &class->limits[i];
        buf_append_text(i == 0 ? member(members, "limits") : members->json, i == 0 ? "{" : ",");
        spec_json_text(members->json, view->limits[use->limit].name);
        buf_printf(members->json, ":%" PRIu32, use->amount);
        buf_append_text(members->json, i + 1 == class->limits_count ? "}" : "");
    }
    if (class->strategy != STRATEGY_LEAST_LOADED) {
        add_word(members, "strategy", strategy_name(class->strategy));
    }
}

static void add_retry_on(struct members *members, uint32_t retry_on)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } ends[] = { { RETRY_ON_EXIT, "exit" },
                 { RETRY_ON_SIGNAL, "signal" },
                 { RETRY_ON_TIMEOUT, "timeout" },
                 { RETRY_ON_START, "start" } };
    if (retry_on == RETRY_ON_ALL) {
        return;
    }
    bool is_first = true;
    buf_append_text(member(members, "on"), "[");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if ((retry_on & ends[i].bit) != 0) {
            buf_printf(members->json, "%s\"%s\"", is_first ? "" : ",", ends[i].name);
            is_first = false;
        }
    }
    buf_append_text(members->json, "]");
}

/* Members that are an object of their own stand in it only if there are any. */
static void add_object(struct members *members, const char *name, const struct buf *inner)
{
    if (inner->length > 0) {
        buf_append_text(member(members, name), "{");
        buf_append(members->json, inner->data, inner->length);
        buf_append_text(members->json, "}");
    }
}

static void add_policy(struct members *members, const struct plan_policy *policy)
{
    struct buf text = { 0 };
    struct members retry = { .json = &text };
    int64_t usual_ms = policy->backoff_base_ms > SPEC_MAX_BACKOFF_MS ? policy->backoff_base_ms
                                                                     : SPEC_MAX_BACKOFF_MS;
    add_number(&retry, "max_attempts", policy->max_attempts, 1);
    add_duration(&retry, "backoff", policy->backoff_base_ms, SPEC_BACKOFF_MS);
    if (policy->backoff_factor_permille != SPEC_FACTOR_PERMILLE) {
        spec_json_milli(member(&retry, "factor"), policy->backoff_factor_permille);
    }
    add_duration(&retry, "max_backoff", policy->backoff_max_ms, usual_ms);
    add_number(&retry, "max_lost", policy->max_lost, SPEC_MAX_LOST);
    add_retry_on(&retry, policy->retry_on);
    add_object(members, "retry", &text);
    buf_clear(&text);
    struct members timeouts = { .json = &text };
    add_duration(&timeouts, "queue", policy->queue_timeout_ms, 0);
    add_duration(&timeouts, "start", policy->start_timeout_ms, 0);
    add_duration(&timeouts, "silence", policy->silence_timeout_ms, 0);
    add_object(members, "timeouts", &text);
    buf_done(&text);
    if (policy->effect != TASK_IDEMPOTENT) {
        add_word(members, "effect", task_effect_name(policy->effect));
    }
}

void spec_render_task(const struct spec_task_view *view, struct buf *json)
{
    struct members members = { .json = json };
    const struct plan_task *task = view->task;
    bool is_gate = (task->flags & TASK_GATE) != 0;
    buf_append_text(json, "{");
    add_text(&members, "description", task->description);
    if (!is_gate) {
        add_body(&members, view->body);
    }
    add_needs(&members, view);
    if ((task->flags & TASK_JOIN_ANY) != 0) {
        add_word(&members, "join", "any");
    }
    add_text(&members, "group", task->group);
    add_text(&members, "hold", task->hold);
    add_true(&members, "finally", (task->flags & TASK_FINALLY) != 0);
    add_true(&members, "allow_failure", (task->flags & TASK_ALLOW_FAILURE) != 0);
    add_number(&members, "priority", task->priority, 0);
    if (!is_gate) {
        add_place(&members, view);
        add_policy(&members, view->policy);
    }
    add_duration(&members, "hold_on_failure", view->policy->hold_on_failure_ms, 0);
    buf_append_text(json, "}");
}

struct spec_task_view spec_view_of_one(const struct spec_one *one, const struct spec_scope *scope)
{
    return (struct spec_task_view){
        .task = &one->task,
        .class = &one->class,
        .policy = &one->policy,
        .body = &one->body,
        .needs = one->needs,
        .needs_count = one->needs_count,
        .same_device = one->same_device,
        .other_device = one->other_device,
        .limits = scope->limits,
    };
}
