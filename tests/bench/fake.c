/* The agent's side of a session, the least that the protocol allows. */
#include "tests/bench/fake.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/net/ws_client.h"
#include "common/sys/clock.h"
#include "common/sys/random.h"
#include "proto/wire.h"
#include "tests/bench/bench.h"

struct fake {
    struct ws_client *client;
    struct fake_callbacks callbacks;
    char device[64];
    char journal_id[33];
    uint64_t process_id;
    uint64_t session;
    uint32_t slots;
    bool closed;
    struct arena arena;
    struct buf out;
};

static void say(struct fake *fake, const struct msg *msg)
{
    struct reason reason = { "" };
    buf_clear(&fake->out);
    if (wire_encode(msg, &fake->out, &reason) != ERR_NONE) {
        bench_die("message: %s", reason.text);
    }
    ws_client_send(fake->client, (struct str){ (const char *)fake->out.data, fake->out.length });
}

static void on_opened(void *context)
{
    struct fake *fake = context;
    static const struct str executors[] = { { "noop", 4 } };
    struct msg msg = { .kind = MSG_HELLO };
    msg.hello.device = str_of(fake->device);
    msg.hello.agent_version = STR("bench");
    msg.hello.boot_id = STR("bench");
    msg.hello.process_id = fake->process_id;
    msg.hello.journal_id = str_of(fake->journal_id);
    msg.hello.session = fake->session;
    msg.hello.profile.os = STR("linux");
    msg.hello.profile.arch = STR("bench");
    msg.hello.profile.hostname = STR("bench");
    msg.hello.profile.cpus = 1;
    msg.hello.profile.slots = fake->slots;
    msg.hello.profile.executors = executors;
    msg.hello.profile.executors_count = 1;
    say(fake, &msg);
}

static void take(struct fake *fake, const struct msg *msg)
{
    if (msg->kind == MSG_WELCOME) {
        fake->session = msg->welcome.session;
        struct msg ready = { .kind = MSG_READY, .ready = { fake->session } };
        say(fake, &ready);
        fake->callbacks.ready(fake->callbacks.context, fake);
    } else if (msg->kind == MSG_ASSIGN) {
        fake->callbacks.assigned(fake->callbacks.context, fake, &msg->assign);
    } else if (msg->kind == MSG_ERROR) {
        bench_die("the daemon says: %.*s", STR_ARG(msg->error.reason));
    }
}

static void on_frame(void *context, struct str frame)
{
    struct fake *fake = context;
    size_t at = 0;
    while (at < frame.length) {
        struct msg msg;
        struct reason reason = { "" };
        if (wire_decode(frame, &at, &fake->arena, &msg, &reason) != ERR_NONE) {
            bench_die("frame: %s", reason.text);
        }
        take(fake, &msg);
        arena_clear(&fake->arena);
    }
}

static void on_writable(void *context)
{
    (void)context;
}

static void on_closed(void *context, int code, const char *why)
{
    (void)code;
    (void)why;
    ((struct fake *)context)->closed = true;
}

struct fake *fake_new(struct nest *nest, const char *url, const char *device, uint32_t slots,
                      const struct fake_callbacks *callbacks)
{
    struct fake *fake = mem_alloc(sizeof *fake);
    fake->callbacks = *callbacks;
    fake->slots = slots;
    fake->process_id = random_uint64() | 1;
    snprintf(fake->device, sizeof fake->device, "%s", device);
    snprintf(fake->journal_id, sizeof fake->journal_id, "%016llx%016llx",
             (unsigned long long)random_uint64(), (unsigned long long)random_uint64());
    struct ws_client_config config = {
        .url = url,
        .path = "/aip",
        .subprotocol = WIRE_SUBPROTOCOL,
        .frame_bytes_max = MSG_FRAME_BYTES_MAX,
        .queue_bytes_max = MSG_FRAME_BYTES_MAX,
    };
    struct ws_client_callbacks socket = { fake, on_opened, on_frame, on_writable, on_closed };
    struct reason reason = { "" };
    if (ws_client_new(nest, &config, &socket, &fake->client, &reason) != ERR_NONE) {
        bench_die("client: %s", reason.text);
    }
    return fake;
}

void fake_free(struct fake *fake)
{
    ws_client_free(fake->client);
    arena_done(&fake->arena);
    buf_done(&fake->out);
    mem_free(fake);
}

void fake_dial(struct fake *fake)
{
    fake->closed = false;
    ws_client_dial(fake->client);
}

bool fake_is_closed(const struct fake *fake)
{
    return fake->closed;
}

void fake_finish(struct fake *fake, uint64_t fence)
{
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = fence;
    msg.finished.outcome = OUTCOME_EXITED;
    msg.finished.started_wall_ms = clock_wall_ms();
    say(fake, &msg);
}
