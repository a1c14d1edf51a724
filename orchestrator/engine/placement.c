/* Placement: requirement classes, the devices that fit them, and the pairing of ready tasks with free
   devices. A class that no free device fits is not looked at, however many tasks wait in it. */
#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* The least loaded first: the smaller share of its slots in use, then the longer unused. */
static bool less_loaded(const struct heap_node *a, const struct heap_node *b)
{
    const struct device *x = HEAP_OWNER(a, const struct placement, node)->device;
    const struct device *y = HEAP_OWNER(b, const struct placement, node)->device;
    uint64_t load_x = (uint64_t)x->used * y->record.profile.slots;
    uint64_t load_y = (uint64_t)y->used * x->record.profile.slots;
    if (load_x != load_y) {
        return load_x < load_y;
    }
    return x->turn_of != y->turn_of ? x->turn_of < y->turn_of : x->record.id < y->record.id;
}

bool placement_active_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct class *x = HEAP_OWNER(a, const struct class, active);
    const struct class *y = HEAP_OWNER(b, const struct class, active);
    return task_before(heap_top(&x->ready), heap_top(&y->ready));
}

static char *class_key(const struct plan_class *plan, size_t *ret_length)
{
    size_t length = 2 + plan->selector.length + 1 + plan->device.length;
    char *key = mem_alloc(length);
    key[0] = (char)plan->executor;
    if (plan->selector.length > 0) {
        memcpy(key + 2, plan->selector.data, plan->selector.length);
    }
    if (plan->device.length > 0) {
        memcpy(key + 3 + plan->selector.length, plan->device.data, plan->device.length);
    }
    *ret_length = length;
    return key;
}

bool placement_fits(const struct class *class, const struct device *device)
{
    const struct plan_class *plan = &class->record.plan;
    const struct msg_profile *profile = &device->record.profile;
    if (plan->device.length > 0 && !str_equal(plan->device, device->record.name)) {
        return false;
    }
    bool runs = false;
    for (size_t i = 0; i < profile->executors_count && !runs; i++) {
        runs = str_is(profile->executors[i], executor_name(plan->executor));
    }
    return runs && selector_matches(class->selector, profile->labels, profile->labels_count);
}

static void push_placement(struct placement ***list, size_t *count, size_t *capacity,
                           struct placement *placement)
{
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 4 : *capacity * 2;
        *list = mem_resize(*list, *capacity * sizeof(struct placement *));
    }
    (*list)[(*count)++] = placement;
}

static void drop_placement(struct placement **list, size_t *count,
                           const struct placement *placement)
{
    for (size_t i = *count; i-- > 0;) {
        if (list[i] == placement) {
            list[i] = list[--*count];
            return;
        }
    }
    check_failed("a placement stands in both lists", __FILE__, __LINE__);
}

static void link_placement(struct class *class, struct device *device)
{
    struct placement *placement = mem_alloc(sizeof *placement);
    placement->class = class;
    placement->device = device;
    push_placement(&class->placements, &class->placements_count, &class->placements_capacity,
                   placement);
    push_placement(&device->placements, &device->placements_count, &device->placements_capacity,
                   placement);
}

bool device_is_assignable(const struct engine *engine, const struct device *device)
{
    return device->ready && device->used < device->record.profile.slots && !engine->blocked &&
           device->unstarted_bytes < ENGINE_ASSIGN_BYTES_MAX;
}

void placement_class_changed(struct engine *engine, struct class *class)
{
    bool active = heap_top(&class->ready) != NULL && heap_top(&class->free) != NULL;
    if (heap_holds(&class->active)) {
        /* Out and in again: its top may have gone, and the order asks for the top. */
        heap_remove(&engine->active, &class->active);
    }
    if (active) {
        heap_insert(&engine->active, &class->active);
    }
}

static void place(struct engine *engine, struct placement *placement)
{
    struct class *class = placement->class;
    bool free_now = device_is_assignable(engine, placement->device);
    bool free_before = heap_holds(&placement->node);
    if (free_now && free_before) {
        heap_moved(&class->free, &placement->node);
        return;
    }
    if (free_now) {
        heap_insert(&class->free, &placement->node);
    } else if (free_before) {
        heap_remove(&class->free, &placement->node);
    }
    if (free_now != free_before) {
        placement_class_changed(engine, class);
    }
}

