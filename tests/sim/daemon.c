#include "tests/sim/daemon.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "orchestrator/answer.h"
#include "tests/sim/world.h"

static void turn_due(struct world *world, uint64_t a, uint64_t b);

static void plan_turn(struct world *world, int64_t at_ms)
{
    struct daemon *daemon = &world->daemon;
    if (at_ms < daemon->turn_ms) {
        daemon->turn_ms = at_ms;
        world_after(world, at_ms - world->now_ms, turn_due, daemon->lives, 0);
    }
}

void daemon_arrived(struct world *world)
{
    plan_turn(world, world->now_ms + between(world, 0, 3));
}

struct moment daemon_now(const struct world *world)
{
    return (struct moment){ world->now_ms - world->daemon.boot_base_ms,
                            WORLD_WALL_MS + world->now_ms + world->daemon.wall_ms };
}

void daemon_init(struct world *world)
{
    struct daemon *daemon = &world->daemon;
    struct reason reason = { "" };
    world->conditions = condition_engine_new(&reason);
    CHECK(world->conditions != NULL);
    daemon->turn_ms = INT64_MAX;
    daemon->boot_base_ms = world->now_ms - between(world, 1000, 100000);
    if (!world->options.real_store) {
        daemon->disk = store_disk_new();
        return;
    }
    const char *parent = getenv("TMPDIR");
    daemon->data_dir = mem_format("%s/asterism-sim-XXXXXX", parent == NULL ? P_tmpdir : parent);
    if (mkdtemp(daemon->data_dir) == NULL) {
        perror(daemon->data_dir);
        exit(2);
    }
}

/* --- Lives --- */

static enum err open_store(struct world *world, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    struct store_seed seed = { .wall_ms = daemon_now(world).wall_ms };
    for (size_t i = 0; i < sizeof seed.random; i++) {
        seed.random[i] = (uint8_t)chance(world, 256);
    }
    return daemon->disk != NULL
               ? store_memory_open(daemon->disk, &seed, &daemon->store, &daemon->start, reason)
               : store_sqlite_open(daemon->data_dir, &seed, &daemon->store, &daemon->start, reason);
}

void daemon_start(struct world *world)
{
    struct daemon *daemon = &world->daemon;
    struct reason reason = { "" };
    if (open_store(world, &reason) != ERR_NONE) {
        promise_broken(world, "P5", "the database cannot be opened again: %s", reason.text);
        return;
    }
    struct engine_config config = {
        .epoch = daemon->start.epoch,
        .seed = rng_next(&world->rng),
        .lease_ms = world->lease_ms,
        .ping_ms = world->ping_ms,
        .lost_after_ms = world->lost_after_ms,
        .next_constellation_id = daemon->start.next_constellation_id,
        .next_task_id = daemon->start.next_task_id,
        .next_edge_id = daemon->start.next_edge_id,
        .next_hold_id = daemon->start.next_hold_id,
    };
    daemon->engine = engine_new(&config);
    daemon->up = true;
    daemon->lives++;
    daemon->started_ms = world->now_ms;
    daemon->stalled_until_ms = 0;
    TRACE(world, "the daemon starts: epoch %", config.epoch);
    if (store_load(daemon->store, daemon->engine, &reason) != ERR_NONE ||
        engine_load_end(daemon->engine, daemon_now(world), &reason) != ERR_NONE) {
        promise_broken(world, "P10", "the database cannot be loaded: %s", reason.text);
        return;
    }
    if (world->options.sabotage == SABOTAGE_FORGET_HOLD) {
        promise_forget_holds(world);
    }
    promise_daemon_started(world);
    promise_check_engine(world);
    plan_turn(world, world->now_ms);
}

static void start_again(struct world *world, uint64_t a, uint64_t b)
{
    (void)b;
    if (!world->daemon.up && world->daemon.lives == a) {
        daemon_start(world);
    }
}

