/* The daemon put together: one thread, one loop, one turn at a time.

       frame → event (loop.c) → engine_step → one commit (turn.c) → send (release.c)

   Callbacks of the network enqueue; the turn works. */
#ifndef ORCHESTRATOR_LOOP_H
#define ORCHESTRATOR_LOOP_H

#include "common/net/nest.h"
#include "orchestrator/api/api.h"
#include "orchestrator/config.h"
#include "orchestrator/expiry.h"
#include "orchestrator/peer.h"
#include "orchestrator/spec/condition.h"

enum { TURN_SLICE_FIRST = 1024 };

struct loop {
    const struct daemon_config *config;
    struct nest *nest;
    struct nest_timer *timer;
    struct net *net;
    struct store *store;
    struct store_start start;
    struct engine *engine;
    struct condition_engine *conditions;
    struct api *api;
    struct peers peers;

    struct event *events; /* what has arrived since the last turn */
    size_t events_count;
    size_t events_capacity;
    struct arena arena; /* what they point to */
    struct effects effects;
    struct buf wire;
    uint32_t slice; /* rows of long work that the next turn takes on */
    bool woken;     /* a turn is due although no event has arrived */
    bool in_turn;
    bool stopping;
    enum err failed; /* of the store, outside a turn */
    struct reason failure;

    int64_t retain_boot_ms; /* when retention looks next */
    int64_t armed_boot_ms;
    struct expiry expiry;
    struct api_metrics metrics;
};

/* *ret_ran becomes true when it got as far as running: a failure after that is the store's. */
enum err loop_run(const struct daemon_config *config, bool *ret_ran, struct reason *reason);

struct moment loop_now(void);

/* turn.c: everything that has arrived, one transaction. A failure is the store's. */
enum err turn_run(struct loop *loop, struct reason *reason);

/* release.c: the outbound effects of a turn, after its commit. `bodies` has one text a EFFECT_ASSIGN. */
struct release_body {
    struct str name;
    struct str body;
};
void release_effects(struct loop *loop, const struct release_body *bodies);
enum err release_output_acks(struct loop *loop, struct reason *reason);

#endif
