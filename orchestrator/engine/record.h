/* What is stored of everything the engine holds: plain numbers, one struct a row. What is not here
   can be rebuilt from what is. Changing a record means a migration in orchestrator/store, a line in
   its contract test and, if it is state, a line in check.c. */
#ifndef ORCHESTRATOR_ENGINE_RECORD_H
#define ORCHESTRATOR_ENGINE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/engine/plan.h"
#include "proto/msg/msg.h"

/* The numbers of every enum here are stored: they never change their meaning. */

enum constellation_state {
    CONSTELLATION_LOADING = 1, /* rows are still going in; invisible; removed at the next start */
    CONSTELLATION_RUNNING = 2,
    /* 3 is what a person is told of one that a pause holds: paused; never stored. */
    CONSTELLATION_SUCCEEDED = 4,
    CONSTELLATION_FAILED = 5,
    CONSTELLATION_CANCELLED = 6,
};

enum task_state {
    TASK_WAITING =
        1, /* for its dependencies, or (all of them open) for a device: then it is ready */
    TASK_ASSIGNED = 2,
    TASK_RUNNING = 3,
    TASK_BACKOFF = 4,
    TASK_SUCCEEDED = 5,
    TASK_FAILED = 6,
    TASK_CANCELLED = 7,
    TASK_SKIPPED = 8,
    TASK_UNKNOWN = 9, /* once, and the fate of its attempt is not known: someone must decide */
    TASK_STATES_END,
};

enum attempt_state {
    ATTEMPT_SENT = 1,
    ATTEMPT_RUNNING = 2,
    ATTEMPT_STOPPING = 3, /* told to stop, end not confirmed */
    ATTEMPT_ENDED = 4,
    ATTEMPT_LOST = 5,
};

enum edge_decision {
    EDGE_UNDECIDED = 0,
    EDGE_OPEN = 1,
    EDGE_CLOSED = 2,
};

const char *constellation_state_name(enum constellation_state state);
const char *task_state_name(enum task_state state);
const char *attempt_state_name(enum attempt_state state);
bool constellation_state_is_final(enum constellation_state state);
bool task_state_is_final(enum task_state state);

struct class_record {
    int64_t id;
    struct plan_class plan;   /* its same_device and other_device mean nothing here */
    int64_t same_task_id;     /* on the device of this task's latest attempt; 0 any */
    int64_t other_task_id;    /* not on that of this one's */
    int64_t constellation_id; /* whose limits these are; 0: it takes part in none */
};

/* The index stands for the name in class_record.plan.limits; it never changes its name. */
struct limit_record {
    int64_t constellation_id;
    uint32_t index;
    struct str name;
    uint32_t capacity;
};

enum hold_scope {
    HOLD_TASKS = 1,
    HOLD_DESCENDANTS =
        2, /* of its root, as they were when it was placed, and what is added behind them */
    HOLD_ALL = 3,
};

enum hold_origin {
    HOLD_BY_REQUEST = 1,
    HOLD_PAUSE = 2,    /* of the whole; at most one */
    HOLD_APPROVAL = 3, /* of one task, from its spec; has no deadline */
    HOLD_FAILURE = 4,  /* root failed: what its failure closes waits */
    /* A rerun or retry that takes more than a turn is being made: names what was asked for. HOLD_ALL; it
       ends by itself, and a restart goes on with it. */
    HOLD_RERUN = 5,
    HOLD_RETRY = 6,
    HOLD_RETRY_KEPT = 7, /* what was skipped stays so */
    /* An edit of many operations is being checked or made. HOLD_ALL; it ends by itself, and a restart goes
       on with one that was accepted. */
    HOLD_BULK = 8,
};

enum hold_expiry {
    HOLD_EXPIRY_RELEASE = 1,
    HOLD_EXPIRY_FAIL = 2, /* what it holds fails */
};

struct hold_record {
    int64_t id;
    int64_t constellation_id;
    enum hold_scope scope;
    enum hold_origin origin;
    enum hold_expiry on_expiry;
    int64_t root_task_id; /* HOLD_DESCENDANTS, HOLD_APPROVAL, HOLD_FAILURE */
    int64_t created_wall_ms;
    int64_t deadline_wall_ms; /* 0: none */
    int64_t length_ms;
};

