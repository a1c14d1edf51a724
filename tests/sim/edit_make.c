/* Edits, as people and planners make them: by the plan as it was when they looked. */
#include "tests/sim/books.h"
#include "tests/sim/world.h"

enum { EDIT_ROOM = 24 };

struct edit_making edit_begin(struct world *world, int64_t constellation_id, const char *what,
                              size_t room)
{
    const struct book_constellation *constellation =
        books_constellation(world->books, constellation_id);
    struct edit_making making = {
        .wish = wish_new(world, EVENT_EDIT, constellation_id, what),
        .operations = arena_array(&world->arena, room, sizeof *making.operations),
        .room = room,
    };
    making.wish->adds = arena_array(&world->arena, room, sizeof(struct sim_task *));
    making.wish->edit = (struct edit){
        .constellation_id = constellation_id,
        .base_revision = constellation->record.revision,
        .operations = making.operations,
        .author_kind = AUTHOR_PLANNER,
        .author = STR("sim"),
        .reason = STR("as the simulator wished"),
        .text = STR("[]"),
        .inverse = STR("[]"),
    };
    return making;
}

struct edit_operation *edit_add(struct edit_making *making, enum edit_kind kind)
{
    struct edit *edit = &making->wish->edit;
    CHECK(edit->operations_count < making->room);
    struct edit_operation *operation = &making->operations[edit->operations_count];
    *operation =
        (struct edit_operation){ .kind = kind, .index = (uint32_t)edit->operations_count++ };
    return operation;
}

edit_task edit_add_task(struct world *world, struct edit_making *making)
{
    struct edit *edit = &making->wish->edit;
    const struct sim_task *task = plan_make_task(world);
    struct edit_operation *operation = edit_add(making, EDIT_ADD_TASK);
    making->wish->adds[edit->tasks_added] = task;
    operation->write.task = -1 - (edit_task)edit->tasks_added++;
    operation->write.plan = &task->plan;
    operation->write.class = task->class;
    operation->write.policy = task->policy;
    world->plans.tasks++;
    return operation->write.task;
}

void edit_add_edge(struct world *world, struct edit_making *making, edit_task from, edit_task to)
{
    struct edit_operation *operation = edit_add(making, EDIT_ADD_EDGE);
    struct plan_edge plan = plan_make_edge(world);
    operation->edge.from = from;
    operation->edge.to = to;
    operation->edge.when = plan.when;
    operation->edge.named = plan.named;
    operation->edge.plan = plan;
}

static bool is_open(const struct book_task *task)
{
    return task->record.state == TASK_SKIPPED ||
           (task->record.state == TASK_WAITING && !book_task_has_started(task));
}

static struct book_task *any_task(struct world *world,
                                  const struct book_constellation *constellation, bool open)
{
    for (int i = 0; i < 12; i++) {
        struct book_task *task = constellation->tasks[chance(world, constellation->tasks_count)];
        if (!open || is_open(task)) {
            return task;
        }
    }
    return NULL;
}

static bool is_finally(const struct book_task *task)
{
    return (task->spec->plan.flags & TASK_FINALLY) != 0;
}

/* Behind some tasks, and perhaps before one that has not started. */
static void make_task(struct world *world, const struct book_constellation *constellation,
                      struct edit_making *making)
{
    edit_task task = edit_add_task(world, making);
    const struct sim_task *spec = making->wish->adds[-1 - task];
    bool last = (spec->plan.flags & TASK_FINALLY) != 0;
    int64_t named = 0;
    for (uint64_t i = chance(world, 3); i > 0; i--) {
        const struct book_task *from = any_task(world, constellation, false);
        if (from->id != named && (last || !is_finally(from))) {
            edit_add_edge(world, making, from->id, task);
            named = from->id;
        }
    }
    const struct book_task *to = any_task(world, constellation, true);
    if (to != NULL && named == 0 && percent(world, 50) && (!last || is_finally(to))) {
        edit_add_edge(world, making, task, to->id);
    }
}

