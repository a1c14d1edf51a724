/* Constellations: their tasks and edges, what these are counted as, and the long work that goes on in
   slices. Private to the engine. */
#ifndef ORCHESTRATOR_ENGINE_CONSTELLATION_H
#define ORCHESTRATOR_ENGINE_CONSTELLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"
#include "common/base/map.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/storage.h"
#include "orchestrator/engine/task.h"

struct bulk;
struct event;
struct hold;
struct intake;
struct lane;
struct limit;
struct order_build;
struct ranking;
struct reopening;

/* Long work of a constellation, done a slice a turn. Of two that are due the later one here goes
   first, and the other follows. */
enum job {
    JOB_NONE = 0,
    JOB_INTAKE, /* rows of its plan go in */
    JOB_OPEN,   /* its tasks without open dependencies become ready */
    JOB_EXPIRE, /* a hold on all has expired: what has not started fails */
    JOB_CANCEL, /* all that may not go on: with fail_fast and deadlines too */
};

struct constellation {
    struct constellation_record record;
    struct task **task_chunks;
    struct edge **edge_chunks;
    uint32_t tasks; /* slots: some may be free. record.tasks are there */
    uint32_t edges;
    uint32_t live_tasks; /* as record.tasks, but counted */
    uint32_t live_edges;
    struct slots task_slots;
    struct slots edge_slots;
    uint64_t moves;     /* of the lists of tasks and edges, also by an edit that is taken back */
    uint32_t edits;     /* that were applied, and parts of them */
    uint32_t finals;    /* finally tasks, whatever their state */
    uint32_t remaining; /* tasks that are not final */
    uint32_t ordinary;  /* of them those that are not finally */
    uint32_t deciding;  /* tasks on the queue decide, and conditions being evaluated */
    uint32_t by_state[TASK_STATES_END];
    uint32_t ready;          /* of those that wait: what they depend on is open */
    uint32_t failed_hard;    /* without allow_failure */
    uint32_t cancelled_hard; /* likewise */
    bool finally_open;       /* all else has ended */
    struct hold *holds; /* of requests, the newest first; then those of approvals and failures */
    struct hold *root_holds_first; /* of these, which those of failures begin */
    struct hold *approvals_first;
    struct hold *holds_last;
    struct hold *holds_over; /* have ended with it: its tasks count them still */
    struct map root_holds; /* approvals by 2 × their task's id, and 1 more of its hold_on_failure */
    uint32_t holds_count;  /* of requests */
    uint32_t holds_all;    /* on the whole of it */
    uint32_t failure_holds; /* it does not end while there is one */
    struct limit **limits;  /* by their index */
    uint32_t limits_count;
    uint32_t running;         /* its attempts that hold a slot: its share of the fleet */
    struct lane *lanes_first; /* of its ready tasks */
    struct lane *lanes_last;
    uint32_t lanes_count;
    struct map spread;       /* device id → its attempts there under STRATEGY_SPREAD */
    struct ranking *ranking; /* being computed */
    struct constellation *ranks_next;
    int64_t ranked_boot_ms; /* it was begun last */
    bool ranks_stale; /* what is known of the time that its tasks take has changed much since */
    struct heap_node timer; /* its deadline */
    int64_t deadline_boot_ms;
    uint64_t order_next; /* order.h: above every task's; 0: there is no order yet */
    bool order_lost;     /* the tasks did not come in it: it has to be made */
    enum job job;
    unsigned jobs_due; /* bits: those that follow */
    uint32_t cursor;
    struct intake *intake;          /* JOB_INTAKE */
    struct reopening *reopening;    /* a retry or rerun that takes more than a turn */
    struct bulk *bulk;              /* an edit of many operations is being checked or made */
    struct constellation *job_next; /* of the jobs */
    struct constellation *ended_next;
    bool ended;  /* on the list of those that go with the turn, if nothing reopens them */
    bool asleep; /* asleep.c: nobody sees it */
    struct order_build *ordering; /* of one that is loaded */
    struct constellation *asleep_next;
    struct constellation *next; /* all of them, by id */
    struct constellation *previous;
    uint64_t mark;
};

/* Whether so many more tasks may come, beside those that are on their way in or about to come back. */
bool constellation_has_room(const struct engine *engine, uint64_t tasks);
/* What is half made is made whole first: nobody may reopen or edit it meanwhile. */
bool constellation_is_being_changed(const struct constellation *constellation);
struct constellation *constellation_new(struct engine *engine,
                                        const struct constellation_record *record);
/* Into the books: from here on it is seen. */
void constellation_enter(struct engine *engine, struct constellation *constellation);
/* Out of the books, to be freed. */
void constellation_leave(struct engine *engine, struct constellation *constellation);
void constellation_save(struct engine *engine, struct constellation *constellation);
/* What an edit makes of it, whose revision the turn adds: see EFFECT_SAVE_CONSTELLATION. */
void constellation_stamp(struct engine *engine, struct constellation *constellation);
struct task *constellation_add_task(struct engine *engine, struct constellation *constellation,
                                    const struct task_record *record);
struct edge *constellation_add_edge(struct engine *engine, struct constellation *constellation,
                                    const struct edge_record *record, uint32_t from, uint32_t to);
struct task *constellation_task(const struct constellation *constellation, uint32_t index);
struct edge *constellation_edge(const struct constellation *constellation, uint32_t index);
struct task *constellation_find_task(const struct constellation *constellation, int64_t id);
void constellation_cancel(struct engine *engine, const struct event *event);
/* All but its finally tasks ends now: fail_fast, or the deadline. */
void constellation_stop(struct engine *engine, struct constellation *constellation,
                        const char *why);
void constellation_arm(struct engine *engine,
                       struct constellation *constellation); /* its deadline */
bool constellation_ends_before(const struct heap_node *a, const struct heap_node *b);
void constellation_deadline_passed(struct engine *engine, struct constellation *constellation);
/* Into the record, of one that is final: how many of its tasks ended how. */
void constellation_note_counts(struct constellation *constellation);
/* Ends it if nothing of it is left to do. */
void constellation_settle(struct engine *engine, struct constellation *constellation);
/* Around every change to what a task is counted as: its state, its undecided and closed edges. */
void constellation_count_out(struct task *task);
void constellation_count_in(struct task *task);
struct engine_counts constellation_counts(const struct constellation *constellation);
void constellation_queue_job(struct engine *engine, struct constellation *constellation,
                             enum job job);
/* Works off jobs, at most `budget` rows; returns what is left of it. */
size_t constellation_work(struct engine *engine, size_t budget);

/* --- asleep.c: those in no book, which come or go a slice a turn --- */
struct constellation *asleep_find_waking(const struct engine *engine, int64_t id); /* or NULL */
/* What has just been taken out of the books. */
void asleep_free_begin(struct engine *engine, struct constellation *constellation);
void asleep_free_work(struct engine *engine, size_t budget);
void asleep_free_all(struct engine *engine);
/* Tasks of such constellations that count at this class, or this policy. */
uint32_t asleep_tasks_of(const struct engine *engine, const struct class *class,
                         const struct policy *policy);

#endif
