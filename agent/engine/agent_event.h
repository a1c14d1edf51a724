/* All that can happen to the agent's engine, and what it keeps of an attempt. Time comes in with
   every event; pointers are borrowed for the step. */
#ifndef AGENT_ENGINE_AGENT_EVENT_H
#define AGENT_ENGINE_AGENT_EVENT_H

#include "proto/msg/msg.h"

/* What the journal stores of an attempt: all that a later process of the agent must know of it. */
struct agent_record {
    uint64_t fence;
    uint32_t attempt;
    enum held_state state; /* HELD_DIED is never stored: a stored HELD_RUNNING is loaded as that */
    enum on_disconnect on_disconnect;
    bool once; /* a start and an end of it must be on the disk itself */
    int64_t kill_grace_ms;
    struct str name;
    struct str body;            /* an encoded TaskBody; empty once it was started */
    struct msg_finished result; /* if HELD_FINISHED */
};

/* What the engine must know of a task's body, which it cannot read itself. */
struct agent_terms {
    bool readable; /* false: the body is of a kind that this agent does not know */
    bool instant;  /* nothing exists that could be left over by a crash (noop): not journalled */
    bool once;     /* never to be run twice: always journalled, and to the disk */
    enum on_disconnect on_disconnect;
    int64_t kill_grace_ms;
};

enum agent_event_kind {
    AGENT_EVENT_CONNECTED,    /* the WebSocket is open */
    AGENT_EVENT_DISCONNECTED, /* the end of every dial, whether it ever opened or not */
    AGENT_EVENT_MESSAGE,
    AGENT_EVENT_MALFORMED,   /* bytes that are no message */
    AGENT_EVENT_STARTED,     /* the executor: the process exists */
    AGENT_EVENT_OUTPUT,      /* the executor: the spool has grown to this */
    AGENT_EVENT_ENDED,       /* the executor: nothing of it runs any more */
    AGENT_EVENT_SPOOL_SHORT, /* the spool has no more than `bytes` of what was to be sent */
    AGENT_EVENT_TICK,        /* once a turn, last: timers, starts, output */
    AGENT_EVENT_SHUTDOWN,    /* end in order; a second one: without the grace */
};

struct agent_event {
    enum agent_event_kind kind;
    int64_t now_ms; /* CLOCK_BOOTTIME */
    union {
        struct {
            bool refused; /* the daemon was there and does not want this agent (401, 403 …) */
        } disconnected;
        struct {
            const struct msg *msg;
            const struct agent_terms *terms; /* Assign only: one for each task */
        } message;
        struct {
            enum msg_error_code code;
            const char *reason;
        } malformed;
        struct {
            uint64_t fence;
            int64_t wall_ms;
        } started;
        struct {
            uint64_t fence;
            uint64_t stdout_bytes;
            uint64_t stderr_bytes;
        } output;
        const struct msg_finished
            *ended; /* its fence says which; the byte counts are the spool's */
        struct {
            uint64_t fence;
            enum stream stream;
            uint64_t bytes;
        } spool_short;
        struct {
            size_t send_room_bytes; /* of bulk that the connection will take in this turn */
        } tick;
    };
};

#endif
