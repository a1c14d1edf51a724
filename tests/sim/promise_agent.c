/* The checker: what agents hear, keep, say and run. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/books.h"
#include "tests/sim/world.h"

void promise_host_heard(struct world *world, const struct host *host, const struct msg *msg)
{
    if (msg->kind == MSG_ACK) {
        for (size_t i = 0; i < msg->ack.finished_count; i++) {
            struct book_attempt *attempt = books_attempt(world->books, msg->ack.finished[i]);
            if (attempt != NULL && attempt->holder == host) {
                attempt->released = true;
            }
        }
    } else if (msg->kind == MSG_WELCOME) {
        for (size_t i = 0; i < msg->welcome.verdicts_count; i++) {
            struct book_attempt *attempt =
                books_attempt(world->books, msg->welcome.verdicts[i].fence);
            if (attempt != NULL && msg->welcome.verdicts[i].verdict == VERDICT_DROP) {
                attempt->released = true;
            }
        }
    }
}

void promise_host_committed(struct world *world, const struct host *host,
                            const struct agent_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct agent_effect *effect = &effects->list[i];
        if (effect->kind == AGENT_EFFECT_SAVE || effect->kind == AGENT_EFFECT_START) {
            struct book_attempt *attempt = books_attempt(world->books, effect->record->fence);
            if (attempt == NULL) {
                promise_broken(world, "P5", "host %u holds %" PRIu64 ", which was never stored",
                               host->index, effect->record->fence);
                return;
            }
            attempt->holder = host;
            attempt->holder_boots = host->boots;
            attempt->kept = attempt->kept || effect->record->state == HELD_FINISHED;
        } else if (effect->kind == AGENT_EFFECT_REMOVE) {
            struct book_attempt *attempt = books_attempt(world->books, effect->fence);
            if (attempt != NULL && attempt->kept && !attempt->released) {
                promise_broken(world, "P6",
                               "host %u forgets the result of %" PRIu64 " unacknowledged",
                               host->index, effect->fence);
            }
            if (attempt != NULL) {
                attempt->kept = false;
            }
        }
    }
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

static void host_says_hello(struct world *world, const struct host *host,
                            const struct msg_hello *hello)
{
    size_t at = 0;
    uint64_t fence = 0;
    void *value = NULL;
    while (map_each(&world->books->attempts, &at, &fence, &value)) {
        const struct book_attempt *attempt = value;
        if (attempt->holder == host && attempt->kept && !hello_holds(hello, fence)) {
            promise_broken(world, "P6", "host %u does not offer its result of %" PRIu64 " again",
                           host->index, fence);
        }
    }
}

void promise_host_saying(struct world *world, const struct host *host, const struct msg *msg)
{
    if (msg->kind == MSG_HELLO) {
        host_says_hello(world, host, &msg->hello);
        TRACE(world, "host % says hello with % attempts", host->index,
              (uint64_t)msg->hello.held_count);
    } else if (msg->kind == MSG_READY && host->journal.synced.session < msg->ready.session) {
        promise_broken(world, "P5",
                       "host %u is ready for session %" PRIu64 ", which is not on disk",
                       host->index, msg->ready.session);
    } else if (msg->kind == MSG_FINISHED) {
        if (str_is(msg->finished.reason, "no free slot")) {
            promise_broken(world, "P8", "host %u is given more than its %u slots", host->index,
                           host->slots);
        }
        struct book_attempt *attempt = books_attempt(world->books, msg->finished.fence);
        if (attempt != NULL) {
            world->counts->paths[COUNT_RESULT_AGAIN] += attempt->said;
            attempt->said = true;
        }
    }
}

void promise_host_died(struct world *world, const struct host *host, bool power)
{
    size_t at = 0;
    uint64_t fence = 0;
    void *value = NULL;
    while (power && map_each(&world->books->attempts, &at, &fence, &value)) {
        struct book_attempt *attempt = value;
        if (attempt->holder == host) {
            const struct agent_record *row = journal_twin_get(&host->journal, fence);
            attempt->kept = row != NULL && row->state == HELD_FINISHED;
        }
    }
}

/* --- What runs --- */

static void check_overlap(struct world *world, const struct book_attempt *attempt)
{
    for (uint64_t fence = attempt->task->record.fence; fence != 0;) {
        const struct book_attempt *other = books_attempt(world->books, fence);
        fence = other->record.previous;
        if (other == attempt || other->processes == 0) {
            continue;
        }
        const struct book_attempt *older = other->fence < attempt->fence ? other : attempt;
        if (older->lost == LOST_NOT || older->lost == LOST_GONE) {
            promise_broken(world, "P1", "%" PRIu64 " and %" PRIu64 " of a task run at once",
                           other->fence, attempt->fence);
        }
        count_path(world, COUNT_OVERLAP);
    }
}

