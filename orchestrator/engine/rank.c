/* Ranks: how long the longest way from a task to an end takes, itself included, by what was learned of such
   tasks (learn.c); while nothing was, how many tasks stand on it. Of ready tasks alike in all else the one
   furthest from the end goes first, which shortens the whole (T. C. Hu, "Parallel Sequencing and Assembly
   Line Problems", 1961). A small plan is ranked when it comes in, a
   large one from its ends backwards, so many edges a turn; edits only raise ranks nearby, so that a
   rank may be stale: it is advice, and nothing depends on it but the order. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"
#include "orchestrator/engine/order.h"

enum {
    STEPS_A_ROW = 4,         /* no row is written: a step costs some nanoseconds */
    RAISED = 64,             /* tasks that one edge of an edit may raise */
    RESTARTS = 4,            /* by edits; then those ranks stay what they are */
    RENEWED_MS = 10 * 1000,  /* at most so often, for what was learned */
    RENEWED_TASKS_A_MS = 10, /* and, of many tasks, later */
};

struct ranking {
    uint32_t tasks;
    uint32_t edits;
    uint32_t cursor;  /* edges out of the tasks before this one are counted */
    uint32_t *left;   /* of each task: successors that have no rank yet */
    uint32_t *ranked; /* in their order; those from `next` on have none yet, but all of their
                         successors have */
    uint32_t count;
    uint32_t next;
    uint32_t placed; /* of `ranked`: have their place in the order, if it had been lost */
    uint32_t restarts;
};

static void set_rank(struct engine *engine, struct task *task, uint32_t rank)
{
    if (task->rank != rank) {
        task->rank = rank;
        if (task->queue == QUEUE_READY) {
            lane_moved(engine, task);
        }
    }
}

static uint32_t farther(const struct engine *engine, const struct task *task, uint32_t rank)
{
    uint32_t by = learn_expected(engine, task);
    return rank > UINT32_MAX - by ? UINT32_MAX : rank + by;
}

static uint32_t rank_over(const struct engine *engine, const struct task *task, size_t *steps)
{
    uint32_t longest = 0;
    for (uint32_t at = task->first_out; at != 0;) {
        const struct edge *edge = constellation_edge(task->constellation, at - 1);
        uint32_t rank = constellation_task(task->constellation, edge->to)->rank;
        longest = rank > longest ? rank : longest;
        at = edge->next_out;
        ++*steps;
    }
    return farther(engine, task, longest);
}

static void count_one(struct ranking *ranking, const struct task *task, size_t *steps)
{
    uint32_t left = 0;
    for (uint32_t at = task->first_out; at != 0;) {
        left++;
        at = constellation_edge(task->constellation, at - 1)->next_out;
    }
    *steps += left;
    ranking->left[task->index] = left;
    if (left == 0) {
        ranking->ranked[ranking->count++] = task->index;
    }
}

static void rank_one(struct engine *engine, struct ranking *ranking, struct task *task,
                     size_t *steps)
{
    set_rank(engine, task, rank_over(engine, task, steps));
    for (uint32_t at = task->first_in; at != 0;) {
        const struct edge *edge = constellation_edge(task->constellation, at - 1);
        if (--ranking->left[edge->from] == 0) {
            ranking->ranked[ranking->count++] = edge->from;
        }
        at = edge->next_in;
        ++*steps;
    }
}

/* Ranked from the ends backwards, all tasks stand in an order that edits can go on with: made here, a
   few at a time, it need not be made by the first edit in one turn. */
static void place_one(struct ranking *ranking, struct constellation *constellation)
{
    CHECK(ranking->count == ranking->tasks); /* P2: else there is a cycle */
    if (ranking->placed < ranking->count) {
        uint32_t index = ranking->ranked[ranking->count - 1 - ranking->placed];
        order_place(constellation_task(constellation, index), ranking->placed++, ranking->count);
    } else {
        order_placed(constellation, ranking->count);
    }
}

static void start(struct constellation *constellation)
{
    struct ranking *ranking = constellation->ranking;
    ranking->tasks = constellation->tasks;
    ranking->edits = constellation->edits;
    ranking->left = mem_resize(ranking->left, ranking->tasks * sizeof ranking->left[0]);
    ranking->ranked = mem_resize(ranking->ranked, ranking->tasks * sizeof ranking->ranked[0]);
    ranking->cursor = 0;
    ranking->count = 0;
    ranking->next = 0;
    ranking->placed = 0;
}

