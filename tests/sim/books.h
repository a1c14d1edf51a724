/* The checker's books, shared by its files. */
#ifndef TESTS_SIM_BOOKS_H
#define TESTS_SIM_BOOKS_H

#include "common/base/map.h"
#include "orchestrator/engine/record.h"
#include "tests/sim/plan_make.h"

struct host;
struct wish;

enum lost_why {
    LOST_NOT,
    LOST_GONE,      /* no agent holds it any more */
    LOST_DISPLACED, /* another journal has the device's name */
    LOST_SILENT,
    LOST_UNCONFIRMED, /* it was told to stop, and nothing was heard of that */
    LOST_RESOLVED,    /* somebody has decided what became of it */
};

struct book_attempt {
    uint64_t fence;
    struct book_task *task;
    struct attempt_record record; /* as committed */
    int64_t assigned_ms;
    int64_t stopping_ms; /* when that was committed */
    bool stop_ran_out;   /* the daemon waits no longer for word of it */
    enum lost_why lost;
    unsigned results;               /* committed */
    struct msg_finished result;     /* without its words */
    bool result_is_good;            /* exited with 0, and no complaint */
    bool has_value;                 /* it put out a value */
    uint16_t round;                 /* of the task, in which it was made */
    const struct plan_class *class; /* as it was then */
    /* At the agents. */
    const struct host *target; /* whom it was sent to */
    const struct host *holder; /* whose journal or executor took it in */
    unsigned holder_boots;     /* and in which life of that machine */
    unsigned processes;        /* alive */
    unsigned starts;
    bool began;       /* its process was running */
    int64_t heard_ms; /* when that was, or when it has put out something since */
    bool ended;       /* by itself or as it was told, and said so */
    struct msg_finished end;
    bool spool_cut;
    bool kept;                   /* its result is in the journal, and must stay there … */
    bool released;               /* … until the daemon has said that it may go */
    bool said;                   /* Finished went out at least once */
    const struct host *claimant; /* who was told last to stop it although it is not wanted */
    int64_t claimed_ms;
};

/* An edit may have taken it away: its attempts stay, and may still run. */
struct book_task {
    int64_t id;
    struct book_constellation *constellation;
    const struct sim_task *spec; /* as it was written last */
    int64_t refers_to;           /* the task whose stdout it takes */
    int64_t same_with;           /* the task on whose device it runs; 0: any */
    int64_t other_than;          /* and the one from which it keeps away */
    struct task_record record;   /* as committed */
    bool is_removed;
    bool prepare_refused;
    bool is_denied;       /* or a hold of it has run out, and fails it */
    bool is_resolved;     /* somebody has said how its unknown attempt came out */
    uint64_t input_fence; /* whose stdout was filled in; 0: nobody's */
    bool is_changed;      /* its state or its round, in this segment */
    unsigned losses;
    unsigned tries; /* attempts that ended and count */
    unsigned mark;  /* of a walk */
};

struct book_edge {
    int64_t id; /* 0: the daemon has not stored it */
    struct book_constellation *constellation;
    struct book_task *from;
    struct book_task *to;
    struct plan_edge plan; /* its kind and texts */
    enum edge_decision decision;
    uint64_t fence; /* of the attempt that it is stored with; 0: it stands by itself */
};

struct book_hold {
    struct hold_record record;
    struct book_constellation *constellation;
    int64_t *tasks;
    size_t tasks_count;
    int64_t placed_ms;
    struct book_hold *next; /* of the constellation */
};

/* An edit that is made in parts, from its admission to its end. */
struct book_bulk {
    int64_t id; /* that of its hold */
    struct wish *wish;
    int64_t *added; /* the ids that its tasks have got; 0: none yet */
    bool *done;     /* by operation */
    bool has_revision;
    int64_t admitted_ms;
    struct book_bulk *next;
};

