/* See part_pack.h: numbers in as few bytes as they need, the sign in the lowest bit; text with its length
   before it. What several operations share stands once, before them. */
#include "orchestrator/store/part_pack.h"

#include "common/base/map.h"

enum { PACK_VERSION = 1 };

/* --- Writing --- */

static void put(struct buf *into, int64_t number)
{
    uint64_t rest = ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0);
    do {
        unsigned char byte = (unsigned char)((rest & 0x7fU) | (rest > 0x7fU ? 0x80U : 0));
        buf_append(into, &byte, 1);
        rest >>= 7;
    } while (rest != 0);
}

static void put_text(struct buf *into, struct str text)
{
    put(into, (int64_t)text.length);
    buf_append(into, text.data, text.length);
}

static void put_class(struct buf *into, const struct plan_class *class)
{
    put_text(into, class->selector);
    put_text(into, class->device);
    put(into, class->executor);
    put(into, class->strategy);
    put(into, (int64_t) class->tools_count);
    for (size_t i = 0; i < class->tools_count; i++) {
        put_text(into, class->tools[i]);
    }
    put(into, (int64_t) class->resources_count);
    for (size_t i = 0; i < class->resources_count; i++) {
        put_text(into, class->resources[i].name);
        put(into, class->resources[i].amount_milli);
    }
    put(into, (int64_t) class->limits_count);
    for (size_t i = 0; i < class->limits_count; i++) {
        put(into, class->limits[i].limit);
        put(into, class->limits[i].amount);
    }
}

static void put_policy(struct buf *into, const struct plan_policy *policy)
{
    put(into, policy->max_attempts);
    put(into, policy->max_lost);
    put(into, policy->backoff_base_ms);
    put(into, policy->backoff_max_ms);
    put(into, policy->backoff_factor_permille);
    put(into, policy->run_timeout_ms);
    put(into, policy->kill_grace_ms);
    put(into, policy->output_bytes_max);
    put(into, policy->on_disconnect);
    put(into, policy->effect);
    put(into, policy->retry_on);
    put(into, policy->queue_timeout_ms);
    put(into, policy->start_timeout_ms);
    put(into, policy->silence_timeout_ms);
    put(into, policy->hold_on_failure_ms);
}

/* Where something stands among those before the operations: place + 1. */
static int64_t place_of(const struct map *places, const void *what)
{
    return (int64_t)(uintptr_t)map_get(places, (uint64_t)(uintptr_t)what) - 1;
}

static void put_write(struct buf *into, const struct edit_operation *operation,
                      const struct map *places)
{
    const struct plan_task *plan = operation->write.plan;
    put(into, operation->write.task);
    put(into, place_of(places, operation->write.class));
    put(into, place_of(places, operation->write.policy));
    put(into, operation->write.same_device);
    put(into, operation->write.other_device);
    put_text(into, plan->key);
    put_text(into, plan->body);
    put(into, plan->priority);
    put(into, plan->has_references);
    put(into, plan->flags);
    put_text(into, plan->group);
    put_text(into, plan->description);
    put_text(into, plan->hold);
}

static void put_edge(struct buf *into, const struct edit_operation *operation)
{
    put(into, operation->edge.from);
    put(into, operation->edge.to);
    put(into, operation->edge.edge_id);
    put(into, operation->edge.when);
    put(into, operation->edge.named);
    put(into, operation->edge.plan.required);
    put_text(into, operation->edge.plan.condition);
    put_text(into, operation->edge.plan.arguments);
}

static void put_set(struct buf *into, const struct edit_operation *operation)
{
    put(into, operation->set.limits_only);
    put(into, operation->set.fail_fast);
    put(into, operation->set.deadline_ms);
    put(into, (int64_t)operation->set.limits_count);
    for (size_t i = 0; i < operation->set.limits_count; i++) {
        put_text(into, operation->set.limits[i].name);
        put(into, operation->set.limits[i].capacity);
    }
}

static void put_operation(struct buf *into, const struct edit_operation *operation,
                          const struct map *places)
{
    put(into, operation->kind);
    put(into, operation->index);
    switch (operation->kind) {
    case EDIT_ADD_TASK:
    case EDIT_UPDATE_TASK:
        put_write(into, operation, places);
        break;
    case EDIT_ADD_EDGE:
    case EDIT_UPDATE_EDGE:
    case EDIT_REMOVE_EDGE:
        put_edge(into, operation);
        break;
    case EDIT_SET:
        put_set(into, operation);
        break;
    case EDIT_REMOVE_TASK:
    case EDIT_TOUCH:
        put(into, operation->task);
        break;
    }
}