/* An edit of many operations that was accepted and is being made, part by part: its row is what a restart
   goes on from. The parts themselves are opaque to the engine. */
struct bulk_record {
    int64_t id; /* that of its hold */
    int64_t constellation_id;
    int64_t
        first_task_id; /* of those that it adds, in the order of their numbers: none of it is another's */
    uint32_t tasks_added;
    uint32_t parts;
    uint32_t next; /* the part that comes */
    bool renews;   /* it has changed what was skipped: that is looked at when all parts are made */
    bool is_renewing; /* a second time through the parts, for that */
    bool reopens;     /* the constellation had ended when it was accepted */
};

struct policy_record {
    int64_t id;
    struct plan_policy plan;
};

struct constellation_record {
    int64_t id;
    enum constellation_state state;
    bool cancel_requested;
    bool cancel_finally; /* asked for again: its finally tasks are cancelled too */
    int64_t created_wall_ms;
    int64_t finished_wall_ms; /* 0 until it is final */
    uint32_t tasks;
    uint32_t edges;
    uint32_t revision; /* from 1; an edit that was applied raises it */
    bool fail_fast;
    bool stopping; /* fail_fast or the deadline stops all but its finally tasks */
    bool deadline_passed;
    int64_t deadline_wall_ms; /* 0 none */
    int64_t deadline_length_ms;
    /* Written when it becomes final; before that the tasks themselves are counted. */
    uint32_t succeeded;
    uint32_t failed;
    uint32_t cancelled;
    uint32_t skipped;
};

struct task_record {
    int64_t id;
    int64_t class_id;
    int64_t policy_id;
    uint64_t fence;       /* of the latest attempt; 0: none yet, it has not started */
    int64_t wake_wall_ms; /* backoff: when it ends, and how long it was */
    int64_t wake_length_ms;
    uint32_t attempts;      /* made so far */
    uint16_t tries;         /* of them ended by themselves or by a timeout */
    uint16_t lost;          /* of them died with their agent or its machine */
    uint32_t body_bytes;    /* what an Assign of it weighs: its body, or that with its inputs */
    uint32_t first_attempt; /* attempts made in earlier rounds */
    uint32_t revision;      /* the last that touched it */
    int16_t priority;
    uint16_t name;  /* as it is known to learn.c; never changes */
    uint16_t round; /* from 1: reopening a task begins another */
    uint16_t flags; /* bits of enum task_flag */
    uint8_t state;  /* enum task_state; only task_move() writes it */
    bool has_references;
    bool prepared; /* its inputs have been filled in and are stored */
};

struct edge_record {
    int64_t id;
    int64_t from_id;
    int64_t to_id;
    enum edge_when when;
    bool named;       /* in `needs`; else a reference alone has made it */
    bool required;    /* by a reference */
    bool conditional; /* has an expression, which the store keeps */
    enum edge_decision decision;
    uint64_t fence; /* the predecessor's attempt that decided it; 0: none ever ran */
};

enum author_kind {
    AUTHOR_USER = 1,
    AUTHOR_RULE = 2,
    AUTHOR_PLANNER = 3,
};

const char *author_kind_name(enum author_kind kind);

/* One applied edit. Text is borrowed. */
struct revision_record {
    int64_t constellation_id;
    uint32_t number;
    uint32_t base; /* that it was made for */
    int64_t wall_ms;
    enum author_kind author_kind;
    struct str author;
    struct str reason;
    struct str operations; /* JSON array, as docs/editing.md defines them */
    struct str inverse;    /* likewise: takes them back */
    int64_t bulk_id;       /* not 0: both stand in pieces, under this number */
    uint32_t tasks;        /* of the plan that it made */
    uint32_t edges;
};

struct attempt_record {
    uint64_t fence;    /* epoch in the high 23 of 63 bits, a counter in the low 40 */
    uint64_t previous; /* the task's attempt before; 0: this is its first */
    int64_t constellation_id;
    int64_t task_id;
    int64_t device_id;
    uint64_t session; /* in which it was assigned */
    uint32_t number;  /* from 1 */
    enum attempt_state state;
    enum outcome outcome; /* 0 until it ended */
    int32_t exit_code;
    int32_t signal;
    bool output_truncated;
    bool stop_wanted; /* a cancel has been asked for; survives a restart */
    bool given_up;    /* lost for good: whatever its device names or does not name proves nothing */
    int64_t assigned_wall_ms;
    int64_t started_wall_ms; /* 0: not known to have started */
    int64_t ended_wall_ms;
    uint64_t stdout_bytes; /* accepted from the agent so far */
    uint64_t stderr_bytes;
};

