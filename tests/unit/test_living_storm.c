/* Several things in one turn, before anything that follows from them has been worked off: results, edits,
   holds, retries, cancels, lost attempts and what a person decides of them, while conditions are asked and
   queues are half empty. No model says what must come of it: after each turn no invariant is broken, what
   would be loaded is what there is, and when the storm is over, everything ends. --seed N replays one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/unit/living_world.h"

enum { SLOTS = 4, AT_ONCE = 4, OPERATIONS = 5, PLAN_TASKS = 40, TURNS = 150, SEEDS = 1000 };

static uint64_t only_seed;
static uint64_t last_seed;

enum done {
    DONE_RESULT,
    DONE_EDIT,
    DONE_REFUSED_EDIT,
    DONE_HOLD,
    DONE_RELEASE,
    DONE_REOPEN,
    DONE_RESOLVE,
    DONE_CANCEL,
    DONE_CUT,
    DONE_UNKNOWN,
    DONE_REVIVED,
    DONE_PARTS,
    DONE_REFUSED_PARTS,
    DONE_RESTART,
    DONE_END,
};
static const char *const NAMES[DONE_END] = { "result",
                                             "edit",
                                             "refused edit",
                                             "hold",
                                             "release",
                                             "reopen",
                                             "resolve",
                                             "cancel",
                                             "cut",
                                             "unknown",
                                             "revived",
                                             "edit in parts",
                                             "refused edit in parts",
                                             "restart within it" };
static long done[DONE_END];

static const struct plan_class ANY = { .executor = EXECUTOR_NOOP };
static const struct plan_policy POLICIES[] = {
    { .max_attempts = 2,
      .max_lost = 2,
      .backoff_base_ms = 1000,
      .backoff_max_ms = 1000,
      .backoff_factor_permille = 1000,
      .kill_grace_ms = 1000 },
    { .max_attempts = 1,
      .max_lost = 3,
      .backoff_factor_permille = 1000,
      .kill_grace_ms = 1000,
      .effect = TASK_ONCE },
    { .max_attempts = 1,
      .max_lost = 3,
      .backoff_factor_permille = 1000,
      .kill_grace_ms = 1000,
      .hold_on_failure_ms = 5000 },
};

/* What one event refers to while it is stepped. */
struct matter {
    struct msg msg;
    struct edit edit;
    struct edit_operation operations[OPERATIONS];
    struct plan_task plans[OPERATIONS];
    int64_t ids[2];
};

struct storm {
    struct rng rng;
    struct living *living;
    bool is_cut;
    struct matter matters[AT_ONCE];
    struct matter large; /* of an edit that is made in parts */
    int64_t checked_id;  /* its number while it is checked; 0: there is none */
};

static uint64_t below(struct storm *storm, uint64_t bound)
{
    return rng_below(&storm->rng, bound);
}

static bool one_in(struct storm *storm, uint64_t n)
{
    return below(storm, n) == 0;
}

/* One that is there, nearly always. */
static int64_t any_task(struct storm *storm)
{
    int64_t id = 0;
    for (int i = 0; i < 30; i++) {
        id = 1 + (int64_t)below(storm, (uint64_t)storm->living->last_id);
        if (living_task(storm->living, id) != NULL) {
            break;
        }
    }
    return id;
}

static int64_t any_in_state(struct storm *storm, enum task_state state)
{
    int64_t first = any_task(storm);
    for (int64_t i = 0; i < storm->living->last_id; i++) {
        int64_t id = 1 + (first + i) % storm->living->last_id;
        const struct task_record *task = living_task(storm->living, id);
        if (task != NULL && task->state == state) {
            return id;
        }
    }
    return 0;
}

static int64_t any_edge(struct storm *storm)
{
    int64_t id = 0;
    for (int i = 0; i < 30; i++) {
        id = 1 + (int64_t)below(storm, (uint64_t)storm->living->last_id);
        if (living_edge(storm->living, id) != NULL) {
            break;
        }
    }
    return id;
}

