#include "orchestrator/spec/spec_intern.h"

/* scratch holds what identifies the item. */
static bool intern(struct spec_intern *intern, const void *item, size_t bytes, uint32_t *ret_index)
{
    struct str key = { (const char *)intern->scratch.data, intern->scratch.length };
    void *found = strmap_get(&intern->map, key);
    if (found != NULL) {
        *ret_index = (uint32_t)((uintptr_t)found - 1);
        return true;
    }
    size_t index = intern->items.length / bytes;
    buf_append(&intern->items, item, bytes);
    strmap_put(&intern->map, key, (void *)(uintptr_t)(index + 1));
    *ret_index = (uint32_t)index;
    return false;
}

static void scratch_add(struct spec_intern *intern, const void *data, size_t bytes)
{
    buf_append(&intern->scratch, data, bytes);
}

/* With its length, which keeps two texts side by side apart from two others. */
static void scratch_add_text(struct spec_intern *intern, struct str text)
{
    scratch_add(intern, &text.length, sizeof text.length);
    scratch_add(intern, text.data, text.length);
}

bool spec_intern_class(struct spec_intern *classes, const struct plan_class *class,
                       uint32_t *ret_index)
{
    /* Member by member, as in a policy: the bytes between them are nobody's. */
    buf_clear(&classes->scratch);
    scratch_add(classes, &class->executor, sizeof class->executor);
    scratch_add(classes, &class->strategy, sizeof class->strategy);
    scratch_add(classes, &class->same_device, sizeof class->same_device);
    scratch_add(classes, &class->other_device, sizeof class->other_device);
    scratch_add_text(classes, class->selector);
    scratch_add_text(classes, class->device);
    scratch_add(classes, &class->tools_count, sizeof class->tools_count);
    for (size_t i = 0; i < class->tools_count; i++) {
        scratch_add_text(classes, class->tools[i]);
    }
    scratch_add(classes, &class->resources_count, sizeof class->resources_count);
    for (size_t i = 0; i < class->resources_count; i++) {
        scratch_add_text(classes, class->resources[i].name);
        scratch_add(classes, &class->resources[i].amount_milli,
                    sizeof class->resources[i].amount_milli);
    }
    for (size_t i = 0; i < class->limits_count; i++) {
        scratch_add(classes, &class->limits[i].limit, sizeof class->limits[i].limit);
        scratch_add(classes, &class->limits[i].amount, sizeof class->limits[i].amount);
    }
    return intern(classes, class, sizeof *class, ret_index);
}

void spec_intern_policy(struct spec_intern *policies, const struct plan_policy *policy,
                        uint32_t *ret_index)
{
    /* Member by member: the bytes between them are nobody's. */
    buf_clear(&policies->scratch);
    scratch_add(policies, &policy->max_attempts, sizeof policy->max_attempts);
    scratch_add(policies, &policy->max_lost, sizeof policy->max_lost);
    scratch_add(policies, &policy->backoff_base_ms, sizeof policy->backoff_base_ms);
    scratch_add(policies, &policy->backoff_max_ms, sizeof policy->backoff_max_ms);
    scratch_add(policies, &policy->backoff_factor_permille, sizeof policy->backoff_factor_permille);
    scratch_add(policies, &policy->run_timeout_ms, sizeof policy->run_timeout_ms);
    scratch_add(policies, &policy->kill_grace_ms, sizeof policy->kill_grace_ms);
    scratch_add(policies, &policy->output_bytes_max, sizeof policy->output_bytes_max);
    scratch_add(policies, &policy->on_disconnect, sizeof policy->on_disconnect);
    scratch_add(policies, &policy->effect, sizeof policy->effect);
    scratch_add(policies, &policy->retry_on, sizeof policy->retry_on);
    scratch_add(policies, &policy->queue_timeout_ms, sizeof policy->queue_timeout_ms);
    scratch_add(policies, &policy->start_timeout_ms, sizeof policy->start_timeout_ms);
    scratch_add(policies, &policy->silence_timeout_ms, sizeof policy->silence_timeout_ms);
    scratch_add(policies, &policy->hold_on_failure_ms, sizeof policy->hold_on_failure_ms);
    intern(policies, policy, sizeof *policy, ret_index);
}

void spec_intern_done(struct spec_intern *intern)
{
    strmap_done(&intern->map);
    buf_done(&intern->items);
    buf_done(&intern->scratch);
}
