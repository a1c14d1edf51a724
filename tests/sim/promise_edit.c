/* The checker: edits. One is carried out in the books from what was asked for; the rows that the daemon
   has written must be that, all of it and nothing else. */
#include <inttypes.h>

#include "common/base/mem.h"
#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

static size_t count_rows(const struct segment *segment, enum effect_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < segment->count; i++) {
        count += segment->list[i].kind == kind;
    }
    return count;
}

/* Of one that the edit adds: NULL before it was. */
struct book_task *promise_task_named(const struct world *world, const struct wish *wish,
                                     const int64_t *added, edit_task task)
{
    if (task >= 0) {
        struct book_task *found = books_task(world->books, task);
        return found != NULL && found->constellation->id == wish->constellation_id ? found : NULL;
    }
    return books_task(world->books, added[-1 - task]);
}

/* The ids that the daemon has given to its tasks: known by their keys. */
static bool find_added(struct world *world, const struct segment *segment, int64_t *added)
{
    const struct wish *wish = segment->wish;
    size_t found = 0;
    for (size_t i = 0; i < segment->count; i++) {
        const struct effect *effect = &segment->list[i];
        for (size_t k = 0; effect->kind == EFFECT_ADD_TASK && k < wish->edit.tasks_added; k++) {
            if (str_equal(effect->task.plan->key, wish->adds[k]->plan.key) && added[k] == 0) {
                added[k] = effect->task.record->id;
                found++;
            }
        }
    }
    if (found != wish->edit.tasks_added || found != count_rows(segment, EFFECT_ADD_TASK)) {
        promise_broken(world, "P3", "an edit adds %zu tasks, and %zu are stored",
                       wish->edit.tasks_added, count_rows(segment, EFFECT_ADD_TASK));
        return false;
    }
    return true;
}

static bool row_names(const struct segment *segment, enum effect_kind kind, int64_t id)
{
    for (size_t i = 0; i < segment->count; i++) {
        if (segment->list[i].kind == kind && segment->list[i].id == id) {
            return true;
        }
    }
    return false;
}

static const struct effect *edge_row(const struct segment *segment, enum effect_kind kind,
                                     int64_t id)
{
    for (size_t i = 0; i < segment->count; i++) {
        if (segment->list[i].kind == kind && segment->list[i].edge.record.id == id) {
            return &segment->list[i];
        }
    }
    return NULL;
}

bool promise_edge_is(const struct effect *row, const struct plan_edge *plan)
{
    return row->edge.record.when == plan->when && row->edge.record.required == plan->required &&
           row->edge.record.conditional == (plan->condition.length > 0) &&
           str_equal(row->edge.plan->condition, plan->condition) &&
           str_equal(row->edge.plan->arguments, plan->arguments);
}

/* That the daemon knows of. */
static size_t count_edges(const struct book_task *task)
{
    size_t count = 0;
    for (uint32_t i = 0; i < task->constellation->edges_count; i++) {
        const struct book_edge *edge = task->constellation->edges[i];
        count += edge->id != 0 && (edge->from == task || edge->to == task);
    }
    return count;
}

static void apply_removals(struct world *world, const struct segment *segment)
{
    struct books *books = world->books;
    const struct edit *edit = &segment->wish->edit;
    size_t edges = 0;
    size_t tasks = 0;
    for (size_t i = 0; i < edit->operations_count && !world->broken; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        struct book_edge *edge =
            operation->kind == EDIT_REMOVE_EDGE ? books_edge(books, operation->edge.edge_id) : NULL;
        if (edge != NULL) {
            if (!row_names(segment, EFFECT_REMOVE_EDGE, edge->id)) {
                promise_broken(world, "P3", "dependency %" PRId64 " was removed and is stored",
                               edge->id);
            }
            books_remove_edge(books, edge);
            edges++;
        }
    }
    for (size_t i = 0; i < edit->operations_count && !world->broken; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind != EDIT_REMOVE_TASK) {
            continue;
        }
        struct book_task *task = books_task(books, operation->task);
        edges += count_edges(task);
        books_remove_task(books, task);
        tasks++;
        if (!row_names(segment, EFFECT_REMOVE_TASK, task->id)) {
            promise_broken(world, "P3", "task %" PRId64 " was removed and is stored", task->id);
        }
    }
    if (edges != count_rows(segment, EFFECT_REMOVE_EDGE) ||
        tasks != count_rows(segment, EFFECT_REMOVE_TASK)) {
        promise_broken(world, "P3", "an edit removes %zu tasks and %zu dependencies, not these",
                       tasks, edges);
    }
}

