/* The engine against the reference model: random plans, random results, edits, holds, cancels, retries
   and reruns; after each step the same states, decisions and refusals. A failure prints its seed:
   unit_living_model --seed N replays it, --steps N makes more or fewer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "orchestrator/engine/model.h"
#include "tests/unit/living_model.h"
#include "tests/unit/living_world.h"

enum { SLOTS = 3, OPERATIONS = 12, EACH_MIN = 100, PLAN_TASKS = 200 };

static uint64_t only_seed;
static uint64_t last_seed;
static long steps_wanted = 200000;

/* What the runs have reached: a rule that is never tried is not tested. */
enum reached {
    REACHED_SUCCESS,
    REACHED_FAILURE,
    REACHED_CANCELLED,
    REACHED_CANCEL,
    REACHED_CANCEL_AGAIN,
    REACHED_FAIL_FAST,
    REACHED_HOLD,
    REACHED_PAUSE,
    REACHED_RELEASE,
    REACHED_APPROVED,
    REACHED_DENIED,
    REACHED_FAILURE_HOLD,
    REACHED_GATE,
    REACHED_SKIP,
    REACHED_FINALLY,
    REACHED_JOIN_ANY,
    REACHED_CONDITION,
    REACHED_EDIT,
    REACHED_PARTS,
    REACHED_DRY_RUN,
    REACHED_REBASE,
    REACHED_INVERSE,
    REACHED_EDIT_REOPENS,
    REACHED_RETRY,
    REACHED_RERUN,
    REACHED_KEPT_SKIPPED,
    REACHED_REOPENED,
    REACHED_TASK_RUNNING,
    REACHED_NOT_FINAL,
    REACHED_NOT_FAILED,
    REACHED_TASK_SKIPPED,
    REACHED_UNKNOWN_TASK,
    REACHED_STOPPING,
    REACHED_TASK_UNKNOWN,
    REACHED_NOT_UNKNOWN,
    REACHED_RESOLVE_CANCELLED,
    REACHED_STARTED,
    REACHED_RETRIED,
    REACHED_INTERRUPTED,
    REACHED_CUT,
    REACHED_CUT_OFF,
    REACHED_UNKNOWN,
    REACHED_WOKEN,
    REACHED_NEVER_BEGAN,
    REACHED_DIED,
    REACHED_POISON,
    REACHED_ADOPTED,
    REACHED_HEARD_OF_AGAIN,
    REACHED_PROVEN,
    REACHED_RESOLVED_SUCCEEDED,
    REACHED_RESOLVED_FAILED,
    REACHED_RESOLVED_RETRY,
    REACHED_END,
};
static const char *const REACHED[REACHED_END] = {
    "success",
    "failure",
    "cancelled",
    "cancel",
    "cancel again",
    "fail_fast",
    "hold",
    "pause",
    "release",
    "approved",
    "denied",
    "failure hold",
    "gate",
    "skip",
    "finally",
    "join any",
    "condition",
    "edit",
    "edit in parts",
    "dry run",
    "rebase",
    "inverse",
    "edit reopens",
    "retry",
    "rerun",
    "kept skipped",
    "reopened",
    "task_running",
    "not_final",
    "not_failed",
    "task_skipped",
    "unknown_task",
    "constellation_stopping",
    "task_unknown",
    "not_unknown",
    "cancelled",
    "started",
    "tried again",
    "interrupted",
    "cut",
    "cut off",
    "unknown",
    "woken",
    "never began",
    "died",
    "poison",
    "adopted",
    "heard of again",
    "proven",
    "resolved as succeeded",
    "resolved as failed",
    "resolved by another try",
};
static long reached[REACHED_END];
static long instant; /* backoffs of no length */
static long refused[EDIT_CODES_END];

static const struct plan_class ANY = { .executor = EXECUTOR_NOOP };
enum { POLICIES_COUNT = 6, BACKOFF_MS = 1000, BACKOFFS_MS_MAX = 62000 };
/* Nothing but what happens in a step ends a hold: time passes for backoffs, and for those who are away. */
#define HOLD_MS INT64_C(1000000000000)
#define POLICY(ATTEMPTS, LOST, EFFECT, HOLD)                                                       \
    {                                                                                              \
        .max_attempts = (ATTEMPTS), .max_lost = (LOST), .backoff_base_ms = BACKOFF_MS,             \
        .backoff_max_ms = BACKOFF_MS, .backoff_factor_permille = 1000, .kill_grace_ms = 1000,      \
        .effect = (EFFECT), .hold_on_failure_ms = (HOLD)                                           \
    }
static const struct plan_policy POLICIES[POLICIES_COUNT] = {
    POLICY(1, 3, TASK_IDEMPOTENT, 0), POLICY(1, 4, TASK_IDEMPOTENT, HOLD_MS),
    POLICY(1, 3, TASK_ONCE, 0),       POLICY(3, 1, TASK_PURE, 0),
    POLICY(2, 2, TASK_ONCE, HOLD_MS), POLICY(2, 2, TASK_IDEMPOTENT, 0),
};

struct play {
    struct rng rng;
    struct living *living;
    struct model model;
    /* The edit that is made up. */
    struct edit_operation operations[OPERATIONS];
    struct plan_task plans[OPERATIONS];
    struct model_policy policies[OPERATIONS];
    struct edit_expect expect;
    struct edit edit;
    /* An edge that the last edit added: taking it back is its inverse. */
    int64_t last_edge;
    bool is_cut;
    uint32_t backed_off[MODEL_TASKS]; /* as many attempts it had when it last backed off */
};

