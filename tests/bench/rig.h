/* The engine alone, in this process: what it wishes for is thrown away, but for the ids. No store, no
   network: what is left is what the graph itself costs. */
#ifndef TESTS_BENCH_RIG_H
#define TESTS_BENCH_RIG_H

#include "common/base/map.h"
#include "orchestrator/engine/engine.h"

struct rig {
    struct engine *engine;
    struct effects effects;
    struct moment now;
    int64_t constellation_id;
    enum err reply;
    double turn_s; /* of the last turn */
    double longest_turn_s;
    uint64_t *fences; /* that were assigned and have not been taken from here */
    size_t fences_count;
    size_t fences_capacity;
    bool finished; /* a constellation has ended */
    bool keeps_ids;
    int64_t *task_ids; /* in the order in which they were added, if they are kept */
    size_t task_ids_count;
    size_t task_ids_capacity;
    struct map edge_ids; /* from id << 32 | to id → id, likewise */
};

struct rig *rig_new(bool keeps_ids);
void rig_free(struct rig *rig);
/* One turn with this event (NULL: none); its time is of the engine's steps alone. */
void rig_turn(struct rig *rig, struct event *event);
void rig_settle(struct rig *rig); /* until no work is left */
/* Takes the plan in; it is constellation_id from then on. */
void rig_submit(struct rig *rig, const struct plan *plan);
void rig_edit(struct rig *rig, struct edit *edit); /* it must be accepted */
/* A device with channel 1; and one that comes back with what it has. */
void rig_connect(struct rig *rig, uint32_t slots);
void rig_return(struct rig *rig, uint32_t slots, const struct msg_held *held, size_t held_count);
void rig_finish(struct rig *rig, uint64_t fence); /* exit code 0 */

extern const struct plan_class rig_class; /* no-op tasks */
extern const struct plan_class rig_gate;
extern const struct plan_policy rig_policy;

#endif
