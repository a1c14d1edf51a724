/* Sessions: what an agent says, who may say it, and what both sides know after a reconnect. */
#include "common/base/mem.h"
#include "orchestrator/engine/model.h"

/* Reports that no longer count are told of this often a device; all are counted. */
static const int64_t STALE_NOTED_EVERY_MS = 1000;

void session_close(struct engine *engine, struct device *device, enum msg_error_code code,
                   struct str why)
{
    uint64_t channel = device->channel;
    engine->refused_channel = channel;
    struct effect *effect = effects_add(engine->effects, EFFECT_CLOSE);
    effect->close.channel = channel;
    effect->close.code = code;
    effect->close.reason = arena_str(&engine->effects->arena, why);
    session_channel_closed(engine, channel, why);
}

void session_channel_closed(struct engine *engine, uint64_t channel, struct str why)
{
    struct device *device = map_remove(&engine->channels, channel);
    if (device == NULL) {
        newcomer_channel_closed(engine, channel);
        return; /* it never said who it was, or we closed it ourselves */
    }
    device->channel = 0;
    device->ready = false;
    device->probed_boot_ms = 0;
    device->acks_count = 0;
    placement_device_changed(engine, device);
    fleet_arm(engine, device);
    struct history *history = engine_history(engine, HISTORY_DEVICE_DISCONNECTED);
    history->device_id = device->record.id;
    history->text = arena_str(&engine->effects->arena, why);
    newcomer_admit(engine, device); /* the name is free now */
}

void session_refuse(struct engine *engine, uint64_t channel, enum msg_error_code code,
                    struct str name, const char *why)
{
    struct str text = engine_text(engine, "%s", why);
    engine->refused_channel = channel;
    struct effect *effect = effects_add(engine->effects, EFFECT_CLOSE);
    effect->close.channel = channel;
    effect->close.code = code;
    effect->close.reason = text;
    struct history *history = engine_history(engine, HISTORY_DEVICE_REFUSED);
    history->text = engine_text(engine, "%.*s: %s", STR_ARG(name), why);
}

static void session_ack(struct engine *engine, struct device *device, uint64_t fence)
{
    if (device->channel == 0) {
        return; /* it will ask again in its next Hello */
    }
    if (device->acks_count == device->acks_capacity) {
        device->acks_capacity = device->acks_capacity == 0 ? 16 : device->acks_capacity * 2;
        device->acks = mem_resize(device->acks, device->acks_capacity * sizeof device->acks[0]);
    }
    device->acks[device->acks_count++] = fence;
    if (!device->acks_queued) {
        device->acks_queued = true;
        device->acks_next = engine->acks_first;
        engine->acks_first = device;
    }
}

void session_flush_acks(struct engine *engine)
{
    while (engine->acks_first != NULL) {
        struct device *device = engine->acks_first;
        engine->acks_first = device->acks_next;
        device->acks_queued = false;
        for (size_t from = 0; from < device->acks_count; from += MSG_BATCH_MAX) {
            size_t count = device->acks_count - from;
            count = count > MSG_BATCH_MAX ? MSG_BATCH_MAX : count;
            struct msg *msg = engine_send(engine, device->channel, MSG_ACK);
            msg->ack.finished = (const uint64_t *)(const void *)arena_copy(
                &engine->effects->arena, device->acks + from, count * sizeof device->acks[0]);
            msg->ack.finished_count = count;
        }
        device->acks_count = 0;
    }
}

/* True if the newcomer may have the name now; else it is held until the incumbent has been asked. A
   newer process of the same agent takes over at once; the same process may have a half-open connection
   behind it, and a machine with another journal may be an impostor or a clone: both wait. */
static bool settle_incumbent(struct engine *engine, const struct event *event,
                             struct device *device)
{
    const struct msg_hello *hello = &event->message.msg->hello;
    bool same_journal = str_equal(device->record.journal_id, hello->journal_id);
    bool same_process = same_journal && device->record.process_id == hello->process_id &&
                        str_equal(device->record.boot_id, hello->boot_id);
    if (same_journal && !same_process) {
        newcomer_refuse(engine, device, "a newer process of the agent has connected");
        session_close(engine, device, MSG_ERROR_DISPLACED,
                      STR("the agent was started again and has connected anew"));
        return true;
    }
    if (!same_journal) {
        fleet_contested(engine, device);
    }
    newcomer_hold(engine, device, event->message.channel, hello);
    if (device->probed_boot_ms == 0) {
        device->probed_boot_ms = engine->now.boot_ms;
        engine_send(engine, device->channel, MSG_PONG)->pong.probe = true;
        fleet_arm(engine, device);
    }
    return false;
}

