/* The agent's mind: a pure state machine over its connection and the attempts it holds. No I/O, clock
   or randomness but its seed: events come in, effects come out, the same events give the same
   effects.

   A turn of the shell:
       agent_engine_step(each event that arrived) … agent_engine_step(TICK)
       journal_commit(effects); carry out the other effects in order
       agent_effects_clear; agent_engine_turn_end
   A turn without an event is a TICK alone, due at agent_engine_next_deadline(); also when the
   connection takes more output again. An event that comes up while effects are carried out belongs
   to the next turn. After a failed commit nothing may be carried out: the process ends, and the next
   one starts from the journal. */
#ifndef AGENT_ENGINE_AGENT_ENGINE_H
#define AGENT_ENGINE_AGENT_ENGINE_H

#include "agent/engine/agent_effect.h"
#include "agent/engine/agent_event.h"
#include "common/base/err.h"

enum {
    AGENT_SLOTS_MAX = 2048,   /* as many results again may wait to be acknowledged: MSG_HELD_MAX */
    AGENT_STARTS_MAX = 64,    /* processes started in one turn; the rest wait as accepted */
    AGENT_SMALL_BYTES = 2048, /* a Finished of at most this is sent past bulk that waits */
    AGENT_BACKOFF_BASE_MS = 500,
    AGENT_BACKOFF_MAX_MS = 30000,
    AGENT_DIAL_LIMIT_MS = 30000,    /* a dial that says nothing for so long is given up */
    AGENT_WELCOME_LIMIT_MS = 30000, /* likewise a Hello */
    AGENT_CLOSE_LIMIT_MS = 5000,    /* a close that does not end is made hard */
};

/* Borrowed for the life of the engine, but for the numbers and the receipt. hello.held is not looked
   at; hello.session and hello.receipt are those of the journal. */
struct agent_engine_config {
    struct msg_hello hello;
    uint64_t seed; /* of the jitter */
};

struct agent_engine;

struct agent_engine *agent_engine_new(const struct agent_engine_config *config);
void agent_engine_free(struct agent_engine *engine);

/* Once, before the first step, for each record of the journal (copied), fences rising. One that was
   running has died. ERR_CORRUPT with the reason if the record breaks a rule. */
enum err agent_engine_load(struct agent_engine *engine, const struct agent_record *record,
                           struct reason *reason);

void agent_engine_step(struct agent_engine *engine, const struct agent_event *event,
                       struct agent_effects *effects);
/* The boot time at which a TICK is due; INT64_MAX: never; in the past: run the next turn at once. */
int64_t agent_engine_next_deadline(const struct agent_engine *engine);
/* After the effects were carried out: frees what has gone. Records in effects are dead after this. */
void agent_engine_turn_end(struct agent_engine *engine);

/* After SHUTDOWN: nothing runs, what had to be said is said, the connection is closed. */
bool agent_engine_is_done(const struct agent_engine *engine);

struct agent_engine_stats {
    size_t held;     /* attempts of which the daemon will hear */
    size_t running;  /* slots in use: accepted, running, and stopping ones that were dropped */
    size_t finished; /* results that wait for an Ack */
    bool ready;      /* the session is: tasks may come */
    uint64_t session;
    uint64_t started_total;
    uint64_t ended_total;
};
struct agent_engine_stats agent_engine_stats(const struct agent_engine *engine);

/* Every attempt and the connection, one a line, in a fixed order. */
void agent_engine_dump(const struct agent_engine *engine, struct buf *text);
/* Checks the invariants of agent_check.c. ERR_CORRUPT names the first that is broken. To be called
   between turns. */
enum err agent_engine_check(const struct agent_engine *engine, struct reason *reason);

#endif
