#include "orchestrator/spec/spec_read.h"

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

bool spec_read_map(struct spec_reader *reader, struct spec_draft *draft, enum spec_where where,
                   const struct spec_node *map, const struct spec_path *path)
{
    if (map->kind != SPEC_MAP) {
        spec_wrong_type(reader, map, path, "a mapping");
        return false;
    }
    for (const struct spec_node *key = map->first; key != NULL; key = key->next->next) {
        struct spec_path at = { .up = path, .key = spec_node_text(key) };
        const struct spec_key *row = spec_key_find(where, at.key);
        if (row == NULL) {
            if (!spec_report_is_full(&reader->report)) {
                report_unknown_key(reader, where, key, &at);
            }
            continue;
        }
        row->read(reader, draft, row, key, &at);
        draft->seen |= (uint64_t)1 << (unsigned)row->id;
    }
    return true;
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
    if (!spec_read_map(reader, ret_top, SPEC_WHERE_TOP, root, NULL)) {
        return;
    }
    static const enum spec_key_id required[] = { SPEC_KEY_NAME, SPEC_KEY_TASKS };
    static const char *const words[] = { "name", "tasks" };
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (!spec_draft_has(ret_top, required[i])) {
            spec_report_add(&reader->report, "missing_key", spec_node_place(root), NULL, words[i],
                            "the key \"%s\" is missing", words[i]);
        }
    }
}
