/* The tasks: first all keys, so that a task can name one that stands behind it, then each task. */
#include "orchestrator/engine/selector.h"
#include "orchestrator/spec/body_bytes.h"
#include "orchestrator/spec/spec_read.h"

static void draft_init(struct spec_draft *draft, uint32_t index, int64_t priority)
{
    *draft = (struct spec_draft){
        .index = index,
        .priority = priority,
        .max_attempts = 1,
        .max_lost = 3,
        .backoff_ms = 1000,
        .max_backoff_ms = (int64_t)5 * 60 * 1000,
        .factor_permille = 2000,
        .output_bytes_max = SPEC_OUTPUT_BYTES_MAX,
        .body = { .kill_grace_ms = SPEC_KILL_GRACE_MS, .on_disconnect = ON_DISCONNECT_CONTINUE },
    };
}

static void register_keys(struct spec_reader *reader, const struct spec_node *map,
                          const struct spec_path *path)
{
    uint32_t index = 0;
    for (const struct spec_node *key = map->first; key != NULL; key = key->next->next) {
        struct str text = spec_node_text(key);
        if (!spec_is_name(text, "_-", PLAN_KEY_BYTES_MAX)) {
            struct spec_path at = { .up = path, .key = text };
            text = spec_report_shorten(text);
            spec_report_add(&reader->report, "bad_key", spec_node_place(key), &at, NULL,
                            "\"%.*s\" cannot be the key of a task: letters, digits, _ and -, at "
                            "most %d characters",
                            STR_ARG(text), PLAN_KEY_BYTES_MAX);
        }
        reader->nodes[index] = key;
        reader->tasks[index].key = spec_node_text(key);
        index++;
        strmap_put(&reader->keys, spec_node_text(key), (void *)(uintptr_t)index);
    }
}

static void take_class(struct spec_reader *reader, const struct spec_draft *draft,
                       struct plan_task *task, const struct spec_path *path)
{
    const struct plan_class class = {
        .selector = draft->selector,
        .device = draft->device,
        .executor = draft->body.executor,
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
    };
    spec_intern_policy(&reader->policies, &policy, &task->policy_index);
}

static void read_task(struct spec_reader *reader, uint32_t index, int64_t priority,
                      const struct spec_path *up)
{
    const struct spec_node *key = reader->nodes[index];
    struct spec_path path = { .up = up, .key = spec_node_text(key) };
    struct spec_draft draft;
    draft_init(&draft, index, priority);
    buf_clear(&reader->references);
    if (!spec_read_map(reader, &draft, SPEC_WHERE_TASK, spec_value(key), &path)) {
        return;
    }
    if (draft.body.executor == 0) {
        spec_report_add(&reader->report, "no_executor", spec_node_place(key), &path,
                        "run, shell, noop, sleep",
                        "task \"%.*s\" does nothing: it needs one of run, shell, noop and sleep",
                        STR_ARG(path.key));
        return;
    }
    draft.body.output_bytes_max = (uint64_t)draft.output_bytes_max;
    size_t bytes = body_bytes(&draft.body);
    if (bytes > MSG_BODY_BYTES_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(key), &path, NULL,
                        "what the task does takes %zu bytes; at most %d are allowed", bytes,
                        MSG_BODY_BYTES_MAX);
    }
    struct plan_task *task = &reader->tasks[index];
    task->priority = (int32_t)draft.priority;
    task->has_references = reader->references.length > 0;
    take_class(reader, &draft, task, &path);
    take_policy(reader, &draft, task);
    spec_add_references(reader, &draft, &path);
    reader->bodies[index] = draft.body;
}

void spec_read_all_tasks(struct spec_reader *reader, const struct spec_draft *top)
{
    const struct spec_path path = { .key = STR("tasks") };
    const struct spec_node *map = top->tasks;
    if (map->length > PLAN_TASKS_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(map), &path, NULL,
                        "has %u tasks; at most %d are allowed", map->length, PLAN_TASKS_MAX);
        return;
    }
    reader->tasks_count = map->length;
    reader->nodes = arena_array(reader->arena, map->length, sizeof(struct spec_node *));
    reader->tasks = arena_array(reader->arena, map->length, sizeof *reader->tasks);
    reader->bodies = arena_array(reader->arena, map->length, sizeof *reader->bodies);
    reader->stamps = arena_array(reader->arena, map->length, sizeof *reader->stamps);
    register_keys(reader, map, &path);
    for (uint32_t i = 0; i < map->length && !spec_report_is_full(&reader->report); i++) {
        read_task(reader, i, top->priority, &path);
    }
}
