#include "tests/scenario/world.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"

const char *world_key(const struct world *world, int64_t task_id)
{
    for (size_t i = 0; i < world->tasks_count; i++) {
        if (world->tasks[i].id == task_id) {
            return world->tasks[i].key;
        }
    }
    return "?";
}

int64_t world_task(const struct world *world, const char *key)
{
    for (size_t i = world->tasks_count; i > 0; i--) {
        if (strcmp(world->tasks[i - 1].key, key) == 0) {
            return world->tasks[i - 1].id;
        }
    }
    return 0;
}

struct world_device *world_device(struct world *world, const char *name)
{
    for (size_t i = 0; i < world->devices_count; i++) {
        if (strcmp(world->devices[i].name, name) == 0) {
            return &world->devices[i];
        }
    }
    CHECK(world->devices_count < WORLD_DEVICES_MAX);
    struct world_device *device = &world->devices[world->devices_count++];
    snprintf(device->name, sizeof device->name, "%s", name);
    return device;
}

static struct world_device *device_of(struct world *world, uint64_t channel)
{
    for (size_t i = 0; i < world->devices_count; i++) {
        if (world->devices[i].channel == channel) {
            return &world->devices[i];
        }
    }
    return NULL;
}

static const char *channel_name(struct world *world, uint64_t channel)
{
    struct world_device *device = device_of(world, channel);
    return device == NULL ? "?" : device->name;
}

static void put_fence(struct world *world, uint64_t fence)
{
    for (size_t i = 0; i < world->attempts_count; i++) {
        if (world->attempts[i].fence == fence) {
            buf_printf(&world->trace, " %s#%u", world_key(world, world->attempts[i].task_id),
                       world->attempts[i].number);
            return;
        }
    }
    buf_printf(&world->trace, " fence:%llu", (unsigned long long)fence);
}

static void trace_history(struct world *world, const struct history *history)
{
    buf_printf(&world->trace, "%s", history_kind_name(history->kind));
    if (history->fence != 0) {
        put_fence(world, history->fence);
    } else if (history->task_id != 0) {
        buf_printf(&world->trace, " %s", world_key(world, history->task_id));
    }
    if (history->outcome != 0) {
        buf_printf(&world->trace, " %s %lld", outcome_name((enum outcome)history->outcome),
                   (long long)history->number);
    }
    if (history->kind == HISTORY_TASK_SKIPPED) {
        buf_printf(&world->trace, " because-of %s", world_key(world, history->number));
    }
    if (history->kind == HISTORY_CONSTELLATION_FINISHED) {
        buf_printf(&world->trace, " %s",
                   constellation_state_name((enum constellation_state)history->state));
    } else if (history->state != 0) {
        buf_printf(&world->trace, " → %s", task_state_name((enum task_state)history->state));
    }
    if (history->text.length > 0) {
        buf_printf(&world->trace, " \"%.*s\"", STR_ARG(history->text));
    }
    buf_append_text(&world->trace, "\n");
}

static void trace_welcome(struct world *world, const struct msg_welcome *welcome)
{
    static const char *const names[] = { "?", "keep", "cancel", "drop" };
    for (size_t i = 0; i < welcome->verdicts_count; i++) {
        put_fence(world, welcome->verdicts[i].fence);
        buf_printf(&world->trace, ":%s", names[welcome->verdicts[i].verdict]);
        if (welcome->verdicts[i].stdout_offset > 0) {
            buf_printf(&world->trace, "@%llu",
                       (unsigned long long)welcome->verdicts[i].stdout_offset);
        }
    }
}

static void trace_send(struct world *world, uint64_t channel, const struct msg *msg)
{
    struct world_device *device = device_of(world, channel);
    buf_printf(&world->trace, "to %s %s", channel_name(world, channel), msg_kind_name(msg->kind));
    if (msg->kind == MSG_WELCOME) {
        trace_welcome(world, &msg->welcome);
        if (device != NULL) {
            device->session = msg->welcome.session;
        }
    } else if (msg->kind == MSG_ACK) {
        for (size_t i = 0; i < msg->ack.finished_count; i++) {
            put_fence(world, msg->ack.finished[i]);
        }
        for (size_t i = 0; i < msg->ack.outputs_count; i++) {
            put_fence(world, msg->ack.outputs[i].fence);
            buf_printf(&world->trace, "@%llu", (unsigned long long)msg->ack.outputs[i].offset);
        }
    } else if (msg->kind == MSG_CANCEL) {
        for (size_t i = 0; i < msg->cancel.fences_count; i++) {
            put_fence(world, msg->cancel.fences[i]);
        }
        buf_printf(&world->trace, " \"%.*s\"", STR_ARG(msg->cancel.reason));
    } else if (msg->kind == MSG_PONG && msg->pong.probe) {
        buf_append_text(&world->trace, " probe");
    }
    buf_append_text(&world->trace, "\n");
}

static void put_tasks(struct world *world, const edit_task *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(&world->trace, " %s",
                   tasks[i] < 0 ? world->added[-1 - tasks[i]] : world_key(world, tasks[i]));
    }
}