/* The same task may be written twice: its record is what the last one says. */
static bool is_last_write(const struct edit *edit, const struct edit_operation *operation)
{
    for (const struct edit_operation *later = operation + 1;
         later < edit->operations + edit->operations_count; later++) {
        if (later->kind == EDIT_UPDATE_TASK && later->write.task == operation->write.task) {
            return false;
        }
    }
    return true;
}

static void apply_write(struct world *world, const struct segment *segment,
                        const struct edit_operation *operation)
{
    struct book_task *task = books_task(world->books, operation->write.task);
    const struct sim_task *spec = (const struct sim_task *)(const void *)operation->write.plan;
    bool is_last = is_last_write(&segment->wish->edit, operation);
    bool is_written = false;
    for (size_t i = 0; i < segment->count; i++) {
        const struct effect *effect = &segment->list[i];
        is_written = is_written ||
                     (effect->kind == EFFECT_TASK_TEXT && effect->task.record->id == task->id &&
                      str_equal(effect->task.plan->body, spec->plan.body) &&
                      (!is_last || effect->task.record->priority == spec->plan.priority));
    }
    if (!is_written) {
        promise_broken(world, "P3", "task %" PRId64 " was written anew and is not", task->id);
    }
    task->spec = spec;
    task->same_with = task->other_than = 0; /* what is written anew here says nothing of others */
}

static void apply_edge(struct world *world, const struct segment *segment, const int64_t *added,
                       const struct edit_operation *operation)
{
    struct books *books = world->books;
    struct plan_edge plan = operation->edge.plan;
    plan.when = operation->edge.when;
    plan.named = operation->edge.named;
    if (operation->kind == EDIT_UPDATE_EDGE) {
        struct book_edge *edge = books_edge(books, operation->edge.edge_id);
        const struct effect *row = edge_row(segment, EFFECT_EDGE_TEXT, edge->id);
        if (row == NULL || !promise_edge_is(row, &plan)) {
            promise_broken(world, "P3", "dependency %" PRId64 " was changed and is not", edge->id);
        }
        edge->plan = plan;
        edge->decision = EDGE_UNDECIDED;
        return;
    }
    struct book_task *from = promise_task_named(world, segment->wish, added, operation->edge.from);
    struct book_task *to = promise_task_named(world, segment->wish, added, operation->edge.to);
    for (size_t i = 0; i < segment->count; i++) {
        const struct effect *row = &segment->list[i];
        if (row->kind == EFFECT_ADD_EDGE && row->edge.record.from_id == from->id &&
            row->edge.record.to_id == to->id && promise_edge_is(row, &plan) &&
            books_edge(books, row->edge.record.id) == NULL) {
            books_add_edge(books, row->edge.record.id, from, to, &plan);
            return;
        }
    }
    promise_broken(world, "P3",
                   "an edit adds a dependency of %" PRId64 " on %" PRId64 ", which is not stored",
                   to->id, from->id);
}

static void apply_set(struct world *world, const struct segment *segment,
                      const struct edit_operation *operation)
{
    struct book_constellation *constellation =
        books_constellation(world->books, segment->wish->constellation_id);
    constellation->limit = operation->set.limits[0].capacity;
    bool is_written = false;
    for (size_t i = 0; i < segment->count; i++) {
        const struct effect *effect = &segment->list[i];
        is_written = is_written || (effect->kind == EFFECT_ADD_LIMIT &&
                                    effect->limit.capacity == operation->set.limits[0].capacity &&
                                    str_equal(effect->limit.name, operation->set.limits[0].name));
    }
    if (!is_written) {
        promise_broken(world, "P3", "the limits of constellation %" PRId64 " were set and are not",
                       constellation->id);
    }
}

