/* A play: what the runs have reached, what is compared after each step, and any task of some kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/living_play.h"

const char *const play_reached_names[REACHED_END] = {
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
    "edit that is too much for a turn",
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
long play_reached[REACHED_END];
long play_refused[EDIT_CODES_END];
long play_instants;

const struct plan_class PLAY_CLASS = { .executor = EXECUTOR_NOOP };
enum { BACKOFF_MS = 1000 };
/* Nothing but what happens in a step ends a hold: time passes for backoffs, and for those who are away. */
#define HOLD_MS INT64_C(1000000000000)
#define POLICY(ATTEMPTS, LOST, EFFECT, HOLD)                                                       \
    {                                                                                              \
        .max_attempts = (ATTEMPTS), .max_lost = (LOST), .backoff_base_ms = BACKOFF_MS,             \
        .backoff_max_ms = BACKOFF_MS, .backoff_factor_permille = 1000, .kill_grace_ms = 1000,      \
        .effect = (EFFECT), .hold_on_failure_ms = (HOLD)                                           \
    }
const struct plan_policy PLAY_POLICIES[PLAY_POLICIES_COUNT] = {
    POLICY(1, 3, TASK_IDEMPOTENT, 0), POLICY(1, 4, TASK_IDEMPOTENT, HOLD_MS),
    POLICY(1, 3, TASK_ONCE, 0),       POLICY(3, 1, TASK_PURE, 0),
    POLICY(2, 2, TASK_ONCE, HOLD_MS), POLICY(2, 2, TASK_IDEMPOTENT, 0),
};

uint64_t play_below(struct play *play, uint64_t bound)
{
    return rng_below(&play->rng, bound);
}

bool play_one_in(struct play *play, uint64_t n)
{
    return play_below(play, n) == 0;
}

struct model_policy play_policy_of(uint64_t index)
{
    const struct plan_policy *plan = &PLAY_POLICIES[index];
    return (struct model_policy){ .holds_failure = plan->hold_on_failure_ms > 0,
                                  .once = plan->effect == TASK_ONCE,
                                  .max_attempts = plan->max_attempts,
                                  .max_lost = plan->max_lost };
}

/* --- After each step --- */

void play_take_assignments(struct play *play)
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

bool play_is_under_way(const struct model_task *task)
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
            under_way += play_is_under_way(&model->tasks[t]);
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
    if (under_way < PLAY_SLOTS && could_run > 0 && !play->is_cut) {
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
        play_reached[REACHED_RETRIED]++;
        if (living_task(play->living, task->id)->state != TASK_BACKOFF) {
            task->state = TASK_WAITING;
            play_instants++;
        }
    }
}

void play_go_on(struct play *play)
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
    play_take_assignments(play);
    for (int t = 0; t < model->tasks_top; t++) {
        const struct model_task *task = &model->tasks[t];
        if (task->used && task->state != before[t]) {
            play_reached[REACHED_SKIP] += task->state == TASK_SKIPPED;
            play_reached[REACHED_CANCELLED] += task->state == TASK_CANCELLED;
            play_reached[REACHED_GATE] += task->state == TASK_SUCCEEDED;
            play_reached[REACHED_FINALLY] += (task->flags & TASK_FINALLY) != 0;
            play_reached[REACHED_JOIN_ANY] +=
                (task->flags & TASK_JOIN_ANY) != 0 && task->state == TASK_ASSIGNED;
        }
    }
    play_reached[REACHED_FAIL_FAST] += model->stops;
    model->stops = 0;
    compare(play);
    living_check(play->living);
}

/* --- What may happen --- */

int play_any_task(struct play *play)
{
    int t = (int)play_below(play, (uint64_t)play->model.tasks_top);
    for (int i = 0; i < play->model.tasks_top && !play->model.tasks[t].used; i++) {
        t = (t + 1) % play->model.tasks_top;
    }
    return t;
}

int play_any_in_state(struct play *play, enum task_state state)
{
    int first = play_any_task(play);
    for (int i = 0; i < play->model.tasks_top; i++) {
        int t = (first + i) % play->model.tasks_top;
        if (play->model.tasks[t].used && play->model.tasks[t].state == state) {
            return t;
        }
    }
    return -1;
}

int play_any_under_way(struct play *play)
{
    int t = play_any_in_state(play, play_one_in(play, 2) ? TASK_ASSIGNED : TASK_RUNNING);
    return t >= 0 ? t : play_any_in_state(play, TASK_ASSIGNED);
}