static uint16_t any_flags(struct storm *storm)
{
    static const unsigned flags[] = {
        0, 0, 0, TASK_JOIN_ANY, TASK_FINALLY, TASK_GATE, TASK_ALLOW_FAILURE
    };
    return (uint16_t)flags[below(storm, sizeof flags / sizeof flags[0])];
}

static struct plan_edge any_kind(struct storm *storm)
{
    struct plan_edge edge = { .when = (enum edge_when)(1 + below(storm, 4)),
                              .required = one_in(storm, 6),
                              .named = true };
    if (one_in(storm, 4)) {
        edge.condition = STR("number > 3");
    }
    return edge;
}

static struct plan_task any_plan(struct storm *storm)
{
    return (struct plan_task){ .key = STR("k"),
                               .body = STR("b"),
                               .flags = any_flags(storm),
                               .policy_index = (uint32_t)below(storm, 3),
                               .has_references = one_in(storm, 4),
                               .hold = one_in(storm, 15) ? STR("look") : STR("") };
}

static int answer_condition(void *context, int64_t edge_id, int64_t from_id)
{
    (void)edge_id;
    (void)from_id;
    return (int)below(context, 3);
}

/* --- What may happen: each fills in an event; false: nothing of the kind can --- */

static bool result(struct storm *storm, struct matter *matter, struct event *event)
{
    int64_t id = any_in_state(storm, one_in(storm, 4) ? TASK_RUNNING : TASK_ASSIGNED);
    id = id == 0 ? any_in_state(storm, TASK_RUNNING) : id;
    if (id == 0 || storm->is_cut) {
        return false;
    }
    matter->msg = (struct msg){ .kind = MSG_FINISHED };
    matter->msg.finished.fence = living_task(storm->living, id)->fence;
    matter->msg.finished.outcome = one_in(storm, 10) ? OUTCOME_CANCELLED : OUTCOME_EXITED;
    matter->msg.finished.exit_code = one_in(storm, 3);
    event->kind = EVENT_MESSAGE;
    event->message.channel = LIVING_CHANNEL;
    event->message.msg = &matter->msg;
    done[DONE_RESULT]++;
    return true;
}

static void write_operation(struct storm *storm, struct matter *matter, size_t at)
{
    struct edit_operation *operation = &matter->operations[at];
    *operation = (struct edit_operation){ .index = (uint32_t)at };
    switch (below(storm, 8)) {
    case 0:
    case 1:
        operation->kind = EDIT_ADD_TASK;
        operation->write.task = -1 - (edit_task)matter->edit.tasks_added++;
        break;
    case 2:
        operation->kind = EDIT_UPDATE_TASK;
        operation->write.task = any_task(storm);
        break;
    case 3:
        operation->kind = EDIT_REMOVE_TASK;
        operation->task = any_task(storm);
        return;
    case 4:
        operation->kind = one_in(storm, 2) ? EDIT_REMOVE_EDGE : EDIT_UPDATE_EDGE;
        operation->edge.edge_id = any_edge(storm);
        operation->edge.plan = any_kind(storm);
        operation->edge.when = operation->edge.plan.when;
        return;
    default:
        operation->kind = EDIT_ADD_EDGE;
        operation->edge.from = any_task(storm);
        operation->edge.to =
            matter->edit.tasks_added > 0 && one_in(storm, 2) ? -1 : any_task(storm);
        operation->edge.plan = any_kind(storm);
        operation->edge.when = operation->edge.plan.when;
        return;
    }
    matter->plans[at] = any_plan(storm);
    operation->write.plan = &matter->plans[at];
    operation->write.class = &ANY;
    operation->write.policy = &POLICIES[matter->plans[at].policy_index];
}

static void write_edit(struct storm *storm, struct matter *matter)
{
    size_t count = 1 + below(storm, OPERATIONS);
    matter->edit = (struct edit){ .constellation_id = 1,
                                  .dry_run = one_in(storm, 10),
                                  .operations = matter->operations,
                                  .author = STR("ada") };
    for (size_t i = 0; i < count; i++) {
        write_operation(storm, matter, i);
    }
    matter->edit.operations_count = count;
}

