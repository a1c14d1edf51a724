/* A turn of the agent's shell: what has arrived, the journal, then the rest of what its engine wishes. */
#include "common/base/mem.h"
#include "proto/wire.h"
#include "tests/sim/world.h"

static void step(struct world *world, struct host *host, struct agent_event *event)
{
    event->now_ms = host_boot_ms(world, host);
    agent_engine_step(host->engine, event, &host->effects);
}

static const struct agent_terms *read_terms(struct arena *arena, const struct msg_assign *assign)
{
    struct agent_terms *terms = arena_array(arena, assign->tasks_count, sizeof *terms);
    for (size_t i = 0; i < assign->tasks_count; i++) {
        struct msg_body body;
        if (wire_decode_body(assign->tasks[i].body, arena, &body, NULL) == ERR_NONE) {
            terms[i] = (struct agent_terms){ .readable = true,
                                             .instant = body.executor == EXECUTOR_NOOP,
                                             .once = body.once,
                                             .on_disconnect = body.on_disconnect,
                                             .kill_grace_ms = body.kill_grace_ms };
        }
    }
    return terms;
}

static void take_frame(struct world *world, struct host *host, const struct buf *bytes)
{
    struct str frame = { (const char *)bytes->data, bytes->length };
    struct arena arena = { 0 };
    for (size_t at = 0; at < frame.length;) {
        struct msg msg;
        struct reason reason = { "" };
        enum err err = wire_decode(frame, &at, &arena, &msg, &reason);
        if (err != ERR_NONE) {
            struct agent_event event = { .kind = AGENT_EVENT_MALFORMED };
            event.malformed.code = err == ERR_LIMIT ? MSG_ERROR_LIMIT : MSG_ERROR_PROTOCOL;
            event.malformed.reason = reason.text;
            step(world, host, &event);
            break;
        }
        struct agent_event event = { .kind = AGENT_EVENT_MESSAGE };
        event.message.msg = &msg;
        if (msg.kind == MSG_ASSIGN) {
            event.message.terms = read_terms(&arena, &msg.assign);
        }
        promise_host_heard(world, host, &msg);
        step(world, host, &event);
    }
    arena_done(&arena);
}

static void take_arrival(struct world *world, struct host *host, struct arrival *arrival)
{
    bool is_news = arrival->kind == ARRIVAL_OPENED || arrival->kind == ARRIVAL_FRAME ||
                   arrival->kind == ARRIVAL_CLOSED || arrival->kind == ARRIVAL_REFUSED;
    if (is_news && arrival->link != host->link) {
        return; /* of a connection that was given up */
    }
    switch (arrival->kind) {
    case ARRIVAL_OPENED:
        step(world, host, &(struct agent_event){ .kind = AGENT_EVENT_CONNECTED });
        break;
    case ARRIVAL_FRAME:
        take_frame(world, host, &arrival->frame);
        break;
    case ARRIVAL_CLOSED:
    case ARRIVAL_REFUSED:
        host->link = 0;
        step(world, host,
             &(struct agent_event){ .kind = AGENT_EVENT_DISCONNECTED,
                                    .disconnected.refused = arrival->kind == ARRIVAL_REFUSED });
        break;
    case ARRIVAL_STARTED:
    case ARRIVAL_OUTPUT:
    case ARRIVAL_ENDED:
        process_step(world, host, arrival);
        break;
    case ARRIVAL_SHUTDOWN:
        host->shutting_down = true;
        step(world, host, &(struct agent_event){ .kind = AGENT_EVENT_SHUTDOWN });
        break;
    case ARRIVAL_SUBMIT:
    case ARRIVAL_CANCEL:
    case ARRIVAL_WISH:
        check_failed("this is for the daemon", __FILE__, __LINE__);
    }
}

