/* The checker: what the daemon says, against what it has stored. */
#include "tests/sim/promise.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/books.h"
#include "tests/sim/world.h"

void promise_broken(struct world *world, const char *promise, const char *format, ...)
{
    if (world->broken) {
        return;
    }
    world->broken = true;
    int length = snprintf(world->complaint, sizeof world->complaint, "broke %s: ", promise);
    va_list args;
    va_start(args, format);
    vsnprintf(world->complaint + length, sizeof world->complaint - (size_t)length, format, args);
    va_end(args);
}

void promise_daemon_started(struct world *world)
{
    struct books *books = world->books;
    size_t at = 0;
    uint64_t id = 0;
    void *value = NULL;
    books->restarted_ms = world->now_ms;
    while (map_each(&books->devices, &at, &id, &value)) {
        struct book_device *device = value;
        device->heard_ms = world->now_ms; /* every lease runs in full from here */
        device->link = 0;
    }
    promise_check_acknowledged(world);
}

void promise_wall_jumped(struct world *world)
{
    world->books->jumped_ms = world->now_ms;
}

static bool is_live(const struct book_attempt *attempt)
{
    return attempt->record.state == ATTEMPT_SENT || attempt->record.state == ATTEMPT_RUNNING ||
           attempt->record.state == ATTEMPT_STOPPING;
}

static bool is_current(const struct book_attempt *attempt)
{
    return attempt->task->record.fence == attempt->fence &&
           !task_state_is_final((enum task_state)attempt->task->record.state);
}

/* NULL for one of another device: there it is as unknown as one that never was. */
static const struct book_attempt *own_attempt(const struct world *world,
                                              const struct book_device *device, uint64_t fence)
{
    const struct book_attempt *attempt = books_attempt(world->books, fence);
    return attempt != NULL && attempt->record.device_id == device->id ? attempt : NULL;
}

/* Whoever came first, both have a slot less until it has ended. */
static void count_claim(struct world *world, const struct host *host,
                        const struct msg_verdict *verdict)
{
    struct book_attempt *attempt = books_attempt(world->books, verdict->fence);
    if (attempt == NULL || verdict->verdict != VERDICT_CANCEL || is_current(attempt)) {
        return;
    }
    world->counts->paths[COUNT_CLAIMED_TWICE] += attempt->claimant != NULL &&
                                                 attempt->claimant != host &&
                                                 attempt->claimed_ms >= world->daemon.started_ms;
    attempt->claimant = host;
    attempt->claimed_ms = world->now_ms;
}

static void say_verdict(struct world *world, const struct book_device *device,
                        const struct msg_verdict *verdict)
{
    const struct book_attempt *attempt = own_attempt(world, device, verdict->fence);
    bool wanted = attempt != NULL && is_current(attempt) && is_live(attempt);
    count_path(world, verdict->verdict == VERDICT_KEEP     ? COUNT_VERDICT_KEEP
                      : verdict->verdict == VERDICT_CANCEL ? COUNT_VERDICT_CANCEL
                                                           : COUNT_VERDICT_DROP);
    /* The wait for a stop may run out in the very turn in which its agent comes back. */
    bool was_wanted = wanted || (attempt != NULL && attempt->stop_ran_out);
    if (verdict->verdict == VERDICT_KEEP && !was_wanted) {
        promise_broken(world, "P5", "fence %" PRIu64 " is kept without that it is wanted",
                       verdict->fence);
    }
    if (verdict->verdict == VERDICT_DROP && wanted) {
        promise_broken(world, "P6", "fence %" PRIu64 " is dropped although it is current",
                       verdict->fence);
    }
    if (attempt == NULL) {
        if (verdict->stdout_offset + verdict->stderr_offset > 0) {
            promise_broken(world, "P1", "%s is told of another's output", device->name);
        }
        return;
    }
    if (verdict->stdout_offset > attempt->record.stdout_bytes ||
        verdict->stderr_offset > attempt->record.stderr_bytes) {
        promise_broken(world, "P5", "output of %" PRIu64 " is said to be stored and is not",
                       verdict->fence);
    }
    if (verdict->stdout_offset + verdict->stderr_offset > 0) {
        count_path(world, COUNT_OUTPUT_RESUMED);
    }
}

