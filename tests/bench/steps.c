/* What is much at once, in the engine alone: the longest turn of each, of which the slowest is the figure.
   What the store makes of its rows is not in it; the units count those. */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/rig.h"

enum {
    TASKS = 100000,
    MILLION = 1000000,
    HELD = 10000,
    SLOTS = 4096,
    CLASSES = 2000,
    MANY_CLASSES = 19000,
    FIRST_HELD = TASKS / 2
};

struct big {
    struct plan plan;
    struct plan_policy policy;
    struct plan_task *tasks;
    struct plan_edge *edges;
};

static struct big *big_new(uint32_t tasks, uint32_t edges)
{
    struct big *big = mem_alloc(sizeof *big);
    big->tasks = mem_array(tasks, sizeof *big->tasks);
    big->edges = mem_array(edges + 1, sizeof *big->edges);
    for (uint32_t i = 0; i < tasks; i++) {
        big->tasks[i].key = STR("task");
    }
    big->policy = rig_policy;
    big->plan = (struct plan){ .name = STR("bench"),
                               .classes = &rig_class,
                               .classes_count = 1,
                               .policies = &big->policy,
                               .policies_count = 1,
                               .tasks = big->tasks,
                               .tasks_count = tasks,
                               .edges = big->edges };
    return big;
}

static void big_free(struct big *big)
{
    mem_free(big->tasks);
    mem_free(big->edges);
    mem_free(big);
}

static void put_edge(struct big *big, uint32_t from, uint32_t to)
{
    big->edges[big->plan.edges_count++] =
        (struct plan_edge){ .from = from, .to = to, .when = EDGE_WHEN_SUCCESS };
}

static void pass_time(struct rig *rig, int64_t ms)
{
    rig->now.boot_ms += ms;
    rig->now.wall_ms += ms;
}

static void finish(struct rig *rig, uint64_t fence, int exit_code)
{
    struct msg message = { .kind = MSG_FINISHED };
    message.finished.fence = fence;
    message.finished.outcome = OUTCOME_EXITED;
    message.finished.exit_code = exit_code;
    struct event event = { .kind = EVENT_MESSAGE };
    event.message.channel = 1;
    event.message.msg = &message;
    rig_turn(rig, &event);
}

/* --- The cases: each leaves the longest turn in the rig --- */

/* A hold on 10,000 tasks is placed, and expires: they fail. */
static void hold_many(struct rig *rig)
{
    struct big *big = big_new(TASKS, 0);
    rig_submit(rig, &big->plan);
    int64_t ids[HELD];
    for (int64_t i = 0; i < HELD; i++) {
        ids[i] = FIRST_HELD + i;
    }
    struct event event = { .kind = EVENT_HOLD };
    event.hold.constellation_id = rig->constellation_id;
    event.hold.scope = HOLD_TASKS;
    event.hold.origin = HOLD_BY_REQUEST;
    event.hold.on_expiry = HOLD_EXPIRY_FAIL;
    event.hold.length_ms = 1000;
    event.hold.task_ids = ids;
    event.hold.task_ids_count = HELD;
    event.hold.owner = STR("bench");
    rig->longest_turn_s = 0;
    rig_turn(rig, &event);
    pass_time(rig, event.hold.length_ms);
    rig_settle(rig);
    big_free(big);
}

/* Failures are held, and all is cancelled. */
static void cancel_many(struct rig *rig)
{
    struct big *big = big_new(TASKS, 0);
    big->policy.hold_on_failure_ms = 1000000;
    rig_submit(rig, &big->plan);
    rig_connect(rig, SLOTS);
    for (size_t i = 0; i < SLOTS; i++) {
        finish(rig, rig->fences[i], 1);
    }
    struct event event = { .kind = EVENT_CANCEL };
    event.cancel.constellation_id = rig->constellation_id;
    event.cancel.actor = STR("bench");
    rig->longest_turn_s = 0;
    rig_turn(rig, &event);
    rig_settle(rig);
    big_free(big);
}

/* A device with 4,096 attempts is not heard of, until they are given up; then it comes back with all of
   them. */
static void lose_many(struct rig *rig)
{
    struct big *big = big_new(TASKS, 0);
    rig_submit(rig, &big->plan);
    rig_connect(rig, SLOTS);
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = 1;
    event.channel_closed.reason = STR("cut");
    rig->longest_turn_s = 0;
    rig_turn(rig, &event);
    pass_time(rig, 1000000);
    rig_settle(rig);
    struct msg_held *held = mem_array(SLOTS, sizeof *held);
    for (size_t i = 0; i < SLOTS; i++) {
        held[i] = (struct msg_held){ .fence = rig->fences[i], .state = HELD_RUNNING };
    }
    rig_return(rig, SLOTS, held, SLOTS);
    mem_free(held);
    big_free(big);
}

/* One task before, and one behind, all others: an edit links the two, and the first ends. */
static void pass_hubs(struct rig *rig)
{
    struct big *big = big_new(TASKS, 2 * TASKS);
    for (uint32_t i = 1; i + 1 < TASKS; i++) {
        put_edge(big, 0, i);
    }
    for (uint32_t i = 1; i + 1 < TASKS; i++) {
        put_edge(big, i, TASKS - 1);
    }
    rig_submit(rig, &big->plan);
    rig_connect(rig, 1);
    struct edit_operation operation = { .kind = EDIT_ADD_EDGE };
    operation.edge.from = 1;
    operation.edge.to = TASKS;
    operation.edge.when = EDGE_WHEN_ALWAYS;
    operation.edge.named = true;
    operation.edge.plan = (struct plan_edge){ .when = EDGE_WHEN_ALWAYS, .named = true };
    struct edit edit = { .operations = &operation, .operations_count = 1 };
    rig->longest_turn_s = 0;
    rig_edit(rig, &edit);
    rig_finish(rig, rig->fences[0]);
    rig_settle(rig);
    big_free(big);
}

