/* The inside of the agent's engine, for its own files. Who assigns what: the state of an attempt only
   agent_attempt.c, that of the link only agent_link.c. */
#ifndef AGENT_ENGINE_AGENT_STATE_H
#define AGENT_ENGINE_AGENT_STATE_H

#include "agent/engine/agent_engine.h"
#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/rng.h"

struct agent_attempt;

/* Attempts are in the list of all, and in at most one of the queues. */
enum agent_link_kind { AGENT_IN_ALL, AGENT_IN_QUEUE, AGENT_IN_COUNT };
enum agent_queue { AGENT_QUEUE_NONE, AGENT_QUEUE_START, AGENT_QUEUE_OUTPUT };

struct agent_list {
    struct agent_attempt *head;
    struct agent_attempt *tail;
};

/* Output of one stream: acked ≤ sent ≤ total. sent and acked belong to the session. */
struct agent_stream {
    uint64_t total; /* in the spool */
    uint64_t sent;
    uint64_t acked;
};

struct agent_attempt {
    struct agent_record record;
    struct agent_stream stdout_stream;
    struct agent_stream stderr_stream;
    bool instant;
    bool journalled;   /* its row is there, or will be by the end of this turn */
    bool save_asked;   /* in this turn */
    bool touched;      /* in this turn: in the list engine->touched */
    bool spooled;      /* the executor may hold files of it */
    bool process_seen; /* the executor said started */
    int64_t started_wall_ms;
    bool started_told; /* Started was sent, or a Hello has said that it runs */
    bool offered;      /* in the Hello that waits for its Welcome */
    bool stopping;
    bool dropped;       /* the daemon has forgotten it; it is only waited for */
    bool finished_sent; /* in this session */
    bool gone;          /* out of everything; freed at the end of the turn */
    enum agent_queue queue;
    struct agent_attempt *next[AGENT_IN_COUNT];
    struct agent_attempt *previous[AGENT_IN_COUNT];
    struct agent_attempt *next_touched;
};

enum agent_link_state {
    AGENT_LINK_OFFLINE,  /* until dial_at_ms */
    AGENT_LINK_DIALLING, /* until limit_at_ms */
    AGENT_LINK_GREETED,  /* Hello is sent; until limit_at_ms */
    AGENT_LINK_READY,    /* Ready is sent */
    AGENT_LINK_CLOSING,  /* until limit_at_ms */
};

enum {
    AGENT_PINGS_KEPT = 8,
    AGENT_FORGOTTEN_KEPT = 1024, /* a power of two */
};

struct agent_link {
    enum agent_link_state state;
    int64_t dial_at_ms;
    int64_t limit_at_ms;
    bool closed_hard;
    unsigned failures; /* in a row: the exponent of the backoff */
    bool unwanted;     /* the daemon has refused us: dial at the slow end */
    int64_t ready_at_ms;
    int64_t hello_at_ms;
    int64_t lease_ms; /* as the Welcome said */
    int64_t ping_ms;
    int64_t ping_at_ms;
    bool ping_asked;  /* by a probe */
    uint64_t ping_id; /* of the last one sent */
    struct {
        uint64_t id; /* 0: none */
        int64_t sent_ms;
    } pings[AGENT_PINGS_KEPT];
    bool leased;
    int64_t lease_end_ms; /* outlives the connection */
};

struct agent_engine {
    struct msg_hello hello;
    char start_id[MSG_ID_BYTES_MAX]; /* what hello.receipt points to */
    char hmac[MSG_ID_BYTES_MAX];
    struct rng rng;
    struct agent_link link;
    struct map attempts;   /* by fence: all that are not gone */
    struct agent_list all; /* in the order of arrival */
    struct agent_list starts;
    struct agent_list outputs;
    struct agent_attempt *touched;
    struct agent_attempt *gone;  /* this turn's, by next[AGENT_IN_ALL] */
    struct agent_attempt *fresh; /* a free list, by next[AGENT_IN_ALL] */
    size_t fresh_count;
    size_t dropped;
    size_t slots_used; /* accepted and running, dropped ones too */
    size_t running;    /* of those, with something in the executor */
    size_t finished;
    /* Fences that were acknowledged or dropped: an Assign that comes twice must not run twice. */
    uint64_t forgotten[AGENT_FORGOTTEN_KEPT];
    unsigned shutdowns;
    bool farewell; /* Goodbye was sent, or there was nobody to say it to */
    uint64_t started_total;
    uint64_t ended_total;
};

/* agent_attempt.c */
struct agent_attempt *agent_attempt_new(struct agent_engine *engine, uint64_t fence);
/* The only writer of record.state; counts slots. Asks for the row to be saved where it must be. */
void agent_attempt_move(struct agent_engine *engine, struct agent_attempt *attempt,
                        enum held_state state, struct agent_effects *effects);
