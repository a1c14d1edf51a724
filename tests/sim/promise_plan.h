/* Inside the checker: its files, each of which looks at one kind of what a turn has committed. */
#ifndef TESTS_SIM_PROMISE_PLAN_H
#define TESTS_SIM_PROMISE_PLAN_H

#include "tests/sim/books.h"
#include "tests/sim/turn_log.h"

struct world;

/* promise_plan.c: rows of plans in a segment that is no edit: those of a submission, and no others. */
void promise_plan_rows(struct world *world, const struct segment *segment);
/* promise_edit.c: an edit that was applied: P2, P3, and that its rows are the whole of it. */
void promise_edit_applied(struct world *world, const struct segment *segment);
/* An edit that was refused, or has failed: nothing has come of it, and there was a cause. */
void promise_edit_refused(struct world *world, const struct segment *segment);

/* The same, of one kind of it at a time. */
bool promise_edge_is(const struct effect *row, const struct plan_edge *plan);
struct book_task *promise_task_named(const struct world *world, const struct wish *wish,
                                     const int64_t *added, edit_task task);
void promise_check_acyclic(struct world *world, const struct book_constellation *constellation);
void promise_count_edit(struct world *world, const struct wish *wish);
void promise_count_refusal(struct world *world, const struct edit_result *result);

/* promise_bulk.c: a step of an edit that is made in parts. What a part brings is asked for, and all parts
   together are all of it; nothing is seen of it before it is admitted. */
void promise_bulk(struct world *world, struct segment *segment);

/* promise_judge.c: by the books alone, why it must be refused; NULL: it breaks no rule. */
const char *promise_judge_edit(struct world *world, const struct wish *wish);
/* The same of one that was found good before, and whose constellation has been held since. */
const char *promise_judge_admitted(struct world *world, const struct wish *wish);

/* promise_attempt.c: new attempts, what became of others, and results. */
void promise_attempts(struct world *world, const struct segment *segment);

/* promise_task.c: its row; and, when all rows are in the books, whether its new state has a cause. */
void promise_task_saved(struct world *world, const struct segment *segment,
                        const struct task_record *record);
void promise_task_moved(struct world *world, const struct segment *segment,
                        const struct book_task *task);

/* promise_decision.c: when tasks and attempts are in the books. */
void promise_decisions(struct world *world, const struct turn_log *log,
                       const struct segment *segment);
void promise_may_start(struct world *world, const struct book_task *task, uint64_t fence);
/* What its attempt before this one has decided is taken back by now, or kept. */
void promise_nothing_lost(struct world *world, const struct book_task *task, uint64_t previous);

/* promise_hold.c: rows of holds, before all others. */
void promise_holds(struct world *world, const struct segment *segment);
void promise_check_holds_loaded(struct world *world,
                                const struct book_constellation *constellation);

/* promise_verdict.c: how constellations end. */
void promise_stopping(struct world *world, const struct book_constellation *constellation);
void promise_verdict(struct world *world, const struct book_constellation *constellation);

#endif