static bool change(struct storm *storm, struct matter *matter, struct event *event)
{
    write_edit(storm, matter);
    event->kind = EVENT_EDIT;
    event->edit.edit = &matter->edit;
    done[DONE_EDIT]++;
    return true;
}

/* One that is made in parts: it is begun, and some turns later what came of its check is said. */
static bool change_much(struct storm *storm, struct matter *matter, struct event *event)
{
    (void)matter;
    if (storm->checked_id != 0 || storm->living->bulk.id != 0 ||
        storm->living->constellation.state != CONSTELLATION_RUNNING) {
        return false;
    }
    write_edit(storm, &storm->large);
    storm->large.edit.dry_run = false;
    *event = living_bulk_begin(&storm->large.edit);
    return true;
}

static bool say_what_came_of_it(struct storm *storm, struct event *event)
{
    if (storm->checked_id == 0) {
        return false;
    }
    *event = living_bulk_check(storm->living, &storm->large.edit, storm->checked_id,
                               1 + below(storm, 9));
    storm->checked_id = 0;
    done[event->kind == EVENT_BULK_ADMIT ? DONE_PARTS : DONE_REFUSED_PARTS]++;
    return true;
}

static bool hold(struct storm *storm, struct matter *matter, struct event *event)
{
    event->kind = EVENT_HOLD;
    event->hold.constellation_id = 1;
    event->hold.scope = (enum hold_scope)(1 + below(storm, 3));
    bool is_all = event->hold.scope == HOLD_ALL;
    event->hold.origin = is_all && one_in(storm, 2) ? HOLD_PAUSE : HOLD_BY_REQUEST;
    event->hold.on_expiry = one_in(storm, 3) ? HOLD_EXPIRY_FAIL : HOLD_EXPIRY_RELEASE;
    event->hold.length_ms = 1000 + (int64_t)below(storm, 5000);
    matter->ids[0] = any_task(storm);
    event->hold.task_ids = matter->ids;
    event->hold.task_ids_count = !is_all;
    event->hold.owner = STR("ada");
    done[DONE_HOLD]++;
    return true;
}

static bool release(struct storm *storm, struct matter *matter, struct event *event)
{
    (void)matter;
    struct hold_view view = { .record = NULL };
    int64_t id = 0;
    while (engine_next_hold(storm->living->engine, 1, &view)) {
        id = id == 0 || one_in(storm, 2) ? view.record->id : id;
    }
    event->kind = EVENT_RELEASE;
    event->release.constellation_id = 1;
    event->release.hold_id = id;
    event->release.approved = !one_in(storm, 4);
    event->release.actor = STR("ada");
    done[DONE_RELEASE] += id != 0;
    return id != 0;
}

static bool reopen(struct storm *storm, struct matter *matter, struct event *event)
{
    int64_t failed = any_in_state(storm, TASK_FAILED);
    matter->ids[0] = failed == 0 || one_in(storm, 3) ? any_task(storm) : failed;
    matter->ids[1] = any_task(storm);
    event->kind = EVENT_REOPEN;
    event->reopen.constellation_id = 1;
    event->reopen.task_ids = matter->ids;
    event->reopen.task_ids_count = one_in(storm, 4) ? 2 : 1;
    event->reopen.rerun = one_in(storm, 2);
    event->reopen.keep_skipped = one_in(storm, 4);
    event->reopen.actor = STR("ada");
    done[DONE_REOPEN]++;
    return true;
}

static bool resolve(struct storm *storm, struct matter *matter, struct event *event)
{
    (void)matter;
    int64_t unknown = any_in_state(storm, TASK_UNKNOWN);
    event->kind = EVENT_RESOLVE;
    event->resolve.constellation_id = 1;
    event->resolve.task_id = unknown == 0 ? any_task(storm) : unknown;
    event->resolve.resolution = (enum resolution)(1 + below(storm, 3));
    event->resolve.actor = STR("ada");
    done[DONE_RESOLVE] += unknown != 0;
    return true;
}

