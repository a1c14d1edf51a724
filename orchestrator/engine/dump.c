/* Every record, one a line, in a fixed order. Two engines that print the same hold the same. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

static void dump_task(const struct task *task, struct buf *text)
{
    const struct task_record *r = &task->record;
    /* Of a task that is held it says nothing: its clock will begin anew. */
    bool has_wake = r->state != TASK_WAITING || !task_is_held(task);
    buf_printf(
        text,
        "  task %lld %s class %lld policy %lld fence %llu wake %lld+%lld priority %d "
        "attempts %u-%u tries %u lost %u bytes %u round %u revision %u name %u flags %u%s%s\n",
        (long long)r->id, task_state_name((enum task_state)r->state), (long long)r->class_id,
        (long long)r->policy_id, (unsigned long long)r->fence,
        (long long)(has_wake ? r->wake_wall_ms : 0), (long long)(has_wake ? r->wake_length_ms : 0),
        r->priority, r->first_attempt, r->attempts, r->tries, r->lost, r->body_bytes, r->round,
        r->revision, r->name, r->flags, r->has_references ? " references" : "",
        r->prepared ? " prepared" : "");
    if (task->attempt != NULL) {
        const struct attempt_record *a = &task->attempt->record;
        buf_printf(text,
                   "    attempt %llu after %llu %s device %lld session %llu number %u%s assigned "
                   "%lld started %lld stdout %llu stderr %llu\n",
                   (unsigned long long)a->fence, (unsigned long long)a->previous,
                   attempt_state_name(a->state), (long long)a->device_id,
                   (unsigned long long)a->session, a->number, a->stop_wanted ? " stop" : "",
                   (long long)a->assigned_wall_ms, (long long)a->started_wall_ms,
                   (unsigned long long)a->stdout_bytes, (unsigned long long)a->stderr_bytes);
    }
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void dump_hold(const struct hold *hold, struct buf *text)
{
    const struct hold_record *r = &hold->record;
    buf_printf(text,
               "  hold %lld scope %d origin %d expiry %d root %lld created %lld until %lld+%lld:",
               (long long)r->id, (int)r->scope, (int)r->origin, (int)r->on_expiry,
               (long long)r->root_task_id, (long long)r->created_wall_ms,
               (long long)r->deadline_wall_ms, (long long)r->length_ms);
    int64_t *tasks = mem_array(hold->tasks_count + 1, sizeof *tasks);
    size_t count = 0;
    for (size_t i = 0; i < hold->tasks_count; i++) {
        if (constellation_find_task(hold->constellation, hold->tasks[i]) != NULL) {
            tasks[count++] = hold->tasks[i];
        }
    }
    qsort(tasks, count, sizeof *tasks, by_number);
    for (size_t i = 0; i < count; i++) {
        buf_printf(text, " %lld", (long long)tasks[i]);
    }
    buf_append_text(text, "\n");
    mem_free(tasks);
}

/* By their ids: they are listed as they came. */
static void dump_holds(const struct constellation *constellation, struct buf *text)
{
    int64_t last = 0;
    const struct hold *next = NULL;
    do {
        next = NULL;
        for (const struct hold *hold = constellation->holds; hold != NULL; hold = hold->next) {
            if (hold->record.id > last && (next == NULL || hold->record.id < next->record.id)) {
                next = hold;
            }
        }
        if (next != NULL) {
            dump_hold(next, text);
            last = next->record.id;
        }
    } while (next != NULL);
}

struct numbered {
    int64_t id; /* first: by_number() looks at it */
    uint32_t index;
};

static void dump_tasks(const struct constellation *constellation, struct buf *text)
{
    struct numbered *list = mem_array(constellation->tasks + 1, sizeof *list);
    size_t count = 0;
    for (uint32_t i = 0; i < constellation->tasks; i++) {
        const struct task *task = constellation_task(constellation, i);
        if (!task->removed) {
            list[count++] = (struct numbered){ task->record.id, i };
        }
    }
    qsort(list, count, sizeof *list, by_number);
    for (size_t i = 0; i < count; i++) {
        dump_task(constellation_task(constellation, list[i].index), text);
    }
    mem_free(list);
}

static void dump_edges(const struct constellation *constellation, struct buf *text)
{
    struct numbered *list = mem_array(constellation->edges + 1, sizeof *list);
    size_t count = 0;
    for (uint32_t i = 0; i < constellation->edges; i++) {
        const struct edge *edge = constellation_edge(constellation, i);
        if (!edge->removed) {
            list[count++] = (struct numbered){ edge->id, i };
        }
    }
    qsort(list, count, sizeof *list, by_number);
    for (size_t i = 0; i < count; i++) {
        const struct edge *edge = constellation_edge(constellation, list[i].index);
        struct edge_record record = decision_record(constellation, edge);
        buf_printf(text, "  edge %lld %lld-%lld when %u decision %u%s%s%s\n", (long long)edge->id,
                   (long long)record.from_id, (long long)record.to_id, edge->when, edge->decision,
                   edge->named ? " named" : "", edge->required ? " required" : "",
                   edge->conditional ? " conditional" : "");
    }
    mem_free(list);
}

