/* The daemon's shell around an edit of many operations: begun in a turn, checked on another engine between
   turns, written in pieces, admitted, and made part by part. Parts here are a few rows each, so that the
   batches of a simulator, which are small, have several. */
#include "common/base/mem.h"
#include "orchestrator/engine/bulk_split.h"
#include "orchestrator/parts.h"
#include "orchestrator/store/part_pack.h"
#include "tests/sim/world.h"

enum flight_stage {
    FLIGHT_BEGUN,   /* it is being checked */
    FLIGHT_REFUSED, /* the engine has to be told */
    FLIGHT_GOOD,    /* its pieces are being written */
};

/* What the process knows of one that is not admitted: it dies with it. */
struct flight {
    struct wish *wish;
    enum flight_stage stage;
    int64_t id;
    bool is_held; /* else it had ended when it was begun */
    bool is_told; /* the loop knows what came of the check */
    struct buf bytes;
    size_t *ends; /* of its parts */
    struct event admission;
    uint32_t written;
    struct flight *next;
};

static void flight_free(struct flight *flight)
{
    buf_done(&flight->bytes);
    mem_free(flight->ends);
    mem_free(flight);
}

static void flight_remove(struct daemon *daemon, struct flight *flight)
{
    struct flight **at = &daemon->flights;
    while (*at != flight) {
        at = &(*at)->next;
    }
    *at = flight->next;
    flight_free(flight);
}

void daemon_bulk_forget(struct daemon *daemon)
{
    while (daemon->flights != NULL) {
        flight_remove(daemon, daemon->flights);
    }
}

static struct flight *flight_of(const struct daemon *daemon, int64_t id)
{
    struct flight *flight = daemon->flights;
    while (flight != NULL && flight->id != id) {
        flight = flight->next;
    }
    return flight;
}

bool daemon_bulk_is_due(const struct daemon *daemon)
{
    for (const struct flight *flight = daemon->flights; flight != NULL; flight = flight->next) {
        if (flight->is_told) {
            return true;
        }
    }
    return false;
}

bool daemon_bulk_is_under_way(const struct world *world)
{
    struct part_wanted wanted;
    return world->daemon.flights != NULL || engine_wants_part(world->daemon.engine, &wanted);
}

/* Steps it, and ends its segment. */
static enum err step(struct world *world, struct wish *wish, enum bulk_step kind,
                     struct event *event, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    turn_log_cut(&daemon->log, NULL, &daemon->effects, &daemon->arena);
    event->now = daemon_now(world);
    engine_step(daemon->engine, event, &daemon->effects);
    struct segment *segment = turn_log_cut(&daemon->log, wish, &daemon->effects, &daemon->arena);
    if (segment != NULL) {
        segment->step = kind;
    }
    return store_apply(daemon->store, &daemon->effects, reason);
}

/* --- The check, in a thread of the daemon's: between two turns here --- */

/* All that the store has, and the constellation, if it has ended. */
static struct engine *load(struct world *world, const struct flight *flight)
{
    struct daemon *daemon = &world->daemon;
    struct engine_config config = engine_config(daemon->engine);
    struct store_wake wake = { .constellation_id = flight->wish->constellation_id };
    struct reason reason = { "" };
    size_t budget = SIZE_MAX;
    config.edit_rows_max = UINT32_MAX;
    config.ignored_hold_id = flight->id;
    struct engine *engine = engine_new(&config);
    enum err err = store_load(daemon->store, engine, &reason);
    err = err != ERR_NONE ? err : engine_load_end(engine, daemon_now(world), &reason);
    if (err == ERR_NONE && engine_constellation(engine, wake.constellation_id) == NULL) {
        err = store_begin(daemon->store, &reason); /* nothing is written in it */
        err = err != ERR_NONE ? err : store_wake(daemon->store, engine, &wake, &budget, &reason);
        err = err != ERR_NONE
                  ? err
                  : engine_load_revived(engine, wake.constellation_id, daemon_now(world), &reason);
        err = err != ERR_NONE ? err : store_commit(daemon->store, &reason);
    }
    if (err != ERR_NONE) {
        promise_broken(world, "P10", "an edit cannot be checked: %s", reason.text);
    }
    return engine;
}