static void life_end(struct daemon *daemon)
{
    daemon->up = false;
    engine_free(daemon->engine);
    store_free(daemon->store);
    daemon->engine = NULL;
    daemon->store = NULL;
    effects_done(&daemon->effects);
    daemon->effects = (struct effects){ 0 };
    turn_log_clear(&daemon->log);
    arena_clear(&daemon->arena);
    inbox_clear(&daemon->inbox);
    daemon->turn_ms = INT64_MAX;
    daemon->wakes_count = 0;
    daemon_bulk_forget(daemon);
}

void daemon_kill(struct world *world, bool power, int64_t down_ms)
{
    struct daemon *daemon = &world->daemon;
    TRACE(world, "the daemon $", TRACE_TEXT(power ? "loses its power" : "is killed"));
    life_end(daemon);
    for (size_t i = 0; i < world->net.count; i++) {
        net_side_died(world, world->net.links[i], SIDE_DAEMON);
    }
    for (size_t i = 0; i < world->plans.count; i++) {
        struct sim_plan *plan = world->plans.list[i];
        if (plan->is_submitted && !plan->is_answered) {
            plan->is_submitted = false;
            count_path(world, COUNT_SUBMIT_LOST);
        }
    }
    for (size_t i = 0; i < world->wishes.count; i++) {
        struct wish *wish = world->wishes.list[i];
        count_path_if(world, COUNT_WISH_LOST, wish->is_sent && !wish->is_answered);
        wish->is_sent = false;
    }
    if (power) {
        daemon->boot_base_ms = world->now_ms - between(world, 0, 30000);
    }
    world_after(world, down_ms, start_again, daemon->lives, 0);
}

void daemon_done(struct world *world)
{
    struct daemon *daemon = &world->daemon;
    life_end(daemon);
    condition_engine_free(world->conditions);
    turn_log_done(&daemon->log);
    arena_done(&daemon->arena);
    arena_done(&daemon->kept_arena);
    buf_done(&daemon->wire);
    store_disk_free(daemon->disk);
    if (daemon->data_dir != NULL) {
        char *command = mem_format("rm -rf '%s'", daemon->data_dir);
        CHECK(system(command) == 0);
        mem_free(command);
        mem_free(daemon->data_dir);
    }
}

void daemon_submit(struct world *world, struct sim_plan *plan)
{
    plan->is_submitted = true;
    inbox_add(&world->daemon.inbox, ARRIVAL_SUBMIT, 0)->number = plan->index;
    daemon_arrived(world);
}

void daemon_cancel(struct world *world, int64_t constellation_id)
{
    promise_cancel_asked(world, constellation_id);
    inbox_add(&world->daemon.inbox, ARRIVAL_CANCEL, 0)->number = (uint64_t)constellation_id;
    daemon_arrived(world);
}

/* --- A turn --- */

static void step(struct world *world, const struct event *event)
{
    engine_step(world->daemon.engine, event, &world->daemon.effects);
}

/* ERR_INVALID of a task that has been refused its inputs is not the daemon's. */
static enum err answer(struct world *world, struct answering *answering, size_t at,
                       struct event *event, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    const struct effect *effect = &daemon->effects.list[at];
    bool is_condition = effect->kind == EFFECT_EVALUATE;
    if (!is_condition && fault_strikes(world, FAULT_PREPARE_FAILED)) {
        *event = (struct event){ .kind = EVENT_PREPARED };
        event->prepared.constellation_id = effect->prepare.constellation_id;
        event->prepared.task_id = effect->prepare.task_id;
        event->prepared.err = ERR_INVALID;
        event->prepared.reason = STR("as the simulator wished");
    } else {
        enum err err = answer_question(answering, &daemon->effects, at, event, reason);
        if (err != ERR_NONE) {
            return err;
        }
    }
    if (is_condition && !event->evaluated.put_off) {
        event->evaluated.opens ^= world->options.sabotage == SABOTAGE_WRONG_CONDITION;
        turn_log_evaluated(&daemon->log, event);
    } else if (!is_condition && event->prepared.err == ERR_INVALID) {
        turn_log_refused(&daemon->log, event->prepared.task_id);
    }
    return ERR_NONE;
}

