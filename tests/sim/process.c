/* The simulated executor: what runs, what it puts out, and how it ends. */
#include <stdio.h>

#include "common/base/mem.h"
#include "proto/wire.h"
#include "tests/sim/world.h"

enum { SIGNAL_TERM = 15 };

struct process *process_find(const struct host *host, uint64_t fence)
{
    return map_get(&host->processes, fence);
}

void process_output(uint64_t fence, enum stream stream, uint64_t offset, size_t bytes,
                    struct buf *into)
{
    uint8_t *to = buf_reserve(into, bytes);
    uint64_t base = fence * 11 + (uint64_t)stream * 5;
    for (size_t i = 0; i < bytes; i++) {
        uint64_t at = offset + i;
        to[i] = (uint8_t)('a' + (base + at * 7 + (at >> 8)) % 26);
    }
    into->length += bytes;
}

/* The process that a planned occurrence is about, if it still goes by that plan. */
static struct process *planned(struct world *world, uint64_t a, uint64_t fence,
                               struct host **ret_host)
{
    struct host *host = world->hosts[a & 0xff];
    struct process *process = process_find(host, fence);
    *ret_host = host;
    bool same_life = host->up && host->lives == (a >> 8 & 0xffffff);
    return same_life && process != NULL && process->alive && process->plan == a >> 32 ? process
                                                                                      : NULL;
}

static uint64_t plan_of(const struct host *host, const struct process *process)
{
    return host->index | (uint64_t)host->lives << 8 | (uint64_t)process->plan << 32;
}

static void report(struct world *world, struct host *host, enum arrival_kind kind, uint64_t fence)
{
    inbox_add(&host->inbox, kind, 0)->number = fence;
    host_arrived(world, host);
}

static struct msg_finished end_of(const struct world *world, const struct host *host,
                                  const struct process *process)
{
    struct msg_finished end = {
        .fence = process->fence,
        .outcome = process->outcome,
        .exit_code = process->exit_code,
        .signal = process->signal,
        .stdout_bytes = process->made[0],
        .stderr_bytes = process->made[1],
    };
    if (process->started_ms != 0) {
        end.started_wall_ms = host_wall_ms(world, host);
        end.duration_ms = process->end_ms - process->started_ms;
    }
    if (end.outcome != OUTCOME_EXITED || end.exit_code != 0) {
        end.reason = process->why[0] != 0 ? str_of(process->why) : STR("as the simulator wished");
    } else if (process->fence % 7 == 0) {
        end.result = STR("{\"v\":1}");
    }
    return end;
}

static void end_due(struct world *world, uint64_t a, uint64_t fence)
{
    struct host *host = NULL;
    struct process *process = planned(world, a, fence, &host);
    if (process == NULL) {
        return;
    }
    process->alive = false;
    process->made[0] = process->planned[0];
    process->made[1] = process->planned[1];
    process->end_ms = world->now_ms;
    struct msg_finished end = end_of(world, host, process);
    TRACE(world, "host %: # ends: $ %", host->index, fence, TRACE_TEXT(outcome_name(end.outcome)),
          (uint64_t)end.exit_code);
    promise_process_ended(world, host, fence, &end);
    report(world, host, ARRIVAL_ENDED, fence);
}

static void output_due(struct world *world, uint64_t a, uint64_t fence)
{
    struct host *host = NULL;
    struct process *process = planned(world, a, fence, &host);
    if (process == NULL) {
        return;
    }
    promise_process_put_out(world, fence);
    for (int i = 0; i < 2; i++) {
        process->made[i] += chance(world, process->planned[i] - process->made[i] + 1);
    }
    report(world, host, ARRIVAL_OUTPUT, fence);
}

static void start_due(struct world *world, uint64_t a, uint64_t fence)
{
    struct host *host = NULL;
    struct process *process = planned(world, a, fence, &host);
    if (process != NULL) {
        process->started_ms = world->now_ms;
        promise_process_began(world, fence);
        report(world, host, ARRIVAL_STARTED, fence);
    }
}

