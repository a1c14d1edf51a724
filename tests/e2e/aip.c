#include "tests/e2e/aip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "proto/wire.h"

enum { ANSWER_MS = 20000 };

int aip_socket(struct fleet *fleet)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)fleet->port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Whatever has come by then; -1 at the end of the connection, 0 if nothing came. */
static ssize_t receive(int fd, void *to, size_t bytes, int limit_ms)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    if (poll(&ready, 1, limit_ms) <= 0) {
        return 0;
    }
    ssize_t got = recv(fd, to, bytes, 0);
    return got > 0 ? got : -1;
}

void aip_open(struct aip *aip, struct fleet *fleet, const char *subprotocol, const char *header)
{
    memset(aip, 0, sizeof *aip);
    aip->fd = aip_socket(fleet);
    char text[1024];
    int length = snprintf(text, sizeof text,
                          "GET /aip HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n"
                          "Sec-WebSocket-Protocol: %s\r\n%s\r\n",
                          fleet->port, subprotocol, header);
    assert_true(aip_bytes(aip, text, (size_t)length));
    size_t have = 0;
    int64_t end = now_ms() + ANSWER_MS;
    while (strstr(aip->answer, "\r\n\r\n") == NULL && now_ms() < end &&
           have < sizeof aip->answer - 1) {
        ssize_t got = receive(aip->fd, aip->answer + have, 1, 100); /* not into the first frame */
        if (got < 0) {
            break;
        }
        have += (size_t)got;
    }
    static const char version[] = "HTTP/1.1 ";
    if (strncmp(aip->answer, version, sizeof version - 1) == 0) {
        aip->status = (int)strtol(aip->answer + sizeof version - 1, NULL, 10);
    }
    while (aip->status != 101 && have < sizeof aip->answer - 1) { /* the problem's words */
        ssize_t got = receive(aip->fd, aip->answer + have, sizeof aip->answer - 1 - have, 300);
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
    }
}

void aip_done(struct aip *aip)
{
    close(aip->fd);
    arena_done(&aip->arena);
}

