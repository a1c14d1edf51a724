/* What devices have free is kept for the first that waits for it, and no longer than that could have it:
   seen with more devices than one turn looks at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "orchestrator/engine/model.h"
#include "tests/unit/living_plan.h"

enum { DEVICES = 5, SLICE = 60 /* one device that is kept is looked at in a turn */ };

struct fleet {
    struct engine *engine;
    struct effects effects;
    struct moment now;
    size_t assigned;
    int64_t constellation_id; /* the last */
};

static void turn(struct fleet *fleet, struct event *event)
{
    struct event rest[] = { { .kind = EVENT_TICK }, { .kind = EVENT_DISPATCH } };
    effects_clear(&fleet->effects);
    if (event != NULL) {
        event->now = fleet->now;
        engine_step(fleet->engine, event, &fleet->effects);
    }
    for (size_t i = 0; i < 2; i++) {
        rest[i].now = fleet->now;
        engine_step(fleet->engine, &rest[i], &fleet->effects);
    }
    for (size_t i = 0; i < fleet->effects.count; i++) {
        const struct effect *effect = &fleet->effects.list[i];
        fleet->assigned += effect->kind == EFFECT_ASSIGN;
        if (effect->kind == EFFECT_REPLY) {
            assert_int_equal(effect->reply.err, ERR_NONE);
            fleet->constellation_id = effect->reply.constellation_id;
        }
    }
    engine_turn_end(fleet->engine);
}

static void settle(struct fleet *fleet)
{
    for (int left = 1000; engine_next_deadline(fleet->engine) <= fleet->now.boot_ms; left--) {
        assert_true(left > 0);
        turn(fleet, NULL);
    }
}

/* Each has two of "gpu". */
static void connect_device(struct fleet *fleet, uint64_t channel)
{
    static const struct str executors[] = { { "noop", 4 } };
    static const struct msg_resource gpus = { .name = { "gpu", 3 }, .amount_milli = 2000 };
    char name[32];
    snprintf(name, sizeof name, "device-%u", (unsigned)channel);
    struct msg msg = { .kind = MSG_HELLO };
    msg.hello = (struct msg_hello){
        .device = str_of(name),
        .agent_version = STR("1"),
        .boot_id = STR("boot"),
        .process_id = 1,
        .journal_id = str_of(name),
        .profile = { .os = STR("linux"),
                     .arch = STR("x"),
                     .hostname = STR("host"),
                     .slots = 4,
                     .executors = executors,
                     .executors_count = 1,
                     .resources = &gpus,
                     .resources_count = 1 },
    };
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = channel;
    event.message.msg = &msg;
    turn(fleet, &event);
    struct device_view view;
    assert_true(engine_find_device(fleet->engine, str_of(name), fleet->now, &view));
    msg = (struct msg){ .kind = MSG_READY, .ready = { view.record->session } };
    turn(fleet, &event);
    settle(fleet);
}

/* A task for each device, each of a class of its own that takes so many of "gpu". */
static void submit(struct fleet *fleet, int64_t gpus, int32_t priority)
{
    static char selectors[DEVICES][16];
    struct plan_resource resource = { .name = STR("gpu"), .amount_milli = gpus * 1000 };
    struct plan_class classes[DEVICES];
    struct plan_task tasks[DEVICES];
    for (uint32_t i = 0; i < DEVICES; i++) {
        snprintf(selectors[i], sizeof selectors[i], "zone!=z%u", i);
        classes[i] = LIVING_ANY;
        classes[i].selector = str_of(selectors[i]);
        classes[i].resources = &resource;
        classes[i].resources_count = 1;
        tasks[i] = LIVING_TASK;
        tasks[i].class_index = i;
        tasks[i].priority = priority;
    }
    struct plan plan = living_plan(tasks, DEVICES, NULL, 0);
    plan.classes = classes;
    plan.classes_count = DEVICES;
    struct event event = living_submission(&plan);
    turn(fleet, &event);
    settle(fleet);
}

static void all_that_were_kept_for_what_is_paused_are_given_to_others(void **state)
{
    (void)state;
    const struct engine_config config = { .epoch = 1,
                                          .seed = 1,
                                          .lease_ms = 60000,
                                          .ping_ms = 20000,
                                          .lost_after_ms = 300000,
                                          .next_constellation_id = 1,
                                          .next_task_id = 1,
                                          .next_edge_id = 1,
                                          .next_hold_id = 1,
                                          .slice = SLICE };
    struct fleet fleet = { .engine = engine_new(&config), .now = { 1000, 1700000000000 } };
    for (uint64_t channel = 1; channel <= DEVICES; channel++) {
        connect_device(&fleet, channel);
    }
    submit(&fleet, 1, 0); /* one of two is taken everywhere … */
    assert_int_equal(fleet.assigned, DEVICES);
    submit(&fleet, 2, 9); /* … so that these wait, and what is free is kept for them … */
    const int64_t waiting_id = fleet.constellation_id;
    submit(&fleet, 1, 0); /* … from these. */
    assert_int_equal(fleet.assigned, DEVICES);
    assert_int_equal(fleet.engine->kept_count, DEVICES);
    struct event event = living_hold(HOLD_ALL, NULL, 0, 0);
    event.hold.constellation_id = waiting_id;
    event.hold.origin = HOLD_PAUSE;
    turn(&fleet, &event);
    settle(&fleet);
    assert_int_equal(fleet.assigned, 2 * DEVICES);
    assert_int_equal(fleet.engine->kept_count, 0);
    effects_done(&fleet.effects);
    engine_free(fleet.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_were_kept_for_what_is_paused_are_given_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
