/* Tasks and the dependencies between them: what a constellation is made of, and what happens to a task.
   Private to the engine. Edges name tasks by index, so that four of them and a task stay below 300
   bytes. */
#ifndef ORCHESTRATOR_ENGINE_TASK_H
#define ORCHESTRATOR_ENGINE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/heap.h"
#include "orchestrator/engine/record.h"

struct attempt;
struct class;
struct constellation;
struct engine;
struct msg_finished;
struct policy;

/* How an attempt was lost, which says whether its task may have begun. */
enum loss {
    LOSS_NEVER_STARTED, /* proven */
    LOSS_CUT_OFF,       /* it may run on, out of sight */
    LOSS_DIED,          /* with the agent's process or machine: counts to max_lost */
};

enum queue {
    QUEUE_NONE = 0,
    QUEUE_READY,     /* task.node is in class.ready */
    QUEUE_BACKOFF,   /* task.node is in engine.backoff */
    QUEUE_DECIDE,    /* final: its edges are being decided */
    QUEUE_PREPARE,   /* task.node is in engine.prepare: its inputs must be filled in before it is
                        ready */
    QUEUE_PREPARING, /* asked for; the answer comes within the turn */
};

enum ways {
    WAYS_WAIT = 0, /* not all that matters is decided */
    WAYS_OPEN,
    WAYS_CLOSED, /* it cannot start any more: it is skipped */
};

struct task {
    struct task_record record;
    struct constellation *constellation;
    struct class *class;
    struct policy *policy;
    struct attempt *attempt; /* the current one: its fence is record.fence */
    struct task *next;       /* in the queue decide */
    int64_t wake_boot_ms;    /* backoff; ready: when it has waited for too long */
    uint64_t mark;           /* the effect that will save it, while it has not been applied */
    struct heap_node node;
    struct heap_node timer; /* in engine.queue_timers while it is ready and that is limited */
    uint32_t rank;          /* the longest way from here to an end, in time; may be stale */
    uint32_t index;
    uint32_t first_in; /* edges: index + 1, 0 none */
    uint32_t first_out;
    uint32_t undecided; /* edges into it */
    uint32_t closed;
    uint32_t opened;          /* of those that no reference requires */
    uint32_t required_left;   /* undecided ones that a reference requires */
    uint16_t required_closed; /* at the most all of its references */
    uint16_t held;            /* holds that name it */
    uint16_t device_at;       /* index + 1 of its latest attempt's device; 0 none known */
    bool failure_held;        /* what its failure closes waits */
    bool removed;             /* an edit took it away; its slot is free, or will be */
    bool reused;              /* it lives in a slot that was another's */
    uint8_t queue;
    uint64_t order; /* order.h: every edge goes from a lower to a higher one */
};

struct edge {
    int64_t id;
    uint32_t from : 24; /* index of the task */
    uint32_t when : 3;
    uint32_t decision : 2;
    uint32_t named : 1;
    uint32_t required : 1;
    uint32_t conditional : 1;
    uint32_t to : 24;
    uint32_t asked : 1;   /* its condition is being evaluated, within this turn */
    uint32_t queued : 1;  /* in engine.pending */
    uint32_t removed : 1; /* as a task's */
    uint32_t reused : 1;
    uint32_t next_in; /* index + 1 of the next edge into the same task */
    uint32_t next_out;
};

/* What a constellation of a million tasks costs: a task with four dependencies in 300 bytes. */
_Static_assert(sizeof(struct task) + 4 * sizeof(struct edge) <= 300, "a task has become too large");

struct task_queue {
    struct task *first;
    struct task *last;
    size_t count;
};

void task_init(struct engine *engine, struct task *task); /* derived parts, from the record */
/* The only writer of record.state: CHECKs that the move is in the table, asks for the record to be
   saved. A final state puts the task on the queue of those whose edges are to be decided. */
void task_move(struct engine *engine, struct task *task, enum task_state state);
void task_save(struct engine *engine, struct task *task);
/* Likewise, when nothing but its revision has changed. */
void task_stamp(struct engine *engine, struct task *task);
/* To the ready queue if its dependencies are open and its inputs filled in. */
void task_consider(struct engine *engine, struct task *task);
void task_unqueue(struct engine *engine, struct task *task);
/* An attempt of it ended with this report: decides between final and another try. */
void task_ended(struct engine *engine, struct task *task, const struct msg_finished *finished);
/* Its attempt is lost. What may have begun and must not begin twice is TASK_UNKNOWN from now on. */
void task_lost(struct engine *engine, struct task *task, enum loss loss, const char *why);
/* What has just been proven never to have begun goes back to those that wait. */
void task_proven_unstarted(struct engine *engine, struct task *task);
/* Why it is in the state it is in, where no attempt says so. */
void task_give_reason(struct engine *engine, const struct task *task, struct str text);
void task_failure_counts(struct engine *engine, struct task *task); /* fail_fast acts on it */
void task_cancel(struct engine *engine, struct task *task);
void task_fail(struct engine *engine, struct task *task, struct str reason); /* before it started */
void task_drop_inputs(struct engine *engine, struct task *task); /* they are filled in anew */
bool task_is_ready(const struct task *task); /* all that it depends on is open */
enum ways task_ways(const struct task *task);
bool task_has_started(const struct task *task); /* in this round */
bool task_is_held(const struct task *task);
/* Its own approval alone holds it: it can be skipped. */
bool task_awaits_approval_only(const struct task *task);
/* Its constellation is being cancelled or stopped, and the task is not spared. */
bool task_must_stop(const struct task *task);
/* The same of one that has not started; but what is half made is made whole first. */
bool task_must_not_start(const struct task *task);
void task_ready_too_long(struct engine *engine, struct task *task); /* its timer has fired */
bool task_wakes_before(const struct heap_node *a, const struct heap_node *b);
bool task_times_out_before(const struct heap_node *a, const struct heap_node *b);
bool task_prepares_before(const struct heap_node *a, const struct heap_node *b);
void task_wake(struct engine *engine, struct task *task); /* its backoff is over */
void task_queue_push(struct task_queue *queue, struct task *task, enum queue name);
struct task *task_queue_pop(struct task_queue *queue);

#endif
