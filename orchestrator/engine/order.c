/* The topological order: what is asked of it, and how tasks are given their labels. */
#include "orchestrator/engine/order.h"

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/engine/order_search.h"

/* Labels grow from the middle both ways. A step leaves room for many inserts between two tasks, and
   2^39 of them fit on either side. */
#define ORDER_MIDDLE ((uint64_t)1 << 63)
#define ORDER_STEP   ((uint64_t)1 << 24)

/* Only plans of this size leave their scratch behind. */
enum { KEEP_VISITS = 1 << 16 };

struct move {
    uint64_t key;
    uint32_t task;
};

struct order {
    struct search search;
    struct move *moves;
    size_t moves_capacity;
    size_t visited;
};

static uint64_t label_of(uint32_t place, uint32_t count)
{
    return ORDER_MIDDLE - count / 2 * ORDER_STEP + place * ORDER_STEP;
}

void order_place(struct task *task, uint32_t place, uint32_t count)
{
    task->order = label_of(place, count);
}

void order_placed(struct constellation *constellation, uint32_t count)
{
    constellation->order_next = label_of(count, count);
    constellation->order_lost = false;
}

void order_build_init(struct order_build *build, struct constellation *constellation)
{
    *build = (struct order_build){ .constellation = constellation };
    peel_init(&build->peel, constellation);
}

void order_build_done(struct order_build *build)
{
    peel_done(&build->peel);
}

bool order_build_is_finished(const struct order_build *build)
{
    return peel_is_finished(&build->peel) &&
           (build->peel.taken < build->peel.tasks || build->labelled == build->peel.tasks);
}

size_t order_build_work(struct order_build *build, size_t budget)
{
    const struct peel *peel = &build->peel;
    budget = peel_work(&build->peel, budget);
    if (!peel_is_finished(peel) || peel->taken < peel->tasks) {
        return budget;
    }
    for (; budget > 0 && build->labelled < peel->tasks; budget--) {
        struct task *task = constellation_task(build->constellation, peel->queue[build->labelled]);
        order_place(task, build->labelled++, peel->tasks);
    }
    if (build->labelled == peel->tasks) {
        order_placed(build->constellation, peel->tasks);
    }
    return budget;
}

bool order_build_succeeded(const struct order_build *build, struct cycle *ret_cycle)
{
    CHECK(order_build_is_finished(build));
    if (build->peel.taken < build->peel.tasks) {
        peel_cycle(&build->peel, ret_cycle);
        return false;
    }
    return true;
}

void order_build_whole(struct constellation *constellation)
{
    struct order_build build;
    struct cycle cycle;
    order_build_init(&build, constellation);
    order_build_work(&build, SIZE_MAX);
    bool is_acyclic = order_build_succeeded(&build, &cycle);
    CHECK(is_acyclic);
    order_build_done(&build);
}

size_t order_build_looks(const struct constellation *constellation)
{
    return (size_t)constellation->tasks + constellation->edges;
}

void order_lose(struct constellation *constellation)
{
    constellation->order_next = 0;
    constellation->order_lost = true;
}

struct order *order_new(void)
{
    return mem_alloc(sizeof(struct order));
}

void order_free(struct order *order)
{
    if (order != NULL) {
        search_done(&order->search);
        mem_free(order->moves);
        mem_free(order);
    }
}

size_t order_visited(const struct order *order)
{
    return order->visited;
}

bool order_before(const struct task *a, const struct task *b)
{
    return a->order != b->order ? a->order < b->order : a->index < b->index;
}

/* At the end of the labels the last one is given out again: equal labels are allowed. */
static uint64_t step_above(uint64_t label)
{
    return label > UINT64_MAX - ORDER_STEP ? UINT64_MAX : label + ORDER_STEP;
}

void order_add_task(struct constellation *constellation, struct task *task)
{
    if (constellation->order_next == 0) {
        constellation->order_next = ORDER_MIDDLE;
    }
    task->order = constellation->order_next;
    constellation->order_next = step_above(task->order);
}

void order_take_task(struct constellation *constellation, struct task *task)
{
    if (!constellation->order_lost) {
        order_add_task(constellation, task);
    }
}

void order_take_edge(struct constellation *constellation, uint32_t from, uint32_t to)
{
    if (!constellation->order_lost && !order_before(constellation_task(constellation, from),
                                                    constellation_task(constellation, to))) {
        order_lose(constellation);
    }
}

static bool is_before(const struct move *a, const struct move *b)
{
    return a->key != b->key ? a->key < b->key : a->task < b->task;
}