static void take_leftovers(struct world *world, struct host *host)
{
    if (host->closed_due) {
        host->closed_due = false;
        step(world, host, &(struct agent_event){ .kind = AGENT_EVENT_DISCONNECTED });
    }
    for (size_t i = 0; i < host->shorts_count; i++) {
        struct agent_event event = { .kind = AGENT_EVENT_SPOOL_SHORT };
        event.spool_short.fence = host->shorts[i].fence;
        event.spool_short.stream = host->shorts[i].stream;
        event.spool_short.bytes = host->shorts[i].bytes;
        step(world, host, &event);
    }
    host->shorts_count = 0;
}

static void say(struct world *world, struct host *host, struct buf *out, const struct msg *msg)
{
    struct reason reason = { "" };
    promise_host_saying(world, host, msg);
    if (wire_encode(msg, out, &reason) != ERR_NONE) {
        promise_broken(world, "P8", "host %u cannot say %s: %s", host->index,
                       msg_kind_name(msg->kind), reason.text);
    }
    if (percent(world, 40)) {
        net_send(world, host->link, SIDE_HOST,
                 (struct str){ (const char *)out->data, out->length });
        buf_clear(out);
    }
}

/* Of one stream; of any, if it is 0. */
static bool is_short(const struct host *host, uint64_t fence, enum stream stream)
{
    for (size_t i = 0; i < host->shorts_count; i++) {
        if (host->shorts[i].fence == fence && (stream == 0 || host->shorts[i].stream == stream)) {
            return true;
        }
    }
    return false;
}

static void send_output(struct world *world, struct host *host, struct buf *out,
                        const struct agent_effect *effect)
{
    uint64_t fence = effect->output.fence;
    enum stream stream = effect->output.stream;
    struct process *process = process_find(host, fence);
    if (is_short(host, fence, stream)) {
        return;
    }
    uint64_t there = 0;
    if (process != NULL) {
        uint64_t *limit = &process->spool[stream == STREAM_STDERR];
        if (fault_strikes(world, FAULT_SPOOL_SHORT)) {
            *limit = effect->output.offset + effect->output.bytes / 2;
            promise_spool_cut(world, fence);
        }
        there = process->made[stream == STREAM_STDERR];
        there = there < *limit ? there : *limit;
    }
    uint64_t end = effect->output.offset + effect->output.bytes;
    end = end < there ? end : there;
    size_t bytes = end > effect->output.offset ? (size_t)(end - effect->output.offset) : 0;
    struct buf data = { 0 };
    if (bytes > 0) {
        process_output(fence, stream, effect->output.offset, bytes, &data);
        struct msg msg = { .kind = MSG_OUTPUT };
        msg.output = (struct msg_output){ .fence = fence,
                                          .stream = stream,
                                          .offset = effect->output.offset,
                                          .data = { (const char *)data.data, data.length } };
        say(world, host, out, &msg);
    }
    buf_done(&data);
    if (bytes < effect->output.bytes && host->shorts_count < HOST_SHORTS_MAX) {
        host->shorts[host->shorts_count].fence = fence;
        host->shorts[host->shorts_count].stream = stream;
        host->shorts[host->shorts_count++].bytes = effect->output.offset + bytes;
    }
}

static void close_link(struct world *world, struct host *host, bool hard)
{
    net_close(world, host->link, SIDE_HOST);
    if (hard) {
        host->link = 0;
        host->closed_due = true;
    }
}

static void carry_out(struct world *world, struct host *host, struct buf *out,
                      const struct agent_effect *effect)
{
    switch (effect->kind) {
    case AGENT_EFFECT_SAVE_SESSION:
    case AGENT_EFFECT_SAVE:
    case AGENT_EFFECT_REMOVE:
        break; /* with the commit */
    case AGENT_EFFECT_DIAL:
        host->link = net_dial(world, host);
        TRACE(world, "host % dials: connection %", host->index, host->link);
        break;
    case AGENT_EFFECT_SEND:
        if (effect->msg->kind != MSG_FINISHED || !is_short(host, effect->msg->finished.fence, 0)) {
            say(world, host, out, effect->msg);
        }
        break;
    case AGENT_EFFECT_SEND_OUTPUT:
        send_output(world, host, out, effect);
        break;
    case AGENT_EFFECT_CLOSE:
        net_send(world, host->link, SIDE_HOST,
                 (struct str){ (const char *)out->data, out->length });
        buf_clear(out);
        TRACE(world, "host % closes connection %", host->index, host->link);
        close_link(world, host, effect->close.hard);
        break;
    case AGENT_EFFECT_START:
        process_start(world, host, effect->record);
        break;
    case AGENT_EFFECT_STOP:
        process_stop(world, host, effect);
        break;
    case AGENT_EFFECT_FORGET:
        process_forget(host, effect->fence);
        break;
    }
}