static void pack(struct world *world, struct flight *flight, const struct engine *engine,
                 const struct edit *edit)
{
    const struct constellation_record *record =
        engine_constellation(engine, edit->constellation_id);
    struct arena arena = { 0 };
    struct bulk_split split;
    bulk_split(engine, edit, edit->orders, 1 + (size_t)chance(world, 12), &arena, &split);
    flight->ends = mem_array(split.count, sizeof flight->ends[0]);
    for (size_t i = 0; i < split.count; i++) {
        part_pack(&split.parts[i], flight->id, &flight->bytes);
        flight->ends[i] = flight->bytes.length;
    }
    struct event *event = &flight->admission;
    event->kind = EVENT_BULK_ADMIT;
    event->bulk_admit.request = WISH_REQUESTS + flight->wish->index;
    event->bulk_admit.constellation_id = edit->constellation_id;
    event->bulk_admit.bulk_id = flight->id;
    event->bulk_admit.parts = (uint32_t)split.count;
    event->bulk_admit.tasks_added = (uint32_t)edit->tasks_added;
    event->bulk_admit.classes = split.classes;
    event->bulk_admit.policies = split.policies;
    event->bulk_admit.operations = (uint32_t)edit->operations_count;
    event->bulk_admit.revision = record->revision;
    event->bulk_admit.finished_wall_ms = record->finished_wall_ms;
    event->bulk_admit.edit = &flight->wish->edit;
    event->bulk_admit.actor = edit->author;
    flight->stage = FLIGHT_GOOD;
    arena_done(&arena);
}

static void check(struct world *world, struct flight *flight)
{
    struct effects effects = { 0 };
    struct edit tried = flight->wish->edit;
    flight->stage = FLIGHT_REFUSED;
    if (daemon_has_taken_key(world, flight->wish)) {
        return;
    }
    struct engine *engine = load(world, flight);
    tried.dry_run = true;
    tried.orders = mem_array(tried.operations_count + 1, sizeof tried.orders[0]);
    struct event event = { .kind = EVENT_EDIT, .now = daemon_now(world) };
    event.edit.edit = &tried;
    if (!world->broken) {
        engine_step(engine, &event, &effects);
        const struct effect *reply = &effects.list[effects.count - 1];
        promise_bulk_checked(world, flight->wish, reply->reply.edit);
        if (reply->reply.err == ERR_NONE) {
            pack(world, flight, engine, &tried);
        }
    }
    mem_free(tried.orders);
    effects_done(&effects);
    engine_free(engine);
}

static void told_due(struct world *world, uint64_t lives, uint64_t id)
{
    struct daemon *daemon = &world->daemon;
    struct flight *flight = flight_of(daemon, (int64_t)id);
    if (daemon->up && daemon->lives == lives && flight != NULL) {
        flight->is_told = true;
        daemon_arrived(world);
    }
}

/* By a state of the plan that may be old when the loop hears of it. */
static void check_due(struct world *world, uint64_t lives, uint64_t id)
{
    struct daemon *daemon = &world->daemon;
    struct flight *flight = flight_of(daemon, (int64_t)id);
    if (!daemon->up || daemon->lives != lives || flight == NULL) {
        return;
    }
    TRACE(world, "large edit % is checked", id);
    check(world, flight);
    int64_t id_of_plan = flight->wish->constellation_id;
    if (!world->calm && flight->is_held && percent(world, 2)) {
        daemon_cancel(world, id_of_plan); /* somebody has had enough */
    } else if (!world->calm && !flight->is_held && percent(world, 25)) {
        struct wish *other = edit_make(world, id_of_plan); /* nothing keeps it as it was checked */
        if (other != NULL) {
            wish_send(world, other);
        }
    }
    int64_t most_ms = percent(world, 60) ? 3 : flight->is_held ? 4000 : 12000;
    world_after(world, between(world, 0, most_ms), told_due, lives, id);
}

/* --- In a turn --- */

enum err daemon_bulk_begin(struct world *world, struct wish *wish, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    size_t from = daemon->effects.count;
    struct event event = { .kind = EVENT_BULK_BEGIN };
    event.bulk_begin.request = WISH_REQUESTS + wish->index;
    event.bulk_begin.constellation_id = wish->constellation_id;
    event.bulk_begin.operations = (uint32_t)wish->edit.operations_count;
    event.bulk_begin.actor = STR("sim");
    enum err err = step(world, wish, BULK_STEP_BEGIN, &event, reason);
    const struct effect *reply = NULL;
    for (size_t i = from; i < daemon->effects.count; i++) {
        if (daemon->effects.list[i].kind == EFFECT_REPLY) {
            reply = &daemon->effects.list[i];
        }
    }
    CHECK(reply != NULL);
    if (err == ERR_NONE && reply->reply.err == ERR_NONE) {
        const struct constellation_record *record =
            engine_constellation(daemon->engine, wish->constellation_id);
        struct flight *flight = mem_alloc(sizeof *flight);
        flight->wish = wish;
        flight->id = reply->reply.hold_id;
        flight->is_held = !constellation_state_is_final(record->state);
        flight->next = daemon->flights;
        daemon->flights = flight;
        world_after(world, between(world, 1, percent(world, 80) ? 400 : 6000), check_due,
                    daemon->lives, (uint64_t)flight->id);
    }
    return err;
}

