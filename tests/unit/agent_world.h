/* The world of one agent's engine, scripted: what happens to it, and the effects of each turn as lines of
   text. After every turn the engine checks its invariants. */
#ifndef TESTS_UNIT_AGENT_WORLD_H
#define TESTS_UNIT_AGENT_WORLD_H

#include "agent/engine/agent_engine.h"

struct agent_world {
    struct agent_engine *engine;
    struct agent_effects effects;
    struct buf text;
    int64_t now_ms;
    size_t room;
    uint64_t session; /* of the last Welcome */
};

void world_begin(struct agent_world *world, unsigned slots);
/* With records of an earlier process. */
void world_begin_with(struct agent_world *world, unsigned slots, uint64_t session,
                      const struct agent_record *records, size_t count);
void world_end(struct agent_world *world);

void world_event(struct agent_world *world, struct agent_event event);
void world_message(struct agent_world *world, const struct msg *msg);
/* One task, executor run unless instant. */
void world_assign(struct agent_world *world, uint64_t fence);
void world_assign_as(struct agent_world *world, uint64_t fence, struct agent_terms terms);
void world_cancel(struct agent_world *world, uint64_t fence);
void world_ack(struct agent_world *world, uint64_t fence);
void world_ack_output(struct agent_world *world, uint64_t fence, enum stream stream,
                      uint64_t offset);
void world_started(struct agent_world *world, uint64_t fence);
void world_output(struct agent_world *world, uint64_t fence, uint64_t out, uint64_t err);
void world_exited(struct agent_world *world, uint64_t fence, int code);
void world_ended(struct agent_world *world, struct msg_finished end);
void world_connected(struct agent_world *world);
void world_disconnected(struct agent_world *world, bool refused);
/* lease 60 s, ping 20 s, the next session. */
void world_welcome(struct agent_world *world, const struct msg_verdict *verdicts, size_t count);

/* The tick and the end of the turn; what it asked for, one effect a line. */
const char *world_turn(struct agent_world *world);
#define WORLD_EXPECT(world, expected) assert_string_equal(world_turn(world), expected)
/* Dials, greets, is welcomed: a session with nothing held. */
void world_session(struct agent_world *world);
void world_pass(struct agent_world *world, int64_t ms);

#endif
