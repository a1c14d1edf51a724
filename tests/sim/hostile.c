/* A hostile agent: it has a token of its own, and uses it to speak of what is not its own. */
#include "common/base/mem.h"
#include "proto/wire.h"
#include "tests/sim/books.h"
#include "tests/sim/world.h"

static void say(struct world *world, struct host *host, const struct msg *msg)
{
    struct buf out = { 0 };
    if (wire_encode(msg, &out, NULL) == ERR_NONE) {
        net_send(world, host->link, SIDE_HOST, (struct str){ (const char *)out.data, out.length });
    }
    buf_done(&out);
}

/* One that was given out not long ago, very likely to another. */
static uint64_t some_fence(struct world *world)
{
    uint64_t max = world->books->fence_max;
    return max < 8 ? 1 : max - chance(world, 8);
}

/* One that still runs at another and that nobody wants any more: as if that one's journal was copied.
   0: none. */
static uint64_t lost_fence(struct world *world)
{
    size_t at = 0;
    uint64_t fence = 0;
    void *value = NULL;
    while (map_each(&world->books->attempts, &at, &fence, &value)) {
        const struct book_attempt *attempt = value;
        if (attempt->processes > 0 && attempt->task->record.fence != fence) {
            return fence;
        }
    }
    return 0;
}

static void say_hello(struct world *world, struct host *host)
{
    static const struct str executors[] = { { "sleep", 5 } };
    uint64_t lost = lost_fence(world);
    struct msg_held held[2] = { { lost != 0 ? lost : some_fence(world), HELD_RUNNING },
                                { some_fence(world) + 100, HELD_FINISHED } };
    struct msg msg = { .kind = MSG_HELLO };
    bool lies = percent(world, 25);
    msg.hello = (struct msg_hello){
        .device = str_of(lies ? world->hosts[0]->device : host->device),
        .agent_version = STR("sim"),
        .boot_id = STR("boot"),
        .process_id = 1 + chance(world, 3),
        .journal_id = str_of(host->journal_id),
        .profile = { .os = STR("linux"),
                     .arch = STR("sim"),
                     .hostname = STR("m"),
                     .cpus = 1,
                     .slots = 4,
                     .executors = executors,
                     .executors_count = 1 },
        .held = held,
        .held_count = percent(world, 80) ? 1 + chance(world, 2) : 0,
    };
    say(world, host, &msg);
}

static void say_something(struct world *world, struct host *host)
{
    struct msg msg = { .kind = MSG_PING, .ping = { 1 + chance(world, 1000) } };
    uint64_t what = chance(world, 9);
    switch (lost_fence(world) != 0 && what > 3 ? 5 : what) {
    case 0:
        msg = (struct msg){ .kind = MSG_STARTED, .started = { some_fence(world), WORLD_WALL_MS } };
        break;
    case 1:
    case 2:
        msg = (struct msg){ .kind = MSG_FINISHED };
        msg.finished.fence = some_fence(world);
        msg.finished.outcome = OUTCOME_EXITED;
        break;
    case 3:
        msg = (struct msg){ .kind = MSG_OUTPUT };
        msg.output.fence = some_fence(world);
        msg.output.stream = STREAM_STDOUT;
        msg.output.data = STR("not mine");
        break;
    case 4:
        msg = (struct msg){ .kind = MSG_READY, .ready = { 1 + chance(world, 500) } };
        break;
    case 5:
        say_hello(world, host);
        return;
    case 6:
        msg = (struct msg){ .kind = MSG_PONG };
        break;
    default:
        break;
    }
    say(world, host, &msg);
}

static void again(struct world *world, uint64_t a, uint64_t b)
{
    (void)b;
    struct host *host = world->hosts[a];
    if (!host->up || host->retired) {
        return;
    }
    if (host->link == 0) {
        host->link = net_dial(world, host);
    } else {
        say_something(world, host);
    }
    world_after(world, between(world, 100, 3000), again, host->index, 0);
}

void hostile_begin(struct world *world, struct host *host)
{
    host->up = true;
    again(world, host->index, 0);
}

void hostile_turn(struct world *world, struct host *host)
{
    struct arrival *arrival = NULL;
    while ((arrival = inbox_take(&host->inbox)) != NULL) {
        if (arrival->link == host->link && arrival->kind == ARRIVAL_OPENED) {
            say_hello(world, host);
        } else if (arrival->link == host->link && arrival->kind != ARRIVAL_FRAME) {
            host->link = 0;
        }
        arrival_free(arrival);
    }
}
