/* The daemon's shell around a wish: it is carried out by itself, between two applications of rows, so
   that it sees all that came before it in the turn, and the checker sees what it has brought about. */
#include "tests/sim/world.h"

static enum err apply(struct world *world, struct reason *reason)
{
    return store_apply(world->daemon.store, &world->daemon.effects, reason);
}

/* NULL: too many are on their way. */
static struct daemon_wake *wake_of(struct daemon *daemon, int64_t id)
{
    for (size_t i = 0; i < daemon->wakes_count; i++) {
        if (daemon->wakes[i].rows.constellation_id == id) {
            return &daemon->wakes[i];
        }
    }
    if (daemon->wakes_count == DAEMON_WAKES_MAX) {
        return NULL;
    }
    struct daemon_wake *wake = &daemon->wakes[daemon->wakes_count++];
    *wake = (struct daemon_wake){ .rows.constellation_id = id, .turn = UINT64_MAX };
    return wake;
}

/* One that has ended comes back to be reopened, some rows a turn. */
enum err daemon_revive(struct world *world, int64_t id, bool *ret_waits, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    *ret_waits = false;
    if (engine_constellation(daemon->engine, id) != NULL) {
        return ERR_NONE;
    }
    struct daemon_wake *wake = wake_of(daemon, id);
    *ret_waits = true;
    if (wake == NULL || wake->turn == daemon->turns) {
        return ERR_NONE;
    }
    size_t rows = 1 + (size_t)chance(world, 24);
    size_t budget = rows <= 12 ? rows : SIZE_MAX;
    enum err err = store_wake(daemon->store, daemon->engine, &wake->rows, &budget, reason);
    wake->turn = daemon->turns;
    if (err == ERR_NONE && !wake->rows.is_whole) {
        count_path(world, COUNT_WOKEN_BY_SLICES);
        return ERR_NONE;
    }
    *ret_waits = false;
    *wake = daemon->wakes[--daemon->wakes_count];
    if (err == ERR_NOT_FOUND || err == ERR_CONFLICT) {
        return ERR_NONE;
    }
    count_path(world, COUNT_REVIVED);
    return err != ERR_NONE ? err
                           : engine_load_revived(daemon->engine, id, daemon_now(world), reason);
}

bool daemon_has_taken_key(struct world *world, const struct wish *wish)
{
    struct daemon *daemon = &world->daemon;
    for (size_t i = 0; i < wish->edit.tasks_added; i++) {
        struct store_outcome outcome;
        if (store_task_outcome(daemon->store, wish->constellation_id, wish->adds[i]->plan.key, 0,
                               &daemon->arena, &outcome) == ERR_NONE) {
            return true;
        }
    }
    return false;
}

static void set_request(struct wish *wish)
{
    uint64_t request = WISH_REQUESTS + wish->index;
    switch ((int)wish->event.kind) {
    case EVENT_EDIT:
        wish->event.edit.request = request;
        wish->event.edit.edit = &wish->edit;
        break;
    case EVENT_HOLD:
        wish->event.hold.request = request;
        break;
    case EVENT_RELEASE:
        wish->event.release.request = request;
        break;
    case EVENT_REOPEN:
        wish->event.reopen.request = request;
        break;
    case EVENT_RESOLVE:
        wish->event.resolve.request = request;
        break;
    case EVENT_DRAIN:
        wish->event.drain.request = request;
        break;
    default:
        check_failed("this is no wish", __FILE__, __LINE__);
    }
}

static void carry_out(struct world *world, struct wish *wish)
{
    struct daemon *daemon = &world->daemon;
    struct event event = wish->event;
    struct edit edit = wish->edit;
    if (event.kind == EVENT_EDIT && daemon_has_taken_key(world, wish)) {
        struct effect *effect = effects_add(&daemon->effects, EFFECT_REPLY);
        effect->reply.request = event.edit.request;
        effect->reply.err = ERR_CONFLICT;
        return;
    }
    if (world->options.sabotage == SABOTAGE_STALE_BASE && event.kind == EVENT_EDIT) {
        edit.base_revision = 0;
        edit.exact = false;
        event.edit.edit = &edit;
    }
    event.now = daemon_now(world);
    engine_step(daemon->engine, &event, &daemon->effects);
}

/* Of an edit that adds or removes dependencies, one row is left out. */
void daemon_sabotage_edit(struct world *world, size_t from)
{
    struct effects *effects = &world->daemon.effects;
    for (size_t i = from; i < effects->count; i++) {
        enum effect_kind kind = effects->list[i].kind;
        if (kind == EFFECT_ADD_EDGE || kind == EFFECT_REMOVE_EDGE || kind == EFFECT_TASK_TEXT) {
            effects->list[i] = (struct effect){ .kind = EFFECT_PLAN_DONE };
            return;
        }
    }
}

/* A hold is answered, and forgotten. */
static void sabotage_hold(struct world *world, size_t from)
{
    struct effects *effects = &world->daemon.effects;
    for (size_t i = from; i < effects->count; i++) {
        enum effect_kind kind = effects->list[i].kind;
        if (kind == EFFECT_ADD_HOLD || kind == EFFECT_ADD_HOLD_TASK) {
            effects->list[i] = (struct effect){ .kind = EFFECT_PLAN_DONE };
        }
    }
}

enum err daemon_wish(struct world *world, struct wish *wish, struct reason *reason)
{
    struct daemon *daemon = &world->daemon;
    turn_log_cut(&daemon->log, NULL, &daemon->effects, &daemon->arena);
    enum err err = apply(world, reason);
    bool waits = false;
    if (err == ERR_NONE && (wish->event.kind == EVENT_EDIT || wish->event.kind == EVENT_REOPEN)) {
        err = daemon_revive(world, wish->constellation_id, &waits, reason);
    }
    if (err == ERR_NONE && waits) {
        inbox_add(&daemon->inbox, ARRIVAL_WISH, 0)->number = wish->index;
    }
    if (err != ERR_NONE || waits) {
        return err;
    }
    if (wish->is_large) {
        return daemon_bulk_begin(world, wish, reason);
    }
    size_t from = daemon->effects.count;
    set_request(wish);
    carry_out(world, wish);
    if (world->options.sabotage == SABOTAGE_HALF_EDIT) {
        daemon_sabotage_edit(world, from);
    }
    if (world->options.sabotage == SABOTAGE_LOSE_HOLD && wish->event.kind == EVENT_HOLD) {
        sabotage_hold(world, from);
    }
    turn_log_cut(&daemon->log, wish, &daemon->effects, &daemon->arena);
    return apply(world, reason);
}