static struct device *admit(struct engine *engine, const struct event *event)
{
    const struct msg_hello *hello = &event->message.msg->hello;
    struct str bound = event->message.bound_device;
    uint64_t channel = event->message.channel;
    if (bound.length > 0 && !str_equal(bound, hello->device)) {
        session_refuse(engine, channel, MSG_ERROR_IDENTITY, hello->device,
                       "the token is for another device");
        return NULL;
    }
    struct device *device = fleet_find(engine, hello->device);
    if (event->message.receipt_is_ahead) {
        if (!engine->blocked) {
            engine->blocked = true;
            for (size_t i = 0; i < engine->devices_count; i++) {
                placement_device_changed(engine, engine->devices_list[i]);
            }
        }
        struct history *history = engine_history(engine, HISTORY_RESTORE_BLOCKED);
        history->device_id = device == NULL ? 0 : device->record.id;
        history->text = engine_text(engine, "%.*s holds a receipt that is ahead of this database",
                                    STR_ARG(hello->device));
        session_refuse(
            engine, channel, MSG_ERROR_RECEIPT, hello->device,
            "this database is older than what it had promised: it was restored or copied");
        return NULL;
    }
    if (device != NULL) {
        if (device->channel != 0 && !settle_incumbent(engine, event, device)) {
            return NULL;
        }
        return device;
    }
    if (engine->devices_count == ENGINE_DEVICES_MAX) {
        session_refuse(engine, channel, MSG_ERROR_OVERLOAD, hello->device,
                       "too many devices are known");
        return NULL;
    }
    struct device_record record = {
        .id = engine->next_device_id,
        .name = hello->device,
        .journal_id = hello->journal_id,
        .boot_id = hello->boot_id,
        .agent_version = hello->agent_version,
        .profile = hello->profile,
    };
    return fleet_add(engine, &record);
}

static bool hello_holds(const struct msg_hello *hello, uint64_t fence)
{
    for (size_t i = 0; i < hello->held_count; i++) {
        if (hello->held[i].fence == fence) {
            return true;
        }
    }
    return false;
}

/* Its start and its result are on the agent's disk before they are true: a power cut takes nothing. */
static bool is_once(const struct task *task)
{
    return task != NULL && task->policy->record.plan.effect == TASK_ONCE;
}

/* An attempt that the agent does not hold. It never started if the agent's books are those that it was
   written into, and it had not been acknowledged by them (see proto/README.md, "Absence is proof"). */
static void settle_absent(struct engine *engine, struct device *device,
                          const struct msg_hello *hello, bool same_books, bool same_boot)
{
    struct attempt *attempt = device->attempts;
    while (attempt != NULL) {
        struct attempt *next = attempt->next;
        if (!hello_holds(hello, attempt->record.fence)) {
            struct task *task = attempt->task;
            bool never_started = same_books && (same_boot || is_once(task)) &&
                                 hello->session >= attempt->record.session;
            if (task == NULL) {
                attempt_free(engine, attempt);
            } else if (attempt->record.state == ATTEMPT_LOST) {
                attempt_detach(engine, attempt);
                if (never_started) {
                    task_proven_unstarted(engine, task);
                }
            } else if (never_started) {
                attempt_lose(engine, attempt, LOSS_NEVER_STARTED, "it never reached the agent");
            } else {
                attempt_lose(engine, attempt, LOSS_DIED,
                             same_boot ? "the agent's journal does not know it"
                                       : "the machine was restarted");
            }
        }
        attempt = next;
    }
}

static void note_stale(struct engine *engine, struct device *device, uint64_t fence)
{
    engine->stats.stale_total++;
    if (engine->now.boot_ms - device->stale_noted_boot_ms < STALE_NOTED_EVERY_MS) {
        return; /* counted; one a second is enough to tell */
    }
    device->stale_noted_boot_ms = engine->now.boot_ms;
    struct history *history = engine_history(engine, HISTORY_ATTEMPT_STALE);
    history->device_id = device->record.id;
    history->fence = fence;
}

