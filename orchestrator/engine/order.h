/* The topological order of a constellation, kept while edges come and go: every edge goes from a
   task of lower task.order to one of higher. An edge that agrees with it cannot close a cycle, so most
   edits cost one comparison; any other is searched for from both ends and only what stands between
   them is moved.

   The method. For an edge u → v that goes down in the order, tasks are searched forward from v and
   backward from u, an edge here and an edge there, none beyond the other's end (D. J. Pearce and
   P. H. J. Kelly, "A dynamic topological sort algorithm for directed acyclic graphs", JEA 2006; the
   balanced two-way search: B. Haeupler, T. Kavitha, R. Mathew, S. Sen, R. E. Tarjan, "Incremental
   cycle detection, topological ordering, and strong component maintenance", TALG 2012). If they meet,
   the edge closes a cycle. If one of them comes to its end, there is none, and what it saw moves beyond
   the other's start, into the gap before the next task that has to stay behind. Labels of 64 bits
   leave gaps; where one is used up, descendants in a window that doubles are spread anew (M. A. Bender,
   R. Cole, E. D. Demaine, M. Farach-Colton, J. Zito, "Two simplified algorithms for maintaining order
   in a list", ESA 2002).

   The cost. An insert looks at no more than twice the edges of the smaller search, and sorts what it
   moves. Each search goes by breadth and by depth in turn, which meets after some hundred tasks in a
   dense plan, however near or far apart the ends are. There is no better bound for one insert than the
   edges between the ends: two long chains whose labels interleave cost half of their tasks once. So an
   insert has so many looks, and when they are used up it is given up, and nothing has changed: see
   edit_link.c for what becomes of it.

   Where a total order is wanted, equal labels, which no edge joins, go by index. */
#ifndef ORCHESTRATOR_ENGINE_ORDER_H
#define ORCHESTRATOR_ENGINE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/engine/peel.h"

struct constellation;
struct task;

/* The whole order at once, of a constellation that was loaded or taken in: linear, in slices. */
struct order_build {
    struct constellation *constellation;
    struct peel peel;
    uint32_t labelled;
};

/* No edge and no task may come or go, and nothing be inserted, until order_build_done(). */
void order_build_init(struct order_build *build, struct constellation *constellation);
void order_build_done(struct order_build *build);
/* As peel_work(). */
size_t order_build_work(struct order_build *build, size_t budget);
bool order_build_is_finished(const struct order_build *build);
/* When it is finished: false if there is a cycle; then no task has been given a place. */
bool order_build_succeeded(const struct order_build *build, struct cycle *ret_cycle);
/* All of it now; there is no cycle. It takes so many looks. */
void order_build_whole(struct constellation *constellation);
size_t order_build_looks(const struct constellation *constellation);

/* The same by whoever has all tasks in an order of their own: each gives its place among so many, and
   when all have one, that is the order. */
void order_place(struct task *task, uint32_t place, uint32_t count);
void order_placed(struct constellation *constellation, uint32_t count);

/* What inserts search with, for any number of constellations, one after the other. It grows with
   what an insert visits, not with the constellation, and what is large is given back. */
struct order *order_new(void);
void order_free(struct order *order);

/* The next free place, for a task that has no edges yet. */
void order_add_task(struct constellation *constellation, struct task *task);

/* Plans mostly come in an order: tasks that are taken in or loaded, before all their edges, have places
   in it. The first edge that goes against it loses it, until it has been made (rank.c, or by the next
   edit that adds an edge). */
void order_take_task(struct constellation *constellation, struct task *task);
void order_take_edge(struct constellation *constellation, uint32_t from, uint32_t to);
/* There is none any more, until it is made as above. */
void order_lose(struct constellation *constellation);

enum order_answer {
    ORDER_MADE,
    ORDER_CYCLE,   /* it would close one, which begins with `from`, `to` */
    ORDER_TOO_FAR, /* the looks have run out: it may or may not */
};

/* Makes room in the order for an edge between these tasks, by index; if that cannot be, the order is as
   it was. *looks is how many tasks and edges it may look at, and afterwards what is left of that. The edge
   itself may be linked before or after, but every other that is linked must have been inserted.

   What is inserted needs no taking back: an order that suits more edges suits fewer. So edges and tasks
   are removed without a word here, and a batch that is refused may leave behind what it inserted. */
enum order_answer order_insert(struct order *order, struct constellation *constellation,
                               uint32_t from, uint32_t to, size_t *looks, struct cycle *ret_cycle);
/* Tasks that the last insert looked into; 0 if the edge agreed with the order. */
size_t order_visited(const struct order *order);

bool order_before(const struct task *a, const struct task *b);

#endif
