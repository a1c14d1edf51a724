/* One turn: step what has arrived, write it, commit once, then let everything out. */
#include "common/sys/clock.h"
#include "common/sys/log.h"
#include "orchestrator/answer.h"
#include "orchestrator/fault.h"
#include "orchestrator/loop.h"
#include "orchestrator/parts.h"
#include "orchestrator/store/retention.h"

enum {
    /* Rows cost what the machine makes of them: the slice follows what the last ones took. Of the 20 ms
       that a turn may take, the commit needs its part. */
    SLICE_AIM_US = 8000,
    SLICE_MIN = 256,
    PARTS_AIM_US = 3000, /* what parts of large edits may take of a turn, before another is begun */
};

static const int64_t RETAIN_EVERY_MS = 60 * 1000;
static const int64_t IDEMPOTENCY_KEEP_MS = (int64_t)7 * 24 * 3600 * 1000;
static const int64_t RETAIN_AGAIN_MS = 25; /* while there is more to delete */

static void step(struct loop *loop, enum event_kind kind)
{
    struct event event = { .kind = kind, .now = loop_now() };
    if (kind == EVENT_TICK) {
        event.tick.slice = loop->slice;
    }
    engine_step(loop->engine, &event, &loop->effects);
}

/* Every question from effect `from` on, in their order; an answer may bring the next one. */
static enum err answer_questions(struct loop *loop, size_t from, struct reason *reason)
{
    struct answering answering = {
        .store = loop->store,
        .conditions = loop->conditions,
        .arena = &loop->arena,
    };
    for (size_t i = from; i < loop->effects.count; i++) {
        enum effect_kind kind = loop->effects.list[i].kind;
        if (kind != EFFECT_PREPARE && kind != EFFECT_EVALUATE) {
            continue;
        }
        struct event event;
        enum err err = answer_question(&answering, &loop->effects, i, &event, reason);
        if (err != ERR_NONE) {
            return err;
        }
        event.now = loop_now();
        engine_step(loop->engine, &event, &loop->effects);
    }
    return ERR_NONE;
}

static enum err retain(struct loop *loop, struct reason *reason)
{
    int64_t now = clock_boot_ms();
    if (now < loop->retain_boot_ms) {
        return ERR_NONE;
    }
    struct retention_policy policy = {
        .finished_keep_ms = loop->config->keep_finished_ms,
        .finished_max = loop->config->keep_finished_max,
        .events_keep_ms = loop->config->keep_events_ms,
        .events_max = loop->config->keep_events_max,
        .revisions_keep_ms = loop->config->keep_revisions_ms,
        .revisions_max = loop->config->keep_revisions_max,
        .idempotency_keep_ms = IDEMPOTENCY_KEEP_MS,
    };
    bool more = false;
    enum err err = store_retain(loop->store, clock_wall_ms(), &policy, &more, reason);
    loop->retain_boot_ms = now + (more ? RETAIN_AGAIN_MS : RETAIN_EVERY_MS);
    return err;
}

/* Parts of large edits, as many as a turn has time for; one at the least. Before the tick: nothing that it
   asks is open. */
static enum err make_parts(struct loop *loop, int64_t began_us, struct reason *reason)
{
    bool made = false;
    enum err err = ERR_NONE;
    do {
        err = parts_make_one(loop->store, loop->engine, &loop->effects, loop_now(), &loop->arena,
                             &made, reason);
    } while (err == ERR_NONE && made && clock_boot_us() - began_us < PARTS_AIM_US);
    return err;
}

static enum err think(struct loop *loop, int64_t began_us, struct reason *reason)
{
    enum err err = api_turn(loop->api, &loop->effects, reason);
    if (err != ERR_NONE) {
        return err;
    }
    for (size_t i = 0; i < loop->events_count; i++) {
        engine_step(loop->engine, &loop->events[i], &loop->effects);
    }
    /* What the API asks for is stepped as it comes, without being an event of the loop's. */
    if (loop->events_count > 0 || loop->effects.count > 0) {
        fault_pass(FAULT_AFTER_EVENT);
    }
    err = make_parts(loop, began_us, reason);
    if (err != ERR_NONE) {
        return err;
    }
    size_t before = loop->effects.count;
    step(loop, EVENT_TICK);
    err = answer_questions(loop, before, reason);
    if (err != ERR_NONE) {
        return err;
    }
    step(loop, EVENT_DISPATCH);
    for (size_t i = 0; i < loop->effects.count; i++) {
        if (loop->effects.list[i].kind == EFFECT_REPLY) {
            /* The idempotency row refers to rows of this turn. */
            err = store_apply(loop->store, &loop->effects, reason);
            err = err != ERR_NONE ? err : api_reply(loop->api, &loop->effects.list[i], reason);
            if (err != ERR_NONE) {
                return err;
            }
        }
    }
    return store_apply(loop->store, &loop->effects, reason);
}

