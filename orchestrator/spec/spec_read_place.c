/* The keys of a task that say where it may run, and what it takes there. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/engine/selector.h"
#include "orchestrator/spec/spec_nearest.h"
#include "orchestrator/spec/spec_read.h"

enum { MILLI = 1000 };
#define MEMORY_BYTES_MAX (INT64_C(1) << 50)

void spec_read_selector(struct spec_reader *reader, struct spec_draft *draft,
                        const struct spec_key *row, const struct spec_node *key,
                        const struct spec_path *path)
{
    spec_read_text(reader, draft, row, key, path);
    draft->selected = spec_value(key);
}

/* A task on whose device, or not on whose device: it must have run, so it is a dependency. `opposite`
   is what has been read of the other key: no device meets both. */
static uint32_t read_device_of(struct spec_reader *reader, const struct spec_draft *draft,
                               uint32_t opposite, const struct spec_node *node,
                               const struct spec_path *path)
{
    struct str key;
    struct spec_reference reference = { .has_fallback = false };
    if (!spec_take_scalar(reader, node, path, &key) ||
        !spec_find_one(reader, draft, key, node, path, &reference.from)) {
        return 0;
    }
    if (reference.from + 1 == opposite) {
        key = spec_report_shorten(key);
        spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                        "no device is the one where \"%.*s\" has run and another: give one of "
                        "same_device and other_device",
                        STR_ARG(key));
        return 0;
    }
    buf_append(&reader->references, &reference, sizeof reference);
    return reference.from + 1;
}

void spec_read_same_device(struct spec_reader *reader, struct spec_draft *draft,
                           const struct spec_key *row, const struct spec_node *key,
                           const struct spec_path *path)
{
    (void)row;
    draft->same_device = read_device_of(reader, draft, draft->other_device, spec_value(key), path);
}

void spec_read_other_device(struct spec_reader *reader, struct spec_draft *draft,
                            const struct spec_key *row, const struct spec_node *key,
                            const struct spec_path *path)
{
    (void)row;
    draft->other_device = read_device_of(reader, draft, draft->same_device, spec_value(key), path);
}

