/* The engine's frame: making it, stepping it, its timers. */
#include "orchestrator/engine/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/engine/order.h"

/* Marks rise over all turns: each turn has this many of its own. */
static const uint64_t MARKS_A_TURN = 1 << 24;

static void set_limit(uint32_t *limit, uint32_t otherwise)
{
    *limit = *limit == 0 ? otherwise : *limit;
}

static void set_limits(struct engine_config *config)
{
    set_limit(&config->plan_tasks_max, PLAN_TASKS_MAX);
    set_limit(&config->plan_edges_max, PLAN_EDGES_MAX);
    set_limit(&config->slice, ENGINE_SLICE);
    set_limit(&config->evaluate_max, ENGINE_EVALUATE_MAX);
    set_limit(&config->reopen_max, ENGINE_REOPEN_MAX);
    set_limit(&config->edit_rows_max, EDIT_ROWS_MAX);
    config->edit_looks_max = config->edit_looks_max == 0 ? EDIT_LOOKS_MAX : config->edit_looks_max;
    set_limit(&config->edit_path_max, EDIT_PATH_SIZE_MAX);
    CHECK(config->reopen_max <= ENGINE_REOPEN_MAX);
}

struct engine *engine_new(const struct engine_config *config)
{
    CHECK(config->epoch > 0 && config->epoch <= FENCE_EPOCH_MAX);
    struct engine *engine = mem_alloc(sizeof *engine);
    engine->config = *config;
    engine->blocked = config->blocked;
    rng_init(&engine->rng, config->seed);
    engine->fence = config->epoch << FENCE_COUNTER_BITS;
    if (engine->config.next_hold_id == 0) {
        engine->config.next_hold_id = 1; /* 0 names the pause */
    }
    set_limits(&engine->config);
    engine->next_class_id = 1;
    engine->next_policy_id = 1;
    engine->next_device_id = 1;
    engine->active.before = placement_active_before;
    engine->backoff.before = task_wakes_before;
    engine->queue_timers.before = task_times_out_before;
    engine->attempt_timers.before = attempt_timer_before;
    engine->device_timers.before = fleet_timer_before;
    engine->hold_timers.before = hold_before;
    engine->deadlines.before = constellation_ends_before;
    engine->prepare.before = task_prepares_before;
    engine->mark_base = MARKS_A_TURN;
    return engine;
}

static void free_attempts(struct engine *engine)
{
    for (size_t i = 0; i < engine->devices_count; i++) {
        struct device *device = engine->devices_list[i];
        while (device->attempts != NULL) {
            struct attempt *next = device->attempts->next;
            mem_free(device->attempts);
            device->attempts = next;
        }
    }
    map_done(&engine->attempts);
    while (engine->graveyard != NULL) {
        struct attempt *next = engine->graveyard->next;
        mem_free(engine->graveyard);
        engine->graveyard = next;
    }
}

static void free_classes(struct engine *engine)
{
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&engine->classes, &at, &id, &value)) {
        placement_free_class(value);
    }
    map_done(&engine->classes);
    at = 0;
    while (map_each(&engine->policies, &at, &id, &value)) {
        mem_free(value);
    }
    map_done(&engine->policies);
    at = 0;
    while (map_each(&engine->anchors, &at, &id, &value)) {
        placement_free_anchor(value);
    }
    map_done(&engine->anchors);
    strmap_done(&engine->class_keys);
    strmap_done(&engine->policy_keys);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    free_attempts(engine);
    while (engine->first != NULL) {
        constellation_leave(engine, engine->first);
    }
    asleep_free_all(engine);
    for (size_t i = 0; i < engine->devices_count; i++) {
        fleet_free(engine->devices_list[i]);
    }
    mem_free(engine->devices_list);
    mem_free(engine->learned_ms);
    map_done(&engine->devices);
    strmap_done(&engine->device_names);
    map_done(&engine->channels);
    map_done(&engine->newcomers);
    map_done(&engine->constellations);
    free_classes(engine);
    roll_done(&engine->roll);
    heap_done(&engine->active);
    heap_done(&engine->backoff);
    heap_done(&engine->queue_timers);
    heap_done(&engine->attempt_timers);
    heap_done(&engine->device_timers);
    heap_done(&engine->hold_timers);
    heap_done(&engine->deadlines);
    heap_done(&engine->prepare);
    map_done(&engine->holds);
    mem_free(engine->asked);
    mem_free(engine->pending);
    order_free(engine->order);
    mem_free(engine);
}

