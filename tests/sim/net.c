#include "tests/sim/net.h"

#include "common/base/mem.h"
#include "tests/sim/world.h"

/* --- Inboxes --- */

struct arrival *inbox_add(struct inbox *inbox, enum arrival_kind kind, uint64_t link)
{
    struct arrival *arrival = mem_alloc(sizeof *arrival);
    arrival->kind = kind;
    arrival->link = link;
    if (inbox->last == NULL) {
        inbox->first = arrival;
    } else {
        inbox->last->next = arrival;
    }
    inbox->last = arrival;
    inbox->count++;
    return arrival;
}

struct arrival *inbox_take(struct inbox *inbox)
{
    struct arrival *arrival = inbox->first;
    if (arrival != NULL) {
        inbox->first = arrival->next;
        inbox->last = inbox->first == NULL ? NULL : inbox->last;
        inbox->count--;
        arrival->next = NULL;
    }
    return arrival;
}

void arrival_free(struct arrival *arrival)
{
    buf_done(&arrival->frame);
    mem_free(arrival);
}

void inbox_clear(struct inbox *inbox)
{
    struct arrival *arrival = NULL;
    while ((arrival = inbox_take(inbox)) != NULL) {
        arrival_free(arrival);
    }
}

/* --- Connections --- */

struct link *net_link(const struct world *world, uint64_t id)
{
    return id == 0 ? NULL : world->net.links[id - 1];
}

/* The one that an occurrence is about. */
static struct link *link_of(const struct world *world, uint64_t id)
{
    CHECK(id > 0 && id <= world->net.count);
    return world->net.links[id - 1];
}

void net_done(struct net *net)
{
    for (size_t i = 0; i < net->count; i++) {
        buf_done(&net->links[i]->pending);
        mem_free(net->links[i]);
    }
    mem_free(net->links);
}

static int64_t latency_ms(struct world *world, const struct link *link)
{
    int64_t ms = between(world, 0, 4);
    if (link != NULL && world->now_ms < link->late_until_ms) {
        ms += between(world, 50, 2500);
    }
    return ms;
}

static void tell(struct world *world, struct link *link, enum side to, enum arrival_kind kind)
{
    if (to == SIDE_DAEMON) {
        if (world->daemon.up) {
            inbox_add(&world->daemon.inbox, kind, link->id);
            daemon_arrived(world);
        }
        return;
    }
    if (link->host->up && link->host->link == link->id) {
        inbox_add(&link->host->inbox, kind, link->id);
        host_arrived(world, link->host);
    }
}

/* What travels: a frame, an opening, an end. a = link, b = the parcel. */
struct parcel {
    enum side from;
    enum arrival_kind kind;
    bool is_answer; /* an end that answers an end */
    int64_t due_ms;
    struct buf frame;
};

static void parcel_send(struct world *world, struct link *link, struct parcel *parcel);

static void answer_close(struct world *world, struct link *link, enum side from)
{
    struct parcel *parcel = mem_alloc(sizeof *parcel);
    parcel->from = from;
    parcel->kind = ARRIVAL_CLOSED;
    parcel->is_answer = true;
    parcel_send(world, link, parcel);
}

static void deliver(struct world *world, struct link *link, struct parcel *parcel)
{
    enum side to = parcel->from == SIDE_HOST ? SIDE_DAEMON : SIDE_HOST;
    if (parcel->kind == ARRIVAL_CLOSED) {
        bool was_open = link->open[to];
        link->open[to] = false;
        if (was_open || parcel->is_answer) {
            tell(world, link, to, ARRIVAL_CLOSED);
        }
        if (!parcel->is_answer) {
            answer_close(world, link, to);
        }
        return;
    }
    if (parcel->kind == ARRIVAL_OPENED) {
        tell(world, link, to, ARRIVAL_OPENED);
        return;
    }
    if (!link->open[to]) {
        return;
    }
    struct inbox *inbox = to == SIDE_DAEMON ? &world->daemon.inbox : &link->host->inbox;
    if (to == SIDE_HOST && link->host->link != link->id) {
        return;
    }
    struct arrival *arrival = inbox_add(inbox, ARRIVAL_FRAME, link->id);
    arrival->frame = parcel->frame;
    parcel->frame = (struct buf){ 0 };
    if (to == SIDE_DAEMON) {
        daemon_arrived(world);
    } else {
        host_arrived(world, link->host);
    }
}

static void parcel_due(struct world *world, uint64_t a, uint64_t b)
{
    struct link *link = link_of(world, a);
    struct parcel *parcel = (struct parcel *)(uintptr_t)b;
    if (link->cut && parcel->due_ms > link->cut_ms[parcel->from]) {
        if (parcel->kind == ARRIVAL_FRAME) {
            count_path(world, COUNT_FRAME_LOST);
        }
    } else {
        deliver(world, link, parcel);
    }
    buf_done(&parcel->frame);
    mem_free(parcel);
}