static enum verdict judge(struct engine *engine, struct device *device, const struct msg_held *held,
                          bool same_boot)
{
    struct attempt *attempt = attempt_of(engine, device, held->fence);
    if (attempt == NULL) {
        note_stale(engine, device, held->fence);
        /* One that an agent calls accepted may be about to run, or be stopped already. Whatever it is, and
           whoever else claims it: the agent has no room for another until it has ended. */
        if (held->state != HELD_RUNNING && held->state != HELD_ACCEPTED) {
            return VERDICT_DROP;
        }
        attempt_new_stray(engine, device, held->fence, NULL);
        return VERDICT_CANCEL;
    }
    if (attempt->is_stray && held->state == HELD_DIED) {
        attempt_free(engine, attempt);
        return VERDICT_DROP;
    }
    if (attempt->is_stray) {
        return VERDICT_CANCEL;
    }
    /* What was accepted before the machine was restarted may have begun: not every row of the journal
       outlives that. */
    if (held->state == HELD_DIED ||
        (held->state == HELD_ACCEPTED && !same_boot && !is_once(attempt->task))) {
        if (attempt->record.state == ATTEMPT_LOST) {
            attempt_detach(engine, attempt);
        } else {
            attempt_lose(engine, attempt, LOSS_DIED, "the agent was restarted while it ran");
        }
        return VERDICT_DROP;
    }
    if (held->state == HELD_FINISHED) {
        if (attempt->record.state == ATTEMPT_LOST) {
            attempt_adopt(engine, attempt, true); /* or the task would be assigned anew meanwhile */
        }
        return VERDICT_KEEP; /* its Finished follows */
    }
    attempt_adopt(engine, attempt, held->state == HELD_RUNNING);
    return attempt->record.stop_wanted ? VERDICT_CANCEL : VERDICT_KEEP;
}

static void welcome(struct engine *engine, struct device *device, const struct msg_hello *hello,
                    bool same_boot)
{
    struct arena *arena = &engine->effects->arena;
    struct msg_verdict *verdicts = arena_array(arena, hello->held_count, sizeof *verdicts);
    for (size_t i = 0; i < hello->held_count; i++) {
        verdicts[i].fence = hello->held[i].fence;
        verdicts[i].verdict = judge(engine, device, &hello->held[i], same_boot);
        const struct attempt *attempt = attempt_of(engine, device, hello->held[i].fence);
        if (attempt != NULL) {
            verdicts[i].stdout_offset = attempt->record.stdout_bytes;
            verdicts[i].stderr_offset = attempt->record.stderr_bytes;
        }
    }
    struct msg *msg = engine_send(engine, device->channel, MSG_WELCOME);
    msg->welcome = (struct msg_welcome){
        .session = device->record.session,
        .epoch = engine->config.epoch,
        /* The shell adds its start id and signs. */
        .receipt = { .epoch = engine->config.epoch, .fence = engine->fence },
        .lease_ms = engine->config.lease_ms,
        .ping_ms = engine->config.ping_ms,
        .verdicts = verdicts,
        .verdicts_count = hello->held_count,
    };
}

void session_begin(struct engine *engine, struct device *device, uint64_t channel,
                   const struct msg_hello *hello)
{
    bool same_books = str_equal(device->record.journal_id, hello->journal_id);
    bool same_boot = str_equal(device->record.boot_id, hello->boot_id);
    settle_absent(engine, device, hello, same_books, same_boot);
    device->channel = channel;
    device->ready = false;
    device->pinged_boot_ms = engine->now.boot_ms;
    device->probed_boot_ms = 0;
    device->record.session = ++engine->session;
    device->record.fence = engine->fence;
    device->record.connected_wall_ms = engine->now.wall_ms;
    map_put(&engine->channels, device->channel, device);
    fleet_update(engine, device, hello);
    fleet_save(engine, device);
    welcome(engine, device, hello, same_boot);
    fleet_arm(engine, device);
    struct history *history = engine_history(engine, HISTORY_DEVICE_CONNECTED);
    history->device_id = device->record.id;
    history->number = (int64_t)device->record.session;
}

static void hello(struct engine *engine, const struct event *event)
{
    const struct msg_hello *hello = &event->message.msg->hello;
    if (newcomer_channel_closed(engine, event->message.channel)) {
        session_refuse(engine, event->message.channel, MSG_ERROR_PROTOCOL, hello->device,
                       "a second Hello");
        return;
    }
    if (map_get(&engine->channels, event->message.channel) != NULL) {
        session_close(engine, map_get(&engine->channels, event->message.channel),
                      MSG_ERROR_PROTOCOL, STR("a second Hello"));
        return;
    }
    struct device *device = admit(engine, event);
    if (device == NULL) {
        return;
    }
    session_begin(engine, device, event->message.channel, hello);
}

static void started(struct engine *engine, struct device *device, const struct msg_started *msg)
{
    struct attempt *attempt = attempt_of(engine, device, msg->fence);
    if (attempt == NULL || attempt->task == NULL) {
        note_stale(engine, device, msg->fence);
        return;
    }
    attempt->record.started_wall_ms = msg->wall_ms;
    if (attempt->record.state == ATTEMPT_SENT) {
        attempt_move(engine, attempt, ATTEMPT_RUNNING);
    } else {
        attempt_save(engine, attempt);
    }
    if (attempt->task->record.state != TASK_ASSIGNED) {
        return;
    }
    task_move(engine, attempt->task, TASK_RUNNING);
    struct history *history = engine_history(engine, HISTORY_TASK_STARTED);
    history->constellation_id = attempt->record.constellation_id;
    history->task_id = attempt->record.task_id;
    history->device_id = device->record.id;
    history->fence = msg->fence;
}

