/* All that the engine wishes for. A step appends; the shell carries out: first the rows (store_apply),
   then, after the commit, what goes out. Pointers to records stay good until engine_turn_end(). */
#ifndef ORCHESTRATOR_ENGINE_EFFECT_H
#define ORCHESTRATOR_ENGINE_EFFECT_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "orchestrator/engine/edit.h"

enum effect_kind {
    /* Rows, in an order in which what is referred to comes first. ADD and SAVE look at the record when
       they are applied, so a record stands at most once between two applications. */
    EFFECT_ADD_CLASS,
    EFFECT_ADD_POLICY,
    EFFECT_ADD_CONSTELLATION,
    EFFECT_SAVE_CONSTELLATION,
    EFFECT_ADD_TASK,
    EFFECT_SAVE_TASK,
    EFFECT_ADD_EDGE,
    EFFECT_SAVE_EDGE,
    EFFECT_KEEP_EDGE, /* its decision stands, and its source will have another attempt */
    EFFECT_ADD_ATTEMPT,
    EFFECT_SAVE_ATTEMPT,
    EFFECT_SAVE_DEVICE, /* inserted or replaced whole */
    EFFECT_TASK_REASON, /* why a task failed without an attempt that says so */
    EFFECT_OUTPUT,      /* bytes of an attempt, at its end */
    EFFECT_RESULT,      /* words and value of an attempt's end */
    EFFECT_HISTORY,
    EFFECT_ADD_LIMIT, /* or its new capacity; without a name: it goes, and its number is free */
    EFFECT_ADD_HOLD,
    EFFECT_ADD_HOLD_TASK,
    EFFECT_REMOVE_HOLD, /* with its tasks */
    EFFECT_REMOVE_TASK, /* and its text, after its edges; its attempts stay */
    EFFECT_REMOVE_EDGE,
    EFFECT_TASK_TEXT,   /* an edit's new body, group and description; drops its inputs */
    EFFECT_DROP_INPUTS, /* a new round fills them in anew; and its reason goes */
    EFFECT_EDGE_TEXT,   /* an edit's new kind and condition: all of the edge but its decision */
    EFFECT_EDGE_REASON, /* why it was decided so, where its kind alone does not say it */
    EFFECT_ADD_REVISION,
    EFFECT_PUT_BULK, /* inserted or replaced whole; with the first, its parts are an edit that will be made */
    EFFECT_REMOVE_BULK, /* it is made: its parts are needed no more */
    /* Questions. */
    EFFECT_PREPARE,
    EFFECT_EVALUATE,
    /* Out, after the commit. */
    EFFECT_SEND,
    EFFECT_ASSIGN, /* the shell reads the body from the store, and batches by channel */
    EFFECT_CLOSE,
    EFFECT_REPLY,
    EFFECT_PLAN_DONE, /* the plan may be freed */
};

struct effect {
    enum effect_kind kind;
    union {
        const struct class_record *class;
        const struct policy_record *policy;
        struct {
            const struct constellation_record *record;
            struct str uid; /* ADD only */
            const struct plan *plan;
            bool is_stamp; /* SAVE: all that is another is in the revision that this turn adds */
        } constellation;
        struct {
            const struct task_record *record;
            int64_t constellation_id;
            const struct plan_task *plan; /* ADD and TASK_TEXT only */
            bool is_stamp;                /* SAVE: nothing but its revision is another */
        } task;
        struct {
            struct edge_record record; /* a copy: the engine keeps edges smaller than this */
            int64_t constellation_id;
            const struct plan_edge *plan; /* ADD, EDGE_TEXT: its texts */
        } edge;
        struct limit_record limit;
        struct {
            const struct hold_record *record;
            struct str owner;
            struct str reason;
        } hold;
        struct {
            int64_t hold_id;
            int64_t task_id;
        } hold_task;
        int64_t id; /* REMOVE_HOLD, REMOVE_TASK, REMOVE_EDGE, DROP_INPUTS, REMOVE_BULK */
        struct bulk_record bulk;
        struct {
            int64_t edge_id;
            struct str text;
        } edge_reason;
        struct revision_record revision;
        struct {
            int64_t constellation_id;
            int64_t edge_id;
            int64_t from_id;
        } evaluate;
        const struct attempt_record *attempt;
        const struct device_record *device;
        struct {
            int64_t task_id;
            struct str text;
        } reason;
        struct {
            uint64_t fence;
            enum stream stream;
            uint64_t offset;
            struct str data;
        } output;
        struct {
            uint64_t fence;
            struct str reason;
            struct str result;
        } result;
        struct history history;
        struct {
            int64_t constellation_id;
            int64_t task_id;
        } prepare;
        struct {
            uint64_t channel;
            const struct msg *msg; /* in the effects' arena */
        } send;
        struct {
            uint64_t channel;
            uint64_t fence;
            int64_t constellation_id;
            int64_t task_id;
            uint32_t attempt;
        } assign;
        struct {
            uint64_t channel;
            enum msg_error_code code;
            struct str reason;
        } close;
        struct {
            uint64_t request;
            enum err err;
            int64_t constellation_id;
            struct str reason;
            int64_t hold_id;                /* EVENT_HOLD, EVENT_BULK_BEGIN */
            const struct edit_result *edit; /* EVENT_EDIT, also when it was refused */
        } reply;
        const struct plan *plan;
    };
};

struct effects {
    struct effect *list;
    size_t count;
    size_t capacity;
    size_t applied;     /* rows before this one are with the store already */
    struct arena arena; /* text and messages of this turn */
};

struct effect *effects_add(struct effects *effects, enum effect_kind kind);
void effects_clear(struct effects *effects); /* at the end of the turn; keeps the memory */
void effects_done(struct effects *effects);

#endif
