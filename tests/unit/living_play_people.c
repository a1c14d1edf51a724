/* A play: what people ask for, and what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/living_play.h"

void play_resolve(struct play *play)
{
    int t = play_any_in_state(play, TASK_UNKNOWN);
    if (t < 0 || play_one_in(play, 6)) {
        t = play_any_task(play);
    }
    struct event event = { .kind = EVENT_RESOLVE };
    event.resolve.constellation_id = 1;
    event.resolve.task_id = play->model.tasks[t].id;
    event.resolve.resolution = !model_is_spared(&play->model, t) && play_one_in(play, 2)
                                   ? RESOLVE_RETRY
                                   : (enum resolution)(1 + play_below(play, 3));
    event.resolve.actor = STR("ada");
    living_turn(play->living, &event, 1);
    char ours[512];
    snprintf(ours, sizeof ours, "%s", play->living->why);
    ours[strcspn(ours, ":")] = '\0';
    const char *theirs = model_resolve(&play->model, t, event.resolve.resolution);
    assert_string_equal(ours, theirs);
    if (theirs[0] == '\0') {
        play_reached[REACHED_RESOLVED_SUCCEEDED + (int)event.resolve.resolution - 1]++;
    } else {
        play_reached[theirs[0] == 'c' ? REACHED_RESOLVE_CANCELLED : REACHED_NOT_UNKNOWN]++;
    }
    play_go_on(play);
}

void play_cancel(struct play *play)
{
    struct event event = { .kind = EVENT_CANCEL };
    event.cancel.constellation_id = 1;
    event.cancel.actor = STR("ada");
    bool again = play->model.cancel;
    living_turn(play->living, &event, 1);
    assert_int_equal(play->living->err == ERR_NONE, model_cancel(&play->model));
    play_reached[again ? REACHED_CANCEL_AGAIN : REACHED_CANCEL]++;
    play_go_on(play);
}

void play_hold(struct play *play)
{
    struct model *model = &play->model;
    int t = play_any_task(play);
    struct event event = { .kind = EVENT_HOLD };
    event.hold.constellation_id = 1;
    event.hold.scope = (enum hold_scope)(1 + play_below(play, 3));
    event.hold.origin = HOLD_BY_REQUEST;
    event.hold.on_expiry = HOLD_EXPIRY_RELEASE;
    event.hold.task_ids = &model->tasks[t].id;
    event.hold.task_ids_count = event.hold.scope != HOLD_ALL;
    event.hold.owner = STR("ada");
    if (event.hold.scope == HOLD_ALL && play_one_in(play, 2)) {
        event.hold.origin = HOLD_PAUSE;
        for (int h = 0; h < model->holds_top; h++) {
            if (model->holds[h].used && model->holds[h].origin == HOLD_PAUSE) {
                return;
            }
        }
        play_reached[REACHED_PAUSE]++;
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
    play_reached[REACHED_HOLD]++;
    placed->id = play->living->hold_id;
    play_go_on(play);
}

int play_any_hold(struct play *play)
{
    struct model *model = &play->model;
    if (model->holds_top == 0) {
        return -1;
    }
    int first = (int)play_below(play, (uint64_t)model->holds_top);
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

void play_release(struct play *play)
{
    int h = play_any_hold(play);
    if (h < 0) {
        return;
    }
    struct model_hold *held = &play->model.holds[h];
    bool is_approval = held->origin == HOLD_APPROVAL;
    struct event event = { .kind = EVENT_RELEASE };
    event.release.constellation_id = 1;
    event.release.hold_id = held->id;
    event.release.approved = !is_approval || !play_one_in(play, 3);
    event.release.actor = STR("ada");
    living_turn(play->living, &event, 1);
    assert_int_equal(play->living->err, ERR_NONE);
    play_reached[!is_approval             ? REACHED_RELEASE
                 : event.release.approved ? REACHED_APPROVED
                                          : REACHED_DENIED]++;
    model_release(&play->model, held, event.release.approved);
    play_go_on(play);
}

void play_reopen(struct play *play)
{
    struct event event = { .kind = EVENT_REOPEN };
    int64_t ids[3];
    size_t count = 1 + play_below(play, 2);
    for (size_t i = 0; i < count; i++) {
        int failed = play_any_in_state(play, play_one_in(play, 2) ? TASK_UNKNOWN : TASK_FAILED);
        int t = failed >= 0 && play_one_in(play, 2) ? failed : play_any_task(play);
        ids[i] = play_one_in(play, 20) ? 1000000 : play->model.tasks[t].id;
    }
    event.reopen.constellation_id = 1;
    event.reopen.task_ids = ids;
    event.reopen.task_ids_count = count;
    event.reopen.rerun = play_one_in(play, 2);
    event.reopen.keep_skipped = !event.reopen.rerun && play_one_in(play, 3);
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
        play_reached[i] += strcmp(theirs, play_reached_names[i]) == 0;
    }
    if (theirs[0] == '\0') {
        play_reached[event.reopen.rerun ? REACHED_RERUN : REACHED_RETRY]++;
        play_reached[REACHED_KEPT_SKIPPED] += event.reopen.keep_skipped;
        play_reached[REACHED_REOPENED] += was_final;
    }
    play_go_on(play);
}