static void sift(struct move *moves, size_t at, size_t count)
{
    struct move move = moves[at];
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && is_before(&moves[child], &moves[child + 1]);
        if (!is_before(&move, &moves[child])) {
            break;
        }
        moves[at] = moves[child];
        at = child;
    }
    moves[at] = move;
}

/* In place; what is sorted already, as a chain is, costs one look. */
static void sort(struct move *moves, size_t count)
{
    size_t sorted = 1;
    while (sorted < count && is_before(&moves[sorted - 1], &moves[sorted])) {
        sorted++;
    }
    if (sorted >= count) {
        return;
    }
    for (size_t i = count / 2; i > 0; i--) {
        sift(moves, i - 1, count);
    }
    for (size_t end = count - 1; end > 0; end--) {
        struct move move = moves[0];
        moves[0] = moves[end];
        moves[end] = move;
        sift(moves, 0, end);
    }
}

enum placing { PLACED, OUT_OF_LABELS, OUT_OF_LOOKS };

/* Spreads what the side has seen between its bound and the first task that stays. */
static enum placing place(struct order *order, struct constellation *constellation,
                          struct side *side)
{
    uint32_t bits = 1;
    while (bits < 64 && (side->limit - side->bound) >> bits != 0) {
        bits++;
    }
    while ((side->limit - side->bound) / (side->count + 1) == 0 || side->is_tight) {
        /* A window of 2^k labels may hold 2^(k/2) tasks: the wider it is, the longer until it is
           full again, so that spreading anew is rare enough to be paid for by the inserts. */
        bits += 2;
        if (bits >= 64 || side->bound > UINT64_MAX - ((uint64_t)1 << bits)) {
            return OUT_OF_LABELS;
        }
        if (!search_widen(&order->search, side, side->bound + ((uint64_t)1 << bits))) {
            return OUT_OF_LOOKS;
        }
        side->is_tight = side->count >= (uint64_t)1 << bits / 2;
    }
    if (side->count > order->moves_capacity) {
        order->moves_capacity = side->capacity;
        order->moves = mem_resize(order->moves, order->moves_capacity * sizeof *order->moves);
    }
    for (uint32_t i = 0; i < side->count; i++) {
        uint32_t task = side->visits[i].task;
        uint64_t label = constellation_task(constellation, task)->order;
        order->moves[i] = (struct move){ search_key(side, label), task };
    }
    sort(order->moves, side->count);
    uint64_t step = (side->limit - side->bound) / (side->count + 1);
    step = step < ORDER_STEP ? step : ORDER_STEP;
    uint64_t key = side->bound;
    for (uint32_t i = 0; i < side->count; i++) {
        key += step;
        struct task *task = constellation_task(constellation, order->moves[i].task);
        task->order = search_key(side, key);
        if (task->order >= constellation->order_next) {
            constellation->order_next = step_above(task->order);
        }
    }
    return PLACED;
}

/* The search is over: what it marked is unmarked, and a large one gives its memory back. */
static void clear(struct order *order)
{
    order->visited += search_clear(&order->search);
    if (order->visited > KEEP_VISITS) {
        search_done(&order->search);
        mem_free(order->moves);
        order->moves = NULL;
        order->moves_capacity = 0;
    }
}

/* The labels have run out at one end. This takes some thousand million inserts: it may be linear. */
static bool build_anew(struct constellation *constellation, size_t *looks)
{
    size_t cost = order_build_looks(constellation);
    if (cost > *looks) {
        return false;
    }
    *looks -= cost;
    order_build_whole(constellation);
    return true;
}

enum order_answer order_insert(struct order *order, struct constellation *constellation,
                               uint32_t from, uint32_t to, size_t *looks, struct cycle *ret_cycle)
{
    const struct task *source = constellation_task(constellation, from);
    const struct task *target = constellation_task(constellation, to);
    CHECK(constellation->order_next != 0);
    order->visited = 0;
    if (from == to) {
        *ret_cycle = (struct cycle){ .tasks = { from }, .count = 1, .total = 1 };
        return ORDER_CYCLE;
    }
    for (bool is_new = false; source->order >= target->order; is_new = true) {
        search_begin(&order->search, constellation, source, target, *looks);
        struct side *side = search_run(&order->search, ret_cycle);
        enum placing placing = side == NULL ? OUT_OF_LOOKS : place(order, constellation, side);
        bool has_met = order->search.has_met;
        *looks = order->search.looks;
        clear(order);
        if (has_met) {
            return ORDER_CYCLE;
        }
        if (placing == PLACED) {
            break;
        }
        CHECK(!is_new); /* in a new order there is room */
        if (placing == OUT_OF_LOOKS || !build_anew(constellation, looks)) {
            return ORDER_TOO_FAR;
        }
    }
    return ORDER_MADE;
}