static void say_welcome(struct world *world, const struct link *link,
                        const struct msg_welcome *welcome)
{
    struct books *books = world->books;
    struct book_device *device = books_device_named(books, link->host->device);
    /* A later one may have been stored with it: two connections can come in one turn. */
    if (device == NULL || device->session < welcome->session) {
        promise_broken(world, "P5", "session %" PRIu64 " is given out before it is stored",
                       welcome->session);
        return;
    }
    if (welcome->session <= books->session_max) {
        promise_broken(world, "P1", "session %" PRIu64 " does not rise", welcome->session);
    }
    books->session_max = welcome->session;
    device->link = link->id;
    device->heard_ms = world->now_ms;
    device->slots = link->host->slots;
    TRACE(world, "welcome to host %: session %", link->host->index, welcome->session);
    bool is_over =
        device->session != welcome->session; /* its connection is closed right behind it */
    for (size_t i = 0; i < welcome->verdicts_count && !is_over; i++) {
        say_verdict(world, device, &welcome->verdicts[i]);
        count_claim(world, link->host, &welcome->verdicts[i]);
    }
}

static void say_assign(struct world *world, const struct link *link, const struct msg_task *task)
{
    struct book_attempt *attempt = books_attempt(world->books, task->fence);
    if (attempt == NULL) {
        promise_broken(world, "P5", "fence %" PRIu64 " is assigned before it is stored",
                       task->fence);
        return;
    }
    const struct book_device *device =
        map_get(&world->books->devices, (uint64_t)attempt->record.device_id);
    if (device == NULL || strcmp(device->name, link->host->device) != 0 || !is_current(attempt) ||
        !is_live(attempt) || attempt->record.number != task->attempt) {
        promise_broken(world, "P1", "fence %" PRIu64 " is assigned, not as it is stored",
                       task->fence);
    }
    attempt->target = link->host;
    TRACE(world, "# is assigned to host %", task->fence, link->host->index);
}

static void say_ack(struct world *world, const struct link *link, const struct msg_ack *ack)
{
    for (size_t i = 0; i < ack->finished_count; i++) {
        const struct book_attempt *attempt = books_attempt(world->books, ack->finished[i]);
        if (attempt == NULL || attempt->holder != link->host) {
            continue; /* nobody's, or spoken of by somebody else */
        }
        /* A lost one may have been settled meanwhile by an agent with another journal. */
        if (is_current(attempt) && is_live(attempt) && attempt->results == 0) {
            promise_broken(world, "P5", "the result of %" PRIu64 " is acknowledged and not stored",
                           attempt->fence);
        }
    }
    for (size_t i = 0; i < ack->outputs_count; i++) {
        const struct book_attempt *attempt = books_attempt(world->books, ack->outputs[i].fence);
        if (attempt == NULL || attempt->holder != link->host || !is_current(attempt) ||
            !is_live(attempt)) {
            continue;
        }
        uint64_t stored = ack->outputs[i].stream == STREAM_STDOUT ? attempt->record.stdout_bytes
                                                                  : attempt->record.stderr_bytes;
        if (ack->outputs[i].offset > stored) {
            promise_broken(world, "P5", "output of %" PRIu64 " is acknowledged and not stored",
                           attempt->fence);
        }
    }
}

static void say_cancel(struct world *world, const struct msg_cancel *cancel)
{
    for (size_t i = 0; i < cancel->fences_count; i++) {
        const struct book_attempt *attempt = books_attempt(world->books, cancel->fences[i]);
        if (attempt == NULL || !is_current(attempt) || !is_live(attempt)) {
            continue;
        }
        if (attempt->record.state != ATTEMPT_STOPPING) {
            promise_broken(world, "P5", "the stop of %" PRIu64 " is sent before it is stored",
                           attempt->fence);
        }
        if (!str_starts_with(cancel->reason, STR("ran longer"))) {
            continue;
        }
        count_path(world, COUNT_TIMED_OUT_BACKUP);
        const struct book_task *task = attempt->task;
        int64_t timeout_ms = task->spec->policy->run_timeout_ms;
        /* Over a restart only the wall clock knows how long it has run. */
        bool unsure = world->books->restarted_ms >= attempt->assigned_ms &&
                      world->books->jumped_ms >= attempt->assigned_ms;
        if (world->now_ms - attempt->assigned_ms < timeout_ms && !unsure) {
            promise_broken(world, "P7",
                           "%" PRIu64 " is stopped for its timeout of %" PRId64
                           " ms after %" PRId64,
                           attempt->fence, timeout_ms, world->now_ms - attempt->assigned_ms);
        }
    }
}