void placement_device_changed(struct engine *engine, struct device *device)
{
    for (size_t i = 0; i < device->placements_count; i++) {
        place(engine, device->placements[i]);
    }
}

void placement_forget_device(struct engine *engine, struct device *device)
{
    while (device->placements_count > 0) {
        struct placement *placement = device->placements[device->placements_count - 1];
        struct class *class = placement->class;
        if (heap_holds(&placement->node)) {
            heap_remove(&class->free, &placement->node);
        }
        drop_placement(class->placements, &class->placements_count, placement);
        drop_placement(device->placements, &device->placements_count, placement);
        mem_free(placement);
        placement_class_changed(engine, class);
    }
}

void placement_match_device(struct engine *engine, struct device *device)
{
    placement_forget_device(engine, device);
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&engine->classes, &at, &id, &value)) {
        if (placement_fits(value, device)) {
            link_placement(value, device);
        }
    }
    placement_device_changed(engine, device);
}

struct class *placement_load_class(struct engine *engine, const struct class_record *record)
{
    struct class *class = mem_alloc(sizeof *class);
    class->record.id = record->id;
    class->record.plan.executor = record->plan.executor;
    class->key = class_key(&record->plan, &class->key_length);
    class->record.plan.selector = (struct str){ class->key + 2, record->plan.selector.length };
    class->record.plan.device =
        (struct str){ class->key + 3 + record->plan.selector.length, record->plan.device.length };
    /* Checked when it was submitted. */
    CHECK(selector_parse(record->plan.selector, &class->selector, NULL, NULL) == ERR_NONE);
    class->ready.before = task_before;
    class->free.before = less_loaded;
    map_put(&engine->classes, (uint64_t)record->id, class);
    struct str key = { class->key, class->key_length };
    if (strmap_get(&engine->class_keys, key) == NULL) { /* one that came back may have a twin */
        strmap_put(&engine->class_keys, key, class);
    }
    if (record->id >= engine->next_class_id) {
        engine->next_class_id = record->id + 1;
    }
    for (size_t i = 0; i < engine->devices_count; i++) {
        struct device *device = engine->devices_list[i];
        if (placement_fits(class, device)) {
            link_placement(class, device);
            place(engine, class->placements[class->placements_count - 1]);
        }
    }
    return class;
}

struct class *placement_class(struct engine *engine, const struct plan_class *plan)
{
    size_t length = 0;
    char *key = class_key(plan, &length);
    struct class *class = strmap_get(&engine->class_keys, (struct str){ key, length });
    mem_free(key);
    if (class == NULL) {
        struct class_record record = { .id = engine->next_class_id, .plan = *plan };
        class = placement_load_class(engine, &record);
        effects_add(engine->effects, EFFECT_ADD_CLASS)->class = &class->record;
    }
    return class;
}

/* Field by field: padding has no say in whether two are alike. */
enum { POLICY_NUMBERS = 9 };

static struct str policy_key(const struct plan_policy *plan, int64_t to[POLICY_NUMBERS])
{
    to[0] = plan->max_attempts;
    to[1] = plan->max_lost;
    to[2] = plan->backoff_base_ms;
    to[3] = plan->backoff_max_ms;
    to[4] = plan->backoff_factor_permille;
    to[5] = plan->run_timeout_ms;
    to[6] = plan->kill_grace_ms;
    to[7] = (int64_t)plan->on_disconnect;
    to[8] = plan->output_bytes_max;
    return (struct str){ (const char *)to, POLICY_NUMBERS * sizeof to[0] };
}

static void drop_class(struct engine *engine, struct class *class)
{
    while (class->placements_count > 0) {
        struct placement *placement = class->placements[--class->placements_count];
        struct device *device = placement->device;
        drop_placement(device->placements, &device->placements_count, placement);
        mem_free(placement);
    }
    struct str key = { class->key, class->key_length };
    if (strmap_get(&engine->class_keys, key) == class) {
        strmap_remove(&engine->class_keys, key);
    }
    placement_free_class(class);
}

/* Of each map one is looked at after the other; what is dropped is taken out afterwards, since a map must
   not change while it is walked. */