static uint64_t below(struct play *play, uint64_t bound)
{
    return rng_below(&play->rng, bound);
}

static bool one_in(struct play *play, uint64_t n)
{
    return below(play, n) == 0;
}

static int condition_of(int64_t edge_id, int64_t from_id, uint32_t attempts)
{
    uint64_t sum = (uint64_t)edge_id * 31 + (uint64_t)from_id * 7 + attempts;
    return (int)(hash_uint64(sum) % 3);
}

static int answer_condition(void *context, int64_t edge_id, int64_t from_id)
{
    struct play *play = context;
    reached[REACHED_CONDITION]++;
    return condition_of(edge_id, from_id, living_task(play->living, from_id)->attempts);
}

static struct model_policy policy_of(uint64_t index)
{
    const struct plan_policy *plan = &POLICIES[index];
    return (struct model_policy){ .holds_failure = plan->hold_on_failure_ms > 0,
                                  .once = plan->effect == TASK_ONCE,
                                  .max_attempts = plan->max_attempts,
                                  .max_lost = plan->max_lost };
}

/* --- After each step --- */

static void take_assignments(struct play *play)
{
    for (size_t i = 0; i < play->living->assigned_count; i++) {
        int t = model_find(&play->model, play->living->assigned[i].task_id);
        assert_true(t >= 0);
        if (!model_may_run(&play->model, t)) {
            fail_msg("task %lld was assigned and may not run", (long long)play->model.tasks[t].id);
        }
        model_assigned(&play->model, t);
    }
}

static void compare_task(struct play *play, int t)
{
    const struct model_task *ours = &play->model.tasks[t];
    const struct task_record *theirs = living_task(play->living, ours->id);
    assert_non_null(theirs);
    if (theirs->state != ours->state || theirs->attempts != ours->attempts ||
        theirs->round != ours->round || theirs->revision != ours->revision ||
        theirs->first_attempt != ours->first || theirs->flags != ours->flags ||
        theirs->tries != ours->tries || theirs->lost != ours->lost) {
        fail_msg("task %lld is %s, attempts %u-%u, tries %u, lost %u, round %u, revision %u, flags "
                 "%u; it should be %s, %u-%u, %u, %u, %u, %u, %u",
                 (long long)ours->id, task_state_name((enum task_state)theirs->state),
                 theirs->first_attempt, theirs->attempts, theirs->tries, theirs->lost,
                 theirs->round, theirs->revision, theirs->flags, task_state_name(ours->state),
                 ours->first, ours->attempts, ours->tries, ours->lost, ours->round, ours->revision,
                 ours->flags);
    }
    const char *state = engine_task_state(play->living->engine, 1, ours->id);
    bool is_ready = state != NULL && strcmp(state, "ready") == 0;
    if (play->model.state == CONSTELLATION_RUNNING && is_ready != model_is_ready(&play->model, t)) {
        fail_msg("task %lld is %s ready", (long long)ours->id, is_ready ? "wrongly" : "not");
    }
}

static bool is_under_way(const struct model_task *task)
{
    return task->state == TASK_ASSIGNED || task->state == TASK_RUNNING;
}

static void compare(struct play *play)
{
    const struct model *model = &play->model;
    int under_way = 0;
    int could_run = 0;
    uint32_t tasks = 0;
    uint32_t edges = 0;
    if (play->living->constellation.state != model->state ||
        play->living->constellation.revision != model->revision) {
        fail_msg("the constellation is %s at revision %u, not %s at %u",
                 constellation_state_name(play->living->constellation.state),
                 play->living->constellation.revision, constellation_state_name(model->state),
                 model->revision);
    }
    for (int t = 0; t < model->tasks_top; t++) {
        if (model->tasks[t].used) {
            tasks++;
            compare_task(play, t);
            under_way += is_under_way(&model->tasks[t]);
            could_run += model_may_run(model, t);
        }
    }
    for (int e = 0; e < model->edges_top; e++) {
        const struct model_edge *edge = &model->edges[e];
        if (edge->used) {
            const struct edge_record *record = living_edge(play->living, edge->id);
            edges++;
            assert_non_null(record);
            if (record->decision != edge->decision || record->when != edge->when) {
                fail_msg("edge %lld is %d, not %d", (long long)edge->id, (int)record->decision,
                         (int)edge->decision);
            }
        }
    }
    assert_int_equal(tasks, play->living->constellation.tasks);
    assert_int_equal(edges, play->living->constellation.edges);
    if (under_way < SLOTS && could_run > 0 && !play->is_cut) {
        fail_msg("a task could run and does not");
    }
}

/* A backoff is as long as chance says, once in some hundred times not at all. */
static void end_backoffs_of_no_length(struct play *play)
{
    for (int t = 0; t < play->model.tasks_top; t++) {
        struct model_task *task = &play->model.tasks[t];
        if (!task->used || task->state != TASK_BACKOFF || play->backed_off[t] == task->attempts) {
            continue;
        }
        play->backed_off[t] = task->attempts;
        reached[REACHED_RETRIED]++;
        if (living_task(play->living, task->id)->state != TASK_BACKOFF) {
            task->state = TASK_WAITING;
            instant++;
        }
    }
}

