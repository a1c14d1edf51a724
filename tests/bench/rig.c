/* See rig.h. */
#include "tests/bench/rig.h"

#include "common/base/mem.h"
#include "tests/bench/bench.h"

const struct plan_class rig_class = { .executor = EXECUTOR_NOOP };
const struct plan_class rig_gate = { 0 };
const struct plan_policy rig_policy = {
    .max_attempts = 1,
    .max_lost = 3,
    .backoff_base_ms = 1000,
    .backoff_max_ms = 1000,
    .backoff_factor_permille = 1000,
    .kill_grace_ms = 1000,
};

struct rig *rig_new(bool keeps_ids)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    struct engine_config config = {
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
    rig->engine = engine_new(&config);
    rig->now = (struct moment){ 1000, 1700000000000 };
    rig->keeps_ids = keeps_ids;
    return rig;
}

void rig_free(struct rig *rig)
{
    engine_free(rig->engine);
    effects_done(&rig->effects);
    map_done(&rig->edge_ids);
    mem_free(rig->fences);
    mem_free(rig->task_ids);
    mem_free(rig);
}

static void keep_fence(struct rig *rig, uint64_t fence)
{
    if (rig->fences_count == rig->fences_capacity) {
        rig->fences_capacity = rig->fences_capacity == 0 ? 64 : rig->fences_capacity * 2;
        rig->fences = mem_resize(rig->fences, rig->fences_capacity * sizeof rig->fences[0]);
    }
    rig->fences[rig->fences_count++] = fence;
}

static void keep_ids(struct rig *rig, const struct effect *effect)
{
    if (effect->kind == EFFECT_ADD_TASK) {
        if (rig->task_ids_count == rig->task_ids_capacity) {
            size_t capacity = rig->task_ids_capacity == 0 ? 1024 : rig->task_ids_capacity * 2;
            rig->task_ids = mem_resize(rig->task_ids, capacity * sizeof rig->task_ids[0]);
            rig->task_ids_capacity = capacity;
        }
        rig->task_ids[rig->task_ids_count++] = effect->task.record->id;
    } else if (effect->kind == EFFECT_ADD_EDGE) {
        const struct edge_record *edge = &effect->edge.record;
        map_put(&rig->edge_ids, (uint64_t)edge->from_id << 32 | (uint64_t)edge->to_id,
                (void *)(uintptr_t)edge->id);
    }
}

static void look(struct rig *rig)
{
    for (size_t i = 0; i < rig->effects.count; i++) {
        const struct effect *effect = &rig->effects.list[i];
        if (effect->kind == EFFECT_ASSIGN) {
            keep_fence(rig, effect->assign.fence);
        } else if (effect->kind == EFFECT_REPLY) {
            rig->reply = effect->reply.err;
            rig->constellation_id = effect->reply.constellation_id;
        } else if (effect->kind == EFFECT_HISTORY &&
                   effect->history.kind == HISTORY_CONSTELLATION_FINISHED) {
            rig->finished = true;
        } else if (rig->keeps_ids) {
            keep_ids(rig, effect);
        }
    }
}

void rig_turn(struct rig *rig, struct event *event)
{
    struct event tick = { .kind = EVENT_TICK, .now = rig->now };
    struct event dispatch = { .kind = EVENT_DISPATCH, .now = rig->now };
    double began = now_s();
    if (event != NULL) {
        event->now = rig->now;
        engine_step(rig->engine, event, &rig->effects);
    }
    engine_step(rig->engine, &tick, &rig->effects);
    engine_step(rig->engine, &dispatch, &rig->effects);
    rig->turn_s = now_s() - began;
    look(rig);
    began = now_s();
    engine_turn_end(rig->engine);
    rig->turn_s += now_s() - began;
    effects_clear(&rig->effects);
    if (rig->turn_s > rig->longest_turn_s) {
        rig->longest_turn_s = rig->turn_s;
    }
}

void rig_settle(struct rig *rig)
{
    while (engine_next_deadline(rig->engine) <= rig->now.boot_ms) {
        rig_turn(rig, NULL);
    }
}

void rig_submit(struct rig *rig, const struct plan *plan)
{
    struct event event = { .kind = EVENT_SUBMIT };
    event.submit.plan = plan;
    event.submit.uid = STR("bench-2345");
    event.submit.actor = STR("bench");
    rig->reply = ERR_CORRUPT;
    rig_turn(rig, &event);
    rig_settle(rig);
    if (rig->reply != ERR_NONE) {
        bench_die("the engine refuses a plan");
    }
}

void rig_edit(struct rig *rig, struct edit *edit)
{
    struct event event = { .kind = EVENT_EDIT };
    edit->constellation_id = rig->constellation_id;
    edit->author_kind = AUTHOR_USER;
    edit->author = STR("bench");
    edit->text = STR("[]");
    edit->inverse = STR("[]");
    event.edit.edit = edit;
    rig->reply = ERR_CORRUPT;
    rig_turn(rig, &event);
    if (rig->reply != ERR_NONE) {
        bench_die("the engine refuses an edit");
    }
}

void rig_connect(struct rig *rig, uint32_t slots)
{
    rig_return(rig, slots, NULL, 0);
}

void rig_return(struct rig *rig, uint32_t slots, const struct msg_held *held, size_t held_count)
{
    static const struct str executors[] = { { "noop", 4 } };
    struct msg hello = { .kind = MSG_HELLO };
    hello.hello = (struct msg_hello){
        .device = STR("bench"),
        .agent_version = STR("1"),
        .boot_id = STR("boot"),
        .process_id = 1,
        .journal_id = STR("bench"),
        .held = held,
        .held_count = held_count,
        .profile = { .os = STR("linux"),
                     .arch = STR("x"),
                     .hostname = STR("bench"),
                     .slots = slots,
                     .executors = executors,
                     .executors_count = 1 },
    };
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = 1;
    event.message.msg = &hello;
    rig_turn(rig, &event);
    struct device_view view;
    if (!engine_find_device(rig->engine, STR("bench"), rig->now, &view)) {
        bench_die("the engine refuses a device");
    }
    struct msg ready = { .kind = MSG_READY };
    ready.ready.session = view.record->session;
    event.message.msg = &ready;
    rig_turn(rig, &event);
    rig_settle(rig);
}

void rig_finish(struct rig *rig, uint64_t fence)
{
    struct msg message = { .kind = MSG_FINISHED };
    message.finished.fence = fence;
    message.finished.outcome = OUTCOME_EXITED;
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = 1;
    event.message.msg = &message;
    rig_turn(rig, &event);
}
