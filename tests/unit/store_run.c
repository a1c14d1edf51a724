/* A small run of the real engine over a store: one agent that takes what it is given, fails some of it
   and puts out much, and a comparison of memory with the store after every commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/unit/store_world.h"

enum { CHANNEL = 5, RUN_TURNS_MAX = 4000 };

struct run {
    struct store_world *world;
    struct engine *engine;
    struct moment now;
    struct plan plan;
    uint64_t assigned[64]; /* what the agent holds, first in first out */
    uint32_t numbers[64];
    size_t held;
    int64_t approvals[64]; /* holds that wait for somebody */
    size_t approvals_count;
    unsigned evaluated;
    bool done;
};

static uint16_t task_flags(uint32_t i)
{
    int flags = (i % 8 == 3 ? TASK_GATE : 0) | (i % 5 == 1 ? TASK_JOIN_ANY : 0) |
                (i % 10 == 6 ? TASK_ALLOW_FAILURE : 0);
    return (uint16_t)flags;
}

static void make_plan(struct run *run, uint32_t tasks, struct arena *arena)
{
    static const struct plan_limit limits[] = { { { "licence", 7 }, 2 } };
    static const struct plan_limit_use uses[] = { { 0, 1 } };
    static const struct plan_class classes[] = {
        { .executor = EXECUTOR_NOOP },
        { .selector = { "os=linux", 8 },
          .executor = EXECUTOR_RUN,
          .strategy = STRATEGY_PACK,
          .limits = uses,
          .limits_count = 1 },
    };
    static const struct plan_policy policies[] = {
        { .max_attempts = 3,
          .max_lost = 3,
          .backoff_base_ms = 50,
          .backoff_max_ms = 500,
          .backoff_factor_permille = 2000,
          .kill_grace_ms = 1000,
          .output_bytes_max = 1024 * 1024,
          .retry_on = RETRY_ON_ALL },
    };
    struct plan_task *list = arena_array(arena, tasks, sizeof list[0]);
    struct plan_edge *edges = arena_array(arena, tasks, sizeof edges[0]);
    for (uint32_t i = 0; i < tasks; i++) {
        char key[32];
        int length = snprintf(key, sizeof key, "t%u", i);
        list[i] =
            (struct plan_task){ .key = { arena_copy(arena, key, (size_t)length), (size_t)length },
                                .body = STR("body"),
                                .class_index = i % 2,
                                .priority = (int32_t)(i % 3),
                                .flags = task_flags(i),
                                .hold = i % 9 == 4 ? STR("somebody looks at it") : STR("") };
        if (i > 0) {
            edges[i - 1] =
                (struct plan_edge){ .from = (i - 1) / 3,
                                    .to = i,
                                    .when = i % 4 == 2 ? EDGE_WHEN_ALWAYS : EDGE_WHEN_SUCCESS,
                                    .named = i % 2 == 0,
                                    .required = i % 5 == 0 };
        }
        if (i % 6 == 5) {
            edges[i - 1].condition = STR("attempt > ?1");
            edges[i - 1].arguments = STR("[0]");
        }
    }
    run->plan = (struct plan){ .name = STR("run"),
                               .source = STR("source"),
                               .classes = classes,
                               .classes_count = 2,
                               .policies = policies,
                               .policies_count = 1,
                               .tasks = list,
                               .tasks_count = tasks,
                               .edges = edges,
                               .edges_count = tasks - 1,
                               .limits = limits,
                               .limits_count = 1,
                               .deadline_ms = 3600000,
                               .fail_fast = true };
}

static void step_message(struct run *run, const struct msg *msg)
{
    struct event event = { .kind = EVENT_MESSAGE, .now = run->now };
    event.message.channel = CHANNEL;
    event.message.msg = msg;
    engine_step(run->engine, &event, &run->world->effects);
}

static void step(struct run *run, enum event_kind kind)
{
    struct event event = { .kind = kind, .now = run->now };
    engine_step(run->engine, &event, &run->world->effects);
}