struct history *engine_history(struct engine *engine, enum history_kind kind)
{
    struct effect *effect = effects_add(engine->effects, EFFECT_HISTORY);
    effect->history.kind = kind;
    effect->history.wall_ms = engine->now.wall_ms;
    return &effect->history;
}

struct msg *engine_send(struct engine *engine, uint64_t channel, enum msg_kind kind)
{
    struct msg *msg = arena_alloc(&engine->effects->arena, sizeof *msg);
    msg->kind = kind;
    struct effect *effect = effects_add(engine->effects, EFFECT_SEND);
    effect->send.channel = channel;
    effect->send.msg = msg;
    return msg;
}

struct effect *engine_reply(struct engine *engine, uint64_t request, enum err err,
                            int64_t constellation_id, struct str reason)
{
    struct effect *effect = effects_add(engine->effects, EFFECT_REPLY);
    effect->reply.request = request;
    effect->reply.err = err;
    effect->reply.constellation_id = constellation_id;
    effect->reply.reason = reason;
    return effect;
}

bool engine_is_marked(const struct engine *engine, uint64_t mark)
{
    return mark > engine->mark_base + engine->effects->applied;
}

bool engine_mark(struct engine *engine, uint64_t *mark)
{
    CHECK(engine->effects->count < MARKS_A_TURN);
    if (engine_is_marked(engine, *mark)) {
        return false;
    }
    *mark = engine->mark_base + engine->effects->count + 1;
    return true;
}

size_t engine_rows(const struct engine *engine)
{
    return engine->effects->count + engine->far_rows;
}

size_t engine_spend(const struct engine *engine, size_t budget, size_t rows_before)
{
    size_t rows = engine_rows(engine) - rows_before;
    rows = rows > 0 ? rows : 1;
    return budget > rows ? budget - rows : 0;
}

struct str engine_text(struct engine *engine, const char *format, ...)
{
    char text[REASON_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arena_str(&engine->effects->arena, str_of(text));
}

struct str engine_by(struct engine *engine, enum author_kind kind, struct str name,
                     struct str reason)
{
    struct str parts[] = { str_of(author_kind_name(kind)), STR(" "), name, STR(": "), reason };
    size_t count = reason.length > 0 ? 5 : 3;
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length += parts[i].length;
    }
    char *text = arena_alloc(&engine->effects->arena, length + 1);
    struct str words = { text, length };
    for (size_t i = 0; i < count; i++) {
        if (parts[i].length > 0) {
            memcpy(text, parts[i].data, parts[i].length);
        }
        text += parts[i].length;
    }
    return words;
}

int64_t engine_remaining_boot_ms(const struct engine *engine, int64_t wall_ms, int64_t length_ms)
{
    int64_t left = wall_ms - engine->now.wall_ms;
    left = left < 0 ? 0 : left;
    return engine->now.boot_ms + (left > length_ms ? length_ms : left);
}

static void fire_timers(struct engine *engine, size_t rows)
{
    int64_t now = engine->now.boot_ms;
    struct heap_node *node = NULL;
    int left =
        ENGINE_TIMERS_MAX; /* what is left over is due in the next turn, which follows at once */
    while (left-- > 0 && (node = heap_top(&engine->backoff)) != NULL) {
        struct task *task = HEAP_OWNER(node, struct task, node);
        if (task->wake_boot_ms > now) {
            break;
        }
        task_wake(engine, task);
    }
    while (left-- > 0 && (node = heap_top(&engine->queue_timers)) != NULL) {
        struct task *task = HEAP_OWNER(node, struct task, timer);
        if (task->wake_boot_ms > now) {
            break;
        }
        task_ready_too_long(engine, task);
    }
    while (left-- > 0 && (node = heap_top(&engine->attempt_timers)) != NULL) {
        struct attempt *attempt = HEAP_OWNER(node, struct attempt, timer);
        if (attempt->timer_boot_ms > now) {
            break;
        }
        attempt_timer_fired(engine, attempt);
    }
    while (left-- > 0 && rows > 0 && (node = heap_top(&engine->device_timers)) != NULL) {
        struct device *device = HEAP_OWNER(node, struct device, timer);
        if (device->timer_boot_ms > now) {
            break;
        }
        rows = fleet_timer_fired(engine, device, rows);
    }
    while (left-- > 0 && rows > 0 && (node = heap_top(&engine->hold_timers)) != NULL) {
        struct hold *hold = HEAP_OWNER(node, struct hold, timer);
        if (hold->timer_boot_ms > now) {
            break;
        }
        rows = hold_expired(engine, hold, rows);
    }
    while (left-- > 0 && (node = heap_top(&engine->deadlines)) != NULL) {
        struct constellation *constellation = HEAP_OWNER(node, struct constellation, timer);
        if (constellation->deadline_boot_ms > now) {
            break;
        }
        constellation_deadline_passed(engine, constellation);
    }
}

