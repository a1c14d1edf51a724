#include "tests/unit/living_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "orchestrator/engine/bulk_split.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/store/part_pack.h"

struct held {
    struct hold_record record;
    int64_t *tasks;
    size_t tasks_count;
};

static const struct engine_config CONFIG = {
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

static void put(struct living *living, struct map *map, int64_t id, const void *record,
                size_t bytes)
{
    void *copy = map_get(map, (uint64_t)id);
    if (copy == NULL) {
        copy = mem_alloc(bytes);
        map_put(map, (uint64_t)id, copy);
    }
    memcpy(copy, record, bytes);
    living->last_id = id > living->last_id ? id : living->last_id;
}

static void drop(struct map *map, int64_t id)
{
    void *copy = map_remove(map, (uint64_t)id);
    assert_non_null(copy);
    mem_free(copy);
}

static void drop_hold(struct living *living, int64_t id)
{
    struct held *held = map_get(&living->holds, (uint64_t)id);
    assert_non_null(held);
    mem_free(held->tasks);
    drop(&living->holds, id);
}

static void name_task(struct living *living, int64_t hold_id, int64_t task_id)
{
    struct held *held = map_get(&living->holds, (uint64_t)hold_id);
    assert_non_null(held);
    assert_non_null(map_get(&living->tasks, (uint64_t)task_id));
    held->tasks = mem_resize(held->tasks, (held->tasks_count + 1) * sizeof held->tasks[0]);
    held->tasks[held->tasks_count++] = task_id;
}

static void write_edge(struct living *living, const struct effect *effect)
{
    const struct edge_record *record = &effect->edge.record;
    assert_non_null(map_get(&living->tasks, (uint64_t)record->from_id));
    assert_non_null(map_get(&living->tasks, (uint64_t)record->to_id));
    assert_true((map_get(&living->edges, (uint64_t)record->id) == NULL) ==
                (effect->kind == EFFECT_ADD_EDGE));
    if (effect->kind == EFFECT_ADD_EDGE && living->new_edges_count < LIVING_ASSIGNED_MAX) {
        living->new_edges[living->new_edges_count++] = record->id;
    }
    put(living, &living->edges, record->id, record, sizeof *record);
}

static void write_task(struct living *living, const struct effect *effect)
{
    const struct task_record *record = effect->task.record;
    uint64_t key = (uint64_t)record->id;
    bool is_there = map_get(&living->tasks, key) != NULL;
    assert_true(is_there == (effect->kind == EFFECT_SAVE_TASK));
    if (!is_there && living->new_tasks_count < LIVING_ASSIGNED_MAX) {
        living->new_tasks[living->new_tasks_count++] = record->id;
    }
    if (!effect->task.is_stamp) {
        put(living, &living->tasks, record->id, record, sizeof *record);
        return;
    }
    struct task_record stamped = *(const struct task_record *)map_get(&living->tasks, key);
    stamped.revision = record->revision;
    put(living, &living->tasks, record->id, &stamped, sizeof stamped);
}

/* Every edge of it is gone before a task goes. */
static void remove_task(struct living *living, int64_t id)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(&living->edges, &at, &key, &value)) {
        const struct edge_record *record = value;
        assert_true(record->from_id != id && record->to_id != id);
    }
    drop(&living->tasks, id);
}

static void write(struct living *living, const struct effect *effect)
{
    switch ((int)effect->kind) {
    case EFFECT_ADD_CLASS:
        put(living, &living->classes, effect->class->id, effect->class, sizeof *effect->class);
        break;
    case EFFECT_ADD_POLICY:
        put(living, &living->policies, effect->policy->id, effect->policy, sizeof *effect->policy);
        break;
    case EFFECT_ADD_CONSTELLATION:
    case EFFECT_SAVE_CONSTELLATION:
        if (!effect->constellation.is_stamp) {
            living->constellation = *effect->constellation.record;
        }
        break;
    case EFFECT_ADD_TASK:
    case EFFECT_SAVE_TASK:
        write_task(living, effect);
        break;
    case EFFECT_ADD_EDGE:
    case EFFECT_SAVE_EDGE:
        write_edge(living, effect);
        break;
    case EFFECT_REMOVE_EDGE:
        drop(&living->edges, effect->id);
        break;
    case EFFECT_REMOVE_TASK:
        remove_task(living, effect->id);
        break;
    case EFFECT_ADD_HOLD: {
        struct held held = { .record = *effect->hold.record };
        put(living, &living->holds, held.record.id, &held, sizeof held);
        break;
    }
    case EFFECT_ADD_HOLD_TASK:
        name_task(living, effect->hold_task.hold_id, effect->hold_task.task_id);
        break;
    case EFFECT_REMOVE_HOLD:
        drop_hold(living, effect->id);
        break;
    case EFFECT_ADD_ATTEMPT:
    case EFFECT_SAVE_ATTEMPT: {
        const struct attempt_record *record = effect->attempt;
        void *copy = map_get(&living->attempts, record->fence);
        if (copy == NULL) {
            copy = mem_alloc(sizeof *record);
            map_put(&living->attempts, record->fence, copy);
        }
        memcpy(copy, record, sizeof *record);
        break;
    }
    case EFFECT_SAVE_DEVICE:
        living->device = *effect->device;
        break;
    case EFFECT_PUT_BULK:
        living->bulk = effect->bulk;
        living->last_id = effect->bulk.id > living->last_id ? effect->bulk.id : living->last_id;
        break;
    case EFFECT_REMOVE_BULK:
        assert_int_equal(living->bulk.id, effect->id);
        living->bulk.id = 0;
        break;
    case EFFECT_ADD_REVISION:
        assert_int_equal(effect->revision.number, living->revisions + 2);
        living->revisions++;
        living->constellation.revision = effect->revision.number;
        living->constellation.tasks = effect->revision.tasks;
        living->constellation.edges = effect->revision.edges;
        break;
    default:
        break;
    }
}

