#include "orchestrator/spec/spec_read.h"

#include "orchestrator/spec/condition.h"
#include "orchestrator/spec/spec_nearest.h"

static void report_unknown_key(struct spec_reader *reader, enum spec_where where,
                               const struct spec_node *key, const struct spec_path *path)
{
    struct str name = spec_node_text(key);
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, name);
    size_t count = 0;
    const struct spec_key *rows = spec_keys(&count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].where == where) {
            spec_nearest_offer(&nearest, str_of(rows[i].name));
        }
    }
    char hint[SPEC_HINT_BYTES_MAX];
    name = spec_report_shorten(name);
    spec_report_add(&reader->report, "unknown_key", spec_node_place(key), path,
                    spec_key_names(where, reader->arena), "unknown key \"%.*s\"%s", STR_ARG(name),
                    spec_nearest_hint(&nearest, hint));
}

static void read_key(struct spec_reader *reader, struct spec_draft *draft, enum spec_where where,
                     const struct spec_node *key, const struct spec_path *up)
{
    struct spec_path at = { .up = up, .key = spec_node_text(key) };
    const struct spec_key *row = spec_key_find(where, at.key);
    if (row == NULL) {
        if (!spec_report_is_full(&reader->report)) {
            report_unknown_key(reader, where, key, &at);
        }
        return;
    }
    row->read(reader, draft, row, key, &at);
    draft->seen |= (uint64_t)1 << (unsigned)row->id;
}

bool spec_read_map(struct spec_reader *reader, struct spec_draft *draft, enum spec_where where,
                   const struct spec_node *map, const struct spec_path *path)
{
    if (map->kind != SPEC_MAP) {
        spec_wrong_type(reader, map, path, "a mapping");
        return false;
    }
    for (const struct spec_node *key = map->first; key != NULL; key = key->next->next) {
        read_key(reader, draft, where, key, path);
    }
    return true;
}

const struct spec_node *spec_map_get(const struct spec_node *map, const char *name)
{
    for (const struct spec_node *key = map->first; key != NULL; key = key->next->next) {
        if (str_is(spec_node_text(key), name)) {
            return spec_value(key);
        }
    }
    return NULL;
}

/* A pair of nodes of its own, when the value is another than the one that was written. */
static const struct spec_node *filled_key(struct spec_reader *reader, const struct spec_node *key,
                                          const struct spec_path *path)
{
    const struct spec_node *filled = spec_fill(reader, spec_value(key), path);
    if (filled == spec_value(key)) {
        return key;
    }
    struct spec_node *pair = arena_array(reader->arena, 2, sizeof *pair);
    pair[0] = *key;
    pair[1] = *filled;
    pair[0].next = &pair[1];
    pair[1].next = NULL;
    return &pair[0];
}

void spec_read_task_key(struct spec_reader *reader, struct spec_draft *draft,
                        const struct spec_node *key, const struct spec_path *up)
{
    struct spec_path at = { .up = up, .key = spec_node_text(key) };
    bool is_shell = str_is(at.key, "shell"); /* whose reader refuses them all */
    bool is_each = str_is(at.key, "each");   /* was filled in before there were tasks */
    if (!is_shell && !is_each) {
        key = filled_key(reader, key, &at);
    }
    read_key(reader, draft, SPEC_WHERE_TASK, key, up);
}

void spec_read_retry(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_key *row, const struct spec_node *key,
                     const struct spec_path *path)
{
    (void)row;
    const struct spec_node *map = spec_value(key);
    if (!spec_read_map(reader, draft, SPEC_WHERE_RETRY, map, path)) {
        return;
    }
    if (draft->max_backoff_ms >= draft->backoff_ms) {
        return;
    }
    if (spec_draft_has(draft, SPEC_KEY_RETRY_MAX_BACKOFF)) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(map), path, NULL,
                        "max_backoff is less than backoff");
        return;
    }
    draft->max_backoff_ms = draft->backoff_ms; /* only the default was less */
}

void spec_read_timeouts(struct spec_reader *reader, struct spec_draft *draft,
                        const struct spec_key *row, const struct spec_node *key,
                        const struct spec_path *path)
{
    (void)row;
    spec_read_map(reader, draft, SPEC_WHERE_TIMEOUTS, spec_value(key), path);
}

void spec_read_params(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_key *row, const struct spec_node *key,
                      const struct spec_path *path)
{
    (void)row;
    draft->params = spec_value(key);
    if (draft->params->kind != SPEC_MAP) {
        spec_wrong_type(reader, draft->params, path, "a mapping from names to params");
        draft->params = NULL;
    }
}

