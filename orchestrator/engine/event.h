/* All that can happen to the engine. Time comes in with every event; nothing else is asked for. */
#ifndef ORCHESTRATOR_ENGINE_EVENT_H
#define ORCHESTRATOR_ENGINE_EVENT_H

#include "common/base/err.h"
#include "orchestrator/engine/edit.h"
#include "orchestrator/engine/record.h"
#include "proto/msg/msg.h"

struct moment {
    int64_t boot_ms; /* CLOCK_BOOTTIME: what deadlines are measured by */
    int64_t wall_ms; /* for display, and to carry deadlines over a restart */
};

enum event_kind {
    EVENT_SUBMIT,  /* a plan; answered by EFFECT_REPLY when the last of its rows is in */
    EVENT_CANCEL,  /* a constellation; answered by EFFECT_REPLY */
    EVENT_MESSAGE, /* one message of an agent */
    EVENT_CHANNEL_CLOSED,
    EVENT_PREPARED,  /* the evaluator's answer to EFFECT_PREPARE */
    EVENT_EVALUATED, /* and to EFFECT_EVALUATE */
    /* Each answered by EFFECT_REPLY. */
    EVENT_EDIT,
    EVENT_HOLD,
    EVENT_RELEASE,
    EVENT_REOPEN,  /* retry and rerun */
    EVENT_RESOLVE, /* an unknown task */
    EVENT_DRAIN,   /* a device */
    /* An edit of many operations, in this order: see bulk.c. */
    EVENT_BULK_BEGIN, /* nothing starts from here on, so that it can be checked; answered at once */
    EVENT_BULK_DROP,  /* it was refused: all goes on */
    EVENT_BULK_ADMIT, /* it was accepted; answered when it is made, or at once if it cannot be */
    EVENT_BULK_PART,  /* what engine_wants_part() asks for */
    EVENT_TICK,       /* once a turn, after all that arrived: timers, and sliced work */
    EVENT_DISPATCH,   /* once a turn, last: ready tasks to free devices */
};

enum resolution {
    RESOLVE_SUCCEEDED = 1,
    RESOLVE_FAILED = 2,
    RESOLVE_RETRY = 3,
};

struct event {
    enum event_kind kind;
    struct moment now;
    union {
        struct {
            uint64_t request;        /* goes back in the reply */
            const struct plan *plan; /* lives until EFFECT_PLAN_DONE */
            struct str uid;          /* "NAME-4chars": not used before (the shell has looked) */
            struct str actor;
        } submit;
        struct {
            uint64_t request;
            int64_t constellation_id;
            struct str actor;
        } cancel;
        struct {
            uint64_t channel;
            const struct msg *msg;
            /* Hello only: the device that the connection is bound to ("" any); the receipt is one of
               ours and of a state that this database has not seen. */
            struct str bound_device;
            bool receipt_is_ahead;
        } message;
        struct {
            uint64_t channel;
            struct str reason;
        } channel_closed;
        struct {
            int64_t constellation_id;
            int64_t task_id;
            uint32_t body_bytes; /* with its inputs */
            bool
                put_off; /* the turn has had enough: the engine asks again, all else means nothing */
            enum err err; /* ERR_NONE: inputs are stored; else the task fails with the reason */
            struct str reason;
        } prepared;
        struct {
            int64_t constellation_id;
            int64_t edge_id;
            bool opens;
            struct str reason; /* not empty: it could not be evaluated, and closes */
            bool put_off;      /* as above */
        } evaluated;
        struct {
            uint64_t request;
            const struct edit *edit; /* lives for the step */
        } edit;
        struct {
            uint64_t request;
            int64_t constellation_id;
            enum hold_scope scope;
            enum hold_origin origin; /* HOLD_BY_REQUEST or HOLD_PAUSE */
            enum hold_expiry on_expiry;
            int64_t length_ms;       /* 0: none */
            const int64_t *task_ids; /* HOLD_TASKS; HOLD_DESCENDANTS: the root */
            size_t task_ids_count;
            struct str owner;
            struct str reason;
        } hold;
        struct {
            uint64_t request;
            int64_t constellation_id;
            int64_t hold_id; /* 0: the pause */
            bool approved;   /* false: an approval is denied, and its task fails */
            struct str actor;
        } release;
        struct {
            uint64_t request;
            int64_t constellation_id;
            const int64_t *task_ids;
            size_t task_ids_count;
            bool rerun;        /* and everything behind them; else failed ones are retried */
            bool keep_skipped; /* retry: what was skipped because of them stays so */
            struct str actor;
        } reopen;
        struct {
            uint64_t request;
            int64_t constellation_id;
            int64_t task_id;
            enum resolution resolution;
            struct str actor;
        } resolve;
        struct {
            uint64_t request;
            int64_t constellation_id;
            uint32_t operations;
            struct str actor;
        } bulk_begin;
        struct {
            int64_t constellation_id;
            int64_t bulk_id;
            struct str why;
        } bulk_drop;
        struct {
            uint64_t request;
            int64_t constellation_id;
            int64_t bulk_id;
            uint32_t parts;
            uint32_t tasks_added;
            uint32_t classes; /* that it may bring */
            uint32_t policies;
            uint32_t operations;
            /* The constellation that it was checked against: if it was final, nothing has kept it so. */
            uint32_t revision;
            int64_t finished_wall_ms;
            const struct edit *edit; /* for what it expects; lives for the step */
            struct str actor;
        } bulk_admit;
        struct {
            int64_t bulk_id;
            const struct edit *edit; /* lives for the step */
        } bulk_part;
        struct {
            uint64_t request;
            struct str device;
            bool draining;
            struct str actor;
        } drain;
        struct {
            uint32_t slice; /* rows of sliced work; 0, or more than the engine's own: that */
        } tick;
    };
};

#endif
