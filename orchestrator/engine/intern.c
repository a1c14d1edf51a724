/* Requirement classes and policies, each once, however many tasks agree in it. */

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

static void key_number(struct buf *key, int64_t number)
{
    buf_append(key, &number, sizeof number);
}

static void key_text(struct buf *key, struct str text)
{
    key_number(key, (int64_t)text.length);
    buf_append(key, text.data, text.length);
}

/* Two records are the same class just when these bytes are the same. */
static void class_key(const struct class_record *record, struct buf *key)
{
    const struct plan_class *plan = &record->plan;
    key_number(key, (int64_t)plan->executor);
    key_number(key, (int64_t)plan->strategy);
    key_number(key, record->constellation_id);
    key_number(key, record->same_task_id);
    key_number(key, record->other_task_id);
    key_text(key, plan->selector);
    key_text(key, plan->device);
    key_number(key, (int64_t)plan->tools_count);
    for (size_t i = 0; i < plan->tools_count; i++) {
        key_text(key, plan->tools[i]);
    }
    key_number(key, (int64_t)plan->resources_count);
    for (size_t i = 0; i < plan->resources_count; i++) {
        key_text(key, plan->resources[i].name);
        key_number(key, plan->resources[i].amount_milli);
    }
    for (size_t i = 0; i < plan->limits_count; i++) {
        key_number(key, plan->limits[i].limit);
        key_number(key, plan->limits[i].amount);
    }
}

static struct str own(struct str text)
{
    return (struct str){ mem_copy(text.data, text.length), text.length };
}

static void own_plan(struct plan_class *plan, const struct plan_class *from)
{
    *plan = *from;
    plan->same_device = 0;
    plan->other_device = 0;
    plan->selector = own(from->selector);
    plan->device = own(from->device);
    struct str *tools = mem_array(from->tools_count, sizeof *tools);
    for (size_t i = 0; i < from->tools_count; i++) {
        tools[i] = own(from->tools[i]);
    }
    plan->tools = tools;
    struct plan_resource *resources = mem_array(from->resources_count, sizeof *resources);
    for (size_t i = 0; i < from->resources_count; i++) {
        resources[i].name = own(from->resources[i].name);
        resources[i].amount_milli = from->resources[i].amount_milli;
    }
    plan->resources = resources;
    struct plan_limit_use *limits = mem_array(from->limits_count, sizeof *limits);
    for (size_t i = 0; i < from->limits_count; i++) {
        limits[i] = from->limits[i];
    }
    plan->limits = limits;
}

static void drop(const void *owned)
{
    mem_free((void *)(uintptr_t)owned);
}

static void drop_plan(struct plan_class *plan)
{
    drop(plan->selector.data);
    drop(plan->device.data);
    for (size_t i = 0; i < plan->tools_count; i++) {
        drop(plan->tools[i].data);
    }
    drop(plan->tools);
    for (size_t i = 0; i < plan->resources_count; i++) {
        drop(plan->resources[i].name.data);
    }
    drop(plan->resources);
    drop(plan->limits);
}

static void bind_to(struct engine *engine, struct class *class, int64_t task_id)
{
    struct anchor *anchor = map_get(&engine->anchors, (uint64_t)task_id);
    if (anchor == NULL) {
        anchor = mem_alloc(sizeof *anchor);
        map_put(&engine->anchors, (uint64_t)task_id, anchor);
    }
    if (anchor->count == anchor->capacity) {
        anchor->capacity = anchor->capacity == 0 ? 2 : anchor->capacity * 2;
        anchor->classes = mem_resize(anchor->classes, anchor->capacity * sizeof(struct class *));
    }
    anchor->classes[anchor->count++] = class;
}

void placement_free_anchor(struct anchor *anchor)
{
    mem_free(anchor->classes);
    mem_free(anchor);
}

static void unbind(struct engine *engine, const struct class *class, int64_t task_id)
{
    struct anchor *anchor = map_get(&engine->anchors, (uint64_t)task_id);
    for (size_t i = anchor == NULL ? 0 : anchor->count; i-- > 0;) {
        if (anchor->classes[i] == class) {
            anchor->classes[i] = anchor->classes[--anchor->count];
        }
    }
    if (anchor != NULL && anchor->count == 0) {
        map_remove(&engine->anchors, (uint64_t)task_id);
        placement_free_anchor(anchor);
    }
}

static uint32_t device_at(const struct engine *engine, const struct class *class, int64_t task_id)
{
    const struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t) class->record.constellation_id);
    const struct task *task =
        constellation == NULL ? NULL : constellation_find_task(constellation, task_id);
    return task == NULL ? 0 : task->device_at;
}

static void bind_class(struct engine *engine, struct class *class)
{
    const struct class_record *record = &class->record;
    if (record->same_task_id != 0) {
        bind_to(engine, class, record->same_task_id);
        class->same_at = device_at(engine, class, record->same_task_id);
    }
    if (record->other_task_id != 0) {
        bind_to(engine, class, record->other_task_id);
        class->other_at = device_at(engine, class, record->other_task_id);
    }
}

