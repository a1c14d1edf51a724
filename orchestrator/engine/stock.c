/* What devices have for tasks to take amounts of. An attempt reserves it while it holds its slot; that a
   task keeps to what it asked for is not enforced. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

static struct stock *find(const struct device *device, struct str name)
{
    for (size_t i = 0; i < device->stock_count; i++) {
        if (str_equal(device->stock[i].name, name)) {
            return &device->stock[i];
        }
    }
    return NULL;
}

const struct stock *stock_find(const struct device *device, struct str name)
{
    return find(device, name);
}

static void add(struct device *device, struct str name, int64_t total_milli)
{
    if (find(device, name) == NULL) {
        device->stock[device->stock_count++] = (struct stock){ name, total_milli, 0 };
    }
}

/* What a machine has without saying so. */
static int64_t in_milli(uint64_t amount)
{
    return amount > INT64_MAX / 1000 ? INT64_MAX : (int64_t)amount * 1000;
}

void stock_take_in(struct device *device)
{
    const struct msg_profile *profile = &device->record.profile;
    device->stock =
        mem_resize(device->stock, (profile->resources_count + 2) * sizeof device->stock[0]);
    device->stock_count = 0;
    for (size_t i = 0; i < profile->resources_count; i++) {
        add(device, profile->resources[i].name, profile->resources[i].amount_milli);
    }
    add(device, STR("cpu"), in_milli(profile->cpus));
    add(device, STR("memory"), in_milli(profile->memory_bytes));
    for (const struct attempt *attempt = device->attempts; attempt != NULL;
         attempt = attempt->next) {
        if (attempt->class != NULL) {
            stock_reserve(device, attempt->class);
        }
    }
}

void stock_reserve(struct device *device, const struct class *class)
{
    const struct plan_class *plan = &class->record.plan;
    for (size_t i = 0; i < plan->resources_count; i++) {
        struct stock *stock = find(device, plan->resources[i].name);
        if (stock != NULL) {
            stock->used_milli += plan->resources[i].amount_milli;
        }
    }
}

void stock_return(struct device *device, const struct class *class)
{
    const struct plan_class *plan = &class->record.plan;
    for (size_t i = 0; i < plan->resources_count; i++) {
        struct stock *stock = find(device, plan->resources[i].name);
        if (stock != NULL) {
            stock->used_milli -= plan->resources[i].amount_milli;
        }
    }
}

const struct plan_resource *stock_short(const struct device *device, const struct class *class,
                                        bool of_all)
{
    const struct plan_class *plan = &class->record.plan;
    for (size_t i = 0; i < plan->resources_count; i++) {
        const struct stock *stock = find(device, plan->resources[i].name);
        int64_t there = stock == NULL ? 0 : stock->total_milli - (of_all ? 0 : stock->used_milli);
        if (plan->resources[i].amount_milli > there) {
            return &plan->resources[i];
        }
    }
    return NULL;
}