static void apply(struct living *living)
{
    for (; living->effects.applied < living->effects.count; living->effects.applied++) {
        write(living, &living->effects.list[living->effects.applied]);
    }
}

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
    apply(living);
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
    apply(living);
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
        apply(living);
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
    static const struct str executors[] = { { "noop", 4 } };
    struct msg msg = { .kind = MSG_HELLO };
    msg.hello = (struct msg_hello){
        .device = STR("desktop"),
        .agent_version = STR("1"),
        .boot_id = str_of(boot_id),
        .process_id = 1 + living->boots,
        .journal_id = STR("journal"),
        .session = living->session,
        .held = held,
        .held_count = held_count,
        .profile = { .os = STR("linux"),
                     .arch = STR("x"),
                     .hostname = STR("desktop"),
                     .slots = living->slots,
                     .labels = &living->label,
                     .labels_count = living->label.key.length > 0,
                     .executors = executors,
                     .executors_count = 1 },
    };
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
    struct engine_config config = CONFIG;
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

static void drop_parts(struct living *living)
{
    for (size_t i = 0; i < living->parts_count; i++) {
        buf_done(&living->parts[i]);
    }
    mem_free(living->parts);
    living->parts = NULL;
    living->parts_count = 0;
}

static void free_map(struct map *map)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(map, &at, &key, &value)) {
        mem_free(value);
    }
    map_done(map);
}

void living_free(struct living *living)
{
    engine_free(living->engine);
    effects_done(&living->effects);
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(&living->holds, &at, &key, &value)) {
        mem_free(((struct held *)value)->tasks);
    }
    drop_parts(living);
    effects_done(&living->checked);
    free_map(&living->holds);
    free_map(&living->classes);
    free_map(&living->policies);
    free_map(&living->tasks);
    free_map(&living->edges);
    free_map(&living->attempts);
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

struct task_record *living_task(struct living *living, int64_t id)
{
    return map_get(&living->tasks, (uint64_t)id);
}

struct edge_record *living_edge(struct living *living, int64_t id)
{
    return map_get(&living->edges, (uint64_t)id);
}

int64_t living_find_hold(struct living *living, enum hold_origin origin, int64_t root)
{
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_each(&living->holds, &at, &key, &value)) {
        const struct held *held = value;
        if (held->record.origin == origin && held->record.root_task_id == root) {
            return held->record.id;
        }
    }
    return 0;
}

/* Behind the constellation itself. */
static void load_plan(struct living *living, struct engine *engine)
{
    const struct constellation_record *record = &living->constellation;
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct task_record *task = map_get(&living->tasks, (uint64_t)id);
        if (task != NULL) {
            engine_load_task(engine, record->id, task);
        }
    }
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct edge_record *edge = map_get(&living->edges, (uint64_t)id);
        if (edge != NULL) {
            engine_load_edge(engine, record->id, edge);
        }
    }
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct held *held = map_get(&living->holds, (uint64_t)id);
        if (held != NULL) {
            engine_load_hold(engine, &held->record, held->tasks, held->tasks_count);
        }
    }
    if (living->bulk.id != 0) {
        engine_load_bulk(engine, &living->bulk);
    }
}

void living_revive(struct living *living)
{
    if (engine_constellation(living->engine, 1) != NULL) {
        return;
    }
    assert_int_equal(engine_wake(living->engine, &living->constellation, NULL), ERR_NONE);
    load_plan(living, living->engine);
    assert_int_equal(engine_load_revived(living->engine, 1, living->now, NULL), ERR_NONE);
}

