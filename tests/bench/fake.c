/* The agent's side of a session, the least that the protocol allows. */
#include "tests/bench/fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/net/ws_url.h"
#include "common/sys/clock.h"
#include "common/sys/random.h"
#include "proto/wire.h"
#include "tests/bench/bench.h"

enum { WAIT_S_MAX = 60, IN_BYTES = 16384, BINARY = 2, HEAD_BYTES = 2, MASK_BYTES = 4 };

struct fake {
    int fd;
    struct arena arena;
    struct buf out;
    uint8_t in[IN_BYTES];
    size_t in_length;
    double came_s; /* when the last of these had come */
};

/* --- Frames --- */

static bool put(struct fake *fake, const void *bytes, size_t length)
{
    return send(fake->fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* Makes `out` one frame of the message. A mask of zeros leaves the bytes as they are. */
static void encode(struct fake *fake, const struct msg *msg)
{
    struct reason reason = { "" };
    struct buf payload = { 0 };
    if (wire_encode(msg, &payload, &reason) != ERR_NONE) {
        bench_die("message: %s", reason.text);
    }
    bool is_short = payload.length < 126;
    const uint8_t head[] = { 0x80 | BINARY, (uint8_t)(0x80 | (is_short ? payload.length : 126)),
                             (uint8_t)(payload.length >> 8), (uint8_t)payload.length };
    static const uint8_t mask[MASK_BYTES] = { 0 };
    buf_clear(&fake->out);
    buf_append(&fake->out, head, is_short ? HEAD_BYTES : sizeof head);
    buf_append(&fake->out, mask, sizeof mask);
    buf_append(&fake->out, payload.data, payload.length);
    buf_done(&payload);
}

/* Waits for more bytes; false if there are none to come. */
static bool take(struct fake *fake)
{
    ssize_t got = recv(fake->fd, fake->in + fake->in_length, IN_BYTES - fake->in_length, 0);
    fake->came_s = now_s();
    if (got <= 0) {
        return false;
    }
    fake->in_length += (size_t)got;
    return true;
}

static void drop(struct fake *fake, size_t length)
{
    fake->in_length -= length;
    memmove(fake->in, fake->in + length, fake->in_length);
}

/* The first frame, when it is whole: where its payload begins. The daemon's are not masked. */
static bool find_frame(const struct fake *fake, size_t *ret_from, size_t *ret_length)
{
    size_t from = HEAD_BYTES;
    if (fake->in_length < from) {
        return false;
    }
    size_t length = fake->in[1] & 127;
    if (length >= 126) {
        from += 2;
        if (fake->in_length < from) {
            return false;
        }
        length = length == 127 ? IN_BYTES : (size_t)fake->in[2] << 8 | fake->in[3];
    }
    if (from + length > IN_BYTES) { /* 127 says that more than 64 KiB follow */
        bench_die("a frame of more than %d bytes", IN_BYTES);
    }
    *ret_from = from;
    *ret_length = length;
    return fake->in_length >= from + length;
}

/* Takes the first frame out. True if a message of this kind was in it; *ret_msg is the first, and lives
   until the next call. */
static bool read_frame(struct fake *fake, size_t from, size_t length, enum msg_kind kind,
                       struct msg *ret_msg)
{
    bool found = false;
    struct str frame = { (const char *)fake->in + from, length };
    arena_clear(&fake->arena);
    for (size_t at = 0; (fake->in[0] & 15) == BINARY && at < frame.length;) {
        struct msg msg;
        struct reason reason = { "" };
        if (wire_decode(frame, &at, &fake->arena, &msg, &reason) != ERR_NONE) {
            bench_die("frame: %s", reason.text);
        }
        if (msg.kind == MSG_ERROR) {
            bench_die("the daemon says: %.*s", STR_ARG(msg.error.reason));
        }
        if (msg.kind == kind && !found) {
            *ret_msg = msg;
            found = true;
        }
    }
    drop(fake, from + length);
    return found;
}

static bool wait_for(struct fake *fake, enum msg_kind kind, struct msg *ret_msg)
{
    size_t from = 0;
    size_t length = 0;
    for (;;) {
        while (!find_frame(fake, &from, &length)) {
            if (!take(fake)) {
                return false;
            }
        }
        if (read_frame(fake, from, length, kind, ret_msg)) {
            return true;
        }
    }
}

/* --- The session --- */

static bool connect_to(struct fake *fake, const char *url)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    struct ws_url parts;
    if (ws_url_parse(url, &parts, NULL) != ERR_NONE ||
        inet_pton(AF_INET, parts.host, &address.sin_addr) != 1) {
        bench_die("no agent can dial %s", url);
    }
    address.sin_port = htons((uint16_t)parts.port);
    int on = 1;
    struct timeval limit = { .tv_sec = WAIT_S_MAX };
    fake->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fake->fd < 0 || setsockopt(fake->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        setsockopt(fake->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) {
        bench_die("socket: %s", strerror(errno));
    }
    return connect(fake->fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static bool upgrade(struct fake *fake, const char *url)
{
    static const char accepted[] = "HTTP/1.1 101 ";
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET /aip HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n"
                          "Sec-WebSocket-Protocol: %s\r\n\r\n",
                          url + strlen("http://"), WIRE_SUBPROTOCOL);
    if (!put(fake, request, (size_t)length)) {
        return false;
    }
    for (;;) {
        const uint8_t *end = memmem(fake->in, fake->in_length, "\r\n\r\n", 4);
        if (end != NULL) {
            bool is_accepted = memcmp(fake->in, accepted, sizeof accepted - 1) == 0;
            drop(fake, (size_t)(end - fake->in) + 4);
            return is_accepted;
        }
        if (!take(fake)) {
            return false;
        }
    }
}

static bool greet(struct fake *fake, const char *device, uint32_t slots)
{
    static const struct str executors[] = { { "noop", 4 } };
    char journal_id[33];
    struct msg welcome;
    struct msg msg = { .kind = MSG_HELLO };
    snprintf(journal_id, sizeof journal_id, "%016llx%016llx", (unsigned long long)random_uint64(),
             (unsigned long long)random_uint64());
    msg.hello.device = str_of(device);
    msg.hello.agent_version = STR("bench");
    msg.hello.boot_id = STR("bench");
    msg.hello.process_id = random_uint64() | 1;
    msg.hello.journal_id = str_of(journal_id);
    msg.hello.profile.os = STR("linux");
    msg.hello.profile.arch = STR("bench");
    msg.hello.profile.hostname = STR("bench");
    msg.hello.profile.cpus = 1;
    msg.hello.profile.slots = slots;
    msg.hello.profile.executors = executors;
    msg.hello.profile.executors_count = 1;
    encode(fake, &msg);
    if (!put(fake, fake->out.data, fake->out.length) || !wait_for(fake, MSG_WELCOME, &welcome)) {
        return false;
    }
    struct msg ready = { .kind = MSG_READY, .ready = { welcome.welcome.session } };
    encode(fake, &ready);
    return put(fake, fake->out.data, fake->out.length);
}

struct fake *fake_dial(const char *url, const char *device, uint32_t slots)
{
    struct fake *fake = mem_alloc(sizeof *fake);
    if (!connect_to(fake, url) || !upgrade(fake, url) || !greet(fake, device, slots)) {
        fake_free(fake);
        return NULL;
    }
    return fake;
}

void fake_free(struct fake *fake)
{
    close(fake->fd);
    arena_done(&fake->arena);
    buf_done(&fake->out);
    mem_free(fake);
}

double fake_wait_assigned(struct fake *fake, uint64_t *ret_fence)
{
    struct msg msg;
    if (!wait_for(fake, MSG_ASSIGN, &msg)) {
        bench_die("nothing was assigned");
    }
    *ret_fence = msg.assign.tasks[0].fence;
    return fake->came_s;
}

double fake_finish(struct fake *fake, uint64_t fence)
{
    struct msg msg = { .kind = MSG_FINISHED };
    msg.finished.fence = fence;
    msg.finished.outcome = OUTCOME_EXITED;
    msg.finished.started_wall_ms = clock_wall_ms();
    encode(fake, &msg);
    double began = now_s();
    if (!put(fake, fake->out.data, fake->out.length)) {
        bench_die("the daemon has gone");
    }
    return began;
}
