/* The daemon's mind: a pure state machine over constellations, tasks, attempts and devices. It does no
   I/O, knows no clock and no randomness but its seed: events come in, effects come out, and the same
   events give the same effects. Task bodies, keys and outputs are opaque to it and stay in the store.

   A turn of the shell:
       engine_step(each event that arrived) … engine_step(TICK)
       for each EFFECT_PREPARE: store_apply, evaluate, engine_step(PREPARED)
       engine_step(DISPATCH); store_apply; store_commit; send; engine_turn_end
   Long work (a plan of a million tasks, a fan-out of 100,000) is cut into slices of ENGINE_SLICE rows a
   turn, fewer if the TICK says so; while some is left, engine_next_deadline() is in the past. */
#ifndef ORCHESTRATOR_ENGINE_ENGINE_H
#define ORCHESTRATOR_ENGINE_ENGINE_H

#include "common/base/buf.h"
#include "orchestrator/engine/effect.h"
#include "orchestrator/engine/event.h"
#include "orchestrator/engine/record.h"

enum {
    ENGINE_SLICE = 4096,        /* rows that one turn may touch in sliced work */
    ENGINE_PREPARE_MAX = 256,   /* inputs asked for in one turn */
    ENGINE_EVALUATE_MAX = 1024, /* conditions likewise */
    ENGINE_REOPEN_MAX =
        1000,              /* tasks and dependencies begun again at once: more of them by slices */
    ENGINE_HOLDS_MAX = 32, /* by request on one constellation */
    ENGINE_FAILURE_HOLDS_MAX = 1000, /* of hold_on_failure on one constellation: they end in
                                                  one turn */
    ENGINE_HOLD_TASKS_MAX = 10000,   /* that one hold names */
    ENGINE_ASSIGN_MAX = 2048,        /* assignments in one turn */
    ENGINE_ASSIGN_BYTES_MAX = 4 * 1024 * 1024, /* bodies in one turn, and at one device that has not
                                                  begun them; one body always passes */
    ENGINE_TIMERS_MAX = 512,                   /* timers that fire in one turn */
    ENGINE_UNCOUNTED_MAX = 1000,               /* attempts of a task that were nobody's fault */
    ENGINE_DEVICES_MAX = 20000,
    ENGINE_CLASSES_MAX = 20000,
    ENGINE_DURATIONS_MAX = 8192,     /* attempts that a start learns from */
    ENGINE_LIVE_TASKS_MAX = 4000000, /* in all constellations that are not final */
};

#define FENCE_COUNTER_BITS 40
#define FENCE_EPOCH_MAX    ((1 << 23) - 1)

struct engine_config {
    uint64_t epoch; /* of this start; committed before the engine is made */
    uint64_t seed;
    int64_t lease_ms;
    int64_t ping_ms;
    int64_t lost_after_ms; /* a silent device's tasks are given up after this */
    bool blocked; /* a receipt of a newer state was seen before this start, and not accepted */
    /* The first free number of each kind of row. */
    int64_t next_constellation_id;
    int64_t next_task_id;
    int64_t next_edge_id;
    int64_t next_hold_id;
    /* How far edits may make a plan grow; 0: PLAN_TASKS_MAX and PLAN_EDGES_MAX. */
    uint32_t plan_tasks_max;
    uint32_t plan_edges_max;
    /* What a turn takes on of long work; 0: ENGINE_SLICE, ENGINE_EVALUATE_MAX, ENGINE_REOPEN_MAX. A test
       that takes less sees every state in which a turn can leave it. */
    uint32_t slice;
    uint32_t evaluate_max;
    uint32_t reopen_max;
    uint32_t edit_rows_max; /* 0: EDIT_ROWS_MAX */
    size_t edit_looks_max;  /* 0: EDIT_LOOKS_MAX */
    uint32_t edit_path_max; /* 0: EDIT_PATH_SIZE_MAX */
    int64_t
        ignored_hold_id; /* is not loaded: an edit is checked as if its own hold were not there */
};

struct engine;

struct engine *engine_new(const struct engine_config *config);
void engine_free(struct engine *engine);

/* Loading, once, before the first step, in this order. Records are copied. Only constellations that are
   not final, with all their tasks, edges and the latest attempt of each task. A class or policy that is
   there already stays as it is. */
void engine_load_class(struct engine *engine, const struct class_record *record);
void engine_load_policy(struct engine *engine, const struct policy_record *record);
void engine_load_device(struct engine *engine, const struct device_record *record);
void engine_load_constellation(struct engine *engine, const struct constellation_record *record);
void engine_load_task(struct engine *engine, int64_t constellation_id,
                      const struct task_record *record); /* ids rising within a constellation */
void engine_load_edge(struct engine *engine, int64_t constellation_id,
                      const struct edge_record *record); /* likewise */
void engine_load_attempt(struct engine *engine, const struct attempt_record *record);
/* What an attempt that has succeeded took, by the name of its task: the last ENGINE_DURATIONS_MAX attempts, the
   oldest first. Before engine_load_end(), which ranks by them. */