void net_forget(const struct occurrence *occurrence)
{
    if (occurrence->run == parcel_due) {
        struct parcel *parcel = (struct parcel *)(uintptr_t)occurrence->b;
        buf_done(&parcel->frame);
        mem_free(parcel);
    }
}

static void parcel_send(struct world *world, struct link *link, struct parcel *parcel)
{
    if (link->cut) {
        if (parcel->kind == ARRIVAL_FRAME) {
            count_path(world, COUNT_FRAME_LOST);
        }
        buf_done(&parcel->frame);
        mem_free(parcel);
        return;
    }
    int64_t due_ms = world->now_ms + latency_ms(world, link);
    if (due_ms < link->last_ms[parcel->from]) {
        due_ms = link->last_ms[parcel->from];
    }
    /* Never two at once: the order in time is the order on the line. */
    link->last_ms[parcel->from] = due_ms + 1;
    parcel->due_ms = due_ms;
    world_after(world, due_ms - world->now_ms, parcel_due, link->id, (uint64_t)(uintptr_t)parcel);
}

void net_send(struct world *world, uint64_t id, enum side from, struct str frame)
{
    struct link *link = net_link(world, id);
    if (link == NULL || !link->open[from] || frame.length == 0) {
        return;
    }
    struct parcel *parcel = mem_alloc(sizeof *parcel);
    parcel->from = from;
    parcel->kind = ARRIVAL_FRAME;
    buf_append(&parcel->frame, frame.data, frame.length);
    parcel_send(world, link, parcel);
}

static void dial_arrives(struct world *world, uint64_t a, uint64_t b)
{
    (void)b;
    struct link *link = link_of(world, a);
    struct host *host = link->host;
    if (world->now_ms < host->cut_until_ms || !host->up || host->link != link->id) {
        return; /* nobody answers, or nobody asks any more */
    }
    if (!world->daemon.up) {
        tell(world, link, SIDE_HOST, ARRIVAL_CLOSED);
        return;
    }
    if (fault_strikes(world, FAULT_DIAL_REFUSED)) {
        tell(world, link, SIDE_HOST, ARRIVAL_REFUSED);
        return;
    }
    link->open[SIDE_DAEMON] = true;
    link->open[SIDE_HOST] = true;
    link->late_until_ms = 0;
    struct parcel *parcel = mem_alloc(sizeof *parcel);
    parcel->from = SIDE_DAEMON;
    parcel->kind = ARRIVAL_OPENED;
    parcel_send(world, link, parcel);
}

uint64_t net_dial(struct world *world, struct host *host)
{
    struct net *net = &world->net;
    net->links = mem_resize(net->links, (net->count + 1) * sizeof(struct link *));
    struct link *link = mem_alloc(sizeof *link);
    link->id = net->count + 1;
    link->host = host;
    net->links[net->count++] = link;
    world_after(world, between(world, 1, 8), dial_arrives, link->id, 0);
    return link->id;
}

void net_close(struct world *world, uint64_t id, enum side from)
{
    struct link *link = net_link(world, id);
    if (link == NULL || !link->open[from]) {
        return;
    }
    link->open[from] = false;
    struct parcel *parcel = mem_alloc(sizeof *parcel);
    parcel->from = from;
    parcel->kind = ARRIVAL_CLOSED;
    parcel_send(world, link, parcel);
}

static void notice(struct world *world, uint64_t a, uint64_t b)
{
    struct link *link = link_of(world, a);
    enum side side = (enum side)b;
    if (link->open[side]) {
        link->open[side] = false;
        tell(world, link, side, ARRIVAL_CLOSED);
    }
}

void net_cut(struct world *world, struct link *link, int64_t daemon_ms, int64_t host_ms)
{
    if (!link->cut) {
        link->cut = true;
        /* Of what is under way, some first part still arrives. */
        link->cut_ms[SIDE_DAEMON] = world->now_ms + between(world, -1, 5);
        link->cut_ms[SIDE_HOST] = world->now_ms + between(world, -1, 5);
        if (world->now_ms < link->late_until_ms) {
            link->cut_ms[SIDE_DAEMON] += between(world, 0, 2000);
            link->cut_ms[SIDE_HOST] += between(world, 0, 2000);
        }
    }
    if (daemon_ms >= 0) {
        world_after(world, daemon_ms, notice, link->id, SIDE_DAEMON);
    }
    if (host_ms >= 0) {
        world_after(world, host_ms, notice, link->id, SIDE_HOST);
    }
}

void net_side_died(struct world *world, struct link *link, enum side side)
{
    if (!link->open[0] && !link->open[1]) {
        return;
    }
    link->open[side] = false;
    /* Mostly the other machine answers for the dead process; at times it cannot. */
    int64_t late_ms =
        percent(world, 80) ? between(world, 0, 50) : between(world, 100, world->lease_ms * 2);
    bool is_daemon = side == SIDE_DAEMON;
    net_cut(world, link, is_daemon ? -1 : late_ms, is_daemon ? late_ms : -1);
    link->cut_ms[is_daemon ? SIDE_HOST : SIDE_DAEMON] = world->now_ms - 1;
}
