/* Devices: what is known of each, and the clock that runs while one is silent. */
#include "common/base/mem.h"
#include "orchestrator/engine/attention.h"
#include "orchestrator/engine/model.h"

/* That are written when one is given up. */
enum { ROWS_AN_ATTEMPT = 4 };

/* How long the incumbent of a device's name has to answer before a newcomer may have it. */
static const int64_t PROBE_MS = 3000;

static struct str own(struct str text)
{
    return (struct str){ mem_copy(text.data, text.length), text.length };
}

static void replace(struct str *field, struct str text)
{
    struct str copy = own(text);
    mem_free((void *)(uintptr_t)field->data);
    *field = copy;
}

static void drop(struct str text)
{
    mem_free((void *)(uintptr_t)text.data);
}

static const struct str *own_list(const struct str *list, size_t count)
{
    struct str *copy = mem_array(count, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = own(list[i]);
    }
    return copy;
}

static void drop_list(const struct str *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        drop(list[i]);
    }
    mem_free((void *)(uintptr_t)list);
}

static void own_profile(struct msg_profile *profile, const struct msg_profile *from)
{
    *profile = *from;
    profile->os = own(from->os);
    profile->arch = own(from->arch);
    profile->hostname = own(from->hostname);
    profile->executors = own_list(from->executors, from->executors_count);
    profile->tools = own_list(from->tools, from->tools_count);
    struct msg_pair *labels = mem_array(from->labels_count, sizeof *labels);
    for (size_t i = 0; i < from->labels_count; i++) {
        labels[i].key = own(from->labels[i].key);
        labels[i].value = own(from->labels[i].value);
    }
    profile->labels = labels;
    struct msg_resource *resources = mem_array(from->resources_count, sizeof *resources);
    for (size_t i = 0; i < from->resources_count; i++) {
        resources[i].name = own(from->resources[i].name);
        resources[i].amount_milli = from->resources[i].amount_milli;
    }
    profile->resources = resources;
}

static bool lists_equal(const struct str *a, const struct str *b, size_t count)
{
    size_t i = 0;
    while (i < count && str_equal(a[i], b[i])) {
        i++;
    }
    return i == count;
}

static bool profiles_equal(const struct msg_profile *a, const struct msg_profile *b)
{
    bool is_equal = str_equal(a->os, b->os) && str_equal(a->arch, b->arch) &&
                    str_equal(a->hostname, b->hostname) && a->cpus == b->cpus &&
                    a->memory_bytes == b->memory_bytes && a->slots == b->slots &&
                    a->executors_count == b->executors_count && a->tools_count == b->tools_count &&
                    a->labels_count == b->labels_count &&
                    a->resources_count == b->resources_count &&
                    lists_equal(a->executors, b->executors, a->executors_count) &&
                    lists_equal(a->tools, b->tools, a->tools_count);
    for (size_t i = 0; i < a->labels_count && is_equal; i++) {
        is_equal = str_equal(a->labels[i].key, b->labels[i].key) &&
                   str_equal(a->labels[i].value, b->labels[i].value);
    }
    for (size_t i = 0; i < a->resources_count && is_equal; i++) {
        is_equal = str_equal(a->resources[i].name, b->resources[i].name) &&
                   a->resources[i].amount_milli == b->resources[i].amount_milli;
    }
    return is_equal;
}

static void drop_profile(struct msg_profile *profile)
{
    drop(profile->os);
    drop(profile->arch);
    drop(profile->hostname);
    drop_list(profile->executors, profile->executors_count);
    drop_list(profile->tools, profile->tools_count);
    for (size_t i = 0; i < profile->labels_count; i++) {
        drop(profile->labels[i].key);
        drop(profile->labels[i].value);
    }
    mem_free((void *)(uintptr_t)profile->labels);
    for (size_t i = 0; i < profile->resources_count; i++) {
        drop(profile->resources[i].name);
    }
    mem_free((void *)(uintptr_t)profile->resources);
}

struct device *fleet_find(const struct engine *engine, struct str name)
{
    return strmap_get(&engine->device_names, name);
}

struct device *fleet_add(struct engine *engine, const struct device_record *record)
{
    struct device *device = mem_alloc(sizeof *device);
    device->record = *record;
    device->record.name = own(record->name);
    device->record.journal_id = own(record->journal_id);
    device->record.boot_id = own(record->boot_id);
    device->record.agent_version = own(record->agent_version);
    own_profile(&device->record.profile, &record->profile);
    map_put(&engine->devices, (uint64_t)record->id, device);
    strmap_put(&engine->device_names, record->name, device);
    engine->devices_list =
        mem_resize(engine->devices_list, (engine->devices_count + 1) * sizeof(struct device *));
    device->at = (uint32_t)engine->devices_count;
    engine->devices_list[engine->devices_count++] = device;
    stock_take_in(device);
    if (record->id >= engine->next_device_id) {
        engine->next_device_id = record->id + 1;
    }
    if (record->session > engine->session) {
        engine->session = record->session;
    }
    return device;
}

void fleet_contested(struct engine *engine, struct device *device)
{
    if (engine->now.boot_ms - device->contested_boot_ms >= ATTENTION_CONTEST_MS) {
        device->contests = 0;
    }
    device->contests++;
    device->contested_boot_ms = engine->now.boot_ms;
}

