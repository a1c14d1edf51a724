/* The keys of all tasks, so that a task can name one that stands behind it; and `each`, which makes one
   task KEY@VALUE for each of its values, all of them the group KEY. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/engine/selector.h"
#include "orchestrator/spec/spec_read.h"

enum { VALUE_BYTES_MAX = 64 };

bool spec_is_each_value(struct str text)
{
    if (text.length == 0 || text.length > VALUE_BYTES_MAX) {
        return false;
    }
    size_t from = 0;
    for (size_t i = 0; i <= text.length; i++) {
        if (i < text.length && text.data[i] != '.') {
            continue;
        }
        struct str word = { text.data + from, i - from };
        /* tasks.KEY@1.stdout.stdout: the grammar would not know where the key ends. */
        if (!spec_is_name(word, "_-", VALUE_BYTES_MAX) ||
            (from > 0 && placeholder_is_field(word))) {
            return false;
        }
        from = i + 1;
    }
    return true;
}

/* Expanded already; of a task that is read alone it is refused. */
void spec_read_each(struct spec_reader *reader, struct spec_draft *draft,
                    const struct spec_key *row, const struct spec_node *key,
                    const struct spec_path *path)
{
    (void)row;
    (void)draft;
    if (reader->scope != NULL) {
        spec_report_add(&reader->report, "bad_value", spec_node_place(key), path, NULL,
                        "an edit adds tasks one by one: each is for specs");
    }
}

static bool take_value(struct spec_reader *reader, const struct spec_node *node,
                       const struct spec_path *path, struct spec_value *ret_value)
{
    struct str text;
    const struct spec_node *filled = spec_fill(reader, node, path);
    if (!spec_take_scalar(reader, filled, path, &text)) {
        return false;
    }
    if (!spec_is_each_value(text)) {
        text = spec_report_shorten(text);
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                        "\"%.*s\" cannot be part of a task's key: letters, digits, _ and -, and . "
                        "between them (but no .stdout and the like), at most %d characters",
                        STR_ARG(text), VALUE_BYTES_MAX);
        return false;
    }
    *ret_value = (struct spec_value){ .kind = filled->kind, .text = text };
    return true;
}

static bool read_list(struct spec_reader *reader, const struct spec_node *list,
                      const struct spec_path *path, struct spec_each *each)
{
    if (list->length == 0 || list->length > PLAN_TASKS_MAX) {
        spec_report_add(&reader->report, "out_of_range", spec_node_place(list), path, NULL,
                        "must have a value, and at most %d", PLAN_TASKS_MAX);
        return false;
    }
    each->values = arena_array(reader->arena, list->length, sizeof *each->values);
    bool is_fine = true;
    struct strmap seen = { 0 };
    for (const struct spec_node *item = list->first; item != NULL; item = item->next) {
        struct spec_path at = { .up = path, .index = each->count };
        struct spec_value *value = &each->values[each->count++];
        if (!take_value(reader, item, &at, value)) {
            is_fine = false;
            continue;
        }
        if (strmap_get(&seen, value->text) != NULL) {
            spec_report_add(&reader->report, "bad_value", spec_node_place(item), &at, NULL,
                            "\"%.*s\" is there twice", STR_ARG(value->text));
            is_fine = false;
        }
        strmap_put(&seen, value->text, each);
    }
    strmap_done(&seen);
    return is_fine;
}

static int compare_values(const void *a, const void *b)
{
    const struct spec_value *left = a;
    const struct spec_value *right = b;
    size_t shorter =
        left->text.length < right->text.length ? left->text.length : right->text.length;
    int order = memcmp(left->text.data, right->text.data, shorter);
    return order != 0 ? order
                      : (left->text.length > right->text.length) -
                            (left->text.length < right->text.length);
}

