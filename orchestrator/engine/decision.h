/* What final tasks mean to those behind them: their edges are decided one by one, a slice a turn.
   Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_DECISION_H
#define ORCHESTRATOR_ENGINE_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/engine/task.h"

struct constellation;
struct engine;
struct event;

struct asked {
    struct constellation *constellation;
    uint32_t edge; /* index */
};

/* Decides edges out of final tasks, at most `budget` of them; returns what is left of it. */
size_t decision_work(struct engine *engine, size_t budget);
enum edge_decision decision_of(enum edge_when when, enum task_state state);
void decision_task_final(struct engine *engine, struct task *task);
void decision_evaluated(struct engine *engine, const struct event *event);
/* What an edge means to the counts of the task that it leads to; around each change of either. */
void decision_count_out(struct task *to, const struct edge *edge);
void decision_count_in(struct task *to, const struct edge *edge);
/* Undecided again; what was made ready by it is so no more. */
void decision_erase(struct engine *engine, struct constellation *constellation, struct edge *edge);
/* The same edge of one that waits again, if its decision is not taken back: it is stored with those of its
   source's latest attempt, and another one follows. */
void decision_keep(struct engine *engine, struct constellation *constellation,
                   const struct edge *edge);
/* Decides it in this turn's slices if its predecessor is final. */
void decision_queue_edge(struct engine *engine, struct constellation *constellation,
                         uint32_t index);
/* The edges out of the task that is being decided have changed. */
void decision_begin_again(struct engine *engine, const struct task *task);
/* Its dependencies have closed the way to it. */
void decision_skip(struct engine *engine, struct task *task);
struct edge_record decision_record(const struct constellation *constellation,
                                   const struct edge *edge);

#endif
