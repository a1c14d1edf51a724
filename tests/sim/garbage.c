/* Planners that send garbage: cycles, what is not there, what has started or ended, old and future
   bases, batches with one mistake in the middle of much that is good. */
#include "tests/sim/books.h"
#include "tests/sim/world.h"

enum { GARBAGE_ROOM = 64, GARBAGE_HUGE = 400 };

static const struct book_task *any(struct world *world,
                                   const struct book_constellation *constellation)
{
    return constellation->tasks[chance(world, constellation->tasks_count)];
}

static int64_t no_id(struct world *world)
{
    return percent(world, 50) ? INT64_C(1) << 40 : 1 + (int64_t)chance(world, 200);
}

/* Against an edge that is there, or against itself. */
static void make_cycle(struct world *world, const struct book_constellation *constellation,
                       struct edit_making *making)
{
    if (constellation->edges_count > 0 && percent(world, 80)) {
        const struct book_edge *edge =
            constellation->edges[chance(world, constellation->edges_count)];
        edit_add_edge(world, making, edge->to->id, edge->from->id);
        return;
    }
    const struct book_task *task = any(world, constellation);
    edit_add_edge(world, making, task->id, task->id);
}

/* Of tasks that the batch itself adds. */
static void make_new_cycle(struct world *world, struct edit_making *making)
{
    edit_task first = edit_add_task(world, making);
    edit_task second = edit_add_task(world, making);
    edit_add_edge(world, making, first, second);
    edit_add_edge(world, making, second, first);
}

static void make_double(struct world *world, const struct book_constellation *constellation,
                        struct edit_making *making)
{
    if (constellation->edges_count == 0) {
        return;
    }
    const struct book_edge *edge = constellation->edges[chance(world, constellation->edges_count)];
    edit_add_edge(world, making, edge->from->id, edge->to->id);
    struct edit_operation *operation = &making->operations[making->wish->edit.operations_count - 1];
    operation->edge.when = edge->plan.when;
    operation->edge.plan = (struct plan_edge){ .when = edge->plan.when, .named = true };
}

static void make_write(struct world *world, const struct book_constellation *constellation,
                       struct edit_making *making)
{
    const struct book_task *task = any(world, constellation);
    const struct book_task *from = books_task(world->books, task->refers_to);
    struct sim_task *spec = plan_remake_task(
        world, task->spec, from == NULL ? (struct str){ NULL, 0 } : from->spec->plan.key);
    struct edit_operation *operation = edit_add(making, EDIT_UPDATE_TASK);
    operation->write.task = percent(world, 70) ? task->id : no_id(world);
    operation->write.plan = &spec->plan;
    operation->write.class = spec->class;
    operation->write.policy = spec->policy;
    const struct book_task *written = books_task(world->books, operation->write.task);
    if (written != NULL && written != task) {
        operation->write.task = INT64_C(1) << 40; /* its references would not be its own */
    }
}

/* A cascade is only good if it takes all: every one but the last is in the way of another. */
static void make_all_removed(const struct book_constellation *constellation,
                             struct edit_making *making)
{
    for (uint32_t i = 0; i < constellation->tasks_count && i + 4 < GARBAGE_ROOM; i++) {
        edit_add(making, EDIT_REMOVE_TASK)->task = constellation->tasks[i]->id;
    }
}

static void make_strange_edge(struct world *world, const struct book_constellation *constellation,
                              struct edit_making *making)
{
    const struct book_task *task = any(world, constellation);
    if (percent(world, 50)) {
        edit_add(making, EDIT_REMOVE_EDGE)->edge.edge_id = INT64_C(1) << 40;
    } else if (percent(world, 50)) {
        edit_add_edge(world, making, no_id(world), task->id);
    } else {
        edit_add_edge(world, making, any(world, constellation)->id, task->id);
    }
}

/* Much that is good, and one thing that is not: nothing of it may come about. */
static struct wish *make_huge(struct world *world, int64_t constellation_id)
{
    const struct book_constellation *constellation =
        books_constellation(world->books, constellation_id);
    struct edit_making making =
        edit_begin(world, constellation_id, "a huge batch", GARBAGE_HUGE + 8);
    edit_add_task(world, &making);
    size_t bad = chance(world, GARBAGE_HUGE);
    for (size_t i = 0; i < GARBAGE_HUGE; i++) {
        edit_add(&making, EDIT_TOUCH)->task =
            i == bad ? INT64_C(1) << 40 : any(world, constellation)->id;
    }
    return making.wish;
}

static void make_base(struct world *world, struct edit *edit)
{
    uint64_t kind = chance(world, 10);
    if (kind < 2) {
        edit->base_revision += 1 + (uint32_t)chance(world, 5);
    } else if (kind < 5 && edit->base_revision > 1) {
        edit->base_revision = 1 + (uint32_t)chance(world, edit->base_revision);
    } else if (kind < 6) {
        edit->base_revision = 1;
        edit->exact = true;
    }
}

void edit_add_expectation(struct world *world, struct edit *edit, bool is_true)
{
    const struct book_constellation *constellation =
        books_constellation(world->books, edit->constellation_id);
    struct edit_expect *expect = arena_alloc(&world->arena, sizeof *expect);
    const struct book_task *task = any(world, constellation);
    for (int i = 0; i < 8 && is_true && task->record.state != TASK_RUNNING; i++) {
        task = any(world, constellation);
    }
    *expect = (struct edit_expect){
        .task_id = is_true || percent(world, 90) ? task->id : INT64_C(1) << 40,
        .state = is_true || percent(world, 60) ? task->record.state : (uint8_t)TASK_SUCCEEDED,
        .attempts = percent(world, 50) ? task->record.attempts : 0,
    };
    edit->expects = expect;
    edit->expects_count = 1;
}

struct wish *edit_make_garbage(struct world *world, int64_t constellation_id)
{
    const struct book_constellation *constellation =
        books_constellation(world->books, constellation_id);
    if (constellation->tasks_count == 0) {
        return NULL;
    }
    if (percent(world, 3)) {
        return make_huge(world, constellation_id);
    }
    struct edit_making making = edit_begin(world, constellation_id, "garbage", GARBAGE_ROOM);
    switch (chance(world, 8)) {
    case 0:
        make_cycle(world, constellation, &making);
        break;
    case 1:
        make_new_cycle(world, &making);
        break;
    case 2:
        make_double(world, constellation, &making);
        break;
    case 3:
        make_write(world, constellation, &making);
        break;
    case 4:
        edit_add(&making, EDIT_REMOVE_TASK)->task =
            percent(world, 80) ? any(world, constellation)->id : no_id(world);
        break;
    case 5:
        make_all_removed(constellation, &making);
        break;
    case 6:
        make_strange_edge(world, constellation, &making);
        break;
    default:
        edit_add(&making, EDIT_TOUCH)->task = any(world, constellation)->id;
        break;
    }
    struct edit *edit = &making.wish->edit;
    make_base(world, edit);
    if (percent(world, 25)) {
        edit_add_expectation(world, edit, false);
    }
    if (percent(world, 8)) {
        edit->release_hold_id = percent(world, 50) ? no_id(world) : INT64_C(1) << 40;
    }
    edit->exact = edit->exact || !edit_touches(edit);
    return edit->operations_count == 0 ? NULL : making.wish;
}