struct book_constellation {
    int64_t id;
    const struct sim_plan *plan;
    struct constellation_record record; /* as committed */
    struct constellation_record before; /* the segment */
    bool cancel_asked;
    uint32_t limit;           /* of its one named limit */
    struct book_task **tasks; /* in the order of their ids */
    uint32_t tasks_count;
    struct book_edge **edges;
    uint32_t edges_count;
    struct book_hold *holds;
    struct book_constellation *next;
};

struct book_device {
    int64_t id;
    char name[64];
    char journal_id[64];
    uint64_t session; /* committed */
    uint32_t slots;   /* as its agent has said */
    uint32_t live;    /* attempts that are neither ended nor lost */
    uint64_t link;    /* where it was welcomed last */
    int64_t heard_ms; /* its last sign of life, or a start of the daemon */
};

struct books {
    struct map attempts;
    struct map tasks;
    struct map constellations;
    struct map devices;
    struct map edges; /* by their ids */
    struct map holds;
    unsigned marks; /* of walks */
    struct book_constellation *first;
    struct book_bulk *bulks;
    uint64_t fence_max;
    uint64_t session_max;
    int64_t jumped_ms;    /* the last jump of the daemon's wall clock; 0 none */
    int64_t restarted_ms; /* the last start of the daemon */
};

struct book_attempt *books_attempt(const struct books *books, uint64_t fence);
struct book_constellation *books_constellation(const struct books *books, int64_t id);
struct book_task *books_task(const struct books *books, int64_t id); /* NULL: not there any more */
struct book_edge *books_edge(const struct books *books, int64_t id);
struct book_hold *books_hold(const struct books *books, int64_t id);
/* The latest one of this round; NULL: it has not started. */
struct book_attempt *books_current(const struct books *books, const struct book_task *task);
struct book_task *books_add_task(struct books *books, struct book_constellation *constellation,
                                 int64_t id, const struct sim_task *spec);
struct book_edge *books_add_edge(struct books *books, int64_t id, struct book_task *from,
                                 struct book_task *to, const struct plan_edge *plan);
/* All of them, unless sabotage has kept some from the daemon. */
uint32_t books_stored_edges(const struct book_constellation *constellation);
void books_remove_task(struct books *books, struct book_task *task); /* and its edges */
void books_remove_edge(struct books *books, struct book_edge *edge);
struct book_hold *books_add_hold(struct books *books, const struct hold_record *record);
void books_hold_task(struct book_hold *hold, int64_t task_id);
bool books_hold_names(const struct book_hold *hold, int64_t task_id);
void books_remove_hold(struct books *books, struct book_hold *hold);
struct book_bulk *books_bulk(const struct books *books,
                             int64_t id); /* NULL: it is not admitted, or made */
struct book_bulk *books_add_bulk(struct books *books, int64_t id, struct wish *wish);
void books_remove_bulk(struct books *books, struct book_bulk *bulk);
/* The hold of an edit that is checked or made: nobody else changes the plan. NULL: there is none. */
const struct book_hold *book_bulk_hold(const struct book_constellation *constellation);

/* It has an attempt in this round. */
static inline bool book_task_has_started(const struct book_task *task)
{
    return task->record.attempts > task->record.first_attempt;
}
static inline bool book_attempt_is_live(enum attempt_state state)
{
    return state == ATTEMPT_SENT || state == ATTEMPT_RUNNING || state == ATTEMPT_STOPPING;
}
/* Its constellation is being stopped, and the task is not spared. */
static inline bool book_task_must_stop(const struct book_task *task)
{
    const struct constellation_record *record = &task->constellation->record;
    return (task->spec->plan.flags & TASK_FINALLY) != 0
               ? record->cancel_finally
               : record->cancel_requested || record->stopping;
}
bool book_task_is_held(const struct book_task *task);
/* All that it depends on lets it start; nothing of it can any more. By the decisions as stored. */
bool book_task_is_open(const struct book_task *task);
bool book_task_is_closed(const struct book_task *task);
struct book_device *books_device_named(const struct books *books, const char *name);

#endif