static void trace_edit(struct world *world, const struct edit_result *result)
{
    buf_printf(&world->trace, "revision %u", result->revision);
    const struct {
        const char *what;
        uint32_t count;
    } counts[] = { { "added", result->added },
                   { "removed", result->removed },
                   { "changed", result->changed },
                   { "linked", result->edges_added },
                   { "unlinked", result->edges_removed } };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (counts[i].count > 0) {
            buf_printf(&world->trace, " %s:%u", counts[i].what, counts[i].count);
        }
    }
    buf_append_text(&world->trace, result->newly_ready_count > 0 ? " ready:" : "");
    put_tasks(world, result->newly_ready, result->newly_ready_count);
    buf_append_text(&world->trace, result->newly_skipped_count > 0 ? " skipped:" : "");
    put_tasks(world, result->newly_skipped, result->newly_skipped_count);
    buf_append_text(&world->trace, "\n");
    for (size_t i = 0; i < result->problems_count; i++) {
        const struct edit_problem *problem = &result->problems[i];
        buf_printf(&world->trace, "refused %s%d %s", problem->in_expect ? "expectation " : "",
                   problem->index == EDIT_WHOLE ? -1 : (int)problem->index,
                   edit_code_name(problem->code));
        put_tasks(world, problem->tasks, problem->tasks_count);
        buf_append_text(&world->trace, "\n");
    }
}

static void learn_task(struct world *world, const struct effect *effect)
{
    CHECK(world->tasks_count < WORLD_TASKS_MAX);
    world->tasks[world->tasks_count].id = effect->task.record->id;
    snprintf(world->tasks[world->tasks_count++].key, sizeof world->tasks[0].key, "%.*s",
             STR_ARG(effect->task.plan->key));
}

static void learn_plan(struct world *world, const struct effect *effect)
{
    world->plans[world->plans_count].id = effect->constellation.record->id;
    snprintf(world->plans[world->plans_count++].name, sizeof world->plans[0].name, "%.*s",
             STR_ARG(effect->constellation.plan->name));
}

static void learn_attempt(struct world *world, const struct attempt_record *record)
{
    CHECK(world->attempts_count < WORLD_ATTEMPTS_MAX);
    world->attempts[world->attempts_count++] =
        (struct world_attempt){ record->fence, record->task_id, record->number };
}

static void trace_effect(struct world *world, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_ADD_CONSTELLATION:
        learn_plan(world, effect);
        break;
    case EFFECT_ADD_TASK:
        learn_task(world, effect);
        break;
    case EFFECT_ADD_ATTEMPT:
        learn_attempt(world, effect->attempt);
        break;
    case EFFECT_HISTORY:
        trace_history(world, &effect->history);
        break;
    case EFFECT_SEND:
        trace_send(world, effect->send.channel, effect->send.msg);
        break;
    case EFFECT_ASSIGN:
        buf_printf(&world->trace, "to %s Assign", channel_name(world, effect->assign.channel));
        put_fence(world, effect->assign.fence);
        buf_append_text(&world->trace, "\n");
        break;
    case EFFECT_CLOSE:
        buf_printf(&world->trace, "close %s %s\n", channel_name(world, effect->close.channel),
                   msg_error_name(effect->close.code));
        break;
    case EFFECT_REPLY:
        buf_printf(&world->trace, "reply %s\n", err_name(effect->reply.err));
        if (effect->reply.edit != NULL) {
            trace_edit(world, effect->reply.edit);
        }
        break;
    case EFFECT_PREPARE:
        buf_printf(&world->trace, "prepare %s\n", world_key(world, effect->prepare.task_id));
        break;
    case EFFECT_EVALUATE:
        buf_printf(&world->trace, "evaluate %s\n", world_key(world, effect->evaluate.from_id));
        break;
    case EFFECT_ADD_CLASS:
    case EFFECT_ADD_POLICY:
    case EFFECT_SAVE_CONSTELLATION:
    case EFFECT_SAVE_TASK:
    case EFFECT_ADD_EDGE:
    case EFFECT_SAVE_EDGE:
    case EFFECT_KEEP_EDGE:
    case EFFECT_SAVE_ATTEMPT:
    case EFFECT_SAVE_DEVICE:
    case EFFECT_TASK_REASON:
    case EFFECT_OUTPUT:
    case EFFECT_RESULT:
    case EFFECT_PLAN_DONE:
    case EFFECT_ADD_LIMIT:
    case EFFECT_ADD_HOLD:
    case EFFECT_ADD_HOLD_TASK:
    case EFFECT_REMOVE_HOLD:
    case EFFECT_REMOVE_TASK:
    case EFFECT_REMOVE_EDGE:
    case EFFECT_TASK_TEXT:
    case EFFECT_DROP_INPUTS:
    case EFFECT_EDGE_TEXT:
    case EFFECT_EDGE_REASON:
    case EFFECT_ADD_REVISION:
    case EFFECT_PUT_BULK:
    case EFFECT_REMOVE_BULK:
        break; /* rows: the store's tests look at them */
    }
}

void trace_effects(struct world *world)
{
    for (size_t i = 0; i < world->effects.count; i++) {
        trace_effect(world, &world->effects.list[i]);
    }
}