static enum err answer_questions(struct world *world, size_t from, struct reason *reason)
{
    enum { LAZY_WORK = 2000 }; /* a question or two a turn */
    struct daemon *daemon = &world->daemon;
    struct answering answering = {
        .store = daemon->store,
        .conditions = world->conditions,
        .arena = &daemon->arena,
        .work_max = world->options.seed % 3 == 0 ? LAZY_WORK : 0,
    };
    for (size_t i = from; i < daemon->effects.count; i++) {
        enum effect_kind kind = daemon->effects.list[i].kind;
        if (kind != EFFECT_PREPARE && kind != EFFECT_EVALUATE) {
            continue;
        }
        struct event event;
        enum err err = answer(world, &answering, i, &event, reason);
        if (err != ERR_NONE) {
            return err;
        }
        event.now = daemon_now(world);
        step(world, &event);
    }
    return ERR_NONE;
}

static void sabotage_rows(struct world *world)
{
    struct daemon *daemon = &world->daemon;
    for (size_t i = daemon->effects.applied; i < daemon->effects.count; i++) {
        struct effect *effect = &daemon->effects.list[i];
        if (effect->kind == EFFECT_RESULT && daemon->kept.result.fence == 0) {
            daemon->kept = *effect;
            daemon->kept.result.reason = arena_str(&daemon->kept_arena, effect->result.reason);
            daemon->kept.result.result = arena_str(&daemon->kept_arena, effect->result.result);
        }
    }
    if (world->options.sabotage == SABOTAGE_COMMIT_TWICE && daemon->kept.result.fence != 0 &&
        percent(world, 2)) {
        effects_add(&daemon->effects, EFFECT_RESULT)->result = daemon->kept.result;
    }
}

/* The checker has seen them; the store does not. */
static void sabotage_store(struct world *world)
{
    struct effects *effects = &world->daemon.effects;
    for (size_t i = effects->applied; i < effects->count; i++) {
        if (world->options.sabotage == SABOTAGE_LOSE_ROW &&
            effects->list[i].kind == EFFECT_SAVE_EDGE) {
            effects->list[i].kind = EFFECT_PREPARE;
        }
    }
}

static enum err think(struct world *world, const struct events *events, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < events->count && err == ERR_NONE; i++) {
        if (events->list[i].wish != NULL) {
            err = daemon_wish(world, events->list[i].wish, reason);
        } else {
            step(world, &events->list[i].event);
        }
    }
    err = err != ERR_NONE ? err : daemon_bulk_turn(world, reason);
    if (err != ERR_NONE) {
        return err;
    }
    size_t before = daemon->effects.count;
    step(world, &(struct event){ .kind = EVENT_TICK, .now = daemon_now(world) });
    err = answer_questions(world, before, reason);
    if (err != ERR_NONE) {
        return err;
    }
    step(world, &(struct event){ .kind = EVENT_DISPATCH, .now = daemon_now(world) });
    if (world->options.sabotage != SABOTAGE_NONE) {
        sabotage_rows(world);
    }
    turn_log_cut(&daemon->log, NULL, &daemon->effects, &daemon->arena);
    sabotage_store(world);
    return store_apply(daemon->store, &daemon->effects, reason);
}

static enum err read_bodies(struct world *world, struct release_body **ret_bodies)
{
    struct daemon *daemon = &world->daemon;
    struct release_body *bodies =
        arena_array(&daemon->arena, daemon->effects.count + 1, sizeof *bodies);
    enum err err = ERR_NONE;
    size_t count = 0;
    for (size_t i = 0; i < daemon->effects.count && err == ERR_NONE; i++) {
        if (daemon->effects.list[i].kind == EFFECT_ASSIGN) {
            err = store_task_body(daemon->store, daemon->effects.list[i].assign.task_id,
                                  &daemon->arena, &bodies[count].name, &bodies[count].body);
            count++;
        }
    }
    *ret_bodies = bodies;
    return err;
}

static int64_t restart_ms(struct world *world)
{
    return between(world, 0, 2000);
}