/* What depended on it depends on what it depended on, or on nothing; what refers to it stays in the way. */
static void make_removal(struct world *world, const struct book_constellation *constellation,
                         struct edit_making *making)
{
    const struct book_task *task = any_task(world, constellation, true);
    if (task == NULL) {
        return;
    }
    for (uint32_t i = 0; i < constellation->edges_count; i++) {
        const struct book_edge *edge = constellation->edges[i];
        bool has_room = making->wish->edit.operations_count + 4 < making->room;
        if (edge->from != task || edge->plan.required || !is_open(edge->to) || !has_room) {
            continue;
        }
        edit_add(making, EDIT_REMOVE_EDGE)->edge.edge_id = edge->id;
        if (percent(world, 40)) {
            const struct book_task *from = any_task(world, constellation, false);
            if (from != task && from != edge->to && (!is_finally(from) || is_finally(edge->to))) {
                edit_add_edge(world, making, from->id, edge->to->id);
            }
        }
    }
    edit_add(making, EDIT_REMOVE_TASK)->task = task->id;
}

static void make_update(struct world *world, const struct book_constellation *constellation,
                        struct edit_making *making)
{
    const struct book_task *task = any_task(world, constellation, true);
    if (task == NULL) {
        return;
    }
    const struct book_task *from = books_task(world->books, task->refers_to);
    struct sim_task *spec = plan_remake_task(
        world, task->spec, from == NULL ? (struct str){ NULL, 0 } : from->spec->plan.key);
    struct edit_operation *operation = edit_add(making, EDIT_UPDATE_TASK);
    operation->write.task = task->id;
    operation->write.plan = &spec->plan;
    operation->write.class = spec->class;
    operation->write.policy = spec->policy;
}

/* One that no reference has made: those go with their references. */
static const struct book_edge *any_edge(struct world *world,
                                        const struct book_constellation *constellation)
{
    for (int i = 0; i < 12 && constellation->edges_count > 0; i++) {
        const struct book_edge *edge =
            constellation->edges[chance(world, constellation->edges_count)];
        if (!edge->plan.required && edge->id != 0 && (is_open(edge->to) || percent(world, 5))) {
            return edge;
        }
    }
    return NULL;
}

static void make_edge(struct world *world, const struct book_constellation *constellation,
                      struct edit_making *making)
{
    const struct book_edge *edge = percent(world, 65) ? any_edge(world, constellation) : NULL;
    if (edge == NULL) {
        const struct book_task *from = any_task(world, constellation, false);
        const struct book_task *to = any_task(world, constellation, true);
        if (to != NULL && from->id < to->id) {
            edit_add_edge(world, making, from->id, to->id);
        }
        return;
    }
    bool removes = percent(world, 50);
    struct edit_operation *operation =
        edit_add(making, removes ? EDIT_REMOVE_EDGE : EDIT_UPDATE_EDGE);
    operation->edge.edge_id = edge->id;
    if (!removes) {
        operation->edge.plan = plan_make_edge(world);
        operation->edge.when = operation->edge.plan.when;
        operation->edge.named = true;
    }
}

static void make_set(struct world *world, const struct book_constellation *constellation,
                     struct edit_making *making)
{
    struct edit_operation *operation = edit_add(making, EDIT_SET);
    struct plan_limit *limit = arena_alloc(&world->arena, sizeof *limit);
    *limit = constellation->plan->plan.limits[0];
    limit->capacity = (uint32_t)between(world, 2, 4);
    operation->set.limits = limit;
    operation->set.limits_count = 1;
    operation->set.fail_fast = percent(world, 20);
    if (percent(world, 20)) {
        operation->set.deadline_ms = daemon_now(world).wall_ms -
                                     constellation->record.created_wall_ms +
                                     between(world, 5000, 90000);
        operation->set.deadline_ms =
            operation->set.deadline_ms < 1000 ? 1000 : operation->set.deadline_ms;
    }
}

static void release_with(struct world *world, const struct book_constellation *constellation,
                         struct edit *edit)
{
    if (constellation->holds != NULL && percent(world, 25)) {
        edit->release_hold_id = constellation->holds->record.id;
    }
}

