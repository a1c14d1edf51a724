/* Whether a path leads from the target of a new edge to its source: searched from both ends. */
#include "orchestrator/engine/order_search.h"

#include <string.h>

#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

enum {
    SLOTS_BITS_MIN = 6,
    LOOKS_A_VISIT = 2, /* it is noted, and perhaps moved */
};

/* A slot holds the visit's index, doubled, with 1 for the side that goes backward, and 1 more: 0 is free. */
static uint32_t slot_value(const struct side *side, uint32_t visit)
{
    return 2 * visit + !side->is_forward + 1;
}

static uint32_t slot_find(const struct search *search, uint32_t task)
{
    uint32_t mask = (1U << search->slots_bits) - 1;
    uint32_t slot = (task * 2654435769U) >> (32 - search->slots_bits); /* Fibonacci hashing */
    for (;; slot = (slot + 1) & mask) {
        uint32_t value = search->slots[slot];
        if (value == 0) {
            return slot;
        }
        const struct side *side = (value - 1) % 2 == 0 ? &search->forward : &search->backward;
        if (side->visits[(value - 1) / 2].task == task) {
            return slot;
        }
    }
}

static void slots_fill(struct search *search, struct side *side)
{
    for (uint32_t i = 0; i < side->count; i++) {
        uint32_t slot = slot_find(search, side->visits[i].task);
        search->slots[slot] = slot_value(side, i);
        side->visits[i].slot = slot;
    }
}

static void slots_grow(struct search *search)
{
    mem_free(search->slots);
    search->slots_bits = search->slots_bits == 0 ? SLOTS_BITS_MIN : search->slots_bits + 1;
    search->slots = mem_array((size_t)1 << search->slots_bits, sizeof *search->slots);
    slots_fill(search, &search->forward);
    slots_fill(search, &search->backward);
}

static void spend(struct search *search, size_t looks)
{
    search->looks -= looks < search->looks ? looks : search->looks;
}

static void visit_add(struct search *search, struct side *side, const struct task *task,
                      uint32_t parent, uint32_t slot)
{
    spend(search, LOOKS_A_VISIT);
    if (side->count == side->capacity) {
        side->capacity = side->capacity == 0 ? 32 : side->capacity * 2;
        side->visits = mem_resize(side->visits, side->capacity * sizeof *side->visits);
    }
    side->visits[side->count] = (struct visit){
        .task = task->index,
        .parent = parent,
        .edge = side->is_forward ? task->first_out : task->first_in,
        .slot = slot,
    };
    search->slots[slot] = slot_value(side, side->count++);
    if ((search->forward.count + search->backward.count) * 2 > 1U << search->slots_bits) {
        slots_grow(search);
    }
}

void search_begin(struct search *search, const struct constellation *constellation,
                  const struct task *source, const struct task *target, size_t looks)
{
    search->constellation = constellation;
    search->looks = looks;
    search->has_met = false;
    CHECK(search->forward.count == 0 && search->backward.count == 0);
    if (search->slots == NULL) {
        slots_grow(search);
    }
    struct side *forward = &search->forward;
    struct side *backward = &search->backward;
    forward->is_forward = true;
    backward->is_forward = false;
    forward->bound = search_key(forward, source->order);
    backward->bound = search_key(backward, target->order);
    forward->limit = UINT64_MAX;
    backward->limit = UINT64_MAX;
    forward->head = 0;
    backward->head = 0;
    forward->deep = 0;
    backward->deep = 0;
    forward->dive = 0;
    backward->dive = 0;
    forward->is_diving = false;
    backward->is_diving = false;
    forward->is_tight = false;
    backward->is_tight = false;
    visit_add(search, forward, target, SEARCH_NONE, slot_find(search, target->index));
    visit_add(search, backward, source, SEARCH_NONE, slot_find(search, source->index));
}

/* To a visit that has edges left, in turn by breadth and by depth: near ends are found by the first,
   far ones in a dense plan by the second. False: there is none. */
static bool side_advance(struct side *side)
{
    while (side->head < side->count && side->visits[side->head].edge == 0) {
        side->head++;
    }
    if (side->head == side->count) {
        return false;
    }
    side->is_diving = !side->is_diving;
    side->at = side->head;
    if (side->is_diving) {
        while (side->visits[side->deep].edge == 0 && side->deep != side->dive) {
            side->deep = side->visits[side->deep].parent;
        }
        if (side->visits[side->deep].edge == 0) {
            side->dive = side->head;
            side->deep = side->head;
        }
        side->at = side->deep;
    }
    return true;
}