static int compare_text(struct str a, struct str b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_tools(const void *a, const void *b)
{
    return compare_text(*(const struct str *)a, *(const struct str *)b);
}

static int compare_resources(const void *a, const void *b)
{
    const struct plan_resource *left = a;
    const struct plan_resource *right = b;
    return compare_text(left->name, right->name);
}

static int compare_uses(const void *a, const void *b)
{
    const struct plan_limit_use *left = a;
    const struct plan_limit_use *right = b;
    return (left->limit > right->limit) - (left->limit < right->limit);
}

/* The items of a list, or the one value that stands without it. False: too many, or reported. */
static bool list_of(struct spec_reader *reader, const struct spec_node *node,
                    const struct spec_path *path, size_t count_max,
                    const struct spec_node **ret_first, size_t *ret_count)
{
    if (node->kind == SPEC_MAP || node->kind == SPEC_NULL) {
        spec_wrong_type(reader, node, path, "a name or a list of names");
        return false;
    }
    bool is_list = node->kind == SPEC_LIST;
    size_t count = is_list ? node->length : 1;
    if (count > count_max) {
        spec_report_add(&reader->report, "too_large", spec_node_place(node), path, NULL,
                        "has %zu items; at most %zu are allowed", count, count_max);
        return false;
    }
    *ret_first = is_list ? node->first : node;
    *ret_count = count;
    return true;
}

/* A name, of the item's index in a list; a single value has the path of the whole. */
static bool take_name(struct spec_reader *reader, const struct spec_node *item,
                      const struct spec_path *path, const char *what, struct str *ret_name)
{
    struct str name;
    if (!spec_take_scalar(reader, item, path, &name)) {
        return false;
    }
    if (!spec_is_name(name, "_-.+", MSG_NAME_BYTES_MAX)) {
        name = spec_report_shorten(name);
        spec_report_add(&reader->report, "bad_value", spec_node_place(item), path, NULL,
                        "\"%.*s\" is no name of a %s: letters, digits and any of \"_-.+\", at "
                        "most %d characters",
                        STR_ARG(name), what, MSG_NAME_BYTES_MAX);
        return false;
    }
    *ret_name = name;
    return true;
}

void spec_read_tools(struct spec_reader *reader, struct spec_draft *draft,
                     const struct spec_key *row, const struct spec_node *key,
                     const struct spec_path *path)
{
    (void)row;
    const struct spec_node *item = NULL;
    size_t count = 0;
    if (!list_of(reader, spec_value(key), path, PLAN_TOOLS_MAX, &item, &count) || count == 0) {
        return;
    }
    struct str *tools = arena_array(reader->arena, count, sizeof *tools);
    size_t taken = 0;
    bool is_list = spec_value(key)->kind == SPEC_LIST;
    for (size_t i = 0; i < count; i++) {
        struct spec_path at = { .up = path, .index = i };
        taken += take_name(reader, item, is_list ? &at : path, "tool", &tools[taken]);
        item = item->next;
    }
    qsort(tools, taken, sizeof *tools, compare_tools);
    size_t kept = 0;
    for (size_t i = 0; i < taken; i++) {
        if (kept == 0 || !str_equal(tools[kept - 1], tools[i])) {
            tools[kept++] = tools[i];
        }
    }
    draft->tools = tools;
    draft->tools_count = kept;
}

/* A number to thousandths; of memory a size, in thousandths of a byte. */
static bool take_amount(struct spec_reader *reader, const struct spec_key *row, struct str name,
                        const struct spec_node *node, const struct spec_path *path,
                        int64_t *ret_milli)
{
    if (str_is(name, "memory")) {
        int64_t bytes = 0;
        if (!spec_take_size(reader, node, path, 1, MEMORY_BYTES_MAX, &bytes)) {
            return false;
        }
        *ret_milli = bytes * MILLI;
        return true;
    }
    if (node->kind != SPEC_NUMBER) {
        spec_wrong_type(reader, node, path, "a number");
        return false;
    }
    double milli = strtod(node->text, NULL) * MILLI;
    bool is_fine = milli >= 1.0 && milli <= (double)row->max * MILLI;
    if (!is_fine || fabs(milli - (double)llround(milli)) > 1e-6 * milli) {
        spec_report_add(&reader->report, "out_of_range", spec_node_place(node), path, NULL,
                        "must be from 0.001 to %" PRId64 ", in thousandths at the finest",
                        row->max);
        return false;
    }
    *ret_milli = llround(milli);
    return true;
}

void spec_read_resources(struct spec_reader *reader, struct spec_draft *draft,
                         const struct spec_key *row, const struct spec_node *key,
                         const struct spec_path *path)
{
    const struct spec_node *map = spec_value(key);
    if (map->kind != SPEC_MAP) {
        spec_wrong_type(reader, map, path, "a mapping from names to amounts");
        return;
    }
    if (map->length > PLAN_RESOURCES_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(map), path, NULL,
                        "has %u resources; at most %d are allowed", map->length,
                        PLAN_RESOURCES_MAX);
        return;
    }
    struct plan_resource *resources = arena_array(reader->arena, map->length, sizeof *resources);
    size_t count = 0;
    for (const struct spec_node *name = map->first; name != NULL; name = name->next->next) {
        struct spec_path at = { .up = path, .key = spec_node_text(name) };
        struct plan_resource *resource = &resources[count];
        count += take_name(reader, name, &at, "resource", &resource->name) &&
                 take_amount(reader, row, resource->name, spec_value(name), &at,
                             &resource->amount_milli);
    }
    qsort(resources, count, sizeof *resources, compare_resources);
    draft->resources = resources;
    draft->resources_count = count;
}

void spec_read_capacities(struct spec_reader *reader, struct spec_draft *draft,
                          const struct spec_key *row, const struct spec_node *key,
                          const struct spec_path *path)
{
    (void)draft;
    const struct spec_node *map = spec_value(key);
    if (map->kind != SPEC_MAP) {
        spec_wrong_type(reader, map, path, "a mapping from names to whole numbers");
        return;
    }
    if (map->length > PLAN_LIMITS_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(map), path, NULL,
                        "has %u limits; at most %d are allowed", map->length, PLAN_LIMITS_MAX);
        return;
    }
    struct plan_limit *limits = arena_array(reader->arena, map->length, sizeof *limits);
    size_t count = 0;
    for (const struct spec_node *name = map->first; name != NULL; name = name->next->next) {
        struct spec_path at = { .up = path, .key = spec_node_text(name) };
        const struct spec_node *value = spec_fill(reader, spec_value(name), &at);
        int64_t capacity = 1;
        take_name(reader, name, &at, "limit", &limits[count].name);
        spec_take_integer(reader, value, &at, row->min, row->max, &capacity);
        limits[count++].capacity = (uint32_t)capacity;
    }
    reader->limits = limits;
    reader->limits_count = count;
}