/* What is answered was heard, and counted. */
static void say_pong(struct world *world, const struct link *link, const struct msg_pong *pong)
{
    struct book_device *device = books_device_named(world->books, link->host->device);
    if (device != NULL && device->link == link->id && !pong->probe) {
        device->heard_ms = world->now_ms;
    }
}

void promise_saying(struct world *world, const struct link *link, const struct msg *msg)
{
    switch (msg->kind) {
    case MSG_WELCOME:
        say_welcome(world, link, &msg->welcome);
        break;
    case MSG_ASSIGN:
        for (size_t i = 0; i < msg->assign.tasks_count; i++) {
            say_assign(world, link, &msg->assign.tasks[i]);
        }
        break;
    case MSG_ACK:
        say_ack(world, link, &msg->ack);
        break;
    case MSG_CANCEL:
        say_cancel(world, &msg->cancel);
        break;
    case MSG_PONG:
        say_pong(world, link, &msg->pong);
        break;
    case MSG_NONE:
    case MSG_HELLO:
    case MSG_READY:
    case MSG_PING:
    case MSG_STARTED:
    case MSG_OUTPUT:
    case MSG_FINISHED:
    case MSG_ERROR:
    case MSG_GOODBYE:
        break;
    }
}

void promise_closing(struct world *world, const struct link *link, enum msg_error_code code,
                     struct str why)
{
    switch (code) {
    case MSG_ERROR_PROTOCOL:
        count_path(world, COUNT_PROTOCOL_CLOSED);
        if (!link->host->is_hostile && !link->excused && !link->refused) {
            promise_broken(world, "the protocol", "host %u is closed for: %.*s", link->host->index,
                           STR_ARG(why));
        }
        break;
    case MSG_ERROR_IDENTITY:
        count_path(world, COUNT_IDENTITY_REFUSED);
        break;
    case MSG_ERROR_DUPLICATE:
        count_path(world, COUNT_DUPLICATE);
        break;
    case MSG_ERROR_LEASE:
        count_path(world, COUNT_LEASE_CLOSED);
        break;
    case MSG_ERROR_DISPLACED:
        count_path(world, COUNT_DISPLACED);
        break;
    case MSG_ERROR_LIMIT:
    case MSG_ERROR_VERSION:
    case MSG_ERROR_OVERLOAD:
    case MSG_ERROR_RECEIPT:
    case MSG_ERROR_SHUTDOWN:
        promise_broken(world, "P8", "a connection is closed without a cause: %s",
                       msg_error_name(code));
        break;
    }
}

static void wish_replied(struct world *world, const struct effect *effect)
{
    struct wish *wish = world->wishes.list[effect->reply.request - WISH_REQUESTS];
    if (wish->is_large && effect->reply.err == ERR_NONE && effect->reply.hold_id != 0) {
        return; /* it has only been begun */
    }
    if (effect->reply.err == ERR_NONE && !wish->is_stored) {
        promise_broken(world, "P5", "\"%s\" is answered before it is stored", wish->what);
    }
    wish->is_answered = true;
    wish->is_sent = false;
}

void promise_replied(struct world *world, const struct effect *effect)
{
    struct book_constellation *constellation =
        books_constellation(world->books, effect->reply.constellation_id);
    if (effect->reply.request >= WISH_REQUESTS) {
        wish_replied(world, effect);
        return;
    }
    if (effect->reply.request == 0) {
        if (effect->reply.err == ERR_NONE &&
            (constellation == NULL || !constellation->record.cancel_requested)) {
            promise_broken(world, "P5", "a cancel is answered before it is stored");
        }
        return;
    }
    if (effect->reply.err != ERR_NONE || constellation == NULL ||
        constellation->record.state == CONSTELLATION_LOADING) {
        promise_broken(world, "P5", "a submission is answered by %s, or before it is stored",
                       err_name(effect->reply.err));
        return;
    }
    world->plans.list[effect->reply.request - 1]->is_answered = true;
}

void promise_cancel_asked(struct world *world, int64_t constellation_id)
{
    struct book_constellation *constellation = books_constellation(world->books, constellation_id);
    if (constellation != NULL) {
        constellation->cancel_asked = true;
    }
}