static enum err drop(struct world *world, struct flight *flight, struct reason *reason)
{
    struct event event = { .kind = EVENT_BULK_DROP };
    event.bulk_drop.constellation_id = flight->wish->constellation_id;
    event.bulk_drop.bulk_id = flight->id;
    event.bulk_drop.why = STR("it was refused");
    flight->wish->is_sent = false;
    return flight->is_held ? step(world, flight->wish, BULK_STEP_DROP, &event, reason) : ERR_NONE;
}

/* A piece or some more a turn: what dies with the process in between is gone. */
static enum err write_pieces(struct world *world, struct flight *flight, struct reason *reason)
{
    struct store *store = world->daemon.store;
    uint32_t parts = flight->admission.bulk_admit.parts;
    enum err err = ERR_NONE;
    do {
        size_t begin = flight->written == 0 ? 0 : flight->ends[flight->written - 1];
        struct str piece = { (const char *)flight->bytes.data + begin,
                             flight->ends[flight->written] - begin };
        err = store_put_piece(store, flight->id, PIECE_PART, flight->written++, piece, reason);
    } while (err == ERR_NONE && flight->written < parts && percent(world, 60));
    for (int i = 0; i < 2 && err == ERR_NONE && flight->written == parts; i++) {
        err = store_put_piece(store, flight->id, i == 0 ? PIECE_OPERATIONS : PIECE_INVERSE, 0,
                              STR("[]"), reason);
    }
    return err;
}

static enum err admit(struct world *world, struct flight *flight, bool *ret_waits,
                      struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    int64_t id = flight->wish->constellation_id;
    enum err err = daemon_revive(world, id, ret_waits, reason);
    if (err != ERR_NONE || *ret_waits) {
        return err;
    }
    err = step(world, flight->wish, BULK_STEP_ADMIT, &flight->admission, reason);
    if (err == ERR_NONE && !engine_makes_bulk(daemon->engine, id, flight->id)) {
        err = store_drop_pieces(daemon->store, flight->id, reason);
    }
    return err;
}

static enum err go_on(struct world *world, struct flight *flight, struct reason *reason)
{
    bool waits = false;
    if (!flight->is_told) {
        return ERR_NONE;
    }
    enum err err = ERR_NONE;
    if (flight->stage == FLIGHT_REFUSED) {
        err = drop(world, flight, reason);
    } else if (flight->written < flight->admission.bulk_admit.parts) {
        waits = true;
        err = write_pieces(world, flight, reason);
    } else {
        err = admit(world, flight, &waits, reason);
    }
    if (err == ERR_NONE && !waits) {
        flight_remove(&world->daemon, flight);
    }
    return err;
}

static enum err make_parts(struct world *world, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    struct part_wanted wanted;
    enum err err = ERR_NONE;
    bool made = true;
    do {
        if (!engine_wants_part(daemon->engine, &wanted)) {
            return ERR_NONE;
        }
        turn_log_cut(&daemon->log, NULL, &daemon->effects, &daemon->arena);
        size_t from = daemon->effects.count;
        err = parts_make_one(daemon->store, daemon->engine, &daemon->effects, daemon_now(world),
                             &daemon->arena, &made, reason);
        if (world->options.sabotage == SABOTAGE_HALF_BULK) {
            daemon_sabotage_edit(world, from);
        }
        struct segment *segment =
            turn_log_cut(&daemon->log, NULL, &daemon->effects, &daemon->arena);
        CHECK(segment != NULL);
        segment->step = BULK_STEP_PART;
        segment->bulk_id = wanted.bulk_id;
    } while (err == ERR_NONE && made && percent(world, 40));
    return err;
}

enum err daemon_bulk_turn(struct world *world, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    struct flight *next = NULL;
    enum err err = ERR_NONE;
    if (daemon->flights != NULL) { /* one may wake a constellation: the rows so far come before */
        turn_log_cut(&daemon->log, NULL, &daemon->effects, &daemon->arena);
        err = store_apply(daemon->store, &daemon->effects, reason);
    }
    for (struct flight *flight = daemon->flights; flight != NULL && err == ERR_NONE;
         flight = next) {
        next = flight->next;
        err = go_on(world, flight, reason);
    }
    if (err == ERR_NONE && daemon_bulk_is_under_way(world)) {
        turn_log_cut(&daemon->log, NULL, &daemon->effects, &daemon->arena);
        err = store_apply(daemon->store, &daemon->effects, reason);
    }
    return err != ERR_NONE ? err : make_parts(world, reason);
}
