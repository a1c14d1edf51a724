/* How the engine keeps things: each struct is its record and what is derived from it. Private to this
   folder. Tasks and edges live in chunks that their constellation owns, so that pointers to them hold
   and ids are found by bisection; edges name tasks by index, so that four of them and a task stay
   below 300 bytes. */
#ifndef ORCHESTRATOR_ENGINE_MODEL_H
#define ORCHESTRATOR_ENGINE_MODEL_H

#include "common/base/check.h"
#include "common/base/heap.h"
#include "common/base/map.h"
#include "common/base/rng.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/selector.h"

enum { CHUNK_SHIFT = 10, CHUNK_SIZE = 1 << CHUNK_SHIFT };

struct constellation;
struct device;
struct newcomer;
struct order_build;
struct reopening;
struct bulk;

/* A requirement class: what may run a task, and which ready tasks and free devices that concerns. */
struct class
{
    struct class_record record; /* its text and arrays are owned */
    char *key;                  /* what it is interned by */
    size_t key_length;
    struct selector *selector;
    const struct strategy_row *strategy;
    uint32_t same_at; /* index + 1 of the device that it is bound to by same_task_id; 0 none yet */
    uint32_t other_at;
    struct heap ready;  /* of lane.node: see lane_before */
    struct map lanes;   /* constellation id → lane: those that hold something */
    struct lane *spare; /* an empty one, kept for the next */
    struct heap free;   /* of placement.node: devices that match and have room, as its strategy
                            orders them */
    bool is_linked;     /* to them: since a task of it was ready for the first time */
    struct placement **placements; /* all devices that match */
    size_t placements_count;
    size_t placements_capacity;
    uint32_t tasks;   /* live ones that need it; at 0 it may be dropped */
    uint32_t holders; /* attempts that hold a slot under it; likewise */
    struct heap_node
        active;           /* in engine.active while both heaps hold something, or in `parked`'s */
    struct limit *parked; /* the limit that it waits for */
    bool waits;           /* it asks for resources, and no device has enough of them free */
    struct device *keeps; /* the device that is kept for it meanwhile */
    uint32_t kept_off_at; /* index + 1 of the device that was last kept from it; 0 none */
    uint64_t mark;
};

/* The ready tasks of one constellation in one class. */
struct lane {
    struct class *class;
    struct constellation *constellation;
    struct heap ready; /* of task.node */
    struct heap_node node;
    struct lane *next; /* of the constellation */
    struct lane *previous;
    int64_t since_boot_ms; /* there has been a ready task in it */
};

/* A named limit of a constellation. What is parked at it waits until some of it is free. */
struct limit {
    struct limit_record record; /* its name is owned */
    uint32_t used;
    struct heap parked; /* of class.active */
};

/* How the free devices of a class are ordered: strategy_*.c export one each. */
struct strategy_row {
    bool (*before)(const struct heap_node *a, const struct heap_node *b); /* of placement.node */
};

struct placement {
    struct class *class;
    struct device *device;
    uint32_t here;     /* STRATEGY_SPREAD: tasks of its constellation on the device */
    uint32_t in_class; /* where it stands in the list of the class, and of the device */
    uint32_t in_device;
    struct heap_node node;
};

/* What a device has of something, and what its attempts have reserved of it. */
struct stock {
    struct str name; /* of its profile, or static */
    int64_t total_milli;
    int64_t used_milli;
};

/* The classes that ask for the device of a task, or not for it. */
struct anchor {
    struct class **classes;
    size_t count;
    size_t capacity;
};

/* How an attempt was lost, which says whether its task may have begun. */
enum loss {
    LOSS_NEVER_STARTED, /* proven */
    LOSS_CUT_OFF,       /* it may run on, out of sight */
    LOSS_DIED,          /* with the agent's process or machine: counts to max_lost */
};