void placement_task_placed(struct engine *engine, struct task *task, const struct device *device)
{
    uint16_t at = (uint16_t)(device->at + 1);
    if (task->device_at == at) {
        return;
    }
    task->device_at = at;
    const struct anchor *anchor =
        engine->anchors.count == 0 ? NULL : map_get(&engine->anchors, (uint64_t)task->record.id);
    for (size_t i = 0; anchor != NULL && i < anchor->count; i++) {
        struct class *class = anchor->classes[i];
        if (class->record.same_task_id == task->record.id) {
            class->same_at = at;
        }
        if (class->record.other_task_id == task->record.id) {
            class->other_at = at;
        }
        if (class->is_linked) {
            placement_unlink_class(engine, class);
            placement_class_changed(engine, class);
            placement_link_class(engine, class);
        }
    }
}

struct class *placement_load_class(struct engine *engine, const struct class_record *record)
{
    struct class *class = mem_alloc(sizeof *class);
    class->record = *record;
    own_plan(&class->record.plan, &record->plan);
    struct buf key = { 0 };
    class_key(record, &key);
    class->key = mem_copy(key.data, key.length);
    class->key_length = key.length;
    buf_done(&key);
    /* Checked when it was submitted. */
    CHECK(selector_parse(record->plan.selector, &class->selector, NULL, NULL) == ERR_NONE);
    class->strategy = strategy_of(record->plan.strategy);
    class->ready.before = lane_before;
    class->free.before = class->strategy->before;
    map_put(&engine->classes, (uint64_t)record->id, class);
    struct str text = { class->key, class->key_length };
    if (strmap_get(&engine->class_keys, text) == NULL) { /* one that came back may have a twin */
        strmap_put(&engine->class_keys, text, class);
    }
    if (record->id >= engine->next_class_id) {
        engine->next_class_id = record->id + 1;
    }
    bind_class(engine, class);
    return class;
}

struct class_record placement_wanted(const struct plan_class *plan, int64_t constellation_id,
                                     int64_t same_task_id, int64_t other_task_id)
{
    bool is_its_own = plan->limits_count > 0 || same_task_id != 0 || other_task_id != 0 ||
                      plan->strategy == STRATEGY_SPREAD;
    return (struct class_record){
        .plan = *plan,
        .same_task_id = same_task_id,
        .other_task_id = other_task_id,
        .constellation_id = is_its_own ? constellation_id : 0,
    };
}

struct class *placement_class_of(struct engine *engine, const struct class_record *wanted)
{
    struct buf key = { 0 };
    class_key(wanted, &key);
    struct class *class =
        strmap_get(&engine->class_keys, (struct str){ (const char *)key.data, key.length });
    buf_done(&key);
    if (class == NULL) {
        struct class_record record = *wanted;
        record.id = engine->next_class_id;
        class = placement_load_class(engine, &record);
        effects_add(engine->effects, EFFECT_ADD_CLASS)->class = &class->record;
    }
    return class;
}

/* Field by field: padding has no say in whether two are alike. */
enum { POLICY_NUMBERS = 15 };

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
    to[9] = (int64_t)plan->effect;
    to[10] = plan->retry_on;
    to[11] = plan->queue_timeout_ms;
    to[12] = plan->start_timeout_ms;
    to[13] = plan->silence_timeout_ms;
    to[14] = plan->hold_on_failure_ms;
    return (struct str){ (const char *)to, POLICY_NUMBERS * sizeof to[0] };
}

static void drop_class(struct engine *engine, struct class *class)
{
    placement_unlink_class(engine, class);
    unbind(engine, class, class->record.same_task_id);
    unbind(engine, class, class->record.other_task_id);
    struct str key = { class->key, class->key_length };
    if (strmap_get(&engine->class_keys, key) == class) {
        strmap_remove(&engine->class_keys, key);
    }
    placement_free_class(class);
}

/* Classes that effects of this turn still speak of must not go. */
static bool may_sweep(const struct engine *engine)
{
    for (size_t i = engine->effects->applied; i < engine->effects->count; i++) {
        enum effect_kind kind = engine->effects->list[i].kind;
        if (kind == EFFECT_ADD_CLASS || kind == EFFECT_ADD_POLICY) {
            return false;
        }
    }
    return true;
}

bool placement_has_room(const struct engine *engine, size_t classes, size_t policies)
{
    return engine->classes.count + engine->classes_due + classes <= ENGINE_CLASSES_MAX &&
           engine->policies.count + engine->policies_due + policies <= ENGINE_CLASSES_MAX;
}

/* Of each map one is looked at after the other; what is dropped is taken out afterwards, since a map must
   not change while it is walked. */
void placement_sweep(struct engine *engine)
{
    if (!may_sweep(engine)) {
        return;
    }
    struct map kept = { 0 };
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&engine->classes, &at, &id, &value)) {
        struct class *class = value;
        if (class->tasks > 0 || class->holders > 0) {
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

/* Of memory only: at the end of all, or after it was unlinked. */
void placement_free_class(struct class *class)
{
    for (size_t i = 0; i < class->placements_count; i++) {
        mem_free(class->placements[i]);
    }
    mem_free(class->placements);
    selector_free(class->selector);
    heap_done(&class->ready);
    heap_done(&class->free);
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&class->lanes, &at, &id, &value)) {
        lane_free(value);
    }
    map_done(&class->lanes);
    lane_free(class->spare);
    drop_plan(&class->record.plan);
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