/* Of what touches no task that is there, nothing but the head tells whether it was done before. */
bool edit_touches(const struct edit *edit)
{
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        bool is_edge = operation->kind == EDIT_ADD_EDGE;
        if ((is_edge && (operation->edge.from > 0 || operation->edge.to > 0)) ||
            (!is_edge && operation->kind != EDIT_SET && operation->kind != EDIT_ADD_TASK)) {
            return true;
        }
    }
    return false;
}

struct wish *edit_make(struct world *world, int64_t constellation_id)
{
    const struct book_constellation *constellation =
        books_constellation(world->books, constellation_id);
    if (constellation->tasks_count == 0) {
        return NULL;
    }
    struct edit_making making = edit_begin(world, constellation_id, "an edit", EDIT_ROOM);
    uint64_t count = 1 + chance(world, 3);
    for (uint64_t i = 0; i < count && making.wish->edit.operations_count < EDIT_ROOM / 2; i++) {
        uint64_t kind = chance(world, 100);
        if (kind < 25 && world->plans.tasks < world->tasks_max) {
            make_task(world, constellation, &making);
        } else if (kind < 40) {
            make_removal(world, constellation, &making);
        } else if (kind < 60) {
            make_update(world, constellation, &making);
        } else if (kind < 92) {
            make_edge(world, constellation, &making);
        } else if (kind < 97) {
            make_set(world, constellation, &making);
        } else {
            edit_add(&making, EDIT_TOUCH)->task = any_task(world, constellation, false)->id;
        }
    }
    struct edit *edit = &making.wish->edit;
    edit->exact = !edit_touches(edit) || percent(world, 15);
    if (!edit->exact && percent(world, 25) && edit->base_revision > 1) {
        edit->base_revision -= (uint32_t)chance(world, 2);
    }
    release_with(world, constellation, edit);
    return edit->operations_count == 0 ? NULL : making.wish;
}

/* --- Taking it back --- */

static void take_back_edges(struct edit_making *making,
                            const struct book_constellation *constellation,
                            const struct book_task *task)
{
    for (uint32_t i = 0; i < constellation->edges_count; i++) {
        const struct book_edge *edge = constellation->edges[i];
        if (edge->from == task && making->wish->edit.operations_count + 4 < making->room) {
            edit_add(making, EDIT_REMOVE_EDGE)->edge.edge_id = edge->id;
        }
    }
}

/* What it has added goes. */
struct wish *edit_make_inverse(struct world *world, const struct wish *wish)
{
    const struct book_constellation *constellation =
        books_constellation(world->books, wish->constellation_id);
    struct edit_making making =
        edit_begin(world, wish->constellation_id, "an edit is undone", EDIT_ROOM * 4);
    for (uint32_t i = 0; i < constellation->tasks_count; i++) {
        const struct book_task *task = constellation->tasks[i];
        for (size_t k = 0; k < wish->edit.tasks_added; k++) {
            if (task->spec == wish->adds[k]) {
                take_back_edges(&making, constellation, task);
                edit_add(&making, EDIT_REMOVE_TASK)->task = task->id;
            }
        }
    }
    for (size_t i = 0; i < wish->edit.operations_count; i++) {
        const struct edit_operation *operation = &wish->edit.operations[i];
        for (uint32_t k = 0; operation->kind == EDIT_ADD_EDGE && k < constellation->edges_count;
             k++) {
            const struct book_edge *edge = constellation->edges[k];
            if (edge->from->id == operation->edge.from && edge->to->id == operation->edge.to &&
                edge->plan.when == operation->edge.when && !edge->plan.required) {
                edit_add(&making, EDIT_REMOVE_EDGE)->edge.edge_id = edge->id;
                break;
            }
        }
    }
    making.wish->edit.base_revision = wish->revision;
    making.wish->takes_back_large = wish->is_large;
    return making.wish->edit.operations_count == 0 ? NULL : making.wish;
}
