/* What reaches the daemon, as events for its engine; what no engine sees is refused here. */
#include <stdio.h>

#include "common/base/mem.h"
#include "orchestrator/receipt.h"
#include "proto/wire.h"
#include "tests/sim/world.h"

static struct event *event_add(struct world *world, struct events *events, enum event_kind kind)
{
    if (events->count == events->capacity) {
        events->capacity = events->capacity == 0 ? 16 : events->capacity * 2;
        events->list = mem_resize(events->list, events->capacity * sizeof events->list[0]);
    }
    struct heard *heard = &events->list[events->count++];
    *heard = (struct heard){ .event = { .kind = kind, .now = daemon_now(world) } };
    return &heard->event;
}

static void refuse_frame(struct world *world, struct link *link, struct events *events,
                         enum err err, const char *why)
{
    TRACE(world, "the daemon refuses a frame of connection %", link->id);
    struct event *event = event_add(world, events, EVENT_CHANNEL_CLOSED);
    event->channel_closed.channel = link->id;
    event->channel_closed.reason = arena_str(&world->daemon.arena, str_of(why));
    struct msg msg = { .kind = MSG_ERROR };
    msg.error.code = err == ERR_LIMIT ? MSG_ERROR_LIMIT : MSG_ERROR_PROTOCOL;
    msg.error.reason = str_of(why);
    buf_clear(&world->daemon.wire);
    CHECK(wire_encode(&msg, &world->daemon.wire, NULL) == ERR_NONE);
    net_send(world, link->id, SIDE_DAEMON,
             (struct str){ (const char *)world->daemon.wire.data, world->daemon.wire.length });
    net_close(world, link->id, SIDE_DAEMON);
    link->refused = true;
    count_path(world, COUNT_PROTOCOL_CLOSED);
}

static bool receipt_is_ahead(struct world *world, const struct msg_hello *hello)
{
    struct daemon *daemon = &world->daemon;
    const struct msg_receipt *receipt = &hello->receipt;
    bool ahead = false;
    struct reason reason = { "" };
    if (receipt_is_ours(&daemon->start, hello->device, receipt) &&
        store_receipt_is_ahead(daemon->store, receipt->epoch,
                               (const uint8_t *)receipt->start_id.data, receipt->fence, &ahead,
                               &reason) != ERR_NONE) {
        promise_broken(world, "P5", "a receipt cannot be looked up: %s", reason.text);
    }
    if (ahead) {
        promise_broken(world, "P5", "a receipt of %.*s is ahead of the database",
                       STR_ARG(hello->device));
    }
    return ahead;
}

static void take_message(struct world *world, struct link *link, struct events *events,
                         struct msg *msg)
{
    bool is_ahead = msg->kind == MSG_HELLO && receipt_is_ahead(world, &msg->hello);
    if (msg->kind == MSG_HELLO && world->options.sabotage == SABOTAGE_LOSE_ON_CUT) {
        msg->hello.held_count = 0;
    }
    if (msg->kind == MSG_HELLO && world->options.sabotage == SABOTAGE_IGNORE_SLOTS) {
        msg->hello.profile.slots *= 3;
    }
    struct event *event = event_add(world, events, EVENT_MESSAGE);
    event->message.channel = link->id;
    event->message.msg = msg;
    event->message.bound_device = str_of(link->host->device);
    event->message.receipt_is_ahead = is_ahead;
}

static void take_frame(struct world *world, struct link *link, const struct buf *bytes,
                       struct events *events)
{
    struct str frame = { (const char *)bytes->data, bytes->length };
    for (size_t at = 0; at < frame.length && !link->refused;) {
        struct msg *msg = arena_alloc(&world->daemon.arena, sizeof *msg);
        struct reason reason = { "" };
        enum err err = wire_decode(frame, &at, &world->daemon.arena, msg, &reason);
        if (err == ERR_NONE && !link->greeted && msg->kind != MSG_HELLO) {
            err = reason_set(&reason, ERR_BAD_FRAME, "%s before Hello", msg_kind_name(msg->kind));
        }
        if (err != ERR_NONE) {
            refuse_frame(world, link, events, err, reason.text);
            return;
        }
        link->greeted = true;
        take_message(world, link, events, msg);
        if (msg->kind == MSG_GOODBYE) {
            net_close(world, link->id, SIDE_DAEMON);
            link->refused = true;
        }
    }
}

static void take_submission(struct world *world, struct events *events, uint64_t index)
{
    struct sim_plan *plan = world->plans.list[index];
    snprintf(plan->uid, sizeof plan->uid, "sim-%u-%u", plan->index, ++plan->tries);
    struct event *event = event_add(world, events, EVENT_SUBMIT);
    event->submit.request = index + 1;
    event->submit.plan = &plan->plan;
    event->submit.uid = arena_str(&world->daemon.arena, str_of(plan->uid));
    event->submit.actor = STR("sim");
    TRACE(world, "plan % is submitted: % tasks", index, (uint64_t)plan->plan.tasks_count);
}

static void take_wish(struct world *world, struct events *events, uint64_t index)
{
    struct wish *wish = world->wishes.list[index];
    event_add(world, events, wish->event.kind);
    events->list[events->count - 1].wish = wish;
}

static void take_arrival(struct world *world, struct arrival *arrival, struct events *events)
{
    struct link *link = net_link(world, arrival->link);
    struct event *event = NULL;
    switch (arrival->kind) {
    case ARRIVAL_FRAME:
        take_frame(world, link, &arrival->frame, events);
        break;
    case ARRIVAL_CLOSED:
        event = event_add(world, events, EVENT_CHANNEL_CLOSED);
        event->channel_closed.channel = link->id;
        event->channel_closed.reason = STR("closed");
        break;
    case ARRIVAL_SUBMIT:
        take_submission(world, events, arrival->number);
        break;
    case ARRIVAL_CANCEL:
        event = event_add(world, events, EVENT_CANCEL);
        event->cancel.constellation_id = (int64_t)arrival->number;
        event->cancel.actor = STR("sim");
        TRACE(world, "constellation % is cancelled", arrival->number);
        break;
    case ARRIVAL_WISH:
        take_wish(world, events, arrival->number);
        break;
    case ARRIVAL_OPENED:
    case ARRIVAL_REFUSED:
    case ARRIVAL_STARTED:
    case ARRIVAL_OUTPUT:
    case ARRIVAL_ENDED:
    case ARRIVAL_SHUTDOWN:
        check_failed("this is for an agent", __FILE__, __LINE__);
    }
}

void daemon_hear(struct world *world, struct events *events)
{
    struct inbox *inbox = &world->daemon.inbox;
    size_t count = percent(world, 80) ? inbox->count : chance(world, inbox->count + 1);
    for (size_t i = 0; i < count; i++) {
        struct arrival *arrival = inbox_take(inbox);
        take_arrival(world, arrival, events);
        arrival_free(arrival);
    }
}
