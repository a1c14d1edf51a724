/* A play: attempts begin and end, and are lost with their device and heard of again. */
#include "tests/unit/living_play.h"

static void start(struct play *play, int t)
{
    struct model_task *task = &play->model.tasks[t];
    living_say(play->living,
               &(struct msg){ .kind = MSG_STARTED,
                              .started = { .fence = living_task(play->living, task->id)->fence,
                                           .wall_ms = play->living->now.wall_ms } });
    model_started(&play->model, t);
    play_reached[REACHED_STARTED]++;
    play_go_on(play);
}

void play_finish(struct play *play)
{
    int t = play->is_cut ? -1 : play_any_under_way(play);
    if (t < 0) {
        return;
    }
    struct model *model = &play->model;
    struct model_task *task = &model->tasks[t];
    if (task->state == TASK_ASSIGNED && play_one_in(play, 3)) {
        start(play, t);
        return;
    }
    bool stops = !model_is_spared(model, t);
    enum model_end end = play_one_in(play, stops ? 2 : 9) ? MODEL_STOPPED
                         : play_one_in(play, 3)           ? MODEL_FAILED
                                                          : MODEL_SUCCEEDED;
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = living_task(play->living, task->id)->fence;
    msg.finished.outcome = end == MODEL_STOPPED ? OUTCOME_CANCELLED : OUTCOME_EXITED;
    msg.finished.exit_code = end == MODEL_FAILED;
    msg.finished.reason = end == MODEL_SUCCEEDED ? STR("") : STR("it went wrong");
    msg.finished.started_wall_ms = task->has_begun ? play->living->now.wall_ms : 0;
    living_say(play->living, &msg);
    model_ended(model, t, end);
    play_reached[REACHED_SUCCESS] += end == MODEL_SUCCEEDED;
    play_reached[REACHED_FAILURE] += end == MODEL_FAILED;
    play_reached[REACHED_INTERRUPTED] += end == MODEL_STOPPED && !stops;
    play_reached[REACHED_UNKNOWN] += task->state == TASK_UNKNOWN;
    play_reached[REACHED_FAILURE_HOLD] += task->failure_held;
    play_go_on(play);
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

void play_cut(struct play *play)
{
    struct event event = { .kind = EVENT_CHANNEL_CLOSED };
    event.channel_closed.channel = LIVING_CHANNEL;
    event.channel_closed.reason = STR("cut");
    living_turn(play->living, &event, 1);
    play->is_cut = true;
    play_reached[REACHED_CUT]++;
    play_go_on(play);
}

static void note_loss(const struct model_task *before, const struct model_task *after)
{
    play_reached[REACHED_UNKNOWN] += after->state == TASK_UNKNOWN && before->state != TASK_UNKNOWN;
    play_reached[REACHED_DIED] += after->lost > before->lost;
    play_reached[REACHED_POISON] += after->state == TASK_FAILED;
    play_reached[REACHED_NEVER_BEGAN] += after->is_gone && !before->is_gone;
    play_reached[REACHED_ADOPTED] += before->state != after->state && play_is_under_way(after);
    play_reached[REACHED_HEARD_OF_AGAIN] +=
        before->state == TASK_UNKNOWN && play_is_under_way(after);
    play_reached[REACHED_PROVEN] +=
        before->state == TASK_UNKNOWN && after->state != TASK_UNKNOWN && !play_is_under_way(after);
}

/* Long enough for every backoff; and for whoever is away to be given up. */
void play_wait_long(struct play *play)
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
        play_reached[REACHED_WOKEN] +=
            model->tasks[t].used && model->tasks[t].state == TASK_BACKOFF;
    }
    model_wake(model);
    if (play->is_cut) {
        for (size_t i = 0; i < count; i++) {
            const struct model_task before = model->tasks[list[i]];
            model_cut_off(model, list[i]);
            note_loss(&before, &model->tasks[list[i]]);
            play_reached[REACHED_CUT_OFF]++;
        }
        pass_time(play, 400000);
        play_go_on(play);
        return;
    }
    model_run(model);
    for (int i = 0; i < 2; i++) {
        pass_time(play, PLAY_BACKOFFS_MS_MAX / 2);
        play_take_assignments(play);
        living_say(play->living, &(struct msg){ .kind = MSG_PING });
        play_take_assignments(play);
    }
    living_turn(play->living, NULL, 0);
    play_go_on(play);
}

/* What an honest device may say of it: 0 nothing. */
static enum held_state any_held(struct play *play, const struct model_task *task, bool same_boot)
{
    if (task->is_gone) {
        return (enum held_state)0;
    }
    if (task->has_begun) {
        return same_boot && play_one_in(play, 2) ? HELD_RUNNING
               : play_one_in(play, 3)            ? HELD_FINISHED
                                                 : HELD_DIED;
    }
    bool may_be_absent = !task->is_accepted || (!same_boot && !task->policy.once);
    uint64_t kind = play_below(play, 6);
    return kind < 2 && may_be_absent ? (enum held_state)0
           : kind == 2               ? HELD_DIED
           : kind == 3               ? HELD_FINISHED
           : kind == 4 && same_boot  ? HELD_RUNNING
                                     : HELD_ACCEPTED;
}

void play_come_back(struct play *play)
{
    struct model *model = &play->model;
    int list[MODEL_TASKS];
    struct msg_held held[MODEL_TASKS];
    enum held_state said[MODEL_TASKS];
    size_t count = list_attempts(play, list);
    size_t held_count = 0;
    bool same_boot = !play_one_in(play, 3);
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
    play_go_on(play);
}