void promise_count_edit(struct world *world, const struct wish *wish)
{
    static const enum counter counters[] = {
        [EDIT_ADD_TASK] = COUNT_EDIT_ADD_TASK,
        [EDIT_REMOVE_TASK] = COUNT_EDIT_REMOVE_TASK,
        [EDIT_UPDATE_TASK] = COUNT_EDIT_UPDATE_TASK,
        [EDIT_ADD_EDGE] = COUNT_EDIT_ADD_EDGE,
        [EDIT_UPDATE_EDGE] = COUNT_EDIT_UPDATE_EDGE,
        [EDIT_REMOVE_EDGE] = COUNT_EDIT_REMOVE_EDGE,
        [EDIT_SET] = COUNT_EDIT_SET,
        [EDIT_TOUCH] = COUNT_EDIT_TOUCH,
    };
    const struct edit *edit = &wish->edit;
    for (size_t i = 0; i < edit->operations_count; i++) {
        count_path(world, counters[edit->operations[i].kind]);
    }
    world->counts->paths[COUNT_EDIT_REBASED] +=
        edit->base_revision != 0 && edit->base_revision + 1 < wish->revision;
}

static void count_refusal(struct world *world, enum edit_code code)
{
    static const enum counter counters[EDIT_CODES_END] = {
        [EDIT_CODE_CONFLICT] = COUNT_REFUSED_CONFLICT,
        [EDIT_CODE_STALE] = COUNT_REFUSED_STALE,
        [EDIT_CODE_FUTURE_BASE] = COUNT_REFUSED_FUTURE_BASE,
        [EDIT_CODE_UNKNOWN_TASK] = COUNT_REFUSED_UNKNOWN_TASK,
        [EDIT_CODE_UNKNOWN_EDGE] = COUNT_REFUSED_UNKNOWN_EDGE,
        [EDIT_CODE_DUPLICATE_EDGE] = COUNT_REFUSED_DUPLICATE_EDGE,
        [EDIT_CODE_TASK_STARTED] = COUNT_REFUSED_TASK_STARTED,
        [EDIT_CODE_TASK_FINAL] = COUNT_REFUSED_TASK_FINAL,
        [EDIT_CODE_TARGET_STARTED] = COUNT_REFUSED_TARGET_STARTED,
        [EDIT_CODE_CYCLE] = COUNT_REFUSED_CYCLE,
        [EDIT_CODE_HAS_DEPENDENTS] = COUNT_REFUSED_HAS_DEPENDENTS,
        [EDIT_CODE_EXPECT_FAILED] = COUNT_REFUSED_EXPECT_FAILED,
        [EDIT_CODE_UNKNOWN_HOLD] = COUNT_REFUSED_UNKNOWN_HOLD,
        [EDIT_CODE_CANCELLED] = COUNT_REFUSED_CANCELLED,
        [EDIT_CODE_NO_TASKS] = COUNT_REFUSED_NO_TASKS,
        [EDIT_CODE_REOPENING] = COUNT_REFUSED_REOPENING,
    };
    if (counters[code] != 0) {
        count_path(world, counters[code]);
    }
}

void promise_count_refusal(struct world *world, const struct edit_result *result)
{
    count_path(world, COUNT_REFUSED);
    for (size_t i = 0; i < result->problems_count; i++) {
        count_refusal(world, result->problems[i].code);
    }
}

static void check_revision(struct world *world, const struct segment *segment)
{
    struct wish *wish = segment->wish;
    struct book_constellation *constellation =
        books_constellation(world->books, wish->constellation_id);
    const struct revision_record *revision = NULL;
    for (size_t i = 0; i < segment->count; i++) {
        if (segment->list[i].kind == EFFECT_ADD_REVISION) {
            revision = &segment->list[i].revision;
        }
    }
    uint32_t number = constellation->record.revision + 1;
    if (count_rows(segment, EFFECT_ADD_REVISION) != 1 || revision == NULL ||
        revision->number != number || revision->constellation_id != constellation->id ||
        segment_reply(segment)->reply.edit->revision != number) {
        promise_broken(world, "P3", "revision %u is not followed by the next one",
                       constellation->record.revision);
    }
    wish->revision = number;
}