struct policy {
    struct policy_record record;
    uint32_t tasks;
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

/* A pause on new assignments, and who may end it. */
struct hold {
    struct hold_record record;
    struct constellation *constellation;
    int64_t *tasks; /* ids; one may have been removed since */
    size_t tasks_count;
    size_t tasks_capacity;
    size_t failed_to;       /* how many of them its expiry has failed */
    struct heap_node timer; /* in engine.hold_timers while it has a deadline */
    int64_t timer_boot_ms;
    struct map names;  /* of ids, once there are more than a few */
    bool denied;       /* an approval: it ends when its task has failed for it */
    struct hold *next; /* of the constellation */
    struct hold *previous;
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

struct attempt {
    struct attempt_record record;
    struct task
        *task; /* NULL: a stray, which the daemon's books do not know but a device still runs */
    struct device *device;
    struct attempt *next; /* of the device */
    struct attempt *previous;
    struct heap_node timer;
    int64_t timer_boot_ms;
    int64_t assigned_boot_ms;
    uint32_t unstarted_bytes; /* of its body, while the agent has not said that it began */
    uint64_t mark;
    struct class *class; /* whose resources it has reserved, while it holds a slot; NULL none */
    bool holds_slot;
    bool is_stray; /* it stands in device.strays */
    bool freed;    /* in the graveyard until the turn ends */
};

/* What a constellation of a million tasks costs: a task with four dependencies in 300 bytes. */
_Static_assert(sizeof(struct task) + 4 * sizeof(struct edge) <= 300, "a task has become too large");

struct device {
    struct device_record record; /* its text is owned */
    uint64_t channel;            /* 0: not connected */
    bool ready;                  /* the session of the channel is durable at the agent */
    bool is_freed; /* on the list of those that are looked at again: it may be kept no more */
    bool untold_queued;
    bool acks_queued;
    int64_t pinged_boot_ms;    /* last sign of life that counts: Hello or Ping */
    int64_t probed_boot_ms;    /* 0: no probe is out */
    struct newcomer *newcomer; /* waits for what comes of the probe */
    uint32_t at;               /* its place in engine.devices_list */
    uint32_t used;
    struct stock *stock;
    size_t stock_count;
    struct class *kept_for; /* what is free of the stock is kept for it */
    struct device *kept_next;
    struct device *kept_previous;
    struct device *freed_next;
    uint64_t unstarted_bytes;    /* of its attempts */
    int64_t stale_noted_boot_ms; /* the last attempt.stale that went into the events */
    uint32_t contests;           /* another machine came under its name, one soon after the other */
    int64_t contested_boot_ms;
    uint64_t turn_of; /* rises at each assignment: the longest unused goes first */
    struct attempt *attempts;
    struct map strays; /* by fence. Two devices may say of the same one that they run it */
    struct placement **placements;
    size_t placements_count;
    size_t placements_capacity;
    /* Classes that have not been told yet how it changed last: so many, from there on, round about. */
    uint32_t untold;
    uint32_t untold_at;
    struct device *untold_next;
    struct heap_node timer;
    int64_t timer_boot_ms;
    uint64_t mark;
    uint64_t *acks; /* results stored in this turn */
    size_t acks_count;
    size_t acks_capacity;
    struct device *acks_next;
};

/* Long work of a constellation, done a slice a turn. Of two that are due the later one here goes
   first, and the other follows. */
enum job {
    JOB_NONE = 0,
    JOB_INTAKE, /* rows of its plan go in */
    JOB_OPEN,   /* its tasks without open dependencies become ready */
    JOB_EXPIRE, /* a hold on all has expired: what has not started fails */
    JOB_CANCEL, /* all that may not go on: with fail_fast and deadlines too */
};

/* The slots of tasks or edges that are free, the longest unused first. */
struct slots {
    uint32_t *list; /* a ring */
    uint32_t first;
    uint32_t count;
    uint32_t capacity; /* 0 or a power of two */
    struct map
        signposts;    /* index + 1 → the first id that the slot had, if it was given out again */
    struct map moved; /* id → what lives in such a slot: a task; of an edge its index + 1 */
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

struct intake {
    const struct plan *plan;
    uint64_t request;
    struct class **classes;
    struct policy **policies;
    size_t classes_count; /* that are there already */
    size_t policies_count;
    size_t classes_wanted;
    size_t policies_wanted;
    int64_t first_task_id;
    char *uid;
    size_t uid_length;
    char *actor;
    size_t actor_length;
    uint32_t tasks_in;
    uint32_t edges_in;
    struct order_build *order; /* of a plan that is not written along its edges; last of all */
};

struct asked {
    struct constellation *constellation;
    uint32_t edge; /* index */
};

struct task_queue {
    struct task *first;
    struct task *last;
    size_t count;
};

struct engine {
    struct engine_config config;
    struct rng rng;
    struct moment now; /* of the event being stepped */
    uint64_t fence;    /* the last one given out */
    uint64_t session;  /* likewise */
    uint64_t assignments;
    uint64_t mark_base;
    uint64_t refused_channel; /* the last one: the rest of its frame follows, and is ignored */
    struct effects *effects;  /* of the step */
    bool blocked;
    bool slice_is_used_up; /* of the last TICK */