static void go_on(struct play *play)
{
    struct model *model = &play->model;
    enum task_state before[MODEL_TASKS] = { 0 };
    for (int t = 0; t < model->tasks_top; t++) {
        before[t] = model->tasks[t].state;
    }
    living_settle(play->living);
    model_run(model);
    end_backoffs_of_no_length(play);
    model_run(model);
    take_assignments(play);
    for (int t = 0; t < model->tasks_top; t++) {
        const struct model_task *task = &model->tasks[t];
        if (task->used && task->state != before[t]) {
            reached[REACHED_SKIP] += task->state == TASK_SKIPPED;
            reached[REACHED_CANCELLED] += task->state == TASK_CANCELLED;
            reached[REACHED_GATE] += task->state == TASK_SUCCEEDED;
            reached[REACHED_FINALLY] += (task->flags & TASK_FINALLY) != 0;
            reached[REACHED_JOIN_ANY] +=
                (task->flags & TASK_JOIN_ANY) != 0 && task->state == TASK_ASSIGNED;
        }
    }
    reached[REACHED_FAIL_FAST] += model->stops;
    model->stops = 0;
    compare(play);
    living_check(play->living);
}

/* --- What may happen --- */

static int any_task(struct play *play)
{
    int t = (int)below(play, (uint64_t)play->model.tasks_top);
    for (int i = 0; i < play->model.tasks_top && !play->model.tasks[t].used; i++) {
        t = (t + 1) % play->model.tasks_top;
    }
    return t;
}

static int any_in_state(struct play *play, enum task_state state)
{
    int first = any_task(play);
    for (int i = 0; i < play->model.tasks_top; i++) {
        int t = (first + i) % play->model.tasks_top;
        if (play->model.tasks[t].used && play->model.tasks[t].state == state) {
            return t;
        }
    }
    return -1;
}

static int any_under_way(struct play *play)
{
    int t = any_in_state(play, one_in(play, 2) ? TASK_ASSIGNED : TASK_RUNNING);
    return t >= 0 ? t : any_in_state(play, TASK_ASSIGNED);
}

static void start(struct play *play, int t)
{
    struct model_task *task = &play->model.tasks[t];
    living_say(play->living,
               &(struct msg){ .kind = MSG_STARTED,
                              .started = { .fence = living_task(play->living, task->id)->fence,
                                           .wall_ms = play->living->now.wall_ms } });
    model_started(&play->model, t);
    reached[REACHED_STARTED]++;
    go_on(play);
}

static void finish(struct play *play)
{
    int t = play->is_cut ? -1 : any_under_way(play);
    if (t < 0) {
        return;
    }
    struct model *model = &play->model;
    struct model_task *task = &model->tasks[t];
    if (task->state == TASK_ASSIGNED && one_in(play, 3)) {
        start(play, t);
        return;
    }
    bool stops = !model_is_spared(model, t);
    enum model_end end = one_in(play, stops ? 2 : 9) ? MODEL_STOPPED
                         : one_in(play, 3)           ? MODEL_FAILED
                                                     : MODEL_SUCCEEDED;
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = living_task(play->living, task->id)->fence;
    msg.finished.outcome = end == MODEL_STOPPED ? OUTCOME_CANCELLED : OUTCOME_EXITED;
    msg.finished.exit_code = end == MODEL_FAILED;
    msg.finished.reason = end == MODEL_SUCCEEDED ? STR("") : STR("it went wrong");
    msg.finished.started_wall_ms = task->has_begun ? play->living->now.wall_ms : 0;
    living_say(play->living, &msg);
    model_ended(model, t, end);
    reached[REACHED_SUCCESS] += end == MODEL_SUCCEEDED;
    reached[REACHED_FAILURE] += end == MODEL_FAILED;
    reached[REACHED_INTERRUPTED] += end == MODEL_STOPPED && !stops;
    reached[REACHED_UNKNOWN] += task->state == TASK_UNKNOWN;
    reached[REACHED_FAILURE_HOLD] += task->failure_held;
    go_on(play);
}

/* --- Attempts that are lost --- */

static void pass_time(struct play *play, int64_t ms)
{
    play->living->now.boot_ms += ms;
    play->living->now.wall_ms += ms;
    living_turn(play->living, NULL, 0);
}

/* Those that may be heard of again, as the engine has them: the last first. */
static size_t list_attempts(struct play *play, int list[MODEL_TASKS])
{
    size_t count = 0;
    for (int t = 0; t < play->model.tasks_top; t++) {
        const struct model_task *task = &play->model.tasks[t];
        if (!task->used || !task->has_attempt) {
            continue;
        }
        size_t at = count++;
        uint64_t fence = living_task(play->living, task->id)->fence;
        for (;
             at > 0 && living_task(play->living, play->model.tasks[list[at - 1]].id)->fence < fence;
             at--) {
            list[at] = list[at - 1];
        }
        list[at] = t;
    }
    return count;
}

static void cut(struct play *play)
{
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = LIVING_CHANNEL;
    event.channel_closed.reason = STR("cut");
    living_turn(play->living, &event, 1);
    play->is_cut = true;
    reached[REACHED_CUT]++;
    go_on(play);
}

static void note_loss(const struct model_task *before, const struct model_task *after)
{
    reached[REACHED_UNKNOWN] += after->state == TASK_UNKNOWN && before->state != TASK_UNKNOWN;
    reached[REACHED_DIED] += after->lost > before->lost;
    reached[REACHED_POISON] += after->state == TASK_FAILED;
    reached[REACHED_NEVER_BEGAN] += after->is_gone && !before->is_gone;
    reached[REACHED_ADOPTED] += before->state != after->state && is_under_way(after);
    reached[REACHED_HEARD_OF_AGAIN] += before->state == TASK_UNKNOWN && is_under_way(after);
    reached[REACHED_PROVEN] +=
        before->state == TASK_UNKNOWN && after->state != TASK_UNKNOWN && !is_under_way(after);
}

