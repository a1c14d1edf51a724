/* The graph as an edit makes it, before anything else knows: what goes is taken out, what comes is put
   in, and what would close a cycle or stand twice is found. All of it can be undone. */
#include "common/base/mem.h"
#include "orchestrator/engine/edit_batch.h"
#include "orchestrator/engine/order.h"

static void put_flags(struct constellation *constellation, struct touch *touch)
{
    struct task *task = constellation_task(constellation, touch->task);
    uint16_t flags = task->record.flags;
    bool remains = !task_state_is_final((enum task_state)task->record.state);
    constellation_count_out(task);
    constellation->finals -= (flags & TASK_FINALLY) != 0;
    constellation->ordinary -= remains && (flags & TASK_FINALLY) == 0;
    task->record.flags = touch->flags;
    touch->flags = flags;
    constellation->finals += (task->record.flags & TASK_FINALLY) != 0;
    constellation->ordinary += remains && (task->record.flags & TASK_FINALLY) == 0;
    constellation_count_in(task);
    touch->was_flagged = !touch->was_flagged;
}

static void drop_edges(struct batch *batch)
{
    for (size_t i = 0; i < batch->edges_count; i++) {
        if (batch->edges[i].is_removed) {
            storage_drop_edge(batch->constellation,
                              constellation_edge(batch->constellation, batch->edges[i].edge));
        }
    }
}

/* Each list once, however many edges have gone from it. */
static void sweep(struct batch *batch)
{
    for (size_t i = 0; i < batch->touches_count; i++) {
        struct touch *touch = &batch->touches[i];
        struct task *task = constellation_task(batch->constellation, touch->task);
        if (touch->sweeps_in) {
            storage_sweep_in(task);
        }
        if (touch->sweeps_out) {
            storage_sweep_out(task);
            decision_begin_again(batch->engine, task);
        }
    }
}

/* What costs more than a turn has is made in parts, after a check that nobody waits for. */
static void give_up(struct batch *batch)
{
    if (!batch->has_given_up) {
        batch->has_given_up = true;
        edit_refuse_too_large(batch);
    }
}

/* Only of a plan that came in another order, and is edited before it has been ranked; or of one that
   has lost its order to an edit (link_edge(), link_again()). */
static void make_order(struct batch *batch)
{
    struct constellation *constellation = batch->constellation;
    if (batch->engine->order == NULL) {
        batch->engine->order = order_new();
    }
    if (constellation->order_next != 0 || batch->edges_added == 0) {
        return;
    }
    size_t cost = order_build_looks(constellation);
    if (cost <= batch->looks) {
        batch->looks -= cost;
        order_build_whole(constellation);
    } else if (batch->edit->part == NULL) {
        give_up(batch);
    }
}

static void add_tasks(struct batch *batch)
{
    struct constellation *constellation = batch->constellation;
    struct engine *engine = batch->engine;
    for (size_t i = 0; i < batch->edit->tasks_added; i++) {
        const struct plan_task *plan = batch->adds[i]->write.plan;
        const struct edit_section *part = batch->edit->part;
        struct task_record record = {
            /* Used up, whatever comes of the edit. */
            .id = part != NULL ? part->first_task_id + (int64_t)i : engine->config.next_task_id++,
            .priority = (int16_t)plan->priority,
            .state = TASK_WAITING,
            .body_bytes = (uint32_t)plan->body.length,
            .has_references = plan->has_references,
            .name = learn_name(plan),
            .round = 1,
            .flags = (uint16_t)(plan->flags | (plan->hold.length > 0 ? TASK_APPROVAL : 0)),
        };
        struct task *task = storage_new_task(engine, constellation, &record);
        if (constellation->order_next != 0) {
            order_add_task(constellation, task);
        }
        batch->added[i] = task->index;
        struct touch *touch = batch_touch(batch, task);
        touch->is_added = true;
        touch->number = (uint32_t)i;
    }
}

static bool is_same(const struct batch *batch, const struct edge *edge, uint32_t index,
                    const struct edit_operation *operation)
{
    bool is_conditional = operation->edge.plan.condition.length > 0;
    if (edge->when != (unsigned)operation->edge.when || edge->conditional != is_conditional) {
        return false;
    }
    if (!is_conditional) {
        return true;
    }
    /* Texts of edges that were there before are the shell's: it has looked at them. */
    const struct edge_touch *touch = batch_find_edge(batch, index);
    return touch != NULL && touch->operation != NULL &&
           str_equal(touch->operation->edge.plan.condition, operation->edge.plan.condition) &&
           str_equal(touch->operation->edge.plan.arguments, operation->edge.plan.arguments);
}

static bool is_twin(struct batch *batch, uint32_t index, const struct task *from,
                    const struct task *to, const struct edit_operation *operation,
                    const struct edge *self)
{
    const struct edge *edge = constellation_edge(batch->constellation, index);
    return edge != self && edge->from == from->index && edge->to == to->index &&
           is_same(batch, edge, index, operation);
}