/* What a task is by itself has no default. */
static bool can_be_default(struct str name)
{
    static const enum spec_key_id own[] = {
        SPEC_KEY_RUN,  SPEC_KEY_SHELL, SPEC_KEY_NOOP,        SPEC_KEY_SLEEP,       SPEC_KEY_NEEDS,
        SPEC_KEY_EACH, SPEC_KEY_GROUP, SPEC_KEY_SAME_DEVICE, SPEC_KEY_OTHER_DEVICE
    };
    const struct spec_key *row = spec_key_find(SPEC_WHERE_TASK, name);
    for (size_t i = 0; row != NULL && i < sizeof own / sizeof own[0]; i++) {
        if (row->id == own[i]) {
            return false;
        }
    }
    return true;
}

void spec_read_defaults(struct spec_reader *reader, struct spec_draft *draft,
                        const struct spec_key *row, const struct spec_node *key,
                        const struct spec_path *path)
{
    (void)row;
    const struct spec_node *map = spec_value(key);
    if (map->kind != SPEC_MAP) {
        spec_wrong_type(reader, map, path, "a mapping of keys of a task");
        return;
    }
    draft->defaults = map;
    for (const struct spec_node *field = map->first; field != NULL; field = field->next->next) {
        struct spec_path at = { .up = path, .key = spec_node_text(field) };
        if (!can_be_default(at.key)) {
            spec_report_add(&reader->report, "bad_value", spec_node_place(field), &at, NULL,
                            "\"%.*s\" has no default: it belongs to one task", STR_ARG(at.key));
            draft->defaults = NULL;
        }
    }
}

void spec_read_tasks(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_key *row, const struct spec_node *key,
                     const struct spec_path *path)
{
    (void)row;
    const struct spec_node *map = spec_value(key);
    if (map->kind != SPEC_MAP) {
        spec_wrong_type(reader, map, path, "a mapping from task keys to tasks");
    } else if (map->length == 0) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(map), path, NULL,
                        "there is no task in it: at least one is needed");
    } else {
        draft->tasks = map;
    }
}

void spec_read_top(struct spec_reader *reader, const struct spec_node *root,
                   struct spec_draft *ret_top)
{
    /* The params first: they may stand in the rest, even in the name. */
    const struct spec_node *params = root->kind == SPEC_MAP ? spec_map_get(root, "params") : NULL;
    if (params != NULL && params->kind == SPEC_MAP) {
        ret_top->params = params;
    }
    spec_settle_params(reader, ret_top);
    if (root->kind != SPEC_MAP) {
        spec_wrong_type(reader, root, NULL, "a mapping");
        return;
    }
    for (const struct spec_node *key = root->first; key != NULL; key = key->next->next) {
        struct spec_path path = { .key = spec_node_text(key) };
        bool is_deep =
            spec_value(key)->kind == SPEC_MAP; /* these are filled in where they are read */
        read_key(reader, ret_top, SPEC_WHERE_TOP, is_deep ? key : filled_key(reader, key, &path),
                 NULL);
    }
    static const enum spec_key_id required[] = { SPEC_KEY_NAME, SPEC_KEY_TASKS };
    static const char *const words[] = { "name", "tasks" };
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (!spec_draft_has(ret_top, required[i])) {
            spec_report_add(&reader->report, "missing_key", spec_node_place(root), NULL, words[i],
                            "the key \"%s\" is missing", words[i]);
        }
    }
    reader->defaults = ret_top->defaults;
}

bool spec_charge(struct spec_reader *reader, size_t bytes, const struct spec_node *node,
                 const struct spec_path *path)
{
    if (reader->plan_bytes > SPEC_PLAN_BYTES_MAX) {
        return false; /* reported */
    }
    reader->plan_bytes += bytes;
    if (reader->plan_bytes <= SPEC_PLAN_BYTES_MAX) {
        return true;
    }
    spec_report_add(&reader->report, "too_large", spec_node_place(node), path, NULL,
                    "with this the tasks take more than %d MiB together",
                    SPEC_PLAN_BYTES_MAX / 1024 / 1024);
    return false;
}

void spec_reader_done(struct spec_reader *reader)
{
    condition_engine_free(reader->conditions);
    spec_intern_done(&reader->classes);
    spec_intern_done(&reader->policies);
    strmap_done(&reader->params);
    strmap_done(&reader->eaches);
    strmap_done(&reader->groups);
    strmap_done(&reader->keys);
    buf_done(&reader->names);
    buf_done(&reader->stamps);
    buf_done(&reader->edges);
    buf_done(&reader->chain);
    buf_done(&reader->references);
}
