/* A task: its defaults, its own keys, and what becomes of both. */
#include "orchestrator/engine/selector.h"
#include "orchestrator/spec/body_bytes.h"
#include "orchestrator/spec/spec_read.h"

static void draft_init(struct spec_draft *draft, uint32_t index, const struct spec_draft *top)
{
    *draft = (struct spec_draft){
        .index = index,
        .priority = top->priority,
        .hold_on_failure_ms = top->hold_on_failure_ms,
        .max_attempts = 1,
        .max_lost = SPEC_MAX_LOST,
        .backoff_ms = SPEC_BACKOFF_MS,
        .max_backoff_ms = SPEC_MAX_BACKOFF_MS,
        .factor_permille = SPEC_FACTOR_PERMILLE,
        .retry_on = RETRY_ON_ALL,
        .output_bytes_max = SPEC_OUTPUT_BYTES_MAX,
        .body = { .kill_grace_ms = SPEC_KILL_GRACE_MS, .on_disconnect = ON_DISCONNECT_CONTINUE },
    };
}

static void take_class(struct spec_reader *reader, const struct spec_draft *draft,
                       struct plan_task *task, const struct spec_path *path)
{
    const struct plan_class class = {
        .selector = draft->selector,
        .device = draft->device,
        .executor = draft->body.executor,
        .strategy = draft->strategy,
        .same_device = draft->same_device,
        .other_device = draft->other_device,
        .tools = draft->tools,
        .tools_count = draft->tools_count,
        .resources = draft->resources,
        .resources_count = draft->resources_count,
        .limits = draft->limits,
        .limits_count = draft->limits_count,
    };
    if (spec_intern_class(&reader->classes, &class, &task->class_index) ||
        draft->selector.length == 0) {
        return;
    }
    struct selector *selector = NULL;
    struct reason reason;
    if (selector_parse(draft->selector, &selector, NULL, &reason) != ERR_NONE) {
        struct spec_path at = { .up = path, .key = STR("selector") };
        spec_report_add(&reader->report, "bad_selector", spec_node_place(draft->selected), &at,
                        NULL, "%s", reason.text);
    }
    selector_free(selector);
}

static void take_policy(struct spec_reader *reader, const struct spec_draft *draft,
                        struct plan_task *task)
{
    const struct plan_policy policy = {
        .max_attempts = (uint32_t)draft->max_attempts,
        .max_lost = (uint32_t)draft->max_lost,
        .backoff_base_ms = draft->backoff_ms,
        .backoff_max_ms = draft->max_backoff_ms,
        .backoff_factor_permille = (uint32_t)draft->factor_permille,
        .run_timeout_ms = draft->body.run_timeout_ms,
        .kill_grace_ms = draft->body.kill_grace_ms,
        .output_bytes_max = (int64_t)draft->body.output_bytes_max,
        .on_disconnect = draft->body.on_disconnect,
        .effect = draft->effect,
        .retry_on = draft->retry_on,
        .queue_timeout_ms = draft->queue_timeout_ms,
        .start_timeout_ms = draft->start_timeout_ms,
        .silence_timeout_ms = draft->body.silence_timeout_ms,
        .hold_on_failure_ms = draft->hold_on_failure_ms,
    };
    spec_intern_policy(&reader->policies, &policy, &task->policy_index);
}

/* A gate is decided in the daemon: nothing about devices and attempts means anything to it. */
static bool is_for_gates(struct str name)
{
    static const enum spec_key_id own[] = {
        SPEC_KEY_NEEDS,           SPEC_KEY_JOIN,          SPEC_KEY_EACH,
        SPEC_KEY_GROUP,           SPEC_KEY_HOLD,          SPEC_KEY_FINALLY,
        SPEC_KEY_ALLOW_FAILURE,   SPEC_KEY_TASK_PRIORITY, SPEC_KEY_TASK_HOLD_ON_FAILURE,
        SPEC_KEY_TASK_DESCRIPTION
    };
    const struct spec_key *row = spec_key_find(SPEC_WHERE_TASK, name);
    for (size_t i = 0; row != NULL && i < sizeof own / sizeof own[0]; i++) {
        if (row->id == own[i]) {
            return true;
        }
    }
    return row == NULL; /* it is reported as unknown */
}