/* Of a million tasks in two chains, which take turns in the order, the last of the one is to go before the
   first of the other: it is looked for, given up, and made without the order, which is made anew. */
static void turn_against_order(struct rig *rig)
{
    struct big *big = big_new(MILLION, MILLION);
    for (uint32_t i = 0; i + 2 < MILLION; i++) {
        put_edge(big, i, i + 2);
    }
    rig_submit(rig, &big->plan);
    struct edit_operation operation = { .kind = EDIT_ADD_EDGE };
    operation.edge.from = MILLION - 1;
    operation.edge.to = 2;
    operation.edge.when = operation.edge.plan.when = EDGE_WHEN_SUCCESS;
    operation.edge.named = operation.edge.plan.named = true;
    struct edit edit = { .constellation_id = rig->constellation_id,
                         .operations = &operation,
                         .operations_count = 1,
                         .author_kind = AUTHOR_USER,
                         .author = STR("bench"),
                         .text = STR("[]"),
                         .inverse = STR("[]") };
    struct event event = { .kind = EVENT_EDIT };
    event.edit.edit = &edit;
    rig->longest_turn_s = 0;
    rig_turn(rig, &event);
    if (rig->reply != ERR_CONFLICT) {
        bench_die("the engine looks through a million tasks for an edit");
    }
    event = (struct event){ .kind = EVENT_BULK_BEGIN };
    event.bulk_begin.constellation_id = rig->constellation_id;
    event.bulk_begin.operations = 1;
    event.bulk_begin.actor = edit.author;
    rig_turn(rig, &event);
    event = (struct event){ .kind = EVENT_BULK_ADMIT };
    event.bulk_admit.constellation_id = rig->constellation_id;
    event.bulk_admit.bulk_id = 1;
    event.bulk_admit.parts = 1;
    event.bulk_admit.operations = 1;
    event.bulk_admit.edit = &edit;
    event.bulk_admit.actor = edit.author;
    rig_turn(rig, &event);
    const struct edit_section last = { .bulk_id = 1, .is_last = true };
    edit.part = &last;
    event = (struct event){ .kind = EVENT_BULK_PART };
    event.bulk_part.bulk_id = 1;
    event.bulk_part.edit = &edit;
    rig_turn(rig, &event);
    rig_settle(rig);
    if (rig->reply != ERR_NONE) {
        bench_die("the engine refuses a large edit");
    }
    big_free(big);
}

/* All tasks are ready, and of so many classes. */
static void submit_classes(struct rig *rig, uint32_t count)
{
    static char selectors[MANY_CLASSES][16];
    struct plan_class *classes = mem_array(count, sizeof *classes);
    struct big *big = big_new(TASKS, 0);
    for (size_t i = 0; i < count; i++) {
        struct buf text = { 0 };
        buf_printf(&text, "zone!=z%zu", i);
        memcpy(selectors[i], text.data, text.length);
        classes[i] = rig_class;
        classes[i].selector = (struct str){ selectors[i], text.length };
        buf_done(&text);
    }
    for (uint32_t i = 0; i < TASKS; i++) {
        big->tasks[i].class_index = i % count;
    }
    big->plan.classes = classes;
    big->plan.classes_count = count;
    rig_submit(rig, &big->plan);
    mem_free(classes);
    big_free(big);
}

/* Tasks of 2,000 classes meet a device that has room for 4,096 of them. */
static void place_classes(struct rig *rig)
{
    submit_classes(rig, CLASSES);
    rig->longest_turn_s = 0;
    rig_connect(rig, SLOTS);
}

/* A device that 19,000 classes fit comes, goes, and comes back with other slots: what it has is another
   thing. */
static void match_again(struct rig *rig)
{
    submit_classes(rig, MANY_CLASSES);
    rig->longest_turn_s = 0;
    rig_connect(rig, SLOTS);
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = 1;
    event.channel_closed.reason = STR("cut");
    rig_turn(rig, &event);
    rig_connect(rig, SLOTS / 2);
}

/* One fails, and all behind it is skipped. */
static void skip_many(struct rig *rig)
{
    struct big *big = big_new(TASKS, TASKS);
    for (uint32_t i = 1; i < TASKS; i++) {
        put_edge(big, 0, i);
    }
    rig_submit(rig, &big->plan);
    rig_connect(rig, 1);
    rig->longest_turn_s = 0;
    finish(rig, rig->fences[0], 1);
    rig_settle(rig);
    big_free(big);
}

void figure_steps(struct bench *bench)
{
    static const struct {
        const char *name;
        void (*run)(struct rig *rig);
    } cases[] = {
        { "hold_10000_ms", hold_many },       { "cancel_100000_ms", cancel_many },
        { "lose_4096_ms", lose_many },        { "hubs_of_100000_ms", pass_hubs },
        { "classes_2000_ms", place_classes }, { "skip_100000_ms", skip_many },
        { "match_19000_ms", match_again },    { "against_order_of_1000000_ms", turn_against_order },
    };
    struct figure figure = {
        .name = "engine_longest_step", .unit = "ms", .kind = FIGURE_COST, .target = 20
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig *rig = rig_new(false);
        cases[i].run(rig);
        double longest_ms = rig->longest_turn_s * 1e3;
        figure_floor(&figure, cases[i].name, longest_ms);
        figure.value = longest_ms > figure.value ? longest_ms : figure.value;
        rig_free(rig);
    }
    figure_report(bench, &figure);
}
