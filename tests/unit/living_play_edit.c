/* A play: edits that are made up, tried and made, and the problems that both find in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/living_play.h"

unsigned play_any_flags(struct play *play)
{
    unsigned flags = 0;
    flags |= play_one_in(play, 3) ? TASK_JOIN_ANY : 0;
    flags |= play_one_in(play, 4) ? TASK_ALLOW_FAILURE : 0;
    flags |= play_one_in(play, 7) ? TASK_FINALLY : 0;
    flags |= play_one_in(play, 5) ? TASK_GATE : 0;
    flags |= play_one_in(play, 10) ? TASK_APPROVAL : 0;
    return flags;
}

size_t play_any_policy(struct play *play)
{
    static const size_t often[] = { 0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5 };
    return often[play_below(play, sizeof often / sizeof often[0])];
}

/* One of the plan, of the batch, or none at all. */
static edit_task any_name(struct play *play)
{
    if (play->edit.tasks_added > 0 && play_one_in(play, 3)) {
        return -1 - (edit_task)play_below(play, play->edit.tasks_added);
    }
    return play_one_in(play, 40) ? 1000000 : play->model.tasks[play_any_task(play)].id;
}

static int64_t any_edge(struct play *play)
{
    int top = play->model.edges_top;
    if (top == 0 || play_one_in(play, 15)) {
        return 1000000;
    }
    int first = (int)play_below(play, (uint64_t)top);
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
    play->plans[i].flags = (uint16_t)play_any_flags(play);
    size_t policy = play_any_policy(play);
    play->policies[i] = play_policy_of(policy);
    operation->write.plan = &play->plans[i];
    operation->write.class = &PLAY_CLASS;
    operation->write.policy = &PLAY_POLICIES[policy];
}

static void make_up_operation(struct play *play, size_t i)
{
    static const enum edit_kind kinds[] = { EDIT_ADD_TASK,    EDIT_ADD_TASK,    EDIT_REMOVE_TASK,
                                            EDIT_UPDATE_TASK, EDIT_ADD_EDGE,    EDIT_ADD_EDGE,
                                            EDIT_ADD_EDGE,    EDIT_UPDATE_EDGE, EDIT_REMOVE_EDGE,
                                            EDIT_REMOVE_EDGE, EDIT_SET,         EDIT_TOUCH };
    struct edit_operation *operation = &play->operations[i];
    *operation = (struct edit_operation){ .index = (uint32_t)i };
    operation->kind = kinds[play_below(play, sizeof kinds / sizeof kinds[0])];
    switch (operation->kind) {
    case EDIT_ADD_TASK:
        make_up_task(play, operation, i);
        operation->write.task = -1 - (edit_task)play->edit.tasks_added++;
        break;
    case EDIT_UPDATE_TASK:
        make_up_task(play, operation, i);
        operation->write.task = play->model.tasks[play_any_task(play)].id;
        break;
    case EDIT_REMOVE_TASK:
        operation->task = play->model.tasks[play_any_task(play)].id;
        break;
    case EDIT_TOUCH:
        operation->task = any_name(play);
        break;
    case EDIT_SET:
        operation->set.fail_fast = play_one_in(play, 4);
        break;
    case EDIT_ADD_EDGE:
    case EDIT_UPDATE_EDGE:
    case EDIT_REMOVE_EDGE:
        operation->edge.from = any_name(play);
        operation->edge.to = any_name(play);
        operation->edge.edge_id = any_edge(play);
        operation->edge.when = (enum edge_when)(1 + play_below(play, 4));
        operation->edge.named = true;
        operation->edge.plan.required = play_one_in(play, 4);
        if (play_one_in(play, 5)) {
            static char texts[PLAY_OPERATIONS][32];
            snprintf(texts[i], sizeof texts[i], "number > %zu", i);
            operation->edge.plan.condition = str_of(texts[i]);
        }
        break;
    }
}

