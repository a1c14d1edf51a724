/* What is done with attempts: assigned, started, stopped, ended, judged by a Welcome, acknowledged. */
#include "agent/engine/agent_state.h"

enum { SIGNAL_KILL = 9 }; /* SIGKILL everywhere; this floor sees no system headers */

static void stop(struct agent_attempt *attempt, enum outcome outcome, int64_t grace_ms,
                 struct str why, struct agent_effects *effects)
{
    struct agent_effect *effect = agent_effects_add(effects, AGENT_EFFECT_STOP);
    effect->stop.fence = attempt->record.fence;
    effect->stop.outcome = outcome;
    effect->stop.grace_ms = grace_ms;
    effect->stop.why = arena_copy(&effects->arena, why.data, why.length);
    attempt->stopping = true;
}

static void start(struct agent_engine *engine, struct agent_attempt *attempt,
                  struct agent_effects *effects)
{
    /* The row says running before the process can exist, so that accepted proves that nothing ran. */
    agent_attempt_queue(engine, attempt, AGENT_QUEUE_NONE);
    agent_attempt_move(engine, attempt, HELD_RUNNING, effects);
    attempt->spooled = !attempt->instant;
    agent_effects_add(effects, AGENT_EFFECT_START)->record = &attempt->record;
    engine->started_total++;
}

void agent_work_start_some(struct agent_engine *engine, struct agent_effects *effects)
{
    for (int i = 0; i < AGENT_STARTS_MAX && engine->starts.head != NULL; i++) {
        start(engine, engine->starts.head, effects);
    }
}

/* False: the connection was closed. */
static bool assign_one(struct agent_engine *engine, int64_t now_ms, const struct msg_task *task,
                       const struct agent_terms *terms, struct agent_effects *effects)
{
    if (agent_attempt_find(engine, task->fence) != NULL ||
        agent_attempt_was_forgotten(engine, task->fence)) {
        return true; /* delivered twice: it is held, or was done */
    }
    if (engine->attempts.count >= MSG_HELD_MAX) {
        agent_link_refuse(engine, now_ms, MSG_ERROR_LIMIT,
                          "more attempts than a Hello can list are unacknowledged", effects);
        return false;
    }
    struct agent_attempt *attempt = agent_attempt_new(engine, task->fence);
    attempt->record.attempt = task->attempt;
    attempt->record.on_disconnect = terms->on_disconnect;
    attempt->record.kill_grace_ms = terms->kill_grace_ms;
    if (!terms->readable) {
        agent_attempt_finish_as(engine, attempt, OUTCOME_START_FAILED, 0,
                                "this agent cannot read the task's body", effects);
        agent_output_offer(engine, attempt, effects);
        return true;
    }
    if (engine->slots_used >= engine->hello.profile.slots) {
        /* No fault of the task, nor a try of it: it is given back, and goes on elsewhere. */
        agent_attempt_finish_as(engine, attempt, OUTCOME_CANCELLED, 0, "no free slot", effects);
        agent_output_offer(engine, attempt, effects);
        return true;
    }
    attempt->record.once = terms->once;
    attempt->instant = terms->instant && !terms->once;
    agent_attempt_set_task(attempt, task->name, task->body);
    agent_attempt_move(engine, attempt, HELD_ACCEPTED, effects);
    if (attempt->instant) {
        start(engine, attempt, effects);
    } else {
        agent_attempt_queue(engine, attempt, AGENT_QUEUE_START);
    }
    return true;
}

void agent_work_assign(struct agent_engine *engine, const struct agent_event *event,
                       struct agent_effects *effects)
{
    const struct msg_assign *assign = &event->message.msg->assign;
    if (engine->shutdowns > 0) {
        return; /* absent from the next Hello, it is proven never to have started */
    }
    for (size_t i = 0; i < assign->tasks_count; i++) {
        if (!assign_one(engine, event->now_ms, &assign->tasks[i], &event->message.terms[i],
                        effects)) {
            return;
        }
    }
}

/* Ends it if it has not started; else has it stopped. */
static void end_early(struct agent_engine *engine, struct agent_attempt *attempt,
                      enum outcome outcome, struct str why, struct agent_effects *effects)
{
    if (attempt->record.state == HELD_ACCEPTED) {
        struct msg_finished result = { .outcome = outcome, .reason = why };
        agent_attempt_finish(engine, attempt, &result, effects);
        agent_output_offer(engine, attempt, effects);
    } else if (attempt->record.state == HELD_RUNNING && !attempt->stopping) {
        stop(attempt, outcome, attempt->record.kill_grace_ms, why, effects);
    }
}

void agent_work_cancel(struct agent_engine *engine, const struct msg_cancel *cancel,
                       struct agent_effects *effects)
{
    struct str why = cancel->reason.length > 0 ? cancel->reason : STR("cancelled");
    for (size_t i = 0; i < cancel->fences_count; i++) {
        struct agent_attempt *attempt = agent_attempt_find(engine, cancel->fences[i]);
        /* One that has ended, or is not there any more, has its end reported already. */
        if (attempt != NULL && !attempt->dropped) {
            end_early(engine, attempt, OUTCOME_CANCELLED, why, effects);
        }
    }
}