bool aip_bytes(struct aip *aip, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(aip->fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool aip_frame(struct aip *aip, int opcode, const void *bytes, size_t length)
{
    uint8_t head[14] = { (uint8_t)(0x80 | opcode) };
    size_t at = 2;
    if (length < 126) {
        head[1] = (uint8_t)(0x80 | length);
    } else if (length < 65536) {
        head[1] = 0x80 | 126;
        head[at++] = (uint8_t)(length >> 8);
        head[at++] = (uint8_t)length;
    } else {
        head[1] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) {
            head[at++] = (uint8_t)(length >> shift);
        }
    }
    at += 4; /* a mask of zeros changes nothing */
    return aip_bytes(aip, head, at) && aip_bytes(aip, bytes, length);
}

bool aip_send(struct aip *aip, const struct msg *msg)
{
    struct buf wire = { 0 };
    struct reason reason = { "" };
    if (wire_encode(msg, &wire, &reason) != ERR_NONE) {
        fail_msg("%s", reason.text);
    }
    bool sent = aip_frame(aip, AIP_BINARY, wire.data, wire.length);
    buf_done(&wire);
    return sent;
}

/* The first whole frame of the buffer: its payload; false if there is none. */
static bool whole_frame(const struct aip *aip, int *ret_opcode, size_t *ret_from,
                        size_t *ret_length)
{
    size_t from = 2;
    if (aip->buffered < from) {
        return false;
    }
    size_t length = aip->buffer[1] & 127;
    size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (aip->buffered < from + extra) {
        return false;
    }
    for (size_t i = 0; i < extra; i++) {
        length = (i == 0 ? 0 : length << 8) | aip->buffer[from + i];
    }
    from += extra;
    *ret_opcode = aip->buffer[0] & 15;
    *ret_from = from;
    *ret_length = length;
    return aip->buffered >= from + length;
}

static void note_close(struct aip *aip, size_t from, size_t length)
{
    aip->close_code = length < 2 ? 1005 : aip->buffer[from] << 8 | aip->buffer[from + 1];
    snprintf(aip->close_reason, sizeof aip->close_reason, "%.*s",
             length < 2 ? 0 : (int)(length - 2), (const char *)&aip->buffer[from] + 2);
}

/* Looks through one frame for a message of the kind. */
static bool find_message(struct aip *aip, struct str frame, enum msg_kind kind, struct msg *ret_msg)
{
    bool found = false;
    for (size_t at = 0; at < frame.length;) {
        struct msg msg;
        assert_int_equal(wire_decode(frame, &at, &aip->arena, &msg, NULL), ERR_NONE);
        if (msg.kind == MSG_ERROR) {
            snprintf(aip->error_reason, sizeof aip->error_reason, "%.*s",
                     STR_ARG(msg.error.reason));
        }
        if (msg.kind == kind && !found) {
            *ret_msg = msg;
            found = true;
        }
    }
    return found;
}

/* Takes frames out of the buffer until one has a message of the kind. */
static bool take_frames(struct aip *aip, enum msg_kind kind, struct msg *ret_msg)
{
    int opcode = 0;
    size_t from = 0;
    size_t length = 0;
    bool found = false;
    while (!found && whole_frame(aip, &opcode, &from, &length)) {
        if (opcode == AIP_CLOSE) {
            note_close(aip, from, length);
            aip_frame(aip, AIP_CLOSE, &aip->buffer[from], length < 2 ? 0 : 2);
        } else if (opcode == AIP_BINARY) {
            found = find_message(aip, (struct str){ (char *)&aip->buffer[from], length }, kind,
                                 ret_msg);
        }
        aip->buffered -= from + length;
        memmove(aip->buffer, aip->buffer + from + length, aip->buffered);
    }
    return found;
}

bool aip_expect(struct aip *aip, enum msg_kind kind, int64_t limit_ms, struct msg *ret_msg)
{
    int64_t end = now_ms() + limit_ms;
    for (;;) {
        if (take_frames(aip, kind, ret_msg)) {
            return true;
        }
        int64_t left = end - now_ms();
        ssize_t got = left < 0 ? -1
                               : receive(aip->fd, aip->buffer + aip->buffered,
                                         sizeof aip->buffer - aip->buffered, (int)left);
        if (got < 0) {
            return false;
        }
        aip->buffered += (size_t)got;
    }
}

bool aip_has_ended(struct aip *aip)
{
    struct msg none;
    ssize_t got;
    do {
        take_frames(aip, MSG_NONE, &none);
        got = receive(aip->fd, aip->buffer + aip->buffered, sizeof aip->buffer - aip->buffered, 0);
        aip->buffered += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    take_frames(aip, MSG_NONE, &none);
    return got < 0;
}

bool aip_expect_closed(struct aip *aip, int64_t limit_ms)
{
    int64_t end = now_ms() + limit_ms;
    while (!aip_has_ended(aip)) {
        if (now_ms() > end) {
            return false;
        }
        look_again();
    }
    return true;
}

bool aip_greet(struct aip *aip, const char *device, const char *journal, struct msg *ret_welcome)
{
    static const struct str executors[] = { { "noop", 4 } };
    struct msg hello = {
        .kind = MSG_HELLO,
        .hello = { .device = str_of(device),
                   .agent_version = STR("0.1.0"),
                   .boot_id = STR("boot"),
                   .process_id = 1,
                   .journal_id = str_of(journal),
                   .profile = { .os = STR("linux"),
                                .arch = STR("x86_64"),
                                .hostname = STR("host"),
                                .cpus = 1,
                                .memory_bytes = 1024,
                                .slots = 1,
                                .executors = executors,
                                .executors_count = 1 } },
    };
    if (!aip_send(aip, &hello) || !aip_expect(aip, MSG_WELCOME, ANSWER_MS, ret_welcome)) {
        return false;
    }
    struct msg ready = { .kind = MSG_READY, .ready = { ret_welcome->welcome.session } };
    return aip_send(aip, &ready);
}
