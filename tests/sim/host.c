#include "tests/sim/host.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "proto/wire.h"
#include "tests/sim/world.h"

static void turn_due(struct world *world, uint64_t a, uint64_t b);

static void plan_turn(struct world *world, struct host *host, int64_t at_ms)
{
    if (at_ms < host->turn_ms) {
        host->turn_ms = at_ms;
        world_after(world, at_ms - world->now_ms, turn_due, host->index, host->lives);
    }
}

struct host *host_new(struct world *world, unsigned index, const char *device)
{
    static const char *const roles[] = { "a", "b", "c" };
    static const char *const zones[] = { "x", "y", "z" };
    struct host *host = mem_alloc(sizeof *host);
    host->index = index;
    snprintf(host->device, sizeof host->device, "%s", device);
    snprintf(host->journal_id, sizeof host->journal_id, "journal-%u", index);
    host->slots = (uint32_t)between(world, 1, 6);
    host->labels[0] =
        (struct msg_pair){ STR("role"), str_of(roles[index < 2 ? index : chance(world, 3)]) };
    host->labels[1] =
        (struct msg_pair){ STR("zone"), str_of(zones[index == 0 ? 0 : chance(world, 3)]) };
    host->turn_ms = INT64_MAX;
    host->boots = 1;
    host->boot_base_ms = world->now_ms - between(world, 1000, 100000);
    return host;
}

static void processes_free(struct host *host)
{
    size_t at = 0;
    uint64_t fence = 0;
    void *process = NULL;
    while (map_each(&host->processes, &at, &fence, &process)) {
        mem_free(process);
    }
    map_done(&host->processes);
    host->processes = (struct map){ 0 };
}

static void life_end(struct host *host)
{
    host->up = false;
    agent_engine_free(host->engine);
    host->engine = NULL;
    agent_effects_done(&host->effects);
    inbox_clear(&host->inbox);
    host->turn_ms = INT64_MAX;
    host->closed_due = false;
    host->shorts_count = 0;
    host->shutting_down = false;
    host->paused_until_ms = 0;
}

void host_free(struct host *host)
{
    life_end(host);
    processes_free(host);
    journal_twin_done(&host->journal);
    mem_free(host);
}

int64_t host_boot_ms(const struct world *world, const struct host *host)
{
    return world->now_ms - host->boot_base_ms;
}

int64_t host_wall_ms(const struct world *world, const struct host *host)
{
    return WORLD_WALL_MS + world->now_ms + host->wall_ms;
}

void host_arrived(struct world *world, struct host *host)
{
    plan_turn(world, host, world->now_ms + between(world, 0, 3));
}

bool host_holds(const struct host *host, uint64_t fence)
{
    const struct agent_record *row = journal_twin_get(&host->journal, fence);
    return process_find(host, fence) != NULL ? true : row != NULL && row->state != HELD_RUNNING;
}

/* --- Lives of the agent's process --- */

/* The executor keeps no files but those of attempts that the journal knows. */
static void forget_others(struct host *host)
{
    uint64_t fences[MSG_HELD_MAX];
    size_t count = 0;
    size_t at = 0;
    uint64_t fence = 0;
    void *process = NULL;
    while (map_each(&host->processes, &at, &fence, &process)) {
        if (journal_twin_get(&host->journal, fence) == NULL && count < MSG_HELD_MAX) {
            fences[count++] = fence;
        }
    }
    for (size_t i = 0; i < count; i++) {
        process_forget(host, fences[i]);
    }
}

static void journal_load(struct world *world, struct host *host)
{
    size_t count = 0;
    uint64_t *fences = journal_twin_fences(&host->journal, &count);
    struct reason reason = { "" };
    for (size_t i = 0; i < count; i++) {
        if (agent_engine_load(host->engine, journal_twin_get(&host->journal, fences[i]), &reason) !=
            ERR_NONE) {
            promise_broken(world, "P6", "an agent cannot read its journal: %s", reason.text);
        }
    }
    mem_free(fences);
    agent_engine_turn_end(host->engine);
}

void host_start(struct world *world, struct host *host)
{
    static const struct str executors[] = { { "run", 3 }, { "noop", 4 } };
    CHECK(!host->up && !host->is_hostile);
    host->up = true;
    host->lives++;
    snprintf(host->boot_id, sizeof host->boot_id, "boot-%u-%u", host->index, host->boots);
    struct agent_engine_config config = { .seed = rng_next(&world->rng) };
    config.hello = (struct msg_hello){
        .device = str_of(host->device),
        .agent_version = STR("sim"),
        .boot_id = str_of(host->boot_id),
        .process_id = rng_next(&world->rng) | 1,
        .journal_id = str_of(host->journal_id),
        .session = host->journal.now.session,
        .receipt = host->journal.now.receipt,
        .profile = { .os = STR("linux"),
                     .arch = STR("sim"),
                     .hostname = str_of(host->device),
                     .cpus = 1,
                     .slots = host->slots,
                     .executors = executors,
                     .executors_count = 2,
                     .labels = host->labels,
                     .labels_count = HOST_LABELS },
    };
    TRACE(world, "host % starts: boot %, life %", host->index, host->boots, host->lives);
    host->engine = agent_engine_new(&config);
    forget_others(host);
    journal_load(world, host);
    plan_turn(world, host, world->now_ms);
}

