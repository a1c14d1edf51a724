#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void world_begin_with(struct agent_world *world, unsigned slots, uint64_t session,
                      const struct agent_record *records, size_t count)
{
    *world =
        (struct agent_world){ .now_ms = 1000000, .room = (size_t)256 * 1024, .session = session };
    struct agent_engine_config config = { .seed = 1 };
    config.hello.device = STR("edge");
    config.hello.session = session;
    config.hello.profile.slots = slots;
    world->engine = agent_engine_new(&config);
    for (size_t i = 0; i < count; i++) {
        struct reason reason;
        assert_int_equal(agent_engine_load(world->engine, &records[i], &reason), ERR_NONE);
    }
    agent_engine_turn_end(world->engine);
}

void world_begin(struct agent_world *world, unsigned slots)
{
    world_begin_with(world, slots, 0, NULL, 0);
}

void world_end(struct agent_world *world)
{
    agent_engine_free(world->engine);
    agent_effects_done(&world->effects);
    buf_done(&world->text);
}

void world_event(struct agent_world *world, struct agent_event event)
{
    event.now_ms = world->now_ms;
    agent_engine_step(world->engine, &event, &world->effects);
}

void world_message(struct agent_world *world, const struct msg *msg)
{
    world_event(world, (struct agent_event){ .kind = AGENT_EVENT_MESSAGE, .message.msg = msg });
}

void world_assign_as(struct agent_world *world, uint64_t fence, struct agent_terms terms)
{
    struct msg_task task = {
        .fence = fence, .attempt = 1, .name = STR("c/t"), .body = STR("body")
    };
    struct msg msg = { .kind = MSG_ASSIGN, .assign = { &task, 1 } };
    world_event(world, (struct agent_event){ .kind = AGENT_EVENT_MESSAGE,
                                             .message = { .msg = &msg, .terms = &terms } });
}

void world_assign(struct agent_world *world, uint64_t fence)
{
    world_assign_as(world, fence, (struct agent_terms){ .readable = true, .kill_grace_ms = 5000 });
}

void world_cancel(struct agent_world *world, uint64_t fence)
{
    struct msg msg = { .kind = MSG_CANCEL,
                       .cancel = { .fences = &fence, .fences_count = 1, .reason = STR("by ann") } };
    world_message(world, &msg);
}

void world_ack(struct agent_world *world, uint64_t fence)
{
    struct msg msg = { .kind = MSG_ACK, .ack = { .finished = &fence, .finished_count = 1 } };
    world_message(world, &msg);
}

void world_ack_output(struct agent_world *world, uint64_t fence, enum stream stream,
                      uint64_t offset)
{
    struct msg_ack_output output = { fence, stream, offset };
    struct msg msg = { .kind = MSG_ACK, .ack = { .outputs = &output, .outputs_count = 1 } };
    world_message(world, &msg);
}

void world_started(struct agent_world *world, uint64_t fence)
{
    world_event(world, (struct agent_event){ .kind = AGENT_EVENT_STARTED,
                                             .started = { fence, 1700000000000 } });
}

void world_output(struct agent_world *world, uint64_t fence, uint64_t out, uint64_t err)
{
    world_event(world,
                (struct agent_event){ .kind = AGENT_EVENT_OUTPUT, .output = { fence, out, err } });
}

void world_ended(struct agent_world *world, struct msg_finished end)
{
    world_event(world, (struct agent_event){ .kind = AGENT_EVENT_ENDED, .ended = &end });
}

void world_exited(struct agent_world *world, uint64_t fence, int code)
{
    world_ended(world, (struct msg_finished){
                           .fence = fence, .outcome = OUTCOME_EXITED, .exit_code = code });
}

void world_connected(struct agent_world *world)
{
    world_event(world, (struct agent_event){ .kind = AGENT_EVENT_CONNECTED });
}

void world_disconnected(struct agent_world *world, bool refused)
{
    world_event(world, (struct agent_event){ .kind = AGENT_EVENT_DISCONNECTED,
                                             .disconnected.refused = refused });
}

void world_welcome(struct agent_world *world, const struct msg_verdict *verdicts, size_t count)
{
    struct msg msg = { .kind = MSG_WELCOME,
                       .welcome = { .session = ++world->session,
                                    .epoch = 1,
                                    .receipt = { .fence = 7, .start_id = STR("start") },
                                    .lease_ms = 60000,
                                    .ping_ms = 20000,
                                    .verdicts = verdicts,
                                    .verdicts_count = count } };
    world_message(world, &msg);
}

const char *world_turn(struct agent_world *world)
{
    world_event(world, (struct agent_event){ .kind = AGENT_EVENT_TICK,
                                             .tick.send_room_bytes = world->room });
    buf_clear(&world->text);
    for (size_t i = 0; i < world->effects.count; i++) {
        agent_effect_print(&world->effects.list[i], &world->text);
        buf_append_text(&world->text, "\n");
    }
    agent_effects_clear(&world->effects);
    agent_engine_turn_end(world->engine);
    struct reason reason = { "" };
    if (agent_engine_check(world->engine, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    return buf_text(&world->text);
}

void world_session(struct agent_world *world)
{
    while (world_turn(world)[0] != 'd') {
        world->now_ms = agent_engine_next_deadline(world->engine);
    }
    world_connected(world);
    world_turn(world);
    world_welcome(world, NULL, 0);
    world_turn(world);
}

void world_pass(struct agent_world *world, int64_t ms)
{
    world->now_ms += ms;
}