/* The classes of the part, or its policies: each once, and where. */
static void put_shared(struct buf *into, const struct edit *part, bool are_classes,
                       struct map *places)
{
    struct buf list = { 0 };
    uintptr_t count = 0;
    for (size_t i = 0; i < part->operations_count; i++) {
        const struct edit_operation *operation = &part->operations[i];
        if (operation->kind != EDIT_ADD_TASK && operation->kind != EDIT_UPDATE_TASK) {
            continue;
        }
        const void *what = are_classes ? (const void *)operation->write.class
                                       : (const void *)operation->write.policy;
        if (map_get(places, (uint64_t)(uintptr_t)what) != NULL) {
            continue;
        }
        map_put(places, (uint64_t)(uintptr_t)what, (void *)++count);
        if (are_classes) {
            put_class(&list, operation->write.class);
        } else {
            put_policy(&list, operation->write.policy);
        }
    }
    put(into, (int64_t)count);
    buf_append(into, list.data, list.length);
    buf_done(&list);
}

void part_pack(const struct edit *part, int64_t bulk_id, struct buf *into)
{
    struct map places = { 0 };
    put(into, PACK_VERSION);
    put(into, part->constellation_id);
    put(into, part->base_revision);
    put(into, part->release_hold_id);
    put(into, part->author_kind);
    put_text(into, part->author);
    put_text(into, part->reason);
    put(into, bulk_id);
    put(into, part->part->first_task_id);
    put(into, part->part->is_last);
    put_shared(into, part, true, &places);
    put_shared(into, part, false, &places);
    put(into, (int64_t)part->operations_count);
    for (size_t i = 0; i < part->operations_count; i++) {
        put_operation(into, &part->operations[i], &places);
    }
    map_done(&places);
}

/* --- Reading: `sound` falls with the first thing that cannot be, and all after it is zero. --- */

struct reader {
    struct str bytes;
    size_t at;
    struct arena *arena;
    bool sound;
    struct plan_class *classes;
    size_t classes_count;
    struct plan_policy *policies;
    size_t policies_count;
};

static int64_t take(struct reader *reader)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (reader->at >= reader->bytes.length) {
            break;
        }
        uint64_t byte = (unsigned char)reader->bytes.data[reader->at++];
        number |= (byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0) {
            return (int64_t)(number >> 1) ^ -(int64_t)(number & 1U);
        }
    }
    reader->sound = false;
    return 0;
}

static int64_t take_in(struct reader *reader, int64_t min, int64_t max)
{
    int64_t number = take(reader);
    if (number < min || number > max) {
        reader->sound = false;
        return min;
    }
    return number;
}

/* Of what takes a byte at the least. */
static size_t take_count(struct reader *reader)
{
    size_t left = reader->bytes.length - reader->at;
    return (size_t)take_in(reader, 0, (int64_t)left);
}

static uint32_t take_uint32(struct reader *reader)
{
    return (uint32_t)take_in(reader, 0, UINT32_MAX);
}

static bool take_bool(struct reader *reader)
{
    return take_in(reader, 0, 1) != 0;
}

static struct str take_text(struct reader *reader)
{
    size_t length = take_count(reader);
    if (length > reader->bytes.length - reader->at) {
        reader->sound = false;
        return (struct str){ NULL, 0 };
    }
    struct str text = { reader->bytes.data + reader->at, length };
    reader->at += length;
    return text;
}

static void take_class(struct reader *reader, struct plan_class *class)
{
    class->selector = take_text(reader);
    class->device = take_text(reader);
    class->executor = (enum executor)take_in(reader, 0, INT32_MAX);
    class->strategy = (enum strategy)take_in(reader, 0, STRATEGY_PACK);
    class->tools_count = take_count(reader);
    struct str *tools = arena_array(reader->arena, class->tools_count, sizeof *tools);
    for (size_t i = 0; i < class->tools_count; i++) {
        tools[i] = take_text(reader);
    }
    class->tools = tools;
    class->resources_count = take_count(reader);
    struct plan_resource *resources =
        arena_array(reader->arena, class->resources_count, sizeof *resources);
    for (size_t i = 0; i < class->resources_count; i++) {
        resources[i].name = take_text(reader);
        resources[i].amount_milli = take(reader);
    }
    class->resources = resources;
    class->limits_count = take_count(reader);
    struct plan_limit_use *limits = arena_array(reader->arena, class->limits_count, sizeof *limits);
    for (size_t i = 0; i < class->limits_count; i++) {
        limits[i].limit = take_uint32(reader);
        limits[i].amount = take_uint32(reader);
    }
    class->limits = limits;
}

static void take_policy(struct reader *reader, struct plan_policy *policy)
{
    policy->max_attempts = take_uint32(reader);
    policy->max_lost = take_uint32(reader);
    policy->backoff_base_ms = take(reader);
    policy->backoff_max_ms = take(reader);
    policy->backoff_factor_permille = take_uint32(reader);
    policy->run_timeout_ms = take(reader);
    policy->kill_grace_ms = take(reader);
    policy->output_bytes_max = take(reader);
    policy->on_disconnect = (enum on_disconnect)take_in(reader, 0, INT32_MAX);
    policy->effect = (enum task_effect)take_in(reader, 0, TASK_ONCE);
    policy->retry_on = take_uint32(reader);
    policy->queue_timeout_ms = take(reader);
    policy->start_timeout_ms = take(reader);
    policy->silence_timeout_ms = take(reader);
    policy->hold_on_failure_ms = take(reader);
}