void living_check(struct living *living)
{
    struct reason reason = { "" };
    if (engine_check(living->engine, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
}

static struct engine *load_with(struct living *living, const struct engine_config *config,
                                bool with_plan)
{
    struct engine *other = engine_new(config);
    for (int64_t id = 1; id <= living->last_id; id++) {
        const struct class_record *class = map_get(&living->classes, (uint64_t)id);
        const struct policy_record *policy = map_get(&living->policies, (uint64_t)id);
        if (class != NULL) {
            engine_load_class(other, class);
        }
        if (policy != NULL) {
            engine_load_policy(other, policy);
        }
    }
    engine_load_device(other, &living->device);
    if (with_plan) {
        engine_load_constellation(other, &living->constellation);
        load_plan(living, other);
        size_t at = 0;
        uint64_t key = 0;
        void *value = NULL;
        while (map_each(&living->attempts, &at, &key, &value)) {
            engine_load_attempt(other, value);
        }
    }
    struct reason reason = { "" };
    if (engine_load_end(other, living->now, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    return other;
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
        load_with(living, &config, engine_constellation(living->engine, 1) != NULL);
    engine_free(living->engine);
    living->engine = other;
    living_connect(living, false);
}

struct engine *living_load(struct living *living)
{
    return load_with(living, &CONFIG, engine_constellation(living->engine, 1) != NULL);
}

void living_compare(struct living *living)
{
    struct engine *other = living_load(living);
    struct buf ours = { 0 };
    struct buf theirs = { 0 };
    engine_dump(living->engine, &ours);
    engine_dump(other, &theirs);
    if (strcmp(buf_text(&ours), buf_text(&theirs)) != 0) {
        print_error("in memory:\n%s\nin the book:\n%s\n", buf_text(&ours), buf_text(&theirs));
        fail_msg("what would be loaded is not what there is");
    }
    buf_done(&ours);
    buf_done(&theirs);
    engine_free(other);
}

struct event living_bulk_begin(const struct edit *edit)
{
    struct event event = { .kind = EVENT_BULK_BEGIN };
    event.bulk_begin.constellation_id = edit->constellation_id;
    event.bulk_begin.operations = (uint32_t)edit->operations_count;
    event.bulk_begin.actor = edit->author;
    return event;
}

/* As the daemon's thread does it. */
struct event living_bulk_check(struct living *living, const struct edit *edit, int64_t bulk_id,
                               size_t rows_max)
{
    struct engine_config config = living->engine->config; /* with what a test has set */
    config.next_task_id = config.next_edge_id = config.next_hold_id = living->last_id + 1;
    config.edit_rows_max = UINT32_MAX;
    config.edit_looks_max = SIZE_MAX;
    config.ignored_hold_id = bulk_id;
    struct engine *scratch = load_with(living, &config, true);
    uint64_t *orders = mem_array(edit->operations_count + 1, sizeof *orders);
    struct edit tried = *edit;
    tried.dry_run = true;
    tried.orders = orders;
    effects_clear(&living->checked);
    struct event event = { .kind = EVENT_EDIT, .now = living->now, .edit = { .edit = &tried } };
    engine_step(scratch, &event, &living->checked);
    const struct effect *reply = &living->checked.list[living->checked.count - 1];
    assert_int_equal(reply->kind, EFFECT_REPLY);
    living->edit = *reply->reply.edit;
    living->has_edit = true;
    living->err = reply->reply.err;
    event = (struct event){ .kind = EVENT_BULK_DROP };
    event.bulk_drop.constellation_id = 1;
    event.bulk_drop.bulk_id = bulk_id;
    event.bulk_drop.why = STR("it was refused");
    if (living->err == ERR_NONE && !edit->dry_run) {
        struct arena arena = { 0 };
        struct bulk_split split;
        bulk_split(scratch, edit, orders, rows_max, &arena, &split);
        drop_parts(living);
        living->parts = mem_array(split.count, sizeof *living->parts);
        living->parts_count = split.count;
        for (size_t i = 0; i < split.count; i++) {
            part_pack(&split.parts[i], bulk_id, &living->parts[i]);
        }
        event = (struct event){ .kind = EVENT_BULK_ADMIT };
        event.bulk_admit.constellation_id = 1;
        event.bulk_admit.bulk_id = bulk_id;
        event.bulk_admit.parts = (uint32_t)split.count;
        event.bulk_admit.tasks_added = (uint32_t)edit->tasks_added;
        event.bulk_admit.classes = split.classes;
        event.bulk_admit.policies = split.policies;
        event.bulk_admit.operations = (uint32_t)edit->operations_count;
        event.bulk_admit.revision = living->constellation.revision;
        event.bulk_admit.finished_wall_ms = living->constellation.finished_wall_ms;
        event.bulk_admit.edit = edit;
        event.bulk_admit.actor = edit->author;
        arena_done(&arena);
    }
    mem_free(orders);
    engine_free(scratch);
    return event;
}

bool living_is_too_large(const struct living *living)
{
    for (size_t i = 0; i < living->edit.problems_count; i++) {
        if (living->edit.problems[i].code == EDIT_CODE_TOO_LARGE) {
            return true;
        }
    }
    return false;
}

enum err living_bulk(struct living *living, const struct edit *edit, size_t rows_max)
{
    struct event event = living_bulk_begin(edit);
    living_turn(living, &event, 1);
    if (living->err != ERR_NONE) {
        living->edit = (struct edit_result){ .revision = living->constellation.revision };
        return living->err;
    }
    event = living_bulk_check(living, edit, living->hold_id, rows_max);
    const enum err err = living->err;
    const struct edit_result result = living->edit;
    if (err == ERR_NONE) {
        living_revive(living);
    }
    living_turn(living, &event, 1);
    living_settle(living);
    living->edit = result;
    living->has_edit = true;
    living->err = err;
    return err;
}
