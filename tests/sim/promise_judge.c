/* The checker: whether an edit breaks a rule of docs/editing.md, by the books as they are before it. */
#include "common/base/mem.h"
#include "tests/sim/promise_plan.h"
#include "tests/sim/world.h"

/* A dependency as it will be; tasks by the names that the edit gives them. */
struct draft {
    int64_t id; /* 0: added */
    edit_task from;
    edit_task to;
    enum edge_when when;
    struct str condition;
    struct str arguments;
    bool is_touched;
    bool is_removed;
};

struct judge {
    const struct world *world;
    const struct wish *wish;
    const struct book_constellation *constellation;
    struct draft *drafts;
    size_t count;
    edit_task *path;
    const char *why;
    bool is_large;    /* the hold that is there is its own */
    bool is_admitted; /* it was found good when it was checked */
};

static void refuse(struct judge *judge, const char *why)
{
    judge->why = judge->why == NULL ? why : judge->why;
}

static const struct book_task *find(const struct judge *judge, edit_task task)
{
    const struct book_task *found = books_task(judge->world->books, task);
    return found != NULL && found->constellation == judge->constellation ? found : NULL;
}

static bool is_removed(const struct judge *judge, edit_task task)
{
    const struct edit *edit = &judge->wish->edit;
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_REMOVE_TASK && edit->operations[i].task == task) {
            return true;
        }
    }
    return false;
}

/* It is there, will be there, and nothing has touched it since the edit's base. */
static void touch(struct judge *judge, edit_task task, bool must_stay)
{
    const struct edit *edit = &judge->wish->edit;
    uint32_t head = judge->constellation->record.revision;
    if (task < 0) {
        if ((size_t)(-1 - task) >= edit->tasks_added) {
            refuse(judge, "it names a task that it does not add");
        }
        return;
    }
    const struct book_task *found = find(judge, task);
    if (found == NULL || (must_stay && is_removed(judge, task))) {
        refuse(judge, "it names a task that is not there");
    } else if (edit->base_revision > 0 && edit->base_revision < head &&
               found->record.revision > edit->base_revision) {
        refuse(judge, "it touches what has changed since its base");
    }
}

static void must_be_open(struct judge *judge, edit_task task)
{
    const struct book_task *found = task < 0 ? NULL : find(judge, task);
    if (found != NULL && found->record.state != TASK_SKIPPED &&
        (found->record.state != TASK_WAITING || book_task_has_started(found))) {
        refuse(judge, "it touches a task that has started or has ended");
    }
}

static struct draft *find_draft(struct judge *judge, int64_t id)
{
    for (size_t i = 0; i < judge->count; i++) {
        if (judge->drafts[i].id == id && !judge->drafts[i].is_removed) {
            return &judge->drafts[i];
        }
    }
    return NULL;
}

static void judge_whole(struct judge *judge)
{
    const struct edit *edit = &judge->wish->edit;
    const struct constellation_record *record = &judge->constellation->record;
    if (!constellation_state_is_final(record->state) &&
        (record->cancel_requested || record->stopping)) {
        refuse(judge, "the constellation is being stopped");
    }
    if (edit->base_revision > record->revision) {
        refuse(judge, "its base is not there yet");
    }
    if (edit->exact && edit->base_revision != record->revision) {
        refuse(judge, "the head is not the one it is for");
    }
    if (!judge->is_large && book_bulk_hold(judge->constellation) != NULL) {
        refuse(judge, "another edit is being made");
    }
    const struct book_hold *hold = books_hold(judge->world->books, edit->release_hold_id);
    if (edit->release_hold_id != 0 && !judge->is_admitted && /* it may be gone meanwhile */
        (hold == NULL || hold->constellation != judge->constellation ||
         hold->record.origin == HOLD_BULK)) { /* its own, by a number that was another's */
        refuse(judge, "it releases a hold that is not there");
    }
    for (size_t i = 0; i < edit->expects_count; i++) {
        const struct edit_expect *expect = &edit->expects[i];
        const struct book_task *task = find(judge, expect->task_id);
        if (task == NULL || (expect->state != 0 && task->record.state != expect->state) ||
            (expect->attempts != 0 && task->record.attempts != expect->attempts)) {
            refuse(judge, "a task is not as it expects");
        }
    }
}