/* False: the agent died on the way. */
static bool release(struct world *world, struct host *host)
{
    struct buf out = { 0 };
    size_t end = host->effects.count;
    bool dies = end > 0 && fault_strikes(world, FAULT_HOST_BETWEEN_EFFECTS);
    if (dies) {
        end = chance(world, end);
    }
    for (size_t i = 0; i < end; i++) {
        carry_out(world, host, &out, &host->effects.list[i]);
    }
    net_send(world, host->link, SIDE_HOST, (struct str){ (const char *)out.data, out.length });
    buf_done(&out);
    if (dies) {
        host_kill(world, host, between(world, 0, 3000));
    }
    return !dies;
}

static void plan_next(struct world *world, struct host *host)
{
    int64_t deadline_ms = agent_engine_next_deadline(host->engine);
    bool due = host->closed_due || host->shorts_count > 0 || host->inbox.count > 0 ||
               deadline_ms <= host_boot_ms(world, host);
    if (due) {
        host_plan_turn(world, host, world->now_ms + between(world, 0, 1));
    } else if (deadline_ms != INT64_MAX) {
        host_plan_turn(world, host, deadline_ms + host->boot_base_ms);
    }
}

static void turn(struct world *world, struct host *host)
{
    take_leftovers(world, host);
    size_t count = percent(world, 80) ? host->inbox.count : chance(world, host->inbox.count + 1);
    for (size_t i = 0; i < count; i++) {
        struct arrival *arrival = inbox_take(&host->inbox);
        take_arrival(world, host, arrival);
        arrival_free(arrival);
    }
    struct agent_event tick = { .kind = AGENT_EVENT_TICK };
    tick.tick.send_room_bytes = percent(world, 90) ? 256 * 1024 : chance(world, 4096);
    step(world, host, &tick);
    if (fault_strikes(world, FAULT_HOST_BEFORE_COMMIT)) {
        host_kill(world, host, between(world, 0, 3000));
        return;
    }
    journal_twin_commit(&host->journal, &host->effects,
                        world->options.sabotage == SABOTAGE_FORGET_SYNC);
    promise_host_committed(world, host, &host->effects);
    if (fault_strikes(world, FAULT_HOST_AFTER_COMMIT)) {
        host_kill(world, host, between(world, 0, 3000));
        return;
    }
    if (!release(world, host)) {
        return;
    }
    agent_effects_clear(&host->effects);
    agent_engine_turn_end(host->engine);
    struct reason reason = { "" };
    if (agent_engine_check(host->engine, &reason) != ERR_NONE) {
        promise_broken(world, "the agent's engine", "host %u: %s", host->index, reason.text);
    }
    if (agent_engine_is_done(host->engine)) {
        TRACE(world, "host % has ended in order", host->index);
        host_life_over(world, host, false, between(world, 0, 5000));
        return;
    }
    plan_next(world, host);
}

void host_turn_due(struct world *world, uint64_t a, uint64_t b)
{
    struct host *host = world->hosts[a];
    if (!host->up || host->lives != b || host->turn_ms != world->now_ms) {
        return;
    }
    host->turn_ms = INT64_MAX;
    if (host->is_hostile) {
        hostile_turn(world, host);
    } else if (world->now_ms < host->paused_until_ms) {
        host_plan_turn(world, host, host->paused_until_ms);
    } else {
        turn(world, host);
    }
}