static void dump_constellation(const struct constellation *constellation, struct buf *text)
{
    const struct constellation_record *r = &constellation->record;
    buf_printf(
        text,
        "constellation %lld %s%s%s%s%s%s created %lld tasks %u edges %u revision %u deadline "
        "%lld+%lld\n",
        (long long)r->id, constellation_state_name(r->state), r->cancel_requested ? " cancel" : "",
        r->cancel_finally ? " all" : "", r->fail_fast ? " fail_fast" : "",
        r->stopping ? " stopping" : "", r->deadline_passed ? " late" : "",
        (long long)r->created_wall_ms, r->tasks, r->edges, r->revision,
        (long long)r->deadline_wall_ms, (long long)r->deadline_length_ms);
    for (uint32_t i = 0; i < constellation->limits_count; i++) {
        const struct limit *limit = constellation->limits[i];
        if (limit != NULL) {
            buf_printf(text, "  limit %u %.*s %u\n", i, STR_ARG(limit->record.name),
                       limit->record.capacity);
        }
    }
    const struct bulk_record *bulk = bulk_record_of(constellation);
    if (bulk != NULL) {
        buf_printf(text, "  bulk %lld tasks %lld+%u part %u of %u%s%s%s\n", (long long)bulk->id,
                   (long long)bulk->first_task_id, bulk->tasks_added, bulk->next, bulk->parts,
                   bulk->renews ? " renews" : "", bulk->is_renewing ? " now" : "",
                   bulk->reopens ? " reopens" : "");
    }
    dump_tasks(constellation, text);
    dump_edges(constellation, text);
    dump_holds(constellation, text);
}

static void dump_device(const struct device_record *r, struct buf *text)
{
    const struct msg_profile *p = &r->profile;
    buf_printf(text,
               "device %lld %.*s journal %.*s boot %.*s process %llu session %llu version %.*s "
               "os %.*s arch %.*s host %.*s cpus %u memory %llu slots %u connected %lld%s",
               (long long)r->id, STR_ARG(r->name), STR_ARG(r->journal_id), STR_ARG(r->boot_id),
               (unsigned long long)r->process_id, (unsigned long long)r->session,
               STR_ARG(r->agent_version), STR_ARG(p->os), STR_ARG(p->arch), STR_ARG(p->hostname),
               p->cpus, (unsigned long long)p->memory_bytes, p->slots,
               (long long)r->connected_wall_ms, r->draining ? " draining" : "");
    for (size_t i = 0; i < p->executors_count; i++) {
        buf_printf(text, " executor %.*s", STR_ARG(p->executors[i]));
    }
    for (size_t i = 0; i < p->tools_count; i++) {
        buf_printf(text, " tool %.*s", STR_ARG(p->tools[i]));
    }
    for (size_t i = 0; i < p->labels_count; i++) {
        buf_printf(text, " %.*s=%.*s", STR_ARG(p->labels[i].key), STR_ARG(p->labels[i].value));
    }
    for (size_t i = 0; i < p->resources_count; i++) {
        buf_printf(text, " resource %.*s %lld", STR_ARG(p->resources[i].name),
                   (long long)p->resources[i].amount_milli);
    }
    buf_append_text(text, "\n");
}

static void dump_class(const struct class_record *r, struct buf *text)
{
    const struct plan_class *p = &r->plan;
    buf_printf(text, "class %lld %s on \"%.*s\" device \"%.*s\" %s same %lld other %lld of %lld",
               (long long)r->id, executor_name(p->executor), STR_ARG(p->selector),
               STR_ARG(p->device), strategy_name(p->strategy), (long long)r->same_task_id,
               (long long)r->other_task_id, (long long)r->constellation_id);
    for (size_t i = 0; i < p->tools_count; i++) {
        buf_printf(text, " tool %.*s", STR_ARG(p->tools[i]));
    }
    for (size_t i = 0; i < p->resources_count; i++) {
        buf_printf(text, " resource %.*s %lld", STR_ARG(p->resources[i].name),
                   (long long)p->resources[i].amount_milli);
    }
    for (size_t i = 0; i < p->limits_count; i++) {
        buf_printf(text, " limit %u %u", p->limits[i].limit, p->limits[i].amount);
    }
    buf_append_text(text, "\n");
}

void engine_dump(const struct engine *engine, struct buf *text)
{
    for (int64_t id = 1; id < engine->next_class_id; id++) {
        const struct class *class = map_get(&engine->classes, (uint64_t)id);
        if (class != NULL && class->tasks > asleep_tasks_of(engine, class, NULL)) {
            dump_class(&class->record, text);
        }
    }
    for (int64_t id = 1; id < engine->next_policy_id; id++) {
        const struct policy *policy = map_get(&engine->policies, (uint64_t)id);
        if (policy != NULL && policy->tasks > asleep_tasks_of(engine, NULL, policy)) {
            const struct plan_policy *p = &policy->record.plan;
            buf_printf(text,
                       "policy %lld %u %u %lld %lld %u %lld %lld %lld %d %d %u %lld %lld %lld "
                       "%lld\n",
                       (long long)id, p->max_attempts, p->max_lost, (long long)p->backoff_base_ms,
                       (long long)p->backoff_max_ms, p->backoff_factor_permille,
                       (long long)p->run_timeout_ms, (long long)p->kill_grace_ms,
                       (long long)p->output_bytes_max, (int)p->on_disconnect, (int)p->effect,
                       p->retry_on, (long long)p->queue_timeout_ms, (long long)p->start_timeout_ms,
                       (long long)p->silence_timeout_ms, (long long)p->hold_on_failure_ms);
        }
    }
    for (size_t i = 0; i < engine->devices_count; i++) {
        dump_device(&engine->devices_list[i]->record, text);
    }
    for (const struct constellation *constellation = engine->first; constellation != NULL;
         constellation = constellation->next) {
        dump_constellation(constellation, text);
    }
}