/* Along the shorter of both lists: a step in each in turn. */
static bool is_double(struct batch *batch, const struct task *from, const struct task *to,
                      const struct edit_operation *operation, const struct edge *self)
{
    uint32_t out = from->first_out;
    uint32_t in = to->first_in;
    while (out != 0 && in != 0 && batch->looks > 0) {
        batch->looks--;
        if (is_twin(batch, out - 1, from, to, operation, self) ||
            is_twin(batch, in - 1, from, to, operation, self)) {
            return true;
        }
        out = constellation_edge(batch->constellation, out - 1)->next_out;
        in = constellation_edge(batch->constellation, in - 1)->next_in;
    }
    return false;
}

static void refuse_cycle(struct batch *batch, const struct edit_operation *operation,
                         const struct cycle *cycle)
{
    struct edit_problem *problem = batch_refuse(
        batch, operation, EDIT_CODE_CYCLE,
        cycle->total == 1
            ? STR("it would wait for itself")
            : engine_text(batch->engine, "it would close a cycle of %u tasks", cycle->total));
    for (uint32_t i = 0; i < cycle->count; i++) {
        problem_add_task(problem, batch_name(batch, cycle->tasks[i]));
    }
    if (problem != NULL) {
        problem->tasks_count = cycle->total;
    }
}

static bool refuse_double(struct batch *batch, const struct task *from, const struct task *to,
                          const struct edit_operation *operation, const struct edge *self)
{
    /* A part may bring what another part is still to take away or to change. */
    if (batch->edit->part != NULL) {
        return false;
    }
    bool is_found = is_double(batch, from, to, operation, self);
    if (batch->looks == 0) {
        give_up(batch);
        return true;
    }
    if (!is_found) {
        return false;
    }
    struct edit_problem *problem = batch_refuse(batch, operation, EDIT_CODE_DUPLICATE_EDGE,
                                                STR("there is one of this kind already"));
    problem_add_task(problem, batch_name(batch, from->index));
    problem_add_task(problem, batch_name(batch, to->index));
    return true;
}

/* Of a part it is known that it closes no cycle: when its place in the order is too far away, the plan
   does without an order until all parts are made (bulk.c). */
static bool link_edge(struct batch *batch, const struct edit_operation *operation,
                      const struct task *from, const struct task *to)
{
    struct constellation *constellation = batch->constellation;
    struct cycle cycle;
    enum order_answer answer = ORDER_MADE;
    if (constellation->order_next != 0) {
        answer = order_insert(batch->engine->order, constellation, from->index, to->index,
                              &batch->looks, &cycle);
    }
    if (answer == ORDER_CYCLE) {
        refuse_cycle(batch, operation, &cycle);
    } else if (answer == ORDER_TOO_FAR && batch->edit->part == NULL) {
        give_up(batch);
    } else if (answer == ORDER_TOO_FAR) {
        order_lose(constellation);
        answer = ORDER_MADE;
    }
    return answer == ORDER_MADE;
}

static void add_edge(struct batch *batch, const struct edit_operation *operation)
{
    struct constellation *constellation = batch->constellation;
    const struct task *from = batch_task(batch, operation->edge.from);
    const struct task *to = batch_task(batch, operation->edge.to);
    if (refuse_double(batch, from, to, operation, NULL) || !link_edge(batch, operation, from, to)) {
        return;
    }
    struct edge_record record = {
        .id = batch->engine->config.next_edge_id++,
        .when = operation->edge.when,
        .named = operation->edge.named,
        .required = operation->edge.plan.required,
        .conditional = operation->edge.plan.condition.length > 0,
    };
    const struct edge *edge =
        constellation_add_edge(batch->engine, constellation, &record, from->index, to->index);
    CHECK(to->first_in > 0 && constellation_edge(constellation, to->first_in - 1) == edge);
    struct edge_touch *touch = batch_touch_edge(batch, to->first_in - 1);
    touch->operation = operation;
    touch->is_added = true;
    batch_touch(batch, from);
    batch_touch(batch, to)->is_rewired = true;
}

static void put_edge(struct constellation *constellation, struct edge *edge, struct edge as)
{
    struct task *to = constellation_task(constellation, edge->to);
    decision_count_out(to, edge);
    edge->when = as.when;
    edge->named = as.named;
    edge->required = as.required;
    edge->conditional = as.conditional;
    edge->decision = as.decision;
    decision_count_in(to, edge);
}

/* What is decided of it is decided anew. */
static void update_edge(struct batch *batch, const struct edge_touch *touch)
{
    struct constellation *constellation = batch->constellation;
    const struct edit_operation *operation = touch->operation;
    struct edge *edge = constellation_edge(constellation, touch->edge);
    put_edge(constellation, edge,
             (struct edge){ .when = (unsigned)operation->edge.when & 7U,
                            .named = operation->edge.named,
                            .required = operation->edge.plan.required,
                            .conditional = operation->edge.plan.condition.length > 0,
                            .decision = EDGE_UNDECIDED });
    refuse_double(batch, constellation_task(constellation, edge->from),
                  constellation_task(constellation, edge->to), operation, edge);
}