static int64_t random_length_ms(struct world *world)
{
    uint64_t kind = chance(world, 10);
    return kind < 6   ? between(world, 5, 800)
           : kind < 9 ? between(world, 800, 6000)
                      : between(world, 6000, 40000);
}

static void plan_output(struct world *world, struct process *process, bool large)
{
    uint64_t most = large ? 90000 : percent(world, 50) ? 0 : 300;
    for (int i = 0; i < 2; i++) {
        process->planned[i] = most == 0 ? 0 : chance(world, most);
        process->spool[i] = UINT64_MAX;
    }
}

static void plan_end(struct world *world, struct process *process)
{
    uint64_t fate = chance(world, 100);
    process->outcome = fate < 4 ? OUTCOME_SIGNALLED : OUTCOME_EXITED;
    process->signal = fate < 4 ? SIGNAL_TERM : 0;
    process->exit_code = fate >= 4 && fate < 14 ? (int32_t)between(world, 1, 255) : 0;
}

/* How long it lasts if its agent ends it for its silence: from the start, or after what it puts out at
   `output_ms` (negative: nothing). */
static int64_t length_until_silence(struct world *world, struct process *process,
                                    const struct msg_body *body, int64_t length_ms,
                                    int64_t output_ms)
{
    int64_t silence_ms = body->silence_timeout_ms;
    int64_t first_ms = output_ms < 0 ? length_ms : output_ms;
    if (silence_ms == 0 || world->options.sabotage == SABOTAGE_NO_SILENCE) {
        return length_ms;
    }
    bool from_start = first_ms > silence_ms;
    if (!from_start && (output_ms < 0 || length_ms - output_ms <= silence_ms)) {
        return length_ms;
    }
    if (from_start) {
        process->planned[0] = process->planned[1] = 0;
    }
    process->outcome = OUTCOME_TIMED_OUT;
    process->exit_code = 0;
    process->signal = 0;
    count_path(world, COUNT_SILENCED);
    return (from_start ? 0 : output_ms) + silence_ms + between(world, 0, body->kill_grace_ms);
}

static void plan_run(struct world *world, struct host *host, struct process *process,
                     const struct msg_body *body)
{
    if (percent(world, 1)) {
        process->outcome = OUTCOME_START_FAILED;
        world_after(world, 0, end_due, plan_of(host, process), process->fence);
        return;
    }
    int64_t started_ms = between(world, 0, 15);
    int64_t length_ms = random_length_ms(world);
    plan_end(world, process);
    plan_output(world, process, percent(world, 2));
    if (body->run_timeout_ms > 0 && length_ms > body->run_timeout_ms) {
        process->outcome = OUTCOME_TIMED_OUT;
        process->exit_code = 0;
        process->signal = 0;
        length_ms = body->run_timeout_ms + between(world, 0, body->kill_grace_ms);
        /* An agent that does not keep the timeout: the daemon does. */
        if (percent(world, 25) && !world->calm) {
            length_ms = 3 * body->run_timeout_ms + 40000;
        }
    }
    bool puts_out = process->planned[0] + process->planned[1] > 0;
    int64_t output_ms = puts_out ? between(world, 0, length_ms) : -1;
    length_ms = length_until_silence(world, process, body, length_ms, output_ms);
    uint64_t plan = plan_of(host, process);
    process->end_ms = world->now_ms + started_ms + length_ms;
    world_after(world, started_ms, start_due, plan, process->fence);
    if (process->planned[0] + process->planned[1] > 0) {
        world_after(world, started_ms + output_ms, output_due, plan, process->fence);
    }
    world_after(world, started_ms + length_ms, end_due, plan, process->fence);
}