static bool cancel(struct storm *storm, struct matter *matter, struct event *event)
{
    (void)matter;
    event->kind = EVENT_CANCEL;
    event->cancel.constellation_id = 1;
    event->cancel.actor = STR("ada");
    bool happens = one_in(storm, 4);
    done[DONE_CANCEL] += happens;
    return happens;
}

static bool cut(struct storm *storm, struct matter *matter, struct event *event)
{
    (void)matter;
    if (storm->is_cut || !one_in(storm, 3)) {
        return false;
    }
    event->kind = EVENT_CHANNEL_CLOSED;
    event->channel_closed.channel = LIVING_CHANNEL;
    event->channel_closed.reason = STR("cut");
    storm->is_cut = true;
    done[DONE_CUT]++;
    return true;
}

static bool anything(struct storm *storm, struct matter *matter, struct event *event)
{
    static bool (*const kinds[])(struct storm *, struct matter *, struct event *) = {
        result,  result,  result, result,  change, change, change,      hold,
        release, release, reopen, resolve, cancel, cut,    change_much,
    };
    *event = (struct event){ 0 };
    return kinds[below(storm, sizeof kinds / sizeof kinds[0])](storm, matter, event);
}

/* --- The course of it --- */

static void pass_time(struct storm *storm, int64_t ms)
{
    storm->living->now.boot_ms += ms;
    storm->living->now.wall_ms += ms;
    if (!storm->is_cut) {
        struct msg msg = { .kind = MSG_PING };
        struct event event = { .kind = EVENT_MESSAGE,
                               .message = { .channel = LIVING_CHANNEL, .msg = &msg } };
        living_turn(storm->living, &event, 1);
    }
}

static void look(struct storm *storm)
{
    living_check(storm->living);
    done[DONE_UNKNOWN] += any_in_state(storm, TASK_UNKNOWN) != 0;
    if (one_in(storm, 10)) {
        living_compare(storm->living);
    }
}

/* Of what was sent to it something had begun, and is dead; or runs. */
static void come_back(struct storm *storm, bool died)
{
    struct msg_held held[SLOTS];
    size_t count = 0;
    if (!storm->is_cut) {
        return;
    }
    for (int64_t id = 1; id <= storm->living->last_id && count < SLOTS; id++) {
        const struct task_record *task = living_task(storm->living, id);
        bool may_have =
            task != NULL && (task->state == TASK_ASSIGNED || task->state == TASK_RUNNING ||
                             task->state == TASK_UNKNOWN);
        if (may_have && !one_in(storm, 3)) {
            bool runs = !died && one_in(storm, 3);
            held[count++] = (struct msg_held){ task->fence, runs ? HELD_RUNNING : HELD_DIED };
        }
    }
    storm->is_cut = false;
    living_return(storm->living, died, held, count);
}

static void turn(struct storm *storm)
{
    struct event events[AT_ONCE];
    size_t count = 0;
    bool is_final = storm->living->constellation.state != CONSTELLATION_RUNNING;
    if (is_final) {
        living_revive(storm->living);
        done[DONE_REVIVED]++;
    }
    size_t wanted = 1 + below(storm, AT_ONCE);
    if (one_in(storm, 2)) {
        count += say_what_came_of_it(storm, &events[count]);
    }
    for (size_t i = count; i < wanted; i++) {
        count += anything(storm, &storm->matters[count], &events[count]);
    }
    bool is_made = storm->living->bulk.id != 0;
    living_turn(storm->living, events, count);
    if (storm->living->bulk.id == 0 && !is_made) {
        storm->checked_id = living_find_hold(storm->living, HOLD_BULK, 0);
    }
    done[DONE_REFUSED_EDIT] += storm->living->has_edit && storm->living->edit.problems_count > 0;
    look(storm);
    if (one_in(storm, 3)) {
        pass_time(storm, (int64_t)below(storm, 3000));
    }
    if ((storm->checked_id != 0 || storm->living->bulk.id != 0) && one_in(storm, 12)) {
        living_restart(storm->living);
        storm->is_cut = false;
        storm->checked_id = 0; /* nobody says anything of it any more */
        done[DONE_RESTART]++;
        look(storm);
    }
    if (storm->is_cut && one_in(storm, 4)) {
        if (one_in(storm, 2)) {
            pass_time(storm, 400000); /* given up */
            living_turn(storm->living, NULL, 0);
            look(storm);
        }
        come_back(storm, one_in(storm, 2));
    }
}