static void say_hello(struct run *run)
{
    static const struct str executors[] = { { "noop", 4 }, { "run", 3 } };
    static const struct msg_pair labels[] = { { { "os", 2 }, { "linux", 5 } } };
    struct msg msg = { .kind = MSG_HELLO };
    msg.hello.device = STR("desk");
    msg.hello.agent_version = STR("0.1.0");
    msg.hello.boot_id = STR("boot");
    msg.hello.journal_id = STR("journal");
    msg.hello.process_id = 9;
    msg.hello.profile = (struct msg_profile){ .os = STR("linux"),
                                              .arch = STR("x86_64"),
                                              .hostname = STR("host"),
                                              .cpus = 2,
                                              .slots = 3,
                                              .executors = executors,
                                              .executors_count = 2,
                                              .labels = labels,
                                              .labels_count = 1 };
    step_message(run, &msg);
}

/* The agent ends the attempt that it has held longest: every fifth fails, every third puts out. */
static void agent_works(struct run *run)
{
    if (run->held == 0) {
        return;
    }
    static const char bytes[9000] = "output";
    uint64_t fence = run->assigned[0];
    uint32_t number = run->numbers[0];
    run->held--;
    memmove(run->assigned, run->assigned + 1, run->held * sizeof run->assigned[0]);
    memmove(run->numbers, run->numbers + 1, run->held * sizeof run->numbers[0]);
    struct msg started = { .kind = MSG_STARTED };
    started.started.fence = fence;
    started.started.wall_ms = run->now.wall_ms;
    step_message(run, &started);
    uint64_t length = 0;
    for (int i = 0; fence % 3 == 0 && i < 3; i++) {
        struct msg output = { .kind = MSG_OUTPUT };
        output.output.fence = fence;
        output.output.stream = STREAM_STDOUT;
        output.output.offset = length;
        output.output.data = (struct str){ bytes, sizeof bytes };
        length += sizeof bytes;
        step_message(run, &output);
    }
    struct msg finished = { .kind = MSG_FINISHED };
    bool fails = fence % 5 == 0 && number < 3;
    finished.finished.fence = fence;
    finished.finished.outcome = OUTCOME_EXITED;
    finished.finished.exit_code = fails ? 2 : 0;
    finished.finished.reason = fails ? STR("exit code 2") : STR("");
    finished.finished.started_wall_ms = run->now.wall_ms;
    finished.finished.duration_ms = 1;
    finished.finished.stdout_bytes = length;
    step_message(run, &finished);
}

/* Conditions as their numbers have it: some open, some close, some cannot be evaluated. */
static void evaluate(struct run *run, size_t from)
{
    struct store_world *world = run->world;
    for (size_t i = from; i < world->effects.count; i++) {
        if (world->effects.list[i].kind != EFFECT_EVALUATE) {
            continue;
        }
        int64_t edge_id = world->effects.list[i].evaluate.edge_id;
        struct event event = { .kind = EVENT_EVALUATED, .now = run->now };
        struct str condition;
        struct str arguments;
        world_apply(world);
        assert_int_equal(store_edge_condition(world->store, edge_id, &world->effects.arena,
                                              &condition, &arguments),
                         ERR_NONE);
        assert_true(str_is(condition, "attempt > ?1"));
        event.evaluated.constellation_id = world->effects.list[i].evaluate.constellation_id;
        event.evaluated.edge_id = edge_id;
        event.evaluated.opens = edge_id % 3 != 0;
        event.evaluated.reason = edge_id % 4 == 0 ? STR("it is too long") : STR("");
        engine_step(run->engine, &event, &world->effects);
        run->evaluated++;
    }
}

static void place_hold(struct run *run, enum hold_scope scope, int64_t task_id, int64_t length_ms)
{
    struct event event = { .kind = EVENT_HOLD, .now = run->now };
    event.hold.constellation_id = 1;
    event.hold.scope = scope;
    event.hold.origin = scope == HOLD_ALL ? HOLD_PAUSE : HOLD_BY_REQUEST;
    event.hold.on_expiry = HOLD_EXPIRY_RELEASE;
    event.hold.length_ms = length_ms;
    event.hold.task_ids = &task_id;
    event.hold.task_ids_count = scope == HOLD_ALL ? 0 : 1;
    event.hold.owner = STR("planner");
    event.hold.reason = STR("thinking");
    engine_step(run->engine, &event, &run->world->effects);
}