/* The devices that the selector takes, by name, so that their order is no accident. */
static bool read_devices(struct spec_reader *reader, const struct spec_node *node,
                         const struct spec_path *path, struct spec_each *each)
{
    struct selector *selector = NULL;
    struct reason reason;
    struct str text;
    if (!spec_take_text(reader, node, path, &text)) {
        return false;
    }
    if (selector_parse(text, &selector, NULL, &reason) != ERR_NONE) {
        spec_report_add(&reader->report, "bad_selector", spec_node_place(node), path, NULL, "%s",
                        reason.text);
        return false;
    }
    bool is_fine = true;
    each->values = arena_array(reader->arena, reader->inputs->devices_count, sizeof *each->values);
    for (size_t i = 0; i < reader->inputs->devices_count; i++) {
        const struct spec_device *device = &reader->inputs->devices[i];
        if (!selector_matches(selector, device->labels, device->labels_count)) {
            continue;
        }
        if (!spec_is_each_value(device->name)) {
            spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                            "the name of device \"%.*s\" cannot be part of a task's key",
                            STR_ARG(device->name));
            is_fine = false;
        }
        each->values[each->count++] = (struct spec_value){ SPEC_TEXT, device->name };
    }
    selector_free(selector);
    if (each->count > 1) {
        qsort(each->values, each->count, sizeof *each->values, compare_values);
    }
    if (each->count == 0) {
        text = spec_report_shorten(text);
        spec_report_add(&reader->report, "no_device", spec_node_place(node), path, NULL,
                        "no device that is known matches \"%.*s\" (there are %zu)", STR_ARG(text),
                        reader->inputs->devices_count);
        return false;
    }
    return is_fine;
}

/* One for all that have the same variable and values, in the same order. */
static const struct spec_each *intern_each(struct spec_reader *reader, const struct spec_each *each)
{
    struct buf identity = { 0 };
    buf_append(&identity, each->variable.data, each->variable.length);
    for (size_t i = 0; i < each->count; i++) {
        /* A byte that stands in no name and no value, and keeps 1 and "1" apart. */
        buf_append(&identity, each->values[i].kind == SPEC_TEXT ? "=" : "#", 1);
        buf_append(&identity, each->values[i].text.data, each->values[i].text.length);
    }
    struct str key = { (const char *)identity.data, identity.length };
    struct spec_each *known = strmap_get(&reader->eaches, key);
    if (known == NULL) {
        known = arena_alloc(reader->arena, sizeof *known);
        *known = *each;
        strmap_put(&reader->eaches, key, known);
    }
    buf_done(&identity);
    return known;
}

/* {NAME: [VALUE, …]} or {device: SELECTOR}. NULL: reported. */
static const struct spec_each *read_each(struct spec_reader *reader, const struct spec_node *map,
                                         const struct spec_path *path)
{
    if (map->kind != SPEC_MAP || map->length != 1) {
        spec_wrong_type(reader, map, path, "a mapping of one name to its values");
        return NULL;
    }
    struct spec_path at = { .up = path, .key = spec_node_text(map->first) };
    struct spec_each each = { .variable = at.key, .is_device = str_is(at.key, "device") };
    if (!spec_is_name(each.variable, "_-", VALUE_BYTES_MAX)) {
        spec_report_add(&reader->report, "bad_key", spec_node_place(map->first), &at, NULL,
                        "a name has letters, digits, _ and -, at most %d", VALUE_BYTES_MAX);
        return NULL;
    }
    const struct spec_node *values = spec_value(map->first);
    bool is_fine = false;
    if (values->kind == SPEC_LIST) {
        is_fine = read_list(reader, values, &at, &each);
    } else if (each.is_device) {
        is_fine = read_devices(reader, spec_fill(reader, values, &at), &at, &each);
    } else {
        spec_wrong_type(reader, values, &at, "a list of values");
    }
    return is_fine ? intern_each(reader, &each) : NULL;
}

static void join_group(struct spec_reader *reader, struct str name, uint32_t index,
                       const struct spec_each *each)
{
    struct spec_group *group = strmap_get(&reader->groups, name);
    if (group == NULL) {
        group = arena_alloc(reader->arena, sizeof *group);
        *group = (struct spec_group){ .first = index + 1, .last = index + 1, .each = each };
        strmap_put(&reader->groups, name, group);
        return;
    }
    group->each = group->each == each ? each : NULL;
    reader->next_members[group->last - 1] = index + 1;
    group->last = index + 1;
}

static void register_key(struct spec_reader *reader, uint32_t index, const struct spec_node *node,
                         struct str key, const struct spec_path *path)
{
    struct spec_path at = { .up = path, .key = spec_node_text(node) };
    struct str shown = spec_report_shorten(key);
    if (!spec_is_key(key)) {
        spec_report_add(&reader->report, "bad_key", spec_node_place(node), &at, NULL,
                        "\"%.*s\" cannot be the key of a task: letters, digits, _ and -, at "
                        "most %d characters",
                        STR_ARG(shown), PLAN_KEY_BYTES_MAX);
    }
    uintptr_t earlier = (uintptr_t)strmap_get(&reader->keys, key);
    if (earlier != 0 && (reader->each_of[index] != NULL || reader->each_of[earlier - 1] != NULL)) {
        spec_report_add(&reader->report, "duplicate_key", spec_node_place(node), &at, NULL,
                        "the task \"%.*s\" is there twice: each makes one of them", STR_ARG(shown));
    }
    reader->nodes[index] = node;
    reader->tasks[index].key = key;
    strmap_put(&reader->keys, key, (void *)(uintptr_t)(index + 1));
}

