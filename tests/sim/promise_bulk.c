/* The checker: edits of many operations. What is found good is so by the books, and stays so until it is
   admitted; from there on each row of a part is one that was asked for, each once, the graph has no cycle
   in between, and the revision comes when all of it is there. */
#include <inttypes.h>

#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

static void complain(struct world *world, const struct wish *wish, const char *what)
{
    char text[400];
    wish_print(wish, text, sizeof text);
    promise_broken(world, "P3", "an edit in parts of constellation %" PRId64 ": %s; %s",
                   wish->constellation_id, what, text);
}

void promise_bulk_checked(struct world *world, const struct wish *wish,
                          const struct edit_result *result)
{
    const char *why = promise_judge_edit(world, wish);
    if (result->problems_count == 0 && why != NULL) {
        complain(world, wish, why);
    } else if (result->problems_count > 0 && why == NULL) {
        complain(world, wish, edit_code_name(result->problems[0].code));
    } else if (result->problems_count > 0) {
        count_path(world, COUNT_BULK_REFUSED);
        promise_count_refusal(world, result);
    }
}

static void begun(struct world *world, const struct segment *segment)
{
    bool is_held = segment_has(segment, EFFECT_ADD_HOLD);
    const struct effect *reply = segment_reply(segment);
    if (reply == NULL) {
        promise_broken(world, "P9", "an edit in parts is not answered");
    } else if (reply->reply.err != ERR_NONE) {
        count_path(world, COUNT_BULK_BUSY);
    } else {
        count_path(world, is_held ? COUNT_BULK_HELD : COUNT_BULK_ASLEEP);
    }
}

/* Found good, and refused: it is not as expected any more, all is stopped, or it had ended and is another now. */
static void late(struct world *world, const struct segment *segment, const char *why)
{
    const struct effect *reply = segment_reply(segment);
    const struct book_constellation *constellation =
        books_constellation(world->books, segment->wish->constellation_id);
    bool was_held = segment_has(segment, EFFECT_REMOVE_HOLD);
    if (reply == NULL) {
        promise_broken(world, "P9", "an edit in parts is not answered");
    } else if (why == NULL && (was_held || reply->reply.edit != NULL)) {
        complain(world, segment->wish, "it was held, found good, and is refused");
    }
    bool is_stopping = constellation->record.cancel_requested || constellation->record.stopping;
    count_path(world, reply != NULL && reply->reply.edit != NULL ? COUNT_BULK_UNEXPECTED
                      : is_stopping                              ? COUNT_BULK_STOPPED
                                                                 : COUNT_BULK_LATE);
}

static void admitted(struct world *world, const struct segment *segment)
{
    struct wish *wish = segment->wish;
    const struct effect *row = NULL;
    for (size_t i = 0; i < segment->count; i++) {
        row = segment->list[i].kind == EFFECT_PUT_BULK ? &segment->list[i] : row;
    }
    const char *why = promise_judge_admitted(world, wish);
    if (row == NULL) {
        late(world, segment, why);
        return;
    }
    if (why != NULL || wish->is_stored) {
        complain(world, wish, why != NULL ? why : "it is made a second time");
        return;
    }
    books_add_bulk(world->books, row->bulk.id, wish)->admitted_ms = world->now_ms;
    count_path(world, COUNT_BULK_ADMITTED);
}

/* --- A part --- */

static void unasked(struct world *world, const struct book_bulk *bulk, const char *what)
{
    complain(world, bulk->wish, what);
}