static void output(struct engine *engine, struct device *device, const struct msg_output *msg)
{
    struct attempt *attempt = attempt_of(engine, device, msg->fence);
    if (attempt == NULL || attempt->task == NULL) {
        /* Nobody wants it; but the agent must get on to the end of it. */
        struct msg_ack_output *ack = arena_alloc(&engine->effects->arena, sizeof *ack);
        *ack = (struct msg_ack_output){ msg->fence, msg->stream, msg->offset + msg->data.length };
        struct msg *answer = engine_send(engine, device->channel, MSG_ACK);
        answer->ack.outputs = ack;
        answer->ack.outputs_count = 1;
        return;
    }
    uint64_t *have = msg->stream == STREAM_STDOUT ? &attempt->record.stdout_bytes
                                                  : &attempt->record.stderr_bytes;
    if (msg->offset != *have) {
        session_close(engine, device, MSG_ERROR_PROTOCOL, STR("output with a gap or an overlap"));
        return;
    }
    uint64_t limit = (uint64_t)attempt->task->policy->record.plan.output_bytes_max;
    if (msg->data.length > limit || *have > limit - msg->data.length) {
        session_close(engine, device, MSG_ERROR_LIMIT, STR("more output than the task may have"));
        return;
    }
    struct effect *effect = effects_add(engine->effects, EFFECT_OUTPUT);
    effect->output.fence = msg->fence;
    effect->output.stream = msg->stream;
    effect->output.offset = msg->offset;
    effect->output.data = msg->data;
    *have += msg->data.length;
    attempt_save(engine, attempt);
}

static void finished(struct engine *engine, struct device *device, const struct msg_finished *msg)
{
    struct attempt *attempt = attempt_of(engine, device, msg->fence);
    session_ack(engine, device, msg->fence);
    if (attempt == NULL) {
        note_stale(engine, device, msg->fence);
        return;
    }
    if (attempt->task != NULL && (msg->stdout_bytes != attempt->record.stdout_bytes ||
                                  msg->stderr_bytes != attempt->record.stderr_bytes)) {
        session_close(engine, device, MSG_ERROR_PROTOCOL, STR("a result before all of its output"));
        return;
    }
    if (attempt->task == NULL) {
        note_stale(engine, device, msg->fence);
    } else if (attempt->record.state == ATTEMPT_LOST) {
        attempt_adopt(engine, attempt, true);
    }
    attempt_end(engine, attempt, msg);
}

void session_message(struct engine *engine, const struct event *event)
{
    const struct msg *msg = event->message.msg;
    if (msg->kind == MSG_HELLO) {
        hello(engine, event);
        return;
    }
    struct device *device = map_get(&engine->channels, event->message.channel);
    if (device == NULL && event->message.channel == engine->refused_channel) {
        return; /* the rest of a frame that was refused */
    }
    if (device == NULL) {
        newcomer_channel_closed(engine, event->message.channel);
        session_refuse(engine, event->message.channel, MSG_ERROR_PROTOCOL, STR("?"),
                       "a message before Welcome");
        return;
    }
    switch (msg->kind) {
    case MSG_READY:
        if (msg->ready.session == device->record.session && !device->ready) {
            device->ready = true;
            placement_device_changed(engine, device);
        }
        break;
    case MSG_PING:
        device->pinged_boot_ms = engine->now.boot_ms;
        device->probed_boot_ms = 0;
        newcomer_refuse(engine, device, "this device is live on another connection");
        engine_send(engine, device->channel, MSG_PONG)->pong.id = msg->ping.id;
        fleet_arm(engine, device);
        break;
    case MSG_STARTED:
        started(engine, device, &msg->started);
        break;
    case MSG_OUTPUT:
        output(engine, device, &msg->output);
        break;
    case MSG_FINISHED:
        finished(engine, device, &msg->finished);
        break;
    case MSG_ERROR:
        session_close(engine, device, MSG_ERROR_PROTOCOL, msg->error.reason);
        break;
    case MSG_GOODBYE:
        session_channel_closed(engine, event->message.channel, msg->goodbye.reason);
        break;
    case MSG_NONE:
        break; /* of a newer version: ignored */
    case MSG_HELLO:
    case MSG_WELCOME:
    case MSG_PONG:
    case MSG_ASSIGN:
    case MSG_ACK:
    case MSG_CANCEL:
        session_close(
            engine, device, MSG_ERROR_PROTOCOL,
            engine_text(engine, "%s is not for an agent to send", msg_kind_name(msg->kind)));
        break;
    }
}