/* Long enough for every backoff; and for whoever is away to be given up. */
static void wait_long(struct play *play)
{
    struct model *model = &play->model;
    int list[MODEL_TASKS];
    size_t count = list_attempts(play, list);
    for (size_t i = 0; i < count && !play->is_cut; i++) {
        if (!model_is_spared(model, list[i]) && !model->tasks[list[i]].is_lost) {
            return; /* a stop that is not confirmed would be given up */
        }
    }
    for (int t = 0; t < model->tasks_top; t++) {
        reached[REACHED_WOKEN] += model->tasks[t].used && model->tasks[t].state == TASK_BACKOFF;
    }
    model_wake(model);
    if (play->is_cut) {
        for (size_t i = 0; i < count; i++) {
            const struct model_task before = model->tasks[list[i]];
            model_cut_off(model, list[i]);
            note_loss(&before, &model->tasks[list[i]]);
            reached[REACHED_CUT_OFF]++;
        }
        pass_time(play, 400000);
        go_on(play);
        return;
    }
    model_run(model);
    for (int i = 0; i < 2; i++) {
        pass_time(play, BACKOFFS_MS_MAX / 2);
        take_assignments(play);
        living_say(play->living, &(struct msg){ .kind = MSG_PING });
        take_assignments(play);
    }
    living_turn(play->living, NULL, 0);
    go_on(play);
}

/* What an honest device may say of it: 0 nothing. */
static enum held_state any_held(struct play *play, const struct model_task *task, bool same_boot)
{
    if (task->is_gone) {
        return (enum held_state)0;
    }
    if (task->has_begun) {
        return same_boot && one_in(play, 2) ? HELD_RUNNING
               : one_in(play, 3)            ? HELD_FINISHED
                                            : HELD_DIED;
    }
    bool may_be_absent = !task->is_accepted || (!same_boot && !task->policy.once);
    uint64_t kind = below(play, 6);
    return kind < 2 && may_be_absent ? (enum held_state)0
           : kind == 2               ? HELD_DIED
           : kind == 3               ? HELD_FINISHED
           : kind == 4 && same_boot  ? HELD_RUNNING
                                     : HELD_ACCEPTED;
}

static void come_back(struct play *play)
{
    struct model *model = &play->model;
    int list[MODEL_TASKS];
    struct msg_held held[MODEL_TASKS];
    enum held_state said[MODEL_TASKS];
    size_t count = list_attempts(play, list);
    size_t held_count = 0;
    bool same_boot = !one_in(play, 3);
    for (size_t i = 0; i < count; i++) {
        const struct model_task *task = &model->tasks[list[i]];
        said[i] = any_held(play, task, same_boot);
        if (said[i] != 0) {
            held[held_count++] =
                (struct msg_held){ living_task(play->living, task->id)->fence, said[i] };
        }
    }
    living_return(play->living, !same_boot, held, held_count);
    play->is_cut = false;
    for (int absent = 1; absent >= 0; absent--) {
        for (size_t i = 0; i < count; i++) {
            const struct model_task before = model->tasks[list[i]];
            if ((said[i] == 0) == absent) {
                model_returned(model, list[i], said[i], same_boot);
                note_loss(&before, &model->tasks[list[i]]);
            }
        }
    }
    go_on(play);
}

static void resolve(struct play *play)
{
    int t = any_in_state(play, TASK_UNKNOWN);
    if (t < 0 || one_in(play, 6)) {
        t = any_task(play);
    }
    struct event event = { .kind = EVENT_RESOLVE };
    event.resolve.constellation_id = 1;
    event.resolve.task_id = play->model.tasks[t].id;
    event.resolve.resolution = !model_is_spared(&play->model, t) && one_in(play, 2)
                                   ? RESOLVE_RETRY
                                   : (enum resolution)(1 + below(play, 3));
    event.resolve.actor = STR("ada");
    living_turn(play->living, &event, 1);
    char ours[512];
    snprintf(ours, sizeof ours, "%s", play->living->why);
    ours[strcspn(ours, ":")] = '\0';
    const char *theirs = model_resolve(&play->model, t, event.resolve.resolution);
    assert_string_equal(ours, theirs);
    if (theirs[0] == '\0') {
        reached[REACHED_RESOLVED_SUCCEEDED + (int)event.resolve.resolution - 1]++;
    } else {
        reached[theirs[0] == 'c' ? REACHED_RESOLVE_CANCELLED : REACHED_NOT_UNKNOWN]++;
    }
    go_on(play);
}

static void cancel(struct play *play)
{
    struct event event = { .kind = EVENT_CANCEL };
    event.cancel.constellation_id = 1;
    event.cancel.actor = STR("ada");
    bool again = play->model.cancel;
    living_turn(play->living, &event, 1);
    assert_int_equal(play->living->err == ERR_NONE, model_cancel(&play->model));
    reached[again ? REACHED_CANCEL_AGAIN : REACHED_CANCEL]++;
    go_on(play);
}