static void ask_for_inputs(struct engine *engine)
{
    struct heap_node *node = NULL;
    for (int i = 0; i < ENGINE_PREPARE_MAX && (node = heap_top(&engine->prepare)) != NULL; i++) {
        struct task *task = HEAP_OWNER(node, struct task, node);
        heap_remove(&engine->prepare, node);
        if (task->constellation->bulk != NULL) {
            task->queue = QUEUE_NONE; /* it stays as it was checked; the hold's end considers it */
            continue;
        }
        task->queue = QUEUE_PREPARING;
        struct effect *effect = effects_add(engine->effects, EFFECT_PREPARE);
        effect->prepare.constellation_id = task->constellation->record.id;
        effect->prepare.task_id = task->record.id;
    }
}

static void tick(struct engine *engine, uint32_t slice)
{
    if (slice == 0 || slice > engine->config.slice) {
        slice = engine->config.slice;
    }
    fire_timers(engine, slice);
    bulk_work(engine); /* before the slices, so that what it lets go is looked at in this turn */
    size_t budget = decision_work(engine, slice);
    budget = constellation_work(engine, budget);
    budget = reopen_work(engine, budget);
    engine->slice_is_used_up = decision_work(engine, budget) == 0;
    rank_work(engine);
    ask_for_inputs(engine);
}

static void prepared(struct engine *engine, const struct event *event)
{
    struct constellation *constellation =
        map_get(&engine->constellations, (uint64_t)event->prepared.constellation_id);
    CHECK(constellation != NULL);
    struct task *task = constellation_find_task(constellation, event->prepared.task_id);
    CHECK(task != NULL && task->queue == QUEUE_PREPARING);
    task->queue = QUEUE_NONE;
    if (event->prepared.put_off) {
        task_consider(engine, task);
        return;
    }
    if (event->prepared.err != ERR_NONE) {
        task_fail(engine, task, event->prepared.reason);
        return;
    }
    task->record.prepared = true;
    task->record.body_bytes = event->prepared.body_bytes;
    task_save(engine, task);
    task_consider(engine, task);
}

static void dispatch(struct engine *engine)
{
    placement_match(engine);
    placement_tell(engine);
    if (!engine->blocked) {
        placement_dispatch(engine);
    }
    session_flush_acks(engine);
}

void engine_step(struct engine *engine, const struct event *event, struct effects *effects)
{
    engine->now = event->now;
    engine->effects = effects;
    switch (event->kind) {
    case EVENT_SUBMIT:
        intake_submit(engine, event);
        break;
    case EVENT_CANCEL:
        constellation_cancel(engine, event);
        break;
    case EVENT_MESSAGE:
        session_message(engine, event);
        break;
    case EVENT_CHANNEL_CLOSED:
        session_channel_closed(engine, event->channel_closed.channel, event->channel_closed.reason);
        break;
    case EVENT_PREPARED:
        prepared(engine, event);
        break;
    case EVENT_EVALUATED:
        decision_evaluated(engine, event);
        break;
    case EVENT_EDIT:
        edit_step(engine, event);
        break;
    case EVENT_HOLD:
        hold_place(engine, event);
        break;
    case EVENT_RELEASE:
        hold_release(engine, event);
        break;
    case EVENT_REOPEN:
        reopen_step(engine, event);
        break;
    case EVENT_RESOLVE:
        resolve_step(engine, event);
        break;
    case EVENT_DRAIN:
        fleet_drain(engine, event);
        break;
    case EVENT_BULK_BEGIN:
        bulk_begin(engine, event);
        break;
    case EVENT_BULK_DROP:
        bulk_drop(engine, event);
        break;
    case EVENT_BULK_ADMIT:
        bulk_admit(engine, event);
        break;
    case EVENT_BULK_PART:
        bulk_part(engine, event);
        break;
    case EVENT_TICK:
        tick(engine, event->tick.slice);
        break;
    case EVENT_DISPATCH:
        dispatch(engine);
        break;
    }
    engine->effects = NULL;
}