static void judge_removal(struct judge *judge, const struct edit_operation *operation)
{
    for (const struct edit_operation *other = judge->wish->edit.operations; other < operation;
         other++) {
        if (other->kind == EDIT_REMOVE_TASK && other->task == operation->task) {
            refuse(judge, "it removes a task twice");
        }
    }
    touch(judge, operation->task, false);
    must_be_open(judge, operation->task);
}

/* What still leads to something that stays; all others go with the task. */
static void judge_dependents(struct judge *judge, edit_task task)
{
    for (size_t i = 0; i < judge->count; i++) {
        struct draft *draft = &judge->drafts[i];
        if (draft->from == task && !draft->is_removed && draft->id != 0 &&
            !is_removed(judge, draft->to)) {
            refuse(judge, "it removes what something depends on");
        }
        if (draft->from == task || draft->to == task) {
            draft->is_removed = true;
        }
    }
}

static void judge_edge(struct judge *judge, const struct edit_operation *operation)
{
    struct draft *draft = find_draft(judge, operation->edge.edge_id);
    if (draft == NULL || draft->is_touched) {
        refuse(judge, "it changes a dependency that is not there");
        return;
    }
    bool stays = operation->kind == EDIT_UPDATE_EDGE;
    touch(judge, draft->from, stays);
    touch(judge, draft->to, stays);
    must_be_open(judge, draft->to);
    draft->is_touched = true;
    if (!stays) {
        draft->is_removed = true;
    }
}

static bool is_double(const struct judge *judge, const struct draft *draft)
{
    for (size_t i = 0; i < judge->count; i++) {
        const struct draft *other = &judge->drafts[i];
        bool conditional = draft->condition.length > 0;
        if (other == draft || other->is_removed || other->from != draft->from ||
            other->to != draft->to || other->when != draft->when ||
            conditional != (other->condition.length > 0)) {
            continue;
        }
        /* The texts of what is stored are compared by those who read keys. */
        if (!conditional || (other->is_touched && str_equal(other->condition, draft->condition) &&
                             str_equal(other->arguments, draft->arguments))) {
            return true;
        }
    }
    return false;
}

static bool leads_to(const struct judge *judge, edit_task from, edit_task to)
{
    size_t count = 0;
    judge->path[count++] = from;
    for (size_t next = 0; next < count; next++) {
        for (size_t i = 0; i < judge->count; i++) {
            const struct draft *draft = &judge->drafts[i];
            bool is_new = draft->from == judge->path[next] && !draft->is_removed;
            for (size_t k = 0; k < count && is_new; k++) {
                is_new = judge->path[k] != draft->to;
            }
            if (is_new) {
                judge->path[count++] = draft->to;
            }
        }
    }
    for (size_t k = 0; k < count; k++) {
        if (judge->path[k] == to) {
            return true;
        }
    }
    return false;
}

static void put(struct judge *judge, const struct edit_operation *operation)
{
    struct draft *draft = NULL;
    if (operation->kind == EDIT_ADD_EDGE) {
        edit_task from = operation->edge.from;
        edit_task to = operation->edge.to;
        if (leads_to(judge, to, from)) {
            refuse(judge, "it closes a cycle");
        }
        draft = &judge->drafts[judge->count++];
        *draft = (struct draft){ .from = from, .to = to };
    } else {
        draft = find_draft(judge, operation->edge.edge_id);
        if (draft == NULL) {
            return;
        }
    }
    draft->is_touched = true;
    draft->when = operation->edge.when;
    draft->condition = operation->edge.plan.condition;
    draft->arguments = operation->edge.plan.arguments;
    if (is_double(judge, draft)) {
        refuse(judge, "it adds a dependency that is there already");
    }
}