static void check_inputs(struct world *world, const struct book_attempt *attempt,
                         const struct msg_body *body)
{
    const struct book_task *task = attempt->task;
    const struct sim_task *spec = task->spec;
    char work[32];
    if (spec->noop) {
        return;
    }
    snprintf(work, sizeof work, "work-%u", spec->version);
    bool good = body->argv_count == (spec->refers ? 3 : 2) && str_is(body->argv[0], work) &&
                str_equal(body->argv[1], spec->plan.key);
    if (good && spec->refers) {
        const struct book_attempt *from = books_attempt(world->books, task->input_fence);
        struct buf expected = { 0 };
        if (from != NULL) {
            process_output(from->fence, STREAM_STDOUT, 0, (size_t)from->record.stdout_bytes,
                           &expected);
        } else {
            buf_append_text(&expected, "none");
        }
        good =
            str_equal(body->argv[2], (struct str){ (const char *)expected.data, expected.length });
        buf_done(&expected);
    }
    if (!good) {
        promise_broken(world, "P4",
                       "%" PRIu64 " of task %" PRId64 " starts with other inputs than it should "
                       "have: %zu, the last is \"%.*s\", of task %" PRId64 " by %" PRIu64,
                       attempt->fence, task->id, body->argv_count,
                       STR_ARG(body->argv[body->argv_count - 1]), task->refers_to,
                       task->input_fence);
    }
}

static void check_slots(struct world *world, const struct host *host)
{
    unsigned running = 0;
    size_t at = 0;
    uint64_t fence = 0;
    void *value = NULL;
    while (map_each(&host->processes, &at, &fence, &value)) {
        running += ((const struct process *)value)->alive;
    }
    if (running >= host->slots) {
        promise_broken(world, "P8", "host %u runs more than its %u slots", host->index,
                       host->slots);
    }
}

void promise_process_started(struct world *world, const struct host *host,
                             const struct agent_record *record, const struct msg_body *body)
{
    struct book_attempt *attempt = books_attempt(world->books, record->fence);
    if (attempt == NULL) {
        promise_broken(world, "P5", "host %u starts %" PRIu64 ", which was never stored",
                       host->index, record->fence);
        return;
    }
    if (++attempt->starts > 1) {
        promise_broken(world, "P1", "%" PRIu64 " is started twice", record->fence);
    }
    attempt->processes++;
    check_overlap(world, attempt);
    check_inputs(world, attempt, body);
    check_slots(world, host);
}

void promise_process_began(struct world *world, uint64_t fence)
{
    struct book_attempt *attempt = books_attempt(world->books, fence);
    if (attempt != NULL) {
        attempt->began = true;
        attempt->heard_ms = world->now_ms;
    }
}

void promise_process_put_out(struct world *world, uint64_t fence)
{
    struct book_attempt *attempt = books_attempt(world->books, fence);
    if (attempt != NULL) {
        attempt->heard_ms = world->now_ms;
    }
}

/* By itself, and not because it was told to. */
static void check_silence(struct world *world, const struct book_attempt *attempt,
                          const struct msg_finished *end)
{
    const struct plan_policy *policy = attempt->task->spec->policy;
    bool by_itself = end->outcome == OUTCOME_EXITED || end->outcome == OUTCOME_SIGNALLED;
    if (by_itself && attempt->began && policy->silence_timeout_ms > 0 &&
        world->now_ms - attempt->heard_ms > policy->silence_timeout_ms + policy->kill_grace_ms) {
        promise_broken(world, "P9", "%" PRIu64 " ran on in silence", attempt->fence);
    }
}

void promise_process_ended(struct world *world, const struct host *host, uint64_t fence,
                           const struct msg_finished *end)
{
    (void)host;
    struct book_attempt *attempt = books_attempt(world->books, fence);
    CHECK(attempt->processes > 0);
    attempt->processes--;
    if (end != NULL) {
        attempt->ended = true;
        attempt->end = *end;
        check_silence(world, attempt, end);
    }
}

void promise_spool_cut(struct world *world, uint64_t fence)
{
    struct book_attempt *attempt = books_attempt(world->books, fence);
    if (attempt != NULL) {
        attempt->spool_cut = true;
    }
}
