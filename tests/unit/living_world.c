/* A living world: its engine and its device, turn by turn. */
#include "tests/unit/living_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/store/part_pack.h"
#include "tests/unit/device_hello.h"
#include "tests/unit/living_parts.h"

const struct engine_config LIVING_CONFIG = {
    .epoch = 1,
    .seed = 1,
    .lease_ms = 60000,
    .ping_ms = 20000,
    .lost_after_ms = 300000,
    .next_constellation_id = 1,
    .next_task_id = 1,
    .next_edge_id = 1,
    .next_hold_id = 1,
};

static void step(struct living *living, struct event *event)
{
    event->now = living->now;
    engine_step(living->engine, event, &living->effects);
}

/* As the daemon's: one part a turn, before the tick. */
static void step_part(struct living *living)
{
    struct part_wanted wanted;
    if (!engine_wants_part(living->engine, &wanted)) {
        return;
    }
    struct arena arena = { 0 };
    struct event event = { .kind = EVENT_BULK_PART, .bulk_part = { .bulk_id = wanted.bulk_id } };
    assert_true(wanted.number < living->parts_count);
    const struct buf *bytes = &living->parts[wanted.number];
    assert_int_equal(part_unpack((struct str){ (const char *)bytes->data, bytes->length },
                                 wanted.first_task_id, &arena, &event.bulk_part.edit),
                     ERR_NONE);
    step(living, &event);
    arena_done(&arena);
}

static void look(struct living *living, const struct effect *effect)
{
    if (effect->kind == EFFECT_ASSIGN) {
        assert_true(living->assigned_count < LIVING_ASSIGNED_MAX);
        living->assigned[living->assigned_count].task_id = effect->assign.task_id;
        living->assigned[living->assigned_count++].fence = effect->assign.fence;
    } else if (effect->kind == EFFECT_REPLY) {
        living->err = effect->reply.err;
        snprintf(living->why, sizeof living->why, "%.*s", STR_ARG(effect->reply.reason));
        living->hold_id = effect->reply.hold_id;
        living->has_edit = effect->reply.edit != NULL;
        if (living->has_edit) {
            living->edit = *effect->reply.edit;
        }
    }
}

/* As the daemon's: what the tick asks is answered before the dispatch of the same turn. */
static void answer(struct living *living)
{
    size_t count = living->effects.count;
    living_book_apply(living);
    for (size_t i = 0; i < count; i++) {
        const struct effect effect = living->effects.list[i];
        struct event event = { .kind = EVENT_EVALUATED };
        bool is_question = effect.kind == EFFECT_EVALUATE || effect.kind == EFFECT_PREPARE;
        bool put_off = is_question && living->put_off_every != 0 &&
                       ++living->questions % living->put_off_every == 0;
        if (effect.kind == EFFECT_EVALUATE) {
            int result = living->condition == NULL
                             ? 1
                             : living->condition(living->context, effect.evaluate.edge_id,
                                                 effect.evaluate.from_id);
            event.evaluated.constellation_id = effect.evaluate.constellation_id;
            event.evaluated.edge_id = effect.evaluate.edge_id;
            event.evaluated.opens = result == 1;
            event.evaluated.reason = result == 2 ? STR("it is no number") : STR("");
            event.evaluated.put_off = put_off;
            step(living, &event);
        } else if (effect.kind == EFFECT_PREPARE) {
            event.kind = EVENT_PREPARED;
            event.prepared.constellation_id = effect.prepare.constellation_id;
            event.prepared.task_id = effect.prepare.task_id;
            event.prepared.body_bytes = 1;
            event.prepared.put_off = put_off;
            step(living, &event);
        }
    }
}

/* The classes that a device's change was told in one turn, or that were matched with one, and what was moved
   for a share that had changed, are bounded, whatever the turn had. */
static void end_turn(struct living *living)
{
    const struct engine *engine = living->engine;
    assert_true(engine->told <= 3 * (size_t)engine->config.slice);
    assert_true(engine->matched <= engine->config.slice / 2 + 1);
    if (engine->first != NULL && engine->first->lanes_count > 16) {
        size_t changes = living->assigned_count + living->slots;
        assert_true(engine->lanes_moved <= engine->config.slice + 16 + changes);
    }
    engine_turn_end(living->engine);
}

void living_turn(struct living *living, struct event *events, size_t count)
{
    /* The last turn's answer was good until here. */
    effects_clear(&living->effects);
    living->assigned_count = living->new_tasks_count = living->new_edges_count = 0;
    for (size_t i = 0; i < count; i++) {
        step(living, &events[i]);
    }
    living->effects_count = living->effects.count;
    step_part(living);
    step(living, &(struct event){ .kind = EVENT_TICK });
    answer(living);
    step(living, &(struct event){ .kind = EVENT_DISPATCH });
    living_book_apply(living);
    for (size_t i = 0; i < living->effects.count; i++) {
        look(living, &living->effects.list[i]);
    }
    end_turn(living);
}