/* False: the daemon died, or a promise is broken. */
static bool turn_commit(struct world *world, const struct events *events,
                        struct release_body **ret_bodies)
{
    struct daemon *daemon = &world->daemon;
    struct reason reason = { "" };
    enum err err = store_begin(daemon->store, &reason);
    err = err != ERR_NONE ? err : think(world, events, &reason);
    err = err != ERR_NONE ? err : read_bodies(world, ret_bodies);
    if (err != ERR_NONE) {
        promise_broken(world, "P10", "the store refuses a turn: %s", reason.text);
        return false;
    }
    bool is_large = daemon_bulk_is_under_way(world);
    if (fault_strikes(world, FAULT_BEFORE_COMMIT) || fault_strikes(world, FAULT_COMMIT_FAILED) ||
        (is_large && fault_strikes(world, FAULT_IN_LARGE_EDIT))) {
        daemon_kill(world, false, restart_ms(world));
        return false;
    }
    if (world->options.sabotage == SABOTAGE_SEND_EARLY && !daemon_release(world, *ret_bodies)) {
        return false;
    }
    if (store_commit(daemon->store, &reason) != ERR_NONE) {
        promise_broken(world, "P5", "the store refuses a commit: %s", reason.text);
        return false;
    }
    promise_committed(world, &daemon->log);
    if (fault_strikes(world, FAULT_AFTER_COMMIT) ||
        (is_large && fault_strikes(world, FAULT_IN_LARGE_EDIT))) {
        daemon_kill(world, false, restart_ms(world));
        return false;
    }
    return true;
}

static void check(struct world *world)
{
    struct daemon *daemon = &world->daemon;
    daemon->turns++;
    if (daemon->turns % world->check_every == 0) {
        promise_check_engine(world);
        promise_check_timeouts(world);
    }
    if (daemon->turns % 50 == 0) {
        promise_check_reasons(world);
    }
    if (daemon->turns % 120 == 0 || world->options.sabotage == SABOTAGE_LOSE_ROW) {
        promise_check_store(world);
    }
}

static void plan_next(struct world *world)
{
    struct daemon *daemon = &world->daemon;
    int64_t deadline_ms = engine_next_deadline(daemon->engine);
    int64_t sync_ms = store_sync_deadline(daemon->store);
    deadline_ms = sync_ms < deadline_ms ? sync_ms : deadline_ms;
    if (daemon->inbox.count > 0 || daemon_bulk_is_due(daemon) ||
        deadline_ms <= daemon_now(world).boot_ms) {
        plan_turn(world, world->now_ms + between(world, 0, 2));
    } else if (deadline_ms != INT64_MAX) {
        plan_turn(world, deadline_ms + daemon->boot_base_ms);
    }
}

static void turn(struct world *world)
{
    struct daemon *daemon = &world->daemon;
    struct events events = { 0 };
    struct release_body *bodies = NULL;
    daemon_hear(world, &events);
    bool alive = turn_commit(world, &events, &bodies);
    mem_free(events.list);
    if (!alive || world->broken ||
        (world->options.sabotage != SABOTAGE_SEND_EARLY && !daemon_release(world, bodies))) {
        return;
    }
    engine_turn_end(daemon->engine);
    effects_clear(&daemon->effects);
    turn_log_clear(&daemon->log);
    arena_clear(&daemon->arena);
    if (store_sync_deadline(daemon->store) <= daemon_now(world).boot_ms) {
        daemon_release_output_acks(world);
    }
    check(world);
    plan_next(world);
}

static void turn_due(struct world *world, uint64_t a, uint64_t b)
{
    struct daemon *daemon = &world->daemon;
    (void)b;
    if (!daemon->up || daemon->lives != a || daemon->turn_ms != world->now_ms) {
        return;
    }
    daemon->turn_ms = INT64_MAX;
    if (world->now_ms < daemon->stalled_until_ms) {
        plan_turn(world, daemon->stalled_until_ms);
        return;
    }
    turn(world);
}