static void take_write(struct reader *reader, struct edit_operation *operation)
{
    struct plan_task *plan = arena_alloc(reader->arena, sizeof *plan);
    operation->write.task = take(reader);
    int64_t class = take_in(reader, 0, (int64_t)reader->classes_count - 1);
    int64_t policy = take_in(reader, 0, (int64_t)reader->policies_count - 1);
    operation->write.class = reader->sound ? &reader->classes[class] : NULL;
    operation->write.policy = reader->sound ? &reader->policies[policy] : NULL;
    operation->write.same_device = take(reader);
    operation->write.other_device = take(reader);
    plan->key = take_text(reader);
    plan->body = take_text(reader);
    plan->priority = (int32_t)take_in(reader, INT32_MIN, INT32_MAX);
    plan->has_references = take_bool(reader);
    plan->flags = (uint16_t)take_in(reader, 0, UINT16_MAX);
    plan->group = take_text(reader);
    plan->description = take_text(reader);
    plan->hold = take_text(reader);
    operation->write.plan = plan;
}

static void take_edge(struct reader *reader, struct edit_operation *operation)
{
    operation->edge.from = take(reader);
    operation->edge.to = take(reader);
    operation->edge.edge_id = take(reader);
    operation->edge.when = (enum edge_when)take_in(reader, 0, EDGE_WHEN_ALWAYS);
    operation->edge.named = take_bool(reader);
    operation->edge.plan.when = operation->edge.when;
    operation->edge.plan.named = operation->edge.named;
    operation->edge.plan.required = take_bool(reader);
    operation->edge.plan.condition = take_text(reader);
    operation->edge.plan.arguments = take_text(reader);
}

static void take_set(struct reader *reader, struct edit_operation *operation)
{
    operation->set.limits_only = take_bool(reader);
    operation->set.fail_fast = take_bool(reader);
    operation->set.deadline_ms = take(reader);
    operation->set.limits_count = take_count(reader);
    struct plan_limit *limits =
        arena_array(reader->arena, operation->set.limits_count, sizeof *limits);
    for (size_t i = 0; i < operation->set.limits_count; i++) {
        limits[i].name = take_text(reader);
        limits[i].capacity = take_uint32(reader);
    }
    operation->set.limits = limits;
}

static void take_operation(struct reader *reader, struct edit_operation *operation)
{
    operation->kind = (enum edit_kind)take_in(reader, EDIT_ADD_TASK, EDIT_TOUCH);
    operation->index = take_uint32(reader);
    switch (operation->kind) {
    case EDIT_ADD_TASK:
    case EDIT_UPDATE_TASK:
        take_write(reader, operation);
        break;
    case EDIT_ADD_EDGE:
    case EDIT_UPDATE_EDGE:
    case EDIT_REMOVE_EDGE:
        take_edge(reader, operation);
        break;
    case EDIT_SET:
        take_set(reader, operation);
        break;
    case EDIT_REMOVE_TASK:
    case EDIT_TOUCH:
        operation->task = take(reader);
        break;
    }
}

static void take_head(struct reader *reader, struct edit *part, struct edit_section *place)
{
    reader->sound = take(reader) == PACK_VERSION && reader->sound;
    part->constellation_id = take(reader);
    part->base_revision = take_uint32(reader);
    part->release_hold_id = take(reader);
    part->author_kind = (enum author_kind)take_in(reader, 0, AUTHOR_PLANNER);
    part->author = take_text(reader);
    part->reason = take_text(reader);
    place->bulk_id = take(reader);
    place->first_task_id = take(reader);
    place->is_last = take_bool(reader);
    reader->classes_count = take_count(reader);
    reader->classes = arena_array(reader->arena, reader->classes_count, sizeof *reader->classes);
    for (size_t i = 0; i < reader->classes_count; i++) {
        take_class(reader, &reader->classes[i]);
    }
    reader->policies_count = take_count(reader);
    reader->policies = arena_array(reader->arena, reader->policies_count, sizeof *reader->policies);
    for (size_t i = 0; i < reader->policies_count; i++) {
        take_policy(reader, &reader->policies[i]);
    }
}

enum err part_unpack(struct str bytes, int64_t first_task_id, struct arena *arena,
                     const struct edit **ret_part)
{
    struct reader reader = { .bytes = bytes, .arena = arena, .sound = true };
    struct edit *part = arena_alloc(arena, sizeof *part);
    struct edit_section *place = arena_alloc(arena, sizeof *place);
    take_head(&reader, part, place);
    part->operations_count = take_count(&reader);
    struct edit_operation *operations =
        arena_array(arena, part->operations_count, sizeof *operations);
    for (size_t i = 0; i < part->operations_count && reader.sound; i++) {
        take_operation(&reader, &operations[i]);
        part->tasks_added += operations[i].kind == EDIT_ADD_TASK;
    }
    if (!reader.sound || reader.at != bytes.length) {
        return ERR_CORRUPT;
    }
    bulk_place_part(part, place, operations, first_task_id);
    *ret_part = part;
    return ERR_NONE;
}