/* Follows one edge. Returns the visit of the other side that it led to, or SEARCH_NONE. */
static uint32_t side_step(struct search *search, struct side *side)
{
    spend(search, 1);
    uint32_t from = side->at;
    struct visit *visit = &side->visits[from];
    const struct edge *edge = constellation_edge(search->constellation, visit->edge - 1);
    visit->edge = side->is_forward ? edge->next_out : edge->next_in;
    const struct task *task =
        constellation_task(search->constellation, side->is_forward ? edge->to : edge->from);
    uint64_t key = search_key(side, task->order);
    if (key > side->bound) {
        side->limit = key < side->limit ? key : side->limit;
        return SEARCH_NONE;
    }
    uint32_t slot = slot_find(search, task->index);
    uint32_t value = search->slots[slot];
    if (value == 0) {
        visit_add(search, side, task, from, slot);
        if (side->is_diving) {
            side->deep = side->count - 1;
        }
        return SEARCH_NONE;
    }
    bool is_forward = (value - 1) % 2 == 0;
    return is_forward == side->is_forward ? SEARCH_NONE : (value - 1) / 2;
}

static void cycle_put(struct cycle *cycle, uint32_t place, uint32_t task)
{
    if (place < CYCLE_TASKS_MAX) {
        cycle->tasks[place] = task;
    }
}

/* From the source to the target, along the forward side's parents to where an edge leads to the other
   side's visit, and along that one's parents back to the source. */
static void cycle_make(struct search *search, uint32_t forward, uint32_t backward,
                       struct cycle *ret_cycle)
{
    struct cycle cycle = { .total = 1 };
    const struct visit *visits = search->forward.visits;
    for (uint32_t at = forward; at != SEARCH_NONE; at = visits[at].parent) {
        cycle.total++;
    }
    uint32_t place = cycle.total;
    for (uint32_t at = forward; at != SEARCH_NONE; at = visits[at].parent) {
        cycle_put(&cycle, --place, visits[at].task);
    }
    visits = search->backward.visits;
    cycle_put(&cycle, 0, visits[0].task);
    for (uint32_t at = backward; visits[at].parent != SEARCH_NONE; at = visits[at].parent) {
        cycle_put(&cycle, cycle.total++, visits[at].task);
    }
    cycle.count = cycle.total < CYCLE_TASKS_MAX ? cycle.total : CYCLE_TASKS_MAX;
    *ret_cycle = cycle;
    search->has_met = true;
}

struct side *search_run(struct search *search, struct cycle *ret_cycle)
{
    struct side *forward = &search->forward;
    struct side *backward = &search->backward;
    while (search->looks > 0) {
        if (!side_advance(forward)) {
            return forward;
        }
        uint32_t from = forward->at;
        uint32_t met = side_step(search, forward);
        if (met != SEARCH_NONE) {
            cycle_make(search, from, met, ret_cycle);
            return NULL;
        }
        if (!side_advance(backward)) {
            return backward;
        }
        from = backward->at;
        met = side_step(search, backward);
        if (met != SEARCH_NONE) {
            cycle_make(search, met, from, ret_cycle);
            return NULL;
        }
    }
    return NULL;
}

bool search_widen(struct search *search, struct side *side, uint64_t bound)
{
    uint64_t narrow = side->bound;
    side->bound = bound;
    side->limit = UINT64_MAX;
    for (uint32_t i = 0; i < side->count; i++) {
        const struct task *task = constellation_task(search->constellation, side->visits[i].task);
        side->visits[i].edge = side->is_forward ? task->first_out : task->first_in;
        while (side->visits[i].edge != 0) {
            if (search->looks == 0) {
                return false;
            }
            side->at = i;
            /* No path joins the sides, so this one cannot meet the other any more. */
            CHECK(side_step(search, side) == SEARCH_NONE);
        }
    }
    side->bound = narrow;
    return true;
}

size_t search_clear(struct search *search)
{
    size_t visited = search->forward.count + search->backward.count;
    for (uint32_t i = 0; i < search->forward.count; i++) {
        search->slots[search->forward.visits[i].slot] = 0;
    }
    for (uint32_t i = 0; i < search->backward.count; i++) {
        search->slots[search->backward.visits[i].slot] = 0;
    }
    search->forward.count = 0;
    search->backward.count = 0;
    return visited;
}

void search_done(struct search *search)
{
    mem_free(search->forward.visits);
    mem_free(search->backward.visits);
    mem_free(search->slots);
    memset(search, 0, sizeof *search);
}