/* The first operation of the kind that fits the row and is not done; it is done now. */
static const struct edit_operation *take(struct world *world, struct book_bulk *bulk,
                                         enum edit_kind kind, const struct effect *row)
{
    const struct edit *edit = &bulk->wish->edit;
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        bool fits = operation->kind == kind && !bulk->done[i];
        if (fits && kind == EDIT_ADD_TASK) {
            fits = str_equal(row->task.plan->key, operation->write.plan->key);
        } else if (fits && kind == EDIT_UPDATE_TASK) {
            fits = operation->write.task == row->task.record->id &&
                   str_equal(row->task.plan->body, operation->write.plan->body);
        } else if (fits && kind == EDIT_REMOVE_TASK) {
            fits = operation->task == row->id;
        } else if (fits && kind == EDIT_REMOVE_EDGE) {
            fits = operation->edge.edge_id == row->id;
        } else if (fits && kind == EDIT_UPDATE_EDGE) {
            fits = operation->edge.edge_id == row->edge.record.id;
        } else if (fits && kind == EDIT_ADD_EDGE) {
            const struct book_task *from =
                promise_task_named(world, bulk->wish, bulk->added, operation->edge.from);
            const struct book_task *to =
                promise_task_named(world, bulk->wish, bulk->added, operation->edge.to);
            struct plan_edge plan = operation->edge.plan;
            plan.when = operation->edge.when;
            fits = from != NULL && to != NULL && from->id == row->edge.record.from_id &&
                   to->id == row->edge.record.to_id && promise_edge_is(row, &plan);
        } else if (fits && kind == EDIT_SET) {
            fits = row->limit.capacity == operation->set.limits[0].capacity;
        }
        if (fits) {
            bulk->done[i] = true;
            return operation;
        }
    }
    return NULL;
}

static void add_task(struct world *world, struct book_bulk *bulk, const struct effect *row)
{
    const struct edit_operation *operation = take(world, bulk, EDIT_ADD_TASK, row);
    if (operation == NULL) {
        unasked(world, bulk, "a part adds a task that it does not");
        return;
    }
    size_t number = (size_t)(-1 - operation->write.task);
    bulk->added[number] = row->task.record->id;
    books_add_task(world->books, books_constellation(world->books, bulk->wish->constellation_id),
                   row->task.record->id, bulk->wish->adds[number]);
}

static bool removes(const struct book_bulk *bulk, const struct book_task *task)
{
    const struct edit *edit = &bulk->wish->edit;
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_REMOVE_TASK && edit->operations[i].task == task->id) {
            return true;
        }
    }
    return false;
}

/* It was named, or goes with a task. */
static void remove_edge(struct world *world, struct book_bulk *bulk, const struct effect *row)
{
    struct book_edge *edge = books_edge(world->books, row->id);
    if (edge == NULL || (take(world, bulk, EDIT_REMOVE_EDGE, row) == NULL &&
                         !removes(bulk, edge->from) && !removes(bulk, edge->to))) {
        unasked(world, bulk, "a part removes a dependency that it does not");
        return;
    }
    books_remove_edge(world->books, edge);
}

static void remove_task(struct world *world, struct book_bulk *bulk, const struct effect *row)
{
    struct book_task *task = books_task(world->books, row->id);
    if (task == NULL || take(world, bulk, EDIT_REMOVE_TASK, row) == NULL) {
        unasked(world, bulk, "a part removes a task that it does not");
        return;
    }
    books_remove_task(world->books, task);
}

static void write_task(struct world *world, struct book_bulk *bulk, const struct effect *row)
{
    struct book_task *task = books_task(world->books, row->task.record->id);
    const struct edit_operation *operation = take(world, bulk, EDIT_UPDATE_TASK, row);
    if (task == NULL || operation == NULL) {
        unasked(world, bulk, "a part writes a task that it does not");
        return;
    }
    task->spec = (const struct sim_task *)(const void *)operation->write.plan;
    task->same_with = task->other_than = 0;
}

static void write_edge(struct world *world, struct book_bulk *bulk, const struct effect *row)
{
    bool is_new = row->kind == EFFECT_ADD_EDGE;
    const struct edit_operation *operation =
        take(world, bulk, is_new ? EDIT_ADD_EDGE : EDIT_UPDATE_EDGE, row);
    struct books *books = world->books;
    if (operation == NULL) {
        unasked(world, bulk, "a part writes a dependency that it does not");
        return;
    }
    struct plan_edge plan = operation->edge.plan;
    plan.when = operation->edge.when;
    plan.named = operation->edge.named;
    struct book_edge *edge = books_edge(books, row->edge.record.id);
    if (is_new) {
        books_add_edge(books, row->edge.record.id, books_task(books, row->edge.record.from_id),
                       books_task(books, row->edge.record.to_id), &plan);
    } else if (edge == NULL || !promise_edge_is(row, &plan)) {
        unasked(world, bulk, "a part changes a dependency otherwise");
    } else {
        edge->plan = plan;
        edge->decision = EDGE_UNDECIDED;
    }
}