static void register_expanded(struct spec_reader *reader, uint32_t first,
                              const struct spec_node *node, const struct spec_each *each,
                              const struct spec_path *path)
{
    struct str name = spec_node_text(node);
    struct buf key = { 0 };
    for (uint32_t i = 0; i < each->count && !spec_report_is_full(&reader->report); i++) {
        uint32_t index = first + i;
        buf_clear(&key);
        buf_append(&key, name.data, name.length);
        buf_append(&key, "@", 1);
        buf_append(&key, each->values[i].text.data, each->values[i].text.length);
        struct str whole = { (const char *)key.data, key.length };
        reader->each_of[index] = each;
        reader->value_of[index] = i;
        register_key(reader, index, node, arena_str(reader->arena, whole), path);
        join_group(reader, name, index, each);
    }
    buf_done(&key);
}

static void register_plain(struct spec_reader *reader, uint32_t index, const struct spec_node *node,
                           const struct spec_path *path)
{
    register_key(reader, index, node, spec_node_text(node), path);
    const struct spec_node *map = spec_value(node);
    const struct spec_node *group = map->kind == SPEC_MAP ? spec_map_get(map, "group") : NULL;
    if (group != NULL && group->kind == SPEC_TEXT && group->length > 0) {
        join_group(reader, spec_node_text(group), index, NULL);
    }
}

/* How many tasks there will be, and what each is expanded over. False: reported. */
static bool count_tasks(struct spec_reader *reader, const struct spec_node *map,
                        const struct spec_path *path, const struct spec_each **eaches)
{
    size_t total = 0;
    bool is_fine = true;
    size_t at = 0;
    for (const struct spec_node *key = map->first; key != NULL; key = key->next->next, at++) {
        const struct spec_node *task = spec_value(key);
        const struct spec_node *each = task->kind == SPEC_MAP ? spec_map_get(task, "each") : NULL;
        if (each != NULL) {
            struct spec_path of_task = { .up = path, .key = spec_node_text(key) };
            struct spec_path of_each = { .up = &of_task, .key = STR("each") };
            eaches[at] = read_each(reader, each, &of_each);
            is_fine = is_fine && eaches[at] != NULL;
        }
        total += eaches[at] != NULL ? eaches[at]->count : 1;
        if (total > PLAN_TASKS_MAX) {
            break;
        }
    }
    if (total > PLAN_TASKS_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(map), path, NULL,
                        "has more than %d tasks", PLAN_TASKS_MAX);
        return false;
    }
    reader->tasks_count = total;
    return is_fine;
}

bool spec_expand(struct spec_reader *reader, const struct spec_node *tasks,
                 const struct spec_path *path)
{
    if (tasks->length > PLAN_TASKS_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(tasks), path, NULL,
                        "has %u tasks; at most %d are allowed", tasks->length, PLAN_TASKS_MAX);
        return false;
    }
    struct arena *arena = reader->arena;
    const struct spec_each **eaches =
        arena_array(arena, tasks->length, sizeof(const struct spec_each *));
    if (!count_tasks(reader, tasks, path, eaches)) {
        reader->tasks_count = 0;
        return false;
    }
    size_t count = reader->tasks_count;
    reader->nodes = arena_array(arena, count, sizeof(struct spec_node *));
    reader->each_of = arena_array(arena, count, sizeof(const struct spec_each *));
    reader->value_of = arena_array(arena, count, sizeof *reader->value_of);
    reader->next_members = arena_array(arena, count, sizeof *reader->next_members);
    reader->tasks = arena_array(arena, count, sizeof *reader->tasks);
    reader->bodies = arena_array(arena, count, sizeof *reader->bodies);
    uint32_t index = 0;
    size_t at = 0;
    for (const struct spec_node *key = tasks->first; key != NULL; key = key->next->next, at++) {
        if (eaches[at] == NULL) {
            register_plain(reader, index++, key, path);
        } else {
            register_expanded(reader, index, key, eaches[at], path);
            index += (uint32_t)eaches[at]->count;
        }
    }
    return !spec_report_is_full(&reader->report);
}