static bool has_executor(const struct spec_node *map)
{
    static const char *const words[] = { "run", "shell", "noop", "sleep" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (spec_map_get(map, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* What the defaults give and the task does not have: null in the task takes one away. */
static void read_defaults(struct spec_reader *reader, struct spec_draft *draft,
                          const struct spec_node *map, bool is_gate)
{
    static const struct spec_path path = { .key = { "defaults", 8 } };
    if (reader->defaults == NULL) {
        return;
    }
    size_t before = reader->report.problems->count;
    for (const struct spec_node *key = reader->defaults->first; key != NULL;
         key = key->next->next) {
        bool is_own = spec_map_get(map, key->text) != NULL;
        if (!is_own && (!is_gate || is_for_gates(spec_node_text(key)))) {
            spec_read_task_key(reader, draft, key, &path);
        }
    }
    draft->seen = 0;
    if (reader->report.problems->count > before) {
        reader->defaults = NULL; /* once is enough */
    }
}

static void read_own(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_node *map, bool is_gate, const struct spec_path *path)
{
    const struct spec_node *defaults = reader->defaults;
    for (const struct spec_node *key = map->first; key != NULL; key = key->next->next) {
        bool is_removed = spec_value(key)->kind == SPEC_NULL && defaults != NULL &&
                          spec_map_get(defaults, key->text) != NULL;
        if (is_removed) {
            continue;
        }
        if (is_gate && !is_for_gates(spec_node_text(key))) {
            struct spec_path at = { .up = path, .key = spec_node_text(key) };
            spec_report_add(&reader->report, "no_executor", spec_node_place(key), &at,
                            "run, shell, noop, sleep",
                            "a task without run, shell, noop or sleep is a gate, which runs "
                            "nowhere: it has no \"%.*s\"",
                            STR_ARG(at.key));
            continue;
        }
        spec_read_task_key(reader, draft, key, path);
    }
}

static void check_size(struct spec_reader *reader, const struct spec_draft *draft,
                       const struct spec_node *key, const struct spec_path *path)
{
    size_t bytes = body_bytes(&draft->body);
    if (bytes > MSG_BODY_BYTES_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(key), path, NULL,
                        "what the task does takes %zu bytes; at most %d are allowed", bytes,
                        MSG_BODY_BYTES_MAX);
    }
    spec_charge(reader, bytes + draft->description.length + draft->hold.length, key, path);
}

/* Then `each: {device: …}` does not pin it. */
static bool says_where(const struct spec_draft *draft)
{
    return spec_draft_has(draft, SPEC_KEY_DEVICE) || spec_draft_has(draft, SPEC_KEY_SELECTOR) ||
           spec_draft_has(draft, SPEC_KEY_SAME_DEVICE) ||
           spec_draft_has(draft, SPEC_KEY_OTHER_DEVICE);
}

bool spec_read_task(struct spec_reader *reader, uint32_t index, const struct spec_draft *top,
                    const struct spec_node *map, const struct spec_path *path)
{
    struct spec_draft draft;
    draft_init(&draft, index, top);
    buf_clear(&reader->references);
    if (map->kind != SPEC_MAP) {
        spec_wrong_type(reader, map, path, "a mapping");
        return false;
    }
    const struct spec_each *each = reader->each_of[index];
    bool is_gate = !has_executor(map);
    reader->filler_name = (struct str){ NULL, 0 };
    if (each != NULL) {
        reader->filler_name = each->variable;
        reader->filler = each->values[reader->value_of[index]];
    }
    read_defaults(reader, &draft, map, is_gate);
    read_own(reader, &draft, map, is_gate, path);
    if (each != NULL && each->is_device && !is_gate && !says_where(&draft)) {
        draft.device = reader->filler.text;
    }
    if (each != NULL && spec_draft_has(&draft, SPEC_KEY_GROUP)) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(map), path, NULL,
                        "each makes a group of the task's own key: it can have no other");
    }
    draft.body.output_bytes_max = (uint64_t)draft.output_bytes_max;
    if (is_gate) {
        draft.body = (struct msg_body){ .executor = 0 };
        draft.flags |= TASK_GATE;
    }
    check_size(reader, &draft, reader->nodes[index], path);
    struct plan_task *task = &reader->tasks[index];
    task->priority = (int32_t)draft.priority;
    task->flags = draft.flags;
    task->group = each != NULL ? path->key : draft.group;
    task->description = draft.description;
    task->hold = draft.hold;
    take_class(reader, &draft, task, path);
    take_policy(reader, &draft, task);
    const struct spec_reference *references = (const void *)reader->references.data;
    for (size_t i = 0; i < reader->references.length / sizeof *references; i++) {
        task->has_references = task->has_references || references[i].in_body;
    }
    spec_add_references(reader, &draft, path);
    reader->bodies[index] = draft.body;
    return true;
}

/* What runs last cannot be waited for by what runs before it. */
static void check_finally(struct spec_reader *reader, const struct spec_path *up)
{
    const struct plan_edge *edges = (const void *)reader->edges.data;
    for (size_t i = 0; i < reader->edges.length / sizeof *edges; i++) {
        const struct plan_task *from = &reader->tasks[edges[i].from];
        const struct plan_task *to = &reader->tasks[edges[i].to];
        if ((from->flags & TASK_FINALLY) == 0 || (to->flags & TASK_FINALLY) != 0 ||
            spec_report_is_full(&reader->report)) {
            continue;
        }
        const struct spec_node *node = reader->nodes[edges[i].to];
        struct spec_path path = { .up = up, .key = spec_node_text(node) };
        struct str name = spec_report_shorten(from->key);
        spec_report_add(&reader->report, "needs_finally", spec_node_place(node), &path, NULL,
                        "\"%.*s\" runs last (finally), so only tasks that do can need it",
                        STR_ARG(name));
    }
}

void spec_read_all_tasks(struct spec_reader *reader, const struct spec_draft *top)
{
    const struct spec_path path = { .key = STR("tasks") };
    const struct spec_each *faulty = NULL; /* its other tasks would tell the same again */
    if (!spec_expand(reader, top->tasks, &path)) {
        return;
    }
    for (uint32_t i = 0; i < reader->tasks_count && !spec_report_is_full(&reader->report); i++) {
        const struct spec_node *key = reader->nodes[i];
        struct spec_path at = { .up = &path, .key = spec_node_text(key) };
        bool is_next = i > 0 && reader->nodes[i - 1] == key;
        if (is_next && faulty != NULL) {
            continue;
        }
        size_t before = reader->report.problems->count;
        spec_read_task(reader, i, top, spec_value(key), &at);
        faulty = reader->report.problems->count > before ? reader->each_of[i] : NULL;
    }
    check_finally(reader, &path);
}
