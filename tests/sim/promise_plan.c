/* The checker: plans as they are submitted. */
#include <inttypes.h>

#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

/* The constellation is there: of a dependency that was not stored nothing can ever be decided. */
static void complete(struct world *world, struct book_constellation *constellation)
{
    const struct sim_plan *plan = constellation->plan;
    for (size_t i = constellation->edges_count; i < plan->edges_count; i++) {
        const struct plan_edge *edge = &plan->edges[i];
        books_add_edge(world->books, 0, constellation->tasks[edge->from],
                       constellation->tasks[edge->to], edge);
    }
    for (uint32_t i = 0; i < constellation->tasks_count; i++) {
        struct book_task *task = constellation->tasks[i];
        if (task->spec->refers) {
            task->refers_to = constellation->tasks[task->spec->refers_to]->id;
        }
        if (task->spec->same_with > 0) {
            task->same_with = constellation->tasks[task->spec->same_with - 1]->id;
        }
        if (task->spec->other_than > 0) {
            task->other_than = constellation->tasks[task->spec->other_than - 1]->id;
        }
    }
}

static void take_edge(struct world *world, const struct effect *effect)
{
    struct books *books = world->books;
    struct book_constellation *constellation =
        books_constellation(books, effect->edge.constellation_id);
    const struct plan_edge *plan = &constellation->plan->edges[constellation->edges_count];
    const struct edge_record *record = &effect->edge.record;
    struct book_task *from = books_task(books, record->from_id);
    struct book_task *to = books_task(books, record->to_id);
    if (from == NULL || to == NULL || constellation->tasks[plan->from] != from ||
        constellation->tasks[plan->to] != to) {
        promise_broken(world, "P4", "dependency %" PRId64 " is not that of the plan", record->id);
        return;
    }
    books_add_edge(books, record->id, from, to, plan);
}

static void take_submission(struct world *world, const struct segment *segment)
{
    struct books *books = world->books;
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_TASK) {
            struct book_constellation *constellation =
                books_constellation(books, effect->task.constellation_id);
            books_add_task(books, constellation, effect->task.record->id,
                           &constellation->plan->tasks[constellation->tasks_count]);
        } else if (effect->kind == EFFECT_ADD_EDGE) {
            take_edge(world, effect);
        }
    }
}

void promise_plan_rows(struct world *world, const struct segment *segment)
{
    take_submission(world, segment);
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        const struct effect *effect = &segment->list[i];
        if (effect->kind == EFFECT_ADD_CONSTELLATION || effect->kind == EFFECT_SAVE_CONSTELLATION) {
            struct book_constellation *constellation =
                books_constellation(world->books, effect->constellation.record->id);
            if (constellation->record.state == CONSTELLATION_LOADING &&
                effect->constellation.record->state != CONSTELLATION_LOADING) {
                complete(world, constellation);
            }
        } else if (effect->kind == EFFECT_REMOVE_TASK || effect->kind == EFFECT_REMOVE_EDGE ||
                   effect->kind == EFFECT_TASK_TEXT || effect->kind == EFFECT_EDGE_TEXT ||
                   effect->kind == EFFECT_ADD_REVISION) {
            promise_broken(world, "P3", "a plan is changed, and nobody has asked for it");
        }
    }
}