    struct map constellations; /* id → constellation */
    struct constellation *first;
    struct constellation *last;
    struct constellation *jobs_first;
    struct constellation *jobs_last;
    struct reopening *reopening_first;
    struct bulk *bulks_first;
    struct constellation *ended_first;  /* freed when the turn ends, if they are final still */
    struct constellation *waking_first; /* asleep.c */
    struct constellation *leaving_first;
    uint64_t live_tasks;
    uint64_t waking_tasks; /* that these have, or will have when they are all there */

    struct map classes;  /* id → class */
    struct map policies; /* id → policy */
    struct strmap class_keys;
    struct strmap policy_keys;
    int64_t next_class_id;
    int64_t next_policy_id;
    size_t classes_due; /* that plans which are going in may bring */
    size_t policies_due;

    struct map devices; /* id → device */
    struct device **devices_list;
    size_t devices_count;
    struct strmap device_names;
    struct map channels;  /* channel → device */
    struct map newcomers; /* likewise, of those that wait for a probe */
    int64_t next_device_id;
    struct device *acks_first;
    struct device *untold_first; /* in a ring by untold_next: see placement_device_changed() */
    struct device *untold_last;
    size_t told; /* classes, in this turn */

    struct map attempts; /* fence → attempt */
    struct attempt *graveyard;

    struct map holds; /* id → hold */
    struct heap hold_timers;
    struct heap deadlines; /* of constellation.timer */
    struct asked *asked;   /* conditions out for evaluation: answered in this order */
    size_t asked_count;
    size_t asked_answered;
    size_t asked_capacity;
    struct asked *pending; /* edges from final tasks, to be decided one by one */
    size_t pending_first;
    size_t pending_count; /* with those that have been passed */
    size_t pending_capacity;
    struct order *order; /* what edits search with; made by the first */

    struct map anchors;        /* task id → anchor */
    struct heap active;        /* of class.active */
    uint32_t waiting_classes;  /* that have class.waits */
    struct device *kept_first; /* have device.kept_for */
    struct device *kept_last;
    struct device *freed_first; /* have device.is_freed */
    struct heap backoff;        /* of task.node */
    struct heap queue_timers;   /* of task.timer */
    uint32_t *learned_ms;       /* by name; NULL: nothing yet; 0: this not */
    uint32_t learned_mean_ms;
    struct constellation *ranks_first; /* whose ranks are being computed */
    struct constellation *ranks_last;
    struct heap attempt_timers;
    struct heap device_timers;
    struct task_queue decide;
    uint32_t decide_edge; /* where in its edges the first of them stands: index + 1 */
    bool decide_begun;
    struct heap prepare; /* of task.node */