/* Limits are set before all else, and once more with the rest of it. */
static void set_limit(struct world *world, struct book_bulk *bulk, const struct effect *row)
{
    const struct edit *edit = &bulk->wish->edit;
    bool is_asked = take(world, bulk, EDIT_SET, row) != NULL;
    for (size_t i = 0; i < edit->operations_count && !is_asked; i++) {
        is_asked = edit->operations[i].kind == EDIT_SET &&
                   edit->operations[i].set.limits[0].capacity == row->limit.capacity;
    }
    if (!is_asked) {
        unasked(world, bulk, "a part sets a limit that it does not");
    }
    books_constellation(world->books, bulk->wish->constellation_id)->limit = row->limit.capacity;
}

/* The last part: nothing of it is missing. */
static void take_revision(struct world *world, struct book_bulk *bulk,
                          const struct revision_record *revision)
{
    struct wish *wish = bulk->wish;
    const struct edit *edit = &wish->edit;
    struct book_constellation *constellation =
        books_constellation(world->books, wish->constellation_id);
    size_t missing = 0;
    for (size_t i = 0; i < edit->operations_count; i++) {
        missing += !bulk->done[i] && edit->operations[i].kind != EDIT_TOUCH;
    }
    if (missing > 0 || bulk->has_revision ||
        revision->number != constellation->record.revision + 1) {
        promise_broken(world, "P3", "revision %u is there, and %zu operations of it are not made",
                       revision->number, missing);
    }
    bulk->has_revision = true;
    wish->revision = revision->number;
    wish->is_stored = true;
    promise_count_edit(world, wish);
    count_path_if(world, COUNT_BULK_UNDONE, wish->takes_back_large);
}

static void take_row(struct world *world, struct book_bulk *bulk, const struct effect *row)
{
    switch ((int)row->kind) {
    case EFFECT_ADD_TASK:
        add_task(world, bulk, row);
        break;
    case EFFECT_REMOVE_TASK:
        remove_task(world, bulk, row);
        break;
    case EFFECT_TASK_TEXT:
        write_task(world, bulk, row);
        break;
    case EFFECT_ADD_EDGE:
    case EFFECT_EDGE_TEXT:
        write_edge(world, bulk, row);
        break;
    case EFFECT_REMOVE_EDGE:
        remove_edge(world, bulk, row);
        break;
    case EFFECT_ADD_LIMIT:
        set_limit(world, bulk, row);
        break;
    case EFFECT_ADD_REVISION:
        take_revision(world, bulk, &row->revision);
        break;
    case EFFECT_PUT_BULK:
        count_path_if(world, COUNT_BULK_RENEWED, row->bulk.is_renewing && row->bulk.next == 0);
        break;
    default:
        break;
    }
}

static void take_part(struct world *world, struct segment *segment)
{
    struct book_bulk *bulk = books_bulk(world->books, segment->bulk_id);
    if (bulk == NULL) {
        promise_broken(world, "P3", "a part is made of an edit that was not admitted");
        return;
    }
    segment->wish = bulk->wish;
    for (size_t i = 0; i < segment->count && !world->broken; i++) {
        take_row(world, bulk, &segment->list[i]);
    }
    if (!world->broken) {
        promise_check_acyclic(world,
                              books_constellation(world->books, bulk->wish->constellation_id));
    }
    if (segment_has(segment, EFFECT_REMOVE_BULK)) {
        if (!bulk->has_revision && !world->broken) {
            promise_broken(world, "P3", "an edit in parts ends before its revision");
        }
        count_path(world, COUNT_BULK_MADE);
        count_path_if(world, COUNT_BULK_RESUMED, bulk->admitted_ms < world->books->restarted_ms);
        books_remove_bulk(world->books, bulk);
    }
}

void promise_bulk(struct world *world, struct segment *segment)
{
    switch (segment->step) {
    case BULK_STEP_BEGIN:
        begun(world, segment);
        break;
    case BULK_STEP_ADMIT:
        admitted(world, segment);
        break;
    case BULK_STEP_PART:
        take_part(world, segment);
        break;
    case BULK_STEP_DROP:
    case BULK_STEP_NONE:
        break;
    }
}