/* Text and arrays belong to the engine. */
struct device_record {
    int64_t id;
    struct str name;
    struct str journal_id;
    struct str boot_id;
    uint64_t process_id;
    uint64_t session; /* the last one issued to it */
    uint64_t fence;   /* the highest assigned to it */
    struct str agent_version;
    struct msg_profile profile;
    bool draining;             /* is given nothing more */
    int64_t connected_wall_ms; /* the last Welcome */
};

/* What happened: one row of the append-only event table. docs/events.md says which fields each kind
   has. Numbers are stored. */
enum history_kind {
    HISTORY_DAEMON_STARTED = 1,          /* number = epoch */
    HISTORY_CONSTELLATION_SUBMITTED = 2, /* number = tasks, text = actor */
    HISTORY_CONSTELLATION_CANCEL = 3,    /* text = actor */
    HISTORY_CONSTELLATION_FINISHED = 4,  /* state = constellation_state */
    HISTORY_CONSTELLATION_DELETED = 5,   /* text = actor */
    HISTORY_TASK_ASSIGNED = 6,           /* fence, device, number = attempt */
    HISTORY_TASK_STARTED = 7,            /* fence, device */
    HISTORY_TASK_ENDED =
        8, /* an attempt ended: fence, device, outcome, number = exit code or signal, state = the task's new state, text = reason */
    HISTORY_TASK_LOST = 9,            /* fence, device, state, text = reason */
    HISTORY_TASK_ADOPTED = 10,        /* fence, device: it runs on after a reconnect or a restart */
    HISTORY_TASK_SKIPPED = 11,        /* number = id of the predecessor that closed the way */
    HISTORY_TASK_CANCELLED = 12,      /* it had not started */
    HISTORY_TASK_FAILED = 13,         /* without an attempt: text = reason */
    HISTORY_ATTEMPT_STALE = 14,       /* fence, device: a report that no longer counts */
    HISTORY_DEVICE_CONNECTED = 15,    /* device, number = session */
    HISTORY_DEVICE_DISCONNECTED = 16, /* device, text = reason */
    HISTORY_DEVICE_REFUSED = 17,      /* text = device name and reason */
    HISTORY_TOKEN_CREATED = 18,       /* text = token name, role, actor */
    HISTORY_TOKEN_REVOKED = 19,       /* text = token name, actor */
    HISTORY_RESTORE_BLOCKED = 20,     /* device, text: a receipt is ahead of this database */
    HISTORY_CONSTELLATION_EDITED = 22,   /* number = revision, text = kind, name and reason */
    HISTORY_CONSTELLATION_REOPENED = 23, /* text = actor */
    HISTORY_CONSTELLATION_STOPPING = 24, /* text = why: fail_fast or the deadline */
    HISTORY_HOLD_PLACED = 25,            /* task = root, number = hold, text = as of an edit */
    HISTORY_HOLD_RELEASED = 26,          /* number = hold, text = actor, or that it expired */
    HISTORY_TASK_REOPENED = 27,          /* number = round */
    HISTORY_TASK_UNKNOWN = 28,           /* fence, device, text = reason */
    HISTORY_TASK_RESOLVED = 29,          /* state, text = actor */
    HISTORY_TASK_SUCCEEDED = 30,         /* a gate */
    HISTORY_DEVICE_DRAINED = 31,         /* device, number = 1 draining, 0 no more, text = actor */
    HISTORY_CONDITION_FAILED = 32,       /* task = dependent, number = edge, text = reason */
    HISTORY_KINDS_END,
};
const char *history_kind_name(enum history_kind kind); /* "task.assigned", … */

struct history {
    int64_t seq; /* given by the store when it is written */
    int64_t wall_ms;
    enum history_kind kind;
    int64_t constellation_id; /* 0: none, and so on */
    int64_t task_id;
    int64_t device_id;
    uint64_t fence;
    uint8_t state;
    uint8_t outcome;
    int64_t number;
    struct str text;
};

#endif
