/* The two-way search of an insert into the order. Private to order.c.

   A side searches along edges or against them. Its key is the label, or for the side that goes against
   edges the label's complement, so that both go up in keys, and what is said of one holds for both. */
#ifndef ORCHESTRATOR_ENGINE_ORDER_SEARCH_H
#define ORCHESTRATOR_ENGINE_ORDER_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/engine/peel.h"

struct task;

struct visit {
    uint32_t task;
    uint32_t parent; /* the visit it was reached from; SEARCH_NONE: this is where the side began */
    uint32_t edge;   /* the next to look at: index + 1 */
    uint32_t slot;
};

#define SEARCH_NONE UINT32_MAX

struct side {
    struct visit *visits;
    uint32_t count;
    uint32_t capacity;
    uint32_t head; /* breadth first: the visits before this one have no edges left */
    uint32_t deep; /* depth first: the visit it has come to */
    uint32_t dive; /* and where it began, which is as far as it goes back */
    uint32_t at;   /* the visit whose edge is looked at now: one of these two */
    bool is_diving;
    bool is_forward;
    bool is_tight;  /* of order.c: what it has seen is too much for its window */
    uint64_t bound; /* the key of the other side's start: nothing beyond it is visited */
    uint64_t limit; /* the lowest key beyond the bound that was seen */
};

struct search {
    const struct constellation *constellation;
    struct side forward;
    struct side backward;
    uint32_t *slots; /* by task: which visit; a hash table that is at most half full */
    uint32_t slots_bits;
    size_t looks; /* that are left: it gives up when there are none */
    bool has_met; /* of the last run: it is a cycle */
};

static inline uint64_t search_key(const struct side *side, uint64_t label)
{
    return side->is_forward ? label : ~label;
}

/* For an edge from source to target, whose label is not higher. */
void search_begin(struct search *search, const struct constellation *constellation,
                  const struct task *source, const struct task *target, size_t looks);
/* The side that came to its end first; NULL if they met, which is a cycle, or it gives up. */
struct side *search_run(struct search *search, struct cycle *ret_cycle);
/* Goes on, as far as this key, with a side that came to its end. False: it gives up. */
bool search_widen(struct search *search, struct side *side, uint64_t bound);
size_t search_clear(struct search *search); /* how many were visited */
void search_done(struct search *search);

#endif
