/* An agent's machine: boots, processes of the agent around agent_engine, its journal, its connection
   and what its executor runs. */
#ifndef TESTS_SIM_HOST_H
#define TESTS_SIM_HOST_H

#include "agent/engine/agent_engine.h"
#include "tests/sim/journal_twin.h"
#include "tests/sim/net.h"

struct world;

enum { HOST_NAME_BYTES = 24, HOST_LABELS = 2, HOST_SHORTS_MAX = 16 };

/* What an attempt runs as, and the spool that it leaves. */
struct process {
    uint64_t fence;
    bool alive;
    bool seen; /* the engine was told that it started */
    bool stopping;
    unsigned plan; /* counts plans for its end: an older one is not carried out */
    enum outcome outcome;
    int32_t exit_code;
    int32_t signal;
    char why[64];       /* it was stopped */
    int64_t started_ms; /* 0: not yet */
    int64_t end_ms;
    uint64_t planned[2]; /* bytes that each stream will have */
    uint64_t made[2];
    uint64_t spool[2]; /* of them still to be read: UINT64_MAX all */
};

struct host {
    unsigned index;
    char device[HOST_NAME_BYTES];
    char journal_id[HOST_NAME_BYTES];
    char boot_id[HOST_NAME_BYTES];
    uint32_t slots;
    struct msg_pair labels[HOST_LABELS];
    bool is_clone;   /* of another host's name */
    bool is_hostile; /* no engine: it says what it likes */
    bool retired;    /* never comes back */
    unsigned boots;
    unsigned lives; /* of the agent's process */
    int64_t boot_base_ms;
    int64_t wall_ms; /* its wall clock is so far off */

    bool up;
    struct agent_engine *engine;
    struct agent_effects effects;
    struct journal_twin journal;
    uint64_t link;
    bool closed_due;
    struct {
        uint64_t fence;
        enum stream stream;
        uint64_t bytes;
    } shorts[HOST_SHORTS_MAX];
    size_t shorts_count;
    struct inbox inbox;
    struct map processes; /* fence → struct process */
    int64_t turn_ms;      /* when the next turn is due; INT64_MAX: none is planned */
    int64_t paused_until_ms;
    int64_t cut_until_ms; /* no dial reaches anything */
    bool shutting_down;
};

struct host *host_new(struct world *world, unsigned index, const char *device);
void host_free(struct host *host);
void host_start(struct world *world, struct host *host);
/* kill -9; comes back after `down_ms`, -1: when somebody says so. */
void host_kill(struct world *world, struct host *host, int64_t down_ms);
void host_power_cut(struct world *world, struct host *host, int64_t down_ms);
void host_arrived(struct world *world, struct host *host); /* something is in its inbox */
int64_t host_boot_ms(const struct world *world, const struct host *host);
int64_t host_wall_ms(const struct world *world, const struct host *host);
/* The attempt is held: accepted, running with a living process, or finished, and not yet reported. */
bool host_holds(const struct host *host, uint64_t fence);

/* Its process is gone, in whatever way. */
void host_life_over(struct world *world, struct host *host, bool power, int64_t down_ms);
void host_plan_turn(struct world *world, struct host *host, int64_t at_ms);
void host_turn_due(struct world *world, uint64_t a, uint64_t b); /* host_turn.c */

/* process.c */
void process_start(struct world *world, struct host *host, const struct agent_record *record);
void process_stop(struct world *world, struct host *host, const struct agent_effect *effect);
void process_forget(struct host *host, uint64_t fence);
/* They die with their agent. */
void process_kill_all(struct world *world, struct host *host);
void process_step(struct world *world, struct host *host, const struct arrival *arrival);
struct process *process_find(const struct host *host, uint64_t fence);
/* What it puts out is known by where it stands, to everybody. */
void process_output(uint64_t fence, enum stream stream, uint64_t offset, size_t bytes,
                    struct buf *into);

/* hostile.c: connects, says what it should not. */
void hostile_begin(struct world *world, struct host *host);
void hostile_turn(struct world *world, struct host *host);

#endif