void living_settle(struct living *living)
{
    int left = 100000;
    while (engine_next_deadline(living->engine) <= living->now.boot_ms) {
        assert_true(left-- > 0);
        struct effects kept = living->effects; /* an answer lives in it */
        living->effects = (struct effects){ 0 };
        size_t before = living->assigned_count;
        size_t requests = living->effects_count;
        step_part(living);
        step(living, &(struct event){ .kind = EVENT_TICK });
        answer(living);
        step(living, &(struct event){ .kind = EVENT_DISPATCH });
        living_book_apply(living);
        living->assigned_count = before;
        for (size_t i = 0; i < living->effects.count; i++) {
            look(living, &living->effects.list[i]);
        }
        end_turn(living);
        effects_done(&living->effects);
        living->effects = kept;
        living->effects_count = requests;
    }
}

void living_say(struct living *living, const struct msg *msg)
{
    struct event event = { .kind = EVENT_MESSAGE,
                           .message = { .channel = LIVING_CHANNEL, .msg = msg } };
    living_turn(living, &event, 1);
}

void living_connect(struct living *living, bool died)
{
    living_return(living, died, NULL, 0);
}

void living_return(struct living *living, bool died, const struct msg_held *held, size_t held_count)
{
    living->boots += died;
    char boot_id[32];
    snprintf(boot_id, sizeof boot_id, "boot-%u", living->boots);
    struct msg msg = device_hello("desktop", living->slots);
    msg.hello.boot_id = str_of(boot_id);
    msg.hello.process_id += living->boots;
    msg.hello.session = living->session;
    msg.hello.held = held;
    msg.hello.held_count = held_count;
    msg.hello.profile.labels = &living->label;
    msg.hello.profile.labels_count = living->label.key.length > 0;
    living_say(living, &msg);
    living->hello_effects = living->effects_count;
    struct device_view view;
    assert_true(engine_find_device(living->engine, STR("desktop"), living->now, &view));
    living->session = view.record->session;
    msg = (struct msg){ .kind = MSG_READY, .ready = { view.record->session } };
    living_say(living, &msg);
}

static struct engine_config config_of(const struct living *living)
{
    struct engine_config config = LIVING_CONFIG;
    config.slice = config.evaluate_max = config.reopen_max = living->slice;
    config.edit_looks_max = living->looks_max;
    return config;
}

void living_limit_looks(struct living *living, size_t looks_max)
{
    living->looks_max = looks_max;
    living->engine->config.edit_looks_max = looks_max == 0 ? EDIT_LOOKS_MAX : looks_max;
}

struct living *living_new(uint32_t slots)
{
    return living_new_slow(slots, 0);
}

struct living *living_new_slow(uint32_t slots, uint32_t slice)
{
    struct living *living = mem_alloc(sizeof *living);
    living->slice = slice;
    const struct engine_config config = config_of(living);
    living->engine = engine_new(&config);
    living->now = (struct moment){ 1000, 1700000000000 };
    living->slots = slots;
    living_connect(living, false);
    return living;
}

void living_free(struct living *living)
{
    engine_free(living->engine);
    effects_done(&living->effects);
    effects_done(&living->checked);
    living_book_free(living);
    mem_free(living);
}

void living_submit(struct living *living, const struct plan *plan)
{
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = plan;
    event.submit.uid = STR("plan-0000");
    event.submit.actor = STR("test");
    living_turn(living, &event, 1);
    living_settle(living);
}

void living_finish(struct living *living, uint64_t fence, enum outcome outcome, int exit_code)
{
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = fence;
    msg.finished.outcome = outcome;
    msg.finished.exit_code = exit_code;
    msg.finished.reason =
        outcome == OUTCOME_EXITED && exit_code == 0 ? STR("") : STR("it went wrong");
    living_say(living, &msg);
}

enum err living_edit(struct living *living, const struct edit *edit)
{
    struct event event = { .kind = EVENT_EDIT, .edit = { .edit = edit } };
    living_turn(living, &event, 1);
    return living->err;
}

void living_revive(struct living *living)
{
    if (engine_constellation(living->engine, 1) != NULL) {
        return;
    }
    assert_int_equal(engine_wake(living->engine, &living->constellation, NULL), ERR_NONE);
    living_book_load_plan(living, living->engine);
    assert_int_equal(engine_load_revived(living->engine, 1, living->now, NULL), ERR_NONE);
}

void living_check(struct living *living)
{
    struct reason reason = { "" };
    if (engine_check(living->engine, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

void living_restart(struct living *living)
{
    struct engine_config config = config_of(living);
    config.epoch = ++living->restarts + 1;
    int64_t spent = living->bulk.id == 0
                        ? 0
                        : living->bulk.first_task_id + (int64_t)living->bulk.tasks_added - 1;
    spent = spent > living->last_id ? spent : living->last_id;
    config.next_task_id = config.next_edge_id = config.next_hold_id = spent + 1;
    struct engine *other =
        living_book_load(living, &config, engine_constellation(living->engine, 1) != NULL);
    engine_free(living->engine);
    living->engine = other;
    living_connect(living, false);
}
