/* Taking the tasks of a constellation one by one, each when nothing that it needs is left. */
#include "orchestrator/engine/peel.h"

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

void peel_init(struct peel *peel, const struct constellation *constellation)
{
    *peel = (struct peel){
        .constellation = constellation,
        .open = mem_array(constellation->tasks, sizeof *peel->open),
        .queue = mem_array(constellation->tasks, sizeof *peel->queue),
        .tasks = constellation->tasks,
    };
}

void peel_done(struct peel *peel)
{
    mem_free(peel->open);
    mem_free(peel->queue);
    *peel = (struct peel){ 0 };
}

/* First every task's edges are counted: from the task's own list, since only that says which edges
   are there. */
static size_t count(struct peel *peel, size_t budget)
{
    while (budget > 0 && peel->counted < peel->tasks) {
        const struct task *task = constellation_task(peel->constellation, peel->counted);
        if (!peel->begun) {
            peel->begun = true;
            peel->edge = task->first_in;
            budget--;
        }
        while (budget > 0 && peel->edge != 0) {
            peel->edge = constellation_edge(peel->constellation, peel->edge - 1)->next_in;
            peel->open[task->index]++;
            budget--;
        }
        if (peel->edge != 0) {
            break;
        }
        if (peel->open[task->index] == 0) {
            peel->queue[peel->taken++] = task->index;
        }
        peel->begun = false;
        peel->counted++;
    }
    return budget;
}

static size_t pass(struct peel *peel, size_t budget)
{
    while (budget > 0 && peel->passed < peel->taken) {
        const struct task *task =
            constellation_task(peel->constellation, peel->queue[peel->passed]);
        if (!peel->begun) {
            peel->begun = true;
            peel->edge = task->first_out;
            budget--;
        }
        while (budget > 0 && peel->edge != 0) {
            const struct edge *edge = constellation_edge(peel->constellation, peel->edge - 1);
            CHECK(peel->open[edge->to] > 0);
            if (--peel->open[edge->to] == 0) {
                peel->queue[peel->taken++] = edge->to;
            }
            peel->edge = edge->next_out;
            budget--;
        }
        if (peel->edge != 0) {
            break;
        }
        peel->begun = false;
        peel->passed++;
    }
    return budget;
}

size_t peel_work(struct peel *peel, size_t budget)
{
    CHECK(peel->constellation->tasks == peel->tasks);
    budget = count(peel, budget);
    return peel->counted < peel->tasks ? budget : pass(peel, budget);
}

bool peel_is_finished(const struct peel *peel)
{
    return peel->counted == peel->tasks && peel->passed == peel->taken;
}

/* Some task that it needs and that is left as well. */
static uint32_t left_before(const struct peel *peel, uint32_t index)
{
    uint32_t at = constellation_task(peel->constellation, index)->first_in;
    for (;;) {
        CHECK(at != 0);
        const struct edge *edge = constellation_edge(peel->constellation, at - 1);
        if (peel->open[edge->from] > 0) {
            return edge->from;
        }
        at = edge->next_in;
    }
}

void peel_cycle(const struct peel *peel, struct cycle *ret_cycle)
{
    CHECK(peel_is_finished(peel) && peel->taken < peel->tasks);
    uint32_t start = 0;
    while (peel->open[start] == 0) {
        start++;
    }
    /* Each task that is left needs one that is left: as many steps back as there are tasks lead
       onto a cycle. */
    for (uint32_t i = 0; i < peel->tasks; i++) {
        start = left_before(peel, start);
    }
    uint32_t total = 1;
    for (uint32_t at = left_before(peel, start); at != start; at = left_before(peel, at)) {
        total++;
    }
    *ret_cycle = (struct cycle){ .total = total };
    ret_cycle->count = total < CYCLE_TASKS_MAX ? total : CYCLE_TASKS_MAX;
    ret_cycle->tasks[0] = start;
    uint32_t at = start;
    for (uint32_t place = total - 1; place > 0; place--) {
        at = left_before(peel, at);
        if (place < CYCLE_TASKS_MAX) {
            ret_cycle->tasks[place] = at;
        }
    }
}
