/* Several devices: more than one turn looks at, whether they are kept for somebody or looked for by a class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/rng.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/device_hello.h"
#include "tests/unit/living_plan.h"

enum { DEVICES = 5 };

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

static struct fleet fleet_of(uint32_t slice)
{
    const struct engine_config config = { .epoch = 1,
                                          .seed = 1,
                                          .lease_ms = 60000,
                                          .ping_ms = 20000,
                                          .lost_after_ms = 300000,
                                          .next_constellation_id = 1,
                                          .next_task_id = 1,
                                          .next_edge_id = 1,
                                          .next_hold_id = 1,
                                          .slice = slice };
    return (struct fleet){ .engine = engine_new(&config), .now = { 1000, 1700000000000 } };
}

static void fleet_end(struct fleet *fleet)
{
    struct reason reason = { "" };
    if (engine_check(fleet->engine, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    effects_done(&fleet->effects);
    engine_free(fleet->engine);
}

/* Each has two of "gpu". */
static void connect_in_zone(struct fleet *fleet, uint64_t channel, uint32_t slots, struct str zone)
{
    static const struct msg_resource gpus = { .name = { "gpu", 3 }, .amount_milli = 2000 };
    const struct msg_pair label = { STR("zone"), zone };
    char name[32];
    snprintf(name, sizeof name, "device-%u", (unsigned)channel);
    struct msg msg = device_hello(name, slots);
    struct msg_profile *profile = &msg.hello.profile;
    profile->labels = &label;
    profile->labels_count = zone.length > 0;
    profile->resources = &gpus;
    profile->resources_count = 1;
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = channel;
    event.message.msg = &msg;
    turn(fleet, &event);
    struct device_view view;
    assert_true(engine_find_device(fleet->engine, str_of(name), fleet->now, &view));
    msg = (struct msg){ .kind = MSG_READY, .ready = { view.record->session } };
    turn(fleet, &event);
}

static void connect_device(struct fleet *fleet, uint64_t channel, uint32_t slots)
{
    connect_in_zone(fleet, channel, slots, STR(""));
}

static void cut(struct fleet *fleet, uint64_t channel)
{
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = channel;
    event.channel_closed.reason = STR("cut");
    turn(fleet, &event);
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
    struct fleet fleet = fleet_of(60); /* one device that is kept is looked at in a turn */
    for (uint64_t channel = 1; channel <= DEVICES; channel++) {
        connect_device(&fleet, channel, 4);
        settle(&fleet);
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
    fleet_end(&fleet);
}

/* Both kinds of a device that comes back meanwhile: one that the class has been at, and one that it has not. */
static void a_class_is_matched_with_many_devices_over_several_turns(void **state)
{
    (void)state;
    enum { MANY = 30, SLICE = 8, A_TURN = SLICE / 2 + 1 };
    struct fleet fleet = fleet_of(SLICE);
    for (uint64_t channel = 1; channel <= MANY; channel++) {
        connect_device(&fleet, channel, 4);
    }
    struct plan plan = living_plan(&LIVING_TASK, 1, NULL, 0);
    struct event event = living_submission(&plan);
    turn(&fleet, &event);
    while (fleet.engine->link_first == NULL) {
        turn(&fleet, NULL);
    }
    const struct class *class = fleet.engine->link_first;
    size_t before = class->placements_count;
    assert_in_range(before, 1, A_TURN);
    const uint64_t back[] = { 1, MANY };
    for (size_t i = 0; i < 2; i++) {
        cut(&fleet, back[i]);
        connect_device(&fleet, back[i], 5);
    }
    while (fleet.engine->link_first != NULL) {
        assert_int_equal(fleet.assigned, 0);
        assert_true(engine_next_deadline(fleet.engine) <= fleet.now.boot_ms);
        before = class->placements_count;
        turn(&fleet, NULL);
        assert_in_range(class->placements_count - before, 0, A_TURN);
    }
    settle(&fleet);
    assert_int_equal(fleet.assigned, 1);
    assert_int_equal(class->placements_count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(fleet.engine->devices_list[i]->placements_count, 1);
    }
    fleet_end(&fleet);
}

/* Each once, and no others. */
static void expect_matched(const struct fleet *fleet)
{
    const struct engine *engine = fleet->engine;
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_each(&engine->classes, &at, &id, &value)) {
        const struct class *class = value;
        size_t fits = 0;
        for (size_t i = 0; i < engine->devices_count; i++) {
            fits += class->is_linked && placement_fits(class, engine->devices_list[i]);
        }
        assert_int_equal(class->placements_count, fits);
        for (size_t i = 0; i < fits; i++) {
            const struct device *device = class->placements[i]->device;
            assert_true(placement_fits(class, device));
            for (size_t k = 0; k < i; k++) {
                assert_true(class->placements[k]->device != device);
            }
        }
    }
}

/* They come, come back elsewhere, and are looked for, with a few of them in a turn. */
static void whoever_comes_when_all_that_fit_find_each_other_once(void **state)
{
    (void)state;
    enum { SEEDS = 200, STEPS = 40, CHANNELS = 12, ZONES = 4, CLASSES = 24 };
    size_t busy = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        struct fleet fleet = fleet_of(1 + (uint32_t)rng_below(&rng, 12));
        for (int step = 0; step < STEPS; step++) {
            char text[16];
            uint64_t channel = 1 + rng_below(&rng, CHANNELS);
            uint64_t choice = rng_below(&rng, 4);
            if (choice == 0) {
                snprintf(text, sizeof text, "z%u", (unsigned)rng_below(&rng, ZONES));
                if (map_get(&fleet.engine->channels, channel) != NULL) {
                    cut(&fleet, channel);
                }
                connect_in_zone(&fleet, channel, 100, str_of(text));
            } else if (choice == 1) {
                struct plan_class class = LIVING_ANY;
                unsigned number = (unsigned)rng_below(&rng, CLASSES);
                snprintf(text, sizeof text, "zone!=z%u", number);
                class.selector = str_of(text);
                struct plan plan = living_plan(&LIVING_TASK, 1, NULL, 0);
                plan.classes = &class;
                struct event event = living_submission(&plan);
                turn(&fleet, &event);
                while (fleet.engine->jobs_first != NULL) { /* it is read until then */
                    turn(&fleet, NULL);
                }
            } else {
                turn(&fleet, NULL);
            }
            busy += fleet.engine->match_first != NULL && fleet.engine->link_first != NULL;
        }
        settle(&fleet);
        expect_matched(&fleet);
        fleet_end(&fleet);
    }
    assert_true(busy > SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_is_matched_with_many_devices_over_several_turns),
        cmocka_unit_test(whoever_comes_when_all_that_fit_find_each_other_once),
        cmocka_unit_test(all_that_were_kept_for_what_is_paused_are_given_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
