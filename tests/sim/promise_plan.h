/* Inside the checker: the plans that its books hold, and what edits and decisions make of them. */
#ifndef TESTS_SIM_PROMISE_PLAN_H
#define TESTS_SIM_PROMISE_PLAN_H

#include "tests/sim/books.h"
#include "tests/sim/turn_log.h"

struct world;

/* Rows of plans in a segment that is no edit: those of a submission, and no others. */
void promise_plan_rows(struct world *world, const struct segment *segment);
/* An edit that was applied: P2, P3, and that its rows are the whole of it. */
void promise_edit_applied(struct world *world, const struct segment *segment);
/* An edit that was refused, or has failed: nothing has come of it, and there was a cause. */
void promise_edit_refused(struct world *world, const struct segment *segment);

/* By the books alone: why it must be refused; NULL: it breaks no rule. */
const char *promise_judge_edit(struct world *world, const struct wish *wish);

/* promise_decision.c: when tasks and attempts are in the books. */
void promise_decisions(struct world *world, const struct turn_log *log,
                       const struct segment *segment);
void promise_may_start(struct world *world, const struct book_task *task, uint64_t fence);

/* promise_hold.c: rows of holds, before all others. */
void promise_holds(struct world *world, const struct segment *segment);
void promise_check_holds_loaded(struct world *world,
                                const struct book_constellation *constellation);

/* promise_verdict.c: how constellations end. */
void promise_stopping(struct world *world, const struct book_constellation *constellation);
void promise_verdict(struct world *world, const struct book_constellation *constellation);

#endif
