/* All that the agent's engine wishes for. A step appends; the shell first journals (the SAVE and
   REMOVE kinds, one commit), then carries out the rest in order. Pointers into attempts stay good
   until agent_engine_turn_end(), those into the arena until agent_effects_clear(). */
#ifndef AGENT_ENGINE_AGENT_EFFECT_H
#define AGENT_ENGINE_AGENT_EFFECT_H

#include "agent/engine/agent_event.h"
#include "common/base/arena.h"
#include "common/base/buf.h"

enum agent_effect_kind {
    /* The journal. */
    AGENT_EFFECT_SAVE_SESSION, /* durable: on the disk itself before what follows is carried out */
    AGENT_EFFECT_SAVE,         /* inserted or replaced whole, as the record is at the commit;
                                  durable if it is `once` and has started */
    AGENT_EFFECT_REMOVE,
    /* Out, after the commit. */
    AGENT_EFFECT_DIAL,
    AGENT_EFFECT_SEND,
    AGENT_EFFECT_SEND_OUTPUT, /* an Output; the shell fills in the data from the spool */
    AGENT_EFFECT_CLOSE,       /* AGENT_EVENT_DISCONNECTED must follow */
    AGENT_EFFECT_START,
    AGENT_EFFECT_STOP,
    AGENT_EFFECT_FORGET, /* spool and work directory of an attempt that does not run */
};

struct agent_effect {
    enum agent_effect_kind kind;
    union {
        struct {
            uint64_t session;
            struct msg_receipt receipt;
        } session;
        const struct agent_record *record; /* SAVE, START */
        uint64_t fence;                    /* REMOVE, FORGET */
        const struct msg *msg;
        struct {
            uint64_t fence;
            enum stream stream;
            uint64_t offset;
            size_t bytes;
        } output;
        struct {
            int code;  /* of the WebSocket */
            bool hard; /* at once, without waiting for what is queued or for the other side */
            const char *reason;
        } close;
        struct {
            uint64_t fence;
            enum outcome outcome;
            int64_t grace_ms;
            const char *why;
        } stop;
    };
};

/* Zero-initialised is empty and ready. */
struct agent_effects {
    struct agent_effect *list;
    size_t count;
    size_t capacity;
    struct arena arena;
};

struct agent_effect *agent_effects_add(struct agent_effects *effects, enum agent_effect_kind kind);
/* A journal write that must have reached the disk itself before anything else is carried out. */
bool agent_effect_is_durable(const struct agent_effect *effect);
void agent_effects_clear(struct agent_effects *effects); /* keeps the memory */
void agent_effects_done(struct agent_effects *effects);
/* One line of text without a newline, the same for the same effect: for scenarios and traces. */
void agent_effect_print(const struct agent_effect *effect, struct buf *text);

#endif