/* Read inside the transaction: there it costs no lock. */
static enum err read_bodies(struct loop *loop, const struct release_body **ret_bodies,
                            struct reason *reason)
{
    size_t count = 0;
    for (size_t i = 0; i < loop->effects.count; i++) {
        count += loop->effects.list[i].kind == EFFECT_ASSIGN;
    }
    struct release_body *bodies = arena_array(&loop->arena, count, sizeof *bodies);
    count = 0;
    for (size_t i = 0; i < loop->effects.count; i++) {
        const struct effect *effect = &loop->effects.list[i];
        if (effect->kind == EFFECT_ASSIGN) {
            enum err err = store_task_body(loop->store, effect->assign.task_id, &loop->arena,
                                           &bodies[count].name, &bodies[count].body);
            if (err != ERR_NONE) {
                return reason_set(reason, err, "the body of a task cannot be read");
            }
            count++;
        }
    }
    *ret_bodies = bodies;
    return ERR_NONE;
}

static void end(struct loop *loop)
{
    for (size_t i = 0; i < loop->effects.count; i++) {
        if (loop->effects.list[i].kind == EFFECT_PLAN_DONE) {
            api_plan_done(loop->api, loop->effects.list[i].plan);
        }
    }
    engine_turn_end(loop->engine);
    effects_clear(&loop->effects);
}

/* By a quarter of the way at a time: one slow turn is often somebody else's. */
static void adapt_slice(struct loop *loop, int64_t work_us)
{
    if (!engine_slice_is_used_up(loop->engine)) {
        return;
    }
    int64_t fits = loop->slice * (int64_t)SLICE_AIM_US / (work_us > 0 ? work_us : 1);
    fits = fits < ENGINE_SLICE ? fits : ENGINE_SLICE;
    int64_t slice = (3 * (int64_t)loop->slice + fits) / 4;
    loop->slice = (uint32_t)(slice > SLICE_MIN ? slice : SLICE_MIN);
}

enum err turn_run(struct loop *loop, struct reason *reason)
{
    int64_t began_us = clock_boot_us();
    loop->in_turn = true;
    loop->woken = false;
    const struct release_body *bodies = NULL;
    enum err err = store_begin(loop->store, reason);
    err = err != ERR_NONE ? err : think(loop, began_us, reason);
    err = err != ERR_NONE ? err : retain(loop, reason);
    err = err != ERR_NONE ? err : read_bodies(loop, &bodies, reason);
    if (err != ERR_NONE) {
        return err;
    }
    fault_pass(FAULT_BEFORE_COMMIT);
    int64_t commit_us = clock_boot_us();
    err = store_commit(loop->store, reason);
    if (err != ERR_NONE) {
        return err;
    }
    fault_pass(FAULT_AFTER_COMMIT);
    int64_t committed_us = clock_boot_us();
    api_histogram_add(&loop->metrics.commit, committed_us - commit_us);
    release_effects(loop, bodies);
    api_committed(loop->api, &loop->effects);
    fault_pass(FAULT_AFTER_SEND);
    end(loop);
    loop->events_count = 0;
    arena_clear(&loop->arena);
    loop->in_turn = false;
    loop->metrics.turns_total++;
    int64_t turn_us = clock_boot_us() - began_us;
    int64_t work_us = turn_us - (committed_us - commit_us);
    api_histogram_add(&loop->metrics.turn, turn_us);
    adapt_slice(loop, work_us);
    if (work_us > (int64_t)loop->metrics.turn_work_max_us) {
        loop->metrics.turn_work_max_us = (uint64_t)work_us;
    }
    return ERR_NONE;
}
