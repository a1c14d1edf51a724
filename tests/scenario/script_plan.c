/* The command plan: from the words of a script to a plan; and one task of it, also for edits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/scenario/script.h"

struct draft {
    struct plan_task tasks[WORLD_TASKS_MAX];
    struct plan_edge edges[WORLD_TASKS_MAX];
    struct plan_class classes[WORLD_TASKS_MAX];
    struct plan_policy policies[WORLD_TASKS_MAX];
    struct plan_limit limits[4];
    size_t limits_count;
    size_t tasks_count;
    size_t edges_count;
    int64_t deadline_ms;
    bool fail_fast;
};

static int64_t amount_milli(const char *text)
{
    return (int64_t)(strtod(text, NULL) * 1000 + 0.5);
}

/* "NAME:AMOUNT" */
struct plan_resource *script_resource(struct script *script, const char *text)
{
    struct plan_resource *resource = arena_alloc(&script->world.arena, sizeof *resource);
    const char *colon = strchr(text, ':');
    CHECK(colon != NULL);
    *resource = (struct plan_resource){ script_keep(script, text), amount_milli(colon + 1) };
    resource->name.length = (size_t)(colon - text);
    return resource;
}

static uint32_t task_above(const struct draft *draft, const char *key)
{
    for (size_t i = 0; key != NULL && i < draft->tasks_count; i++) {
        if (str_is(draft->tasks[i].key, key)) {
            return (uint32_t)i + 1;
        }
    }
    return 0;
}

/* What may run it, but for what it shares with other tasks of its plan. */
static void make_class(struct script *script, struct plan_class *class)
{
    static const char *const strategies[] = { "least_loaded", "round_robin", "spread", "pack" };
    const char *on = script_option(script, "on");
    const char *device = script_option(script, "device");
    const char *resource = script_option(script, "resource");
    const char *tool = script_option(script, "tool");
    const char *strategy = script_option(script, "strategy");
    *class = (struct plan_class){
        .selector = script_keep(script, on == NULL ? "" : on),
        .device = script_keep(script, device == NULL ? "" : device),
        .executor = EXECUTOR_NOOP,
    };
    if (resource != NULL) {
        class->resources = script_resource(script, resource);
        class->resources_count = 1;
    }
    if (tool != NULL) {
        struct str *tools = arena_alloc(&script->world.arena, sizeof *tools);
        *tools = script_keep(script, tool);
        class->tools = tools;
        class->tools_count = 1;
    }
    for (size_t i = 0; strategy != NULL && i < sizeof strategies / sizeof strategies[0]; i++) {
        if (strcmp(strategies[i], strategy) == 0) {
            class->strategy = (enum strategy)i;
        }
    }
}

static void share(struct script *script, const struct draft *draft, struct plan_class *class)
{
    const char *limit = script_option(script, "limit");
    class->same_device = task_above(draft, script_option(script, "same"));
    class->other_device = task_above(draft, script_option(script, "other"));
    if (limit != NULL) {
        struct plan_limit_use *use = arena_alloc(&script->world.arena, sizeof *use);
        const struct plan_resource *named = script_resource(script, limit);
        use->amount = (uint32_t)(named->amount_milli / 1000);
        while (!str_equal(draft->limits[use->limit].name, named->name)) {
            use->limit++;
            CHECK(use->limit < draft->limits_count);
        }
        class->limits = use;
        class->limits_count = 1;
    }
}

static uint32_t retry_bits(struct script *script)
{
    static const char *const ends[] = { "exit", "signal", "timeout", "start" };
    const char *text = script_option(script, "on-end");
    uint32_t bits = 0;
    for (size_t i = 0; text != NULL && i < sizeof ends / sizeof ends[0]; i++) {
        bits |= strstr(text, ends[i]) == NULL ? 0 : 1U << i;
    }
    return bits;
}

struct plan_edge script_need(struct script *script, char *text)
{
    struct plan_edge edge = { .when = EDGE_WHEN_SUCCESS, .named = true };
    char *condition = strchr(text, '?');
    if (condition != NULL) {
        *condition++ = 0;
        edge.condition = script_keep(script, condition);
    }
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '!') {
        text[length - 1] = 0;
        edge.required = true;
    }
    char *kind = strchr(text, ':');
    if (kind != NULL) {
        *kind++ = 0;
        while (strcmp(edge_when_name(edge.when), kind) != 0) {
            CHECK(edge.when != EDGE_WHEN_ALWAYS);
            edge.when = (enum edge_when)(edge.when + 1);
        }
    }
    return edge;
}

