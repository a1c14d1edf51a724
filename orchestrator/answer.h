/* The questions of a turn: inputs that are wanted, conditions that are asked. A turn answers as many as
   it can take; the rest are put off, and the engine asks again. */
#ifndef ORCHESTRATOR_ANSWER_H
#define ORCHESTRATOR_ANSWER_H

#include "orchestrator/spec/condition.h"
#include "orchestrator/store/store.h"

enum {
    /* Bytes that are read, gone through or written for the answers of one turn; the first question is
       always answered. */
    ANSWER_WORK_MAX = 1024 * 1024,
    ANSWER_WORK_EACH = 1024, /* what a question takes that is about nothing */
};

struct answering {
    struct store *store;
    struct condition_engine *conditions;
    struct arena *arena;
    size_t work_max; /* 0: ANSWER_WORK_MAX */
    size_t work;     /* taken in this turn: 0 at its beginning */
};

/* Answers the EFFECT_PREPARE or EFFECT_EVALUATE at this place: fills in the event but for its time. Rows
   before it are applied first. What the event points to lives in the arena. An error is the store's. */
enum err answer_question(struct answering *answering, struct effects *effects, size_t at,
                         struct event *ret_event, struct reason *reason);

#endif