void process_start(struct world *world, struct host *host, const struct agent_record *record)
{
    struct arena arena = { 0 };
    struct msg_body body = { 0 };
    CHECK(wire_decode_body(record->body, &arena, &body, NULL) == ERR_NONE);
    TRACE(world, "host % starts #", host->index, record->fence);
    promise_process_started(world, host, record, &body);
    if (world->options.sabotage == SABOTAGE_RUN_TWICE) {
        promise_process_started(world, host, record, &body);
    }
    struct process *process = mem_alloc(sizeof *process);
    process->fence = record->fence;
    process->alive = true;
    mem_free(map_remove(&host->processes, record->fence));
    map_put(&host->processes, record->fence, process);
    if (body.executor == EXECUTOR_NOOP) {
        process->outcome = OUTCOME_EXITED;
        process->started_ms = world->now_ms;
        promise_process_began(world, process->fence);
        process->end_ms = world->now_ms;
        world_after(world, 0, end_due, plan_of(host, process), process->fence);
    } else {
        plan_run(world, host, process, &body);
    }
    arena_done(&arena);
}

void process_stop(struct world *world, struct host *host, const struct agent_effect *effect)
{
    uint64_t fence = effect->stop.fence;
    int64_t grace_ms = effect->stop.grace_ms;
    struct process *process = process_find(host, fence);
    if (process == NULL || !process->alive) {
        return;
    }
    TRACE(world, "host % stops #", host->index, fence);
    bool by_itself = process->end_ms <= world->now_ms + grace_ms && percent(world, 30);
    if (by_itself || (process->stopping && grace_ms > 0)) {
        return;
    }
    process->stopping = true;
    process->plan++;
    process->outcome = effect->stop.outcome;
    snprintf(process->why, sizeof process->why, "%s", effect->stop.why);
    process->exit_code = 0;
    process->signal = 0;
    process->planned[0] = process->made[0];
    process->planned[1] = process->made[1];
    int64_t length_ms = process->started_ms == 0 ? 0 : between(world, 0, grace_ms);
    if (percent(world, 3) && !world->calm) {
        length_ms =
            grace_ms + between(world, 1, 3 * world->lost_after_ms); /* it hangs in the kernel */
    }
    world_after(world, length_ms, end_due, plan_of(host, process), fence);
}

void process_forget(struct host *host, uint64_t fence)
{
    struct process *process = map_remove(&host->processes, fence);
    CHECK(process == NULL || !process->alive);
    mem_free(process);
}

void process_kill_all(struct world *world, struct host *host)
{
    uint64_t fences[MSG_HELD_MAX];
    size_t count = 0;
    size_t at = 0;
    uint64_t fence = 0;
    void *value = NULL;
    while (map_each(&host->processes, &at, &fence, &value)) {
        const struct agent_record *row = journal_twin_get(&host->journal, fence);
        if (row == NULL || row->state != HELD_FINISHED) {
            CHECK(count < MSG_HELD_MAX);
            fences[count++] = fence;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct process *process = map_remove(&host->processes, fences[i]);
        if (process->alive) {
            promise_process_ended(world, host, fences[i], NULL);
        }
        mem_free(process);
    }
}

void process_step(struct world *world, struct host *host, const struct arrival *arrival)
{
    struct process *process = process_find(host, arrival->number);
    if (process == NULL) {
        return;
    }
    struct agent_event event = { .kind = AGENT_EVENT_OUTPUT, .now_ms = host_boot_ms(world, host) };
    struct msg_finished end = end_of(world, host, process);
    if (arrival->kind == ARRIVAL_STARTED) {
        event.kind = AGENT_EVENT_STARTED;
        event.started.fence = process->fence;
        event.started.wall_ms = host_wall_ms(world, host);
    } else if (arrival->kind == ARRIVAL_OUTPUT) {
        event.output.fence = process->fence;
        event.output.stdout_bytes = process->made[0];
        event.output.stderr_bytes = process->made[1];
    } else {
        event.kind = AGENT_EVENT_ENDED;
        event.ended = &end;
    }
    agent_engine_step(host->engine, &event, &host->effects);
    /* Nothing is left of what was nothing: an instant attempt has no files to be forgotten. */
    if (event.kind == AGENT_EVENT_ENDED && process->planned[0] + process->planned[1] == 0) {
        mem_free(map_remove(&host->processes, arrival->number));
    }
}