static bool add_needs(struct script *script, struct draft *draft, const char *needs)
{
    char list[512];
    snprintf(list, sizeof list, "%s", needs);
    char *rest = NULL;
    for (char *key = strtok_r(list, ",", &rest); key != NULL; key = strtok_r(NULL, ",", &rest)) {
        struct plan_edge edge = script_need(script, key);
        edge.from = task_above(draft, key);
        edge.to = (uint32_t)draft->tasks_count;
        if (edge.from-- == 0 || draft->edges_count == WORLD_TASKS_MAX) {
            return script_complain(script, "needs a task that does not stand above, or too many");
        }
        draft->edges[draft->edges_count++] = edge;
    }
    return true;
}

static uint16_t task_flags(const struct script *script)
{
    unsigned flags = 0;
    flags |= script_flag(script, "any") ? TASK_JOIN_ANY : 0U;
    flags |= script_flag(script, "gate") ? TASK_GATE : 0U;
    flags |= script_flag(script, "finally") ? TASK_FINALLY : 0U;
    flags |= script_flag(script, "allow-failure") ? TASK_ALLOW_FAILURE : 0U;
    return (uint16_t)flags;
}

void script_task(struct script *script, struct plan_task *task, struct plan_class *class,
                 struct plan_policy *policy)
{
    make_class(script, class);
    *policy = (struct plan_policy){
        .max_attempts = (uint32_t)script_number(script, "attempts", 1),
        .max_lost = (uint32_t)script_number(script, "lost", 3),
        .backoff_base_ms = 1000,
        .backoff_max_ms = 60000,
        .backoff_factor_permille = 2000,
        .run_timeout_ms = script_number(script, "timeout", 0),
        .kill_grace_ms = script_number(script, "grace", 5000),
        .output_bytes_max = script_number(script, "max", 100),
        .on_disconnect = script_flag(script, "stop") ? ON_DISCONNECT_STOP : ON_DISCONNECT_CONTINUE,
        .effect = script_flag(script, "once") ? TASK_ONCE : TASK_IDEMPOTENT,
        .retry_on = retry_bits(script),
        .queue_timeout_ms = script_number(script, "queue", 0),
        .start_timeout_ms = script_number(script, "start", 0),
        .hold_on_failure_ms = script_number(script, "hold-on-failure", 0),
    };
    const char *approval = script_option(script, "hold");
    *task = (struct plan_task){
        .key = script_keep(script, script->words[1]),
        .body = STR("body"),
        .priority = (int32_t)script_number(script, "priority", 0),
        .has_references = script_flag(script, "refs"),
        .flags = task_flags(script),
        .hold = script_keep(script, approval == NULL ? "" : approval),
    };
}

static bool add_task(struct script *script, struct draft *draft)
{
    size_t at = draft->tasks_count;
    const char *needs = script_option(script, "needs");
    if (at == WORLD_TASKS_MAX || (needs != NULL && !add_needs(script, draft, needs))) {
        return at != WORLD_TASKS_MAX ? false : script_complain(script, "too many tasks");
    }
    struct plan_task *task = &draft->tasks[at];
    script_task(script, task, &draft->classes[at], &draft->policies[at]);
    share(script, draft, &draft->classes[at]);
    task->class_index = task->policy_index = (uint32_t)at;
    draft->tasks_count++;
    return true;
}

bool command_plan(struct script *script)
{
    struct draft *draft = arena_alloc(&script->world.arena, sizeof *draft);
    struct str name = script_keep(script, script->words[1]);
    while (script_words(script)) {
        if (script->words_count == 0) {
            continue;
        }
        if (strcmp(script->words[0], "end") == 0) {
            break;
        }
        if (strcmp(script->words[0], "fail-fast") == 0) {
            draft->fail_fast = true;
        } else if (strcmp(script->words[0], "deadline") == 0) {
            draft->deadline_ms = strtoll(script->words[1], NULL, 10);
        } else if (strcmp(script->words[0], "limit") == 0) {
            CHECK(draft->limits_count < sizeof draft->limits / sizeof draft->limits[0]);
            draft->limits[draft->limits_count++] =
                (struct plan_limit){ script_keep(script, script->words[1]),
                                     (uint32_t)strtoul(script->words[2], NULL, 10) };
        } else if (!add_task(script, draft)) {
            return false;
        }
    }
    script_flush(script);
    struct plan *plan = arena_alloc(&script->world.arena, sizeof *plan);
    *plan = (struct plan){
        .name = name,
        .source = STR("source"),
        .classes = draft->classes,
        .classes_count = draft->tasks_count,
        .policies = draft->policies,
        .policies_count = draft->tasks_count,
        .tasks = draft->tasks,
        .tasks_count = draft->tasks_count,
        .edges = draft->edges,
        .edges_count = draft->edges_count,
        .limits = draft->limits,
        .limits_count = draft->limits_count,
        .deadline_ms = draft->deadline_ms,
        .fail_fast = draft->fail_fast,
    };
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = plan;
    event.submit.request = 1;
    event.submit.uid = name;
    event.submit.actor = STR("test");
    return script_turns(script, &event);
}