/* The limit's index, or a report. */
static bool find_limit(struct spec_reader *reader, struct str name, const struct spec_node *node,
                       const struct spec_path *path, uint32_t *ret_index)
{
    struct spec_nearest nearest;
    spec_nearest_init(&nearest, name);
    for (size_t i = 0; i < reader->limits_count; i++) {
        if (str_equal(reader->limits[i].name, name)) {
            *ret_index = (uint32_t)i;
            return true;
        }
        spec_nearest_offer(&nearest, reader->limits[i].name);
    }
    char hint[SPEC_HINT_BYTES_MAX];
    name = spec_report_shorten(name);
    spec_report_add(&reader->report, "unknown_limit", spec_node_place(node), path, NULL,
                    "the constellation has no limit \"%.*s\"%s", STR_ARG(name),
                    spec_nearest_hint(&nearest, hint));
    return false;
}

/* One limit that the task takes part in. `amount` NULL: one of it. */
static bool take_use(struct spec_reader *reader, const struct spec_key *row,
                     const struct spec_node *name, const struct spec_node *amount,
                     const struct spec_path *path, struct plan_limit_use *ret_use)
{
    struct str text;
    uint32_t limit = 0;
    int64_t taken = 1;
    if (!spec_take_scalar(reader, name, path, &text) ||
        !find_limit(reader, text, name, path, &limit)) {
        return false;
    }
    if (amount != NULL && !spec_take_integer(reader, amount, path, row->min, row->max, &taken)) {
        return false;
    }
    if (taken > reader->limits[limit].capacity) {
        spec_report_add(&reader->report, "out_of_range", spec_node_place(amount), path, NULL,
                        "there are only %" PRIu32 " of it: the task could never run",
                        reader->limits[limit].capacity);
        return false;
    }
    *ret_use = (struct plan_limit_use){ .limit = limit, .amount = (uint32_t)taken };
    return true;
}

void spec_read_limits(struct spec_reader *reader, struct spec_draft *draft,
                      const struct spec_key *row, const struct spec_node *key,
                      const struct spec_path *path)
{
    const struct spec_node *node = spec_value(key);
    struct plan_limit_use *uses = arena_array(reader->arena, PLAN_TASK_LIMITS_MAX, sizeof *uses);
    const struct spec_node *item = node->kind == SPEC_MAP ? node->first : NULL;
    size_t count = node->kind == SPEC_MAP ? node->length : 0;
    bool is_map = node->kind == SPEC_MAP;
    if (!is_map && !list_of(reader, node, path, PLAN_TASK_LIMITS_MAX, &item, &count)) {
        return;
    }
    if (count > PLAN_TASK_LIMITS_MAX) {
        spec_report_add(&reader->report, "too_large", spec_node_place(node), path, NULL,
                        "has %zu limits; at most %d are allowed", count, PLAN_TASK_LIMITS_MAX);
        return;
    }
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        struct spec_path at = { .up = path, .index = i };
        if (is_map) {
            at.key = spec_node_text(item);
        }
        const struct spec_node *amount = is_map ? item->next : NULL;
        bool is_single = !is_map && node->kind != SPEC_LIST;
        taken += take_use(reader, row, item, amount, is_single ? path : &at, &uses[taken]);
        item = is_map ? item->next->next : item->next;
    }
    qsort(uses, taken, sizeof *uses, compare_uses);
    for (size_t i = 1; i < taken; i++) {
        if (uses[i - 1].limit == uses[i].limit) {
            spec_report_add(&reader->report, "bad_value", spec_node_place(node), path, NULL,
                            "\"%.*s\" is there twice", STR_ARG(reader->limits[uses[i].limit].name));
        }
    }
    draft->limits = uses;
    draft->limits_count = taken;
}

void spec_read_strategy(struct spec_reader *reader, struct spec_draft *draft,
                        const struct spec_key *row, const struct spec_node *key,
                        const struct spec_path *path)
{
    (void)row;
    static const char *const words[] = { [STRATEGY_LEAST_LOADED] = "least_loaded",
                                         [STRATEGY_ROUND_ROBIN] = "round_robin",
                                         [STRATEGY_SPREAD] = "spread",
                                         [STRATEGY_PACK] = "pack" };
    size_t choice = 0;
    if (spec_take_choice(reader, spec_value(key), path, words, sizeof words / sizeof words[0],
                         "least_loaded, round_robin, spread, pack", &choice)) {
        draft->strategy = (enum strategy)choice;
    }
}