static void hold(struct play *play)
{
    struct model *model = &play->model;
    int t = any_task(play);
    struct event event = { .kind = EVENT_HOLD };
    event.hold.constellation_id = 1;
    event.hold.scope = (enum hold_scope)(1 + below(play, 3));
    event.hold.origin = HOLD_BY_REQUEST;
    event.hold.on_expiry = HOLD_EXPIRY_RELEASE;
    event.hold.task_ids = &model->tasks[t].id;
    event.hold.task_ids_count = event.hold.scope != HOLD_ALL;
    event.hold.owner = STR("ada");
    if (event.hold.scope == HOLD_ALL && one_in(play, 2)) {
        event.hold.origin = HOLD_PAUSE;
        for (int h = 0; h < model->holds_top; h++) {
            if (model->holds[h].used && model->holds[h].origin == HOLD_PAUSE) {
                return;
            }
        }
        reached[REACHED_PAUSE]++;
    }
    living_turn(play->living, &event, 1);
    assert_int_equal(play->living->err, ERR_NONE);
    struct model_hold *placed = model_hold(model, event.hold.scope, event.hold.origin, t);
    placed->id = 0;
    if (event.hold.scope == HOLD_TASKS) {
        placed->names[t] = true;
    }
    for (bool is_changed = event.hold.scope == HOLD_DESCENDANTS; is_changed;) {
        is_changed = false;
        for (int e = 0; e < model->edges_top; e++) {
            const struct model_edge *edge = &model->edges[e];
            if (edge->used && (edge->from == t || placed->names[edge->from]) &&
                !placed->names[edge->to]) {
                placed->names[edge->to] = is_changed = true;
            }
        }
    }
    living_settle(play->living);
    reached[REACHED_HOLD]++;
    placed->id = play->living->hold_id;
    go_on(play);
}

static int any_hold(struct play *play)
{
    struct model *model = &play->model;
    if (model->holds_top == 0) {
        return -1;
    }
    int first = (int)below(play, (uint64_t)model->holds_top);
    for (int i = 0; i < model->holds_top; i++) {
        int h = (first + i) % model->holds_top;
        if (model->holds[h].used) {
            if (model->holds[h].origin == HOLD_APPROVAL || model->holds[h].origin == HOLD_FAILURE) {
                model->holds[h].id = living_find_hold(play->living, model->holds[h].origin,
                                                      model->tasks[model->holds[h].root].id);
            }
            if (model->holds[h].id == 0) {
                fail_msg("a hold of origin %d, scope %d, root %lld is not there",
                         (int)model->holds[h].origin, (int)model->holds[h].scope,
                         (long long)model->tasks[model->holds[h].root].id);
            }
            return h;
        }
    }
    return -1;
}

static void release(struct play *play)
{
    int h = any_hold(play);
    if (h < 0) {
        return;
    }
    struct model_hold *held = &play->model.holds[h];
    bool is_approval = held->origin == HOLD_APPROVAL;
    struct event event = { .kind = EVENT_RELEASE };
    event.release.constellation_id = 1;
    event.release.hold_id = held->id;
    event.release.approved = !is_approval || !one_in(play, 3);
    event.release.actor = STR("ada");
    living_turn(play->living, &event, 1);
    assert_int_equal(play->living->err, ERR_NONE);
    reached[!is_approval             ? REACHED_RELEASE
            : event.release.approved ? REACHED_APPROVED
                                     : REACHED_DENIED]++;
    model_release(&play->model, held, event.release.approved);
    go_on(play);
}

static void reopen(struct play *play)
{
    struct event event = { .kind = EVENT_REOPEN };
    int64_t ids[3];
    size_t count = 1 + below(play, 2);
    for (size_t i = 0; i < count; i++) {
        int failed = any_in_state(play, one_in(play, 2) ? TASK_UNKNOWN : TASK_FAILED);
        int t = failed >= 0 && one_in(play, 2) ? failed : any_task(play);
        ids[i] = one_in(play, 20) ? 1000000 : play->model.tasks[t].id;
    }
    event.reopen.constellation_id = 1;
    event.reopen.task_ids = ids;
    event.reopen.task_ids_count = count;
    event.reopen.rerun = one_in(play, 2);
    event.reopen.keep_skipped = !event.reopen.rerun && one_in(play, 3);
    event.reopen.actor = STR("ada");
    bool was_final = play->model.state != CONSTELLATION_RUNNING;
    living_turn(play->living, &event, 1);
    char ours[512];
    snprintf(ours, sizeof ours, "%s", play->living->why);
    ours[strcspn(ours, ":")] = '\0';
    const char *theirs =
        model_reopen(&play->model, ids, count, event.reopen.rerun, event.reopen.keep_skipped);
    assert_string_equal(ours, theirs);
    for (int i = REACHED_TASK_RUNNING; i <= REACHED_TASK_UNKNOWN; i++) {
        reached[i] += strcmp(theirs, REACHED[i]) == 0;
    }
    if (theirs[0] == '\0') {
        reached[event.reopen.rerun ? REACHED_RERUN : REACHED_RETRY]++;
        reached[REACHED_KEPT_SKIPPED] += event.reopen.keep_skipped;
        reached[REACHED_REOPENED] += was_final;
    }
    go_on(play);
}

/* --- Edits --- */

static unsigned any_flags(struct play *play)
{
    unsigned flags = 0;
    flags |= one_in(play, 3) ? TASK_JOIN_ANY : 0;
    flags |= one_in(play, 4) ? TASK_ALLOW_FAILURE : 0;
    flags |= one_in(play, 7) ? TASK_FINALLY : 0;
    flags |= one_in(play, 5) ? TASK_GATE : 0;
    flags |= one_in(play, 10) ? TASK_APPROVAL : 0;
    return flags;
}

static size_t any_policy(struct play *play)
{
    static const size_t often[] = { 0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5 };
    return often[below(play, sizeof often / sizeof often[0])];
}