void engine_load_duration(struct engine *engine, uint16_t name, int64_t duration_ms);
void engine_load_limit(struct engine *engine, const struct limit_record *record);
/* With the tasks that it holds (HOLD_ALL: none are given). */
void engine_load_hold(struct engine *engine, const struct hold_record *record,
                      const int64_t *task_ids, size_t task_ids_count);
void engine_load_bulk(struct engine *engine, const struct bulk_record *record);
/* A constellation that is final and no longer held comes back between two steps, over as many turns as
   it takes, so that an edit, a retry or a rerun can reopen it: engine_wake(), then of the above its
   classes, policies, tasks, edges, attempts and limits, then engine_wake_order() until it leaves
   something of its budget, then engine_load_revived(). Only from there on it is seen by anybody. It goes
   again at the end of the turn if nothing has reopened it. engine_wake() is refused with ERR_LIMIT where
   a submission of as many tasks would be. */
enum err engine_wake(struct engine *engine, const struct constellation_record *record,
                     struct reason *reason);
size_t engine_wake_order(struct engine *engine, int64_t constellation_id, size_t budget);
void engine_wake_drop(struct engine *engine,
                      int64_t constellation_id); /* nothing if it is not there */
/* What has been loaded of it; NULL: no such task. */
const struct task_record *engine_loaded_task(const struct engine *engine, int64_t constellation_id,
                                             int64_t task_id);
bool engine_has_class(const struct engine *engine, int64_t id);
bool engine_has_policy(const struct engine *engine, int64_t id);
enum err engine_load_revived(struct engine *engine, int64_t constellation_id, struct moment now,
                             struct reason *reason);
/* Every lease runs in full from here. ERR_CORRUPT with the reason if what was loaded breaks a rule. */
enum err engine_load_end(struct engine *engine, struct moment now, struct reason *reason);

void engine_step(struct engine *engine, const struct event *event, struct effects *effects);
/* Of the last TICK: there was as much long work as it was allowed, or more. */
bool engine_slice_is_used_up(const struct engine *engine);
/* The part of a large edit that is to be stepped (EVENT_BULK_PART) in this turn, before TICK: one a turn.
   False: none. */
struct part_wanted {
    int64_t constellation_id;
    int64_t bulk_id;
    int64_t first_task_id; /* of all that the edit adds */
    uint32_t number;
};
bool engine_wants_part(const struct engine *engine, struct part_wanted *ret_wanted);
/* The boot time at which a TICK is due; INT64_MAX: never. */
int64_t engine_next_deadline(const struct engine *engine);
/* After the commit: what has ended goes out of memory, a slice now and the rest with the next turns.
   Pointers in effects are dead after this. */
void engine_turn_end(struct engine *engine);

/* A receipt of a newer state was seen: nothing is assigned any more (see EFFECT on HISTORY_RESTORE_BLOCKED). */
bool engine_is_blocked(const struct engine *engine);

/* --- Looking in. Nothing below changes anything. --- */

/* What it was made with, the numbers as far as they are given out: for another that is to judge alike. */
struct engine_config engine_config(const struct engine *engine);
/* An edit of many operations was admitted, and is being made. */
bool engine_makes_bulk(const struct engine *engine, int64_t constellation_id, int64_t bulk_id);

struct engine_counts {
    uint32_t waiting; /* for dependencies */
    uint32_t ready;
    uint32_t assigned;
    uint32_t running;
    uint32_t backoff;
    uint32_t succeeded;
    uint32_t failed;
    uint32_t cancelled;
    uint32_t skipped;
    uint32_t unknown;
};

struct engine_stats {
    uint64_t constellations;
    uint64_t tasks; /* of those */
    uint64_t ready;
    uint64_t attempts; /* that hold a slot */
    uint64_t devices;
    uint64_t connected; /* with a session that is ready */
    uint64_t slots;     /* of those */
    uint64_t assigned_total;
    uint64_t ended_total[7]; /* by enum outcome */
    uint64_t lost_total;
    uint64_t stale_total;
};
struct engine_stats engine_stats(const struct engine *engine);

/* Where the device of an attempt is connected; 0: nowhere, or no such attempt. */
uint64_t engine_attempt_channel(const struct engine *engine, uint64_t fence);

/* NULL / false when it is not live (final, or never there): look in the store. */
const struct constellation_record *engine_constellation(const struct engine *engine, int64_t id);
bool engine_constellation_counts(const struct engine *engine, int64_t id,
                                 struct engine_counts *ret_counts);
const struct task_record *engine_task(const struct engine *engine, int64_t constellation_id,
                                      int64_t task_id);
/* How many dependencies a task has, counted up to `max`; 0: there is no such task. */
size_t engine_count_needs(const struct engine *engine, int64_t constellation_id, int64_t task_id,
                          size_t max);
