/* The checker of the promises (design, section 2), with books of its own: made from what was submitted,
   what crossed the wire and what was committed, never from the engines' structures. */
#ifndef TESTS_SIM_PROMISE_H
#define TESTS_SIM_PROMISE_H

#include "agent/engine/agent_effect.h"
#include "orchestrator/engine/effect.h"
#include "tests/sim/host.h"
#include "tests/sim/turn_log.h"

struct world;
struct books;
struct wish;
struct edit_result;

struct books *books_new(void);
void books_free(struct books *books);

/* The first one that is broken ends the run. */
void promise_broken(struct world *world, const char *promise, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The daemon. */
void promise_daemon_started(struct world *world);
void promise_committed(struct world *world, const struct turn_log *log);
void promise_forget_holds(struct world *world); /* sabotage */
void promise_saying(struct world *world, const struct link *link, const struct msg *msg);
void promise_closing(struct world *world, const struct link *link, enum msg_error_code code,
                     struct str why);
void promise_replied(struct world *world, const struct effect *effect);
void promise_wall_jumped(struct world *world);
/* What the check of an edit that is made in parts has come to; NULL: it was not tried. */
void promise_bulk_checked(struct world *world, const struct wish *wish,
                          const struct edit_result *result);

/* An agent. */
void promise_host_heard(struct world *world, const struct host *host, const struct msg *msg);
void promise_host_committed(struct world *world, const struct host *host,
                            const struct agent_effects *effects);
void promise_host_saying(struct world *world, const struct host *host, const struct msg *msg);
void promise_host_died(struct world *world, const struct host *host, bool power);
void promise_process_started(struct world *world, const struct host *host,
                             const struct agent_record *record, const struct msg_body *body);
void promise_process_put_out(struct world *world, uint64_t fence);
void promise_process_began(struct world *world, uint64_t fence); /* it does something now */
/* `end` NULL: it was killed and says nothing. */
void promise_process_ended(struct world *world, const struct host *host, uint64_t fence,
                           const struct msg_finished *end);
void promise_spool_cut(struct world *world, uint64_t fence);

/* For those who cancel: a live one by chance, 0 if there is none; and all that can never end. */
int64_t promise_any_constellation(struct world *world);
void promise_cancel_impossible(struct world *world);
void promise_cancel_asked(struct world *world, int64_t constellation_id);

/* promise_state.c: over everything, from time to time. */
void promise_check_engine(struct world *world);
void promise_check_store(struct world *world);
void promise_check_timeouts(struct world *world); /* after a turn */
void promise_check_reasons(struct world *world);
void promise_check_acknowledged(struct world *world); /* after a start of the daemon */
bool promise_is_settled(const struct world *world);   /* all that was promised has come about */
void promise_check_end(struct world *world);
void promise_give_up(struct world *world); /* not settled in time: says what is left */

#endif