/* One of the plan, of the batch, or none at all. */
static edit_task any_name(struct play *play)
{
    if (play->edit.tasks_added > 0 && one_in(play, 3)) {
        return -1 - (edit_task)below(play, play->edit.tasks_added);
    }
    return one_in(play, 40) ? 1000000 : play->model.tasks[any_task(play)].id;
}

static int64_t any_edge(struct play *play)
{
    int top = play->model.edges_top;
    if (top == 0 || one_in(play, 15)) {
        return 1000000;
    }
    int first = (int)below(play, (uint64_t)top);
    for (int i = 0; i < top; i++) {
        if (play->model.edges[(first + i) % top].used) {
            return play->model.edges[(first + i) % top].id;
        }
    }
    return 1000000;
}

static void make_up_task(struct play *play, struct edit_operation *operation, size_t i)
{
    play->plans[i] = (struct plan_task){ .key = STR("k"), .body = STR("b") };
    play->plans[i].flags = (uint16_t)any_flags(play);
    size_t policy = any_policy(play);
    play->policies[i] = policy_of(policy);
    operation->write.plan = &play->plans[i];
    operation->write.class = &ANY;
    operation->write.policy = &POLICIES[policy];
}

static void make_up_operation(struct play *play, size_t i)
{
    static const enum edit_kind kinds[] = { EDIT_ADD_TASK,    EDIT_ADD_TASK,    EDIT_REMOVE_TASK,
                                            EDIT_UPDATE_TASK, EDIT_ADD_EDGE,    EDIT_ADD_EDGE,
                                            EDIT_ADD_EDGE,    EDIT_UPDATE_EDGE, EDIT_REMOVE_EDGE,
                                            EDIT_REMOVE_EDGE, EDIT_SET,         EDIT_TOUCH };
    struct edit_operation *operation = &play->operations[i];
    *operation = (struct edit_operation){ .index = (uint32_t)i };
    operation->kind = kinds[below(play, sizeof kinds / sizeof kinds[0])];
    switch (operation->kind) {
    case EDIT_ADD_TASK:
        make_up_task(play, operation, i);
        operation->write.task = -1 - (edit_task)play->edit.tasks_added++;
        break;
    case EDIT_UPDATE_TASK:
        make_up_task(play, operation, i);
        operation->write.task = play->model.tasks[any_task(play)].id;
        break;
    case EDIT_REMOVE_TASK:
        operation->task = play->model.tasks[any_task(play)].id;
        break;
    case EDIT_TOUCH:
        operation->task = any_name(play);
        break;
    case EDIT_SET:
        operation->set.fail_fast = one_in(play, 4);
        break;
    case EDIT_ADD_EDGE:
    case EDIT_UPDATE_EDGE:
    case EDIT_REMOVE_EDGE:
        operation->edge.from = any_name(play);
        operation->edge.to = any_name(play);
        operation->edge.edge_id = any_edge(play);
        operation->edge.when = (enum edge_when)(1 + below(play, 4));
        operation->edge.named = true;
        operation->edge.plan.required = one_in(play, 4);
        if (one_in(play, 5)) {
            static char texts[OPERATIONS][32];
            snprintf(texts[i], sizeof texts[i], "number > %zu", i);
            operation->edge.plan.condition = str_of(texts[i]);
        }
        break;
    }
}

static void make_up_edit(struct play *play)
{
    struct model *model = &play->model;
    size_t count = 1 + below(play, one_in(play, 4) ? OPERATIONS : 3);
    play->edit = (struct edit){ .constellation_id = 1,
                                .operations = play->operations,
                                .author_kind = AUTHOR_PLANNER,
                                .author = STR("planner") };
    int live = 0;
    for (int t = 0; t < model->tasks_top; t++) {
        live += model->tasks[t].used;
    }
    for (size_t i = 0; i < count; i++) {
        do {
            make_up_operation(play, i);
        } while (live > MODEL_TASKS - 2 * OPERATIONS && play->operations[i].kind == EDIT_ADD_TASK);
    }
    if (one_in(play, 6) && play->last_edge != 0) {
        count = 1;
        play->edit.tasks_added = 0;
        play->operations[0] = (struct edit_operation){ .kind = EDIT_REMOVE_EDGE };
        play->operations[0].edge.edge_id = play->last_edge;
        play->last_edge = 0;
        reached[REACHED_INVERSE]++;
    }
    if (live <= 3 && one_in(play, 2)) { /* all that there is */
        count = 0;
        play->edit.tasks_added = 0;
        for (int t = 0; t < model->tasks_top; t++) {
            if (model->tasks[t].used) {
                play->operations[count] =
                    (struct edit_operation){ .kind = EDIT_REMOVE_TASK, .index = (uint32_t)count };
                play->operations[count++].task = model->tasks[t].id;
            }
        }
    }
    play->edit.operations_count = count;
    if (one_in(play, 3)) {
        play->edit.base_revision = (uint32_t)below(play, model->revision + 1U);
        play->edit.base_revision += one_in(play, 15) ? model->revision + 1 : 0;
        play->edit.exact = one_in(play, 4);
    }
    if (one_in(play, 8)) {
        play->expect = (struct edit_expect){
            .task_id = model->tasks[any_task(play)].id,
            .state = (uint8_t)(1 + below(play, 9)),
            .index = 0,
        };
        play->edit.expects = &play->expect;
        play->edit.expects_count = 1;
    }
    int h = one_in(play, 6) ? any_hold(play) : -1;
    play->edit.release_hold_id = h >= 0 ? model->holds[h].id : one_in(play, 40) ? 999999 : 0;
}

