/* What setup.c, loop.c and release.c share. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/engine/agent_engine.h"
#include "agent/exec/executor.h"
#include "agent/journal/journal.h"
#include "agent/loop.h"
#include "common/net/nest.h"
#include "common/net/ws_client.h"
#include "common/sys/file.h"

struct event;

enum {
    AGENT_QUEUE_BYTES_MAX =
        16 * 1024 * 1024,          /* unsent; short messages of 4,096 attempts fit well */
    AGENT_BULK_BYTES = 256 * 1024, /* of them output: no more is taken from the spools */
    AGENT_PIECE_BYTES = 64 * 1024, /* handed to the connection at a time */
    AGENT_SHORTS_MAX = 64,         /* spools found short in one turn */
};

struct agent_short {
    uint64_t fence;
    enum stream stream;
    uint64_t bytes;
};

struct agent {
    const struct agent_settings *settings;
    struct arena arena; /* for the life of the agent */
    char token[FILE_SECRET_BYTES_MAX];
    struct nest *nest;
    struct nest_timer *timer;
    struct event *signals[2];
    struct ws_client *client;
    struct exec *exec;
    struct journal *journal;
    struct agent_engine *engine;
    struct agent_effects effects;
    struct arena frame_arena; /* one envelope */
    struct arena body_arena;  /* the bodies of one Assign */
    struct buf out;           /* envelopes on their way to the connection */
    struct buf spool;         /* a chunk of output */
    bool releasing;           /* effects are being carried out: no step */
    bool overfull;            /* the connection takes no more: it is cut */
    bool was_ready;
    bool closed_due; /* an end of the connection that came up while releasing */
    bool closed_refused;
    struct agent_short shorts[AGENT_SHORTS_MAX];
    size_t shorts_count;
    bool has_leftovers; /* of the last turn: the next one follows at once */
    int64_t now_ms;     /* of the pass; 0: not looked at yet */
};

/* release.c: carries out what is not the journal's. ERR_ if the agent cannot go on. */
enum err agent_release(struct agent *agent, struct reason *reason);
/* setup.c: a connection to dial by. */
enum err agent_client_new(struct agent *agent, struct reason *reason);

/* loop.c: runs until the engine is done, or the agent cannot go on. What is called back steps the
   engine at once; its effects wait for the turn. */
enum err agent_loop(struct agent *agent, struct reason *reason);
struct ws_client_callbacks agent_ws_callbacks(struct agent *agent);
struct exec_callbacks agent_exec_callbacks(struct agent *agent);
void agent_on_signal(int signal_number, short what, void *context);
/* Nothing but the end of a pass, which is followed by a turn. */
void agent_on_wake(void *context);

#endif