/* Whether its text names other tasks: by placeholders, or for their devices. */
bool engine_task_refers(const struct engine *engine, int64_t constellation_id, int64_t task_id);
/* Whether it has, or has had, named limits. */
bool engine_has_limits(const struct engine *engine, int64_t constellation_id);
/* What a person is told: task_state_name(), or "ready". */
const char *engine_task_state(const struct engine *engine, int64_t constellation_id,
                              int64_t task_id);

/* The first `max` tasks of it, in the order of their ids, that are in one of the states (a bit each of
   enum task_state); walks its tasks until it has all there are. */
size_t engine_list_tasks(const struct engine *engine, int64_t constellation_id, uint32_t states,
                         int64_t *ids, size_t max);

/* A hold is in its way, whatever else is. */
bool engine_task_is_held(const struct engine *engine, int64_t constellation_id, int64_t task_id);

/* Somebody has paused it: a person is told "paused" in place of running. */
bool engine_is_paused(const struct engine *engine, int64_t constellation_id);

/* How many holds there are on it, but for those of approvals. */
uint32_t engine_holds_count(const struct engine *engine, int64_t constellation_id);

struct hold_view {
    const struct hold_record *record;
    const int64_t *task_ids; /* that it names; one may have been removed since */
    size_t task_ids_count;
};
/* The holds of a constellation, those of requests first, each kind the newest first: start with *ret_view zeroed. */
bool engine_next_hold(const struct engine *engine, int64_t constellation_id,
                      struct hold_view *ret_view);
bool engine_find_hold(const struct engine *engine, int64_t constellation_id, int64_t hold_id,
                      struct hold_view *ret_view);

enum wait_kind {
    WAIT_NOTHING = 0,
    WAIT_DEPENDENCIES, /* `tasks`: the predecessors that are not final (the first few), `count` all */
    WAIT_INPUTS,       /* its placeholders are about to be filled in */
    WAIT_BACKOFF,      /* `wake_ms` from now */
    WAIT_NO_DEVICE,    /* no known device fits; count = devices known; `unmet`: why not, a device */
    WAIT_OFFLINE,      /* count devices fit, none of them is connected */
    WAIT_SLOTS,        /* count devices fit and are connected, all their slots are taken */
    WAIT_BLOCKED,      /* assignment is stopped: a restored database */
    WAIT_STOPPING,     /* its attempt has been told to stop */
    WAIT_DISCONNECTED, /* its attempt's device is cut off; wake_ms: given up then */
    WAIT_TURN,         /* a slot is free: it is about to be assigned */
    WAIT_HELD,         /* `holds`: the first few that hold it, `count` all */
    WAIT_FINALLY,      /* for all that is not finally; count of them */
    WAIT_RESOURCES,    /* count devices fit and are connected, none has enough left: `unmet` */
    WAIT_LIMIT,        /* a named limit is taken: its index in count */
    WAIT_DRAINED,      /* count devices fit, all that are connected are draining */
    WAIT_DECISION,     /* unknown: a person must resolve it */
};

enum { WAIT_LIST_MAX = 8 };

struct wait {
    enum wait_kind kind;
    uint32_t count;
    int64_t wake_ms;
    int64_t tasks[WAIT_LIST_MAX];
    size_t tasks_count;
    int64_t holds[WAIT_LIST_MAX];
    size_t holds_count;
    struct {
        struct str device;
        char why[160]; /* "label gpu is missing: selector gpu" */
    } unmet[WAIT_LIST_MAX];
    size_t unmet_count;
};
void engine_explain(const struct engine *engine, int64_t constellation_id, int64_t task_id,
                    struct moment now, struct wait *ret_wait);

enum device_status {
    DEVICE_DISCONNECTED,
    DEVICE_CONNECTED,
    DEVICE_DRAINING, /* is given nothing more; some of it runs on */
    DEVICE_DRAINED,  /* nothing runs there any more */
};
const char *device_status_name(enum device_status status);

struct device_view {
    const struct device_record *record;
    enum device_status status;
    bool connected;    /* has a session */
    bool ready;        /* and it is durable: tasks are assigned */
    uint32_t used;     /* slots */
    int64_t silent_ms; /* since its last ping, if it is connected or has attempts; else 0 */
    uint64_t channel;
};
/* In the order of their ids: start with *at = 0. */
bool engine_each_device(const struct engine *engine, size_t *at, struct moment now,
                        struct device_view *ret_view);
bool engine_find_device(const struct engine *engine, struct str name, struct moment now,
                        struct device_view *ret_view);
bool engine_find_device_id(const struct engine *engine, int64_t id, struct moment now,
                           struct device_view *ret_view);

/* The at-th of what the device has for tasks to take, with what its attempts have reserved of it, in
   thousandths; false: it has no more. */
bool engine_device_resource(const struct engine *engine, int64_t device_id, size_t at,
                            struct plan_resource *ret_total, int64_t *ret_used_milli);

/* Every record, one a line, in a fixed order: two engines are equal if their dumps are (P10). */
void engine_dump(const struct engine *engine, struct buf *text);
/* Checks the invariants of check.c over everything. ERR_CORRUPT names the first that is broken. */
enum err engine_check(const struct engine *engine, struct reason *reason);

#endif