static int by_index(const void *a, const void *b)
{
    const struct model_problem *x = a;
    const struct model_problem *y = b;
    if (x->in_expect != y->in_expect) {
        return x->in_expect - y->in_expect;
    }
    uint32_t of_x = x->index + 1;
    uint32_t of_y = y->index + 1;
    return of_x != of_y ? (of_x > of_y) - (of_x < of_y) : (int)x->code - (int)y->code;
}

static void compare_problems(struct play *play)
{
    struct model *model = &play->model;
    const struct edit_result *result = &play->living->edit;
    qsort(model->problems, model->problems_count, sizeof model->problems[0], by_index);
    for (size_t i = 0; i < model->problems_count || i < result->problems_count; i++) {
        bool ours = i < result->problems_count;
        bool theirs = i < model->problems_count;
        if (!ours || !theirs || result->problems[i].index != model->problems[i].index ||
            result->problems[i].code != model->problems[i].code) {
            fail_msg("problem %zu is %s at %u, not %s at %u", i,
                     ours ? edit_code_name(result->problems[i].code) : "missing",
                     ours ? result->problems[i].index : 0,
                     theirs ? edit_code_name(model->problems[i].code) : "missing",
                     theirs ? model->problems[i].index : 0);
        }
        refused[model->problems[i].code]++;
    }
}

static void dry_run(struct play *play, struct edit_result *ret_result)
{
    struct buf before = { 0 };
    struct buf after = { 0 };
    play->edit.dry_run = true;
    engine_dump(play->living->engine, &before);
    living_edit(play->living, &play->edit);
    *ret_result = play->living->edit;
    model_edit(&play->model, &play->edit, play->policies);
    compare_problems(play);
    play->edit.dry_run = false;
    if (play->model.state == CONSTELLATION_RUNNING) {
        engine_dump(play->living->engine, &after);
        assert_string_equal(buf_text(&before), buf_text(&after));
    }
    buf_done(&before);
    buf_done(&after);
    go_on(play);
    if (play->model.state != CONSTELLATION_RUNNING) {
        living_revive(play->living);
    }
    reached[REACHED_DRY_RUN]++;
}

static void name_new(struct play *play)
{
    struct model *model = &play->model;
    struct living *living = play->living;
    assert_int_equal(living->new_tasks_count, play->edit.tasks_added);
    assert_int_equal(living->new_edges_count, model->added_edges_count);
    for (size_t i = 0; i < play->edit.tasks_added; i++) {
        model->tasks[model->added[i]].id = play->living->new_tasks[i];
        model->tasks[model->added[i]].is_new = false;
    }
    /* An edit that is made in parts brings them in another order. */
    for (size_t i = 0; i < model->added_edges_count; i++) {
        struct model_edge *edge = &model->edges[model->added_edges[i]];
        for (size_t k = 0; k < living->new_edges_count && edge->id == 0; k++) {
            const struct edge_record *record = living_edge(living, living->new_edges[k]);
            if (living->new_edges[k] != 0 && record->from_id == model->tasks[edge->from].id &&
                record->to_id == model->tasks[edge->to].id && record->when == edge->when &&
                record->conditional == edge->conditional && record->required == edge->required) {
                edge->id = play->last_edge = living->new_edges[k];
                living->new_edges[k] = 0;
            }
        }
        assert_int_not_equal(edge->id, 0);
        edge->is_new = false;
    }
}

static void edit(struct play *play)
{
    struct edit_result dry = { 0 };
    struct model *model = &play->model;
    make_up_edit(play);
    bool is_dry = one_in(play, 4) && !(model->cancel || model->stopping);
    if (is_dry) {
        dry_run(play, &dry);
    }
    bool was_final = model->state != CONSTELLATION_RUNNING;
    bool is_stale = play->edit.base_revision > 0 && play->edit.base_revision < model->revision;
    /* In parts of a few rows: nobody must be able to tell, but that it reopens what has ended. */
    model->is_in_parts = one_in(play, 3) && (was_final || !(model->cancel || model->stopping));
    if (model->is_in_parts) {
        living_bulk(play->living, &play->edit, 1 + below(play, 12));
    } else {
        living_edit(play->living, &play->edit);
    }
    const struct edit_result result = play->living->edit;
    bool is_applied = model_edit(model, &play->edit, play->policies);
    assert_int_equal(play->living->err == ERR_NONE, is_applied);
    compare_problems(play);
    if (is_applied) {
        reached[REACHED_EDIT]++;
        reached[REACHED_PARTS] += model->is_in_parts;
        reached[REACHED_REBASE] += is_stale;
        reached[REACHED_EDIT_REOPENS] += was_final && model->state == CONSTELLATION_RUNNING;
        name_new(play);
    }
    if (is_dry) {
        assert_int_equal(dry.problems_count, result.problems_count);
        assert_int_equal(dry.revision, result.revision);
        assert_int_equal(dry.newly_ready_count, result.newly_ready_count);
        assert_int_equal(dry.newly_skipped_count, result.newly_skipped_count);
    }
    go_on(play);
}

/* --- A run --- */