/* A finally task waits for all that is not: nothing of that may wait for it. */
static void check_finals(struct batch *batch, const struct edit_operation *operation,
                         const struct edge *edge)
{
    const struct constellation *constellation = batch->constellation;
    if ((constellation_task(constellation, edge->from)->record.flags & TASK_FINALLY) == 0 ||
        (constellation_task(constellation, edge->to)->record.flags & TASK_FINALLY) != 0) {
        return;
    }
    struct edit_problem *problem =
        batch_refuse(batch, operation, EDIT_CODE_CYCLE,
                     STR("a finally task waits for every other: none of those can wait for it"));
    problem_add_task(problem, batch_name(batch, edge->from));
    problem_add_task(problem, batch_name(batch, edge->to));
}

static void check_updated_finals(struct batch *batch, const struct edit_operation *operation)
{
    const struct task *task = batch_task(batch, operation->write.task);
    const struct touch *touch = batch_find(batch, task->index);
    if (!touch->was_flagged || ((touch->flags ^ task->record.flags) & TASK_FINALLY) == 0) {
        return;
    }
    for (uint32_t at = task->first_in; at != 0;) {
        const struct edge *edge = constellation_edge(batch->constellation, at - 1);
        check_finals(batch, operation, edge);
        at = edge->next_in;
    }
    for (uint32_t at = task->first_out; at != 0;) {
        const struct edge *edge = constellation_edge(batch->constellation, at - 1);
        check_finals(batch, operation, edge);
        at = edge->next_out;
    }
}

void edit_link(struct batch *batch)
{
    const struct edit *edit = batch->edit;
    if (batch->is_too_large) {
        return;
    }
    drop_edges(batch);
    sweep(batch);
    make_order(batch);
    if (batch->has_given_up) {
        return;
    }
    add_tasks(batch);
    for (size_t i = 0; i < batch->touches_count; i++) {
        if (batch->touches[i].is_updated) {
            put_flags(batch->constellation, &batch->touches[i]);
        }
    }
    size_t updated = batch->edges_count;
    for (size_t i = 0; i < updated && !batch->has_given_up; i++) {
        struct edge_touch touch = batch->edges[i];
        if (touch.is_updated) {
            update_edge(batch, &touch);
        }
    }
    for (size_t i = 0; i < edit->operations_count && !batch->has_given_up; i++) {
        const struct edit_operation *operation = &edit->operations[i];
        if (operation->kind == EDIT_ADD_EDGE && !batch->refused[i]) {
            add_edge(batch, operation);
        }
    }
    if (edit->part != NULL || batch->has_given_up) {
        return;
    }
    for (size_t i = updated; i < batch->edges_count; i++) {
        check_finals(batch, batch->edges[i].operation,
                     constellation_edge(batch->constellation, batch->edges[i].edge));
    }
    for (size_t i = 0; i < edit->operations_count; i++) {
        if (edit->operations[i].kind == EDIT_UPDATE_TASK && !batch->refused[i]) {
            check_updated_finals(batch, &edit->operations[i]);
        }
    }
}

/* The order may have been changed while the edge was away: mostly a little. */
static void link_again(struct batch *batch, uint32_t index)
{
    struct constellation *constellation = batch->constellation;
    const struct edge *edge = constellation_edge(constellation, index);
    struct cycle cycle;
    if (constellation->order_next != 0) {
        enum order_answer answer = order_insert(batch->engine->order, constellation, edge->from,
                                                edge->to, &batch->looks, &cycle);
        CHECK(answer != ORDER_CYCLE);
        if (answer == ORDER_TOO_FAR) {
            order_lose(constellation);
            batch->has_lost_order = true;
        }
    }
    storage_link(constellation, index);
}

void edit_unlink(struct batch *batch)
{
    struct constellation *constellation = batch->constellation;
    if (batch->is_too_large) {
        return;
    }
    batch->looks = batch->engine->config.edit_looks_max; /* once more as many */
    for (size_t i = 0; i < batch->edges_count; i++) {
        const struct edge_touch *touch = &batch->edges[i];
        struct edge *edge = constellation_edge(constellation, touch->edge);
        if (touch->is_updated) {
            put_edge(constellation, edge, touch->was);
        } else if (touch->is_added) {
            batch_find(batch, edge->from)->sweeps_out = true;
            batch_find(batch, edge->to)->sweeps_in = true;
            storage_drop_edge(constellation, edge);
        }
    }
    sweep(batch);
    for (size_t i = 0; i < batch->edges_count; i++) {
        if (batch->edges[i].is_added) {
            storage_release_edge(constellation, batch->edges[i].edge);
        } else if (batch->edges[i].is_removed) {
            link_again(batch, batch->edges[i].edge);
        }
    }
    for (size_t i = 0; i < batch->touches_count; i++) {
        struct touch *touch = &batch->touches[i];
        if (touch->was_flagged) {
            put_flags(constellation, touch);
        }
        if (touch->is_added) {
            storage_drop_task(batch->engine, constellation_task(constellation, touch->task));
        }
    }
    if (batch->has_lost_order) {
        rank_renew(batch->engine, constellation);
    }
}