static bool is_finally(const struct judge *judge, edit_task task)
{
    const struct edit *edit = &judge->wish->edit;
    if (task < 0) {
        return (judge->wish->adds[-1 - task]->plan.flags & TASK_FINALLY) != 0;
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind == EDIT_UPDATE_TASK && operation->write.task == task) {
            return (operation->write.plan->flags & TASK_FINALLY) != 0;
        }
    }
    const struct book_task *found = find(judge, task);
    return found != NULL && (found->spec->plan.flags & TASK_FINALLY) != 0;
}

static void judge_checks(struct judge *judge)
{
    const struct edit *edit = &judge->wish->edit;
    for (size_t i = 0; i < edit->operations_count; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind == EDIT_REMOVE_TASK) {
            judge_removal(judge, operation);
        } else if (operation->kind == EDIT_UPDATE_TASK) {
            touch(judge, operation->write.task, true);
            must_be_open(judge, operation->write.task);
        } else if (operation->kind == EDIT_TOUCH) {
            touch(judge, operation->task, true);
        } else if (operation->kind == EDIT_ADD_EDGE) {
            touch(judge, operation->edge.from, true);
            touch(judge, operation->edge.to, true);
            must_be_open(judge, operation->edge.to);
        } else if (operation->kind == EDIT_UPDATE_EDGE || operation->kind == EDIT_REMOVE_EDGE) {
            judge_edge(judge, operation);
        }
    }
}

static void judge_graph(struct judge *judge)
{
    const struct edit *edit = &judge->wish->edit;
    size_t removed = 0;
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_REMOVE_TASK) {
            judge_dependents(judge, edit->operations[i].task);
            removed++;
        }
    }
    if (removed > 0 && judge->constellation->tasks_count + edit->tasks_added == removed) {
        refuse(judge, "nothing would be left");
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_UPDATE_EDGE) {
            put(judge, &edit->operations[i]);
        }
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_ADD_EDGE) {
            put(judge, &edit->operations[i]);
        }
    }
    for (size_t i = 0; i < judge->count && judge->why == NULL; i++) {
        const struct draft *draft = &judge->drafts[i];
        if (!draft->is_removed && is_finally(judge, draft->from) && !is_finally(judge, draft->to)) {
            refuse(judge, "it lets a task wait for one that runs last");
        }
    }
}

static const char *judge_edit(struct world *world, const struct wish *wish, bool is_admitted)
{
    struct judge judge = {
        .world = world,
        .wish = wish,
        .is_large = wish->is_large,
        .is_admitted = is_admitted,
        .constellation = books_constellation(world->books, wish->constellation_id),
    };
    if (judge.constellation == NULL) {
        return "there is no such constellation";
    }
    const struct book_constellation *constellation = judge.constellation;
    size_t most = constellation->edges_count + wish->edit.operations_count;
    judge.drafts = mem_array(most + 1, sizeof judge.drafts[0]);
    judge.path = mem_array(most + constellation->tasks_count + 2, sizeof judge.path[0]);
    for (uint32_t i = 0; i < constellation->edges_count; i++) {
        const struct book_edge *edge = constellation->edges[i];
        judge.drafts[judge.count++] = (struct draft){
            .id = edge->id == 0 ? INT64_MAX : edge->id,
            .from = edge->from->id,
            .to = edge->to->id,
            .when = edge->plan.when,
            .condition = edge->plan.condition,
            .arguments = edge->plan.arguments,
        };
    }
    judge_whole(&judge);
    judge_checks(&judge);
    if (judge.why == NULL) {
        judge_graph(&judge);
    }
    mem_free(judge.drafts);
    mem_free(judge.path);
    return judge.why;
}

const char *promise_judge_edit(struct world *world, const struct wish *wish)
{
    return judge_edit(world, wish, false);
}

const char *promise_judge_admitted(struct world *world, const struct wish *wish)
{
    return judge_edit(world, wish, true);
}