bool engine_slice_is_used_up(const struct engine *engine)
{
    return engine->slice_is_used_up;
}

int64_t engine_next_deadline(const struct engine *engine)
{
    struct part_wanted wanted;
    if (engine_wants_part(engine, &wanted) || bulk_is_due(engine) || engine->decide.first != NULL ||
        engine->pending_count > 0 || engine->jobs_first != NULL ||
        engine->reopening_first != NULL || heap_top(&engine->prepare) != NULL ||
        engine->leaving_first != NULL || engine->untold_first != NULL ||
        engine->match_first != NULL || engine->link_first != NULL || engine->ranks_first != NULL ||
        (!engine->blocked && (heap_top(&engine->active) != NULL || engine->freed_first != NULL ||
                              engine->reviews_left > 0))) {
        return INT64_MIN; /* a slice is left */
    }
    int64_t least = INT64_MAX;
    struct heap_node *node = heap_top(&engine->backoff);
    if (node != NULL) {
        least = HEAP_OWNER(node, struct task, node)->wake_boot_ms;
    }
    node = heap_top(&engine->queue_timers);
    if (node != NULL && HEAP_OWNER(node, struct task, timer)->wake_boot_ms < least) {
        least = HEAP_OWNER(node, struct task, timer)->wake_boot_ms;
    }
    node = heap_top(&engine->attempt_timers);
    if (node != NULL && HEAP_OWNER(node, struct attempt, timer)->timer_boot_ms < least) {
        least = HEAP_OWNER(node, struct attempt, timer)->timer_boot_ms;
    }
    node = heap_top(&engine->device_timers);
    if (node != NULL && HEAP_OWNER(node, struct device, timer)->timer_boot_ms < least) {
        least = HEAP_OWNER(node, struct device, timer)->timer_boot_ms;
    }
    node = heap_top(&engine->hold_timers);
    if (node != NULL && HEAP_OWNER(node, struct hold, timer)->timer_boot_ms < least) {
        least = HEAP_OWNER(node, struct hold, timer)->timer_boot_ms;
    }
    node = heap_top(&engine->deadlines);
    if (node != NULL && HEAP_OWNER(node, struct constellation, timer)->deadline_boot_ms < least) {
        least = HEAP_OWNER(node, struct constellation, timer)->deadline_boot_ms;
    }
    return least;
}

void engine_turn_end(struct engine *engine)
{
    engine->mark_base += MARKS_A_TURN;
    engine->told = 0;
    engine->matched = 0;
    engine->lanes_moved = 0;
    while (engine->graveyard != NULL) {
        struct attempt *next = engine->graveyard->next;
        mem_free(engine->graveyard);
        engine->graveyard = next;
    }
    struct constellation *ended = engine->ended_first;
    engine->ended_first = NULL;
    while (ended != NULL) {
        struct constellation *constellation = ended;
        ended = constellation->ended_next;
        if (!constellation_state_is_final(constellation->record.state)) {
            constellation->ended =
                false; /* reopened in the turn in which it ended, or was revived */
        } else if (constellation->deciding > 0) {
            constellation->ended_next = engine->ended_first; /* what an edit has to have decided */
            engine->ended_first = constellation;
        } else {
            constellation_leave(engine, constellation);
        }
    }
    asleep_free_work(engine, engine->config.slice);
}

struct engine_config engine_config(const struct engine *engine)
{
    return engine->config;
}

bool engine_is_blocked(const struct engine *engine)
{
    return engine->blocked;
}