void fleet_update(struct engine *engine, struct device *device, const struct msg_hello *hello)
{
    if (device->record.journal_id.length > 0 &&
        !str_equal(device->record.journal_id, hello->journal_id)) {
        fleet_contested(engine, device);
    }
    replace(&device->record.journal_id, hello->journal_id);
    replace(&device->record.boot_id, hello->boot_id);
    replace(&device->record.agent_version, hello->agent_version);
    device->record.process_id = hello->process_id;
    if (device->has_been_matched && profiles_equal(&device->record.profile, &hello->profile)) {
        placement_device_changed(engine, device); /* it fits what it did */
        return;
    }
    struct msg_profile old = device->record.profile;
    own_profile(&device->record.profile, &hello->profile);
    stock_take_in(device); /* its names are the profile's */
    drop_profile(&old);
    placement_match_device(engine, device);
}

void fleet_save(struct engine *engine, struct device *device)
{
    if (engine_mark(engine, &device->mark)) {
        effects_add(engine->effects, EFFECT_SAVE_DEVICE)->device = &device->record;
    }
}

void fleet_free(struct device *device)
{
    drop(device->record.name);
    drop(device->record.journal_id);
    drop(device->record.boot_id);
    drop(device->record.agent_version);
    drop_profile(&device->record.profile);
    newcomer_free(device->newcomer);
    map_done(&device->strays);
    mem_free(device->placements);
    mem_free(device->stock);
    mem_free(device->acks);
    mem_free(device);
}

enum device_status fleet_status(const struct device *device)
{
    if (device->record.draining) {
        return device->used > 0 ? DEVICE_DRAINING : DEVICE_DRAINED;
    }
    return device->channel != 0 ? DEVICE_CONNECTED : DEVICE_DISCONNECTED;
}

/* It is given nothing more, or may be again. What it runs goes on; the agent need not know. */
void fleet_drain(struct engine *engine, const struct event *event)
{
    struct device *device = fleet_find(engine, event->drain.device);
    if (device == NULL) {
        engine_reply(engine, event->drain.request, ERR_NOT_FOUND, 0, STR("no such device"));
        return;
    }
    if (device->record.draining != event->drain.draining) {
        device->record.draining = event->drain.draining;
        fleet_save(engine, device);
        placement_device_changed(engine, device);
        struct history *history = engine_history(engine, HISTORY_DEVICE_DRAINED);
        history->device_id = device->record.id;
        history->number = event->drain.draining;
        history->text = arena_str(&engine->effects->arena, event->drain.actor);
    }
    engine_reply(engine, event->drain.request, ERR_NONE, 0, STR(""));
}

bool fleet_timer_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct device *x = HEAP_OWNER(a, const struct device, timer);
    const struct device *y = HEAP_OWNER(b, const struct device, timer);
    return x->timer_boot_ms != y->timer_boot_ms ? x->timer_boot_ms < y->timer_boot_ms
                                                : x->record.id < y->record.id;
}

void fleet_arm(struct engine *engine, struct device *device)
{
    int64_t at = INT64_MAX;
    if (device->channel != 0) {
        at = device->pinged_boot_ms + engine->config.lease_ms;
        if (device->probed_boot_ms != 0 && device->probed_boot_ms + PROBE_MS < at) {
            at = device->probed_boot_ms + PROBE_MS;
        }
    } else {
        for (const struct attempt *attempt = device->attempts; attempt != NULL;
             attempt = attempt->next) {
            if (attempt->record.state != ATTEMPT_LOST) {
                int64_t given_up = attempt_given_up_boot_ms(engine, attempt);
                at = given_up < at ? given_up : at;
            }
        }
    }
    if (heap_holds(&device->timer)) {
        if (at == device->timer_boot_ms) {
            return;
        }
        heap_remove(&engine->device_timers, &device->timer);
    }
    if (at != INT64_MAX) {
        device->timer_boot_ms = at;
        heap_insert(&engine->device_timers, &device->timer);
    }
}

/* As far as the budget goes: the rest keeps the device's timer due. */
static size_t give_up_attempts(struct engine *engine, struct device *device, size_t budget)
{
    struct attempt *attempt = device->attempts;
    while (attempt != NULL && budget > 0) {
        struct attempt *next = attempt->next;
        if (attempt->record.state != ATTEMPT_LOST &&
            attempt_given_up_boot_ms(engine, attempt) <= engine->now.boot_ms) {
            attempt_lose(engine, attempt, LOSS_CUT_OFF, "the device was cut off for too long");
            budget -= budget < ROWS_AN_ATTEMPT ? budget : ROWS_AN_ATTEMPT;
        }
        attempt = next;
    }
    return budget;
}

size_t fleet_timer_fired(struct engine *engine, struct device *device, size_t budget)
{
    heap_remove(&engine->device_timers, &device->timer);
    int64_t now = engine->now.boot_ms;
    if (device->channel == 0) {
        budget = give_up_attempts(engine, device, budget);
    } else if (device->pinged_boot_ms + engine->config.lease_ms <= now) {
        session_close(engine, device, MSG_ERROR_LEASE, STR("no ping within the lease"));
    } else if (device->probed_boot_ms != 0 && device->probed_boot_ms + PROBE_MS <= now) {
        session_close(engine, device, MSG_ERROR_DISPLACED,
                      STR("another connection asked for this device, and a probe went unanswered"));
    }
    fleet_arm(engine, device);
    return budget;
}