void agent_attempt_queue(struct agent_engine *engine, struct agent_attempt *attempt,
                         enum agent_queue queue);
/* The daemon will hear no more of it. What runs is waited for. */
void agent_attempt_drop(struct agent_engine *engine, struct agent_attempt *attempt,
                        struct agent_effects *effects);
/* Row, spool and memory, at the end of a turn. Nothing of it runs. */
void agent_attempt_remove(struct agent_engine *engine, struct agent_attempt *attempt,
                          struct agent_effects *effects);
struct agent_attempt *agent_attempt_find(const struct agent_engine *engine, uint64_t fence);
/* Copies what the result points to. */
void agent_attempt_finish(struct agent_engine *engine, struct agent_attempt *attempt,
                          const struct msg_finished *result, struct agent_effects *effects);
/* A result without a run, or without an end of its own. */
void agent_attempt_finish_as(struct agent_engine *engine, struct agent_attempt *attempt,
                             enum outcome outcome, int32_t signal, const char *reason,
                             struct agent_effects *effects);
bool agent_attempt_was_forgotten(const struct agent_engine *engine, uint64_t fence);
void agent_attempt_set_task(struct agent_attempt *attempt, struct str name, struct str body);
void agent_attempt_turn_end(struct agent_engine *engine);
void agent_attempt_free_all(struct agent_engine *engine);

/* agent_link.c */
void agent_link_connected(struct agent_engine *engine, int64_t now_ms,
                          struct agent_effects *effects);
void agent_link_disconnected(struct agent_engine *engine, const struct agent_event *event);
void agent_link_welcome(struct agent_engine *engine, int64_t now_ms,
                        const struct msg_welcome *welcome, struct agent_effects *effects);
void agent_link_pong(struct agent_engine *engine, const struct msg_pong *pong);
void agent_link_error(struct agent_engine *engine, int64_t now_ms, const struct msg_error *error,
                      struct agent_effects *effects);
void agent_link_tick(struct agent_engine *engine, int64_t now_ms, struct agent_effects *effects);
int64_t agent_link_deadline(const struct agent_engine *engine);
/* Tells the daemon what it did wrong and closes. */
void agent_link_refuse(struct agent_engine *engine, int64_t now_ms, enum msg_error_code code,
                       const char *reason, struct agent_effects *effects);
void agent_link_close(struct agent_engine *engine, int64_t now_ms, int code, const char *reason,
                      struct agent_effects *effects);
bool agent_link_is_ready(const struct agent_engine *engine);

/* agent_work.c */
void agent_work_assign(struct agent_engine *engine, const struct agent_event *event,
                       struct agent_effects *effects);
void agent_work_cancel(struct agent_engine *engine, const struct msg_cancel *cancel,
                       struct agent_effects *effects);
void agent_work_ack(struct agent_engine *engine, int64_t now_ms, const struct msg_ack *ack,
                    struct agent_effects *effects);
void agent_work_started(struct agent_engine *engine, uint64_t fence, int64_t wall_ms,
                        struct agent_effects *effects);
void agent_work_ended(struct agent_engine *engine, const struct msg_finished *end,
                      struct agent_effects *effects);
void agent_work_verdict(struct agent_engine *engine, struct agent_attempt *attempt,
                        const struct msg_verdict *verdict, struct agent_effects *effects);
void agent_work_lease_ended(struct agent_engine *engine, struct agent_effects *effects);
void agent_work_stop_all(struct agent_engine *engine, bool at_once, struct agent_effects *effects);
void agent_work_start_some(struct agent_engine *engine, struct agent_effects *effects);

/* agent_output.c */
/* What can be said of the attempt now is said, or queued if it is bulk. */
void agent_output_offer(struct agent_engine *engine, struct agent_attempt *attempt,
                        struct agent_effects *effects);
void agent_output_grown(struct agent_engine *engine, const struct agent_event *event,
                        struct agent_effects *effects);
void agent_output_short(struct agent_engine *engine, const struct agent_event *event);
void agent_output_acked(struct agent_engine *engine, const struct msg_ack_output *ack,
                        struct agent_effects *effects);
void agent_output_pump(struct agent_engine *engine, size_t room, struct agent_effects *effects);
void agent_output_rewind(struct agent_attempt *attempt, uint64_t stdout_offset,
                         uint64_t stderr_offset);
bool agent_output_is_sent(const struct agent_attempt *attempt);

/* agent_effect.c */
/* A zeroed message in the arena, to be sent. */
struct msg *agent_effects_send(struct agent_effects *effects, enum msg_kind kind);

const char *agent_link_state_name(enum agent_link_state state);

#endif