static void submit(struct play *play)
{
    struct model *model = &play->model;
    static struct plan_task tasks[PLAN_TASKS];
    static struct plan_edge edges[PLAN_TASKS * 2];
    size_t size = one_in(play, 40) ? PLAN_TASKS : one_in(play, 8) ? 30 : 8;
    size_t count = 1 + below(play, size);
    size_t edges_count = 0;
    model->revision = 1;
    model->state = CONSTELLATION_RUNNING;
    model->condition = condition_of;
    model->fail_fast = one_in(play, 5);
    for (size_t i = 0; i < count; i++) {
        unsigned flags = any_flags(play);
        size_t policy = any_policy(play);
        tasks[i] = (struct plan_task){ .key = STR("k"), .body = STR("b") };
        tasks[i].flags = (uint16_t)flags;
        tasks[i].policy_index = (uint32_t)policy;
        int t = model_add_task(model, flags, policy_of(policy));
        model->tasks[t].id = (int64_t)i + 1;
        if ((flags & TASK_APPROVAL) != 0) {
            model_hold(model, HOLD_TASKS, HOLD_APPROVAL, t)->names[t] = true;
        }
        for (size_t k = 0; i > 0 && k < 2; k++) {
            uint32_t from = (uint32_t)below(play, i);
            bool is_early = (tasks[from].flags & TASK_FINALLY) != 0 && (flags & TASK_FINALLY) == 0;
            bool is_same = k == 1 && edges_count > 0 && edges[edges_count - 1].to == i;
            if (is_early || is_same || one_in(play, 4)) {
                continue;
            }
            struct plan_edge edge = { .from = from,
                                      .to = (uint32_t)i,
                                      .when = (enum edge_when)(1 + below(play, 4)),
                                      .named = true,
                                      .required = one_in(play, 5) };
            if (one_in(play, 6)) {
                edge.condition = STR("number > 3");
            }
            int e = model_add_edge(model, (int)from, t, edge.when, edge.required,
                                   edge.condition.length > 0);
            edges[edges_count++] = edge;
            model->edges[e].id = (int64_t)edges_count;
        }
    }
    struct plan plan = { .name = STR("plan"),
                         .classes = &ANY,
                         .classes_count = 1,
                         .policies = POLICIES,
                         .policies_count = POLICIES_COUNT,
                         .tasks = tasks,
                         .tasks_count = count,
                         .edges = edges,
                         .edges_count = edges_count,
                         .fail_fast = model->fail_fast };
    living_submit(play->living, &plan);
    if (one_in(play, 4)) {
        model->tasks_max = (int)(count + below(play, 6));
        model->edges_max = (int)(edges_count + 1 + below(play, 3));
        play->living->engine->config.plan_tasks_max = (uint32_t)model->tasks_max;
        play->living->engine->config.plan_edges_max = (uint32_t)model->edges_max;
    }
    go_on(play);
}

static void happen(struct play *play)
{
    if (play->model.state != CONSTELLATION_RUNNING) {
        living_revive(play->living);
        (one_in(play, 2) ? reopen : edit)(play);
        return;
    }
    if (any_in_state(play, TASK_UNKNOWN) >= 0 && one_in(play, 5)) {
        (one_in(play, 3) ? reopen : resolve)(play);
        return;
    }
    if (play->is_cut && one_in(play, 3)) {
        (one_in(play, 3) ? wait_long : come_back)(play);
        return;
    }
    uint64_t choice = below(play, 112);
    if (choice >= 109) {
        resolve(play);
    } else if (choice >= 106) {
        wait_long(play);
    } else if (choice >= 100 && any_under_way(play) >= 0 && !play->is_cut) {
        cut(play);
    } else if (choice < 45 || choice >= 100) {
        finish(play);
    } else if (choice < 75) {
        edit(play);
    } else if (choice < 81) {
        hold(play);
    } else if (choice < 91) {
        release(play);
    } else if (choice < 97) {
        reopen(play);
    } else {
        cancel(play);
    }
}

static long run(uint64_t seed)
{
    struct play *play = mem_alloc(sizeof *play);
    rng_init(&play->rng, seed);
    play->living = living_new(SLOTS);
    play->living->condition = answer_condition;
    play->living->context = play;
    submit(play);
    long steps = 20 + (long)below(play, 100);
    for (long i = 0; i < steps; i++) {
        happen(play);
        if (one_in(play, 20)) {
            living_compare(play->living);
        }
    }
    living_compare(play->living);
    living_free(play->living);
    mem_free(play);
    return steps;
}

static void the_engine_does_what_the_model_does(void **state)
{
    (void)state;
    long steps = 0;
    for (uint64_t seed = only_seed == 0 ? 1 : only_seed; steps < steps_wanted; seed++) {
        last_seed = seed;
        steps += run(seed);
        if (only_seed != 0) {
            return;
        }
    }
    for (int i = 0; i < REACHED_END; i++) {
        if (reached[i] < EACH_MIN) {
            fail_msg("%s was reached %ld times only", REACHED[i], reached[i]);
        }
    }
    assert_true(instant < reached[REACHED_RETRIED] / 50);
    for (int i = 1; i < EDIT_CODES_END; i++) {

        /* Of thousands of rows, and not for a model that goes over all of them again and again: each has a
           test of its own, in test_edit.c, test_living_limits.c and test_slices.c. */
        bool is_limit =
            i == EDIT_CODE_TOO_MANY_CLASSES || i == EDIT_CODE_TOO_LARGE || i == EDIT_CODE_REOPENING;
        if (refused[i] < EACH_MIN && !is_limit) {
            fail_msg("%s was refused %ld times only", edit_code_name((enum edit_code)i),
                     refused[i]);
        }
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            only_seed = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--steps") == 0) {
            steps_wanted = strtol(argv[i + 1], NULL, 10);
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_does_what_the_model_does),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed > 0) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)last_seed);
    }
    return failed;
}