static void start_again(struct world *world, uint64_t a, uint64_t b)
{
    struct host *host = world->hosts[a];
    if (!host->up && !host->retired && host->lives == b) {
        host_start(world, host);
    }
}

static void life_over(struct world *world, struct host *host, bool power, int64_t down_ms)
{
    struct link *link = net_link(world, host->link);
    if (link != NULL) {
        net_side_died(world, link, SIDE_HOST);
    }
    host->link = 0;
    life_end(host);
    promise_host_died(world, host, power);
    if (down_ms >= 0) {
        world_after(world, down_ms, start_again, host->index, host->lives);
    }
}

static void sabotage_results(struct host *host)
{
    struct agent_effects effects = { 0 };
    size_t count = 0;
    uint64_t *fences = journal_twin_fences(&host->journal, &count);
    for (size_t i = 0; i < count; i++) {
        if (journal_twin_get(&host->journal, fences[i])->state == HELD_FINISHED) {
            agent_effects_add(&effects, AGENT_EFFECT_REMOVE)->fence = fences[i];
        }
    }
    journal_twin_commit(&host->journal, &effects, false);
    agent_effects_done(&effects);
    mem_free(fences);
}

void host_kill(struct world *world, struct host *host, int64_t down_ms)
{
    if (!host->up) {
        return;
    }
    TRACE(world, "host % is killed", host->index);
    if (world->options.sabotage == SABOTAGE_FORGET_RESULT) {
        sabotage_results(host);
    }
    process_kill_all(world, host);
    life_over(world, host, false, down_ms);
}

void host_power_cut(struct world *world, struct host *host, int64_t down_ms)
{
    TRACE(world, "host % loses its power", host->index);
    process_kill_all(world, host);
    processes_free(host);
    world->counts->paths[COUNT_JOURNAL_ROWS_LOST] +=
        journal_twin_power_cut(&host->journal, &world->rng);
    world->counts->paths[COUNT_SPOOL_LOST] += journal_twin_rebooted(&host->journal);
    host->boots++;
    host->boot_base_ms = world->now_ms - between(world, 0, 30000);
    life_over(world, host, true, down_ms);
}

/* --- A turn --- */

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
        net_send(world, host->link, SIDE_HOST, (struct str){ (const char *)out->data, out->length });
        buf_clear(out);
    }
}

static bool is_short(const struct host *host, uint64_t fence)
{
    for (size_t i = 0; i < host->shorts_count; i++) {
        if (host->shorts[i].fence == fence) {
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
    if (is_short(host, fence)) {
        return;
    }
    uint64_t there = 0;
    if (process != NULL) {
        uint64_t *limit = &process->spool[stream == STREAM_STDERR];
        if (fault_strikes(world, FAULT_SPOOL_SHORT)) {
            *limit = effect->output.offset + effect->output.bytes / 2;
            promise_spool_cut(world, fence);
            host->has_short_spool = true;
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
        if (effect->msg->kind != MSG_FINISHED || !is_short(host, effect->msg->finished.fence)) {
            say(world, host, out, effect->msg);
        }
        break;
    case AGENT_EFFECT_SEND_OUTPUT:
        send_output(world, host, out, effect);
        break;
    case AGENT_EFFECT_CLOSE:
        net_send(world, host->link, SIDE_HOST, (struct str){ (const char *)out->data, out->length });
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
        plan_turn(world, host, world->now_ms + between(world, 0, 1));
    } else if (deadline_ms != INT64_MAX) {
        plan_turn(world, host, deadline_ms + host->boot_base_ms);
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
        life_over(world, host, false, between(world, 0, 5000));
        return;
    }
    plan_next(world, host);
}

static void turn_due(struct world *world, uint64_t a, uint64_t b)
{
    struct host *host = world->hosts[a];
    if (!host->up || host->lives != b || host->turn_ms != world->now_ms) {
        return;
    }
    host->turn_ms = INT64_MAX;
    if (host->is_hostile) {
        hostile_turn(world, host);
    } else if (world->now_ms < host->paused_until_ms) {
        plan_turn(world, host, host->paused_until_ms);
    } else {
        turn(world, host);
    }
}