void placement_sweep(struct engine *engine)
{
    struct map kept = { 0 };
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&engine->classes, &at, &id, &value)) {
        struct class *class = value;
        if (class->tasks > 0) {
            map_put(&kept, id, class);
        } else {
            drop_class(engine, class);
        }
    }
    map_done(&engine->classes);
    engine->classes = kept;
    kept = (struct map){ 0 };
    at = 0;
    while (map_each(&engine->policies, &at, &id, &value)) {
        struct policy *policy = value;
        if (policy->tasks > 0) {
            map_put(&kept, id, policy);
        } else {
            int64_t numbers[POLICY_NUMBERS];
            struct str key = policy_key(&policy->record.plan, numbers);
            if (strmap_get(&engine->policy_keys, key) == policy) {
                strmap_remove(&engine->policy_keys, key);
            }
            mem_free(policy);
        }
    }
    map_done(&engine->policies);
    engine->policies = kept;
}

void placement_free_class(struct class *class)
{
    for (size_t i = 0; i < class->placements_count; i++) {
        mem_free(class->placements[i]);
    }
    mem_free(class->placements);
    selector_free(class->selector);
    heap_done(&class->ready);
    heap_done(&class->free);
    mem_free(class->key);
    mem_free(class);
}

static struct policy *add_policy(struct engine *engine, const struct policy_record *record)
{
    struct policy *policy = mem_alloc(sizeof *policy);
    policy->record = *record;
    int64_t numbers[POLICY_NUMBERS];
    map_put(&engine->policies, (uint64_t)record->id, policy);
    struct str key = policy_key(&record->plan, numbers);
    if (strmap_get(&engine->policy_keys, key) == NULL) {
        strmap_put(&engine->policy_keys, key, policy);
    }
    if (record->id >= engine->next_policy_id) {
        engine->next_policy_id = record->id + 1;
    }
    return policy;
}

void placement_load_policy(struct engine *engine, const struct policy_record *record)
{
    add_policy(engine, record);
}

struct policy *placement_policy(struct engine *engine, const struct plan_policy *plan)
{
    int64_t numbers[POLICY_NUMBERS];
    struct policy *policy = strmap_get(&engine->policy_keys, policy_key(plan, numbers));
    if (policy == NULL) {
        struct policy_record record = { .id = engine->next_policy_id, .plan = *plan };
        policy = add_policy(engine, &record);
        effects_add(engine->effects, EFFECT_ADD_POLICY)->policy = &policy->record;
    }
    return policy;
}

static void assign(struct engine *engine, struct task *task, struct device *device)
{
    device->turn_of = ++engine->assignments;
    engine->stats.assigned_total++;
    task_unqueue(engine, task);
    struct attempt *attempt = attempt_new(engine, task, device);
    task_move(engine, task, TASK_ASSIGNED);
    struct effect *effect = effects_add(engine->effects, EFFECT_ASSIGN);
    effect->assign.channel = device->channel;
    effect->assign.fence = attempt->record.fence;
    effect->assign.constellation_id = attempt->record.constellation_id;
    effect->assign.task_id = attempt->record.task_id;
    effect->assign.attempt = attempt->record.number;
    struct history *history = engine_history(engine, HISTORY_TASK_ASSIGNED);
    history->constellation_id = attempt->record.constellation_id;
    history->task_id = attempt->record.task_id;
    history->device_id = device->record.id;
    history->fence = attempt->record.fence;
    history->number = attempt->record.number;
}

void placement_dispatch(struct engine *engine)
{
    size_t bytes = 0;
    for (int i = 0; i < ENGINE_ASSIGN_MAX && bytes < ENGINE_ASSIGN_BYTES_MAX; i++) {
        struct heap_node *node = heap_top(&engine->active);
        if (node == NULL) {
            return;
        }
        struct class *class = HEAP_OWNER(node, struct class, active);
        struct task *task = HEAP_OWNER(heap_top(&class->ready), struct task, node);
        if (task_must_stop(task)) {
            task_cancel(engine, task); /* the cancel's own walk has not come to it yet */
            continue;
        }
        if (task_is_held(task)) {
            task_unqueue(engine, task); /* by a hold on all; its end considers every task again */
            continue;
        }
        bytes += task->record.body_bytes;
        assign(engine, task, HEAP_OWNER(heap_top(&class->free), struct placement, node)->device);
    }
}