    struct engine_stats stats; /* the totals */
};

/* --- engine.c --- */
struct history *engine_history(struct engine *engine, enum history_kind kind);
struct msg *engine_send(struct engine *engine, uint64_t channel, enum msg_kind kind);
/* Who did it and why, whole: "user ada: the NAS is gone". */
struct str engine_by(struct engine *engine, enum author_kind kind, struct str name,
                     struct str reason);
/* A stored deadline on the clock of this boot: the wall clock may have jumped, the length bounds it. */
int64_t engine_remaining_boot_ms(const struct engine *engine, int64_t wall_ms, int64_t length_ms);
/* Whether what carries this mark must be put on the list of what is saved; then it is marked. */
bool engine_mark(struct engine *engine, uint64_t *mark);
struct str engine_text(struct engine *engine, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* lives until the end of the turn */

/* --- task.c --- */
void task_init(struct engine *engine, struct task *task); /* derived parts, from the record */
/* The only writer of record.state: CHECKs that the move is in the table, asks for the record to be
   saved. A final state puts the task on the queue of those whose edges are to be decided. */
void task_move(struct engine *engine, struct task *task, enum task_state state);
void task_save(struct engine *engine, struct task *task);
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
bool task_before(const struct heap_node *a,
                 const struct heap_node *b);                        /* the order of lane.ready */
void task_ready_too_long(struct engine *engine, struct task *task); /* its timer has fired */
bool task_wakes_before(const struct heap_node *a, const struct heap_node *b);
bool task_times_out_before(const struct heap_node *a, const struct heap_node *b);
bool task_prepares_before(const struct heap_node *a, const struct heap_node *b);
void task_wake(struct engine *engine, struct task *task); /* its backoff is over */
void task_queue_push(struct task_queue *queue, struct task *task, enum queue name);
struct task *task_queue_pop(struct task_queue *queue);

/* --- decision.c --- */
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
/* Decides it in this turn's slices if its predecessor is final. */
void decision_queue_edge(struct engine *engine, struct constellation *constellation,
                         uint32_t index);
/* The edges out of the task that is being decided have changed. */
void decision_begin_again(struct engine *engine, const struct task *task);
/* Its dependencies have closed the way to it. */
void decision_skip(struct engine *engine, struct task *task);
struct edge_record decision_record(const struct constellation *constellation,
                                   const struct edge *edge);

/* --- attempt.c --- */
struct attempt *attempt_new(struct engine *engine, struct task *task, struct device *device);
/* The attempt with this fence, if the device has it. Identity is the channel's: of a fence of another
   device nothing is known here but that this one claims it, as of one that never was. */
struct attempt *attempt_of(const struct engine *engine, const struct device *device,
                           uint64_t fence);
/* class: whose resources it still takes up; NULL: not known. */
struct attempt *attempt_new_stray(struct engine *engine, struct device *device, uint64_t fence,
                                  struct class *class);
void attempt_load(struct engine *engine, const struct attempt_record *record, struct task *task,
                  struct device *device);
/* The only writer of record.state, as task_move is for tasks. */
void attempt_move(struct engine *engine, struct attempt *attempt, enum attempt_state state);
void attempt_save(struct engine *engine, struct attempt *attempt);
void attempt_stop(struct engine *engine, struct attempt *attempt, const char *why);
void attempt_end(struct engine *engine, struct attempt *attempt,
                 const struct msg_finished *finished);
void attempt_lose(struct engine *engine, struct attempt *attempt, enum loss loss, const char *why);
/* Its task is decided without it, or goes on to another. What may still run keeps its slot. */
void attempt_abandon(struct engine *engine, struct attempt *attempt);
void attempt_adopt(struct engine *engine, struct attempt *attempt, bool running);
/* The task is no more, or has gone on to another attempt. */
void attempt_detach(struct engine *engine, struct attempt *attempt);
void attempt_free(struct engine *engine, struct attempt *attempt); /* at the end of the turn */
void attempt_timer_fired(struct engine *engine, struct attempt *attempt);
void attempt_arm(struct engine *engine, struct attempt *attempt);
bool attempt_timer_before(const struct heap_node *a, const struct heap_node *b);
/* The boot time at which a silent device's attempt is given up. */
int64_t attempt_given_up_boot_ms(const struct engine *engine, const struct attempt *attempt);

/* --- storage.c --- */
/* Without a class: storage_class_task() must follow. */
struct task *storage_new_task(struct engine *engine, struct constellation *constellation,
                              const struct task_record *record);
/* Its class and policy, instead of those it had. */
void storage_class_task(struct task *task, struct class *class, struct policy *policy);
void storage_link(struct constellation *constellation, uint32_t edge);
/* Counts it no more. The lists of both ends must be swept before anything walks them; then the slot is
   released, or the edge linked again. */
void storage_drop_edge(struct constellation *constellation, struct edge *edge);
void storage_sweep_in(struct task *task);
void storage_sweep_out(struct task *task);
void storage_release_edge(struct constellation *constellation, uint32_t index);
/* One without edges. Its slot is released, unless it is on a queue: then when it leaves that. */
void storage_drop_task(struct engine *engine, struct task *task);
void storage_release_task(struct task *task);
/* The next chunk, at constellation.cursor, with its slots: how many tasks it had, 1 for one of edges;
   0: there is none left, and what is left are the lists of them. */
size_t storage_free_chunk(struct constellation *constellation);
void storage_free_lists(struct constellation *constellation);
/* NULL: not there. */
struct edge *constellation_find_edge(const struct constellation *constellation, int64_t id,
                                     uint32_t *ret_index);

/* --- forecast.c --- */
/* What the ways to it come to when all that is final has been decided; anew: as if nothing into it had
   been decided yet. A condition that has to be asked counts as undecided. `states`, if not NULL, says
   otherwise than the tasks what state they are in: index + 1 → state. */
enum ways forecast_ways(const struct task *task, bool anew, const struct map *states);

/* --- renew.c --- */
struct renewal {
    uint32_t *list;
    size_t count;
    size_t capacity;
};
void renewal_list(struct renewal *renewal, const struct task *task); /* nothing changes by it */
/* The task waits again; one that is not skipped begins another round. */
void renewal_add(struct engine *engine, struct renewal *renewal, struct task *task);
/* What they decided is erased where it has not been used, what was skipped for that waits again
   (unless keep_skipped), and all of them are decided anew. */
void renewal_spread(struct engine *engine, struct constellation *constellation,
                    struct renewal *renewal, bool keep_skipped);
/* The steps of that, one edge each: out of one that waits again (returns what it cost, in rows), and into
   it. */
size_t renewal_erase(struct engine *engine, struct constellation *constellation,
                     struct renewal *renewal, struct edge *edge, bool keep_skipped);
void renewal_decide(struct engine *engine, struct constellation *constellation, uint32_t edge);
void renewal_done(struct renewal *renewal);
/* What is not finally is about to go on: finally tasks that have run are added, for another round. */
void renewal_add_finals(struct engine *engine, struct constellation *constellation,
                        struct renewal *renewal);
/* One of them. False: it has not run, or runs still. */
bool renewal_adds_final(struct engine *engine, struct renewal *renewal, struct task *task);
/* A final one runs again; nothing if it is not final. */
void constellation_reopen(struct engine *engine, struct constellation *constellation,
                          struct str actor);

/* --- reopen_job.c --- */
/* Whether what would begin again with these tasks, by index, is more than a turn should take. */
bool reopen_is_large(const struct engine *engine, struct constellation *constellation,
                     const uint32_t *tasks, size_t count, enum hold_origin kind);
/* Does it in slices, under a hold that the caller's turn makes durable, and answers then. Nobody
   else may reopen or edit the constellation meanwhile. */
void reopen_begin(struct engine *engine, struct constellation *constellation, const uint32_t *tasks,
                  size_t count, enum hold_origin kind, const uint64_t *request, struct str actor);
/* After a load that has found such a hold. */
void reopen_resume(struct engine *engine, struct hold *hold);
void reopen_drop(struct engine *engine, struct constellation *constellation); /* of memory only */
size_t reopen_work(struct engine *engine, size_t budget);

/* --- bulk.c --- */
void bulk_begin(struct engine *engine, const struct event *event);
void bulk_drop(struct engine *engine, const struct event *event);
void bulk_admit(struct engine *engine, const struct event *event);
void bulk_part(struct engine *engine, const struct event *event);
/* After a load that has found such a hold: if nothing else is known of it, it was never accepted. */
void bulk_resume(struct engine *engine, struct hold *hold);
void bulk_free(struct engine *engine, struct constellation *constellation); /* of memory only */
bool bulk_is_due(const struct engine *engine);
void bulk_work(struct engine *engine);
/* NULL: none is being made. */
const struct bulk_record *bulk_record_of(const struct constellation *constellation);
/* A part has changed what was skipped: when all are made, that is looked at. */
void bulk_note_skipped(struct constellation *constellation);

/* --- constellation.c --- */
/* What is half made is made whole first: nobody may reopen or edit it meanwhile. */
bool constellation_is_being_changed(const struct constellation *constellation);
struct constellation *constellation_new(struct engine *engine,
                                        const struct constellation_record *record);
/* Into the books: from here on it is seen. */
void constellation_enter(struct engine *engine, struct constellation *constellation);
/* Out of the books, to be freed. */
void constellation_leave(struct engine *engine, struct constellation *constellation);
void constellation_save(struct engine *engine, struct constellation *constellation);
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

/* --- edit.c, hold.c, reopen.c, resolve.c: one a kind of event, each answers it --- */
void edit_step(struct engine *engine, const struct event *event);
/* Makes one part of an edit that was accepted. */
void edit_make_part(struct engine *engine, const struct edit *edit);
/* What was skipped and need not be any more waits again, with what is behind it; and finally tasks that have
   run, if there is something to do before them. */
void edit_renew(struct engine *engine, struct constellation *constellation,
                const struct renewal *skipped, struct str author);
/* What it has changed of what was skipped waits again, if it can: once all parts are made. */
void edit_renew_part(struct engine *engine, const struct edit *edit);
void hold_place(struct engine *engine, const struct event *event);
void hold_release(struct engine *engine, const struct event *event);
void reopen_step(struct engine *engine, const struct event *event);
void resolve_step(struct engine *engine, const struct event *event);
/* The answer to the request of an event; ERR_NONE: it was done. */
struct effect *engine_reply(struct engine *engine, uint64_t request, enum err err,
                            int64_t constellation_id, struct str reason);

/* --- hold.c --- */
struct hold *hold_new(struct engine *engine, struct constellation *constellation,
                      const struct hold_record *record);
void hold_add(struct hold *hold, struct task *task);      /* the task is not on a queue */
void hold_free(struct engine *engine, struct hold *hold); /* of memory only */
void hold_arm(struct engine *engine, struct hold *hold);
/* Its root has failed and its policy asks for it: in the very turn of the failure. */
void hold_failure(struct engine *engine, struct task *task);
/* Each round of a task with TASK_APPROVAL begins with one. */
void hold_approval(struct engine *engine, struct task *task);
void hold_task_ended(struct engine *engine,
                     struct task *task); /* nobody is asked about it any more */
/* The one of a task with this origin (HOLD_APPROVAL, HOLD_FAILURE), or NULL. */
struct hold *hold_of_root(const struct constellation *constellation, int64_t task_id,
                          enum hold_origin origin);
/* One on all of the constellation that names tasks (its kinds stand at HOLD_RERUN). */
struct hold *hold_reopening(struct engine *engine, struct constellation *constellation,
                            enum hold_origin kind, const uint32_t *tasks, size_t count,
                            struct str actor);
/* On all of it, while an edit is checked and made. id: 0, or one that was given out before. */
struct hold *hold_bulk(struct engine *engine, struct constellation *constellation, int64_t id,
                       uint32_t operations, struct str actor);
/* Ends it: what it held goes on. actor: who, or why. */
void hold_end(struct engine *engine, struct hold *hold, struct str actor);
/* A cancel, fail_fast or a deadline leaves nobody anything to act on. */
void hold_end_failures(struct engine *engine, struct constellation *constellation,
                       struct str actor);
/* The holds of a constellation that has ended: their rows go. What they name, which may be a lot, is looked
   at only if somebody wants something of it in the same turn: it goes with that. */
void hold_end_all(struct engine *engine, struct constellation *constellation);
void hold_forget_over(struct constellation *constellation, bool goes_on);
size_t hold_expired(struct engine *engine, struct hold *hold, size_t budget);
void hold_expiry_done(struct engine *engine, struct constellation *constellation);
/* An edit has put `task` behind `from`: what holds that one's descendants holds it too. */
void hold_extend(struct engine *engine, const struct task *from, struct task *task);
bool hold_names(const struct hold *hold, int64_t task_id);
/* "BEFORE; open holds: 3, 7": what there is, told with what is not. */
struct str hold_list(struct engine *engine, const struct constellation *constellation,
                     const char *before);
bool hold_before(const struct heap_node *a, const struct heap_node *b);

/* --- intake.c --- */
void intake_submit(struct engine *engine, const struct event *event);
size_t intake_work(struct engine *engine, struct constellation *constellation, size_t budget);
void intake_free(struct engine *engine, struct intake *intake);

/* --- lane.c: the ready tasks, in the order in which they go --- */
void lane_push(struct engine *engine, struct task *task);
void lane_remove(struct engine *engine, struct task *task);
void lane_moved(struct engine *engine, struct task *task);              /* its rank has changed */
bool lane_before(const struct heap_node *a, const struct heap_node *b); /* of class.ready */
struct task *lane_top(const struct class *class);                       /* NULL: none is ready */
/* One attempt of it more or less holds a slot. */
void lane_share_changed(struct engine *engine, struct constellation *constellation);
void lane_free(struct lane *lane);

/* --- rank.c: how far each task is from an end --- */
/* Computes the ranks of all its tasks, some of them in each turn, over what there is so far. */
void rank_begin(struct engine *engine, struct constellation *constellation);
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

/* --- limit.c --- */
/* A new one, or a new capacity for an old one; the caller asks for the row. */
void limit_put(struct engine *engine, struct constellation *constellation,
               const struct limit_record *record);
void limit_free_all(struct constellation *constellation);
/* The limit that has no room for one more of this class now; NULL: none. */
struct limit *limit_in_the_way(const struct engine *engine, const struct class *class);
/* No attempt of the class can ever have as much as it takes. */
bool limit_is_out_of_reach(const struct engine *engine, const struct class *class);
void limit_take(struct engine *engine, const struct class *class);
void limit_give(struct engine *engine, const struct class *class);
/* Those that wait for what this class takes part in may go on. */
void limit_wake_all(struct engine *engine, const struct class *class);

/* --- stock.c: the resources of devices --- */
void stock_take_in(struct device *device); /* its profile is new */
void stock_reserve(struct device *device, const struct class *class);
void stock_return(struct device *device, const struct class *class);
/* The first resource of which the device has not enough (in all, or free); NULL: none. */
const struct plan_resource *stock_short(const struct device *device, const struct class *class,
                                        bool of_all);
const struct stock *stock_find(const struct device *device, struct str name);

/* --- keep.c: what is free of a device is kept for the first that waits for it --- */
/* From the class, as it stands. */
bool keep_is_off(const struct class *class, const struct device *device);
/* Likewise, at the moment when the class would take of it: who waits is looked for, at no more classes
   than *looks, which it counts down. */
bool keep_from(struct engine *engine, const struct class *class, struct device *device,
               size_t *looks);
void keep_class_changed(struct engine *engine, struct class *class);
/* It is kept for nobody any more, and is looked at again before anything is assigned. */
void keep_drop(struct engine *engine, struct device *device);
/* Before anything is assigned in a turn: how many looks that may take. */
size_t keep_review(struct engine *engine);
void keep_look_again(struct engine *engine);

/* --- strategy.c, and one file each --- */
const struct strategy_row *strategy_of(enum strategy strategy);
extern const struct strategy_row strategy_least_loaded;
extern const struct strategy_row strategy_round_robin;
extern const struct strategy_row strategy_spread;
extern const struct strategy_row strategy_pack;
/* Negative: `a` has the smaller share of its slots in use. */
int strategy_compare_load(const struct device *a, const struct device *b);

/* --- intern.c: classes and policies, each once --- */
/* For what names nothing of a constellation: no limit, no other task, and is not spread. */
struct class *placement_class(struct engine *engine, const struct plan_class *plan);
/* wanted.id is not looked at. The constellation's id, and those of tasks, are set where the plan asks
   for something of it; for STRATEGY_SPREAD too. */
struct class *placement_class_of(struct engine *engine, const struct class_record *wanted);
/* The record that placement_class_of wants for this plan of a constellation. */
struct class_record placement_wanted(const struct plan_class *plan, int64_t constellation_id,
                                     int64_t same_task_id, int64_t other_task_id);
struct class *placement_load_class(struct engine *engine, const struct class_record *record);
struct policy *placement_policy(struct engine *engine, const struct plan_policy *plan);
void placement_load_policy(struct engine *engine, const struct policy_record *record);
/* Drops the classes and policies that no live task needs. Their rows are retired at the next start. */
void placement_sweep(struct engine *engine);
/* For so many, if all of them were new. */
bool placement_has_room(const struct engine *engine, size_t classes, size_t policies);
void placement_free_class(struct class *class);
void placement_free_anchor(struct anchor *anchor);
/* An attempt of the task was made on this device: classes that are bound to where it is follow. */
void placement_task_placed(struct engine *engine, struct task *task, const struct device *device);

/* --- placement_link.c --- */
void placement_link_class(struct engine *engine, struct class *class); /* to all that fit */
void placement_unlink_class(struct engine *engine, struct class *class);
void placement_match_device(struct engine *engine, struct device *device);
/* A slot was taken or given back, or the device came or went. */
void placement_device_changed(struct engine *engine, struct device *device);
void placement_tell(struct engine *engine); /* classes, of what has changed before: once a turn */
bool placement_is_free(const struct engine *engine, const struct placement *placement);
void placement_refresh(struct engine *engine, struct placement *placement);

/* --- placement.c --- */
enum misfit {
    MISFIT_NONE,
    MISFIT_DEVICE,   /* pinned to `what` */
    MISFIT_SAME,     /* must be where another task was */
    MISFIT_OTHER,    /* must not */
    MISFIT_EXECUTOR, /* which it lacks; and so on */
    MISFIT_LABELS,
    MISFIT_TOOL,
    MISFIT_RESOURCE, /* has less than is needed, even with nothing on it */
};
enum misfit placement_misfit(const struct class *class, const struct device *device,
                             struct str *ret_what);
bool placement_fits(const struct class *class, const struct device *device);
/* What the agent has begun weighs nothing any more. */
void attempt_begun(struct engine *engine, struct attempt *attempt);
void placement_class_changed(struct engine *engine, struct class *class);
/* The same, without a look at those that wait for what it waits for: limit.c has its own. */
void placement_reposition(struct engine *engine, struct class *class);
void placement_dispatch(struct engine *engine);
bool placement_active_before(const struct heap_node *a, const struct heap_node *b);
bool device_is_assignable(const struct engine *engine, const struct device *device);

/* --- fleet.c --- */
enum device_status fleet_status(const struct device *device);
struct device *fleet_find(const struct engine *engine, struct str name);
struct device *fleet_add(struct engine *engine, const struct device_record *record);
void fleet_update(struct engine *engine, struct device *device, const struct msg_hello *hello);
void fleet_save(struct engine *engine, struct device *device);
void fleet_drain(struct engine *engine, const struct event *event);
/* A machine with another journal has come under its name. */
void fleet_contested(struct engine *engine, struct device *device);
void fleet_free(struct device *device);
/* When the device has to be looked at: its lease, its probe, or an attempt to give up. */
void fleet_arm(struct engine *engine, struct device *device);
size_t fleet_timer_fired(struct engine *engine, struct device *device, size_t budget); /* of rows */
bool fleet_timer_before(const struct heap_node *a, const struct heap_node *b);

/* --- newcomer.c --- */
void newcomer_hold(struct engine *engine, struct device *device, uint64_t channel,
                   const struct msg_hello *hello);
/* Nothing if there is none. */
void newcomer_refuse(struct engine *engine, struct device *device, const char *why);
void newcomer_admit(struct engine *engine, struct device *device);
bool newcomer_channel_closed(struct engine *engine, uint64_t channel); /* false: not a newcomer's */
void newcomer_free(struct newcomer *newcomer);

/* --- session.c --- */
void session_begin(struct engine *engine, struct device *device, uint64_t channel,
                   const struct msg_hello *hello);
void session_refuse(struct engine *engine, uint64_t channel, enum msg_error_code code,
                    struct str name, const char *why);
void session_message(struct engine *engine, const struct event *event);
void session_channel_closed(struct engine *engine, uint64_t channel, struct str why);
/* Sends an Error, closes, forgets the channel. */
void session_close(struct engine *engine, struct device *device, enum msg_error_code code,
                   struct str why);
void session_ack(struct engine *engine, struct device *device, uint64_t fence);
void session_flush_acks(struct engine *engine);

#endif