static void release(struct run *run, int64_t hold_id)
{
    struct event event = { .kind = EVENT_RELEASE, .now = run->now };
    event.release.constellation_id = 1;
    event.release.hold_id = hold_id;
    event.release.approved = true;
    event.release.actor = STR("ada");
    engine_step(run->engine, &event, &run->world->effects);
}

/* What people do: an approval every other turn, holds that expire and a pause that is ended. */
static void people_act(struct run *run)
{
    unsigned turns = run->world->turns;
    if (turns % 2 == 0 && run->approvals_count > 0) {
        release(run, run->approvals[--run->approvals_count]);
    }
    if (turns == 4) {
        place_hold(run, HOLD_DESCENDANTS, 3, 700);
    } else if (turns == 5) {
        place_hold(run, HOLD_TASKS, 2, 300);
    } else if (turns == 8) {
        place_hold(run, HOLD_ALL, 0, 0);
    } else if (turns == 12) {
        release(run, 0);
    }
}

static void take_outbound(struct run *run)
{
    const struct effects *effects = &run->world->effects;
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_ASSIGN) {
            assert_true(run->held < 64);
            run->assigned[run->held] = effect->assign.fence;
            run->numbers[run->held++] = effect->assign.attempt;
        } else if (effect->kind == EFFECT_SEND && effect->send.msg->kind == MSG_WELCOME) {
            struct msg ready = { .kind = MSG_READY };
            ready.ready.session = effect->send.msg->welcome.session;
            step_message(run, &ready);
        } else if (effect->kind == EFFECT_ADD_HOLD &&
                   effect->hold.record->origin == HOLD_APPROVAL) {
            assert_true(run->approvals_count < 64);
            run->approvals[run->approvals_count++] = effect->hold.record->id;
        } else if (effect->kind == EFFECT_HISTORY &&
                   effect->history.kind == HISTORY_CONSTELLATION_FINISHED) {
            assert_int_equal(effect->history.state, CONSTELLATION_SUCCEEDED);
            run->world->finished++;
        }
    }
}

static void compare(struct run *run)
{
    struct buf memory = { 0 };
    struct buf stored = { 0 };
    engine_dump(run->engine, &memory);
    world_dump(run->world, &stored);
    assert_string_equal(buf_text(&memory), buf_text(&stored));
    buf_done(&memory);
    buf_done(&stored);
}

static void turn(struct run *run)
{
    struct store_world *world = run->world;
    run->now.boot_ms += 100;
    run->now.wall_ms += 100;
    size_t before = world->effects.count;
    step(run, EVENT_TICK);
    evaluate(run, before);
    step(run, EVENT_DISPATCH);
    world_apply(world);
    take_outbound(run);
    world_commit(world);
    engine_turn_end(run->engine);
    compare(run);
    world->turns++;
}

void world_run_constellation(struct store_world *world, uint32_t tasks)
{
    struct arena arena = { 0 };
    struct engine_config config = { .epoch = world->start.epoch,
                                    .seed = 1,
                                    .lease_ms = 3600000,
                                    .ping_ms = 20000,
                                    .lost_after_ms = 3600000,
                                    .next_constellation_id = world->start.next_constellation_id,
                                    .next_task_id = world->start.next_task_id,
                                    .next_edge_id = world->start.next_edge_id,
                                    .next_hold_id = world->start.next_hold_id };
    struct run run = { .world = world,
                       .engine = engine_new(&config),
                       .now = { .boot_ms = 1000, .wall_ms = 1000 } };
    assert_int_equal(engine_load_end(run.engine, run.now, NULL), ERR_NONE);
    make_plan(&run, tasks, &arena);
    say_hello(&run);
    turn(&run);
    struct event submit = { .kind = EVENT_SUBMIT, .now = run.now };
    submit.submit.plan = &run.plan;
    submit.submit.uid = STR("run-abcd");
    submit.submit.actor = STR("test");
    engine_step(run.engine, &submit, &world->effects);
    while (world->finished == 0 && world->turns < RUN_TURNS_MAX) {
        turn(&run);
        agent_works(&run);
        people_act(&run);
    }
    assert_true(run.evaluated > 0);
    world_commit(world);
    engine_free(run.engine);
    arena_done(&arena);
}
