#include "orchestrator/answer.h"

#include "orchestrator/evaluate.h"
#include "orchestrator/prepare.h"

static enum err prepare(struct answering *answering, struct event *event, struct reason *reason)
{
    struct reason words = { "" };
    enum err err =
        prepare_task(answering->store, event->prepared.constellation_id, event->prepared.task_id,
                     answering->arena, &answering->work, &event->prepared.body_bytes, &words);
    if (err != ERR_NONE && err != ERR_INVALID) {
        *reason = words;
        return err;
    }
    event->prepared.err = err;
    event->prepared.reason = arena_str(answering->arena, str_of(words.text));
    return ERR_NONE;
}

static bool is_worn_out(struct answering *answering)
{
    size_t max = answering->work_max == 0 ? ANSWER_WORK_MAX : answering->work_max;
    if (answering->work >= max) {
        return true;
    }
    answering->work += ANSWER_WORK_EACH;
    return false;
}

enum err answer_question(struct answering *answering, struct effects *effects, size_t at,
                         struct event *ret_event, struct reason *reason)
{
    const struct effect *effect = &effects->list[at];
    bool put_off = is_worn_out(answering);
    struct event event = { .kind = EVENT_PREPARED };
    if (effect->kind == EFFECT_PREPARE) {
        event.prepared.constellation_id = effect->prepare.constellation_id;
        event.prepared.task_id = effect->prepare.task_id;
        event.prepared.put_off = put_off;
    } else {
        event.kind = EVENT_EVALUATED;
        event.evaluated.constellation_id = effect->evaluate.constellation_id;
        event.evaluated.edge_id = effect->evaluate.edge_id;
        event.evaluated.put_off = put_off;
    }
    enum err err = put_off ? ERR_NONE : store_apply(answering->store, effects, reason);
    if (err == ERR_NONE && !put_off) {
        err = effect->kind == EFFECT_PREPARE
                  ? prepare(answering, &event, reason)
                  : evaluate_edge(answering->store, answering->conditions, effect, answering->arena,
                                  &answering->work, &event, reason);
    }
    *ret_event = event;
    return err;
}