/* True: all of it is ranked, or it is given up. */
static bool work(struct engine *engine, struct constellation *constellation, size_t *budget)
{
    struct ranking *ranking = constellation->ranking;
    if (ranking->edits != constellation->edits || ranking->tasks != constellation->tasks) {
        if (++ranking->restarts > RESTARTS) {
            return true;
        }
        start(constellation);
    }
    size_t steps = 0;
    while (steps < *budget && ranking->cursor < ranking->tasks) {
        steps++;
        count_one(ranking, constellation_task(constellation, ranking->cursor++), &steps);
    }
    while (steps < *budget && ranking->next < ranking->count) {
        steps++;
        rank_one(engine, ranking,
                 constellation_task(constellation, ranking->ranked[ranking->next++]), &steps);
    }
    bool is_done = ranking->cursor == ranking->tasks && ranking->next == ranking->count;
    while (steps < *budget && is_done && constellation->order_lost) {
        steps++;
        place_one(ranking, constellation);
    }
    *budget -= steps < *budget ? steps : *budget;
    return is_done && !constellation->order_lost;
}

void rank_begin(struct engine *engine, struct constellation *constellation)
{
    if (constellation->edges == 0 || constellation->ranking != NULL) {
        return; /* all alike; or under way, and it sees for itself that there was an edit */
    }
    constellation->ranking = mem_alloc(sizeof *constellation->ranking);
    constellation->ranked_boot_ms = engine->now.boot_ms;
    constellation->ranks_stale = false;
    start(constellation);
    constellation->ranks_next = NULL;
    if (engine->ranks_last == NULL) {
        engine->ranks_first = constellation;
    } else {
        engine->ranks_last->ranks_next = constellation;
    }
    engine->ranks_last = constellation;
    /* What is small is ranked where it stands; each edge is looked at three times. */
    size_t budget = (size_t)4 * engine->config.slice;
    if (constellation->tasks + constellation->edges <= engine->config.slice &&
        work(engine, constellation, &budget)) {
        rank_free(engine, constellation);
    }
}

void rank_renew(struct engine *engine, struct constellation *constellation)
{
    rank_free(engine, constellation);
    rank_begin(engine, constellation);
}

void rank_free(struct engine *engine, struct constellation *constellation)
{
    if (constellation->ranking == NULL) {
        return;
    }
    struct constellation **at = &engine->ranks_first;
    struct constellation *before = NULL;
    while (*at != constellation) {
        before = *at;
        at = &before->ranks_next;
    }
    *at = constellation->ranks_next;
    if (engine->ranks_last == constellation) {
        engine->ranks_last = before;
    }
    mem_free(constellation->ranking->left);
    mem_free(constellation->ranking->ranked);
    mem_free(constellation->ranking);
    constellation->ranking = NULL;
}

void rank_work(struct engine *engine)
{
    size_t steps = (size_t)STEPS_A_ROW * engine->config.slice;
    while (steps > 0 && engine->ranks_first != NULL) {
        struct constellation *constellation = engine->ranks_first;
        if (!work(engine, constellation, &steps)) {
            break;
        }
        rank_free(engine, constellation);
    }
}

void rank_raise(struct engine *engine, struct task *from, const struct task *to, size_t *looks)
{
    struct {
        struct task *task;
        uint32_t rank; /* at the least */
    } raised[RAISED];
    size_t count = 0;
    raised[count].task = from;
    raised[count++].rank = farther(engine, from, to->rank);
    for (size_t i = 0; i<count && * looks> 0; i++) {
        struct task *task = raised[i].task;
        uint32_t rank = raised[i].rank;
        --*looks;
        if (rank <= task->rank) {
            continue;
        }
        set_rank(engine, task, rank);
        for (uint32_t at = task->first_in; at != 0 && count < RAISED;) {
            const struct edge *edge = constellation_edge(task->constellation, at - 1);
            raised[count].task = constellation_task(task->constellation, edge->from);
            raised[count].rank = farther(engine, raised[count].task, rank);
            count++;
            at = edge->next_in;
        }
    }
}

void rank_learn(struct engine *engine, const struct task *task, int64_t duration_ms)
{
    struct constellation *constellation = task->constellation;
    constellation->ranks_stale |= learn_duration(engine, task, duration_ms);
    int64_t passed_ms = engine->now.boot_ms - constellation->ranked_boot_ms;
    if (constellation->ranks_stale &&
        passed_ms >= RENEWED_MS + (int64_t)constellation->tasks / RENEWED_TASKS_A_MS) {
        rank_begin(engine, constellation);
    }
}