static void make_up_edit(struct play *play)
{
    struct model *model = &play->model;
    size_t count = 1 + play_below(play, play_one_in(play, 4) ? PLAY_OPERATIONS : 3);
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
        } while (live > MODEL_TASKS - 2 * PLAY_OPERATIONS &&
                 play->operations[i].kind == EDIT_ADD_TASK);
    }
    if (play_one_in(play, 6) && play->last_edge != 0) {
        count = 1;
        play->edit.tasks_added = 0;
        play->operations[0] = (struct edit_operation){ .kind = EDIT_REMOVE_EDGE };
        play->operations[0].edge.edge_id = play->last_edge;
        play->last_edge = 0;
        play_reached[REACHED_INVERSE]++;
    }
    if (live <= 3 && play_one_in(play, 2)) { /* all that there is */
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
    if (play_one_in(play, 3)) {
        play->edit.base_revision = (uint32_t)play_below(play, model->revision + 1U);
        play->edit.base_revision += play_one_in(play, 15) ? model->revision + 1 : 0;
        play->edit.exact = play_one_in(play, 4);
    }
    if (play_one_in(play, 8)) {
        play->expect = (struct edit_expect){
            .task_id = model->tasks[play_any_task(play)].id,
            .state = (uint8_t)(1 + play_below(play, 9)),
            .index = 0,
        };
        play->edit.expects = &play->expect;
        play->edit.expects_count = 1;
    }
    int h = play_one_in(play, 6) ? play_any_hold(play) : -1;
    play->edit.release_hold_id = h >= 0 ? model->holds[h].id : play_one_in(play, 40) ? 999999 : 0;
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
        play_refused[model->problems[i].code]++;
    }
}

/* As a thread does it. */
static void try_without_bounds(struct play *play)
{
    size_t looks_max = play->living->looks_max;
    living_revive(play->living);
    living_limit_looks(play->living, SIZE_MAX);
    living_edit(play->living, &play->edit);
    living_limit_looks(play->living, looks_max);
}

static void dry_run(struct play *play, struct edit_result *ret_result)
{
    struct buf before = { 0 };
    struct buf after = { 0 };
    play->edit.dry_run = true;
    engine_dump(play->living->engine, &before);
    living_edit(play->living, &play->edit);
    if (living_is_too_large(play->living)) {
        try_without_bounds(play);
    }
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
    play_go_on(play);
    if (play->model.state != CONSTELLATION_RUNNING) {
        living_revive(play->living);
    }
    play_reached[REACHED_DRY_RUN]++;
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

void play_edit(struct play *play)
{
    struct edit_result dry = { 0 };
    struct model *model = &play->model;
    make_up_edit(play);
    bool is_dry = play_one_in(play, 4) && !(model->cancel || model->stopping);
    if (is_dry) {
        dry_run(play, &dry);
    }
    bool was_final = model->state != CONSTELLATION_RUNNING;
    bool is_stale = play->edit.base_revision > 0 && play->edit.base_revision < model->revision;
    /* In parts of a few rows: nobody must be able to tell, but that it reopens what has ended; and what it
       lets fail may stop the plan before, not behind, what it makes ready. */
    bool may_be_in_parts = (was_final || !(model->cancel || model->stopping)) &&
                           (play->edit.release_hold_id == 0 || !model->fail_fast);
    model->is_in_parts = play_one_in(play, 3) && may_be_in_parts;
    if (!model->is_in_parts) {
        living_edit(play->living, &play->edit);
        if (living_is_too_large(play->living)) {
            play_reached[REACHED_TOO_FAR]++;
            model->is_in_parts = may_be_in_parts;
            living_revive(play->living);
            if (!may_be_in_parts) {
                try_without_bounds(play);
            }
        }
    }
    if (model->is_in_parts) {
        living_bulk(play->living, &play->edit, 1 + play_below(play, 12));
    }
    const struct edit_result result = play->living->edit;
    bool is_applied = model_edit(model, &play->edit, play->policies);
    assert_int_equal(play->living->err == ERR_NONE, is_applied);
    compare_problems(play);
    if (is_applied) {
        play_reached[REACHED_EDIT]++;
        play_reached[REACHED_PARTS] += model->is_in_parts;
        play_reached[REACHED_REBASE] += is_stale;
        play_reached[REACHED_EDIT_REOPENS] += was_final && model->state == CONSTELLATION_RUNNING;
        name_new(play);
    }
    if (is_dry) {
        assert_int_equal(dry.problems_count, result.problems_count);
        assert_int_equal(dry.revision, result.revision);
        assert_int_equal(dry.newly_ready_count, result.newly_ready_count);
        assert_int_equal(dry.newly_skipped_count, result.newly_skipped_count);
    }
    play_go_on(play);
}