void agent_work_ack(struct agent_engine *engine, int64_t now_ms, const struct msg_ack *ack,
                    struct agent_effects *effects)
{
    for (size_t i = 0; i < ack->outputs_count; i++) {
        agent_output_acked(engine, &ack->outputs[i], effects);
    }
    for (size_t i = 0; i < ack->finished_count; i++) {
        struct agent_attempt *attempt = agent_attempt_find(engine, ack->finished[i]);
        if (attempt == NULL || attempt->dropped) {
            continue; /* acknowledged twice */
        }
        if (attempt->record.state != HELD_FINISHED) {
            agent_link_refuse(engine, now_ms, MSG_ERROR_PROTOCOL,
                              "an Ack of a result that was not sent", effects);
            return;
        }
        agent_attempt_remove(engine, attempt, effects);
    }
}

void agent_work_started(struct agent_engine *engine, uint64_t fence, int64_t wall_ms,
                        struct agent_effects *effects)
{
    struct agent_attempt *attempt = agent_attempt_find(engine, fence);
    if (attempt == NULL || attempt->record.state != HELD_RUNNING) {
        return;
    }
    attempt->process_seen = true;
    attempt->started_wall_ms = wall_ms;
    if (!attempt->dropped) {
        agent_output_offer(engine, attempt, effects);
    }
}

/* What the protocol would refuse is made to fit: a result must always get through. */
static void end_fit(struct msg_finished *end)
{
    if (end->reason.length > MSG_TEXT_BYTES_MAX) {
        size_t length = MSG_TEXT_BYTES_MAX;
        while (length > 0 && ((unsigned char)end->reason.data[length] & 0xc0) == 0x80) {
            length--; /* not in the middle of a character */
        }
        end->reason.length = length;
    }
    if (!str_is_utf8(end->reason)) {
        end->reason = STR("the reason cannot be shown: it is not UTF-8");
    }
    if (end->result.length > MSG_RESULT_BYTES_MAX || !str_is_utf8(end->result)) {
        end->result = (struct str){ NULL, 0 };
        end->reason = STR("the output value is too large, or is not UTF-8");
    }
}

void agent_work_ended(struct agent_engine *engine, const struct msg_finished *end,
                      struct agent_effects *effects)
{
    struct agent_attempt *attempt = agent_attempt_find(engine, end->fence);
    if (attempt == NULL || attempt->record.state != HELD_RUNNING) {
        return;
    }
    engine->ended_total++;
    if (attempt->dropped) {
        agent_attempt_remove(engine, attempt, effects);
        return;
    }
    struct msg_finished fit = *end;
    end_fit(&fit);
    agent_attempt_finish(engine, attempt, &fit, effects);
    agent_output_offer(engine, attempt, effects);
}

static void verdict_keep(struct agent_engine *engine, struct agent_attempt *attempt,
                         const struct msg_verdict *verdict, struct agent_effects *effects)
{
    if (attempt->record.state == HELD_DIED) {
        /* Nothing goes on. The helper has killed what there was when the agent's process died. */
        agent_attempt_finish_as(engine, attempt, OUTCOME_SIGNALLED, SIGNAL_KILL,
                                "it died with the agent's process", effects);
    } else if (attempt->record.state == HELD_ACCEPTED && engine->shutdowns == 0) {
        agent_attempt_queue(engine, attempt, AGENT_QUEUE_START);
    }
    agent_output_rewind(attempt, verdict->stdout_offset, verdict->stderr_offset);
    agent_output_offer(engine, attempt, effects);
}

void agent_work_verdict(struct agent_engine *engine, struct agent_attempt *attempt,
                        const struct msg_verdict *verdict, struct agent_effects *effects)
{
    switch (verdict->verdict) {
    case VERDICT_KEEP:
        verdict_keep(engine, attempt, verdict, effects);
        break;
    case VERDICT_CANCEL:
        if (attempt->record.state == HELD_DIED) {
            agent_attempt_finish_as(engine, attempt, OUTCOME_CANCELLED, 0,
                                    "it died with the agent's process", effects);
        } else {
            end_early(engine, attempt, OUTCOME_CANCELLED, STR("cancelled while it was cut off"),
                      effects);
        }
        agent_output_rewind(attempt, verdict->stdout_offset, verdict->stderr_offset);
        agent_output_offer(engine, attempt, effects);
        break;
    case VERDICT_DROP:
        if (attempt->record.state == HELD_RUNNING && !attempt->stopping) {
            stop(attempt, OUTCOME_CANCELLED, attempt->record.kill_grace_ms, STR("not wanted"),
                 effects);
        }
        agent_attempt_drop(engine, attempt, effects);
        break;
    }
}

void agent_work_lease_ended(struct agent_engine *engine, struct agent_effects *effects)
{
    for (struct agent_attempt *attempt = engine->all.head; attempt != NULL;
         attempt = attempt->next[AGENT_IN_ALL]) {
        if (attempt->record.on_disconnect == ON_DISCONNECT_STOP && !attempt->dropped) {
            end_early(engine, attempt, OUTCOME_DISCONNECTED,
                      STR("cut off from the daemon for longer than the lease"), effects);
        }
    }
}

void agent_work_stop_all(struct agent_engine *engine, bool at_once, struct agent_effects *effects)
{
    for (struct agent_attempt *attempt = engine->all.head; attempt != NULL;
         attempt = attempt->next[AGENT_IN_ALL]) {
        /* One that was accepted stays so in the journal: the next process may still start it. */
        if (attempt->record.state == HELD_RUNNING && (at_once || !attempt->stopping)) {
            stop(attempt, OUTCOME_DISCONNECTED, at_once ? 0 : attempt->record.kill_grace_ms,
                 STR("the agent was shut down"), effects);
        }
    }
    while (engine->starts.head != NULL) {
        agent_attempt_queue(engine, engine->starts.head, AGENT_QUEUE_NONE);
    }
}