/* Everybody does their part: then it must end. */
static void calm(struct storm *storm)
{
    struct event said;
    come_back(storm, true);
    if (say_what_came_of_it(storm, &said)) {
        living_turn(storm->living, &said, 1);
    }
    for (int i = 0; storm->living->constellation.state == CONSTELLATION_RUNNING; i++) {
        if (i == 3000) {
            struct buf text = { 0 };
            engine_dump(storm->living->engine, &text);
            print_error("%s\n", buf_text(&text));
            fail_msg("it does not end");
        }
        struct matter *matter = &storm->matters[0];
        struct event event = { 0 };
        bool (*const parts[])(struct storm *, struct matter *, struct event *) = { release, result,
                                                                                   resolve };
        for (size_t k = 0; k < 3; k++) {
            event = (struct event){ 0 };
            if (parts[k](storm, matter, &event)) {
                event.resolve.resolution =
                    event.kind == EVENT_RESOLVE ? RESOLVE_SUCCEEDED : event.resolve.resolution;
                living_turn(storm->living, &event, 1);
            }
        }
        pass_time(storm, 1000);
        living_check(storm->living);
    }
    living_settle(storm->living);
    living_compare(storm->living);
}

static void submit(struct storm *storm)
{
    struct plan_task tasks[PLAN_TASKS];
    struct plan_edge edges[PLAN_TASKS * 2];
    size_t edges_count = 0;
    for (uint32_t i = 0; i < PLAN_TASKS; i++) {
        tasks[i] = any_plan(storm);
        tasks[i].flags = (uint16_t)(tasks[i].flags & ~(unsigned)TASK_FINALLY);
        for (size_t k = 0; i > 0 && k < below(storm, 3); k++) {
            edges[edges_count] = any_kind(storm);
            edges[edges_count].from = (uint32_t)below(storm, i);
            edges[edges_count].to = i;
            edges_count++;
        }
    }
    struct plan plan = { .name = STR("plan"),
                         .classes = &ANY,
                         .classes_count = 1,
                         .policies = POLICIES,
                         .policies_count = 3,
                         .tasks = tasks,
                         .tasks_count = PLAN_TASKS,
                         .edges = edges,
                         .edges_count = edges_count,
                         .fail_fast = one_in(storm, 6) };
    living_submit(storm->living, &plan);
}

static void nothing_breaks_and_everything_ends(void **state)
{
    (void)state;
    for (uint64_t seed = only_seed == 0 ? 1 : only_seed; seed <= SEEDS || only_seed != 0; seed++) {
        last_seed = seed;
        struct storm *storm = mem_alloc(sizeof *storm);
        rng_init(&storm->rng, seed);
        /* A few rows a turn: what is long for others is long here too. */
        storm->living = living_new_slow(SLOTS, seed % 4 == 0 ? 0 : 1 + (uint32_t)(seed % 9));
        storm->living->condition = answer_condition;
        storm->living->context = storm;
        living_limit_looks(storm->living, seed % 3 == 0 ? 0 : 1 + below(storm, 30));
        storm->living->put_off_every = seed % 5 == 1 ? 0 : (uint32_t)(seed % 5);
        submit(storm);
        for (int i = 0; i < TURNS; i++) {
            turn(storm);
        }
        living_revive(storm->living);
        calm(storm);
        living_free(storm->living);
        mem_free(storm);
        if (only_seed != 0) {
            return;
        }
    }
    for (int i = 0; i < DONE_END; i++) {
        if (done[i] < 100) {
            fail_msg("%s happened %ld times only", NAMES[i], done[i]);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seed") == 0) {
        only_seed = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_breaks_and_everything_ends),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed > 0) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)last_seed);
    }
    return failed;
}