/* Depth first; a task that is met again on the way down closes a cycle. */
static bool reaches(const struct book_constellation *constellation, struct book_task *task,
                    const struct book_task *wanted, unsigned mark)
{
    if (task->mark == mark) {
        return false;
    }
    task->mark = mark;
    for (uint32_t i = 0; i < constellation->edges_count; i++) {
        const struct book_edge *edge = constellation->edges[i];
        if (edge->from == task &&
            (edge->to == wanted || reaches(constellation, edge->to, wanted, mark))) {
            return true;
        }
    }
    return false;
}

void promise_check_acyclic(struct world *world, const struct book_constellation *constellation)
{
    for (uint32_t i = 0; i < constellation->tasks_count; i++) {
        struct book_task *task = constellation->tasks[i];
        if (reaches(constellation, task, task, ++world->books->marks)) {
            promise_broken(world, "P2", "an edit has closed a cycle through task %" PRId64,
                           task->id);
            return;
        }
    }
}

void promise_edit_applied(struct world *world, const struct segment *segment)
{
    struct books *books = world->books;
    struct wish *wish = segment->wish;
    const struct edit *edit = &wish->edit;
    struct book_constellation *constellation = books_constellation(books, wish->constellation_id);
    const char *why = promise_judge_edit(world, wish);
    if (why != NULL) {
        char text[400];
        wish_print(wish, text, sizeof text);
        promise_broken(world, "P3", "an edit of constellation %" PRId64 " is applied: %s; %s",
                       wish->constellation_id, why, text);
        return;
    }
    check_revision(world, segment);
    int64_t *added = mem_array(edit->tasks_added + 1, sizeof *added);
    apply_removals(world, segment);
    bool whole = !world->broken && find_added(world, segment, added);
    for (size_t i = 0; i < edit->tasks_added && whole; i++) {
        books_add_task(books, constellation, added[i], wish->adds[i]);
    }
    size_t edges = 0;
    for (size_t i = 0; i < edit->operations_count && whole && !world->broken; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind == EDIT_UPDATE_TASK) {
            apply_write(world, segment, operation);
        } else if (operation->kind == EDIT_ADD_EDGE || operation->kind == EDIT_UPDATE_EDGE) {
            apply_edge(world, segment, added, operation);
            edges += operation->kind == EDIT_ADD_EDGE;
        } else if (operation->kind == EDIT_SET) {
            apply_set(world, segment, operation);
        }
    }
    mem_free(added);
    if (!world->broken && edges != count_rows(segment, EFFECT_ADD_EDGE)) {
        promise_broken(world, "P3", "an edit adds %zu dependencies, not these", edges);
    }
    if (!world->broken) {
        promise_check_acyclic(world, constellation);
        promise_count_edit(world, wish);
    }
}

void promise_edit_refused(struct world *world, const struct segment *segment)
{
    const struct effect *reply = segment_reply(segment);
    if (reply == NULL) {
        promise_broken(world, "P9", "an edit is not answered");
        return;
    }
    for (size_t i = 0; i < segment->count; i++) {
        enum effect_kind kind = segment->list[i].kind;
        if (kind != EFFECT_REPLY && kind != EFFECT_HISTORY && kind != EFFECT_SEND) {
            promise_broken(world, "P3", "an edit was refused, and something has come of it");
        }
    }
    const struct edit_result *result = reply->reply.edit;
    if (result == NULL || promise_judge_edit(world, segment->wish) == NULL) {
        if (result != NULL) {
            char text[400];
            wish_print(segment->wish, text, sizeof text);
            promise_broken(
                world, "P3",
                "an edit of constellation %" PRId64 " is refused without a cause: %s; %s",
                segment->wish->constellation_id, edit_code_name(result->problems[0].code), text);
        }
        return;
    }
    promise_count_refusal(world, result);
}
