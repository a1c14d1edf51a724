/* The list of effects of a turn, and its words for scenarios and traces. */
#include "agent/engine/agent_effect.h"

#include <inttypes.h>
#include <string.h>

#include "agent/engine/agent_state.h"
#include "common/base/mem.h"

struct agent_effect *agent_effects_add(struct agent_effects *effects, enum agent_effect_kind kind)
{
    if (effects->count == effects->capacity) {
        effects->capacity = effects->capacity == 0 ? 64 : effects->capacity * 2;
        effects->list = mem_resize(effects->list, effects->capacity * sizeof *effects->list);
    }
    struct agent_effect *effect = &effects->list[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}

struct msg *agent_effects_send(struct agent_effects *effects, enum msg_kind kind)
{
    struct msg *msg = arena_alloc(&effects->arena, sizeof *msg);
    msg->kind = kind;
    agent_effects_add(effects, AGENT_EFFECT_SEND)->msg = msg;
    return msg;
}

bool agent_effect_is_durable(const struct agent_effect *effect)
{
    return effect->kind == AGENT_EFFECT_SAVE_SESSION ||
           (effect->kind == AGENT_EFFECT_SAVE && effect->record->once &&
            effect->record->state != HELD_ACCEPTED);
}

void agent_effects_clear(struct agent_effects *effects)
{
    effects->count = 0;
    arena_clear(&effects->arena);
}

void agent_effects_done(struct agent_effects *effects)
{
    mem_free(effects->list);
    arena_done(&effects->arena);
    *effects = (struct agent_effects){ 0 };
}

static void print_hello(const struct msg_hello *hello, struct buf *text)
{
    buf_printf(text, " device=%.*s session=%" PRIu64, STR_ARG(hello->device), hello->session);
    for (size_t i = 0; i < hello->held_count; i++) {
        buf_printf(text, " %" PRIu64 "=%s", hello->held[i].fence,
                   held_state_name(hello->held[i].state));
    }
}

static void print_finished(const struct msg_finished *finished, struct buf *text)
{
    buf_printf(text, " fence=%" PRIu64 " outcome=%s", finished->fence,
               outcome_name(finished->outcome));
    if (finished->outcome == OUTCOME_EXITED || finished->exit_code != 0) {
        buf_printf(text, " exit_code=%d", finished->exit_code);
    }
    if (finished->signal != 0) {
        buf_printf(text, " signal=%d", finished->signal);
    }
    if (finished->stdout_bytes + finished->stderr_bytes > 0) {
        buf_printf(text, " stdout=%" PRIu64 " stderr=%" PRIu64, finished->stdout_bytes,
                   finished->stderr_bytes);
    }
    if (finished->output_truncated) {
        buf_append_text(text, " truncated");
    }
    if (finished->reason.length > 0) {
        buf_printf(text, " reason=\"%.*s\"", STR_ARG(finished->reason));
    }
    if (finished->result.length > 0) {
        buf_printf(text, " result=%.*s", STR_ARG(finished->result));
    }
}

static void print_send(const struct msg *msg, struct buf *text)
{
    buf_printf(text, "send %s", msg_kind_name(msg->kind));
    switch (msg->kind) {
    case MSG_HELLO:
        print_hello(&msg->hello, text);
        break;
    case MSG_READY:
        buf_printf(text, " session=%" PRIu64, msg->ready.session);
        break;
    case MSG_PING:
        buf_printf(text, " id=%" PRIu64, msg->ping.id);
        break;
    case MSG_STARTED:
        buf_printf(text, " fence=%" PRIu64, msg->started.fence);
        break;
    case MSG_FINISHED:
        print_finished(&msg->finished, text);
        break;
    case MSG_ERROR:
        buf_printf(text, " code=%s reason=\"%.*s\"", msg_error_name(msg->error.code),
                   STR_ARG(msg->error.reason));
        break;
    case MSG_GOODBYE:
        buf_printf(text, " reason=\"%.*s\"", STR_ARG(msg->goodbye.reason));
        break;
    case MSG_NONE:
    case MSG_WELCOME:
    case MSG_PONG:
    case MSG_ASSIGN:
    case MSG_OUTPUT:
    case MSG_ACK:
    case MSG_CANCEL:
        break;
    }
}

void agent_effect_print(const struct agent_effect *effect, struct buf *text)
{
    switch (effect->kind) {
    case AGENT_EFFECT_SAVE_SESSION:
        buf_printf(text, "save session=%" PRIu64 " receipt=%" PRIu64, effect->session.session,
                   effect->session.receipt.fence);
        break;
    case AGENT_EFFECT_SAVE:
        buf_printf(text, "save fence=%" PRIu64 " %s%s", effect->record->fence,
                   held_state_name(effect->record->state),
                   agent_effect_is_durable(effect) ? " durable" : "");
        break;
    case AGENT_EFFECT_REMOVE:
        buf_printf(text, "remove fence=%" PRIu64, effect->fence);
        break;
    case AGENT_EFFECT_DIAL:
        buf_append_text(text, "dial");
        break;
    case AGENT_EFFECT_SEND:
        print_send(effect->msg, text);
        break;
    case AGENT_EFFECT_SEND_OUTPUT:
        buf_printf(text, "send Output fence=%" PRIu64 " %s offset=%" PRIu64 " bytes=%zu",
                   effect->output.fence,
                   effect->output.stream == STREAM_STDOUT ? "stdout" : "stderr",
                   effect->output.offset, effect->output.bytes);
        break;
    case AGENT_EFFECT_CLOSE:
        buf_printf(text, "close%s code=%d reason=\"%s\"", effect->close.hard ? " hard" : "",
                   effect->close.code, effect->close.reason);
        break;
    case AGENT_EFFECT_START:
        buf_printf(text, "start fence=%" PRIu64 " attempt=%u name=%.*s body=%zu",
                   effect->record->fence, effect->record->attempt, STR_ARG(effect->record->name),
                   effect->record->body.length);
        break;
    case AGENT_EFFECT_STOP:
        buf_printf(text, "stop fence=%" PRIu64 " outcome=%s grace=%" PRId64 " why=\"%s\"",
                   effect->stop.fence, outcome_name(effect->stop.outcome), effect->stop.grace_ms,
                   effect->stop.why);
        break;
    case AGENT_EFFECT_FORGET:
        buf_printf(text, "forget fence=%" PRIu64, effect->fence);
        break;
    }
}
