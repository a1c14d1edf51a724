/* How far each task is from an end, in the time that tasks take. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_RANK_H
#define ORCHESTRATOR_ENGINE_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct constellation;
struct engine;
struct plan_task;
struct task;

/* --- rank.c: how far each task is from an end --- */
/* Computes the ranks of all its tasks, some of them in each turn, over what there is so far. */
void rank_begin(struct engine *engine, struct constellation *constellation);
/* The same, whatever was under way: a lost order is made with it, however often it had begun again. */
void rank_renew(struct engine *engine, struct constellation *constellation);
void rank_work(struct engine *engine);
/* A task of it has succeeded and took so long: its ranks are computed anew if that is news, not too often. */
void rank_learn(struct engine *engine, const struct task *task, int64_t duration_ms);
/* An edit has put an edge between them: `from` and some of what leads to it may be further from the end.
   Looks at no more tasks than *looks, which it counts down: what an edit may spend in all. */
void rank_raise(struct engine *engine, struct task *from, const struct task *to, size_t *looks);
void rank_free(struct engine *engine, struct constellation *constellation);

/* --- learn.c: how long tasks take --- */
uint16_t learn_name(const struct plan_task *plan); /* of a record */
/* True: what is expected of such tasks has more than doubled, or halved. */
bool learn_duration(struct engine *engine, const struct task *task, int64_t duration_ms);
/* In ms; at least 1. Of a name that is not known the mean of all; 1 while nothing is. */
uint32_t learn_expected(const struct engine *engine, const struct task *task);

#endif
